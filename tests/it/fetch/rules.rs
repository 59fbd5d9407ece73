//! What is refused, and that nothing is connected to because of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;

#[test]
fn nothing_is_reached_that_the_list_does_not_name() {
    fetching("other.example, 127.0.0.1:1", &[], async |app, upstream| {
        let port = upstream.port();
        for (url, rule) in [
            (format!("http://127.0.0.1:{port}/"), "with another port"),
            (format!("http://localhost:{port}/"), "`localhost` is not in EXTENSION_ALLOWED_DOMAINS"),
            (format!("http://127.0.0.2:{port}/"), "`127.0.0.2` is a loopback address (RFC 1122) and is not in"),
            (format!("http://0x7f.1:{port}/"), "with another port"),
            (format!("http://[::ffff:127.0.0.1]:{port}/"), "IPv4-mapped address (RFC 4291) that leads to 127.0.0.1"),
            (format!("http://0.0.0.0:{port}/"), "address of this host"),
            ("http://169.254.169.254/".to_owned(), "metadata address"),
            ("ftp://other.example/".to_owned(), "only `http:` and `https:` can"),
            ("file:///etc/passwd".to_owned(), "only `http:` and `https:` can"),
            (format!("http://other.example.evil.example:{port}/"), "is not in EXTENSION_ALLOWED_DOMAINS"),
        ] {
            let (code, message) = failure(app, upstream, &format!("'{url}'")).await;
            assert!(code == "FETCH_REFUSED" && message.contains(rule), "{url}: {code} {message}");
        }
        assert_eq!(upstream.seen.connections(), 0);
        // An error of the author's, said before anything is asked.
        for arguments in [
            "'/path'",
            "'http://user:password@127.0.0.1:1/'",
            "",
            "'http://127.0.0.1:1/', { method: 'CONNECT' }",
            "'http://127.0.0.1:1/', { body: 'x' }",
        ] {
            let seen = code(app, upstream, &format!("return attempt(() => services.fetch({arguments}))")).await;
            assert_eq!(seen["name"], "TypeError", "{arguments}: {seen}");
        }
    });
}

#[test]
fn nothing_is_open_by_default() {
    fetching("", &[], async |app, upstream| {
        let (code, message) = failure(app, upstream, "'BASE/'").await;
        assert_eq!(code, "FETCH_REFUSED");
        assert!(message.contains("is a loopback address (RFC 1122) and is not in EXTENSION_ALLOWED_DOMAINS, which is empty"), "{message}");
        assert_eq!(upstream.seen.connections(), 0);
    });
}

#[test]
fn what_frames_a_request_cannot_be_forged() {
    fetching(LOCAL, &[], async |app, upstream| {
        let seen = code(
            app,
            upstream,
            "const r = await fetch('BASE/', { method: 'POST', body: 'abc', headers: { host: 'internal', 'content-length': '99', 'transfer-encoding': 'chunked',
               connection: 'close, x-hop', 'x-hop': '1', upgrade: 'h2c', te: 'trailers', expect: '100-continue', 'proxy-authorization': 'Basic x',
               'keep-alive': '1', trailer: 'x', 'accept-encoding': 'zstd', cookie: 'kept=1', origin: 'https://kept.example' } });
             const smuggled = [];
             for (const [name, value] of [['x', 'a\\r\\nhost: b'], ['x', 'a\\nb'], ['x', 'a\\0b'], ['x y', '1'], ['x\\r\\nhost', '1'], ['x', '\\u0100'], ['', '1']]) {
               smuggled.push((await attempt(() => fetch('BASE/', { headers: [[name, value]] }))).name);
             }
             for (const method of ['GET / HTTP/1.1\\r\\nhost: b\\r\\n\\r\\n', 'A B', '']) smuggled.push((await attempt(() => fetch('BASE/', { method }))).name);
             return [await r.json(), smuggled, (await (await fetch('BASE/a\\r\\nb c\\td')).json()).target];",
        )
        .await;
        let echo = &seen[0];
        assert_eq!(echo["body"], "abc");
        let names: Vec<&str> = echo["headers"].as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap()).collect();
        assert_eq!(names.iter().filter(|name| **name == "host").count(), 1);
        assert_eq!((header(echo, "host"), header(echo, "content-length")), (Some(&*upstream.address.to_string()), Some("3")));
        assert_eq!((header(echo, "cookie"), header(echo, "origin")), (Some("kept=1"), Some("https://kept.example")));
        for gone in ["transfer-encoding", "connection", "x-hop", "upgrade", "te", "expect", "proxy-authorization", "keep-alive", "trailer"]
        {
            assert!(!names.contains(&gone), "{gone}: {names:?}");
        }
        assert_eq!(header(echo, "accept-encoding"), Some("gzip, deflate, br"));
        assert!(seen[1].as_array().unwrap().iter().all(|name| name == "TypeError"), "{}", seen[1]);
        assert_eq!(seen[2], "/ab%20cd");
    });
}

