//! The client against small servers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::json;

use crate::crm::testing::{Reply, Seen, Server, noon, options};
use crate::source::ObjectName;
use crate::types::{Filter, FilterOp, Value, WriteTarget};

use super::*;

/// Made for these tests; opens nothing.
const KEY: &str = include_str!("../../../tests/data/test-only-jwt-key.pem");
const PUBLIC_KEY: &str = include_str!("../../../tests/data/test-only-jwt-key.pub.pem");

fn credentials() -> SalesforceAuth {
    SalesforceAuth::ClientCredentials { client_id: "app".into(), client_secret: "shh".into() }
}

fn client(server: &Server, auth: SalesforceAuth) -> SalesforceClient {
    let config = SalesforceConfig {
        login_url: server.base.clone(),
        api_version: "v58.0".into(),
        auth,
        aliases: HashMap::new(),
    };
    SalesforceClient::new(config, options()).unwrap()
}

/// A token answer whose instance is the server that was asked.
fn token(seen: &Seen, number: usize) -> Reply {
    let instance = format!("http://{}", seen.header("host"));
    let body = json!({"access_token": format!("token-{number}"), "instance_url": instance,
        "id": format!("{instance}/id/00D000000000001AAA/005000000000001AAA"), "token_type": "Bearer"});
    Reply::json(200, &body)
}

fn is_token(seen: &Seen) -> bool {
    seen.target == "/services/oauth2/token"
}

/// A server whose tokens are fine.
async fn server(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |seen, before| if is_token(seen) { token(seen, before) } else { answer(seen) }).await
}

fn lead(target: WriteTarget, fields: &[(&str, Value)]) -> WriteRequest {
    WriteRequest {
        object: ObjectName::new(Side::Salesforce, "Lead"),
        target,
        fields: fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        allow_duplicates: false,
        assignment_rule: None,
    }
}

fn upsert(value: &str) -> WriteRequest {
    let target = WriteTarget::Upsert { key: "HubSpot_Contact_ID__c".into(), value: value.into() };
    lead(target, &[("HubSpot_Contact_ID__c", Value::text(value)), ("LastName", Value::text("Doe"))])
}

fn id(number: usize) -> String {
    format!("00Q{number:012}AAA")
}

fn by_email(email: &str) -> FindRequest {
    FindRequest {
        object: ObjectName::new(Side::Salesforce, "Lead"),
        filters: vec![Filter { field: "Email".into(), op: FilterOp::Eq(Value::text(email)) }],
        ids: Vec::new(),
        fields: vec!["Status".into(), "Owner.Email".into()],
        limit: 2,
    }
}

#[tokio::test]
async fn the_assertion_is_signed_and_short() {
    let server = server(|_| Reply::json(200, &json!([]))).await;
    let auth = SalesforceAuth::JwtBearer {
        client_id: "consumer".into(),
        username: "sync@acme.test".into(),
        private_key_pem: KEY.into(),
        audience: Some("https://login.salesforce.com".into()),
    };
    client(&server, auth).versions().await.unwrap();
    let form: HashMap<_, _> =
        url::form_urlencoded::parse(server.seen()[0].body.as_bytes()).into_owned().collect();
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let key = DecodingKey::from_rsa_pem(PUBLIC_KEY.as_bytes()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&["https://login.salesforce.com"]);
    // The tests' clock stands in the past.
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Json>(&form["assertion"], &key, &validation).unwrap().claims;
    assert_eq!((claims["iss"].as_str(), claims["sub"].as_str()), (Some("consumer"), Some("sync@acme.test")));
    assert_eq!(claims["exp"].as_i64(), Some(noon().timestamp() + 180));
}

#[test]
fn a_key_that_is_none_is_a_setup_error() {
    let auth = SalesforceAuth::JwtBearer {
        client_id: String::new(),
        username: String::new(),
        private_key_pem: "hello".into(),
        audience: None,
    };
    let login_url = Url::parse("https://login.salesforce.com").unwrap();
    let config = SalesforceConfig { login_url, api_version: "58.0".into(), auth, aliases: HashMap::new() };
    let error = SalesforceClient::new(config, options()).err().unwrap();
    assert!(matches!(error, SetupError::Setting(_)), "{error}");
}

