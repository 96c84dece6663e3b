//! `retentiond plan`: what would be done, and nothing done.

mod against;
mod forecast;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use super::args;
use super::context::Context;
use super::failure::Failure;
use super::output;
use super::versions;
use crate::ident::ClassId;
use crate::plan::{ClassPlan, Plan, Standing};
use crate::schedule::{Code, Diagnostic, Gate, Rule, Schedule};
use crate::settings::Settings;
use crate::survey::{self, ClassCounts, HeldElsewhere, WaitsFor};

pub(super) async fn run(context: &Context, arguments: args::Plan) -> Result<u8, Failure> {
    let schedule = context.schedule()?;
    let only = context.classes(&schedule, &arguments.classes)?;
    let settings = context.settings()?;
    let now = context.now_or(&schedule, arguments.on)?;
    let old = match &arguments.against {
        Some(path) => Some(against::Old::read(context, path, arguments.on)?),
        None => None,
    };
    let mut conn = context.connect(&settings).await?;
    let more = More {
        months: arguments.months,
        old,
    };
    let goes = show_more(context, &mut conn, &schedule, &settings, now, &only, more).await?;
    let _ = conn.close().await;
    if goes && arguments.on.is_none() && !context.json() && !context.global.quiet {
        output::text("Nothing was changed. `retentiond run` does what is due.");
    }
    Ok(0)
}

/// What is told beside the plan of the day.
#[derive(Default)]
struct More {
    /// A forecast of so many months.
    months: Option<u32>,
    /// A comparison with an older version.
    old: Option<against::Old>,
}

/// Draws, counts and prints the plan of an instant; answers whether anything is due, and
/// could be done.
pub(super) async fn show(
    context: &Context,
    conn: &mut PgConnection,
    schedule: &Schedule,
    settings: &Settings,
    now: DateTime<Utc>,
    only: &[ClassId],
) -> Result<bool, Failure> {
    let more = More::default();
    show_more(context, conn, schedule, settings, now, only, more).await
}

async fn show_more(
    context: &Context,
    conn: &mut PgConnection,
    schedule: &Schedule,
    settings: &Settings,
    now: DateTime<Utc>,
    only: &[ClassId],
    more: More,
) -> Result<bool, Failure> {
    let drawn = survey::draw(conn, schedule, now).await?;
    let counts = survey::count(conn, &drawn.plan).await?;
    let versions = survey::versions(conn, schedule).await?;
    let chosen: Vec<(&ClassPlan, &ClassCounts)> = drawn
        .plan
        .classes()
        .iter()
        .zip(&counts)
        .filter(|(class, _)| only.is_empty() || only.contains(&class.id))
        .collect();
    let foreseen = match more.months {
        Some(months) => Some(forecast::ask(conn, schedule, &drawn, months, only).await?),
        None => None,
    };
    let compared = match more.old {
        Some(old) => Some(against::ask(conn, old, schedule, &drawn, now, only).await?),
        None => None,
    };
    let elsewhere = survey::processors(conn, &drawn.plan, drawn.migrated).await?;
    let elsewhere: Vec<&HeldElsewhere> = elsewhere
        .iter()
        .filter(|one| one.in_schedule && (only.is_empty() || only.contains(&one.class)))
        .collect();
    if context.json() {
        let mut object = to_json(&drawn.plan, &chosen, &elsewhere);
        if let Some(foreseen) = &foreseen {
            object["plan"]["forecast"] = forecast::to_json(foreseen);
        }
        if let Some(compared) = &compared {
            object["plan"]["against"] = against::to_json(compared);
        }
        object["plan"]["version"] = versions::to_json(schedule, &versions);
        object["plan"]["warnings"] = schedule
            .warnings()
            .iter()
            .map(|w| json!({ "code": w.code.as_str(), "message": w.message, "hint": w.hint }))
            .collect();
        output::json(&object);
    } else {
        print(schedule, &drawn.plan, &chosen, &elsewhere, drawn.migrated);
        in_force(conn, schedule, &versions, drawn.migrated, now).await?;
        without_store(settings, &chosen);
        if let Some(foreseen) = &foreseen {
            forecast::print(foreseen);
        }
        if let Some(compared) = &compared {
            against::print(compared);
        }
    }
    Ok(drawn.migrated
        && versions.coming != survey::Coming::Waits
        && (elsewhere.iter().any(|one| one.to_issue)
            || chosen
                .iter()
                .any(|(_, counted)| counted.counts.as_ref().is_some_and(|counts| counts.due > 0))))
}

/// What waits and what is in force, where that is not simply the file.
async fn in_force(
    conn: &mut PgConnection,
    schedule: &Schedule,
    versions: &survey::Versions,
    migrated: bool,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    if !migrated {
        return Ok(());
    }
    let mut remarks = versions::remarks(schedule, versions);
    if versions.waiting(schedule).is_some() {
        let (drawn, _) = survey::draw_in_force(conn, schedule, now).await?;
        remarks.push(format!(
            "Until then a pass would go by plan {}.",
            output::short(drawn.plan.digest())
        ));
    }
    if !remarks.is_empty() {
        output::line("");
        output::text(&remarks.join("\n"));
    }
    Ok(())
}

