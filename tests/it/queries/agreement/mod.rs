//! Random schemas, items, permissions and queries: on either database the server answers what a plain model of the data says.
//!
//! `PROPTEST_CASES` is how many schemas are made (50), `AGREEMENT_SEED` the number that the first comes from; each next one comes from the
//! next number. What fails names its own, so that it can be run alone.

mod model;
mod random;

use serde_json::{Value, json};

use self::model::{Filter, Groups, Level, Right, Rights, Row, Select, Sight, Ty, World};
use self::random::Random;
use super::library::link;
use crate::support::*;

/// Queries for each schema.
const QUERIES: usize = 100;
/// Disagreements that are told of at once.
const TOLD: usize = 8;

both!(both_databases_answer_what_the_model_says, async |app| {
    let from = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|e| panic!("{name}: {e}")));
    let (seed, cases) = (from("AGREEMENT_SEED", 1), from("PROPTEST_CASES", 50));
    let mut wrong = Vec::new();
    for case in 0..cases {
        let seed = seed.wrapping_add(case);
        let mut random = Random::new(seed);
        one_world(app, &mut random, case as usize, &mut |what| wrong.push(format!("AGREEMENT_SEED={seed} PROPTEST_CASES=1\n{what}"))).await;
        assert!(wrong.len() < TOLD, "{}", wrong.join("\n\n"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
});

/// Makes a world, asks about it and changes it now and then, and takes it away again.
async fn one_world(app: &Client, random: &mut Random, case: usize, tell: &mut impl FnMut(String)) {
    let mut world = random::world(random, case);
    make(app, &world).await;
    let rights = random::rights(random, &world);
    let somebody = person(app, &permissions(&world, &rights)).await.client;
    for _ in 0..QUERIES {
        let restricted = random.chance(60);
        let (client, sight) = match restricted {
            true => (&somebody, Sight { world: &world, rights: Some(&rights) }),
            false => (app, Sight { world: &world, rights: None }),
        };
        let readable: Vec<usize> = (0..world.collections.len()).filter(|at| sight.may_read(*at)).collect();
        let at = *random.pick(&readable);
        let path = format!("/api/items/{}", sight.collection(at).name);
        let (query, expected) = match random.below(10) {
            0 | 1 => {
                let groups = random::groups(random, sight, at);
                (groups_json(&groups), sight.groups(at, &groups))
            }
            _ => {
                let level = random::level(random, sight, at, 2, false);
                (level_json(&level, random.chance(50)), sight.list(at, &level))
            }
        };
        let answer = ask(client, &path, &query, random.chance(50)).await;
        if answer.status != 200 || !same(&answer.data(), &json!(expected)) {
            let body = &answer.body;
            let who = if restricted { format!("somebody with {rights:?}") } else { "an admin".to_owned() };
            let rows: Vec<String> = world.collections.iter().map(|c| format!("{} {}", c.name, json!(c.rows))).collect();
            tell(format!(
                "{path} {query}\nas {who}\nof {}\nexpected {}\ngot {} {body}",
                rows.join("\n   "),
                json!(expected),
                answer.status
            ));
            break;
        }
        if random.chance(6) {
            change(app, random, &mut world).await;
        }
    }
    for collection in world.collections.iter().rev() {
        app.delete(&format!("/api/collections/{}", collection.name)).await.expect(204);
    }
}

async fn make(app: &Client, world: &World) {
    for collection in &world.collections {
        let mut fields: Vec<Value> = collection.fields[1..].iter().map(|each| field(&each.name, random::spec(each.ty))).collect();
        fields.push(field("id", "integer pk auto"));
        let body = json!({ "collection": collection.name, "meta": {}, "schema": {}, "fields": fields });
        app.post("/api/collections", body).await.expect(201);
    }
    for collection in &world.collections {
        for field in &collection.fields {
            let Ty::Refers(to) = field.ty else { continue };
            let list =
                world.collections[to].lists.iter().find(|list| list.field == field.name && name_of(world, list.of) == collection.name);
            link(app, &collection.name, &field.name, name_of(world, to), list.map(|list| list.name.as_str())).await;
        }
    }
    for collection in world.collections.iter().filter(|collection| !collection.rows.is_empty()) {
        app.post(&format!("/api/items/{}", collection.name), json!(collection.rows)).await.expect(201);
    }
}

fn name_of(world: &World, at: usize) -> &str {
    &world.collections[at].name
}

fn permissions(world: &World, rights: &Rights) -> Vec<Value> {
    let granted = world.collections.iter().zip(rights).filter_map(|(collection, right)| Some((collection, right.as_ref()?)));
    granted
        .map(|(collection, Right { items, fields })| {
            let items = items.as_ref().map(|filter| filter.to_json(false));
            json!({ "collection": collection.name, "action": "read", "fields": fields, "permissions": items })
        })
        .collect()
}

/// Changes or deletes what a filter finds, here and there.
async fn change(app: &Client, random: &mut Random, world: &mut World) {
    let at = random.below(world.collections.len());
    let sight = Sight { world, rights: None };
    let found = random::filter(random, sight, at, 2);
    let is_met: Vec<bool> = sight.collection(at).rows.iter().map(|row| sight.holds(row, &found)).collect();
    let path = format!("/api/items/{}", name_of(world, at));
    let query = json!({ "filter": found.to_json(random.chance(50)), "limit": -1 });
    if random.chance(25) {
        app.delete_with(&path, json!({ "query": query })).await.expect(204);
        let mut met = is_met.iter();
        world.collections[at].rows.retain(|_| !met.next().unwrap());
        let left: Vec<Value> = world.collections[at].rows.iter().map(|row| row["id"].clone()).collect();
        for collection in &mut world.collections {
            let referring: Vec<String> =
                collection.fields.iter().filter(|field| field.ty == Ty::Refers(at)).map(|field| field.name.clone()).collect();
            for row in &mut collection.rows {
                for field in referring.iter().filter(|field| !left.contains(&row[*field])).collect::<Vec<_>>() {
                    row.insert(field.clone(), Value::Null);
                }
            }
        }
    } else {
        let changes: Row = random::changes(random, world, at);
        if changes.is_empty() {
            return;
        }
        let answer = app.patch(&path, json!({ "query": query, "data": changes })).await.expect(200);
        assert_eq!(answer.data().as_array().unwrap().len(), is_met.iter().filter(|met| **met).count(), "{}: {query}", answer.asked);
        for (row, _) in world.collections[at].rows.iter_mut().zip(is_met).filter(|(_, met)| *met) {
            row.extend(changes.clone());
        }
    }
}

/// The query by GET, or in the body of a SEARCH.
async fn ask(client: &Client, path: &str, query: &Value, in_body: bool) -> Answer {
    if in_body {
        return Answer::of(client.request("SEARCH", path).json(&json!({ "query": query }))).await;
    }
    let texts: Vec<(&str, String)> = query
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Array(names) => names.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>().join(","),
                other => other.to_string(),
            };
            (name.as_str(), text)
        })
        .collect();
    client.query(path, &texts.iter().map(|(name, text)| (*name, text.as_str())).collect::<Vec<_>>()).await
}

