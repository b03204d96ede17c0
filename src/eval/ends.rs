//! The ends of records: what becomes of a pair when one of its records was deleted or merged.
//!
//! A run that such an end causes reads neither record unless it must know whether one is still there: it asks for the
//! pair, judges by the mapping's outcome, and says what is to be remembered. A run of the source record that asks for its
//! pair finds out by itself when the target record is gone, whether or not anybody was told.

use crate::plan::{Mapping, OutcomeAction, Situation};
use crate::source::Location;
use crate::types::{Cause, LinkChange, LinkFate, LinkRequest, LinkedPair, Record};

use super::effect::{Answer, Effect, Park, Verdict};
use super::ladder::target_read;
use super::run::{Run, State};

/// What a run waits for that asks about its pair.
#[derive(Debug)]
pub(super) enum OfPair {
    /// The pair that an end is about.
    Ended,
    /// Which of the two counterparts is still there: the record's own and that of the one into which it was merged.
    Rivals { own: String, heirs: String },
    /// The pair of the record that runs.
    Link,
    /// The linked record.
    Linked,
    /// What became of a linked record that is gone.
    Survivor,
    /// The record into which the linked one was merged.
    Followed,
    /// The linked record that came over with a merge, beside the one that the key found.
    Rival(Box<Record>),
}

impl Run {
    /// Goes on with an answer about the pair.
    pub(super) fn pair_answered(&mut self, mapping: &Mapping, state: OfPair, answer: Answer) -> Effect {
        match (state, answer) {
            (OfPair::Ended, Answer::Links(pairs)) => self.ended_pairs(mapping, &pairs),
            (OfPair::Rivals { own, heirs }, Answer::Records(records)) => {
                self.rivals(mapping, &own, &heirs, &records)
            }
            (OfPair::Link, Answer::Links(pairs)) => {
                self.link = pairs.into_iter().find(|pair| pair.id == self.record);
                self.ladder(mapping)
            }
            (OfPair::Linked, Answer::Records(records)) => {
                self.linked_read(mapping, records.into_iter().next())
            }
            (OfPair::Survivor, Answer::Survivor(into)) => self.survivor(mapping, into),
            (OfPair::Followed, Answer::Records(records)) => {
                self.followed(mapping, records.into_iter().next())
            }
            (OfPair::Rival(own), Answer::Records(records)) => self.rival_read(mapping, *own, records.first()),
            (state, _) => self.not_asked_for(&state),
        }
    }

    /// Asks for the pair that the cause is about.
    pub(super) fn ended(&mut self, mapping: &Mapping, cause: &Cause) -> Effect {
        let mut ids = vec![self.record.clone()];
        if let Cause::SourceMerged { into } = cause {
            ids.push(into.clone());
        }
        self.state = State::OfPair(OfPair::Ended);
        links(mapping, ids)
    }

    /// Goes on with the pairs of the record that ended, or of the one whose counterpart ended.
    fn ended_pairs(&mut self, mapping: &Mapping, pairs: &[LinkedPair]) -> Effect {
        let Some(cause) = self.cause.clone() else { return self.ladder(mapping) };
        let mut own = pairs.iter().filter(|pair| pair.id == self.record);
        match cause {
            Cause::SourceDeleted => match own.next().cloned() {
                Some(pair) => self.source_deleted(mapping, &pair),
                None => self.nothing_linked(mapping, "was deleted"),
            },
            Cause::SourceMerged { into } => {
                let heirs =
                    pairs.iter().find(|pair| pair.id == into && !pair.gone).map(|pair| pair.to.clone());
                match own.next().cloned() {
                    Some(pair) => self.source_merged(mapping, &pair, &into, heirs),
                    None => self.nothing_linked(mapping, &format!("was merged into {into}")),
                }
            }
            Cause::TargetDeleted { target } => match own.find(|pair| pair.to == target) {
                Some(pair) if pair.gone => {
                    let what = format!("{} {target} was deleted", mapping.target);
                    self.target_ended(mapping, Situation::TargetDeleted, &what, None)
                }
                _ => self.no_longer(mapping, &target),
            },
            Cause::TargetMerged { target, into } => match own.find(|pair| pair.to == target) {
                Some(pair) if pair.gone => {
                    let what = format!("{} {target} was merged into {into}", mapping.target);
                    self.target_ended(mapping, Situation::TargetMerged, &what, Some(into))
                }
                _ => self.no_longer(mapping, &target),
            },
        }
    }

