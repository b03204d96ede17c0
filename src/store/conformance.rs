//! What every store must do, as cases over `dyn Store`; each database's tests run all of them.

mod echoes;
mod erasures;
mod feed;
mod intents;
mod links;
mod merges;
mod trail;

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::{BoxFuture, join_all};

use crate::source::{Location, ObjectName, Side};
use crate::types::{AwaitedPair, ChangeEvent, ChangeKind, Value};

use super::{
    FieldWritten, Incoming, Lane, LeaseRequest, LeasedLane, MappingResult, NewEvent, Next, Notes, Outcome,
    ParkReason, ParkState, RecordKey, Settled, Settlement, Store,
};

type Case = for<'a> fn(&'a dyn Store) -> BoxFuture<'a, ()>;

/// All cases with their names; each wants an empty store.
pub(crate) fn cases() -> Vec<(&'static str, Case)> {
    vec![
        ("an event is stored once", |s| Box::pin(stored_once(s))),
        ("a burst of one record is one lane, in order", |s| Box::pin(one_lane_in_order(s))),
        ("what is due is counted up to a bound", |s| Box::pin(due(s))),
        ("an expired lease is fenced off", |s| Box::pin(fenced_off(s))),
        ("renewing holds a lease", |s| Box::pin(renewing(s))),
        ("events during a lease keep the lane alive", |s| Box::pin(events_during_a_lease(s))),
        ("a retry waits and counts", |s| Box::pin(retry(s))),
        ("parked and sent round again", |s| Box::pin(parked(s))),
        ("parked twice is parked once", |s| Box::pin(parked_twice(s))),
        ("a record that works again is resolved", |s| Box::pin(resolved(s))),
        ("dropped is over", |s| Box::pin(dropped(s))),
        ("waiting ends with the next result", |s| Box::pin(waiting(s))),
        ("waiting for a pair ends when it is settled", |s| Box::pin(awaited(s))),
        ("a pair that was settled meanwhile is not missed", |s| Box::pin(awaited_too_late(s))),
        ("provenance and links", |s| Box::pin(provenance(s))),
        ("counterparts from both sides", |s| Box::pin(links::counterparts(s))),
        ("a sync keeps its values", |s| Box::pin(links::synced(s))),
        ("ends of records leave tombstones", |s| Box::pin(links::tombstones(s))),
        ("links are forgotten, inherited and turned", |s| Box::pin(links::changed(s))),
        ("a link goes on with what its target became", |s| Box::pin(links::became(s))),
        ("a sync's pair is changed from its other end", |s| Box::pin(links::turned(s))),
        ("two merges into one record", |s| Box::pin(links::inherited_twice(s))),
        ("the records paired with one are told", |s| Box::pin(links::relayed(s))),
        ("a run by hand is kept", |s| Box::pin(links::by_hand(s))),
        ("a watermark moves with its events", |s| Box::pin(feed::advanced(s))),
        ("a watermark moves from where it is", |s| Box::pin(feed::stale(s))),
        ("a page that is read again adds nothing", |s| Box::pin(feed::again(s))),
        ("erased data is not remembered", |s| Box::pin(feed::forgotten(s))),
        ("versions of the project", |s| Box::pin(trail::projects(s))),
        ("one id follows a record", |s| Box::pin(trail::correlated(s))),
        ("what happened is told", |s| Box::pin(trail::told(s))),
        ("what is told of an erased record is gone", |s| Box::pin(trail::forgotten(s))),
        ("how the queue is", |s| Box::pin(trail::condition(s))),
        ("erased data is gone", |s| Box::pin(erased(s))),
        ("so is that of former ids", |s| Box::pin(erasures::former_ids(s))),
        ("what is told again of an erased record has no values", |s| Box::pin(erasures::told_again(s))),
        ("an erasure waits for nothing", |s| Box::pin(erasures::at_once(s))),
        ("a write that was carried out becomes history", |s| Box::pin(intents::carried_out(s))),
        ("a write that nobody looked at stays open", |s| Box::pin(intents::left_open(s))),
        ("what was to be written is forgotten, too", |s| Box::pin(intents::forgotten(s))),
        ("what was put off is hastened", |s| Box::pin(intents::hastened(s))),
        ("pairs do not see each other", |s| Box::pin(pairs(s))),
        ("ignored events make no work", |s| Box::pin(ignored(s))),
        ("a mapping asked for by name", |s| Box::pin(requested(s))),
        ("how a sync left its pair is known to its echoes", |s| Box::pin(echoes::met(s))),
        ("a pair is worked on from one side at a time", |s| Box::pin(echoes::apart(s))),
        ("what waits for its pair holds up no other", |s| Box::pin(echoes::behind(s))),
        ("records leased together have each its own work", |s| Box::pin(echoes::together(s))),
        ("the survivor of a merge comes after it", |s| Box::pin(echoes::heirs(s))),
        ("the survivor of a merge in hand waits", |s| Box::pin(merges::apart(s))),
        ("the survivor of a merge put off waits", |s| Box::pin(merges::later(s))),
        ("a merge waits for its survivor in hand", |s| Box::pin(merges::survivor_in_hand(s))),
        ("a lost lease ends where a merge goes first", |s| Box::pin(merges::lost(s))),
        ("merges in a chain go in order", |s| Box::pin(merges::chained(s))),
        ("merges in a circle come to an end", |s| Box::pin(merges::circles(s))),
        ("a merge that was undone holds up nobody", |s| Box::pin(merges::undone(s))),
        ("what is old goes in steps", |s| Box::pin(pruned(s))),
        ("of what is told the latest stays", |s| Box::pin(trail::pruned(s))),
        ("ten thousand events", |s| Box::pin(ten_thousand(s))),
        ("many writers at once", |s| Box::pin(many_writers(s))),
    ]
}

