//! Slows down guessing: so many attempts at one thing within a minute, then 429 without any work.
//!
//! What is kept has a fixed size, whatever is sent. Each thing stands for two slots of a table, by a hash with keys of this process, and the
//! lower count of the two counts: who floods the table slows others down only where both of theirs are taken. Called by `sessions` and
//! `accounts`; a host counts for itself.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorCode, Result};

const WINDOW: Duration = Duration::from_secs(60);
/// A power of two. The table takes 24 bytes each, and is made at the first attempt.
const SLOTS: usize = 1 << 16;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted<'a> {
    /// Passwords tried for an e-mail address, whether there is such an account or not.
    Account(&'a str),
    /// Passwords tried from an address.
    Address(&'a str),
    /// Messages asked for to an e-mail address.
    Mails(&'a str),
    /// Messages asked for from an address, and tokens from mails that came from there.
    Asker(&'a str),
}

impl Counted<'_> {
    fn max(self) -> u32 {
        match self {
            Self::Account(_) => 10,
            // An address may be shared by many people.
            Self::Address(_) | Self::Asker(_) => 50,
            Self::Mails(_) => 3,
        }
    }
}

/// The network that one subscriber has: of IPv6 that is a whole /64.
pub fn network(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        _ => address.to_owned(),
    }
}

/// Counts attempts.
#[derive(Default)]
pub struct Throttle {
    hasher: RandomState,
    /// Attempts, and since when they are counted. Short sections only: a std mutex.
    slots: Mutex<Vec<Option<(u32, Instant)>>>,
}

impl Throttle {
    /// Counts an attempt at each of these before its outcome is known, so that many at once are as slow as one after the other. None is
    /// counted where one is over.
    ///
    /// # Errors
    /// `RequestsExceeded`, with the time after which it may be tried again.
    pub fn attempt(&self, things: &[Counted<'_>]) -> Result<()> {
        self.attempt_at(things, Instant::now())
    }

    fn attempt_at(&self, things: &[Counted<'_>], now: Instant) -> Result<()> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.resize(SLOTS, None);
        let live = |slot: &Option<(u32, Instant)>| slot.filter(|(_, since)| now.saturating_duration_since(*since) < WINDOW);
        for thing in things {
            let over = self.places(*thing).map(|at| live(&slots[at]).filter(|(count, _)| *count >= thing.max()));
            if let [Some((_, one)), Some((_, other))] = over {
                // The slot that is free first counts.
                return Err(too_many(WINDOW.saturating_sub(now.saturating_duration_since(one.min(other)))));
            }
        }
        for at in things.iter().flat_map(|thing| self.places(*thing)) {
            let (count, since) = live(&slots[at]).unwrap_or((0, now));
            slots[at] = Some((count.saturating_add(1), since));
        }
        Ok(())
    }

    /// Takes an attempt back: it wasn't a guess.
    pub fn take_back(&self, things: &[Counted<'_>]) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        for at in things.iter().flat_map(|thing| self.places(*thing)) {
            if let Some(Some((count, _))) = slots.get_mut(at) {
                *count = count.saturating_sub(1);
            }
        }
    }

    fn places(&self, thing: Counted<'_>) -> [usize; 2] {
        let hash = self.hasher.hash_one(thing);
        let first = hash as usize % SLOTS;
        let second = (hash >> 32) as usize % SLOTS;
        // Two of them in any case, so that an attempt counts once in each.
        [first, if second == first { (second + 1) % SLOTS } else { second }]
    }
}

fn too_many(wait: Duration) -> Error {
    let secs = wait.as_secs() + 1;
    Error::new(ErrorCode::RequestsExceeded, format!("Too many attempts: try again in {secs} seconds")).with_retry_after(secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_refused_until_its_minute_has_passed() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let things = [Counted::Address("192.0.2.1"), Counted::Account("a@example.com")];
        for _ in 0..10 {
            throttle.attempt_at(&things, now).expect("not yet");
        }
        let error = throttle.attempt_at(&things, now + Duration::from_secs(20)).expect_err("over");
        assert_eq!((error.code(), error.retry_after_secs()), (ErrorCode::RequestsExceeded, Some(41)));
        throttle.attempt_at(&[Counted::Account("b@example.com")], now).expect("another account");
        throttle.attempt_at(&things, now + WINDOW).expect("again");
    }

    #[test]
    fn an_attempt_that_is_refused_or_taken_back_does_not_count() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let account = [Counted::Account("a@example.com")];
        for _ in 0..100 {
            throttle.attempt_at(&account, now).expect("taken back");
            throttle.take_back(&account);
        }
        for n in 0..100 {
            let both = [Counted::Address("192.0.2.1"), account[0]];
            assert_eq!(throttle.attempt_at(&both, now).is_ok(), n < 10);
        }
        throttle.attempt_at(&[Counted::Address("192.0.2.1")], now).expect("refused attempts didn't count for the address");
    }

    #[test]
    fn many_accounts_from_one_address_are_one_address_and_so_is_a_network_of_ipv6() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let admitted = (0..1_000_u32)
            .filter(|n| {
                let (address, account) = (network(&format!("2001:db8::{n:x}")), format!("{n}@example.com"));
                throttle.attempt_at(&[Counted::Address(&address), Counted::Account(&account)], now).is_ok()
            })
            .count();
        assert_eq!(admitted, 50);
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!((network("192.0.2.1").as_str(), network("?").as_str()), ("192.0.2.1", "?"));
    }

    #[test]
    fn a_flood_takes_no_more_memory() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for n in 0..200_000_u32 {
            let _ = throttle.attempt_at(&[Counted::Account(&format!("{n}"))], now);
        }
        assert_eq!(throttle.slots.lock().expect("nobody panicked").len(), SLOTS);
    }
}
