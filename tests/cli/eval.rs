//! `eval`: records in, fields out.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::world::{Ran, World, wait};

/// A line in the shape of `GET /crm/v3/objects/contacts/{id}`.
fn contact(id: &str, properties: &Json) -> String {
    let mut all = json!({
        "createdate": "2024-09-01T10:00:00.000Z", "hs_object_id": id,
        "lastmodifieddate": "2024-09-30T10:00:00.000Z",
    });
    let given = properties.as_object().expect("properties").clone();
    all.as_object_mut().expect("an object").extend(given);
    json!({
        "id": id, "properties": all, "createdAt": "2024-09-01T10:00:00.000Z",
        "updatedAt": "2024-09-30T10:00:00.000Z", "archived": false,
    })
    .to_string()
}

fn good(id: &str) -> String {
    contact(id, &json!({"email": "jane@acme.example", "lastname": "Doe"}))
}

/// Evaluates these lines from standard input.
fn eval_with(args: &[&str], input: impl AsRef<[u8]>) -> Ran {
    let world = World::project();
    let command = world.command(&[&["eval", "mql_to_lead"], args].concat());
    world.finish(command, input.as_ref())
}

fn eval(input: impl AsRef<[u8]>) -> Ran {
    eval_with(&[], input)
}

/// The ids of the records that came out.
fn ids(ran: &Ran) -> Vec<String> {
    let id = |line: &str| {
        let json: Json = serde_json::from_str(line).expect("a line of JSON");
        json["HubSpot_Contact_ID__c"].as_str().expect("an id").to_owned()
    };
    ran.out.lines().map(id).collect()
}

/// What is said about the second of three lines; the other two come out.
#[track_caller]
fn complaint(line: &str) -> String {
    let ran = eval(format!("{}\n{line}\n{}\n", good("1"), good("3"))).exits(1);
    assert_eq!(ids(&ran), ["1", "3"]);
    let mut said: Vec<&str> =
        ran.err.lines().filter(|line| line.starts_with("error") || line.starts_with("parked")).collect();
    assert_eq!(said.len(), 1, "{}", ran.err);
    said.remove(0).to_owned()
}

#[test]
fn the_guides_contact_becomes_the_guides_lead() {
    let world = World::project();
    world.write(
        "contacts.ndjson",
        contact(
            "5501",
            &json!({
                "firstname": "Jane", "lastname": "Doe", "email": "Jane.Doe@Acme.example", "company": "Acme Corp",
                "jobtitle": "VP Engineering", "phone": "+1 (415) 555-0100", "hubscore": "87",
                "hs_analytics_source": "ORGANIC_SEARCH", "hs_analytics_source_data_1": "hs_organic_search",
                "contract_date": "1727654400000", "lifecyclestage": "marketingqualifiedlead",
            }),
        ),
    );
    let ran = world.run(&["eval", "mql_to_lead", "contacts.ndjson"]).fine();
    let lead = json!({
        "HubSpot_Contact_ID__c": "5501",
        "FirstName": "Jane",
        "LastName": "Doe",
        "Title": "VP Engineering",
        "Phone": "+14155550100",
        "Email": "jane.doe@acme.example",
        "Company": "Acme Corp",
        "LeadSource": "Inbound - Organic Search",
        "Lead_Source_Detail__c": "hs_organic_search",
        "HubSpot_Lead_Score__c": 87,
        "Contract_Date__c": "2024-09-30",
        "Status": "MQL - Pending Review",
    });
    assert_eq!(ran.json(), lead);
    assert_eq!(ran.out.lines().count(), 1);
    assert_eq!(ran.err, "eval reaches no CRM: look-ups and related records are blank\n");
    let quiet = world.run(&["eval", "mql_to_lead", "contacts.ndjson", "--quiet"]).fine();
    assert_eq!((quiet.out, quiet.err), (ran.out, String::new()));
}

#[test]
fn a_line_that_is_no_record_is_reported_with_its_number() {
    assert!(complaint("not json").starts_with("error: line 2: not a JSON object on one line: "));
    assert!(complaint("{\"id\": \"2\", \"properties\": {").contains("line 2: not a JSON object on one line"));
    assert_eq!(complaint("[1, 2]"), "error: line 2: not a JSON object");
    assert_eq!(complaint("null"), "error: line 2: not a JSON object");
    assert_eq!(
        complaint("{\"id\": \"2\"}"),
        "error: line 2: no `properties`: a line is a contact as `GET /crm/v3/objects/…/{id}` answers it"
    );
    assert_eq!(
        complaint("{\"id\": \"2\", \"properties\": []}"),
        "error: line 2: `properties` is not an object"
    );
}

