//! Delivery: once by `run` at its end, and again and again by the service.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use secrecy::ExposeSecret;
use sqlx::PgConnection;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::outbox::{self, Message};
use super::{Receiver, Untaken, Way, email};
use crate::daemon::watch::Watch;

/// How often the service looks whether something is to be tried again.
const ROUND: Duration = Duration::from_secs(30);

/// Tries what is to be delivered by now, all receivers at once.
pub(super) async fn once(
    conn: &mut PgConnection,
    receivers: &[Receiver],
    now: DateTime<Utc>,
) -> Result<usize, sqlx::Error> {
    let names: Vec<String> = receivers
        .iter()
        .map(|receiver| format!("{}.{}", receiver.kind(), receiver.name))
        .collect();
    let messages = outbox::claim(conn, &names, now).await?;
    let tries = messages.iter().map(|message| async move {
        let receiver = receivers
            .iter()
            .find(|one| one.kind() == message.kind && one.name == message.receiver)?;
        Some((message, send(receiver, message, now).await))
    });
    let mut taken = 0;
    for (message, outcome) in join_all(tries).await.into_iter().flatten() {
        let (kind, receiver) = (message.kind.as_str(), message.receiver.as_str());
        match outcome {
            Ok(()) => {
                outbox::delivered(conn, message, now).await?;
                taken += 1;
                tracing::info!(kind, receiver, "notice delivered");
            }
            Err(error) => {
                let error = error.to_string();
                if outbox::failed(conn, message, &error, now).await? {
                    tracing::error!(kind, receiver, error, "a notice was given up after a week");
                } else {
                    tracing::warn!(
                        kind,
                        receiver,
                        error,
                        "a notice was not taken; it is tried again"
                    );
                }
            }
        }
    }
    Ok(taken)
}

async fn send(receiver: &Receiver, message: &Message, now: DateTime<Utc>) -> Result<(), Untaken> {
    match &receiver.way {
        Way::Webhook(webhook) => {
            let (id, body) = (&message.idempotency_key, message.body.clone().into_bytes());
            Ok(webhook.tell(id, body, now.timestamp()).await?)
        }
        Way::Email(to) => Ok(email::send(to, message).await?),
    }
}

/// Ends the service's deliveries when it is dropped; what is on its way is tried again later.
pub(in crate::daemon) struct Postman(JoinHandle<()>);

impl Drop for Postman {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Delivers beside the service's loop, soon after `news` and every while.
pub(in crate::daemon) fn keep_delivering(watch: Watch, news: Arc<Notify>) -> Postman {
    Postman(tokio::spawn(async move {
        let mut trouble = false;
        loop {
            let (url, force, now) = watch.post();
            match super::deliver(url.expose_secret(), &force.settings, now).await {
                Ok(_) => trouble = false,
                Err(error) if !trouble => {
                    trouble = true;
                    tracing::warn!(error = %error, "notices cannot be delivered; they are tried again");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = news.notified() => {}
                () = tokio::time::sleep(ROUND) => {}
            }
        }
    }))
}
