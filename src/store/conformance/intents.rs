//! What a store keeps of writes before they are sent.

use crate::source::Location;
use crate::store::{
    Begun, CorrelationId, FieldWritten, Incoming, Intent, IntentId, IntentTarget, IntentsEnd, LeaseRequest,
    LeasedLane, MappingResult, NewEvent, Next, Notes, Origin, Outcome, Project, ProjectId, RecordKey,
    Settlement, Store,
};
use crate::types::{ChangeKind, Value};

use super::{at, contact, event, lead, lease_at, settle};

const LEAD: &str = "00Q000000000001AAA";

async fn version(store: &dyn Store, revision: &str) -> ProjectId {
    let files = vec![("mql_to_lead.map".to_owned(), "one\ntwo\n".to_owned())];
    let project = Project { revision: Some(revision.to_owned()), files };
    store.remember_project(project, at(0)).await.expect("kept")
}

async fn leased(store: &dyn Store, project: ProjectId, seconds: i64) -> LeasedLane {
    let request = LeaseRequest { project: Some(project), ..lease_at(seconds) };
    store.lease(request).await.expect("lease").remove(0)
}

fn intent(lane: &LeasedLane, project: Option<ProjectId>, target: IntentTarget) -> Intent {
    let field = |field: &str, new: &str, line| FieldWritten {
        field: field.to_owned(),
        old: None,
        new: Value::text(new),
        at: Location { file: "mql_to_lead.map".to_owned(), line, column: 1 },
    };
    Intent {
        source: lane.lane.key.clone(),
        mapping: "mql_to_lead".to_owned(),
        ended_by: "mql_to_lead".to_owned(),
        object: lead(),
        target,
        fields: vec![field("City", "Tempe", 2), field("Status", "New", 1)],
        events: lane.events.iter().map(|event| event.id).collect(),
        begun: None,
        correlation: lane.correlation,
        project,
        at: at(2),
    }
}

fn keyed() -> IntentTarget {
    IntentTarget::Keyed("HubSpot_Contact_ID__c".to_owned())
}

fn ended(outcome: Outcome, end: IntentsEnd) -> Settlement {
    let mapping = "mql_to_lead".to_owned();
    let notes = Notes { intents: Some(end), ..Notes::default() };
    let result = MappingResult { ended_by: mapping.clone(), mapping, outcome, notes };
    Settlement { next: Next::Done, results: vec![result] }
}

fn unchanged() -> Outcome {
    Outcome::Unchanged { object: lead(), id: LEAD.to_owned() }
}

async fn open(store: &dyn Store, key: &RecordKey) -> Vec<IntentId> {
    store.intents(key).await.expect("intents").into_iter().map(|open| open.id).collect()
}

/// A run writes and dies; the next one finds its write carried out.
pub(super) async fn carried_out(store: &dyn Store) {
    let (old, new) = (version(store, "old").await, version(store, "new").await);
    let first = NewEvent {
        raw: r#"{"subscriptionType": "contact.propertyChange"}"#.to_owned(),
        ..event("1", "a", 0)
    };
    store.append(vec![first]).await.expect("append");
    let lane = leased(store, old, 1).await;
    assert_eq!(lane.intents, []);
    store.intend(vec![intent(&lane, Some(old), keyed())]).await.expect("kept");
    let trail = store.trail(&contact("1")).await.expect("trail");
    assert_eq!((trail.intents.len(), trail.history.len()), (1, 0));
    assert_eq!(store.known_as("1").await.expect("known"), [contact("1")]);

    // Another event comes, and another version of the project goes on.
    store.append(vec![event("1", "b", 3)]).await.expect("append");
    store.release("w", at(4)).await.expect("released");
    let again = leased(store, new, 4).await;
    let found = &again.intents[0];
    assert_eq!(found.intent, intent(&lane, Some(old), keyed()));
    let end = IntentsEnd { done: vec![(found.id, LEAD.to_owned())], over: Vec::new() };
    settle(store, &again.lane, ended(unchanged(), end), 5).await;
    let trail = store.trail(&RecordKey::new("main", lead(), LEAD)).await.expect("trail");
    assert_eq!((trail.intents.len(), trail.links.len()), (0, 1));
    let fields: Vec<&str> = trail.history.iter().map(|entry| entry.field.field.as_str()).collect();
    assert_eq!(fields, ["Status", "City"]);
    assert!(trail.history.iter().all(|entry| entry.at == at(2) && entry.created));
    let run = trail.runs.iter().find(|run| Some(run.id) == trail.history[0].run).expect("its run");
    assert_eq!((run.result.as_str(), run.at, run.correlation), ("created", at(2), lane.correlation));
    assert_eq!(run.project, Some(old), "the version that wrote, not the one that found it");
    let Begun::Events(events) = &run.begun else { panic!("{run:?}") };
    assert_eq!(events.len(), 1, "what came later has not led to it");
    assert_eq!(events[0].kind, "contact.propertyChange");
    assert_eq!(trail.runs[0].result, "unchanged");
}

