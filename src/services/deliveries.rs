//! What is owed to action hooks, for admins: looked at, run once more, forgotten.
//!
//! Called by `http::deliveries`. What a state is and what may be done in it stands in `hooks::ledger`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::items::Listing;
use super::query::{clip, nearest, show};
use super::{Core, Item};
use crate::auth::Accountability;
use crate::db::Conn;
use crate::error::{Error, ErrorCode, Result};
use crate::hooks::ledger::{self, State, Wanted};
use crate::hooks::outbox;

/// Deliveries that one call replays or discards at most.
pub const BATCH: u64 = 1_000;
/// Rows that one transaction changes, so that none holds the writer for long.
const CHUNK: u64 = 100;
/// Most rows of a page.
const MAX_LIMIT: u64 = 100;

const MEMBERS: [&str; 7] = ["extension", "event", "collection", "key", "state", "before", "since"];

/// A page, and how many there are in each state.
pub struct Page {
    /// The page.
    pub listing: Listing,
    /// By state, whatever state was asked for.
    pub counts: Map<String, Value>,
}

/// What a bulk change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bulk {
    /// How many it changed.
    pub done: u64,
    /// How many of those that were asked for are left: call again.
    pub left: u64,
}

/// How many deliveries of all hosts are in each state.
///
/// # Errors
/// What the database refuses.
pub async fn by_state(core: &Core) -> Result<Vec<(String, u64)>> {
    let now = core.clock.now();
    let counts = core.db.read(move |conn| Box::pin(async move { ledger::counts(conn, &Wanted::default(), now).await })).await?;
    Ok(counts.into_iter().map(|(state, count)| (state, count.as_u64().unwrap_or_default())).collect())
}

/// The service.
pub struct Deliveries<'a> {
    core: &'a Arc<Core>,
    now: DateTime<Utc>,
}

impl<'a> Deliveries<'a> {
    /// For admins; 403 for others.
    pub fn new(core: &'a Arc<Core>, who: &Accountability) -> Result<Self> {
        match who.is_admin() {
            true => Ok(Self { core, now: core.clock.now() }),
            false => Err(Error::forbidden("Deliveries are managed by admins")),
        }
    }

