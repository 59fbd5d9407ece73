//! Mail: over a real server, once, and never of what was undone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::app::free_port;
use crate::support::*;

/// How long what is owed may take on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// The file that moves the clock of the program; it lies in its working directory.
const CLOCK: (&str, &str) = ("TRELLIS_TEST_CLOCK", "clock");

/// A mail server of its own, by the npm package of that name.
pub struct MailServer {
    child: Option<Child>,
    folder: TempDir,
    options: Value,
    port: u16,
}

impl MailServer {
    /// None where there is no npm: then nothing is tested.
    pub async fn start(options: Value) -> Option<Self> {
        if !npm::available() {
            return None;
        }
        let mut server = Self { child: None, folder: tempfile::tempdir().unwrap(), options, port: free_port() };
        server.options["port"] = server.port.into();
        server.begin().await;
        Some(server)
    }

    async fn begin(&mut self) {
        let script = npm::installed("tests/fixtures/smtp").join("server.mjs");
        let _ = fs::remove_file(self.folder.path().join("port"));
        let mut command = Command::new("node");
        command.arg(script).arg(self.folder.path()).arg(self.options.to_string()).stdin(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        eventually("the mail server listens", SOON, async || {
            fs::read_to_string(self.folder.path().join("port")).map_err(|e| e.to_string())
        })
        .await;
    }

    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Where it writes down every message that it took, one a line.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("mails")
    }

    /// Every message that it took.
    fn mails(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.file()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub async fn has(&self, count: usize) -> Vec<Value> {
        eventually("the mail arrives", SOON, async || {
            let mails = self.mails();
            if mails.len() == count { Ok(mails) } else { Err(format!("{mails:?}")) }
        })
        .await
    }

    fn settings(&self) -> Value {
        json!({ "enabled": true, "host": "localhost", "port": self.port, "from": "Trellis <noreply@example.com>", "ignore_tls": true })
    }

    /// Tells the program to use it.
    pub async fn used_by(&self, app: &TestApp) {
        app.patch("/api/settings/smtp", self.settings()).await.expect(200);
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.end();
    }
}

/// A certificate of its own for `localhost`, and its key.
fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (cert, key)
}

/// Tells the program to use it with TLS, user and password.
async fn sign_in_to(app: &TestApp, server: &MailServer, change: Value) {
    let mut settings = server.settings();
    settings["ignore_tls"] = false.into();
    settings["user"] = "mailer".into();
    settings["password"] = "päss word".into();
    settings.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    app.patch("/api/settings/smtp", settings).await.expect(200);
}

/// What code answers that runs outside of any transaction: in a job, by hand. What it throws comes as `{ code, message }`.
async fn outside(app: &TestApp, code: &str) -> Value {
    let body = format!(
        "const run = async () => {{ {code} }};\nconst out = await run().catch(({{ code, name, message }}) => ({{ code: code ?? name, message }}));\n\
         console.log(JSON.stringify(out));"
    );
    let name = uuid::Uuid::new_v4().to_string();
    let job = app.post("/api/cron", json!({ "name": name, "schedule": "@yearly", "code": body })).await.expect(201).data();
    let id = job["id"].as_str().unwrap();
    app.post(&format!("/api/cron/{id}/run"), json!({})).await.expect(200);
    let run = app.get(&format!("/api/cron/{id}/history")).await.expect(200).data()[0].clone();
    assert_eq!(run["status"], "success", "{run}");
    serde_json::from_str(run["logs"][0]["message"].as_str().unwrap()).unwrap()
}

