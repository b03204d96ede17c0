//! What the commands that reach a CRM are made of: environment, clock, clients, store.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::output::Output;
use super::{Exit, auth, project};
use crate::alert::{self, AlertSettings, Alerts, Deliveries};
use crate::config::{self, Pair, PrivateKey, ResolvedConfig};
use crate::crm::http::HttpOptions;
use crate::crm::hubspot::{HubspotAuth, HubspotClient, HubspotConfig};
use crate::crm::salesforce::{SalesforceAuth, SalesforceClient, SalesforceConfig};
use crate::crm::tokens::{InMemory, TokenKeeper};
use crate::crm::{Bulk, Changes, Describe, Walk};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::plan::Plan;
use crate::runtime::{Crms, Metrics};
use crate::schema::Schemas;
use crate::source::{Side, Sources};
use crate::store::{self, Claim, Keys, SqliteStore};

/// An environment variable; unset and not UTF-8 are the same to us.
#[expect(
    clippy::disallowed_methods,
    reason = "the command line is where the environment is read, and handed down"
)]
pub(super) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The clock that is handed to everything below.
#[expect(clippy::disallowed_methods, reason = "the command line is where the clock is read, and handed down")]
pub(super) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A random number from 0 to 1, for jitter.
#[expect(
    clippy::disallowed_methods,
    reason = "the command line is where randomness begins, and is handed down"
)]
fn jitter() -> f64 {
    rand::random()
}

/// Fills a slice with random bytes that nobody can guess, for keys, nonces and what a login must not have guessed.
pub(super) fn entropy(bytes: &mut [u8]) {
    if aws_lc_rs::rand::fill(bytes).is_err() {
        // INVARIANT: the operating system gives random bytes; a key or nonce made without them would be worse than an end.
        std::process::abort();
    }
}

/// Runs an asynchronous command.
pub(super) fn block_on(command: impl Future<Output = Exit>) -> Exit {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => {
            Output::new(false).error(&format!("no thread could be started: {error}"));
            Exit::Usage
        }
    }
}

/// A pair of a checked project, with its configuration resolved.
#[derive(Clone)]
pub(super) struct Ready {
    /// Its plan.
    pub(super) plan: Arc<Plan>,
    /// Its snapshots.
    pub(super) schemas: Arc<Schemas>,
    /// All files of the project.
    pub(super) sources: Arc<Sources>,
    /// Its portal and org.
    pub(super) pair: Pair,
    /// The configuration.
    pub(super) config: Arc<ResolvedConfig>,
    /// The keys that seal tokens, where there are some.
    pub(super) keys: Option<Arc<Keys>>,
    /// The project's folder.
    pub(super) root: std::path::PathBuf,
    /// The mappings as they are, and the commit that is checked out.
    pub(super) version: Arc<store::Project>,
}

impl Ready {
    /// How its clients behave on the network.
    pub(super) fn http(&self) -> HttpOptions {
        http(&self.pair, &self.config)
    }

    /// Whether its clients keep tokens, so that they need the store.
    pub(super) fn keeps_tokens(&self) -> bool {
        matches!(self.pair.hubspot.auth, config::HubspotAuth::OAuth { .. })
            || matches!(self.pair.salesforce.auth, config::SalesforceAuth::OAuth { .. })
            || self.replaces_token()
    }

    /// Whether what replaces its configured refresh token is kept.
    pub(super) fn replaces_token(&self) -> bool {
        matches!(self.pair.salesforce.auth, config::SalesforceAuth::RefreshToken { .. })
            && self.keys.is_some()
    }
}

/// A pair as it is configured, whatever its mappings are like.
pub(super) struct Configured {
    /// The pair.
    pub(super) pair: Pair,
    config: Arc<ResolvedConfig>,
    root: std::path::PathBuf,
}

impl Configured {
    /// How its clients behave on the network.
    pub(super) fn http(&self) -> HttpOptions {
        http(&self.pair, &self.config)
    }

