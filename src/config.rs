//! Every setting: its name, its default, what it is for and what it may be.
//!
//! Read once at start. All mistakes are reported together, each as a sentence that names the variable, the value and what is allowed.
//! Secrets don't print.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::outbound;

/// One setting as `trellis config` and the README's table show it.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What holds when the variable is missing or empty; "" means no value.
    pub default: &'static str,
    /// What it is for, with units and range.
    pub doc: &'static str,
}

/// Every setting there is.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "DATABASE_URL",
        default: "sqlite://data/trellis.db",
        doc: "`sqlite://path` or `postgres://user:password@host/database`",
    },
    Setting { name: "DATABASE_POOL_SIZE", default: "10", doc: "connections to Postgres, 1 to 1000" },
    Setting {
        name: "DATABASE_LISTEN",
        default: "true",
        doc: "`false` where connections to Postgres go through a pooler that doesn't let LISTEN through, such as PgBouncer per transaction; it takes one connection more",
    },
    Setting {
        name: "DATABASE_PREPARED",
        default: "true",
        doc: "`false` where a pooler gives each transaction another connection to Postgres, such as PgBouncer per transaction: statements aren't kept prepared then",
    },
    Setting {
        name: "DATA_PATH",
        default: "data",
        doc: "directory for what the host keeps outside the database, such as the generated secret",
    },
    Setting { name: "HOST", default: "127.0.0.1", doc: "address to listen on" },
    Setting { name: "PORT", default: "8055", doc: "port to listen on; 0 takes a free one" },
    Setting {
        name: "PUBLIC_URL",
        default: "",
        doc: "the URL under which clients reach this server; by default made from `HOST` and `PORT`",
    },
    Setting { name: "SECRET", default: "", doc: "signs tokens, at least 16 characters; generated and kept in `DATA_PATH` where missing" },
    Setting {
        name: "SECRET_PREVIOUS",
        default: "",
        doc: "the `SECRET` before, while it is replaced: what it encrypted is encrypted anew at the start",
    },
    Setting { name: "ADMIN_EMAIL", default: "admin@example.com", doc: "e-mail of the admin that the first start creates" },
    Setting { name: "ADMIN_PASSWORD", default: "", doc: "that admin's password; generated and printed once where missing" },
    Setting { name: "ADMIN_TOKEN", default: "", doc: "a static token for that admin, at least 16 characters" },
    Setting { name: "ACCESS_TOKEN_TTL_SECS", default: "900", doc: "life of an access token in seconds, 10 to 86400" },
    Setting { name: "REFRESH_TOKEN_TTL_SECS", default: "604800", doc: "life of a refresh token in seconds, 60 to 31536000" },
    Setting { name: "SESSION_TTL_SECS", default: "86400", doc: "life of a session cookie without a refresh in seconds, 60 to 31536000" },
    Setting {
        name: "COOKIE_SECURE",
        default: "",
        doc: "`true` has browsers send the cookies of sign-ins over HTTPS only; by default so where `PUBLIC_URL` is `https://`",
    },
    Setting {
        name: "PASSWORD_RESET_URL_ALLOW_LIST",
        default: "",
        doc: "comma-separated URLs of pages that take a new password, which callers may name as `reset_url`; the first is the default",
    },
    Setting {
        name: "USER_INVITE_URL_ALLOW_LIST",
        default: "",
        doc: "the same for pages where invited users set their first password, as `invite_url`",
    },
    Setting { name: "REQUEST_TIMEOUT_MS", default: "30000", doc: "longest operation with all its hooks in milliseconds, 100 to 600000" },
    Setting { name: "TX_MAX_MS", default: "500", doc: "longest time a filter hook's transaction stays open in milliseconds, 10 to 60000" },
    Setting { name: "QUERY_LIMIT_MAX", default: "10000", doc: "most rows that one read answers, 1 to 1000000" },
    Setting { name: "EXTENSIONS_PATH", default: "extensions", doc: "directory whose folders are extensions; it needn't exist" },
    Setting { name: "EXTENSIONS_WATCH", default: "true", doc: "`false` reads the folders at start only" },
    Setting { name: "EXTENSIONS_SAFE_MODE", default: "false", doc: "`true` starts with no extension active" },
    Setting {
        name: "EXTENSION_ORIGIN",
        default: "",
        doc: "an origin of its own for routes that answer HTML, such as `https://ext.example.com`: requests that come to it are answered without `Content-Security-Policy: sandbox`",
    },
    Setting { name: "EXTENSION_MAX_PAYLOAD", default: "10485760", doc: "largest argument or result of a hook in bytes, 1024 to 104857600" },
    Setting { name: "EXTENSION_MAX_DEPTH", default: "8", doc: "how deep hooks may trigger hooks, 1 to 64" },
    Setting {
        name: "EXTENSION_MAX_IN_FLIGHT",
        default: "64",
        doc: "calls of one extension that run at once, 1 to 10000; hooks, routes and streaming answers each",
    },
    Setting {
        name: "EXTENSION_MAX_WAITING",
        default: "256",
        doc: "calls of one extension that wait at once, 0 to 100000; hooks and routes each",
    },
    Setting { name: "CRON_ENABLED", default: "true", doc: "`false` runs no job, neither by the clock nor by hand" },
    Setting { name: "CRON_HISTORY_RETENTION", default: "100", doc: "runs of each job that its history keeps, 1 to 10000" },
    Setting { name: "MCP_ENABLED", default: "true", doc: "`false` takes `/api/mcp`, the door for agents, away" },
    Setting { name: "MCP_ALLOW_DELETES", default: "false", doc: "`true` lets agents delete, as far as their users may" },
    Setting {
        name: "MCP_ACTIVATION",
        default: "direct",
        doc: "`approve` has what agents change about active extensions wait until a person confirms it over REST",
    },
    Setting {
        name: "SMTP_ENABLED",
        default: "false",
        doc: "`true` sends mail; these settings may be changed at run time by `/api/settings/smtp`",
    },
    Setting { name: "SMTP_HOST", default: "", doc: "the mail server" },
    Setting { name: "SMTP_PORT", default: "587", doc: "its port, 1 to 65535" },
    Setting {
        name: "SMTP_SECURE",
        default: "false",
        doc: "`true` speaks TLS from the first byte, as on port 465; else STARTTLS is used where it is offered",
    },
    Setting { name: "SMTP_IGNORE_TLS", default: "false", doc: "`true` uses no STARTTLS, and sends the password in the clear" },
    Setting { name: "SMTP_USER", default: "", doc: "who signs in at the mail server; nobody by default" },
    Setting { name: "SMTP_PASSWORD", default: "", doc: "with which password" },
    Setting { name: "SMTP_FROM", default: "", doc: "the sender of mail that names none, such as `Trellis <noreply@example.com>`" },
    Setting {
        name: "DELIVERIES_KEEP_DEAD_DAYS",
        default: "30",
        doc: "how long deliveries to action hooks that were given up are kept in days, 1 to 3650",
    },
    Setting {
        name: "EVENT_SAMPLES",
        default: "true",
        doc: "`false` keeps no samples of what callers send to operations that filter hooks hear",
    },
    Setting {
        name: "METRICS_TOKEN",
        default: "",
        doc: "a token of 16 or more characters that reads `/metrics` and nothing else, for Prometheus",
    },
    Setting {
        name: "SANDBOX",
        default: "required",
        doc: "`degraded` starts even where workers can't be locked in by seccomp (development only)",
    },
    Setting {
        name: "WORKER_MEMORY_MB",
        default: "",
        doc: "memory of all workers together in MiB, 64 or more; a quarter of the machine's by default",
    },
    Setting {
        name: "RUNTIME_ENV_WHITELIST_GLOBAL",
        default: "",
        doc: "comma-separated names of variables that code may read as `services.env.NAME`",
    },
    Setting { name: "RUNTIME_ENV_WHITELIST_EXTENSION", default: "", doc: "the same, for extensions only" },
    Setting {
        name: "EXTENSION_ALLOWED_DOMAINS",
        default: "",
        doc: "comma-separated places that `fetch` may reach: `api.example.com`, `*.example.com`, `host:port`, `erp.internal@10.0.0.0/8`, `localhost`, an IP address; nothing by default",
    },
    Setting {
        name: "EXTENSION_HTTP_PROXY",
        default: "",
        doc: "a proxy that every `fetch` goes through, `http://[user:password@]host:port`; `HTTP_PROXY` and its kin are ignored",
    },
    Setting {
        name: "EXTENSION_CA_FILE",
        default: "",
        doc: "a file of PEM certificates that `fetch` believes besides the public authorities, for servers with a private one",
    },
    Setting {
        name: "EXTENSION_DNS_SERVERS",
        default: "",
        doc: "comma-separated DNS servers that `fetch` asks, such as `10.0.0.2` or `10.0.0.2:5353`; by default names are resolved as the machine does it",
    },
    Setting { name: "EXTENSION_FETCH_MAX", default: "50", doc: "requests that one call may make with `fetch`, 1 to 10000" },
    Setting {
        name: "EXTENSION_FETCH_MAX_BODY",
        default: "10485760",
        doc: "largest body that `fetch` sends, or gets once unpacked, in bytes, 1024 to 1099511627776",
    },
    Setting {
        name: "EXTENSION_FETCH_TIMEOUT_MS",
        default: "10000",
        doc: "longest `fetch` in milliseconds, to the last byte of the answer, 10 to 600000",
    },
    Setting { name: "PUBLIC_ERRORS", default: "safe", doc: "`safe`, or `full` to tell every caller what the log knows (development only)" },
    Setting {
        name: "LOG_LEVEL",
        default: "info",
        doc: "`error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,trellis=debug`",
    },
    Setting { name: "LOG_FORMAT", default: "text", doc: "`text` or `json`" },
];

