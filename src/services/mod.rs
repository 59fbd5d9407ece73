//! What the host can do, in plain Rust: items, collections, fields, sign-in, jobs, mail.
//!
//! Knows tables, rights and the order of a write; knows neither HTTP nor JavaScript. `http` and `bridge` are the doors to it. Hooks are
//! run through the [`runner::Runner`] that `app` hands in, which is what cuts the cycle services → hooks → sandbox → bridge → services.

pub mod access;
pub mod accounts;
pub mod aggregate;
mod auth_events;
pub mod capability;
pub mod changes;
pub mod collections;
pub mod core;
pub mod cron;
pub mod ctx;
pub mod deliveries;
pub mod fields;
pub mod hosts;
pub mod items;
pub mod jobs;
pub mod mail;
pub mod members;
pub mod module_access;
pub mod operation;
mod owed;
pub mod precondition;
pub mod query;
pub mod rawdb;
pub mod relations;
pub mod rights;
pub mod runner;
mod schema_change;
mod select;
pub mod sessions;
pub mod setup;
pub mod snapshot;
pub mod throttle;
pub mod variables;

pub use core::Core;
pub use ctx::Ctx;
pub use operation::Operation;

/// One item: field → value.
pub type Item = serde_json::Map<String, serde_json::Value>;
