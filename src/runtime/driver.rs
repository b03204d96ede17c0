//! Advances many runs side by side and performs what they ask for in as few calls as it can.
//!
//! A round: every run that is not over has one effect. Effects of one kind go to the CRM together (reads of the same
//! object and fields share their ids, look-ups and writes of one CRM share a call), different groups at the same time.
//! Then every run gets its answer and says what it needs next.
//!
//! Cancellation: dropping the future may leave writes applied and unreported; the lanes then stay pending and run again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::future::join_all;

use crate::crm::Crm;
use crate::eval::{Answer, Effect, Finished, PlannedWrite};
use crate::source::{ObjectName, Side};
use crate::store::StoreError;
use crate::types::{
    AssociateRequest, AssociatedRequest, ChangedRequest, ConvertAnswer, ConvertRequest, CrmError,
    CrmErrorKind, FindRequest, LinkRequest, ReadRequest, Record, WriteAnswer, WriteRequest, WriteTarget,
};

use super::engine::Job;
use super::intents::Announcer;
use super::once::refusal;
use super::{Crms, Memory};

/// Ids of one read. The clients split it into their vendor's batches, so that one that takes more gets more.
const READ_IDS: usize = 1_000;

/// Rows of one write; split by the clients too, whose batches follow one another: two at the same time would lock one
/// another out of a parent record.
pub(super) const WRITE_ROWS: usize = 1_000;

/// Effects after which a run is stopped: a mapping's ladder and hand-overs need a dozen, so this is a loop.
const MAX_EFFECTS: usize = 200;

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all runs end by themselves, and an end is moved twice")]
pub(super) enum End {
    /// By itself.
    Finished(Finished),
    /// A call failed.
    Failed(CrmError),
    /// The store could not say what it remembers, or keep what was going to be written.
    Unremembered(String),
    /// The interpreter broke an assumption of its own; the text is for the log.
    Broken(String),
}

/// A run and what it is waiting for.
struct Slot {
    job: Box<dyn Job>,
    effects: usize,
    /// The round in which it began to look at the records that it may write.
    looked: usize,
    state: State,
}

enum State {
    Wants(Effect),
    Over(End),
}

/// Runs jobs to their ends, in order of the jobs.
#[cfg(test)]
pub(super) async fn drive(jobs: Vec<Box<dyn Job>>, crms: &Crms, memory: Memory<'_>) -> Vec<End> {
    drive_by(jobs, crms, memory, WRITE_ROWS, None).await
}

/// The same, with at most so many rows in one write. What is going to be written is announced before it is sent; where that
/// fails nothing is sent, and the runs end.
pub(super) async fn drive_by(
    jobs: Vec<Box<dyn Job>>,
    crms: &Crms,
    memory: Memory<'_>,
    rows: usize,
    announcer: Option<&Announcer<'_>>,
) -> Vec<End> {
    let mut slots: Vec<Slot> = jobs.into_iter().map(Slot::start).collect();
    let mut writes = Writes { rows, ..Writes::default() };
    loop {
        writes.round += 1;
        let mut calls = plan_round(&mut slots, &mut writes);
        if calls.is_empty() {
            break;
        }
        if let Some(announcer) = announcer {
            announce(announcer, &mut slots, &mut calls).await;
        }
        let answers = join_all(calls.into_iter().map(|call| call.perform(crms, memory))).await;
        for (index, answer) in assemble(answers.into_iter().flatten()) {
            slots[index].answer(answer);
        }
    }
    slots.into_iter().map(Slot::end).collect()
}

