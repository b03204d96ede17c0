//! The store on SQLite: one file, one process that writes.
//!
//! Write-ahead log with `synchronous=FULL`: a commit is on disk before it is answered, also in a power cut. All writes
//! go through one connection and share transactions (see [`writer`]); reads have connections of their own.

mod accounts;
mod awaited;
mod backfills;
mod convert;
mod erasures;
mod feed;
mod intents;
mod journal;
mod links;
mod merges;
mod projects;
mod prune;
mod records;
mod runs;
mod settle;
mod trail;
mod turned;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{Connection, Executor};
use tokio::sync::watch;

use super::{
    Advance, Appended, Condition, CorrelationId, HistoryEntry, Intent, IntentId, Lane, LeaseRequest,
    LeasedLane, Link, MappingResult, NewEvent, Next, OpenIntent, Origin, Outcome, ParkedId, ParkedRecord,
    Pending, Project, ProjectId, ProjectVersion, RecordKey, Seen, Settled, Settlement, Store, StoreError,
    Trail, Watermark,
};
use crate::source::ObjectName;
use crate::types::{LinkRequest, LinkedPair};
use writer::Writer;

/// Marks a SQLite file as ours (`PRAGMA application_id`); the letters `MapW`.
const APPLICATION_ID: i64 = 0x4d61_7057;

/// One script for each schema version, applied in order. Scripts are never changed once they are released.
const MIGRATIONS: [&str; 13] = [
    include_str!("migrations/sqlite_0001.sql"),
    include_str!("migrations/sqlite_0002_links.sql"),
    include_str!("migrations/sqlite_0003_awaited.sql"),
    include_str!("migrations/sqlite_0004_feed.sql"),
    include_str!("migrations/sqlite_0005_former.sql"),
    include_str!("migrations/sqlite_0006_accounts.sql"),
    include_str!("migrations/sqlite_0007_met.sql"),
    include_str!("migrations/sqlite_0008_trail.sql"),
    include_str!("migrations/sqlite_0009_backfill.sql"),
    include_str!("migrations/sqlite_0010_syncs.sql"),
    include_str!("migrations/sqlite_0011_merges.sql"),
    include_str!("migrations/sqlite_0012_intents.sql"),
    include_str!("migrations/sqlite_0013_erased.sql"),
];

/// Another process may hold the write lock for the length of one of its transactions; those are short.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads are short and rare (health, metrics, commands), so few connections do.
const READERS: u32 = 4;

/// A store in a SQLite file, or in memory for tests.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    /// Absent for a store in memory, which only the writer's connection can see.
    readers: Option<SqlitePool>,
    /// What wakes the workers, by pair.
    wakes: Mutex<HashMap<String, watch::Sender<u64>>>,
}

