//! What `mapwright cost` says, beside the calls that runs of every shipped mapping make: never more, and less only by what
//! the records of a scenario do not need.

use std::sync::Arc;
use std::time::Duration;

use mapwright::crm::calls_of;
use mapwright::crm::http::HttpOptions;
use mapwright::crm::hubspot::{HubspotAuth, HubspotClient, HubspotConfig};
use mapwright::plan::costs;
use mapwright::runtime::{Crms, Parts, Runtime, Settings};
use mapwright::sandbox::hubspot as portal;
use mapwright::sandbox::salesforce as org;
use mapwright::sandbox::seed::Seed;
use mapwright::schema::{Schema, load};
use mapwright::source::{ObjectName, Side, Sources};
use mapwright::store::{RecordKey, SqliteStore, Store};
use serde_json::{Value as Json, json};

use super::sandboxes::{self, now, plan_of};

const PATIENCE: Duration = Duration::from_mins(1);

/// So many records at once: one, and more than two batches of any kind of call but of the larger look-ups.
const TOGETHER: [usize; 2] = [1, 201];

fn hubspot(object: &str) -> ObjectName {
    ObjectName::new(Side::Hubspot, object)
}

fn salesforce(object: &str) -> ObjectName {
    ObjectName::new(Side::Salesforce, object)
}

struct World {
    portal: portal::HubspotHandle,
    org: org::SalesforceHandle,
    store: Arc<SqliteStore>,
    parts: Parts,
}

impl World {
    /// Both sandboxes with the shipped seed, and the shipped project.
    async fn new() -> Self {
        let seed = Seed::parse(include_str!("../../mappings/sandbox.yaml"), "sandbox.yaml").expect("a seed");
        let mut config = portal::HubspotConfig::default().seeded(seed.hubspot);
        config.webhooks.subscriptions = Vec::new();
        let portal = portal::HubspotServer::start(config).await.expect("a portal");
        let config = org::SalesforceConfig { seed: seed.salesforce.to_value(), ..Default::default() };
        let org = org::SalesforceServer::start(config).await.expect("an org");
        let http = HttpOptions { allow_private: true, ..HttpOptions::new(now, || 0.5) };
        let (_, to_org) = sandboxes::clients(&portal, &org, http);
        let schema = hubspot_schema();
        let config = HubspotConfig {
            base_url: portal.base_url().parse().expect("a URL"),
            auth: HubspotAuth::Token(portal.config().tokens[0].clone().into()),
            path_version: "v3".to_owned(),
            objects: HubspotConfig::objects_of(&schema),
        };
        let to_portal = HubspotClient::new(config, http).expect("a client").with_timelines(&schema);
        let store = Arc::new(SqliteStore::in_memory().await.expect("a store"));
        let crms = Crms { hubspot: Arc::new(to_portal), salesforce: to_org };
        let files = [
            ("account_company.map", include_str!("../../mappings/account_company.map")),
            ("company_to_account.map", include_str!("../../mappings/company_to_account.map")),
            ("contact_from_mql.map", include_str!("../../mappings/contact_from_mql.map")),
            ("mql_to_lead.map", include_str!("../../mappings/mql_to_lead.map")),
            ("opportunity_to_deal.map", include_str!("../../mappings/opportunity_to_deal.map")),
            ("picklists.map", include_str!("../../mappings/picklists.map")),
            ("sales_activity.map", include_str!("../../mappings/sales_activity.map")),
            ("sql_converts_lead.map", include_str!("../../mappings/sql_converts_lead.map")),
        ];
        let parts = sandboxes::parts(plan_of(&files), crms, store.clone(), Settings::default());
        let world = Self { portal, org, store, parts };
        world.template().await;
        world
    }

