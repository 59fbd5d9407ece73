//! Packages of the npm registry run as they are, each in an extension that does with it what one installs it for. What the documentation
//! says works is what is tested here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::*;

/// Installs an extension of the fixture with the packages that its own package needs.
fn install(app: &TestApp, fixture: &Path, name: &str) {
    let lock: Value = serde_json::from_slice(&std::fs::read(fixture.join("package-lock.json")).unwrap()).unwrap();
    let folder = app.folder_path(name);
    let mut open = vec![package_of(name).to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(package) = open.pop() {
        if !seen.insert(package.clone()) {
            continue;
        }
        npm::copy(&fixture.join("node_modules").join(&package), &folder.join("node_modules").join(&package));
        let dependencies = &lock["packages"][format!("node_modules/{package}")]["dependencies"];
        open.extend(dependencies.as_object().into_iter().flat_map(|map| map.keys().cloned()));
    }
    std::fs::copy(fixture.join(name).join("index.mjs"), folder.join("index.mjs")).unwrap();
}

/// The folders of the fixture can't be named as scoped packages are.
fn package_of(folder: &str) -> &str {
    if folder == "postgrest-js" { "@supabase/postgrest-js" } else { folder }
}

async fn post(app: &TestApp, name: &str, body: Value, status: u16) -> Value {
    app.anonymous().post(&format!("/api/ext/{name}"), body).await.expect(status).json()
}

async fn zod(app: &TestApp) {
    let order = json!({ "email": "a@b.example", "lines": [{ "sku": "abc", "quantity": "2", "more": 1 }], "due": "2026-02-28" });
    let parsed = json!({ "email": "a@b.example", "lines": [{ "sku": "abc", "quantity": 2 }], "due": "2026-02-28" });
    assert_eq!(post(app, "zod", order, 200).await, parsed);
    let told = post(app, "zod", json!({ "email": "nobody", "lines": [{ "sku": "a", "quantity": 0.5 }], "due": "2026-02-30" }), 422).await;
    let expected = ["email: invalid_format", "lines.0.sku: too_small", "lines.0.quantity: invalid_type", "due: invalid_format"];
    assert_eq!(told, json!({ "problems": expected }));
}

async fn valibot(app: &TestApp) {
    let parsed = post(app, "valibot", json!({ "email": " a@b.example ", "lines": [{ "sku": "a", "quantity": 1 }] }), 200).await;
    assert_eq!(parsed, json!({ "email": "a@b.example", "lines": [{ "sku": "a", "quantity": 1 }] }));
    let told = post(app, "valibot", json!({ "email": "nobody", "lines": [{ "sku": "a", "quantity": 0 }] }), 422).await;
    let names: BTreeSet<&String> = told["problems"].as_object().unwrap().keys().collect();
    assert!(names.iter().eq(["email", "lines.0.quantity"].iter()), "{told}");
}

async fn hono(app: &TestApp) {
    let client = app.anonymous();
    let asked = client.request("GET", "/api/ext/hono/books/7?page=2").header("origin", "https://shop.example");
    let book = Answer::of(asked).await.expect(200);
    assert_eq!((book.json(), book.header("access-control-allow-origin")), (json!({ "id": 7, "page": "2" }), "https://shop.example"));
    assert_eq!(post(app, "hono/books", json!({ "title": "Trees" }), 201).await, json!({ "made": "Trees" }));
    assert_eq!(client.post("/api/ext/hono/books", json!({})).await.expect(422).body, "A book has a title");
    client.get("/api/ext/hono/secret/plans").await.expect(401);
    assert_eq!(client.get("/api/ext/hono/books/x").await.expect(404).json(), json!({ "error": "nothing here" }));
}

async fn date_fns(app: &TestApp) {
    let told = post(app, "date-fns", json!({ "from": "2026-03-27T10:00:00Z", "to": "2026-04-02T09:00:00Z" }), 200).await;
    let expected = json!({
        "days": 6, "each": 7, "due": "2026-04-01T10:00:00.000Z", "german": "Freitag, 27. März 2026", "distance": "6 days",
    });
    assert_eq!(told, expected);
}

async fn lodash_es(app: &TestApp) {
    let lines = json!([{ "sku": "b", "quantity": 1 }, { "sku": "a", "quantity": 2 }, { "sku": "b", "quantity": 4 }]);
    let expected = json!({ "sums": { "b": 5, "a": 2 }, "skus": ["a", "b"], "words": "strasse-und-cafe" });
    assert_eq!(post(app, "lodash-es", lines, 200).await, expected);
}

async fn nanoid(app: &TestApp) {
    let (one, two) = (post(app, "nanoid", json!({}), 200).await, post(app, "nanoid", json!({}), 200).await);
    let ids: BTreeSet<&str> = [&one, &two].iter().flat_map(|told| told["ids"].as_array().unwrap()).filter_map(Value::as_str).collect();
    assert_eq!(ids.len(), 200);
    assert!(ids.iter().all(|id| id.len() == 21 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')), "{ids:?}");
    assert!(one["code"] != two["code"] && one["code"].as_str().is_some_and(|code| code.len() == 8), "{one} {two}");
}

async fn jose(app: &TestApp) {
    let secret = "a secret of this test, as long as need be";
    let told = post(app, "jose", json!({ "secret": secret, "claims": { "sub": "ada" } }), 200).await;
    assert_eq!((&told["sub"], &told["algorithm"]), (&json!("ada"), &json!("HS256")));
    assert_eq!(told["refused"], "ERR_JWS_SIGNATURE_VERIFICATION_FAILED");
    assert_eq!(told["pairs"], json!({ "ES256": "ada", "EdDSA": "ada" }));
    // What it signed is understood by another implementation, and the other way round.
    let key = jsonwebtoken::DecodingKey::from_secret(secret.as_bytes());
    let validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    let read = jsonwebtoken::decode::<Value>(told["token"].as_str().unwrap(), &key, &validation).unwrap();
    assert_eq!((&read.claims["sub"], &read.claims["iss"]), (&json!("ada"), &json!("shop")));
    let sign = |claims: Value| {
        let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
    };
    let verify = async |claims: Value| post(app, "jose/verify", json!({ "token": sign(claims), "secret": secret }), 200).await;
    assert_eq!(verify(json!({ "sub": "bob", "exp": 4_000_000_000_u64 })).await["sub"], "bob");
    assert_eq!(verify(json!({ "sub": "bob", "exp": 1 })).await, json!({ "refused": "ERR_JWT_EXPIRED" }));
}

async fn marked(app: &TestApp) {
    let text = "# Prices\n\n| sku | price |\n| --- | ---: |\n| a | **1** |\n\n1. [shop](https://shop.example)\n2. `x < y`\n";
    let page = app.anonymous().raw("POST", "/api/ext/marked", text).await.expect(200).body;
    for part in [
        "<h1>Prices</h1>",
        "<td align=\"right\"><strong>1</strong></td>",
        "<a rel=\"nofollow\" href=\"https://shop.example\">shop</a>",
        "<code>x &lt; y</code>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

async fn fast_xml_parser(app: &TestApp) {
    let client = app.anonymous();
    let send = async |text: &'static str| client.raw("POST", "/api/ext/fast-xml-parser", text).await;
    let told = send("<order id=\"7\"><line sku=\"a\">2</line><line sku=\"b\">x &amp; y</line></order>").await.expect(200).json();
    let order = json!({ "order": { "line": [{ "#text": 2, "@sku": "a" }, { "#text": "x & y", "@sku": "b" }], "@id": "7" } });
    assert_eq!(told["data"], order);
    assert_eq!(told["again"], "<order id=\"7\"><line sku=\"a\">2</line><line sku=\"b\">x &amp; y</line></order>");
    assert_eq!(send("<order>\n<line></order>").await.expect(422).json()["code"], "InvalidTag");
}

async fn postgrest_js(app: &TestApp) {
    articles(app).await;
    create(app, "articles", json!({ "title": "other" })).await;
    let told = post(app, "postgrest-js", json!({ "title": "by the client" }), 200).await;
    assert_eq!(told["made"], json!([201, "by the client"]));
    assert_eq!(
        (&told["found"], &told["count"], &told["error"]),
        (&json!([{ "id": 2, "title": "by the client" }]), &json!(1), &Value::Null)
    );
}

#[test]
fn packages_run_as_they_are() {
    if !npm::available() {
        return;
    }
    run(Database::Sqlite, &[], false, async |app| {
        let fixture = npm::installed("tests/fixtures/packages");
        let manifest: Value = serde_json::from_slice(&std::fs::read(fixture.join("package.json")).unwrap()).unwrap();
        let names: Vec<String> = std::fs::read_dir(&fixture)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| fixture.join(name).join("index.mjs").is_file())
            .collect();
        // Every package of the fixture is tried, and the documentation has just these.
        let wanted: BTreeMap<&str, &str> = manifest["dependencies"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, version)| (name.as_str(), version.as_str().unwrap()))
            .collect();
        assert!(names.iter().map(|name| package_of(name)).collect::<BTreeSet<_>>().iter().eq(wanted.keys()), "{names:?} {wanted:?}");
        let documentation = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/WEB.md")).unwrap();
        let table = documentation.split("## Packages that run unmodified\n").nth(1).unwrap();
        let rows = table.lines().skip_while(|line| !line.starts_with("| ---")).skip(1).take_while(|line| line.starts_with('|'));
        let documented: BTreeMap<&str, &str> = rows
            .map(|row| {
                let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`')).skip(1);
                (cells.next().unwrap(), cells.next().unwrap())
            })
            .collect();
        assert_eq!(documented, wanted);
        for name in &names {
            install(app, &fixture, name);
        }
        for name in &names {
            app.folder_is(name, "active", |entry| entry["status"] == "active").await;
        }
        zod(app).await;
        valibot(app).await;
        hono(app).await;
        date_fns(app).await;
        lodash_es(app).await;
        nanoid(app).await;
        jose(app).await;
        marked(app).await;
        fast_xml_parser(app).await;
        postgrest_js(app).await;
    });
}
