//! Relations made, changed and dropped: the row that describes one, and the foreign key where the database holds it.
//!
//! On Postgres the key is a named constraint. SQLite has it in the text of the table, which is rewritten from what is described. Foreign
//! keys are checked with each statement, not at the commit, so that an error finds back to the write that it is about.

use serde_json::{Map, Value};

use super::index::index_name;
use super::{made_by_others, quoted, rewrite};
use crate::db::query::{Filter, Op, Query};
use crate::db::relation::{OnDelete, Relation, relation_row};
use crate::db::{Collection, Conn, Dialect, Field, Schema, Sql, schema, sql, system};
use crate::error::{Error, ErrorCode, Result};

/// The name of the constraint, also where the database keeps none.
pub fn constraint_name(collection: &str, field: &str) -> String {
    index_name(collection, field, "foreign")
}

/// Describes a relation and makes its foreign key, if it has one.
///
/// # Errors
/// `InvalidPayload` for what isn't there or doesn't fit together; `Conflict` where the field refers to something already, or the other
/// side's field is taken; `InvalidForeignKey` when an item names one that isn't there.
pub async fn create_relation(conn: &mut Conn<'_>, schema: &Schema, relation: &Relation) -> Result<()> {
    let collection = check_relation(schema, relation)?;
    let stored = schema.relation(&relation.collection, &relation.field);
    if stored.is_some() {
        let message = format!("`{}` in `{}` refers to something already", relation.field, relation.collection);
        return Err(Error::new(ErrorCode::Conflict, message).with_field(&relation.field));
    }
    if !collection.described && relation.on_delete.is_some() {
        let message = format!("`{}` wasn't made here and can't get a foreign key: send `schema: null`", collection.name);
        return Err(Error::payload(message).with_field("schema"));
    }
    check_one_field(schema, relation)?;
    if let (Some(_), Some(related)) = (relation.on_delete, &relation.related) {
        check_rows(conn, schema, &collection, relation, related).await?;
    }
    let row = relation_row(relation);
    conn.execute(&sql::insert(conn.dialect(), &system::relations_table(), &row, &[])?).await?;
    if let (Some(on_delete), Some(related)) = (relation.on_delete, &relation.related) {
        make_foreign_key(conn, &relation.collection, &relation.field, related, on_delete).await?;
        rewrite(conn, &collection).await?;
    }
    Ok(())
}

/// Changes a relation to what `relation` says; what it relates stays.
///
/// # Errors
/// As [`create_relation`]; `NotFound` when there is none.
pub async fn alter_relation(conn: &mut Conn<'_>, schema: &Schema, relation: &Relation) -> Result<()> {
    let old = schema.relation(&relation.collection, &relation.field).ok_or_else(|| no_relation(relation))?;
    let collection = check_relation(schema, relation)?;
    check_one_field(schema, relation)?;
    if !collection.described && relation.on_delete != old.on_delete {
        return Err(made_by_others(&collection.name));
    }
    if relation.on_delete != old.on_delete
        && let (None, Some(_), Some(related)) = (old.on_delete, relation.on_delete, &relation.related)
    {
        check_rows(conn, schema, &collection, relation, related).await?;
    }
    let mut row = relation_row(relation);
    if !old.is_described() {
        // Only the database knew of it so far.
        return conn.execute(&sql::insert(conn.dialect(), &system::relations_table(), &row, &[])?).await.map(drop);
    }
    let of = where_many(&relation.collection, &relation.field);
    row.shift_remove("many_collection");
    row.shift_remove("many_field");
    conn.execute(&sql::update_where(conn.dialect(), &system::relations_table(), &of, &row)?).await?;
    if relation.on_delete != old.on_delete {
        if old.on_delete.is_some() {
            drop_foreign_key(conn, &relation.collection, &relation.field).await?;
        }
        if let (Some(on_delete), Some(related)) = (relation.on_delete, &relation.related) {
            make_foreign_key(conn, &relation.collection, &relation.field, related, on_delete).await?;
        }
        rewrite(conn, &collection).await?;
    }
    Ok(())
}

