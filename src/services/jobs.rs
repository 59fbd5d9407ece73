//! Jobs: what code puts into the outbox by `services.enqueue`, to be run after the commit by whoever hears `jobs.{name}`.
//!
//! A job is a delivery like any other: written in the operation's transaction, retried, held, given up, looked at under `/api/deliveries`. It
//! carries depth and chain, a delayed one as well: a job that enqueues itself ends at the limit.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::owed::{Origin, Owing};
use super::query::{clip, nearest, show};
use super::{Ctx, Item};
use crate::error::{Error, ErrorCode, Result};
use crate::hooks::JobName;

/// The farthest that a job may be put off.
const MAX_DELAY: TimeDelta = TimeDelta::days(365);
/// A date may lie so far back and still mean now: clocks differ, and code takes its time.
const TOLERANCE: TimeDelta = TimeDelta::minutes(1);
/// Longest key, in bytes.
const MAX_KEY: usize = 200;
/// What a delivery adds to `meta` when it runs, in bytes: room for it is kept below the limit of payloads.
const ROOM: usize = 1024;

/// What is to be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    name: JobName,
    data: Value,
    at: Option<DateTime<Utc>>,
    key: Option<String>,
}

impl Job {
    /// Reads `enqueue(name, data, { delay?, runAt?, key? })`.
    ///
    /// # Errors
    /// 400 that says what is wrong and what is allowed.
    pub fn parse(name: &str, data: Value, options: &Item, now: DateTime<Utc>) -> Result<Self> {
        const OPTIONS: [&str; 3] = ["delay", "runAt", "key"];
        let bad = |what: String| Error::payload(format!("enqueue: {what}"));
        let name = name.parse().map_err(bad)?;
        if let Some(other) = options.keys().find(|option| !OPTIONS.contains(&option.as_str())) {
            return Err(bad(format!("there is no option `{}`{}", clip(other), nearest(other, OPTIONS))));
        }
        let given = |option: &str| options.get(option).filter(|value| !value.is_null());
        let at = match (given("delay"), given("runAt")) {
            (None, None) => None,
            (Some(_), Some(_)) => return Err(bad("`delay` and `runAt` exclude each other: leave one of them out".to_owned())),
            (Some(delay), None) => Some(
                now + delay_of(delay).ok_or_else(|| {
                    bad(format!(
                        "`delay` must be milliseconds, from 0 to {} (365 days), not: {}",
                        MAX_DELAY.num_milliseconds(),
                        show(delay)
                    ))
                })?,
            ),
            (None, Some(date)) => Some(
                date_of(date, now)
                    .ok_or_else(|| bad(format!("`runAt` must be a date in the future, 365 days from now at most, not: {}", show(date))))?,
            ),
        };
        let key = match given("key") {
            None => None,
            Some(Value::String(key)) if (1..=MAX_KEY).contains(&key.len()) && !key.contains('\0') => Some(key.clone()),
            Some(Value::Number(key)) => Some(key.to_string()),
            Some(other) => {
                return Err(bad(format!("`key` must be a number or a text of 1 to {MAX_KEY} bytes without U+0000, not: {}", show(other))));
            }
        };
        Ok(Self { name, data, at, key })
    }
}

fn delay_of(value: &Value) -> Option<TimeDelta> {
    let millis = value.as_f64().filter(|millis| (0.0..=MAX_DELAY.num_milliseconds() as f64).contains(millis))?;
    Some(TimeDelta::milliseconds(millis.ceil() as i64))
}

fn date_of(value: &Value, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(value.as_str()?).ok()?.with_timezone(&Utc);
    (at >= now - TOLERANCE && at <= now + MAX_DELAY).then(|| at.max(now))
}

