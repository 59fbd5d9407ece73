//! What JavaScript may call: one table of services, each with its host half here and its JavaScript half beside it.
//!
//! The JavaScript half checks arguments kindly and shapes the call; the host half checks them for real, calls the service and answers
//! by value. No rule lives in JavaScript, no SQL lives here. Adding a service means one pair of files and one row of [`SERVICES`].

mod collections;
mod cron;
mod custom;
mod enqueue;
mod fetch;
mod fields;
mod items;
mod log;
mod mail;
mod meta;
mod relations;
mod scope;
mod secrets;
mod session;
mod supabase;
mod transaction;

use futures_util::future::BoxFuture;
use serde_json::Value;

pub use crate::services::capability::{Capabilities, RAW_SYSTEM};
pub use fetch::Mocks;
pub use scope::{Call, Scope};
pub use secrets::Secrets;
pub use session::{CallRecord, HearLine, Identity, Record, Session};

use crate::error::Result;
use crate::sandbox::ServiceSource;
use crate::services::Ctx;

/// Answers one call. May run again when a transaction got in another's way. `None` is `undefined`.
type Run = for<'a> fn(&'a Ctx, &'a Call) -> BoxFuture<'a, Result<Option<Value>>>;

/// One method that JavaScript may call.
pub struct Method {
    /// As the JavaScript half calls it: `items.createOne`.
    pub name: &'static str,
    /// Which capability a call needs: `items:articles:create`. `None` needs none.
    pub capability: fn(&Call) -> Option<String>,
    /// Whether it writes.
    pub writes: bool,
    run: Run,
}

/// One service: its methods, and the JavaScript that makes them `context.services.<name>`.
pub struct Service {
    /// The member of `context.services`.
    pub name: &'static str,
    /// A function expression `(host, primordials) => service`.
    pub js: &'static str,
    /// What it calls.
    pub methods: &'static [Method],
}

/// Every service that JavaScript has.
pub const SERVICES: &[Service] = &[
    items::SERVICE,
    collections::SERVICE,
    fields::SERVICE,
    relations::SERVICE,
    cron::SERVICE,
    mail::SERVICE,
    supabase::SERVICE,
    transaction::SERVICE,
    custom::SERVICE,
    fetch::SERVICE,
    enqueue::SERVICE,
    log::SERVICE,
    Service { name: "env", js: include_str!("env.js"), methods: &[] },
];

/// The JavaScript halves, for the workers.
pub fn sources() -> Vec<ServiceSource> {
    SERVICES.iter().map(|service| ServiceSource { name: service.name, js: service.js }).collect()
}

/// What makes the object that the `register(sdk)` of a file-based extension is given: a function expression
/// `(registrar, primordials) => sdk`.
pub const SDK: &str = include_str!("sdk.js");

fn method(name: &str) -> Option<&'static Method> {
    SERVICES.iter().flat_map(|service| service.methods).find(|method| method.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_belongs_to_its_service_and_has_a_name_of_its_own() {
        let mut seen = std::collections::HashSet::new();
        for service in SERVICES {
            for method in service.methods {
                assert!(method.name.starts_with(&format!("{}.", service.name)), "{}", method.name);
                assert!(seen.insert(method.name), "{} is there twice", method.name);
                assert!(
                    service.js.contains(&format!("'{}'", method.name)) || service.js.contains(&format!("{}.", service.name)),
                    "{} is not called by its JavaScript half",
                    method.name
                );
            }
        }
    }
}
