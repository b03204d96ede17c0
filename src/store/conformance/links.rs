//! What a store remembers about pairs of records.

use std::collections::BTreeMap;

use crate::source::{Location, ObjectName, Side};
use crate::store::{
    FieldWritten, Incoming, MappingResult, NewEvent, Next, Notes, Origin, Outcome, RecordKey, RecordWritten,
    Settled, Settlement, Store,
};
use crate::types::{
    AwaitedPair, Cause, ChangeEvent, ChangeKind, LinkChange, LinkFate, LinkRequest, LinkedPair, Value,
};

use super::{at, contact, lead, lease_at, reason};

/// Settles a contact with results, by an event of this kind.
async fn settle(store: &dyn Store, record: &str, n: i64, kind: ChangeKind, results: Vec<MappingResult>) {
    settle_as(store, &contact(record), n, kind, Settlement { next: Next::Done, results }).await;
}

async fn settle_as(store: &dyn Store, key: &RecordKey, n: i64, kind: ChangeKind, settlement: Settlement) {
    store.append(vec![event(key, n, kind)]).await.expect("append");
    let leased = store.lease(lease_at(n)).await.expect("lease");
    let lane = leased.iter().find(|lane| lane.lane.key == *key).expect("its lane");
    let settled = store.settle(&lane.lane, settlement, at(n)).await.expect("settle");
    assert_eq!(settled, Settled::Accepted);
}

fn event(key: &RecordKey, n: i64, kind: ChangeKind) -> NewEvent {
    let change =
        ChangeEvent { object: key.object.clone(), record: key.record.clone(), kind, occurred_at: at(n) };
    NewEvent {
        pair: key.pair.clone(),
        dedupe: format!("{key}/{n}"),
        raw: "{}".to_owned(),
        received_at: at(n),
        incoming: Incoming::Change(change),
    }
}

fn result(mapping: &str, outcome: Outcome) -> MappingResult {
    MappingResult {
        mapping: mapping.to_owned(),
        ended_by: mapping.to_owned(),
        outcome,
        notes: Notes::default(),
    }
}

fn link(mapping: &str, id: &str) -> MappingResult {
    result(mapping, Outcome::Unchanged { object: lead(), id: id.to_owned() })
}

fn fate(mapping: &str, fate: LinkFate) -> MappingResult {
    result(mapping, Outcome::Link(LinkChange { by: mapping.to_owned(), fate }))
}

fn inherited(by: &str, over: Option<&str>) -> LinkFate {
    LinkFate::Inherited { by: by.to_owned(), over: over.map(ToOwned::to_owned) }
}

/// The Leads of contacts, by these mappings or all.
async fn leads(store: &dyn Store, by: Option<&str>, ids: &[&str]) -> Vec<LinkedPair> {
    ask(store, by, &contact("").object, ids, &lead()).await
}

async fn ask(
    store: &dyn Store,
    by: Option<&str>,
    of: &ObjectName,
    ids: &[&str],
    to: &ObjectName,
) -> Vec<LinkedPair> {
    let request = LinkRequest {
        by: by.map(ToOwned::to_owned),
        of: of.clone(),
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        to: to.clone(),
    };
    store.counterparts("main", &request).await.expect("links")
}

fn pair(id: &str, to: &str) -> LinkedPair {
    LinkedPair { id: id.to_owned(), to: to.to_owned(), ..LinkedPair::default() }
}

pub(super) async fn counterparts(store: &dyn Store) {
    settle(store, "1", 1, ChangeKind::Created, vec![link("a", "L1"), link("b", "L2")]).await;
    settle(store, "2", 2, ChangeKind::Created, vec![link("a", "L1")]).await;
    assert_eq!(leads(store, Some("a"), &["1", "2", "3"]).await, [pair("2", "L1"), pair("1", "L1")]);
    assert_eq!(leads(store, None, &["1"]).await, [pair("1", "L1"), pair("1", "L2")]);
    let (lead, contacts) = (lead(), contact("").object);
    assert_eq!(ask(store, None, &lead, &["L1"], &contacts).await, [pair("L1", "2"), pair("L1", "1")]);
    assert_eq!(ask(store, None, &lead, &["L2", "L3"], &contacts).await, [pair("L2", "1")]);
    let account = ObjectName::new(Side::Salesforce, "Account");
    assert!(ask(store, None, &contacts, &["1"], &account).await.is_empty(), "of another object");
    let other = LinkRequest { by: None, of: lead, ids: vec!["L1".to_owned()], to: contacts };
    assert!(store.counterparts("other", &other).await.expect("links").is_empty(), "of another pair");
}

