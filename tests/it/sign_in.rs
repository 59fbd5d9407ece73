//! Ways to sign in, by tokens and by cookies; what comes by mail; who hears of it; and what strangers may try.

use std::time::Duration;

use regex::Regex;
use serde_json::{Value, json};

use crate::mail::MailServer;
use crate::support::app::{ADMIN_EMAIL, ADMIN_PASSWORD};
use crate::support::hosts::Host;
use crate::support::*;

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

async fn log_in(client: &Client, email: &str, password: &str, mode: &str) -> Answer {
    client.anonymous().post("/api/auth/login", json!({ "email": email, "password": password, "mode": mode })).await
}

/// The one cookie that an answer sets, as `name=value`, and its attributes.
#[track_caller]
fn cookie(answer: &Answer) -> (String, Vec<String>) {
    let all: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    let mut parts = all[0].split("; ").map(str::to_owned);
    (parts.next().unwrap(), parts.collect())
}

/// A request with cookies and other headers.
async fn ask(client: &Client, method: &str, path: &str, cookie: &str, headers: &[(&str, &str)], body: Value) -> Answer {
    let mut request = client.request(method, path);
    if !cookie.is_empty() {
        request = request.header("cookie", cookie);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(if body.is_null() { request } else { request.json(&body) }).await
}

async fn session(client: &Client, email: &str, password: &str) -> String {
    cookie(&log_in(client, email, password, "session").await.expect(200)).0
}

/// `GET /api/users/me` by a cookie.
async fn me(client: &Client, cookie: &str) -> Answer {
    ask(&client.anonymous(), "GET", "/api/users/me", cookie, &[], Value::Null).await
}

both!(a_refresh_token_may_live_in_a_cookie_that_only_sign_in_gets, async |app| {
    let nobody = app.anonymous();
    let login = log_in(app, ADMIN_EMAIL, ADMIN_PASSWORD, "cookie").await.expect(200);
    let ((first, attributes), data) = (cookie(&login), login.data());
    assert!(first.starts_with("trellis_refresh_token="), "{first}");
    assert_eq!(attributes, ["Path=/api/auth", "Max-Age=604800", "HttpOnly", "SameSite=Lax"]);
    assert_eq!(login.header("cache-control"), "no-store");
    assert!(data.get("refresh_token").is_none() && data["expires"].is_u64(), "{data}");
    app.with_token(text(&data["access_token"])).get("/api/users/me").await.expect(200);
    me(app, &first).await.expect_error(401, "UNAUTHORIZED");

    let refreshed = ask(&nobody, "POST", "/api/auth/refresh", &first, &[], json!({ "mode": "cookie" })).await.expect(200);
    let second = cookie(&refreshed).0;
    assert_ne!(first, second);
    ask(&nobody, "POST", "/api/auth/refresh", "", &[], json!({ "mode": "cookie" })).await.expect_error(401, "INVALID_CREDENTIALS");
    // Used before: stolen, whoever it was.
    ask(&nobody, "POST", "/api/auth/refresh", &first, &[], json!({ "mode": "cookie" })).await.expect_error(401, "INVALID_CREDENTIALS");
    ask(&nobody, "POST", "/api/auth/refresh", &second, &[], json!({ "mode": "cookie" })).await.expect_error(401, "INVALID_CREDENTIALS");

    let other = cookie(&log_in(app, ADMIN_EMAIL, ADMIN_PASSWORD, "cookie").await.expect(200)).0;
    let out = ask(&nobody, "POST", "/api/auth/logout", &other, &[], json!({ "mode": "cookie" })).await.expect(204);
    assert!(cookie(&out).1.contains(&"Max-Age=0".to_owned()));
    ask(&nobody, "POST", "/api/auth/refresh", &other, &[], json!({ "mode": "cookie" })).await.expect_error(401, "INVALID_CREDENTIALS");
    nobody
        .post("/api/auth/login", json!({ "email": "a@b", "password": "x", "mode": "cookies" }))
        .await
        .expect_error(400, "INVALID_PAYLOAD");
});

both!(a_session_is_a_cookie_that_tabs_share_and_that_ends_at_once, async |app| {
    let nobody = app.anonymous();
    let login = log_in(app, ADMIN_EMAIL, ADMIN_PASSWORD, "session").await.expect(200);
    let (token, attributes) = cookie(&login);
    assert_eq!(attributes, ["Path=/api", "Max-Age=86400", "HttpOnly", "SameSite=Lax"]);
    assert_eq!(login.data(), json!({ "expires": 86_400_000 }));
    assert_eq!(me(app, &token).await.expect(200).data()["email"], ADMIN_EMAIL);
    // Two tabs at once.
    let again = || ask(&nobody, "POST", "/api/auth/refresh", &token, &[], json!({ "mode": "session" }));
    let (one, other) = tokio::join!(again(), again());
    assert_eq!((cookie(&one.expect(200)).0, cookie(&other.expect(200)).0), (token.clone(), token.clone()));

    // It is no other kind of token, and no other kind is one.
    let bare = token.split_once('=').unwrap().1.to_owned();
    app.with_token(&*bare).get("/api/users/me").await.expect(401);
    nobody.post("/api/auth/refresh", json!({ "refresh_token": bare })).await.expect_error(401, "INVALID_CREDENTIALS");
    let pair = log_in(app, ADMIN_EMAIL, ADMIN_PASSWORD, "json").await.expect(200).data();
    for other in ["refresh_token", "access_token"] {
        me(app, &format!("trellis_session_token={}", text(&pair[other]))).await.expect_error(401, "INVALID_CREDENTIALS");
    }
    // Two of the name: one of them somebody else's.
    me(app, &format!("{token}; trellis_session_token=x")).await.expect_error(401, "UNAUTHORIZED");
    // A token that is said counts, not the cookie.
    ask(&app.with_token("nonsense-0123456789"), "GET", "/api/users/me", &token, &[], Value::Null).await.expect(401);

    ask(&nobody, "POST", "/api/auth/logout", &token, &[], json!({ "mode": "session" })).await.expect(204);
    me(app, &token).await.expect_error(401, "INVALID_CREDENTIALS");
    ask(&nobody, "POST", "/api/auth/refresh", &token, &[], json!({ "mode": "session" })).await.expect_error(401, "INVALID_CREDENTIALS");
    assert_eq!(app.number(&format!("SELECT count(*) FROM daas_sessions WHERE token_hash = '{bare}'")).await, 0);
});

both!(pages_of_other_sites_change_nothing_by_a_cookie, async |app| {
    let (nobody, token) = (app.anonymous(), session(app, ADMIN_EMAIL, ADMIN_PASSWORD).await);
    let change = json!({ "first_name": "changed" });
    let own = app.base().to_owned();
    for foreign in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:1")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
    ] {
        ask(&nobody, "PATCH", "/api/users/me", &token, foreign, change.clone()).await.expect_error(403, "FORBIDDEN");
        ask(&nobody, "DELETE", "/api/items/nothing", &token, foreign, json!([1])).await.expect_error(403, "FORBIDDEN");
        for path in ["/api/auth/refresh", "/api/auth/logout"] {
            ask(&nobody, "POST", path, &token, foreign, json!({ "mode": "session" })).await.expect_error(403, "FORBIDDEN");
        }
        // Nor does somebody else's page sign a browser in as whom it wants.
        let body = json!({ "email": ADMIN_EMAIL, "password": ADMIN_PASSWORD, "mode": "session" });
        ask(&nobody, "POST", "/api/auth/login", "", foreign, body).await.expect_error(403, "FORBIDDEN");
        // What isn't said by a cookie is said by somebody who knows the token.
        ask(app, "PATCH", "/api/users/me", &token, foreign, json!({ "last_name": "x" })).await.expect(200);
        ask(&nobody, "GET", "/api/users/me", &token, foreign, Value::Null).await.expect(200);
    }
    assert_ne!(me(app, &token).await.expect(200).data()["first_name"], "changed");
    for ours in [&[("origin", &*own)][..], &[("sec-fetch-site", "same-origin")], &[]] {
        ask(&nobody, "PATCH", "/api/users/me", &token, ours, change.clone()).await.expect(200);
    }
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    ask(&nobody, "POST", "/api/mcp", &token, &[("accept", "application/json, text/event-stream")], list).await.expect(401);
});

