//! The composition root: builds every part once, joins them, and owns their end.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::sync::watch as watch_channel;
use tokio::task::JoinHandle;

use crate::auth::seal::Sealer;
use crate::auth::token::{self, Signer};
use crate::clock::Clock;
use crate::config::{Config, Secret};
use crate::cron::Cron;
use crate::db::{Db, DbOptions};
use crate::error::{Error, ErrorCode, Result};
use crate::extensions::rate_limit::RateLimiter;
use crate::extensions::watch::{self, Watch};
use crate::extensions::{Extensions, host_name};
use crate::hooks::dispatcher::{Execute, Verdict};
use crate::hooks::outbox::Delivery;
use crate::http::{self, Api};
use crate::mcp;
use crate::sandbox::{self, Pool, PoolOptions};
use crate::services::accounts::Accounts;
use crate::services::sessions::Sessions;
use crate::services::setup::{self, NewAdmin};
use crate::services::{Core, cron as cron_service, mail};

/// How often counters are written.
const FLUSH: Duration = Duration::from_secs(1);
/// How long a folder must be left alone before it is read: a save is several writes.
const QUIET: Duration = Duration::from_millis(150);
/// How long to wait before changed folders that couldn't be taken over are looked at again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long requests may take to end once the host was asked to.
const DRAIN: Duration = Duration::from_secs(30);

/// A host that is ready to serve.
pub struct App {
    api: Arc<Api>,
    pool: Arc<Pool>,
    dispatching: JoinHandle<()>,
    flushing: JoinHandle<()>,
    ticking: JoinHandle<()>,
    following: JoinHandle<()>,
    /// Told when nobody is answered any more.
    served: watch_channel::Sender<bool>,
    stop: watch_channel::Sender<bool>,
    /// Who was created by this start, if it was the first.
    pub new_admin: Option<NewAdmin>,
}

/// Opens the database and brings it up to date.
pub async fn open_database(config: &Config, clock: &Clock) -> Result<Db> {
    let db = Db::open(DbOptions {
        url: config.database_url.reveal().to_owned(),
        readers: std::thread::available_parallelism().map_or(2, |n| n.get().max(2)),
        pool_size: config.database_pool_size,
        prepared: config.database_prepared,
        tx_max: config.tx_max,
        acquire_timeout: config.request_timeout.min(Duration::from_secs(10)),
    })
    .await?;
    for name in db.migrate(clock).await? {
        tracing::debug!(name, "migration applied");
    }
    Ok(db)
}

impl App {
    /// Builds everything.
    pub async fn start(config: Config) -> Result<Self> {
        let config = Arc::new(config);
        let clock = Clock::system();
        let secret = match &config.secret {
            Some(secret) => secret.clone(),
            None => kept_secret(&config.data_path)?,
        };
        let db = open_database(&config, &clock).await?;
        let sealer = Sealer::new(&secret, config.secret_previous.as_ref());
        let signer = Signer::new(&secret, clock.clone());
        let core = Core::new(db, clock, Arc::clone(&config), signer, sealer, host_name()).await?;
        mail::seal_settings_anew(&core).await?;
        let defaults = PoolOptions::default();
        let pool = Pool::start(PoolOptions {
            max_in_flight: config.extension_max_in_flight,
            max_waiting: config.extension_max_waiting,
            max_payload: config.extension_max_payload,
            memory_budget: config.worker_memory.map_or_else(|| sandbox::memory_of_machine() / 4, |bytes| bytes as u64),
            degraded: config.sandbox_degraded,
            ..defaults
        });
        let jail = pool.jail().await.map_err(no_sandbox)?;
        tracing::info!("sandbox: {}", jail.summary());
        let extensions = Extensions::new(Arc::clone(&core), Arc::clone(&pool));
        core.set_runner(Arc::clone(&extensions) as Arc<dyn crate::services::runner::Runner>);
        let new_admin = setup::ensure_admin(&core).await?;
        // First, so that what changes while they are loaded is noticed.
        let watch = match config.watch && !config.safe_mode {
            true => {
                Some(watch::start(config.extensions_path.clone(), QUIET).await.map_err(|e| Error::internal(format!("the watch: {e}")))?)
            }
            false => None,
        };
        extensions.reload().await?;
        extensions.load_folders().await?;
        // From here on the others wait for this host; what they changed before is looked at once more.
        extensions.flush().await;
        core.catch_up().await?;
        if config.safe_mode {
            tracing::warn!("EXTENSIONS_SAFE_MODE is on: no extension runs");
        }
        let (stop, stopped) = watch_channel::channel(false);
        let cron = Cron::new(Arc::clone(&core), Arc::clone(&pool), Arc::clone(&extensions));
        let dispatcher = Arc::clone(&core.dispatcher);
        let runner = Arc::new(Owed { extensions: Arc::clone(&extensions), cron: Arc::clone(&cron), core: Arc::clone(&core) });
        let (idle, until) = (config.safe_mode, stopped.clone());
        let dispatching = tokio::spawn(async move {
            // In safe mode nothing runs, so nothing is claimed either: what is owed waits for the next start.
            if !idle {
                dispatcher.run(runner, until).await;
            }
        });
        if let Some(watch) = watch {
            tokio::spawn(reload(watch, Arc::downgrade(&extensions), stopped.clone()));
        }
        let flushing = tokio::spawn(flush(Arc::clone(&extensions), stopped.clone()));
        let ticking = tokio::spawn(Arc::clone(&cron).run(stopped));
        // Until the last request is answered, which is longer than until no new ones are taken.
        let (served, end) = watch_channel::channel(false);
        let following = tokio::spawn(Arc::clone(&core).follow(end));
        let (sessions, accounts) = (Sessions::new(Arc::clone(&core)), Accounts::new(Arc::clone(&core)));
        let api = Arc::new(Api { sessions, accounts, core, extensions, cron, limiter: RateLimiter::default() });
        Ok(Self { api, pool, dispatching, flushing, ticking, following, served, stop, new_admin })
    }

