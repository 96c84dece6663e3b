//! What the database remembers of the last passes, and whether one was missed since.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use super::tick::{TickError, limits};
use super::turn::{self, Turn};
use crate::ident::ClassId;
use crate::schedule::Schedule;
use crate::settings::Settings;
use crate::store;
use crate::survey::{self, Versions};

/// How things stand when the service starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Past {
    /// There never was a pass.
    None,
    /// No timetable has come round since its last pass.
    Kept,
    /// Timetables came round, the first at this instant, and no pass was made for them.
    Missed(DateTime<Utc>, Turn),
    /// The service's own last pass, begun then, was never ended: power, or `kill -9`.
    BrokenOff(DateTime<Utc>, Turn),
}

/// The last pass over the classes of a timetable.
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
    let found = both(&mut conn, schedule, actor, now).await;
    let _ = conn.close().await;
    found
}

async fn both(
    conn: &mut PgConnection,
    schedule: &Schedule,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(Past, Versions), TickError> {
    if !store::is_migrated(conn)
        .await
        .map_err(TickError::Bookkeeping)?
    {
        return Err(TickError::NotMigrated);
    }
    let versions = survey::versions(conn, schedule).await?;
    let acting = versions.acting(schedule).unwrap_or(schedule);
    let past = judge(&lasts(conn, acting, actor).await?, acting, now);
    Ok((past, versions))
}

/// The last pass over the classes of each timetable that has one.
async fn lasts(
    conn: &mut PgConnection,
    schedule: &Schedule,
    actor: &str,
) -> Result<Vec<(Option<ClassId>, Last)>, TickError> {
    let timetables: Vec<Option<ClassId>> =
        turn::timetables(schedule).map(|id| id.cloned()).collect();
    // No class has an empty name; the schedule's own timetable has.
    let names: Vec<&str> = timetables
        .iter()
        .map(|id| id.as_ref().map_or("", ClassId::as_str))
        .collect();
    // A pass for a part of the classes says for which from its beginning. For a class that was
    // in none yet, what counts is the first pass under the version that is in force.
    let rows: Vec<(i64, DateTime<Utc>, bool, bool)> = sqlx::query_as(
        "SELECT t.nth, coalesce(r.started_at, v.first), coalesce(r.ended, true), coalesce(r.ours, false)
           FROM unnest($2::text[]) WITH ORDINALITY AS t (name, nth)
          CROSS JOIN (SELECT min(started_at) AS first FROM retentiond.run WHERE schedule_digest = $3) AS v
           LEFT JOIN LATERAL (
                SELECT started_at, finished_at IS NOT NULL AS ended, actor = $1 AS ours
                  FROM retentiond.run
                 WHERE coalesce(report -> 'only', '[]') IN ('[]', 'null')
                   AND NOT coalesce(report -> 'but' ? t.name, false)
                    OR coalesce(report -> 'only' ? t.name, false)
                 ORDER BY started_at DESC, run_id DESC
                 LIMIT 1) AS r ON true
          WHERE coalesce(r.started_at, v.first) IS NOT NULL
          ORDER BY t.nth",
    )
    .bind(actor)
    .bind(&names)
    .bind(&schedule.digest()[..])
    .fetch_all(conn)
    .await
    .map_err(TickError::Bookkeeping)?;
    let last = |(nth, began, ended, ours): (i64, _, _, _)| {
        let nth = usize::try_from(nth - 1).ok()?;
        Some((timetables.get(nth)?.clone(), Last { began, ended, ours }))
    };
    Ok(rows.into_iter().filter_map(last).collect())
}

fn judge(lasts: &[(Option<ClassId>, Last)], schedule: &Schedule, now: DateTime<Utc>) -> Past {
    if lasts.is_empty() {
        return Past::None;
    }
    let (mut turn, mut missed, mut broken) = (Turn::default(), None, None);
    for (id, last) in lasts {
        let every = id
            .as_ref()
            .map_or_else(|| schedule.every(), |id| schedule.every_of(id));
        let due = every.next_after(last.began, schedule.time_zone());
        let (found, at) = match due {
            Some(due) if due <= now => (&mut missed, due),
            _ if last.ours && !last.ended => (&mut broken, last.began),
            _ => continue,
        };
        turn.join(Turn::of(id.as_ref()));
        *found = Some(found.map_or(at, |first: DateTime<Utc>| first.min(at)));
    }
    match (missed, broken) {
        (Some(due), _) => Past::Missed(due, turn),
        (None, Some(began)) => Past::BrokenOff(began, turn),
        (None, None) => Past::Kept,
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
        judge(&[(None, last)], &schedule, at("2026-01-10T09:00:00Z"))
    }

    #[test]
    fn a_pass_of_last_night_is_enough() {
        assert_eq!(stands("2026-01-10T02:00:00Z", true, true), Past::Kept);
    }

    #[test]
    fn nights_without_a_pass_are_missed_from_the_first_on() {
        let missed = Past::Missed(at("2026-01-08T02:00:00Z"), Turn::of(None));
        assert_eq!(stands("2026-01-07T02:00:00Z", true, true), missed);
    }

    #[test]
    fn a_pass_by_hand_after_the_time_stands_for_it() {
        assert_eq!(stands("2026-01-10T02:30:00Z", true, false), Past::Kept);
        let missed = Past::Missed(at("2026-01-10T02:00:00Z"), Turn::of(None));
        assert_eq!(stands("2026-01-10T01:30:00Z", true, false), missed);
    }

    #[test]
    fn only_a_pass_of_our_own_that_never_ended_is_made_again() {
        let began = "2026-01-10T02:00:00.000001Z";
        assert_eq!(
            stands(began, false, true),
            Past::BrokenOff(at(began), Turn::of(None))
        );
        assert_eq!(stands(began, false, false), Past::Kept);
    }
}
