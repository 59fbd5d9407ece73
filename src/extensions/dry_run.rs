//! `POST /api/extensions/test`: code that isn't stored yet, run for real and undone.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::authors::Author;
use super::customs::named_in;
use super::definition::{Definition, Trigger, check_members};
use super::failed_run::calls_json;
use super::failure;
use super::logs::level_name;
use super::routes::{RouteEvent, RouteMethod};
use super::run::{action_input, change_needs, context, filter_input, parse, raw};
use super::set::{Extension, Origin};
use super::store::{Extensions, invalid_code};
use super::trouble::Trouble;
use crate::auth::Accountability;
use crate::bridge::{Mocks, Record, Session};
use crate::error::{Error, ErrorCode, Result};
use crate::hooks::{EventName, HookKind};
use crate::sandbox::{Answer, AnswerBody, Exchange, Failure, Input};
use crate::services::items::check_answer;
use crate::services::operation::{Intent, Outcome, Start};
use crate::services::query::{clip, show};
use crate::services::runner::{Meta, Previous};
use crate::services::{Ctx, Item};

/// Text of an answer that a report shows, in characters.
const MAX_SHOWN: usize = 1 << 20;

const MEMBERS: &[&str] = &[
    "code",
    "type",
    "event",
    "testPayload",
    "meta",
    "accountability",
    "mocks",
    "allowFetch",
    "timeout_ms",
    "memory_limit_mb",
    "state",
    "name",
    "capabilities",
];

/// What is to be run.
pub struct TestRequest {
    /// As it was sent.
    row: Item,
    definition: Definition,
    payload: Value,
    meta: Item,
    who: Option<Value>,
    mocks: Mocks,
}

impl TestRequest {
    /// Reads `{ code, type, event, testPayload, meta?, accountability?, timeout_ms?, memory_limit_mb? }`.
    pub fn parse(raw: Value) -> Result<Self> {
        let Value::Object(mut raw) = raw else { return Err(Error::payload(format!("a test must be an object, not: {}", show(&raw)))) };
        if let Some(key) = raw.keys().find(|key| !MEMBERS.contains(&key.as_str())) {
            return Err(Error::payload(format!("a test has no member `{}`; it has {}", clip(key), MEMBERS.join(", "))));
        }
        let allow_fetch = match raw.shift_remove("allowFetch") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(allow)) => allow,
            Some(other) => {
                return Err(Error::payload(format!("`allowFetch` must be true or false, not: {}", show(&other))).with_field("allowFetch"));
            }
        };
        let mocks = Mocks::parse(raw.shift_remove("mocks").unwrap_or_default(), allow_fetch)?;
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
        Ok(Self { row: raw, definition, payload, meta, who, mocks })
    }
}

