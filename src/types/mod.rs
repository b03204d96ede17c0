//! Types and values of the language, and the requests and answers that cross to a CRM, as pure data.

mod access;
mod compare;
mod conversion;
mod convert;
mod cost;
mod event;
mod fit;
mod held;
mod ops;
mod ty;
mod value;
mod write;

pub use access::{Access, ObjectAccess};
pub use compare::{order, same};
pub use conversion::{ConvertAnswer, ConvertRequest, ConvertedInto};
pub use convert::{Raw, epoch_ms, parse_date, parse_instant, parse_number, quoted, read, read_borrowed};
pub use cost::{SideWork, Work};
pub use event::{Cause, ChangeEvent, ChangeKind};
pub use fit::{Assign, assignable, may_be_email, text_length, text_max};
pub use held::{as_held, beyond_years, is_record_id, within_years};
pub use ops::{
    AssociateRequest, AssociatedRequest, AssociationKind, AwaitedPair, ChangedRequest, CrmError,
    CrmErrorKind, FieldError, Filter, FilterOp, FindRequest, LinkChange, LinkFate, LinkRequest, LinkedPair,
    MatchedRecord, ReadRequest, Record, WriteAnswer, WriteRequest, WriteTarget,
};
pub use ty::{Options, Type, Typed};
pub(crate) use value::within_limit;
pub use value::{Borrowed, Failure, Value};
pub use write::{as_sent, display, displayed, to_json, write_json, write_text};