both!(routes_of_extensions_know_a_session_and_never_see_its_token, async |app| {
    let source = "const handler = async (request, { accountability }) =>
        Response.json({ user: accountability.user, cookie: request.headers.get('cookie') });
      export function register({ registerRoutes }) {
        registerRoutes({ name: 'tell', basePath: '/tell', routes: [
          { method: 'GET', path: '/open', public: true, handler }, { method: 'GET', path: '/shut', handler },
        ] });
      }";
    app.load_folder("tell", &[("index.mjs", source)]).await;
    let (nobody, token) = (app.anonymous(), session(app, ADMIN_EMAIL, ADMIN_PASSWORD).await);
    let id = me(app, &token).await.expect(200).data()["id"].clone();
    let cookies = format!("theme=dark; {token}");
    for path in ["/api/ext/tell/open", "/api/ext/tell/shut"] {
        let told = ask(&nobody, "GET", path, &cookies, &[], Value::Null).await.expect(200).json();
        assert_eq!(told, json!({ "user": id, "cookie": "theme=dark" }));
    }
    let foreign = [("sec-fetch-site", "cross-site")];
    let told = ask(&nobody, "GET", "/api/ext/tell/open", &cookies, &foreign, Value::Null).await.expect(200).json();
    assert_eq!(told, json!({ "user": null, "cookie": "theme=dark" }));
    ask(&nobody, "GET", "/api/ext/tell/shut", &cookies, &foreign, Value::Null).await.expect_error(401, "UNAUTHORIZED");
});

