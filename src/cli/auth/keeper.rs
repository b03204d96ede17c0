//! Refresh tokens in the store, for the clients.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::cli::parts;
use crate::crm::http::HttpOptions;
use crate::crm::tokens::{KeepError, Kept, TokenKeeper};
use crate::source::Side;
use crate::store::{Account, AccountKey, Accounts, KeyError, Keys, Purpose, SqliteStore, StoreError};

/// No turn is longer, however long the time-outs are.
const LONGEST_TURN: TimeDelta = TimeDelta::hours(1);

/// How long a refresh can take: it asks twice at most, each time with all its tries. A holder that dies loses its turn then.
fn turn(http: &HttpOptions) -> TimeDelta {
    let tries = http.retry.max_attempts;
    let once = http.request_timeout * tries + http.retry.max_delay * tries.saturating_sub(1);
    TimeDelta::from_std(once * 2).unwrap_or(LONGEST_TURN).min(LONGEST_TURN)
}

/// Keeps the token of a login, or a configured one (`seed`) and what replaces it.
pub(in crate::cli) fn keeper(
    store: Arc<SqliteStore>,
    keys: Arc<Keys>,
    (pair, side): (&str, Side),
    seed: Option<SecretString>,
    http: &HttpOptions,
) -> Arc<dyn TokenKeeper> {
    let purpose = if seed.is_some() { Purpose::Replacement } else { Purpose::Login };
    let key = AccountKey {
        pair: pair.to_owned(),
        side,
        purpose,
        seed: seed.as_ref().map(named).unwrap_or_default(),
    };
    let mut bytes = [0; 8];
    parts::entropy(&mut bytes);
    Arc::new(Vault { store, keys, key, seed, holder: hex::encode(bytes), turn: turn(http) })
}

/// What a configured token is known by.
pub(super) fn named(seed: &SecretString) -> String {
    hex::encode(Sha256::digest(seed.expose_secret()))
}

struct Vault {
    store: Arc<SqliteStore>,
    keys: Arc<Keys>,
    key: AccountKey,
    /// The configured token, with which it begins.
    seed: Option<SecretString>,
    /// How long its turn lasts.
    turn: TimeDelta,
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

    /// Keeps the configured token before it is used for the first time, so that whoever uses it takes the turn. What was kept
    /// of another one, which somebody else may use, stays as it is.
    async fn plant(&self) -> Result<(), KeepError> {
        let Some(seed) = &self.seed else { return Ok(()) };
        if self.row().await?.is_some() {
            return Ok(());
        }
        let sealed = self.keys.seal(&self.key, seed).map_err(|error| self.sealed_failed(&error))?;
        let planted = self.store.plant(&self.key, sealed, parts::now()).await;
        planted.map_err(|error| store_failed(&error))
    }

    async fn row(&self) -> Result<Option<Account>, KeepError> {
        self.store.account(&self.key).await.map_err(|error| store_failed(&error))
    }
}

#[async_trait]
impl TokenKeeper for Vault {
    async fn load(&self) -> Result<Option<Kept>, KeepError> {
        let Some(mut row) = self.row().await? else { return Ok(None) };
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
        self.plant().await?;
        Ok(self.row().await?.map(|row| row.login))
    }

    async fn replace(&self, was: &Kept, with: SecretString) -> Result<Option<Kept>, KeepError> {
        let sealed = self.keys.seal(&self.key, &with).map_err(|error| self.sealed_failed(&error))?;
        let was = (was.login, was.revision);
        let row = self.store.replace(&self.key, was, sealed, parts::now()).await;
        let row = row.map_err(|error| store_failed(&error))?;
        Ok(row.map(|row| Kept { token: with, login: row.login, revision: row.revision }))
    }

    async fn take_turn(&self) -> Result<bool, KeepError> {
        self.plant().await?;
        let now = parts::now();
        self.store
            .take_turn(&self.key, &self.holder, now + self.turn, now)
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
