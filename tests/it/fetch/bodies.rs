//! Bodies: packed, large, slow, endless, and given up.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::*;

/// The most memory that the host had, in bytes.
fn peak(app: &TestApp) -> u64 {
    process::peak(app.pid())
}

#[test]
fn packed_answers_are_unpacked() {
    fetching(LOCAL, &[], async |app, upstream| {
        for how in ["gzip", "deflate", "raw-deflate", "br", "identity"] {
            let seen = code(
                app,
                upstream,
                &format!("const r = await fetch('BASE/packed/{how}'); return [await r.text(), r.headers.has('content-encoding'), r.headers.has('content-length')]"),
            )
            .await;
            let plain = how == "identity";
            assert_eq!(seen, json!(["twenty times the same ".repeat(20), plain, plain]), "{how}");
        }
        // What nobody asked for comes as it is.
        assert_eq!(code(app, upstream, "return (await fetch('BASE/packed/zstd')).headers.get('content-encoding')").await, "zstd");
        for how in ["broken-gzip", "cut-gzip"] {
            let (code, message) = failure(app, upstream, &format!("'BASE/packed/{how}'")).await;
            assert_eq!(
                (code.as_str(), message.as_str()),
                ("FETCH_FAILED", "The answer is not packed as its `content-encoding` says"),
                "{how}"
            );
        }
    });
}

#[test]
fn a_bomb_is_cut_off_at_the_limit_and_nothing_of_it_is_held() {
    fetching(LOCAL, &[], async |app, upstream| {
        code(app, upstream, "await (await fetch('BASE/big/1')).bytes();").await;
        let before = peak(app);
        for how in ["gzip", "deflate", "br"] {
            let seen = code(
                app,
                upstream,
                &format!("let size = 0; const out = await attempt(async () => {{ for await (const p of (await fetch('BASE/bomb/{how}/200')).body) size += p.length }}); return [out.code, size]"),
            )
            .await;
            assert_eq!(seen[0], "FETCH_TOO_LARGE");
            assert!(seen[1].as_u64().unwrap() <= 10 << 20, "{seen}");
            let (code, message) = failure(app, upstream, &format!("'BASE/bomb/{how}/200'")).await;
            assert!(code == "FETCH_TOO_LARGE" && message.contains("10485760 bytes (EXTENSION_FETCH_MAX_BODY)"), "{code} {message}");
        }
        let grown = peak(app).saturating_sub(before);
        assert!(grown < 32 << 20, "{} MiB more than before", grown >> 20);
    });
}

#[test]
fn a_gigabyte_is_refused_or_streamed_and_never_held() {
    fetching(LOCAL, &[], async |app, upstream| {
        code(app, upstream, "await (await fetch('BASE/big/1')).bytes();").await;
        let before = peak(app);
        let (code, _) = failure(app, upstream, "'BASE/big/1024'").await;
        assert_eq!(code, "FETCH_TOO_LARGE");
        assert!(upstream.seen.sent.load(Ordering::SeqCst) < 64 << 20, "it is not read on");
        let grown = peak(app).saturating_sub(before);
        assert!(grown < 32 << 20, "{} MiB more than before", grown >> 20);
        app.set_env(&[
            ("EXTENSION_FETCH_MAX_BODY", "2147483648"),
            ("EXTENSION_FETCH_TIMEOUT_MS", "60000"),
            ("REQUEST_TIMEOUT_MS", "60000"),
        ]);
        app.restart().await;
        let text = format!(
            "let size = 0; for await (const p of (await fetch('{}')).body) size += p.length; return {{ ...payload, title: String(size) }}",
            upstream.url("/big/1024")
        );
        articles(app).await;
        extension(app, json!({ "event": "articles.items.create", "code": text, "timeout_ms": 60_000 })).await;
        let before = app.resident();
        assert_eq!(create(app, "articles", json!({})).await["title"], (1_u64 << 30).to_string());
        let grown = peak(app).saturating_sub(before);
        assert!(grown < 32 << 20, "{} MiB more than before", grown >> 20);
    });
}

#[test]
fn what_is_not_read_is_not_sent() {
    fetching(LOCAL, &[("EXTENSION_FETCH_MAX_BODY", "2147483648")], async |app, upstream| {
        let seen = code(
            app,
            upstream,
            "const r = await fetch('BASE/big/200'); const reader = r.body.getReader(); await reader.read();
             await (await fetch('BASE/sleep/300')).text(); await reader.cancel(); return 'ended'",
        )
        .await;
        assert_eq!(seen, "ended");
        // Credit, and what the machine buffers of one connection.
        let sent = upstream.seen.sent.load(Ordering::SeqCst);
        assert!(sent < 32 << 20, "{} MiB", sent >> 20);
        eventually("the server notices that nobody reads", Duration::from_secs(5), async || {
            match upstream.seen.gone.load(Ordering::SeqCst) {
                2.. => Ok(()),
                n => Err(n.to_string()),
            }
        })
        .await;
    });
}

