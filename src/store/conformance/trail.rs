//! What a store remembers for the question why.

use crate::source::Location;
use crate::store::{
    Begun, CorrelationId, FieldKept, Incoming, MappingResult, NewEvent, Next, Notes, Origin, Outcome,
    Project, RecordKey, Settlement, Store,
};
use crate::types::{ChangeKind, Value};

use super::{at, contact, done, event, lead, lease_at, reason, settle, written};

fn project(revision: Option<&str>, text: &str) -> Project {
    Project {
        revision: revision.map(str::to_owned),
        files: vec![("mql_to_lead.map".to_owned(), text.to_owned())],
    }
}

pub(super) async fn projects(store: &dyn Store) {
    let first = store.remember_project(project(Some("abc"), "one\ntwo\n"), at(0)).await.expect("kept");
    let same = store.remember_project(project(Some("abc"), "one\ntwo\n"), at(9)).await.expect("kept");
    assert_eq!(first, same, "equal versions are one");
    let dirty = store.remember_project(project(Some("abc"), "one\nthree\n"), at(1)).await.expect("kept");
    let other = store.remember_project(project(None, "one\ntwo\n"), at(2)).await.expect("kept");
    assert!(first != dirty && first != other && dirty != other);
    let version = store.project(first).await.expect("read").expect("there");
    assert_eq!((version.revision.as_deref(), version.since), (Some("abc"), at(0)));
    assert_eq!(store.project(other).await.expect("read").expect("there").revision, None);
    let line = |id, line| store.project_line(id, "mql_to_lead.map", line);
    assert_eq!(line(first, 2).await.expect("read").as_deref(), Some("two"));
    assert_eq!(line(dirty, 2).await.expect("read").as_deref(), Some("three"));
    assert_eq!(line(first, 9).await.expect("read"), None);
    assert_eq!(line(first, 0).await.expect("read"), None);
    assert_eq!(store.project_line(first, "other.map", 1).await.expect("read"), None);
}

pub(super) async fn correlated(store: &dyn Store) {
    let first = store.append(vec![event("1", "a", 0), event("2", "a", 0)]).await.expect("append");
    assert_ne!(first[0].correlation, first[1].correlation, "two records are two pieces of work");
    let joined = store.append(vec![event("1", "b", 1), event("1", "a", 0)]).await.expect("append");
    assert_eq!(joined[0].correlation, first[0].correlation, "it joins the work under way");
    assert_eq!(joined[1].correlation, first[0].correlation, "a second delivery is the same event");
    let lanes = store.lease(lease_at(1)).await.expect("lease");
    let lane = lanes.iter().find(|lane| lane.lane.key == contact("1")).expect("leased");
    assert_eq!(lane.correlation, first[0].correlation);

    // Parked, and sent round again: one id all along.
    settle(store, &lane.lane, done(Some(Outcome::Parked(reason("no option")))), 2).await;
    let parked = store.parked().await.expect("parked").remove(0);
    assert_eq!(parked.correlation, first[0].correlation);
    store.retry_parked(parked.id, at(3)).await.expect("retried");
    let again = store.lease(lease_at(3)).await.expect("lease").remove(0);
    assert_eq!(again.correlation, first[0].correlation);
    settle(store, &again.lane, done(None), 4).await;

    // What comes afterwards is new work, and so is what is asked for by name.
    let later = store.append(vec![event("1", "c", 5)]).await.expect("append");
    assert_ne!(later[0].correlation, first[0].correlation);
    store.request(&contact("3"), "backfill", at(6)).await.expect("request");
    let lanes = store.lease(lease_at(6)).await.expect("lease");
    let asked = lanes.iter().find(|lane| lane.lane.key == contact("3")).expect("leased");
    assert_ne!(asked.correlation, CorrelationId::NONE);
}

fn kept(why: &str) -> FieldKept {
    FieldKept {
        object: lead(),
        id: "00Q000000000001AAA".to_owned(),
        field: "Title".to_owned(),
        value: Some(Value::text("VP")),
        why: why.to_owned(),
        at: Location { file: "mql_to_lead.map".to_owned(), line: 2, column: 1 },
    }
}

