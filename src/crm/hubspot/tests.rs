//! The client against small servers.

use serde_json::json;

use crate::crm::testing::{Reply, Seen, Server, options};
use crate::source::ObjectName;
use crate::types::{AssociationKind, Filter, FilterOp, Value, WriteTarget};

use super::*;

fn client(server: &Server) -> HubspotClient {
    with_version(server, "v3")
}

fn with_version(server: &Server, version: &str) -> HubspotClient {
    let config = HubspotConfig {
        base_url: server.base.clone(),
        auth: crate::crm::hubspot::HubspotAuth::Token("pat-123".into()),
        path_version: version.into(),
        objects: HashMap::from([("machine".to_owned(), "2-345".to_owned())]),
    };
    HubspotClient::new(config, options()).unwrap()
}

fn contact() -> ObjectName {
    ObjectName::new(Side::Hubspot, "contact")
}

fn read(ids: impl IntoIterator<Item = String>, fields: &[&str]) -> ReadRequest {
    let fields = fields.iter().map(|field| (*field).to_owned()).collect();
    ReadRequest { object: contact(), ids: ids.into_iter().collect(), fields }
}

fn write(target: WriteTarget, email: &str) -> WriteRequest {
    WriteRequest {
        object: contact(),
        target,
        fields: vec![("email".into(), Value::text(email)), ("phone".into(), Value::Blank)],
        allow_duplicates: false,
        assignment_rule: None,
    }
}

fn update(id: &str) -> WriteRequest {
    write(WriteTarget::Update { id: id.into() }, "a@x.test")
}

fn upsert(email: &str) -> WriteRequest {
    write(WriteTarget::Upsert { key: "email".into(), value: email.into() }, email)
}

fn inputs(seen: &Seen) -> Vec<Json> {
    seen.json()["inputs"].as_array().cloned().unwrap_or_default()
}

/// A record as HubSpot answers it.
fn row(id: &str, properties: &Json) -> Json {
    json!({"id": id, "properties": properties, "createdAt": "2024-01-01T00:00:00Z", "updatedAt": "2024-01-01T00:00:00Z", "archived": false})
}

fn batch(results: &[Json], errors: &[Json]) -> Reply {
    let status = if errors.is_empty() { 200 } else { 207 };
    Reply::json(
        status,
        &json!({"status": "COMPLETE", "results": results, "errors": errors, "numErrors": errors.len()}),
    )
}

#[tokio::test]
async fn reads_are_batches_and_missing_records_are_absent() {
    let server = Server::start(|seen, _| {
        let mut rows: Vec<Json> = inputs(seen)
            .iter()
            .filter(|input| input["id"] != "7")
            .map(|input| row(input["id"].as_str().unwrap(), &json!({"email": "a@x.test", "phone": null, "lastmodifieddate": "x"})))
            .collect();
        rows[0]["archived"] = json!(true);
        let missing = json!({"status": "error", "category": "OBJECT_NOT_FOUND", "message": "gone", "context": {"ids": ["7"]}});
        batch(&rows, &[missing])
    })
    .await;
    let client = client(&server);
    let request = read((0..150).map(|n| n.to_string()).chain(["5".to_owned()]), &["email", "phone", "id"]);
    let records = client.read(&request).await.unwrap();
    assert_eq!(records.len(), 147, "one missing, one archived in each batch");
    let expected = json!({"email": "a@x.test", "phone": null, "id": records[0].id});
    assert_eq!(Json::Object(records[0].values.clone()), expected, "only what was asked for");
    let seen = server.seen();
    assert_eq!(server.lines(), ["POST /crm/v3/objects/contacts/batch/read"; 2]);
    assert_eq!(seen[0].json()["properties"], json!(["email", "phone"]));
    assert_eq!(inputs(&seen[0]).len() + inputs(&seen[1]).len(), 150);
    assert_eq!(client.calls(), 2);
}

