//! Every row of the table of answers (`src/crm/answers.rs`), produced by the sandbox and followed to its end.
//!
//! A case stands for a row by its name. The test fails for a row without a case, and `docs/operations.md` shows the rows.

mod sandboxes;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use mapwright::crm::answers::{BROKEN, KNOWN, Known, Meaning};
use mapwright::crm::http::{HttpOptions, RetryPolicy};
use mapwright::plan::Plan;
use mapwright::runtime::{Crms, Runtime, Settings};
use mapwright::sandbox::hubspot as portal;
use mapwright::source::{ObjectName, Side};
use mapwright::store::{Incoming, NewEvent, SqliteStore, Store};
use mapwright::types::{ChangeEvent, ChangeKind};
use serde_json::{Value as Json, json};

use sandboxes::{now, plan_of};

const PATIENCE: Duration = Duration::from_mins(1);

/// Both directions, with an outcome for everything.
const MAPPINGS: &str = "
mapping lead {
  from hubspot.contact
  to   salesforce.Lead
  when any of (email, lastname) changes
  match {
    key HubSpot_Contact_ID__c = id
    or  Email = email where IsConverted = false
  }
  on none      create
  on many      park \"many\"
  on taken     park \"taken\"
  on converted park \"converted\"
  on duplicate park \"duplicate\"
  on rejected  park
  fields {
    LastName <- first_present(lastname, \"Unknown\") | truncate(80)
    Company  <- \"Acme\"
    Email    <- email | fits(80) otherwise park
  }
}

mapping company {
  from salesforce.Account
  to   hubspot.company
  when Name changes
  match {
    key salesforce_account_id = Id
    or  name = Name
  }
  on none     create
  on many     park \"many\"
  on taken    park \"taken\"
  on rejected park
  fields {
    name <- Name
  }
}
";

/// Which mapping runs.
#[derive(Clone, Copy, PartialEq)]
enum Flow {
    Lead,
    /// A Lead that a rep has typed in is adopted, hence updated by its id.
    KnownLead,
    /// `on duplicate adopt`, where a rep has typed in a Lead with another address.
    Adopting,
    /// `on duplicate allow`.
    Allowing,
    Company,
}
use Flow::{Adopting, Allowing, Company, KnownLead, Lead};

/// A row, what the sandbox answers, and how it must end.
struct Case {
    row: &'static str,
    flow: Flow,
    faults: Json,
    /// How it ends: the number of records made, then the words of the counters that are not about success, and the reason
    /// of what is parked.
    ends: &'static str,
}

fn case(row: &'static str, flow: Flow, fault: Json, ends: &'static str) -> Case {
    let faults = if fault.is_array() { fault } else { json!([fault]) };
    Case { row, flow, faults, ends }
}

/// Any error of Salesforce.
fn error(code: &str, message: &str) -> Json {
    json!({"answer": "salesforce.error", "operation": "salesforce.upsert", "status": 400, "with": {"code": code, "message": message}})
}

/// Often enough that a call which is made again inside the client, three times, still fails; less often than would
/// park a record that lost an attempt each time.
const ONE_ATTEMPT: u32 = 3;

fn cases() -> Vec<Case> {
    let upsert = "salesforce.upsert";
    let company = "hubspot.batch_upsert";
    vec![
        case(
            "hubspot.daily_limit",
            Lead,
            json!({"answer": "hubspot.daily_limit", "operation": "hubspot.batch_read", "times": 4}),
            "1 made, paused",
        ),
        case(
            "hubspot.contact_exists",
            Company,
            json!({"operation": company, "side": "hubspot", "status": 409, "times": "always", "body": {"status": "error", "category": "CONFLICT", "message": "Conflict. Existing ID: 77"}}),
            "0 made, parked: taken",
        ),
        case("hubspot.gone", Lead, json!([]), "0 made, source_gone"),
        case(
            "hubspot.row_later",
            Company,
            json!({"side": "hubspot", "operation": company, "status": 207, "body": {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [{"status": "error", "category": "RATE_LIMITS", "message": "too soon", "context": {"objectWriteTraceId": ["0"], "ids": ["001"]}}]}}),
            "1 made, retried",
        ),
        case(
            "hubspot.row_failed",
            Company,
            json!({"side": "hubspot", "operation": company, "status": 207, "body": {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [{"status": "error", "category": "INTERNAL_ERROR", "message": "oh", "context": {"objectWriteTraceId": ["0"], "ids": ["001"]}}]}}),
            "1 made, retried",
        ),
        case(
            "hubspot.invalid",
            Company,
            json!({"answer": "hubspot.property_doesnt_exist", "operation": company, "times": "always", "with": {"property": "name"}}),
            "0 made, parked: name",
        ),
        case(
            "salesforce.locked",
            Lead,
            json!({"answer": "salesforce.unable_to_lock_row", "operation": upsert, "times": ONE_ATTEMPT}),
            "1 made, retried",
        ),
        case(
            "salesforce.unavailable",
            Lead,
            json!({"answer": "salesforce.server_unavailable", "operation": upsert, "times": ONE_ATTEMPT}),
            "1 made, retried",
        ),
        case(
            "salesforce.slow",
            Lead,
            error("UNKNOWN_EXCEPTION", "An unexpected error occurred"),
            "1 made, retried",
        ),
        case(
            "salesforce.concurrent",
            Lead,
            json!({"answer": "salesforce.error", "operation": upsert, "status": 403, "times": ONE_ATTEMPT, "with": {"code": "REQUEST_LIMIT_EXCEEDED", "message": "ConcurrentPerOrgLongTxn Limit exceeded."}}),
            "1 made, retried",
        ),
        case(
            "salesforce.daily_limit",
            Lead,
            json!({"answer": "salesforce.request_limit", "operation": upsert, "times": 4}),
            "1 made, paused",
        ),
        case(
            "salesforce.session",
            Lead,
            json!({"answer": "salesforce.session_expired", "operation": upsert, "times": 5}),
            "1 made, paused",
        ),
        case(
            "salesforce.grant",
            Lead,
            json!({"side": "salesforce", "path": "/services/oauth2/token", "status": 400, "times": 3, "body": {"error": "invalid_grant", "error_description": "authentication failure"}}),
            "1 made, paused",
        ),
        case(
            "salesforce.permission",
            Lead,
            json!({"answer": "salesforce.api_disabled", "operation": upsert, "times": 4}),
            "1 made, paused",
        ),
        case(
            "salesforce.version_retired",
            Lead,
            error("UNSUPPORTED_API_VERSION", "The requested API version has been retired"),
            "1 made, paused",
        ),
        case(
            "salesforce.version_gone",
            Lead,
            json!({"side": "salesforce", "operation": "salesforce.query", "status": 410, "times": 3}),
            "1 made, paused",
        ),
        case(
            "line.version",
            Lead,
            json!([
                {"answer": "salesforce.error", "operation": "salesforce.query", "status": 404, "times": 3, "with": {"code": "NOT_FOUND", "message": "The requested resource does not exist"}},
                {"side": "salesforce", "path": "*/services/data", "status": 200, "times": 3, "body": [{"label": "Spring", "url": "/services/data/v66.0", "version": "66.0"}]},
            ]),
            "1 made, paused",
        ),
        case(
            "line.version",
            Lead,
            json!({"side": "hubspot", "operation": "hubspot.batch_read", "status": 404, "times": 3, "headers": {"Content-Type": "text/html"}, "body": "<html>nowhere</html>"}),
            "1 made, paused",
        ),
        case(
            "salesforce.not_shared",
            Lead,
            json!({"answer": "salesforce.insufficient_access", "operation": upsert, "times": "always"}),
            "0 made, parked: insufficient access rights",
        ),
        case(
            "salesforce.duplicate",
            Lead,
            json!({"answer": "salesforce.duplicates_detected", "operation": upsert, "times": "always", "with": {"object": "Lead", "ids": ["00Q000000000001AAA"]}}),
            "0 made, parked: duplicate",
        ),
        case(
            "salesforce.duplicate",
            Adopting,
            json!({"answer": "salesforce.duplicates_detected", "operation": upsert}),
            "1 made",
        ),
        case(
            "salesforce.duplicate",
            Adopting,
            json!({"answer": "salesforce.duplicates_other_object", "operation": upsert}),
            "1 made, parked: no mapping takes it over",
        ),
        case(
            "salesforce.duplicate",
            Adopting,
            json!({"answer": "salesforce.duplicates_converted_lead", "operation": upsert}),
            "1 made, parked: converted",
        ),
        case(
            "salesforce.duplicate",
            Adopting,
            json!({"answer": "salesforce.duplicates_several", "operation": upsert}),
            "2 made, parked: names several records",
        ),
        case(
            "salesforce.duplicate",
            Allowing,
            json!({"answer": "salesforce.duplicates_alert", "operation": upsert, "times": "always"}),
            "1 made",
        ),
        case(
            "salesforce.taken",
            Lead,
            json!({"answer": "salesforce.duplicate_value", "operation": upsert, "times": "always", "with": {"field": "HubSpot_Contact_ID__c", "id": "00Q000000000001AAA"}}),
            "0 made, parked: taken",
        ),
        case(
            "salesforce.converted",
            Lead,
            json!({"answer": "salesforce.converted_lead", "operation": upsert, "times": "always"}),
            "0 made, parked: converted",
        ),
        case(
            "salesforce.no_such_key",
            Lead,
            json!({"answer": "salesforce.error", "operation": upsert, "status": 404, "times": "always", "with": {"code": "NOT_FOUND", "message": "Provided external ID field does not exist or is not accessible: HubSpot_Contact_ID__c"}}),
            "0 made, parked: external ID field",
        ),
        case(
            "salesforce.gone",
            KnownLead,
            json!({"answer": "salesforce.entity_is_deleted", "operation": "salesforce.update"}),
            "1 made",
        ),
        case(
            "salesforce.gone_by_id",
            KnownLead,
            json!({"answer": "salesforce.error", "operation": "salesforce.update", "status": 400,
                   "with": {"code": "INVALID_CROSS_REFERENCE_KEY", "message": "invalid cross reference id"}}),
            "1 made",
        ),
        case(
            "salesforce.invalid",
            Lead,
            json!({"answer": "salesforce.string_too_long", "operation": upsert, "times": "always", "with": {"field": "LastName", "max": 80}}),
            "0 made, parked: LastName",
        ),
        case(
            "salesforce.schema_changed",
            Lead,
            json!({"answer": "salesforce.invalid_field", "operation": upsert, "times": "always", "with": {"field": "Email"}}),
            "0 made, parked: Email",
        ),
        case(
            "salesforce.several",
            Lead,
            json!({"answer": "salesforce.several_records", "operation": upsert, "times": "always"}),
            "0 made, parked: not unique",
        ),
        case(
            "line.unauthorised",
            Lead,
            json!({"answer": "hubspot.rotated_token", "operation": "hubspot.batch_read", "times": 4}),
            "1 made, paused",
        ),
        case(
            "line.forbidden",
            Lead,
            json!({"answer": "hubspot.missing_scopes", "operation": "hubspot.batch_read", "times": 4, "with": {"scopes": ["crm.objects.contacts.read"]}}),
            "1 made, paused",
        ),
        case(
            "line.too_many",
            Lead,
            json!({"answer": "hubspot.ten_secondly_limit", "operation": "hubspot.batch_read", "times": ONE_ATTEMPT}),
            "1 made, retried",
        ),
        case(
            "line.locked",
            Company,
            json!({"answer": "hubspot.locked", "operation": company, "times": ONE_ATTEMPT}),
            "1 made, retried",
        ),
        case(
            "line.migrating",
            Company,
            json!({"answer": "hubspot.migrating", "operation": company, "times": ONE_ATTEMPT, "with": {"retry_after": 0}}),
            "1 made, retried",
        ),
        case(
            "line.busy",
            Lead,
            json!({"side": "salesforce", "operation": upsert, "status": 503, "headers": {"Retry-After": "0"}, "times": ONE_ATTEMPT}),
            "1 made, retried",
        ),
        case(
            "line.server_error",
            Lead,
            json!({"side": "salesforce", "operation": upsert, "status": 502, "moment": "after"}),
            "1 made, retried",
        ),
        case(
            "line.server_error",
            Company,
            json!({"answer": "hubspot.origin_timeout", "operation": company}),
            "1 made, retried",
        ),
        case("line.no_connection", Lead, json!("stopped"), "0 made, retried, parked: no connection"),
        case(
            "line.broken_off",
            Lead,
            json!({"side": "salesforce", "operation": upsert, "answer": "reset", "moment": "after"}),
            "1 made, retried",
        ),
        case(
            "line.broken_off",
            Lead,
            json!({"side": "salesforce", "operation": upsert, "answer": "reset"}),
            "1 made, retried",
        ),
        case(
            "line.timed_out",
            Lead,
            json!({"side": "salesforce", "operation": upsert, "answer": "late", "delay_ms": 3_000}),
            "1 made, retried",
        ),
        case(
            "line.garbled",
            Lead,
            json!({"side": "salesforce", "operation": upsert, "answer": "not_json"}),
            "1 made, retried",
        ),
        case(
            "line.garbled",
            Lead,
            json!({"side": "hubspot", "operation": "hubspot.batch_read", "answer": "truncated_body"}),
            "1 made",
        ),
        case(
            "line.redirected",
            Lead,
            json!({"side": "salesforce", "operation": upsert, "answer": "redirect_other_host", "times": "always", "with": {"location": "https://elsewhere.example/"}}),
            "0 made, parked: redirects to",
        ),
    ]
}

/// Two attempts and no more: an answer that blames a record wrongly parks it.
fn settings() -> Settings {
    Settings {
        poll: Duration::from_millis(20),
        max_attempts: 2,
        first_backoff: Duration::from_millis(10),
        window: Duration::from_millis(50),
        credentials: Duration::from_millis(50),
        ..Settings::default()
    }
}

fn http() -> HttpOptions {
    let retry = RetryPolicy {
        base_delay: Duration::from_millis(1),
        max_delay: Duration::from_secs(11),
        max_attempts: 3,
    };
    HttpOptions {
        allow_private: true,
        request_timeout: Duration::from_millis(1_500),
        retry,
        ..HttpOptions::new(now, || 0.5)
    }
}

async fn play(case: &Case, plan: &Arc<Plan>) -> String {
    let (portal, org, crms, _) = sandboxes::start(portal::WebhookConfig::default(), http()).await;
    let actor = portal::Actor { change_source: "CRM_UI".to_owned(), source_id: None };
    let record = match case.flow {
        Lead if case.row == "hubspot.gone" => "5".to_owned(),
        Lead | KnownLead | Adopting | Allowing => {
            if case.flow == Adopting {
                let typed = json!({"LastName": "Doe", "Company": "Acme", "Email": "private@acme.example"});
                let known = org.create("Lead", &typed).expect("a Lead");
                match case.faults[0]["answer"].as_str() {
                    Some("salesforce.duplicates_several") => {
                        let other =
                            json!({"LastName": "Roe", "Company": "Acme", "Email": "roe@acme.example"});
                        org.create("Lead", &other).expect("another Lead");
                    }
                    Some("salesforce.duplicates_converted_lead") => {
                        org.convert_lead(&known).expect("converted");
                    }
                    _ => {}
                }
            }
            if case.flow == KnownLead {
                let typed = json!({"LastName": "Doe", "Company": "Acme", "Email": "jane@acme.example"});
                org.create("Lead", &typed).expect("a Lead");
            }
            let properties = [("email", "jane@acme.example"), ("lastname", "Doe")];
            portal.create("contact", Some("5"), &properties, &actor).expect("a contact");
            "5".to_owned()
        }
        Company => org.create("Account", &json!({"Name": "Acme"})).expect("an Account"),
    };
    let stopped = case.faults == json!(["stopped"]);
    for fault in case.faults.as_array().into_iter().flatten().filter(|_| !stopped) {
        let of_hubspot = ["side", "answer", "operation"]
            .iter()
            .any(|key| fault[*key].as_str().is_some_and(|text| text.starts_with("hubspot")));
        let wrong = |error: serde_json::Error| panic!("{}: {error}", case.row);
        if of_hubspot {
            portal.inject(serde_json::from_value(fault.clone()).unwrap_or_else(wrong));
        } else {
            org.add_fault(serde_json::from_value(fault.clone()).unwrap_or_else(wrong));
        }
    }
    if stopped {
        let ended = run(case.flow, &record, plan, crms, async {
            org.shutdown().await;
        })
        .await;
        portal.shutdown().await;
        return format!("0 made{ended}");
    }
    let ended = run(case.flow, &record, plan, crms, async {}).await;
    let made = match case.flow {
        Lead | KnownLead | Adopting | Allowing => org.records("Lead").len(),
        Company => portal.records("company").len(),
    };
    portal.shutdown().await;
    org.shutdown().await;
    format!("{made} made{ended}")
}

/// One change is carried to its end; the words of the counters that tell of trouble, and the reason of what is parked.
async fn run(
    flow: Flow,
    record: &str,
    plan: &Arc<Plan>,
    crms: Crms,
    first: impl Future<Output = ()>,
) -> String {
    first.await;
    let store = Arc::new(SqliteStore::in_memory().await.expect("a store"));
    let (object, field) = match flow {
        Lead | KnownLead | Adopting | Allowing => (ObjectName::new(Side::Hubspot, "contact"), "email"),
        Company => (ObjectName::new(Side::Salesforce, "Account"), "Name"),
    };
    let event = NewEvent {
        pair: "main".to_owned(),
        dedupe: "1".to_owned(),
        raw: "{}".to_owned(),
        received_at: now(),
        incoming: Incoming::Change(ChangeEvent {
            object,
            record: record.to_owned(),
            kind: ChangeKind::FieldChanged { field: field.to_owned(), value: None },
            occurred_at: now(),
        }),
    };
    store.append(vec![event]).await.expect("append");
    let parts = sandboxes::parts(Arc::clone(plan), crms, store.clone(), settings());
    let metrics = Arc::clone(&parts.metrics);
    let worker = Runtime::start(parts).await.expect("a worker");
    assert!(worker.idle(PATIENCE).await.expect("the store"), "{:?}", store.pending().await);
    let mut ended = String::new();
    let counted = metrics.render();
    for word in ["retried", "paused", "source_gone", "skipped"] {
        if counted.lines().any(|line| line.starts_with("mapwright_records_total") && line.contains(word)) {
            let _ = write!(ended, ", {word}");
        }
    }
    for parked in store.parked().await.expect("parked") {
        let reason = parked.reason;
        let words = [Some(reason.reason), reason.field, reason.answer];
        let words: Vec<String> = words.into_iter().flatten().collect();
        let _ = write!(ended, ", parked: {}", words.join(" / "));
    }
    assert!(worker.shutdown().await);
    ended
}

#[tokio::test]
async fn every_answer_of_the_table_ends_as_its_policy_says() {
    let park = "on duplicate park \"duplicate\"";
    assert!(MAPPINGS.contains(park));
    let plan = |text: &str| plan_of(&[("answers.map", text)]);
    let parking = plan(MAPPINGS);
    let adopting = plan(&MAPPINGS.replace(park, "on duplicate adopt"));
    let allowing = plan(&MAPPINGS.replace(park, "on duplicate allow"));
    let cases = cases();
    let rows: BTreeSet<&str> =
        KNOWN.iter().map(|row| row.name).chain(BROKEN.iter().map(|row| row.name)).collect();
    let tried: BTreeSet<&str> = cases.iter().map(|case| case.row).collect();
    assert_eq!(rows, tried, "every row of the table has a case, and every case a row");
    let mut wrong = Vec::new();
    for case in &cases {
        let plan = match case.flow {
            Adopting => &adopting,
            Allowing => &allowing,
            Lead | KnownLead | Company => &parking,
        };
        let ended = play(case, plan).await;
        // What is parked need only contain the words.
        let fits = match case.ends.split_once("parked: ") {
            Some((before, words)) => ended
                .split_once("parked: ")
                .is_some_and(|(other, reason)| other == before && reason.contains(words)),
            None => ended == case.ends,
        };
        if !fits {
            wrong.push(format!("{}: expected `{}`, and it ended `{ended}`", case.row, case.ends));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The table as `docs/operations.md` shows it.
fn rendered() -> String {
    let mut text = String::from("| answer | how it is known | what follows |\n| --- | --- | --- |\n");
    let status = |row: &Known| {
        let range =
            |(from, to): &(u16, u16)| if from == to { from.to_string() } else { format!("{from} to {to}") };
        let header = if row.retry_after { " with `Retry-After`" } else { "" };
        format!("{}{header}", row.statuses.iter().map(range).collect::<Vec<_>>().join(", "))
    };
    for row in KNOWN {
        let whose = row.side.map_or("either", |side| side.label());
        let mut known = row.codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
        if !row.statuses.is_empty() {
            known = status(row);
        }
        if !row.words.is_empty() {
            let _ = write!(known, " that says \"{}\"", row.words);
        }
        let _ = writeln!(text, "| {whose}: {} | {known} | {} |", row.what, row.meaning.policy());
    }
    for row in BROKEN {
        let _ = writeln!(text, "| either: {} | | {} |", row.what, row.meaning.policy());
    }
    text
}

#[test]
fn the_manual_shows_the_table() {
    const BEGIN: &str = "<!-- answers: begin -->\n";
    const END: &str = "<!-- answers: end -->";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md");
    let text = std::fs::read_to_string(path).expect("the manual");
    let (before, rest) = text.split_once(BEGIN).expect("the table's beginning");
    let (_, after) = rest.split_once(END).expect("the table's end");
    let wanted = format!("{before}{BEGIN}{}{END}{after}", rendered());
    if std::env::var_os("MAPWRIGHT_UPDATE").is_some() {
        std::fs::write(path, &wanted).expect("written");
    } else {
        assert_eq!(text, wanted, "`MAPWRIGHT_UPDATE=1 cargo test --test answers` writes the table anew");
    }
}

/// No two meanings are told alike, and each is that of a row.
#[test]
fn every_policy_is_that_of_a_row() {
    let meanings = KNOWN.iter().map(|row| row.meaning).chain(BROKEN.iter().map(|row| row.meaning));
    let told: BTreeMap<&str, Meaning> = meanings.map(|meaning| (meaning.policy(), meaning)).collect();
    assert_eq!(told.len(), Meaning::ALL.len(), "{told:?}");
}
