//! The child process: one thread that runs JS, many isolates of one unit, one socket.
//!
//! Started by the pool with its socket as standard input and nothing else, it locks itself in (`jail.rs`) before the first frame. The loop
//! reads frames, runs what they set in motion until
//! nothing is pending, writes what came of it, and acknowledges: the acknowledgement is how the host knows that JS has yielded.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::alloc::Heap;
use super::compile::{self, Code, Compiled, Compiler, LoadAnswer, LoadStep, Loaded, Program};
use super::failure::{LoadFailure, Report};
use super::isolate::{Feed, Isolate, NotMade, Step};
use super::jail::{self, Jail};
use super::limits::{
    IDLE_BYTES, IDLE_ISOLATES, ISOLATE_IDLE_END, LOAD_TIMEOUT, MAX_FRAME, MAX_ISOLATES, MAX_NOTE, MAX_REGISTERED, MAX_SOURCE,
    READY_ISOLATES, SLICE, THREAD_STACK,
};
use super::protocol::{
    AckBody, CreditBody, DONE_FAILURE, Decoder, HEADER, InvokeBody, Kind, Message, PieceBody, ReplyBody, Violation, write_message,
};

/// The JS half of one service. `js` is a function expression `(host, primordials, { tx, make, data }) => service`: `host(method, ...args)`
/// asks the host and answers a promise; `tx` is the open transaction that these services belong to, `make(tx)` makes the services of
/// another, `data` is what the host sent with the invocation, `log(level, text)` writes a line as the console does. It is evaluated when the code first touches `services[name]`, and what it
/// answers is frozen.
#[derive(Debug, Clone, Copy)]
pub struct ServiceSource {
    /// Its name in `context.services`.
    pub name: &'static str,
    /// Its source.
    pub js: &'static str,
}

/// How long frames may wait for the rest of their batch to be dealt with.
const FLUSH_AFTER: Duration = Duration::from_micros(200);

unsafe extern "C" {
    /// The C library's: reads the zone that the environment names.
    fn tzset();
}

