//! The first start: an admin, the policy that makes one, and the public policy.

use std::sync::Arc;

use serde_json::{Value, json};

use super::items::ItemsService;
use super::operation::Start;
use super::{Core, Ctx, Item};
use crate::auth::token;
use crate::config::Secret;
use crate::error::Result;

/// What the first start has to tell the person who made it.
#[derive(Debug)]
pub struct NewAdmin {
    /// Where to sign in with.
    pub email: String,
    /// The password, where it was generated and nobody else knows it.
    pub generated_password: Option<Secret>,
}

/// Creates the admin if there is no user yet. Answers who was created.
pub async fn ensure_admin(core: &Arc<Core>) -> Result<Option<NewAdmin>> {
    let password = match &core.config.admin_password {
        Some(password) => (password.clone(), false),
        None => (Secret::new(token::random(18)?), true),
    };
    let created = core
        .operate(Start::system(), |ctx| {
            let password = password.0.clone();
            async move { create(&ctx, &password).await }
        })
        .await?;
    Ok(created.then(|| NewAdmin { email: core.config.admin_email.clone(), generated_password: password.1.then_some(password.0) }))
}

async fn create(ctx: &Ctx, password: &Secret) -> Result<bool> {
    // The first start is nobody's event; and several hosts that start at once are told apart by the transaction.
    let ctx = &ctx.with(true, false).joining();
    let users = ItemsService::new(ctx, "daas_users");
    if !users.read_all(&item(json!({ "fields": ["id"], "limit": 1 }))).await?.is_empty() {
        return Ok(false);
    }
    let config = &ctx.core.config;
    let mut admin = item(json!({ "email": config.admin_email, "password": password.reveal(), "first_name": "Admin", "status": "active" }));
    if let Some(token) = &config.admin_token {
        admin.insert("token".to_owned(), json!(token.reveal()));
    }
    let user = first_id(users.create(vec![admin]).await?);
    let policies = ItemsService::new(ctx, "daas_policies");
    let admin_policy = item(json!({ "name": "Administrator", "description": "Everything", "admin_access": true, "app_access": true }));
    let public_policy = item(json!({ "name": "Public", "description": "What callers without credentials may do" }));
    let mut ids =
        policies.create(vec![admin_policy, public_policy]).await?.into_iter().map(|row| row.get("id").cloned().unwrap_or_default());
    let (admin_policy, public_policy) = (ids.next(), ids.next());
    let role = first_id(ItemsService::new(ctx, "daas_roles").create(vec![item(json!({ "name": "Administrator" }))]).await?);
    ItemsService::new(ctx, "daas_user_roles").create(vec![item(json!({ "user": user, "role": role }))]).await?;
    let access = vec![item(json!({ "role": role, "policy": admin_policy })), item(json!({ "policy": public_policy }))];
    ItemsService::new(ctx, "daas_access").create(access).await?;
    Ok(true)
}

fn first_id(rows: Vec<Item>) -> Value {
    rows.into_iter().next().and_then(|mut row| row.shift_remove("id")).unwrap_or_default()
}

fn item(value: Value) -> Item {
    value.as_object().cloned().unwrap_or_default()
}
