//! The program of each mapping.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::check::typed::{
    AccountElse, Action as OutcomeAction, Conflict, GuardElse, LinkElse, PicklistElse, RuleElse, Situation,
    Trigger, WhenWritten, WithKind,
};
use crate::source::{Location, ObjectName, Side};
use crate::types::{AssociationKind, Cause, ChangeEvent, ChangeKind, Type, Value};

use super::{Condition, Expr};

/// The executable form of a whole project.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Plan {
    /// The programs, in source order.
    pub mappings: Vec<Mapping>,
    /// The picklists that expressions name by index.
    pub picklists: Vec<Picklist>,
    /// The orders that rules name by index.
    pub orders: Vec<Order>,
    /// The syncs, in source order.
    pub syncs: Vec<Sync>,
}

impl Plan {
    /// The index of a mapping; the legs of a sync are none.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.mappings.iter().position(|mapping| mapping.name == name && !mapping.is_leg)
    }

    /// A sync by name.
    pub fn sync(&self, name: &str) -> Option<&Sync> {
        self.syncs.iter().find(|sync| sync.name == name)
    }

    /// The program of a mapping.
    pub fn mapping(&self, name: &str) -> Option<&Mapping> {
        self.find(name).map(|index| &self.mappings[index])
    }
}

/// A sync: two mappings, its legs, and what joins them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sync {
    /// Its name, which both legs carry.
    pub name: String,
    /// Where it stands.
    pub at: Location,
    /// The index of the leg to Salesforce.
    pub to_salesforce: usize,
    /// The index of the leg to HubSpot.
    pub to_hubspot: usize,
    /// The `<->` rules.
    pub two_way: Vec<TwoWay>,
    /// The other rules, each behind those that write what it reads.
    pub one_way: Vec<OneWay>,
}

impl Sync {
    /// The index of the leg that writes a side.
    pub fn leg(&self, to: Side) -> usize {
        match to {
            Side::Hubspot => self.to_hubspot,
            Side::Salesforce => self.to_salesforce,
        }
    }
}

/// A rule of a sync that writes one side only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneWay {
    /// That side.
    pub to: Side,
    /// The rule's index in the leg that writes it.
    pub rule: usize,
}

/// A `<->` rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TwoWay {
    /// Its rule in the leg to Salesforce.
    pub forth: usize,
    /// Its rule in the leg to HubSpot.
    pub back: usize,
    /// Salesforce's value taken back and forth, in the leg to HubSpot.
    pub round: Expr,
    /// Who decides when both sides have changed.
    pub conflict: Conflict,
}

/// The program of one mapping.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mapping {
    /// Its name.
    pub name: String,
    /// Whether it is one direction of a sync.
    pub is_leg: bool,
    /// Where it stands.
    pub at: Location,
    /// The object read.
    pub source: ObjectName,
    /// The object written.
    pub target: ObjectName,
    /// What makes it run.
    pub triggers: Vec<Trigger>,
    /// Source fields in use, also by the mappings that this one can hand over to: what a read asks for.
    pub reads: Vec<String>,
    /// Associated records in use.
    pub related: Vec<Related>,
    /// The values that expressions name by index.
    pub slots: Vec<Slot>,
    /// Named values.
    pub lets: Vec<Expr>,
    /// Which of them are made once for a record and kept: those that read others and are read more than once. Without
    /// that a chain of names, each of which reads the one above it twice, would take twice as long with each name.
    pub kept: Vec<bool>,
    /// Look-ups; one may use those before it.
    pub lookups: Vec<Lookup>,
    /// What must hold, in order.
    pub guards: Vec<Guard>,
    /// The first look-up and the way of writing.
    pub key: Option<Key>,
    /// The rungs below.
    pub rungs: Vec<Rung>,
    /// What is read of a target record, besides its id.
    pub target_fields: Vec<TargetField>,
    /// Whether the target can be a converted Lead.
    pub convertible: bool,
    /// What happens, by situation.
    #[serde(with = "pairs")]
    pub outcomes: BTreeMap<Situation, Outcome>,
    /// Rows that are found by a value of the source, for associations.
    pub eaches: Vec<Each>,
    /// What the record written is associated with.
    pub associates: Vec<Associate>,
    /// What becomes of the Lead, behind its write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub convert: Option<Convert>,
    /// Salesforce: what to tell the assignment rules on create.
    pub assignment_rule: Option<String>,
    /// The rules, in source order.
    pub rules: Vec<Rule>,
}

