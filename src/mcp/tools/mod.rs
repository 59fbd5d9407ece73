//! The tools: one file each, one row here. A new one is a file with its `TOOL`, and its name in the table.

mod collections;
mod common;
mod cron;
mod extensions;
mod fields;
mod items;
mod logs;
mod relations;
mod rows;
mod schema;
mod services;

use super::tool::{Effect, Tool};

/// Every tool, in the order in which clients see them.
const TOOLS: &[Tool] = &[
    schema::TOOL,
    items::TOOL,
    collections::TOOL,
    fields::TOOL,
    relations::TOOL,
    rows::USERS,
    rows::ROLES,
    rows::POLICIES,
    rows::PERMISSIONS,
    rows::ACCESS,
    extensions::TOOL,
    cron::TOOL,
    services::TOOL,
    logs::TOOL,
];

/// Every tool.
pub fn table() -> &'static [Tool] {
    TOOLS
}

/// The tool of this name.
pub fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

/// The tools as `docs/MCP.md` lists them. What changes something is set in italics, what deletes in bold.
pub fn markdown() -> String {
    let mut text = "| tool | actions | for |\n| --- | --- | --- |\n".to_owned();
    for tool in TOOLS {
        let action = |effect: Effect, name: &str| match effect {
            Effect::Reads => name.to_owned(),
            Effect::Adds | Effect::Changes => format!("*{name}*"),
            Effect::Deletes => format!("**{name}**"),
        };
        let actions: Vec<String> = tool.actions.iter().map(|one| action(one.effect, one.name)).collect();
        text.push_str(&format!("| `{}` | {} | {} |\n", tool.name, actions.join(", "), tool.title));
    }
    text
}
