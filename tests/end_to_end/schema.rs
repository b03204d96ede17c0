//! `schema pull` and `drift`: the snapshots beside the live CRMs.

use serde_json::{Value as Json, json};

use crate::stage::Stage;
use crate::world::World;

const SNAPSHOTS: [&str; 2] = ["schema/hubspot.yaml", "schema/salesforce.yaml"];

/// The findings of `drift`, as JSON.
#[track_caller]
fn drifted(stage: &Stage) -> Vec<Json> {
    let ran = stage.run(&["drift", "--format", "json"]).exits(1);
    ran.json().as_array().expect("a list of findings").clone()
}

/// Code, file, line's text and message of a finding.
fn at(stage: &Stage, finding: &Json) -> (String, String, String) {
    let text = |pointer: &str| finding.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned();
    let file = text("/labels/0/file");
    let line = usize::try_from(finding["labels"][0]["line"].as_u64().expect("a line")).expect("small");
    let line = stage.world.read(&file).lines().nth(line - 1).expect("the line is there").trim().to_owned();
    (text("/code"), line, text("/message"))
}

/// The lines that a snapshot has more than before; the others are the same, in the same order.
#[track_caller]
fn added(before: &str, after: &str) -> Vec<String> {
    let mut known = before.lines().peekable();
    let more = after.lines().filter(|line| known.next_if_eq(line).is_none()).map(str::to_owned).collect();
    assert_eq!(known.next(), None, "nothing else of the file is different");
    more
}

#[test]
fn the_shipped_snapshots_are_what_the_shipped_sandbox_says() {
    let stage = Stage::shipped();
    let before = SNAPSHOTS.map(|name| stage.world.read(name));
    let ran = stage.run(&["schema", "pull"]).fine();
    // What the sandbox knows and the snapshots do not: a source, the story of `demo`, and its own people.
    let told = [
        "schema/hubspot.yaml: 6 added, 0 changed, 0 removed",
        "  + contact                      labels its associations with `company`: Primary",
        "  + company                      labels its associations with `company`: Child Company, Parent Company",
        "  + deal                         labels its associations with `company`: Primary",
        "  + deal                         does not label its associations with `contact`",
        "  + owners                       are in the snapshot now: 2",
        "  + contact.hs_analytics_source  has a new option `AI_REFERRALS`",
        "schema/salesforce.yaml: 1 added, 0 changed, 0 removed",
        "  + owners  are in the snapshot now: 3",
    ];
    assert_eq!(ran.out.lines().collect::<Vec<_>>(), told);
    let after = SNAPSHOTS.map(|name| stage.world.read(name));
    let added = [0, 1].map(|at| added(&before[at], &after[at]));
    let hubspot = [
        "    associations:",
        "      company: [Primary]",
        "          - { value: AI_REFERRALS, label: AI Referrals }",
        "    associations:",
        "      company: [Child Company, Parent Company]",
        "    associations:",
        "      company: [Primary]",
        "      contact: []",
        "owners:",
        "  - { id: \"11\", email: robin@sales.example }",
        "  - { id: \"12\", email: lena@sales.example, archived: true }",
    ];
    assert_eq!(added[0], hubspot);
    assert_eq!((added[1].len(), added[1][0].as_str()), (4, "owners:"));

    let again = stage.run(&["schema", "pull"]).fine();
    assert_eq!(again.out, "schema/hubspot.yaml: no change\nschema/salesforce.yaml: no change\n");
    assert_eq!(SNAPSHOTS.map(|name| stage.world.read(name)), after);
    stage.run(&["drift"]).fine();
}

#[test]
fn drift_names_the_picklist_that_lacks_a_line() {
    let stage = Stage::shipped();
    let found = drifted(&stage);
    let (code, line, message) = at(&stage, &found[0]);
    assert_eq!((code.as_str(), line.as_str()), ("W1301", "hs_analytics_source:"));
    assert_eq!(message, "`hubspot.contact.hs_analytics_source` has a new option `AI_REFERRALS`");
    assert_eq!(found[0]["labels"][1]["file"], "picklists.map");
    assert_eq!(found[0]["labels"][1]["text"], "has no line for it");
    // The checker on the live schema: the rules that can fail now, and the picklist itself.
    let codes: Vec<&str> = found[1..].iter().filter_map(|finding| finding["code"].as_str()).collect();
    assert_eq!(codes, ["E0801", "E0801", "E0601"]);
    let snapshots = SNAPSHOTS.map(|name| stage.world.read(name));
    stage.world.replace(
        "picklists.map",
        "  \"PAID_SOCIAL\"",
        "  \"AI_REFERRALS\"     -> \"Inbound - Other\"\n  \"PAID_SOCIAL\"",
    );
    stage.run(&["schema", "pull"]).fine();
    stage.run(&["check"]).fine();
    stage.run(&["drift"]).fine();
    assert_ne!(SNAPSHOTS.map(|name| stage.world.read(name)), snapshots);
}