    fn nothing_linked(&mut self, mapping: &Mapping, what: &str) -> Effect {
        let reason = format!(
            "{} {} {what}, and no {} is linked to it",
            mapping.source, self.record, mapping.target.name
        );
        self.finish(Verdict::Skipped { reason, at: None })
    }

    fn no_longer(&mut self, mapping: &Mapping, target: &str) -> Effect {
        let reason = format!("{} {target} is back, or the pair has another one since", mapping.target);
        self.finish(Verdict::Skipped { reason, at: None })
    }

    fn source_deleted(&mut self, mapping: &Mapping, pair: &LinkedPair) -> Effect {
        let (what, linked) = (
            format!("{} {} was deleted", mapping.source, self.record),
            format!("{} {}", mapping.target, pair.to),
        );
        let (action, at) = self.decided(mapping, Situation::SourceDeleted);
        match action {
            Some(OutcomeAction::Park(_)) if pair.gone => {
                self.finish(Verdict::Skipped { reason: format!("{what}, and {linked} is gone too"), at })
            }
            Some(OutcomeAction::Park(said)) => {
                let help =
                    format!("it is linked to {linked}; decide what becomes of that one, then drop this");
                self.park_ended(said.as_ref(), what, help, at)
            }
            Some(OutcomeAction::Unlink) => {
                self.remember(mapping, LinkFate::Forgotten);
                let reason = format!("{what}; the pair with {linked} is forgotten");
                self.finish(Verdict::Relinked { reason, forgotten: true, at })
            }
            _ => self.finish(Verdict::Skipped { reason: format!("{what}; {linked} stays as it is"), at }),
        }
    }

    fn source_merged(
        &mut self,
        mapping: &Mapping,
        pair: &LinkedPair,
        into: &str,
        heirs: Option<String>,
    ) -> Effect {
        let (what, linked) = (
            format!("{} {} was merged into {into}", mapping.source, self.record),
            format!("{} {}", mapping.target, pair.to),
        );
        let (action, at) = self.decided(mapping, Situation::SourceMerged);
        if pair.gone {
            self.remember(mapping, LinkFate::Forgotten);
            return self.finish(Verdict::Skipped { reason: format!("{what}, and {linked} is gone too"), at });
        }
        match (action, heirs) {
            (Some(OutcomeAction::Park(said)), heirs) => {
                let own = heirs.map_or_else(|| "none".to_owned(), |id| format!("{} {id}", mapping.target));
                let help = format!("it is linked to {linked}; {into} is linked to {own}");
                self.park_ended(said.as_ref(), what, help, at)
            }
            (_, Some(heirs)) if heirs != pair.to => {
                self.state = State::OfPair(OfPair::Rivals { own: pair.to.clone(), heirs: heirs.clone() });
                let mut read = target_read(mapping, pair.to.clone());
                read.ids.push(heirs);
                Effect::Read(read)
            }
            (_, Some(_)) => {
                self.remember(mapping, LinkFate::Forgotten);
                let reason = format!("{what}, which has {linked} already");
                self.finish(Verdict::Relinked { reason, forgotten: false, at })
            }
            (_, None) => self.inherited(mapping, into, &pair.to, None),
        }
    }

    /// Two records became one and both had a counterpart: one that is gone leaves the other; of two a person decides.
    fn rivals(&mut self, mapping: &Mapping, own: &str, heirs: &str, records: &[Record]) -> Effect {
        let Some(Cause::SourceMerged { into }) = self.cause.clone() else { return self.ladder(mapping) };
        let there = |id: &str| records.iter().any(|record| same_id(&record.id, id));
        let (_, at) = self.decided(mapping, Situation::SourceMerged);
        let what = format!("{} {} was merged into {into}", mapping.source, self.record);
        match (there(own), there(heirs)) {
            (true, true) => {
                let target = &mapping.target;
                let reason = format!("{what}, and both have a {}: {own} and {heirs}", target.name);
                let help = format!("merge the two in {}, then retry", target.side.label());
                self.park(Park { help: Some(help), at, ..Park::because(reason) })
            }
            (true, false) => self.inherited(mapping, &into, own, Some(heirs.to_owned())),
            (false, _) => {
                self.remember(mapping, LinkFate::Forgotten);
                let reason = format!("{what}, and {} {own} is gone too", mapping.target);
                self.finish(Verdict::Skipped { reason, at })
            }
        }
    }

