//! The processes behind the calls: how many there are, what they may take, and when they end.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use trellis::sandbox::{Failure, Outcome, Pool, PoolOptions, Unit};

use super::{MB, TestHost, call, invocation, options, unit, unit_with, value};
use crate::support::eventually;

/// Takes `payload.mb` megabytes and holds them, computing, for `payload.ms`.
const HOLD: &str = "const all = []; for (let i = 0; i < payload.mb; i++) all.push(new Uint8Array(1 << 20).fill(1)); \
    const end = Date.now() + payload.ms; while (Date.now() < end); return all.length";

/// The same, asleep: who never computes for long gets no worker beside it.
const SLEEP: &str = "const sleep = (ms) => new Promise((done) => setTimeout(done, ms)); const all = []; \
    for (let i = 0; i < payload.mb; i++) { all.push(new Uint8Array(1 << 20).fill(1)); if (i % 4 === 0) await sleep(1); } \
    await sleep(payload.ms); return all.length";

const SPIN: &str = "const end = Date.now() + payload.ms; while (Date.now() < end); return 1";

fn spawn(pool: &Arc<Pool>, unit: &Arc<Unit>, payload: Value, nested: bool) -> JoinHandle<Outcome> {
    let mut invocation = invocation(unit, &payload, 20_000, Arc::new(TestHost::default()));
    invocation.nested = nested;
    let pool = pool.clone();
    tokio::spawn(async move { pool.invoke(invocation, None).await })
}

/// Waits until so many calls are on workers.
async fn in_flight(pool: &Pool, calls: usize) {
    eventually("the calls to be on workers", Duration::from_secs(10), async || {
        let now = pool.stats().in_flight;
        if now == calls { Ok(()) } else { Err(format!("{now} of {calls}")) }
    })
    .await;
}

/// Waits until the workers have more memory than that, in bytes.
async fn more_than(pool: &Pool, bytes: usize) {
    eventually("the workers to have more memory", Duration::from_secs(10), async || {
        let now = pool.stats().resident_bytes;
        if now > bytes as u64 { Ok(()) } else { Err(format!("{} MB", now >> 20)) }
    })
    .await;
}

