//! `retentiond migrate`: our own schema, made or updated.

use serde_json::json;
use sqlx::Connection;

use super::context::Context;
use super::failure::Failure;
use super::output;
use crate::schedule::Code;
use crate::store;

pub(super) async fn run(context: &Context) -> Result<u8, Failure> {
    let settings = context.settings()?;
    let mut conn = context.connect(&settings).await?;
    let before = store::is_migrated(&mut conn)
        .await
        .map_err(|e| Failure::failed(Code::Unreachable, &e, None))?;
    let outcome = if before {
        "current"
    } else if context.global.dry_run {
        "pending"
    } else {
        store::migrate(&mut conn).await?;
        "migrated"
    };
    let _ = conn.close().await;
    if context.json() {
        output::json(&json!({ "migrate": { "outcome": outcome } }));
    } else {
        output::line(match outcome {
            "current" => "The schema `retentiond` is up to date; nothing was changed.",
            "pending" => {
                "The schema `retentiond` would be made or updated; nothing was changed. No other schema is touched."
            }
            _ => "The schema `retentiond` is ready. No other schema was touched.",
        });
    }
    Ok(0)
}
