//! One call of a service: its options and its arguments, as they came out of JavaScript.

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, ErrorCode, Result};
use crate::hooks::event::is_collection_name;
use crate::json;
use crate::services::Item;
use crate::services::query::{clip, show};

/// What stands before the arguments of every call.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Scope {
    /// The collection of `items(collection)`.
    pub collection: Option<String>,
    /// Skips permission checks.
    pub elevated: bool,
    /// Whether hooks fire.
    pub emit_events: Option<bool>,
    /// Acts for the system rather than for the caller: a service of the SDK.
    pub system: bool,
    /// The open `transaction()`.
    pub tx: Option<u32>,
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method, for messages.
    pub method: String,
    /// Its options.
    pub scope: Scope,
    /// Its arguments.
    pub args: Vec<Value>,
    /// How many calls of this method the invocation made before it, where those are counted.
    pub nth: u32,
}

impl Call {
    /// Reads `[scope, ...args]`.
    pub fn parse(method: &str, args: &str) -> Result<Self> {
        #[cfg(feature = "test-hooks")]
        assert!(!args.contains("__panic__"), "a planted panic");
        let mut args: Vec<Value> =
            json::from_text(args).map_err(|e| Error::payload(format!("{method}: the arguments can't be read: {}", e.message())))?;
        if args.is_empty() {
            return Err(Error::payload(format!("{method}: the call has no scope")));
        }
        let scope: Scope = serde_json::from_value(args.remove(0)).map_err(|e| Error::payload(format!("{method}: bad options: {e}")))?;
        // Bounded before it is kept anywhere.
        if let Some(name) = scope.collection.as_deref().filter(|name| !is_collection_name(name)) {
            return Err(Error::new(ErrorCode::CollectionNotFound, format!("There is no collection `{}`", clip(name))));
        }
        Ok(Self { method: method.to_owned(), scope, args, nth: 0 })
    }

    /// The collection of the call.
    pub fn collection(&self) -> Result<&str> {
        self.scope.collection.as_deref().ok_or_else(|| Error::payload(format!("{}: needs the name of a collection", self.method)))
    }

    /// Argument `at`, called `name` in messages; `null` where it is missing.
    pub fn arg(&self, at: usize) -> &Value {
        self.args.get(at).unwrap_or(&Value::Null)
    }

    /// Argument `at` as a text.
    pub fn text(&self, at: usize, name: &str) -> Result<&str> {
        self.arg(at).as_str().ok_or_else(|| self.wrong(name, "a text", at))
    }

    /// Argument `at` as an object; a missing one is empty.
    pub fn object(&self, at: usize, name: &str) -> Result<Item> {
        match self.arg(at) {
            Value::Null => Ok(Item::new()),
            Value::Object(object) => Ok(object.clone()),
            _ => Err(self.wrong(name, "an object", at)),
        }
    }

    /// Argument `at` as an object that must be there.
    pub fn item(&self, at: usize, name: &str) -> Result<Item> {
        self.arg(at).as_object().cloned().ok_or_else(|| self.wrong(name, "an object", at))
    }

    /// Argument `at` as an array.
    pub fn list(&self, at: usize, name: &str) -> Result<Vec<Value>> {
        self.arg(at).as_array().cloned().ok_or_else(|| self.wrong(name, "an array", at))
    }

    /// Argument `at` as an array of objects.
    pub fn items(&self, at: usize, name: &str) -> Result<Vec<Item>> {
        self.list(at, name)?
            .into_iter()
            .map(|value| match value {
                Value::Object(item) => Ok(item),
                _ => Err(self.wrong(name, "an array of objects", at)),
            })
            .collect()
    }

    fn wrong(&self, name: &str, wanted: &str, at: usize) -> Error {
        Error::payload(format!("{}: `{name}` must be {wanted}, not: {}", clip(&self.method), show(self.arg(at))))
    }
}
