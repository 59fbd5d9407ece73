//! What a folder's `register` registered, read: hooks, routes and schedules, or everything that is wrong with them.

use std::collections::HashMap;

use serde_json::Value;

use super::definition::Settings;
use super::route_registration::routes_of;
use super::routes::Route;
use super::schedules;
use crate::hooks::{EventName, Hook, HookKind};
use crate::sandbox::Problem;
use crate::services::Item;
use crate::services::cron::registered::Scheduled;
use crate::services::query::{clip, nearest, show};

/// What an extension does.
#[derive(Debug, Default)]
pub struct Registered {
    /// What it hears.
    pub hooks: Vec<Hook>,
    /// What it answers.
    pub routes: Vec<Route>,
    /// What it does by the clock.
    pub schedules: Vec<Scheduled>,
}

/// Reads the registrations of the extension with these settings.
///
/// # Errors
/// Every problem that was found.
pub fn read(settings: &Settings, registrations: &[Value]) -> Result<Registered, Vec<Problem>> {
    let mut registered = Registered::default();
    let mut problems = Vec::new();
    // A hook is known by its number among those of the same kind on the same event: other changes of the source leave it alone.
    let mut counts: HashMap<(HookKind, EventName), u32> = HashMap::new();
    for entry in registrations {
        let kind = entry.get("kind").and_then(Value::as_str).unwrap_or_default();
        match kind {
            "filter" | "action" => {
                let kind = if kind == "filter" { HookKind::Filter } else { HookKind::Action };
                match hook(settings, kind, entry) {
                    Ok(mut hook) => {
                        let count = counts.entry((kind, hook.event.clone())).or_default();
                        hook.nth = *count;
                        *count += 1;
                        registered.hooks.push(hook);
                    }
                    Err(found) => problems.extend(found.into_iter().map(|message| at(entry, message))),
                }
            }
            "routes" => {
                let mut group = entry.clone();
                if let Some(members) = group.as_object_mut() {
                    members.shift_remove("kind");
                }
                match routes_of(&group) {
                    Ok(routes) => {
                        let of = |route: super::route_registration::RouteDefinition| route.of(&settings.id, &settings.name, settings.sort);
                        registered.routes.extend(routes.into_iter().map(of));
                    }
                    Err(found) => problems.extend(found),
                }
            }
            "schedule" => match schedules::read(settings, entry, &registered.schedules) {
                Ok(scheduled) => registered.schedules.push(scheduled),
                Err(found) => problems.extend(found.into_iter().map(|message| at(entry, message))),
            },
            _ => {
                let told = entry.get("message").and_then(Value::as_str).filter(|text| !text.trim().is_empty());
                problems.push(at(entry, told.unwrap_or("Something was registered that can't be read").to_owned()));
            }
        }
    }
    if problems.is_empty() { Ok(registered) } else { Err(problems) }
}

/// A problem where the entry was registered.
fn at(entry: &Value, message: String) -> Problem {
    let place = entry.get("at");
    let member = |name: &str| place.and_then(|place| place.get(name));
    let number = |name| member(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let text = |name| member(name).and_then(Value::as_str).map(str::to_owned);
    Problem { message, file: text("file"), line: number("line"), column: number("column"), frame: text("frame") }
}

fn hook(settings: &Settings, kind: HookKind, entry: &Value) -> Result<Hook, Vec<String>> {
    let mut problems = Vec::new();
    let event = entry.get("event").and_then(Value::as_str).unwrap_or_default();
    let method = if kind == HookKind::Filter { "onFilter" } else { "onAction" };
    let what = format!("emitter.{method}('{}')", clip(event));
    let event = event.parse::<EventName>().and_then(|event| event.admits(kind).map(|()| event));
    let event = event.map_err(|why| problems.push(format!("{what}: {why}"))).ok();
    let handler = entry.get("handler").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    if handler.is_none() {
        problems.push(format!("{what}: the second argument is the handler, a function"));
    }
    let known: &[&str] = if kind == HookKind::Filter { &["sort"] } else { &["sort", "durable", "ordered"] };
    let none = Item::new();
    let options = entry.get("options").and_then(Value::as_object).unwrap_or(&none);
    for name in options.keys().filter(|name| !known.contains(&name.as_str())) {
        let near = nearest(name, known.iter().copied());
        let near = if near.is_empty() { format!("; there are {}", known.join(", ")) } else { near };
        problems.push(format!("{what}: there is no option `{}`{near}", clip(name)));
    }
    let sort = match options.get("sort") {
        None | Some(Value::Null) => settings.sort,
        Some(value) => value.as_i64().filter(|sort| i32::try_from(*sort).is_ok()).unwrap_or_else(|| {
            problems.push(format!("{what}: the option `sort` must be a whole number of 32 bits, not: {}", show(value)));
            0
        }),
    };
    let mut flag = |name: &str| match options.get(name) {
        None | Some(Value::Null) => true,
        Some(Value::Bool(flag)) => *flag,
        Some(other) => {
            problems.push(format!("{what}: the option `{name}` must be true or false, not: {}", show(other)));
            true
        }
    };
    let (durable, ordered) = (flag("durable"), flag("ordered"));
    if let (Some(EventName::Job(_)), false) = (&event, durable) {
        problems.push(format!("{what}: the option `durable` can't be false: a job that was put into the outbox can't be run past it"));
    }
    match (event, handler) {
        (Some(event), Some(handler)) if problems.is_empty() => {
            Ok(Hook { extension: settings.id.clone(), name: settings.name.clone(), handler, nth: 0, kind, event, sort, durable, ordered })
        }
        _ => Err(problems),
    }
}