#[test]
fn each_hop_of_a_redirect_is_held_to_the_rules() {
    fetching(LOCAL, &[], async |app, upstream| {
        let inner = Upstream::start("127.0.0.1").await;
        for (to, rule) in [
            (inner.url("/secret"), "with another port"),
            (format!("http://localhost:{}/", inner.port()), "`localhost` is not in"),
            (format!("http://127.0.0.2:{}/", inner.port()), "loopback address"),
            ("http://169.254.169.254/latest/".to_owned(), "metadata address"),
            ("file:///etc/passwd".to_owned(), "only `http:` and `https:` can"),
            (format!("http://u:p@{}/", upstream.address), "holds a user or a password"),
            ("//evil.example/".to_owned(), "`evil.example` is not in"),
            ("\\\\evil.example\\x".to_owned(), "`evil.example` is not in"),
        ] {
            let url = format!("'BASE/redirect/302?' + new URLSearchParams({{ to: {} }})", json!(to));
            let (code, message) = failure(app, upstream, &url).await;
            assert!(code == "FETCH_REFUSED" && message.contains(rule), "{to}: {code} {message}");
        }
        assert_eq!(inner.seen.connections(), 0);
        let seen = code(
            app,
            upstream,
            "const to = (status, where, init) => fetch(`BASE/redirect/${status}?` + new URLSearchParams({ to: where }), init);
             const show = async (r) => { const e = await r.json(); return [r.redirected, r.url, e.method, e.body, e.headers.some(([n]) => n === 'content-type')] };
             const post = { method: 'POST', body: 'b', headers: { 'content-type': 'text/x' } };
             return [
               await show(await to(302, '/relative?x')), await show(await to(301, 'BASE/', post)), await show(await to(303, '/', { ...post, method: 'PUT' })),
               await show(await to(307, '/', post)), await show(await to(308, '/', post)), await show(await to(302, '/', { ...post, method: 'PUT' })),
               await attempt(() => to(302, '/', { redirect: 'error' })),
               await (async () => { const r = await to(302, '/x', { redirect: 'manual' }); return [r.status, r.headers.get('location'), r.redirected] })(),
               await attempt(() => to(307, '/', { method: 'POST', body: new ReadableStream({ start(c) { c.enqueue(new Uint8Array(1)); c.close() } }) })),
               await attempt(() => to(302, 'http://[')),
               (await fetch('BASE/redirect/302')).status,
             ];",
        )
        .await;
        let base = upstream.url("");
        assert_eq!(seen[0], json!([true, format!("{base}/relative?x"), "GET", "", false]));
        assert_eq!(seen[1], json!([true, format!("{base}/"), "GET", "", false]));
        assert_eq!((&seen[2][2], &seen[2][3]), (&json!("GET"), &json!("")));
        assert_eq!((&seen[3][2], &seen[3][3], &seen[3][4]), (&json!("POST"), &json!("b"), &json!(true)));
        assert_eq!((&seen[4][2], &seen[4][3]), (&json!("POST"), &json!("b")));
        assert_eq!((&seen[5][2], &seen[5][3]), (&json!("PUT"), &json!("b")));
        assert_eq!(seen[6]["code"], "FETCH_FAILED");
        assert_eq!(seen[7], json!([302, "/x", false]));
        assert_eq!(
            (&seen[8]["code"], seen[8]["message"].as_str().unwrap().contains("can't be sent twice")),
            (&json!("FETCH_FAILED"), true)
        );
        assert_eq!((&seen[9]["code"], &seen[10]), (&json!("FETCH_FAILED"), &json!(302)));
    });
}

#[test]
fn redirects_without_an_end_have_one() {
    fetching(LOCAL, &[], async |app, upstream| {
        let before = upstream.seen.requests.load(Ordering::SeqCst);
        let (code, message) = failure(app, upstream, "'BASE/loop'").await;
        assert!(code == "FETCH_FAILED" && message.contains("more than 20 redirects"), "{code} {message}");
        assert_eq!(upstream.seen.requests.load(Ordering::SeqCst) - before, 21);
    });
}

#[test]
fn credentials_do_not_cross_to_another_origin() {
    fetching("127.0.0.1, localhost", &[], async |app, upstream| {
        let other = Upstream::start("127.0.0.1").await;
        let text = format!(
            "const headers = {{ authorization: 'Bearer x', cookie: 'a=1', 'x-api-key': 'k', 'x-kept': '1' }};
             const to = async (where) => (await (await fetch('BASE/redirect/302?' + new URLSearchParams({{ to: where }}), {{ headers }})).json()).headers.map(([n]) => n);
             return [await to('BASE/same'), await to('{}'), await to('http://localhost:{}/')];",
            other.url("/other"),
            upstream.port()
        );
        let seen = code(app, upstream, &text).await;
        let has = |at: usize, name: &str| seen[at].as_array().unwrap().iter().any(|n| n == name);
        for name in ["authorization", "cookie", "x-api-key"] {
            assert_eq!([has(0, name), has(1, name), has(2, name)], [true, false, false], "{name}: {seen}");
        }
        assert!(has(1, "x-kept") && has(2, "x-kept"));
    });
}

