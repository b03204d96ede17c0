//! `mapwright auth login`: consent in the browser, redeemed and kept here.
//!
//! The browser is sent to the vendor with a `state` that only this process knows and the digest of a secret; it comes back
//! to a listener on this machine. A visit without that `state` is told so and changes nothing; the first one with it is the
//! only one that counts. The code is redeemed with the secret, and what comes of it is judged before it is kept: the right
//! portal, an org that no other pair has, all scopes.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::listener::{Listener, PATH, Visit};
use super::page::Page;
use super::{Client, Place, no_keys};
use crate::cli::args::LoginArgs;
use crate::cli::output::Output;
use crate::cli::{Exit, parts};
use crate::crm::login::{Authorization, LoggedIn, Verifier};
use crate::source::Side;
use crate::store::{Accounts, Purpose};
use crate::types::CrmErrorKind;

/// Why a login came to nothing: what the browser and the terminal say, and the exit code.
struct Failure {
    title: &'static str,
    text: String,
    exit: Exit,
}

impl Failure {
    fn of(title: &'static str, text: impl Into<String>, exit: Exit) -> Self {
        Self { title, text: text.into(), exit }
    }
}

pub(super) async fn run(given: Option<&Path>, options: &LoginArgs, output: Output) -> Result<Exit, Exit> {
    let usage = |message: String| {
        output.error(&message);
        Exit::Usage
    };
    let side = Side::from(options.crm);
    let place = Place::open(given, options.pair.as_deref(), output).await?;
    let (client, scopes) = Client::of(&place.configured, side).map_err(usage)?;
    if place.keys.is_none() {
        return Err(no_keys(output));
    }
    let port = options.port;
    let mut listener = Listener::start(port).await.map_err(|error| {
        output.error(&format!(
            "cannot listen on 127.0.0.1:{port}: {error}; `--port` takes another one, which the app must be allowed \
             to send people to"
        ));
        Exit::Remote
    })?;
    let verifier = Verifier::new(random());
    // HubSpot permits no plain address but `localhost`.
    let redirect_uri = format!("http://localhost:{}{PATH}", listener.address.port());
    let state = URL_SAFE_NO_PAD.encode(random());
    let request = Authorization {
        redirect_uri: redirect_uri.clone(),
        scopes: scopes.clone(),
        state: state.clone(),
        challenge: verifier.challenge(),
    };
    let address = client.authorize(&request);
    invite(address.as_str(), options.no_browser, side, output);
    let attempt = Attempt { place: &place, client, side, scopes, verifier, redirect_uri };
    let patience = Duration::from_secs(options.timeout);
    let visited = tokio::time::timeout(patience, answered(&mut listener, &state, output)).await;
    let exit = match visited {
        Ok(Some(visit)) => attempt.conclude(visit, output).await,
        Ok(None) => Exit::Remote,
        Err(_) => {
            output.error(&format!("nobody came back within {} seconds; nothing was kept", options.timeout));
            Exit::Findings
        }
    };
    listener.stop().await;
    Ok(exit)
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    parts::entropy(&mut bytes);
    bytes
}

/// Sends the person to the vendor.
fn invite(address: &str, no_browser: bool, side: Side, output: Output) {
    let opened = !no_browser && open_browser(address);
    let how = if opened { "your browser shows it; or open" } else { "open" };
    output.note(&format!("log in to {} and allow the access ({how} this address):", side.label()));
    Output::result(address);
}

/// Opens the person's browser, where there is a way to.
fn open_browser(address: &str) -> bool {
    let (program, before): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else {
        ("xdg-open", &[])
    };
    let mut command = std::process::Command::new(program);
    command.args(before).arg(address);
    let quiet = std::process::Stdio::null;
    command.stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn().is_ok()
}

/// The first visit that answers this request; the others are shown that they do not.
async fn answered(listener: &mut Listener, state: &str, output: Output) -> Option<Visit> {
    while let Some(visit) = listener.visits.recv().await {
        let given = visit.get("state").unwrap_or_default();
        if bool::from(given.as_bytes().ct_eq(state.as_bytes())) {
            return Some(visit);
        }
        output
            .note("somebody came back with the answer to another login; it is ignored, and this one goes on");
        let text = "This page answers another request (its `state` does not match). Use the address that the terminal \
                    shows now.";
        visit.show(Page::bad("Not this login", text));
    }
    None
}

/// A login under way.
struct Attempt<'a> {
    place: &'a Place,
    client: Client,
    side: Side,
    scopes: Vec<String>,
    verifier: Verifier,
    redirect_uri: String,
}