    /// Serves until `asked` resolves, then ends in order: no new requests, what runs ends, what is owed is given back, counters are
    /// written, workers end, the database closes.
    pub async fn serve(self, listener: TcpListener, asked: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let mut drained = self.stop.subscribe();
        let (stop, extensions) = (self.stop.clone(), Arc::clone(&self.api.extensions));
        let doors = mcp::routes(&self.api.core.config);
        let server = http::serve(listener, Arc::clone(&self.api), doors, async move {
            asked.await;
            tracing::info!("ending: no new requests are taken");
            stop.send_replace(true);
            extensions.close_streams();
        });
        let cut = async move {
            let _ = drained.wait_for(|stopping| *stopping).await;
            tokio::time::sleep(DRAIN).await;
        };
        let served = tokio::select! {
            served = server => served,
            () = cut => {
                tracing::warn!("some requests didn't end in time and are cut off");
                Ok(())
            }
        };
        self.stop.send_replace(true);
        self.served.send_replace(true);
        let Self { api, pool, dispatching, flushing, ticking, following, .. } = self;
        let tasks =
            [("the ticker", ticking), ("the dispatcher", dispatching), ("the counters", flushing), ("what follows other hosts", following)];
        for (what, task) in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, what, "a task of the host ended badly");
            }
        }
        api.extensions.flush().await;
        api.core.changes.hosts.leave().await;
        pool.shutdown().await;
        api.core.db.close().await;
        served.map_err(|e| Error::internal(format!("the HTTP server failed: {e}")))
    }
}

/// Hands what is owed to whoever it is owed to: an action hook, or a part of the host that has its work done after the commit.
struct Owed {
    extensions: Arc<Extensions>,
    cron: Arc<Cron>,
    core: Arc<Core>,
}

impl Execute for Owed {
    fn run(&self, delivery: Delivery) -> BoxFuture<'static, Verdict> {
        match delivery.extension.as_str() {
            cron_service::OWED => {
                let cron = Arc::clone(&self.cron);
                Box::pin(async move { cron.deliver(delivery).await })
            }
            mail::OWED => Box::pin(mail::deliver(Arc::clone(&self.core), delivery)),
            _ => self.extensions.run(delivery),
        }
    }

    fn can_run(&self, extension: &str) -> bool {
        [cron_service::OWED, mail::OWED].contains(&extension) || self.extensions.can_run(extension)
    }
}

fn no_sandbox(why: std::io::Error) -> Error {
    let help = "extensions can't be locked in on this machine. Run where seccomp is allowed, or set `SANDBOX=degraded` for development";
    Error::new(ErrorCode::ServiceUnavailable, format!("`SANDBOX`: {help}")).with_detail(why.to_string())
}

async fn flush(extensions: Arc<Extensions>, mut stop: watch_channel::Receiver<bool>) {
    let mut ticks = tokio::time::interval(FLUSH);
    while !*stop.borrow() {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.changed() => return,
        }
        extensions.flush().await;
    }
}

/// Looks at the folders that changed, until the host ends.
async fn reload(mut watch: Watch, extensions: Weak<Extensions>, mut stop: watch_channel::Receiver<bool>) {
    // Folders that changed and aren't taken over yet.
    let mut names = BTreeSet::new();
    loop {
        tokio::select! {
            changed = watch.next() => match changed {
                Some(changed) => names.extend(changed.names),
                None => return,
            },
            () = tokio::time::sleep(AGAIN), if !names.is_empty() => {}
            _ = stop.changed() => return,
        }
        let Some(extensions) = extensions.upgrade() else { return };
        match extensions.reload_folders(names.clone()).await {
            Ok(()) => names.clear(),
            Err(error) => tracing::warn!(%error, "changed extension folders could not be taken over; it is tried again"),
        }
    }
}

/// The secret that was generated at the first start, or one that is generated now, readable by this user only.
fn kept_secret(data: &Path) -> Result<Secret> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let path = data.join("secret");
    let problem =
        |what: &str, e: std::io::Error| Error::new(ErrorCode::Internal, format!("`DATA_PATH`: {} can't be {what}: {e}", path.display()));
    match std::fs::read_to_string(&path) {
        Ok(secret) if secret.trim().len() >= 16 => return Ok(Secret::new(secret.trim())),
        Ok(_) => return Err(Error::new(ErrorCode::Internal, format!("{} holds no secret: delete it, or set `SECRET`", path.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(problem("read", error)),
    }
    std::fs::create_dir_all(data).map_err(|e| problem("made", e))?;
    let secret = token::random(32)?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(|e| problem("written", e))?;
    file.write_all(secret.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| problem("written", e))?;
    Ok(Secret::new(secret))
}
