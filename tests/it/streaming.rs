//! Routes under load and with bodies larger than any memory: nothing fails, nothing is held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::json;

use crate::support::*;

both!(saving_under_load_gives_answers_of_the_old_or_the_new_version_only, async |app| {
    let version = |n: u32| {
        format!(
            "import {{ word }} from './word.mjs';\nexport function register({{ registerRoutes }}) {{ registerRoutes({{ basePath: '/v', routes: [{{ method: 'GET', path: '/', public: true, handler: () => `{n} ${{word}}` }}] }}); }}\n"
        )
    };
    let files = |n: u32| [("index.mjs", version(n)), ("word.mjs", format!("export const word = '{n}';\n"))];
    let write = |app: &TestApp, n: u32| files(n).map(|(path, text)| app.write_folder("v", &[(path, &text)]));
    let [(_, index), (_, word)] = files(0);
    app.load_folder("v", &[("index.mjs", &index), ("word.mjs", &word)]).await;
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..32)
        .map(|_| {
            let (client, stop, answered) = (app.anonymous(), Arc::clone(&stop), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut last = 0;
                while !stop.load(Ordering::Relaxed) {
                    let text = client.get("/api/ext/v").await.expect(200).body;
                    let (route, word) = text.split_once(' ').unwrap();
                    assert_eq!(route, word, "an answer of two versions");
                    let version: u32 = route.parse().unwrap();
                    // One client asks one after the other, so it never sees an older version again.
                    assert!(version >= last, "{version} after {last}");
                    last = version;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                last
            })
        })
        .collect();
    for n in 1..=5 {
        write(app, n);
        let probe = app.anonymous();
        eventually("the new version answers", Duration::from_secs(30), async || {
            let text = probe.get("/api/ext/v").await.expect(200).body;
            if text == format!("{n} {n}") { Ok(()) } else { Err(text) }
        })
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert!(answered.load(Ordering::Relaxed) > 100);
});

both!(hono_runs_unmodified_from_node_modules, async |app| {
    if !npm::available() {
        return;
    }
    npm::copy(&npm::installed("tests/fixtures/extensions/hono"), &app.folder_path("library"));
    app.folder_is("library", "active", |entry| entry["status"] == "active").await;
    let client = app.anonymous();
    let page = client.get("/api/ext/library").await.expect(200);
    assert_eq!((page.body.as_str(), page.header("content-security-policy")), ("<h1>Library</h1>", "sandbox"));
    assert_eq!(page.header("x-served-by"), "hono");
    let made = client.post("/api/ext/library/books", json!({ "title": "Trees" })).await.expect(201);
    assert_eq!(made.json(), json!({ "made": "Trees" }));
    assert_eq!(client.post("/api/ext/library/books", json!({})).await.expect(422).body, "A book has a title");
    assert_eq!(client.get("/api/ext/library/books/abc").await.expect(404).json(), json!({ "error": "nothing here" }));
    let next = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..32)
        .map(|_| {
            let (client, next) = (client.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= 10_000 {
                        return;
                    }
                    let answer = client.get(&format!("/api/ext/library/books/{n}?page=2")).await.expect(200);
                    assert_eq!(answer.json(), json!({ "id": n, "page": "2" }));
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
});

const STREAMS: &str = "
export function register({ registerRoutes }) {
  registerRoutes({ basePath: '/s', routes: [
    { method: 'POST', path: '/up', public: true, handler: async (request) => {
      let size = 0;
      for await (const piece of request.body) size += piece.length;
      return { size };
    } },
    { method: 'GET', path: '/down/:mib', public: true, handler: (request, { params }) => {
      const piece = new Uint8Array(65536).fill(7);
      let left = params.mib * 16;
      return new Response(new ReadableStream({ pull(controller) { left-- > 0 ? controller.enqueue(piece) : controller.close(); } }));
    } },
    { method: 'POST', path: '/through', public: true, handler: (request) => new Response(request.body) },
    { method: 'GET', path: '/ping', public: true, handler: () => 'pong' },
  ] });
}
";

/// The database plays no part in it.
#[test]
fn a_gigabyte_streams_up_and_down_in_bounded_memory_beside_other_calls() {
    const MIB: u64 = 1024;
    run(Database::Sqlite, &[], true, async |app| {
        app.load_folder("s", &[("index.mjs", STREAMS)]).await;
        let client = app.anonymous();
        client.get("/api/ext/s/ping").await.expect(200);
        let before = app.resident();
        let (done, peak, pings) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
        let host = app.pid();
        let watch = {
            let (client, done, peak, pings) = (client.clone(), Arc::clone(&done), Arc::clone(&peak), Arc::clone(&pings));
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(client.get("/api/ext/s/ping").await.expect(200).expect_within(Duration::from_secs(2)).body, "pong");
                    pings.fetch_add(1, Ordering::Relaxed);
                    peak.fetch_max(process::resident_together(host), Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
        };
        let body = futures_util::stream::iter((0..MIB).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![1; 1 << 20]))));
        let up = client.request("POST", "/api/ext/s/up").body(reqwest::Body::wrap_stream(body)).send().await.unwrap();
        assert_eq!(up.text().await.unwrap(), json!({ "size": MIB << 20 }).to_string());
        let mut down = client.request("GET", &format!("/api/ext/s/down/{MIB}")).send().await.unwrap().bytes_stream();
        let mut size = 0;
        while let Some(piece) = down.next().await {
            size += piece.unwrap().len() as u64;
        }
        assert_eq!(size, MIB << 20);
        done.store(true, Ordering::Relaxed);
        watch.await.unwrap();
        let grown = peak.load(Ordering::Relaxed).saturating_sub(before);
        assert!(grown < 160 << 20, "{} MiB more than before", grown >> 20);
        assert!(pings.load(Ordering::Relaxed) > 20);
    });
}

both!(a_body_comes_back_as_it_went, async |app| {
    app.load_folder("s", &[("index.mjs", STREAMS)]).await;
    let bytes: Vec<u8> = (0..5_000_003_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let answer = app.anonymous().request("POST", "/api/ext/s/through").body(bytes.clone()).send().await.unwrap();
    assert!(answer.bytes().await.unwrap() == bytes, "it came back changed");
});
