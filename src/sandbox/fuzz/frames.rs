//! Whatever a host may send, read by a worker: the bodies by themselves, and an isolate that is driven by them.

use std::time::Duration;

use super::super::compile::LoadStep;
use super::super::isolate::{Feed, Step};
use super::super::limits::MAX_FRAME;
use super::super::protocol::{
    AckBody, AnswerBytes, CallBody, CreditBody, Decoder, InvokeBody, Kind, Message, Outbox, PieceBody, ReplyBody,
};
use super::super::worker::accept;
use super::{Input, js};

/// Answers with what it read of its request, after a call that the host may answer.
const CODE: &str = include_str!("exchange.js");

/// Longest that a step of the isolate may take.
const SLICE: Duration = Duration::from_millis(200);

/// A byte that says how, then frames in reads of some length; the same bytes once more as messages on their way out.
///
/// # Panics
/// Where what was read isn't what was written.
pub(crate) fn frames_from_host(data: &[u8]) {
    let mut input = Input(data);
    let step = usize::from(input.byte()) + 1;
    let mut decoder = Decoder::default();
    let mut messages = Vec::new();
    'read: for chunk in input.0.chunks(step) {
        decoder.buffer(chunk.len()).extend_from_slice(chunk);
        loop {
            match decoder.next(accept) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(_) => break 'read,
            }
        }
    }
    for message in &messages {
        bodies(&message.body);
    }
    bodies(input.0);
    drive(&messages);
    sent(input);
}

/// Reads a body as each kind of body, and writes it again.
fn bodies(body: &[u8]) {
    if let Ok(invoke) = InvokeBody::decode(body) {
        assert_eq!(invoke.encode(), body);
    }
    if let Ok(piece) = PieceBody::decode(body) {
        assert_eq!(piece.encode(), body);
    }
    if let Ok(credit) = CreditBody::decode(body) {
        assert_eq!(credit.encode(), body[..8]);
    }
    if let Ok(reply) = ReplyBody::decode(body) {
        let again = reply.encode();
        let back = ReplyBody::decode(&again).expect("it was written here");
        assert_eq!((again.len(), back.held, back.json), (body.len(), reply.held, reply.json));
    }
    if let Ok(call) = CallBody::decode(body) {
        assert_eq!(call.encode(), body);
    }
    if let Ok(answer) = AnswerBytes::decode(body) {
        let mut again = Vec::new();
        answer.encode(&mut again);
        assert_eq!(again, body);
    }
    if let Ok(ack) = AckBody::decode(body) {
        assert_eq!(ack.encode()[..8], body[..8]);
    }
    if let Ok(step) = serde_json::from_slice::<LoadStep>(body) {
        let again = serde_json::to_vec(&step).expect("a step is plain data");
        assert!(serde_json::from_slice::<LoadStep>(&again).is_ok());
    }
}

/// Has an isolate do what messages say, one invocation after the other.
fn drive(messages: &[Message]) {
    let begun = messages.iter().position(|message| message.kind == Kind::Invoke && InvokeBody::decode(&message.body).is_ok());
    let Some(begun) = begun else { return };
    js::with_isolate(CODE, &["request", "context", "services"], |isolate| {
        let mut started = false;
        for Message { kind, id: _, body } in &messages[begun..] {
            match kind {
                Kind::Invoke if !started => {
                    let Ok(mut invoke) = InvokeBody::decode(body) else { continue };
                    invoke.timeout_ms = invoke.timeout_ms.min(1_000);
                    isolate.start(1, &invoke);
                    started = true;
                }
                Kind::Feed | Kind::FeedEnd => {
                    let Ok(PieceBody { bytes, .. }) = PieceBody::decode(body) else { continue };
                    match (kind, std::str::from_utf8(bytes)) {
                        (Kind::Feed, _) => isolate.feed(&Feed::Piece(bytes)),
                        (_, Ok("")) => isolate.feed(&Feed::End),
                        (_, Ok(why)) => isolate.feed(&Feed::Error(why)),
                        (_, Err(_)) => {}
                    }
                }
                Kind::Credit => {
                    let Ok(credit) = CreditBody::decode(body) else { continue };
                    isolate.feed(&Feed::Credit(credit.bytes));
                }
                Kind::Gone => isolate.feed(&Feed::Gone),
                Kind::Reply => {
                    let Ok(reply) = ReplyBody::decode(body) else { continue };
                    isolate.reply(&reply);
                }
                _ => {}
            }
            if matches!(isolate.drive(SLICE), Step::Done | Step::Breached) {
                break;
            }
        }
        let mut out = Vec::new();
        isolate.take_frames(&mut out);
        let outcome = isolate.take_outcome();
        // All that it sends can be read.
        let mut decoder = Decoder::default();
        decoder.buffer(out.len()).extend_from_slice(&out);
        while decoder.next(|_, _| Some(usize::MAX)).expect("frames of ours").is_some() {}
        assert!(outcome.first().is_none_or(|first| *first <= 3));
    });
}

/// Sends messages through an outbox that is emptied in small writes: each that wasn't taken back arrives whole, those of one id in order.
fn sent(mut input: Input<'_>) {
    let mut outbox = Outbox::default();
    let mut pushed: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut wire = Vec::new();
    let write = |outbox: &mut Outbox, wire: &mut Vec<u8>, most: usize| {
        let pending = outbox.pending();
        let n = pending.len().min(most);
        wire.extend_from_slice(&pending[..n]);
        outbox.advance(n);
        n
    };
    for _ in 0..64 {
        if input.0.is_empty() {
            break;
        }
        let (how, id) = (input.byte(), u64::from(input.byte() % 4));
        match how % 8 {
            0..=3 => {
                let body = vec![how; usize::from(input.number()) * usize::from(how % 3 + 1)];
                outbox.push(Kind::Invoke, id, body.clone(), None);
                pushed.push((id, body));
            }
            4 => {
                // Those that are taken back are the last.
                for _ in 0..outbox.abort(id) {
                    let last = pushed.iter().rposition(|(other, _)| *other == id).expect("no more than were pushed");
                    pushed.remove(last);
                }
            }
            _ => drop(write(&mut outbox, &mut wire, input.number().into())),
        }
    }
    while write(&mut outbox, &mut wire, MAX_FRAME) > 0 {}
    let mut decoder = Decoder::default();
    let mut arrived = Vec::new();
    for chunk in wire.chunks(MAX_FRAME / 2 + 1) {
        decoder.buffer(chunk.len()).extend_from_slice(chunk);
        while let Some(message) = decoder.next(accept).expect("a host keeps the rules") {
            if message.kind == Kind::Invoke {
                arrived.push((message.id, message.body));
            }
        }
    }
    for id in 0..4 {
        let of = |list: &[(u64, Vec<u8>)]| list.iter().filter(|(other, _)| *other == id).map(|(_, body)| body.clone()).collect::<Vec<_>>();
        assert!(of(&pushed) == of(&arrived), "messages of {id}");
    }
}
