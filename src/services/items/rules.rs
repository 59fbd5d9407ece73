//! What must be true of the rows that a write made: the caller's item filter, the validation of their permissions, that of the fields.
//!
//! Held against the rows as the database has them, in the writing transaction, when all levels are written: a rule means there what it means
//! in a query. One statement for all rows of a collection that were written alike.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::parse_key;
use crate::auth::Action;
use crate::db::{Collection, Conn, FieldType, Filter, Operand, rows};
use crate::error::{Error, ErrorCode, Result};
use crate::services::{Ctx, Item};

/// One rule and what is answered where it doesn't hold.
#[derive(Debug, Clone)]
struct Rule {
    filter: Filter,
    broken: Error,
}

/// The rules of one action on one collection, for one caller.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// Of the whole row.
    row: Vec<Rule>,
    /// Of what is written.
    validations: Vec<Rule>,
    /// Of a field, where that one is written.
    fields: Vec<(String, Rule)>,
}

/// Rules for rows in which the same fields were written.
pub(super) struct Check {
    collection: std::sync::Arc<Collection>,
    rules: Vec<Rule>,
}

impl Rules {
    /// Finds out what holds.
    pub async fn of(ctx: &Ctx, collection: &Collection, action: Action) -> Result<Self> {
        let mut rules = Self::default();
        for field in &collection.fields {
            if let Some(raw) = &field.validation {
                let message = field.meta.get("validation_message").and_then(Value::as_str).map(str::to_owned);
                let filter = ctx.held_filter(collection, raw).await.map_err(|e| {
                    let why = format!("The rule of `{}` in `{}` can't be held: {}", field.name, collection.name, e.message());
                    Error::new(ErrorCode::FailedValidation, why).with_field(field.name.clone())
                })?;
                rules.fields.push((field.name.clone(), Rule { filter, broken: failed(collection, &field.name, raw, message) }));
            }
        }
        if ctx.is_free() {
            return Ok(rules);
        }
        if let Some(filter) = ctx.row_rule(action, collection).await? {
            let broken = Error::forbidden(match action {
                Action::Create => format!("You may not create such an item in `{}`", collection.name),
                _ => format!("You may not change an item of `{}` into this", collection.name),
            });
            rules.row.push(Rule { filter, broken });
        }
        for raw in &ctx.united(action, collection)?.validations {
            for (field, part) in parts(raw) {
                // What can't be held is met by nothing.
                let filter = match ctx.held_filter(collection, &part).await {
                    Err(error) if error.class() >= 500 => return Err(error),
                    filter => filter.unwrap_or(Filter::Const(false)),
                };
                rules.validations.push(Rule { filter, broken: failed(collection, &field, &part, None) });
            }
        }
        Ok(rules)
    }

    /// What holds for a row in which these fields are written; `None` is nothing.
    pub fn check(&self, collection: &std::sync::Arc<Collection>, written: &BTreeSet<String>) -> Option<Check> {
        let mut rules = self.row.clone();
        let of_written = self.validations.iter().map(|rule| Rule { filter: on_written(&rule.filter, written), ..rule.clone() });
        rules.extend(of_written.filter(|rule| rule.filter.narrows()));
        rules.extend(self.fields.iter().filter(|(field, _)| written.contains(field)).map(|(_, rule)| rule.clone()));
        (!rules.is_empty()).then(|| Check { collection: std::sync::Arc::clone(collection), rules })
    }
}

impl Check {
    /// Holds the rows with these keys against the rules.
    pub async fn run(&self, conn: &mut Conn<'_>, keys: Vec<Value>) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let filters: Vec<Filter> = self.rules.iter().map(|rule| rule.filter.clone()).collect();
        let sql = rows::broken(conn.dialect(), &self.collection, &keys, &filters)?;
        let mut types = vec![self.collection.primary_key().ty];
        types.resize(filters.len() + 1, FieldType::Boolean);
        let Some(row) = conn.select(&sql, &types).await?.into_iter().next() else { return Ok(()) };
        let broken = self.rules.iter().zip(&row[1..]).find(|(_, holds)| **holds != true);
        Err(broken.map_or_else(|| Error::internal("a rule is broken and none is"), |(rule, _)| rule.broken.clone()))
    }
}

fn failed(collection: &Collection, field: &str, rule: &Value, message: Option<String>) -> Error {
    let message = message.unwrap_or_else(|| format!("`{field}` in `{}` breaks the rule {rule}", collection.name));
    Error::new(ErrorCode::FailedValidation, message).with_field(field).with_extra("rule", rule.clone())
}

/// The parts of a filter all of which must match, each with the field that it is about.
fn parts(raw: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, value) in raw.as_object().into_iter().flatten() {
        match (name.as_str(), value) {
            ("_and", Value::Array(all)) => found.extend(all.iter().flat_map(parts)),
            ("_or", value) => found.push((first_field(value), json!({ "_or": value }))),
            (field, value) => found.push((field.to_owned(), Value::Object(Item::from_iter([(field.to_owned(), value.clone())])))),
        }
    }
    found
}

fn first_field(value: &Value) -> String {
    match value {
        Value::Array(all) => all.first().map(first_field).unwrap_or_default(),
        Value::Object(members) => match members.iter().next() {
            Some((name, value)) if name == "_and" || name == "_or" => first_field(value),
            Some((name, _)) => name.clone(),
            None => String::new(),
        },
        _ => String::new(),
    }
}

/// The filter with true in place of each condition on a field that isn't written: as Directus has it, what isn't sent isn't validated.
fn on_written(filter: &Filter, written: &BTreeSet<String>) -> Filter {
    match filter {
        Filter::And(parts) => Filter::And(parts.iter().map(|part| on_written(part, written)).collect()),
        Filter::Or(parts) => Filter::Or(parts.iter().map(|part| on_written(part, written)).collect()),
        Filter::Field { field, .. } | Filter::Made { of: Operand::Field(field) | Operand::Part(_, field), .. }
            if !written.contains(field) =>
        {
            Filter::Const(true)
        }
        // Through the field that refers to another item. A list is no part of what is written.
        Filter::Some(hop, _) | Filter::Made { of: Operand::Count(hop), .. } if !written.contains(&hop.here) => Filter::Const(true),
        Filter::Not(inner) if !on_written(inner, written).narrows() => Filter::Const(true),
        other => other.clone(),
    }
}

/// Keys as the collection keeps them, each once.
pub(super) fn distinct(collection: &Collection, keys: Vec<Value>) -> Result<Vec<Value>> {
    let mut seen = std::collections::HashSet::with_capacity(keys.len());
    let mut distinct = Vec::with_capacity(keys.len());
    for key in keys {
        let key = parse_key(collection, &key)?;
        if seen.insert(key.to_string()) {
            distinct.push(key);
        }
    }
    Ok(distinct)
}
