//! `plan --against`: what a change of schedule would do, before it is made.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::super::chart;
use super::super::context::{self, Context};
use super::super::failure::Failure;
use super::super::output;
use crate::ident::ClassId;
use crate::plan::{Standing, Undue};
use crate::schedule::Schedule;
use crate::survey::{self, Against, Change, Drawn, Effect, Side};

/// The older version, and the instant for it where a day was named.
pub(super) struct Old {
    schedule: Schedule,
    at: Option<DateTime<Utc>>,
}

impl Old {
    /// Reads the file; its faults are told under its own name.
    pub fn read(context: &Context, path: &Path, on: Option<NaiveDate>) -> Result<Self, Failure> {
        let schedule = context::read_schedule(path)?;
        let at = match on {
            Some(_) => Some(context.now_or(&schedule, on)?),
            None => None,
        };
        Ok(Self { schedule, at })
    }
}

/// The comparison, with what is told beside the counts.
pub(super) struct Compared {
    file: String,
    digest: [u8; 32],
    same_meaning: bool,
    classes: Vec<Row>,
    refused: Vec<(&'static str, ClassId, Vec<String>)>,
    against: Against,
}

struct Row {
    id: ClassId,
    version: &'static str,
}

pub(super) async fn ask(
    conn: &mut PgConnection,
    old: Old,
    schedule: &Schedule,
    drawn: &Drawn,
    now: DateTime<Utc>,
    only: &[ClassId],
) -> Result<Compared, Failure> {
    let before = survey::draw(conn, &old.schedule, old.at.unwrap_or(now)).await?;
    let mut against = survey::against(conn, (&old.schedule, &before), (schedule, drawn)).await?;
    let wanted = |id: &ClassId| only.is_empty() || only.contains(id);
    against.changes.retain(|change| {
        [&change.old, &change.new]
            .into_iter()
            .any(|side| matches!(side, Side::Due(class, _) if wanted(class)))
    });
    if !only.is_empty() {
        // Whose dependants they are is not known.
        against.dependants.clear();
    }
    let mut classes: Vec<Row> = schedule
        .classes()
        .iter()
        .map(|class| Row {
            id: class.id().clone(),
            version: if old.schedule.class(class.id()).is_some() {
                "both"
            } else {
                "new"
            },
        })
        .collect();
    let gone = old.schedule.classes().iter().map(|class| class.id());
    classes.extend(
        gone.filter(|id| schedule.class(id).is_none())
            .map(|id| Row {
                id: id.clone(),
                version: "old",
            }),
    );
    let shown = |row: &Row| {
        wanted(&row.id)
            || against
                .changes
                .iter()
                .any(|change| change.class() == Some(&row.id))
    };
    classes.retain(shown);
    let mut refused = Vec::new();
    for (version, drawn) in [("old", &before), ("new", drawn)] {
        for class in drawn.plan.classes() {
            if class.standing == Standing::Refused {
                let codes = class.refusals.iter().map(|r| r.code.as_str().to_owned());
                refused.push((version, class.id.clone(), codes.collect()));
            }
        }
    }
    Ok(Compared {
        file: old.schedule.file().to_owned(),
        digest: *old.schedule.digest(),
        same_meaning: old.schedule.digest() == schedule.digest(),
        classes,
        refused,
        against,
    })
}

pub(super) fn to_json(compared: &Compared) -> Value {
    let effects = |class: Option<&ClassId>| -> Vec<(String, Value)> {
        let of = |effect: Effect| {
            let records = compared.against.records(class, effect);
            (effect.name().to_owned(), json!(records))
        };
        Effect::ALL.into_iter().map(of).collect()
    };
    let classes: Vec<Value> = compared
        .classes
        .iter()
        .map(|row| {
            let mut object = json!({ "id": row.id, "version": row.version });
            if let Some(object) = object.as_object_mut() {
                object.extend(effects(Some(&row.id)));
            }
            object
        })
        .collect();
    let side = |side: &Side| match side {
        Side::Due(class, disposal) => {
            json!({ "class": class, "disposal": disposal, "standing": "due" })
        }
        Side::Not(undue) => json!({ "class": null, "disposal": null, "standing": undue.name() }),
    };
    let changes: Vec<Value> = compared
        .against
        .changes
        .iter()
        .map(|change| {
            json!({
                "table": change.table, "effect": change.effect.name(), "records": change.records,
                "old": side(&change.old), "new": side(&change.new),
            })
        })
        .collect();
    let dependants: BTreeMap<String, Value> = compared
        .against
        .dependants
        .iter()
        .map(|(table, rows)| {
            let object = json!({ "more": rows.more, "fewer": rows.fewer, "alike": rows.alike });
            (table.to_string(), object)
        })
        .collect();
    let refused: Vec<Value> = compared
        .refused
        .iter()
        .map(
            |(version, class, codes)| json!({ "version": version, "class": class, "codes": codes }),
        )
        .collect();
    let total: serde_json::Map<String, Value> = effects(None).into_iter().collect();
    json!({
        "file": compared.file,
        "schedule": format!("sha256:{}", hex::encode(compared.digest)),
        "total": total, "classes": classes, "changes": changes,
        "dependants": dependants, "refused": refused,
    })
}

pub(super) fn print(compared: &Compared) {
    output::line(&format!(
        "\n{}Against {}{}, schedule {}\n",
        output::STRONG,
        compared.file,
        output::RESET,
        output::short(&compared.digest)
    ));
    if compared.same_meaning {
        output::text("The two versions mean the same.");
        return;
    }
    let heading = [
        "class",
        "becomes due",
        "no longer due",
        "other disposal",
        "due alike",
    ];
    let shown = |number: u64| match number {
        0 => "–".to_owned(),
        more => output::grouped(more),
    };
    let row = |name: String, class: Option<&ClassId>| {
        let mut cells = vec![name];
        cells.extend(
            Effect::ALL
                .into_iter()
                .map(|effect| shown(compared.against.records(class, effect))),
        );
        cells
    };
    let mut rows: Vec<Vec<String>> = compared
        .classes
        .iter()
        .filter(|class| {
            let any = |effect| compared.against.records(Some(&class.id), effect) > 0;
            class.version != "both" || Effect::ALL.into_iter().any(any)
        })
        .map(|class| {
            let name = match class.version {
                "new" => format!("{} (new)", class.id),
                "old" => format!("{} (gone)", class.id),
                _ => class.id.to_string(),
            };
            row(name, Some(&class.id))
        })
        .collect();
    if rows.len() != 1 {
        rows.push(row("in all".to_owned(), None));
    }
    let grid = chart::grid(&heading.map(str::to_owned), &rows, output::width());
    output::line(&grid.join("\n"));
    let remarks = remarks(compared);
    if !remarks.is_empty() {
        output::text(&format!("\n{}", remarks.join("\n")));
    }
}

/// The changes in words, those that lose most first.
fn remarks(compared: &Compared) -> Vec<String> {
    let mut remarks = Vec::new();
    for effect in [
        Effect::BecomesDue,
        Effect::OtherDisposal,
        Effect::NoLongerDue,
    ] {
        let changes = compared.against.changes.iter();
        remarks.extend(
            changes
                .filter(|change| change.effect == effect)
                .filter_map(sentence),
        );
    }
    for change in &compared.against.changes {
        if let (Effect::Alike, Side::Due(was, _), Side::Due(is, _)) =
            (change.effect, &change.old, &change.new)
            && was != is
        {
            remarks.push(format!(
                "{is}: {} under {was} before, and the same happens to {}.",
                output::counted(change.records, "record was due", "records were due"),
                them(change.records)
            ));
        }
    }
    for (table, rows) in &compared.against.dependants {
        if rows.more + rows.fewer > 0 {
            let parts: Vec<String> = [
                (rows.more, "more"),
                (rows.fewer, "no longer"),
                (rows.alike, "as before"),
            ]
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| format!("{} {what}", output::grouped(number)))
            .collect();
            remarks.push(format!(
                "{table}: of its rows that go with due records, {}.",
                parts.join(", ")
            ));
        }
    }
    for (version, class, codes) in &compared.refused {
        remarks.push(format!(
            "{class}: refused under the {version} version ({}), where it protects what it might claim.",
            codes.join(", ")
        ));
    }
    remarks
}