both!(a_message_arrives_once_with_all_its_parts, async |app| {
    let Some(server) = MailServer::start(json!({})).await else { return };
    server.used_by(app).await;
    let answer = outside(
        app,
        "return services.mail({ to: ['ann@example.com', { name: 'Zoë', address: 'zoe@example.com' }], cc: 'carl@example.com', bcc: \
         'secret@example.com', replyTo: 'help@example.com', subject: 'Grüße', html: '<p>Hi <b>Ann</b></p>', attachments: [{ filename: \
         'a.bin', content: new Uint8Array([0, 1, 2, 250, 251]) }, { filename: 'b.txt', content: 'plain', contentType: 'text/plain' }] });",
    )
    .await;
    assert_eq!(answer["success"], true, "{answer}");
    assert_eq!(answer["accepted"], json!(["ann@example.com", "zoe@example.com", "carl@example.com", "secret@example.com"]));
    assert_eq!((&answer["rejected"], answer.get("queued")), (&json!([]), None));
    let mail = server.has(1).await.remove(0);
    assert_eq!((&mail["from"], &mail["to"]), (&json!("noreply@example.com"), &answer["accepted"]));
    let text = mail["text"].as_str().unwrap();
    let id = format!("Message-ID: {}", answer["messageId"].as_str().unwrap());
    for part in
        ["Hi Ann", "Reply-To: help@example.com", "multipart/alternative", "AAEC+vs=", "filename=\"b.txt\"", "From: Trellis", id.as_str()]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("secret@"), "{text}");

    let answer = outside(
        app,
        "const mail = await services.mail(); return mail.send({ to: 'ann@example.com, never@example.com', subject: 's', text: 't' });",
    )
    .await;
    assert_eq!(
        (&answer["success"], &answer["accepted"], &answer["rejected"]),
        (&json!(true), &json!(["ann@example.com"]), &json!(["never@example.com"]))
    );
    let answer = outside(app, "return services.mail({ to: 'never@example.com', subject: 's', text: 't' });").await;
    assert_eq!((&answer["success"], &answer["accepted"]), (&json!(false), &json!([])));
    assert!(answer["error"].as_str().unwrap().contains("no such person"), "{answer}");
    assert_eq!(outside(app, "return (await services.mail()).verify();").await, json!({ "success": true }));
    assert_eq!(server.mails().len(), 2);
});

both!(what_cannot_be_a_message_throws_and_nothing_leaves, async |app| {
    let Some(server) = MailServer::start(json!({})).await else { return };
    server.used_by(app).await;
    for (options, part) in [
        ("{ to: 'ann@example.com', subject: 'a\\r\\nBcc: eve@example.com', text: 't' }", "`subject` must not hold line breaks"),
        ("{ to: 'ann@example.com\\r\\nRCPT TO:<eve@example.com>', subject: 's', text: 't' }", "`to` must not hold line breaks"),
        ("{ to: ['ann@example.com', 'nobody'], subject: 's', text: 't' }", "`to[1]` isn't an e-mail address: nobody"),
        ("{ to: 'ann@example.com', subject: 's' }", "`text` is needed"),
        ("{ to: 'ann@example.com', subject: 's', text: 't', headers: { Bcc: 'x' } }", "has no member `headers`"),
        (
            "{ to: 'ann@example.com', subject: 's', text: 't', attachments: [{ filename: 'x', content: 5 }] }",
            "`attachments[0].content` must be a text",
        ),
        (
            "{ to: 'ann@example.com', subject: 's', text: 't', attachments: [{ filename: 'x', path: '/etc/passwd' }] }",
            "`attachments[0].path` isn't known",
        ),
        ("5", "the options must be an object"),
    ] {
        let answer = outside(app, &format!("return services.mail({options});")).await;
        let code = answer["code"].as_str().unwrap();
        assert!(
            ["INVALID_PAYLOAD", "TypeError"].contains(&code) && answer["message"].as_str().unwrap().contains(part),
            "{options}: {answer}"
        );
    }
    // A lone dot ends a message: not one of the text.
    outside(app, "return services.mail({ to: 'ann@example.com', subject: 's', text: 'one\\r\\n.\\r\\nMAIL FROM:<eve@example.com>' });")
        .await;
    let mail = server.has(1).await.remove(0);
    assert!(mail["text"].as_str().unwrap().contains("MAIL FROM"), "{mail}");
});