both!(cookies_are_secure_where_they_should_be, env: [("PUBLIC_URL", "https://www.example.com/base")], async |app| {
    let token = cookie(&log_in(app, ADMIN_EMAIL, ADMIN_PASSWORD, "session").await.expect(200));
    assert_eq!(token.1, ["Path=/base/api", "Max-Age=86400", "HttpOnly", "SameSite=Lax", "Secure"]);
    let own = [("origin", "https://www.example.com")];
    ask(&app.anonymous(), "PATCH", "/api/users/me", &token.0, &own, json!({ "first_name": "x" })).await.expect(200);
});

both!(another_password_ends_every_sign_in_and_no_static_token, async |app| {
    let person = person(app, &[]).await;
    let pair = log_in(app, &person.email, &person.password, "json").await.expect(200).data();
    let access = app.with_token(text(&pair["access_token"]));
    let token = session(app, &person.email, &person.password).await;
    access.get("/api/users/me").await.expect(200);
    access.patch("/api/users/me", json!({ "password": "another password" })).await.expect(200);
    access.get("/api/users/me").await.expect_error(401, "INVALID_CREDENTIALS");
    me(app, &token).await.expect_error(401, "INVALID_CREDENTIALS");
    let refresh = app.anonymous().post("/api/auth/refresh", json!({ "refresh_token": pair["refresh_token"] })).await;
    refresh.expect_error(401, "INVALID_CREDENTIALS");
    person.client.get("/api/users/me").await.expect(200);
    log_in(app, &person.email, &person.password, "json").await.expect(401);
    log_in(app, &person.email, "another password", "json").await.expect(200);

    // Nobody reads a static token; another one takes the place of the first.
    let read = person.client.get("/api/users/me?fields=token").await.expect(200).data();
    assert!(read["token"].as_str().is_some_and(|token| token.chars().all(|c| c == '*')), "{read}");
    app.patch(&format!("/api/users/{}", person.id), json!({ "token": "a static token of its own" })).await.expect(200);
    person.client.get("/api/users/me").await.expect_error(401, "INVALID_CREDENTIALS");
    app.with_token("a static token of its own").get("/api/users/me").await.expect(200);
});

