//! The one writer, and its group commit.
//!
//! A commit costs a disk flush, however much it holds. So the writer takes everything that is queued (up to
//! [`GROUP`] operations) into one transaction, each inside a savepoint of its own, and answers all of them after the
//! commit. An operation that fails is rolled back alone. An operation that is queued is performed even if its caller
//! no longer waits.

use std::fmt;

use futures_util::future::BoxFuture;
use sqlx::Executor;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{mpsc, oneshot};

use super::super::StoreError;

/// Operations of one transaction; beyond this a commit's cost is already shared enough.
const GROUP: usize = 256;

/// Operations that may wait; callers then wait to queue, which slows the listener down instead of filling memory.
const QUEUE: usize = 1024;

/// Tells a caller what became of its operation, given what became of the commit.
type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Performs an operation inside a transaction; answers whether it went well, and how to say so.
type Operation = Box<dyn for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, (bool, Reply)> + Send>;

enum Command {
    Run(Operation),
    Checkpoint(oneshot::Sender<Result<(), StoreError>>),
    Close(oneshot::Sender<()>),
}

/// Queues operations for the writer's task, which ends with the last handle.
pub(super) struct Writer {
    commands: mpsc::Sender<Command>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts the task that owns the connection.
    pub(super) fn start(connection: SqliteConnection) -> Self {
        let (commands, queue) = mpsc::channel(QUEUE);
        tokio::spawn(work(connection, queue));
        Self { commands }
    }

    /// Performs an operation and answers after its commit.
    pub(super) async fn run<T, F>(&self, operation: F) -> Result<T, StoreError>
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
        self.commands.send(Command::Run(boxed)).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Moves the write-ahead log into the file and empties it.
    pub(super) async fn checkpoint(&self) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(Command::Checkpoint(answer)).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Ends the task after what is queued, and closes the connection.
    pub(super) async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        if self.commands.send(Command::Close(answer)).await.is_ok() {
            let _ = answered.await;
        }
    }
}

async fn work(mut connection: SqliteConnection, mut queue: mpsc::Receiver<Command>) {
    let mut batch = Vec::with_capacity(GROUP);
    let mut closing: Option<oneshot::Sender<()>> = None;
    while closing.is_none() && queue.recv_many(&mut batch, GROUP).await > 0 {
        let mut operations = Vec::with_capacity(batch.len());
        let mut checkpoints = Vec::new();
        for command in batch.drain(..) {
            match command {
                Command::Run(operation) => operations.push(operation),
                Command::Checkpoint(answer) => checkpoints.push(answer),
                Command::Close(answer) => closing = Some(answer),
            }
        }
        commit_together(&mut connection, operations).await;
        for answer in checkpoints {
            let done = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
            let _ = answer.send(done.map(drop).map_err(StoreError::from));
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

async fn commit_together(connection: &mut SqliteConnection, operations: Vec<Operation>) {
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
    operations: Vec<Operation>,
    replies: &mut Vec<Reply>,
) -> Result<(), StoreError> {
    connection.execute("BEGIN IMMEDIATE").await?;
    for operation in operations {
        connection.execute("SAVEPOINT one").await?;
        let (fine, reply) = operation(connection).await;
        replies.push(reply);
        if !fine {
            connection.execute("ROLLBACK TO one").await?;
        }
        connection.execute("RELEASE one").await?;
    }
    connection.execute("COMMIT").await?;
    Ok(())
}