#[test]
fn a_record_without_an_id_is_no_record() {
    let complaint = complaint("{\"properties\": {\"email\": \"a@b.example\", \"lastname\": \"B\"}}");
    assert!(complaint.starts_with("error: line 2: "), "{complaint}");
    assert!(complaint.contains("`id`"), "{complaint}");
}

#[test]
fn a_property_of_the_wrong_type_is_reported_with_rule_and_value() {
    let with = |name: &str, value: Json| {
        complaint(&contact("2", &json!({"email": "a@b.example", "lastname": "B", name: value})))
    };
    assert_eq!(
        with("hubscore", json!("abc")),
        "parked: line 2: `HubSpot_Lead_Score__c`: `hubscore` cannot be read: `abc` is not a number such as `1234.5` \
         (mql_to_lead.map:38)"
    );
    assert_eq!(
        with("contract_date", json!("1727654400001")),
        "parked: line 2: `Contract_Date__c`: `contract_date` cannot be read: `1727654400001` is not a date: it is not \
         midnight UTC but a time of day (mql_to_lead.map:39)"
    );
    assert!(with("contract_date", json!("30.09.2024")).contains("`Contract_Date__c`"));
    assert!(with("hs_email_optout", json!("perhaps")).contains("`HasOptedOutOfEmail`"));
    assert!(with("jobtitle", json!(["VP"])).contains("`Title`: `jobtitle` cannot be read"));
    assert!(with("hubscore", json!("1e999")).contains("`HubSpot_Lead_Score__c`"));
    assert_eq!(
        with("hs_analytics_source", json!("AI_REFERRALS")),
        "parked: line 2: `LeadSource`: `AI_REFERRALS` has no translation in `lead_source` (picklists.map:2); add the line \
         `\"AI_REFERRALS\" -> \"…\"` to `picklist lead_source`"
    );
}

#[test]
fn an_address_that_is_too_long_is_never_cut() {
    let long = format!("{}@acme.example", "a".repeat(100));
    let said = complaint(&contact("2", &json!({"email": long, "lastname": "B"})));
    assert!(said.contains("`Email`") && said.contains("80"), "{said}");
}

#[test]
fn values_of_json_types_are_read_like_their_texts() {
    let line = contact(
        "7",
        &json!({"email": "a@b.example", "lastname": "B", "hubscore": 87, "hs_email_optout": true}),
    );
    let json = eval(line).fine().json();
    assert_eq!((&json["HubSpot_Lead_Score__c"], &json["HasOptedOutOfEmail"]), (&json!(87), &json!(true)));
}

#[test]
fn a_date_is_read_in_all_the_ways_that_hubspot_writes_it() {
    for date in ["1727654400000", "2024-09-30", "2024-09-30T00:00:00Z", "2024-09-30T00:00:00.000Z"] {
        let line = contact("7", &json!({"email": "a@b.example", "lastname": "B", "contract_date": date}));
        assert_eq!(eval(line).fine().json()["Contract_Date__c"], "2024-09-30", "{date}");
    }
}

#[test]
fn a_line_of_five_megabytes_is_refused_and_the_rest_goes_on() {
    let long = contact("2", &json!({"email": "a@b.example", "lastname": "x".repeat(5 * 1024 * 1024)}));
    assert_eq!(complaint(&long), "error: line 2: the line is longer than 4194304 bytes");
    // Also at the very end, without a line end.
    let ran = eval(format!("{}\n{long}", good("1"))).exits(1);
    assert_eq!(ids(&ran), ["1"]);
}

