//! SQLite's one writer: a thread that commits waiting jobs in groups and serves open transactions one at a time.
//!
//! With `synchronous = FULL` a commit costs a disk flush; sharing it among the jobs that wait anyway makes full durability as fast as
//! the relaxed kind. A group is BEGIN, each job in a savepoint, COMMIT; nobody is answered before the commit. When a group fails as a
//! whole (a trigger rolled everything back, the commit was refused), each job runs again in a transaction of its own. An open
//! transaction takes its turn in the same queue and has the writer to itself until it ends or its time is over.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::call::{Ticket, Work};
use super::sqlite::{self, Watch};
use super::{Conn, failure};
use crate::error::{Error, ErrorCode, Result};

/// Jobs in one group at most, so that the first doesn't wait long for the last.
const GROUP_JOBS: usize = 512;
/// No further job joins a group that has been open this long.
const GROUP_TIME: Duration = Duration::from_millis(20);

/// What the writer is asked, in the order in which it is served.
pub(super) enum Request {
    /// A transaction of its own, grouped with others.
    Job(Box<dyn Work>),
    /// An open transaction.
    Begin(Begin),
    /// The end: everything asked before is served first.
    Close(oneshot::Sender<()>),
}

/// Asks for an open transaction that may last `limit`.
pub(super) struct Begin {
    pub(super) limit: Duration,
    pub(super) ticket: Ticket,
    pub(super) reply: oneshot::Sender<Result<(Sender<Step>, Instant)>>,
}

/// What is asked within an open transaction.
pub(super) enum Step {
    /// A job in a savepoint.
    Run(Box<dyn Work>),
    /// A statement that sets, releases or goes back to a savepoint.
    Control(String, oneshot::Sender<Result<()>>),
    /// The end, kept.
    Commit(oneshot::Sender<Result<()>>),
    /// The end, undone.
    Rollback(oneshot::Sender<Result<()>>),
}

/// Starts the thread; it ends when `Close` was served or the last sender is gone.
pub(super) fn start(conn: Connection, watch: Watch) -> Result<Sender<Request>> {
    let (sender, requests) = channel();
    let writer = Writer { conn, watch, requests, held: None };
    let thread = std::thread::Builder::new().name("sqlite-write".to_owned()).spawn(move || writer.serve());
    thread.map_err(|e| Error::internal(format!("no thread for the writer: {e}")))?;
    Ok(sender)
}

/// As [`start`], on requests that wait already.
#[cfg(test)]
pub(super) fn serve_for_test(conn: Connection, watch: Watch, requests: Receiver<Request>) {
    std::thread::spawn(move || Writer { conn, watch, requests, held: None }.serve());
}

struct Writer {
    conn: Connection,
    watch: Watch,
    requests: Receiver<Request>,
    /// A request that ended the collecting of a group and is served next.
    held: Option<Request>,
}

/// A job in a group with what its last run came to.
struct Member {
    work: Box<dyn Work>,
    outcome: Result<()>,
}

impl Writer {
    fn serve(mut self) {
        while let Some(request) = self.held.take().or_else(|| self.requests.recv().ok()) {
            match request {
                Request::Job(job) if job.take() => self.group(job),
                Request::Job(_) => {}
                Request::Begin(begin) if begin.ticket.take() => self.transaction(begin),
                Request::Begin(_) => {}
                Request::Close(done) => {
                    self.checkpoint();
                    drop(self.conn);
                    let _ = done.send(());
                    return;
                }
            }
        }
        self.checkpoint();
    }

    fn checkpoint(&self) {
        if let Err(error) = sqlite::batch(&self.conn, "PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);") {
            tracing::warn!(%error, "the database could not be checkpointed");
        }
    }

    /// Runs `first` and whatever waits behind it, commits once, answers all.
    fn group(&mut self, first: Box<dyn Work>) {
        let begun = Instant::now();
        if let Err(error) = sqlite::control(&self.conn, "BEGIN IMMEDIATE") {
            return first.answer(Err(error));
        }
        let mut members = Vec::new();
        let mut next = Some(first);
        let mut whole = true;
        while let Some(mut work) = next.take() {
            let outcome = self.member(&mut *work);
            members.push(Member { work, outcome });
            if self.conn.is_autocommit() {
                whole = false;
                break;
            }
            if members.len() < GROUP_JOBS && begun.elapsed() < GROUP_TIME {
                next = self.waiting_job();
            }
        }
        if whole && self.commit().is_ok() {
            for member in members {
                member.work.answer(member.outcome);
            }
            return;
        }
        for mut member in members {
            let outcome = self.alone(&mut *member.work);
            member.work.answer(outcome);
        }
    }