#[test]
fn drift_names_what_changed_and_the_lines_that_break() {
    let stage = Stage::shipped();
    stage.run(&["schema", "pull", "hubspot"]).fine();
    let org =
        |method: &str, field: &str, body: Json| stage.org(method, &format!("schema/{field}"), &body).fine();
    org("PATCH", "Lead/Title", json!({"length": 40}));
    org("PATCH", "Lead/Status", json!({"deactivate": ["MQL - Pending Review"]}));
    org("PATCH", "Lead/Region__c", json!({"type": "string", "length": 20, "required": true}));
    org("PATCH", "Lead/Phone", json!({"access": "read"}));
    org("DELETE", "Lead/Lead_Source_Detail__c", Json::Null);
    stage
        .portal("PATCH", "schema/contact/contract_date", &json!({"type": "string", "fieldType": "text"}))
        .fine();
    let found: Vec<(String, String, String)> =
        drifted(&stage).iter().map(|finding| at(&stage, finding)).collect();
    let has = |code: &str, line: &str, message: &str| {
        let is =
            |(c, l, m): &(String, String, String)| c == code && l.starts_with(line) && m.contains(message);
        assert!(found.iter().any(is), "{code} {line} {message}\n{found:#?}");
    };
    has(
        "E1302",
        "Title: {",
        "`salesforce.Lead.Title` holds less: was text of 128 characters, is text of 40 characters",
    );
    has(
        "E1302",
        "- MQL - Pending Review",
        "`salesforce.Lead.Status` has deactivated its option `MQL - Pending Review`",
    );
    has("E1302", "Phone: {", "`salesforce.Lead.Phone` cannot be written any more");
    has("E1302", "Lead:", "`salesforce.Lead.Region__c` is required now");
    has("W1301", "Lead:", "`salesforce.Lead.Region__c` is new");
    has("E1301", "Lead_Source_Detail__c: {", "`salesforce.Lead.Lead_Source_Detail__c` is not there any more");
    has(
        "E1302",
        "contract_date: {",
        "`hubspot.contact.contract_date` was a date and is text of 65536 characters",
    );
    // What breaks by it, at the rules.
    has("E0501", "Title ", "Title");
    has("E0603", "Status ", "MQL - Pending Review");
    has("E0301", "Phone ", "Phone");
    has("E0304", "", "Region__c");
    has("E0202", "Lead_Source_Detail__c", "no field");
    has("E0401", "Contract_Date__c", "");

    let github = stage.run(&["drift", "--format", "github"]).exits(1);
    assert!(github.out.contains("::error file=schema/salesforce.yaml,line="), "{github:?}");
    assert!(github.out.contains("::error file=mql_to_lead.map,line="), "{github:?}");
    let sarif = stage.run(&["drift", "--format", "sarif"]).exits(1).json();
    assert_eq!(sarif["runs"][0]["results"].as_array().expect("results").len(), found.len());
    let human = stage.run(&["drift"]).exits(1);
    assert!(human.err.contains("differences, and "), "{human:?}");
}

#[test]
fn a_pull_takes_what_changed_and_keeps_what_people_wrote() {
    let stage = Stage::shipped();
    stage.run(&["schema", "pull"]).fine();
    stage.org("PATCH", "schema/Lead/LeadSource", &json!({"addValues": ["Webinar"]})).fine();
    stage.org("DELETE", "schema/Lead/Fax", &Json::Null).fine();
    stage.org("PATCH", "schema/Lead/Region__c", &json!({"type": "string", "length": 20})).fine();
    stage.portal("PATCH", "schema/contact/email", &json!({"readOnly": true})).fine();
    let before = SNAPSHOTS.map(|name| stage.world.read(name));
    let ran = stage.run(&["schema", "pull"]).fine();
    for line in [
        "  ~ contact.email  cannot be written any more",
        "  - Lead.Fax         is not there any more, or not visible",
        "  + Lead.Region__c   is new",
        "  + Lead.LeadSource  has a new option `Webinar`",
    ] {
        assert!(ran.out.lines().any(|known| known == line), "{line}\n{}", ran.out);
    }
    let after = SNAPSHOTS.map(|name| stage.world.read(name));
    let email = "email: { label: Email, type: string, format: email, read_only: true }";
    assert!(after[0].contains(email), "what HubSpot does not say is kept");
    let comments = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.trim_start().starts_with('#')).map(str::to_owned).collect()
    };
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(comments(before), comments(after));
    }
    let new = "      Contract_Date__c: { label: Contract Date, type: date }\n      Region__c: { label: Region, type: string, length: 20 }\n";
    assert!(after[1].contains(new), "a new field stands behind the others of its object");
    assert_eq!(
        stage.run(&["schema", "pull"]).fine().out,
        "schema/hubspot.yaml: no change\nschema/salesforce.yaml: no change\n"
    );
}

