//! `retentiond accept DIGEST`: a new version of the schedule, or once a plan over its limits.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::args;
use super::context::Context;
use super::failure::Failure;
use super::output;
use super::versions::{self, full};
use crate::daemon::tick;
use crate::ident::ClassId;
use crate::ledger::publish;
use crate::review::{self, AcceptedPlan, DueBeforeAndAfter, How, NewLift, NewVersion, Role};
use crate::schedule::{Change, Code, Schedule};
use crate::survey::{self, Accepted, ClassCounts, StoppedPlan, SurveyError, Versions};

/// The least digits by which something may be named.
const LEAST: usize = 8;

pub(super) async fn run(context: &Context, arguments: args::Accept) -> Result<u8, Failure> {
    let digits = prefix(&arguments.digest)?;
    if arguments.reason.trim().is_empty() {
        return Err(Failure::usage(
            Code::BlankText,
            "the reason must not be blank",
            "say why it may go: `--reason \"agreed by the board on 3 March\"`",
        ));
    }
    let schedule = context.schedule()?;
    let settings = context.settings()?;
    let now = context.clock.now();
    let mut conn = context.connect(&settings).await?;
    let migrated = crate::store::is_migrated(&mut conn)
        .await
        .map_err(|e| Failure::failed(Code::Unreachable, &e, None))?;
    if !migrated {
        return Err(Failure::Other {
            code: Code::NotMigrated,
            exit: 1,
            message: "the schema `retentiond` is missing from the database, or of another version"
                .to_owned(),
            causes: Vec::new(),
            hint: Some("run `retentiond migrate` first".to_owned()),
        });
    }
    super::desk::allowed(&mut conn, &context.actor(), Role::Administrator).await?;
    if !context.global.dry_run
        && let Ok(places) = tick::places(&settings)
    {
        // A decision in a database that has lost entries would take the number of one of them.
        publish::compare(&mut conn, &places).await?;
    }
    let versions = match survey::versions(&mut conn, &schedule).await {
        Ok(versions) => Some(versions),
        // Whatever is in force, a person may say what is to be.
        Err(SurveyError::Version(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let plans = match versions.as_ref().and_then(|v| v.acting(&schedule)) {
        Some(acting) => Plans::known(&mut conn, &schedule, acting, now).await?,
        None => Plans::default(),
    };
    let mut found: Vec<Found<'_>> = Vec::new();
    if hex::encode(schedule.digest()).starts_with(&digits) {
        found.push(Found::Version);
    }
    let plan = |plan: &&StoppedPlan| hex::encode(plan.digest).starts_with(&digits);
    found.extend(plans.0.iter().filter(plan).map(Found::Plan));
    let code = match &found[..] {
        [] => return Err(unknown(&digits, &schedule, &plans)),
        [Found::Version] => {
            version(
                context,
                &mut conn,
                &schedule,
                versions,
                &arguments.reason,
                now,
            )
            .await?
        }
        [Found::Plan(plan)] => {
            lift(context, &mut conn, &schedule, plan, &arguments.reason, now).await?
        }
        _ => {
            return Err(Failure::usage(
                Code::UnknownDigest,
                format!("`{digits}` begins more than one digest"),
                "give more of its digits",
            ));
        }
    };
    let _ = conn.close().await;
    Ok(code)
}

enum Found<'a> {
    Version,
    Plan(&'a StoppedPlan),
}

/// `sha256:…` or bare digits, all or the first of them.
pub(super) fn prefix(text: &str) -> Result<String, Failure> {
    let digits = text.trim().trim_start_matches("sha256:").to_lowercase();
    let fits =
        (LEAST..=64).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if fits {
        return Ok(digits);
    }
    Err(Failure::usage(
        Code::UnknownDigest,
        format!("`{text}` is not a digest"),
        "write it as `retentiond plan` shows it: hexadecimal digits, at least the first eight",
    ))
}

/// The plans that could be accepted: today's, and those that passes were stopped in.
#[derive(Default)]
struct Plans(Vec<StoppedPlan>);

impl Plans {
    async fn known(
        conn: &mut PgConnection,
        file: &Schedule,
        acting: &Schedule,
        now: DateTime<Utc>,
    ) -> Result<Self, Failure> {
        let (drawn, _) = survey::draw_in_force(conn, file, now).await?;
        let counts = survey::count(conn, &drawn.plan).await?;
        let today = StoppedPlan {
            digest: *drawn.plan.digest(),
            on: drawn.plan.on(),
            run: None,
            classes: over(&drawn.plan, &counts),
        };
        let mut plans = survey::stopped_plans(conn, acting.digest()).await?;
        plans.retain(|plan| plan.digest != today.digest);
        plans.insert(0, today);
        Ok(Self(plans))
    }
}

/// The classes over a limit, with what is due.
fn over(plan: &crate::plan::Plan, counts: &[ClassCounts]) -> Vec<(ClassId, NaiveDate, u64)> {
    let classes = plan.classes().iter().zip(counts);
    classes
        .filter_map(|(class, counted)| {
            let on = class.lift.map_or(plan.on(), |lift| lift.on);
            Some((class.id.clone(), on, counted.over?.due))
        })
        .collect()
}

fn unknown(digits: &str, schedule: &Schedule, plans: &Plans) -> Failure {
    let mut known = vec![format!(
        "schedule {} ({})",
        output::short(schedule.digest()),
        schedule.file()
    )];
    known.extend(plans.0.iter().map(|plan| match plan.run {
        None => format!("plan {} (today's)", output::short(&plan.digest)),
        Some(run) => format!(
            "plan {} (of {}, stopped in pass {run})",
            output::short(&plan.digest),
            output::day(plan.on)
        ),
    }));
    Failure::usage(
        Code::UnknownDigest,
        format!("nothing that could be accepted has the digest `{digits}`"),
        format!("there are: {}", known.join("; ")),
    )
}

/// Accepts the file's version.
async fn version(
    context: &Context,
    conn: &mut PgConnection,
    schedule: &Schedule,
    versions: Option<Versions>,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<u8, Failure> {
    let accepted = versions.as_ref().and_then(|v| v.accepted.as_ref());
    let changes: &[Change] = versions.as_ref().map_or(&[], |v| &v.changes);
    let previous = accepted.map(|old| full(old.schedule.digest()));
    if accepted.is_some_and(|old| old.schedule.digest() == schedule.digest()) {
        if context.json() {
            output::json(&json!({ "accept": {
                "schedule": full(schedule.digest()), "previous": previous,
                "changes": [], "due": [], "accepted": false,
            } }));
        } else {
            output::text("That version is in force already. Nothing was changed.");
        }
        return Ok(0);
    }
    let due = before_and_after(conn, schedule, accepted, now).await?;
    if !context.json() {
        show(schedule, accepted, changes, &due);
    }
    let stored = match accepted {
        Some(old) => Some(old.stored),
        // None, or one that cannot be read, or nothing any more.
        None => survey::last_accepted(conn).await?,
    };
    if !context.global.dry_run {
        let version = NewVersion {
            digest: schedule.digest(),
            file_digest: schedule.file_digest(),
            text: schedule.text(),
            previous: stored.as_ref(),
        };
        let how = How::ByHand {
            reason: reason.trim(),
            counts: &due,
        };
        review::bring_into_force(conn, &version, how, &context.actor(), now).await?;
    }
    if context.json() {
        output::json(&json!({ "accept": {
            "schedule": full(schedule.digest()), "previous": previous,
            "changes": versions::changes(schedule, changes), "due": due,
            "accepted": !context.global.dry_run,
        } }));
    } else if context.global.dry_run {
        output::text("\nNothing was changed.");
    } else {
        output::text(&format!(
            "\nAccepted by {}: schedule {} is in force from now on.",
            context.actor(),
            output::short(schedule.digest())
        ));
    }
    Ok(0)
}

/// How many records are due today under each version, by class.
async fn before_and_after(
    conn: &mut PgConnection,
    new: &Schedule,
    old: Option<&Accepted>,
    now: DateTime<Utc>,
) -> Result<Vec<DueBeforeAndAfter>, Failure> {
    let before = match old {
        Some(old) => counted(conn, &old.schedule, now).await?,
        None => Vec::new(),
    };
    let after = counted(conn, new, now).await?;
    let find = |counts: &[(ClassId, Option<u64>)], id: &ClassId| {
        counts
            .iter()
            .find(|(class, _)| class == id)
            .and_then(|(_, due)| *due)
    };
    let gone = before
        .iter()
        .filter(|(id, _)| !after.iter().any(|(other, _)| other == id));
    Ok(after
        .iter()
        .chain(gone)
        .map(|(id, _)| DueBeforeAndAfter {
            class: id.clone(),
            before: find(&before, id),
            after: find(&after, id),
        })
        .collect())
}

async fn counted(
    conn: &mut PgConnection,
    schedule: &Schedule,
    now: DateTime<Utc>,
) -> Result<Vec<(ClassId, Option<u64>)>, Failure> {
    let drawn = survey::draw(conn, schedule, now).await?;
    let counts = survey::count(conn, &drawn.plan).await?;
    Ok(counts
        .into_iter()
        .map(|counted| {
            let over = counted.over.map_or(0, |over| over.due);
            let due = counted.counts.map(|counts| counts.due.max(over));
            (counted.id, due)
        })
        .collect())
}

fn show(
    schedule: &Schedule,
    old: Option<&Accepted>,
    changes: &[Change],
    due: &[DueBeforeAndAfter],
) {
    let short = output::short(schedule.digest());
    match old {
        None => output::text(&format!(
            "Schedule {short} ({}) is the first version.",
            schedule.file()
        )),
        Some(old) => {
            output::text(&format!(
                "Schedule {short} ({}) takes the place of {}, in force since {}. It changes:",
                schedule.file(),
                output::short(old.schedule.digest()),
                output::instant(old.since, old.schedule.time_zone())
            ));
            for change in changes {
                output::text(&versions::line(change));
            }
        }
    }
    output::line("");
    let mut sheet = output::Sheet::new(["class", "due before", "due after"]);
    for class in due {
        let number = |due: Option<u64>| due.map_or_else(|| "".into(), output::number);
        sheet.row([
            class.class.as_str().into(),
            number(class.before),
            number(class.after),
        ]);
    }
    sheet.print();
}

/// Accepts a plan over its limits.
async fn lift(
    context: &Context,
    conn: &mut PgConnection,
    schedule: &Schedule,
    plan: &StoppedPlan,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<u8, Failure> {
    if plan.classes.is_empty() {
        return Err(Failure::usage(
            Code::UnknownDigest,
            format!(
                "plan {} is today's, and no class of it is over a limit",
                output::short(&plan.digest)
            ),
            "a pass goes by it without being accepted",
        ));
    }
    let acting = survey::versions(conn, schedule).await?;
    let acting = acting.acting(schedule).unwrap_or(schedule);
    if !context.global.dry_run {
        let classes: Vec<NewLift> = plan
            .classes
            .iter()
            .map(|(class, on, due)| NewLift {
                class: class.clone(),
                on: *on,
                due: *due,
            })
            .collect();
        let accepted = AcceptedPlan {
            digest: &plan.digest,
            schedule: acting.digest(),
            classes: &classes,
        };
        review::lift_limits(conn, &accepted, reason.trim(), &context.actor(), now).await?;
    }
    if context.json() {
        let classes: Vec<_> = plan
            .classes
            .iter()
            .map(|(class, on, due)| json!({ "id": class, "on": on, "due": due }))
            .collect();
        output::json(&json!({ "accept": {
            "plan": full(&plan.digest), "classes": classes, "accepted": !context.global.dry_run,
        } }));
        return Ok(0);
    }
    for (class, on, due) in &plan.classes {
        output::text(&format!(
            "{class}: {} due on {} may go over the limits, once.",
            output::counted(*due, "record that was", "records that were"),
            output::day(*on)
        ));
    }
    output::text(&if context.global.dry_run {
        "Nothing was changed.".to_owned()
    } else {
        format!(
            "Accepted by {}: the next pass goes by the cutoffs of plan {}.",
            context.actor(),
            output::short(&plan.digest)
        )
    });
    Ok(0)
}
