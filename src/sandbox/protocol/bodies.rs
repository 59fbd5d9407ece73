//! What stands in the bodies of messages, and how it is written and read. Whoever reads one trusts none of it.

use super::Violation;

/// Reads numbers and texts off a body, in order.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Violation> {
        let (head, rest) = self.0.split_at_checked(n).ok_or(Violation("a body too short"))?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Violation> {
        self.take(N)?.try_into().map_err(|_| Violation("a body too short"))
    }

    fn u8(&mut self) -> Result<u8, Violation> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, Violation> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Violation> {
        Ok(u64::from_le_bytes(self.array()?))
    }
}

/// Appends a text with its length.
fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(text);
}

/// A run to begin.
pub(in crate::sandbox) struct InvokeBody<'a> {
    /// How long it may take from now, in ms.
    pub timeout_ms: u32,
    /// Of `Math.random`.
    pub seed: u64,
    /// Which of the registered handlers.
    pub handler: u32,
    /// Whether it answers a request, and whether that has a body.
    pub exchange: ExchangeKind,
    /// JSON texts.
    pub args: Vec<&'a [u8]>,
    /// JSON text of an object.
    pub context: &'a [u8],
}

impl<'a> InvokeBody<'a> {
    pub(in crate::sandbox) fn encode(&self) -> Vec<u8> {
        let size = 28 + self.context.len() + self.args.iter().map(|a| a.len() + 4).sum::<usize>();
        let mut out = Vec::with_capacity(size);
        out.extend_from_slice(&self.timeout_ms.to_le_bytes());
        out.extend_from_slice(&self.seed.to_le_bytes());
        out.extend_from_slice(&self.handler.to_le_bytes());
        out.push(self.exchange as u8);
        put_text(&mut out, self.context);
        for arg in &self.args {
            put_text(&mut out, arg);
        }
        out
    }

    pub(in crate::sandbox) fn decode(body: &'a [u8]) -> Result<Self, Violation> {
        let mut r = Reader(body);
        let (timeout_ms, seed, handler) = (r.u32()?, r.u64()?, r.u32()?);
        let exchange = match r.u8()? {
            0 => ExchangeKind::None,
            1 => ExchangeKind::WithoutBody,
            2 => ExchangeKind::WithBody,
            _ => return Err(Violation("an unknown kind of exchange")),
        };
        let length = r.u32()? as usize;
        let context = r.take(length)?;
        let mut args = Vec::new();
        while !r.0.is_empty() {
            let length = r.u32()? as usize;
            args.push(r.take(length)?);
        }
        Ok(Self { timeout_ms, seed, handler, exchange, args, context })
    }
}

/// Whether an invocation answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::sandbox) enum ExchangeKind {
    /// It doesn't.
    None = 0,
    /// It does, and the request has no body.
    WithoutBody = 1,
    /// It does, and the request has a body.
    WithBody = 2,
}

/// A piece of a stream.
pub(in crate::sandbox) struct PieceBody<'a> {
    /// Which stream of the invocation.
    pub stream: u32,
    /// At most [`MAX_PIECE`](super::super::limits::MAX_PIECE).
    pub bytes: &'a [u8],
}

impl<'a> PieceBody<'a> {
    /// Whether it belongs to the request or the answer of the invocation, and not to a host call.
    pub(in crate::sandbox) fn is_own(&self) -> bool {
        self.stream == super::OWN_STREAM
    }

    pub(in crate::sandbox) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + self.bytes.len());
        out.extend_from_slice(&self.stream.to_le_bytes());
        out.extend_from_slice(self.bytes);
        out
    }

    pub(in crate::sandbox) fn decode(body: &'a [u8]) -> Result<Self, Violation> {
        let mut r = Reader(body);
        Ok(Self { stream: r.u32()?, bytes: r.0 })
    }
}

/// How many bytes more may be sent on a stream.
pub(in crate::sandbox) struct CreditBody {
    /// Which stream of the invocation.
    pub stream: u32,
    /// How many.
    pub bytes: u32,
}