pub(super) async fn synced(store: &dyn Store) {
    let company = RecordKey::new("main", ObjectName::new(Side::Hubspot, "company"), "77");
    let account = RecordKey::new("main", ObjectName::new(Side::Salesforce, "Account"), "001");
    let values =
        BTreeMap::from([("Name".to_owned(), Value::text("Acme")), ("Phone".to_owned(), Value::Blank)]);
    let field = |name: &str| FieldWritten {
        field: name.to_owned(),
        old: None,
        new: Value::text("Acme"),
        at: Location { file: "sync.map".to_owned(), line: 7, column: 3 },
    };
    let wrote = |key: &RecordKey, name: &str| RecordWritten {
        object: key.object.clone(),
        id: key.record.clone(),
        created: false,
        fields: vec![field(name)],
    };
    let outcome = |company: &RecordKey| Outcome::Synced {
        hubspot: (company.object.clone(), company.record.clone()),
        salesforce: (account.object.clone(), account.record.clone()),
        writes: vec![wrote(company, "name"), wrote(&account, "Name")],
        synced: values.clone(),
        met: BTreeMap::new(),
    };
    let settlement = |company: &RecordKey| Settlement {
        next: Next::Done,
        results: vec![result("accounts", outcome(company))],
    };
    // Whichever side ran, the link is one, and both ask for it.
    settle_as(store, &account, 1, ChangeKind::Created, settlement(&company)).await;
    settle_as(store, &company, 2, ChangeKind::Created, settlement(&company)).await;
    let expected = LinkedPair { synced: values.clone(), ..pair("77", "001") };
    let by = Some("accounts");
    assert_eq!(ask(store, by, &company.object, &["77"], &account.object).await, [expected]);
    let back = ask(store, by, &account.object, &["001"], &company.object).await;
    assert_eq!((back.len(), back[0].to.as_str(), &back[0].synced), (1, "77", &values));
    assert_eq!(store.links(&company).await.expect("links").len(), 1);
    // Provenance of both writes, whoever asks.
    let names = |entries: &[crate::store::HistoryEntry]| {
        entries.iter().map(|entry| entry.field.field.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&store.history(&company).await.expect("history")), ["Name", "name", "name"]);
    assert_eq!(names(&store.history(&account).await.expect("history")), ["Name", "Name", "name"]);
    // One record pairs with one: another Company takes the Account.
    let other = RecordKey { record: "78".to_owned(), ..company.clone() };
    settle_as(store, &other, 3, ChangeKind::Created, settlement(&other)).await;
    assert!(ask(store, by, &company.object, &["77"], &account.object).await.is_empty());
}

pub(super) async fn tombstones(store: &dyn Store) {
    settle(store, "1", 1, ChangeKind::Created, vec![link("a", "L1")]).await;
    let target = RecordKey::new("main", lead(), "L1");
    let done = || Settlement { next: Next::Done, results: Vec::new() };
    settle_as(store, &target, 2, ChangeKind::Deleted, done()).await;
    assert_eq!(leads(store, None, &["1"]).await, [LinkedPair { gone: true, ..pair("1", "L1") }]);
    settle_as(store, &target, 3, ChangeKind::Restored, done()).await;
    assert_eq!(leads(store, None, &["1"]).await, [pair("1", "L1")]);
    settle_as(store, &target, 4, ChangeKind::Merged { into: "L9".to_owned() }, done()).await;
    let merged = LinkedPair { gone: true, merged_into: Some("L9".to_owned()), ..pair("1", "L1") };
    assert_eq!(leads(store, None, &["1"]).await, [merged]);
    // A run that settles the pair anew knows better.
    settle(store, "1", 5, ChangeKind::Created, vec![link("a", "L1")]).await;
    assert_eq!(leads(store, None, &["1"]).await, [pair("1", "L1")]);
    // The source's own end, seen from the other side.
    settle(store, "1", 6, ChangeKind::Deleted, Vec::new()).await;
    let back = || ask_back(store);
    assert!(back().await.gone);
    settle(store, "1", 7, ChangeKind::Restored, Vec::new()).await;
    assert!(!back().await.gone);
    // A lane that is tried again leaves none.
    let later = Next::RetryAt { at: at(8), error: "busy".to_owned(), counted: true };
    settle_as(store, &contact("1"), 8, ChangeKind::Deleted, Settlement { next: later, results: Vec::new() })
        .await;
    assert!(!back().await.gone);
    // The living come first.
    settle(store, "5", 9, ChangeKind::Created, vec![link("a", "L5"), link("b", "L6")]).await;
    settle_as(store, &RecordKey::new("main", lead(), "L5"), 10, ChangeKind::Deleted, done()).await;
    let order: Vec<String> = leads(store, None, &["5"]).await.into_iter().map(|pair| pair.to).collect();
    assert_eq!(order, ["L6", "L5"]);
}

