//! Passwords that were forgotten, and people who are invited: what goes out by mail, and what comes back.
//!
//! A mail carries a signed token. It is good for one use: it is bound to the password that there was when it was made, and its use is a row
//! that can only be written once. Who asks for a new password learns nothing from the answer, neither from what it says nor from how long it
//! takes: the work is done behind it.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use url::Url;
use uuid::Uuid;

use super::items::ItemsService;
use super::operation::Start;
use super::query::show;
use super::sessions::MAX_EMAIL;
use super::throttle::{Counted, Throttle, network};
use super::{Core, Ctx, Item, mail};
use crate::auth::token::{self, Purpose};
use crate::db::sql::{self, Lock};
use crate::db::{Filter, Op, Query, system, timestamp};
use crate::error::{Error, ErrorCode, Result};

/// How long a token is good that lets somebody choose another password.
const RESET_LIFE: TimeDelta = TimeDelta::days(1);
/// How long an invitation is good.
const INVITE_LIFE: TimeDelta = TimeDelta::days(7);
/// People that one request invites at most.
const MAX_INVITED: usize = 100;
/// Requests for passwords that are worked on behind their answers at once.
const MAX_BEHIND: usize = 64;

/// What mails let people do.
pub struct Accounts {
    core: Arc<Core>,
    throttle: Throttle,
    behind: Arc<Semaphore>,
}

/// A user as far as it matters here.
struct Known {
    id: String,
    status: String,
    stamp: String,
}

