//! Routes of extensions as clients see them: which one answers, who may ask, and what crosses in both directions.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::app::ADMIN_TOKEN;
use crate::support::*;

/// What a handler sees, as JSON.
const MIRROR: &str = "return Response.json({
  method: request.method, url: request.url, headers: Object.fromEntries(request.headers), params: context.params, query: context.query,
  user: context.accountability.user, id: context.requestId, bytes: (await request.arrayBuffer()).byteLength });";

/// An active route of a row; gives its id.
async fn route(admin: &Client, event: &str, code: &str) -> String {
    extension(admin, json!({ "event": event, "type": "route", "code": code })).await
}

/// A folder of routes: `basePath` is its name, `routes` the text between the brackets. `mirror` and `say(text)` are handlers.
async fn routes(app: &TestApp, name: &str, routes: &str) {
    let source = format!(
        "const mirror = async (request, context) => {{ {MIRROR} }};
         const say = (text) => () => new Response(text);
         export function register({{ registerRoutes }}) {{ registerRoutes({{ name: '{name}', basePath: '/{name}', routes: [{routes}] }}); }}"
    );
    app.load_folder(name, &[("index.mjs", &source)]).await;
}

/// A request byte for byte, and all that comes back.
struct Wire(TcpStream);

impl Wire {
    async fn send(client: &Client, text: &str) -> Self {
        let mut stream = TcpStream::connect(client.base().trim_start_matches("http://")).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        Self(stream)
    }

    /// Reads until `text` has come.
    async fn until(&mut self, text: &str) -> String {
        let mut read = Vec::new();
        let wait = async {
            while !String::from_utf8_lossy(&read).contains(text) {
                let mut piece = [0; 4096];
                let n = self.0.read(&mut piece).await.unwrap();
                assert!(n > 0, "closed before {text:?}: {}", String::from_utf8_lossy(&read));
                read.extend_from_slice(&piece[..n]);
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("{text:?} doesn't come"));
        String::from_utf8_lossy(&read).into_owned()
    }

    async fn all(mut self) -> String {
        let mut read = Vec::new();
        tokio::time::timeout(Duration::from_secs(20), self.0.read_to_end(&mut read)).await.expect("an end").unwrap();
        String::from_utf8_lossy(&read).into_owned()
    }
}

/// `GET path` as it stands, anonymous: status, head and body.
async fn get_as_is(client: &Client, path: &str, head: &str) -> (u16, String, String) {
    let host = if head.to_lowercase().contains("host:") { "" } else { "Host: localhost\r\n" };
    let text = Wire::send(client, &format!("GET {path} HTTP/1.1\r\n{host}{head}Connection: close\r\n\r\n")).await.all().await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {path}: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("{head}"));
    (status, head.to_lowercase(), body.to_owned())
}

both!(a_row_answers_at_once_and_stops_at_once, async |app| {
    app.get("/api/ext/customers/7").await.expect_error(404, "ROUTE_NOT_FOUND");
    let id = route(app, "GET /customers/:id", MIRROR).await;
    let seen = app.get("/api/ext/customers/a%2Fb?x=1&x=2&y=%C3%A4").await.expect(200);
    assert_eq!(seen.header("content-type"), "application/json");
    let shown = seen.json();
    assert_eq!(
        (&shown["method"], &shown["params"], &shown["query"]),
        (&json!("GET"), &json!({ "id": "a/b" }), &json!({ "x": "2", "y": "ä" }))
    );
    assert_eq!(shown["url"], format!("{}/api/ext/customers/a%2Fb?x=1&x=2&y=%C3%A4", app.base()));
    assert_eq!(shown["user"], app.get("/api/users/me").await.data()["id"]);
    assert_eq!(shown["id"], seen.header("x-request-id"));
    assert_eq!(shown["headers"]["x-request-id"], seen.header("x-request-id"));
    app.anonymous().get("/api/ext/customers/7").await.expect_error(401, "UNAUTHORIZED");
    app.patch(&format!("/api/extensions/{id}"), json!({ "code": "return { changed: context.params.id };" })).await.expect(200);
    assert_eq!(app.get("/api/ext/customers/7").await.expect(200).json(), json!({ "changed": "7" }));
    app.patch(&format!("/api/extensions/{id}"), json!({ "event": "POST /clients" })).await.expect(200);
    app.get("/api/ext/customers/7").await.expect_error(404, "ROUTE_NOT_FOUND");
    app.post("/api/ext/clients", json!({})).await.expect(200);
    deactivate(app, &id).await;
    app.post("/api/ext/clients", json!({})).await.expect_error(404, "ROUTE_NOT_FOUND");
    activate(app, &id).await;
    app.post("/api/ext/clients", json!({})).await.expect(200);
    app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    app.post("/api/ext/clients", json!({})).await.expect_error(404, "ROUTE_NOT_FOUND");
});

