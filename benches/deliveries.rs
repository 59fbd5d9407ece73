//! The order benchmark: hosts that write the same items while one of them is killed again and again. No delivery may be lost, and those of
//! one item must run in the order of its writes.
//!
//! `cargo bench --bench deliveries -- [kills] [items] [writes]`; 20 kills, 32 items and 400 writes of each unless told otherwise. Needs Postgres.
#![allow(clippy::unwrap_used)] // a panic is how it fails
#![allow(unused_macros)]

#[path = "../tests/it/support/mod.rs"]
mod support;

use std::time::Instant;

use support::{Database, TestApp};

fn main() {
    // Cargo adds `--bench` of its own.
    let arguments: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let number = |at: usize, default: usize| arguments.get(at).copied().unwrap_or(default);
    let (kills, items, writes) = (number(0, 20), number(1, 32), number(2, 400));
    if !support::postgres::available() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut app = TestApp::start(Database::Postgres, &[]).await;
        app.allow_errors();
        support::hosts::order_collections(&app).await;
        let begun = Instant::now();
        support::hosts::order_is_kept(&app, items, writes, kills).await;
        let (took, all) = (begun.elapsed().as_secs_f64(), items * writes);
        println!("deliveries: {all} in {took:.0} s with {kills} kills, {:.0} a second; order kept, none lost", all as f64 / took);
        app.finish().await;
    });
}
