//! What the sandbox costs: a call in place and through a worker, large heaps and payloads, starts and memory, and what code that spins
//! does to the others.
//!
//! `cargo bench --bench sandbox -- [calls] [part]`; parts are `calls`, `payloads`, `starts`, `fairness`, `many`. Each figure that
//! something was promised for says so. Nothing else should run on the machine.
#![allow(clippy::unwrap_used)] // a panic is how it fails
#![allow(unused_macros)]

#[path = "../tests/it/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use rquickjs::{Context, Function, Runtime};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use support::{Database, TestApp};
use trellis::sandbox::{CallError, Host, Input, Invocation, LogLine, Outcome, Pool, PoolOptions, Source, Unit};

const WORK: &str = "return { ...payload, total: payload.lines.reduce((s, l) => s + l.quantity * l.price, 0) }";
const MB: u64 = 1 << 20;

fn main() {
    // Cargo adds `--bench` of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let calls: usize = arguments.iter().find_map(|a| a.parse().ok()).unwrap_or(20_000);
    let wanted = |part: &str| arguments.iter().all(|a| a.parse::<usize>().is_ok() || a == part);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        if wanted("calls") {
            one_call(calls).await;
        }
        if wanted("payloads") {
            payloads(calls / 20).await;
        }
        if wanted("starts") {
            starts().await;
        }
        if wanted("fairness") {
            fairness(calls).await;
        }
        if wanted("many") {
            many().await;
        }
    });
}

/// Answers every call with nothing.
struct Nobody;

impl Host for Nobody {
    fn call(&self, _: &str, _: Box<RawValue>) -> BoxFuture<'static, Result<Option<Box<RawValue>>, CallError>> {
        Box::pin(async { Ok(None) })
    }

    fn log(&self, _: LogLine) {}

    fn deadline(&self) -> Option<tokio::time::Instant> {
        None
    }
}

fn options() -> PoolOptions {
    PoolOptions { executable: env!("CARGO_BIN_EXE_trellis").into(), ..PoolOptions::default() }
}

fn unit(code: &str, warm: bool) -> Arc<Unit> {
    let params = ["payload", "meta", "context", "services"].map(str::to_owned).to_vec();
    Unit::new("bench", Source::Body { code: code.to_owned(), params, answers: false }, 64 << 20, warm)
}

/// Code whose heap has about that many bytes after its load.
fn with_heap(bytes: u64) -> String {
    let functions: Vec<String> = (0..bytes / 400).map(|i| format!("f{i}(x) {{ return x.p{} + {i}.5 + 'text {i}' }}", i % 300)).collect();
    format!("const table = () => ({{ {} }});\n{WORK}", functions.join(",\n"))
}

/// An order of about that many bytes.
fn order(bytes: usize) -> Value {
    let line = json!({ "product": 1, "quantity": 2, "price": 12.5, "note": "n" });
    let lines = bytes.saturating_sub(40) / (line.to_string().len() + 1);
    json!({ "title": "A title", "lines": vec![line; lines] })
}

async fn call(pool: &Pool, unit: &Arc<Unit>, payload: &RawValue, timeout_ms: u64) -> Outcome {
    let args = vec![payload.to_owned(), RawValue::from_string("{}".into()).unwrap()];
    let input = Input { handler: 0, args, context: RawValue::from_string("{}".into()).unwrap() };
    let timeout = Duration::from_millis(timeout_ms);
    pool.invoke(Invocation { unit: Arc::clone(unit), input, timeout, nested: false, host: Arc::new(Nobody) }, None).await
}

struct Times(Vec<Duration>);

impl Times {
    fn at(&self, share: f64) -> Duration {
        self.0[((self.0.len() - 1) as f64 * share) as usize]
    }