both!(a_row_says_which_requests_it_answers, async |app| {
    for (event, part) in [
        ("/customers", "a method and a path"),
        ("items.create", "a method and a path"),
        ("GET /:id", "plain text"),
        ("GET /a/*rest/b", "must stand last"),
        ("TRACE /a", "can't be answered"),
        ("GET /a/:id/:id", "stands twice"),
    ] {
        let answer = create_extension(app, json!({ "event": event, "type": "route", "code": "return 1;" })).await.expect(400);
        assert!(answer.message().contains(part) && answer.field() == "event", "{event}: {}", answer.body);
    }
});

both!(of_two_rows_with_one_route_the_first_answers_and_the_other_says_why_it_doesn_t, async |app| {
    let declare = async |name: &str, sort: i32, event: &str| {
        let code = format!("return '{name}';");
        extension(app, json!({ "name": name, "sort": sort, "event": event, "type": "route", "code": code })).await
    };
    let first = declare("first", 0, "GET /same/:a").await;
    let second = declare("second", 5, "GET /same/:b").await;
    assert_eq!(app.get("/api/ext/same/1").await.expect(200).body, "first");
    let live = read_extension(app, &second).await["live"].to_string();
    for part in ["second", "first", "GET /same/:a", "GET /same/:b"] {
        assert!(live.contains(part), "{live}");
    }
    declare("others", 9, "ALL /same/:c").await;
    assert_eq!(app.get("/api/ext/same/1").await.expect(200).body, "first");
    assert_eq!(app.post("/api/ext/same/1", json!({})).await.expect(200).body, "others");
    deactivate(app, &first).await;
    assert_eq!(app.get("/api/ext/same/1").await.expect(200).body, "second");
});