    /// A page: `limit` (1 to 100), `page` (from 1) and what `wanted` reads.
    pub async fn list(&self, query: &Item) -> Result<Page> {
        let number = |name: &str, default: u64, max: u64| match query.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => value
                .as_u64()
                .or_else(|| value.as_str()?.parse().ok())
                .filter(|number| (1..=max).contains(number))
                .ok_or_else(|| Error::query(format!("`{name}` must be a whole number from 1 to {max}, not: {}", show(value)))),
        };
        let (limit, page) = (number("limit", 25, MAX_LIMIT)?, number("page", 1, 1_000_000)?);
        let mut rest = query.clone();
        rest.retain(|name, _| name != "limit" && name != "page");
        let (wanted, now) = (wanted(&rest, ErrorCode::InvalidQuery)?, self.now);
        let ((items, total), counts) = self
            .read(move |conn| {
                let wanted = wanted.clone();
                Box::pin(async move {
                    let page = ledger::page(conn, &wanted, now, limit, (page - 1) * limit).await?;
                    Ok((page, ledger::counts(conn, &Wanted { state: None, ..wanted }, now).await?))
                })
            })
            .await?;
        let listing =
            Listing { items, page, limit: i64::try_from(limit).unwrap_or(i64::MAX), total_count: None, filter_count: Some(total) };
        Ok(Page { listing, counts })
    }

    /// One, with the `meta` that its handler gets.
    pub async fn one(&self, id: &str) -> Result<Item> {
        let (uuid, now) = (uuid(id)?, self.now);
        let found = self
            .read(move |conn| {
                Box::pin(async move {
                    let Some(mut row) = ledger::one(conn, uuid, now).await? else { return Ok(None) };
                    row.insert("meta".to_owned(), outbox::meta(conn, uuid).await?.unwrap_or_default());
                    Ok(Some(row))
                })
            })
            .await?;
        found.ok_or_else(|| missing(id))
    }

    /// Has one run once more: a dead one with all its attempts, one that is retried at once.
    ///
    /// # Errors
    /// 404 where there is none, 409 where its state has no use for that.
    pub async fn replay(&self, id: &str) -> Result<Item> {
        let row = self.one(id).await?;
        let (uuid, now) = (uuid(id)?, self.now);
        let state = state_of(&row);
        let this = Wanted { id: Some(uuid), state, ..Wanted::default() };
        let done = self
            .write(move |conn| {
                let this = this.clone();
                Box::pin(async move { ledger::replay(conn, &this, now, 1).await })
            })
            .await?;
        if done == 0 {
            let advice = match state {
                Some(State::Held) => "it goes on by itself when its extension can run: mend or activate that",
                _ => "it is about to run by itself",
            };
            let shown = state.map_or("running", State::name);
            return Err(Error::new(ErrorCode::Conflict, format!("A delivery that is `{shown}` isn't replayed: {advice}")));
        }
        self.core.dispatcher.nudge();
        self.one(id).await.or(Ok(row))
    }

    /// Forgets one.
    ///
    /// # Errors
    /// 404 where there is none, 409 while it runs.
    pub async fn discard(&self, id: &str) -> Result<()> {
        let (uuid, now) = (uuid(id)?, self.now);
        let this = Wanted { id: Some(uuid), ..Wanted::default() };
        let done = self
            .write(move |conn| {
                let this = this.clone();
                Box::pin(async move { ledger::discard(conn, &this, now, 1).await })
            })
            .await?;
        if done > 0 {
            // Who stood behind it may go on.
            self.core.dispatcher.nudge();
            return Ok(());
        }
        self.one(id).await?;
        Err(Error::new(ErrorCode::Conflict, "This delivery is running: wait until it ended, or deactivate its extension first"))
    }

    /// Replays those that the body asks for, in their order: of the state `dead`, unless it says `retrying`.
    pub async fn replay_all(&self, body: &Item) -> Result<Bulk> {
        let mut wanted = narrowed(body)?;
        match wanted.state.get_or_insert(State::Dead) {
            State::Dead | State::Retrying => {}
            other => {
                let why = format!("`state`: `dead` and `retrying` deliveries can be replayed, not: {}", other.name());
                return Err(Error::payload(why).with_field("state"));
            }
        }
        let now = self.now;
        let done = self
            .in_chunks(&wanted, move |conn, wanted, limit| Box::pin(async move { ledger::replay(conn, &wanted, now, limit).await }))
            .await?;
        let left = self
            .read(move |conn| {
                let wanted = wanted.clone();
                Box::pin(async move { ledger::count_replayable(conn, &wanted, now).await })
            })
            .await?;
        Ok(Bulk { done, left })
    }

    /// Forgets those that the body asks for, which says in which state.
    pub async fn discard_all(&self, body: &Item) -> Result<Bulk> {
        let wanted = narrowed(body)?;
        if wanted.state.is_none_or(|state| state == State::Running) {
            let why = "`state` is needed: which of `pending`, `retrying`, `held` and `dead` are to be discarded; what runs can't be";
            return Err(Error::payload(why).with_field("state"));
        }
        let now = self.now;
        let done = self
            .in_chunks(&wanted, move |conn, wanted, limit| Box::pin(async move { ledger::discard(conn, &wanted, now, limit).await }))
            .await?;
        let left = self
            .read(move |conn| {
                let wanted = wanted.clone();
                Box::pin(async move { ledger::count(conn, &wanted, now).await })
            })
            .await?;
        Ok(Bulk { done, left })
    }

    async fn in_chunks<F>(&self, wanted: &Wanted, change: F) -> Result<u64>
    where
        F: for<'c> Fn(&'c mut Conn<'_>, Wanted, u64) -> BoxFuture<'c, Result<u64>> + Copy + Send + Sync + 'static,
    {
        let mut done = 0;
        while done < BATCH {
            let (wanted, limit) = (wanted.clone(), CHUNK.min(BATCH - done));
            let changed = self.write(move |conn| change(conn, wanted.clone(), limit)).await?;
            done += changed;
            if changed < limit {
                break;
            }
        }
        if done > 0 {
            self.core.dispatcher.nudge();
        }
        Ok(done)
    }

    async fn read<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Conn<'_>) -> BoxFuture<'c, Result<T>> + Send + Sync + 'static,
    {
        self.core.db.read(job).await
    }

    async fn write<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Conn<'_>) -> BoxFuture<'c, Result<T>> + Send + Sync + 'static,
    {
        self.core.db.write(job).await
    }
}

