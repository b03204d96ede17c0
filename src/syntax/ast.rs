//! The tree of a `.map` file, as written: names are not resolved and nothing is typed.

use rust_decimal::Decimal;

use crate::source::{FileId, Span, Spanned};

mod tests;

pub use crate::source::Side;
pub use tests::{
    AssociationMark, Entry, EntryValue, Expect, ExpectKind, Given, GivenEnd, GivenLink, Refusal, RefusalKind,
    Test,
};

/// A name and where it stands.
pub type Name = Spanned<String>;

/// A whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// Which file.
    pub file: FileId,
    /// Its items that could be read, in source order.
    pub items: Vec<Item>,
    /// All comments in source order, without `#`; the formatter places them again.
    pub comments: Vec<Spanned<String>>,
}

/// A top-level item.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// `mapping NAME { … }`
    Mapping(Mapping),
    /// `sync NAME { … }`
    Sync(Sync),
    /// `fields NAME from OBJECT { … }`
    Fields(SharedFields),
    /// `picklist NAME { … }`
    Picklist(Picklist),
    /// `order NAME of FIELD { … }`
    Order(Order),
    /// `test "…" { … }`
    Test(Test),
}

impl Item {
    /// The whole item.
    pub fn span(&self) -> Span {
        match self {
            Self::Mapping(mapping) => mapping.span,
            Self::Sync(sync) => sync.span,
            Self::Fields(fields) => fields.span,
            Self::Picklist(picklist) => picklist.span,
            Self::Order(order) => order.span,
            Self::Test(test) => test.span,
        }
    }
}

/// `hubspot.contact`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// Which CRM.
    pub side: Side,
    /// The object's API name or alias.
    pub name: Name,
    /// The whole reference.
    pub span: Span,
}

/// `salesforce.Lead.Status`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRef {
    /// The object.
    pub object: ObjectRef,
    /// The field's API name.
    pub field: Name,
    /// The whole reference.
    pub span: Span,
}

/// A one-way mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// The comment block directly above.
    pub doc: Option<String>,
    /// Its name.
    pub name: Name,
    /// `from OBJECT`, each time it is written (once, when correct).
    pub from: Vec<ObjectRef>,
    /// `to OBJECT`
    pub to: Vec<ObjectRef>,
    /// What both kinds of mapping can say.
    pub body: Body,
    /// The field rules, in source order; several blocks are one.
    pub fields: Vec<FieldsEntry>,
    /// The `fields` keyword of the first block, if any.
    pub fields_span: Option<Span>,
    /// The whole item.
    pub span: Span,
}

/// A two-way mapping; HubSpot stands on the left.
#[derive(Debug, Clone, PartialEq)]
pub struct Sync {
    /// The comment block directly above.
    pub doc: Option<String>,
    /// Its name.
    pub name: Name,
    /// `between OBJECT and OBJECT`
    pub between: Vec<(ObjectRef, ObjectRef)>,
    /// What both kinds of mapping can say.
    pub body: Body,
    /// The two-way rules.
    pub fields: Vec<SyncRule>,
    /// The whole item.
    pub span: Span,
}

/// The statements that a mapping and a sync share.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Body {
    /// `with …`
    pub withs: Vec<With>,
    /// `let …`
    pub lets: Vec<Let>,
    /// `when …`, alternatives.
    pub whens: Vec<Trigger>,
    /// `only if …`
    pub guards: Vec<Guard>,
    /// `match { … }`
    pub matches: Vec<Match>,
    /// `on …`
    pub outcomes: Vec<Outcome>,
    /// `assignment rule …`, `record type …`
    pub options: Vec<WriteOption>,
    /// `associate …`
    pub associates: Vec<Associate>,
}

/// `with NAME = …`
#[derive(Debug, Clone, PartialEq)]
pub struct With {
    /// The name given to the associated record.
    pub name: Name,
    /// How it is found.
    pub source: WithSource,
    /// The statement.
    pub span: Span,
}

/// How a `with` finds its record.
#[derive(Debug, Clone, PartialEq)]
pub enum WithSource {
    /// `primary OBJECT`
    Primary(ObjectRef),
    /// `"Label" OBJECT`
    Labelled(Spanned<String>, ObjectRef),
    /// `each NAME = OBJECT where …`
    Each(ObjectRef, Vec<FieldTest>),
}

