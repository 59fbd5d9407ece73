//! Cool-down: an extension whose calls keep ending in faults is left alone for a while, and tried again with one call.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many faults …
const FAULTS: usize = 5;
/// … within this time begin a cool-down.
const WINDOW: Duration = Duration::from_secs(10);
/// Length of the first cool-down; each failed trial doubles it.
const FIRST: Duration = Duration::from_secs(1);
/// Length of the longest.
const LONGEST: Duration = Duration::from_secs(30);

/// The rule in words, for the document that lists the limits.
pub fn rule() -> String {
    let (within, first, longest) = (WINDOW.as_secs(), FIRST.as_secs(), LONGEST.as_secs());
    format!("{FAULTS} within {within} s; then {first} s without calls, doubling to {longest} s")
}

/// Counts the faults of one extension.
#[derive(Debug, Default)]
pub struct Breaker {
    /// Short sections only: a std mutex.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    faults: VecDeque<Instant>,
    cooling: Option<Cooling>,
}

#[derive(Debug)]
struct Cooling {
    since: Instant,
    until: Instant,
    length: Duration,
    /// One call is on its way to find out; the others wait for its answer.
    on_trial: bool,
}

/// A cool-down as others see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoolDown {
    /// When it began.
    pub since: Instant,
    /// When the next trial may go.
    pub until: Instant,
    /// One is on its way.
    pub on_trial: bool,
}

/// How a call ended, as far as the breaker cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The code ran to an end, be it a throw.
    Ran,
    /// A timeout, a memory limit, a dead worker.
    Fault,
    /// Nothing was learned: a full queue, a parent's deadline.
    Unknown,
}

/// Leave for one call. Dropped without a word about its end (its caller went away, say), it says that nothing was learned.
#[derive(Debug)]
pub struct Admission {
    breaker: Arc<Breaker>,
    is_trial: bool,
    noted: bool,
}

impl Admission {
    /// Takes note of how the call ended.
    pub fn ended(mut self, end: End) {
        self.noted = true;
        self.breaker.note(end, self.is_trial, Instant::now());
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if !self.noted {
            self.breaker.note(End::Unknown, self.is_trial, Instant::now());
        }
    }
}

impl Breaker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a call may go, or how long to wait.
    pub fn admit(self: &Arc<Self>, now: Instant) -> Result<Admission, Duration> {
        let mut state = self.state();
        let mut is_trial = false;
        if let Some(cooling) = &mut state.cooling {
            if now < cooling.until {
                return Err(cooling.until - now);
            }
            if cooling.on_trial {
                return Err(FIRST);
            }
            cooling.on_trial = true;
            is_trial = true;
        }
        Ok(Admission { breaker: Arc::clone(self), is_trial, noted: false })
    }

    fn note(&self, end: End, is_trial: bool, now: Instant) {
        let mut state = self.state();
        match (&mut state.cooling, end) {
            // A call that began before the cool-down says nothing about the extension after it.
            (Some(_), _) if !is_trial => {}
            (Some(_), End::Ran) => *state = State::default(),
            (Some(cooling), End::Unknown) => cooling.on_trial = false,
            (Some(cooling), End::Fault) => {
                cooling.on_trial = false;
                cooling.length = (cooling.length * 2).min(LONGEST);
                cooling.until = now + cooling.length;
            }
            (None, End::Fault) => {
                state.faults.push_back(now);
                while state.faults.front().is_some_and(|at| now.duration_since(*at) > WINDOW) {
                    state.faults.pop_front();
                }
                if state.faults.len() >= FAULTS {
                    state.faults.clear();
                    state.cooling = Some(Cooling { since: now, until: now + FIRST, length: FIRST, on_trial: false });
                }
            }
            (None, End::Ran | End::Unknown) => {}
        }
    }

    /// Forgets everything: the extension was saved or activated.
    pub fn reset(&self) {
        *self.state() = State::default();
    }

    /// The cool-down, if there is one.
    pub fn cooling(&self) -> Option<CoolDown> {
        self.state().cooling.as_ref().map(|c| CoolDown { since: c.since, until: c.until, on_trial: c.on_trial })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faulty() -> (Arc<Breaker>, Instant) {
        let (breaker, now) = (Arc::new(Breaker::default()), Instant::now());
        (0..FAULTS).for_each(|_| breaker.note(End::Fault, false, now));
        (breaker, now)
    }

    #[test]
    fn five_faults_begin_a_cool_down_that_one_trial_ends_or_doubles() {
        let (breaker, mut now) = faulty();
        assert_eq!(breaker.admit(now).err(), Some(FIRST));
        now += FIRST;
        let trial = breaker.admit(now).expect("the trial");
        assert!(breaker.admit(now).is_err(), "one trial at a time");
        breaker.note(End::Fault, true, now);
        drop(trial);
        assert_eq!(breaker.admit(now).err(), Some(FIRST * 2));
        now += FIRST * 2;
        breaker.admit(now).expect("another trial").ended(End::Ran);
        assert!(breaker.cooling().is_none());
    }

    #[test]
    fn successes_in_between_do_not_hide_faults() {
        let (breaker, now) = (Arc::new(Breaker::default()), Instant::now());
        for _ in 0..FAULTS {
            breaker.note(End::Fault, false, now);
            breaker.note(End::Ran, false, now);
        }
        assert!(breaker.admit(now).is_err());
    }

    #[test]
    fn faults_far_apart_and_unknown_ends_do_not_count() {
        let (breaker, now) = (Arc::new(Breaker::default()), Instant::now());
        for at in 0..20 {
            breaker.note(End::Fault, false, now + Duration::from_secs(3 * at));
            breaker.note(End::Unknown, false, now + Duration::from_secs(3 * at));
        }
        assert!(breaker.cooling().is_none());
    }

    #[test]
    fn a_late_success_does_not_end_a_cool_down_and_a_lost_trial_does_not_prolong_it() {
        let (breaker, now) = faulty();
        breaker.note(End::Ran, false, now);
        assert!(breaker.admit(now).is_err());
        drop(breaker.admit(now + FIRST).expect("a trial that never tells"));
        assert!(breaker.admit(now + FIRST).is_ok());
    }
}