both!(what_is_undone_sends_nothing_and_what_is_committed_is_sent_once, async |app| {
    let Some(server) = MailServer::start(json!({})).await else { return };
    server.used_by(app).await;
    collection(app, "orders", &[("what", "string"), ("out", "json")]).await;
    collection(app, "audit", &[("what", "string")]).await;
    let code = "const mail = () => services.mail({ to: 'ann@example.com', subject: payload.what, text: 't' });\nif (payload.what === 'early') { await \
                mail(); throw new Error('no'); }\nawait (await services.items('audit')).createOne({ what: payload.what });\nconst out = await \
                mail();\nif (payload.what === 'late') throw new Error('no');\nif (payload.what === 'verify') await (await \
                services.mail()).verify();\nif (payload.what === 'savepoint') { await services.transaction(async (s) => { await s.mail({ to: \
                'eve@example.com', subject: 'undone', text: 't' }); throw new Error('undone'); }).catch(() => {}); }\nreturn { ...payload, out };";
    filter(app, "orders.items.create", code).await;
    app.post("/api/items/orders", json!({ "what": "early" })).await.expect_error(400, "EXTENSION_ERROR");
    app.post("/api/items/orders", json!({ "what": "late" })).await.expect_error(400, "EXTENSION_ERROR");
    app.post("/api/items/orders", json!({ "what": "verify" })).await.expect_error(500, "EXTENSION_FAILED");
    // Refused after its filters ran: by the row itself.
    app.post("/api/items/orders", json!([{ "id": 7, "what": "twice" }, { "id": 7, "what": "twice" }]))
        .await
        .expect_error(409, "RECORD_NOT_UNIQUE");
    let order = create(app, "orders", json!({ "what": "kept" })).await;
    assert_eq!((&order["out"]["success"], &order["out"]["queued"], &order["out"]["accepted"]), (&json!(true), &json!(true), &json!([])));
    create(app, "orders", json!({ "what": "savepoint" })).await;
    let mails = server.has(2).await;
    for (mail, subject) in mails.iter().zip(["kept", "savepoint"]) {
        assert!(mail["text"].as_str().unwrap().contains(&format!("Subject: {subject}\r\n")) || mails.len() == 2, "{mail}");
    }
    assert!(
        mails[0]["text"].as_str().unwrap().contains(order["out"]["messageId"].as_str().unwrap())
            || mails[1]["text"].as_str().unwrap().contains(order["out"]["messageId"].as_str().unwrap())
    );
    // A test of code leaves none either.
    let test = json!({ "type": "filter", "event": "orders.items.create", "code": code, "testPayload": { "what": "tested" } });
    let report = app.post("/api/extensions/test", test).await.expect(200).data();
    assert_eq!((&report["success"], &report["result"]["out"]["queued"]), (&json!(true), &json!(true)), "{report}");
    eventually("nothing is owed", SOON, async || match app.number("SELECT count(*) FROM daas_deliveries").await {
        0 => Ok(()),
        left => Err(format!("{left} deliveries")),
    })
    .await;
    assert_eq!(server.mails().len(), 2);
});

both!(a_delivery_that_runs_again_sends_nothing_again, env: [CLOCK], async |app| {
    let Some(server) = MailServer::start(json!({})).await else { return };
    server.used_by(app).await;
    collection(app, "orders", &[("what", "string")]).await;
    collection(app, "tries", &[("attempt", "integer"), ("out", "json")]).await;
    let code = "const send = (subject) => services.mail({ to: 'ann@example.com', subject, text: 't' });\nconst out = [await send('first'), await \
                services.transaction((s) => s.mail({ to: 'bob@example.com', subject: 'queued', text: 't' }))];\nif (meta.delivery.attempt > 1) \
                out.push(await send('third'));\nawait (await services.items('tries')).createOne({ attempt: meta.delivery.attempt, out });\nif \
                (meta.delivery.attempt < 3) throw new Error('again');";
    action(app, "orders.items.create", code).await;
    create(app, "orders", json!({ "what": "x" })).await;
    let tries = async |count: usize| {
        eventually("it was tried", SOON, async || {
            let outs = column(app, "tries", "out").await;
            if outs.len() == count { Ok(outs) } else { Err(format!("{outs:?}")) }
        })
        .await
    };
    tries(1).await;
    server.has(2).await;
    fs::write(app.dir().join("clock"), "+20000").unwrap();
    tries(2).await;
    server.has(3).await;
    fs::write(app.dir().join("clock"), "+120000").unwrap();
    let outs = tries(3).await;
    eventually("nothing is owed", SOON, async || match app.number("SELECT count(*) FROM daas_deliveries").await {
        0 => Ok(()),
        left => Err(format!("{left} deliveries")),
    })
    .await;
    let mails = server.mails();
    assert_eq!(mails.len(), 3, "{mails:?}");
    assert_eq!((&outs[0][0], &outs[0][0]), (&outs[1][0], &outs[2][0]), "each try is told the same");
    assert_eq!(outs[0][1]["messageId"], outs[2][1]["messageId"]);
});

