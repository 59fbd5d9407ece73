//! Sequences of what the engine may ask of a heap, against a model of what it was given.

use std::collections::BTreeMap;
use std::ptr::NonNull;

use super::super::arena::Arena;
use super::super::region::Region;
use super::Input;

/// Small enough that it fills up.
const ROOM: usize = 4 << 20;
/// Bytes of a block that are marked at each of its ends.
const EDGE: usize = 256;
const MAX_OPS: usize = 4_000;

#[derive(Clone, Copy)]
struct Held {
    block: NonNull<u8>,
    size: usize,
    mark: u8,
}

impl Held {
    /// Offsets that are marked of a block of `size` bytes.
    fn marked(size: usize) -> impl Iterator<Item = usize> {
        (0..size.min(EDGE)).chain(size.saturating_sub(EDGE).max(EDGE)..size)
    }

    fn fill(&self) {
        // SAFETY: a block of that size.
        Self::marked(self.size).for_each(|at| unsafe { self.block.as_ptr().add(at).write(self.mark) });
    }

    /// Whether the first `size` bytes hold what was marked of them.
    fn check(&self, size: usize) {
        for at in Self::marked(self.size).filter(|at| *at < size) {
            // SAFETY: a block of at least that size.
            assert_eq!(unsafe { self.block.as_ptr().add(at).read() }, self.mark, "byte {at} of {}", self.size);
        }
    }
}

fn size(input: &mut Input<'_>) -> usize {
    let n = usize::from(input.number());
    match n & 3 {
        0 => (n >> 2) % 64,
        1 => (n >> 2) % 5_000,
        2 => n,
        _ => n * 32,
    }
}

/// Allocates, resizes, frees, seals and puts back as the bytes say.
///
/// # Panics
/// Where blocks overlap, lose what they held, or the lists of the arena don't fit its blocks.
pub(crate) fn arena(data: &[u8]) {
    let mut input = Input(data);
    let region = Region::reserve(ROOM).expect("there is address space");
    // SAFETY: the region is used through this arena only, and lives as long as it.
    let arena = unsafe { Arena::new(region.base(), region.len()) }.expect("it has room for its state");
    let mut held: Vec<Held> = Vec::new();
    let mut sealed: Option<Vec<Held>> = None;
    for _ in 0..MAX_OPS {
        if input.0.is_empty() {
            break;
        }
        let op = input.byte();
        let mark = op ^ 0xA5;
        match op % 16 {
            0..=5 => {
                let size = size(&mut input);
                if let Some(block) = arena.alloc(size) {
                    let new = Held { block, size, mark };
                    new.fill();
                    held.push(new);
                }
            }
            6..=9 if !held.is_empty() => {
                let old = held.swap_remove(usize::from(input.byte()) % held.len());
                old.check(old.size);
                // SAFETY: it is in use, and forgotten here.
                unsafe { arena.free(old.block) };
            }
            10..=13 if !held.is_empty() => {
                let at = usize::from(input.byte()) % held.len();
                let size = size(&mut input);
                let old = held[at];
                old.check(old.size);
                // SAFETY: it is in use, and where it moved only the new place is used.
                if let Some(block) = unsafe { arena.resize(old.block, size) } {
                    Held { block, ..old }.check(size);
                    held[at] = Held { block, size, mark };
                    held[at].fill();
                }
            }
            14 if sealed.is_none() && input.byte() < 32 => {
                assert!(region.seal(arena.top()), "there is memory for an image");
                sealed = Some(held.clone());
            }
            15 => {
                if let Some(before) = &sealed {
                    assert!(region.restore());
                    held.clone_from(before);
                }
            }
            _ => {}
        }
    }
    arena.check(held.len());
    let mut ends: BTreeMap<usize, usize> = BTreeMap::new();
    for one in &held {
        one.check(one.size);
        // SAFETY: it is in use.
        assert!(unsafe { Arena::usable(one.block) } >= one.size);
        assert_eq!(one.block.as_ptr().addr() % 16, 0);
        ends.insert(one.block.as_ptr().addr(), one.block.as_ptr().addr() + one.size);
    }
    let places: Vec<(usize, usize)> = ends.into_iter().collect();
    assert!(places.windows(2).all(|two| two[0].1 <= two[1].0), "no two blocks overlap");
    // In any order, all of it comes together again.
    while let Some(one) = held.pop() {
        // SAFETY: it is in use, and forgotten here.
        unsafe { arena.free(one.block) };
    }
    arena.check(0);
    assert_eq!(arena.used(), 0);
}
