//! One range of address space that a heap lives in, and the image of what it held at one moment.
//!
//! Because the range never moves, putting its bytes back puts everything back that points into it. It knows nothing of what the bytes
//! mean: `arena.rs` divides them, `alloc.rs` decides when.

use std::cell::OnceCell;
use std::ptr::NonNull;

/// How much of an image is kept as a copy and copied back: the engine builds itself and the glue first, so what every call touches
/// lies at the front. What follows is a private mapping of a file, of which only the pages that a call wrote are dropped: the cost of
/// a large heap follows what was touched.
const COPIED: usize = 512 * 1024;

/// A reserved range: memory is taken as it is touched. Starts out zero.
pub(super) struct Region {
    base: NonNull<u8>,
    len: usize,
    page: usize,
    image: OnceCell<Image>,
}

/// What the range held when it was sealed.
struct Image {
    /// Its front.
    copy: Box<[u8]>,
    /// Where the part that is mapped from a file ends; the end of the copy if there is none.
    mapped_to: usize,
    /// That file.
    _file: Option<Mapping>,
}

/// A read-only mapping of a whole file, all of it present: what holds the memory of a file without a name would be counted as nobody's
/// otherwise.
struct Mapping {
    at: NonNull<libc::c_void>,
    len: usize,
}

impl Region {
    /// Reserves at least `len` bytes between two pages that can't be touched. `None` if the system refuses.
    pub(super) fn reserve(len: usize) -> Option<Self> {
        // SAFETY: asks the system for a number.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
        let len = len.checked_next_multiple_of(page)?;
        let total = len.checked_add(2 * page)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping wherever the system likes; what lies between its outer pages is opened and stays ours until `drop`.
        unsafe {
            let outer = libc::mmap(std::ptr::null_mut(), total, libc::PROT_NONE, flags, -1, 0);
            if outer == libc::MAP_FAILED {
                return None;
            }
            let base = outer.byte_add(page);
            if libc::mprotect(base, len, libc::PROT_READ | libc::PROT_WRITE) != 0 {
                libc::munmap(outer, total);
                return None;
            }
            // A huge page would make the smallest heap cost two megabytes. Where there are none, nothing is lost.
            #[cfg(target_os = "linux")]
            libc::madvise(base, len, libc::MADV_NOHUGEPAGE);
            Some(Self { base: NonNull::new(base.cast())?, len, page, image: OnceCell::new() })
        }
    }