impl Extensions {
    /// Runs it in the real sandbox on the real database, in a transaction that is always undone. The answer tells everything.
    pub async fn test(&self, start: Start, request: TestRequest) -> Result<Value> {
        let author = Author::of(&start.who)?;
        author.check(&request.row)?;
        if !author.is_admin() && request.who.as_ref().is_some_and(|who| !who.is_null()) {
            let why = "Only admins run a test as somebody else: leave `accountability` out, and it runs as you";
            return Err(Error::forbidden(why).with_field("accountability"));
        }
        let who = self.test_caller(&start, request.who.as_ref()).await?;
        let trigger = request.definition.trigger.clone();
        let extension = Extension::of_row(request.definition, &self.current().customs, &self.shared.pool, self.shared.core.clock.now());
        self.shared.pool.check(&extension.unit).await.map_err(invalid_code)?;
        let ctx = self.shared.core.open(&Start { who, intent: Intent::Discard, ..start });
        let event = match &trigger {
            Trigger::Filter(event) | Trigger::Action { event, .. } => event,
            Trigger::Route(route) => return self.test_route(&extension, route, ctx, request.payload, request.mocks).await,
        };
        let (collection, items) = match event {
            EventName::Items { collection, event } => (collection.clone(), Some(*event)),
            EventName::Auth(_) | EventName::Job(_) => (None, None),
        };
        let (mut meta, payload) = (request.meta, request.payload);
        let happened = event.to_string();
        meta.entry("event").or_insert_with(|| json!(happened));
        if let Some(collection) = &collection {
            meta.entry("collection").or_insert_with(|| json!(collection));
        }
        let told = meta.clone();
        let hook = extension.hooks.first().ok_or_else(|| Error::internal("a row that hears an event has a hook"))?;
        let inside = ctx.inside_filter(hook, &happened)?;
        let (input, previous) = match hook.kind {
            HookKind::Filter => {
                let meta = Meta { previous: previous(&meta), json: meta };
                (filter_input(&extension, 0, &ctx, &meta, &payload)?, meta.previous)
            }
            HookKind::Action => {
                meta.entry("payload").or_insert(payload.clone());
                (action_input(&ctx.core, &extension, 0, &ctx.who, &ctx.op.request_id, &Value::Object(meta))?, None)
            }
        };
        let session = Session::joined(inside, &extension.identity, previous).with_mocks(request.mocks);
        let (outcome, mut record) = self.current().invoke(&extension, input, extension.settings.timeout, false, session, None).await;
        self.shared.core.close(&ctx.op, Outcome::Undo).await?;
        let result = match outcome.result {
            Ok(Some(json)) => Ok(Some(parse(json).await?)),
            Ok(None) => Ok(None),
            Err(failure) => Err(failure),
        };
        let changed = match (hook.kind, &result) {
            (HookKind::Filter, Ok(Some(answer))) => change_needs(&ctx.op.schema, &told, &payload, answer),
            _ => Vec::new(),
        };
        let denied = changed.iter().find(|needed| !extension.identity.capabilities.allows(needed)).cloned();
        record.capabilities.extend(changed);
        let refuse = |result: &Value| match (hook.kind, &collection, items) {
            _ if denied.is_some() => denied.as_ref().map(|needed| format!("it changes its payload, which needs the capability `{needed}`")),
            (HookKind::Filter, Some(name), Some(event)) => {
                check_answer(&ctx, ctx.op.schema.collection(name)?, event, &payload, result).err()
            }
            _ => None,
        };
        Ok(report(result, outcome.elapsed, record, &extension, &ctx, &refuse))
    }

    /// A test of a route: the payload is the request, `{ method?, url?, headers?, params?, body? }`, the result the answer.
    async fn test_route(&self, extension: &Extension, route: &RouteEvent, ctx: Ctx, payload: Value, mocks: Mocks) -> Result<Value> {
        let request = TestedRequest::read(route, payload)?;
        let session = Session::joined(ctx.joining(), &extension.identity, None).with_mocks(mocks);
        let more = json!({ "params": request.params, "query": request.query });
        let head = json!({ "method": request.method, "url": request.url, "headers": request.headers });
        let input = Input {
            handler: 0,
            args: vec![raw(&head)?],
            context: context(&self.shared.core, extension, &ctx.who, &ctx.op.request_id, more)?,
        };
        let (answer, answered) = oneshot::channel();
        let body = request.body.map(|text| futures_util::stream::iter([Ok(Bytes::from(text))]).boxed());
        let gone = Box::pin(std::future::pending());
        let exchange = Exchange { body, answer, gone, stream_timeout: extension.settings.timeout };
        let set = self.current();
        let run = set.invoke(extension, input, extension.settings.timeout, false, session, Some(exchange));
        let ((outcome, record), shown) = tokio::join!(run, async { show_answer(answered.await.ok()?).await.into() });
        self.shared.core.close(&ctx.op, Outcome::Undo).await?;
        let result = outcome.result.map(|_| shown);
        Ok(report(result, outcome.elapsed, record, extension, &ctx, &|_| None))
    }

