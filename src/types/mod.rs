//! Types and values of the language, and the requests and answers that cross to a CRM, as pure data.

mod ops;
mod ty;
mod value;

pub use ops::{
    AssociateRequest, AssociatedRequest, AssociationKind, CrmError, CrmErrorKind, FieldError, Filter, FilterOp, FindRequest,
    MatchedRecord, ReadRequest, Record, WriteAnswer, WriteRequest, WriteTarget,
};
pub use ty::{Options, Type, Typed};
pub use value::{Failure, Value};
