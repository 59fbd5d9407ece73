//! Extensions: what `/api/extensions` does. With `MCP_ACTIVATION=approve` what would change what runs waits for a person.

use serde_json::{Value, json};

use super::super::tool::{Action, Answer, Argument, Asked, Effect, Kind, Tool};
use super::common::{ETAG, ID, PAGE, READ_BY_QUERY};
use crate::error::{Error, Result};
use crate::extensions::{Change, TestRequest, version_of};
use crate::services::Item;

const NAME: Argument = Argument { name: "name", kind: Kind::Text, about: "its name; no other has it" };
const KIND: Argument = Argument {
    name: "type",
    kind: Kind::Choice(&["filter", "action", "route"]),
    about: "filter: runs before an event and may change or refuse it; action: runs after the commit; route: answers requests to /api/ext",
};
const EVENT: Argument = Argument {
    name: "event",
    kind: Kind::Text,
    about: "the one event: `articles.items.create` (also update, delete, read, query), `*.items.create`, `jobs.name` of an action, \
            `GET /customers/:id` of a route",
};
const CODE: Argument = Argument {
    name: "code",
    kind: Kind::Text,
    about: "the body of an async function. A filter sees payload, meta, context, services and returns the payload; an action meta, context, \
            services; a route request, context, services and returns a Response or an object",
};
const OTHERS: &[Argument] = &[
    Argument { name: "description", kind: Kind::Text, about: "what it is for" },
    Argument { name: "status", kind: Kind::Choice(&["active", "inactive"]), about: "whether it runs; active without" },
    Argument { name: "sort", kind: Kind::Whole(i32::MIN as i64, i32::MAX as i64), about: "lower runs first" },
    Argument { name: "failure_mode", kind: Kind::Choice(&["closed", "open"]), about: "whether what it guards goes on when it can't run" },
    Argument {
        name: "delivery",
        kind: Kind::Choice(&["durable", "best_effort"]),
        about: "of an action: whether a run is owed until it is done",
    },
];
const LIMITS: &[Argument] = &[
    Argument { name: "timeout_ms", kind: Kind::Whole(1, 60_000), about: "longest call" },
    Argument { name: "memory_limit_mb", kind: Kind::Whole(1, 512), about: "largest heap" },
    Argument { name: "state", kind: Kind::Choice(&["pristine", "warm"]), about: "whether module state lives on between calls" },
    Argument {
        name: "capabilities",
        kind: Kind::Any,
        about: "an array of what it may do, such as `items:articles:read`, `mail`, `fetch`; \
              null for everything but `rawdb:system`. `test` answers what a run used",
    },
];
const TEST: &[Argument] = &[
    Argument { name: "id", kind: Kind::Text, about: "a stored extension whose definition is tested, with what else is said in its place" },
    KIND,
    EVENT,
    CODE,
    Argument {
        name: "testPayload",
        kind: Kind::Any,
        about: "the payload of the event, or of a route {method, url, headers, params, body}",
    },
    Argument { name: "meta", kind: Kind::Object, about: "members of `meta` besides event and collection, such as {keys, previous}" },
    Argument { name: "accountability", kind: Kind::Object, about: "who the run acts for, such as {user: id}; the caller without" },
    Argument { name: "mocks", kind: Kind::List, about: "answers for fetch: {match, status, headers, body}" },
    Argument { name: "allowFetch", kind: Kind::Flag, about: "true lets fetch without a mock leave for real" },
];

/// What a list shows of each, unless `fields` says otherwise: everything but the code.
const BRIEF: [&str; 14] = [
    "id",
    "name",
    "description",
    "event",
    "type",
    "status",
    "sort",
    "failure_mode",
    "capabilities",
    "execution_count",
    "last_error",
    "last_error_at",
    "updated_at",
    "pending",
];

const WAITS: &str = "It waits for a person, and the extension runs as it did until then. Tell the person: they confirm or decline it over \
    REST, with `POST /api/extensions/:id/confirm` or `/decline`.";

