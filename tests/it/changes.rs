//! Several hosts on one database: what is changed through one holds on all of them, for the very next request.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::hosts::Host;
use crate::support::*;

/// The promise for a host that doesn't take a change over.
const PATIENCE: Duration = Duration::from_secs(2);

/// Three hosts, the first being the app itself.
async fn three(app: &TestApp) -> (Vec<Host>, [Client; 3]) {
    let hosts = vec![Host::start(app).await, Host::start(app).await];
    let clients = [Client::clone(app), hosts[0].client.clone(), hosts[1].client.clone()];
    (hosts, clients)
}

/// A change, which every host has taken over.
#[track_caller]
fn settled(answer: Answer, status: u16) -> Answer {
    let answer = answer.expect(status);
    assert!(!answer.body.contains("lagging"), "{}: {}", answer.asked, answer.body);
    answer
}

/// Makes the title of an article on every host, and sees what the hooks there make of it.
#[track_caller]
fn same(titles: &[Value], expected: &str) {
    assert!(titles.iter().all(|title| title == expected), "{titles:?}, not {expected}");
}

async fn titles(hosts: &[Client]) -> Vec<Value> {
    let mut titles = Vec::new();
    for host in hosts {
        titles.push(create(host, "articles", json!({ "title": "as sent" })).await["title"].clone());
    }
    titles
}

async fn extensions_change(hosts: &[Client; 3]) {
    let [a, b, c] = hosts;
    let body = json!({ "name": "titles", "event": "articles.items.create", "type": "filter", "status": "active",
        "code": "return { ...payload, title: 'first' }" });
    let id = settled(a.post("/api/extensions", body).await, 201).data()["id"].as_str().unwrap().to_owned();
    same(&titles(hosts).await, "first");
    settled(b.patch(&format!("/api/extensions/{id}"), json!({ "code": "return { ...payload, title: 'second' }" })).await, 200);
    same(&titles(hosts).await, "second");
    settled(c.post(&format!("/api/extensions/{id}/deactivate"), json!({})).await, 200);
    same(&titles(hosts).await, "as sent");
    settled(a.post(&format!("/api/extensions/{id}/activate"), json!({})).await, 200);
    let told = settled(b.post(&format!("/api/extensions/{id}/rollback"), json!({ "version": 1 })).await, 200).data();
    same(&titles(hosts).await, "first");
    let saved: Vec<&Value> = told["live"]["hosts"].as_array().unwrap().iter().map(|host| &host["saved_at"]).collect();
    assert!(saved.len() == 3 && saved.iter().all(|at| **at == told["updated_at"]), "{told}");

    let secret = format!("/api/extensions/{id}/secrets/KEY");
    settled(
        c.patch(&format!("/api/extensions/{id}"), json!({ "code": "return { ...payload, title: String(services.env.KEY) }" })).await,
        200,
    );
    settled(a.put(&secret, json!({ "value": "a value of a secret" })).await, 200);
    same(&titles(hosts).await, "a value of a secret");
    settled(b.delete(&secret).await, 204);
    same(&titles(hosts).await, "undefined");

    let service = json!({ "name": "namer", "code": "return { name: () => 'old' };" });
    let service = settled(a.post("/api/services", service).await, 201).data()["id"].as_str().unwrap().to_owned();
    let code = "return { ...payload, title: (await services.custom('namer')).name() };";
    settled(b.patch(&format!("/api/extensions/{id}"), json!({ "code": code })).await, 200);
    same(&titles(hosts).await, "old");
    settled(c.patch(&format!("/api/services/{service}"), json!({ "code": "return { name: () => 'new' };" })).await, 200);
    same(&titles(hosts).await, "new");
    settled(a.delete(&format!("/api/extensions/{id}")).await, 204);
    settled(b.delete(&format!("/api/services/{service}")).await, 204);
    same(&titles(hosts).await, "as sent");
}

