//! One run of one job: the code in the sandbox, its end in the history.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Cron;
use crate::auth::Accountability;
use crate::bridge::{Identity, Record, Session};
use crate::db::timestamp;
use crate::error::{Error, Result};
use crate::extensions::report;
use crate::sandbox::{Failure, Input, Invocation, LogLevel, Outcome, Source, Unit};
use crate::services::Item;
use crate::services::cron::Job;
use crate::services::cron::store::{self, End, Ended, Run};
use crate::services::ctx::too_deep;
use crate::services::operation::Start;

/// Longest account of an error, in characters.
const MAX_ERROR: usize = 16_384;
/// How often a run that found no room among the workers is tried before it counts as failed; nothing of it has begun by then.
const TRIES: u32 = 10;
/// How often the end of a run is tried to be written down, once a second.
const WRITES: u32 = 30;

impl Cron {
    /// Runs it to its end, and writes that down. Answers how it ended.
    pub(super) async fn execute(&self, run: Run) -> Ended {
        let _alive = Alive::new(self, run.id);
        let end = if run.job.is_registered { self.execute_registered(&run).await } else { self.execute_code(&run).await };
        if let Some(error) = &end.error {
            let (job, run) = (run.job.name.as_str(), run.id.to_string());
            tracing::warn!(job, run, request = run, how = end.how.name(), error, "a cron job's run failed");
        }
        let how = end.how;
        self.write_end(&run, end).await;
        how
    }

    async fn execute_code(&self, run: &Run) -> End {
        let began = std::time::Instant::now();
        let unit = self.unit_of(&run.job);
        let end = match self.invoke(run, &unit).await {
            Ok((outcome, record)) => ended(&run.job, outcome, &record),
            Err(error) => {
                End { how: Ended::Error, error: Some(error.to_string()), logs: json!([]), millis: began.elapsed().as_secs_f64() * 1000.0 }
            }
        };
        self.pool.retire(unit.id);
        end
    }

    /// In the workers of the extension whose handler it is.
    async fn execute_registered(&self, run: &Run) -> End {
        let ticked = self.extensions.current().tick(run, about(run)).await;
        let (how, error) = match ticked.end {
            Ok(()) => (Ended::Success, None),
            Err((how, error)) => (how, Some(error.chars().take(MAX_ERROR).collect())),
        };
        End { how, error, logs: logs(&ticked.lines), millis: ticked.elapsed.as_secs_f64() * 1000.0 }
    }

    async fn invoke(&self, run: &Run, unit: &Arc<Unit>) -> Result<(Outcome, Record)> {
        let who = Arc::new(Accountability::system());
        let max = self.core.config.extension_max_depth;
        if run.depth > max {
            return Err(too_deep(max, &run.chain, &who));
        }
        let context = self.context(run, &who)?;
        let mut tries = 0;
        loop {
            tries += 1;
            let start = Start::new(Arc::clone(&who), Arc::from(run.request_id.as_str()));
            let start = Start { depth: run.depth, chain: Arc::from(run.chain.clone()), ..start };
            let identity = Arc::new(Identity { name: run.job.name.clone(), ..Identity::default() });
            let session = Session::separate(Arc::clone(&self.core), start, &identity);
            let invocation = Invocation {
                unit: Arc::clone(unit),
                input: Input { handler: 0, args: Vec::new(), context: context.clone() },
                timeout: run.job.timeout,
                nested: false,
                host: Arc::new(session.clone()),
            };
            let outcome = self.pool.invoke(invocation, None).await;
            let record = session.finish().await;
            match outcome.result {
                Err(Failure::Busy { retry_after, .. }) if tries < TRIES => {
                    tokio::time::sleep(retry_after.max(Duration::from_millis(100))).await;
                }
                _ => return Ok((outcome, record)),
            }
        }
    }

    pub(super) fn unit_of(&self, job: &Job) -> Arc<Unit> {
        let params = ["context", "services"].map(str::to_owned).to_vec();
        let source = Source::Body { code: job.code.clone(), params, answers: false };
        let parts = self.extensions.current().parts(&source);
        Unit::with_parts(job.name.clone(), source, job.memory_limit, false, parts)
    }

    fn context(&self, run: &Run, who: &Accountability) -> Result<Box<RawValue>> {
        let env: Item = self.core.config.extension_env.iter().map(|(name, value)| (name.clone(), json!(value.reveal()))).collect();
        let mut context = about(run);
        context["accountability"] = who.to_json();
        context["requestId"] = json!(run.request_id);
        context["env"] = Value::Object(env);
        to_raw_value(&context).map_err(|e| Error::internal(format!("a cron job's context: {e}")))
    }

    /// The job stays locked until this is written; where the database is away for long, the lock runs out.
    async fn write_end(&self, run: &Run, end: End) {
        let (id, keep) = (run.id, self.core.config.cron_history_retention);
        for attempt in 1..=WRITES {
            let (job, end, now) = (run.job.id.clone(), end.clone(), self.core.clock.now());
            let written = self.core.db.write(move |conn| {
                let (job, end) = (job.clone(), end.clone());
                Box::pin(async move { store::finish(conn, id, &job, &end, now, keep).await })
            });
            match written.await {
                Ok(()) => return,
                Err(error) if attempt == WRITES => {
                    tracing::error!(job = run.job.name, %error, "the end of a cron job's run could not be written down");
                }
                Err(error) => {
                    tracing::warn!(job = run.job.name, %error, "the end of a cron job's run could not be written down; it is tried again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

/// Notes that a run is at work here, for as long as it is.
struct Alive<'a>(&'a Cron, Uuid);

impl<'a> Alive<'a> {
    fn new(cron: &'a Cron, run: Uuid) -> Self {
        cron.alive.lock().unwrap_or_else(PoisonError::into_inner).insert(run);
        Self(cron, run)
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.alive.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// What `context` has of a run.
fn about(run: &Run) -> Value {
    json!({
        "jobId": run.job.id,
        "jobName": run.job.name,
        "triggeredBy": run.trigger.name(),
        "runId": run.id.to_string(),
        "scheduledAt": timestamp(run.scheduled_at),
    })
}

/// What a run wrote to its console, for the history.
fn logs(lines: &[(LogLevel, String)]) -> Value {
    lines.iter().map(|(level, message)| json!({ "level": name_of(*level), "message": message.replace('\0', "\u{fffd}") })).collect()
}

/// What the end of a run of code means.
fn ended(job: &Job, outcome: Outcome, record: &Record) -> End {
    let millis = outcome.elapsed.as_secs_f64() * 1000.0;
    let logs = logs(&record.lines);
    let (how, error) = match outcome.result {
        Ok(_) => (Ended::Success, None),
        Err(failure) => {
            let how = if matches!(failure, Failure::Timeout { .. }) { Ended::Timeout } else { Ended::Error };
            let text = report(failure, &job.name, &Accountability::system(), job.timeout);
            (how, Some(text.chars().take(MAX_ERROR).collect()))
        }
    };
    End { how, error, logs, millis }
}

fn name_of(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}
