//! A server of somebody else's, for extensions to fetch from: it echoes, redirects, packs, drips and floods, and counts who came.

use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use async_compression::Level;
use async_compression::tokio::write::BrotliEncoder;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use futures_util::StreamExt;
use http::HeaderValue;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// What the server saw.
#[derive(Default)]
pub struct Seen {
    /// Connections that were accepted.
    pub connections: AtomicUsize,
    /// Requests that were read.
    pub requests: AtomicUsize,
    /// Endless answers whose reader has gone.
    pub gone: AtomicUsize,
    /// Bytes of endless answers that were handed to the machine.
    pub sent: AtomicUsize,
    /// Bytes of uploads that arrived.
    pub arrived: AtomicUsize,
}

impl Seen {
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// The server; it ends with the runtime of its test.
pub struct Upstream {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
}

struct Counting(TcpListener, Arc<Seen>);

impl axum::serve::Listener for Counting {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            if let Ok(accepted) = self.0.accept().await {
                self.1.connections.fetch_add(1, Ordering::SeqCst);
                return accepted;
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Notes that a reader has gone.
struct Gone(Arc<Seen>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.gone.fetch_add(1, Ordering::SeqCst);
    }
}

impl Upstream {
    /// Listens on an address of this machine, `127.0.0.1` or another of its network.
    pub async fn start(host: &str) -> Self {
        Self::start_at(&format!("{host}:0")).await
    }

    pub async fn start_at(place: &str) -> Self {
        let listener = TcpListener::bind(place).await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::new(Seen::default()));
        let router = Self::router(&seen);
        let counting = Counting(listener, Arc::clone(&seen));
        tokio::spawn(async move { axum::serve(counting, router).await });
        Self { address, seen }
    }

    pub fn router(seen: &Arc<Seen>) -> Router {
        Router::new()
            .route("/redirect/{status}", any(redirect))
            .route("/packed/{how}", get(packed))
            .route("/bomb/{how}/{mib}", get(bomb))
            .route("/big/{mib}", get(big))
            .route("/status/{status}", any(status))
            .route("/cookies", get(cookies))
            .route("/drip/{ms}", get(drip))
            .route("/stall", get(stall))
            .route("/sleep/{ms}", any(sleep))
            .route("/size", any(size))
            .route("/loop", any(endless))
            .route("/search", get(search))
            .fallback(echo)
            .with_state(Arc::clone(seen))
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// A URL with the address of the server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// What came, as JSON.
async fn echo(State(seen): State<Arc<Seen>>, request: Request) -> impl IntoResponse {
    seen.requests.fetch_add(1, Ordering::SeqCst);
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let headers: Vec<Value> = head.headers.iter().map(|(n, v)| json!([n.as_str(), String::from_utf8_lossy(v.as_bytes())])).collect();
    axum::Json(json!({
        "method": head.method.as_str(),
        "target": head.uri.to_string(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    }))
}

async fn redirect(
    State(seen): State<Arc<Seen>>,
    Path(status): Path<u16>,
    Query(to): Query<std::collections::HashMap<String, String>>,
) -> Response {
    seen.requests.fetch_add(1, Ordering::SeqCst);
    let mut answer = StatusCode::from_u16(status).unwrap().into_response();
    if let Some(to) = to.get("to") {
        answer.headers_mut().insert("location", to.parse().unwrap());
    }
    answer
}

/// A geocoder that knows one city.
async fn search(State(seen): State<Arc<Seen>>, Query(asked): Query<std::collections::HashMap<String, String>>) -> axum::Json<Value> {
    seen.requests.fetch_add(1, Ordering::SeqCst);
    let knows = asked.get("q").is_some_and(|q| q.contains("Berlin")) && asked.get("format").is_some_and(|format| format == "jsonv2");
    axum::Json(if knows { json!([{ "lat": "52.5173", "lon": "13.3889" }]) } else { json!([]) })
}

/// To itself.
async fn endless(State(seen): State<Arc<Seen>>) -> impl IntoResponse {
    seen.requests.fetch_add(1, Ordering::SeqCst);
    (StatusCode::FOUND, [("location", "/loop")])
}

fn pack(how: &str, bytes: &[u8]) -> (Vec<u8>, &'static str) {
    match how {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(bytes).unwrap();
            (encoder.finish().unwrap(), "gzip")
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(bytes).unwrap();
            (encoder.finish().unwrap(), "deflate")
        }
        "raw-deflate" => {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(bytes).unwrap();
            (encoder.finish().unwrap(), "deflate")
        }
        // Of its decoder's own making: an uncompressed meta-block for each piece of at most 64 KiB.
        "br" => {
            let mut out = Vec::new();
            let mut bits = Bits { out: &mut out, hold: 0, count: 0 };
            bits.put(0, 1);
            for piece in bytes.chunks(65_536) {
                bits.put(0, 1);
                bits.put(0, 2);
                bits.put(piece.len() as u64 - 1, 16);
                bits.put(1, 1);
                bits.align();
                bits.out.extend_from_slice(piece);
            }
            bits.put(3, 2);
            bits.align();
            (out, "br")
        }
        "broken-gzip" => (b"this is no gzip at all".to_vec(), "gzip"),
        "cut-gzip" => {
            let (mut whole, name) = pack("gzip", bytes);
            whole.truncate(whole.len() / 2);
            (whole, name)
        }
        "zstd" => (bytes.to_vec(), "zstd"),
        _ => (bytes.to_vec(), "identity"),
    }
}

struct Bits<'a> {
    out: &'a mut Vec<u8>,
    hold: u64,
    count: u32,
}

impl Bits<'_> {
    fn put(&mut self, value: u64, bits: u32) {
        self.hold |= value << self.count;
        self.count += bits;
        while self.count >= 8 {
            self.out.push(self.hold as u8);
            self.hold >>= 8;
            self.count -= 8;
        }
    }

