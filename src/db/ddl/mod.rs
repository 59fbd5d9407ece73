//! Changes of the schema: the real table and the rows that describe it, in one job.
//!
//! Both databases run these inside the transaction of the job. SQLite can't alter a column, so there the stored text of the table is
//! replaced, which its documentation allows for constraints and defaults. Called by the service that manages collections; whether the
//! caller may is decided there.

mod column;
mod field;
mod index;
mod relation;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_query::Value as Bind;
use serde_json::{Map, Value};

use self::column::{check_field, check_name, column};
use self::index::make_indexes;
use self::relation::{foreign_keys, references};
use super::query::{Filter, Op};
use super::relation::{OnDelete, Relation};
use super::schema::{alias_row, field_row};
use super::{AliasField, Collection, Conn, Dialect, Field, FieldType, Schema, Sql, schema, sql, system, timestamp};
use crate::error::{Error, ErrorCode, Result};

pub use self::field::{add_alias, add_field, alter_alias, alter_field, drop_field};
pub use self::relation::{alter_relation, constraint_name, create_relation, drop_relation};

/// Both databases keep names up to this many bytes.
const MAX_NAME: usize = 63;

/// Held on Postgres from the first look at the schema to the end of its change, so that changes come one after the other.
const LOCK: i64 = 0x7472_656c_6c69_7302;

/// Waits until no other change of the schema is under way, and reads the schema as it is now. A change begins with this.
///
/// # Errors
/// What the database refuses.
pub async fn begin(conn: &mut Conn<'_>) -> Result<Schema> {
    // SQLite has one writer.
    if conn.dialect() == Dialect::Postgres {
        conn.batch(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    }
    schema::load(conn).await
}

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
    /// The fields; `sort` is given in this order, unless any of them says one.
    pub fields: Vec<Field>,
    /// The fields without a column, after those.
    pub aliases: Vec<AliasField>,
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
        described: true,
        singleton: new.singleton,
        note: new.note.clone(),
        meta: new.meta.clone(),
        primary: new.primary,
        fields: new.fields.clone(),
        aliases: new.aliases.clone(),
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
    let sorted = collection.fields.iter().map(|f| f.sort).chain(collection.aliases.iter().map(|a| a.sort)).any(|sort| sort != 0);
    for (at, field) in collection.fields.iter_mut().enumerate() {
        if !sorted {
            field.sort = i32::try_from(at).unwrap_or(i32::MAX);
        }
        if field.auto_increment && at != new.primary {
            return Err(Error::payload(format!("`{}` can't count up: only a primary key can", field.name)).with_field(&field.name));
        }
    }
    for (at, field) in collection.fields.iter().enumerate() {
        check_field(dialect, field, &collection.fields[..at])?;
    }
    let first = i32::try_from(collection.fields.len()).unwrap_or(i32::MAX);
    for (sort, at) in (first..).zip(0..collection.aliases.len()) {
        let (before, rest) = collection.aliases.split_at_mut(at);
        let Some(alias) = rest.first_mut() else { continue };
        if !sorted {
            alias.sort = sort;
        }
        check_name("field", &alias.name)?;
        let names = collection.fields.iter().map(|f| &f.name).chain(before.iter().map(|a| &a.name));
        if let Some(other) = names.into_iter().find(|other| other.eq_ignore_ascii_case(&alias.name)) {
            return Err(Error::payload(format!("There is a field `{other}` already")).with_field(&alias.name));
        }
    }
    if table_exists(conn, &new.name).await? {
        return Err(Error::new(ErrorCode::Conflict, format!("There is a collection or table `{}` already", new.name)));
    }

    let columns: Vec<&Field> = collection.fields.iter().collect();
    conn.batch(&create_table(dialect, &collection, &columns, &[])?).await?;
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
    for alias in &collection.aliases {
        let row = alias_row(&new.name, alias);
        conn.execute(&sql::insert(dialect, &system::fields_table(), &row, &[])?).await?;
    }
    Ok(())
}

/// Changes what is said about a collection: `singleton`, `note` and `meta`.
///
/// # Errors
/// What the database refuses.
pub async fn alter_collection(conn: &mut Conn<'_>, collection: &Collection) -> Result<()> {
    let change = [
        ("singleton", Value::from(collection.singleton)),
        ("note", Value::from(collection.note.clone())),
        ("meta", if collection.meta.is_empty() { Value::Null } else { Value::Object(collection.meta.clone()) }),
    ];
    let change = change.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let of = Filter::field("collection", Op::Eq(Value::from(collection.name.as_str())));
    conn.execute(&sql::update_where(conn.dialect(), &system::collections_table(), &of, &change)?).await.map(drop)
}

