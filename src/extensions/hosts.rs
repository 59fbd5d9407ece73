//! The hosts that share a database, and what their extensions are on each: for those who manage extensions on several.
//!
//! Only on Postgres, which hosts can share: each renews one row of `daas_hosts` every few seconds, and at once when something changed.
//! A row that isn't renewed belongs to a host that is gone. What a host knows of the others is for show: nothing is decided by it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::rows;
use super::store::Extensions;
use crate::clock::Clock;
use crate::db::{Db, Dialect, Filter, Op, Query, sql, system, timestamp};
use crate::error::Result;
use crate::services::Item;

/// How often a host says that it is there, also when nothing changed.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A host that was silent for so long isn't there.
const SILENT: TimeDelta = TimeDelta::seconds(15);
/// A row of such a host is kept for so long.
const FORGOTTEN: TimeDelta = TimeDelta::minutes(10);

/// This host among the others.
pub struct Hosts {
    db: Db,
    clock: Clock,
    id: Uuid,
    name: String,
    started: DateTime<Utc>,
    /// What was said last, and when. Short sections only: a std mutex.
    said: Mutex<Option<(Instant, Value)>>,
}

impl Hosts {
    /// Nothing is said yet. `name` is what people call this host.
    pub fn new(db: Db, clock: Clock, name: String) -> Self {
        let started = clock.now();
        Self { db, clock, id: Uuid::now_v7(), name, started, said: Mutex::default() }
    }

    fn is_shared(&self) -> bool {
        self.db.dialect() == Dialect::Postgres
    }

    fn this(&self) -> Filter {
        Filter::field("id", Op::Eq(json!(self.id.to_string())))
    }

    /// Says what the extensions are here, if there is news or it is time to.
    async fn say(&self, extensions: Value) -> Result<()> {
        let (now, news) = (Instant::now(), news(&extensions));
        {
            let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.as_ref().is_some_and(|(at, last)| at.elapsed() < HEARTBEAT && *last == news) {
                return Ok(());
            }
        }
        let (dialect, table, at) = (self.db.dialect(), system::hosts_table(), self.clock.now());
        let row = Item::from_iter([
            ("id".to_owned(), json!(self.id.to_string())),
            ("name".to_owned(), json!(self.name)),
            ("version".to_owned(), json!(env!("CARGO_PKG_VERSION"))),
            ("started_at".to_owned(), json!(timestamp(self.started))),
            ("seen_at".to_owned(), json!(timestamp(at))),
            ("extensions".to_owned(), extensions),
        ]);
        let gone = Filter::field("seen_at", Op::Lt(json!(timestamp(at - FORGOTTEN))));
        let old = sql::delete_where(dialect, &table, &Filter::Or(vec![self.this(), gone]))?;
        self.db.write_all(vec![old, sql::insert(dialect, &table, &row, &[])?]).await?;
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, news));
        Ok(())
    }

    /// What the other hosts that are there say of their extensions: by extension id, one entry per host.
    async fn others(&self) -> Result<HashMap<String, Vec<Value>>> {
        let mut told: HashMap<String, Vec<Value>> = HashMap::new();
        if !self.is_shared() {
            return Ok(told);
        }
        let there = Filter::field("seen_at", Op::Gte(json!(timestamp(self.clock.now() - SILENT))));
        let others = Filter::And(vec![there, Filter::Not(Box::new(self.this()))]);
        let query = Query { filter: Some(others), limit: Some(100), ..Query::default() };
        for mut host in rows::find(&self.db, &system::hosts_table(), &query).await? {
            let Some(Value::Object(extensions)) = host.shift_remove("extensions") else { continue };
            for (id, state) in extensions {
                let Value::Object(mut state) = state else { continue };
                for (name, member) in [("host", "name"), ("seen_at", "seen_at")] {
                    state.insert(name.to_owned(), host.get(member).cloned().unwrap_or_default());
                }
                told.entry(id).or_default().push(Value::Object(state));
            }
        }
        Ok(told)
    }
}

/// What of the states is worth telling at once: counts wait for the next heartbeat.
fn news(extensions: &Value) -> Value {
    let mut news = extensions.clone();
    for state in news.as_object_mut().into_iter().flat_map(|states| states.values_mut()).filter_map(Value::as_object_mut) {
        state.retain(|name, _| !["runs", "failed"].contains(&name.as_str()));
    }
    news
}

impl Extensions {
    /// Tells the other hosts what the extensions are here.
    pub(super) async fn tell_hosts(&self) {
        if !self.shared.hosts.is_shared() {
            return;
        }
        if let Err(error) = self.shared.hosts.say(Value::Object(self.states_here())).await {
            tracing::warn!(%error, "what the extensions are here could not be told to the other hosts; it is tried again");
        }
    }

    /// This host isn't there any more.
    pub async fn leave(&self) {
        let hosts = &self.shared.hosts;
        if !hosts.is_shared() {
            return;
        }
        let left = async { hosts.db.write_all(vec![sql::delete_where(hosts.db.dialect(), &system::hosts_table(), &hosts.this())?]).await };
        if let Err(error) = left.await {
            tracing::warn!(%error, "the other hosts could not be told that this one is ending");
        }
    }

    /// What an extension is on every host, this one first: `{ host, state, since, reason, saved_at, runs, failed, seen_at }`.
    pub(super) async fn by_host(&self) -> Result<ByHost> {
        let mut here = self.states_here();
        let (name, now) = (json!(self.shared.hosts.name), json!(timestamp(self.shared.core.clock.now())));
        for state in here.values_mut() {
            state["host"] = name.clone();
            state["seen_at"] = now.clone();
        }
        Ok(ByHost { here, others: self.shared.hosts.others().await? })
    }
}

/// What extensions are on every host.
pub(super) struct ByHost {
    here: Item,
    others: HashMap<String, Vec<Value>>,
}

impl ByHost {
    /// Of one extension. A host on which it is switched off doesn't mention it.
    pub fn of(&self, id: &str) -> Value {
        self.here.get(id).into_iter().chain(self.others.get(id).into_iter().flatten()).cloned().collect()
    }
}
