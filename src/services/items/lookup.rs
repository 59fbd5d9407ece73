//! The rows that a nested write names, looked up before it: which are there, which the caller may touch, which are in a list already.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::branches::{Branch, MAX_LEVELS, Nested, Wish, split};
use super::parse_key;
use crate::auth::Action;
use crate::db::Deselect;
use crate::db::aggregate::aggregate;
use crate::db::{Aggregate, Collection, FieldType, Filter, Link, Op, Operand, Query, Sql, rows, sql};
use crate::error::{Error, ErrorCode, Result};
use crate::services::{Ctx, Item};

/// Rows of the lists that one write replaces.
const MAX_CHILDREN: usize = 100_000;

/// What was looked up.
pub(super) struct Known<'a> {
    ctx: &'a Ctx,
    /// By collection: keys, as text, that are still to be looked up, and what for.
    named: BTreeMap<String, HashMap<String, (Value, HashSet<Action>)>>,
    /// By collection and key: the actions that were asked for and whether they may be done; `None` for what isn't there.
    seen: HashMap<(String, String), Option<HashMap<Action, bool>>>,
    /// By the far collection, its field and the owner's key: the highest place that an item has in the list.
    places: HashMap<(String, String, String), i64>,
    /// By the far collection, its field and the owner's key: the items that refer to it, and whether they may be taken away.
    lists: HashMap<(String, String, String), Listed>,
}

/// The items of a list by their key as text: the key, and whether they may be taken away.
type Listed = BTreeMap<String, (Value, bool)>;
/// A list that is changed, and the keys of the items that it hangs on, by their text.
type Owned<'b> = (&'b Branch, HashMap<String, Value>);

impl<'a> Known<'a> {
    pub fn new(ctx: &'a Ctx) -> Self {
        Self { ctx, named: BTreeMap::new(), seen: HashMap::new(), places: HashMap::new(), lists: HashMap::new() }
    }

    /// Whether anything is still to be looked up.
    pub fn has_names(&self) -> bool {
        !self.named.is_empty()
    }

    /// Asks for keys, which are as the collection keeps them.
    pub fn name(&mut self, collection: &str, action: Action, keys: impl Iterator<Item = Value>) {
        for key in keys {
            let text = key.to_string();
            let is_known = match self.seen.get(&(collection.to_owned(), text.clone())) {
                Some(None) => true,
                Some(Some(actions)) => actions.contains_key(&action),
                None => false,
            };
            if !is_known {
                let named = self.named.entry(collection.to_owned()).or_default();
                named.entry(text).or_insert_with(|| (key, HashSet::new())).1.insert(action);
            }
        }
    }

    /// Asks for every key that stands inside an item, at all levels.
    pub fn name_all(&mut self, collection: &Collection, item: &Item, levels: usize) -> Result<()> {
        if levels > MAX_LEVELS || !item.values().any(|value| value.is_object() || value.is_array()) {
            return Ok(());
        }
        for branch in split(&self.ctx.op.schema, collection, item.clone())?.nested {
            self.name_branch(&branch)?;
            let Some(target) = self.ctx.op.schema.collection(&branch.collection).cloned() else { continue };
            for row in branch.rows() {
                self.name_all(&target, row, levels + 1)?;
            }
        }
        Ok(())
    }

    fn name_branch(&mut self, branch: &Branch) -> Result<()> {
        let Some(target) = self.ctx.op.schema.collection(&branch.collection).cloned() else { return Ok(()) };
        let pk = &target.primary_key().name;
        let keys = match &branch.asked {
            Nested::One(row) => row.get(pk).filter(|key| !key.is_null()).into_iter().collect::<Vec<_>>(),
            Nested::Many { rows, .. } => rows
                .iter()
                .filter_map(|wish| match wish {
                    Wish::Row(row) => row.get(pk).filter(|key| !key.is_null()),
                    Wish::Key(key) | Wish::Change(key, _) => Some(key),
                })
                .collect(),
        };
        let keys = keys.into_iter().map(|key| parse_key(&target, key)).collect::<Result<Vec<_>>>()?;
        self.name(&target.name, Action::Update, keys.into_iter());
        Ok(())
    }

