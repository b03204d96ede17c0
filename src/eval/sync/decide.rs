//! Who decides each field of a pair, and what is written where.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::plan::{Conflict, Mapping, Plan, TwoWay, WhenWritten};
use crate::source::Side;
use crate::types::{ChangedRequest, Value, same};

use super::super::effect::{Effect, FieldChange};
use super::super::ladder::old_value;
use super::super::rules::{ALREADY_SO, Instead, kept};
use super::super::run::Run;
use super::super::trace::Point;
use super::{SyncRun, other, stays, times};

/// Two changes that lie closer together than this by two clocks have no order.
const CLOCK_MARGIN: TimeDelta = TimeDelta::seconds(5);

/// What is to be written, and what both sides hold then.
#[derive(Debug, Default)]
pub(super) struct Decided {
    hubspot: Option<Vec<FieldChange>>,
    salesforce: Option<Vec<FieldChange>>,
    /// The values of the settled fields, by the Salesforce field, as Salesforce holds them.
    pub(super) synced: BTreeMap<String, Value>,
}

/// Why nothing is decided yet, or ever.
pub(super) enum Stop {
    /// A conflict is decided by who changed last.
    Times(ChangedRequest),
    /// The run is over.
    End(Box<Effect>),
}

impl From<Box<Effect>> for Stop {
    fn from(effect: Box<Effect>) -> Self {
        Stop::End(effect)
    }
}

impl Decided {
    fn side(&mut self, side: Side) -> &mut Option<Vec<FieldChange>> {
        match side {
            Side::Hubspot => &mut self.hubspot,
            Side::Salesforce => &mut self.salesforce,
        }
    }

    /// Whether a side is still to be written.
    pub(super) fn open(&mut self, side: Side) -> bool {
        self.side(side).is_some()
    }

    /// Takes what a side is to be written.
    pub(super) fn take(&mut self, side: Side) -> Vec<FieldChange> {
        self.side(side).take().unwrap_or_default()
    }

    /// Adds a change before the others of its side.
    pub(super) fn put_first(&mut self, side: Side, change: Option<FieldChange>) {
        self.side(side).get_or_insert_default().splice(0..0, change);
    }

    fn put(&mut self, side: Side, change: FieldChange) {
        self.side(side).get_or_insert_default().push(change);
    }
}

/// Which way a field goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// This side's value is written on the other.
    From(Side),
    /// Both are the same.
    Settled,
}

/// Decides all fields.
pub(super) fn decide(run: &mut SyncRun) -> Result<Decided, Stop> {
    let plan = Arc::clone(&run.plan);
    let sync = &plan.syncs[run.sync];
    // Each side has its turn, also when only its key is to be written.
    let mut decided =
        Decided { hubspot: Some(Vec::new()), salesforce: Some(Vec::new()), ..Decided::default() };
    for side in Side::ALL {
        one_way(run, &plan, side, &mut decided)?;
    }
    for rule in &sync.two_way {
        let mut field = Field::of(run, &plan, rule);
        field.decide(&mut decided)?;
    }
    Ok(decided)
}

/// The rules that write one side only, as a mapping writes them.
fn one_way(run: &mut SyncRun, plan: &Plan, side: Side, decided: &mut Decided) -> Result<(), Stop> {
    let sync = &plan.syncs[run.sync];
    let mapping = &plan.mappings[sync.leg(side)];
    let leg = run.leg(side);
    if leg.source.is_none() {
        return Ok(());
    }
    let existing = leg.target.clone();
    let both = |index: usize| {
        sync.two_way.iter().any(|rule| match side {
            Side::Hubspot => rule.back == index,
            Side::Salesforce => rule.forth == index,
        })
    };
    for (index, rule) in mapping.rules.iter().enumerate() {
        if both(index) {
            continue;
        }
        if let Some(change) = leg.change(mapping, rule, existing.as_ref())? {
            decided.put(side, change);
        }
    }
    Ok(())
}

/// One `<->`.
struct Field<'f> {
    run: &'f mut SyncRun,
    plan: &'f Plan,
    rule: &'f TwoWay,
    to_salesforce: &'f Mapping,
    to_hubspot: &'f Mapping,
}

impl<'f> Field<'f> {
    fn of(run: &'f mut SyncRun, plan: &'f Plan, rule: &'f TwoWay) -> Self {
        let sync = &plan.syncs[run.sync];
        Self {
            run,
            plan,
            rule,
            to_salesforce: &plan.mappings[sync.to_salesforce],
            to_hubspot: &plan.mappings[sync.to_hubspot],
        }
    }

