//! The host's end of one worker: what was sent, what is held there, what comes back.
//!
//! Everything that the worker says is checked against what the host knows it holds; the first violation closes the link, and whoever
//! reads it kills the process. Written by the invocations (`run.rs`), read by one task per worker, watched by the pool's keeper.

mod held;

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::limits::{
    MAX_CONSOLE_ON_HOST, MAX_FRAME, MAX_HEAD, MAX_LOADED, MAX_METHOD, MAX_NOTE, MAX_NOTES, MAX_REPORT, MAX_WHOLE, STALE_AFTER,
    UNSENT_FACTOR,
};
use super::protocol::{AckBody, CreditBody, Decoder, Kind, Message, OWN_STREAM, Outbox, PieceBody, Violation};
use super::room;
use held::Held;
pub(super) use held::{Event, raw_json};

/// How long the memory of a worker that does nothing is believed to be what it was.
const MEMORY_BELIEVED: Duration = Duration::from_secs(1);
/// Bytes asked of the socket at once.
const READ: usize = 64 * 1024;

/// One worker as the host sees it.
pub(super) struct Link {
    /// What the process is killed by.
    pub(super) number: u64,
    pub(super) pid: u32,
    stream: UnixStream,
    max_payload: usize,
    /// Changed by invocations, the reader and the keeper; never held across an await.
    state: Mutex<State>,
    /// Tells the writer task that the socket was full.
    blocked: Notify,
    /// Tells invocations that something of what blocked was written.
    drained: Notify,
}

struct State {
    outbox: Outbox,
    /// Messages given to the outbox, without those taken back.
    sent: u64,
    /// Messages that the worker has dealt with.
    acked: u64,
    /// It has work of its own to do, such as timers, although it has dealt with all messages.
    working: bool,
    /// When it last yielded, or when it got work while it had none.
    progress: Instant,
    last_used: Instant,
    held: HashMap<u64, Held>,
    /// Invocations that the host ended: the worker may not know yet.
    ended: HashMap<u64, Ended>,
    loaded: Option<oneshot::Sender<Vec<u8>>>,
    /// Taken when it has said what is in force in it.
    hello: Option<oneshot::Sender<Vec<u8>>>,
    /// How often it may still say something for the log.
    notes: u32,
    dead: bool,
    /// It is ended because all workers together have too much memory.
    for_memory: bool,
    retiring: bool,
    priority: Priority,
    /// Bytes of its own at the last look, and when that was.
    memory: (u64, Instant),
    /// Since when it works without a yield, with the processor time that it had used when that was first seen.
    busy: Option<(Instant, Duration)>,
}

struct Ended {
    /// Settled when the worker has dealt with that many messages.
    at_ack: u64,
    /// When it should have noticed by itself.
    overdue: Instant,
}

/// How a worker stands among all that runs on the machine. It only ever goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Priority {
    Ordinary,
    /// It gets a small part of a busy machine.
    Low,
    /// It gets what nobody else wants.
    Idle,
}

/// What the scheduler wants to know of a worker.
pub(super) struct Load {
    /// It has worked without a yield for longer than a few milliseconds.
    pub stale: bool,
    pub priority: Priority,
    pub calls: usize,
}

/// What the keeper wants to know of a worker.
pub(super) struct Watch {
    /// Since when it works without a yield.
    pub busy_since: Option<Instant>,
    pub priority: Priority,
    /// It should have noticed an abort long ago.
    pub overdue: bool,
    pub calls: usize,
    pub last_used: Instant,
}

