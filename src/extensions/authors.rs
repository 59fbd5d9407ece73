//! Who may manage which extensions: admins all of them, others those that do no more than their policies name.
//!
//! The module `system:extensions` of a policy is `true` or a list of capabilities (`services::module_access`). An extension of such an author lists its
//! own, each of them covered, and never what only admins may give. What it hears is held to the same list: a hook sees what callers
//! send, whatever it may ask for besides.

use std::sync::Arc;

use serde_json::{Value, json};

use super::folders;
use super::store::{Extensions, TABLE};
use crate::auth::{Accountability, Module};
use crate::error::{Error, ErrorCode, Result};
use crate::hooks::{EventName, ItemsEvent};
use crate::services::Item;
use crate::services::capability::{Capabilities, is_for_admins};
use crate::services::ctx::Hold;
use crate::services::items::ItemsService;
use crate::services::module_access;
use crate::services::operation::Start;
use crate::services::query::clip;

/// What everybody who manages some extension may know of every one.
const SHOWN: [&str; 8] = ["id", "name", "description", "event", "type", "status", "sort", "folder"];

/// Somebody who manages extensions.
pub(super) enum Author {
    /// All of them.
    Admin,
    /// Those with a list of capabilities, all but what only admins may give.
    Listed,
    /// Those whose capabilities are among these.
    Among(Capabilities),
}

impl Author {
    /// What a caller may manage.
    ///
    /// # Errors
    /// 403 for those who may manage none.
    pub fn of(who: &Accountability) -> Result<Self> {
        if who.is_admin() {
            return Ok(Self::Admin);
        }
        match who.grants.module(module_access::EXTENSIONS) {
            Some(Module::All) => Ok(Self::Listed),
            // What was stored past the API and can't be read gives nothing.
            Some(Module::Only(entries)) => {
                Ok(Self::Among(Capabilities::read(Some(&json!(entries))).unwrap_or_else(|_| Capabilities::none())))
            }
            None => {
                Err(Error::forbidden("Extensions are managed by admins, and by those whose policies have the module `system:extensions`"))
            }
        }
    }

    /// Whether it is an admin.
    pub fn is_admin(&self) -> bool {
        matches!(self, Self::Admin)
    }

    /// Why a row, stored or about to be, is beyond what they may manage.
    ///
    /// # Errors
    /// 403, naming the member.
    pub fn check(&self, row: &Item) -> Result<()> {
        if self.is_admin() {
            return Ok(());
        }
        let beyond = |member: &str, why: String| Err(Error::forbidden(why).with_field(member));
        let given = match row.get("capabilities") {
            None | Some(Value::Null) => {
                return beyond(
                    "capabilities",
                    format!("Only admins manage extensions without a list of `capabilities`: list what it needs{}", self.named()),
                );
            }
            // Of another shape: refused as a mistake where it is about to be stored.
            Some(given) => given.as_array().map(Vec::as_slice).unwrap_or_default(),
        };
        for entry in given.iter().filter_map(Value::as_str) {
            let is_covered = match self {
                Self::Admin | Self::Listed => true,
                Self::Among(policy) => policy.allows(entry),
            };
            if !is_covered || is_for_admins(entry) {
                return beyond(
                    "capabilities",
                    format!("You may not manage extensions with the capability `{}`{}", clip(entry), self.named()),
                );
            }
        }
        self.check_hearing(row)
    }

    fn check_hearing(&self, row: &Item) -> Result<()> {
        let Self::Among(policy) = self else { return Ok(()) };
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("type") == "route" {
            return Ok(());
        }
        // What can't be read is refused as a mistake where it is about to be stored.
        let Ok(event) = text("event").parse::<EventName>() else { return Ok(()) };
        let (hears, needed) = match &event {
            EventName::Items { collection: Some(name), event } => {
                let action = match event {
                    ItemsEvent::Query | ItemsEvent::Read => "read",
                    ItemsEvent::Create => "create",
                    ItemsEvent::Update => "update",
                    ItemsEvent::Delete => "delete",
                };
                let hears = ["read", action].iter().any(|action| policy.allows(&format!("items:{name}:{action}")));
                (hears, format!("items:{name}:{action}"))
            }
            EventName::Items { collection: None, .. } => (policy.allows("items"), "items".to_owned()),
            EventName::Auth(_) => {
                let why =
                    format!("Only admins manage extensions that hear `{event}`: they learn who signs in, and may keep people from it");
                return Err(Error::forbidden(why).with_field("event"));
            }
            EventName::Job(_) => (policy.allows("enqueue"), "enqueue".to_owned()),
        };
        if hears {
            return Ok(());
        }
        let why = format!(
            "You may not manage extensions that hear `{}`: that takes the capability `{needed}`{}",
            clip(text("event")),
            self.named()
        );
        Err(Error::forbidden(why).with_field("event"))
    }

