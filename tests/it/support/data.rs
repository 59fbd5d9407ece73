//! Collections, people and extensions as the tests make them: the one place that knows the bodies.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::client::{Answer, Client};

/// The body of one field. `spec` is a type followed by marks: `string required unique`, `decimal(12,2)`, `integer default=5`,
/// `uuid pk special=uuid`. Marks: `pk auto required not_null unique index default=<json> special=<name>`.
pub fn field(name: &str, spec: &str) -> Value {
    let mut words = spec.split_whitespace();
    let kind = words.next().unwrap();
    let (kind, numbers) = kind.split_once('(').map_or((kind, None), |(kind, rest)| (kind, Some(rest.trim_end_matches(')'))));
    let (mut schema, mut meta) = (json!({}), json!({}));
    if let Some((precision, scale)) = numbers.and_then(|n| n.split_once(',')) {
        schema["numeric_precision"] = precision.parse::<u32>().unwrap().into();
        schema["numeric_scale"] = scale.parse::<u32>().unwrap().into();
    }
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("pk", _) => schema["is_primary_key"] = true.into(),
            ("auto", _) => schema["has_auto_increment"] = true.into(),
            ("required", _) => meta["required"] = true.into(),
            ("not_null", _) => schema["is_nullable"] = false.into(),
            ("unique", _) => schema["is_unique"] = true.into(),
            ("index", _) => schema["is_indexed"] = true.into(),
            ("default", value) => schema["default_value"] = serde_json::from_str(value).unwrap(),
            ("special", value) => meta["special"] = json!([value]),
            (other, _) => panic!("no such mark: {other}"),
        }
    }
    json!({ "field": name, "type": kind, "schema": schema, "meta": meta })
}

/// Makes a collection; without a field marked `pk` it has an integer key `id` that counts by itself.
pub async fn collection(admin: &Client, name: &str, fields: &[(&str, &str)]) {
    create_collection(admin, name, fields).await.expect(201);
}

/// The same, for tests that look at the answer.
pub async fn create_collection(admin: &Client, name: &str, fields: &[(&str, &str)]) -> Answer {
    let fields: Vec<Value> = fields.iter().map(|(name, spec)| field(name, spec)).collect();
    admin.post("/api/collections", json!({ "collection": name, "meta": {}, "schema": {}, "fields": fields })).await
}

/// `articles` with a title, a slug and a body: what most tests need.
pub async fn articles(admin: &Client) {
    collection(admin, "articles", &[("title", "string"), ("slug", "string"), ("body", "text"), ("views", "integer")]).await;
}

/// Creates an item and gives it as answered.
pub async fn create(client: &Client, collection: &str, item: Value) -> Value {
    client.post(&format!("/api/items/{collection}"), item).await.expect(201).data()
}

/// How many items a collection holds, asked with rights.
pub async fn count(admin: &Client, collection: &str) -> u64 {
    let answer = admin.get(&format!("/api/items/{collection}?limit=1&meta=total_count")).await.expect(200).json();
    answer["meta"]["total_count"].as_u64().unwrap_or_else(|| panic!("no total_count: {answer}"))
}

/// One field of all items, by key.
pub async fn column(admin: &Client, collection: &str, field: &str) -> Vec<Value> {
    let rows = admin.get(&format!("/api/items/{collection}?limit=-1&sort=id&fields={field}")).await.expect(200).data();
    rows.as_array().unwrap().iter().map(|row| row[field].clone()).collect()
}

/// Creates an extension from `body`, active and with a name of its own unless `body` says otherwise; gives its id.
pub async fn extension(admin: &Client, body: Value) -> String {
    let answer = create_extension(admin, body).await.expect(201).data();
    answer["id"].as_str().unwrap_or_else(|| panic!("no id: {answer}")).to_owned()
}

/// The same, for tests that look at the answer.
pub async fn create_extension(admin: &Client, body: Value) -> Answer {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let mut whole = json!({ "name": format!("extension {}", NEXT.fetch_add(1, Ordering::Relaxed)), "status": "active", "type": "filter" });
    for (key, value) in body.as_object().unwrap() {
        whole[key] = value.clone();
    }
    admin.post("/api/extensions", whole).await
}

