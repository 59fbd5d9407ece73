//! The harness: starts the program on a database of its own, talks to it, and looks at it from outside.
//!
//! It knows the program only as a user does: an executable, its environment, its HTTP answers, its log and its process id.
#![allow(dead_code, unused_imports)] // the soak benchmark uses a part of it

pub mod app;
pub mod client;
pub mod data;
pub mod folders;
pub mod npm;
pub mod postgres;
pub mod process;
pub mod snippets;
pub mod wait;

use std::sync::RwLock;

pub use app::{SECRET, TestApp};
pub use client::{Answer, Client};
pub use data::*;
pub use wait::{SLACK, eventually, still};

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// Tests that measure time take this alone; all others share it. Two cores can't serve a deadline and somebody else's load at once.
static MACHINE: RwLock<()> = RwLock::new(());

/// Runs one test body against a fresh program; called by [`both!`].
pub fn run(database: Database, env: &[(&str, &str)], alone: bool, body: impl AsyncFnOnce(&mut TestApp)) {
    // A test that failed while it held the lock says nothing about the next one.
    let (_alone, _shared) = if alone {
        (Some(MACHINE.write().unwrap_or_else(|e| e.into_inner())), None)
    } else {
        (None, Some(MACHINE.read().unwrap_or_else(|e| e.into_inner())))
    };
    if database == Database::Postgres && !postgres::available() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut app = TestApp::start(database, env).await;
        body(&mut app).await;
        app.finish().await;
    });
}

/// Declares one test for both databases: `name::sqlite` and `name::postgres`.
///
/// `both!(name, async |app| { … })`; `both!(name, env: [("KEY", "value")], async |app| { … })` sets variables for the program;
/// `both!(alone name, …)` gives the test the machine for itself, for those that measure time or memory.
macro_rules! both {
    (alone $name:ident, $body:expr) => { both!(@ $name, &[], true, $body); };
    (alone $name:ident, env: $env:expr, $body:expr) => { both!(@ $name, &$env, true, $body); };
    ($name:ident, env: $env:expr, $body:expr) => { both!(@ $name, &$env, false, $body); };
    ($name:ident, $body:expr) => { both!(@ $name, &[], false, $body); };
    (@ $name:ident, $env:expr, $alone:expr, $body:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            #[test]
            fn sqlite() {
                $crate::support::run($crate::support::Database::Sqlite, $env, $alone, $body);
            }

            #[test]
            fn postgres() {
                $crate::support::run($crate::support::Database::Postgres, $env, $alone, $body);
            }
        }
    };
}