impl Mapping {
    /// What happens in a situation.
    pub fn outcome(&self, situation: Situation) -> Option<&Outcome> {
        self.outcomes.get(&situation)
    }

    /// Whether its runs ask which record theirs is paired with: without a key the pair is all that tells a record whose
    /// values have changed, and what the mapping says about ended records is about pairs.
    pub fn asks_for_its_pair(&self) -> bool {
        let about_pairs = [Situation::TargetDeleted, Situation::TargetMerged, Situation::SourceMerged];
        self.key.is_none() || about_pairs.iter().any(|situation| self.outcomes.contains_key(situation))
    }

    /// Why it runs for a source record whose life these events end; `None` where they do not, or where it does not say
    /// what follows.
    pub fn ended(&self, events: &[ChangeEvent]) -> Option<Cause> {
        if events.iter().any(|event| event.object != self.source) {
            return None;
        }
        Cause::of_source(events).filter(|cause| self.outcomes.contains_key(&situation(cause)))
    }

    /// The same for a target record, and the source records paired with it.
    pub fn target_ended(&self, events: &[ChangeEvent]) -> Option<Cause> {
        if events.iter().any(|event| event.object != self.target) {
            return None;
        }
        let cause = Cause::of_target(events).or_else(|| self.target_converted(events));
        cause.filter(|cause| self.outcomes.contains_key(&situation(cause)))
    }

    /// A notice of the field that names the Contact tells of a conversion, though perhaps not into what.
    fn target_converted(&self, events: &[ChangeEvent]) -> Option<Cause> {
        let converted =
            events.iter().rev().filter(|_| self.convertible).find_map(|event| match &event.kind {
                ChangeKind::FieldChanged { field, value } if field == CONVERTED_CONTACT => {
                    Some((event, value))
                }
                _ => None,
            });
        let (event, into) = converted?;
        let blank = into.as_ref().is_some_and(String::is_empty);
        let (target, into) = (event.record.clone(), into.clone());
        (!blank).then_some(Cause::TargetConverted { target, into })
    }

    /// The type of a target field, where a rule, the key or a policy uses it.
    pub fn target_type(&self, field: &str) -> Option<&Type> {
        self.target_fields.iter().find(|known| known.name == field).map(|known| &known.ty)
    }
}

/// The field that names the Contact of a converted Lead (Salesforce's object reference: Lead).
pub(crate) const CONVERTED_CONTACT: &str = "ConvertedContactId";

/// The situation that a cause is.
fn situation(cause: &Cause) -> Situation {
    match cause {
        Cause::SourceDeleted => Situation::SourceDeleted,
        Cause::SourceMerged { .. } => Situation::SourceMerged,
        Cause::TargetDeleted { .. } => Situation::TargetDeleted,
        Cause::TargetMerged { .. } => Situation::TargetMerged,
        Cause::TargetConverted { .. } => Situation::Converted,
    }
}

/// An associated record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Related {
    /// Its name in the file.
    pub name: String,
    /// Its object.
    pub object: ObjectName,
    /// How it is found.
    pub kind: WithKind,
    /// The source field that holds its id, where the CRM keeps one beside the association.
    pub held_by: Option<String>,
    /// Its fields in use, besides its id.
    pub reads: Vec<String>,
    /// What needs it first; `None` when nothing does.
    pub need: Option<Need>,
}

impl Related {
    /// The source field that holds its id.
    pub fn held_by(&self) -> Option<&str> {
        match &self.kind {
            WithKind::Reference { field } => Some(field),
            WithKind::Association(_) => self.held_by.as_deref(),
        }
    }
}