/// A time, in seconds after the start of the case.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("a time")
}

/// Asks for all that is due, for a minute.
pub(crate) fn lease_at(seconds: i64) -> LeaseRequest {
    LeaseRequest {
        pair: "main".to_owned(),
        worker: "w".to_owned(),
        limit: 100,
        now: at(seconds),
        ttl: Duration::from_mins(1),
        project: None,
        erasures: false,
    }
}

/// Appends one event and leases its lane.
pub(crate) async fn append_and_lease(store: &dyn Store) -> Vec<LeasedLane> {
    store.append(vec![event("5501", "a", 0)]).await.expect("append");
    store.lease(lease_at(0)).await.expect("lease")
}

/// An event of a contact; the text tells events of one record apart.
pub(crate) fn event(record: &str, what: &str, seconds: i64) -> NewEvent {
    let change = ChangeEvent {
        object: ObjectName::new(Side::Hubspot, "contact"),
        record: record.to_owned(),
        kind: ChangeKind::FieldChanged { field: "lifecyclestage".to_owned(), value: Some(what.to_owned()) },
        occurred_at: at(seconds),
    };
    NewEvent {
        pair: "main".to_owned(),
        dedupe: format!("{record}/{what}"),
        raw: format!("{{\"objectId\":{record}}}"),
        received_at: at(0),
        incoming: Incoming::Change(change),
    }
}

fn contact(record: &str) -> RecordKey {
    RecordKey::new("main", ObjectName::new(Side::Hubspot, "contact"), record)
}

fn lead() -> ObjectName {
    ObjectName::new(Side::Salesforce, "Lead")
}

fn done(outcome: Option<Outcome>) -> Settlement {
    let results = outcome.map(|outcome| MappingResult {
        mapping: "mql_to_lead".to_owned(),
        ended_by: "contact_from_mql".to_owned(),
        outcome,
        notes: Notes::default(),
    });
    Settlement { next: Next::Done, results: results.into_iter().collect() }
}

fn reason(text: &str) -> ParkReason {
    ParkReason {
        reason: text.to_owned(),
        field: Some("Status".to_owned()),
        answer: None,
        help: None,
        code: None,
        at: Some(Location { file: "mql_to_lead.map".to_owned(), line: 12, column: 5 }),
    }
}

fn written() -> Outcome {
    Outcome::Written {
        object: lead(),
        id: "00Q000000000001AAA".to_owned(),
        created: true,
        fields: vec![FieldWritten {
            field: "City".to_owned(),
            old: None,
            new: Value::Text("Tempe".to_owned()),
            at: Location { file: "mql_to_lead.map".to_owned(), line: 30, column: 3 },
        }],
    }
}