    fn align(&mut self) {
        if self.count > 0 {
            self.put(0, 8 - self.count);
        }
    }
}

async fn packed(Path(how): Path<String>) -> impl IntoResponse {
    let (bytes, name) = pack(&how, "twenty times the same ".repeat(20).as_bytes());
    ([("content-encoding", name), ("content-type", "text/plain")], bytes)
}

/// Zeros, packed: a little that becomes much.
async fn bomb(Path((how, mib)): Path<(String, usize)>) -> impl IntoResponse {
    let zeros = vec![0; mib << 20];
    let (bytes, name) = match how.as_str() {
        "br" => {
            let mut encoder = BrotliEncoder::with_quality(Vec::new(), Level::Fastest);
            encoder.write_all(&zeros).await.unwrap();
            encoder.shutdown().await.unwrap();
            (encoder.into_inner(), "br")
        }
        _ => pack(&how, &zeros),
    };
    ([("content-encoding", name)], bytes)
}

async fn big(State(seen): State<Arc<Seen>>, Path(mib): Path<usize>) -> Body {
    let gone = Gone(Arc::clone(&seen));
    Body::from_stream(futures_util::stream::iter(0..mib * 16).map(move |_| {
        gone.0.sent.fetch_add(1 << 16, Ordering::SeqCst);
        Ok::<_, Infallible>(Bytes::from(vec![7; 1 << 16]))
    }))
}

async fn status(Path(status): Path<u16>) -> impl IntoResponse {
    (StatusCode::from_u16(status).unwrap(), if matches!(status, 204 | 205 | 304) { "" } else { "body" })
}

async fn cookies() -> impl IntoResponse {
    let mut headers = HeaderMap::new();
    headers.append("set-cookie", "a=1; Path=/".parse().unwrap());
    headers.append("set-cookie", "b=2".parse().unwrap());
    headers.append("x-latin", HeaderValue::from_bytes(b"caf\xe9").unwrap());
    (headers, "baked")
}

/// A byte every so many milliseconds, without an end.
async fn drip(State(seen): State<Arc<Seen>>, Path(ms): Path<u64>) -> Body {
    let gone = Gone(seen);
    Body::from_stream(futures_util::stream::unfold((), move |()| {
        let seen = Arc::clone(&gone.0);
        async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            seen.sent.fetch_add(1, Ordering::SeqCst);
            Some((Ok::<_, Infallible>(Bytes::from_static(b".")), ()))
        }
    }))
}

/// The head and one byte, and then nothing more, without an end.
async fn stall(State(seen): State<Arc<Seen>>) -> Body {
    let gone = Gone(seen);
    let first = futures_util::stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"."))]);
    Body::from_stream(first.chain(futures_util::stream::poll_fn(move |_| {
        let _held = &gone;
        Poll::Pending
    })))
}

async fn sleep(State(seen): State<Arc<Seen>>, Path(ms): Path<u64>) -> &'static str {
    seen.requests.fetch_add(1, Ordering::SeqCst);
    let _gone = Gone(seen);
    tokio::time::sleep(Duration::from_millis(ms)).await;
    "slept"
}

/// Counts what comes.
async fn size(State(seen): State<Arc<Seen>>, request: Request) -> String {
    let length = request.headers().get("content-length").map(|v| v.to_str().unwrap().to_owned());
    let mut pieces = request.into_body().into_data_stream();
    let mut size = 0;
    while let Some(Ok(piece)) = pieces.next().await {
        size += piece.len();
        seen.arrived.fetch_add(piece.len(), Ordering::SeqCst);
    }
    json!({ "size": size, "length": length }).to_string()
}