impl Link {
    /// The link to a worker that was just started, and its first word: the body of `Hello`.
    pub(super) fn new(number: u64, pid: u32, stream: UnixStream, max_payload: usize) -> (Self, oneshot::Receiver<Vec<u8>>) {
        let now = Instant::now();
        let (hello, greeting) = oneshot::channel();
        let state = State {
            outbox: Outbox::default(),
            sent: 0,
            acked: 0,
            working: false,
            progress: now,
            last_used: now,
            held: HashMap::new(),
            ended: HashMap::new(),
            loaded: None,
            hello: Some(hello),
            notes: MAX_NOTES,
            dead: false,
            for_memory: false,
            retiring: false,
            priority: Priority::Ordinary,
            memory: (0, now),
            busy: None,
        };
        let (state, blocked, drained) = (Mutex::new(state), Notify::new(), Notify::new());
        (Self { number, pid, stream, max_payload, state, blocked, drained }, greeting)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a load; the answer is the body of `Loaded`, or an error when the worker died of it.
    pub(super) fn load(&self, body: Vec<u8>) -> oneshot::Receiver<Vec<u8>> {
        let (loaded, answer) = oneshot::channel();
        let mut state = self.state();
        if !state.dead {
            state.loaded = Some(loaded);
            self.send(&mut state, Kind::Load, 0, body);
        }
        answer
    }

    /// Begins an invocation; `None` if the worker is dead. The stream ends when the worker dies.
    pub(super) fn begin(&self, id: u64, body: Vec<u8>, exchange: bool) -> Option<mpsc::UnboundedReceiver<Event>> {
        // Unbounded is bounded by what `accept` lets pass: open calls, console bytes, credit, one `Done`.
        let (events, inbox) = mpsc::unbounded_channel();
        let mut state = self.state();
        if state.dead {
            return None;
        }
        state.held.insert(id, Held::new(events, exchange));
        state.last_used = Instant::now();
        self.send(&mut state, Kind::Invoke, id, body);
        Some(inbox)
    }

    /// Answers a host call. `room` is what the answer takes up until the worker has taken it.
    pub(super) fn reply(&self, id: u64, call: u32, body: Vec<u8>, room: Option<room::Held>) {
        let mut state = self.state();
        if let Some(held) = state.held.get_mut(&id) {
            held.open_bytes -= held.open.remove(&call).unwrap_or(0);
            self.send_held(&mut state, Kind::Reply, id, body, room);
        }
    }

    /// Whether the worker has taken of an invocation's messages what it must before there is more for it.
    pub(super) fn takes_more(&self, id: u64) -> bool {
        self.state().outbox.unsent(id) <= self.max_payload.saturating_mul(UNSENT_FACTOR)
    }

    /// Waits until it has.
    pub(super) async fn taken(&self, id: u64) {
        loop {
            let drained = self.drained.notified();
            if self.takes_more(id) {
                return;
            }
            drained.await;
        }
    }

    /// Sends a piece of a request's body.
    pub(super) fn feed(&self, id: u64, bytes: &[u8]) {
        let mut state = self.state();
        if let Some(held) = state.held.get_mut(&id) {
            held.fed += bytes.len();
            self.send(&mut state, Kind::Feed, id, PieceBody { stream: OWN_STREAM, bytes }.encode());
        }
    }

    /// Tells that a request's body has ended: well, or with what went wrong.
    pub(super) fn feed_end(&self, id: u64, problem: Option<&str>) {
        let body = PieceBody { stream: OWN_STREAM, bytes: problem.unwrap_or_default().as_bytes() }.encode();
        self.tell(id, Kind::FeedEnd, body, |_| ());
    }

    /// Lets an answer have so many bytes more.
    pub(super) fn credit(&self, id: u64, bytes: usize) {
        let body = CreditBody { stream: OWN_STREAM, bytes: u32::try_from(bytes).unwrap_or(u32::MAX) }.encode();
        self.tell(id, Kind::Credit, body, |held| held.credit += bytes);
    }

    /// Tells that the client has gone.
    pub(super) fn gone(&self, id: u64) {
        self.tell(id, Kind::Gone, Vec::new(), |_| ());
    }

    fn tell(&self, id: u64, kind: Kind, body: Vec<u8>, note: impl FnOnce(&mut Held)) {
        let mut state = self.state();
        if let Some(held) = state.held.get_mut(&id) {
            note(held);
            self.send(&mut state, kind, id, body);
        }
    }

    /// Forgets an invocation that answered. Whether the worker should end now.
    pub(super) fn finish(&self, id: u64) -> bool {
        let mut state = self.state();
        state.held.remove(&id);
        state.last_used = Instant::now();
        state.retiring && state.held.is_empty()
    }

    /// Ends an invocation that didn't answer; `overdue` is when the worker itself would have. Whether the worker should end now.
    pub(super) fn abort(&self, id: u64, overdue: Instant) -> bool {
        let mut state = self.state();
        if state.held.remove(&id).is_some() && !state.dead {
            let dropped = state.outbox.abort(id);
            state.sent = state.sent + 1 - dropped;
            let at_ack = state.sent;
            state.ended.insert(id, Ended { at_ack, overdue });
            self.flush(&mut state);
        }
        state.retiring && state.held.is_empty()
    }

    fn send(&self, state: &mut State, kind: Kind, id: u64, body: Vec<u8>) {
        self.send_held(state, kind, id, body, None);
    }

    fn send_held(&self, state: &mut State, kind: Kind, id: u64, body: Vec<u8>, room: Option<room::Held>) {
        if !state.is_busy() {
            state.progress = Instant::now();
        }
        state.sent += 1;
        state.outbox.push(kind, id, body, room);
        self.flush(state);
    }

    /// Writes what the socket takes. An error is left to the reader, which sees the end as well.
    fn flush(&self, state: &mut State) -> bool {
        loop {
            let pending = state.outbox.pending();
            if pending.is_empty() {
                return true;
            }
            match self.stream.try_write(pending) {
                Ok(n) => state.outbox.advance(n),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.blocked.notify_one();
                    return false;
                }
                Err(_) => return true,
            }
        }
    }