/// Forgets a relation and drops its foreign key; the field and its values stay, and so does the other side's field.
///
/// # Errors
/// `NotFound` when there is none; what the database refuses.
pub async fn drop_relation(conn: &mut Conn<'_>, schema: &Schema, relation: &Relation) -> Result<()> {
    let kept = relation.on_delete.is_some() && schema.collection(&relation.collection).is_some_and(|c| !c.described);
    if !relation.is_described() {
        return Err(made_by_others(&relation.collection));
    }
    let of = where_many(&relation.collection, &relation.field);
    if conn.execute(&sql::delete_where(conn.dialect(), &system::relations_table(), &of)?).await? == 0 {
        return Err(no_relation(relation));
    }
    if relation.on_delete.is_some() && !kept {
        drop_foreign_key(conn, &relation.collection, &relation.field).await?;
        if let Some(collection) = schema.collection(&relation.collection) {
            rewrite(conn, collection).await?;
        }
    }
    Ok(())
}

/// No relation lists its items in this alias any more.
pub(super) async fn detach_alias(conn: &mut Conn<'_>, collection: &str, alias: &str) -> Result<()> {
    let of = [("one_collection", collection), ("one_field", alias)].map(|(column, name)| Filter::field(column, Op::Eq(Value::from(name))));
    let change = Map::from_iter([("one_field".to_owned(), Value::Null)]);
    conn.execute(&sql::update_where(conn.dialect(), &system::relations_table(), &Filter::And(of.to_vec()), &change)?).await.map(drop)
}

/// The columns of a collection that are described as foreign keys, with what they refer to.
pub(super) async fn foreign_keys(conn: &mut Conn<'_>, collection: &str) -> Result<Vec<(String, String, OnDelete)>> {
    let table = system::relations_table();
    let of = Filter::And(vec![Filter::field("many_collection", Op::Eq(Value::from(collection))), Filter::field("on_delete", Op::NotNull)]);
    let names = ["many_field", "one_collection", "on_delete"];
    let statement = sql::select(conn.dialect(), &table, &names, &Query { filter: Some(of), ..Query::default() })?;
    let rows = conn.select(&Sql::build(conn.dialect(), &statement), &sql::types(&table, &names)?).await?;
    let key = |row: &Vec<Value>| {
        let [Value::String(field), Value::String(related), Value::String(action)] = &row[..] else { return None };
        Some((field.clone(), related.clone(), OnDelete::parse(action)?))
    };
    Ok(rows.iter().filter_map(key).collect())
}

/// The clause that makes a column refer to the key of a table.
pub(super) fn references(related: &str, on_delete: OnDelete) -> String {
    format!("REFERENCES {} ON DELETE {}", quoted(related), on_delete.name())
}

/// Adds the constraint on Postgres; on SQLite it comes with the rewritten text.
pub(super) async fn make_foreign_key(conn: &mut Conn<'_>, collection: &str, field: &str, related: &str, on_delete: OnDelete) -> Result<()> {
    if conn.dialect() == Dialect::Sqlite {
        return Ok(());
    }
    let (table, name, column) = (quoted(collection), quoted(&constraint_name(collection, field)), quoted(field));
    conn.batch(&format!("ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({column}) {}", references(related, on_delete))).await
}

