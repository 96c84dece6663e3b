//! How far a class that leaves its rows in the table has got.
//!
//! Two places: `reached`, from where the next pass goes on, and `swept`, how far the
//! re-read of everything behind it has come. Both are optimisations: whatever they rest on
//! ([`crate::plan::ClassPlan::basis`] and the decision epoch) changes, and they are forgotten.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::batch::Context;
use crate::plan::Scan;

/// What a batch leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// Nothing: the class deletes, or a single row was tried again.
    Nothing,
    /// It moved the position; the first walk over a range is its first sweep as well.
    Reached,
    /// It moved the sweep.
    Swept,
}

/// What is remembered of one range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Remembered {
    pub reached: Option<Vec<String>>,
    pub swept: Option<Vec<String>>,
    pub rows: i64,
    pub last_rows: Option<i64>,
    pub swept_at: Option<DateTime<Utc>>,
}

pub(super) fn basis(context: &Context<'_>) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(context.class.basis);
    hash.update(context.plan.epoch().0.to_be_bytes());
    hash.finalize().to_vec()
}

/// What is remembered of a range, if it still holds.
pub(super) async fn recall(
    conn: &mut PgConnection,
    context: &Context<'_>,
    scan: &Scan,
) -> Result<Option<Remembered>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT reached, swept, sweep_rows, last_sweep_rows, sweep_done_at
           FROM retentiond.position WHERE class_id = $1 AND range_no = $2 AND basis = $3",
    )
    .bind(context.class.id.as_str())
    .bind(scan.no)
    .bind(basis(context))
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let remembered = Remembered {
        reached: row.try_get(0)?,
        swept: row.try_get(1)?,
        rows: row.try_get(2)?,
        last_rows: row.try_get(3)?,
        swept_at: row.try_get(4)?,
    };
    let fits =
        |position: &Option<Vec<String>>| position.as_ref().is_none_or(|p| p.len() == scan.width);
    Ok((fits(&remembered.reached) && fits(&remembered.swept)).then_some(remembered))
}

/// Forgets what is remembered of a range, before it is walked from its beginning.
pub(super) async fn forget(
    conn: &mut PgConnection,
    context: &Context<'_>,
    scan: &Scan,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO retentiond.position AS p (class_id, range_no, basis, sweep_began_at)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (class_id, range_no) DO UPDATE SET
             basis = excluded.basis, reached = NULL, swept = NULL, sweep_rows = 0,
             sweep_began_at = excluded.sweep_began_at, sweep_done_at = NULL",
    )
    .bind(context.class.id.as_str())
    .bind(scan.no)
    .bind(basis(context))
    .bind(context.plan.now())
    .execute(conn)
    .await
    .map(drop)
}

/// Moves a place, in the batch's transaction.
pub(super) async fn leave(
    conn: &mut PgConnection,
    context: &Context<'_>,
    scan: &Scan,
    leave: &Leave,
    until: &[String],
    visited: i64,
) -> Result<(), sqlx::Error> {
    let sql = match leave {
        Leave::Nothing => return Ok(()),
        Leave::Reached => {
            "UPDATE retentiond.position
                SET reached = $3,
                    sweep_rows = sweep_rows + CASE WHEN sweep_done_at IS NULL THEN $4 ELSE 0 END
              WHERE class_id = $1 AND range_no = $2"
        }
        Leave::Swept => {
            "UPDATE retentiond.position SET swept = $3, sweep_rows = sweep_rows + $4
              WHERE class_id = $1 AND range_no = $2"
        }
    };
    sqlx::query(sql)
        .bind(context.class.id.as_str())
        .bind(scan.no)
        .bind(until)
        .bind(visited)
        .execute(conn)
        .await
        .map(drop)
}

/// Notes that every row of the range has been read since `sweep_began_at`.
pub(super) async fn swept(
    conn: &mut PgConnection,
    context: &Context<'_>,
    scan: &Scan,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE retentiond.position
            SET sweep_done_at = sweep_began_at, last_sweep_rows = sweep_rows,
                sweep_rows = 0, swept = NULL, sweep_began_at = $3
          WHERE class_id = $1 AND range_no = $2",
    )
    .bind(context.class.id.as_str())
    .bind(scan.no)
    .bind(context.plan.now())
    .execute(conn)
    .await
    .map(drop)
}

/// How many rows behind the position this pass re-reads: enough that everything is seen
/// within the sweep's time. `None` for all of them.
pub(super) fn budget(
    remembered: &Remembered,
    is_maximum: bool,
    now: DateTime<Utc>,
    next: Option<DateTime<Utc>>,
) -> Option<i64> {
    let within = TimeDelta::days(if is_maximum { 1 } else { 7 });
    let (Some(swept_at), Some(last_rows), Some(next)) =
        (remembered.swept_at, remembered.last_rows, next)
    else {
        return None;
    };
    let deadline = swept_at + within;
    // The pass after this one would come too late to finish it.
    if next > deadline || next <= now {
        return None;
    }
    let passes = ((deadline - now).num_seconds() / (next - now).num_seconds().max(1)).max(1);
    let left = (last_rows - remembered.rows).max(0);
    // A little more than the share, since the table grows.
    Some((left / passes + left / (passes * 8) + 1_000).max(1_000))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn nightly_passes_finish_a_sweep_within_a_week() {
        let mut remembered = Remembered {
            swept_at: Some(at("2026-11-01T02:00:00Z")),
            last_rows: Some(7_000_000),
            ..Remembered::default()
        };
        let mut read = 0;
        for day in 2..=8 {
            let now = at(&format!("2026-11-{day:02}T02:00:00Z"));
            match budget(&remembered, false, now, Some(now + TimeDelta::days(1))) {
                Some(budget) => {
                    assert!(budget < 2_000_000, "day {day} reads {budget}");
                    remembered.rows += budget;
                    read = remembered.rows;
                }
                None => read = 7_000_000,
            }
        }
        assert!(read >= 7_000_000);
    }

    #[test]
    fn a_daily_pass_sweeps_a_maximum_whole_every_time() {
        let remembered = Remembered {
            swept_at: Some(at("2026-11-01T02:00:00Z")),
            last_rows: Some(1_000),
            ..Remembered::default()
        };
        let now = at("2026-11-02T02:00:00Z");
        assert_eq!(
            budget(&remembered, true, now, Some(now + TimeDelta::days(1))),
            None
        );
    }

    #[test]
    fn without_a_timetable_everything_is_read() {
        assert_eq!(
            budget(
                &Remembered::default(),
                false,
                at("2026-11-02T02:00:00Z"),
                None
            ),
            None
        );
    }
}
