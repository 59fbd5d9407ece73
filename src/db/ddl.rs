//! Changes of the schema: the real table and the rows that describe it, in one job.
//!
//! Both databases run these inside the transaction of the job. SQLite can't alter a column, so there the stored text of the table is
//! replaced, which its documentation allows for constraints and defaults. Called by the service that manages collections; whether the
//! caller may is decided there.

use chrono::{DateTime, Utc};
use sea_query::Value as Bind;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::query::{Filter, Op, Query};
use super::schema::field_row;
use super::{Collection, Conn, Dialect, Field, FieldType, Sql, moment, sql, system, timestamp};
use crate::error::{Error, ErrorCode, Result};

/// Both databases keep names up to this many bytes.
const MAX_NAME: usize = 63;
/// Rows read at once when a field changes its type.
const CONVERTED_AT_ONCE: usize = 500;

/// A collection to be made.
#[derive(Debug, Clone)]
pub struct NewCollection {
    /// Its name: letters, digits and `_`.
    pub name: String,
    /// Holds one item.
    pub singleton: bool,
    /// What it is for.
    pub note: Option<String>,
    /// What else its maker sent.
    pub meta: Map<String, Value>,
    /// Where in `fields` the primary key is: integer or bigInteger with `auto_increment`, uuid or string.
    pub primary: usize,
    /// The fields; `sort` is given anew in this order.
    pub fields: Vec<Field>,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Makes the table and describes it.
///
/// # Errors
/// `InvalidPayload` for a name, key, default or type that can't be; `Conflict` when there is such a table already.
pub async fn create_collection(conn: &mut Conn<'_>, new: &NewCollection) -> Result<()> {
    let dialect = conn.dialect();
    check_name("collection", &new.name)?;
    for reserved in ["daas_", "sqlite_", "pg_"] {
        if new.name.to_ascii_lowercase().starts_with(reserved) {
            return Err(Error::payload(format!("Names that begin with `{reserved}` are reserved, got: `{}`", new.name)));
        }
    }
    let mut collection = Collection {
        name: new.name.clone(),
        system: false,
        singleton: new.singleton,
        note: new.note.clone(),
        meta: new.meta.clone(),
        primary: new.primary,
        fields: new.fields.clone(),
        aliases: Vec::new(),
    };
    let key = collection.fields.get_mut(new.primary).ok_or_else(|| Error::payload("A collection needs a primary key"))?;
    key.nullable = false;
    let possible = match key.ty {
        FieldType::Integer | FieldType::BigInteger => true,
        FieldType::Uuid | FieldType::String => !key.auto_increment,
        _ => false,
    };
    if !possible {
        let message = format!("`{}` can't be the primary key: it must be integer, bigInteger, uuid or string", key.name);
        return Err(Error::payload(message).with_field(&key.name));
    }
    for (at, field) in collection.fields.iter_mut().enumerate() {
        field.sort = i32::try_from(at).unwrap_or(i32::MAX);
        if field.auto_increment && at != new.primary {
            return Err(Error::payload(format!("`{}` can't count up: only a primary key can", field.name)).with_field(&field.name));
        }
    }
    for (at, field) in collection.fields.iter().enumerate() {
        check_field(dialect, field, &collection.fields[..at])?;
    }
    if table_exists(conn, &new.name).await? {
        return Err(Error::new(ErrorCode::Conflict, format!("There is a collection or table `{}` already", new.name)));
    }

    let columns: Vec<&Field> = collection.fields.iter().collect();
    conn.batch(&create_table(dialect, &collection, &columns)?).await?;
    let row = [
        ("collection", Value::from(new.name.as_str())),
        ("singleton", Value::from(new.singleton)),
        ("note", Value::from(new.note.clone())),
        ("meta", if new.meta.is_empty() { Value::Null } else { Value::Object(new.meta.clone()) }),
        ("created_at", Value::from(timestamp(new.created_at))),
    ];
    let row = row.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    conn.execute(&sql::insert(dialect, &system::collections_table(), &row, &[])?).await?;
    for (at, field) in collection.fields.iter().enumerate() {
        if at != new.primary {
            make_indexes(conn, &new.name, field).await?;
        }
        describe(conn, &new.name, field, at == new.primary).await?;
    }
    Ok(())
}

/// Drops the table with its items and its description.
///
/// # Errors
/// `InvalidForeignKey` when other items refer to it.
pub async fn drop_collection(conn: &mut Conn<'_>, name: &str) -> Result<()> {
    let dialect = conn.dialect();
    let of = Filter::field("collection", Op::Eq(Value::from(name)));
    conn.execute(&sql::delete_where(dialect, &system::fields_table(), &of)?).await?;
    if conn.execute(&sql::delete_where(dialect, &system::collections_table(), &of)?).await? == 0 {
        return Err(Error::new(ErrorCode::CollectionNotFound, format!("There is no collection `{name}`")));
    }
    conn.batch(&format!("DROP TABLE {}", quoted(name))).await
}

/// Adds a field to a collection: where its `sort` says, at the end when that is 0.
///
/// # Errors
/// `InvalidPayload` for a name, type or default that can't be; `FailedValidation` for a field that must have a value, has no default and
/// meets items that are there already.
pub async fn add_field(conn: &mut Conn<'_>, collection: &Collection, field: &Field) -> Result<()> {
    let dialect = conn.dialect();
    check_field(dialect, field, &collection.fields)?;
    if field.auto_increment {
        return Err(Error::payload(format!("`{}` can't count up: only a primary key can", field.name)).with_field(&field.name));
    }
    if !field.nullable && field.default.is_none() && !is_empty(conn, collection).await? {
        return Err(valueless(collection, field));
    }
    // SQLite adds no NOT NULL column without a default, even to an empty table: the constraint comes with the rewritten text.
    let loose = Field { nullable: field.nullable || (dialect == Dialect::Sqlite && field.default.is_none()), ..field.clone() };
    conn.batch(&format!("ALTER TABLE {} ADD COLUMN {}", quoted(&collection.name), column(dialect, &loose, false)?)).await?;
    let mut after = collection.clone();
    after.fields.push(field.clone());
    rewrite(conn, &after).await?;
    make_indexes(conn, &collection.name, field).await?;
    let last = collection.fields.iter().map(|f| f.sort).max().unwrap_or_default().saturating_add(1);
    let placed = Field { sort: if field.sort == 0 { last } else { field.sort }, ..field.clone() };
    describe(conn, &collection.name, &placed, false).await
}

/// Changes a field to what `field` says; its name stays.
///
/// # Errors
/// `InvalidPayload` for a default that can't be or a change of the primary key's column; `FailedValidation` when an item has no value and
/// now needs one, or has one that doesn't convert; `RecordNotUnique` when items share a value that is to be unique.
pub async fn alter_field(conn: &mut Conn<'_>, collection: &Collection, field: &Field) -> Result<()> {
    let dialect = conn.dialect();
    let at = collection.fields.iter().position(|f| f.name == field.name);
    let at = at.ok_or_else(|| no_field(collection, &field.name))?;
    let old = &collection.fields[at];
    let primary = at == collection.primary;
    let moved = old.ty != field.ty || old.length_limit() != field.length_limit();
    if primary && (moved || field.nullable || old.auto_increment != field.auto_increment) {
        return Err(Error::payload(format!("`{}` is the primary key and keeps its type", field.name)).with_field(&field.name));
    }
    if !primary && field.auto_increment {
        return Err(Error::payload(format!("`{}` can't count up: only a primary key can", field.name)).with_field(&field.name));
    }
    check_column(dialect, field)?;
    let mut after = collection.clone();
    after.fields[at] = field.clone();
    if moved {
        drop_indexes(conn, &collection.name, old).await?;
        convert(conn, collection, old, field).await?;
        make_indexes(conn, &collection.name, field).await?;
    } else if !primary {
        for (was, is, kind) in [(old.unique, field.unique, "unique"), (old.indexed, field.indexed, "index")] {
            match (was, is) {
                (true, false) => drop_index(conn, &collection.name, &field.name, kind).await?,
                (false, true) => make_index(conn, &collection.name, &field.name, kind).await?,
                _ => {}
            }
        }
    }
    if !field.nullable && (old.nullable || moved) {
        let missing = Filter::field(&field.name, Op::Null);
        let query = Query { filter: Some(missing), limit: Some(1), ..Query::default() };
        let statement = sql::keys(dialect, &after, &query)?;
        if !conn.select(&Sql::build(dialect, &statement), &[collection.primary_key().ty]).await?.is_empty() {
            return Err(valueless(collection, field));
        }
    }
    if dialect == Dialect::Postgres {
        let (table, name) = (quoted(&collection.name), quoted(&field.name));
        let default = match &field.default {
            Some(value) => format!("SET DEFAULT {}", literal(dialect, field, value)?),
            None => "DROP DEFAULT".to_owned(),
        };
        let null = if field.nullable { "DROP NOT NULL" } else { "SET NOT NULL" };
        let keep = if primary { String::new() } else { format!("ALTER TABLE {table} ALTER COLUMN {name} {null};") };
        let default = if field.auto_increment { String::new() } else { format!("ALTER TABLE {table} ALTER COLUMN {name} {default};") };
        conn.batch(&format!("{keep}{default}")).await?;
    }
    rewrite(conn, &after).await?;
    undescribe(conn, &collection.name, &field.name).await?;
    describe(conn, &collection.name, field, primary).await
}

/// Drops a field with its values.
///
/// # Errors
/// `InvalidPayload` for the primary key or a field that isn't there.
pub async fn drop_field(conn: &mut Conn<'_>, collection: &Collection, name: &str) -> Result<()> {
    let field = collection.field(name).ok_or_else(|| no_field(collection, name))?;
    if collection.primary_key().name == name {
        return Err(Error::payload(format!("`{name}` is the primary key and can't be dropped")).with_field(name));
    }
    drop_indexes(conn, &collection.name, field).await?;
    conn.batch(&format!("ALTER TABLE {} DROP COLUMN {}", quoted(&collection.name), quoted(name))).await?;
    undescribe(conn, &collection.name, name).await
}

/// After an insert that named the number of an item itself: the next number that the database gives out is higher. SQLite does so by
/// itself.
///
/// # Errors
/// What the database refuses.
pub async fn after_explicit_key(conn: &mut Conn<'_>, collection: &Collection, key: &Value) -> Result<()> {
    let field = collection.primary_key();
    if conn.dialect() == Dialect::Sqlite || !field.auto_increment {
        return Ok(());
    }
    match FieldType::BigInteger.encode(Dialect::Postgres, key) {
        Ok(Bind::BigInt(Some(key))) => after_explicit_number(conn, &collection.name, &field.name, key).await,
        _ => Ok(()),
    }
}

/// As [`after_explicit_key`], for a column of Postgres that counts by itself.
pub(super) async fn after_explicit_number(conn: &mut Conn<'_>, table: &str, column: &str, key: i64) -> Result<()> {
    // Never back: numbers below the last one given out would meet items.
    let text = "SELECT setval(s.name, $1) FROM (SELECT pg_get_serial_sequence($2, $3)::regclass AS name) AS s \
                WHERE $1 > greatest(coalesce(pg_sequence_last_value(s.name), 0), 0)";
    let values = vec![Bind::from(key), Bind::from(quoted(table)), Bind::from(column)];
    conn.select(&Sql::raw(text, values), &[FieldType::BigInteger]).await.map(drop)
}

/// A name as SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn check_name(what: &str, name: &str) -> Result<()> {
    let mut chars = name.chars();
    let good = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !good || name.len() > MAX_NAME {
        return Err(Error::payload(format!(
            "The name of a {what} must be letters, digits and `_`, not begin with a digit and have at most {MAX_NAME} characters, got: `{name}`"
        )));
    }
    Ok(())
}

