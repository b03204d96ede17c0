//! Compiles associations, the rows that they are made for, and record types.

use crate::check::typed;
use crate::source::{ObjectName, Side};
use crate::syntax::ast::CompareOp;
use crate::types::{Type, Value};

use super::compile::{Context, Tables};
use super::expression::Expr;
use super::program::{Associate, Convert, Each, Ids, Rule, RuleElse, Sought, Test, TestOp, WhenWritten};

/// Salesforce, object reference of every object with record types: the field that names a record's type.
const RECORD_TYPE_FIELD: &str = "RecordTypeId";

impl Context<'_> {
    /// The rows of each `with each`, with the fields that associations use of them.
    pub(super) fn eaches(&self, mapping: &typed::Mapping, tables: &mut Tables) -> Vec<Each> {
        let compile = |(index, each): (usize, &typed::Each)| {
            let mut reads = Vec::new();
            for associate in &mapping.associates {
                match &associate.ids {
                    // Every read answers with the record's id.
                    typed::Ids::Each { each, field }
                        if *each == index && field != "id" && field != "Id" && !reads.contains(field) =>
                    {
                        reads.push(field.clone());
                    }
                    _ => {}
                }
            }
            Each {
                name: each.name.clone(),
                object: each.object.clone(),
                tests: self.tests(&each.tests, tables),
                reads,
                lookups: Vec::new(),
                related: Vec::new(),
                at: self.at(each.span),
            }
        };
        mapping.eaches.iter().enumerate().map(compile).collect()
    }

    /// What a record of the target is associated with.
    pub(super) fn associates(&self, mapping: &typed::Mapping, tables: &mut Tables) -> Vec<Associate> {
        let compile = |associate: &typed::Associate| Associate {
            exactly: associate.exactly,
            kind: associate.kind.clone(),
            to: associate.to.clone(),
            of: associate.of.clone(),
            ids: match &associate.ids {
                typed::Ids::Value(value) => Ids::Value(self.expr(value, tables)),
                typed::Ids::Each { each, field } => Ids::Each { each: *each, field: field.clone() },
            },
            otherwise: associate.otherwise.clone(),
            lookups: Vec::new(),
            related: Vec::new(),
            at: self.at(associate.span),
        };
        mapping.associates.iter().map(compile).collect()
    }

    /// What becomes of a Lead.
    pub(super) fn convert(&self, convert: &typed::Convert, tables: &mut Tables) -> Convert {
        let id = |object: &str| Type::Reference(vec![ObjectName::new(Side::Salesforce, object)]);
        let mut rule = |word: &str, part: &typed::Part, ty: Type, otherwise: Option<RuleElse>| Rule {
            required: false,
            never_blank: false,
            field: word.to_owned(),
            ty,
            value: self.expr(&part.value, tables),
            lookups: Vec::new(),
            related: Vec::new(),
            when: WhenWritten::Always,
            blank_clears: false,
            otherwise,
            at: self.at(part.span),
        };
        let account = convert
            .account
            .as_ref()
            .map(|(part, otherwise)| (rule("account", part, id("Account"), None), otherwise.clone()));
        let opportunity =
            convert.opportunity.as_ref().map(|part| rule("opportunity", part, Type::Text(None), None));
        let owner = convert
            .owner
            .as_ref()
            .map(|(part, otherwise)| rule("owner", part, id("User"), otherwise.clone()));
        Convert { status: convert.status.clone(), account, opportunity, owner, at: self.at(convert.span) }
    }

    /// The rule that gives a new record its type. Ids of record types differ from org to org, so the type is looked up by
    /// its developer name, which is unique within its object.
    pub(super) fn record_type(&self, mapping: &typed::Mapping, tables: &mut Tables) -> Option<Rule> {
        let expr = mapping.record_type.as_ref()?;
        let name = self.expr(expr, tables);
        let equal = |field: &str, value: Expr| Test {
            field: field.to_owned(),
            needs_id: false,
            op: TestOp::Compare(CompareOp::Eq, value),
        };
        let object = Expr::Literal(Value::text(&mapping.target.name));
        let tests = vec![
            equal("SobjectType", object),
            equal("DeveloperName", name.clone()),
            equal("IsActive", Expr::Literal(Value::Boolean(true))),
        ];
        let (searched, at) = (ObjectName::new(Side::Salesforce, "RecordType"), self.at(expr.span));
        let value = tables.look_up(searched.clone(), Sought::RecordType { tests, name }, at.clone());
        Some(Rule {
            required: true,
            never_blank: true,
            field: RECORD_TYPE_FIELD.to_owned(),
            ty: Type::Reference(vec![searched]),
            value,
            lookups: Vec::new(),
            related: Vec::new(),
            when: WhenWritten::OnCreate,
            blank_clears: false,
            otherwise: Some(RuleElse::Park(None)),
            at,
        })
    }
}
