//! One record on its way through one mapping.

use std::collections::HashMap;
use std::sync::Arc;

use crate::plan::{Guard, GuardElse, Mapping, Need, Outcome, Plan, Situation, Trigger, WithKind};
use crate::source::Location;
use crate::types::{
    AssociatedRequest, AwaitedPair, Cause, Failure, LinkChange, LinkedPair, Raw, ReadRequest, Record, Value,
};

use super::associate::Associating;
use super::convert::{Converting, Parts};
use super::effect::{Answer, Association, Dropped, Effect, Finished, Park, PlannedWrite, Verdict};
use super::ends::OfPair;
use super::expression::{Frame, Kept};
use super::ladder;
use super::lookups::Linking;
use super::trace::{Point, Trace};

/// One record on its way through one mapping.
#[derive(Debug)]
pub struct Run {
    pub(super) plan: Arc<Plan>,
    pub(super) mapping: usize,
    pub(super) record: String,
    if_became: bool,
    /// The end of a record of the pair, where that is why the run was started.
    pub(super) cause: Option<Cause>,
    pub(super) source: Option<Record>,
    related: Vec<Option<Record>>,
    /// Which related records are read, also those that do not exist.
    related_read: Vec<bool>,
    pub(super) lookups: Vec<Option<Result<Value, Failure>>>,
    /// The `linked` look-ups that found no pair yet, by their index.
    pub(super) unpaired: Vec<(usize, AwaitedPair)>,
    /// The target record that was handed over, by id.
    pub(super) handed: Option<String>,
    /// Whether this is a leg of a sync.
    pub(super) leg: Leg,
    /// Whether the record's pair was asked for.
    pub(super) link_asked: bool,
    /// The pair that the store remembers.
    pub(super) link: Option<LinkedPair>,
    /// What changes in what is remembered about pairs.
    pub(super) links: Vec<LinkChange>,
    /// The target record found.
    pub(super) target: Option<Record>,
    visited: Vec<usize>,
    pub(super) path: Vec<String>,
    pub(super) restarts: u32,
    pub(super) allow_duplicates: bool,
    /// Fields left out because the target refused them, with what it said.
    pub(super) dropped: Vec<(String, String)>,
    /// What the conversion takes, once the rules are evaluated.
    pub(super) parts: Option<Parts>,
    /// What is exercised on the way, for the coverage of tests.
    trace: Option<Arc<Trace>>,
    pub(super) state: State,
}

/// Whether a run is one of the two legs of a sync. A leg stops before its write: the sync decides what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leg {
    /// It is a mapping's.
    No,
    /// It looks for the target.
    First,
    /// Its target is settled already, so that no ladder is climbed.
    Second,
}

/// What the run waits for.
#[derive(Debug)]
pub(super) enum State {
    Begin,
    OfPair(OfPair),
    Source,
    RelatedIds {
        index: usize,
        need: Need,
    },
    Related {
        index: usize,
        need: Need,
    },
    Lookups {
        asked: Vec<usize>,
        wanted: Vec<usize>,
        then: Next,
    },
    Linked(Box<Linking>),
    Handed,
    Key,
    Rung(usize),
    Adopt,
    Write(Box<PlannedWrite>),
    /// A leg that is ready for its rules.
    Held,
    Convert(Box<Converting>),
    Associate(Box<Associating>),
    Over,
}

/// What follows a set of look-ups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Guards,
    Ladder,
    Write,
}

impl Run {
    /// Starts a run of a mapping (by name) for a source record (by id); `None` when there is no such mapping.
    pub fn start(plan: Arc<Plan>, mapping: &str, record: &str) -> Option<Self> {
        let index = plan.find(mapping)?;
        Some(Self::of(plan, index, record))
    }

    /// The first leg of a sync: it reads its source record and looks for the other one.
    pub(super) fn leg(plan: Arc<Plan>, index: usize, record: &str) -> Self {
        Self { leg: Leg::First, ..Self::of(plan, index, record) }
    }