#[tokio::test]
async fn a_read_that_fails_otherwise_is_an_error() {
    let server = Server::start(|_, _| {
        batch(&[], &[json!({"category": "VALIDATION_ERROR", "message": "no such property"})])
    })
    .await;
    let error = client(&server).read(&read(["1".to_owned()], &[])).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (CrmErrorKind::Refused, "no such property"));
}

#[tokio::test]
async fn both_forms_of_address_work() {
    let server = Server::start(|_, _| batch(&[], &[])).await;
    let client = with_version(&server, "2026-03");
    client.read(&read(["1".to_owned()], &[])).await.unwrap();
    client.properties("machine").await.unwrap();
    client.read(&owners(&["1"])).await.unwrap();
    assert_eq!(
        server.lines(),
        [
            "POST /crm/objects/2026-03/contacts/batch/read",
            "GET /crm/properties/2026-03/2-345",
            "GET /crm/owners/2026-03?limit=500&archived=false",
            "GET /crm/owners/2026-03?limit=500&archived=true",
        ]
    );
}

#[tokio::test]
async fn a_rotated_token_is_final_at_once() {
    let server = Server::start(|_, _| {
        Reply::json(401, &json!({"category": "INVALID_AUTHENTICATION", "message": "rotated"}))
    })
    .await;
    let client = client(&server);
    let error = client.read(&read(["1".to_owned()], &[])).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (CrmErrorKind::Unauthorised, "rotated"));
    assert_eq!(client.calls(), 1);
    assert_eq!(server.seen()[0].header("authorization"), "Bearer pat-123");
}

#[tokio::test]
async fn searches_are_paged_and_ordered() {
    let server = Server::start(|seen, _| match seen.json().get("after") {
        None => {
            let mut first = row("20", &json!({"email": "a@x.test"}));
            first["createdAt"] = json!("2024-05-01T00:00:00Z");
            Reply::json(200, &json!({"total": 3, "results": [first, row("100", &json!({}))], "paging": {"next": {"after": "2"}}}))
        }
        Some(_) => Reply::json(200, &json!({"total": 3, "results": [row("3", &json!({}))]})),
    })
    .await;
    let request = FindRequest {
        object: contact(),
        filters: vec![Filter { field: "email".into(), op: FilterOp::Present }],
        ids: Vec::new(),
        fields: vec!["email".into()],
        limit: 300,
    };
    let found = client(&server).find(&[request]).await.remove(0).unwrap();
    assert_eq!(found.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["3", "100", "20"]);
    let seen = server.seen();
    assert_eq!(seen[0].json()["limit"], json!(200));
    assert_eq!(seen[0].json()["sorts"], json!([{"propertyName": "createdate", "direction": "ASCENDING"}]));
    assert_eq!(seen[1].json()["after"], json!("2"));
}

