//! What the raw client can name: the tables and views that really exist, their columns and keys, how foreign keys join them, and on
//! Postgres the functions.
//!
//! Read from the database itself, so that what a user's own migrations made is there too; where a collection declares a column, its type
//! is the one that the items API shows. Tables of the database's own are not in it, so nothing can name them.

use std::collections::BTreeMap;

use crate::db::{Dialect, FieldType, Schema};

/// A snapshot of all that can be named.
#[derive(Debug, Clone)]
pub struct Catalog {
    pub(super) dialect: Dialect,
    pub(super) tables: BTreeMap<String, Table>,
    pub(super) keys: Vec<ForeignKey>,
    pub(super) functions: BTreeMap<String, Vec<Function>>,
    /// Views of which only the name is known yet.
    pub(super) unread_views: Vec<String>,
}

/// A table or a view.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    pub(super) primary: Vec<String>,
    /// The sets of columns of which no two rows have the same, the primary key included.
    pub(super) uniques: Vec<Vec<String>>,
    pub(super) is_view: bool,
    /// On SQLite, the name of what tells its rows apart: the row id or the one column of the key. Quoted where it is used.
    pub(super) row_key: Option<String>,
    /// On Postgres, whether its one key column counts by itself.
    pub(super) counts: bool,
}

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The type's name on Postgres, as it is written in a cast.
    pub(super) sql_type: String,
    /// Characters at most, where a collection says so.
    pub(super) max_length: Option<u32>,
    /// Can't be written.
    pub(super) generated: bool,
}

/// How values of a column are read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// As a field of that type is.
    Field(FieldType),
    /// As the database itself does.
    Native,
}

impl Kind {
    pub(super) const TEXT: Self = Self::Field(FieldType::Text);
    pub(super) const JSON: Self = Self::Field(FieldType::Json);

    /// The type's name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Native => "unknown",
            Self::Field(FieldType::String | FieldType::Text) => "text",
            Self::Field(FieldType::Integer) => "integer",
            Self::Field(FieldType::BigInteger) => "bigint",
            Self::Field(FieldType::Float) => "double precision",
            Self::Field(FieldType::Decimal { .. }) => "numeric",
            Self::Field(FieldType::Boolean) => "boolean",
            Self::Field(FieldType::Uuid) => "uuid",
            Self::Field(FieldType::DateTime) => "timestamp",
            Self::Field(FieldType::Timestamp) => "timestamptz",
            Self::Field(FieldType::Date) => "date",
            Self::Field(FieldType::Time) => "time",
            Self::Field(FieldType::Csv | FieldType::Hash) => "text",
            Self::Field(FieldType::Binary) => "bytea",
            Self::Field(FieldType::Json) => "json",
        }
    }
}

/// A foreign key: `columns` of `table` name `target_columns` of `target`.
#[derive(Debug, Clone)]
pub(super) struct ForeignKey {
    pub(super) name: String,
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    pub(super) target: String,
    pub(super) target_columns: Vec<String>,
}

/// A function of the database.
#[derive(Debug, Clone)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) args: Vec<Arg>,
    pub(super) returns: Returns,
    /// Answers any number of rows.
    pub(super) is_set: bool,
}

/// An argument of a function.
#[derive(Debug, Clone)]
pub(super) struct Arg {
    pub(super) name: String,
    pub(super) sql_type: String,
    pub(super) optional: bool,
}

/// What a function answers.
#[derive(Debug, Clone)]
pub(super) enum Returns {
    Nothing,
    /// One value.
    Value(Column),
    /// A row with these columns; of that table, if it is one's.
    Row(Vec<Column>, Option<String>),
}

impl Table {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// Whether a table is one of the host's own.
pub fn is_system(name: &str) -> bool {
    name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("daas_"))
}

impl Catalog {
    pub(super) fn empty(dialect: Dialect) -> Self {
        Self { dialect, tables: BTreeMap::new(), keys: Vec::new(), functions: BTreeMap::new(), unread_views: Vec::new() }
    }

    /// Notes a column as the database describes it, and as a collection does.
    pub(super) fn add_column(&mut self, schema: &Schema, table: &str, is_view: bool, column: Column) {
        let field = schema.collection(table).filter(|c| c.described).and_then(|c| c.field(&column.name));
        let column = match field {
            Some(field) => Column { kind: Kind::Field(field.ty), max_length: field.length_limit(), ..column },
            None => column,
        };
        let entry = self.tables.entry(table.to_owned()).or_insert_with(|| Table {
            name: table.to_owned(),
            columns: Vec::new(),
            primary: Vec::new(),
            uniques: Vec::new(),
            is_view,
            row_key: None,
            counts: false,
        });
        entry.columns.push(column);
    }

    /// Whether the columns have no value twice in the table.
    pub(super) fn is_unique(&self, table: &str, columns: &[String]) -> bool {
        let known = self.tables.get(table).map_or(&[][..], |t| &t.uniques[..]);
        known.iter().any(|unique| unique.iter().all(|c| columns.contains(c)))
    }
}
