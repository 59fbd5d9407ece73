//! Every route, and who gets through: the list is held against the router's, so that a route that nobody thought about fails here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use regex::Regex;
use serde_json::{Value, json};

use crate::support::*;

/// Per line: method and route as the router has them, what is asked, and the status for each kind of caller: nobody, a user without rights,
/// users with a row filter (`n` below 10), a field list (`name`), a validation (`n` below 10), a preset (`n` is 1), and an admin. Of `things`
/// number 1 has `n` 1, number 2 has `n` 50.
const MATRIX: &str = r#"
GET /                                        | /                                    |                                        | 200 200 200 200 200 200 200
GET /api/health                              | /api/health                          |                                        | 200 200 200 200 200 200 200
GET /api/server/ping                         | /api/server/ping                     |                                        | 200 200 200 200 200 200 200
GET /metrics                                 | /metrics                             |                                        | 403 403 403 403 403 403 200
GET /api/server/health                       | /api/server/health                   |                                        | 200 200 200 200 200 200 200
GET /api/server/info                         | /api/server/info                     |                                        | 200 200 200 200 200 200 200
POST /api/auth/login                         | /api/auth/login                      | {"email":"x@example.com","password":"x"} | 401 401 401 401 401 401 401
POST /api/auth/refresh                       | /api/auth/refresh                    | {"refresh_token":"x"}                  | 401 401 401 401 401 401 401
POST /api/auth/logout                        | /api/auth/logout                     | {"refresh_token":"x"}                  | 204 204 204 204 204 204 204
POST /api/auth/password/request              | /api/auth/password/request           | {"email":"x@example.com"}              | 204 204 204 204 204 204 204
POST /api/auth/password/reset                | /api/auth/password/reset             | {"token":"x","password":"x"}           | 401 401 401 401 401 401 401
POST /api/users/invite                       | /api/users/invite                    | {"email":"x@example.com"}              | 403 403 403 403 403 403 503
POST /api/users/invite/accept                | /api/users/invite/accept             | {"token":"x","password":"x"}           | 401 401 401 401 401 401 401

GET /api/items/{collection}                  | /api/items/things                    |                                        | 403 403 200 200 200 200 200
GET /api/items/{collection}                  | /api/items/things?filter[n]=1        |                                        | 403 403 200 403 200 200 200
GET /api/items/{collection}                  | /api/items/nothing                   |                                        | 403 403 403 403 403 403 404
GET /api/items/{collection}                  | /api/items/daas_users                |                                        | 403 403 403 403 403 403 403
POST /api/items/{collection}                 | /api/items/things                    | {"name":"x"}                           | 403 403 403 201 201 201 201
POST /api/items/{collection}                 | /api/items/things                    | {"name":"x","n":2}                     | 403 403 201 403 201 403 201
POST /api/items/{collection}                 | /api/items/things                    | {"name":"x","n":20}                    | 403 403 403 403 400 403 201
PATCH /api/items/{collection}                | /api/items/things                    | {"keys":[1],"data":{"name":"y"}}       | 403 403 200 200 200 200 200
PATCH /api/items/{collection}                | /api/items/things                    | {"keys":[2],"data":{"name":"y"}}       | 403 403 404 200 200 200 200
PATCH /api/items/{collection}                | /api/items/things                    | {"query":{"filter":{"n":{"_gt":0}}},"data":{"name":"y"}} | 403 403 200 403 200 200 200
DELETE /api/items/{collection}               | /api/items/things                    |                                        | 400 400 400 400 400 400 400
DELETE /api/items/{collection}               | /api/items/things                    | [77]                                   | 403 403 404 404 404 404 404
GET /api/items/{collection}/{id}             | /api/items/things/1                  |                                        | 403 403 200 200 200 200 200
GET /api/items/{collection}/{id}             | /api/items/things/2                  |                                        | 403 403 404 200 200 200 200
PATCH /api/items/{collection}/{id}           | /api/items/things/1                  | {"n":2}                                | 403 403 200 403 200 403 200
PATCH /api/items/{collection}/{id}           | /api/items/things/1                  | {"n":20}                               | 403 403 403 403 400 403 200
PATCH /api/items/{collection}/{id}           | /api/items/things/2                  | {"name":"z"}                           | 403 403 404 200 200 200 200
PUT /api/items/{collection}/{id}             | /api/items/things/2                  | {"name":"z"}                           | 403 403 404 200 400 200 200
PUT /api/items/{collection}/{id}             | /api/items/things/1                  | {"name":"z"}                           | 403 403 403 200 400 200 200
DELETE /api/items/{collection}/{id}          | /api/items/things/77                 |                                        | 403 403 404 404 404 404 404

