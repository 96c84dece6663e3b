//! What to say of a failure, and how long to wait before trying again.
//!
//! A failure is told when it is new, not each time that it is met again. A database's own
//! words are told only where no row can be in them: while connecting.

use std::error::Error;
use std::time::Duration;

use super::tick::TickError;
use crate::store;

const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(300);

/// A row of failures at one task.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    failures: u32,
    told: Option<String>,
}

impl Trouble {
    /// Notes a failure, and tells it if it is another than the last. Answers how long to
    /// wait before the next try: 5 seconds, doubled each time, 5 minutes at most.
    pub(super) fn failed(&mut self, task: &'static str, words: &str) -> Duration {
        let pause = FIRST
            .saturating_mul(2_u32.saturating_pow(self.failures))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let (attempt, pause_seconds) = (self.failures, pause.as_secs());
        if self.told.as_deref() == Some(words) {
            tracing::debug!(attempt, pause_seconds, "{task} failed as before");
        } else {
            tracing::error!(
                error = words,
                attempt,
                pause_seconds,
                "{task} failed; it will be tried again"
            );
            self.told = Some(words.to_owned());
        }
        pause
    }

    /// Tells that it works again, if it did not.
    pub(super) fn over(&self, task: &'static str) {
        if self.failures > 0 {
            tracing::info!(failures = self.failures, "{task} works again");
        }
    }
}

/// A failure and its causes, without anything that could stem from a row.
pub(super) fn words(error: &TickError) -> String {
    let connecting = matches!(error, TickError::Connect(_));
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        source = cause.source();
        let said = match cause.downcast_ref::<sqlx::Error>() {
            Some(sql) if !connecting => {
                // Its own causes are the server's words.
                source = None;
                store::reason(sql)
            }
            _ => cause.to_string(),
        };
        // Many an error repeats its cause.
        if !words.ends_with(&said) {
            words.push_str(": ");
            words.push_str(&said);
        }
    }
    words
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::io;

    use super::*;
    use crate::store::ConnectError;

    #[test]
    fn the_pauses_double_from_five_seconds_to_five_minutes() {
        let mut trouble = Trouble::default();
        let pauses: Vec<u64> = (0..9)
            .map(|_| trouble.failed("a pass", "no").as_secs())
            .collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        trouble.failures = u32::MAX;
        assert_eq!(trouble.failed("a pass", "no"), LONGEST);
    }

    #[test]
    fn a_failure_to_connect_is_told_to_its_cause_and_each_cause_once() {
        let io = io::Error::new(io::ErrorKind::ConnectionRefused, "nobody is there");
        let error = TickError::Connect(ConnectError::Refused {
            place: "db:5432/cases".to_owned(),
            source: sqlx::Error::Io(io),
        });
        assert_eq!(
            words(&error),
            "could not connect to the database at db:5432/cases: \
             error communicating with database: nobody is there"
        );
    }

    #[test]
    fn a_database_in_use_is_not_quoted() {
        let error =
            TickError::Bookkeeping(sqlx::Error::Protocol("Jane Roe, 12 High Street".into()));
        assert_eq!(
            words(&error),
            "could not use the bookkeeping in schema `retentiond`: connection or protocol failure"
        );
    }
}