/// Runs a worker until its host is gone: the whole of `trellis worker`.
#[expect(clippy::disallowed_methods, reason = "a worker has no settings: this is for its C library")]
pub fn main(services: Vec<ServiceSource>, sdk: &'static str) -> ExitCode {
    // SAFETY: the only thread so far. The first local date reads the zone; without a name it would look for a file.
    unsafe {
        std::env::set_var("TZ", "UTC0");
        // Now, and not when code first asks for a local date.
        tzset();
        std::env::remove_var("TZ");
    };
    std::panic::set_hook(Box::new(|panic| last_words(&panic.to_string())));
    let jail = jail::prepare();
    let run = move || {
        if let Err(problem) = serve(jail, &services, sdk) {
            last_words(&problem);
        }
        // SAFETY: ends the process. What it holds goes with it: tearing down a large heap piece by piece would take its time.
        unsafe { libc::_exit(0) }
    };
    match std::thread::Builder::new().stack_size(THREAD_STACK).spawn(run).map(std::thread::JoinHandle::join) {
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            last_words(&format!("there is no thread for JavaScript: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Tells the host why this worker ends. It has no other way to: no log, no terminal.
fn last_words(text: &str) {
    // SAFETY: descriptor 0 is the socket for as long as the process lives, and it isn't closed here.
    let mut socket = ManuallyDrop::new(unsafe { UnixStream::from_raw_fd(0) });
    let mut out = Vec::new();
    write_note(&mut out, text);
    // Without a host there is nobody to tell.
    let _ = socket.write_all(&out);
}

fn write_note(out: &mut Vec<u8>, text: &str) {
    write_message(out, Kind::Note, 0, &text.as_bytes()[..text.floor_char_boundary(MAX_NOTE)]);
}

fn serve(jail: Jail, services: &[ServiceSource], sdk: &str) -> Result<(), String> {
    let jail = jail::lock(jail);
    let program = Program::compile(services, sdk)?;
    // Flags and texts only.
    let hello = serde_json::to_vec(&jail).expect("a jail is plain data");
    let mut out = Vec::new();
    write_message(&mut out, Kind::Hello, 0, &hello);
    let mut worker = Worker {
        // SAFETY: descriptor 0 is the socket that the host gave, and nothing else here owns it.
        socket: unsafe { UnixStream::from_raw_fd(0) },
        decoder: Decoder::default(),
        out,
        program,
        loading: None,
        unit: None,
        registered: Vec::new(),
        running: HashMap::new(),
        runnable: Vec::new(),
        ready: Vec::new(),
        spent: Vec::new(),
        processed: 0,
        acknowledged: 0,
        recycle: false,
        announced: false,
    };
    worker.write_out()?;
    worker.serve()
}

struct Worker {
    socket: UnixStream,
    decoder: Decoder,
    /// Frames to write.
    out: Vec<u8>,
    program: Rc<Program>,
    /// A unit that lacks files, and by when it must be loaded.
    loading: Option<(Box<Compiler>, Instant)>,
    unit: Option<Rc<Loaded>>,
    /// JSON text of what the unit registered: every isolate's must be the same.
    registered: Vec<u8>,
    running: HashMap<u64, Isolate>,
    /// Whose slice was too short.
    runnable: Vec<u64>,
    /// Isolates that can take a call, the longest idle first: the last is taken first, so those at the front age.
    ready: Vec<Isolate>,
    /// Isolates whose call has ended, to put back when nobody waits for it.
    spent: Vec<Isolate>,
    /// Messages dealt with.
    processed: u64,
    /// Messages of which the host knows.
    acknowledged: u64,
    /// No isolate could be made: another process may fare better.
    recycle: bool,
    /// The host was told that work goes on that no message asked for.
    announced: bool,
}

impl Worker {
    fn serve(&mut self) -> Result<(), String> {
        loop {
            if self.readable(self.patience())? {
                let buffer = self.decoder.buffer(MAX_FRAME + HEADER);
                // A reader of its own, bounded: the decoder's buffer grows by what arrived only.
                let mut chunk = [0_u8; 32 * 1024];
                match self.socket.read(&mut chunk) {
                    Ok(0) => return Ok(()),
                    Ok(n) => buffer.extend_from_slice(&chunk[..n]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error.to_string()),
                }
                let mut batch = Instant::now();
                while let Some(message) = self.decoder.next(accept).map_err(|v| v.to_string())? {
                    self.handle(message).map_err(|v| v.to_string())?;
                    self.processed += 1;
                    if batch.elapsed() > FLUSH_AFTER {
                        self.flush()?;
                        batch = Instant::now();
                    }
                }
            }
            self.go_on()?;
            self.flush()?;
            self.tidy()?;
        }
    }

    /// How long to wait for the host: not at all while there is something to do, for ever if nothing is timed. In milliseconds.
    fn patience(&self) -> i32 {
        if !self.runnable.is_empty() || !self.spent.is_empty() || self.wants_isolate() {
            return 0;
        }
        let aged = (self.ready.len() > READY_ISOLATES).then(|| self.ready[0].idle_since() + ISOLATE_IDLE_END);
        let Some(wake) = self.running.values().map(Isolate::next_wake).chain(aged).min() else { return -1 };
        let wait = wake.saturating_duration_since(Instant::now());
        i32::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(i32::MAX)
    }

    fn readable(&self, timeout_ms: i32) -> Result<bool, String> {
        let mut poll = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one descriptor, ours.
        match unsafe { libc::poll(&raw mut poll, 1, timeout_ms) } {
            -1 if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted => Err(io::Error::last_os_error().to_string()),
            n => Ok(n > 0),
        }
    }

    /// Writes what there is, with an acknowledgement if the host doesn't know yet.
    fn flush(&mut self) -> Result<(), String> {
        if self.processed != self.acknowledged || self.announced {
            self.acknowledged = self.processed;
            self.acknowledge(false);
        }
        self.write_out()
    }

    fn write_out(&mut self) -> Result<(), String> {
        if !self.out.is_empty() {
            self.socket.write_all(&self.out).map_err(|e| e.to_string())?;
            self.out.clear();
            self.out.shrink_to(MAX_FRAME);
        }
        Ok(())
    }

    fn acknowledge(&mut self, working: bool) {
        self.announced = working;
        let ack = AckBody { processed: self.processed, recycle: self.recycle, working }.encode();
        write_message(&mut self.out, Kind::Ack, 0, &ack);
    }

    fn handle(&mut self, message: Message) -> Result<(), Violation> {
        let Message { kind, id, body } = message;
        match kind {
            Kind::Load => self.load(&body),
            Kind::Invoke => {
                let body = InvokeBody::decode(&body)?;
                match self.isolate() {
                    Ok(mut isolate) => {
                        isolate.start(id, &body);
                        self.running.insert(id, isolate);
                        self.drive(id);
                    }
                    Err(problem) => {
                        let report = match problem {
                            NotMade::Ours(why) => {
                                write_note(&mut self.out, &why);
                                Report::OutOfMemory
                            }
                            NotMade::Unit(failure) => Report::NotLoaded(failure),
                        };
                        let mut done = vec![DONE_FAILURE];
                        serde_json::to_writer(&mut done, &report).map_err(|_| Violation("no report"))?;
                        write_message(&mut self.out, Kind::Done, id, &done);
                        self.recycle = true;
                    }
                }
            }
            Kind::Feed => self.feed(id, &Feed::Piece(PieceBody::decode(&body)?.bytes)),
            Kind::FeedEnd => {
                let why = PieceBody::decode(&body)?.bytes;
                let why = std::str::from_utf8(why).map_err(|_| Violation("an error that isn't text"))?;
                self.feed(id, &if why.is_empty() { Feed::End } else { Feed::Error(why) });
            }
            Kind::Credit => self.feed(id, &Feed::Credit(CreditBody::decode(&body)?.bytes)),
            Kind::Gone => self.feed(id, &Feed::Gone),
            Kind::Reply => {
                let reply = ReplyBody::decode(&body)?;
                // The invocation may have ended while the answer was on its way.
                if let Some(isolate) = self.running.get(&id) {
                    isolate.reply(&reply);
                    self.drive(id);
                }
            }
            Kind::Abort => {
                self.decoder.forget(id);
                self.runnable.retain(|r| *r != id);
                self.spent.extend(self.running.remove(&id));
            }
            // `accept` lets none of the worker's own pass.
            _ => return Err(Violation("a message of the wrong way")),
        }
        Ok(())
    }

    /// Hands on what an exchange brings. The invocation may have ended while it was on its way.
    fn feed(&mut self, id: u64, feed: &Feed<'_>) {
        if let Some(isolate) = self.running.get(&id) {
            isolate.feed(feed);
            self.drive(id);
        }
    }

    fn load(&mut self, body: &[u8]) {
        let answer = self.load_step(body).unwrap_or_else(LoadAnswer::Failed);
        // Texts, numbers and lists only.
        let answer = serde_json::to_vec(&answer).expect("an answer is plain data");
        write_message(&mut self.out, Kind::Loaded, 0, &answer);
    }

    fn load_step(&mut self, body: &[u8]) -> Result<LoadAnswer, LoadFailure> {
        let step = serde_json::from_slice(body).map_err(|_| LoadFailure::general("The code could not be read"))?;
        let (compiled, until) = match (step, self.loading.take()) {
            (LoadStep::Probe(body), _) => {
                return Ok(match compile::compile(body)? {
                    Compiled::Whole(_) => LoadAnswer::Loaded { registrations: Vec::new(), lines: Vec::new() },
                    Compiled::Lacks(_, need) => LoadAnswer::Need(need),
                });
            }
            (LoadStep::Begin(body), _) => (compile::compile(body)?, Instant::now() + LOAD_TIMEOUT),
            (LoadStep::Files(files), Some((compiler, until))) => (compiler.with(files)?, until),
            (LoadStep::Files(_), None) => return Err(LoadFailure::general("There are files, and nothing is being loaded")),
        };
        match compiled {
            Compiled::Lacks(compiler, need) => {
                self.loading = Some((compiler, until));
                Ok(LoadAnswer::Need(need))
            }
            Compiled::Whole(unit) => self.first_isolates(Rc::new(unit), until),
        }
    }

    /// Loads the unit into an isolate, so that what can't be loaded is known now and the first call need not wait. A unit that registers
    /// is loaded twice: what it registers must be the same in every isolate.
    fn first_isolates(&mut self, unit: Rc<Loaded>, until: Instant) -> Result<LoadAnswer, LoadFailure> {
        let out = &mut self.out;
        let mut told = |problem| match problem {
            NotMade::Unit(failure) => failure,
            NotMade::Ours(why) => {
                write_note(out, &why);
                LoadFailure::general("The code could not be loaded")
            }
        };
        // Twice: a heap, and the file that its image lies in.
        jail::limit_address_space(Heap::address_space(unit.memory_limit).saturating_mul(2 * MAX_ISOLATES));
        let (isolate, registered) = Isolate::new(&self.program, &unit, until).map_err(&mut told)?;
        if registered.json.len() > MAX_REGISTERED {
            let size = registered.json.len();
            let message = format!(
                "What `register` registers has {size} bytes as JSON, more than {MAX_REGISTERED}: shorten `parameters` and descriptions"
            );
            return Err(LoadFailure::general(message));
        }
        self.ready = vec![isolate];
        self.registered = registered.json;
        if matches!(unit.code, Code::Modules(_)) {
            let (second, again) = Isolate::new(&self.program, &unit, until).map_err(&mut told)?;
            if again.json != self.registered {
                return Err(differs());
            }
            self.ready.push(second);
        }
        self.unit = Some(unit);
        let registrations =
            serde_json::from_slice(&self.registered).map_err(|_| LoadFailure::general("What was registered can't be read"))?;
        Ok(LoadAnswer::Loaded { registrations, lines: registered.lines })
    }

    /// Runs what is pending of one invocation and ends it if it came to an end.
    fn drive(&mut self, id: u64) {
        let Some(isolate) = self.running.get(&id) else { return };
        let step = isolate.drive(SLICE);
        isolate.take_frames(&mut self.out);
        match step {
            Step::Waiting => {}
            Step::More => {
                if !self.runnable.contains(&id) {
                    self.runnable.push(id);
                }
            }
            Step::Done | Step::Breached => {
                let Some(mut isolate) = self.running.remove(&id) else { return };
                write_message(&mut self.out, Kind::Done, id, &isolate.take_outcome());
                let warm = self.unit.as_ref().is_some_and(|u| u.warm);
                if warm && step == Step::Done && self.has_room_for(&isolate) && isolate.close() {
                    self.ready.push(isolate);
                } else {
                    self.spent.push(isolate);
                }
            }
        }
    }

    /// Goes on with what was cut into slices, what is timed, and what is over its time.
    fn go_on(&mut self) -> Result<(), String> {
        let now = Instant::now();
        let is_due = self.running.values().any(|isolate| isolate.next_wake() <= now);
        if !is_due && self.runnable.is_empty() {
            return Ok(());
        }
        // The host must know: what hangs from here on would look like an idle worker otherwise.
        self.acknowledged = self.processed;
        self.acknowledge(true);
        self.write_out()?;
        for id in std::mem::take(&mut self.runnable) {
            self.drive(id);
        }
        let due: Vec<u64> = self.running.iter().filter(|(_, isolate)| isolate.next_wake() <= now).map(|(id, _)| *id).collect();
        for id in due {
            self.drive(id);
        }
        Ok(())
    }

    /// An isolate for a call.
    fn isolate(&mut self) -> Result<Isolate, NotMade> {
        // What ran last is still in the processor's caches.
        while let Some(mut isolate) = self.spent.pop() {
            if isolate.restore() {
                return Ok(isolate);
            }
        }
        match self.ready.pop() {
            Some(isolate) => Ok(isolate),
            None => self.prepare(),
        }
    }

    fn prepare(&self) -> Result<Isolate, NotMade> {
        let unit = self.unit.as_ref().ok_or_else(|| NotMade::Ours("there is no unit".into()))?;
        let (isolate, registered) = Isolate::new(&self.program, unit, Instant::now() + LOAD_TIMEOUT)?;
        if registered.json == self.registered { Ok(isolate) } else { Err(NotMade::Unit(differs())) }
    }

    fn wants_isolate(&self) -> bool {
        self.ready.len() + self.spent.len() < READY_ISOLATES && self.unit.is_some() && !self.recycle
    }

    /// Whether one more isolate may be kept for later calls.
    fn has_room_for(&self, isolate: &Isolate) -> bool {
        let kept: usize = self.ready.iter().map(Isolate::resident).sum();
        self.ready.len() < READY_ISOLATES || (self.ready.len() < IDLE_ISOLATES && kept + isolate.resident() <= IDLE_BYTES)
    }

    /// What can wait until the host has its answers: puts isolates back, lets those go that are not needed any more, and makes one
    /// ahead. Stops as soon as something arrived.
    fn tidy(&mut self) -> Result<(), String> {
        while let Some(mut isolate) = self.spent.pop() {
            // What can't be put back, a warm one that was given up for example, is dropped with its whole heap.
            if isolate.restore() && self.has_room_for(&isolate) {
                self.ready.push(isolate);
            }
            if !self.spent.is_empty() && self.readable(0)? {
                return Ok(());
            }
        }
        if self.ready.len() > READY_ISOLATES && self.ready[0].idle_since().elapsed() >= ISOLATE_IDLE_END {
            self.ready.remove(0);
        }
        if self.wants_isolate() && !self.readable(0)? {
            match self.prepare() {
                Ok(isolate) => self.ready.insert(0, isolate),
                // The next call says so to its caller; trying again and again helps nobody.
                Err(_) => self.recycle = true,
            }
        }
        Ok(())
    }
}

fn differs() -> LoadFailure {
    LoadFailure::general(
        "What `register` registers differs from one isolate to the next: it must not depend on the time, on chance or on anything else that changes",
    )
}

/// What the host may send, and how much of it.
pub(super) fn accept(kind: Kind, _id: u64) -> Option<usize> {
    match kind {
        // Escaped in JSON, a source may take six times its length.
        Kind::Load => Some(MAX_SOURCE * 6 + MAX_FRAME),
        Kind::Invoke | Kind::Reply => Some(usize::MAX),
        Kind::Abort | Kind::Gone => Some(0),
        Kind::Feed | Kind::FeedEnd | Kind::Credit => Some(MAX_FRAME),
        _ => None,
    }
}
