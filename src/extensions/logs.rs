//! The lines that extensions write, `console` and `services.log` alike: the last ones of each, in memory, and to whoever listens.
//!
//! Bounded in every direction: lines and bytes of one extension, bytes of all, listeners, and what waits for one of them. Who listens too
//! slowly gets fewer lines and is told how many are missing. Knows no HTTP; `run` hands lines in, `http` reads them.

mod overview;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::rows;
use crate::clock::Clock;
use crate::db::timestamp;
use crate::error::{Error, ErrorCode, Result};
use crate::sandbox::LogLevel;
use crate::services::Item;
use crate::services::query::{clip, show};

/// Lines of one extension that are kept.
const LINES: usize = 1_000;
/// Bytes of the lines of one extension.
const BYTES: usize = 256 << 10;
/// Bytes of the lines of all extensions.
const BYTES_IN_ALL: usize = 8 << 20;
/// Bytes of one line; the host's log has it whole.
const MAX_MESSAGE: usize = 8 << 10;
/// What a line costs beside its texts, in bytes.
const OVERHEAD: usize = 128;
/// Lines that wait for one listener.
const WAITING: usize = 128;
/// Listeners at once.
const LISTENERS: usize = 16;

/// The name of a level.
pub(super) fn level_name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}

fn weight(level: LogLevel) -> u8 {
    match level {
        LogLevel::Debug => 0,
        LogLevel::Info => 1,
        LogLevel::Warn => 2,
        LogLevel::Error => 3,
    }
}

/// One line.
#[derive(Debug)]
pub struct Line {
    /// Grows from line to line on one host, also across its restarts.
    pub id: u64,
    /// When it was written.
    pub at: DateTime<Utc>,
    level: LogLevel,
    message: String,
    event: Arc<str>,
    request_id: Arc<str>,
}

impl Line {
    fn size(&self) -> usize {
        self.message.len() + self.event.len() + self.request_id.len() + OVERHEAD
    }

    /// `{ id, at, level, message, event, request_id }`.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "at": timestamp(self.at),
            "level": level_name(self.level),
            "message": self.message,
            "event": &*self.event,
            "request_id": &*self.request_id,
        })
    }
}

/// Which lines are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    level: u8,
    limit: usize,
    since: Since,
}

#[derive(Debug, Clone, Copy)]
enum Since {
    Ever,
    Time(DateTime<Utc>),
    /// After the line with this id.
    Line(u64),
}

impl Wanted {
    /// Reads `level` (the least that counts), `limit` (1 to 1,000) and `since` (a time, or the id of the last line that is known).
    ///
    /// # Errors
    /// 400 for another parameter or value.
    pub fn parse(query: &Item) -> Result<Self> {
        const LEVELS: [&str; 4] = ["debug", "info", "warn", "error"];
        if let Some(name) = query.keys().find(|name| !["level", "limit", "since"].contains(&name.as_str())) {
            return Err(Error::query(format!("Lines are asked for with `level`, `limit` and `since`, not with `{}`", clip(name))));
        }
        let level = match query.get("level") {
            None | Some(Value::Null) => 0,
            Some(value) => LEVELS.iter().position(|name| value == name).ok_or_else(|| {
                Error::query(format!("`level` must be one of {}, not: {}", LEVELS.map(|l| format!("`{l}`")).join(", "), show(value)))
            })?,
        };
        let since = match query.get("since") {
            None | Some(Value::Null) => Since::Ever,
            Some(value) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let time = || DateTime::parse_from_rfc3339(&text).ok().map(|at| Since::Time(at.with_timezone(&Utc)));
                text.parse().ok().map(Since::Line).or_else(time).ok_or_else(|| {
                    Error::query(format!(
                        "`since` must be a time such as `2026-01-31T12:00:00Z`, or the `id` of a line, not: {}",
                        show(value)
                    ))
                })?
            }
        };
        let limit = rows::number(query, "limit", 100, LINES as u64)?;
        Ok(Self { level: u8::try_from(level).unwrap_or(0), limit: usize::try_from(limit).unwrap_or(LINES), since })
    }

    /// The same from the line after this one on, all that are kept.
    #[must_use]
    pub fn after(self, id: u64) -> Self {
        Self { since: Since::Line(id), limit: LINES, ..self }
    }

    fn admits(&self, line: &Line) -> bool {
        let is_after = match self.since {
            Since::Ever => true,
            Since::Time(at) => line.at >= at,
            Since::Line(id) => line.id > id,
        };
        is_after && weight(line.level) >= self.level
    }
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<Arc<Line>>,
    bytes: usize,
    /// Lines that made room.
    left_out: u64,
}

