//! A request that an invocation answers: its body on the way in, the answer on the way out, both in pieces and under credit.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::Failure;
use super::limits::{GONE_GRACE, GRACE, MAX_PIECE, STREAM_CREDIT, STREAM_IDLE};
use super::protocol::{AnswerBytes, ExchangeKind};

/// The request's side of an invocation.
pub struct Exchange {
    /// The body of the request, if it has one. It is read as fast as the code reads it; an error is one for the code.
    pub body: Option<BoxStream<'static, Result<Bytes, String>>>,
    /// Gets the answer as soon as there is one. It stays unused where the invocation fails first.
    pub answer: oneshot::Sender<Answer>,
    /// Resolves when the client has gone: the code is told, and a streaming answer ends.
    pub gone: BoxFuture<'static, ()>,
    /// How long a streaming answer may take in all, from its head to its end.
    pub stream_timeout: Duration,
}

/// What the code answered.
#[derive(Debug)]
pub struct Answer {
    /// 200 to 599.
    pub status: u16,
    /// Names and values as the code gave them, in order.
    pub headers: Vec<(String, String)>,
    /// What follows the head.
    pub body: AnswerBody,
}

/// The body of an answer.
#[derive(Debug)]
pub enum AnswerBody {
    /// All of it.
    Whole(Bytes),
    /// It comes piece by piece.
    Stream(AnswerStream),
}

/// Why a streaming answer ended before its end. What went wrong is in the outcome of the invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer was cut off")]
pub struct StreamCut;

/// The pieces of a streaming answer. Each piece taken is credit for another.
#[derive(Debug)]
pub struct AnswerStream {
    /// `None` is the end. A channel that ends without it was cut.
    pub(super) pieces: mpsc::UnboundedReceiver<Option<Bytes>>,
    /// Credit for the code: bytes that were taken.
    pub(super) taken: mpsc::UnboundedSender<usize>,
    pub(super) ended: bool,
}

impl Stream for AnswerStream {
    type Item = Result<Bytes, StreamCut>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let piece = match self.pieces.poll_recv(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Some(piece))) => {
                // Nobody listens any more when the invocation has ended: nothing is left to be given credit for.
                let _ = self.taken.send(piece.len());
                Some(Ok(piece))
            }
            Poll::Ready(Some(None)) => None,
            Poll::Ready(None) => Some(Err(StreamCut)),
        };
        self.ended = !matches!(piece, Some(Ok(_)));
        Poll::Ready(piece)
    }
}

/// The head of an answer as the worker sends it.
#[derive(Deserialize)]
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

/// What a request or its client brings.
pub(super) enum Moved {
    /// A piece of the body.
    Piece(Bytes),
    /// The end of the body, with what went wrong if it was cut off.
    End(Option<String>),
    /// The client took so many bytes of the answer.
    Credit(usize),
    /// The client has gone.
    Gone,
}

/// An exchange while its invocation runs; empty for an invocation without one.
#[derive(Default)]
pub(super) struct Door {
    exchange: Option<Exchange>,
    /// Of the body of the request: what was read and not sent yet, and how much more may be sent.
    rest: Bytes,
    room: usize,
    body_ended: bool,
    client_gone: bool,
    spent: bool,
    outflow: Option<Outflow>,
}

/// A streaming answer that has begun.
struct Outflow {
    pieces: mpsc::UnboundedSender<Option<Bytes>>,
    taken: mpsc::UnboundedReceiver<usize>,
    /// When it must have ended, whatever happens.
    ends: Instant,
    /// When the client last took something.
    moved: Instant,
}

impl Door {
    pub(super) fn new(exchange: Option<Exchange>) -> Self {
        Self { exchange, room: STREAM_CREDIT, ..Self::default() }
    }

    pub(super) fn kind(&self) -> ExchangeKind {
        match &self.exchange {
            None => ExchangeKind::None,
            Some(Exchange { body: None, .. }) => ExchangeKind::WithoutBody,
            Some(Exchange { body: Some(_), .. }) => ExchangeKind::WithBody,
        }
    }

    pub(super) fn is_exchange(&self) -> bool {
        self.exchange.is_some()
    }

    /// The exchange, for another attempt to answer; `None` when part of it is spent.
    pub(super) fn into_exchange(self) -> Option<Exchange> {
        self.exchange.filter(|_| !self.spent)
    }

    /// Whether something of the request was sent or of the answer received.
    pub(super) fn is_spent(&self) -> bool {
        self.spent
    }

