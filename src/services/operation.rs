//! One operation: what one caller asked for, with everything that its hooks do in its name, as one transaction.
//!
//! The transaction opens at the first write that a filter hook makes, or at a lock; an operation whose hooks don't write hands its
//! statements to the database as one job instead and never holds the writer across JavaScript.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::changes::{self, Kind, Lagging};
use super::runner::Snapshot;
use super::{Core, Ctx, Item};
use crate::auth::Accountability;
use crate::db::{Conn, Schema, Tx};
use crate::error::{Error, ErrorCode, Result};
use crate::hooks::Hook;
use crate::hooks::outbox::Delivery;

/// How often an operation that lost a race for rows is run again from the caller's input.
const MAX_ATTEMPTS: u32 = 4;

/// How long past its deadline an operation may go on: hooks end at the deadline by themselves, and what they did is then known.
const GRACE: std::time::Duration = std::time::Duration::from_millis(150);

/// Which kind of end an operation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// What is written stays, unless it fails.
    Keep,
    /// Nothing stays, whatever happens: a dry run.
    Discard,
}

/// How an operation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Well: what it wrote stays, if it was meant to.
    Keep,
    /// Badly: nothing of it stays.
    Undo,
}

/// The state that all parts of one operation share.
pub struct Operation {
    /// The request that caused it.
    pub request_id: Arc<str>,
    /// When it must have ended.
    pub deadline: Instant,
    /// The extensions that it uses to its end.
    pub snapshot: Arc<dyn Snapshot>,
    /// The schema that it uses to its end.
    pub schema: Arc<Schema>,
    /// Whether anything of it stays.
    pub intent: Intent,
    /// The hosts that don't know yet of what it changed.
    pub lagging: Lagging,
    /// Held for the length of one statement or job, across its await: a tokio mutex.
    tx: tokio::sync::Mutex<TxState>,
    /// Mirrors the deadline of an open transaction, for those who can't wait for `tx`. Short sections only.
    tx_deadline: Mutex<Option<Instant>>,
    /// What to do once it is committed. Short sections only.
    after: Mutex<After>,
    /// Set when something left the host in its course, so that it can't be run again unnoticed.
    reached_out: AtomicBool,
    /// What its dynamic values stand for.
    pub(super) variables: super::variables::Cache,
}

#[derive(Default)]
struct TxState {
    tx: Option<Tx>,
    /// Open savepoints of `transaction()`, innermost last, and what was noted for after the commit when each began.
    savepoints: Vec<(u32, Noted)>,
    /// Set once the operation ended: a straggler must not open another transaction.
    over: bool,
}

/// Where a nested call began.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    /// In the transaction, here; `None` where none was open.
    savepoint: Option<u32>,
    noted: Noted,
}

/// How much was noted for after the commit.
#[derive(Debug, Clone, Copy, Default)]
struct Noted {
    deliveries: usize,
    best_effort: usize,
    unleased: bool,
}

/// What follows a commit.
#[derive(Default)]
pub(super) struct After {
    pub deliveries: Vec<Delivery>,
    /// Deliveries that were written without a lease.
    pub unleased: bool,
    pub best_effort: Vec<(Arc<Hook>, Ctx, Item)>,
    /// What changed that hosts keep in memory.
    pub changed: BTreeSet<Kind>,
}

impl Operation {
    fn new(core: &Core, start: &Start, deadline: Instant) -> Arc<Self> {
        Arc::new(Self {
            request_id: Arc::clone(&start.request_id),
            deadline,
            snapshot: core.snapshot(),
            schema: core.schema(),
            intent: start.intent,
            lagging: start.lagging.clone(),
            tx: tokio::sync::Mutex::default(),
            tx_deadline: Mutex::new(None),
            after: Mutex::default(),
            reached_out: AtomicBool::new(false),
            variables: super::variables::Cache::default(),
        })
    }