async fn drop_foreign_key(conn: &mut Conn<'_>, collection: &str, field: &str) -> Result<()> {
    if conn.dialect() == Dialect::Sqlite {
        return Ok(());
    }
    let (table, name) = (quoted(collection), quoted(&constraint_name(collection, field)));
    conn.batch(&format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")).await
}

fn where_many(collection: &str, field: &str) -> Filter {
    let of = [("many_collection", collection), ("many_field", field)];
    Filter::And(of.map(|(column, name)| Filter::field(column, Op::Eq(Value::from(name)))).to_vec())
}

fn no_relation(relation: &Relation) -> Error {
    Error::new(ErrorCode::NotFound, format!("`{}` in `{}` refers to nothing", relation.field, relation.collection))
}

/// Checks that everything the relation names is there and fits; answers the collection of its many side.
fn check_relation(schema: &Schema, relation: &Relation) -> Result<Collection> {
    let collection = known(schema, &relation.collection, "collection")?;
    if collection.system {
        return Err(Error::forbidden(format!("`{}` belongs to the system: its fields can't refer to anything else", collection.name)));
    }
    let field = column_of(collection, &relation.field, "field")?;
    if field.name == collection.primary_key().name {
        let message = format!("`{}` is the primary key of `{}` and can't refer to anything", field.name, collection.name);
        return Err(Error::payload(message).with_field(&field.name));
    }
    match &relation.related {
        Some(related) => check_many_to_one(schema, relation, field, known(schema, related, "related_collection")?)?,
        None => check_many_to_any(schema, relation, collection, field)?,
    }
    for (name, what) in [(&relation.junction_field, "junction_field"), (&relation.sort_field, "sort_field")] {
        if let Some(name) = name {
            column_of(collection, name, what)?;
        }
    }
    Ok((**collection).clone())
}

fn check_many_to_one(schema: &Schema, relation: &Relation, field: &Field, related: &Collection) -> Result<()> {
    let key = related.primary_key();
    let alike = field.ty == key.ty || (field.ty.is_text() && key.ty.is_text());
    if !alike {
        let message = format!(
            "`{}` in `{}` is of type {} and can't refer to `{}`, whose key `{}` is of type {}",
            field.name,
            relation.collection,
            field.ty.name(),
            related.name,
            key.name,
            key.ty.name()
        );
        return Err(Error::payload(message).with_field(&field.name));
    }
    if relation.one_collection_field.is_some() || !relation.one_allowed.is_empty() {
        let message = "`one_collection_field` and `one_allowed_collections` are for relations without a `related_collection`";
        return Err(Error::payload(message).with_field("one_collection_field"));
    }
    let can_be_empty = match relation.on_delete {
        Some(OnDelete::SetNull) => field.nullable,
        Some(OnDelete::SetDefault) => field.nullable || field.default.is_some(),
        _ => true,
    };
    if !can_be_empty {
        let action = relation.on_delete.map_or("", OnDelete::name);
        let message = format!(
            "`on_delete` can't be {action}: `{}` in `{}` needs a value; allowed are {}",
            field.name,
            relation.collection,
            [OnDelete::NoAction, OnDelete::Restrict, OnDelete::Cascade].map(OnDelete::name).join(", ")
        );
        return Err(Error::payload(message).with_field("on_delete"));
    }
    if let Some(name) = &relation.one_field
        && related.field(name).is_some()
    {
        let message = format!("`one_field` must be a field of type alias: `{name}` in `{}` is a column", related.name);
        return Err(Error::payload(message).with_field("one_field"));
    }
    debug_assert!(schema.collection(&related.name).is_some());
    Ok(())
}

fn check_many_to_any(schema: &Schema, relation: &Relation, collection: &Collection, field: &Field) -> Result<()> {
    let needs = |what: &str| Error::payload(format!("A relation needs a `related_collection`, or {what}")).with_field("related_collection");
    let Some(name) = &relation.one_collection_field else {
        return Err(needs("a `one_collection_field` that tells it per item"));
    };
    if relation.one_allowed.is_empty() {
        return Err(needs("`one_allowed_collections` to choose from"));
    }
    if relation.on_delete.is_some() {
        let message = "A relation to items of several collections has no foreign key: leave `schema` out, or send null";
        return Err(Error::payload(message).with_field("schema"));
    }
    if relation.one_field.is_some() {
        return Err(Error::payload("A relation to items of several collections has no `one_field`").with_field("one_field"));
    }
    for field in [field, column_of(collection, name, "one_collection_field")?] {
        if !field.ty.is_text() {
            let message = format!("`{}` must be of type string or text to refer to items of several collections", field.name);
            return Err(Error::payload(message).with_field(&field.name));
        }
    }
    for name in &relation.one_allowed {
        known(schema, name, "one_allowed_collections")?;
    }
    Ok(())
}

/// One list, one relation.
fn check_one_field(schema: &Schema, relation: &Relation) -> Result<()> {
    let (Some(related), Some(name)) = (&relation.related, &relation.one_field) else { return Ok(()) };
    let taken = schema.relations().find(|other| {
        other.related.as_ref() == Some(related)
            && other.one_field.as_ref() == Some(name)
            && (&other.collection, &other.field) != (&relation.collection, &relation.field)
    });
    match taken {
        Some(other) => {
            let message = format!("`{name}` in `{related}` lists what `{}` in `{}` refers to already", other.field, other.collection);
            Err(Error::new(ErrorCode::Conflict, message).with_field("one_field"))
        }
        None => Ok(()),
    }
}

fn known<'s>(schema: &'s Schema, name: &str, member: &str) -> Result<&'s std::sync::Arc<Collection>> {
    schema.collection(name).ok_or_else(|| {
        let message = format!("`{member}`: there is no collection `{}`{}", shortened(name), schema::nearest(name, schema.names()));
        Error::payload(message).with_field(member)
    })
}

