//! Custom services, code that extensions share: what `/api/services` does. With `MCP_ACTIVATION=approve` a person switches them on.

use serde_json::{Value, json};

use super::super::tool::{Action, Answer, Argument, Asked, Effect, Kind, Tool};
use super::common::{ID, READ, rows};
use super::cron::persons_word;
use crate::error::Result;
use crate::services::Item;

const NAME: Argument =
    Argument { name: "name", kind: Kind::Text, about: "what `services.custom(name)` takes: small letters, digits, _ and -" };
const CODE: Argument = Argument {
    name: "code",
    kind: Kind::Text,
    about: "the body of a function that sees context and services and returns an object of functions, with `init(context)` if it likes",
};
const OTHERS: &[Argument] = &[
    Argument { name: "description", kind: Kind::Text, about: "what it is for" },
    Argument { name: "tests", kind: Kind::List, about: "tests, each {name, code}; their code sees api and assert" },
    Argument { name: "status", kind: Kind::Choice(&["active", "inactive"]), about: "whether it can be used; active without" },
    Argument { name: "timeout_ms", kind: Kind::Whole(1, 60_000), about: "longest run of one test" },
];

/// Custom services.
pub const TOOL: Tool = Tool {
    name: "services",
    title: "Code that extensions share",
    about: "Custom services are JavaScript that extensions, jobs and other services use as `services.custom(name)`, with the rights of whoever \
            calls. Needs admin rights. Give one `tests` and call `run_tests`: they run in the sandbox, and what they write is undone.",
    open_world: true,
    answers: rows,
    actions: &[
        Action {
            name: "list",
            effect: Effect::Reads,
            about: "the services",
            needs: &[],
            takes: &[READ],
            run: |asked| Box::pin(list(asked)),
        },
        Action {
            name: "read",
            effect: Effect::Reads,
            about: "one with its code, its tests and their last run",
            needs: &[ID],
            takes: &[],
            run: |asked| Box::pin(read(asked)),
        },
        Action {
            name: "create",
            effect: Effect::Adds,
            about: "stores a new one",
            needs: &[NAME, CODE],
            takes: &[OTHERS],
            run: |asked| Box::pin(create(asked)),
        },
        Action {
            name: "update",
            effect: Effect::Changes,
            about: "changes one, for the next call of whatever uses it",
            needs: &[ID],
            takes: &[&[NAME, CODE], OTHERS],
            run: |asked| Box::pin(update(asked)),
        },
        Action {
            name: "run_tests",
            effect: Effect::Changes,
            about: "runs its tests, or one of them, and keeps how that went",
            needs: &[ID],
            takes: &[&[Argument { name: "test", kind: Kind::Text, about: "the name of one test" }]],
            run: |asked| Box::pin(run_tests(asked)),
        },
        Action {
            name: "delete",
            effect: Effect::Deletes,
            about: "deletes one that nothing uses",
            needs: &[ID],
            takes: &[],
            run: |asked| Box::pin(delete(asked)),
        },
    ],
};

async fn list(mut asked: Asked) -> Result<Answer> {
    let query = asked.query(READ);
    Ok(asked.api.extensions.custom_services(asked.start, &query).await?.into())
}

async fn read(mut asked: Asked) -> Result<Answer> {
    let id = asked.text("id");
    Ok(Answer::of(asked.api.extensions.custom_service(asked.start, &id, &Item::new()).await?))
}

async fn create(asked: Asked) -> Result<Answer> {
    asked.admin("manage custom services")?;
    if asked.approve && asked.arguments.get("status") != Some(&json!("inactive")) {
        return Err(persons_word("Create it with `status: inactive`; a person switches it on over REST"));
    }
    Ok(Answer::of(asked.api.extensions.create_custom_service(asked.start, asked.arguments).await?))
}

async fn update(mut asked: Asked) -> Result<Answer> {
    let id = asked.text("id");
    if asked.approve && (is_active(&asked, &id).await? || asked.arguments.get("status") == Some(&json!("active"))) {
        return Err(persons_word("A person changes active services, and switches services on, over REST"));
    }
    Ok(Answer::of(asked.api.extensions.update_custom_service(asked.start, &id, asked.arguments).await?))
}

async fn run_tests(mut asked: Asked) -> Result<Answer> {
    let (id, test) = (asked.text("id"), asked.take("test"));
    if asked.approve && !is_active(&asked, &id).await? {
        return Err(persons_word("Only the tests of services that a person has switched on are run"));
    }
    let only = test.as_ref().and_then(Value::as_str);
    Ok(Answer::of(asked.api.extensions.test_custom_service(asked.start, &id, only).await?))
}

async fn delete(mut asked: Asked) -> Result<Answer> {
    let id = asked.text("id");
    asked.api.extensions.delete_custom_service(asked.start, &id).await?;
    Ok(Answer::of(json!({ "deleted": id })))
}

async fn is_active(asked: &Asked, id: &str) -> Result<bool> {
    let row = asked.api.extensions.custom_service(asked.start.clone(), id, &Item::new()).await?;
    Ok(row.get("status") != Some(&json!("inactive")))
}