    /// The keys that seal tokens, where there are some.
    pub(super) fn keys(&self, output: Output) -> Result<Option<Arc<Keys>>, Exit> {
        keys(&self.config, &self.root, output)
    }

    /// The same for whoever needs no plan; it knows the objects by these snapshots.
    pub(super) fn without_plan(&self, schemas: Schemas, output: Output) -> Result<Ready, Exit> {
        Ok(Ready {
            plan: Arc::default(),
            schemas: Arc::new(schemas),
            sources: Arc::default(),
            pair: self.pair.clone(),
            config: Arc::clone(&self.config),
            keys: self.keys(output)?,
            root: self.root.clone(),
            version: Arc::default(),
        })
    }

    /// Where the project's store is.
    pub(super) fn store_path(&self) -> std::path::PathBuf {
        let config::Store::Sqlite(path) = &self.config.store;
        self.root.join(path)
    }

    /// Opens the project's store.
    pub(super) async fn store(&self, output: Output) -> Result<SqliteStore, Exit> {
        open_store(&self.store_path(), output).await
    }
}

/// The pair asked for, from the configuration alone.
pub(super) fn configured(
    given: Option<&Path>,
    pair: Option<&str>,
    output: Output,
) -> Result<Configured, Exit> {
    configurations(given, pair, true, output)?.pop().ok_or(Exit::Usage)
}

/// All pairs, or the one asked for, from the configuration alone.
pub(super) fn configured_all(
    given: Option<&Path>,
    pair: Option<&str>,
    output: Output,
) -> Result<Vec<Configured>, Exit> {
    configurations(given, pair, false, output)
}

fn configurations(
    given: Option<&Path>,
    pair: Option<&str>,
    one: bool,
    output: Output,
) -> Result<Vec<Configured>, Exit> {
    let root = root(given, output)?;
    let (sources, config, findings) = project::config(&root);
    let bad = |findings: &[Diagnostic]| {
        output.findings(&sources, findings);
        Exit::Usage
    };
    let Some(config) = config.filter(|_| findings.is_empty()) else { return Err(bad(&findings)) };
    let only = if one || pair.is_some() { Some(pair_name(Some(&config), pair, output)?) } else { None };
    let resolved = config.resolve_pair(only.as_deref(), &env).map_err(|findings| bad(&findings))?;
    let resolved = Arc::new(resolved);
    let pairs = resolved.pairs.values().cloned();
    Ok(pairs.map(|pair| Configured { pair, config: Arc::clone(&resolved), root: root.clone() }).collect())
}

/// The keys that seal tokens, where the configuration names some.
fn keys(config: &ResolvedConfig, root: &Path, output: Output) -> Result<Option<Arc<Keys>>, Exit> {
    let (texts, place) = match &config.keys {
        None => return Ok(None),
        Some(config::KeySource::Given(keys)) => (Ok(keys.clone()), "`store: keys:`".to_owned()),
        Some(config::KeySource::File(file)) => {
            let path = root.join(file);
            (secret_lines(&path), format!("`{}`, the `store: key_file:`", path.display()))
        }
    };
    let read =
        texts.and_then(|texts| Keys::read(&texts, entropy).map_err(|error| format!("{place}: {error}")));
    read.map(|keys| Some(Arc::new(keys))).map_err(|message| {
        output.error(&message);
        Exit::Usage
    })
}

/// The text of a file of secrets, which others may neither read nor change.
fn secret_file(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("`{}` cannot be read: {error}", path.display());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Whoever is neither the owner nor of the group may do nothing, and nobody else may write.
        let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode();
        if mode & 0o027 != 0 {
            return Err(format!(
                "`{}` holds a secret and its rights are {:03o}, so that others can read or change it: `chmod 600` it",
                path.display(),
                mode & 0o777
            ));
        }
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

/// The lines of a file of secrets.
fn secret_lines(path: &Path) -> Result<Vec<SecretString>, String> {
    let text = secret_file(path)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(|line| SecretString::from(line.to_owned())).collect())
}