#[tokio::test]
async fn look_ups_share_a_search() {
    let server = Server::start(|_, _| {
        Reply::json(200, &json!({"results": [row("1", &json!({"email": "a@x.test"}))]}))
    })
    .await;
    let by = |email: &str| FindRequest {
        object: contact(),
        filters: vec![Filter { field: "email".into(), op: FilterOp::Eq(Value::text(email)) }],
        ids: Vec::new(),
        fields: Vec::new(),
        limit: 2,
    };
    let found = client(&server).find(&[by("A@x.test"), by("b@x.test")]).await;
    assert_eq!(found.iter().map(|rows| rows.as_ref().unwrap().len()).collect::<Vec<_>>(), [1, 0]);
    let filter = server.seen()[0].json()["filterGroups"][0]["filters"][0].clone();
    assert_eq!(
        filter,
        json!({"propertyName": "email", "operator": "IN", "values": ["a@x.test", "b@x.test"]})
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn single_writes_use_the_records_address() {
    let server = Server::start(|seen, _| match seen.line().as_str() {
        "POST /crm/v3/objects/contacts" => Reply::json(201, &row("8", &json!({}))),
        "PATCH /crm/v3/objects/contacts/9" => Reply::json(200, &row("9", &json!({}))),
        _ => Reply::json(404, &json!({"status": "error", "message": "resource not found"})),
    })
    .await;
    let client = client(&server);
    let created = client.write(&[write(WriteTarget::Create, "a@x.test")]).await;
    assert_eq!(created, [WriteAnswer::Written { id: "8".into(), created: true }]);
    assert_eq!(client.write(&[update("9")]).await, [WriteAnswer::Written { id: "9".into(), created: false }]);
    assert!(matches!(client.write(&[update("a/b")]).await[0], WriteAnswer::Gone { .. }));
    assert_eq!(server.seen()[0].json(), json!({"properties": {"email": "a@x.test", "phone": ""}}));
    assert_eq!(server.seen()[2].target, "/crm/v3/objects/contacts/a%2Fb");
}

#[tokio::test]
async fn rows_of_a_batch_have_an_answer_each() {
    let server = Server::start(|seen, _| {
        assert_eq!(inputs(seen)[1]["objectWriteTraceId"], json!("1"));
        // In another order than asked, and without trace ids in the results.
        batch(
            &[row("30", &json!({"email": "c@x.test"})), row("10", &json!({"email": "a@x.test"}))],
            &[json!({"category": "CONFLICT", "message": "Contact already exists. Existing ID: 77",
                "context": {"objectWriteTraceId": ["1"], "existingId": ["77"]}})],
        )
    })
    .await;
    let requests = ["A@x.test", "b@x.test", "c@x.test"].map(|email| write(WriteTarget::Create, email));
    let answers = client(&server).write(&requests).await;
    assert_eq!(answers[0], WriteAnswer::Written { id: "10".into(), created: true });
    assert!(matches!(&answers[1], WriteAnswer::Taken { existing: Some(id), .. } if id == "77"));
    assert_eq!(answers[2], WriteAnswer::Written { id: "30".into(), created: true });
}

#[tokio::test]
async fn results_that_cannot_be_told_apart_are_not_guessed() {
    let server =
        Server::start(|_, _| batch(&[row("1", &json!({"phone": ""})), row("2", &json!({"phone": ""}))], &[]))
            .await;
    let requests = ["a@x.test", "b@x.test"].map(|email| write(WriteTarget::Create, email));
    for answer in client(&server).write(&requests).await {
        assert!(matches!(&answer, WriteAnswer::Failed(error) if error.maybe_applied), "{answer:?}");
    }
}

#[tokio::test]
async fn a_value_that_another_row_may_have_by_default_proves_nothing() {
    // The first row sent its stage, the second has it by default; neither address is echoed.
    let stage = json!({"lifecyclestage": "lead"});
    let server = Server::start(move |_, _| batch(&[row("1", &stage), row("2", &stage)], &[])).await;
    let mut requests = ["a@x.test", "b@x.test"].map(|email| write(WriteTarget::Create, email));
    requests[0].fields.push(("lifecyclestage".into(), Value::text("lead")));
    for answer in client(&server).write(&requests).await {
        assert!(matches!(&answer, WriteAnswer::Failed(error) if error.maybe_applied), "{answer:?}");
    }
}

#[tokio::test]
async fn updates_name_their_failures_by_id() {
    let server = Server::start(|_, _| {
        batch(
            &[row("1", &json!({}))],
            &[json!({"category": "OBJECT_NOT_FOUND", "message": "gone", "context": {"ids": ["2"]}})],
        )
    })
    .await;
    let answers = client(&server).write(&[update("1"), update("2")]).await;
    assert_eq!(answers[0], WriteAnswer::Written { id: "1".into(), created: false });
    assert!(matches!(&answers[1], WriteAnswer::Gone { .. }));
}

#[tokio::test]
async fn upserts_are_matched_by_key_and_say_what_is_new() {
    let server = Server::start(|seen, _| {
        assert_eq!(seen.target, "/crm/v3/objects/contacts/batch/upsert");
        let inputs = inputs(seen);
        let rows = inputs.iter().rev().map(|input| {
            let key = input["id"].as_str().unwrap();
            assert_eq!(input["idProperty"], json!("email"));
            let mut row = row(&format!("9{key}"), &json!({"email": key.to_lowercase()}));
            row["new"] = json!(key.starts_with('b'));
            row
        });
        batch(&rows.collect::<Vec<_>>(), &[])
    })
    .await;
    let client = client(&server);
    // The third names the first's record, so it goes in a later batch.
    let answers = client.write(&[upsert("A@x.test"), upsert("b@x.test"), upsert("a@x.test")]).await;
    assert_eq!(answers[0], WriteAnswer::Written { id: "9A@x.test".into(), created: false });
    assert_eq!(answers[1], WriteAnswer::Written { id: "9b@x.test".into(), created: true });
    assert_eq!(answers[2], WriteAnswer::Written { id: "9a@x.test".into(), created: false });
    assert_eq!(server.seen().iter().map(|seen| inputs(seen).len()).collect::<Vec<_>>(), [2, 1]);
}

#[tokio::test]
async fn a_refused_batch_is_halved_so_that_one_row_fails_alone() {
    let refusal = json!({"status": "error", "category": "VALIDATION_ERROR", "message": "not valid",
        "errors": [{"message": "bad", "code": "INVALID_EMAIL", "context": {"propertyName": ["email"]}}]});
    let server = Server::start(move |seen, _| {
        if seen.body.contains("bad@") {
            return Reply::json(400, &refusal);
        }
        let rows = inputs(seen)
            .iter()
            .map(|input| row(input["id"].as_str().unwrap(), &json!({})))
            .collect::<Vec<_>>();
        if rows.is_empty() { Reply::json(200, &row("4", &json!({}))) } else { batch(&rows, &[]) }
    })
    .await;
    let mut requests: Vec<_> = (0..120).map(|n| update(&n.to_string())).collect();
    requests[33].fields[0].1 = Value::text("bad@");
    let answers = client(&server).write(&requests).await;
    for (index, answer) in answers.iter().enumerate() {
        match answer {
            WriteAnswer::Written { .. } if index != 33 => {}
            WriteAnswer::Rejected { errors } if index == 33 => assert_eq!(errors[0].code, "INVALID_EMAIL"),
            other => panic!("{index} {other:?}"),
        }
    }
    assert!(server.seen().len() < 20, "{}", server.seen().len());
}

#[tokio::test]
async fn a_nameless_error_sends_the_open_rows_again_alone() {
    let server = Server::start(|seen, _| match inputs(seen).len() {
        2 => {
            batch(&[row("1", &json!({}))], &[json!({"category": "VALIDATION_ERROR", "message": "something"})])
        }
        _ => Reply::json(400, &json!({"category": "VALIDATION_ERROR", "message": "the reason"})),
    })
    .await;
    let answers = client(&server).write(&[update("1"), update("2")]).await;
    assert_eq!(answers[0], WriteAnswer::Written { id: "1".into(), created: false });
    assert!(
        matches!(&answers[1], WriteAnswer::Rejected { errors } if errors[0].message == "the reason"),
        "{answers:?}"
    );
}

/// Found by the fuzzer: the batch was sent again for ever.
#[tokio::test]
async fn an_upsert_that_nobody_answers_is_sent_once_alone() {
    let server = Server::start(|_, _| batch(&[], &[])).await;
    let client = client(&server);
    for requests in [vec![upsert("a@x.test")], vec![upsert("a@x.test"), upsert("b@x.test")]] {
        let before = client.calls();
        for answer in client.write(&requests).await {
            assert!(
                matches!(&answer, WriteAnswer::Failed(error) if error.kind == CrmErrorKind::Garbled),
                "{answer:?}"
            );
        }
        assert_eq!(client.calls() - before, if requests.len() == 1 { 1 } else { 3 });
    }
}

#[tokio::test]
async fn a_batch_that_fails_may_have_been_applied() {
    let server = Server::start(|_, _| Reply::text(504, "<html>")).await;
    let client = client(&server);
    for answer in client.write(&[update("1"), update("2")]).await {
        assert!(
            matches!(&answer, WriteAnswer::Failed(error) if error.maybe_applied && error.kind == CrmErrorKind::Retry)
        );
    }
    assert_eq!(client.calls(), 1);
}

#[tokio::test]
async fn the_daily_limit_is_a_window_and_allowances_are_read() {
    let server = Server::start(|_, before| match before {
        0 => Reply::json(429, &json!({"errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"})),
        _ => Reply::json(
            429,
            &json!({"errorType": "RATE_LIMIT", "policyName": "DAILY", "message": "daily limit"}),
        )
        .header("x-hubspot-ratelimit-daily", "1000")
        .header("x-hubspot-ratelimit-daily-remaining", "0"),
    })
    .await;
    let client = client(&server);
    let error = client.read(&read(["1".to_owned()], &[])).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (CrmErrorKind::Window, Some("DAILY")));
    assert_eq!(client.calls(), 2, "the short window was tried again, the day was not");
    assert_eq!(client.limits().daily.map(|daily| daily.remaining), Some(0));
}

fn associated(kind: AssociationKind) -> AssociatedRequest {
    let ids = vec!["1".to_owned(), "2".to_owned()];
    AssociatedRequest { from: contact(), ids, to: "company".into(), kind }
}

#[tokio::test]
async fn associations_are_read_by_kind_over_all_pages() {
    let types =
        |label: Json, id: u64, category: &str| json!({"category": category, "typeId": id, "label": label});
    let server = Server::start(move |seen, _| {
        assert_eq!(seen.line(), "POST /crm/v4/associations/contacts/companies/batch/read");
        let none = json!({"status": "error", "category": "OBJECT_NOT_FOUND", "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
            "message": "No company is associated with contact 2.", "context": {"fromObjectId": ["2"]}});
        if inputs(seen)[0].get("after").is_some() {
            let to = json!([{"toObjectId": 12, "associationTypes": [types(json!("Partner"), 36, "USER_DEFINED")]}]);
            return batch(&[json!({"from": {"id": "1"}, "to": to})], &[]);
        }
        let to = json!([
            {"toObjectId": 10, "associationTypes": [types(Json::Null, 279, "HUBSPOT_DEFINED")]},
            {"toObjectId": 11, "associationTypes": [types(Json::Null, 279, "HUBSPOT_DEFINED"), types(json!("Primary"), 1, "HUBSPOT_DEFINED")]},
        ]);
        batch(&[json!({"from": {"id": "1"}, "to": to, "paging": {"next": {"after": "x"}}})], &[none])
    })
    .await;
    let client = client(&server);
    let of = async |kind| client.associated(&associated(kind)).await.unwrap().remove("1").unwrap();
    assert_eq!(of(AssociationKind::Plain).await, ["10", "11", "12"]);
    assert_eq!(of(AssociationKind::Primary).await, ["11"]);
    assert_eq!(of(AssociationKind::Labelled("Partner".into())).await, ["12"]);
    let all = client.associated(&associated(AssociationKind::Plain)).await.unwrap();
    assert!(!all.contains_key("2"), "none is absent");
}

#[tokio::test]
async fn associations_are_added_by_label_and_fail_alone() {
    let server = Server::start(|seen, _| {
        if seen.method == "GET" {
            return Reply::json(
                200,
                &json!({"results": [
                    {"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary"},
                    {"category": "USER_DEFINED", "typeId": 36, "label": "Partner"},
                ]}),
            );
        }
        let bad = inputs(seen).iter().any(|input| input["to"]["id"] == "404");
        let errors = if bad {
            vec![json!({"category": "VALIDATION_ERROR", "message": "no such company"})]
        } else {
            vec![]
        };
        batch(&[], &errors)
    })
    .await;
    let add = |to_id: &str, kind| AssociateRequest {
        from: contact(),
        from_id: "1".into(),
        to: "company".into(),
        to_id: to_id.into(),
        kind,
    };
    let partner = || AssociationKind::Labelled("Partner".into());
    let requests = [
        add("5", partner()),
        add("404", partner()),
        add("6", AssociationKind::Plain),
        add("7", AssociationKind::Labelled("Nobody".into())),
    ];
    let answers = client(&server).associate(&requests).await;
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, false]);
    assert_eq!(answers[1].as_ref().unwrap_err().message, "no such company");
    assert!(answers[3].as_ref().unwrap_err().message.contains("`Nobody`"));
    let seen = server.seen();
    assert_eq!(seen.iter().filter(|s| s.method == "GET").count(), 1, "labels are read once");
    let labelled = seen.iter().find(|s| s.target.ends_with("/batch/create")).unwrap();
    assert_eq!(
        inputs(labelled)[0]["types"],
        json!([{"associationCategory": "USER_DEFINED", "associationTypeId": 36}])
    );
    assert!(seen.iter().any(|s| s.target.ends_with("/batch/associate/default")));
}

