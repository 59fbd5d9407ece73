//! Host calls with a body each way: what the code sends along, and what comes back after the answer, in pieces and under credit.
//!
//! A stream has the number of its call. [`Ledger`] is the link's side: it checks what a worker says of its streams. [`Streams`] is the
//! invocation's side: it hands bodies to the service and feeds what the service answers. Which service that is, neither knows.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesUnordered};
use futures_util::{Stream, StreamExt};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};

use super::CallError;
use super::limits::{MAX_PIECE, MAX_STREAMS, STREAM_CREDIT};
use super::protocol::{CreditBody, Kind, PieceBody, Violation};

/// What a service answers to a call with streams.
pub struct Streamed {
    /// The answer itself; `None` is `undefined`.
    pub value: Option<Box<RawValue>>,
    /// What follows it. It is read as fast as the code reads it, and dropped when the code doesn't want it or has ended.
    pub body: Option<BoxStream<'static, Result<Bytes, Box<CallError>>>>,
}

/// What the code sends along with a call. Each piece taken is credit for another; dropping it tells the code to stop.
#[derive(Debug)]
pub struct Upload {
    pieces: mpsc::UnboundedReceiver<Sent>,
    taken: mpsc::UnboundedSender<usize>,
    ended: bool,
}

/// One thing of an upload: a piece, its end, or what kept the code from going on.
type Sent = Result<Option<Bytes>, String>;

impl Upload {
    /// One that has nothing to give.
    pub fn empty() -> Self {
        let (_, pieces) = mpsc::unbounded_channel();
        Self { pieces, taken: mpsc::unbounded_channel().0, ended: true }
    }
}

impl Stream for Upload {
    type Item = Result<Bytes, String>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let item = match self.pieces.poll_recv(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Ok(Some(piece)))) => {
                // Nobody listens any more when the invocation has ended.
                let _ = self.taken.send(piece.len());
                return Poll::Ready(Some(Ok(piece)));
            }
            Poll::Ready(Some(Ok(None))) => None,
            Poll::Ready(Some(Err(why))) => Some(Err(why)),
            Poll::Ready(None) => Some(Err("the call that sent it has ended".to_owned())),
        };
        self.ended = true;
        Poll::Ready(item)
    }
}

/// What a worker said of a stream, checked.
#[derive(Debug)]
pub(super) enum Said {
    /// More of what it sends along.
    Piece(u32, Bytes),
    /// There is no more of it, with what went wrong if it was cut off.
    End(u32, Option<String>),
    /// It has read so much of what followed the answer.
    Taken(u32, usize),
    /// It wants neither the answer nor what follows it.
    Cancel(u32),
}

/// What the host knows of the streams of one invocation.
#[derive(Default)]
pub(super) struct Ledger(HashMap<u32, Account>);

struct Account {
    /// Bytes that the worker may still send; `None` once it has ended its side or nobody takes it.
    credit: Option<usize>,
    /// Bytes that were fed and not read; `None` once the host has ended its side.
    fed: Option<usize>,
}

impl Ledger {
    /// A call with streams begins.
    pub(super) fn open(&mut self, call: u32) -> Result<(), Violation> {
        if self.0.len() >= MAX_STREAMS {
            return Err(Violation("too many streams"));
        }
        self.0.insert(call, Account { credit: Some(STREAM_CREDIT), fed: Some(0) });
        Ok(())
    }

    /// Checks a message about a stream. `None` for what may be let pass: the host had ended that side, and the worker didn't know yet.
    /// `last_call` is the number of the last call that was made.
    pub(super) fn said(&mut self, kind: Kind, body: Vec<u8>, last_call: u32) -> Result<Option<Said>, Violation> {
        let stream = match kind {
            Kind::Taken => CreditBody::decode(&body)?.stream,
            _ => PieceBody::decode(&body)?.stream,
        };
        let account = match self.0.get_mut(&stream) {
            Some(account) => account,
            None if (1..=last_call).contains(&stream) => return Ok(None),
            None => return Err(Violation("a stream that nobody opened")),
        };
        let said = match kind {
            Kind::Piece => {
                let length = PieceBody::decode(&body)?.bytes.len();
                let Some(credit) = &mut account.credit else { return Ok(None) };
                if length == 0 || length > *credit {
                    return Err(Violation("more of a stream than there is credit for"));
                }
                *credit -= length;
                let start = body.len() - length;
                Said::Piece(stream, Bytes::from(body).slice(start..))
            }
            Kind::PieceEnd => {
                if account.credit.take().is_none() {
                    return Ok(None);
                }
                let why = PieceBody::decode(&body)?.bytes;
                Said::End(stream, (!why.is_empty()).then(|| String::from_utf8_lossy(why).into_owned()))
            }
            Kind::Taken => {
                let taken = CreditBody::decode(&body)?.bytes as usize;
                let Some(fed) = &mut account.fed else { return Ok(None) };
                if taken == 0 || taken > *fed {
                    return Err(Violation("more taken than was sent"));
                }
                *fed -= taken;
                Said::Taken(stream, taken)
            }
            _ => {
                self.0.remove(&stream);
                return Ok(Some(Said::Cancel(stream)));
            }
        };
        self.settle(stream);
        Ok(Some(said))
    }

