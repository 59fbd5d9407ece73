//! The web platform, tested in an isolate by JS that throws where something isn't as it should be. `glue` in there is what only the
//! glue can reach otherwise.

use std::time::{Duration, Instant};

use super::compile::{Program, Wants};
use super::isolate::{Isolate, Step, tests};
use super::protocol::{ExchangeKind, InvokeBody};

/// What the tests are written with.
const HELPERS: &str = include_str!("web_tests/helpers.js");

fn isolate(code: &str, warm: bool) -> Isolate {
    let mut unit = tests::unit(code, &["payload", "context", "services"], 64 << 20);
    unit.warm = warm;
    // The tests are about how parts are loaded when they are needed, too.
    unit.wants = Wants::default();
    tests::made(unit).expect("there is room")
}

fn call(isolate: &mut Isolate) -> String {
    isolate
        .start(1, &InvokeBody { timeout_ms: 20_000, seed: 7, handler: 0, exchange: ExchangeKind::None, args: vec![b"{}"], context: b"{}" });
    while isolate.drive(Duration::from_secs(10)) == Step::Waiting {}
    String::from_utf8_lossy(&isolate.take_outcome()[1..]).into_owned()
}

/// Runs a file of tests, and again after everything was put back.
fn check(code: &str) {
    let mut isolate = isolate(&format!("{HELPERS}\n{code}\nreturn checked();"), false);
    for round in ["at first", "after it was put back"] {
        let outcome = call(&mut isolate);
        assert!(outcome.starts_with("\"all good") && !outcome.contains(" 0 "), "{round}: {outcome}");
        assert!(isolate.restore());
    }
}

#[test]
fn each_script_compiles_and_no_more_are_asked_for_than_there_are() {
    let program = Program::compile(&[], "() => ({})").expect("our own compiles");
    let mut count = 0;
    while let Ok(code) = program.later(count) {
        assert!(!code.is_empty());
        count += 1;
    }
    assert_eq!(program.later(count), Err("There is no such script".into()), "script {count}");
    assert_eq!(count, 13, "the numbers in `primordials.js` and `globals.js`");
}

#[test]
fn urls_and_their_parameters() {
    check(include_str!("web_tests/url.js"));
}

#[test]
fn encodings() {
    check(include_str!("web_tests/encoding.js"));
}

#[test]
fn events_and_signals() {
    check(include_str!("web_tests/events.js"));
}

#[test]
fn readable_streams() {
    check(include_str!("web_tests/readable.js"));
}

#[test]
fn writable_streams_and_transforms() {
    check(include_str!("web_tests/writable.js"));
}

#[test]
fn blobs_and_forms() {
    check(include_str!("web_tests/forms.js"));
}

#[test]
fn headers_requests_and_responses() {
    check(include_str!("web_tests/fetch.js"));
}

#[test]
fn what_crypto_computes_is_what_the_standards_print() {
    check(include_str!("web_tests/crypto.js"));
}

#[test]
fn no_patch_shows_the_bytes_of_a_key_that_is_not_extractable() {
    let mut isolate = isolate(include_str!("web_tests/keys.js"), false);
    for _ in 0..2 {
        let expected = r#""[[],[],[\"AES-GCM\",\"AES-CBC\",\"AES-CTR\",\"HKDF\",\"PBKDF2\"]]""#;
        assert_eq!(call(&mut isolate), expected);
        assert!(isolate.restore());
    }
}

#[test]
fn streams_that_compress_and_decompress() {
    check(include_str!("web_tests/compression.js"));
}

#[test]
fn exceptions_clones_and_what_is_shown() {
    check(include_str!("web_tests/platform.js"));
}

#[test]
fn what_a_route_is_handed_and_hands_out() {
    check(include_str!("web_tests/route.js"));
}

#[test]
fn the_glue_tells_the_truth_whatever_is_patched() {
    check(include_str!("web_tests/patched.js"));
}

#[test]
fn the_parts_are_whole_although_everything_was_patched_before_they_were_loaded() {
    let mut isolate = isolate(include_str!("web_tests/late.js"), false);
    for _ in 0..2 {
        let expected = r#""http://h/p?a=1&b=2 169 1 r 2, 3 v 202 b 0 true text {\"a\":{\"b\":1}} true""#;
        assert_eq!(call(&mut isolate), expected);
        assert!(isolate.restore());
    }
}

