//! Divides a range of memory into blocks: two-level segregated fit, with neighbours that are free joined at once.
//!
//! Everything that it knows lies inside the range, so a copy of the range's used part is a copy of the allocator's state as well. The
//! engine serves small objects itself from pages of 4 KiB; what arrives here is those pages and whatever is larger, so finding a fit
//! and growing in place count for more than the bytes of a header. It knows no limits and is called by `alloc.rs` only.

use std::ptr::NonNull;

/// Blocks begin and end on multiples of this, and so does what is handed out.
const GRAIN: usize = 16;

/// Bytes of a block before what is handed out.
const HEADER: usize = 16;

/// A block must be able to hold the links of a free one.
const MIN_BLOCK: usize = 32;

/// Less than this is not cut off a block: nothing would fit.
const MIN_REST: usize = 64;

/// Size classes of one power of two.
const SLOTS: usize = 16;

/// Powers of two: the first level holds everything below 256 bytes, the last blocks below 4 GiB.
const LEVELS: usize = 25;

/// Marks a free block in its size.
const FREE: usize = 1;

/// The state, at the start of the range. Offsets count from there.
#[repr(C)]
struct Meta {
    /// Where the last block ends; nothing behind it was divided yet. The block before it is never free.
    top: usize,
    /// Size of the block that ends there, 0 if there is none.
    last: usize,
    /// Bytes of all blocks in use, headers included.
    used: usize,
    /// Which levels have free blocks, and which of their slots.
    levels: u32,
    slots: [u16; LEVELS],
    /// The first free block of each, in grains; 0 for none, as the state itself lies there.
    bins: [[u32; SLOTS]; LEVELS],
}

/// Head of a block.
#[repr(C)]
struct Block {
    size: usize,
    /// Size of the block in front, 0 if there is none.
    before: usize,
    /// Neighbours in the list of a bin, in grains, while it is free. What is handed out begins here.
    next: u32,
    prev: u32,
}

/// Where the first block begins.
const FIRST: usize = size_of::<Meta>().next_multiple_of(GRAIN);

/// A divided range.
pub(super) struct Arena {
    base: NonNull<u8>,
    len: usize,
}

/// Bytes of a block for `size` bytes.
fn block_size(size: usize) -> Option<usize> {
    Some(size.checked_add(HEADER)?.checked_next_multiple_of(GRAIN)?.max(MIN_BLOCK))
}

/// Where free blocks of a size are kept.
fn bin(size: usize) -> (usize, usize) {
    if size < 256 {
        return (0, size / GRAIN);
    }
    let power = size.ilog2();
    (power as usize - 7, (size >> (power - 4)) & (SLOTS - 1))
}

impl Arena {
    /// An empty arena over `len` bytes, less than 4 GiB of them, that are zero.
    ///
    /// # Safety
    /// The range is readable, writable, aligned to a page and used by nobody else for as long as the arena.
    pub(super) unsafe fn new(base: NonNull<u8>, len: usize) -> Option<Self> {
        if len < FIRST || u32::try_from(len).is_err() {
            return None;
        }
        let arena = Self { base, len };
        // SAFETY: the state fits, and zero is a valid one.
        unsafe { (*arena.meta()).top = FIRST };
        Some(arena)
    }

    /// Bytes from the start of the range to the end of the last block.
    pub(super) fn top(&self) -> usize {
        // SAFETY: the state is always there.
        unsafe { (*self.meta()).top }
    }

    /// Bytes in blocks that are in use.
    pub(super) fn used(&self) -> usize {
        // SAFETY: the state is always there.
        unsafe { (*self.meta()).used }
    }

    /// How much a block of `size` bytes would add to what is used. `None` for what no arena could hold.
    pub(super) fn cost(size: usize) -> Option<usize> {
        block_size(size)
    }

    /// A block of at least `size` bytes, uninitialised.
    pub(super) fn alloc(&self, size: usize) -> Option<NonNull<u8>> {
        let want = block_size(size)?;
        // SAFETY: the state and all blocks are whole between calls.
        unsafe {
            let at = self.take(want)?;
            (*self.meta()).used += (*self.block(at)).size;
            Some(self.payload(at))
        }
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// It came from here and is not in use any more.
    pub(super) unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: see above.
        unsafe {
            let at = self.offset(block);
            (*self.meta()).used -= (*self.block(at)).size;
            self.release(at);
        }
    }

