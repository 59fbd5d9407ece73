//! Hooks around items: the fold over filters before, and what is owed to actions after.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::answer::check_answer;
use super::{ItemsService, veil};
use crate::db::Collection;
use crate::error::Result;
use crate::hooks::{Hook, HookKind, ItemsEvent, filter};
use crate::services::Item;
use crate::services::runner::Meta;

/// Concealed values by field, out of the hooks' sight. Short sections only: a std mutex.
pub(super) type Hidden = Mutex<HashMap<String, Value>>;

impl ItemsService<'_> {
    /// Whether any filter hook hears `event` here.
    pub(super) fn has_filters(&self, event: ItemsEvent) -> bool {
        self.is_filtered() && !self.ctx.op.snapshot.hooks().matching(HookKind::Filter, event, self.name).is_empty()
    }

    /// Runs the filter hooks of `event` over `payload`; each answer is checked before the next hook gets it.
    pub(super) async fn filter(&self, collection: &Arc<Collection>, event: ItemsEvent, meta: Meta, payload: Value) -> Result<Value> {
        self.filter_veiled(collection, event, meta, payload, &Mutex::default()).await
    }

    /// The same over a payload whose concealed values are in `hidden`: what a hook puts in their place goes there too, unseen by the next.
    pub(super) async fn filter_veiled(
        &self,
        collection: &Arc<Collection>,
        event: ItemsEvent,
        meta: Meta,
        payload: Value,
        hidden: &Hidden,
    ) -> Result<Value> {
        if !self.has_filters(event) {
            return Ok(payload);
        }
        let (ctx, meta) = (self.ctx, &meta);
        let is_read = matches!(event, ItemsEvent::Query | ItemsEvent::Read);
        let hooks = ctx.op.snapshot.hooks().matching(HookKind::Filter, event, self.name);
        if !is_read || hooks.iter().any(|hook| ctx.hears_reads(hook, self.name)) {
            ctx.op.snapshot.sample(ctx, collection, event, meta, &payload);
        }
        filter::fold(hooks, payload, |hook, payload| {
            Box::pin(async move {
                if is_read && !ctx.hears_reads(hook, self.name) {
                    return Ok(payload);
                }
                let Some(mut answer) = ctx.op.snapshot.filter(hook, ctx, meta, &payload).await? else { return Ok(payload) };
                check_answer(ctx, collection, event, &payload, &answer).map_err(|why| ctx.op.snapshot.bad_answer(hook, ctx, meta, &why))?;
                if let (Value::Object(row), false) = (&mut answer, is_read) {
                    veil::veil_again(&ctx.op.schema, collection, row, &mut hidden.lock().unwrap_or_else(PoisonError::into_inner));
                }
                Ok(answer)
            })
        })
        .await
    }

    /// `meta` of a filter hook: the event, the collection, and the keys where the event has some.
    pub(super) fn meta(&self, event: ItemsEvent, keys: Option<&[Value]>) -> Item {
        let mut meta = Item::new();
        meta.insert("event".to_owned(), json!(event.qualified(self.name)));
        meta.insert("collection".to_owned(), json!(self.name));
        if let Some(keys) = keys {
            add_keys(&mut meta, keys);
        }
        meta
    }

    /// The action hooks that hear `event`, split by whether their deliveries go through the outbox.
    pub(super) fn actions(&self, event: ItemsEvent) -> Actions {
        let mut actions = Actions::default();
        if self.ctx.emit {
            for hook in self.ctx.op.snapshot.hooks().matching(HookKind::Action, event, self.name) {
                // A read leaves no row to owe anything to.
                let list = if hook.durable && event != ItemsEvent::Read { &mut actions.durable } else { &mut actions.best_effort };
                list.push(Arc::clone(hook));
            }
        }
        actions
    }
}

/// The action hooks of one event.
#[derive(Default)]
pub(super) struct Actions {
    pub durable: Vec<Arc<Hook>>,
    pub best_effort: Vec<Arc<Hook>>,
}

/// Adds where a nested item stands.
pub(super) fn add_parent(meta: &mut Item, parent: Option<&(String, String)>) {
    if let Some((collection, field)) = parent {
        meta.insert("parent".to_owned(), json!({ "collection": collection, "field": field }));
    }
}

/// Adds `keys`, and `key` where there is exactly one.
pub(super) fn add_keys(meta: &mut Item, keys: &[Value]) {
    if let [key] = keys {
        meta.insert("key".to_owned(), key.clone());
    }
    meta.insert("keys".to_owned(), json!(keys));
}
