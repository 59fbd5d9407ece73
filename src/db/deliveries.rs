//! The statements of the outbox that the general builders don't know: who stands first in a line, and places at its end.
//!
//! A line is made of the deliveries of one hook about one item that aren't given up; `seq` is the place in it. Called by `hooks::line`.

use sea_query::{Expr, ExprTrait, LockBehavior, LockType, Value as Bind};

use super::query::Query;
use super::{Collection, Dialect, Sql, sql};
use crate::error::Result;

/// True for a row that no other of its line stands before, and for one that stands in no line.
const FIRST: &str = r#"(NOT "daas_deliveries"."ordered" OR "daas_deliveries"."item_key" IS NULL OR NOT EXISTS (
    SELECT 1 FROM "daas_deliveries" AS "before"
    WHERE "before"."extension" = "daas_deliveries"."extension" AND "before"."hook" = "daas_deliveries"."hook"
        AND "before"."collection" = "daas_deliveries"."collection" AND "before"."item_key" = "daas_deliveries"."item_key"
        AND "before"."seq" < "daas_deliveries"."seq" AND "before"."ordered" AND "before"."status" IN ('pending', 'held')))"#;

/// The statement that reads `fields` of the deliveries that `query` selects and that stand first in their line. To `take` them keeps them
/// from others until the transaction ends, and leaves out those that others keep.
///
/// # Errors
/// As [`sql::select`].
pub fn first_in_line(dialect: Dialect, table: &Collection, fields: &[&str], query: &Query, take: bool) -> Result<Sql> {
    let mut statement = sql::select(dialect, table, fields, query)?;
    statement.and_where(Expr::cust(FIRST));
    if take && dialect == Dialect::Postgres {
        statement.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    }
    Ok(Sql::build(dialect, &statement))
}

/// The statement that puts a delivery at the end of every line.
///
/// # Errors
/// `InvalidId` where `id` is no UUID.
pub fn to_the_end(dialect: Dialect, table: &Collection, id: &str) -> Result<Sql> {
    let key = table.primary_key();
    let id = key.encode(dialect, &id.into()).map_err(|what| crate::Error::new(crate::ErrorCode::InvalidId, format!("`id` {what}")))?;
    let next = match dialect {
        // The one writer is here, so nobody takes the same place.
        Dialect::Sqlite => r#"(SELECT coalesce(max("seq"), 0) + 1 FROM "daas_deliveries")"#,
        Dialect::Postgres => "DEFAULT",
    };
    let mut statement = sea_query::UpdateStatement::new();
    statement.table("daas_deliveries").value("seq", Expr::cust(next)).and_where(Expr::col("id").eq(Expr::val(id)));
    Ok(Sql::build(dialect, &statement))
}

/// How a transaction enters the line called `name`, so that places have the order of the commits. `None` where there is one writer anyway.
pub fn enter(dialect: Dialect, name: &str, patience: Patience) -> Option<Sql> {
    let text = match (dialect, patience) {
        (Dialect::Sqlite, _) => return None,
        (Dialect::Postgres, Patience::Wait) => "SELECT pg_advisory_xact_lock(hashtextextended($1, 0)) IS NOT NULL",
        (Dialect::Postgres, Patience::Skip) => "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))",
    };
    Some(Sql::raw(text, vec![Bind::from(name)]))
}

/// What is done while another transaction is in the line; both statements answer one boolean, whether it was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// It is waited for.
    Wait,
    /// The line isn't entered.
    Skip,
}
