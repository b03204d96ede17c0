//! Reads `mapwright.yaml`.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Sources, Span, Spanned};
use crate::yaml::{Entry, Keys, Node, parse as parse_yaml};

use super::model::{Hubspot, Limits, Poll, ResolvedConfig, Salesforce, Serve, Store, Webhook};
use super::pairs::{self, PairFiles};
use super::poll::KEEP;
use super::reading::{Reading, is_loopback, optional};

/// The largest configuration that is read; a pair takes about 500 bytes.
const MAX_BYTES: usize = 1 << 20;
/// The only edition of the language.
const LANGUAGE: u32 = 1;

const HUBSPOT_URL: &str = "https://api.hubapi.com";
const HUBSPOT_PATH: &str = "v3";
/// Where HubSpot asks people for their consent.
const HUBSPOT_LOGIN_URL: &str = "https://app.hubspot.com";
const SALESFORCE_URL: &str = "https://login.salesforce.com";
const SALESFORCE_VERSION: &str = "58.0";
const SQLITE: &str = ".mapwright/mapwright.db";
const LISTEN: &str = "127.0.0.1:8080";
/// HubSpot delivers up to 100 events of about 500 bytes each; this leaves room for eighty times as much.
const BODY_BYTES: usize = 4 << 20;
/// HubSpot's docs on validating requests: refuse a v3 signature that is older than five minutes.
const CLOCK_SKEW_SECONDS: u64 = 300;

/// A read `mapwright.yaml` whose `${NAME}` references still stand.
#[derive(Debug, Clone)]
pub struct Config {
    /// The language edition.
    pub language: u32,
    /// The pairs, each with its place and the files that it takes, in file order.
    pub pairs: Vec<PairFiles>,
    /// The mappings and syncs that `poll` names; whoever knows the mappings checks that they exist.
    pub polled: Vec<Spanned<String>>,
    /// Whether the snapshots list owners, who are people.
    pub owners: bool,
    root: Node,
    file: FileId,
    text: Arc<str>,
}

