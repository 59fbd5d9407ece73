//! Statements about many rows at once, so that their number doesn't grow with the rows, and the look at rows that rules are held against.
//!
//! Called by the job of a write. The values are parameters, the names come from the schema, as in `sql.rs`.

use sea_query::{Alias, BinOper, Cond, Expr, ExprTrait, InsertStatement, Query as Build, TableRef, UpdateStatement, ValueTuple};
use serde_json::{Map, Value};

use super::sql::{addressed, condition, returned, table, written};
use super::{Collection, Dialect, Filter, Sql};
use crate::error::{Error, ErrorCode, Result};

/// Parameters of one statement. SQLite takes 32,766, Postgres 65,535.
const PARAMETERS: usize = 30_000;

/// Rows with so many columns that one statement takes.
pub fn at_once(columns: usize) -> usize {
    (PARAMETERS / columns.max(1)).max(1)
}

/// The statement that makes items, all of which name the same fields, and answers `returning` of them, in any order.
///
/// # Errors
/// As `sql::insert`; `Internal` for rows without a field, which have no form for many.
pub fn insert_many(dialect: Dialect, collection: &Collection, rows: &[&Map<String, Value>], returning: &[&str]) -> Result<Sql> {
    let names: Vec<&String> = rows.first().into_iter().flat_map(|row| row.keys()).collect();
    let fields = names.iter().map(|name| collection.known_field(name, ErrorCode::InvalidPayload)).collect::<Result<Vec<_>>>()?;
    let bad = |e: sea_query::error::Error| Error::internal(format!("an insert can't be built: {e}"));
    let mut statement = InsertStatement::new();
    statement.into_table(table(collection)).columns(fields.iter().map(|field| Alias::new(&field.name)));
    for row in rows {
        let values = fields.iter().map(|field| Ok(Expr::val(written(dialect, field, row.get(&field.name).unwrap_or(&Value::Null))?)));
        statement.values(values.collect::<Result<Vec<_>>>()?).map_err(bad)?;
    }
    statement.returning(returned(collection, returning)?);
    Ok(Sql::build(dialect, &statement))
}

/// The statement that changes items, each in its own way but all in the same fields, as far as `rule` is true for them. Answers `returning`
/// of those changed, in any order. No key may be there twice.
///
/// # Errors
/// As `sql::update_by_keys`.
pub fn update_each(
    dialect: Dialect,
    collection: &Collection,
    rows: &[(&Value, &Map<String, Value>)],
    rule: Option<&Filter>,
    returning: &[&str],
) -> Result<Sql> {
    const NEW: &str = "new values";
    let key = collection.primary_key();
    let names: Vec<&String> = rows.first().into_iter().flat_map(|(_, row)| row.keys()).collect();
    let fields = names.iter().map(|name| collection.known_field(name, ErrorCode::InvalidPayload)).collect::<Result<Vec<_>>>()?;
    let mut values = Vec::with_capacity(rows.len());
    for (id, row) in rows {
        let id = key.encode(dialect, id).map_err(|what| Error::new(ErrorCode::InvalidId, format!("`{}` {what}", key.name)))?;
        let mut tuple = vec![id];
        for field in &fields {
            tuple.push(written(dialect, field, row.get(&field.name).unwrap_or(&Value::Null))?);
        }
        values.push(ValueTuple::Many(tuple));
    }
    // Both databases call the columns of a list of values so.
    let column = |at: usize| Expr::col((Alias::new(NEW), Alias::new(format!("column{}", at + 1))));
    let own = |name: &str| Expr::col((table(collection), Alias::new(name)));
    let mut statement = UpdateStatement::new();
    statement.table(table(collection));
    for (at, field) in fields.iter().enumerate() {
        statement.value(Alias::new(&field.name), column(at + 1));
    }
    statement.from(TableRef::ValuesList(values, Alias::new(NEW).into()));
    let mut all = Cond::all().add(own(&key.name).eq(column(0)));
    if let Some(rule) = rule {
        all = all.add(condition(dialect, collection, rule)?);
    }
    statement.cond_where(all);
    let names = returning.iter().map(|name| collection.known_field(name, ErrorCode::InvalidQuery).map(|field| own(&field.name)));
    statement.returning(Build::returning().exprs(names.collect::<Result<Vec<_>>>()?));
    Ok(Sql::build(dialect, &statement))
}

/// The statement that answers, of the items with these keys, the key and whether each of `rules` is true: one boolean column for each.
///
/// # Errors
/// As `sql::select`.
pub fn look(dialect: Dialect, collection: &Collection, keys: &[Value], rules: &[Filter]) -> Result<Sql> {
    Ok(Sql::build(dialect, &looked(dialect, collection, keys, rules)?))
}

/// The same for the first item for which one of them is not true.
///
/// # Errors
/// As `sql::select`.
pub fn broken(dialect: Dialect, collection: &Collection, keys: &[Value], rules: &[Filter]) -> Result<Sql> {
    let mut statement = looked(dialect, collection, keys, rules)?;
    let mut any = Cond::any();
    for rule in rules {
        any = any.add(condition(dialect, collection, rule)?.binary(BinOper::IsNot, Expr::custom_keyword("TRUE")));
    }
    statement.cond_where(any).limit(1);
    Ok(Sql::build(dialect, &statement))
}

fn looked(dialect: Dialect, collection: &Collection, keys: &[Value], rules: &[Filter]) -> Result<sea_query::SelectStatement> {
    let mut statement = Build::select();
    statement.column((table(collection), Alias::new(&collection.primary_key().name))).from(table(collection));
    for rule in rules {
        statement.expr(condition(dialect, collection, rule)?.binary(BinOper::Is, Expr::custom_keyword("TRUE")));
    }
    statement.cond_where(addressed(dialect, collection, keys, None)?);
    Ok(statement)
}
