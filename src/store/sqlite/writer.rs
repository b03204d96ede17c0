//! The one writer, its group commit, and its turns.
//!
//! A commit costs a disk flush, however much it holds. So the writer takes everything that is queued (up to
//! [`GROUP`] operations) into one transaction, each inside a savepoint of its own, and answers all of them after the
//! commit. An operation that fails is rolled back alone. An operation that is queued is performed even if its caller
//! no longer waits.
//!
//! Operations belong to a pair, and the pairs take turns: a transaction holds one operation of each pair that waits, then
//! another of each, until it is full. So a pair that queues a thousand operations holds up another's by one transaction
//! at most. How many operations may wait is counted for each pair alone.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::Executor;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::super::StoreError;
use super::BUSY_TIMEOUT;

/// How often the log is tried to be emptied, and after how long again: a read of the store takes far less than that in all.
const CHECKPOINTS: u32 = 300;
const AGAIN: Duration = Duration::from_millis(100);

/// How long a record that was erased holds up the others of its batch for that.
const PATIENCE: Duration = Duration::from_secs(1);

/// Operations of one transaction; beyond this a commit's cost is already shared enough.
const GROUP: usize = 256;

/// Operations of one pair that may wait; its callers then wait to queue, which slows the listener down instead of filling memory.
const QUEUE: usize = 1024;

/// Tells a caller what became of its operation, given what became of the commit.
type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Performs an operation inside a transaction; answers whether it went well, and how to say so.
type Operation = Box<dyn for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, (bool, Reply)> + Send>;

/// An operation that waits for its turn, and the room that it takes.
struct Waiting {
    operation: Operation,
    /// Given back when the operation has been performed.
    _room: OwnedSemaphorePermit,
}

enum Command {
    Run(String, Waiting),
    Checkpoint(oneshot::Sender<Result<bool, StoreError>>),
    Close(oneshot::Sender<()>),
}

/// Queues operations for the writer's task, which ends with the last handle.
pub(super) struct Writer {
    /// Bounded by the room of each pair.
    commands: mpsc::UnboundedSender<Command>,
    rooms: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts the task that owns the connection.
    pub(super) fn start(connection: SqliteConnection) -> Self {
        let (commands, queue) = mpsc::unbounded_channel();
        tokio::spawn(work(connection, queue));
        Self { commands, rooms: Mutex::default() }
    }

    /// Performs an operation that belongs to no pair, and answers after its commit.
    pub(super) async fn run<T, F>(&self, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        self.run_for("", operation).await
    }

    /// Performs an operation of a pair and answers after its commit.
    pub(super) async fn run_for<T, F>(&self, pair: &str, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let boxed: Operation = Box::new(move |connection| {
            Box::pin(async move {
                let result = operation(connection).await;
                let fine = result.is_ok();
                let reply: Reply = Box::new(move |commit| {
                    // The caller may be gone; the operation has happened all the same.
                    let _ = answer.send(result.and_then(|value| commit.map(|()| value)));
                });
                (fine, reply)
            })
        });
        // The semaphore is never closed.
        let room = self.room(pair).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let waiting = Waiting { operation: boxed, _room: room };
        self.commands.send(Command::Run(pair.to_owned(), waiting)).map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    fn room(&self, pair: &str) -> Arc<Semaphore> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let room = rooms.entry(pair.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(QUEUE)));
        Arc::clone(room)
    }

    /// Moves the write-ahead log into the file and empties it. While somebody reads what is in it that cannot be, so it is
    /// tried again, and others write meanwhile.
    pub(super) async fn checkpoint(&self) -> Result<(), StoreError> {
        for _ in 0..CHECKPOINTS {
            let (answer, answered) = oneshot::channel();
            self.commands.send(Command::Checkpoint(answer)).map_err(|_| StoreError::Closed)?;
            if answered.await.map_err(|_| StoreError::Closed)?? {
                return Ok(());
            }
            tokio::time::sleep(AGAIN).await;
        }
        tracing::warn!("erased data stays in the write-ahead log until it is emptied the next time");
        Ok(())
    }

    /// The same, and whoever waits for it goes on after a while.
    pub(super) async fn checkpoint_soon(&self) {
        let rest = Self { commands: self.commands.clone(), rooms: Mutex::default() };
        let task = tokio::spawn(async move { rest.checkpoint().await });
        // Where its time is up, it goes on all the same.
        if let Ok(Ok(Err(error))) = tokio::time::timeout(PATIENCE, task).await {
            tracing::error!(%error, "the write-ahead log could not be emptied");
        }
    }

    /// Ends the task after what is queued, and closes the connection.
    pub(super) async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        if self.commands.send(Command::Close(answer)).is_ok() {
            let _ = answered.await;
        }
    }
}

