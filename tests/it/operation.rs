//! Running it: start, stop, health, settings, the command line, and the ways out of trouble.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::*;
use crate::support::{app, process};

/// For what no database can change: one run on SQLite.
fn once(body: impl AsyncFnOnce(&mut TestApp)) {
    run(Database::Sqlite, &[], false, body);
}

both!(it_is_healthy_and_has_a_front_page, async |app| {
    app.anonymous().get("/api/health").await.expect(200);
    let page = app.anonymous().get("/").await.expect(200);
    assert!(page.header("content-type").starts_with("text/html") && page.body.contains("/api/health"), "{}", page.body);
});

both!(the_log_is_structured_and_carries_the_request, async |app| {
    articles(app).await;
    Answer::of(app.request("POST", "/api/items/articles").header("x-request-id", "log-me-1").json(&json!({ "title": "not for the log" })))
        .await
        .expect(201);
    eventually("the request is in the log", Duration::from_secs(5), async || {
        let line = app.log_lines().into_iter().find(|line| line.to_string().contains("log-me-1"));
        line.map(drop).ok_or_else(|| app.log())
    })
    .await;
    assert!(app.log_lines().iter().all(|line| line.get("harness").is_some() || line["level"].is_string()), "{}", app.log());
    let log = app.log();
    assert!(!log.contains("not for the log") && !log.contains(app::ADMIN_TOKEN), "a body or a token is in the log");
});

both!(a_stop_lets_running_calls_finish_and_writes_the_counters, async |app| {
    articles(app).await;
    let id =
        filter(app, "articles.items.create", "await new Promise((r) => setTimeout(r, 1000)); return { ...payload, slug: 'finished' };")
            .await;
    let client = Client::clone(app);
    let running = tokio::spawn(async move { client.post("/api/items/articles", json!({ "title": "a" })).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let status = app.stop().await;
    assert!(status.success(), "{status}");
    assert_eq!(running.await.unwrap().expect(201).data()["slug"], "finished");
    app.launch().await;
    assert_eq!(column(app, "articles", "slug").await, ["finished"]);
    assert_eq!(read_extension(app, &id).await["execution_count"], 1);
});

both!(a_stop_does_not_wait_for_code_without_end, async |app| {
    app.allow_errors();
    articles(app).await;
    extension(app, json!({ "event": "articles.items.create", "timeout_ms": 1000, "code": "while (true) {}" })).await;
    let client = Client::clone(app);
    let running = tokio::spawn(async move { Answer::try_of(client.request("POST", "/api/items/articles").json(&json!({}))).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(app.stop().await.success());
    if let Ok(answer) = running.await.unwrap() {
        assert!(matches!(answer.status, 503 | 504), "{answer:?}");
    }
});

both!(ctrl_c_is_a_clean_stop_too, async |app| {
    process::signal(app.pid(), libc::SIGINT);
    let status = app.ended(Duration::from_secs(10)).await;
    assert!(status.success(), "{status}");
});

both!(safe_mode_starts_with_no_extension_at_work, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "throw new Error('locked');").await;
    action(app, "articles.items.create", "await (await services.items('articles', { emitEvents: false })).createOne({ title: 'acted' });")
        .await;
    assert!(app.stop().await.success());
    app.set_env(&[("EXTENSIONS_SAFE_MODE", "true")]);
    app.launch().await;
    create(app, "articles", json!({ "title": "written" })).await;
    deactivate(app, &id).await;
    assert!(app.stop().await.success());
    app.set_env(&[("EXTENSIONS_SAFE_MODE", "")]);
    app.launch().await;
    create(app, "articles", json!({ "title": "again" })).await;
});

both!(the_command_line_lists_and_disables_with_the_host_down, async |app| {
    articles(app).await;
    let body = json!({ "name": "the culprit", "event": "articles.items.create", "code": "throw new Error('locked');" });
    extension(app, body).await;
    assert!(app.stop().await.success());
    let listed = app.run(&["ext", "list"]);
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.status.success() && text.contains("the culprit") && text.contains("active"), "{listed:?}");
    let unknown = app.run(&["ext", "disable", "nobody"]);
    assert!(!unknown.status.success() && String::from_utf8_lossy(&unknown.stderr).contains("nobody"), "{unknown:?}");
    let disabled = app.run(&["ext", "disable", "the culprit"]);
    assert!(disabled.status.success(), "{disabled:?}");
    app.launch().await;
    create(app, "articles", json!({})).await;
});

both!(a_second_start_changes_nothing, async |app| {
    articles(app).await;
    create(app, "articles", json!({ "title": "kept" })).await;
    let users = app.number("SELECT count(*) FROM daas_users").await;
    app.restart().await;
    app.restart().await;
    assert_eq!(app.number("SELECT count(*) FROM daas_users").await, users);
    assert_eq!(column(app, "articles", "title").await, ["kept"]);
});

#[test]
fn a_bad_setting_stops_the_start_with_a_sentence_about_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (variable, value, allowed) in [
        ("PORT", "eight", ""),
        ("PORT", "70000", "65535"),
        ("TX_MAX_MS", "-1", ""),
        ("QUERY_LIMIT_MAX", "many", ""),
        ("REQUEST_TIMEOUT_MS", "0", ""),
        ("EXTENSIONS_SAFE_MODE", "perhaps", "true"),
        ("LOG_FORMAT", "xml", "json"),
        ("DATABASE_URL", "mysql://localhost/x", "postgres://"),
    ] {
        let app = runtime.block_on(TestApp::prepare(Database::Sqlite, &[(variable, value)]));
        let output = app.run(&["serve"]);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success(), "{variable}={value} was taken");
        assert!(
            text.contains(variable) && text.contains(value) && text.contains(allowed) && !text.contains("panicked"),
            "{variable}={value}: {text}"
        );
    }
}