    /// The app's event template, as the shipped snapshot describes it.
    async fn template(&self) {
        let config = self.portal.config();
        let token = |name: &str| json!({"name": name, "label": name, "type": "string"});
        let kinds = ["Call", "Email", "Meeting", "Task"].map(|kind| json!({"label": kind, "value": kind}));
        let kind = json!({"name": "kind", "label": "Kind", "type": "enumeration", "options": kinds});
        let template = json!({
            "name": "Sales activity", "objectType": "contacts", "headerTemplate": "{{subject}}",
            "tokens": [kind, token("subject"), token("notes"), token("rep")],
        });
        let url =
            format!("{}/integrators/timeline/v3/{}/event-templates", self.portal.base_url(), config.app_id);
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = client.post(url).bearer_auth(&config.tokens[0]).json(&template).send().await;
        assert_eq!(answer.expect("an answer").status().as_u16(), 201);
    }

    fn calls(&self) -> [usize; 2] {
        let token = |call: &&org::Call| call.path.contains("oauth2");
        let org = self.org.calls();
        let tokens = org.iter().filter(token).count();
        [usize::try_from(self.portal.calls()).expect("few"), org.len() - tokens]
    }

    /// Runs a mapping for records together, all of which it must be able to do; the calls that it takes.
    async fn run(&self, mapping: &str, object: &ObjectName, ids: &[String]) -> [usize; 2] {
        for id in ids {
            let key = RecordKey::new("main", object.clone(), id);
            self.store.request(&key, mapping, now()).await.expect("asked for");
        }
        let before = self.calls();
        let worker = Runtime::start(self.parts.clone()).await.expect("a worker");
        assert!(worker.idle(PATIENCE).await.expect("the store"), "{:?}", self.store.pending().await);
        assert!(worker.shutdown().await);
        assert_eq!(self.store.parked().await.expect("parked"), []);
        for id in ids {
            let trail = self.store.trail(&RecordKey::new("main", object.clone(), id)).await.expect("a trail");
            assert_eq!(trail.waiting, [], "{mapping} {id}");
            let done = |run: &mapwright::store::RunEntry| {
                ["created", "updated", "synced"].contains(&run.result.as_str())
            };
            assert!(done(&trail.runs[0]), "{mapping} {id}: {:?}", trail.runs[0]);
        }
        let after = self.calls();
        [after[0] - before[0], after[1] - before[1]]
    }

    fn hubspot_record(&self, kind: &str, id: &str, properties: &[(&str, &str)]) {
        self.portal.create(kind, Some(id), properties, &portal::Actor::person()).expect("a record");
    }

    /// So many records of Salesforce; their ids.
    fn made(&self, object: &str, count: usize, fields: impl Fn(usize) -> Json) -> Vec<String> {
        (0..count).map(|n| self.org.create(object, &fields(n)).expect("a record")).collect()
    }

    fn id_of(&self, soql: &str) -> Json {
        self.org.query(soql).expect("SOQL")[0]["Id"].clone()
    }

    /// Contacts from 20000 on, each with an owner and a company of its own.
    fn contacts(&self, count: usize) -> Vec<String> {
        (0..count)
            .map(|n| {
                let (contact, company) = ((20_000 + n).to_string(), (40_000 + n).to_string());
                let (email, domain) = (format!("p{n}@c{n}.example"), format!("c{n}.example"));
                let company_name = format!("Company {n}");
                let of_company =
                    [("name", company_name.as_str()), ("domain", &domain), ("lifecyclestage", "opportunity")];
                self.hubspot_record("company", &company, &of_company);
                let of_contact = [
                    ("email", email.as_str()),
                    ("lastname", "Doe"),
                    ("jobtitle", "VP"),
                    ("hubspot_owner_id", "11"),
                    ("lifecyclestage", "marketingqualifiedlead"),
                ];
                self.hubspot_record("contact", &contact, &of_contact);
                let (from, to) = (("contact", contact.as_str()), ("company", company.as_str()));
                self.portal.associate(from, to, &portal::Actor::person()).expect("an association");
                contact
            })
            .collect()
    }

    /// The companies of these contacts.
    fn companies(contacts: &[String]) -> Vec<String> {
        (0..contacts.len()).map(|n| (40_000 + n).to_string()).collect()
    }

    async fn end(self) {
        self.portal.shutdown().await;
        self.org.shutdown().await;
    }
}

fn hubspot_schema() -> Schema {
    let text = include_str!("../../mappings/schema/hubspot.yaml");
    load(&mut Sources::new(), "schema/hubspot.yaml", text).0.expect("a schema")
}

