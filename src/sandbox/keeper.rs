//! Looks after the workers beside the calls: ends the hung and the idle, puts what computes for long behind everything else, and keeps the
//! memory of all within its budget.
//!
//! One task, started by the pool. It goes by what the system says of the processes, never by what they say of themselves.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::limits::{DEMOTE_AFTER, IDLE_END, LOWER_AFTER, OVER_BUDGET, RETIRED_END};
use super::link::{Link, Priority};
use super::pool::Pool;
use super::scheduler::Crew;

/// How often the keeper looks at the workers while none is at work for long, and at their memory.
const KEEPER_TICK: Duration = Duration::from_millis(25);

/// How often it looks while one is.
const KEEPER_BUSY_TICK: Duration = Duration::from_millis(5);

/// Resident bytes of the host above its least that are worth tidying up for.
const UNTIDY: u64 = 16 << 20;

/// Every how many ticks it looks at the memory of the host itself.
const KEEPER_SLOW: u32 = 40;

/// Looks after the workers: the hung, the idle, and the memory of all.
pub(super) async fn keep(pool: Weak<Pool>) {
    let mut count = 0_u32;
    let mut least = u64::MAX;
    let mut measured = Instant::now();
    loop {
        let Some(strong) = pool.upgrade() else { return };
        let now = Instant::now();
        let crews = strong.all_crews();
        // The process id of one that is dead may be another's by now.
        let links: Vec<Arc<Link>> = crews.iter().flat_map(|crew| crew.links()).filter(|link| !link.is_dead()).collect();
        let mut at_work = false;
        for link in &links {
            let watch = link.watch(now);
            if watch.overdue {
                strong.end(link);
            } else if let Some(since) = watch.busy_since.filter(|_| watch.calls > 0 && watch.priority < Priority::Idle) {
                // A load isn't a call: it has a limit of its own, and large modules take their time.
                at_work = true;
                let worked = link.worked(since, cpu_time(link.pid));
                let priority = if worked > DEMOTE_AFTER {
                    Priority::Idle
                } else if worked > LOWER_AFTER {
                    Priority::Low
                } else {
                    Priority::Ordinary
                };
                if priority > watch.priority {
                    lower(link.pid, priority);
                    link.set_priority(priority);
                }
            }
        }
        if now.saturating_duration_since(measured) >= KEEPER_TICK {
            measured = now;
            strong.bound_memory(&crews, now);
            crews.iter().for_each(|crew| strong.replace_demoted(crew, now));
            count = count.wrapping_add(1);
            if count.is_multiple_of(KEEPER_SLOW) {
                let own = resident();
                least = least.min(own);
                if own > least + UNTIDY {
                    give_back();
                }
            }
        }
        drop(strong);
        sleep(if at_work { KEEPER_BUSY_TICK } else { KEEPER_TICK }).await;
    }
}

impl Pool {
    /// Loads a fresh worker beside one of a lower priority, which ends with its last call then.
    fn replace_demoted(&self, crew: &Arc<Crew>, now: Instant) {
        let Some(pool) = self.me.upgrade() else { return };
        if self.crowded.load(Ordering::Relaxed) || self.closed.load(Ordering::Relaxed) || !crew.begin_replacement(now) {
            return;
        }
        let crew = Arc::clone(crew);
        tokio::spawn(async move {
            let demoted: Vec<Arc<Link>> = crew.links().into_iter().filter(|link| link.watch(now).priority > Priority::Ordinary).collect();
            // Without a replacement the old ones go on.
            if pool.load(&crew).await.is_ok() {
                demoted.iter().filter(|link| link.retire()).for_each(|link| pool.end(link));
            }
        });
    }