    /// Who the test runs as: the caller, or the user or nobody that the request names, in the shape of `context.accountability`.
    ///
    /// What a user may do follows from who it is, so whatever else is said of it must be so.
    async fn test_caller(&self, start: &Start, asked: Option<&Value>) -> Result<Arc<Accountability>> {
        const MEMBERS: [&str; 8] = ["user", "role", "roles", "admin", "app", "email", "ip", "userAgent"];
        const FOLLOW: [&str; 5] = ["role", "roles", "admin", "app", "email"];
        let wrong = |message: String| Error::payload(message).with_field("accountability");
        let asked = match asked {
            None | Some(Value::Null) => return Ok(Arc::clone(&start.who)),
            Some(Value::Object(asked)) => asked,
            Some(other) => return Err(wrong(format!("`accountability` must be an object, not: {}", show(other)))),
        };
        if let Some(key) = asked.keys().find(|key| !MEMBERS.contains(&key.as_str())) {
            return Err(wrong(format!("`accountability` has no member `{}`; it has {}", clip(key), MEMBERS.join(", "))));
        }
        let directory = &self.shared.core.directory;
        let who = match asked.get("user") {
            Some(Value::String(id)) => {
                let user = directory.user(id).await?;
                Accountability::user(user.ok_or_else(|| wrong(format!("`accountability.user`: there is no active user `{}`", clip(id))))?)
            }
            None | Some(Value::Null) => Accountability::anonymous(directory.public().await?),
            Some(other) => return Err(wrong(format!("`accountability.user` must be the key of a user, or null, not: {}", show(other)))),
        };
        let text = |member: &str| match asked.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(other) => Err(wrong(format!("`accountability.{member}` must be a text, not: {}", show(other)))),
        };
        let who = who.located(text("ip")?, text("userAgent")?);
        let is = who.to_json();
        for member in FOLLOW {
            if let Some(said) = asked.get(member).filter(|said| !said.is_null() && **said != is[member]) {
                let message =
                    format!("`accountability.{member}` is {} for this user, not: {}; name another `user`", show(&is[member]), show(said));
                return Err(wrong(message));
            }
        }
        Ok(Arc::new(who))
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

/// What a test of a route sends.
struct TestedRequest {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    params: Value,
    query: Item,
    body: Option<String>,
}

impl TestedRequest {
    fn read(route: &RouteEvent, payload: Value) -> Result<Self> {
        const MEMBERS: [&str; 5] = ["method", "url", "headers", "params", "body"];
        let wrong =
            |member: &str, wanted: &str| Error::payload(format!("`testPayload.{member}` must be {wanted}")).with_field("testPayload");
        let mut payload = match payload {
            Value::Null => Item::new(),
            Value::Object(payload) => payload,
            other => return Err(Error::payload(format!("`testPayload` of a route must be an object, not: {}", show(&other)))),
        };
        if let Some(key) = payload.keys().find(|key| !MEMBERS.contains(&key.as_str())) {
            return Err(Error::payload(format!("`testPayload` of a route has no member `{}`; it has {}", clip(key), MEMBERS.join(", "))));
        }
        let text = |value: Option<Value>, member: &str| match value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(member, "a text")),
        };
        let own = match &route.method {
            RouteMethod::One(method) => method.clone(),
            RouteMethod::All => "GET".to_owned(),
        };
        let method = text(payload.shift_remove("method"), "method")?.unwrap_or(own);
        let path = text(payload.shift_remove("url"), "url")?.unwrap_or_else(|| format!("/api/ext{}", route.pattern));
        let url = if path.starts_with('/') { format!("http://localhost{path}") } else { path };
        let headers = match payload.shift_remove("headers") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Object(headers)) => headers
                .into_iter()
                .map(|(name, value)| text(Some(value), "headers").map(|value| (name, value.unwrap_or_default())))
                .collect::<Result<_>>()?,
            Some(_) => return Err(wrong("headers", "an object of texts")),
        };
        let params = match payload.shift_remove("params") {
            None | Some(Value::Null) => json!({}),
            Some(params @ Value::Object(_)) => params,
            Some(_) => return Err(wrong("params", "an object of texts")),
        };
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let query = serde_urlencoded::from_str::<Vec<(String, String)>>(query).unwrap_or_default();
        let body = match payload.shift_remove("body") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(other) => Some(other.to_string()),
        };
        let query = query.into_iter().map(|(name, value)| (name, json!(value))).collect();
        Ok(Self { method, url, headers, params, query, body })
    }
}