async fn settle(store: &dyn Store, lane: &Lane, settlement: Settlement, seconds: i64) {
    let settled = store.settle(lane, settlement, at(seconds)).await.expect("settle");
    assert_eq!(settled, Settled::Accepted);
}

async fn lanes(store: &dyn Store) -> u64 {
    store.pending().await.expect("pending").lanes
}

/// What the lifecycle stages of a lane's events are, in order.
fn words(lane: &LeasedLane) -> Vec<String> {
    let word = |kind: &ChangeKind| match kind {
        ChangeKind::FieldChanged { value: Some(value), .. } => value.clone(),
        other => panic!("{other:?}"),
    };
    lane.events.iter().map(|event| word(&event.change.kind)).collect()
}

async fn stored_once(store: &dyn Store) {
    let first = store.append(vec![event("1", "a", 0), event("1", "a", 0)]).await.expect("append");
    assert_eq!([first[0].new, first[1].new], [true, false]);
    let again = store.append(vec![event("1", "a", 0), event("1", "b", 0)]).await.expect("append");
    assert_eq!(again[0].id, first[0].id);
    assert_eq!([again[0].new, again[1].new], [false, true]);
    let pending = store.pending().await.expect("pending");
    assert_eq!((pending.lanes, pending.events, pending.oldest), (1, 2, Some(at(0))));

    let (one, two) = (store.append(vec![event("2", "x", 0)]), store.append(vec![event("2", "x", 0)]));
    let (one, two) = futures_util::future::join(one, two).await;
    let (one, two) = (one.expect("append")[0], two.expect("append")[0]);
    assert_eq!(one.id, two.id);
    assert!(one.new != two.new, "exactly one delivery is the first");
}

