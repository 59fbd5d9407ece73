//! The unmodified client of Directus against the server.

use std::process::Command;

use crate::support::*;

/// Runs one script of `tests/clients/directus`, which says by itself what went wrong.
async fn client(app: &mut TestApp, script: &str) {
    if !npm::available() {
        return;
    }
    let folder = npm::installed("tests/clients/directus");
    let (base, token) = (format!("{}/api", app.base()), app.token());
    let script = folder.join(script);
    let output =
        tokio::task::spawn_blocking(move || Command::new("node").arg(&script).arg(base).arg(token).output().unwrap()).await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.trim() == "ok", "{out}\n{err}");
}

both!(the_client_of_directus_writes_and_manages_who_may_do_what, async |app| {
    client(app, "write.mjs").await;
});

both!(the_client_of_directus_reads_as_it_is_used_to, async |app| {
    client(app, "read.mjs").await;
});

both!(the_client_of_directus_makes_and_changes_the_schema, async |app| {
    client(app, "schema.mjs").await;
});
