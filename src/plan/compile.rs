//! From a checked project to its plan.

use crate::check::typed::{self, Checked, ExprKind, RecordUse, TestOp as TypedTest};
use crate::schema::{Field, Schemas};
use crate::source::{Location, ObjectName, Sources, Span};
use crate::types::{Type, Typed};

use super::expression::{Call, Condition, Expr, Part};
use super::needs;
use super::program::{
    CONVERTED_CONTACT, Guard, Key, Lookup, Mapping, Order, Outcome, Picklist, Plan, Related, Rule, Rung,
    Slot, Sought, Sync, TargetField, Test, TestOp, TwoWay,
};

/// Compiles a checked project. The sources give each rule its file and line; the schemas the types of what is read of a
/// target. Nothing can fail: whatever could is a finding of the checker.
pub fn compile(project: &Checked<typed::Project>, schemas: &Schemas, sources: &Sources) -> Plan {
    let context = Context { schemas, sources };
    let mut mappings: Vec<Mapping> =
        project.mappings.values().map(|mapping| context.mapping(mapping)).collect();
    needs::share_reads(&mut mappings);
    let syncs = project.syncs.values().map(|sync| context.sync(sync, &mut mappings)).collect();
    Plan {
        mappings,
        syncs,
        picklists: project.picklists.values().map(|picklist| context.picklist(picklist)).collect(),
        orders: project
            .orders
            .values()
            .map(|order| Order { name: order.name.clone(), stages: order.stages.clone() })
            .collect(),
    }
}

pub(super) struct Context<'c> {
    schemas: &'c Schemas,
    sources: &'c Sources,
}

/// What grows while the expressions of one mapping are compiled.
#[derive(Default)]
pub(super) struct Tables {
    slots: Vec<Slot>,
    lookups: Vec<Lookup>,
}

impl Tables {
    /// Adds a look-up; gives the expression of its result.
    pub(super) fn look_up(&mut self, object: ObjectName, what: Sought, at: Location) -> Expr {
        self.lookups.push(Lookup { object, what, needs: Vec::new(), slots: Vec::new(), early: false, at });
        Expr::Lookup(self.lookups.len() - 1)
    }
}

