//! Cool-down: an extension whose calls keep ending in faults is left alone for a while, and tried again with one call.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many faults …
const FAULTS: usize = 5;
/// … within this time begin a cool-down.
const WINDOW: Duration = Duration::from_secs(10);
/// Length of the first cool-down; each failed trial doubles it.
const FIRST: Duration = Duration::from_secs(1);
/// Length of the longest.
const LONGEST: Duration = Duration::from_secs(30);

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
    until: Instant,
    length: Duration,
    /// One call is on its way to find out; the others wait for its answer. It is forgotten if it never ends.
    trial: Option<Instant>,
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

/// Longest that a trial is waited for: the longest call there can be.
const TRIAL: Duration = Duration::from_secs(61);

impl Breaker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a call may go, or how long to wait. A caller that may go must tell how it ended.
    pub fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.state();
        let Some(cooling) = &mut state.cooling else { return Ok(()) };
        if now < cooling.until {
            return Err(cooling.until - now);
        }
        if cooling.trial.is_some_and(|since| now.duration_since(since) < TRIAL) {
            return Err(FIRST);
        }
        cooling.trial = Some(now);
        Ok(())
    }

    /// Takes note of how an admitted call ended.
    pub fn note(&self, end: End, now: Instant) {
        let mut state = self.state();
        match end {
            // A call that began before the cool-down says nothing about the extension after it.
            End::Ran if state.cooling.as_ref().is_some_and(|c| c.trial.is_none()) => {}
            End::Ran => *state = State::default(),
            End::Unknown => {
                if let Some(cooling) = &mut state.cooling {
                    cooling.trial = None;
                }
            }
            End::Fault => {
                if let Some(cooling) = &mut state.cooling {
                    if cooling.trial.take().is_some() {
                        cooling.length = (cooling.length * 2).min(LONGEST);
                        cooling.until = now + cooling.length;
                    }
                    return;
                }
                state.faults.push_back(now);
                while state.faults.front().is_some_and(|at| now.duration_since(*at) > WINDOW) {
                    state.faults.pop_front();
                }
                if state.faults.len() >= FAULTS {
                    state.faults.clear();
                    state.cooling = Some(Cooling { until: now + FIRST, length: FIRST, trial: None });
                }
            }
        }
    }

    /// Forgets everything: the extension was saved or activated.
    pub fn reset(&self) {
        *self.state() = State::default();
    }

    /// How long the cool-down still lasts, if there is one.
    pub fn cooling(&self, now: Instant) -> Option<Duration> {
        self.state().cooling.as_ref().map(|c| c.until.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_faults_begin_a_cool_down_that_one_trial_ends_or_doubles() {
        let breaker = Breaker::default();
        let mut now = Instant::now();
        for _ in 0..FAULTS {
            assert!(breaker.admit(now).is_ok());
            breaker.note(End::Fault, now);
        }
        assert_eq!(breaker.admit(now), Err(FIRST));
        now += FIRST;
        assert!(breaker.admit(now).is_ok(), "the trial");
        assert!(breaker.admit(now).is_err(), "one trial at a time");
        breaker.note(End::Fault, now);
        assert_eq!(breaker.admit(now), Err(FIRST * 2));
        now += FIRST * 2;
        assert!(breaker.admit(now).is_ok());
        breaker.note(End::Ran, now);
        assert!(breaker.cooling(now).is_none());
    }

    #[test]
    fn faults_far_apart_and_unknown_ends_do_not_count() {
        let breaker = Breaker::default();
        let now = Instant::now();
        for at in 0..20 {
            breaker.note(End::Fault, now + Duration::from_secs(3 * at));
            breaker.note(End::Unknown, now + Duration::from_secs(3 * at));
        }
        assert!(breaker.cooling(now).is_none());
    }

    #[test]
    fn a_late_success_does_not_end_a_cool_down() {
        let breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..FAULTS {
            breaker.note(End::Fault, now);
        }
        breaker.note(End::Ran, now);
        assert!(breaker.admit(now).is_err());
    }
}