impl SqliteStore {
    /// Opens a store and brings its schema up to date; makes the file where there is none.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("secure_delete", "ON");
        let connection = connect(path, &options).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_lazy_with(options.create_if_missing(false).read_only(true));
        Ok(Self::over(connection, Some(readers)))
    }

    /// Makes a store that lives as long as this value.
    pub async fn in_memory() -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true);
        let connection = connect(Path::new(":memory:"), &options).await?;
        Ok(Self::over(connection, None))
    }

    /// Closes the store after the writes under way; further calls answer [`StoreError::Closed`].
    pub async fn close(&self) {
        // The readers first: the last connection moves the write-ahead log into the file, which one that only reads cannot.
        if let Some(readers) = &self.readers {
            readers.close().await;
        }
        self.writer.close().await;
    }

    fn over(connection: SqliteConnection, readers: Option<SqlitePool>) -> Self {
        Self { writer: Writer::start(connection), readers, wakes: Mutex::default() }
    }

    async fn read<T, F>(&self, pair: &str, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        match &self.readers {
            None => self.writer.run_for(pair, operation).await,
            Some(readers) if readers.is_closed() => Err(StoreError::Closed),
            Some(readers) => {
                let mut connection = readers.acquire().await?;
                operation(&mut connection).await
            }
        }
    }

    /// Wakes whoever works on a pair.
    fn wake(&self, pair: &str) {
        if let Some(wake) = self.waking().get(pair) {
            wake.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    fn wake_all(&self) {
        for wake in self.waking().values() {
            wake.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    fn waking(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<u64>>> {
        self.wakes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Appended>, StoreError> {
        let mut pairs: Vec<String> = events.iter().map(|event| event.pair.clone()).collect();
        pairs.dedup();
        // Several portals share a delivery only where they share an app; the first stands for them.
        let first = pairs.first().cloned().unwrap_or_default();
        let appended = self
            .writer
            .run_for(&first, move |c| Box::pin(async move { journal::append(c, &events).await }))
            .await?;
        if appended.iter().any(|event| event.new) {
            for pair in &pairs {
                self.wake(pair);
            }
        }
        Ok(appended)
    }

    async fn watermark(&self, pair: &str, object: &ObjectName) -> Result<Option<Watermark>, StoreError> {
        let (of, object) = (pair.to_owned(), object.clone());
        self.read(pair, move |c| Box::pin(async move { feed::watermark(c, &of, &object).await })).await
    }

    async fn seen(
        &self,
        pair: &str,
        object: &ObjectName,
        records: &[String],
    ) -> Result<Vec<Seen>, StoreError> {
        let (of, object, records) = (pair.to_owned(), object.clone(), records.to_vec());
        self.read(pair, move |c| Box::pin(async move { feed::seen(c, &of, &object, &records).await })).await
    }

    async fn advance(
        &self,
        advance: Advance,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<Appended>>, StoreError> {
        let pair = advance.pair.clone();
        let appended = self
            .writer
            .run_for(&pair, move |c| Box::pin(async move { feed::advance(c, &advance, now).await }))
            .await?;
        if appended.iter().flatten().any(|event| event.new) {
            self.wake(&pair);
        }
        Ok(appended)
    }

    async fn request(&self, key: &RecordKey, mapping: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let (of, mapping) = (key.clone(), mapping.to_owned());
        let correlation = CorrelationId::of_request(&of, &mapping, now);
        self.writer
            .run_for(&key.pair, move |c| {
                Box::pin(async move {
                    journal::request(c, &of, &mapping, now).await?;
                    journal::correlate(c, correlation).await
                })
            })
            .await?;
        self.wake(&key.pair);
        Ok(())
    }

    async fn due(&self, pair: &str, now: DateTime<Utc>, at_most: u32) -> Result<u32, StoreError> {
        let of = pair.to_owned();
        self.read(pair, move |c| Box::pin(async move { journal::due(c, &of, now, at_most).await })).await
    }

    async fn lease(&self, request: LeaseRequest) -> Result<Vec<LeasedLane>, StoreError> {
        let pair = request.pair.clone();
        self.writer.run_for(&pair, move |c| Box::pin(async move { journal::lease(c, &request).await })).await
    }

    async fn renew(&self, lanes: &[Lane], until: DateTime<Utc>) -> Result<Vec<bool>, StoreError> {
        let pair = lanes.first().map(|lane| lane.key.pair.clone()).unwrap_or_default();
        let lanes = lanes.to_vec();
        self.writer
            .run_for(&pair, move |c| Box::pin(async move { journal::renew(c, &lanes, until).await }))
            .await
    }

    async fn hasten(&self, lanes: &[Lane], now: DateTime<Utc>) -> Result<(), StoreError> {
        let Some(pair) = lanes.first().map(|lane| lane.key.pair.clone()) else { return Ok(()) };
        let lanes = lanes.to_vec();
        self.writer
            .run_for(&pair, move |c| Box::pin(async move { journal::hasten(c, &lanes, now).await }))
            .await?;
        self.wake(&pair);
        Ok(())
    }

    async fn settle(
        &self,
        lane: &Lane,
        settlement: Settlement,
        now: DateTime<Utc>,
    ) -> Result<Settled, StoreError> {
        let pair = lane.key.pair.clone();
        let (lane, erase) = (lane.clone(), settlement.next == Next::Erase);
        let pairs = settlement.results.iter().any(|result| {
            matches!(
                result.outcome,
                Outcome::Written { .. }
                    | Outcome::Unchanged { .. }
                    | Outcome::Link(_)
                    | Outcome::Waiting { .. }
            )
        });
        let settled = self
            .writer
            .run_for(&pair, move |c| {
                Box::pin(async move { settle::settle(c, &lane, &settlement, None, now).await })
            })
            .await?;
        if erase {
            // Erased pages must not live on in the write-ahead log.
            self.writer.checkpoint_soon().await;
        }
        if pairs {
            // A record may have waited for these two.
            self.wake(&pair);
        }
        Ok(settled)
    }

    async fn intend(&self, intents: Vec<Intent>) -> Result<Vec<IntentId>, StoreError> {
        let pair = intents.first().map(|intent| intent.source.pair.clone()).unwrap_or_default();
        self.writer.run_for(&pair, move |c| Box::pin(async move { intents::keep(c, &intents).await })).await
    }

    async fn intents(&self, key: &RecordKey) -> Result<Vec<OpenIntent>, StoreError> {
        let of = key.clone();
        let about =
            self.read(&key.pair, move |c| Box::pin(async move { intents::about(c, &of).await })).await?;
        Ok(about.into_iter().filter(|open| open.intent.source == *key).collect())
    }

    async fn record(
        &self,
        key: &RecordKey,
        results: Vec<MappingResult>,
        origin: Origin,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let of = key.clone();
        let context = runs::Context::by_hand(origin, now);
        self.writer
            .run_for(&key.pair, move |c| {
                Box::pin(async move { settle::record_all(c, &of, &results, &context).await })
            })
            .await
    }

    async fn remember_project(&self, project: Project, now: DateTime<Utc>) -> Result<ProjectId, StoreError> {
        self.writer.run(move |c| Box::pin(async move { projects::remember(c, &project, now).await })).await
    }

    async fn project(&self, id: ProjectId) -> Result<Option<ProjectVersion>, StoreError> {
        self.read("", move |c| Box::pin(projects::version(c, id))).await
    }

    async fn project_line(
        &self,
        id: ProjectId,
        file: &str,
        line: usize,
    ) -> Result<Option<String>, StoreError> {
        let file = file.to_owned();
        self.read("", move |c| Box::pin(async move { projects::line(c, id, &file, line).await })).await
    }

    async fn trail(&self, key: &RecordKey) -> Result<Trail, StoreError> {
        let of = key.clone();
        self.read(&key.pair, move |c| Box::pin(async move { trail::of(c, &of).await })).await
    }

    async fn known_as(&self, record: &str) -> Result<Vec<RecordKey>, StoreError> {
        let record = record.to_owned();
        self.read("", move |c| Box::pin(async move { trail::known_as(c, &record).await })).await
    }

    async fn condition(&self, pair: &str) -> Result<Condition, StoreError> {
        let of = pair.to_owned();
        self.read(pair, move |c| Box::pin(async move { trail::condition(c, &of).await })).await
    }

    async fn release(&self, worker: &str, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let worker = worker.to_owned();
        let released = self
            .writer
            .run(move |c| Box::pin(async move { journal::release(c, &worker, now).await }))
            .await?;
        self.wake_all();
        Ok(released)
    }

    async fn pending(&self) -> Result<Pending, StoreError> {
        self.read("", |c| Box::pin(journal::pending(c, None))).await
    }

    async fn pending_of(&self, pair: &str) -> Result<Pending, StoreError> {
        let of = pair.to_owned();
        self.read(pair, move |c| Box::pin(journal::pending(c, Some(of)))).await
    }

    async fn parked(&self) -> Result<Vec<ParkedRecord>, StoreError> {
        self.read("", |c| Box::pin(records::parked(c))).await
    }

    async fn parked_record(&self, id: ParkedId) -> Result<Option<ParkedRecord>, StoreError> {
        self.read("", move |c| Box::pin(records::parked_record(c, id))).await
    }

    async fn retry_parked(&self, id: ParkedId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let found = self.writer.run(move |c| Box::pin(records::retry_parked(c, id, now))).await?;
        self.wake_all();
        Ok(found)
    }

    async fn drop_parked(&self, id: ParkedId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.writer.run(move |c| Box::pin(records::drop_parked(c, id, now))).await
    }

    async fn history(&self, key: &RecordKey) -> Result<Vec<HistoryEntry>, StoreError> {
        let of = key.clone();
        self.read(&key.pair, move |c| Box::pin(async move { records::history(c, &of).await })).await
    }

    async fn links(&self, key: &RecordKey) -> Result<Vec<Link>, StoreError> {
        let of = key.clone();
        self.read(&key.pair, move |c| Box::pin(async move { links::of_source(c, &of).await })).await
    }

    async fn counterparts(&self, pair: &str, request: &LinkRequest) -> Result<Vec<LinkedPair>, StoreError> {
        let (of, request) = (pair.to_owned(), request.clone());
        self.read(pair, move |c| Box::pin(async move { links::counterparts(c, &of, &request).await })).await
    }

    async fn set_tombstone(
        &self,
        record: &RecordKey,
        gone: bool,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let of = record.clone();
        self.writer
            .run_for(&record.pair, move |c| {
                Box::pin(async move { links::set_tombstone(c, &of, gone, None, now).await })
            })
            .await
    }

    async fn prune(&self, before: DateTime<Utc>, at_most: u32) -> Result<u64, StoreError> {
        let old = self.read("", move |c| Box::pin(prune::superseded(c, before, at_most))).await?;
        self.writer.run(move |c| Box::pin(prune::prune(c, old, before, at_most))).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.writer
            .run(|c| Box::pin(async move { Ok(sqlx::query("SELECT 1").execute(c).await.map(drop)?) }))
            .await
    }

    fn wakes(&self, pair: &str) -> watch::Receiver<u64> {
        self.waking().entry(pair.to_owned()).or_default().subscribe()
    }
}

/// Opens the writer's connection: looks at what the file is before it changes anything in it.
async fn connect(path: &Path, options: &SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
    let shown = path.to_path_buf();
    let mut connection =
        SqliteConnection::connect_with(options).await.map_err(|error| open_error(shown.clone(), &error))?;
    let version = schema_version(&mut connection, &shown).await?;
    // Set only now: changing the journal mode writes to the file.
    let journal = options.clone().journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    if path != Path::new(":memory:") {
        connection.close().await?;
        connection =
            SqliteConnection::connect_with(&journal).await.map_err(|error| open_error(shown, &error))?;
    }
    migrate(&mut connection, version, path).await?;
    Ok(connection)
}

fn open_error(path: PathBuf, error: &sqlx::Error) -> StoreError {
    // SQLITE_NOTADB; SQLite finds out at the first statement that reads a page.
    if error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some("26") {
        return StoreError::NotADatabase { path };
    }
    StoreError::Open { path, reason: error.to_string() }
}

async fn schema_version(connection: &mut SqliteConnection, path: &Path) -> Result<usize, StoreError> {
    let failed = |error: sqlx::Error| open_error(path.to_path_buf(), &error);
    let application: i64 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await.map_err(failed)?;
    let version: i64 =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await.map_err(failed)?;
    let objects: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    if application != APPLICATION_ID {
        let empty = application == 0 && version == 0 && objects == 0;
        return if empty { Ok(0) } else { Err(StoreError::NotOurs { path: path.to_path_buf() }) };
    }
    usize::try_from(version).ok().filter(|version| *version <= MIGRATIONS.len()).ok_or_else(|| {
        StoreError::Newer {
            path: path.to_path_buf(),
            found: version,
            known: i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX),
        }
    })
}

/// Applies the scripts above a version, all or none.
async fn migrate(connection: &mut SqliteConnection, version: usize, path: &Path) -> Result<(), StoreError> {
    if version == MIGRATIONS.len() {
        return Ok(());
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // Another process may have been quicker.
    let version = schema_version(&mut transaction, path).await?;
    for script in &MIGRATIONS[version..] {
        transaction.execute(sqlx::raw_sql(*script)).await?;
    }
    // Pragmas take no parameters; both numbers are constants of this file.
    let stamp =
        format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {};", MIGRATIONS.len());
    transaction.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(stamp))).await?;
    transaction.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance;

    async fn file_store() -> (tempfile::TempDir, SqliteStore) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(&folder.path().join("store.db")).await.expect("a store");
        (folder, store)
    }

    #[tokio::test]
    async fn in_memory_conforms() {
        for (name, case) in conformance::cases() {
            let store = SqliteStore::in_memory().await.expect("a store");
            println!("case {name}");
            case(&store).await;
        }
    }

    #[tokio::test]
    async fn in_a_file_conforms() {
        for (name, case) in conformance::cases() {
            let (_folder, store) = file_store().await;
            println!("case {name}");
            case(&store).await;
        }
    }

    #[tokio::test]
    async fn a_crash_keeps_what_was_acknowledged() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        let store = SqliteStore::open(&path).await.expect("a store");
        let leased = conformance::append_and_lease(&store).await;
        assert_eq!(leased.len(), 1);
        // No settlement, no close: the process is gone.
        drop(store);

        let store = SqliteStore::open(&path).await.expect("the same store");
        assert_eq!(store.pending().await.expect("pending").lanes, 1);
        assert_eq!(store.release("w", conformance::at(1)).await.expect("release"), 1);
        let again = store.lease(conformance::lease_at(2)).await.expect("lease");
        assert_eq!(again[0].events, leased[0].events);
        assert!(again[0].lane.fence > leased[0].lane.fence);
        assert_eq!(again[0].attempts, 1, "a lost lease counts as an attempt");
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notes.txt");
        let text = "these are notes and no database ".repeat(200);
        std::fs::write(&path, &text).expect("written");
        let error = SqliteStore::open(&path).await.expect_err("refused");
        assert!(matches!(error, StoreError::NotADatabase { .. }), "{error:?}");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), text);
    }

    #[tokio::test]
    async fn a_database_of_another_program_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("other.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut other = SqliteConnection::connect_with(&options).await.expect("a database");
        other.execute(sqlx::raw_sql("CREATE TABLE notes (text TEXT)")).await.expect("a table");
        other.close().await.expect("closed");
        let error = SqliteStore::open(&path).await.expect_err("refused");
        assert!(matches!(error, StoreError::NotOurs { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        SqliteStore::open(&path).await.expect("a store").close().await;
        let options = SqliteConnectOptions::new().filename(&path);
        let mut newer = SqliteConnection::connect_with(&options).await.expect("a database");
        newer.execute(sqlx::raw_sql("PRAGMA user_version = 99")).await.expect("a version");
        newer.close().await.expect("closed");
        let error = SqliteStore::open(&path).await.expect_err("refused");
        assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error:?}");
    }

    #[tokio::test]
    async fn an_older_schema_is_brought_up_to_date_with_what_it_holds() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut old = SqliteConnection::connect_with(&options).await.expect("a database");
        old.execute(sqlx::raw_sql(MIGRATIONS[0])).await.expect("the first schema");
        let rows = "PRAGMA application_id = 1298231383; PRAGMA user_version = 1;
            INSERT INTO lanes (pair, side, object, record, not_before) VALUES ('main', 'hubspot', 'contact', '1', 0);
            INSERT INTO requests (lane, mapping) SELECT id, 'lead' FROM lanes;
            INSERT INTO links (pair, mapping, side, object, record, target_side, target_object, target, updated_at)
            VALUES ('main', 'lead', 'hubspot', 'contact', '1', 'salesforce', 'Lead', 'L1', 0);";
        assert_eq!(APPLICATION_ID, 1_298_231_383);
        old.execute(sqlx::raw_sql(rows)).await.expect("rows");
        old.close().await.expect("closed");
        let store = SqliteStore::open(&path).await.expect("the same store");
        let lane = store.lease(conformance::lease_at(0)).await.expect("lease").remove(0);
        assert_eq!(lane.requested, ["lead"]);
        let link = store.links(&lane.lane.key).await.expect("links").remove(0);
        assert_eq!((link.target.record.as_str(), link.source_gone, link.synced.len()), ("L1", false, 0));
    }

    #[tokio::test]
    async fn two_that_bring_it_up_to_date_at_once_do_not_collide() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let mut old = SqliteConnection::connect_with(&options).await.expect("a database");
        old.execute(sqlx::raw_sql(MIGRATIONS[0])).await.expect("the first schema");
        old.execute(sqlx::raw_sql("PRAGMA application_id = 1298231383; PRAGMA user_version = 1;"))
            .await
            .expect("its version");
        // Both have found out the version before either begins.
        let mut both = Vec::new();
        for _ in 0..2 {
            let mut connection = SqliteConnection::connect_with(&options).await.expect("a connection");
            let version = schema_version(&mut connection, &path).await.expect("a version");
            both.push((connection, version));
        }
        for (mut connection, version) in both {
            assert_eq!(version, 1);
            migrate(&mut connection, version, &path).await.expect("it is up to date");
        }
    }

    #[tokio::test]
    async fn a_closed_store_is_one_file() {
        let (folder, store) = file_store().await;
        store.append(vec![conformance::event("1", "a", 0)]).await.expect("append");
        // The readers are connections of their own.
        assert_eq!(store.parked().await.expect("read"), []);
        store.close().await;
        let files: Vec<_> = std::fs::read_dir(folder.path())
            .expect("a folder")
            .map(|file| file.expect("a file").file_name().into_string().expect("a name"))
            .collect();
        assert_eq!(files, ["store.db"]);
    }

    #[tokio::test]
    async fn a_folder_is_no_store() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = SqliteStore::open(folder.path()).await.expect_err("refused");
        assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn commits_are_durable() {
        let (_folder, store) = file_store().await;
        let setting: i64 = store
            .writer
            .run(|c| {
                Box::pin(async move { Ok(sqlx::query_scalar("PRAGMA synchronous").fetch_one(c).await?) })
            })
            .await
            .expect("a setting");
        assert_eq!(setting, 2, "FULL");
        let mode: String = store
            .writer
            .run(|c| {
                Box::pin(async move { Ok(sqlx::query_scalar("PRAGMA journal_mode").fetch_one(c).await?) })
            })
            .await
            .expect("a setting");
        assert_eq!(mode, "wal");
    }

    #[tokio::test]
    async fn a_closed_store_says_so() {
        let (_folder, store) = file_store().await;
        store.close().await;
        assert!(matches!(store.ping().await, Err(StoreError::Closed)));
        assert!(matches!(store.pending().await, Err(StoreError::Closed)));
    }
}
