//! Running a hook: admission, the call into the sandbox, and what its end means.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::breaker::{Admission, End};
use super::failed_run::FailedRun;
use super::failure::{self, Told};
use super::set::{Extension, ExtensionSet, LastFault};
use super::trouble::Trouble;
use crate::auth::Accountability;
use crate::bridge::{Record, Session};
use crate::db::{Collection, Schema};
use crate::error::{Error, ErrorCode, Result};
use crate::hooks::dispatcher::Verdict;
use crate::hooks::outbox::{Caller, Delivery};
use crate::hooks::{Hook, ItemsEvent, Registry};
use crate::sandbox::{Exchange, Failure, Input, Invocation, Outcome};
use crate::services::ctx::too_deep;
use crate::services::items::nested_needs;
use crate::services::operation::{Intent, Start};
use crate::services::runner::{Meta, Snapshot};
use crate::services::{Core, Ctx, Item};

/// A run that has come to its end.
pub(super) struct Run<'a> {
    /// The operation that it belonged to.
    pub ctx: &'a Ctx,
    /// The qualified event, or method and path.
    pub event: &'a str,
    /// Its leave to run, to be told how it ended.
    pub admission: Admission,
    /// How long it might have taken.
    pub limit: Duration,
    /// How long it took.
    pub elapsed: Duration,
    /// What it did.
    pub record: Record,
}

/// A failed run that was written down.
pub(super) struct Failed {
    /// For the caller of the operation.
    pub error: Error,
    /// For the author: everything.
    pub report: String,
    /// Whether the extension couldn't run at all, so that `failure_mode: open` may skip it.
    pub could_not_run: bool,
}

impl Snapshot for ExtensionSet {
    fn hooks(&self) -> &Registry {
        &self.registry
    }