/// A value that never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How to reach the mail server, as the environment says.
#[derive(Debug, Clone)]
pub struct SmtpConfig {
    /// `SMTP_ENABLED`.
    pub enabled: bool,
    /// `SMTP_HOST`; empty where it isn't set.
    pub host: String,
    /// `SMTP_PORT`.
    pub port: u16,
    /// `SMTP_SECURE`.
    pub secure: bool,
    /// `SMTP_IGNORE_TLS`.
    pub ignore_tls: bool,
    /// `SMTP_USER`.
    pub user: Option<String>,
    /// `SMTP_PASSWORD`.
    pub password: Option<Secret>,
    /// `SMTP_FROM`.
    pub from: Option<String>,
}

/// The settings as values.
#[derive(Debug, Clone)]
pub struct Config {
    /// `DATABASE_URL`. May carry a password.
    pub database_url: Secret,
    /// `DATABASE_POOL_SIZE`.
    pub database_pool_size: u32,
    /// `DATABASE_LISTEN`.
    pub database_listen: bool,
    /// `DATABASE_PREPARED`.
    pub database_prepared: bool,
    /// `DATA_PATH`.
    pub data_path: PathBuf,
    /// `HOST`.
    pub host: String,
    /// `PORT`.
    pub port: u16,
    /// `PUBLIC_URL`.
    pub public_url: Option<String>,
    /// `SECRET`.
    pub secret: Option<Secret>,
    /// `SECRET_PREVIOUS`.
    pub secret_previous: Option<Secret>,
    /// `ADMIN_EMAIL`.
    pub admin_email: String,
    /// `ADMIN_PASSWORD`.
    pub admin_password: Option<Secret>,
    /// `ADMIN_TOKEN`.
    pub admin_token: Option<Secret>,
    /// `ACCESS_TOKEN_TTL_SECS`.
    pub access_token_ttl: Duration,
    /// `REFRESH_TOKEN_TTL_SECS`.
    pub refresh_token_ttl: Duration,
    /// `METRICS_TOKEN`.
    pub metrics_token: Option<Secret>,
    /// `SESSION_TTL_SECS`.
    pub session_ttl: Duration,
    /// `COOKIE_SECURE`, or what `PUBLIC_URL` says of it.
    pub cookie_secure: bool,
    /// `PASSWORD_RESET_URL_ALLOW_LIST`.
    pub password_reset_urls: Vec<url::Url>,
    /// `USER_INVITE_URL_ALLOW_LIST`.
    pub user_invite_urls: Vec<url::Url>,
    /// `REQUEST_TIMEOUT_MS`.
    pub request_timeout: Duration,
    /// `TX_MAX_MS`.
    pub tx_max: Duration,
    /// `QUERY_LIMIT_MAX`.
    pub query_limit_max: u64,
    /// `EXTENSIONS_PATH`.
    pub extensions_path: PathBuf,
    /// `EXTENSIONS_WATCH`.
    pub watch: bool,
    /// `EXTENSIONS_SAFE_MODE`.
    pub safe_mode: bool,
    /// `EXTENSION_ORIGIN`, as browsers write it.
    pub extension_origin: Option<String>,
    /// `EXTENSION_MAX_PAYLOAD`, in bytes.
    pub extension_max_payload: usize,
    /// `DELIVERIES_KEEP_DEAD_DAYS`.
    pub deliveries_keep_dead: Duration,
    /// `EXTENSION_MAX_DEPTH`.
    pub extension_max_depth: u32,
    /// `EXTENSION_MAX_IN_FLIGHT`.
    pub extension_max_in_flight: usize,
    /// `EVENT_SAMPLES`.
    pub event_samples: bool,
    /// `EXTENSION_MAX_WAITING`.
    pub extension_max_waiting: usize,
    /// `CRON_ENABLED`.
    pub cron_enabled: bool,
    /// `CRON_HISTORY_RETENTION`, in runs of each job.
    pub cron_history_retention: u64,
    /// `MCP_ENABLED`.
    pub mcp_enabled: bool,
    /// `MCP_ALLOW_DELETES`.
    pub mcp_allow_deletes: bool,
    /// `MCP_ACTIVATION=approve`.
    pub mcp_approve: bool,
    /// `SMTP_*`, as far as no setting in the database says otherwise.
    pub smtp: SmtpConfig,
    /// `SANDBOX=degraded`.
    pub sandbox_degraded: bool,
    /// `WORKER_MEMORY_MB`, in bytes.
    pub worker_memory: Option<usize>,
    /// What code sees as `services.env`: resolved from the two whitelists and the two public prefixes.
    pub extension_env: BTreeMap<String, Secret>,
    /// `EXTENSION_ALLOWED_DOMAINS`, `EXTENSION_HTTP_PROXY`, `EXTENSION_CA_FILE`, `EXTENSION_DNS_SERVERS`, `EXTENSION_FETCH_MAX_BODY` and
    /// `EXTENSION_FETCH_TIMEOUT_MS`.
    pub outbound: outbound::Options,
    /// `EXTENSION_FETCH_MAX`.
    pub fetch_max: u32,
    /// `PUBLIC_ERRORS=full`.
    pub full_errors: bool,
    /// `LOG_LEVEL`.
    pub log_level: String,
    /// `LOG_FORMAT`.
    pub log_format: LogFormat,
}

