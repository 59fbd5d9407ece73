//! The workers of all units: admission, start and end, memory, and the calls themselves.
//!
//! Called by `extensions/` (check, invoke, retire) and by `app.rs` (start, shutdown). It never blocks a runtime thread: processes are
//! started and reaped on their own thread (`process.rs`).

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::jail::Jail;
use super::keeper::{keep, memory};
use super::limits::{HELLO_TIMEOUT, LOAD_GRACE, LOAD_TIMEOUT, MAX_RERUNS, MAX_SOURCE, RETIRE_AFTER};
use super::link::Link;
use super::load::{NotLoaded, load_into};
use super::process::{Processes, Started};
use super::room::{Room, Share};
use super::run::{Attempt, End};
use super::scheduler::{Choice, Crew, Lane, Terms, Waiting};
use super::{Exchange, Failure, Invocation, LoadFailure, Loaded, Outcome, Unit};

/// What callers are told to wait when a unit has too many calls.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How many workers, how much of everything.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// What workers are started from, with the argument `worker`.
    pub executable: PathBuf,
    /// Blank workers kept started, so that a cold call waits for a load and not for a process.
    pub reserve: usize,
    /// Calls of one unit in flight.
    pub max_in_flight: usize,
    /// Calls of one unit waiting.
    pub max_waiting: usize,
    /// How long a call may wait.
    pub max_wait: Duration,
    /// Workers that one unit may have.
    pub workers_per_unit: usize,
    /// Bytes of memory of all workers together, without what they share.
    pub memory_budget: u64,
    /// Bytes of an argument or a result as JSON.
    pub max_payload: usize,
    /// Whether code may run in workers without seccomp.
    pub degraded: bool,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            executable: PathBuf::from("/proc/self/exe"),
            reserve: 2,
            max_in_flight: 64,
            max_waiting: 256,
            max_wait: Duration::from_secs(2),
            workers_per_unit: std::thread::available_parallelism().map_or(2, |n| n.get().max(2)),
            memory_budget: 1 << 30,
            max_payload: 10 * 1024 * 1024,
            degraded: false,
        }
    }
}

/// The pool at one moment.
#[derive(Debug, Clone, Default)]
pub struct PoolStats {
    /// Every worker that serves a unit.
    pub workers: Vec<WorkerStat>,
    /// Started workers without a unit.
    pub blank: usize,
    /// Workers without a call.
    pub idle: usize,
    /// Calls on workers.
    pub in_flight: usize,
    /// Bytes of memory of all workers, blank ones included, without what they share.
    pub resident_bytes: u64,
}

/// One worker at one moment.
#[derive(Debug, Clone)]
pub struct WorkerStat {
    /// Its process.
    pub pid: u32,
    /// The name of its unit.
    pub unit: String,
    /// The id of its unit.
    pub unit_id: u64,
    /// Calls on it.
    pub in_flight: usize,
    /// Bytes of memory of its own.
    pub resident_bytes: u64,
}

/// A started worker without a unit. The crew is set once, when it is taken: from then on its end is the crew's business.
#[derive(Clone)]
pub(super) struct Blank {
    pub(super) link: Arc<Link>,
    crew: Arc<OnceLock<Arc<Crew>>>,
}

/// All workers. Dropping it kills them.
pub struct Pool {
    pub(super) options: PoolOptions,
    processes: Processes,
    /// Changed by whoever needs a unit first, retires one, or asks for statistics; never held across an await.
    crews: Mutex<HashMap<u64, Arc<Crew>>>,
    /// Units that are no longer used and still have workers; pruned by the keeper.
    retired: Mutex<Vec<Arc<Crew>>>,
    /// Started workers without a unit; filled by the reserve task, taken by loads.
    blanks: Mutex<Vec<Blank>>,
    /// Tells the reserve task that a blank one was taken.
    taken: Notify,
    next_id: AtomicU64,
    /// Start of the seeds of `Math.random`; no secret.
    seed: u64,
    /// Set by the keeper when the workers are over the budget although none is idle.
    pub(super) crowded: AtomicBool,
    /// A call waits for memory: set by the call, taken by the keeper, which then makes room.
    pub(super) wanted: AtomicBool,
    /// What host calls make the host hold.
    room: Room,
    /// A blank worker ended by itself: set by whoever saw it, taken by the reserve task, which then holds its breath.
    blank_died: AtomicBool,
    /// What is in force in the workers, as the first said.
    jail: OnceLock<Jail>,
    /// Set once, by `shutdown`.
    pub(super) closed: AtomicBool,
    pub(super) me: Weak<Pool>,
}