both!(odd_paths_are_answered_or_refused_and_never_read_in_two_ways, async |app| {
    routes(
        app,
        "odd",
        "{ method: 'GET', path: '/p/:id', public: true, handler: mirror }, { method: 'GET', path: '/p/fixed', public: true, handler: say('fixed') },
         { method: 'GET', path: '/r/*rest', public: true, handler: mirror }",
    )
    .await;
    let mut wrong = Vec::new();
    for (path, expected) in [
        ("/odd/p/1", json!({ "id": "1" })),
        ("/odd/p/1/", json!({ "id": "1" })),
        ("/odd/p/a%2Fb", json!({ "id": "a/b" })),
        ("/odd/p/a%5Cb", json!({ "id": "a\\b" })),
        ("/odd/p/a\\b", json!({ "id": "a\\b" })),
        ("/odd/p/a\\..\\b", json!({ "id": "a\\..\\b" })),
        ("/odd/p/%00", json!({ "id": "\0" })),
        ("/odd/p/__proto__", json!({ "id": "__proto__" })),
        ("/odd/p/%252e%252e", json!({ "id": "%2e%2e" })),
        ("/odd/p/...", json!({ "id": "..." })),
        ("/odd/p/;a=b@c", json!({ "id": ";a=b@c" })),
        ("/odd/r", json!({ "rest": "" })),
        ("/odd/r/", json!({ "rest": "" })),
        ("/odd/r/a/b%2Fc/", json!({ "rest": "a/b/c" })),
        ("/odd/p/x%3Fy%23z?q=/../", json!({ "id": "x?y#z" })),
    ] {
        let (status, _, body) = get_as_is(app, &format!("/api/ext{path}"), "").await;
        let seen: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
        // What the extension would parse is the path that was routed.
        let url = reqwest::Url::parse(seen["url"].as_str().unwrap_or_default()).ok();
        let count = |path: &str| path.split('/').count();
        let whole = format!("/api/ext{}", path.split('?').next().unwrap());
        if status != 200 || seen["params"] != expected || url.is_none_or(|url| count(url.path()) != count(&whole)) {
            wrong.push(format!("{path}: {status} {body}"));
        }
    }
    for (path, status, code) in [
        ("/odd/p/../r", 400, "INVALID_PATH"),
        ("/odd/p/..", 400, "INVALID_PATH"),
        ("/odd/p/.", 400, "INVALID_PATH"),
        ("/odd/p/%2e%2E/r", 400, "INVALID_PATH"),
        ("/odd/r/a/.%2e/b", 400, "INVALID_PATH"),
        ("/odd/p/%", 400, "INVALID_PATH"),
        ("/odd/p/%zz", 400, "INVALID_PATH"),
        ("/odd/p/%ff%fe", 400, "INVALID_PATH"),
        ("/odd/p/%c0%ae", 400, "INVALID_PATH"),
        ("/odd//p/1", 404, "ROUTE_NOT_FOUND"),
        ("//odd/p/1", 404, "ROUTE_NOT_FOUND"),
        ("/odd/p/1//", 404, "ROUTE_NOT_FOUND"),
        ("/odd/r//a", 404, "ROUTE_NOT_FOUND"),
        ("/odd/P/1", 404, "ROUTE_NOT_FOUND"),
        ("/odd/p", 404, "ROUTE_NOT_FOUND"),
        ("/odd", 404, "ROUTE_NOT_FOUND"),
        ("/", 404, "ROUTE_NOT_FOUND"),
        ("", 404, "ROUTE_NOT_FOUND"),
        (&format!("/odd/p/{}", "a".repeat(9_000)), 414, "URI_TOO_LONG"),
    ] {
        let (was, _, body) = get_as_is(app, &format!("/api/ext{path}"), "").await;
        if was != status || !body.contains(&format!("\"{code}\"")) {
            wrong.push(format!("{path}: {was} {body}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(app.get("/api/ext/odd/p/fixed").await.expect(200).body, "fixed");
});

both!(methods_are_answered_by_the_route_that_takes_them, async |app| {
    routes(
        app,
        "m",
        "{ method: 'get', path: '/a', public: true, handler: async (r, c) => { const seen = await mirror(r, c); seen.headers.set('x-seen', r.method); return seen; } },
         { method: 'POST', path: '/a', public: true, handler: mirror }, { method: 'PURGE', path: '/a', public: true, handler: mirror },
         { method: 'ALL', path: '/all', public: true, handler: mirror }, { method: 'DELETE', path: '/all', public: true, handler: say('gone') },
         { method: 'OPTIONS', path: '/own', public: true, handler: () => new Response(null, { status: 200, headers: { 'x-own': '1' } }) },
         { method: 'GET', path: '/stream', public: true, handler: () => new Response(ReadableStream.from([new Uint8Array(5)])) },
         { method: 'HEAD', path: '/head', public: true, handler: () => new Response(null, { headers: { 'x-own': '2' } }) },
         { method: 'GET', path: '/same', public: true, handler: () => new Response(null, { status: 304, headers: { etag: '\"1\"' } }) },
         { method: 'GET', path: '/b/:id', public: true, handler: mirror }, { method: 'PUT', path: '/b/x', public: true, handler: mirror }",
    )
    .await;
    let ask = async |method: &str, path: &str| Answer::of(app.request(method, &format!("/api/ext/m{path}"))).await;
    let whole = ask("GET", "/a").await.expect(200);
    let head = ask("HEAD", "/a").await.expect(200);
    assert_eq!((head.body.as_str(), head.header("x-seen"), head.header("content-type")), ("", "GET", "application/json"));
    let length = |answer: &Answer| answer.header("content-length").parse::<usize>().unwrap();
    assert_eq!(length(&whole), whole.body.len());
    assert!(length(&head) > 100, "{:?}", head.headers);
    // A length that isn't known isn't made up.
    for (method, path, status) in [("HEAD", "/stream", 200), ("HEAD", "/head", 200), ("GET", "/same", 304)] {
        let answer = ask(method, path).await.expect(status);
        assert!(answer.header("content-length").is_empty() && answer.body.is_empty(), "{method} {path}: {:?}", answer.headers);
    }
    assert_eq!(ask("HEAD", "/head").await.header("x-own"), "2");
    assert_eq!(ask("GET", "/stream").await.expect(200).body.len(), 5);
    let options = ask("OPTIONS", "/a").await.expect(204);
    assert_eq!((options.header("allow"), options.body.as_str()), ("GET, HEAD, OPTIONS, POST, PURGE", ""));
    let refused = ask("PUT", "/a").await.expect_error(405, "METHOD_NOT_ALLOWED");
    assert_eq!(refused.header("allow"), "GET, HEAD, OPTIONS, POST, PURGE");
    assert_eq!(ask("PURGE", "/a").await.expect(200).json()["method"], "PURGE");
    for method in ["GET", "POST", "PATCH", "OPTIONS", "REPORT"] {
        assert_eq!(ask(method, "/all").await.expect(200).json()["method"], method);
    }
    assert_eq!(ask("DELETE", "/all").await.expect(200).body, "gone");
    ask("HEAD", "/all").await.expect(200);
    ask("TRACE", "/all").await.expect_error(405, "METHOD_NOT_ALLOWED");
    assert_eq!(ask("OPTIONS", "/own").await.expect(200).header("x-own"), "1");
    assert_eq!(ask("GET", "/own").await.expect(405).header("allow"), "OPTIONS");
    assert_eq!(ask("GET", "/b/x").await.expect(200).json()["params"], json!({ "id": "x" }));
    assert_eq!(ask("DELETE", "/b/x").await.expect(405).header("allow"), "GET, HEAD, OPTIONS, PUT");
});

both!(who_may_ask_is_told_by_token_and_policies, async |app| {
    routes(
        app,
        "w",
        "{ method: 'GET', path: '/signed', handler: mirror }, { method: 'GET', path: '/open', public: true, handler: mirror },
         { method: 'POST', path: '/open', public: true, handler: mirror },
         { method: 'GET', path: '/read', requiredPermission: 'articles.read', handler: mirror }",
    )
    .await;
    articles(app).await;
    let (reader, other) = (person(app, &[may("read", "articles", &["id"])]).await, person(app, &[]).await);
    let nobody = app.anonymous();
    nobody.get("/api/ext/w/signed").await.expect_error(401, "UNAUTHORIZED");
    nobody.get("/api/ext/w/read").await.expect_error(401, "UNAUTHORIZED");
    assert_eq!(nobody.get("/api/ext/w/open").await.expect(200).json()["user"], Value::Null);
    other.client.get("/api/ext/w/read").await.expect_error(403, "FORBIDDEN");
    assert_eq!(other.client.get("/api/ext/w/signed").await.expect(200).json()["user"], other.id);
    assert_eq!(reader.client.get("/api/ext/w/read").await.expect(200).json()["user"], reader.id);
    app.get("/api/ext/w/read").await.expect(200);
    public_may(app, &[may("read", "articles", &["id"])]).await;
    nobody.get("/api/ext/w/read").await.expect(200);

    // A token of ours signs in and is not handed over.
    let seen = reader.client.get("/api/ext/w/open?access_token=x&a=1").await.expect(200).json();
    assert_eq!((&seen["user"], &seen["headers"]["authorization"], &seen["query"]), (&json!(reader.id), &Value::Null, &json!({ "a": "1" })));
    let seen = nobody.get(&format!("/api/ext/w/open?a=1&access_token={ADMIN_TOKEN}&b")).await.expect(200).json();
    assert!(seen["user"].is_string(), "{seen}");
    assert_eq!(seen["url"], format!("{}/api/ext/w/open?a=1&b", app.base()));
    let seen = nobody.get(&format!("/api/ext/w/signed?access_token={ADMIN_TOKEN}")).await.expect(200).json();
    assert_eq!(seen["url"], format!("{}/api/ext/w/signed", app.base()));

    // Somebody else's token is for the extension.
    for (name, value) in
        [("authorization", "Bearer theirs"), ("authorization", "Basic dTpw"), ("authorization", "HMAC a=b"), ("x-signature", "s")]
    {
        let request = nobody.request("POST", "/api/ext/w/open?access_token=theirs").header(name, value).body("payload");
        let seen = Answer::of(request).await.expect(200).json();
        assert_eq!((&seen["user"], &seen["headers"][name], &seen["bytes"]), (&Value::Null, &json!(value), &json!(7)));
        assert_eq!(seen["query"], json!({ "access_token": "theirs" }));
        if name == "authorization" {
            Answer::of(nobody.request("GET", "/api/ext/w/signed").header(name, value)).await.expect_error(401, "INVALID_CREDENTIALS");
        }
    }
    nobody.get(&format!("/api/ext/w/open?access_token=theirs&access_token={ADMIN_TOKEN}")).await.expect_error(401, "INVALID_CREDENTIALS");

    // One of ours that no longer counts is refused rather than handed over.
    let login = nobody.post("/api/auth/login", json!({ "email": other.email, "password": other.password })).await.expect(200).data();
    let signed = nobody.with_token(login["access_token"].as_str().unwrap());
    assert_eq!(signed.get("/api/ext/w/open").await.expect(200).json()["user"], other.id);
    app.patch(&format!("/api/users/{}", other.id), json!({ "status": "suspended" })).await.expect(200);
    signed.get("/api/ext/w/open").await.expect_error(401, "INVALID_CREDENTIALS");
});

both!(a_rate_limit_counts_each_caller_and_says_when_to_come_back, async |app| {
    let declared = "{ method: 'GET', path: '/a', public: true, rateLimit: { max: 3, windowMs: 3600000 }, handler: say('a') },
         { method: 'GET', path: '/b', rateLimit: { max: 1, windowMs: 3600000 }, handler: say('b') }";
    routes(app, "limited", declared).await;
    let nobody = app.anonymous();
    for _ in 0..2 {
        nobody.get("/api/ext/limited/a").await.expect(200);
    }
    Answer::of(nobody.request("HEAD", "/api/ext/limited/a")).await.expect(200);
    let refused = nobody.get("/api/ext/limited/a").await.expect_error(429, "REQUESTS_EXCEEDED");
    let secs: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1_100..=1_200).contains(&secs), "{secs}");
    app.get("/api/ext/limited/a").await.expect(200);
    let (one, two) = (person(app, &[]).await, person(app, &[]).await);
    one.client.get("/api/ext/limited/b").await.expect(200);
    one.client.get("/api/ext/limited/b").await.expect(429);
    two.client.get("/api/ext/limited/b").await.expect(200);
    nobody.get("/api/ext/limited/b").await.expect(401);
    routes(app, "limited", &declared.replace("say('a')", "say('changed')")).await;
    assert_eq!(app.get("/api/ext/limited/a").await.expect(200).body, "changed");
    nobody.get("/api/ext/limited/a").await.expect(429);
});

both!(headers_that_are_the_host_s_stay_with_it, async |app| {
    let code = "const headers = new Headers({ 'x-mine': '1', 'x-request-id': 'forged', 'clear-site-data': '*', 'x-accel-redirect': '/etc/passwd',
        'strict-transport-security': 'max-age=0', 'service-worker-allowed': '/', 'alt-svc': 'h3', 'connection': 'upgrade', 'transfer-encoding': 'x' });
      for (const cookie of ['a=1; Path=/', 'b=2', 'trellis_session=evil', '__Host-trellis_session=evil']) headers.append('set-cookie', cookie);
      return new Response(JSON.stringify(Object.fromEntries(request.headers)), { status: 201, headers });";
    route(app, "POST /headers", code).await;
    let request = app
        .request("POST", "/api/ext/headers")
        .header("cookie", "trellis_session=s; mine=1")
        .header("x-request-id", "my-id")
        .header("te", "trailers")
        .body("x");
    let answer = Answer::of(request).await.expect(201);
    let seen = answer.json();
    assert_eq!((&seen["cookie"], &seen["x-request-id"]), (&json!("mine=1"), &json!("my-id")));
    assert!(seen.get("te").is_none() && seen.get("authorization").is_none(), "{seen}");
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|v| v.to_str().unwrap()).collect();
    assert_eq!(cookies, ["a=1; Path=/", "b=2"]);
    assert_eq!(
        (answer.header("x-mine"), answer.header("x-request-id"), answer.header("x-content-type-options")),
        ("1", "my-id", "nosniff")
    );
    for name in ["clear-site-data", "x-accel-redirect", "strict-transport-security", "service-worker-allowed", "alt-svc"] {
        assert_eq!(answer.header(name), "", "{name}");
    }
    let line = app.log_lines().into_iter().find(|line| line["headers"].is_string()).expect("a line about what was left out");
    let named = line["headers"].as_str().unwrap();
    assert!(named.contains("x-accel-redirect") && named.contains("set-cookie") && line["request"] == "my-id", "{line}");
});