/// The part of a run that needs a related record first: nothing is read before something needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Need {
    /// A guard.
    Guards,
    /// The key, a rung, or a look-up of theirs.
    Ladder,
    /// Only rules; it is read once one that applies needs it.
    Rules,
}

/// A value that expressions use: a field of the source record or of a related one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// `None` for the source record, else the index of the related one.
    pub of: Option<usize>,
    /// The field; `id` is the record's id.
    pub field: String,
    /// How the raw value is read.
    pub ty: Type,
}

/// A look-up in another object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lookup {
    /// Where.
    pub object: ObjectName,
    /// What is looked up.
    pub what: Sought,
    /// The look-ups inside it; they are made first.
    pub needs: Vec<usize>,
    /// The values that it uses, also those of the look-ups inside it.
    pub slots: Vec<usize>,
    /// Whether guards, the key or the rungs need it; else it is made only once a rule that applies needs it.
    pub early: bool,
    /// The line.
    pub at: Location,
}

/// What a look-up gives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Sought {
    /// A field of the one record that matches.
    Field {
        /// What must hold.
        tests: Vec<Test>,
        /// The field.
        field: String,
        /// How its raw value is read.
        ty: Type,
    },
    /// The id of the counterpart of a record, by the pairs settled before.
    Linked {
        /// The objects whose record the id names.
        of: Vec<ObjectName>,
        /// The record's id.
        id: Expr,
    },
    /// The id of a record type, which differs from org to org; to find none is a failure.
    RecordType {
        /// What finds it.
        tests: Vec<Test>,
        /// Its developer name.
        name: Expr,
    },
}

/// Rows that are found by a value of the source.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Each {
    /// Their name in the file.
    pub name: String,
    /// Their object.
    pub object: ObjectName,
    /// What must hold of them.
    pub tests: Vec<Test>,
    /// Their fields in use.
    pub reads: Vec<String>,
    /// The look-ups that the tests need.
    pub lookups: Vec<usize>,
    /// The related records that the tests need.
    pub related: Vec<usize>,
    /// The line.
    pub at: Location,
}

/// What the record written is associated with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Associate {
    /// Whether others of this kind are removed.
    pub exactly: bool,
    /// Which kind of association.
    pub kind: AssociationKind,
    /// The object of the records that it is associated with.
    pub to: ObjectName,
    /// The objects whose records the ids name.
    pub of: Vec<ObjectName>,
    /// The ids of the records whose counterparts are meant.
    pub ids: Ids,
    /// What happens while one has no counterpart.
    pub otherwise: LinkElse,
    /// The look-ups that the ids need.
    pub lookups: Vec<usize>,
    /// The related records that the ids need.
    pub related: Vec<usize>,
    /// The line.
    pub at: Location,
}

/// What becomes of a Lead. Its values are evaluated with the rules, as rules whose field is the word of their line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Convert {
    /// The status that it takes.
    pub status: String,
    /// The account that it goes to, and what happens where there is none, if there can be none; without it, Salesforce
    /// makes one.
    pub account: Option<(Rule, Option<AccountElse>)>,
    /// The name of its opportunity; without it, none is made.
    pub opportunity: Option<Rule>,
    /// Who owns what is made; without it, the Lead's owner.
    pub owner: Option<Rule>,
    /// The line.
    pub at: Location,
}

impl Convert {
    /// Its values.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.account.iter().map(|(rule, _)| rule).chain(&self.opportunity).chain(&self.owner)
    }

    pub(super) fn rules_mut(&mut self) -> impl Iterator<Item = &mut Rule> {
        self.account.iter_mut().map(|(rule, _)| rule).chain(&mut self.opportunity).chain(&mut self.owner)
    }
}

/// The ids of records whose counterparts are asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Ids {
    /// One, or none where it is blank.
    Value(Expr),
    /// A field of each row.
    Each {
        /// The index of the rows.
        each: usize,
        /// The field.
        field: String,
    },
}

