//! The typed tree: what is left when every name is resolved and every type is proved.
//!
//! An unresolved name cannot exist here, and a [`Checked`] project is the only way to a plan.

use chrono::{DateTime, Utc};
use indexmap::IndexMap;

use crate::functions::Function;
use crate::source::{ObjectName, Side, Span};
pub use crate::syntax::ast::{ArithmeticOp, AssignmentRule, CompareOp, Presence, Situation};
use crate::types::{AssociationKind, Typed, Value};

/// A project that passed the checker. Only [`super::check`] makes one.
#[derive(Debug, Clone)]
pub struct Checked<T>(pub(super) T);

impl<T> std::ops::Deref for Checked<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// All items of a project.
#[derive(Debug, Clone, Default)]
pub struct Project {
    /// Mappings by name, in source order.
    pub mappings: IndexMap<String, Mapping>,
    /// Picklists by name; a [`ExprKind::Translate`] names its index.
    pub picklists: IndexMap<String, Picklist>,
    /// Orders by name; a [`WhenWritten::AdvanceOnly`] names its index.
    pub orders: IndexMap<String, Order>,
    /// Syncs by name, in source order.
    pub syncs: IndexMap<String, Sync>,
    /// Tests, in source order.
    pub tests: Vec<Test>,
}

/// A two-way mapping: two one-way ones and what joins them.
#[derive(Debug, Clone)]
pub struct Sync {
    /// Its name, which both legs carry.
    pub name: String,
    /// The comment block above it.
    pub doc: Option<String>,
    /// The leg from HubSpot to Salesforce.
    pub to_salesforce: Mapping,
    /// The leg from Salesforce to HubSpot.
    pub to_hubspot: Mapping,
    /// The `<->` rules; each stands in both legs as well.
    pub two_way: Vec<TwoWay>,
    /// Whether a `when` says what makes it run; else every change of what is mapped does.
    pub triggered: bool,
    /// The sync's name in the file.
    pub span: Span,
}

/// A `<->` rule.
#[derive(Debug, Clone)]
pub struct TwoWay {
    /// The index of its rule in the leg to Salesforce.
    pub forth: usize,
    /// The index of its rule in the leg to HubSpot.
    pub back: usize,
    /// Salesforce's value taken back and forth, in the leg to HubSpot: what it is compared as.
    pub round: Expr,
    /// Who decides.
    pub conflict: Conflict,
    /// The rule in the file.
    pub span: Span,
}

/// Who decides when both sides have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Conflict {
    /// That side.
    Side(Side),
    /// The one that changed last; that side where nobody can tell.
    Latest(Side),
    /// The other side, always; that side only fills its blanks.
    FillsOnly(Side),
}

/// A one-way mapping.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// Its name.
    pub name: String,
    /// The comment block above it.
    pub doc: Option<String>,
    /// Where records come from.
    pub source: ObjectName,
    /// Where they go.
    pub target: ObjectName,
    /// Associated records that expressions read.
    pub withs: Vec<With>,
    /// Named values; an [`ExprKind::Let`] names its index. A `let` reads only those above it.
    pub lets: Vec<Let>,
    /// What makes it run; none means that it only receives hand-overs (and backfills).
    pub triggers: Vec<Trigger>,
    /// The statement of each trigger.
    pub trigger_spans: Vec<Span>,
    /// What must hold of the record as freshly read, in order.
    pub guards: Vec<Guard>,
    /// The ladder: the key, if there is one, then the other rungs in order.
    pub key: Option<Key>,
    /// The rungs below the key.
    pub rungs: Vec<Rung>,
    /// What happens, by situation; every situation that can arise is there.
    pub outcomes: IndexMap<Situation, Outcome>,
    /// Rows found by a value; an [`Ids::Each`] names their index.
    pub eaches: Vec<Each>,
    /// What the record written is associated with.
    pub associates: Vec<Associate>,
    /// Whether assignment rules run on create.
    pub assignment_rule: Option<AssignmentRule>,
    /// What becomes of the Lead that it writes, where it converts it.
    pub convert: Option<Convert>,
    /// The record type of a new record: an expression over literals that gives its developer name.
    pub record_type: Option<Expr>,
    /// The field rules, shared ones spliced in where they are used.
    pub rules: Vec<Rule>,
    /// The mapping's name in the file.
    pub span: Span,
}

