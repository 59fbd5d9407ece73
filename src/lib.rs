//! Trellis: a data platform in one binary, extended with sandboxed JavaScript.
//!
//! Layers, each importing only from those to its right:
//! `main, app` → `http` → `extensions` → `bridge` → `services, sandbox` → `hooks, auth` → `db, error, config, clock`.

pub mod clock;
pub mod error;
pub mod sandbox;

pub use error::{Error, ErrorCode, Result};
