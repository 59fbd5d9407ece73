//! `POST /api/extensions/test`: code that isn't stored yet, run for real and undone.

use std::sync::Arc;

use serde_json::{Value, json};

use super::definition::{Definition, Kind, check_members};
use super::failure;
use super::run::{action_input, filter_input, parse};
use super::set::Extension;
use super::store::{Extensions, admin, invalid_code};
use crate::auth::Accountability;
use crate::bridge::{Record, Session};
use crate::error::{Error, Result};
use crate::sandbox::{Failure, LogLevel, Outcome as RunOutcome, Thrown};
use crate::services::Item;
use crate::services::items::check_answer;
use crate::services::operation::{Intent, Outcome, Start};
use crate::services::query::{clip, show};
use crate::services::runner::{Meta, Previous};

const MEMBERS: &[&str] =
    &["code", "type", "event", "testPayload", "meta", "accountability", "mocks", "timeout_ms", "memory_limit_mb", "state", "name"];

/// What is to be run.
pub struct TestRequest {
    definition: Definition,
    payload: Value,
    meta: Item,
    who: Option<Value>,
}

impl TestRequest {
    /// Reads `{ code, type, event, testPayload, meta?, accountability?, timeout_ms?, memory_limit_mb? }`.
    pub fn parse(raw: Value) -> Result<Self> {
        let Value::Object(mut raw) = raw else { return Err(Error::payload(format!("a test must be an object, not: {}", show(&raw)))) };
        if let Some(key) = raw.keys().find(|key| !MEMBERS.contains(&key.as_str())) {
            return Err(Error::payload(format!("a test has no member `{}`; it has {}", clip(key), MEMBERS.join(", "))));
        }
        if raw.shift_remove("mocks").is_some_and(|m| m.as_array().is_none_or(|list| !list.is_empty())) {
            return Err(Error::payload("`mocks` can't be used yet: there is no `fetch` to answer for").with_field("mocks"));
        }
        let payload = raw.shift_remove("testPayload").unwrap_or_default();
        let meta = match raw.shift_remove("meta") {
            None | Some(Value::Null) => Item::new(),
            Some(Value::Object(meta)) => meta,
            Some(other) => return Err(Error::payload(format!("`meta` must be an object, not: {}", show(&other))).with_field("meta")),
        };
        let who = raw.shift_remove("accountability");
        raw.entry("name").or_insert_with(|| json!("test"));
        check_members(&raw)?;
        let definition = Definition::from_row(&raw)?;
        Ok(Self { definition, payload, meta, who })
    }
}

impl Extensions {
    /// Runs it in the real sandbox on the real database, in a transaction that is always undone. The answer tells everything.
    pub async fn test(&self, start: Start, request: TestRequest) -> Result<Value> {
        admin(&start.who)?;
        let who = self.test_caller(&start, request.who.as_ref()).await?;
        let extension = Extension::new(request.definition, &self.shared.pool);
        self.shared.pool.check(&extension.unit).await.map_err(invalid_code)?;
        let definition = &extension.definition;
        let collection = definition.event.collection.clone();
        let ctx = self.shared.core.open(&Start { who, intent: Intent::Discard, ..start });
        let (mut meta, payload) = (request.meta, request.payload);
        let happened = collection.as_deref().map_or_else(|| definition.event.to_string(), |c| definition.event.event.qualified(c));
        meta.entry("event").or_insert_with(|| json!(happened));
        if let Some(collection) = &collection {
            meta.entry("collection").or_insert_with(|| json!(collection));
        }
        let hook = definition.hook();
        let inside = ctx.inside_filter(&hook, &happened)?;
        let (input, previous) = match definition.kind {
            Kind::Filter => {
                let meta = Meta { previous: previous(&meta), json: meta };
                (filter_input(&extension, &ctx, &meta, &payload)?, meta.previous)
            }
            Kind::Action => {
                meta.entry("payload").or_insert(payload.clone());
                (action_input(&ctx.core, &extension, &ctx.who, &ctx.op.request_id, &Value::Object(meta))?, None)
            }
        };
        let session = Session::joined(inside, &definition.name, previous);
        let (outcome, record) = self.current().invoke(&extension, input, definition.timeout, false, session).await;
        self.shared.core.close(&ctx.op, Outcome::Undo).await?;
        let refuse = |result: &Value| match (definition.kind, &collection) {
            (Kind::Filter, Some(name)) => {
                check_answer(&ctx, ctx.op.schema.collection(name)?, definition.event.event, &payload, result).err()
            }
            _ => None,
        };
        report(outcome, record, &extension, &ctx.who, &refuse).await
    }

