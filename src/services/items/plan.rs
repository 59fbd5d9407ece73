//! From what a caller asks for to the steps of one job, level by level.
//!
//! First the caller's whole input is held against their rights, at all levels, with the rows that it names looked up: no JavaScript has run
//! when that is refused. Then, from the outside in, each row goes through its filter hooks, gets presets and special fields, and is taken
//! apart into its own columns and the rows that hang on it, which are the next level. Looking up takes a statement per level and collection,
//! never one per row.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};

use super::branches::{Branch, MAX_LEVELS, Nested, Wish, kept_key, split};
use super::change::{Parent, Plan, Step};
use super::event::{add_keys, add_parent};
use super::lookup::Known;
use super::rules::{Rules, distinct};
use super::special::{self, Occasion};
use super::{ItemsService, not_found, parse_key};
use crate::auth::Action;
use crate::db::Deselect;
use crate::db::{Collection, Filter, Link};
use crate::error::{Error, ErrorCode, Result};
use crate::hooks::ItemsEvent;
use crate::services::access::{check_complete, check_input, check_not_emptied, check_values};
use crate::services::runner::{Meta, Previous};
use crate::services::{Ctx, Item};

/// Rows of one write, with all its levels: its transaction must end in time.
const MAX_ROWS: usize = 50_000;

/// A row that is to be written.
pub(super) struct Draft {
    pub collection: Arc<Collection>,
    pub work: Work,
    pub place: Place,
}

/// What is to be done with it.
pub(super) enum Work {
    Create(Item),
    Update(Vec<Value>, Item),
    Delete(Vec<Value>),
}

/// Where it hangs.
#[derive(Default)]
pub(super) struct Place {
    stage: i32,
    /// The collection and the field above it; none for what the caller named itself.
    parent: Option<Parent>,
    /// The field that gets the key of the row above.
    back: Option<(String, Owner)>,
    /// The step above whose field gets the key of this one.
    gives: Option<(usize, String)>,
}

/// A row that others refer to.
#[derive(Clone)]
enum Owner {
    /// It gets its key in the job.
    Step(usize),
    Known(Value),
}

/// A step whose nested rows are still to be made.
struct Open {
    step: usize,
    owners: Vec<Owner>,
    branches: Vec<Branch>,
}

impl Draft {
    pub fn root(collection: &Arc<Collection>, work: Work) -> Self {
        Self { collection: Arc::clone(collection), work, place: Place::default() }
    }
}

impl Work {
    fn action(&self) -> Action {
        match self {
            Self::Create(_) => Action::Create,
            Self::Update(..) => Action::Update,
            Self::Delete(_) => Action::Delete,
        }
    }
}

fn event(action: Action) -> ItemsEvent {
    match action {
        Action::Create => ItemsEvent::Create,
        Action::Update => ItemsEvent::Update,
        _ => ItemsEvent::Delete,
    }
}

struct Planner<'a> {
    ctx: &'a Ctx,
    own_door: bool,
    known: Known<'a>,
    plan: Plan,
    /// By collection and action.
    rules: HashMap<(String, Action), Ruled>,
    /// By collection, action and what is written: the place among the plan's checks.
    checks: HashMap<(String, Action, BTreeSet<String>), Option<usize>>,
}

/// What permissions say about an action, and the items that it may touch.
type Ruled = (Rules, Option<Arc<Filter>>);

impl ItemsService<'_> {
    /// Checks, filters and takes apart what is to be written.
    pub(super) async fn plan(&self, roots: Vec<Draft>) -> Result<Plan> {
        let mut planner = Planner {
            ctx: self.ctx,
            own_door: self.own_door,
            known: Known::new(self.ctx),
            plan: Plan::default(),
            rules: HashMap::new(),
            checks: HashMap::new(),
        };
        planner.check_callers(&roots).await?;
        let mut level = roots;
        for _ in 0..=MAX_LEVELS {
            let mut open = Vec::new();
            for draft in level {
                open.extend(planner.step(draft).await?);
            }
            let mut named = Vec::new();
            for Open { owners, branches, .. } in &open {
                named.extend(branches.iter().map(|branch| (branch, owners.iter().filter_map(Owner::key).cloned().collect())));
            }
            planner.known.look_up(named).await?;
            level = planner.hanging(open)?;
            if level.is_empty() {
                return Ok(planner.plan);
            }
        }
        Err(too_deep())
    }
}

