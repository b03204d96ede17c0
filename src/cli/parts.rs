//! What the commands that reach a CRM are made of: environment, clock, clients, store.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::output::Output;
use super::{Exit, project};
use crate::config::{self, Pair, PrivateKey, ResolvedConfig};
use crate::crm::http::HttpOptions;
use crate::crm::hubspot::{HubspotClient, HubspotConfig};
use crate::crm::salesforce::{SalesforceAuth, SalesforceClient, SalesforceConfig};
use crate::crm::{Changes, Describe};
use crate::diagnostic::Diagnostic;
use crate::plan::Plan;
use crate::runtime::Crms;
use crate::schema::Schemas;
use crate::source::Side;
use crate::store::{Claim, SqliteStore};

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

/// A checked project with its configuration resolved.
pub(super) struct Ready {
    /// The plan.
    pub(super) plan: Arc<Plan>,
    /// The snapshots.
    pub(super) schemas: Schemas,
    /// The configuration.
    pub(super) config: ResolvedConfig,
    /// The project's folder.
    pub(super) root: std::path::PathBuf,
}

/// Loads, checks and resolves the project, and says what is wrong with it.
pub(super) fn ready(given: Option<&Path>, output: Output) -> Result<Ready, Exit> {
    let project = checked(given, output)?;
    let plan = Arc::new(project.plan().ok_or(Exit::Findings)?);
    let config = resolve(&project, output)?;
    // INVARIANT: `checked` answers only with a project that has a plan, hence both snapshots; `find` gave its root.
    let (Some(schemas), Some(root)) = (project.schemas, project.root) else { return Err(Exit::Usage) };
    Ok(Ready { plan, schemas, config, root })
}

/// Loads and checks the project; an error in it is reported and ends the command.
pub(super) fn checked(given: Option<&Path>, output: Output) -> Result<project::Project, Exit> {
    let root = project::find(given).map_err(|message| {
        output.error(&message);
        Exit::Usage
    })?;
    let project = project::load(&root);
    if project.checked.is_none() {
        let errors: Vec<_> = project.findings.iter().filter(|finding| finding.is_error()).cloned().collect();
        output.findings(&project.sources, &errors);
        output.error("the project has errors; nothing was run");
        let in_config =
            |finding: &Diagnostic| project.sources.file(finding.span().file).name() == project::CONFIG;
        return Err(if errors.iter().all(in_config) { Exit::Usage } else { Exit::Findings });
    }
    Ok(project)
}

/// The configuration with its environment variables.
pub(super) fn resolve(project: &project::Project, output: Output) -> Result<ResolvedConfig, Exit> {
    let config = project.config.as_ref().ok_or(Exit::Usage)?;
    config.resolve(&env).map_err(|findings| {
        output.findings(&project.sources, &findings);
        Exit::Usage
    })
}

/// The pair asked for; where there is one, it need not be named.
pub(super) fn pair<'c>(
    config: &'c ResolvedConfig,
    name: Option<&str>,
    output: Output,
) -> Result<&'c Pair, Exit> {
    let names = || config.pairs.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let found = match name {
        Some(name) => {
            config.pairs.get(name).ok_or_else(|| format!("there is no pair `{name}`; there is {}", names()))
        }
        None if config.pairs.len() == 1 => config.pairs.values().next().ok_or_else(names),
        None => Err(format!("which pair? `--pair` names one of {}", names())),
    };
    found.map_err(|message| {
        output.error(&message);
        Exit::Usage
    })
}

/// The clients of a pair.
pub(super) struct Clients {
    hubspot: Arc<HubspotClient>,
    salesforce: Arc<SalesforceClient>,
}

impl Clients {
    /// To read and write records.
    pub(super) fn crms(&self) -> Crms {
        Crms { hubspot: self.hubspot.clone(), salesforce: self.salesforce.clone() }
    }