    /// Waits for the next thing that the request or its client brings. Nothing is lost when this is dropped.
    pub(super) async fn next(&mut self) -> Moved {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Moved> {
        let Some(exchange) = &mut self.exchange else { return Poll::Pending };
        if !self.client_gone && exchange.gone.as_mut().poll(cx).is_ready() {
            self.client_gone = true;
            // Asked again by another attempt, it says so again.
            exchange.gone = Box::pin(std::future::ready(()));
            return Poll::Ready(Moved::Gone);
        }
        if let Some(outflow) = &mut self.outflow
            && let Poll::Ready(Some(bytes)) = outflow.taken.poll_recv(cx)
        {
            outflow.moved = Instant::now();
            return Poll::Ready(Moved::Credit(bytes));
        }
        let Some(body) = exchange.body.as_mut().filter(|_| self.room > 0 && !self.body_ended) else { return Poll::Pending };
        while self.rest.is_empty() {
            let ended = match body.poll_next_unpin(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(bytes))) => {
                    self.rest = bytes;
                    continue;
                }
                Poll::Ready(Some(Err(problem))) if problem.is_empty() => Some("it was cut off".to_owned()),
                Poll::Ready(Some(Err(problem))) => Some(problem),
                Poll::Ready(None) => None,
            };
            (self.body_ended, self.spent) = (true, true);
            return Poll::Ready(Moved::End(ended));
        }
        let piece = self.rest.split_to(self.rest.len().min(self.room).min(MAX_PIECE));
        self.room -= piece.len();
        self.spent = true;
        Poll::Ready(Moved::Piece(piece))
    }

    /// The code has read so much of the request's body.
    pub(super) fn taken(&mut self, bytes: usize) {
        self.room += bytes;
    }

    /// A streaming answer begins. `false` if this isn't a head.
    pub(super) fn begin(&mut self, head: &[u8]) -> bool {
        self.spent = true;
        let (Some(head), Some(exchange)) = (read_head(head), &mut self.exchange) else { return false };
        let (pieces, inbox) = mpsc::unbounded_channel();
        let (credit, taken) = mpsc::unbounded_channel();
        let body = AnswerBody::Stream(AnswerStream { pieces: inbox, taken: credit, ended: false });
        let now = Instant::now();
        let longest = if self.client_gone { GONE_GRACE } else { exchange.stream_timeout };
        self.outflow = Some(Outflow { pieces, taken, ends: now + longest, moved: now });
        exchange.answer(Answer { status: head.status, headers: head.headers, body });
        true
    }

    /// The answer came whole. `false` if this isn't one.
    pub(super) fn whole(&mut self, bytes: &[u8]) -> bool {
        let Ok(AnswerBytes { head, body }) = AnswerBytes::decode(bytes) else { return false };
        let (Some(head), Some(exchange), None) = (read_head(head), &mut self.exchange, &self.outflow) else { return false };
        exchange.answer(Answer { status: head.status, headers: head.headers, body: AnswerBody::Whole(Bytes::copy_from_slice(body)) });
        true
    }

    /// More of a streaming answer. Where nobody takes it any more, it is let pass.
    pub(super) fn piece(&mut self, piece: Bytes) {
        if let Some(outflow) = &self.outflow {
            let _ = outflow.pieces.send(Some(piece));
        }
    }

    /// A streaming answer came to its end.
    pub(super) fn end(&mut self) {
        if let Some(outflow) = &self.outflow {
            let _ = outflow.pieces.send(None);
        }
    }

    pub(super) fn is_streaming(&self) -> bool {
        self.outflow.is_some()
    }

    /// By when a streaming answer must end as things stand.
    pub(super) fn limit(&self) -> Option<Instant> {
        self.outflow.as_ref().map(|outflow| outflow.ends.min(outflow.moved + STREAM_IDLE))
    }

    /// When a streaming answer is to be looked at: at its limit, or when its code may have worked for too long without a yield.
    pub(super) fn next_look(&self, timeout: Duration) -> Instant {
        let look = Instant::now() + timeout + GRACE;
        self.limit().map_or(look, |limit| limit.min(look))
    }

    /// A streaming answer has no client any more.
    pub(super) fn end_soon(&mut self) {
        if let Some(outflow) = &mut self.outflow {
            outflow.ends = outflow.ends.min(Instant::now() + GONE_GRACE);
        }
    }

    /// Whether the code may be waiting for more of the request's body: there is room for it, and the client hasn't sent it.
    pub(super) fn awaits_body(&self) -> bool {
        self.room > 0 && !self.body_ended && matches!(&self.exchange, Some(Exchange { body: Some(_), .. }))
    }

    /// Why a streaming answer is cut off at its limit.
    pub(super) fn cut(&self, now: Instant) -> Failure {
        let idle = self.outflow.as_ref().is_some_and(|outflow| now < outflow.ends);
        Failure::StreamCut(if self.client_gone {
            "its client had gone, and it went on".to_owned()
        } else if idle {
            format!("for {} s nothing of it was taken", STREAM_IDLE.as_secs())
        } else {
            "it took longer than a streaming answer may".to_owned()
        })
    }
}

impl Exchange {
    /// Hands the answer over. There is one only, so a second is let pass; nobody may be waiting any more.
    fn answer(&mut self, answer: Answer) {
        let (unused, _) = oneshot::channel();
        let _ = std::mem::replace(&mut self.answer, unused).send(answer);
    }
}

/// What a worker says is a head, if it is one: the glue refuses others.
fn read_head(json: &[u8]) -> Option<Head> {
    serde_json::from_slice::<Head>(json).ok().filter(|head| (200..600).contains(&head.status))
}