impl Config {
    /// Replaces every `${NAME}` by what the environment holds; reports all that are not set, and every value that turns
    /// out wrong.
    pub fn resolve(
        &self,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<ResolvedConfig, Vec<Diagnostic>> {
        self.resolve_pair(None, environment)
    }

    /// The same for one pair, where one is named: the others may lack their secrets.
    pub fn resolve_pair(
        &self,
        only: Option<&str>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<ResolvedConfig, Vec<Diagnostic>> {
        let mut reading = Reading::new(self.file, &self.text, Some(environment));
        reading.only = only;
        let config = reading.config(&self.root);
        let findings = reading.findings();
        config.filter(|_| findings.is_empty()).ok_or(findings)
    }

    /// The same for the store alone: whoever only looks at what is kept needs no secret of a CRM.
    pub fn resolve_store(
        &self,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Store, Vec<Diagnostic>> {
        let reading = Reading::new(self.file, &self.text, Some(environment));
        let store = reading.only_store(&self.root);
        let findings = reading.findings();
        store.filter(|_| findings.is_empty()).ok_or(findings)
    }
}

/// Reads the structure of the file without any environment; reports every mistake that shows already. `None` is a file
/// that cannot be read at all or names another edition.
pub fn parse(sources: &mut Sources, name: &str, text: &str) -> (Option<Config>, Vec<Diagnostic>) {
    let file = sources.add(name, text);
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        return (None, vec![Diagnostic::error(Code::FILE_TOO_LARGE, Span::new(file, 0, 0), message)]);
    }
    let (root, mut findings) = parse_yaml(file, text);
    let Some(root) = root else { return (None, findings) };
    let reading = Reading::new(file, text, None);
    reading.config(&root);
    findings.extend(reading.findings());
    findings.sort_by_key(|finding| finding.span().start);
    if findings.iter().any(|finding| finding.code == Code::EDITION) {
        return (None, findings);
    }
    let (pairs, polled, owners) = (PairFiles::of(&root), pairs::polled(&root), pairs::owners(&root));
    let text = sources.file(file).shared_text();
    (Some(Config { language: LANGUAGE, pairs, polled, owners, root, file, text }), findings)
}

/// Whether a text has the form of HubSpot's versions in paths: `v3`, `2026-03`.
fn is_path(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// Whether a text has the form of Salesforce's versions: `58.0`, and with a `v` before it. Others, `58` too, are not found.
fn is_api_version(text: &str) -> bool {
    let major = text.strip_prefix('v').unwrap_or(text).strip_suffix(".0");
    major.is_some_and(|major| !major.is_empty() && major.chars().all(|c| c.is_ascii_digit()))
}

impl Reading<'_> {
    fn config(&self, root: &Node) -> Option<ResolvedConfig> {
        let mut keys = Keys::of(root, "the configuration", Span::new(self.file, 0, 0), &self.problems)?;
        let language = keys.need("language").and_then(|entry| self.language(entry));
        let entries = keys.entry("pairs").and_then(|entry| entry.value.entries("pairs", &self.problems));
        let entries = entries.unwrap_or_default();
        let store_entry = keys.entry("store");
        let store = store_entry.map(|entry| self.store(entry));
        let keep = store_entry.map_or(Some(Some(KEEP)), |entry| self.keep(entry));
        let seals = store_entry.map_or(Some(None), |entry| self.seals(entry));
        let serve = self.serve(keys.entry("serve"));
        let poll = self.poll(keys.entry("poll"), Poll::default());
        let limits = self.limits(keys.entry("limits"), Limits::default());
        let alerts = self.alerts(keys.entry("alerts"));
        self.snapshots(keys.entry("snapshots"));
        let allow_private_addresses = keys.flag("allow_private_addresses").unwrap_or(false);
        keys.finish();
        let wanted = entries.iter().filter(|entry| self.only.is_none_or(|only| entry.key.value == only));
        let pairs = wanted.filter_map(|entry| self.pair(entry, poll.as_ref(), limits.as_ref()));
        let pairs = pairs.map(|pair| (pair.name.clone(), pair)).collect::<IndexMap<_, _>>();
        self.apart(entries, &pairs);
        if matches!(seals, Some(None)) {
            self.unsealed(entries);
        }
        let store = store.unwrap_or_else(|| Some(Store::Sqlite(SQLITE.to_owned())));
        Some(ResolvedConfig {
            language: language?,
            pairs,
            store: store?,
            keep: keep?,
            keys: seals?,
            serve: serve?,
            poll: poll?,
            limits: limits?,
            alerts: alerts?,
            allow_private_addresses,
        })
    }

    /// What the snapshots hold; read without any variable, by [`pairs::owners`].
    fn snapshots(&self, entry: Option<&Entry>) {
        let Some(mut keys) = entry.and_then(|entry| self.keys(entry, "`snapshots`")) else { return };
        keys.flag("owners");
        keys.finish();
    }

    fn only_store(&self, root: &Node) -> Option<Store> {
        let mut keys = Keys::of(root, "the configuration", Span::new(self.file, 0, 0), &self.problems)?;
        keys.entry("store").map_or_else(|| Some(Store::Sqlite(SQLITE.to_owned())), |entry| self.store(entry))
    }

    fn language(&self, entry: &Entry) -> Option<u32> {
        let language = entry.value.plain("language", "a whole number", &self.problems)?;
        if language == LANGUAGE {
            return Some(language);
        }
        let message = format!("this version does not read edition {language} of the language");
        let finding = Diagnostic::error(Code::EDITION, entry.value.span, message);
        self.problems.report(finding.help(format!("the only edition is {LANGUAGE}")));
        None
    }

    pub(super) fn hubspot(&self, entry: &Entry) -> Option<Hubspot> {
        let mut keys = self.keys(entry, "`hubspot`")?;
        let portal = keys.need("portal").and_then(|entry| self.number(entry));
        let base_url = self.url(keys.entry("base_url"), HUBSPOT_URL);
        let api_path = self.version(keys.entry("api_path"), HUBSPOT_PATH, is_path);
        let local = base_url.as_ref().is_some_and(is_loopback);
        let login_url = keys.entry("login_url");
        let login_url = match (login_url, &base_url) {
            // The sandbox serves both.
            (None, Some(base)) if local => Some(base.clone()),
            (entry, _) => self.url(entry, HUBSPOT_LOGIN_URL),
        };
        let auth = self.hubspot_auth(entry, keys.entry("token"), keys.entry("auth"), local);
        let app_id = keys.entry("app_id").map(|entry| self.number(entry));
        let webhook = keys.entry("webhook").map(|entry| self.webhook(entry, local));
        let poll = keys.entry("poll").map_or(Some(None), |entry| self.interval(entry));
        keys.finish();
        let (app_id, webhook) = (optional(app_id)?, optional(webhook)?);
        Some(Hubspot {
            portal: portal?,
            base_url: base_url?,
            api_path: api_path?,
            auth: auth?,
            login_url: login_url?,
            app_id,
            webhook,
            poll: poll?,
        })
    }

    fn webhook(&self, entry: &Entry, local: bool) -> Option<Webhook> {
        let mut keys = self.keys(entry, "`webhook`")?;
        let secrets = keys.need("secrets");
        let public_url = keys.need("public_url").and_then(|entry| self.url(Some(entry), ""));
        keys.finish();
        let secrets = secrets?;
        let items = secrets.value.list("secrets", &self.problems)?;
        if !(1..=2).contains(&items.len()) {
            let message = format!("`secrets` holds {} secrets", items.len());
            self.bad(secrets.value.span, message, "list one, or during a rotation two: the new and the old");
        }
        let secrets: Option<Vec<_>> = items.iter().map(|item| self.secret(item, "secrets", local)).collect();
        Some(Webhook { secrets: secrets?, public_url: public_url? })
    }

    pub(super) fn salesforce(&self, entry: &Entry) -> Option<Salesforce> {
        let mut keys = self.keys(entry, "`salesforce`")?;
        let login_url = self.url(keys.entry("login_url"), SALESFORCE_URL);
        let api_version = self.version(keys.entry("api_version"), SALESFORCE_VERSION, is_api_version);
        let local = login_url.as_ref().is_some_and(is_loopback);
        let auth = keys.need("auth").and_then(|entry| self.auth(entry, local));
        keys.finish();
        Some(Salesforce { login_url: login_url?, api_version: api_version?, auth: auth? })
    }

    fn store(&self, entry: &Entry) -> Option<Store> {
        let mut keys = self.keys(entry, "`store`")?;
        let sqlite = keys.need("sqlite").and_then(|entry| self.text(entry));
        // Read by `seals` and `keep`: whoever looks only at what is kept needs none of them.
        let _ = (keys.entry("keys"), keys.entry("key_file"), keys.entry("keep"));
        keys.finish();
        sqlite.map(Store::Sqlite)
    }

    fn serve(&self, entry: Option<&Entry>) -> Option<Serve> {
        // INVARIANT: the default is an address; a test reads it.
        let default = || LISTEN.parse().ok();
        let Some(entry) = entry else {
            let (max_body_bytes, clock_skew_seconds) = (BODY_BYTES, CLOCK_SKEW_SECONDS);
            return Some(Serve {
                listen: default()?,
                max_body_bytes,
                clock_skew_seconds,
                allow_remote: false,
            });
        };
        let mut keys = self.keys(entry, "`serve`")?;
        let listen_entry = keys.entry("listen");
        let listen = listen_entry.map_or_else(default, |entry| self.address(entry));
        let max_body_bytes =
            keys.entry("max_body_bytes").map_or(Some(BODY_BYTES), |entry| self.number(entry));
        let skew =
            keys.entry("clock_skew_seconds").map_or(Some(CLOCK_SKEW_SECONDS), |entry| self.number(entry));
        let allow_remote = keys.flag("allow_remote").unwrap_or(false);
        keys.finish();
        if let (Some(listen), Some(entry)) = (listen, listen_entry)
            && !listen.ip().is_loopback()
            && !allow_remote
        {
            let message = format!("`{listen}` can be reached from other machines");
            let help = "listen on 127.0.0.1 behind a proxy, or add `allow_remote: true`";
            self.bad(entry.value.span, message, help);
        }
        let (max_body_bytes, clock_skew_seconds) = (max_body_bytes?, skew?);
        Some(Serve { listen: listen?, max_body_bytes, clock_skew_seconds, allow_remote })
    }

    /// The bounds of a mapping of keys; those that it leaves out are `default`'s.
    pub(super) fn limits(&self, entry: Option<&Entry>, default: Limits) -> Option<Limits> {
        let Some(entry) = entry else { return Some(default) };
        let mut keys = self.keys(entry, "`limits`")?;
        let records = keys.entry("records_at_a_time");
        let records = records.map_or(Some(default.records_at_a_time), |entry| self.positive(entry));
        // Zero is a choice: every change is worked on at once.
        let gather = keys.entry("gather_seconds");
        let gather = gather.map_or(Some(default.gather_seconds), |entry| self.number(entry));
        let max_attempts = keys.entry("max_attempts");
        let max_attempts = max_attempts.map_or(Some(default.max_attempts), |entry| self.positive(entry));
        let timeout = keys.entry("http_timeout_seconds");
        let timeout = timeout.map_or(Some(default.http_timeout_seconds), |entry| self.positive(entry));
        let bulk = keys.entry("bulk_from_rows");
        let bulk = bulk.map_or(Some(default.bulk_from_rows), |entry| self.positive(entry));
        keys.finish();
        Some(Limits {
            records_at_a_time: records?,
            gather_seconds: gather?,
            max_attempts: max_attempts?,
            http_timeout_seconds: timeout?,
            bulk_from_rows: bulk?,
        })
    }
}
