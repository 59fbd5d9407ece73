//! Mail: at once where nothing can be undone any more, else after the commit, as a delivery of the outbox.
//!
//! A message that an action hook sends has a key made of its delivery and of how manieth it is there, so a delivery that runs again finds
//! that it was sent. Called by `bridge/mail.rs` and `http`; `app` hands it the deliveries that are mail.

mod html;
mod message;
mod settings;
mod smtp;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use self::message::Message;
use self::smtp::{NotSent, Patience, Sent};
use super::owed::{Origin, Owing};
use super::{Core, Ctx, Item};
use crate::auth::Accountability;
use crate::db::sql::{self, Lock};
use crate::db::{Collection, Conn, Filter, Op, Query, system, timestamp};
use crate::error::{Error, ErrorCode, Result};
use crate::hooks::dispatcher::Verdict;
use crate::hooks::outbox::Delivery;
use crate::services::members::only;

pub use settings::{read as read_settings, seal_anew as seal_settings_anew, update as update_settings};

/// Whose deliveries are mail: stands where those of hooks have the id of an extension.
pub const OWED: &str = "mail";

/// How long it is known what was sent: longer than any delivery is tried again or held.
const KNOWN_FOR: TimeDelta = TimeDelta::days(30);
/// How long a message waits while mail is off.
const WHILE_OFF: Duration = Duration::from_secs(60);
/// Attempts that wait for recipients whom the server may take later; those after them go to the others.
const PATIENT_ATTEMPTS: u32 = 3;

/// Sends a message, or has it sent after the commit. `key` is the same whenever the same message is meant.
///
/// Answers `{ success, messageId, accepted, rejected, queued?, error? }`: that the server refused it is an answer.
///
/// # Errors
/// 400 and 413 for a message that can't be one.
pub async fn send(ctx: &Ctx, options: &Item, key: Option<Uuid>) -> Result<Value> {
    let smtp = settings::current_in(ctx).await?;
    let off = smtp.off();
    // Whether a message can be one doesn't depend on whether mail is on.
    let default = smtp.from.as_deref().or(off.map(|_| "nobody@localhost"));
    let message = Message::parse(options, default, key.unwrap_or_else(Uuid::now_v7))?;
    if let Some(why) = off {
        return Ok(answer(&message, &Err(NotSent { why: why.to_owned(), is_passing: false })));
    }
    if let Some(key) = key
        && let Some(before) = ctx.read(move |conn| Box::pin(sent_before(conn, key))).await?
    {
        return Ok(answer(&message, &Ok(before)));
    }
    if ctx.joins() {
        return queue(ctx, message, key.unwrap_or_else(Uuid::now_v7)).await;
    }
    ctx.op.note_reached_out();
    let sent = smtp::send(&smtp, message.sender()?, &message.recipients()?, &message.wire(ctx.core.clock.now())?, Patience::GoOn).await;
    if let (Ok(sent), Some(key)) = (&sent, key) {
        record(&ctx.core, key, sent).await;
    }
    Ok(answer(&message, &sent))
}

/// Whether the mail server answers and takes the credentials: `{ success, error? }`.
///
/// # Errors
/// `TRANSACTION_OPEN` while a transaction is.
pub async fn verify(ctx: &Ctx) -> Result<Value> {
    if ctx.op.is_tx_open() {
        let message = "mail.verify waits for the mail server, and a transaction is open: do this before the first write";
        return Err(Error::new(ErrorCode::TransactionOpen, message));
    }
    ctx.op.note_reached_out();
    let smtp = settings::current_in(ctx).await?;
    let checked = match smtp.off() {
        Some(why) => Err(why.to_owned()),
        None => smtp::verify(&smtp).await.map_err(|not| not.why),
    };
    Ok(checked.map_or_else(|why| json!({ "success": false, "error": why }), |()| json!({ "success": true })))
}

/// `POST /api/settings/smtp/test`: a message to `to`, by default to who asks.
///
/// # Errors
/// 403 for those who may not manage settings; 400 for an address that can't be one, or none.
pub async fn test(core: &Core, who: &Accountability, asked: &Item) -> Result<Value> {
    settings::manages(who)?;
    only(asked, &["to"])?;
    let own = who.to_json()["email"].clone();
    let to = asked.get("to").filter(|to| !to.is_null()).cloned().unwrap_or(own);
    let options =
        json!({ "to": to, "subject": "Trellis can send mail", "text": "This message was sent to try the settings of the mail server." });
    let smtp = settings::current(core).await?;
    let default = smtp.from.clone().unwrap_or_else(|| "trellis@localhost".to_owned());
    let message = Message::parse(options.as_object().unwrap_or(&Item::new()), Some(&default), Uuid::now_v7())?;
    let sent = match smtp.off() {
        Some(why) => Err(NotSent { why: why.to_owned(), is_passing: false }),
        None => smtp::send(&smtp, message.sender()?, &message.recipients()?, &message.wire(core.clock.now())?, Patience::GoOn).await,
    };
    Ok(answer(&message, &sent))
}

