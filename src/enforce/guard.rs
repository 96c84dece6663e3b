//! Waiting between batches: in the quiet hours, and while the database has other troubles.
//!
//! Nothing is held meanwhile but the class's lease. The quiet hours are waited out to their
//! end. Of the troubles, a pass waits for so long in all as its patience says, and goes on
//! then: a forgotten session must not keep records for ever.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveTime, Utc};
use chrono_tz::Tz;
use sqlx::{PgConnection, Row};

/// How often the database is asked, at most.
const OFTEN: Duration = Duration::from_secs(1);

/// What a pass waits for between its batches. What is `None` is not looked at.
#[derive(Debug, Default)]
pub struct Guards {
    /// The hours of the day in which nothing is done, and the zone in which they are counted.
    /// They may go over midnight.
    pub quiet: Option<(NaiveTime, NaiveTime, Tz)>,
    /// Somebody else's transaction is older than this.
    pub transaction: Option<Duration>,
    /// A replica is further behind than this.
    pub replica: Option<Duration>,
    /// The archiver has failed for longer than this, and has not succeeded since.
    pub archive: Option<Duration>,
    /// How long a batch should take; nought if slow ones are not waited for.
    pub batch: Duration,
    /// How long a pass waits in all, apart from the quiet hours.
    pub patience: Duration,
    /// What is remembered during the pass.
    pub memory: Mutex<Memory>,
}

/// What the guards remember of a pass.
#[derive(Debug, Default)]
pub struct Memory {
    waited: Duration,
    /// When the database was asked last, and nothing was wrong.
    asked: Option<Instant>,
    impatient: bool,
    /// The 99th percentile of the pass's first batches.
    usual: Option<Duration>,
    /// What the last batches took.
    took: Vec<Duration>,
    slow_until: Option<Instant>,
}

/// So many batches are judged together.
const TOGETHER: usize = 50;

/// They are slow if their 99th percentile is so many times what it was.
const SLOWER: u32 = 3;

/// How long a pass rests when its batches have become slow, before it makes as many again.
const REST: Duration = Duration::from_secs(10);

/// Why a pass waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The quiet hours.
    Quiet,
    /// A long transaction, of somebody else.
    Transaction,
    /// A replica is behind.
    Replica,
    /// The archive is behind.
    Archive,
    /// Our own batches take much longer than they did.
    Slow,
}

impl Why {
    /// In words that may be logged.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Quiet => "it is in the quiet hours (throttle.quiet)",
            Self::Transaction => {
                "another transaction is older than throttle.longest_transaction_seconds"
            }
            Self::Slow => "the slowest of its batches take three times as long as they did",
            Self::Replica => "a replica is further behind than throttle.replica_lag_seconds",
            Self::Archive => {
                "WAL could not be archived for longer than throttle.archive_failing_seconds"
            }
        }
    }
}

impl Guards {
    /// Whether something is to be waited for.
    pub(super) async fn holds(
        &self,
        conn: &mut PgConnection,
        now: DateTime<Utc>,
    ) -> Result<Option<Why>, sqlx::Error> {
        if self.is_quiet(now) {
            return Ok(Some(Why::Quiet));
        }
        {
            let memory = self.memory();
            let lately = memory.asked.is_some_and(|asked| asked.elapsed() < OFTEN);
            let asks = self.transaction.or(self.replica).or(self.archive).is_some();
            if memory.waited >= self.patience {
                return Ok(None);
            }
            if memory
                .slow_until
                .is_some_and(|until| Instant::now() < until)
            {
                return Ok(Some(Why::Slow));
            }
            if lately || !asks {
                return Ok(None);
            }
        }
        let why = self.ask(conn).await?;
        self.memory().asked = why.is_none().then(Instant::now);
        Ok(why)
    }

    /// Whether this instant is in the quiet hours: from their beginning up to their end.
    fn is_quiet(&self, now: DateTime<Utc>) -> bool {
        let Some((from, until, zone)) = self.quiet else {
            return false;
        };
        let time = now.with_timezone(&zone).time();
        if from <= until {
            from <= time && time < until
        } else {
            from <= time || time < until
        }
    }

