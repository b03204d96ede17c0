//! Logins: `auth login` against the sandbox's authorisation servers, with an HTTP client in the place of the browser.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::http::{self, Answer};
use crate::stage::{Sandbox, Serve, free_port};
use crate::world::{Ran, World, wait};

const PATIENCE: Duration = Duration::from_secs(25);

/// A project whose pair logs in to both, and the sandbox that it points at.
struct Stage {
    world: World,
    sandbox: Sandbox,
    port: u16,
    key: String,
}

impl Stage {
    fn set() -> Self {
        let world = World::project();
        world.write("seed.yaml", SEED);
        let sandbox = Sandbox::start(&world, "seed.yaml");
        let port = free_port();
        let key = world.run(&["auth", "key"]).fine().out.trim().to_owned();
        let stage = Self { world, sandbox, port, key };
        stage.configure(1001);
        stage
    }

    fn configure(&self, portal: u64) {
        let text = |pointer: &str| self.sandbox.text(pointer).to_owned();
        let port = self.port;
        let config = format!(
            "language: 1\nstore: {{ sqlite: .mapwright/mapwright.db, keys: [\"${{MAPWRIGHT_KEY}}\"] }}\nserve: {{ listen: \
             \"127.0.0.1:{port}\" }}\npoll: {{ every: off }}\npairs:\n  main:\n    hubspot:\n      portal: {portal}\n      \
             base_url: {}\n      auth: {{ oauth: {{ client_id: {}, client_secret: {} }} }}\n      webhook: {{ secrets: [{}], \
             public_url: \"http://127.0.0.1:{port}/webhooks/hubspot\" }}\n    salesforce:\n      login_url: {}\n      auth: {{ \
             oauth: {{ client_id: {}, client_secret: {} }} }}\n",
            text("/hubspot/base_url"),
            text("/hubspot/client_id"),
            text("/hubspot/client_secret"),
            text("/hubspot/client_secret"),
            text("/salesforce/login_url"),
            text("/salesforce/client_id"),
            text("/salesforce/client_secret"),
        );
        self.world.write("mapwright.yaml", config);
        let target = json!({"targetUrl": format!("http://127.0.0.1:{port}/webhooks/hubspot"), "throttling": {"maxConcurrentRequests": 10}});
        let url = format!(
            "{}/webhooks/v3/1234567/settings?hapikey=sandbox-developer-key",
            text("/hubspot/base_url")
        );
        http::send("PUT", &url, &target).fine();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.world.command(args);
        command.env("MAPWRIGHT_KEY", &self.key);
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.world.finish(self.command(args), &[])
    }

    fn login(&self, crm: &str) -> Login {
        Login::start(self.command(&["auth", "login", crm, "--no-browser", "--port", "0", "--timeout", "20"]))
    }

    /// Logs in to both, as a person who allows everything.
    fn logged_in() -> Self {
        let stage = Self::set();
        for crm in ["hubspot", "salesforce"] {
            let (page, ran) = stage.login(crm).consent();
            assert_eq!((page.status, ran.0), (200, 0), "{page:?} {ran:?}");
        }
        stage
    }

    fn qualify(&self, id: &str) {
        let body = json!({"properties": {"lifecyclestage": "marketingqualifiedlead"}});
        self.sandbox.portal("PATCH", &format!("records/contact/{id}"), &body).fine();
    }

    fn leads(&self) -> usize {
        let answer = self.sandbox.org("GET", "query?q=SELECT+Id+FROM+Lead", &Json::Null).fine().json();
        answer["records"].as_array().expect("records").len()
    }

    fn oauth_calls(&self) -> u64 {
        let calls = self.sandbox.portal("GET", "calls", &Json::Null).fine().json();
        calls["operations"]["hubspot.oauth"].as_u64().unwrap_or_default()
    }
}