#[tokio::test]
async fn associations_are_removed_whole_or_by_label() {
    let server = Server::start(|seen, _| match seen.line().as_str() {
        "GET /crm/v4/associations/contacts/companies/labels" => Reply::json(
            200,
            &json!({"results": [{"category": "USER_DEFINED", "typeId": 36, "label": "Partner"}]}),
        ),
        _ if seen.body.contains("\"404\"") => {
            let gone =
                json!({"status": "error", "category": "OBJECT_NOT_FOUND", "message": "no such company"});
            Reply::json(404, &gone)
        }
        _ if seen.body.contains("\"bad\"") => {
            Reply::json(400, &json!({"status": "error", "category": "VALIDATION_ERROR", "message": "no id"}))
        }
        _ => Reply::text(204, ""),
    })
    .await;
    let remove = |from_id: &str, to_id: &str, kind| AssociateRequest {
        from: contact(),
        from_id: from_id.into(),
        to: "company".into(),
        to_id: to_id.into(),
        kind,
    };
    let plain = || AssociationKind::Plain;
    let requests = [
        remove("1", "5", plain()),
        remove("1", "6", plain()),
        remove("2", "404", plain()),
        remove("2", "bad", plain()),
        remove("1", "7", AssociationKind::Labelled("Partner".into())),
    ];
    let answers = client(&server).dissociate(&requests).await;
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, true, false, true]);
    let seen = server.seen();
    let archived = || seen.iter().filter(|s| s.target.ends_with("/companies/batch/archive"));
    assert_eq!(inputs(archived().next().unwrap()).len(), 2, "one input for each record");
    let whole = archived().next_back().unwrap();
    assert_eq!(inputs(whole)[0], json!({"from": {"id": "1"}, "to": [{"id": "5"}, {"id": "6"}]}));
    let labelled = seen.iter().find(|s| s.target.ends_with("/batch/labels/archive")).unwrap();
    let types = json!([{"associationCategory": "USER_DEFINED", "associationTypeId": 36}]);
    assert_eq!(inputs(labelled)[0], json!({"from": {"id": "1"}, "to": {"id": "7"}, "types": types}));
}