async fn schema_changes(hosts: &[Client; 3]) {
    let [a, b, c] = hosts;
    let named = json!({ "collection": "notes", "meta": {}, "schema": {}, "fields": [field("text", "string")] });
    settled(a.post("/api/collections", named).await, 201);
    for host in hosts {
        create(host, "notes", json!({ "text": "5" })).await;
    }
    settled(b.post("/api/fields/notes", field("size", "integer default=3")).await, 201);
    for host in hosts {
        assert_eq!(create(host, "notes", json!({ "text": "5" })).await["size"], 3);
    }
    // Also where statements that knew the column otherwise are prepared already.
    for (host, ty, expected) in [(c, "integer", json!(5)), (a, "text", json!("5"))] {
        settled(host.patch("/api/fields/notes/text", json!({ "type": ty })).await, 200);
        for host in hosts {
            assert_eq!(host.get("/api/items/notes?limit=1").await.expect(200).data()[0]["text"], expected);
        }
    }
    settled(b.delete("/api/fields/notes/size").await, 204);
    for host in hosts {
        host.post("/api/items/notes", json!({ "size": 1 })).await.expect_error(400, "INVALID_PAYLOAD");
    }
    settled(c.delete("/api/collections/notes").await, 204);
    for host in hosts {
        host.get("/api/items/notes").await.expect_error(404, "COLLECTION_NOT_FOUND");
    }
}

async fn access_changes(hosts: &[Client; 3]) {
    let [a, b, c] = hosts;
    let person = person(a, &[]).await;
    let everywhere = async |status: u16| {
        for host in hosts {
            host.with_token(&*person.token).get("/api/items/articles?limit=1").await.expect(status);
        }
    };
    everywhere(403).await;
    let policy = settled(b.post("/api/policies", json!({ "name": "readers" })).await, 201).data()["id"].clone();
    let permission = json!({ "policy": policy, "collection": "articles", "action": "read", "fields": ["*"] });
    let permission = settled(c.post("/api/permissions", permission).await, 201).data()["id"].clone();
    settled(a.post("/api/access", json!({ "policy": policy, "user": person.id })).await, 201);
    everywhere(200).await;
    settled(b.delete(&format!("/api/permissions/{permission}")).await, 204);
    everywhere(403).await;
    settled(c.patch(&format!("/api/policies/{}", policy.as_str().unwrap()), json!({ "admin_access": true })).await, 200);
    everywhere(200).await;
    settled(a.patch(&format!("/api/users/{}", person.id), json!({ "status": "suspended" })).await, 200);
    everywhere(401).await;
}

const LISTENING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";

#[test]
fn what_is_changed_through_one_host_holds_on_all_for_the_very_next_request() {
    run(Database::Postgres, &[], false, async |app| {
        let (_hosts, clients) = three(app).await;
        articles(app).await;
        assert_eq!(app.number(LISTENING).await, 3);
        extensions_change(&clients).await;
        schema_changes(&clients).await;
        access_changes(&clients).await;
    });
}

#[test]
fn without_listen_the_hosts_look_by_themselves() {
    run(Database::Postgres, &[("DATABASE_LISTEN", "false")], false, async |app| {
        let (_hosts, clients) = three(app).await;
        articles(app).await;
        extensions_change(&clients).await;
        schema_changes(&clients).await;
        access_changes(&clients).await;
        assert_eq!(app.number(LISTENING).await, 0);
    });
}

