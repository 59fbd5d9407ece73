//! `services.supabase`: a raw client over the same database, past permissions and hooks.
//!
//! The JavaScript half has the chain of the client that people know and makes the requests that it would send; here they are run.

use futures_util::FutureExt;
use serde::Deserialize;
use serde_json::Value;

use super::RAW_SYSTEM;
use super::{Call, Method, Service};
use crate::error::{Error, Result};
use crate::services::Ctx;
use crate::services::rawdb::{self, Reach, Request};

/// Requests that only read.
pub(super) const READ: &str = "supabase.read";
/// Requests that may write.
const WRITE: &str = "supabase.write";

pub(super) const SERVICE: Service = Service {
    name: "supabase",
    js: include_str!("supabase.js"),
    methods: &[
        Method { name: READ, writes: false, capability, run: |ctx, call| async move { run(ctx, call).await.map(Some) }.boxed() },
        Method { name: WRITE, writes: true, capability, run: |ctx, call| async move { run(ctx, call).await.map(Some) }.boxed() },
    ],
};

/// A request as JavaScript sends it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    method: String,
    path: String,
    params: Vec<(String, String)>,
    headers: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
}

fn request(call: &Call) -> Result<Request> {
    let sent: Sent = Sent::deserialize(call.arg(0)).map_err(|e| Error::payload(format!("{}: a bad request: {e}", call.method)))?;
    let mut headers = sent.headers;
    let mut header = |name: &str| headers.remove(name).unwrap_or_default();
    let (prefer, accept, range) = (header("prefer"), header("accept"), header("range"));
    Ok(Request { method: sent.method, path: sent.path, params: sent.params, prefer, accept, range, body: sent.body })
}

/// `rawdb`, or `rawdb:system` where a table of the host is named.
fn capability(call: &Call) -> Option<String> {
    Some(if names_system(call) { RAW_SYSTEM } else { "rawdb" }.to_owned())
}

fn names_system(call: &Call) -> bool {
    let sent = call.arg(0);
    let params = sent.get("params").and_then(Value::as_array).into_iter().flatten();
    let selects = params.filter(|pair| pair.get(0).and_then(Value::as_str) == Some("select"));
    let selects = selects.filter_map(|pair| pair.get(1).and_then(Value::as_str));
    rawdb::names_system(sent.get("path").and_then(Value::as_str).unwrap_or_default(), selects)
}

async fn run(ctx: &Ctx, call: &Call) -> Result<Value> {
    let request = request(call)?;
    if request.only_reads() != (call.method == READ) {
        return Err(Error::payload(format!("{}: takes no {} request", call.method, crate::services::query::clip(&request.method))));
    }
    // A call that names such a table was let through by its capability. Others may not get there by the name of a foreign key.
    let reach = if names_system(call) { Reach::System } else { Reach::User };
    rawdb::execute(ctx, &request, reach).await
}
