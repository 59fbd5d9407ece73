//! What extensions in folders do by the clock: their schedules read, kept as jobs, and run.
//!
//! When a tick is due and who runs it is decided where that of every job is: `crate::cron` asks here which jobs this host has the handlers
//! of, and has one run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::definition::Settings;
use super::run::{Run, context};
use super::set::{Extension, ExtensionSet};
use super::store::Extensions;
use crate::auth::Accountability;
use crate::bridge::Session;
use crate::error::{Error, ErrorCode, Result};
use crate::sandbox::{Failure, Input, LogLevel};
use crate::services::Item;
use crate::services::cron::registered::{self, Scheduled};
use crate::services::cron::store::{self, Ended};
use crate::services::cron::{Schedule, TIMEOUT_MS};
use crate::services::ctx::too_deep;
use crate::services::members::{MAX_NAME, number};
use crate::services::operation::Start;
use crate::services::query::{clip, nearest, show};

/// Schedules of one extension.
const MAX_SCHEDULES: usize = 100;
/// Longest name of one, in characters: with that of the extension it is the name of a job.
const MAX_LABEL: usize = 40;
const OPTIONS: [&str; 3] = ["name", "timezone", "timeout_ms"];
/// How often a run that found no room among the workers is tried before it counts as failed; nothing of it has begun by then.
const TRIES: u32 = 10;

/// Reads one registration of `schedule(…)`; `before` are those read already.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn read(settings: &Settings, entry: &Value, before: &[Scheduled]) -> Result<Scheduled, Vec<String>> {
    let mut problems = Vec::new();
    let text = entry.get("schedule").and_then(Value::as_str).unwrap_or_default();
    let what = format!("schedule('{}')", clip(text));
    let none = Item::new();
    let options = entry.get("options").and_then(Value::as_object).unwrap_or(&none);
    for name in options.keys().filter(|name| !OPTIONS.contains(&name.as_str())) {
        let near = nearest(name, OPTIONS);
        let near = if near.is_empty() { format!("; there are {}", OPTIONS.join(", ")) } else { near };
        problems.push(format!("{what}: there is no option `{}`{near}", clip(name)));
    }
    let label = match options.get("name") {
        None | Some(Value::Null) => None,
        Some(Value::String(name))
            if (1..=MAX_LABEL).contains(&name.trim().chars().count()) && !name.chars().any(char::is_control) && !name.starts_with('#') =>
        {
            Some(name.trim().to_owned())
        }
        Some(other) => {
            problems
                .push(format!("{what}: the option `name` must be a text of 1 to {MAX_LABEL} characters in one line, not: {}", show(other)));
            None
        }
    };
    let timezone = match options.get("timezone") {
        None | Some(Value::Null) => "UTC",
        Some(Value::String(zone)) => zone,
        Some(other) => {
            problems.push(format!("{what}: the option `timezone` must be a text, not: {}", show(other)));
            "UTC"
        }
    };
    if let Err((member, why)) = Schedule::parse(text, timezone) {
        let whose = if member == "timezone" { "the option `timezone`" } else { "the schedule" };
        problems.push(format!("{what}: {whose} {why}"));
    }
    let timeout = number(options, "timeout_ms", TIMEOUT_MS).unwrap_or_else(|error| {
        problems.push(format!("{what}: the option {}", error.message()));
        TIMEOUT_MS.default
    });
    let handler = entry.get("handler").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    if handler.is_none() {
        problems.push(format!("{what}: the second argument is the handler, a function"));
    }
    // One without a name is known by its number among those without.
    let nth = before.iter().filter(|scheduled| scheduled.slot.starts_with('#')).count();
    let slot = label.clone().unwrap_or_else(|| format!("#{nth}"));
    if before.iter().any(|scheduled| scheduled.slot == slot) {
        problems.push(format!("{what}: there are two schedules called `{}`", clip(&slot)));
    }
    if before.len() >= MAX_SCHEDULES {
        problems.push(format!("{what}: an extension has at most {MAX_SCHEDULES} schedules"));
    }
    let more = match (label, nth) {
        (Some(label), _) => format!(": {label}"),
        (None, 0) => String::new(),
        (None, nth) => format!(": {}", nth + 1),
    };
    let own: String = settings.name.chars().take(MAX_NAME - more.chars().count()).collect();
    match handler {
        Some(handler) if problems.is_empty() => Ok(Scheduled {
            job: Scheduled::key(&settings.id, &slot),
            name: format!("{own}{more}"),
            slot,
            schedule: text.to_owned(),
            timezone: timezone.to_owned(),
            timeout: Duration::from_millis(timeout.unsigned_abs()),
            handler,
        }),
        _ => Err(problems),
    }
}