    /// To ask what it says about its objects.
    pub(super) fn describer(&self, side: Side) -> Arc<dyn Describe> {
        match side {
            Side::Hubspot => self.hubspot.clone(),
            Side::Salesforce => self.salesforce.clone(),
        }
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

/// Makes the clients of a pair.
pub(super) fn clients(ready: &Ready, pair: &Pair) -> Result<Clients, String> {
    clients_with(&ready.config, &ready.root, &ready.schemas, pair)
}

/// Makes the clients of a pair, whatever the project's mappings are like.
pub(super) fn clients_with(
    config: &ResolvedConfig,
    root: &Path,
    schemas: &Schemas,
    pair: &Pair,
) -> Result<Clients, String> {
    let mut http = HttpOptions::new(now, jitter);
    http.allow_private = config.allow_private_addresses;
    http.request_timeout = std::time::Duration::from_secs(config.limits.http_timeout_seconds);
    let hubspot = HubspotConfig {
        base_url: pair.hubspot.base_url.clone(),
        token: pair.hubspot.token.clone(),
        path_version: pair.hubspot.api_path.clone(),
        objects: HubspotConfig::objects_of(&schemas.hubspot),
    };
    let salesforce = SalesforceConfig {
        login_url: pair.salesforce.login_url.clone(),
        api_version: pair.salesforce.api_version.clone(),
        auth: auth(&pair.salesforce.auth, root)?,
        aliases: SalesforceConfig::aliases_of(&schemas.salesforce),
    };
    Ok(Clients {
        hubspot: Arc::new(
            HubspotClient::new(hubspot, http)
                .map_err(|error| error.to_string())?
                .with_timelines(&schemas.hubspot),
        ),
        salesforce: Arc::new(SalesforceClient::new(salesforce, http).map_err(|error| error.to_string())?),
    })
}

fn auth(auth: &config::SalesforceAuth, root: &Path) -> Result<SalesforceAuth, String> {
    Ok(match auth.clone() {
        config::SalesforceAuth::ClientCredentials { client_id, client_secret } => {
            SalesforceAuth::ClientCredentials { client_id, client_secret }
        }
        config::SalesforceAuth::RefreshToken { client_id, client_secret, refresh_token } => {
            SalesforceAuth::RefreshToken { client_id, client_secret, refresh_token }
        }
        config::SalesforceAuth::JwtBearer { client_id, username, private_key, audience } => {
            SalesforceAuth::JwtBearer {
                client_id,
                username,
                private_key_pem: match private_key {
                    PrivateKey::Pem(pem) => pem,
                    PrivateKey::File(file) => key_file(&root.join(file))?,
                },
                audience,
            }
        }
    })
}

fn key_file(path: &Path) -> Result<SecretString, String> {
    let pem = std::fs::read_to_string(path)
        .map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
    Ok(SecretString::from(pem))
}

/// The store holds people's data: its own folder is for its owner alone, and never a part of the repository. Where that
/// cannot be set (another file system), the store works all the same.
fn keep_private(root: &Path, store: &Path) {
    let Some(folder) = store.parent().filter(|folder| *folder != root) else { return };
    let ignore = folder.join(".gitignore");
    if !ignore.exists() {
        let _ = std::fs::write(ignore, "*\n");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let _ = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700));
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
    open_store(&ready.root, &store_path(ready), output).await
}

/// Opens the store of a project whatever its mappings are like, and without any secret of a CRM.
pub(super) async fn store_alone(given: Option<&Path>, output: Output) -> Result<SqliteStore, Exit> {
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
    open_store(&root, &root.join(path), output).await
}

/// Opens a store and makes its folder.
pub(super) async fn open_store(root: &Path, path: &Path, output: Output) -> Result<SqliteStore, Exit> {
    if let Some(parent) = path.parent()
        && let Err(error) = std::fs::create_dir_all(parent)
    {
        output.error(&format!("`{}` cannot be made: {error}", parent.display()));
        return Err(Exit::Remote);
    }
    keep_private(root, path);
    SqliteStore::open(path).await.map_err(|error| {
        output.error(&format!("the store `{}`: {error}", path.display()));
        Exit::Remote
    })
}
