//! `retentiond subject`: what is held about a person, and what they may ask for.

use std::path::Path;

use comfy_table::Cell;
use serde_json::{Value, json};
use sqlx::Connection;

use super::args;
use super::context::Context;
use super::desk::{self, Desk};
use super::failure::Failure;
use super::hold::hash_keys;
use super::output::{self, Sheet};
use crate::review::{self, Erasure, Form, NewErasure, NewHold, Role, Scope};
use crate::schedule::Code;
use crate::survey::{self, Drawn, Explanation, Personal};

pub(super) async fn run(context: &Context, command: args::Subject) -> Result<u8, Failure> {
    match command {
        args::Subject::Report { id, output } => report(context, &id, output.as_deref()).await,
        args::Subject::Erase(arguments) => erase(context, arguments).await,
        args::Subject::Withdraw { id, reason } => withdraw(context, &id, &reason).await,
        args::Subject::Restrict(arguments) => restrict(context, arguments).await,
        args::Subject::Release { id, reason } => release(context, &id, &reason).await,
        args::Subject::Known { requests, reason } => known(context, &requests, &reason).await,
        args::Subject::List { open } => list(context, open).await,
    }
}

/// That some class says whom its records are about.
fn named(desk: &Desk) -> Result<(), Failure> {
    if crate::plan::subject_tables(&desk.schedule, &desk.drawn.catalog).is_empty() {
        return Err(Failure::usage(
            Code::NoSuchRecord,
            "no class of the schedule says whom its records are about",
            "write `subject = \"COLUMN\"` in the classes that have a column for it",
        ));
    }
    Ok(())
}

async fn report(context: &Context, id: &str, file: Option<&Path>) -> Result<u8, Failure> {
    let mut desk = Desk::look(context).await?;
    named(&desk)?;
    // Whoever wants it as text sees how the records stand; the records themselves are for a file
    // or a program.
    let content = context.json() || file.is_some();
    let found = survey::personal(&mut desk.conn, &desk.schedule, &desk.drawn, id, content).await?;
    let requests = requests_of(&mut desk, id).await?;
    let restrictions: Vec<i64> = review::holds(&mut desk.conn, &[Form::Restriction])
        .await?
        .iter()
        .filter(|hold| hold.subject.as_deref() == Some(id) && hold.binds(desk.today))
        .map(|hold| hold.hold)
        .collect();
    let today = desk.today;
    desk.close().await;
    let value = json!({ "subject": {
        "id": id, "on": today, "records": found, "requests": requests, "restrictions": restrictions,
    } });
    if let Some(path) = file {
        let text = serde_json::to_string_pretty(&value).unwrap_or_default();
        super::certificate::write(path, &format!("{text}\n"))?;
        output::note(&format!(
            "{} about that person: {}. It is personal data: keep it so.",
            desk::records(found.len() as u64),
            path.display()
        ));
    }
    if context.json() {
        if file.is_none() {
            output::json(&value);
        }
        return Ok(0);
    }
    if found.is_empty() {
        output::text("Nothing is held about that person in the tables that name people.");
    } else {
        stands(&found);
    }
    if !restrictions.is_empty() {
        output::text("Processing of their records is restricted: nothing of them is disposed of.");
    }
    for request in requests.iter().filter(|request| request.is_open()) {
        output::text(&format!(
            "Request {} for erasure, {}, came in on {} and is not fulfilled yet.",
            request.erasure, request.reference, request.requested_on
        ));
    }
    Ok(0)
}

/// The requests about a person: open ones by name, the others by the hash.
async fn requests_of(desk: &mut Desk, id: &str) -> Result<Vec<Erasure>, Failure> {
    let all = review::erasures(&mut desk.conn).await?;
    if all.is_empty() {
        return Ok(all);
    }
    let keys = hash_keys(desk).await?;
    let own = |request: &Erasure| {
        request.subject.as_deref() == Some(id) || keys.is_of(&request.subject_id, id) == Some(true)
    };
    Ok(all.into_iter().filter(own).collect())
}

fn stands(found: &[Personal]) {
    let mut sheet = Sheet::new(["record", "class", "stands", "kept through", "authority"]);
    for one in found {
        let governs = one
            .stands
            .claims
            .iter()
            .find(|claim| claim.governs)
            .or(one.stands.claims.first());
        let authority = one
            .authorities
            .iter()
            .find(|said| governs.is_some_and(|claim| claim.class.as_str() == said.class));
        sheet.row([
            Cell::new(record(&one.stands)),
            Cell::new(governs.map_or_else(String::new, |claim| claim.class.to_string())),
            Cell::new(one.stands.state),
            Cell::new(
                governs
                    .and_then(|claim| claim.last_day)
                    .map_or_else(String::new, |day| day.to_string()),
            ),
            Cell::new(authority.map_or("", |said| said.authority.as_str())),
        ]);
    }
    sheet.print();
}

