//! The outbox: what is owed to action hooks, as rows written by the transaction that made it owed.
//!
//! A row lives from the commit that owes it to the end of its run; rows that can't be delivered stay, as `dead`, for people to look at.
//! A row is born leased to the host that wrote it, which has the same delivery in memory and runs it without another write. When that
//! host dies, the lease runs out and any host takes the row over.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::db::aggregate::{Aggregate, aggregate};
use crate::db::sql::{self, Lock};
use crate::db::{Collection, Conn, Dialect, FieldType, Filter, Op, Operand, Query, Sql, system, timestamp};
use crate::error::{Error, Result};

/// How long a claimed or newborn row belongs to its host. Renewed while the host lives, so this is how long a dead host delays what it held.
pub const LEASE: Duration = Duration::from_secs(10);

/// The columns that a delivery is read from and written to, in this order.
pub(super) const COLUMNS: [&str; 17] = [
    "id",
    "extension",
    "hook",
    "event",
    "collection",
    "item_key",
    "caller",
    "user_id",
    "ip",
    "user_agent",
    "request_id",
    "depth",
    "chain",
    "attempt",
    "ordered",
    "first_at",
    "replayed",
];

/// Who caused a delivery; what they may do is resolved when it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// The host itself.
    System,
    /// The key in `daas_users`.
    User(String),
    /// Nobody signed in.
    Anonymous,
}

/// One action hook owed one event.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Time-ordered (UUID version 7).
    pub id: Uuid,
    /// The extension's id.
    pub extension: String,
    /// Which handler of it: [`super::Hook::slot`].
    pub hook: String,
    /// The qualified event.
    pub event: String,
    /// Where it happened; empty for a job.
    pub collection: String,
    /// The one key that it is about, if it is about one; of a job the key that it was given.
    pub item_key: Option<String>,
    /// `meta` as the handler gets it, without `delivery`.
    pub meta: Value,
    /// Who caused it.
    pub caller: Caller,
    /// Their address.
    pub ip: Option<String>,
    /// Their client.
    pub user_agent: Option<String>,
    /// The request that caused it.
    pub request_id: String,
    /// How deep in hooks it was caused.
    pub depth: u32,
    /// The hooks that led to it.
    pub chain: Vec<String>,
    /// Runs begun so far.
    pub attempt: u32,
    /// Whether deliveries of the same hook, collection and key wait for each other.
    pub ordered: bool,
    /// When the first run began.
    pub first_at: Option<DateTime<Utc>>,
    /// Whether somebody asked for it to be run once more.
    pub replayed: bool,
    /// Whether this host took it over from the table. Not stored.
    pub claimed: bool,
    /// Whether others of its line stood before it when this host got it: then that is looked at again before it runs. Not stored.
    pub behind: bool,
}

impl Delivery {
    fn values(&self) -> [Value; COLUMNS.len()] {
        let (caller, user) = match &self.caller {
            Caller::System => ("system", Value::Null),
            Caller::User(id) => ("user", json!(id)),
            Caller::Anonymous => ("anonymous", Value::Null),
        };
        [
            json!(self.id.to_string()),
            json!(self.extension),
            json!(self.hook),
            json!(self.event),
            json!(self.collection),
            json!(self.item_key),
            json!(caller),
            user,
            json!(self.ip),
            json!(self.user_agent),
            json!(self.request_id),
            json!(self.depth),
            json!(self.chain),
            json!(self.attempt),
            json!(self.ordered),
            json!(self.first_at.map(timestamp)),
            json!(self.replayed),
        ]
    }