/// Extensions.
pub const TOOL: Tool = Tool {
    name: "extensions",
    title: "Extensions in JavaScript",
    about: "Extensions are JavaScript that runs in a sandbox: filters and actions on events of items, and routes. Needs admin rights. Write one \
            in this order: `test` with its code until `success` is true, `create` with status inactive, `activate`, then `list` and `logs` to \
            see how it does. Code that doesn't compile is refused with line, column and a code frame. Extensions in folders are shown as \
            well, and are changed on disk.",
    open_world: true,
    answers: || {
        json!({
            "type": ["object", "array", "null"],
            "description": "one extension, or all, or entries of its history or log; of `test` {success, result, logs, error, calls, capabilitiesUsed}",
        })
    },
    actions: &[
        Action {
            name: "list",
            effect: Effect::Reads,
            about: "the extensions with what each is now (`live`), without their code; `sort` and `meta` stand in `query`",
            needs: &[],
            takes: &[READ_BY_QUERY],
            run: |asked| Box::pin(list(asked)),
        },
        Action {
            name: "read",
            effect: Effect::Reads,
            about: "one with its code, its last failed runs, and its version (`meta.etag`)",
            needs: &[ID],
            takes: &[],
            run: |asked| Box::pin(read(asked)),
        },
        Action {
            name: "history",
            effect: Effect::Reads,
            about: "each saved version, with author and time",
            needs: &[ID],
            takes: &[PAGE],
            run: |asked| Box::pin(history(asked)),
        },
        Action {
            name: "logs",
            effect: Effect::Reads,
            about: "the lines that it wrote on this host",
            needs: &[ID],
            takes: &[super::logs::WHICH],
            run: |mut asked| {
                let id = asked.text("id");
                Box::pin(super::logs::of_one(asked, id))
            },
        },
        Action {
            name: "test",
            effect: Effect::Adds,
            about: "runs code in the real sandbox on the real data, and undoes everything: nothing stays and no mail leaves",
            needs: &[],
            takes: &[TEST, LIMITS, &[NAME]],
            run: |asked| Box::pin(test(asked)),
        },
        Action {
            name: "create",
            effect: Effect::Adds,
            about: "stores a new one",
            needs: &[NAME, KIND, EVENT, CODE],
            takes: &[OTHERS, LIMITS],
            run: |asked| Box::pin(create(asked)),
        },
        Action {
            name: "update",
            effect: Effect::Changes,
            about: "changes one; what isn't said stays",
            needs: &[ID],
            takes: &[&[NAME, KIND, EVENT, CODE], OTHERS, LIMITS, &[ETAG]],
            run: |asked| Box::pin(update(asked)),
        },
        Action {
            name: "activate",
            effect: Effect::Changes,
            about: "has it run",
            needs: &[ID],
            takes: &[&[ETAG]],
            run: |asked| Box::pin(switch(asked, "active", Change::Activate)),
        },
        Action {
            name: "deactivate",
            effect: Effect::Changes,
            about: "has it not run",
            needs: &[ID],
            takes: &[&[ETAG]],
            run: |asked| Box::pin(switch(asked, "inactive", Change::Deactivate)),
        },
        Action {
            name: "clone",
            effect: Effect::Adds,
            about: "makes an inactive copy",
            needs: &[ID],
            takes: &[&[NAME]],
            run: |asked| Box::pin(clone(asked)),
        },
        Action {
            name: "rollback",
            effect: Effect::Changes,
            about: "makes it what it was in a version of its history",
            needs: &[ID, Argument { name: "version", kind: Kind::Whole(1, i32::MAX as i64), about: "the number of the version" }],
            takes: &[&[ETAG]],
            run: |asked| Box::pin(rollback(asked)),
        },
        Action {
            name: "delete",
            effect: Effect::Deletes,
            about: "deletes it with its history",
            needs: &[ID],
            takes: &[&[ETAG]],
            run: |asked| Box::pin(delete(asked)),
        },
    ],
};

async fn list(mut asked: Asked) -> Result<Answer> {
    let mut query = asked.query(READ_BY_QUERY);
    query.entry("fields").or_insert_with(|| json!(BRIEF));
    Ok(asked.api.extensions.list(asked.start, &query).await?.into())
}

async fn read(mut asked: Asked) -> Result<Answer> {
    let id = asked.text("id");
    let (row, etag) = asked.api.extensions.read(asked.start, &id, &Item::new()).await?;
    Ok(Answer::of(row).with_meta(json!({ "etag": etag })))
}