/// Sends what was queued.
pub async fn deliver(core: Arc<Core>, delivery: Delivery) -> Verdict {
    let key = delivery.id;
    let message: Message = match serde_json::from_value(delivery.meta) {
        Ok(message) => message,
        Err(error) => return Verdict::Hopeless(format!("the message can't be read: {error}")),
    };
    let again = |error: Error| Verdict::Later(Duration::from_secs(5), error.to_string());
    match core.db.read(move |conn| Box::pin(sent_before(conn, key))).await {
        Ok(None) => {}
        Ok(Some(_)) => return Verdict::Done,
        Err(error) => return again(error),
    }
    let smtp = match settings::current(&core).await {
        Ok(smtp) => smtp,
        Err(error) => return again(error),
    };
    if let Some(why) = smtp.off() {
        return Verdict::Later(WHILE_OFF, why.to_owned());
    }
    let (from, to, wire) = match (message.sender(), message.recipients(), message.wire(core.clock.now())) {
        (Ok(from), Ok(to), Ok(wire)) => (from, to, wire),
        (Err(error), _, _) | (_, Err(error), _) | (_, _, Err(error)) => return Verdict::Hopeless(error.to_string()),
    };
    let patience = if delivery.attempt <= PATIENT_ATTEMPTS { Patience::Wait } else { Patience::GoOn };
    match smtp::send(&smtp, from, &to, &wire, patience).await {
        Ok(sent) => {
            if !sent.rejected.is_empty() {
                let (id, rejected) = (message.id.as_str(), sent.rejected.len());
                tracing::warn!(message = id, rejected, "the mail server didn't take a message for all of its recipients");
            }
            record(&core, key, &sent).await;
            Verdict::Done
        }
        Err(NotSent { why, is_passing: true }) => Verdict::Failed(why),
        Err(NotSent { why, is_passing: false }) => Verdict::Hopeless(why),
    }
}

fn answer(message: &Message, sent: &Result<Sent, NotSent>) -> Value {
    match sent {
        Ok(Sent { accepted, rejected }) => {
            json!({ "success": true, "messageId": message.id, "accepted": accepted, "rejected": rejected })
        }
        Err(NotSent { why, .. }) => {
            json!({ "success": false, "messageId": message.id, "accepted": [], "rejected": [], "error": why })
        }
    }
}

/// Writes it down in the transaction, for the dispatcher of whichever host.
async fn queue(ctx: &Ctx, message: Message, key: Uuid) -> Result<Value> {
    let nursery = ctx.core.dispatcher.nursery([OWED].into_iter());
    let now = ctx.core.clock.now();
    let mut queued = answer(&message, &Ok(Sent::default()));
    queued["queued"] = json!(true);
    let meta = serde_json::to_value(&message).map_err(|e| Error::internal(format!("a mail can't be kept: {e}")))?;
    let delivery = Origin::new(ctx, "").of_host(OWED, key, "mail.send", meta);
    let owed = ctx
        .write(move |conn| {
            let (delivery, mut owing) = (delivery.clone(), Owing::new(now, &nursery));
            Box::pin(async move {
                // A delivery that runs again, before what its first run queued was sent.
                if !is_there(conn, &system::deliveries_table(), "id", key).await? {
                    owing.add(conn, delivery, None, true).await?;
                }
                Ok(owing.owed)
            })
        })
        .await?;
    owed.note(&mut ctx.op.after());
    Ok(queued)
}

async fn is_there(conn: &mut Conn<'_>, table: &Collection, field: &str, key: Uuid) -> Result<bool> {
    let query = Query { filter: Some(Filter::field(field, Op::Eq(json!(key.to_string())))), ..Query::default() };
    let statement = sql::select_locked(conn.dialect(), table, &[field], &query, Lock::None)?;
    Ok(!conn.select(&statement, &sql::types(table, &[field])?).await?.is_empty())
}

/// What became of the message with this key, if it was sent.
async fn sent_before(conn: &mut Conn<'_>, key: Uuid) -> Result<Option<Sent>> {
    let (table, columns) = (system::mail_sent_table(), ["accepted", "rejected"]);
    let query = Query { filter: Some(Filter::field("id", Op::Eq(json!(key.to_string())))), ..Query::default() };
    let statement = sql::select_locked(conn.dialect(), &table, &columns, &query, Lock::None)?;
    let row = conn.select(&statement, &sql::types(&table, &columns)?).await?.into_iter().next();
    let list = |value: &Value| value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    Ok(row.map(|row| Sent { accepted: list(&row[0]), rejected: list(&row[1]) }))
}

/// Notes that it was sent. Where that fails it may be sent once more, under the same id.
async fn record(core: &Core, key: Uuid, sent: &Sent) {
    let (dialect, table, now) = (core.db.dialect(), system::mail_sent_table(), core.clock.now());
    let row = json!({ "id": key.to_string(), "accepted": sent.accepted, "rejected": sent.rejected, "at": timestamp(now) });
    let old = Filter::field("at", Op::Lt(json!(timestamp(now - KNOWN_FOR))));
    let statements = sql::insert(dialect, &table, row.as_object().unwrap_or(&Item::new()), &[])
        .and_then(|insert| Ok(Arc::new([insert, sql::delete_where(dialect, &table, &old)?])));
    let written = match statements {
        Ok(statements) => {
            core.db
                .write(move |conn| {
                    let statements = Arc::clone(&statements);
                    Box::pin(async move {
                        for statement in statements.iter() {
                            conn.execute(statement).await?;
                        }
                        Ok(())
                    })
                })
                .await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = written {
        tracing::warn!(%error, "it could not be noted that a mail was sent");
    }
}
