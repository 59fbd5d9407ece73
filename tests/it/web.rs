//! The web platform inside the sandbox against published vectors, through the whole server. What is tested in an isolate alone lies in
//! `src/sandbox/web_tests`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::snippets;
use crate::support::*;

/// The folder of the source of a dependency.
fn source_of(name: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--format-version=1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"];
    let output = Command::new(cargo).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let package = metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == name).unwrap();
    Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
}

fn vectors(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))).unwrap()
}

/// Answers the names of the vectors that fail.
const URLS: &str = "
const { parsed, set } = await request.json();
const failed = [];
const shown = (text) => '<' + JSON.stringify(text).slice(1, -1).replaceAll('\\\\\"', '\"') + '>';
for (const vector of parsed) {
  const name = shown(vector.input) + (vector.base === null || vector.base === undefined ? '' : ' against ' + shown(vector.base));
  let url;
  try {
    url = new URL(vector.input, vector.base ?? undefined);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  if (vector.failure ? url !== undefined : url === undefined) failed.push(name);
  else if (!vector.failure) {
    const wrong = Object.keys(vector).filter((key) => key in URL.prototype && key !== 'searchParams' && url[key] !== vector[key]);
    const query = vector.searchParams !== undefined && String(url.searchParams) !== vector.searchParams;
    if (wrong.length > 0 || query) failed.push(name);
  }
}
for (const property in set) {
  for (const { href, new_value, expected } of set[property]) {
    const url = new URL(href);
    url[property] = new_value;
    const wrong = Object.keys(expected).filter((key) => url[key] !== expected[key]);
    if (wrong.length > 0) failed.push(shown(href) + ' set ' + property + ' to ' + shown(new_value));
  }
}
return failed;";

/// What the crate's own list leaves out, because it doesn't look at it: the origin of a blob URL in a URL that is no page's.
const MORE_GAPS: [&str; 4] =
    ["<blob:blob:https://example.org/>", "<blob:ftp://host/path>", "<blob:ws://example.org/>", "<blob:wss://example.org/>"];

/// The vectors of the Web Platform Tests come with the crate that parses; so does the list of those that it doesn't meet, all of them about
/// `file:` and paths without a host.
#[test]
fn urls_are_what_the_web_platform_tests_say_they_are() {
    run(Database::Sqlite, &[], false, async |app| {
        let tests = source_of("url").join("tests");
        let mut set = vectors(&tests.join("setters_tests.json"));
        set.as_object_mut().unwrap().remove("comment");
        let parsed: Vec<Value> =
            vectors(&tests.join("urltestdata.json")).as_array().unwrap().iter().filter(|vector| vector.is_object()).cloned().collect();
        assert!(parsed.len() > 800, "{}", parsed.len());
        let known = std::fs::read_to_string(tests.join("expected_failures.txt")).unwrap();
        extension(app, json!({ "event": "POST /urls", "type": "route", "timeout_ms": 5000, "code": URLS })).await;
        let failed = app.post("/api/ext/urls", json!({ "parsed": parsed, "set": set })).await.expect(200).json();
        // The list writes backslashes twice and knows no other escapes that occur in it.
        let known: BTreeSet<&str> = known.lines().chain(MORE_GAPS).collect();
        let more: Vec<&str> = failed.as_array().unwrap().iter().filter_map(Value::as_str).filter(|name| !known.contains(name)).collect();
        assert!(more.is_empty(), "{more:#?}");
        assert!(failed.as_array().unwrap().len() <= known.len());
    });
}

/// Each encoding of the web by each of its labels, as the crate that decodes knows them.
#[test]
fn every_label_of_an_encoding_names_it() {
    run(Database::Sqlite, &[], false, async |app| {
        let labels = [
            ("utf-8", &["unicode-1-1-utf-8", "unicode11utf8", "unicode20utf8", "UTF-8", "utf8", "x-unicode20utf8"][..]),
            ("ibm866", &["866", "cp866", "csibm866", "ibm866"]),
            (
                "iso-8859-2",
                &["csisolatin2", "iso-8859-2", "iso-ir-101", "iso8859-2", "iso88592", "iso_8859-2", "iso_8859-2:1987", "l2", "latin2"],
            ),
            ("iso-8859-8", &["csiso88598e", "csisolatinhebrew", "hebrew", "iso-8859-8", "iso-8859-8-e", "iso-ir-138", "visual"]),
            ("iso-8859-8-i", &["csiso88598i", "iso-8859-8-i", "logical"]),
            ("koi8-r", &["cskoi8r", "koi", "koi8", "koi8-r", "koi8_r"]),
            ("koi8-u", &["koi8-ru", "koi8-u"]),
            ("macintosh", &["csmacintosh", "mac", "macintosh", "x-mac-roman"]),
            (
                "windows-1252",
                &["ansi_x3.4-1968", "ascii", "cp1252", "cp819", "csisolatin1", "iso-8859-1", "latin1", "us-ascii", "x-cp1252"],
            ),
            ("windows-1254", &["cp1254", "csisolatin5", "iso-8859-9", "latin5", "windows-1254"]),
            ("gbk", &["chinese", "csgb2312", "csiso58gb231280", "gb2312", "gb_2312", "gb_2312-80", "gbk", "iso-ir-58", "x-gbk"]),
            ("gb18030", &["gb18030"]),
            ("big5", &["big5", "big5-hkscs", "cn-big5", "csbig5", "x-x-big5"]),
            ("euc-jp", &["cseucpkdfmtjapanese", "euc-jp", "x-euc-jp"]),
            ("iso-2022-jp", &["csiso2022jp", "iso-2022-jp"]),
            ("shift_jis", &["csshiftjis", "ms932", "ms_kanji", "shift-jis", "shift_jis", "sjis", "windows-31j", "x-sjis"]),
            ("euc-kr", &["cseuckr", "csksc56011987", "euc-kr", "iso-ir-149", "korean", "ks_c_5601-1987", "ksc5601", "windows-949"]),
            ("utf-16be", &["unicodefffe", "utf-16be"]),
            ("utf-16le", &["csunicode", "iso-10646-ucs-2", "ucs-2", "unicode", "unicodefeff", "utf-16", "utf-16le"]),
            ("x-user-defined", &["x-user-defined"]),
        ];
        let code = "const refused = (label) => { try { new TextDecoder(label); return false } catch (e) { return e instanceof RangeError } };
            const { labels } = await request.json(); const wrong = [];
            for (const [name, all] of labels) for (const label of all)
              for (const text of [label, label.toUpperCase(), `\\t ${label}\\n`]) if (new TextDecoder(text).encoding !== name) wrong.push(label);
            for (const label of ['replacement', 'iso-2022-kr', 'hz-gb-2312', 'utf-7', 'utf-32', '', '\\u00a0utf-8', 'utf-8\\u0000'])
              if (!refused(label)) wrong.push(label);
            return wrong;";
        extension(app, json!({ "event": "POST /labels", "type": "route", "code": code })).await;
        assert_eq!(app.post("/api/ext/labels", json!({ "labels": labels })).await.expect(200).json(), json!([]));
    });
}

/// `forgiving-base64 decode` of the Infra Standard: the vectors of the Web Platform Tests' `base64.json` that differ in kind.
#[test]
fn base64_forgives_what_the_standard_forgives_and_nothing_else() {
    run(Database::Sqlite, &[], false, async |app| {
        let cases = json!([
            ["", []],
            ["abcd", [105, 183, 29]],
            [" abcd", [105, 183, 29]],
            ["abcd ", [105, 183, 29]],
            ["ab\tcd", [105, 183, 29]],
            ["ab\ncd", [105, 183, 29]],
            ["ab\u{c}cd", [105, 183, 29]],
            ["ab\rcd", [105, 183, 29]],
            ["ab cd", [105, 183, 29]],
            [" abcd===", null],
            ["abcd=== ", null],
            ["abcd ===", null],
            ["a", null],
            ["ab", [105]],
            ["abc", [105, 183]],
            ["abcde", null],
            ["𐀀", null],
            ["=", null],
            ["==", null],
            ["===", null],
            ["====", null],
            ["a=", null],
            ["a==", null],
            ["ab=", null],
            ["ab==", [105]],
            ["ab===", null],
            ["abc=", [105, 183]],
            ["abc==", null],
            ["abcd=", null],
            ["=a", null],
            ["a=b", null],
            ["ab=c", null],
            ["ab=cd", null],
            ["abcd=ef", null],
            ["A", null],
            ["/A", [252]],
            ["AA", [0]],
            ["AB", [0]],
            ["AQ", [1]],
            ["AZ", [1]],
            ["/+A", [255, 224]],
            ["//A", [255, 240]],
            ["-_", null],
            ["ab\u{b}cd", null],
            ["ab\u{a0}cd", null],
            ["xn3c", [198, 125, 220]],
        ]);
        let code = "const { cases } = await request.json();
            const decode = (text) => { try { return Array.from(atob(text), (c) => c.charCodeAt(0)) } catch (e) { if (e.name !== 'InvalidCharacterError') throw e; return null } };
            const wrong = cases.filter(([text, expected]) => JSON.stringify(decode(text)) !== JSON.stringify(expected)).map(([text]) => text);
            for (let n = 0; n < 256; n++) if (atob(btoa(String.fromCharCode(n))).charCodeAt(0) !== n) wrong.push(n);
            try { btoa('\\u0100'); wrong.push('btoa') } catch (e) { if (e.name !== 'InvalidCharacterError') wrong.push(e.name) }
            return wrong;";
        extension(app, json!({ "event": "POST /base64", "type": "route", "code": code })).await;
        assert_eq!(app.post("/api/ext/base64", json!({ "cases": cases })).await.expect(200).json(), json!([]));
    });
}

both!(random_numbers_are_other_ones_in_every_call_and_keys_do_not_outlive_theirs, async |app| {
    let code = "globalThis.key ??= 'none'; const before = globalThis.key; globalThis.key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt']);
        const raw = new Uint8Array(await crypto.subtle.exportKey('raw', globalThis.key));
        return [before, crypto.randomUUID(), crypto.getRandomValues(new Uint8Array(16)).join(), raw.join()];";
    extension(app, json!({ "event": "GET /random", "type": "route", "code": code })).await;
    let mut seen = BTreeSet::new();
    for _ in 0..8 {
        let answer = app.get("/api/ext/random").await.expect(200).json();
        assert_eq!(answer[0], "none");
        seen.extend(answer.as_array().unwrap()[1..].iter().map(Value::to_string));
    }
    assert_eq!(seen.len(), 24);
});

both!(a_name_that_is_not_there_is_told_with_what_to_use, async |app| {
    app.allow_errors();
    articles(app).await;
    let names = [
        ("process.env.X", "services.env"),
        ("Buffer.from('x')", "Uint8Array"),
        ("new Intl.NumberFormat()", "UTC"),
        ("setImmediate(() => {})", "queueMicrotask"),
    ];
    for (code, use_instead) in names {
        let code = format!("if (typeof process !== 'undefined') return 1; {code}; return 2");
        let body = json!({ "type": "filter", "event": "articles.items.create", "testPayload": {}, "code": code });
        let data = app.post("/api/extensions/test", body).await.expect(200).data();
        let told = data["error"].to_string();
        assert!(told.contains("is not defined: ") && told.contains(use_instead), "{code}: {data}");
    }
});

both!(what_the_console_can_do_besides_lines_is_in_the_log, async |app| {
    let code = "console.group('outer %s', 'one'); console.log('in\\nside'); console.group(); console.warn('deeper'); console.groupEnd(); console.groupEnd(); console.groupEnd();
        console.count(); console.count(); console.count('x'); console.countReset(); console.count();
        console.assert(true, 'no'); console.assert(false, 'yes %d', 5); console.assert();
        console.table([{ a: 1, b: 'x' }, { a: 22 }, 7]); console.table({ r: { c: true } }, ['c']);
        console.dir({ a: new Map([[1, 2]]) }, 1); console.time('t'); console.timeEnd('t'); console.timeEnd('t'); console.trace('here');
        console.log('%i|%f|%s|%o|%c|%%|%d', 1.9, '2.5', 'text', [1], 'css', 3n, new URL('http://h/')); return 1";
    let id = extension(app, json!({ "event": "GET /console", "type": "route", "code": code })).await;
    app.get("/api/ext/console").await.expect(200);
    let lines = eventually("the lines are kept", Duration::from_secs(5), async || {
        let data = app.get(&format!("/api/extensions/{id}/logs")).await.expect(200).data();
        let lines: Vec<String> = data.as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect();
        if lines.last().is_some_and(|line| line.contains("http://h/")) { Ok(lines) } else { Err(format!("{lines:?}")) }
    })
    .await;
    let expected = [
        "outer one",
        "  in\n  side",
        "    deeper",
        "default: 1",
        "default: 2",
        "x: 1",
        "default: 1",
        "Assertion failed: yes 5",
        "Assertion failed",
        "(index) | a  | b   | Values\n--------|----|-----|-------\n0       | 1  | \"x\" |       \n1       | 22 |     |       \n2       |    |     | 7     ",
        "(index) | c   \n--------|-----\nr       | true",
        "{ a: Map(1) { 1 => 2 } }",
    ];
    assert_eq!(&lines[..expected.len()], expected);
    let rest = lines[expected.len()..].join("\n");
    assert!(rest.starts_with("t: ") && rest.contains(" ms\nThere is no timer \"t\"\nTrace: here\n"), "{rest}");
    assert!(rest.ends_with("1|2.5|text|[ 1 ]||%|3n URL { href: \"http://h/\" }"), "{rest}");
});

/// The two examples against each other: what one signs the other believes, and nobody else.
#[test]
fn the_example_that_signs_is_understood_by_the_one_that_verifies() {
    run(Database::Sqlite, &[], false, async |app| {
        let url = format!("{}/api/ext/webhooks/standard", app.base());
        let place = app.base().trim_start_matches("http://").to_owned();
        app.set_env(&[("RUNTIME_PUBLIC_WEBHOOK_URL", &url), ("EXTENSION_ALLOWED_DOMAINS", &place)]);
        app.restart().await;
        collection(app, "leads", &[("email", "string")]).await;
        collection(app, "received_webhooks", &[("id", "string pk"), ("source", "string"), ("body", "text")]).await;
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("extensions");
        let mut ids = Vec::new();
        for name in ["webhook-in", "webhook-out"] {
            snippets::install(app, &examples.join(name)).await;
            let listed = app.get("/api/extensions?limit=-1").await.expect(200).data();
            let row = listed.as_array().unwrap().iter().find(|row| row["folder"] == name).unwrap();
            ids.push(row["id"].as_str().unwrap().to_owned());
        }
        let secret = async |app: &TestApp, id: &str, name: &str, value: &str| {
            app.put(&format!("/api/extensions/{id}/secrets/{name}"), json!({ "value": value })).await.expect(200);
        };
        secret(app, &ids[0], "STANDARD_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").await;
        secret(app, &ids[1], "WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").await;
        create(app, "leads", json!({ "email": "ann@example.com" })).await;
        let body = eventually("the webhook is received", Duration::from_secs(10), async || {
            let rows = app.get("/api/items/received_webhooks").await.expect(200).data();
            rows[0]["body"].as_str().map(str::to_owned).ok_or_else(|| rows.to_string())
        })
        .await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&body["type"], &body["data"]["payload"]["email"]), (&json!("lead.created"), &json!("ann@example.com")));

        // With another secret it isn't believed, and what is owed stays owed.
        secret(app, &ids[1], "WEBHOOK_SECRET", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await;
        app.allow_errors();
        create(app, "leads", json!({ "email": "eve@example.com" })).await;
        eventually("it is refused", Duration::from_secs(10), async || {
            let row = app.get(&format!("/api/extensions/{}", ids[1])).await.expect(200).data();
            if row.to_string().contains("answered 401") { Ok(()) } else { Err(row["last_error"].to_string()) }
        })
        .await;
        assert_eq!(count(app, "received_webhooks").await, 1);
        let unsigned = app.anonymous().post("/api/ext/webhooks/standard", json!({ "type": "lead.created" })).await;
        assert_eq!(unsigned.status, 401);
    });
}
