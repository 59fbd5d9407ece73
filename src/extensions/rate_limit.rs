//! How often one caller may ask one route.
//!
//! A bucket per caller and route holds `max` requests and fills evenly over `window`. What it counts is kept in memory, for a bounded
//! number of callers, and outlives reloads: the HTTP door owns one for as long as the host lives. Hosts don't tell each other.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Callers that are remembered, at most. Those that asked last are the last to be forgotten.
const MAX_CALLERS: usize = 100_000;

/// What an author allows each caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests at once, and per window in the long run.
    pub max: u32,
    /// How long an empty bucket takes to fill.
    pub window: Duration,
}

/// The buckets of all limited routes.
pub struct RateLimiter {
    /// Short sections only: a std mutex.
    buckets: Mutex<Buckets>,
    /// Keys are kept as hashes under a key of this host's own, so that each has a size and nobody can aim for another's.
    hasher: RandomState,
    max: usize,
}

/// When each bucket will be full again. Two generations: what is asked for moves to the young one, and the old one is dropped whole when
/// the young one has half of all places.
#[derive(Default)]
struct Buckets {
    young: HashMap<u64, Instant>,
    old: HashMap<u64, Instant>,
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self::with_room(MAX_CALLERS)
    }
}

impl RateLimiter {
    fn with_room(max: usize) -> Self {
        Self { buckets: Mutex::default(), hasher: RandomState::new(), max }
    }

    /// Takes one request of `caller` from the bucket of `route`, or says after how long there will be one.
    pub fn take(&self, route: &str, caller: &str, limit: RateLimit, now: Instant) -> Result<(), Duration> {
        let key = self.hasher.hash_one((route, caller));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let each = limit.window / limit.max.max(1);
        let full_at = buckets.young.get(&key).or_else(|| buckets.old.get(&key)).copied();
        // A limit that was lowered meanwhile must not make its callers wait longer than one window.
        let full_at = full_at.unwrap_or(now).clamp(now, now + limit.window);
        let next = full_at + each;
        let room_at = next.checked_sub(limit.window).unwrap_or(now);
        if room_at > now {
            return Err(room_at - now);
        }
        buckets.old.remove(&key);
        buckets.young.insert(key, next);
        if buckets.young.len() >= self.max / 2 {
            buckets.old = std::mem::take(&mut buckets.young);
        }
        Ok(())
    }
}

/// Who is counted: a signed-in user wherever they are, anybody else by address. One who has an IPv6 address has 2^64 of them, so these
/// count by their network.
pub fn caller(user: Option<&str>, ip: Option<&str>) -> String {
    match (user, ip.map(str::parse::<IpAddr>)) {
        (Some(user), _) => format!("user {user}"),
        (None, Some(Ok(IpAddr::V6(ip)))) => match ip.to_ipv4_mapped() {
            Some(ip) => format!("address {ip}"),
            None => {
                let [a, b, c, d, ..] = ip.segments();
                format!("address {}", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        },
        (None, Some(Ok(IpAddr::V4(ip)))) => format!("address {ip}"),
        (None, _) => "address unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RateLimit = RateLimit { max: 3, window: Duration::from_secs(30) };

    #[test]
    fn a_bucket_empties_and_fills_evenly() {
        let (limiter, now) = (RateLimiter::default(), Instant::now());
        let at = |secs| now + Duration::from_secs(secs);
        for _ in 0..3 {
            assert_eq!(limiter.take("r", "a", LIMIT, now), Ok(()));
        }
        assert_eq!(limiter.take("r", "a", LIMIT, now), Err(Duration::from_secs(10)));
        assert_eq!(limiter.take("r", "a", LIMIT, at(4)), Err(Duration::from_secs(6)));
        assert_eq!(limiter.take("r", "b", LIMIT, now), Ok(()), "another caller");
        assert_eq!(limiter.take("s", "a", LIMIT, now), Ok(()), "another route");
        assert_eq!(limiter.take("r", "a", LIMIT, at(10)), Ok(()));
        assert_eq!(limiter.take("r", "a", LIMIT, at(10)), Err(Duration::from_secs(10)));
        for _ in 0..3 {
            assert_eq!(limiter.take("r", "a", LIMIT, at(1_000)), Ok(()), "no more than a full bucket, and no less");
        }
        assert!(limiter.take("r", "a", LIMIT, at(1_000)).is_err());
    }

    #[test]
    fn a_changed_limit_holds_at_once_and_nobody_waits_longer_than_its_window() {
        let (limiter, now) = (RateLimiter::default(), Instant::now());
        let day = RateLimit { max: 1, window: Duration::from_secs(86_400) };
        assert_eq!(limiter.take("r", "a", day, now), Ok(()));
        assert!(limiter.take("r", "a", LIMIT, now).expect_err("still empty") <= LIMIT.window);
    }

    #[test]
    fn the_number_of_callers_is_bounded_and_the_latest_are_kept() {
        let (limiter, now) = (RateLimiter::with_room(100), Instant::now());
        let once = RateLimit { max: 1, window: Duration::from_secs(60) };
        for n in 0..1_000 {
            assert_eq!(limiter.take("r", &n.to_string(), once, now), Ok(()));
            let buckets = limiter.buckets.lock().expect("not poisoned");
            assert!(buckets.young.len() + buckets.old.len() <= 100);
        }
        assert!(limiter.take("r", "999", once, now).is_err());
        assert_eq!(limiter.take("r", "0", once, now), Ok(()), "long forgotten");
    }

    #[test]
    fn callers_are_users_or_networks() {
        assert_eq!(caller(Some("u"), Some("10.0.0.1")), "user u");
        assert_eq!(caller(None, Some("10.0.0.1")), caller(None, Some("::ffff:10.0.0.1")));
        assert_eq!(caller(None, Some("2001:db8::1")), caller(None, Some("2001:db8::2:3")));
        assert_ne!(caller(None, Some("2001:db8::1")), caller(None, Some("2001:db8:0:1::1")));
        assert_eq!(caller(None, None), "address unknown");
    }
}