async fn one_lane_in_order(store: &dyn Store) {
    store.append(vec![event("1", "third", 3), event("2", "other", 0)]).await.expect("append");
    store
        .append(vec![event("1", "first", 1), event("1", "second", 2), event("1", "also second", 2)])
        .await
        .expect("ok");
    let lanes = store.lease(lease_at(0)).await.expect("lease");
    assert_eq!(lanes.iter().map(|lane| lane.lane.key.record.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(words(&lanes[0]), ["first", "second", "also second", "third"]);
    assert!(
        store.lease(lease_at(1)).await.expect("lease").is_empty(),
        "no record is worked on twice at a time"
    );
}

async fn due(store: &dyn Store) {
    let due = async |seconds, at_most| store.due("main", at(seconds), at_most).await.expect("a count");
    assert_eq!(due(0, 9).await, 0);
    store.append(vec![event("1", "a", 0), event("1", "b", 1), event("2", "a", 0)]).await.expect("append");
    assert_eq!((due(0, 9).await, due(0, 1).await), (2, 1), "records, not events");
    assert_eq!(store.due("other", at(0), 9).await.expect("a count"), 0);
    let lanes = store.lease(lease_at(0)).await.expect("lease");
    assert_eq!((due(1, 9).await, due(61, 9).await), (0, 2), "leased, until the lease runs out");
    let later = Next::RetryAt { at: at(30), error: "no".to_owned(), counted: true };
    let settlement = Settlement { next: later, results: Vec::new() };
    store.settle(&lanes[0].lane, settlement, at(2)).await.expect("settle");
    assert_eq!((due(29, 9).await, due(30, 9).await), (0, 1), "not before its time");
}

async fn fenced_off(store: &dyn Store) {
    let slow = append_and_lease(store).await.remove(0);
    assert!(store.lease(lease_at(59)).await.expect("lease").is_empty());
    let quick = store.lease(lease_at(60)).await.expect("lease").remove(0);
    assert_eq!(quick.events, slow.events);
    assert_eq!(quick.attempts, 1);
    let settled = store.settle(&slow.lane, done(Some(written())), at(61)).await.expect("settle");
    assert_eq!(settled, Settled::Stale);
    assert!(
        store.links(&contact("5501")).await.expect("links").is_empty(),
        "a stale settlement leaves nothing"
    );
    assert_eq!(store.renew(std::slice::from_ref(&slow.lane), at(200)).await.expect("renew"), [false]);
    settle(store, &quick.lane, done(Some(written())), 62).await;
    let twice = store.settle(&quick.lane, done(None), at(63)).await.expect("settle");
    assert_eq!(twice, Settled::Stale);
    assert_eq!(lanes(store).await, 0);
}

async fn renewing(store: &dyn Store) {
    let lane = append_and_lease(store).await.remove(0).lane;
    assert_eq!(store.renew(std::slice::from_ref(&lane), at(120)).await.expect("renew"), [true]);
    assert!(store.lease(lease_at(100)).await.expect("lease").is_empty());
    settle(store, &lane, done(None), 110).await;
}

async fn events_during_a_lease(store: &dyn Store) {
    let lane = append_and_lease(store).await.remove(0).lane;
    // Older by the CRM's clock than the one under way: late, and yet not lost.
    store.append(vec![event("5501", "late", -100)]).await.expect("append");
    settle(store, &lane, done(None), 1).await;
    assert_eq!(lanes(store).await, 1);
    let next = store.lease(lease_at(2)).await.expect("lease").remove(0);
    assert_eq!(words(&next), ["late"]);
    assert_eq!(next.attempts, 0);
    settle(store, &next.lane, done(None), 3).await;
    assert_eq!(lanes(store).await, 0);
}

async fn retry(store: &dyn Store) {
    let first = append_and_lease(store).await.remove(0);
    let next = |seconds, counted| Settlement {
        next: Next::RetryAt { at: at(seconds), error: "busy".to_owned(), counted },
        results: Vec::new(),
    };
    settle(store, &first.lane, next(30, true), 1).await;
    store.append(vec![event("5501", "b", 1)]).await.expect("append");
    assert!(
        store.lease(lease_at(29)).await.expect("lease").is_empty(),
        "a new event does not end the back-off"
    );
    let second = store.lease(lease_at(30)).await.expect("lease").remove(0);
    assert_eq!((second.attempts, second.last_error.as_deref()), (1, Some("busy")));
    assert_eq!(words(&second), ["a", "b"]);
    settle(store, &second.lane, next(40, false), 31).await;
    let third = store.lease(lease_at(40)).await.expect("lease").remove(0);
    assert_eq!(third.attempts, 1, "a pause of the CRM is not the record's fault");
}

async fn parked(store: &dyn Store) {
    let lane = append_and_lease(store).await.remove(0);
    settle(store, &lane.lane, done(Some(Outcome::Parked(reason("no option")))), 5).await;
    let pending = store.pending().await.expect("pending");
    assert_eq!((pending.lanes, pending.events, pending.parked), (0, 0, 1));
    let parked = store.parked().await.expect("parked").remove(0);
    assert_eq!(parked.key, contact("5501"));
    assert_eq!(parked.reason, reason("no option"));
    assert_eq!(parked.events, [lane.events[0].id]);
    assert_eq!((parked.created_at, parked.state), (at(5), ParkState::Open));

    assert!(store.retry_parked(parked.id, at(9)).await.expect("retry"));
    assert!(!store.retry_parked(parked.id, at(9)).await.expect("retry"), "once only");
    assert!(store.parked().await.expect("parked").is_empty());
    let again = store.lease(lease_at(9)).await.expect("lease").remove(0);
    assert_eq!(again.events, lane.events);
    assert_eq!(again.requested, ["mql_to_lead"]);
    settle(store, &again.lane, done(Some(written())), 10).await;
    assert_eq!(lanes(store).await, 0);
    let shown = store.parked_record(parked.id).await.expect("show").expect("a record");
    assert_eq!(shown.state, ParkState::Retried);
    assert_eq!(store.parked_record(super::ParkedId(999)).await.expect("show"), None);
}

async fn parked_twice(store: &dyn Store) {
    for (n, what) in ["a", "b"].into_iter().enumerate() {
        store.append(vec![event("5501", what, 0)]).await.expect("append");
        let lane = store.lease(lease_at(0)).await.expect("lease").remove(0).lane;
        settle(store, &lane, done(Some(Outcome::Parked(reason(what)))), i64::try_from(n).expect("small"))
            .await;
    }
    let parked = store.parked().await.expect("parked");
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].reason, reason("b"));
    assert_eq!(parked[0].events.len(), 2);
}