#[tokio::test]
async fn concurrent_callers_share_one_token() {
    let server = server(|_| Reply::json(200, &json!([])).after(Duration::from_millis(20))).await;
    let client = client(&server, credentials());
    let _ = tokio::join!(
        client.versions(),
        client.org_limits(),
        client.describe_global(),
        client.describe("Lead")
    );
    let lines = server.lines();
    assert_eq!(lines.iter().filter(|line| line.contains("oauth2/token")).count(), 1, "{lines:?}");
    assert_eq!(client.calls(), 5);
    assert_eq!(
        client.identity().await.unwrap(),
        Some(("00D000000000001AAA".into(), "005000000000001AAA".into()))
    );
}

#[tokio::test]
async fn an_ended_session_is_renewed_once_for_all_callers() {
    let server = Server::start(|seen, before| match seen.header("authorization") {
        _ if is_token(seen) => token(seen, before),
        "Bearer token-0" => Reply::json(
            401,
            &json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]),
        )
        .after(Duration::from_millis(20)),
        _ => Reply::json(200, &json!([{"version": "58.0"}])),
    })
    .await;
    let client = client(&server, credentials());
    let (a, b, c) = tokio::join!(client.versions(), client.versions(), client.versions());
    assert_eq!(
        (a.unwrap(), b.unwrap(), c.unwrap()),
        (vec!["58.0".to_owned()], vec!["58.0".to_owned()], vec!["58.0".to_owned()])
    );
    assert_eq!(server.lines().iter().filter(|line| line.contains("oauth2/token")).count(), 2);
}

#[tokio::test]
async fn a_session_that_is_refused_twice_stops() {
    let server =
        server(|_| Reply::json(401, &json!([{"message": "no", "errorCode": "INVALID_SESSION_ID"}]))).await;
    let client = client(&server, credentials());
    let error = client.versions().await.unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (CrmErrorKind::Unauthorised, Some("INVALID_SESSION_ID")));
    assert_eq!(client.calls(), 4);
}

#[tokio::test]
async fn a_refused_grant_keeps_the_vendors_words() {
    let body = json!({"error": "invalid_grant", "error_description": "expired access/refresh token"});
    let server = Server::start(move |_, _| Reply::json(400, &body)).await;
    let error = client(&server, credentials()).versions().await.unwrap_err();
    assert_eq!(error.kind, CrmErrorKind::Unauthorised);
    assert_eq!(error.message, "expired access/refresh token");
}

#[tokio::test]
async fn a_replaced_refresh_token_is_used_next() {
    let tokens = AtomicUsize::new(0);
    let server = Server::start(move |seen, _| {
        if !is_token(seen) {
            return Reply::json(401, &json!([{"message": "no", "errorCode": "INVALID_SESSION_ID"}]));
        }
        let instance = format!("http://{}", seen.header("host"));
        let number = tokens.fetch_add(1, Ordering::Relaxed);
        Reply::json(200, &json!({"access_token": "t", "instance_url": instance, "refresh_token": format!("next-{number}")}))
    })
    .await;
    let auth = SalesforceAuth::RefreshToken {
        client_id: "app".into(),
        client_secret: None,
        keeper: crate::crm::tokens::InMemory::new("first".into()),
    };
    let _ = client(&server, auth).versions().await;
    let bodies: Vec<_> = server.seen().into_iter().filter(is_token).map(|seen| seen.body).collect();
    assert!(
        bodies[0].ends_with("refresh_token=first") && bodies[1].ends_with("refresh_token=next-0"),
        "{bodies:?}"
    );
}

#[tokio::test]
async fn an_instance_elsewhere_is_refused() {
    for instance in ["http://acme.my.salesforce.test", "https://10.0.0.1", "ftp://x.test", "nonsense"] {
        let server = Server::start(move |_, _| {
            Reply::json(200, &json!({"access_token": "t", "instance_url": instance}))
        })
        .await;
        let error = client(&server, credentials()).versions().await.unwrap_err();
        assert_eq!(error.kind, CrmErrorKind::Refused, "{instance}");
        assert!(error.message.contains("instance_url"), "{}", error.message);
    }
}