    fn filter<'a>(&'a self, hook: &'a Hook, ctx: &'a Ctx, meta: &'a Meta, payload: &'a Value) -> BoxFuture<'a, Result<Option<Value>>> {
        Box::pin(async move {
            let Some(extension) = self.by_id.get(&hook.extension) else {
                return Err(Error::internal("a hook of a snapshot has no extension in it"));
            };
            let who = &*ctx.who;
            let refused = |why: &str, wait: Option<u64>| match extension.settings.fail_open {
                true => Ok(None),
                false => Err(failure::unavailable(&hook.name, who, why, wait)),
            };
            if let Some(why) = extension.broken() {
                return refused(&why, None);
            }
            let admission = match extension.breaker.admit(Instant::now()) {
                Ok(admission) => admission,
                Err(wait) => return refused("it is cooling down after too many faults", Some(wait.as_secs().max(1))),
            };
            let inside = match ctx.inside_filter(hook, meta.event()) {
                Ok(inside) => inside,
                Err(error) => {
                    self.note_trouble(
                        extension,
                        ctx,
                        meta.event(),
                        Trouble::general(error.code(), error.detail().unwrap_or(error.message())),
                    );
                    return Err(error);
                }
            };
            let session = Session::joined(inside, &extension.identity, meta.previous.clone());
            self.keep_lines(&session, extension, meta.event(), ctx);
            let input = filter_input(extension, hook.handler, ctx, meta, payload)?;
            let left = ctx.op.deadline.saturating_duration_since(tokio::time::Instant::now());
            let timeout = extension.settings.timeout.min(left);
            let (outcome, record) = self.invoke(extension, input, timeout, ctx.depth > 0, session, None).await;
            let run = Run { ctx, event: meta.event(), admission, limit: extension.settings.timeout, elapsed: outcome.elapsed, record };
            match outcome.result {
                Ok(answer) => {
                    self.ran(extension, run);
                    match answer {
                        Some(json) => {
                            let answer = parse(json).await?;
                            self.may_change(extension, ctx, meta, payload, &answer)?;
                            Ok(Some(answer))
                        }
                        None => Ok(None),
                    }
                }
                Err(failure) => {
                    let told = self.failed(extension, run, failure);
                    if told.could_not_run && extension.settings.fail_open { Ok(None) } else { Err(told.error) }
                }
            }
        })
    }

    fn best_effort(self: Arc<Self>, hook: Arc<Hook>, ctx: Ctx, meta: Item) {
        tokio::spawn(async move {
            let Some(extension) = self.by_id.get(&hook.extension) else { return };
            if extension.broken().is_some() {
                return;
            }
            let Ok(admission) = extension.breaker.admit(Instant::now()) else { return };
            let event = meta.get("event").and_then(Value::as_str).unwrap_or_default().to_owned();
            let (depth, chain) = match ctx.deeper(&hook, &event) {
                Ok(deeper) => deeper,
                Err(error) => {
                    tracing::warn!(extension = hook.name, event, %error, "an action hook was not run");
                    let trouble = Trouble::general(error.code(), error.detail().unwrap_or(error.message()));
                    return self.note_trouble(extension, &ctx, &event, trouble);
                }
            };
            let start = Start { depth, chain, ..Start::new(Arc::clone(&ctx.who), Arc::clone(&ctx.op.request_id)) };
            let session = Session::separate(Arc::clone(&self.shared.core), start, &extension.identity);
            self.keep_lines(&session, extension, &event, &ctx);
            let Ok(input) = action_input(&self.shared.core, extension, hook.handler, &ctx.who, &ctx.op.request_id, &Value::Object(meta))
            else {
                return;
            };
            let (outcome, record) = self.invoke(extension, input, extension.settings.timeout, false, session, None).await;
            let run = Run { ctx: &ctx, event: &event, admission, limit: extension.settings.timeout, elapsed: outcome.elapsed, record };
            match outcome.result {
                Ok(_) => self.ran(extension, run),
                Err(failure) => drop(self.failed(extension, run, failure)),
            }
        });
    }

    fn sample(&self, ctx: &Ctx, collection: &Collection, event: ItemsEvent, meta: &Meta, payload: &Value) {
        // A dry run leaves nothing behind.
        if ctx.op.intent == Intent::Keep {
            self.shared.samples.take(ctx, collection, event, meta, payload);
        }
    }

    fn bad_answer(&self, hook: &Hook, ctx: &Ctx, meta: &Meta, why: &str) -> Error {
        let Some(extension) = self.by_id.get(&hook.extension) else {
            return Error::internal("a hook of a snapshot has no extension in it");
        };
        let mut why = why.to_owned();
        extension.identity.secrets.load().redact(&mut why);
        let report = format!("The filter's answer on `{}` can't be used: {why}", meta.event());
        // The run itself was counted when it ended well.
        self.note_trouble(extension, ctx, meta.event(), Trouble::general(ErrorCode::ExtensionFailed, report.as_str()));
        let whose = if ctx.who.is_admin() { format!("Extension `{}` failed: {why}", hook.name) } else { "An extension failed".to_owned() };
        Error::new(ErrorCode::ExtensionFailed, whose).with_detail(report)
    }
}

impl ExtensionSet {
    /// What a filter changed is written or answered in its name: an extension with a list of capabilities needs the one for that.
    fn may_change(&self, extension: &Extension, ctx: &Ctx, meta: &Meta, before: &Value, after: &Value) -> Result<()> {
        let needs = change_needs(&ctx.op.schema, &meta.json, before, after);
        let Some(needed) = needs.into_iter().find(|needed| !extension.identity.capabilities.allows(needed)) else { return Ok(()) };
        let why = format!("The filter's answer on `{}` differs from its payload, which needs the capability `{needed}`", meta.event());
        self.note_trouble(extension, ctx, meta.event(), Trouble::general(ErrorCode::CapabilityDenied, why.as_str()));
        let name = &extension.settings.name;
        let whose = if ctx.who.is_admin() { format!("Extension `{name}` failed: {why}") } else { "An extension failed".to_owned() };
        Err(Error::new(ErrorCode::ExtensionFailed, whose).with_detail(why))
    }

