//! Notices: what people are told who do not look, by email or by signed webhook.
//!
//! A pass ends by writing what is news into an outbox, one message for each receiver, in one
//! transaction with what each was told; delivery is separate, so that a receiver that is down
//! delays nothing. What is as it was is not told again, but for a reminder each week. A
//! message says classes, counts and dates: never a record, a person, or the words of an error.

mod email;
mod news;
mod outbox;
mod post;

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use super::tick::{Order, limits};
use crate::enforce::RunReport;
use crate::ledger::publish::{Webhook, WebhookError};
use crate::settings::{Email, Settings};
use crate::store;
use crate::survey;

pub use email::EmailError;
pub use outbox::{Undelivered, undelivered};
pub(super) use post::keep_delivering;

/// How long `run` waits, in all, for what it has to tell.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How a receiver is reached.
enum Way {
    Webhook(Webhook),
    Email(Email),
}

/// Somebody who is told.
struct Receiver {
    name: String,
    way: Way,
    on: Vec<String>,
}

impl Receiver {
    fn kind(&self) -> &'static str {
        match self.way {
            Way::Webhook(_) => "webhook",
            Way::Email(_) => "email",
        }
    }
}

/// Why a message was not taken. Neither a secret nor what a server said is in it.
#[derive(Debug, thiserror::Error)]
enum Untaken {
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    #[error(transparent)]
    Email(#[from] EmailError),
}

/// Why nothing could be written or delivered.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// Our tables could not be used.
    #[error("could not use the outbox in schema `retentiond`")]
    Outbox(#[from] sqlx::Error),
    /// What is to be told could not be asked.
    #[error(transparent)]
    Survey(#[from] survey::SurveyError),
    /// No connection.
    #[error(transparent)]
    Connect(#[from] store::ConnectError),
}

fn receivers(settings: &Settings) -> Vec<Receiver> {
    let notices = settings.notices();
    let webhooks = notices
        .webhooks()
        .iter()
        .map(|(name, (webhook, on))| Receiver {
            name: name.clone(),
            way: Way::Webhook(Webhook {
                name: name.clone(),
                url: webhook.url().clone(),
                secret_file: webhook.secret_file().to_owned(),
                timeout: webhook.timeout(),
            }),
            on: on.clone(),
        });
    let email = notices.email().iter().map(|(name, email)| Receiver {
        name: name.clone(),
        way: Way::Email(email.clone()),
        on: email.on().to_vec(),
    });
    webhooks.chain(email).collect()
}

/// Writes what is news after a pass into the outbox. Where nobody is told, asks nothing.
pub(super) async fn record(
    conn: &mut PgConnection,
    order: &Order<'_>,
    report: &RunReport,
) -> Result<(), NoticeError> {
    let receivers = receivers(order.settings);
    if receivers.is_empty() {
        return Ok(());
    }
    let (drawn, _) = survey::draw_in_force(conn, order.schedule, order.now).await?;
    let overview = survey::overview(conn, &drawn).await?;
    let holds: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM retentiond.hold
          WHERE released_at IS NULL AND expired_at IS NULL AND review_on <= $1",
    )
    .bind(overview.on)
    .fetch_one(&mut *conn)
    .await?;
    let pass = news::Pass {
        organisation: order.schedule.organisation(),
        report,
        overview: &overview,
        holds: u64::try_from(holds).unwrap_or(0),
        // What was not looked at is not over.
        whole: order.only.is_empty() && !order.stop.is_cancelled(),
    };
    Ok(outbox::record(conn, &receivers, &pass, order.now).await?)
}

/// Tries what is to be delivered by now, each message once; answers how many were taken.
///
/// # Errors
/// When the database does not answer. A receiver that does not is noted in the outbox.
pub async fn deliver(
    url: &str,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<usize, NoticeError> {
    let receivers = receivers(settings);
    if receivers.is_empty() {
        return Ok(0);
    }
    let mut conn = store::connect(url, "retentiond", limits(settings)).await?;
    let taken = post::once(&mut conn, &receivers, now).await;
    let _ = conn.close().await;
    Ok(taken?)
}
