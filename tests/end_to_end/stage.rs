//! The processes: a sandbox, a project that points at it, and `serve`. Whatever is started is killed when its handle
//! is dropped, also when a test fails.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value as Json, json};
use sha2::Sha256;

use crate::http::{self, Answer};
use crate::world::{Ran, World, wait};

/// How long anything may take; it takes a fraction of a second on a machine that is not busy.
const PATIENCE: Duration = Duration::from_secs(25);
const TICK: Duration = Duration::from_millis(20);

/// What both CRMs hold at first.
const SEED: &str = r#"
hubspot:
  properties:
    contact:
      # One source more than the checked-in snapshot knows.
      hs_analytics_source:
        type: enumeration/select
        options: [ORGANIC_SEARCH, PAID_SEARCH, OFFLINE, AI_REFERRALS]
  owners:
    - { id: "11", email: robin@sales.example, first_name: Robin, last_name: Rep, user_id: 501 }
  webhooks:
    subscriptions:
      - { event: contact.propertyChange, property: lifecyclestage }
      - { event: contact.deletion }
  objects:
    company:
      - { id: "9001", properties: { name: Quote Ltd, domain: "o'b\\k.example" } }
    contact:
      - id: "101"
        properties: { firstname: Jane, lastname: Doe, email: Jane@Acme.example, hubscore: 87, hubspot_owner_id: "11" }
      - { id: "102", properties: { lastname: O'Brien, email: "o'brien@acme.example" } }
      - { id: "103", properties: { lastname: Twice, email: twice@acme.example } }
      - { id: "104", properties: { lastname: Twice, email: twice@acme.example.test } }
salesforce:
  users:
    - { Username: robin@sales.example, FirstName: Robin, LastName: Rep }
  objects:
    Account:
      - { Name: Decoy, Website: "o'bk.example" }
      - { Name: Quote, Website: "o'b\\k.example" }
    Lead:
      - { LastName: Old, Company: Old Corp, Email: "o'brien@acme.example", FirstName: Pat }
      - { LastName: Twice, Company: A, Email: twice@acme.example }
      - { LastName: Twice, Company: B, Email: twice@acme.example }
"#;

/// A project, and a sandbox that it points at.
pub(crate) struct Stage {
    pub(crate) world: World,
    hubspot: String,
    salesforce: String,
    secret: String,
    port: u16,
    variables: Vec<(&'static str, String)>,
    sandbox: Process,
}

impl Stage {
    /// Starts the sandbox with the usual seed.
    pub(crate) fn set() -> Self {
        Self::with_contacts(0)
    }

    /// The same, with so many contacts more: ids from 1000.
    pub(crate) fn with_contacts(more: u32) -> Self {
        Self::beside(more, "")
    }

    /// The same, and they are marketing qualified already.
    pub(crate) fn with_qualified(count: u32) -> Self {
        Self::beside(count, ", lifecyclestage: marketingqualifiedlead")
    }

    /// The usual seed, with so many contacts that have these properties more.
    fn beside(count: u32, more: &str) -> Self {
        let mut contacts = String::new();
        for id in 1000..1000 + count {
            let _ = writeln!(
                contacts,
                "      - {{ id: \"{id}\", properties: {{ lastname: N{id}, email: n{id}@acme.example{more} }} }}"
            );
        }
        let (head, tail) = SEED.split_once("salesforce:").expect("two halves");
        let seed = format!("{head}{}\nsalesforce:{tail}", contacts.trim_end()).replace("\n\n", "\n");
        Self::on(World::project(), &seed)
    }

    /// Starts a command that is killed when its handle is dropped.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        Running { process: Process::new(self.command(args).spawn().expect("it starts")) }
    }

    /// Calls that the org has answered, by operation.
    pub(crate) fn operations(&self) -> Json {
        http::get(&format!("{}/_sandbox/calls", self.salesforce)).fine().json()["operations"].clone()
    }

    /// A sandbox that holds what the shipped project's own does.
    pub(crate) fn shipped() -> Self {
        let world = World::project();
        let seed = world.read("sandbox.yaml");
        Self::on(world, &seed)
    }

    /// A sandbox of this seed, for this project.
    pub(crate) fn seeded(world: World, seed: &str) -> Self {
        Self::on(world, seed)
    }

    fn on(world: World, seed: &str) -> Self {
        world.write("seed.yaml", seed);
        let Sandbox { facts, process: sandbox } = Sandbox::start(&world, "seed.yaml");
        let text = |pointer: &str| facts.pointer(pointer).and_then(Json::as_str).expect(pointer).to_owned();
        let stage = Self {
            world,
            hubspot: text("/hubspot/base_url"),
            salesforce: text("/salesforce/login_url"),
            secret: text("/hubspot/client_secret"),
            port: free_port(),
            variables: vec![
                ("HUBSPOT_TOKEN", text("/hubspot/token")),
                ("HUBSPOT_CLIENT_SECRET", text("/hubspot/client_secret")),
                ("SALESFORCE_CLIENT_ID", text("/salesforce/client_id")),
                ("SALESFORCE_CLIENT_SECRET", text("/salesforce/client_secret")),
            ],
            sandbox,
        };
        stage.configure();
        stage
    }

    fn configure(&self) {
        let edit = |from: &str, to: &str| self.world.replace("mapwright.yaml", from, to);
        edit("https://api.hubapi.com", &self.hubspot);
        edit("https://login.salesforce.com", &self.salesforce);
        edit("public_url: https://hooks.example.com/hubspot/main", &format!("public_url: {}", self.target()));
        edit("listen: 127.0.0.1:8080", &format!("listen: 127.0.0.1:{}", self.port));
        edit("allow_private_addresses: false", "allow_private_addresses: true");
    }

    /// Another value for a variable of the project's environment.
    pub(crate) fn variable(&mut self, name: &str, value: &str) {
        let known = self.variables.iter_mut().find(|(known, _)| *known == name).expect("a variable");
        value.clone_into(&mut known.1);
    }

    /// Where HubSpot sends events to.
    pub(crate) fn target(&self) -> String {
        format!("http://127.0.0.1:{}/webhooks/hubspot", self.port)
    }

    /// The binary with the project's environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.world.command(args);
        command.envs(self.variables.iter().map(|(name, value)| (*name, value)));
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.world.finish(self.command(args), &[])
    }

    /// Starts the listener and the worker, and lets HubSpot know the address.
    pub(crate) fn serve(&self) -> Serve {
        let serve = Serve::start(self.command(&["serve"]), self.port);
        let settings = json!({"targetUrl": self.target(), "throttling": {"maxConcurrentRequests": 10}});
        let url = format!("{}/webhooks/v3/1234567/settings?hapikey=sandbox-developer-key", self.hubspot);
        http::send("PUT", &url, &settings).fine();
        serve
    }

    /// A person changes a contact, in HubSpot.
    pub(crate) fn edit_contact(&self, id: &str, properties: &Json) {
        let url = format!("{}/_sandbox/records/contact/{id}", self.hubspot);
        http::send("PATCH", &url, &json!({"properties": properties})).fine();
    }

    /// A person makes a contact a marketing qualified lead.
    pub(crate) fn qualify(&self, id: &str) {
        self.edit_contact(id, &json!({"lifecyclestage": "marketingqualifiedlead"}));
    }

    /// A call to the sandbox's own resources of the portal.
    pub(crate) fn portal(&self, method: &str, path: &str, body: &Json) -> Answer {
        http::send(method, &format!("{}/_sandbox/{path}", self.hubspot), body)
    }

    /// A call to the sandbox's own resources of the org.
    pub(crate) fn org(&self, method: &str, path: &str, body: &Json) -> Answer {
        http::send(method, &format!("{}/_sandbox/{path}", self.salesforce), body)
    }

    /// The portal's deals, as its API lists them.
    pub(crate) fn deals(&self) -> Vec<Json> {
        self.listed("deals?properties=dealstage,amount,salesforce_opportunity_id&associations=companies")
    }

    /// The portal's companies, as its API lists them.
    pub(crate) fn companies(&self) -> Vec<Json> {
        self.listed("companies?properties=name")
    }

    fn listed(&self, objects: &str) -> Vec<Json> {
        let token = self.variables.iter().find(|(name, _)| *name == "HUBSPOT_TOKEN").expect("a token");
        let bearer = format!("Bearer {}", token.1);
        let url = format!("{}/crm/v3/objects/{objects}", self.hubspot);
        let answer = http::call("GET", &url, &[("authorization", &bearer)], Vec::new()).expect("an answer");
        answer.fine().json()["results"].as_array().expect("records").clone()
    }

    /// Records of the org, by SOQL.
    pub(crate) fn query(&self, soql: &str) -> Vec<Json> {
        let query: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        let answer = http::get(&format!("{}/_sandbox/query?q={query}", self.salesforce)).fine();
        answer.json()["records"].as_array().expect("records").clone()
    }

    /// The Leads that carry a contact's key.
    pub(crate) fn leads_of(&self, contact: &str) -> Vec<Json> {
        self.query(&format!(
            "SELECT Id, FirstName, LastName, Email, Company, Status FROM Lead WHERE HubSpot_Contact_ID__c = '{contact}'"
        ))
    }

    /// All that the org holds of what mappings write to.
    pub(crate) fn org_state(&self) -> Vec<Json> {
        let records =
            |object| http::get(&format!("{}/_sandbox/records/{object}", self.salesforce)).fine().json();
        ["Lead", "Contact", "Account"].map(records).to_vec()
    }

    /// Calls that write, as the org logged them: `PATCH /path`.
    pub(crate) fn writes(&self) -> Vec<String> {
        let calls = http::get(&format!("{}/_sandbox/calls", self.salesforce)).fine().json();
        let calls = calls["calls"].as_array().expect("calls").iter();
        let text = |call: &Json, key: &str| call[key].as_str().unwrap_or_default().to_owned();
        calls
            .map(|call| (text(call, "method"), text(call, "path")))
            .filter(|(method, path)| {
                method != "GET" && !path.contains("oauth2") && !path.contains("_sandbox")
            })
            .map(|(method, path)| format!("{method} {path}"))
            .collect()
    }

    /// Calls the org's REST API as an administrator's script would.
    pub(crate) fn rest(&self, method: &str, path: &str) -> Answer {
        let variable = |name| {
            let found = self.variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone()).expect("a variable")
        };
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            variable("SALESFORCE_CLIENT_ID"),
            variable("SALESFORCE_CLIENT_SECRET")
        );
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let url = format!("{}/services/oauth2/token", self.salesforce);
        let token = http::call("POST", &url, &headers, form.into_bytes()).expect("an answer").fine().json();
        let bearer = format!("Bearer {}", token["access_token"].as_str().expect("a token"));
        let url = format!("{}/services/data/v58.0/{path}", self.salesforce);
        http::call(method, &url, &[("authorization", &bearer)], Vec::new()).expect("an answer").fine()
    }

    /// Sends a body as HubSpot would.
    pub(crate) fn deliver(&self, body: &str) -> Answer {
        deliver(&self.target(), &self.secret, body)
    }

    /// Stops the sandbox: both CRMs are down.
    pub(crate) fn stop_sandbox(&mut self) {
        assert_eq!(self.sandbox.terminate(), Some(0), "{}", self.sandbox.log());
    }
}