/// Announces the writes of a round. Those that could not be announced are not sent.
async fn announce(announcer: &Announcer<'_>, slots: &mut [Slot], calls: &mut Vec<Call>) {
    let writing = calls.iter().flat_map(|call| match call {
        Call::Write { waiting, .. } => waiting.as_slice(),
        _ => &[],
    });
    let planned = writing.filter_map(|index| match &slots[*index].state {
        State::Wants(Effect::Write(planned)) => Some((*index, planned)),
        _ => None,
    });
    let planned: Vec<(usize, &PlannedWrite)> = planned.collect();
    if planned.is_empty() {
        return;
    }
    if let Err(error) = announcer.announce(&planned).await {
        let unsent: Vec<usize> = planned.iter().map(|(index, _)| *index).collect();
        calls.retain(|call| !matches!(call, Call::Write { .. }));
        for index in unsent {
            slots[index].answer(Err(Lost::Links(error.to_string())));
        }
    }
}

/// Puts the look-ups or associations of a run together again, in the order in which it asked; one that failed fails all
/// of them.
fn assemble(parts: impl Iterator<Item = Part>) -> BTreeMap<usize, Result<Answer, Lost>> {
    let mut found: BTreeMap<usize, Result<BTreeMap<usize, Vec<Record>>, Lost>> = BTreeMap::new();
    let mut said: BTreeMap<usize, BTreeMap<usize, Option<String>>> = BTreeMap::new();
    let mut answers = BTreeMap::new();
    for (index, part) in parts {
        match part {
            Ok(Reply::Whole(answer)) => {
                answers.insert(index, Ok(answer));
            }
            Ok(Reply::Found(place, records)) => {
                if let Ok(places) = found.entry(index).or_insert_with(|| Ok(BTreeMap::new())) {
                    places.insert(place, records);
                }
            }
            Ok(Reply::Said(place, words)) => {
                said.entry(index).or_default().insert(place, words);
            }
            Err(error) => {
                found.insert(index, Err(error));
            }
        }
    }
    answers.extend(
        said.into_iter().map(|(index, said)| (index, Ok(Answer::Associations(said.into_values().collect())))),
    );
    let found = found.into_iter().map(|(index, found)| (index, found.map(in_order)));
    answers.extend(found);
    answers
}

fn in_order(places: BTreeMap<usize, Vec<Record>>) -> Answer {
    Answer::Found(places.into_values().collect())
}

impl Slot {
    fn start(job: Box<dyn Job>) -> Self {
        let mut slot =
            Self { job, effects: 0, looked: 0, state: State::Over(End::Broken("not started".to_owned())) };
        slot.advance(None);
        slot
    }

    fn answer(&mut self, answer: Result<Answer, Lost>) {
        match answer {
            Ok(
                Answer::Written(WriteAnswer::Failed(error)) | Answer::Converted(ConvertAnswer::Failed(error)),
            )
            | Err(Lost::Call(error)) => {
                self.state = State::Over(End::Failed(error));
            }
            Err(Lost::Links(error)) => self.state = State::Over(End::Unremembered(error)),
            Ok(answer) => self.advance(Some(answer)),
        }
    }

    /// A panic of the interpreter ends this run and no other. The run is not used again afterwards.
    fn advance(&mut self, answer: Option<Answer>) {
        self.effects += 1;
        let job = &mut self.job;
        self.state = match catch_unwind(AssertUnwindSafe(|| job.next(answer))) {
            _ if self.effects > MAX_EFFECTS => {
                State::Over(End::Broken(format!("more than {MAX_EFFECTS} effects")))
            }
            Ok(Effect::Finish(finished)) => State::Over(End::Finished(finished)),
            Ok(effect) => State::Wants(effect),
            Err(panic) => State::Over(End::Broken(panic_text(panic.as_ref()))),
        };
    }

    fn end(self) -> End {
        match self.state {
            State::Over(end) => end,
            // INVARIANT: the last round had no calls, so no run wants anything.
            State::Wants(_) => End::Broken("left waiting".to_owned()),
        }
    }
}

pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}

