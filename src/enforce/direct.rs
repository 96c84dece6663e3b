//! A class on which nothing hangs: one range statement changes the rows and names them.

use chrono::NaiveDate;
use chrono_tz::Tz;
use futures_util::TryStreamExt;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::batch::{Context, Done, append, entry, seed, settle_constraints};
use super::error::EnforceError;
use super::rows::{self, OwnedKey};
use crate::ledger::{Action, EntryId, KeyValue, ManifestBuilder};
use crate::plan::{Direct, LastDayAs, Scan};
use crate::schedule::Dispose;
use crate::store;

/// The last day for a trigger's day, both in days since 1970. Rows come in the trigger's
/// order, so that the last answer is nearly always the next.
pub(super) struct LastDays<'a> {
    rule: &'a Dispose,
    latest: Option<(i32, Option<i32>)>,
}

impl<'a> LastDays<'a> {
    pub fn under(rule: &'a Dispose) -> Self {
        Self { rule, latest: None }
    }

    pub fn of(&mut self, counted: Counted) -> Option<i32> {
        match counted.last_day {
            Last::Reckoned => self.of_day(counted.trigger?),
            Last::None => None,
            Last::Day(day) => Some(day),
        }
    }

    fn of_day(&mut self, day: i32) -> Option<i32> {
        if let Some((known, last_day)) = self.latest
            && known == day
        {
            return last_day;
        }
        let last_day = self.reckon(day);
        self.latest = Some((day, last_day));
        last_day
    }

    fn reckon(&self, day: i32) -> Option<i32> {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
        let trigger = epoch.checked_add_signed(chrono::TimeDelta::days(i64::from(day)))?;
        let last_day = self.rule.last_day(trigger)?;
        i32::try_from((last_day - epoch).num_days()).ok()
    }
}

/// What a record's retention was counted from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted {
    /// The trigger's day in days since 1970, if there is one.
    pub trigger: Option<i32>,
    /// How its last day follows from that.
    pub last_day: Last,
}

/// A record's last day.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Last {
    /// It follows from the trigger.
    #[default]
    Reckoned,
    /// It had none: it went at once.
    None,
    /// The day before a person's request, in days since 1970.
    Day(i32),
}

impl Counted {
    /// What a statement over a scan answers from column `at` on.
    pub fn read(row: &PgRow, at: usize, scan: &Scan, zone: Tz) -> Result<Self, sqlx::Error> {
        Ok(Self {
            trigger: rows::day(row, at, scan.day, zone)?,
            last_day: match scan.last_day {
                LastDayAs::Reckoned => Last::Reckoned,
                LastDayAs::None => Last::None,
                LastDayAs::Answered => row
                    .try_get::<Option<i32>, _>(at + 1)?
                    .map_or(Last::None, Last::Day),
            },
        })
    }

    /// How many columns that was.
    pub fn width(scan: &Scan) -> usize {
        1 + usize::from(scan.last_day == LastDayAs::Answered)
    }
}

pub(super) async fn run(
    conn: &mut PgConnection,
    context: &Context<'_>,
    scan: &Scan,
    what: Direct,
    after: Option<&[String]>,
    until: &[String],
    id: EntryId,
) -> Result<Done, EnforceError> {
    let shape = || EnforceError::Shape(context.class.id.clone());
    let sql = scan.act.text(after.is_some(), true);
    let mut query = store::planned(&sql);
    for nth in 0..scan.width {
        query = query.bind(after.and_then(|after| after.get(nth)).cloned());
    }
    for nth in 0..scan.width {
        query = query.bind(until.get(nth).cloned());
    }
    query = match what {
        Direct::Delete => query,
        Direct::Anonymise => query
            .bind(context.pads[0].clone())
            .bind(context.pads[1].clone()),
        Direct::Flag => query.bind(context.clock.now()).bind(context.run),
    };

    // Hashed while rows arrive: the server works on one core, we on another.
    let columns = rows::key_columns(&context.work.key).ok_or_else(shape)?;
    let mut manifest = ManifestBuilder::new(columns, None, seed()?);
    let mut last_days = LastDays::under(&context.work.rule);
    let width = context.work.key.columns.len();
    let mut changed: Vec<OwnedKey> = Vec::new();
    let zone = context.plan.time_zone();
    let failed = |error: sqlx::Error| EnforceError::from_sql("changing rows", &error);
    {
        let mut stream = query.fetch(&mut *conn);
        while let Some(row) = stream.try_next().await.map_err(failed)? {
            let counted = Counted::read(&row, width, scan, zone).map_err(failed)?;
            let day = counted.trigger;
            let last_day = last_days.of(counted);
            if context.work.forget.is_some() || context.work.use_up.is_some() {
                changed.push(rows::key(&row, 0, &context.work.key).map_err(failed)?);
            }
            let pushed = if let [column] = &context.work.key.columns[..]
                && column.integer
            {
                let key: i64 = row.try_get(0).map_err(failed)?;
                manifest.push(&[KeyValue::Int(key)], day, last_day, None)
            } else {
                let key = rows::key(&row, 0, &context.work.key).map_err(failed)?;
                manifest.push(&key, day, last_day, None)
            };
            pushed.map_err(|_| shape())?;
        }
    }
    let mut done = Done {
        records: manifest.count(),
        ..Done::default()
    };
    if done.records > 0 {
        settle_constraints(conn).await?;
        let action = match what {
            Direct::Delete => Action::Deleted,
            Direct::Anonymise => Action::Anonymised,
            Direct::Flag => Action::Flagged,
        };
        append(
            conn,
            entry(context, id, action, &context.class.table),
            &manifest.finish(),
        )
        .await?;
        forget_flags(conn, context, changed.iter()).await?;
        done.entries = 1;
    }
    Ok(done)
}

/// Forgets the flags on records that are dealt with, and uses up their approvals.
pub(super) async fn forget_flags<'k>(
    conn: &mut PgConnection,
    context: &Context<'_>,
    keys: impl Iterator<Item = &'k OwnedKey>,
) -> Result<(), EnforceError> {
    let (forget, use_up) = (&context.work.forget, &context.work.use_up);
    if forget.is_none() && use_up.is_none() {
        return Ok(());
    }
    let arrays = rows::key_arrays(keys, context.work.key.columns.len());
    for (sql, run) in [(forget, None), (use_up, Some(context.run))] {
        let Some(sql) = sql else {
            continue;
        };
        let mut query = store::planned(sql);
        for array in &arrays {
            query = query.bind(array.clone());
        }
        if let Some(run) = run {
            query = query.bind(run);
        }
        query
            .execute(&mut *conn)
            .await
            .map_err(|e| EnforceError::from_sql("forgetting flags and approvals", &e))?;
    }
    Ok(())
}
