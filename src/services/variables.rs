//! Dynamic values in filters: `$NOW`, `$CURRENT_USER` and their kin, put in place of their names.
//!
//! The one place that knows what they stand for. Works on the JSON of a filter, before it is parsed: the queries of callers come through
//! [`resolve_for_caller`], the row rules of permissions and what hooks add through [`resolve`]. Rows that `$CURRENT_USER.field` needs are
//! read once per operation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, Months, SecondsFormat, Utc};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::items::is_concealed;
use super::query::{self, clip};
use super::select::select;
use super::{Ctx, Item};
use crate::auth::{Action, FieldSet};
use crate::db::{Collection, Filter, Link, Op, Query};
use crate::error::{Error, Result};

/// Steps of one `$CURRENT_USER.a.b.c`.
const MAX_STEPS: usize = 5;
/// Rows that one step may lead to.
const MAX_ROWS: u64 = 10_000;

/// What was read for an operation's variables, by whose eyes, for which user and by name. Short sections only, never across a read, which may need a variable
/// itself: a std mutex.
pub type Cache = Mutex<HashMap<(Eyes, Option<String>, String), Value>>;

/// By whose rights the rows behind a variable are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Eyes {
    /// The host's: what permissions and hooks say.
    Host,
    /// The caller's, who must not learn by comparing what they may not read.
    Caller,
}

/// A filter's JSON with its dynamic values put in place, as the host sees them: for row rules and for what hooks say.
///
/// A variable without a value (nobody is signed in) equals nothing, and a negated comparison with it is true.
///
/// # Errors
/// `InvalidQuery` for a variable that doesn't exist; what the database refuses.
pub async fn resolve(ctx: &Ctx, filter: &Value) -> Result<Value> {
    Variables { ctx, eyes: Eyes::Host }.run(filter).await
}

/// A value with its variables put in place, each by what it stands for or null: for the presets of permissions.
///
/// # Errors
/// As [`resolve`].
pub async fn resolve_value(ctx: &Ctx, value: &Value) -> Result<Value> {
    let variables = Variables { ctx, eyes: Eyes::Host };
    Ok(replace_all(value, &variables.values(value).await?))
}

/// The same for what a caller says: `$CURRENT_USER.field` takes the right to read that field.
///
/// # Errors
/// As [`resolve`]; `Forbidden` for a field that isn't granted.
pub async fn resolve_for_caller(ctx: &Ctx, filter: &Value) -> Result<Value> {
    let eyes = if ctx.elevated || ctx.who.is_admin() { Eyes::Host } else { Eyes::Caller };
    Variables { ctx, eyes }.run(filter).await
}

/// Whether any text in `value` begins like a variable. Most filters have none and are left as they are.
fn is_dynamic(value: &Value) -> bool {
    match value {
        Value::String(text) => is_name(text),
        Value::Array(items) => items.iter().any(is_dynamic),
        Value::Object(members) => members.values().any(is_dynamic),
        _ => false,
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with("$CURRENT_") || text.starts_with("$NOW")
}

struct Variables<'a> {
    ctx: &'a Ctx,
    eyes: Eyes,
}