/// How the clients of a pair behave on the network.
fn http(pair: &Pair, config: &ResolvedConfig) -> HttpOptions {
    let mut http = HttpOptions::new(now, jitter);
    http.allow_private = config.allow_private_addresses;
    http.request_timeout = std::time::Duration::from_secs(pair.limits.http_timeout_seconds);
    http
}

/// Loads, checks and resolves the project for one pair, and says what is wrong with it.
pub(super) fn ready(given: Option<&Path>, pair: Option<&str>, output: Output) -> Result<Ready, Exit> {
    let project = checked(given, output)?;
    let name = pair_name(project.config.as_ref(), pair, output)?;
    let mut all = resolved(&project, Some(&name), output)?;
    // INVARIANT: a pair that is named is resolved, or the configuration is refused.
    all.pop().ok_or(Exit::Usage)
}

/// The same for all pairs, or for the one that is named.
pub(super) fn ready_all(
    given: Option<&Path>,
    pair: Option<&str>,
    output: Output,
) -> Result<Vec<Ready>, Exit> {
    ready_of(&checked(given, output)?, pair, output)
}

/// The same of a project that is loaded and without an error.
pub(super) fn ready_of(
    project: &project::Project,
    pair: Option<&str>,
    output: Output,
) -> Result<Vec<Ready>, Exit> {
    let name = pair.map(|pair| pair_name(project.config.as_ref(), Some(pair), output)).transpose()?;
    resolved(project, name.as_deref(), output)
}

fn resolved(project: &project::Project, only: Option<&str>, output: Output) -> Result<Vec<Ready>, Exit> {
    let config = project.config.as_ref().ok_or(Exit::Usage)?;
    let config = config.resolve_pair(only, &env).map_err(|findings| {
        output.findings(&project.sources, &findings);
        Exit::Usage
    })?;
    let config = Arc::new(config);
    let keys = match &project.root {
        Some(root) => keys(&config, root, output)?,
        None => None,
    };
    let version = version(project);
    let sources = Arc::new(project.sources.clone());
    let mut all = Vec::new();
    for world in &project.worlds {
        let wanted: Vec<&Pair> = world.pairs.iter().filter_map(|name| config.pairs.get(name)).collect();
        if wanted.is_empty() {
            continue;
        }
        let plan = Arc::new(world.plan(&project.sources).ok_or(Exit::Findings)?);
        // INVARIANT: a world with a plan has both snapshots, and a project that was found has a folder.
        let (Some(schemas), Some(root)) = (&world.schemas, &project.root) else { return Err(Exit::Usage) };
        let schemas = Arc::new(schemas.clone());
        all.extend(wanted.into_iter().map(|pair| Ready {
            plan: Arc::clone(&plan),
            schemas: Arc::clone(&schemas),
            sources: Arc::clone(&sources),
            pair: pair.clone(),
            config: Arc::clone(&config),
            keys: keys.clone(),
            root: root.clone(),
            version: Arc::clone(&version),
        }));
    }
    all.sort_by_key(|ready| config.pairs.get_index_of(&ready.pair.name));
    Ok(all)
}

/// The mappings as they are, and the commit that is checked out.
pub(super) fn version(project: &project::Project) -> Arc<store::Project> {
    let files = project
        .sources
        .iter()
        .map(|(_, file)| file)
        .filter(|file| file.name().strip_suffix(".map").is_some());
    Arc::new(store::Project {
        revision: project.root.as_deref().and_then(super::revision::of),
        files: files.map(|file| (file.name().to_owned(), file.text().to_owned())).collect(),
    })
}

