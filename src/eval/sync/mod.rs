//! A pair of records on its way through a sync.
//!
//! The run begins with the record of one side that changed. Its leg finds the other record: the one that it is paired with,
//! else by the ladder. Then both records are known, both legs have read what their rules need, and every field is decided
//! ([`decide`]). At most one write to each CRM follows, a record that is to be made first, and what both sides hold then is
//! remembered with the pair, for the next run to compare with.
//!
//! Nothing is remembered of a field that was not settled (a value that cannot be translated, a write that did not take
//! place), so that its difference is still a difference the next time.

mod decide;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::plan::{Mapping, Plan};
use crate::source::{ObjectName, Side};
use crate::types::{Cause, ChangedRequest, LinkRequest, LinkedPair, Record, Value};

use super::effect::{Answer, Association, Effect, FieldChange, Finished, Park, Synced, SyncedWrite, Verdict};
use super::run::Run;
use super::trace::Trace;

use decide::{Decided, Progress};

/// How often a run looks again because a record has changed under it.
const RESTARTS: u32 = 3;

/// A pair of records on its way through a sync.
#[derive(Debug)]
pub struct SyncRun {
    plan: Arc<Plan>,
    /// The index of the sync.
    sync: usize,
    /// The side of the record that changed, and its id.
    from: (Side, String),
    if_became: bool,
    /// The end of a record, where that is why the run was started.
    cause: Option<Cause>,
    /// The values that both sides held when they were last the same.
    base: BTreeMap<String, Value>,
    /// Both legs, by the side that they write.
    legs: Legs,
    /// When the fields of each side took their values; asked for once a conflict needs it.
    changed: BTreeMap<Side, BTreeMap<String, DateTime<Utc>>>,
    writes: Vec<SyncedWrite>,
    /// What rules left as it is in records that were not written.
    kept: Vec<SyncedWrite>,
    /// How many writes were made before the records were read for the last time.
    written_before: usize,
    associations: Vec<Association>,
    /// How far the fields are decided.
    progress: Option<Progress>,
    /// Fields left out because their CRM refused them, with what it said.
    dropped: BTreeMap<Side, Vec<(String, String)>>,
    restarts: u32,
    trace: Option<Arc<Trace>>,
    state: State,
}

/// The runs of both legs.
#[derive(Debug, Default)]
struct Legs {
    hubspot: Option<Run>,
    salesforce: Option<Run>,
}

impl Legs {
    fn to(&mut self, side: Side) -> &mut Option<Run> {
        match side {
            Side::Hubspot => &mut self.hubspot,
            Side::Salesforce => &mut self.salesforce,
        }
    }
}

#[derive(Debug)]
enum State {
    Begin,
    Link,
    /// A leg works: the one that writes this side.
    Leg(Side),
    /// It is asked when the fields of a side changed.
    Times(Side),
    /// A leg writes its side; then the rest is written.
    Write(Side, Box<Decided>),
    /// A leg associates the record of its side; then the other one does.
    Associate(Side, Box<Decided>),
    Over,
}

impl SyncRun {
    /// Starts a run of a sync (by name) for a record of one of its objects; `None` when there is no such sync.
    pub fn start(plan: Arc<Plan>, sync: &str, object: &ObjectName, record: &str) -> Option<Self> {
        let index = plan.syncs.iter().position(|known| known.name == sync)?;
        let from = Side::ALL.into_iter().find(|side| {
            let leg = plan.syncs[index].leg(other(*side));
            plan.mappings[leg].source == *object
        })?;
        Some(Self {
            plan,
            sync: index,
            from: (from, record.to_owned()),
            if_became: false,
            cause: None,
            base: BTreeMap::new(),
            legs: Legs::default(),
            changed: BTreeMap::new(),
            writes: Vec::new(),
            kept: Vec::new(),
            written_before: 0,
            associations: Vec::new(),
            progress: None,
            dropped: BTreeMap::new(),
            restarts: 0,
            trace: None,
            state: State::Begin,
        })
    }

    /// Records what the run exercises.
    #[must_use]
    pub fn traced(mut self, trace: Option<Arc<Trace>>) -> Self {
        self.trace = trace;
        self
    }

    /// Goes on only if the record as read holds a value that one of the sync's `becomes` waits for.
    #[must_use]
    pub fn if_became(mut self, only: bool) -> Self {
        self.if_became = only;
        self
    }