both!(a_refresh_token_that_many_use_at_once_is_good_for_one_and_then_for_none, async |app| {
    let token = log_in(app, ADMIN_EMAIL, ADMIN_PASSWORD, "json").await.expect(200).data()["refresh_token"].clone();
    let tries = (0..8).map(|_| async { app.anonymous().post("/api/auth/refresh", json!({ "refresh_token": token })).await });
    let answers = futures_util::future::join_all(tries).await;
    let good: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(good.len(), 1, "{answers:?}");
    let next = good[0].data()["refresh_token"].clone();
    app.anonymous().post("/api/auth/refresh", json!({ "refresh_token": next })).await.expect_error(401, "INVALID_CREDENTIALS");
});

both!(guesses_are_slowed_down_alike_for_accounts_that_exist_and_that_do_not, async |app| {
    let person = person(app, &[]).await;
    for email in [&*person.email, "nobody@example.com"] {
        let mut answers = Vec::new();
        for _ in 0..11 {
            answers.push(log_in(app, email, "wrong", "json").await);
        }
        let last = answers.pop().unwrap().expect_error(429, "REQUESTS_EXCEEDED");
        assert!((1..=60).contains(&last.header("retry-after").parse::<u64>().unwrap()), "{last:?}");
        assert!(answers.iter().all(|answer| answer.status == 401), "{answers:?}");
    }
    // The right password is not asked either; everybody else is.
    log_in(app, &person.email, &person.password, "json").await.expect_error(429, "REQUESTS_EXCEEDED");
    log_in(app, ADMIN_EMAIL, ADMIN_PASSWORD, "json").await.expect(200);
    // So many accounts from one address are one address.
    let mut last = 0;
    for n in 0..40 {
        last = log_in(app, &format!("{n}@example.com"), "wrong", "json").await.status;
    }
    assert_eq!(last, 429);
});

both!(a_flood_of_wrong_passwords_keeps_nobody_else_waiting, async |app| {
    let flood = (0..60).map(|n| {
        let app = app.anonymous();
        async move { log_in(&app, &format!("flood{n}@example.com"), "wrong", "json").await }
    });
    let others = async {
        for _ in 0..20 {
            app.get("/api/users/me").await.expect(200).expect_within(Duration::from_secs(1));
        }
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(flood), others);
    assert!(answers.iter().all(|answer| matches!(answer.status, 401 | 429)), "{answers:?}");
});

both!(what_strangers_send_is_answered_and_nothing_more, async |app| {
    let nobody = app.anonymous();
    let long = "x".repeat(100_000);
    let mut refused = 0;
    for path in ["login", "refresh", "logout", "password/request", "password/reset"].map(|path| format!("/api/auth/{path}")) {
        for body in [json!([]), json!(1), json!({}), json!({ "mode": {} }), json!({ "email": [], "token": {}, "refresh_token": 1 })] {
            nobody.post(&path, body).await.expect_error(400, "INVALID_PAYLOAD");
            refused += 1;
        }
        for body in ["", "{", "nul", "{\"email\":\"\\ud800\"}", &"[".repeat(100_000)] {
            nobody.raw("POST", &path, body).await.expect_error(400, "INVALID_PAYLOAD");
        }
        for odd in [&*long, "a\0b", "' OR 1=1 --", "\u{202e}", "a@b,c@d", "%00", "eyJ.eyJ.x"] {
            let body = json!({ "email": odd, "password": odd, "token": odd, "refresh_token": odd });
            let answer = nobody.post(&path, body).await;
            assert!(matches!(answer.status, 204 | 401 | 429), "{path}: {answer:?}");
        }
        let form = nobody.request("POST", &path).header("content-type", "text/plain").body("{}");
        Answer::of(form).await.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
        nobody.get(&path).await.expect_error(405, "METHOD_NOT_ALLOWED");
    }
    assert_eq!(refused, 25);
    // A token that ran out is no hindrance to getting another one.
    app.with_token("nonsense-0123456789")
        .post("/api/auth/login", json!({ "email": ADMIN_EMAIL, "password": ADMIN_PASSWORD }))
        .await
        .expect(200);
    for cookie in ["trellis_session_token", &format!("trellis_session_token={long}")[..4_000], "=;;=;"] {
        let answer = ask(&nobody, "GET", "/api/users/me", cookie, &[], Value::Null).await;
        assert!(matches!(answer.status, 400 | 401), "{answer:?}");
    }
});

