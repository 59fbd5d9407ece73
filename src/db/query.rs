//! A query as data: what the callers' filters, sorts and limits mean, free of SQL and of HTTP.
//!
//! The services parse into these types and add the rules of permissions; [`super::sql`] turns them into statements.

use serde_json::Value;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// The field's name.
    pub field: String,
    /// From high to low. NULL counts as lowest either way: first ascending, last descending.
    pub descending: bool,
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
            Self::Not(_) | Self::Field { .. } => true,
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
