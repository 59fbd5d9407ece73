//! One invocation on one worker: feeds its host calls, holds its clock, and says how it ended.
//!
//! The host's clock is the one that counts. The worker has its own and usually answers by itself; where it doesn't within
//! [`GRACE`], the caller is answered here and the worker is given up or told to forget.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

use super::exchange::{Door, Exchange, Moved};
use super::failure::Report;
use super::limits::{GRACE, MAX_REPORT, MAX_RUNNING_CALLS};
use super::link::{Event, Link, raw_json};
use super::pool::{Pool, RETRY_AFTER};
use super::protocol::{DONE_ANSWER, DONE_FAILURE, DONE_JSON, DONE_UNDEFINED, InvokeBody, ReplyBody};
use super::room::Held;
use super::scheduler::Crew;
use super::{CallError, Failure, Host, Invocation, LogLine};

/// Errors of host calls that are remembered in case one ends the run. One past it is told apart no more.
const MAX_REMEMBERED: usize = 1_024;

/// How an attempt ended.
pub(super) enum End {
    /// The worker or the clock answered.
    Answered(Result<Option<Box<RawValue>>, Failure>),
    /// The worker died first.
    Died,
    /// The worker was gone before it got the invocation.
    NotStarted,
}

/// What one attempt needs and what it leaves behind.
pub(super) struct Attempt<'a> {
    pub pool: &'a Pool,
    pub crew: &'a Arc<Crew>,
    pub link: Arc<Link>,
    pub invocation: &'a Invocation,
    /// By when the whole invocation must end.
    pub deadline: Instant,
    pub seed: u64,
    /// Host calls that were made.
    pub host_calls: u32,
    /// Part of the request was read, or of an answer given: it can't be run again unnoticed.
    pub spent: bool,
}

const TOO_MUCH_ASKED: &str = "The service calls that are in flight hold too much data: try again";
const TOO_MUCH_ANSWERED: &str =
    "The answers of service calls that are on their way hold too much data: ask for less at a time, or await the earlier calls first";

type Answer = Result<Option<Box<RawValue>>, CallError>;

/// A host call that waits for its turn.
struct Asked {
    call: u32,
    method: String,
    args: Box<RawValue>,
    /// What its arguments take up; `None` if there was no room for them.
    room: Option<Held>,
}

/// Tells the worker to forget the invocation unless it ended by itself: also when the caller stopped waiting.
struct Running<'a> {
    pool: &'a Pool,
    link: &'a Arc<Link>,
    id: u64,
    deadline: Instant,
    answered: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let over = if self.answered { self.link.finish(self.id) } else { self.link.abort(self.id, self.deadline + GRACE) };
        if over {
            self.pool.end(self.link);
        }
    }
}

