//! The raw client: requests in the language of PostgREST over the same database, past permissions and hooks.
//!
//! Reads requests, has [`crate::db::postgrest`] run them in the transaction that the caller is in, and shapes the answers. Fires no
//! events. The bridge's `supabase` is the door to it.

mod answer;
mod filter;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod refusal;
mod request;
mod scan;
mod select;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value;

pub use request::{Request, names_system};

use self::request::{Asked, Kind, What};
use super::Ctx;
use crate::db::Conn;
use crate::db::postgrest::plan::Action;
use crate::db::postgrest::{self, Ask, Catalog, Outcome};
use crate::error::{Error, ErrorCode, Result};

/// Whether tables of the host may be touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// They may not.
    User,
    /// They may: the caller was granted `rawdb:system`.
    System,
}

/// Answers a request: `{ status, statusText, count, body }`, or with `error` instead of `body`.
///
/// # Errors
/// `TransactionConflict` alone, so that whoever began the operation may try again: every other failure is an answer.
pub async fn execute(ctx: &Ctx, request: &Request, reach: Reach) -> Result<Value> {
    tracing::info!(
        extension = ctx.chain.last().map_or("", String::as_str),
        request = &*ctx.op.request_id,
        method = request.method,
        table = refusal::clip(request.target()),
        "the raw client was used"
    );
    match answered(ctx, request, reach).await {
        Err(error) if error.code() == ErrorCode::TransactionConflict => Err(error),
        Err(error) => {
            if error.code() == ErrorCode::Internal && error.report().is_none() {
                tracing::warn!(%error, request = &*ctx.op.request_id, "a request of the raw client failed");
            }
            Ok(answer::failure(&error))
        }
        answer => answer,
    }
}

async fn answered(ctx: &Ctx, request: &Request, reach: Reach) -> Result<Value> {
    let asked = Arc::new(request.read()?);
    let is_read = matches!(asked.what, What::Table(Action::Read));
    let ask = Arc::new(Ask {
        target: asked.target.clone(),
        node: asked.node.clone(),
        action: match &asked.what {
            What::Table(action) => action.clone(),
            What::Function(_) => Action::Read,
        },
        wants_rows: request.method != "HEAD" && (is_read || matches!(asked.what, What::Function(_)) || asked.prefer.representation),
        count: asked.prefer.count,
        only_one: asked.form.kind == Kind::One,
        max_affected: asked.prefer.max_affected,
        system: reach == Reach::System,
        max_rows: ctx.core.config.query_limit_max,
        max_bytes: ctx.core.config.extension_max_payload,
    });
    let known = ctx.core.raw_catalog().0;
    let outcome = match known {
        Some(catalog) => match run(ctx, &asked, &ask, Some(catalog)).await {
            Err(error) if may_be_stale(&error) => {
                tracing::debug!(%error, "the catalog of the raw client is read again");
                run(ctx, &asked, &ask, None).await
            }
            outcome => outcome,
        },
        None => run(ctx, &asked, &ask, None).await,
    };
    answer::answer(request, &asked, outcome?)
}

/// Whether a failure may come of a catalog that the database has moved on from.
fn may_be_stale(error: &Error) -> bool {
    let stale = ["PGRST200", "PGRST202", "PGRST204", "PGRST205", "42703", "42P01", "42P10", "42883", "42804"];
    match error.report() {
        Some(report) => stale.contains(&report.state.as_str()),
        // SQLite has no code for a column that is gone.
        None => error.code() == ErrorCode::Internal,
    }
}

/// Runs it; reads the catalog first where none is given.
async fn run(ctx: &Ctx, asked: &Arc<Asked>, ask: &Arc<Ask>, catalog: Option<Arc<Catalog>>) -> Result<Outcome> {
    let own = !ctx.op.is_tx_open();
    let left = ctx.op.deadline.saturating_duration_since(tokio::time::Instant::now());
    let catalog = match catalog {
        Some(catalog) => catalog,
        None => read_catalog(ctx).await?,
    };
    let reads = match &asked.what {
        What::Table(action) => *action == Action::Read,
        What::Function(call) => !call.may_write,
    };
    let (asked, ask) = (Arc::clone(asked), Arc::clone(ask));
    if reads {
        return ctx
            .read(move |conn| {
                let (asked, ask, catalog) = (Arc::clone(&asked), Arc::clone(&ask), Arc::clone(&catalog));
                Box::pin(async move {
                    if own {
                        conn.end_within(left).await?;
                    }
                    job(conn, &asked, &ask, &catalog).await
                })
            })
            .await;
    }
    ctx.write(move |conn| {
        let (asked, ask, catalog) = (Arc::clone(&asked), Arc::clone(&ask), Arc::clone(&catalog));
        Box::pin(async move { job(conn, &asked, &ask, &catalog).await })
    })
    .await
}

async fn read_catalog(ctx: &Ctx) -> Result<Arc<Catalog>> {
    let schema = Arc::clone(&ctx.op.schema);
    let (_, generation) = ctx.core.raw_catalog();
    // An operation that began before a change of the schema reads for itself alone.
    let is_current = Arc::ptr_eq(&schema, &ctx.core.schema());
    let mut catalog = ctx
        .read(move |conn| {
            let schema = Arc::clone(&schema);
            Box::pin(async move { postgrest::load(conn, &schema).await })
        })
        .await?;
    for view in catalog.take_unread_views() {
        let name = view.clone();
        let columns = ctx
            .read(move |conn| {
                let name = name.clone();
                Box::pin(async move { postgrest::load_view(conn, &name).await })
            })
            .await;
        match columns {
            Ok(columns) => catalog.add_view(&ctx.op.schema, &view, columns),
            Err(error) => tracing::debug!(%error, view, "the columns of a view can't be read"),
        }
    }
    let catalog = Arc::new(catalog);
    if is_current {
        ctx.core.keep_raw_catalog(&catalog, generation);
    }
    Ok(catalog)
}

async fn job(conn: &mut Conn<'_>, asked: &Asked, ask: &Ask, catalog: &Catalog) -> Result<Outcome> {
    match &asked.what {
        What::Table(_) => postgrest::run(conn, catalog, ask).await,
        What::Function(call) => postgrest::call(conn, catalog, ask, call).await,
    }
}