fn sentence(change: &Change) -> Option<String> {
    let deed = |disposal: &str| match disposal {
        "flag" => "flagged",
        "anonymise" => "anonymised",
        "delete" => "deleted",
        _ => "kept",
    };
    let number = change.records;
    let records = output::counted(number, "record", "records");
    match (&change.old, &change.new) {
        (Side::Not(undue), Side::Due(class, disposal)) => Some(format!(
            "{class}: {records} would be {}; so far {}.",
            deed(disposal),
            standing(*undue, number)
        )),
        (Side::Due(class, disposal), Side::Not(undue)) => Some(format!(
            "{class}: {records} would no longer be {}; now {}.",
            deed(disposal),
            standing(*undue, number)
        )),
        (Side::Due(was, before), Side::Due(is, after)) => {
            let (before, after) = (deed(before), deed(after));
            let instead = if before == after {
                format!("{after} in another way")
            } else {
                format!("{after} instead of {before}")
            };
            let by = if was == is {
                String::new()
            } else {
                format!(" (so far under {was})")
            };
            Some(format!("{is}: {records} would be {instead}{by}."))
        }
        (Side::Not(_), Side::Not(_)) => None,
    }
}

fn them(number: u64) -> &'static str {
    if number == 1 { "it" } else { "them" }
}

fn standing(undue: Undue, number: u64) -> String {
    let them = them(number);
    match undue {
        Undue::Held => format!("a hold protects {them}"),
        Undue::Conflict => format!("a class keeps {them} longer than a maximum allows"),
        Undue::Waiting => if number == 1 {
            "it waits for a person"
        } else {
            "they wait for a person"
        }
        .to_owned(),
        Undue::Active => format!("somebody has touched {them} since"),
        Undue::Quarantined => if number == 1 {
            "it is set aside after failing"
        } else {
            "they are set aside after failing"
        }
        .to_owned(),
        Undue::Done => if number == 1 {
            "it is done"
        } else {
            "they are done"
        }
        .to_owned(),
        Undue::Unclaimed => format!("no class claims {them}"),
        Undue::Kept => if number == 1 {
            "it is kept"
        } else {
            "they are kept"
        }
        .to_owned(),
    }
}