impl Pool {
    /// Starts the thread of the workers and the reserve. Must be called inside a tokio runtime.
    ///
    /// # Panics
    /// If the machine refuses a thread.
    pub fn start(options: PoolOptions) -> Arc<Pool> {
        let processes = Processes::new(options.executable.clone()).expect("a machine that runs the host can start one more thread");
        let pool = Arc::new_cyclic(|me| Pool {
            options,
            processes,
            crews: Mutex::default(),
            retired: Mutex::default(),
            blanks: Mutex::default(),
            taken: Notify::new(),
            next_id: AtomicU64::new(1),
            seed: std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 1_u8),
            crowded: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            room: Room::default(),
            blank_died: AtomicBool::new(false),
            jail: OnceLock::new(),
            closed: AtomicBool::new(false),
            me: me.clone(),
        });
        tokio::spawn(fill_reserve(Arc::downgrade(&pool)));
        tokio::spawn(keep(Arc::downgrade(&pool)));
        pool
    }

    /// What is in force in the workers. An error says why none can be used.
    pub async fn jail(&self) -> std::io::Result<&Jail> {
        if let Some(jail) = self.jail.get() {
            return Ok(jail);
        }
        let blank = self.start_worker().await?;
        self.blanks().push(blank);
        self.jail.get().ok_or_else(|| std::io::Error::other("a worker said nothing about itself"))
    }

    /// Loads a unit into a worker of its own, which stays and serves it. Answers what it said about itself.
    pub async fn check(&self, unit: &Arc<Unit>) -> Result<Loaded, LoadFailure> {
        let crew = self.crew(unit);
        if let Some(loaded) = crew.loaded.get() {
            return Ok(loaded.clone());
        }
        crew.begin_load();
        let loaded = self.load(&crew).await;
        if loaded.is_err() {
            self.crews().remove(&unit.id);
        }
        match loaded {
            Ok(_) => crew.loaded.get().cloned().ok_or_else(|| LoadFailure::general("The load was not noted")),
            Err(Failure::Load(failure)) => Err(failure),
            Err(Failure::NoWorker(why)) => Err(LoadFailure::general(why)),
            Err(_) => Err(LoadFailure::general("No worker could be started to compile the code")),
        }
    }

    /// Ends the workers of a unit that have no call: the next call starts one. For those who load more units than can all be at work.
    pub fn rest(&self, unit_id: u64) {
        let crew = self.crews().get(&unit_id).cloned();
        let idle = crew.iter().flat_map(|crew| crew.links()).filter(|link| link.watch(Instant::now()).calls == 0);
        idle.for_each(|link| self.end(&link));
    }

    /// Runs a unit once, to answer a request if there is an `exchange`. Dropping the future aborts the run.
    pub async fn invoke(&self, invocation: Invocation, mut exchange: Option<Exchange>) -> Outcome {
        let mut host_calls = 0;
        let mut started = Instant::now();
        let result = self.admitted(&invocation, &mut exchange, &mut started, &mut host_calls).await;
        Outcome { result, host_calls, elapsed: started.elapsed() }
    }

    async fn admitted(
        &self,
        invocation: &Invocation,
        exchange: &mut Option<Exchange>,
        started: &mut Instant,
        host_calls: &mut u32,
    ) -> Result<Option<Box<serde_json::value::RawValue>>, Failure> {
        let input = &invocation.input;
        let size: usize = input.args.iter().map(|a| a.get().len()).sum();
        if size > self.options.max_payload {
            let message = format!("the arguments have {size} bytes, more than {}", self.options.max_payload);
            return Err(Failure::PayloadTooLarge(message));
        }
        let crew = self.crew(&invocation.unit);
        // What is nested has its caller's time.
        let give_up = *started + if invocation.nested { invocation.timeout } else { self.options.max_wait };
        let lane = if exchange.is_some() { &crew.requests } else { &crew.hooks };
        let mut slot = if invocation.nested { None } else { Some(self.slot(lane, give_up).await?) };
        let mut deadline = None;
        let mut reruns = 0;
        loop {
            let link = self.worker(&crew, invocation.nested, give_up).await?;
            let now = Instant::now();
            let deadline = *deadline.get_or_insert_with(|| {
                *started = now;
                now + invocation.timeout
            });
            let seed = self.seed.wrapping_add(self.next_id().wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let mut attempt = Attempt { pool: self, crew: &crew, link, invocation, deadline, seed, host_calls: 0, spent: false };
            let end = attempt.run(exchange, &mut slot, &crew.streams).await;
            *host_calls = attempt.host_calls;
            let again = *host_calls == 0 && !attempt.spent;
            let for_memory = attempt.link.was_ended_for_memory();
            match end {
                End::Answered(result) => return result,
                End::NotStarted if Instant::now() < deadline => {}
                // What was ended for its hunger will be hungry again: one more try, for the case that there is room by then.
                End::Died if again && reruns < (if for_memory { 1 } else { MAX_RERUNS }) && Instant::now() < deadline => reruns += 1,
                End::Died | End::NotStarted if Instant::now() >= deadline => return Err(Failure::Timeout { cut: None }),
                // Its own doing or not: it isn't a fault of the code.
                End::Died if for_memory => return Err(Failure::Busy { retry_after: RETRY_AFTER, for_memory }),
                End::Died | End::NotStarted => return Err(Failure::Crashed { had_host_calls: !again }),
            }
        }
    }

    /// A unit is no longer used: its workers end with their last calls, after 30 s in any case.
    pub fn retire(&self, unit_id: u64) {
        let Some(crew) = self.crews().remove(&unit_id) else { return };
        crew.set_retired();
        self.retired().push(Arc::clone(&crew));
        for link in crew.links() {
            if link.retire() {
                self.end(&link);
            }
        }
        let pool = self.me.clone();
        tokio::spawn(async move {
            sleep(RETIRE_AFTER).await;
            if let Some(pool) = pool.upgrade() {
                crew.links().iter().for_each(|link| pool.end(link));
            }
        });
    }

    /// Kills every worker and starts no more. What runs is answered as crashed.
    pub async fn shutdown(&self) {
        self.closed.store(true, Ordering::Relaxed);
        for link in self.all_links() {
            link.close();
        }
        self.processes.shutdown().await;
    }

    /// The pool now. Reads the memory of every worker.
    pub fn stats(&self) -> PoolStats {
        let now = Instant::now();
        let mut stats = PoolStats::default();
        for crew in self.all_crews() {
            for link in crew.links().iter().filter(|l| !l.is_dead()) {
                let in_flight = link.watch(now).calls;
                let resident_bytes = memory(link.pid);
                stats.in_flight += in_flight;
                stats.idle += usize::from(in_flight == 0);
                stats.resident_bytes += resident_bytes;
                let unit = crew.unit.name.clone();
                stats.workers.push(WorkerStat { pid: link.pid, unit, unit_id: crew.unit.id, in_flight, resident_bytes });
            }
        }
        let blanks = self.blanks();
        stats.blank = blanks.len();
        stats.resident_bytes += blanks.iter().map(|b| memory(b.link.pid)).sum::<u64>();
        stats
    }

    pub(super) fn crews(&self) -> MutexGuard<'_, HashMap<u64, Arc<Crew>>> {
        self.crews.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn blanks(&self) -> MutexGuard<'_, Vec<Blank>> {
        self.blanks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn retired(&self) -> MutexGuard<'_, Vec<Arc<Crew>>> {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everybody's workers: also those of units that are no longer used.
    pub(super) fn all_crews(&self) -> Vec<Arc<Crew>> {
        let mut retired = self.retired();
        retired.retain(|crew| crew.is_at_work());
        self.crews().values().chain(&*retired).cloned().collect()
    }

    fn crew(&self, unit: &Arc<Unit>) -> Arc<Crew> {
        let mut crews = self.crews();
        crews.entry(unit.id).or_insert_with(|| Arc::new(Crew::new(unit.clone(), self.options.max_in_flight, self.room.share()))).clone()
    }

    fn all_links(&self) -> Vec<Arc<Link>> {
        let mut links: Vec<Arc<Link>> = self.all_crews().iter().flat_map(|crew| crew.links()).collect();
        links.extend(self.blanks().iter().map(|b| b.link.clone()));
        links
    }

    pub(super) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// One more unit's part of the room for host calls.
    pub(super) fn share(&self) -> Share {
        self.room.share()
    }

    pub(super) fn max_payload(&self) -> usize {
        self.options.max_payload
    }

    /// Kills a worker. What it held sees its stream end.
    pub(super) fn end(&self, link: &Arc<Link>) {
        link.close();
        self.processes.kill(link.number);
    }

    /// Waits for one of a unit's slots.
    async fn slot<'a>(&self, lane: &'a Lane, give_up: Instant) -> Result<tokio::sync::SemaphorePermit<'a>, Failure> {
        if let Ok(permit) = lane.slots.try_acquire() {
            return Ok(permit);
        }
        let busy = Failure::Busy { retry_after: RETRY_AFTER, for_memory: false };
        let Some(_waiting) = Waiting::enter(&lane.waiting, self.options.max_waiting) else { return Err(busy) };
        match timeout_at(give_up, lane.slots.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(busy),
        }
    }

    /// A worker for one call: one that is free, a new one, or the first that becomes free.
    async fn worker(&self, crew: &Arc<Crew>, nested: bool, mut give_up: Instant) -> Result<Arc<Link>, Failure> {
        let _asking = Waiting::enter(&crew.asking, usize::MAX);
        loop {
            let changed = crew.changed.notified();
            let room = !self.crowded.load(Ordering::Relaxed);
            match crew.choose(&Terms { share: self.options.workers_per_unit, nested, room }) {
                Choice::Use(link) => return Ok(link),
                Choice::Start => {
                    let begun = Instant::now();
                    // Used at once, without another choice: a call that just arrived may have made it look busy.
                    let link = self.load(crew).await?;
                    give_up += begun.elapsed();
                    if !link.is_dead() {
                        return Ok(link);
                    }
                }
                choice @ (Choice::Wait | Choice::WaitForMemory) => {
                    if Instant::now() >= give_up {
                        return Err(Failure::Busy { retry_after: RETRY_AFTER, for_memory: !room });
                    }
                    if matches!(choice, Choice::WaitForMemory) {
                        self.wanted.store(true, Ordering::Relaxed);
                    }
                    // Looks again by itself too: staleness passes without an event.
                    let _ = timeout(Duration::from_millis(5), changed).await;
                }
            }
        }
    }

    /// Loads the unit into a worker. The load goes on when the asker stops waiting.
    pub(super) async fn load(&self, crew: &Arc<Crew>) -> Result<Arc<Link>, Failure> {
        let gone = || Failure::NoWorker("the pool is closed".into());
        let pool = self.me.upgrade().ok_or_else(gone)?;
        let crew = crew.clone();
        if crew.is_retired() {
            // It may have been let out of sight when it had no worker.
            let mut retired = self.retired();
            if !retired.iter().any(|known| Arc::ptr_eq(known, &crew)) {
                retired.push(Arc::clone(&crew));
            }
        }
        let task: JoinHandle<Result<Arc<Link>, Failure>> = tokio::spawn(async move {
            let loaded = pool.load_now(&crew).await;
            crew.loaded(loaded.as_ref().ok().cloned());
            loaded
        });
        task.await.map_err(|_| gone())?
    }

    async fn load_now(&self, crew: &Arc<Crew>) -> Result<Arc<Link>, Failure> {
        let unit = &crew.unit;
        let size = unit.source.size();
        if size > MAX_SOURCE {
            return Err(Failure::Load(LoadFailure::general(format!("The code has {size} bytes, more than {MAX_SOURCE}"))));
        }
        let mut deaths = 0;
        loop {
            let link = self.blank(crew).await.map_err(|e| Failure::NoWorker(e.to_string()))?;
            let failure = match timeout(LOAD_TIMEOUT + LOAD_GRACE, load_into(&link, crew, self.options.max_payload)).await {
                Ok(Ok(loaded)) => {
                    let first = crew.loaded.get_or_init(|| loaded.clone());
                    if first.registrations == loaded.registrations {
                        return Ok(link);
                    }
                    let message = "What `register` registers differs from one worker to the next: it must be the same in each";
                    LoadFailure::general(message)
                }
                Ok(Err(NotLoaded::Because(failure))) => failure,
                // A worker that died may have been killed for reasons that have nothing to do with the code.
                Ok(Err(NotLoaded::Died)) if deaths < MAX_RERUNS => {
                    deaths += 1;
                    self.end(&link);
                    continue;
                }
                // Neither is a verdict on the code, which a call of code that was checked must not give: the machine may be at fault.
                Ok(Err(NotLoaded::Died)) => {
                    self.end(&link);
                    let why = "The code could not be compiled: the parser gave up. Is something nested very deeply?";
                    return Err(Failure::NoWorker(why.to_owned()));
                }
                Err(_) => {
                    self.end(&link);
                    return Err(Failure::NoWorker(format!("The code could not be loaded within {} s", LOAD_TIMEOUT.as_secs())));
                }
            };
            self.end(&link);
            return Err(Failure::Load(failure));
        }
    }

    /// A blank worker, from the reserve if there is one, bound to the crew.
    pub(super) async fn blank(&self, crew: &Arc<Crew>) -> std::io::Result<Arc<Link>> {
        let mut deaths = 0;
        loop {
            let reserved = self.blanks().pop();
            self.taken.notify_one();
            let blank = match reserved {
                Some(blank) => blank,
                None => match self.start_worker().await {
                    // What ends one may have nothing to do with the next.
                    Err(_) if deaths < MAX_RERUNS && !self.closed.load(Ordering::Relaxed) => {
                        deaths += 1;
                        continue;
                    }
                    started => started?,
                },
            };
            // The first to set it: a blank is taken once.
            let _ = blank.crew.set(crew.clone());
            if !blank.link.is_dead() {
                return Ok(blank.link);
            }
        }
    }

    async fn start_worker(&self) -> std::io::Result<Blank> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("the pool is closed"));
        }
        let Started { number, pid, socket } = self.processes.start().await?;
        let (link, hello) = Link::new(number, pid, UnixStream::from_std(socket)?, self.options.max_payload);
        let blank = Blank { link: Arc::new(link), crew: Arc::default() };
        tokio::spawn(attend(self.me.clone(), blank.clone()));
        let greeting = timeout(HELLO_TIMEOUT, hello).await.ok().and_then(Result::ok);
        match greeting.and_then(|body| serde_json::from_slice::<Jail>(&body).ok()) {
            Some(jail) if jail.is_tight() || self.options.degraded => {
                self.jail.get_or_init(|| jail);
                Ok(blank)
            }
            said => {
                self.end(&blank.link);
                let why = said.map_or_else(|| "a worker ended before its first word".to_owned(), |jail| jail.problems.join("; "));
                Err(std::io::Error::other(why))
            }
        }
    }
}

