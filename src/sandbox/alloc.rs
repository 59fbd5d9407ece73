//! The heap of one isolate: an arena over a range of its own, which counts every byte, refuses past a limit, and remembers that it did.
//!
//! The engine reports out of memory as a thrown `null` that code can catch; only the allocator knows for sure. Everything that the
//! engine allocates, its runtime and its contexts included, lies in the range, so the heap can be sealed once and put back to that
//! moment later; what must outlast that is kept here, outside of it.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::{self, NonNull};

use rquickjs::qjs;

use super::arena::Arena;
use super::region::Region;

/// How much of the memory that a call used beyond the image stays for the next one. An ordinary call then touches no page for the
/// first time, while one that used much gives it back.
const KEPT: usize = 1024 * 1024;

/// Room of a heap beside what its limit counts: while a large array grows, the old and the new one are there, and blocks of different
/// sizes leave gaps. Address space costs nothing until it is touched.
const ROOM_FACTOR: usize = 2;
const ROOM: usize = 1024 * 1024;

/// Allocation state of one isolate. Its address is what the engine hands back, so it lives in a box.
pub(super) struct Heap {
    arena: Arena,
    limit: usize,
    refused: Cell<bool>,
    /// Nothing from this offset on was ever touched: it is zero.
    touched: Cell<usize>,
    /// What the arena divides; goes with the heap, whatever the engine left in it.
    region: Region,
}

impl Heap {
    /// A heap that refuses to grow past `limit` bytes. `None` if the system has no room for it.
    pub(super) fn new(limit: usize) -> Option<Box<Self>> {
        let region = Region::reserve(Self::address_space(limit))?;
        // SAFETY: the region is used through this arena only, and lives as long as it.
        let arena = unsafe { Arena::new(region.base(), region.len()) }?;
        let touched = Cell::new(arena.top());
        Some(Box::new(Self { arena, limit, refused: Cell::new(false), touched, region }))
    }

    /// How much address space a heap of that limit takes, in bytes.
    pub(super) fn address_space(limit: usize) -> usize {
        limit.saturating_mul(ROOM_FACTOR).saturating_add(ROOM)
    }

    /// Whether it ever refused, since it was last restored.
    pub(super) fn refused(&self) -> bool {
        self.refused.get()
    }

    /// Bytes that it holds.
    pub(super) fn used(&self) -> usize {
        self.arena.used()
    }

    /// The limit that it was made with.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Remembers everything as it is. `false` if that was impossible, and then nothing in it may be used again.
    pub(super) fn seal(&self) -> bool {
        let top = self.arena.top();
        // Pages that the image covers are its own: they are never given back.
        self.touched.set(self.touched.get().max(self.region.page_end(top)));
        self.region.seal(top)
    }

    /// Puts everything back to the moment when it was sealed. `false` if it wasn't, or if the system refused; then nothing in it may be
    /// used again.
    ///
    /// # Safety
    /// No code runs in it, and nothing outside points to what was allocated since then.
    pub(super) unsafe fn restore(&self) -> bool {
        let restored = self.region.restore() && self.trim();
        self.refused.set(false);
        restored
    }

    /// Gives back most of the memory behind its last block. `false` if the system refused.
    pub(super) fn trim(&self) -> bool {
        let keep = self.region.page_end(self.arena.top().saturating_add(KEPT));
        if self.touched.get() <= keep {
            return true;
        }
        let cleared = self.region.clear(keep, self.region.page_end(self.touched.get()));
        self.touched.set(keep);
        cleared
    }

    /// About how much memory it takes, with its image.
    pub(super) fn resident(&self) -> usize {
        self.touched.get() + self.region.image_bytes()
    }

    /// The table of functions that goes to the engine with this heap's address.
    pub(super) fn functions() -> qjs::JSMallocFunctions {
        qjs::JSMallocFunctions {
            js_calloc: Some(calloc),
            js_malloc: Some(malloc),
            js_free: Some(free),
            js_realloc: Some(realloc),
            js_malloc_usable_size: Some(usable_size),
        }
    }

    /// Whether blocks of `size` bytes instead of `old` used ones are within the limit.
    fn admits(&self, size: usize, old: usize) -> bool {
        Arena::cost(size).and_then(|cost| self.arena.used().checked_add(cost)).is_some_and(|total| total - old <= self.limit)
    }

    /// Takes note of what was touched, or of a refusal.
    fn took(&self, block: Option<NonNull<u8>>) -> *mut c_void {
        let Some(block) = block else {
            self.refused.set(true);
            return ptr::null_mut();
        };
        self.touched.set(self.touched.get().max(self.arena.top()));
        block.as_ptr().cast()
    }
}

/// # Safety
/// `opaque` is the address that the engine was given together with these functions: a live `Heap`.
unsafe fn heap<'a>(opaque: *mut c_void) -> &'a Heap {
    // SAFETY: see above; the engine goes no later than its heap.
    unsafe { &*opaque.cast::<Heap>() }
}

unsafe extern "C" fn malloc(opaque: *mut c_void, size: qjs::size_t) -> *mut c_void {
    // SAFETY: called by the engine with what it was given.
    let heap = unsafe { heap(opaque) };
    let size = size as usize;
    heap.took(if heap.admits(size, 0) { heap.arena.alloc(size) } else { None })
}

unsafe extern "C" fn calloc(opaque: *mut c_void, count: qjs::size_t, size: qjs::size_t) -> *mut c_void {
    // SAFETY: called by the engine with what it was given.
    let heap = unsafe { heap(opaque) };
    let untouched = heap.touched.get();
    let size = (count as usize).checked_mul(size as usize).filter(|size| heap.admits(*size, 0));
    let block = size.and_then(|size| heap.arena.alloc(size));
    if let (Some(block), Some(size)) = (block, size) {
        let at = block.as_ptr().addr() - heap.region.base().as_ptr().addr();
        // SAFETY: the block has that size. What nobody has touched is zero already, and stays untaken.
        unsafe { block.as_ptr().write_bytes(0, size.min(untouched.saturating_sub(at))) };
    }
    heap.took(block)
}

unsafe extern "C" fn free(opaque: *mut c_void, block: *mut c_void) {
    // SAFETY: called by the engine with what it was given: a block from the functions here, or null.
    unsafe {
        if let Some(block) = NonNull::new(block.cast()) {
            heap(opaque).arena.free(block);
        }
    }
}

unsafe extern "C" fn realloc(opaque: *mut c_void, block: *mut c_void, size: qjs::size_t) -> *mut c_void {
    let Some(old) = NonNull::new(block.cast()) else {
        // SAFETY: the same contract.
        return unsafe { malloc(opaque, size) };
    };
    let size = size as usize;
    // SAFETY: called by the engine with what it was given: a block from the functions here.
    unsafe {
        let heap = heap(opaque);
        heap.took(if heap.admits(size, Arena::usable(old)) { heap.arena.resize(old, size) } else { None })
    }
}

unsafe extern "C" fn usable_size(block: *const c_void) -> qjs::size_t {
    // SAFETY: asked by the engine about its own live blocks; null gives 0.
    NonNull::new(block.cast_mut().cast()).map_or(0, |block| unsafe { Arena::usable(block) } as qjs::size_t)
}
