//! Queries and changes of items → statements, with the same meaning on both databases.
//!
//! Values are always parameters; names come from the schema and are quoted. What a filter means is in `condition.rs`. Called by the
//! services, with filters that they have parsed and permissions have been added to.

use std::cell::Cell;

use sea_query::{
    Alias, Cond, DeleteStatement, Expr, ExprTrait, InsertStatement, LockBehavior, LockType, NullOrdering, Order, Query as Build,
    SelectStatement, UpdateStatement, Value as Bind,
};
use serde_json::{Map, Value};

pub use super::condition::condition;
use super::condition::{Site, search};
use super::query::{Filter, Operand, Query, Sort};
use super::{Collection, Dialect, Field, FieldType, Sql};
use crate::error::{Error, ErrorCode, Result};

/// The statement that reads `fields` of the rows that `query` selects.
///
/// # Errors
/// `InvalidQuery` for a field that isn't there, can't be sorted by or can't be compared so.
pub fn select(dialect: Dialect, collection: &Collection, fields: &[&str], query: &Query) -> Result<SelectStatement> {
    let columns: Vec<Operand> = fields.iter().map(|name| Operand::Field((*name).to_owned())).collect();
    select_values(dialect, collection, &columns, query)
}

/// As [`select`], of values that may be made of fields.
///
/// # Errors
/// As [`select`]; `InvalidQuery` for a function that a field doesn't have.
pub fn select_values(dialect: Dialect, collection: &Collection, columns: &[Operand], query: &Query) -> Result<SelectStatement> {
    let named = Cell::new(0);
    let site = Site::top(dialect, collection, &named);
    let mut statement = Build::select();
    for column in columns {
        statement.expr(site.value(column)?);
    }
    narrow(&mut statement, dialect, collection, query)?;
    for (value, order, nulls) in orders(&site, dialect, collection, &query.sort)? {
        match nulls {
            Some(nulls) => statement.order_by_expr_with_nulls(value, order, nulls),
            None => statement.order_by_expr(value, order),
        };
    }
    window(&mut statement, query);
    Ok(statement)
}

/// The steps of an order, the primary key last.
pub(super) fn orders<'a>(
    site: &Site<'a>,
    dialect: Dialect,
    collection: &'a Collection,
    sort: &'a [Sort],
) -> Result<Vec<(Expr, Order, Option<NullOrdering>)>> {
    let key = collection.primary_key();
    let mut steps = Vec::with_capacity(sort.len() + 1);
    let mut keyed = false;
    for Sort { path, by, descending } in sort {
        let mut nullable = true;
        if let Operand::Field(name) = by {
            let field = path.last().map_or(collection, |hop| &hop.to).known_field(name, ErrorCode::InvalidQuery)?;
            if field.ty == FieldType::Json {
                return Err(Error::query(format!("`{name}` can't be sorted by: its type is json")).with_field(name));
            }
            nullable = field.nullable || !path.is_empty();
            keyed |= path.is_empty() && field.name == key.name;
        }
        steps.push(step(dialect, site.value_beyond(path, by)?, nullable, *descending));
    }
    if !keyed {
        steps.push(step(dialect, site.column(key), false, false));
    }
    Ok(steps)
}

pub(super) fn step(dialect: Dialect, value: Expr, nullable: bool, descending: bool) -> (Expr, Order, Option<NullOrdering>) {
    let order = if descending { Order::Desc } else { Order::Asc };
    // SQLite sorts NULL lowest by itself.
    let told = dialect == Dialect::Postgres && nullable;
    (value, order, told.then_some(if descending { NullOrdering::Last } else { NullOrdering::First }))
}

/// Limit and offset.
pub(super) fn window(statement: &mut SelectStatement, query: &Query) {
    if let Some(limit) = query.limit {
        statement.limit(limit);
    } else if query.offset > 0 {
        // SQLite takes no offset without a limit.
        statement.limit(i64::MAX.unsigned_abs());
    }
    if query.offset > 0 {
        statement.offset(query.offset);
    }
}

/// What a read does with the rows that it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Nothing.
    None,
    /// Keeps them from others until the transaction ends; waits for those that others keep.
    Wait,
    /// The same, but leaves out those that others keep.
    Skip,
}

/// As [`select_values`], with locks. On SQLite the transaction itself is the lock: it has the one writer.
///
/// # Errors
/// As [`select_values`].
pub fn select_values_locked(dialect: Dialect, collection: &Collection, columns: &[Operand], query: &Query, lock: Lock) -> Result<Sql> {
    let mut statement = select_values(dialect, collection, columns, query)?;
    match (dialect, lock) {
        (Dialect::Sqlite, _) | (_, Lock::None) => {}
        (Dialect::Postgres, Lock::Wait) => {
            statement.lock(LockType::Update);
        }
        (Dialect::Postgres, Lock::Skip) => {
            statement.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        }
    }
    Ok(Sql::build(dialect, &statement))
}

