//! Ways in which routes and folders once let somebody do more than they may.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::*;

/// A guarded collection, and routes that anybody may ask for, in one extension.
const GUARD: &str = "
export function register({ emitter, registerRoutes }) {
  emitter.onFilter('articles.items.create', (p) => ({ ...p, slug: 'guarded' }));
  registerRoutes({ basePath: '/g', routes: [
    { method: 'POST', path: '/json', public: true, handler: async (request) => ({ keys: Object.keys(await request.json()).length }) },
    { method: 'GET', path: '/events', public: true, handler: (request, { signal }) => {
      let timer;
      return new Response(new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(`data: ${signal.aborted}\\n\\n`));
          timer = setInterval(() => controller.enqueue(new TextEncoder().encode(`data: ${signal.aborted}\\n\\n`)), 100);
        },
        cancel() { clearInterval(timer); console.warn('left'); },
      }), { headers: { 'content-type': 'text/event-stream' } });
    } },
    { method: 'GET', path: '/late', public: true, handler: async (request, { services }) => {
      console.warn('late');
      // What a call says is told once it has called a service: until then it may be run again unnoticed.
      await (await services.items('articles')).readByQuery().catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 300));
      return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1000)); }, cancel() { console.warn('left late'); } }));
    } },
    { method: 'GET', path: '/ping', public: true, handler: () => 'pong' },
  ] });
}
";