/// Starts to tell whoever the configuration names; nobody where it names none.
pub(super) fn alerts(ready: &Ready, metrics: &Arc<Metrics>) -> Result<(Alerts, Option<Deliveries>), String> {
    let Some(config) = &ready.config.alerts else { return Ok((Alerts::default(), None)) };
    let webhook = config.webhook.as_ref().map(|hook| alert::Webhook {
        url: hook.url.clone(),
        secret: hook.secret.clone(),
        headers: hook.headers.clone(),
    });
    let folder = ready.root.clone();
    let settings = AlertSettings {
        webhook,
        command: config.command.clone().map(|argv| alert::Command { argv, folder }),
        timeout: config.timeout,
        personal_data: config.personal_data,
        first_pause: std::time::Duration::from_secs(1),
    };
    let metrics = Arc::clone(metrics);
    let count: alert::Count = Arc::new(move |what| metrics.alert(what));
    let started = Alerts::start(settings, ready.http(), count);
    started
        .map(|(alerts, deliveries)| (alerts, Some(deliveries)))
        .map_err(|error| format!("`alerts: webhook:` cannot be used: {error}"))
}

/// The project's folder.
pub(super) fn root(given: Option<&Path>, output: Output) -> Result<std::path::PathBuf, Exit> {
    project::find(given).map_err(|message| {
        output.error(&message);
        Exit::Usage
    })
}

/// The mappings and snapshots of a pair of a checked project; says which pairs there are where that is not settled.
pub(super) fn world<'p>(
    project: &'p project::Project,
    pair: Option<&str>,
    output: Output,
) -> Result<&'p project::World, Exit> {
    project.world(pair).map_err(|message| {
        output.error(&message);
        Exit::Usage
    })
}

/// Loads and checks the project; an error in it is reported and ends the command.
pub(super) fn checked(given: Option<&Path>, output: Output) -> Result<project::Project, Exit> {
    let root = root(given, output)?;
    let project = project::load(&root, None);
    if !project.is_checked() {
        let errors: Vec<_> = project.findings.iter().filter(|finding| finding.is_error()).cloned().collect();
        output.findings(&project.sources, &errors);
        output.error("the project has errors; nothing was run");
        return Err(if only_config(&project) { Exit::Usage } else { Exit::Findings });
    }
    Ok(project)
}

/// Whether all errors of a project are in its configuration.
pub(super) fn only_config(project: &project::Project) -> bool {
    let mut errors = project.findings.iter().filter(|finding| finding.is_error());
    errors.all(|finding| project.sources.file(finding.span().file).name() == project::CONFIG)
}

/// The name of the pair asked for; where there is one, it need not be named.
fn pair_name(config: Option<&config::Config>, name: Option<&str>, output: Output) -> Result<String, Exit> {
    let pairs: Vec<String> =
        config.iter().flat_map(|config| &config.pairs).map(|pair| pair.name.value.clone()).collect();
    let found = match (name, pairs.as_slice()) {
        (Some(name), pairs) if pairs.iter().any(|pair| pair == name) => Ok(name.to_owned()),
        (Some(name), _) => Err(no_such_pair(name, &pairs)),
        (None, [one]) => Ok(one.clone()),
        (None, []) => Err("the configuration names no pair".to_owned()),
        (None, _) => Err(which_pair(&pairs)),
    };
    found.map_err(|message| {
        output.error(&message);
        Exit::Usage
    })
}

/// Says that there is no such pair, and which there are.
pub(super) fn no_such_pair(name: &str, pairs: &[String]) -> String {
    let near = did_you_mean(name, pairs.iter().map(String::as_str));
    let near = near.map_or_else(String::new, |near| format!("; {near}"));
    format!("there is no pair `{name}`; there is {}{near}", listed(pairs))
}

/// Asks for one of the pairs.
pub(super) fn which_pair(pairs: &[String]) -> String {
    format!("which pair? `--pair` names one of {}", listed(pairs))
}

