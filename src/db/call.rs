//! One job on its way to a database thread and its answer on the way back.
//!
//! The caller may give up while the job waits; whoever is first, thread or caller, decides by one compare-and-swap. The threads see
//! jobs of any result type as [`Work`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Conn, JobFn, failure};
use crate::error::{Error, Result};

const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const ABANDONED: u8 = 2;
const LEFT: u8 = 3;

/// A job as the thread that runs it sees it.
pub(super) trait Work: Send {
    /// Claims the job; false: its caller has gone, skip it.
    fn take(&self) -> bool;
    /// Tells whether the caller still waits.
    fn ticket(&self) -> Ticket;
    /// How long one run may take.
    fn limit(&self) -> Duration;
    /// Runs it once and keeps what it answers. May be called again.
    fn run(&mut self, conn: &mut Conn<'_>) -> Result<()>;
    /// Sends the caller what the last run kept, or why it doesn't count.
    fn answer(self: Box<Self>, outcome: Result<()>);
}

/// Who was first: the thread that takes the job, or the caller that gives up. Shared by the two.
#[derive(Clone, Default)]
pub(super) struct Ticket(Arc<AtomicU8>);

impl Ticket {
    /// For the thread: false when the caller has gone.
    pub(super) fn take(&self) -> bool {
        self.0.compare_exchange(WAITING, TAKEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// For the thread: whether the caller has gone since the job was taken.
    pub(super) fn caller_left(&self) -> bool {
        self.0.load(Ordering::Relaxed) == LEFT
    }

    /// For the caller: true when the thread hasn't begun and now never will.
    fn abandon(&self) -> bool {
        self.0.compare_exchange(WAITING, ABANDONED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// The caller's half: waits for the answer.
pub(super) struct Answer<T> {
    reply: oneshot::Receiver<Result<T>>,
    ticket: Ticket,
}

impl<T> Answer<T> {
    /// A place for the answer, to be waited at, and the way there.
    pub(super) fn new() -> (oneshot::Sender<Result<T>>, Ticket, Self) {
        let (sender, reply) = oneshot::channel();
        let ticket = Ticket::default();
        (sender, ticket.clone(), Self { reply, ticket })
    }

    /// Waits until the job has run; `patience` is how long it may wait to be begun.
    pub(super) async fn wait(mut self, patience: Duration) -> Result<T> {
        let gone = |_| Err(failure::unavailable().with_detail("the database thread has ended"));
        match tokio::time::timeout(patience, &mut self.reply).await {
            Ok(reply) => reply.unwrap_or_else(gone),
            Err(_) if self.ticket.abandon() => Err(failure::unavailable().with_detail("waited too long for the database")),
            Err(_) => (&mut self.reply).await.unwrap_or_else(gone),
        }
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        if !self.ticket.abandon() {
            self.ticket.0.store(LEFT, Ordering::Relaxed);
        }
    }
}

/// A job of a known type; see [`Work`].
pub(super) struct Call<T, F> {
    job: F,
    limit: Duration,
    value: Option<T>,
    reply: oneshot::Sender<Result<T>>,
    ticket: Ticket,
}

impl<T: Send + 'static, F: JobFn<T>> Call<T, F> {
    /// The job, boxed for its thread, and the caller's half.
    pub(super) fn pair(job: F, limit: Duration) -> (Box<dyn Work>, Answer<T>) {
        let (reply, ticket, answer) = Answer::new();
        (Box::new(Self { job, limit, value: None, reply, ticket }), answer)
    }
}

impl<T: Send + 'static, F: JobFn<T>> Work for Call<T, F> {
    fn take(&self) -> bool {
        self.ticket.take()
    }

    fn ticket(&self) -> Ticket {
        self.ticket.clone()
    }

    fn limit(&self) -> Duration {
        self.limit
    }

    fn run(&mut self, conn: &mut Conn<'_>) -> Result<()> {
        self.value = None;
        let polled = catch_unwind(AssertUnwindSafe(|| (self.job)(conn).as_mut().poll(&mut Context::from_waker(Waker::noop()))));
        let outcome = match polled {
            Ok(Poll::Ready(outcome)) => outcome,
            Ok(Poll::Pending) => Err(Error::internal("a database job waited for something else than its connection")),
            Err(panic) => Err(panicked(&*panic)),
        };
        self.value = Some(conn.outcome(outcome)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let Self { value, reply, .. } = *self;
        let answer = outcome.and_then(|()| value.ok_or_else(|| Error::internal("a database job ended without a value")));
        // Nobody listens any more: the work stays done.
        let _ = reply.send(answer);
    }
}

/// A panic inside a job, as an error of ours.
pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    Error::internal(format!("a database job panicked: {}", text.unwrap_or_default()))
}