    /// Runs what is owed to an action hook.
    pub async fn deliver(&self, delivery: Delivery) -> Verdict {
        let Some(extension) = self.by_id.get(&delivery.extension) else {
            return if self.exists(&delivery.extension).await {
                Verdict::Hold("its extension is not active".to_owned())
            } else {
                Verdict::Hopeless("its extension was deleted".to_owned())
            };
        };
        let Some(hook) = extension.hooks.iter().find(|hook| hook.slot() == delivery.hook) else {
            return Verdict::Hopeless(format!("its extension no longer hears `{}` as an action", delivery.event));
        };
        if let Some(why) = extension.broken() {
            return Verdict::Hold(why);
        }
        let who = match self.caller(&delivery).await {
            Ok(who) => Arc::new(who),
            Err(error) => return Verdict::Later(Duration::from_secs(1), error.to_string()),
        };
        let max = self.shared.core.config.extension_max_depth;
        let chain: Arc<[String]> = delivery.chain.iter().cloned().chain([format!("{} ({})", hook.name, delivery.event)]).collect();
        if delivery.depth >= max {
            let error = too_deep(max, &chain, &who);
            let trouble = Trouble::general(error.code(), error.detail().unwrap_or(error.message()));
            let start = Start::new(who, Arc::from(delivery.request_id.as_str()));
            self.note_trouble(extension, &self.shared.core.open(&start), &delivery.event, trouble);
            return Verdict::Hopeless(error.to_string());
        }
        let admission = match extension.breaker.admit(Instant::now()) {
            Ok(admission) => admission,
            Err(wait) => return Verdict::Later(wait, "it is cooling down after too many faults".to_owned()),
        };
        let mut meta = delivery.meta.clone();
        meta["delivery"] = json!({
            "id": delivery.id.to_string(),
            "attempt": delivery.attempt,
            "first_at": delivery.first_at.map(crate::db::timestamp),
            "replayed": delivery.replayed,
        });
        let request_id: Arc<str> = Arc::from(delivery.request_id.as_str());
        let start = Start {
            depth: delivery.depth + 1,
            chain,
            delivery: Some(delivery.id),
            ..Start::new(Arc::clone(&who), Arc::clone(&request_id))
        };
        let ctx = self.shared.core.open(&start);
        let session = Session::separate(Arc::clone(&self.shared.core), start, &extension.identity);
        self.keep_lines(&session, extension, &delivery.event, &ctx);
        let input = match action_input(&self.shared.core, extension, hook.handler, &who, &request_id, &meta) {
            Ok(input) => input,
            Err(error) => return Verdict::Hopeless(error.to_string()),
        };
        let (outcome, record) = self.invoke(extension, input, extension.settings.timeout, false, session, None).await;
        let run = Run { ctx: &ctx, event: &delivery.event, admission, limit: extension.settings.timeout, elapsed: outcome.elapsed, record };
        match outcome.result {
            Ok(_) => {
                self.ran(extension, run);
                Verdict::Done
            }
            Err(Failure::Busy { retry_after, for_memory }) => {
                let why = if for_memory { "it waited for memory" } else { "it had as many calls as it may have" };
                Verdict::Later(retry_after.max(Duration::from_secs(1)), why.to_owned())
            }
            Err(failure) => {
                let is_load = matches!(failure, Failure::Load(_));
                let told = self.failed(extension, run, failure);
                if is_load { Verdict::Hold(told.report) } else { Verdict::Failed(told.report) }
            }
        }
    }

    /// One call into the sandbox. Answers how it ended and what it did.
    pub(super) async fn invoke(
        &self,
        extension: &Extension,
        input: Input,
        timeout: Duration,
        nested: bool,
        session: Session,
        exchange: Option<Exchange>,
    ) -> (Outcome, Record) {
        session.belongs_to(&extension.settings.id);
        let (unit, host) = (Arc::clone(&extension.unit), Arc::new(session.clone()));
        let mut outcome = self.shared.pool.invoke(Invocation { unit, input, timeout, nested, host }, exchange).await;
        // Whatever is told of a failure is told from here on.
        if let Err(failure) = &mut outcome.result {
            extension.identity.secrets.load().redact_failure(failure);
        }
        let record = session.finish().await;
        (outcome, record)
    }

