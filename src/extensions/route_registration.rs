//! What an author gave to `registerRoutes`, checked: every mistake is found, each with its place.
//!
//! Knows nothing of other extensions: what two of them can't both have is found where the table is built. `set` calls it with
//! what the sandbox reports, in which functions have become the numbers of handlers.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use super::pattern::{Pattern, base_path};
use super::rate_limit::RateLimit;
use super::routes::{Access, Route, RouteMethod};
use crate::auth::Action;
use crate::sandbox::Problem;
use crate::services::Item;
use crate::services::query::{clip, nearest, show};

/// Most routes that one call may register: enough for a program, small enough for a table that every request walks.
const MAX_ROUTES: usize = 1_000;
/// Longest description in characters.
const MAX_DESCRIPTION: usize = 1_000;
/// Most requests of a rate limit.
const MAX_RATE: u64 = 1_000_000;
/// Window of a rate limit in milliseconds.
const WINDOW_MS: std::ops::RangeInclusive<u64> = 100..=86_400_000;

/// What the sandbox adds to what an author wrote.
const GLUE: &[&str] = &["kind", "at"];
const GROUP: &[&str] = &["name", "basePath", "description", "routes"];
const ROUTE: &[&str] = &["method", "path", "description", "requiredPermission", "public", "rateLimit", "parameters", "handler"];
const RATE_LIMIT: &[&str] = &["max", "windowMs"];

/// One route as it was registered, not yet an extension's.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteDefinition {
    /// Which of the extension's handlers answers.
    pub handler: u32,
    /// Which methods.
    pub method: RouteMethod,
    /// Which paths.
    pub pattern: Pattern,
    /// The base path, in its one spelling.
    pub base: String,
    /// For people.
    pub description: Option<String>,
    /// Who may ask.
    pub access: Access,
    /// How often.
    pub rate_limit: Option<RateLimit>,
    /// What its author says about its parameters.
    pub parameters: Option<Value>,
}

impl RouteDefinition {
    /// The route of an extension with this id, name and place.
    pub fn of(self, extension: &str, extension_name: &str, sort: i64) -> Route {
        Route {
            extension: extension.to_owned(),
            extension_name: extension_name.to_owned(),
            sort,
            handler: self.handler,
            method: self.method,
            pattern: self.pattern,
            base: Some(self.base),
            description: self.description,
            access: self.access,
            rate_limit: self.rate_limit,
            parameters: self.parameters,
        }
    }
}

/// The routes of one call of `registerRoutes`: `{ name, basePath, description, routes: [{ method, path, …, handler: <number> }] }`.
/// `at: { file, line, column }` of the whole and of each route is where the author wrote it.
///
/// # Errors
/// Every problem that was found, never none.
pub fn routes_of(registration: &Value) -> Result<Vec<RouteDefinition>, Vec<Problem>> {
    let mut reader = Reader { problems: Vec::new() };
    let Some(group) = registration.as_object() else {
        reader.say(registration, format!("`registerRoutes` takes an object with `basePath` and `routes`, not: {}", show(registration)));
        return Err(reader.problems);
    };
    let what = match group.get("name").and_then(Value::as_str) {
        Some(name) => format!("Routes `{}`", clip(name)),
        None => "Routes".to_owned(),
    };
    reader.members(registration, group, GROUP, &what);
    reader.text(registration, group, "name", &what);
    reader.text(registration, group, "description", &what);
    let base = match group.get("basePath") {
        Some(Value::String(text)) => reader.heed(registration, base_path(text), &format!("{what}: `basePath`")),
        None | Some(Value::Null) => reader.none(registration, format!("{what}: `basePath` is needed, such as `/stock`")),
        Some(other) => reader.none(registration, format!("{what}: `basePath` must be a text such as `/stock`, not: {}", show(other))),
    };
    let listed = match group.get("routes") {
        Some(Value::Array(routes)) if routes.len() > MAX_ROUTES => {
            reader.none(registration, format!("{what}: `routes` may hold at most {MAX_ROUTES} routes, it holds {}", routes.len()))
        }
        Some(Value::Array(routes)) if !routes.is_empty() => Some(routes.as_slice()),
        Some(Value::Array(_)) => reader.none(registration, format!("{what}: `routes` is empty: give it at least one route")),
        None | Some(Value::Null) => reader.none(registration, format!("{what}: `routes` is needed: a list of routes")),
        Some(other) => reader.none(registration, format!("{what}: `routes` must be a list of routes, not: {}", show(other))),
    };
    let mut routes = Vec::new();
    let mut seen: HashMap<(String, RouteMethod), String> = HashMap::new();
    for (at, raw) in listed.unwrap_or_default().iter().enumerate() {
        let place = if raw.get("at").is_some() { raw } else { registration };
        // Where the base path is wrong, the routes are still checked, under one that is right.
        let Some(route) = reader.route(place, raw, at, base.as_deref().unwrap_or("/base")) else { continue };
        let shown = format!("{} {}", route.method, route.pattern);
        match seen.insert((route.pattern.shape(), route.method.clone()), shown.clone()) {
            Some(first) if first == shown => reader.say(place, format!("Route `{shown}` is there twice")),
            Some(first) => reader.say(place, format!("Route `{shown}` matches the same requests as `{first}`")),
            None => routes.push(route),
        }
    }
    if reader.problems.is_empty() { Ok(routes) } else { Err(reader.problems) }
}

