//! How services have hooks run, without knowing by what.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{Ctx, Item};
use crate::db::Collection;
use crate::error::Result;
use crate::hooks::{Hook, ItemsEvent, Registry};

/// Hands out the extensions as they are now.
pub trait Runner: Send + Sync {
    /// What an operation that begins now uses until its end.
    fn snapshot(&self) -> Arc<dyn Snapshot>;

    /// Reads the extensions again, unless they are as new as `version` says already: another host changed some.
    fn reload(&self, version: i64) -> BoxFuture<'_, Result<()>>;
}

/// The extensions as they were at one moment.
pub trait Snapshot: Send + Sync {
    /// Who hears what.
    fn hooks(&self) -> &Registry;

    /// Runs one filter hook. `Ok(None)`: it may be skipped (it can't run and its `failure_mode` is open).
    fn filter<'a>(&'a self, hook: &'a Hook, ctx: &'a Ctx, meta: &'a Meta, payload: &'a Value) -> BoxFuture<'a, Result<Option<Value>>>;

    /// Runs one action hook without an outbox: what it does wrong is its own affair.
    fn best_effort(self: Arc<Self>, hook: Arc<Hook>, ctx: Ctx, meta: Item);

    /// Takes note of what a caller sent to an operation that filter hooks are about to hear. Costs little and never waits.
    fn sample(&self, ctx: &Ctx, collection: &Collection, event: ItemsEvent, meta: &Meta, payload: &Value);

    /// Notes that a filter hook answered something that the collection can't take, and says so in the error.
    fn bad_answer(&self, hook: &Hook, ctx: &Ctx, meta: &Meta, why: &str) -> crate::error::Error;
}

/// What a filter hook gets as `meta`.
#[derive(Debug, Clone)]
pub struct Meta {
    /// `event`, `collection` and what the event adds.
    pub json: Item,
    /// Where `meta.previous()` reads; only update and delete have it.
    pub previous: Option<Previous>,
}

/// The rows before an update or a delete.
#[derive(Debug, Clone)]
pub struct Previous {
    /// Where.
    pub collection: String,
    /// Which.
    pub keys: Arc<[Value]>,
}

impl Meta {
    /// `meta.event`, the qualified name of what happens.
    pub fn event(&self) -> &str {
        self.json.get("event").and_then(Value::as_str).unwrap_or_default()
    }
}