/// The operations that wait, by pair; the pair whose turn it is stands first.
#[derive(Default)]
struct Turns(VecDeque<(String, VecDeque<Waiting>)>);

impl Turns {
    fn push(&mut self, pair: String, waiting: Waiting) {
        match self.0.iter_mut().find(|(known, _)| *known == pair) {
            Some((_, queue)) => queue.push_back(waiting),
            None => self.0.push_back((pair, VecDeque::from([waiting]))),
        }
    }

    /// The next operations, at most so many: one of each pair in turn.
    fn take(&mut self, at_most: usize) -> Vec<Waiting> {
        let mut taken = Vec::new();
        while taken.len() < at_most
            && let Some((pair, mut queue)) = self.0.pop_front()
        {
            taken.extend(queue.pop_front());
            if !queue.is_empty() {
                self.0.push_back((pair, queue));
            }
        }
        taken
    }
}

async fn work(mut connection: SqliteConnection, mut queue: mpsc::UnboundedReceiver<Command>) {
    let mut turns = Turns::default();
    let mut checkpoints = Vec::new();
    let mut closing: Option<oneshot::Sender<()>> = None;
    loop {
        // Waits only where there is nothing to do.
        let idle = turns.0.is_empty() && checkpoints.is_empty() && closing.is_none();
        let mut next = if idle { queue.recv().await } else { queue.try_recv().ok() };
        if idle && next.is_none() {
            break;
        }
        while let Some(command) = next {
            match command {
                Command::Run(pair, waiting) => turns.push(pair, waiting),
                Command::Checkpoint(answer) => checkpoints.push(answer),
                Command::Close(answer) => {
                    queue.close();
                    closing = Some(answer);
                }
            }
            next = queue.try_recv().ok();
        }
        commit_together(&mut connection, turns.take(GROUP)).await;
        for answer in checkpoints.drain(..) {
            let _ = answer.send(checkpoint(&mut connection).await);
        }
        if closing.is_some() && turns.0.is_empty() {
            break;
        }
    }
    queue.close();
    if let Err(error) = sqlx::Connection::close(connection).await {
        tracing::warn!(%error, "the store did not close cleanly");
    }
    if let Some(answer) = closing {
        let _ = answer.send(());
    }
}

/// Empties the write-ahead log; false where a reader was in the way. It does not wait for one: nothing is written meanwhile.
async fn checkpoint(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    connection.execute("PRAGMA busy_timeout = 0").await?;
    let busy: Result<i64, _> =
        sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *connection).await;
    let timeout = format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis());
    connection.execute(sqlx::AssertSqlSafe(timeout)).await?;
    Ok(busy? == 0)
}

async fn commit_together(connection: &mut SqliteConnection, operations: Vec<Waiting>) {
    if operations.is_empty() {
        return;
    }
    let mut replies = Vec::with_capacity(operations.len());
    let committed = perform(connection, operations, &mut replies).await;
    if committed.is_err() {
        // Fails when SQLite has rolled back by itself, which is as good.
        let _ = connection.execute("ROLLBACK").await;
    }
    for reply in replies {
        reply(committed.clone());
    }
}