    fn inherited(&mut self, mapping: &Mapping, into: &str, target: &str, over: Option<String>) -> Effect {
        let (_, at) = self.decided(mapping, Situation::SourceMerged);
        self.remember(mapping, LinkFate::Inherited { by: into.to_owned(), over });
        let source = &mapping.source;
        let reason = format!(
            "{source} {} was merged into {into}, which takes over {} {target}",
            self.record, mapping.target
        );
        self.finish(Verdict::Relinked { reason, forgotten: false, at })
    }

    /// The counterpart ended, and the run was started to say what follows.
    fn target_ended(
        &mut self,
        mapping: &Mapping,
        situation: Situation,
        what: &str,
        into: Option<String>,
    ) -> Effect {
        let (action, at) = self.decided(mapping, situation);
        let linked = format!("{} {}", mapping.source, self.record);
        match (action, into) {
            (Some(OutcomeAction::Follow), Some(target)) => {
                let reason = format!("{what}, to which {linked} belongs from now on");
                self.remember(mapping, LinkFate::PointsAt { target });
                self.finish(Verdict::Relinked { reason, forgotten: false, at })
            }
            (Some(OutcomeAction::Park(said)), _) => {
                let help = format!("{linked} is linked to it");
                self.park_ended(said.as_ref(), what.to_owned(), help, at)
            }
            (Some(OutcomeAction::Unlink), _) => {
                self.remember(mapping, LinkFate::Forgotten);
                let reason = format!("{what}; the pair with {linked} is forgotten");
                self.finish(Verdict::Relinked { reason, forgotten: true, at })
            }
            _ => {
                let reason = format!("{what}; later changes of {linked} are not written");
                self.finish(Verdict::Skipped { reason, at })
            }
        }
    }

    /// The record's own words come first where the author has some; what happened is then the help's beginning.
    fn park_ended(
        &mut self,
        said: Option<&String>,
        what: String,
        help: String,
        at: Option<Location>,
    ) -> Effect {
        let (reason, help) = match said {
            Some(said) => (said.clone(), format!("{what}; {help}")),
            None => (what, help),
        };
        self.park(Park { help: Some(help), at, ..Park::because(reason) })
    }

    /// Asks for the record's pair, before the ladder of a mapping that needs it.
    pub(super) fn ask_link(&mut self, mapping: &Mapping) -> Effect {
        self.link_asked = true;
        self.state = State::OfPair(OfPair::Link);
        links(mapping, vec![self.record.clone()])
    }

    /// Goes on to the linked record, or to the rungs where nothing is linked.
    pub(super) fn linked(&mut self, mapping: &Mapping) -> Effect {
        match self.link.clone() {
            None => self.rung(mapping, 0),
            Some(LinkedPair { merged_into: Some(into), to, .. }) => self.target_merged(mapping, &to, into),
            Some(pair) => {
                self.state = State::OfPair(OfPair::Linked);
                Effect::Read(target_read(mapping, pair.to))
            }
        }
    }

    /// Takes the linked record, or finds out what became of it.
    fn linked_read(&mut self, mapping: &Mapping, record: Option<Record>) -> Effect {
        // INVARIANT: only a link leads here.
        let Some(pair) = self.link.clone() else { return self.rung(mapping, 0) };
        match record {
            Some(record) if same_id(&record.id, &pair.to) => self.take_linked(mapping, record, &pair),
            // HubSpot answers for a record that was merged with the one that survived.
            Some(record) => self.target_merged(mapping, &pair.to, record.id),
            None if mapping.outcome(Situation::TargetMerged).is_some() => {
                self.state = State::OfPair(OfPair::Survivor);
                Effect::Survivor { object: mapping.target.clone(), id: pair.to }
            }
            None => self.target_deleted(mapping, &pair.to),
        }
    }

    /// Goes on after the CRM was asked what became of a linked record that is not there.
    fn survivor(&mut self, mapping: &Mapping, into: Option<String>) -> Effect {
        // INVARIANT: only a link leads here.
        let Some(pair) = self.link.clone() else { return self.rung(mapping, 0) };
        match into {
            Some(into) => self.target_merged(mapping, &pair.to, into),
            None => self.target_deleted(mapping, &pair.to),
        }
    }

    /// Takes the surviving record; one that is gone itself was deleted after all.
    fn followed(&mut self, mapping: &Mapping, record: Option<Record>) -> Effect {
        // INVARIANT: only a link leads here.
        let Some(pair) = self.link.clone() else { return self.rung(mapping, 0) };
        match record {
            Some(record) => self.take_linked(mapping, record, &pair),
            None => self.target_deleted(mapping, &pair.to),
        }
    }