    /// The name under which the field's value is remembered.
    fn name(&self) -> &'f str {
        &self.to_salesforce.rules[self.rule.forth].field
    }

    fn decide(&mut self, decided: &mut Decided) -> Result<(), Stop> {
        let hubspot = match self.value(Side::Hubspot)? {
            Instead::Value(value) => value,
            Instead::Keep(why) => {
                self.keep(&why, decided);
                return Ok(());
            }
        };
        let salesforce = match self.value(Side::Salesforce)? {
            Instead::Value(value) => value,
            Instead::Keep(why) => {
                self.keep(&why, decided);
                return Ok(());
            }
        };
        let from = match self.way(&hubspot, &salesforce)? {
            Way::Settled => {
                decided.synced.insert(self.name().to_owned(), hubspot);
                return Ok(());
            }
            Way::From(side) => side,
        };
        let settled = match from {
            Side::Hubspot => hubspot,
            Side::Salesforce => salesforce,
        };
        if self.write(other(from), decided)? {
            decided.synced.insert(self.name().to_owned(), settled);
        }
        Ok(())
    }

    /// The value of a side, as Salesforce holds it; blank where there is no record.
    fn value(&mut self, side: Side) -> Result<Instead, Stop> {
        let (mapping, rule, expr) = match side {
            Side::Hubspot => {
                let rule = &self.to_salesforce.rules[self.rule.forth];
                (self.to_salesforce, rule, &rule.value)
            }
            Side::Salesforce => (self.to_hubspot, &self.to_hubspot.rules[self.rule.back], &self.rule.round),
        };
        let leg = self.run.leg(other(side));
        if leg.source.is_none() {
            return Ok(Instead::Value(Value::Blank));
        }
        match leg.with_frame(mapping, |frame| frame.value(expr)) {
            Ok(value) => Ok(Instead::Value(value)),
            Err(failure) => Ok(leg.instead(mapping, rule, failure)?),
        }
    }

    /// Both fields stay as they are.
    fn keep(&mut self, why: &str, decided: &mut Decided) {
        for side in Side::ALL {
            let (mapping, index) = self.rule_of(side);
            let rule = &mapping.rules[index];
            let old = self.old(side);
            decided.put(side, stays(&rule.field, why.to_owned(), &rule.at, old));
        }
        // What was the same before may be so again: the next run compares with what this one compared with.
        if let Some(base) = self.run.base.get(self.name()) {
            decided.synced.insert(self.name().to_owned(), base.clone());
        }
    }

    fn rule_of(&self, side: Side) -> (&'f Mapping, usize) {
        match side {
            Side::Hubspot => (self.to_hubspot, self.rule.back),
            Side::Salesforce => (self.to_salesforce, self.rule.forth),
        }
    }

    fn old(&mut self, side: Side) -> Option<Value> {
        let (mapping, index) = self.rule_of(side);
        let field = &mapping.rules[index].field;
        let target = self.run.leg(side).target.as_ref()?;
        old_value(mapping, target, field).ok()
    }

    /// Which side's value holds.
    fn way(&mut self, hubspot: &Value, salesforce: &Value) -> Result<Way, Stop> {
        let exists = |run: &mut SyncRun, side: Side| run.leg(side).target.is_some();
        if !exists(self.run, Side::Hubspot) {
            return Ok(Way::From(Side::Salesforce));
        }
        if !exists(self.run, Side::Salesforce) {
            return Ok(Way::From(Side::Hubspot));
        }
        if equal(hubspot, salesforce) {
            return Ok(Way::Settled);
        }
        if let WhenWritten::Sticky(stays) = self.to_salesforce.rules[self.rule.forth].when {
            let stays = Value::Boolean(stays);
            let from = if *hubspot == stays { Side::Hubspot } else { Side::Salesforce };
            return Ok(Way::From(from));
        }
        let base = self.run.base.get(self.name());
        let changed = |value: &Value| base.is_none_or(|base| !equal(base, value));
        if let Conflict::FillsOnly(filler) = self.rule.conflict {
            let authority = other(filler);
            let decides = match authority {
                Side::Hubspot => hubspot,
                Side::Salesforce => salesforce,
            };
            // The authority's blank is filled, unless somebody has just made it blank.
            let cleared = base.is_some_and(|base| !base.is_blank());
            return Ok(Way::From(if decides.is_blank() && !cleared { filler } else { authority }));
        }
        if base.is_none() && (hubspot.is_blank() || salesforce.is_blank()) {
            // On a first meeting a blank never wins.
            return Ok(Way::From(if hubspot.is_blank() { Side::Salesforce } else { Side::Hubspot }));
        }
        match (changed(hubspot), changed(salesforce)) {
            (true, false) => Ok(Way::From(Side::Hubspot)),
            (false, true) => Ok(Way::From(Side::Salesforce)),
            _ => {
                let side = self.conflict()?;
                let at = &self.to_salesforce.rules[self.rule.forth].at;
                self.run.leg(Side::Salesforce).hit(at, Point::Conflict);
                Ok(Way::From(side))
            }
        }
    }

    fn conflict(&mut self) -> Result<Side, Stop> {
        let otherwise = match self.rule.conflict {
            Conflict::Side(side) => return Ok(side),
            Conflict::FillsOnly(side) => return Ok(other(side)),
            Conflict::Latest(otherwise) => otherwise,
        };
        let mut at = Vec::new();
        for side in Side::ALL {
            let (mapping, index) = self.rule_of(side);
            let field = &mapping.rules[index].field;
            match self.run.changed.get(&side) {
                Some(times) => at.push(times.get(field).copied()),
                None => return Err(Stop::Times(self.times(side))),
            }
        }
        Ok(match at.as_slice() {
            [Some(hubspot), Some(salesforce)] if *hubspot - *salesforce > CLOCK_MARGIN => Side::Hubspot,
            [Some(hubspot), Some(salesforce)] if *salesforce - *hubspot > CLOCK_MARGIN => Side::Salesforce,
            _ => otherwise,
        })
    }

    /// Asks for the times of all fields whose last change may decide.
    fn times(&mut self, side: Side) -> ChangedRequest {
        let sync = &self.plan.syncs[self.run.sync];
        let mapping = &self.plan.mappings[sync.leg(side)];
        let latest = sync.two_way.iter().filter(|rule| matches!(rule.conflict, Conflict::Latest(_)));
        let index = |rule: &TwoWay| match side {
            Side::Hubspot => rule.back,
            Side::Salesforce => rule.forth,
        };
        let fields = latest.map(|rule| mapping.rules[index(rule)].field.clone()).collect();
        match &self.run.leg(side).target {
            Some(record) => times(&mapping.target, record, fields),
            // INVARIANT: two values differ only where both records exist.
            None => ChangedRequest { object: mapping.target.clone(), id: String::new(), fields },
        }
    }

    /// Plans the write of a side; whether the field is settled then.
    fn write(&mut self, side: Side, decided: &mut Decided) -> Result<bool, Stop> {
        let (mapping, index) = self.rule_of(side);
        let rule = &mapping.rules[index];
        let old = self.old(side);
        let leg: &mut Run = self.run.leg(side);
        let stay = |why: String, decided: &mut Decided| {
            decided.put(side, stays(&rule.field, why, &rule.at, old.clone()));
            Ok(false)
        };
        if let Some((_, said)) = leg.dropped.iter().find(|(field, _)| *field == rule.field) {
            let why = format!("dropped: {said}");
            return stay(why, decided);
        }
        let existing = leg.target.clone();
        if !matches!(rule.when, WhenWritten::Sticky(_))
            && let Some(why) = kept(mapping, rule, existing.as_ref())
        {
            return stay(why, decided);
        }
        let new = match leg.given(mapping, rule)? {
            Instead::Value(value) => value,
            Instead::Keep(why) => return stay(why, decided),
        };
        if new.is_blank() {
            if existing.is_none() || old.as_ref().is_none_or(Value::is_blank) {
                return Ok(true);
            }
            if rule.required || rule.never_blank {
                return stay(format!("`{}` cannot be blank", rule.field), decided);
            }
        }
        if old.as_ref().is_some_and(|old| same(old, &new)) {
            return stay(ALREADY_SO.to_owned(), decided).map(|_: bool| true);
        }
        let change =
            FieldChange { field: rule.field.clone(), old, new: Some(new), kept: None, at: rule.at.clone() };
        self.run.leg(side).hit(&rule.at, Point::To(side));
        decided.put(side, change);
        Ok(true)
    }
}

/// Whether two values are one, two blanks included.
fn equal(a: &Value, b: &Value) -> bool {
    same(a, b) || a.is_blank() && b.is_blank()
}