pub(super) async fn left_open(store: &dyn Store) {
    let project = version(store, "one").await;
    store.append(vec![event("1", "a", 0)]).await.expect("append");
    let lane = leased(store, project, 1).await;
    let other = Intent { mapping: "other".to_owned(), ..intent(&lane, None, keyed()) };
    let to_record = intent(&lane, None, IntentTarget::Record(LEAD.to_owned()));
    let all = store.intend(vec![intent(&lane, None, keyed()), to_record, other]).await.expect("kept");
    assert_eq!(open(store, &contact("1")).await, all);
    let target = RecordKey::new("main", lead(), LEAD);
    assert_eq!(store.trail(&target).await.expect("trail").intents.len(), 1, "the record is named");
    assert_eq!(open(store, &target).await, [], "it is no source");

    // A run that failed says nothing of them, one that was skipped leaves what it did not see.
    let later = Next::RetryAt { at: at(2), error: "503".to_owned(), counted: true };
    settle(store, &lane.lane, Settlement { next: later, results: Vec::new() }, 2).await;
    assert_eq!(open(store, &contact("1")).await, all);
    let lane = leased(store, project, 3).await;
    let end = IntentsEnd { done: Vec::new(), over: vec![all[1]] };
    settle(store, &lane.lane, ended(Outcome::Skipped, end), 4).await;
    assert_eq!(open(store, &contact("1")).await, [all[0], all[2]]);

    // By hand, too; and what has become old goes, unlike the version of the project that it names.
    let hand = Origin { correlation: CorrelationId(7), project: None };
    let end = IntentsEnd { done: Vec::new(), over: vec![all[0]] };
    let by_hand = ended(unchanged(), end).results;
    store.record(&contact("1"), by_hand, hand, at(5)).await.expect("kept");
    assert_eq!(open(store, &contact("1")).await, [all[2]]);
    assert!(store.prune(at(2), 100).await.is_ok());
    assert_eq!(open(store, &contact("1")).await, [all[2]], "it is not older");
    store.prune(at(3), 100).await.expect("pruned");
    assert_eq!(open(store, &contact("1")).await, []);
}

pub(super) async fn forgotten(store: &dyn Store) {
    let project = version(store, "one").await;
    store.append(vec![event("1", "a", 0), event("2", "a", 0)]).await.expect("append");
    let request = LeaseRequest { project: Some(project), ..lease_at(1) };
    let lanes = store.lease(request).await.expect("lease");
    let of = |record: &str| lanes.iter().find(|lane| lane.lane.key.record == record).expect("leased");
    // One of the other way round: its target may be the person.
    let back = |record: &str, target| Intent {
        source: RecordKey::new("main", lead(), record),
        object: contact("1").object,
        ..intent(of("1"), None, target)
    };
    let intents = vec![
        intent(of("1"), None, keyed()),
        intent(of("2"), None, keyed()),
        back("L1", IntentTarget::Record("1".to_owned())),
        back("L2", IntentTarget::Record("2".to_owned())),
        back("L3", IntentTarget::Keyed("email".to_owned())),
    ];
    store.intend(intents).await.expect("kept");
    for lane in &lanes {
        settle(store, &lane.lane, Settlement { next: Next::Done, results: Vec::new() }, 2).await;
    }
    let Incoming::Change(mut change) = event("1", "z", 3).incoming else { unreachable!("a change") };
    change.kind = ChangeKind::PrivacyDeletion;
    let event = NewEvent { incoming: Incoming::Change(change), ..event("1", "z", 3) };
    store.append(vec![event]).await.expect("append");
    let lane = leased(store, project, 4).await;
    settle(store, &lane.lane, Settlement { next: Next::Erase, results: Vec::new() }, 5).await;
    let mut left = Vec::new();
    for key in ["L1", "L2", "L3"]
        .map(|id| RecordKey::new("main", lead(), id))
        .into_iter()
        .chain([contact("1"), contact("2")])
    {
        if !open(store, &key).await.is_empty() {
            left.push(key.record);
        }
    }
    assert_eq!(left, ["L2", "2"], "whoever may be the person is gone");
}

/// What was put off is due at once, unless somebody has taken it since.
pub(super) async fn hastened(store: &dyn Store) {
    store.append(vec![event("1", "a", 0), event("2", "a", 0)]).await.expect("append");
    let lanes = store.lease(lease_at(1)).await.expect("lease");
    let later = |seconds| Next::RetryAt { at: at(seconds), error: "401".to_owned(), counted: false };
    for lane in &lanes {
        settle(store, &lane.lane, Settlement { next: later(60), results: Vec::new() }, 2).await;
    }
    assert!(store.lease(lease_at(3)).await.expect("lease").is_empty());
    store.hasten(&[lanes[0].lane.clone()], at(3)).await.expect("hastened");
    let taken = store.lease(lease_at(3)).await.expect("lease");
    assert_eq!(taken.iter().map(|lane| &lane.lane.key).collect::<Vec<_>>(), [&lanes[0].lane.key]);
    settle(store, &taken[0].lane, Settlement { next: later(90), results: Vec::new() }, 4).await;
    store.hasten(&[lanes[0].lane.clone()], at(5)).await.expect("hastened");
    assert!(store.lease(lease_at(6)).await.expect("lease").is_empty(), "it was leased since");
}
