//! What somebody would try who has taken a worker over: native code that reaches for the machine, planted for the tests.
//!
//! Only with the feature `test-hooks`, which no build for production has. `__payload(name)` in JavaScript runs one of them; it answers 0
//! where the attempt succeeded, else the error number that the kernel gave. Most never answer: the process is dead.

use std::ffi::{CStr, c_long};
use std::ptr;

use rquickjs::qjs;

use super::engine::{Engine, Exception, Native};
use super::native::native;
use super::protocol::{Kind, write_message};

/// Puts `__payload` on the global object.
pub(super) fn plant(engine: &Engine) -> Result<(), Exception> {
    const PLANTED: &[(&CStr, std::ffi::c_int, Native)] = &[(c"payload", 1, payload)];
    let js = engine.js();
    let function = js.get(js.functions(PLANTED)?.raw(), c"payload")?;
    // SAFETY: a live context.
    let global = js.own(unsafe { qjs::JS_GetGlobalObject(js.raw()) })?;
    js.set(&global, c"__payload", function)
}

native! {
    /// `payload(name)`: runs one of [`PAYLOADS`].
    payload(ask) => {
        let name = ask.text(0).unwrap_or_default();
        match PAYLOADS.iter().find(|(known, _)| *known == name) {
            Some((_, run)) => qjs::__JS_NewFloat64(f64::from(run())),
            None => ask.type_error("There is no such payload"),
        }
    };
}

/// Names of all payloads, for the tests.
pub const NAMES: [&str; PAYLOADS.len()] = {
    let mut names = [""; PAYLOADS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = PAYLOADS[at].0;
        at += 1;
    }
    names
};

type Payload = (&'static str, fn() -> i32);

const PAYLOADS: &[Payload] = &[
    // Files.
    ("open a file", || open(c"/etc/passwd", libc::O_RDONLY)),
    ("open its own program", || open(c"/proc/self/exe", libc::O_RDONLY)),
    ("make a file", || open(c"/tmp/trellis-payload", libc::O_CREAT | libc::O_WRONLY)),
    ("look at a directory", || open(c"/", libc::O_RDONLY | libc::O_DIRECTORY)),
    ("read the environment of the process", || open(c"/proc/self/environ", libc::O_RDONLY)),
    ("read the memory of the host by its file", || {
        // SAFETY: plain system call.
        let path = std::ffi::CString::new(format!("/proc/{}/mem", unsafe { libc::getppid() })).unwrap_or_default();
        open(&path, libc::O_RDONLY)
    }),
    ("remove a file", || call(libc::SYS_unlinkat, [c_long::from(libc::AT_FDCWD), c"/tmp/trellis-payload".as_ptr().addr() as c_long, 0, 0])),
    ("ask about a file", || {
        call(libc::SYS_newfstatat, [c_long::from(libc::AT_FDCWD), c"/etc/passwd".as_ptr().addr() as c_long, room(), 0])
    }),
    // Network.
    ("open an internet socket", || socket(libc::AF_INET, libc::SOCK_STREAM)),
    ("open a raw socket", || socket(libc::AF_INET, libc::SOCK_RAW)),
    ("open a local socket", || socket(libc::AF_UNIX, libc::SOCK_STREAM)),
    ("open a netlink socket", || socket(libc::AF_NETLINK, libc::SOCK_RAW)),
    ("pass a descriptor on", || call(libc::SYS_sendmsg, [0, room(), 0, 0])),
    // Processes.
    ("fork", || {
        // SAFETY: a child ends at once.
        ended(c_long::from(unsafe { libc::fork() }))
    }),
    ("clone", || call(libc::SYS_clone, [c_long::from(libc::SIGCHLD), 0, 0, 0])),
    ("clone3", || call(libc::SYS_clone3, [room(), 64, 0, 0])),
    ("execute a program", || {
        let arguments = [c"/bin/true".as_ptr(), ptr::null()];
        // SAFETY: a path and two lists that end with null.
        answered(unsafe { libc::execve(arguments[0], arguments.as_ptr(), arguments[1..].as_ptr()) }.into())
    }),
    ("signal the host", || {
        // SAFETY: plain system calls.
        answered(unsafe { libc::kill(libc::getppid(), libc::SIGTERM) }.into())
    }),
    ("abort the host", || {
        // SAFETY: plain system calls.
        let host = unsafe { libc::getppid() };
        call(libc::SYS_tgkill, [host.into(), host.into(), c_long::from(libc::SIGABRT), 0])
    }),
    ("signal everybody", || call(libc::SYS_kill, [-1, c_long::from(libc::SIGTERM), 0, 0])),
    ("trace the host", || call(libc::SYS_ptrace, [c_long::from(libc::PTRACE_ATTACH), 1, 0, 0])),
    ("read the memory of another process", || call(libc::SYS_process_vm_readv, [1, room(), 1, room()])),
    ("get hold of another process", || call(libc::SYS_pidfd_open, [1, 0, 0, 0])),
    ("take a descriptor of another process", || call(libc::SYS_pidfd_getfd, [0, 0, 0, 0])),
    // Rights.
    ("become somebody else", || call(libc::SYS_setuid, [0, 0, 0, 0])),
    ("enter a namespace", || call(libc::SYS_unshare, [c_long::from(libc::CLONE_NEWUSER), 0, 0, 0])),
    ("change the root", || call(libc::SYS_chroot, [c"/".as_ptr().addr() as c_long, 0, 0, 0])),
    ("mount", || call(libc::SYS_mount, [0, c"/".as_ptr().addr() as c_long, 0, 0])),
    ("be traceable", || call(libc::SYS_prctl, [c_long::from(libc::PR_SET_DUMPABLE), 1, 0, 0])),
    ("go before everybody else", || call(libc::SYS_setpriority, [0, 0, -20, 0])),
    ("raise a limit", || {
        let most = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: plain system call.
        answered(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &most) }.into())
    }),
    ("change the limits of another process", || call(libc::SYS_prlimit64, [1, 0, 0, room()])),
    // The kernel.
    ("load a program into the kernel", || call(libc::SYS_bpf, [0, room(), 64, 0])),
    ("queue system calls", || call(libc::SYS_io_uring_setup, [8, room(), 0, 0])),
    ("watch the processor", || call(libc::SYS_perf_event_open, [room(), 0, -1, -1])),
    ("handle page faults", || call(libc::SYS_userfaultfd, [0, 0, 0, 0])),
    ("use keys", || call(libc::SYS_keyctl, [0, -3, 1, 0])),
    ("load a module", || call(libc::SYS_init_module, [room(), 1, room(), 0])),
    ("restart the machine", || call(libc::SYS_reboot, [0, 0, 0, 0])),
    ("share memory", || call(libc::SYS_shmget, [0, 4096, 0o1600, 0])),
    ("control a device", || call(libc::SYS_ioctl, [0, 0x5412, room(), 0])),
    // Its own memory.
    ("map memory that can be executed", || {
        // SAFETY: a new mapping.
        let at = unsafe {
            let both = libc::PROT_WRITE | libc::PROT_EXEC;
            libc::mmap(ptr::null_mut(), 4096, both, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
        };
        if at == libc::MAP_FAILED { error() } else { 0 }
    }),
    ("make its memory executable", || {
        // SAFETY: a page of nobody's.
        unsafe {
            let at = libc::mmap(ptr::null_mut(), 4096, libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
            answered(libc::mprotect(at, 4096, libc::PROT_READ | libc::PROT_EXEC).into())
        }
    }),
    ("read from another descriptor", || call(libc::SYS_read, [1, room(), 1, 0])),
    // What the process holds: a found secret would be answered as 0.
    ("find something in the environment", || if std::env::vars_os().next().is_some() { 0 } else { libc::ENOENT }),
    ("find another descriptor", || {
        // SAFETY: writes nothing.
        let is_open = |fd| unsafe { libc::write(fd, ptr::from_ref(&0_u8).cast(), 0) } == 0;
        if (1..64).any(is_open) { 0 } else { libc::EBADF }
    }),
    // Lies over the socket.
    ("send noise", || send(&[0xFF; 4096])),
    ("send an answer of somebody else's call", || frame(Kind::Done, 1 << 40, b"\x01{\"title\":\"forged\"}")),
    ("send a call in somebody else's name", || frame(Kind::Call, 1 << 40, b"\x01\0\0\0\x05\0\0\0items[]")),
    ("acknowledge what was never sent", || frame(Kind::Ack, 0, &[0xFF; 10])),
    ("greet twice", || frame(Kind::Hello, 0, b"{}")),
    ("fill the log", || (0..1_000).map(|_| frame(Kind::Note, 0, &[b'x'; 4096])).max().unwrap_or(0)),
    ("panic", || panic!("a planted panic")),
    ("write through null", || {
        // SAFETY: none: that is the point.
        unsafe { ptr::null_mut::<u8>().write_volatile(1) };
        0
    }),
    ("overflow the stack", || deeper(0) as i32),
];

fn error() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(-1)
}