/// An associated record.
#[derive(Debug, Clone)]
pub struct With {
    /// The name in expressions (`employer`; `owner` for the implicit one).
    pub name: String,
    /// The object (`hubspot.company`; `hubspot.owner`).
    pub object: ObjectName,
    /// How it is found.
    pub kind: WithKind,
    /// The source field that holds its id, where the CRM keeps one beside the association.
    pub held_by: Option<String>,
    /// The statement, or the first use of an implicit one.
    pub span: Span,
}

/// How an associated record is found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum WithKind {
    /// By an association.
    Association(AssociationKind),
    /// By the id that a field of the source record holds (HubSpot's `owner`, by `hubspot_owner_id`).
    Reference {
        /// That field.
        field: String,
    },
}

/// Rows of the source's CRM that a value finds.
#[derive(Debug, Clone)]
pub struct Each {
    /// Their name in the file.
    pub name: String,
    /// Their object.
    pub object: ObjectName,
    /// What must hold of them.
    pub tests: Vec<FieldTest>,
    /// The statement.
    pub span: Span,
}

/// `associate linked OBJECT of NAME`
#[derive(Debug, Clone)]
pub struct Associate {
    /// Whether others of this kind are removed.
    pub exactly: bool,
    /// Which kind of association.
    pub kind: AssociationKind,
    /// The object that the record written is associated with.
    pub to: ObjectName,
    /// The objects whose records the ids name: one, unless a reference field takes several.
    pub of: Vec<ObjectName>,
    /// The ids of the records whose counterparts are meant.
    pub ids: Ids,
    /// What happens while one has no counterpart.
    pub otherwise: LinkElse,
    /// The statement.
    pub span: Span,
}

/// `convert to "STATUS" { … }`
#[derive(Debug, Clone)]
pub struct Convert {
    /// The status that the Lead takes.
    pub status: String,
    /// The account that it goes to, and what happens where there is none, if there can be none; without it, Salesforce
    /// makes one.
    pub account: Option<(Part, Option<AccountElse>)>,
    /// The name of its opportunity; without it, none is made.
    pub opportunity: Option<Part>,
    /// Who owns what is made, and what a failure does; without it, the Lead's owner.
    pub owner: Option<(Part, Option<RuleElse>)>,
    /// Its head.
    pub span: Span,
}

/// A value of a `convert`.
#[derive(Debug, Clone)]
pub struct Part {
    /// The value.
    pub value: Expr,
    /// The line.
    pub span: Span,
}

/// What happens where a Lead has no account to go to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum AccountElse {
    /// Salesforce makes one.
    Create,
    /// The record waits for it.
    Wait,
    /// Kept for a person.
    Park(Option<String>),
}

/// The ids of records whose counterparts are asked for.
#[derive(Debug, Clone)]
pub enum Ids {
    /// One, or none where it is blank.
    Value(Expr),
    /// A field of each row.
    Each {
        /// The index of the [`Each`].
        each: usize,
        /// The field.
        field: String,
    },
}

/// What happens while a record has no counterpart.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum LinkElse {
    /// The mapping runs again once the pair is settled.
    Wait,
    /// Recorded, nothing more.
    Skip,
    /// Kept for a person.
    Park(Option<String>),
}

/// A named value.
#[derive(Debug, Clone)]
pub struct Let {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Expr,
}

/// What makes a mapping run.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub enum Trigger {
    /// A new source record.
    Created,
    /// One of these fields changed.
    Changes(Vec<String>),
    /// The field took one of these values (as the source CRM stores them), also on creation.
    Becomes(String, Vec<String>),
    /// The associated record of this object changed or was replaced.
    AssociatedChanges(AssociationKind, ObjectName),
}

/// A guard.
#[derive(Debug, Clone)]
pub struct Guard {
    /// What must hold.
    pub condition: Condition,
    /// What happens otherwise.
    pub otherwise: GuardElse,
    /// The statement.
    pub span: Span,
}

/// What a guard does with a record that it refuses.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum GuardElse {
    /// Recorded, nothing more.
    Skip,
    /// Looked at again when a field that the guard reads changes.
    Wait,
    /// Kept for a person.
    Park(Option<String>),
    /// Handed to the mapping of this name.
    Then(String),
}

