//! What a read costs beside the database's own work: parsing a query, making SQL of it with a permission's rule in it, and turning rows
//! into JSON.
//!
//! `cargo bench --bench queries -- [rounds]`. Nothing else should run on the machine.
#![allow(clippy::unwrap_used)] // a panic is how it fails

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use trellis::clock::Clock;
use trellis::db::ddl::{self, NewCollection};
use trellis::db::relation::{Deselect, Relation};
use trellis::db::{Collection, Db, DbOptions, Dialect, Field, FieldType, Filter, Op, Query, Schema, Sql, schema, sql};
use trellis::services::query::{Everything, Reader, Unlimited, parse, parse_filter};

fn main() {
    // Cargo adds `--bench` of its own.
    let rounds: u32 = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(20_000);
    let schema = library();
    let everything = Everything(&schema);
    let (reader, articles) = (Reader::of(&everything), schema.collection("articles").unwrap());

    let plain = query(json!({ "fields": ["id", "title"], "filter": { "title": { "_eq": "x" } }, "sort": ["-id"], "limit": 25 }));
    let related = query(json!({
        "fields": ["*", "author.*", "author.articles.title"],
        "filter": { "_or": [{ "author": { "name": { "_in": ["a", "b"] } } }, { "year(at)": 2026 }] },
        "sort": ["author.name", "-at"],
        "deep": { "author": { "articles": { "_limit": 3, "_sort": "-at" } } }
    }));
    for (name, raw) in [("a plain query", &plain), ("a query through relations", &related)] {
        measure(&format!("parse {name}"), rounds, || parse(&reader, articles, raw, 10_000, Unlimited::Page).unwrap());
    }
    let rule = json!({ "_or": [{ "author": { "name": "$" } }, { "title": { "_starts_with": "public" } }] });
    measure("parse a permission's rule", rounds, || parse_filter(&reader, articles, Some(&rule)).unwrap());

    let rule = parse_filter(&reader, articles, Some(&rule)).unwrap();
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        for (name, raw) in [("a plain query", &plain), ("a query through relations", &related)] {
            let parsed = parse(&reader, articles, raw, 10_000, Unlimited::Page).unwrap().query;
            let ruled = Query { filter: Filter::both(parsed.filter.clone(), rule.clone()), ..parsed.clone() };
            let build = |query: &Query| Sql::build(dialect, &sql::select(dialect, articles, &["id", "title"], query).unwrap());
            measure(&format!("SQL of {name}, {dialect:?}"), rounds, || build(&parsed));
            measure(&format!("the same with a rule, {dialect:?}"), rounds, || build(&ruled));
        }
    }
    tokio::runtime::Runtime::new().unwrap().block_on(rows(rounds / 200));
}

fn query(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// Runs `work` so often, and prints what one took.
fn measure<T>(name: &str, rounds: u32, mut work: impl FnMut() -> T) {
    let began = Instant::now();
    for _ in 0..rounds {
        black_box(work());
    }
    println!("{name}: {:.2} µs", began.elapsed().as_secs_f64() * 1e6 / f64::from(rounds.max(1)));
}

fn library() -> Schema {
    let id = || Field { nullable: false, ..Field::new("id", FieldType::Integer) };
    let collection = |name: &str, fields: Vec<Field>, lists: &[&str]| Collection {
        name: name.to_owned(),
        system: false,
        singleton: false,
        note: None,
        meta: Map::new(),
        primary: 0,
        fields,
        aliases: lists
            .iter()
            .map(|name| trellis::db::AliasField { name: (*name).to_owned(), special: Vec::new(), note: None, meta: Map::new(), sort: 0 })
            .collect(),
        described: true,
    };
    let mut columns = vec![id(), Field::new("title", FieldType::String), Field::new("at", FieldType::Timestamp)];
    columns.push(Field::new("author", FieldType::Integer));
    Schema::of(
        [collection("authors", vec![id(), Field::new("name", FieldType::String)], &["articles"]), collection("articles", columns, &[])],
        [Relation {
            id: None,
            collection: "articles".to_owned(),
            field: "author".to_owned(),
            related: Some("authors".to_owned()),
            one_field: Some("articles".to_owned()),
            one_collection_field: None,
            one_allowed: Vec::new(),
            junction_field: None,
            sort_field: None,
            deselect: Deselect::Nullify,
            on_delete: None,
            system: false,
            meta: Map::new(),
        }],
    )
}

/// Ten columns of 1,000 rows from a file, as JSON.
async fn rows(rounds: u32) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/bench.db", folder.path().display());
    let (tx_max, acquire_timeout) = (Duration::from_secs(30), Duration::from_secs(30));
    let db = Db::open(DbOptions { url, readers: 1, pool_size: 1, prepared: true, tx_max, acquire_timeout }).await.unwrap();
    db.migrate(&Clock::system()).await.unwrap();
    let mut fields = vec![Field { nullable: false, auto_increment: true, ..Field::new("id", FieldType::Integer) }];
    fields.extend((0..3).map(|n| Field::new(format!("text{n}"), FieldType::String)));
    fields.extend((0..3).map(|n| Field::new(format!("number{n}"), FieldType::Float)));
    fields.extend((0..3).map(|n| Field::new(format!("at{n}"), FieldType::Timestamp)));
    let new = NewCollection {
        name: "wide".to_owned(),
        singleton: false,
        note: None,
        meta: Map::new(),
        primary: 0,
        fields,
        aliases: Vec::new(),
        created_at: Clock::system().now(),
    };
    db.write(move |conn| {
        let new = new.clone();
        Box::pin(async move { ddl::create_collection(conn, &new).await })
    })
    .await
    .unwrap();
    let wide: Arc<Collection> = Arc::clone(db.read(|conn| Box::pin(schema::load(conn))).await.unwrap().collection("wide").unwrap());
    let text = "INSERT INTO wide (text0, text1, text2, number0, number1, number2, at0, at1, at2) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL \
                SELECT i + 1 FROM n WHERE i < 1000) SELECT 'text ' || i, 'more', NULL, i * 0.5, i, NULL, '2026-01-01T00:00:00.000Z', \
                '2026-01-02T00:00:00.000Z', NULL FROM n";
    db.write(move |conn| Box::pin(async move { conn.batch(text).await })).await.unwrap();
    let names: Vec<&str> = wide.fields.iter().map(|field| field.name.as_str()).collect();
    let all = Query { filter: Some(Filter::field("id", Op::NotNull)), ..Query::default() };
    let statement = Arc::new(db.sql(&sql::select(db.dialect(), &wide, &names, &all).unwrap()));
    let types: Arc<[FieldType]> = sql::types(&wide, &names).unwrap().into();
    let began = Instant::now();
    for _ in 0..rounds.max(1) {
        let (statement, types) = (Arc::clone(&statement), Arc::clone(&types));
        let rows = db.read(move |conn| {
            let (statement, types) = (Arc::clone(&statement), Arc::clone(&types));
            Box::pin(async move { conn.select(&statement, &types).await })
        });
        assert_eq!(rows.await.unwrap().len(), 1000);
    }
    println!("read a row of ten columns, SQLite: {:.2} µs", began.elapsed().as_secs_f64() * 1e6 / f64::from(rounds.max(1)) / 1000.0);
}
