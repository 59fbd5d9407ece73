//! How a run or a load failed: what the host tells its callers, and what the worker reports to the host.
//!
//! The worker's report is believed only as text: its sizes are cut again here, and service errors are handed back from the host's own
//! memory rather than from what the worker says they were.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::CallError;
use super::limits::{LOAD_TIMEOUT, MAX_MESSAGE, MAX_METHOD, MAX_REPORT, MAX_STACK_TEXT};
use super::trace::Spot;

/// Causes that are told of one error; the glue goes no further either.
pub(super) const MAX_CAUSES: usize = 8;

/// The own fields of an error, as JSON; the glue stops earlier.
pub(super) const MAX_FIELDS: usize = 16 * 1024;

/// Stack text of a cause, in characters.
pub(super) const MAX_CAUSE_STACK: usize = 2_000;

/// Why an invocation gave no result.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The code threw.
    Thrown(Box<Thrown>),
    /// It took longer than its timeout.
    Timeout {
        /// Where it was cut, where the worker could still tell.
        cut: Option<Box<Cut>>,
    },
    /// It was still running at [`Host::deadline`](super::Host::deadline).
    HostDeadline,
    /// The body of the request that it answers didn't come in its time.
    SlowBody,
    /// Its streaming answer was cut off at a limit; the text says which.
    StreamCut(String),
    /// It reached the memory limit of its unit.
    OutOfMemory {
        /// Where it was cut, where there was memory left to tell.
        cut: Option<Box<Cut>>,
    },
    /// An argument or the result is larger than a payload may be.
    PayloadTooLarge(String),
    /// The result holds a value that JSON can't carry; the message names its path.
    NotSerializable(String),
    /// Its worker died. Without host calls it had been run again before this was given up.
    Crashed {
        /// Whether it had made host calls, which is why it couldn't be run again.
        had_host_calls: bool,
    },
    /// The unit has as many calls in flight and waiting as it may have, or all workers together as much memory.
    Busy {
        /// After how long another try makes sense.
        retry_after: Duration,
        /// Whether it is the memory.
        for_memory: bool,
    },
    /// The code doesn't load.
    Load(LoadFailure),
    /// No worker could be started; the text is for the log.
    NoWorker(String),
}

impl Failure {
    /// Hands every text that the code may have had a part in to `change`. The own members of an error are left to the caller.
    pub fn texts(&mut self, change: &mut dyn FnMut(&mut String)) {
        match self {
            Self::Thrown(thrown) => {
                let Thrown { name, message, code, stack, causes, frame, .. } = &mut **thrown;
                [Some(name), Some(message), code.as_mut(), stack.as_mut(), frame.as_mut()].into_iter().flatten().for_each(&mut *change);
                for Cause { name, message, code, stack } in causes {
                    [Some(name), Some(message), code.as_mut(), stack.as_mut()].into_iter().flatten().for_each(&mut *change);
                }
            }
            Self::Timeout { cut: Some(cut) } | Self::OutOfMemory { cut: Some(cut) } => {
                [cut.stack.as_mut(), cut.frame.as_mut()].into_iter().flatten().for_each(&mut *change);
            }
            Self::StreamCut(text) | Self::PayloadTooLarge(text) | Self::NotSerializable(text) => change(text),
            Self::Load(load) => {
                for problem in &mut load.problems {
                    [Some(&mut problem.message), problem.frame.as_mut()].into_iter().flatten().for_each(&mut *change);
                }
            }
            Self::Timeout { cut: None }
            | Self::OutOfMemory { cut: None }
            | Self::HostDeadline
            | Self::SlowBody
            | Self::Crashed { .. }
            | Self::Busy { .. }
            | Self::NoWorker(_) => {}
        }
    }
}

