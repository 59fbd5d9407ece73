//! `services.log.debug/info/warn/error(message, fields?)`: lines of the host's log. Answered by the session, which bounds them.

use super::{Method, Service};

pub(super) const SERVICE: Service = Service { name: "log", js: include_str!("log.js"), methods: &[] as &[Method] };

/// Writes one line: `[level, message, fields]`.
pub(super) const WRITE: &str = "log.write";
