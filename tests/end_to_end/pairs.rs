//! Three pairs in one `serve`, each with a sandbox of its own.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use crate::http::Answer;
use crate::stage::{self, Sandbox, Serve, free_port};
use crate::world::World;

const NAMES: [&str; 3] = ["healthy", "refused", "hanging"];

/// A project with three pairs, and their sandboxes.
struct Stage {
    world: World,
    sandboxes: Vec<Sandbox>,
    port: u16,
}

impl Stage {
    fn set() -> Self {
        let world = World::project();
        let port = free_port();
        let mut config = format!("language: 1\nserve: {{ listen: \"127.0.0.1:{port}\" }}\npairs:\n");
        let mut sandboxes = Vec::new();
        for (at, name) in NAMES.iter().enumerate() {
            let portal = 1001 + at;
            let seed = format!(
                "hubspot:\n  portal: {portal}\n  app: {{ id: {portal}, secret: secret-of-{name} }}\n  webhooks:\n    \
                 target_url: http://127.0.0.1:{port}/webhooks/hubspot\n    subscriptions: [{{ event: \
                 contact.propertyChange, property: lifecyclestage }}]\n  objects:\n    contact:\n      - id: \"101\"\n        \
                 properties: {{ lastname: Doe, email: doe@{name}.example }}\n"
            );
            world.write("seed.yaml", &seed);
            let sandbox = Sandbox::start(&world, "seed.yaml");
            let token = if *name == "refused" { "not-yet" } else { sandbox.text("/hubspot/token") };
            let _ = write!(
                config,
                "  {name}:\n    poll: {{ every: off }}\n    hubspot:\n      portal: {portal}\n      base_url: {}\n      \
                 token: {token}\n      webhook:\n        secrets: [secret-of-{name}]\n        public_url: \
                 http://127.0.0.1:{port}/webhooks/hubspot\n    salesforce:\n      login_url: {}\n      auth: {{ \
                 client_credentials: {{ client_id: {}, client_secret: {} }} }}\n",
                sandbox.text("/hubspot/base_url"),
                sandbox.text("/salesforce/login_url"),
                sandbox.text("/salesforce/client_id"),
                sandbox.text("/salesforce/client_secret"),
            );
            sandboxes.push(sandbox);
        }
        world.write("mapwright.yaml", config);
        Self { world, sandboxes, port }
    }

    fn qualify(&self, at: usize) {
        let body = json!({"properties": {"lifecyclestage": "marketingqualifiedlead"}});
        self.sandboxes[at].portal("PATCH", "records/contact/101", &body).fine();
    }

    fn leads(&self, at: usize) -> usize {
        let query = "query?q=SELECT+Id+FROM+Lead";
        let answer = self.sandboxes[at].org("GET", query, &Json::Null).fine().json();
        answer["records"].as_array().expect("records").len()
    }

    fn serve(&self) -> Serve {
        Serve::start(self.world.command(&["serve"]), self.port)
    }

    /// Delivers an event of one portal under the secret of another's app.
    fn deliver(&self, portal: usize, signer: usize) -> Answer {
        let url = format!("http://127.0.0.1:{}/webhooks/hubspot", self.port);
        let body = json!([{
            "portalId": 1001 + portal, "occurredAt": 1_727_654_400_000_i64, "subscriptionType": "contact.propertyChange",
            "objectId": 101, "propertyName": "lifecyclestage", "propertyValue": "marketingqualifiedlead",
        }]);
        stage::deliver(&url, &format!("secret-of-{}", NAMES[signer]), &body.to_string())
    }
}