pub(super) fn to_json(
    plan: &Plan,
    classes: &[(&ClassPlan, &ClassCounts)],
    elsewhere: &[&HeldElsewhere],
) -> Value {
    let mut classes: Vec<Value> = classes
        .iter()
        .map(|(class, counted)| {
            let refusals: Vec<Value> = class
                .refusals
                .iter()
                .map(|r| json!({ "code": r.code.as_str(), "message": r.message, "hint": r.hint }))
                .collect();
            let mut object = json!({
                "id": class.id, "table": class.table, "disposal": class.disposal,
                "status": counted.status(class.standing), "cutoff": class.cutoff,
            });
            let counts = match &counted.counts {
                Some(counts) => serde_json::to_value(counts).unwrap_or_default(),
                None => {
                    let unknown =
                        serde_json::to_value(survey::Counts::default()).unwrap_or_default();
                    let keys = unknown.as_object().cloned().unwrap_or_default();
                    Value::Object(
                        keys.into_iter()
                            .map(|(key, _)| (key, Value::Null))
                            .collect(),
                    )
                }
            };
            if let (Some(object), Some(counts)) = (object.as_object_mut(), counts.as_object()) {
                object.extend(counts.clone());
                object.insert("estimated".to_owned(), json!([]));
                object.insert("dependants".to_owned(), json!(counted.dependants));
                object.insert("limit".to_owned(), json!(counted.over));
                object.insert("refusals".to_owned(), json!(refusals));
            }
            object
        })
        .collect();
    classes.extend(elsewhere.iter().map(|one| {
        let mut object = json!({
            "id": one.class, "table": null, "processor": one.processor, "disposal": "delete",
            "status": one.status(), "cutoff": null, "estimated": [], "dependants": {},
            "limit": null, "refusals": [], "last_day": one.last_day, "waits_for": one.waits_for,
        });
        let counts = serde_json::to_value(one.counts(plan.on())).unwrap_or_default();
        if let (Some(object), Value::Object(counts)) = (object.as_object_mut(), counts) {
            object.extend(counts);
        }
        object
    }));
    json!({ "plan": {
        "digest": format!("sha256:{}", hex::encode(plan.digest())),
        "on": plan.on(),
        "time_zone": plan.time_zone().name(),
        "schedule": format!("sha256:{}", hex::encode(plan.schedule_digest())),
        "classes": classes,
    } })
}

pub(super) fn print(
    schedule: &Schedule,
    plan: &Plan,
    classes: &[(&ClassPlan, &ClassCounts)],
    elsewhere: &[&HeldElsewhere],
    migrated: bool,
) {
    output::line(&format!(
        "{}Plan for {}{} ({}), {}\nschedule {}, plan {}\n",
        output::STRONG,
        output::day(plan.on()),
        output::RESET,
        plan.time_zone().name(),
        schedule.organisation(),
        output::short(plan.schedule_digest()),
        output::short(plan.digest()),
    ));
    let mut table = output::Sheet::new([
        "class",
        "disposal",
        "status",
        "trigger before",
        "claimed",
        "due",
        "dependants",
        "held",
        "waiting",
        "conflict",
        "kept by another",
        "done",
        "undated",
        "overdue",
    ]);
    for (class, counted) in classes {
        let counts = counted.counts.as_ref();
        let field = |pick: fn(&survey::Counts) -> u64| output::maybe(counts.map(pick));
        table.row([
            class.id.as_str().into(),
            class.disposal.into(),
            counted.status(class.standing).into(),
            class
                .cutoff
                .map(|day: NaiveDate| day.to_string())
                .unwrap_or_default()
                .into(),
            field(|c| c.claimed),
            field(|c| c.due),
            output::maybe(counts.map(|_| counted.dependants.values().sum())),
            field(|c| c.held),
            field(|c| c.waiting),
            field(|c| c.conflict),
            field(|c| c.retained_by_other),
            field(|c| c.done),
            field(|c| c.without_trigger + c.implausible_trigger),
            field(|c| c.overdue),
        ]);
    }
    for one in elsewhere {
        let counts = one.counts(plan.on());
        let field = |pick: fn(&survey::Counts) -> u64| output::number(pick(&counts));
        table.row([
            one.class.as_str().into(),
            "delete".into(),
            one.status().into(),
            "".into(),
            field(|c| c.claimed),
            field(|c| c.due),
            output::number(0),
            field(|c| c.held),
            field(|c| c.waiting),
            field(|c| c.conflict),
            field(|c| c.retained_by_other),
            field(|c| c.done),
            output::number(0),
            field(|c| c.overdue),
        ]);
    }
    table.print();
    let refused: Vec<_> = classes
        .iter()
        .flat_map(|(class, _)| class.refusals.iter().cloned())
        .collect();
    if !refused.is_empty() {
        let shown = schedule
            .diagnostics(refused)
            .render(output::colour_on_stdout());
        output::line(&format!(
            "\nRefused classes do nothing, and protect what they might claim:\n\n{}",
            shown.trim_end()
        ));
    }
    let mut remarks: Vec<String> = classes
        .iter()
        .flat_map(|(class, counted)| waits(plan, class, counted))
        .collect();
    remarks.extend(elsewhere.iter().filter_map(|one| stands(one)));
    remarks.extend(undated(classes));
    let sparse = |warning: &&Diagnostic| warning.code == Code::TimetableTooSparse;
    remarks.extend(
        schedule
            .warnings()
            .iter()
            .filter(sparse)
            .map(|warning| format!("Warning: {}.", warning.message)),
    );
    if !migrated {
        remarks.push("The database has no schema `retentiond` yet: `retentiond migrate` makes it, and `retentiond run` needs it.".to_owned());
    }
    if !remarks.is_empty() {
        output::line("");
        output::text(&remarks.join("\n"));
    }
}