fn result(outcome: Outcome, notes: Notes) -> MappingResult {
    let mapping = "mql_to_lead".to_owned();
    MappingResult { ended_by: mapping.clone(), mapping, outcome, notes }
}

/// Writes a Lead for contact 5501; the id of the work.
async fn write(store: &dyn Store) -> CorrelationId {
    let id = store.remember_project(project(Some("abc"), "one\ntwo\n"), at(0)).await.expect("kept");
    let event = NewEvent {
        raw: r#"{"subscriptionType": "contact.propertyChange"}"#.to_owned(),
        ..event("5501", "a", 0)
    };
    store.append(vec![event]).await.expect("append");
    let request = crate::store::LeaseRequest { project: Some(id), ..lease_at(1) };
    let lane = store.lease(request).await.expect("lease").remove(0);
    let notes = Notes { kept: vec![kept("the target is not blank")], ..Notes::default() };
    let settlement = Settlement { next: Next::Done, results: vec![result(written(), notes)] };
    settle(store, &lane.lane, settlement, 7).await;
    lane.correlation
}

pub(super) async fn told(store: &dyn Store) {
    let correlation = write(store).await;
    let target = RecordKey::new("main", lead(), "00Q000000000001AAA");
    for key in [&target, &contact("5501")] {
        let trail = store.trail(key).await.expect("trail");
        let run = &trail.runs[0];
        assert_eq!((run.result.as_str(), run.correlation, run.at), ("created", correlation, at(7)));
        assert_eq!((&run.source, run.target.as_ref()), (&contact("5501"), Some(&target)));
        let Begun::Events(events) = &run.begun else { panic!("{run:?}") };
        assert_eq!(
            (events[0].kind.as_str(), events[0].field.as_deref()),
            ("contact.propertyChange", Some("lifecyclestage"))
        );
        assert!(!events[0].polled);
        assert_eq!(trail.history[0].run, Some(run.id));
        assert_eq!(trail.links.len(), 1);
        let version = store.project(run.project.expect("a version")).await.expect("read").expect("there");
        assert_eq!(version.revision.as_deref(), Some("abc"));
    }
    let trail = store.trail(&target).await.expect("trail");
    assert_eq!(
        (trail.kept[0].why.as_str(), trail.kept[0].value.clone()),
        ("the target is not blank", Some(Value::text("VP")))
    );
    assert_eq!(store.known_as("5501").await.expect("known"), [contact("5501")]);
    assert_eq!(store.known_as("00Q000000000001AAA").await.expect("known"), std::slice::from_ref(&target));
    assert!(store.known_as("1").await.expect("known").is_empty());

    // What wrote nothing leaves one row of its kind, however often it comes.
    for n in 0..3 {
        let notes = Notes {
            reason: Some(format!("reason {n}")),
            kept: vec![kept("on create only")],
            ..Notes::default()
        };
        let outcome = Outcome::Unchanged { object: lead(), id: target.record.clone() };
        let origin = Origin { correlation, project: None };
        store.record(&contact("5501"), vec![result(outcome, notes)], origin, at(20 + n)).await.expect("kept");
    }
    let trail = store.trail(&target).await.expect("trail");
    let results: Vec<&str> = trail.runs.iter().map(|run| run.result.as_str()).collect();
    assert_eq!(results, ["unchanged", "created"]);
    assert_eq!((trail.runs[0].reason.as_deref(), &trail.runs[0].begun), (Some("reason 2"), &Begun::Command));
    assert_eq!(
        (trail.kept.len(), trail.kept[0].why.as_str(), trail.kept[0].at),
        (1, "on create only", at(22))
    );
}

pub(super) async fn forgotten(store: &dyn Store) {
    write(store).await;
    let target = RecordKey::new("main", lead(), "00Q000000000001AAA");
    let Incoming::Change(mut change) = event("5501", "z", 9).incoming else { unreachable!("a change") };
    change.kind = ChangeKind::PrivacyDeletion;
    let event = NewEvent { incoming: Incoming::Change(change), ..event("5501", "z", 9) };
    store.append(vec![event]).await.expect("append");
    let lane = store.lease(lease_at(9)).await.expect("lease").remove(0);
    settle(store, &lane.lane, Settlement { next: Next::Erase, results: Vec::new() }, 10).await;
    for key in [&target, &contact("5501")] {
        assert_eq!(store.trail(key).await.expect("trail"), crate::store::Trail::default());
    }
    assert!(store.known_as("5501").await.expect("known").is_empty());
}

