//! Logins: refresh tokens, sealed, and who may replace one.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Sealed, StoreError};
use crate::source::Side;

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The refresh token of a login.
    Login,
    /// The refresh token that a vendor gave in place of the configured one.
    Replacement,
}

impl Purpose {
    /// The word in the store.
    pub fn word(self) -> &'static str {
        match self {
            Purpose::Login => "login",
            Purpose::Replacement => "replacement",
        }
    }

    /// The purpose of a word.
    pub(super) fn of(word: &str) -> Option<Self> {
        [Purpose::Login, Purpose::Replacement].into_iter().find(|purpose| purpose.word() == word)
    }
}

/// Where a secret belongs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccountKey {
    /// The pair.
    pub pair: String,
    /// The CRM.
    pub side: Side,
    /// What it is for.
    pub purpose: Purpose,
    /// Of a replacement, a digest of the configured token that it began with; each has its own. Empty for a login.
    pub seed: String,
}

/// A sealed refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Where it belongs.
    pub key: AccountKey,
    /// The token.
    pub sealed: Sealed,
    /// What may be known of it without the key, as its writer put it.
    pub about: String,
    /// Tells one login from the next.
    pub login: i64,
    /// Tells one token of a login from the one that replaced it.
    pub revision: i64,
    /// When it was kept.
    pub updated_at: DateTime<Utc>,
}

/// What every store does for logins.
///
/// Several processes may share one login: a server, and a command beside it. Whoever is about to use a refresh token takes a
/// turn first, since a vendor may replace it by the answer and refuse the old one from then on.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// All of them, by pair, side and purpose.
    async fn accounts(&self) -> Result<Vec<Account>, StoreError>;

    /// One of them.
    async fn account(&self, key: &AccountKey) -> Result<Option<Account>, StoreError>;

    /// Keeps the token of a new login, in place of any other.
    async fn log_in(
        &self,
        key: &AccountKey,
        sealed: Sealed,
        about: &str,
        now: DateTime<Utc>,
    ) -> Result<Account, StoreError>;

    /// Keeps a configured token as a login of its own, unless it is kept already.
    async fn plant(&self, key: &AccountKey, sealed: Sealed, now: DateTime<Utc>) -> Result<(), StoreError>;

    /// Keeps a token in place of the one that was read, of this login and revision, if that still stands; answers it as it is
    /// then.
    async fn replace(
        &self,
        key: &AccountKey,
        was: (i64, i64),
        sealed: Sealed,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>, StoreError>;

    /// Forgets a login; `false` when there was none.
    async fn log_out(&self, key: &AccountKey) -> Result<bool, StoreError>;

    /// Takes the turn to use a token until a time; `false` while another holder has it.
    async fn take_turn(
        &self,
        key: &AccountKey,
        holder: &str,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError>;

    /// Gives the turn back.
    async fn end_turn(&self, key: &AccountKey, holder: &str) -> Result<(), StoreError>;
}
