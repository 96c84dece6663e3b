//! Where a decision is recorded: the database, looked at and found fit, and whoever decides
//! known and allowed to.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Connection, PgConnection};

use super::context::Context;
use super::failure::Failure;
use crate::daemon::tick;
use crate::ident::{ClassId, TableName};
use crate::ledger::publish::{self, Places};
use crate::ledger::{KeyColumns, RecordKey};
use crate::review::{self, ReviewError, Role};
use crate::schedule::{Class, Code, Condition, Gate, ProcessorClass, Schedule};
use crate::survey::{self, Drawn};

/// What every decision starts from.
pub(super) struct Desk {
    pub conn: PgConnection,
    pub drawn: Drawn,
    /// The version of the schedule that is in force, or the file's where none is.
    pub schedule: Schedule,
    pub now: DateTime<Utc>,
    /// The day in the schedule's zone.
    pub today: NaiveDate,
    pub actor: String,
    pub places: Option<Places>,
}

/// A class by its name on the command line.
pub(super) enum Named<'s> {
    /// Rows of a table.
    Rows(&'s Class),
    /// What a processor holds.
    Elsewhere(&'s ProcessorClass),
}

impl Named<'_> {
    pub fn id(&self) -> &ClassId {
        match self {
            Self::Rows(class) => class.id(),
            Self::Elsewhere(class) => class.id(),
        }
    }

    pub fn gate(&self) -> Option<Gate> {
        match self {
            Self::Rows(class) => class.dispose().map(|dispose| dispose.gate),
            Self::Elsewhere(class) => Some(class.gate()),
        }
    }
}

impl Desk {
    /// For looking only.
    pub async fn look(context: &Context) -> Result<Self, Failure> {
        Self::open(context, Role::Viewer).await
    }

    /// For a decision of this role's.
    pub async fn open(context: &Context, role: Role) -> Result<Self, Failure> {
        let file = context.schedule()?;
        let settings = context.settings()?;
        let now = context.clock.now();
        let mut conn = context.connect(&settings).await?;
        let (drawn, versions) = survey::draw_in_force(&mut conn, &file, now).await?;
        if !drawn.migrated {
            return Err(Failure::Other {
                code: Code::NotMigrated,
                exit: 1,
                message:
                    "the schema `retentiond` is missing from the database, or of another version"
                        .to_owned(),
                causes: Vec::new(),
                hint: Some("run `retentiond migrate` first".to_owned()),
            });
        }
        let actor = context.actor();
        allowed(&mut conn, &actor, role).await?;
        let places = tick::places(&settings).ok();
        if role != Role::Viewer
            && !context.global.dry_run
            && let Some(places) = &places
        {
            // A decision in a database that has lost entries would take the number of one of them.
            publish::compare(&mut conn, places).await?;
        }
        let schedule = versions.acting(&file).unwrap_or(&file).clone();
        Ok(Self {
            conn,
            today: drawn.plan.on(),
            drawn,
            schedule,
            now,
            actor,
            places,
        })
    }

    pub async fn close(self) {
        let _ = self.conn.close().await;
    }

    /// A class of rows.
    pub fn class(&self, context: &Context, id: &str) -> Result<&Class, Failure> {
        match self.any_class(context, id)? {
            Named::Rows(class) => Ok(class),
            Named::Elsewhere(class) => Err(Failure::usage(
                Code::NoSuchRecord,
                format!(
                    "class `{}` has no records here: {} holds its data",
                    class.id(),
                    class.processor()
                ),
                "`retentiond processor list` shows how it stands",
            )),
        }
    }

    /// A class, whoever holds its data.
    pub fn any_class(&self, context: &Context, id: &str) -> Result<Named<'_>, Failure> {
        let ids = context.classes(&self.schedule, &[id.to_owned()])?;
        let find = |id| {
            let elsewhere = self.schedule.processor(id).map(Named::Elsewhere);
            self.schedule.class(id).map(Named::Rows).or(elsewhere)
        };
        ids.first().and_then(find).ok_or_else(|| {
            Failure::usage(
                Code::UnknownClass,
                format!("the schedule has no class `{id}`"),
                "`retentiond plan` lists the classes",
            )
        })
    }

    /// The key's columns of a table, and a key of it from the command line.
    pub fn key(&self, table: &TableName, text: &str) -> Result<(KeyColumns, RecordKey), Failure> {
        let columns = self.columns(table)?;
        let key = RecordKey::parse(&columns, text).map_err(|error| {
            let hint = super::explain::key_hint(&columns);
            Failure::usage(Code::NoSuchRecord, error.to_string(), hint)
        })?;
        Ok((columns, key))
    }

    pub fn columns(&self, table: &TableName) -> Result<KeyColumns, Failure> {
        survey::key_columns(&self.drawn.catalog, table)
            .ok_or_else(|| super::explain::no_key(&self.drawn.catalog, table))
    }
}

