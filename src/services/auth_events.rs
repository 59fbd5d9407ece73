//! `auth.login` and `auth.logout`: who hears that somebody signs in or out.
//!
//! Filters of a login run when the password is known to be right, so that guesses cost no run of an extension. Called by `sessions`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::owed::{Origin, Owed, Owing};
use super::query::show;
use super::runner::Meta;
use super::{Ctx, Item};
use crate::db::Conn;
use crate::error::Result;
use crate::hooks::dispatcher::Nursery;
use crate::hooks::outbox::Delivery;
use crate::hooks::{AuthEvent, Hook, HookKind, filter};

/// How a login ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// It isn't known yet: what filters are told.
    Pending,
    /// Signed in.
    Success,
    /// Not signed in.
    Fail,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Fail => "fail",
        }
    }
}

/// `meta` of `event`: `{ event, user, status?, payload? }`.
fn meta(event: AuthEvent, user: Option<&str>, status: Option<Status>, payload: Option<&Value>) -> Item {
    let mut meta = Item::from_iter([("event".to_owned(), json!(event.name())), ("user".to_owned(), json!(user))]);
    meta.extend(status.map(|status| ("status".to_owned(), json!(status.name()))));
    meta.extend(payload.map(|payload| ("payload".to_owned(), payload.clone())));
    meta
}

/// Lets the filters of a login have their say. `is_admin`: one that fails keeps no admin out, since nobody else could mend it.
///
/// # Errors
/// What a filter throws, and that one can't run, or answers something else than it was given.
pub(super) async fn may_log_in(ctx: &Ctx, user: &str, email: &str, is_admin: bool) -> Result<()> {
    let hooks = ctx.op.snapshot.hooks().sign_in(HookKind::Filter, AuthEvent::Login);
    if hooks.is_empty() {
        return Ok(());
    }
    let payload = json!({ "email": email });
    let meta = Meta { json: meta(AuthEvent::Login, Some(user), Some(Status::Pending), None), previous: None };
    let meta = &meta;
    filter::fold(hooks, payload, |hook, payload| {
        Box::pin(async move {
            match heard(ctx, hook, meta, &payload).await {
                Ok(()) => Ok(payload),
                Err(error) if is_admin && error.class() >= 500 => {
                    tracing::warn!(extension = hook.name, %error, "a filter of `auth.login` fails; an admin signs in all the same");
                    Ok(payload)
                }
                Err(error) => Err(error),
            }
        })
    })
    .await
    .map(drop)
}

/// One filter, which may refuse and has nothing to change: with whose address somebody signs in is settled.
async fn heard(ctx: &Ctx, hook: &Hook, meta: &Meta, payload: &Value) -> Result<()> {
    let answer = ctx.op.snapshot.filter(hook, ctx, meta, payload).await?;
    match answer {
        Some(answer) if answer != *payload => {
            let why =
                format!("it must return its payload as it was, or nothing: a login can be refused, not changed; not: {}", show(&answer));
            Err(ctx.op.snapshot.bad_answer(hook, ctx, meta, &why))
        }
        _ => Ok(()),
    }
}

/// What the action hooks of one event are owed.
#[derive(Clone)]
pub(super) struct Told {
    deliveries: Arc<[Delivery]>,
    nursery: Nursery,
    best_effort: Arc<[Arc<Hook>]>,
    meta: Item,
}

impl Told {
    /// A login that succeeded.
    pub fn login(ctx: &Ctx, user: &str, email: &str) -> Self {
        let payload = json!({ "email": email });
        Self::new(ctx, AuthEvent::Login, user, meta(AuthEvent::Login, Some(user), Some(Status::Success), Some(&payload)))
    }

    /// A logout.
    pub fn logout(ctx: &Ctx, user: &str, email: Option<&str>) -> Self {
        let payload = json!({ "email": email });
        Self::new(ctx, AuthEvent::Logout, user, meta(AuthEvent::Logout, Some(user), None, Some(&payload)))
    }

    fn new(ctx: &Ctx, event: AuthEvent, user: &str, meta: Item) -> Self {
        let hooks = ctx.op.snapshot.hooks().sign_in(HookKind::Action, event);
        let origin = Origin::new(ctx, "");
        // What happens to one user is told in its order.
        let deliveries =
            hooks.iter().filter(|hook| hook.durable).map(|h| origin.delivery(h, event.name().to_owned(), &meta, &[json!(user)]));
        let nursery = ctx.core.dispatcher.nursery(hooks.iter().filter(|hook| hook.durable).map(|hook| hook.extension.as_str()));
        let best_effort = hooks.iter().filter(|hook| !hook.durable).map(Arc::clone).collect();
        Self { deliveries: deliveries.collect(), nursery, best_effort, meta }
    }

    /// Makes it owed, within the job that makes it true.
    pub async fn owe(&self, conn: &mut Conn<'_>, now: chrono::DateTime<chrono::Utc>) -> Result<Owed> {
        let mut owing = Owing::new(now, &self.nursery);
        for delivery in self.deliveries.iter() {
            owing.add(conn, delivery.clone(), None, false).await?;
        }
        Ok(owing.owed)
    }

    /// Notes for after the commit what the job made owed, and who is told without an outbox.
    pub fn note(self, ctx: &Ctx, owed: Owed) {
        let mut after = ctx.op.after();
        owed.note(&mut after);
        after.best_effort.extend(self.best_effort.iter().map(|hook| (Arc::clone(hook), ctx.clone(), self.meta.clone())));
    }
}

/// Tells action hooks of a login that failed, past the outbox: what anybody can cause at will leaves no rows.
pub(super) fn failed(ctx: &Ctx, user: Option<&str>, email: &str) {
    let hooks = ctx.op.snapshot.hooks().sign_in(HookKind::Action, AuthEvent::Login);
    let meta = meta(AuthEvent::Login, user, Some(Status::Fail), Some(&json!({ "email": email })));
    for hook in hooks {
        Arc::clone(&ctx.op.snapshot).best_effort(Arc::clone(hook), ctx.clone(), meta.clone());
    }
}
