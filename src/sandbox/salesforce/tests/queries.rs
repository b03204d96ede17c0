use serde_json::{Value, json};

use super::super::SalesforceConfig;
use super::{Lab, code};

fn seed() -> Value {
    json!({"objects": {
        "Account": [
            {"_ref": "acme", "Name": "Acme", "Industry": "Banking", "AnnualRevenue": 100},
            {"_ref": "zeta", "Name": "zeta", "AnnualRevenue": 300},
        ],
        "Contact": [
            {"LastName": "Doe", "FirstName": "Jane", "Email": "Jane@Acme.test", "AccountId": "@acme", "DoNotCall": true},
            {"LastName": "O'Brien", "AccountId": "@acme", "Title": "100% VP"},
            {"LastName": "Solo"},
        ],
        "Lead": [
            {"LastName": "Old", "Company": "A", "Status": "Closed - Converted", "IsConverted": true,
             "Contract_Date__c": "2024-09-30", "CreatedDate": "2020-05-05T10:00:00Z", "HubSpot_Lead_Score__c": 5},
            {"LastName": "New", "Company": "B", "HubSpot_Lead_Score__c": 87, "LeadSource": "Web"},
        ],
    }})
}

#[tokio::test]
async fn conditions_select_as_salesforce_does() {
    let lab = Lab::seeded(seed()).await;
    for (condition, expected) in [
        ("Email = 'jane@acme.test'", &["Doe"][..]),
        ("Email LIKE '%ACME%'", &["Doe"]),
        ("Title LIKE '100\\% _P'", &["O'Brien"]),
        ("LastName = 'O\\'Brien'", &["O'Brien"]),
        ("Email = null", &["O'Brien", "Solo"]),
        ("Email != 'jane@acme.test'", &["O'Brien", "Solo"]),
        ("Account.Name = 'ACME'", &["Doe", "O'Brien"]),
        ("Account.Industry != null AND (NOT LastName = 'Doe')", &["O'Brien"]),
        ("LastName IN ('doe', 'solo') OR Title != null", &["Doe", "O'Brien", "Solo"]),
        ("LastName NOT IN ('doe', 'solo')", &["O'Brien"]),
        ("DoNotCall = true", &["Doe"]),
        ("AccountId IN (SELECT Id FROM Account WHERE AnnualRevenue > 50)", &["Doe", "O'Brien"]),
        ("AccountId NOT IN (SELECT Id FROM Account WHERE Name = 'Acme')", &["Solo"]),
        ("CreatedDate = TODAY AND CreatedDate = LAST_N_DAYS:2", &["Doe", "O'Brien", "Solo"]),
        ("CreatedDate < YESTERDAY", &[]),
        ("CreatedDate > 2020-01-01T00:00:00Z", &["Doe", "O'Brien", "Solo"]),
        ("Owner.Username = 'integration@sandbox.example'", &["Doe", "O'Brien", "Solo"]),
    ] {
        let soql = format!("SELECT LastName FROM Contact WHERE {condition} ORDER BY LastName");
        assert_eq!(lab.column(&soql, "LastName").await, expected.to_vec(), "{condition}");
    }
    for (condition, expected) in [
        ("Contract_Date__c = 2024-09-30", &["Old"][..]),
        ("Contract_Date__c < THIS_YEAR", &["Old"]),
        ("HubSpot_Lead_Score__c >= 87", &["New"]),
        ("IsConverted = false", &["New"]),
        ("CALENDAR_YEAR(CreatedDate) = 2020", &["Old"]),
    ] {
        let soql = format!("SELECT LastName FROM Lead WHERE {condition}");
        assert_eq!(lab.column(&soql, "LastName").await, expected.to_vec(), "{condition}");
    }
}