    pub(super) fn from_row(row: Vec<Value>) -> Result<Self> {
        let bad = |column: &str| Error::internal(format!("`{column}` of a delivery can't be read"));
        let mut row = row.into_iter().zip(COLUMNS).map(|(value, name)| (name, value)).collect::<HashMap<_, _>>();
        let mut take = |name: &'static str| row.remove(name).unwrap_or_default();
        let text = |value: Value| value.as_str().map(str::to_owned);
        Ok(Self {
            id: text(take("id")).and_then(|id| id.parse().ok()).ok_or_else(|| bad("id"))?,
            extension: text(take("extension")).ok_or_else(|| bad("extension"))?,
            hook: text(take("hook")).ok_or_else(|| bad("hook"))?,
            event: text(take("event")).ok_or_else(|| bad("event"))?,
            collection: text(take("collection")).unwrap_or_default(),
            item_key: text(take("item_key")),
            meta: Value::Null,
            caller: match (take("caller").as_str(), text(take("user_id"))) {
                (Some("system"), _) => Caller::System,
                (Some("user"), Some(id)) => Caller::User(id),
                _ => Caller::Anonymous,
            },
            ip: text(take("ip")),
            user_agent: text(take("user_agent")),
            request_id: text(take("request_id")).unwrap_or_default(),
            depth: take("depth").as_u64().unwrap_or_default() as u32,
            chain: serde_json::from_value(take("chain")).unwrap_or_default(),
            attempt: take("attempt").as_u64().unwrap_or_default() as u32,
            ordered: take("ordered").as_bool().unwrap_or(true),
            first_at: text(take("first_at")).and_then(|t| DateTime::parse_from_rfc3339(&t).ok()).map(|t| t.with_timezone(&Utc)),
            replayed: take("replayed").as_bool().unwrap_or(false),
            claimed: false,
            behind: false,
        })
    }
}

/// A host's hold on a row.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The host, new at each start.
    pub owner: String,
    /// When anybody else may take the row.
    pub until: DateTime<Utc>,
}

/// What a newborn row is at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// `pending`; `scheduled` before its time; `held` behind one that is held.
    pub status: &'static str,
    /// From when on it is looked at; of a held one, since when it is.
    pub next_at: String,
}

/// Adds one owed delivery; part of the transaction that makes it owed. Without a `lease` any host may claim it when its time has come.
pub fn insert(dialect: Dialect, delivery: &Delivery, now: DateTime<Utc>, standing: &Standing, lease: Option<&Lease>) -> Result<[Sql; 2]> {
    let mut row: Map<String, Value> = COLUMNS.iter().map(|name| (*name).to_owned()).zip(delivery.values()).collect();
    row.insert("status".to_owned(), json!(standing.status));
    row.insert("next_at".to_owned(), json!(standing.next_at));
    row.insert("created_at".to_owned(), json!(timestamp(now)));
    row.extend(held_by(lease));
    let about = Map::from_iter([("delivery".to_owned(), json!(delivery.id.to_string())), ("meta".to_owned(), delivery.meta.clone())]);
    Ok([sql::insert(dialect, &table(), &row, &[])?, sql::insert(dialect, &system::delivery_meta_table(), &about, &[])?])
}

/// What a delivery is about.
pub async fn meta(conn: &mut Conn<'_>, id: Uuid) -> Result<Option<Value>> {
    let query = Query { filter: Some(Filter::field("delivery", Op::Eq(json!(id.to_string())))), ..Query::default() };
    let statement = sql::select_locked(conn.dialect(), &system::delivery_meta_table(), &["meta"], &query, Lock::None)?;
    Ok(conn.select(&statement, &[FieldType::Json]).await?.into_iter().flatten().next())
}

/// Extends the lease of `ids`, as far as `lease.owner` still holds them.
pub fn renew(dialect: Dialect, lease: &Lease, ids: impl IntoIterator<Item = Uuid>) -> Result<Sql> {
    let mine = Filter::And(vec![among(ids), Filter::field("lease_owner", Op::Eq(json!(lease.owner)))]);
    sql::update_where(dialect, &table(), &mine, &held_by(Some(lease)))
}

/// Gives back one row of `owner`, which keeps its place in its line.
pub fn give_back(dialect: Dialect, owner: &str, id: Uuid) -> Result<Sql> {
    let ours = Filter::And(vec![among([id]), Filter::field("lease_owner", Op::Eq(json!(owner)))]);
    sql::update_where(dialect, &table(), &ours, &held_by(None))
}

