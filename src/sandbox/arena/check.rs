//! What must hold of the blocks of an arena between any two calls, for tests and fuzzing.

use super::*;

impl Arena {
    /// Walks all blocks and asserts what must hold of them.
    ///
    /// # Panics
    /// Where it doesn't hold, or if there are not `live` blocks in use.
    pub(in crate::sandbox) fn check(&self, live: usize) {
        // SAFETY: reads what the arena keeps.
        unsafe {
            let (mut at, mut before, mut used, mut count, mut was_free, mut free) = (FIRST, 0, 0, 0, false, 0);
            while at < self.top() {
                let block = self.block(at);
                let size = (*block).size & !FREE;
                assert_eq!((*block).before, before);
                assert!(size >= MIN_BLOCK && size.is_multiple_of(GRAIN));
                let is_free = (*block).size & FREE != 0;
                assert!(!(is_free && was_free), "free neighbours are joined");
                if is_free {
                    free += 1;
                } else {
                    used += size;
                    count += 1;
                }
                (was_free, before, at) = (is_free, size, at + size);
            }
            assert!(!was_free, "nothing free lies at the top");
            assert_eq!((at, before, used, count), (self.top(), (*self.meta()).last, self.used(), live));
            let mut listed = 0;
            for level in 0..LEVELS {
                for slot in 0..SLOTS {
                    let mut at = (*self.meta()).bins[level][slot];
                    assert_eq!(at != 0, (*self.meta()).slots[level] & (1 << slot) != 0);
                    while at != 0 {
                        let block = self.block(at as usize * GRAIN);
                        assert_eq!(bin((*block).size & !FREE), (level, slot));
                        listed += 1;
                        at = (*block).next;
                    }
                }
                assert_eq!((*self.meta()).slots[level] != 0, (*self.meta()).levels & (1 << level) != 0);
            }
            assert_eq!(listed, free);
        }
    }
}
