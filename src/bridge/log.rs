//! `services.log.debug/info/warn/error(message, fields?)`: lines of the host's log. They come with the console's, and are bounded with them.

use super::Service;

pub(super) const SERVICE: Service = Service { name: "log", js: include_str!("log.js"), methods: &[] };
