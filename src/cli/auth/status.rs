//! `mapwright auth status`: how each pair proves who it is, and whether that can be used.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value as Json, json};

use super::check::{self, Said};
use super::keeper;
use crate::cli::args::StatusArgs;
use crate::cli::output::Output;
use crate::cli::{Exit, live, parts};
use crate::config::{HubspotAuth, Pair, SalesforceAuth};
use crate::source::Side;
use crate::store::{Account, Accounts, Keys, Purpose};

/// What is known of how one pair proves to one CRM who it is, for people.
pub(in crate::cli) struct Login {
    /// How, who is logged in, since when, and with which key the token is sealed.
    pub(in crate::cli) text: String,
    /// Whether a token is kept.
    pub(in crate::cli) kept: bool,
    /// What has to be done before calls can be made, and how.
    pub(in crate::cli) problem: Option<(String, String)>,
}

/// The same without a line's form.
pub(in crate::cli) fn login(pair: &Pair, side: Side, accounts: &[Account], keys: Option<&Keys>) -> Login {
    let line = line(pair, side, accounts, keys);
    let scopes = line.login.as_ref().and_then(|login| login["scopes"].as_array());
    let scopes: Vec<&str> = scopes.into_iter().flatten().filter_map(Json::as_str).collect();
    let mut text = line.words();
    if !scopes.is_empty() {
        let _ = write!(text, ", scopes {}", scopes.join(" "));
    }
    let again = format!("`mapwright auth login {} --pair {}`", side.word(), pair.name);
    let help = match (&line.login, line.how) {
        (None, _) => again,
        (Some(_), "OAuth") => format!("configure the key under `store: keys:`, or log in again: {again}"),
        (Some(_), _) => "configure the key under `store: keys:`, or another `refresh_token:`".to_owned(),
    };
    let problem = line.problem.map(|problem| (format!("{}: {problem}", line.how), help));
    Login { text, kept: line.login.is_some(), problem }
}

/// How one pair proves to one CRM who it is.
struct Line {
    pair: String,
    side: Side,
    how: &'static str,
    /// Who is logged in, since when, and with which key the token is sealed.
    login: Option<Json>,
    /// What has to be done before calls can be made.
    problem: Option<String>,
    /// What the CRM says of it, where it was asked.
    said: Option<Said>,
}

pub(super) async fn run(given: Option<&Path>, options: &StatusArgs, output: Output) -> Result<Exit, Exit> {
    let all = parts::configured_all(given, options.pair.as_deref(), output)?;
    let first = all.first().ok_or_else(|| {
        output.error("the configuration names no pair");
        Exit::Usage
    })?;
    let keys = first.keys(output)?;
    // A project that never ran has no store, and a look makes none.
    let accounts = if first.store_path().exists() {
        first.store(output).await?.accounts().await.map_err(|error| {
            output.error(&error.to_string());
            Exit::Remote
        })?
    } else {
        Vec::new()
    };
    let mut lines = Vec::with_capacity(all.len() * 2);
    for one in &all {
        let mut of_pair = Side::ALL.map(|side| line(&one.pair, side, &accounts, keys.as_deref()));
        if options.check {
            ask(one, &mut of_pair, output).await?;
        }
        lines.extend(of_pair);
    }
    if options.json {
        Output::result(&lines.iter().map(Line::json).collect::<Json>().to_string());
    } else {
        for line in &lines {
            Output::result(&line.text());
        }
    }
    let bad = |line: &Line| line.problem.is_some() || matches!(line.said, Some(Said::Refused(_)));
    Ok(if lines.iter().any(|line| matches!(line.said, Some(Said::Unknown(_)))) {
        Exit::Remote
    } else if lines.iter().any(bad) {
        Exit::Findings
    } else {
        Exit::Fine
    })
}