/// `public.letter 7`.
fn record(stands: &Explanation) -> String {
    let key = stands.key.as_object().map(|key| {
        let shown = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match key.len() {
            1 => key.values().map(shown).collect::<String>(),
            _ => key
                .iter()
                .map(|(name, value)| format!("{name}={}", shown(value)))
                .collect::<Vec<_>>()
                .join(","),
        }
    });
    format!("{} {}", stands.table, key.unwrap_or_default())
}

/// What becomes of a record once its person's request is recorded.
struct Fate {
    goes: bool,
    why: String,
}

fn fate(one: &Personal) -> Fate {
    let stands = &one.stands;
    let stays = |why: String| Fate { goes: false, why };
    let governs = stands.claims.iter().find(|claim| claim.governs);
    match stands.state {
        "due" => Fate {
            goes: true,
            why: match governs.map(|claim| claim.disposal) {
                Some("anonymise") => "is anonymised".to_owned(),
                Some("flag") => {
                    "is flagged: a person has to act on it, since its class only flags".to_owned()
                }
                _ => "is deleted".to_owned(),
            },
        },
        "held" | "exempt" => {
            let holds: Vec<String> = stands
                .holds
                .iter()
                .map(|hold| format!("hold {} ({}, {})", hold.hold, hold.kind, hold.reference))
                .collect();
            let by = match holds.is_empty() {
                true => "something that hangs on it is held".to_owned(),
                false => holds.join(", "),
            };
            stays(format!("held: {by}"))
        }
        "anonymised" => stays("is anonymised already".to_owned()),
        "flagged" => stays("is flagged already: a person has to act on it".to_owned()),
        "gone" => stays("is gone already".to_owned()),
        "unclaimed" => stays("no class claims it".to_owned()),
        state => {
            let statute = one
                .authorities
                .iter()
                .find(|said| !said.erasure_right && state != "waiting");
            let retains = stands
                .claims
                .iter()
                .find(|claim| claim.disposal == "retain");
            let note = stands.claims.iter().find_map(|claim| claim.note.clone());
            stays(match (retains, statute, note) {
                (Some(claim), _, _) => format!(
                    "retained by class `{}`: {}",
                    claim.class,
                    claim.note.clone().unwrap_or_default()
                ),
                (None, Some(said), _) => {
                    let until = stands
                        .claims
                        .iter()
                        .find(|claim| claim.class.as_str() == said.class)
                        .and_then(|claim| claim.last_day)
                        .map_or_else(String::new, |day| format!(", through {day}"));
                    format!(
                        "kept by law{until}: class `{}`, {}",
                        said.class, said.authority
                    )
                }
                (None, None, Some(note)) => format!("{state}: {note}"),
                (None, None, None) => state.to_owned(),
            })
        }
    }
}

