//! Programs written to hurt: each is answered in its time with the right code, hurts nobody else, and leaves nothing behind.

mod limits;
mod memory;
mod pairs;
mod program;
mod programs;
mod rows;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::*;

/// How long past the limit of a call its caller may wait.
const GRACE: Duration = Duration::from_millis(50);

/// What a server that has done hard work may keep of memory, against one that has done little: the free lists of the allocator, which a
/// single call of a service with 100,000 rows fills.
const MEMORY_SLACK: u64 = 96 << 20;

/// Creates items of `plain` until told to stop; gives the number of successes, the failures and the longest wait.
fn bystander(client: Client, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<(u32, Vec<String>, Duration)> {
    tokio::spawn(async move {
        let (mut good, mut bad, mut longest) = (0, Vec::new(), Duration::ZERO);
        while !stop.load(Ordering::Relaxed) {
            match Answer::try_of(client.request("POST", "/api/items/plain").json(&json!({ "n": good }))).await {
                Ok(answer) => {
                    longest = longest.max(answer.took);
                    if answer.status == 201 { good += 1 } else { bad.push(answer.body) }
                }
                Err(error) => bad.push(error.to_string()),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (good, bad, longest)
    })
}

/// Numbers that look random and are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    /// A number below `n`.
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    /// One of `all`.
    fn one<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}