impl Attempt<'_> {
    /// Runs it to its end. `exchange` is given back where it can be answered by another attempt.
    /// `slot` is given up when an answer begins to stream: streams are counted by themselves.
    pub(super) async fn run(
        &mut self,
        exchange: &mut Option<Exchange>,
        slot: &mut Option<SemaphorePermit<'_>>,
        streams: &Semaphore,
    ) -> End {
        let input = &self.invocation.input;
        let mut door = Door::new(exchange.take());
        let body = InvokeBody {
            timeout_ms: millis(self.deadline.saturating_duration_since(Instant::now())),
            seed: self.seed,
            handler: input.handler,
            exchange: door.kind(),
            args: input.args.iter().map(|a| a.get().as_bytes()).collect(),
            context: input.context.get().as_bytes(),
        };
        let id = self.pool.next_id();
        let Some(mut events) = self.link.begin(id, body.encode(), door.is_exchange()) else {
            *exchange = door.into_exchange();
            return End::NotStarted;
        };
        let link = self.link.clone();
        let mut running = Running { pool: self.pool, link: &link, id, deadline: self.deadline, answered: false };
        let own = self.deadline;
        let mut shortened = false;
        let mut asked: VecDeque<Asked> = VecDeque::new();
        let mut calls: FuturesUnordered<BoxFuture<'static, (u32, Answer)>> = FuturesUnordered::new();
        let mut refused: HashMap<u32, CallError> = HashMap::new();
        // Held back until the first host call or the end: a run that is started again must not say everything twice.
        let mut lines: Vec<LogLine> = Vec::new();
        let mut clock = pin!(sleep_until(self.deadline + GRACE));
        let mut _stream = None;
        loop {
            let is_full = |running: usize| running >= MAX_RUNNING_CALLS && !self.invocation.host.is_entangled();
            while !asked.is_empty() && !is_full(calls.len()) && link.takes_more(id) {
                calls.extend(
                    asked.pop_front().map(|next| -> BoxFuture<'static, _> { Box::pin(answered(Arc::clone(&self.invocation.host), next)) }),
                );
            }
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    None => {
                        self.spent |= door.is_spent();
                        if self.host_calls > 0 || self.spent {
                            self.flush(&mut lines);
                        }
                        running.answered = true;
                        *exchange = door.into_exchange();
                        return End::Died;
                    }
                    Some(Event::Log(line)) => {
                        lines.push(line);
                        if self.host_calls > 0 || door.is_spent() {
                            self.flush(&mut lines);
                        }
                    }
                    Some(Event::Call { call, method, args }) => {
                        self.host_calls += 1;
                        self.flush(&mut lines);
                        let room = self.crew.room.hold(args.get().len());
                        asked.push_back(Asked { call, method, args, room });
                    }
                    Some(Event::Taken(bytes)) => door.taken(bytes),
                    Some(Event::Head(head)) => {
                        self.flush(&mut lines);
                        let Ok(stream) = streams.try_acquire() else {
                            return End::Answered(Err(Failure::Busy { retry_after: RETRY_AFTER, for_memory: false }));
                        };
                        _stream = Some(stream);
                        slot.take();
                        if !door.begin(&head) {
                            self.pool.end(&link);
                        }
                        self.deadline = door.limit().unwrap_or(self.deadline);
                        running.deadline = self.deadline;
                        clock.as_mut().reset(door.next_look(self.invocation.timeout));
                    }
                    Some(Event::Piece(piece)) => door.piece(piece),
                    Some(Event::Done(body)) => {
                        running.answered = true;
                        self.flush(&mut lines);
                        return End::Answered(self.answer(body, &mut refused, shortened, &mut door));
                    }
                },
                Some((call, answer)) = calls.next(), if !calls.is_empty() => {
                    // A transaction that the call opened or ended moves the end; nothing moves it beyond the invocation's own.
                    let held = self.invocation.host.deadline();
                    if !door.is_streaming() {
                        let deadline = held.map_or(own, |held| held.min(own));
                        shortened = deadline < own;
                        if deadline != self.deadline {
                            self.deadline = deadline;
                            running.deadline = deadline;
                            clock.as_mut().reset(deadline + GRACE);
                        }
                    }
                    let size = answer.as_ref().map_or(0, |json| json.as_ref().map_or(0, |json| json.get().len()));
                    let room = self.crew.room.hold(size);
                    let answer = if room.is_some() { answer } else { Err(refusal("EXTENSION_BUSY", 503, TOO_MUCH_ANSWERED.to_owned())) };
                    let body = self.reply(call, &answer, held.is_some());
                    if let Err(error) = answer && refused.len() < MAX_REMEMBERED {
                        refused.insert(call, error);
                    }
                    link.reply(id, call, body, room);
                }
                () = link.taken(id), if !asked.is_empty() && !is_full(calls.len()) => {}
                moved = door.next(), if door.is_exchange() => match moved {
                    Moved::Piece(piece) => link.feed(id, &piece),
                    Moved::End(problem) => link.feed_end(id, problem.as_deref()),
                    Moved::Credit(bytes) => {
                        link.credit(id, bytes);
                        self.deadline = door.limit().unwrap_or(self.deadline);
                        running.deadline = self.deadline;
                    }
                    Moved::Gone => {
                        link.gone(id);
                        if door.is_streaming() {
                            door.end_soon();
                            clock.as_mut().reset(door.next_look(self.invocation.timeout));
                        }
                    }
                },
                () = clock.as_mut() => {
                    let now = Instant::now();
                    if let Some(limit) = door.limit() {
                        let (busy, longest) = (link.busy_for(now), self.invocation.timeout + GRACE);
                        let is_stuck = busy >= longest;
                        if now < limit && !is_stuck {
                            // When it will have worked for too long, unless it yields before.
                            clock.as_mut().reset(limit.min(now + (longest - busy)));
                            continue;
                        }
                        self.flush(&mut lines);
                        if link.is_stuck(now) {
                            self.pool.end(&link);
                        }
                        return End::Answered(Err(if is_stuck { timeout(false) } else { door.cut(now) }));
                    }
                    self.flush(&mut lines);
                    // What yields will forget it when told to; what doesn't is beyond telling.
                    if link.is_stuck(now) {
                        self.pool.end(&link);
                    }
                    return End::Answered(Err(if door.awaits_body() { Failure::SlowBody } else { timeout(shortened) }));
                }
            }
        }
    }

    fn flush(&self, lines: &mut Vec<LogLine>) {
        for line in lines.drain(..) {
            self.invocation.host.log(line);
        }
    }

    /// The frame that answers a host call.
    fn reply(&self, call: u32, answer: &Answer, held: bool) -> Vec<u8> {
        let max = self.pool.max_payload();
        let failure;
        let (status, json) = match answer {
            Ok(None) => (DONE_UNDEFINED, &[][..]),
            Ok(Some(value)) if value.get().len() <= max => (DONE_JSON, value.get().as_bytes()),
            Ok(Some(_)) => {
                let message = format!("The answer is larger than {max} bytes: ask for less at a time");
                failure = json!({ "name": "Error", "message": message, "code": "EXTENSION_PAYLOAD_TOO_LARGE", "status": 413 }).to_string();
                (DONE_FAILURE, failure.as_bytes())
            }
            Err(error) => {
                let CallError { name, message, code, status, extra } = error;
                failure = json!({ "name": name, "message": message, "code": code, "status": status, "extra": extra }).to_string();
                (DONE_FAILURE, failure.as_bytes())
            }
        };
        // While an answer streams, this is not what ends the call.
        let left_ms = millis(self.deadline.saturating_duration_since(Instant::now()));
        ReplyBody { call, status, left_ms, held, json }.encode()
    }

    /// What the last message of a run says; a worker that says something else is given up.
    fn answer(
        &self,
        body: Vec<u8>,
        refused: &mut HashMap<u32, CallError>,
        shortened: bool,
        door: &mut Door,
    ) -> Result<Option<Box<RawValue>>, Failure> {
        read_done(body, refused, shortened, door).unwrap_or_else(|| {
            self.pool.end(&self.link);
            Err(Failure::Crashed { had_host_calls: self.host_calls > 0 })
        })
    }
}

