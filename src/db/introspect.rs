//! Tables that somebody else made in the same database, read as collections: columns as fields, foreign keys as relations.
//!
//! Part of loading the schema: one statement more where there are no such tables, three where there are. The tables are served as they
//! are and never changed. What a field can't hold the way both databases do (arrays, enumerations, intervals, generated columns and other
//! types that are not in the lists below) is left out of the collection. Left alone are the host's own tables, those of the database and
//! of its extensions, views, and names that aren't letters, digits and `_`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::relation::{Deselect, OnDelete, Relation};
use super::schema::Schema;
use super::{Collection, Conn, Dialect, Field, FieldType, Sql};
use crate::error::Result;

type Row = Vec<Value>;

/// A column as the database describes it.
struct Column {
    name: String,
    /// What it is read as; `None` leaves it out.
    ty: Option<FieldType>,
    max_length: Option<u32>,
    nullable: bool,
    default: Option<String>,
    counts: bool,
    /// Its place in the primary key, from 1; 0 outside it.
    key: i64,
}

/// Adds the tables to the schema; answers their foreign keys.
pub(super) async fn tables_of_others(conn: &mut Conn<'_>, schema: &mut Schema) -> Result<Vec<Relation>> {
    let columns = match conn.dialect() {
        Dialect::Sqlite => sqlite_columns(conn).await?,
        Dialect::Postgres => postgres_columns(conn).await?,
    };
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let singles = single_indexes(conn).await?;
    for (table, columns) in columns {
        schema.add_table(collection(table, columns, &singles));
    }
    foreign_keys(conn, schema).await
}

/// The table as a collection, or its name and why it can't be one.
fn collection(name: String, columns: Vec<Column>, singles: &BTreeMap<(String, String), bool>) -> Result<Collection, (String, String)> {
    if !is_plain(&name) {
        return Err((name, "has a name that isn't letters, digits and `_`".to_owned()));
    }
    let mut key = columns.iter().filter(|column| column.key > 0);
    let key = match (key.next(), key.next()) {
        (Some(key), None) => key.name.clone(),
        (None, _) => return Err((name, "has no primary key".to_owned())),
        (Some(_), Some(_)) => return Err((name, "has a primary key of several columns; it needs one of a single column".to_owned())),
    };
    let mut fields = Vec::with_capacity(columns.len());
    for column in columns {
        let Some(ty) = column.ty.filter(|_| is_plain(&column.name)) else { continue };
        let unique = singles.get(&(name.clone(), column.name.clone()));
        let primary = column.name == key;
        fields.push(Field {
            nullable: column.nullable && !primary,
            unique: unique == Some(&true) && !primary,
            indexed: unique == Some(&false),
            default: column.default.filter(|_| !column.counts || !primary).map(|text| default(&text)),
            auto_increment: column.counts && primary,
            max_length: column.max_length,
            sort: i32::try_from(fields.len()).unwrap_or(i32::MAX),
            ..Field::new(column.name, ty)
        });
    }
    use FieldType::{BigInteger, Integer, String as Str, Text, Uuid};
    let primary = fields.iter().position(|field| field.name == key && matches!(field.ty, Integer | BigInteger | Uuid | Str | Text));
    match primary {
        Some(primary) => Ok(Collection {
            name,
            system: false,
            described: false,
            singleton: false,
            note: None,
            meta: Map::new(),
            primary,
            fields,
            aliases: Vec::new(),
        }),
        None => Err((name, format!("has a primary key, `{key}`, of a type that can't tell items apart here"))),
    }
}

/// A name that can stand in a path, a query and an event without being taken for something else.
fn is_plain(name: &str) -> bool {
    let mut chars = name.chars();
    let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    starts && chars.all(|c| c.is_ascii_alphanumeric() || c == '_') && name.len() <= 63
}

/// The SQL of a default as JSON: what it says where it is a plain value, else its text. The database computes it either way.
fn default(text: &str) -> Value {
    let plain = text.split("::").next().unwrap_or(text).trim().trim_start_matches('(').trim_end_matches(')');
    if let Some(quoted) = plain.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).filter(|inner| !inner.contains('\'')) {
        return Value::from(quoted);
    }
    match plain {
        "true" | "TRUE" => Value::Bool(true),
        "false" | "FALSE" => Value::Bool(false),
        number => match number.parse::<i64>() {
            Ok(number) => Value::from(number),
            Err(_) => Value::from(text),
        },
    }
}

fn text(row: &Row, at: usize) -> String {
    row.get(at).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(row: &Row, at: usize) -> i64 {
    row.get(at).and_then(Value::as_i64).unwrap_or_default()
}

fn flag(row: &Row, at: usize) -> bool {
    row.get(at) == Some(&Value::Bool(true))
}

/// The tables of others, in a form that a query can go on from.
const SQLITE_TABLES: &str = "(SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
     AND lower(substr(name, 1, 7)) <> 'sqlite_' AND lower(substr(name, 1, 5)) <> 'daas_' \
     AND name NOT IN (SELECT collection FROM daas_collections)) AS t";

