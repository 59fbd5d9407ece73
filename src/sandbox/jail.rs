//! What a worker takes from itself before it reads its first frame, so that a bug in the engine reaches one socket and nothing else.
//!
//! Each layer holds by itself: no descriptor but the socket, no capability, limits of the kernel, landlock (no file, no network), and
//! seccomp last: a list of the system calls that a worker makes, anything else ends the process. Nothing here can be undone. The worker
//! tells the host what is in force; the host decides whether that is enough. Called by `worker.rs` only.

use serde::{Deserialize, Serialize};

/// What is in force in a worker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jail {
    /// System calls outside of the list end the process.
    pub seccomp: bool,
    /// No file can be opened and no network be reached, even by a system call of the list.
    pub landlock: bool,
    /// No capability is held and none can be gained.
    pub capabilities: bool,
    /// Limits of the kernel for files, processes and address space.
    pub limits: bool,
    /// Why something isn't.
    pub problems: Vec<String>,
}

impl Jail {
    /// Whether code that nobody vouches for may run in it.
    pub fn is_tight(&self) -> bool {
        self.seccomp
    }

    /// One line for the log.
    pub fn summary(&self) -> String {
        let layers = [
            ("seccomp", self.seccomp),
            ("landlock", self.landlock),
            ("no capabilities", self.capabilities),
            ("resource limits", self.limits),
        ];
        let names =
            |held: bool| layers.iter().filter(|(_, in_force)| *in_force == held).map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let mut text = format!("workers run in processes of their own with an empty environment, {}", names(true));
        if !(self.seccomp && self.landlock && self.capabilities && self.limits) {
            text.push_str(&format!("; without {} ({})", names(false), self.problems.join("; ")));
        }
        text
    }

    fn note<T>(&mut self, what: &str, result: std::io::Result<T>) -> bool {
        result.map_err(|error| self.problems.push(format!("{what}: {error}"))).is_ok()
    }
}

/// Everything that has to happen before the worker starts its second thread. The last step is [`lock`].
#[cfg(target_os = "linux")]
pub(super) fn prepare() -> Jail {
    let mut jail = Jail::default();
    #[cfg(target_env = "gnu")]
    // SAFETY: the only thread so far. One arena for both threads: an arena of its own, when it shrinks, makes the C library look into a
    // file of the kernel's.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1)
    };
    // SAFETY: plain system call. What hangs in a built-in would outlive the host otherwise.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // SAFETY: plain system call. The host goes first when both want the processor.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 5) };
    // Of all processes, a worker is the one to kill when memory runs out.
    let score = std::fs::write("/proc/self/oom_score_adj", "1000");
    jail.note("the order of killing when memory runs out", score);
    // SAFETY: nothing was opened yet but the standard three, of which 0 is the socket and nobody uses the others.
    let closed = check(unsafe { libc::syscall(libc::SYS_close_range, 1, libc::c_uint::MAX, 0) });
    if !jail.note("close_range", closed) {
        // A kernel older than 5.9. What is left of the standard three leads nowhere that code could name.
        // SAFETY: as above.
        unsafe {
            for fd in 1..1024 {
                libc::close(fd);
            }
        }
    }
    // SAFETY: plain system calls. Nothing that is executed may gain rights, nobody may look into the process, and it leaves no image.
    let sealed = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) | libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
    jail.note("no new privileges", check(sealed.into()));
    let dropped = drop_capabilities();
    jail.capabilities = jail.note("capabilities", dropped);
    let bounded = limit();
    jail.limits = jail.note("limits", bounded);
    match landlock() {
        Ok(()) => jail.landlock = true,
        Err(why) => jail.problems.push(format!("landlock: {why}")),
    }
    jail
}

/// The last step: from here on, a system call that isn't in the list ends the process. For all of its threads.
#[cfg(target_os = "linux")]
pub(super) fn lock(mut jail: Jail) -> Jail {
    // Not earlier: the second thread counts too. The kernel exempts root from it, seccomp doesn't.
    let bounded = at_most(libc::RLIMIT_NPROC, 0);
    jail.limits &= jail.note("the limit of processes", bounded);
    // An invalid access ends the process as such: the handlers of the runtime, which would explain it on a terminal, have none.
    // SAFETY: plain system calls.
    unsafe {
        libc::signal(libc::SIGSEGV, libc::SIG_DFL);
        libc::signal(libc::SIGBUS, libc::SIG_DFL);
    }
    match seccomp() {
        Ok(()) => jail.seccomp = true,
        Err(why) => jail.problems.push(format!("seccomp: {why}")),
    }
    jail
}

#[cfg(not(target_os = "linux"))]
pub(super) fn prepare() -> Jail {
    let mut jail = Jail::default();
    jail.problems.push("this system has no such means".to_owned());
    jail
}

#[cfg(not(target_os = "linux"))]
pub(super) fn lock(jail: Jail) -> Jail {
    jail
}

/// Bounds the address space by what the isolates of a unit can ever reserve, `room` bytes, beside what the process has now.
#[cfg(target_os = "linux")]
pub(super) fn limit_address_space(room: usize) {
    /// Stacks, code, and what the compiler and the frames need.
    const OWN: usize = 1 << 30;
    // Where it fails, the host's bound on resident memory still holds.
    let _ = at_most(libc::RLIMIT_AS, room.saturating_add(OWN) as libc::rlim_t);
}

#[cfg(not(target_os = "linux"))]
pub(super) fn limit_address_space(_room: usize) {}

