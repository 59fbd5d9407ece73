//! The items that belong to other items: one statement for the lists of many parents, each list with its own limit where one is asked for.

use std::cell::Cell;

use sea_query::{Alias, Expr, ExprTrait, Func, Order, OverStatement, Query as Build, WindowStatement};
use serde_json::Value;

use super::condition::Site;
use super::query::{Filter, Op, Operand, Query};
use super::{Collection, Dialect, Sql, sql};
use crate::error::{ErrorCode, Result};

/// A part of each parent's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Items to leave out at the beginning.
    pub offset: u64,
    /// Items at most; `None` is all.
    pub limit: Option<u64>,
}

impl Slice {
    /// Whether it is the whole list.
    pub fn is_whole(self) -> bool {
        self.offset == 0 && self.limit.is_none()
    }
}

/// The statement that reads `columns` of the items whose field `by` has one of the values `parents`, in the order of `query`; where it
/// is not the whole list, the lists come one after the other. `query.limit` is for all lists together.
///
/// # Errors
/// As [`sql::select_values`].
pub fn lists(
    dialect: Dialect,
    collection: &Collection,
    columns: &[Operand],
    by: &str,
    parents: &[Value],
    each: Slice,
    query: &Query,
) -> Result<Sql> {
    let among = Filter::field(by, Op::In(parents.to_vec()));
    let query = Query { filter: Filter::both(Some(among), query.filter.clone()), ..query.clone() };
    if each.is_whole() {
        return Ok(Sql::build(dialect, &sql::select_values(dialect, collection, columns, &query)?));
    }
    let named = Cell::new(0);
    let site = Site::top(dialect, collection, &named);
    let by = site.column(collection.known_field(by, ErrorCode::InvalidQuery)?);
    let mut inner = Build::select();
    for (at, column) in columns.iter().enumerate() {
        inner.expr_as(site.value(column)?, column_name(at));
    }
    inner.expr_as(by.clone(), Alias::new("parent"));
    let mut numbered = WindowStatement::new();
    numbered.add_partition_by(by);
    for (value, order, nulls) in sql::orders(&site, dialect, collection, &query.sort)? {
        match nulls {
            Some(nulls) => numbered.order_by_expr_with_nulls(value, order, nulls),
            None => numbered.order_by_expr(value, order),
        };
    }
    inner.expr_window_as(Func::cust("ROW_NUMBER"), numbered, Alias::new("place"));
    sql::narrow(&mut inner, dialect, collection, &query)?;

    let place = || Expr::col(Alias::new("place"));
    let mut outer = Build::select();
    outer.columns((0..columns.len()).map(column_name)).from_subquery(inner, Alias::new("daas_lists")).and_where(place().gt(each.offset));
    if let Some(limit) = each.limit {
        outer.and_where(place().lte(each.offset.saturating_add(limit)));
    }
    outer.order_by(Alias::new("parent"), Order::Asc).order_by(Alias::new("place"), Order::Asc);
    sql::window(&mut outer, &query);
    Ok(Sql::build(dialect, &outer))
}

fn column_name(at: usize) -> Alias {
    Alias::new(format!("c{at}"))
}
