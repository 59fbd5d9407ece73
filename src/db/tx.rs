//! An open transaction that several calls join, one after the other.
//!
//! It ends by itself when its time is over, called or not, so that nobody can hold SQLite's writer or a connection of Postgres for
//! longer than that. The services hold one per operation that needs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::{Mutex, oneshot};
use tokio::time::{Instant, timeout_at};

use super::call::{Answer, Call};
use super::postgres::{self, Lease};
use super::writer::{Begin, Request, Step};
use super::{JobFn, failure};
use crate::error::{Error, ErrorCode, Result};

/// An open transaction. Must be committed or rolled back: dropped, it rolls back and leaves a warning in the log.
pub struct Tx {
    side: Side,
    deadline: Instant,
    savepoints: AtomicU32,
    ended: bool,
}

enum Side {
    /// To the writer's thread, which serves its steps in order.
    Sqlite(mpsc::Sender<Step>),
    /// Locked for one call; also by the timer that ends it.
    Postgres(Arc<Mutex<Open>>),
}

/// Postgres' half. Without a lease the transaction is over.
struct Open {
    lease: Option<Lease>,
    /// Set while a statement is under way: found set, the call was dropped in the middle and the connection's state isn't known.
    busy: bool,
    /// Set when a statement was ended because the time was over, by the server's clock or by ours.
    late: bool,
}

impl Open {
    /// The connection, if the transaction is still open and its state known.
    fn enter(&mut self, deadline: Instant) -> Result<&mut Lease> {
        if self.busy {
            self.lease = None;
        }
        match &mut self.lease {
            Some(lease) => {
                self.busy = true;
                Ok(lease)
            }
            None if self.late => Err(failure::timeout()),
            None => Err(over(deadline)),
        }
    }
}

/// Why a transaction that was open no longer is.
fn over(deadline: Instant) -> Error {
    if Instant::now() >= deadline { failure::timeout() } else { failure::conflict().with_detail("the transaction had ended before") }
}

pub(super) async fn begin_sqlite(writer: &mpsc::Sender<Request>, limit: Duration, patience: Duration) -> Result<Tx> {
    let (reply, ticket, answer) = Answer::new();
    writer.send(Request::Begin(Begin { limit, ticket, reply })).map_err(|_| failure::unavailable())?;
    let (steps, deadline) = answer.wait(patience).await?;
    Ok(Tx::new(Side::Sqlite(steps), Instant::from_std(deadline)))
}

pub(super) async fn begin_postgres(pool: &postgres::Pool, limit: Duration) -> Result<Tx> {
    let lease = postgres::begin(pool, limit, false).await?;
    let deadline = Instant::now() + limit;
    let open = Arc::new(Mutex::new(Open { lease: Some(lease), busy: false, late: false }));
    let watched = Arc::downgrade(&open);
    tokio::spawn(async move {
        tokio::time::sleep_until(deadline).await;
        // Gone: it ended in time.
        if let Some(open) = watched.upgrade() {
            undo(&open).await;
        }
    });
    Ok(Tx::new(Side::Postgres(open), deadline))
}

/// Rolls back and gives the connection back; where that doesn't work the connection is closed.
async fn undo(open: &Mutex<Open>) {
    /// A server that doesn't even roll back within this is given up.
    const PATIENCE: Duration = Duration::from_secs(5);
    let mut open = open.lock().await;
    let known = !open.busy;
    if let Some(mut lease) = open.lease.take()
        && known
        && let Ok(Ok(())) = tokio::time::timeout(PATIENCE, postgres::control(lease.conn(), "ROLLBACK")).await
    {
        lease.give_back();
    }
}

impl Tx {
    fn new(side: Side, deadline: Instant) -> Self {
        Self { side, deadline, savepoints: AtomicU32::new(0), ended: false }
    }

