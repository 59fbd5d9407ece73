//! What callers send to operations that filter hooks hear: the last inputs of each event, so that changed code can be tried on them.
//!
//! Taken where the filters begin, written in batches a moment later, bounded by number, bytes and age. Concealed values are never part of a
//! sample, and nobody reads one over the API. A sample that doesn't fit is left out and counted: they are examples, not a record.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::rows;
use crate::clock::Clock;
use crate::db::aggregate::aggregate;
use crate::db::{Aggregate, Collection, Db, FieldType, Filter, Op, Query, Sort, sql, system, timestamp};
use crate::error::Result;
use crate::hooks::ItemsEvent;
use crate::services::items::is_concealed;
use crate::services::runner::Meta;
use crate::services::{Ctx, Item};

/// Samples of one event that are kept.
const KEPT: u64 = 1_000;
/// Bytes of all samples together.
const KEPT_BYTES: u64 = 16 << 20;
/// For so long.
const KEPT_FOR: TimeDelta = TimeDelta::days(7);
/// Largest sample, in bytes of JSON.
const MAX_BYTES: usize = 64 << 10;
/// Levels of a sample: Postgres takes JSON no deeper than the host lets it.
const MAX_DEPTH: usize = 32;
/// Keys of rows that are kept of one operation.
const MAX_KEYS: usize = 100;
/// Samples of one event that wait to be written: of a storm, the last ones.
const WAITING: usize = 50;
/// Samples of all events that wait.
const WAITING_IN_ALL: usize = 500;
/// Bytes of those.
const WAITING_BYTES: usize = 4 << 20;
/// Rows that one transaction writes or deletes.
const BATCH: usize = 100;
/// Rows that are written of one event between two looks at how many there are.
const LOOK_AFTER: usize = 50;
/// How often old rows and the bytes of all are looked at.
const LOOK: Duration = Duration::from_secs(60);

/// One input.
#[derive(Debug)]
struct Sample {
    event: String,
    collection: String,
    payload: Value,
    keys: Value,
    user: Option<String>,
    request_id: String,
    depth: u32,
    bytes: usize,
    at: DateTime<Utc>,
}

impl Sample {
    fn row(self, left_out: u64) -> Item {
        Item::from_iter([
            ("id".to_owned(), json!(Uuid::now_v7().to_string())),
            ("event".to_owned(), json!(self.event)),
            ("collection".to_owned(), json!(self.collection)),
            ("user".to_owned(), json!(self.user)),
            ("request_id".to_owned(), json!(self.request_id)),
            ("depth".to_owned(), json!(self.depth)),
            ("bytes".to_owned(), json!(self.bytes)),
            ("left_out".to_owned(), json!(i32::try_from(left_out).unwrap_or(i32::MAX))),
            ("at".to_owned(), json!(timestamp(self.at))),
            ("payload".to_owned(), self.payload),
            ("keys".to_owned(), self.keys),
        ])
    }
}

#[derive(Default)]
struct Queue {
    samples: VecDeque<Sample>,
    /// Inputs that there was no room for.
    left_out: u64,
}

#[derive(Default)]
struct Waiting {
    by_event: HashMap<String, Queue>,
    total: usize,
    bytes: usize,
}

impl Waiting {
    fn queue(&mut self, event: &str) -> &mut Queue {
        if !self.by_event.contains_key(event) {
            self.by_event.insert(event.to_owned(), Queue::default());
        }
        self.by_event.get_mut(event).expect("it was put there")
    }

    /// Whether there is room for one more of this event, the oldest of which makes room where it must.
    fn make_room(&mut self, event: &str, bytes: usize) -> bool {
        let is_full = self.total >= WAITING_IN_ALL || self.bytes + bytes > WAITING_BYTES;
        let queue = self.queue(event);
        let mut freed = 0;
        if queue.samples.len() >= WAITING || is_full {
            queue.left_out += 1;
            match queue.samples.pop_front() {
                Some(oldest) => freed = oldest.bytes,
                None => return false,
            }
            self.total -= 1;
        }
        self.bytes -= freed;
        // A large one may find too little room beside those of other events.
        self.bytes + bytes <= WAITING_BYTES
    }