/// A running sandbox, and what it said about itself.
pub(crate) struct Sandbox {
    pub(crate) facts: Json,
    process: Process,
}

impl Sandbox {
    /// Starts one with a seed that lies in the world's folder.
    pub(crate) fn start(world: &World, seed: &str) -> Self {
        let mut child = world.command(&["sandbox", "--json", "--seed", seed]).spawn().expect("it starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let process = Process::new(child);
        let mut line = String::new();
        out.read_line(&mut line).expect("readable");
        let facts = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error}: {line:?}: {}", process.log_after_end()));
        Self { facts, process }
    }

    /// A text among the facts.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.facts.pointer(pointer).and_then(Json::as_str).expect(pointer)
    }

    /// A call of the portal's side door.
    pub(crate) fn portal(&self, method: &str, path: &str, body: &Json) -> Answer {
        http::send(method, &format!("{}/_sandbox/{path}", self.text("/hubspot/base_url")), body)
    }

    /// A call of the org's side door.
    pub(crate) fn org(&self, method: &str, path: &str, body: &Json) -> Answer {
        http::send(method, &format!("{}/_sandbox/{path}", self.text("/salesforce/login_url")), body)
    }
}

/// A running `serve`.
pub(crate) struct Serve {
    process: Process,
    base: String,
}

