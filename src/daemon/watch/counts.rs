//! How many records are due, late, or wait: counted as `retentiond status` counts them.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, PgConnection};

use super::super::force::Force;
use super::super::tick::{TickError, limits};
use crate::ident::ClassId;
use crate::plan::{ClassPlan, Standing};
use crate::schedule::{Gate, Limit, Rule};
use crate::store::{self, Limits};
use crate::survey::{self, ClassCounts, Drawn, Versions};

/// How long one statement may count.
const LONGEST: Duration = Duration::from_secs(600);

/// One count.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    /// The instant that it was made for.
    pub at: DateTime<Utc>,
    /// The classes, in the schedule's order.
    pub classes: Vec<ClassFigures>,
}

impl Counted {
    /// Whether no class at all fits the database.
    pub(super) fn all_refused(&self) -> bool {
        let refused = |class: &ClassFigures| class.standing == Standing::Refused;
        !self.classes.is_empty() && self.classes.iter().all(refused)
    }
}

/// One class.
#[derive(Debug, Clone)]
pub(super) struct ClassFigures {
    pub id: ClassId,
    pub standing: Standing,
    /// None where it is refused, or retains.
    pub records: Option<Records>,
}

/// Its records.
#[derive(Debug, Clone)]
pub(super) struct Records {
    pub limit: &'static str,
    pub due: u64,
    pub overdue: u64,
    /// Days since the last day of the oldest late record; none where it has none.
    pub oldest_days: Option<i64>,
    /// By [`Reason`], in its order.
    pub waiting: [u64; Reason::ALL.len()],
}

/// Why past records, or those without a date, are still there though a class claims them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// A person must look at each of them.
    Review,
    /// The controller's instruction is not there.
    Instruction,
    /// Their notice has not run out.
    Notice,
    /// A hold, an exemption or a restriction.
    Hold,
    /// Another class orders the contrary.
    Conflict,
    /// The class is over a limit.
    Limit,
    /// A version of the schedule waits for acceptance.
    Acceptance,
    /// Somebody paused the class.
    Pause,
    /// What keeps another class, or a dependant's, keeps them.
    OtherClass,
    /// Each failed by itself and was set aside.
    Quarantined,
    /// There is no date that the period could be counted from.
    NoTrigger,
    /// That date cannot be believed.
    ImplausibleTrigger,
}

impl Reason {
    pub(super) const ALL: [Self; 12] = [
        Self::Review,
        Self::Instruction,
        Self::Notice,
        Self::Hold,
        Self::Conflict,
        Self::Limit,
        Self::Acceptance,
        Self::Pause,
        Self::OtherClass,
        Self::Quarantined,
        Self::NoTrigger,
        Self::ImplausibleTrigger,
    ];

    /// As the label has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::Instruction => "instruction",
            Self::Notice => "notice",
            Self::Hold => "hold",
            Self::Conflict => "conflict",
            Self::Limit => "limit",
            Self::Acceptance => "acceptance",
            Self::Pause => "pause",
            Self::OtherClass => "other_class",
            Self::Quarantined => "quarantined",
            Self::NoTrigger => "no_trigger",
            Self::ImplausibleTrigger => "implausible_trigger",
        }
    }
}

/// Counts.
pub(super) async fn count(
    url: &SecretString,
    force: &Force,
    now: DateTime<Utc>,
) -> Result<Counted, TickError> {
    let limits = Limits {
        statement: LONGEST,
        ..limits(&force.settings)
    };
    let mut conn = store::connect(url.expose_secret(), "retentiond/watch", limits).await?;
    let found = with(&mut conn, force, now).await;
    let _ = conn.close().await;
    found
}

async fn with(
    conn: &mut PgConnection,
    force: &Force,
    now: DateTime<Utc>,
) -> Result<Counted, TickError> {
    let (drawn, versions) = survey::draw_in_force(conn, &force.schedule, now).await?;
    if !drawn.migrated {
        return Err(TickError::NotMigrated);
    }
    let acts = versions.acting(&force.schedule).is_some();
    let counted = survey::count(conn, &drawn.plan).await?;
    let mut classes = Vec::new();
    for (class, counted) in drawn.plan.classes().iter().zip(counted) {
        let records = match (&class.rule, class.standing) {
            (Rule::Retain { .. }, _) | (_, Standing::Refused) => None,
            (Rule::Dispose(dispose), _) => {
                let why = gate(class, dispose.gate, &drawn, &versions);
                let on = drawn.plan.on();
                records(conn, class, &counted, dispose.limit, why, acts, on).await?
            }
        };
        classes.push(ClassFigures {
            id: class.id.clone(),
            standing: class.standing,
            records,
        });
    }
    Ok(Counted { at: now, classes })
}

/// Why records of a class wait that wait for a person: the first thing that is to be seen
/// from the class. What keeps each of them by itself `retentiond explain` says.
fn gate(class: &ClassPlan, gate: Gate, drawn: &Drawn, versions: &Versions) -> Reason {
    let decisions = &drawn.decisions;
    match gate {
        _ if decisions.paused(&class.id) => Reason::Pause,
        Gate::Review => Reason::Review,
        Gate::Instruction if !decisions.instructed(&class.id) => Reason::Instruction,
        _ if versions.coming == survey::Coming::Waits => Reason::Acceptance,
        Gate::None | Gate::Instruction => Reason::OtherClass,
    }
}

async fn records(
    conn: &mut PgConnection,
    class: &ClassPlan,
    counted: &ClassCounts,
    limit: Limit,
    why: Reason,
    acts: bool,
    on: NaiveDate,
) -> Result<Option<Records>, TickError> {
    let Some(counts) = &counted.counts else {
        return Ok(None);
    };
    // What is over a limit is counted as waiting, and not by the question after people.
    let over = counted.over.as_ref().map_or(0, |over| over.due);
    let rest = counts.waiting.saturating_sub(over);
    let person = match rest {
        0 => 0,
        _ => survey::waiting_for_a_person(conn, class).await?.min(rest),
    };
    let mut waiting = [0; Reason::ALL.len()];
    let mut add = |reason: Reason, records: u64| {
        let at = Reason::ALL.iter().position(|one| *one == reason);
        if let Some(known) = at.and_then(|at| waiting.get_mut(at)) {
            *known += records;
        }
    };
    add(why, person);
    add(Reason::Notice, rest - person);
    add(Reason::Limit, over);
    add(Reason::Hold, counts.held);
    add(Reason::Conflict, counts.conflict);
    add(Reason::Quarantined, counts.quarantined);
    add(Reason::NoTrigger, counts.without_trigger);
    add(Reason::ImplausibleTrigger, counts.implausible_trigger);
    // Nothing goes while no version was ever accepted.
    let due = if acts { counts.due } else { 0 };
    add(Reason::Acceptance, counts.due - due);
    let oldest = match counts.overdue {
        0 => None,
        _ => survey::oldest_overdue(conn, class).await?,
    };
    Ok(Some(Records {
        limit: limit.name(),
        due,
        overdue: counts.overdue,
        oldest_days: match counts.overdue {
            0 => Some(0),
            _ => oldest.map(|day| (on - day).num_days()),
        },
        waiting,
    }))
}
