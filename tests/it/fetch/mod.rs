//! `services.fetch`: what reaches a server, what of its answer reaches the code, and above all what does neither.

mod bodies;
mod names;
mod rules;
mod transactions;
mod ways;

use serde_json::{Value, json};

use crate::support::upstream::Upstream;
use crate::support::*;

/// Runs a test against a program that may fetch from `places`, where `PORT` is the port of a server at 127.0.0.1.
fn fetching(places: &str, env: &[(&str, &str)], body: impl AsyncFnOnce(&mut TestApp, &Upstream)) {
    fetching_on(Database::Sqlite, places, env, body);
}

fn fetching_on(database: Database, places: &str, env: &[(&str, &str)], body: impl AsyncFnOnce(&mut TestApp, &Upstream)) {
    run(database, &[], false, async |app| {
        let upstream = Upstream::start("127.0.0.1").await;
        app.set_env(&[("EXTENSION_ALLOWED_DOMAINS", &places.replace("PORT", &upstream.port().to_string()))]);
        app.set_env(env);
        app.restart().await;
        body(app, &upstream).await;
    });
}

/// What code begins with: `attempt(f)` gives what `f` gives, or of its error what can be seen.
const ATTEMPT: &str = "const attempt = async (f) => { try { return await f() } catch (e) { return { code: e.code, status: e.status, message: e.message, name: e.name } } };\n";

/// Runs code in a filter; `BASE` in it is the URL of the server.
async fn code(app: &TestApp, upstream: &Upstream, text: &str) -> Value {
    result_of(app, &format!("{ATTEMPT}{}", text.replace("BASE", &upstream.url("")))).await
}

/// What the error of a fetch is, that must fail.
async fn failure(app: &TestApp, upstream: &Upstream, arguments: &str) -> (String, String) {
    let seen = code(app, upstream, &format!("return attempt(async () => {{ const r = await services.fetch({arguments}); return {{ status: r.status, text: await r.text() }} }})")).await;
    let text = |member: &str| seen[member].as_str().unwrap_or_default().to_owned();
    assert!(seen["code"].is_string(), "it should have failed: {seen}");
    (text("code"), text("message"))
}

/// The first value of a header among what the echo told.
fn header<'a>(echo: &'a Value, name: &str) -> Option<&'a str> {
    echo["headers"].as_array().unwrap().iter().find(|pair| pair[0] == name).and_then(|pair| pair[1].as_str())
}

const LOCAL: &str = "127.0.0.1:PORT";

#[test]
fn a_request_reaches_its_server_and_the_answer_its_code() {
    fetching(LOCAL, &[], async |app, upstream| {
        let seen = code(
            app,
            upstream,
            "const r = await services.fetch('BASE/a%20b?q=1#part', { method: 'POST', headers: { 'X-One': '1', 'Content-Type': 'text/x' }, body: 'tëxt' });
             return { ok: r.ok, status: r.status, text: r.statusText, url: r.url, redirected: r.redirected, is: r instanceof Response,
               json: r.headers.get('content-type'), body: await r.json(), used: r.bodyUsed };",
        )
        .await;
        assert_eq!((&seen["ok"], &seen["status"], &seen["text"], &seen["is"]), (&json!(true), &json!(200), &json!("OK"), &json!(true)));
        assert_eq!((&seen["url"], &seen["redirected"]), (&json!(upstream.url("/a%20b?q=1")), &json!(false)));
        let echo = &seen["body"];
        assert_eq!((&echo["method"], &echo["target"], &echo["body"]), (&json!("POST"), &json!("/a%20b?q=1"), &json!("tëxt")));
        assert_eq!(
            (header(echo, "x-one"), header(echo, "content-type"), header(echo, "content-length")),
            (Some("1"), Some("text/x"), Some("5"))
        );
        assert_eq!((header(echo, "host"), header(echo, "accept")), (Some(&*upstream.address.to_string()), Some("*/*")));
        assert_eq!(seen["used"], json!(true));
        // What is told of the call to who asks.
        let body = json!({ "type": "filter", "event": "articles.items.create", "testPayload": {}, "allowFetch": true,
            "code": format!("const r = await fetch('{}'); return {{ title: String(r.status) }}", upstream.url("/x")) });
        articles(app).await;
        let told = app.post("/api/extensions/test", body).await.expect(200).data();
        assert_eq!(
            (&told["result"]["title"], &told["capabilitiesUsed"]),
            (&json!("200"), &json!([format!("fetch:127.0.0.1:{}", upstream.port()), "items:articles:create"])),
            "{told}"
        );
        assert_eq!((&told["calls"][0]["method"], &told["calls"][0]["ended"]), (&json!("fetch.open"), &json!(true)));
    });
}