/// One call to a CRM, and who waits for which part of its answer.
enum Call {
    Read {
        request: ReadRequest,
        waiting: Vec<(usize, Vec<String>)>,
    },
    Associated {
        request: AssociatedRequest,
        waiting: Vec<(usize, Vec<String>)>,
    },
    Find {
        side: Side,
        requests: Vec<FindRequest>,
        waiting: Vec<(usize, usize)>,
    },
    Write {
        side: Side,
        requests: Vec<WriteRequest>,
        waiting: Vec<usize>,
    },
    Convert {
        side: Side,
        requests: Vec<ConvertRequest>,
        waiting: Vec<usize>,
    },
    Links {
        request: LinkRequest,
        waiting: Vec<(usize, Vec<String>)>,
    },
    Changed {
        request: ChangedRequest,
        waiting: Vec<usize>,
    },
    Survivor {
        object: ObjectName,
        id: String,
        waiting: Vec<usize>,
    },
    Associate {
        side: Side,
        /// Whether these are removed, not added.
        removes: bool,
        requests: Vec<AssociateRequest>,
        waiting: Vec<(usize, usize)>,
    },
    /// Nothing to ask, such as no look-ups at all.
    Nothing {
        index: usize,
        answer: Answer,
    },
}

/// Groups what the runs want.
fn plan_round(slots: &mut [Slot], writes: &mut Writes) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut reads: HashMap<(String, Vec<String>), usize> = HashMap::new();
    for (index, slot) in slots.iter_mut().enumerate() {
        let State::Wants(effect) = &slot.state else { continue };
        match effect {
            Effect::Read(request) => add_read(&mut calls, &mut reads, index, request),
            Effect::Associated(request) => add_associated(&mut calls, index, request),
            Effect::Find(requests) => add_find(&mut calls, index, requests),
            Effect::Write(write) => match writes.turn(write, slot.looked) {
                Turn::Send => add_write(&mut calls, index, &write.request, writes.rows),
                Turn::Wait => {}
                Turn::LookAgain => {
                    // Each time another run has written, so these are bounded by the runs.
                    (slot.looked, slot.effects) = (writes.round, 0);
                    calls.push(Call::Nothing { index, answer: Answer::LookAgain });
                }
            },
            Effect::Convert(planned) => add_conversion(&mut calls, index, &planned.request),
            Effect::Links(request) => add_links(&mut calls, index, request),
            Effect::Changed(request) => add_changed(&mut calls, index, request),
            Effect::Survivor { object, id } => add_survivor(&mut calls, index, object, id),
            Effect::Associate { add, remove } => {
                add_associate(&mut calls, index, add, 0, false);
                add_associate(&mut calls, index, remove, add.len(), true);
            }
            // INVARIANT: a finish ends the slot in `advance`.
            Effect::Finish(_) => {}
        }
    }
    calls
}

fn add_read(
    calls: &mut Vec<Call>,
    open: &mut HashMap<(String, Vec<String>), usize>,
    index: usize,
    wanted: &ReadRequest,
) {
    let group = (wanted.object.to_string(), wanted.fields.clone());
    if let Some(Call::Read { request, waiting }) = open.get(&group).and_then(|at| calls.get_mut(*at)) {
        let fresh: Vec<String> = wanted.ids.iter().filter(|id| !request.ids.contains(id)).cloned().collect();
        if request.ids.len() + fresh.len() <= READ_IDS {
            request.ids.extend(fresh);
            waiting.push((index, wanted.ids.clone()));
            return;
        }
    }
    open.insert(group, calls.len());
    calls.push(Call::Read { request: wanted.clone(), waiting: vec![(index, wanted.ids.clone())] });
}

fn add_associated(calls: &mut Vec<Call>, index: usize, wanted: &AssociatedRequest) {
    let same = calls.iter_mut().find_map(|call| match call {
        Call::Associated { request, waiting }
            if request.from == wanted.from
                && request.to == wanted.to
                && request.kind == wanted.kind
                && request.ids.len() + wanted.ids.len() <= READ_IDS =>
        {
            Some((request, waiting))
        }
        _ => None,
    });
    if let Some((request, waiting)) = same {
        let fresh: Vec<String> = wanted.ids.iter().filter(|id| !request.ids.contains(id)).cloned().collect();
        request.ids.extend(fresh);
        waiting.push((index, wanted.ids.clone()));
    } else {
        calls.push(Call::Associated { request: wanted.clone(), waiting: vec![(index, wanted.ids.clone())] });
    }
}

