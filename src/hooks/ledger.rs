//! The outbox as people look at it: what is owed, in which state, and what can be done about it: run it once more, or forget it.
//!
//! Called by `services::deliveries`, which knows who may.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::line;
use super::outbox::{among, table};
use crate::db::sql::{self, Lock};
use crate::db::{Conn, FieldType, Filter, Op, Query, Sort, timestamp};
use crate::error::Result;

/// Declares the states once, with their names.
macro_rules! states {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal;)*) => {
        /// What a delivery is at this moment.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum State { $($(#[doc = $doc])* $variant,)* }

        impl State {
            /// Every one, in the order of declaration.
            pub const ALL: &'static [State] = &[$(State::$variant,)*];

            /// As people write it.
            pub fn name(self) -> &'static str {
                match self { $(State::$variant => $name,)* }
            }
        }
    };
}

states! {
    /// Never tried: due, waiting for its turn, or not due yet.
    Pending = "pending";
    /// A host has it in hand: it runs, or will in a moment.
    Running = "running";
    /// Tried, and to be tried again.
    Retrying = "retrying";
    /// Its extension can't run; it goes on when that does.
    Held = "held";
    /// Given up.
    Dead = "dead";
}

/// Which deliveries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    /// This one.
    pub id: Option<Uuid>,
    /// Owed to this extension, by its id.
    pub extension: Option<String>,
    /// For this event, by its qualified name.
    pub event: Option<String>,
    /// About an item of this collection.
    pub collection: Option<String>,
    /// About the item with this key, or enqueued with it.
    pub key: Option<String>,
    /// In this state.
    pub state: Option<State>,
    /// Owed before this moment.
    pub before: Option<DateTime<Utc>>,
    /// Owed since this moment.
    pub since: Option<DateTime<Utc>>,
}

impl Wanted {
    /// Whether it leaves any out.
    pub fn narrows(&self) -> bool {
        *self != Self::default()
    }

    fn filter(&self, now: DateTime<Utc>) -> Filter {
        let mut all = Vec::from_iter(self.id.map(|id| among([id])));
        for (field, value) in
            [("extension", &self.extension), ("event", &self.event), ("collection", &self.collection), ("item_key", &self.key)]
        {
            all.extend(value.as_ref().map(|value| Filter::field(field, Op::Eq(json!(value)))));
        }
        all.extend(self.before.map(|at| Filter::field("created_at", Op::Lt(json!(timestamp(at))))));
        all.extend(self.since.map(|at| Filter::field("created_at", Op::Gte(json!(timestamp(at))))));
        all.extend(self.state.map(|state| of(state, now)));
        Filter::And(all)
    }
}

fn of(state: State, now: DateTime<Utc>) -> Filter {
    let status = |name: &str| Filter::field("status", Op::Eq(json!(name)));
    let free = Filter::Or(vec![Filter::field("lease_until", Op::Null), Filter::field("lease_until", Op::Lt(json!(timestamp(now))))]);
    let tried = |op: fn(Value) -> Op| Filter::field("attempt", op(json!(0)));
    match state {
        State::Pending => Filter::Or(vec![status("scheduled"), Filter::And(vec![status("pending"), free, tried(Op::Eq)])]),
        State::Running => Filter::And(vec![status("pending"), Filter::field("lease_until", Op::Gte(json!(timestamp(now))))]),
        State::Retrying => Filter::And(vec![status("pending"), free, tried(Op::Gt)]),
        State::Held => status("held"),
        State::Dead => status("dead"),
    }
}

/// What is shown of a row, by the name that it is shown under.
const SHOWN: [(&str, &str); 18] = [
    ("id", "id"),
    ("extension", "extension"),
    ("hook", "hook"),
    ("event", "event"),
    ("collection", "collection"),
    ("item_key", "key"),
    ("attempt", "attempts"),
    ("last_error", "last_error"),
    ("next_at", "next_attempt_at"),
    ("created_at", "created_at"),
    ("first_at", "first_at"),
    ("finished_at", "given_up_at"),
    ("replayed", "replayed"),
    ("ordered", "ordered"),
    ("user_id", "user"),
    ("request_id", "request_id"),
    ("depth", "depth"),
    ("chain", "chain"),
];

/// A page of those that are wanted, in the order of their places, and how many there are.
pub async fn page(
    conn: &mut Conn<'_>,
    wanted: &Wanted,
    now: DateTime<Utc>,
    limit: u64,
    offset: u64,
) -> Result<(Vec<Map<String, Value>>, u64)> {
    let sort = vec![Sort::up("seq")];
    let query = Query { filter: Some(wanted.filter(now)), sort, limit: Some(limit), offset, ..Query::default() };
    Ok((rows(conn, &query, now).await?, count(conn, wanted, now).await?))
}

/// How many of those that are wanted are in each state.
pub async fn counts(conn: &mut Conn<'_>, wanted: &Wanted, now: DateTime<Utc>) -> Result<Map<String, Value>> {
    let mut counts = Map::new();
    for state in State::ALL {
        let of_state = Wanted { state: Some(*state), ..wanted.clone() };
        counts.insert(state.name().to_owned(), json!(count(conn, &of_state, now).await?));
    }
    Ok(counts)
}

/// How many are wanted.
pub async fn count(conn: &mut Conn<'_>, wanted: &Wanted, now: DateTime<Utc>) -> Result<u64> {
    counted(conn, wanted.filter(now)).await
}

async fn counted(conn: &mut Conn<'_>, filter: Filter) -> Result<u64> {
    let query = Query { filter: Some(filter), ..Query::default() };
    let statement = crate::db::Sql::build(conn.dialect(), &sql::count(conn.dialect(), &table(), &query)?);
    let count = conn.select(&statement, &[FieldType::BigInteger]).await?.into_iter().flatten().next().unwrap_or_default();
    Ok(count.as_u64().or_else(|| count.as_str()?.parse().ok()).unwrap_or_default())
}