impl Owner {
    fn key(&self) -> Option<&Value> {
        match self {
            Self::Step(_) => None,
            Self::Known(key) => Some(key),
        }
    }
}

fn too_deep() -> Error {
    Error::payload(format!("Items are nested in items more than {MAX_LEVELS} levels deep"))
}

impl<'a> Planner<'a> {
    fn items<'c>(&self, collection: &'c Collection) -> ItemsService<'c>
    where
        'a: 'c,
    {
        ItemsService { ctx: self.ctx, name: &collection.name, own_door: self.own_door }
    }

    /// The caller's own words: 403, 404 and 400 before any JavaScript runs.
    async fn check_callers(&mut self, roots: &[Draft]) -> Result<()> {
        for draft in roots {
            if let Work::Create(item) | Work::Update(_, item) = &draft.work {
                self.known.name_all(&draft.collection, item, 0)?;
            }
            if let Work::Update(keys, _) | Work::Delete(keys) = &draft.work {
                let is_heard = self.items(&draft.collection).has_filters(event(draft.work.action()));
                if is_heard || self.known.has_names() {
                    self.known.name(&draft.collection.name, draft.work.action(), keys.iter().cloned());
                }
            }
        }
        self.known.look_up_named().await?;
        for draft in roots {
            let action = draft.work.action();
            match &draft.work {
                Work::Create(item) => self.check(&draft.collection, action, item, None, 0)?,
                Work::Update(keys, item) => {
                    self.check(&draft.collection, action, item, None, 0)?;
                    self.check_there(&draft.collection, action, keys)?;
                }
                Work::Delete(keys) => {
                    self.ctx.granted(action, &draft.collection)?;
                    self.check_there(&draft.collection, action, keys)?;
                }
            }
        }
        Ok(())
    }

    /// 404 for keys that were looked up in vain.
    fn check_there(&self, collection: &Collection, action: Action, keys: &[Value]) -> Result<()> {
        let missing = keys.iter().any(|key| self.known.may(&collection.name, action, key) == Some(false));
        if missing { Err(not_found(collection, keys)) } else { Ok(()) }
    }

    fn check(&self, collection: &Arc<Collection>, action: Action, item: &Item, back: Option<&str>, levels: usize) -> Result<()> {
        if levels > MAX_LEVELS {
            return Err(too_deep());
        }
        let granted = self.ctx.granted(action, collection)?;
        let taken = split(&self.ctx.op.schema, collection, item.clone())?;
        let hanging = taken.nested.iter().map(|branch| branch.field.as_str());
        if let Some(field) = hanging.chain(back).find(|field| !granted.has(field)) {
            return Err(Error::forbidden(format!("You may not set `{field}` in `{}`", collection.name)).with_field(field));
        }
        check_input(collection, self.ctx.core.db.dialect(), granted, &taken.own)?;
        for branch in &taken.nested {
            let target = self.target(branch)?;
            let (rows, goes) = match &branch.asked {
                Nested::One(row) => (vec![Wish::Row(row.clone())], false),
                Nested::Many { whole, rows, gone } => (rows.clone(), (*whole && action == Action::Update) || !gone.is_empty()),
            };
            for wish in rows {
                let work = self.work(&target, wish)?;
                let action = work.action();
                self.may(&target, action)?;
                match work {
                    Work::Create(item) => self.check(&target, action, &item, branch.back(), levels + 1)?,
                    Work::Update(keys, item) => {
                        self.check_there(&target, action, &keys)?;
                        // An item that is only referred to isn't changed.
                        if !(item.is_empty() && branch.back().is_none()) {
                            self.check(&target, action, &item, branch.back(), levels + 1)?;
                        }
                    }
                    Work::Delete(_) => {}
                }
            }
            if goes && branch.deselect() == Deselect::Delete {
                self.may(&target, Action::Delete)?;
            } else if goes && let Some(back) = branch.back() {
                self.may(&target, Action::Update)?;
                if !self.ctx.granted(Action::Update, &target)?.has(back) {
                    return Err(Error::forbidden(format!("You may not set `{back}` in `{}`", target.name)).with_field(back));
                }
            }
        }
        Ok(())
    }

    /// Whether the caller, and the code that calls, may do that at a nested level.
    fn may(&self, target: &Collection, action: Action) -> Result<()> {
        self.ctx.reaches(&target.name, action)?;
        ItemsService::new(self.ctx, &target.name).collection(action)?;
        self.ctx.granted(action, target).map(drop)
    }

    fn target(&self, branch: &Branch) -> Result<Arc<Collection>> {
        let target = self.ctx.op.schema.collection(&branch.collection);
        target.cloned().ok_or_else(|| Error::internal(format!("{} leads to a collection that isn't there", branch.field)))
    }

    /// What a wish comes to: an item is changed where its key is there already.
    fn work(&self, target: &Collection, wish: Wish) -> Result<Work> {
        let pk = &target.primary_key().name;
        Ok(match wish {
            Wish::Key(key) => Work::Update(vec![parse_key(target, &key)?], Item::new()),
            Wish::Change(key, row) => Work::Update(vec![parse_key(target, &key)?], row),
            Wish::Row(mut row) => match row.get(pk).filter(|key| !key.is_null()) {
                Some(key) => {
                    let key = parse_key(target, key)?;
                    if self.known.is_there(&target.name, &key) {
                        row.shift_remove(pk);
                        Work::Update(vec![key], row)
                    } else {
                        Work::Create(row)
                    }
                }
                None => Work::Create(row),
            },
        })
    }

    /// Makes a step of a draft: filters, presets, special fields, checks. Answers what hangs on it.
    async fn step(&mut self, draft: Draft) -> Result<Option<Open>> {
        if self.plan.steps.len() >= MAX_ROWS {
            let message =
                format!("One write makes and changes at most {MAX_ROWS} items, with all that are nested in them: send them in parts");
            return Err(Error::new(ErrorCode::QueryTooLarge, message));
        }
        let Draft { collection, work, place } = draft;
        let action = work.action();
        let event = event(action);
        let items = self.items(&collection);
        let rule = self.rules_of(&collection, action).await?;
        let mut json = items.meta(event, None);
        add_parent(&mut json, place.parent.as_ref());
        let (keys, mut item) = match work {
            Work::Create(item) => (Vec::new(), item),
            Work::Update(keys, item) => (keys, item),
            Work::Delete(keys) => {
                let mut kept = keys.clone();
                if items.has_filters(event) {
                    add_keys(&mut json, &keys);
                    let previous = Some(Previous { collection: collection.name.clone(), keys: keys.as_slice().into() });
                    let answer = items.filter(&collection, event, Meta { json, previous }, Value::Array(keys)).await?;
                    kept = distinct(&collection, answer.as_array().cloned().unwrap_or_default())?;
                }
                if kept.is_empty() {
                    return Ok(None);
                }
                let payload = json!(kept);
                self.plan.steps.push(Step {
                    event,
                    stage: place.stage,
                    keys: kept,
                    row: Item::new(),
                    links: Vec::new(),
                    payload,
                    rule,
                    check: None,
                    parent: place.parent,
                    collection,
                });
                return Ok(None);
            }
        };
        let mut previous = None;
        if action == Action::Update {
            add_keys(&mut json, &keys);
            previous = Some(Previous { collection: collection.name.clone(), keys: keys.as_slice().into() });
        }
        let mut links = Vec::new();
        match &place.back {
            Some((field, Owner::Known(key))) => drop(item.insert(field.clone(), key.clone())),
            Some((field, Owner::Step(step))) => {
                item.shift_remove(field);
                links.push((field.clone(), *step));
            }
            None => {}
        }
        let (mut item, payload) = items.filter_row(&collection, event, Meta { json, previous }, item).await?;
        self.preset(&collection, action, &mut item, links.first().map(|(field, _)| field.as_str())).await?;
        let taken = split(&self.ctx.op.schema, &collection, item)?;
        let mut row = self.finish(&collection, action, taken.own, &keys, &taken.nested, &links).await?;
        if let Some((field, _)) = links.first() {
            row.shift_remove(field);
        }
        let mut written: BTreeSet<String> = row.keys().cloned().collect();
        written.extend(links.iter().map(|(field, _)| field.clone()));
        written.extend(taken.nested.iter().map(|branch| branch.field.clone()).filter(|field| collection.field(field).is_some()));
        let check = self.check_of(&collection, action, written);
        let step = self.plan.steps.len();
        if let Some((above, field)) = place.gives {
            self.plan.steps[above].links.push((field, step));
        }
        let changed_key = row.get(&collection.primary_key().name).filter(|key| !key.is_null()).cloned();
        let owners = match (action, changed_key) {
            (Action::Create, _) => vec![Owner::Step(step)],
            (_, Some(key)) => vec![Owner::Known(key)],
            (_, None) => keys.iter().cloned().map(Owner::Known).collect(),
        };
        self.plan.steps.push(Step { event, stage: place.stage, keys, row, links, payload, rule, check, parent: place.parent, collection });
        Ok((!taken.nested.is_empty()).then_some(Open { step, owners, branches: taken.nested }))
    }

    /// Puts what the caller's permissions preset where nothing is said.
    async fn preset(&self, collection: &Collection, action: Action, item: &mut Item, linked: Option<&str>) -> Result<()> {
        if self.ctx.is_free() {
            return Ok(());
        }
        for (field, value) in &self.ctx.united(action, collection)?.presets {
            let is_known = collection.field(field).is_some() || collection.alias(field).is_some();
            if is_known && !item.contains_key(field) && linked != Some(field.as_str()) {
                item.insert(field.clone(), self.ctx.preset_value(value).await?);
            }
        }
        Ok(())
    }

    /// The columns of a row as they are written: special fields filled in, values checked, what is needed there.
    async fn finish(
        &self,
        collection: &Collection,
        action: Action,
        mut row: Item,
        keys: &[Value],
        nested: &[Branch],
        links: &[(String, usize)],
    ) -> Result<Item> {
        let occasion = if action == Action::Create { Occasion::Create } else { Occasion::Update };
        special::fill(self.ctx, collection, occasion, keys, &mut row).await?;
        check_values(collection, self.ctx.core.db.dialect(), &row)?;
        let pk = &collection.primary_key().name;
        if action == Action::Create {
            // What refers to another row of this write has its value there.
            let hangs = |name: &str| links.iter().any(|(field, _)| field == name) || nested.iter().any(|branch| branch.field == name);
            check_complete(collection, &row, hangs)?;
            if row.get(pk).is_some_and(Value::is_null) {
                row.shift_remove(pk);
            }
        } else {
            check_not_emptied(collection, &row)?;
            if row.contains_key(pk) && keys.len() > 1 {
                let message = format!("`{pk}` in `{}` can be changed for one item at a time", collection.name);
                return Err(Error::payload(message).with_field(pk.clone()));
            }
        }
        if let Some(key) = row.get_mut(pk) {
            *key = parse_key(collection, key)?;
        }
        Ok(row)
    }

    /// The rows that hang on those of a level.
    fn hanging(&mut self, open: Vec<Open>) -> Result<Vec<Draft>> {
        let mut next = Vec::new();
        for Open { step, owners, branches } in open {
            let stage = self.plan.steps[step].stage;
            let above = self.plan.steps[step].collection.name.clone();
            for branch in branches {
                let target = self.target(&branch)?;
                let place = |stage| Place { stage, parent: Some((above.clone(), branch.field.clone())), ..Place::default() };
                match (&branch.asked, branch.back()) {
                    (Nested::One(row), _) => {
                        let work = self.work(&target, Wish::Row(row.clone()))?;
                        let mut place = place(stage - 1);
                        match &work {
                            Work::Update(keys, item) => {
                                let key = keys.first().cloned().unwrap_or_default();
                                let key = kept_key(&self.plan.steps[step].collection, &branch.field, key);
                                self.plan.steps[step].row.insert(branch.field.clone(), key);
                                if item.is_empty() {
                                    continue;
                                }
                                self.check_there(&target, Action::Update, keys)?;
                            }
                            _ => place.gives = Some((step, branch.field.clone())),
                        }
                        self.may(&target, work.action())?;
                        next.push(Draft { collection: Arc::clone(&target), work, place });
                    }
                    (Nested::Many { whole, rows, gone }, Some(back)) => {
                        for owner in &owners {
                            let listed = self.list(&target, &branch, owner, rows, *whole, &mut |work| {
                                next.push(Draft {
                                    collection: Arc::clone(&target),
                                    work,
                                    place: Place { back: Some((back.to_owned(), owner.clone())), ..place(stage + 1) },
                                });
                            })?;
                            let Some(key) = owner.key() else { continue };
                            let gone = gone.iter().map(|key| parse_key(&target, key)).collect::<Result<Vec<_>>>()?;
                            let leaves = |child: &Value| if *whole { !listed.contains(&child.to_string()) } else { gone.contains(child) };
                            let leaving: Vec<Value> = self.known.children(&branch, key).filter(|child| leaves(child)).cloned().collect();
                            if leaving.is_empty() {
                                continue;
                            }
                            let work = match branch.deselect() {
                                Deselect::Delete => Work::Delete(leaving),
                                Deselect::Nullify => Work::Update(leaving, Item::from_iter([(back.to_owned(), Value::Null)])),
                            };
                            self.may(&target, work.action())?;
                            next.push(Draft { collection: Arc::clone(&target), work, place: place(stage + 1) });
                        }
                    }
                    (Nested::Many { .. }, None) => return Err(Error::internal("a list hangs on a field that holds one item")),
                }
            }
        }
        Ok(next)
    }

    /// The items of one list, as work. Answers the keys of those that are named.
    fn list(
        &self,
        target: &Arc<Collection>,
        branch: &Branch,
        owner: &Owner,
        rows: &[Wish],
        whole: bool,
        add: &mut dyn FnMut(Work),
    ) -> Result<BTreeSet<String>> {
        let sort = match &branch.link {
            Link::OneToMany(relation) => relation.sort_field.as_deref().filter(|field| target.field(field).is_some()),
            _ => None,
        };
        // What joins a list stands behind what is in it.
        let behind = owner.key().filter(|_| !whole).map_or(0, |owner| self.known.last(branch, owner));
        let mut listed = BTreeSet::new();
        for (at, wish) in rows.iter().enumerate() {
            let is_key = matches!(wish, Wish::Key(_));
            let mut work = self.work(target, wish.clone())?;
            if let Work::Update(keys, _) = &work {
                listed.extend(keys.iter().map(Value::to_string));
                let is_in = owner.key().is_some_and(|owner| self.known.is_child(branch, owner, &keys[0]));
                if is_key && is_in {
                    continue;
                }
                self.check_there(target, Action::Update, keys)?;
            }
            if let (Work::Create(item), Some(sort)) = (&mut work, sort) {
                item.entry(sort).or_insert_with(|| json!(behind.saturating_add_unsigned(at as u64 + 1)));
            }
            self.may(target, work.action())?;
            add(work);
        }
        Ok(listed)
    }

    /// The filter for statements of `action`; the rules for what comes of it are kept for [`Planner::check_of`].
    async fn rules_of(&mut self, collection: &Arc<Collection>, action: Action) -> Result<Option<Arc<Filter>>> {
        let place = (collection.name.clone(), action);
        if let Some((_, rule)) = self.rules.get(&place) {
            return Ok(rule.clone());
        }
        self.ctx.granted(action, collection)?;
        let rules = if action == Action::Delete { Rules::default() } else { Rules::of(self.ctx, collection, action).await? };
        let rule = if action == Action::Create { None } else { self.ctx.row_rule(action, collection).await?.map(Arc::new) };
        self.rules.insert(place, (rules, rule.clone()));
        Ok(rule)
    }

    fn check_of(&mut self, collection: &Arc<Collection>, action: Action, written: BTreeSet<String>) -> Option<usize> {
        let place = (collection.name.clone(), action, written);
        if let Some(known) = self.checks.get(&place) {
            return *known;
        }
        let (rules, _) = self.rules.get(&(place.0.clone(), action))?;
        let at = rules.check(collection, &place.2).map(|check| {
            self.plan.checks.push(check);
            self.plan.checks.len() - 1
        });
        self.checks.insert(place, at);
        at
    }
}