const SMALL: &str = r#"
mapping ticket_of_account {
  from salesforce.Account
  to   hubspot.subscription

  when created

  match {
    key account = Id
  }
  on none   create
  on rejected park

  fields {
    tier  <- "gold"
    owner <- Owner.Email
  }
}
"#;

const SEED: &str = "
hubspot:
  schemas:
    subscription:
      id: 2-345
      properties:
        account: { type: string, flags: [unique] }
        tier: { type: enumeration/select, options: [gold, silver] }
        owner: { type: string }
salesforce:
  record_types:
    Opportunity:
      - { name: New Business, developer_name: New_Business, picklists: { Type: [New Customer] } }
      - { name: Renewal, developer_name: Renewal, active: false }
";

/// A project of one mapping and no snapshot.
fn small() -> Stage {
    let world = World::project();
    let maps: Vec<_> =
        std::fs::read_dir(world.work()).expect("a folder").flatten().map(|entry| entry.path()).collect();
    for path in maps.iter().filter(|path| path.extension().is_some_and(|extension| extension == "map")) {
        std::fs::remove_file(path).expect("removed");
    }
    world.write("small.map", SMALL);
    for name in SNAPSHOTS {
        world.remove(name);
    }
    Stage::seeded(world, SEED)
}

#[test]
fn a_first_pull_takes_the_objects_that_the_mappings_lead_to() {
    let stage = small();
    let ran = stage.run(&["schema", "pull"]).fine();
    assert_eq!(
        ran.out,
        "schema/hubspot.yaml: 2 added, 0 changed, 0 removed\n  + subscription  is new\n  + owners        are in the snapshot now: 0\n\
         schema/salesforce.yaml: 3 added, 0 changed, 0 removed\n  + Account  is new\n  + User     is new\n  + owners   are in the snapshot now: 1\n"
    );
    let hubspot = stage.world.read("schema/hubspot.yaml");
    assert!(hubspot.contains("  subscription:\n    api_name: \"2-345\"\n"), "{hubspot}");
    stage.run(&["check"]).fine();
    stage.run(&["drift"]).fine();
    let again = stage.run(&["schema", "pull"]).fine();
    assert_eq!(again.out, "schema/hubspot.yaml: no change\nschema/salesforce.yaml: no change\n");
}

#[test]
fn objects_are_added_by_name_with_their_record_types_and_pipelines() {
    let stage = small();
    stage.run(&["schema", "pull"]).fine();
    stage.run(&["schema", "pull", "--object", "hubspot.deal", "--object", "salesforce.Opportunity"]).fine();
    let hubspot = stage.world.read("schema/hubspot.yaml");
    assert!(hubspot.contains("          - { value: closedwon, label: Closed Won }\n"), "{hubspot}");
    let salesforce = stage.world.read("schema/salesforce.yaml");
    let types = "    record_types:\n      - name: New Business\n        developer_name: New_Business\n        default: true\n        \
                 picklists:\n          Type:\n            [New Customer]\n      - { name: Renewal, developer_name: Renewal, active: false }\n";
    assert!(salesforce.contains(types), "{salesforce}");
    let again = stage.run(&["schema", "pull"]).fine();
    assert_eq!(again.out, "schema/hubspot.yaml: no change\nschema/salesforce.yaml: no change\n");

    let twice = stage.run(&["schema", "pull", "salesforce", "--object", "Leed"]).exits(2);
    assert!(
        twice.err.contains("Salesforce has no object `Leed`, or does not show it; did you mean `Lead`?"),
        "{twice:?}"
    );
    let whose = stage.run(&["schema", "pull", "--object", "ticket"]).exits(2);
    assert!(whose.err.contains("write `hubspot.ticket` or `salesforce.ticket`"), "{whose:?}");

    stage.run(&["schema", "pull", "--all"]).fine();
    let hubspot = stage.world.read("schema/hubspot.yaml");
    assert!(["  contact:\n", "  ticket:\n", "  product:\n"].iter().all(|object| hubspot.contains(object)));
    assert!(stage.world.read("schema/salesforce.yaml").contains("\n  Campaign:\n"));
    stage.run(&["drift"]).fine();
}

