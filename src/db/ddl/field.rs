//! Fields made, changed and dropped: the column and the row that describes it, or the row alone where there is no column.

use serde_json::{Map, Value};

use super::column::{check_column, check_field, check_name, column, literal};
use super::index::{drop_index, drop_indexes, make_index, make_indexes};
use super::relation::{check_alter, detach_alias, drop_relation, forget_field, make_foreign_key};
use super::{describe, made_by_others, quoted, rewrite, undescribe};
use crate::db::query::{Filter, Op, Query};
use crate::db::schema::alias_row;
use crate::db::{AliasField, Collection, Conn, Dialect, Field, FieldType, Sql, schema, sql, system};
use crate::error::{Error, ErrorCode, Result};

/// Rows read at once when a field changes its type.
const CONVERTED_AT_ONCE: usize = 500;

/// Adds a field to a collection: where its `sort` says, at the end when that is 0.
///
/// # Errors
/// `InvalidPayload` for a name, type or default that can't be; `FailedValidation` for a field that must have a value, has no default and
/// meets items that are there already.
pub async fn add_field(conn: &mut Conn<'_>, collection: &Collection, field: &Field) -> Result<()> {
    if !collection.described {
        return Err(made_by_others(&collection.name));
    }
    let dialect = conn.dialect();
    check_field(dialect, field, &collection.fields)?;
    if let Some(alias) = collection.aliases.iter().find(|alias| alias.name.eq_ignore_ascii_case(&field.name)) {
        return Err(Error::payload(format!("There is a field `{}` already", alias.name)).with_field(&field.name));
    }
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
    let placed = Field { sort: if field.sort == 0 { last_sort(collection) } else { field.sort }, ..field.clone() };
    describe(conn, &collection.name, &placed, false).await
}

/// Changes a field to what `field` says; its name stays.
///
/// # Errors
/// `InvalidPayload` for a default that can't be or a change of the primary key's column; `FailedValidation` when an item has no value and
/// now needs one, or has one that doesn't convert; `RecordNotUnique` when items share a value that is to be unique.
pub async fn alter_field(conn: &mut Conn<'_>, collection: &Collection, field: &Field) -> Result<()> {
    if !collection.described {
        return Err(made_by_others(&collection.name));
    }
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
    let schema = schema::load(conn).await?;
    check_alter(&schema, collection, old, field)?;
    let mut after = collection.clone();
    after.fields[at] = field.clone();
    if moved {
        drop_indexes(conn, &collection.name, old).await?;
        convert(conn, collection, old, field).await?;
        make_indexes(conn, &collection.name, field).await?;
        if let Some(relation) = schema.relation(&collection.name, &field.name)
            && let (Some(on_delete), Some(related)) = (relation.on_delete, &relation.related)
        {
            make_foreign_key(conn, &collection.name, &field.name, related, on_delete).await?;
        }
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

/// Drops a field with its values. Where it refers to something, the relation goes with it, and so does the field of the other side that
/// lists its items.
///
/// # Errors
/// `InvalidPayload` for the primary key or a field that isn't there.
pub async fn drop_field(conn: &mut Conn<'_>, collection: &Collection, name: &str) -> Result<()> {
    if collection.alias(name).is_some() {
        return drop_alias(conn, collection, name).await;
    }
    if !collection.described {
        return Err(made_by_others(&collection.name));
    }
    let field = collection.field(name).ok_or_else(|| no_field(collection, name))?;
    if collection.primary_key().name == name {
        return Err(Error::payload(format!("`{name}` is the primary key and can't be dropped")).with_field(name));
    }
    let schema = schema::load(conn).await?;
    if let Some(relation) = schema.relation(&collection.name, name) {
        drop_relation(conn, &schema, relation).await?;
        if let (Some(related), Some(one_field)) = (&relation.related, &relation.one_field) {
            undescribe(conn, related, one_field).await?;
        }
    }
    let needing = schema.relations().find(|r| r.collection == collection.name && r.one_collection_field.as_deref() == Some(name));
    if let Some(relation) = needing {
        drop_relation(conn, &schema, relation).await?;
    }
    forget_field(conn, &collection.name, name).await?;
    drop_indexes(conn, &collection.name, field).await?;
    conn.batch(&format!("ALTER TABLE {} DROP COLUMN {}", quoted(&collection.name), quoted(name))).await?;
    undescribe(conn, &collection.name, name).await
}

/// Adds a field without a column, also to a collection of the system.
///
/// # Errors
/// `InvalidPayload` for a name that can't be.
pub async fn add_alias(conn: &mut Conn<'_>, collection: &Collection, alias: &AliasField) -> Result<()> {
    check_name("field", &alias.name)?;
    let names = collection.fields.iter().map(|f| &f.name).chain(collection.aliases.iter().map(|a| &a.name));
    if let Some(other) = names.into_iter().find(|other| other.eq_ignore_ascii_case(&alias.name)) {
        return Err(Error::payload(format!("There is a field `{other}` already")).with_field(&alias.name));
    }
    let placed = AliasField { sort: if alias.sort == 0 { last_sort(collection) } else { alias.sort }, ..alias.clone() };
    describe_alias(conn, &collection.name, &placed).await
}

/// Changes what is said about a field without a column.
///
/// # Errors
/// What the database refuses.
pub async fn alter_alias(conn: &mut Conn<'_>, collection: &Collection, alias: &AliasField) -> Result<()> {
    undescribe(conn, &collection.name, &alias.name).await?;
    describe_alias(conn, &collection.name, alias).await
}

async fn drop_alias(conn: &mut Conn<'_>, collection: &Collection, name: &str) -> Result<()> {
    detach_alias(conn, &collection.name, name).await?;
    undescribe(conn, &collection.name, name).await
}

async fn describe_alias(conn: &mut Conn<'_>, collection: &str, alias: &AliasField) -> Result<()> {
    let row = alias_row(collection, alias);
    conn.execute(&sql::insert(conn.dialect(), &system::fields_table(), &row, &[])?).await.map(drop)
}

fn last_sort(collection: &Collection) -> i32 {
    let sorts = collection.fields.iter().map(|f| f.sort).chain(collection.aliases.iter().map(|a| a.sort));
    sorts.max().unwrap_or_default().saturating_add(1)
}

fn no_field(collection: &Collection, name: &str) -> Error {
    collection.known_field(name, ErrorCode::InvalidPayload).err().unwrap_or_else(|| Error::internal("a known field was not found"))
}

fn valueless(collection: &Collection, field: &Field) -> Error {
    let message = format!("`{}` in `{}` can't need a value: there are items without one", field.name, collection.name);
    Error::new(ErrorCode::FailedValidation, message).with_field(&field.name)
}

async fn is_empty(conn: &mut Conn<'_>, collection: &Collection) -> Result<bool> {
    let query = Query { limit: Some(1), ..Query::default() };
    let statement = Sql::build(conn.dialect(), &sql::keys(conn.dialect(), collection, &query)?);
    Ok(conn.select(&statement, &[collection.primary_key().ty]).await?.is_empty())
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
            let value = converted(old.ty, field, value);
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

/// Text takes any scalar as it is written, and a list with its commas; all else takes what the new type takes.
fn converted(old: FieldType, field: &Field, value: &Value) -> Value {
    match value {
        Value::Array(items) if old == FieldType::Csv && field.ty.is_text() => {
            Value::String(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","))
        }
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