#[test]
fn every_mistake_in_the_settings_is_told_at_once_and_no_secret() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let env = [("PORT", "eight"), ("TX_MAX_MS", "soon"), ("SECRET", "do-not-print-me-whatever-happens")];
    let app = runtime.block_on(TestApp::prepare(Database::Sqlite, &env));
    let output = app.run(&["serve"]);
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success() && text.contains("PORT") && text.contains("TX_MAX_MS"), "{text}");
    assert!(!text.contains("do-not-print-me"), "{text}");
}

#[test]
fn a_port_in_use_is_told() {
    once(async |app| {
        let output = app.run(&["serve"]);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success() && !text.contains("panicked"), "{text}");
        assert!(text.contains(app.base().rsplit(':').next().unwrap()), "{text}");
    });
}

#[test]
fn config_lists_every_setting() {
    once(async |app| {
        let output = app.run(&["config"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for name in ["DATABASE_URL", "PORT", "SECRET", "ADMIN_EMAIL", "TX_MAX_MS", "QUERY_LIMIT_MAX", "EXTENSIONS_SAFE_MODE", "LOG_FORMAT"]
        {
            assert!(text.contains(name), "{name} is missing:\n{text}");
        }
        assert!(!text.contains("a secret that only the tests know"), "{text}");
    });
}

#[test]
fn workers_see_no_environment_and_no_files_of_the_host() {
    once(async |app| {
        articles(app).await;
        filter(app, "articles.items.create", "return payload;").await;
        create(app, "articles", json!({})).await;
        for pid in app.workers() {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            assert!(environment.is_empty(), "{}", String::from_utf8_lossy(&environment));
            let open: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
                .unwrap()
                .flatten()
                .filter_map(|fd| Some(std::fs::read_link(fd.path()).ok()?.to_string_lossy().into_owned()))
                .collect();
            assert!(!open.iter().any(|target| target.contains("trellis.db")), "{open:?}");
            assert!(open.iter().filter(|target| target.starts_with("socket:")).count() <= 1, "one socket and no other: {open:?}");
        }
    });
}

both!(login_works_for_an_admin_while_a_global_filter_fails, async |app| {
    filter(app, "items.create", "throw new Error('no');").await;
    filter(app, "items.update", "throw new Error('no');").await;
    let body = json!({ "email": app::ADMIN_EMAIL, "password": app::ADMIN_PASSWORD });
    let data: Value = app.anonymous().post("/api/auth/login", body).await.expect(200).data();
    assert!(data["access_token"].is_string());
});
