//! Trellis: a data platform in one binary, extended with sandboxed JavaScript.
//!
//! Layers, each importing only from those to its right:
//! `main, app` → `http, mcp` → `cron` → `extensions` → `bridge` → `services, sandbox` → `hooks, auth` → `db, config, outbound, error, json, clock, log`.

pub mod app;
pub mod auth;
pub mod bridge;
pub mod clock;
pub mod config;
pub mod cron;
pub mod db;
pub mod error;
pub mod extensions;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod hooks;
pub mod http;
pub mod json;
pub mod log;
pub mod mcp;
pub mod metrics;
pub mod outbound;
pub mod sandbox;
pub mod services;

pub use error::{Error, ErrorCode, Result};
