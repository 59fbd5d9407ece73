//! The job of a write: the statements of all its levels and its outbox rows, run as one by the database.
//!
//! `plan` says what is to happen, row by row; here rows that can share a statement do, and keys that the database makes find their way into
//! the rows that refer to them.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::branches::kept_key;
use super::event::{Actions, add_keys, add_parent};
use super::rules::Check;
use super::{ItemsService, not_found, veil};
use crate::db::{Collection, Conn, Filter, Sql, ddl, rows, sql};
use crate::error::{Error, Result};
use crate::hooks::ItemsEvent;
use crate::hooks::dispatcher::Nursery;
use crate::services::Item;
use crate::services::changes::{self, Kind};
use crate::services::owed::{Origin, Owed, Owing};

/// One row, or several that change alike, and whom that is owed to.
pub(super) struct Step {
    pub event: ItemsEvent,
    pub collection: Arc<Collection>,
    /// Statements of a lower stage run first: a row comes after what it refers to.
    pub stage: i32,
    /// The keys that it must touch; an insert learns its key from the database.
    pub keys: Vec<Value>,
    /// What is written.
    pub row: Item,
    /// Fields that get the key of another step's row, which has a lower stage.
    pub links: Vec<(String, usize)>,
    /// What `meta.payload` says: as written, with concealed values masked.
    pub payload: Value,
    /// The items that may be touched.
    pub rule: Option<Arc<Filter>>,
    /// Which of the checks its row must pass.
    pub check: Option<usize>,
    /// The collection and field of the item that its own is nested in.
    pub parent: Option<Parent>,
}

/// The collection and the field above a nested item.
pub(super) type Parent = (String, String);

impl Step {
    /// Whether the caller named it, and gets to see its rows.
    pub fn is_root(&self) -> bool {
        self.parent.is_none()
    }

    fn pk(&self) -> &str {
        &self.collection.primary_key().name
    }

    /// Its keys once it has run; `None` where the database makes them. `known` are those of the steps before.
    fn keys_after(&self, known: &[Vec<Value>]) -> Option<Vec<Value>> {
        let linked = || self.links.iter().find(|(field, _)| field == self.pk()).and_then(|(_, step)| known.get(*step)?.first().cloned());
        let key = self.row.get(self.pk()).filter(|key| !key.is_null()).cloned().or_else(linked);
        match (self.event, key) {
            (ItemsEvent::Create, key) => key.map(|key| vec![key]),
            (ItemsEvent::Update, Some(key)) => Some(vec![key]),
            _ => Some(self.keys.clone()),
        }
    }

    fn columns(&self) -> Vec<&str> {
        let mut columns: Vec<&str> =
            self.row.keys().map(String::as_str).chain(self.links.iter().map(|(field, _)| field.as_str())).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// What is written, with the keys of other steps' rows.
    fn whole_row(&self, keys: &[Vec<Value>]) -> Result<Cow<'_, Item>> {
        if self.links.is_empty() {
            return Ok(Cow::Borrowed(&self.row));
        }
        let mut row = self.row.clone();
        for (field, step) in &self.links {
            let key = keys.get(*step).and_then(|keys| keys.first());
            let key = key.cloned().ok_or_else(|| Error::internal("a row refers to one that isn't written yet"))?;
            row.insert(field.clone(), kept_key(&self.collection, field, key));
        }
        Ok(Cow::Owned(row))
    }
}

/// Everything that a write does.
#[derive(Default)]
pub(super) struct Plan {
    pub steps: Vec<Step>,
    pub checks: Vec<Check>,
}

/// What a job did: per root step the rows as they are now, the keys of every step, and everything that is owed for it.
#[derive(Default)]
struct Done {
    rows: Vec<Vec<Item>>,
    keys: Vec<Vec<Value>>,
    owed: Owed,
}

/// Steps that are one statement.
struct Group {
    steps: Vec<usize>,
    /// Keys that are in it already.
    keys: HashSet<String>,
    /// All change alike.
    same: bool,
    /// Where it can be built before the job.
    sql: Option<Sql>,
}

