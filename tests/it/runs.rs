//! Failed runs and states: what an author learns of a failure, where it is kept, and what an admin is told to do about it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::*;

/// How long a failed run may take to be shown.
const SHOWN: Duration = Duration::from_secs(1);

async fn runs(app: &Client, id: &str) -> Vec<Value> {
    app.get(&format!("/api/extensions/{id}/runs?limit=100")).await.expect(200).data().as_array().unwrap().clone()
}

/// The one failed run of an extension.
async fn only_run(app: &Client, id: &str) -> Value {
    let runs = runs(app, id).await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs[0].clone()
}

async fn live(app: &Client, id: &str) -> Value {
    read_extension(app, id).await["live"].clone()
}

async fn tested(app: &Client, kind: &str, event: &str, code: &str) -> Value {
    let body = json!({ "code": code, "type": kind, "event": event, "testPayload": null });
    app.post("/api/extensions/test", body).await.expect(200).data()
}

/// The warnings of a test's answer.
fn warnings(tested: &Value) -> Vec<String> {
    let lines = tested["logs"].as_array().unwrap();
    lines.iter().filter(|line| line["level"] == "warn").map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn is_text(value: &Value, part: &str) {
    assert!(value.as_str().is_some_and(|text| text.contains(part)), "{part:?} is not in {value}");
}

const THROWS: &str = "const articles = await services.items('articles', { emitEvents: false });
await articles.readByQuery({ limit: 1 });
try {
  await articles.readOne(404);
} catch (why) {
  throw Object.assign(new TypeError('no way', { cause: new Error('outer', { cause: why }) }), { tries: 3 });
}";

both!(a_throw_is_a_row_with_everything_that_is_known, async |app| {
    articles(app).await;
    let person = person(app, &may_all("articles")).await;
    let id = extension(app, json!({ "name": "picky", "event": "articles.items.create", "code": THROWS })).await;
    let answer = person.client.post("/api/items/articles", json!({ "title": "a" })).await.expect_error(500, "EXTENSION_FAILED");
    let run = only_run(app, &id).await;
    assert_eq!((&run["name"], &run["message"], &run["code"]), (&json!("TypeError"), &json!("no way"), &json!("EXTENSION_FAILED")), "{run}");
    assert_eq!((&run["line"], &run["event"], &run["extension"]), (&json!(6), &json!("articles.items.create"), &json!(id)), "{run}");
    assert_eq!((&run["request_id"], &run["user"]), (&json!(answer.header("x-request-id")), &json!(person.id)), "{run}");
    assert!(run["column"].is_u64() && run["elapsed_ms"].is_number() && run["at"].is_string() && run["left_out"] == 0, "{run}");
    is_text(&run["frame"], "> 6 |   throw Object.assign");
    is_text(&run["frame"], "^");
    is_text(&run["stack"], "picky:6:");
    is_text(&run["host"], &format!(":{}", app.pid()));
    assert_eq!(run["fields"], json!({ "tries": 3 }));
    let causes = run["cause"].as_array().unwrap();
    assert_eq!((&causes[0]["message"], &causes[1]["code"]), (&json!("outer"), &json!("NOT_FOUND")), "{run}");
    is_text(&causes[1]["stack"], "picky:4:");
    let calls = run["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 2, "{run}");
    assert_eq!(
        (&calls[0]["method"], &calls[0]["collection"], &calls[0]["error"]),
        (&json!("items.readByQuery"), &json!("articles"), &Value::Null)
    );
    assert_eq!((&calls[1]["method"], &calls[1]["error"], &calls[1]["ended"]), (&json!("items.readOne"), &json!("NOT_FOUND"), &json!(true)));

    let shown = read_extension(app, &id).await;
    assert_eq!(shown["runs"], json!([run]));
    let log = app.log_lines().into_iter().find(|line| line["message"] == "an extension's run failed").unwrap();
    for text in [&shown["last_error"], &log["report"]] {
        for part in [
            "TypeError: no way",
            "line 6, column",
            "> 6 |",
            "items.readOne articles",
            "NOT_FOUND",
            answer.header("x-request-id"),
            "caused by Error: outer",
        ] {
            is_text(text, part);
        }
    }
    assert_eq!(log["request"], answer.header("x-request-id"));
});

both!(a_test_tells_the_same_and_leaves_no_row, async |app| {
    articles(app).await;
    let nested = filter(app, "articles.items.update", "throw new Error('nested')").await;
    create(app, "articles", json!({ "title": "a" })).await;
    let code = format!("await (await services.items('articles')).updateOne(1, {{ title: 'b' }}).catch(() => {{}});\n{THROWS}");
    let told = tested(app, "filter", "articles.items.create", &code).await;
    let error = &told["error"];
    assert_eq!((&error["name"], &error["line"], &error["fields"]), (&json!("TypeError"), &json!(7), &json!({ "tries": 3 })), "{told}");
    assert_eq!(error["cause"][1]["code"], "NOT_FOUND", "{told}");
    is_text(&error["frame"], "> 7 |");
    is_text(&told["requestId"], "-");
    assert_eq!(told["calls"].as_array().unwrap().len(), 3, "{told}");
    assert_eq!(runs(app, &nested).await, Vec::<Value>::new());
    assert_eq!(app.number("SELECT count(*) FROM daas_extension_runs").await, 0);
});

both!(a_timeout_says_what_the_code_did_and_where, async |app| {
    app.allow_errors();
    articles(app).await;
    collection(app, "slow", &[("title", "string")]).await;
    filter(app, "slow.items.create", "await new Promise((r) => setTimeout(r, 5000)); return payload;").await;
    for (code, line, message) in [
        ("const a = 1;\nwhile (true) a.toString();", json!(2), "longer than its 300 ms"),
        (
            "const slow = await services.items('slow');\n\nawait slow.createOne({ title: 'a' });",
            json!(3),
            "it waited for `items.createOne`",
        ),
        ("await new Promise(() => {});", Value::Null, "a promise that nothing settles"),
    ] {
        let id = extension(app, json!({ "event": "articles.items.create", "timeout_ms": 300, "code": code })).await;
        app.post("/api/items/articles", json!({})).await.expect_error(504, "EXTENSION_TIMEOUT");
        let run = only_run(app, &id).await;
        assert_eq!(run["code"], "EXTENSION_TIMEOUT", "{run}");
        // Where the machine is too busy for the worker to answer in time, the host answers, who can't know.
        if !run["line"].is_null() || message.contains("promise") {
            // At the end of a round of a loop the engine stands on what comes before the loop.
            let is_loop = code.contains("while") && run["line"] == 1;
            assert!(run["line"] == line || is_loop, "{run}");
            is_text(&run["message"], message);
            // Written in batches: between two of them it may be on its way.
            eventually("the last error", Duration::from_secs(10), async || {
                let row = read_extension(app, &id).await;
                if row["last_error"].as_str().is_some_and(|error| error.contains(message)) { Ok(()) } else { Err(row.to_string()) }
            })
            .await;
        }
        if code.contains("slow") {
            assert_eq!((&run["calls"][0]["method"], &run["calls"][0]["ended"]), (&json!("items.createOne"), &json!(false)), "{run}");
        }
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
});

both!(memory_payload_and_strange_throws_are_rows_too, async |app| {
    app.allow_errors();
    articles(app).await;
    for (code, wire, part) in [
        ("const a = []; while (true) a.push(new Uint8Array(1e6));", "EXTENSION_OUT_OF_MEMORY", "memory limit"),
        ("return { ...payload, body: { deep: [1, NaN] } };", "EXTENSION_FAILED", "body.deep[1]"),
        ("return { ...payload, body: { toJSON() { throw new Error('no json') } } };", "EXTENSION_FAILED", "line 1, column"),
        ("return 'a text';", "EXTENSION_FAILED", "can't be used"),
        ("throw 'a text';", "EXTENSION_ERROR", "a text"),
        ("throw null;", "EXTENSION_ERROR", "null was thrown"),
        ("throw Object.assign(new Error('a\\0b'), { 'k\\0': ['\\0v'] });", "EXTENSION_ERROR", "ab"),
        ("await (await services.items('nothing_here')).readOne(1);", "EXTENSION_FAILED", "nothing_here"),
    ] {
        let body = json!({ "event": "articles.items.create", "memory_limit_mb": 8, "code": code });
        let id = extension(app, body).await;
        let answer = app.post("/api/items/articles", json!({ "title": "a" })).await;
        assert_eq!(answer.code(), wire, "{code}: {}", answer.body);
        let run = only_run(app, &id).await;
        assert_eq!((&run["code"], &run["request_id"]), (&json!(wire), &json!(answer.header("x-request-id"))), "{code}: {run}");
        is_text(&run["message"], part);
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
});

both!(a_run_whose_worker_died_names_the_services_that_it_had_called, async |app| {
    app.allow_errors();
    articles(app).await;
    let code = "await (await services.items('articles')).readByQuery({}); console.log('has called'); await new Promise((r) => setTimeout(r, 4000));";
    let id = filter(app, "articles.items.create", code).await;
    let client = app.with_token(app::ADMIN_TOKEN);
    let post = tokio::spawn(async move { client.post("/api/items/articles", json!({})).await });
    eventually("the filter has called", Duration::from_secs(10), async || match app.log().contains("has called") {
        true => Ok(()),
        false => Err("not yet".to_owned()),
    })
    .await;
    app.workers().into_iter().for_each(|pid| process::signal(pid, libc::SIGKILL));
    post.await.unwrap().expect_error(503, "EXTENSION_UNAVAILABLE");
    let run = only_run(app, &id).await;
    is_text(&run["message"], "Its worker died after it had called services");
    assert_eq!((&run["calls"][0]["method"], &run["calls"][0]["ended"]), (&json!("items.readByQuery"), &json!(true)), "{run}");
    let fault = &live(app, &id).await["last_fault"];
    assert_eq!((&fault["code"], &fault["request_id"]), (&json!("EXTENSION_UNAVAILABLE"), &run["request_id"]), "{fault}");
});

both!(what_a_call_leaves_behind_is_a_warning_with_its_line, async |app| {
    articles(app).await;
    let code = "const articles = await services.items('articles');
articles.createOne({ title: 'left' });
Promise.reject(new TypeError('nobody waits'));
const late = Promise.reject(new Error('handled later'));
await null;
late.catch(() => {});
articles.readOne(12345).catch(() => {});
return null;";
    for (kind, event) in [("action", "articles.items.update"), ("route", "GET /left")] {
        let code = if kind == "route" { code.replace("return null;", "return { ok: true };") } else { code.to_owned() };
        let told = tested(app, kind, event, &code).await;
        assert_eq!(told["success"], true, "{told}");
        let warned = warnings(&told);
        assert_eq!(warned.len(), 3, "{kind}: {warned:?}");
        for (part, line) in [
            ("TypeError: nobody waits", "(line 3, column"),
            ("`items.createOne` (line 2, column", "was not awaited"),
            ("`items.readOne` (line 7, column", "was not awaited"),
        ] {
            assert!(warned.iter().any(|warning| warning.contains(part) && warning.contains(line)), "{kind}: {part}: {warned:?}");
        }
    }
    let told = tested(
        app,
        "action",
        "articles.items.update",
        "const articles = await services.items('articles');\narticles.createOne({});\nthrow new Error('no');",
    )
    .await;
    assert!(
        warnings(&told)
            .iter()
            .any(|warning| warning.contains("`items.createOne` (line 2, column") && warning.contains("when the call failed")),
        "{told}"
    );
    let quiet = "const articles = await services.items('articles'); await articles.readByQuery({}); try { await articles.readOne(9) } catch {} return null";
    assert_eq!(warnings(&tested(app, "action", "articles.items.update", quiet).await), Vec::<String>::new());
});

both!(folders_and_streams_warn_too, async |app| {
    articles(app).await;
    let code = "import { later } from './later.mjs';
export function register({ registerRoutes }) {
  registerRoutes({ name: 's', basePath: '/s', routes: [{ method: 'GET', path: '/', public: true, handler: async (request, { services }) => {
    const articles = await services.items('articles', { elevated: true });
    const body = new ReadableStream({ async pull(c) { c.enqueue(new TextEncoder().encode('piece')); later(articles); c.close(); } });
    return new Response(body);
  } }] });
}
";
    let later = "export const later = (articles) => {\n  articles.readByQuery({});\n  Promise.reject(new Error('in a stream'));\n};\n";
    app.load_folder("streams", &[("index.mjs", code), ("later.mjs", later)]).await;
    assert_eq!(app.anonymous().get("/api/ext/s").await.expect(200).body, "piece");
    eventually("both warnings are in the log", Duration::from_secs(5), async || {
        let log = app.log();
        let told = log.contains("`items.readByQuery` (later.mjs:2:") && log.contains("(later.mjs:3:") && log.contains("in a stream");
        if told { Ok(()) } else { Err(log) }
    })
    .await;
});

both!(alone a_failed_run_is_in_the_database_within_a_second, async |app| {
    articles(app).await;
    filter(app, "articles.items.create", "throw new Error('no');").await;
    for n in 1..=3 {
        app.post("/api/items/articles", json!({})).await.expect_error(400, "EXTENSION_ERROR");
        eventually("the row is there", SHOWN + SLACK, async || match app.number("SELECT count(*) FROM daas_extension_runs").await {
            rows if rows == n => Ok(()),
            rows => Err(rows.to_string()),
        })
        .await;
    }
});

both!(a_storm_of_failures_is_counted_to_the_last_and_kept_in_part, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "throw new Error('no ' + payload.title);").await;
    // Fewer than an extension may have in flight and waiting.
    let posts = (0..300).map(|n| {
        let client = app.with_token(app::ADMIN_TOKEN);
        tokio::spawn(async move {
            client.post("/api/items/articles", json!({ "title": n.to_string() })).await.expect_error(400, "EXTENSION_ERROR")
        })
    });
    for post in posts.collect::<Vec<_>>() {
        post.await.unwrap();
    }
    let first = app.get(&format!("/api/extensions/{id}/runs?limit=100")).await.expect(200).json();
    let total = first["meta"]["total_count"].as_u64().unwrap();
    let mut all = Vec::new();
    for page in 1..=total.div_ceil(100) {
        all.extend(
            app.get(&format!("/api/extensions/{id}/runs?limit=100&page={page}")).await.expect(200).data().as_array().unwrap().clone(),
        );
    }
    assert_eq!(all.len() as u64, total);
    let left_out: u64 = all.iter().map(|run| run["left_out"].as_u64().unwrap()).sum();
    assert_eq!(total + left_out, 300, "{total} rows");
    assert!(all.windows(2).all(|two| two[0]["at"].as_str() >= two[1]["at"].as_str()), "the last comes first");
});

both!(a_thousand_of_each_are_kept_for_seven_days, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "throw new Error('no');").await;
    app.stop().await;
    let row = |n: usize, extension: &str, at: &str| {
        format!("('00000000-0000-7000-8000-{n:012}', '{extension}', 'e', 'C', 'N', 'M', '[]', '{{}}', '[]', 0, 'r', 'h', '{at}', 0)")
    };
    let now = trellis::clock::Clock::system().now();
    let time = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let (recent, old) = (time(now - chrono::TimeDelta::hours(1)), time(now - chrono::TimeDelta::days(8)));
    let rows = (0..1_250).map(|n| row(n, &id, &recent)).chain((5_000..5_030).map(|n| row(n, "gone", &old))).collect::<Vec<_>>();
    let columns = "\"id\", \"extension\", \"event\", \"code\", \"name\", \"message\", \"cause\", \"fields\", \"calls\", \"calls_left_out\", \"request_id\", \"host\", \"at\", \"left_out\"";
    app.sql(&format!("INSERT INTO daas_extension_runs ({columns}) VALUES {}", rows.join(", "))).await;
    app.launch().await;
    eventually("old rows go", Duration::from_secs(10), async || {
        match app.number("SELECT count(*) FROM daas_extension_runs WHERE extension = 'gone'").await {
            0 => Ok(()),
            rows => Err(rows.to_string()),
        }
    })
    .await;
    app.post("/api/items/articles", json!({})).await.expect_error(400, "EXTENSION_ERROR");
    eventually("a thousand are left", Duration::from_secs(20), async || {
        match app.number("SELECT count(*) FROM daas_extension_runs").await {
            1_000 => Ok(()),
            rows => Err(rows.to_string()),
        }
    })
    .await;
    assert_eq!(runs(app, &id).await[0]["message"], "no", "the last one is among them");
});