    /// The second leg of a sync, between records that are known; the source may be yet to be made.
    pub(super) fn second_leg(
        plan: &Arc<Plan>,
        index: usize,
        source: Option<Record>,
        target: Option<Record>,
        trace: Option<Arc<Trace>>,
    ) -> (Self, Effect) {
        let id = source.as_ref().map(|source| source.id.clone()).unwrap_or_default();
        let mut run = Self { leg: Leg::Second, trace, ..Self::of(Arc::clone(plan), index, &id) };
        if source.is_none() {
            // Nothing is related to a record that does not exist.
            run.related_read.fill(true);
        }
        run.source = source;
        run.target = target;
        let effect = run.read_related(&plan.mappings[index], 0, Need::Guards);
        (run, effect)
    }

    fn of(plan: Arc<Plan>, index: usize, record: &str) -> Self {
        let mut run = Self {
            plan,
            mapping: index,
            record: record.to_owned(),
            if_became: false,
            cause: None,
            source: None,
            related: Vec::new(),
            related_read: Vec::new(),
            lookups: Vec::new(),
            unpaired: Vec::new(),
            handed: None,
            leg: Leg::No,
            link_asked: false,
            link: None,
            links: Vec::new(),
            target: None,
            visited: Vec::new(),
            path: Vec::new(),
            restarts: 0,
            allow_duplicates: false,
            dropped: Vec::new(),
            parts: None,
            trace: None,
            state: State::Begin,
        };
        run.enter(index, None);
        run
    }