/// What a person has to decide about a class, or to know.
fn waits(plan: &Plan, class: &ClassPlan, counted: &ClassCounts) -> Vec<String> {
    let Some(counts) = &counted.counts else {
        return Vec::new();
    };
    let mut remarks = Vec::new();
    if let Some(over) = counted.over {
        remarks.push(format!(
            "{}: {over}. Nothing of the class goes; if that is right, `{}` lets it, once.",
            class.id,
            versions::command(plan.digest()),
        ));
    }
    let others = counts.waiting - counted.over.map_or(0, |over| over.due).min(counts.waiting);
    if others > 0 {
        let gate = match &class.rule {
            Rule::Dispose(dispose) if class.standing == Standing::Waiting => match dispose.gate {
                Gate::Instruction => "for the controller's instruction",
                Gate::Review => "for a person's review",
                Gate::None => "for a person",
            },
            _ => "for a person, under another class that may claim them or what belongs to them",
        };
        remarks.push(format!(
            "{}: {} {gate}.",
            class.id,
            output::counted(others, "record waits", "records wait")
        ));
    }
    if counts.conflict > 0 {
        remarks.push(format!(
            "{}: {} longer than a maximum allows, because another class protects {}. A person must decide which rule yields.",
            class.id,
            output::counted(counts.conflict, "record is kept", "records are kept"),
            if counts.conflict == 1 { "it" } else { "them" }
        ));
    }
    if counts.quarantined > 0 {
        remarks.push(format!(
            "{}: {} set aside after failing; each pass tries again.",
            class.id,
            output::counted(counts.quarantined, "record is", "records are")
        ));
    }
    remarks
}

/// What is to be known about data that a processor holds.
fn stands(one: &HeldElsewhere) -> Option<String> {
    let words = match one.waits_for? {
        WaitsFor::NextPass => "is told by the next pass to destroy what it holds".to_owned(),
        WaitsFor::Resume => "is told nothing while the class is paused".to_owned(),
        WaitsFor::Instruction => {
            "is told nothing until the controller instructs: `retentiond instruct`".to_owned()
        }
        WaitsFor::Acceptance => "is told nothing until a schedule is accepted".to_owned(),
        WaitsFor::Confirmation => format!(
            "was told on {} to destroy what it holds, and has not confirmed it: `retentiond processor confirm`",
            one.issued_on.map_or_else(String::new, output::day)
        ),
    };
    Some(format!("{}: {} {words}.", one.class, one.processor))
}

/// Records that nothing will ever be due for, which would otherwise be kept unseen. By
/// class, since several may claim one.
fn undated(classes: &[(&ClassPlan, &ClassCounts)]) -> Option<String> {
    let list: Vec<String> = classes
        .iter()
        .filter_map(|(class, counted)| {
            let counts = counted.counts.as_ref()?;
            let undated = counts.without_trigger + counts.implausible_trigger;
            (undated > 0).then(|| format!("{} {}", class.id, output::grouped(undated)))
        })
        .collect();
    (!list.is_empty()).then(|| {
        format!("Without a trigger date that can be believed, and so kept until somebody gives them one: {}.", list.join(", "))
    })
}

/// Classes with something due that a pass could not act on, for want of a setting.
fn without_store(settings: &Settings, classes: &[(&ClassPlan, &ClassCounts)]) {
    for (class, counted) in classes {
        let Rule::Dispose(dispose) = &class.rule else {
            continue;
        };
        let unknown = dispose
            .files
            .iter()
            .find(|file| !settings.stores().contains_key(&file.store));
        if let Some(file) = unknown
            && counted.counts.as_ref().is_some_and(|counts| counts.due > 0)
        {
            output::text(&format!(
                "{}: the settings have no file store `{}`, without which a pass cannot act on the class; `retentiond check` says more.",
                class.id, file.store
            ));
        }
    }
}