fn check_field(dialect: Dialect, field: &Field, others: &[Field]) -> Result<()> {
    /// Columns that every table of Postgres has.
    const TAKEN: &[&str] = &["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];
    check_name("field", &field.name)?;
    if TAKEN.contains(&field.name.to_ascii_lowercase().as_str()) {
        return Err(Error::payload(format!("The name `{}` is reserved by the database", field.name)).with_field(&field.name));
    }
    // SQLite tells names apart by more than their case.
    if let Some(other) = others.iter().find(|other| other.name.eq_ignore_ascii_case(&field.name)) {
        return Err(Error::payload(format!("There is a field `{}` already", other.name)).with_field(&field.name));
    }
    check_column(dialect, field)
}

fn check_column(dialect: Dialect, field: &Field) -> Result<()> {
    let refuse = |what: String| Err(Error::payload(format!("`{}` {what}", field.name)).with_field(&field.name));
    if let FieldType::Decimal { precision, .. } = field.ty
        && dialect == Dialect::Sqlite
        && precision > FieldType::SQLITE_PRECISION
    {
        return refuse(format!("must have a precision of at most {} on SQLite, got: {precision}", FieldType::SQLITE_PRECISION));
    }
    if field.max_length.is_some_and(|n| n == 0 || n > 10_485_760) {
        return refuse("must have a max_length between 1 and 10485760".to_owned());
    }
    if field.ty == FieldType::Json && (field.unique || field.indexed) {
        return refuse("can't be unique or indexed: its type is json".to_owned());
    }
    match &field.default {
        Some(value) => literal(dialect, field, value).map(drop),
        None => Ok(()),
    }
}

fn no_field(collection: &Collection, name: &str) -> Error {
    collection.known_field(name, ErrorCode::InvalidPayload).err().unwrap_or_else(|| Error::internal("a known field was not found"))
}

fn valueless(collection: &Collection, field: &Field) -> Error {
    let message = format!("`{}` in `{}` can't need a value: there are items without one", field.name, collection.name);
    Error::new(ErrorCode::FailedValidation, message).with_field(&field.name)
}

async fn table_exists(conn: &mut Conn<'_>, name: &str) -> Result<bool> {
    let text = match conn.dialect() {
        Dialect::Sqlite => "SELECT count(*) FROM sqlite_schema WHERE lower(name) = lower(?)",
        Dialect::Postgres => {
            "SELECT count(*) FROM pg_catalog.pg_class WHERE relnamespace = current_schema()::regnamespace AND lower(relname::text) = lower($1)"
        }
    };
    let rows = conn.select(&Sql::raw(text, vec![Bind::from(name)]), &[FieldType::BigInteger]).await?;
    Ok(rows != [[Value::from(0)]])
}

async fn is_empty(conn: &mut Conn<'_>, collection: &Collection) -> Result<bool> {
    let query = Query { limit: Some(1), ..Query::default() };
    let statement = Sql::build(conn.dialect(), &sql::keys(conn.dialect(), collection, &query)?);
    Ok(conn.select(&statement, &[collection.primary_key().ty]).await?.is_empty())
}

fn sql_type(dialect: Dialect, field: &Field) -> String {
    match (dialect, field.ty) {
        (Dialect::Sqlite, FieldType::Float) => "REAL".to_owned(),
        (Dialect::Sqlite, FieldType::Integer | FieldType::BigInteger | FieldType::Decimal { .. } | FieldType::Boolean) => {
            "INTEGER".to_owned()
        }
        (Dialect::Sqlite, _) => "TEXT".to_owned(),
        // Text sorts and compares by code point, as on SQLite.
        (Dialect::Postgres, FieldType::String | FieldType::Text) => match field.length_limit() {
            Some(limit) => format!("varchar({limit}) COLLATE \"C\""),
            None => "text COLLATE \"C\"".to_owned(),
        },
        (Dialect::Postgres, FieldType::Integer) => "integer".to_owned(),
        (Dialect::Postgres, FieldType::BigInteger) => "bigint".to_owned(),
        (Dialect::Postgres, FieldType::Float) => "double precision".to_owned(),
        (Dialect::Postgres, FieldType::Decimal { precision, scale }) => format!("numeric({precision},{scale})"),
        (Dialect::Postgres, FieldType::Boolean) => "boolean".to_owned(),
        (Dialect::Postgres, FieldType::Uuid) => "uuid".to_owned(),
        (Dialect::Postgres, FieldType::DateTime) => "timestamp(3)".to_owned(),
        (Dialect::Postgres, FieldType::Timestamp) => "timestamptz(3)".to_owned(),
        (Dialect::Postgres, FieldType::Json) => "json".to_owned(),
    }
}

/// A column as in CREATE TABLE.
fn column(dialect: Dialect, field: &Field, primary: bool) -> Result<String> {
    let mut text = format!("{} {}", quoted(&field.name), sql_type(dialect, field));
    match (primary, field.auto_increment, dialect) {
        (true, true, Dialect::Sqlite) => text.push_str(" PRIMARY KEY AUTOINCREMENT"),
        (true, true, Dialect::Postgres) => text.push_str(" GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
        (true, false, _) => text.push_str(" NOT NULL PRIMARY KEY"),
        (false, ..) if !field.nullable => text.push_str(" NOT NULL"),
        _ => {}
    }
    if let Some(value) = field.default.as_ref().filter(|_| !field.auto_increment) {
        text.push_str(&format!(" DEFAULT {}", literal(dialect, field, value)?));
    }
    Ok(text)
}

fn create_table(dialect: Dialect, collection: &Collection, columns: &[&Field]) -> Result<String> {
    let key = &collection.primary_key().name;
    let columns = columns.iter().map(|f| column(dialect, f, f.name == *key)).collect::<Result<Vec<_>>>()?;
    Ok(format!("CREATE TABLE {} ({})", quoted(&collection.name), columns.join(", ")))
}

/// A default as SQL text: DDL takes no parameters.
fn literal(dialect: Dialect, field: &Field, value: &Value) -> Result<String> {
    let bound = field.encode(dialect, value);
    let bound = bound.map_err(|what| Error::payload(format!("The default of `{}` {what}", field.name)).with_field(&field.name))?;
    Ok(match bound {
        Bind::Bool(Some(v)) if dialect == Dialect::Sqlite => i32::from(v).to_string(),
        Bind::Bool(Some(v)) => v.to_string(),
        Bind::Int(Some(v)) => format!("({v})"),
        Bind::BigInt(Some(v)) => format!("({v})"),
        Bind::Double(Some(v)) => format!("({v:?})"),
        Bind::String(Some(v)) => quoted_text(&v),
        Bind::BigDecimal(Some(v)) => format!("({})", v.to_plain_string()),
        Bind::Uuid(Some(v)) => quoted_text(&v.to_string()),
        Bind::ChronoDateTime(Some(v)) => quoted_text(&moment::sortable(v)),
        Bind::ChronoDateTimeUtc(Some(v)) => quoted_text(&timestamp(v)),
        Bind::Json(Some(v)) => quoted_text(&v.to_string()),
        _ => "NULL".to_owned(),
    })
}

/// The name of a field's index, from which an error finds back to the field. Names that would be too long end in a hash.
fn index_name(table: &str, field: &str, kind: &str) -> String {
    let name = format!("{table}_{field}_{kind}");
    if name.len() <= MAX_NAME {
        return name;
    }
    let hash = Sha256::digest(format!("{table}.{field}"));
    let hash: String = hash.iter().take(5).map(|b| format!("{b:02x}")).collect();
    let room = MAX_NAME - hash.len() - kind.len() - 2;
    format!("{}_{hash}_{kind}", &name[..room])
}

async fn make_index(conn: &mut Conn<'_>, table: &str, field: &str, kind: &str) -> Result<()> {
    let unique = if kind == "unique" { "UNIQUE " } else { "" };
    let name = quoted(&index_name(table, field, kind));
    conn.batch(&format!("CREATE {unique}INDEX {name} ON {} ({})", quoted(table), quoted(field))).await
}

async fn drop_index(conn: &mut Conn<'_>, table: &str, field: &str, kind: &str) -> Result<()> {
    conn.batch(&format!("DROP INDEX IF EXISTS {}", quoted(&index_name(table, field, kind)))).await
}

async fn make_indexes(conn: &mut Conn<'_>, table: &str, field: &Field) -> Result<()> {
    if field.unique {
        make_index(conn, table, &field.name, "unique").await?;
    }
    if field.indexed {
        make_index(conn, table, &field.name, "index").await?;
    }
    Ok(())
}

async fn drop_indexes(conn: &mut Conn<'_>, table: &str, field: &Field) -> Result<()> {
    drop_index(conn, table, &field.name, "unique").await?;
    drop_index(conn, table, &field.name, "index").await
}

async fn describe(conn: &mut Conn<'_>, collection: &str, field: &Field, primary: bool) -> Result<()> {
    let row = field_row(collection, field, primary);
    conn.execute(&sql::insert(conn.dialect(), &system::fields_table(), &row, &[])?).await.map(drop)
}

async fn undescribe(conn: &mut Conn<'_>, collection: &str, field: &str) -> Result<()> {
    let of = [("collection", collection), ("field", field)].map(|(column, name)| Filter::field(column, Op::Eq(Value::from(name))));
    conn.execute(&sql::delete_where(conn.dialect(), &system::fields_table(), &Filter::And(of.to_vec()))?).await.map(drop)
}

/// Brings SQLite's stored text of the table up to date with the fields; the columns are there already, in an order of their own.
async fn rewrite(conn: &mut Conn<'_>, collection: &Collection) -> Result<()> {
    if conn.dialect() == Dialect::Postgres {
        return Ok(());
    }
    let present = Sql::raw("SELECT name FROM pragma_table_info(?) ORDER BY cid", vec![Bind::from(collection.name.as_str())]);
    let present = conn.select(&present, &[FieldType::String]).await?;
    let columns = present.iter().flatten().map(|name| {
        let name = name.as_str().unwrap_or_default();
        collection.field(name).ok_or_else(|| Error::internal(format!("column {name} of {} is not described", collection.name)))
    });
    let text = create_table(Dialect::Sqlite, collection, &columns.collect::<Result<Vec<_>>>()?)?;
    let version = conn.select(&Sql::raw("PRAGMA schema_version", Vec::new()), &[FieldType::BigInteger]).await?;
    let version = version.first().and_then(|row| row.first()).and_then(Value::as_i64).unwrap_or_default() + 1;
    conn.batch(&format!(
        "PRAGMA writable_schema = ON; \
         UPDATE sqlite_schema SET sql = {} WHERE type = 'table' AND name = {}; \
         PRAGMA schema_version = {version}; PRAGMA writable_schema = OFF;",
        quoted_text(&text),
        quoted_text(&collection.name)
    ))
    .await
}

/// Moves the values of a field into a column of its new type, converted here so that both databases convert alike.
async fn convert(conn: &mut Conn<'_>, collection: &Collection, old: &Field, field: &Field) -> Result<()> {
    let dialect = conn.dialect();
    let fresh = Field { name: free_name(collection), nullable: true, default: None, unique: false, indexed: false, ..field.clone() };
    let table = quoted(&collection.name);
    conn.batch(&format!("ALTER TABLE {table} ADD COLUMN {}", column(dialect, &fresh, false)?)).await?;
    let mut both = collection.clone();
    both.fields.push(fresh.clone());

    let key = collection.primary_key();
    let filled = Filter::field(&old.name, Op::NotNull);
    let statement = sql::keys(dialect, collection, &Query { filter: Some(filled), ..Query::default() })?;
    let keys: Vec<Value> = conn.select(&Sql::build(dialect, &statement), &[key.ty]).await?.into_iter().flatten().collect();
    for chunk in keys.chunks(CONVERTED_AT_ONCE) {
        let query = Query { filter: Some(Filter::field(&key.name, Op::In(chunk.to_vec()))), ..Query::default() };
        let statement = sql::select(dialect, collection, &[&key.name, &old.name], &query)?;
        for row in conn.select(&Sql::build(dialect, &statement), &[key.ty, old.ty]).await? {
            let [id, value] = &row[..] else { continue };
            let value = converted(field, value);
            let misfit = |what| {
                let message = format!("`{}` of item {id} in `{}` doesn't convert: it {what}", field.name, collection.name);
                Error::new(ErrorCode::FailedValidation, message).with_field(&field.name)
            };
            fresh.encode(dialect, &value).map_err(misfit)?;
            let change = Map::from_iter([(fresh.name.clone(), value)]);
            conn.execute(&sql::update_by_keys(dialect, &both, std::slice::from_ref(id), None, &change, &[])?).await?;
        }
    }
    let (name, fresh) = (quoted(&old.name), quoted(&fresh.name));
    conn.batch(&format!("ALTER TABLE {table} DROP COLUMN {name}; ALTER TABLE {table} RENAME COLUMN {fresh} TO {name};")).await
}

/// Text takes any scalar as it is written; all else takes what the new type takes.
fn converted(field: &Field, value: &Value) -> Value {
    match value {
        Value::Number(_) | Value::Bool(_) | Value::Object(_) | Value::Array(_) if field.ty.is_text() => Value::String(value.to_string()),
        other => other.clone(),
    }
}

fn free_name(collection: &Collection) -> String {
    let mut name = "new_value".to_owned();
    while collection.field(&name).is_some() {
        name.push('_');
    }
    name
}
