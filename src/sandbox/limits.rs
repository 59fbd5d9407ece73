//! Every number that bounds the code of an extension, with its reason, and the ways to go past one.

use std::time::Duration;

/// Body of one frame. Small enough that a 10 MB answer lets others pass in between, large enough that most calls are one frame.
pub(super) const MAX_FRAME: usize = 64 * 1024;

/// Source of one unit: what a whole folder may hold.
pub const MAX_SOURCE: usize = 16 * 1024 * 1024;

/// Modules of one unit.
pub(super) const MAX_MODULES: usize = 5_000;

/// Steps from the entry of a unit to the module that is farthest away from it: the engine follows imports by recursion.
pub(super) const MAX_IMPORT_DEPTH: usize = 250;

/// What a unit registers, as JSON.
pub(super) const MAX_REGISTERED: usize = 1024 * 1024;

/// What a unit says about itself once it is loaded: registrations, load problems, console lines.
pub(super) const MAX_LOADED: usize = 2 * 1024 * 1024;

/// Bytes of one piece of a stream: a frame with the number of the stream.
pub(super) const MAX_PIECE: usize = MAX_FRAME - 4;

/// Bytes of a stream on their way or waiting to be read, each way. Bounds what a slow reader makes the other side hold.
pub(super) const STREAM_CREDIT: usize = 256 * 1024;

/// Host calls with streams of one invocation that are open at once, those included of which only the body isn't read yet. Bounds, with
/// the credit of each, what one invocation makes the host hold.
pub(super) const MAX_STREAMS: usize = 64;

/// How long a streaming answer may go without a piece taken by the client.
pub(super) const STREAM_IDLE: Duration = Duration::from_secs(30);

/// How long what runs may take to come to its end when its streaming answer has lost its client.
pub(super) const GONE_GRACE: Duration = Duration::from_secs(1);

/// Head of an answer, as JSON.
pub(super) const MAX_HEAD: usize = 256 * 1024;

/// Largest body that goes with its head and the end of the call in one message; a longer one goes in pieces.
pub(super) const MAX_WHOLE: usize = 256 * 1024;

/// Levels of objects and arrays in a value that crosses. The host's JSON reader stops at 127 and wraps the value in a few levels.
pub(super) const MAX_DEPTH: usize = 120;

/// Console output of one call, in bytes, before it is cut with a note.
pub(super) const MAX_CONSOLE: usize = 64 * 1024;

/// What a line of the console counts for besides its text, in bytes.
pub(super) const LINE_COST: usize = 100;

/// What the host accepts of log frames per call: the worker's cut comes first, unless the worker is no longer ours.
pub(super) const MAX_CONSOLE_ON_HOST: usize = MAX_CONSOLE + 4 * 1024;

/// Host calls of one invocation that the host knows of; the glue queues more. Bounds what one invocation makes the host hold.
pub(super) const MAX_OPEN_CALLS: u32 = 64;

/// Those of them that run; the others wait for their turn, and for the worker to take the answers of the earlier ones.
pub(super) const MAX_RUNNING_CALLS: usize = 16;

/// Answers of one invocation that its worker has yet to take before another call of it runs, as a multiple of the largest payload.
pub(super) const UNSENT_FACTOR: usize = 2;

/// Arguments of the host calls in flight of one invocation, as a multiple of the largest payload.
pub(super) const OPEN_BYTES_FACTOR: usize = 4;

/// Arguments of the host calls in flight and answers on their way, of all workers together: what they make the host hold.
pub(super) const MAX_OPEN_BYTES: usize = 256 * 1024 * 1024;

/// The part of it that one unit may take.
pub(super) const OPEN_BYTES_SHARE: usize = 4;

/// Arguments and answers up to this size are let pass whatever else is in flight, in bytes.
pub(super) const SMALL_CALL: usize = 64 * 1024;

/// A method name like `items.createOne`.
pub(super) const MAX_METHOD: usize = 128;

/// Timers that one invocation may have set: they live outside the heap that the memory limit counts.
pub(super) const MAX_TIMERS: usize = 10_000;

/// Streams of one call that compress or decompress at once: one takes up to 400 KB outside of the heap.
pub(super) const MAX_CODECS: usize = 16;

/// JS stack. Recursion beyond it is a `RangeError` that the code can catch.
pub(super) const JS_STACK: usize = 512 * 1024;

/// Stack of the thread that runs JS. Native code below the last JS frame must never reach the end.
pub(super) const THREAD_STACK: usize = JS_STACK + 2 * 1024 * 1024;

/// Message of a thrown error, in characters.
pub(super) const MAX_MESSAGE: usize = 1_000;

/// Stack text of a thrown error, in bytes.
pub(super) const MAX_STACK_TEXT: usize = 8 * 1024;

/// A failure as the worker reports it: message, stack, code frame, the error's own fields.
pub(super) const MAX_REPORT: usize = 128 * 1024;

/// How long a unit may take to load, its compilation included.
pub(super) const LOAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long past that the host waits for the worker's own word on it.
pub(super) const LOAD_GRACE: Duration = Duration::from_millis(500);

/// How long past its deadline an invocation may stay unanswered before the host answers for it and gives the worker up.
pub(super) const GRACE: Duration = Duration::from_millis(30);

/// How long a worker may work without a yield and still be given calls.
pub(super) const STALE_AFTER: Duration = Duration::from_millis(4);

