//! SQLite's readers: threads with a read-only connection each, over one queue.
//!
//! A job sees one state of the database from its first statement to its last.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::Connection;

use super::call::Work;
use super::sqlite::{self, Watch};
use super::{Conn, failure};
use crate::error::{Error, Result};

/// The threads and the queue they share.
pub(super) struct Readers {
    queue: Arc<Queue>,
    /// Taken by whoever ends them. Locked only there.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Queue {
    /// Locked for one push or pop.
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

struct Waiting {
    jobs: VecDeque<Box<dyn Work>>,
    closed: bool,
}

impl Readers {
    /// Starts `count` readers of the file.
    pub(super) fn start(path: &Path, count: usize) -> Result<Self> {
        let queue = Arc::new(Queue { waiting: Mutex::new(Waiting { jobs: VecDeque::new(), closed: false }), changed: Condvar::new() });
        let mut threads = Vec::new();
        for _ in 0..count.max(1) {
            let (conn, watch) = sqlite::open_reader(path)?;
            let queue = queue.clone();
            let thread = std::thread::Builder::new().name("sqlite-read".to_owned()).spawn(move || serve(&queue, conn, &watch));
            threads.push(thread.map_err(|e| Error::internal(format!("no thread for a reader: {e}")))?);
        }
        Ok(Self { queue, threads: Mutex::new(threads) })
    }

    /// Queues a job for the next free reader. A job that comes after the end is answered at once.
    pub(super) fn push(&self, job: Box<dyn Work>) {
        let mut waiting = self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.closed {
            drop(waiting);
            return job.answer(Err(failure::unavailable().with_detail("the database is closed")));
        }
        waiting.jobs.push_back(job);
        drop(waiting);
        self.queue.changed.notify_one();
    }

    /// Lets the readers finish what waits and end; blocks until they have.
    pub(super) fn close(&self) {
        self.end();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A reader's panic has been answered to its caller already.
            let _ = thread.join();
        }
    }

    fn end(&self) {
        self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.queue.changed.notify_all();
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.end();
    }
}

fn serve(queue: &Queue, mut conn: Connection, watch: &Watch) {
    loop {
        let mut waiting = queue.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let job = loop {
            if let Some(job) = waiting.jobs.pop_front() {
                break job;
            }
            if waiting.closed {
                return;
            }
            waiting = queue.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        };
        drop(waiting);
        if job.take() {
            run(&mut conn, watch, job);
        }
    }
}

fn run(conn: &mut Connection, watch: &Watch, mut job: Box<dyn Work>) {
    watch.set(Some(Instant::now() + job.limit()));
    watch.follow(Some(job.ticket()));
    let outcome = sqlite::control(conn, "BEGIN").and_then(|()| job.run(&mut Conn::sqlite(conn)));
    watch.set(None);
    watch.follow(None);
    if !conn.is_autocommit()
        && let Err(error) = sqlite::control(conn, "ROLLBACK")
    {
        tracing::error!(%error, "a reader could not end its transaction");
    }
    job.answer(outcome);
}
