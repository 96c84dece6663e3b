//! Keeps the figures fresh, as often as the loop turns and no oftener than they become old.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::super::tick::TickError;
use super::super::trouble;
use super::{Watch, books, counts};

/// How long a look at the bookkeeping may take.
const LOOK: Duration = Duration::from_secs(60);

/// When something was asked last, and what had happened by then.
struct Last {
    at: DateTime<Utc>,
    occasions: u64,
    /// How long to leave the database alone, whatever happens.
    rest: Duration,
}

impl Last {
    fn is_old(&self, now: DateTime<Utc>, occasions: u64, refresh: Duration) -> bool {
        let delta = |length| TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX);
        let age = now - self.at;
        // A clock that was put back must not stop it.
        age < TimeDelta::zero()
            || age >= delta(self.rest) && (occasions != self.occasions || age >= delta(refresh))
    }
}

/// Who answered.
enum Asked {
    /// The database.
    Database,
    /// Nobody: there was nobody to ask.
    Nobody,
}

/// What is kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keeper {
    /// What the bookkeeping says.
    Books,
    /// What is counted.
    Counts,
}

impl Keeper {
    fn task(self) -> &'static str {
        match self {
            Self::Books => "looking at the bookkeeping for the figures",
            Self::Counts => "counting records for the figures",
        }
    }

    /// How much longer it rests than it asks.
    fn rests(self) -> u32 {
        match self {
            Self::Books => 0,
            Self::Counts => 100,
        }
    }

    /// Asks whenever the figures are old, for as long as there is a loop that turns.
    pub(super) async fn keep(self, watch: Watch) {
        let mut turns = watch.0.turns.subscribe();
        let mut last: Option<Last> = None;
        let mut told: Option<String> = None;
        let task = self.task();
        loop {
            let occasions = turns.borrow_and_update().occasions;
            let now = watch.now();
            let refresh = watch.state().force.settings.listen().refresh();
            if last
                .as_ref()
                .is_none_or(|last| last.is_old(now, occasions, refresh))
            {
                let begun = Instant::now();
                let asked = self.ask(&watch, now).await;
                // Where nobody was there to be asked, nobody has to be spared.
                let rests = match asked {
                    Ok(Asked::Nobody) => 0,
                    _ => self.rests(),
                };
                match asked {
                    Ok(_) if told.take().is_some() => tracing::info!("{task} works again"),
                    Ok(_) => {}
                    Err(words) if told.as_ref() == Some(&words) => {
                        tracing::debug!("{task} failed as before");
                    }
                    Err(words) => {
                        tracing::warn!(error = words, "{task} failed; it will be tried again");
                        told = Some(words);
                    }
                }
                last = Some(Last {
                    at: now,
                    occasions,
                    rest: begun.elapsed().saturating_mul(rests),
                });
            }
            if turns.changed().await.is_err() {
                return;
            }
        }
    }

    async fn ask(self, watch: &Watch, now: DateTime<Utc>) -> Result<Asked, String> {
        match self {
            Self::Books => look(watch, now).await,
            Self::Counts => count(watch, now).await,
        }
    }
}

async fn look(watch: &Watch, now: DateTime<Utc>) -> Result<Asked, String> {
    let force = watch.state().force.clone();
    let look = books::look(&watch.0.url, &force, watch.0.present, now);
    let looked = match tokio::time::timeout(LOOK, look).await {
        Ok(looked) => looked.map_err(|error| trouble::words(&error)),
        Err(_) => Err(format!("no answer within {} s", LOOK.as_secs())),
    };
    let mut state = watch.state();
    match looked {
        Ok(books) => {
            state.books = Some(books);
            state.looked = Some(Ok(()));
            Ok(Asked::Database)
        }
        Err(words) => {
            state.looked = Some(Err(words.clone()));
            Err(words)
        }
    }
}

async fn count(watch: &Watch, now: DateTime<Utc>) -> Result<Asked, String> {
    let force = watch.state().force.clone();
    match counts::count(&watch.0.url, &force, now).await {
        Ok(counted) => {
            watch.state().counted = Some(counted);
            Ok(Asked::Database)
        }
        // Whoever keeps the books says so, and soon.
        Err(TickError::Connect(_) | TickError::NotMigrated) => Ok(Asked::Nobody),
        Err(error) => Err(trouble::words(&error)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn is_old(seconds: i64, occasions: u64, rest: u64) -> bool {
        let at: DateTime<Utc> = "2026-01-01T02:00:00Z".parse().unwrap();
        let last = Last {
            at,
            occasions: 7,
            rest: Duration::from_secs(rest),
        };
        last.is_old(at + TimeDelta::seconds(seconds), occasions, MINUTE)
    }

    #[test]
    fn figures_are_old_after_the_time_of_the_settings() {
        assert!(!is_old(59, 7, 0));
        assert!(is_old(60, 7, 0));
    }

    #[test]
    fn a_pass_makes_them_old_at_once() {
        assert!(is_old(0, 8, 0));
    }

    #[test]
    fn nothing_is_asked_before_the_rest_is_over() {
        assert!(!is_old(999, 8, 1000));
        assert!(is_old(1000, 8, 1000));
        assert!(is_old(1000, 7, 1000));
    }

    #[test]
    fn a_clock_that_was_put_back_stops_nothing() {
        assert!(is_old(-1, 7, 1000));
    }
}
