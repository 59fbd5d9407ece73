//! The arguments of a call, held against the row of their tool before anything is done. A mistake says which argument, and what it may be.

use serde_json::Value;

use super::tool::{Action, Argument, Kind, Tool, View};
use crate::error::{Error, Result};
use crate::services::Item;
use crate::services::query::{clip, nearest, show};

/// Why a call isn't what its tool takes; with the action, as far as there is one.
pub type Refused = (Option<&'static Action>, Error);

/// Finds the action, takes off a wrapper, and checks each argument.
///
/// # Errors
/// `InvalidPayload` for what no action takes, `Forbidden` for an action that this connection doesn't have.
pub fn read(tool: &'static Tool, view: View, mut given: Item) -> std::result::Result<(&'static Action, Item), Refused> {
    let action = find(tool, view, &mut given).map_err(|error| (None, error))?;
    let refused = |error| (Some(action), error);
    view.admits(action).map_err(refused)?;
    let given = unwrapped(action, given).map_err(refused)?;
    check(tool, action, &given).map_err(refused)?;
    Ok((action, given))
}

fn find(tool: &'static Tool, view: View, given: &mut Item) -> Result<&'static Action> {
    let named = given.shift_remove("action").or_else(|| given.get_mut("data")?.as_object_mut()?.shift_remove("action"));
    let names = || tool.admitted(view).map(|action| format!("`{}`", action.name)).collect::<Vec<_>>().join(", ");
    let wrong = |message: String| Error::payload(message).with_field("action");
    match named {
        Some(Value::String(name)) => tool.actions.iter().find(|action| action.name == name).ok_or_else(|| {
            let near = sentence(nearest(&name, tool.actions.iter().map(|action| action.name)));
            wrong(format!("`{}` has no action `{}`{near} There are {}", tool.name, clip(&name), names()))
        }),
        None => Err(wrong(format!("`{}` needs an `action`: {}", tool.name, names()))),
        Some(other) => Err(wrong(format!("`action` must be a text, one of {}, not: {}", names(), show(&other)))),
    }
}

/// Arguments may come together in `data`. Where `data` is an argument itself, it is taken for a wrapper when what is needed stands in it and
/// not beside it.
fn unwrapped(action: &Action, mut given: Item) -> Result<Item> {
    let Some(Value::Object(inner)) = given.get("data") else { return Ok(given) };
    let is_missing = |argument: &&Argument| argument.name != "data" && !given.contains_key(argument.name);
    let is_wrapper = match action.accepts("data") {
        true => action.needs.iter().any(|argument| is_missing(&argument) && inner.contains_key(argument.name)),
        false => true,
    };
    if !is_wrapper {
        return Ok(given);
    }
    let Some(Value::Object(inner)) = given.shift_remove("data") else { return Ok(given) };
    for (name, value) in inner {
        if given.contains_key(&name) {
            return Err(Error::payload(format!("`{}` stands twice: beside `data` and in it", clip(&name))).with_field(clip(&name)));
        }
        given.insert(name, value);
    }
    Ok(given)
}

fn check(tool: &Tool, action: &Action, given: &Item) -> Result<()> {
    for (name, value) in given {
        let Some(argument) = action.arguments().find(|argument| argument.name == name) else {
            let near = sentence(nearest(name, action.arguments().map(|argument| argument.name)));
            let names = action.arguments().map(|argument| format!("`{}`", argument.name)).collect::<Vec<_>>().join(", ");
            let takes = if names.is_empty() { "no arguments".to_owned() } else { names };
            let message = format!("`{}` of `{}` takes no `{}`{near} It takes {takes}", action.name, tool.name, clip(name));
            return Err(Error::payload(message).with_field(clip(name)));
        };
        if let Err(why) = argument.kind.admits(value) {
            return Err(Error::payload(format!("`{name}` must be {why}, not: {}", show(value))).with_field(argument.name));
        }
    }
    match action.needs.iter().find(|argument| given.get(argument.name).is_none_or(Value::is_null)) {
        Some(missing) => {
            let message = format!("`{}` of `{}` needs `{}`: {}", action.name, tool.name, missing.name, missing.about);
            Err(Error::payload(message).with_field(missing.name))
        }
        None => Ok(()),
    }
}

/// What ends a sentence: a suggestion, or nothing but the end.
fn sentence(near: String) -> String {
    if near.is_empty() { ".".to_owned() } else { near }
}

impl Kind {
    /// Whether a value is of this kind; `null` is as good as nothing. If not, what would be.
    fn admits(self, value: &Value) -> std::result::Result<(), String> {
        let is_key = |value: &Value| value.is_string() || value.is_i64() || value.is_u64();
        let all = |value: &Value, is: fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(is));
        let (fits, what) = match self {
            _ if value.is_null() => (true, String::new()),
            Self::Any => (true, String::new()),
            Self::Text => (value.is_string(), "a text".to_owned()),
            Self::Key => (is_key(value), "a key, a text or a whole number".to_owned()),
            Self::Keys => (value.as_array().is_some_and(|list| list.iter().all(is_key)), "an array of keys".to_owned()),
            Self::Names => (value.is_string() || all(value, Value::is_string), "an array of names".to_owned()),
            Self::Whole(min, max) => {
                (value.as_i64().is_some_and(|n| (min..=max).contains(&n)), format!("a whole number from {min} to {max}"))
            }
            Self::Flag => (value.is_boolean(), "true or false".to_owned()),
            Self::Choice(names) => {
                let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                (value.as_str().is_some_and(|name| names.contains(&name)), format!("one of {list}"))
            }
            Self::Object => (value.is_object(), "an object".to_owned()),
            Self::Filter => (value.is_object() || value.is_string(), "a filter, an object".to_owned()),
            Self::Rows => (value.is_object() || all(value, Value::is_object), "an object, or an array of objects".to_owned()),
            Self::List => (all(value, Value::is_object), "an array of objects".to_owned()),
        };
        if fits { Ok(()) } else { Err(what) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tools;
    use super::*;

    const ALL: View = View { readonly: false, deletes: true, approve: false };

    fn asked(tool: &str, given: Value) -> std::result::Result<(&'static str, Value), Error> {
        let Value::Object(given) = given else { panic!("an object") };
        let tool = tools::find(tool).expect("a tool");
        read(tool, ALL, given).map(|(action, given)| (action.name, Value::Object(given))).map_err(|(_, error)| error)
    }

    #[test]
    fn arguments_stand_beside_the_action_or_together_in_data() {
        let flat = json!({ "collection": "articles", "key": 1 });
        for given in [
            json!({ "action": "read", "collection": "articles", "key": 1 }),
            json!({ "action": "read", "data": flat }),
            json!({ "data": { "action": "read", "collection": "articles", "key": 1 } }),
            json!({ "action": "read", "collection": "articles", "data": { "key": 1 } }),
        ] {
            assert_eq!(asked("items", given.clone()).ok(), Some(("read", flat.clone())), "{given}");
        }
        // `data` is what is written here.
        let written = json!({ "collection": "articles", "data": { "title": "x", "collection": "y" } });
        for given in [
            json!({ "action": "create", "collection": "articles", "data": { "title": "x", "collection": "y" } }),
            json!({ "action": "create", "data": written }),
        ] {
            assert_eq!(asked("items", given.clone()).ok(), Some(("create", written.clone())), "{given}");
        }
        let twice = asked("items", json!({ "action": "read", "collection": "a", "data": { "collection": "b" } }));
        assert!(twice.expect_err("twice").message().contains("stands twice"));
    }

    #[test]
    fn each_mistake_names_its_argument_and_what_there_is() {
        for (given, field, part) in [
            (json!({}), "action", "needs an `action`: `read`"),
            (json!({ "action": 1 }), "action", "not: 1"),
            (json!({ "action": "reed" }), "action", "did you mean `read`?"),
            (json!({ "action": "read" }), "collection", "needs `collection`"),
            (json!({ "action": "read", "collection": null }), "collection", "needs `collection`"),
            (json!({ "action": "read", "collection": 5 }), "collection", "must be a text, not: 5"),
            (json!({ "action": "read", "collection": "a", "limit": 1.5 }), "limit", "a whole number from -1"),
            (json!({ "action": "read", "collection": "a", "fitler": {} }), "fitler", "did you mean `filter`?"),
            (json!({ "action": "delete", "collection": "a", "keys": [{}] }), "keys", "an array of keys"),
            (json!({ "action": "create", "collection": "a", "data": [1] }), "data", "an array of objects"),
        ] {
            let error = asked("items", given.clone()).expect_err("a mistake");
            assert_eq!(error.field(), Some(field), "{given}: {}", error.message());
            assert!(error.message().contains(part), "{given}: {}", error.message());
        }
    }

    #[test]
    fn a_connection_has_the_actions_that_it_may_have() {
        let delete = || json!({ "action": "delete", "collection": "a", "keys": [1] }).as_object().cloned().expect("an object");
        let tool = tools::find("items").expect("a tool");
        for (view, part) in [(View { readonly: true, ..ALL }, "?readonly"), (View { deletes: false, ..ALL }, "MCP_ALLOW_DELETES")] {
            let (action, error) = read(tool, view, delete()).err().expect("refused");
            assert_eq!((action.map(|action| action.name), error.class()), (Some("delete"), 403));
            assert!(error.message().contains(part), "{}", error.message());
        }
    }
}
