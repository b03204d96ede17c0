//! The field rules: what is written, what is kept and why.

use crate::plan::{Mapping, OutcomeAction, Rule, RuleElse, WhenWritten};
use crate::types::{
    Failure, Type, Value, WriteRequest, WriteTarget, as_held, display, may_be_email, quoted, same,
    within_years,
};

use super::effect::{Effect, FieldChange, Park, PlannedWrite, Verdict};
use super::ladder::old_value;
use super::run::{Leg, Run, State};
use super::trace::Point;
use crate::types::Record;

/// Why a field is left that holds its value already.
pub const ALREADY_SO: &str = "already so";

/// Why a rule leaves its field as it is whatever its value would be; `None` when it applies.
pub(super) fn kept(mapping: &Mapping, rule: &Rule, existing: Option<&Record>) -> Option<String> {
    match (&rule.when, existing) {
        (WhenWritten::OnCreate, Some(_)) => Some("written on create only".to_owned()),
        (WhenWritten::OnUpdate, None) => Some("written on update only".to_owned()),
        (WhenWritten::IfTargetIsBlank, Some(record)) => match old_value(mapping, record, &rule.field) {
            Ok(Value::Blank) => None,
            _ => Some("the target is not blank".to_owned()),
        },
        // What cannot be read may be the consent that must not be lost.
        (WhenWritten::Sticky(stays), Some(record)) => match old_value(mapping, record, &rule.field) {
            Ok(old) => (old == Value::Boolean(*stays)).then(|| format!("once {stays} stays {stays}")),
            Err(failure) => Some(failure.message),
        },
        (WhenWritten::AdvanceOnly(_), Some(record)) => {
            old_value(mapping, record, &rule.field).err().map(|failure| failure.message)
        }
        _ => None,
    }
}

/// What stands in for a value that could not be made.
pub(super) enum Instead {
    /// This.
    Value(Value),
    /// The field stays as it is, for this reason.
    Keep(String),
}

impl Run {
    /// Evaluates the rules and plans the write.
    pub(super) fn write(&mut self, mapping: &Mapping) -> Effect {
        if self.leg != Leg::No {
            self.state = State::Held;
            return Effect::Find(Vec::new());
        }
        let existing = self.target.clone();
        let mut changes = match self.key_change(mapping, existing.as_ref()) {
            Ok(change) => change.into_iter().collect::<Vec<_>>(),
            Err(effect) => return *effect,
        };
        for rule in &mapping.rules {
            match self.change(mapping, rule, existing.as_ref()) {
                Ok(Some(change)) => changes.push(change),
                Ok(None) => {}
                Err(effect) => return *effect,
            }
        }
        self.parts = match self.conversion_parts(mapping) {
            Ok(parts) => parts,
            Err(effect) => return *effect,
        };
        self.send(mapping, existing.as_ref(), changes)
    }

    /// Sends the changed fields, or ends where there are none.
    pub(super) fn send(
        &mut self,
        mapping: &Mapping,
        existing: Option<&Record>,
        changes: Vec<FieldChange>,
    ) -> Effect {
        let key = mapping.key.as_ref();
        let creates = existing.is_none();
        let fields: Vec<(String, Value)> = changes
            .iter()
            .filter(|change| !(creates && key.is_some_and(|key| key.field == change.field)))
            .filter_map(|change| Some((change.field.clone(), change.new.clone()?)))
            .collect();
        let target = match (existing, key) {
            (Some(record), _) if fields.is_empty() => {
                let (object, id) = (mapping.target.clone(), record.id.clone());
                let verdict = Verdict::Unchanged { object, id: id.clone(), kept: changes };
                return self.after_write(mapping, verdict, id, false);
            }
            (Some(record), _) => WriteTarget::Update { id: record.id.clone() },
            (None, Some(key)) => match self.key_value(mapping, key) {
                Ok(value) => WriteTarget::Upsert { key: key.field.clone(), value: display(&value) },
                Err(failure) => return self.park_failure(failure, Some(&key.field), key.at.clone()),
            },
            (None, None) => WriteTarget::Create,
        };
        let request = WriteRequest {
            object: mapping.target.clone(),
            target,
            fields,
            allow_duplicates: self.allow_duplicates,
            assignment_rule: if creates { mapping.assignment_rule.clone() } else { None },
        };
        let relies_on = if creates { self.relied_on(mapping) } else { Vec::new() };
        let planned = PlannedWrite { mapping: mapping.name.clone(), request, relies_on, changes };
        self.state = State::Write(Box::new(planned.clone()));
        Effect::Write(planned)
    }

