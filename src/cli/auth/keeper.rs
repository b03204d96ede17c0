//! Refresh tokens in the store, for the clients.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::cli::parts;
use crate::crm::tokens::{KeepError, Kept, TokenKeeper};
use crate::source::Side;
use crate::store::{Account, AccountKey, Accounts, KeyError, Keys, Purpose, SqliteStore, StoreError};

/// Longer than a refresh takes with all its time-outs; a holder that dies loses its turn then.
const TURN: TimeDelta = TimeDelta::minutes(2);

/// Keeps the token of a login, or what replaced a configured one (`seed`).
pub(in crate::cli) fn keeper(
    store: Arc<SqliteStore>,
    keys: Arc<Keys>,
    (pair, side): (&str, Side),
    seed: Option<SecretString>,
) -> Arc<dyn TokenKeeper> {
    let purpose = if seed.is_some() { Purpose::Replacement } else { Purpose::Login };
    let key = AccountKey { pair: pair.to_owned(), side, purpose };
    let mut bytes = [0; 8];
    parts::entropy(&mut bytes);
    Arc::new(Vault { store, keys, key, seed, holder: hex::encode(bytes) })
}

struct Vault {
    store: Arc<SqliteStore>,
    keys: Arc<Keys>,
    key: AccountKey,
    /// The configured token, which counts until it is replaced.
    seed: Option<SecretString>,
    /// This process, among those that share the store.
    holder: String,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("key", &self.key).finish_non_exhaustive()
    }
}

fn store_failed(error: &StoreError) -> KeepError {
    KeepError { message: format!("the token cannot be kept or read: {error}"), lasting: false }
}

impl Vault {
    fn sealed_failed(&self, error: &KeyError) -> KeepError {
        let (pair, side) = (&self.key.pair, self.key.side.label());
        KeepError { message: format!("the token of pair `{pair}` for {side}: {error}"), lasting: true }
    }

    /// What may be known of a row without a key: of a replacement, a digest of what it replaces, so that another configured
    /// token is taken as a new beginning.
    fn about(&self) -> String {
        self.seed.as_ref().map_or_else(String::new, |seed| {
            json!({"replaces": hex::encode(Sha256::digest(seed.expose_secret()))}).to_string()
        })
    }

    async fn row(&self) -> Result<Option<Account>, KeepError> {
        let row = self.store.account(&self.key).await.map_err(|error| store_failed(&error))?;
        Ok(row.filter(|row| self.seed.is_none() || row.about == self.about()))
    }
}

#[async_trait]
impl TokenKeeper for Vault {
    async fn load(&self) -> Result<Option<Kept>, KeepError> {
        let Some(mut row) = self.row().await? else {
            return Ok(self.seed.clone().map(|token| Kept { token, login: 0, revision: 0 }));
        };
        let token = self.keys.open(&self.key, &row.sealed).map_err(|error| self.sealed_failed(&error))?;
        if !self.keys.is_newest(&row.sealed) {
            // The key was replaced: what the old one sealed is sealed anew when it is read.
            let sealed = self.keys.seal(&self.key, &token).map_err(|error| self.sealed_failed(&error))?;
            let was = (row.login, row.revision);
            if let Some(renewed) = self
                .store
                .replace(&self.key, was, sealed, parts::now())
                .await
                .map_err(|error| store_failed(&error))?
            {
                row = renewed;
            }
        }
        Ok(Some(Kept { token, login: row.login, revision: row.revision }))
    }

    async fn login(&self) -> Result<Option<i64>, KeepError> {
        let row = self.row().await?;
        Ok(row.map(|row| row.login).or(self.seed.as_ref().map(|_| 0)))
    }

    async fn replace(&self, was: &Kept, with: SecretString) -> Result<Option<Kept>, KeepError> {
        let sealed = self.keys.seal(&self.key, &with).map_err(|error| self.sealed_failed(&error))?;
        let now = parts::now();
        let row = if was.login == 0 {
            // The first that replaces the configured one.
            Some(
                self.store
                    .log_in(&self.key, sealed, &self.about(), now)
                    .await
                    .map_err(|error| store_failed(&error))?,
            )
        } else {
            let was = (was.login, was.revision);
            self.store.replace(&self.key, was, sealed, now).await.map_err(|error| store_failed(&error))?
        };
        Ok(row.map(|row| Kept { token: with, login: row.login, revision: row.revision }))
    }

    async fn take_turn(&self) -> Result<bool, KeepError> {
        let now = parts::now();
        self.store
            .take_turn(&self.key, &self.holder, now + TURN, now)
            .await
            .map_err(|error| store_failed(&error))
    }

    async fn end_turn(&self) {
        if let Err(error) = self.store.end_turn(&self.key, &self.holder).await {
            tracing::warn!(%error, "another process has to wait for the refresh token until its turn runs out");
        }
    }

    fn advice(&self) -> String {
        let (pair, side) = (&self.key.pair, self.key.side.word());
        match self.key.purpose {
            Purpose::Login => format!("run `mapwright auth login {side} --pair {pair}`"),
            Purpose::Replacement => format!("configure another `refresh_token` for pair `{pair}`"),
        }
    }
}
