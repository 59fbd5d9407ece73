//! What is kept beside the extensions: the lines that they write, samples of what their filters hear, and their state on every host.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::app::{ADMIN_TOKEN, free_port};
use crate::support::*;

const TALKS: &str = "console.debug('d'); console.log('hello', payload.title); console.warn('careful');
services.log.error('bad', { n: 1 }); return payload;";

async fn lines(admin: &Client, id: &str, query: &str) -> Vec<Value> {
    admin.get(&format!("/api/extensions/{id}/logs{query}")).await.expect(200).data().as_array().unwrap().clone()
}

fn messages(lines: &[Value]) -> Vec<String> {
    lines.iter().map(|line| format!("{} {}", line["level"].as_str().unwrap(), line["message"].as_str().unwrap())).collect()
}

/// A stream of events as a client reads it.
struct Events {
    response: reqwest::Response,
    text: String,
}

impl Events {
    async fn open(client: &Client, path: &str) -> Result<Self, Answer> {
        let request = client.request("GET", path).header("accept", "text/event-stream");
        let response = request.send().await.unwrap();
        if response.status() != 200 {
            return Err(Answer {
                asked: path.to_owned(),
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                body: response.text().await.unwrap(),
                took: Duration::ZERO,
            });
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(Self { response, text: String::new() })
    }

    /// The next event that isn't a comment: its kind and its data; `None` at the end.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let event: String = self.text.drain(..end + 2).collect();
                let member = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                if let Some(data) = member("data: ") {
                    return Some((member("event: ").unwrap_or_default(), serde_json::from_str(&data).unwrap()));
                }
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.text.push_str(std::str::from_utf8(&chunk).unwrap()),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    async fn line(&mut self) -> Value {
        let (kind, line) = self.next().await.expect("another line");
        assert_eq!(kind, "", "{line}");
        line
    }

    async fn end(mut self) -> Value {
        loop {
            match self.next().await.expect("an end that is told") {
                (kind, data) if kind == "end" => {
                    assert!(self.next().await.is_none(), "nothing comes after the end");
                    return data;
                }
                _ => {}
            }
        }
    }
}

both!(the_lines_of_an_extension_are_kept_with_their_circumstances, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", TALKS).await;
    let other = filter(app, "other.items.create", "return payload;").await;
    let made = app.post("/api/items/articles", json!({ "title": "one" })).await.expect(201);
    app.post("/api/items/articles", json!({ "title": "two" })).await.expect(201);
    let all = lines(app, &id, "").await;
    let told = messages(&all);
    assert_eq!(told[..3], ["debug d", "info hello one", "warn careful"]);
    assert!(told[3].starts_with("error bad") && told[3].contains("1"), "{told:?}");
    assert_eq!((told.len(), told[5].as_str()), (8, "info hello two"));
    assert!(all.is_sorted_by_key(|line| line["id"].as_u64().unwrap()));
    for line in &all[..4] {
        assert_eq!((&line["event"], &line["request_id"]), (&json!("articles.items.create"), &json!(made.header("x-request-id"))));
        assert!(line["at"].is_string(), "{line}");
    }
    assert_eq!(messages(&lines(app, &id, "?level=warn&limit=3").await)[1..], ["warn careful", &told[7]]);
    assert_eq!(messages(&lines(app, &id, &format!("?since={}", all[6]["id"])).await), [told[7].as_str()]);
    assert_eq!(lines(app, &id, &format!("?since={}", all[0]["at"].as_str().unwrap())).await.len(), 8);
    assert_eq!(lines(app, &id, "?since=2099-01-01T00:00:00Z").await.len(), 0);
    assert!(lines(app, &other, "").await.is_empty());
    for query in ["?level=loud", "?limit=0", "?limit=1001", "?since=yesterday", "?page=1"] {
        app.get(&format!("/api/extensions/{id}/logs{query}")).await.expect_error(400, "INVALID_QUERY");
    }
    // A test leaves no line, its own or a hook's.
    let body = json!({ "code": "await (await services.items('articles')).createOne({});", "type": "action", "event": "a.items.create" });
    let tested = app.post("/api/extensions/test", body).await.expect(200).data();
    assert_eq!((&tested["success"], lines(app, &id, "").await.len()), (&json!(true), 8), "{tested}");
    app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    app.get(&format!("/api/extensions/{id}/logs")).await.expect(404);
});