    /// The key's value: written with a new record, stamped on an adopted one.
    pub(super) fn key_change(
        &mut self,
        mapping: &Mapping,
        existing: Option<&Record>,
    ) -> Result<Option<FieldChange>, Box<Effect>> {
        let Some(key) = &mapping.key else { return Ok(None) };
        let new = match self.key_value(mapping, key) {
            Ok(new) => new,
            Err(failure) => {
                return Err(Box::new(self.park_failure(failure, Some(&key.field), key.at.clone())));
            }
        };
        let old = existing.and_then(|record| old_value(mapping, record, &key.field).ok());
        let stamped = old.as_ref().is_some_and(|old| same(old, &new));
        Ok(Some(FieldChange {
            field: key.field.clone(),
            old,
            new: (!stamped).then_some(new),
            kept: stamped.then(|| ALREADY_SO.to_owned()),
            at: key.at.clone(),
        }))
    }

    /// What a rule does to its field; nothing when its value is blank and a blank writes nothing.
    pub(super) fn change(
        &mut self,
        mapping: &Mapping,
        rule: &Rule,
        existing: Option<&Record>,
    ) -> Result<Option<FieldChange>, Box<Effect>> {
        let old = existing.and_then(|record| old_value(mapping, record, &rule.field).ok());
        let change = |new: Option<Value>, kept: Option<String>| {
            Ok(Some(FieldChange {
                field: rule.field.clone(),
                old: old.clone(),
                new,
                kept,
                at: rule.at.clone(),
            }))
        };
        if let Some((_, said)) = self.dropped.iter().find(|(field, _)| *field == rule.field) {
            return change(None, Some(format!("dropped: {said}")));
        }
        if let Some(reason) = kept(mapping, rule, existing) {
            self.hit(&rule.at, Point::Kept);
            return change(None, Some(reason));
        }
        let new = match self.given(mapping, rule)? {
            Instead::Value(value) => value,
            Instead::Keep(reason) => return change(None, Some(reason)),
        };
        if new.is_blank()
            && rule.otherwise == Some(RuleElse::Wait)
            && let Some(verdict) = self.waits_for_pair(mapping, rule)
        {
            return Err(Box::new(self.finish(verdict)));
        }
        if new.is_blank() && !(rule.blank_clears && existing.is_some()) {
            return Ok(None);
        }
        if old.as_ref().is_some_and(|old| same(old, &new) || (old.is_blank() && new.is_blank())) {
            return change(None, Some(ALREADY_SO.to_owned()));
        }
        if let Some(reason) = self.goes_back(rule, old.as_ref(), &new) {
            self.hit(&rule.at, Point::Kept);
            return change(None, Some(reason));
        }
        if new.is_blank() {
            self.hit(&rule.at, Point::Cleared);
        } else if existing.is_some() || rule.when == WhenWritten::OnCreate {
            self.hit(&rule.at, Point::Written);
        }
        change(Some(new), None)
    }

    /// The value of a rule, or what its failure does instead.
    pub(super) fn given(&mut self, mapping: &Mapping, rule: &Rule) -> Result<Instead, Box<Effect>> {
        let value = self.with_frame(mapping, |frame| frame.value(&rule.value));
        match value.and_then(|value| within_years(mapping.target.side, value)) {
            Ok(Value::Text(text))
                if rule.otherwise.is_some() && matches!(rule.ty, Type::Email(_)) && !may_be_email(&text) =>
            {
                let failure = Failure::new(format!("{} is not an e-mail address", quoted(&text)));
                self.instead(mapping, rule, failure)
            }
            Ok(value) => {
                if !value.is_blank() {
                    self.hit(&rule.at, Point::Value);
                }
                Ok(Instead::Value(as_held(&mapping.target, &rule.field, value)))
            }
            Err(failure) => self.instead(mapping, rule, failure),
        }
    }

    /// What a rule does about a failure.
    pub(super) fn instead(
        &mut self,
        mapping: &Mapping,
        rule: &Rule,
        failure: Failure,
    ) -> Result<Instead, Box<Effect>> {
        self.hit(&rule.at, Point::Otherwise);
        match &rule.otherwise {
            Some(RuleElse::Keep) => Ok(Instead::Keep(format!("otherwise keep: {}", failure.message))),
            Some(RuleElse::Literal(value)) => {
                Ok(Instead::Value(as_held(&mapping.target, &rule.field, value.clone())))
            }
            Some(RuleElse::Wait) => Err(Box::new(self.wait(mapping, rule, failure.message))),
            Some(RuleElse::Park(said)) => {
                let message = match said {
                    Some(said) => format!("{said}: {}", failure.message),
                    None => failure.message,
                };
                let failure = Failure { message, ..failure };
                Err(Box::new(self.park_failure(failure, Some(&rule.field), rule.at.clone())))
            }
            None => Err(Box::new(self.park_failure(failure, Some(&rule.field), rule.at.clone()))),
        }
    }