/// Something that the code threw.
#[derive(Debug, Clone)]
pub struct Thrown {
    /// Whose doing it was.
    pub kind: ThrownKind,
    /// `error.name`.
    pub name: String,
    /// `error.message`, cut at 1,000 characters.
    pub message: String,
    /// `error.code`, if it is a string.
    pub code: Option<String>,
    /// `error.status`, if it is a number from 100 to 599.
    pub status: Option<u16>,
    /// The stack in the author's lines.
    pub stack: Option<String>,
    /// What led to it, the nearest first: its `cause`, that one's, and so on; then the `errors` of an `AggregateError`.
    pub causes: Vec<Cause>,
    /// The file where it was thrown, if the extension has several.
    pub file: Option<String>,
    /// The author's line where it was thrown, from 1.
    pub line: Option<u32>,
    /// The column in that line, from 1.
    pub column: Option<u32>,
    /// The lines around it with a caret below the column.
    pub frame: Option<String>,
    /// The error's own further members.
    pub fields: Map<String, Value>,
}

/// What led to a thrown error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Its `name`; its type where it isn't an object.
    pub name: String,
    /// Its `message`, cut at 1,000 characters.
    pub message: String,
    /// Its `code`, if it is a string.
    pub code: Option<String>,
    /// Its stack in the author's lines.
    pub stack: Option<String>,
}

/// Where a run was when a limit cut it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// What the code was doing.
    pub doing: Doing,
    /// The stack in the author's lines: of the code that ran, or of the host call that it waited for.
    pub stack: Option<String>,
    /// The file of its innermost line, if the extension has several.
    pub file: Option<String>,
    /// That line, from 1.
    pub line: Option<u32>,
    /// The column in that line, from 1.
    pub column: Option<u32>,
    /// The lines around it with a caret below the column.
    pub frame: Option<String>,
}

/// What code does when it is cut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doing {
    /// It runs.
    #[default]
    Running,
    /// It waits for the answer to a host call, of this name.
    Calling(String),
    /// It waits for something else: a timer, a body, a promise that nothing settles.
    Waiting,
}

/// Whose doing a thrown error was.
#[derive(Debug, Clone, PartialEq)]
pub enum ThrownKind {
    /// The author's `throw`: an `Error`, a subclass of theirs, or any value.
    Decision,
    /// An error of the language: `TypeError`, `ReferenceError`, `RangeError`, `SyntaxError`, `InternalError`.
    Bug,
    /// The rejection of a host call that nothing caught.
    Service(CallError),
}

/// Why a unit doesn't load: every problem that was found, never none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadFailure {
    /// In the order in which they were found.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with the source of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Problem {
    /// For the author.
    pub message: String,
    /// The file within the folder. A unit that is one text has none.
    pub file: Option<String>,
    /// The author's line, from 1.
    pub line: Option<u32>,
    /// The column in that line, from 1.
    pub column: Option<u32>,
    /// The lines around it with a caret below the column.
    pub frame: Option<String>,
}

impl Problem {
    /// A problem without a place.
    pub fn general(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// A problem with a whole file.
    pub fn in_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { message: message.into(), file: Some(file.into()), ..Self::default() }
    }
}

impl LoadFailure {
    /// A failure without a place in the code.
    pub(super) fn general(message: impl Into<String>) -> Self {
        Self { problems: vec![Problem::general(message)] }
    }

    /// What a worker reported: if it names no problem, it has one all the same.
    pub(super) fn said(self) -> Self {
        if self.problems.is_empty() { Self::general("The code could not be loaded") } else { self }
    }
}

impl From<Problem> for LoadFailure {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

/// A failed run as the worker reports it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(super) enum Report {
    /// The code threw.
    Thrown(Box<ThrownReport>),
    /// The clock ran out, noticed by the worker itself.
    Timeout {
        /// Where.
        cut: Option<Box<Cut>>,
    },
    /// The allocator refused.
    MemoryLimit {
        /// Where.
        cut: Option<Box<Cut>>,
    },
    /// There is no memory to begin with.
    OutOfMemory,
    /// The result is too large.
    PayloadTooLarge {
        /// For the author.
        message: String,
    },
    /// The result can't be JSON.
    NotSerializable {
        /// For the author.
        message: String,
    },
    /// There is no isolate for it: the unit loaded once and doesn't any more.
    NotLoaded(LoadFailure),
}