/// Links come from the store, many in one question.
fn add_links(calls: &mut Vec<Call>, index: usize, wanted: &LinkRequest) {
    let same = calls.iter_mut().find_map(|call| match call {
        Call::Links { request, waiting }
            if request.by == wanted.by && request.of == wanted.of && request.to == wanted.to =>
        {
            Some((request, waiting))
        }
        _ => None,
    });
    if let Some((request, waiting)) = same {
        let fresh: Vec<String> = wanted.ids.iter().filter(|id| !request.ids.contains(id)).cloned().collect();
        request.ids.extend(fresh);
        waiting.push((index, wanted.ids.clone()));
    } else {
        calls.push(Call::Links { request: wanted.clone(), waiting: vec![(index, wanted.ids.clone())] });
    }
}

/// The history of one record is one call; it is asked for only where both sides of a pair have changed.
fn add_changed(calls: &mut Vec<Call>, index: usize, wanted: &ChangedRequest) {
    let same = calls.iter_mut().find_map(|call| match call {
        Call::Changed { request, waiting } if request == wanted => Some(waiting),
        _ => None,
    });
    match same {
        Some(waiting) => waiting.push(index),
        None => calls.push(Call::Changed { request: wanted.clone(), waiting: vec![index] }),
    }
}

fn add_survivor(calls: &mut Vec<Call>, index: usize, wanted: &ObjectName, gone: &str) {
    let same = calls.iter_mut().find_map(|call| match call {
        Call::Survivor { object, id, waiting } if object == wanted && id == gone => Some(waiting),
        _ => None,
    });
    match same {
        Some(waiting) => waiting.push(index),
        None => {
            calls.push(Call::Survivor { object: wanted.clone(), id: gone.to_owned(), waiting: vec![index] });
        }
    }
}

/// A run may look up in both CRMs at once; each CRM's look-ups go into one call.
fn add_find(calls: &mut Vec<Call>, index: usize, wanted: &[FindRequest]) {
    if wanted.is_empty() {
        calls.push(Call::Nothing { index, answer: Answer::Found(Vec::new()) });
    }
    for (place, request) in wanted.iter().enumerate() {
        let of = request.object.side;
        let same = calls.iter_mut().find_map(|call| match call {
            Call::Find { side, requests, waiting } if *side == of => Some((requests, waiting)),
            _ => None,
        });
        if let Some((requests, waiting)) = same {
            requests.push(request.clone());
            waiting.push((index, place));
        } else {
            calls.push(Call::Find {
                side: of,
                requests: vec![request.clone()],
                waiting: vec![(index, place)],
            });
        }
    }
}

/// Associations of all runs go into one call; the client makes the vendor's batches of them.
fn add_associate(
    calls: &mut Vec<Call>,
    index: usize,
    wanted: &[AssociateRequest],
    first: usize,
    removed: bool,
) {
    for (place, request) in wanted.iter().enumerate() {
        let of = request.from.side;
        let at = (index, first + place);
        let open = calls.iter_mut().find_map(|call| match call {
            Call::Associate { side, removes, requests, waiting } if *side == of && *removes == removed => {
                Some((requests, waiting))
            }
            _ => None,
        });
        if let Some((requests, waiting)) = open {
            requests.push(request.clone());
            waiting.push(at);
        } else {
            let requests = vec![request.clone()];
            calls.push(Call::Associate { side: of, removes: removed, requests, waiting: vec![at] });
        }
    }
}

fn add_write(calls: &mut Vec<Call>, index: usize, wanted: &WriteRequest, rows: usize) {
    let of = wanted.object.side;
    let open = calls.iter_mut().find_map(|call| match call {
        Call::Write { side, requests, waiting } if *side == of && requests.len() < rows => {
            Some((requests, waiting))
        }
        _ => None,
    });
    if let Some((requests, waiting)) = open {
        requests.push(wanted.clone());
        waiting.push(index);
    } else {
        calls.push(Call::Write { side: of, requests: vec![wanted.clone()], waiting: vec![index] });
    }
}