async fn resolved(store: &dyn Store) {
    parked_twice(store).await;
    let id = store.parked().await.expect("parked")[0].id;
    store.append(vec![event("5501", "c", 0)]).await.expect("append");
    let lane = store.lease(lease_at(0)).await.expect("lease").remove(0).lane;
    settle(store, &lane, done(Some(written())), 9).await;
    assert!(store.parked().await.expect("parked").is_empty());
    assert_eq!(store.parked_record(id).await.expect("show").expect("a record").state, ParkState::Resolved);
}

async fn dropped(store: &dyn Store) {
    parked_twice(store).await;
    let id = store.parked().await.expect("parked")[0].id;
    assert!(store.drop_parked(id, at(9)).await.expect("drop"));
    assert!(!store.drop_parked(id, at(9)).await.expect("drop"));
    assert!(!store.retry_parked(id, at(9)).await.expect("retry"));
    assert_eq!(lanes(store).await, 0);
}

async fn waiting(store: &dyn Store) {
    let lane = append_and_lease(store).await.remove(0).lane;
    let (reason, fields) = ("no e-mail yet".to_owned(), vec!["email".to_owned()]);
    let wait = Outcome::Waiting { reason, fields, pairs: Vec::new() };
    settle(store, &lane, done(Some(wait)), 1).await;
    store.append(vec![event("5501", "b", 0)]).await.expect("append");
    let next = store.lease(lease_at(2)).await.expect("lease").remove(0);
    assert_eq!(next.waiting[0].mapping, "mql_to_lead");
    assert_eq!(next.waiting[0].fields, ["email"]);
    settle(store, &next.lane, done(Some(written())), 3).await;
    store.append(vec![event("5501", "c", 0)]).await.expect("append");
    assert!(store.lease(lease_at(4)).await.expect("lease")[0].waiting.is_empty());
}

/// Waits for the Lead of contact 5501.
fn awaits() -> Outcome {
    let object = ObjectName::new(Side::Hubspot, "contact");
    let pair = AwaitedPair { of: object, id: "5501".to_owned(), to: lead() };
    Outcome::Waiting { reason: "no Lead yet".to_owned(), fields: Vec::new(), pairs: vec![pair] }
}

async fn awaited(store: &dyn Store) {
    store.append(vec![event("1", "a", 0), event("2", "a", 0)]).await.expect("append");
    for lane in store.lease(lease_at(0)).await.expect("lease") {
        settle(store, &lane.lane, done(Some(awaits())), 1).await;
    }
    assert_eq!(lanes(store).await, 0, "nothing to do before the pair is there");
    // One of them does not wait any more: a later run of its mapping came to another end.
    store.append(vec![event("2", "b", 0)]).await.expect("append");
    let lane = store.lease(lease_at(2)).await.expect("lease").remove(0).lane;
    settle(store, &lane, done(Some(Outcome::Skipped)), 2).await;

    let lane = append_and_lease(store).await.remove(0).lane;
    settle(store, &lane, done(Some(written())), 3).await;
    let woken = store.lease(lease_at(4)).await.expect("lease");
    let asked: Vec<_> = woken.iter().map(|lane| (&lane.lane.key, lane.requested.as_slice())).collect();
    assert_eq!(asked, [(&contact("1"), ["mql_to_lead".to_owned()].as_slice())]);
    settle(store, &woken[0].lane, done(Some(written())), 5).await;
    assert_eq!(lanes(store).await, 0, "once");
}

async fn awaited_too_late(store: &dyn Store) {
    let lane = append_and_lease(store).await.remove(0).lane;
    store.append(vec![event("1", "a", 0)]).await.expect("append");
    let waiter = store.lease(lease_at(1)).await.expect("lease").remove(0).lane;
    settle(store, &lane, done(Some(written())), 2).await;
    // The waiter looked before that, and says so only now.
    settle(store, &waiter, done(Some(awaits())), 3).await;
    let again = store.lease(lease_at(4)).await.expect("lease");
    assert_eq!(again.len(), 1);
    assert_eq!((&again[0].lane.key, again[0].requested.len()), (&contact("1"), 1));
}