impl Accounts {
    /// Joined in `app`.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core, throttle: Throttle::default(), behind: Arc::new(Semaphore::new(MAX_BEHIND)) }
    }

    /// Has a mail sent to an active user by which they can choose another password. To anybody else nothing is sent, and nobody is told.
    ///
    /// # Errors
    /// 400 for a `reset_url` that isn't on the list; `RequestsExceeded` after many requests from one address. Neither depends on the user.
    pub fn request_reset(&self, start: Start, email: &str, reset_url: Option<&str>) -> Result<()> {
        let page = page(&self.core.config.password_reset_urls, reset_url, "reset_url", "PASSWORD_RESET_URL_ALLOW_LIST")?;
        let address = start.who.ip.as_deref().map(network).unwrap_or_default();
        self.throttle.attempt(&[Counted::Asker(&address)])?;
        let email = email.trim().to_lowercase();
        // No message more to somebody whom somebody floods; who asks isn't told, as with everything else about the account.
        if !is_address(&email) || self.throttle.attempt(&[Counted::Mails(&email)]).is_err() {
            return Ok(());
        }
        let busy = |_| Error::new(ErrorCode::ServiceUnavailable, "Too many requests at once: try again").with_retry_after(1);
        let turn = Arc::clone(&self.behind).try_acquire_owned().map_err(busy)?;
        let core = Arc::clone(&self.core);
        tokio::spawn(async move {
            let request = Arc::clone(&start.request_id);
            let sent = core.operate(start, |ctx| {
                let (email, page) = (&email, &page);
                async move { send_reset(&ctx, email, page.as_ref()).await }
            });
            match sent.await {
                Ok(None) => {}
                Ok(Some(why)) => tracing::warn!(request = &*request, why, "a new password was asked for, and no mail can be sent"),
                Err(error) => tracing::warn!(request = &*request, %error, "a new password was asked for, and no mail can be sent"),
            }
            drop(turn);
        });
        Ok(())
    }

    /// Sets the password of whoever the mail went to.
    ///
    /// # Errors
    /// `InvalidCredentials` for a token that isn't good any more, or never was; 400 for a password that can't be one.
    pub async fn reset(&self, start: Start, token: &str, password: &str) -> Result<()> {
        self.redeem(start, Purpose::Reset, token, password).await
    }

    /// Sets the first password of somebody who was invited, and makes them active.
    ///
    /// # Errors
    /// As [`Accounts::reset`].
    pub async fn accept_invite(&self, start: Start, token: &str, password: &str) -> Result<()> {
        self.redeem(start, Purpose::Invite, token, password).await
    }

    /// Makes users who can't sign in yet, and has mails sent to them by which they choose a password. Who was invited before gets another
    /// mail; for any other user who is there already nothing happens. All as far as the caller may create users and give them roles.
    ///
    /// # Errors
    /// 400 for what can't be an address, a role, or a page on the list; 403; `ServiceUnavailable` where no mail can be sent.
    pub async fn invite(&self, start: Start, emails: &[String], role: Option<&Value>, invite_url: Option<&str>) -> Result<()> {
        let page = page(&self.core.config.user_invite_urls, invite_url, "invite_url", "USER_INVITE_URL_ALLOW_LIST")?;
        if emails.is_empty() || emails.len() > MAX_INVITED {
            let message = format!("`email` must be one address or 1 to {MAX_INVITED} of them, not: {}", emails.len());
            return Err(Error::payload(message).with_field("email"));
        }
        let emails: Vec<String> = emails.iter().map(|email| email.trim().to_lowercase()).collect();
        if let Some(other) = emails.iter().find(|email| !is_address(email)) {
            return Err(Error::payload(format!("`email` must be an e-mail address, not: {}", show(&json!(other)))).with_field("email"));
        }
        self.core
            .operate(start, |ctx| {
                let (emails, page) = (&emails, page.as_ref());
                async move {
                    let ctx = ctx.joining();
                    for email in emails {
                        invite_one(&ctx, email, role, page).await?;
                    }
                    Ok(())
                }
            })
            .await
    }

    async fn redeem(&self, start: Start, purpose: Purpose, token: &str, password: &str) -> Result<()> {
        let address = start.who.ip.as_deref().map(network).unwrap_or_default();
        self.throttle.attempt(&[Counted::Asker(&address)])?;
        let claims = self.core.signer.check_mail(purpose, token).ok_or_else(|| spent(purpose))?;
        let used = self.used(&claims.id, token, claims.exp)?;
        let done = self.core.operate(start, |ctx| {
            let (claims, used) = (&claims, used.clone());
            async move {
                // The caller is nobody, also for hooks; that they may do this, the token says.
                let ctx = ctx.with(true, true).joining();
                let known = by(&ctx, "id", &claims.id).await?.filter(|known| known.stamp == claims.stamp && known.status == from(purpose));
                let known = known.ok_or_else(|| spent(purpose))?;
                let mut changes = Item::from_iter([("password".to_owned(), json!(password))]);
                if purpose == Purpose::Invite {
                    changes.insert("status".to_owned(), json!("active"));
                }
                ItemsService::new(&ctx, "daas_users").update(vec![json!(known.id)], changes).await?;
                let used = Arc::new(used);
                let written = ctx.write(move |conn| {
                    let used = Arc::clone(&used);
                    Box::pin(async move { conn.execute(&used).await.map(drop) })
                });
                // Somebody used it meanwhile.
                written.await.map_err(|error| if error.code() == ErrorCode::RecordNotUnique { spent(purpose) } else { error })
            }
        });
        done.await?;
        self.throttle.take_back(&[Counted::Asker(&address)]);
        Ok(())
    }

    /// The row that says that a token was used: a sign-in that was over before it began.
    fn used(&self, user: &str, token: &str, exp: u64) -> Result<crate::db::Sql> {
        let now = timestamp(self.core.clock.now());
        let until = i64::try_from(exp).ok().and_then(|secs| chrono::DateTime::<Utc>::from_timestamp(secs, 0));
        let row = json!({
            "token_hash": token::fingerprint(&format!("mail {token}")),
            "family": Uuid::now_v7().to_string(),
            "user": user,
            "issued_at": now,
            "expires_at": until.map_or_else(|| now.clone(), timestamp),
            "revoked_at": now,
            "stamp": "",
        });
        sql::insert(self.core.db.dialect(), &system::sessions_table(), row.as_object().unwrap_or(&Item::new()), &[])
    }
}