both!(runs_go_with_their_extension_and_are_for_admins, async |app| {
    articles(app).await;
    let code = "export function register({ emitter }) { emitter.onFilter('articles.items.update', () => { throw new Error('no') }) }";
    let folder = app.load_folder("fails", &[("index.mjs", code)]).await["id"].as_str().unwrap().to_owned();
    create(app, "articles", json!({ "title": "a" })).await;
    let row = filter(app, "articles.items.create", "throw new Error('no');").await;
    app.post("/api/items/articles", json!({})).await.expect_error(400, "EXTENSION_ERROR");
    app.patch("/api/items/articles/1", json!({ "title": "b" })).await.expect_error(400, "EXTENSION_ERROR");
    assert_eq!(only_run(app, &folder).await["file"], "index.mjs");
    assert_eq!(read_extension(app, &folder).await["runs"].as_array().unwrap().len(), 1);
    let person = person(app, &may_all("articles")).await;
    for client in [person.client, app.anonymous()] {
        assert!(matches!(client.get(&format!("/api/extensions/{row}/runs")).await.status, 401 | 403));
    }
    app.get("/api/items/daas_extension_runs").await.expect_error(404, "COLLECTION_NOT_FOUND");
    let inside =
        inside_a_filter(app, app, "return await (await services.items('daas_extension_runs', { elevated: true })).readByQuery({})").await;
    inside.expect_error(500, "EXTENSION_FAILED");
    for (query, part) in
        [("limit=0", "from 1 to 100"), ("limit=101", "from 1 to 100"), ("page=x", "page"), ("filter={}", "`limit` and `page`")]
    {
        let answer = app.get(&format!("/api/extensions/{row}/runs?{query}")).await.expect_error(400, "INVALID_QUERY");
        assert!(answer.message().contains(part), "{}", answer.body);
    }
    app.get("/api/extensions/00000000-0000-4000-8000-000000000000/runs").await.expect_error(404, "NOT_FOUND");
    app.delete(&format!("/api/extensions/{row}")).await.expect(204);
    assert_eq!(app.number(&format!("SELECT count(*) FROM daas_extension_runs WHERE extension = '{row}'")).await, 0);
    app.remove_folder("fails");
    eventually("the folder's runs are gone", Duration::from_secs(30), async || {
        match app.number(&format!("SELECT count(*) FROM daas_extension_runs WHERE extension = '{folder}'")).await {
            0 => Ok(()),
            rows => Err(rows.to_string()),
        }
    })
    .await;
});