/// The first look-up and the way of writing.
#[derive(Debug, Clone)]
pub struct Key {
    /// The unique external-ID field of the target.
    pub field: String,
    /// Its value: never blank, never fails.
    pub value: Expr,
    /// The line.
    pub span: Span,
}

/// A rung below the key.
#[derive(Debug, Clone)]
pub struct Rung {
    /// Where it looks; the mapping's target, or another object of the same CRM.
    pub object: ObjectName,
    /// What must hold. A test whose value is blank finds nothing.
    pub tests: Vec<FieldTest>,
    /// The mapping that takes over with the found record.
    pub then: Option<String>,
    /// The line.
    pub span: Span,
}

/// `FIELD op VALUE`
#[derive(Debug, Clone)]
pub struct FieldTest {
    /// The field, or a path over relationships.
    pub field: String,
    /// Whether the field holds ids of Salesforce's, and is compared with text that may be none.
    pub needs_id: bool,
    /// The test.
    pub op: TestOp,
    /// The test in the file.
    pub span: Span,
}

/// What a `where` asks of a field.
#[derive(Debug, Clone)]
pub enum TestOp {
    /// A comparison.
    Compare(CompareOp, Expr),
    /// One of these.
    In(Vec<Expr>),
    /// Present or blank.
    Presence(Presence),
}

/// What happens in a situation.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What.
    pub action: Action,
    /// The statement.
    pub span: Span,
}

/// What an outcome does; only those that fit their situation pass the checker.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Action {
    /// Make a record.
    Create,
    /// Recorded, nothing more.
    Skip,
    /// Kept for a person.
    Park(Option<String>),
    /// Take the newest of several.
    Newest,
    /// Take the oldest of several.
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
    /// Hand over to the mapping of this name.
    Then(String),
}

/// A field rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The target field.
    pub target: String,
    /// The target field's type.
    pub target_type: Typed,
    /// The value.
    pub value: Expr,
    /// When it writes.
    pub when: WhenWritten,
    /// Whether a blank result clears the target.
    pub blank_clears: bool,
    /// What a failure does; the checker demands it where the value can fail.
    pub otherwise: Option<RuleElse>,
    /// The comment block above it.
    pub doc: Option<String>,
    /// The rule in the file (also for a shared one).
    pub span: Span,
}

/// When a rule writes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum WhenWritten {
    /// Always.
    Always,
    /// When the record is new.
    OnCreate,
    /// When the record was there.
    OnUpdate,
    /// When the target holds nothing.
    IfTargetIsBlank,
    /// Only forward along the order with this index.
    AdvanceOnly(usize),
    /// A boolean that, once it has this value, keeps it.
    Sticky(bool),
}

/// What a rule does when a step fails.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum RuleElse {
    /// Leave the field as it is.
    Keep,
    /// Park the whole record.
    Park(Option<String>),
    /// Try again later.
    Wait,
    /// Write this; blank is `nothing`.
    Literal(Value),
}

/// A typed expression.
#[derive(Debug, Clone)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// What it gives.
    pub typed: Typed,
    /// Whether evaluating it can fail.
    pub can_fail: bool,
    /// Where it stands.
    pub span: Span,
}

/// The forms of an expression.
#[derive(Debug, Clone)]
pub enum ExprKind {
    /// A literal.
    Literal(Value),
    /// A field.
    Field(FieldUse),
    /// A named value, by index.
    Let(usize),
    /// A function call; a blank first argument gives blank unless the function takes blanks.
    Call {
        /// Which.
        function: &'static Function,
        /// All arguments, the piped one first.
        args: Vec<Expr>,
    },
    /// A translation by the picklist with this index; `back` goes from its target to its source.
    Translate {
        /// Which.
        picklist: usize,
        /// Against the arrow.
        back: bool,
        /// The option.
        value: Box<Expr>,
    },
    /// Text with holes; blank when a hole is blank.
    Template(Vec<TemplatePart>),
    /// Exact decimal arithmetic; blank when a side is blank; overflow and division by zero fail.
    Arithmetic(Box<Expr>, ArithmeticOp, Box<Expr>),
    /// `if C then A else B`
    If(Box<Condition>, Box<Expr>, Box<Expr>),
    /// A list.
    List(Vec<Expr>),
    /// A condition as a boolean value.
    Condition(Box<Condition>),
    /// A field of the one record that matches; blank when none does; fails when several do.
    Lookup {
        /// Where it looks.
        object: ObjectName,
        /// What it gives.
        field: String,
        /// What must hold.
        tests: Vec<FieldTest>,
    },
    /// The id of a record's counterpart; blank where it has none; fails when it has several.
    Linked {
        /// The object of the counterpart.
        to: ObjectName,
        /// The objects whose record the id names.
        of: Vec<ObjectName>,
        /// The record's id.
        id: Box<Expr>,
    },
}