async fn sqlite_columns(conn: &mut Conn<'_>) -> Result<BTreeMap<String, Vec<Column>>> {
    use FieldType::{Boolean, Integer, String as Str};
    let statement = format!(
        "SELECT t.name, t.wr, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk FROM {SQLITE_TABLES}, pragma_table_xinfo(t.name) AS c \
         WHERE c.hidden = 0 ORDER BY t.name, c.cid"
    );
    let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for row in conn.select(&Sql::raw(statement, Vec::new()), &[Str, Boolean, Str, Str, Boolean, Str, Integer]).await? {
        let declared = text(&row, 3).to_ascii_uppercase();
        let (ty, max_length) = sqlite_type(&declared);
        tables.entry(text(&row, 0)).or_default().push(Column {
            name: text(&row, 2),
            ty,
            max_length,
            nullable: !flag(&row, 4),
            default: row.get(5).and_then(Value::as_str).filter(|text| !text.eq_ignore_ascii_case("null")).map(str::to_owned),
            // The row id under another name.
            counts: declared == "INTEGER" && !flag(&row, 1),
            key: number(&row, 6),
        });
    }
    Ok(tables)
}

/// Dates are what their writer made of them: SQLite has no type for them, so they are text here.
fn sqlite_type(declared: &str) -> (Option<FieldType>, Option<u32>) {
    let has = |word: &str| declared.contains(word);
    let length = declared.split_once('(').and_then(|(_, rest)| rest.split([')', ',']).next()).and_then(|n| n.trim().parse().ok());
    let ty = if has("BOOL") {
        FieldType::Boolean
    } else if has("INT") {
        FieldType::BigInteger
    } else if has("CHAR") && length.is_some() {
        return (Some(FieldType::String), length);
    } else if has("CHAR") || has("CLOB") || has("TEXT") || has("UUID") || has("DATE") || has("TIME") || declared.is_empty() {
        FieldType::Text
    } else if has("REAL") || has("FLOA") || has("DOUB") || has("NUMERIC") || has("DECIMAL") {
        FieldType::Float
    } else if has("JSON") {
        FieldType::Json
    } else if has("BLOB") {
        FieldType::Binary
    } else {
        return (None, None);
    };
    (Some(ty), None)
}

/// The condition that leaves the tables of others, which are `c`.
const POSTGRES_TABLES: &str = "c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
     AND lower(left(c.relname::text, 5)) <> 'daas_' AND NOT EXISTS (SELECT 1 FROM daas_collections AS d WHERE d.collection = c.relname::text) \
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend AS e WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')";

async fn postgres_columns(conn: &mut Conn<'_>) -> Result<BTreeMap<String, Vec<Column>>> {
    use FieldType::{Boolean, Integer, String as Str};
    let statement = format!(
        "SELECT c.relname::text, a.attname::text, t.typname::text, a.atttypmod::int4, a.attnotnull, \
         pg_catalog.pg_get_expr(b.adbin, b.adrelid), a.attidentity <> '', coalesce(array_position(i.indkey::int2[], a.attnum) + 1, 0)::int4, \
         a.attgenerated <> '' \
         FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid \
         LEFT JOIN pg_catalog.pg_attrdef AS b ON b.adrelid = c.oid AND b.adnum = a.attnum \
         LEFT JOIN pg_catalog.pg_index AS i ON i.indrelid = c.oid AND i.indisprimary \
         WHERE {POSTGRES_TABLES} ORDER BY c.relname, a.attnum"
    );
    let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for row in conn.select(&Sql::raw(statement, Vec::new()), &[Str, Str, Str, Integer, Boolean, Str, Boolean, Integer, Boolean]).await? {
        let (ty, max_length) = postgres_type(&text(&row, 2), number(&row, 3));
        let default = row.get(5).and_then(Value::as_str).map(str::to_owned);
        let columns = tables.entry(text(&row, 0)).or_default();
        columns.push(Column {
            name: text(&row, 1),
            ty: ty.filter(|_| !flag(&row, 8)),
            max_length,
            nullable: !flag(&row, 4),
            counts: flag(&row, 6) || default.as_ref().is_some_and(|text| text.starts_with("nextval(")),
            default,
            key: number(&row, 7),
        });
    }
    Ok(tables)
}

