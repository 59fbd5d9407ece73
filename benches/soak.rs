//! The load benchmark: 64 clients create items through a filter hook for a while. No error may occur and memory may not grow.
//!
//! `cargo bench --bench soak -- [seconds] [sqlite|postgres]`; 180 seconds on SQLite unless told otherwise.
#![allow(clippy::unwrap_used)] // a panic is how it fails
#![allow(unused_macros)]

#[path = "../tests/it/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Answer, Client, Database, TestApp};

const CLIENTS: usize = 64;
const FILTER: &str = "if (!payload.title) throw new Error('Title is required');
payload.slug = payload.title.toLowerCase().replace(/[^a-z0-9]+/g, '-');
return payload;";

fn main() {
    // Cargo adds `--bench` of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let seconds: u64 = arguments.iter().find_map(|a| a.parse().ok()).unwrap_or(180);
    let database = if arguments.iter().any(|a| a == "postgres") { Database::Postgres } else { Database::Sqlite };
    if database == Database::Postgres && !support::postgres::available() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(soak(database, Duration::from_secs(seconds)));
}

async fn soak(database: Database, time: Duration) {
    let mut app = TestApp::start(database, &[]).await;
    support::articles(&app).await;
    support::filter(&app, "articles.items.create", FILTER).await;
    // Fills the page caches of the database, whose size is a setting and no leak: what grows from here on would be one.
    support::collection(&app, "ballast", &[("text", "text")]).await;
    let ballast: Vec<_> = (0..100).map(|_| json!({ "text": "x".repeat(20_000) })).collect();
    for _ in 0..20 {
        app.post("/api/items/ballast", json!(ballast)).await.expect(201);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..CLIENTS).map(|n| tokio::spawn(client(Client::clone(&app), n, stop.clone(), done.clone()))).collect();

    let begun = Instant::now();
    let mut samples: Vec<u64> = Vec::new();
    while begun.elapsed() < time {
        tokio::time::sleep(Duration::from_millis(500)).await;
        samples.push(app.resident());
    }
    stop.store(true, Ordering::Relaxed);
    let mut latencies: Vec<u32> = Vec::new();
    for client in clients {
        latencies.extend(client.await.unwrap());
    }
    let took = begun.elapsed();
    let done = done.load(Ordering::Relaxed);

    // The first minute against the last, or thirds where there are not three minutes. The first two seconds fill caches.
    let minute = 120.min(samples.len() / 3).max(1);
    let first = median(&samples[samples.len().min(4).min(minute - 1)..minute]);
    let last = median(&samples[samples.len() - minute..]);
    latencies.sort_unstable();
    let at = |share: f64| f64::from(latencies[((latencies.len() - 1) as f64 * share) as usize]) / 1000.0;
    println!(
        "soak on {database:?}: {done} items in {:.0} s, {:.0} requests/s; p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms; memory {} MB at first, {} MB at last",
        took.as_secs_f64(),
        done as f64 / took.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(1.0),
        first >> 20,
        last >> 20
    );
    assert!(done > 0, "nothing was created");
    assert_eq!(support::count(&app, "articles").await, done, "an answered item is missing, or one is there that nobody was told of");
    assert!(last <= first + first / 10, "memory grew by more than a tenth: {} MB → {} MB", first >> 20, last >> 20);
    app.finish().await;
}

/// One client until told to stop; gives its latencies in microseconds.
async fn client(app: Client, n: usize, stop: Arc<AtomicBool>, done: Arc<AtomicU64>) -> Vec<u32> {
    let mut latencies = Vec::new();
    let mut i = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        i += 1;
        let item = json!({ "title": format!("Soak {n} {i}"), "body": "x".repeat(200), "views": i });
        let answer = Answer::of(app.request("POST", "/api/items/articles").json(&item)).await.expect(201);
        assert!(answer.body.contains(&format!("\"soak-{n}-{i}\"")), "{}", answer.body);
        latencies.push(u32::try_from(answer.took.as_micros()).unwrap_or(u32::MAX));
        done.fetch_add(1, Ordering::Relaxed);
    }
    latencies
}

fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}