async fn ask_back(store: &dyn Store) -> LinkedPair {
    ask(store, None, &lead(), &["L1"], &contact("").object).await.remove(0)
}

pub(super) async fn changed(store: &dyn Store) {
    settle(store, "1", 1, ChangeKind::Created, vec![link("a", "L1"), link("b", "L2")]).await;
    settle(store, "1", 2, ChangeKind::Deleted, vec![fate("a", LinkFate::TargetGone)]).await;
    assert_eq!(leads(store, Some("a"), &["1"]).await, [LinkedPair { gone: true, ..pair("1", "L1") }]);
    let turned = LinkFate::PointsAt { target: "L7".to_owned() };
    settle(store, "1", 3, ChangeKind::Created, vec![fate("a", turned)]).await;
    assert_eq!(leads(store, Some("a"), &["1"]).await, [pair("1", "L7")]);
    // Merged into 9, which runs then.
    settle(store, "1", 4, ChangeKind::Merged { into: "9".to_owned() }, vec![fate("a", inherited("9", None))])
        .await;
    assert!(leads(store, Some("a"), &["1"]).await.is_empty());
    assert_eq!(leads(store, Some("a"), &["9"]).await, [LinkedPair { inherited: true, ..pair("9", "L7") }]);
    assert_eq!(
        leads(store, Some("b"), &["1"]).await,
        [pair("1", "L2")],
        "another mapping decides for itself"
    );
    let heir = store.lease(lease_at(5)).await.expect("lease").remove(0);
    assert_eq!((heir.lane.key, heir.requested), (contact("9"), vec!["a".to_owned()]));
    settle(store, "9", 66, ChangeKind::Created, vec![link("a", "L7")]).await;
    assert_eq!(leads(store, Some("a"), &["9"]).await, [pair("9", "L7")]);
    settle(store, "9", 67, ChangeKind::Deleted, vec![fate("a", LinkFate::Forgotten)]).await;
    assert!(leads(store, Some("a"), &["9"]).await.is_empty());
}