/// The most workers of a unit that were seen before all calls had ended.
async fn most_workers(pool: &Pool, unit: &Unit, calls: &[JoinHandle<Outcome>]) -> usize {
    let mut most = 0;
    while !calls.iter().all(JoinHandle::is_finished) {
        most = most.max(pool.stats().workers.iter().filter(|w| w.unit_id == unit.id).count());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    most
}

fn pids(pool: &Pool, unit: &Unit) -> Vec<u32> {
    pool.stats().workers.iter().filter(|worker| worker.unit_id == unit.id).map(|worker| worker.pid).collect()
}

fn was_ended_for_memory(outcome: &Outcome) -> bool {
    matches!(outcome.result, Err(Failure::Busy { for_memory: true, .. }))
}

#[tokio::test]
async fn retired_units_and_closed_pools_leave_no_process() {
    let pool = Pool::start(options());
    let unit = unit("return 1");
    pool.check(&unit).await.expect("it compiles");
    let pid = pool.stats().workers[0].pid;
    pool.retire(unit.id);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(pool.stats().workers.is_empty());
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    pool.shutdown().await;
    assert!(matches!(call(&pool, &unit, json!({}), 1_000).await.result, Err(Failure::NoWorker(_))));
}

#[tokio::test]
async fn a_version_that_was_replaced_is_still_held_to_the_memory_of_all() {
    let pool = Pool::start(PoolOptions { memory_budget: 64 << 20, ..options() });
    let unit = unit_with(HOLD, 256 * MB, false);
    pool.check(&unit).await.expect("it compiles");
    let hungry = spawn(&pool, &unit, json!({ "mb": 128, "ms": 15_000 }), false);
    in_flight(&pool, 1).await;
    pool.retire(unit.id);
    let outcome = hungry.await.expect("no panic");
    assert!(was_ended_for_memory(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn a_worker_that_is_loaded_while_its_version_is_replaced_ends() {
    let pool = Pool::start(options());
    let unit = unit(SPIN);
    pool.check(&unit).await.expect("it compiles");
    let calls: Vec<_> = (0..3).map(|_| spawn(&pool, &unit, json!({ "ms": 300 }), true)).collect();
    in_flight(&pool, 1).await;
    pool.retire(unit.id);
    for call in calls {
        assert_eq!(value(&call.await.expect("no panic")), json!(1));
    }
    eventually("the workers to end", Duration::from_secs(10), async || {
        let workers = pool.stats().workers;
        if workers.is_empty() { Ok(()) } else { Err(format!("{workers:?}")) }
    })
    .await;
}

#[tokio::test]
async fn what_loading_takes_counts_although_nothing_was_called() {
    let pool = Pool::start(PoolOptions { memory_budget: 100 << 20, reserve: 0, ..options() });
    let large = format!("{}; return 1", crate::pristine::with_a_large_heap("0"));
    // The heap of each is there twice: as the isolate and as its image.
    for _ in 0..12 {
        pool.check(&unit_with(&large, 64 * MB, false)).await.expect("it compiles");
    }
    eventually("idle workers to make room", Duration::from_secs(10), async || {
        let stats = pool.stats();
        if stats.resident_bytes <= 100 << 20 {
            Ok(())
        } else {
            Err(format!("{} MB, {} workers", stats.resident_bytes >> 20, stats.workers.len()))
        }
    })
    .await;
}

#[tokio::test]
async fn the_image_of_a_heap_counts_whether_its_pages_were_touched_or_not() {
    let pool = Pool::start(PoolOptions { reserve: 0, ..options() });
    let body = "return 1";
    let (small, large) = (unit(body), unit_with(&crate::pristine::with_a_large_heap(body), 64 * MB, false));
    let mut sizes = Vec::new();
    for unit in [&small, &large] {
        pool.check(unit).await.expect("it compiles");
        let stats = pool.stats();
        sizes.push(stats.workers.iter().find(|w| w.unit_id == unit.id).expect("it has a worker").resident_bytes);
    }
    // Five megabytes of heap: its image is counted whole, and so is what the load has touched.
    let more = sizes[1].saturating_sub(sizes[0]);
    assert!(more >= 5 << 20, "{more} bytes more");
}

#[tokio::test]
async fn the_hungriest_unit_loses_its_largest_worker_and_is_not_to_blame() {
    let pool = Pool::start(PoolOptions { memory_budget: 130 << 20, workers_per_unit: 2, reserve: 0, ..options() });
    let (one, two) = (unit_with(HOLD, 128 * MB, false), unit_with(HOLD, 128 * MB, false));
    for unit in [&one, &two] {
        pool.check(unit).await.expect("it compiles");
    }
    let modest = spawn(&pool, &one, json!({ "mb": 60, "ms": 3_000 }), false);
    let first = spawn(&pool, &two, json!({ "mb": 50, "ms": 3_000 }), false);
    in_flight(&pool, 2).await;
    let second = spawn(&pool, &two, json!({ "mb": 60, "ms": 3_000 }), false);
    let kept = Arc::new(AtomicBool::new(true));
    let watching = {
        let (pool, one, kept, pid) = (pool.clone(), one.clone(), kept.clone(), pids(&pool, &one)[0]);
        tokio::spawn(async move {
            // Once it has nothing to do it may be ended like any other.
            while kept.load(Ordering::Relaxed) && pool.stats().workers.iter().any(|w| w.unit_id == one.id && w.in_flight > 0) {
                // A slow one may have got another beside it.
                if !pids(&pool, &one).contains(&pid) {
                    kept.store(false, Ordering::Relaxed);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    };
    watching.await.expect("no panic");
    let (first, second) = (first.await.expect("no panic"), second.await.expect("no panic"));
    // One of them made room for the other, and waited until there was room for it, or was told that there is none.
    let refused = [&first, &second].into_iter().filter(|outcome| was_ended_for_memory(outcome)).count();
    assert!(refused <= 1 && [&first, &second].iter().any(|outcome| outcome.result.is_ok()), "{first:?} {second:?}");
    assert_eq!(value(&modest.await.expect("no panic")), json!(60));
    assert!(kept.load(Ordering::Relaxed), "who has less than others keeps its worker");
}

#[tokio::test]
async fn only_who_lacks_memory_makes_others_give_theirs() {
    const BUDGET: usize = 160 * MB;
    let pool = Pool::start(PoolOptions { memory_budget: BUDGET as u64, workers_per_unit: 1, reserve: 0, ..options() });
    let (hungry, busy, new) = (unit_with(SLEEP, 256 * MB, false), unit(SPIN), unit("return 1"));
    for unit in [&hungry, &busy] {
        pool.check(unit).await.expect("it compiles");
    }
    let own = usize::try_from(pool.stats().resident_bytes).expect("a size");
    let holding = spawn(&pool, &hungry, json!({ "mb": (BUDGET - BUDGET / 8 - own) / MB, "ms": 8_000 }), false);
    more_than(&pool, BUDGET - BUDGET / 6).await;
    let holder = pids(&pool, &hungry)[0];
    // At work before the budget is passed: an idle worker would be ended then.
    let spinning = spawn(&pool, &busy, json!({ "ms": 1_000 }), false);
    in_flight(&pool, 2).await;
    // A little over the budget, which is let pass while nobody waits.
    let more = spawn(&pool, &hungry, json!({ "mb": (BUDGET / 8 + BUDGET / 16) / MB, "ms": 8_000 }), false);
    more_than(&pool, BUDGET).await;
    // It waits for its own worker, which no memory would give it.
    assert_eq!(value(&call(&pool, &busy, json!({ "ms": 1 }), 5_000).await), json!(1));
    assert_eq!(value(&spinning.await.expect("no panic")), json!(1));
    assert!(pids(&pool, &hungry).contains(&holder));
    // It waits for memory.
    assert_eq!(value(&call(&pool, &new, json!({}), 5_000).await), json!(1));
    assert!(!pids(&pool, &hungry).contains(&holder));
    // What had to give way had asked nothing of the host: it may try again.
    for call in [holding, more] {
        let outcome = call.await.expect("no panic");
        assert!(outcome.result.is_ok() || was_ended_for_memory(&outcome), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_unit_has_so_many_processes_whatever_it_does() {
    let pool = Pool::start(PoolOptions { workers_per_unit: 1, ..options() });
    let unit = unit(SPIN);
    pool.check(&unit).await.expect("it compiles");
    let mut calls = Vec::new();
    for _ in 0..8 {
        calls.push(spawn(&pool, &unit, json!({ "ms": 1_500 }), true));
        // The last that came has begun to compute: the next finds nobody free.
        let _ = tokio::time::timeout(Duration::from_millis(100), pending::<()>()).await;
    }
    let most = most_workers(&pool, &unit, &calls).await;
    // Four times its share, for what is nested, and the one that replaces a slow one.
    assert!((3..=5).contains(&most), "{most}");
    for call in calls {
        assert_eq!(value(&call.await.expect("no panic")), json!(1));
    }
}

#[tokio::test]
async fn one_worker_at_a_time_is_replaced() {
    let pool = Pool::start(PoolOptions { workers_per_unit: 1, ..options() });
    let unit = unit(SPIN);
    pool.check(&unit).await.expect("it compiles");
    let long = spawn(&pool, &unit, json!({ "ms": 5_000 }), false);
    in_flight(&pool, 1).await;
    // They get the worker that replaces the first, and lose its good name as well.
    let calls: Vec<_> = (0..3).map(|_| spawn(&pool, &unit, json!({ "ms": 1_200 }), false)).chain([long]).collect();
    let most = most_workers(&pool, &unit, &calls).await;
    assert_eq!(most, 2);
}