/// Conversions of all runs go into one call; the client makes the vendor's batches of them.
fn add_conversion(calls: &mut Vec<Call>, index: usize, wanted: &ConvertRequest) {
    let of = wanted.object.side;
    let open = calls.iter_mut().find_map(|call| match call {
        Call::Convert { side, requests, waiting } if *side == of => Some((requests, waiting)),
        _ => None,
    });
    if let Some((requests, waiting)) = open {
        requests.push(wanted.clone());
        waiting.push(index);
    } else {
        calls.push(Call::Convert { side: of, requests: vec![wanted.clone()], waiting: vec![index] });
    }
}

/// What was written in which round, so that no run writes over what it has not seen.
///
/// Two writes to one record never share a call (the vendor refuses the batch, or picks an order), and neither do two new
/// records that rely on the same look-up having found nothing. The second waits for the first, and then looks again.
#[derive(Default)]
struct Writes {
    round: usize,
    /// Rows of one write.
    rows: usize,
    sent: HashMap<String, usize>,
}

/// What a write must do in this round.
enum Turn {
    Send,
    Wait,
    LookAgain,
}

impl Writes {
    fn turn(&mut self, write: &PlannedWrite, looked: usize) -> Turn {
        let touched = touched(write);
        match touched.iter().filter_map(|key| self.sent.get(key)).max() {
            Some(sent) if *sent == self.round => Turn::Wait,
            Some(sent) if *sent >= looked => Turn::LookAgain,
            _ => {
                let round = self.round;
                self.sent.extend(touched.into_iter().map(|key| (key, round)));
                Turn::Send
            }
        }
    }
}

/// What a write is about. In lower case, since Salesforce compares text without regard to it; two records that a CRM
/// tells apart by case alone are at worst written one after the other.
fn touched(write: &PlannedWrite) -> Vec<String> {
    let request = &write.request;
    let own = match &request.target {
        WriteTarget::Create => None,
        target => Some(format!("{} {target:?}", request.object)),
    };
    let relied = write.relies_on.iter().map(|find| format!("{} {:?}", find.object, find.filters));
    own.into_iter().chain(relied).map(|key| key.to_lowercase()).collect()
}

/// What a call brings for one run.
type Part = (usize, Result<Reply, Lost>);

/// Why a run has no answer.
#[derive(Debug, Clone)]
enum Lost {
    /// A call failed.
    Call(CrmError),
    /// The store failed.
    Links(String),
}

impl From<CrmError> for Lost {
    fn from(error: CrmError) -> Self {
        Lost::Call(error)
    }
}

/// A run's answer, or the part of it that one look-up or one association is.
enum Reply {
    Whole(Answer),
    Found(usize, Vec<Record>),
    Said(usize, Option<String>),
}