/// A piece of a template.
#[derive(Debug, Clone)]
pub enum TemplatePart {
    /// Text.
    Text(String),
    /// A value, shown as text.
    Hole(Expr),
}

/// Which field of which record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldUse {
    /// Which record.
    pub of: RecordUse,
    /// Its API name, or a relationship path; `id` is the record's id.
    pub field: String,
}

/// Which record an expression reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordUse {
    /// The source record.
    Source,
    /// The `with` of this index.
    With(usize),
}

/// A typed condition. A comparison with a blank is false; `!=` is `not =`.
#[derive(Debug, Clone)]
pub struct Condition {
    /// What it is.
    pub kind: ConditionKind,
    /// Whether evaluating it can fail.
    pub can_fail: bool,
    /// Where it stands.
    pub span: Span,
}

/// The forms of a condition.
#[derive(Debug, Clone)]
pub enum ConditionKind {
    /// Any holds.
    Or(Vec<Condition>),
    /// All hold.
    And(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A comparison.
    Compare(Expr, CompareOp, Expr),
    /// One of a list (or a member of a set).
    In(Expr, Expr),
    /// Present or blank.
    Presence(Expr, Presence),
    /// A boolean value; blank does not hold.
    Value(Expr),
}

/// A picklist.
#[derive(Debug, Clone)]
pub struct Picklist {
    /// Its name.
    pub name: String,
    /// Source object and field.
    pub from: (ObjectName, String),
    /// Target object and field.
    pub to: (ObjectName, String),
    /// Translations in order; `None` is blank.
    pub lines: Vec<PicklistLine>,
    /// What another option becomes; without it, an option that is not listed fails.
    pub otherwise: Option<PicklistElse>,
    /// Whether `otherwise` is only for options that the snapshot does not know, so that no test can reach it.
    pub unreached: bool,
    /// Its name in the file.
    pub span: Span,
}

/// One translation.
#[derive(Debug, Clone)]
pub struct PicklistLine {
    /// The source option.
    pub from: String,
    /// The target option.
    pub to: Option<String>,
    /// Whether it also goes back.
    pub both: bool,
    /// The line.
    pub span: Span,
}

/// What an option without a line becomes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum PicklistElse {
    /// That option.
    Option(String),
    /// Blank.
    Nothing,
    /// The record is parked.
    Park(Option<String>),
}

/// An order of options.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its name.
    pub name: String,
    /// Object and field.
    pub of: (ObjectName, String),
    /// The options from first to last.
    pub stages: Vec<String>,
    /// Its name in the file.
    pub span: Span,
}

/// A test of a mapping.
#[derive(Debug, Clone)]
pub struct Test {
    /// What it shows.
    pub name: String,
    /// The mapping that runs.
    pub mapping: String,
    /// The records that the CRMs hold, in order of their creation.
    pub given: Vec<GivenRecord>,
    /// The pairs that were settled before.
    pub links: Vec<GivenLink>,
    /// What records that the mapping writes are associated with already.
    pub associations: Vec<GivenAssociation>,
    /// What a CRM refuses to write.
    pub refusals: Vec<Refusal>,
    /// What happened to the source record; without any, the mapping runs as if one of its triggers had fired.
    pub whens: Vec<Trigger>,
    /// The records that are no longer there.
    pub ends: Vec<GivenEnd>,
    /// What the run must come to: any number of hand-overs and at most one end.
    pub expect: Vec<Expectation>,
    /// Its name in the file.
    pub span: Span,
}