/// The token in a mail, and the whole mail in one line.
fn mailed(mail: &Value) -> (String, String) {
    let whole = mail["text"].as_str().unwrap().replace("=\r\n", "").replace("=3D", "=");
    let token =
        Regex::new(r"ey[\w-]+\.[\w-]+\.[\w-]+").unwrap().find(&whole).unwrap_or_else(|| panic!("no token: {whole}")).as_str().to_owned();
    (token, whole)
}

const PAGES: [(&str, &str); 2] = [
    ("PASSWORD_RESET_URL_ALLOW_LIST", "https://app.example.com/reset, https://app.example.com/other"),
    ("USER_INVITE_URL_ALLOW_LIST", "https://app.example.com/join"),
];

both!(a_forgotten_password_is_replaced_by_mail_once, env: PAGES, async |app| {
    let Some(server) = MailServer::start(json!({})).await else { return };
    server.used_by(app).await;
    let (nobody, person, idle) = (app.anonymous(), person(app, &[]).await, person(app, &[]).await);
    app.patch(&format!("/api/users/{}", idle.id), json!({ "status": "suspended" })).await.expect(200);
    let request = async |body: Value| nobody.post("/api/auth/password/request", body).await;
    let token = session(app, &person.email, &person.password).await;

    for page in ["https://evil.example/reset", "https://app.example.com/reset?next=//evil.example", "javascript:alert(1)"] {
        let answer = request(json!({ "email": person.email, "reset_url": page })).await.expect_error(400, "INVALID_PAYLOAD");
        assert_eq!(answer.field(), "reset_url");
    }
    // Whoever it is, the answer is the same, and only one of them gets mail.
    for email in ["nobody@example.com", &idle.email, "no address", &person.email.to_uppercase()] {
        let answer = request(json!({ "email": email, "reset_url": "https://app.example.com/other" })).await.expect(204);
        assert_eq!(answer.body, "");
    }
    let mail = server.has(1).await.remove(0);
    assert_eq!(mail["to"], json!([person.email]));
    let (reset, whole) = mailed(&mail);
    assert!(whole.contains(&format!("https://app.example.com/other?token={reset}")), "{whole}");
    assert!(!app.log().contains(&reset), "a token is in the log");

    let redeem = async |token: &str, password: &str| nobody.post("/api/auth/password/reset", json!({ "token": token, "password": password })).await;
    app.with_token(&*reset).get("/api/users/me").await.expect_error(401, "INVALID_CREDENTIALS");
    nobody.post("/api/users/invite/accept", json!({ "token": reset, "password": "x" })).await.expect_error(401, "INVALID_CREDENTIALS");
    let access = text(&log_in(app, &person.email, &person.password, "json").await.expect(200).data()["access_token"]);
    redeem(&access, "chosen by a thief").await.expect_error(401, "INVALID_CREDENTIALS");
    redeem(&reset, "").await.expect_error(400, "FAILED_VALIDATION");
    let answers = futures_util::future::join_all((0..6).map(|n| {
        let (nobody, reset) = (&nobody, &reset);
        async move { nobody.post("/api/auth/password/reset", json!({ "token": reset, "password": format!("chosen {n}") })).await }
    }))
    .await;
    let good: Vec<usize> = answers.iter().enumerate().filter(|(_, answer)| answer.status == 204).map(|(n, _)| n).collect();
    assert!(good.len() == 1 && answers.iter().all(|answer| matches!(answer.status, 204 | 401)), "{answers:?}");
    redeem(&reset, "once more").await.expect_error(401, "INVALID_CREDENTIALS");

    me(app, &token).await.expect_error(401, "INVALID_CREDENTIALS");
    app.with_token(access).get("/api/users/me").await.expect_error(401, "INVALID_CREDENTIALS");
    log_in(app, &person.email, &format!("chosen {}", good[0]), "json").await.expect(200);
    log_in(app, &person.email, &person.password, "json").await.expect(401);

    // A mail that was sent before the password was changed in another way is good for nothing.
    request(json!({ "email": person.email })).await.expect(204);
    let (reset, whole) = mailed(&server.has(2).await[1]);
    assert!(whole.contains("https://app.example.com/reset?token="), "{whole}");
    app.patch(&format!("/api/users/{}", person.id), json!({ "password": "set by an admin" })).await.expect(200);
    redeem(&reset, "too late").await.expect_error(401, "INVALID_CREDENTIALS");
    // Nobody is flooded with mail: three within a minute, and the answer doesn't tell.
    for _ in 0..5 {
        request(json!({ "email": person.email })).await.expect(204);
    }
    server.has(3).await;
});

