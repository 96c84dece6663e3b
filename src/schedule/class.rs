//! What a validated schedule says, as values. Only [`super::parse`] makes them.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::condition::Condition;
use super::diagnostics::Place;
use super::limits::Limits;
use super::period::{Cutoff, Period};
use super::rounding::EndOf;
use super::timetable::Timetable;
use crate::ident::{ClassId, Ident, TableName};

/// One record class: which rows it claims, how long they are kept, what happens then.
#[derive(Debug, Clone, PartialEq)]
pub struct Class {
    pub(super) id: ClassId,
    pub(super) title: String,
    pub(super) table: TableName,
    pub(super) claim: Option<Condition>,
    pub(super) subject: Option<Ident>,
    pub(super) rule: Rule,
    pub(super) authority: String,
    pub(super) lawful_basis: Option<String>,
    pub(super) digest: [u8; 32],
    pub(super) places: Places,
}

/// Where the parts of a class stand in the file, so that whoever finds a fault
/// later (the catalogue does not fit) can point at the line.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Places {
    /// The class itself (its `id`).
    pub class: Place,
    /// Each key that was written, by its name.
    pub keys: BTreeMap<String, Place>,
}

/// What the schedule orders for the records of a class.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// Never touched, and protected from every other class.
    Retain {
        /// Who answers for it.
        owner: String,
        /// Why it is kept.
        reason: String,
        /// When somebody is to ask again whether it must be.
        review_on: Option<NaiveDate>,
    },
    /// Kept for a period, then disposed of.
    Dispose(Box<Dispose>),
}

/// The rule of a class that disposes.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispose {
    /// What the period is counted from.
    pub trigger: Trigger,
    /// Triggers before this day are sentinels.
    pub plausible_from: NaiveDate,
    /// The zone in which timestamps without one are read; `None` is the schedule's.
    pub trigger_zone: Option<Tz>,
    /// What the trigger is moved to the end of before the period is added.
    pub from_end_of: Option<EndOf>,
    /// How long a record is kept.
    pub period: Period,
    /// How many days a record may be past before it is overdue.
    pub tolerance: u32,
    /// Date columns of the record that show when somebody last worked with it: one whose
    /// day is after the trigger's keeps the record.
    pub unless_active: Vec<Ident>,
    /// While this is TRUE of a record, it is past whatever its trigger: consent was withdrawn.
    pub or_when: Option<Condition>,
    /// Whether the period is the least or the most that is allowed.
    pub limit: Limit,
    /// What is done when a record is due.
    pub disposal: Disposal,
    /// What is done before that, each after a shorter period from the same trigger, the
    /// shortest first. No stage is severer than the one after it, and none deletes.
    pub stages: Vec<Stage>,
    /// How many days before it goes a record is flagged.
    pub notice: Option<u32>,
    /// What a due record waits for.
    pub gate: Gate,
    /// How many different people have to approve a record of a class with reviews; else 1.
    pub approvals: u32,
    /// The columns of the record that its reviewers are shown, in this order. What a record
    /// means does not depend on them, so that they are no part of the digest.
    pub preview: Vec<Ident>,
    /// The tables whose rows go with a record, or are unlinked from it.
    pub dependants: Vec<Dependant>,
    /// The columns that name files which go with a record.
    pub files: Vec<FileColumn>,
    /// How much may go before a person must look.
    pub limits: Limits,
    /// Whether what is left of the rows in the table's files goes too.
    pub erasure: Erasure,
    /// Whether a person can have the records erased before their time; `false` where a statute
    /// orders them kept.
    pub erasure_right: bool,
    /// When passes over the class start, where that is not when the schedule's do. What a
    /// record means does not depend on it, so that it is part of the schedule's digest and not
    /// of the class's.
    pub every: Option<Timetable>,
}

/// Something done to a record before its class's own disposal.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// How long after the trigger.
    pub after: Period,
    /// What is done; never a deletion.
    pub disposal: Disposal,
}

impl Stage {
    pub(super) fn anonymises(&self) -> bool {
        matches!(self.disposal, Disposal::Anonymise(_))
    }
}

/// What the period is counted from.
#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    /// One date for every record of the class.
    Fixed(NaiveDate),
    /// The first of these that is not null and whose condition is TRUE. Never empty.
    Columns(Vec<TriggerColumn>),
}

/// A column that holds a trigger date.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerColumn {
    /// The table whose column it is, where that is not the class's own: one that the class's
    /// table refers to by a foreign key.
    pub related: Option<TableName>,
    /// A `date`, `timestamp` or `timestamptz` column of the class's table, or of `related`.
    pub column: Ident,
    /// Counts only where this is TRUE.
    pub when: Option<Condition>,
}

/// Whether a period is the least or the most that is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Kept through the last day, due the day after.
    Minimum,
    /// Due on the last day, so that it is gone before the period ends.
    Maximum,
}