    /// A record that came with a merge holds the key of the record that was merged, which is no longer anybody's.
    fn take_linked(&mut self, mapping: &Mapping, record: Record, pair: &LinkedPair) -> Effect {
        if pair.inherited { self.take_inherited(mapping, record) } else { self.found(mapping, record, None) }
    }

    fn target_merged(&mut self, mapping: &Mapping, gone: &str, into: String) -> Effect {
        let (action, at) = self.decided(mapping, Situation::TargetMerged);
        match action {
            Some(OutcomeAction::Follow) => {
                self.remember(mapping, LinkFate::PointsAt { target: into.clone() });
                self.path.push(format!("{} {gone} was merged into {into}", mapping.target));
                self.state = State::OfPair(OfPair::Followed);
                Effect::Read(target_read(mapping, into))
            }
            Some(OutcomeAction::Park(said)) => {
                self.remember(mapping, LinkFate::TargetGone);
                let what = format!("{} {gone} was merged into {into}", mapping.target);
                let help = format!("{} {} is linked to it", mapping.source, self.record);
                self.park_ended(said.as_ref(), what, help, at)
            }
            _ => self.rung(mapping, 0),
        }
    }

    /// The linked record is gone, and the source record has changed.
    fn target_deleted(&mut self, mapping: &Mapping, gone: &str) -> Effect {
        self.remember(mapping, LinkFate::TargetGone);
        let (action, at) = self.decided(mapping, Situation::TargetDeleted);
        let what = format!("{} {gone} is gone", mapping.target);
        match action {
            Some(OutcomeAction::Skip) => {
                let reason = format!("{what}, to which {} {} is linked", mapping.source, self.record);
                self.finish(Verdict::Skipped { reason, at })
            }
            Some(OutcomeAction::Park(said)) => {
                let help = format!(
                    "{} {} is linked to it; restore it and retry, or drop this",
                    mapping.source, self.record
                );
                self.park_ended(said.as_ref(), what, help, at)
            }
            Some(OutcomeAction::Unlink) => {
                self.path.push(format!("{what}, so the pair is forgotten"));
                self.remember(mapping, LinkFate::Forgotten);
                self.rung(mapping, 0)
            }
            _ => self.rung(mapping, 0),
        }
    }

    /// The key finds a record, and another one came over from a record that was merged into this one.
    pub(super) fn key_and_inherited(&mut self, mapping: &Mapping, record: Record) -> Effect {
        match self.link.clone() {
            Some(pair) if pair.inherited && !same_id(&record.id, &pair.to) => {
                self.state = State::OfPair(OfPair::Rival(Box::new(record)));
                Effect::Read(target_read(mapping, pair.to))
            }
            _ => self.take(mapping, record),
        }
    }

    /// Goes on with the key's record if the one that came over is gone.
    fn rival_read(&mut self, mapping: &Mapping, own: Record, other: Option<&Record>) -> Effect {
        let Some(other) = other.filter(|other| !same_id(&other.id, &own.id)) else {
            return self.take(mapping, own);
        };
        let (_, at) = self.decided(mapping, Situation::SourceMerged);
        let (source, target) = (&mapping.source, &mapping.target);
        let reason = format!(
            "another {} was merged into {}, and both have a {}: {} and {}",
            source.name, self.record, target.name, own.id, other.id
        );
        let help = format!("merge the two in {}, then retry", target.side.label());
        self.park(Park { help: Some(help), at, ..Park::because(reason) })
    }

    fn remember(&mut self, mapping: &Mapping, fate: LinkFate) {
        self.links.push(LinkChange { by: mapping.name.clone(), fate });
    }
}

fn links(mapping: &Mapping, ids: Vec<String>) -> Effect {
    Effect::Links(LinkRequest {
        by: Some(mapping.name.clone()),
        of: mapping.source.clone(),
        ids,
        to: mapping.target.clone(),
    })
}

impl Run {
    /// What the mapping says of a situation that has arisen, and where.
    fn decided<'m>(
        &self,
        mapping: &'m Mapping,
        situation: Situation,
    ) -> (Option<&'m OutcomeAction>, Option<Location>) {
        let outcome = self.outcome(mapping, situation);
        (outcome.map(|outcome| &outcome.action), outcome.map(|outcome| outcome.at.clone()))
    }
}

/// Salesforce takes an id of 15 characters and answers with that of 18.
fn same_id(one: &str, other: &str) -> bool {
    one == other
        || matches!((one.len(), other.len()), (15, 18) | (18, 15)) && one.get(..15) == other.get(..15)
}