/// `let NAME = VALUE`
#[derive(Debug, Clone, PartialEq)]
pub struct Let {
    /// The name.
    pub name: Name,
    /// Its value.
    pub value: Value,
    /// The statement.
    pub span: Span,
}

/// `when …`
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// What fires.
    pub kind: TriggerKind,
    /// The statement.
    pub span: Span,
}

/// What fires a mapping.
#[derive(Debug, Clone, PartialEq)]
pub enum TriggerKind {
    /// `created`
    Created,
    /// `FIELD changes` or `any of (A, B) changes`
    Changes(Vec<Path>),
    /// `FIELD becomes VALUE` or `FIELD becomes [VALUE, …]`
    Becomes(Path, Vec<Spanned<Literal>>),
    /// `primary OBJECT changes`
    PrimaryChanges(ObjectRef),
    /// `"Label" OBJECT changes`
    LabelledChanges(Spanned<String>, ObjectRef),
}

/// `only if CONDITION [otherwise …]`
#[derive(Debug, Clone, PartialEq)]
pub struct Guard {
    /// What must hold.
    pub condition: Condition,
    /// What happens when it does not; `skip` when nothing is written.
    pub otherwise: Option<Spanned<GuardOtherwise>>,
    /// The statement.
    pub span: Span,
}

/// What a guard does with a record that it refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuardOtherwise {
    /// Recorded, nothing more.
    Skip,
    /// Looked at again when a field that the guard reads changes.
    Wait,
    /// Kept for a person.
    Park(Option<String>),
    /// Handed to another mapping.
    Then(Name),
}

/// `match { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// The rungs, from the top.
    pub rungs: Vec<Rung>,
    /// The block.
    pub span: Span,
}

/// One rung of the ladder.
#[derive(Debug, Clone, PartialEq)]
pub struct Rung {
    /// How it looks.
    pub kind: RungKind,
    /// The line.
    pub span: Span,
}

/// How a rung looks for a record.
#[derive(Debug, Clone, PartialEq)]
pub enum RungKind {
    /// `key FIELD = VALUE`; in a sync the field names its object.
    Key {
        /// The object, in a sync.
        object: Option<ObjectRef>,
        /// The external ID.
        field: Name,
        /// What it is compared with.
        value: Value,
    },
    /// `or FIELD = VALUE where …`
    Field {
        /// The field looked in.
        field: Name,
        /// What it is compared with.
        value: Value,
        /// More that must hold.
        tests: Vec<FieldTest>,
    },
    /// `or OBJECT where … [then MAPPING]`
    Object {
        /// The object looked in.
        object: ObjectRef,
        /// What must hold.
        tests: Vec<FieldTest>,
        /// The mapping that takes over.
        then: Option<Name>,
    },
}

/// `FIELD op VALUE` in a `where`.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldTest {
    /// A field of the searched object.
    pub field: Path,
    /// What must hold of it.
    pub test: TestOp,
    /// The whole test.
    pub span: Span,
}

/// What a `where` asks of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum TestOp {
    /// `FIELD op VALUE`
    Compare(Spanned<CompareOp>, Value),
    /// `FIELD in [ … ]`
    In(Vec<Value>),
    /// `FIELD is present`, `FIELD is blank`
    Presence(Presence),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum CompareOp {
    /// `=`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// `is present` or `is blank`
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Presence {
    /// Not null and not the empty text.
    Present,
    /// Null or the empty text.
    Blank,
}

/// `on SITUATION ACTION`
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// When.
    pub situation: Spanned<Situation>,
    /// On which side, in a sync; `None` is either.
    pub side: Option<Spanned<Side>>,
    /// What then.
    pub action: Spanned<Action>,
    /// The statement.
    pub span: Span,
}

/// When an outcome applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Situation {
    /// No rung found a record.
    None,
    /// A rung found several.
    Many,
    /// The record found holds another record's key.
    Taken,
    /// The Lead found is converted.
    Converted,
    /// A duplicate rule blocked the write.
    Duplicate,
    /// The target refused the write.
    Rejected,
    /// The source record was deleted.
    SourceDeleted,
    /// The source record was merged into another.
    SourceMerged,
    /// The target record was deleted.
    TargetDeleted,
    /// The target record was merged into another.
    TargetMerged,
    /// In a sync: the record of that side was deleted.
    Deleted,
    /// In a sync: the record of that side was merged into another.
    Merged,
}