/// Runs the operations in one transaction. Those that never ran (the transaction broke before) drop their answer, and
/// their callers get [`StoreError::Closed`].
async fn perform(
    connection: &mut SqliteConnection,
    operations: Vec<Waiting>,
    replies: &mut Vec<Reply>,
) -> Result<(), StoreError> {
    connection.execute("BEGIN IMMEDIATE").await?;
    for waiting in operations {
        connection.execute("SAVEPOINT one").await?;
        let (fine, reply) = (waiting.operation)(connection).await;
        replies.push(reply);
        if !fine {
            connection.execute("ROLLBACK TO one").await?;
        }
        connection.execute("RELEASE one").await?;
    }
    connection.execute("COMMIT").await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use futures_util::stream::FuturesUnordered;
    use sqlx::Connection as _;
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};

    use super::*;

    #[tokio::test]
    async fn a_flood_of_one_pair_holds_up_another_by_one_transaction_at_most() {
        let connection = SqliteConnection::connect("sqlite::memory:").await.expect("memory");
        let writer = Writer::start(connection);
        let one = |pair: &'static str| {
            writer.run_for(pair, move |c| {
                Box::pin(async move {
                    sqlx::query("SELECT 1").execute(c).await?;
                    Ok(pair)
                })
            })
        };
        // More than may wait: the rest of the flood waits for room and takes none of the other pair's.
        let flood = QUEUE * 2;
        let mut all: FuturesUnordered<_> = (0..flood).map(|_| one("flood")).collect();
        // Polled once, so that the flood is in the queue before the other pair comes.
        assert_eq!(all.next().await.expect("one").expect("done"), "flood");
        let before = flood - all.len();
        all.push(one("calm"));
        let mut order = Vec::new();
        while let Some(done) = all.next().await {
            order.push(done.expect("done"));
        }
        let place = order.iter().position(|pair| *pair == "calm").expect("it was done");
        // The transaction under way, and the one that holds it; a third for the answers that lay ready.
        assert!(place <= 3 * GROUP, "{place} after {before}");
    }

    #[tokio::test]
    async fn pairs_take_turns() {
        let room = Arc::new(Semaphore::new(100));
        let mut turns = Turns::default();
        for pair in ["a", "a", "a", "a", "b", "c", "c"] {
            let operation: Operation = Box::new(|_| Box::pin(async { (true, Box::new(|_| ()) as Reply) }));
            let permit = Arc::clone(&room).acquire_owned().await.expect("room");
            turns.push(pair.to_owned(), Waiting { operation, _room: permit });
        }
        let lengths = |turns: &Turns| {
            turns.0.iter().map(|(pair, queue)| (pair.clone(), queue.len())).collect::<Vec<_>>()
        };
        assert_eq!(turns.take(4).len(), 4, "a, b, c, a");
        assert_eq!(lengths(&turns), [("c".to_owned(), 1), ("a".to_owned(), 2)]);
        assert_eq!(turns.take(9).len(), 3);
        assert_eq!(room.available_permits(), 100, "what was performed gives its room back");
    }

    #[tokio::test]
    async fn the_log_is_emptied_once_nobody_reads_it_and_others_write_meanwhile() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("a.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let connection = SqliteConnection::connect_with(&options).await.expect("a file");
        let mut reader = SqliteConnection::connect_with(&options).await.expect("a file");
        let writer = Arc::new(Writer::start(connection));
        let run = |statement: &'static str| {
            writer.run(move |c| Box::pin(async move { Ok(c.execute(statement).await.map(drop)?) }))
        };
        run("CREATE TABLE t (x)").await.expect("a table");
        reader.execute("BEGIN").await.expect("begun");
        reader.execute("SELECT * FROM t").await.expect("read");
        run("INSERT INTO t VALUES ('a secret')").await.expect("written");
        let emptied = tokio::spawn({
            let writer = Arc::clone(&writer);
            async move { writer.checkpoint().await }
        });
        for _ in 0..5 {
            tokio::time::sleep(AGAIN / 2).await;
            // Far below the time for which SQLite would wait for the reader.
            let more = tokio::time::timeout(BUSY_TIMEOUT / 2, run("INSERT INTO t VALUES ('more')")).await;
            more.expect("nobody waits for the reader").expect("written");
        }
        assert!(!emptied.is_finished(), "it cannot be yet");
        reader.execute("COMMIT").await.expect("ended");
        emptied.await.expect("no panic").expect("emptied");
        let log = std::fs::read(folder.path().join("a.db-wal")).expect("a log");
        assert!(!log.windows(8).any(|window| window == b"a secret"), "{} bytes", log.len());
    }
}
