//! Making the schema what a difference says: all of it, as one transaction, or nothing.
//!
//! Relations go first and come last, so that no step meets one that another step is about to change.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Place, State, list, text};
use crate::db::{Conn, Schema, schema};
use crate::error::{Error, ErrorCode, Result};
use crate::services::query::{clip, show};
use crate::services::schema_change::change;
use crate::services::{Core, collections, fields, relations};

/// Whether anything was to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The schema is now what was asked for.
    Changed,
    /// The difference is empty.
    Nothing,
}

/// What one entry of a difference does.
enum Step {
    New(Value),
    Gone,
    /// `{ kind, path, … }`
    Changed(Vec<Value>),
}

#[derive(Default)]
struct Plan {
    hash: String,
    collections: Vec<(String, Step)>,
    fields: Vec<(Place, Step)>,
    relations: Vec<(Place, Step)>,
}

/// Applies `{ hash, diff: { collections, fields, relations } }`, as `diff` answered it.
///
/// 409 when the schema isn't the one that it was made for.
pub async fn apply(core: &Arc<Core>, raw: &Value) -> Result<Applied> {
    let plan = Arc::new(Plan::read(raw)?);
    if plan.is_empty() {
        return Ok(Applied::Nothing);
    }
    let now = core.clock.now();
    let dropped = plan.collections.iter().any(|(_, step)| matches!(step, Step::Gone));
    change(core, move |conn, schema| {
        let plan = Arc::clone(&plan);
        Box::pin(async move { Work { conn, schema: (*schema).clone(), now }.run(&plan).await })
    })
    .await?;
    if dropped {
        core.directory.invalidate();
    }
    Ok(Applied::Changed)
}

impl Plan {
    fn read(raw: &Value) -> Result<Self> {
        let object = raw.as_object().ok_or_else(|| Error::payload(format!("the body must be an object, not: {}", show(raw))))?;
        let diff = object.get("diff").filter(|diff| diff.is_object());
        let diff =
            diff.ok_or_else(|| Error::payload("`diff` must be an object, as POST /api/schema/diff answered it").with_field("diff"))?;
        let mut plan = Self { hash: text(raw, "hash")?, ..Self::default() };
        for entry in list(diff, "collections")? {
            let name = text(entry, "collection")?;
            plan.collections.push((name.clone(), step(entry, &name)?));
        }
        for (name, steps) in [("fields", &mut plan.fields), ("relations", &mut plan.relations)] {
            for entry in list(diff, name)? {
                let place = (text(entry, "collection")?, text(entry, "field")?);
                let step = step(entry, &format!("{}.{}", place.0, place.1))?;
                steps.push((place, step));
            }
        }
        Ok(plan)
    }

    fn is_empty(&self) -> bool {
        self.collections.is_empty() && self.fields.is_empty() && self.relations.is_empty()
    }
}

fn step(entry: &Value, name: &str) -> Result<Step> {
    let changes = list(entry, "diff")?;
    let whole = |change: &Value| change.get("path").is_none_or(|path| path.as_array().is_some_and(Vec::is_empty));
    let bad = |what: &str| Error::payload(format!("the difference of `{}` {what}", clip(name))).with_field("diff");
    match changes {
        [] => Err(bad("is empty")),
        [change] if whole(change) => match change["kind"].as_str() {
            Some("N") if change["rhs"].is_object() => Ok(Step::New(change["rhs"].clone())),
            Some("D") => Ok(Step::Gone),
            _ => Err(bad("must be of kind `N` with `rhs`, of kind `D`, or have a `path`")),
        },
        many if many.iter().all(|change| !whole(change)) => Ok(Step::Changed(many.to_vec())),
        _ => Err(bad("is of a whole and of its parts")),
    }
}

struct Work<'w, 'c> {
    conn: &'w mut Conn<'c>,
    schema: Schema,
    now: chrono::DateTime<chrono::Utc>,
}