    /// When it is rolled back if it hasn't ended before.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Runs a job in the transaction, in a savepoint of its own: if it fails, only its own statements are undone.
    ///
    /// # Errors
    /// The job's own; `TransactionTimeout` when the time is over.
    pub async fn run<T: Send + 'static, F: JobFn<T>>(&self, job: F) -> Result<T> {
        match &self.side {
            Side::Sqlite(steps) => {
                let (work, answer) = Call::pair(job, Duration::MAX);
                steps.send(Step::Run(work)).map_err(|_| over(self.deadline))?;
                // The writer's thread ends it at the deadline; patience beyond that only covers a slow rollback.
                answer.wait(Duration::from_secs(3600)).await.map_err(|e| self.explain(e))
            }
            Side::Postgres(open) => {
                let mut open = open.lock().await;
                let lease = open.enter(self.deadline)?;
                let run = async {
                    postgres::control(lease.conn(), "SAVEPOINT step").await?;
                    let outcome = postgres::run(lease, &job).await;
                    let end = if outcome.is_ok() { "RELEASE step" } else { "ROLLBACK TO step; RELEASE step" };
                    let ended = postgres::control(lease.conn(), end).await;
                    Ok((outcome, ended))
                };
                let cut = timeout_at(self.deadline, run).await;
                let (outcome, ended) = self.leave(&mut open, cut).inspect_err(|_| open.lease = None)?;
                if outcome.as_ref().is_err_and(|e| e.code() == ErrorCode::TransactionTimeout) {
                    // The server was first to see that the time is over.
                    open.late = true;
                    open.lease = None;
                }
                if let Err(error) = ended {
                    // There was nothing left to go back to: the connection is lost.
                    open.lease = None;
                    return outcome.and(Err(error));
                }
                outcome
            }
        }
    }

    /// Sets a savepoint; answers its number.
    ///
    /// # Errors
    /// `TransactionTimeout` when the time is over.
    pub async fn savepoint(&self) -> Result<u32> {
        let id = self.savepoints.fetch_add(1, Ordering::Relaxed);
        self.control(format!("SAVEPOINT point_{id}")).await?;
        Ok(id)
    }

    /// Forgets a savepoint; what was done since stays.
    ///
    /// # Errors
    /// `TransactionTimeout` when the time is over; `Internal` when there is no such savepoint.
    pub async fn release(&self, id: u32) -> Result<()> {
        self.control(format!("RELEASE point_{id}")).await
    }

    /// Undoes what was done since the savepoint, which stays and may be gone back to again.
    ///
    /// # Errors
    /// As [`Tx::release`].
    pub async fn rollback_to(&self, id: u32) -> Result<()> {
        self.control(format!("ROLLBACK TO point_{id}")).await
    }

    /// Ends it and keeps what was done. Answers when it is safe on disk.
    ///
    /// # Errors
    /// `InvalidForeignKey` and the like where the database checks only now; `TransactionTimeout` when the time is over. Nothing is kept
    /// then.
    pub async fn commit(mut self) -> Result<()> {
        self.ended = true;
        match &self.side {
            Side::Sqlite(steps) => self.ask(steps, Step::Commit).await,
            Side::Postgres(open) => {
                let mut open = open.lock().await;
                let lease = open.enter(self.deadline)?;
                // Not cut off at the deadline: a commit under way is decided by the server alone.
                let outcome = postgres::control(lease.conn(), "COMMIT").await;
                open.busy = false;
                if let Some(lease) = open.lease.take()
                    && outcome.is_ok()
                {
                    lease.give_back();
                }
                outcome
            }
        }
    }

    /// Ends it and undoes everything.
    pub async fn rollback(mut self) {
        self.ended = true;
        match &self.side {
            // Over already: nothing to undo.
            Side::Sqlite(steps) => drop(self.ask(steps, Step::Rollback).await),
            Side::Postgres(open) => undo(open).await,
        }
    }

    async fn control(&self, text: String) -> Result<()> {
        match &self.side {
            Side::Sqlite(steps) => self.ask(steps, |reply| Step::Control(text, reply)).await,
            Side::Postgres(open) => {
                let mut open = open.lock().await;
                let lease = open.enter(self.deadline)?;
                let outcome = timeout_at(self.deadline, postgres::control(lease.conn(), &text)).await;
                let outcome = self.leave(&mut open, outcome);
                if outcome.is_err() {
                    // The server now takes nothing more and would answer a commit without keeping anything.
                    open.lease = None;
                }
                outcome
            }
        }
    }

    async fn ask(&self, steps: &mpsc::Sender<Step>, step: impl FnOnce(oneshot::Sender<Result<()>>) -> Step) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        steps.send(step(reply)).map_err(|_| over(self.deadline))?;
        answer.await.unwrap_or_else(|_| Err(over(self.deadline)))
    }

    /// A thread that ended before it answered means that the transaction was over.
    fn explain(&self, error: Error) -> Error {
        if error.code() == ErrorCode::ServiceUnavailable { over(self.deadline).with_detail(error.to_string()) } else { error }
    }

    /// After a call on Postgres: one cut off by the deadline leaves a connection in an unknown state, which is closed.
    fn leave<T>(&self, open: &mut Open, outcome: std::result::Result<Result<T>, tokio::time::error::Elapsed>) -> Result<T> {
        open.busy = false;
        outcome.unwrap_or_else(|_| {
            open.late = true;
            open.lease = None;
            Err(failure::timeout())
        })
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        tracing::warn!("a transaction was dropped without an end; it is rolled back");
        // On SQLite the writer notices that the sender is gone.
        if let Side::Postgres(open) = &self.side {
            let open = open.clone();
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move { undo(&open).await });
            }
        }
    }
}