/// What was thrown, as the worker reports it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ThrownReport {
    /// An error of the language rather than the author's.
    pub bug: bool,
    /// The host call whose rejection it is.
    pub call: Option<u32>,
    pub name: String,
    pub message: String,
    pub code: Option<String>,
    pub status: Option<u16>,
    pub stack: Option<String>,
    pub causes: Vec<Cause>,
    pub file: Option<String>,
    pub line: Option<u32>,
    pub column: Option<u32>,
    pub frame: Option<String>,
    pub fields: Map<String, Value>,
}

impl Report {
    /// As the host reads it. What would be longer than it reads, in letters that JSON writes with many, is left out: the least needed first.
    pub(super) fn to_json(&self) -> Vec<u8> {
        // Only strings, numbers and JSON values are in there.
        let json = |report: &Self| serde_json::to_vec(report).expect("a report is plain data");
        let whole = json(self);
        let Self::Thrown(thrown) = self else { return whole };
        if whole.len() <= MAX_REPORT {
            return whole;
        }
        let mut thrown = thrown.clone();
        thrown.fields.clear();
        thrown.causes.iter_mut().for_each(|cause| cause.stack = None);
        let shorter = json(&Self::Thrown(thrown.clone()));
        if shorter.len() <= MAX_REPORT {
            return shorter;
        }
        thrown.causes.clear();
        thrown.stack = None;
        json(&Self::Thrown(thrown))
    }

    /// The failure it stands for. `refused` hands out the error with which a host call was answered.
    pub(super) fn into_failure(self, refused: impl FnOnce(u32) -> Option<CallError>) -> Failure {
        match self {
            Report::Thrown(t) => {
                let refused_by_host = t.call.is_some();
                let kind = match t.call.and_then(refused) {
                    Some(error) => ThrownKind::Service(error),
                    None if t.bug || refused_by_host => ThrownKind::Bug,
                    None => ThrownKind::Decision,
                };
                Failure::Thrown(Box::new(Thrown {
                    kind,
                    name: cut(t.name, 100),
                    message: cut(t.message, MAX_MESSAGE),
                    code: t.code.map(|c| cut(c, 100)),
                    status: t.status.filter(|s| (100..600).contains(s)),
                    stack: t.stack.map(|s| cut(s, MAX_STACK_TEXT)),
                    causes: t.causes.into_iter().take(MAX_CAUSES).map(Cause::bounded).collect(),
                    file: t.file.map(|f| cut(f, MAX_MESSAGE)),
                    line: t.line,
                    column: t.column,
                    frame: t.frame.map(|f| cut(f, MAX_STACK_TEXT)),
                    fields: if is_small(&t.fields) { t.fields } else { Map::new() },
                }))
            }
            Report::Timeout { cut } => Failure::Timeout { cut: Cut::bounded(cut) },
            Report::MemoryLimit { cut } => Failure::OutOfMemory { cut: Cut::bounded(cut) },
            Report::OutOfMemory => Failure::OutOfMemory { cut: None },
            Report::PayloadTooLarge { message } => Failure::PayloadTooLarge(cut(message, MAX_MESSAGE)),
            Report::NotSerializable { message } => Failure::NotSerializable(cut(message, MAX_MESSAGE)),
            Report::NotLoaded(failure) => Failure::Load(failure.said()),
        }
    }
}