both!(pages_are_shut_in_unless_they_have_an_origin_of_their_own, env: [("EXTENSION_ORIGIN", "http://ext.example.com:8080")], async |app| {
    routes(
        app,
        "page",
        "{ method: 'GET', path: '/own', public: true, handler: () => new Response('<p>', { headers: { 'content-type': 'text/html', 'content-security-policy': \"default-src 'self'\" } }) },
         { method: 'GET', path: '/bytes', public: true, handler: () => new Response(new Uint8Array(3)) },
         { method: 'GET', path: '/none', public: true, handler: () => new Response(null, { status: 204 }) },
         { method: 'GET', path: '/:type/:sub', public: true, handler: (r, { params }) => new Response(r.url, { headers: { 'content-type': `${params.type}/${params.sub}` } }) }",
    )
    .await;
    let policy = async |path: &str, head: &str| {
        let (status, head, body) = get_as_is(app, &format!("/api/ext/page{path}"), head).await;
        assert!(status < 300, "{path}: {status} {body}");
        let line = head.lines().find_map(|line| line.strip_prefix("content-security-policy: ").map(str::to_owned));
        (line.unwrap_or_default(), head, body)
    };
    for page in ["/text/html", "/image/svg+xml", "/application/xhtml+xml", "/text/xml", "/application/rss+xml"] {
        assert_eq!(policy(page, "").await.0, "sandbox", "{page}");
        let (isolated, _, body) = policy(page, "Host: EXT.example.com:8080\r\n").await;
        assert_eq!((isolated.as_str(), body.as_str()), ("", &*format!("http://ext.example.com:8080/api/ext/page{page}")), "{page}");
        assert_eq!(policy(page, "Host: ext.example.com\r\n").await.0, "sandbox", "another port");
    }
    for plain in ["/text/plain", "/application/json", "/text/css"] {
        assert_eq!(policy(plain, "").await.0, "", "{plain}");
    }
    assert_eq!(policy("/own", "").await.0, "default-src 'self'");
    assert!(policy("/bytes", "").await.1.contains("content-type: application/octet-stream"));
    assert!(!policy("/none", "").await.1.contains("content-type:"));
});