    /// Whether a leg has come to its rules.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.state, State::Held)
    }

    /// Goes on only if the record as read holds a value that one of the mapping's `becomes` waits for; see
    /// [`Start::if_became`](crate::plan::Start).
    #[must_use]
    pub fn if_became(mut self, only: bool) -> Self {
        self.if_became = only;
        self
    }

    /// Records what is exercised on the way.
    #[must_use]
    pub fn traced(mut self, trace: Option<Arc<Trace>>) -> Self {
        self.trace = trace;
        self
    }

    /// Records that something took place, where anybody wants to know.
    pub(super) fn hit(&self, at: &Location, point: Point) {
        if let Some(trace) = &self.trace {
            trace.hit(at, point);
        }
    }

    /// What a mapping does in a situation that has arisen.
    pub(super) fn outcome<'m>(&self, mapping: &'m Mapping, situation: Situation) -> Option<&'m Outcome> {
        let outcome = mapping.outcome(situation);
        if let Some(outcome) = outcome {
            self.hit(&outcome.at, Point::Outcome);
        }
        outcome
    }

    /// Says that the run was started by the end of a record of its pair: it is about that alone.
    #[must_use]
    pub fn because(mut self, cause: Option<Cause>) -> Self {
        self.cause = cause;
        self
    }

    /// The mapping that the run is in now.
    pub fn mapping(&self) -> &str {
        &self.plan.mappings[self.mapping].name
    }

    /// The mappings gone through so far, the one that it is in last.
    pub fn mappings(&self) -> impl Iterator<Item = &str> {
        self.visited.iter().map(|index| self.plan.mappings[*index].name.as_str())
    }

    /// Goes on with what was asked for (`None` at first) to the next effect. An answer that does not belong to the last
    /// effect parks the record.
    pub fn next(&mut self, answer: Option<Answer>) -> Effect {
        let plan = Arc::clone(&self.plan);
        let mapping = &plan.mappings[self.mapping];
        match (std::mem::replace(&mut self.state, State::Over), answer) {
            (State::Begin, None) => self.begin(mapping),
            (State::Source, Some(Answer::Records(records))) => self.source_read(mapping, records),
            (State::RelatedIds { index, need }, Some(Answer::Associated(ids))) => {
                self.related_ids(mapping, index, need, &ids)
            }
            (State::Related { index, need }, Some(Answer::Records(records))) => {
                self.related[index] = records.into_iter().next();
                self.read_related(mapping, index + 1, need)
            }
            (State::Lookups { asked, wanted, then }, Some(Answer::Found(found)))
                if found.len() == asked.len() =>
            {
                self.look_ups_found(mapping, asked, found, wanted, then)
            }
            (State::Linked(linking), Some(Answer::Links(pairs))) => {
                self.counterparts(mapping, *linking, pairs)
            }
            (State::Handed | State::Adopt, Some(Answer::Records(records))) => {
                match records.into_iter().next() {
                    // A sync's pair came over with a merge: the other record holds the key of the one that is gone.
                    Some(record) if self.leg != Leg::No && self.link.is_some() => {
                        self.take_inherited(mapping, record)
                    }
                    Some(record) => self.found(mapping, record, None),
                    None => self.ladder(mapping),
                }
            }
            (State::OfPair(state), Some(answer)) => self.pair_answered(mapping, state, answer),
            (State::Key, Some(Answer::Found(found))) => {
                self.key_found(mapping, found.into_iter().next().unwrap_or_default())
            }
            (State::Rung(index), Some(Answer::Found(found))) => {
                self.rung_found(mapping, index, found.into_iter().next().unwrap_or_default())
            }
            (State::Write(planned), Some(Answer::Written(answer))) => self.written(mapping, *planned, answer),
            (State::Write(_), Some(Answer::LookAgain)) => {
                self.target = None;
                self.ladder(mapping)
            }
            (State::Convert(work), Some(Answer::Converted(answer))) => {
                self.conversion_answered(mapping, *work, answer)
            }
            (State::Associate(step), Some(answer)) => self.associated(mapping, *step, answer),
            (state, _) => self.not_asked_for(&state),
        }
    }

    fn begin(&mut self, mapping: &Mapping) -> Effect {
        if let Some(cause) = self.cause.clone() {
            return self.ended(mapping, &cause);
        }
        self.state = State::Source;
        Effect::Read(ReadRequest {
            object: mapping.source.clone(),
            ids: vec![self.record.clone()],
            fields: mapping.reads.clone(),
        })
    }

    /// Ends a run whose driver is at fault.
    pub(super) fn not_asked_for(&mut self, state: &dyn std::fmt::Debug) -> Effect {
        self.park(Park::because(format!("the run was told something that it had not asked for ({state:?})")))
    }

    /// Turns to a mapping, with the target record that goes along.
    fn enter(&mut self, mapping: usize, handed: Option<String>) {
        let program = &self.plan.mappings[mapping];
        self.related = vec![None; program.related.len()];
        self.related_read = vec![false; program.related.len()];
        self.lookups = vec![None; program.lookups.len()];
        self.unpaired.clear();
        self.mapping = mapping;
        self.handed = handed;
        self.link_asked = false;
        self.link = None;
        self.target = None;
        self.allow_duplicates = false;
        self.dropped.clear();
        self.parts = None;
        self.visited.push(mapping);
    }

    /// Hands the record over to another mapping, together with the target record found.
    pub(super) fn hand_over(&mut self, to: &str, handed: Option<String>, why: &str) -> Effect {
        let plan = Arc::clone(&self.plan);
        let from = &plan.mappings[self.mapping].name;
        self.path.push(format!("`{from}`: {why}, so `{to}` takes over"));
        match plan.find(to) {
            Some(index) if !self.visited.contains(&index) => {
                self.enter(index, handed);
                self.read_related(&plan.mappings[index], 0, Need::Guards)
            }
            _ => self.park(Park::because(format!(
                "`{to}` has already run for this record, so it cannot be handed over again"
            ))),
        }
    }

    fn source_read(&mut self, mapping: &Mapping, records: Vec<Record>) -> Effect {
        self.source = records.into_iter().next();
        let Some(source) = &self.source else {
            return self.finish(Verdict::SourceGone);
        };
        if self.if_became && !became(mapping, source) {
            let reason = "the record does not hold the value that `when … becomes` waits for".to_owned();
            return self.finish(Verdict::Skipped { reason, at: Some(mapping.at.clone()) });
        }
        self.read_related(mapping, 0, Need::Guards)
    }

    /// Reads the next related record that a part of the run needs, from an index on; then that part goes on.
    pub(super) fn read_related(&mut self, mapping: &Mapping, from: usize, need: Need) -> Effect {
        for index in from..mapping.related.len() {
            if self.related_read[index] || !self.needs(mapping, index, need) {
                continue;
            }
            self.related_read[index] = true;
            let related = &mapping.related[index];
            let held =
                related.held_by().and_then(|field| self.source.as_ref()?.values.get(field)).map(text_of);
            match (&related.kind, held) {
                (_, Some(id)) if !id.is_empty() => return self.read_one(mapping, index, need, id),
                // The field is there and blank: there is none.
                (_, Some(_)) | (WithKind::Reference { .. }, None) => {}
                (WithKind::Association(kind), None) => {
                    self.state = State::RelatedIds { index, need };
                    return Effect::Associated(AssociatedRequest {
                        from: mapping.source.clone(),
                        ids: vec![self.record.clone()],
                        to: related.object.name.clone(),
                        kind: kind.clone(),
                    });
                }
            }
        }
        match need {
            Need::Guards => {
                let wanted = mapping.guards.iter().flat_map(|guard| guard.lookups.iter().copied()).collect();
                self.look_up(mapping, wanted, Next::Guards)
            }
            Need::Ladder => {
                let wanted =
                    (0..mapping.lookups.len()).filter(|index| mapping.lookups[*index].early).collect();
                self.look_up(mapping, wanted, Next::Ladder)
            }
            Need::Rules => self.look_up_for_write(mapping),
        }
    }

    /// Whether a related record is needed now; one that only rules need waits for a rule that applies.
    fn needs(&self, mapping: &Mapping, index: usize, need: Need) -> bool {
        // What is needed earlier was read earlier, but for what was forgotten since.
        mapping.related[index].need.is_some_and(|first| first <= need)
            && (need != Need::Rules
                || self.applying(mapping).any(|rule| rule.related.contains(&index))
                || mapping.eaches.iter().any(|each| each.related.contains(&index))
                || mapping.associates.iter().any(|associate| associate.related.contains(&index)))
    }

    /// Asks for what the rules need and is not known yet; a leg is held then.
    pub(super) fn ask_for_rules(&mut self, mapping: &Mapping) -> Effect {
        self.read_related(mapping, 0, Need::Rules)
    }

    /// Forgets what a look-up found.
    pub(super) fn forget_lookup(&mut self, index: usize) {
        self.lookups[index] = None;
        self.unpaired.retain(|(of, _)| *of != index);
    }

    /// Forgets a related record.
    pub(super) fn forget_related(&mut self, index: usize) {
        self.related[index] = None;
        self.related_read[index] = false;
    }

    fn read_one(&mut self, mapping: &Mapping, index: usize, need: Need, id: String) -> Effect {
        let related = &mapping.related[index];
        self.state = State::Related { index, need };
        Effect::Read(ReadRequest {
            object: related.object.clone(),
            ids: vec![id],
            fields: related.reads.clone(),
        })
    }

    fn related_ids(
        &mut self,
        mapping: &Mapping,
        index: usize,
        need: Need,
        ids: &HashMap<String, Vec<String>>,
    ) -> Effect {
        // Several can carry one label; the first is the one that HubSpot itself shows.
        if let Some(id) = ids.get(&self.record).and_then(|ids| ids.first()) {
            return self.read_one(mapping, index, need, id.clone());
        }
        self.read_related(mapping, index + 1, need)
    }

    pub(super) fn guards(&mut self, mapping: &Mapping) -> Effect {
        // A sync asks its guards of the records that are there, and not of the one that it is about to make.
        let asked: &[Guard] = if self.source.is_some() { &mapping.guards } else { &[] };
        for guard in asked {
            let at = Some(guard.at.clone());
            match self.with_frame(mapping, |frame| frame.holds(&guard.condition)) {
                Ok(true) => self.hit(&guard.at, Point::Passed),
                Err(failure) => return self.park_failure(failure, None, guard.at.clone()),
                Ok(false) => {
                    self.hit(&guard.at, Point::Refused);
                    let reason = format!("`only if {}` does not hold", guard.text);
                    return match &guard.otherwise {
                        GuardElse::Skip => self.finish(Verdict::Skipped { reason, at }),
                        GuardElse::Wait => {
                            let pairs = self.unpaired_in(&guard.lookups);
                            self.finish(Verdict::Waiting { reason, fields: guard.fields.clone(), pairs, at })
                        }
                        GuardElse::Park(said) => {
                            let reason = said.clone().unwrap_or(reason);
                            self.park(Park { at, ..Park::because(reason) })
                        }
                        GuardElse::Then(name) => self.hand_over(name, None, &reason),
                    };
                }
            }
        }
        self.read_related(mapping, 0, Need::Ladder)
    }

    pub(super) fn enter_ladder(&mut self, mapping: &Mapping) -> Effect {
        if self.leg == Leg::Second {
            return self.read_related(mapping, 0, Need::Rules);
        }
        match self.handed.take() {
            Some(id) => {
                self.state = State::Handed;
                Effect::Read(ladder::target_read(mapping, id))
            }
            None => self.ladder(mapping),
        }
    }

    /// Evaluates something of the mapping on what is known so far.
    pub(super) fn with_frame<T>(&self, mapping: &Mapping, ask: impl FnOnce(&Frame<'_>) -> T) -> T {
        let slots: Vec<Raw<'_>> = mapping
            .slots
            .iter()
            .map(|slot| {
                let record = match slot.of {
                    None => self.source.as_ref(),
                    Some(index) => self.related[index].as_ref(),
                };
                record.map_or(Raw::Missing, |record| raw(record, &slot.field))
            })
            .collect();
        let trace = self.trace.as_deref();
        ask(&Frame {
            plan: &self.plan,
            mapping,
            slots: &slots,
            lookups: &self.lookups,
            trace,
            kept: Kept::default(),
        })
    }

    /// Ends the run.
    pub(super) fn finish(&mut self, verdict: Verdict) -> Effect {
        self.finish_with(verdict, Vec::new())
    }

    /// Ends the run after associations were made.
    pub(super) fn finish_with(&mut self, verdict: Verdict, associations: Vec<Association>) -> Effect {
        self.state = State::Over;
        let mapping = self.mapping().to_owned();
        let links = std::mem::take(&mut self.links);
        let path = self.path.clone();
        let dropped = self.left_out();
        Effect::Finish(Finished { mapping, verdict, associations, conversion: None, path, links, dropped })
    }

    /// The fields that were left out of the write, with their rules.
    pub(super) fn left_out(&self) -> Vec<Dropped> {
        let mapping = &self.plan.mappings[self.mapping];
        let at = |field: &String| mapping.rules.iter().find(|rule| rule.field == *field).map(|rule| &rule.at);
        let dropped = |(field, said): &(String, String)| Dropped {
            field: field.clone(),
            said: said.clone(),
            at: at(field).unwrap_or(&mapping.at).clone(),
        };
        self.dropped.iter().map(dropped).collect()
    }

    /// Ends the run: a person must look.
    pub(super) fn park(&mut self, park: Park) -> Effect {
        self.finish(Verdict::Parked(park))
    }

    /// Parks for a step that failed; the line to mend is the failure's own, where it knows one.
    pub(super) fn park_failure(&mut self, failure: Failure, field: Option<&str>, at: Location) -> Effect {
        self.park(Park {
            reason: failure.message,
            field: field.map(ToOwned::to_owned),
            answer: None,
            help: failure.help,
            at: Some(failure.at.unwrap_or(at)),
            code: None,
            sent: None,
        })
    }
}

