//! Lines: the deliveries of one hook about one item, or with one key of jobs, are run one after the other, on however many hosts.
//!
//! `seq` is the place in a line, given while the writing transaction holds the item, so that a line has the order of the commits. Three
//! rules keep it: a newborn row is leased to its host only where nobody stands before it, or only what this host has in hand; any other row
//! is claimed only when it stands first; and what was taken behind others looks again before it runs. A failed delivery keeps its place
//! until it is done or given up; those behind it wait with it, so that a long line costs nobody a look. Rows that aren't due yet stand in no line: they join at its end when they fall due.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::outbox::{self, COLUMNS, Delivery, Lease, Settlement, Standing, among, held_by, table};
use crate::db::deliveries::{self, Patience};
use crate::db::sql::{self, Lock};
use crate::db::{Conn, Dialect, FieldType, Filter, Op, Query, Sort, Sql, timestamp};
use crate::error::Result;

/// Deliveries of one line that one host takes over together.
const TOGETHER: u64 = 16;

impl Delivery {
    /// Whether it waits for others of its line.
    pub fn in_line(&self) -> bool {
        self.ordered && self.item_key.is_some()
    }
}

/// When a delivery is born, and into whose hands.
#[derive(Debug, Clone)]
pub struct Birth {
    /// Now.
    pub now: DateTime<Utc>,
    /// When it may run.
    pub due: DateTime<Utc>,
    /// The lease of this host, if it has room.
    pub lease: Option<Lease>,
    /// Whether nothing can be owed yet about its item, because the item is new.
    pub first_of_its_item: bool,
}

/// Into whose hands a delivery was born.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Born {
    /// This host's.
    Ours,
    /// Anybody's: it is worth a look.
    Free,
    /// Nobody's yet: it isn't due, or others stand before it.
    Waiting,
}

/// Adds an owed delivery at the end of its line; part of the transaction that makes it owed.
pub async fn join(conn: &mut Conn<'_>, delivery: &mut Delivery, birth: &Birth) -> Result<Born> {
    let (mut lease, mut born) = match &birth.lease {
        Some(ours) => (Some(ours), Born::Ours),
        None => (None, Born::Free),
    };
    let mut standing = Standing { status: "pending", next_at: timestamp(birth.due) };
    delivery.behind = false;
    if birth.due > birth.now {
        // What isn't due yet stands in no line: it gets its place when it falls due.
        standing.status = "scheduled";
        (lease, born) = (None, Born::Waiting);
    } else if delivery.in_line() && !birth.first_of_its_item {
        // The item is locked by whoever writes it; a job has nothing that is.
        if delivery.collection.is_empty() {
            let key = delivery.item_key.as_deref().unwrap_or_default();
            enter(conn, &delivery.extension, &delivery.hook, key, Patience::Wait).await?;
        }
        if let Some(last) = last(conn, delivery).await? {
            if lease.is_some_and(|ours| last.owner == ours.owner && last.until > standing.next_at) {
                delivery.behind = true;
            } else {
                // It waits as those before it do, so that nobody looks at it in vain.
                (lease, born) = (None, Born::Waiting);
                match last.is_held {
                    true => standing.status = "held",
                    false => standing.next_at = standing.next_at.max(last.next_at),
                }
            }
        }
    }
    for statement in outbox::insert(conn.dialect(), delivery, birth.now, &standing, lease)? {
        conn.execute(&statement).await?;
    }
    Ok(born)
}

/// Whether this transaction may put a job into its line now.
async fn enter(conn: &mut Conn<'_>, extension: &str, hook: &str, key: &str, patience: Patience) -> Result<bool> {
    match deliveries::enter(conn.dialect(), &format!("{extension} {hook} {key}"), patience) {
        Some(statement) => Ok(conn.select(&statement, &[FieldType::Boolean]).await?.into_iter().flatten().any(|entered| entered == true)),
        None => Ok(true),
    }
}

/// The last one of a line.
struct Last {
    /// Who has it in hand, and until when; empty where nobody has.
    owner: String,
    until: String,
    is_held: bool,
    next_at: String,
}

async fn last(conn: &mut Conn<'_>, delivery: &Delivery) -> Result<Option<Last>> {
    let query = Query { filter: Some(line_of(delivery)), sort: by(&[("seq", true)]), limit: Some(1), ..Query::default() };
    let (table, columns) = (table(), ["lease_owner", "lease_until", "status", "next_at"]);
    let statement = sql::select_locked(conn.dialect(), &table, &columns, &query, Lock::None)?;
    let row = conn.select(&statement, &sql::types(&table, &columns)?).await?.into_iter().next();
    Ok(row.map(|row| {
        let text = |at: usize| row.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        Last { owner: text(0), until: text(1), is_held: text(2) == "held", next_at: text(3) }
    }))
}