    /// So much is fed. Whether the worker still wants it.
    pub(super) fn feed(&mut self, stream: u32, bytes: usize) -> bool {
        match self.0.get_mut(&stream).and_then(|account| account.fed.as_mut()) {
            Some(fed) => {
                *fed += bytes;
                true
            }
            None => false,
        }
    }

    /// Nothing more is fed. Whether the worker still wants to know.
    pub(super) fn feed_end(&mut self, stream: u32) -> bool {
        let open = self.0.get_mut(&stream).is_some_and(|account| account.fed.take().is_some());
        self.settle(stream);
        open
    }

    /// The worker may send so much more; 0 is that nobody takes any more of it. Whether it has something to send.
    pub(super) fn credit(&mut self, stream: u32, bytes: usize) -> bool {
        let Some(account) = self.0.get_mut(&stream) else { return false };
        let Some(credit) = &mut account.credit else { return false };
        if bytes == 0 {
            account.credit = None;
            self.settle(stream);
        } else {
            *credit += bytes;
        }
        true
    }

    /// The call failed: there is nothing to send and nothing to feed any more.
    pub(super) fn forget(&mut self, stream: u32) {
        self.0.remove(&stream);
    }

    fn settle(&mut self, stream: u32) {
        if self.0.get(&stream).is_some_and(|account| account.credit.is_none() && account.fed.is_none()) {
            self.0.remove(&stream);
        }
    }
}

/// What a stream brings for the worker.
pub(super) enum Flowed {
    /// The service answered; what follows comes piece by piece.
    Answered(u32, Result<Option<Box<RawValue>>, CallError>),
    /// More of what follows.
    Piece(u32, Bytes),
    /// There is no more of it, with what cut it off.
    End(u32, Option<CallError>),
    /// The service took so many bytes; 0 is that it takes no more.
    Credit(u32, usize),
}

type Answering = BoxFuture<'static, (u32, Result<Streamed, CallError>)>;

/// The calls with streams of one running invocation.
#[derive(Default)]
pub(super) struct Streams {
    calls: FuturesUnordered<Answering>,
    open: Vec<Open>,
}

struct Open {
    call: u32,
    /// Hands what the code sends to the service, until that has ended.
    pieces: Option<mpsc::UnboundedSender<Sent>>,
    /// What the service took of it.
    taken: Option<mpsc::UnboundedReceiver<usize>>,
    /// Ends the call when it is dropped.
    _wanted: oneshot::Sender<()>,
    answered: bool,
    body: Option<BoxStream<'static, Result<Bytes, Box<CallError>>>>,
    /// Of the body: what was read and not fed yet, and how much may be.
    rest: Bytes,
    room: usize,
}

impl Streams {
    /// Whether there is anything to wait for.
    pub(super) fn is_any(&self) -> bool {
        !self.open.is_empty() || !self.calls.is_empty()
    }

    /// A call begins; `ask` is given what the code sends along.
    pub(super) fn begin(&mut self, call: u32, ask: impl FnOnce(Upload) -> BoxFuture<'static, Result<Streamed, CallError>>) {
        let (pieces, inbox) = mpsc::unbounded_channel();
        let (credit, taken) = mpsc::unbounded_channel();
        let (wanted, unwanted) = oneshot::channel::<()>();
        let work = ask(Upload { pieces: inbox, taken: credit, ended: false });
        self.calls.push(Box::pin(async move {
            tokio::select! {
                biased;
                _ = unwanted => (call, Err(aborted())),
                answer = work => (call, answer),
            }
        }));
        self.open.push(Open {
            call,
            pieces: Some(pieces),
            taken: Some(taken),
            _wanted: wanted,
            answered: false,
            body: None,
            rest: Bytes::new(),
            room: STREAM_CREDIT,
        });
    }

