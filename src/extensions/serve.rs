//! Answering a request by a route of an extension: admission, the call into the sandbox, and what its end means.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use serde_json::json;
use tokio::sync::oneshot;

use super::failure;
use super::routes::Route;
use super::run::{Run, context, raw};
use super::set::ExtensionSet;
use crate::bridge::Session;
use crate::error::{Error, Result};
use crate::sandbox::{Answer, Exchange, Failure, Input, ThrownKind};
use crate::services::Item;
use crate::services::operation::Start;

/// A request as a handler gets it.
pub struct RouteRequest {
    /// As it was sent, in capitals.
    pub method: String,
    /// Absolute.
    pub url: String,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// `context.params`.
    pub params: Item,
    /// `context.query`.
    pub query: Item,
    /// The body, if there is one; an error says why it was cut off.
    pub body: Option<BoxStream<'static, Result<Bytes, String>>>,
    /// Resolves when the client has gone.
    pub gone: BoxFuture<'static, ()>,
}

impl ExtensionSet {
    /// Has a route of this snapshot answer. Whoever asks must be allowed to: that is checked before.
    ///
    /// The run is a task of its own: what it does isn't cut off when the client stops waiting. An answer that streams has begun when this
    /// returns.
    ///
    /// # Errors
    /// 503 where the extension can't run, and what its failure means otherwise.
    pub async fn serve(self: Arc<Self>, route: Arc<Route>, start: Start, request: RouteRequest) -> Result<Answer> {
        let (answer, answered) = oneshot::channel();
        let run = tokio::spawn(async move { self.run_route(&route, start, request, answer).await });
        match answered.await {
            Ok(answer) => Ok(answer),
            // Without an answer the run has failed.
            Err(_) => match run.await {
                Ok(Err(error)) => Err(error),
                Ok(Ok(())) => Err(Error::internal("a route ended without an answer")),
                Err(error) => Err(Error::internal(format!("a route's task ended: {error}"))),
            },
        }
    }

    async fn run_route(&self, route: &Route, start: Start, request: RouteRequest, answer: oneshot::Sender<Answer>) -> Result<()> {
        let Some(extension) = self.by_id.get(&route.extension) else {
            return Err(Error::internal("a route of a snapshot has no extension in it"));
        };
        let who = Arc::clone(&start.who);
        let name = &extension.settings.name;
        if let Some(why) = extension.broken() {
            return Err(failure::unavailable(name, &who, &why, None));
        }
        let admission = extension
            .route_breaker
            .admit(Instant::now())
            .map_err(|wait| failure::unavailable(name, &who, "it is cooling down after too many faults", Some(wait.as_secs().max(1))))?;
        let event = format!("{} {}", route.method, route.pattern);
        let chain = start.chain.iter().cloned().chain([format!("{name} ({event})")]).collect();
        let start = Start { depth: start.depth + 1, chain, ..start };
        let ctx = self.shared.core.open(&start);
        let RouteRequest { method, url, headers, params, query, body, gone } = request;
        let more = json!({ "params": params, "query": query });
        let input = Input {
            handler: route.handler,
            args: vec![raw(&json!({ "method": method, "url": url, "headers": headers }))?],
            context: context(&self.shared.core, extension, &who, &start.request_id, more)?,
        };
        let session = Session::separate(Arc::clone(&self.shared.core), start, &extension.identity);
        self.keep_lines(&session, extension, &event, &ctx);
        let exchange = Exchange { body, answer, gone, stream_timeout: extension.settings.stream_timeout };
        let (outcome, record) = self.invoke(extension, input, extension.settings.timeout, false, session, Some(exchange)).await;
        let run = Run { ctx: &ctx, event: &event, admission, limit: extension.settings.timeout, elapsed: outcome.elapsed, record };
        match outcome.result {
            Ok(_) => {
                self.ran(extension, run);
                Ok(())
            }
            Err(failure) => Err(self.failed(extension, run, unhandled(failure)).error),
        }
    }
}

/// In a route a throw is unhandled, and so a bug, unless it says which status the caller is to get. To refuse a request is to answer it.
fn unhandled(failure: Failure) -> Failure {
    match failure {
        Failure::Thrown(mut thrown) if thrown.kind == ThrownKind::Decision && thrown.status.is_none() => {
            thrown.kind = ThrownKind::Bug;
            Failure::Thrown(thrown)
        }
        other => other,
    }
}