impl Report {
    /// What it says about code that was being loaded.
    pub(super) fn into_problem(self) -> Problem {
        match self {
            Report::Thrown(t) => {
                let (message, file) = (cut(format!("{}: {}", t.name, t.message), MAX_MESSAGE), t.file);
                Problem { message, file, line: t.line, column: t.column, frame: t.frame }
            }
            Report::Timeout { cut } => {
                Cut::problem(cut, |at| format!("The code could not be loaded within {} s{at}", LOAD_TIMEOUT.as_secs()))
            }
            Report::MemoryLimit { cut } => {
                Cut::problem(cut, |at| format!("The code could not be loaded within the memory limit of the extension{at}"))
            }
            Report::OutOfMemory => Problem::general("The code could not be loaded within the memory limit of the extension"),
            Report::PayloadTooLarge { message } | Report::NotSerializable { message } => Problem::general(message),
            Report::NotLoaded(failure) => failure.problems.into_iter().next().unwrap_or_default(),
        }
    }
}

/// Whether the glue could have sent them: it leaves out what is longer.
fn is_small(fields: &Map<String, Value>) -> bool {
    serde_json::to_vec(fields).is_ok_and(|json| json.len() <= MAX_FIELDS)
}

impl Cause {
    /// Not more of it than is told of one.
    fn bounded(self) -> Self {
        let Self { name, message, code, stack } = self;
        Self {
            name: cut(name, 100),
            message: cut(message, MAX_MESSAGE),
            code: code.map(|code| cut(code, 100)),
            stack: stack.map(|stack| cut(stack, MAX_CAUSE_STACK)),
        }
    }
}

impl Cut {
    /// A place in a run, from a stack in the author's lines and its innermost spot.
    pub(super) fn at(doing: Doing, (stack, spot): (String, Option<Spot>)) -> Self {
        let mut cut = Self { doing, ..Self::default() };
        // Without a line of the author's a stack says nothing: it is our own built-ins.
        if let Some(spot) = spot {
            cut.stack = Some(stack);
            cut.file = spot.file;
            (cut.line, cut.column, cut.frame) = (Some(spot.place.line), Some(spot.place.column), Some(spot.frame));
        }
        cut
    }

    fn bounded(cut_at: Option<Box<Self>>) -> Option<Box<Self>> {
        let Self { doing, stack, file, line, column, frame } = *cut_at?;
        let doing = match doing {
            Doing::Calling(method) => Doing::Calling(cut(method, MAX_METHOD)),
            other => other,
        };
        let long = |text: Option<String>| text.map(|text| cut(text, MAX_STACK_TEXT));
        Some(Box::new(Self { doing, stack: long(stack), file: file.map(|f| cut(f, MAX_MESSAGE)), line, column, frame: long(frame) }))
    }

    /// What it says about code that was being loaded; `message` is handed the stack with a line break before it.
    fn problem(cut: Option<Box<Self>>, message: impl FnOnce(&str) -> String) -> Problem {
        let Self { stack, file, line, column, frame, .. } = cut.map(|cut| *cut).unwrap_or_default();
        let at = stack.map(|stack| format!("\n{stack}")).unwrap_or_default();
        Problem { message: message(&at), file, line, column, frame }
    }
}

/// The first `max` characters.
pub(super) fn cut(mut text: String, max: usize) -> String {
    if text.len() > max
        && let Some((at, _)) = text.char_indices().nth(max)
    {
        text.truncate(at);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_never_longer_than_the_host_reads() {
        let long = |max| Some("\u{1}".repeat(max));
        let cause = Cause { message: "\u{1}".repeat(MAX_MESSAGE), stack: long(MAX_CAUSE_STACK), ..Cause::default() };
        let mut thrown =
            ThrownReport { message: "m".into(), stack: long(MAX_STACK_TEXT), causes: vec![cause; MAX_CAUSES], ..ThrownReport::default() };
        thrown.fields.insert("text".into(), Value::from("\u{1}".repeat(MAX_FIELDS)));
        for stack in [MAX_STACK_TEXT, MAX_REPORT] {
            thrown.stack = long(stack);
            let json = Report::Thrown(Box::new(thrown.clone())).to_json();
            assert!(json.len() <= MAX_REPORT, "{}", json.len());
            assert!(matches!(serde_json::from_slice::<Report>(&json), Ok(Report::Thrown(read)) if read.message == "m"));
        }
    }
}