#[tokio::test]
async fn owners_are_found_also_when_they_have_left() {
    let server = Server::start(|seen, _| {
        let owner = |id: &str| json!({"id": id, "email": format!("owner{id}@x.test"), "userId": 1});
        match (seen.parameter("archived").as_str(), seen.parameter("after").as_str()) {
            ("false", "") => {
                Reply::json(200, &json!({"results": [owner("1")], "paging": {"next": {"after": "1"}}}))
            }
            ("false", _) => Reply::json(200, &json!({"results": [owner("2")]})),
            _ => Reply::json(200, &json!({"results": [owner("3")]})),
        }
    })
    .await;
    let found = client(&server).read(&owners(&["2", "3", "4"])).await.unwrap();
    let emails: Vec<_> = found.iter().map(|owner| (owner.id.as_str(), &owner.values["email"])).collect();
    assert_eq!(emails, [("2", &json!("owner2@x.test")), ("3", &json!("owner3@x.test"))]);
}

/// Owners are read like records, by the name that the language has for them.
fn owners(ids: &[&str]) -> ReadRequest {
    ReadRequest {
        object: ObjectName::new(Side::Hubspot, "owner"),
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        fields: vec!["email".to_owned()],
    }
}

fn owner_by(email: &str) -> FindRequest {
    FindRequest {
        object: ObjectName::new(Side::Hubspot, "owner"),
        filters: vec![Filter { field: "email".into(), op: FilterOp::Eq(Value::text(email)) }],
        ids: Vec::new(),
        fields: vec!["id".into(), "email".into()],
        limit: 2,
    }
}