/// Compares what was made with what is said to be the most, for HubSpot and Salesforce. `spared` is what these records do
/// not need, each with its reason; with it the figure is exact.
fn compare(world: &World, mapping: &str, together: usize, made: [usize; 2], spared: [&[(&str, usize)]; 2]) {
    let schema = hubspot_schema();
    let is_event = |object: &ObjectName| {
        object.side == Side::Hubspot
            && schema.objects.get(&object.name).is_some_and(|object| object.timeline.is_some())
    };
    let costs = costs(&world.parts.plan, &is_event);
    let cost = costs.iter().find(|cost| cost.name == mapping).expect("the mapping");
    let at_most = Side::ALL.map(|side| calls_of(&cost.work, side, together));
    println!("{mapping}, {together} together: {made:?} of at most {at_most:?}");
    for (side, label) in ["HubSpot", "Salesforce"].into_iter().enumerate() {
        assert!(made[side] <= at_most[side], "{mapping}, {together}: {} calls to {label}", made[side]);
        let less: usize = spared[side].iter().map(|(_, calls)| calls).sum();
        assert_eq!(
            made[side] + less,
            at_most[side],
            "{mapping}, {together} together, {label}: {:?} spared; {:?}; {:?}",
            spared[side],
            cost.work,
            world.portal.calls_by_operation()
        );
    }
}

#[tokio::test]
async fn a_company_that_gets_its_account() {
    for together in TOGETHER {
        let world = World::new().await;
        let companies = World::companies(&world.contacts(together));
        let made = world.run("company_to_account", &hubspot("company"), &companies).await;
        compare(&world, "company_to_account", together, made, [&[], &[("no Account is named", 1)]]);
        world.end().await;
    }
}

#[tokio::test]
async fn a_contact_that_sales_knows() {
    for together in TOGETHER {
        let world = World::new().await;
        let contacts = world.contacts(together);
        world.made(
            "Contact",
            together,
            |n| json!({"LastName": "Roe", "Email": format!("p{n}@c{n}.example")}),
        );
        let made = world.run("contact_from_mql", &hubspot("contact"), &contacts).await;
        compare(&world, "contact_from_mql", together, made, [&[], &[("no pair", 1)]]);
        world.end().await;
    }
}

#[tokio::test]
async fn a_contact_that_gets_its_lead() {
    for together in TOGETHER {
        let world = World::new().await;
        let contacts = world.contacts(together);
        let made = world.run("mql_to_lead", &hubspot("contact"), &contacts).await;
        compare(&world, "mql_to_lead", together, made, [&[("the owner has not left", 1)], &[("no pair", 1)]]);
        world.end().await;
    }
}

#[tokio::test]
async fn a_lead_that_is_converted() {
    for together in TOGETHER {
        let world = World::new().await;
        let contacts = world.contacts(together);
        world.run("company_to_account", &hubspot("company"), &World::companies(&contacts)).await;
        world.made(
            "Lead",
            together,
            |n| json!({"LastName": "Doe", "Company": "C", "HubSpot_Contact_ID__c": (20_000 + n).to_string()}),
        );
        let made = world.run("sql_converts_lead", &hubspot("contact"), &contacts).await;
        compare(
            &world,
            "sql_converts_lead",
            together,
            made,
            [&[("the owner has not left", 1)], &[("nothing is written", together.div_ceil(200))]],
        );
        world.end().await;
    }
}