impl Call {
    async fn perform(self, crms: &Crms, memory: Memory<'_>) -> Vec<Part> {
        match self {
            Call::Read { request, waiting } => {
                let answer = crms.get(request.object.side).read(&request).await;
                share_read(&answer, waiting)
            }
            Call::Associated { request, waiting } => {
                let answer = crms.get(request.from.side).associated(&request).await;
                share_associated(&answer, waiting)
            }
            Call::Find { side, requests, waiting } => {
                let mut answers = crms.get(side).find(&requests).await.into_iter();
                waiting
                    .into_iter()
                    .map(|(index, place)| {
                        let found = answers.next().unwrap_or_else(|| Err(short_answer(side)));
                        (index, found.map(|records| Reply::Found(place, records)).map_err(Lost::from))
                    })
                    .collect()
            }
            Call::Write { side, requests, waiting } => {
                let mut answers = crms.get(side).write(&requests).await.into_iter();
                waiting
                    .into_iter()
                    .map(|index| {
                        let answer = answers.next().map(|answer| Reply::Whole(Answer::Written(answer)));
                        (index, answer.ok_or_else(|| lost_write(side).into()))
                    })
                    .collect()
            }
            Call::Convert { side, requests, waiting } => convert(crms.get(side), &requests, waiting).await,
            Call::Associate { side, removes, requests, waiting } => {
                change_associations(crms.get(side), removes, &requests, waiting).await
            }
            Call::Links { request, waiting } => share_links(&memory.links(&request).await, waiting),
            Call::Changed { request, waiting } => {
                let answer = crms.get(request.object.side).changed(&request).await.map(Answer::Changed);
                share(&answer, waiting)
            }
            Call::Survivor { object, id, waiting } => {
                let answer = crms.get(object.side).survivor(&object, &id).await.map(Answer::Survivor);
                share(&answer, waiting)
            }
            Call::Nothing { index, answer } => vec![(index, Ok(Reply::Whole(answer)))],
        }
    }
}

/// Gives each run what its records are associated with.
fn share_associated(
    answer: &Result<HashMap<String, Vec<String>>, CrmError>,
    waiting: Vec<(usize, Vec<String>)>,
) -> Vec<Part> {
    let part = |ids: Vec<String>| {
        let all = answer.as_ref().map_err(|error| Lost::from(error.clone()))?;
        let found = ids.iter().filter_map(|id| all.get(id).map(|to| (id.clone(), to.clone())));
        Ok(Reply::Whole(Answer::Associated(found.collect())))
    };
    waiting.into_iter().map(|(index, ids)| (index, part(ids))).collect()
}

/// Gives every run the same answer.
fn share(answer: &Result<Answer, CrmError>, waiting: Vec<usize>) -> Vec<Part> {
    let own = || answer.clone().map(Reply::Whole).map_err(Lost::from);
    waiting.into_iter().map(|index| (index, own())).collect()
}

/// Gives each run the links of its records.
fn share_links(answer: &Result<Answer, StoreError>, waiting: Vec<(usize, Vec<String>)>) -> Vec<Part> {
    let part = |ids: Vec<String>| match answer {
        Ok(Answer::Links(pairs)) => {
            let own = pairs.iter().filter(|pair| ids.contains(&pair.id)).cloned().collect();
            Ok(Reply::Whole(Answer::Links(own)))
        }
        // INVARIANT: the memory answers with links.
        Ok(_) => Ok(Reply::Whole(Answer::Links(Vec::new()))),
        Err(error) => Err(Lost::Links(error.to_string())),
    };
    waiting.into_iter().map(|(index, ids)| (index, part(ids))).collect()
}

/// Converts Leads, and gives each run what became of its own.
async fn convert(crm: &dyn Crm, requests: &[ConvertRequest], waiting: Vec<usize>) -> Vec<Part> {
    let mut answers = crm.convert(requests).await.into_iter();
    let part = |index| {
        let answer = answers.next().map(|answer| Reply::Whole(Answer::Converted(answer)));
        (index, answer.ok_or_else(|| lost_write(crm.side()).into()))
    };
    waiting.into_iter().map(part).collect()
}

/// Adds or removes associations, and gives each run what was said of its own.
async fn change_associations(
    crm: &dyn Crm,
    removes: bool,
    requests: &[AssociateRequest],
    waiting: Vec<(usize, usize)>,
) -> Vec<Part> {
    let answers = if removes { crm.dissociate(requests).await } else { crm.associate(requests).await };
    let mut answers = answers.into_iter();
    let part = |(index, place)| {
        let answer = answers.next().unwrap_or_else(|| Err(lost_write(crm.side())));
        (index, refusal(answer).map(|said| Reply::Said(place, said)).map_err(Lost::from))
    };
    waiting.into_iter().map(part).collect()
}