fn listed(pairs: &[String]) -> String {
    match pairs {
        [] => "none".to_owned(),
        pairs => pairs.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

/// The clients of a pair.
pub(super) struct Clients {
    /// The portal's.
    pub(super) hubspot: Arc<HubspotClient>,
    /// The org's.
    pub(super) salesforce: Arc<SalesforceClient>,
}

impl Clients {
    /// Ends a command before it reads or writes anything, where there is no login or the token is another portal's. What else
    /// goes wrong is told by whoever asks for more.
    pub(super) async fn admitted(&self, output: Output) -> Result<(), Exit> {
        match self.hubspot.prove_portal().await {
            Err(error) if error.without_login() => {
                output.error(&error.to_string());
                Err(Exit::Usage)
            }
            _ => Ok(()),
        }
    }

    /// To read and write records.
    pub(super) fn crms(&self) -> Crms {
        Crms { hubspot: self.hubspot.clone(), salesforce: self.salesforce.clone() }
    }

    /// To ask what a side says about its objects.
    pub(super) fn describer(&self, side: Side) -> Arc<dyn Describe> {
        match side {
            Side::Hubspot => self.hubspot.clone(),
            Side::Salesforce => self.salesforce.clone(),
        }
    }

    /// To walk the records of a side.
    pub(super) fn walk(&self, side: Side) -> Arc<dyn Walk> {
        match side {
            Side::Hubspot => self.hubspot.clone(),
            Side::Salesforce => self.salesforce.clone(),
        }
    }

    /// To write very many records.
    pub(super) fn bulk(&self) -> Arc<dyn Bulk> {
        self.salesforce.clone()
    }

    /// The portal.
    pub(super) fn hubspot(&self) -> &HubspotClient {
        &self.hubspot
    }

    /// The organisation.
    pub(super) fn salesforce(&self) -> &SalesforceClient {
        &self.salesforce
    }

    /// To hear of changes.
    pub(super) fn sources(&self) -> Vec<Arc<dyn Changes>> {
        vec![self.hubspot.clone(), self.salesforce.clone()]
    }
}

/// Makes the clients of a pair; `store` has the tokens of those who logged in.
pub(super) fn clients(ready: &Ready, store: Option<&Arc<SqliteStore>>) -> Result<Clients, String> {
    let pair = &ready.pair;
    let http = ready.http();
    let hubspot = HubspotConfig {
        base_url: pair.hubspot.base_url.clone(),
        auth: hubspot_auth(ready, store)?,
        path_version: pair.hubspot.api_path.clone(),
        objects: HubspotConfig::objects_of(&ready.schemas.hubspot),
    };
    let salesforce = SalesforceConfig {
        login_url: pair.salesforce.login_url.clone(),
        api_version: pair.salesforce.api_version.clone(),
        auth: salesforce_auth(ready, store)?,
        aliases: SalesforceConfig::aliases_of(&ready.schemas.salesforce),
    };
    Ok(Clients {
        hubspot: Arc::new(
            HubspotClient::new(hubspot, http)
                .map_err(|error| error.to_string())?
                .with_timelines(&ready.schemas.hubspot)
                .for_portal(pair.hubspot.portal),
        ),
        salesforce: Arc::new(SalesforceClient::new(salesforce, http).map_err(|error| error.to_string())?),
    })
}

/// The clients of a pair whatever its mappings are like, which knows its objects by these snapshots.
pub(super) async fn clients_of(
    configured: &Configured,
    schemas: Schemas,
    output: Output,
) -> Result<Clients, Exit> {
    clients_ready(&configured.without_plan(schemas, output)?, output).await
}

/// The clients of a checked project's pair; `None` where a variable of the configuration is not set, which is noted.
pub(super) async fn clients_if_configured(
    project: &project::Project,
    pair: Option<&str>,
    output: Output,
) -> Result<Option<Clients>, Exit> {
    let Some(config) = &project.config else { return Ok(None) };
    let name = pair_name(Some(config), pair, output)?;
    if let Err(findings) = config.resolve_pair(Some(&name), &env) {
        let why = findings.first().map(|finding| finding.message.as_str()).unwrap_or_default();
        output.note(&format!("no account is asked: {why}"));
        return Ok(None);
    }
    let ready = resolved(project, Some(&name), output)?.pop().ok_or(Exit::Usage)?;
    clients_ready(&ready, output).await.map(Some)
}

async fn clients_ready(ready: &Ready, output: Output) -> Result<Clients, Exit> {
    let tokens = if ready.keeps_tokens() { Some(Arc::new(store(ready, output).await?)) } else { None };
    clients(ready, tokens.as_ref()).map_err(|message| {
        output.error(&message);
        Exit::Usage
    })
}

/// Where a pair's refresh tokens are kept.
fn kept(
    ready: &Ready,
    store: Option<&Arc<SqliteStore>>,
    side: Side,
    seed: Option<SecretString>,
) -> Result<Arc<dyn TokenKeeper>, String> {
    match (store, &ready.keys) {
        (Some(store), Some(keys)) => Ok(auth::keeper(
            Arc::clone(store),
            Arc::clone(keys),
            (&ready.pair.name, side),
            seed,
            &ready.http(),
        )),
        (_, None) => Err(format!(
            "pair `{}` logs in to {}, so its tokens are kept sealed, and there is no key: write `keys: \
             [\"${{MAPWRIGHT_KEY}}\"]` under `store:` (`mapwright auth key` prints one)",
            ready.pair.name,
            side.label()
        )),
        (None, _) => Err("the store is not open".to_owned()),
    }
}

fn hubspot_auth(ready: &Ready, store: Option<&Arc<SqliteStore>>) -> Result<HubspotAuth, String> {
    Ok(match ready.pair.hubspot.auth.clone() {
        config::HubspotAuth::Token(token) => HubspotAuth::Token(token),
        config::HubspotAuth::OAuth { client_id, client_secret, .. } => {
            HubspotAuth::OAuth { client_id, client_secret, keeper: kept(ready, store, Side::Hubspot, None)? }
        }
    })
}

fn salesforce_auth(ready: &Ready, store: Option<&Arc<SqliteStore>>) -> Result<SalesforceAuth, String> {
    Ok(match ready.pair.salesforce.auth.clone() {
        config::SalesforceAuth::ClientCredentials { client_id, client_secret } => {
            SalesforceAuth::ClientCredentials { client_id, client_secret }
        }
        config::SalesforceAuth::OAuth { client_id, client_secret, .. } => {
            let keeper = kept(ready, store, Side::Salesforce, None)?;
            SalesforceAuth::RefreshToken { client_id, client_secret, keeper }
        }
        config::SalesforceAuth::RefreshToken { client_id, client_secret, refresh_token } => {
            // Without a key, what replaces the configured token lives as long as this process, which is said then.
            let keeper = match ready.keys {
                Some(_) => kept(ready, store, Side::Salesforce, Some(refresh_token))?,
                None => InMemory::new(refresh_token),
            };
            SalesforceAuth::RefreshToken { client_id, client_secret, keeper }
        }
        config::SalesforceAuth::JwtBearer { client_id, username, private_key, audience } => {
            SalesforceAuth::JwtBearer {
                client_id,
                username,
                private_key_pem: match private_key {
                    PrivateKey::Pem(pem) => pem,
                    PrivateKey::File(file) => key_file(&ready.root.join(file))?,
                },
                audience,
            }
        }
    })
}

fn key_file(path: &Path) -> Result<SecretString, String> {
    secret_file(path).map(SecretString::from)
}

/// The store holds people's data and tokens: its file is for its owner alone (SQLite gives those beside it the same rights), and
/// so is its folder where it is made for it, which never is a part of the repository. Where that cannot be set (another file
/// system), the store works all the same.
fn keep_private(store: &Path, made: Option<&Path>) {
    if let Some(folder) = made {
        let _ = std::fs::write(folder.join(".gitignore"), "*\n");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        if let Some(folder) = made {
            let _ = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700));
        }
        // A file that is there is not opened: closing it again would take SQLite's locks on it away from this process.
        let _ = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(store);
        let _ = std::fs::set_permissions(store, std::fs::Permissions::from_mode(0o600));
    }
}