/// Reads the last message of a run. `None` for what no worker of ours would send.
pub(super) fn read_done(
    mut body: Vec<u8>,
    refused: &mut HashMap<u32, CallError>,
    shortened: bool,
    door: &mut Door,
) -> Option<Result<Option<Box<RawValue>>, Failure>> {
    let payload = if body.is_empty() { Vec::new() } else { body.split_off(1) };
    match *body.first()? {
        DONE_UNDEFINED => {
            door.end();
            Some(Ok(None))
        }
        DONE_ANSWER if door.whole(&payload) => Some(Ok(None)),
        DONE_JSON => raw_json(payload).map(|value| Ok(Some(value))),
        // As JSON it would become many times its size here.
        DONE_FAILURE if payload.len() <= MAX_REPORT => Some(Err(match serde_json::from_slice::<Report>(&payload).ok()? {
            Report::Timeout { .. } if door.awaits_body() => Failure::SlowBody,
            Report::Timeout { .. } if shortened => Failure::HostDeadline,
            report => report.into_failure(|call| refused.remove(&call)),
        })),
        _ => None,
    }
}

/// Has a host call answered. A panic in a service is a bug of ours, and ends this one call and nothing else.
async fn answered(host: Arc<dyn Host>, asked: Asked) -> (u32, Answer) {
    let Asked { call, method, args, room } = asked;
    if room.is_none() {
        return (call, Err(refusal("EXTENSION_BUSY", 503, TOO_MUCH_ASKED.to_owned())));
    }
    match AssertUnwindSafe(async { host.call(&method, args).await }).catch_unwind().await {
        Ok(answer) => (call, answer),
        Err(_) => {
            tracing::error!(method, "a service panicked");
            (call, Err(refusal("INTERNAL_SERVER_ERROR", 500, format!("`{method}` failed: the log has the details"))))
        }
    }
}

fn refusal(code: &str, status: u16, message: String) -> CallError {
    CallError { name: "Error".to_owned(), message, code: code.to_owned(), status, extra: None }
}

/// What the host says of a run that its worker didn't end in time.
fn timeout(shortened: bool) -> Failure {
    if shortened { Failure::HostDeadline } else { Failure::Timeout { cut: None } }
}

/// Whole milliseconds, rounded up: the worker's clock should not be ahead of the host's.
fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros().div_ceil(1_000)).unwrap_or(u32::MAX)
}