    /// The next request, if it is there and a job.
    fn waiting_job(&mut self) -> Option<Box<dyn Work>> {
        loop {
            match self.requests.try_recv() {
                Ok(Request::Job(job)) if job.take() => return Some(job),
                Ok(Request::Job(_)) => {}
                Ok(other) => {
                    self.held = Some(other);
                    return None;
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return None,
            }
        }
    }

    /// One job in a savepoint: undone alone when it fails.
    fn member(&mut self, work: &mut dyn Work) -> Result<()> {
        sqlite::control(&self.conn, "SAVEPOINT member")?;
        let limit = work.limit();
        let mut outcome = self.run(work, limit);
        if self.conn.is_autocommit() {
            return outcome.and(Err(Error::internal("a job ended the transaction of its group")));
        }
        if outcome.is_ok() && sqlite::owes_foreign_keys(&self.conn) {
            outcome = Err(failure::foreign_key());
        }
        let ended = match &outcome {
            Ok(()) => sqlite::control(&self.conn, "RELEASE member"),
            Err(_) => sqlite::control(&self.conn, "ROLLBACK TO member").and_then(|()| sqlite::control(&self.conn, "RELEASE member")),
        };
        if let Err(error) = ended {
            self.rollback();
            return Err(error);
        }
        outcome
    }

    /// One job in a transaction of its own.
    fn alone(&mut self, work: &mut dyn Work) -> Result<()> {
        sqlite::control(&self.conn, "BEGIN IMMEDIATE")?;
        let limit = work.limit();
        let outcome = self.run(work, limit);
        if self.conn.is_autocommit() {
            return outcome.and(Err(Error::internal("a job ended its own transaction")));
        }
        match outcome {
            Ok(()) => self.commit(),
            Err(error) => {
                self.rollback();
                Err(error)
            }
        }
    }

    fn run(&mut self, work: &mut dyn Work, limit: Duration) -> Result<()> {
        self.watch.set(Some(Instant::now() + limit));
        let outcome = work.run(&mut Conn::sqlite(&mut self.conn));
        self.watch.set(None);
        outcome
    }

    /// Commits; a commit that is refused is rolled back.
    fn commit(&self) -> Result<()> {
        let outcome = sqlite::control(&self.conn, "COMMIT");
        if outcome.is_err() {
            self.rollback();
        }
        outcome
    }

    fn rollback(&self) {
        if self.conn.is_autocommit() {
            return;
        }
        if let Err(error) = sqlite::control(&self.conn, "ROLLBACK") {
            tracing::error!(%error, "the writer could not roll back");
        }
    }

    /// Serves one open transaction until it ends, its owner is gone or its time is over.
    fn transaction(&mut self, begin: Begin) {
        if let Err(error) = sqlite::control(&self.conn, "BEGIN IMMEDIATE") {
            let _ = begin.reply.send(Err(error));
            return;
        }
        let deadline = Instant::now() + begin.limit;
        let (sender, steps) = channel();
        if begin.reply.send(Ok((sender, deadline))).is_err() {
            return self.rollback();
        }
        loop {
            match steps.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Step::Run(mut work)) => {
                    if work.take() {
                        let left = deadline.saturating_duration_since(Instant::now());
                        let outcome = self.step(&mut *work, left);
                        work.answer(outcome);
                    }
                }
                Ok(Step::Control(text, reply)) => {
                    let _ = reply.send(sqlite::control(&self.conn, &text));
                }
                Ok(Step::Commit(reply)) => {
                    let _ = reply.send(self.commit());
                    return;
                }
                Ok(Step::Rollback(reply)) => {
                    self.rollback();
                    let _ = reply.send(Ok(()));
                    return;
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return self.rollback(),
            }
            // A trigger or the end of its time has rolled the whole transaction back: whatever is asked next finds it over.
            if self.conn.is_autocommit() {
                return;
            }
        }
    }

    /// A job within an open transaction. Foreign keys that only the commit checks may stay owed until then.
    fn step(&mut self, work: &mut dyn Work, left: Duration) -> Result<()> {
        sqlite::control(&self.conn, "SAVEPOINT step")?;
        let outcome = self.run(work, left);
        if self.conn.is_autocommit() {
            return outcome.and(Err(Error::internal("a job ended the transaction it ran in")));
        }
        if let Err(error) = &outcome {
            if error.code() == ErrorCode::TransactionTimeout {
                self.rollback();
                return outcome;
            }
            sqlite::control(&self.conn, "ROLLBACK TO step")?;
        }
        sqlite::control(&self.conn, "RELEASE step")?;
        outcome
    }
}