impl Ring {
    /// Takes the oldest line away. Answers its size.
    fn shrink(&mut self) -> usize {
        let size = self.lines.pop_front().map_or(0, |line| line.size());
        self.bytes -= size;
        self.left_out += u64::from(size > 0);
        size
    }

    fn read(&self, wanted: &Wanted) -> Vec<Arc<Line>> {
        let mut last: Vec<Arc<Line>> =
            self.lines.iter().rev().filter(|line| wanted.admits(line)).take(wanted.limit).map(Arc::clone).collect();
        last.reverse();
        last
    }
}

struct Listener {
    id: u64,
    level: u8,
    lines: mpsc::Sender<Arc<Line>>,
    missed: Arc<AtomicU64>,
}

#[derive(Default)]
struct Kept {
    last_id: u64,
    bytes: usize,
    rings: HashMap<String, Ring>,
    listeners: HashMap<String, Vec<Listener>>,
    listening: usize,
    /// Nobody is listened to any more.
    is_over: bool,
}

impl Kept {
    fn add(&mut self, extension: &str, line: Line) {
        let line = Arc::new(line);
        if let Some(listeners) = self.listeners.get(extension) {
            for listener in listeners.iter().filter(|listener| weight(line.level) >= listener.level) {
                if let Err(TrySendError::Full(_)) = listener.lines.try_send(Arc::clone(&line)) {
                    listener.missed.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        let ring = match self.rings.get_mut(extension) {
            Some(ring) => ring,
            None => self.rings.entry(extension.to_owned()).or_default(),
        };
        let size = line.size();
        ring.lines.push_back(line);
        ring.bytes += size;
        self.bytes += size;
        while ring.lines.len() > LINES || ring.bytes > BYTES {
            self.bytes -= ring.shrink();
        }
        if self.bytes > BYTES_IN_ALL {
            self.make_room();
        }
    }

    /// Whoever has written most makes room, for more than this line, so that this isn't done for every line.
    fn make_room(&mut self) {
        while self.bytes > BYTES_IN_ALL - BYTES {
            let Some((_, largest)) = self.rings.iter_mut().max_by_key(|(_, ring)| ring.bytes) else { return };
            let half = largest.bytes / 2;
            while largest.bytes > half {
                self.bytes -= largest.shrink();
            }
            self.rings.retain(|_, ring| !ring.lines.is_empty());
        }
    }
}

/// The lines of this host.
pub struct Logs {
    clock: Clock,
    /// Short sections only: a std mutex.
    kept: Mutex<Kept>,
}

/// Lines that were asked for.
pub struct Lines {
    /// The newest last.
    pub lines: Vec<Arc<Line>>,
    /// Older ones that made room since the host began.
    pub left_out: u64,
}

impl Logs {
    /// None yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a line and tells it to those who listen. Never waits for them.
    pub fn add(&self, extension: &str, level: LogLevel, message: &str, event: &Arc<str>, request_id: &Arc<str>) {
        let mut message = message.to_owned();
        if message.len() > MAX_MESSAGE {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE));
            message.push('…');
        }
        let (at, event, request_id) = (self.clock.now(), Arc::clone(event), Arc::clone(request_id));
        let mut kept = self.kept();
        // By the clock, so that no id comes twice after a restart.
        let id = (kept.last_id + 1).max(at.timestamp_micros().unsigned_abs());
        kept.last_id = id;
        kept.add(extension, Line { id, at, level, message, event, request_id });
    }

    /// The lines of an extension that are kept.
    pub fn read(&self, extension: &str, wanted: &Wanted) -> Lines {
        let kept = self.kept();
        let ring = kept.rings.get(extension);
        Lines { lines: ring.map(|ring| ring.read(wanted)).unwrap_or_default(), left_out: ring.map_or(0, |ring| ring.left_out) }
    }

    /// The lines that are kept, and from the next one on those that come.
    ///
    /// # Errors
    /// 503 when so many listen already, or when the host is ending.
    pub fn listen(self: &Arc<Self>, extension: &str, wanted: &Wanted) -> Result<(Lines, Listening)> {
        let mut kept = self.kept();
        if kept.is_over || kept.listening >= LISTENERS {
            let message = format!("At most {LISTENERS} can follow the lines of extensions at once: try again when somebody has left");
            return Err(Error::new(ErrorCode::ServiceUnavailable, message).with_retry_after(5));
        }
        let (lines, received) = mpsc::channel(WAITING);
        let (missed, id) = (Arc::<AtomicU64>::default(), kept.last_id + 1);
        kept.last_id = id;
        kept.listening += 1;
        let listener = Listener { id, level: wanted.level, lines, missed: Arc::clone(&missed) };
        kept.listeners.entry(extension.to_owned()).or_default().push(listener);
        let ring = kept.rings.get(extension);
        let before =
            Lines { lines: ring.map(|ring| ring.read(wanted)).unwrap_or_default(), left_out: ring.map_or(0, |ring| ring.left_out) };
        drop(kept);
        Ok((before, Listening { logs: Arc::clone(self), extension: extension.to_owned(), id, received, missed }))
    }

    /// The extension is gone: so are its lines, and nobody hears more of them.
    pub fn forget(&self, extension: &str) {
        let mut kept = self.kept();
        let gone = kept.rings.remove(extension).map_or(0, |ring| ring.bytes);
        kept.bytes -= gone;
        kept.listeners.remove(extension);
    }

    /// The host is ending: so does every stream of lines.
    pub fn close(&self) {
        let mut kept = self.kept();
        kept.is_over = true;
        kept.listeners.clear();
    }
}

/// One who listens, until it is dropped.
pub struct Listening {
    logs: Arc<Logs>,
    extension: String,
    id: u64,
    received: mpsc::Receiver<Arc<Line>>,
    missed: Arc<AtomicU64>,
}

/// What one who listens hears.
pub enum Heard {
    /// A line.
    Line(Arc<Line>),
    /// So many lines came faster than they were taken, and aren't told.
    Missed(u64),
    /// There will be no more: the extension was deleted, or the host is ending.
    End,
}

impl Listening {
    /// What comes next. May be dropped while it waits.
    pub async fn next(&mut self) -> Heard {
        // What was missed is told where there is room again: before the lines that came after it.
        if self.received.is_empty() {
            let missed = self.missed.swap(0, Ordering::Relaxed);
            if missed > 0 {
                return Heard::Missed(missed);
            }
        }
        match self.received.recv().await {
            Some(line) => Heard::Line(line),
            None => Heard::End,
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut kept = self.logs.kept();
        kept.listening -= 1;
        if let Some(listeners) = kept.listeners.get_mut(&self.extension) {
            listeners.retain(|listener| listener.id != self.id);
            if listeners.is_empty() {
                kept.listeners.remove(&self.extension);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn logs() -> Arc<Logs> {
        Arc::new(Logs::new(Clock::system()))
    }

    pub(super) fn write(logs: &Logs, extension: &str, level: LogLevel, message: &str) {
        logs.add(extension, level, message, &Arc::from("a.items.create"), &Arc::from("r"));
    }

    pub(super) fn wanted(query: Value) -> Wanted {
        Wanted::parse(query.as_object().expect("an object")).expect("a query")
    }

    fn messages(lines: &Lines) -> Vec<&str> {
        lines.lines.iter().map(|line| line.message.as_str()).collect()
    }

    #[test]
    fn the_last_lines_are_kept_in_order_and_the_others_counted() {
        let logs = logs();
        (0..LINES + 5).for_each(|n| write(&logs, "one", LogLevel::Info, &n.to_string()));
        let all = logs.read("one", &wanted(json!({ "limit": 1000 })));
        assert_eq!((all.lines.len(), all.left_out), (LINES, 5));
        assert!(all.lines.is_sorted_by_key(|line| line.id));
        assert_eq!(messages(&logs.read("one", &wanted(json!({ "limit": 2 })))), ["1003", "1004"]);
        let since = all.lines[LINES - 3].id;
        assert_eq!(messages(&logs.read("one", &wanted(json!({ "since": since })))), ["1003", "1004"]);
        assert!(logs.read("other", &wanted(json!({}))).lines.is_empty());
    }

    #[test]
    fn a_level_is_the_least_that_counts() {
        let logs = logs();
        for (level, name) in [(LogLevel::Debug, "d"), (LogLevel::Info, "i"), (LogLevel::Warn, "w"), (LogLevel::Error, "e")] {
            write(&logs, "one", level, name);
        }
        assert_eq!(messages(&logs.read("one", &wanted(json!({ "level": "warn" })))), ["w", "e"]);
        assert_eq!(messages(&logs.read("one", &wanted(json!({})))), ["d", "i", "w", "e"]);
    }

    #[test]
    fn bytes_are_bounded_for_one_and_for_all_and_a_quiet_one_keeps_its_line() {
        let logs = logs();
        write(&logs, "quiet", LogLevel::Info, "still here");
        let long = "ä".repeat(MAX_MESSAGE);
        for extension in 0..100 {
            for _ in 0..60 {
                write(&logs, &format!("loud {extension}"), LogLevel::Info, &long);
            }
            let kept = logs.kept();
            assert!(kept.bytes <= BYTES_IN_ALL && kept.rings.values().all(|ring| ring.bytes <= BYTES), "{}", kept.bytes);
        }
        assert_eq!(messages(&logs.read("quiet", &wanted(json!({})))), ["still here"]);
        let kept = logs.kept();
        assert_eq!(kept.bytes, kept.rings.values().map(|ring| ring.bytes).sum::<usize>());
        assert!(kept.rings["loud 99"].lines.back().is_some_and(|line| line.message.len() <= MAX_MESSAGE + "…".len()));
    }

    #[tokio::test]
    async fn who_listens_too_slowly_is_told_how_much_is_missing() {
        let logs = logs();
        write(&logs, "one", LogLevel::Info, "before");
        let (before, mut listening) = logs.listen("one", &wanted(json!({ "level": "info" }))).expect("a place");
        assert_eq!(messages(&before), ["before"]);
        write(&logs, "one", LogLevel::Debug, "too little");
        (0..WAITING + 7).for_each(|n| write(&logs, "one", LogLevel::Warn, &n.to_string()));
        for n in 0..WAITING {
            assert!(matches!(listening.next().await, Heard::Line(line) if line.message == n.to_string()));
        }
        assert!(matches!(listening.next().await, Heard::Missed(7)));
        write(&logs, "one", LogLevel::Warn, "on again");
        assert!(matches!(listening.next().await, Heard::Line(line) if line.message == "on again"));
        logs.forget("one");
        assert!(matches!(listening.next().await, Heard::End));
        assert_eq!(logs.kept().bytes, 0);
    }

    #[tokio::test]
    async fn so_many_listen_and_who_leaves_makes_room() {
        let logs = logs();
        let mut all: Vec<_> = (0..LISTENERS).map(|_| logs.listen("one", &wanted(json!({}))).expect("a place").1).collect();
        assert_eq!(logs.listen("two", &wanted(json!({}))).err().map(|error| error.class()), Some(503));
        all.pop();
        all.push(logs.listen("two", &wanted(json!({}))).expect("a place").1);
        logs.close();
        for listening in &mut all {
            assert!(matches!(listening.next().await, Heard::End));
        }
        drop(all);
        let (listeners, listening) = {
            let kept = logs.kept();
            (kept.listeners.len(), kept.listening)
        };
        assert_eq!((listeners, listening), (0, 0));
        assert!(logs.listen("one", &wanted(json!({}))).is_err());
    }
}
