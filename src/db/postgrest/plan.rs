//! A request of the raw client as data: which rows of which relation, with what embedded, and what to do with them.
//!
//! Free of SQL and of the wire format. `services::rawdb` parses requests into these types; the other files here turn them into statements.
//! Names in it are the caller's: nothing here is known to exist yet.

use serde_json::{Map, Value};

/// What is asked of one relation, or of what is embedded in one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Node {
    /// What each row is answered with. Empty: nothing of it.
    pub select: Vec<Item>,
    /// Conditions, all of which must hold.
    pub filters: Vec<Cond>,
    /// The order, most important first.
    pub order: Vec<Order>,
    /// At most so many rows.
    pub limit: Option<u64>,
    /// Rows to leave out at the beginning.
    pub offset: u64,
}

/// One member of an answered row.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// Every column.
    Star,
    /// A column, or what an aggregate function makes of one.
    Column(Selected),
    /// Rows of another relation.
    Embed(Embed),
}

/// A column that is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    /// The column. `None` for `count()`.
    pub column: Option<Path>,
    /// Under which name, if not its own.
    pub alias: Option<String>,
    /// Its type in the answer, if not its own.
    pub cast: Option<Cast>,
    /// What is made of the values of all rows.
    pub aggregate: Option<Aggregate>,
}

/// A column, or a place in the JSON that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The column.
    pub name: String,
    /// The way into its JSON.
    pub steps: Vec<Step>,
}

impl Path {
    /// The column itself.
    pub fn column(name: impl Into<String>) -> Self {
        Self { name: name.into(), steps: Vec::new() }
    }
}

/// One arrow of a way into JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which member or element.
    pub key: Key,
    /// `->>`: as text.
    pub as_text: bool,
}

/// What an arrow points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A member of an object.
    Name(String),
    /// An element of an array, from the end where negative.
    Index(i32),
}

/// The types that a column can be cast to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    /// `text`, `varchar`
    Text,
    /// `int2`, `int4`, `integer`, `int`, `smallint`
    Integer,
    /// `int8`, `bigint`
    BigInteger,
    /// `float4`, `float8`, `real`
    Float,
    /// `numeric`, `decimal`
    Numeric,
    /// `bool`, `boolean`
    Boolean,
    /// `json`, `jsonb`
    Json,
    /// `uuid`
    Uuid,
    /// `date`
    Date,
    /// `timestamp`
    DateTime,
    /// `timestamptz`
    Timestamp,
}

impl Cast {
    /// The names that casts are asked for by.
    pub const NAMES: &[(&str, Self)] = &[
        ("text", Self::Text),
        ("varchar", Self::Text),
        ("int2", Self::Integer),
        ("int4", Self::Integer),
        ("int", Self::Integer),
        ("integer", Self::Integer),
        ("smallint", Self::Integer),
        ("int8", Self::BigInteger),
        ("bigint", Self::BigInteger),
        ("float4", Self::Float),
        ("float8", Self::Float),
        ("real", Self::Float),
        ("numeric", Self::Numeric),
        ("decimal", Self::Numeric),
        ("bool", Self::Boolean),
        ("boolean", Self::Boolean),
        ("json", Self::Json),
        ("jsonb", Self::Json),
        ("uuid", Self::Uuid),
        ("date", Self::Date),
        ("timestamp", Self::DateTime),
        ("timestamptz", Self::Timestamp),
    ];
}

/// What is made of the values of many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    /// How many there are.
    Count,
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

impl Aggregate {
    /// Its name, in requests and in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Max => "max",
            Self::Min => "min",
        }
    }
}

/// Rows of another relation, embedded in each row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Embed {
    /// The relation, or the foreign key that leads to it.
    pub target: String,
    /// Which of several ways there.
    pub hint: Option<String>,
    /// Under which name, if not the target's.
    pub alias: Option<String>,
    /// Leaves out rows that have nothing to embed.
    pub inner: bool,
    /// The members are put into the row itself.
    pub spread: bool,
    /// What is asked of it.
    pub node: Node,
}

impl Embed {
    /// The name under which it is answered, and by which filters and orders name it.
    pub fn name(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.target)
    }
}