/// Makes this process the only one that serves a store, for as long as the claim is held.
pub(super) fn claim(ready: &Ready, output: Output) -> Result<Claim, Exit> {
    Claim::of(&store_path(ready)).map_err(|error| {
        output.error(&error.to_string());
        Exit::Usage
    })
}

/// Where the project's store is.
pub(super) fn store_path(ready: &Ready) -> std::path::PathBuf {
    let config::Store::Sqlite(path) = &ready.config.store;
    ready.root.join(path)
}

/// Opens the project's store and makes its folder.
pub(super) async fn store(ready: &Ready, output: Output) -> Result<SqliteStore, Exit> {
    open_store(&store_path(ready), output).await
}

/// Opens the store of a project whatever its mappings are like, and without any secret of a CRM; with the names of the
/// pairs.
pub(super) async fn store_alone(
    given: Option<&Path>,
    output: Output,
) -> Result<(SqliteStore, Vec<String>), Exit> {
    let usage = |message: String| {
        output.error(&message);
        Exit::Usage
    };
    let root = project::find(given).map_err(usage)?;
    let (sources, config, findings) = project::config(&root);
    let Some(config) = config else {
        output.findings(&sources, &findings);
        return Err(Exit::Usage);
    };
    let config::Store::Sqlite(path) = config.resolve_store(&env).map_err(|findings| {
        output.findings(&sources, &findings);
        Exit::Usage
    })?;
    let pairs = config.pairs.iter().map(|pair| pair.name.value.clone()).collect();
    Ok((open_store(&root.join(path), output).await?, pairs))
}

