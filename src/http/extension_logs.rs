//! `GET /api/extensions/:id/logs`: the lines that an extension wrote, as a list or, with `Accept: text/event-stream`, as they come.
//!
//! A stream ends with its caller's rights: the token is looked at again and again. Who doesn't read for long enough is let go.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::error::ApiError;
use super::request::{Call, Credentials, Key};
use super::{Api, App};
use crate::extensions::{Heard, Listening};

/// How often it is asked whether the caller may still listen, and whether there still is something to listen to.
const LOOK: Duration = Duration::from_secs(1);
/// How often something is said, so that both sides notice when the other has gone.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// How long a client may leave a line unread.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pieces on their way to a client.
const ON_THE_WAY: usize = 4;

/// Answers the lines, or begins to.
pub async fn logs(State(api): App, Key(id): Key<String>, headers: HeaderMap, call: Call) -> Result<Response, ApiError> {
    let wanted = api.extensions.lines_wanted(&call.start, &id, &call.query).await?;
    if !wants_stream(&headers) {
        let (lines, host) = api.extensions.lines(&id, &wanted);
        let shown: Vec<Value> = lines.lines.iter().map(|line| line.to_json()).collect();
        return Ok(axum::Json(json!({ "data": shown, "meta": { "host": host, "left_out": lines.left_out } })).into_response());
    }
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let wanted = last.map_or(wanted, |id| wanted.after(id));
    let (before, listening) = api.extensions.listen(&id, &wanted)?;
    let mut first = String::from(": lines\n\n");
    before.lines.iter().for_each(|line| first.push_str(&frame(&Heard::Line(Arc::clone(line)))));
    let (pieces, sent) = mpsc::channel(ON_THE_WAY);
    tokio::spawn(Flow { api, id, credentials: call.credentials, listening, pieces }.run(first));
    let body = stream::unfold(sent, |mut sent| async move {
        let piece = sent.recv().await?;
        Some((Ok::<String, Infallible>(piece), sent))
    });
    let mut response = Body::from_stream(body).into_response();
    let said = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        // Proxies that hold answers back let this one through.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    response.headers_mut().extend(said.map(|(name, value)| (name, HeaderValue::from_static(value))));
    Ok(response)
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    accepted.any(|kind| kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/event-stream"))
}

/// One event of the stream.
fn frame(heard: &Heard) -> String {
    match heard {
        Heard::Line(line) => format!("id: {}\ndata: {}\n\n", line.id, line.to_json()),
        Heard::Missed(lines) => format!("event: missed\ndata: {}\n\n", json!({ "lines": lines })),
        Heard::End => end("There is no more to come: the extension was deleted, or the server is ending"),
    }
}

fn end(why: &str) -> String {
    format!("event: end\ndata: {}\n\n", json!({ "reason": why }))
}

/// One stream.
struct Flow {
    api: Arc<Api>,
    id: String,
    credentials: Credentials,
    listening: Listening,
    pieces: mpsc::Sender<String>,
}

impl Flow {
    /// Until there is nothing more to tell, or nobody to tell it to.
    async fn run(mut self, first: String) {
        if !self.send(first).await {
            return;
        }
        let mut looks = tokio::time::interval_at(Instant::now() + LOOK, LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said = Instant::now();
        loop {
            let piece = tokio::select! {
                heard = self.listening.next() => {
                    let is_end = matches!(heard, Heard::End);
                    if is_end {
                        self.send(frame(&heard)).await;
                        return;
                    }
                    frame(&heard)
                }
                _ = looks.tick() => match self.over().await {
                    Some(why) => {
                        self.send(end(&why)).await;
                        return;
                    }
                    None if said.elapsed() >= SIGN_OF_LIFE => ":\n\n".to_owned(),
                    None => continue,
                },
                () = self.pieces.closed() => return,
            };
            said = Instant::now();
            if !self.send(piece).await {
                return;
            }
        }
    }

    /// Whether the client took it.
    async fn send(&self, piece: String) -> bool {
        matches!(tokio::time::timeout(PATIENCE, self.pieces.send(piece)).await, Ok(Ok(())))
    }

    /// Why the stream must end, if it must.
    async fn over(&self) -> Option<String> {
        let may = match self.credentials.owner(&self.api).await {
            Ok(who) => self.api.extensions.may_go_on_listening(who, &self.id).await,
            // A database that doesn't answer for a moment says nothing about rights.
            Err(error) if error.class() >= 500 => true,
            Err(error) => return Some(error.message().to_owned()),
        };
        match (may, self.api.extensions.is_there(&self.id).await) {
            (false, _) => Some("You may not manage the extension any more".to_owned()),
            (true, false) => Some("The extension was deleted".to_owned()),
            (true, true) => None,
        }
    }
}