both!(each_state_says_why_since_when_and_what_to_do, async |app| {
    app.allow_errors();
    articles(app).await;
    let code = "if (payload.title === 'hang') while (true) {} return payload;";
    let id = extension(app, json!({ "event": "articles.items.create", "timeout_ms": 100, "code": code })).await;
    let now = live(app, &id).await;
    assert_eq!((&now["state"], &now["advice"], &now["last_fault"]), (&json!("active"), &Value::Null, &Value::Null), "{now}");
    assert!(now["since"].is_string() && now["deliveries"] == json!({ "pending": 0, "held": 0, "dead": 0 }), "{now}");

    for _ in 0..5 {
        app.post("/api/items/articles", json!({ "title": "hang" })).await.expect_error(504, "EXTENSION_TIMEOUT");
    }
    let now = live(app, &id).await;
    assert_eq!(now["state"], "cooling_down", "{now}");
    assert!(now["since"].is_string() && now["next_trial_at"].is_string() && now["seconds_left"].is_u64(), "{now}");
    is_text(&now["reason"], "Five faults of its hooks");
    is_text(&now["advice"], "activate it");
    assert_eq!(
        (&now["last_fault"]["code"], &now["last_fault"]["event"]),
        (&json!("EXTENSION_TIMEOUT"), &json!("articles.items.create")),
        "{now}"
    );
    let listed = app.get("/api/extensions").await.expect(200).data();
    assert_eq!(listed[0]["live"]["state"], "cooling_down", "{listed}");
    activate(app, &id).await;
    assert_eq!(live(app, &id).await["state"], "active");

    deactivate(app, &id).await;
    let now = live(app, &id).await;
    assert_eq!(now["state"], "inactive", "{now}");
    is_text(&now["since"], "T");
    is_text(&now["advice"], "/activate");

    activate(app, &id).await;
    app.stop().await;
    app.sql(&format!("UPDATE daas_extensions SET code = 'return {{' WHERE id = '{id}'")).await;
    app.launch().await;
    app.post("/api/items/articles", json!({})).await.expect_error(503, "EXTENSION_UNAVAILABLE");
    let now = live(app, &id).await;
    assert_eq!(now["state"], "error", "{now}");
    is_text(&now["reason"], "line 1");
    is_text(&now["advice"], "answers 503");
    is_text(&now["since"], "T");
    let run = only_run_of(app, &id, "EXTENSION_UNAVAILABLE").await;
    assert_eq!(run["line"], 1, "{run}");

    app.load_folder("there", &[("index.mjs", "export function register() {}")]).await;
    app.stop().await;
    app.set_env(&[("EXTENSIONS_SAFE_MODE", "true")]);
    app.launch().await;
    let listed = app.get("/api/extensions").await.expect(200).data();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    for entry in listed.as_array().unwrap() {
        assert_eq!(entry["live"]["state"], "safe_mode", "{entry}");
        is_text(&entry["live"]["advice"], "EXTENSIONS_SAFE_MODE");
        is_text(&entry["live"]["since"], "T");
        assert_eq!(read_extension(app, entry["id"].as_str().unwrap()).await["live"]["state"], "safe_mode");
    }
});

