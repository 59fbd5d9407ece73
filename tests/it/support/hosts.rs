//! More hosts on the database of one app, and what must hold on all of them together.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::json;

use super::app::{ADMIN_TOKEN, TestApp, free_port};
use super::client::{Answer, Client};
use super::{action, collection, count, eventually};

/// One more host. It ends with its test.
pub struct Host {
    child: Child,
    pub client: Client,
}

impl Host {
    /// Starts it and waits until it says that it is well.
    pub async fn start(app: &TestApp) -> Self {
        let port = free_port();
        let log = fs::File::create(app.dir().join(format!("host-{port}.log"))).unwrap();
        let mut command = app.command(&["serve"]);
        command.env("PORT", port.to_string()).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        let client = Client::new(&format!("http://127.0.0.1:{port}"), Some(ADMIN_TOKEN.to_owned()));
        let host = Self { child: command.spawn().unwrap(), client };
        eventually("the host is ready", Duration::from_secs(30), async || {
            match Answer::try_of(host.client.request("GET", "/api/health")).await {
                Ok(answer) if answer.status == 200 => Ok(()),
                Ok(answer) => Err(answer.body),
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
        host
    }
}

impl Host {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Host {
    /// As a power cut would.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What [`order_is_kept`] writes and has written.
pub async fn order_collections(app: &TestApp) {
    collection(app, "articles", &[("views", "integer")]).await;
    collection(app, "log", &[("item", "integer"), ("views", "integer")]).await;
    let code = "await new Promise((r) => setTimeout(r, Math.random() * 6));
                await (await services.items('log')).createOne({ item: meta.key, views: meta.payload.views });";
    action(app, "articles.items.update", code).await;
}

/// Two hosts update `items` articles `writes` times each, all at once and each item by both in turn, while the second is killed `kills`
/// times. An action writes `log` rows of `item` and `views`: those of each item must rise without a gap.
pub async fn order_is_kept(app: &TestApp, items: usize, writes: usize, kills: usize) {
    app.post("/api/items/articles", (0..items).map(|_| json!({ "views": 0 })).collect()).await.expect(201);
    let mut second = Host::start(app).await;
    let address = std::sync::Arc::new(std::sync::Mutex::new(second.client.clone()));
    let writers: Vec<_> = (1..=items)
        .map(|item| {
            let (first, address) = (Client::clone(app), address.clone());
            tokio::spawn(async move {
                for views in 1..=writes {
                    let other = address.lock().unwrap().clone();
                    let path = format!("/api/items/articles/{item}");
                    let body = json!({ "views": views });
                    let turn = if (item + views) % 2 == 0 { &other } else { &first };
                    // One that got no answer may be written or not: it is written again, with the same value.
                    match Answer::try_of(turn.request("PATCH", &path).json(&body)).await {
                        Ok(answer) => drop(answer.expect(200)),
                        Err(_) => drop(first.patch(&path, body).await.expect(200)),
                    }
                }
            })
        })
        .collect();
    for kill in 1..=kills {
        let share = (items * writes * kill / (kills + 2)) as u64;
        eventually("some are delivered", Duration::from_secs(60), async || match count(app, "log").await {
            n if n >= share => Ok(()),
            n => Err(format!("{n} of {share}")),
        })
        .await;
        drop(second);
        second = Host::start(app).await;
        *address.lock().unwrap() = second.client.clone();
    }
    for writer in writers {
        writer.await.unwrap();
    }
    eventually("nothing is owed any more", Duration::from_secs(90), async || {
        match app.number("SELECT count(*) FROM daas_deliveries").await {
            0 => Ok(()),
            n => Err(n.to_string()),
        }
    })
    .await;
    let rows = app.get("/api/items/log?limit=-1&sort=id&fields=item,views").await.expect(200).data();
    let mut seen: Vec<Vec<u64>> = vec![Vec::new(); items];
    for row in rows.as_array().unwrap() {
        let number = |name: &str| row[name].as_u64().unwrap_or_else(|| panic!("{row}"));
        seen[number("item") as usize - 1].push(number("views"));
    }
    for (at, mut views) in seen.into_iter().enumerate() {
        assert!(views.is_sorted(), "item {}: {views:?}", at + 1);
        views.dedup();
        assert_eq!(views, (1..=writes as u64).collect::<Vec<_>>(), "item {}", at + 1);
    }
}