    /// Looks up what these fields name, and the lists that they change; each comes with the keys of the items that it hangs on.
    pub async fn look_up(&mut self, branches: Vec<(&Branch, Vec<Value>)>) -> Result<()> {
        let mut lists: BTreeMap<(String, String), Owned<'_>> = BTreeMap::new();
        let mut joined: BTreeMap<(String, String), Owned<'_>> = BTreeMap::new();
        for (branch, owners) in branches {
            self.name_branch(branch)?;
            if let (Nested::Many { whole: false, rows, .. }, Some(back)) = (&branch.asked, branch.back())
                && rows.iter().any(|wish| matches!(wish, Wish::Row(_)))
            {
                let list = joined.entry((branch.collection.clone(), back.to_owned())).or_insert_with(|| (branch, HashMap::new()));
                list.1.extend(owners.iter().map(|key| (key.to_string(), key.clone())));
            }
            if let (Nested::Many { whole, gone, .. }, Some(back)) = (&branch.asked, branch.back())
                && (*whole || !gone.is_empty())
            {
                let list = lists.entry((branch.collection.clone(), back.to_owned())).or_insert_with(|| (branch, HashMap::new()));
                list.1.extend(owners.into_iter().map(|key| (key.to_string(), key)));
            }
        }
        self.look_up_named().await?;
        for (branch, owners) in joined.into_values() {
            self.look_up_places(branch, owners.into_values().collect()).await?;
        }
        for (branch, owners) in lists.into_values() {
            if !owners.is_empty() {
                self.look_up_list(branch, owners.into_values().collect()).await?;
            }
        }
        Ok(())
    }

    /// Looks up what was asked for: one statement per collection.
    pub async fn look_up_named(&mut self) -> Result<()> {
        for (name, named) in std::mem::take(&mut self.named) {
            let Some(collection) = self.ctx.op.schema.collection(&name).cloned() else { continue };
            let mut actions: Vec<Action> = named.values().flat_map(|(_, actions)| actions.iter().copied()).collect();
            actions.sort_by_key(|action| action.name());
            actions.dedup();
            let mut rules = Vec::with_capacity(actions.len());
            for action in &actions {
                // Who may not do it at all is told so by the check of rights.
                let rule = match self.ctx.granted(*action, &collection) {
                    Ok(_) => self.ctx.row_rule(*action, &collection).await?,
                    Err(_) => Some(Filter::Const(false)),
                };
                rules.push(rule.unwrap_or(Filter::Const(true)));
            }
            let keys: Vec<Value> = named.values().map(|(key, _)| key.clone()).collect();
            let sql = rows::look(self.ctx.core.db.dialect(), &collection, &keys, &rules)?;
            let mut types = vec![collection.primary_key().ty];
            types.resize(rules.len() + 1, FieldType::Boolean);
            for text in named.into_keys() {
                self.seen.entry((name.clone(), text)).or_insert(None);
            }
            for row in self.select(sql, types).await? {
                let may = actions.iter().copied().zip(row[1..].iter().map(|may| *may == true));
                let entry = self.seen.entry((name.clone(), row[0].to_string())).or_insert(None);
                entry.get_or_insert_default().extend(may);
            }
        }
        Ok(())
    }

    /// How far the lists reach that items are added to, where they have an order.
    async fn look_up_places(&mut self, branch: &Branch, mut owners: Vec<Value>) -> Result<()> {
        let Link::OneToMany(relation) = &branch.link else { return Ok(()) };
        let target = self.ctx.op.schema.collection(&branch.collection).cloned();
        let (Some(target), Some(sort)) = (target, relation.sort_field.as_deref()) else { return Ok(()) };
        let is_counted = target.field(sort).is_some_and(|field| matches!(field.ty, FieldType::Integer | FieldType::BigInteger));
        owners.retain(|owner| !self.places.contains_key(&place(branch, owner)));
        if !is_counted || owners.is_empty() {
            return Ok(());
        }
        let back = relation.field.as_str();
        let (by, wanted) = ([Operand::Field(back.to_owned())], [(Aggregate::Max, Some(sort.to_owned()))]);
        let query = Query { filter: Some(Filter::field(back, Op::In(owners))), ..Query::default() };
        let statement = aggregate(self.ctx.core.db.dialect(), &target, &by, &wanted, &[], &query)?;
        for row in self.select(statement, sql::types(&target, &[back, sort])?).await? {
            let highest = row[1].as_i64().or_else(|| row[1].as_str()?.parse().ok()).unwrap_or_default();
            self.places.insert(place(branch, &row[0]), highest.max(0));
        }
        Ok(())
    }

