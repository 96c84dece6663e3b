//! `retentiond ledger replay`: what a restored database has lost, brought back.

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::args::LedgerReplay;
use super::context::Context;
use super::failure::Failure;
use super::output;
use crate::daemon::replay::{self, Compared, Imported, Look, NewOrigin, RestoreError};
use crate::daemon::tick;
use crate::ledger::publish::ReplayError;
use crate::ledger::store::LedgerError;
use crate::schedule::Code;
use crate::settings::Settings;

pub(super) async fn run(
    context: &Context,
    settings: &Settings,
    conn: &mut PgConnection,
    asked: LedgerReplay,
) -> Result<u8, Failure> {
    let places = tick::places(settings)?;
    let (actor, now) = (context.actor(), context.clock.now());
    let dry_run = context.global.dry_run;
    if asked.new_origin {
        let reason = asked.reason.as_deref().unwrap_or_default().trim();
        if reason.is_empty() {
            return Err(Failure::usage(
                Code::BlankText,
                "the reason must not be blank",
                "say why the entries are lost for good: `--reason \"both disks failed\"`",
            ));
        }
        if !dry_run {
            context.confirm("The log goes on under another name, and what was lost stays lost.")?;
        }
        let done = replay::new_origin(conn, &places, reason, &actor, now, dry_run).await?;
        return Ok(renamed(context, &done));
    }
    let schedule = context.schedule()?;
    let mut look = replay::look(conn, &places, asked.from).await?;
    let mut imported = None;
    if look.behind() {
        let first = replay::import(conn, &look, &actor, now, true).await?;
        if !context.json() {
            announce(&look, &first);
        }
        if dry_run {
            return Ok(answer(context, Some(&first), None, false));
        }
        context.confirm("The lost entries and decisions are brought back.")?;
        let done = replay::import(conn, &look, &actor, now, false).await?;
        look.last = Some((done.from, done.to, false));
        imported = Some(done);
    }
    let Some((from, to, finished)) = look.last else {
        if context.json() {
            output::json(&json!({ "replay": { "outcome": "nothing" } }));
        } else {
            output::text(&format!(
                "The database has all {} that were published to {}. There is nothing to bring back.",
                output::counted(look.published(), "entry", "entries"),
                look.folder().path().display()
            ));
        }
        return Ok(0);
    };
    let compared = replay::compare(conn, &schedule, now, from, to).await?;
    if !finished && !dry_run {
        replay::finish(conn, &look, (from, to), &compared, &actor, now).await?;
    }
    if !context.json() {
        show(&compared, asked.keys);
    }
    Ok(answer(
        context,
        imported.as_ref(),
        Some(&compared),
        asked.keys,
    ))
}

/// What would come back.
fn announce(look: &Look, lost: &Imported) {
    output::text(&format!(
        "The database has {} of the log, and {} were published to {}. These are lost:",
        output::counted(look.size, "entry", "entries"),
        look.published(),
        look.folder().path().display()
    ));
    let mut sheet = output::Sheet::new(["action", "entries"]);
    for (action, number) in &lost.actions {
        sheet.row([action.name().into(), output::number(*number)]);
    }
    sheet.print();
    for (number, now) in &lost.decisions.holds {
        output::text(&match number == now {
            true => format!("Hold {number} binds again."),
            false => format!("Hold {number} binds again, as hold {now}."),
        });
    }
    for number in &lost.decisions.released {
        output::text(&format!("Hold {number} is released again."));
    }
    for number in &lost.decisions.unnamed {
        output::text(&format!(
            "Hold {number} must be placed again by a person: the log does not say on which record."
        ));
    }
    if lost.decisions.accept_again {
        output::text(
            "Nothing acts until somebody accepts a version of the schedule again: `retentiond plan`, then `retentiond accept`.",
        );
    }
}

/// What became of the records.
fn show(compared: &Compared, keys: bool) {
    let mut sheet = output::Sheet::new(["class", "table", "gone", "back, by how they stand"]);
    for group in &compared.groups {
        let back: Vec<String> = group
            .back
            .iter()
            .map(|(state, number)| format!("{} {state}", output::grouped(*number)))
            .collect();
        sheet.row([
            group
                .class
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default()
                .into(),
            group.table.clone().into(),
            output::number(group.gone),
            back.join(", ").into(),
        ]);
    }
    output::line("");
    sheet.print();
    output::text(
        "What is due goes with the next pass, by the schedule in force. `another`: the number belongs to somebody else now, or the record was changed.",
    );
    if compared.listed.is_empty() {
        return;
    }
    output::text(&format!(
        "{} for a person to look at{}",
        output::counted(
            compared.listed.len() as u64,
            "record is back and does not go: it is",
            "records are back and do not go: they are"
        ),
        if keys {
            ":"
        } else {
            ". `retentiond ledger replay --keys` names them."
        }
    ));
    if keys {
        let mut sheet = output::Sheet::new(["table", "key", "counted from then", "now"]);
        for record in &compared.listed {
            sheet.row([
                record.table.clone().into(),
                record.key.to_string().into(),
                record.trigger.map(output::day).unwrap_or_default().into(),
                record.state.into(),
            ]);
        }
        sheet.print();
    }
}

