//! The routes of all extensions as one table: which route answers a method and a path.
//!
//! Immutable, built whole for a snapshot. Knows no request, no answer and no JavaScript. `set` builds it, the HTTP door asks it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::pattern::{Pattern, Segment};
use super::rate_limit::RateLimit;
use crate::auth::Action;
use crate::services::query::clip;

/// Methods that no route takes, `ALL` included: a web `Request` can't have them, and proxies answer them themselves.
const UNROUTABLE: [&str; 3] = ["CONNECT", "TRACE", "TRACK"];
/// What `Allow` says for a route of every method.
const USUAL: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
/// Longest method in bytes.
const MAX_METHOD: usize = 32;

/// The methods that a route takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RouteMethod {
    /// Every method that no route of the same shape names.
    All,
    /// This one, in upper case.
    One(String),
}

impl RouteMethod {
    /// Reads a method in any case, or `ALL`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let method = text.trim().to_ascii_uppercase();
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&b);
        if method == "ALL" {
            Ok(Self::All)
        } else if UNROUTABLE.contains(&method.as_str()) {
            Err(format!("`{method}` can't be answered by a route"))
        } else if method.is_empty() || method.len() > MAX_METHOD || !method.bytes().all(is_token) {
            Err(format!("must be an HTTP method such as `GET` or `POST`, or `ALL`, not: {}", clip(text)))
        } else {
            Ok(Self::One(method))
        }
    }
}

impl fmt::Display for RouteMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("ALL"),
            Self::One(method) => f.write_str(method),
        }
    }
}

/// What a row of type `route` answers: `GET /customers/:id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteEvent {
    /// Which methods.
    pub method: RouteMethod,
    /// Which paths.
    pub pattern: Pattern,
}

impl RouteEvent {
    /// Reads a method and a path with a space between them.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what is allowed.
    pub fn parse(event: &str) -> Result<Self, String> {
        let Some((method, path)) = event.trim().split_once(char::is_whitespace) else {
            return Err(format!("a route's event is a method and a path, such as `GET /customers/:id`, not: {}", clip(event)));
        };
        Ok(Self { method: RouteMethod::parse(method)?, pattern: Pattern::parse_row(path.trim_start())? })
    }
}

impl fmt::Display for RouteEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.pattern)
    }
}

/// Who may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Whoever is signed in.
    SignedIn,
    /// Everybody.
    Public,
    /// Those whose policies grant this action on this collection.
    Permission {
        /// The collection, which needn't exist yet.
        collection: String,
        /// What they must be allowed to do with its items.
        action: Action,
    },
}

/// One route of one extension.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The extension's id.
    pub extension: String,
    /// Its name.
    pub extension_name: String,
    /// Its place among the extensions.
    pub sort: i64,
    /// Which of its handlers answers.
    pub handler: u32,
    /// Which methods.
    pub method: RouteMethod,
    /// Which paths.
    pub pattern: Pattern,
    /// The base path that a folder claims; rows have none.
    pub base: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Who may ask.
    pub access: Access,
    /// How often.
    pub rate_limit: Option<RateLimit>,
    /// What its author says about its parameters: for the OpenAPI document.
    pub parameters: Option<Value>,
}

impl Route {
    /// Names the route over reloads.
    pub fn key(&self) -> String {
        format!("{} {} {}", self.extension, self.method, self.pattern)
    }

    pub(super) fn takes(&self, method: &str) -> bool {
        match &self.method {
            RouteMethod::All => !UNROUTABLE.contains(&method),
            RouteMethod::One(own) => own == method,
        }
    }
}

/// An extension whose routes are not in the table, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The extension's id.
    pub loser: String,
    /// Names both extensions and both patterns.
    pub message: String,
}

/// Names and values of a route's parameters, from the left, decoded. `*rest` is the decoded segments joined by slashes.
pub type Params = Vec<(String, String)>;

/// What the table knows about a method and a path.
#[derive(Debug, PartialEq)]
pub enum Found<'t> {
    /// This route answers.
    Route(&'t Arc<Route>, Params),
    /// There are routes at this path, none for this method.
    WrongMethod {
        /// The methods that are answered, `OPTIONS` included, in order.
        allow: Vec<String>,
    },
    /// There is no route at this path.
    None,
}

/// All routes of a snapshot.
#[derive(Debug, Default)]
pub struct Table {
    root: Node,
    routes: Vec<Arc<Route>>,
}