both!(the_url_is_the_one_that_clients_use, async |app| {
    routes(app, "url", "{ method: 'GET', path: '/', public: true, handler: (r) => r.url }").await;
    for (head, expected) in [
        ("Host: example.com\r\n", "http://example.com/api/ext/url?a=%20".to_owned()),
        ("Host: [::1]:80\r\n", "http://[::1]/api/ext/url?a=%20".to_owned()),
        ("Host: 1.2.3.4.5\r\n", format!("{}/api/ext/url?a=%20", app.base())),
        ("Host: a/b\r\n", format!("{}/api/ext/url?a=%20", app.base())),
        ("Host: u:p@example.com\r\n", format!("{}/api/ext/url?a=%20", app.base())),
    ] {
        let (status, _, body) = get_as_is(app, "/api/ext/url?a=%20", head).await;
        assert_eq!((status, body), (200, expected), "{head}");
    }
    assert!(app.stop().await.success());
    app.set_env(&[("PUBLIC_URL", "https://example.org/data/")]);
    app.launch().await;
    assert_eq!(app.get("/api/ext/url").await.expect(200).body, "https://example.org/data/api/ext/url");
});

both!(bodies_stream_both_ways_without_being_held, async |app| {
    routes(
        app,
        "flow",
        "{ method: 'POST', path: '/count', handler: async (request) => { let n = 0; for await (const piece of request.body) n += piece.length; return String(n); } },
         { method: 'POST', path: '/echo', handler: (request) => new Response(request.body, { headers: { 'content-type': 'text/plain' } }) },
         { method: 'POST', path: '/ignore', handler: say('no need') },
         { method: 'GET', path: '/down/:mb', handler: (r, { params }) => { let left = Number(params.mb) * 16; const piece = new Uint8Array(65536).fill(97);
             return new Response(new ReadableStream({ pull(c) { if (left-- > 0) c.enqueue(piece); else c.close(); } })); } }",
    )
    .await;
    // More than a payload may have: streams aren't payloads.
    let big = "0123456789abcdef".repeat(1 << 20);
    let ask =
        async |method: &str, path: &str, body: String| Answer::of(app.request(method, &format!("/api/ext/flow{path}")).body(body)).await;
    assert_eq!(ask("POST", "/count", big.clone()).await.expect(200).body, big.len().to_string());
    assert_eq!(ask("POST", "/count", String::new()).await.status / 100, 5, "no body is null, which can't be iterated");
    assert!(ask("POST", "/echo", big.clone()).await.expect(200).body == big, "the echo differs");
    assert_eq!(ask("POST", "/ignore", "x".repeat(1000)).await.expect(200).body, "no need");
    let down = app.get("/api/ext/flow/down/24").await.expect(200);
    assert!(down.body.len() == 24 << 20 && down.body.bytes().all(|b| b == b'a'), "{}", down.body.len());
    let head = Answer::of(app.request("HEAD", "/api/ext/flow/down/24")).await.expect(200);
    assert_eq!(head.body, "");
    app.get("/api/ext/flow/down/1").await.expect(200);
});