/// As [`select`], with locks.
///
/// # Errors
/// As [`select`].
pub fn select_locked(dialect: Dialect, collection: &Collection, fields: &[&str], query: &Query, lock: Lock) -> Result<Sql> {
    let columns: Vec<Operand> = fields.iter().map(|name| Operand::Field((*name).to_owned())).collect();
    select_values_locked(dialect, collection, &columns, query, lock)
}

/// The statement that counts the rows that `query` selects, whatever its limit; one column, a bigInteger.
///
/// # Errors
/// As [`select`].
pub fn count(dialect: Dialect, collection: &Collection, query: &Query) -> Result<SelectStatement> {
    let mut statement = Build::select();
    statement.expr(Expr::cust("count(*)"));
    narrow(&mut statement, dialect, collection, query)?;
    Ok(statement)
}

/// The statement that reads the primary keys of the rows that `query` selects.
///
/// # Errors
/// As [`select`].
pub fn keys(dialect: Dialect, collection: &Collection, query: &Query) -> Result<SelectStatement> {
    select(dialect, collection, &[&collection.primary_key().name], query)
}

/// The types of `fields`, to read a [`select`] with.
///
/// # Errors
/// `InvalidQuery` for a field that isn't there.
pub fn types(collection: &Collection, fields: &[&str]) -> Result<Vec<FieldType>> {
    fields.iter().map(|name| Ok(collection.known_field(name, ErrorCode::InvalidQuery)?.ty)).collect()
}

/// The type of a value of `collection`.
///
/// # Errors
/// `InvalidQuery` for a field that isn't there.
pub fn value_type(collection: &Collection, of: &Operand) -> Result<FieldType> {
    match of {
        Operand::Field(name) => Ok(collection.known_field(name, ErrorCode::InvalidQuery)?.ty),
        Operand::Part(..) => Ok(FieldType::Integer),
        Operand::Count(_) => Ok(FieldType::BigInteger),
    }
}

/// The statement that makes an item and answers `returning` of it. Fields that `row` doesn't name get their default.
///
/// # Errors
/// `InvalidPayload` for a field that isn't there or a value that doesn't fit.
pub fn insert(dialect: Dialect, collection: &Collection, row: &Map<String, Value>, returning: &[&str]) -> Result<Sql> {
    let mut statement = InsertStatement::new();
    statement.into_table(table(collection));
    let mut columns = Vec::with_capacity(row.len());
    let mut values = Vec::with_capacity(row.len());
    for (name, value) in row {
        let field = collection.known_field(name, ErrorCode::InvalidPayload)?;
        columns.push(Alias::new(&field.name));
        values.push(Expr::val(written(dialect, field, value)?));
    }
    if columns.is_empty() {
        statement.or_default_values();
    } else {
        statement.columns(columns).values(values).map_err(|e| Error::internal(format!("an insert can't be built: {e}")))?;
    }
    if !returning.is_empty() {
        statement.returning(returned(collection, returning)?);
    }
    Ok(Sql::build(dialect, &statement))
}

/// The statement that changes the items with these keys, as far as `rule` is true for them, and answers `returning` of those changed.
///
/// # Errors
/// `InvalidPayload` for a field that isn't there or a value that doesn't fit, `InvalidId` for a key that can't be one.
pub fn update_by_keys(
    dialect: Dialect,
    collection: &Collection,
    keys: &[Value],
    rule: Option<&Filter>,
    changes: &Map<String, Value>,
    returning: &[&str],
) -> Result<Sql> {
    let mut statement = UpdateStatement::new();
    statement.table(table(collection));
    for (name, value) in changes {
        let field = collection.known_field(name, ErrorCode::InvalidPayload)?;
        statement.value(Alias::new(&field.name), Expr::val(written(dialect, field, value)?));
    }
    if changes.is_empty() {
        // Nothing to change: answer the rows as they are.
        let key = Alias::new(&collection.primary_key().name);
        statement.value(key.clone(), Expr::col(key));
    }
    statement.cond_where(addressed(dialect, collection, keys, rule)?);
    if !returning.is_empty() {
        statement.returning(returned(collection, returning)?);
    }
    Ok(Sql::build(dialect, &statement))
}

/// The statement that deletes the items with these keys, as far as `rule` is true for them, and answers `returning` of those deleted.
///
/// # Errors
/// `InvalidId` for a key that can't be one.
pub fn delete_by_keys(dialect: Dialect, collection: &Collection, keys: &[Value], rule: Option<&Filter>, returning: &[&str]) -> Result<Sql> {
    let mut statement = DeleteStatement::new();
    statement.from_table(table(collection));
    statement.cond_where(addressed(dialect, collection, keys, rule)?);
    if !returning.is_empty() {
        statement.returning(returned(collection, returning)?);
    }
    Ok(Sql::build(dialect, &statement))
}

