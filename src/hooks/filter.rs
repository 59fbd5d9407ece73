//! The fold over filter hooks: each gets what the one before it returned.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::Hook;
use crate::error::Result;

/// Runs `hooks` in order over `payload`. `run` answers the payload for the next one; the first error ends the fold and refuses the operation.
pub async fn fold<'a, P, R>(hooks: &'a [Arc<Hook>], payload: P, mut run: R) -> Result<P>
where
    R: FnMut(&'a Arc<Hook>, P) -> BoxFuture<'a, Result<P>>,
{
    let mut payload = payload;
    for hook in hooks {
        payload = run(hook, payload).await?;
    }
    Ok(payload)
}
