//! Natives of loading and of exchanges: what `register` is told, and how the head and the pieces of an answer leave.

use rquickjs::qjs;
use serde_json::json;

use super::engine::{Exception, Val};
use super::limits::{MAX_HEAD, MAX_NOTE, MAX_PIECE, MAX_WHOLE};
use super::native::native;
use super::protocol::{AnswerBytes, CreditBody, DONE_ANSWER, Kind, OWN_STREAM, PieceBody, write_message};

native! {
    /// `answer(head, body)`: the run ends with this answer, `body` being null, a text or bytes. `false` if it is too long for that.
    answer(ask) => {
        let Ok(head) = ask.text(0) else { return qjs::JS_EXCEPTION };
        let body = match ask.bytes_or_text(1) {
            Ok(body) if body.len() <= MAX_WHOLE => body,
            Ok(_) => return qjs::JS_FALSE,
            Err(Exception) => return qjs::JS_EXCEPTION,
        };
        if head.len() > MAX_HEAD {
            return ask.type_error("The headers of the answer are too long");
        }
        let mut outcome = vec![DONE_ANSWER];
        AnswerBytes { head: head.as_bytes(), body: &body }.encode(&mut outcome);
        ask.shared.outcome.replace(Some(outcome));
        qjs::JS_TRUE
    };

    /// `head(head)`: a streaming answer begins.
    head(ask) => {
        let Ok(head) = ask.text(0) else { return qjs::JS_EXCEPTION };
        if head.len() > MAX_HEAD {
            return ask.type_error("The headers of the answer are too long");
        }
        write_message(&mut ask.shared.out.borrow_mut(), Kind::Head, ask.shared.id.get(), head.as_bytes());
        ask.shared.begin_streaming();
        qjs::JS_UNDEFINED
    };

    /// `piece(bytes, at, credit, stream)`: sends bytes of a streaming answer, or of what goes along with a call of that number, from `at`
    /// and as many as there is credit for. Answers how many.
    piece(ask) => {
        let (Some(at), Some(credit)) = (ask.integer(1), ask.integer(2)) else { return ask.type_error("A piece has a place and a credit") };
        let (id, stream) = (ask.shared.id.get(), ask.integer(3).unwrap_or(OWN_STREAM));
        let sent = ask.js.with_bytes(ask.arg(0), |bytes| {
            let rest = bytes.get(at as usize..).unwrap_or_default();
            let piece = &rest[..rest.len().min(credit as usize).min(MAX_PIECE)];
            // An empty piece costs no credit, so there could be any number of them.
            if piece.is_empty() {
                return 0;
            }
            write_message(&mut ask.shared.out.borrow_mut(), Kind::Piece, id, &PieceBody { stream, bytes: piece }.encode());
            piece.len()
        });
        match sent.filter(|n| *n > 0).and_then(|n| i32::try_from(n).ok()) {
            Some(n) => qjs::JS_MKVAL(qjs::JS_TAG_INT, n),
            None => ask.type_error("The pieces of a streaming body are Uint8Arrays"),
        }
    };

    /// `taken(n, stream)`: the code has read that much of the request's body, or of what follows the answer to a call of that number.
    taken(ask) => {
        let Some(bytes) = ask.integer(0) else { return ask.type_error("What was taken has a length") };
        let body = CreditBody { stream: ask.integer(1).unwrap_or(OWN_STREAM), bytes }.encode();
        write_message(&mut ask.shared.out.borrow_mut(), Kind::Taken, ask.shared.id.get(), &body);
        qjs::JS_UNDEFINED
    };

    /// `pieceEnd(stream, problem)`: what goes along with a call has come to its end, or was cut off.
    piece_end(ask) => {
        let Some(stream) = ask.integer(0) else { return ask.type_error("A stream has a number") };
        let why = if ask.is_text(1) { ask.text(1).unwrap_or_default() } else { String::new() };
        let why = &why.as_bytes()[..why.floor_char_boundary(MAX_NOTE)];
        write_message(&mut ask.shared.out.borrow_mut(), Kind::PieceEnd, ask.shared.id.get(), &PieceBody { stream, bytes: why }.encode());
        qjs::JS_UNDEFINED
    };

    /// `cancel(stream)`: neither the answer to a call with streams is wanted any more, nor what follows it.
    cancel(ask) => {
        let Some(stream) = ask.integer(0) else { return ask.type_error("A stream has a number") };
        write_message(&mut ask.shared.out.borrow_mut(), Kind::Cancel, ask.shared.id.get(), &PieceBody { stream, bytes: &[] }.encode());
        qjs::JS_UNDEFINED
    };

    /// `isBytes(value)`: whether it is a `Uint8Array`.
    is_bytes(ask) => if ask.js.with_bytes(ask.arg(0), |_| ()).is_some() { qjs::JS_TRUE } else { qjs::JS_FALSE };

    /// `toBytes(body)`: the bytes of a text, of bytes, or none of null.
    to_bytes(ask) => match ask.bytes_or_text(0).and_then(|bytes| ask.js.bytes(&bytes)) {
        Ok(bytes) => bytes.into_raw(),
        Err(Exception) => qjs::JS_EXCEPTION,
    };

    /// `isPromise(value)`: as the engine sees it.
    is_promise(ask) => {
        // SAFETY: asks about a live value.
        if unsafe { qjs::JS_IsPromise(ask.arg(0)) } { qjs::JS_TRUE } else { qjs::JS_FALSE }
    };

    /// `maxPayload()`: bytes that an argument or a result may have.
    max_payload(ask) => qjs::__JS_NewFloat64(ask.shared.max_payload() as f64);

    /// `left()`: milliseconds to the end of the call.
    left(ask) => qjs::__JS_NewFloat64(ask.shared.left().as_secs_f64() * 1_000.0);

    /// `place(stack)`: the innermost place of the author's in a stack, as JSON text; undefined if there is none.
    place(ask) => {
        let Ok(raw) = ask.text(0) else { return qjs::JS_EXCEPTION };
        let Some(spot) = ask.shared.author_stack(&raw).1 else { return qjs::JS_UNDEFINED };
        let text = json!({ "file": spot.file, "line": spot.place.line, "column": spot.place.column, "frame": spot.frame }).to_string();
        ask.js.string(text.as_bytes()).map_or(qjs::JS_EXCEPTION, Val::into_raw)
    };

    /// `sdk()`: the function that makes what `register` is given.
    sdk(ask) => {
        let program = ask.shared.program.clone();
        ask.js.load(&program.sdk).map_or(qjs::JS_EXCEPTION, Val::into_raw)
    };
}