/// Has those behind a delivery that failed, or that is held, wait with it: they aren't looked at before it is. `None` where none can be.
pub fn wait_with(dialect: Dialect, failed: &Delivery, settlement: &Settlement, now: DateTime<Utc>) -> Result<Option<Sql>> {
    let (changes, until) = match settlement {
        Settlement::Retry { at, .. } => (vec![("next_at", json!(timestamp(*at)))], Some(*at)),
        Settlement::Held { at, .. } => (vec![("status", json!("held")), ("next_at", json!(timestamp(*at)))], None),
        Settlement::Done | Settlement::Dead { .. } => return Ok(None),
    };
    if !failed.in_line() {
        return Ok(None);
    }
    let mut behind = vec![line_of(failed), Filter::field("status", Op::Eq(json!("pending"))), free(now)];
    behind.push(Filter::field("attempt", Op::Eq(json!(0))));
    behind.extend(until.map(|at| Filter::field("next_at", Op::Lt(json!(timestamp(at))))));
    let changes = changes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    sql::update_where(dialect, &table(), &Filter::And(behind), &changes).map(Some)
}

/// Ends the waiting of all that wait with others: for when one of those is gone.
pub(super) fn wait_no_more(dialect: Dialect, now: DateTime<Utc>) -> Result<Sql> {
    let later = Filter::field("next_at", Op::Gt(json!(timestamp(now))));
    let untried = Filter::field("attempt", Op::Eq(json!(0)));
    let waiting = Filter::And(vec![Filter::field("status", Op::Eq(json!("pending"))), later, untried]);
    sql::update_where(dialect, &table(), &waiting, &Map::from_iter([("next_at".to_owned(), json!(timestamp(now)))]))
}

/// Whether it stands first in its line now.
pub async fn is_first(conn: &mut Conn<'_>, delivery: &Delivery) -> Result<bool> {
    let query = Query { filter: Some(line_of(delivery)), sort: by(&[("seq", false)]), limit: Some(1), ..Query::default() };
    let statement = sql::select_locked(conn.dialect(), &table(), &["id"], &query, Lock::None)?;
    let first = conn.select(&statement, &[FieldType::Uuid]).await?.into_iter().flatten().next();
    Ok(first.is_some_and(|first| first == json!(delivery.id.to_string())))
}

/// Whether any row waits for a host. Cheap, and needs no writer.
pub async fn anything_due(conn: &mut Conn<'_>, now: DateTime<Utc>, but: &[String]) -> Result<bool> {
    let (dialect, table) = (conn.dialect(), table());
    let one = |filter, sort| Query { filter: Some(filter), sort, limit: Some(1), ..Query::default() };
    let due = deliveries::first_in_line(dialect, &table, &["id"], &one(due(now, but), by_time()), false)?;
    if !conn.select(&due, &[FieldType::Uuid]).await?.is_empty() {
        return Ok(true);
    }
    let scheduled = sql::select_locked(dialect, &table, &["id"], &one(fallen_due(now), by_time()), Lock::None)?;
    Ok(!conn.select(&scheduled, &[FieldType::Uuid]).await?.is_empty())
}

/// Takes over up to `limit` rows that are due, that stand first and that no living host holds, but none of the extensions in `but`. Answers
/// them without their `meta`, which [`outbox::meta`] reads when it is needed.
pub async fn claim(conn: &mut Conn<'_>, now: DateTime<Utc>, lease: &Lease, limit: u64, but: &[String]) -> Result<Vec<Delivery>> {
    line_up(conn, now, limit).await?;
    let (dialect, table) = (conn.dialect(), table());
    let query = Query { filter: Some(due(now, but)), sort: by_time(), limit: Some(limit), ..Query::default() };
    let statement = deliveries::first_in_line(dialect, &table, &COLUMNS, &query, true)?;
    let rows = conn.select(&statement, &sql::types(&table, &COLUMNS)?).await?;
    take(conn, rows.into_iter().map(Delivery::from_row).collect::<Result<Vec<_>>>()?, now, lease).await
}

/// Takes over those that stand first in the line of `gone`, which this transaction took out of it: as many as are due one after the other.
pub async fn next_in_line(conn: &mut Conn<'_>, gone: &Delivery, now: DateTime<Utc>, lease: &Lease) -> Result<Vec<Delivery>> {
    let (dialect, table) = (conn.dialect(), table());
    let columns = [&COLUMNS[..], &["status", "next_at", "lease_until"]].concat();
    let query = Query { filter: Some(line_of(gone)), sort: by(&[("seq", false)]), limit: Some(TOGETHER), ..Query::default() };
    // Nobody else claims any of them before this transaction ends, since none stands first until then. No lock: what is leased stays with
    // whoever renews that.
    let statement = sql::select_locked(dialect, &table, &columns, &query, Lock::None)?;
    let rows = conn.select(&statement, &sql::types(&table, &columns)?).await?;
    let (now_text, mut free) = (timestamp(now), Vec::new());
    for mut row in rows {
        let [lease_until, next_at, status] = [row.pop(), row.pop(), row.pop()].map(Option::unwrap_or_default);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let delivery = Delivery::from_row(row)?;
        // What was never tried has its time: it only waited with those before it.
        let is_due = delivery.attempt == 0 || text(&next_at) <= now_text;
        if status != "pending" || !is_due || text(&lease_until) >= now_text {
            break;
        }
        free.push(delivery);
    }
    let mut taken = take(conn, free, now, lease).await?;
    taken.iter_mut().skip(1).for_each(|delivery| delivery.behind = true);
    Ok(taken)
}