struct Change {
    plan: Plan,
    /// In the order of their stages.
    groups: Vec<Group>,
    actions: HashMap<(String, ItemsEvent), (Actions, Origin)>,
    now: chrono::DateTime<chrono::Utc>,
    nursery: Nursery,
    /// What this job changes of that which hosts keep in memory, and says itself.
    noted: BTreeSet<Kind>,
}

impl Plan {
    /// The steps, sorted into statements.
    fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut open: HashMap<(i32, &str, ItemsEvent, Vec<&str>, bool), usize> = HashMap::new();
        for (at, step) in self.steps.iter().enumerate() {
            let columns = step.columns();
            let most = rows::at_once(columns.len() + 1);
            let is_explicit = columns.contains(&step.pk());
            // The database must be able to say which row is which.
            let alone =
                step.event == ItemsEvent::Create && (columns.is_empty() || !(is_explicit || step.collection.primary_key().auto_increment));
            let place = (step.stage, step.collection.name.as_str(), step.event, columns, step.is_root());
            let fits = |group: &Group| {
                let first = &self.steps[group.steps[0]];
                let alike = first.row == step.row && first.links == step.links;
                let singly = step.keys.len() == 1 && group.steps.iter().all(|other| self.steps[*other].keys.len() == 1);
                match step.event {
                    ItemsEvent::Create => group.steps.len() < most,
                    ItemsEvent::Update => {
                        let together =
                            (group.same && alike && !is_explicit) || (singly && group.steps.len() < most && !step.row.is_empty());
                        together && step.keys.iter().all(|key| !group.keys.contains(&key.to_string()))
                    }
                    _ => step.keys.iter().all(|key| !group.keys.contains(&key.to_string())),
                }
            };
            let keys = step.keys.iter().map(Value::to_string);
            match open.get(&place).copied().filter(|group| !alone && fits(&groups[*group])) {
                Some(group) => {
                    let first = &self.steps[groups[group].steps[0]];
                    groups[group].same &= first.row == step.row && first.links == step.links;
                    groups[group].keys.extend(keys);
                    groups[group].steps.push(at);
                }
                None => {
                    if step.event == ItemsEvent::Create {
                        // Keys that the database counts follow the order in which the rows were sent: later rows don't go back to an earlier statement.
                        open.retain(|other, _| (other.0, other.1, other.2) != (place.0, place.1, place.2));
                    }
                    open.insert(place, groups.len());
                    groups.push(Group { steps: vec![at], keys: keys.collect(), same: true, sql: None });
                }
            }
        }
        groups.sort_by_key(|group| self.steps[group.steps[0]].stage);
        groups
    }
}

impl Change {
    fn first(&self, group: &Group) -> &Step {
        &self.plan.steps[group.steps[0]]
    }

    /// The fields that a group's statement answers.
    fn answered(&self, group: &Group) -> Vec<&str> {
        let first = self.first(group);
        if first.is_root() { first.collection.fields.iter().map(|f| f.name.as_str()).collect() } else { vec![first.pk()] }
    }

    fn build(&self, dialect: crate::db::Dialect, group: &Group, keys: &[Vec<Value>]) -> Result<Sql> {
        let (first, answered) = (self.first(group), self.answered(group));
        let steps = || group.steps.iter().map(|at| &self.plan.steps[*at]);
        let all_keys = || steps().flat_map(|step| step.keys.iter().cloned()).collect::<Vec<_>>();
        let (collection, rule) = (&first.collection, first.rule.as_deref());
        match first.event {
            ItemsEvent::Create if group.steps.len() == 1 => sql::insert(dialect, collection, &*first.whole_row(keys)?, &answered),
            ItemsEvent::Create => {
                let written = steps().map(|step| step.whole_row(keys)).collect::<Result<Vec<_>>>()?;
                rows::insert_many(dialect, collection, &written.iter().map(|row| &**row).collect::<Vec<_>>(), &answered)
            }
            ItemsEvent::Update if group.same => {
                sql::update_by_keys(dialect, collection, &all_keys(), rule, &*first.whole_row(keys)?, &answered)
            }
            ItemsEvent::Update => {
                let written = steps().map(|step| Ok((&step.keys[0], step.whole_row(keys)?))).collect::<Result<Vec<_>>>()?;
                let written: Vec<(&Value, &Item)> = written.iter().map(|(key, row)| (*key, &**row)).collect();
                rows::update_each(dialect, collection, &written, rule, &answered)
            }
            _ => sql::delete_by_keys(dialect, collection, &all_keys(), rule, &answered),
        }
    }

