//! Inserts, changes and removals.
//!
//! On Postgres a write and the rows that it answers are one statement. SQLite can't read from a write, so there the keys of the written
//! rows come first and the rows are read by them; of removed rows, before they go.

use serde_json::{Map, Value};

use super::catalog::{Column, Table};
use super::compile::{Compiler, Scope};
use super::plan::{Conflict, Insert, Node};
use super::refusal::{self, refuse};
use super::text::Text;
use super::value;
use super::{Ask, Outcome};
use crate::db::{Conn, Dialect};
use crate::error::{Error, Result};

impl<'a> Compiler<'a> {
    fn writable(&self, name: &str) -> Result<&'a Table> {
        let table = self.table(name)?;
        if table.is_view && self.dialect == Dialect::Sqlite {
            return Err(refuse("42809", format!("cannot write to view \"{name}\""), None, None));
        }
        Ok(table)
    }
}

fn column<'t>(table: &'t Table, name: &str) -> Result<&'t Column> {
    let column = table.column(name).ok_or_else(|| refusal::unwritable_column(&table.name, name))?;
    if column.generated {
        return Err(refuse("428C9", format!("column \"{name}\" can only be updated to DEFAULT"), None, None));
    }
    Ok(column)
}

/// New rows.
pub(super) async fn insert(conn: &mut Conn<'_>, compiler: &mut Compiler<'_>, ask: &Ask, insert: &Insert) -> Result<Outcome> {
    let table = compiler.writable(&ask.target)?;
    let conflict = match &insert.conflict {
        Some(conflict) => on_conflict(table, conflict)?,
        None => None,
    };
    let mut outcome = Outcome::default();
    let mut keys = Vec::new();
    for (columns, rows) in batches(table, insert)? {
        let mut text = Text::of("INSERT INTO ");
        text.name(&table.name);
        if columns.is_empty() {
            text.raw(" DEFAULT VALUES");
            for _ in &rows {
                let batch = run(conn, compiler, ask, table, text.clone()).await?;
                outcome.add(batch, &mut keys);
            }
            continue;
        }
        text.raw(" (").names(columns.iter().map(|c| c.name.as_str())).raw(") ");
        let conflict = conflict.as_ref().map(|conflict| conflict_clause(conflict, &columns)).unwrap_or_default();
        match compiler.dialect {
            Dialect::Postgres => {
                text.raw("SELECT ").names(columns.iter().map(|c| c.name.as_str()));
                text.raw(" FROM json_to_recordset(")
                    .value(posted(&columns, &rows)?)
                    .raw("::text::json) AS _(")
                    .part(record(&columns))
                    .raw(")")
                    .part(conflict);
                outcome.add(run(conn, compiler, ask, table, text).await?, &mut keys);
            }
            Dialect::Sqlite => {
                for row in &rows {
                    let mut text = text.clone();
                    let cells = columns.iter().map(|column| {
                        let value = row.get(&column.name).unwrap_or(&Value::Null);
                        counted_by_itself(table, column, value)?;
                        let mut cell = Text::default();
                        cell.value(value::cell(column, value)?);
                        Ok(cell)
                    });
                    text.raw("VALUES (").parts(cells.collect::<Result<Vec<_>>>()?, ", ").raw(")").part(conflict.clone());
                    outcome.add(run(conn, compiler, ask, table, text).await?, &mut keys);
                }
            }
        }
    }
    if compiler.dialect == Dialect::Postgres {
        after_explicit_keys(conn, table, insert).await?;
    }
    if ask.wants_rows && compiler.dialect == Dialect::Sqlite {
        outcome.rows = by_keys(conn, compiler, ask, table, &keys).await?;
    }
    Ok(outcome)
}

/// SQLite would number a row whose key is sent as NULL; Postgres refuses it.
fn counted_by_itself(table: &Table, column: &Column, value: &Value) -> Result<()> {
    if value.is_null() && table.primary.contains(&column.name) {
        let message = format!("null value in column \"{}\" of relation \"{}\" violates not-null constraint", column.name, table.name);
        return Err(refuse("23502", message, None, Some("Rows without a key get one with { defaultToNull: false }".to_owned())));
    }
    Ok(())
}

/// Rows with the columns that are written of them.
type Batches<'t, 'r> = Vec<(Vec<&'t Column>, Vec<&'r Map<String, Value>>)>;

