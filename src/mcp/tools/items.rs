//! Rows of collections: what `/api/items` does, and, for the tools over the system's own collections, what their routes do.

use serde_json::{Value, json};

use super::super::tool::{Action, Answer, Argument, Asked, Effect, Kind, Tool};
use super::common::{COLLECTION, DATA, FIELDS, FILTER, KEY, KEYS, LIMIT, QUERY, READ, SEARCH, rows};
use crate::error::{Error, Result};
use crate::http::items::{Change, Doomed, as_items, changed, removed, write};
use crate::services::aggregate;
use crate::services::ctx::Hold;
use crate::services::items::{ItemsService, as_item};
use crate::services::query::clip;

/// Collections that a tool of their own reads and writes.
const OWN_TOOLS: [(&str, &str); 9] = [
    ("daas_users", "users"),
    ("daas_roles", "roles"),
    ("daas_policies", "policies"),
    ("daas_permissions", "permissions"),
    ("daas_access", "access"),
    ("daas_extensions", "extensions"),
    ("daas_cron_jobs", "cron"),
    ("daas_cron_history", "cron"),
    ("daas_custom_services", "services"),
];

const AGGREGATE: Argument = Argument {
    name: "aggregate",
    kind: Kind::Object,
    about: "function → fields, such as {\"count\": [\"*\"], \"sum\": [\"total\"]}; functions are count, countDistinct, sum, avg, min, max",
};
const GROUP_BY: Argument = Argument { name: "groupBy", kind: Kind::Names, about: "fields: one row is answered for each of their values" };

/// Items of the collections that users make.
pub const TOOL: Tool = Tool {
    name: "items",
    title: "Items of collections",
    about: "Reads, counts and writes the items of collections, as far as the caller may, with all hooks. Look up names of collections and \
            fields with `schema` first. A read answers 25 rows unless `limit` says otherwise; ask for the `fields` that you need. Writes are \
            all or nothing: one mistake in an array of rows, and none is written.",
    open_world: false,
    answers: rows,
    actions: &[
        Action {
            name: "read",
            effect: Effect::Reads,
            about: "the item with `key`, the items with `keys`, or those that the query finds",
            needs: &[COLLECTION],
            takes: &[&[KEY, KEYS], READ],
            run: |mut asked| Box::pin(async move { read(named(&mut asked)?, asked).await }),
        },
        Action {
            name: "aggregate",
            effect: Effect::Reads,
            about: "counts, sums and averages, over all rows or in groups",
            needs: &[COLLECTION, AGGREGATE],
            takes: &[&[GROUP_BY, FILTER, SEARCH, LIMIT, QUERY]],
            run: |mut asked| Box::pin(async move { aggregated(named(&mut asked)?, asked).await }),
        },
        Action {
            name: "create",
            effect: Effect::Adds,
            about: "makes an item, or several from an array",
            needs: &[COLLECTION, DATA],
            takes: &[&[FIELDS]],
            run: |mut asked| Box::pin(async move { create(named(&mut asked)?, asked).await }),
        },
        Action {
            name: "update",
            effect: Effect::Changes,
            about: "writes `data` to the item with `key`, those with `keys`, or those that `query` finds; or each row of an array by the key \
                    in it",
            needs: &[COLLECTION, DATA],
            takes: &[&[KEY, KEYS, QUERY, FIELDS]],
            run: |mut asked| Box::pin(async move { update(named(&mut asked)?, asked).await }),
        },
        Action {
            name: "delete",
            effect: Effect::Deletes,
            about: "deletes the item with `key`, those with `keys`, or those that `query` finds",
            needs: &[COLLECTION],
            takes: &[&[KEY, KEYS, QUERY]],
            run: |mut asked| Box::pin(async move { delete(named(&mut asked)?, asked).await }),
        },
    ],
};

/// The collection that is asked for, unless it has a tool of its own.
fn named(asked: &mut Asked) -> Result<String> {
    let name = asked.text("collection");
    match OWN_TOOLS.iter().find(|(own, _)| *own == name) {
        Some((_, tool)) => Err(Error::forbidden(format!("`{}` belongs to the system: use the tool `{tool}`", clip(&name)))),
        None => Ok(name),
    }
}