both!(people_are_invited_by_who_may_and_choose_their_password_once, env: PAGES, async |app| {
    let invite = async |client: &Client, body: Value| client.post("/api/users/invite", body).await;
    // Mail is off: that is said, and nobody is made.
    let off = invite(app, json!({ "email": "new@example.com" })).await.expect_error(503, "SERVICE_UNAVAILABLE");
    assert!(off.message().contains("SMTP_ENABLED"), "{off:?}");
    assert_eq!(app.number("SELECT count(*) FROM daas_users WHERE email = 'new@example.com'").await, 0);

    let Some(server) = MailServer::start(json!({})).await else { return };
    server.used_by(app).await;
    let role = text(&app.post("/api/roles", json!({ "name": "guests" })).await.expect(201).data()["id"]);
    let (nobody, helper) = (app.anonymous(), person(app, &[json!({ "collection": "daas_users", "action": "create", "fields": ["*"] })]).await);
    for client in [&nobody, &person(app, &[]).await.client] {
        invite(client, json!({ "email": ADMIN_EMAIL })).await.expect_error(403, "FORBIDDEN");
    }
    // Who may make users may not give them roles by this.
    invite(&helper.client, json!({ "email": "helped@example.com", "role": role })).await.expect_error(403, "FORBIDDEN");
    assert_eq!(app.number("SELECT count(*) FROM daas_users WHERE email = 'helped@example.com'").await, 0);
    for body in [json!({}), json!({ "email": "a@b,c@d" }), json!({ "email": [] }), json!({ "email": [1] }), json!({ "email": "a@b", "invite_url": "https://evil.example" })] {
        invite(app, body).await.expect_error(400, "INVALID_PAYLOAD");
    }

    invite(app, json!({ "email": "New@Example.com", "role": role, "invite_url": "https://app.example.com/join" })).await.expect(204);
    let mail = server.has(1).await.remove(0);
    assert_eq!(mail["to"], json!(["new@example.com"]));
    let (token, whole) = mailed(&mail);
    assert!(whole.contains(&format!("https://app.example.com/join?token={token}")), "{whole}");
    // For who is there already nothing happens; who was invited gets another mail.
    invite(app, json!({ "email": ADMIN_EMAIL })).await.expect(204);
    invite(app, json!({ "email": ["new@example.com"] })).await.expect(204);
    let second = mailed(&server.has(2).await[1]).0;

    let accept = async |token: &str, password: &str| nobody.post("/api/users/invite/accept", json!({ "token": token, "password": password })).await;
    nobody.post("/api/auth/password/reset", json!({ "token": token, "password": "x" })).await.expect_error(401, "INVALID_CREDENTIALS");
    accept(&token, "my first password").await.expect(204);
    for token in [&token, &second] {
        accept(token, "another").await.expect_error(401, "INVALID_CREDENTIALS");
    }
    let pair = log_in(app, "new@example.com", "my first password", "json").await.expect(200).data();
    let me = app.with_token(text(&pair["access_token"]));
    assert_eq!(me.get("/api/roles/me").await.expect(200).data()[0]["id"], json!(role));
    invite(&helper.client, json!({ "email": "helped@example.com" })).await.expect(204);
    server.has(3).await;
});