pub(super) async fn became(store: &dyn Store) {
    let into = |from: &str| LinkFate::Became {
        from: from.to_owned(),
        object: ObjectName::new(Side::Salesforce, "Contact"),
        id: "C1".to_owned(),
    };
    let contacts = ObjectName::new(Side::Salesforce, "Contact");
    settle(store, "1", 1, ChangeKind::Created, vec![link("a", "L1"), link("b", "L2")]).await;
    // Somebody waits for the Contact of this record.
    let awaited = AwaitedPair { of: contact("").object, id: "1".to_owned(), to: contacts.clone() };
    let reason = "no Contact".to_owned();
    let waits = Outcome::Waiting { reason, fields: Vec::new(), pairs: vec![awaited] };
    settle(store, "2", 2, ChangeKind::Created, vec![result("c", waits)]).await;
    assert!(store.lease(lease_at(2)).await.expect("lease").is_empty());
    // One mapping's pair points at another Lead, and stays as it is.
    let fates = vec![fate("a", into("L1")), fate("b", into("L1")), fate("c", into("L1"))];
    settle(store, "1", 3, ChangeKind::Created, fates).await;
    let of = contact("").object;
    assert_eq!(ask(store, None, &of, &["1"], &contacts).await, [pair("1", "C1")]);
    assert_eq!(ask(store, None, &contacts, &["C1"], &of).await, [pair("C1", "1")]);
    let former = LinkedPair { gone: true, became: Some("C1".to_owned()), ..pair("1", "L1") };
    assert_eq!(leads(store, Some("a"), &["1"]).await, [former]);
    assert_eq!(leads(store, Some("b"), &["1"]).await, [pair("1", "L2")]);
    let woken = store.lease(lease_at(4)).await.expect("lease");
    assert_eq!((woken[0].lane.key.clone(), woken[0].requested.clone()), (contact("2"), vec!["c".to_owned()]));
    // Said again it changes nothing, and the Contact's own end is seen.
    settle(store, "1", 5, ChangeKind::Created, vec![fate("a", into("L1"))]).await;
    assert_eq!(store.links(&contact("1")).await.expect("links")[0].former.as_deref(), Some("L1"));
    let target = RecordKey::new("main", contacts.clone(), "C1");
    let done = Settlement { next: Next::Done, results: Vec::new() };
    settle_as(store, &target, 6, ChangeKind::Deleted, done).await;
    assert!(ask(store, None, &of, &["1"], &contacts).await[0].gone);
    // A run that settles another Lead forgets all that.
    settle(store, "1", 7, ChangeKind::Created, vec![link("a", "L9")]).await;
    assert_eq!(leads(store, Some("a"), &["1"]).await, [pair("1", "L9")]);
    assert!(ask(store, None, &of, &["1"], &contacts).await.is_empty());
}

pub(super) async fn turned(store: &dyn Store) {
    let company = |id: &str| RecordKey::new("main", ObjectName::new(Side::Hubspot, "company"), id);
    let account = |id: &str| RecordKey::new("main", ObjectName::new(Side::Salesforce, "Account"), id);
    let synced = |hubspot: &str, salesforce: &str| {
        let outcome = Outcome::Synced {
            hubspot: (company("").object, hubspot.to_owned()),
            salesforce: (account("").object, salesforce.to_owned()),
            writes: Vec::new(),
            synced: BTreeMap::from([("Name".to_owned(), Value::text("Acme"))]),
            met: BTreeMap::new(),
        };
        vec![result("accounts", outcome)]
    };
    let done = |results| Settlement { next: Next::Done, results };
    let of = async |id: &str| {
        let found = ask(store, Some("accounts"), &account("").object, &[id], &company("").object).await;
        found.into_iter().map(|pair| (pair.to, pair.gone)).collect::<Vec<_>>()
    };
    let living = |id: &str| vec![(id.to_owned(), false)];
    settle_as(store, &company("77"), 1, ChangeKind::Created, done(synced("77", "001"))).await;
    settle_as(store, &company("78"), 2, ChangeKind::Created, done(synced("78", "002"))).await;

    // The Account's run finds its company gone, and then merged into another.
    let gone = done(vec![fate("accounts", LinkFate::TargetGone)]);
    settle_as(store, &account("001"), 3, ChangeKind::Created, gone).await;
    assert_eq!(of("001").await, [("77".to_owned(), true)]);
    let points = done(vec![fate("accounts", LinkFate::PointsAt { target: "79".to_owned() })]);
    settle_as(store, &account("001"), 4, ChangeKind::Created, points).await;
    assert_eq!(of("001").await, living("79"));

    // The Account is merged into the other one, whose own company makes way; that one runs then.
    let merged = ChangeKind::Merged { into: "002".to_owned() };
    settle_as(store, &account("001"), 5, merged, done(vec![fate("accounts", inherited("002", None))])).await;
    assert_eq!((of("001").await, of("002").await), (vec![], living("79")));
    let held = store.links(&company("79")).await.expect("links").remove(0);
    assert_eq!((held.tombstone, held.merged_into, held.synced.len()), (false, None, 1));
    let heir = store.lease(lease_at(6)).await.expect("lease").remove(0);
    assert_eq!((heir.lane.key, heir.requested), (account("002"), vec!["accounts".to_owned()]));
    settle_as(store, &account("003"), 66, ChangeKind::Created, done(synced("80", "003"))).await;
    let forgotten = done(vec![fate("accounts", LinkFate::Forgotten)]);
    settle_as(store, &account("003"), 67, ChangeKind::Deleted, forgotten).await;
    assert!(of("003").await.is_empty());
}

