//! Signing in, staying signed in, signing out.
//!
//! A sign-in is one of two things. A pair: a signed access token for a short time, and a refresh token that rotates. Each refresh token is
//! good for one use; one that comes back after its use was stolen or replayed, so its whole family ends. Or a session: one random token in a
//! cookie of a browser, looked up with every request. It doesn't rotate, so that the tabs of one browser can't end each other's sign-in; a
//! refresh makes it last longer.
//!
//! Both are bound to the stamp of the user: with another password all of them are over, at once and on every host.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::auth_events::{self, Told};
use super::operation::Start;
use super::throttle::{Counted, Throttle, network};
use super::{Core, Ctx, Item};
use crate::auth::{Accountability, User, token};
use crate::db::sql::{self, Lock};
use crate::db::{Collection, Filter, Op, Query, Sql, system, timestamp};
use crate::error::{Error, ErrorCode, Result};

/// No address is longer (RFC 5321), so nobody's is looked for.
pub const MAX_EMAIL: usize = 254;

/// What somebody who signs in gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An access token and a refresh token.
    Pair,
    /// One token, for a cookie.
    Session,
}

impl Form {
    /// What is stored of the token. A token of one form is nothing in the other.
    fn fingerprint(self, secret: &str) -> String {
        match self {
            Self::Pair => token::fingerprint(secret),
            Self::Session => token::fingerprint(&format!("session {secret}")),
        }
    }
}

/// What a caller gets for signing in.
#[derive(Debug)]
pub struct Tokens {
    /// For `Authorization: Bearer`; a session has none.
    pub access: Option<String>,
    /// The refresh token, or the session's.
    pub secret: String,
    /// Life of the access token, or of the session.
    pub expires: Duration,
    /// Life of `secret`.
    pub life: Duration,
}

/// Where a caller signs in from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The address.
    pub ip: Option<String>,
    /// The client.
    pub user_agent: Option<String>,
}

/// Sign-in and everything around it.
pub struct Sessions {
    core: Arc<Core>,
    throttle: Throttle,
}

