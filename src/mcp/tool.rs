//! What a tool is: a row of the table in `tools`, from which its schema, the checks of its arguments and its document follow.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::http::Api;
use crate::http::items::meta_of;
use crate::http::request::admin;
use crate::services::Item;
use crate::services::items::Listing;
use crate::services::operation::Start;
use crate::services::precondition::IfMatch;

/// A tool: several actions over one kind of thing.
pub struct Tool {
    /// What callers name.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// What it is for, as an agent needs to know it.
    pub about: &'static str,
    /// Whether what it does may reach beyond this server.
    pub open_world: bool,
    /// The schema of `data` in its answers.
    pub answers: fn() -> Value,
    /// What it does.
    pub actions: &'static [Action],
}

/// One thing that a tool does.
pub struct Action {
    /// The value of `action`.
    pub name: &'static str,
    /// What becomes of what is there.
    pub effect: Effect,
    /// What it does, in half a sentence.
    pub about: &'static str,
    /// Arguments without which it can't be.
    pub needs: &'static [Argument],
    /// Others that it takes, in groups.
    pub takes: &'static [&'static [Argument]],
    /// Does it.
    pub run: Run,
}

/// How an action is done.
pub type Run = fn(Asked) -> BoxFuture<'static, Result<Answer>>;

/// What an action leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Reads,
    /// Something new; what was there stays.
    Adds,
    /// Something else in place of what was there.
    Changes,
    /// Less than there was.
    Deletes,
}

/// An argument.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What it is for.
    pub about: &'static str,
}

/// What an argument may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// The key of a row.
    Key,
    /// Keys of rows.
    Keys,
    /// Names in an array, or with commas between.
    Names,
    /// A whole number in a range.
    Whole(i64, i64),
    /// True or false.
    Flag,
    /// One of these.
    Choice(&'static [&'static str]),
    /// An object.
    Object,
    /// An object, or JSON of one.
    Filter,
    /// An object, or an array of them.
    Rows,
    /// An array of objects.
    List,
    /// Anything.
    Any,
}

/// What a connection may do at all, whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// `?readonly`: reading actions alone.
    pub readonly: bool,
    /// `MCP_ALLOW_DELETES`.
    pub deletes: bool,
    /// `MCP_ACTIVATION=approve`.
    pub approve: bool,
}

impl View {
    /// By the settings and the query of the request.
    pub fn of(config: &Config, query: &Item) -> Self {
        let readonly = query.get("readonly").is_some_and(|value| !["false", "0"].contains(&value.as_str().unwrap_or_default()));
        Self { readonly, deletes: config.mcp_allow_deletes, approve: config.mcp_approve }
    }

    /// Whether an action is there.
    ///
    /// # Errors
    /// `Forbidden`, with what keeps it away.
    pub fn admits(self, action: &Action) -> Result<()> {
        match action.effect {
            Effect::Reads => Ok(()),
            _ if self.readonly => Err(Error::forbidden(format!("`{}` isn't there for a connection with `?readonly`", action.name))),
            Effect::Deletes if !self.deletes => {
                Err(Error::forbidden(format!("`{}` isn't there: this server has `MCP_ALLOW_DELETES` switched off", action.name)))
            }
            _ => Ok(()),
        }
    }
}

impl Tool {
    /// The actions that a connection has.
    pub fn admitted(&self, view: View) -> impl Iterator<Item = &'static Action> {
        self.actions.iter().filter(move |action| view.admits(action).is_ok())
    }
}

impl Action {
    /// Every argument that it takes, those first that it needs.
    pub fn arguments(&self) -> impl Iterator<Item = &'static Argument> + use<> {
        self.needs.iter().chain(self.takes.iter().copied().flatten())
    }

    /// Whether it takes an argument of this name.
    pub fn accepts(&self, name: &str) -> bool {
        self.arguments().any(|argument| argument.name == name)
    }
}

/// What an action is asked to do; the arguments were checked against its row.
pub struct Asked {
    /// What the handlers share.
    pub api: Arc<Api>,
    /// Who asks, and under which id.
    pub start: Start,
    /// Whether what goes live waits for a person.
    pub approve: bool,
    /// The arguments.
    pub arguments: Item,
}

impl Asked {
    /// An argument, if there is one. It is taken out.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.arguments.shift_remove(name).filter(|value| !value.is_null())
    }

    /// The same of a text; empty where there is none, which the check of the arguments has kept out where one is needed.
    pub fn text(&mut self, name: &str) -> String {
        match self.take(name) {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    /// The query that `query` and the arguments beside it make. Those win.
    pub fn query(&mut self, names: &[Argument]) -> Item {
        let mut query = match self.take("query") {
            Some(Value::Object(query)) => query,
            _ => Item::new(),
        };
        for argument in names.iter().filter(|argument| argument.name != "query") {
            if let Some(value) = self.take(argument.name) {
                query.insert(argument.name.to_owned(), value);
            }
        }
        query
    }

    /// For which version of a row it is to hold.
    pub fn expected(&mut self) -> IfMatch {
        match self.take("etag") {
            Some(Value::String(etag)) => IfMatch::Versions(vec![etag.trim_matches('"').to_owned()]),
            _ => IfMatch::Unsaid,
        }
    }

    /// Refuses whoever isn't an admin.
    pub fn admin(&self, what: &str) -> Result<()> {
        admin(&self.start.who, what)
    }
}

/// What an action answers.
#[derive(Debug, Default)]
pub struct Answer {
    /// What was asked for.
    pub data: Value,
    /// What is to know about it.
    pub meta: Option<Value>,
    /// A sentence of ours, with nothing of anybody else in it.
    pub note: Option<&'static str>,
}

impl Answer {
    /// Data alone.
    pub fn of(data: impl serde::Serialize) -> Self {
        Self { data: json!(data), ..Self::default() }
    }

    /// With something to know about it.
    #[must_use]
    pub fn with_meta(self, meta: Value) -> Self {
        Self { meta: Some(meta), ..self }
    }

    /// With a sentence of ours.
    #[must_use]
    pub fn with_note(self, note: Option<&'static str>) -> Self {
        Self { note, ..self }
    }
}

impl From<Listing> for Answer {
    fn from(listing: Listing) -> Self {
        let meta = meta_of(&listing);
        Self::of(listing.items).with_meta(meta)
    }
}