impl Limit {
    /// Every limit.
    pub const ALL: [Self; 2] = [Self::Minimum, Self::Maximum];

    /// `minimum` or `maximum`, as the schedule writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Minimum => "minimum",
            Self::Maximum => "maximum",
        }
    }
}

/// What is done to a due record, from mild to severe: the order decides ties.
#[derive(Debug, Clone, PartialEq)]
pub enum Disposal {
    /// Recorded and listed; the row is not touched.
    Flag,
    /// Columns overwritten so that nobody can be identified. Never empty.
    Anonymise(Vec<Anonymisation>),
    /// The row is deleted, its dependants first.
    Delete,
}

impl Disposal {
    /// `flag`, `anonymise` or `delete`, as the schedule writes it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Anonymise(_) => "anonymise",
            Self::Delete => "delete",
        }
    }

    /// 0 for the mildest; on a tie of last days the mildest governs.
    #[must_use]
    pub fn severity(&self) -> u8 {
        match self {
            Self::Flag => 0,
            Self::Anonymise(_) => 1,
            Self::Delete => 2,
        }
    }
}

/// How one column (or one path in a JSON column) is anonymised.
#[derive(Debug, Clone, PartialEq)]
pub struct Anonymisation {
    /// The column.
    pub column: Ident,
    /// Keys below a JSON column; only [`Strategy::Remove`] has any.
    pub path: Vec<String>,
    /// What is written instead.
    pub strategy: Strategy,
}

/// What an anonymised column holds afterwards. Every strategy is idempotent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strategy {
    /// NULL.
    Null,
    /// The text `[redacted]`; NULL stays NULL.
    Redact,
    /// A keyed pseudonym with a recognisable prefix; NULL stays NULL.
    Pseudonym,
    /// A date cut to 1 January of its year.
    Year,
    /// A date cut to the first of its month.
    Month,
    /// A postcode cut to its outward part (`SE1 2AA` becomes `SE1`).
    Area,
    /// The path removed from a JSON value.
    Remove,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Self; 7] = [
        Self::Null,
        Self::Redact,
        Self::Pseudonym,
        Self::Year,
        Self::Month,
        Self::Area,
        Self::Remove,
    ];

    /// `null`, `redact` and so on, as the schedule writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Redact => "redact",
            Self::Pseudonym => "pseudonym",
            Self::Year => "year",
            Self::Month => "month",
            Self::Area => "area",
            Self::Remove => "remove",
        }
    }
}

/// What a due record waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Nothing.
    None,
    /// A person's approval of each record.
    Review,
    /// The controller's instruction for the class.
    Instruction,
}

impl Gate {
    /// Every gate.
    pub const ALL: [Self; 3] = [Self::None, Self::Review, Self::Instruction];

    /// `none`, `review` or `instruction`, as the schedule writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Review => "review",
            Self::Instruction => "instruction",
        }
    }
}

/// What becomes of the row versions that a deletion or an anonymisation leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasure {
    /// PostgreSQL reuses their place in its own time.
    Ordinary,
    /// The table is rewritten without them, and the ledger says so.
    Secure,
}

impl Erasure {
    /// Every kind of erasure.
    pub const ALL: [Self; 2] = [Self::Ordinary, Self::Secure];

    /// `ordinary` or `secure`, as the schedule writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Secure => "secure",
        }
    }
}

/// A table whose rows belong to a record of the class.
#[derive(Debug, Clone, PartialEq)]
pub struct Dependant {
    /// The dependant table. Without `relation`, how it is related is read from the declared
    /// foreign keys. The class's own table, where rows hang on other rows of it.
    pub table: TableName,
    /// What happens to its rows.
    pub fate: Fate,
    /// A relation that the database does not declare (`on`, `where`).
    pub relation: Option<Relation>,
    /// Where it is written.
    pub place: Place,
}

impl Dependant {
    /// Whether another entry says the same of the same table, apart from the fate.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        let said = |d: &Self| {
            let relation = d.relation.as_ref();
            relation.map(|r| (r.to.clone(), r.columns.clone(), r.when.clone()))
        };
        self.table == other.table && said(self) == said(other)
    }
}

/// How rows are related that no foreign key relates: by equal values. Which of the two
/// refers to the other is told by which of them has a key there.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    /// The table on the right: the class's own, or that of another dependant.
    pub to: TableName,
    /// Pairs of columns, the dependant's on the left; sorted, never empty.
    pub columns: Vec<(Ident, Ident)>,
    /// Only rows of the dependant are related of which this is TRUE.
    pub when: Option<Condition>,
    /// Where it is written.
    pub place: Place,
}

impl Relation {
    /// The same text for the same relation, and for no other.
    #[must_use]
    pub fn text(&self) -> String {
        let quoted = |(left, right): &(Ident, Ident)| {
            format!(
                "{} = {}.{}",
                left.quoted(),
                self.to.quoted(),
                right.quoted()
            )
        };
        let columns: Vec<String> = self.columns.iter().map(quoted).collect();
        let when = self.when.as_ref();
        let when = when.map_or_else(String::new, |when| format!(" where {}", when.text()));
        columns.join(" AND ") + &when
    }
}

