//! What every service needs: built once in `app`, shared by all operations.

use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption};

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
use crate::outbound::Outbound;

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
    /// Swapped whole after a change of the schema; an operation keeps the one that it began with.
    schema: ArcSwap<Schema>,
    /// What the raw client can name. Emptied with each change of the schema; read again by who needs it next.
    raw_catalog: ArcSwapOption<Catalog>,
    /// Set once by `app`, after everything that needs a `Core` exists.
    runner: OnceLock<Arc<dyn Runner>>,
}

impl Core {
    /// Joins the parts and reads the schema.
    pub async fn new(db: Db, clock: Clock, config: Arc<Config>, signer: Signer, sealer: Sealer) -> Result<Arc<Self>> {
        let schema = db.read(|conn| Box::pin(crate::db::schema::load(conn))).await?;
        Ok(Arc::new(Self {
            directory: Directory::new(db.clone()),
            passwords: Passwords::new()?,
            dispatcher: Dispatcher::new(db.clone(), clock.clone(), config.deliveries_keep_dead),
            schema: ArcSwap::from_pointee(schema),
            raw_catalog: ArcSwapOption::empty(),
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

    /// The extensions as they are now.
    pub fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.runner.get().expect("app sets the runner before it lets anything in").snapshot()
    }

    /// The schema as it is now.
    pub fn schema(&self) -> Arc<Schema> {
        self.schema.load_full()
    }

    /// Reads the schema again, for the very next request.
    pub async fn reload_schema(&self) -> Result<()> {
        let schema = self.db.read(|conn| Box::pin(crate::db::schema::load(conn))).await?;
        self.schema.store(Arc::new(schema));
        self.raw_catalog.store(None);
        Ok(())
    }

    /// What the raw client can name, if somebody has read it since the last change of the schema.
    pub fn raw_catalog(&self) -> &ArcSwapOption<Catalog> {
        &self.raw_catalog
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