impl Variables<'_> {
    async fn run(&self, filter: &Value) -> Result<Value> {
        if !is_dynamic(filter) {
            return Ok(filter.clone());
        }
        Ok(replace(filter, &self.values(filter).await?))
    }

    /// What the variables in `value` stand for.
    async fn values(&self, value: &Value) -> Result<HashMap<String, Value>> {
        let mut names = Vec::new();
        collect(value, &mut names);
        let mut values = HashMap::new();
        for name in names {
            if !values.contains_key(name) {
                values.insert(name.to_owned(), self.value(name).await?);
            }
        }
        Ok(values)
    }

    async fn value(&self, name: &str) -> Result<Value> {
        if let Some(rest) = name.strip_prefix("$NOW") {
            return now(self.ctx.core.clock.now(), rest).ok_or_else(|| {
                Error::query(format!("`{}` isn't a moment: write `$NOW` or, say, `$NOW(+7 days)` or `$NOW(-1 month)`", clip(name)))
            });
        }
        let (head, path) = name.split_once('.').map_or((name, None), |(head, path)| (head, Some(path)));
        let roles = || self.ctx.who.roles().iter().map(String::as_str);
        match (head, path) {
            ("$CURRENT_USER", None) => Ok(json!(self.ctx.who.user_id())),
            ("$CURRENT_ROLE", None) => Ok(json!(self.ctx.who.role())),
            ("$CURRENT_ROLES", None) => Ok(roles().collect()),
            ("$CURRENT_POLICIES", None) => self.kept(name, "daas_policies", Vec::new(), None).await,
            ("$CURRENT_USER", Some(path)) => self.kept(name, "daas_users", self.ctx.who.user_id().into_iter().collect(), Some(path)).await,
            ("$CURRENT_ROLE", Some(path)) => self.kept(name, "daas_roles", roles().take(1).collect(), Some(path)).await,
            ("$CURRENT_ROLES", Some(path)) => self.kept(name, "daas_roles", roles().collect(), Some(path)).await,
            _ => Err(Error::query(format!(
                "There is no variable `{}`: there are `$NOW`, `$CURRENT_USER`, `$CURRENT_ROLE`, `$CURRENT_ROLES` and `$CURRENT_POLICIES`",
                clip(name)
            ))),
        }
    }

    /// What the database says, once per operation.
    async fn kept(&self, name: &str, collection: &str, keys: Vec<&str>, path: Option<&str>) -> Result<Value> {
        let kept = || self.ctx.op.variables.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (self.eyes, self.ctx.who.user_id().map(str::to_owned), name.to_owned());
        if let Some(known) = kept().get(&place) {
            return Ok(known.clone());
        }
        let value = match path {
            Some(path) => self.follow(name, collection, keys.into_iter().map(Value::from).collect(), path).await?,
            None => self.policies().await?,
        };
        kept().insert(place, value.clone());
        Ok(value)
    }

    /// The policies that hold for the caller: those of everybody, of their roles, and their own.
    async fn policies(&self) -> Result<Value> {
        let access = self.ctx.op.schema.collection("daas_access").ok_or_else(|| Error::internal("daas_access is not declared"))?;
        let everybody = Filter::And(vec![Filter::field("role", Op::Null), Filter::field("user", Op::Null)]);
        let roles = Filter::field("role", Op::In(self.ctx.who.roles().iter().map(|role| json!(role)).collect()));
        let own = self.ctx.who.user_id().map(|id| Filter::field("user", Op::Eq(Value::from(id))));
        let filter = Filter::Or([everybody, roles].into_iter().chain(own).collect());
        let mut found: Vec<Value> = self.rows(access, "policy", filter).await?;
        found.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        found.dedup();
        Ok(Value::Array(found))
    }

    /// The values at the end of a path of fields: one, or a list where the path leads through a list.
    async fn follow(&self, name: &str, collection: &str, keys: Vec<Value>, path: &str) -> Result<Value> {
        let steps: Vec<&str> = path.split('.').collect();
        if steps.len() > MAX_STEPS {
            return Err(Error::query(format!("`{}` has more than {MAX_STEPS} steps", clip(name))));
        }
        let schema = &self.ctx.op.schema;
        let mut at = schema.collection(collection).ok_or_else(|| Error::internal(format!("{collection} is not declared")))?;
        let (mut keys, mut many) = (keys, false);
        for (place, step) in steps.iter().enumerate() {
            let fields = match self.eyes {
                Eyes::Host => &FieldSet::All,
                Eyes::Caller => self.ctx.granted(Action::Read, at)?,
            };
            let last = place + 1 == steps.len();
            let here = Filter::field(&at.primary_key().name, Op::In(keys.clone()));
            match schema.link(&at.name, step) {
                Some(Link::OneToMany(relation)) if fields.has(step) => {
                    many = true;
                    at = schema.collection(&relation.collection).ok_or_else(|| Error::internal("a relation leads nowhere"))?;
                    let (field, key) = (relation.field.as_str(), at.primary_key().name.clone());
                    keys = self.rows(at, &key, Filter::field(field, Op::In(keys))).await?;
                }
                link => {
                    let field = query::readable(at, fields, step)?;
                    if is_concealed(field) {
                        return Err(Error::forbidden(format!("`{}` leads to a field that is concealed", clip(name))).with_field(*step));
                    }
                    let found = self.rows(at, &field.name, here).await?;
                    match link {
                        _ if last => keys = found,
                        Some(Link::ManyToOne(relation)) => {
                            let related = relation.related.as_deref().and_then(|related| schema.collection(related));
                            at = related.ok_or_else(|| Error::internal("a relation leads nowhere"))?;
                            keys = found;
                        }
                        _ => return Err(Error::query(format!("`{}`: `{}` leads to no single item", clip(name), clip(step)))),
                    }
                }
            }
        }
        Ok(if many || self.is_list(name) { Value::Array(keys) } else { keys.into_iter().next().unwrap_or_default() })
    }

    fn is_list(&self, name: &str) -> bool {
        name.starts_with("$CURRENT_ROLES")
    }

    /// The values, without nulls, of one field of the rows that the eyes may see.
    async fn rows(&self, collection: &Arc<Collection>, field: &str, filter: Filter) -> Result<Vec<Value>> {
        let rule = match self.eyes {
            Eyes::Host => None,
            Eyes::Caller => {
                // Boxed: a rule may hold variables of its own.
                let rule: BoxFuture<'_, Result<Option<Filter>>> = Box::pin(self.ctx.row_rule(Action::Read, collection));
                rule.await?
            }
        };
        let query = Query { filter: Filter::both(Some(filter), rule), limit: Some(MAX_ROWS), ..Query::default() };
        Ok(select(self.ctx, collection, &[field], &query).await?.into_iter().flatten().filter(|value| !value.is_null()).collect())
    }
}