/// Reads and writes for one worker until it ends.
async fn attend(pool: Weak<Pool>, blank: Blank) {
    let Blank { link, crew } = blank;
    let wake = || {
        if let Some(crew) = crew.get() {
            crew.wake();
        }
    };
    let end = || {
        if let Some(pool) = pool.upgrade() {
            pool.end(&link);
        }
    };
    let note = |text: &str| {
        let unit = crew.get().map_or("", |c| c.unit.name.as_str());
        tracing::error!(pid = link.pid, unit, "a worker is in trouble: {text}");
    };
    tokio::select! {
        read = link.read(wake, end, note) => if let Err(violation) = read {
            let unit = crew.get().map_or("", |c| c.unit.name.as_str());
            tracing::error!(pid = link.pid, unit, %violation, "a worker broke the protocol and was killed");
        },
        () = link.write_blocked() => {}
    }
    link.close();
    if let Some(crew) = crew.get() {
        crew.remove(&link);
    }
    if let Some(pool) = pool.upgrade() {
        if crew.get().is_none() {
            pool.blank_died.store(true, Ordering::Relaxed);
        }
        pool.processes.kill(link.number);
        pool.blanks().retain(|b| !b.link.is_dead());
        pool.taken.notify_one();
    }
}

/// Keeps the reserve of blank workers full.
async fn fill_reserve(pool: Weak<Pool>) {
    loop {
        let Some(strong) = pool.upgrade() else { return };
        if strong.closed.load(Ordering::Relaxed) {
            return;
        }
        if strong.blank_died.swap(false, Ordering::Relaxed) {
            // Whatever ended it would end the next one too.
            tracing::warn!("a worker ended before it was used");
            sleep(Duration::from_millis(500)).await;
        }
        if strong.blanks().len() < strong.options.reserve {
            match strong.start_worker().await {
                Ok(blank) => strong.blanks().push(blank),
                Err(_) if strong.closed.load(Ordering::Relaxed) => return,
                Err(error) => {
                    tracing::error!(%error, "a worker couldn't be started");
                    sleep(Duration::from_secs(1)).await;
                }
            }
            continue;
        }
        // Woken by a taken worker, or by the time to look whether the pool is still there.
        let taken = async { strong.taken.notified().await };
        let _ = timeout(Duration::from_secs(1), taken).await;
    }
}