#[tokio::test]
async fn look_ups_share_a_query_and_are_handed_out() {
    let server = server(|seen| {
        let soql = seen.parameter("q");
        let row = |id: String, email: &str| {
            json!({"attributes": {"type": "Lead"}, "Id": id, "Status": "New", "Email": email, "Owner": {"Email": "rep@x.test"}})
        };
        assert!(soql.contains(r"WHERE Email IN ('a@x.test', 'o\'b@x.test') ORDER BY CreatedDate, Id LIMIT"), "{soql}");
        let rows = [row(id(1), "A@x.test"), row(id(2), "a@x.test"), row(id(3), "a@x.test")];
        Reply::json(200, &json!({"totalSize": 3, "done": true, "records": rows}))
    })
    .await;
    let client = client(&server, credentials());
    let answers = client.find(&[by_email("a@x.test"), by_email("o'b@x.test")]).await;
    let found: Vec<Vec<_>> =
        answers.into_iter().map(|a| a.unwrap().into_iter().map(|r| r.id).collect()).collect();
    assert_eq!(found, [vec![id(1), id(2)], vec![]], "each request's limit holds");
    assert_eq!(client.calls(), 2);
}

#[tokio::test]
async fn one_impossible_look_up_does_not_fail_the_others() {
    let server = server(|_| Reply::json(200, &json!({"totalSize": 0, "done": true, "records": []}))).await;
    let answers =
        client(&server, credentials()).find(&[by_email("a@x.test"), by_email(&"x".repeat(4_001))]).await;
    assert_eq!(answers[0], Ok(vec![]));
    assert!(matches!(&answers[1], Err(error) if error.kind == CrmErrorKind::Refused), "{answers:?}");
}

#[tokio::test]
async fn text_that_is_no_id_is_asked_for_in_no_query() {
    let server = server(|seen| {
        assert!(!seen.parameter("q").contains("Rome"), "{seen:?}");
        let row = json!({"Id": id(1), "OwnerId": id(2), "Status": null, "Owner": null});
        Reply::json(200, &json!({"totalSize": 1, "done": true, "records": [row]}))
    })
    .await;
    let client = client(&server, credentials());
    let by = |op: FilterOp| FindRequest {
        filters: vec![Filter { field: "OwnerId".into(), op }],
        ids: vec!["OwnerId".into()],
        ..by_email("")
    };
    let rome = || Value::text("Rome");
    let nothing = [by(FilterOp::Eq(rome())), by(FilterOp::In(vec![rome()])), by(FilterOp::Gt(rome()))];
    assert!(client.find(&nothing).await.iter().all(|found| *found == Ok(vec![])));
    assert!(server.seen().iter().all(|seen| !seen.target.contains("query")), "no call");
    // One of two that share a call, one of a list, and what every record is other than.
    let found = client.find(&[by(FilterOp::Eq(Value::Text(id(2)))), by(FilterOp::Eq(rome()))]).await;
    assert_eq!(found.iter().map(|rows| rows.as_ref().unwrap().len()).collect::<Vec<_>>(), [1, 0]);
    let listed = by(FilterOp::In(vec![rome(), Value::Text(id(2))]));
    assert_eq!(client.find(&[listed]).await[0].as_ref().unwrap().len(), 1);
    assert_eq!(client.find(&[by(FilterOp::Ne(rome()))]).await[0].as_ref().unwrap().len(), 1);
}

#[tokio::test]
async fn all_pages_of_a_read_are_followed_and_impossible_ids_are_absent() {
    let server = server(|seen| {
        let row = |number| json!({"Id": id(number), "Email": "a@x.test", "Owner": null});
        if seen.target.starts_with("/services/data/v58.0/query/01g-2000") {
            return Reply::json(200, &json!({"totalSize": 2, "done": true, "records": [row(2)]}));
        }
        assert!(!seen.parameter("q").contains("nonsense"));
        let next = "/services/data/v58.0/query/01g-2000";
        Reply::json(200, &json!({"totalSize": 2, "done": false, "nextRecordsUrl": next, "records": [row(1)]}))
    })
    .await;
    let request = ReadRequest {
        object: ObjectName::new(Side::Salesforce, "Lead"),
        ids: vec![id(1), id(2), "nonsense' OR Id != '".into()],
        fields: vec!["Email".into(), "Owner.Email".into()],
    };
    let records = client(&server, credentials()).read(&request).await.unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!(Json::Object(records[1].values.clone()), json!({"Email": "a@x.test", "Owner.Email": null}));
}