    async fn run(&self, conn: &mut Conn<'_>) -> Result<Done> {
        let steps = &self.plan.steps;
        let mut done = Done { keys: vec![Vec::new(); steps.len()], ..Done::default() };
        let mut shown: HashMap<usize, Vec<Item>> = HashMap::new();
        for group in &self.groups {
            let built;
            let sql = match &group.sql {
                Some(sql) => sql,
                None => {
                    built = self.build(conn.dialect(), group, &done.keys)?;
                    &built
                }
            };
            let (names, collection) = (self.answered(group), &self.first(group).collection);
            let rows = conn.select(sql, &sql::types(collection, &names)?).await?;
            let rows: Vec<Item> = rows.into_iter().map(|row| super::object(names.iter().copied(), row)).collect();
            for (at, rows) in self.told_apart(group, rows, &done.keys)? {
                done.keys[at] = rows.iter().filter_map(|row| row.get(steps[at].pk()).cloned()).collect();
                if steps[at].is_root() {
                    shown.insert(at, rows);
                }
            }
            let explicit = group.steps.iter().map(|at| &steps[*at]).filter(|step| step.event == ItemsEvent::Create);
            let highest = explicit.filter_map(|step| step.row.get(step.pk())).max_by_key(|key| as_number(key));
            if let Some(key) = highest {
                ddl::after_explicit_key(conn, collection, key).await?;
            }
        }
        for (at, check) in self.plan.checks.iter().enumerate() {
            let written = steps.iter().zip(&done.keys).filter(|(step, _)| step.check == Some(at));
            check.run(conn, written.flat_map(|(_, keys)| keys.iter().cloned()).collect()).await?;
        }
        done.owed = self.owe(conn, &done.keys).await?;
        done.rows =
            steps.iter().enumerate().filter(|(_, step)| step.is_root()).map(|(at, _)| shown.remove(&at).unwrap_or_default()).collect();
        for kind in &self.noted {
            changes::note(conn, *kind).await?;
        }
        Ok(done)
    }

    /// Which rows belong to which step, in the order of the keys that were asked for: the database answers them in any.
    fn told_apart(&self, group: &Group, mut rows: Vec<Item>, known: &[Vec<Value>]) -> Result<Vec<(usize, Vec<Item>)>> {
        let (first, steps) = (self.first(group), &self.plan.steps);
        let pk = first.pk();
        let is_made = first.event == ItemsEvent::Create;
        if first.keys_after(known).is_none() {
            if rows.len() != group.steps.len() {
                return Err(Error::internal("an insert answered another number of rows than it made"));
            }
            // The database counts up as it goes through the rows.
            rows.sort_by_key(|row| row.get(pk).map(as_number));
            return Ok(group.steps.iter().copied().zip(rows.into_iter().map(|row| vec![row])).collect());
        }
        let mut by_key: HashMap<String, Item> =
            rows.into_iter().map(|row| (row.get(pk).map(Value::to_string).unwrap_or_default(), row)).collect();
        let mut told = Vec::with_capacity(group.steps.len());
        for at in &group.steps {
            let step = &steps[*at];
            let keys = step.keys_after(known).unwrap_or_default();
            let rows: Vec<Item> = keys.iter().filter_map(|key| by_key.remove(&key.to_string())).collect();
            if rows.len() != keys.len() {
                return Err(if is_made {
                    Error::internal("an insert didn't answer its key")
                } else {
                    not_found(&step.collection, &step.keys)
                });
            }
            told.push((*at, rows));
        }
        Ok(told)
    }

