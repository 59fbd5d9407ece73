//! Users and their rights, looked up once and kept until something that decides them changes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::accountability::User;
use super::grants::{Action, Permission};
use super::policies::{Policies, Policy, networks};
use super::token::stamp;
use crate::db::{Conn, Db, Filter, Op, Query, Schema, Sort, Sql, sql};
use crate::error::{Error, Result};

/// How long a looked-up user is believed when no change was heard of: another host may have made one.
const BELIEVED: Duration = Duration::from_secs(2);
/// Users kept; past that all are forgotten and looked up again.
const MAX_KEPT: usize = 10_000;

/// Answers who a user is and what they may do. A user who isn't active doesn't exist here.
pub struct Directory {
    db: Db,
    tables: Arc<Schema>,
    /// Short sections only, never across an await: a std mutex.
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Counts [`Directory::invalidate`]: what was read before one must not be kept after it.
    generation: u64,
    users: HashMap<String, (Instant, Option<Arc<User>>)>,
    tokens: HashMap<String, (Instant, Option<String>)>,
    public: Option<(Instant, Arc<Policies>)>,
}

impl Directory {
    /// A directory that knows nobody yet.
    pub fn new(db: Db) -> Self {
        Self { db, tables: Arc::new(Schema::system()), kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything: users, roles, policies or permissions changed.
    pub fn invalidate(&self) {
        let mut kept = self.kept();
        *kept = Kept { generation: kept.generation + 1, ..Kept::default() };
    }

    /// The active user with this key.
    pub async fn user(&self, id: &str) -> Result<Option<Arc<User>>> {
        let generation = {
            let kept = self.kept();
            if let Some((_, user)) = kept.users.get(id).filter(|(at, _)| at.elapsed() < BELIEVED) {
                return Ok(user.clone());
            }
            kept.generation
        };
        let (key, tables) = (id.to_owned(), Arc::clone(&self.tables));
        let user = self
            .db
            .read(move |conn| {
                let (key, tables) = (key.clone(), Arc::clone(&tables));
                Box::pin(async move { load_user(&mut Lookup { conn, tables: &tables }, &key).await })
            })
            .await?
            .map(Arc::new);
        let mut kept = self.kept();
        if kept.generation == generation {
            if kept.users.len() >= MAX_KEPT {
                kept.users.clear();
            }
            kept.users.insert(id.to_owned(), (Instant::now(), user.clone()));
        }
        Ok(user)
    }

    /// The active user with the static token that has this fingerprint.
    pub async fn by_token(&self, fingerprint: &str) -> Result<Option<Arc<User>>> {
        let (known, generation) = {
            let kept = self.kept();
            (kept.tokens.get(fingerprint).filter(|(at, _)| at.elapsed() < BELIEVED).map(|(_, id)| id.clone()), kept.generation)
        };
        let id = match known {
            Some(id) => id,
            None => {
                let (wanted, tables) = (fingerprint.to_owned(), Arc::clone(&self.tables));
                let id = self
                    .db
                    .read(move |conn| {
                        let filter = Filter::field("token", Op::Eq(json!(wanted)));
                        let tables = Arc::clone(&tables);
                        Box::pin(async move {
                            let found = Lookup { conn, tables: &tables }.rows("daas_users", &["id"], filter, &[]).await?;
                            Ok(found.into_iter().next().and_then(|row| text(&row, 0)))
                        })
                    })
                    .await?;
                let mut kept = self.kept();
                if kept.generation == generation {
                    if kept.tokens.len() >= MAX_KEPT {
                        kept.tokens.clear();
                    }
                    kept.tokens.insert(fingerprint.to_owned(), (Instant::now(), id.clone()));
                }
                id
            }
        };
        match id {
            Some(id) => self.user(&id).await,
            None => Ok(None),
        }
    }

    /// What decides what a caller without credentials may do.
    pub async fn public(&self) -> Result<Arc<Policies>> {
        let generation = {
            let kept = self.kept();
            if let Some((_, policies)) = kept.public.as_ref().filter(|(at, _)| at.elapsed() < BELIEVED) {
                return Ok(Arc::clone(policies));
            }
            kept.generation
        };
        let tables = Arc::clone(&self.tables);
        let policies = self
            .db
            .read(move |conn| {
                let tables = Arc::clone(&tables);
                Box::pin(async move { load_policies(&mut Lookup { conn, tables: &tables }, None, &[]).await })
            })
            .await?;
        let policies = Arc::new(policies);
        let mut kept = self.kept();
        if kept.generation == generation {
            kept.public = Some((Instant::now(), Arc::clone(&policies)));
        }
        Ok(policies)
    }
}

async fn load_user(look: &mut Lookup<'_, '_>, id: &str) -> Result<Option<User>> {
    let wanted = Filter::And(vec![Filter::field("id", Op::Eq(json!(id))), Filter::field("status", Op::Eq(json!("active")))]);
    let Some(row) = look.rows("daas_users", &["id", "email", "password"], wanted, &[]).await?.into_iter().next() else { return Ok(None) };
    let own = look.rows("daas_user_roles", &["role"], Filter::field("user", Op::Eq(json!(id))), &["sort", "id"]).await?;
    let mut roles: Vec<String> = own.iter().filter_map(|row| text(row, 0)).collect();
    // Parents follow their children; a circle of parents ends where it began.
    let mut at = 0;
    while at < roles.len() {
        let parents = look.rows("daas_roles", &["parent"], Filter::field("id", Op::Eq(json!(roles[at]))), &[]).await?;
        for parent in parents.iter().filter_map(|row| text(row, 0)) {
            if !roles.contains(&parent) {
                roles.push(parent);
            }
        }
        at += 1;
    }
    let policies = load_policies(look, Some(id), &roles).await?;
    let stamp = stamp(text(&row, 2).as_deref());
    Ok(Some(User { id: id.to_owned(), email: text(&row, 1).unwrap_or_default(), roles, stamp, policies: Arc::new(policies) }))
}

/// The public policies, those of the roles, and the user's own, in this order: the nearest has the last word.
async fn load_policies(look: &mut Lookup<'_, '_>, user: Option<&str>, roles: &[String]) -> Result<Policies> {
    let public = Filter::And(vec![Filter::field("role", Op::Null), Filter::field("user", Op::Null)]);
    let mut holders = vec![public, Filter::field("role", Op::In(roles.iter().map(|r| json!(r)).collect()))];
    if let Some(user) = user {
        holders.push(Filter::field("user", Op::Eq(json!(user))));
    }
    let mut access = look.rows("daas_access", &["policy", "role", "user"], Filter::Or(holders), &["sort", "id"]).await?;
    let is_public = |row: &[Value]| row[1].is_null() && row[2].is_null();
    // The roles nearest to the user come last.
    let nearness = |row: &Vec<Value>| match (text(row, 1), text(row, 2)) {
        (_, Some(_)) => usize::MAX,
        (Some(role), None) => roles.iter().rev().position(|own| *own == role).map_or(0, |at| at + 1),
        (None, None) => 0,
    };
    access.sort_by_key(nearness);
    let own: BTreeSet<String> = access.iter().filter(|row| !is_public(row)).filter_map(|row| text(row, 0)).collect();
    let (mut order, mut seen) = (Vec::new(), HashSet::new());
    for id in access.iter().rev().filter_map(|row| text(row, 0)) {
        if seen.insert(id.clone()) {
            order.insert(0, id);
        }
    }
    if order.is_empty() {
        return Ok(Policies::default());
    }
    let all: Vec<Value> = order.iter().map(|id| json!(id)).collect();
    let columns = ["id", "admin_access", "app_access", "delegate_access", "ip_access", "module_access"];
    let mut policies: HashMap<String, Policy> = HashMap::new();
    for row in look.rows("daas_policies", &columns, Filter::field("id", Op::In(all.clone())), &[]).await? {
        let Some(id) = text(&row, 0) else { continue };
        // Where it holds can't be told: it holds nowhere.
        let Ok(networks) = networks(&row[4]) else { continue };
        // What everybody has can't be admin rights, nor those of somebody else, whatever the row says.
        let is_own = own.contains(&id);
        let policy = Policy {
            admin: is_own && row[1] == true,
            app: row[2] == true,
            delegate: is_own && row[3] == true,
            // Nor can it be the management of the host.
            modules: if is_own { row[5].clone() } else { Value::Null },
            networks,
            permissions: Vec::new(),
            id: id.clone(),
        };
        policies.insert(id, policy);
    }
    let columns = ["policy", "collection", "action", "fields", "permissions", "validation", "presets"];
    for row in look.rows("daas_permissions", &columns, Filter::field("policy", Op::In(all)), &["id"]).await? {
        // A row of another version, or written past the API, grants nothing rather than too much.
        let Some(permission) = Permission::read(&row[3], &row[4], &row[5], &row[6]) else { continue };
        let policy = text(&row, 0).and_then(|id| policies.get_mut(&id));
        if let (Some(policy), Some(collection), Some(action)) = (policy, text(&row, 1), text(&row, 2).and_then(|a| Action::parse(&a))) {
            policy.permissions.push((collection, action, Arc::new(permission)));
        }
    }
    Ok(Policies::new(order.iter().filter_map(|id| policies.remove(id)).collect()))
}

/// A reading of the tables that decide rights.
struct Lookup<'a, 'c> {
    conn: &'a mut Conn<'c>,
    tables: &'a Schema,
}

impl Lookup<'_, '_> {
    async fn rows(&mut self, table: &str, fields: &[&str], filter: Filter, sort: &[&str]) -> Result<Vec<Vec<Value>>> {
        let table = self.tables.collection(table).ok_or_else(|| Error::internal(format!("{table} is not declared")))?;
        let sort = sort.iter().map(|field| Sort::up(*field)).collect();
        let query = Query { filter: Some(filter), sort, ..Query::default() };
        let dialect = self.conn.dialect();
        let sql = Sql::build(dialect, &sql::select(dialect, table, fields, &query)?);
        self.conn.select(&sql, &sql::types(table, fields)?).await
    }
}

fn text(row: &[Value], at: usize) -> Option<String> {
    row.get(at).and_then(Value::as_str).map(str::to_owned)
}