/// `$NOW`, with what stands behind it in brackets: a number and a unit.
fn now(now: DateTime<Utc>, rest: &str) -> Option<Value> {
    let at = if rest.is_empty() { now } else { shifted(now, rest.strip_prefix('(')?.strip_suffix(')')?.trim())? };
    Some(Value::from(at.to_rfc3339_opts(SecondsFormat::Millis, true)))
}

fn shifted(now: DateTime<Utc>, by: &str) -> Option<DateTime<Utc>> {
    let (back, by) = match by.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, by.strip_prefix('+').unwrap_or(by)),
    };
    let by = by.trim_start();
    let digits = by.bytes().take_while(u8::is_ascii_digit).count();
    let amount: u32 = by[..digits].parse().ok().filter(|n| *n <= 10_000_000)?;
    let unit = by[digits..].trim();
    // The short form of months is a capital: `m` is minutes.
    let unit = if unit == "M" { "months".to_owned() } else { unit.to_ascii_lowercase() };
    let months = |n: u32| {
        let months = Months::new(amount.checked_mul(n)?);
        if back { now.checked_sub_months(months) } else { now.checked_add_months(months) }
    };
    let seconds = |n: i64| {
        let span = Duration::try_seconds(i64::from(amount) * n)?;
        if back { now.checked_sub_signed(span) } else { now.checked_add_signed(span) }
    };
    let at = match unit.as_str() {
        "ms" | "millisecond" | "milliseconds" => {
            let span = Duration::milliseconds(i64::from(amount));
            if back { now.checked_sub_signed(span) } else { now.checked_add_signed(span) }
        }
        "s" | "sec" | "secs" | "second" | "seconds" => seconds(1),
        "m" | "min" | "mins" | "minute" | "minutes" => seconds(60),
        "h" | "hr" | "hrs" | "hour" | "hours" => seconds(3600),
        "d" | "day" | "days" => seconds(86_400),
        "w" | "wk" | "wks" | "week" | "weeks" => seconds(7 * 86_400),
        "mo" | "mos" | "month" | "months" => months(1),
        "quarter" | "quarters" => months(3),
        "y" | "yr" | "yrs" | "year" | "years" => months(12),
        _ => None,
    }?;
    // What the databases hold.
    (1..=9999).contains(&chrono::Datelike::year(&at)).then_some(at)
}

fn collect<'v>(value: &'v Value, names: &mut Vec<&'v str>) {
    match value {
        Value::String(text) if is_name(text) => names.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Value::Object(members) => members.values().for_each(|member| collect(member, names)),
        _ => {}
    }
}

/// Puts the values in place, whatever they are.
fn replace_all(value: &Value, values: &HashMap<String, Value>) -> Value {
    match value {
        Value::String(text) => values.get(text).unwrap_or(value).clone(),
        Value::Array(items) => items.iter().map(|item| replace_all(item, values)).collect(),
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), replace_all(member, values))).collect(),
        other => other.clone(),
    }
}