#[test]
fn every_kind_of_body_and_input_goes_as_the_web_has_it() {
    fetching(LOCAL, &[], async |app, upstream| {
        let seen = code(
            app,
            upstream,
            "const echo = async (...args) => (await fetch(...args)).json();
             const form = new FormData(); form.append('a', 'b');
             return [
               await echo('BASE/', { method: 'POST', body: new Uint8Array([104, 105]) }),
               await echo(new URL('BASE/url'), { method: 'PUT', body: new URLSearchParams({ a: '1 2' }) }),
               await echo('BASE/', { method: 'POST', body: new Blob(['blob'], { type: 'text/b' }) }),
               await echo('BASE/', { method: 'POST', body: form }),
               await echo(new Request('BASE/request', { method: 'PATCH', headers: { 'x-r': '1' }, body: 'request' }), { headers: { 'x-i': '2' } }),
               await echo('BASE/', { method: 'POST' }),
               await echo('BASE/', { method: 'PURGE' }),
               await echo('BASE/', { method: 'POST', body: '' }),
               await echo('BASE/', { headers: new Headers([['x-two', 'a'], ['x-two', 'b']]) }),
               await echo('BASE/', { method: 'POST', body: new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode('stream')); c.close() } }) }),
             ];",
        )
        .await;
        let got: Vec<_> = seen
            .as_array()
            .unwrap()
            .iter()
            .map(|e| (e["method"].as_str().unwrap(), e["body"].as_str().unwrap(), header(e, "content-type"), header(e, "content-length")))
            .collect();
        assert_eq!(got[0], ("POST", "hi", None, Some("2")));
        assert_eq!(got[1], ("PUT", "a=1+2", Some("application/x-www-form-urlencoded;charset=UTF-8"), Some("5")));
        assert_eq!(got[2], ("POST", "blob", Some("text/b"), Some("4")));
        assert!(got[3].1.contains("name=\"a\"") && got[3].2.unwrap().starts_with("multipart/form-data; boundary="), "{:?}", got[3]);
        assert_eq!((got[4].0, got[4].1), ("PATCH", "request"));
        assert_eq!((header(&seen[4], "x-r"), header(&seen[4], "x-i")), (None, Some("2")));
        assert_eq!((got[5].0, got[5].3, got[6].0, got[7].3), ("POST", Some("0"), "PURGE", Some("0")));
        assert_eq!(seen[8]["headers"].as_array().unwrap().iter().filter(|pair| pair[0] == "x-two").count(), 2);
        assert_eq!((got[9].1, got[9].3, header(&seen[9], "transfer-encoding")), ("stream", None, Some("chunked")));
    });
}