/// An active filter hook; gives its id.
pub async fn filter(admin: &Client, event: &str, code: &str) -> String {
    extension(admin, json!({ "event": event, "type": "filter", "code": code })).await
}

/// An active action hook; gives its id.
pub async fn action(admin: &Client, event: &str, code: &str) -> String {
    extension(admin, json!({ "event": event, "type": "action", "code": code })).await
}

/// The extension as the API shows it.
pub async fn read_extension(admin: &Client, id: &str) -> Value {
    admin.get(&format!("/api/extensions/{id}")).await.expect(200).data()
}

pub async fn deactivate(admin: &Client, id: &str) {
    admin.post(&format!("/api/extensions/{id}/deactivate"), json!({})).await.expect(200);
}

pub async fn activate(admin: &Client, id: &str) {
    admin.post(&format!("/api/extensions/{id}/activate"), json!({})).await.expect(200);
}

/// A permission: one action on one collection, with these fields (`*` for all).
pub fn may(action: &str, collection: &str, fields: &[&str]) -> Value {
    json!({ "action": action, "collection": collection, "fields": fields })
}

/// All four actions on all fields of a collection.
pub fn may_all(collection: &str) -> Vec<Value> {
    ["create", "read", "update", "delete"].map(|action| may(action, collection, &["*"])).to_vec()
}

/// A policy with these permissions; gives its id.
pub async fn policy(admin: &Client, permissions: &[Value]) -> String {
    let policy =
        admin.post("/api/policies", json!({ "name": "of a test", "admin_access": false, "app_access": false })).await.expect_created();
    for permission in permissions {
        let mut permission = permission.clone();
        permission["policy"] = policy.clone().into();
        admin.post("/api/permissions", permission).await.expect_created();
    }
    policy
}

/// Gives everybody, signed in or not, these permissions.
pub async fn public_may(admin: &Client, permissions: &[Value]) {
    let policy = policy(admin, permissions).await;
    admin.post("/api/access", json!({ "policy": policy, "role": null, "user": null })).await.expect_created();
}

/// A person that the tests made.
pub struct Person {
    pub id: String,
    pub email: String,
    pub password: String,
    /// The static token.
    pub token: String,
    /// Speaks with the person's static token.
    pub client: Client,
}

/// A user with a password, a static token and exactly these permissions.
pub async fn person(admin: &Client, permissions: &[Value]) -> Person {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let (email, password, token) =
        (format!("person{n}@example.com"), format!("password of person {n}"), format!("static-token-of-person-{n}-0123456789abcdef"));
    let body = json!({ "email": email, "password": password, "token": token, "status": "active" });
    let id = admin.post("/api/users", body).await.expect_created();
    if !permissions.is_empty() {
        let policy = policy(admin, permissions).await;
        admin.post("/api/access", json!({ "policy": policy, "user": id, "role": null })).await.expect_created();
    }
    Person { id, email, password, client: admin.with_token(&*token), token }
}

impl Answer {
    /// 201 (or 200, which system routes may answer) and the new key as text.
    #[track_caller]
    fn expect_created(self) -> String {
        let data = self.expect(201).data();
        match &data["id"] {
            Value::String(id) => id.clone(),
            Value::Number(id) => id.to_string(),
            _ => panic!("no id: {data}"),
        }
    }
}

/// Runs `code`, the body of an async function, inside a real filter hook as the caller of `client` and gives what it returns. What it
/// throws reaches the test as the answer to the write.
pub async fn inside_a_filter(admin: &Client, client: &Client, code: &str) -> Answer {
    if admin.get("/api/collections/inside").await.status != 200 {
        collection(admin, "inside", &[("out", "json")]).await;
    }
    let body = format!("const out = await (async () => {{\n{code}\n}})();\nreturn {{ ...payload, out: out === undefined ? null : out }};");
    let id = filter(admin, "inside.items.create", &body).await;
    let answer = client.post("/api/items/inside", json!({})).await;
    admin.delete(&format!("/api/extensions/{id}")).await.expect(204);
    answer
}

/// [`inside_a_filter`] as the admin, for code that must succeed.
pub async fn result_of(admin: &Client, code: &str) -> Value {
    inside_a_filter(admin, admin, code).await.expect(201).data()["out"].take()
}