both!(with_mail_off_nobody_is_told_of_a_forgotten_password_but_the_log, async |app| {
    for email in [ADMIN_EMAIL, "nobody@example.com"] {
        assert_eq!(app.anonymous().post("/api/auth/password/request", json!({ "email": email })).await.expect(204).body, "");
    }
    eventually("the log says so", Duration::from_secs(10), async || {
        let log = app.log();
        if log.contains("no mail can be sent") { Ok(()) } else { Err(log) }
    })
    .await;
    assert!(!app.log().contains(ADMIN_EMAIL) || !app.log().contains("asked for by"), "an address is in the log");
});

const GUARD: &str = "export function register({ emitter }) {
  emitter.onFilter('auth.login', (payload, meta) => {
    if (payload.email.startsWith('barred')) throw new Error('not today');
    if (payload.email.startsWith('odd')) return { email: 'admin@example.com' };
    if (meta.status !== 'pending' || !meta.user) throw new Error(JSON.stringify(meta));
  });
  const note = async (meta, { services, accountability }) => (await services.items('heard', { elevated: true })).createOne({
    event: meta.event, status: meta.status ?? null, user: meta.user ?? null, email: meta.payload.email, who: accountability.user,
  });
  emitter.onAction('auth.login', note);
  emitter.onAction('auth.logout', note);
}";

both!(folders_hear_who_signs_in_and_out_and_may_refuse_it, async |app| {
    let fields = ["event", "status", "user", "email", "who"].map(|name| (name, "string"));
    collection(app, "heard", &fields).await;
    app.load_folder("guard", &[("index.mjs", GUARD)]).await;
    let make = async |email: &str| {
        let body = json!({ "email": email, "password": "a password", "status": "active" });
        text(&app.post("/api/users", body).await.expect(201).data()["id"])
    };
    let (ann, barred, odd) = (make("ann@example.com").await, make("barred@example.com").await, make("odd@example.com").await);
    let heard = async |count: usize| {
        eventually("the hooks ran", Duration::from_secs(20), async || {
            let rows = app.get("/api/items/heard?sort=id&limit=-1").await.expect(200).data();
            if rows.as_array().unwrap().len() == count { Ok(rows) } else { Err(rows.to_string()) }
        })
        .await
    };
    let pair = log_in(app, "ANN@example.com", "a password", "json").await.expect(200).data();
    let row = heard(1).await[0].clone();
    assert_eq!(
        (&row["event"], &row["status"], &row["user"], &row["email"], &row["who"]),
        (&json!("auth.login"), &json!("success"), &json!(ann), &json!("ann@example.com"), &Value::Null,)
    );
    let refused = log_in(app, "barred@example.com", "a password", "json").await.expect_error(400, "EXTENSION_ERROR");
    assert_eq!(refused.message(), "not today");
    // A wrong password isn't the filter's affair, so nothing tells who is barred.
    log_in(app, "barred@example.com", "wrong", "json").await.expect_error(401, "INVALID_CREDENTIALS");
    let row = heard(2).await[1].clone();
    assert_eq!((&row["event"], &row["status"], &row["user"]), (&json!("auth.login"), &json!("fail"), &json!(barred)));
    log_in(app, "nobody@example.com", "wrong", "json").await.expect_error(401, "INVALID_CREDENTIALS");
    let row = heard(3).await[2].clone();
    assert_eq!((&row["status"], &row["user"], &row["email"]), (&json!("fail"), &Value::Null, &json!("nobody@example.com")));
    // A login can be refused, not changed.
    log_in(app, "odd@example.com", "a password", "json").await.expect_error(500, "EXTENSION_FAILED");
    assert_eq!(app.number(&format!("SELECT count(*) FROM daas_sessions WHERE \"user\" IN ('{barred}', '{odd}')")).await, 0);

    let out = json!({ "refresh_token": pair["refresh_token"] });
    for _ in 0..2 {
        app.anonymous().post("/api/auth/logout", out.clone()).await.expect(204);
    }
    let row = heard(4).await[3].clone();
    assert_eq!(
        (&row["event"], &row["status"], &row["user"], &row["email"]),
        (&json!("auth.logout"), &Value::Null, &json!(ann), &json!("ann@example.com"))
    );
});