both!(a_message_that_waits_survives_the_death_of_server_and_host, env: [CLOCK], async |app| {
    let Some(mut server) = MailServer::start(json!({})).await else { return };
    server.used_by(app).await;
    collection(app, "orders", &[("what", "string")]).await;
    filter(app, "orders.items.create", "await services.mail({ to: ['ann@example.com', 'later@example.com'], subject: 's', text: 't' });").await;
    server.end();
    create(app, "orders", json!({ "what": "x" })).await;
    eventually("it was tried", SOON, async || match app.number("SELECT count(*) FROM daas_deliveries WHERE attempt = 1 AND status = 'pending' AND last_error IS NOT NULL").await {
        1 => Ok(()),
        _ => Err(String::new()),
    })
    .await;
    app.kill9();
    server.begin().await;
    // One recipient isn't taken yet: it waits for it, three times, and then goes to the other.
    fs::write(app.dir().join("clock"), "+60000").unwrap();
    app.launch().await;
    for (attempt, ahead) in [(2, "+180000"), (3, "+1000000")] {
        let tried = format!("SELECT count(*) FROM daas_deliveries WHERE attempt = {attempt} AND last_error LIKE '%come back later%'");
        eventually("it was tried again", SOON, async || match app.number(&tried).await {
            1 => Ok(()),
            _ => Err(String::new()),
        })
        .await;
        assert!(server.mails().is_empty());
        fs::write(app.dir().join("clock"), ahead).unwrap();
    }
    let mail = server.has(1).await.remove(0);
    assert_eq!(mail["to"], json!(["ann@example.com"]));
});

both!(the_server_is_trusted_by_its_certificate_and_signed_in_to, async |app| {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(folder.path());
    let signed = json!({ "cert": cert, "key": key, "user": "mailer", "password": "päss word" });
    let Some(starttls) = MailServer::start(signed.clone()).await else { return };
    let mut wrapped = signed.clone();
    wrapped["secure"] = true.into();
    let wrapped = MailServer::start(wrapped).await.unwrap();
    const SEND: &str = "return services.mail({ to: 'ann@example.com', subject: 's', text: 't' });";
    // Nobody vouches for it.
    sign_in_to(app, &starttls, json!({})).await;
    let answer = outside(app, SEND).await;
    assert!(answer["success"] == false && answer["error"].as_str().unwrap().to_lowercase().contains("certificate"), "{answer}");
    app.stop().await;
    app.set_env(&[("SSL_CERT_FILE", cert.to_str().unwrap())]);
    app.launch().await;
    assert_eq!(outside(app, SEND).await["success"], true);
    let mail = starttls.has(1).await.remove(0);
    assert_eq!((&mail["secure"], &mail["user"]), (&json!(true), &json!("mailer")));
    sign_in_to(app, &wrapped, json!({ "secure": true })).await;
    assert_eq!(outside(app, SEND).await["success"], true);
    assert_eq!(wrapped.has(1).await[0]["secure"], true);
    sign_in_to(app, &wrapped, json!({ "secure": true, "password": "wrong" })).await;
    let answer = outside(app, SEND).await;
    assert!(answer["success"] == false && answer["error"].as_str().unwrap().contains("user and password"), "{answer}");
    assert!(!answer.to_string().contains("wrong"), "{answer}");
    // A name that isn't the certificate's.
    sign_in_to(app, &wrapped, json!({ "secure": true, "host": "127.0.0.1" })).await;
    assert_eq!(outside(app, SEND).await["success"], false);
    assert_eq!(wrapped.mails().len(), 1);
});

