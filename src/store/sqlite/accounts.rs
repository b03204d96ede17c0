//! Sealed refresh tokens in SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::super::{Account, AccountKey, Accounts, Purpose, Sealed, StoreError};
use super::{SqliteStore, convert};
use crate::source::Side;

#[async_trait]
impl Accounts for SqliteStore {
    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.read("", |c| {
            Box::pin(async move {
                let rows =
                    sqlx::query("SELECT * FROM accounts ORDER BY pair, side, purpose, updated_at DESC")
                        .fetch_all(c)
                        .await?;
                rows.iter().map(account).collect()
            })
        })
        .await
    }

    async fn account(&self, key: &AccountKey) -> Result<Option<Account>, StoreError> {
        let of = key.clone();
        self.read(&key.pair, move |c| Box::pin(async move { find(c, &of).await })).await
    }

    async fn log_in(
        &self,
        key: &AccountKey,
        sealed: Sealed,
        about: &str,
        now: DateTime<Utc>,
    ) -> Result<Account, StoreError> {
        let (of, about) = (key.clone(), about.to_owned());
        self.writer
            .run_for(&key.pair, move |c| Box::pin(async move { log_in(c, &of, &sealed, &about, now).await }))
            .await
    }

    async fn plant(&self, key: &AccountKey, sealed: Sealed, now: DateTime<Utc>) -> Result<(), StoreError> {
        let of = key.clone();
        self.writer
            .run_for(&key.pair, move |c| {
                Box::pin(async move {
                    if find(c, &of).await?.is_none() {
                        log_in(c, &of, &sealed, "", now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn replace(
        &self,
        key: &AccountKey,
        was: (i64, i64),
        sealed: Sealed,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>, StoreError> {
        let of = key.clone();
        self.writer
            .run_for(&key.pair, move |c| Box::pin(async move { replace(c, &of, was, &sealed, now).await }))
            .await
    }

    async fn log_out(&self, key: &AccountKey) -> Result<bool, StoreError> {
        let of = key.clone();
        let gone = self
            .writer
            .run_for(&key.pair, move |c| {
                Box::pin(async move {
                    let sql =
                        "DELETE FROM accounts WHERE pair = ?1 AND side = ?2 AND purpose = ?3 AND seed = ?4";
                    Ok(placed(sqlx::query(sql), &of).execute(c).await?.rows_affected() > 0)
                })
            })
            .await?;
        // The token must not live on in the write-ahead log.
        self.writer.checkpoint().await?;
        Ok(gone)
    }

    async fn take_turn(
        &self,
        key: &AccountKey,
        holder: &str,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let (of, holder) = (key.clone(), holder.to_owned());
        self.writer
            .run_for(&key.pair, move |c| {
                Box::pin(async move { take_turn(c, &of, &holder, until, now).await })
            })
            .await
    }

    async fn end_turn(&self, key: &AccountKey, holder: &str) -> Result<(), StoreError> {
        let (of, holder) = (key.clone(), holder.to_owned());
        self.writer
            .run_for(&key.pair, move |c| {
                Box::pin(async move {
                    let sql = "UPDATE accounts SET busy_by = NULL, busy_until = NULL
                               WHERE pair = ?1 AND side = ?2 AND purpose = ?3 AND seed = ?4 AND busy_by = ?5";
                    placed(sqlx::query(sql), &of).bind(holder).execute(c).await?;
                    Ok(())
                })
            })
            .await
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// Binds the first four parameters.
fn placed<'q>(query: Query<'q>, key: &AccountKey) -> Query<'q> {
    query.bind(key.pair.clone()).bind(key.side.word()).bind(key.purpose.word()).bind(key.seed.clone())
}

async fn find(c: &mut SqliteConnection, key: &AccountKey) -> Result<Option<Account>, StoreError> {
    let sql = "SELECT * FROM accounts WHERE pair = ?1 AND side = ?2 AND purpose = ?3 AND seed = ?4";
    placed(sqlx::query(sql), key).fetch_optional(c).await?.as_ref().map(account).transpose()
}

async fn log_in(
    c: &mut SqliteConnection,
    key: &AccountKey,
    sealed: &Sealed,
    about: &str,
    now: DateTime<Utc>,
) -> Result<Account, StoreError> {
    // A login that takes the place of another within one microsecond is still another one.
    let sql =
        "INSERT INTO accounts (pair, side, purpose, seed, key, nonce, sealed, about, login, revision, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?9)
         ON CONFLICT (pair, side, purpose, seed) DO UPDATE
         SET key = excluded.key, nonce = excluded.nonce, sealed = excluded.sealed, about = excluded.about,
             login = max(login + 1, excluded.login), revision = 1, updated_at = excluded.updated_at,
             busy_by = NULL, busy_until = NULL
         RETURNING *";
    let row = placed(sqlx::query(sql), key)
        .bind(sealed.key.clone())
        .bind(sealed.nonce.clone())
        .bind(sealed.bytes.clone())
        .bind(about.to_owned())
        .bind(convert::micros(now))
        .fetch_one(c)
        .await?;
    account(&row)
}

async fn replace(
    c: &mut SqliteConnection,
    key: &AccountKey,
    (login, revision): (i64, i64),
    sealed: &Sealed,
    now: DateTime<Utc>,
) -> Result<Option<Account>, StoreError> {
    let sql =
        "UPDATE accounts SET key = ?5, nonce = ?6, sealed = ?7, revision = revision + 1, updated_at = ?8
         WHERE pair = ?1 AND side = ?2 AND purpose = ?3 AND seed = ?4 AND login = ?9 AND revision = ?10 RETURNING *";
    let row = placed(sqlx::query(sql), key)
        .bind(sealed.key.clone())
        .bind(sealed.nonce.clone())
        .bind(sealed.bytes.clone())
        .bind(convert::micros(now))
        .bind(login)
        .bind(revision)
        .fetch_optional(c)
        .await?;
    row.as_ref().map(account).transpose()
}

/// Where there is no row yet, nobody can be in the way.
async fn take_turn(
    c: &mut SqliteConnection,
    key: &AccountKey,
    holder: &str,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let sql = "UPDATE accounts SET busy_by = ?5, busy_until = ?6
         WHERE pair = ?1 AND side = ?2 AND purpose = ?3 AND seed = ?4 AND (busy_by IS NULL OR busy_by = ?5 OR busy_until <= ?7)";
    let done = placed(sqlx::query(sql), key)
        .bind(holder.to_owned())
        .bind(convert::micros(until))
        .bind(convert::micros(now))
        .execute(&mut *c)
        .await?;
    if done.rows_affected() > 0 {
        return Ok(true);
    }
    Ok(find(c, key).await?.is_none())
}

fn account(row: &SqliteRow) -> Result<Account, StoreError> {
    let damaged = |what: &str| StoreError::Damaged(format!("an account has no {what}"));
    let side = match row.try_get("side")? {
        "hubspot" => Side::Hubspot,
        "salesforce" => Side::Salesforce,
        _ => return Err(damaged("side")),
    };
    let purpose = Purpose::of(row.try_get("purpose")?).ok_or_else(|| damaged("purpose"))?;
    Ok(Account {
        key: AccountKey { pair: row.try_get("pair")?, side, purpose, seed: row.try_get("seed")? },
        sealed: Sealed {
            key: row.try_get("key")?,
            nonce: row.try_get("nonce")?,
            bytes: row.try_get("sealed")?,
        },
        about: row.try_get("about")?,
        login: row.try_get("login")?,
        revision: row.try_get("revision")?,
        updated_at: convert::time(row.try_get("updated_at")?)?,
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::store::Store as _;

    fn key() -> AccountKey {
        AccountKey {
            pair: "main".to_owned(),
            side: Side::Hubspot,
            purpose: Purpose::Login,
            seed: String::new(),
        }
    }

    fn sealed(text: &str) -> Sealed {
        Sealed { key: "aa".to_owned(), nonce: vec![1, 2], bytes: text.as_bytes().to_vec() }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[tokio::test]
    async fn a_login_is_kept_replaced_and_forgotten() {
        let store = SqliteStore::in_memory().await.expect("a store");
        assert_eq!(store.account(&key()).await.expect("none"), None);
        let first = store.log_in(&key(), sealed("one"), "portal 1", at(5)).await.expect("kept");
        let second = store
            .replace(&key(), (first.login, 1), sealed("two"), at(6))
            .await
            .expect("kept")
            .expect("it stood");
        assert_eq!((second.login, second.revision), (first.login, 2));
        // What was read before that is no longer what stands.
        assert_eq!(
            store.replace(&key(), (first.login, 1), sealed("lost"), at(7)).await.expect("refused"),
            None
        );
        assert_eq!(store.account(&key()).await.expect("read"), Some(second.clone()));
        let again = store.log_in(&key(), sealed("three"), "portal 1", at(5)).await.expect("kept");
        assert!(again.login > first.login && again.revision == 1);
        assert_eq!(
            store.replace(&key(), (second.login, 2), sealed("lost"), at(8)).await.expect("refused"),
            None
        );
        let other = AccountKey { side: Side::Salesforce, ..key() };
        store.log_in(&other, sealed("org"), "org", at(9)).await.expect("kept");
        assert_eq!(store.accounts().await.expect("both").len(), 2);
        assert!(store.log_out(&key()).await.expect("gone"));
        assert!(!store.log_out(&key()).await.expect("gone already"));
        assert_eq!(store.accounts().await.expect("one").len(), 1);
    }

    #[tokio::test]
    async fn a_configured_token_is_planted_once() {
        let store = SqliteStore::in_memory().await.expect("a store");
        let of = |seed: &str| AccountKey { purpose: Purpose::Replacement, seed: seed.to_owned(), ..key() };
        let kept = async |seed: &str| store.account(&of(seed)).await.expect("read").expect("a row");
        store.plant(&of("a"), sealed("seed"), at(0)).await.expect("planted");
        let first = kept("a").await;
        let was = (first.login, first.revision);
        let grown = store.replace(&of("a"), was, sealed("grown"), at(1)).await.expect("kept");
        store.plant(&of("a"), sealed("seed"), at(2)).await.expect("nothing to do");
        assert_eq!(Some(kept("a").await), grown, "what has replaced it stays");
        assert_eq!(store.replace(&of("a"), was, sealed("late"), at(3)).await.expect("refused"), None);

        // Another one is tried, perhaps a mistyped one: it takes nothing away.
        store.plant(&of("b"), sealed("other"), at(4)).await.expect("planted");
        assert!(store.take_turn(&of("b"), "w", at(60), at(5)).await.expect("a turn"));
        assert!(store.take_turn(&of("a"), "v", at(60), at(5)).await.expect("a turn of its own"));
        assert_eq!((Some(kept("a").await), kept("b").await.sealed), (grown.clone(), sealed("other")));
        // The older one goes once it is old, unless it is the newest.
        store.prune(at(3), 10).await.expect("pruned");
        assert_eq!(store.account(&of("a")).await.expect("read"), None);
        store.prune(at(100), 10).await.expect("pruned");
        assert_eq!(kept("b").await.sealed, sealed("other"));
    }

    #[tokio::test]
    async fn a_token_is_used_by_one_at_a_time() {
        let store = SqliteStore::in_memory().await.expect("a store");
        let take = async |holder: &str, now: i64| {
            store.take_turn(&key(), holder, at(now + 60), at(now)).await.expect("an answer")
        };
        assert!(take("nobody", 0).await, "there is nothing to use yet");
        store.log_in(&key(), sealed("one"), "", at(0)).await.expect("kept");
        assert!(take("a", 0).await);
        assert!(take("a", 1).await, "whoever has it may go on");
        assert!(!take("b", 30).await);
        store.end_turn(&key(), "b").await.expect("not its own");
        assert!(!take("b", 31).await);
        store.end_turn(&key(), "a").await.expect("given back");
        assert!(take("b", 32).await);
        assert!(take("a", 93).await, "a holder that died loses it");
    }
}