both!(events_arrive_one_by_one_and_a_client_that_leaves_is_noticed, async |app| {
    collection(app, "marks", &[("what", "string")]).await;
    routes(
        app,
        "sse",
        "{ method: 'GET', path: '/', public: true, handler: async (request, context) => {
             const marks = await context.services.items('marks', { elevated: true });
             request.signal.addEventListener('abort', () => console.warn('the reader of events has left'));
             let n = 0;
             return new Response(new ReadableStream({
               async pull(c) {
                 if (n > 0) while ((await marks.readByQuery({ filter: { what: { _eq: `go ${n}` } } })).length === 0) await new Promise((r) => setTimeout(r, 5));
                 c.enqueue(new TextEncoder().encode(`data: ${n++}\\n\\n`));
               },
             }), { headers: { 'content-type': 'text/event-stream' } });
           } }",
    )
    .await;
    let mut wire = Wire::send(app, "GET /api/ext/sse HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let head = wire.until("data: 0\n\n").await.to_lowercase();
    assert!(head.contains("content-type: text/event-stream") && head.contains("transfer-encoding: chunked"), "{head}");
    for n in 1..4 {
        create(app, "marks", json!({ "what": format!("go {n}") })).await;
        wire.until(&format!("data: {n}\n\n")).await;
    }
    assert!(!app.log().contains("the reader of events has left"));
    drop(wire);
    eventually("the handler hears that the client has left", Duration::from_secs(10), async || {
        if app.log().contains("the reader of events has left") { Ok(()) } else { Err("nothing in the log".to_owned()) }
    })
    .await;
});