/// What follows one segment. As deep as a pattern is long at most, and a search passes each node once.
#[derive(Debug, Default)]
struct Node {
    statics: HashMap<String, Node>,
    param: Option<Box<Node>>,
    rest: Vec<Arc<Route>>,
    here: Vec<Arc<Route>>,
}

impl Table {
    /// Builds the table. An extension of which one route conflicts with an earlier one's, by (sort, name, id), is left out whole: it is
    /// an error of its load, and half of a route group is worse than none.
    ///
    /// The same method and shape twice conflict, and one base path of two folders. `ALL` beside a method doesn't.
    pub fn build(routes: Vec<Route>) -> (Self, Vec<Conflict>) {
        let mut extensions: BTreeMap<(i64, String, String), Vec<Arc<Route>>> = BTreeMap::new();
        for route in routes {
            let place = (route.sort, route.extension_name.clone(), route.extension.clone());
            extensions.entry(place).or_default().push(Arc::new(route));
        }
        let (mut table, mut conflicts) = (Self::default(), Vec::new());
        let mut taken = Taken::default();
        for ((_, _, id), routes) in extensions {
            match taken.conflict(&routes) {
                Some(message) => conflicts.push(Conflict { loser: id, message }),
                None => {
                    for route in routes {
                        taken.note(&route);
                        table.insert(route);
                    }
                }
            }
        }
        (table, conflicts)
    }

    /// Every route, by (sort, name, id) of its extension and then as registered.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// The route that answers `method` at a path of these segments.
    ///
    /// Text goes before a parameter, a parameter before a rest, from the left. Where the nearest shape has no route for the method the next
    /// one is asked, so that `GET /a` beside `ALL /*rest` leaves the other methods of `/a` to the latter. `HEAD` falls back to `GET`.
    pub fn find(&self, method: &str, segments: &[String]) -> Found<'_> {
        let mut search = Search { method, allow: BTreeSet::new(), found: None };
        self.root.walk(segments, &mut Vec::new(), &mut search);
        if let Some((route, values)) = search.found {
            let names = route.pattern.names().map(str::to_owned);
            return Found::Route(route, names.zip(values).collect());
        }
        if search.allow.is_empty() { Found::None } else { Found::WrongMethod { allow: search.allow.into_iter().collect() } }
    }

    fn insert(&mut self, route: Arc<Route>) {
        let mut node = &mut self.root;
        let mut is_rest = false;
        for segment in route.pattern.segments() {
            match segment {
                Segment::Static(text) => node = node.statics.entry(text.clone()).or_default(),
                Segment::Param(_) => node = node.param.get_or_insert_default(),
                Segment::Rest(_) => is_rest = true,
            }
        }
        let list = if is_rest { &mut node.rest } else { &mut node.here };
        list.push(Arc::clone(&route));
        self.routes.push(route);
    }
}

/// One look into the table.
struct Search<'t, 'm> {
    method: &'m str,
    allow: BTreeSet<String>,
    found: Option<(&'t Arc<Route>, Vec<String>)>,
}

impl<'t> Search<'t, '_> {
    /// Whether one of the routes of a shape that fits takes the method.
    fn ends_with(&mut self, routes: &'t [Arc<Route>], values: impl FnOnce() -> Vec<String>) -> bool {
        let named = |method: &str| routes.iter().find(|r| r.method != RouteMethod::All && r.takes(method));
        let route = named(self.method)
            .or_else(|| if self.method == "HEAD" { named("GET") } else { None })
            .or_else(|| routes.iter().find(|r| r.takes(self.method)));
        if let Some(route) = route {
            self.found = Some((route, values()));
            return true;
        }
        for route in routes {
            match &route.method {
                RouteMethod::All => self.allow.extend(USUAL.map(str::to_owned)),
                RouteMethod::One(method) => {
                    let head = (method == "GET").then_some("HEAD");
                    self.allow.extend([method.as_str(), "OPTIONS"].into_iter().chain(head).map(str::to_owned));
                }
            }
        }
        false
    }
}

impl Node {
    /// Answers whether the search is over.
    fn walk<'t, 's>(&'t self, segments: &'s [String], values: &mut Vec<&'s str>, search: &mut Search<'t, '_>) -> bool {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        match segments.split_first() {
            None => {
                if search.ends_with(&self.here, || owned(values)) {
                    return true;
                }
            }
            Some((first, others)) => {
                if self.statics.get(first).is_some_and(|next| next.walk(others, values, search)) {
                    return true;
                }
                if let Some(next) = &self.param {
                    values.push(first);
                    if next.walk(others, values, search) {
                        return true;
                    }
                    values.pop();
                }
            }
        }
        search.ends_with(&self.rest, || {
            let mut all = owned(values);
            all.push(segments.join("/"));
            all
        })
    }
}