fn answered(result: c_long) -> i32 {
    if result < 0 { error() } else { 0 }
}

/// A child must not go on as if it were the worker.
fn ended(pid: c_long) -> i32 {
    if pid == 0 {
        // SAFETY: ends the child.
        unsafe { libc::_exit(0) };
    }
    answered(pid)
}

fn call(number: c_long, [a, b, c, d]: [c_long; 4]) -> i32 {
    // SAFETY: pointers among the arguments lead to `room` or to texts that live for ever.
    answered(unsafe { libc::syscall(number, a, b, c, d) })
}

fn open(path: &CStr, flags: libc::c_int) -> i32 {
    // SAFETY: a path with a zero.
    answered(unsafe { libc::open(path.as_ptr(), flags, 0o600) }.into())
}

fn socket(family: libc::c_int, kind: libc::c_int) -> i32 {
    // SAFETY: plain system call.
    answered(unsafe { libc::socket(family, kind, 0) }.into())
}

/// Somewhere for the kernel to read from or write to.
fn room() -> c_long {
    Box::leak(Box::new([0_u8; 4096])).as_mut_ptr().addr() as c_long
}

fn send(bytes: &[u8]) -> i32 {
    // SAFETY: the bytes are ours.
    let sent = unsafe { libc::write(0, bytes.as_ptr().cast(), bytes.len()) };
    if sent < 0 { error() } else { 0 }
}

fn frame(kind: Kind, id: u64, body: &[u8]) -> i32 {
    let mut out = Vec::new();
    write_message(&mut out, kind, id, body);
    send(&out)
}

#[expect(unconditional_recursion, reason = "that is the point")]
fn deeper(n: u64) -> u64 {
    let room = std::hint::black_box([n; 64]);
    deeper(n + 1) + room[0]
}
