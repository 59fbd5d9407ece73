//! The command line: `serve` (what runs without a command), `migrate`, `ext`, `types`, `config`, and the hidden `worker`.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use trellis::app::{self, App};
use trellis::clock::Clock;
use trellis::config::{Config, LogFormat, SETTINGS};
use trellis::log::Indented;
use trellis::{Error, ErrorCode, Result};

/// A data platform in one binary, extended with sandboxed JavaScript.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server. This is what happens without a command.
    Serve,
    /// Brings the database up to date and ends.
    Migrate,
    /// Works on extensions in the database, with the server down or up.
    Ext {
        #[command(subcommand)]
        command: Ext,
    },
    /// Prints the collections of the database as TypeScript, for `@trellis/sdk`: `trellis types > extensions/collections.d.ts`.
    Types,
    /// Lists every setting: its environment variable, default and meaning.
    Config,
    /// Runs the code of one extension. The host starts these itself.
    #[command(hide = true)]
    Worker,
}

#[derive(Subcommand)]
enum Ext {
    /// Lists extensions: status, type, event, name.
    List,
    /// Sets an extension to inactive. A running server takes it up within a second.
    Disable {
        /// Its name.
        name: String,
    },
}

/// Stack of each thread of the runtime. Hooks that trigger hooks are polled inside each other, `EXTENSION_MAX_DEPTH` (up to 64) levels of up to
/// 300 KiB each. Only what is touched takes memory.
const STACK: usize = 32 << 20;

fn main() -> ExitCode {
    let command = Cli::parse().command.unwrap_or(Command::Serve);
    match command {
        // A worker has no environment, no runtime and no log: it must not share a line with the rest.
        Command::Worker => return trellis::sandbox::worker::main(trellis::bridge::sources(), trellis::bridge::SDK),
        Command::Config => {
            let mut out = std::io::stdout().lock();
            for setting in SETTINGS {
                let default = if setting.default.is_empty() { "–" } else { setting.default };
                if writeln!(out, "{}\n    {}\n    default: {default}\n", setting.name, setting.doc).is_err() {
                    // Whoever reads has seen enough, as in `trellis config | head`.
                    break;
                }
            }
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    // A `.env` in the working directory is read; what the environment says already wins.
    match dotenvy::from_path(".env") {
        Err(error) if !error.not_found() => {
            eprintln!("`.env` can't be read: {error}");
            return ExitCode::FAILURE;
        }
        _ => {}
    }
    // A variable that isn't text can't be one of ours.
    let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let config = match Config::read(variables) {
        Ok(config) => config,
        Err(mistakes) => {
            for mistake in mistakes {
                eprintln!("{mistake}");
            }
            return ExitCode::FAILURE;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("The runtime can't be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        match command {
            Command::Serve => serve(config).await,
            Command::Migrate => migrate(&config).await,
            Command::Ext { command } => ext(&config, command).await,
            Command::Types => types(&config).await,
            Command::Config | Command::Worker => Ok(()),
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            match error.detail() {
                Some(detail) => eprintln!("{}: {detail}", error.message()),
                None => eprintln!("{}", error.message()),
            }
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config) -> Result<()> {
    start_log(&config);
    let address = format!("{}:{}", config.host, config.port);
    let bind = |e: std::io::Error| {
        Error::new(ErrorCode::ServiceUnavailable, format!("`HOST` and `PORT`: {address} can't be listened on")).with_detail(e.to_string())
    };
    let listener = TcpListener::bind(&address).await.map_err(bind)?;
    let local = listener.local_addr().map_err(bind)?;
    let url = config.public_url.clone().unwrap_or_else(|| format!("http://{local}"));
    let app = App::start(config).await?;
    println!("Trellis is running at {url}");
    if let Some(admin) = &app.new_admin {
        match &admin.generated_password {
            Some(password) => println!("Admin created: {} with the password {} (shown only this once)", admin.email, password.reveal()),
            None => println!("Admin created: {} with the password from ADMIN_PASSWORD", admin.email),
        }
    }
    app.serve(listener, asked_to_end()?).await
}

/// Resolves at SIGTERM or SIGINT.
fn asked_to_end() -> Result<impl Future<Output = ()> + Send + 'static> {
    let listen = |kind| signal(kind).map_err(|e| Error::internal(format!("signals can't be listened for: {e}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

async fn migrate(config: &Config) -> Result<()> {
    start_log(config);
    app::open_database(config, &Clock::system()).await?.close().await;
    Ok(())
}

async fn ext(config: &Config, command: Ext) -> Result<()> {
    let db = app::open_database(config, &Clock::system()).await?;
    match command {
        Ext::List => {
            for row in trellis::extensions::list(&db).await? {
                let text = |name: &str| row.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
                println!("{:<9} {:<7} {:<32} {}", text("status"), text("type"), text("event"), text("name"));
            }
            // Whether a folder is at work is a matter of what lies on disk when the server starts.
            for name in trellis::extensions::folder_names(&db).await? {
                println!("{:<9} {:<7} {:<32} {name}", "", "folder", "");
            }
        }
        Ext::Disable { name } => {
            trellis::extensions::disable(&db, &name).await?;
            println!("`{name}` is inactive");
        }
    }
    db.close().await;
    Ok(())
}

async fn types(config: &Config) -> Result<()> {
    let db = app::open_database(config, &Clock::system()).await?;
    let text = trellis::extensions::types(&db).await?;
    db.close().await;
    // Whoever reads may have seen enough.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    Ok(())
}

fn start_log(config: &Config) {
    // The MCP library logs whole messages; `/api/mcp` says itself what is worth a line. Who wants to read it all the same names it.
    let filter = EnvFilter::new(format!("rmcp=off,{}", config.log_level));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours);
    match config.log_format {
        LogFormat::Json => log.with_writer(std::io::stderr).json().flatten_event(true).init(),
        LogFormat::Text => log.with_writer(|| Indented(std::io::stderr())).init(),
    }
}