/// The query of a read, as callers write it.
fn level_json(level: &Level, dotted: bool) -> Value {
    let (mut fields, mut deep) = (Vec::new(), json!({}));
    names(level, "", dotted, &mut fields, &mut deep);
    let mut query = parameters(level, "", dotted);
    query.insert("fields".to_owned(), json!(fields));
    query.entry("limit").or_insert(json!(-1));
    if deep != json!({}) {
        query.insert("deep".to_owned(), deep);
    }
    Value::Object(query)
}

/// What a level says besides its fields; `mark` stands before each name.
fn parameters(level: &Level, mark: &str, dotted: bool) -> Row {
    let mut query = Row::new();
    let mut say = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            query.insert(format!("{mark}{name}"), value);
        }
    };
    let sort: Vec<String> = level.sort.iter().map(|(value, down)| format!("{}{}", if *down { "-" } else { "" }, value.path())).collect();
    say("filter", level.filter.as_ref().map(|filter| filter.to_json(dotted)));
    say("search", level.search.as_ref().map(|term| json!(term)));
    say("sort", (!sort.is_empty()).then(|| json!(sort)));
    say("limit", level.limit.map(|limit| json!(limit)));
    say("offset", (level.offset > 0).then(|| json!(level.offset)));
    query
}

fn names(level: &Level, before: &str, dotted: bool, fields: &mut Vec<String>, deep: &mut Value) {
    for select in &level.select {
        let mut below = |name: &str, level: &Level| {
            let mut own = Value::Object(parameters(level, "_", dotted));
            names(level, &format!("{before}{name}."), dotted, fields, &mut own);
            if own != json!({}) {
                deep[name] = own;
            }
        };
        match select {
            Select::One(name, _, level) => below(name, level),
            Select::Many(list, level) => below(&list.name, level),
            Select::Star => fields.push(format!("{before}*")),
            Select::Value(value) => fields.push(format!("{before}{}", value.path())),
            Select::Keys(list) => fields.push(format!("{before}{}", list.name)),
        }
    }
}

fn groups_json(groups: &Groups) -> Value {
    let mut aggregate = json!({});
    for (function, field) in &groups.wanted {
        aggregate[function] = json!([field.as_ref().map_or("*", |field| &field.name)]);
    }
    let by: Vec<String> = groups.by.iter().map(|value| value.path()).collect();
    let mut query = json!({ "aggregate": aggregate });
    if !by.is_empty() {
        query["groupBy"] = json!(by);
    }
    if let Some(filter) = groups.filter.as_ref().map(|filter: &Filter| filter.to_json(false)) {
        query["filter"] = filter;
    }
    query
}

/// Equal, with numbers by their value: sums are made of doubles.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => {
            let (x, y) = (x.as_f64().unwrap(), y.as_f64().unwrap());
            (x - y).abs() <= 1e-9 * x.abs().max(y.abs())
        }
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        (Value::Object(x), Value::Object(y)) => x.len() == y.len() && x.iter().all(|(key, x)| y.get(key).is_some_and(|y| same(x, y))),
        (a, b) => a == b,
    }
}