    /// Why a stage may not move to a new value.
    fn goes_back(&self, rule: &Rule, old: Option<&Value>, new: &Value) -> Option<String> {
        let WhenWritten::AdvanceOnly(order) = rule.when else { return None };
        let old = old.filter(|old| !old.is_blank())?;
        let order = &self.plan.orders[order];
        match (order.place(old), order.place(new)) {
            (Some(before), Some(after)) if after > before => None,
            (Some(_), Some(_)) => {
                Some(format!("{} does not come after {}", quoted(&display(new)), quoted(&display(old))))
            }
            (None, _) => Some(format!("{} is not listed in `order {}`", quoted(&display(old)), order.name)),
            (_, None) => Some(format!("{} is not listed in `order {}`", quoted(&display(new)), order.name)),
        }
    }

    /// Hands over to the mapping that takes records of another object than the target.
    pub(super) fn hand_over_object(&mut self, mapping: &Mapping, record: Record) -> Effect {
        let rungs = mapping.rungs.iter().filter_map(|rung| rung.then.as_ref());
        let outcomes = mapping.outcomes.values().filter_map(|outcome| match &outcome.action {
            OutcomeAction::Then(name) => Some(name),
            _ => None,
        });
        let takes =
            |name: &&String| self.plan.mapping(name).is_some_and(|other| other.target == record.object);
        match rungs.chain(outcomes).find(takes).cloned() {
            Some(name) => {
                let why = format!("{} {} is the one", record.object.name, record.id);
                self.hand_over(&name, Some(record.id), &why)
            }
            None => self.park(Park::because(format!(
                "the matching record is {} {}, and no mapping takes it over",
                record.object, record.id
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use crate::eval::testing::{World, parked, record, sent};
    use crate::eval::{Finished, Verdict};
    use crate::plan::testing::{LEAD, Lead};
    use crate::types::Value;

    const BESIDE: &str =
        "order funnel of salesforce.Lead.Status { \"New\" then \"Working\" then \"Qualified\" }";

    /// Runs one rule for a contact, on a Lead that holds this or on a new one; what is written of the field.
    fn run(fields: &'static str, contact: Json, lead: Option<Json>) -> (Finished, World) {
        let beside = if fields.contains("funnel") { BESIDE } else { "" };
        let plan = Lead { fields, beside, ..LEAD }.plan();
        let mut records = vec![record("hubspot.contact", "1", contact)];
        if let Some(mut lead) = lead {
            lead["HubSpot_Contact_ID__c"] = json!("1");
            lead["LastName"] = json!("Unknown");
            lead["Company"] = json!("Acme");
            records.push(record("salesforce.Lead", "L1", lead));
        }
        let mut world = World::of(records);
        let end = world.run(&plan, "lead");
        (end, world)
    }

    fn written(fields: &'static str, contact: Json, lead: Option<Json>) -> Option<Value> {
        let field = fields.split_whitespace().next().expect("a field");
        let (_, world) = run(fields, contact, lead);
        world.writes.first().and_then(|write| sent(write, field).cloned())
    }

    #[test]
    fn always_and_only_what_changes() {
        let rule = "Title <- jobtitle | truncate(128)";
        assert_eq!(written(rule, json!({"jobtitle": "VP"}), None), Some(Value::text("VP")));
        assert_eq!(
            written(rule, json!({"jobtitle": "VP"}), Some(json!({"Title": "CEO"}))),
            Some(Value::text("VP"))
        );
        let (end, world) = run(rule, json!({"jobtitle": "VP"}), Some(json!({"Title": "VP"})));
        assert!(matches!(end.verdict, Verdict::Unchanged { .. }), "{end:?}");
        assert!(world.writes.is_empty());
    }

    #[test]
    fn on_create_and_on_update() {
        let create = "Title <- jobtitle | truncate(128) on create";
        assert_eq!(written(create, json!({"jobtitle": "VP"}), None), Some(Value::text("VP")));
        assert_eq!(written(create, json!({"jobtitle": "VP"}), Some(json!({}))), None);
        let update = "Title <- jobtitle | truncate(128) on update";
        assert_eq!(written(update, json!({"jobtitle": "VP"}), None), None);
        assert_eq!(written(update, json!({"jobtitle": "VP"}), Some(json!({}))), Some(Value::text("VP")));
    }

    #[test]
    fn if_target_is_blank() {
        let rule = "Title <- jobtitle | truncate(128) if target is blank";
        assert_eq!(written(rule, json!({"jobtitle": "VP"}), None), Some(Value::text("VP")));
        assert_eq!(
            written(rule, json!({"jobtitle": "VP"}), Some(json!({"Title": null}))),
            Some(Value::text("VP"))
        );
        assert_eq!(written(rule, json!({"jobtitle": "VP"}), Some(json!({"Title": "CEO"}))), None);
    }

    #[test]
    fn a_blank_writes_nothing_unless_it_clears() {
        assert_eq!(
            written("Title <- jobtitle | truncate(128)", json!({}), Some(json!({"Title": "CEO"}))),
            None
        );
        let clears = "Title <- jobtitle | truncate(128) on blank clear";
        assert_eq!(written(clears, json!({}), Some(json!({"Title": "CEO"}))), Some(Value::Blank));
        assert_eq!(written(clears, json!({}), Some(json!({"Title": null}))), None, "already blank");
        assert_eq!(written(clears, json!({}), None), None, "never on create");
    }

    #[test]
    fn a_date_that_salesforce_does_not_hold_is_a_failure() {
        let late = || json!({"contract_date": "4001-01-01"});
        let rule = "Contract_Date__c <- contract_date";
        let (end, world) = run(rule, late(), None);
        assert_eq!(
            parked(&end).reason,
            "`4001-01-01` is outside of the years of Salesforce's dates, 1700 to 4000"
        );
        assert!(world.writes.is_empty());
        assert_eq!(written("Contract_Date__c <- contract_date otherwise nothing", late(), None), None);
        assert!(written(rule, json!({"contract_date": "4000-12-31"}), None).is_some());
    }

    #[test]
    fn failures_go_where_the_rule_says() {
        let (bad, lead) = (json!({"phone": "no number"}), || Some(json!({"Phone": "+1"})));
        assert_eq!(written("Phone <- phone | e164 otherwise keep", bad.clone(), lead()), None);
        assert_eq!(
            written("Phone <- phone | e164 otherwise \"unknown\"", bad.clone(), lead()),
            Some(Value::text("unknown"))
        );
        assert_eq!(
            written("Phone <- phone | e164 otherwise nothing on blank clear", bad.clone(), lead()),
            Some(Value::Blank)
        );
        let (end, world) = run("Phone <- phone | e164 otherwise park \"no phone\"", bad.clone(), lead());
        assert!(parked(&end).reason.starts_with("no phone: "), "{end:?}");
        assert_eq!(parked(&end).field.as_deref(), Some("Phone"));
        assert!(world.writes.is_empty(), "no half-written records");
        let (end, _) = run("Phone <- phone | e164 otherwise wait", bad, lead());
        assert!(
            matches!(&end.verdict, Verdict::Waiting { fields, .. } if fields.contains(&"phone".to_owned())),
            "{end:?}"
        );
    }

    #[test]
    fn text_that_is_no_address_goes_to_otherwise() {
        let (bad, lead) = (json!({"firstname": "Jane"}), || Some(json!({"Email": "jane@acme.example"})));
        let rule = "Email <- firstname | fits(80) otherwise keep";
        assert_eq!(written(rule, bad.clone(), lead()), None);
        let other = json!({"firstname": "j@acme.example"});
        assert_eq!(written(rule, other, lead()), Some(Value::text("j@acme.example")));
        let (end, world) = run("Email <- firstname | fits(80) otherwise park", bad, lead());
        assert_eq!(parked(&end).reason, "`Jane` is not an e-mail address");
        assert!(world.writes.is_empty(), "nothing that Salesforce would refuse");
    }

    #[test]
    fn consent_does_not_go_back() {
        let rule = "HasOptedOutOfEmail <- opted_out once true stays true";
        let optout = |old: Json| Some(json!({"HasOptedOutOfEmail": old}));
        assert_eq!(
            written(rule, json!({"opted_out": "true"}), optout(json!(false))),
            Some(Value::Boolean(true))
        );
        assert_eq!(written(rule, json!({"opted_out": "false"}), optout(json!(true))), None);
        assert_eq!(written(rule, json!({"opted_out": "false"}), None), Some(Value::Boolean(false)));
        assert_eq!(
            written(rule, json!({"opted_out": "false"}), optout(json!("what"))),
            None,
            "what cannot be read is kept"
        );
    }

    #[test]
    fn a_stage_only_advances() {
        let rule = "Status <- \"Working\" advance only along funnel";
        let status = |old: Json| Some(json!({"Status": old}));
        assert_eq!(written(rule, json!({}), status(json!("New"))), Some(Value::text("Working")));
        assert_eq!(written(rule, json!({}), status(json!("Qualified"))), None);
        assert_eq!(written(rule, json!({}), status(json!("Old"))), None, "from a stage that is not listed");
        assert_eq!(written(rule, json!({}), status(json!(null))), Some(Value::text("Working")));
        let (end, _) = run(
            "Status <- \"Working\" advance only along funnel\n Title <- \"VP\"",
            json!({}),
            status(json!("Old")),
        );
        let Verdict::Written { changes, .. } = end.verdict else { panic!("{end:?}") };
        let kept =
            changes.iter().find(|change| change.field == "Status").and_then(|change| change.kept.clone());
        assert_eq!(kept.as_deref(), Some("`Old` is not listed in `order funnel`"));
    }
}
