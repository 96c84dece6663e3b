//! What is to be said of a record that is gone: when, under which rule and version, on whose word,
//! where in the log that stands, and a sentence that can be sent to whoever asked.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::super::certificate::{Beside, CertificateOf, certificate};
use super::{Drawn, Event, SurveyError};
use crate::ident::TableName;
use crate::ledger::certificate::{ClassPart, EntryPart};
use crate::ledger::{Action, KeyColumns, RecordKey};

/// How a record went.
#[derive(Debug, Clone, Serialize)]
pub struct Gone {
    /// When.
    pub at: DateTime<Utc>,
    /// Under which class.
    pub class: Option<String>,
    /// What people call its records.
    pub title: Option<String>,
    /// What that was laid down in.
    pub authority: Option<String>,
    /// The rule in words, as that version of the schedule had it.
    pub rule: Option<String>,
    /// What it was counted from.
    pub trigger: Option<NaiveDate>,
    /// Its last day.
    pub last_day: Option<NaiveDate>,
    /// The version of the schedule.
    pub schedule: Option<String>,
    /// Who accepted that version.
    pub schedule_accepted_by: Option<String>,
    /// On whose word it went, beside the schedule's.
    pub approvals: Vec<Word>,
    /// Where it stands in the log.
    pub proof: Proof,
    /// What can be sent to whoever asked.
    pub sentence: String,
}

/// A person's word.
#[derive(Debug, Clone, Serialize)]
pub struct Word {
    /// What was allowed.
    pub what: String,
    /// By whom.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Where an entry stands.
#[derive(Debug, Clone, Serialize)]
pub struct Proof {
    /// The leaf's index; none until it is sealed.
    pub entry: Option<u64>,
    /// The signed checkpoint that covers it, as it was published.
    pub checkpoint: Option<String>,
    /// The command that prints the whole proof.
    pub command: String,
}

pub(super) async fn gone(
    conn: &mut PgConnection,
    drawn: &Drawn,
    table: &TableName,
    columns: &KeyColumns,
    key: &RecordKey,
    history: &[Event],
) -> Result<Option<Gone>, SurveyError> {
    let deleted = |event: &&Event| event.action == Action::Deleted.name();
    let Some(event) = history.iter().rev().find(deleted) else {
        return Ok(None);
    };
    let of = CertificateOf::Record(table.clone(), columns.clone(), key.clone());
    let beside = Beside {
        keys: &[],
        backups: None,
        now: drawn.plan.now(),
    };
    let found = certificate(conn, &of, beside).await?;
    let organisation = found
        .as_ref()
        .and_then(|certificate| certificate.organisation.clone());
    let pass = found.as_ref().and_then(|certificate| {
        let mut passes = certificate.passes.iter();
        passes.find(|pass| pass.run == event.run)
    });
    let class = pass.and_then(|pass| {
        let mut classes = pass.classes.iter();
        classes.find(|class| {
            event
                .class
                .as_ref()
                .is_some_and(|id| id.as_str() == class.id)
        })
    });
    let version = pass.and_then(|pass| pass.schedule.as_ref());
    let shown = key.to_command_line(columns);
    let entry = |class: &ClassPart| -> Option<EntryPart> {
        let mut entries = class.entries.iter();
        entries
            .find(|entry| entry.action == event.action && entry.at == event.at)
            .cloned()
    };
    let covered = class
        .and_then(entry)
        .is_some_and(|entry| entry.proof.is_some());
    let mut gone = Gone {
        at: event.at,
        class: event.class.as_ref().map(ToString::to_string),
        title: class.and_then(|class| class.title.clone()),
        authority: class.and_then(|class| class.authority.clone()),
        rule: class.and_then(|class| class.rule.clone()),
        trigger: event.trigger,
        last_day: event.last_day,
        schedule: event.schedule.clone(),
        schedule_accepted_by: version.and_then(|version| version.accepted_by.clone()),
        approvals: class
            .into_iter()
            .flat_map(|class| &class.approvals)
            .map(|approval| Word {
                what: approval.what.clone(),
                by: approval.by.clone(),
                at: approval.at,
            })
            .collect(),
        proof: Proof {
            entry: event.entry,
            checkpoint: found
                .as_ref()
                .filter(|_| covered)
                .and_then(|certificate| certificate.checkpoint.clone()),
            command: format!("retentiond ledger certificate --record {table} {shown}"),
        },
        sentence: String::new(),
    };
    gone.sentence = sentence(
        &gone,
        event,
        &format!("{table} {shown}"),
        organisation,
        drawn,
    );
    Ok(Some(gone))
}

fn sentence(
    gone: &Gone,
    event: &Event,
    record: &str,
    organisation: Option<String>,
    drawn: &Drawn,
) -> String {
    let day = |day: NaiveDate| day.format("%-d %B %Y").to_string();
    let on = gone.at.with_timezone(&drawn.plan.time_zone()).date_naive();
    let whose = organisation.map_or_else(
        || "our retention schedule".to_owned(),
        |organisation| format!("the retention schedule of {organisation}"),
    );
    let mut text = format!(
        "The record {record} was deleted on {} under {whose}",
        day(on)
    );
    match (&gone.title, &gone.authority) {
        (Some(title), Some(authority)) => {
            text.push_str(&format!(", \u{201c}{title}\u{201d} ({authority})"));
        }
        (Some(title), None) => text.push_str(&format!(", \u{201c}{title}\u{201d}")),
        _ => {}
    }
    text.push('.');
    if event.parent.is_some() {
        text.push_str(" It went with the record that it belonged to.");
    }
    match (gone.trigger, gone.last_day) {
        (Some(trigger), Some(last_day)) => text.push_str(&format!(
            " Its retention was counted from {}, and ended on {}.",
            day(trigger),
            day(last_day)
        )),
        (None, Some(last_day)) => {
            text.push_str(&format!(" Its retention ended on {}.", day(last_day)));
        }
        (_, None) => text.push_str(" The schedule orders that such records go at once."),
    }
    let words: Vec<String> = gone
        .approvals
        .iter()
        .map(|word| {
            let on = word.at.with_timezone(&drawn.plan.time_zone()).date_naive();
            format!("{} on {}", word.by, day(on))
        })
        .collect();
    if !words.is_empty() {
        text.push_str(&format!(" That was approved: {}.", words.join("; ")));
    }
    if let Some(entry) = gone.proof.entry {
        text.push_str(&format!(
            " The deletion is entry {entry} of our log of disposals, which can be verified independently."
        ));
    }
    text
}
