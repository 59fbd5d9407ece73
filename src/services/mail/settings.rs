//! Which mail server: the environment, and over it what admins set by `/api/settings/smtp`.
//!
//! The password is kept encrypted under a key made from the host's secret, and is never answered.

use std::sync::Arc;

use serde_json::{Value, json};

use super::message::mailbox;
use crate::auth::Accountability;
use crate::config::{Secret, SmtpConfig};
use crate::db::sql::{self, Lock};
use crate::db::{Conn, Filter, Op, Query, system, timestamp};
use crate::error::{Error, Result};
use crate::services::members::{only, wrong};
use crate::services::query::show;
use crate::services::{Core, Ctx, Item, module_access};

/// The row's key.
const KEY: &str = "smtp";
/// What the sealed password belongs to.
const OWNER: &str = "settings smtp password";

const MEMBERS: [&str; 8] = ["enabled", "host", "port", "secure", "ignore_tls", "user", "password", "from"];

impl SmtpConfig {
    /// Whether the server is this machine, by its name.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Why nothing can be sent, if that is so.
    pub fn off(&self) -> Option<&'static str> {
        match (self.enabled, self.host.is_empty()) {
            (false, _) => Some("Mail is off: `SMTP_ENABLED` is `false`"),
            (true, true) => Some("Mail can't be sent: `SMTP_HOST` isn't set"),
            (true, false) => None,
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "enabled": self.enabled,
            "host": self.host,
            "port": self.port,
            "secure": self.secure,
            "ignore_tls": self.ignore_tls,
            "user": self.user,
            "password_set": self.password.is_some(),
            "from": self.from,
        })
    }
}

/// What holds now.
pub async fn current(core: &Core) -> Result<SmtpConfig> {
    merged(core, &stored(core).await?)
}

/// The same within an operation, on the connection of its transaction where it has one.
pub async fn current_in(ctx: &Ctx) -> Result<SmtpConfig> {
    merged(&ctx.core, &ctx.read(|conn| Box::pin(row(conn))).await?)
}