/// The same, before it is known that the columns are there.
type Named<'r> = (Vec<&'r String>, Vec<&'r Map<String, Value>>);

/// The rows by the columns that each writes: all of them together, unless missing members take the column's default.
fn batches<'t, 'r>(table: &'t Table, insert: &'r Insert) -> Result<Batches<'t, 'r>> {
    let columns = |names: Vec<&String>| names.into_iter().map(|name| column(table, name)).collect::<Result<Vec<_>>>();
    let named: Vec<&String> = match (&insert.columns, insert.rows.first()) {
        (Some(names), _) => names.iter().collect(),
        (None, Some(first)) => first.keys().collect(),
        (None, None) => return Ok(Vec::new()),
    };
    if insert.columns.is_none() && insert.rows.iter().any(|row| row.len() != named.len() || !named.iter().all(|n| row.contains_key(*n))) {
        return Err(refuse("PGRST102", "All object keys must match", None, None));
    }
    if !insert.missing_is_default {
        return Ok(vec![(columns(named)?, insert.rows.iter().collect())]);
    }
    let mut batches: Vec<Named<'_>> = Vec::new();
    for row in &insert.rows {
        let present: Vec<&String> = named.iter().copied().filter(|name| row.contains_key(*name)).collect();
        match batches.last_mut() {
            Some((names, rows)) if *names == present => rows.push(row),
            _ => batches.push((present, vec![row])),
        }
    }
    batches.into_iter().map(|(names, rows)| Ok((columns(names)?, rows))).collect()
}

/// The columns by which a row that is there already is told, and whether it stays as it is. `None` where the table has no key.
fn on_conflict(table: &Table, conflict: &Conflict) -> Result<Option<(Vec<String>, bool)>> {
    let columns = match &conflict.columns {
        Some(names) => {
            for name in names {
                if table.column(name).is_none() {
                    return Err(refusal::no_column(&table.name, name, table.columns.iter().map(|c| c.name.as_str())));
                }
            }
            names.clone()
        }
        None => table.primary.clone(),
    };
    if columns.is_empty() {
        return Ok(None);
    }
    if !table.uniques.iter().any(|unique| unique.len() == columns.len() && unique.iter().all(|c| columns.contains(c))) {
        return Err(refuse("42P10", "there is no unique or exclusion constraint matching the ON CONFLICT specification", None, None));
    }
    Ok(Some((columns, conflict.ignore)))
}

fn conflict_clause((by, ignore): &(Vec<String>, bool), columns: &[&Column]) -> Text {
    let mut text = Text::of(" ON CONFLICT (");
    text.names(by.iter().map(String::as_str)).raw(")");
    if *ignore || columns.is_empty() {
        text.raw(" DO NOTHING");
        return text;
    }
    let sets = columns.iter().map(|column| {
        let mut set = Text::default();
        set.name(&column.name).raw(" = excluded.").name(&column.name);
        set
    });
    text.raw(" DO UPDATE SET ").parts(sets, ", ");
    text
}

/// `"a" integer, "b" text`
fn record(columns: &[&Column]) -> Text {
    let parts = columns.iter().map(|column| {
        let mut part = Text::default();
        part.name(&column.name).raw(" ").raw(&column.sql_type);
        part
    });
    let mut text = Text::default();
    text.parts(parts, ", ");
    text
}

fn posted(columns: &[&Column], rows: &[&Map<String, Value>]) -> Result<String> {
    let rows = rows.iter().map(|row| {
        let cells = columns.iter().map(|c| (c.name.clone(), value::posted(c, row.get(&c.name).unwrap_or(&Value::Null))));
        Value::Object(cells.collect())
    });
    no_zero_byte(Value::Array(rows.collect()).to_string())
}

/// Postgres would say that of the JSON; of a text in it the other words are the ones to be found.
fn no_zero_byte(json: String) -> Result<String> {
    if json.contains("\\u0000") && serde_json::from_str::<Value>(&json).is_ok_and(|value| has_zero_byte(&value)) {
        return Err(refusal::zero_byte());
    }
    Ok(json)
}

fn has_zero_byte(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_zero_byte),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || has_zero_byte(value)),
        _ => false,
    }
}

