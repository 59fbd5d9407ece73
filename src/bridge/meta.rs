//! `meta.previous()` of update and delete filters: the rows before the write. Answered by the session, which knows the keys.

/// What the worker's own glue calls.
pub(super) const PREVIOUS: &str = "meta.previous";