/// A field of a record as sent; `id` and `Id` are the record's id.
pub(super) fn raw<'r>(record: &'r Record, field: &str) -> Raw<'r> {
    match record.values.get(field) {
        None if field == "id" || field == "Id" => Raw::Text(record.id.as_str().into()),
        value => Raw::from(value),
    }
}

pub(super) fn text_of(json: &serde_json::Value) -> String {
    match json {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn became(mapping: &Mapping, source: &Record) -> bool {
    mapping.triggers.iter().any(|trigger| match trigger {
        Trigger::Becomes(field, values) => {
            source.values.get(field).is_some_and(|value| values.contains(&text_of(value)))
        }
        _ => false,
    })
}

impl Park {
    /// A reason alone.
    pub fn because(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            field: None,
            answer: None,
            help: None,
            at: None,
            code: None,
            sent: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::eval::testing::{World, parked, record};
    use crate::plan::testing::{LEAD, Lead};

    const OWNED: Lead = Lead {
        head: "with employer = primary hubspot.company\n when lifecyclestage becomes \"customer\"\n when email changes",
        fields: "Title <- employer.name | truncate(128)\n \
                 OwnerId <- lookup salesforce.User.Id where Email = owner.email otherwise keep on create",
        ..LEAD
    };

    fn contact() -> Record {
        record(
            "hubspot.contact",
            "1",
            json!({"lastname": "Doe", "hubspot_owner_id": "11", "lifecyclestage": "lead"}),
        )
    }

    fn world(more: Vec<Record>) -> World {
        let owner = record("hubspot.owner", "11", json!({"email": "r@s.example"}));
        let user = record("salesforce.User", "U1", json!({"Email": "r@s.example"}));
        let company = record("hubspot.company", "9", json!({"name": "Acme"}));
        let mut world = World::of([vec![contact(), owner, user, company], more].concat());
        world.associated.insert("company".to_owned(), "9".to_owned());
        world
    }

    #[test]
    fn a_new_record_needs_its_owner_and_an_update_does_not() {
        let plan = OWNED.plan();
        let mut new = world(vec![]);
        new.run(&plan, "lead");
        assert_eq!(
            new.log,
            [
                "read contact",
                "find Lead",
                "associated company",
                "read company",
                "read owner",
                "find User",
                "write Lead"
            ]
        );
        let mut known = world(vec![record("salesforce.Lead", "L1", json!({"HubSpot_Contact_ID__c": "1"}))]);
        known.run(&plan, "lead");
        assert_eq!(
            known.log,
            ["read contact", "find Lead", "associated company", "read company", "write Lead"]
        );
    }

    #[test]
    fn what_was_read_is_not_read_again_after_a_lost_race() {
        let taken = crate::types::WriteAnswer::Taken { field: None, existing: None, message: String::new() };
        let mut world = world(vec![]).answering([taken]);
        world.run(&OWNED.plan(), "lead");
        assert_eq!(world.log[6..], ["write Lead", "find Lead", "write Lead"]);
    }

    #[test]
    fn a_record_that_did_not_become_so_is_skipped() {
        let plan = Arc::new(OWNED.plan());
        let start = || Run::start(Arc::clone(&plan), "lead", "1").expect("a run");
        let end = world(vec![]).go(start().if_became(true));
        assert!(matches!(end.verdict, Verdict::Skipped { .. }), "{end:?}");
        let mut became = world(vec![]);
        became.records[0].values.insert("lifecyclestage".to_owned(), json!("customer"));
        assert!(matches!(became.go(start().if_became(true)).verdict, Verdict::Written { .. }));
        assert!(
            matches!(world(vec![]).go(start()).verdict, Verdict::Written { .. }),
            "it has moved on since"
        );
        assert!(Run::start(plan, "nobody", "1").is_none());
    }

    #[test]
    fn a_source_that_is_gone_ends_the_run() {
        assert_eq!(World::default().run(&OWNED.plan(), "lead").verdict, Verdict::SourceGone);
    }

    #[test]
    fn guards_decide_in_order() {
        let guarded =
            |head: &'static str| World::of(vec![contact()]).run(&Lead { head, ..LEAD }.plan(), "lead");
        let end = guarded(
            "let mail = email | trim\n only if mail is present otherwise wait\n only if phone is present otherwise skip",
        );
        assert!(matches!(&end.verdict, Verdict::Waiting { fields, .. } if fields == &["email"]), "{end:?}");
        let end = guarded("only if lastname is present otherwise park\n only if phone is present");
        assert!(
            matches!(&end.verdict, Verdict::Skipped { reason, .. } if reason == "`only if phone is present` does not hold"),
            "{end:?}"
        );
        let end = guarded("only if phone is present otherwise park \"no phone\"");
        assert_eq!(
            (parked(&end).reason.as_str(), parked(&end).at.as_ref().map(|at| at.line)),
            ("no phone", Some(4))
        );
    }

    #[test]
    fn a_look_up_that_finds_several_fails_with_its_line() {
        let fields =
            "OwnerId <- lookup salesforce.User.Id where Email = owner.email otherwise park \"no owner\"";
        let mut world = world(vec![record("salesforce.User", "U2", json!({"Email": "r@s.example"}))]);
        let end = world.run(&Lead { fields, ..LEAD }.plan(), "lead");
        assert_eq!(parked(&end).reason, "no owner: `lookup salesforce.User.Id` finds several records");
        assert!(parked(&end).at.is_some() && parked(&end).help.is_some());
    }

    #[test]
    fn an_answer_that_was_not_asked_for_parks() {
        let mut run = Run::start(Arc::new(OWNED.plan()), "lead", "1").expect("a run");
        run.next(None);
        let Effect::Finish(end) = run.next(Some(Answer::Found(Vec::new()))) else { panic!("no end") };
        assert!(parked(&end).reason.contains("had not asked for"), "{end:?}");
        assert!(matches!(run.next(None), Effect::Finish(_)), "and so on");
    }

    #[test]
    fn looking_again_sees_what_another_run_wrote() {
        let plan = Arc::new(Lead {
            rungs: "key HubSpot_Contact_ID__c = id\n or Email = email",
            outcomes: "on none create\n on many park\n on taken park\n on converted park\n on duplicate park\n on rejected park",
            ..LEAD
        }.plan());
        let mut run = Run::start(plan, "lead", "1").expect("a run");
        run.next(None);
        run.next(Some(Answer::Records(vec![record(
            "hubspot.contact",
            "1",
            json!({"email": "a@b.example"}),
        )])));
        run.next(Some(Answer::Found(vec![vec![]])));
        let Effect::Write(planned) = run.next(Some(Answer::Found(vec![vec![]]))) else { panic!("no write") };
        assert_eq!(planned.relies_on[0].filters[0].field, "Email");
        assert!(matches!(run.next(Some(Answer::LookAgain)), Effect::Find(_)));
        run.next(Some(Answer::Found(vec![vec![]])));
        let theirs =
            record("salesforce.Lead", "L1", json!({"HubSpot_Contact_ID__c": "2", "Email": "a@b.example"}));
        let Effect::Finish(end) = run.next(Some(Answer::Found(vec![vec![theirs]]))) else { panic!("no end") };
        assert!(parked(&end).reason.contains("already belongs to"), "{end:?}");
    }
}