    async fn look_up_list(&mut self, branch: &Branch, owners: Vec<Value>) -> Result<()> {
        let (Some(back), Some(target)) = (branch.back(), self.ctx.op.schema.collection(&branch.collection).cloned()) else { return Ok(()) };
        let (dialect, pk) = (self.ctx.core.db.dialect(), target.primary_key());
        let fields = [pk.name.as_str(), back];
        for owner in &owners {
            self.lists.entry(place(branch, owner)).or_default();
        }
        let query = Query { filter: Some(Filter::field(back, Op::In(owners))), limit: Some(MAX_CHILDREN as u64 + 1), ..Query::default() };
        let statement = self.ctx.core.db.sql(&sql::select(dialect, &target, &fields, &query)?);
        let found = self.select(statement, sql::types(&target, &fields)?).await?;
        if found.len() > MAX_CHILDREN {
            let message = format!("`{}` lists more than {MAX_CHILDREN} items: use `{{create, update, delete}}`", branch.field);
            return Err(Error::new(ErrorCode::QueryTooLarge, message).with_field(branch.field.clone()));
        }
        // An item that the caller may not touch stays where it is, as if it weren't there.
        let action = if branch.deselect() == Deselect::Delete { Action::Delete } else { Action::Update };
        let rule = match self.ctx.granted(action, &target) {
            Ok(_) => self.ctx.row_rule(action, &target).await?,
            Err(_) => None,
        };
        let mut open: Option<HashSet<String>> = None;
        if let Some(rule) = rule {
            let keys: Vec<Value> = found.iter().map(|row| row[0].clone()).collect();
            let looked = self.select(rows::look(dialect, &target, &keys, &[rule])?, vec![pk.ty, FieldType::Boolean]).await?;
            open = Some(looked.into_iter().filter(|row| row[1] == true).map(|row| row[0].to_string()).collect());
        }
        for mut row in found {
            let (key, owner) = (row.swap_remove(0), row.swap_remove(0));
            let may = open.as_ref().is_none_or(|open| open.contains(&key.to_string()));
            self.lists.entry(place(branch, &owner)).or_default().insert(key.to_string(), (key, may));
        }
        Ok(())
    }

    async fn select(&self, sql: Sql, types: Vec<FieldType>) -> Result<Vec<Vec<Value>>> {
        let job = std::sync::Arc::new((sql, types));
        self.ctx
            .read(move |conn| {
                let job = std::sync::Arc::clone(&job);
                Box::pin(async move { conn.select(&job.0, &job.1).await })
            })
            .await
    }

    /// Whether an item is there; what was never asked for isn't.
    pub fn is_there(&self, collection: &str, key: &Value) -> bool {
        matches!(self.seen.get(&(collection.to_owned(), key.to_string())), Some(Some(_)))
    }

    /// Whether `action` may be done with an item; `None` where that wasn't asked for.
    pub fn may(&self, collection: &str, action: Action, key: &Value) -> Option<bool> {
        match self.seen.get(&(collection.to_owned(), key.to_string()))? {
            None => Some(false),
            Some(actions) => actions.get(&action).copied(),
        }
    }

    /// The highest place that an item has in a list; 0 where none has one.
    pub fn last(&self, branch: &Branch, owner: &Value) -> i64 {
        self.places.get(&place(branch, owner)).copied().unwrap_or_default()
    }

    /// Whether an item is in a list already.
    pub fn is_child(&self, branch: &Branch, owner: &Value, child: &Value) -> bool {
        self.lists.get(&place(branch, owner)).is_some_and(|list| list.contains_key(&child.to_string()))
    }

    /// The items of a list that the caller may take out of it.
    pub fn children(&self, branch: &Branch, owner: &Value) -> impl Iterator<Item = &Value> {
        self.lists.get(&place(branch, owner)).into_iter().flat_map(|list| list.values()).filter(|(_, may)| *may).map(|(key, _)| key)
    }
}

fn place(branch: &Branch, owner: &Value) -> (String, String, String) {
    (branch.collection.clone(), branch.back().unwrap_or_default().to_owned(), owner.to_string())
}