async fn provenance(store: &dyn Store) {
    let lane = append_and_lease(store).await.remove(0);
    settle(store, &lane.lane, done(Some(written())), 7).await;
    let target = RecordKey::new("main", lead(), "00Q000000000001AAA");
    let by_source = store.history(&contact("5501")).await.expect("history");
    assert_eq!(by_source, store.history(&target).await.expect("history"));
    assert_eq!(by_source.len(), 1);
    let entry = &by_source[0];
    assert_eq!((entry.at, entry.mapping.as_str(), entry.created), (at(7), "contact_from_mql", true));
    assert_eq!((&entry.source, &entry.target), (&contact("5501"), &target));
    assert_eq!((entry.field.field.as_str(), entry.field.at.line), ("City", 30));
    assert_eq!((&entry.field.old, &entry.field.new), (&None, &Value::Text("Tempe".to_owned())));
    assert_eq!(entry.events, [lane.events[0].id]);

    let link = store.links(&contact("5501")).await.expect("links").remove(0);
    assert_eq!((link.target, link.tombstone), (target.clone(), false));
    assert_eq!(store.set_tombstone(&target, true, at(8)).await.expect("tombstone"), 1);
    assert!(store.links(&contact("5501")).await.expect("links")[0].tombstone);
}

async fn erased(store: &dyn Store) {
    parked_twice(store).await;
    store.append(vec![event("5501", "c", 0), event("7", "other", 0)]).await.expect("append");
    let lanes = store.lease(lease_at(0)).await.expect("lease");
    let of =
        |record: &str| lanes.iter().find(|lane| lane.lane.key.record == record).expect("leased").lane.clone();
    settle(store, &of("7"), done(Some(Outcome::Parked(reason("other")))), 1).await;
    // Written and unfinished, so that there is provenance to erase.
    let partly = Settlement {
        next: Next::RetryAt { at: at(1), error: "half".to_owned(), counted: true },
        ..done(Some(written()))
    };
    settle(store, &of("5501"), partly, 1).await;
    assert_eq!(store.history(&contact("5501")).await.expect("history").len(), 1);

    let lane = store.lease(lease_at(2)).await.expect("lease").remove(0).lane;
    settle(store, &lane, Settlement { next: Next::Erase, results: Vec::new() }, 3).await;
    assert!(store.history(&contact("5501")).await.expect("history").is_empty());
    assert!(store.links(&contact("5501")).await.expect("links").is_empty());
    let parked = store.parked().await.expect("parked");
    assert_eq!(parked.len(), 1, "the other record is untouched");
    assert_eq!(parked[0].key, contact("7"));
    assert_eq!(super::Store::pending(store).await.expect("pending").events, 0);
    let again = store.append(vec![event("5501", "a", 0)]).await.expect("append");
    assert!(again[0].new, "the journal knows nothing of it any more");
}

async fn pairs(store: &dyn Store) {
    let other = NewEvent { pair: "other".to_owned(), ..event("1", "a", 0) };
    let appended = store.append(vec![event("1", "a", 0), other]).await.expect("append");
    assert!(appended[1].new);
    let leased = store.lease(lease_at(0)).await.expect("lease");
    assert_eq!(leased.len(), 1);
    assert_eq!(leased[0].lane.key.pair, "main");
}

async fn ignored(store: &dyn Store) {
    let Incoming::Change(change) = event("1", "a", 0).incoming else { unreachable!("a change") };
    let echo = Incoming::Ignored { reason: "our own write".to_owned(), change: Some(change) };
    let odd = Incoming::Ignored { reason: "unknown".to_owned(), change: None };
    let events = vec![
        NewEvent { incoming: echo, ..event("1", "a", 0) },
        NewEvent { incoming: odd, ..event("1", "b", 0) },
    ];
    assert!(store.append(events).await.expect("append").iter().all(|event| event.new));
    assert_eq!(lanes(store).await, 0);
    assert!(!store.append(vec![event("1", "a", 0)]).await.expect("append")[0].new);
}

async fn requested(store: &dyn Store) {
    store.request(&contact("1"), "backfill", at(0)).await.expect("request");
    let lane = store.lease(lease_at(0)).await.expect("lease").remove(0);
    assert!(lane.events.is_empty());
    assert_eq!(lane.requested, ["backfill"]);
    // Asked for again while it is under way: it must run once more.
    store.request(&contact("1"), "backfill", at(1)).await.expect("request");
    settle(store, &lane.lane, done(None), 2).await;
    let lane = store.lease(lease_at(3)).await.expect("lease").remove(0);
    assert_eq!(lane.requested, ["backfill"]);
    settle(store, &lane.lane, done(None), 4).await;
    assert_eq!(lanes(store).await, 0);
}