fn uuid(id: &str) -> Result<Uuid> {
    Uuid::try_parse(id).map_err(|_| missing(id))
}

fn missing(id: &str) -> Error {
    Error::new(ErrorCode::NotFound, format!("There is no delivery `{}`: it may have been made, or discarded, meanwhile", clip(id)))
}

fn state_of(row: &Item) -> Option<State> {
    let name = row.get("state")?.as_str()?;
    State::ALL.iter().copied().find(|state| state.name() == name)
}

/// Which ones a bulk change is about: at least one condition, so that nobody changes all of them by leaving something out.
fn narrowed(body: &Item) -> Result<Wanted> {
    let wanted = wanted(body, ErrorCode::InvalidPayload)?;
    if wanted.narrows() {
        return Ok(wanted);
    }
    Err(Error::payload(format!("Say which deliveries: by at least one of {}", MEMBERS.map(|name| format!("`{name}`")).join(", "))))
}

/// Reads `extension`, `event`, `collection`, `key`, `state`, `before` and `since`; `code` is that of the errors.
fn wanted(asked: &Item, code: ErrorCode) -> Result<Wanted> {
    let bad = |name: &str, what: String| Error::new(code, what).with_field(clip(name));
    if let Some(name) = asked.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        let near = nearest(name, MEMBERS);
        let near = if near.is_empty() { format!("; there are {}", MEMBERS.join(", ")) } else { near };
        return Err(bad(name, format!("Deliveries can't be told by `{}`{near}", clip(name))));
    }
    let text = |name: &str| match asked.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.contains('\0') => Ok(Some(text.clone())),
        Some(Value::Number(number)) if name == "key" => Ok(Some(number.to_string())),
        Some(other) => Err(bad(name, format!("`{name}` must be a text, not: {}", show(other)))),
    };
    let moment = |name: &str| {
        let Some(given) = text(name)? else { return Ok(None) };
        let at = DateTime::parse_from_rfc3339(&given)
            .map_err(|_| bad(name, format!("`{name}` must be a moment such as `2030-01-31T12:00:00Z`, not: {}", show(&json!(given)))))?;
        Ok(Some(at.with_timezone(&Utc)))
    };
    let state = match text("state")? {
        None => None,
        Some(name) => Some(State::ALL.iter().copied().find(|state| state.name() == name).ok_or_else(|| {
            let names = State::ALL.iter().map(|state| format!("`{}`", state.name())).collect::<Vec<_>>().join(", ");
            bad("state", format!("`state` must be one of {names}, not: {}", clip(&name)))
        })?),
    };
    Ok(Wanted {
        id: None,
        extension: text("extension")?,
        event: text("event")?,
        collection: text("collection")?,
        key: text("key")?.map(|key| super::owed::kept_key(&key)),
        state,
        before: moment("before")?,
        since: moment("since")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(asked: Value) -> Result<Wanted> {
        wanted(asked.as_object().expect("an object"), ErrorCode::InvalidQuery)
    }

    #[test]
    fn each_mistake_names_its_member_and_what_is_allowed() {
        for (asked, part) in [
            (json!({ "stat": "dead" }), "did you mean `state`"),
            (json!({ "age": 5 }), "there are extension"),
            (json!({ "state": "lost" }), "`pending`, `running`, `retrying`, `held`, `dead`"),
            (json!({ "before": "yesterday" }), "a moment such as"),
            (json!({ "event": ["a"] }), "must be a text"),
            (json!({ "event": "a\0" }), "must be a text"),
        ] {
            let error = read(asked.clone()).expect_err("a mistake");
            assert!(error.message().contains(part), "{asked}: {}", error.message());
        }
        assert!(narrowed(&Item::new()).is_err());
        assert!(!read(json!({ "state": null })).expect("good").narrows());
        assert_eq!(read(json!({ "key": 7 })).expect("good").key.as_deref(), Some("7"));
    }
}
