//! A worker that somebody has taken over: native code in it reaches for the machine and for the host, in vain.
//!
//! The payloads are planted by the feature `test-hooks`; nothing of JavaScript stands between them and the system.

use std::os::unix::process::CommandExt;
use std::time::Duration;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use serde_json::json;
use trellis::sandbox::payload::NAMES;

use crate::support::*;

const PAYLOAD: &str = "return { ...payload, title: String(__payload(payload.title)) };";

/// Ways to end that the payload itself can't help: its process is gone, or the host has given it up.
const ENDED: [(u16, &str); 2] = [(503, "EXTENSION_UNAVAILABLE"), (500, "EXTENSION_OUT_OF_MEMORY")];

both!(a_worker_that_was_taken_over_reaches_nothing, async |app| {
    app.allow_errors();
    app.allow_panics();
    articles(app).await;
    collection(app, "plain", &[("n", "integer")]).await;
    let host = app.pid();
    let mut wrong = Vec::new();
    for (n, name) in NAMES.iter().enumerate() {
        // Each in an extension of its own: the crashes of one would keep the next from being tried.
        let id = filter(app, "articles.items.create", PAYLOAD).await;
        let answer = app.post("/api/items/articles", json!({ "title": name })).await;
        let refused = answer.status == 201 && answer.data()["title"] != "0";
        if !refused && !ENDED.contains(&(answer.status, answer.code().as_str())) {
            wrong.push(format!("{name}: {} {}", answer.status, answer.body));
        }
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
        create(app, "plain", json!({ "n": n })).await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(NAMES.len() >= 50 && app.pid() == host);
    assert!(!std::path::Path::new("/tmp/trellis-payload").exists());
    let log = app.log();
    // What ended them is told to whoever runs the host.
    assert!(log.contains("a system call that no worker makes"), "{log}");
    assert!(log.contains("a planted panic") && log.contains("a worker crashed"), "{log}");
});

both!(workers_say_what_is_in_force_and_hold_one_descriptor, async |app| {
    articles(app).await;
    filter(app, "articles.items.create", "return payload").await;
    create(app, "articles", json!({ "title": "one" })).await;
    assert!(app.log().contains("empty environment, seccomp, landlock, no capabilities, resource limits"), "{}", app.log());
    let look = |pid: u32| -> Result<(), String> {
        let read = |what: &str| std::fs::read_to_string(format!("/proc/{pid}/{what}")).unwrap_or_default();
        let status = read("status");
        let is = |name: &str, value: &str| status.lines().any(|l| l.strip_prefix(name).is_some_and(|rest| rest.trim() == value));
        let none = "0000000000000000";
        // 2 is the filter.
        let locked = is("Seccomp:", "2") && is("NoNewPrivs:", "1") && ["CapEff:", "CapPrm:", "CapInh:"].iter().all(|set| is(set, none));
        let open: Vec<_> = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten().map(|fd| fd.file_name()).collect();
        let last = read("oom_score_adj").trim() == "1000" && read("environ").is_empty() && open == ["0"];
        if locked && last { Ok(()) } else { Err(format!("{status}, {open:?}")) }
    };
    // One that has just been started isn't that far yet.
    eventually("every worker is locked in", Duration::from_secs(10), async || {
        let workers = app.workers();
        if workers.is_empty() { Err("there is none".to_owned()) } else { workers.into_iter().try_for_each(look) }
    })
    .await;
});

/// A program whose system call `seccomp` is refused, as on a machine that has none.
fn without_seccomp(command: &mut std::process::Command) {
    let refused = [(libc::SYS_seccomp, Vec::new())].into();
    let errno = SeccompAction::Errno(libc::ENOSYS as u32);
    let filter = SeccompFilter::new(refused, SeccompAction::Allow, errno, std::env::consts::ARCH.try_into().unwrap()).unwrap();
    let program = BpfProgram::try_from(filter).unwrap();
    // SAFETY: two system calls on a program that is ready.
    unsafe {
        command.pre_exec(move || seccompiler::apply_filter(&program).map_err(std::io::Error::other));
    }
}

#[tokio::test]
async fn without_seccomp_a_host_refuses_to_start_unless_told_to() {
    let mut app = TestApp::prepare(Database::Sqlite, &[]).await;
    let mut command = app.command(&["serve"]);
    without_seccomp(&mut command);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("`SANDBOX`") && said.contains("degraded"), "{said}");

    app.set_env(&[("SANDBOX", "degraded")]);
    app.launch_with(without_seccomp).await;
    articles(&app).await;
    filter(&app, "articles.items.create", "return { ...payload, title: payload.title + '!' }").await;
    assert_eq!(create(&app, "articles", json!({ "title": "one" })).await["title"], "one!");
    assert!(app.log().contains("without seccomp"), "{}", app.log());
    app.finish().await;
}

both!(a_service_that_panics_ends_one_call, async |app| {
    app.allow_errors();
    app.allow_panics();
    articles(app).await;
    let code = "const items = await services.items('articles'); \
        try { await eval_(items) } catch (error) { return { ...payload, title: error.code } } return payload;";
    let calls = [
        "items.readByQuery({ panic: '__panic__' })",
        "items.readByQueryWithCount({ panic: '__panic__' })",
        "items.readOne('__panic__')",
        "items.readMany(['__panic__'])",
        "items.readAggregate({ panic: '__panic__' })",
        "items.getKeysByQuery({ panic: '__panic__' })",
        "items.createOne({ title: '__panic__' })",
        "items.createMany([{ title: '__panic__' }])",
        "items.updateOne(1, { title: '__panic__' })",
        "items.updateMany([1], { title: '__panic__' })",
        "items.updateByQuery({}, { title: '__panic__' })",
        "items.updateBatch([{ id: 1, title: '__panic__' }])",
        "items.upsertOne({ title: '__panic__' })",
        "items.upsertMany([{ title: '__panic__' }])",
        "items.deleteOne('__panic__')",
        "items.deleteMany(['__panic__'])",
        "items.deleteByQuery({ panic: '__panic__' })",
        "services.collections().then(c => c.readOne('__panic__'))",
        "services.fields().then(f => f.readAll('__panic__'))",
        "services.transaction(async s => (await s.items('articles')).createOne({ title: '__panic__' }))",
    ];
    let host = app.pid();
    for call in calls {
        let id = filter(app, "articles.items.create", &code.replace("eval_(items)", call)).await;
        let item = create(app, "articles", json!({ "title": "before" })).await;
        assert_eq!(item["title"], "INTERNAL_SERVER_ERROR", "{call}");
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
    // Not caught, it is the server's fault and says no more.
    filter(app, "articles.items.create", "await (await services.items('articles')).readOne('__panic__');").await;
    let answer = app.post("/api/items/articles", json!({ "title": "x" })).await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "EXTENSION_FAILED"), "{}", answer.body);
    assert_eq!((app.pid(), count(app, "articles").await), (host, calls.len() as u64));
});