/// The statement that changes the rows for which `filter` is true.
///
/// # Errors
/// As [`select`]; `InvalidPayload` for a value that doesn't fit.
pub fn update_where(dialect: Dialect, collection: &Collection, filter: &Filter, changes: &Map<String, Value>) -> Result<Sql> {
    let mut statement = UpdateStatement::new();
    statement.table(table(collection));
    for (name, value) in changes {
        let field = collection.known_field(name, ErrorCode::InvalidPayload)?;
        statement.value(Alias::new(&field.name), Expr::val(written(dialect, field, value)?));
    }
    statement.cond_where(Cond::all().add(condition(dialect, collection, filter)?));
    Ok(Sql::build(dialect, &statement))
}

/// The statement that adds `runs` of `millis` together to a row that counts runs and keeps their mean, and sets `changes`.
///
/// The sums are made by the database, so that hosts which count the same row don't overwrite each other.
///
/// # Errors
/// As [`update_by_keys`].
pub fn count_runs(
    dialect: Dialect,
    collection: &Collection,
    key: &Value,
    runs: u64,
    millis: f64,
    changes: &Map<String, Value>,
) -> Result<Sql> {
    const COUNT: &str = "execution_count";
    const MEAN: &str = "avg_execution_time_ms";
    let mut statement = UpdateStatement::new();
    statement.table(table(collection));
    for (name, value) in changes {
        let field = collection.known_field(name, ErrorCode::InvalidPayload)?;
        statement.value(Alias::new(&field.name), Expr::val(written(dialect, field, value)?));
    }
    if runs > 0 {
        let double = if dialect == Dialect::Sqlite { "real" } else { "double precision" };
        let before = || Expr::col(COUNT).cast_as(double);
        let mean = Expr::col(MEAN).mul(before()).add(millis).div(before().add(runs as f64));
        statement.value(MEAN, mean).value(COUNT, Expr::col(COUNT).add(i64::try_from(runs).unwrap_or(i64::MAX)));
    }
    statement.cond_where(addressed(dialect, collection, std::slice::from_ref(key), None)?);
    Ok(Sql::build(dialect, &statement))
}

/// The statement that deletes the rows for which `filter` is true.
///
/// # Errors
/// As [`select`].
pub fn delete_where(dialect: Dialect, collection: &Collection, filter: &Filter) -> Result<Sql> {
    let mut statement = DeleteStatement::new();
    statement.from_table(table(collection)).cond_where(Cond::all().add(condition(dialect, collection, filter)?));
    Ok(Sql::build(dialect, &statement))
}

pub(super) fn table(collection: &Collection) -> Alias {
    Alias::new(&collection.name)
}

pub(super) fn narrow(statement: &mut SelectStatement, dialect: Dialect, collection: &Collection, query: &Query) -> Result<()> {
    statement.from(table(collection));
    if let Some(filter) = &query.filter {
        statement.and_where(condition(dialect, collection, filter)?);
    }
    if let Some(term) = query.search.as_deref().filter(|t| !t.is_empty()) {
        statement.and_where(condition(dialect, collection, &search(dialect, collection, term, query.search_fields.as_deref()))?);
    }
    Ok(())
}

pub(super) fn returned(collection: &Collection, fields: &[&str]) -> Result<sea_query::ReturningClause> {
    let known = fields.iter().map(|name| Ok(Alias::new(&collection.known_field(name, ErrorCode::InvalidQuery)?.name)));
    Ok(Build::returning().columns(known.collect::<Result<Vec<_>>>()?))
}

pub(super) fn written(dialect: Dialect, field: &Field, value: &Value) -> Result<Bind> {
    field.encode(dialect, value).map_err(|what| Error::payload(format!("`{}` {what}", field.name)).with_field(&field.name))
}

pub(super) fn addressed(dialect: Dialect, collection: &Collection, keys: &[Value], rule: Option<&Filter>) -> Result<Cond> {
    let key = collection.primary_key();
    let named = Cell::new(0);
    let site = Site::top(dialect, collection, &named);
    let bind = |value| {
        key.encode(dialect, value).map_err(|what| Error::new(ErrorCode::InvalidId, format!("`{}` {what}", key.name)).with_field(&key.name))
    };
    // One key, the usual case, is a plain comparison.
    let among = match keys {
        [one] => site.column(key).eq(Expr::val(bind(one)?)),
        many => site.any_of(site.column(key), key.ty, many.iter().map(bind).collect::<Result<_>>()?),
    };
    let mut all = Cond::all().add(among);
    if let Some(rule) = rule {
        all = all.add(condition(dialect, collection, rule)?);
    }
    Ok(all)
}