const SEED: &str = "hubspot:
  portal: 1001
  app: { id: 1234567 }
  webhooks: { subscriptions: [{ event: contact.propertyChange, property: lifecyclestage }] }
  objects:
    contact:
      - { id: \"101\", properties: { lastname: Doe, email: doe@acme.example } }
      - { id: \"102\", properties: { lastname: Roe, email: roe@acme.example } }
      - { id: \"103\", properties: { lastname: Poe, email: poe@acme.example } }
";

/// `auth login` that waits for the browser.
struct Login {
    child: Child,
    out: BufReader<ChildStdout>,
    address: String,
}

impl Login {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("it starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut address = String::new();
        out.read_line(&mut address).expect("readable");
        Self { child, out, address: address.trim().to_owned() }
    }

    /// Where the browser is sent back to, and the state.
    fn callback(&self) -> (String, String) {
        let url: url::Url = self.address.parse().expect("an address");
        let get = |name: &str| {
            let found =
                url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
            found.unwrap_or_else(|| panic!("{name} in {url}"))
        };
        (get("redirect_uri"), get("state"))
    }

    /// The browser opens the address and follows where it is sent.
    fn consent(self) -> (Answer, (i32, String)) {
        let page = http::get(&self.address);
        (page, self.end())
    }

    fn end(mut self) -> (i32, String) {
        let mut err = self.child.stderr.take().expect("piped");
        let code = wait(&mut self.child, PATIENCE).expect("it ends");
        let mut text = String::new();
        self.out.read_to_string(&mut text).expect("readable");
        err.read_to_string(&mut text).expect("readable");
        (code, text)
    }
}

#[test]
fn a_person_logs_in_and_records_are_carried() {
    let stage = Stage::logged_in();
    let ran = stage.run(&["auth", "status"]).fine();
    assert!(ran.out.contains("main  HubSpot     OAuth: 1001 as sandbox@example.com"), "{}", ran.out);
    assert!(ran.out.contains("main  Salesforce  OAuth: 00D"), "{}", ran.out);
    let serve = Serve::start(stage.command(&["serve"]), stage.port);
    stage.qualify("101");
    serve.until("the Lead is there", || stage.leads() == 1);
    serve.idle();
    // A session that has ended on both sides is renewed, and no record waits for it.
    stage.sandbox.portal("POST", "oauth/expire", &Json::Null).fine();
    stage.sandbox.org("POST", "tokens/expire", &Json::Null).fine();
    stage.qualify("102");
    serve.until("the other Lead is there", || stage.leads() == 2);
    serve.idle();
    assert_eq!(serve.get("/healthz").json()["status"], "ok", "{}", serve.log());
    let (code, log) = serve.terminate();
    assert_eq!(code, Some(0), "{log}");
    // Nothing secret is written anywhere: not to the log, and not to the store.
    let store = std::fs::read(stage.world.path(".mapwright/mapwright.db")).expect("the store");
    for secret in [stage.key.as_str(), "5Aep861", "sandbox-client-secret"] {
        assert!(!log.contains(secret), "{secret}: {log}");
        assert!(!store.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "{secret}");
    }
}

#[test]
fn refresh_tokens_that_are_replaced_are_kept_for_the_next_process() {
    let stage = Stage::logged_in();
    stage.sandbox.portal("PUT", "oauth", &json!({"rotate": true})).fine();
    stage.sandbox.org("PUT", "oauth", &json!({"rotate": true})).fine();
    // Each process refreshes once, and the token that it used is dead afterwards.
    for contact in ["101", "102", "103"] {
        stage.run(&["run", "mql_to_lead", "--record", contact]).fine();
    }
    assert_eq!(stage.leads(), 3);
    // Two at the same time take turns.
    let children: Vec<Child> = (0..4)
        .map(|_| stage.command(&["plan", "mql_to_lead", "--record", "101"]).spawn().expect("it starts"))
        .collect();
    for mut child in children {
        assert_eq!(wait(&mut child, PATIENCE), Some(0));
    }
    stage.run(&["run", "mql_to_lead", "--record", "101"]).fine();
}

#[test]
fn a_login_that_was_revoked_pauses_and_a_new_one_is_picked_up() {
    let stage = Stage::logged_in();
    let serve = Serve::start(stage.command(&["serve"]), stage.port);
    stage.qualify("101");
    serve.until("the Lead is there", || stage.leads() == 1);
    serve.idle();
    stage.sandbox.portal("POST", "oauth/revoke", &Json::Null).fine();
    stage.qualify("102");
    let paused = || serve.get("/healthz").json()["workers"]["main"]["paused"]["hubspot"]["reason"].clone();
    serve.until("HubSpot is left alone", || paused() == "unauthorised");
    assert_eq!(serve.metric("mapwright_events_pending"), 1);
    assert_eq!(serve.metric("mapwright_parked"), 0);
    let ran = stage.run(&["plan", "mql_to_lead", "--record", "102"]).exits(3);
    assert!(ran.err.contains("run `mapwright auth login hubspot --pair main`"), "{}", ran.err);

    let (page, ran) = stage.login("hubspot").consent();
    assert_eq!((page.status, ran.0), (200, 0), "{ran:?}");
    stage.run(&["plan", "mql_to_lead", "--record", "102"]).fine();
    // The pause lasts a minute, which is longer than this waits: the login itself is noticed.
    serve.until("what met the revoked token is done", || stage.leads() == 2);
    serve.idle();
    assert_eq!(paused(), Json::Null);
    assert!(serve.log().contains("somebody has logged in anew"), "{}", serve.log());
    stage.qualify("103");
    serve.until("the Lead of another contact is there", || stage.leads() == 3);
    // A new login replaces the one in use, without a restart: the old tokens are not even asked for.
    let before = stage.oauth_calls();
    stage.login("hubspot").consent();
    let after = stage.oauth_calls();
    assert_eq!(after - before, 3, "the page, the code, and whose it is");
    let blank = json!({"properties": {"lifecyclestage": ""}});
    serve.until("the new login is refreshed", || {
        stage.sandbox.portal("PATCH", "records/contact/101", &blank).fine();
        stage.qualify("101");
        std::thread::sleep(Duration::from_millis(200));
        stage.oauth_calls() > after
    });
    serve.idle();
}

/// What `doctor` says of one check, with what to do about it, at a level.
fn told(ran: &Ran, level: &str, check: &str) -> String {
    let document = ran.json();
    let lines = document["checks"].as_array().expect("checks").iter();
    let of = lines.filter(|line| line["level"] == level && line["check"] == check);
    let text = |line: &Json, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let said: Vec<String> =
        of.map(|line| format!("{} → {}", text(line, "message"), text(line, "help"))).collect();
    said.join("\n")
}

#[test]
fn status_asks_the_crms_where_it_is_told_to() {
    let stage = Stage::set();
    let ran = stage.run(&["auth", "status", "--check", "--json"]).exits(1);
    assert!(ran.json().as_array().expect("lines").iter().all(|line| line["check"].is_null()), "{}", ran.out);
    assert!(!stage.world.path(".mapwright").exists(), "there is nothing to ask with");
    for crm in ["hubspot", "salesforce"] {
        assert_eq!(stage.login(crm).consent().1.0, 0);
    }
    let before = stage.oauth_calls();
    stage.run(&["auth", "status"]).fine();
    assert_eq!(stage.oauth_calls(), before, "nobody is asked");
    let ran = stage.run(&["auth", "status", "--check", "--json"]).fine();
    let lines = ran.json();
    let (hubspot, salesforce) = (&lines[0]["check"], &lines[1]["check"]);
    assert_eq!((&hubspot["accepted"], &hubspot["account"]), (&json!(true), &json!("portal 1001")));
    assert_eq!(hubspot["user"], "sandbox@example.com");
    let has = |check: &Json, scope: &str| {
        let scopes = check["scopes"].as_array().expect("scopes");
        assert!(scopes.iter().any(|known| known == scope), "{scope}: {check}");
    };
    has(hubspot, "crm.objects.contacts.read");
    assert_eq!(salesforce["accepted"], true);
    assert!(salesforce["account"].as_str().expect("an org").starts_with("org 00D"), "{salesforce}");
    has(salesforce, "api");
    let ran = stage.run(&["auth", "status", "--check"]).fine();
    assert!(ran.out.contains("; accepted: portal 1001 as sandbox@example.com, scopes "), "{}", ran.out);

    // The portal's owner removes the app: what is kept looks as before, and is refused.
    stage.sandbox.portal("POST", "oauth/revoke", &Json::Null).fine();
    stage.run(&["auth", "status"]).fine();
    let ran = stage.run(&["auth", "status", "--check"]).exits(1);
    assert!(ran.out.contains("; REFUSED: ") && ran.out.contains("auth login hubspot"), "{}", ran.out);
    assert!(ran.out.contains("; accepted: org 00D"), "{}", ran.out);
    for secret in [stage.key.as_str(), "5Aep861", "sandbox-client-secret"] {
        assert!(!ran.out.contains(secret), "{secret}: {}", ran.out);
    }
    // Nobody answers there.
    stage.world.replace("mapwright.yaml", stage.sandbox.text("/salesforce/login_url"), "http://127.0.0.1:9");
    let ran = stage.run(&["auth", "status", "--check", "--json"]).exits(3);
    assert_eq!(
        (&ran.json()[0]["check"]["accepted"], &ran.json()[1]["check"]["accepted"]),
        (&json!(false), &Json::Null)
    );
}

#[test]
fn doctor_says_who_logged_in() {
    let stage = Stage::set();
    let ran = stage.run(&["doctor", "--json"]).exits(1);
    for (check, crm) in [("HubSpot login", "hubspot"), ("Salesforce login", "salesforce")] {
        let problem = told(&ran, "problem", check);
        assert!(problem.contains("nobody has logged in"), "{}", ran.out);
        assert!(problem.contains(&format!("auth login {crm} --pair main")), "{}", ran.out);
    }
    assert_eq!(told(&ran, "problem", "HubSpot token"), "", "it is said once");
    assert!(!stage.world.path(".mapwright").exists(), "a look makes no store");

    for crm in ["hubspot", "salesforce"] {
        assert_eq!(stage.login(crm).consent().1.0, 0);
    }
    let ran = stage.run(&["doctor", "--json"]);
    let login = told(&ran, "ok", "HubSpot login");
    assert!(login.contains("OAuth: 1001 as sandbox@example.com, kept "), "{}", ran.out);
    assert!(login.contains(", scopes "), "{}", ran.out);
    assert!(told(&ran, "ok", "Salesforce login").contains("OAuth: 00D"), "{}", ran.out);
    let token = told(&ran, "ok", "HubSpot token");
    assert!(token.contains("works for portal 1001 as sandbox@example.com"), "{}", ran.out);
    assert!(told(&ran, "ok", "Salesforce token").contains("in org 00D"), "{}", ran.out);
    assert!(told(&ran, "warning", "webhooks").contains("the token of an installation"), "{}", ran.out);
    assert!(!ran.out.contains(&stage.key), "{}", ran.out);

    // Another key than the one that sealed them, then the portal's owner removes the app.
    let other = stage.world.run(&["auth", "key"]).fine().out;
    let mut command = stage.command(&["doctor", "--json"]);
    command.env("MAPWRIGHT_KEY", other.trim());
    let ran = stage.world.finish(command, &[]).exits(1);
    assert!(told(&ran, "problem", "HubSpot login").contains("`store: keys:`"), "{}", ran.out);
    stage.sandbox.portal("POST", "oauth/revoke", &Json::Null).fine();
    let ran = stage.run(&["doctor", "--json"]).exits(1);
    let problem = told(&ran, "problem", "HubSpot token");
    assert!(problem.contains("lets nobody in") && problem.contains("auth login hubspot"), "{}", ran.out);
}

#[test]
fn a_person_who_refuses_and_a_scope_that_is_missing_are_told_on_page_and_terminal() {
    let stage = Stage::set();
    stage.sandbox.portal("PUT", "oauth", &json!({"consent": "deny"})).fine();
    stage.sandbox.org("PUT", "oauth", &json!({"deny": true})).fine();
    for crm in ["hubspot", "salesforce"] {
        let (page, (code, text)) = stage.login(crm).consent();
        assert_eq!((page.status, code), (400, 1), "{page:?} {text}");
        assert!(
            page.text.contains("the access was denied") && text.contains("the access was denied"),
            "{text}"
        );
    }
    stage.sandbox.portal("PUT", "oauth", &json!({"withhold": ["crm.objects.deals.write"]})).fine();
    stage.sandbox.org("PUT", "oauth", &json!({"withhold": ["refresh_token"]})).fine();
    let (page, (code, text)) = stage.login("hubspot").consent();
    assert_eq!((page.status, code), (400, 1), "{text}");
    assert!(
        text.contains("did not grant `crm.objects.deals.write`")
            && page.text.contains("crm.objects.deals.write"),
        "{text}"
    );
    let (page, (code, text)) = stage.login("salesforce").consent();
    assert_eq!((page.status, code), (400, 1), "{text}");
    assert!(text.contains("`refresh_token`") && page.text.contains("refresh_token"), "{text}");
    let ran = stage.run(&["auth", "status", "--json"]).exits(1);
    assert!(ran.json().as_array().expect("lines").iter().all(|line| line["login"].is_null()), "{}", ran.out);
}

#[test]
fn an_answer_to_another_request_changes_nothing_and_the_right_one_counts_once() {
    let stage = Stage::set();
    let login = stage.login("hubspot");
    let (callback, given) = login.callback();
    let visit = |query: &str| http::get(&format!("{callback}?{query}"));
    for query in
        ["code=stolen", "code=stolen&state=", "code=stolen&state=guessed", "error=access_denied&state=x"]
    {
        let page = visit(query);
        assert_eq!(page.status, 400, "{query}");
        assert!(page.text.contains("Not this login"), "{}", page.text);
    }
    assert_eq!(http::get(&callback.replace("/callback", "/elsewhere")).status, 404);
    let before = stage.oauth_calls();
    let page = http::get(&login.address);
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(stage.oauth_calls() - before, 3, "the page, the code, and whose it is");
    let (code, text) = login.end();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("the answer to another login; it is ignored"), "{text}");
    // It is over: nobody listens any more, whatever the state.
    let late = http::call("GET", &format!("{callback}?code=again&state={given}"), &[], Vec::new());
    assert!(late.is_err(), "{late:?}");
}

#[test]
fn the_login_of_another_portal_or_another_code_is_refused() {
    let stage = Stage::set();
    stage.configure(77);
    let (page, (code, text)) = stage.login("hubspot").consent();
    assert_eq!((page.status, code), (400, 1), "{text}");
    assert!(text.contains("this is portal 1001, and pair `main` is about portal 77"), "{text}");
    // A code that was made up is not redeemed, and what others say is shown as text.
    let login = stage.login("salesforce");
    let (callback, given) = login.callback();
    let page = http::get(&format!("{callback}?code=made-up&state={given}"));
    let (code, text) = login.end();
    assert_eq!((page.status, code), (400, 1), "{text}");
    assert!(text.contains("invalid authorization code"), "{text}");
    let login = stage.login("salesforce");
    let (callback, given) = login.callback();
    let page = http::get(&format!("{callback}?error=x&error_description=%3Cb%3Ehi%3C%2Fb%3E&state={given}"));
    assert!(page.text.contains("&lt;b&gt;hi&lt;/b&gt;") && !page.text.contains("<b>"), "{}", page.text);
    assert_eq!(login.end().0, 1);
}

#[test]
fn nobody_comes_back() {
    let stage = Stage::set();
    let login = Login::start(stage.command(&[
        "auth",
        "login",
        "hubspot",
        "--no-browser",
        "--port",
        "0",
        "--timeout",
        "1",
    ]));
    let (code, text) = login.end();
    assert_eq!(code, 1);
    assert!(text.contains("nobody came back within 1 seconds"), "{text}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let ran = stage.run(&["auth", "login", "hubspot", "--no-browser", "--port", &port]).exits(3);
    assert!(ran.err.contains(&format!("cannot listen on 127.0.0.1:{port}")), "{}", ran.err);
}

#[test]
fn a_wrong_key_destroys_nothing_and_keys_are_replaced_one_after_the_other() {
    let mut stage = Stage::logged_in();
    let old = stage.key.clone();
    stage.key = stage.world.run(&["auth", "key"]).fine().out.trim().to_owned();
    assert_ne!(old, stage.key);
    for (args, code) in [
        (&["auth", "status"][..], 1),
        (&["plan", "mql_to_lead", "--record", "101"][..], 2),
        (&["auth", "logout", "hubspot"][..], 2),
    ] {
        let ran = stage.run(args).exits(code);
        let said = format!("{}{}", ran.out, ran.err);
        assert!(said.contains("it was sealed with the key `"), "{said}");
        assert!(!said.contains(&old) && !said.contains(&stage.key), "{said}");
    }
    // Both keys at once: the new one seals what the old one opens.
    stage.world.replace("mapwright.yaml", "keys: [\"${MAPWRIGHT_KEY}\"]", "key_file: keys.txt");
    let write = |text: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        stage.world.write("keys.txt", text);
        let rights = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(stage.world.path("keys.txt"), rights).expect("rights");
    };
    write(&format!("# new, then old\n{}\n{old}\n", stage.key), 0o644);
    let ran = stage.run(&["auth", "status"]).exits(2);
    assert!(ran.err.contains("its rights are 644, so that others can read or change it"), "{}", ran.err);
    write(&format!("# new, then old\n{}\n{old}\n", stage.key), 0o600);
    stage.run(&["plan", "mql_to_lead", "--record", "101"]).fine();
    write(&format!("{}\n", stage.key), 0o600);
    stage.run(&["auth", "status"]).fine();
    stage.run(&["plan", "mql_to_lead", "--record", "101"]).fine();
    write("no key\n", 0o600);
    let ran = stage.run(&["auth", "status"]).exits(2);
    assert!(
        ran.err.contains("key 1 is not 32 bytes in base64") && !ran.err.contains("no key"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("keys.txt`, the `store: key_file:`"), "{}", ran.err);
}

#[test]
fn another_key_is_named_and_the_vendor_is_not_blamed() {
    let mut stage = Stage::logged_in();
    stage.key = stage.world.run(&["auth", "key"]).fine().out.trim().to_owned();
    for args in [&["schema", "pull", "hubspot"][..], &["run", "mql_to_lead", "--record", "101"]] {
        let ran = stage.run(args).exits(2);
        let told = &ran.err;
        assert!(
            told.contains("HubSpot: the token of pair `main`") && told.contains("was sealed with the key `"),
            "{told}"
        );
        assert!(!told.contains("answered") && !told.contains("is refused"), "{told}");
    }
    let serve = Serve::start(stage.command(&["serve"]), stage.port);
    stage.qualify("101");
    let paused = || serve.get("/healthz").json()["workers"]["main"]["paused"]["hubspot"].clone();
    serve.until("HubSpot is left alone", || paused()["reason"] == "unauthorised");
    let help = paused()["help"].as_str().expect("help").to_owned();
    assert!(help.contains("was sealed with the key `") && help.contains("and this is `"), "{help}");
    assert!(serve.log().contains("was sealed with the key"), "{}", serve.log());
    assert_eq!(stage.leads(), 0);
}

#[test]
fn a_login_is_forgotten_here_and_at_the_vendor() {
    let stage = Stage::logged_in();
    let ran = stage.run(&["auth", "logout", "hubspot"]).fine();
    assert!(!ran.err.contains("was not told"), "{}", ran.err);
    stage.run(&["auth", "logout", "salesforce"]).fine();
    let ran = stage.run(&["auth", "status"]).exits(1);
    assert!(
        ran.out.contains("nobody has logged in: `mapwright auth login hubspot --pair main`"),
        "{}",
        ran.out
    );
    for args in [&["run", "mql_to_lead", "--record", "101"][..], &["schema", "pull", "hubspot"], &["drift"]] {
        let ran = stage.run(args).exits(2);
        assert!(
            ran.err.starts_with("error: HubSpot: nobody has logged in: run `mapwright auth"),
            "{}",
            ran.err
        );
    }
    let serve = Serve::start(stage.command(&["serve"]), stage.port);
    stage.qualify("101");
    let paused = || serve.get("/healthz").json()["workers"]["main"]["paused"]["hubspot"]["help"].clone();
    serve.until("HubSpot is left alone", || {
        paused() == "nobody has logged in: run `mapwright auth login hubspot --pair main`"
    });
    drop(serve);
    stage.run(&["auth", "logout", "hubspot"]).fine();
}

#[test]
fn what_a_login_needs_is_said() {
    let stage = Stage::set();
    stage.world.replace("mapwright.yaml", ", keys: [\"${MAPWRIGHT_KEY}\"]", "");
    let ran = stage.run(&["auth", "login", "hubspot"]).exits(2);
    assert!(ran.err.contains("mapwright auth key"), "{}", ran.err);
    let ran = stage.run(&["run", "mql_to_lead", "--record", "101"]).exits(2);
    assert!(ran.err.contains("there is no key") && ran.err.contains("mapwright.yaml:"), "{}", ran.err);
    stage.configure(1001);
    let text = stage.world.read("mapwright.yaml");
    let (head, tail) = text.split_once("      auth: { oauth:").expect("an app");
    let (_, tail) = tail.split_once('\n').expect("its end");
    stage.world.write("mapwright.yaml", format!("{head}      token: t\n{tail}"));
    let ran = stage.run(&["auth", "login", "hubspot"]).exits(2);
    assert!(ran.err.contains("pair `main` proves to HubSpot who it is by `token`"), "{}", ran.err);
}
