//! What an operation owes to action hooks: deliveries, made in its transaction, for what it wrote and for the jobs that it enqueued.
//!
//! Called by the job of a write (`items::change`) and by `jobs`.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::operation::After;
use super::{Ctx, Item, core};
use crate::auth::token::fingerprint;
use crate::db::Conn;
use crate::error::Result;
use crate::hooks::Hook;
use crate::hooks::dispatcher::Nursery;
use crate::hooks::line::{self, Birth, Born};
use crate::hooks::outbox::Delivery;

/// Longest key that is kept as it is. A longer one keeps its order by its fingerprint: the column is as short as an index wants it.
const MAX_KEY: usize = 200;

/// A key as a delivery keeps it.
pub(super) fn kept_key(key: &str) -> String {
    if key.len() > MAX_KEY { fingerprint(key) } else { key.to_owned() }
}

/// Who and what caused a delivery: the same for all of one write.
pub(super) struct Origin {
    template: Delivery,
}

impl Origin {
    /// Of what happens in `collection`, which is empty for a job.
    pub fn new(ctx: &Ctx, collection: &str) -> Self {
        let template = Delivery {
            id: Uuid::nil(),
            extension: String::new(),
            hook: String::new(),
            event: String::new(),
            collection: collection.to_owned(),
            item_key: None,
            meta: Value::Null,
            caller: core::caller_of(&ctx.who.who),
            ip: ctx.who.ip.as_deref().map(str::to_owned),
            user_agent: ctx.who.user_agent.as_deref().map(str::to_owned),
            request_id: ctx.op.request_id.to_string(),
            depth: ctx.depth,
            chain: ctx.chain.to_vec(),
            attempt: 0,
            ordered: true,
            first_at: Some(ctx.core.clock.now()),
            replayed: false,
            claimed: false,
            behind: false,
        };
        Self { template }
    }

    /// What is owed to a part of the host itself, which goes the same way: `whose` stands in the place of an extension's id. Its order among
    /// others doesn't matter.
    pub fn of_host(&self, whose: &str, id: Uuid, event: &str, meta: Value) -> Delivery {
        let (extension, hook) = (whose.to_owned(), whose.to_owned());
        Delivery { id, extension, hook, event: event.to_owned(), meta, ordered: false, ..self.template.clone() }
    }

    /// What is owed to `hook` for `event`, which is about `keys`.
    pub fn delivery(&self, hook: &Hook, event: String, meta: &Item, keys: &[Value]) -> Delivery {
        let item_key = match keys {
            [Value::String(key)] => Some(kept_key(key)),
            [key] => Some(key.to_string()),
            _ => None,
        };
        Delivery {
            id: Uuid::now_v7(),
            extension: hook.extension.clone(),
            hook: hook.slot(),
            event,
            item_key,
            meta: Value::Object(meta.clone()),
            ordered: hook.ordered,
            ..self.template.clone()
        }
    }
}

/// Deliveries as they are made within one job of the database.
pub(super) struct Owing {
    now: DateTime<Utc>,
    nursery: Nursery,
    /// What came of it.
    pub owed: Owed,
}

/// What was made.
#[derive(Default)]
pub(super) struct Owed {
    /// In the hands of this host.
    deliveries: Vec<Delivery>,
    /// Whether there are others that any host may take.
    free: bool,
}

impl Owing {
    /// None yet.
    pub fn new(now: DateTime<Utc>, nursery: &Nursery) -> Self {
        Self { now, nursery: nursery.clone(), owed: Owed::default() }
    }

    /// Makes one, due at a moment or now. `first_of_its_item`: nothing can be owed yet about its item.
    pub async fn add(
        &mut self,
        conn: &mut Conn<'_>,
        mut delivery: Delivery,
        due: Option<DateTime<Utc>>,
        first_of_its_item: bool,
    ) -> Result<()> {
        let lease = self.nursery.lease.clone().filter(|_| self.nursery.room > 0);
        let due = due.unwrap_or(self.now);
        if due > self.now {
            delivery.first_at = None;
        }
        let birth = Birth { now: self.now, due, lease, first_of_its_item };
        match line::join(conn, &mut delivery, &birth).await? {
            Born::Ours => {
                self.nursery.room -= 1;
                self.owed.deliveries.push(delivery);
            }
            Born::Free => self.owed.free = true,
            Born::Waiting => {}
        }
        Ok(())
    }
}

impl Owed {
    /// Remembers it for after the commit.
    pub fn note(self, after: &mut After) {
        after.deliveries.extend(self.deliveries);
        after.unleased |= self.free;
    }
}
