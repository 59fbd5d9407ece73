//! `services.transaction(callback)`: several calls as one. Begin and end are calls of the session, which keeps what is open.

use super::{Method, Service};

pub(super) const SERVICE: Service = Service { name: "transaction", js: include_str!("transaction.js"), methods: &[] as &[Method] };

/// Opens a transaction, or a savepoint in one. Answers its id.
pub(super) const BEGIN: &str = "transaction.begin";
/// Ends it: `[id, keep]`.
pub(super) const END: &str = "transaction.end";