/// Opens a store and makes its folder.
pub(super) async fn open_store(path: &Path, output: Output) -> Result<SqliteStore, Exit> {
    let folder = path.parent().filter(|folder| !folder.exists());
    if let Some(folder) = folder
        && let Err(error) = std::fs::create_dir_all(folder)
    {
        output.error(&format!("`{}` cannot be made: {error}", folder.display()));
        return Err(Exit::Remote);
    }
    keep_private(path, folder);
    SqliteStore::open(path).await.map_err(|error| {
        output.error(&format!("the store `{}`: {error}", path.display()));
        Exit::Remote
    })
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    fn rights(path: &Path) -> u32 {
        std::fs::metadata(path).expect("a file").permissions().mode() & 0o777
    }

    /// The locks that this process holds on a file.
    #[cfg(target_os = "linux")]
    fn locks(path: &Path) -> usize {
        let inode = std::fs::metadata(path).expect("a file").ino();
        let ends = format!(":{inode}");
        let process = std::process::id().to_string();
        let all = std::fs::read_to_string("/proc/locks").expect("the locks");
        let ours = |line: &&str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.contains(&process.as_str()) && words.iter().any(|word| word.ends_with(&ends))
        };
        all.lines().filter(ours).count()
    }

    #[tokio::test]
    async fn a_store_is_for_its_owner_alone_and_keeps_its_locks() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.db");
        keep_private(&path, None);
        assert_eq!(rights(&path), 0o600, "a new one");
        let store = SqliteStore::open(&path).await.expect("a store");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("set");
        #[cfg(target_os = "linux")]
        let held = locks(&path);
        keep_private(&path, None);
        assert_eq!(rights(&path), 0o600, "one that was there for everybody to read");
        #[cfg(target_os = "linux")]
        assert!(held > 0 && locks(&path) == held, "{held} before, {} now", locks(&path));
        store.close().await;
    }
}