both!(settings_are_the_admins_and_the_password_is_nobodys, env: [("SMTP_FROM", "env@example.com"), ("SMTP_PORT", "2525"), ("SMTP_PASSWORD", "of the environment")], async |app| {
    let read = app.get("/api/settings/smtp").await.expect(200).data();
    assert_eq!(read, json!({ "enabled": false, "host": "", "port": 2525, "secure": false, "ignore_tls": false, "user": null, "password_set": true, "from": "env@example.com" }));
    let off = outside(app, "return services.mail({ to: 'ann@example.com', subject: 's', text: 't' });").await;
    assert_eq!((&off["success"], &off["error"]), (&json!(false), &json!("Mail is off: `SMTP_ENABLED` is `false`")));
    assert_eq!(outside(app, "return (await services.mail()).verify();").await["success"], false);

    let set = app.patch("/api/settings/smtp", json!({ "host": "mail.example.com", "port": 25, "user": "u", "password": "very secret indeed" })).await.expect(200);
    assert!(!set.body.contains("secret"), "{}", set.body);
    assert_eq!((&set.data()["host"], &set.data()["port"], &set.data()["from"]), (&json!("mail.example.com"), &json!(25), &json!("env@example.com")));
    for column in ["value", "key"] {
        let hidden = match app.database {
            Database::Sqlite => format!("SELECT count(*) FROM daas_settings WHERE \"{column}\" LIKE '%very secret%'"),
            Database::Postgres => format!("SELECT count(*) FROM daas_settings WHERE \"{column}\"::text LIKE '%very secret%'"),
        };
        assert_eq!(app.number(&hidden).await, 0);
    }
    app.restart().await;
    assert_eq!(app.get("/api/settings/smtp").await.expect(200).data()["port"], 25);
    assert_eq!(app.patch("/api/settings/smtp", json!({ "port": null })).await.expect(200).data()["port"], 2525);

    for (change, field) in [
        (json!({ "port": 0 }), "port"),
        (json!({ "port": "25" }), "port"),
        (json!({ "enabled": "yes" }), "enabled"),
        (json!({ "host": "a b" }), "host"),
        (json!({ "from": "nobody" }), "from"),
        (json!({ "from": "a@example.com\r\nBcc: b@example.com" }), "from"),
        (json!({ "password": 5 }), "password"),
        (json!({ "user": "a\nb" }), "user"),
        (json!({ "pasword": "x" }), "pasword"),
    ] {
        let answer = app.patch("/api/settings/smtp", change.clone()).await.expect_error(400, "INVALID_PAYLOAD");
        assert_eq!(answer.field(), field, "{change}");
    }
    let nobody = person(app, &[]).await;
    for client in [&nobody.client, &app.anonymous()] {
        client.get("/api/settings/smtp").await.expect_error(403, "FORBIDDEN");
        client.patch("/api/settings/smtp", json!({ "enabled": true })).await.expect_error(403, "FORBIDDEN");
        client.post("/api/settings/smtp/test", json!({ "to": "ann@example.com" })).await.expect_error(403, "FORBIDDEN");
    }

    let Some(server) = MailServer::start(json!({})).await else { return };
    server.used_by(app).await;
    app.patch("/api/settings/smtp", json!({ "user": null })).await.expect(200);
    let sent = app.post("/api/settings/smtp/test", json!({ "to": "ann@example.com" })).await.expect(200).data();
    assert_eq!(sent["success"], true, "{sent}");
    assert_eq!(server.has(1).await[0]["to"], json!(["ann@example.com"]));
    app.post("/api/settings/smtp/test", json!({ "to": "nobody" })).await.expect_error(400, "INVALID_PAYLOAD");
});