    /// Takes in what the worker said.
    pub(super) fn hear(&mut self, said: Said) {
        let (Said::Piece(call, _) | Said::End(call, _) | Said::Taken(call, _) | Said::Cancel(call)) = said;
        let Some(at) = self.open.iter().position(|open| open.call == call) else { return };
        let open = &mut self.open[at];
        let sent = match said {
            Said::Piece(_, piece) => Ok(Some(piece)),
            Said::End(_, None) => Ok(None),
            Said::End(_, Some(why)) => Err(why),
            Said::Taken(_, bytes) => {
                open.room += bytes;
                return;
            }
            // The connections behind it close with what is dropped here.
            Said::Cancel(_) => {
                self.open.swap_remove(at);
                return;
            }
        };
        let is_end = !matches!(sent, Ok(Some(_)));
        if let Some(pieces) = &open.pieces {
            // Where the service doesn't want it any more, it is let pass.
            let _ = pieces.send(sent);
        }
        if is_end {
            open.pieces = None;
        }
    }

    /// Waits for the next thing that a stream brings. Nothing is lost when this is dropped.
    pub(super) async fn next(&mut self) -> Flowed {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Flowed> {
        if let Poll::Ready(Some((call, answer))) = self.calls.poll_next_unpin(cx) {
            let at = self.open.iter().position(|open| open.call == call);
            return Poll::Ready(Flowed::Answered(
                call,
                match (answer, at) {
                    (Ok(Streamed { value, body }), Some(at)) => {
                        self.open[at].answered = true;
                        self.open[at].body = Some(body.unwrap_or_else(|| futures_util::stream::empty().boxed()));
                        Ok(value)
                    }
                    (Ok(Streamed { value, .. }), None) => Ok(value),
                    (Err(error), at) => {
                        at.map(|at| self.open.swap_remove(at));
                        Err(error)
                    }
                },
            ));
        }
        for at in 0..self.open.len() {
            if let Poll::Ready(flowed) = self.open[at].poll_next(cx) {
                if self.open[at].is_over() {
                    self.open.swap_remove(at);
                } else {
                    // The others have their turn first.
                    self.open[at..].rotate_left(1);
                }
                return Poll::Ready(flowed);
            }
        }
        Poll::Pending
    }
}

impl Open {
    fn is_over(&self) -> bool {
        self.answered && self.body.is_none() && self.taken.is_none()
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Flowed> {
        let call = self.call;
        if let Some(taken) = &mut self.taken
            && let Poll::Ready(bytes) = taken.poll_recv(cx)
        {
            if bytes.is_none() {
                self.taken = None;
            }
            return Poll::Ready(Flowed::Credit(call, bytes.unwrap_or(0)));
        }
        if self.room == 0 {
            return Poll::Pending;
        }
        let Some(body) = &mut self.body else { return Poll::Pending };
        while self.rest.is_empty() {
            let ended = match body.poll_next_unpin(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(bytes))) => {
                    self.rest = bytes;
                    continue;
                }
                Poll::Ready(Some(Err(error))) => Some(*error),
                Poll::Ready(None) => None,
            };
            self.body = None;
            return Poll::Ready(Flowed::End(call, ended));
        }
        let piece = self.rest.split_to(self.rest.len().min(self.room).min(MAX_PIECE));
        self.room -= piece.len();
        Poll::Ready(Flowed::Piece(call, piece))
    }
}