/// An answer as a report shows it. A body that isn't text is told by its length.
async fn show_answer(answer: Answer) -> Value {
    let bytes = match answer.body {
        AnswerBody::Whole(bytes) => bytes.to_vec(),
        AnswerBody::Stream(mut pieces) => {
            let mut all = Vec::new();
            while let Some(Ok(piece)) = pieces.next().await {
                if all.len() < MAX_SHOWN {
                    all.extend_from_slice(&piece);
                }
            }
            all
        }
    };
    let length = bytes.len();
    let body = match String::from_utf8(bytes) {
        Ok(text) => json!(text.chars().take(MAX_SHOWN).collect::<String>()),
        Err(_) => json!({ "bytes": length }),
    };
    json!({ "status": answer.status, "headers": answer.headers, "body": body })
}

/// `refuse` says why a real run would refuse the result, if it would.
fn report(
    result: Result<Option<Value>, Failure>,
    elapsed: Duration,
    record: Record,
    extension: &Extension,
    ctx: &Ctx,
    refuse: &(dyn Fn(&Value) -> Option<String> + Send + Sync),
) -> Value {
    let mut error = result.as_ref().err().map(|failure| {
        let told = failure::tell(failure.clone(), &extension.settings.name, &ctx.who, extension.settings.timeout);
        let mut error = told.trouble.to_json();
        // Code and status are here what the code set, not what a caller would get.
        if let Failure::Thrown(thrown) = failure {
            error.insert("code".to_owned(), json!(thrown.code));
            error.insert("status".to_owned(), json!(thrown.status));
            error.insert("fields".to_owned(), json!(thrown.fields));
        }
        error
    });
    let result = match result {
        Ok(Some(mut result)) => {
            let refused = |why| Trouble::general(ErrorCode::ExtensionFailed, format!("The answer can't be used: {why}")).to_json();
            error = refuse(&result).map(refused);
            let secrets = extension.identity.secrets.load();
            if let Some(Value::String(why)) = error.as_mut().and_then(|error| error.get_mut("message")) {
                secrets.redact(why);
            }
            secrets.redact_value(&mut result);
            result
        }
        Ok(None) | Err(_) => Value::Null,
    };
    let lines = lines(&record);
    let used = used(record.capabilities, extension, ctx);
    json!({
        "success": error.is_none(),
        "result": result,
        "logs": lines,
        "executionTime": elapsed.as_secs_f64() * 1000.0,
        "capabilitiesUsed": used,
        "calls": calls_json(&record.calls),
        "callsLeftOut": record.calls_left_out,
        "requestId": &*ctx.op.request_id,
        "error": error,
    })
}

/// What a run wrote to console and log.
pub(super) fn lines(record: &Record) -> Value {
    record.lines.iter().map(|(l, message)| json!({ "level": level_name(*l), "message": message })).collect()
}

/// What a run needed, each once and ready to be listed. Variables of the environment come with the call, so those count that the code
/// names.
fn used(mut needed: Vec<String>, extension: &Extension, ctx: &Ctx) -> Vec<String> {
    let Origin::Row(definition) = &extension.origin else { return needed };
    let is_named = |name: &str| definition.code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == name);
    needed.extend(ctx.core.config.extension_env.keys().filter(|name| is_named(name)).map(|name| format!("env:{name}")));
    needed.extend(named_in(&definition.code).into_iter().map(|name| format!("custom:{name}")));
    let mut seen = HashSet::new();
    needed.retain(|entry| seen.insert(entry.clone()));
    needed
}