/// The last failed run with this code.
async fn only_run_of(app: &Client, id: &str, code: &str) -> Value {
    let found = runs(app, id).await.into_iter().find(|run| run["code"] == code);
    found.unwrap_or_else(|| panic!("no failed run with {code}"))
}

both!(what_is_owed_is_counted_where_it_is_held, async |app| {
    articles(app).await;
    collection(app, "log", &[("text", "string")]).await;
    let id = action(
        app,
        "articles.items.create",
        "await new Promise((r) => setTimeout(r, 300)); await (await services.items('log')).createOne({ text: 'x' });",
    )
    .await;
    app.post("/api/items/articles", (0..20).map(|n| json!({ "title": n.to_string() })).collect()).await.expect(201);
    deactivate(app, &id).await;
    let held = eventually("what isn't done yet is held", Duration::from_secs(20), async || {
        let now = live(app, &id).await;
        let owed = &now["deliveries"];
        if owed["pending"] == 0 && owed["held"].as_u64() > Some(0) { Ok(owed["held"].as_u64().unwrap()) } else { Err(now.to_string()) }
    })
    .await;
    app.sql("UPDATE daas_deliveries SET status = 'dead' WHERE CAST(id AS text) = (SELECT min(CAST(id AS text)) FROM daas_deliveries)")
        .await;
    assert_eq!(live(app, &id).await["deliveries"], json!({ "pending": 0, "held": held - 1, "dead": 1 }));
    activate(app, &id).await;
    eventually("they go on", Duration::from_secs(20), async || {
        let now = live(app, &id).await;
        if now["deliveries"] == json!({ "pending": 0, "held": 0, "dead": 1 }) { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
});

both!(a_folder_says_what_it_is_too, async |app| {
    articles(app).await;
    let code = "export function register({ emitter }) { emitter.onFilter('articles.items.create', (payload) => payload) }";
    app.load_folder("mine", &[("index.mjs", code)]).await;
    let now = app.folder("mine").await.unwrap()["live"].clone();
    assert_eq!((&now["state"], &now["advice"]), (&json!("active"), &Value::Null), "{now}");
    app.break_folder("mine", &[("index.mjs", "export function register( {")]).await;
    let now = app.folder("mine").await.unwrap()["live"].clone();
    assert_eq!(now["state"], "active", "the earlier version runs: {now}");
    is_text(&now["reason"], "An earlier version runs");
    app.restart().await;
    let now = app.folder_is("mine", "in error", |entry| entry["live"]["state"] == "error").await["live"].clone();
    is_text(&now["advice"], "correct its files");
    app.write_folder("mine", &[("index.mjs", code), ("extension.json", "{ \"enabled\": false }")]);
    let now = app.folder_is("mine", "switched off", |entry| entry["live"]["state"] == "inactive").await["live"].clone();
    is_text(&now["advice"], "extension.json");
});