#[tokio::test]
async fn owners_are_looked_up_in_the_lists_and_archived_ones_only_where_no_other_is() {
    let server = Server::start(|seen, _| {
        let owner = |id: &str, email: &str| json!({"id": id, "email": email});
        let archived = seen.target.contains("archived=true");
        let rows = if archived {
            vec![owner("9", "robin@x.test"), owner("12", "lena@x.test")]
        } else {
            vec![owner("11", "Robin@x.test")]
        };
        Reply::json(200, &json!({"results": rows}))
    })
    .await;
    let client = client(&server);
    let ids = |found: &Result<Vec<Record>, CrmError>| {
        found.as_ref().expect("owners").iter().map(|owner| owner.id.clone()).collect::<Vec<_>>()
    };
    let found =
        client.find(&[owner_by("robin@X.test"), owner_by("LENA@x.test"), owner_by("no@x.test")]).await;
    assert_eq!(found.iter().map(ids).collect::<Vec<_>>(), [vec!["11"], vec!["12"], vec![]]);
    assert_eq!(server.seen().len(), 2, "both lists once for all");
    client.find(&[owner_by("robin@x.test")]).await;
    assert_eq!(server.seen().len(), 3, "nobody is missing among those who are there");
}

fn timeline(server: &Server) -> HubspotClient {
    let mut client = client(server);
    client.timelines = HashMap::from([("activity".to_owned(), "1001".to_owned())]);
    client
}

