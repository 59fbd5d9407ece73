//! The tests of a custom service: each a call of its own in the real sandbox on the real database, undone at its end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::run::raw;
use super::super::store::{Extensions, admin};
use super::super::{dry_run, failure};
use super::TABLE;
use super::store::{Definition, MEMORY};
use crate::bridge::{Identity, Session};
use crate::db::timestamp;
use crate::error::{Error, ErrorCode, Result};
use crate::sandbox::{Input, Invocation, Parts, Source, Unit};
use crate::services::Item;
use crate::services::items::ItemsService;
use crate::services::operation::{Intent, Outcome, Start};
use crate::services::query::clip;

/// The part that gives a test its `api` and `assert`. No custom service can have this name.
const HARNESS: &str = "trellis:test";

/// The code of a test with what it is given around it. Its lines stay where they are.
pub(super) fn wrapped(service: &str, code: &str) -> String {
    format!("return (await services.custom('{HARNESS}')).run('{service}', async (api, assert) => {{ {code}\n}});")
}

impl Extensions {
    /// Runs the tests of a custom service, or the one called `only`: `{ passed, failed, results: [{ name, success, error, logs, … }] }`,
    /// which is kept as its last run.
    ///
    /// # Errors
    /// 404 where there is no such service or test.
    pub async fn test_custom_service(&self, start: Start, id: &str, only: Option<&str>) -> Result<Value> {
        admin(&start.who)?;
        let row = self.custom_service(start.clone(), id, &Item::new()).await?;
        let definition = Definition::from_row(&row)?;
        let tests: Vec<_> = definition.tests.iter().filter(|(name, _)| only.is_none_or(|only| only == name)).collect();
        if let (Some(only), true) = (only, tests.is_empty()) {
            return Err(Error::new(ErrorCode::NotFound, format!("`{}` has no test `{}`", definition.custom.name, clip(only))));
        }
        let mut results = Vec::with_capacity(tests.len());
        for (name, code) in tests {
            let mut result = self.run_test(&start, &definition, name, code).await?;
            result["name"] = json!(name);
            results.push(result);
        }
        let passed = results.iter().filter(|result| result["success"] == true).count();
        let at = timestamp(self.shared.core.clock.now());
        let run = json!({ "at": at, "passed": passed, "failed": results.len() - passed, "results": results });
        let changes = Item::from_iter([("last_test_run".to_owned(), run.clone())]);
        let key = json!(id);
        let keep = |ctx| {
            let (key, changes) = (key.clone(), changes.clone());
            async move { ItemsService::by_own_door(&ctx, TABLE).update(vec![key], changes).await }
        };
        self.shared.core.operate(start, keep).await?;
        Ok(run)
    }

    async fn run_test(&self, start: &Start, definition: &Definition, name: &str, code: &str) -> Result<Value> {
        let set = self.current();
        let custom = &definition.custom;
        let source =
            Source::Body { code: wrapped(&custom.name, code), params: vec!["context".to_owned(), "services".to_owned()], answers: false };
        // As it would be if it were active, which it needn't be to be tested.
        let all = set.customs.with(super::Custom { active: true, ..custom.clone() }, None);
        let mut parts = (*all.parts(&source, &crate::bridge::Capabilities::default())).clone();
        parts.insert(HARNESS.to_owned(), include_str!("harness.js").into());
        let unit = Unit::with_parts(name, source, MEMORY, false, Parts::new(parts));
        let ctx = self.shared.core.open(&Start { intent: Intent::Discard, ..start.clone() });
        let identity = Arc::new(Identity { name: custom.name.clone(), ..Identity::default() });
        let session = Session::joined(ctx.joining(), &identity, None);
        let env: Item = self.shared.core.config.extension_env.iter().map(|(name, value)| (name.clone(), json!(value.reveal()))).collect();
        let context = raw(&json!({
            "accountability": ctx.who.to_json(), "extension": { "id": Value::Null, "name": custom.name },
            "requestId": &*ctx.op.request_id, "env": env,
        }))?;
        let timeout = Duration::from_millis(definition.timeout_ms);
        let host = Arc::new(session.clone());
        let invocation =
            Invocation { unit: Arc::clone(&unit), input: Input { handler: 0, args: Vec::new(), context }, timeout, nested: false, host };
        let outcome = self.shared.pool.invoke(invocation, None).await;
        self.shared.pool.retire(unit.id);
        let record = session.finish().await;
        self.shared.core.close(&ctx.op, Outcome::Undo).await?;
        let error =
            outcome.result.as_ref().err().map(|failed| failure::tell(failed.clone(), &custom.name, &ctx.who, timeout).trouble.to_json());
        Ok(json!({
            "success": error.is_none(),
            "error": error,
            "logs": dry_run::lines(&record),
            "executionTime": outcome.elapsed.as_secs_f64() * 1000.0,
        }))
    }
}