fn answer(
    context: &Context,
    imported: Option<&Imported>,
    compared: Option<&Compared>,
    keys: bool,
) -> u8 {
    let again = imported.is_some_and(|imported| imported.decisions.accept_again);
    if context.json() {
        let mut shown = json!({
            "outcome": match (imported, compared) {
                (Some(_), None) => "pending",
                (Some(_), Some(_)) => "replayed",
                _ => "compared",
            },
        });
        if let Some(imported) = imported {
            shown["from"] = imported.from.into();
            shown["to"] = imported.to.into();
            shown["entries"] = (imported.to - imported.from).into();
            shown["actions"] = imported
                .actions
                .iter()
                .map(|(action, number)| (action.name().to_owned(), Value::from(*number)))
                .collect::<serde_json::Map<_, _>>()
                .into();
            let holds = &imported.decisions.holds;
            shown["holds"] = holds
                .iter()
                .map(|(was, is)| json!({ "was": was, "hold": is }))
                .collect::<Vec<_>>()
                .into();
            shown["released"] = imported.decisions.released.clone().into();
            shown["holds_not_named"] = imported.decisions.unnamed.clone().into();
            shown["accept_again"] = again.into();
        }
        if let Some(compared) = compared {
            shown["records"] = json!(compared.groups);
            shown["for_a_person"] = compared.listed.len().into();
            if keys {
                shown["listed"] = json!(compared.listed);
            }
        }
        output::json(&json!({ "replay": shown }));
    } else if compared.is_none() {
        output::text("\nNothing was changed.");
    }
    let waits = compared.is_some_and(|compared| again || !compared.listed.is_empty());
    if waits { 3 } else { 0 }
}

fn renamed(context: &Context, done: &NewOrigin) -> u8 {
    let dry_run = context.global.dry_run;
    if context.json() {
        let outcome = if dry_run { "pending" } else { "new-origin" };
        output::json(&json!({ "replay": { "outcome": outcome, "origin": done } }));
    } else {
        output::text(&format!(
            "{} goes on {} the {} that the database has. {}",
            done.old,
            if dry_run {
                "under another name from".to_owned()
            } else {
                format!("as {} from", done.new)
            },
            output::counted(done.size, "entry", "entries"),
            match done.published {
                Some(published) => format!("{published} had been published."),
                None => "How many had been published is not known.".to_owned(),
            }
        ));
        output::text(&if dry_run {
            "Nothing was changed.".to_owned()
        } else {
            format!(
                "The reason is in {}. Records that were disposed of may be back, and holds may be missing, so nothing acts until somebody accepts a version of the schedule again: place the holds, look at `retentiond plan`, then `retentiond accept`.",
                done.file.display()
            )
        });
    }
    if dry_run { 0 } else { 3 }
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        const NEW_ORIGIN: &str = "bring the folder back from where it was copied to; if it is lost: `retentiond ledger replay --new-origin --reason TEXT`";
        let hint = match error {
            RestoreError::Log(error) => return error.into(),
            RestoreError::Review(error) => return error.into(),
            RestoreError::Survey(error) => return error.into(),
            RestoreError::Replay(ReplayError::Folder(error)) => return error.into(),
            RestoreError::Replay(ReplayError::Ledger(
                LedgerError::Begins | LedgerError::Clash(_),
            )) => {
                "restore the backup once more and replay before anything else is done in it; if that cannot be: `retentiond ledger replay --new-origin --reason TEXT`"
            }
            RestoreError::Replay(ReplayError::Ledger(LedgerError::Seal(_))) => {
                "`retentiond ledger verify` says what is wrong with the log in the database"
            }
            RestoreError::Replay(ReplayError::Ledger(error)) => return error.into(),
            RestoreError::Replay(_) => NEW_ORIGIN,
            RestoreError::Longer { .. } => "leave out --from",
            RestoreError::Agrees(_) => "go on: `retentiond run`",
            RestoreError::Bookkeeping(_) | RestoreError::File { .. } => {
                return Self::failed(Code::Internal, &error, None);
            }
        };
        match Self::failed(Code::NoReplay, &error, Some(hint)) {
            Self::Other {
                code,
                message,
                causes,
                hint,
                ..
            } => Self::Other {
                code,
                exit: 3,
                message: format!("{message}; nothing was changed"),
                causes,
                hint,
            },
            other => other,
        }
    }
}