pub(super) async fn pruned(store: &dyn Store) {
    let target = RecordKey::new("main", lead(), "00Q000000000001AAA");
    let first = write(store).await;
    let old = store.trail(&target).await.expect("trail").runs[0].project.expect("a version");
    let new = store.remember_project(project(Some("def"), "one\nthree\n"), at(50)).await.expect("kept");
    let skip = |n: i64| async move {
        let notes = Notes { reason: Some("not qualified".to_owned()), ..Notes::default() };
        let origin = Origin { correlation: first, project: Some(new) };
        store
            .record(&contact("5501"), vec![result(Outcome::Skipped, notes)], origin, at(n))
            .await
            .expect("kept");
    };
    skip(60).await;

    // However old: the run that gave the present value, its version of the project, and the text of its rule.
    store.prune(at(100), 100).await.expect("prune");
    let trail = store.trail(&target).await.expect("trail");
    assert_eq!(trail.runs.len(), 1);
    assert_eq!((trail.history[0].run, trail.runs[0].correlation), (Some(trail.runs[0].id), first));
    assert!(matches!(&trail.runs[0].begun, Begun::Events(events) if events.len() == 1), "{trail:?}");
    assert_eq!(trail.kept, [], "why a field was left as it is goes by age");
    let line = |id| store.project_line(id, "mql_to_lead.map", 2);
    assert_eq!(line(old).await.expect("read").as_deref(), Some("two"));
    let skipped = |trail: &crate::store::Trail| trail.runs.iter().any(|run| run.result == "skipped");
    assert!(!skipped(&store.trail(&contact("5501")).await.expect("trail")), "it wrote nothing, and is old");

    // Written anew: the older run goes, and with it the version that nothing else names.
    let origin = Origin { correlation: first, project: Some(new) };
    let again = vec![result(written(), Notes::default())];
    store.record(&contact("5501"), again, origin, at(200)).await.expect("kept");
    skip(201).await;
    store.prune(at(150), 100).await.expect("prune");
    let trail = store.trail(&target).await.expect("trail");
    assert_eq!(trail.runs.iter().map(|run| run.at).collect::<Vec<_>>(), [at(200)]);
    assert!(skipped(&store.trail(&contact("5501")).await.expect("trail")));
    assert_eq!(store.project(old).await.expect("read"), None);
    assert_eq!(line(old).await.expect("read"), None);
    assert_eq!(line(new).await.expect("read").as_deref(), Some("three"));
    assert_eq!(store.prune(at(150), 100).await.expect("prune"), 0);
}

pub(super) async fn condition(store: &dyn Store) {
    let told = |n: i64, property: &str| NewEvent {
        raw: format!(r#"{{"subscriptionType": "contact.propertyChange", "propertyName": "{property}"}}"#),
        received_at: at(n),
        ..super::event(&n.to_string(), property, n)
    };
    store.append(vec![told(1, "email"), told(2, "phone"), told(3, "email")]).await.expect("append");
    let lanes = store.lease(lease_at(5)).await.expect("lease");
    settle(store, &lanes[0].lane, done(Some(Outcome::Parked(reason("no")))), 6).await;
    let later = Next::RetryAt { at: at(60), error: "503".to_owned(), counted: true };
    settle(store, &lanes[1].lane, Settlement { next: later, results: Vec::new() }, 6).await;
    let condition = store.condition("main").await.expect("condition");
    assert_eq!(condition.parked, [("mql_to_lead".to_owned(), 1)]);
    assert_eq!((condition.lanes, condition.retrying), (2, (1, Some("503".to_owned()))));
    assert_eq!(condition.oldest, Some(at(2)));
    assert!(condition.version > 0 && condition.bytes > 0);
    let heard: Vec<(Option<&str>, _)> =
        condition.heard.iter().map(|heard| (heard.property.as_deref(), heard.at)).collect();
    assert_eq!(heard, [(Some("email"), at(3)), (Some("phone"), at(2))]);
    assert!(store.condition("other").await.expect("condition").heard.is_empty());
}
