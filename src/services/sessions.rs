//! Signing in, staying signed in, signing out.
//!
//! Refresh tokens rotate: each is good for one use. One that comes back after its use was stolen or replayed, so its whole family ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Core, Item};
use crate::auth::{Accountability, token};
use crate::db::sql::{self, Lock};
use crate::db::{Collection, Filter, Op, Query, system, timestamp};
use crate::error::{Error, ErrorCode, Result};

/// What a caller gets for signing in.
#[derive(Debug)]
pub struct Tokens {
    /// For `Authorization: Bearer`.
    pub access: String,
    /// For `/refresh` and `/logout`.
    pub refresh: String,
    /// Life of the access token.
    pub expires: Duration,
}

/// Slows down guessing: so many failures per account, and per address, within the window, then 429 without a look at the password.
#[derive(Default)]
pub struct Throttle {
    /// Failures by fingerprint, so that what is kept has a size whatever was sent. Short sections only: a std mutex.
    failures: Mutex<HashMap<String, (u32, Instant)>>,
}

const WINDOW: Duration = Duration::from_secs(60);
const MAX_PER_ACCOUNT: u32 = 10;
/// An address may be shared by many people.
const MAX_PER_ADDRESS: u32 = 50;
const MAX_WATCHED: usize = 100_000;

impl Throttle {
    /// Counts an attempt before its outcome is known, so that many at once are as slow as one after the other.
    fn attempt(&self, email: &str, ip: Option<&str>) -> Result<()> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MAX_WATCHED {
            failures.retain(|_, (_, since)| since.elapsed() < WINDOW);
            if failures.len() >= MAX_WATCHED {
                return Err(too_many(WINDOW));
            }
        }
        for (key, max) in keys(email, ip) {
            let entry = failures.entry(key).or_insert((0, Instant::now()));
            if entry.1.elapsed() >= WINDOW {
                *entry = (0, Instant::now());
            }
            if entry.0 >= max {
                return Err(too_many(WINDOW.saturating_sub(entry.1.elapsed())));
            }
            entry.0 += 1;
        }
        Ok(())
    }

    /// Takes an attempt back: it wasn't a guess.
    fn succeeded(&self, email: &str, ip: Option<&str>) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, _) in keys(email, ip) {
            if let Some(entry) = failures.get_mut(&key) {
                entry.0 = entry.0.saturating_sub(1);
            }
        }
    }
}

fn keys(email: &str, ip: Option<&str>) -> impl Iterator<Item = (String, u32)> {
    let address = ip.map(|ip| (token::fingerprint(&format!("address {ip}")), MAX_PER_ADDRESS));
    [Some((token::fingerprint(&format!("account {email}")), MAX_PER_ACCOUNT)), address].into_iter().flatten()
}

