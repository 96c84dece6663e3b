//! `retentiond explain TABLE KEY`.

use serde_json::{Value, json};
use sqlx::Connection;

use super::args;
use super::context::Context;
use super::failure::Failure;
use super::output;
use crate::catalog::Catalog;
use crate::ident::TableName;
use crate::ledger::{KeyColumns, RecordKey};
use crate::schedule::Code;
use crate::survey::{self, Explanation};

pub(super) async fn run(context: &Context, arguments: args::Explain) -> Result<u8, Failure> {
    let schedule = context.schedule()?;
    let settings = context.settings()?;
    let table: TableName = table(&arguments.table)?;
    let now = context.now_or(&schedule, arguments.on)?;
    let mut conn = context.connect(&settings).await?;
    let (drawn, _) = survey::draw_in_force(&mut conn, &schedule, now).await?;
    let columns = survey::key_columns(&drawn.catalog, &table)
        .ok_or_else(|| no_key(&drawn.catalog, &table))?;
    let key = RecordKey::parse(&columns, &arguments.key).map_err(|error| {
        Failure::usage(Code::NoSuchRecord, error.to_string(), key_hint(&columns))
    })?;
    let answer = survey::explain(&mut conn, &drawn, &table, &columns, &key).await?;
    if drawn.migrated {
        super::ledger::tell_dropped(&mut conn).await?;
    }
    let _ = conn.close().await;
    if context.json() {
        output::json(&json!({ "record": answer }));
    } else {
        print(
            &answer,
            &key.to_command_line(&columns),
            schedule.time_zone(),
        );
    }
    Ok(0)
}

pub(super) fn table(text: &str) -> Result<TableName, Failure> {
    text.parse().map_err(|error: crate::ident::IdentError| {
        Failure::usage(
            Code::NoSuchTable,
            error.to_string(),
            "write a table as `name` or `schema.name`",
        )
    })
}

/// How the key of a table is written.
pub(super) fn key_hint(columns: &KeyColumns) -> String {
    match columns.as_slice() {
        [column] => format!(
            "the key of this table is its column `{}`: write one value of it, such as `7`",
            column.name
        ),
        several => {
            let pairs: Vec<String> = several
                .iter()
                .map(|column| format!("{}=VALUE", column.name))
                .collect();
            format!(
                "the key of this table has {} columns: write `{}`",
                several.len(),
                pairs.join(",")
            )
        }
    }
}