    pub(super) fn base(&self) -> NonNull<u8> {
        self.base
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The end of the page that `offset` lies in.
    pub(super) fn page_end(&self, offset: usize) -> usize {
        offset.next_multiple_of(self.page).min(self.len)
    }

    /// Takes the image of the first `used` bytes. `false` if that was impossible, and then the range must not be used again.
    pub(super) fn seal(&self, used: usize) -> bool {
        let (copied, mapped_to, file) = if used <= COPIED {
            (used, used, None)
        } else {
            match map_tail(self, COPIED, self.page_end(used)) {
                Tail::Mapped(file) => (COPIED, self.page_end(used), Some(file)),
                Tail::Refused => (used, used, None),
                Tail::Lost => return false,
            }
        };
        // SAFETY: within the range, which nobody writes to meanwhile.
        let copy = unsafe { std::slice::from_raw_parts(self.base.as_ptr(), copied) }.into();
        self.image.set(Image { copy, mapped_to, _file: file }).is_ok()
    }

    /// Puts the bytes of the image back. What lies behind them keeps what it holds. `false` if there is no image or the system refused.
    pub(super) fn restore(&self) -> bool {
        let Some(image) = self.image.get() else { return false };
        // SAFETY: the image was taken from these very bytes, and it lies elsewhere.
        unsafe { std::ptr::copy_nonoverlapping(image.copy.as_ptr(), self.base.as_ptr(), image.copy.len()) };
        // Pages of a private mapping that were written to are dropped; the next touch finds the file's.
        image.mapped_to == image.copy.len() || self.advise_away(image.copy.len(), image.mapped_to)
    }

    /// Gives the pages from `from`, a page's end, to `to` back to the system; they are zero afterwards. Not for what the image covers.
    pub(super) fn clear(&self, from: usize, to: usize) -> bool {
        from >= to || self.advise_away(from, to)
    }

    /// Bytes of memory that the image costs.
    pub(super) fn image_bytes(&self) -> usize {
        self.image.get().map_or(0, |image| image.mapped_to)
    }

    #[cfg(target_os = "linux")]
    fn advise_away(&self, from: usize, to: usize) -> bool {
        // SAFETY: whole pages within the range; what they held is not needed any more.
        unsafe { libc::madvise(self.base.as_ptr().add(from).cast(), to - from, libc::MADV_DONTNEED) == 0 }
    }

    #[cfg(not(target_os = "linux"))]
    fn advise_away(&self, from: usize, to: usize) -> bool {
        // Elsewhere the advice doesn't promise zero; a new mapping does. There are no mapped images here.
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
        // SAFETY: whole pages within the range; what they held is not needed any more.
        unsafe {
            let at = self.base.as_ptr().add(from).cast();
            libc::mmap(at, to - from, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) != libc::MAP_FAILED
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: mapped by `reserve` with a page on either side, and nobody points into it any more.
        unsafe { libc::munmap(self.base.as_ptr().sub(self.page).cast(), self.len + 2 * self.page) };
    }
}

#[cfg(target_os = "linux")]
impl Mapping {
    fn of(file: &std::fs::File, len: usize) -> Option<Self> {
        use std::os::fd::AsRawFd;
        let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
        // SAFETY: a new mapping wherever the system likes, which nobody reads.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ, flags, file.as_raw_fd(), 0) };
        if at == libc::MAP_FAILED { None } else { NonNull::new(at).map(|at| Self { at, len }) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `of`, and nobody points into it.
        unsafe { libc::munmap(self.at.as_ptr(), self.len) };
    }
}

/// What became of an attempt to put a file behind a part of the range.
enum Tail {
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nothing is mapped there"))]
    Mapped(Mapping),
    /// The range is as it was.
    Refused,
    /// What the range holds now is unknown.
    Lost,
}

/// Writes a part of the range to a file without a name and maps that file privately in its place, so that nothing changes to the eye.
#[cfg(target_os = "linux")]
fn map_tail(region: &Region, from: usize, to: usize) -> Tail {
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::{AsRawFd, FromRawFd};

    // SAFETY: a fresh descriptor, if any, that nothing else owns.
    let mut file = unsafe {
        match libc::memfd_create(c"heap".as_ptr(), libc::MFD_CLOEXEC) {
            -1 => return Tail::Refused,
            fd => File::from_raw_fd(fd),
        }
    };
    // SAFETY: within the range, which nobody writes to meanwhile.
    let bytes = unsafe { std::slice::from_raw_parts(region.base.as_ptr().add(from), to - from) };
    if file.write_all(bytes).is_err() {
        return Tail::Refused;
    }
    let Some(present) = Mapping::of(&file, to - from) else { return Tail::Refused };
    let flags = libc::MAP_PRIVATE | libc::MAP_FIXED | libc::MAP_NORESERVE;
    // SAFETY: whole pages within the range are replaced by pages with the same bytes. The mapping keeps the file when it is closed.
    let mapped = unsafe {
        let at = region.base.as_ptr().add(from).cast();
        libc::mmap(at, to - from, libc::PROT_READ | libc::PROT_WRITE, flags, file.as_raw_fd(), 0)
    };
    if mapped == libc::MAP_FAILED { Tail::Lost } else { Tail::Mapped(present) }
}

#[cfg(not(target_os = "linux"))]
fn map_tail(_region: &Region, _from: usize, _to: usize) -> Tail {
    Tail::Refused
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(region: &Region, len: usize, with: impl Fn(usize) -> u8) {
        for at in 0..len {
            // SAFETY: within the range.
            unsafe { region.base().as_ptr().add(at).write(with(at)) };
        }
    }

    fn bytes(region: &Region, len: usize) -> Vec<u8> {
        // SAFETY: within the range.
        unsafe { std::slice::from_raw_parts(region.base().as_ptr(), len) }.to_vec()
    }

    #[test]
    fn an_image_comes_back_however_large_and_however_often() {
        for used in [1, 5_000, COPIED, COPIED + 1, 3 * COPIED + 17] {
            let region = Region::reserve(4 * COPIED).expect("the system has room");
            fill(&region, used, |at| (at / 7) as u8);
            let before = bytes(&region, used);
            assert!(!region.restore(), "there is no image yet");
            assert!(region.seal(used));
            assert!(bytes(&region, used) == before, "sealing changes nothing");
            for round in 0..3 {
                fill(&region, used + 100, |at| (at + round) as u8);
                assert!(region.restore());
                assert!(bytes(&region, used) == before, "{used} bytes, round {round}");
            }
        }
    }

    #[test]
    fn what_is_cleared_is_zero() {
        let region = Region::reserve(COPIED).expect("the system has room");
        fill(&region, 100_000, |_| 7);
        let from = region.page_end(50_000);
        assert!(region.clear(from, region.page_end(100_000)));
        let held = bytes(&region, 100_000);
        assert!(held[..from].iter().all(|b| *b == 7) && held[from..].iter().all(|b| *b == 0));
    }
}