const NAMES: &str = "'URL URLSearchParams TextDecoder TextEncoder AbortController AbortSignal CustomEvent Event EventTarget \
    ByteLengthQueuingStrategy CountQueuingStrategy ReadableStream ReadableStreamDefaultController ReadableStreamDefaultReader \
    TextDecoderStream TextEncoderStream TransformStream TransformStreamDefaultController WritableStream \
    WritableStreamDefaultController WritableStreamDefaultWriter Blob File FormData Headers Request Response CompressionStream DecompressionStream \
    Crypto CryptoKey SubtleCrypto'.split(' ')";

#[test]
fn each_name_can_be_deleted_or_replaced_and_is_back_in_the_next_call() {
    let code = format!(
        "const names = {NAMES}; const seen = [];
        for (const name of names) {{
            const before = Object.getOwnPropertyDescriptor(globalThis, name);
            if (!before || before.enumerable || !before.configurable || typeof before.get !== 'function') throw new Error('before: ' + name);
        }}
        URL = 1; delete globalThis.Blob; globalThis.Event = null; delete globalThis.AbortSignal;
        if (URL !== 1 || 'Blob' in globalThis || Event !== null) throw new Error('replacing');
        new URLSearchParams('a=1'); new FormData(); new AbortController(); new Response('x');
        if (URL !== 1 || 'Blob' in globalThis || Event !== null || 'AbortSignal' in globalThis) throw new Error('replaced after loading');
        for (const name of names) {{
            if (name === 'URL' || name === 'Event' || name === 'Blob' || name === 'AbortSignal') continue;
            const Class = globalThis[name], after = Object.getOwnPropertyDescriptor(globalThis, name);
            if (after.value !== Class || !after.writable || !after.configurable || after.enumerable) throw new Error('after: ' + name);
            if (Class.name !== name || Class.prototype[Symbol.toStringTag] !== name) throw new Error('name: ' + name);
            if (Object.prototype.toString.call(Class.prototype) !== `[object ${{name}}]`) throw new Error('tag: ' + name);
            seen.push(name);
            Class.prototype.planted = 1;
            globalThis[name] = name;
            if (globalThis[name] !== name) throw new Error('assigning: ' + name);
            delete globalThis[name];
        }}
        return seen.length"
    );
    let mut isolate = isolate(&code, false);
    for _ in 0..3 {
        assert_eq!(call(&mut isolate), "28");
        assert!(isolate.restore());
    }
}

#[test]
fn a_class_that_the_unit_keeps_does_not_pin_the_next_call() {
    let code = "globalThis.kept ??= new Response('x'); const text = await kept.text(); URL.prototype.mine = 1; return [text, new URL('http://h').mine]";
    let mut isolate = isolate(code, false);
    for _ in 0..3 {
        assert_eq!(call(&mut isolate), r#"["x",1]"#);
        assert!(isolate.restore());
    }
}

/// Not a check: prints what the parts of the web platform cost. `cargo test --release --lib -- --ignored --nocapture what_the_web_costs`
#[test]
#[ignore = "a measurement"]
fn what_the_web_costs() {
    let cases = [
        ("nothing", "return 1"),
        ("url", "new URL('http://h/p?q=1').searchParams.get('q'); return 1"),
        ("encoding", "new TextEncoder().encode('text'); return 1"),
        ("events", "new AbortController(); return 1"),
        ("streams", "new TransformStream(); return 1"),
        ("forms", "new FormData(); return 1"),
        ("fetch", "new Headers(); return 1"),
        ("crypto", "crypto.randomUUID(); return 1"),
        ("compression", "new CompressionStream('gzip'); return 1"),
        ("console.log", "console.log('text'); return 1"),
        ("console.count", "console.count(); return 1"),
        ("performance", "performance.mark('a'); return 1"),
        ("Response.json", "Response.json({ a: 1 }); return 1"),
        (
            "all",
            "new URL('http://h/'); new TextEncoder(); new AbortController(); new TransformStream(); new FormData(); new Headers(); return 1",
        ),
    ];
    let mut base = Duration::ZERO;
    for (name, code) in cases {
        let mut isolate = isolate(code, false);
        let mut times = Vec::new();
        for _ in 0..1_000 {
            let started = Instant::now();
            call(&mut isolate);
            times.push(started.elapsed());
            assert!(isolate.restore());
        }
        times.sort();
        if name == "nothing" {
            base = times[500];
        }
        let before = isolate.used();
        call(&mut isolate);
        println!(
            "{name}: {:?} (+{:?}), heap {} KiB (+{} KiB in the call)",
            times[500],
            times[500] - base,
            before / 1024,
            (isolate.used() - before) / 1024
        );
        assert!(isolate.restore());
    }
}