    /// When its open transaction will be ended for it.
    pub fn tx_deadline(&self) -> Option<Instant> {
        *self.tx_deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its transaction is open: then nothing may wait for the world outside the database.
    pub fn is_tx_open(&self) -> bool {
        self.tx_deadline().is_some()
    }

    /// Notes that something outside the database heard of this operation.
    pub fn note_reached_out(&self) {
        self.reached_out.store(true, Ordering::Relaxed);
    }

    pub(super) fn after(&self) -> MutexGuard<'_, After> {
        self.after.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `job` in the transaction if one is open; answers `None`, without running it, if not.
    pub(super) async fn in_open_tx<T, F>(&self, savepoint: Option<u32>, job: F) -> Option<Result<T>>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Conn<'_>) -> BoxFuture<'c, Result<T>> + Send + Sync + 'static,
    {
        if !self.is_tx_open() {
            return None;
        }
        let state = self.tx.lock().await;
        state.tx.as_ref()?;
        Some(match state.admitted(savepoint) {
            Ok(tx) => tx.run(job).await,
            Err(error) => Err(error),
        })
    }

    /// Runs `job` in the transaction, which opens here if it isn't open yet.
    pub(super) async fn in_tx<T, F>(&self, core: &Core, savepoint: Option<u32>, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Conn<'_>) -> BoxFuture<'c, Result<T>> + Send + Sync + 'static,
    {
        let mut state = self.tx.lock().await;
        self.open(core, &mut state).await?;
        state.admitted(savepoint)?.run(job).await
    }

    async fn open(&self, core: &Core, state: &mut TxState) -> Result<()> {
        if state.over {
            return Err(Error::new(ErrorCode::ServiceUnavailable, "This operation has ended already"));
        }
        if state.tx.is_none() {
            let tx = core.db.begin().await?;
            *self.tx_deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(tx.deadline());
            state.tx = Some(tx);
        }
        Ok(())
    }

    /// Opens a savepoint (and the transaction). Until it ends, only those who name it may use the transaction.
    pub async fn savepoint(&self, core: &Core, parent: Option<u32>) -> Result<u32> {
        let mut state = self.tx.lock().await;
        self.open(core, &mut state).await?;
        let id = state.admitted(parent)?.savepoint().await?;
        state.savepoints.push((id, self.noted()));
        Ok(id)
    }

    /// Ends a savepoint: keeps what happened since, or undoes it.
    pub async fn end_savepoint(&self, id: u32, keep: bool) -> Result<()> {
        let mut state = self.tx.lock().await;
        let noted = match state.savepoints.last() {
            Some((innermost, noted)) if *innermost == id => *noted,
            _ => return Err(scope_error()),
        };
        if !keep {
            self.forget_after(noted);
        }
        let tx = state.tx.as_ref().ok_or_else(|| Error::new(ErrorCode::TransactionTimeout, "The transaction has ended already"))?;
        let undone = if keep { Ok(()) } else { tx.rollback_to(id).await };
        let ended = undone.and(tx.release(id).await);
        state.savepoints.pop();
        ended
    }

    /// Marks where a nested call begins, so that it alone can be undone. Its caller sees to it that such calls don't overlap.
    pub async fn mark(&self, savepoint: Option<u32>) -> Result<Mark> {
        let state = self.tx.lock().await;
        let savepoint = match &state.tx {
            Some(_) => Some(state.admitted(savepoint)?.savepoint().await?),
            None => None,
        };
        Ok(Mark { savepoint, noted: self.noted() })
    }

    /// Ends a nested call: keeps what it wrote, or undoes it, with what it noted for after the commit.
    pub async fn end_mark(&self, mark: Mark, keep: bool) {
        let mut state = self.tx.lock().await;
        if !keep {
            self.forget_after(mark.noted);
        }
        match (mark.savepoint, &state.tx) {
            (Some(id), Some(tx)) => {
                let undone = if keep { Ok(()) } else { tx.rollback_to(id).await };
                if let Err(error) = undone.and(tx.release(id).await) {
                    // The transaction is over: nothing of it can be committed any more.
                    tracing::debug!(%error, "a nested call could not be ended in its transaction");
                }
            }
            // No transaction was open when the call began: what is open is its own.
            (None, Some(_)) if !keep => {
                *self.tx_deadline.lock().unwrap_or_else(PoisonError::into_inner) = None;
                if let Some(tx) = state.tx.take() {
                    tx.rollback().await;
                }
            }
            _ => {}
        }
    }

    fn noted(&self) -> Noted {
        let after = self.after();
        Noted { deliveries: after.deliveries.len(), best_effort: after.best_effort.len(), unleased: after.unleased }
    }

    /// What was undone triggers nothing.
    fn forget_after(&self, noted: Noted) {
        let mut after = self.after();
        after.deliveries.truncate(noted.deliveries);
        after.best_effort.truncate(noted.best_effort);
        after.unleased = noted.unleased;
    }

    /// Commits what is open, if anything is.
    async fn commit(&self) -> Result<()> {
        let Some(tx) = self.end().await else { return Ok(()) };
        let changed = self.after().changed.clone();
        if !changed.is_empty() {
            // Last, and in one order, so that nobody waits for it longer than a commit takes.
            let noted = tx.run(move |conn| {
                let changed = changed.clone();
                Box::pin(async move {
                    for kind in changed {
                        changes::note(conn, kind).await?;
                    }
                    Ok(())
                })
            });
            if let Err(error) = noted.await {
                tx.rollback().await;
                return Err(error);
            }
        }
        tx.commit().await
    }

    /// Undoes what is open, if anything is.
    async fn rollback(&self) {
        if let Some(tx) = self.end().await {
            tx.rollback().await;
        }
    }

    async fn end(&self) -> Option<Tx> {
        let mut state = self.tx.lock().await;
        state.over = true;
        *self.tx_deadline.lock().unwrap_or_else(PoisonError::into_inner) = None;
        state.tx.take()
    }
}

impl TxState {
    /// The open transaction, for a caller inside `savepoint`. While a savepoint is open, a statement from outside it would be undone
    /// with it: that is refused instead.
    fn admitted(&self, savepoint: Option<u32>) -> Result<&Tx> {
        if self.savepoints.last().map(|(id, _)| *id) != savepoint {
            return Err(scope_error());
        }
        self.tx.as_ref().ok_or_else(|| Error::new(ErrorCode::TransactionTimeout, "The transaction has ended already"))
    }
}

fn scope_error() -> Error {
    Error::new(
        ErrorCode::TransactionOpen,
        "A `transaction()` is open: use the `services` that its callback was given, and await each call in it",
    )
}

/// How an operation begins.
#[derive(Clone)]
pub struct Start {
    /// Who asks.
    pub who: Arc<Accountability>,
    /// The request that caused it.
    pub request_id: Arc<str>,
    /// Whether anything of it stays.
    pub intent: Intent,
    /// How deep in hooks it begins.
    pub depth: u32,
    /// The hooks that led to it.
    pub chain: Arc<[String]>,
    /// The delivery of the outbox that it is part of.
    pub delivery: Option<uuid::Uuid>,
    /// An earlier end than `REQUEST_TIMEOUT_MS` from now.
    pub deadline: Option<Instant>,
    /// Where to name the hosts that don't know yet of what it changes.
    pub lagging: Lagging,
}

impl Start {
    /// An operation that a caller from outside asked for.
    pub fn new(who: Arc<Accountability>, request_id: Arc<str>) -> Self {
        Self {
            who,
            request_id,
            intent: Intent::Keep,
            depth: 0,
            chain: Arc::from([]),
            delivery: None,
            deadline: None,
            lagging: Lagging::default(),
        }
    }

    /// An operation of the host itself.
    pub fn system() -> Self {
        Self::new(Arc::new(Accountability::system()), Arc::from(uuid::Uuid::now_v7().to_string()))
    }
}

impl Core {
    /// Runs `work` as one operation: all of it is committed, or nothing.
    ///
    /// `work` runs again, from the start, when concurrent transactions got in its way and nothing outside the database heard of it.
    pub async fn operate<T, F, Run>(self: &Arc<Self>, start: Start, work: F) -> Result<T>
    where
        F: Fn(Ctx) -> Run,
        Run: Future<Output = Result<T>>,
    {
        let mut attempt = 1;
        // One deadline for all attempts together.
        let start = Start { deadline: Some(self.deadline(&start)), ..start };
        loop {
            let ctx = self.open(&start);
            let operation = Arc::clone(&ctx.op);
            let result = match tokio::time::timeout_at(operation.deadline + GRACE, work(ctx)).await {
                Ok(result) => result,
                Err(_) => Err(Error::new(ErrorCode::RequestTimeout, "The operation took longer than it may, with all its hooks")),
            };
            let ended = match result {
                Ok(value) => self.close(&operation, Outcome::Keep).await.map(|()| value),
                Err(error) => {
                    self.close(&operation, Outcome::Undo).await?;
                    Err(error)
                }
            };
            match ended {
                Err(error)
                    if error.code() == ErrorCode::TransactionConflict
                        && attempt < MAX_ATTEMPTS
                        && !operation.reached_out.load(Ordering::Relaxed) =>
                {
                    attempt += 1;
                }
                ended => return ended,
            }
        }
    }

    /// Begins an operation that the caller closes. Most callers want [`Core::operate`].
    pub fn open(self: &Arc<Self>, start: &Start) -> Ctx {
        let operation = Operation::new(self, start, self.deadline(start));
        Ctx::root(Arc::clone(self), operation, start)
    }

    fn deadline(&self, start: &Start) -> Instant {
        let latest = Instant::now() + self.config.request_timeout;
        start.deadline.map_or(latest, |d| d.min(latest))
    }

    /// Ends an operation: commits what it wrote and does what follows a commit, or undoes it.
    pub async fn close(self: &Arc<Self>, operation: &Operation, outcome: Outcome) -> Result<()> {
        if outcome == Outcome::Keep && operation.intent == Intent::Keep {
            operation.commit().await?;
            self.after_commit(operation).await;
        } else {
            operation.rollback().await;
            if operation.after().changed.contains(&Kind::Access) {
                self.directory.invalidate();
            }
        }
        Ok(())
    }

    async fn after_commit(self: &Arc<Self>, operation: &Operation) {
        let after = std::mem::take(&mut *operation.after());
        if after.changed.contains(&Kind::Access) {
            self.directory.invalidate();
        }
        if !after.deliveries.is_empty() {
            self.dispatcher.publish(after.deliveries);
        }
        if after.unleased {
            self.dispatcher.nudge();
        }
        for (hook, ctx, meta) in after.best_effort {
            Arc::clone(&operation.snapshot).best_effort(hook, ctx, meta);
        }
        // Extensions are settled by the service that changes them, which holds what it takes to take them over.
        for kind in after.changed.into_iter().filter(|kind| *kind != Kind::Extensions) {
            if let Err(error) = self.settle(kind, &operation.lagging).await {
                tracing::warn!(%error, kind = kind.name(), "a change could not be taken over; it is tried again");
            }
        }
    }
}