    /// Who the test runs as: the caller, or the user or nobody that the request names.
    async fn test_caller(&self, start: &Start, asked: Option<&Value>) -> Result<Arc<Accountability>> {
        let directory = &self.shared.core.directory;
        match asked {
            None | Some(Value::Null) => Ok(Arc::clone(&start.who)),
            Some(Value::Object(asked)) => match asked.get("user") {
                Some(Value::String(id)) => {
                    let user = directory
                        .user(id)
                        .await?
                        .ok_or_else(|| Error::payload(format!("`accountability.user`: there is no active user `{}`", clip(id))))?;
                    Ok(Arc::new(Accountability::user(user)))
                }
                None | Some(Value::Null) => Ok(Arc::new(Accountability::anonymous(directory.public().await?))),
                Some(other) => {
                    Err(Error::payload(format!("`accountability.user` must be the key of a user, or null, not: {}", show(other))))
                }
            },
            Some(other) => Err(Error::payload(format!("`accountability` must be an object, not: {}", show(other)))),
        }
    }
}

fn previous(meta: &Item) -> Option<Previous> {
    let collection = meta.get("collection")?.as_str()?.to_owned();
    let keys: Vec<Value> = match (meta.get("keys"), meta.get("key")) {
        (Some(Value::Array(keys)), _) => keys.clone(),
        (_, Some(key)) if !key.is_null() => vec![key.clone()],
        _ => return None,
    };
    Some(Previous { collection, keys: keys.into() })
}

/// `refuse` says why a real run would refuse the result, if it would.
async fn report(
    outcome: RunOutcome,
    record: Record,
    extension: &Extension,
    who: &Accountability,
    refuse: &(dyn Fn(&Value) -> Option<String> + Send + Sync),
) -> Result<Value> {
    let mut error = outcome.result.as_ref().err().map(|failure| match failure {
        Failure::Thrown(thrown) => thrown_json(thrown),
        other => {
            let told = failure::tell(other.clone(), &extension.definition.name, who, extension.definition.timeout);
            json!({ "name": told.error.wire_code(), "code": told.error.wire_code(), "message": told.report })
        }
    });
    let result = match outcome.result {
        Ok(Some(json)) => {
            let result = parse(json).await?;
            let refused = |why| json!({ "name": "EXTENSION_FAILED", "code": "EXTENSION_FAILED", "message": format!("The answer can't be used: {why}") });
            error = refuse(&result).map(refused);
            result
        }
        Ok(None) | Err(_) => Value::Null,
    };
    let level = |level: &LogLevel| match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    };
    let calls =
        record.calls.iter().map(|call| json!({ "method": call.method, "collection": call.collection, "ms": call.ms, "error": call.error }));
    Ok(json!({
        "success": error.is_none(),
        "result": result,
        "logs": record.lines.iter().map(|(l, message)| json!({ "level": level(l), "message": message })).collect::<Vec<_>>(),
        "executionTime": outcome.elapsed.as_secs_f64() * 1000.0,
        "capabilitiesUsed": record.capabilities,
        "calls": calls.collect::<Vec<_>>(),
        "error": error,
    }))
}

fn thrown_json(thrown: &Thrown) -> Value {
    json!({
        "name": thrown.name,
        "message": thrown.message,
        "code": thrown.code,
        "status": thrown.status,
        "stack": thrown.stack,
        "line": thrown.line,
        "column": thrown.column,
        "frame": thrown.frame,
        "fields": thrown.fields,
    })
}