    /// Says that the run was started by the end of a record: it is about that alone.
    #[must_use]
    pub fn because(mut self, cause: Option<Cause>) -> Self {
        self.cause = cause;
        self
    }

    /// The sync's name.
    pub fn name(&self) -> &str {
        &self.plan.syncs[self.sync].name
    }

    /// Goes on with what was asked for (`None` at first) to the next effect.
    pub fn next(&mut self, answer: Option<Answer>) -> Effect {
        match (std::mem::replace(&mut self.state, State::Over), answer) {
            (State::Begin, None) => self.begin(),
            (State::Link, Some(Answer::Links(pairs))) => self.linked(pairs),
            (State::Leg(side), answer) => {
                let effect = self.leg(side).next(answer);
                self.led(side, effect)
            }
            (State::Times(side), Some(Answer::Changed(times))) => {
                self.changed.insert(side, times);
                self.decide()
            }
            (State::Write(..), Some(Answer::LookAgain)) => self.again(),
            (State::Write(side, decided), answer) => {
                let effect = self.leg(side).next(answer);
                self.wrote(side, *decided, effect)
            }
            (State::Associate(side, decided), answer) => {
                let effect = self.leg(side).next(answer);
                self.associated(side, *decided, effect)
            }
            (state, _) => self.park(Park::because(format!(
                "the run was told something that it had not asked for ({state:?})"
            ))),
        }
    }

    fn begin(&mut self) -> Effect {
        if let Some(cause) = self.cause.take() {
            return self.ended(cause);
        }
        let (side, record) = &self.from;
        let leg = self.mapping(other(*side));
        let request = LinkRequest {
            by: Some(self.name().to_owned()),
            of: leg.source.clone(),
            ids: vec![record.clone()],
            to: leg.target.clone(),
        };
        self.state = State::Link;
        Effect::Links(request)
    }

    /// A record has ended: its leg knows what the outcomes say.
    fn ended(&mut self, cause: Cause) -> Effect {
        let side = other(self.from.0);
        let index = self.plan.syncs[self.sync].leg(side);
        let leg = Run::leg(Arc::clone(&self.plan), index, &self.from.1);
        let mut leg = leg.because(Some(cause)).traced(self.trace.clone());
        let effect = leg.next(None);
        *self.legs.to(side) = Some(leg);
        self.led(side, effect)
    }

    /// The record and its counterpart, if they were paired before.
    fn linked(&mut self, pairs: Vec<LinkedPair>) -> Effect {
        let pair = pairs.into_iter().next();
        let (side, record) = (other(self.from.0), self.from.1.clone());
        let index = self.plan.syncs[self.sync].leg(side);
        let leg = Run::leg(Arc::clone(&self.plan), index, &record);
        let mut leg = leg.if_became(self.if_became).traced(self.trace.clone());
        leg.handed = pair.as_ref().filter(|pair| !pair.gone).map(|pair| pair.to.clone());
        leg.dropped = self.dropped.get(&side).cloned().unwrap_or_default();
        leg.link = pair.clone().filter(|pair| pair.inherited && !pair.gone);
        self.base = pair.map(|pair| pair.synced).unwrap_or_default();
        let effect = leg.next(None);
        *self.legs.to(side) = Some(leg);
        self.led(side, effect)
    }

    /// Goes on after a leg has said what it needs, or that it is ready.
    fn led(&mut self, side: Side, effect: Effect) -> Effect {
        let both_known = side == self.from.0 || self.progress.is_some();
        let leg = self.leg(side);
        if !leg.is_held() {
            let over = matches!(effect, Effect::Finish(_));
            self.state = if over { State::Over } else { State::Leg(side) };
            return effect;
        }
        if both_known {
            return self.decide();
        }
        // The first leg has found the other record, or that there is none.
        let (source, target) = (leg.source.clone(), leg.target.clone());
        let second = other(side);
        let index = self.plan.syncs[self.sync].leg(second);
        let (mut leg, effect) = Run::second_leg(&self.plan, index, target, source, self.trace.clone());
        leg.dropped = self.dropped.get(&second).cloned().unwrap_or_default();
        *self.legs.to(second) = Some(leg);
        self.led(second, effect)
    }