#[test]
fn one_process_serves_three_pairs_and_a_broken_one_holds_up_no_other() {
    let stage = Stage::set();
    let silence = json!({"answer": "timeout", "times": "always", "delay_ms": 600_000});
    stage.sandboxes[2].portal("POST", "faults", &silence).fine();
    let serve = stage.serve();
    stage.qualify(1);
    stage.qualify(2);
    let pending = |name: &str| serve.metric(&format!("mapwright_events_pending{{pair=\"{name}\"}}"));
    let worker = |name: &str| serve.get("/healthz").json()["workers"][name].clone();
    serve.until("both have work", || pending("refused") == 1 && pending("hanging") == 1);
    serve.until("one is paused", || worker("refused")["paused"]["hubspot"]["reason"] == "unauthorised");

    stage.qualify(0);
    serve.until("the healthy pair is done", || stage.leads(0) == 1 && pending("healthy") == 0);
    assert_eq!((pending("refused"), pending("hanging")), (1, 1));
    assert_eq!((stage.leads(1), stage.leads(2)), (0, 0));
    assert_eq!(worker("healthy")["paused"], json!({}));
    assert_eq!(serve.get("/healthz").json()["status"], "degraded");
    assert_eq!(serve.metric("mapwright_records_total{pair=\"healthy\",verdict=\"created\"}"), 1);

    // An event of one portal counts only under the secret of its own app.
    let foreign = stage.deliver(1, 0);
    assert_eq!((foreign.status, foreign.json()["kind"].clone()), (404, json!("unknown_portal")));
    assert_eq!(stage.deliver(1, 1).status, 200);
    assert_eq!(pending("refused"), 2);
    serve.kill();

    // Nothing was lost: what hung is taken up again, and what was refused waits for its next try.
    stage.sandboxes[2].portal("DELETE", "faults", &Json::Null).fine();
    let serve = stage.serve();
    let pending = |name: &str| serve.metric(&format!("mapwright_events_pending{{pair=\"{name}\"}}"));
    serve.until("the portal that answers again is served", || stage.leads(2) == 1 && pending("hanging") == 0);
    assert_eq!((pending("healthy"), pending("refused")), (0, 2));
    assert_eq!(serve.metric("mapwright_parked"), 0, "{}", serve.log());
    assert_eq!(serve.terminate().0, Some(0));
}

#[test]
fn commands_ask_which_pair() {
    let stage = Stage::set();
    let ran = stage.world.run(&["plan", "mql_to_lead", "--record", "101"]).exits(2);
    assert!(
        ran.err.contains("which pair? `--pair` names one of `healthy`, `refused`, `hanging`"),
        "{}",
        ran.err
    );
    stage.world.run(&["plan", "mql_to_lead", "--record", "101", "--pair", "healthy"]).fine();
    let ran = stage.world.run(&["run", "mql_to_lead", "--record", "101", "--pair", "refused"]).exits(3);
    assert!(ran.err.contains("INVALID_AUTHENTICATION"), "{}", ran.err);
    stage.world.run(&["run", "mql_to_lead", "--record", "101", "--pair", "healthy"]).fine();
    assert_eq!((stage.leads(0), stage.leads(1)), (1, 0));
    // The pairs have the same mappings and snapshots, so whoever needs no account need not be told which.
    let ran = stage.world.run(&["check"]).fine();
    assert!(!ran.err.contains("pairs"), "{}", ran.err);
    stage.world.run(&["parked", "list", "--pair", "healthy"]).fine();
    let ran = stage.world.run(&["parked", "list", "--pair", "helthy"]).exits(2);
    assert!(ran.err.contains("there is no pair `helthy`"), "{}", ran.err);
}

#[test]
fn doctor_and_why_tell_of_each_pair() {
    let stage = Stage::set();
    stage.world.run(&["run", "mql_to_lead", "--record", "101", "--pair", "healthy"]).fine();
    let ran = stage.world.run(&["doctor", "--json"]).exits(1);
    let document = ran.json();
    let lines = document["checks"].as_array().expect("checks");
    let level = |pair: &str, check: &str| {
        let found = lines.iter().find(|line| line["pair"] == pair && line["check"] == check);
        found.map(|line| line["level"].clone()).unwrap_or_default()
    };
    for (pair, expected) in NAMES.iter().zip(["ok", "problem", "ok"]) {
        assert_eq!(level(pair, "HubSpot token"), expected, "{pair}: {}", ran.out);
        assert_eq!(level(pair, "Salesforce token"), "ok", "{pair}: {}", ran.out);
        assert_eq!(level(pair, "queue"), "ok", "{pair}: {}", ran.out);
    }
    let one = stage.world.run(&["doctor", "--pair", "healthy"]);
    assert!(one.out.contains("pair `healthy`:") && !one.out.contains("pair `refused`:"), "{}", one.out);
    stage.world.run(&["doctor", "--pair", "helthy"]).exits(2);

    // Each portal has a contact 101; only one of them is known.
    let ran = stage.world.run(&["why", "contact", "101", "--json"]).fine();
    assert_eq!(ran.json()["runs"][0]["result"], "created", "{}", ran.out);
    stage.world.run(&["why", "contact", "101", "--pair", "refused"]).exits(1);
    stage.world.run(&["run", "mql_to_lead", "--record", "101", "--pair", "hanging"]).fine();
    let ran = stage.world.run(&["why", "contact", "101"]).exits(2);
    assert!(ran.err.contains("the pairs `hanging` and `healthy` know such a record"), "{}", ran.err);
}
