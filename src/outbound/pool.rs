//! Connections that wait for another request of the same extension to the same place.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout};

use super::body::Sending;
use super::connect::Connector;
use super::{Target, TargetHost, failed};
use crate::error::Result;

/// How long a connection waits.
const IDLE: Duration = Duration::from_secs(20);
/// Connections of one extension that wait.
const IDLE_OF_ONE: usize = 8;
/// Connections of all extensions that wait.
const IDLE_OF_ALL: usize = 128;
/// Buffer of a connection: the head of an answer must fit into it, and no more of a body is taken in than was asked for.
const BUFFER: usize = 64 * 1024;
/// How long a connection that has just had its answer may take to be ready for the next request.
const READY: Duration = Duration::from_millis(50);

/// The connections that wait, by owner and place.
#[derive(Default)]
pub(super) struct Pools(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: HashMap<Key, Vec<Idle>>,
    /// Somebody comes to look for those that have waited for too long.
    is_swept: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    owner: Arc<str>,
    tls: bool,
    host: String,
    port: u16,
}

struct Idle {
    connection: SendRequest<Sending>,
    since: Instant,
}

/// The connection that an answer comes over, to be used again after it.
pub(super) struct Sender {
    connection: SendRequest<Sending>,
    key: Key,
    pools: Weak<Pools>,
}

impl Sender {
    /// The answer was read to its end.
    pub(super) fn keep(self) {
        if let Some(pools) = self.pools.upgrade()
            && !self.connection.is_closed()
        {
            pools.put(self.key, self.connection);
        }
    }
}

impl Pools {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, key: &Key) -> Option<SendRequest<Sending>> {
        let mut state = self.state();
        let waiting = state.waiting.get_mut(key)?;
        let mut found = None;
        while let Some(idle) = waiting.pop() {
            if idle.since.elapsed() < IDLE && !idle.connection.is_closed() {
                found = Some(idle.connection);
                break;
            }
        }
        if waiting.is_empty() {
            state.waiting.remove(key);
        }
        found
    }

    fn put(self: &Arc<Self>, key: Key, connection: SendRequest<Sending>) {
        let mut state = self.state();
        let all = &mut state.waiting;
        let of_one: usize = all.iter().filter(|(other, _)| other.owner == key.owner).map(|(_, waiting)| waiting.len()).sum();
        let of_all: usize = all.values().map(Vec::len).sum();
        if of_one >= IDLE_OF_ONE || of_all >= IDLE_OF_ALL {
            return;
        }
        all.entry(key).or_default().push(Idle { connection, since: Instant::now() });
        if !std::mem::replace(&mut state.is_swept, true) {
            let pools = Arc::downgrade(self);
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(IDLE).await;
                    if pools.upgrade().is_none_or(|pools| pools.forget_old()) {
                        return;
                    }
                }
            });
        }
    }

    /// Whether none is left to look after.
    fn forget_old(&self) -> bool {
        let mut state = self.state();
        state.waiting.retain(|_, waiting| {
            waiting.retain(|idle| idle.since.elapsed() < IDLE && !idle.connection.is_closed());
            !waiting.is_empty()
        });
        state.is_swept = !state.waiting.is_empty();
        !state.is_swept
    }
}

/// Sends a request to `target` over a connection of `owner`'s, a waiting one or a new one.
pub(super) async fn send(
    pools: &Arc<Pools>,
    connector: &Connector,
    owner: &str,
    target: &Target,
    mut request: http::Request<Sending>,
) -> Result<(http::Response<Incoming>, Sender)> {
    let host = match &target.host {
        // As a name it could be resolved to anywhere.
        TargetHost::Localhost => "localhost".to_owned(),
        host => host.to_string(),
    };
    let key = Key { owner: Arc::from(owner), tls: target.tls, host, port: target.port };
    let broken = |e: hyper::Error| failed(format!("The connection to `{}` broke off before there was an answer", target.host), e);
    // What waited may have been closed meanwhile by the other side, which is only noticed in using it: what was not sent is sent anew.
    while let Some(mut connection) = pools.take(&key) {
        if !matches!(timeout(READY, connection.ready()).await, Ok(Ok(()))) {
            continue;
        }
        match connection.try_send_request(request).await {
            Ok(answer) => return Ok((answer, Sender { connection, key, pools: Arc::downgrade(pools) })),
            Err(mut error) => match error.take_message() {
                Some(unsent) => request = unsent,
                None => return Err(broken(error.into_error())),
            },
        }
    }
    let stream = connector.connect(target).await?;
    let (mut connection, driver) = Builder::new().max_buf_size(BUFFER).handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // It ends with the last that holds its sender or reads from it.
    tokio::spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!(%error, "a connection of an extension ended");
        }
    });
    let answer = connection.send_request(request).await.map_err(broken)?;
    Ok((answer, Sender { connection, key, pools: Arc::downgrade(pools) }))
}