fn event(id: &str) -> WriteRequest {
    WriteRequest {
        object: ObjectName::new(Side::Hubspot, "activity"),
        target: WriteTarget::Upsert { key: "id".into(), value: id.into() },
        fields: vec![
            ("objectId".into(), Value::text("5501")),
            ("subject".into(), Value::text("Call")),
            ("notes".into(), Value::Blank),
        ],
        allow_duplicates: false,
        assignment_rule: None,
    }
}

#[tokio::test]
async fn events_are_found_by_id_and_made_with_their_tokens() {
    let server = Server::start(|seen, _| match seen.line().as_str() {
        "GET /integrators/timeline/v3/events/1001/00T1" => Reply::json(
            200,
            &json!({"id": "00T1", "objectId": "5501", "timestamp": "2026-01-01T00:00:00Z", "tokens": {"subject": "Call"}}),
        ),
        "POST /integrators/timeline/v3/events" => Reply::json(201, &json!({"id": "00T2"})),
        _ => Reply::json(404, &json!({"category": "OBJECT_NOT_FOUND", "message": "resource not found"})),
    })
    .await;
    let client = timeline(&server);
    let by = |id: &str| FindRequest {
        object: ObjectName::new(Side::Hubspot, "activity"),
        filters: vec![Filter { field: "id".into(), op: FilterOp::Eq(Value::text(id)) }],
        ids: Vec::new(),
        fields: vec!["subject".into(), "objectId".into(), "notes".into()],
        limit: 2,
    };
    let found = client.find(&[by("00T1"), by("00T2")]).await;
    let first = &found[0].as_ref().expect("an event")[0];
    let values = Json::Object(first.values.clone());
    assert_eq!(
        (first.id.as_str(), values),
        ("00T1", json!({"subject": "Call", "objectId": "5501", "notes": null}))
    );
    assert_eq!(found[1].as_ref().expect("no event").len(), 0);
    let made = client.write(&[event("00T2")]).await;
    assert_eq!(made, [WriteAnswer::Written { id: "00T2".into(), created: true }]);
    let expected =
        json!({"eventTemplateId": "1001", "id": "00T2", "objectId": "5501", "tokens": {"subject": "Call"}});
    assert_eq!(server.seen().last().expect("a call").json(), expected);
    let changed = WriteRequest { target: WriteTarget::Update { id: "00T1".into() }, ..event("00T1") };
    assert!(matches!(&client.write(&[changed]).await[0], WriteAnswer::Rejected { .. }));
}