async fn history(mut asked: Asked) -> Result<Answer> {
    let (id, query) = (asked.text("id"), asked.query(PAGE));
    Ok(asked.api.extensions.history(asked.start, &id, &query).await?.into())
}

async fn test(mut asked: Asked) -> Result<Answer> {
    asked.api.extensions.admit(&asked.start.who)?;
    if asked.approve && asked.arguments.get("allowFetch") == Some(&json!(true)) {
        let message =
            "`allowFetch` isn't there while `MCP_ACTIVATION` is `approve`: code that no person has seen reaches nothing. Use `mocks`";
        return Err(Error::forbidden(message).with_field("allowFetch"));
    }
    let id = asked.take("id").and_then(|id| id.as_str().map(str::to_owned));
    let mut request = std::mem::replace(&mut asked.arguments, Item::new());
    if let Some(id) = id {
        let (stored, _) = asked.api.extensions.read(asked.start.clone(), &id, &Item::new()).await?;
        if stored.contains_key("folder") {
            return Err(
                Error::payload("It lies in a folder, which isn't one handler: test with `code`, `type` and `event`").with_field("id")
            );
        }
        for name in ["name", "type", "event", "code", "timeout_ms", "memory_limit_mb", "state", "capabilities"] {
            if let Some(value) = stored.get(name).filter(|_| !request.contains_key(name)) {
                request.insert(name.to_owned(), value.clone());
            }
        }
    }
    let request = TestRequest::parse(Value::Object(request))?;
    Ok(Answer::of(asked.api.extensions.test(asked.start, request).await?))
}

async fn create(asked: Asked) -> Result<Answer> {
    let (extensions, item) = (&asked.api.extensions, asked.arguments);
    Ok(saved(match asked.approve {
        true => extensions.propose_new(asked.start, item).await?,
        false => extensions.create(asked.start, item).await?,
    }))
}

async fn update(mut asked: Asked) -> Result<Answer> {
    let (id, expected) = (asked.text("id"), asked.expected());
    let (extensions, changes) = (&asked.api.extensions, asked.arguments);
    Ok(saved(match asked.approve {
        true => extensions.propose(asked.start, &id, changes, Change::Update, &expected).await?,
        false => extensions.update(asked.start, &id, changes, Change::Update, &expected).await?,
    }))
}

async fn switch(mut asked: Asked, status: &'static str, change: Change) -> Result<Answer> {
    let (id, expected) = (asked.text("id"), asked.expected());
    let extensions = &asked.api.extensions;
    let changes = Item::from_iter([("status".to_owned(), json!(status))]);
    Ok(saved(match (asked.approve, change) {
        (true, _) => extensions.propose(asked.start, &id, changes, change, &expected).await?,
        (false, Change::Activate) => extensions.activate(asked.start, &id, &expected).await?,
        (false, _) => extensions.deactivate(asked.start, &id, &expected).await?,
    }))
}

async fn clone(mut asked: Asked) -> Result<Answer> {
    let id = asked.text("id");
    Ok(saved(asked.api.extensions.duplicate(asked.start, &id, &asked.arguments).await?))
}

async fn rollback(mut asked: Asked) -> Result<Answer> {
    let (id, expected) = (asked.text("id"), asked.expected());
    let (extensions, body) = (&asked.api.extensions, &asked.arguments);
    Ok(saved(match asked.approve {
        true => extensions.propose_rollback(asked.start, &id, body, &expected).await?,
        false => extensions.rollback(asked.start, &id, body, &expected).await?,
    }))
}

async fn delete(mut asked: Asked) -> Result<Answer> {
    let (id, expected) = (asked.text("id"), asked.expected());
    let extensions = &asked.api.extensions;
    match asked.approve {
        true => extensions.delete_inactive(asked.start, &id, &expected).await?,
        false => extensions.delete(asked.start, &id, &expected).await?,
    }
    Ok(Answer::of(json!({ "deleted": id })))
}

/// A row that was just saved, with its version, and whether a person is asked.
fn saved(row: Item) -> Answer {
    let waits = row.get("pending").is_some_and(|pending| !pending.is_null());
    let etag = version_of(&row);
    Answer::of(row).with_meta(json!({ "etag": etag, "pending": waits })).with_note(waits.then_some(WAITS))
}
