//! `daas_policies.module_access`: parts of the host that those who aren't admins may manage.
//!
//! An object from a key to `true`. `system:extensions` may have a list instead, of the capabilities that its holders may give to extensions. What
//! the keys open stands where the doors are; `auth::grants` unites them over the policies of a caller.

use serde_json::Value;

use super::capability::{Capabilities, is_for_admins};
use super::query::{clip, nearest, show};

/// Managing extensions.
pub const EXTENSIONS: &str = "system:extensions";
/// Managing jobs, which run with every right.
pub const CRON: &str = "system:cron";
/// Reading the lines of extensions.
pub const LOGS: &str = "system:logs";
/// Changing collections, fields and settings.
pub const SCHEMA: &str = "system:schema";

const KEYS: [&str; 4] = [EXTENSIONS, CRON, LOGS, SCHEMA];

/// Checks what is about to be stored.
///
/// # Errors
/// A fragment that completes "`module_access` …" and says what is allowed.
pub fn check(access: &Value) -> Result<(), String> {
    let access = match access {
        Value::Null => return Ok(()),
        Value::Object(access) => access,
        other => return Err(format!("must be an object such as {{ \"{CRON}\": true }}, not: {}", show(other))),
    };
    for (key, value) in access {
        if !KEYS.contains(&key.as_str()) {
            let near = nearest(key, KEYS);
            return Err(format!("has no key `{}`{near}; there are {}", clip(key), KEYS.map(|key| format!("`{key}`")).join(", ")));
        }
        match value {
            Value::Bool(true) => {}
            Value::Array(entries) if key == EXTENSIONS => {
                Capabilities::read(Some(value)).map_err(|why| format!("has a list under `{key}` that {why}"))?;
                if let Some(entry) = entries.iter().filter_map(Value::as_str).find(|entry| is_for_admins(entry)) {
                    return Err(format!("can't have `{}` under `{key}`: only extensions of admins may have that", clip(entry)));
                }
            }
            other if key == EXTENSIONS => {
                return Err(format!(
                    "must have `true` or a list of capabilities under `{key}`, not: {}; leave the key out to take it away",
                    show(other)
                ));
            }
            other => return Err(format!("must have `true` under `{key}`, not: {}; leave the key out to take it away", show(other))),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_stored_is_what_is_held() {
        for good in [json!(null), json!({}), json!({ CRON: true, LOGS: true, SCHEMA: true }), json!({ EXTENSIONS: ["items:a", "mail"] })] {
            assert_eq!(check(&good), Ok(()), "{good}");
        }
        for (bad, part) in [
            (json!([]), "must be an object"),
            (json!("system:cron"), "must be an object"),
            (json!({ "system:extension": true }), "`system:extensions`"),
            (json!({ "__proto__": true }), "there are"),
            (json!({ CRON: false }), "leave the key out"),
            (json!({ CRON: ["read"] }), "must have `true`"),
            (json!({ EXTENSIONS: "all" }), "a list of capabilities"),
            (json!({ EXTENSIONS: ["item"] }), "no capability `item`"),
            (json!({ EXTENSIONS: [1] }), "not of: 1"),
            (json!({ EXTENSIONS: ["elevated"] }), "`elevated`"),
            (json!({ EXTENSIONS: ["mail", "system"] }), "`system`"),
            (json!({ EXTENSIONS: ["rawdb:system"] }), "`rawdb:system`"),
        ] {
            let why = check(&bad).expect_err("a mistake");
            assert!(why.contains(part), "{bad}: {why}");
        }
    }
}