#[test]
fn a_body_streams_up_as_it_is_made() {
    fetching(LOCAL, &[], async |app, upstream| {
        let seen = code(
            app,
            upstream,
            "let left = 64, cancelled; const make = (n) => new ReadableStream({ pull(c) { n-- > 0 ? c.enqueue(new Uint8Array(65536)) : c.close() }, cancel(r) { cancelled = String(r?.code ?? r) } });
             const sizes = [];
             sizes.push(await (await fetch('BASE/size', { method: 'POST', body: make(64) })).json());
             sizes.push(await (await fetch('BASE/size', { method: 'POST', body: new Uint8Array(5e6) })).json());
             const large = await attempt(() => fetch('BASE/size', { method: 'POST', body: make(1e9) }));
             const whole = await attempt(() => fetch('BASE/size', { method: 'POST', body: new Uint8Array(11e6) }));
             const failing = await attempt(() => fetch('BASE/size', { method: 'POST', body: new ReadableStream({ pull(c) { throw new RangeError('no more') } }) }));
             const strings = await attempt(() => fetch('BASE/size', { method: 'POST', body: new ReadableStream({ start(c) { c.enqueue('text'); c.close() } }) }));
             return { sizes, large: large.code, whole: whole.code, failing: [failing.name, failing.message], strings: strings.name, cancelled };",
        )
        .await;
        assert_eq!(seen["sizes"], json!([{ "size": 64 << 16, "length": null }, { "size": 5_000_000, "length": "5000000" }]));
        assert_eq!((&seen["large"], &seen["whole"]), (&json!("FETCH_TOO_LARGE"), &json!("FETCH_TOO_LARGE")), "{seen}");
        assert_eq!((&seen["failing"], &seen["strings"]), (&json!(["RangeError", "no more"]), &json!("TypeError")), "{seen}");
        assert!(seen["cancelled"].is_string(), "{seen}");
    });
}

#[test]
fn a_slow_server_costs_its_time_and_no_more() {
    fetching(LOCAL, &[("EXTENSION_FETCH_TIMEOUT_MS", "400")], async |app, upstream| {
        let (code, message) = failure(app, upstream, "'BASE/sleep/60000'").await;
        assert_eq!(
            (code.as_str(), message.as_str()),
            ("FETCH_TIMEOUT", "The request took longer than 400 ms (EXTENSION_FETCH_TIMEOUT_MS)")
        );
        let (code, _) = failure(app, upstream, "'BASE/drip/20'").await;
        assert_eq!(code, "FETCH_TIMEOUT");
        eventually("both connections are closed", Duration::from_secs(5), async || match upstream.seen.gone.load(Ordering::SeqCst) {
            2 => Ok(()),
            n => Err(n.to_string()),
        })
        .await;
    });
}

/// A listener whose queue is full: what else connects to it gets no answer of any kind, as behind a firewall that drops packets.
fn deaf() -> (std::net::TcpListener, Vec<std::net::TcpStream>, u16) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // SAFETY: the descriptor is that of an open listener; listening again only changes the length of its queue.
    assert_eq!(unsafe { libc::listen(std::os::fd::AsRawFd::as_raw_fd(&listener), 0) }, 0);
    let mut waiting = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        waiting.push(stream);
    }
    (listener, waiting, address.port())
}

const PATIENT: [(&str, &str); 2] = [("EXTENSION_FETCH_TIMEOUT_MS", "60000"), ("REQUEST_TIMEOUT_MS", "60000")];

/// What a filter that may take a minute makes of a fetch that must fail: its code and message, and how long it took.
async fn slow_failure(app: &TestApp, url: &str) -> (String, String, Duration) {
    articles(app).await;
    let text = format!(
        "try {{ await (await fetch('{url}')).text() }} catch (e) {{ return {{ ...payload, title: e.code + ' ' + e.message }} }}
         return {{ ...payload, title: 'it should have failed' }}"
    );
    extension(app, json!({ "event": "articles.items.create", "code": text, "timeout_ms": 60_000 })).await;
    let begun = Instant::now();
    let title = create(app, "articles", json!({})).await["title"].as_str().unwrap().to_owned();
    let (code, message) = title.split_once(' ').unwrap();
    (code.to_owned(), message.to_owned(), begun.elapsed())
}

#[test]
fn a_place_that_does_not_answer_is_given_up_after_five_seconds() {
    fetching("127.0.0.1", &PATIENT, async |app, _| {
        let (_listener, _waiting, port) = deaf();
        let (code, message, took) = slow_failure(app, &format!("http://127.0.0.1:{port}/")).await;
        assert_eq!((code.as_str(), message.as_str()), ("FETCH_TIMEOUT", "`127.0.0.1` could not be reached within 5 s"));
        assert!(took < Duration::from_millis(5_000 + 250), "{took:?}");
    });
}