impl Config {
    /// Reads the settings from `vars`, usually the environment. Every mistake is one sentence of the error.
    pub fn read(vars: impl IntoIterator<Item = (String, String)>) -> Result<Config, Vec<String>> {
        let vars: BTreeMap<String, String> = vars.into_iter().collect();
        let mut reader = Reader { vars: &vars, mistakes: Vec::new() };
        let config = Config {
            database_url: Secret::new(reader.checked("DATABASE_URL", "a URL that begins with `sqlite://` or `postgres://`", |v| {
                let known = ["sqlite://", "postgres://", "postgresql://"].iter().any(|p| v.starts_with(p) && v.len() > p.len());
                known.then(|| v.to_owned())
            })),
            database_pool_size: reader.number("DATABASE_POOL_SIZE", 1, 1000) as u32,
            database_listen: reader.flag("DATABASE_LISTEN"),
            database_prepared: reader.flag("DATABASE_PREPARED"),
            data_path: PathBuf::from(reader.text("DATA_PATH")),
            host: reader.text("HOST"),
            port: reader.number("PORT", 0, u64::from(u16::MAX)) as u16,
            public_url: reader.optional("PUBLIC_URL", "a URL with `http://` or `https://`, a host and at most a path", |v| {
                let url = url::Url::parse(v).ok().filter(is_web)?;
                (url.query().is_none() && url.fragment().is_none()).then(|| url.as_str().trim_end_matches('/').to_owned())
            }),
            secret: reader.secret("SECRET", 16),
            secret_previous: reader.secret("SECRET_PREVIOUS", 16),
            admin_email: reader.checked("ADMIN_EMAIL", "an e-mail address", |v| v.contains('@').then(|| v.trim().to_lowercase())),
            admin_password: reader.secret("ADMIN_PASSWORD", 8),
            admin_token: reader.secret("ADMIN_TOKEN", 16),
            access_token_ttl: Duration::from_secs(reader.number("ACCESS_TOKEN_TTL_SECS", 10, 86_400)),
            refresh_token_ttl: Duration::from_secs(reader.number("REFRESH_TOKEN_TTL_SECS", 60, 31_536_000)),
            metrics_token: reader.secret("METRICS_TOKEN", 16),
            session_ttl: Duration::from_secs(reader.number("SESSION_TTL_SECS", 60, 31_536_000)),
            cookie_secure: reader
                .optional("COOKIE_SECURE", "`true` or `false`", |v| v.parse().ok())
                .unwrap_or_else(|| reader.text("PUBLIC_URL").starts_with("https://")),
            password_reset_urls: pages(&mut reader, "PASSWORD_RESET_URL_ALLOW_LIST"),
            user_invite_urls: pages(&mut reader, "USER_INVITE_URL_ALLOW_LIST"),
            request_timeout: Duration::from_millis(reader.number("REQUEST_TIMEOUT_MS", 100, 600_000)),
            tx_max: Duration::from_millis(reader.number("TX_MAX_MS", 10, 60_000)),
            query_limit_max: reader.number("QUERY_LIMIT_MAX", 1, 1_000_000),
            extensions_path: PathBuf::from(reader.text("EXTENSIONS_PATH")),
            watch: reader.flag("EXTENSIONS_WATCH"),
            safe_mode: reader.flag("EXTENSIONS_SAFE_MODE"),
            extension_origin: reader.optional(
                "EXTENSION_ORIGIN",
                "an origin, `http://` or `https://` and a host with an optional port, such as `https://ext.example.com`",
                origin,
            ),
            extension_max_payload: reader.number("EXTENSION_MAX_PAYLOAD", 1024, 104_857_600) as usize,
            extension_max_depth: reader.number("EXTENSION_MAX_DEPTH", 1, 64) as u32,
            extension_max_in_flight: reader.number("EXTENSION_MAX_IN_FLIGHT", 1, 10_000) as usize,
            extension_max_waiting: reader.number("EXTENSION_MAX_WAITING", 0, 100_000) as usize,
            event_samples: reader.flag("EVENT_SAMPLES"),
            cron_enabled: reader.flag("CRON_ENABLED"),
            cron_history_retention: reader.number("CRON_HISTORY_RETENTION", 1, 10_000),
            mcp_enabled: reader.flag("MCP_ENABLED"),
            mcp_allow_deletes: reader.flag("MCP_ALLOW_DELETES"),
            mcp_approve: reader.choice("MCP_ACTIVATION", &["direct", "approve"]) == "approve",
            smtp: SmtpConfig {
                enabled: reader.flag("SMTP_ENABLED"),
                host: reader
                    .optional("SMTP_HOST", "the name of a mail server", |v| (!v.contains(['/', ' '])).then(|| v.to_owned()))
                    .unwrap_or_default(),
                port: reader.number("SMTP_PORT", 1, u64::from(u16::MAX)) as u16,
                secure: reader.flag("SMTP_SECURE"),
                ignore_tls: reader.flag("SMTP_IGNORE_TLS"),
                user: reader.optional("SMTP_USER", "a text in one line", |v| (!v.contains(char::is_control)).then(|| v.to_owned())),
                password: reader.secret("SMTP_PASSWORD", 1),
                from: reader.optional("SMTP_FROM", "an e-mail address, with or without a name", |v| {
                    (v.contains('@') && !v.contains(char::is_control)).then(|| v.to_owned())
                }),
            },
            deliveries_keep_dead: Duration::from_secs(reader.number("DELIVERIES_KEEP_DEAD_DAYS", 1, 3650) * 86_400),
            sandbox_degraded: reader.choice("SANDBOX", &["required", "degraded"]) == "degraded",
            worker_memory: reader.optional("WORKER_MEMORY_MB", "a whole number from 64 to 16777216", |v| {
                v.parse::<usize>().ok().filter(|n| (64..=16_777_216).contains(n)).map(|n| n << 20)
            }),
            extension_env: extension_env(&mut reader),
            outbound: outbound_options(&mut reader),
            fetch_max: reader.number("EXTENSION_FETCH_MAX", 1, 10_000) as u32,
            full_errors: reader.choice("PUBLIC_ERRORS", &["safe", "full"]) == "full",
            log_level: reader.checked("LOG_LEVEL", "`error`, `warn`, `info`, `debug`, `trace` or a filter of these", |v| {
                tracing_subscriber::EnvFilter::try_new(v).ok().map(|_| v.to_owned())
            }),
            log_format: if reader.choice("LOG_FORMAT", &["text", "json"]) == "json" { LogFormat::Json } else { LogFormat::Text },
        };
        if reader.mistakes.is_empty() { Ok(config) } else { Err(reader.mistakes) }
    }
}

