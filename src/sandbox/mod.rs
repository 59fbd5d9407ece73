//! The engine: runs extension code in child processes and hands back what it answered or how it failed.
//!
//! It knows no table, no route and no service: a call of the code is a method name with JSON arguments, answered by the [`Host`] that
//! came with the [`Invocation`]. `extensions/` makes [`Unit`]s and invokes them; `bridge/` is the usual [`Host`].
//!
//! Two halves share one binary. The host half ([`Pool`]) starts workers, chooses one per call, holds the clock and kills what doesn't
//! answer. The worker half ([`worker`]) is the only place where JavaScript is parsed or run; nothing in the host calls it.

mod alloc;
mod arena;
mod codecs;
mod compile;
mod convert;
mod crypto;
mod encodings;
mod engine;
mod exchange;
mod failure;
mod flow;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod imports;
mod isolate;
mod jail;
mod keeper;
mod limits;
mod link;
mod load;
mod modules;
mod multipart;
mod native;
#[cfg(feature = "test-hooks")]
pub mod payload;
mod pool;
#[cfg(test)]
mod pristine_tests;
mod probe;
mod process;
mod protocol;
mod region;
mod rejections;
mod resolve;
mod room;
mod run;
mod scheduler;
mod shared;
mod streams;
mod strip;
mod trace;
mod web;
#[cfg(test)]
mod web_tests;
pub mod worker;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::time::Instant;

pub use exchange::{Answer, AnswerBody, AnswerStream, Exchange, StreamCut};
pub use failure::{Cause, Cut, Doing, Failure, LoadFailure, Problem, Thrown, ThrownKind};
pub use jail::Jail;
pub use limits::{MAX_SOURCE, fixed as fixed_limits};
pub use pool::{Pool, PoolOptions, PoolStats, WorkerStat};
pub use resolve::TEXT_ENDINGS;
pub use streams::{Streamed, Upload};
pub use worker::ServiceSource;

/// One version of one extension, as it is loaded into workers. A new version is a new `Unit`.
#[derive(Debug)]
pub struct Unit {
    /// Different for every version.
    pub id: u64,
    /// For log lines and as the file name in stack traces.
    pub name: String,
    /// What to run.
    pub source: Source,
    /// Limit of the JS heap of one isolate, in bytes.
    pub memory_limit: usize,
    /// Whether isolates are used again for later calls, module state included. Otherwise every call starts pristine.
    pub warm: bool,
    /// What its code may fetch by name beside itself: bodies of async functions of `context` and `services`, by name.
    pub parts: Parts,
}

/// Parts of a unit: name and code.
pub type Parts = Arc<BTreeMap<String, Arc<str>>>;

impl Unit {
    /// A new version with an id of its own.
    pub fn new(name: impl Into<String>, source: Source, memory_limit: usize, warm: bool) -> Arc<Self> {
        Self::with_parts(name, source, memory_limit, warm, Parts::default())
    }

    /// The same with parts.
    pub fn with_parts(name: impl Into<String>, source: Source, memory_limit: usize, warm: bool, parts: Parts) -> Arc<Self> {
        // A fresh `RandomState` hashes nothing to a number that doesn't repeat, without a counter that the process shares.
        let id = RandomState::new().hash_one(0_u8);
        Arc::new(Self { id, name: name.into(), source, memory_limit, warm, parts })
    }
}

/// What a unit is made of.
#[derive(Debug, Clone)]
pub enum Source {
    /// The body of an async function: top-level `await` and early `return` work.
    Body {
        /// The author's text.
        code: String,
        /// The names in scope of the body, in the order of [`Input::args`], followed by `context` and `services`.
        params: Vec<String>,
        /// Whether it answers requests: its calls come with an [`Exchange`].
        answers: bool,
    },
    /// ES modules in a folder. The entry exports `register(sdk)`, which says what the unit does.
    Modules {
        /// The file to begin with, a key of `files`.
        entry: String,
        /// The author's own files: path within the folder, with `/`, and text.
        files: Arc<BTreeMap<String, Arc<str>>>,
        /// What `node_modules` of the folder holds.
        packages: Arc<dyn Packages>,
    },
}

impl Source {
    /// Whether it is the very same folder, read at the same time. Bodies are never the same: they are compared by what defines them.
    pub fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Modules { files, .. }, Self::Modules { files: others, .. }) => Arc::ptr_eq(files, others),
            _ => false,
        }
    }

    /// Bytes of the author's own text.
    fn size(&self) -> usize {
        match self {
            Self::Body { code, .. } => code.len(),
            Self::Modules { files, .. } => files.values().map(|text| text.len()).sum(),
        }
    }
}

/// The packages in a folder's `node_modules`, read when they are needed.
pub trait Packages: Send + Sync + std::fmt::Debug {
    /// The text of a file, `node_modules/…`; `None` where there is none. The same path has the same answer for as long as this lives. An
    /// error is a problem of the unit. Blocks.
    fn file(&self, path: &str) -> Result<Option<Arc<str>>, String>;
}