    /// Has the lines of a run kept, for those who manage its extension. A dry run leaves none.
    pub(super) fn keep_lines(&self, session: &Session, extension: &Extension, event: &str, ctx: &Ctx) {
        if ctx.op.intent == Intent::Keep {
            let (logs, id) = (Arc::clone(&self.shared.logs), extension.settings.id.clone());
            let (event, request_id) = (Arc::<str>::from(event), Arc::clone(&ctx.op.request_id));
            session.heard_by(Box::new(move |level, message| logs.add(&id, level, message, &event, &request_id)));
        }
    }

    /// Counts a run that ended well.
    pub(super) fn ran(&self, extension: &Extension, run: Run<'_>) {
        if run.ctx.op.intent == Intent::Keep {
            run.admission.ended(End::Ran);
            let settings = &extension.settings;
            self.shared.stats.count(&settings.id, run.elapsed, None);
            self.shared.core.metrics.called(&settings.id, &settings.name, run.elapsed, None);
        }
    }

    /// Counts a failed run, writes it down, and answers what it means.
    pub(super) fn failed(&self, extension: &Extension, run: Run<'_>, failure: Failure) -> Failed {
        let (settings, Run { ctx, event, admission, limit, elapsed, record }) = (&extension.settings, run);
        let (is_load, is_busy) = (matches!(failure, Failure::Load(_)), matches!(failure, Failure::Busy { .. }));
        // What the operation cut short is the operation's limit, not the extension's fault.
        let Told { error, trouble, end, could_not_run } = match failure {
            Failure::Timeout { cut } if elapsed < limit => failure::cut_by_operation(&settings.name, cut),
            failure => failure::tell(failure, &settings.name, &ctx.who, limit),
        };
        let now = self.shared.core.clock.now();
        let run = FailedRun::new(&settings.id, event, &ctx.op.request_id, ctx.who.user_id(), trouble, now).after(record, elapsed);
        let report = run.text();
        let (request, code) = (&*ctx.op.request_id, error.wire_code());
        tracing::warn!(extension = settings.name, event, request, code, report, "an extension's run failed");
        // A decision is its author's message to the caller, and says all there is.
        let error = if error.code() == ErrorCode::ExtensionError { error } else { error.with_detail(report.as_str()) };
        let is_known = is_load && !extension.set_broken(&run.trouble.message, now);
        if is_load && !is_known {
            self.mark_broken(extension, &report);
        }
        if ctx.op.intent == Intent::Keep {
            if end == End::Fault {
                let Trouble { code, message, .. } = run.trouble.clone();
                let (place, event, request_id) = (run.trouble.place(), run.event.clone(), run.request_id.clone());
                extension.set_last_fault(LastFault { code, message, place, event, request_id, at: now });
            }
            // What never began isn't counted, and the breaker learns nothing from it.
            if !could_not_run {
                admission.ended(end);
                self.shared.stats.count(&settings.id, elapsed, Some(&report));
                self.shared.core.metrics.called(&settings.id, &settings.name, elapsed, Some(error.code().name()));
            } else if is_load {
                self.shared.stats.note_error(&settings.id, &report);
            }
            if !is_busy && !is_known {
                self.shared.runs.add(run);
            }
        }
        Failed { error, report, could_not_run }
    }

    /// Takes note of something wrong with a run that was counted, or that never began.
    fn note_trouble(&self, extension: &Extension, ctx: &Ctx, event: &str, trouble: Trouble) {
        if ctx.op.intent == Intent::Keep {
            let (id, now) = (&extension.settings.id, self.shared.core.clock.now());
            let run = FailedRun::new(id, event, &ctx.op.request_id, ctx.who.user_id(), trouble, now);
            self.shared.stats.note_error(id, &run.text());
            self.shared.runs.add(run);
        }
    }

