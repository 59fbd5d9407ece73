//! The unmodified client of Directus against the server.

use std::process::Command;

use serde_json::json;

use crate::mail::MailServer;
use crate::support::*;

/// Runs one script of `tests/clients/directus`, which says by itself what went wrong.
async fn client(app: &mut TestApp, script: &str, more: &[&str]) {
    if !npm::available() {
        return;
    }
    let folder = npm::installed("tests/clients/directus");
    let (base, token) = (format!("{}/api", app.base()), app.token());
    let mut command = Command::new("node");
    command.arg(folder.join(script)).arg(base).arg(token).args(more);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.trim() == "ok", "{out}\n{err}");
}

both!(the_client_of_directus_writes_and_manages_who_may_do_what, async |app| {
    client(app, "write.mjs", &[]).await;
});

both!(the_client_of_directus_signs_in_in_each_mode_and_by_mail, async |app| {
    let Some(server) = MailServer::start(json!({})).await else { return };
    server.used_by(app).await;
    let mails = server.file().to_string_lossy().into_owned();
    client(app, "sign_in.mjs", &[&mails]).await;
});

both!(the_client_of_directus_reads_as_it_is_used_to, async |app| {
    client(app, "read.mjs", &[]).await;
});

both!(the_client_of_directus_makes_and_changes_the_schema, async |app| {
    client(app, "schema.mjs", &[]).await;
});