/// What an outcome does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make a record.
    Create,
    /// Record it, nothing more.
    Skip,
    /// Keep for a person.
    Park(Option<String>),
    /// Take the record that was created last.
    Newest,
    /// Take the record that was created first.
    Oldest,
    /// Use the record that is there.
    Adopt,
    /// Write in spite of an alert rule.
    Allow,
    /// Follow to the surviving record.
    Follow,
    /// Forget the pair.
    Unlink,
    /// Write without the field that was refused.
    DropField,
    /// Hand over to another mapping.
    Then(Name),
}

/// How a write is made.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteOption {
    /// `assignment rule on|off|"ID"`
    AssignmentRule(AssignmentRule, Span),
    /// `record type VALUE`
    RecordType(Value, Span),
}

/// Whether the CRM's assignment rules run on create.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum AssignmentRule {
    /// The active rule.
    On,
    /// None.
    Off,
    /// That rule.
    Id(String),
}

/// `associate ["Label"] linked OBJECT of NAME [otherwise …]`
#[derive(Debug, Clone, PartialEq)]
pub struct Associate {
    /// Also remove what is not named.
    pub exactly: bool,
    /// Which kind of association.
    pub kind: AssociateKind,
    /// The paired object.
    pub object: ObjectRef,
    /// Whose pair.
    pub of: Path,
    /// When there is no pair yet.
    pub otherwise: Option<Spanned<GuardOtherwise>>,
    /// The statement.
    pub span: Span,
}

/// Which kind of association.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssociateKind {
    /// No label.
    Plain,
    /// The primary one.
    Primary,
    /// A labelled one.
    Labelled(Spanned<String>),
}

/// `fields NAME from OBJECT { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct SharedFields {
    /// The comment block directly above.
    pub doc: Option<String>,
    /// Its name.
    pub name: Name,
    /// The source object.
    pub from: ObjectRef,
    /// The rules.
    pub rules: Vec<Rule>,
    /// The whole item.
    pub span: Span,
}

/// A line of a `fields` block.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every entry is a rule, so a box would only add an allocation"
)]
pub enum FieldsEntry {
    /// `use NAME`
    Use(Name, Span),
    /// `TARGET <- VALUE …`
    Rule(Rule),
}

/// `TARGET <- VALUE` with its policies.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The comment block directly above, if any.
    pub doc: Option<String>,
    /// The field written.
    pub target: Name,
    /// What is written.
    pub value: Value,
    /// How, in source order; the checker refuses two of a kind.
    pub policies: Vec<Policy>,
    /// The statement.
    pub span: Span,
}

/// A policy of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Which.
    pub kind: PolicyKind,
    /// Where.
    pub span: Span,
}

/// The policies.
#[derive(Debug, Clone, PartialEq)]
pub enum PolicyKind {
    /// `on create`
    OnCreate,
    /// `on update`
    OnUpdate,
    /// `if target is blank`
    IfTargetIsBlank,
    /// `advance only along ORDER`
    AdvanceOnly(Name),
    /// `once true stays true`, `once false stays false`
    Sticky(bool),
    /// `on blank clear`
    OnBlankClear,
    /// `otherwise …`
    Otherwise(Otherwise),
    /// `on conflict hubspot|salesforce`
    ConflictSide(Side),
    /// `on conflict latest otherwise SIDE`
    ConflictLatest(Side),
    /// `SIDE fills only`
    FillsOnly(Side),
}

/// What a rule does when a step fails.
#[derive(Debug, Clone, PartialEq)]
pub enum Otherwise {
    /// Leave the field as it is.
    Keep,
    /// Park the whole record.
    Park(Option<String>),
    /// Try again when something that the rule needs changes.
    Wait,
    /// Write this.
    Literal(Literal),
}

/// A line of a sync's `fields`.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncRule {
    /// The comment block directly above, if any.
    pub doc: Option<String>,
    /// Direction and sides.
    pub kind: SyncRuleKind,
    /// How, in source order.
    pub policies: Vec<Policy>,
    /// The statement.
    pub span: Span,
}

/// Direction and sides of a sync rule.
#[derive(Debug, Clone, PartialEq)]
pub enum SyncRuleKind {
    /// `hubspot <-> salesforce [via STEP | …]`
    Both(Name, Name, Vec<Step>),
    /// `hubspot <- VALUE`
    ToHubspot(Name, Value),
    /// `VALUE -> salesforce`
    ToSalesforce(Value, Name),
}