#[tokio::test]
async fn a_single_upsert_goes_to_its_own_address() {
    let server = server(|seen| {
        let body = json!({"id": id(1), "success": true, "errors": [], "created": true});
        match seen.target.as_str() {
            "/services/data/v58.0/sobjects/Lead/HubSpot_Contact_ID__c/a%2Fb%20%C3%A4" => {
                Reply::json(201, &body)
            }
            _ => Reply::json(500, &json!([])),
        }
    })
    .await;
    let client = client(&server, credentials());
    let mut request = upsert("a/b ä");
    request.allow_duplicates = true;
    request.assignment_rule = Some("FALSE".into());
    let answers = client.write(&[request]).await;
    assert_eq!(answers, [WriteAnswer::Written { id: id(1), created: true }]);
    let seen = server.seen().pop().unwrap();
    assert_eq!(seen.method, "PATCH");
    assert_eq!(seen.json(), json!({"LastName": "Doe"}), "the key is not in the body");
    assert_eq!(seen.header("sforce-call-options"), "client=mapwright");
    assert_eq!(seen.header("sforce-duplicate-rule-header"), "allowSave=true");
    assert_eq!(seen.header("sforce-auto-assign"), "FALSE");
}

#[tokio::test]
async fn every_form_of_an_upsert_answer_is_read() {
    let server = server(|seen| match (seen.method.as_str(), seen.target.rsplit('/').next().unwrap()) {
        ("PATCH", "1") => {
            Reply::json(200, &json!({"id": id(1), "success": true, "errors": [], "created": false}))
        }
        ("PATCH", "2") => Reply::json(201, &json!({"id": id(2), "success": true, "errors": []})),
        ("PATCH", "3") => Reply::text(204, ""),
        ("GET", "3?fields=Id") => Reply::json(200, &json!({"Id": id(3)})),
        ("PATCH", "4") => Reply::json(300, &json!(["/services/data/v58.0/sobjects/Lead/a", "/b"])),
        _ => Reply::text(200, "<html>"),
    })
    .await;
    let client = client(&server, credentials());
    let one = async |value: &str| client.write(&[upsert(value)]).await.remove(0);
    assert_eq!(one("1").await, WriteAnswer::Written { id: id(1), created: false });
    assert_eq!(one("2").await, WriteAnswer::Written { id: id(2), created: true });
    assert_eq!(one("3").await, WriteAnswer::Written { id: id(3), created: false });
    assert!(matches!(one("4").await, WriteAnswer::Rejected { errors } if errors[0].code == "300"));
    assert!(matches!(
        one("5").await,
        WriteAnswer::Failed(CrmError { kind: CrmErrorKind::Garbled, maybe_applied: true, .. })
    ));
}

#[tokio::test]
async fn rows_of_a_collection_have_an_answer_each() {
    let server = server(|seen| {
        if seen.target.ends_with("/sobjects/Lead/HubSpot_Contact_ID__c/4") {
            let result = json!({"allowSave": false, "duplicateRule": "R", "matchResults": [{"entityType": "Lead",
                "matchRecords": [{"record": {"attributes": {"type": "Lead"}, "Id": id(9)}}]}]});
            return Reply::json(400, &json!([{"errorCode": "DUPLICATES_DETECTED", "message": "dup", "duplicateResut": result}]));
        }
        let failed = |code: &str, message: &str| json!({"success": false, "errors": [{"statusCode": code, "message": message, "fields": []}]});
        Reply::json(200, &json!([
            {"id": id(1), "success": true, "errors": [], "created": true},
            {"id": id(2), "success": true, "errors": [], "created": false},
            failed("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access"),
            failed("DUPLICATES_DETECTED", "Use one of these records?"),
            failed("STRING_TOO_LONG", "too long"),
        ]))
    })
    .await;
    let client = client(&server, credentials());
    let requests: Vec<_> = (1..=5).map(|number| upsert(&number.to_string())).collect();
    let answers = client.write(&requests).await;
    assert_eq!(answers[0], WriteAnswer::Written { id: id(1), created: true });
    assert_eq!(answers[1], WriteAnswer::Written { id: id(2), created: false });
    assert!(
        matches!(&answers[2], WriteAnswer::Failed(e) if e.kind == CrmErrorKind::Retry && !e.maybe_applied)
    );
    assert!(
        matches!(&answers[3], WriteAnswer::Duplicate { matches, .. } if matches[0].id == id(9)),
        "{:?}",
        answers[3]
    );
    assert!(matches!(&answers[4], WriteAnswer::Rejected { .. }));
    let batch = server.seen()[1].clone();
    assert_eq!(batch.line(), "PATCH /services/data/v58.0/composite/sobjects/Lead/HubSpot_Contact_ID__c");
    let row = json!({"attributes": {"type": "Lead"}, "HubSpot_Contact_ID__c": "1", "LastName": "Doe"});
    assert_eq!(batch.json()["records"][0], row);
    assert_eq!(batch.json()["allOrNone"], json!(false));
}

