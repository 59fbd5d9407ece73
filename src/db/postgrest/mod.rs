//! Requests of the raw client → statements, on either database.
//!
//! Names come from the [`Catalog`], which knows what exists; values are always parameters. Knows nothing of how requests are written
//! (`services::rawdb` does) nor of who may ask: only whether the host's own tables may be touched. `plan` is what comes in.

mod call;
mod catalog;
mod compile;
mod filter;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod introspect;
pub mod plan;
mod refusal;
mod relation;
mod text;
mod value;
mod write;

pub use catalog::{Catalog, is_system};
pub use introspect::{load, load_view};

use self::compile::Compiler;
use self::plan::{Action, Call, Node};
use self::text::Text;
use crate::db::{Conn, Dialect, FieldType};
use crate::error::Result;

/// One request.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The table, view or function.
    pub target: String,
    /// Which rows, with what of each.
    pub node: Node,
    /// What is done with them.
    pub action: Action,
    /// Whether the rows are answered.
    pub wants_rows: bool,
    /// Whether they are counted, regardless of limit and offset.
    pub count: Option<Count>,
    /// Refuses an answer that isn't one row, and undoes what led to it.
    pub only_one: bool,
    /// Refuses to write more rows.
    pub max_affected: Option<u64>,
    /// Whether tables of the host may be touched.
    pub system: bool,
    /// Rows of an answer at most.
    pub max_rows: u64,
    /// Bytes of an answer at most.
    pub max_bytes: usize,
}

/// How rows are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// One by one.
    Exact,
    /// As the planner of Postgres guesses. SQLite counts.
    Planned,
    /// Up to `max_rows` one by one, beyond as the planner guesses.
    Estimated,
}

/// What an answer is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// Rows.
    #[default]
    Rows,
    /// The first of them alone.
    Value,
    /// A function answered nothing.
    Nothing,
}

/// What came of a request.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The rows, as JSON.
    pub rows: Vec<String>,
    /// How many there are in all.
    pub total: Option<u64>,
    /// How many were written.
    pub affected: u64,
    /// What the answer is made of.
    pub shape: Shape,
}

/// Runs a request on a table or view.
///
/// # Errors
/// Each carries a report for the raw client, if it isn't a fault of ours.
pub async fn run(conn: &mut Conn<'_>, catalog: &Catalog, ask: &Ask) -> Result<Outcome> {
    let mut compiler = Compiler::new(catalog, ask.system);
    let mut outcome = match &ask.action {
        Action::Read => return read(conn, &mut compiler, ask).await,
        Action::Insert(insert) => write::insert(conn, &mut compiler, ask, insert).await?,
        Action::Update(changes) => write::update(conn, &mut compiler, ask, changes).await?,
        Action::Delete => write::delete(conn, &mut compiler, ask).await?,
    };
    if let Some(max) = ask.max_affected
        && outcome.affected > max
    {
        return Err(refusal::affects_too_many(outcome.affected));
    }
    outcome.total = ask.count.map(|_| outcome.affected);
    check_one(&outcome, ask)?;
    Ok(outcome)
}

/// Calls a function.
///
/// # Errors
/// As [`run`].
pub async fn call(conn: &mut Conn<'_>, catalog: &Catalog, ask: &Ask, call: &Call) -> Result<Outcome> {
    let mut compiler = Compiler::new(catalog, ask.system);
    let mut outcome = call::call(conn, &mut compiler, ask, call).await?;
    outcome.total = ask.count.map(|_| outcome.affected.saturating_add(ask.node.offset));
    if let Some(max) = ask.max_affected
        && outcome.shape == Shape::Rows
        && outcome.affected > max
    {
        return Err(refusal::affects_too_many(outcome.affected));
    }
    if outcome.shape == Shape::Rows {
        check_one(&outcome, ask)?;
    }
    Ok(outcome)
}

async fn read(conn: &mut Conn<'_>, compiler: &mut Compiler<'_>, ask: &Ask) -> Result<Outcome> {
    let table = compiler.table(&ask.target)?;
    let mut outcome = Outcome::default();
    let from = |alias: &str| {
        let mut from = Text::default();
        from.name(&table.name).raw(" AS ").raw(alias);
        from
    };
    // Built also where nothing of it is answered: a mistake in it is a mistake.
    let scope = compiler.scope(table, 0);
    let limit = ask.node.limit.unwrap_or(u64::MAX).min(ask.max_rows.saturating_add(1));
    let node = Node { limit: Some(limit), ..ask.node.clone() };
    let rows = compiler.rows(&node, &scope, from(&scope.alias), Vec::new())?;
    if ask.wants_rows {
        let text = bounded(compiler.dialect, rows, ask.max_bytes);
        outcome.rows = conn.texts(&text.finish(compiler.dialect), ask.max_bytes).await?;
        check_rows(&outcome.rows, ask)?;
    }
    if let Some(count) = ask.count {
        let mut counter = Compiler::new(compiler.catalog, ask.system);
        let scope = counter.scope(table, 0);
        let mut wheres = Vec::new();
        counter.narrow(&ask.node, &scope, &mut wheres)?;
        let mut counted = Text::default();
        counted.part(from(&scope.alias)).wheres(wheres);
        outcome.total = Some(total(conn, compiler.dialect, count, counted, ask.max_rows).await?);
    }
    check_one(&outcome, ask)?;
    Ok(outcome)
}

async fn total(conn: &mut Conn<'_>, dialect: Dialect, count: Count, rows: Text, max_rows: u64) -> Result<u64> {
    let number = |cells: Vec<Vec<serde_json::Value>>| cells.into_iter().flatten().next().and_then(|n| n.as_u64()).unwrap_or_default();
    if dialect == Dialect::Postgres && count != Count::Exact {
        let mut text = Text::of("EXPLAIN (FORMAT JSON) SELECT 1 FROM ");
        text.part(rows.clone());
        let plan = conn.select(&text.finish(dialect), &[FieldType::Json]).await?;
        let guessed =
            plan.first().and_then(|row| row.first()).and_then(|plan| plan.pointer("/0/Plan/Plan Rows")).and_then(serde_json::Value::as_u64);
        let guessed = guessed.unwrap_or_default();
        if count == Count::Planned || guessed > max_rows {
            return Ok(guessed);
        }
    }
    let mut text = Text::of("SELECT count(*) FROM ");
    text.part(rows);
    Ok(number(conn.select(&text.finish(dialect), &[FieldType::BigInteger]).await?))
}

/// Rows of `j` as text. On Postgres, which has no limit of its own, NULL where one is too large.
fn bounded(dialect: Dialect, rows: Text, max_bytes: usize) -> Text {
    if dialect == Dialect::Sqlite {
        return rows;
    }
    let mut text = Text::of("SELECT CASE WHEN octet_length(j::text) <= ");
    text.number(max_bytes as u64).raw(" THEN j::text END FROM (").part(rows).raw(") AS a");
    text
}

fn check_rows(rows: &[String], ask: &Ask) -> Result<()> {
    if rows.len() as u64 > ask.max_rows { Err(refusal::too_many_rows(ask.max_rows)) } else { Ok(()) }
}

fn check_one(outcome: &Outcome, ask: &Ask) -> Result<()> {
    if ask.only_one && ask.wants_rows && outcome.rows.len() != 1 {
        return Err(refusal::not_one(outcome.rows.len() as u64));
    }
    Ok(())
}