/// The settings of `fetch`.
fn outbound_options(reader: &mut Reader<'_>) -> outbound::Options {
    let allowed = outbound::AllowList::parse(&reader.text("EXTENSION_ALLOWED_DOMAINS")).unwrap_or_else(|mistakes| {
        reader.mistakes.extend(mistakes);
        outbound::AllowList::default()
    });
    let proxy = reader.text("EXTENSION_HTTP_PROXY");
    let proxy = match outbound::Proxy::parse(&proxy) {
        None if !proxy.is_empty() => {
            // It may hold a password, wherever that went wrong.
            reader.mistakes.push(
                "`EXTENSION_HTTP_PROXY` must be `http://host:port`, with `user:password@` before the host if it asks for them".to_owned(),
            );
            None
        }
        proxy => proxy,
    };
    outbound::Options {
        allowed,
        proxy,
        dns_servers: reader
            .optional("EXTENSION_DNS_SERVERS", "IP addresses, each with a port if it isn't 53, separated by commas", |v| {
                v.split(',').map(|server| dns_server(server.trim())).collect()
            })
            .unwrap_or_default(),
        ca_file: reader.optional("EXTENSION_CA_FILE", "a path", |v| Some(PathBuf::from(v))),
        max_body: reader.number("EXTENSION_FETCH_MAX_BODY", 1024, 1 << 40),
        timeout: Duration::from_millis(reader.number("EXTENSION_FETCH_TIMEOUT_MS", 10, 600_000)),
    }
}