    /// Whether a stored row is theirs to manage.
    pub fn manages(&self, row: &Item) -> bool {
        self.is_admin() || (!row.contains_key("folder") && self.check(row).is_ok())
    }

    /// Takes away what they may not know of a row that isn't theirs to manage.
    pub fn veil(&self, row: &mut Item) {
        if !self.manages(row) {
            row.retain(|name, _| SHOWN.contains(&name.as_str()));
        }
    }

    /// Refuses to look for rows by what they may not know of them.
    ///
    /// # Errors
    /// 403, naming what was looked for.
    pub fn check_query(&self, query: &Item) -> Result<()> {
        if self.is_admin() {
            return Ok(());
        }
        let refuse = |what: &str| {
            Err(Error::forbidden(format!("You may look for extensions by {} only, not by `{}`", SHOWN.join(", "), clip(what))))
        };
        if let Some(name) = ["search", "aggregate", "groupBy", "alias", "deep"].iter().find(|name| query.contains_key(**name)) {
            return refuse(name);
        }
        let sorted: Vec<String> = match query.get("sort") {
            Some(Value::String(csv)) => csv.split(',').map(str::to_owned).collect(),
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        if let Some(name) =
            sorted.iter().map(|name| name.trim().trim_start_matches('-')).find(|name| !name.is_empty() && !SHOWN.contains(name))
        {
            return refuse(name);
        }
        let filter = match query.get("filter") {
            None | Some(Value::Null) => return Ok(()),
            // What isn't JSON is refused as a mistake later.
            Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
            Some(filter) => filter.clone(),
        };
        match hidden_in(&filter) {
            Some(name) => refuse(&name),
            None => Ok(()),
        }
    }

    /// What they may give, for the end of a sentence.
    fn named(&self) -> String {
        match self {
            Self::Admin => String::new(),
            Self::Listed => "; all but `elevated`, `system` and `rawdb` may be listed".to_owned(),
            Self::Among(policy) => {
                let entries: Vec<String> = policy.list().unwrap_or_default().iter().map(|entry| format!("`{entry}`")).collect();
                if entries.is_empty() {
                    "; your policies name none".to_owned()
                } else {
                    format!("; your policies name {}", entries.join(", "))
                }
            }
        }
    }
}

/// A field of a filter that not everybody may know.
fn hidden_in(filter: &Value) -> Option<String> {
    match filter {
        Value::Array(parts) => parts.iter().find_map(hidden_in),
        Value::Object(members) => members.iter().find_map(|(name, value)| match name.strip_prefix('_') {
            Some(_) => hidden_in(value),
            None if SHOWN.contains(&name.as_str()) => None,
            None => Some(name.clone()),
        }),
        _ => None,
    }
}

impl Extensions {
    /// Whether somebody manages extensions at all: asked before a body is read.
    ///
    /// # Errors
    /// 403 for those who don't.
    pub fn admit(&self, who: &Accountability) -> Result<()> {
        Author::of(who).map(drop)
    }

    /// 404 unless there is such an extension, in a row or in a folder; 403 unless it is the caller's to manage.
    pub(super) async fn managed(&self, start: &Start, id: &str) -> Result<()> {
        let author = Author::of(&start.who)?;
        if self.folder_of(id).await?.is_some() {
            return match author.is_admin() {
                true => Ok(()),
                false => Err(Error::forbidden("Only admins manage extensions that lie in folders")),
            };
        }
        author.check(&self.stored(start.clone(), id, &Item::new()).await?)
    }

    /// The same for its lines, which those with the module `system:logs` may read as well.
    pub(super) async fn may_listen(&self, start: &Start, id: &str) -> Result<()> {
        if start.who.grants.module(module_access::LOGS).is_none() {
            return self.managed(start, id).await;
        }
        match folders::is_folder_id(id) && self.folder_of(id).await?.is_some() {
            true => Ok(()),
            false => self.stored(start.clone(), id, &Item::from_iter([("fields".to_owned(), json!(["id"]))])).await.map(drop),
        }
    }

    /// Whether somebody who listens to an extension may go on to. When in doubt, yes: a database that doesn't answer says nothing about rights.
    pub async fn may_go_on_listening(&self, who: Accountability, id: &str) -> bool {
        let start = Start::new(Arc::new(who), Arc::from(""));
        !matches!(self.may_listen(&start, id).await, Err(error) if error.code() == ErrorCode::Forbidden)
    }

    /// The row as it is stored. Whether the caller may know of it is asked by who calls.
    pub(super) async fn stored(&self, start: Start, id: &str, query: &Item) -> Result<Item> {
        let key = json!(id);
        self.shared
            .core
            .operate(start, |ctx| {
                let (ctx, key) = (ctx.with(true, true), &key);
                async move { ItemsService::by_own_door(&ctx, TABLE).read_one(key, query, Hold::No).await }
            })
            .await
    }
}
