//! What host and worker say to each other: frames on one stream socket.
//!
//! A frame is a 14-byte header (length of the body `u32`, kind `u8`, flags `u8`, id `u64`, little endian) and a body of at most
//! 64 KiB; longer messages are several frames of one id, the last marked `FIN`. Ids are invocations; 0 is the worker itself.
//! Lengths are checked before anything is allocated, and the receiver decides per kind and id how long a message may get.

mod bodies;

use std::collections::{HashMap, VecDeque};

use super::limits::MAX_FRAME;
use super::room::Held;

pub(super) use bodies::{AckBody, AnswerBytes, CallBody, CreditBody, ExchangeKind, InvokeBody, PieceBody, ReplyBody};

/// Bytes before each body.
pub(super) const HEADER: usize = 14;

/// The last frame of a message.
const FIN: u8 = 1;

/// What a message is for. The numbers are the wire's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Host → worker, id 0: [`LoadStep`](super::compile::LoadStep) as JSON.
    Load = 1,
    /// Host → worker: [`InvokeBody`].
    Invoke = 2,
    /// Host → worker: [`ReplyBody`].
    Reply = 3,
    /// Host → worker, empty: forget this invocation.
    Abort = 4,
    /// Host → worker: [`PieceBody`] of the request's body.
    Feed = 5,
    /// Host → worker: [`PieceBody`] whose bytes are an error text, or none where the body ended well.
    FeedEnd = 6,
    /// Host → worker: [`CreditBody`] for the answer.
    Credit = 7,
    /// Host → worker, empty: the client has gone. What runs may come to its end.
    Gone = 8,
    /// Worker → host, id 0: [`LoadAnswer`](super::compile::LoadAnswer) as JSON.
    Loaded = 17,
    /// Worker → host: [`CallBody`].
    Call = 18,
    /// Worker → host: level `u8`, then text.
    Log = 19,
    /// Worker → host: [`DONE_UNDEFINED`] and its kin `u8`, then JSON.
    Done = 20,
    /// Worker → host, id 0: [`AckBody`].
    Ack = 21,
    /// Worker → host: the head of a streaming answer, as JSON.
    Head = 22,
    /// Worker → host: [`PieceBody`] of a streaming answer; its end is `Done`.
    Piece = 23,
    /// Worker → host: [`CreditBody`] for the request's body.
    Taken = 24,
    /// Worker → host, id 0, once and first: [`Jail`](super::jail::Jail) as JSON.
    Hello = 25,
    /// Worker → host, id 0: text for the host's log. A worker that panics sends one last.
    Note = 26,
}

/// The kinds below are the host's, the others the worker's.
const FIRST_OF_WORKER: u8 = 17;

impl Kind {
    /// Whether the host sends it, and no worker does.
    pub(super) fn is_for_worker(self) -> bool {
        (self as u8) < FIRST_OF_WORKER
    }

    fn from_wire(n: u8) -> Option<Self> {
        Some(match n {
            1 => Self::Load,
            2 => Self::Invoke,
            3 => Self::Reply,
            4 => Self::Abort,
            5 => Self::Feed,
            6 => Self::FeedEnd,
            7 => Self::Credit,
            8 => Self::Gone,
            17 => Self::Loaded,
            18 => Self::Call,
            19 => Self::Log,
            20 => Self::Done,
            21 => Self::Ack,
            22 => Self::Head,
            23 => Self::Piece,
            24 => Self::Taken,
            25 => Self::Hello,
            26 => Self::Note,
            _ => return None,
        })
    }
}

/// First byte of a `Done` or `Reply` payload: nothing follows.
pub(super) const DONE_UNDEFINED: u8 = 0;
/// First byte of a `Done` or `Reply` payload: a JSON value follows.
pub(super) const DONE_JSON: u8 = 1;
/// First byte of a `Done` or `Reply` payload: a failure as JSON follows.
pub(super) const DONE_FAILURE: u8 = 2;
/// First byte of a `Done` payload: a whole [`AnswerBytes`] follows.
pub(super) const DONE_ANSWER: u8 = 3;

