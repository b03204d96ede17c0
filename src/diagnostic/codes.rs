//! The registry of codes. A code is frozen once released, grouped by family, never reused.
//!
//! A new code is one line here (a constant, the code, its title) and its page, `docs/diagnostics/CODE.md`; then
//! `MAPWRIGHT_UPDATE=1 cargo test --test pages` puts it into the index, and `tests/suite` wants its cases.

use std::fmt;

/// A stable code: `E` for errors, `W` for warnings, two digits of family, two of number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What `mapwright explain CODE` prints.
#[derive(Debug, Clone, Copy)]
pub struct CodePage {
    /// The code.
    pub code: Code,
    /// One line.
    pub title: &'static str,
    /// `docs/diagnostics/CODE.md`: what it means, why it is a finding, an example and the same one mended.
    pub page: &'static str,
}

/// The page of a code, if there is such a code; case does not count.
pub fn code_page(code: &str) -> Option<&'static CodePage> {
    CODES.iter().find(|page| page.code.0.eq_ignore_ascii_case(code))
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $title:literal;)+) => {
        impl Code {
            $($(#[doc = $doc])+ pub const $name: Code = Code($code);)+
        }
        /// Every code with its page, in order.
        pub const CODES: &[CodePage] = &[$(CodePage {
                code: Code($code),
                title: $title,
                page: include_str!(concat!("../../docs/diagnostics/", $code, ".md")),
            },)+];
    };
}

codes! {
    // Project, configuration and schema files.
    /// A project file could not be read: it is missing, not a file, or the operating system refused.
    FILE_UNREADABLE = "E0001", "a file cannot be read";
    /// A file is not UTF-8. Save it as UTF-8; the position is the first byte that is not.
    FILE_NOT_UTF8 = "E0002", "a file is not UTF-8";
    /// A file is larger than the limit: 1 MiB for a `.map` file, 16 MiB for a schema snapshot.
    FILE_TOO_LARGE = "E0003", "a file is too large";
    /// The YAML cannot be parsed.
    YAML_SYNTAX = "E0004", "not valid YAML";
    /// A key of a YAML file is not one that Mapwright knows.
    YAML_UNKNOWN_KEY = "E0005", "unknown key";
    /// A value of a YAML file has the wrong type or is not allowed.
    YAML_BAD_VALUE = "E0006", "wrong value";
    /// A key that must be there is missing.
    YAML_MISSING_KEY = "E0007", "missing key";
    /// `${NAME}` names an environment variable that is not set.
    ENV_MISSING = "E0008", "environment variable not set";
    /// A schema snapshot is missing; copy one into `schema/`, or start from the one that `mapwright init` writes.
    SCHEMA_MISSING = "E0009", "schema snapshot missing";
    /// A schema snapshot names a field type that the vendor does not have.
    SCHEMA_TYPE = "E0010", "unknown field type in a snapshot";
    /// `language:` names an edition that this version does not read.
    EDITION = "E0011", "unknown language edition";
    /// A secret stands in the file in the clear. Write `${NAME}` and set the variable.
    SECRET_IN_CLEAR = "E0012", "secret in the clear";
    /// A comment allows a warning and gives no reason. Write `# allow W0004: REASON`.
    SUPPRESSION_REASON = "E0013", "warning allowed without a reason";
    /// A comment allows a code that does not exist.
    SUPPRESSION_CODE = "E0014", "unknown code allowed";
    /// A comment allows an error. Only warnings can be allowed.
    SUPPRESSION_ERROR = "E0015", "error allowed";

    // Syntax.
    /// Something else was expected here.
    SYNTAX = "E0101", "something else was expected";
    /// A text literal is not closed before the line ends.
    SYNTAX_STRING = "E0102", "text is not closed";
    /// A `{` has no `}`.
    SYNTAX_BLOCK = "E0103", "block is not closed";
    /// Brackets are nested more deeply than 64 levels, or a value more than 500 with the named ones that it reads.
    SYNTAX_DEPTH = "E0104", "nested too deeply";
    /// A reserved word is used as a name. Put it in back-quotes.
    SYNTAX_RESERVED = "E0105", "reserved word as a name";
    /// The top level of a file holds only `mapping`, `sync`, `fields`, `picklist`, `order` and `test`.
    SYNTAX_ITEM = "E0106", "not an item";
    /// A statement may be written only once in its block.
    REPEATED = "E0107", "written twice";
    /// A statement that a block needs is missing.
    INCOMPLETE = "E0108", "statement missing";

    // Names.
    /// The CRM has no such object in the snapshot.
    UNKNOWN_OBJECT = "E0201", "unknown object";
    /// The object has no such field in the snapshot.
    UNKNOWN_FIELD = "E0202", "unknown field";
    /// No function or picklist of this name.
    UNKNOWN_STEP = "E0203", "unknown step";
    /// No mapping of this name.
    UNKNOWN_MAPPING = "E0204", "unknown mapping";
    /// No shared `fields` of this name.
    UNKNOWN_FIELDS = "E0205", "unknown shared fields";
    /// No `order` of this name.
    UNKNOWN_ORDER = "E0206", "unknown order";
    /// Two items of one kind, or a picklist and a function, have the same name.
    DUPLICATE_NAME = "E0207", "name used twice";
    /// A `with` or `let` name is also a property, so that nobody could tell which is meant.
    SHADOWED_NAME = "E0208", "name hides a property";
    /// A path goes through something that has no fields.
    BAD_PATH = "E0209", "path leads nowhere";
    /// A mapping reads and writes the same CRM. It carries records from one to the other; within one CRM use its own automation.
    ONE_CRM = "E0210", "mapping within one CRM";
    /// The object has no such record type in the snapshot, or none that new records may use.
    UNKNOWN_RECORD_TYPE = "E0211", "unknown record type";

    // Writability and required fields.
    /// The field cannot be written: a formula, a read-only property, or a field that only the CRM sets.
    READ_ONLY = "E0301", "field cannot be written";
    /// The field can be set when a record is created but not changed later. Add `on create`.
    NOT_UPDATEABLE = "E0302", "field cannot be updated";
    /// The field can be changed but not set when a record is created. Add `on update`.
    NOT_CREATEABLE = "E0303", "field cannot be set on create";
    /// The target requires this field, and no rule writes it when a record is created.
    REQUIRED_MISSING = "E0304", "required field has no rule";
    /// The target requires this field, and the rule can give a blank.
    REQUIRED_BLANK = "E0305", "required field can be blank";
    /// Two rules write one field.
    TWO_RULES = "E0306", "field written twice";
    /// A policy is written twice, or two policies contradict each other.
    POLICY_CONFLICT = "E0307", "policies contradict each other";
    /// A consent field could go back. Add `once true stays true`.
    CONSENT_BACK = "E0308", "consent could go back";
    /// `assignment rule` and `record type` say how Salesforce makes a record; HubSpot has neither.
    WRITE_OPTION = "E0309", "the CRM has no such option";
    /// Events of a timeline are made and found by their id. They cannot be read from, searched or associated.
    TIMELINE_EVENT = "E0310", "a timeline event is only made";

    // Types.
    /// A value of one type goes where another is needed.
    TYPE_MISMATCH = "E0401", "types do not fit";
    /// A function has the wrong number of arguments.
    ARGUMENT_COUNT = "E0402", "wrong number of arguments";
    /// An argument must be a literal, so that it can be checked.
    ARGUMENT_LITERAL = "E0403", "argument must be a literal";
    /// An instant goes into a calendar date (or back) without a time zone.
    ZONE_MISSING = "E0404", "time zone missing";
    /// Two values that can never be equal are compared.
    COMPARISON = "E0405", "values cannot be compared";
    /// A number can have more digits than the field keeps.
    NUMBER_TOO_WIDE = "E0406", "number can be too wide";
    /// An argument has the right type but no meaning: a pattern that is no regular expression, a zone that does not exist.
    ARGUMENT_VALUE = "E0407", "argument makes no sense";

    // Length.
    /// The value can be longer than the field holds, and the CRM would refuse it. Add `truncate`.
    TOO_LONG = "E0501", "value can be too long";
    /// The literal is longer than the field holds.
    LITERAL_TOO_LONG = "E0502", "literal is too long";

    // Picklists.
    /// An option of the source has no line, and there is no `otherwise`.
    OPTION_UNTRANSLATED = "E0601", "option has no translation";
    /// The field has no such option.
    OPTION_UNKNOWN = "E0602", "unknown option";
    /// The option exists but is no longer active.
    OPTION_INACTIVE = "E0603", "option is not active";
    /// An option has two lines.
    OPTION_TWICE = "E0604", "option translated twice";
    /// A picklist is used with a field whose options are others.
    PICKLIST_FIELD = "E0605", "picklist belongs to another field";
    /// `from` or `to` of a picklist is not a picklist field.
    NOT_A_PICKLIST = "E0606", "field is not a picklist";
    /// Options go into a picklist that does not have them, without a translation.
    OPTION_UNMAPPED = "E0607", "options differ";
    /// The record type of a new record does not allow an option that a rule writes, and Salesforce would refuse the record.
    OPTION_RECORD_TYPE = "E0608", "record type forbids the option";
    /// No owner of the snapshot has this id, address or name.
    OWNER_UNKNOWN = "E0609", "unknown owner";
    /// The owner is archived or inactive, and the CRM gives them no new records.
    OWNER_LEFT = "E0610", "owner has left";

    // Matching.
    /// The key is not both an external ID and unique, so that an upsert by it is not atomic.
    KEY_NOT_UNIQUE = "E0701", "key is not unique";
    /// An outcome that can happen is not written.
    OUTCOME_MISSING = "E0702", "outcome missing";
    /// This outcome cannot happen here.
    OUTCOME_IMPOSSIBLE = "E0703", "outcome cannot happen";
    /// The action does not fit the situation.
    ACTION_INVALID = "E0704", "action does not fit";
    /// A hand-over leads to a mapping with another source object, or to another target than the record found.
    HAND_OVER = "E0705", "hand-over does not fit";
    /// The key's value can be blank, too long or fail.
    KEY_VALUE = "E0706", "key can be blank";
    /// The first rung is the key, and there is only one.
    RUNG_ORDER = "E0707", "rungs out of order";
    /// A step that can fail stands where nothing can be done about a failure.
    FALLIBLE_PLACE = "E0708", "failure has nowhere to go";
    /// A record is looked for by a field that the CRM does not search by, or by more tests than one search takes.
    UNSEARCHABLE = "E0709", "the CRM cannot search so";

    // Failures.
    /// A step can fail and the rule does not say what then. Add `otherwise keep`, `nothing`, a literal or `park`.
    OTHERWISE_MISSING = "E0801", "failure is not handled";

    // Two-way.
    /// A two-way rule passes through a step that cannot be undone.
    NOT_INVERTIBLE = "E0901", "two-way rule cannot be undone";
    /// A two-way rule has no conflict policy.
    CONFLICT_POLICY = "E0902", "conflict policy missing";

    // Between mappings.
    /// Two mappings write one field of one object.
    TWO_AUTHORITIES = "E1001", "two authorities for one field";
    /// Hand-overs lead round in a circle.
    HAND_OVER_LOOP = "E1002", "hand-overs lead in a circle";

    /// Mappings trigger one another for ever: what one writes starts the next, and the last starts the first.
    TRIGGER_LOOP = "E1003", "mappings trigger one another";
    /// Rules of a sync go in a circle: what one writes the next reads, and what the last writes the first reads.
    RULE_CIRCLE = "E1004", "rules of a sync go in a circle";

    // Associations and pairs.
    /// Associations are HubSpot's. In Salesforce a reference field holds the other record's id, and a relationship leads to it.
    ASSOCIATION_SIDE = "E1101", "associations are HubSpot's";
    /// A `with each` stands for many rows, and one value is needed here. Only `associate` takes them one by one.
    EACH_PLACE = "E1102", "many rows where one value goes";
    /// `linked OBJECT of NAME` needs a record of the source's CRM and an object of the other one.
    LINKED_RECORD = "E1103", "no record that could be paired";
    /// `associate` does not say what happens while the other record has no counterpart yet. Add `otherwise wait`, `skip` or `park`.
    PAIR_MISSING = "E1104", "missing pair is not handled";
    /// The associations of these two objects have no such label in the snapshot.
    LABEL_UNKNOWN = "E1105", "unknown association label";

    // Converting Leads.
    /// There is nothing here that Salesforce could convert: only a Lead is, by a mapping that writes it.
    CONVERT_PLACE = "E1201", "nothing to convert";
    /// A Lead is converted to a status that stands for converted Leads.
    CONVERT_STATUS = "E1202", "status is not a converted one";
    /// `convert` does not say what becomes of the Lead: its account, its opportunity, or what happens without an account.
    CONVERT_INCOMPLETE = "E1203", "conversion does not say everything";

    // The live CRMs beside the snapshots.
    /// The snapshot has an object, field, option or record type that the CRM does not have any more, or does not show.
    DRIFT_REMOVED = "E1301", "gone from the CRM";
    /// The CRM takes less than the snapshot says: another type, fewer characters, no writing, an option deactivated.
    DRIFT_NARROWED = "E1302", "the CRM takes less";

    // Warnings.
    /// Nothing uses this item.
    UNUSED = "W0001", "unused";
    /// This can never be reached.
    UNREACHABLE = "W0002", "never reached";
    /// An `otherwise` stands on a rule that cannot fail.
    OTHERWISE_UNNEEDED = "W0003", "failure cannot happen";
    /// `!=` holds for a blank field, because it is exactly `not =`. Say `FIELD is present and FIELD != …`, or `is blank or`.
    NOT_EQUAL_BLANK = "W0004", "`!=` and a blank";
    /// A mapping creates records without a key, so that a retried create can make a duplicate.
    NO_KEY = "W0005", "no key";
    /// The file has no item.
    EMPTY_FILE = "W0006", "empty file";
    /// A field is written that the CRM does not show as required, from an amount without its currency.
    AMOUNT_CURRENCY = "W0007", "amount without its currency";
    /// A comment allows a warning that does not arise there. Remove it, or put it directly above the statement.
    SUPPRESSES_NOTHING = "W0008", "comment suppresses nothing";

    // Warnings about the live CRMs.
    /// The CRM has an object, field, option or record type that the snapshot does not know.
    DRIFT_ADDED = "W1301", "new in the CRM";
    /// The CRM says otherwise than the snapshot, and takes nothing away.
    DRIFT_CHANGED = "W1302", "other than the snapshot says";
}
