//! Waiting without sleeping: a condition, polled until a deadline.

use std::time::{Duration, Instant};

/// What a promised deadline may be late by on a shared machine. Nothing else about time is asserted.
pub const SLACK: Duration = Duration::from_millis(250);

/// Polls `probe` until it gives a value; panics with what it saw last when `within` has passed.
pub async fn eventually<T>(what: &str, within: Duration, mut probe: impl AsyncFnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + within;
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(seen) if Instant::now() > end => panic!("{what}: not within {within:?}; last seen: {seen}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Checks that `probe` keeps holding for `time`: for what must never happen.
pub async fn still(what: &str, time: Duration, mut probe: impl AsyncFnMut() -> Result<(), String>) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        if let Err(seen) = probe().await {
            panic!("{what}: {seen}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
