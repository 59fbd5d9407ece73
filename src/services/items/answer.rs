//! What a filter hook may answer, event by event: held against what it was given.

use std::sync::Arc;

use serde_json::Value;

use super::branches::split;
use crate::db::Collection;
use crate::hooks::ItemsEvent;
use crate::services::access::check_values;
use crate::services::query::{self, Reader, Unlimited};
use crate::services::{Ctx, aggregate};

/// Why the answer of a filter hook of `event` can't be used, if it can't. `given` is the payload that it got.
pub fn check_answer(ctx: &Ctx, collection: &Arc<Collection>, event: ItemsEvent, given: &Value, answer: &Value) -> Result<(), String> {
    let object = || answer.as_object().ok_or_else(|| format!("it must return an object, or nothing, not {}", query::show(answer)));
    let told = |error: crate::error::Error| error.message().to_owned();
    match event {
        ItemsEvent::Query => {
            let (max, raw) = (ctx.core.config.query_limit_max, object()?);
            let reader = Reader::after_hooks(ctx);
            if raw.contains_key("aggregate") || raw.contains_key("groupBy") {
                return aggregate::parse(&reader, collection, raw, max).map(drop).map_err(told);
            }
            query::parse(&reader, collection, raw, max, Unlimited::All).map(drop).map_err(told)
        }
        ItemsEvent::Read => check_rows(answer, &collection.primary_key().name, given),
        ItemsEvent::Create | ItemsEvent::Update => {
            // What hangs on the row is looked at when its turn comes.
            let own = split(&ctx.op.schema, collection, object()?.clone()).map_err(told)?.own;
            check_values(collection, ctx.core.db.dialect(), &own).map_err(told)
        }
        ItemsEvent::Delete => {
            let keys =
                answer.as_array().ok_or_else(|| format!("it must return an array of keys, or nothing, not {}", query::show(answer)))?;
            let asked = given.as_array().map(Vec::as_slice).unwrap_or_default();
            match keys.iter().find(|key| !asked.contains(key)) {
                Some(extra) => Err(format!("it may take keys away, not add any: {}", query::show(extra))),
                None => Ok(()),
            }
        }
    }
}

/// Rows with keys that were given, each once.
fn check_rows(answer: &Value, pk: &str, given: &Value) -> Result<(), String> {
    let rows = answer.as_array().ok_or_else(|| format!("it must return an array of rows, or nothing, not {}", query::show(answer)))?;
    let mut left: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    for key in given.as_array().into_iter().flatten().filter_map(|row| row.get(pk)) {
        *left.entry(key.to_string()).or_default() += 1;
    }
    for row in rows {
        let key = row.get(pk).ok_or_else(|| format!("each row must keep its key `{pk}`"))?;
        match left.get_mut(&key.to_string()) {
            Some(times) if *times > 0 => *times -= 1,
            _ => return Err(format!("it may take rows away, not add any: `{pk}` {}", query::show(key))),
        }
    }
    Ok(())
}