/// Asks the CRMs of a pair, as far as there is something to ask with.
async fn ask(configured: &parts::Configured, lines: &mut [Line; 2], output: Output) -> Result<(), Exit> {
    if lines.iter().all(|line| line.problem.is_some()) {
        return Ok(());
    }
    // INVARIANT: a snapshot of nothing is one that can be read.
    let schemas = live::nothing().ok_or(Exit::Usage)?;
    let Ok(clients) = parts::clients_of(configured, schemas, output).await else {
        for line in lines.iter_mut().filter(|line| line.problem.is_none()) {
            line.said = Some(Said::Unknown("it cannot be asked; the reason stands above".to_owned()));
        }
        return Ok(());
    };
    for line in lines.iter_mut().filter(|line| line.problem.is_none()) {
        line.said = Some(match line.side {
            Side::Hubspot => check::hubspot(&configured.pair, clients.hubspot()).await,
            Side::Salesforce => check::salesforce(clients.salesforce()).await,
        });
    }
    Ok(())
}

fn line(pair: &Pair, side: Side, accounts: &[Account], keys: Option<&Keys>) -> Line {
    let how = how(pair, side);
    // Of several configured tokens the one that stands in the configuration.
    let seed = match &pair.salesforce.auth {
        SalesforceAuth::RefreshToken { refresh_token, .. } => keeper::named(refresh_token),
        _ => String::new(),
    };
    let of = |purpose: Purpose| {
        let mine = |row: &&Account| row.key.pair == pair.name && row.key.side == side;
        accounts.iter().filter(mine).find(|row| match purpose {
            Purpose::Login => row.key.purpose == purpose,
            Purpose::Replacement => row.key.purpose == purpose && row.key.seed == seed,
        })
    };
    let row = match how {
        "OAuth" => of(Purpose::Login),
        "refresh token" => of(Purpose::Replacement),
        _ => None,
    };
    let problem = match (how, row) {
        ("OAuth", None) => {
            Some(format!("nobody has logged in: `mapwright auth login {} --pair {}`", side.word(), pair.name))
        }
        (_, Some(row)) => match keys {
            None => Some("there is no key under `store: keys:`".to_owned()),
            Some(keys) => keys.open(&row.key, &row.sealed).err().map(|error| error.to_string()),
        },
        _ => None,
    };
    let login = row.map(|row| {
        let about: Json = serde_json::from_str(&row.about).unwrap_or_default();
        let since = row.updated_at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        json!({
            "account": about["account"], "user": about["user"], "scopes": about["scopes"],
            "kept": since, "key": row.sealed.key,
        })
    });
    Line { pair: pair.name.clone(), side, how, login, problem, said: None }
}

fn how(pair: &Pair, side: Side) -> &'static str {
    match side {
        Side::Hubspot => match pair.hubspot.auth {
            HubspotAuth::Token(_) => "private app token",
            HubspotAuth::OAuth { .. } => "OAuth",
        },
        Side::Salesforce => match pair.salesforce.auth {
            SalesforceAuth::ClientCredentials { .. } => "client credentials",
            SalesforceAuth::JwtBearer { .. } => "JWT bearer",
            SalesforceAuth::RefreshToken { .. } => "refresh token",
            SalesforceAuth::OAuth { .. } => "OAuth",
        },
    }
}

impl Line {
    fn json(&self) -> Json {
        let mut line = json!({
            "pair": self.pair, "crm": self.side.word(), "how": self.how, "login": self.login,
            "problem": self.problem,
        });
        if let Some(said) = &self.said {
            line["check"] = said.json();
        }
        line
    }

    /// `main  HubSpot     OAuth: 4556789 as jane@acme.example, kept 2026-01-01T00:00:00Z, key 1a2b3c4d`
    fn text(&self) -> String {
        let mut text = format!("{}  {:<10}  {}", self.pair, self.side.label(), self.words());
        if let Some(problem) = &self.problem {
            let _ = write!(text, "; {problem}");
        }
        if let Some(said) = &self.said {
            let _ = write!(text, "; {}", said.words());
        }
        text
    }

    /// `OAuth: 4556789 as jane@acme.example, kept 2026-01-01T00:00:00Z, key 1a2b3c4d`
    fn words(&self) -> String {
        let mut text = self.how.to_owned();
        if let Some(login) = &self.login {
            let word = |name: &str| login[name].as_str().unwrap_or_default().to_owned();
            let account = word("account");
            if !account.is_empty() {
                let _ = write!(text, ": {account}");
            }
            if login["user"].is_string() {
                let _ = write!(text, " as {}", word("user"));
            }
            let _ = write!(text, ", kept {}, key {}", word("kept"), word("key"));
        }
        text
    }
}