#[test]
fn a_server_that_goes_silent_is_given_up_after_thirty_seconds() {
    fetching(LOCAL, &PATIENT, async |app, upstream| {
        let (code, message, took) = slow_failure(app, &upstream.url("/stall")).await;
        assert_eq!((code.as_str(), message.as_str()), ("FETCH_TIMEOUT", "The server sent nothing for 30 s"));
        assert!(took < Duration::from_millis(30_000 + 250), "{took:?}");
        eventually("the connection is closed", Duration::from_secs(5), async || match upstream.seen.gone.load(Ordering::SeqCst) {
            1 => Ok(()),
            n => Err(n.to_string()),
        })
        .await;
    });
}

#[test]
fn an_abort_ends_the_request_wherever_it_is() {
    fetching(LOCAL, &[], async |app, upstream| {
        let seen = code(
            app,
            upstream,
            "const before = await attempt(() => fetch('BASE/', { signal: AbortSignal.abort() }));
             const a = new AbortController(); setTimeout(() => a.abort(new Error('enough')), 100);
             const waiting = await attempt(() => fetch('BASE/sleep/60000', { signal: a.signal }));
             const b = new AbortController(); const r = await fetch('BASE/drip/10', { signal: b.signal }); setTimeout(() => b.abort(), 100);
             const reading = await attempt(() => r.text());
             const timeout = await attempt(() => fetch('BASE/sleep/60000', { signal: AbortSignal.timeout(50) }));
             const c = new AbortController(); let cancelled;
             const body = new ReadableStream({ pull() { return new Promise(() => {}) }, cancel(reason) { cancelled = reason.name } });
             setTimeout(() => c.abort(), 50);
             const sending = await attempt(() => fetch('BASE/size', { method: 'POST', body, signal: c.signal }));
             const done = new AbortController(); const whole = await (await fetch('BASE/cookies', { signal: done.signal })).text(); done.abort();
             return [before.name, waiting.message, reading.name, timeout.name, sending.name, cancelled, whole];",
        )
        .await;
        assert_eq!(seen, json!(["AbortError", "enough", "AbortError", "TimeoutError", "AbortError", "AbortError", "baked"]));
        eventually("the server sees its readers go", Duration::from_secs(5), async || match upstream.seen.gone.load(Ordering::SeqCst) {
            3 => Ok(()),
            n => Err(n.to_string()),
        })
        .await;
    });
}

#[test]
fn what_a_call_leaves_behind_ends_with_it() {
    fetching(LOCAL, &[], async |app, upstream| {
        code(
            app,
            upstream,
            "const r = await fetch('BASE/drip/10'); fetch('BASE/sleep/60000').catch(() => {}); await r.body.getReader().read(); return 1",
        )
        .await;
        eventually("its connections are closed", Duration::from_secs(5), async || match upstream.seen.gone.load(Ordering::SeqCst) {
            n @ 1.. => {
                // The other request may not have left when the call ended.
                let asked = upstream.seen.requests.load(Ordering::SeqCst);
                if n == asked + 1 { Ok(()) } else { Err(format!("{n} of {}", asked + 1)) }
            }
            n => Err(n.to_string()),
        })
        .await;
        // A loop in the middle of a stream is ended as any other.
        articles(app).await;
        let text = format!("const r = await fetch('{}'); for await (const p of r.body) for (;;);", upstream.url("/drip/10"));
        extension(app, json!({ "event": "articles.items.create", "code": text, "timeout_ms": 300 })).await;
        app.post("/api/items/articles", json!({})).await.expect_error(504, "EXTENSION_TIMEOUT");
    });
}

#[test]
fn what_an_earlier_call_of_a_warm_isolate_left_behind_reaches_nobody() {
    fetching(LOCAL, &[], async |app, upstream| {
        articles(app).await;
        let text = "globalThis.runs = (globalThis.runs ?? 0) + 1;
             const upload = (start) => fetch('BASE/size', { method: 'POST', body: new ReadableStream({ start }) });
             if (globalThis.runs === 1) {
               globalThis.body = (await fetch('BASE/big/1')).body.getReader(); await globalThis.body.read();
               upload((c) => { globalThis.left = c }).catch(() => {});
               await (await fetch('BASE/')).text();
               return { ...payload, title: 'left' };
             }
             const first = await (await fetch('BASE/')).json();
             const own = upload(async (c) => { c.enqueue(new Uint8Array(10)); await (await fetch('BASE/sleep/50')).text(); c.close() });
             globalThis.left.enqueue(new Uint8Array(100)); globalThis.left.enqueue(new Uint8Array(300000));
             const old = Promise.race([(async () => { for (;;) if ((await globalThis.body.read()).done) return 'done' })().catch((e) => e.message), new Promise((r) => setTimeout(() => r('waits'), 200))]);
             return { ...payload, title: (await own.then((r) => r.json())).size + ' ' + await old };";
        let text = text.replace("BASE", &upstream.url(""));
        extension(app, json!({ "event": "articles.items.create", "code": text, "state": "warm" })).await;
        let mut titles = Vec::new();
        while titles.last().is_none_or(|title| title == "left") && titles.len() < 20 {
            titles.push(create(app, "articles", json!({})).await["title"].as_str().unwrap().to_owned());
        }
        let last = titles.last().unwrap();
        assert!(last.starts_with("10 "), "{titles:?}");
    });
}