/// The status of those whom a token may be for.
fn from(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Reset => "active",
        Purpose::Invite => "invited",
    }
}

fn spent(purpose: Purpose) -> Error {
    let what = match purpose {
        Purpose::Reset => "The token isn't valid, was used, or has run out: ask for another mail",
        Purpose::Invite => "The invitation isn't valid, was used, or has run out: ask to be invited again",
    };
    Error::new(ErrorCode::InvalidCredentials, what)
}

/// Why no mail was sent, if a user would have got one.
async fn send_reset(ctx: &Ctx, email: &str, page: Option<&Url>) -> Result<Option<String>> {
    let Some(known) = by(ctx, "email", email).await?.filter(|known| known.status == from(Purpose::Reset)) else { return Ok(None) };
    let token = ctx.core.signer.sign_mail(Purpose::Reset, &known.id, &known.stamp, RESET_LIFE.num_seconds().unsigned_abs())?;
    let text = format!(
        "Somebody, probably you, asked for a new password for {email}.\n\n{}\n\nThis is good for one use within 24 hours. If it wasn't you, there \
         is nothing to do: your password stays as it is.\n",
        way(page, &token)
    );
    send(ctx, email, "Choose a new password", text).await
}

async fn invite_one(ctx: &Ctx, email: &str, role: Option<&Value>, page: Option<&Url>) -> Result<()> {
    // Before anything is said about users, so that who may not create any learns of none.
    ctx.granted(crate::auth::Action::Create, &*ctx.collection("daas_users", crate::auth::Action::Create)?)?;
    let known = match by(ctx, "email", email).await? {
        Some(known) if known.status == from(Purpose::Invite) => known,
        Some(_) => return Ok(()),
        None => {
            let user = Item::from_iter([("email".to_owned(), json!(email)), ("status".to_owned(), json!(from(Purpose::Invite)))]);
            ItemsService::new(ctx, "daas_users").create(vec![user]).await?;
            // A filter hook may have given them another address, which is then not the one that was invited.
            let created = by(ctx, "email", email).await?.filter(|known| known.status == from(Purpose::Invite));
            let known = created.ok_or_else(|| Error::new(ErrorCode::Conflict, "A hook made another user than the one who was invited"))?;
            if let Some(role) = role {
                let row = Item::from_iter([("user".to_owned(), json!(known.id)), ("role".to_owned(), role.clone())]);
                ItemsService::new(ctx, "daas_user_roles").create(vec![row]).await?;
            }
            known
        }
    };
    let token = ctx.core.signer.sign_mail(Purpose::Invite, &known.id, &known.stamp, INVITE_LIFE.num_seconds().unsigned_abs())?;
    let text = format!("You have been invited.\n\n{}\n\nThis is good for one use within 7 days.\n", way(page, &token));
    match send(ctx, email, "You have been invited", text).await? {
        Some(why) => Err(Error::new(ErrorCode::ServiceUnavailable, format!("Nobody was invited: {why}"))),
        None => Ok(()),
    }
}

/// What to do with a token.
fn way(page: Option<&Url>, token: &str) -> String {
    match page {
        Some(page) => {
            let mut page = page.clone();
            page.query_pairs_mut().append_pair("token", token);
            format!("Choose a password here:\n{page}")
        }
        None => format!("Choose a password where you sign in, with this token:\n{token}"),
    }
}

/// Has a mail sent after the commit. Why it can't be, if that is so.
async fn send(ctx: &Ctx, to: &str, subject: &str, text: String) -> Result<Option<String>> {
    let message = json!({ "to": [{ "address": to }], "subject": subject, "text": text });
    let sent = mail::send(&ctx.joining(), message.as_object().unwrap_or(&Item::new()), None).await?;
    Ok((sent["success"] != true).then(|| sent["error"].as_str().unwrap_or("the mail server refused it").to_owned()))
}

