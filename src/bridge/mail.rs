//! `services.mail(options)` and `services.mail()`: sending mail.

use futures_util::FutureExt;
use serde_json::Value;
use uuid::Uuid;

use super::{Call, Method, Service};
use crate::error::Result;
use crate::services::{Ctx, mail};

/// Counted within an invocation, so that a delivery that runs again means the same messages.
pub(super) const SEND: &str = "mail.send";

pub(super) const SERVICE: Service = Service {
    name: "mail",
    js: include_str!("mail.js"),
    methods: &[
        Method {
            name: SEND,
            writes: true,
            capability: |_| Some("mail".to_owned()),
            run: |ctx, call| async move { send(ctx, call).await.map(Some) }.boxed(),
        },
        Method {
            name: "mail.verify",
            writes: false,
            capability: |_| Some("mail".to_owned()),
            run: |ctx, _| async move { mail::verify(ctx).await.map(Some) }.boxed(),
        },
    ],
};

async fn send(ctx: &Ctx, call: &Call) -> Result<Value> {
    let key = ctx.delivery.map(|delivery| Uuid::new_v5(&delivery, format!("{SEND} {}", call.nth).as_bytes()));
    mail::send(ctx, &call.item(0, "options")?, key).await
}
