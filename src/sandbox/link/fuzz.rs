//! Whatever a worker that isn't ours any more may send, taken in by the host.

use std::cell::{Cell, OnceCell};

use futures_util::{FutureExt, StreamExt, stream};
use tokio::runtime::Runtime;

use super::super::compile::LoadAnswer;
use super::super::exchange::{Answer, AnswerBody, Door, Exchange};
use super::super::failure::Failure;
use super::super::fuzz::Input;
use super::super::limits::{MAX_MESSAGE, MAX_REPORT, MAX_STACK_TEXT};
use super::super::run::read_done;
use super::super::{CallError, Jail, LoadFailure};
use super::*;

const MAX_PAYLOAD: usize = 1_000;
/// What little is left of the allowances, so that short inputs come to their ends.
const LEFT: usize = 200;

thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
}

/// Two bytes of options, then frames in reads of some length.
///
/// # Panics
/// Where the host takes in what it should have refused.
pub(crate) fn frames(data: &[u8]) {
    RUNTIME.with(|runtime| {
        let runtime = runtime.get_or_init(|| tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"));
        runtime.block_on(async {
            take_in(data);
            // The sockets are let go when the runtime next looks at them.
            tokio::task::yield_now().await;
        });
    });
}

fn take_in(data: &[u8]) {
    let mut input = Input(data);
    let (options, step) = (input.byte(), usize::from(input.byte()) + 1);
    let is = |bit: u8| options & (1 << bit) != 0;
    let (ours, _theirs) = UnixStream::pair().expect("two sockets");
    let (link, greeting) = Link::new(0, 0, ours, MAX_PAYLOAD);
    let loaded = is(0).then(|| link.load(Vec::new()));
    // 1 answers a request, 2 doesn't, 3 was ended and the worker may not know, 4 never was.
    let inboxes: Vec<_> = [(1, true), (2, false), (3, true)].map(|(id, exchange)| (id, link.begin(id, Vec::new(), exchange))).into();
    for held in link.state().held.values_mut() {
        (held.fed, held.credit, held.console) = (LEFT, LEFT, MAX_CONSOLE_ON_HOST - LEFT);
    }
    link.abort(3, Instant::now() + Duration::from_secs(1));
    let mut decoder = Decoder::in_turn();
    let noted = Cell::new(0);
    let note = |text: &str| {
        // A byte that isn't text becomes three.
        assert!(text.len() <= MAX_NOTE * 3);
        noted.set(noted.get() + 1);
    };
    for (nth, chunk) in input.0.chunks(step).enumerate() {
        decoder.buffer(chunk.len()).extend_from_slice(chunk);
        match link.take_in(&mut decoder, || (), || (), note) {
            Ok(true) => {}
            Ok(false) => break,
            Err(Violation(_)) => {
                link.close();
                break;
            }
        }
        if is(1) {
            let open: Vec<(u64, u32)> = link.state().held.iter().flat_map(|(id, held)| held.open.keys().map(|call| (*id, *call))).collect();
            open.into_iter().for_each(|(id, call)| link.reply(id, call, Vec::new(), None));
        }
        if is(2) && nth == 3 {
            link.abort(2, Instant::now());
        }
    }
    assert!(noted.get() <= MAX_NOTES);
    if let Some(Ok(body)) = greeting.now_or_never() {
        // Whatever it claims is read or refused.
        let _ = serde_json::from_slice::<Jail>(&body).map(|jail| jail.summary());
    }
    for (id, inbox) in inboxes {
        if let Some(mut inbox) = inbox {
            inbox.close();
            let events = std::iter::from_fn(|| inbox.try_recv().ok());
            heard(events, id == 1, is(3));
        }
    }
    if let Some(Some(Ok(body))) = loaded.map(FutureExt::now_or_never) {
        read_loaded(&body);
    }
}

/// What an invocation makes of what it hears.
fn heard(events: impl Iterator<Item = Event>, exchange: bool, has_body: bool) {
    let (answer, mut answered) = oneshot::channel();
    let body = has_body.then(|| stream::pending().boxed());
    let gone = std::future::pending().boxed();
    let mut door = Door::new(exchange.then(|| Exchange { body, answer, gone, stream_timeout: Duration::from_secs(60) }));
    let (mut calls, mut logged, mut pieces, mut taken, mut ended) = (0, 0, 0, 0, false);
    for event in events {
        assert!(!ended, "nothing follows the end");
        match event {
            Event::Call { call, method, args } => {
                assert!(call > calls && method.len() <= MAX_METHOD && args.get().len() <= MAX_PAYLOAD + MAX_METHOD + 16);
                calls = call;
            }
            // A byte that isn't text becomes three.
            Event::Log(line) => logged += line.message.len().div_ceil(3),
            Event::Head(head) => {
                assert!(exchange);
                if !door.begin(&head) {
                    return;
                }
            }
            Event::Piece(piece) => {
                pieces += piece.len();
                door.piece(piece);
            }
            Event::Taken(bytes) => {
                taken += bytes;
                door.taken(bytes);
            }
            Event::Done(body) => {
                ended = true;
                let long = body.len() > MAX_REPORT;
                let service = CallError { name: "Error".into(), message: "no".into(), code: "FORBIDDEN".into(), status: 403, extra: None };
                let mut refused = HashMap::from([(1, service)]);
                match read_done(body, &mut refused, false, &mut door) {
                    Some(Err(failure)) => {
                        assert!(!long);
                        check(&failure);
                    }
                    Some(Ok(Some(value))) => drop(serde_json::from_str::<serde_json::Value>(value.get())),
                    Some(Ok(None)) | None => {}
                }
            }
        }
    }
    assert!(logged <= LEFT && pieces <= LEFT && taken <= LEFT);
    if let Ok(Answer { status, body, .. }) = answered.try_recv() {
        assert!((200..600).contains(&status) && exchange);
        if let AnswerBody::Stream(mut answer) = body {
            let whole = std::iter::from_fn(|| answer.next().now_or_never().flatten()).filter_map(Result::ok).map(|piece| piece.len());
            assert!(whole.sum::<usize>() <= pieces);
        }
    }
}

fn check(failure: &Failure) {
    match failure {
        Failure::Thrown(thrown) => {
            assert!(thrown.name.chars().count() <= 100 && thrown.message.chars().count() <= MAX_MESSAGE);
            assert!(thrown.stack.iter().chain(&thrown.frame).all(|text| text.chars().count() <= MAX_STACK_TEXT));
            assert!(thrown.status.is_none_or(|status| (100..600).contains(&status)));
        }
        Failure::PayloadTooLarge(message) | Failure::NotSerializable(message) => assert!(message.chars().count() <= MAX_MESSAGE),
        Failure::Load(failure) => check_load(failure),
        _ => {}
    }
}

fn check_load(failure: &LoadFailure) {
    assert!(!failure.problems.is_empty(), "what doesn't load has a problem");
}

/// What the host makes of a load's end.
fn read_loaded(body: &[u8]) {
    assert!(body.len() <= MAX_LOADED);
    match crate::json::from_bytes::<LoadAnswer>(body) {
        Ok(LoadAnswer::Failed(failure)) => check_load(&failure.said()),
        Ok(LoadAnswer::Loaded { .. } | LoadAnswer::Need(_)) | Err(_) => {}
    }
}