async fn erase(context: &Context, arguments: args::SubjectErase) -> Result<u8, Failure> {
    let mut desk = Desk::open(context, Role::Reviewer).await?;
    named(&desk)?;
    let requested_on = arguments.received.unwrap_or(desk.today);
    if requested_on > desk.today {
        return Err(Failure::usage(
            Code::BadDate,
            format!(
                "--received {requested_on} is still to come: today is {}",
                desk.today
            ),
            "name the day on which the request came in",
        ));
    }
    let basis = desk::words(&arguments.basis, "basis")?;
    let reference = desk::words(&arguments.reference, "reference")?;
    let hash = hash_keys(&mut desk).await?.hash(&arguments.id);
    let new = NewErasure {
        subject: &arguments.id,
        hash: &hash,
        requested_on,
        basis,
        reference,
    };
    let found = supposing(context, &mut desk, &new).await?;
    let fates: Vec<(&Personal, Fate)> = found.iter().map(|one| (one, fate(one))).collect();
    let goes = fates.iter().filter(|(_, fate)| fate.goes).count();
    let stays = fates.len() - goes;
    let lines: Vec<Value> = fates
        .iter()
        .map(|(one, fate)| {
            json!({
                "table": one.stands.table, "key": one.stands.key, "goes": fate.goes,
                "why": fate.why, "state": one.stands.state,
            })
        })
        .collect();
    let lists = suppression_lists(&desk, &found);
    if !context.json() {
        tell(&fates);
        for (class, rows) in &lists {
            output::text(&match rows {
                0 => {
                    format!("Class `{class}`, which keeps its records, has none about that person.")
                }
                _ => format!(
                    "Class `{class}` keeps {} about that person, untouched.",
                    output::counted(*rows, "record", "records")
                ),
            });
        }
    }
    let kept_by: Value = lists
        .iter()
        .map(|(class, rows)| (class.clone(), json!(rows)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let words = format!(
        "{} about that person: {goes} with the next pass, {stays} not.",
        desk::records(fates.len() as u64)
    );
    if context.global.dry_run {
        desk.close().await;
        if context.json() {
            output::json(
                &json!({ "erasure": { "erasure": null, "records": lines, "kept_by": kept_by } }),
            );
        } else {
            output::text(&format!("{words} Nothing was changed."));
        }
        return Ok(0);
    }
    context.confirm(&format!("{words} What goes cannot be brought back."))?;
    let id = review::request_erasure(&mut desk.conn, &new, &desk.actor, desk.now).await?;
    desk.close().await;
    if context.json() {
        output::json(
            &json!({ "erasure": { "erasure": id, "records": lines, "kept_by": kept_by } }),
        );
    } else {
        output::text(&format!(
            "Request {id} is recorded. {words} `retentiond run` makes a pass now; what stays goes \
             as soon as nothing keeps it any more."
        ));
    }
    Ok(if stays > 0 { 3 } else { 0 })
}

/// The classes that keep what names people for good, as a list of those who are not to be written
/// to, and how many records about the person each has.
fn suppression_lists(desk: &Desk, found: &[Personal]) -> Vec<(String, u64)> {
    let retaining = desk.schedule.classes().iter();
    retaining
        .filter(|class| class.dispose().is_none() && class.subject().is_some())
        .map(|class| {
            let has = |one: &&Personal| {
                let mut claims = one.stands.claims.iter();
                claims.any(|claim| claim.certain && &claim.class == class.id())
            };
            let rows = found.iter().filter(has).count() as u64;
            (class.id().to_string(), rows)
        })
        .collect()
}

/// How the person's records would stand if the request were recorded. Nothing is.
async fn supposing(
    context: &Context,
    desk: &mut Desk,
    new: &NewErasure<'_>,
) -> Result<Vec<Personal>, Failure> {
    let file = context.schedule()?;
    let (now, schedule) = (desk.now, desk.schedule.clone());
    let broken = |error: sqlx::Error| Failure::from(review::ReviewError::Database(error));
    let mut tx = desk.conn.begin().await.map_err(broken)?;
    review::suppose_erasure(&mut tx, new, now).await?;
    let (drawn, _): (Drawn, _) = survey::draw_in_force(&mut tx, &file, now).await?;
    let found = survey::personal(&mut tx, &schedule, &drawn, new.subject, false).await?;
    tx.rollback().await.map_err(broken)?;
    Ok(found)
}

fn tell(fates: &[(&Personal, Fate)]) {
    if fates.is_empty() {
        output::text("Nothing is held about that person in the tables that name people.");
        return;
    }
    let mut sheet = Sheet::new(["record", "goes", "why"]);
    for (one, fate) in fates {
        sheet.row([
            Cell::new(record(&one.stands)),
            Cell::new(if fate.goes { "yes" } else { "no" }),
            Cell::new(&fate.why),
        ]);
    }
    sheet.print();
}

async fn withdraw(context: &Context, id: &str, reason: &str) -> Result<u8, Failure> {
    let mut desk = Desk::open(context, Role::Reviewer).await?;
    let reason = desk::words(reason, "reason")?;
    if context.global.dry_run {
        let open = requests_of(&mut desk, id).await?;
        let open = open.iter().filter(|request| request.is_open()).count();
        desk.close().await;
        output::text(&format!(
            "This would withdraw {}. Nothing was changed.",
            output::counted(open as u64, "request", "requests")
        ));
        return Ok(0);
    }
    let count = review::withdraw_erasure(&mut desk.conn, id, reason, &desk.actor, desk.now).await?;
    desk.close().await;
    if context.json() {
        output::json(&json!({ "erasure": { "withdrawn": count } }));
    } else {
        output::text(&format!(
            "Withdrawn: {}. What is left about that person goes when its own time comes.",
            output::counted(count as u64, "request", "requests")
        ));
    }
    Ok(0)
}

async fn restrict(context: &Context, arguments: args::SubjectRestrict) -> Result<u8, Failure> {
    let mut desk = Desk::open(context, Role::Holds).await?;
    named(&desk)?;
    let about = survey::about(&mut desk.conn, &desk.schedule, &desk.drawn, &arguments.id).await?;
    let covered: u64 = about.iter().map(|(_, rows)| rows).sum();
    let hash = hash_keys(&mut desk).await?.hash(&arguments.id);
    let owner = arguments
        .owner
        .clone()
        .unwrap_or_else(|| desk.actor.clone());
    let hold = NewHold {
        form: Form::Restriction,
        scope: Scope::Subject {
            id: &arguments.id,
            hash: &hash,
        },
        kind: "restriction",
        reference: arguments.reference.as_deref().unwrap_or_default(),
        reason: desk::words(&arguments.reason, "reason")?,
        owner: &owner,
        authority: None,
        review_on: arguments.review_on,
        until: None,
        not_before: None,
    };
    let what = format!("{} about that person", desk::records(covered));
    if context.global.dry_run {
        desk.close().await;
        if context.json() {
            output::json(&json!({ "hold": { "hold": null, "covers": covered } }));
        } else {
            output::text(&format!(
                "This would keep {what} from being disposed of. Nothing was changed."
            ));
        }
        return Ok(0);
    }
    let id = review::place_hold(&mut desk.conn, &hold, &desk.actor, desk.now).await?;
    desk.close().await;
    if context.json() {
        output::json(&json!({ "hold": { "hold": id, "covers": covered } }));
    } else {
        output::text(&format!(
            "Restriction {id}: {what}, and whatever comes, is not disposed of until it is released."
        ));
    }
    Ok(0)
}

async fn release(context: &Context, id: &str, reason: &str) -> Result<u8, Failure> {
    let mut desk = Desk::open(context, Role::Holds).await?;
    let reason = desk::words(reason, "reason")?;
    let restrictions: Vec<i64> = review::holds(&mut desk.conn, &[Form::Restriction])
        .await?
        .iter()
        .filter(|hold| {
            hold.subject.as_deref() == Some(id)
                && hold.released_at.is_none()
                && hold.binds(desk.today)
        })
        .map(|hold| hold.hold)
        .collect();
    if restrictions.is_empty() {
        return Err(Failure::usage(
            Code::NoSuchDecision,
            "no restriction on that person's records is open",
            "`retentiond hold list --open` shows holds and restrictions",
        ));
    }
    let what = output::counted(restrictions.len() as u64, "restriction", "restrictions");
    if context.global.dry_run {
        desk.close().await;
        output::text(&format!("This would release {what}. Nothing was changed."));
        return Ok(0);
    }
    for number in &restrictions {
        review::release_hold(&mut desk.conn, *number, reason, &desk.actor, desk.now).await?;
    }
    desk.close().await;
    if context.json() {
        output::json(&json!({ "released": restrictions }));
    } else {
        output::text(&format!(
            "Released: {what}. What is past and nothing else protects goes with the next pass."
        ));
    }
    Ok(0)
}

async fn known(context: &Context, requests: &[i64], reason: &str) -> Result<u8, Failure> {
    let mut desk = Desk::open(context, Role::Reviewer).await?;
    let reason = desk::words(reason, "reason")?;
    let waiting = review::erasures(&mut desk.conn).await?;
    let waiting = waiting
        .iter()
        .filter(|request| request.waits() && requests.contains(&request.erasure));
    let count = waiting.count();
    if context.global.dry_run {
        desk.close().await;
        output::text(&format!(
            "This would say of {} that the records are rightly there. Nothing was changed.",
            output::counted(count as u64, "request", "requests")
        ));
        return Ok(0);
    }
    let count =
        review::know_returned(&mut desk.conn, requests, reason, &desk.actor, desk.now).await?;
    desk.close().await;
    if context.json() {
        output::json(&json!({ "erasure": { "known": count } }));
    } else {
        output::text(&format!(
            "Noted of {}: the records that are there again are rightly there.",
            output::counted(count as u64, "request", "requests")
        ));
    }
    Ok(0)
}

async fn list(context: &Context, open: bool) -> Result<u8, Failure> {
    let mut desk = Desk::look(context).await?;
    let all = review::erasures(&mut desk.conn).await?;
    desk.close().await;
    let shown: Vec<&Erasure> = all
        .iter()
        .filter(|request| !open || request.is_open() || request.waits())
        .collect();
    if context.json() {
        output::json(&json!({ "erasures": shown }));
        return Ok(0);
    }
    if shown.is_empty() {
        output::text("No person has asked for erasure.");
        return Ok(0);
    }
    let mut sheet = Sheet::new(["number", "reference", "basis", "came in", "state"]);
    for request in shown {
        sheet.row([
            Cell::new(request.erasure),
            Cell::new(&request.reference),
            Cell::new(&request.basis),
            Cell::new(request.requested_on),
            Cell::new(state(request)),
        ]);
    }
    sheet.print();
    Ok(0)
}

fn state(request: &Erasure) -> String {
    let back = request.returned.map(|rows| {
        let rows = desk::records(rows.unsigned_abs());
        match &request.known_by {
            Some(by) => format!("{rows} are there again, rightly, says {by}"),
            None => format!("{rows} are there again"),
        }
    });
    match (request.is_open(), &request.withdrawn_by, back) {
        (true, ..) => "not fulfilled yet".to_owned(),
        (false, Some(_), None) => "withdrawn".to_owned(),
        (false, _, Some(back)) => back,
        (false, None, None) => "fulfilled".to_owned(),
    }
}