both!(no_filter_that_fails_keeps_an_admin_out, async |app| {
    let source = "export function register({ emitter }) { emitter.onFilter('auth.login', () => { for (;;); }); }";
    app.load_folder("stuck", &[("index.mjs", source), ("extension.json", "{ \"timeout_ms\": 200 }")]).await;
    let person = person(app, &[]).await;
    log_in(app, &person.email, &person.password, "json").await.expect_error(504, "EXTENSION_TIMEOUT");
    log_in(app, ADMIN_EMAIL, ADMIN_PASSWORD, "json").await.expect(200);
    // Nobody is kept from leaving, and the host itself refreshes.
    let wrong = "export function register({ emitter }) { emitter.onFilter('auth.logout', () => {}); }";
    let errors = app.break_folder("stuck", &[("index.mjs", wrong)]).await;
    assert!(json!(errors).to_string().contains("subscribe to it as an action"), "{errors:?}");
    for (event, kind) in [("auth.logout", "filter"), ("auth.refresh", "action"), ("articles.auth.login", "filter")] {
        create_extension(app, json!({ "event": event, "type": kind, "code": "" })).await.expect_error(400, "INVALID_PAYLOAD");
    }
});

#[test]
fn what_ends_a_sign_in_on_one_host_ends_it_on_all() {
    run(Database::Postgres, &[], false, async |app| {
        let other = Host::start(app).await;
        let there = &other.client;
        let person = person(app, &[]).await;
        let signed_in = async || {
            let pair = log_in(app, &person.email, "password", "json").await.expect(200).data();
            (there.with_token(text(&pair["access_token"])), pair["refresh_token"].clone(), session(app, &person.email, "password").await)
        };
        let user = format!("/api/users/{}", person.id);
        for end in [json!({ "password": "password" }), json!({ "status": "suspended" })] {
            app.patch(&user, json!({ "password": "password", "status": "active" })).await.expect(200);
            let (access, refresh, token) = signed_in().await;
            access.get("/api/users/me").await.expect(200);
            me(there, &token).await.expect(200);
            app.patch(&user, end).await.expect(200);
            access.get("/api/users/me").await.expect_error(401, "INVALID_CREDENTIALS");
            me(there, &token).await.expect_error(401, "INVALID_CREDENTIALS");
            there.anonymous().post("/api/auth/refresh", json!({ "refresh_token": refresh })).await.expect_error(401, "INVALID_CREDENTIALS");
        }
        app.patch(&user, json!({ "status": "active" })).await.expect(200);
        let (access, _, token) = signed_in().await;
        there.anonymous().post("/api/auth/logout", json!({ "mode": "json", "refresh_token": "x" })).await.expect(204);
        ask(&there.anonymous(), "POST", "/api/auth/logout", &token, &[], json!({ "mode": "session" })).await.expect(204);
        me(app, &token).await.expect_error(401, "INVALID_CREDENTIALS");
        app.delete(&user).await.expect(204);
        access.get("/api/users/me").await.expect_error(401, "INVALID_CREDENTIALS");
    });
}