/// Gives each run its records. One that asked alone gets the whole answer, since a CRM may answer with a longer form of
/// the id that was asked for.
fn share_read(answer: &Result<Vec<Record>, CrmError>, waiting: Vec<(usize, Vec<String>)>) -> Vec<Part> {
    let alone = waiting.len() == 1;
    let part = |ids: Vec<String>| {
        let records = answer.as_ref().map_err(|error| Lost::from(error.clone()))?;
        let ids: HashSet<String> = ids.into_iter().collect();
        let own = records.iter().filter(|record| alone || ids.contains(&record.id)).cloned().collect();
        Ok(Reply::Whole(Answer::Records(own)))
    };
    waiting.into_iter().map(|(index, ids)| (index, part(ids))).collect()
}

fn short_answer(side: Side) -> CrmError {
    CrmError {
        side,
        kind: CrmErrorKind::Garbled,
        status: None,
        code: None,
        message: "fewer answers than look-ups".to_owned(),
        retry_after: None,
        maybe_applied: false,
    }
}

/// A write without an answer may have taken place: the record runs again from its look-up.
fn lost_write(side: Side) -> CrmError {
    CrmError {
        kind: CrmErrorKind::Retry,
        message: "fewer answers than writes".to_owned(),
        maybe_applied: true,
        ..short_answer(side)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::ObjectName;
    use crate::types::{Filter, FilterOp, Value};

    fn lead() -> ObjectName {
        ObjectName::new(Side::Salesforce, "Lead")
    }

    fn write(target: WriteTarget, email: Option<&str>) -> PlannedWrite {
        let find = |email: &str| FindRequest {
            object: lead(),
            filters: vec![Filter { field: "Email".to_owned(), op: FilterOp::Eq(Value::text(email)) }],
            ids: Vec::new(),
            fields: Vec::new(),
            limit: 1,
        };
        PlannedWrite {
            mapping: "lead".to_owned(),
            request: WriteRequest {
                object: lead(),
                target,
                fields: Vec::new(),
                allow_duplicates: false,
                assignment_rule: None,
            },
            relies_on: email.map(find).into_iter().collect(),
            changes: Vec::new(),
        }
    }

    fn upsert(key: &str, email: &str) -> PlannedWrite {
        write(WriteTarget::Upsert { key: "Key__c".to_owned(), value: key.to_owned() }, Some(email))
    }

    #[test]
    fn two_new_records_that_rely_on_one_look_up_are_written_one_after_the_other() {
        let mut writes = Writes { round: 3, ..Writes::default() };
        assert!(matches!(writes.turn(&upsert("1", "a@b.example"), 0), Turn::Send));
        assert!(matches!(writes.turn(&upsert("2", "A@B.example"), 0), Turn::Wait), "Salesforce ignores case");
        assert!(matches!(writes.turn(&upsert("3", "c@d.example"), 0), Turn::Send));
        writes.round = 4;
        assert!(matches!(writes.turn(&upsert("2", "A@B.example"), 0), Turn::LookAgain));
        writes.round = 6;
        assert!(matches!(writes.turn(&upsert("2", "A@B.example"), 4), Turn::Send), "it has looked since");
    }

    #[test]
    fn an_update_planned_before_another_runs_write_looks_again() {
        let update = || write(WriteTarget::Update { id: "L1".to_owned() }, None);
        let mut writes = Writes { round: 5, ..Writes::default() };
        assert!(matches!(writes.turn(&update(), 0), Turn::Send));
        assert!(matches!(writes.turn(&update(), 0), Turn::Wait));
        writes.round = 6;
        assert!(matches!(writes.turn(&update(), 0), Turn::LookAgain));
        let other = write(WriteTarget::Update { id: "L2".to_owned() }, None);
        assert!(matches!(writes.turn(&other, 0), Turn::Send));
    }

    #[test]
    fn new_records_without_key_or_look_up_touch_nothing() {
        let mut writes = Writes { round: 1, ..Writes::default() };
        for _ in 0..2 {
            assert!(matches!(writes.turn(&write(WriteTarget::Create, None), 0), Turn::Send));
        }
    }
}