impl Attempt<'_> {
    /// Redeems, judges and keeps; shows how it ended in the browser and on the terminal.
    async fn conclude(&self, visit: Visit, output: Output) -> Exit {
        match self.kept(&visit).await {
            Ok(done) => {
                visit.show(Page::good("Logged in", format!("{done}. You can close this page.")));
                output.note(&done);
                Exit::Fine
            }
            Err(Failure { title, text, exit }) => {
                output.error(&format!("{text}; nothing was kept"));
                visit.show(Page::bad(title, format!("{text}. Nothing was kept.")));
                exit
            }
        }
    }

    async fn kept(&self, visit: &Visit) -> Result<String, Failure> {
        let side = self.side.label();
        if let Some(error) = visit.get("error") {
            let words = visit.get("error_description").unwrap_or(error);
            let (title, exit) = ("Not allowed", Exit::Findings);
            return Err(match error {
                "access_denied" => {
                    Failure::of(title, format!("the access was denied in {side} ({words})"), exit)
                }
                other => Failure::of(title, format!("{side} refused the login: {words} ({other})"), exit),
            });
        }
        let Some(code) = visit.get("code").filter(|code| !code.is_empty()) else {
            let text = format!("{side} sent the browser back without a code");
            return Err(Failure::of("Not understood", text, Exit::Remote));
        };
        let code = SecretString::from(code.to_owned());
        let logged_in =
            self.client.redeem(&code, &self.verifier, &self.redirect_uri).await.map_err(|error| {
                let refused = matches!(error.kind, CrmErrorKind::Unauthorised | CrmErrorKind::Forbidden);
                let exit = if refused { Exit::Findings } else { Exit::Remote };
                Failure::of("Not accepted", format!("{side} did not give a token: {error}"), exit)
            })?;
        let judged = match self.missing(&logged_in) {
            missing if missing.is_empty() => self.belongs(&logged_in).await,
            missing => {
                let text = format!("{side} did not grant {}, which this pair asks for", missing.join(", "));
                Err(Failure::of("Not enough access", text, Exit::Findings))
            }
        };
        if let Err(failure) = judged {
            // Nobody would ever use it; a vendor that cannot be told forgets it in time.
            let _ = self.client.revoke(&logged_in.refresh_token).await;
            return Err(failure);
        }
        self.keep(&logged_in).await
    }

    /// The scopes that were asked for and not granted, quoted.
    fn missing(&self, logged_in: &LoggedIn) -> Vec<String> {
        let Some(granted) = &logged_in.scopes else { return Vec::new() };
        let has = |scope: &str| granted.iter().any(|granted| granted == scope);
        let holds = |scope: &str| match (self.side, scope) {
            // Salesforce: `full` holds all but the refresh token, which goes by two names.
            (Side::Salesforce, "refresh_token" | "offline_access") => {
                has("refresh_token") || has("offline_access")
            }
            (Side::Salesforce, scope) => has(scope) || has("full"),
            (Side::Hubspot, scope) => has(scope),
        };
        self.scopes.iter().filter(|scope| !holds(scope)).map(|scope| format!("`{scope}`")).collect()
    }

    /// Whether it is the account that the pair is about.
    async fn belongs(&self, logged_in: &LoggedIn) -> Result<(), Failure> {
        let (pair, account) = (self.place.pair(), &logged_in.account);
        let wrong = |text: String| Err(Failure::of("Another account", text, Exit::Findings));
        if self.side == Side::Hubspot {
            let portal = pair.hubspot.portal;
            if *account == portal.to_string() {
                return Ok(());
            }
            return wrong(format!(
                "this is portal {account}, and pair `{}` is about portal {portal}",
                pair.name
            ));
        }
        let accounts = self.place.store.accounts().await;
        let accounts = accounts.map_err(|error| Failure::of("Not kept", error.to_string(), Exit::Remote))?;
        let others = accounts.iter().filter(|other| {
            other.key.side == self.side && other.key.purpose == Purpose::Login && other.key.pair != pair.name
        });
        for other in others {
            let about: serde_json::Value = serde_json::from_str(&other.about).unwrap_or_default();
            if about["account"] == json!(account) {
                return wrong(format!("pair `{}` has the org {account} already", other.key.pair));
            }
        }
        Ok(())
    }

    async fn keep(&self, logged_in: &LoggedIn) -> Result<String, Failure> {
        let failed = |text: String| Failure::of("Not kept", text, Exit::Remote);
        let key = self.place.key(self.side);
        let keys = self.place.keys.as_ref().ok_or_else(|| failed("there is no key".to_owned()))?;
        let sealed = keys.seal(&key, &logged_in.refresh_token).map_err(|error| failed(error.to_string()))?;
        let about = json!({"account": logged_in.account, "user": logged_in.user, "scopes": logged_in.scopes});
        let kept = self.place.store.log_in(&key, sealed, &about.to_string(), parts::now()).await;
        kept.map_err(|error| failed(error.to_string()))?;
        let what = match self.side {
            Side::Hubspot => "portal",
            Side::Salesforce => "org",
        };
        let user = logged_in.user.as_ref().map_or_else(String::new, |user| format!(" as {user}"));
        let (side, account, pair) = (self.side.label(), &logged_in.account, &key.pair);
        Ok(format!("logged in to the {side} {what} {account}{user} for pair `{pair}`"))
    }
}