#[test]
fn a_line_of_a_hundred_megabytes_is_refused_without_being_kept() {
    let world = World::project();
    let mut command = world.command(&["eval", "mql_to_lead"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || {
        let piece = vec![b'x'; 1024 * 1024];
        for _ in 0..100 {
            stdin.write_all(&piece).expect("it is read to its end");
        }
        writeln!(stdin, "\n{}", good("2")).expect("written");
    });
    let ended = child.wait_with_output().expect("it ends");
    writer.join().expect("written");
    assert_eq!(ended.status.code(), Some(1));
    let err = String::from_utf8(ended.stderr).expect("text");
    assert!(err.contains("error: line 1: the line is longer than 4194304 bytes"), "{err}");
    assert!(String::from_utf8(ended.stdout).expect("text").contains("\"2\""));
}

#[test]
fn threads_change_no_byte() {
    let mut input = String::from("\u{feff}");
    for id in 0..3000 {
        input += &match id % 100 {
            7 => "not json\n".to_owned(),
            8 => contact("8", &json!({"lastname": "Doe"})) + "\n",
            9 => "\n".to_owned(),
            _ => good(&id.to_string()) + "\n",
        };
    }
    let alone = eval(&input).exits(1);
    for threads in ["2", "7"] {
        let together = eval_with(&["--threads", threads], &input).exits(1);
        assert_eq!((together.out, together.err), (alone.out.clone(), alone.err.clone()), "{threads} threads");
        let first = eval_with(&["--fail-fast", "--threads", threads], &input).exits(1);
        assert_eq!(ids(&first), ["0", "1", "2", "3", "4", "5", "6"]);
        assert_eq!(first.err.matches("error: ").count(), 1, "{}", first.err);
    }
    assert_eq!(eval_with(&["--threads", "3"], "").fine().out, "");
    eval_with(&["--threads", "0"], "").exits(2);
}

#[test]
fn provenance_names_the_line_of_each_rule() {
    let json = eval_with(&["--provenance"], good("1")).fine().json();
    assert_eq!(json["fields"]["Email"], "jane@acme.example");
    assert_eq!(json["provenance"]["Email"], "mql_to_lead.map:31");
    assert_eq!(json["provenance"]["HubSpot_Contact_ID__c"], "mql_to_lead.map:17");
    let fields: Vec<&String> = json["fields"].as_object().expect("fields").keys().collect();
    let lines: Vec<&String> = json["provenance"].as_object().expect("lines").keys().collect();
    assert_eq!(fields, lines);
}

#[test]
fn a_line_that_is_not_utf8_or_nests_too_deep_is_refused() {
    let mut input = format!("{}\n", good("1")).into_bytes();
    input.extend(b"{\"id\": \"2\", \"properties\": {\"lastname\": \"caf\xe9\"}}\n");
    input.extend(good("3").as_bytes());
    let ran = eval(&input).exits(1);
    assert_eq!(ids(&ran), ["1", "3"]);
    assert!(ran.err.contains("error: line 2: "), "{}", ran.err);
    assert!(complaint(&"[".repeat(100_000)).starts_with("error: line 2: "));
    assert!(complaint(&"{\"a\":".repeat(100_000)).starts_with("error: line 2: "));
}

#[test]
fn fail_fast_stops_at_the_first() {
    let input = format!("{}\nnot json\n{}\nnot json\n", good("1"), good("3"));
    let ran = eval_with(&["--fail-fast"], input).exits(1);
    assert_eq!(ids(&ran), ["1"]);
    assert_eq!(ran.err.matches("error: ").count(), 1, "{}", ran.err);
}

#[test]
fn a_guard_that_does_not_hold_is_no_error() {
    let ran = eval(format!("{}\n{}\n", contact("1", &json!({"lastname": "Doe"})), good("2"))).fine();
    assert_eq!(ids(&ran), ["2"]);
    assert!(
        ran.err.contains("line 1: skipped: `only if mail is present` does not hold (mql_to_lead.map:14)"),
        "{}",
        ran.err
    );
}

#[test]
fn blank_lines_and_windows_line_ends_count_and_nothing_else() {
    let ran = eval(format!("\n{}\r\n\r\n   \n{}\r\nnot json\r\n", good("1"), good("2"))).exits(1);
    assert_eq!(ids(&ran), ["1", "2"]);
    assert!(ran.err.contains("error: line 6: "), "{}", ran.err);
    assert_eq!(eval("\n\n").fine().out, "");
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_record() {
    assert_eq!(ids(&eval(format!("\u{feff}{}\n", good("1"))).fine()), ["1"]);
}

#[test]
fn a_file_a_dash_and_nothing_are_the_three_inputs() {
    let world = World::project();
    world.write("records.ndjson", good("1"));
    assert_eq!(ids(&world.run(&["eval", "mql_to_lead", "records.ndjson"]).fine()), ["1"]);
    assert_eq!(ids(&eval_with(&["-"], good("1")).fine()), ["1"]);
    assert_eq!(world.run(&["eval", "mql_to_lead"]).fine().out, "", "no input, no output");
    let ran = world.run(&["eval", "mql_to_lead", "missing.ndjson"]).exits(2);
    assert!(ran.err.contains("`missing.ndjson` cannot be read: "), "{}", ran.err);
    let ran = world.run(&["eval", "mql_to_lead", "schema"]).exits(2);
    assert!(ran.err.contains("error: "), "a folder: {}", ran.err);
}

#[test]
fn quotes_and_backslashes_come_through_unharmed() {
    let mail = "o'\"br\\ien@acme.example";
    let line = contact("7", &json!({"email": mail, "lastname": "O'Brien \"B\\\" {x} \u{0000}\u{2028}"}));
    let json = eval(line).fine().json();
    assert_eq!(json["Email"], mail);
    assert!(json["LastName"].as_str().is_some_and(|name| name.starts_with("O'Brien \"B\\\" {x}")), "{json}");
}

#[test]
fn text_is_cut_as_salesforce_counts_and_never_inside_a_character() {
    let family = "👩\u{200d}👩\u{200d}👧\u{200d}👦";
    let line = contact(
        "7",
        &json!({
            "email": "a@b.example", "lastname": "漢".repeat(100), "firstname": family.repeat(9),
            "jobtitle": format!("{}é", "e\u{301}".repeat(64)),
        }),
    );
    let json = eval(line).fine().json();
    assert_eq!(json["LastName"], "漢".repeat(80));
    // Eleven UTF-16 units each: three whole ones fit into forty.
    assert_eq!(json["FirstName"], family.repeat(3));
    assert_eq!(json["Title"], "e\u{301}".repeat(64));
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let world = World::project();
    let mut command = world.command(&["eval", "mql_to_lead"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    command.stdin(Stdio::piped()).stdout(writer).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    drop((command, reader));
    let mut stdin = child.stdin.take().expect("piped");
    let lines = format!("{}\n", good("1")).repeat(1000);
    // It stops reading once nobody reads what it writes.
    let stopped = (0..1000).any(|_| stdin.write_all(lines.as_bytes()).is_err());
    assert!(stopped, "it read a million records for nobody");
    assert_eq!(wait(&mut child, Duration::from_secs(10)), Some(0));
}

#[test]
fn records_come_out_while_they_go_in() {
    // A person who types, or a program that asks and waits, sees each answer at once.
    use std::io::{BufRead, BufReader};
    let world = World::project();
    let mut command = world.command(&["eval", "mql_to_lead"]);
    command.stdin(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    let out = child.stdout.take().expect("piped");
    writeln!(stdin, "{}", good("1")).expect("written");
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines() {
            drop(send.send(line.expect("a line")));
        }
    });
    let first = receive.recv_timeout(Duration::from_secs(10));
    drop(stdin);
    let code = wait(&mut child, Duration::from_secs(10));
    assert!(first.is_ok_and(|line| line.contains("\"1\"")), "nothing came before the input ended");
    assert_eq!(code, Some(0));
}

#[test]
fn twenty_thousand_records_take_seconds() {
    let input: String = (0..20_000).map(|id| good(&id.to_string()) + "\n").collect();
    let ran = eval(input).fine();
    assert_eq!(ran.out.lines().count(), 20_000);
}

#[test]
fn other_mappings_evaluate_the_same_way() {
    let world = World::project();
    let line = json!({"id": "9001", "properties": {
        "name": " Acme ", "domain": "ACME.example", "industry": "AVIATION_AEROSPACE", "numberofemployees": "250",
    }});
    let command = world.command(&["eval", "company_to_account"]);
    let ran = world.finish(command, line.to_string().as_bytes()).fine();
    let account = json!({
        "HubSpot_Company_ID__c": "9001", "Name": "Acme", "Website": "acme.example", "Industry": "Other",
        "NumberOfEmployees": 250,
    });
    assert_eq!(ran.json(), account);
}

/// Makes room for a sync of the same two objects.
fn without_shipped_sync(world: &World) {
    for file in ["account_company.map", "account_company_tests.map", "picklists_tests.map"] {
        world.remove(file);
    }
}

#[test]
fn a_sync_is_evaluated_from_either_side() {
    let world = World::project();
    without_shipped_sync(&world);
    world.write(
        "accounts.map",
        "sync accounts {\n  between hubspot.company and salesforce.Account\n  \
         let site = hubspot.domain | trim\n  \
         match { key hubspot.company.salesforce_account_id = Id }\n  on none      skip\n  on rejected  park\n  \
         fields {\n    phone <-> Fax via truncate(40) | trim  on conflict salesforce\n    \
         site | truncate(80) -> Site\n  }\n}\n",
    );
    let eval = |args: &[&str], line: &str| {
        let command = world.command(&[&["eval", "accounts"], args].concat());
        world.finish(command, line.as_bytes())
    };
    let company = r#"{"id": "7", "properties": {"phone": " 555 ", "domain": " acme.example "}}"#;
    let account = r#"{"Id": "001000000000001AAA", "Fax": "556"}"#;
    let forth = eval(&["--from", "hubspot"], company).exits(0);
    assert_eq!(forth.out, "{\"Fax\":\"555\",\"Site\":\"acme.example\"}\n");
    let back = eval(&["--from", "salesforce"], account).exits(0);
    assert_eq!(back.out, "{\"salesforce_account_id\":\"001000000000001AAA\",\"phone\":\"556\"}\n");
    let neither = eval(&[], company).exits(2);
    assert!(neither.err.contains("`accounts` is a sync: say whose records these are"), "{}", neither.err);
}