/// Puts a job into the outbox, once for every hook that hears it. Answers the ids of the deliveries.
///
/// # Errors
/// `JobNotFound` where nobody hears it, `ExtensionPayloadTooLarge` where it couldn't be handed to a hook.
pub async fn enqueue(ctx: &Ctx, job: &Job) -> Result<Vec<Uuid>> {
    let registry = ctx.op.snapshot.hooks();
    let hooks = registry.job(job.name.as_str());
    if hooks.is_empty() {
        let near = nearest(job.name.as_str(), registry.job_names());
        let message = format!(
            "No active extension hears `{}`: subscribe an action hook to it, or activate the one that has it{near}",
            job.name.event()
        );
        return Err(Error::new(ErrorCode::JobNotFound, message));
    }
    let mut meta = Item::new();
    meta.insert("event".to_owned(), json!(job.name.event()));
    meta.insert("payload".to_owned(), job.data.clone());
    let keys: Vec<Value> = job.key.iter().map(|key| json!(key)).collect();
    if let Some(key) = &job.key {
        meta.insert("key".to_owned(), json!(key));
    }
    let (size, max) = (json!(meta).to_string().len() + ROOM, ctx.core.config.extension_max_payload);
    if size > max {
        let message =
            format!("enqueue: the data are too large to be handed to a hook: {size} bytes with what comes with them, {max} at most");
        return Err(Error::new(ErrorCode::ExtensionPayloadTooLarge, message));
    }
    let origin = Origin::new(ctx, "");
    let deliveries: Vec<_> = hooks.iter().map(|hook| origin.delivery(hook, job.name.event(), &meta, &keys)).collect();
    let ids = deliveries.iter().map(|delivery| delivery.id).collect();
    let nursery = ctx.core.dispatcher.nursery(hooks.iter().map(|hook| hook.extension.as_str()));
    let (now, at) = (ctx.core.clock.now(), job.at);
    let deliveries = Arc::new(deliveries);
    let owed = ctx
        .write(move |conn| {
            let (deliveries, mut owing) = (Arc::clone(&deliveries), Owing::new(now, &nursery));
            Box::pin(async move {
                for delivery in deliveries.iter() {
                    owing.add(conn, delivery.clone(), at, false).await?;
                }
                Ok(owing.owed)
            })
        })
        .await?;
    owed.note(&mut ctx.op.after());
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, options: Value) -> Result<Job> {
        let now = DateTime::parse_from_rfc3339("2030-01-01T00:00:00Z").expect("a date").with_timezone(&Utc);
        Job::parse(name, json!(1), options.as_object().expect("options"), now)
    }

    #[test]
    fn options_are_read_within_their_bounds() {
        let at = |options| parse("a", options).expect("good").at.map(|at| at.to_rfc3339());
        assert_eq!(at(json!({})), None);
        assert_eq!(at(json!({ "delay": 1500 })).as_deref(), Some("2030-01-01T00:00:01.500+00:00"));
        assert_eq!(at(json!({ "delay": 0.5 })).as_deref(), Some("2030-01-01T00:00:00.001+00:00"));
        assert_eq!(at(json!({ "runAt": "2030-06-01T02:00:00+02:00" })).as_deref(), Some("2030-06-01T00:00:00+00:00"));
        assert_eq!(at(json!({ "runAt": "2029-12-31T23:59:30Z" })).as_deref(), Some("2030-01-01T00:00:00+00:00"));
        assert_eq!(parse("a", json!({ "key": 7 })).expect("good").key.as_deref(), Some("7"));
    }

    #[test]
    fn each_mistake_says_what_is_allowed() {
        for (name, options, part) in [
            ("a.b", json!({}), "letters, digits"),
            ("a", json!({ "dealy": 1 }), "delay"),
            ("a", json!({ "delay": -1 }), "365 days"),
            ("a", json!({ "delay": "5" }), "milliseconds"),
            ("a", json!({ "delay": 31_536_000_001_i64 }), "365 days"),
            ("a", json!({ "delay": 1e300 }), "365 days"),
            ("a", json!({ "delay": 1, "runAt": "2030-02-01T00:00:00Z" }), "exclude"),
            ("a", json!({ "runAt": "2029-01-01T00:00:00Z" }), "in the future"),
            ("a", json!({ "runAt": "2031-01-02T00:00:00Z" }), "365 days"),
            ("a", json!({ "runAt": "tomorrow" }), "a date"),
            ("a", json!({ "key": "" }), "1 to 200"),
            ("a", json!({ "key": "a\0" }), "U+0000"),
            ("a", json!({ "key": "x".repeat(201) }), "1 to 200"),
            ("a", json!({ "key": {} }), "a number or a text"),
        ] {
            let error = parse(name, options.clone()).expect_err("a mistake");
            assert!(error.message().contains(part), "{options}: {}", error.message());
        }
    }
}