    /// Decides every field, then writes.
    fn decide(&mut self) -> Effect {
        match decide::decide(self) {
            Ok(decided) => self.write(decided),
            Err(decide::Stop::Times(request)) => {
                self.state = State::Times(request.object.side);
                Effect::Changed(request)
            }
            Err(decide::Stop::Ask(side)) => {
                let plan = Arc::clone(&self.plan);
                let mapping = &plan.mappings[plan.syncs[self.sync].leg(side)];
                let effect = self.leg(side).ask_for_rules(mapping);
                self.led(side, effect)
            }
            Err(decide::Stop::End(effect)) => {
                self.state = State::Over;
                *effect
            }
        }
    }

    /// Makes the next write that is left: of a record that is to be made, of HubSpot's, of Salesforce's.
    fn write(&mut self, mut decided: Decided) -> Effect {
        let exists = |run: &mut Self, side: Side| run.leg(side).target.is_some();
        let made = Side::ALL.into_iter().find(|side| decided.open(*side) && !exists(self, *side));
        let next = made.or_else(|| Side::ALL.into_iter().find(|side| decided.open(*side)));
        let Some(side) = next else { return self.associate(Side::Hubspot, decided) };
        if let Err(effect) = self.add_key(side, &mut decided) {
            self.state = State::Over;
            return *effect;
        }
        let changes = decided.take(side);
        let plan = Arc::clone(&self.plan);
        let mapping = &plan.mappings[plan.syncs[self.sync].leg(side)];
        let leg = self.leg(side);
        let existing = leg.target.clone();
        let effect = leg.send(mapping, existing.as_ref(), changes);
        match effect {
            Effect::Finish(Finished { verdict: Verdict::Unchanged { object, id, kept }, .. }) => {
                self.kept.push(SyncedWrite { object, id, created: false, changes: kept });
                self.write(decided)
            }
            Effect::Write(planned) => {
                self.state = State::Write(side, Box::new(decided));
                Effect::Write(planned)
            }
            other => other,
        }
    }

    /// Adds the key to what a side is about to be written, where its value is known: the id of the other record.
    fn add_key(&mut self, side: Side, decided: &mut Decided) -> Result<(), Box<Effect>> {
        let plan = Arc::clone(&self.plan);
        let mapping = &plan.mappings[plan.syncs[self.sync].leg(side)];
        let leg = self.leg(side);
        if mapping.key.is_none() || leg.source.is_none() {
            return Ok(());
        }
        let existing = leg.target.clone();
        let change = leg.key_change(mapping, existing.as_ref())?;
        decided.put_first(side, change);
        Ok(())
    }

    /// Goes on after a leg was told what became of its write.
    fn wrote(&mut self, side: Side, decided: Decided, effect: Effect) -> Effect {
        match effect {
            Effect::Finish(Finished {
                verdict: Verdict::Written { object, id, created, changes }, ..
            }) => {
                let object_name = object.clone();
                self.writes.push(SyncedWrite { object, id: id.clone(), created, changes });
                let values = serde_json::Map::new();
                let record =
                    self.leg(side).target.take().unwrap_or(Record { object: object_name, id, values });
                self.leg(side).target = Some(record.clone());
                let opposite = self.leg(other(side));
                if opposite.source.is_none() {
                    opposite.source = Some(record);
                }
                self.write(decided)
            }
            Effect::Finish(_) => effect,
            // A field that was refused and may be dropped.
            _ if self.leg(side).is_held() => {
                let dropped = std::mem::take(&mut self.leg(side).dropped);
                self.dropped.entry(side).or_default().extend(dropped);
                self.anew()
            }
            // Lost races and adopted duplicates: the first leg looks again by itself; the second begins anew, since it does
            // not look for the record that changed.
            _ if side == self.from.0 => self.again(),
            effect => {
                decide::forget(self);
                self.led(side, effect)
            }
        }
    }

    fn again(&mut self) -> Effect {
        if self.restarts == RESTARTS {
            return self.park(Park::because("the two records change faster than they can be read"));
        }
        self.restarts += 1;
        self.anew()
    }

    /// Reads both records again, and decides anew.
    fn anew(&mut self) -> Effect {
        self.written_before = self.writes.len();
        self.legs = Legs::default();
        self.progress = None;
        self.changed.clear();
        self.kept.clear();
        self.begin()
    }