impl Context<'_> {
    pub(super) fn at(&self, span: Span) -> Location {
        self.sources.locate(span)
    }

    /// Compiles both legs of a sync, behind the mappings.
    fn sync(&self, sync: &typed::Sync, mappings: &mut Vec<Mapping>) -> Sync {
        let (mut to_salesforce, _) = self.leg(&sync.to_salesforce, &[]);
        let rounds: Vec<&typed::Expr> = sync.two_way.iter().map(|rule| &rule.round).collect();
        let (mut to_hubspot, rounds) = self.leg(&sync.to_hubspot, &rounds);
        needs::join(&mut to_salesforce, &mut to_hubspot, sync.triggered);
        let first = mappings.len();
        let two_way = sync.two_way.iter().zip(rounds).map(|(rule, round)| TwoWay {
            forth: rule.forth,
            back: rule.back,
            round,
            conflict: rule.conflict,
        });
        let two_way: Vec<TwoWay> = two_way.collect();
        let one_way = needs::one_way(&to_salesforce, &to_hubspot, &two_way);
        mappings.extend([to_salesforce, to_hubspot]);
        Sync {
            name: sync.name.clone(),
            at: self.at(sync.span),
            to_salesforce: first,
            to_hubspot: first + 1,
            two_way,
            one_way,
        }
    }

    /// Compiles a leg, and beside it expressions over its source.
    fn leg(&self, leg: &typed::Mapping, beside: &[&typed::Expr]) -> (Mapping, Vec<Expr>) {
        let mut tables = Tables::default();
        let beside = beside.iter().map(|expr| self.expr(expr, &mut tables)).collect();
        (Mapping { is_leg: true, ..self.program(leg, tables) }, beside)
    }

    fn mapping(&self, mapping: &typed::Mapping) -> Mapping {
        self.program(mapping, Tables::default())
    }

    fn program(&self, mapping: &typed::Mapping, mut tables: Tables) -> Mapping {
        let lets = mapping.lets.iter().map(|one| self.expr(&one.value, &mut tables)).collect();
        let guards = mapping.guards.iter().map(|guard| self.guard(guard, &mut tables)).collect();
        let key = mapping.key.as_ref().map(|key| Key {
            field: key.field.clone(),
            value: self.expr(&key.value, &mut tables),
            at: self.at(key.span),
        });
        let rungs = mapping.rungs.iter().map(|rung| self.rung(rung, &mut tables)).collect();
        let rules = mapping.rules.iter().map(|rule| self.rule(&mapping.target, rule, &mut tables));
        let mut rules: Vec<Rule> = rules.collect();
        rules.extend(self.record_type(mapping, &mut tables));
        let eaches = self.eaches(mapping, &mut tables);
        let associates = self.associates(mapping, &mut tables);
        let convert = mapping.convert.as_ref().map(|convert| self.convert(convert, &mut tables));
        let outcomes = mapping.outcomes.iter().map(|(situation, outcome)| {
            (*situation, Outcome { action: outcome.action.clone(), at: self.at(outcome.span) })
        });
        let convertible = self.convertible(&mapping.target);
        let mut compiled = Mapping {
            name: mapping.name.clone(),
            is_leg: false,
            at: self.at(mapping.span),
            source: mapping.source.clone(),
            target: mapping.target.clone(),
            triggers: mapping.triggers.clone(),
            reads: Vec::new(),
            related: mapping.withs.iter().map(related).collect(),
            slots: tables.slots,
            lets,
            kept: Vec::new(),
            lookups: tables.lookups,
            guards,
            key,
            rungs,
            target_fields: self.target_fields(mapping, convertible),
            convertible,
            outcomes: outcomes.collect(),
            eaches,
            associates,
            convert,
            assignment_rule: mapping.assignment_rule.as_ref().map(assignment_rule),
            rules,
        };
        needs::fill(&mut compiled);
        compiled
    }

    /// Whether a conversion can end the life of a record.
    fn convertible(&self, object: &ObjectName) -> bool {
        let object = self.schemas.side(object.side).objects.get(&object.name);
        object.is_some_and(|object| object.convertible)
    }

    fn guard(&self, guard: &typed::Guard, tables: &mut Tables) -> Guard {
        let text = self.sources.slice(guard.condition.span).split_whitespace().collect::<Vec<_>>().join(" ");
        Guard {
            condition: self.condition(&guard.condition, tables),
            otherwise: guard.otherwise.clone(),
            fields: Vec::new(),
            lookups: Vec::new(),
            text,
            at: self.at(guard.span),
        }
    }

    fn rung(&self, rung: &typed::Rung, tables: &mut Tables) -> Rung {
        Rung {
            object: rung.object.clone(),
            tests: self.tests(&rung.tests, tables),
            then: rung.then.clone(),
            at: self.at(rung.span),
        }
    }

    fn rule(&self, target: &ObjectName, rule: &typed::Rule, tables: &mut Tables) -> Rule {
        Rule {
            required: self.field(target, &rule.target).is_some_and(Field::required_on_create),
            never_blank: self.field(target, &rule.target).is_some_and(|field| !field.nillable),
            field: rule.target.clone(),
            ty: rule.target_type.ty.clone(),
            value: self.expr(&rule.value, tables),
            lookups: Vec::new(),
            related: Vec::new(),
            when: rule.when.clone(),
            blank_clears: rule.blank_clears,
            otherwise: rule.otherwise.clone(),
            at: self.at(rule.span),
        }
    }

    /// Everything that is read of a target record: the fields that rules write (to show old and new, to leave out what
    /// is already there, and for the policies), the key, and what tells a converted Lead.
    fn target_fields(&self, mapping: &typed::Mapping, convertible: bool) -> Vec<TargetField> {
        let mut fields: Vec<TargetField> = Vec::new();
        let mut add = |name: &str, ty: Type| {
            if !fields.iter().any(|known| known.name == name) {
                fields.push(TargetField { name: name.to_owned(), ty });
            }
        };
        if let Some(key) = &mapping.key {
            add(&key.field, self.field_type(&mapping.target, &key.field));
        }
        for rule in &mapping.rules {
            add(&rule.target, rule.target_type.ty.clone());
        }
        if convertible {
            // Salesforce, Lead object reference: a converted Lead is read-only and names its Contact.
            add("IsConverted", Type::Boolean);
            add(CONVERTED_CONTACT, Type::Text(Some(18)));
        }
        fields
    }

    fn field(&self, object: &ObjectName, field: &str) -> Option<&Field> {
        self.schemas.side(object.side).objects.get(&object.name).and_then(|object| object.field(field))
    }

    fn field_type(&self, object: &ObjectName, field: &str) -> Type {
        let known = self.field(object, field);
        known.and_then(|field| Type::of(field, object)).map_or(Type::Text(None), |typed: Typed| typed.ty)
    }

    fn picklist(&self, picklist: &typed::Picklist) -> Picklist {
        let both = picklist.lines.iter().filter(|line| line.both);
        Picklist {
            name: picklist.name.clone(),
            forth: picklist.lines.iter().map(|line| (line.from.clone(), line.to.clone())).collect(),
            back: both.filter_map(|line| Some((line.to.clone()?, line.from.clone()))).collect(),
            otherwise: picklist.otherwise.clone(),
            at: self.at(picklist.span),
        }
    }

    pub(super) fn tests(&self, tests: &[typed::FieldTest], tables: &mut Tables) -> Vec<Test> {
        let compile = |test: &typed::FieldTest| Test {
            field: test.field.clone(),
            needs_id: test.needs_id,
            op: match &test.op {
                TypedTest::Compare(op, value) => TestOp::Compare(*op, self.expr(value, tables)),
                TypedTest::In(values) => {
                    TestOp::In(values.iter().map(|value| self.expr(value, tables)).collect())
                }
                TypedTest::Presence(presence) => TestOp::Presence(*presence),
            },
        };
        tests.iter().map(compile).collect()
    }

    pub(super) fn expr(&self, expr: &typed::Expr, tables: &mut Tables) -> Expr {
        match &expr.kind {
            ExprKind::Literal(value) => Expr::Literal(value.clone()),
            ExprKind::Field(field) => Expr::Slot(slot(field, &expr.typed, tables)),
            ExprKind::Let(index) => Expr::Let(*index),
            ExprKind::Call { function, args } => {
                Expr::Call(Call::new(function, args.iter().map(|arg| self.expr(arg, tables)).collect()))
            }
            ExprKind::Translate { picklist, back, value } => Expr::Translate {
                picklist: *picklist,
                back: *back,
                value: Box::new(self.expr(value, tables)),
                at: self.at(expr.span),
            },
            ExprKind::Template(parts) => {
                Expr::Template(parts.iter().map(|part| self.part(part, tables)).collect())
            }
            ExprKind::Arithmetic(left, op, right) => {
                let left = self.expr(left, tables);
                Expr::Arithmetic(Box::new(left), *op, Box::new(self.expr(right, tables)))
            }
            ExprKind::If(condition, then, otherwise) => {
                let condition = self.condition(condition, tables);
                let then = self.expr(then, tables);
                let otherwise = self.expr(otherwise, tables);
                Expr::If(Box::new(condition), Box::new(then), Box::new(otherwise), self.at(expr.span))
            }
            ExprKind::List(items) => Expr::List(items.iter().map(|item| self.expr(item, tables)).collect()),
            ExprKind::Condition(condition) => Expr::Condition(Box::new(self.condition(condition, tables))),
            ExprKind::Lookup { object, field, tests } => {
                // The tests are compiled first, so that a look-up inside them stands before this one.
                let tests = self.tests(tests, tables);
                let ty = expr.typed.ty.clone();
                let at = self.at(expr.span);
                tables.look_up(object.clone(), Sought::Field { tests, field: field.clone(), ty }, at)
            }
            ExprKind::Linked { to, of, id } => {
                let id = self.expr(id, tables);
                let at = self.at(expr.span);
                tables.look_up(to.clone(), Sought::Linked { of: of.clone(), id }, at)
            }
        }
    }

    fn part(&self, part: &typed::TemplatePart, tables: &mut Tables) -> Part {
        match part {
            typed::TemplatePart::Text(text) => Part::Text(text.clone()),
            typed::TemplatePart::Hole(value) => Part::Hole(self.expr(value, tables)),
        }
    }

    fn condition(&self, condition: &typed::Condition, tables: &mut Tables) -> Condition {
        use typed::ConditionKind as Kind;
        match &condition.kind {
            Kind::Or(all) => Condition::Or(all.iter().map(|one| self.condition(one, tables)).collect()),
            Kind::And(all) => Condition::And(all.iter().map(|one| self.condition(one, tables)).collect()),
            Kind::Not(one) => Condition::Not(Box::new(self.condition(one, tables))),
            Kind::Compare(left, op, right) => {
                let left = self.expr(left, tables);
                Condition::Compare(left, *op, self.expr(right, tables))
            }
            Kind::In(value, list) => {
                let value = self.expr(value, tables);
                Condition::In(value, self.expr(list, tables))
            }
            Kind::Presence(value, presence) => Condition::Presence(self.expr(value, tables), *presence),
            Kind::Value(value) => Condition::Value(self.expr(value, tables)),
        }
    }
}