both!(a_run_goes_on_when_its_client_leaves_before_the_answer, async |app| {
    collection(app, "marks", &[("what", "string")]).await;
    let code = "const marks = await services.items('marks');
      await marks.createOne({ what: 'began' });
      await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
      await marks.createOne({ what: `left: ${request.signal.aborted}` });
      return 'nobody reads this';";
    route(app, "POST /slow", code).await;
    let head =
        format!("POST /api/ext/slow HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\nContent-Length: 0\r\n\r\n");
    let wire = Wire::send(app, &head).await;
    let marks = async |expected: Value| {
        eventually("the marks are made", Duration::from_secs(10), async || {
            let found = column(app, "marks", "what").await;
            if json!(found) == expected { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    };
    marks(json!(["began"])).await;
    drop(wire);
    marks(json!(["began", "left: true"])).await;
});

both!(what_is_thrown_is_an_answer_or_a_bug_with_the_request_s_id, async |app| {
    for (path, code) in [
        ("response", "throw new Response('no tea', { status: 418, headers: { 'x-pot': '1' } });"),
        ("error", "throw new Error('a secret of the author');"),
        ("bug", "return undefinedThing();"),
        ("service", "await (await services.items('nothing')).readByQuery({});"),
        ("status", "return new Response('x', { status: 199 });"),
        ("used", "await request.text(); return new Response(request.body);"),
    ] {
        route(app, &format!("POST /thrown/{path}"), code).await;
    }
    let person = person(app, &[]).await;
    let ask = async |path: &str| person.client.post(&format!("/api/ext/thrown/{path}"), json!({})).await;
    let tea = ask("response").await.expect(418);
    assert_eq!((tea.body.as_str(), tea.header("x-pot")), ("no tea", "1"));
    for path in ["error", "bug", "status", "used"] {
        let failed = ask(path).await.expect_error(500, "EXTENSION_FAILED");
        assert!(
            !failed.header("x-request-id").is_empty() && !failed.body.contains("secret") && !failed.body.contains("undefinedThing"),
            "{}",
            failed.body
        );
    }
    let refused = ask("service").await;
    assert!(refused.status == 403 || refused.status == 404, "{}", refused.body);
    let rows = app.get("/api/extensions?filter[event][_eq]=POST%20/thrown/error").await.expect(200).data();
    assert!(rows[0]["last_error"].as_str().is_some_and(|text| text.contains("a secret of the author")), "{rows}");
});

both!(a_route_is_tried_without_a_trace, async |app| {
    articles(app).await;
    let code = "const body = await request.json();
      await (await services.items('articles')).createOne({ title: body.title });
      return Response.json({ id: context.params.id, page: context.query.page, title: body.title }, { status: 201, headers: { 'x-tried': 'yes' } });";
    let payload =
        json!({ "url": "/api/ext/books/7?page=2", "params": { "id": "7" }, "headers": { "accept": "*/*" }, "body": { "title": "Trees" } });
    let test = json!({ "type": "route", "event": "POST /books/:id", "code": code, "testPayload": payload });
    let tried = app.post("/api/extensions/test", test).await.expect(200).data();
    assert_eq!((&tried["success"], &tried["result"]["status"]), (&json!(true), &json!(201)), "{tried}");
    let body: Value = serde_json::from_str(tried["result"]["body"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({ "id": "7", "page": "2", "title": "Trees" }));
    assert!(tried["result"]["headers"].as_array().unwrap().contains(&json!(["x-tried", "yes"])), "{tried}");
    assert_eq!(count(app, "articles").await, 0);
    app.get("/api/ext/books/7").await.expect_error(404, "ROUTE_NOT_FOUND");
    let thrown = json!({ "type": "route", "event": "GET /x", "code": "throw new Error('no')" });
    let tried = app.post("/api/extensions/test", thrown).await.expect(200).data();
    assert_eq!((&tried["success"], &tried["error"]["message"]), (&json!(false), &json!("no")), "{tried}");
    let wrong = json!({ "type": "route", "event": "GET /x", "code": "return 1", "testPayload": { "uri": "/" } });
    assert!(app.post("/api/extensions/test", wrong).await.expect_error(400, "INVALID_PAYLOAD").message().contains("`uri`"));
});