impl CreditBody {
    pub(in crate::sandbox) fn encode(&self) -> Vec<u8> {
        let mut out = self.stream.to_le_bytes().to_vec();
        out.extend_from_slice(&self.bytes.to_le_bytes());
        out
    }

    pub(in crate::sandbox) fn decode(body: &[u8]) -> Result<Self, Violation> {
        let mut r = Reader(body);
        Ok(Self { stream: r.u32()?, bytes: r.u32()? })
    }
}

/// A whole answer to a request.
pub(in crate::sandbox) struct AnswerBytes<'a> {
    /// JSON text of the head.
    pub head: &'a [u8],
    pub body: &'a [u8],
}

impl<'a> AnswerBytes<'a> {
    pub(in crate::sandbox) fn encode(&self, out: &mut Vec<u8>) {
        put_text(out, self.head);
        out.extend_from_slice(self.body);
    }

    pub(in crate::sandbox) fn decode(bytes: &'a [u8]) -> Result<Self, Violation> {
        let mut r = Reader(bytes);
        let length = r.u32()? as usize;
        Ok(Self { head: r.take(length)?, body: r.0 })
    }
}

/// The answer to a host call.
pub(in crate::sandbox) struct ReplyBody<'a> {
    pub call: u32,
    /// One of [`DONE_UNDEFINED`](super::DONE_UNDEFINED), [`DONE_JSON`](super::DONE_JSON), [`DONE_FAILURE`](super::DONE_FAILURE).
    pub status: u8,
    /// How much time the invocation has left, in ms: the host may have moved its end.
    pub left_ms: u32,
    /// Whether a transaction is open, so that nothing may wait for a timer.
    pub held: bool,
    pub json: &'a [u8],
}

impl<'a> ReplyBody<'a> {
    pub(in crate::sandbox) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(10 + self.json.len());
        out.extend_from_slice(&self.call.to_le_bytes());
        out.push(self.status);
        out.extend_from_slice(&self.left_ms.to_le_bytes());
        out.push(u8::from(self.held));
        out.extend_from_slice(self.json);
        out
    }

    pub(in crate::sandbox) fn decode(body: &'a [u8]) -> Result<Self, Violation> {
        let mut r = Reader(body);
        Ok(Self { call: r.u32()?, status: r.u8()?, left_ms: r.u32()?, held: r.u8()? != 0, json: r.0 })
    }
}

/// A host call of the code.
pub(in crate::sandbox) struct CallBody<'a> {
    /// Counts up from 1 within the invocation.
    pub call: u32,
    pub method: &'a [u8],
    /// JSON text of an array.
    pub args: &'a [u8],
}

impl<'a> CallBody<'a> {
    pub(in crate::sandbox) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + self.method.len() + self.args.len());
        out.extend_from_slice(&self.call.to_le_bytes());
        put_text(&mut out, self.method);
        out.extend_from_slice(self.args);
        out
    }

    pub(in crate::sandbox) fn decode(body: &'a [u8]) -> Result<Self, Violation> {
        let mut r = Reader(body);
        let call = r.u32()?;
        let length = r.u32()? as usize;
        Ok(Self { call, method: r.take(length)?, args: r.0 })
    }
}

/// How far a worker is.
pub(in crate::sandbox) struct AckBody {
    /// Host messages that it has dealt with, yielding after the last.
    pub processed: u64,
    /// It had a breach: give it nothing new and end it after its last call.
    pub recycle: bool,
    /// It is about to work on something that no message asked for; the next acknowledgement says that it has yielded.
    pub working: bool,
}

impl AckBody {
    pub(in crate::sandbox) fn encode(&self) -> [u8; 10] {
        let [a, b, c, d, e, f, g, h] = self.processed.to_le_bytes();
        [a, b, c, d, e, f, g, h, u8::from(self.recycle), u8::from(self.working)]
    }

    pub(in crate::sandbox) fn decode(body: &[u8]) -> Result<Self, Violation> {
        let mut r = Reader(body);
        Ok(Self { processed: r.u64()?, recycle: r.u8()? != 0, working: r.u8()? != 0 })
    }
}