both!(actions_routes_and_folders_write_lines_too, async |app| {
    articles(app).await;
    let hook = action(app, "articles.items.create", "console.log('acted');").await;
    let route = extension(app, json!({ "type": "route", "event": "GET /say", "code": "console.log('asked'); return 'x';" })).await;
    let code =
        "export function register({ emitter }) { emitter.onFilter('articles.items.create', p => { console.log('folder'); return p; }); }";
    let folder = app.load_folder("says", &[("index.mjs", code)]).await["id"].as_str().unwrap().to_owned();
    create(app, "articles", json!({})).await;
    app.get("/api/ext/say").await.expect(200);
    assert_eq!(messages(&lines(app, &folder, "").await), ["info folder"]);
    let asked = lines(app, &route, "").await;
    assert_eq!((messages(&asked), &asked[0]["event"]), (vec!["info asked".to_owned()], &json!("GET /say")));
    eventually("the action ran", Duration::from_secs(10), async || {
        let told = messages(&lines(app, &hook, "").await);
        if told == ["info acted"] { Ok(()) } else { Err(format!("{told:?}")) }
    })
    .await;
});

both!(lines_are_told_as_they_come_until_the_extension_goes, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "console.log(payload.title); return payload;").await;
    let path = format!("/api/extensions/{id}/logs");
    create(app, "articles", json!({ "title": "before" })).await;
    let mut events = Events::open(app, &path).await.unwrap();
    let first = events.line().await;
    assert_eq!((&first["message"], &first["level"]), (&json!("before"), &json!("info")));
    for n in 0..20 {
        create(app, "articles", json!({ "title": format!("line {n}") })).await;
        assert_eq!(events.line().await["message"], format!("line {n}"));
    }
    // A client that comes back goes on where it was.
    let request = app.request("GET", &path).header("accept", "text/event-stream").header("last-event-id", first["id"].to_string());
    let mut again = Events { response: request.send().await.unwrap(), text: String::new() };
    assert_eq!(again.line().await["message"], "line 0");
    app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    events.end().await;
    again.end().await;
});

both!(a_stream_ends_with_the_rights_of_its_caller_and_with_the_server, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "console.log('x'); return payload;").await;
    let path = format!("/api/extensions/{id}/logs");
    let nobody = person(app, &[]).await;
    assert_eq!(Events::open(&nobody.client, &path).await.err().unwrap().status, 403);
    let admin = person(app, &[]).await;
    let policy = app.post("/api/policies", json!({ "name": "all", "admin_access": true })).await.expect(201).data()["id"].clone();
    let access =
        app.post("/api/access", json!({ "policy": policy, "user": admin.id, "role": null })).await.expect(201).data()["id"].clone();
    let one = Events::open(&admin.client, &path).await.unwrap();
    app.delete(&format!("/api/access/{}", access.as_str().unwrap())).await.expect(204);
    one.end().await;
    app.post("/api/access", json!({ "policy": policy, "user": admin.id, "role": null })).await.expect(201);
    let two = Events::open(&admin.client, &path).await.unwrap();
    app.patch(&format!("/api/users/{}", admin.id), json!({ "status": "suspended" })).await.expect(200);
    two.end().await;
    let three = Events::open(app, &path).await.unwrap();
    let (status, reason) = tokio::join!(app.stop(), three.end());
    assert!(status.success() && reason["reason"].is_string(), "{reason}");
});

both!(so_many_streams_at_once, async |app| {
    let id = filter(app, "articles.items.create", "return payload;").await;
    let path = format!("/api/extensions/{id}/logs");
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(Events::open(app, &path).await.unwrap());
    }
    let refused = Events::open(app, &path).await.err().unwrap().expect_error(503, "SERVICE_UNAVAILABLE");
    assert!(!refused.header("retry-after").is_empty());
    open.pop();
    eventually("there is room again", Duration::from_secs(10), async || match Events::open(app, &path).await {
        Ok(_) => Ok(()),
        Err(answer) => Err(answer.body),
    })
    .await;
    drop(open);
});

/// Samples of an event for which a condition holds.
async fn samples(app: &TestApp, event: &str, condition: &str) -> i64 {
    app.number(&format!("SELECT count(*) FROM daas_event_samples WHERE event = '{event}' AND {condition}")).await
}

