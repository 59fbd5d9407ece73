//! The outbox: what is owed to action hooks, as rows written by the transaction that made it owed.
//!
//! A row lives from the commit that owes it to the end of its run; rows that can't be delivered stay, as `dead`, for people to look at.
//! A row is born leased to the host that wrote it, which has the same delivery in memory and runs it without another write. When that
//! host dies, the lease runs out and any host takes the row over.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_query::{Alias, Cond, Expr, ExprTrait, LockBehavior, LockType, Order, Query};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::db::{Conn, Dialect, FieldType, Sql};
use crate::error::{Error, Result};

const TABLE: &str = "daas_deliveries";

/// How long a claimed or newborn row belongs to its host. Renewed while the host lives, so this is how long a dead host delays what it held.
pub const LEASE: Duration = Duration::from_secs(10);

/// The columns that a delivery is read from and written to, in this order.
const COLUMNS: [(&str, FieldType); 17] = [
    ("id", FieldType::Uuid),
    ("extension", FieldType::String),
    ("hook", FieldType::String),
    ("event", FieldType::String),
    ("collection", FieldType::String),
    ("item_key", FieldType::String),
    ("meta", FieldType::Json),
    ("caller", FieldType::String),
    ("user_id", FieldType::Uuid),
    ("ip", FieldType::String),
    ("user_agent", FieldType::Text),
    ("request_id", FieldType::String),
    ("depth", FieldType::Integer),
    ("chain", FieldType::Json),
    ("attempt", FieldType::Integer),
    ("ordered", FieldType::Boolean),
    ("first_at", FieldType::Timestamp),
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
            self.meta.clone(),
            json!(caller),
            user,
            json!(self.ip),
            json!(self.user_agent),
            json!(self.request_id),
            json!(self.depth),
            json!(self.chain),
            json!(self.attempt),
            json!(self.ordered),
            self.first_at.map_or(Value::Null, timestamp),
        ]
    }

    fn from_row(row: Vec<Value>) -> Result<Self> {
        let bad = |column: &str| Error::internal(format!("`{column}` of a row in {TABLE} can't be read"));
        let mut row = row.into_iter().zip(COLUMNS).map(|(value, (name, _))| (name, value)).collect::<std::collections::HashMap<_, _>>();
        let mut take = |name: &'static str| row.remove(name).unwrap_or_default();
        let text = |value: Value| value.as_str().map(str::to_owned);
        Ok(Self {
            id: text(take("id")).and_then(|id| id.parse().ok()).ok_or_else(|| bad("id"))?,
            extension: text(take("extension")).ok_or_else(|| bad("extension"))?,
            hook: text(take("hook")).ok_or_else(|| bad("hook"))?,
            event: text(take("event")).ok_or_else(|| bad("event"))?,
            collection: text(take("collection")).unwrap_or_default(),
            item_key: text(take("item_key")),
            meta: take("meta"),
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
pub fn insert(dialect: Dialect, delivery: &Delivery, now: DateTime<Utc>, lease: Option<&Lease>) -> Result<Sql> {
    let more = [
        ("status", FieldType::String, json!("pending")),
        ("next_at", FieldType::Timestamp, timestamp(now)),
        ("created_at", FieldType::Timestamp, timestamp(now)),
        ("lease_owner", FieldType::String, lease.map_or(Value::Null, |l| json!(l.owner))),
        ("lease_until", FieldType::Timestamp, lease.map_or(Value::Null, |l| timestamp(l.until))),
    ];
    let mut names = Vec::with_capacity(COLUMNS.len() + more.len());
    let mut values = Vec::with_capacity(COLUMNS.len() + more.len());
    for ((name, ty), value) in COLUMNS.into_iter().zip(delivery.values()) {
        names.push(Alias::new(name));
        values.push(encode(dialect, ty, &value)?.into());
    }
    for (name, ty, value) in more {
        names.push(Alias::new(name));
        values.push(encode(dialect, ty, &value)?.into());
    }
    let statement = Query::insert().into_table(TABLE).columns(names).values_panic(values).to_owned();
    Ok(Sql::build(dialect, &statement))
}

/// Whether any row waits for a host. Cheap, and needs no writer.
pub async fn anything_due(conn: &mut Conn<'_>, dialect: Dialect, now: DateTime<Utc>) -> Result<bool> {
    let statement = Query::select().column("id").from(TABLE).cond_where(due(dialect, now)?).limit(1).to_owned();
    Ok(!conn.select(&Sql::build(dialect, &statement), &[FieldType::Uuid]).await?.is_empty())
}

/// Takes over up to `limit` rows that are due and that no living host holds.
pub async fn claim(conn: &mut Conn<'_>, dialect: Dialect, now: DateTime<Utc>, lease: &Lease, limit: u64) -> Result<Vec<Delivery>> {
    let mut statement = Query::select();
    statement.columns(COLUMNS.map(|(name, _)| Alias::new(name))).from(TABLE).cond_where(due(dialect, now)?);
    statement.order_by("created_at", Order::Asc).order_by("id", Order::Asc).limit(limit);
    if dialect == Dialect::Postgres {
        statement.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    }
    let rows = conn.select(&Sql::build(dialect, &statement), &COLUMNS.map(|(_, ty)| ty)).await?;
    let claimed = rows.into_iter().map(Delivery::from_row).collect::<Result<Vec<_>>>()?;
    if !claimed.is_empty() {
        let mut hold = Query::update();
        hold.table(TABLE).value("lease_owner", encode(dialect, FieldType::String, &json!(lease.owner))?);
        hold.value("lease_until", encode(dialect, FieldType::Timestamp, &timestamp(lease.until))?);
        hold.cond_where(among(dialect, claimed.iter().map(|d| d.id))?);
        conn.execute(&Sql::build(dialect, &hold)).await?;
    }
    Ok(claimed)
}

/// Extends the lease of everything that `lease.owner` holds.
pub fn renew(dialect: Dialect, lease: &Lease) -> Result<Sql> {
    let mut statement = Query::update();
    statement.table(TABLE).value("lease_until", encode(dialect, FieldType::Timestamp, &timestamp(lease.until))?);
    statement.and_where(Expr::col("lease_owner").eq(Expr::val(encode(dialect, FieldType::String, &json!(lease.owner))?)));
    Ok(Sql::build(dialect, &statement))
}

/// Gives back rows, for any host to take: those of `owner`, or all of them when the only host of the database starts.
pub fn release(dialect: Dialect, owner: Option<&str>) -> Result<Sql> {
    let mut statement = Query::update();
    statement.table(TABLE).value("lease_owner", encode(dialect, FieldType::String, &Value::Null)?);
    statement.value("lease_until", encode(dialect, FieldType::Timestamp, &Value::Null)?);
    match owner {
        Some(owner) => statement.and_where(Expr::col("lease_owner").eq(Expr::val(encode(dialect, FieldType::String, &json!(owner))?))),
        None => statement.and_where(Expr::col("lease_owner").is_not_null()),
    };
    Ok(Sql::build(dialect, &statement))
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
    let this = Expr::col("id").eq(Expr::val(encode(dialect, FieldType::Uuid, &json!(delivery.id.to_string()))?));
    let (status, error, next_at, finished_at) = match settlement {
        Settlement::Done => {
            return Ok(Sql::build(dialect, &Query::delete().from_table(TABLE).and_where(this).to_owned()));
        }
        Settlement::Retry { at, error } => ("pending", error, Some(*at), None),
        Settlement::Held { error } => ("held", error, None, None),
        Settlement::Dead { error, at } => ("dead", error, None, Some(*at)),
    };
    let mut statement = Query::update();
    statement.table(TABLE).and_where(this);
    for (name, ty, value) in [
        ("status", FieldType::String, json!(status)),
        ("last_error", FieldType::Text, json!(error.replace('\0', "\u{fffd}"))),
        ("attempt", FieldType::Integer, json!(delivery.attempt)),
        ("first_at", FieldType::Timestamp, delivery.first_at.map_or(Value::Null, timestamp)),
        ("lease_owner", FieldType::String, Value::Null),
        ("lease_until", FieldType::Timestamp, Value::Null),
        ("finished_at", FieldType::Timestamp, finished_at.map_or(Value::Null, timestamp)),
    ] {
        statement.value(name, encode(dialect, ty, &value)?);
    }
    if let Some(at) = next_at {
        statement.value("next_at", encode(dialect, FieldType::Timestamp, &timestamp(at))?);
    }
    Ok(Sql::build(dialect, &statement))
}

/// Lets the held deliveries of an extension go on: it can run again.
pub fn unhold(dialect: Dialect, extension: &str, now: DateTime<Utc>) -> Result<Sql> {
    let mut statement = Query::update();
    statement.table(TABLE).value("status", encode(dialect, FieldType::String, &json!("pending"))?);
    statement.value("next_at", encode(dialect, FieldType::Timestamp, &timestamp(now))?);
    for (column, value) in [("extension", extension), ("status", "held")] {
        statement.and_where(Expr::col(column).eq(Expr::val(encode(dialect, FieldType::String, &json!(value))?)));
    }
    Ok(Sql::build(dialect, &statement))
}

fn due(dialect: Dialect, now: DateTime<Utc>) -> Result<Cond> {
    let at = encode(dialect, FieldType::Timestamp, &timestamp(now))?;
    let pending = encode(dialect, FieldType::String, &json!("pending"))?;
    Ok(Cond::all()
        .add(Expr::col("status").eq(Expr::val(pending)))
        .add(Expr::col("next_at").lte(Expr::val(at.clone())))
        .add(Cond::any().add(Expr::col("lease_until").is_null()).add(Expr::col("lease_until").lt(Expr::val(at)))))
}

fn among(dialect: Dialect, ids: impl Iterator<Item = Uuid>) -> Result<Cond> {
    let ids = ids.map(|id| encode(dialect, FieldType::Uuid, &json!(id.to_string()))).collect::<Result<Vec<_>>>()?;
    Ok(Cond::all().add(Expr::col("id").is_in(ids)))
}

fn encode(dialect: Dialect, ty: FieldType, value: &Value) -> Result<sea_query::Value> {
    ty.encode(dialect, value).map_err(|e| Error::internal(format!("outbox value: {e}")))
}

fn timestamp(at: DateTime<Utc>) -> Value {
    json!(at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}