/// A record that a test gives.
#[derive(Debug, Clone)]
pub struct GivenRecord {
    /// The object.
    pub object: ObjectName,
    /// Its id, where the test says it.
    pub id: Option<String>,
    /// Its values by field.
    pub values: IndexMap<String, Value>,
    /// What the CRM itself holds in fields that the test does not give: `false` in Salesforce's checkboxes.
    pub unset: IndexMap<String, Value>,
    /// The reference field of each relationship by which a path can go on (`Owner` by `OwnerId`).
    pub relationships: IndexMap<String, String>,
    /// How it is associated with the source record; `None` is by every label and as the primary one.
    pub association: Option<AssociationKind>,
    /// When its fields took their values, where the test says it.
    pub changed_at: Option<DateTime<Utc>>,
    /// The statement.
    pub span: Span,
}

/// A pair of records that a test gives as settled before.
#[derive(Debug, Clone)]
pub struct GivenLink {
    /// HubSpot's record: its object and id.
    pub hubspot: (ObjectName, String),
    /// Salesforce's record: its object and id.
    pub salesforce: (ObjectName, String),
    /// A sync's values when both sides were last the same, by the Salesforce field.
    pub synced: IndexMap<String, Value>,
    /// The statement.
    pub span: Span,
}

/// An association that a record has before the run.
#[derive(Debug, Clone)]
pub struct GivenAssociation {
    /// The statement that gives the record.
    pub of: Span,
    /// Which association.
    pub kind: AssociationKind,
    /// The object of the other record.
    pub to: ObjectName,
    /// Its id.
    pub id: String,
}

/// What a CRM refuses to write in a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The object that is written.
    pub object: ObjectName,
    /// Which writes, and how.
    pub kind: RefusalKind,
}

/// The ways in which a CRM refuses a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusalKind {
    /// A validation rule.
    Rejects {
        /// The field that is refused whenever it is written; `None` refuses every write.
        field: Option<String>,
        /// What the CRM says.
        message: String,
    },
    /// A duplicate rule: a new record may not share a value with one that is there.
    Duplicates {
        /// The field that is compared.
        field: String,
        /// The object of the record that is there.
        of: ObjectName,
        /// Whether a caller may insist.
        allow_save: bool,
    },
}

/// A record of which a test says that it is no longer there.
#[derive(Debug, Clone)]
pub struct GivenEnd {
    /// Its object.
    pub object: ObjectName,
    /// Its id.
    pub id: String,
    /// The record into which it was merged; `None` where it was deleted.
    pub into: Option<String>,
    /// The statement.
    pub span: Span,
}

/// What a test expects.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// What.
    pub kind: ExpectationKind,
    /// The statement.
    pub span: Span,
}

/// The kinds of expectation.
#[derive(Debug, Clone)]
pub enum ExpectationKind {
    /// A record of this object is made.
    Create(ObjectName, Vec<ExpectedField>),
    /// A record of this object is brought up to date.
    Update(ObjectName, Vec<ExpectedField>),
    /// A guard or an outcome skips the record.
    Skip,
    /// The record is kept for a person; a reason is compared where there is one.
    Park(Option<String>),
    /// The pair is forgotten.
    Unlink,
    /// The pair goes over to the surviving record.
    Follow,
    /// The record is handed over to the mapping of this name.
    Then(String),
    /// A guard or a rule waits.
    Wait,
    /// The record was found and nothing is written, as everything is already so.
    Nothing,
    /// What happened does not make the mapping run.
    NotTriggered,
    /// The record written is associated with this one.
    Associated(AssociationKind, ObjectName, String),
    /// The Lead written is converted with these; `account`, `opportunity`, `owner` or `status` name them.
    Converted(Vec<ExpectedField>),
    /// It is not, or no longer.
    NotAssociated(AssociationKind, ObjectName, String),
}

/// A field of the record that a test expects.
#[derive(Debug, Clone)]
pub struct ExpectedField {
    /// Its API name.
    pub field: String,
    /// What it holds afterwards.
    pub value: ExpectedValue,
    /// The entry.
    pub span: Span,
}

/// What a field of an expected record holds.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpectedValue {
    /// This.
    Value(Value),
    /// Nothing was there and nothing is written.
    Absent,
    /// What was there, and nothing is written.
    Kept,
}