    /// Writes what the senders couldn't, until the link is dropped by its owner.
    pub(super) async fn write_blocked(&self) {
        loop {
            self.blocked.notified().await;
            while !self.flush(&mut self.state()) {
                self.drained.notify_waiters();
                // The flush has just notified this very task.
                if self.stream.writable().await.is_err() {
                    return;
                }
            }
            self.drained.notify_waiters();
        }
    }

    /// Reads until the worker ends or breaks the rules; `wake` is called whenever it yielded, `end` when it should be ended, `note` with
    /// what it has to say for the log.
    pub(super) async fn read(&self, wake: impl Fn(), end: impl Fn(), note: impl Fn(&str)) -> Result<(), Violation> {
        let mut decoder = Decoder::in_turn();
        loop {
            if self.stream.readable().await.is_err() {
                return Ok(());
            }
            match self.stream.try_read_buf(decoder.buffer(READ)) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(_) => return Ok(()),
            }
            if !self.take_in(&mut decoder, &wake, &end, &note)? {
                return Ok(());
            }
        }
    }

    /// Takes in what has been read. `false` once the link is closed.
    fn take_in(&self, decoder: &mut Decoder, wake: impl Fn(), end: impl Fn(), note: impl Fn(&str)) -> Result<bool, Violation> {
        loop {
            let message = match decoder.next(|kind, id| self.allowance(kind, id)) {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(true),
                // Closing forgot all that it held: what the worker still said of that was no fault of its own.
                Err(_) if self.is_dead() => return Ok(false),
                Err(violation) => return Err(violation),
            };
            if message.kind == Kind::Note {
                self.state().notes -= 1;
                note(&String::from_utf8_lossy(&message.body));
                continue;
            }
            let yielded = message.kind == Kind::Ack;
            if self.accept(message, decoder)? {
                end();
            }
            if yielded {
                wake();
            }
        }
    }

    /// How long a message of this kind and id may get.
    fn allowance(&self, kind: Kind, id: u64) -> Option<usize> {
        let state = self.state();
        match kind {
            Kind::Loaded => state.loaded.is_some().then_some(MAX_LOADED),
            Kind::Ack => (id == 0).then_some(16),
            Kind::Hello => (id == 0 && state.hello.is_some()).then_some(MAX_NOTE),
            Kind::Note => (id == 0 && state.notes > 0).then_some(MAX_NOTE),
            kind if kind.is_for_worker() => None,
            _ if !state.held.contains_key(&id) && !state.ended.contains_key(&id) => None,
            Kind::Call => Some(self.max_payload + MAX_METHOD + 16),
            Kind::Log => Some(MAX_CONSOLE_ON_HOST),
            Kind::Done => Some(self.max_payload.max(MAX_REPORT).max(MAX_HEAD + MAX_WHOLE) + 16),
            Kind::Head => Some(MAX_HEAD),
            Kind::Piece | Kind::Taken => Some(MAX_FRAME),
            _ => None,
        }
    }

    /// Takes one message in. Whether the worker should be ended: it is retiring and holds nothing any more.
    fn accept(&self, message: Message, decoder: &mut Decoder) -> Result<bool, Violation> {
        let mut guard = self.state();
        let state = &mut *guard;
        match message.kind {
            Kind::Loaded => {
                state.last_used = Instant::now();
                if let Some(loaded) = state.loaded.take() {
                    // The asker may have stopped waiting.
                    let _ = loaded.send(message.body);
                }
            }
            Kind::Hello => {
                if let Some(hello) = state.hello.take() {
                    // Whoever started it may have stopped waiting.
                    let _ = hello.send(message.body);
                }
            }
            Kind::Ack => {
                let ack = AckBody::decode(&message.body)?;
                if ack.processed > state.sent {
                    return Err(Violation("more acknowledged than sent"));
                }
                state.acked = ack.processed;
                state.working = ack.working;
                state.progress = Instant::now();
                let acked = state.acked;
                state.ended.retain(|id, e| {
                    if e.at_ack <= acked {
                        decoder.forget(*id);
                    }
                    e.at_ack > acked
                });
                if ack.recycle {
                    state.retiring = true;
                    return Ok(state.held.is_empty());
                }
            }
            _ => {
                // What the host has ended itself is let pass unread.
                let Some(held) = state.held.get_mut(&message.id) else { return Ok(false) };
                let (event, last) = held.event(message, self.max_payload)?;
                // The invocation may have stopped listening.
                let _ = held.events.send(event);
                if let Some(id) = last {
                    state.held.remove(&id);
                }
            }
        }
        Ok(false)
    }

    /// What the scheduler goes by; `None` if it takes no calls.
    pub(super) fn load_now(&self, now: Instant) -> Option<Load> {
        let state = self.state();
        if state.dead || state.retiring {
            return None;
        }
        Some(Load { stale: state.is_stale(now), priority: state.priority, calls: state.held.len() })
    }

    /// For how long it has worked without a yield.
    pub(super) fn busy_for(&self, now: Instant) -> Duration {
        let state = self.state();
        if state.is_busy() { now.saturating_duration_since(state.progress) } else { Duration::ZERO }
    }

    /// Whether telling it something is of no use: it is dead, or has worked for a while without a yield.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        let state = self.state();
        state.dead || state.is_stale(now)
    }

    /// What the keeper goes by.
    pub(super) fn watch(&self, now: Instant) -> Watch {
        let state = self.state();
        Watch {
            busy_since: state.is_busy().then_some(state.progress),
            priority: state.priority,
            overdue: state.ended.values().any(|e| e.overdue < now),
            calls: state.held.len(),
            last_used: state.last_used,
        }
    }

    /// How much processor time it has used since it was first seen to work without a yield since `since`. Not the time on the clock:
    /// on a busy machine an honest worker waits long for its turn.
    pub(super) fn worked(&self, since: Instant, cpu: Duration) -> Duration {
        let mut state = self.state();
        match state.busy {
            Some((seen, before)) if seen == since => cpu.saturating_sub(before),
            _ => {
                state.busy = Some((since, cpu));
                Duration::ZERO
            }
        }
    }

    /// Bytes of memory that it has of its own. Looked at again by `look` only if it may have changed since.
    pub(super) fn memory(&self, now: Instant, look: impl FnOnce() -> u64) -> u64 {
        let mut state = self.state();
        let (bytes, seen) = state.memory;
        let is_idle = state.held.is_empty() && state.ended.is_empty() && state.loaded.is_none() && state.last_used < seen;
        let is_current = bytes > 0 && is_idle && now.saturating_duration_since(seen) < MEMORY_BELIEVED;
        if !is_current {
            state.memory = (look(), now);
        }
        state.memory.0
    }

    /// It was given a lower priority.
    pub(super) fn set_priority(&self, priority: Priority) {
        self.state().priority = priority;
    }

    /// It gets nothing new. Whether it holds nothing and should end now.
    pub(super) fn retire(&self) -> bool {
        let mut state = self.state();
        state.retiring = true;
        state.held.is_empty()
    }

    /// Its end is no fault of what it runs.
    pub(super) fn end_for_memory(&self) {
        self.state().for_memory = true;
    }

    /// Whether it was ended for that.
    pub(super) fn was_ended_for_memory(&self) -> bool {
        self.state().for_memory
    }

    /// Whether it comes to its end with what it holds.
    pub(super) fn is_retiring(&self) -> bool {
        self.state().retiring
    }

    /// Whether it can't be used any more.
    pub(super) fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// Ends the event streams of all that it held.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.dead = true;
        state.held.clear();
        state.outbox = Outbox::default();
        state.loaded = None;
        state.hello = None;
    }
}

impl State {
    /// Whether it works, as far as the host knows.
    fn is_busy(&self) -> bool {
        self.sent != self.acked || self.working
    }

    fn is_stale(&self, now: Instant) -> bool {
        self.is_busy() && now.saturating_duration_since(self.progress) > STALE_AFTER
    }
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