    /// Our own sessions are known by their name and role. Of another role's transactions
    /// PostgreSQL shows the age only to members of `pg_read_all_stats`.
    async fn ask(&self, conn: &mut PgConnection) -> Result<Option<Why>, sqlx::Error> {
        let row = sqlx::query(
            "SELECT (SELECT max(extract(epoch FROM clock_timestamp() - xact_start))
                       FROM pg_catalog.pg_stat_activity
                      WHERE datname = current_database()
                        AND backend_type = 'client backend'
                        AND NOT (usename = current_user AND application_name LIKE 'retentiond%'))::float8,
                    (SELECT max(extract(epoch FROM replay_lag))
                       FROM pg_catalog.pg_stat_replication)::float8,
                    (SELECT extract(epoch FROM clock_timestamp()
                                    - coalesce(last_archived_time, stats_reset))
                       FROM pg_catalog.pg_stat_archiver
                      WHERE last_failed_time > coalesce(last_archived_time, '-infinity'))::float8",
        )
        .fetch_one(conn)
        .await?;
        let over = |nth: usize, most: Option<Duration>| -> Result<bool, sqlx::Error> {
            let found: Option<f64> = row.try_get(nth)?;
            Ok(found
                .zip(most)
                .is_some_and(|(found, most)| found > most.as_secs_f64()))
        };
        Ok(if over(0, self.transaction)? {
            Some(Why::Transaction)
        } else if over(1, self.replica)? {
            Some(Why::Replica)
        } else if over(2, self.archive)? {
            Some(Why::Archive)
        } else {
            None
        })
    }

    /// Notes a batch. The first ones of the pass are the measure of the later ones, unless they
    /// were faster than a batch should be.
    pub(super) fn worked(&self, took: Duration) {
        if self.batch.is_zero() {
            return;
        }
        let mut memory = self.memory();
        memory.took.push(took);
        if memory.took.len() < TOGETHER {
            return;
        }
        let mut took = std::mem::take(&mut memory.took);
        let p99 = percentile_99(&mut took);
        match memory.usual {
            None => memory.usual = Some(p99.max(self.batch)),
            Some(usual) if p99 > usual * SLOWER => memory.slow_until = Some(Instant::now() + REST),
            Some(_) => {}
        }
    }

    /// Notes a wait. True once: when patience has run out.
    pub(super) fn waited(&self, why: Why, time: Duration) -> bool {
        if why == Why::Quiet {
            return false;
        }
        let mut memory = self.memory();
        memory.waited += time;
        let gone = memory.waited >= self.patience && !memory.impatient;
        memory.impatient |= gone;
        gone
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The smallest that at least 99 of a hundred do not exceed; nought of none.
fn percentile_99(took: &mut [Duration]) -> Duration {
    took.sort_unstable();
    let nth = (took.len() * 99).div_ceil(100);
    took.get(nth.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn quiet(from: &str, until: &str, at: &str) -> bool {
        let zone = chrono_tz::Europe::London;
        let guards = Guards {
            quiet: Some((from.parse().unwrap(), until.parse().unwrap(), zone)),
            ..Guards::default()
        };
        guards.is_quiet(at.parse().unwrap())
    }

    #[test]
    fn quiet_hours_are_those_of_the_zone_and_may_go_over_midnight() {
        // Winter and summer: eight in London is seven in UTC.
        assert!(!quiet("08:00:00", "18:00:00", "2026-01-05T07:59:59Z"));
        assert!(quiet("08:00:00", "18:00:00", "2026-01-05T08:00:00Z"));
        assert!(!quiet("08:00:00", "18:00:00", "2026-01-05T18:00:00Z"));
        assert!(quiet("08:00:00", "18:00:00", "2026-07-06T07:00:00Z"));
        assert!(!quiet("08:00:00", "18:00:00", "2026-07-06T17:00:00Z"));
        assert!(quiet("22:00:00", "06:00:00", "2026-01-05T23:00:00Z"));
        assert!(quiet("22:00:00", "06:00:00", "2026-01-05T05:59:59Z"));
        assert!(!quiet("22:00:00", "06:00:00", "2026-01-05T06:00:00Z"));
    }

    #[test]
    fn the_99th_percentile_is_that_of_the_definition() {
        let of = |n: u64| {
            let mut took: Vec<Duration> = (1..=n).rev().map(Duration::from_secs).collect();
            percentile_99(&mut took).as_secs()
        };
        assert_eq!([of(1), of(50), of(100), of(200)], [1, 50, 99, 198]);
        assert_eq!(percentile_99(&mut []), Duration::ZERO);
    }

    #[test]
    fn a_pass_rests_when_its_batches_take_three_times_as_long_as_they_did() {
        let rests = |first: u64, later: u64| {
            let guards = Guards {
                batch: Duration::from_millis(150),
                ..Guards::default()
            };
            for _ in 0..TOGETHER {
                guards.worked(Duration::from_millis(first));
            }
            assert!(guards.memory().slow_until.is_none());
            for _ in 1..TOGETHER {
                guards.worked(Duration::from_millis(later));
            }
            assert!(guards.memory().slow_until.is_none());
            guards.worked(Duration::from_millis(later));
            guards.memory().slow_until.is_some()
        };
        assert!(!rests(200, 600));
        assert!(rests(200, 601));
        // Batches that were faster than they should be may become as slow as they should.
        assert!(!rests(10, 450));
        assert!(rests(10, 451));
    }

    #[test]
    fn patience_runs_out_once_and_the_quiet_hours_do_not_count() {
        let guards = Guards {
            patience: Duration::from_secs(2),
            ..Guards::default()
        };
        let second = Duration::from_secs(1);
        assert!(!guards.waited(Why::Quiet, second * 9));
        assert!(!guards.waited(Why::Replica, second));
        assert!(guards.waited(Why::Transaction, second));
        assert!(!guards.waited(Why::Transaction, second));
    }
}