#[test]
fn a_call_fetches_so_often_and_no_more() {
    fetching(LOCAL, &[("EXTENSION_FETCH_MAX", "3")], async |app, upstream| {
        let seen = code(app, upstream, "const all = await Promise.all([1, 2, 3, 4, 5].map(() => attempt(async () => (await fetch('BASE/')).status))); return all.map((a) => a.code ?? a);").await;
        assert_eq!(seen, json!([200, 200, 200, "FETCH_REFUSED", "FETCH_REFUSED"]));
        assert_eq!(upstream.seen.requests.load(Ordering::SeqCst), 3);
        assert_eq!(code(app, upstream, "return (await fetch('BASE/')).status").await, 200);
    });
}

#[test]
fn an_entry_that_cannot_be_read_stops_the_start_with_a_sentence() {
    run(Database::Sqlite, &[], false, async |app| {
        let status = app.stop().await;
        assert!(status.success());
        for (name, value, sentence) in [
            ("EXTENSION_ALLOWED_DOMAINS", "good.example, https://bad.example", "`https://bad.example` is a URL: write its host alone"),
            ("EXTENSION_HTTP_PROXY", "socks5://u:secret-word@proxy", "`EXTENSION_HTTP_PROXY` must be"),
            ("EXTENSION_DNS_SERVERS", "dns.example", "`EXTENSION_DNS_SERVERS` must be"),
            ("EXTENSION_CA_FILE", "missing.pem", "`EXTENSION_CA_FILE`"),
        ] {
            app.set_env(&[(name, value)]);
            app.spawn();
            let status = app.ended(Duration::from_secs(20)).await;
            assert!(!status.success() && app.log().contains(sentence), "{name}: {}", app.log());
            assert!(!app.log().contains("secret-word"));
            app.set_env(&[(name, "")]);
        }
        app.launch().await;
    });
}

#[test]
fn a_dry_run_records_what_it_would_fetch_and_answers_from_mocks() {
    fetching(LOCAL, &[], async |app, upstream| {
        articles(app).await;
        let run = async |more: Value| {
            let code = format!(
                "{ATTEMPT} const out = await attempt(async () => {{ const r = await fetch('{}', {{ method: 'POST', body: 'x' }}); return [r.status, r.headers.get('x-m'), await r.json()] }}); return {{ title: JSON.stringify(out) }}",
                upstream.url("/mocked")
            );
            let mut body = json!({ "type": "filter", "event": "articles.items.create", "testPayload": {}, "code": code });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let told = app.post("/api/extensions/test", body).await.expect(200).data();
            serde_json::from_str::<Value>(told["result"]["title"].as_str().unwrap_or_else(|| panic!("{told}"))).unwrap()
        };
        assert_eq!(run(json!({})).await["code"], "FETCH_RECORDED");
        let mock = json!({ "match": "POST http://127.0.0.1:*/mocked", "status": 201, "headers": { "X-M": "1" }, "body": { "a": 1 } });
        assert_eq!(run(json!({ "mocks": [mock] })).await, json!([201, "1", { "a": 1 }]));
        assert_eq!(run(json!({ "mocks": [{ "match": "GET *" }] })).await["code"], "FETCH_RECORDED");
        assert_eq!(upstream.seen.connections(), 0);
        assert_eq!(run(json!({ "mocks": [], "allowFetch": true })).await[2]["method"], "POST");
        assert_eq!(upstream.seen.connections(), 1);
        app.post("/api/extensions/test", json!({ "type": "filter", "event": "articles.items.create", "code": "", "mocks": 5 }))
            .await
            .expect(400);
    });
}

#[test]
fn capabilities_narrow_where_an_extension_may_go_at_every_redirect() {
    fetching("127.0.0.1, localhost", &[], async |app, upstream| {
        let port = upstream.port();
        let text = format!(
            "{ATTEMPT} const to = (where) => attempt(async () => (await fetch(where)).status);
             return [await to('http://127.0.0.1:{port}/'), (await to('http://localhost:{port}/')).code, (await to('http://127.0.0.1:{port}/redirect/302?to=http://localhost:{port}/')).code];"
        );
        for listed in ["fetch:127.0.0.1".to_owned(), format!("fetch:127.0.0.1:{port}")] {
            let body = json!({ "event": "GET /narrow", "type": "route", "code": text, "capabilities": [listed] });
            let id = extension(app, body).await;
            assert_eq!(
                app.get("/api/ext/narrow").await.expect(200).json(),
                json!([200, "CAPABILITY_DENIED", "CAPABILITY_DENIED"]),
                "{listed}"
            );
            app.delete(&format!("/api/extensions/{id}")).await.expect(204);
        }
        extension(app, json!({ "event": "GET /none", "type": "route", "code": text, "capabilities": ["schema"] })).await;
        assert_eq!(app.get("/api/ext/none").await.expect(200).json()[0]["code"], "CAPABILITY_DENIED");
        assert_eq!(upstream.seen.requests.load(Ordering::SeqCst), 4);
    });
}