/// Collects what is wrong.
struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    fn say(&mut self, place: &Value, message: String) {
        let at = place.get("at");
        let number = |name| at.and_then(|at| at.get(name)).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
        let file = at.and_then(|at| at.get("file")).and_then(Value::as_str).map(str::to_owned);
        let frame = at.and_then(|at| at.get("frame")).and_then(Value::as_str).map(str::to_owned);
        self.problems.push(Problem { message, file, line: number("line"), column: number("column"), frame });
    }

    fn none<T>(&mut self, place: &Value, message: String) -> Option<T> {
        self.say(place, message);
        None
    }

    fn heed<T>(&mut self, place: &Value, read: Result<T, String>, what: &str) -> Option<T> {
        read.map_err(|why| self.say(place, format!("{what}: {why}"))).ok()
    }

    fn members(&mut self, place: &Value, object: &Item, known: &[&str], what: &str) {
        for key in object.keys().filter(|key| !GLUE.contains(&key.as_str()) && !known.contains(&key.as_str())) {
            let near = nearest(key, known.iter().copied());
            let near = if near.is_empty() { format!("; there are {}", list(known)) } else { near };
            self.say(place, format!("{what}: there is no member `{}`{near}", clip(key)));
        }
    }

    fn text(&mut self, place: &Value, object: &Item, member: &str, what: &str) -> Option<String> {
        match object.get(member) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.chars().count() <= MAX_DESCRIPTION => Some(text.clone()),
            Some(Value::String(_)) => self.none(place, format!("{what}: `{member}` may have at most {MAX_DESCRIPTION} characters")),
            Some(other) => self.none(place, format!("{what}: `{member}` must be a text, not: {}", show(other))),
        }
    }

    fn route(&mut self, place: &Value, raw: &Value, at: usize, base: &str) -> Option<RouteDefinition> {
        let Some(route) = raw.as_object() else {
            return self.none(place, format!("Route {at}: must be an object with `method`, `path` and `handler`, not: {}", show(raw)));
        };
        let name = |member: &str| route.get(member).and_then(Value::as_str).map(clip);
        let what = match (name("method"), name("path")) {
            (Some(method), Some(path)) => format!("Route `{method} {path}`"),
            _ => format!("Route {at}"),
        };
        let before = self.problems.len();
        self.members(place, route, ROUTE, &what);
        let method = match route.get("method") {
            Some(Value::String(text)) => self.heed(place, RouteMethod::parse(text), &format!("{what}: `method`")),
            None | Some(Value::Null) => self.none(place, format!("{what}: `method` is needed: an HTTP method such as `GET`, or `ALL`")),
            Some(other) => {
                self.none(place, format!("{what}: `method` must be an HTTP method such as `GET`, or `ALL`, not: {}", show(other)))
            }
        };
        let pattern = match route.get("path") {
            Some(Value::String(text)) => self.heed(place, Pattern::parse(base, text), &format!("{what}: `path`")),
            None | Some(Value::Null) => self.none(place, format!("{what}: `path` is needed, such as `/:id`; the base path itself is `/`")),
            Some(other) => self.none(place, format!("{what}: `path` must be a text such as `/:id`, not: {}", show(other))),
        };
        let handler = match route.get("handler").map(|handler| handler.as_u64().and_then(|n| u32::try_from(n).ok())) {
            Some(Some(handler)) => Some(handler),
            Some(None) => self.none(place, format!("{what}: `handler` must be a function `(request, context)`")),
            None => self.none(place, format!("{what}: `handler` is needed: a function `(request, context)`")),
        };
        let access = self.access(place, route, &what);
        let rate_limit = self.rate_limit(place, route.get("rateLimit"), &what);
        let description = self.text(place, route, "description", &what);
        let parameters = match route.get("parameters") {
            None | Some(Value::Null) => None,
            Some(Value::Array(list)) if list.iter().all(Value::is_object) => Some(Value::Array(list.clone())),
            Some(_) => self.none(place, format!("{what}: `parameters` must be a list of objects, as in an OpenAPI document")),
        };
        if self.problems.len() > before {
            return None;
        }
        let (method, pattern, handler, access) = (method?, pattern?, handler?, access?);
        Some(RouteDefinition { handler, method, pattern, base: base.to_owned(), description, access, rate_limit, parameters })
    }

    fn access(&mut self, place: &Value, route: &Item, what: &str) -> Option<Access> {
        let public = match route.get("public") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(public)) => *public,
            Some(other) => return self.none(place, format!("{what}: `public` must be true or false, not: {}", show(other))),
        };
        let permission = match route.get("requiredPermission") {
            None | Some(Value::Null) => None,
            Some(_) if public => {
                return self.none(place, format!("{what}: `public` and `requiredPermission` contradict each other: leave one out"));
            }
            Some(given) => Some(given),
        };
        let Some(given) = permission else { return Some(if public { Access::Public } else { Access::SignedIn }) };
        let parts = given.as_str().and_then(|text| text.rsplit_once('.')).filter(|(collection, _)| !collection.is_empty());
        match parts.map(|(collection, action)| (collection, Action::parse(action))) {
            Some((collection, Some(action))) => Some(Access::Permission { collection: collection.to_owned(), action }),
            _ => {
                let actions = list(&Action::ALL.map(Action::name));
                let form = format!("a collection and one of {actions}, such as `customers.read`");
                self.none(place, format!("{what}: `requiredPermission` must be {form}, not: {}", show(given)))
            }
        }
    }

    fn rate_limit(&mut self, place: &Value, given: Option<&Value>, what: &str) -> Option<RateLimit> {
        let given = given.filter(|given| !given.is_null())?;
        let what = format!("{what}: `rateLimit`");
        let Some(limit) = given.as_object() else {
            return self.none(place, format!("{what} must be an object `{{ max, windowMs }}`, not: {}", show(given)));
        };
        self.members(place, limit, RATE_LIMIT, &what);
        let mut number = |member: &str, allowed: std::ops::RangeInclusive<u64>| {
            let value = limit.get(member).and_then(whole).filter(|n| allowed.contains(n));
            if value.is_none() {
                let given = limit.get(member).map_or_else(|| "nothing".to_owned(), show);
                let (min, max) = (allowed.start(), allowed.end());
                self.say(place, format!("{what}: `{member}` must be a whole number from {min} to {max}, not: {given}"));
            }
            value
        };
        let (max, window) = (number("max", 1..=MAX_RATE), number("windowMs", WINDOW_MS));
        Some(RateLimit { max: u32::try_from(max?).ok()?, window: Duration::from_millis(window?) })
    }
}