fn postgres_type(name: &str, modifier: i64) -> (Option<FieldType>, Option<u32>) {
    /// The length or the digits of a type stand four above what was written.
    const HEADER: i64 = 4;
    let length = u32::try_from(modifier - HEADER).ok().filter(|n| *n > 0);
    let ty = match name {
        "varchar" | "bpchar" if length.is_some() => return (Some(FieldType::String), length),
        "text" | "varchar" => FieldType::Text,
        "int2" | "int4" => FieldType::Integer,
        "int8" => FieldType::BigInteger,
        "float4" | "float8" => FieldType::Float,
        "numeric" if modifier < HEADER => FieldType::Decimal { precision: 60, scale: 20 },
        "numeric" => {
            let (precision, scale) = ((modifier - HEADER) >> 16, (modifier - HEADER) & 0x7ff);
            match (u8::try_from(precision), u8::try_from(scale)) {
                (Ok(precision), Ok(scale)) if precision <= 100 && scale <= precision => FieldType::Decimal { precision, scale },
                _ => return (None, None),
            }
        }
        "bool" => FieldType::Boolean,
        "uuid" => FieldType::Uuid,
        "timestamp" => FieldType::DateTime,
        "timestamptz" => FieldType::Timestamp,
        "date" => FieldType::Date,
        "time" => FieldType::Time,
        "json" | "jsonb" => FieldType::Json,
        "bytea" => FieldType::Binary,
        _ => return (None, None),
    };
    (Some(ty), None)
}

/// Columns with an index of their own, and whether it is unique.
async fn single_indexes(conn: &mut Conn<'_>) -> Result<BTreeMap<(String, String), bool>> {
    use FieldType::{Boolean, String as Str};
    let statement = match conn.dialect() {
        Dialect::Sqlite => format!(
            "SELECT t.name, min(c.name), i.\"unique\" FROM {SQLITE_TABLES}, pragma_index_list(t.name) AS i, pragma_index_info(i.name) AS c \
             WHERE i.partial = 0 AND i.origin <> 'pk' GROUP BY t.name, i.name, i.\"unique\" HAVING count(*) = 1 AND min(c.name) IS NOT NULL"
        ),
        Dialect::Postgres => format!(
            "SELECT c.relname::text, a.attname::text, i.indisunique FROM pg_catalog.pg_index AS i \
             JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid \
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] \
             WHERE {POSTGRES_TABLES} AND i.indnkeyatts = 1 AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT i.indisprimary"
        ),
    };
    let mut found = BTreeMap::new();
    for row in conn.select(&Sql::raw(statement, Vec::new()), &[Str, Str, Boolean]).await? {
        *found.entry((text(&row, 0), text(&row, 1))).or_insert(false) |= flag(&row, 2);
    }
    Ok(found)
}

/// Those of one column that refer to the key of a collection.
async fn foreign_keys(conn: &mut Conn<'_>, schema: &Schema) -> Result<Vec<Relation>> {
    use FieldType::String as Str;
    let statement = match conn.dialect() {
        Dialect::Sqlite => format!(
            "SELECT t.name, min(f.\"from\"), min(f.\"table\"), min(f.\"to\"), min(f.on_delete) FROM {SQLITE_TABLES}, \
             pragma_foreign_key_list(t.name) AS f GROUP BY t.name, f.id HAVING count(*) = 1"
        ),
        Dialect::Postgres => format!(
            "SELECT c.relname::text, a.attname::text, o.relname::text, b.attname::text, \
             CASE k.confdeltype WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' \
             ELSE 'NO ACTION' END \
             FROM pg_catalog.pg_constraint AS k JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid \
             JOIN pg_catalog.pg_class AS o ON o.oid = k.confrelid \
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.conkey[1] \
             JOIN pg_catalog.pg_attribute AS b ON b.attrelid = o.oid AND b.attnum = k.confkey[1] \
             WHERE {POSTGRES_TABLES} AND o.relnamespace = current_schema()::regnamespace AND k.contype = 'f' AND k.conparentid = 0 \
             AND array_length(k.conkey, 1) = 1"
        ),
    };
    let mut relations = Vec::new();
    for row in conn.select(&Sql::raw(statement, Vec::new()), &[Str, Str, Str, Str, Str]).await? {
        // SQLite takes the names in any case, and no column for the key.
        let Some(target) = schema.collections().find(|c| c.name.eq_ignore_ascii_case(&text(&row, 2))) else { continue };
        let to_key = row.get(3).and_then(Value::as_str).is_none_or(|to| to.eq_ignore_ascii_case(&target.primary_key().name));
        if to_key {
            relations.push(Relation {
                id: None,
                collection: text(&row, 0),
                field: text(&row, 1),
                related: Some(target.name.clone()),
                one_field: None,
                one_collection_field: None,
                one_allowed: Vec::new(),
                junction_field: None,
                sort_field: None,
                deselect: Deselect::Nullify,
                on_delete: OnDelete::parse(&text(&row, 4)),
                system: false,
                meta: Map::new(),
            });
        }
    }
    Ok(relations)
}