async fn samples_become(app: &TestApp, event: &str, expected: i64) {
    eventually(&format!("there are {expected} samples of {event}"), Duration::from_secs(20), async || {
        let found = samples(app, event, "1 = 1").await;
        if found == expected { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
}

both!(what_filters_hear_is_sampled_without_what_is_concealed, async |app| {
    articles(app).await;
    collection(app, "quiet", &[("title", "string")]).await;
    for event in ["articles.items.create", "articles.items.update", "articles.items.delete", "articles.items.query", "articles.items.read"]
    {
        filter(app, event, "return payload;").await;
    }
    filter(app, "daas_users.items.create", "return payload;").await;
    let who = person(app, &may_all("articles")).await;
    create(&who.client, "articles", json!({ "title": "sampled" })).await;
    create(app, "quiet", json!({ "title": "not sampled" })).await;
    who.client.patch("/api/items/articles/1", json!({ "slug": "changed" })).await.expect(200);
    who.client.query("/api/items/articles", &[("filter", "{\"title\":{\"_eq\":\"sampled\"}}")]).await.expect(200);
    who.client.delete("/api/items/articles/1").await.expect(204);
    let test = json!({ "code": "await (await services.items('articles')).createOne({ title: 'tested' });", "type": "action", "event": "a.items.create" });
    assert_eq!(app.post("/api/extensions/test", test).await.expect(200).data()["success"], true);
    // What waits is written at the end.
    assert!(app.stop().await.success());
    let by = format!("\"user\" = '{}' AND depth = 0", who.id);
    let has = |text: &str| format!("{by} AND CAST(payload AS TEXT) LIKE '%{text}%'");
    assert_eq!(samples(app, "articles.items.create", &has("sampled")).await, 1);
    assert_eq!(samples(app, "articles.items.create", "1 = 1").await, 1);
    assert_eq!(samples(app, "articles.items.update", &has("changed")).await, 1);
    assert_eq!(samples(app, "articles.items.update", "CAST(keys AS TEXT) = '[1]'").await, 1);
    assert_eq!(samples(app, "articles.items.delete", "CAST(keys AS TEXT) = '[1]'").await, 1);
    assert!(samples(app, "articles.items.query", &has("sampled")).await >= 1);
    // Which rows were read, and nothing of what stood in them.
    assert!(samples(app, "articles.items.read", "CAST(keys AS TEXT) = '[1]'").await >= 1);
    assert_eq!(samples(app, "articles.items.read", "payload IS NOT NULL AND CAST(payload AS TEXT) <> 'null'").await, 0);
    assert_eq!(app.number("SELECT count(*) FROM daas_event_samples WHERE collection = 'quiet'").await, 0);
    assert_eq!(samples(app, "daas_users.items.create", "CAST(payload AS TEXT) LIKE '%example.com%'").await, 1);
    let secret = "(CAST(payload AS TEXT) LIKE '%password%' OR CAST(payload AS TEXT) LIKE '%token%')";
    assert_eq!(samples(app, "daas_users.items.create", secret).await, 0);
    app.launch().await;
    for (client, table) in
        [(Client::clone(app), "daas_event_samples"), (who.client, "daas_event_samples"), (Client::clone(app), "daas_hosts")]
    {
        let answer = client.get(&format!("/api/items/{table}")).await;
        assert!([403, 404].contains(&answer.status), "{}", answer.body);
    }
});

both!(samples_can_be_switched_off, env: [("EVENT_SAMPLES", "false")], async |app| {
    articles(app).await;
    filter(app, "articles.items.create", "return payload;").await;
    create(app, "articles", json!({ "title": "x" })).await;
    app.restart().await;
    assert_eq!(app.number("SELECT count(*) FROM daas_event_samples").await, 0);
});

both!(samples_are_bounded_by_number_bytes_and_age, async |app| {
    articles(app).await;
    filter(app, "articles.items.create", "return payload;").await;
    assert!(app.stop().await.success());
    let stored = |event: &'static str, count: usize, days: i64, bytes: u32| {
        let at = (trellis::clock::Clock::system().now() - chrono::TimeDelta::days(days)).format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        let row = move |_| format!("('{}', '{event}', 'a', 'r', 0, {bytes}, 0, '{at}')", uuid::Uuid::now_v7());
        let rows: Vec<String> = (0..count).map(row).collect();
        format!("INSERT INTO daas_event_samples (id, event, collection, request_id, depth, bytes, left_out, at) VALUES {}", rows.join(", "))
    };
    app.sql(&stored("articles.items.create", 1_150, 1, 10)).await;
    app.sql(&stored("old.items.create", 120, 8, 10)).await;
    app.sql(&stored("large.items.create", 300, 2, 100_000)).await;
    app.launch().await;
    samples_become(app, "old.items.create", 0).await;
    eventually("all together are small enough", Duration::from_secs(20), async || {
        let bytes = app.number("SELECT CAST(sum(bytes) AS bigint) FROM daas_event_samples").await;
        if bytes <= 16 << 20 { Ok(()) } else { Err(bytes.to_string()) }
    })
    .await;
    let large = samples(app, "large.items.create", "1 = 1").await;
    assert!((60..=167).contains(&large), "no more than needed goes, in batches: {large}");
    assert_eq!(samples(app, "articles.items.create", "1 = 1").await, 1_150, "the oldest go first");
    create(app, "articles", json!({ "title": "the newest" })).await;
    samples_become(app, "articles.items.create", 1_000).await;
    assert_eq!(samples(app, "articles.items.create", "CAST(payload AS TEXT) LIKE '%the newest%'").await, 1);
});

both!(a_storm_and_inputs_that_are_too_large_are_counted, async |app| {
    articles(app).await;
    filter(app, "articles.items.create", "return payload;").await;
    create(app, "articles", json!({ "body": "x".repeat(70_000) })).await;
    let many: Vec<Value> = (0..400).map(|n| json!({ "title": n.to_string() })).collect();
    app.post("/api/items/articles", json!(many)).await.expect(201);
    assert!(app.stop().await.success());
    let kept = samples(app, "articles.items.create", "1 = 1").await;
    let left_out = app.number("SELECT CAST(sum(left_out) AS bigint) FROM daas_event_samples").await;
    assert_eq!(kept + left_out, 401);
    assert!((50..=400).contains(&kept), "{kept}");
    assert_eq!(samples(app, "articles.items.create", "CAST(payload AS TEXT) LIKE '%\"399\"%'").await, 1, "the last one is there");
    app.launch().await;
});

/// One more host on the database of an app.
struct Host(Child);

impl Host {
    async fn start(app: &TestApp) -> (Self, Client) {
        let port = free_port();
        let mut command: Command = app.command(&["serve"]);
        command.env("PORT", port.to_string()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let client = Client::new(&format!("http://127.0.0.1:{port}"), Some(ADMIN_TOKEN.to_owned()));
        let host = Self(command.spawn().unwrap());
        eventually("the other host is ready", Duration::from_secs(30), async || {
            match Answer::try_of(client.request("GET", "/api/health")).await {
                Ok(answer) if answer.status == 200 => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        (host, client)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn hosts_become(client: &Client, id: &str, what: &str, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    eventually(what, Duration::from_secs(20), async || {
        let hosts = read_extension(client, id).await["live"]["hosts"].as_array().unwrap().clone();
        if is_so(&hosts) { Ok(hosts) } else { Err(json!(hosts).to_string()) }
    })
    .await
}

both!(the_state_on_this_host_is_told, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "if (payload.title === 'bad') throw new Error('no'); return payload;").await;
    create(app, "articles", json!({})).await;
    app.post("/api/items/articles", json!({ "title": "bad" })).await.expect(400);
    let row = read_extension(app, &id).await;
    let here = &row["live"]["hosts"][0];
    assert_eq!(row["live"]["hosts"].as_array().unwrap().len(), 1, "{row}");
    assert_eq!((&here["state"], &here["runs"], &here["failed"]), (&json!("active"), &json!(2), &json!(1)));
    assert_eq!(here["saved_at"], row["created_at"]);
    assert!(here["host"].is_string() && here["since"].is_string() && here["seen_at"].is_string(), "{here}");
    deactivate(app, &id).await;
    assert_eq!(read_extension(app, &id).await["live"]["hosts"], json!([]));
});

#[test]
fn hosts_on_one_database_know_of_each_other() {
    run(Database::Postgres, &[], false, async |app| {
        articles(app).await;
        let id = filter(app, "articles.items.create", "return payload;").await;
        let (other, there) = Host::start(app).await;
        let seen = hosts_become(app, &id, "the other host is seen", |hosts| hosts.len() == 2).await;
        assert!(seen.iter().all(|host| host["state"] == "active" && host["saved_at"] == seen[0]["saved_at"]), "{seen:?}");
        assert_ne!(seen[0]["host"], seen[1]["host"]);
        there.post("/api/items/articles", json!({})).await.expect(201);
        hosts_become(app, &id, "its runs are told", |hosts| hosts[1]["runs"] == 1 && hosts[0]["runs"] == 0).await;
        hosts_become(&there, &id, "each is the first to itself", |hosts| hosts.len() == 2 && hosts[0]["runs"] == 1).await;
        // One that died isn't there any more once it was silent for long enough.
        drop(other);
        app.sql(&format!("UPDATE daas_hosts SET seen_at = '2020-01-01T00:00:00Z' WHERE name = '{}'", seen[1]["host"].as_str().unwrap()))
            .await;
        hosts_become(app, &id, "the dead one is not shown", |hosts| hosts.len() == 1).await;
        assert!(app.stop().await.success());
        let left = format!("SELECT count(*) FROM daas_hosts WHERE name = '{}'", seen[0]["host"].as_str().unwrap());
        assert_eq!(app.number(&left).await, 0);
    });
}
