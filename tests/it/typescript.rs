//! TypeScript wherever code is accepted, and JavaScript that is never taken for it.

use serde_json::{Value, json};

use crate::support::*;

const TYPED: &str = "type Article = { title?: string; slug?: string };

const article = payload as Article;
const slugs: Map<string, string> = new Map();
function slug<T extends string>(text: T, suffix?: string): string {
  return `${text!.toLowerCase()}${suffix ?? ''}`;
}
if (article.title === 'boom') {
  const nothing: any = null;
  return nothing.here as never;
}
slugs.set('a', slug(article.title ?? 'none', '-ts'));
const found = (await Promise.resolve(slugs.get('a')))!;
return { ...payload, slug: found } satisfies Article;
";

both!(rows_may_be_typescript_and_their_errors_are_at_the_authors_place, async |app| {
    articles(app).await;
    let id = extension(app, json!({ "event": "articles.items.create", "code": TYPED })).await;
    assert_eq!(create(app, "articles", json!({ "title": "ABC" })).await["slug"], "abc-ts");
    app.post("/api/items/articles", json!({ "title": "boom" })).await.expect_error(500, "EXTENSION_FAILED");
    let told = app.get(&format!("/api/extensions/{id}")).await.expect(200).data();
    let report = told["last_error"].as_str().unwrap();
    assert!(report.contains("> 10 |   return nothing.here as never;") && report.contains("at line 10, column 10"), "{report}");
    // The text that was saved is what is kept.
    assert_eq!(told["code"], TYPED);
    let code = "import type { Item } from '@trellis/sdk';\nconst item: Item = { a: 1 };\nreturn item;";
    extension(app, json!({ "event": "GET /imports-types", "type": "route", "code": code })).await;
    assert_eq!(app.get("/api/ext/imports-types").await.expect(200).json(), json!({ "a": 1 }));
    // So may what is tried, services and jobs.
    let tried = json!({ "type": "filter", "event": "articles.items.create", "code": "const n: number = payload.n!;\n\n  throw new Error(`n is ${n as number}`);", "testPayload": { "n": 4 } });
    let error = app.post("/api/extensions/test", tried).await.expect(200).data()["error"].clone();
    assert_eq!((&error["message"], &error["line"]), (&json!("n is 4"), &json!(3)), "{error}");
    let code =
        "interface Greeter { greet(who: string): string }\nconst made: Greeter = { greet: (who: string) => `hello ${who}` };\nreturn made;";
    app.post("/api/services", json!({ "name": "greeter", "code": code })).await.expect(201);
    let code = "const greeter: { greet(who: string): string } = await services.custom('greeter');\nreturn greeter.greet('you' as string);";
    extension(app, json!({ "event": "GET /typed", "type": "route", "code": code })).await;
    assert_eq!(app.get("/api/ext/typed").await.expect(200).body, "hello you");
    app.post("/api/cron", json!({ "name": "typed", "schedule": "@daily", "code": "const n: number = 1;\nreturn n satisfies number;" }))
        .await
        .expect(201);
});

both!(what_is_javascript_is_read_as_javascript, async |app| {
    // Each of these is TypeScript too, and means something else there or has no meaning.
    for (path, code, expected) in [
        ("compares", "const a = 1, b = 2, c = 0; return [a < b > (c)];", json!([true])),
        (
            "names",
            "const type = 1, as = 2, satisfies = 3, declare = 4, namespace = 5, is = 6; return [type, as, satisfies, declare, namespace, is];",
            json!([1, 2, 3, 4, 5, 6]),
        ),
        ("labels", "const o = { type: 1, enum: 2, interface: 3 }; a: for (;;) { break a; }\nreturn [o.enum];", json!([2])),
        ("lines", "let type\ntype\nfoo = 1\nvar foo\nreturn [foo]", json!([1])),
    ] {
        extension(app, json!({ "event": format!("GET /{path}"), "type": "route", "code": code })).await;
        assert_eq!(app.get(&format!("/api/ext/{path}")).await.expect(200).json(), expected, "{code}");
    }
});

both!(mistakes_are_told_where_they_are_in_either_language, async |app| {
    for (code, line, part) in [
        // Not one word of types: what the engine says.
        ("const a = 1;\nconst b = ;\nreturn b;", 2, ""),
        // The types are fine, something else isn't.
        ("const a: number = 1;\nconst b: string = 'x';\n\nconst c: number = ;\nreturn c;", 4, ""),
        ("const a: number = 1;\n\n@sealed class A {}\nreturn new A();", 3, "call the function instead"),
        ("const a: number = 1;\nif (a) {\n  return 1;\n", 4, ""),
        ("const a: number = 1;\nimport { b } from 'b';\nreturn b(a);", 2, ""),
    ] {
        let body = json!({ "name": "x", "type": "filter", "event": "items.create", "status": "active", "code": code });
        let refused = app.post("/api/extensions", body).await.expect(400).json()["errors"][0].clone();
        let told = &refused["extensions"];
        assert_eq!(told["code"], "INVALID_CODE", "{code}: {refused}");
        assert!(told["line"] == line || told["line"] == line - 1 && line == 4, "{code}: {refused}");
        assert!(refused["message"].as_str().is_some_and(|message| message.contains(part)), "{code}: {refused}");
    }
    let files = [("index.ts", "export function register(): void {}\n\nclass A {\n  @field() x: number = 1;\n}\n")];
    let problems: Vec<Value> = app.break_folder("decorated", &files).await;
    assert_eq!(
        (&problems[0]["file"], &problems[0]["line"], &problems[0]["column"]),
        (&json!("index.ts"), &json!(4), &json!(3)),
        "{problems:?}"
    );
    let code = "export enum Kind { A = 'a' }\nnamespace Inner { export const two: number = 2; }\nclass P { constructor(readonly x: number) {} }
export function register({ registerRoutes }: any): void {
  registerRoutes({ basePath: '/kinds', routes: [{ method: 'GET', path: '/', public: true, handler: () => [Kind.A, Inner.two, new P(3).x] }] });
}\n";
    app.load_folder("kinds", &[("index.ts", code)]).await;
    assert_eq!(app.anonymous().get("/api/ext/kinds").await.expect(200).json(), json!(["a", 2, 3]));
});
