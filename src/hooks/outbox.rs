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
use crate::db::{Collection, Conn, Dialect, FieldType, Filter, Op, Query, Sort, Sql, system, timestamp};
use crate::error::{Error, Result};

/// How long a claimed or newborn row belongs to its host. Renewed while the host lives, so this is how long a dead host delays what it held.
pub const LEASE: Duration = Duration::from_secs(10);

/// The columns that a delivery is read from and written to, in this order.
const COLUMNS: [&str; 16] = [
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
    /// Where it happened.
    pub collection: String,
    /// The one key that it is about, if it is about one.
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
        ]
    }

    fn from_row(row: Vec<Value>) -> Result<Self> {
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

/// Adds one owed delivery; part of the transaction that makes it owed. Without a `lease` any host may claim it at once.
pub fn insert(dialect: Dialect, delivery: &Delivery, now: DateTime<Utc>, lease: Option<&Lease>) -> Result<[Sql; 2]> {
    let mut row: Map<String, Value> = COLUMNS.iter().map(|name| (*name).to_owned()).zip(delivery.values()).collect();
    row.insert("status".to_owned(), json!("pending"));
    row.insert("next_at".to_owned(), json!(timestamp(now)));
    row.insert("created_at".to_owned(), json!(timestamp(now)));
    row.extend(held_by(lease));
    let about = Map::from_iter([("delivery".to_owned(), json!(delivery.id.to_string())), ("meta".to_owned(), delivery.meta.clone())]);
    Ok([sql::insert(dialect, &table(), &row, &[])?, sql::insert(dialect, &system::delivery_meta_table(), &about, &[])?])
}

/// Whether any row waits for a host. Cheap, and needs no writer.
pub async fn anything_due(conn: &mut Conn<'_>, now: DateTime<Utc>, but: &[String]) -> Result<bool> {
    let query = Query { filter: Some(due(now, but)), limit: Some(1), ..Query::default() };
    let statement = sql::select_locked(conn.dialect(), &table(), &["id"], &query, Lock::None)?;
    Ok(!conn.select(&statement, &[FieldType::Uuid]).await?.is_empty())
}

/// Takes over up to `limit` rows that are due and that no living host holds, but none of the extensions in `but`. Answers them without
/// their `meta`, which [`meta`] reads when it is needed.
pub async fn claim(conn: &mut Conn<'_>, now: DateTime<Utc>, lease: &Lease, limit: u64, but: &[String]) -> Result<Vec<Delivery>> {
    let (dialect, table) = (conn.dialect(), table());
    let sort = ["created_at", "id"].map(|field| Sort { field: field.to_owned(), descending: false }).to_vec();
    let query = Query { filter: Some(due(now, but)), sort, limit: Some(limit), ..Query::default() };
    let rows = conn.select(&sql::select_locked(dialect, &table, &COLUMNS, &query, Lock::Skip)?, &sql::types(&table, &COLUMNS)?).await?;
    let mut claimed = rows.into_iter().map(Delivery::from_row).collect::<Result<Vec<_>>>()?;
    if claimed.is_empty() {
        return Ok(claimed);
    }
    let these = among(claimed.iter().map(|d| d.id));
    conn.execute(&sql::update_where(dialect, &table, &these, &held_by(Some(lease)))?).await?;
    // The first run begins now, for those that never had one; a repeat keeps what its first run was told.
    let new = Filter::And(vec![these, Filter::field("first_at", Op::Null)]);
    let first = Map::from_iter([("first_at".to_owned(), json!(timestamp(now)))]);
    conn.execute(&sql::update_where(dialect, &table, &new, &first)?).await?;
    for delivery in &mut claimed {
        delivery.first_at.get_or_insert(now);
    }
    Ok(claimed)
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
    },
    /// Never again by itself.
    Dead {
        /// Why.
        error: String,
        /// When it was given up.
        at: DateTime<Utc>,
    },
}

/// Writes down what became of the run of `delivery`.
pub fn settle(dialect: Dialect, delivery: &Delivery, settlement: &Settlement) -> Result<Sql> {
    let (status, error, next_at, finished_at) = match settlement {
        Settlement::Done => {
            return sql::delete_where(dialect, &table(), &Filter::field("id", Op::Eq(json!(delivery.id.to_string()))));
        }
        Settlement::Retry { at, error } => ("pending", error, Some(*at), None),
        Settlement::Held { error } => ("held", error, None, None),
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
    sql::update_by_keys(dialect, &table(), &[json!(delivery.id.to_string())], None, &changes, &[])
}

/// Whether any delivery is held.
pub async fn anything_held(conn: &mut Conn<'_>) -> Result<bool> {
    let query = Query { filter: Some(Filter::field("status", Op::Eq(json!("held")))), limit: Some(1), ..Query::default() };
    let statement = sql::select_locked(conn.dialect(), &table(), &["id"], &query, Lock::None)?;
    Ok(!conn.select(&statement, &[FieldType::Uuid]).await?.is_empty())
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
    let groups = ["extension", "status"].map(str::to_owned);
    let query = Query { filter: Some(Filter::field("extension", Op::In(extensions))), ..Query::default() };
    let statement = aggregate(conn.dialect(), &table(), &groups, &[(Aggregate::CountAll, None)], &query)?;
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
    let changes = Map::from_iter([
        ("status".to_owned(), json!("dead")),
        ("last_error".to_owned(), json!("its extension was deleted")),
        ("finished_at".to_owned(), json!(timestamp(now))),
    ]);
    sql::update_where(dialect, &table(), &held, &changes)
}

fn table() -> Collection {
    system::deliveries_table()
}

fn held_by(lease: Option<&Lease>) -> Map<String, Value> {
    Map::from_iter([
        ("lease_owner".to_owned(), json!(lease.map(|l| &l.owner))),
        ("lease_until".to_owned(), json!(lease.map(|l| timestamp(l.until)))),
    ])
}

fn among(ids: impl IntoIterator<Item = Uuid>) -> Filter {
    Filter::field("id", Op::In(ids.into_iter().map(|id| json!(id.to_string())).collect()))
}

fn due(now: DateTime<Utc>, but: &[String]) -> Filter {
    let unheld = Filter::Or(vec![Filter::field("lease_until", Op::Null), Filter::field("lease_until", Op::Lt(json!(timestamp(now))))]);
    let mut all = vec![Filter::field("status", Op::Eq(json!("pending"))), Filter::field("next_at", Op::Lte(json!(timestamp(now)))), unheld];
    if !but.is_empty() {
        all.push(Filter::field("extension", Op::Nin(but.iter().map(|id| json!(id)).collect())));
    }
    Filter::And(all)
}