/// After rows that named their number themselves, the next that the database gives out is higher.
async fn after_explicit_keys(conn: &mut Conn<'_>, table: &Table, insert: &Insert) -> Result<()> {
    let [key] = &table.primary[..] else { return Ok(()) };
    let largest = insert.rows.iter().filter_map(|row| match row.get(key)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    match largest.max() {
        Some(largest) if table.counts => crate::db::ddl::after_explicit_number(conn, &table.name, key, largest).await,
        _ => Ok(()),
    }
}

/// Changes the rows that the filters select.
pub(super) async fn update(conn: &mut Conn<'_>, compiler: &mut Compiler<'_>, ask: &Ask, changes: &Map<String, Value>) -> Result<Outcome> {
    let table = compiler.writable(&ask.target)?;
    let scope = compiler.scope(table, 0);
    let wheres = selected(compiler, ask, &scope)?;
    let columns = changes.keys().map(|name| column(table, name)).collect::<Result<Vec<_>>>()?;
    if columns.is_empty() {
        return Ok(Outcome::default());
    }
    let mut text = Text::of("UPDATE ");
    text.name(&table.name).raw(" AS ").raw(&scope.alias).raw(" SET ");
    let sets = columns.iter().map(|column| {
        let mut set = Text::default();
        set.name(&column.name).raw(" = ");
        match compiler.dialect {
            Dialect::Postgres => set.raw("_.").name(&column.name),
            Dialect::Sqlite => set.value(value::cell(column, changes.get(&column.name).unwrap_or(&Value::Null))?),
        };
        Ok(set)
    });
    text.parts(sets.collect::<Result<Vec<_>>>()?, ", ");
    if compiler.dialect == Dialect::Postgres {
        text.raw(" FROM (SELECT * FROM json_to_recordset(").value(posted(&columns, &[changes])?);
        text.raw("::text::json) AS x(").part(record(&columns)).raw(")) AS _");
    }
    text.wheres(wheres);
    finish(conn, compiler, ask, &scope, text).await
}

/// Removes the rows that the filters select.
pub(super) async fn delete(conn: &mut Conn<'_>, compiler: &mut Compiler<'_>, ask: &Ask) -> Result<Outcome> {
    let table = compiler.writable(&ask.target)?;
    let scope = compiler.scope(table, 0);
    let wheres = selected(compiler, ask, &scope)?;
    let mut before = None;
    if ask.wants_rows && compiler.dialect == Dialect::Sqlite {
        let mut found = Text::of("SELECT ");
        found.part(row_key(table, &scope.alias)?).raw(" FROM ").name(&table.name).raw(" AS ").raw(&scope.alias).wheres(wheres.clone());
        found.raw(" LIMIT ").number(ask.max_rows.saturating_add(1));
        let keys = conn.texts(&found.finish(compiler.dialect), ask.max_bytes).await?;
        before = Some(by_keys(conn, compiler, ask, table, &keys).await?);
    }
    let mut text = Text::of("DELETE FROM ");
    text.name(&table.name).raw(" AS ").raw(&scope.alias).wheres(wheres);
    let Some(rows) = before else { return finish(conn, compiler, ask, &scope, text).await };
    let affected = conn.execute(&text.finish(compiler.dialect)).await?;
    Ok(Outcome { rows, affected, ..Outcome::default() })
}

/// The conditions of a write. One without any is a mistake far more often than it is meant.
fn selected(compiler: &mut Compiler<'_>, ask: &Ask, scope: &Scope<'_>) -> Result<Vec<Text>> {
    let what = if matches!(ask.action, super::plan::Action::Delete) { "DELETE" } else { "UPDATE" };
    if ask.node.filters.is_empty() {
        let hint = Some("Filter by what is true of every row, such as .not('id', 'is', null)".to_owned());
        return Err(refuse("21000", format!("{what} requires a WHERE clause"), None, hint));
    }
    let (node, table) = (&ask.node, compiler.table(&ask.target)?);
    // The same alias in a scope of the compiler's own.
    let scope = Scope { table, alias: scope.alias.clone(), depth: 0 };
    node.filters.iter().map(|cond| compiler.cond(node, &scope, cond)).collect()
}

async fn finish(conn: &mut Conn<'_>, compiler: &mut Compiler<'_>, ask: &Ask, scope: &Scope<'_>, text: Text) -> Result<Outcome> {
    let table = compiler.table(&ask.target)?;
    let mut outcome = Outcome::default();
    let mut keys = Vec::new();
    let text = if compiler.dialect == Dialect::Postgres && ask.wants_rows {
        let mut text = text;
        text.raw(" RETURNING ").raw(&scope.alias).raw(".*");
        text
    } else {
        text
    };
    outcome.add(run_as(conn, compiler, ask, table, text).await?, &mut keys);
    if ask.wants_rows && compiler.dialect == Dialect::Sqlite {
        outcome.rows = by_keys(conn, compiler, ask, table, &keys).await?;
    }
    Ok(outcome)
}

/// What one statement did: how many rows it wrote, and on SQLite their keys.
pub(super) struct Batch {
    rows: Vec<String>,
    keys: Vec<String>,
    affected: u64,
}

impl Outcome {
    fn add(&mut self, batch: Batch, keys: &mut Vec<String>) {
        self.rows.extend(batch.rows);
        keys.extend(batch.keys);
        self.affected += batch.affected;
    }
}

async fn run(conn: &mut Conn<'_>, compiler: &mut Compiler<'_>, ask: &Ask, table: &Table, mut text: Text) -> Result<Batch> {
    if compiler.dialect == Dialect::Postgres && ask.wants_rows {
        text.raw(" RETURNING *");
    }
    run_as(conn, compiler, ask, table, text).await
}

/// Runs a write. On Postgres its text ends with what it returns, where rows are wanted.
async fn run_as(conn: &mut Conn<'_>, compiler: &mut Compiler<'_>, ask: &Ask, table: &Table, mut text: Text) -> Result<Batch> {
    if !ask.wants_rows {
        let affected = conn.execute(&text.finish(compiler.dialect)).await?;
        return Ok(Batch { rows: Vec::new(), keys: Vec::new(), affected });
    }
    if compiler.dialect == Dialect::Sqlite {
        text.raw(" RETURNING ").part(row_key(table, "")?);
        let keys = conn.texts(&text.finish(compiler.dialect), ask.max_bytes).await?;
        return Ok(Batch { rows: Vec::new(), affected: keys.len() as u64, keys });
    }
    let known = compiler.table(&ask.target)?;
    let scope = compiler.scope(known, 0);
    let mut from = Text::of("w AS ");
    from.raw(&scope.alias);
    let node = Node { filters: Vec::new(), ..ask.node.clone() };
    let rows = compiler.rows(&node, &scope, from, Vec::new())?;
    let mut whole = Text::of("WITH w AS (");
    whole.part(text).raw(") ").part(super::bounded(compiler.dialect, rows, ask.max_bytes));
    let rows = conn.texts(&whole.finish(compiler.dialect), ask.max_bytes).await?;
    super::check_rows(&rows, ask)?;
    Ok(Batch { affected: rows.len() as u64, rows, keys: Vec::new() })
}

/// What tells the rows of a table of SQLite apart, as JSON.
fn row_key(table: &Table, alias: &str) -> Result<Text> {
    let Some(key) = &table.row_key else {
        return Err(refuse("0A000", format!("The written rows of \"{}\" can't be answered: leave select() out", table.name), None, None));
    };
    let mut text = Text::of("trellis_json(");
    text.raw(alias).raw(if alias.is_empty() { "" } else { "." }).name(key).raw(", 'text', 0)");
    Ok(text)
}

/// Rows by their keys, in the order of the keys or in the one that was asked for.
async fn by_keys(conn: &mut Conn<'_>, compiler: &mut Compiler<'_>, ask: &Ask, table: &Table, keys: &[String]) -> Result<Vec<String>> {
    if keys.len() as u64 > ask.max_rows {
        return Err(refusal::too_many_rows(ask.max_rows));
    }
    let Some(key) = &table.row_key else { return Err(Error::internal("a table without a row key answered keys")) };
    let known = compiler.table(&ask.target)?;
    let scope = compiler.scope(known, 0);
    let mut from = Text::of("json_each(");
    from.value(format!("[{}]", keys.join(","))).raw(") AS k JOIN ").name(&table.name).raw(" AS ").raw(&scope.alias);
    from.raw(" ON ").column(&scope.alias, key).raw(" = k.value");
    let node = Node { filters: Vec::new(), ..ask.node.clone() };
    let is_ordered = !node.order.is_empty();
    let mut rows = compiler.rows(&node, &scope, from, Vec::new())?;
    if !is_ordered {
        rows.raw(" ORDER BY k.key");
    }
    conn.texts(&rows.finish(compiler.dialect), ask.max_bytes).await
}