/// Gives back rows, for any host to take: those of `owner`, or all of them when the only host of the database starts.
pub fn release(dialect: Dialect, owner: Option<&str>) -> Result<Sql> {
    let held = Filter::field("lease_owner", owner.map_or(Op::NotNull, |owner| Op::Eq(json!(owner))));
    sql::update_where(dialect, &table(), &held, &held_by(None))
}

/// What became of a run.
#[derive(Debug, Clone)]
pub enum Settlement {
    /// Delivered: the row goes.
    Done,
    /// Again at `at`.
    Retry {
        /// When.
        at: DateTime<Utc>,
        /// Why.
        error: String,
    },
    /// Its hook can't run now; it goes on when the extension does.
    Held {
        /// Why.
        error: String,
        /// Since when.
        at: DateTime<Utc>,
    },
    /// Never again by itself.
    Dead {
        /// Why.
        error: String,
        /// When it was given up.
        at: DateTime<Utc>,
    },
}

/// Writes down what became of the run of `delivery`, if `owner` still has it in hand.
pub fn settle(dialect: Dialect, delivery: &Delivery, owner: &str, settlement: &Settlement) -> Result<Sql> {
    let ours = Filter::And(vec![among([delivery.id]), Filter::field("lease_owner", Op::Eq(json!(owner)))]);
    let (status, error, next_at, finished_at) = match settlement {
        Settlement::Done => return sql::delete_where(dialect, &table(), &ours),
        Settlement::Retry { at, error } => ("pending", error, Some(*at), None),
        Settlement::Held { error, at } => ("held", error, Some(*at), None),
        Settlement::Dead { error, at } => ("dead", error, None, Some(*at)),
    };
    let mut changes = held_by(None);
    changes.insert("status".to_owned(), json!(status));
    changes.insert("last_error".to_owned(), json!(error.replace('\0', "\u{fffd}")));
    changes.insert("attempt".to_owned(), json!(delivery.attempt));
    changes.insert("first_at".to_owned(), json!(delivery.first_at.map(timestamp)));
    changes.insert("finished_at".to_owned(), json!(finished_at.map(timestamp)));
    if let Some(at) = next_at {
        changes.insert("next_at".to_owned(), json!(timestamp(at)));
    }
    sql::update_where(dialect, &table(), &ours, &changes)
}

/// Whether any delivery is held.
pub async fn anything_held(conn: &mut Conn<'_>) -> Result<bool> {
    let query = Query { filter: Some(Filter::field("status", Op::Eq(json!("held")))), limit: Some(1), ..Query::default() };
    let statement = sql::select_locked(conn.dialect(), &table(), &["id"], &query, Lock::None)?;
    Ok(!conn.select(&statement, &[FieldType::Uuid]).await?.is_empty())
}

/// The extensions that deliveries are held for.
pub async fn held_for(conn: &mut Conn<'_>) -> Result<Vec<String>> {
    let query = Query { filter: Some(Filter::field("status", Op::Eq(json!("held")))), ..Query::default() };
    let statement =
        aggregate(conn.dialect(), &table(), &[Operand::Field("extension".to_owned())], &[(Aggregate::CountAll, None)], &[], &query)?;
    let rows = conn.select(&statement, &[FieldType::String, FieldType::BigInteger]).await?;
    Ok(rows.into_iter().filter_map(|row| row.first().and_then(Value::as_str).map(str::to_owned)).collect())
}

/// How many deliveries wait for an extension.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Owed {
    /// Due now or at a later attempt.
    pub pending: u64,
    /// Until the extension can run again.
    pub held: u64,
    /// Given up.
    pub dead: u64,
}

