//! Starts, kills and reaps the worker processes, all on one dedicated thread.
//!
//! One thread, because the kernel's "die with your parent" is bound to the thread that spawned, and because reaping blocks.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use tokio::sync::oneshot;

/// A worker process that was started.
pub(super) struct Started {
    /// Unlike the process id it is never given to another.
    pub number: u64,
    pub pid: u32,
    /// The host's end of its socket, non-blocking.
    pub socket: UnixStream,
}

enum Order {
    Start(oneshot::Sender<io::Result<Started>>),
    /// By number: whoever sends it may come late, and another worker may have the process id by then.
    Kill(u64),
    Shutdown(oneshot::Sender<()>),
}

/// The handle on the thread. Dropping it kills every worker.
#[derive(Debug, Clone)]
pub(super) struct Processes {
    orders: Sender<Order>,
}

impl Processes {
    /// Starts the thread; workers are started from `executable`.
    pub(super) fn new(executable: PathBuf) -> io::Result<Self> {
        let (orders, inbox) = mpsc::channel();
        thread::Builder::new().name("workers".into()).spawn(move || serve(&executable, &inbox))?;
        Ok(Self { orders })
    }

    /// A blank worker.
    pub(super) async fn start(&self) -> io::Result<Started> {
        let (answer, answered) = oneshot::channel();
        let ended = || io::Error::other("the thread of the workers has ended");
        self.orders.send(Order::Start(answer)).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    /// Kills and reaps; at once if it is dead already. Doesn't wait.
    pub(super) fn kill(&self, number: u64) {
        // A closed channel means that the thread has killed them all.
        let _ = self.orders.send(Order::Kill(number));
    }

    /// Kills and reaps them all; those started later live on.
    pub(super) async fn shutdown(&self) {
        let (answer, answered) = oneshot::channel();
        if self.orders.send(Order::Shutdown(answer)).is_ok() {
            // An error means that the thread ended by itself, which kills them all too.
            let _ = answered.await;
        }
    }
}

fn serve(executable: &PathBuf, inbox: &Receiver<Order>) {
    let mut children: HashMap<u64, Child> = HashMap::new();
    let mut last = 0;
    while let Ok(order) = inbox.recv() {
        match order {
            Order::Start(answer) => {
                let reply = start(executable).map(|(child, socket)| {
                    last += 1;
                    let started = Started { number: last, pid: child.id(), socket };
                    children.insert(last, child);
                    started
                });
                // The asker may have gone: nobody would ever speak to this worker.
                if let Err(Ok(started)) = answer.send(reply) {
                    end(children.remove(&started.number));
                }
            }
            Order::Kill(number) => end(children.remove(&number)),
            Order::Shutdown(answer) => {
                end(children.drain().map(|(_, child)| child));
                // The asker may have gone.
                let _ = answer.send(());
            }
        }
    }
    end(children.into_values());
}

fn start(executable: &PathBuf) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let child = Command::new(executable)
        .arg("worker")
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A Ctrl-C at the terminal is for the host, which lets running calls end first.
        .process_group(0)
        .spawn()?;
    Ok((child, ours))
}

/// Kills all before reaping the first: a big heap takes a while to be torn down.
fn end(children: impl IntoIterator<Item = Child>) {
    let mut children: Vec<Child> = children.into_iter().collect();
    for child in &mut children {
        // Fails only where it is dead already.
        let _ = child.kill();
    }
    for child in &mut children {
        let pid = child.id();
        match child.wait() {
            Ok(status) => match status.signal() {
                Some(libc::SIGKILL) | None => {}
                Some(libc::SIGSYS) => {
                    tracing::error!(pid, "a worker made a system call that no worker makes and was killed: someone may have taken it over");
                }
                Some(signal) => tracing::error!(pid, signal, "a worker crashed"),
            },
            Err(error) => tracing::warn!(pid, %error, "a worker couldn't be reaped"),
        }
    }
}