/// Each of three hosts changes an extension of its own, all at once and again and again: after each change the other two have it.
#[test]
fn changes_that_cross_each_other_leave_no_host_with_an_older_state() {
    run(Database::Postgres, &[], false, async |app| {
        let (_hosts, clients) = three(app).await;
        collection(app, "marks", &[("a", "integer"), ("b", "integer"), ("c", "integer")]).await;
        let mut writers = Vec::new();
        for (at, field) in ["a", "b", "c"].into_iter().enumerate() {
            let id = filter(app, "marks.items.create", "return payload;").await;
            let hosts = clients.clone();
            writers.push(tokio::spawn(async move {
                for n in 1..=6 {
                    let code = format!("return {{ ...payload, {field}: {n} }};");
                    settled(hosts[at].patch(&format!("/api/extensions/{id}"), json!({ "code": code })).await, 200);
                    for host in &hosts {
                        assert_eq!(create(host, "marks", json!({})).await[field], n, "{field} on {}", host.base());
                    }
                }
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

#[test]
fn a_host_that_does_not_answer_is_named_and_catches_up_before_it_answers_again() {
    run(Database::Postgres, &[], true, async |app| {
        let (hosts, [a, b, c]) = three(app).await;
        articles(app).await;
        let id = filter(app, "articles.items.create", "return payload;").await;
        let pid = hosts[0].pid();
        let lagging = |answer: &Answer| {
            let named: Vec<String> =
                serde_json::from_value(answer.json()["meta"]["lagging"].clone()).unwrap_or_else(|e| panic!("{e}: {}", answer.body));
            assert!(named.len() == 1 && named[0].ends_with(&format!(":{pid}")), "{named:?}, not {pid}");
        };
        process::signal(pid, libc::SIGSTOP);
        let change = json!({ "code": "return { ...payload, title: 'changed' };" });
        let late = a.patch(&format!("/api/extensions/{id}"), change).await.expect(200).expect_within(PATIENCE);
        lagging(&late);
        assert_eq!(late.data()["id"], *id);
        assert!(late.took >= PATIENCE, "it was waited for: {:?}", late.took);
        // Who waited in vain doesn't wait again for the same host until that gives a sign of life, and names it all the same.
        let made = json!({ "collection": "later", "meta": {}, "schema": {}, "fields": [field("text", "string")] });
        let made = a.post("/api/collections", made).await.expect(201).expect_within(Duration::from_millis(500));
        lagging(&made);
        assert_eq!(made.data()["collection"], "later");
        let policy = a.post("/api/policies", json!({ "name": "nobody's" })).await.expect(201);
        lagging(&policy);
        lagging(&a.delete(&format!("/api/policies/{}", policy.data()["id"].as_str().unwrap())).await.expect(200));
        same(&titles(&[a.clone(), c.clone()]).await, "changed");
        c.get("/api/items/later").await.expect(200);

        process::signal(pid, libc::SIGCONT);
        b.get("/api/items/later").await.expect(200);
        same(&titles(std::slice::from_ref(&b)).await, "changed");
        settled(a.post(&format!("/api/extensions/{id}/deactivate"), json!({})).await, 200);
        same(&titles(&[b, c]).await, "as sent");
    });
}

#[test]
fn a_host_that_is_gone_is_not_waited_for() {
    run(Database::Postgres, &[], true, async |app| {
        let (mut hosts, [_, b, _]) = three(app).await;
        articles(app).await;
        let (ended, killed) = (hosts.remove(0), hosts.remove(0));
        process::signal(ended.pid(), libc::SIGTERM);
        eventually("the host leaves", Duration::from_secs(20), async || match app.number("SELECT count(*) FROM daas_hosts").await {
            2 => Ok(()),
            n => Err(n.to_string()),
        })
        .await;
        assert!(Answer::try_of(b.request("GET", "/api/health")).await.is_err());
        let silent = format!("UPDATE daas_hosts SET seen_at = '2020-01-01T00:00:00Z' WHERE name LIKE '%:{}'", killed.pid());
        drop(killed);
        app.sql(&silent).await;
        let made = app.post("/api/collections", json!({ "collection": "later", "meta": {}, "schema": {}, "fields": [] })).await;
        settled(made, 201).expect_within(Duration::from_millis(500));
    });
}

both!(what_the_command_line_switches_off_is_off_in_a_running_server, async |app| {
    articles(app).await;
    let body = json!({ "name": "loud", "event": "articles.items.create", "code": "return { ...payload, title: 'loud' };" });
    extension(app, body).await;
    same(&titles(&[Client::clone(app)]).await, "loud");
    assert!(app.run(&["ext", "disable", "loud"]).status.success());
    eventually("it is off", Duration::from_secs(10), async || match titles(&[Client::clone(app)]).await[0].as_str() {
        Some("as sent") => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
});