async fn raw(app: &TestApp, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(app.base().trim_start_matches("http://")).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

async fn is_guarded(app: &TestApp) {
    assert_eq!(create(app, "articles", json!({ "title": "x" })).await["slug"], "guarded");
}

both!(slow_and_large_bodies_do_not_switch_off_what_an_extension_guards, async |app| {
    articles(app).await;
    app.load_folder("g", &[("index.mjs", GUARD), ("extension.json", r#"{ "timeout_ms": 1000 }"#)]).await;
    let head = "POST /api/ext/g/json HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 10\r\n\r\n{";
    let mut slow = Vec::new();
    for _ in 0..8 {
        slow.push(raw(app, head).await);
    }
    for mut stream in slow {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("REQUEST_BODY_TIMEOUT"), "{answer}");
    }
    is_guarded(app).await;
    let large = format!("{{\"a\": \"{}\"}}", "x".repeat(11 << 20));
    for _ in 0..6 {
        app.anonymous().raw("POST", "/api/ext/g/json", large.clone()).await.expect_error(413, "EXTENSION_PAYLOAD_TOO_LARGE");
    }
    is_guarded(app).await;
    app.anonymous().get("/api/ext/g/ping").await.expect(200);
});

both!(idle_streams_keep_nobody_out_and_their_clients_leaving_is_told, async |app| {
    articles(app).await;
    app.load_folder("g", &[("index.mjs", GUARD), ("extension.json", r#"{ "timeout_ms": 1000 }"#)]).await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        let mut stream = raw(app, "GET /api/ext/g/events HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("data: false") {
            let mut piece = [0; 1024];
            let n = stream.read(&mut piece).await.unwrap();
            assert!(n > 0, "{}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&piece[..n]);
        }
        streams.push(stream);
    }
    is_guarded(app).await;
    assert_eq!(app.anonymous().get("/api/ext/g/ping").await.expect(200).body, "pong");
    // A stream has limits of its own: the signal of the call says nothing about it.
    let stream = &mut streams[0];
    let mut seen = String::new();
    while seen.matches("data: ").count() < 15 {
        let mut piece = [0; 1024];
        let n = stream.read(&mut piece).await.unwrap();
        assert!(n > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&piece[..n]));
    }
    assert!(!seen.contains("true"), "{seen}");
    drop(streams);
    let left = |app: &TestApp, what: &str| app.log_lines().iter().filter(|line| line["message"] == what).count();
    eventually("all are told", Duration::from_secs(20), async || match left(app, "left") {
        64 => Ok(()),
        n => Err(n.to_string()),
    })
    .await;
    // Also those that left before the answer began.
    let gone = raw(app, "GET /api/ext/g/late HTTP/1.1\r\nhost: x\r\n\r\n").await;
    eventually("it has begun", Duration::from_secs(20), async || match left(app, "late") {
        1 => Ok(()),
        n => Err(n.to_string()),
    })
    .await;
    drop(gone);
    eventually("it is told", Duration::from_secs(20), async || match left(app, "left late") {
        1 => Ok(()),
        n => Err(n.to_string()),
    })
    .await;
});

both!(a_replaced_length_does_not_decide_what_is_sent, async |app| {
    let code = "
export function register({ registerRoutes }) {
  registerRoutes({ basePath: '/l', routes: [{ method: 'GET', path: '/', public: true, handler: () => {
    let k = 0;
    Object.defineProperty(Object.getPrototypeOf(Uint8Array.prototype), 'length', { get() { return ++k % 50000 ? 1e15 : 0; } });
    let left = 3;
    return new Response(new ReadableStream({ pull(c) { left-- > 0 ? c.enqueue(new Uint8Array([65, 66])) : c.close(); } }));
  } }] });
}
";
    app.load_folder("l", &[("index.mjs", code)]).await;
    assert_eq!(app.anonymous().get("/api/ext/l").await.expect(200).body, "ABABAB");
});

both!(alone what_hangs_in_a_timer_ends_like_what_hangs_elsewhere, async |app| {
    let code = "
export function register({ registerRoutes }) {
  registerRoutes({ basePath: '/t', routes: [{ method: 'GET', path: '/', public: true, handler: () => {
    setTimeout(() => Array.prototype.reverse.call({ length: 2 ** 53 - 1 }), 20);
    return new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array([65])); } }));
  } }] });
}
";
    app.load_folder("t", &[("index.mjs", code), ("extension.json", r#"{ "timeout_ms": 500 }"#)]).await;
    let begun = std::time::Instant::now();
    let answer = app.anonymous().request("GET", "/api/ext/t").send().await.unwrap();
    assert!(answer.bytes().await.is_err(), "it is cut off");
    assert!(begun.elapsed() < Duration::from_millis(550) + SLACK, "{:?}", begun.elapsed());
});

both!(a_directory_that_cannot_be_read_does_not_unguard, async |app| {
    articles(app).await;
    app.load_folder("g", &[("index.mjs", GUARD)]).await;
    app.load_folder(
        "other",
        &[("index.mjs", "export function register({ emitter }) { emitter.onFilter('pages.items.create', (p) => p); }")],
    )
    .await;
    app.allow_errors();
    app.stop().await;
    let (root, away) = (app.dir().join("extensions"), app.dir().join("away"));
    std::fs::rename(&root, &away).unwrap();
    std::fs::write(&root, "not a directory").unwrap();
    app.launch().await;
    app.post("/api/items/articles", json!({})).await.expect_error(503, "EXTENSION_UNAVAILABLE");
    app.stop().await;
    std::fs::remove_file(&root).unwrap();
    std::fs::rename(&away, &root).unwrap();
    // One that went while nobody looked is gone for good.
    app.remove_folder("other");
    app.launch().await;
    is_guarded(app).await;
    assert_eq!(app.number("SELECT count(*) FROM daas_extension_folders").await, 1);
});

both!(switching_a_folder_off_works_whatever_else_is_wrong_with_it, async |app| {
    articles(app).await;
    app.load_folder("g", &[("index.mjs", GUARD)]).await;
    std::fs::remove_file(app.folder_path("g").join("index.mjs")).unwrap();
    app.write_folder("g", &[("extension.json", r#"{ "enabled": false, "timeout_ms": "x" }"#)]);
    app.folder_is("g", "off", |entry| entry["status"] == "inactive").await;
    assert_eq!(create(app, "articles", json!({ "title": "x" })).await["slug"], Value::Null);
});

both!(files_with_nearly_the_same_name_are_different_modules, async |app| {
    articles(app).await;
    let code = "import { n as a } from './a(1).mjs';\nimport { n as b } from './a1.mjs';\nimport { n as c } from './a%281%29.mjs';
export function register({ emitter }) { emitter.onFilter('articles.items.create', (p) => ({ ...p, slug: a + b + c })); }\n";
    let files = [
        ("index.mjs", code),
        ("a(1).mjs", "export const n = 'x';"),
        ("a1.mjs", "export const n = 'y';"),
        ("a%281%29.mjs", "export const n = 'z';"),
    ];
    app.load_folder("names", &files).await;
    assert_eq!(create(app, "articles", json!({ "title": "x" })).await["slug"], "xyz");
});