/// Why a table's records cannot be named.
pub(super) fn no_key(catalog: &Catalog, table: &TableName) -> Failure {
    if catalog.table(table).is_some() {
        return Failure::usage(
            Code::NoPrimaryKey,
            format!("the table `{table}` has no primary key, so its records cannot be named"),
            format!("add one: ALTER TABLE {table} ADD PRIMARY KEY (…)"),
        );
    }
    let far = |name: &TableName| strsim::damerau_levenshtein(&name.to_string(), &table.to_string());
    let near = catalog
        .tables
        .keys()
        .filter(|name| far(name) <= 3)
        .min_by_key(|name| far(name));
    Failure::usage(
        Code::NoSuchTable,
        format!("the database has no table `{table}`"),
        near.map_or_else(
            || "write a table as `name` or `schema.name`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        ),
    )
}

fn print(answer: &Explanation, key: &str, zone: chrono_tz::Tz) {
    output::text(&format!(
        "{}{} {key}{}: {}",
        output::STRONG,
        answer.table,
        output::RESET,
        in_words(answer)
    ));
    let mut remarks = Vec::new();
    for hold in &answer.holds {
        let until = hold
            .until
            .map(|day| format!(" until {}", output::day(day)))
            .unwrap_or_default();
        remarks.push(format!(
            "Hold {} ({}), reference {}{until}.",
            hold.hold, hold.kind, hold.reference
        ));
    }
    if answer.state == "held" && answer.holds.is_empty() {
        remarks.push(
            "The hold is on a record that it belongs to, or on one that belongs to it.".to_owned(),
        );
    }
    let decided = answer.state != "conflict" && answer.claims.iter().any(|claim| claim.governs);
    for claim in &answer.claims {
        let role = match (decided, claim.governs) {
            (true, true) => "decides",
            (true, false) => "claims it too",
            (false, _) => "claims it",
        };
        remarks.push(format!(
            "{} {role}: {}.\n  {}",
            claim.class,
            when(claim),
            claim.title
        ));
        if let Some(note) = &claim.note {
            remarks.push(format!("  {}.", capitalised(note)));
        }
    }
    if let Some(why) = answer
        .why
        .as_ref()
        .filter(|_| decided && answer.claims.len() > 1)
    {
        remarks.push(format!("Because {why}."));
    }
    for gate in &answer.gates {
        let stands = if gate.open { "open" } else { "closed" };
        remarks.push(format!(
            "{}, {}: {stands}, {}.",
            gate.class, gate.gate, gate.words
        ));
    }
    if let Some(gone) = &answer.gone {
        remarks.push(format!("{}\n", gone.sentence));
        if let Some(rule) = &gone.rule {
            remarks.push(format!("The rule: {rule}."));
        }
        if let Some(by) = &gone.schedule_accepted_by {
            remarks.push(format!(
                "That version of the schedule was accepted by {by}."
            ));
        }
        for word in &gone.approvals {
            remarks.push(format!(
                "{}: {}, {}.",
                word.what,
                word.by,
                output::instant(word.at, zone)
            ));
        }
        remarks.push(match &gone.proof.checkpoint {
            Some(_) => format!("The proof: `{}`.", gone.proof.command),
            None => "It is in the log, and no checkpoint covers it yet.".to_owned(),
        });
    }
    if answer.state == "conflict" {
        remarks.push("A person must decide which rule yields.".to_owned());
    }
    if let Some(parent) = &answer.parent {
        let (table, key) = (&parent.table, key_text(&parent.key));
        let own = if answer.claims.is_empty() {
            ""
        } else {
            " once its own class lets it go"
        };
        remarks.push(format!("It belongs to {table} {key}, and goes with it{own}: `retentiond explain {table} {key}` says more."));
    }
    if let Some(day) = answer.will_go_on.filter(|_| answer.state != "due") {
        remarks.push(format!(
            "It is due on {}, if nothing changes.",
            output::day(day)
        ));
    }
    if answer.state == "unknown" {
        remarks.push("Is it the right table, and the right database?".to_owned());
    }
    if !remarks.is_empty() {
        output::line("");
        output::text(&remarks.join("\n"));
    }
    if !answer.history.is_empty() {
        output::line("\nIn the ledger:");
    }
    for event in &answer.history {
        output::text(&format!("  {}", happened(event, zone)));
    }
}

/// One line of the ledger.
fn happened(event: &survey::Event, zone: chrono_tz::Tz) -> String {
    let class = event
        .class
        .as_ref()
        .map(|class| format!(" under {class}"))
        .unwrap_or_default();
    let counted = match (event.trigger, event.last_day) {
        (Some(trigger), Some(last_day)) => {
            format!(
                "; counted from {}, last day {}",
                output::day(trigger),
                output::day(last_day)
            )
        }
        _ => String::new(),
    };
    let with = event
        .parent
        .as_ref()
        .map(|parent| format!(", with its record {}", key_text(parent)))
        .unwrap_or_default();
    let pass = event
        .run
        .map(|run| format!("pass {run}, "))
        .unwrap_or_default();
    let schedule = event
        .schedule
        .as_deref()
        .and_then(|digest| digest.strip_prefix("sha256:")?.get(..12));
    let schedule = schedule
        .map(|digest| format!(", schedule {digest}"))
        .unwrap_or_default();
    format!(
        "{}  {}{class}{with}{counted} (entry {}, {pass}by {}{schedule})",
        output::instant(event.at, zone),
        event.action,
        event.id,
        event.actor,
    )
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

/// A key as it is typed: `7`, or `campaign=2,id=7`.
fn key_text(key: &Value) -> String {
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let Some(columns) = key.as_object() else {
        return text(key);
    };
    match columns.iter().collect::<Vec<_>>().as_slice() {
        [(_, value)] => text(value),
        several => {
            let pairs: Vec<String> = several
                .iter()
                .map(|(name, value)| format!("{name}={}", text(value)))
                .collect();
            pairs.join(",")
        }
    }
}

fn when(claim: &survey::Claim) -> String {
    if claim.disposal == "retain" {
        return "kept, under no period of this schedule".to_owned();
    }
    let then = match claim.disposal {
        "flag" => "flagged",
        "anonymise" => "anonymised",
        _ => "deleted",
    };
    let trigger = claim.trigger.as_deref().map(output::day_of);
    if claim.at_once {
        return format!("its `or_when` holds, so it is {then} at once");
    }
    if let (Some(day), Some(last_day)) = (claim.requested_on, claim.last_day) {
        return format!(
            "a person asked on {} to have it erased, so {} was its last day, then {then}",
            output::day(day),
            output::day(last_day)
        );
    }
    match (trigger, claim.last_day, claim.undated.as_deref()) {
        (_, _, Some("without")) => "no trigger date, so nothing is counted".to_owned(),
        (Some(trigger), _, Some("implausible")) => {
            format!("the trigger date {trigger} cannot be believed, so nothing is counted")
        }
        (Some(trigger), Some(last_day), future) => {
            let to_come = if future == Some("future") {
                " (still to come)"
            } else {
                ""
            };
            let last_day = output::day(last_day);
            if claim.maximum {
                format!("counted from {trigger}{to_come}, {then} by {last_day} at the latest")
            } else {
                format!("counted from {trigger}{to_come}, kept through {last_day}, then {then}")
            }
        }
        (Some(trigger), None, _) => {
            format!("counted from {trigger}, with no last day that can be reckoned")
        }
        _ => "nothing is counted".to_owned(),
    }
}

fn in_words(answer: &Explanation) -> &'static str {
    match answer.state {
        "kept" if answer.will_go_on.is_none() => "kept",
        "kept" => "kept; its time has not come",
        "due" => "due; it goes in the next pass",
        "held" => "held; nothing happens to it while a hold is open",
        "waiting" => "its time has come, and it waits for a person",
        "flagged" => "flagged; the row stays as it is",
        "anonymised" => "anonymised",
        "retained" => "retained",
        "undated" => "kept; it has no trigger date that can be believed",
        "conflict" => "in conflict: one class orders that it goes, another that it stays",
        "quarantined" => "set aside after failing; each pass tries again",
        "gone" => "gone",
        "unclaimed" => "no class claims it",
        _ => "unknown: neither the database nor the ledger has it",
    }
}