/// A whole number, also as JavaScript may write it: `1000.0`.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_f64().filter(|n| n.fract() == 0.0 && (0.0..9e15).contains(n)).map(|n| n as u64))
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problems(registration: Value) -> Vec<Problem> {
        routes_of(&registration).expect_err("a mistake")
    }

    #[test]
    fn what_is_registered_is_read_whole() {
        let routes = routes_of(&json!({
            "kind": "routes", "name": "stock", "basePath": "stock/", "description": "Stock levels", "at": { "file": "index.mjs", "line": 3, "column": 1 },
            "routes": [
                { "method": "get", "path": "/:sku", "requiredPermission": "products.read", "description": "One", "handler": 4 },
                { "method": "POST", "path": "/", "public": true, "rateLimit": { "max": 5, "windowMs": 60000.0 }, "handler": 5,
                  "parameters": [{ "name": "q", "in": "query" }] },
                { "method": "ALL", "path": "/*", "handler": 6, "public": false, "requiredPermission": null }
            ]
        }))
        .expect("valid");
        let shown: Vec<_> = routes.iter().map(|r| (r.method.to_string(), r.pattern.to_string(), r.handler)).collect();
        let expected = [("GET", "/stock/:sku", 4), ("POST", "/stock", 5), ("ALL", "/stock/*rest", 6)];
        assert_eq!(shown, expected.map(|(m, p, h)| (m.to_owned(), p.to_owned(), h)));
        assert_eq!(routes[0].access, Access::Permission { collection: "products".to_owned(), action: Action::Read });
        assert_eq!((&routes[1].access, &routes[2].access), (&Access::Public, &Access::SignedIn));
        assert_eq!(routes[1].rate_limit, Some(RateLimit { max: 5, window: Duration::from_secs(60) }));
        assert!(routes.iter().all(|r| r.base == "/stock"));
    }

    #[test]
    fn every_mistake_is_found_with_its_place() {
        let found = problems(json!({
            "name": "stock", "basepath": "/stock", "at": { "file": "index.mjs", "line": 3, "column": 5 },
            "routes": [
                { "method": "FE TCH", "path": "/:id/:id", "handler": "text", "at": { "file": "more.mjs", "line": 9, "column": 2 } },
                { "method": "GET", "path": "/a", "public": true, "requiredPermission": "a.read", "handler": 1, "ratelimit": {} },
                { "method": "GET", "path": "/ok", "handler": 2 },
                "nonsense"
            ]
        }));
        let shown: Vec<String> =
            found.iter().map(|p| format!("{}:{} {}", p.file.as_deref().unwrap_or("?"), p.line.unwrap_or(0), p.message)).collect();
        for part in [
            "index.mjs:3 Routes `stock`: there is no member `basepath`; did you mean `basePath`?",
            "index.mjs:3 Routes `stock`: `basePath` is needed",
            "more.mjs:9 Route `FE TCH /:id/:id`: `method`: must be an HTTP method",
            "more.mjs:9 Route `FE TCH /:id/:id`: `path`: the name `id` stands twice",
            "more.mjs:9 Route `FE TCH /:id/:id`: `handler` must be a function",
            "index.mjs:3 Route `GET /a`: there is no member `ratelimit`; did you mean `rateLimit`?",
            "index.mjs:3 Route `GET /a`: `public` and `requiredPermission` contradict",
            "index.mjs:3 Route 3: must be an object",
        ] {
            assert!(shown.iter().any(|line| line.starts_with(part)), "{part} is not in {shown:#?}");
        }
        assert_eq!(found.len(), 8, "{shown:#?}");
    }

    #[test]
    fn each_member_has_its_bounds() {
        let good = json!({ "method": "GET", "path": "/", "handler": 0 });
        for (member, value, part) in [
            ("requiredPermission", json!("customers"), "`customers.read`"),
            ("requiredPermission", json!(".read"), "`customers.read`"),
            ("requiredPermission", json!("customers.publish"), "`create`, `read`, `update`, `delete`, `share`"),
            ("requiredPermission", json!(7), "not: 7"),
            ("public", json!("yes"), "true or false"),
            ("rateLimit", json!(5), "`{ max, windowMs }`"),
            ("rateLimit", json!({ "max": 0, "windowMs": 1000 }), "`max` must be a whole number from 1 to 1000000, not: 0"),
            ("rateLimit", json!({ "max": 1.5, "windowMs": 1000 }), "not: 1.5"),
            ("rateLimit", json!({ "max": 5 }), "`windowMs` must be a whole number from 100 to 86400000, not: nothing"),
            ("rateLimit", json!({ "limit": 5, "max": 1, "windowMs": 1000 }), "no member `limit`"),
            ("parameters", json!({}), "list of objects"),
            ("parameters", json!([1]), "list of objects"),
            ("description", json!("x".repeat(1_001)), "at most 1000"),
            ("handler", json!(-1), "must be a function"),
            ("method", json!(null), "is needed"),
            ("path", json!(null), "is needed"),
            ("path", json!(["/"]), "must be a text"),
        ] {
            let mut route = good.clone();
            route[member] = value;
            let found = problems(json!({ "basePath": "/a", "routes": [route] }));
            assert!(found.len() == 1 && found[0].message.contains(part), "{member}: {found:?}");
        }
        for (registration, part) in [
            (json!(null), "takes an object"),
            (json!({ "basePath": "/", "routes": [good] }), "`basePath`: a base path needs at least one segment"),
            (json!({ "basePath": "/a", "routes": [] }), "is empty"),
            (json!({ "basePath": "/a" }), "`routes` is needed"),
            (json!({ "basePath": "/a", "routes": {} }), "must be a list"),
            (json!({ "basePath": "/a", "routes": vec![good.clone(); 1_001] }), "at most 1000"),
            (json!({ "basePath": "/a", "routes": [good, good] }), "`GET /a` is there twice"),
        ] {
            let found = problems(registration);
            assert!(found.len() == 1 && found[0].message.contains(part), "{part}: {found:?}");
        }
    }
}