fn too_many(wait: Duration) -> Error {
    let secs = wait.as_secs() + 1;
    Error::new(ErrorCode::RequestsExceeded, format!("Too many failed attempts: try again in {secs} seconds")).with_retry_after(secs)
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

    /// Tokens for an active user with that password. One sentence for every way to be wrong.
    pub async fn login(&self, email: &str, password: &str, origin: Origin) -> Result<Tokens> {
        let email = email.trim().to_lowercase();
        // No address is longer (RFC 5321), so nobody's is looked for.
        if email.len() > 254 {
            return Err(wrong());
        }
        let ip = origin.ip.clone();
        self.throttle.attempt(&email, ip.as_deref())?;
        let found = self.find_by_email(&email).await?;
        let stored = found.as_ref().and_then(|(_, hash)| hash.as_deref());
        if !self.core.passwords.verify(password, stored).await? {
            return Err(wrong());
        }
        self.throttle.succeeded(&email, ip.as_deref());
        let (user, _) = found.ok_or_else(wrong)?;
        self.issue(&user, uuid::Uuid::now_v7(), origin, None).await
    }

    /// New tokens for a refresh token, which is used up by this.
    pub async fn refresh(&self, refresh: &str, origin: Origin) -> Result<Tokens> {
        let session = self.session(refresh).await?.ok_or_else(invalid)?;
        if session.used {
            self.revoke(&session.family).await?;
            tracing::warn!(family = %session.family, "a refresh token was used twice: its family is revoked");
            return Err(invalid());
        }
        if session.revoked || session.expires_at <= self.core.clock.now() || self.core.directory.user(&session.user).await?.is_none() {
            return Err(invalid());
        }
        let family = session.family.parse().map_err(|_| Error::internal("a session's family is no UUID"))?;
        self.issue(&session.user, family, origin, Some(token::fingerprint(refresh))).await
    }

    /// Ends the family of a refresh token. One that is unknown has ended already.
    pub async fn logout(&self, refresh: &str) -> Result<()> {
        match self.session(refresh).await? {
            Some(session) => self.revoke(&session.family).await,
            None => Ok(()),
        }
    }

    /// Who a bearer token stands for, or why it stands for nobody.
    pub async fn bearer(&self, bearer: &str) -> Result<Accountability> {
        self.recognise(bearer).await?.ok_or_else(unknown)
    }

    /// Who a bearer token stands for; `None` for one that this host never made, which may be somebody else's.
    ///
    /// # Errors
    /// `TokenExpired`, and `InvalidCredentials` for a token of ours whose user isn't active any more.
    pub async fn recognise(&self, bearer: &str) -> Result<Option<Accountability>> {
        if !token::looks_signed(bearer) {
            return Ok(self.core.directory.by_token(&token::fingerprint(bearer)).await?.map(Accountability::user));
        }
        match self.core.signer.check(bearer) {
            Ok(claims) => {
                let user = self.core.directory.user(&claims.id).await?.ok_or_else(unknown)?;
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

    /// Writes a session and signs its tokens. `used` is the refresh token that is used up by this: if somebody else used it meanwhile,
    /// its family ends.
    async fn issue(&self, user: &str, family: uuid::Uuid, origin: Origin, used: Option<String>) -> Result<Tokens> {
        let (dialect, now) = (self.core.db.dialect(), self.core.clock.now());
        let refresh = token::random(32)?;
        let life = TimeDelta::from_std(self.core.config.refresh_token_ttl).map_err(|e| Error::internal(format!("token life: {e}")))?;
        let table = system::sessions_table();
        let row = json!({
            "token_hash": token::fingerprint(&refresh),
            "family": family.to_string(),
            "user": user,
            "issued_at": timestamp(now),
            "expires_at": timestamp(now + life),
            "ip": origin.ip,
            "user_agent": origin.user_agent,
        });
        let insert = sql::insert(dialect, &table, row.as_object().unwrap_or(&Item::new()), &[])?;
        let rotate = match used {
            Some(hash) => {
                let fresh = Filter::And(vec![
                    Filter::field("token_hash", Op::Eq(json!(hash))),
                    Filter::field("rotated_at", Op::Null),
                    Filter::field("revoked_at", Op::Null),
                ]);
                Some(sql::update_where(dialect, &table, &fresh, &Item::from_iter([("rotated_at".to_owned(), json!(timestamp(now)))]))?)
            }
            None => None,
        };
        let statements = Arc::new((rotate, insert));
        let rotated = self
            .core
            .db
            .write(move |conn| {
                let statements = Arc::clone(&statements);
                Box::pin(async move {
                    if let Some(rotate) = &statements.0
                        && conn.execute(rotate).await? == 0
                    {
                        return Ok(false);
                    }
                    conn.execute(&statements.1).await.map(|_| true)
                })
            })
            .await?;
        if !rotated {
            self.revoke(&family.to_string()).await?;
            return Err(invalid());
        }
        let expires = self.core.config.access_token_ttl;
        Ok(Tokens { access: self.core.signer.sign(user, expires.as_secs())?, refresh, expires })
    }

    async fn session(&self, refresh: &str) -> Result<Option<Session>> {
        let table = system::sessions_table();
        let wanted = Filter::field("token_hash", Op::Eq(json!(token::fingerprint(refresh))));
        let rows = self.select(&table, &["family", "user", "expires_at", "rotated_at", "revoked_at"], wanted).await?;
        Ok(rows.into_iter().next().and_then(|row| {
            Some(Session {
                family: row[0].as_str()?.to_owned(),
                user: row[1].as_str()?.to_owned(),
                expires_at: DateTime::parse_from_rfc3339(row[2].as_str()?).ok()?.with_timezone(&Utc),
                used: row[3] != Value::Null,
                revoked: row[4] != Value::Null,
            })
        }))
    }

    async fn revoke(&self, family: &str) -> Result<()> {
        let changes = Item::from_iter([("revoked_at".to_owned(), json!(timestamp(self.core.clock.now())))]);
        let these = Filter::field("family", Op::Eq(json!(family)));
        let sql = Arc::new(sql::update_where(self.core.db.dialect(), &system::sessions_table(), &these, &changes)?);
        self.core
            .db
            .write(move |conn| {
                let sql = Arc::clone(&sql);
                Box::pin(async move { conn.execute(&sql).await.map(drop) })
            })
            .await
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

struct Session {
    family: String,
    user: String,
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