impl Extensions {
    /// Makes the jobs of a folder what it registers. What can't be written is written at the next start.
    pub(super) async fn keep_schedules(&self, extension: &Arc<Extension>) {
        let (db, id, memory) = (&self.shared.core.db, &extension.settings.id, extension.settings.memory_limit);
        let (schedules, now): (Arc<[Scheduled]>, _) = (extension.schedules.iter().cloned().collect(), self.shared.core.clock.now());
        let keep = || {
            let (id, schedules) = (id.clone(), Arc::clone(&schedules));
            db.write(move |conn| {
                let (id, schedules) = (id.clone(), Arc::clone(&schedules));
                Box::pin(async move { registered::keep(conn, &id, &schedules, memory, now).await })
            })
        };
        let mut kept = keep().await;
        if kept.as_ref().is_err_and(|error| error.code() == ErrorCode::RecordNotUnique) {
            kept = keep().await;
        }
        if let Err(error) = kept {
            tracing::warn!(extension = extension.settings.name, %error, "the schedules of an extension could not be kept");
        }
    }

    /// The folder is switched off, so its jobs don't run.
    pub(super) async fn stop_schedules(&self, id: &str) {
        let key = id.to_owned();
        let stopped = self.shared.core.db.write(move |conn| {
            let key = key.clone();
            Box::pin(async move { registered::switch_off(conn, &key).await })
        });
        if let Err(error) = stopped.await {
            tracing::warn!(extension = id, %error, "the schedules of an extension could not be stopped");
        }
    }

    /// The folder is gone, and its jobs with it.
    pub(super) async fn forget_schedules(&self, id: &str) -> Result<()> {
        let key = id.to_owned();
        self.shared
            .core
            .db
            .write(move |conn| {
                let key = key.clone();
                Box::pin(async move { registered::forget(conn, &key).await })
            })
            .await
    }
}

/// How the run of a schedule ended.
pub struct Ticked {
    /// How, and what there is to say about it.
    pub end: Result<(), (Ended, String)>,
    /// What it wrote to its console.
    pub lines: Vec<(LogLevel, String)>,
    /// How long it took.
    pub elapsed: Duration,
}

impl ExtensionSet {
    /// The keys of the jobs whose handlers this host has, and could run.
    pub fn jobs(&self) -> Vec<String> {
        let able = self.by_id.values().filter(|extension| !extension.schedules.is_empty() && extension.broken().is_none());
        able.flat_map(|extension| extension.schedules.iter().map(|scheduled| scheduled.job.clone())).collect()
    }

    /// Runs the handler of a job, as the system. `job` is what its `context` has of the run.
    pub async fn tick(&self, run: &store::Run, job: Value) -> Ticked {
        let began = Instant::now();
        match self.try_tick(run, job).await {
            Ok(ticked) => ticked,
            Err(error) => Ticked { end: Err((Ended::Error, error.to_string())), lines: Vec::new(), elapsed: began.elapsed() },
        }
    }

    async fn try_tick(&self, run: &store::Run, job: Value) -> Result<Ticked> {
        let gone = || Error::new(ErrorCode::ExtensionUnavailable, "The extension that registered the job isn't there on this host");
        let found = self.by_id.values().find_map(|extension| {
            let scheduled = extension.schedules.iter().find(|scheduled| scheduled.job == run.job.id)?;
            Some((extension, scheduled))
        });
        let (extension, scheduled) = found.ok_or_else(gone)?;
        if let Some(why) = extension.broken() {
            return Err(Error::new(ErrorCode::ExtensionUnavailable, format!("The extension can't run: {why}")));
        }
        let (core, who) = (&self.shared.core, Arc::new(Accountability::system()));
        let max = core.config.extension_max_depth;
        if run.depth > max {
            return Err(too_deep(max, &run.chain, &who));
        }
        let event = format!("schedule {}", scheduled.slot.trim_start_matches('#'));
        let mut tries = 0;
        loop {
            tries += 1;
            let admission = extension
                .breaker
                .admit(Instant::now())
                .map_err(|_| Error::new(ErrorCode::ExtensionUnavailable, "The extension is cooling down after too many faults"))?;
            let start = Start {
                depth: run.depth,
                chain: run.chain.clone().into(),
                ..Start::new(Arc::clone(&who), Arc::from(run.request_id.as_str()))
            };
            let ctx = core.open(&start);
            let session = Session::separate(Arc::clone(core), start, &extension.identity);
            self.keep_lines(&session, extension, &event, &ctx);
            let context = context(core, extension, &who, &run.request_id, job.clone())?;
            let input = Input { handler: scheduled.handler, args: Vec::new(), context };
            let (outcome, record) = self.invoke(extension, input, scheduled.timeout, false, session, None).await;
            let (lines, elapsed) = (record.lines.clone(), outcome.elapsed);
            let run = Run { ctx: &ctx, event: &event, admission, limit: scheduled.timeout, elapsed, record };
            let end = match outcome.result {
                Ok(_) => {
                    self.ran(extension, run);
                    Ok(())
                }
                Err(Failure::Busy { retry_after, .. }) if tries < TRIES => {
                    tokio::time::sleep(retry_after.max(Duration::from_millis(100))).await;
                    continue;
                }
                Err(failure) => {
                    let how = if matches!(failure, Failure::Timeout { .. }) { Ended::Timeout } else { Ended::Error };
                    Err((how, self.failed(extension, run, failure).report))
                }
            };
            return Ok(Ticked { end, lines, elapsed });
        }
    }
}
