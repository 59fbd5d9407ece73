//! A change of the schema: a transaction of its own, one after the other, and the schema read again before its caller is answered.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::Core;
use super::changes::{self, Kind};
use super::query::{clip, nearest};
use crate::db::{Collection, Conn, Schema, ddl};
use crate::error::{Error, ErrorCode, Result};

/// Runs `job` with the schema as it is when its turn has come: all of what it does is kept, or nothing.
pub(super) async fn change<T, F>(core: &Arc<Core>, job: F) -> Result<T>
where
    T: Send + 'static,
    F: for<'c> Fn(&'c mut Conn<'_>, Arc<Schema>) -> BoxFuture<'c, Result<T>> + Send + Sync + 'static,
{
    let job = Arc::new(job);
    let changed = core
        .db
        .change_schema(move |conn| {
            let job = Arc::clone(&job);
            Box::pin(async move {
                let schema = Arc::new(ddl::begin(conn).await?);
                let done = job(conn, schema).await?;
                changes::note(conn, Kind::Schema).await?;
                Ok(done)
            })
        })
        .await?;
    core.reload_schema().await?;
    Ok(changed)
}

/// The collection, or 404 with the nearest name that exists.
pub(super) fn known<'s>(schema: &'s Schema, name: &str) -> Result<&'s Arc<Collection>> {
    schema.collection(name).ok_or_else(|| {
        if let Some((table, why)) = schema.unserved().find(|(table, _)| *table == name) {
            return Error::new(ErrorCode::Conflict, format!("The table `{}` can't be served: it {why}", clip(table)));
        }
        let near = nearest(name, schema.names());
        Error::new(ErrorCode::CollectionNotFound, format!("There is no collection `{}`{near}", clip(name)))
    })
}