#[cfg(target_os = "linux")]
fn check(result: libc::c_long) -> std::io::Result<()> {
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Gives up what a host that runs as root would hand down.
#[cfg(target_os = "linux")]
fn drop_capabilities() -> std::io::Result<()> {
    /// `_LINUX_CAPABILITY_VERSION_3`: two words for each of the three sets.
    const VERSION: u32 = 0x2008_0522;
    let header = [VERSION, 0];
    let none = [0_u32; 6];
    // SAFETY: a header for this process and three empty sets of two words, both of the size that this version has.
    check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) })
}

#[cfg(target_os = "linux")]
fn limit() -> std::io::Result<()> {
    /// A heap's image is written to a file without a name, so files can't be forbidden altogether. No heap is larger.
    const FILE: libc::rlim_t = 1 << 30;
    let limits = [
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_FSIZE, FILE),
        // The socket, and one image at a time.
        (libc::RLIMIT_NOFILE, 3),
        (libc::RLIMIT_MEMLOCK, 0),
        (libc::RLIMIT_MSGQUEUE, 0),
        (libc::RLIMIT_RTPRIO, 0),
        (libc::RLIMIT_NICE, 0),
    ];
    limits.into_iter().try_for_each(|(resource, most)| at_most(resource, most))
}

/// Lowers a limit for good.
#[cfg(target_os = "linux")]
fn at_most(resource: libc::__rlimit_resource_t, most: libc::rlim_t) -> std::io::Result<()> {
    // SAFETY: plain system call.
    check(unsafe { libc::setrlimit(resource, &libc::rlimit { rlim_cur: most, rlim_max: most }) }.into())
}

/// No file, no TCP port, no socket or process outside: a set of rules that allows nothing, as far as the kernel knows the rights.
#[cfg(target_os = "linux")]
fn landlock() -> Result<(), String> {
    use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus, Scope};
    const NEWEST: ABI = ABI::V6;
    let restricted = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(NEWEST)))
        .and_then(|rules| rules.scope(Scope::from_all(NEWEST)))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.set_compatibility(CompatLevel::BestEffort).restrict_self());
    match restricted {
        Ok(status) if status.ruleset != RulesetStatus::NotEnforced => Ok(()),
        Ok(_) => Err("the kernel has none".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// What a worker does from its first frame on: read and write its socket, wait, manage memory, look at the clock, draw random bytes,
/// keep the image of a heap, end. Memory can't be made executable.
#[cfg(target_os = "linux")]
fn seccomp() -> Result<(), String> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule};

    const SOCKET: u64 = 0;
    let that = |argument: u8, op: SeccompCmpOp, value: u64| SeccompCondition::new(argument, SeccompCmpArgLen::Dword, op, value);
    let all = |conditions: Result<Vec<SeccompCondition>, seccompiler::BackendError>| {
        conditions.and_then(SeccompRule::new).map(|rule| vec![rule]).map_err(|e| e.to_string())
    };
    let is = |argument: u8, op: SeccompCmpOp, value: u64| all(that(argument, op, value).map(|one| vec![one]));
    let on_socket = || is(0, SeccompCmpOp::Eq, SOCKET);
    // The third argument of both is what may be done with the memory.
    let not_executable = || is(2, SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64), 0);
    let always = Vec::new;
    // What `abort` does.
    let own_end = || {
        let own = that(0, SeccompCmpOp::Eq, std::process::id().into());
        all(own.and_then(|own| Ok(vec![own, that(2, SeccompCmpOp::Eq, libc::SIGABRT as u64)?])))
    };
    let rules = [
        (libc::SYS_read, on_socket()?),
        (libc::SYS_recvfrom, on_socket()?),
        (libc::SYS_sendto, on_socket()?),
        // The socket, or the image of a heap.
        (libc::SYS_write, always()),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_poll, always()),
        (libc::SYS_ppoll, always()),
        (libc::SYS_mmap, not_executable()?),
        (libc::SYS_mprotect, not_executable()?),
        (libc::SYS_munmap, always()),
        (libc::SYS_mremap, always()),
        (libc::SYS_madvise, always()),
        (libc::SYS_brk, always()),
        (libc::SYS_memfd_create, always()),
        (libc::SYS_close, always()),
        (libc::SYS_futex, always()),
        (libc::SYS_clock_gettime, always()),
        (libc::SYS_clock_nanosleep, always()),
        (libc::SYS_nanosleep, always()),
        (libc::SYS_sched_yield, always()),
        (libc::SYS_getrandom, always()),
        (libc::SYS_restart_syscall, always()),
        (libc::SYS_rt_sigreturn, always()),
        (libc::SYS_rt_sigprocmask, always()),
        (libc::SYS_sigaltstack, always()),
        (libc::SYS_getpid, always()),
        (libc::SYS_gettid, always()),
        (libc::SYS_tgkill, own_end()?),
        (libc::SYS_exit, always()),
        (libc::SYS_exit_group, always()),
        // Only downwards: the rights to raise one are gone.
        (libc::SYS_prlimit64, is(0, SeccompCmpOp::Eq, 0)?),
    ];
    let arch = std::env::consts::ARCH.try_into().map_err(|e: seccompiler::BackendError| e.to_string())?;
    let filter = SeccompFilter::new(rules.into(), SeccompAction::KillProcess, SeccompAction::Allow, arch).map_err(|e| e.to_string())?;
    let program = BpfProgram::try_from(filter).map_err(|e| e.to_string())?;
    seccompiler::apply_filter_all_threads(&program).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_is_missing_and_why() {
        let mut jail = Jail { seccomp: true, landlock: false, capabilities: true, limits: true, problems: Vec::new() };
        jail.note::<()>("landlock", Err(std::io::Error::other("the kernel has none")));
        let text = jail.summary();
        assert!(text.contains("seccomp, no capabilities, resource limits"), "{text}");
        assert!(text.ends_with("without landlock (landlock: the kernel has none)"), "{text}");
        assert!(jail.is_tight() && !Jail::default().is_tight());
    }
}