    async fn owe(&self, conn: &mut Conn<'_>, keys: &[Vec<Value>]) -> Result<Owed> {
        let mut owing = Owing::new(self.now, &self.nursery);
        for (step, keys) in self.plan.steps.iter().zip(keys) {
            let Some((actions, origin)) = self.actions.get(&(step.collection.name.clone(), step.event)) else { continue };
            if actions.durable.is_empty() {
                continue;
            }
            let keys = told_keys(step, keys);
            let meta = meta(step, keys);
            // A key that the database made is new; one that somebody chose may have been there before.
            let is_new = step.event == ItemsEvent::Create && !step.columns().contains(&step.pk());
            for hook in &actions.durable {
                let delivery = origin.delivery(hook, step.event.qualified(&step.collection.name), &meta, keys);
                owing.add(conn, delivery, None, is_new).await?;
            }
        }
        Ok(owing.owed)
    }
}

/// A number to sort keys by that the database counts.
fn as_number(key: &Value) -> i64 {
    key.as_i64().or_else(|| key.as_str()?.parse().ok()).unwrap_or_default()
}

/// The keys that hooks are told: those that were asked for.
fn told_keys<'k>(step: &'k Step, keys: &'k [Value]) -> &'k [Value] {
    if step.event == ItemsEvent::Create { keys } else { &step.keys }
}

/// `meta` of the action hooks of a step.
fn meta(step: &Step, keys: &[Value]) -> Item {
    let mut meta = Item::new();
    meta.insert("event".to_owned(), json!(step.event.qualified(&step.collection.name)));
    meta.insert("collection".to_owned(), json!(step.collection.name));
    meta.insert("payload".to_owned(), step.payload.clone());
    add_keys(&mut meta, keys);
    add_parent(&mut meta, step.parent.as_ref());
    meta
}

impl ItemsService<'_> {
    /// Runs a plan as one job and remembers what follows the commit. Answers, per root step, the rows as they are now, masked.
    pub(super) async fn apply(&self, plan: Plan) -> Result<Vec<Vec<Item>>> {
        let (ctx, dialect) = (self.ctx, self.ctx.core.db.dialect());
        if plan.steps.is_empty() {
            return Ok(Vec::new());
        }
        let mut actions: HashMap<(String, ItemsEvent), (Actions, Origin)> = HashMap::new();
        for step in &plan.steps {
            let name = &step.collection.name;
            actions
                .entry((name.clone(), step.event))
                .or_insert_with(|| (ItemsService::new(ctx, name).actions(step.event), Origin::new(ctx, name)));
        }
        let owed = actions.values().flat_map(|(actions, _)| &actions.durable).map(|hook| hook.extension.as_str());
        let nursery = ctx.core.dispatcher.nursery(owed);
        let kinds: BTreeSet<Kind> = plan.steps.iter().filter_map(|step| super::kept_in_memory(&step.collection.name)).collect();
        // Before the write: should the operation be cut off while it commits, forgetting too early is the safe mistake.
        ctx.op.after().changed.extend(kinds.iter().copied());
        // Where a transaction lasts beyond this job, its commit says so.
        let noted = if ctx.joins() || ctx.op.is_tx_open() { BTreeSet::new() } else { kinds };
        let mut change = Change { groups: plan.groups(), plan, actions, now: ctx.core.clock.now(), nursery, noted };
        for at in 0..change.groups.len() {
            let group = &change.groups[at];
            if group.steps.iter().all(|step| change.plan.steps[*step].links.is_empty()) {
                change.groups[at].sql = Some(change.build(dialect, group, &[])?);
            }
        }
        let change = Arc::new(change);
        let job = Arc::clone(&change);
        let done = ctx
            .write(move |conn| {
                let job = Arc::clone(&job);
                Box::pin(async move { job.run(conn).await })
            })
            .await?;
        let mut after = ctx.op.after();
        done.owed.note(&mut after);
        for (step, keys) in change.plan.steps.iter().zip(&done.keys) {
            let Some((actions, _)) = change.actions.get(&(step.collection.name.clone(), step.event)) else { continue };
            if !actions.best_effort.is_empty() {
                let meta = meta(step, told_keys(step, keys));
                after.best_effort.extend(actions.best_effort.iter().map(|hook| (Arc::clone(hook), ctx.clone(), meta.clone())));
            }
        }
        drop(after);
        let mut rows = done.rows;
        for (step, rows) in change.plan.steps.iter().filter(|step| step.is_root()).zip(&mut rows) {
            rows.iter_mut().for_each(|row| veil::mask(&step.collection, row));
        }
        Ok(rows)
    }
}
