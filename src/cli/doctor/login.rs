//! What is known of those who logged in: who, what they allowed, and whether what was sealed can be opened.

use super::super::auth::{Login, login};
use super::super::parts::Ready;
use super::report::Report;
use super::store::Opened;
use crate::source::Side;
use crate::store::{Account, Accounts};

/// What is kept; nothing where there is no store, or none that can be read, which is said elsewhere.
pub(super) async fn accounts(opened: &Opened) -> Vec<Account> {
    match opened {
        Some(Ok(store)) => store.accounts().await.unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Looks at the logins of a pair; answers the CRMs that can be asked.
pub(super) fn check(ready: &Ready, accounts: &[Account], report: &mut Report) -> Vec<Side> {
    let mut usable = Vec::new();
    for side in Side::ALL {
        let check = match side {
            Side::Hubspot => "HubSpot login",
            Side::Salesforce => "Salesforce login",
        };
        let Login { text, kept, problem } = login(&ready.pair, side, accounts, ready.keys.as_deref());
        if let Some((message, help)) = problem {
            report.problem(check, message, help);
            continue;
        }
        if kept {
            report.ok(check, text);
        }
        usable.push(side);
    }
    usable
}

/// How a login is renewed.
pub(super) fn again(ready: &Ready, side: Side) -> String {
    format!("`mapwright auth login {} --pair {}`", side.word(), ready.pair.name)
}