/// What happens to a dependant's rows when their record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// They are deleted with it (`dependants = ["t"]`).
    Delete,
    /// They stay; their foreign key is set to NULL, and the ledger says so
    /// (`dependants = [{ table = "t", action = "unlink" }]`).
    Unlink,
}

impl Fate {
    /// Every fate.
    pub const ALL: [Self; 2] = [Self::Delete, Self::Unlink];

    /// `delete` or `unlink`, as the schedule writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Unlink => "unlink",
        }
    }
}

/// A column that names a file which goes with its row.
#[derive(Debug, Clone, PartialEq)]
pub struct FileColumn {
    /// The class's own table, or one of its deleted dependants.
    pub table: TableName,
    /// A text column holding a path relative to the store's folder.
    pub column: Ident,
    /// The store's name in the daemon's settings.
    pub store: String,
    /// Where it is written.
    pub place: Place,
}

impl Dispose {
    /// Each stage and then the class's own disposal, as rules without stages.
    #[must_use]
    pub fn steps(&self) -> Vec<Self> {
        let whole = Self {
            stages: Vec::new(),
            ..self.clone()
        };
        let stages = self.stages.iter().map(|stage| Self {
            period: stage.after,
            disposal: stage.disposal.clone(),
            ..whole.clone()
        });
        stages.chain([whole.clone()]).collect()
    }

    /// The same, as they divide a class's past records among themselves on `today`: a
    /// record belongs to the last step that it is past for, so that triggers before the
    /// next step's cutoff are left out of each.
    #[must_use]
    pub fn steps_on(&self, today: NaiveDate) -> Vec<Self> {
        let mut steps = self.steps();
        let cutoffs: Vec<Option<Cutoff>> = steps.iter().map(|step| step.cutoff(today)).collect();
        for (step, next) in steps.iter_mut().zip(cutoffs.iter().skip(1)) {
            if let Some(next) = next {
                step.plausible_from = step.plausible_from.max(next.date());
            }
        }
        steps
    }

    /// The rule by which a record is past for the first time: the first stage, or the
    /// class's own.
    #[must_use]
    pub fn first_step(&self) -> Self {
        let first = self.steps().into_iter().next();
        first.unwrap_or_else(|| self.clone())
    }

    /// The last day of retention of a record with this trigger; `None` beyond the
    /// calendar.
    #[must_use]
    pub fn last_day(&self, trigger: NaiveDate) -> Option<NaiveDate> {
        match self.from_end_of {
            None => self.period.last_day(trigger),
            Some(end_of) => self.period.last_day(end_of.end(trigger)?),
        }
    }

    /// A record is past on `today` if its trigger is before this day; `None`
    /// beyond the calendar.
    #[must_use]
    pub fn cutoff(&self, today: NaiveDate) -> Option<Cutoff> {
        let cutoff = self.period.cutoff(today, self.limit)?;
        match self.from_end_of {
            None => Some(cutoff),
            // The smallest date whose year or month ends at the cutoff or later is the
            // first of the year or month that the cutoff falls in.
            Some(end_of) => end_of.start(cutoff.date()).map(Cutoff::at),
        }
    }
}

impl Class {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &ClassId {
        &self.id
    }

    /// What people call it.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The table whose rows it claims.
    #[must_use]
    pub fn table(&self) -> &TableName {
        &self.table
    }

    /// Which rows of the table it claims; `None` is every row.
    #[must_use]
    pub fn claim(&self) -> Option<&Condition> {
        self.claim.as_ref()
    }

    /// The column that names whom a record is about.
    #[must_use]
    pub fn subject(&self) -> Option<&Ident> {
        self.subject.as_ref()
    }

    /// What the schedule orders for them.
    #[must_use]
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The rule, unless the class retains.
    #[must_use]
    pub fn dispose(&self) -> Option<&Dispose> {
        match &self.rule {
            Rule::Retain { .. } => None,
            Rule::Dispose(dispose) => Some(dispose),
        }
    }

    /// Its own timetable; `None` where the schedule's is followed.
    #[must_use]
    pub fn every(&self) -> Option<&Timetable> {
        self.dispose()?.every.as_ref()
    }

    /// The document that orders it.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The lawful basis, where one is given.
    #[must_use]
    pub fn lawful_basis(&self) -> Option<&str> {
        self.lawful_basis.as_deref()
    }

    /// SHA-256 of what the class means: comments, titles, layout and wording of
    /// authority, lawful basis, owner and reason do not change it.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Where its parts stand in the file.
    #[must_use]
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Where a key of the class stands in the file, or the class itself.
    #[must_use]
    pub fn place(&self, key: &str) -> &Place {
        self.places.keys.get(key).unwrap_or(&self.places.class)
    }
}
