//! A change of the schema: a transaction of its own, one after the other, and the schema read again before its caller is answered.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::Core;
use super::changes::{self, Kind};
use super::query::{Everything, Reader, clip, nearest, parse_filter};
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
                let done = job(conn, Arc::clone(&schema)).await?;
                check_rules(&schema, &crate::db::schema::load(conn).await?)?;
                changes::note(conn, Kind::Schema).await?;
                Ok(done)
            })
        })
        .await?;
    core.reload_schema().await?;
    Ok(changed)
}

/// Refuses a field's `validation` that is no filter of its collection: at the end of a change, when all fields are there that it may name.
fn check_rules(before: &Schema, after: &Schema) -> Result<()> {
    let sight = Everything(after);
    for collection in after.collections() {
        for field in &collection.fields {
            let known = before.collection(&collection.name).and_then(|collection| collection.field(&field.name));
            let Some(rule) = &field.validation else { continue };
            if known.is_some_and(|known| known.validation.as_ref() == Some(rule)) {
                continue;
            }
            parse_filter(&Reader::of(&sight), collection, Some(rule)).map_err(|error| {
                let message = format!("`validation` of `{}` isn't a filter of `{}`: {}", field.name, collection.name, error.message());
                Error::payload(message).with_field(field.name.clone())
            })?;
        }
    }
    Ok(())
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