    fn add(&mut self, sample: Sample) {
        if self.make_room(&sample.event, sample.bytes) {
            (self.total, self.bytes) = (self.total + 1, self.bytes + sample.bytes);
            self.queue(&sample.event.clone()).samples.push_back(sample);
        }
    }
}

#[derive(Default)]
struct Pruning {
    /// Rows written by event since its rows were counted. One that isn't in here was never looked at.
    written: HashMap<String, usize>,
    /// Bytes of all rows when they were last counted, and what was written since.
    bytes: u64,
    looked: Option<Instant>,
}

/// The samples.
pub struct Samples {
    db: Db,
    clock: Clock,
    is_on: bool,
    /// Short sections only: a std mutex.
    waiting: Mutex<Waiting>,
    /// One writer at a time, across its awaits: a tokio mutex.
    writing: tokio::sync::Mutex<Pruning>,
}

impl Samples {
    /// None yet; none ever unless `is_on`.
    pub fn new(db: Db, clock: Clock, is_on: bool) -> Self {
        Self { db, clock, is_on, waiting: Mutex::default(), writing: tokio::sync::Mutex::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a sample of an operation that filters are about to hear.
    pub fn take(&self, ctx: &Ctx, collection: &Collection, event: ItemsEvent, meta: &Meta, payload: &Value) {
        if !self.is_on {
            return;
        }
        let name = meta.event();
        let keys: Value = match (event, payload) {
            // The rows of a read are no input: which ones they were is enough to read them again.
            (ItemsEvent::Read, Value::Array(rows)) => {
                let pk = &collection.primary_key().name;
                rows.iter().take(MAX_KEYS).filter_map(|row| row.get(pk)).cloned().collect()
            }
            _ => match meta.json.get("keys").and_then(Value::as_array) {
                Some(keys) => keys.iter().take(MAX_KEYS).cloned().collect(),
                None => Value::Null,
            },
        };
        let payload = match event {
            ItemsEvent::Read | ItemsEvent::Delete => Some(Value::Null),
            ItemsEvent::Query => fits(payload).then(|| without_anywhere(collection, payload.clone())),
            ItemsEvent::Create | ItemsEvent::Update => fits(payload).then(|| without(collection, payload.clone())),
        };
        let bytes = payload.as_ref().and_then(|payload| Some(size(payload, 0)? + size(&keys, 0)?)).filter(|bytes| *bytes <= MAX_BYTES);
        let (Some(payload), Some(bytes)) = (payload, bytes) else {
            self.waiting().queue(name).left_out += 1;
            return;
        };
        let sample = Sample {
            event: name.to_owned(),
            collection: collection.name.clone(),
            payload,
            keys,
            user: ctx.who.user_id().map(str::to_owned),
            request_id: ctx.op.request_id.chars().take(255).collect(),
            depth: ctx.depth,
            bytes,
            at: self.clock.now(),
        };
        self.waiting().add(sample);
    }

    /// Writes what waits, and deletes what is too much or too old. What can't be written is lost: others will come.
    pub async fn flush(&self) {
        if !self.is_on {
            return;
        }
        let mut pruning = self.writing.lock().await;
        let written = self.write(&mut pruning).await;
        if let Err(error) = async { written.and(self.prune(&mut pruning).await) }.await {
            tracing::warn!(%error, "samples of events could not be written, or old ones not be deleted");
        }
    }

    async fn write(&self, pruning: &mut Pruning) -> Result<()> {
        let waiting = std::mem::take(&mut *self.waiting());
        let (dialect, table) = (self.db.dialect(), system::event_samples_table());
        let mut statements = Vec::new();
        for (event, Queue { samples, left_out }) in waiting.by_event {
            if samples.is_empty() {
                // Told by the next one that is kept.
                if left_out > 0 {
                    self.waiting().queue(&event).left_out += left_out;
                }
                continue;
            }
            *pruning.written.entry(event).or_insert(LOOK_AFTER) += samples.len();
            for (at, sample) in samples.into_iter().enumerate() {
                pruning.bytes += sample.bytes as u64;
                statements.push(sql::insert(dialect, &table, &sample.row(if at == 0 { left_out } else { 0 }), &[])?);
            }
        }
        while !statements.is_empty() {
            let rest = statements.split_off(statements.len().min(BATCH));
            self.db.write_all(statements).await?;
            statements = rest;
        }
        Ok(())
    }

    /// At most a few batches, so that no look takes long: what is left is found by the next.
    async fn prune(&self, pruning: &mut Pruning) -> Result<()> {
        let table = system::event_samples_table();
        let grown: Vec<String> =
            pruning.written.iter().filter(|(_, written)| **written >= LOOK_AFTER).map(|(event, _)| event.clone()).collect();
        for event in grown {
            let this = Filter::field("event", Op::Eq(json!(event)));
            let sort = rows::descending(&["at", "id"]);
            let query = Query { filter: Some(this), sort, limit: Some(BATCH as u64), offset: KEPT, ..Query::default() };
            if rows::delete_batch(&self.db, &table, &query).await? < BATCH {
                pruning.written.insert(event, 0);
            }
        }
        if pruning.looked.is_none_or(|at| at.elapsed() >= LOOK) || pruning.bytes > KEPT_BYTES {
            let before = Filter::field("at", Op::Lt(json!(timestamp(self.clock.now() - KEPT_FOR))));
            let old = Query { filter: Some(before), limit: Some(BATCH as u64), ..Query::default() };
            let all_gone = rows::delete_batch(&self.db, &table, &old).await? < BATCH;
            pruning.bytes = self.bytes().await?;
            if pruning.bytes > KEPT_BYTES {
                let sort = ["at", "id"].map(Sort::up).to_vec();
                let oldest = Query { sort, limit: Some(BATCH as u64), ..Query::default() };
                rows::delete_batch(&self.db, &table, &oldest).await?;
            } else if all_gone {
                pruning.looked = Some(Instant::now());
            }
        }
        Ok(())
    }

    /// Bytes of all rows.
    async fn bytes(&self) -> Result<u64> {
        let wanted = [(Aggregate::Sum, Some("bytes".to_owned()))];
        let statement = aggregate(self.db.dialect(), &system::event_samples_table(), &[], &wanted, &[], &Query::default())?;
        let sum = rows::select(&self.db, statement, vec![FieldType::Float]).await?.into_iter().flatten().next();
        Ok(sum.and_then(|sum| sum.as_f64()).map_or(0, |sum| sum as u64))
    }
}

/// Whether a value is small and plain enough to be copied.
fn fits(value: &Value) -> bool {
    size(value, 0).is_some_and(|bytes| bytes <= MAX_BYTES)
}

/// About how many bytes a value has as JSON; `None` for one that is too large, too deep, or holds what Postgres doesn't store.
fn size(value: &Value, depth: usize) -> Option<usize> {
    let plain = |text: &str| (text.len() <= MAX_BYTES && !text.contains('\0')).then_some(text.len() + 2);
    let within = |bytes: usize| (bytes <= MAX_BYTES).then_some(bytes);
    if depth > MAX_DEPTH {
        return None;
    }
    match value {
        Value::Null | Value::Bool(_) => Some(5),
        Value::Number(_) => Some(12),
        Value::String(text) => plain(text),
        Value::Array(items) => items.iter().try_fold(2, |sum, item| within(sum + size(item, depth + 1)? + 1)),
        Value::Object(map) => map.iter().try_fold(2, |sum, (name, item)| within(sum + plain(name)? + size(item, depth + 1)? + 2)),
    }
}

/// A row without its concealed fields.
fn without(collection: &Collection, mut payload: Value) -> Value {
    if let Value::Object(row) = &mut payload {
        row.retain(|name, _| !is_hidden(collection, name));
    }
    payload
}

/// A query without anything that it says about concealed fields.
fn without_anywhere(collection: &Collection, payload: Value) -> Value {
    match payload {
        Value::Object(map) => {
            let open = map.into_iter().filter(|(name, _)| !name.split('.').any(|part| is_hidden(collection, part)));
            Value::Object(open.map(|(name, value)| (name, without_anywhere(collection, value))).collect())
        }
        Value::Array(items) => items.into_iter().map(|item| without_anywhere(collection, item)).collect(),
        // A filter may be sent as JSON in a text.
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => match crate::json::from_text(&text) {
            Ok(inner) => Value::String(without_anywhere(collection, inner).to_string()),
            Err(_) => Value::Null,
        },
        other => other,
    }
}

fn is_hidden(collection: &Collection, name: &str) -> bool {
    collection.field(name).is_some_and(is_concealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Schema;

    fn sample(event: &str, bytes: usize, n: usize) -> Sample {
        Sample {
            event: event.to_owned(),
            collection: "a".to_owned(),
            payload: json!(n),
            keys: Value::Null,
            user: None,
            request_id: "r".to_owned(),
            depth: 0,
            bytes,
            at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn of_a_storm_the_last_wait_and_the_others_are_counted() {
        let mut waiting = Waiting::default();
        (0..1_000).for_each(|n| waiting.add(sample("storm", 10, n)));
        waiting.add(sample("quiet", 10, 7));
        let storm = &waiting.by_event["storm"];
        assert_eq!((storm.samples.len(), storm.left_out, waiting.total, waiting.bytes), (WAITING, 950, WAITING + 1, 510));
        assert_eq!(storm.samples.back().map(|sample| &sample.payload), Some(&json!(999)));
        assert_eq!(waiting.by_event["quiet"].samples.len(), 1);
    }

    #[test]
    fn what_waits_is_bounded_whatever_comes() {
        let mut waiting = Waiting::default();
        for n in 0..5_000 {
            waiting.add(sample(&format!("event {}", n % 200), [1, MAX_BYTES, 500][n % 3], n));
            let sum: usize = waiting.by_event.values().flat_map(|queue| &queue.samples).map(|sample| sample.bytes).sum();
            let count: usize = waiting.by_event.values().map(|queue| queue.samples.len()).sum();
            assert_eq!((waiting.bytes, waiting.total), (sum, count));
            assert!(sum <= WAITING_BYTES && count <= WAITING_IN_ALL, "{sum} {count}");
        }
    }

    #[test]
    fn what_cannot_be_stored_is_no_sample() {
        let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
        for bad in [json!("x".repeat(MAX_BYTES + 1)), json!(vec!["x"; MAX_BYTES]), json!({ "a": "\0" }), json!({ "\0": 1 }), deep] {
            assert!(!fits(&bad));
        }
        assert!(fits(&json!({ "a": [1, null, true, "text"] })));
    }

    #[test]
    fn nothing_that_is_concealed_is_part_of_a_sample() {
        let schema = Schema::system();
        let users = schema.collection("daas_users").expect("it is declared");
        let row = json!({ "email": "a@example.com", "password": "**********", "token": "s" });
        assert_eq!(without(users, row), json!({ "email": "a@example.com" }));
        let query = json!({
            "filter": { "_or": [{ "token": { "_eq": "secret" } }, { "email": { "_eq": "a" } }], "role.token": 1 },
            "deep": "{\"password\":{\"_eq\":\"secret\"}}", "search": "{not json secret", "limit": 3
        });
        let kept = without_anywhere(users, query);
        assert!(!kept.to_string().contains("secret") && kept["limit"] == 3, "{kept}");
        assert_eq!(kept["filter"]["_or"], json!([{}, { "email": { "_eq": "a" } }]));
    }
}