/// Of three records one is dealt with, one is parked and one waits to be worked on; all three come again much later.
async fn pruned(store: &dyn Store) {
    let day = |days: i64| days * 86_400;
    store.append(vec![event("1", "a", 0), event("2", "a", 0), event("3", "a", 0)]).await.expect("append");
    let leased = store.lease(lease_at(0)).await.expect("lease");
    settle(store, &leased[0].lane, done(Some(written())), 1).await;
    settle(store, &leased[1].lane, done(Some(Outcome::Parked(reason("no option")))), 1).await;
    let later = Next::RetryAt { at: at(day(500)), error: "busy".to_owned(), counted: true };
    settle(store, &leased[2].lane, Settlement { next: later, results: Vec::new() }, 1).await;
    feed::known_since(store, "1", ["7", "8"]).await;

    assert_eq!(store.prune(at(0), 9).await.expect("prune"), 0, "nothing is as old as that");
    // The event and the digests of the first, those of a row that has ended, and the run that parked the second, whose
    // reason is with what is parked; what tells where the present value came from stays, and what a row belongs to.
    assert_eq!(store.prune(at(day(90)), 9).await.expect("prune"), 4);
    assert_eq!(store.prune(at(day(90)), 9).await.expect("prune"), 0);
    let pending = store.pending().await.expect("pending");
    assert_eq!((pending.lanes, pending.events, pending.parked), (1, 1, 1));
    assert_eq!(store.history(&contact("1")).await.expect("history").len(), 1);
    assert_eq!(store.links(&contact("1")).await.expect("links").len(), 1);
    for (record, known) in [("1", false), ("7", true), ("8", false)] {
        assert_eq!(feed::is_known(store, record).await, known, "{record}");
    }
    let parked = store.parked().await.expect("parked").remove(0);
    assert!(store.retry_parked(parked.id, at(day(91))).await.expect("retry"));
    let again = store.lease(lease_at(day(91))).await.expect("lease").remove(0);
    assert_eq!(words(&again), ["a"], "a parked record keeps its events");
    settle(store, &again.lane, done(Some(written())), day(91)).await;

    // Written once more: the older entry is superseded.
    store.append(vec![event("1", "b", day(92))]).await.expect("append");
    let lane = store.lease(lease_at(day(92))).await.expect("lease").remove(0).lane;
    settle(store, &lane, done(Some(written())), day(92)).await;
    assert_eq!(
        store.prune(at(day(91) + 1), 9).await.expect("prune"),
        6,
        "two entries with their runs, an event, a parked record"
    );
    assert_eq!(store.history(&contact("1")).await.expect("history").len(), 1);
    // In steps.
    let ignored = |n: i64| NewEvent {
        incoming: Incoming::Ignored { reason: "unknown".to_owned(), change: None },
        ..event("9", &n.to_string(), 0)
    };
    store.append((0..5).map(ignored).collect()).await.expect("append");
    let mut steps = Vec::new();
    for _ in 0..4 {
        steps.push(store.prune(at(day(90)), 2).await.expect("prune"));
    }
    assert_eq!(steps, [2, 2, 1, 0]);
}

async fn ten_thousand(store: &dyn Store) {
    let events = (0..10_000).map(|n| event(&(n % 100).to_string(), &n.to_string(), n)).collect();
    let appended = store.append(events).await.expect("append");
    assert!(appended.iter().all(|event| event.new));
    let lanes = store.lease(lease_at(0)).await.expect("lease");
    assert_eq!(lanes.len(), 100);
    for lane in &lanes {
        let numbers: Vec<u32> = words(lane).into_iter().map(|word| word.parse().expect("a number")).collect();
        assert_eq!(numbers.len(), 100);
        assert!(numbers.is_sorted(), "in order");
    }
}

async fn many_writers(store: &dyn Store) {
    let events = (0..500).map(|n| store.append(vec![event(&(n % 250).to_string(), &n.to_string(), 0)]));
    let appended = join_all(events).await;
    assert!(appended.into_iter().all(|one| one.expect("append")[0].new));
    assert_eq!(lanes(store).await, 250);
}
