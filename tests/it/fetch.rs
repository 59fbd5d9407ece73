//! `services.fetch`: what reaches a server, what of its answer reaches the code, and above all what does neither.

use serde_json::{Value, json};

use crate::support::upstream::Upstream;
use crate::support::*;

/// Runs a test against a program that may fetch from `places`, where `PORT` is the port of a server at 127.0.0.1.
fn fetching(places: &str, env: &[(&str, &str)], body: impl AsyncFnOnce(&mut TestApp, &Upstream)) {
    run(Database::Sqlite, &[], false, async |app| {
        let upstream = Upstream::start("127.0.0.1").await;
        app.set_env(&[("EXTENSION_ALLOWED_DOMAINS", &places.replace("PORT", &upstream.port().to_string()))]);
        app.set_env(env);
        app.restart().await;
        body(app, &upstream).await;
    });
}

/// Runs code in a filter; `BASE` in it is the URL of the server. `attempt(f)` gives what `f` gives, or of its error what can be seen.
async fn code(app: &TestApp, upstream: &Upstream, text: &str) -> Value {
    let text = text.replace("BASE", &upstream.url(""));
    let attempt = "const attempt = async (f) => { try { return await f() } catch (e) { return { code: e.code, status: e.status, message: e.message, name: e.name } } };";
    result_of(app, &format!("{attempt}\n{text}")).await
}

const LOCAL: &str = "127.0.0.1:PORT";

#[test]
fn a_request_reaches_its_server_and_the_answer_its_code() {
    fetching(LOCAL, &[], async |app, upstream| {
        let seen = code(
            app,
            upstream,
            "const r = await services.fetch('BASE/a%20b?q=1#part', { method: 'POST', headers: { 'X-One': '1', 'Content-Type': 'text/x' }, body: 'tëxt' });
             return { ok: r.ok, status: r.status, text: r.statusText, url: r.url, redirected: r.redirected, type: r.type, is: r instanceof Response,
               json: r.headers.get('content-type'), body: await r.json(), used: r.bodyUsed };",
        )
        .await;
        assert_eq!((&seen["ok"], &seen["status"], &seen["text"], &seen["is"]), (&json!(true), &json!(200), &json!("OK"), &json!(true)));
        assert_eq!((&seen["url"], &seen["redirected"]), (&json!(upstream.url("/a%20b?q=1")), &json!(false)));
        assert_eq!(
            (&seen["body"]["method"], &seen["body"]["target"], &seen["body"]["body"]),
            (&json!("POST"), &json!("/a%20b?q=1"), &json!("tëxt"))
        );
        assert_eq!(seen["used"], json!(true));
    });
}