#[tokio::test]
async fn an_opportunity_that_becomes_a_deal() {
    for together in TOGETHER {
        let world = World::new().await;
        let contacts = world.contacts(together);
        let accounts = world.made("Account", together, |n| json!({"Name": format!("Account {n}")}));
        world.run("account_company", &salesforce("Account"), &accounts).await;
        let people = world.made(
            "Contact",
            together,
            |n| json!({"LastName": "Roe", "Email": format!("p{n}@c{n}.example")}),
        );
        world.run("contact_from_mql", &hubspot("contact"), &contacts).await;
        let owner = world.id_of("SELECT Id FROM User WHERE Username = 'robin@sales.example'");
        let opportunities = world.made("Opportunity", together, |n| {
            json!({
                "Name": format!("Deal {n}"), "StageName": "Prospecting", "Amount": 100, "CloseDate": "2026-03-31",
                "AccountId": accounts[n], "OwnerId": owner, "Type": "New Customer",
            })
        });
        for (opportunity, contact) in opportunities.iter().zip(&people) {
            let role = json!({"OpportunityId": opportunity, "ContactId": contact});
            world.org.create("OpportunityContactRole", &role).expect("a role");
        }
        let made = world.run("opportunity_to_deal", &salesforce("Opportunity"), &opportunities).await;
        let spared = [
            ("the owner has not left", 1),
            ("no pair", together.div_ceil(100)),
            ("a new deal is associated with nothing", 2),
        ];
        compare(&world, "opportunity_to_deal", together, made, [&spared, &[]]);
        world.end().await;
    }
}

#[tokio::test]
async fn what_sales_does_on_the_timeline() {
    for together in TOGETHER {
        let world = World::new().await;
        let contacts = world.contacts(together);
        let people = world.made(
            "Contact",
            together,
            |n| json!({"LastName": "Roe", "Email": format!("p{n}@c{n}.example")}),
        );
        world.run("contact_from_mql", &hubspot("contact"), &contacts).await;
        let tasks = world.made(
            "Task",
            together,
            |n| json!({"WhoId": people[n], "Subject": "Called", "Type": "Call", "Status": "Completed"}),
        );
        let made = world.run("task_to_timeline", &salesforce("Task"), &tasks).await;
        compare(&world, "task_to_timeline", together, made, [&[], &[]]);
        let meetings = world.made("Event", together, |n| {
            json!({
                "WhoId": people[n], "Subject": "Demo", "StartDateTime": "2026-03-02T15:00:00Z",
                "Outcome__c": "Held", "DurationInMinutes": 30,
            })
        });
        let made = world.run("meeting_to_timeline", &salesforce("Event"), &meetings).await;
        compare(&world, "meeting_to_timeline", together, made, [&[], &[]]);
        world.end().await;
    }
}

#[tokio::test]
async fn accounts_and_companies_from_either_side() {
    for together in TOGETHER {
        let world = World::new().await;
        let parents = world.made("Account", 1, |_| json!({"Name": "Parent"}));
        world.run("account_company", &salesforce("Account"), &parents).await;
        let accounts = world.made("Account", together, |n| {
            json!({"Name": format!("Account {n}"), "Website": format!("a{n}.example"), "ParentId": parents[0]})
        });
        let made = world.run("account_company", &salesforce("Account"), &accounts).await;
        let batches = together.div_ceil(100);
        let spared = [
            ("there is no company yet", batches),
            ("no pair", batches),
            ("nothing was changed on both sides", together),
            ("the Account names no company", batches),
            ("no association is to be removed", batches),
        ];
        let of_org =
            [("nothing was changed on both sides", together), ("nothing is written", together.div_ceil(200))];
        compare(&world, "account_company", together, made, [&spared, &of_org]);

        // Both sides of each pair are changed, so that the times of the changes decide.
        let companies: Vec<String> = accounts
            .iter()
            .enumerate()
            .map(|(n, account)| {
                let name = json!({"Name": format!("Account {n} of Salesforce"), "Phone": "1"});
                world.org.change("Account", account, &name).expect("changed");
                let key = ("salesforce_account_id", account.as_str());
                let found = world
                    .portal
                    .records("company")
                    .into_iter()
                    .find(|company| company["properties"][key.0] == key.1);
                let company = found.expect("a company")["id"].as_str().expect("an id").to_owned();
                let name = format!("Account {n} of HubSpot");
                let properties = [("name", name.as_str()), ("city", "Reno")];
                world
                    .portal
                    .edit("company", &company, &properties, &portal::Actor::person())
                    .expect("changed");
                company
            })
            .collect();
        let made = world.run("account_company", &hubspot("company"), &companies).await;
        let spared = [
            ("the pair is known: neither rungs nor the record on its other side", 4 * batches),
            ("the labels are known", 1),
            ("it is associated already", 2 * batches),
        ];
        compare(&world, "account_company", together, made, [&spared, &[]]);
        world.end().await;
    }
}
