//! What fuzzing does with names, patterns and registrations: whatever an author, a worker or a client may write there.
//!
//! Each function takes any bytes and panics where something doesn't hold. Compiled for tests and fuzzing only.

use std::time::Duration;

use super::definition::Settings;
use super::pattern::{Pattern, Segment, base_path};
use super::registered;
use super::route_path;
use super::routes::{Access, Found, Route, RouteEvent, RouteMethod, Table};
use crate::hooks::event::is_collection_name;
use crate::hooks::{EventName, HookKind};

/// Longest input: every parser here is linear.
const MAX_INPUT: usize = 8_192;

/// Texts, one in a line: each is read as everything that it might be, and what could be read is written and read again.
///
/// # Panics
/// Where that gives something else.
pub(crate) fn names(data: &[u8]) {
    let text = String::from_utf8_lossy(&data[..data.len().min(MAX_INPUT)]);
    for line in text.split('\n') {
        if let Ok(event) = line.parse::<EventName>() {
            assert_eq!((event.to_string().parse(), event.to_string()), (Ok(event.clone()), line.to_owned()));
            assert!(event.collection.as_deref().is_none_or(is_collection_name));
            drop((event.admits(HookKind::Action), event.admits(HookKind::Filter)));
        }
        if is_collection_name(line) {
            assert!((1..=63).contains(&line.len()) && line.is_ascii());
            assert!(format!("{line}.items.read").parse::<EventName>().is_ok());
        }
        if let Ok(method) = RouteMethod::parse(line) {
            assert_eq!(RouteMethod::parse(&method.to_string()), Ok(method));
        }
        if let Ok(event) = RouteEvent::parse(line) {
            assert_eq!(RouteEvent::parse(&event.to_string()), Ok(event));
        }
        if let Ok(base) = base_path(line) {
            assert_eq!(base_path(&base), Ok(base.clone()));
            let pattern = Pattern::parse(&base, "/").expect("a base path is a pattern");
            assert_eq!((pattern.to_string(), pattern.shape()), (base.clone(), base));
        }
        for pattern in [Pattern::parse("/base", line), Pattern::parse_row(line)].into_iter().flatten() {
            let shown = pattern.to_string();
            assert_eq!(Pattern::parse_row(&shown), Ok(pattern.clone()), "{shown}");
            // What a pattern says is what is asked for, whatever has to be escaped of it.
            let asked: Vec<String> = pattern.segments().iter().map(|segment| segment_text(segment).to_owned()).collect();
            assert!(fits(&pattern, &asked), "{shown}");
        }
        if let Ok(Some(segments)) = route_path::split(line) {
            let again: String = segments.iter().map(|segment| format!("/{}", escaped(segment))).collect();
            assert_eq!(route_path::split(&again).ok().flatten(), Some(segments), "{line}");
        }
    }
}

fn segment_text(segment: &Segment) -> &str {
    match segment {
        Segment::Static(text) => text,
        Segment::Param(name) | Segment::Rest(name) => name,
    }
}

fn escaped(segment: &str) -> String {
    segment.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Whether a pattern answers a path, found out without a table.
fn fits(pattern: &Pattern, asked: &[String]) -> bool {
    let segments = pattern.segments();
    let rest = matches!(segments.last(), Some(Segment::Rest(_)));
    let fixed = segments.len() - usize::from(rest);
    (if rest { asked.len() >= fixed } else { asked.len() == fixed })
        && segments.iter().zip(asked).take(fixed).all(|(segment, text)| match segment {
            Segment::Static(own) => own == text,
            _ => true,
        })
}

/// Lines: `METHOD /path` after `+` is a route of one of three extensions, anything else a request. What the table finds is held against
/// looking at one route after the other.
///
/// # Panics
/// Where they differ.
pub(crate) fn routes(data: &[u8]) {
    let text = String::from_utf8_lossy(&data[..data.len().min(MAX_INPUT)]);
    let given: Vec<Route> = text
        .split('\n')
        .filter_map(|line| line.strip_prefix('+'))
        .zip(0..)
        .filter_map(|(line, nth): (_, i64)| RouteEvent::parse(line).ok().map(|event| route(event, nth)))
        .collect();
    let count = given.len();
    let (table, conflicts) = Table::build(given);
    assert!(table.routes().len() + conflicts.len() <= count && (conflicts.is_empty() == (table.routes().len() == count)));
    for line in text.split('\n').filter(|line| !line.starts_with('+')) {
        let (method, path) = line.split_once(' ').unwrap_or(("GET", line));
        let Ok(Some(asked)) = route_path::split(path) else { continue };
        let mut fitting = table.routes().iter().filter(|route| fits(&route.pattern, &asked)).peekable();
        let any = fitting.peek().is_some();
        let answers = fitting.any(|route| route.takes(method) || (method == "HEAD" && route.takes("GET")));
        match table.find(method, &asked) {
            Found::Route(route, params) => {
                assert!(fits(&route.pattern, &asked), "{line} is no {}", route.pattern);
                assert!(params.iter().map(|(name, _)| name.as_str()).eq(route.pattern.names()));
            }
            Found::WrongMethod { allow } => assert!(any && !answers && !allow.is_empty(), "{line}"),
            Found::None => assert!(!any, "{line}"),
        }
    }
}

fn route(event: RouteEvent, nth: i64) -> Route {
    Route {
        extension: format!("id-{}", nth % 3),
        extension_name: format!("name-{}", nth % 3),
        sort: nth % 3,
        handler: 0,
        method: event.method,
        pattern: event.pattern,
        base: None,
        description: None,
        access: Access::Public,
        rate_limit: None,
        parameters: None,
    }
}

/// Reads JSON as what a worker says that `register` registered.
///
/// # Panics
/// Where a mistake isn't told, or what is accepted breaks a promise of its type.
pub(crate) fn registrations(data: &[u8]) {
    let Ok(registrations) = crate::json::from_bytes::<Vec<serde_json::Value>>(data) else { return };
    let settings = Settings {
        id: "id".to_owned(),
        name: "name".to_owned(),
        sort: 0,
        timeout: Duration::from_secs(5),
        stream_timeout: Duration::from_secs(60),
        memory_limit: 64 << 20,
        fail_open: false,
        capabilities: crate::bridge::Capabilities::default(),
        warm: false,
    };
    match registered::read(&settings, &registrations) {
        Ok(read) => {
            assert!(read.hooks.iter().all(|hook| hook.event.admits(hook.kind).is_ok()));
            assert!(read.routes.iter().all(|route| route.base.as_deref().is_some_and(|base| base_path(base).as_deref() == Ok(base))));
            drop(Table::build(read.routes));
        }
        Err(problems) => assert!(!problems.is_empty() && problems.iter().all(|problem| !problem.message.is_empty())),
    }
}