impl Sessions {
    /// Joined in `app`.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core, throttle: Throttle::default() }
    }

    /// Tokens for an active user with that password. One sentence for every way to be wrong, and the same work.
    ///
    /// # Errors
    /// `InvalidCredentials`; `RequestsExceeded` after too many of these; what a filter of `auth.login` throws.
    pub async fn login(&self, start: Start, email: &str, password: &str, form: Form, origin: Origin) -> Result<Tokens> {
        let email = email.trim().to_lowercase();
        if email.len() > MAX_EMAIL {
            return Err(wrong());
        }
        let address = origin.ip.as_deref().map(network).unwrap_or_default();
        let counted = [Counted::Address(&address), Counted::Account(&email)];
        self.throttle.attempt(&counted)?;
        let looked = async {
            let found = self.find_by_email(&email).await?;
            let stored = found.as_ref().and_then(|(_, hash)| hash.as_deref());
            let right = self.core.passwords.verify(password, stored).await?;
            Ok::<_, Error>((found, right))
        };
        let (found, right) = match looked.await {
            Ok(looked) => looked,
            Err(error) => {
                // Nobody was told anything about the password.
                self.throttle.take_back(&counted);
                return Err(error);
            }
        };
        let user = match &found {
            Some((id, _)) if right => self.core.directory.user(id).await?,
            _ => None,
        };
        let Some(user) = user else {
            let user = found.as_ref().map(|(id, _)| id.as_str());
            auth_events::failed(&self.core.open(&start), user, &email);
            return Err(wrong());
        };
        self.throttle.take_back(&counted);
        // Bound to the password that was looked at: should it have been changed meanwhile, this sign-in is over already.
        let stamp = token::stamp(found.as_ref().and_then(|(_, hash)| hash.as_deref()));
        let is_admin = Accountability::user(Arc::clone(&user)).located(origin.ip.as_deref(), None).is_admin();
        self.core
            .operate(start, |ctx| {
                let (user, stamp, origin, email) = (&user, &stamp, &origin, &email);
                async move {
                    auth_events::may_log_in(&ctx, &user.id, email, is_admin).await?;
                    let issue = self.issue(&user.id, stamp, Uuid::now_v7(), form, origin)?;
                    let told = Told::login(&ctx, &user.id, email);
                    let mut statements = issue.statements;
                    statements.extend(self.housekeeping(&user.id)?);
                    written(&ctx, statements, told).await?;
                    Ok(issue.tokens)
                }
            })
            .await
    }

    /// New tokens for a refresh token, which is used up by this; or more time for a session, whose token stays.
    ///
    /// # Errors
    /// `InvalidCredentials` for one that isn't good any more. If that is because it was used before, its family ends.
    pub async fn refresh(&self, secret: &str, form: Form, origin: Origin) -> Result<Tokens> {
        let session = self.session(secret, form).await?.ok_or_else(invalid)?;
        if session.used {
            self.revoke(&session.family).await?;
            tracing::warn!(family = %session.family, "a refresh token was used twice: its family is revoked");
            return Err(invalid());
        }
        self.owner(&session).await?.ok_or_else(invalid)?;
        match form {
            Form::Pair => {
                let family = session.family.parse().map_err(|_| Error::internal("a session's family is no UUID"))?;
                let issue = self.issue(&session.user, &session.stamp, family, form, &origin)?;
                let rotated = Item::from_iter([("rotated_at".to_owned(), json!(timestamp(self.core.clock.now())))]);
                if self.change_live(secret, form, &rotated, issue.statements).await? {
                    return Ok(issue.tokens);
                }
                // Somebody else used it meanwhile.
                self.revoke(&session.family).await?;
                tracing::warn!(family = %session.family, "a refresh token was used twice at once: its family is revoked");
                Err(invalid())
            }
            Form::Session => {
                let life = self.core.config.session_ttl;
                let longer = Item::from_iter([("expires_at".to_owned(), json!(self.after(life)?))]);
                match self.change_live(secret, form, &longer, Vec::new()).await? {
                    true => Ok(Tokens { access: None, secret: secret.to_owned(), expires: life, life }),
                    false => Err(invalid()),
                }
            }
        }
    }

    /// Ends a sign-in. One that is unknown has ended already.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn logout(&self, start: Start, secret: &str, form: Form) -> Result<()> {
        let Some(session) = self.session(secret, form).await?.filter(|session| !session.revoked) else { return Ok(()) };
        let user = self.core.directory.user(&session.user).await?;
        let email = user.as_ref().map(|user| user.email.as_str());
        self.core
            .operate(start, |ctx| {
                let session = &session;
                async move {
                    let told = Told::logout(&ctx, &session.user, email);
                    written(&ctx, vec![self.revoked(&session.family)?], told).await
                }
            })
            .await
    }

    /// Who a session's token stands for now.
    ///
    /// # Errors
    /// `InvalidCredentials` for one that has ended.
    pub async fn in_session(&self, secret: &str) -> Result<Accountability> {
        let ended = || Error::new(ErrorCode::InvalidCredentials, "The session has ended: sign in again");
        let session = self.session(secret, Form::Session).await?.ok_or_else(ended)?;
        Ok(Accountability::user(self.owner(&session).await?.ok_or_else(ended)?))
    }

    /// Who a bearer token stands for, or why it stands for nobody.
    pub async fn bearer(&self, bearer: &str) -> Result<Accountability> {
        self.recognise(bearer).await?.ok_or_else(unknown)
    }

    /// Who a bearer token stands for; `None` for one that this host never made, which may be somebody else's.
    ///
    /// # Errors
    /// `TokenExpired`, and `InvalidCredentials` for a token of ours whose user isn't active any more, or has another password.
    pub async fn recognise(&self, bearer: &str) -> Result<Option<Accountability>> {
        if !token::looks_signed(bearer) {
            return Ok(self.core.directory.by_token(&token::fingerprint(bearer)).await?.map(Accountability::user));
        }
        match self.core.signer.check(bearer) {
            Ok(claims) => {
                let user = self.core.directory.user(&claims.id).await?;
                let user = user.filter(|user| user.stamp == claims.stamp).ok_or_else(unknown)?;
                Ok(Some(Accountability::user(user)))
            }
            Err(error) if error.code() == ErrorCode::InvalidCredentials => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A caller without credentials.
    pub async fn anonymous(&self) -> Result<Accountability> {
        Ok(Accountability::anonymous(self.core.directory.public().await?))
    }

    async fn find_by_email(&self, email: &str) -> Result<Option<(String, Option<String>)>> {
        if email.contains('\0') {
            return Ok(None);
        }
        let schema = self.core.schema();
        let users = schema.collection("daas_users").ok_or_else(|| Error::internal("daas_users is not declared"))?;
        let wanted = Filter::And(vec![Filter::field("email", Op::Eq(json!(email))), Filter::field("status", Op::Eq(json!("active")))]);
        let rows = self.select(users, &["id", "password"], wanted).await?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Ok(rows.first().and_then(|row| Some((text(&row[0])?, text(&row[1])))))
    }

    /// New tokens, and the statement that makes them good.
    fn issue(&self, user: &str, stamp: &str, family: Uuid, form: Form, origin: &Origin) -> Result<Issue> {
        let config = &self.core.config;
        let (secret, access, expires, life) = match form {
            Form::Pair => {
                let expires = config.access_token_ttl;
                let access = self.core.signer.sign(user, stamp, expires.as_secs())?;
                (token::random(32)?, Some(access), expires, config.refresh_token_ttl)
            }
            Form::Session => (token::random(32)?, None, config.session_ttl, config.session_ttl),
        };
        let row = json!({
            "token_hash": form.fingerprint(&secret),
            "family": family.to_string(),
            "user": user,
            "issued_at": timestamp(self.core.clock.now()),
            "expires_at": self.after(life)?,
            "ip": origin.ip,
            "user_agent": origin.user_agent,
            "stamp": stamp,
        });
        let insert = sql::insert(self.core.db.dialect(), &system::sessions_table(), row.as_object().unwrap_or(&Item::new()), &[])?;
        Ok(Issue { tokens: Tokens { access, secret, expires, life }, statements: vec![insert] })
    }

    fn after(&self, life: Duration) -> Result<String> {
        let life = TimeDelta::from_std(life).map_err(|e| Error::internal(format!("token life: {e}")))?;
        Ok(timestamp(self.core.clock.now() + life))
    }

    /// What a login does besides: it is noted at the user, and what ran out of theirs is forgotten.
    fn housekeeping(&self, user: &str) -> Result<[Sql; 2]> {
        let (dialect, now) = (self.core.db.dialect(), json!(timestamp(self.core.clock.now())));
        let over = Filter::And(vec![Filter::field("user", Op::Eq(json!(user))), Filter::field("expires_at", Op::Lt(now.clone()))]);
        let schema = self.core.schema();
        let users = schema.collection("daas_users").ok_or_else(|| Error::internal("daas_users is not declared"))?;
        let access = Item::from_iter([("last_access".to_owned(), now)]);
        Ok([
            sql::delete_where(dialect, &system::sessions_table(), &over)?,
            sql::update_where(dialect, users, &Filter::field("id", Op::Eq(json!(user))), &access)?,
        ])
    }

    /// Changes the row of a token that is still good, and runs `then` with it. False, and nothing is done, where it isn't.
    async fn change_live(&self, secret: &str, form: Form, changes: &Item, then: Vec<Sql>) -> Result<bool> {
        let live = Filter::And(vec![
            Filter::field("token_hash", Op::Eq(json!(form.fingerprint(secret)))),
            Filter::field("rotated_at", Op::Null),
            Filter::field("revoked_at", Op::Null),
        ]);
        let statements = Arc::new((sql::update_where(self.core.db.dialect(), &system::sessions_table(), &live, changes)?, then));
        self.core
            .db
            .write(move |conn| {
                let statements = Arc::clone(&statements);
                Box::pin(async move {
                    if conn.execute(&statements.0).await? == 0 {
                        return Ok(false);
                    }
                    for statement in &statements.1 {
                        conn.execute(statement).await?;
                    }
                    Ok(true)
                })
            })
            .await
    }

    /// Whose sign-in this is, as far as it is good.
    async fn owner(&self, session: &Session) -> Result<Option<Arc<User>>> {
        if session.used || session.revoked || session.expires_at <= self.core.clock.now() {
            return Ok(None);
        }
        Ok(self.core.directory.user(&session.user).await?.filter(|user| user.stamp == session.stamp))
    }

    async fn session(&self, secret: &str, form: Form) -> Result<Option<Session>> {
        let table = system::sessions_table();
        let wanted = Filter::field("token_hash", Op::Eq(json!(form.fingerprint(secret))));
        let rows = self.select(&table, &["family", "user", "expires_at", "rotated_at", "revoked_at", "stamp"], wanted).await?;
        Ok(rows.into_iter().next().and_then(|row| {
            Some(Session {
                family: row[0].as_str()?.to_owned(),
                user: row[1].as_str()?.to_owned(),
                expires_at: DateTime::parse_from_rfc3339(row[2].as_str()?).ok()?.with_timezone(&Utc),
                used: row[3] != Value::Null,
                revoked: row[4] != Value::Null,
                stamp: row[5].as_str()?.to_owned(),
            })
        }))
    }

    fn revoked(&self, family: &str) -> Result<Sql> {
        let changes = Item::from_iter([("revoked_at".to_owned(), json!(timestamp(self.core.clock.now())))]);
        let these = Filter::field("family", Op::Eq(json!(family)));
        sql::update_where(self.core.db.dialect(), &system::sessions_table(), &these, &changes)
    }

    async fn revoke(&self, family: &str) -> Result<()> {
        self.core.db.write_all(vec![self.revoked(family)?]).await
    }

    async fn select(&self, table: &Collection, fields: &[&str], filter: Filter) -> Result<Vec<Vec<Value>>> {
        let query = Query { filter: Some(filter), ..Query::default() };
        let job = Arc::new((sql::select_locked(self.core.db.dialect(), table, fields, &query, Lock::None)?, sql::types(table, fields)?));
        self.core
            .db
            .read(move |conn| {
                let job = Arc::clone(&job);
                Box::pin(async move { conn.select(&job.0, &job.1).await })
            })
            .await
    }
}

/// Runs the statements and makes owed what follows from them.
async fn written(ctx: &Ctx, statements: Vec<Sql>, told: Told) -> Result<()> {
    let (job, now) = (Arc::new((statements, told.clone())), ctx.core.clock.now());
    let owed = ctx
        .write(move |conn| {
            let job = Arc::clone(&job);
            Box::pin(async move {
                for statement in &job.0 {
                    conn.execute(statement).await?;
                }
                job.1.owe(conn, now).await
            })
        })
        .await?;
    told.note(ctx, owed);
    Ok(())
}

struct Issue {
    tokens: Tokens,
    statements: Vec<Sql>,
}

struct Session {
    family: String,
    user: String,
    stamp: String,
    expires_at: DateTime<Utc>,
    used: bool,
    revoked: bool,
}

fn wrong() -> Error {
    Error::new(ErrorCode::InvalidCredentials, "E-mail or password isn't right")
}

fn unknown() -> Error {
    Error::new(ErrorCode::InvalidCredentials, "The access token isn't valid")
}

fn invalid() -> Error {
    Error::new(ErrorCode::InvalidCredentials, "The refresh token isn't valid: sign in again")
}