impl Work<'_, '_> {
    async fn run(mut self, plan: &Plan) -> Result<()> {
        let before = State::of(&self.schema);
        if before.hash() != plan.hash {
            let message = "The schema isn't the one that this difference was made for: ask for a new one with POST /api/schema/diff";
            return Err(Error::new(ErrorCode::Conflict, message).with_field("hash"));
        }
        let mut relations_to_make = Vec::new();
        for ((collection, field), step) in &plan.relations {
            match step {
                Step::New(relation) => {
                    relations_to_make.push(relation.clone());
                    continue;
                }
                Step::Gone => {}
                Step::Changed(changes) => {
                    let place = (collection.clone(), field.clone());
                    let now = before.relations.get(&place).ok_or_else(|| missing(&format!("{collection}.{field}")))?;
                    relations_to_make.push(changed(now, changes)?);
                }
            }
            relations::apply_delete(self.conn, &self.schema, collection, field).await?;
            self.refresh().await?;
        }
        let mut new = HashSet::new();
        for (name, step) in &plan.collections {
            match step {
                Step::New(collection) => {
                    let own = plan.fields.iter().filter_map(|((of, _), step)| match step {
                        Step::New(field) if of == name => Some(field.clone()),
                        _ => None,
                    });
                    let mut whole = Map::from_iter([("fields".to_owned(), own.collect::<Value>())]);
                    whole.extend(collection.as_object().cloned().unwrap_or_default());
                    collections::apply_create(self.conn, self.now, &Value::Object(whole)).await?;
                    new.insert(name);
                }
                Step::Gone => collections::apply_delete(self.conn, &self.schema, name).await?,
                Step::Changed(changes) => {
                    let now = before.collections.get(name).ok_or_else(|| missing(name))?;
                    collections::apply_put(self.conn, &self.schema, name, &changed(now, changes)?).await?;
                }
            }
            self.refresh().await?;
        }
        for ((collection, field), _) in plan.fields.iter().filter(|(_, step)| matches!(step, Step::Gone)) {
            // What went along with something else is gone already.
            let there = self.schema.collection(collection).is_some_and(|c| c.field(field).is_some() || c.alias(field).is_some());
            if there {
                fields::apply_delete(self.conn, &self.schema, collection, field).await?;
                self.refresh().await?;
            }
        }
        for ((collection, field), step) in plan.fields.iter().filter(|((collection, _), _)| !new.contains(collection)) {
            match step {
                Step::Gone => continue,
                Step::New(raw) => {
                    fields::apply_create(self.conn, &self.schema, collection, raw).await?;
                    if raw["meta"]["sort"] == 0 {
                        // Where a field is added, this means the end.
                        self.refresh().await?;
                        fields::apply_update(self.conn, &self.schema, collection, field, &json!({ "meta": { "sort": 0 } })).await?;
                    }
                }
                Step::Changed(changes) => {
                    let place = (collection.clone(), field.clone());
                    let now = before.fields.get(&place).ok_or_else(|| missing(&format!("{collection}.{field}")))?;
                    fields::apply_put(self.conn, &self.schema, collection, field, &changed(now, changes)?).await?;
                }
            }
            self.refresh().await?;
        }
        for relation in &relations_to_make {
            relations::apply_create(self.conn, &self.schema, relation).await?;
            self.refresh().await?;
        }
        Ok(())
    }

    async fn refresh(&mut self) -> Result<()> {
        self.schema = schema::load(self.conn).await?;
        Ok(())
    }
}

fn missing(name: &str) -> Error {
    Error::payload(format!("the difference changes `{}`, which isn't there", clip(name))).with_field("diff")
}

/// The value with the changes made.
fn changed(now: &Value, changes: &[Value]) -> Result<Value> {
    let mut value = now.clone();
    for change in changes {
        let bad = || Error::payload("a change must have a `path` of names, and be of kind `N`, `E` or `D`").with_field("diff");
        let path = change["path"].as_array().ok_or_else(bad)?;
        let names = path.iter().map(|name| name.as_str().ok_or_else(bad)).collect::<Result<Vec<_>>>()?;
        let (last, parents) = names.split_last().ok_or_else(bad)?;
        let mut at = &mut value;
        for name in parents {
            at = at.get_mut(*name).ok_or_else(bad)?;
        }
        let members = at.as_object_mut().ok_or_else(bad)?;
        match change["kind"].as_str() {
            Some("N" | "E") => drop(members.insert((*last).to_owned(), change.get("rhs").cloned().ok_or_else(bad)?)),
            Some("D") => drop(members.shift_remove(*last)),
            _ => return Err(bad()),
        }
    }
    Ok(value)
}
