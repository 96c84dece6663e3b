//! Which version of the schedule is in force: the one place that decides it, for `run`, the
//! daemon, `plan`, `status`, `check`, `explain` and `accept`.
//!
//! The version in force is the one that came into force last, by its text in the database.
//! The file beside it is the same, or takes its place with the next pass without being
//! asked, or waits for a person. What a version means is compared, never its bytes, so that
//! another version of this program reads the old text anew.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgConnection, Row};

use super::{Drawn, SurveyError, draw_beside};
use crate::ident::ClassId;
use crate::schedule::{self, Accept, Change, Schedule};
use crate::store;

/// How the file that was given stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coming {
    /// It is in force.
    InForce,
    /// It comes into force with the next pass: nothing in it asks.
    AtOnce,
    /// It comes into force with the next pass: the schedule says so.
    Automatic,
    /// It waits for a person.
    Waits,
}

/// The version that came into force last.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// It.
    pub schedule: Schedule,
    /// Since when it is in force.
    pub since: DateTime<Utc>,
    /// The digest that it was stored under.
    pub stored: [u8; 32],
}

/// The file that was given, and what is in force beside it.
#[derive(Debug, Clone)]
pub struct Versions {
    /// What came into force last; none where nothing ever did.
    pub accepted: Option<Accepted>,
    /// How the file stands.
    pub coming: Coming,
    /// What the file changes.
    pub changes: Vec<Change>,
}

impl Versions {
    /// The version that a pass goes by; none where nothing may be done.
    #[must_use]
    pub fn acting<'a>(&'a self, file: &'a Schedule) -> Option<&'a Schedule> {
        match self.coming {
            Coming::Waits => self.accepted.as_ref().map(|accepted| &accepted.schedule),
            Coming::InForce | Coming::AtOnce | Coming::Automatic => Some(file),
        }
    }

    /// The version that waits beside it, and protects meanwhile.
    #[must_use]
    pub fn waiting<'a>(&self, file: &'a Schedule) -> Option<&'a Schedule> {
        (self.coming == Coming::Waits && self.accepted.is_some()).then_some(file)
    }

    /// The changes that a person must accept.
    pub fn asking(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.asks)
    }
}

/// Compares the file that was given with what is in force.
///
/// # Errors
/// When the database does not answer, or its version cannot be read.
pub async fn versions(conn: &mut PgConnection, file: &Schedule) -> Result<Versions, SurveyError> {
    let asking = |source| SurveyError::Database {
        what: "the schedule in force",
        source,
    };
    let accepted = if store::is_migrated(conn).await.map_err(asking)? {
        accepted(conn).await?
    } else {
        InForce::Nothing
    };
    let nothing = |coming| Versions {
        accepted: None,
        coming,
        changes: Vec::new(),
    };
    let accepted = match accepted {
        InForce::Version(accepted) => *accepted,
        InForce::NothingAnyMore => return Ok(nothing(Coming::Waits)),
        InForce::Nothing => {
            return Ok(nothing(match file.accept() {
                Accept::ByHand => Coming::Waits,
                Accept::Automatic => Coming::Automatic,
            }));
        }
    };
    let old = &accepted.schedule;
    let changes = schedule::changes(old, file);
    let coming = if old.digest() == file.digest() {
        Coming::InForce
    } else if !changes.iter().any(|change| change.asks) {
        Coming::AtOnce
    } else if (old.accept(), file.accept()) == (Accept::Automatic, Accept::Automatic) {
        Coming::Automatic
    } else {
        Coming::Waits
    };
    Ok(Versions {
        accepted: Some(accepted),
        coming,
        changes,
    })
}

/// What came into force last.
enum InForce {
    /// Nothing ever did.
    Nothing,
    /// Decisions were lost with a backup, and a person must accept anew, whatever the file
    /// says of acceptance (`review::stop_until_accepted`).
    NothingAnyMore,
    /// This.
    Version(Box<Accepted>),
}

