//! Tests of the layer as its callers see it, on SQLite always and on Postgres where `TRELLIS_TEST_POSTGRES` names a server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collections;
mod fields;
mod queries;
mod relations;

mod transactions;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Map, Value};

use super::migrate::MIGRATIONS;
use super::*;
use crate::db::ddl::NewCollection;

/// A database of the test's own.
pub(super) struct TestDb {
    pub(super) db: Db,
    pub(super) options: DbOptions,
    _folder: tempfile::TempDir,
}

impl std::ops::Deref for TestDb {
    type Target = Db;
    fn deref(&self) -> &Db {
        &self.db
    }
}

/// One empty, migrated database per dialect; `set` may change its options.
pub(super) async fn databases_with(set: impl Fn(&mut DbOptions)) -> Vec<TestDb> {
    static SCHEMAS: AtomicU32 = AtomicU32::new(0);
    let folder = tempfile::tempdir().expect("a folder");
    let mut urls = vec![format!("sqlite://{}/deep/test.db", folder.path().display())];
    if let Ok(server) = std::env::var("TRELLIS_TEST_POSTGRES") {
        let schema = format!("t{}_{}", std::process::id(), SCHEMAS.fetch_add(1, Ordering::Relaxed));
        let mut conn = <sqlx::PgConnection as sqlx::Connection>::connect(&server).await.expect("the test server");
        postgres::control(&mut conn, &format!("CREATE SCHEMA {schema}")).await.expect("a schema");
        urls.push(format!("{server}{}options[search_path]={schema}", if server.contains('?') { '&' } else { '?' }));
    }
    let mut all = Vec::new();
    for url in urls {
        let mut options = DbOptions {
            url,
            readers: 2,
            pool_size: 5,
            prepared: true,
            tx_max: Duration::from_secs(5),
            acquire_timeout: Duration::from_secs(5),
        };
        set(&mut options);
        let db = Db::open(options.clone()).await.expect("open");
        let all_of_them: Vec<&str> = MIGRATIONS.iter().map(|migration| migration.name).collect();
        assert!(all_of_them.is_sorted(), "they are numbered in the order in which they are applied");
        assert_eq!(db.migrate(&Clock::system()).await.expect("migrate"), all_of_them);
        let folder = tempfile::tempdir_in(folder.path()).expect("a folder");
        all.push(TestDb { db, options, _folder: folder });
    }
    // The folder of the file lives as long as the first database.
    all[0]._folder = folder;
    all
}

pub(super) async fn databases() -> Vec<TestDb> {
    databases_with(|_| {}).await
}

/// An object as the row of an item.
pub(super) fn row(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("not an object: {other}"),
    }
}

/// Makes a collection whose first field is the key.
pub(super) async fn make(db: &Db, name: &str, mut fields: Vec<Field>) -> Arc<Collection> {
    if matches!(fields[0].ty, FieldType::Integer | FieldType::BigInteger) {
        fields[0].auto_increment = true;
    }
    let new = NewCollection {
        name: name.to_owned(),
        singleton: false,
        note: Some("a note".to_owned()),
        meta: row(serde_json::json!({"icon": "box"})),
        primary: 0,
        fields,
        aliases: Vec::new(),
        created_at: Clock::system().now(),
    };
    change(db, move |conn| {
        let new = new.clone();
        Box::pin(async move { ddl::create_collection(conn, &new).await })
    })
    .await
    .expect("create the collection");
    reload(db, name).await
}

/// A write whose answer doesn't matter.
pub(super) async fn change<F: JobFn<()>>(db: &Db, job: F) -> Result<()> {
    db.write(job).await
}

pub(super) async fn reload(db: &Db, name: &str) -> Arc<Collection> {
    let schema = db.read(|conn| Box::pin(schema::load(conn))).await.expect("load the schema");
    schema.collection(name).expect("the collection").clone()
}

pub(super) async fn insert(db: &Db, collection: &Collection, item: Value) -> Result<Value> {
    let key = collection.primary_key();
    let statement = sql::insert(db.dialect(), collection, &row(item), &[&key.name])?;
    let ty = key.ty;
    let rows = db
        .write(move |conn| {
            let statement = statement.clone();
            Box::pin(async move { conn.select(&statement, &[ty]).await })
        })
        .await?;
    Ok(rows[0][0].clone())
}

/// The rows that a query selects.
pub(super) async fn rows(db: &Db, collection: &Collection, fields: &[&str], query: &Query) -> Result<Vec<Vec<Value>>> {
    let statement = db.sql(&sql::select(db.dialect(), collection, fields, query)?);
    let types = sql::types(collection, fields)?;
    db.read(move |conn| {
        let (statement, types) = (statement.clone(), types.clone());
        Box::pin(async move { conn.select(&statement, &types).await })
    })
    .await
}

pub(super) async fn total(db: &Db, collection: &Collection) -> Value {
    let statement = db.sql(&sql::count(db.dialect(), collection, &Query::default()).expect("a count"));
    let count = db.read(move |conn| {
        let statement = statement.clone();
        Box::pin(async move { conn.select(&statement, &[FieldType::BigInteger]).await })
    });
    count.await.expect("count")[0][0].clone()
}
