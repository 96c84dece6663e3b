//! What the database remembers of the last pass, and whether one was missed since.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use super::tick::{TickError, limits};
use crate::schedule::Schedule;
use crate::settings::Settings;
use crate::store;
use crate::survey::{self, Versions};

/// How things stand when the service starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    /// There never was a pass.
    None,
    /// The timetable has not come round since the last one.
    Kept,
    /// It came round at this instant, and no pass was made.
    Missed(DateTime<Utc>),
    /// The service's own last pass, begun then, was never ended: power, or `kill -9`.
    BrokenOff(DateTime<Utc>),
}

/// The last pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Last {
    began: DateTime<Utc>,
    ended: bool,
    ours: bool,
}

/// Asks the database, also what is in force beside the file. Whoever drops this future loses
/// nothing.
pub(super) async fn ask(
    url: &str,
    schedule: &Schedule,
    settings: &Settings,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(Past, Versions), TickError> {
    let mut conn = store::connect(url, "retentiond", limits(settings)).await?;
    let found = both(&mut conn, schedule, actor).await;
    let _ = conn.close().await;
    let (last, versions) = found?;
    let past = judge(last, versions.acting(schedule).unwrap_or(schedule), now);
    Ok((past, versions))
}

async fn both(
    conn: &mut PgConnection,
    schedule: &Schedule,
    actor: &str,
) -> Result<(Option<Last>, Versions), TickError> {
    let last = last(conn, actor).await?;
    Ok((last, survey::versions(conn, schedule).await?))
}

async fn last(conn: &mut PgConnection, actor: &str) -> Result<Option<Last>, TickError> {
    if !store::is_migrated(conn)
        .await
        .map_err(TickError::Bookkeeping)?
    {
        return Err(TickError::NotMigrated);
    }
    let row: Option<(DateTime<Utc>, bool, bool)> = sqlx::query_as(
        "SELECT started_at, finished_at IS NOT NULL, actor = $1
           FROM retentiond.run
          ORDER BY started_at DESC, run_id DESC
          LIMIT 1",
    )
    .bind(actor)
    .fetch_optional(conn)
    .await
    .map_err(TickError::Bookkeeping)?;
    Ok(row.map(|(began, ended, ours)| Last { began, ended, ours }))
}

fn judge(last: Option<Last>, schedule: &Schedule, now: DateTime<Utc>) -> Past {
    let Some(last) = last else { return Past::None };
    match schedule
        .every()
        .next_after(last.began, schedule.time_zone())
    {
        Some(due) if due <= now => Past::Missed(due),
        _ if last.ours && !last.ended => Past::BrokenOff(last.began),
        _ => Past::Kept,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// How things stand on 10 January at nine, under a timetable of every night at two.
    fn stands(began: &str, ended: bool, ours: bool) -> Past {
        let text = "[schedule]\norganisation = \"A\"\ntime_zone = \"Europe/London\"\nevery = \"0 0 2 * * *\"\n\
                    [[class]]\nid = \"x\"\ntitle = \"X\"\ntable = \"x\"\ndisposal = \"retain\"\n\
                    authority = \"A\"\nowner = \"O\"\nreason = \"R\"\n";
        let schedule = crate::schedule::parse(text, "retention.toml").unwrap();
        let last = Last {
            began: at(began),
            ended,
            ours,
        };
        judge(Some(last), &schedule, at("2026-01-10T09:00:00Z"))
    }

    #[test]
    fn a_pass_of_last_night_is_enough() {
        assert_eq!(stands("2026-01-10T02:00:00Z", true, true), Past::Kept);
    }

    #[test]
    fn nights_without_a_pass_are_missed_from_the_first_on() {
        let missed = Past::Missed(at("2026-01-08T02:00:00Z"));
        assert_eq!(stands("2026-01-07T02:00:00Z", true, true), missed);
    }

    #[test]
    fn a_pass_by_hand_after_the_time_stands_for_it() {
        assert_eq!(stands("2026-01-10T02:30:00Z", true, false), Past::Kept);
        let missed = Past::Missed(at("2026-01-10T02:00:00Z"));
        assert_eq!(stands("2026-01-10T01:30:00Z", true, false), missed);
    }

    #[test]
    fn only_a_pass_of_our_own_that_never_ended_is_made_again() {
        let began = "2026-01-10T02:00:00.000001Z";
        assert_eq!(stands(began, false, true), Past::BrokenOff(at(began)));
        assert_eq!(stands(began, false, false), Past::Kept);
    }
}