    /// Makes a block larger or smaller, in its place if that is possible. `None` leaves it as it was.
    ///
    /// # Safety
    /// It came from here and is in use; afterwards only what is answered is.
    pub(super) unsafe fn resize(&self, block: NonNull<u8>, size: usize) -> Option<NonNull<u8>> {
        let want = block_size(size)?;
        // SAFETY: see above.
        unsafe {
            let at = self.offset(block);
            let old = (*self.block(at)).size;
            let now = if self.resize_here(at, want) {
                at
            } else {
                let to = self.take(want)?;
                std::ptr::copy_nonoverlapping(block.as_ptr(), self.payload(to).as_ptr(), old - HEADER);
                self.release(at);
                to
            };
            let meta = self.meta();
            (*meta).used = (*meta).used - old + (*self.block(now)).size;
            Some(self.payload(now))
        }
    }

    /// Bytes that may be used of a block.
    ///
    /// # Safety
    /// It came from an arena and is in use.
    pub(super) unsafe fn usable(block: NonNull<u8>) -> usize {
        // SAFETY: see above; the head lies in front of what was handed out.
        unsafe { (*block.as_ptr().sub(HEADER).cast::<Block>()).size - HEADER }
    }

    fn meta(&self) -> *mut Meta {
        self.base.as_ptr().cast()
    }

    /// # Safety
    /// `at` is below the end of the range, with room for a head.
    unsafe fn block(&self, at: usize) -> *mut Block {
        // SAFETY: see above; the base is aligned to a page and `at` to a grain.
        unsafe { self.base.as_ptr().add(at).cast() }
    }

    /// # Safety
    /// As for `block`.
    unsafe fn payload(&self, at: usize) -> NonNull<u8> {
        // SAFETY: see above.
        unsafe { self.base.add(at + HEADER) }
    }

    fn offset(&self, block: NonNull<u8>) -> usize {
        block.as_ptr().addr() - self.base.as_ptr().addr() - HEADER
    }

    /// A block of `want` bytes or a little more, marked as in use.
    ///
    /// # Safety
    /// The state and all blocks are whole.
    unsafe fn take(&self, want: usize) -> Option<usize> {
        // SAFETY: what is found is a free block of at least that size; what is added lies within the range.
        unsafe {
            if let Some(at) = self.find(want) {
                self.unlink(at);
                self.cut(at, want);
                return Some(at);
            }
            let meta = self.meta();
            let at = (*meta).top;
            if want > self.len - at {
                return None;
            }
            let block = self.block(at);
            (*block).size = want;
            (*block).before = (*meta).last;
            (*meta).last = want;
            (*meta).top = at + want;
            Some(at)
        }
    }

    /// A free block that is surely large enough: of the first class whose smallest is.
    ///
    /// # Safety
    /// The state is whole.
    unsafe fn find(&self, want: usize) -> Option<usize> {
        let up = if want < 256 { want } else { want.checked_add((1 << (want.ilog2() - 4)) - 1)? };
        let (level, slot) = bin(up);
        if level >= LEVELS {
            return None;
        }
        // SAFETY: the state is always there, and both indices are within it.
        unsafe {
            let meta = self.meta();
            let slots = (*meta).slots[level] & (!0 << slot);
            let (level, slots) = if slots != 0 {
                (level, slots)
            } else {
                let levels = (*meta).levels & (!1 << level);
                if levels == 0 {
                    return None;
                }
                let level = levels.trailing_zeros() as usize;
                (level, (*meta).slots[level])
            };
            Some((*meta).bins[level][slots.trailing_zeros() as usize] as usize * GRAIN)
        }
    }