    /// Associates the record of a side with what the sync says.
    fn associate(&mut self, side: Side, decided: Decided) -> Effect {
        let plan = Arc::clone(&self.plan);
        let mapping = &plan.mappings[plan.syncs[self.sync].leg(side)];
        let created = self.writes.iter().any(|write| write.object == mapping.target && write.created);
        let leg = self.leg(side);
        let id = leg.target.as_ref().map(|record| record.id.clone()).unwrap_or_default();
        let (object, kept) = (mapping.target.clone(), Vec::new());
        let verdict = Verdict::Unchanged { object, id: id.clone(), kept };
        let effect = leg.associate(mapping, verdict, id, created);
        self.associated(side, decided, effect)
    }

    fn associated(&mut self, side: Side, decided: Decided, effect: Effect) -> Effect {
        match effect {
            Effect::Finish(finished) => {
                self.associations.extend(finished.associations);
                match side {
                    Side::Hubspot => self.associate(Side::Salesforce, decided),
                    Side::Salesforce => self.finish(decided),
                }
            }
            effect => {
                self.state = State::Associate(side, Box::new(decided));
                effect
            }
        }
    }

    fn finish(&mut self, decided: Decided) -> Effect {
        let end = |run: &mut Self, side: Side| {
            let leg = run.leg(side);
            let id = leg.target.as_ref().map(|record| record.id.clone()).unwrap_or_default();
            (run.mapping(side).target.clone(), id)
        };
        let (hubspot, salesforce) = (end(self, Side::Hubspot), end(self, Side::Salesforce));
        let read = Side::ALL.into_iter().map(|side| (side, self.read(side))).collect();
        let (writes, kept) = (std::mem::take(&mut self.writes), std::mem::take(&mut self.kept));
        let (synced, written_before) = (decided.synced, self.written_before);
        let synced = Synced { hubspot, salesforce, writes, synced, kept, read, written_before };
        self.over(Verdict::Synced(synced))
    }

    /// What the legs have read of the record of a side.
    fn read(&mut self, side: Side) -> serde_json::Map<String, serde_json::Value> {
        let mut values = self.leg(other(side)).source.take().map(|record| record.values).unwrap_or_default();
        values.extend(self.leg(side).target.take().map(|record| record.values).unwrap_or_default());
        values
    }

    fn park(&mut self, park: Park) -> Effect {
        self.over(Verdict::Parked(park))
    }

    fn over(&mut self, verdict: Verdict) -> Effect {
        self.state = State::Over;
        let path = [&self.legs.hubspot, &self.legs.salesforce];
        let path = path.into_iter().flatten().flat_map(|leg| leg.path.clone()).collect();
        let legs = [&mut self.legs.hubspot, &mut self.legs.salesforce];
        let links = legs.into_iter().flatten().flat_map(|leg| std::mem::take(&mut leg.links)).collect();
        let associations = std::mem::take(&mut self.associations);
        let (mapping, conversion) = (self.name().to_owned(), None);
        let legs = [&self.legs.hubspot, &self.legs.salesforce];
        let dropped = legs.into_iter().flatten().flat_map(Run::left_out).collect();
        Effect::Finish(Finished { mapping, verdict, associations, conversion, path, links, dropped })
    }

    /// The leg that writes a side.
    fn mapping(&self, to: Side) -> &Mapping {
        &self.plan.mappings[self.plan.syncs[self.sync].leg(to)]
    }

    fn leg(&mut self, to: Side) -> &mut Run {
        let index = self.plan.syncs[self.sync].leg(to);
        let plan = Arc::clone(&self.plan);
        self.legs.to(to).get_or_insert_with(|| Run::leg(plan, index, ""))
    }
}

/// The other side.
fn other(side: Side) -> Side {
    match side {
        Side::Hubspot => Side::Salesforce,
        Side::Salesforce => Side::Hubspot,
    }
}

/// Asks when fields of a record changed.
fn times(object: &ObjectName, record: &Record, fields: Vec<String>) -> ChangedRequest {
    ChangedRequest { object: object.clone(), id: record.id.clone(), fields }
}

/// A field that stays as it is.
fn stays(field: &str, why: String, at: &crate::source::Location, old: Option<Value>) -> FieldChange {
    FieldChange { field: field.to_owned(), old, new: None, kept: Some(why), at: at.clone() }
}