#[test]
fn answers_keep_their_form() {
    fetching(LOCAL, &[], async |app, upstream| {
        let seen = code(
            app,
            upstream,
            "const c = await fetch('BASE/cookies'); const head = await fetch('BASE/size', { method: 'HEAD' });
             const none = await fetch('BASE/status/204'); const teapot = await fetch('BASE/status/418');
             const twice = await fetch('BASE/cookies'); const copy = twice.clone();
             return { cookies: c.headers.getSetCookie(), latin: c.headers.get('x-latin'), text: await c.text(),
               head: [head.status, head.body === null, await head.text()], none: [none.status, none.body === null], teapot: [teapot.ok, teapot.status, teapot.statusText],
               twice: [await twice.text(), await copy.text()],
               bad: await attempt(async () => { await fetch('BASE/cookies').then((r) => r.json()) }) };",
        )
        .await;
        assert_eq!((&seen["cookies"], &seen["latin"], &seen["text"]), (&json!(["a=1; Path=/", "b=2"]), &json!("café"), &json!("baked")));
        assert_eq!((&seen["head"], &seen["none"]), (&json!([200, true, ""]), &json!([204, true])));
        assert_eq!((&seen["teapot"], &seen["twice"]), (&json!([false, 418, "I'm a teapot"]), &json!(["baked", "baked"])));
        assert_eq!(seen["bad"]["name"], "SyntaxError");
    });
}

#[test]
fn connections_are_used_again_by_their_extension_and_by_no_other() {
    fetching(LOCAL, &[], async |app, upstream| {
        code(app, upstream, "for (let i = 0; i < 5; i++) await (await fetch('BASE/')).text();").await;
        assert_eq!(upstream.seen.connections(), 1);
        code(app, upstream, "await (await fetch('BASE/')).text();").await;
        assert_eq!(upstream.seen.connections(), 2);
    });
}

#[test]
fn a_route_hands_an_answer_on() {
    fetching(LOCAL, &[], async |app, upstream| {
        let index = format!(
            "export function register({{ registerRoutes }}) {{ registerRoutes({{ basePath: '/p', routes: [
               {{ method: 'GET', path: '/get/*rest', public: true, handler: (request, {{ services, params }}) => services.fetch('{0}/' + params.rest) }},
               {{ method: 'POST', path: '/post', public: true, handler: (request) => fetch('{0}/size', {{ method: 'POST', body: request.body }}) }},
             ] }}); }}",
            upstream.url("")
        );
        app.load_folder("p", &[("index.mjs", &index)]).await;
        let client = app.anonymous();
        let answer = client.get("/api/ext/p/get/packed/gzip").await.expect(200);
        assert_eq!((answer.body.len(), answer.header("content-type")), (440, "text/plain"));
        assert_eq!(client.get("/api/ext/p/get/status/418").await.status, 418);
        assert_eq!(client.get("/api/ext/p/get/big/4").await.expect(200).body.len(), 4 << 20);
        let sent = client.request("POST", "/api/ext/p/post").body(vec![1; 3 << 20]).send().await.unwrap();
        assert_eq!(sent.text().await.unwrap(), json!({ "size": 3 << 20, "length": null }).to_string());
    });
}

#[test]
fn the_example_looks_up_coordinates() {
    fetching(LOCAL, &[], async |app, upstream| {
        app.set_env(&[("RUNTIME_PUBLIC_GEOCODER_URL", &upstream.url("/"))]);
        app.restart().await;
        snippets::install(app, &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("extensions/geocode")).await;
        collection(app, "places", &[("address", "string"), ("lat", "float"), ("lon", "float")]).await;
        let place = create(app, "places", json!({ "address": "Unter den Linden 1, Berlin" })).await;
        assert_eq!((&place["lat"], &place["lon"]), (&json!(52.5173), &json!(13.3889)));
        let moved = app.patch("/api/items/places/1", json!({ "address": "Atlantis" })).await.expect(200).data();
        assert_eq!((&moved["lat"], &moved["lon"]), (&Value::Null, &Value::Null));
        // A place without coordinates is better than none.
        app.set_env(&[("RUNTIME_PUBLIC_GEOCODER_URL", "http://10.0.0.5/")]);
        app.restart().await;
        assert_eq!(create(app, "places", json!({ "address": "Berlin" })).await["lat"], Value::Null);
        assert!(app.log().contains("no coordinates"));
    });
}