/// Drops the table with its items, its description and the permissions on it. Fields of other collections that refer to it go with it,
/// values and all, and so do those that list its items.
///
/// # Errors
/// `CollectionNotFound` when there is none.
pub async fn drop_collection(conn: &mut Conn<'_>, name: &str) -> Result<()> {
    let dialect = conn.dialect();
    let schema = schema::load(conn).await?;
    if schema.collection(name).is_none_or(|collection| collection.system) {
        return Err(Error::new(ErrorCode::CollectionNotFound, format!("There is no collection `{name}`")));
    }
    if schema.collection(name).is_some_and(|collection| !collection.described) {
        return Err(made_by_others(name));
    }
    let referring = |r: &&Arc<Relation>| r.collection != name && r.related.as_deref() == Some(name);
    let kept = schema.relations().filter(referring).find(|r| schema.collection(&r.collection).is_some_and(|c| !c.described));
    if let Some(kept) = kept {
        let message =
            format!("`{name}` can't be dropped: `{}` of `{}`, a table that wasn't made here, refers to it", kept.field, kept.collection);
        return Err(Error::new(ErrorCode::InvalidForeignKey, message));
    }
    for relation in schema.relations().filter(referring) {
        // Read again: a field dropped before may have been of the same collection.
        let now = schema::load(conn).await?;
        if let Some(collection) = now.collection(&relation.collection) {
            drop_field(conn, collection, &relation.field).await?;
        }
    }
    for relation in schema.relations().filter(|r| r.collection == name) {
        if let (Some(related), Some(one_field)) = (&relation.related, &relation.one_field) {
            undescribe(conn, related, one_field).await?;
        }
    }
    relation::forget_collection(conn, &schema, name).await?;
    // On SQLite a table that refers to itself keeps its rows from being dropped: the keys go first.
    let own = schema.relations().any(|r| r.collection == name && r.related.as_deref() == Some(name) && r.on_delete.is_some());
    if let Some(collection) = schema.collection(name).filter(|_| own) {
        rewrite(conn, collection).await?;
    }
    let of = Filter::field("collection", Op::Eq(Value::from(name)));
    conn.execute(&sql::delete_where(dialect, &system::fields_table(), &of)?).await?;
    conn.execute(&sql::delete_where(dialect, &system::collections_table(), &of)?).await?;
    // Nobody who may read what was called so may read what will be.
    if let Some(permissions) = schema.collection("daas_permissions") {
        conn.execute(&sql::delete_where(dialect, permissions, &of)?).await?;
    }
    conn.batch(&format!("DROP TABLE {}", quoted(name))).await
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

/// What happens to the tables of others is up to them.
fn made_by_others(name: &str) -> Error {
    let message = format!("The table `{name}` wasn't made here: it is served as it is, and changed where it was made");
    Error::new(ErrorCode::Conflict, message)
}

/// A name as SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
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

/// `keys` are the foreign keys: field, table, action.
fn create_table(dialect: Dialect, collection: &Collection, columns: &[&Field], keys: &[(String, String, OnDelete)]) -> Result<String> {
    let primary = &collection.primary_key().name;
    let text = |field: &&Field| {
        let text = column(dialect, field, field.name == *primary)?;
        let key = keys.iter().find(|(name, ..)| *name == field.name);
        Ok(key.map_or(text.clone(), |(_, related, on_delete)| format!("{text} {}", references(related, *on_delete))))
    };
    let columns = columns.iter().map(text).collect::<Result<Vec<_>>>()?;
    Ok(format!("CREATE TABLE {} ({})", quoted(&collection.name), columns.join(", ")))
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
        collection.field(name).ok_or_else(|| {
            let message =
                format!("The table `{}` has a column that wasn't made here, `{name}`: it can't be changed with it", collection.name);
            Error::new(ErrorCode::Conflict, message)
        })
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let keys = foreign_keys(conn, &collection.name).await?;
    let text = create_table(Dialect::Sqlite, collection, &columns, &keys)?;
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