/// Whether somebody may decide what takes a role. Everybody who reaches the database may look.
pub(super) async fn allowed(
    conn: &mut PgConnection,
    actor: &str,
    role: Role,
) -> Result<(), Failure> {
    let own = review::roles_of(conn, actor).await?;
    if role == Role::Viewer || own.iter().any(|own| own.covers(role)) {
        return Ok(());
    }
    Err(Failure::usage(
        Code::NotAllowed,
        format!(
            "`{actor}` may not do that: it takes the role {}",
            role.name()
        ),
        "an administrator gives it with `retentiond operator add NAME --role ROLE`; \
         whose word it is is said with --as NAME",
    ))
}

/// A condition from the command line, in the form that the schedule knows, over columns that
/// the table has.
pub(super) fn condition(desk: &Desk, table: &TableName, text: &str) -> Result<Condition, Failure> {
    let condition = parse(text)?;
    let known = desk.drawn.catalog.table(table);
    let missing = condition
        .columns()
        .find(|column| known.is_some_and(|table| table.column(column).is_none()));
    let Some(column) = missing else {
        return Ok(condition);
    };
    let far = |name: &str| strsim::damerau_levenshtein(name, column.as_str());
    let near = known
        .iter()
        .flat_map(|table| &table.columns)
        .map(|column| column.name.as_str())
        .filter(|name| far(name) <= 3)
        .min_by_key(|name| far(name));
    Err(Failure::usage(
        Code::NoSuchColumn,
        format!("there is no column `{column}` in table `{table}`"),
        near.map_or_else(
            || "a condition names columns of the class's own table".to_owned(),
            |near| format!("did you mean `{near}`?"),
        ),
    ))
}

fn parse(text: &str) -> Result<Condition, Failure> {
    Condition::parse(text).map_err(|error| {
        let hint = error.hint().unwrap_or(
            "write it as `where` in the schedule: one comparison of the class's own columns, such as \
             `outcome = 'withdrawn'`",
        );
        Failure::usage(error.code(), error.to_string(), hint)
    })
}

/// Words that a person has to write, without the space around them.
pub(super) fn words<'t>(text: &'t str, option: &str) -> Result<&'t str, Failure> {
    match text.trim() {
        "" => Err(Failure::usage(
            Code::BlankText,
            format!("--{option} must not be blank"),
            "whoever asks later reads it: a few words are enough",
        )),
        text => Ok(text),
    }
}

/// A last day that is not over yet.
pub(super) fn ahead(day: NaiveDate, option: &str, today: NaiveDate) -> Result<(), Failure> {
    if day < today {
        return Err(Failure::usage(
            Code::BadDate,
            format!("--{option} {day} is over already: today is {today}"),
            "name today or a later day",
        ));
    }
    Ok(())
}

/// `1 record`, `1,200 records`.
pub(super) fn records(count: u64) -> String {
    super::output::counted(count, "record", "records")
}

/// The class of a name that our tables have; it may be gone from the schedule.
pub(super) fn class_id(text: &str) -> Result<ClassId, Failure> {
    ClassId::new(text).ok_or_else(|| {
        Failure::usage(
            Code::UnknownClass,
            format!("`{text}` cannot be a class's id"),
            "`retentiond plan` lists the classes",
        )
    })
}

impl From<ReviewError> for Failure {
    fn from(error: ReviewError) -> Self {
        let usage = |hint: &str| Self::usage(Code::NoSuchDecision, error.to_string(), hint);
        match &error {
            ReviewError::NoHold(_) => usage(
                "`retentiond hold list --open` and `retentiond exempt list --open` show what protects",
            ),
            ReviewError::NoInstruction(_) => usage("`retentiond instruct list` shows the orders"),
            ReviewError::NoErasure => usage("`retentiond subject list` shows the requests"),
            ReviewError::NoOrder(_) => {
                usage("`retentiond processor list` shows what is open; a pass issues what is due")
            }
            ReviewError::NotPaused(_) => usage("`retentiond status` shows what is paused"),
            ReviewError::NoOperator(_) => usage("`retentiond operator list` shows who may do what"),
            ReviewError::LastAdministrator(_) => usage("make somebody else an administrator first"),
            ReviewError::Overtaken => Self::failed(
                Code::PlanChanged,
                &error,
                Some("look at `retentiond plan` again, and accept what it shows"),
            ),
            ReviewError::Decided => Self::failed(
                Code::PlanChanged,
                &error,
                Some("run it again: the next plan knows what was decided"),
            ),
            ReviewError::Ledger(_)
            | ReviewError::Database(_)
            | ReviewError::Catalog(_)
            | ReviewError::Random(_)
            | ReviewError::Key(_) => Self::failed(Code::Unreachable, &error, None),
        }
    }
}