async fn take(conn: &mut Conn<'_>, mut taken: Vec<Delivery>, now: DateTime<Utc>, lease: &Lease) -> Result<Vec<Delivery>> {
    if taken.is_empty() {
        return Ok(taken);
    }
    let (dialect, table) = (conn.dialect(), table());
    let these = among(taken.iter().map(|delivery| delivery.id));
    let mut changes = held_by(Some(lease));
    // Should this host die with them in hand, others find them at once.
    changes.insert("next_at".to_owned(), json!(timestamp(now)));
    conn.execute(&sql::update_where(dialect, &table, &these, &changes)?).await?;
    // The first run begins now, for those that never had one; a repeat keeps what its first run was told.
    let new = Filter::And(vec![these, Filter::field("first_at", Op::Null)]);
    let first = Map::from_iter([("first_at".to_owned(), json!(timestamp(now)))]);
    conn.execute(&sql::update_where(dialect, &table, &new, &first)?).await?;
    for delivery in &mut taken {
        delivery.first_at.get_or_insert(now);
        delivery.claimed = true;
    }
    Ok(taken)
}

/// Gives those that fell due their places, in the order in which they did.
async fn line_up(conn: &mut Conn<'_>, now: DateTime<Utc>, limit: u64) -> Result<()> {
    let (dialect, table) = (conn.dialect(), table());
    let query = Query { filter: Some(fallen_due(now)), sort: by_time(), limit: Some(limit), ..Query::default() };
    let columns = ["id", "extension", "hook", "item_key"];
    let statement = sql::select_locked(dialect, &table, &columns, &query, Lock::Skip)?;
    for row in conn.select(&statement, &sql::types(&table, &columns)?).await? {
        let [Value::String(id), Value::String(extension), Value::String(hook), key] = &row[..] else { continue };
        // Who keeps a line to himself keeps back that one, and not everything that is owed.
        if let Some(key) = key.as_str()
            && !enter(conn, extension, hook, key, Patience::Skip).await?
        {
            continue;
        }
        move_to_the_end(conn, id, Map::from_iter([("status".to_owned(), json!("pending"))])).await?;
    }
    Ok(())
}

/// Changes a delivery and puts it at the end of its line.
pub(super) async fn move_to_the_end(conn: &mut Conn<'_>, id: &str, changes: Map<String, Value>) -> Result<()> {
    let (dialect, table): (Dialect, _) = (conn.dialect(), table());
    conn.execute(&deliveries::to_the_end(dialect, &table, id)?).await?;
    conn.execute(&sql::update_by_keys(dialect, &table, &[json!(id)], None, &changes, &[])?).await.map(drop)
}

/// Those of the line that a delivery stands in: nobody waits for what was given up.
fn line_of(delivery: &Delivery) -> Filter {
    let is = |field: &str, value: Value| Filter::field(field, Op::Eq(value));
    Filter::And(vec![
        is("extension", json!(delivery.extension)),
        is("hook", json!(delivery.hook)),
        is("collection", json!(delivery.collection)),
        is("item_key", json!(delivery.item_key)),
        is("ordered", json!(true)),
        Filter::Or(vec![is("status", json!("pending")), is("status", json!("held"))]),
    ])
}

fn free(now: DateTime<Utc>) -> Filter {
    Filter::Or(vec![Filter::field("lease_until", Op::Null), Filter::field("lease_until", Op::Lt(json!(timestamp(now))))])
}

fn due(now: DateTime<Utc>, but: &[String]) -> Filter {
    let mut all =
        vec![Filter::field("status", Op::Eq(json!("pending"))), Filter::field("next_at", Op::Lte(json!(timestamp(now)))), free(now)];
    if !but.is_empty() {
        all.push(Filter::field("extension", Op::Nin(but.iter().map(|id| json!(id)).collect())));
    }
    Filter::And(all)
}

fn fallen_due(now: DateTime<Utc>) -> Filter {
    Filter::And(vec![Filter::field("status", Op::Eq(json!("scheduled"))), Filter::field("next_at", Op::Lte(json!(timestamp(now))))])
}

/// As the index has them, so that no look sorts all that is owed.
fn by_time() -> Vec<Sort> {
    by(&[("next_at", false), ("seq", false)])
}

fn by(fields: &[(&str, bool)]) -> Vec<Sort> {
    fields.iter().map(|(field, descending)| Sort { descending: *descending, ..Sort::up(*field) }).collect()
}
