//! `plan --months`: what will become due, month by month.

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::super::chart::{self, Strokes};
use super::super::failure::Failure;
use super::super::output;
use crate::ident::ClassId;
use crate::schedule::Schedule;
use crate::survey::{self, Drawn, Forecast, Outlook};

/// How wide a chart is where nobody says how wide the terminal is.
const USUAL: usize = 80;

pub(super) async fn ask(
    conn: &mut PgConnection,
    schedule: &Schedule,
    drawn: &Drawn,
    months: u32,
    only: &[ClassId],
) -> Result<Forecast, Failure> {
    let mut forecast = survey::forecast(conn, schedule, drawn, months).await?;
    forecast
        .classes
        .retain(|class| only.is_empty() || only.contains(&class.id));
    Ok(forecast)
}

/// What one month adds. A decision that ends (an instruction) may make it less than nothing.
fn added(outlooks: &[Outlook]) -> Vec<i64> {
    let due = |outlook: &Outlook| i64::try_from(outlook.due).unwrap_or(i64::MAX);
    outlooks
        .windows(2)
        .map(|pair| due(&pair[1]) - due(&pair[0]))
        .collect()
}

pub(super) fn to_json(forecast: &Forecast) -> Value {
    let classes: Vec<Value> = forecast
        .classes
        .iter()
        .map(|class| {
            let Some(outlooks) = &class.outlooks else {
                return json!({ "id": class.id, "now": null, "months": null });
            };
            let months = forecast
                .days
                .iter()
                .zip(outlooks)
                .skip(1)
                .zip(added(outlooks));
            let months: Vec<Value> = months
                .map(|((day, outlook), due)| {
                    json!({
                        "month": day.format("%Y-%m").to_string(), "until": day, "due": due,
                        "cumulative": outlook.due, "held": outlook.held,
                        "conflict": outlook.conflict, "waiting": outlook.waiting,
                        "active": outlook.active,
                    })
                })
                .collect();
            json!({ "id": class.id, "now": outlooks.first(), "months": months })
        })
        .collect();
    json!({ "on": forecast.days.first(), "until": forecast.days.last(), "classes": classes })
}

pub(super) fn print(forecast: &Forecast) {
    let lines = lines(forecast, output::width(), Strokes::of_the_terminal());
    output::line("");
    output::text(&lines.join("\n"));
}

fn lines(forecast: &Forecast, width: Option<usize>, strokes: Strokes) -> Vec<String> {
    let Some(last) = forecast.days.last() else {
        return Vec::new();
    };
    let mut lines = vec![
        format!(
            "{}Becoming due until {}{}, from today's rows and decisions",
            output::STRONG,
            output::day(*last),
            output::RESET
        ),
        String::new(),
    ];
    let names: Vec<String> = forecast.days[1..]
        .iter()
        .map(|day| day.format("%Y-%m").to_string())
        .collect();
    let nothing = match strokes {
        Strokes::Blocks => "–",
        Strokes::Ascii => "-",
    };
    let shown = |number: i64| match number {
        0 => nothing.to_owned(),
        less if less < 0 => format!("-{}", output::grouped(less.unsigned_abs())),
        more => output::grouped(more.unsigned_abs()),
    };
    let count = |number: u64| shown(i64::try_from(number).unwrap_or(i64::MAX));

    // All classes together, a bar a month.
    let known: Vec<(&ClassId, &Vec<Outlook>)> = forecast
        .classes
        .iter()
        .filter_map(|class| Some((&class.id, class.outlooks.as_ref()?)))
        .collect();
    let now: u64 = known
        .iter()
        .filter_map(|(_, outlooks)| outlooks.first())
        .map(|outlook| outlook.due)
        .sum();
    let sums: Vec<i64> = (0..names.len())
        .map(|nth| {
            let of = known
                .iter()
                .filter_map(|(_, outlooks)| added(outlooks).get(nth).copied());
            of.sum()
        })
        .collect();
    let mut rows = vec![("now".to_owned(), now, count(now))];
    rows.extend(names.iter().zip(&sums).map(|(name, sum)| {
        let value = u64::try_from(*sum).unwrap_or(0);
        (name.clone(), value, shown(*sum))
    }));
    lines.extend(chart::bars(&rows, width.unwrap_or(USUAL), strokes));
    lines.push(String::new());

    // Class by class, a column a month; those alone in which anything will be due.
    let busy = known
        .iter()
        .filter(|(_, outlooks)| outlooks.iter().any(|outlook| outlook.due > 0));
    let mut heading = vec!["class".to_owned(), "course".to_owned(), "now".to_owned()];
    heading.extend(names.iter().cloned());
    heading.push("in all".to_owned());
    let mut table: Vec<Vec<String>> = busy
        .map(|(id, outlooks)| {
            let added = added(outlooks);
            let course: Vec<u64> = added
                .iter()
                .map(|n| u64::try_from(*n).unwrap_or(0))
                .collect();
            let mut row = vec![id.to_string(), chart::line(&course, strokes)];
            row.push(count(outlooks.first().map_or(0, |outlook| outlook.due)));
            row.extend(added.into_iter().map(shown));
            row.push(count(outlooks.last().map_or(0, |outlook| outlook.due)));
            row
        })
        .collect();
    if table.is_empty() {
        lines.push("Nothing will be due.".to_owned());
    } else {
        let mut row = vec!["in all".to_owned(), String::new(), count(now)];
        row.extend(sums.iter().map(|sum| shown(*sum)));
        row.push(shown(
            sums.iter().sum::<i64>() + i64::try_from(now).unwrap_or(i64::MAX),
        ));
        if table.len() > 1 {
            table.push(row);
        }
        lines.extend(chart::grid(&heading, &table, width));
    }
    lines.extend(remarks(forecast));
    lines
}

/// What the numbers leave out.
fn remarks(forecast: &Forecast) -> Vec<String> {
    let mut remarks = Vec::new();
    for class in &forecast.classes {
        let Some(outlooks) = &class.outlooks else {
            remarks.push(format!(
                "{}: refused, and so nothing can be foreseen.",
                class.id
            ));
            continue;
        };
        let Some(last) = outlooks.last() else {
            continue;
        };
        let parts: Vec<String> = [
            (last.held, "held"),
            (last.waiting, "waiting for a person"),
            (last.conflict, "kept longer than a maximum allows"),
            (last.active, "in use"),
        ]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", output::grouped(number)))
        .collect();
        if !parts.is_empty() {
            remarks.push(format!(
                "{}: past by then, but not due: {}.",
                class.id,
                parts.join(", ")
            ));
        }
    }
    if !remarks.is_empty() {
        remarks.insert(0, String::new());
    }
    remarks
}
