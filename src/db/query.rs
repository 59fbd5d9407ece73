//! A query as data: what the callers' filters, sorts and limits mean, free of SQL and of HTTP.
//!
//! The services parse into these types and add the rules of permissions; [`super::sql`] turns them into statements.

use std::sync::Arc;

use serde_json::Value;

use super::{Collection, FieldType, Relation};

/// Which rows, in which order, from where to where.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only rows for which this is true.
    pub filter: Option<Filter>,
    /// The order; the primary key always comes last, so that pages don't overlap.
    pub sort: Vec<Sort>,
    /// At most so many rows; None = all.
    pub limit: Option<u64>,
    /// Rows to leave out at the beginning.
    pub offset: u64,
    /// Only rows in which a text field holds this, whatever the case, or a uuid or number field equals it.
    pub search: Option<String>,
    /// The fields that `search` looks at; None = every one that isn't concealed.
    pub search_fields: Option<Vec<String>>,
}

/// One step of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Sort {
    /// From the row to the one item whose value counts; empty for the row itself.
    pub path: Vec<Hop>,
    /// The value.
    pub by: Operand,
    /// From high to low. NULL counts as lowest either way: first ascending, last descending.
    pub descending: bool,
}

impl Sort {
    /// By a field of the row, from low to high.
    pub fn up(field: impl Into<String>) -> Self {
        Self { path: Vec::new(), by: Operand::Field(field.into()), descending: false }
    }

    /// By a field of the row, from high to low.
    pub fn down(field: impl Into<String>) -> Self {
        Self { descending: true, ..Self::up(field) }
    }
}

/// A value of a row: a field, or something that is made of one.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// The field of that name.
    Field(String),
    /// A part of the date in that field, in UTC.
    Part(DatePart, String),
    /// How many items a list has.
    Count(Hop),
}

/// Declares every part of a date once.
macro_rules! parts {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal;)*) => {
        /// A part of a date and time, as a whole number.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum DatePart { $($(#[doc = $doc])* $variant,)* }

        impl DatePart {
            /// Every one, in the order of declaration.
            pub const ALL: &'static [DatePart] = &[$(DatePart::$variant,)*];

            /// The name of the function in a query.
            pub fn name(self) -> &'static str {
                match self { $(DatePart::$variant => $name,)* }
            }
        }
    };
}

parts! {
    /// 1 to 9999.
    Year = "year";
    /// 1 to 12.
    Month = "month";
    /// By ISO 8601: 1 to 53, from Monday.
    Week = "week";
    /// Of the month, 1 to 31.
    Day = "day";
    /// 0 (Sunday) to 6.
    Weekday = "weekday";
    /// 0 to 23.
    Hour = "hour";
    /// 0 to 59.
    Minute = "minute";
    /// Whole ones, 0 to 59.
    Second = "second";
}

impl DatePart {
    /// Whether values of `ty` have it.
    pub fn fits(self, ty: FieldType) -> bool {
        matches!(ty, FieldType::DateTime | FieldType::Timestamp)
    }
}

/// A step from an item to those that a relation leads to.
#[derive(Debug, Clone)]
pub struct Hop {
    /// Whose items are reached.
    pub to: Arc<Collection>,
    /// The field of the item where the step begins.
    pub here: String,
    /// The field of the items reached that has the same value.
    pub there: String,
    /// Where the field `here` can refer to items of several collections: the field beside it that must name `to`.
    pub tag: Option<String>,
    /// Which of the items reached count at all: what the caller may see of them.
    pub rule: Option<Box<Filter>>,
}

impl PartialEq for Hop {
    fn eq(&self, other: &Self) -> bool {
        (&self.to.name, &self.here, &self.there, &self.tag, &self.rule)
            == (&other.to.name, &other.here, &other.there, &other.tag, &other.rule)
    }
}

impl Hop {
    /// To the one item of `to` that a field refers to.
    pub fn to_one(relation: &Relation, to: Arc<Collection>) -> Self {
        let tag = relation.one_collection_field.clone().filter(|_| relation.related.is_none());
        Self { here: relation.field.clone(), there: to.primary_key().name.clone(), tag, rule: None, to }
    }

    /// From an item of `from` to the items of `to`, the relation's many side, that refer to it.
    pub fn to_many(relation: &Relation, from: &Collection, to: Arc<Collection>) -> Self {
        Self { here: from.primary_key().name.clone(), there: relation.field.clone(), tag: None, rule: None, to }
    }
}