/// A related record; what of it is read follows from the expressions.
fn related(with: &typed::With) -> Related {
    Related {
        name: with.name.clone(),
        object: with.object.clone(),
        kind: with.kind.clone(),
        held_by: with.held_by.clone(),
        reads: Vec::new(),
        need: None,
    }
}

/// The index of a field's slot, made on first use.
fn slot(field: &typed::FieldUse, typed: &Typed, tables: &mut Tables) -> usize {
    let of = match field.of {
        RecordUse::Source => None,
        RecordUse::With(index) => Some(index),
    };
    let wanted = Slot { of, field: field.field.clone(), ty: typed.ty.clone() };
    tables.slots.iter().position(|known| *known == wanted).unwrap_or_else(|| {
        tables.slots.push(wanted);
        tables.slots.len() - 1
    })
}

/// Salesforce, `Sforce-Auto-Assign` header: `TRUE`, `FALSE` or the id of a rule.
fn assignment_rule(rule: &typed::AssignmentRule) -> String {
    match rule {
        typed::AssignmentRule::On => "TRUE".to_owned(),
        typed::AssignmentRule::Off => "FALSE".to_owned(),
        typed::AssignmentRule::Id(id) => id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::Expr;
    use crate::plan::testing::{LEAD, Lead, plan};
    use crate::plan::{OutcomeAction, Plan, Situation, Slot};

    const MOST: Lead = Lead {
        head: "with employer = primary hubspot.company\n let mail = email | trim | lowercase\n \
               when lifecyclestage becomes \"customer\"\n only if mail is present otherwise wait",
        rungs: "key HubSpot_Contact_ID__c = id\n or Email = mail where IsConverted = false\n \
                or Phone = phone where Title is blank",
        outcomes: "on none create\n on many newest\n on taken adopt\n on converted skip\n on duplicate allow\n \
                   on rejected drop field\n assignment rule on",
        fields: "Email <- mail | fits(80) otherwise park \"too long\"\n Score__c <- hubscore / 2 | max(-9999) | min(9999) | round(2) otherwise 1\n \
                 Title <- if source = \"SEARCH\" then employer.name | truncate(100) else \"{firstname} {lastname}\" | truncate(100)\n \
                 LeadSource <- source | sources\n Status <- \"New\" advance only along funnel\n \
                 HasOptedOutOfEmail <- opted_out once true stays true\n \
                 Website <- website | capture(\"^https://([a-z.]+)\") | truncate(255) otherwise keep",
        beside: "picklist sources {\n from hubspot.contact.source\n to salesforce.Lead.LeadSource\n \"SEARCH\" -> \"Web\"\n \
                 otherwise -> \"Other\"\n}\norder funnel of salesforce.Lead.Status { \"New\" then \"Working\" }",
    };

    #[test]
    fn a_field_has_one_slot_however_often_it_is_used() {
        let plan = Lead { fields: "FirstName <- firstname | truncate(40)\n Title <- \"{firstname} {lastname}\" | truncate(128)", ..LEAD }.plan();
        let fields: Vec<&str> =
            plan.mappings[0].slots.iter().map(|slot: &Slot| slot.field.as_str()).collect();
        assert_eq!(fields, ["id", "lastname", "firstname"]);
    }

    #[test]
    fn a_plan_written_and_read_is_the_same_plan() {
        let plan = MOST.plan();
        let text = serde_json::to_string(&plan).expect("JSON");
        let again: Plan = serde_json::from_str(&text).expect("a plan");
        assert_eq!(format!("{again:?}"), format!("{plan:?}"), "also what was prepared, such as patterns");
    }

    #[test]
    fn a_function_that_this_version_does_not_have_is_no_plan() {
        let text = serde_json::to_string(&MOST.plan()).expect("JSON");
        let error =
            serde_json::from_str::<Plan>(&text.replace("\"lowercase\"", "\"shout\"")).expect_err("no plan");
        assert!(error.to_string().contains("this version has no function `shout`"), "{error}");
    }

    #[test]
    fn every_part_knows_its_line() {
        let plan = MOST.plan();
        let mapping = &plan.mappings[0];
        assert_eq!(mapping.guards[0].text, "mail is present");
        assert_eq!(mapping.guards[0].at.line, 7);
        let lines: Vec<usize> = mapping.rules.iter().map(|rule| rule.at.line).collect();
        assert!(lines.is_sorted() && lines[0] > mapping.guards[0].at.line, "{lines:?}");
        assert_eq!(mapping.outcomes[&Situation::Many].action, OutcomeAction::Newest);
        assert_eq!(mapping.assignment_rule.as_deref(), Some("TRUE"));
    }

    #[test]
    fn a_lead_is_read_with_what_tells_a_converted_one() {
        let fields = |plan: &Plan| {
            plan.mappings[0].target_fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(
            fields(&LEAD.plan()),
            ["HubSpot_Contact_ID__c", "LastName", "Company", "IsConverted", "ConvertedContactId"]
        );
        let contact = plan(
            "mapping contact {\n from hubspot.contact\n to salesforce.Contact\n match { key HubSpot_Contact_ID__c = id }\n \
             on none skip\n on rejected park\n fields { FirstName <- nickname }\n}",
        );
        assert_eq!(fields(&contact), ["HubSpot_Contact_ID__c", "FirstName"]);
        assert!(!contact.mappings[0].convertible);
    }

    #[test]
    fn what_a_new_record_needs_is_known() {
        let plan = Lead { fields: "Title <- jobtitle | truncate(128)", ..LEAD }.plan();
        let required: Vec<bool> = plan.mappings[0].rules.iter().map(|rule| rule.required).collect();
        assert_eq!(required, [true, true, false]);
    }

    #[test]
    fn names_are_indexes() {
        let plan = MOST.plan();
        assert!(matches!(&plan.mappings[0].key.as_ref().expect("a key").value, Expr::Slot(_)));
        assert!(matches!(
            &plan.mappings[0].rules.iter().find(|rule| rule.field == "LeadSource").expect("a rule").value,
            Expr::Translate { picklist: 0, back: false, .. }
        ));
    }
}
