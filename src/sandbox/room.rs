//! Room for what host calls make the host hold: their arguments, and their answers until the worker has taken them.
//!
//! All units share it, and each may take a part. It only counts: whoever got room gives it back by dropping it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::limits::{MAX_OPEN_BYTES, OPEN_BYTES_SHARE, SMALL_CALL};

/// Everybody's room.
#[derive(Default)]
pub(super) struct Room(Arc<AtomicUsize>);

/// One unit's part of it.
pub(super) struct Share {
    all: Arc<AtomicUsize>,
    own: Arc<AtomicUsize>,
}

/// Bytes that one message of a host call takes up.
pub(super) struct Held {
    all: Arc<AtomicUsize>,
    own: Arc<AtomicUsize>,
    bytes: usize,
}

impl Room {
    /// For one more unit.
    pub(super) fn share(&self) -> Share {
        Share { all: Arc::clone(&self.0), own: Arc::default() }
    }
}

impl Share {
    /// Room for so many bytes. `None` if this unit, or all together, hold too much already. What is small is never refused: there can't
    /// be many enough of them to matter.
    pub(super) fn hold(&self, bytes: usize) -> Option<Held> {
        let most = if bytes <= SMALL_CALL { usize::MAX } else { MAX_OPEN_BYTES };
        let take = |counter: &AtomicUsize, most: usize| {
            let fits = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= most);
            counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
        };
        if !take(&self.own, most / OPEN_BYTES_SHARE) {
            return None;
        }
        if !take(&self.all, most) {
            self.own.fetch_sub(bytes, Ordering::Relaxed);
            return None;
        }
        Some(Held { all: Arc::clone(&self.all), own: Arc::clone(&self.own), bytes })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
        self.own.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 8 << 20;

    /// How many large ones are let pass.
    fn fill(share: &Share, into: &mut Vec<Held>) -> usize {
        let before = into.len();
        while let Some(held) = share.hold(LARGE) {
            into.push(held);
        }
        into.len() - before
    }

    #[test]
    fn a_unit_has_its_part_and_all_together_the_whole() {
        let room = Room::default();
        let shares: Vec<Share> = (0..=OPEN_BYTES_SHARE).map(|_| room.share()).collect();
        let mut held = Vec::new();
        let each = MAX_OPEN_BYTES / OPEN_BYTES_SHARE / LARGE;
        for share in &shares[..OPEN_BYTES_SHARE] {
            assert_eq!(fill(share, &mut held), each);
        }
        assert_eq!(fill(&shares[OPEN_BYTES_SHARE], &mut held), 0, "the whole is taken");
        assert!(shares[OPEN_BYTES_SHARE].hold(SMALL_CALL).is_some(), "what is small passes");
        held.truncate(held.len() - 1);
        assert_eq!(fill(&shares[OPEN_BYTES_SHARE], &mut held), 1, "what is given back can be had again");
        held.clear();
        assert_eq!(fill(&shares[0], &mut held), each);
    }
}
