//! Jobs that run by the clock: what `/api/cron` does. With `MCP_ACTIVATION=approve` only a person decides which of them run.

use serde_json::{Value, json};

use super::super::tool::{Action, Answer, Argument, Asked, Effect, Kind, Tool};
use super::common::{ID, PAGE, READ, rows};
use crate::error::{Error, Result};
use crate::services::Item;

const NAME: Argument = Argument { name: "name", kind: Kind::Text, about: "its name; no other has it" };
const SCHEDULE: Argument =
    Argument { name: "schedule", kind: Kind::Text, about: "five fields as in `0 3 * * *`, or `@hourly`, `@daily` and their kin" };
const CODE: Argument =
    Argument { name: "code", kind: Kind::Text, about: "the body of an async function that sees context and services, as the system user" };
const OTHERS: &[Argument] = &[
    Argument { name: "description", kind: Kind::Text, about: "what it is for" },
    Argument { name: "timezone", kind: Kind::Text, about: "such as `Europe/Berlin`; UTC without" },
    Argument { name: "status", kind: Kind::Choice(&["active", "inactive"]), about: "whether it runs by the clock; active without" },
    Argument { name: "timeout_ms", kind: Kind::Whole(1, 3_600_000), about: "longest run" },
    Argument { name: "memory_limit_mb", kind: Kind::Whole(1, 512), about: "largest heap" },
];

/// Jobs.
pub const TOOL: Tool = Tool {
    name: "cron",
    title: "Jobs that run by the clock",
    about: "Jobs run JavaScript by the clock, with the system's rights. Needs admin rights. Try the code with `run_now` before you have it run \
            by the clock; `history` has what each run wrote and how it ended.",
    open_world: true,
    answers: rows,
    actions: &[
        Action { name: "list", effect: Effect::Reads, about: "the jobs", needs: &[], takes: &[READ], run: |asked| Box::pin(list(asked)) },
        Action { name: "get", effect: Effect::Reads, about: "one job", needs: &[ID], takes: &[], run: |asked| Box::pin(get(asked)) },
        Action {
            name: "history",
            effect: Effect::Reads,
            about: "the runs of a job, or of all, the last first",
            needs: &[],
            takes: &[&[ID], PAGE],
            run: |asked| Box::pin(history(asked)),
        },
        Action {
            name: "stats",
            effect: Effect::Reads,
            about: "how many jobs there are, and how the runs ended that the history keeps",
            needs: &[],
            takes: &[],
            run: |asked| Box::pin(async move { Ok(Answer::of(asked.api.cron.stats(asked.start).await?)) }),
        },
        Action {
            name: "create",
            effect: Effect::Adds,
            about: "stores a new job",
            needs: &[NAME, SCHEDULE, CODE],
            takes: &[OTHERS],
            run: |asked| Box::pin(create(asked)),
        },
        Action {
            name: "update",
            effect: Effect::Changes,
            about: "changes one; what isn't said stays",
            needs: &[ID],
            takes: &[&[NAME, SCHEDULE, CODE], OTHERS],
            run: |asked| Box::pin(update(asked)),
        },
        Action {
            name: "run_now",
            effect: Effect::Changes,
            about: "runs one now, and answers when it has ended",
            needs: &[ID],
            takes: &[],
            run: |asked| Box::pin(run_now(asked)),
        },
        Action {
            name: "delete",
            effect: Effect::Deletes,
            about: "deletes one with its history",
            needs: &[ID],
            takes: &[],
            run: |asked| Box::pin(delete(asked)),
        },
    ],
};

async fn list(mut asked: Asked) -> Result<Answer> {
    let query = asked.query(READ);
    Ok(asked.api.cron.list(asked.start, &query).await?.into())
}

async fn get(mut asked: Asked) -> Result<Answer> {
    let id = asked.text("id");
    Ok(Answer::of(asked.api.cron.read(asked.start, &id, &Item::new()).await?))
}

async fn history(mut asked: Asked) -> Result<Answer> {
    let (id, query) = (asked.take("id"), asked.query(PAGE));
    Ok(asked.api.cron.history(asked.start, id.as_ref().and_then(Value::as_str), &query).await?.into())
}

async fn create(asked: Asked) -> Result<Answer> {
    asked.admin("manage cron jobs")?;
    if asked.approve && asked.arguments.get("status") != Some(&json!("inactive")) {
        return Err(persons_word("Create it with `status: inactive`; a person switches it on over REST"));
    }
    Ok(Answer::of(asked.api.cron.create(asked.start, asked.arguments).await?))
}

async fn update(mut asked: Asked) -> Result<Answer> {
    let id = asked.text("id");
    if asked.approve && (is_active(&asked, &id).await? || asked.arguments.get("status") == Some(&json!("active"))) {
        return Err(persons_word("A person changes active jobs, and switches jobs on, over REST"));
    }
    Ok(Answer::of(asked.api.cron.update(asked.start, &id, asked.arguments).await?))
}

async fn run_now(mut asked: Asked) -> Result<Answer> {
    let id = asked.text("id");
    if asked.approve && !is_active(&asked, &id).await? {
        return Err(persons_word("Only jobs that a person has switched on are run"));
    }
    Ok(Answer::of(asked.api.cron.run_now(asked.start, &id).await?))
}

async fn delete(mut asked: Asked) -> Result<Answer> {
    let id = asked.text("id");
    asked.api.cron.delete(asked.start, &id).await?;
    Ok(Answer::of(json!({ "deleted": id })))
}

async fn is_active(asked: &Asked, id: &str) -> Result<bool> {
    let row = asked.api.cron.read(asked.start.clone(), id, &Item::new()).await?;
    Ok(row.get("status") != Some(&json!("inactive")))
}

/// With `MCP_ACTIVATION=approve` nothing goes live here.
pub fn persons_word(what: &str) -> Error {
    Error::forbidden(format!("This server has `MCP_ACTIVATION` set to `approve`: code runs once a person has seen it. {what}"))
        .with_field("status")
}