fn column_of<'c>(collection: &'c Collection, name: &str, member: &str) -> Result<&'c Field> {
    collection.field(name).ok_or_else(|| {
        let what = if collection.alias(name).is_some() { "has no column" } else { "isn't there" };
        let near = schema::nearest(name, collection.fields.iter().map(|f| f.name.as_str()));
        Error::payload(format!("`{member}` must be a field of `{}` with a column: `{}` {what}{near}", collection.name, shortened(name)))
            .with_field(member)
    })
}

/// For messages.
fn shortened(name: &str) -> String {
    name.chars().take(MAX_SHOWN).collect()
}

/// Characters of a name that isn't known, in a message.
const MAX_SHOWN: usize = 80;

/// Whether every item refers to one that is there.
async fn check_rows(conn: &mut Conn<'_>, schema: &Schema, collection: &Collection, relation: &Relation, related: &str) -> Result<()> {
    let target = known(schema, related, "related_collection")?;
    let (key, field, target_key) = (collection.primary_key(), quoted(&relation.field), quoted(&target.primary_key().name));
    let text = format!(
        "SELECT m.{} FROM {} AS m WHERE m.{field} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {} AS o WHERE o.{target_key} = m.{field}) LIMIT 1",
        quoted(&key.name),
        quoted(&collection.name),
        quoted(related),
    );
    let lost: Vec<Vec<Value>> = conn.select(&Sql::raw(text, Vec::new()), &[key.ty]).await?;
    match lost.first().and_then(|row| row.first()) {
        Some(item) => {
            let message = format!("`{}` of item {item} in `{}` names nothing that is in `{related}`", relation.field, collection.name);
            Err(Error::new(ErrorCode::InvalidForeignKey, message).with_field(&relation.field))
        }
        None => Ok(()),
    }
}

/// The collection without its dropped side: rows of other relations that name it.
pub(super) async fn forget_collection(conn: &mut Conn<'_>, schema: &Schema, name: &str) -> Result<()> {
    let dialect = conn.dialect();
    let table = system::relations_table();
    let of = ["many_collection", "one_collection"].map(|column| Filter::field(column, Op::Eq(Value::from(name))));
    conn.execute(&sql::delete_where(dialect, &table, &Filter::Or(of.to_vec()))?).await?;
    for relation in schema.relations().filter(|r| r.collection != name && r.one_allowed.iter().any(|allowed| allowed == name)) {
        let left: Vec<&String> = relation.one_allowed.iter().filter(|allowed| *allowed != name).collect();
        let of = where_many(&relation.collection, &relation.field);
        let change = Map::from_iter([("one_allowed_collections".to_owned(), serde_json::json!(left))]);
        conn.execute(&sql::update_where(dialect, &table, &of, &change)?).await?;
    }
    Ok(())
}

/// The column without its dropped side: relations of the same collection that were ordered by it, or led on through it.
pub(super) async fn forget_field(conn: &mut Conn<'_>, collection: &str, field: &str) -> Result<()> {
    for column in ["sort_field", "junction_field"] {
        let of = [("many_collection", collection), (column, field)].map(|(column, name)| Filter::field(column, Op::Eq(Value::from(name))));
        let change = Map::from_iter([(column.to_owned(), Value::Null)]);
        conn.execute(&sql::update_where(conn.dialect(), &system::relations_table(), &Filter::And(of.to_vec()), &change)?).await?;
    }
    Ok(())
}

/// The type of a field that refers to something stays.
pub(super) fn check_alter(schema: &Schema, collection: &Collection, old: &Field, new: &Field) -> Result<()> {
    let Some(relation) = schema.relation(&collection.name, &old.name) else { return Ok(()) };
    if old.ty != new.ty && !(old.ty.is_text() && new.ty.is_text()) {
        let target = relation.related.as_deref().unwrap_or("items of several collections");
        let message = format!("`{}` in `{}` refers to {target}: delete the relation before changing its type", old.name, collection.name);
        return Err(Error::new(ErrorCode::Conflict, message).with_field(&old.name));
    }
    if let (Some(OnDelete::SetNull), false) = (relation.on_delete, new.nullable) {
        let message = format!(
            "`{}` in `{}` is emptied when what it refers to is deleted (`on_delete`: SET NULL), so it can't need a value",
            old.name, collection.name
        );
        return Err(Error::new(ErrorCode::Conflict, message).with_field(&old.name));
    }
    Ok(())
}
