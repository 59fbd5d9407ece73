//! What every service needs: built once in `app`, shared by all operations.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;

use super::changes::{Changes, Kind};
use super::hosts::Hosts;
use super::runner::{Runner, Snapshot};
use crate::auth::password::Passwords;
use crate::auth::seal::Sealer;
use crate::auth::token::Signer;
use crate::auth::{Directory, Who};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::postgrest::Catalog;
use crate::db::{Collection, Db, Schema};
use crate::error::Result;
use crate::hooks::dispatcher::Dispatcher;
use crate::hooks::outbox::Caller;
use crate::metrics::Metrics;
use crate::outbound::Outbound;

/// What the raw client can name, if somebody has read it.
#[derive(Default)]
struct RawCatalog {
    /// Counts changes of the schema: what was read before one must not be kept after it.
    generation: u64,
    catalog: Option<Arc<Catalog>>,
}

/// The parts that all services share.
pub struct Core {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// The settings.
    pub config: Arc<Config>,
    /// Users and their rights.
    pub directory: Directory,
    /// Password hashing.
    pub passwords: Passwords,
    /// The way out, for what extensions fetch.
    pub outbound: Outbound,
    /// Access tokens.
    pub signer: Signer,
    /// What lies encrypted in the database.
    pub sealer: Sealer,
    /// What is owed to action hooks.
    pub dispatcher: Arc<Dispatcher>,
    /// What is counted and timed.
    pub metrics: Metrics,
    /// What changed here and on other hosts.
    pub changes: Changes,
    /// Swapped whole after a change of the schema; an operation keeps the one that it began with.
    schema: ArcSwap<Schema>,
    /// One reading of the schema at a time, so that an older one never replaces a newer: held across awaits, a tokio mutex.
    reading: tokio::sync::Mutex<()>,
    /// What the raw client can name. Emptied with each change of the schema; read again by who needs it next. Short sections only.
    raw_catalog: Mutex<RawCatalog>,
    /// Set once by `app`, after everything that needs a `Core` exists.
    runner: OnceLock<Arc<dyn Runner>>,
}

impl Core {
    /// Joins the parts and reads the schema.
    ///
    /// `host` is what people call this host.
    pub async fn new(db: Db, clock: Clock, config: Arc<Config>, signer: Signer, sealer: Sealer, host: String) -> Result<Arc<Self>> {
        let changes = Changes::new(db.clone(), Hosts::new(db.clone(), clock.clone(), host), config.database_listen);
        for kind in [Kind::Access, Kind::Schema] {
            // Before it is read, and with nothing in memory yet that could be older.
            changes.took(kind, changes.version(kind).await?);
        }
        let schema = db.read(|conn| Box::pin(crate::db::schema::load(conn))).await?;
        Ok(Arc::new(Self {
            directory: Directory::new(db.clone()),
            passwords: Passwords::new()?,
            dispatcher: Dispatcher::new(db.clone(), clock.clone(), config.deliveries_keep_dead),
            schema: ArcSwap::from_pointee(schema),
            reading: tokio::sync::Mutex::default(),
            raw_catalog: Mutex::default(),
            metrics: Metrics::default(),
            changes,
            runner: OnceLock::new(),
            outbound: Outbound::new(config.outbound.clone())?,
            db,
            clock,
            config,
            signer,
            sealer,
        }))
    }

    /// Hands in who runs hooks. Once.
    pub fn set_runner(&self, runner: Arc<dyn Runner>) {
        let first = self.runner.set(runner).is_ok();
        debug_assert!(first, "the runner is set once, by app");
    }

    pub(super) fn runner(&self) -> &Arc<dyn Runner> {
        self.runner.get().expect("app sets the runner before it lets anything in")
    }

    /// The extensions as they are now.
    pub fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.runner().snapshot()
    }

    /// The schema as it is now.
    pub fn schema(&self) -> Arc<Schema> {
        self.schema.load_full()
    }

    /// Reads the schema again, for the very next request here. [`Core::settle`] sees to the other hosts.
    pub async fn reload_schema(&self) -> Result<()> {
        let _one = self.reading.lock().await;
        let version = self.changes.version(Kind::Schema).await?;
        let schema = self.db.read(|conn| Box::pin(crate::db::schema::load(conn))).await?;
        self.schema.store(Arc::new(schema));
        {
            let mut raw = self.raw_catalog.lock().unwrap_or_else(PoisonError::into_inner);
            *raw = RawCatalog { generation: raw.generation + 1, catalog: None };
        }
        self.changes.took(Kind::Schema, version);
        // What a permission means depends on the fields that there are.
        self.directory.invalidate();
        Ok(())
    }

    /// What the raw client can name, if somebody has read it since the last change of the schema; and the number of that change, which
    /// [`Core::keep_raw_catalog`] asks for.
    pub fn raw_catalog(&self) -> (Option<Arc<Catalog>>, u64) {
        let raw = self.raw_catalog.lock().unwrap_or_else(PoisonError::into_inner);
        (raw.catalog.clone(), raw.generation)
    }

    /// Keeps what was read after that change of the schema, unless there was another meanwhile.
    pub fn keep_raw_catalog(&self, catalog: &Arc<Catalog>, generation: u64) {
        let mut raw = self.raw_catalog.lock().unwrap_or_else(PoisonError::into_inner);
        if raw.generation == generation {
            raw.catalog = Some(Arc::clone(catalog));
        }
    }

    /// The collection, or 404 with the nearest name that exists.
    pub fn collection(&self, name: &str) -> Result<Arc<Collection>> {
        super::schema_change::known(&self.schema.load(), name).cloned()
    }
}

/// How a delivery remembers who caused it.
pub fn caller_of(who: &Who) -> Caller {
    match who {
        Who::System => Caller::System,
        Who::User(user) => Caller::User(user.id.clone()),
        Who::Anonymous => Caller::Anonymous,
    }
}