/// Puts the values of a filter in place.
fn replace(value: &Value, values: &HashMap<String, Value>) -> Value {
    let known = |value: &Value| value.as_str().and_then(|text| values.get(text));
    match value {
        Value::Object(members) => {
            let mut out = Item::with_capacity(members.len());
            for (name, member) in members {
                match known(member) {
                    // A comparison with nobody: `_eq` must not become "has no value".
                    Some(Value::Null) if is_comparison(name) => {
                        if !is_negation(name) {
                            out.insert("_in".to_owned(), json!([]));
                        }
                    }
                    Some(Value::Null) => drop(out.insert(name.clone(), json!({ "_in": [] }))),
                    _ if name == "_in" && out.contains_key("_in") => {}
                    _ => drop(out.insert(name.clone(), replace(member, values))),
                }
            }
            Value::Object(out)
        }
        Value::Array(items) => {
            let mut out = Vec::with_capacity(items.len());
            for item in items {
                match known(item) {
                    Some(Value::Null) => {}
                    Some(Value::Array(list)) => out.extend(list.iter().cloned()),
                    _ => out.push(replace(item, values)),
                }
            }
            Value::Array(out)
        }
        other => known(other).unwrap_or(other).clone(),
    }
}

fn is_comparison(name: &str) -> bool {
    name.starts_with('_')
}

fn is_negation(name: &str) -> bool {
    name.starts_with("_n") && !matches!(name, "_null" | "_nnull")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).expect("a moment").to_utc()
    }

    #[test]
    fn now_can_be_moved_by_any_unit() {
        let from = at("2026-01-31T12:00:00Z");
        let moved = |rest: &str| now(from, rest).map(|value| value.as_str().expect("a text").to_owned());
        for (rest, expected) in [
            ("", "2026-01-31T12:00:00.000Z"),
            ("(+7 days)", "2026-02-07T12:00:00.000Z"),
            ("(-1 month)", "2025-12-31T12:00:00.000Z"),
            ("(+1 month)", "2026-02-28T12:00:00.000Z"),
            ("(+1M)", "2026-02-28T12:00:00.000Z"),
            ("(-90m)", "2026-01-31T10:30:00.000Z"),
            ("( 2 weeks )", "2026-02-14T12:00:00.000Z"),
            ("(+1 quarter)", "2026-04-30T12:00:00.000Z"),
            ("(-2 years)", "2024-01-31T12:00:00.000Z"),
        ] {
            assert_eq!(moved(rest).as_deref(), Some(expected), "{rest}");
        }
        for bad in ["(", "()", "(soon)", "(+7)", "(+7 parsecs)", "(9999 years)", "(+99999999999 days)", "(--1 day)", ".x"] {
            assert_eq!(moved(bad), None, "{bad}");
        }
    }

    #[test]
    fn nobody_equals_nothing() {
        let values = HashMap::from([("$CURRENT_USER".to_owned(), Value::Null), ("$CURRENT_ROLES".to_owned(), json!(["a", "b"]))]);
        for (given, expected) in [
            (json!({ "owner": { "_eq": "$CURRENT_USER" } }), json!({ "owner": { "_in": [] } })),
            (json!({ "owner": "$CURRENT_USER" }), json!({ "owner": { "_in": [] } })),
            (json!({ "owner": { "_neq": "$CURRENT_USER", "_null": false } }), json!({ "owner": { "_null": false } })),
            (json!({ "owner": { "_eq": "$CURRENT_USER", "_in": ["x"] } }), json!({ "owner": { "_in": [] } })),
            (json!({ "owner": { "_in": ["x", "$CURRENT_USER"] } }), json!({ "owner": { "_in": ["x"] } })),
            (
                json!({ "_or": [{ "role": { "_in": "$CURRENT_ROLES" } }, { "role": { "_in": ["c", "$CURRENT_ROLES"] } }] }),
                json!({ "_or": [{ "role": { "_in": ["a", "b"] } }, { "role": { "_in": ["c", "a", "b"] } }] }),
            ),
        ] {
            assert_eq!(replace(&given, &values), expected, "{given}");
        }
    }
}