    /// Ends what has been idle for long, and while all together are over the budget: first what is idle, by least use; then nothing new
    /// starts; at last the largest that is at work is killed.
    fn bound_memory(&self, crews: &[Arc<Crew>], now: Instant) {
        let budget = self.options.memory_budget;
        let mut total: u64 = self.blanks().iter().map(|b| b.link.memory(now, || memory(b.link.pid))).sum();
        let mut idle: Vec<(Instant, u64, &Arc<Link>)> = Vec::new();
        // With what their unit has in all.
        let mut busy: Vec<(u64, u64, &Arc<Link>)> = Vec::new();
        let links: Vec<Vec<Arc<Link>>> = crews.iter().map(|crew| crew.links()).collect();
        for (crew, links) in crews.iter().zip(&links) {
            // A worker that somebody waits for isn't idle when it becomes free for a moment: without it they would lack memory themselves,
            // and take it from others.
            let is_awaited = crew.asking.load(Ordering::Relaxed) > 0;
            let alive = links.iter().filter(|l| !l.is_dead());
            let sizes: Vec<(u64, &Arc<Link>)> = alive.map(|link| (link.memory(now, || memory(link.pid)), link)).collect();
            let of_unit: u64 = sizes.iter().map(|(bytes, _)| bytes).sum();
            total += of_unit;
            for (bytes, link) in sizes {
                let watch = link.watch(now);
                if watch.calls == 0 && is_awaited && !link.is_retiring() {
                    continue;
                }
                if watch.calls == 0 { idle.push((watch.last_used, bytes, link)) } else { busy.push((of_unit, bytes, link)) }
            }
        }
        idle.sort_by_key(|(last_used, ..)| *last_used);
        for (last_used, bytes, link) in idle {
            // What was loaded for a call that never came may be retired and idle at once.
            let most = if link.is_retiring() { RETIRED_END } else { IDLE_END };
            if (total > budget || now.saturating_duration_since(last_used) > most) && link.retire() {
                self.end(link);
                total -= bytes;
            }
        }
        self.crowded.store(total > budget, Ordering::Relaxed);
        busy.sort_by_key(|(of_unit, bytes, _)| (*of_unit, *bytes));
        // Who takes the most is in nobody's way for as long as nobody waits.
        let most = if self.wanted.swap(false, Ordering::Relaxed) { budget } else { budget + budget / OVER_BUDGET };
        while total > most
            && let Some((of_unit, bytes, link)) = busy.pop()
        {
            let why = "the workers need more than WORKER_MEMORY_MB: the largest of the extension that has most is ended";
            tracing::warn!(pid = link.pid, bytes, of_unit, total, budget, "{why}");
            link.end_for_memory();
            self.end(link);
            total -= bytes;
        }
    }
}

/// Bytes of memory that a process has of its own, 0 if it is gone: what it shares with others, its program, is there once for all.
pub(super) fn memory(pid: u32) -> u64 {
    const NAMES: [&str; 2] = ["RssAnon:", "RssShmem:"];
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    status.lines().filter(|line| NAMES.iter().any(|name| line.starts_with(name))).filter_map(kib).sum::<u64>() << 10
}

/// Resident bytes of this process.
fn resident() -> u64 {
    const PAGE: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).map_or(0, |pages| pages * PAGE)
}

/// Processor time that a process has used, 0 if it is gone.
#[cfg(target_os = "linux")]
fn cpu_time(pid: u32) -> Duration {
    let mut clock: libc::clockid_t = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both are written only, and the clock is used only where there is one.
    let known =
        unsafe { libc::clock_getcpuclockid(pid.cast_signed(), &raw mut clock) == 0 && libc::clock_gettime(clock, &raw mut time) == 0 };
    if known { Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0)) } else { Duration::ZERO }
}

#[cfg(not(target_os = "linux"))]
fn cpu_time(_pid: u32) -> Duration {
    Duration::ZERO
}

/// Gives memory that the host has freed back to the system: a large answer of one call would otherwise stay in the allocator's hands.
fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointer and may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Lets others go first, whatever the worker does from here on.
#[cfg(target_os = "linux")]
fn lower(pid: u32, priority: Priority) {
    const SMALL_PART: libc::c_int = 10;
    // To the kernel, a thread is what has a priority.
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return };
    for thread in threads.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<libc::pid_t>().ok()) {
        // SAFETY: plain system calls on numbers. They fail only where the thread is gone.
        unsafe {
            match priority {
                Priority::Ordinary => 0,
                Priority::Low => libc::setpriority(libc::PRIO_PROCESS, thread.cast_unsigned(), SMALL_PART),
                Priority::Idle => libc::sched_setscheduler(thread, libc::SCHED_IDLE, &libc::sched_param { sched_priority: 0 }),
            };
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn lower(_pid: u32, _priority: Priority) {}
