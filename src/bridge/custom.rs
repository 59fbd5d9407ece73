//! `services.custom(name)`: other people's code in the caller's worker. It asks the host for nothing: which custom services there are, and
//! which of them the extension may use, is part of what its workers loaded.

use super::Service;

pub(super) const SERVICE: Service = Service { name: "custom", js: include_str!("custom.js"), methods: &[] };
