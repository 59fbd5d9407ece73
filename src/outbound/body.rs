//! Bodies on their way out and in: counted, timed, unpacked, and never held whole unless their length says that they fit.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_compression::tokio::bufread::{BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use http::header::{self, HeaderMap};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tokio_util::io::{ReaderStream, StreamReader};

use super::pool::Sender;
use super::{Permit, failed};
use crate::error::{Error, ErrorCode, Result};

/// How long a server may take from one byte of an answer to the next.
const IDLE: Duration = Duration::from_secs(30);
/// Bytes that are unpacked at once.
const CHUNK: usize = 16 * 1024;

fn too_large(what: &str, max: u64) -> Error {
    Error::new(ErrorCode::FetchTooLarge, format!("The body of the {what} has more than {max} bytes (EXTENSION_FETCH_MAX_BODY)"))
}

/// All of a request's body.
pub(super) async fn collect(mut pieces: BoxStream<'static, Result<Bytes, String>>, length: u64, max: u64) -> Result<Bytes> {
    if length > max {
        return Err(too_large("request", max));
    }
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await {
        whole.extend_from_slice(&piece.map_err(|why| not_made(&why))?);
        if whole.len() as u64 > length {
            return Err(not_made("it is longer than it was said to be"));
        }
    }
    if (whole.len() as u64) < length {
        return Err(not_made("it is shorter than it was said to be"));
    }
    Ok(whole.into())
}

fn not_made(why: &str) -> Error {
    Error::new(ErrorCode::FetchFailed, format!("The body of the request could not be sent: {why}"))
}

/// A request's body as it goes over the connection.
pub(super) struct Sending {
    kind: Kind,
    trouble: Trouble,
}

enum Kind {
    Whole(Option<Bytes>),
    Stream { pieces: Option<BoxStream<'static, Result<Bytes, String>>>, left: u64, max: u64 },
}

/// Why a body could not be sent: the connection knows only that it was not.
#[derive(Clone, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<Error>>>);

impl Trouble {
    pub(super) fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Sending {
    pub(super) fn none() -> Self {
        Self { kind: Kind::Whole(None), trouble: Trouble::default() }
    }

    pub(super) fn whole(bytes: Bytes) -> Self {
        Self { kind: Kind::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())), trouble: Trouble::default() }
    }

    pub(super) fn stream(pieces: BoxStream<'static, Result<Bytes, String>>, max: u64) -> Self {
        Self { kind: Kind::Stream { pieces: Some(pieces), left: max, max }, trouble: Trouble::default() }
    }

