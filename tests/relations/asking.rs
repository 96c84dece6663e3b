//! What the other examples ask: a plan's counts, the ledger line by line, and `explain`.

use std::collections::BTreeMap;

use retentiond::ledger::{KeyValue, RecordKey};
use retentiond::survey::{self, ClassCounts, Explanation};
use retentiond::{plan, schedule::Diagnostic};
use sqlx::Connection;

use crate::support;

/// The day of every example.
pub const TODAY: &str = "2026-11-23";

/// The plan's counts of one class on [`TODAY`].
pub async fn counts(url: &str, toml: &str, class: &str) -> ClassCounts {
    let plan = support::plan(url, toml, support::at(TODAY)).await;
    let mut conn = support::ours(url).await;
    let counted = survey::count(&mut conn, &plan).await.unwrap();
    conn.close().await.unwrap();
    counted
        .into_iter()
        .find(|counted| counted.id.as_str() == class)
        .unwrap()
}

/// How many rows of each dependant table go with what is due, by the plan.
pub fn dependants(counted: &ClassCounts) -> BTreeMap<&str, u64> {
    let rows = counted.dependants.iter();
    rows.map(|(table, rows)| (table.trim_start_matches("public."), *rows))
        .collect()
}

/// Every line of the ledger that tells of a row: `ACTION TABLE KEY`, then `of` the row that
/// it went with, and what was counted from.
pub async fn lines(url: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in support::ledger(url).await {
        let word = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        if !matches!(
            &*word("action"),
            "deleted" | "unlinked" | "anonymised" | "flagged"
        ) {
            continue;
        }
        for record in entry["records"].as_array().into_iter().flatten() {
            let mut line = format!(
                "{} {} {}",
                word("action"),
                word("table").trim_start_matches("public."),
                record["key"]["id"]
            );
            if let Some(parent) = record["parent"].as_object() {
                line.push_str(&format!(" of {}", parent["id"]));
            }
            let day = record["trigger"].as_str().unwrap_or("none");
            line.push_str(&format!(" counted from {day}"));
            lines.push(line);
        }
    }
    lines.sort();
    lines
}

/// What is to be said of the row with this `id`.
pub async fn explain(url: &str, toml: &str, table: &str, id: i64) -> Explanation {
    let mut conn = support::ours(url).await;
    let drawn = survey::draw(&mut conn, &support::schedule(toml), support::at(TODAY))
        .await
        .unwrap();
    let table = table.parse().unwrap();
    let columns = survey::key_columns(&drawn.catalog, &table).unwrap();
    let key = RecordKey::new(vec![KeyValue::Int(id)]).unwrap();
    let answer = survey::explain(&mut conn, &drawn, &table, &columns, &key)
        .await
        .unwrap();
    conn.close().await.unwrap();
    answer
}

/// The row that `explain` says it hangs on, such as `ticket 1`.
pub fn parent(answer: &Explanation) -> Option<String> {
    let parent = answer.parent.as_ref()?;
    let table = parent.table.trim_start_matches("public.");
    Some(format!("{table} {}", parent.key["id"]))
}

fn shown(found: &[Diagnostic]) -> Vec<String> {
    let show = |d: &Diagnostic| {
        let hint = d.hint.as_deref().unwrap_or("none");
        format!("{}: {} [{hint}]", d.code, d.message)
    };
    found.iter().map(show).collect()
}

/// Why a class is refused, and what it is advised, each as `CODE: message [hint]`.
pub async fn remarks(url: &str, toml: &str, class: &str) -> (Vec<String>, Vec<String>) {
    let plan: plan::Plan = support::plan(url, toml, support::at(TODAY)).await;
    let found = plan.classes().iter().find(|c| c.id.as_str() == class);
    let found = found.unwrap();
    (shown(&found.refusals), shown(&found.warnings))
}