GET /api/users/me                            | /api/users/me                        |                                        | 401 200 200 200 200 200 200
PATCH /api/users/me                          | /api/users/me                        | {"first_name":"x"}                     | 401 200 200 200 200 200 200
PATCH /api/users/me                          | /api/users/me                        | {"status":"active"}                    | 401 403 403 403 403 403 200
GET /api/permissions/me                      | /api/permissions/me                  |                                        | 200 200 200 200 200 200 200
GET /api/permissions/me/{collection}         | /api/permissions/me/things           |                                        | 401 200 200 200 200 200 200
GET /api/permissions/me/{collection}/{id}    | /api/permissions/me/things/1         |                                        | 401 200 200 200 200 200 200
GET /api/policies/me/globals                 | /api/policies/me/globals             |                                        | 200 200 200 200 200 200 200
GET /api/roles/me                            | /api/roles/me                        |                                        | 401 200 200 200 200 200 200

GET /api/collections                         | /api/collections                     |                                        | 200 200 200 200 200 200 200
POST /api/collections                        | /api/collections                     | {}                                     | 403 403 403 403 403 403 400
GET /api/collections/{collection}            | /api/collections/things              |                                        | 403 403 200 200 200 200 200
DELETE /api/collections/{collection}         | /api/collections/nothing             |                                        | 403 403 403 403 403 403 404
GET /api/fields                              | /api/fields                          |                                        | 200 200 200 200 200 200 200
GET /api/fields/{collection}                 | /api/fields/things                   |                                        | 403 403 200 200 200 200 200
POST /api/fields/{collection}                | /api/fields/things                   | {}                                     | 403 403 403 403 403 403 400
GET /api/fields/{collection}/{field}         | /api/fields/things/n                 |                                        | 403 403 200 404 200 200 200
PATCH /api/fields/{collection}/{field}       | /api/fields/things/nothing           | {}                                     | 403 403 403 403 403 403 404
DELETE /api/fields/{collection}/{field}      | /api/fields/things/nothing           |                                        | 403 403 403 403 403 403 404

PATCH /api/collections                       | /api/collections                     | {}                                     | 403 403 403 403 403 403 400
PATCH /api/collections/{collection}          | /api/collections/nothing             | {}                                     | 403 403 403 403 403 403 404
PATCH /api/fields/{collection}               | /api/fields/things                   | {}                                     | 403 403 403 403 403 403 400
GET /api/relations                           | /api/relations                       |                                        | 200 200 200 200 200 200 200
POST /api/relations                          | /api/relations                       | {}                                     | 403 403 403 403 403 403 400
GET /api/relations/{collection}              | /api/relations/things                |                                        | 403 403 200 200 200 200 200
GET /api/relations/{collection}/{field}      | /api/relations/things/n              |                                        | 403 403 404 404 404 404 404
PATCH /api/relations/{collection}/{field}    | /api/relations/things/n              | {}                                     | 403 403 403 403 403 403 404
DELETE /api/relations/{collection}/{field}   | /api/relations/things/n              |                                        | 403 403 403 403 403 403 404

GET /api/settings/smtp                       | /api/settings/smtp                   |                                        | 403 403 403 403 403 403 200
PATCH /api/settings/smtp                     | /api/settings/smtp                   | {"nothing":1}                          | 403 403 403 403 403 403 400
POST /api/settings/smtp/test                 | /api/settings/smtp/test              | {}                                     | 403 403 403 403 403 403 200

GET /api/schema/snapshot                     | /api/schema/snapshot                 |                                        | 403 403 403 403 403 403 200
POST /api/schema/diff                        | /api/schema/diff                     | {}                                     | 403 403 403 403 403 403 400
POST /api/schema/apply                       | /api/schema/apply                    | {}                                     | 403 403 403 403 403 403 400
"#;