async fn accepted(conn: &mut PgConnection) -> Result<InForce, SurveyError> {
    let asking = |source| SurveyError::Database {
        what: "the schedule in force",
        source,
    };
    let row = sqlx::query(
        "SELECT a.digest, v.text, a.accepted_at FROM retentiond.acceptance a
           JOIN retentiond.schedule_version v ON v.digest = a.digest
          ORDER BY a.acceptance_id DESC LIMIT 1",
    )
    .fetch_optional(conn)
    .await
    .map_err(asking)?;
    let Some(row) = row else {
        return Ok(InForce::Nothing);
    };
    let stored: Vec<u8> = row.try_get(0).map_err(asking)?;
    let text: String = row.try_get(1).map_err(asking)?;
    if text.is_empty() {
        return Ok(InForce::NothingAnyMore);
    }
    let since = row.try_get(2).map_err(asking)?;
    let faults = |faults: &schedule::Diagnostics| {
        let first = faults.items.first();
        SurveyError::Version(first.map_or_else(String::new, |fault| fault.message.clone()))
    };
    let schedule = schedule::parse(&text, "the schedule in force").map_err(|e| faults(&e))?;
    Ok(InForce::Version(Box::new(Accepted {
        schedule,
        since,
        stored: stored.try_into().unwrap_or_default(),
    })))
}

/// Draws the plan that a pass would go by at an instant, given the file; where nothing was
/// ever accepted, the file's, by which nothing is done.
///
/// # Errors
/// When the database does not answer.
pub async fn draw_in_force(
    conn: &mut PgConnection,
    file: &Schedule,
    now: DateTime<Utc>,
) -> Result<(Drawn, Versions), SurveyError> {
    let versions = versions(conn, file).await?;
    let acting = versions.acting(file).unwrap_or(file);
    let drawn = draw_beside(conn, acting, versions.waiting(file), now).await?;
    Ok((drawn, versions))
}

/// The digest that the version in force is stored under, whether or not it can be read.
///
/// # Errors
/// When the database does not answer.
pub async fn last_accepted(conn: &mut PgConnection) -> Result<Option<[u8; 32]>, SurveyError> {
    let digest: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT digest FROM retentiond.acceptance ORDER BY acceptance_id DESC LIMIT 1",
    )
    .fetch_optional(conn)
    .await
    .map_err(|source| SurveyError::Database {
        what: "the schedule in force",
        source,
    })?;
    Ok(digest.and_then(|digest| digest.try_into().ok()))
}

/// A plan in which a pass was stopped by a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoppedPlan {
    /// Its digest.
    pub digest: [u8; 32],
    /// Its day.
    pub on: NaiveDate,
    /// The pass; none where it only could be.
    pub run: Option<i64>,
    /// The classes over a limit, each with the day of its cutoff and how many are due.
    pub classes: Vec<(ClassId, NaiveDate, u64)>,
}

/// The plans of a version of the schedule that passes were stopped in, the newest first, at
/// most twenty.
///
/// # Errors
/// When the database does not answer.
pub async fn stopped_plans(
    conn: &mut PgConnection,
    schedule: &[u8; 32],
) -> Result<Vec<StoppedPlan>, SurveyError> {
    let asking = |source| SurveyError::Database {
        what: "stopped plans",
        source,
    };
    let rows = sqlx::query(
        "SELECT plan_digest, class_id, plan_on, due, run_id FROM retentiond.stopped_plan
          WHERE schedule_digest = $1 ORDER BY stopped_at DESC, plan_digest, class_id LIMIT 500",
    )
    .bind(&schedule[..])
    .fetch_all(conn)
    .await
    .map_err(asking)?;
    let mut plans: Vec<StoppedPlan> = Vec::new();
    for row in rows {
        let digest: Vec<u8> = row.try_get(0).map_err(asking)?;
        let class: String = row.try_get(1).map_err(asking)?;
        let (Ok(digest), Some(class)) = (digest.try_into(), ClassId::new(&class)) else {
            continue;
        };
        let on: NaiveDate = row.try_get(2).map_err(asking)?;
        let due: i64 = row.try_get(3).map_err(asking)?;
        let class = (class, on, u64::try_from(due).unwrap_or(0));
        let known = plans.len();
        match plans.iter_mut().find(|plan| plan.digest == digest) {
            Some(plan) => {
                plan.on = plan.on.max(on);
                plan.classes.push(class);
            }
            None if known == 20 => break,
            None => plans.push(StoppedPlan {
                digest,
                on,
                run: Some(row.try_get(4).map_err(asking)?),
                classes: vec![class],
            }),
        }
    }
    Ok(plans)
}