#[test]
fn a_token_without_permission_is_told_and_nothing_is_written() {
    let mut stage = Stage::shipped();
    let before = SNAPSHOTS.map(|name| stage.world.read(name));
    let scopes = ["crm.objects.contacts.read", "crm.schemas.contacts.read", "crm.schemas.deals.read"];
    stage.portal("PUT", "scopes", &json!({"scopes": scopes})).fine();
    for command in [["schema", "pull"].as_slice(), &["drift"]] {
        let ran = stage.run(command).exits(3);
        assert!(ran.err.contains("HubSpot did not describe `company`"), "{ran:?}");
        assert!(ran.err.contains("`mapwright permissions hubspot` lists them"), "{ran:?}");
    }
    stage.variable("HUBSPOT_TOKEN", "no-such-token");
    let ran = stage.run(&["schema", "pull"]).exits(3);
    assert!(ran.err.contains("the token or the secret is refused"), "{ran:?}");
    stage.stop_sandbox();
    let ran = stage.run(&["drift"]).exits(3);
    assert!(ran.err.contains("HubSpot did not describe `contact`"), "{ran:?}");
    assert_eq!(SNAPSHOTS.map(|name| stage.world.read(name)), before);
}

#[test]
fn an_object_that_is_not_shown_is_drift() {
    let stage = small();
    stage.run(&["schema", "pull"]).fine();
    let path = "schema/salesforce.yaml";
    let text = stage.world.read(path);
    let invoice = "  Invoice__c:\n    label: Invoice\n    fields:\n      Id: { type: id }\n";
    stage.world.write(path, text.replace("\nowners:\n", &format!("\n{invoice}owners:\n")));
    let found = drifted(&stage);
    assert_eq!(at(&stage, &found[0]).2, "`salesforce.Invoice__c` is not there any more, or not visible");
    stage.run(&["schema", "pull"]).fine();
    assert_eq!(stage.world.read(path), text);
}

const BUYER: &str = r#"
mapping buyer {
  from hubspot.contact
  to   salesforce.Lead

  with employer = "Buyer" hubspot.company

  when "Buyer" hubspot.company changes

  match {
    key HubSpot_Contact_ID__c = id
  }
  on none       skip
  on converted  park
  on rejected   park

  fields {
    Title  <- employer.name | truncate(128)
  }
}
"#;

#[test]
fn a_label_that_is_gone_is_drift() {
    let world = World::project();
    let maps: Vec<_> =
        std::fs::read_dir(world.work()).expect("a folder").flatten().map(|entry| entry.path()).collect();
    for path in maps.iter().filter(|path| path.extension().is_some_and(|extension| extension == "map")) {
        std::fs::remove_file(path).expect("removed");
    }
    world.write("buyer.map", BUYER);
    let stage = Stage::seeded(
        world,
        "hubspot: { labels: { contact: { company: [Buyer, { label: Employee, inverse: Employer }] } } }\n",
    );
    // What the snapshot does not say is not judged.
    stage.run(&["check"]).fine();
    let pulled = stage.run(&["schema", "pull"]).fine();
    let line = "  + contact labels its associations with `company`: Buyer, Employee, Primary";
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(squeezed(&pulled.out).contains(&squeezed(line)), "{}", pulled.out);
    let text = stage.world.read(SNAPSHOTS[0]);
    assert!(text.contains("    associations:\n      company: [Buyer, Employee, Primary]\n"), "{text}");
    stage.run(&["check"]).fine();
    stage.run(&["drift"]).fine();
    let again = stage.run(&["schema", "pull"]).fine();
    assert_eq!(again.out, "schema/hubspot.yaml: no change\nschema/salesforce.yaml: no change\n");
    assert_eq!(stage.world.read(SNAPSHOTS[0]), text);

    stage.portal("DELETE", "labels/contact/company/Buyer", &Json::Null).fine();
    let found: Vec<(String, String, String)> =
        drifted(&stage).iter().map(|finding| at(&stage, finding)).collect();
    let codes: Vec<(&str, &str)> =
        found.iter().map(|(code, line, _)| (code.as_str(), line.as_str())).collect();
    assert_eq!(
        codes,
        [
            ("E1301", "company: [Buyer, Employee, Primary]"),
            ("E1105", "with employer = \"Buyer\" hubspot.company"),
            ("E1105", "when \"Buyer\" hubspot.company changes"),
        ]
    );
    assert_eq!(found[0].2, "`hubspot.contact` has no label `Buyer` of associations with `company` any more");
    stage.run(&["schema", "pull"]).fine();
    stage.run(&["drift"]).fine();
    stage.run(&["check"]).exits(1);
}