/// Routes that only admins get through, with the status that an admin gets for a key that isn't there or a body that says nothing.
const ADMINS: &str = r#"
GET /api/extensions 200
POST /api/extensions 400
POST /api/extensions/test 400
GET /api/extensions/types.d.ts 200
GET /api/extensions/{id} 404
PATCH /api/extensions/{id} 404
DELETE /api/extensions/{id} 404
GET /api/extensions/{id}/runs 404
GET /api/extensions/{id}/logs 404
GET /api/extensions/{id}/secrets 404
PUT /api/extensions/{id}/secrets/{name} 400
DELETE /api/extensions/{id}/secrets/{name} 404
POST /api/extensions/{id}/activate 404
POST /api/extensions/{id}/deactivate 404
POST /api/extensions/{id}/clone 404
GET /api/extensions/{id}/history 404
POST /api/extensions/{id}/rollback 400
POST /api/extensions/{id}/confirm 404
POST /api/extensions/{id}/decline 404
GET /api/deliveries 200
POST /api/deliveries/replay 400
POST /api/deliveries/discard 400
GET /api/deliveries/{id} 404
DELETE /api/deliveries/{id} 404
POST /api/deliveries/{id}/replay 404
GET /api/services 200
POST /api/services 400
GET /api/services/{id} 404
PATCH /api/services/{id} 404
DELETE /api/services/{id} 404
POST /api/services/{id}/tests 404
GET /api/cron 200
POST /api/cron 400
GET /api/cron/history 200
GET /api/cron/{id} 404
PATCH /api/cron/{id} 404
DELETE /api/cron/{id} 404
GET /api/cron/{id}/history 404
POST /api/cron/{id}/run 404
POST /api/cron/{id}/clone 404
"#;

/// The collections of the system that have routes like those of items. Nothing of them is granted to anybody here.
const SYSTEM: [&str; 6] = ["users", "roles", "policies", "permissions", "access", "user-roles"];

/// What no table of rights decides: routes of extensions say by themselves who may ask.
const ELSEWHERE: [&str; 1] = ["src/http/ext.rs"];

/// A key that is none, whatever the key's type.
const NO_KEY: &str = "00000000-0000-4000-8000-000000000000";

/// `METHOD path` of every route in the source of the HTTP door.
fn routes() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let methods = Regex::new(r"\b(get|post|put|patch|delete)\(").unwrap();
    let literal = Regex::new(r#"^\s*&?(?:format!\()?"([^"]+)""#).unwrap();
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root.join("src/http")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".rs") || ELSEWHERE.contains(&name.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for (at, _) in text.match_indices(".route(") {
            let whole = balanced(&text[at + ".route(".len()..]);
            let paths: Vec<String> = match literal.captures(whole).map(|found| found[1].to_owned()) {
                Some(path) if path.starts_with("{path}") => SYSTEM
                    .iter()
                    .map(|name| format!("/api/{name}{}", path["{path}".len()..].replace("{{", "{").replace("}}", "}")))
                    .collect(),
                Some(path) => vec![path],
                None => SYSTEM.iter().map(|name| format!("/api/{name}")).collect(),
            };
            // Handlers in place may hold calls: methods stand outside of every bracket, or after a dot.
            for method in methods.captures_iter(&outside(whole)) {
                found.extend(paths.iter().map(|path| format!("{} {path}", method[1].to_uppercase())));
            }
        }
    }
    found
}