/// What the extensions before have.
#[derive(Default)]
struct Taken {
    shapes: HashMap<(String, RouteMethod), Arc<Route>>,
    bases: HashMap<String, Arc<Route>>,
}

impl Taken {
    fn note(&mut self, route: &Arc<Route>) {
        self.shapes.insert((route.pattern.shape(), route.method.clone()), Arc::clone(route));
        if let Some(base) = &route.base {
            self.bases.insert(base.clone(), Arc::clone(route));
        }
    }

    /// Why the routes of one extension can't stand beside what is taken, if they can't.
    fn conflict(&self, routes: &[Arc<Route>]) -> Option<String> {
        let mut own = HashMap::new();
        for route in routes {
            let Route { extension_name: name, method, pattern, .. } = &**route;
            if let Some(base) = &route.base
                && let Some(other) = self.bases.get(base)
            {
                let theirs = &other.extension_name;
                return Some(format!(
                    "the base path `{base}` of extension `{name}` is taken by extension `{theirs}`: choose another (here `{method} {pattern}`, there `{} {}`)",
                    other.method, other.pattern
                ));
            }
            let key = (pattern.shape(), method.clone());
            if let Some(other) = self.shapes.get(&key) {
                let (theirs, there) = (&other.extension_name, &other.pattern);
                return Some(format!(
                    "the route `{method} {pattern}` of extension `{name}` matches the same requests as `{} {there}` of extension `{theirs}`",
                    other.method
                ));
            }
            if let Some(other) = own.insert(key, route) {
                return Some(format!(
                    "extension `{name}` has the same route twice: `{} {}` and `{method} {pattern}`",
                    other.method, other.pattern
                ));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(extension: &str, event: &str) -> Route {
        let RouteEvent { method, pattern } = RouteEvent::parse(event).expect("an event");
        Route {
            extension: format!("id-{extension}"),
            extension_name: extension.to_owned(),
            sort: 0,
            handler: 0,
            method,
            pattern,
            base: None,
            description: None,
            access: Access::SignedIn,
            rate_limit: None,
            parameters: None,
        }
    }

    fn table(events: &[&str]) -> Table {
        let (table, conflicts) = Table::build(events.iter().map(|event| route("one", event)).collect());
        assert_eq!(conflicts, []);
        table
    }

    /// `GET /a/:b {b=x}`, or `405 GET, HEAD`, or `404`.
    fn ask(table: &Table, request: &str) -> String {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let segments = super::super::route_path::split(path).expect("a path").expect("segments");
        match table.find(method, &segments) {
            Found::Route(route, params) => {
                let params: Vec<String> = params.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("{} {} {{{}}}", route.method, route.pattern, params.join(" "))
            }
            Found::WrongMethod { allow } => format!("405 {}", allow.join(", ")),
            Found::None => "404".to_owned(),
        }
    }

    #[test]
    fn text_goes_before_a_parameter_and_a_parameter_before_a_rest() {
        let table = table(&["GET /a/b", "GET /a/:x", "GET /a/*r", "GET /a/:x/c", "GET /a/b/:y/d", "ALL /app/*"]);
        for (request, expected) in [
            ("GET /a/b", "GET /a/b {}"),
            ("GET /a/b/", "GET /a/b {}"),
            ("GET /a/z", "GET /a/:x {x=z}"),
            ("GET /a", "GET /a/*r {r=}"),
            ("GET /a/b/c", "GET /a/:x/c {x=b}"),
            ("GET /a/b/c/d", "GET /a/b/:y/d {y=c}"),
            ("GET /a/b/c/e", "GET /a/*r {r=b/c/e}"),
            ("GET /a/z%2Fy", "GET /a/:x {x=z/y}"),
            ("GET /a/p/q%2Fr", "GET /a/*r {r=p/q/r}"),
            ("GET /a/__proto__", "GET /a/:x {x=__proto__}"),
            ("PURGE /app", "ALL /app/*rest {rest=}"),
            ("GET /app/x/y/", "ALL /app/*rest {rest=x/y}"),
            ("GET /", "404"),
            ("GET /b", "404"),
        ] {
            assert_eq!(ask(&table, request), expected, "{request}");
        }
    }

    #[test]
    fn methods_are_exact_and_those_that_follow_are_derived() {
        let table = table(&["GET /a", "POST /a", "ALL /b", "DELETE /b", "HEAD /c", "GET /c", "GET /d/:id", "DELETE /d/x", "OPTIONS /e"]);
        for (request, expected) in [
            ("HEAD /a", "GET /a {}"),
            ("OPTIONS /a", "405 GET, HEAD, OPTIONS, POST"),
            ("PUT /a", "405 GET, HEAD, OPTIONS, POST"),
            ("get /a", "405 GET, HEAD, OPTIONS, POST"),
            ("DELETE /b", "DELETE /b {}"),
            ("OPTIONS /b", "ALL /b {}"),
            ("HEAD /b", "ALL /b {}"),
            ("TRACE /b", "405 DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"),
            ("HEAD /c", "HEAD /c {}"),
            ("GET /d/x", "GET /d/:id {id=x}"),
            ("PATCH /d/x", "405 DELETE, GET, HEAD, OPTIONS"),
            ("OPTIONS /e", "OPTIONS /e {}"),
            ("GET /e", "405 OPTIONS"),
        ] {
            assert_eq!(ask(&table, request), expected, "{request}");
        }
    }

    #[test]
    fn the_later_extension_of_two_that_conflict_is_left_out_whole() {
        let later = Route { sort: 1, ..route("a", "GET /x/:b") };
        let other = Route { sort: 1, ..route("a", "GET /other") };
        let (table, conflicts) =
            Table::build(vec![later, other, route("b", "GET /x/:a"), route("c", "ALL /x/:a"), route("d", "POST /x/:a")]);
        assert_eq!(conflicts.len(), 1);
        let Conflict { loser, message } = &conflicts[0];
        assert_eq!(loser, "id-a");
        assert_eq!(message, "the route `GET /x/:b` of extension `a` matches the same requests as `GET /x/:a` of extension `b`");
        assert_eq!(ask(&table, "GET /x/1"), "GET /x/:a {a=1}");
        assert_eq!(ask(&table, "GET /other"), "404");
        assert_eq!(table.routes().len(), 3);
    }

    #[test]
    fn one_base_path_belongs_to_one_folder_and_rows_may_join_it() {
        let file = |name: &str, event: &str, base: &str| Route { base: Some(base.to_owned()), ..route(name, event) };
        let routes = vec![
            file("shop", "GET /shop/a", "/shop"),
            file("shop", "GET /shop/b", "/shop"),
            file("v1", "GET /shop/v1/a", "/shop/v1"),
            file("stop", "GET /shop/c", "/shop"),
            route("row", "GET /shop/c"),
        ];
        let (table, conflicts) = Table::build(routes);
        assert_eq!(conflicts.len(), 1, "{conflicts:?}");
        assert_eq!(conflicts[0].loser, "id-stop");
        for part in ["`/shop`", "`stop`", "`shop`", "/shop/c", "/shop/"] {
            assert!(conflicts[0].message.contains(part), "{}", conflicts[0].message);
        }
        let answered = table.routes().iter().find(|r| r.pattern.to_string() == "/shop/c").map(|r| r.extension_name.as_str());
        assert_eq!(answered, Some("row"), "a loser takes nothing from those after it");
    }

    #[test]
    fn one_extension_can_t_have_the_same_route_twice() {
        let (table, conflicts) = Table::build(vec![route("a", "GET /x/:b"), route("a", "get /x/:c/")]);
        assert_eq!(table.routes().len(), 0);
        assert!(conflicts[0].message.contains("`a` has the same route twice: `GET /x/:b` and `GET /x/:c`"), "{conflicts:?}");
    }

    #[test]
    fn a_row_s_event_is_a_method_and_a_path() {
        assert_eq!(RouteEvent::parse(" get   /customers/:id/ ").map(|e| e.to_string()), Ok("GET /customers/:id".to_owned()));
        assert_eq!(RouteEvent::parse("all /x").map(|e| e.method), Ok(RouteMethod::All));
        assert_eq!(RouteEvent::parse("M-SEARCH /x").map(|e| e.method), Ok(RouteMethod::One("M-SEARCH".to_owned())));
        for (event, part) in [
            ("", "a method and a path"),
            ("GET", "a method and a path"),
            ("/customers", "a method and a path"),
            ("GET /:id", "must begin with"),
            ("TRACE /x", "can't be answered"),
            ("* /x", "or `ALL`"),
            ("GE(T /x", "or `ALL`"),
            ("GET /a b/../c", "can't be `..`"),
        ] {
            assert!(RouteEvent::parse(event).expect_err(event).contains(part), "{event}");
        }
    }
}