    fn show(&self) -> String {
        format!("p50 {:.1} µs, p99 {:.1} µs", micros(self.at(0.5)), micros(self.at(0.99)))
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

async fn timed(pool: &Arc<Pool>, unit: &Arc<Unit>, payload: &Value, calls: usize) -> Times {
    let (pool, unit, payload) = (Arc::clone(pool), Arc::clone(unit), to_raw_value(payload).unwrap());
    // A task of its own, as requests are: the thread that waits for everything would have to be woken for each.
    let run = async move {
        let mut times = Vec::with_capacity(calls);
        for n in 0..calls + calls / 10 {
            let begun = Instant::now();
            let outcome = call(&pool, &unit, &payload, 1_000).await;
            let took = begun.elapsed();
            assert!(outcome.result.is_ok(), "{outcome:?}");
            if n >= calls / 10 {
                times.push(took);
            }
        }
        times
    };
    let mut times = tokio::spawn(run).await.unwrap();
    times.sort_unstable();
    Times(times)
}

/// The same function in an engine of this process: what there would be without any isolation.
fn in_place(payload: &Value, calls: usize) -> Times {
    let runtime = Runtime::new().unwrap();
    let context = Context::full(&runtime).unwrap();
    let text = payload.to_string();
    let mut times = context.with(|ctx| {
        let source =
            format!("(text) => {{ const run = (payload) => {{ {WORK} }}; return (text) => JSON.stringify(run(JSON.parse(text))) }}");
        let make: Function = ctx.eval(source).unwrap();
        let function: Function = make.call(("",)).unwrap();
        let once = |_| {
            let begun = Instant::now();
            let answer: String = function.call((text.as_str(),)).unwrap();
            assert!(answer.len() > text.len());
            begun.elapsed()
        };
        // The first half warms everything up.
        (0..calls * 2).map(once).skip(calls).collect::<Vec<_>>()
    });
    times.sort_unstable();
    Times(times)
}

async fn one_call(calls: usize) {
    let kilobyte = order(1_000);
    let place = in_place(&kilobyte, calls);
    println!("1 KB in place, warm:            {}", place.show());
    let pool = Pool::start(options());
    for (name, code, warm, promise) in [
        ("1 KB through a worker, warm:    ", WORK.to_owned(), true, None),
        ("1 KB through a worker, pristine:", WORK.to_owned(), false, Some(30.0)),
        ("1 KB, heap of 5 MB, pristine:   ", with_heap(5 * MB), false, Some(150.0)),
    ] {
        let unit = unit(&code, warm);
        let times = timed(&pool, &unit, &kilobyte, calls).await;
        let ratio = times.at(0.5).as_secs_f64() / place.at(0.5).as_secs_f64();
        let promise = promise.map_or(String::new(), |most| format!(" (promised: {most} µs)"));
        println!("{name} {}{promise}; {ratio:.1} × in place", times.show());
        let begun = Instant::now();
        let callers: Vec<_> = (0..64)
            .map(|_| {
                let (pool, unit, payload) = (Arc::clone(&pool), Arc::clone(&unit), to_raw_value(&kilobyte).unwrap());
                tokio::spawn(async move {
                    for _ in 0..calls / 64 {
                        assert!(call(&pool, &unit, &payload, 1_000).await.result.is_ok());
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        println!("    64 at once: {:.0} calls a second", (calls / 64 * 64) as f64 / begun.elapsed().as_secs_f64());
    }
}

async fn payloads(calls: usize) {
    let pool = Pool::start(options());
    let unit = unit(WORK, false);
    for bytes in [50, 1_000, 10_000, 100_000, 1_000_000] {
        let payload = order(bytes);
        let (place, times) = (in_place(&payload, calls), timed(&pool, &unit, &payload, calls).await);
        let ratio = times.at(0.5).as_secs_f64() / place.at(0.5).as_secs_f64();
        println!(
            "{:>8} bytes: in place {}; through a worker, pristine {}; {ratio:.1} ×",
            payload.to_string().len(),
            place.show(),
            times.show()
        );
    }
}

async fn starts() {
    let payload = to_raw_value(&order(1_000)).unwrap();
    for (name, reserve) in [("from the reserve", 2), ("without a reserve", 0)] {
        let pool = Pool::start(PoolOptions { reserve, ..options() });
        let mut times = Vec::new();
        for n in 0..40 {
            // Another text each time.
            let unit = unit(&format!("{WORK} // {n}"), false);
            while pool.stats().blank < reserve {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let begun = Instant::now();
            assert!(call(&pool, &unit, &payload, 1_000).await.result.is_ok());
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        let stats = pool.stats();
        let own = stats.resident_bytes / (stats.workers.len() + stats.blank) as u64;
        println!("first call of a new extension, {name}: {}; memory of a worker of its own: {} KiB", Times(times).show(), own >> 10);
    }
}

/// Somebody's short calls while nobody else, and while eight others spin.
async fn fairness(calls: usize) {
    let pool = Pool::start(options());
    let (honest, payload) = (unit(WORK, false), order(1_000));
    let quiet = timed(&pool, &honest, &payload, calls).await;
    for (name, units) in [("eight calls of one extension", 1), ("one call of each of eight extensions", 8)] {
        let units: Vec<Arc<Unit>> = (0..units).map(|_| unit("for (;;) {}", false)).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::new(AtomicU64::new(0));
        let spinners: Vec<_> = (0..8)
            .map(|n| {
                let (pool, unit, stop, ended) = (Arc::clone(&pool), Arc::clone(&units[n % units.len()]), stop.clone(), ended.clone());
                tokio::spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        assert!(call(&pool, &unit, RawValue::NULL, 5_000).await.result.is_err());
                        ended.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        while pool.stats().in_flight < 8 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let beside = timed(&pool, &honest, &payload, calls).await;
        stop.store(true, Ordering::Relaxed);
        println!("1 KB, pristine, nothing else: {}", quiet.show());
        println!(
            "    beside {name} that spin: {} (promised: p50 × 1.2 = {:.1} µs, p99 × 1.2 or + 1 ms = {:.1} µs)",
            beside.show(),
            micros(quiet.at(0.5)) * 1.2,
            (micros(quiet.at(0.99)) * 1.2).max(micros(quiet.at(0.99)) + 1_000.0)
        );
        for spinner in spinners {
            spinner.await.unwrap();
        }
    }
}

/// A host that knows 10,000 extensions, of which 200 are called.
async fn many() {
    const KNOWN: usize = 10_000;
    const CALLED: usize = 200;
    let mut app = TestApp::start(Database::Sqlite, &[("WORKER_MEMORY_MB", "4096")]).await;
    let rows: Vec<String> = (0..KNOWN)
        .map(|n| {
            let id = format!("00000000-0000-4000-8000-{n:012}");
            format!(
                "('{id}', 'route {n}', 'GET /many/{n}', 'route', 'return Response.json({{ n: {n} }})', 'active', 0, 5000, 64, 'closed', \
                 'durable', 'pristine', '2026-01-01T00:00:00.000Z')"
            )
        })
        .collect();
    let columns = "id, name, event, type, code, status, sort, timeout_ms, memory_limit_mb, failure_mode, delivery, state, created_at";
    app.sql(&format!("INSERT INTO daas_extensions ({columns}) VALUES {}", rows.join(","))).await;
    let status = app.stop().await;
    assert!(status.success());
    let begun = Instant::now();
    app.launch().await;
    println!("a start with {KNOWN} extensions: {:.0} ms; {} MB", begun.elapsed().as_secs_f64() * 1e3, app.resident() / MB);
    let mut times = Vec::new();
    for n in (0..KNOWN).step_by(KNOWN / CALLED) {
        let begun = Instant::now();
        let answer = app.get(&format!("/api/ext/many/{n}")).await.expect(200);
        times.push(begun.elapsed());
        assert_eq!(answer.json()["n"], n);
    }
    times.sort_unstable();
    let times = Times(times);
    println!("first call of each of {CALLED}: {}, longest {:.1} ms (promised: 20 ms)", times.show(), times.at(1.0).as_secs_f64() * 1e3);
    let own: u64 = app.workers().iter().chain([&app.pid()]).map(|pid| own_memory(*pid)).sum();
    println!("host and {} workers: {} MB (promised: 512 MB)", app.workers().len(), own / MB);
    app.finish().await;
}

/// Bytes that a process has for itself, its share of what it has together with others included.
fn own_memory(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("Pss:"));
    line.and_then(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) << 10
}
