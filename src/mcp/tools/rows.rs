//! The tools over the system's own collections: users and what they may do. They work on rows as `items` does.

use super::super::tool::{Action, Answer, Asked, Effect, Tool};
use super::common::{DATA, FIELDS, KEY, KEYS, QUERY, READ, rows};
use super::items;
use crate::error::Result;
use crate::http::auth::{key_of, myself};

/// A tool over one collection, and what it has besides.
macro_rules! over {
    ($collection:literal, $name:literal, $title:literal, $about:literal $(, $more:expr)?) => {
        Tool {
            name: $name,
            title: $title,
            about: $about,
            open_world: false,
            answers: rows,
            actions: &[
                Action {
                    name: "read",
                    effect: Effect::Reads,
                    about: "the row with `key`, the rows with `keys`, or those that the query finds",
                    needs: &[],
                    takes: &[&[KEY, KEYS], READ],
                    run: |asked| Box::pin(items::read($collection.to_owned(), asked)),
                },
                $($more,)?
                Action {
                    name: "create",
                    effect: Effect::Adds,
                    about: "makes a row, or several from an array",
                    needs: &[DATA],
                    takes: &[&[FIELDS]],
                    run: |asked| Box::pin(items::create($collection.to_owned(), asked)),
                },
                Action {
                    name: "update",
                    effect: Effect::Changes,
                    about: "writes `data` to the row with `key`, those with `keys`, or those that `query` finds; or each row of an array by \
                            the key in it",
                    needs: &[DATA],
                    takes: &[&[KEY, KEYS, QUERY, FIELDS]],
                    run: |asked| Box::pin(items::update($collection.to_owned(), asked)),
                },
                Action {
                    name: "delete",
                    effect: Effect::Deletes,
                    about: "deletes the row with `key`, those with `keys`, or those that `query` finds",
                    needs: &[],
                    takes: &[&[KEY, KEYS, QUERY]],
                    run: |asked| Box::pin(items::delete($collection.to_owned(), asked)),
                },
            ],
        }
    };
}

/// People and programs that sign in.
pub const USERS: Tool = over!(
    "daas_users",
    "users",
    "Users",
    "Who can sign in: e-mail, names, status. Passwords and tokens can be written and are never shown. What a user may do follows from roles \
     (rows of `daas_user_roles`, which the tool `items` reads and writes) and from policies (tool `access`).",
    Action {
        name: "me",
        effect: Effect::Reads,
        about: "the user that this connection acts for",
        needs: &[],
        takes: &[&[FIELDS]],
        run: |asked| Box::pin(me(asked)),
    }
);

/// Groups of users.
pub const ROLES: Tool = over!(
    "daas_roles",
    "roles",
    "Roles",
    "Roles that users have: `name`, `description`, `parent`. A role may do what the policies allow that `access` gives to it or to a role \
     above it."
);

/// Bundles of permissions.
pub const POLICIES: Tool = over!(
    "daas_policies",
    "policies",
    "Policies",
    "Policies bundle permissions: `name`, `admin_access` (true passes every check), `app_access`. `permissions` says what a policy allows, \
     `access` who has it."
);

/// What policies allow.
pub const PERMISSIONS: Tool = over!(
    "daas_permissions",
    "permissions",
    "Permissions of policies",
    "What policies allow: one row for a `policy`, a `collection` and an `action` (create, read, update, delete), with the `fields` that may \
     be touched. What no permission allows is forbidden."
);

/// Who has which policy.
pub const ACCESS: Tool = over!(
    "daas_access",
    "access",
    "Who has which policy",
    "Gives policies to roles or users: one row for a `policy` with a `role` or a `user`. A row with neither gives it to everybody, signed in \
     or not."
);

async fn me(mut asked: Asked) -> Result<Answer> {
    let (id, query) = (key_of(&asked.start.who)?, asked.query(&[FIELDS]));
    Ok(Answer::of(myself(&asked.api, asked.start, &id, &query).await?))
}
