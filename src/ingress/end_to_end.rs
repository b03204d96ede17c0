//! From HTTP to a settled record with the real interpreter; only the CRMs are stand-ins.

use std::sync::Arc;
use std::time::Duration;

use crate::check::typed::{Trigger, WhenWritten};
use crate::eval::Verdict;
use crate::plan::{Expr, Key, Mapping, Plan, Rule, Slot, TargetField};
use crate::runtime::testing::crms;
use crate::runtime::{
    Clock, Health, Metrics, OnceError, Parts, Preview, Runtime, Settings, SystemClock, preview, run_once,
};
use crate::source::{Location, ObjectName, Side};
use crate::store::{RecordKey, SqliteStore, Store};
use crate::types::{Type, Value, WriteTarget};

use super::{Ingress, IngressParts, IngressSettings, Portal, sign_v3};

const PUBLIC: &str = "https://hooks.example.com/hubspot/main";

fn at(line: usize) -> Location {
    Location { file: "mql_to_lead.map".to_owned(), line, column: 1 }
}

fn contact() -> ObjectName {
    ObjectName::new(Side::Hubspot, "contact")
}

/// `HubSpot_Contact_ID__c` from the id, `City` from `city`, when the contact becomes an MQL.
fn plan() -> Arc<Plan> {
    let text = Type::Text(Some(40));
    let slot = |field: &str| Slot { of: None, field: field.to_owned(), ty: text.clone() };
    let field = |name: &str| TargetField { name: name.to_owned(), ty: text.clone() };
    let rule = Rule {
        field: "City".to_owned(),
        ty: text.clone(),
        value: Expr::Slot(1),
        required: false,
        never_blank: false,
        lookups: Vec::new(),
        related: Vec::new(),
        when: WhenWritten::Always,
        blank_clears: false,
        otherwise: None,
        at: at(9),
    };
    let mapping = Mapping {
        name: "mql_to_lead".to_owned(),
        is_leg: false,
        at: at(1),
        source: contact(),
        target: ObjectName::new(Side::Salesforce, "Lead"),
        triggers: vec![Trigger::Becomes(
            "lifecyclestage".to_owned(),
            vec!["marketingqualifiedlead".to_owned()],
        )],
        reads: vec!["city".to_owned()],
        related: Vec::new(),
        slots: vec![slot("id"), slot("city")],
        lets: Vec::new(),
        kept: Vec::new(),
        lookups: Vec::new(),
        guards: Vec::new(),
        key: Some(Key { field: "HubSpot_Contact_ID__c".to_owned(), value: Expr::Slot(0), at: at(5) }),
        rungs: Vec::new(),
        target_fields: vec![field("HubSpot_Contact_ID__c"), field("City")],
        convertible: false,
        outcomes: std::collections::BTreeMap::new(),
        eaches: Vec::new(),
        associates: Vec::new(),
        convert: None,
        assignment_rule: None,
        rules: vec![rule],
    };
    Arc::new(Plan { mappings: vec![mapping], ..Plan::default() })
}

#[tokio::test]
async fn a_webhook_becomes_a_lead() {
    let (hubspot, salesforce, crms) = crms();
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(SqliteStore::open(&folder.path().join("store.db")).await.expect("a store"));
    let (clock, metrics, health) =
        (Arc::new(SystemClock), Arc::new(Metrics::default()), Arc::new(Health::default()));
    let worker = Runtime::start(Parts {
        pair: "main".to_owned(),
        plan: plan(),
        crms,
        store: store.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
        health: health.clone(),
        settings: Settings::default(),
    });
    let worker = worker.await.expect("a worker");
    let portal = Portal {
        pair: "main".to_owned(),
        portal_id: 4_556_789,
        public_url: PUBLIC.parse().expect("a URL"),
        app_id: None,
        secrets: vec!["a secret".into()],
        require_v3: true,
    };
    let mut settings = IngressSettings::new(vec![portal]);
    settings.bind = ([127, 0, 0, 1], 0).into();
    let parts = IngressParts { store: store.clone(), clock: clock.clone(), metrics, health, settings };
    let ingress = Ingress::start(parts).await.expect("a listener");

    let body = r#"[{"eventId": 100034, "portalId": 4556789, "occurredAt": 1700123456789, "objectId": 5501,
        "subscriptionType": "contact.propertyChange", "propertyName": "lifecyclestage",
        "propertyValue": "marketingqualifiedlead", "changeSource": "WORKFLOWS"}]"#;
    let stamp = clock.now().timestamp_millis();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let send = || {
        let signature = sign_v3(&"a secret".into(), "POST", PUBLIC, body.as_bytes(), stamp);
        let request = client.post(format!("http://{}/webhooks/hubspot/main", ingress.address())).body(body);
        let signed = request.header("X-HubSpot-Signature-v3", signature);
        signed.header("X-HubSpot-Request-Timestamp", stamp.to_string()).send()
    };
    let (one, two) = futures_util::future::join(send(), send()).await;
    assert_eq!(
        (one.expect("an answer").status().as_u16(), two.expect("an answer").status().as_u16()),
        (200, 200)
    );
    assert!(worker.idle(Duration::from_secs(20)).await.expect("the store"));

    assert_eq!(store.parked().await.expect("parked"), []);
    assert_eq!(salesforce.records.lock().unwrap().len(), 1);
    assert_eq!(salesforce.rows("write"), [1], "two deliveries, one write");
    assert_eq!(hubspot.rows("read"), [1]);
    let history = store.history(&RecordKey::new("main", contact(), "5501")).await.expect("history");
    let city = history.iter().find(|entry| entry.field.field == "City").expect("the city's provenance");
    assert_eq!((&city.field.new, city.field.at.line), (&Value::Text("Tempe".to_owned()), 9));
    assert_eq!(city.mapping, "mql_to_lead");

    ingress.shutdown().await.expect("a clean end");
    assert!(worker.shutdown().await);
}

#[tokio::test]
async fn a_preview_writes_nothing_and_a_run_does() {
    let (_, salesforce, crms) = crms();
    let shown = preview(plan(), "mql_to_lead", "5501", &crms, None).await.expect("a preview");
    let Preview::WouldWrite(write, _) = shown else { panic!("{shown:?}") };
    let target = WriteTarget::Upsert { key: "HubSpot_Contact_ID__c".to_owned(), value: "5501".to_owned() };
    assert_eq!(write[0].request.target, target);
    assert!(salesforce.rows("write").is_empty());

    let finished = run_once(plan(), "mql_to_lead", "5501", &crms, None).await.expect("a run");
    assert!(matches!(finished.verdict, Verdict::Written { created: true, .. }), "{finished:?}");
    assert_eq!(salesforce.rows("write"), [1]);

    let missing = preview(plan(), "nobody", "5501", &crms, None).await;
    assert_eq!(missing, Err(OnceError::NoSuchMapping("nobody".to_owned())));
    let gone = run_once(plan(), "mql_to_lead", "gone", &crms, None).await.expect("a run");
    assert_eq!(gone.verdict, Verdict::SourceGone);
}