    /// Tries to give a block in use another size where it is.
    ///
    /// # Safety
    /// `at` is a block in use, and everything is whole.
    unsafe fn resize_here(&self, at: usize, want: usize) -> bool {
        // SAFETY: what follows a block that doesn't end at the top is another block.
        unsafe {
            let (meta, block) = (self.meta(), self.block(at));
            let size = (*block).size;
            if want <= size {
                self.cut(at, want);
                return true;
            }
            let end = at + size;
            if end == (*meta).top {
                if want > self.len - at {
                    return false;
                }
                (*block).size = want;
                (*meta).last = want;
                (*meta).top = at + want;
                return true;
            }
            let next = (*self.block(end)).size;
            if next & FREE == 0 || size + (next & !FREE) < want {
                return false;
            }
            self.unlink(end);
            (*block).size = size + (next & !FREE);
            self.tell_next(at);
            self.cut(at, want);
            true
        }
    }

    /// Cuts off what a block in use has beyond `want`, if that is worth it.
    ///
    /// # Safety
    /// `at` is a block in use of at least that size, and everything is whole.
    unsafe fn cut(&self, at: usize, want: usize) {
        // SAFETY: the rest lies within the block and becomes one of its own.
        unsafe {
            let block = self.block(at);
            let rest = (*block).size - want;
            if rest < MIN_REST {
                return;
            }
            (*block).size = want;
            let cut = self.block(at + want);
            (*cut).size = rest;
            (*cut).before = want;
            self.tell_next(at + want);
            self.release(at + want);
        }
    }

    /// Tells what follows a block how large the block is.
    ///
    /// # Safety
    /// `at` is a block in use.
    unsafe fn tell_next(&self, at: usize) {
        // SAFETY: what follows a block that doesn't end at the top is another block.
        unsafe {
            let (meta, size) = (self.meta(), (*self.block(at)).size);
            if at + size == (*meta).top {
                (*meta).last = size;
            } else {
                (*self.block(at + size)).before = size;
            }
        }
    }

    /// Makes a block free and joins it with the free ones around it, or with what was never divided.
    ///
    /// # Safety
    /// `at` is marked as in use, nobody uses it, and everything is whole.
    unsafe fn release(&self, mut at: usize) {
        // SAFETY: neighbours are found by sizes that are kept on both sides.
        unsafe {
            let meta = self.meta();
            let mut size = (*self.block(at)).size;
            if at + size < (*meta).top {
                let next = (*self.block(at + size)).size;
                if next & FREE != 0 {
                    self.unlink(at + size);
                    size += next & !FREE;
                }
            }
            let before = (*self.block(at)).before;
            if before != 0 && (*self.block(at - before)).size & FREE != 0 {
                at -= before;
                self.unlink(at);
                size += before;
            }
            if at + size == (*meta).top {
                (*meta).top = at;
                (*meta).last = (*self.block(at)).before;
                return;
            }
            (*self.block(at + size)).before = size;
            let block = self.block(at);
            (*block).size = size | FREE;
            let (level, slot) = bin(size);
            let first = (*meta).bins[level][slot];
            (*block).prev = 0;
            (*block).next = first;
            let grain = (at / GRAIN) as u32;
            if first != 0 {
                (*self.block(first as usize * GRAIN)).prev = grain;
            }
            (*meta).bins[level][slot] = grain;
            (*meta).slots[level] |= 1 << slot;
            (*meta).levels |= 1 << level;
        }
    }

    /// Takes a free block out of its list and marks it as in use.
    ///
    /// # Safety
    /// `at` is free.
    unsafe fn unlink(&self, at: usize) {
        // SAFETY: the links of a free block are offsets of other free blocks.
        unsafe {
            let (meta, block) = (self.meta(), self.block(at));
            (*block).size &= !FREE;
            let (next, prev) = ((*block).next, (*block).prev);
            if next != 0 {
                (*self.block(next as usize * GRAIN)).prev = prev;
            }
            if prev != 0 {
                (*self.block(prev as usize * GRAIN)).next = next;
                return;
            }
            let (level, slot) = bin((*block).size);
            (*meta).bins[level][slot] = next;
            if next == 0 {
                (*meta).slots[level] &= !(1 << slot);
                if (*meta).slots[level] == 0 {
                    (*meta).levels &= !(1 << level);
                }
            }
        }
    }
}

#[cfg(any(test, fuzzing))]
mod check;