/// What a unit said about itself when it was loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What `register` registered, in order; the position is the number of the handler. Empty for a body.
    pub registrations: Vec<Value>,
    /// What it wrote to its console meanwhile.
    pub lines: Vec<LogLine>,
}

/// One run of one unit.
pub struct Invocation {
    /// What to run.
    pub unit: Arc<Unit>,
    /// What the code gets.
    pub input: Input,
    /// How long it may take, all its awaits included. Waiting for a free slot isn't part of it.
    pub timeout: Duration,
    /// Runs under the slot of its root call, so it is never queued.
    pub nested: bool,
    /// Answers the calls of the code and hears its log lines.
    pub host: Arc<dyn Host>,
}

/// What the code gets, as JSON texts.
#[derive(Debug, Clone)]
pub struct Input {
    /// Which of the registered handlers runs; 0 for a body.
    pub handler: u32,
    /// The first parameters of the handler, in order: `payload, meta` or `meta` or the head of a request.
    pub args: Vec<Box<RawValue>>,
    /// The data of `context`: an object, frozen in depth before the code sees it. `services` is added to it. Three members are for the
    /// glue instead: `env` goes to the service of that name; `previous: true` gives the second argument a method `previous()`;
    /// `keepsFirst: true` makes the first argument, as it was left, the result of code that returns nothing.
    pub context: Box<RawValue>,
}

/// The host's side of one invocation.
pub trait Host: Send + Sync {
    /// Answers a call of the code: `method` like `items.createOne`, `args` a JSON array. `None` is `undefined`.
    ///
    /// Runs beside other calls of the same invocation; dropped when the invocation ends.
    fn call(&self, method: &str, args: Box<RawValue>) -> BoxFuture<'static, Result<Option<Box<RawValue>>, CallError>>;

    /// Answers a call with streams: `body` is what the code sends along, and what follows the answer is part of it. As [`Host::call`]
    /// otherwise; what was answered is dropped when the code doesn't want it any more, or when the invocation ends.
    fn stream(&self, method: &str, args: Box<RawValue>, body: Upload) -> BoxFuture<'static, Result<Streamed, CallError>> {
        let _ = (args, body);
        let (message, code) = (format!("`{method}` has no streams"), "INVALID_PAYLOAD".to_owned());
        Box::pin(async { Err(CallError { name: "Error".to_owned(), message, code, status: 400, extra: None }) })
    }

    /// Hears a line of the code's console. Must not block.
    fn log(&self, line: LogLine);

    /// Whether calls that are open now wait for others that were not begun: then no call may wait for its turn to begin.
    fn is_entangled(&self) -> bool {
        false
    }

    /// By when the whole invocation must end, if earlier than its timeout says. Asked after every call: a transaction that a call
    /// opened may not be held for longer. Passing it gives [`Failure::HostDeadline`].
    fn deadline(&self) -> Option<Instant>;
}

/// A service's refusal, which the code sees as a rejected promise.
#[derive(Debug, Clone, PartialEq)]
pub struct CallError {
    /// The `name` of the JS error, usually `Error`.
    pub name: String,
    /// For the author, and for the caller where the code lets it pass.
    pub message: String,
    /// The stable code, `error.code`.
    pub code: String,
    /// The class of answer, `error.status`.
    pub status: u16,
    /// Further members of the JS error.
    pub extra: Option<Map<String, Value>>,
}

/// A line of the code's console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Which method of `console` it was.
    pub level: LogLevel,
    /// The arguments, formatted.
    pub message: String,
}

/// The weight of a [`LogLine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// `console.debug`
    Debug,
    /// `console.log`, `console.info`
    Info,
    /// `console.warn`
    Warn,
    /// `console.error`
    Error,
}

impl LogLevel {
    /// The level of a line as the worker sends it.
    fn from_wire(level: u8) -> Self {
        match level {
            0 => Self::Debug,
            1 => Self::Info,
            2 => Self::Warn,
            _ => Self::Error,
        }
    }
}

/// Memory that this process and its children may have, in bytes: the cgroup's limit, or the machine's where there is none.
pub fn memory_of_machine() -> u64 {
    const UNKNOWN: u64 = 4 << 30;
    let cgroup = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse::<u64>().ok());
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?.to_owned();
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib << 10)
    });
    match (cgroup, machine) {
        (Some(cgroup), Some(machine)) => cgroup.min(machine),
        (one, other) => one.or(other).unwrap_or(UNKNOWN),
    }
}

/// How an invocation ended.
#[derive(Debug)]
pub struct Outcome {
    /// What the code returned (`None` is `undefined`), or why it didn't.
    pub result: Result<Option<Box<RawValue>>, Failure>,
    /// How many calls of the host it made.
    pub host_calls: u32,
    /// From the moment a worker was asked until the end; waiting for a slot isn't part of it.
    pub elapsed: Duration,
}