/// The page that a link leads to: one on the list, as it stands there. The first of them where none is named, or none at all.
fn page(allowed: &[Url], named: Option<&str>, field: &str, setting: &str) -> Result<Option<Url>> {
    let Some(named) = named else { return Ok(allowed.first().cloned()) };
    match Url::parse(named).ok().and_then(|named| allowed.iter().find(|page| **page == named)) {
        Some(page) => Ok(Some(page.clone())),
        None => {
            let message = format!("`{field}` must be one of the pages in `{setting}`, not: {}", show(&json!(named)));
            Err(Error::payload(message).with_field(field))
        }
    }
}

/// Whether it is one address and nothing besides, so that a mail goes to nobody else.
fn is_address(text: &str) -> bool {
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && !",;<>()[]\\\":".contains(c);
    let parts = text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    parts && text.len() <= MAX_EMAIL && text.chars().all(plain)
}

/// The user with this value of `field`, read with the host's rights and past hooks.
async fn by(ctx: &Ctx, field: &'static str, value: &str) -> Result<Option<Known>> {
    const FIELDS: [&str; 3] = ["id", "status", "password"];
    let users = ctx.op.schema.collection("daas_users").ok_or_else(|| Error::internal("daas_users is not declared"))?;
    let query = Query { filter: Some(Filter::field(field, Op::Eq(json!(value)))), ..Query::default() };
    let job = Arc::new((sql::select_locked(ctx.core.db.dialect(), users, &FIELDS, &query, Lock::None)?, sql::types(users, &FIELDS)?));
    let rows = ctx
        .read(move |conn| {
            let job = Arc::clone(&job);
            Box::pin(async move { conn.select(&job.0, &job.1).await })
        })
        .await?;
    Ok(rows.into_iter().next().and_then(|row| {
        Some(Known { id: row[0].as_str()?.to_owned(), status: row[1].as_str()?.to_owned(), stamp: token::stamp(row[2].as_str()) })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_one_of_the_list_to_the_letter() {
        let allowed =
            [Url::parse("https://app.example.com/reset").expect("a URL"), Url::parse("https://app.example.com/?p=1").expect("a URL")];
        let ask = |named| page(&allowed, named, "reset_url", "LIST").map(|page| page.map(String::from));
        assert_eq!(ask(None).expect("the default").as_deref(), Some("https://app.example.com/reset"));
        assert_eq!(ask(Some("HTTPS://app.example.com:443/reset")).expect("the same").as_deref(), Some("https://app.example.com/reset"));
        for other in [
            "https://app.example.com/reset?next=x",
            "https://app.example.com/reset#",
            "https://app.example.com/reset/",
            "https://app.example.com@evil.example/reset",
            "https://app.example.com.evil.example/reset",
            "http://app.example.com/reset",
            "//app.example.com/reset",
            "javascript:alert(1)",
            "",
        ] {
            assert_eq!(ask(Some(other)).expect_err(other).field(), Some("reset_url"));
        }
        assert!(page(&[], None, "reset_url", "LIST").expect("none").is_none());
        assert!(page(&[], Some("https://app.example.com/reset"), "reset_url", "LIST").is_err());
    }

    #[test]
    fn an_address_is_one_address() {
        assert!(is_address("ann.o'neill+x@mail.example.com") && is_address("zoë@exämple.com"));
        for other in ["", "ann", "@b", "a@", "a@b,c@d", "a@b c", "a@b\r\nBcc: c@d", "Ann <a@b>", "a@b;c", "a@b@c", "\"a b\"@c", "a@[::1]"] {
            assert!(!is_address(other), "{other}");
        }
        assert!(!is_address(&format!("{}@b", "a".repeat(300))));
    }
}