impl Serve {
    /// Starts `serve`, which is configured to listen on this port.
    pub(crate) fn start(mut command: Command, port: u16) -> Self {
        let child = command.spawn().expect("it starts");
        let serve = Self { process: Process::new(child), base: format!("http://127.0.0.1:{port}") };
        let answers = || http::call("GET", &format!("{}/healthz", serve.base), &[], Vec::new()).is_ok();
        until("`serve` answers", answers, || serve.process.log());
        serve
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        http::get(&format!("{}{path}", self.base))
    }

    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// A number of `/metrics`: the sum over all series that have these labels; nothing counted is 0.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let (name, labels) = name.trim_end_matches('}').split_once('{').unwrap_or((name, ""));
        let text = self.get("/metrics").fine().text;
        let of = |line: &str| {
            let (series, number) = line.rsplit_once(' ')?;
            let (known, held) = series.trim_end_matches('}').split_once('{').unwrap_or((series, ""));
            let has = |label: &str| label.is_empty() || held.split(',').any(|held| held == label);
            (known == name && labels.split(',').all(has)).then(|| number.parse::<u64>().expect("a number"))
        };
        text.lines().filter(|line| !line.starts_with('#')).filter_map(of).sum()
    }

    /// Waits until something is so.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        until(what, is_so, || self.log());
    }

    /// Waits until every acknowledged event is dealt with.
    #[track_caller]
    pub(crate) fn idle(&self) {
        self.until("no event is pending", || self.metric("mapwright_events_pending") == 0);
    }

    /// SIGKILL: nothing is finished, nothing is closed.
    pub(crate) fn kill(mut self) {
        self.process.child.kill().expect("killed");
        self.process.child.wait().expect("ended");
    }

    /// SIGTERM; the exit code, and what was logged.
    pub(crate) fn terminate(mut self) -> (Option<i32>, String) {
        (self.process.terminate(), self.process.log())
    }
}

