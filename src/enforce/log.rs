//! The ledger kept up with, between batches: sealed after each, published now and then.
//!
//! Nothing here can undo what was done, and what fails is tried again after the next batch
//! and in the next pass; so a failure is told, and stops nothing.

use sqlx::PgConnection;

use super::{Event, Pass, PassClock};
use crate::ledger::store::{self, Signed};

/// Seals what the last batch wrote; publishes if that is long ago.
pub(super) async fn keep_up(conn: &mut PgConnection, pass: &Pass<'_>, clock: PassClock) {
    let outcome = match pass.log {
        Some(log) => log.keep_up(conn, clock.now()).await.map_err(words),
        None => store::seal(conn).await.map(|_| None).map_err(words),
    };
    tell(pass, &outcome);
}

fn tell(pass: &Pass<'_>, outcome: &Result<Option<Signed>, String>) {
    match outcome {
        Ok(Some(signed)) => (pass.observe)(Event::Published(signed)),
        Ok(None) => {}
        Err(reason) => (pass.observe)(Event::Unpublished(reason)),
    }
}

/// Seals and publishes everything, at the end of a pass.
pub(super) async fn publish(
    conn: &mut PgConnection,
    pass: &Pass<'_>,
    clock: PassClock,
) -> Result<Option<Signed>, String> {
    let outcome = match pass.log {
        Some(log) => log.publish(conn, clock.now()).await.map_err(words),
        None => store::seal(conn).await.map(|_| None).map_err(words),
    };
    tell(pass, &outcome);
    outcome
}

/// The error and its causes in one line. None of them quotes a row: the ledger's errors
/// hold no key, and PostgreSQL's are reduced.
fn words(error: impl std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_words = match cause.downcast_ref::<sqlx::Error>() {
            Some(error) => crate::store::reason(error),
            None => cause.to_string(),
        };
        if !words.contains(&cause_words) {
            words = format!("{words}: {cause_words}");
        }
        source = cause.source().filter(|_| !cause.is::<sqlx::Error>());
    }
    words
}