/// One, without its `meta`.
pub async fn one(conn: &mut Conn<'_>, id: Uuid, now: DateTime<Utc>) -> Result<Option<Map<String, Value>>> {
    let query = Query { filter: Some(among([id])), limit: Some(1), ..Query::default() };
    Ok(rows(conn, &query, now).await?.into_iter().next())
}

async fn rows(conn: &mut Conn<'_>, query: &Query, now: DateTime<Utc>) -> Result<Vec<Map<String, Value>>> {
    let table = table();
    let columns: Vec<&str> = SHOWN.iter().map(|(column, _)| *column).chain(["status", "lease_until"]).collect();
    let statement = sql::select_locked(conn.dialect(), &table, &columns, query, Lock::None)?;
    let rows = conn.select(&statement, &sql::types(&table, &columns)?).await?;
    Ok(rows.into_iter().map(|row| shown(row, now)).collect())
}

fn shown(mut row: Vec<Value>, now: DateTime<Utc>) -> Map<String, Value> {
    let (lease_until, status) = (row.pop().unwrap_or_default(), row.pop().unwrap_or_default());
    let mut shown: Map<String, Value> = SHOWN.iter().map(|(_, name)| (*name).to_owned()).zip(row).collect();
    let leased = lease_until.as_str().is_some_and(|until| until >= timestamp(now).as_str());
    let tried = shown.get("attempts").and_then(Value::as_u64).is_some_and(|attempts| attempts > 0);
    let state = match (status.as_str().unwrap_or_default(), leased, tried) {
        ("held", ..) => State::Held,
        ("dead", ..) => State::Dead,
        ("pending", true, _) => State::Running,
        ("pending", false, true) => State::Retrying,
        _ => State::Pending,
    };
    shown.insert("state".to_owned(), json!(state.name()));
    // Of the others there is none, or it is now.
    if !matches!(state, State::Pending | State::Retrying) {
        shown.insert("next_attempt_at".to_owned(), Value::Null);
    }
    // A job happens in no collection.
    if shown.get("collection").is_some_and(|collection| collection == "") {
        shown.insert("collection".to_owned(), Value::Null);
    }
    shown
}

/// Has up to `limit` of those that are wanted run once more: dead ones, or those that would be tried later. A dead one gets a new place, at
/// the end of its line, and all its attempts; one that would be tried later keeps its place. Answers how many.
pub async fn replay(conn: &mut Conn<'_>, wanted: &Wanted, now: DateTime<Utc>, limit: u64) -> Result<u64> {
    let ids = keys(conn, &replayable(wanted, now), limit).await?;
    if wanted.state == Some(State::Dead) {
        for id in &ids {
            line::move_to_the_end(conn, id.as_str().unwrap_or_default(), afresh(now)).await?;
        }
    } else if !ids.is_empty() {
        let these = Filter::field("id", Op::In(ids.clone()));
        conn.execute(&sql::update_where(conn.dialect(), &table(), &these, &soon(now))?).await?;
    }
    Ok(ids.len() as u64)
}

/// How many of those that are wanted [`replay`] would find.
pub async fn count_replayable(conn: &mut Conn<'_>, wanted: &Wanted, now: DateTime<Utc>) -> Result<u64> {
    counted(conn, replayable(wanted, now)).await
}

/// Those that are due already need nobody's help.
fn replayable(wanted: &Wanted, now: DateTime<Utc>) -> Filter {
    let later = Filter::field("next_at", Op::Gt(json!(timestamp(now))));
    match wanted.state {
        Some(State::Dead) => wanted.filter(now),
        Some(State::Retrying) => Filter::And(vec![wanted.filter(now), later]),
        _ => Filter::Const(false),
    }
}

/// Forgets up to `limit` of those that are wanted, but none that a host has in hand. Answers how many.
pub async fn discard(conn: &mut Conn<'_>, wanted: &Wanted, now: DateTime<Utc>, limit: u64) -> Result<u64> {
    let idle = Filter::Not(Box::new(of(State::Running, now)));
    let ids = keys(conn, &Filter::And(vec![wanted.filter(now), idle]), limit).await?;
    if !ids.is_empty() {
        let these = Filter::field("id", Op::In(ids.clone()));
        conn.execute(&sql::delete_where(conn.dialect(), &table(), &these)?).await?;
        // Who waited with one of them waits for nobody now.
        conn.execute(&line::wait_no_more(conn.dialect(), now)?).await?;
    }
    Ok(ids.len() as u64)
}

/// The keys of rows, in the order of their places, kept from others until the transaction ends.
async fn keys(conn: &mut Conn<'_>, filter: &Filter, limit: u64) -> Result<Vec<Value>> {
    let sort = vec![Sort::up("seq")];
    let query = Query { filter: Some(filter.clone()), sort, limit: Some(limit), ..Query::default() };
    let statement = sql::select_locked(conn.dialect(), &table(), &["id"], &query, Lock::Skip)?;
    Ok(conn.select(&statement, &[FieldType::Uuid]).await?.into_iter().flatten().collect())
}

fn soon(now: DateTime<Utc>) -> Map<String, Value> {
    Map::from_iter([("next_at".to_owned(), json!(timestamp(now))), ("replayed".to_owned(), json!(true))])
}

fn afresh(now: DateTime<Utc>) -> Map<String, Value> {
    let mut changes = soon(now);
    changes.insert("status".to_owned(), json!("pending"));
    changes.insert("attempt".to_owned(), json!(0));
    changes.insert("finished_at".to_owned(), Value::Null);
    changes
}