pub(super) async fn inherited_twice(store: &dyn Store) {
    settle(store, "1", 1, ChangeKind::Created, vec![link("a", "L1")]).await;
    settle(store, "2", 2, ChangeKind::Created, vec![link("a", "L2")]).await;
    let merged = |record, n| event(&contact(record), n, ChangeKind::Merged { into: "9".to_owned() });
    store.append(vec![merged("1", 3), merged("2", 4)]).await.expect("append");
    let inherits = async |lane, over, n| {
        let results = vec![fate("a", inherited("9", over))];
        let settled = store.settle(lane, Settlement { next: Next::Done, results }, at(n)).await;
        assert_eq!(settled.expect("settle"), Settled::Accepted);
    };
    // Both are in hand when the first is settled. The second did not know of it: it must look again, and nothing is lost.
    let both = store.lease(lease_at(4)).await.expect("lease");
    assert_eq!(both.len(), 2);
    for lane in &both {
        inherits(&lane.lane, None, 5).await;
    }
    assert_eq!(leads(store, None, &["9"]).await[0].to, "L1");
    assert_eq!(leads(store, None, &["2"]).await, [pair("2", "L2")]);
    let again = store.lease(lease_at(6)).await.expect("lease");
    assert_eq!(again.len(), 1, "the survivor waits for it");
    let again = &again[0];
    assert_eq!((again.lane.key.clone(), again.attempts, again.events.len()), (contact("2"), 0, 1));
    // It knows, and has seen that the first is gone.
    inherits(&again.lane, Some("L1"), 7).await;
    assert_eq!(leads(store, None, &["9"]).await, [LinkedPair { inherited: true, ..pair("9", "L2") }]);
    let heir = store.lease(lease_at(8)).await.expect("lease").remove(0);
    assert_eq!((heir.lane.key, heir.requested), (contact("9"), vec!["a".to_owned()]));
}

pub(super) async fn relayed(store: &dyn Store) {
    settle(store, "1", 1, ChangeKind::Created, vec![link("a", "L1"), link("b", "L1")]).await;
    settle(store, "2", 2, ChangeKind::Created, vec![link("a", "L1")]).await;
    settle(store, "3", 3, ChangeKind::Created, vec![link("a", "L3")]).await;
    let cause = Cause::TargetDeleted { target: "L1".to_owned() };
    let target = RecordKey::new("main", lead(), "L1");
    let results = vec![result("a", Outcome::Relay(cause.clone()))];
    settle_as(store, &target, 4, ChangeKind::Deleted, Settlement { next: Next::Done, results }).await;
    let told = store.lease(lease_at(5)).await.expect("lease");
    let records: Vec<&str> = told.iter().map(|lane| lane.lane.key.record.as_str()).collect();
    assert_eq!(records, ["1", "2"]);
    assert!(told.iter().all(|lane| lane.requested.is_empty()));
    assert_eq!(told[0].caused, [("a".to_owned(), cause)]);
    let ended = Settlement { next: Next::Done, results: vec![result("a", Outcome::Ended)] };
    store.settle(&told[0].lane, ended, at(6)).await.expect("settle");
    assert_eq!(store.pending().await.expect("pending").lanes, 1, "once told, it is told");
}

pub(super) async fn by_hand(store: &dyn Store) {
    store.record(&contact("1"), vec![link("a", "L1")], Origin::default(), at(1)).await.expect("kept");
    assert_eq!(leads(store, None, &["1"]).await, [pair("1", "L1")]);
    let parked = vec![result("a", Outcome::Parked(reason("too long")))];
    store.record(&contact("1"), parked, Origin::default(), at(2)).await.expect("kept");
    let open = store.parked().await.expect("parked");
    assert_eq!((open.len(), open[0].events.len()), (1, 0));
    assert!(store.retry_parked(open[0].id, at(3)).await.expect("retry"));
    assert_eq!(store.lease(lease_at(3)).await.expect("lease")[0].requested, ["a"]);
}