    pub(super) fn trouble(&self) -> Trouble {
        self.trouble.clone()
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let error = match &mut this.kind {
            Kind::Whole(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Stream { pieces, left, max } => {
                let Some(source) = pieces else { return Poll::Ready(None) };
                match source.poll_next_unpin(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => {
                        *pieces = None;
                        return Poll::Ready(None);
                    }
                    Poll::Ready(Some(Ok(piece))) => match left.checked_sub(piece.len() as u64) {
                        Some(rest) => {
                            *left = rest;
                            return Poll::Ready(Some(Ok(Frame::data(piece))));
                        }
                        None => too_large("request", *max),
                    },
                    Poll::Ready(Some(Err(why))) => not_made(&why),
                }
            }
        };
        this.kind = Kind::Whole(None);
        *this.trouble.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        Poll::Ready(Some(Err(error)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.kind, Kind::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::Stream { .. } => SizeHint::new(),
        }
    }
}

/// An answer's body as it comes.
pub(super) struct Arriving {
    pub body: Incoming,
    /// Its connection, to be kept at its end.
    pub keep: Option<Sender>,
    /// When it must have come.
    pub deadline: Instant,
    pub timed_out: Error,
    /// Bytes that it may have, packed and unpacked each.
    pub max: u64,
    /// Held to its end.
    pub permit: Permit,
}

impl Arriving {
    /// The body, unpacked: the headers that told how it was packed are taken out. `None` if there can't be one.
    pub(super) fn unpacked(
        mut self,
        headers: &mut HeaderMap,
        is_empty: bool,
        brotli: &Arc<Semaphore>,
    ) -> Result<Option<BoxStream<'static, Result<Bytes>>>> {
        if is_empty {
            if let Some(keep) = self.keep.take().filter(|_| self.body.is_end_stream()) {
                keep.keep();
            }
            return Ok(None);
        }
        let encodings: Vec<_> = headers.get_all(header::CONTENT_ENCODING).iter().collect();
        let encoding = match encodings.as_slice() {
            [one] => one.to_str().unwrap_or_default().trim().to_ascii_lowercase(),
            // What was packed twice, or in a way that isn't known here, is handed over as it came.
            _ => String::new(),
        };
        let max = self.max;
        // Known before anything is read: then the reason is plain.
        if encoding.is_empty() && self.body.size_hint().lower() > max {
            return Err(too_large("answer", max));
        }
        let permit = match encoding.as_str() {
            "br" => Some(Arc::clone(brotli).try_acquire_owned().map_err(|e| failed("Too many answers are packed with Brotli", e))?),
            "gzip" | "x-gzip" | "deflate" => None,
            _ => return Ok(Some(self.raw().boxed())),
        };
        headers.remove(header::CONTENT_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
        let packed = StreamReader::new(Box::pin(self.raw().map(|piece| piece.map_err(io::Error::other))));
        Ok(Some(match encoding.as_str() {
            "br" => bounded(BrotliDecoder::new(packed), max, permit),
            "deflate" => deflated(packed, max),
            _ => {
                let mut decoder = GzipDecoder::new(packed);
                decoder.multiple_members(true);
                bounded(decoder, max, None)
            }
        }))
    }

    fn raw(self) -> Raw {
        let Self { body, keep, deadline, timed_out, max, permit } = self;
        let timer = Box::pin(tokio::time::sleep_until(deadline.min(Instant::now() + IDLE)));
        Raw { body: Some(body), keep, deadline, timed_out, max, left: max, _permit: permit, timer }
    }
}

/// The body as it comes over the connection.
struct Raw {
    body: Option<Incoming>,
    keep: Option<Sender>,
    deadline: Instant,
    timed_out: Error,
    max: u64,
    left: u64,
    _permit: Permit,
    timer: Pin<Box<Sleep>>,
}

impl Stream for Raw {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let error = loop {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if data.is_empty() {
                        continue;
                    }
                    if Instant::now() >= this.deadline {
                        break this.timed_out.clone();
                    }
                    let Some(left) = this.left.checked_sub(data.len() as u64) else { break too_large("answer", this.max) };
                    this.left = left;
                    this.timer.as_mut().reset(this.deadline.min(Instant::now() + IDLE));
                    return Poll::Ready(Some(Ok(data)));
                }
                Poll::Ready(Some(Err(error))) => break failed("The answer broke off before its end", error),
                Poll::Ready(None) => {
                    this.body = None;
                    if let Some(keep) = this.keep.take() {
                        keep.keep();
                    }
                    return Poll::Ready(None);
                }
                Poll::Pending if this.timer.as_mut().poll(cx).is_ready() => {
                    break match Instant::now() < this.deadline {
                        true => Error::new(ErrorCode::FetchTimeout, format!("The server sent nothing for {} s", IDLE.as_secs())),
                        false => this.timed_out.clone(),
                    };
                }
                Poll::Pending => return Poll::Pending,
            }
        };
        // The connection closes with what is dropped here.
        (this.body, this.keep) = (None, None);
        Poll::Ready(Some(Err(error)))
    }
}

/// What `deflate` should be is framed by zlib, and some servers leave the frame out.
fn deflated(packed: impl AsyncBufRead + Send + Unpin + 'static, max: u64) -> BoxStream<'static, Result<Bytes>> {
    let opened = async move {
        let mut packed = BufReader::with_capacity(CHUNK, packed);
        let begin = packed.fill_buf().await.map_err(unpacking)?;
        let is_framed = match begin {
            [first, second, ..] => first & 0x0F == 8 && (u16::from(*first) << 8 | u16::from(*second)).is_multiple_of(31),
            _ => true,
        };
        Ok::<_, Error>(match is_framed {
            true => bounded(ZlibDecoder::new(packed), max, None),
            false => bounded(DeflateDecoder::new(packed), max, None),
        })
    };
    futures_util::stream::once(opened)
        .flat_map(|opened| opened.unwrap_or_else(|error| futures_util::stream::once(async { Err(error) }).boxed()))
        .boxed()
}

/// Reads a decoder piece by piece, so that no more is unpacked than is read, up to `max` bytes in all.
fn bounded(decoder: impl AsyncRead + Send + 'static, max: u64, permit: Option<OwnedSemaphorePermit>) -> BoxStream<'static, Result<Bytes>> {
    let pieces = Box::pin(ReaderStream::with_capacity(decoder, CHUNK));
    futures_util::stream::unfold(Some((pieces, max, permit)), move |state| async move {
        let (mut pieces, left, permit) = state?;
        match pieces.next().await? {
            Ok(piece) => match left.checked_sub(piece.len() as u64) {
                Some(left) => Some((Ok(piece), Some((pieces, left, permit)))),
                None => Some((Err(too_large("answer", max)), None)),
            },
            Err(error) => Some((Err(unpacking(error)), None)),
        }
    })
    .boxed()
}

/// What stopped the unpacking: an error of the connection's, or what came was not packed as it said.
fn unpacking(error: io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(ours) => ours.clone(),
        None => failed("The answer is not packed as its `content-encoding` says", error),
    }
}