/// The text up to the bracket that closes what began before it.
fn balanced(text: &str) -> &str {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

/// The same without what stands inside brackets.
fn outside(text: &str) -> String {
    let (mut depth, mut out) = (0, String::new());
    for c in text.chars() {
        if c == ')' {
            depth -= 1;
        }
        if depth == 0 {
            out.push(c);
        }
        if c == '(' {
            depth += 1;
        }
    }
    out
}

struct Row {
    route: String,
    path: String,
    body: Option<Value>,
    statuses: Vec<u16>,
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for line in MATRIX.lines().filter(|line| !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [route, path, body, statuses] = cells[..] else { panic!("four cells: {line}") };
        rows.push(Row {
            route: route.to_owned(),
            path: path.to_owned(),
            body: (!body.is_empty()).then(|| serde_json::from_str(body).unwrap()),
            statuses: statuses.split_whitespace().map(|status| status.parse().unwrap()).collect(),
        });
    }
    for line in ADMINS.lines().filter(|line| !line.trim().is_empty()) {
        let (route, status) = line.rsplit_once(' ').unwrap();
        let path = route.split_once(' ').unwrap().1.replace("{id}", NO_KEY).replace("{name}", "NAME");
        let body = (!route.starts_with("GET") && !route.starts_with("DELETE")).then(|| json!({}));
        let mut statuses = vec![403; 6];
        statuses.push(status.parse().unwrap());
        rows.push(Row { route: route.to_owned(), path, body, statuses });
    }
    for name in SYSTEM {
        let key = if name == "permissions" { "77777" } else { NO_KEY };
        let mut add = |method: &str, rest: &str, body: Option<Value>, admin: u16| {
            let mut statuses = vec![403; 6];
            statuses.push(admin);
            let route = format!("{method} /api/{name}{rest}");
            rows.push(Row { path: format!("/api/{name}{}", rest.replace("{id}", key)), route, body, statuses });
        };
        add("GET", "", None, 200);
        add("POST", "", Some(json!({ "nothing": 1 })), 400);
        add("PATCH", "", Some(json!({ "keys": [key], "data": {} })), 404);
        add("DELETE", "", Some(json!([key])), 404);
        add("GET", "/{id}", None, 404);
        add("PATCH", "/{id}", Some(json!({})), 404);
        // What a row needs is missing before it is looked for; a user needs nothing.
        add("PUT", "/{id}", Some(json!({})), if name == "users" { 404 } else { 400 });
        add("DELETE", "/{id}", None, 404);
    }
    rows
}

both!(every_route_lets_through_whom_it_is_said_to, async |app| {
    collection(app, "things", &[("name", "string"), ("n", "integer")]).await;
    let reset = async || {
        app.sql("DELETE FROM things").await;
        for (id, n) in [(1, 1), (2, 50)] {
            create(app, "things", json!({ "id": id, "name": "a", "n": n })).await;
        }
    };
    let all = |change: &dyn Fn(&mut Value)| -> Vec<Value> {
        may_all("things")
            .into_iter()
            .map(|mut permission| {
                change(&mut permission);
                permission
            })
            .collect()
    };
    let write = |permission: &Value| permission["action"] == "create" || permission["action"] == "update";
    let low = || json!({ "n": { "_lt": 10 } });
    let kinds: [Vec<Value>; 5] = [
        Vec::new(),
        all(&|permission| permission["permissions"] = low()),
        all(&|permission| permission["fields"] = json!(["name"])),
        all(&|permission| {
            if write(permission) {
                permission["validation"] = low();
            }
        }),
        all(&|permission| {
            if write(permission) {
                permission["presets"] = json!({ "n": 1 });
                permission["fields"] = json!(["name"]);
            }
        }),
    ];
    let mut callers = vec![app.anonymous()];
    for permissions in &kinds {
        callers.push(person(app, permissions).await.client);
    }
    callers.push(Client::clone(app));
    let mut wrong = Vec::new();
    for row in rows() {
        let method = row.route.split(' ').next().unwrap();
        assert_eq!(row.statuses.len(), callers.len(), "{}", row.route);
        for (caller, expected) in callers.iter().zip(&row.statuses) {
            if row.path.starts_with("/api/items/things") && method != "GET" {
                reset().await;
            }
            let request = caller.request(method, &row.path);
            let answer = Answer::of(match &row.body {
                Some(body) => request.json(body),
                None => request,
            })
            .await;
            if answer.status != *expected {
                let who = callers.iter().position(|other| std::ptr::eq(other, caller)).unwrap();
                wrong.push(format!(
                    "{method} {} {:?} as caller {who}: expected {expected}: {} {}",
                    row.path, row.body, answer.status, answer.body
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
});

#[test]
fn every_route_is_in_the_matrix_and_nothing_else_is() {
    let (routes, rows): (_, BTreeSet<String>) = (routes(), rows().into_iter().map(|row| row.route).collect());
    assert!(routes.len() > 90, "{routes:?}");
    let (unstated, gone): (Vec<_>, Vec<_>) = (routes.difference(&rows).collect(), rows.difference(&routes).collect());
    assert!(unstated.is_empty() && gone.is_empty(), "routes without a row: {unstated:#?}\nrows without a route: {gone:#?}");
}

#[test]
fn the_page_of_the_api_lists_every_route() {
    let parameter = Regex::new(r"\{(\w+)\}").unwrap();
    let mut methods: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for route in routes() {
        let (method, path) = route.split_once(' ').unwrap();
        methods.entry(parameter.replace_all(path, ":$1").into_owned()).or_default().push(method.to_owned());
    }
    let order = ["GET", "POST", "PATCH", "PUT", "DELETE"];
    let row = |(path, methods): (&String, &Vec<String>)| {
        let there = order.iter().filter(|method| methods.iter().any(|other| other == *method));
        format!("| `{path}` | {} |\n", there.map(|method| format!("`{method}`")).collect::<Vec<_>>().join(", "))
    };
    let table = format!("| path | methods |\n| --- | --- |\n{}", methods.iter().map(row).collect::<String>());
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/API.md")).unwrap();
    assert!(page.contains(&table), "docs/API.md should have:\n{table}");
}
