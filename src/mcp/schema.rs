//! Tools as clients see them: JSON Schema of what goes in and what comes out, and hints, derived from the table.
//!
//! What an action needs is said by a chain of `if` and `then`: some model APIs take no `oneOf`, `allOf` or `anyOf` at the top of a schema.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool as Listed, ToolAnnotations};
use serde_json::{Value, json};

use super::tool::{Action, Argument, Effect, Kind, Tool, View};

/// A tool as a connection has it; `None` where nothing of it is left.
pub fn listed(tool: &'static Tool, view: View) -> Option<Listed> {
    let actions: Vec<&'static Action> = tool.admitted(view).collect();
    if actions.is_empty() {
        return None;
    }
    let has = |effects: &[Effect]| actions.iter().any(|action| effects.contains(&action.effect));
    let is_reading = !has(&[Effect::Adds, Effect::Changes, Effect::Deletes]);
    let hints = ToolAnnotations::with_title(tool.title)
        .read_only(is_reading)
        .destructive(has(&[Effect::Changes, Effect::Deletes]))
        .idempotent(is_reading)
        .open_world(tool.open_world && !is_reading);
    let listed = Listed::new(tool.name, about(tool, &actions), object(input(&actions)))
        .with_title(tool.title)
        .with_raw_output_schema(object(output(tool)))
        .with_annotations(hints);
    Some(listed)
}

fn object(value: Value) -> Arc<JsonObject> {
    match value {
        Value::Object(object) => Arc::new(object),
        _ => Arc::default(),
    }
}

fn about(tool: &Tool, actions: &[&Action]) -> String {
    let mut text = format!("{}\n\nActions:", tool.about);
    for action in actions {
        let needs: Vec<&str> = action.needs.iter().map(|argument| argument.name).collect();
        let needs = if needs.is_empty() { String::new() } else { format!(" (needs {})", needs.join(", ")) };
        text.push_str(&format!("\n- {}{needs}: {}", action.name, action.about));
    }
    text
}

fn input(actions: &[&'static Action]) -> Value {
    let names: Vec<&str> = actions.iter().map(|action| action.name).collect();
    let mut properties = json!({ "action": { "type": "string", "enum": names, "description": "what to do" } });
    for argument in actions.iter().flat_map(|action| action.arguments()) {
        if properties.get(argument.name).is_none() {
            properties[argument.name] = property(argument, actions);
        }
    }
    if properties.get("data").is_none() {
        properties["data"] = json!({ "type": "object", "description": "the other arguments may stand in here together instead" });
    }
    let mut schema = json!({ "type": "object", "properties": properties, "required": ["action"], "additionalProperties": false });
    let mut conditions = Value::Null;
    for action in actions.iter().rev().filter(|action| !action.needs.is_empty()) {
        let needs: Vec<&str> = action.needs.iter().map(|argument| argument.name).collect();
        let then = match action.accepts("data") {
            true => json!({ "required": needs }),
            false => json!({ "anyOf": [{ "required": needs }, { "required": ["data"] }] }),
        };
        let mut condition = json!({ "if": { "properties": { "action": { "const": action.name } } }, "then": then });
        if !conditions.is_null() {
            condition["else"] = conditions;
        }
        conditions = condition;
    }
    if let (Some(schema), Value::Object(conditions)) = (schema.as_object_mut(), conditions) {
        schema.extend(conditions);
    }
    schema
}

fn property(argument: &Argument, actions: &[&'static Action]) -> Value {
    let mut schema = argument.kind.schema();
    let takers: Vec<&str> = actions.iter().filter(|action| action.accepts(argument.name)).map(|action| action.name).collect();
    let of = if takers.len() == actions.len() { String::new() } else { format!(" (of {})", takers.join(", ")) };
    schema["description"] = json!(format!("{}{of}", argument.about));
    schema
}

impl Kind {
    fn schema(self) -> Value {
        let key = || json!({ "type": ["string", "integer"] });
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::Key => key(),
            Self::Keys => json!({ "type": "array", "items": key() }),
            Self::Names => json!({ "type": "array", "items": { "type": "string" } }),
            Self::Whole(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Choice(names) => json!({ "type": "string", "enum": names }),
            Self::Object | Self::Filter => json!({ "type": "object" }),
            Self::Rows => json!({ "type": ["object", "array"], "items": { "type": "object" } }),
            Self::List => json!({ "type": "array", "items": { "type": "object" } }),
            Self::Any => json!({}),
        }
    }
}

/// What every answer is: `data`, or an `error`.
fn output(tool: &Tool) -> Value {
    let text = |about: &str| json!({ "type": "string", "description": about });
    json!({
        "type": "object",
        "properties": {
            "data": (tool.answers)(),
            "meta": { "type": "object", "description": "what is to know about the data: page, limit, counts, version" },
            "note": text("what this server has to say about the answer"),
            "error": {
                "type": "object",
                "properties": {
                    "code": text("the stable name of what went wrong"),
                    "status": { "type": "integer", "description": "its class, as over HTTP" },
                    "message": text("what went wrong; it may hold words of others"),
                    "field": text("the argument or field that it is about"),
                    "next": text("what to do next, in this server's words"),
                    "request_id": text("under which the log has more"),
                },
                "required": ["code", "status", "message", "next"],
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::tools;
    use super::*;

    const ALL: View = View { readonly: false, deletes: true, approve: false };

    #[test]
    fn every_tool_is_described_and_no_schema_has_a_choice_at_its_top() {
        for tool in tools::table() {
            let listed = listed(tool, ALL).expect("a tool with actions");
            let schema = listed.schema_as_json_value();
            for word in ["oneOf", "allOf", "anyOf"] {
                assert!(schema.get(word).is_none(), "{}: {word}", tool.name);
            }
            assert!(listed.description.as_ref().is_some_and(|about| about.len() > 100), "{}", tool.name);
            let mut names = HashSet::new();
            for action in tool.actions {
                assert!(names.insert(action.name), "{}: {} twice", tool.name, action.name);
                let mut arguments = HashSet::new();
                for argument in action.arguments() {
                    assert!(arguments.insert(argument.name), "{}.{}: {} twice", tool.name, action.name, argument.name);
                    // One name means one kind of thing in one tool.
                    let shown = &schema["properties"][argument.name];
                    let mut own = argument.kind.schema();
                    own["description"] = shown["description"].clone();
                    assert_eq!(shown, &own, "{}.{}: {}", tool.name, action.name, argument.name);
                }
            }
        }
    }

    #[test]
    fn a_reading_connection_gets_reading_actions_and_hints_that_say_so() {
        for tool in tools::table() {
            let listed = listed(tool, View { readonly: true, ..ALL }).expect("every tool reads something");
            let hints = listed.annotations.clone().expect("hints");
            assert_eq!((hints.read_only_hint, hints.destructive_hint), (Some(true), Some(false)), "{}", tool.name);
            let names = listed.schema_as_json_value()["properties"]["action"]["enum"].clone();
            for action in tool.actions {
                let is_listed = names.as_array().is_some_and(|names| names.contains(&json!(action.name)));
                assert_eq!(is_listed, action.effect == Effect::Reads, "{}.{}", tool.name, action.name);
            }
        }
    }
}
