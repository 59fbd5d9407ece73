//! What a worker says about one invocation, checked against what the host knows of it.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::super::limits::{MAX_CONSOLE_ON_HOST, MAX_METHOD, MAX_OPEN_CALLS, OPEN_BYTES_FACTOR, STREAM_CREDIT};
use super::super::protocol::{CallBody, CreditBody, Kind, Message, PieceBody, Violation};
use super::super::{LogLevel, LogLine};

/// What a worker says about one invocation.
pub(in crate::sandbox) enum Event {
    Call {
        call: u32,
        method: String,
        args: Box<RawValue>,
    },
    Log(LogLine),
    /// JSON of the head of a streaming answer.
    Head(Vec<u8>),
    /// Bytes of a streaming answer.
    Piece(Bytes),
    /// So many bytes of the request's body were read.
    Taken(usize),
    Done(Vec<u8>),
}

/// One invocation, as far as the worker's messages about it must be checked.
pub(super) struct Held {
    pub(super) events: mpsc::UnboundedSender<Event>,
    /// Numbers of host calls only grow.
    pub(super) last_call: u32,
    /// Host calls that weren't answered, with the bytes of their arguments.
    pub(super) open: HashMap<u32, usize>,
    pub(super) open_bytes: usize,
    /// Bytes of console output.
    pub(super) console: usize,
    /// Whether it answers a request.
    pub(super) exchange: bool,
    /// Whether its answer has begun.
    pub(super) streaming: bool,
    /// Bytes of the request's body that were sent and not read.
    pub(super) fed: usize,
    /// Bytes that it may still send of a streaming answer.
    pub(super) credit: usize,
}

impl Held {
    /// One that begins. It `exchange`s if it answers a request.
    pub(super) fn new(events: mpsc::UnboundedSender<Event>, exchange: bool) -> Self {
        Self {
            events,
            last_call: 0,
            open: HashMap::new(),
            open_bytes: 0,
            console: 0,
            exchange,
            streaming: false,
            fed: 0,
            credit: STREAM_CREDIT,
        }
    }

    /// Checks a message about this invocation. With the id if it was the last.
    pub(super) fn event(&mut self, message: Message, max_payload: usize) -> Result<(Event, Option<u64>), Violation> {
        let Message { kind, id, mut body } = message;
        Ok(match kind {
            Kind::Call => {
                let CallBody { call, method, args } = CallBody::decode(&body)?;
                if call <= self.last_call || self.open.len() as u32 >= MAX_OPEN_CALLS || method.len() > MAX_METHOD {
                    return Err(Violation("a call out of order"));
                }
                if self.open_bytes + args.len() > max_payload.saturating_mul(OPEN_BYTES_FACTOR) {
                    return Err(Violation("too much in open calls"));
                }
                let method = std::str::from_utf8(method).map_err(|_| Violation("a method that isn't text"))?.to_owned();
                self.last_call = call;
                self.open.insert(call, args.len());
                self.open_bytes += args.len();
                let at = body.len() - args.len();
                let args = raw_json(body.split_off(at)).ok_or(Violation("arguments that aren't JSON"))?;
                (Event::Call { call, method, args }, None)
            }
            Kind::Log => {
                self.console += body.len();
                if self.console > MAX_CONSOLE_ON_HOST || body.is_empty() {
                    return Err(Violation("too much console output"));
                }
                let level = LogLevel::from_wire(body.remove(0));
                (Event::Log(LogLine { level, message: String::from_utf8_lossy(&body).into_owned() }), None)
            }
            Kind::Head => {
                if !self.exchange || self.streaming {
                    return Err(Violation("an answer that nobody asked for"));
                }
                self.streaming = true;
                (Event::Head(body), None)
            }
            Kind::Piece => {
                let length = PieceBody::decode(&body)?.bytes.len();
                if !self.streaming || length == 0 || length > self.credit {
                    return Err(Violation("more of an answer than there is credit for"));
                }
                self.credit -= length;
                let start = body.len() - length;
                (Event::Piece(Bytes::from(body).slice(start..)), None)
            }
            Kind::Taken => {
                let taken = CreditBody::decode(&body)?.bytes as usize;
                if taken == 0 || taken > self.fed {
                    return Err(Violation("more taken than was sent"));
                }
                self.fed -= taken;
                (Event::Taken(taken), None)
            }
            _ => (Event::Done(body), Some(id)),
        })
    }
}

/// A JSON text, checked.
pub(in crate::sandbox) fn raw_json(bytes: Vec<u8>) -> Option<Box<RawValue>> {
    RawValue::from_string(String::from_utf8(bytes).ok()?).ok()
}
