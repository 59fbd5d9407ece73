//! Aggregates over the rows of a query, the same numbers on both databases.

use std::cell::Cell;

use sea_query::{Expr, ExprTrait, Func, Query as Build};

use super::condition::Site;
use super::query::{Operand, Query};
use super::{Collection, Dialect, Field, FieldType, Sql, sql};
use crate::error::{Error, ErrorCode, Result};

/// Declares every aggregate once.
macro_rules! aggregates {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal;)*) => {
        /// What can be made of many values.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Aggregate { $($(#[doc = $doc])* $variant,)* }

        impl Aggregate {
            /// Every one, in the order of declaration.
            pub const ALL: &'static [Aggregate] = &[$(Aggregate::$variant,)*];

            /// As in a query's `aggregate`.
            pub fn name(self) -> &'static str {
                match self { $(Aggregate::$variant => $name,)* }
            }
        }
    };
}

aggregates! {
    /// Rows, or rows with a value.
    Count = "count";
    /// Different values.
    CountDistinct = "countDistinct";
    /// Rows.
    CountAll = "countAll";
    /// The sum of all values.
    Sum = "sum";
    /// The sum of the different values.
    SumDistinct = "sumDistinct";
    /// The mean of all values.
    Avg = "avg";
    /// The mean of the different values.
    AvgDistinct = "avgDistinct";
    /// The least value.
    Min = "min";
    /// The greatest value.
    Max = "max";
}

impl Aggregate {
    /// The inverse of [`Aggregate::name`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.name() == name)
    }

    /// Whether it can be made of rows, `*`, instead of a field's values.
    pub fn counts_rows(self) -> bool {
        matches!(self, Self::Count | Self::CountAll)
    }

    /// Whether it can be made of values of `ty`.
    pub fn fits(self, ty: FieldType) -> bool {
        match self {
            Self::Count | Self::CountAll => true,
            Self::CountDistinct => !matches!(ty, FieldType::Json | FieldType::Binary),
            Self::Min | Self::Max => {
                !matches!(ty, FieldType::Json | FieldType::Boolean | FieldType::Uuid | FieldType::Csv | FieldType::Hash | FieldType::Binary)
            }
            Self::Sum | Self::SumDistinct | Self::Avg | Self::AvgDistinct => {
                matches!(ty, FieldType::Integer | FieldType::BigInteger | FieldType::Float | FieldType::Decimal { .. })
            }
        }
    }

    /// The type of what it answers over `field`.
    pub fn result(self, field: Option<&Field>) -> FieldType {
        match (self, field) {
            (Self::Count | Self::CountDistinct | Self::CountAll, _) | (_, None) => FieldType::BigInteger,
            (Self::Min | Self::Max, Some(field)) => field.ty,
            (_, Some(_)) => FieldType::Float,
        }
    }
}

/// By what the groups stand in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupSort {
    /// The place of the value among the groups and, after them, the aggregates.
    pub by: usize,
    /// From high to low.
    pub descending: bool,
}

/// The statement that answers `groups` and then `wanted`, one row per group, in the order of `sort` and then of the groups.
///
/// # Errors
/// As [`sql::select`].
pub fn aggregate(
    dialect: Dialect,
    collection: &Collection,
    groups: &[Operand],
    wanted: &[(Aggregate, Option<String>)],
    sort: &[GroupSort],
    query: &Query,
) -> Result<Sql> {
    let known = |name: &str| collection.known_field(name, ErrorCode::InvalidQuery);
    let named = Cell::new(0);
    let site = Site::top(dialect, collection, &named);
    let column = |field: &Field| site.column(field);
    let mut statement = Build::select();
    let mut values = Vec::with_capacity(groups.len() + wanted.len());
    for group in groups {
        let nullable = match group {
            Operand::Field(name) | Operand::Part(_, name) => known(name)?.nullable,
            Operand::Count(_) => false,
        };
        values.push((site.value(group)?, nullable));
    }
    for (function, field) in wanted {
        let field = field.as_deref().map(known).transpose()?;
        values.push((expression(dialect, *function, field, &column)?, true));
    }
    for (value, _) in &values {
        statement.expr(value.clone());
    }
    sql::narrow(&mut statement, dialect, collection, query)?;
    for (value, _) in &values[..groups.len()] {
        statement.add_group_by([value.clone()]);
    }
    let by_groups = (0..groups.len()).map(|by| GroupSort { by, descending: false });
    for GroupSort { by, descending } in sort.iter().copied().chain(by_groups) {
        let Some((value, nullable)) = values.get(by) else { return Err(Error::internal("groups are sorted by what isn't there")) };
        let (value, order, nulls) = sql::step(dialect, value.clone(), *nullable, descending);
        match nulls {
            Some(nulls) => statement.order_by_expr_with_nulls(value, order, nulls),
            None => statement.order_by_expr(value, order),
        };
    }
    sql::window(&mut statement, query);
    Ok(Sql::build(dialect, &statement))
}

fn expression(dialect: Dialect, function: Aggregate, field: Option<&Field>, column: &impl Fn(&Field) -> Expr) -> Result<Expr> {
    let Some(field) = field else { return Ok(Expr::cust("count(*)")) };
    let value = column(field);
    // Sums are floating-point on both databases: SQLite fails on the overflow of an integer sum, Postgres answers a numeric.
    let number = || match (dialect, field.ty) {
        (Dialect::Sqlite, FieldType::Decimal { scale, .. }) => column(field).cast_as("real").div(10f64.powi(i32::from(scale))),
        (Dialect::Sqlite, _) => column(field).cast_as("real"),
        (Dialect::Postgres, _) => column(field).cast_as("double precision"),
    };
    let distinct = |name: &str, value: Expr| Expr::cust_with_exprs(format!("{name}(DISTINCT {})", placeholder(dialect)), [value]);
    Ok(match function {
        Aggregate::Count => Func::count(value).into(),
        Aggregate::CountAll => Expr::cust("count(*)"),
        Aggregate::CountDistinct => Func::count_distinct(value).into(),
        Aggregate::Sum => Func::sum(number()).into(),
        Aggregate::SumDistinct => distinct("sum", number()),
        Aggregate::Avg => Func::avg(number()).into(),
        Aggregate::AvgDistinct => distinct("avg", number()),
        Aggregate::Min if function.fits(field.ty) => Func::min(value).into(),
        Aggregate::Max if function.fits(field.ty) => Func::max(value).into(),
        Aggregate::Min | Aggregate::Max => return Err(Error::query(format!("`{}` can't be compared", field.name))),
    })
}

fn placeholder(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "?",
        Dialect::Postgres => "$1",
    }
}