fn dns_server(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53)))
}

/// A URL that is nothing but scheme, host and port, in the one spelling that browsers use.
fn origin(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok().filter(is_web)?;
    (url.path() == "/" && url.query().is_none() && url.fragment().is_none()).then(|| url.origin().ascii_serialization())
}

/// The pages that links in mails may lead to.
fn pages(reader: &mut Reader<'_>, name: &str) -> Vec<url::Url> {
    let page = |text: &str| url::Url::parse(text.trim()).ok().filter(|url| is_web(url) && url.fragment().is_none());
    reader
        .optional(name, "URLs with `http://` or `https://` and without a `#`, separated by commas", |v| v.split(',').map(page).collect())
        .unwrap_or_default()
}

fn is_web(url: &url::Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
}

/// The variables that code may read: names on a whitelist, and those with a public prefix, which is stripped. A listed name wins.
fn extension_env(reader: &mut Reader<'_>) -> BTreeMap<String, Secret> {
    let listed: Vec<String> = ["RUNTIME_ENV_WHITELIST_GLOBAL", "RUNTIME_ENV_WHITELIST_EXTENSION"]
        .into_iter()
        .flat_map(|name| reader.text(name).split(',').map(|n| n.trim().to_owned()).collect::<Vec<_>>())
        .filter(|name| !name.is_empty())
        .collect();
    let mut env = BTreeMap::new();
    for (name, value) in reader.vars {
        for prefix in ["RUNTIME_PUBLIC_", "EXTENSION_PUBLIC_"] {
            if let Some(short) = name.strip_prefix(prefix).filter(|short| !short.is_empty()) {
                env.insert(short.to_owned(), Secret::new(value.clone()));
            }
        }
    }
    for name in listed {
        if let Some(value) = reader.vars.get(&name) {
            env.insert(name, Secret::new(value.clone()));
        }
    }
    env
}