    /// Who a delivery runs as: what they may do now, which is nothing for a user who is no longer active.
    async fn caller(&self, delivery: &Delivery) -> Result<Accountability> {
        let directory = &self.shared.core.directory;
        let who = match &delivery.caller {
            Caller::System => Accountability::system(),
            Caller::Anonymous => Accountability::anonymous(directory.public().await?),
            Caller::User(id) => match directory.user(id).await? {
                Some(user) => Accountability::user(user),
                None => Accountability::anonymous(Arc::default()),
            },
        };
        Ok(who.located(delivery.ip.as_deref(), delivery.user_agent.as_deref()))
    }
}

/// The capabilities that a filter needs to answer `after` where it was given `before`, those for nested items included.
pub(super) fn change_needs(schema: &Schema, meta: &Item, before: &Value, after: &Value) -> Vec<String> {
    let member = |name: &str| meta.get(name).and_then(Value::as_str).unwrap_or_default();
    let action = match member("event").rsplit('.').next() {
        Some(action @ ("create" | "update" | "delete")) => action,
        Some("read" | "query") => "read",
        _ => return Vec::new(),
    };
    if before == after {
        return Vec::new();
    }
    let mut needs = vec![format!("items:{}:{action}", member("collection"))];
    if let ("create" | "update", Some(collection)) = (action, schema.collection(member("collection")))
        && let (Value::Object(before), Value::Object(after)) = (before, after)
    {
        needs.extend(nested_needs(schema, collection, action == "create", before, after));
    }
    needs
}

/// What a filter's body gets.
pub(super) fn filter_input(extension: &Extension, handler: u32, ctx: &Ctx, meta: &Meta, payload: &Value) -> Result<Input> {
    Ok(Input {
        handler,
        args: vec![raw(payload)?, raw(&meta.json)?],
        context: context(
            &ctx.core,
            extension,
            &ctx.who,
            &ctx.op.request_id,
            json!({ "previous": meta.previous.is_some(), "keepsFirst": true }),
        )?,
    })
}

/// What an action's body gets.
pub(super) fn action_input(
    core: &Core,
    extension: &Extension,
    handler: u32,
    who: &Accountability,
    request_id: &str,
    meta: &Value,
) -> Result<Input> {
    Ok(Input { handler, args: vec![raw(meta)?], context: context(core, extension, who, request_id, json!({}))? })
}

/// The data of `context`, and `more` of it or for the glue.
pub(super) fn context(
    core: &Core,
    extension: &Extension,
    who: &Accountability,
    request_id: &str,
    mut more: Value,
) -> Result<Box<RawValue>> {
    let may = |name: &str| extension.identity.capabilities.allows(&format!("env:{name}"));
    let env = core.config.extension_env.iter().filter(|(name, _)| may(name));
    let secrets = extension.identity.secrets.load();
    // A variable that came later than the secret of its name: what the author set is what the author gets.
    let env = env.map(|(name, value)| (name.as_str(), value.reveal())).chain(secrets.values().filter(|(name, _)| may(name)));
    let env: Item = env.map(|(name, value)| (name.to_owned(), json!(value))).collect();
    more["accountability"] = who.to_json();
    more["extension"] = json!({ "id": extension.settings.id, "name": extension.settings.name });
    more["requestId"] = json!(request_id);
    more["env"] = Value::Object(env);
    raw(&more)
}

pub(super) fn raw<T: serde::Serialize>(value: &T) -> Result<Box<RawValue>> {
    to_raw_value(value).map_err(|e| Error::internal(format!("a hook's argument: {e}")))
}

/// A hook's answer. A large one is read on a thread that nobody waits for.
pub(super) async fn parse(json: Box<RawValue>) -> Result<Value> {
    const LARGE: usize = 256 << 10;
    let is_large = json.get().len() > LARGE;
    let read = move || crate::json::from_text(json.get()).map_err(|e| Error::new(ErrorCode::ExtensionPayloadTooLarge, e.message()));
    if is_large { tokio::task::spawn_blocking(read).await.map_err(|e| Error::internal(format!("a hook's answer: {e}")))? } else { read() }
}