/// One test of a look-up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Test {
    /// The field, or a path over relationships.
    pub field: String,
    /// Whether the field holds ids of Salesforce's, which cannot be compared with other text, and the value may be such.
    #[serde(default)]
    pub needs_id: bool,
    /// The test.
    pub op: TestOp,
}

/// The tests of a look-up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum TestOp {
    /// A comparison.
    Compare(crate::syntax::ast::CompareOp, Expr),
    /// One of these.
    In(Vec<Expr>),
    /// Present or blank.
    Presence(crate::syntax::ast::Presence),
}

/// A guard.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Guard {
    /// What must hold.
    pub condition: Condition,
    /// What happens otherwise.
    pub otherwise: GuardElse,
    /// The source fields that it reads, also to find a related record, for `wait`.
    pub fields: Vec<String>,
    /// The look-ups that it needs.
    pub lookups: Vec<usize>,
    /// As written, for people.
    pub text: String,
    /// The line.
    pub at: Location,
}

/// The key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Key {
    /// The external-ID field.
    pub field: String,
    /// Its value.
    pub value: Expr,
    /// The line.
    pub at: Location,
}

/// A rung.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rung {
    /// Where it looks.
    pub object: ObjectName,
    /// What must hold.
    pub tests: Vec<Test>,
    /// The mapping that takes over, by name.
    pub then: Option<String>,
    /// The line.
    pub at: Location,
}

/// What happens in a situation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// What.
    pub action: OutcomeAction,
    /// The line.
    pub at: Location,
}

/// A target field and how its raw value is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetField {
    /// Its API name.
    pub name: String,
    /// Its type.
    pub ty: Type,
}

/// A rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rule {
    /// The field written.
    pub field: String,
    /// Its type.
    pub ty: Type,
    /// Its value.
    pub value: Expr,
    /// Whether a new record needs the field, so that it cannot be dropped.
    pub required: bool,
    /// Whether the field is never blank, as a Salesforce checkbox is not, so that it cannot be cleared.
    pub never_blank: bool,
    /// The look-ups that the value needs, in the order in which they are made.
    pub lookups: Vec<usize>,
    /// The related records that the value needs.
    pub related: Vec<usize>,
    /// When it writes.
    pub when: WhenWritten,
    /// Whether a blank clears.
    pub blank_clears: bool,
    /// What a failure does.
    pub otherwise: Option<RuleElse>,
    /// The line.
    pub at: Location,
}

/// A picklist.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Picklist {
    /// Its name.
    pub name: String,
    /// Translations by source option.
    pub forth: BTreeMap<String, Option<String>>,
    /// Two-way translations by target option.
    pub back: BTreeMap<String, String>,
    /// What another option becomes.
    pub otherwise: Option<PicklistElse>,
    /// Where it stands.
    pub at: Location,
}

/// An order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// Its name.
    pub name: String,
    /// The options from first to last.
    pub stages: Vec<String>,
}

impl Order {
    /// The place of an option.
    pub fn place(&self, option: &Value) -> Option<usize> {
        let Value::Text(option) = option else { return None };
        self.stages.iter().position(|stage| stage == option)
    }
}

/// A map whose keys are no texts, as the list of its pairs: JSON has only texts as keys.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_knows_places() {
        let order = Order { name: "funnel".to_owned(), stages: vec!["New".to_owned(), "Working".to_owned()] };
        assert_eq!(order.place(&Value::text("Working")), Some(1));
        assert_eq!(order.place(&Value::text("working")), None);
        assert_eq!(order.place(&Value::Blank), None);
        assert_eq!(order.place(&Value::Boolean(true)), None);
    }

    #[test]
    fn a_program_is_found_by_its_name() {
        let plan = crate::plan::testing::LEAD.plan();
        assert_eq!(plan.find("lead"), Some(0));
        assert!(plan.mapping("Lead").is_none());
        assert_eq!(plan.mappings[0].target_type("LastName"), Some(&Type::Text(Some(80))));
        assert_eq!(plan.mappings[0].target_type("Phone"), None);
    }
}