#[cfg(test)]
mod tests {
    use super::super::region::Region;
    use super::*;

    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, n: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % n as u64) as usize
        }

        fn size(&mut self) -> usize {
            match self.below(10) {
                0 => self.below(60),
                1..=5 => 4_000 + self.below(100),
                6..=8 => self.below(30_000),
                _ => self.below(400_000),
            }
        }
    }

    struct Held {
        block: NonNull<u8>,
        size: usize,
        mark: u8,
    }

    impl Held {
        fn fill(&self) {
            // SAFETY: a block of that size.
            unsafe { self.block.as_ptr().write_bytes(self.mark, self.size) };
        }

        fn check(&self, size: usize) {
            // SAFETY: a block of at least that size.
            let bytes = unsafe { std::slice::from_raw_parts(self.block.as_ptr(), size) };
            assert!(bytes.iter().all(|b| *b == self.mark));
        }
    }

    #[test]
    fn blocks_keep_what_they_hold_whatever_happens_around_them() {
        for seed in 1..20 {
            let region = Region::reserve(8 << 20).expect("the system has room");
            // SAFETY: the region is only used through the arena.
            let arena = unsafe { Arena::new(region.base(), region.len()) }.expect("large enough");
            let mut numbers = Numbers(seed);
            let mut held: Vec<Held> = Vec::new();
            let mut refused = 0;
            for step in 0..3_000 {
                let mark = step as u8;
                match numbers.below(5) {
                    0 | 1 => {
                        let size = numbers.size();
                        match arena.alloc(size) {
                            Some(block) => {
                                assert!(block.as_ptr().addr().is_multiple_of(16));
                                // SAFETY: just handed out.
                                assert!(unsafe { Arena::usable(block) } >= size);
                                held.push(Held { block, size, mark });
                                held[held.len() - 1].fill();
                            }
                            None => refused += 1,
                        }
                    }
                    2 | 3 if !held.is_empty() => {
                        let index = numbers.below(held.len());
                        let gone = held.swap_remove(index);
                        gone.check(gone.size);
                        // SAFETY: in use until now.
                        unsafe { arena.free(gone.block) };
                    }
                    _ if !held.is_empty() => {
                        let index = numbers.below(held.len());
                        let (size, old) = (numbers.size(), &mut held[index]);
                        // SAFETY: in use.
                        if let Some(block) = unsafe { arena.resize(old.block, size) } {
                            old.block = block;
                            old.check(size.min(old.size));
                            old.size = size;
                            old.fill();
                        } else {
                            old.check(old.size);
                            refused += 1;
                        }
                    }
                    _ => {}
                }
                arena.check(held.len());
            }
            held.iter().for_each(|h| h.check(h.size));
            assert!(refused < 1_500, "{refused}");
            for h in held {
                // SAFETY: in use until now.
                unsafe { arena.free(h.block) };
            }
            arena.check(0);
            assert_eq!((arena.top(), arena.used()), (FIRST, 0), "all of it is one again");
        }
    }

    #[test]
    fn what_can_never_fit_is_refused() {
        let region = Region::reserve(1 << 20).expect("the system has room");
        // SAFETY: the region is only used through the arena.
        let arena = unsafe { Arena::new(region.base(), region.len()) }.expect("large enough");
        for size in [1 << 20, usize::MAX, usize::MAX - 15, usize::MAX - 40, 1 << 40] {
            assert!(arena.alloc(size).is_none());
        }
        let block = arena.alloc(100).expect("it fits");
        // SAFETY: in use.
        assert!(unsafe { arena.resize(block, usize::MAX - 20) }.is_none());
        arena.check(1);
    }

    #[test]
    fn the_last_block_grows_where_it_is() {
        let region = Region::reserve(8 << 20).expect("the system has room");
        // SAFETY: the region is only used through the arena.
        let arena = unsafe { Arena::new(region.base(), region.len()) }.expect("large enough");
        let block = arena.alloc(1_000).expect("it fits");
        // SAFETY: in use.
        assert_eq!(unsafe { arena.resize(block, 7 << 20) }, Some(block));
        // SAFETY: in use.
        assert_eq!(unsafe { arena.resize(block, 10) }, Some(block));
        assert!(arena.top() < 4_096);
    }
}
