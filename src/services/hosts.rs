//! This host among those that share the database: one row of `daas_hosts`, renewed every few seconds and at once when there is news.
//!
//! Only on Postgres, which hosts can share. A row that isn't renewed belongs to a host that is gone. What a host has taken over
//! (`live`) is what [`super::changes`] waits for; what its extensions are is for show.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::Item;
use crate::clock::Clock;
use crate::db::{Db, Dialect, Filter, Op, Query, sql, system, timestamp};
use crate::error::Result;

/// How often a host says that it is there, also when nothing changed.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A host that was silent for so long isn't there.
const SILENT: TimeDelta = TimeDelta::seconds(15);
/// A row of such a host is kept for so long.
const FORGOTTEN: TimeDelta = TimeDelta::minutes(10);
/// Hosts that are looked at.
const MOST: u64 = 1_000;

/// This host among the others.
pub struct Hosts {
    db: Db,
    clock: Clock,
    id: Uuid,
    name: String,
    started: DateTime<Utc>,
    /// What to say of the extensions, and what of it is news. Short sections only: a std mutex.
    extensions: Mutex<(Value, Value)>,
    /// When was said what last. Held across the write, so that what is said later is written later: a tokio mutex.
    said: tokio::sync::Mutex<Option<(Instant, Value)>>,
}

impl Hosts {
    /// Nothing is said yet. `name` is what people call this host.
    pub fn new(db: Db, clock: Clock, name: String) -> Self {
        let started = clock.now();
        Self {
            db,
            clock,
            id: Uuid::now_v7(),
            name,
            started,
            extensions: Mutex::new((json!({}), json!({}))),
            said: tokio::sync::Mutex::default(),
        }
    }

    /// Whether there can be others.
    pub fn is_shared(&self) -> bool {
        self.db.dialect() == Dialect::Postgres
    }

    /// What people call this host.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the extensions are here, to be said next; `news` is the part of it that is worth saying at once.
    pub fn describe(&self, extensions: Value, news: Value) {
        *self.extensions.lock().unwrap_or_else(PoisonError::into_inner) = (extensions, news);
    }

    /// Says that this host is there, what it has taken over and what its extensions are, if there is news or it is time to.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn say(&self, live: impl Fn() -> Value) -> Result<()> {
        if !self.is_shared() {
            return Ok(());
        }
        let mut said = self.said.lock().await;
        let (extensions, news) = self.extensions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (now, live) = (Instant::now(), live());
        let news = json!([news, live]);
        if said.as_ref().is_some_and(|(at, last)| at.elapsed() < HEARTBEAT && *last == news) {
            return Ok(());
        }
        let (dialect, table, at) = (self.db.dialect(), system::hosts_table(), self.clock.now());
        let row = Item::from_iter([
            ("id".to_owned(), json!(self.id.to_string())),
            ("name".to_owned(), json!(self.name)),
            ("version".to_owned(), json!(env!("CARGO_PKG_VERSION"))),
            ("started_at".to_owned(), json!(timestamp(self.started))),
            ("seen_at".to_owned(), json!(timestamp(at))),
            ("extensions".to_owned(), extensions),
            ("live".to_owned(), live),
        ]);
        let gone = Filter::field("seen_at", Op::Lt(json!(timestamp(at - FORGOTTEN))));
        let old = sql::delete_where(dialect, &table, &Filter::Or(vec![self.this(), gone]))?;
        self.db.write_all(vec![old, sql::insert(dialect, &table, &row, &[])?]).await?;
        *said = Some((now, news));
        Ok(())
    }

    /// The rows of the other hosts that are there.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn others(&self, columns: &[&'static str]) -> Result<Vec<Item>> {
        if !self.is_shared() {
            return Ok(Vec::new());
        }
        let there = Filter::field("seen_at", Op::Gte(json!(timestamp(self.clock.now() - SILENT))));
        let others = Filter::And(vec![there, Filter::Not(Box::new(self.this()))]);
        let query = Query { filter: Some(others), limit: Some(MOST), ..Query::default() };
        let table = system::hosts_table();
        let job =
            std::sync::Arc::new((self.db.sql(&sql::select(self.db.dialect(), &table, columns, &query)?), sql::types(&table, columns)?));
        let rows = self.db.read(move |conn| {
            let job = std::sync::Arc::clone(&job);
            Box::pin(async move { conn.select(&job.0, &job.1).await })
        });
        Ok(rows.await?.into_iter().map(|row| columns.iter().map(|name| (*name).to_owned()).zip(row).collect()).collect())
    }

    /// This host isn't there any more.
    pub async fn leave(&self) {
        if !self.is_shared() {
            return;
        }
        let left = async { self.db.write_all(vec![sql::delete_where(self.db.dialect(), &system::hosts_table(), &self.this())?]).await };
        if let Err(error) = left.await {
            tracing::warn!(%error, "the other hosts could not be told that this one is ending");
        }
    }

    fn this(&self) -> Filter {
        Filter::field("id", Op::Eq(json!(self.id.to_string())))
    }
}