#[tokio::test]
async fn an_event_that_fails_in_a_batch_is_sent_alone_to_say_why() {
    let server = Server::start(|seen, _| match seen.line().as_str() {
        "POST /integrators/timeline/v3/events/batch/create" => batch(
            &[json!({"id": "a"}), json!({"id": "c"})],
            &[json!({"category": "VALIDATION_ERROR", "message": "no such token"})],
        ),
        _ if seen.body.contains("\"d\"") => {
            Reply::json(409, &json!({"category": "CONFLICT", "message": "Event d already exists"}))
        }
        _ => Reply::json(400, &json!({"category": "VALIDATION_ERROR", "message": "no such token"})),
    })
    .await;
    let mut mixed = ["a", "b", "c", "d"].map(event).to_vec();
    mixed.push(update("7"));
    let answers = timeline(&server).write(&mixed).await;
    let made = |id: &str| WriteAnswer::Written { id: id.into(), created: true };
    assert_eq!((&answers[0], &answers[2]), (&made("a"), &made("c")));
    assert!(matches!(&answers[1], WriteAnswer::Rejected { errors } if errors[0].message == "no such token"));
    assert!(matches!(&answers[3], WriteAnswer::Taken { .. }), "the ladder finds it");
    assert!(matches!(&answers[4], WriteAnswer::Rejected { .. }), "a record goes its own way");
}

/// A server of portal 1, whose token stays the same while whose it is may change.
async fn whose(portal: u64) -> (Server, HubspotClient) {
    let server = Server::start(|seen, _| match seen.target.as_str() {
        "/oauth/v2/private-apps/get/access-token-info" => {
            Reply::json(200, &json!({"hubId": 1, "appId": 2, "userId": 3, "scopes": []}))
        }
        _ => batch(&[], &[]),
    })
    .await;
    let client = client(&server).for_portal(portal);
    (server, client)
}

#[tokio::test]
async fn whose_a_token_is_is_asked_once_and_before_all_else() {
    let (server, client) = whose(1).await;
    for _ in 0..3 {
        client.read(&read(["1".to_owned()], &["email"])).await.expect("an answer");
    }
    let paths: Vec<String> = server.seen().iter().map(|seen| seen.target.clone()).collect();
    assert_eq!(paths.len(), 4, "{paths:?}");
    assert!(paths[0].ends_with("access-token-info"), "{paths:?}");
}

#[tokio::test]
async fn a_token_of_another_portal_sends_nothing() {
    let (server, client) = whose(7).await;
    let error = client.read(&read(["1".to_owned()], &["email"])).await.expect_err("refused");
    assert!(error.without_login(), "{error:?}");
    assert_eq!(
        error.to_string(),
        "HubSpot: the token is of portal 1, and `portal:` says 7; take the token of that portal, or correct `portal:`"
    );
    let written = client.write(&[upsert("a@x.test")]).await;
    assert!(matches!(&written[0], WriteAnswer::Failed(error) if error.without_login()), "{written:?}");
    let paths: Vec<String> = server.seen().iter().map(|seen| seen.target.clone()).collect();
    assert!(paths.iter().all(|path| path.ends_with("access-token-info")), "{paths:?}");
}

#[tokio::test]
async fn nothing_is_sent_before_it_is_known_whose_the_token_is() {
    let server = Server::start(|seen, _| match seen.target.as_str() {
        "/oauth/v2/private-apps/get/access-token-info" => Reply::json(500, &json!({})),
        _ => batch(&[], &[]),
    })
    .await;
    let client = client(&server).for_portal(1);
    let error = client.read(&read(["1".to_owned()], &["email"])).await.expect_err("it is not known");
    assert_eq!(error.kind, CrmErrorKind::Retry, "{error:?}");
    assert!(server.seen().iter().all(|seen| seen.target.ends_with("access-token-info")));
}