/// What is owed to each of these extensions; those that are owed nothing are left out.
pub async fn owed(conn: &mut Conn<'_>, extensions: Vec<Value>) -> Result<HashMap<String, Owed>> {
    let groups = ["extension", "status"].map(|name| Operand::Field(name.to_owned()));
    let query = Query { filter: Some(Filter::field("extension", Op::In(extensions))), ..Query::default() };
    let statement = aggregate(conn.dialect(), &table(), &groups, &[(Aggregate::CountAll, None)], &[], &query)?;
    let mut all: HashMap<String, Owed> = HashMap::new();
    for row in conn.select(&statement, &[FieldType::String, FieldType::String, FieldType::BigInteger]).await? {
        let [Value::String(extension), Value::String(status), count] = &row[..] else { continue };
        let count = count.as_u64().or_else(|| count.as_str()?.parse().ok()).unwrap_or_default();
        let owed = all.entry(extension.clone()).or_default();
        match status.as_str() {
            "held" => owed.held = count,
            "dead" => owed.dead = count,
            _ => owed.pending += count,
        }
    }
    Ok(all)
}

/// Lets the held deliveries of `extensions` go on: they can run again.
pub fn unhold(dialect: Dialect, extensions: &[String], now: DateTime<Utc>) -> Result<Sql> {
    let these = Filter::field("extension", Op::In(extensions.iter().map(|id| json!(id)).collect()));
    let held = Filter::And(vec![these, Filter::field("status", Op::Eq(json!("held")))]);
    let changes = Map::from_iter([("status".to_owned(), json!("pending")), ("next_at".to_owned(), json!(timestamp(now)))]);
    sql::update_where(dialect, &table(), &held, &changes)
}

/// Gives up what is held for an extension that is gone.
pub fn give_up(dialect: Dialect, extension: &str, now: DateTime<Utc>) -> Result<Sql> {
    let held = Filter::And(vec![Filter::field("extension", Op::Eq(json!(extension))), Filter::field("status", Op::Eq(json!("held")))]);
    sql::update_where(dialect, &table(), &held, &dead("its extension was deleted", now))
}

/// Gives up what was held before `since`.
pub fn give_up_held(dialect: Dialect, since: DateTime<Utc>, now: DateTime<Utc>) -> Result<Sql> {
    let long = Filter::field("next_at", Op::Lt(json!(timestamp(since))));
    let held = Filter::And(vec![Filter::field("status", Op::Eq(json!("held"))), long]);
    sql::update_where(dialect, &table(), &held, &dead("its extension could not run for seven days", now))
}

/// Forgets up to `limit` of those that were given up before `since`. Answers how many.
pub async fn forget_dead(conn: &mut Conn<'_>, since: DateTime<Utc>, limit: u64) -> Result<u64> {
    let (dialect, table) = (conn.dialect(), table());
    let old = Filter::field("finished_at", Op::Lt(json!(timestamp(since))));
    let filter = Filter::And(vec![Filter::field("status", Op::Eq(json!("dead"))), old]);
    let query = Query { filter: Some(filter), limit: Some(limit), ..Query::default() };
    let ids = conn.select(&sql::select_locked(dialect, &table, &["id"], &query, Lock::Skip)?, &[FieldType::Uuid]).await?;
    if ids.is_empty() {
        return Ok(0);
    }
    let ids = Filter::field("id", Op::In(ids.into_iter().flatten().collect()));
    conn.execute(&sql::delete_where(dialect, &table, &ids)?).await
}

fn dead(why: &str, now: DateTime<Utc>) -> Map<String, Value> {
    Map::from_iter([
        ("status".to_owned(), json!("dead")),
        ("last_error".to_owned(), json!(why)),
        ("finished_at".to_owned(), json!(timestamp(now))),
    ])
}

pub(super) fn table() -> Collection {
    system::deliveries_table()
}

pub(super) fn held_by(lease: Option<&Lease>) -> Map<String, Value> {
    Map::from_iter([
        ("lease_owner".to_owned(), json!(lease.map(|l| &l.owner))),
        ("lease_until".to_owned(), json!(lease.map(|l| timestamp(l.until)))),
    ])
}

pub(super) fn among(ids: impl IntoIterator<Item = Uuid>) -> Filter {
    Filter::field("id", Op::In(ids.into_iter().map(|id| json!(id.to_string())).collect()))
}