/// The answer to a call that the code gave up. Nobody hears it.
fn aborted() -> CallError {
    let message = "The call was aborted".to_owned();
    CallError { name: "Error".to_owned(), message, code: "ABORTED".to_owned(), status: 499, extra: None }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn piece(stream: u32, bytes: usize) -> Vec<u8> {
        PieceBody { stream, bytes: &vec![7; bytes] }.encode()
    }

    fn taken(stream: u32, bytes: u32) -> Vec<u8> {
        CreditBody { stream, bytes }.encode()
    }

    #[test]
    fn a_worker_may_say_of_its_streams_what_fits_and_nothing_else() {
        let mut ledger = Ledger::default();
        ledger.open(3).expect("the first");
        assert!(ledger.said(Kind::Piece, piece(4, 1), 3).is_err(), "a call that was never made");
        assert!(ledger.said(Kind::Piece, piece(0, 1), 3).is_err(), "the answer of the invocation is no stream of a call");
        assert!(ledger.said(Kind::Piece, piece(2, 1), 3).expect("let pass").is_none());
        assert!(ledger.said(Kind::Piece, piece(3, 0), 3).is_err());
        assert!(ledger.said(Kind::Piece, piece(3, STREAM_CREDIT + 1), 3).is_err());
        assert!(
            matches!(ledger.said(Kind::Piece, piece(3, STREAM_CREDIT), 3), Ok(Some(Said::Piece(3, bytes))) if bytes.len() == STREAM_CREDIT)
        );
        assert!(ledger.said(Kind::Piece, piece(3, 1), 3).is_err(), "its credit is used up");
        assert!(ledger.credit(3, 5));
        assert!(ledger.said(Kind::Piece, piece(3, 5), 3).is_ok());
        assert!(ledger.said(Kind::Taken, taken(3, 1), 3).is_err(), "nothing was fed");
        assert!(ledger.feed(3, 10));
        assert!(ledger.said(Kind::Taken, taken(3, 0), 3).is_err());
        assert!(matches!(ledger.said(Kind::Taken, taken(3, 10), 3), Ok(Some(Said::Taken(3, 10)))));
        assert!(matches!(ledger.said(Kind::PieceEnd, piece(3, 0), 3), Ok(Some(Said::End(3, None)))));
        assert!(ledger.said(Kind::Piece, piece(3, 1), 3).expect("let pass").is_none(), "it has ended");
        assert!(ledger.feed_end(3));
        assert!(ledger.0.is_empty() && !ledger.feed(3, 1) && !ledger.credit(3, 1));
        ledger.open(5).expect("another");
        assert!(matches!(ledger.said(Kind::Cancel, piece(5, 0), 5), Ok(Some(Said::Cancel(5)))));
        assert!(ledger.0.is_empty());
        for call in 6..6 + MAX_STREAMS as u32 {
            ledger.open(call).expect("there is room");
        }
        assert!(ledger.open(1_000).is_err());
    }

    #[tokio::test]
    async fn what_is_sent_along_reaches_the_service_and_what_follows_the_answer_reaches_the_code() {
        let mut streams = Streams::default();
        streams.begin(1, |mut upload| {
            async move {
                let mut size = 0;
                while let Some(piece) = upload.next().await {
                    size += piece.expect("it comes to its end").len();
                }
                let value = RawValue::from_string(size.to_string()).ok();
                Ok(Streamed { value, body: Some(futures_util::stream::iter([Ok(Bytes::from(vec![1; MAX_PIECE + 1]))]).boxed()) })
            }
            .boxed()
        });
        assert!(streams.next().now_or_never().is_none());
        streams.hear(Said::Piece(1, Bytes::from_static(b"abc")));
        assert!(matches!(streams.next().await, Flowed::Credit(1, 3)));
        streams.hear(Said::End(1, None));
        assert!(matches!(streams.next().await, Flowed::Answered(1, Ok(Some(value))) if value.get() == "3"));
        assert!(matches!(streams.next().await, Flowed::Credit(1, 0)));
        assert!(matches!(streams.next().await, Flowed::Piece(1, piece) if piece.len() == MAX_PIECE));
        assert!(matches!(streams.next().await, Flowed::Piece(1, piece) if piece.len() == 1));
        assert!(matches!(streams.next().await, Flowed::End(1, None)));
        assert!(!streams.is_any());
    }

    #[tokio::test]
    async fn what_is_cancelled_is_dropped_at_once_and_answered_once() {
        let mut streams = Streams::default();
        let (alive, dropped) = oneshot::channel::<()>();
        streams.begin(1, |upload| {
            async move {
                let _held = (alive, upload);
                std::future::pending().await
            }
            .boxed()
        });
        assert!(streams.next().now_or_never().is_none());
        streams.hear(Said::Cancel(1));
        assert!(matches!(streams.next().await, Flowed::Answered(1, Err(error)) if error.code == "ABORTED"));
        assert!(dropped.await.is_err() && !streams.is_any());
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_is_fed_no_more_than_its_credit() {
        let mut streams = Streams::default();
        streams.begin(1, |_| {
            let body = futures_util::stream::repeat_with(|| Ok(Bytes::from(vec![1; 1 << 16]))).boxed();
            async { Ok(Streamed { value: None, body: Some(body) }) }.boxed()
        });
        let mut fed = 0;
        while let Some(flowed) = streams.next().now_or_never() {
            if let Flowed::Piece(_, piece) = flowed {
                fed += piece.len();
            }
        }
        assert_eq!(fed, STREAM_CREDIT);
        streams.hear(Said::Taken(1, 100));
        assert!(matches!(streams.next().await, Flowed::Piece(1, piece) if piece.len() == 100));
    }
}