#[tokio::test]
async fn rows_have_the_real_shape() {
    let lab = Lab::seeded(seed()).await;
    let (_, body) = lab
        .query("SELECT lastname, c.Account.Name, Owner.Email FROM Contact c ORDER BY LastName LIMIT 3")
        .await;
    assert_eq!((&body["totalSize"], &body["done"]), (&json!(3), &json!(true)));
    let doe = &body["records"][0];
    assert_eq!(doe["LastName"], "Doe");
    assert_eq!(
        (&doe["Account"]["Name"], &doe["Account"]["attributes"]["type"]),
        (&json!("Acme"), &json!("Account"))
    );
    assert_eq!(doe["Owner"]["attributes"]["type"], "User");
    assert_eq!(body["records"][2]["Account"], Value::Null);
    let (_, body) = lab
        .query(
            "SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account ORDER BY Name DESC",
        )
        .await;
    assert_eq!(body["records"][0]["Contacts"], Value::Null);
    assert_eq!(body["records"][1]["Contacts"]["totalSize"], 2);
    let (_, body) = lab.query("SELECT FIELDS(ALL) FROM Lead LIMIT 1").await;
    assert!(body["records"][0]["HubSpot_Lead_Score__c"].is_number());
    let (status, _) = lab.query("SELECT FIELDS(STANDARD) FROM Lead").await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn counts_and_groups() {
    let lab = Lab::seeded(seed()).await;
    let (_, body) = lab.query("SELECT COUNT() FROM Contact").await;
    assert_eq!(body, json!({"totalSize": 3, "done": true, "records": []}));
    let (_, body) = lab.query("SELECT COUNT(Id) n, SUM(AnnualRevenue), MAX(Name) FROM Account").await;
    assert_eq!(
        body["records"][0],
        json!({"attributes": {"type": "AggregateResult"}, "n": 2, "expr0": 400.0, "expr1": "zeta"})
    );
    let soql = "SELECT Account.Name, COUNT(Id) FROM Contact GROUP BY Account.Name HAVING COUNT(Id) > 1";
    let (_, body) = lab.query(soql).await;
    assert_eq!(
        (&body["totalSize"], &body["records"][0]["Name"], &body["records"][0]["expr0"]),
        (&json!(1), &json!("Acme"), &json!(2))
    );
}

#[tokio::test]
async fn order_puts_nulls_first_unless_told() {
    let lab = Lab::seeded(seed()).await;
    let order = |order: &str| format!("SELECT LastName FROM Contact ORDER BY {order}");
    for (by, expected) in [
        ("Title, LastName", ["Doe", "Solo", "O'Brien"]),
        ("Title NULLS LAST, LastName DESC", ["O'Brien", "Solo", "Doe"]),
        ("LastName DESC", ["Solo", "O'Brien", "Doe"]),
    ] {
        assert_eq!(lab.column(&order(by), "LastName").await, expected.to_vec(), "{by}");
    }
    assert_eq!(lab.column(&order("LastName LIMIT 1 OFFSET 1"), "LastName").await, [json!("O'Brien")]);
}

#[tokio::test]
async fn bad_queries_are_refused_in_the_real_words() {
    let lab = Lab::seeded(seed()).await;
    for (soql, expected, words) in [
        ("SELECT Id FROM Lead WHERE", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        (
            "SELECT Nope FROM Lead",
            "INVALID_FIELD",
            "ERROR at Row:1:Column:8\nNo such column 'Nope' on entity 'Lead'.",
        ),
        (
            "SELECT Nope.Name FROM Lead",
            "INVALID_FIELD",
            "Didn't understand relationship 'Nope' in field path.",
        ),
        ("SELECT Id FROM Nope", "INVALID_TYPE", "sObject type 'Nope' is not supported."),
        (
            "SELECT Id FROM Lead WHERE CreatedDate > '2020-01-01'",
            "INVALID_FIELD",
            "must be of type dateTime and should not be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Lead WHERE LastName = 5",
            "INVALID_FIELD",
            "must be of type string and should be enclosed in quotes",
        ),
        ("SELECT Id FROM Lead WHERE Id = 'abc'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: abc"),
        (
            "SELECT Id FROM Lead WHERE Id LIKE '00Q%'",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid operator on id field",
        ),
        (
            "SELECT Id FROM Lead WHERE Description = 'x'",
            "INVALID_FIELD",
            "can not be filtered in a query call",
        ),
        (
            "SELECT Id, LastName, COUNT(Id) FROM Lead",
            "MALFORMED_QUERY",
            "Field must be grouped or aggregated: Id",
        ),
        (
            "SELECT Id, (SELECT Id FROM Nopes) FROM Account",
            "INVALID_TYPE",
            "Didn't understand relationship 'Nopes'",
        ),
        ("SELECT FIELDS(ALL) FROM Lead", "MALFORMED_QUERY", "LIMIT of at most 200"),
        ("SELECT Id, Id FROM Lead", "INVALID_FIELD", "duplicate field selected: Id"),
        (
            "SELECT Id FROM Lead WHERE LastName = 'a' AND LastName = 'b' OR LastName = 'c'",
            "MALFORMED_QUERY",
            "unexpected token: 'OR'",
        ),
        ("", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
    ] {
        let reply = lab.query(soql).await;
        assert_eq!(code(&reply), (400, expected), "{soql}: {}", reply.1);
        assert!(reply.1[0]["message"].as_str().unwrap().contains(words), "{soql}: {}", reply.1);
    }
    assert_eq!(code(&lab.get("query").await), (400, "MALFORMED_QUERY"));
}

#[tokio::test]
async fn long_results_come_in_pages() {
    let lab = Lab::with(SalesforceConfig { query_page_size: 2, ..SalesforceConfig::default() }).await;
    for index in 0..5 {
        lab.server.create("Lead", &json!({"LastName": format!("L{index}"), "Company": "A"})).unwrap();
    }
    let (_, first) = lab.query("SELECT LastName FROM Lead ORDER BY LastName").await;
    assert_eq!((&first["totalSize"], &first["done"]), (&json!(5), &json!(false)));
    let next = first["nextRecordsUrl"].as_str().unwrap();
    assert!(next.starts_with("/services/data/v58.0/query/01g") && next.ends_with("-2"), "{next}");
    let (_, second) = lab.get(next).await;
    assert_eq!(second["records"][0]["LastName"], "L2");
    let last_part = second["nextRecordsUrl"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let (_, third) = lab.get(&format!("query/{last_part}")).await;
    assert_eq!((&third["done"], third["records"].as_array().unwrap().len()), (&json!(true), 1));
    assert!(third.get("nextRecordsUrl").is_none());
    assert_eq!(code(&lab.get("query/01g000000000000AAA-2").await), (400, "INVALID_QUERY_LOCATOR"));
}

#[tokio::test]
async fn deleted_records_are_for_query_all() {
    let lab = Lab::start().await;
    let id = lab.create("Lead", json!({"LastName": "Gone", "Company": "A"})).await;
    lab.delete(&format!("sobjects/Lead/{id}")).await;
    assert_eq!(lab.query("SELECT Id FROM Lead").await.1["totalSize"], 0);
    let soql = [("q", "SELECT Id, IsDeleted FROM Lead WHERE IsDeleted = true")];
    let (_, body) = lab.send(lab.request("GET", "queryAll/").query(&soql)).await;
    assert_eq!((&body["totalSize"], &body["records"][0]["IsDeleted"]), (&json!(1), &json!(true)));
}

#[tokio::test]
async fn searches_find_words() {
    let lab = Lab::seeded(seed()).await;
    let search = |term: &str| lab.request("GET", "search/").query(&[("q", term)]);
    let (status, body) =
        lab.send(search("FIND {jane doe} IN ALL FIELDS RETURNING Contact(Id, LastName), Lead")).await;
    assert_eq!((status, body["searchRecords"].as_array().unwrap().len()), (200, 1));
    assert_eq!(body["searchRecords"][0]["LastName"], "Doe");
    let (_, body) = lab.send(search("FIND {acme}")).await;
    let kinds: Vec<_> = body["searchRecords"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| &record["attributes"]["type"])
        .collect();
    assert_eq!(kinds, ["Account", "Contact"]);
    let reply = lab.send(search("jane")).await;
    assert_eq!(code(&reply), (400, "MALFORMED_SEARCH"));
    let (_, body) = lab.get("parameterizedSearch?q=solo&sobject=Contact&Contact.fields=LastName").await;
    assert_eq!(body["searchRecords"][0]["LastName"], "Solo");
    let body = json!({"q": "solo", "sobjects": [{"name": "Contact", "fields": ["LastName"]}]});
    let (_, body) = lab.post("parameterizedSearch", body).await;
    assert_eq!(body["searchRecords"][0]["LastName"], "Solo");
}
