//! The collections as TypeScript, for the types of `@trellis/sdk` to build on: what a hook on `articles.items.create` is given, what
//! `services.items('articles')` reads.
//!
//! Pure text from a schema. Who may see what of it is the caller's matter.

use std::fmt::Write;

use super::Extensions;
use super::authors::Author;
use crate::auth::Action;
use crate::db::{Collection, Db, Field, FieldType, Link, Schema, Special, schema};
use crate::error::Result;
use crate::services::Ctx;
use crate::services::operation::Start;

/// What the file begins with.
const HEAD: &str = "// The collections of a server of Trellis as TypeScript. `trellis types` prints it, and `GET /api/extensions/types.d.ts` answers it: get it
// anew when the schema has changed.
import '@trellis/sdk';

declare module '@trellis/sdk' {
  interface Collections {
";

/// All collections of a database, for who owns it.
///
/// # Errors
/// What the database refuses.
pub async fn types(db: &Db) -> Result<String> {
    let schema = db.read(|conn| Box::pin(schema::load(conn))).await?;
    Ok(declarations(&schema, |_, _| true))
}

impl Extensions {
    /// The collections and fields that the caller may read.
    ///
    /// # Errors
    /// 403 for those who write no extensions.
    pub async fn types(&self, start: Start) -> Result<String> {
        Author::of(&start.who)?;
        let declared = |ctx: Ctx| async move {
            let sees = |collection: &Collection, field: &str| ctx.granted(Action::Read, collection).is_ok_and(|fields| fields.has(field));
            Ok(declarations(&ctx.op.schema, sees))
        };
        self.shared.core.operate(start, declared).await
    }
}

/// The declarations of all collections of `schema` of which `sees` shows a field: asked with a collection and the name of a field.
pub fn declarations(schema: &Schema, sees: impl Fn(&Collection, &str) -> bool) -> String {
    let has = |name: &str| schema.collection(name).is_some_and(|collection| is_seen(collection, &sees));
    let mut text = HEAD.to_owned();
    for collection in schema.collections().filter(|collection| is_seen(collection, &sees)) {
        about(&mut text, 4, collection.note.as_deref());
        // Writing to a text can't fail.
        let _ = writeln!(text, "    {}: {{", member(&collection.name));
        for field in collection.fields.iter().filter(|field| sees(collection, &field.name)) {
            about(&mut text, 6, field.note.as_deref());
            let _ = writeln!(text, "      {}: {};", member(&field.name), of_field(schema, collection, field, has));
        }
        for alias in collection.aliases.iter().filter(|alias| sees(collection, &alias.name)) {
            let Some(Link::OneToMany(relation)) = schema.link(&collection.name, &alias.name) else { continue };
            let key = schema.collection(&relation.collection).map_or("string | number", |many| plain(many.primary_key().ty));
            let item = if has(&relation.collection) { format!(" | {}", item_of(&relation.collection)) } else { String::new() };
            about(&mut text, 6, alias.note.as_deref());
            let _ = writeln!(text, "      {}?: ({key}{item})[];", member(&alias.name));
        }
        text.push_str("    };\n");
    }
    text.push_str("  }\n}\n");
    text
}

fn is_seen(collection: &Collection, sees: impl Fn(&Collection, &str) -> bool) -> bool {
    collection.fields.iter().any(|field| sees(collection, &field.name))
}

/// The type of a column: what it holds, or the item that it refers to once that was asked for or is to be written along.
fn of_field(schema: &Schema, collection: &Collection, field: &Field, has: impl Fn(&str) -> bool) -> String {
    let mut text = plain(if field.is(Special::Hash) { FieldType::Hash } else { field.ty }).to_owned();
    let leads_to = match schema.link(&collection.name, &field.name) {
        Some(Link::ManyToOne(relation)) => relation.related.iter().cloned().collect(),
        Some(Link::ManyToAny(relation)) => relation.one_allowed.clone(),
        Some(Link::OneToMany(_)) | None => Vec::new(),
    };
    for related in leads_to.iter().filter(|related| has(related)) {
        let _ = write!(text, " | {}", item_of(related));
    }
    if field.nullable && text != "any" {
        text.push_str(" | null");
    }
    text
}

/// An item of another collection: with those of its fields that were asked for, or that are written.
fn item_of(collection: &str) -> String {
    format!("Partial<Collections[{}]>", quoted(collection))
}

/// What a value of a type is in JavaScript.
fn plain(ty: FieldType) -> &'static str {
    match ty {
        FieldType::Integer | FieldType::Float => "number",
        FieldType::BigInteger => "number | string",
        FieldType::Boolean => "boolean",
        FieldType::Json => "any",
        FieldType::Csv => "string[]",
        FieldType::String
        | FieldType::Text
        | FieldType::Decimal { .. }
        | FieldType::Uuid
        | FieldType::DateTime
        | FieldType::Timestamp
        | FieldType::Date
        | FieldType::Time
        | FieldType::Hash
        | FieldType::Binary => "string",
    }
}

/// A name as that of a member.
fn member(name: &str) -> String {
    let is_plain = name.chars().enumerate().all(|(at, c)| c == '_' || c.is_ascii_alphabetic() || at > 0 && c.is_ascii_digit());
    if is_plain && !name.is_empty() { name.to_owned() } else { quoted(name) }
}

/// A text as a literal. What a name can't hold raw is escaped as JSON has it, which TypeScript reads too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A note as a comment on one line, which it can't end.
fn about(text: &mut String, indent: usize, note: Option<&str>) {
    let words = note.unwrap_or_default().replace("*/", "*\u{200b}/");
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if !words.is_empty() {
        let _ = writeln!(text, "{:indent$}/** {words} */", "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_is_what_is_seen() {
        let schema = Schema::system();
        let whole = declarations(&schema, |_, _| true);
        assert!(whole.contains("\n    daas_users: {\n") && whole.contains("      email: string"), "{whole}");
        let part = declarations(&schema, |collection, field| collection.name == "daas_users" && field != "email");
        assert!(part.contains("daas_users") && !part.contains("email") && !part.contains("Collections[\"daas_roles\"]"), "{part}");
        assert!(declarations(&schema, |_, _| false).ends_with("interface Collections {\n  }\n}\n"));
    }

    #[test]
    fn names_and_notes_can_not_leave_their_place() {
        assert_eq!(
            (member("a_1"), member("1a"), member("a\"b"), member("")),
            ("a_1".into(), "\"1a\"".into(), r#""a\"b""#.into(), "\"\"".into())
        );
        let mut text = String::new();
        about(&mut text, 2, Some("ends */ here\n and goes on\u{2028}there"));
        assert_eq!(text, "  /** ends *\u{200b}/ here and goes on there */\n");
    }
}