/// A condition on a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cond {
    /// All hold.
    And(Vec<Cond>),
    /// At least one holds.
    Or(Vec<Cond>),
    /// It doesn't hold.
    Not(Box<Cond>),
    /// A column compared; or whether something is embedded, for `is.null` with the name of an embed.
    Test(Path, Op),
}

/// A comparison. Values are text as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// With one value.
    Compare(Compare, String),
    /// With several: any of them, or all.
    Quantified(Compare, Quantifier, Vec<String>),
    /// Equal to one of them.
    In(Vec<String>),
    /// One of SQL's own values.
    Is(Is),
    /// Full-text search, with the name of its configuration.
    Search(Search, Option<String>, String),
    /// An operator between containers or ranges.
    Container(Container, String),
}

/// Whether one or each of several values must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantifier {
    /// At least one.
    Any,
    /// Each.
    All,
}

macro_rules! operators {
    ($(#[doc = $what:literal])* $name:ident { $($(#[doc = $doc:literal])* $variant:ident = $word:literal,)* }) => {
        $(#[doc = $what])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $doc])* $variant,)* }

        impl $name {
            /// The operator of that name.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($word => Some(Self::$variant),)* _ => None }
            }

            /// Its name in requests.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

operators! {
    /// How a column is compared with a value.
    Compare {
        /// Equal.
        Eq = "eq",
        /// Not equal.
        Neq = "neq",
        /// Greater.
        Gt = "gt",
        /// Greater or equal.
        Gte = "gte",
        /// Less.
        Lt = "lt",
        /// Less or equal.
        Lte = "lte",
        /// Like a pattern.
        Like = "like",
        /// Like a pattern, whatever the case.
        Ilike = "ilike",
        /// Matched by a regular expression.
        Match = "match",
        /// Matched by a regular expression, whatever the case.
        Imatch = "imatch",
        /// Not equal, where NULL is a value like others.
        Distinct = "isdistinct",
    }
}

operators! {
    /// What SQL's `IS` knows.
    Is {
        /// NULL.
        Null = "null",
        /// Anything but NULL.
        NotNull = "not_null",
        /// True.
        True = "true",
        /// False.
        False = "false",
        /// Neither true nor false.
        Unknown = "unknown",
    }
}

operators! {
    /// How a full-text query is read.
    Search {
        /// With operators.
        Raw = "fts",
        /// As plain words.
        Plain = "plfts",
        /// As a phrase.
        Phrase = "phfts",
        /// As search engines do.
        Web = "wfts",
    }
}

operators! {
    /// Operators between containers or ranges.
    Container {
        /// Contains.
        Contains = "cs",
        /// Is contained in.
        Contained = "cd",
        /// Has something in common with.
        Overlaps = "ov",
        /// Strictly left of.
        StrictlyLeft = "sl",
        /// Strictly right of.
        StrictlyRight = "sr",
        /// Doesn't extend to the right of.
        NotRight = "nxr",
        /// Doesn't extend to the left of.
        NotLeft = "nxl",
        /// Adjacent to.
        Adjacent = "adj",
    }
}

/// One step of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The column.
    pub column: Path,
    /// Of which to-one embed, if it isn't the row's own.
    pub embed: Option<String>,
    /// From high to low.
    pub descending: bool,
    /// Where NULL comes; by default last ascending, first descending.
    pub nulls_first: Option<bool>,
}

/// What a write does with the rows it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    /// The columns that are written; `None`: those of the first row.
    pub columns: Option<Vec<String>>,
    /// The rows.
    pub rows: Vec<Map<String, Value>>,
    /// A missing member takes the column's default instead of NULL.
    pub missing_is_default: bool,
    /// What happens to rows that are there already.
    pub conflict: Option<Conflict>,
}

/// What an insert does with a row that is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The unique columns by which that is told; `None`: the primary key.
    pub columns: Option<Vec<String>>,
    /// Leaves it as it is, instead of changing it.
    pub ignore: bool,
}

/// What is done with the rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Read.
    Read,
    /// New rows.
    Insert(Insert),
    /// Changes the rows that the filters select.
    Update(Map<String, Value>),
    /// Removes the rows that the filters select.
    Delete,
}

/// A call of a function of the database.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Its arguments by name.
    pub args: Map<String, Value>,
    /// Whether it may write.
    pub may_write: bool,
}