/// Number of the body of a request or of an answer, among the streams of one invocation.
pub(super) const OWN_STREAM: u32 = 0;

/// The other side broke the rules: it is given up.
#[derive(Debug, thiserror::Error)]
#[error("protocol violation: {0}")]
pub(super) struct Violation(pub &'static str);

/// One whole message.
#[derive(Debug)]
pub(super) struct Message {
    pub kind: Kind,
    pub id: u64,
    pub body: Vec<u8>,
}

/// Appends a message as frames.
pub(super) fn write_message(out: &mut Vec<u8>, kind: Kind, id: u64, body: &[u8]) {
    let mut at = 0;
    while write_fragment(out, kind, id, body, &mut at) {}
}

/// Appends the frame that starts at `at` and moves it on; whether more of the message is left.
fn write_fragment(out: &mut Vec<u8>, kind: Kind, id: u64, body: &[u8], at: &mut usize) -> bool {
    let end = body.len().min(*at + MAX_FRAME);
    let fragment = &body[*at..end];
    out.reserve(HEADER + fragment.len());
    out.extend_from_slice(&u32::try_from(fragment.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.push(kind as u8);
    out.push(if end == body.len() { FIN } else { 0 });
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(fragment);
    *at = end;
    end < body.len()
}

/// Puts frames together into messages.
#[derive(Default)]
pub(super) struct Decoder {
    buffer: Vec<u8>,
    /// Where unread bytes begin in `buffer`.
    start: usize,
    partial: HashMap<u64, (Kind, Vec<u8>)>,
    /// Whether a message must end before the next begins.
    in_turn: bool,
}

impl Decoder {
    /// For what a worker sends: it writes its messages one after the other, so no more than one is ever held in part.
    pub(super) fn in_turn() -> Self {
        Self { in_turn: true, ..Self::default() }
    }

    /// Room for the next read of at least `size` bytes, at the end of what is buffered.
    pub(super) fn buffer(&mut self, size: usize) -> &mut Vec<u8> {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > MAX_FRAME {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.reserve(size);
        &mut self.buffer
    }

    /// Takes the next whole message. `accept` says how long a message of this kind and id may get, or that there may be none.
    pub(super) fn next(&mut self, mut accept: impl FnMut(Kind, u64) -> Option<usize>) -> Result<Option<Message>, Violation> {
        loop {
            let unread = &self.buffer[self.start..];
            let Some((header, rest)) = unread.split_first_chunk::<HEADER>() else { return Ok(None) };
            let [l0, l1, l2, l3, kind, flags, id @ ..] = *header;
            let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
            if length > MAX_FRAME {
                return Err(Violation("a frame longer than 64 KiB"));
            }
            let kind = Kind::from_wire(kind).ok_or(Violation("an unknown kind"))?;
            let id = u64::from_le_bytes(id);
            let max = accept(kind, id).ok_or(Violation("a frame for what isn't held"))?;
            let Some(body) = rest.get(..length) else { return Ok(None) };
            self.start += HEADER + length;
            let fin = flags & FIN != 0;
            if kind == Kind::Abort {
                // What it ends may have been on its way.
                self.partial.remove(&id);
            }
            if self.partial.is_empty() && fin {
                if length > max {
                    return Err(Violation("a message longer than allowed"));
                }
                return Ok(Some(Message { kind, id, body: body.to_vec() }));
            }
            if self.in_turn && !self.partial.is_empty() && !self.partial.contains_key(&id) {
                return Err(Violation("a message inside another"));
            }
            let (begun, whole) = self.partial.entry(id).or_insert_with(|| (kind, Vec::new()));
            if *begun != kind {
                return Err(Violation("a message inside another"));
            }
            if whole.len() + length > max {
                return Err(Violation("a message longer than allowed"));
            }
            whole.extend_from_slice(body);
            if fin && let Some((kind, body)) = self.partial.remove(&id) {
                return Ok(Some(Message { kind, id, body }));
            }
        }
    }

    /// Forgets what was begun for an id that ended.
    pub(super) fn forget(&mut self, id: u64) {
        self.partial.remove(&id);
    }
}

/// What the host has to send to one worker, one frame of each id in turn, control before data.
#[derive(Default)]
pub(super) struct Outbox {
    control: VecDeque<(Kind, u64)>,
    streams: VecDeque<Stream>,
    /// Encoded and partly written.
    current: Vec<u8>,
    written: usize,
}

struct Stream {
    id: u64,
    messages: VecDeque<Queued>,
    /// How much of the first message is sent.
    at: usize,
    /// Bytes of all its messages.
    bytes: usize,
}

struct Queued {
    kind: Kind,
    body: Vec<u8>,
    /// The room that the body takes up.
    _held: Option<Held>,
}

impl Outbox {
    /// Queues a message behind those of the same id. The room that it takes up is given back when it was written, or dropped.
    pub(super) fn push(&mut self, kind: Kind, id: u64, body: Vec<u8>, held: Option<Held>) {
        let bytes = body.len();
        let message = Queued { kind, body, _held: held };
        match self.streams.iter_mut().find(|s| s.id == id) {
            Some(stream) => {
                stream.messages.push_back(message);
                stream.bytes += bytes;
            }
            None => self.streams.push_back(Stream { id, messages: VecDeque::from([message]), at: 0, bytes }),
        }
    }

    /// Bytes of the messages of an id that are not written to their ends.
    pub(super) fn unsent(&self, id: u64) -> usize {
        self.streams.iter().find(|s| s.id == id).map_or(0, |s| s.bytes)
    }

    /// Drops what is queued for an id and sends `Abort` before everything else; how many queued messages will not be sent.
    pub(super) fn abort(&mut self, id: u64) -> u64 {
        let mut dropped = 0;
        self.streams.retain(|s| {
            if s.id == id {
                dropped += s.messages.len() as u64;
            }
            s.id != id
        });
        self.control.push_back((Kind::Abort, id));
        dropped
    }

    /// The bytes to write next; empty when there is nothing to do.
    pub(super) fn pending(&mut self) -> &[u8] {
        if self.written == self.current.len() {
            self.current.clear();
            self.written = 0;
            while let Some((kind, id)) = self.control.pop_front() {
                write_message(&mut self.current, kind, id, &[]);
            }
            while self.current.len() < MAX_FRAME
                && let Some(mut stream) = self.streams.pop_front()
            {
                if let Some(message) = stream.messages.front()
                    && !write_fragment(&mut self.current, message.kind, stream.id, &message.body, &mut stream.at)
                {
                    stream.bytes -= message.body.len();
                    stream.messages.pop_front();
                    stream.at = 0;
                }
                if !stream.messages.is_empty() {
                    self.streams.push_back(stream);
                }
            }
        }
        &self.current[self.written..]
    }

    /// `n` of the pending bytes were written.
    pub(super) fn advance(&mut self, n: usize) {
        self.written += n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_all(bytes: &[u8], step: usize, max: usize) -> Result<Vec<(Kind, u64, usize)>, Violation> {
        let mut decoder = Decoder::default();
        let mut seen = Vec::new();
        for chunk in bytes.chunks(step) {
            decoder.buffer(chunk.len()).extend_from_slice(chunk);
            while let Some(m) = decoder.next(|_, _| Some(max))? {
                seen.push((m.kind, m.id, m.body.len()));
            }
        }
        Ok(seen)
    }

    #[test]
    fn a_long_message_lets_a_short_one_of_another_id_pass() {
        let mut outbox = Outbox::default();
        outbox.push(Kind::Invoke, 1, vec![7; 300_000], None);
        outbox.push(Kind::Invoke, 2, vec![8; 10], None);
        let mut bytes = Vec::new();
        loop {
            let pending = outbox.pending();
            let n = pending.len().min(1000);
            if n == 0 {
                break;
            }
            bytes.extend_from_slice(&pending[..n]);
            outbox.advance(n);
        }
        let seen = decode_all(&bytes, 777, 1_000_000).expect("well formed");
        assert_eq!(seen, [(Kind::Invoke, 2, 10), (Kind::Invoke, 1, 300_000)]);
    }

    #[test]
    fn control_goes_first_and_takes_the_queue_of_its_id_away() {
        let mut outbox = Outbox::default();
        outbox.push(Kind::Reply, 1, vec![0; 5], None);
        outbox.push(Kind::Reply, 2, vec![0; 5], None);
        assert_eq!(outbox.abort(1), 1);
        let bytes = outbox.pending().to_vec();
        let seen = decode_all(&bytes, bytes.len(), 100).expect("well formed");
        assert_eq!(seen, [(Kind::Abort, 1, 0), (Kind::Reply, 2, 5)]);
    }

    #[test]
    fn a_message_that_was_partly_sent_can_be_aborted() {
        let mut outbox = Outbox::default();
        outbox.push(Kind::Invoke, 1, vec![0; 200_000], None);
        outbox.push(Kind::Invoke, 2, vec![0; 5], None);
        let first = outbox.pending().to_vec();
        outbox.advance(first.len());
        assert_eq!(outbox.abort(1), 1);
        let bytes = [first, outbox.pending().to_vec()].concat();
        let seen = decode_all(&bytes, 1_000, 1_000_000).expect("well formed");
        assert_eq!(seen, [(Kind::Abort, 1, 0), (Kind::Invoke, 2, 5)]);
    }

    #[test]
    fn a_length_is_checked_before_the_body_arrives() {
        let mut frame = u32::MAX.to_le_bytes().to_vec();
        frame.extend_from_slice(&[18, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert!(decode_all(&frame, 14, 100).is_err());
        let mut long = Vec::new();
        write_message(&mut long, Kind::Call, 3, &vec![0; 200_000]);
        assert!(decode_all(&long, 4096, 150_000).is_err());
    }

    #[test]
    fn a_worker_sends_one_message_after_the_other() {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        write_message(&mut one, Kind::Call, 1, &vec![0; MAX_FRAME + 1]);
        write_message(&mut other, Kind::Call, 2, &vec![0; MAX_FRAME + 1]);
        let mut decoder = Decoder::in_turn();
        decoder.buffer(one.len()).extend_from_slice(&one);
        assert!(decoder.next(|_, _| Some(1 << 20)).expect("in turn").is_some());
        decoder.buffer(one.len()).extend_from_slice(&one[..MAX_FRAME + HEADER]);
        decoder.buffer(other.len()).extend_from_slice(&other);
        assert!(decoder.next(|_, _| Some(1 << 20)).is_err());
    }

    #[test]
    fn bodies_survive_the_way() {
        let invoke =
            InvokeBody { timeout_ms: 5, seed: 9, handler: 2, exchange: ExchangeKind::WithBody, args: vec![b"1", b"[2]"], context: b"{}" }
                .encode();
        let back = InvokeBody::decode(&invoke).expect("well formed");
        assert_eq!((back.handler, back.exchange), (2, ExchangeKind::WithBody));
        assert_eq!((back.timeout_ms, back.seed, back.args, back.context), (5, 9, vec![&b"1"[..], b"[2]"], &b"{}"[..]));
        let call = CallBody { call: 3, method: b"items.x", args: b"[]" }.encode();
        let back = CallBody::decode(&call).expect("well formed");
        assert_eq!((back.call, back.method, back.args), (3, &b"items.x"[..], &b"[]"[..]));
        assert!(CallBody::decode(&call[..6]).is_err());
    }
}