/// Processor time that a worker may use without a yield before it gets a smaller part of a busy machine. Nothing can raise its priority
/// again.
pub(super) const LOWER_AFTER: Duration = Duration::from_millis(50);

/// Processor time without a yield after which only what nobody else wants is left for it. An honest call that computes for long comes to
/// its end before, even on a busy machine.
pub(super) const DEMOTE_AFTER: Duration = Duration::from_millis(250);

/// Processes of a unit, as a multiple of the workers that it may have: those that nested calls need and those that come to their end
/// are beyond its share.
pub(super) const CROWD: usize = 4;

/// How often a unit may have a worker of lower priority replaced: code that always computes for long stays there, code
/// that did it once gets a fresh one.
pub(super) const REPLACE_EVERY: Duration = Duration::from_secs(1);

/// How long the jobs of one isolate may run before the other isolates of the worker get their turn.
pub(super) const SLICE: Duration = Duration::from_millis(2);

/// Times that an invocation which had made no host call is started again after its worker died.
pub(super) const MAX_RERUNS: u32 = 4;

/// How long a worker without calls is kept.
pub(super) const IDLE_END: Duration = Duration::from_secs(60);

/// How long a worker is kept that gets no call any more and has none.
pub(super) const RETIRED_END: Duration = Duration::from_secs(1);

/// How long the calls of a retired unit may go on.
pub(super) const RETIRE_AFTER: Duration = Duration::from_secs(30);

/// Isolates that a worker has ready ahead of the calls: the next call that overlaps with another need not wait for one to be made.
pub(super) const READY_ISOLATES: usize = 1;

/// Isolates that a worker keeps for later calls: as many as calls may overlap.
pub(super) const IDLE_ISOLATES: usize = 64;

/// Isolates that a worker can ever need address space for: hooks, requests, streams and what is nested in them at once.
pub(super) const MAX_ISOLATES: usize = 256;

/// What a worker says about its own troubles, for the log.
pub(super) const MAX_NOTE: usize = 4 * 1024;

/// Times that a worker is listened to about them.
pub(super) const MAX_NOTES: u32 = 16;

/// How long a worker may take from its start until it says what is in force in it.
pub(super) const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// How far all workers together may pass their budget before the largest that is at work is killed, as a part of the budget.
pub(super) const OVER_BUDGET: u64 = 8;

/// Memory of the isolates that a worker keeps beyond those that are always ready.
pub(super) const IDLE_BYTES: usize = 24 * 1024 * 1024;

/// How long an isolate beyond those that are always ready is kept without a call.
pub(super) const ISOLATE_IDLE_END: Duration = Duration::from_secs(5);

/// The limits of a call that only the host sets, for the document that lists all: what is limited, how far, what happens beyond.
pub fn fixed() -> Vec<(&'static str, String, &'static str)> {
    vec![
        ("JS stack", size(JS_STACK), "`RangeError` in JS, which code can catch"),
        ("console output of a call", size(MAX_CONSOLE), "cut, with a note in the log"),
        ("levels of objects and arrays in a value that crosses", MAX_DEPTH.to_string(), "an error that names the path"),
        ("service calls of one call that run at once", MAX_RUNNING_CALLS.to_string(), "more wait for their turn"),
        (
            "arguments of the service calls that are open",
            format!("{OPEN_BYTES_FACTOR} × the largest payload"),
            "an error in JS: await some of them first",
        ),
        (
            "arguments and answers of open service calls, of all extensions together",
            format!("{}, a quarter of it for one", size(MAX_OPEN_BYTES)),
            "`EXTENSION_BUSY` in JS",
        ),
        ("timers of one call", MAX_TIMERS.to_string(), "an error in JS"),
        ("message of a thrown error", format!("{MAX_MESSAGE} characters"), "cut"),
        ("stack of a thrown error", size(MAX_STACK_TEXT), "cut"),
        ("bytes of a stream on their way, each way", size(STREAM_CREDIT), "the writer waits"),
        (
            "requests of one call whose answers are not read to their end",
            MAX_STREAMS.to_string(),
            "an error in JS: read or cancel some first",
        ),
        ("streams of one call that compress or decompress at once", MAX_CODECS.to_string(), "an error in JS: end or cancel one first"),
        ("a streaming answer without a piece that the client takes", time(STREAM_IDLE), "cut"),
        ("head of an answer", size(MAX_HEAD), "500 `EXTENSION_FAILED`"),
        ("source of one extension", size(MAX_SOURCE), "a load error"),
        ("modules of one extension", MAX_MODULES.to_string(), "a load error"),
        ("time to load", time(LOAD_TIMEOUT), "a load error"),
        ("a call that goes on when its version was replaced", time(RETIRE_AFTER), "cut"),
        ("processor time without a yield, at ordinary priority", time(LOWER_AFTER), "a smaller part of a busy machine"),
        ("processor time without a yield, at that priority", time(DEMOTE_AFTER), "the worker runs behind everything else"),
        ("answer after the time limit", time(GRACE), "the host answers for it and kills the worker"),
    ]
}

fn size(bytes: usize) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{} MiB", bytes >> 20) } else { format!("{} KiB", bytes >> 10) }
}

fn time(time: Duration) -> String {
    if time.as_millis().is_multiple_of(1_000) { format!("{} s", time.as_secs()) } else { format!("{} ms", time.as_millis()) }
}

/// What a running call went past. After one, nothing of its isolate runs again before the heap is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breach {
    /// The clock.
    Time,
    /// The heap: the allocator refused.
    Memory,
}