/// A command that runs.
pub(crate) struct Running {
    process: Process,
}

impl Running {
    /// Waits until something is so, while it runs.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        until(what, is_so, || self.process.log());
    }

    /// Waits until it ends; the exit code, and what it said.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        (wait(&mut self.process.child, PATIENCE), self.process.log())
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.process.child.kill().expect("killed");
        self.process.child.wait().expect("ended");
    }

    /// SIGTERM; the exit code, and what it said.
    pub(crate) fn terminate(mut self) -> (Option<i32>, String) {
        (self.process.terminate(), self.process.log())
    }
}

/// A child and what it writes to standard error; killed when it is dropped.
struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Process {
    fn new(mut child: Child) -> Self {
        let log = Arc::new(Mutex::new(String::new()));
        let from = child.stderr.take().expect("piped");
        let into = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                let mut log = into.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { child, log }
    }

    fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The log of a child that has ended, or is about to.
    fn log_after_end(&self) -> String {
        thread::sleep(Duration::from_millis(200));
        self.log()
    }

    fn terminate(&mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).stdin(Stdio::null()).status();
        assert!(sent.expect("kill runs").success());
        wait(&mut self.child, PATIENCE)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is so.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a test's own clock")]
fn until(what: &str, is_so: impl Fn() -> bool, log: impl Fn() -> String) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "it took too long until {what}\n{}", log());
        thread::sleep(TICK);
    }
}

/// Sends a body as HubSpot would, signed with the v3 signature, which is computed here anew.
#[expect(clippy::disallowed_methods, reason = "a test's own clock")]
pub(crate) fn deliver(url: &str, secret: &str, body: &str) -> Answer {
    let now = chrono::Utc::now().timestamp_millis().to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(format!("POST{url}{body}{now}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let headers = [
        ("content-type", "application/json"),
        ("x-hubspot-signature-v3", signature.as_str()),
        ("x-hubspot-request-timestamp", now.as_str()),
    ];
    http::call("POST", url, &headers, body.as_bytes().to_vec()).expect("an answer")
}

/// A port for a listener that is stopped and started again. Below the range from which outgoing connections take
/// theirs, and another one for each test and test process.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + u16::try_from(std::process::id() % 200).expect("small") * 100;
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let mut ports = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed)).take(100);
    ports.find(is_free).expect("a free port")
}