/// One row, several by their keys, or those that a query finds.
pub async fn read(name: String, mut asked: Asked) -> Result<Answer> {
    let (key, keys, query) = (asked.take("key"), asked.take("keys"), asked.query(READ));
    let core = &asked.api.core;
    let (name, key, query) = (&name, &key, &query);
    match (key, keys) {
        (Some(_), Some(_)) => Err(Error::payload("Either `key` or `keys`, not both").with_field("keys")),
        (Some(key), None) => {
            let read = |ctx| async move { ItemsService::new(&ctx, name).read_one(key, query, Hold::No).await };
            Ok(Answer::of(core.operate(asked.start, read).await?))
        }
        (None, Some(Value::Array(keys))) => {
            let keys = &keys;
            let read = |ctx| async move { ItemsService::new(&ctx, name).read_many(keys, query, Hold::No).await };
            Ok(Answer::of(core.operate(asked.start, read).await?))
        }
        (None, _) => {
            let read = |ctx| async move { ItemsService::new(&ctx, name).list(query).await };
            Ok(core.operate(asked.start, read).await?.into())
        }
    }
}

/// Numbers over rows.
async fn aggregated(name: String, mut asked: Asked) -> Result<Answer> {
    let query = &asked.query(&[AGGREGATE, GROUP_BY, FILTER, SEARCH, LIMIT]);
    let (name, core) = (&name, &asked.api.core);
    let read = |ctx| async move { aggregate::run(&ctx, name, query).await };
    Ok(Answer::of(core.operate(asked.start, read).await?))
}

/// New rows.
pub async fn create(name: String, mut asked: Asked) -> Result<Answer> {
    let (data, query) = (asked.take("data").unwrap_or_default(), asked.query(&[FIELDS]));
    let many = data.is_array();
    let items = as_items(data)?;
    let mut made = write(asked.api, name, asked.start, query, move |items_of| {
        let items = items.clone();
        Box::pin(async move { items_of.create(items).await })
    })
    .await?;
    Ok(if many { Answer::of(made) } else { Answer::of(made.pop()) })
}

/// Other values in rows.
pub async fn update(name: String, mut asked: Asked) -> Result<Answer> {
    let (data, key, keys, query) = (asked.take("data").unwrap_or_default(), asked.take("key"), asked.take("keys"), asked.take("query"));
    let one = key.is_some() && !data.is_array();
    let change = match (data, key, keys, query) {
        (rows @ Value::Array(_), None, None, None) => Change::parse(rows)?,
        (Value::Array(_), ..) => {
            return Err(
                Error::payload("An array of rows has the key in each of them: leave `key`, `keys` and `query` out").with_field("data")
            );
        }
        (data, Some(key), None, None) => Change::Keys(vec![key], as_item(data)?),
        (data, None, Some(Value::Array(keys)), None) => Change::Keys(keys, as_item(data)?),
        (data, None, None, Some(Value::Object(query))) => Change::Query(query, as_item(data)?),
        _ => return Err(which()),
    };
    let fields = asked.query(&[FIELDS]);
    let mut rows = changed(asked.api, name, asked.start, fields, change).await?;
    Ok(if one { Answer::of(rows.pop()) } else { Answer::of(rows) })
}

/// Fewer rows.
pub async fn delete(name: String, mut asked: Asked) -> Result<Answer> {
    let doomed = match (asked.take("key"), asked.take("keys"), asked.take("query")) {
        (Some(key), None, None) => Doomed::Keys(vec![key]),
        (None, Some(Value::Array(keys)), None) => Doomed::Keys(keys),
        (None, None, Some(Value::Object(query))) => Doomed::Query(query),
        _ => return Err(which()),
    };
    Ok(Answer::of(json!(removed(asked.api, name, asked.start, doomed).await?)))
}

fn which() -> Error {
    Error::payload("Say which rows are meant, by one of `key`, `keys` and `query`").with_field("key")
}