struct Reader<'a> {
    vars: &'a BTreeMap<String, String>,
    mistakes: Vec<String>,
}

impl Reader<'_> {
    fn text(&mut self, name: &str) -> String {
        let setting = SETTINGS.iter().find(|s| s.name == name).expect("every variable that is read stands in SETTINGS");
        match self.vars.get(name).map(|v| v.trim()) {
            Some(value) if !value.is_empty() => value.to_owned(),
            _ => setting.default.to_owned(),
        }
    }

    fn mistake(&mut self, name: &str, value: &str, allowed: &str) {
        self.mistakes.push(format!("`{name}` must be {allowed}, not: {value}"));
    }

    fn checked<T: Default>(&mut self, name: &str, allowed: &str, parse: impl Fn(&str) -> Option<T>) -> T {
        let value = self.text(name);
        parse(&value).unwrap_or_else(|| {
            // An address may carry a password before its `@`, which doesn't print.
            let shown = value.rsplit_once('@').map_or_else(|| value.clone(), |(_, rest)| format!("…@{rest}"));
            self.mistake(name, &shown, allowed);
            T::default()
        })
    }

    fn optional<T>(&mut self, name: &str, allowed: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = self.text(name);
        if value.is_empty() {
            return None;
        }
        let parsed = parse(&value);
        if parsed.is_none() {
            self.mistake(name, &value, allowed);
        }
        parsed
    }

    fn number(&mut self, name: &str, min: u64, max: u64) -> u64 {
        self.checked(name, &format!("a whole number from {min} to {max}"), |v| v.parse().ok().filter(|n| (min..=max).contains(n)))
    }

    fn flag(&mut self, name: &str) -> bool {
        matches!(self.choice(name, &["true", "false", "1", "0"]).as_str(), "true" | "1")
    }

    fn choice(&mut self, name: &str, allowed: &[&str]) -> String {
        let list = allowed.iter().map(|a| format!("`{a}`")).collect::<Vec<_>>().join(", ");
        self.checked(name, &format!("one of {list}"), |v| allowed.contains(&v.to_lowercase().as_str()).then(|| v.to_lowercase()))
    }

    fn secret(&mut self, name: &str, min: usize) -> Option<Secret> {
        let value = self.text(name);
        if value.is_empty() {
            return None;
        }
        if value.chars().count() < min {
            self.mistakes.push(format!("`{name}` must have at least {min} characters, it has {}", value.chars().count()));
        }
        Some(Secret::new(value))
    }
}

#[cfg(test)]
mod tests;
