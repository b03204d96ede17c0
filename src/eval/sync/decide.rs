//! Who decides each field of a pair, and what is written where.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::TimeDelta;

use crate::plan::{Conflict, Mapping, Plan, Slot, TwoWay, WhenWritten};
use crate::source::Side;
use crate::types::{ChangedRequest, Value, as_held, as_sent, same};

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
    /// The leg that writes this side asks for something again.
    Ask(Side),
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

/// How far the fields of a pair are decided.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// What the `<->` rules write.
    both: Decided,
    /// What the others write, as far as they are decided.
    single: Decided,
    /// The next of them.
    next: usize,
    /// What the records held in the place of what they are going to be written, in that order.
    before: Vec<(Side, String, Option<serde_json::Value>)>,
    /// What was looked up again, since it depends on what is going to be written: by the side that its leg writes.
    again: HashSet<(Side, Used)>,
}

/// Something that a leg has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Used {
    Lookup(usize),
    Related(usize),
}

/// Decides all fields: first the `<->` rules, which read nothing but what they write, then the others, each on the records as
/// they are going to be. So a rule that reads what another rule writes needs no second run.
pub(super) fn decide(run: &mut SyncRun) -> Result<Decided, Stop> {
    let plan = Arc::clone(&run.plan);
    let sync = &plan.syncs[run.sync];
    if run.progress.is_none() {
        let mut both = Decided::default();
        for rule in &sync.two_way {
            Field::of(run, &plan, rule).decide(&mut both)?;
        }
        let changes = [both.hubspot.as_ref(), both.salesforce.as_ref()].map(Option::<&Vec<_>>::cloned);
        run.progress = Some(Progress { both, ..Progress::default() });
        for (side, changes) in [Side::Hubspot, Side::Salesforce].into_iter().zip(changes) {
            changes.iter().flatten().for_each(|change| hold(run, side, change));
        }
    }
    while let Some(next) = sync.one_way.get(progress(run).next) {
        let mapping = &plan.mappings[sync.leg(next.to)];
        let rule = &mapping.rules[next.rule];
        look_again(run, mapping, &rule.lookups, &rule.related)?;
        if run.leg(next.to).source.is_some() {
            let existing = run.leg(next.to).target.clone();
            if let Some(change) = run.leg(next.to).change(mapping, rule, existing.as_ref())? {
                hold(run, next.to, &change);
                progress(run).single.put(next.to, change);
            }
        }
        progress(run).next += 1;
    }
    for side in Side::ALL {
        let mapping = &plan.mappings[sync.leg(side)];
        for associate in &mapping.associates {
            look_again(run, mapping, &associate.lookups, &associate.related)?;
        }
        for each in &mapping.eaches {
            look_again(run, mapping, &each.lookups, &each.related)?;
        }
    }
    let Progress { both, single, .. } = progress(run);
    let (both, single) = (std::mem::take(both), std::mem::take(single));
    // Each side has its turn, also when only its key is to be written.
    let all = |single: Option<Vec<FieldChange>>, both: Option<Vec<FieldChange>>| {
        Some(single.into_iter().chain(both).flatten().collect())
    };
    Ok(Decided {
        hubspot: all(single.hubspot, both.hubspot),
        salesforce: all(single.salesforce, both.salesforce),
        synced: both.synced,
    })
}

fn progress(run: &mut SyncRun) -> &mut Progress {
    run.progress.get_or_insert_default()
}

/// Lets the other leg see what a field is going to hold.
fn hold(run: &mut SyncRun, side: Side, change: &FieldChange) {
    let Some(new) = &change.new else { return };
    let Some(record) = &mut run.leg(other(side)).source else { return };
    let before = record.values.insert(change.field.clone(), as_sent(side, new));
    progress(run).before.push((side, change.field.clone(), before));
}

/// Forgets what was decided, so that all of it is decided anew on the records as they are. What depends on the values that
/// were decided is looked up again.
pub(super) fn forget(run: &mut SyncRun) {
    let Some(progress) = run.progress.take() else { return };
    for (side, field, before) in progress.before.into_iter().rev() {
        let Some(record) = &mut run.leg(other(side)).source else { continue };
        match before {
            Some(before) => record.values.insert(field, before),
            None => record.values.remove(&field),
        };
    }
    for (to, used) in progress.again {
        forget_answer(run.leg(to), used);
    }
}

fn forget_answer(leg: &mut Run, used: Used) {
    match used {
        Used::Lookup(index) => leg.forget_lookup(index),
        Used::Related(index) => leg.forget_related(index),
    }
}

/// Asks once more for what these look-ups and related records were asked for with values that are going to be others.
fn look_again(
    run: &mut SyncRun,
    mapping: &Mapping,
    lookups: &[usize],
    related: &[usize],
) -> Result<(), Stop> {
    let (to, source) = (mapping.target.side, mapping.source.side);
    let progress = progress(run);
    let held: HashSet<&str> = progress
        .before
        .iter()
        .filter(|(side, ..)| *side == source)
        .map(|(_, field, _)| field.as_str())
        .collect();
    let is_other =
        |index: &usize| mapping.related[*index].held_by().is_some_and(|field| held.contains(field));
    let slot_is_other = |slot: &usize| match &mapping.slots[*slot] {
        Slot { of: Some(index), .. } => is_other(index),
        Slot { of: None, field, .. } => held.contains(field.as_str()),
    };
    let lookups = lookups.iter().filter(|index| mapping.lookups[**index].slots.iter().any(slot_is_other));
    let related = related.iter().filter(|index| is_other(index));
    let stale = lookups.map(|index| Used::Lookup(*index)).chain(related.map(|index| Used::Related(*index)));
    let stale: Vec<Used> = stale.filter(|used| !progress.again.contains(&(to, *used))).collect();
    if stale.is_empty() {
        return Ok(());
    }
    progress.again.extend(stale.iter().map(|used| (to, *used)));
    let leg = run.leg(to);
    for used in stale {
        forget_answer(leg, used);
    }
    Err(Stop::Ask(to))
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
            Ok(value) => Ok(Instead::Value(as_held(&self.to_salesforce.target, self.name(), value))),
            Err(failure) => Ok(leg.instead(mapping, rule, failure)?),
        }
    }

    /// Whether two values of the field are one: two blanks are, and two that HubSpot would hold as the same.
    fn equal(&self, a: &Value, b: &Value) -> bool {
        let field = &self.to_hubspot.rules[self.rule.back].field;
        let held = |value: &Value| as_held(&self.to_hubspot.target, field, value.clone());
        a.is_blank() && b.is_blank() || same(a, b) || same(&held(a), &held(b))
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
        if self.equal(hubspot, salesforce) {
            return Ok(Way::Settled);
        }
        if let WhenWritten::Sticky(stays) = self.to_salesforce.rules[self.rule.forth].when {
            let stays = Value::Boolean(stays);
            let from = if *hubspot == stays { Side::Hubspot } else { Side::Salesforce };
            return Ok(Way::From(from));
        }
        let base = self.run.base.get(self.name());
        let changed = |value: &Value| base.is_none_or(|base| !self.equal(base, value));
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