fn merged(core: &Core, row: &Item) -> Result<SmtpConfig> {
    let set = |name: &str| row.get(name).filter(|value| !value.is_null());
    let text = |name: &str, default: &Option<String>| set(name).and_then(Value::as_str).map(str::to_owned).or_else(|| default.clone());
    let flag = |name: &str, default: bool| set(name).and_then(Value::as_bool).unwrap_or(default);
    let config = &core.config.smtp;
    Ok(SmtpConfig {
        enabled: flag("enabled", config.enabled),
        host: set("host").and_then(Value::as_str).unwrap_or(&config.host).to_owned(),
        port: set("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok()).unwrap_or(config.port),
        secure: flag("secure", config.secure),
        ignore_tls: flag("ignore_tls", config.ignore_tls),
        user: text("user", &config.user),
        password: match set("password").and_then(Value::as_str) {
            Some(sealed) => Some(open(core, sealed)?),
            None => config.password.clone(),
        },
        from: text("from", &config.from),
    })
}

/// What holds now, without the password.
///
/// # Errors
/// 403 for those who may not manage settings.
pub async fn read(core: &Core, who: &Accountability) -> Result<Value> {
    manages(who)?;
    Ok(current(core).await?.to_json())
}

/// Changes settings; null takes one back to what the environment says.
///
/// # Errors
/// 403 for those who may not manage settings; 400 naming the member and what it may be.
pub async fn update(core: &Core, who: &Accountability, changes: Item) -> Result<Value> {
    manages(who)?;
    only(&changes, &MEMBERS)?;
    for (name, value) in changes.iter().filter(|(_, value)| !value.is_null()) {
        check(name, value)?;
    }
    let mut set = stored(core).await?;
    for (name, value) in changes {
        match (name.as_str(), value) {
            (_, Value::Null) => drop(set.shift_remove(&name)),
            ("password", Value::String(password)) => drop(set.insert(name, json!(core.sealer.seal(OWNER, &password)?))),
            (_, value) => drop(set.insert(name, value)),
        }
    }
    let (table, now) = (system::settings_table(), timestamp(core.clock.now()));
    let row = Item::from_iter([
        ("value".to_owned(), Value::Object(set)),
        ("updated_at".to_owned(), json!(now)),
        ("updated_by".to_owned(), json!(who.user_id())),
    ]);
    let mut whole = row.clone();
    whole.insert("key".to_owned(), json!(KEY));
    let dialect = core.db.dialect();
    let statements = Arc::new((
        sql::update_where(dialect, &table, &Filter::field("key", Op::Eq(json!(KEY))), &row)?,
        sql::insert(dialect, &table, &whole, &[])?,
    ));
    core.db
        .write(move |conn| {
            let statements = Arc::clone(&statements);
            Box::pin(async move {
                if conn.execute(&statements.0).await? == 0 {
                    conn.execute(&statements.1).await?;
                }
                Ok(())
            })
        })
        .await?;
    read(core, who).await
}

/// Seals the stored password anew where it was sealed with the secret before. Called at the start.
pub async fn seal_anew(core: &Core) -> Result<()> {
    let mut set = stored(core).await?;
    let opened = set.get("password").and_then(Value::as_str).and_then(|sealed| core.sealer.open(OWNER, sealed));
    let Some(opened) = opened.filter(|opened| opened.is_old) else { return Ok(()) };
    set.insert("password".to_owned(), json!(core.sealer.seal(OWNER, &opened.text)?));
    let row = Item::from_iter([("value".to_owned(), Value::Object(set))]);
    let this = Filter::field("key", Op::Eq(json!(KEY)));
    core.db.write_all(vec![sql::update_where(core.db.dialect(), &system::settings_table(), &this, &row)?]).await
}

pub(super) fn manages(who: &Accountability) -> Result<()> {
    match who.grants.module(module_access::SCHEMA) {
        Some(_) => Ok(()),
        None => Err(Error::forbidden("Settings are managed by admins, and by those whose policies have the module `system:schema`")),
    }
}

fn check(name: &str, value: &Value) -> Result<()> {
    let not = |wanted: &str| {
        Err(wrong(name, &format!("must be {wanted}, not: {}", if name == "password" { "…".to_owned() } else { show(value) })))
    };
    let line = |text: &str, max: usize| !text.chars().any(char::is_control) && text.len() <= max;
    match (name, value) {
        ("enabled" | "secure" | "ignore_tls", Value::Bool(_)) => Ok(()),
        ("enabled" | "secure" | "ignore_tls", _) => not("true or false"),
        ("port", value) if value.as_u64().is_some_and(|port| (1..=65_535).contains(&port)) => Ok(()),
        ("port", _) => not("a whole number from 1 to 65535"),
        ("host", Value::String(host)) if line(host, 255) && !host.contains(char::is_whitespace) && !host.contains('/') => Ok(()),
        ("host", _) => not("the name of a mail server"),
        ("from", Value::String(from)) if line(from, 500) && mailbox(from).is_ok() => Ok(()),
        ("from", _) => not("an e-mail address, with or without a name"),
        (_, Value::String(text)) if line(text, 1_000) => Ok(()),
        _ => not("a text in one line"),
    }
}

async fn stored(core: &Core) -> Result<Item> {
    core.db.read(|conn| Box::pin(row(conn))).await
}

async fn row(conn: &mut Conn<'_>) -> Result<Item> {
    let table = system::settings_table();
    let query = Query { filter: Some(Filter::field("key", Op::Eq(json!(KEY)))), ..Query::default() };
    let statement = sql::select_locked(conn.dialect(), &table, &["value"], &query, Lock::None)?;
    let rows = conn.select(&statement, &sql::types(&table, &["value"])?).await?;
    Ok(rows.into_iter().flatten().next().and_then(|value| value.as_object().cloned()).unwrap_or_default())
}

fn open(core: &Core, sealed: &str) -> Result<Secret> {
    let other = || Error::internal("the stored SMTP password can't be read with this `SECRET`: set it again");
    core.sealer.open(OWNER, sealed).map(|opened| Secret::new(opened.text)).ok_or_else(other)
}