#[tokio::test]
async fn rows_that_cannot_share_a_call_do_not() {
    let server = server(|seen| {
        let count = seen.json()["records"].as_array().map_or(0, Vec::len);
        match count {
            0 => Reply::json(201, &json!({"id": id(0), "success": true, "errors": [], "created": true})),
            _ => Reply::json(
                200,
                &(0..count).map(|n| json!({"id": id(n), "success": true, "errors": []})).collect(),
            ),
        }
    })
    .await;
    let client = client(&server, credentials());
    let mut requests: Vec<_> =
        (0..250).map(|_| lead(WriteTarget::Create, &[("LastName", Value::text("Doe"))])).collect();
    requests[7].allow_duplicates = true;
    requests.extend([upsert("Same"), upsert("same"), upsert("x.inc")]);
    let answers = client.write(&requests).await;
    assert!(answers.iter().all(|answer| matches!(answer, WriteAnswer::Written { .. })));
    let sizes: Vec<_> =
        server.seen().iter().skip(1).map(|s| s.json()["records"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!(
        sizes,
        [200, 0, 49, 2, 0],
        "creates, the one with an option, the rest, two upserts, the repeated key"
    );
}

#[tokio::test]
async fn a_key_with_a_full_stop_goes_to_collections() {
    let server =
        server(|_| Reply::json(200, &json!([{"id": id(1), "success": true, "errors": [], "created": true}])))
            .await;
    let answers = client(&server, credentials()).write(&[upsert("x.inc")]).await;
    assert_eq!(answers, [WriteAnswer::Written { id: id(1), created: true }]);
    assert!(server.lines()[1].ends_with("/composite/sobjects/Lead/HubSpot_Contact_ID__c"));
}

#[tokio::test]
async fn a_whole_that_is_refused_is_halved() {
    let server = server(|seen| {
        let records = seen.json()["records"].as_array().cloned().unwrap_or_default();
        let bad = |record: &Json| record["LastName"] == json!("bad");
        if records.iter().any(bad) || bad(&seen.json()) {
            return Reply::json(
                400,
                &json!([{"message": "cannot deserialize", "errorCode": "JSON_PARSER_ERROR"}]),
            );
        }
        match records.len() {
            0 => Reply::json(201, &json!({"id": id(0), "success": true, "errors": []})),
            count => Reply::json(
                200,
                &(0..count).map(|n| json!({"id": id(n), "success": true, "errors": []})).collect(),
            ),
        }
    })
    .await;
    let mut requests: Vec<_> =
        (0..8).map(|_| lead(WriteTarget::Create, &[("LastName", Value::text("Doe"))])).collect();
    requests[5].fields[0].1 = Value::text("bad");
    let answers = client(&server, credentials()).write(&requests).await;
    for (index, answer) in answers.iter().enumerate() {
        assert_eq!(matches!(answer, WriteAnswer::Written { .. }), index != 5, "{index} {answer:?}");
    }
    assert!(matches!(&answers[5], WriteAnswer::Rejected { errors } if errors[0].code == "JSON_PARSER_ERROR"));
}

#[tokio::test]
async fn the_daily_limit_is_a_window_and_usage_is_read() {
    let body = json!([{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]);
    let server =
        server(move |_| Reply::json(403, &body).header("sforce-limit-info", "api-usage=15000/15000")).await;
    let client = client(&server, credentials());
    let answers = client.write(&[upsert("1"), upsert("2")]).await;
    assert!(
        answers.iter().all(
            |a| matches!(a, WriteAnswer::Failed(e) if e.kind == CrmErrorKind::Window && !e.maybe_applied)
        )
    );
    assert_eq!(client.limits().daily.map(|daily| daily.remaining), Some(0));
}

#[tokio::test]
async fn updates_of_impossible_records_are_gone() {
    let server = server(|_| Reply::text(204, "")).await;
    let client = client(&server, credentials());
    let update = |id: &str| lead(WriteTarget::Update { id: id.into() }, &[("Title", Value::Blank)]);
    let answers = client.write(&[update("../User/1"), update(&id(1))]).await;
    assert!(matches!(&answers[0], WriteAnswer::Gone { .. }));
    assert_eq!(answers[1], WriteAnswer::Written { id: id(1), created: false });
    assert_eq!(server.seen()[1].json(), json!({"Title": null}));
}

#[tokio::test]
async fn a_write_that_timed_out_is_sent_once_and_may_have_been_applied() {
    let server = server(|_| Reply::text(204, "").after(Duration::from_secs(3))).await;
    let config = SalesforceConfig {
        login_url: server.base.clone(),
        api_version: "58.0".into(),
        auth: credentials(),
        aliases: HashMap::new(),
    };
    let short = HttpOptions { request_timeout: Duration::from_millis(200), ..options() };
    let answers = SalesforceClient::new(config, short).unwrap().write(&[upsert("1")]).await;
    assert!(
        matches!(&answers[0], WriteAnswer::Failed(e) if e.maybe_applied && e.kind == CrmErrorKind::Retry)
    );
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn an_object_that_does_not_exist_is_no_record_that_is_gone() {
    let body = json!([{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}]);
    let server = server(move |_| Reply::json(404, &body)).await;
    let client = client(&server, credentials());
    let created = client.write(&[lead(WriteTarget::Create, &[])]).await;
    assert!(matches!(&created[0], WriteAnswer::Failed(e) if e.kind == CrmErrorKind::Refused), "{created:?}");
    let updated = client.write(&[lead(WriteTarget::Update { id: id(1) }, &[])]).await;
    assert!(matches!(&updated[0], WriteAnswer::Gone { .. }), "{updated:?}");
}

#[tokio::test]
async fn matches_are_named_as_the_project_names_them() {
    let result = json!({"allowSave": true, "duplicateRule": "R", "matchResults": [{"entityType": "Contact",
        "matchRecords": [{"record": {"attributes": {"type": "Contact"}, "Id": id(9)}}]}]});
    let body = json!([{"errorCode": "DUPLICATES_DETECTED", "message": "dup", "duplicateResut": result}]);
    let server = server(move |_| Reply::json(400, &body)).await;
    let config = SalesforceConfig {
        login_url: server.base.clone(),
        api_version: "58.0".into(),
        auth: credentials(),
        aliases: HashMap::from([("person".to_owned(), "Contact".to_owned())]),
    };
    let answers = SalesforceClient::new(config, options()).unwrap().write(&[upsert("1")]).await;
    let WriteAnswer::Duplicate { matches, .. } = &answers[0] else { panic!("{answers:?}") };
    assert_eq!(matches[0].object.name, "person");
}

fn conversion(number: usize) -> ConvertRequest {
    ConvertRequest {
        object: ObjectName::new(Side::Salesforce, "Lead"),
        id: id(number),
        status: "Closed - Converted".to_owned(),
        account: None,
        opportunity: None,
        owner: None,
    }
}

fn leads_of(seen: &Seen) -> Vec<String> {
    let ids = seen.body.split("<leadId>").skip(1);
    ids.map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
}

fn soap(status: u16, body: &str) -> Reply {
    let text = format!(
        "<?xml version=\"1.0\"?><e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:sf=\"urn:fault.partner.soap.sforce.com\"><e:Body>{body}</e:Body></e:Envelope>"
    );
    Reply::text(status, &text).header("content-type", "text/xml; charset=utf-8")
}

fn fault(code: &str) -> Reply {
    soap(
        500,
        &format!(
            "<e:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: said</faultstring></e:Fault>"
        ),
    )
}

/// Everything that was asked for is converted; a Lead's Contact has its number.
fn all_converted(seen: &Seen) -> Reply {
    let result = |lead: String| {
        let contact = lead.replace("00Q", "003");
        format!(
            "<result><accountId>001000000000001AAA</accountId><contactId>{contact}</contactId><leadId>{lead}</leadId>\
             <opportunityId xsi:nil=\"true\"/><success>true</success></result>"
        )
    };
    let results: String = leads_of(seen).into_iter().map(result).collect();
    soap(200, &format!("<convertLeadResponse>{results}</convertLeadResponse>"))
}

fn contact_of(answer: &ConvertAnswer) -> Option<&str> {
    match answer {
        ConvertAnswer::Converted(into) => Some(&into.contact),
        _ => None,
    }
}

fn soap_calls(server: &Server) -> Vec<Seen> {
    server.seen().into_iter().filter(|seen| seen.target.starts_with("/services/Soap")).collect()
}

#[tokio::test]
async fn leads_are_converted_two_hundred_at_once_and_answered_in_order() {
    let server = server(all_converted).await;
    let mut requests: Vec<ConvertRequest> = (0..250).map(conversion).collect();
    requests[3].opportunity = Some("R&D </opportunityName> <b>".to_owned());
    requests[3].account = Some("001000000000001AAA".to_owned());
    requests[3].owner = Some("005000000000001AAA".to_owned());
    let answers = client(&server, credentials()).convert(&requests).await;
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(contact_of(answer), Some(id(number).replace("00Q", "003").as_str()));
    }
    let calls = soap_calls(&server);
    assert_eq!(calls.iter().map(|call| leads_of(call).len()).collect::<Vec<_>>(), [200, 50]);
    let first = &calls[0];
    assert_eq!((first.target.as_str(), first.header("soapaction")), ("/services/Soap/u/58.0", "\"\""));
    assert!(first.header("content-type").starts_with("text/xml"));
    assert!(first.body.contains("<sessionId>token-0</sessionId>"), "{}", &first.body[..400]);
    assert!(
        first.body.contains("<opportunityName>R&amp;D &lt;/opportunityName&gt; &lt;b&gt;</opportunityName>")
    );
    let lead = first.body.split("<leadConverts>").nth(4).expect("the fourth");
    let names: Vec<&str> =
        lead.split('<').filter_map(|tag| tag.split_once('>')).map(|(name, _)| name).collect();
    let opened: Vec<&&str> = names.iter().filter(|name| !name.starts_with('/')).collect();
    assert_eq!(
        opened,
        [
            &"accountId",
            &"convertedStatus",
            &"doNotCreateOpportunity",
            &"leadId",
            &"opportunityName",
            &"overwriteLeadSource",
            &"ownerId",
            &"sendNotificationEmail"
        ],
        "the order of the schema"
    );
}

#[tokio::test]
async fn each_lead_has_an_answer_of_its_own() {
    let server = server(|_| {
        let refused = |code: &str| {
            format!(
                "<result><errors><message>said</message><statusCode>{code}</statusCode></errors>\
                 <success>false</success></result>"
            )
        };
        let codes = [
            "CANNOT_UPDATE_CONVERTED_LEAD",
            "ENTITY_IS_DELETED",
            "DUPLICATES_DETECTED",
            "INVALID_STATUS",
            "INVALID_CROSS_REFERENCE_KEY",
            "UNABLE_TO_LOCK_ROW",
        ];
        let results: String = codes.into_iter().map(refused).collect();
        soap(200, &format!("<convertLeadResponse>{results}</convertLeadResponse>"))
    })
    .await;
    let mut requests: Vec<ConvertRequest> = (0..8).map(conversion).collect();
    requests[6].account = Some("Acme".to_owned());
    requests[7].id = "new".to_owned();
    let answers = client(&server, credentials()).convert(&requests).await;
    assert!(matches!(&answers[0], ConvertAnswer::Already { message } if message == "said"));
    assert!(matches!(answers[1], ConvertAnswer::Gone { .. }));
    for (answer, code) in
        answers[2..5].iter().zip(["DUPLICATES_DETECTED", "INVALID_STATUS", "INVALID_CROSS_REFERENCE_KEY"])
    {
        let ConvertAnswer::Rejected { errors } = answer else { panic!("{answer:?}") };
        assert_eq!((errors[0].code.as_str(), errors[0].message.as_str()), (code, "said"));
    }
    let ConvertAnswer::Failed(locked) = &answers[5] else { panic!("{:?}", answers[5]) };
    assert_eq!((locked.kind, locked.maybe_applied), (CrmErrorKind::Retry, false));
    assert!(matches!(&answers[6], ConvertAnswer::Rejected { errors } if errors[0].code == "MALFORMED_ID"));
    assert!(matches!(answers[7], ConvertAnswer::Gone { .. }));
    assert_eq!(leads_of(&soap_calls(&server)[0]).len(), 6, "the others were not sent");
}

#[tokio::test]
async fn a_session_that_has_ended_is_renewed_for_a_conversion_and_once_more_is_enough() {
    let server =
        server(
            |seen| {
                if seen.body.contains("token-0") { fault("INVALID_SESSION_ID") } else { all_converted(seen) }
            },
        )
        .await;
    let answers = client(&server, credentials()).convert(&[conversion(1)]).await;
    assert!(contact_of(&answers[0]).is_some(), "{answers:?}");
    assert_eq!(soap_calls(&server).len(), 2);

    let server = self::server(|_| fault("INVALID_SESSION_ID")).await;
    let answers = client(&server, credentials()).convert(&[conversion(1)]).await;
    let ConvertAnswer::Failed(error) = &answers[0] else { panic!("{answers:?}") };
    assert_eq!((error.kind, soap_calls(&server).len()), (CrmErrorKind::Unauthorised, 2));
}

#[tokio::test]
async fn an_organisation_that_takes_fewer_leads_gets_fewer() {
    let server =
        server(
            |seen| {
                if leads_of(seen).len() > 100 { fault("EXCEEDED_ID_LIMIT") } else { all_converted(seen) }
            },
        )
        .await;
    let requests: Vec<ConvertRequest> = (0..200).map(conversion).collect();
    let answers = client(&server, credentials()).convert(&requests).await;
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(contact_of(answer), Some(id(number).replace("00Q", "003").as_str()));
    }
    assert_eq!(soap_calls(&server).len(), 3);
    // One Lead alone is refused for good, with the words.
    let server = self::server(|_| fault("EXCEEDED_ID_LIMIT")).await;
    let answers = client(&server, credentials()).convert(&[conversion(1)]).await;
    assert!(
        matches!(&answers[0], ConvertAnswer::Rejected { errors } if errors[0].code == "EXCEEDED_ID_LIMIT")
    );
}

#[tokio::test]
async fn a_lost_answer_to_a_conversion_is_looked_for_and_never_sent_again() {
    let server = server(|seen| {
        if seen.target.starts_with("/services/Soap") {
            return Reply::text(503, "busy");
        }
        let row = |number: usize, converted: bool| {
            json!({"attributes": {"type": "Lead"}, "Id": id(number), "IsConverted": converted,
                "ConvertedAccountId": converted.then_some("001000000000001AAA"),
                "ConvertedContactId": converted.then_some("003000000000001AAA"), "ConvertedOpportunityId": null})
        };
        Reply::json(200, &json!({"done": true, "totalSize": 2, "records": [row(1, true), row(2, false)]}))
    })
    .await;
    let answers = client(&server, credentials()).convert(&[conversion(1), conversion(2)]).await;
    assert_eq!(contact_of(&answers[0]), Some("003000000000001AAA"));
    let ConvertAnswer::Failed(error) = &answers[1] else { panic!("{answers:?}") };
    assert!(error.maybe_applied && error.kind == CrmErrorKind::Retry);
    assert_eq!(soap_calls(&server).len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_no_answer_may_have_converted() {
    for reply in ["not XML", "<e:Envelope xmlns:e=\"x\"><e:Body><convertLeadResponse/></e:Body></e:Envelope>"]
    {
        let server = server(move |seen| {
            if seen.target.starts_with("/services/Soap") {
                return Reply::text(200, reply);
            }
            Reply::json(200, &json!({"done": true, "totalSize": 0, "records": []}))
        })
        .await;
        let answers = client(&server, credentials()).convert(&[conversion(1)]).await;
        let ConvertAnswer::Failed(error) = &answers[0] else { panic!("{answers:?}") };
        assert_eq!((error.kind, error.maybe_applied), (CrmErrorKind::Garbled, true));
    }
}
