//! The job of a write: its statements and its outbox rows, run as one by the database.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::event::{Actions, add_keys};
use super::{ItemsService, not_found, special};
use crate::db::{Collection, Conn, Sql, ddl};
use crate::error::Result;
use crate::hooks::ItemsEvent;
use crate::hooks::dispatcher::Nursery;
use crate::services::Item;
use crate::services::changes::{self, Kind};
use crate::services::owed::{Origin, Owed, Owing};

/// One statement, and whom it is owed to.
pub(super) struct Step {
    pub event: ItemsEvent,
    pub sql: Sql,
    /// The keys that it must touch; an insert learns its key from the database.
    pub keys: Vec<Value>,
    /// The key that an insert names itself.
    pub explicit_key: Option<Value>,
    /// What `meta.payload` says: as written, with concealed values masked.
    pub payload: Value,
}

/// What a job did: per step the rows as they are now, and everything that is owed for it.
#[derive(Default)]
pub(super) struct Done {
    pub rows: Vec<Vec<Item>>,
    pub owed: Owed,
}

struct Change {
    collection: Arc<Collection>,
    steps: Vec<Step>,
    /// Action hooks by event: create, update, delete.
    actions: [Actions; 3],
    origin: Origin,
    now: chrono::DateTime<chrono::Utc>,
    nursery: Nursery,
    /// What this job changes of that which hosts keep in memory, and says itself.
    noted: Option<Kind>,
}

fn slot(event: ItemsEvent) -> usize {
    match event {
        ItemsEvent::Create => 0,
        ItemsEvent::Update => 1,
        ItemsEvent::Delete | ItemsEvent::Query | ItemsEvent::Read => 2,
    }
}

impl Change {
    async fn run(&self, conn: &mut Conn<'_>) -> Result<Done> {
        let mut done = Done::default();
        let mut owing = Owing::new(self.now, &self.nursery);
        let types: Vec<_> = self.collection.fields.iter().map(|f| f.ty).collect();
        for step in &self.steps {
            let rows = conn.select(&step.sql, &types).await?;
            if step.event != ItemsEvent::Create && rows.len() != step.keys.len() {
                return Err(not_found(&self.collection, &step.keys));
            }
            if let Some(key) = &step.explicit_key {
                ddl::after_explicit_key(conn, &self.collection, key).await?;
            }
            let rows: Vec<Item> =
                rows.into_iter().map(|row| super::object(self.collection.fields.iter().map(|f| f.name.as_str()), row)).collect();
            let rows = self.in_order(step, rows);
            let durable = &self.actions[slot(step.event)].durable;
            if !durable.is_empty() {
                let (meta, keys) = self.meta(step, &rows);
                // A key that the database made is new; one that the caller chose may have been there before.
                let is_new = step.event == ItemsEvent::Create && step.explicit_key.is_none();
                for hook in durable {
                    let delivery = self.origin.delivery(hook, step.event.qualified(&self.collection.name), &meta, &keys);
                    owing.add(conn, delivery, None, is_new).await?;
                }
            }
            done.rows.push(rows);
        }
        done.owed = owing.owed;
        if let Some(kind) = self.noted {
            changes::note(conn, kind).await?;
        }
        Ok(done)
    }

    /// The rows in the order of the keys that were asked for: the database answers them in any.
    fn in_order(&self, step: &Step, rows: Vec<Item>) -> Vec<Item> {
        let pk = &self.collection.primary_key().name;
        if rows.len() < 2 || step.keys.is_empty() {
            return rows;
        }
        let mut by_key: HashMap<String, Item> =
            rows.into_iter().map(|row| (row.get(pk).map(Value::to_string).unwrap_or_default(), row)).collect();
        step.keys.iter().filter_map(|key| by_key.remove(&key.to_string())).collect()
    }

    /// `meta` of the action hooks of a step.
    fn meta(&self, step: &Step, rows: &[Item]) -> (Item, Vec<Value>) {
        let keys = match step.event {
            ItemsEvent::Create => rows.iter().filter_map(|row| row.get(&self.collection.primary_key().name).cloned()).collect(),
            _ => step.keys.clone(),
        };
        let mut meta = Item::new();
        meta.insert("event".to_owned(), json!(step.event.qualified(&self.collection.name)));
        meta.insert("collection".to_owned(), json!(self.collection.name));
        meta.insert("payload".to_owned(), step.payload.clone());
        add_keys(&mut meta, &keys);
        (meta, keys)
    }
}

impl ItemsService<'_> {
    /// Runs all steps as one job and remembers what follows the commit. Answers, per step, the rows as they are now, masked.
    pub(super) async fn apply(&self, collection: &Arc<Collection>, steps: Vec<Step>) -> Result<Vec<Vec<Item>>> {
        let ctx = self.ctx;
        let actions = [ItemsEvent::Create, ItemsEvent::Update, ItemsEvent::Delete].map(|event| self.actions(event));
        let owed = actions.iter().flat_map(|actions| &actions.durable).map(|hook| hook.extension.as_str());
        let nursery = ctx.core.dispatcher.nursery(owed);
        let kind = super::kept_in_memory(self.name);
        if let Some(kind) = kind {
            // Before the write: should the operation be cut off while it commits, forgetting too early is the safe mistake.
            ctx.op.after().changed.insert(kind);
        }
        // Where a transaction lasts beyond this job, its commit says so.
        let noted = kind.filter(|_| !ctx.joins() && !ctx.op.is_tx_open());
        let change = Arc::new(Change {
            collection: Arc::clone(collection),
            actions,
            origin: Origin::new(ctx, self.name),
            now: ctx.core.clock.now(),
            nursery,
            noted,
            steps,
        });
        let job = Arc::clone(&change);
        let done = ctx
            .write(move |conn| {
                let job = Arc::clone(&job);
                Box::pin(async move { job.run(conn).await })
            })
            .await?;
        let mut after = ctx.op.after();
        done.owed.note(&mut after);
        for (step, rows) in change.steps.iter().zip(&done.rows) {
            let hooks = &change.actions[slot(step.event)].best_effort;
            if !hooks.is_empty() {
                let (meta, _) = change.meta(step, rows);
                after.best_effort.extend(hooks.iter().map(|hook| (Arc::clone(hook), ctx.clone(), meta.clone())));
            }
        }
        drop(after);
        let mut rows = done.rows;
        rows.iter_mut().flatten().for_each(|row| special::mask(collection, row));
        Ok(rows)
    }
}