/// A condition on a row. It is true or not; there is no third value.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All are true; true when empty.
    And(Vec<Filter>),
    /// At least one is true; false when empty.
    Or(Vec<Filter>),
    /// The filter isn't true.
    Not(Box<Filter>),
    /// A field compared.
    Field {
        /// The field's name.
        field: String,
        /// The comparison.
        op: Op,
    },
    /// What is made of a field compared.
    Made {
        /// The value; never a plain field.
        of: Operand,
        /// The comparison.
        op: Op,
    },
    /// At least one of the items that the step leads to matches.
    Some(Hop, Box<Filter>),
    /// Always or never.
    Const(bool),
}

impl Filter {
    /// `field` compared by `op`.
    pub fn field(field: impl Into<String>, op: Op) -> Self {
        Self::Field { field: field.into(), op }
    }

    /// Whether it has any condition at all, so that it can leave a row out.
    pub fn narrows(&self) -> bool {
        match self {
            Self::And(parts) => parts.iter().any(Self::narrows),
            // Of alternatives each must narrow; of none, no row is let through.
            Self::Or(parts) => parts.iter().all(Self::narrows),
            Self::Not(_) | Self::Field { .. } | Self::Made { .. } | Self::Some(..) => true,
            Self::Const(always) => !always,
        }
    }

    /// Both; either may be missing.
    pub fn both(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => Some(Self::And(vec![a, b])),
            (a, b) => a.or(b),
        }
    }
}

/// A comparison of a field with values, which are JSON as the field takes it.
///
/// A comparison with a NULL field is false, that of a negation (`Neq`, `Nin`, `NotBetween`, a negated [`TextMatch`]) true: what a
/// positive operator doesn't match, its negation does.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Equal; with JSON null, as [`Op::Null`].
    Eq(Value),
    /// Not equal, or NULL; with JSON null, as [`Op::NotNull`].
    Neq(Value),
    /// Less.
    Lt(Value),
    /// Less or equal.
    Lte(Value),
    /// Greater.
    Gt(Value),
    /// Greater or equal.
    Gte(Value),
    /// Equal to one of them, JSON null included. One parameter, however many; none = nothing.
    In(Vec<Value>),
    /// Equal to none of them; none = everything.
    Nin(Vec<Value>),
    /// NULL.
    Null,
    /// Not NULL.
    NotNull,
    /// Text at a place, for string and text fields.
    Text(TextMatch),
    /// From the first to the second, both included.
    Between(Value, Value),
    /// Outside of that, or NULL.
    NotBetween(Value, Value),
    /// NULL or empty: `''`, and for json also `[]`, `{}` and `""`.
    Empty,
    /// Not that.
    NotEmpty,
    /// A pattern found somewhere in the text, see `pattern.rs` for what it may hold.
    Regex(String),
}

/// Text looked for in a text field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextMatch {
    /// The text.
    pub text: String,
    /// Where it must stand.
    pub place: TextPlace,
    /// Whatever the case, by Unicode simple folding.
    pub fold: bool,
    /// Rows that don't have it, those with NULL included.
    pub negate: bool,
}

/// Where text must stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextPlace {
    /// Anywhere.
    Anywhere,
    /// At the beginning.
    Start,
    /// At the end.
    End,
}

impl Op {
    /// The operator's name, for messages.
    pub fn name(&self) -> &'static str {
        use TextPlace::{Anywhere, End, Start};
        match self {
            Self::Eq(_) => "_eq",
            Self::Neq(_) => "_neq",
            Self::Lt(_) => "_lt",
            Self::Lte(_) => "_lte",
            Self::Gt(_) => "_gt",
            Self::Gte(_) => "_gte",
            Self::In(_) => "_in",
            Self::Nin(_) => "_nin",
            Self::Null => "_null",
            Self::NotNull => "_nnull",
            Self::Between(..) => "_between",
            Self::NotBetween(..) => "_nbetween",
            Self::Empty => "_empty",
            Self::NotEmpty => "_nempty",
            Self::Regex(_) => "_regex",
            Self::Text(TextMatch { place, fold, negate, .. }) => match (place, fold, negate) {
                (Anywhere, false, false) => "_contains",
                (Anywhere, false, true) => "_ncontains",
                (Anywhere, true, false) => "_icontains",
                (Anywhere, true, true) => "_nicontains",
                (Start, false, false) => "_starts_with",
                (Start, false, true) => "_nstarts_with",
                (Start, true, false) => "_istarts_with",
                (Start, true, true) => "_nistarts_with",
                (End, false, false) => "_ends_with",
                (End, false, true) => "_nends_with",
                (End, true, false) => "_iends_with",
                (End, true, true) => "_niends_with",
            },
        }
    }
}