/// `a.b.c`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The parts, at least one.
    pub parts: Vec<Name>,
    /// The whole path.
    pub span: Span,
}

impl Path {
    /// The path as written, without back-quotes.
    pub fn text(&self) -> String {
        self.parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".")
    }
}

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `"text"`, escapes resolved.
    Text(String),
    /// `12.5`
    Number(Decimal),
    /// `true`, `false`
    Boolean(bool),
    /// `nothing`
    Nothing,
}

/// An expression that gives a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// What it is.
    pub kind: ValueKind,
    /// Where.
    pub span: Span,
}

/// The forms of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueKind {
    /// A literal; a text with holes is a template.
    Literal(Literal),
    /// `"… {VALUE} …"` with at least one hole.
    Template(Vec<TemplatePart>),
    /// A field, a `let`, or a field of a `with`.
    Path(Path),
    /// `NAME(ARGS)`
    Call(Call),
    /// `VALUE | STEP`
    Pipe(Box<Value>, Step),
    /// `A + B`
    Arithmetic(Box<Value>, Spanned<ArithmeticOp>, Box<Value>),
    /// `if C then A else B`
    If(Box<Condition>, Box<Value>, Box<Value>),
    /// `[A, B]`
    List(Vec<Value>),
    /// `lookup OBJECT.FIELD where …`
    Lookup(FieldRef, Vec<FieldTest>),
    /// `linked OBJECT of NAME`
    Linked(ObjectRef, Path),
    /// `( CONDITION )` as a boolean value.
    Condition(Box<Condition>),
    /// Could not be read; a finding was already given.
    Error,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum TemplatePart {
    /// Text, escapes resolved.
    Text(String),
    /// `{VALUE}`
    Hole(Value),
}

/// `NAME(ARGS)` as a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The function.
    pub name: Name,
    /// Its arguments.
    pub args: Vec<Value>,
}

/// `| NAME` or `| NAME(ARGS)`
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The function or picklist.
    pub name: Name,
    /// Its arguments after the piped value; `None` when no parentheses are written.
    pub args: Option<Vec<Value>>,
    /// The step, without the bar.
    pub span: Span,
}

/// `+ - * /`
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ArithmeticOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
}

/// An expression that holds or does not.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What it is.
    pub kind: ConditionKind,
    /// Where.
    pub span: Span,
}

/// The forms of a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum ConditionKind {
    /// `A or B …`
    Or(Vec<Condition>),
    /// `A and B …`
    And(Vec<Condition>),
    /// `not A`
    Not(Box<Condition>),
    /// `A op B`
    Compare(Value, Spanned<CompareOp>, Value),
    /// `A in B`, `A not in B`
    In {
        /// What is looked for.
        value: Value,
        /// Where it is looked for.
        list: Value,
        /// `not in`
        negated: bool,
    },
    /// `A is present`
    Presence(Value, Presence),
    /// A boolean value that stands alone.
    Value(Value),
}

/// `picklist NAME { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct Picklist {
    /// The comment block directly above.
    pub doc: Option<String>,
    /// Its name.
    pub name: Name,
    /// `from FIELD`
    pub from: Vec<FieldRef>,
    /// `to FIELD`
    pub to: Vec<FieldRef>,
    /// The translations.
    pub lines: Vec<PicklistLine>,
    /// `otherwise -> …`
    pub otherwise: Vec<PicklistOtherwise>,
    /// The whole item.
    pub span: Span,
}

/// `"A" -> "B"`, `"A" <-> "B"`, `"A" -> nothing`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PicklistLine {
    /// The source option.
    pub from: Spanned<String>,
    /// The target option; `None` is `nothing`.
    pub to: Spanned<Option<String>>,
    /// Also back.
    pub both: bool,
    /// The line.
    pub span: Span,
}

/// `otherwise -> …`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PicklistOtherwise {
    /// What any other option becomes.
    pub to: Spanned<PicklistElse>,
    /// The line.
    pub span: Span,
}

/// What an option without a line becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PicklistElse {
    /// That option.
    Option(String),
    /// Blank.
    Nothing,
    /// The record is parked.
    Park(Option<String>),
}

/// `order NAME of FIELD { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The comment block directly above.
    pub doc: Option<String>,
    /// Its name.
    pub name: Name,
    /// The picklist field.
    pub of: FieldRef,
    /// The options in order.
    pub stages: Vec<Spanned<String>>,
    /// The whole item.
    pub span: Span,
}
