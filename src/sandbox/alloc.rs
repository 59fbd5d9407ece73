//! The heap of one isolate: counts every byte and refuses past a limit, and remembers that it did.
//!
//! The engine reports out of memory as a thrown `null` that code can catch; only the allocator knows for sure. It sits on the C
//! library's heap; an arena of its own, from which a whole heap can be restored, can replace it behind the same functions.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

use rquickjs::qjs;

/// Allocation state of one isolate. Its address is what the engine hands back, so it lives in a box.
pub(super) struct Heap {
    limit: Cell<usize>,
    used: Cell<usize>,
    refused: Cell<bool>,
}

/// What the C library adds to a block.
const OVERHEAD: usize = 8;

impl Heap {
    /// A heap that refuses to grow past `limit` bytes.
    pub(super) fn new(limit: usize) -> Box<Self> {
        Box::new(Self { limit: Cell::new(limit), used: Cell::new(0), refused: Cell::new(false) })
    }

    /// Whether it ever refused.
    pub(super) fn refused(&self) -> bool {
        self.refused.get()
    }

    /// Another limit, for an isolate that was prepared before its unit was known.
    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.set(limit);
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

    /// Whether `size` more bytes fit.
    fn admits(&self, size: usize) -> bool {
        let fits = self.used.get().checked_add(size).is_some_and(|total| total <= self.limit.get());
        if !fits {
            self.refused.set(true);
        }
        fits
    }

    /// Takes note of a new block, or of the system's refusal.
    fn took(&self, block: *mut c_void) -> *mut c_void {
        if block.is_null() {
            self.refused.set(true);
        } else {
            // SAFETY: `block` was just handed out by the C library.
            self.used.set(self.used.get() + unsafe { libc::malloc_usable_size(block) } + OVERHEAD);
        }
        block
    }

    /// Takes note that a block goes.
    fn gives(&self, block: *mut c_void) {
        // SAFETY: the engine hands back only blocks that it got from here, still allocated.
        let size = unsafe { libc::malloc_usable_size(block) };
        self.used.set(self.used.get().saturating_sub(size + OVERHEAD));
    }
}

/// # Safety
/// `opaque` is the address that the engine was given together with these functions: a live `Heap`.
unsafe fn heap<'a>(opaque: *mut c_void) -> &'a Heap {
    // SAFETY: see above; the isolate drops its engine before its heap.
    unsafe { &*opaque.cast::<Heap>() }
}

unsafe extern "C" fn malloc(opaque: *mut c_void, size: qjs::size_t) -> *mut c_void {
    // SAFETY: called by the engine with what it was given.
    let heap = unsafe { heap(opaque) };
    if !heap.admits(size as usize) {
        return ptr::null_mut();
    }
    // SAFETY: plain allocation.
    heap.took(unsafe { libc::malloc(size as usize) })
}

unsafe extern "C" fn calloc(opaque: *mut c_void, count: qjs::size_t, size: qjs::size_t) -> *mut c_void {
    // SAFETY: called by the engine with what it was given.
    let heap = unsafe { heap(opaque) };
    let Some(total) = (count as usize).checked_mul(size as usize).filter(|total| heap.admits(*total)) else {
        return ptr::null_mut();
    };
    // SAFETY: plain allocation of at least one byte, as `calloc(0)` may answer null.
    heap.took(unsafe { libc::calloc(1, total.max(1)) })
}

unsafe extern "C" fn free(opaque: *mut c_void, block: *mut c_void) {
    if block.is_null() {
        return;
    }
    // SAFETY: called by the engine with what it was given.
    unsafe { heap(opaque) }.gives(block);
    // SAFETY: the block came from the functions above.
    unsafe { libc::free(block) };
}

unsafe extern "C" fn realloc(opaque: *mut c_void, block: *mut c_void, size: qjs::size_t) -> *mut c_void {
    if block.is_null() {
        // SAFETY: the same contract.
        return unsafe { malloc(opaque, size) };
    }
    // SAFETY: called by the engine with what it was given.
    let heap = unsafe { heap(opaque) };
    // SAFETY: the block came from the functions above.
    let old = unsafe { libc::malloc_usable_size(block) };
    if !heap.admits((size as usize).saturating_sub(old)) {
        return ptr::null_mut();
    }
    // SAFETY: the block came from the functions above.
    let moved = unsafe { libc::realloc(block, (size as usize).max(1)) };
    if moved.is_null() {
        heap.refused.set(true);
    } else {
        // SAFETY: just handed out.
        let new = unsafe { libc::malloc_usable_size(moved) };
        heap.used.set((heap.used.get() + new).saturating_sub(old));
    }
    moved
}

unsafe extern "C" fn usable_size(block: *const c_void) -> qjs::size_t {
    // SAFETY: asked by the engine about its own live blocks; null gives 0.
    unsafe { libc::malloc_usable_size(block.cast_mut()) as qjs::size_t }
}
