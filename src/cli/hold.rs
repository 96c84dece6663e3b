//! `retentiond hold` and `retentiond exempt`: what protects records from every disposal.

use chrono::{Months, NaiveDate};
use comfy_table::Cell;
use serde_json::{Value, json};

use super::args;
use super::context::Context;
use super::desk::{self, Desk, Named};
use super::failure::Failure;
use super::output::{self, Sheet};
use crate::decisions::{Binds, RuleHold};
use crate::ident::{ClassId, TableName};
use crate::ledger::hashkey::HashKeys;
use crate::ledger::{RecordKey, store as ledger};
use crate::review::{self, Form, Hold, NewHold, Role, Scope};
use crate::schedule::Code;
use crate::survey;

pub(super) async fn run(context: &Context, command: args::Hold) -> Result<u8, Failure> {
    match command {
        args::Hold::Place(arguments) => place(context, arguments).await,
        args::Hold::List { open } => list(context, &[Form::Hold, Form::Restriction], open).await,
        args::Hold::Release { hold, reason } => release(context, hold, &reason, false).await,
    }
}

pub(super) async fn exempt(context: &Context, command: args::Exempt) -> Result<u8, Failure> {
    match command {
        args::Exempt::Place(arguments) => exempt_place(context, arguments).await,
        args::Exempt::List { open } => list(context, &[Form::Exemption], open).await,
        args::Exempt::Release { hold, reason } => release(context, hold, &reason, true).await,
    }
}

/// What is to be protected, with what it was found to be.
enum Target {
    Record {
        table: TableName,
        key: RecordKey,
        shown: String,
    },
    Subject {
        id: String,
        hash: String,
    },
    Class {
        rule: RuleHold,
    },
    Elsewhere {
        class: ClassId,
        processor: String,
    },
}

impl Target {
    fn scope(&self) -> Scope<'_> {
        match self {
            Self::Record { table, key, .. } => Scope::Record { table, key },
            Self::Subject { id, hash } => Scope::Subject { id, hash },
            Self::Class { rule } => Scope::Class {
                class: &rule.class,
                table: &rule.table,
                claim: rule.claim.as_deref(),
                condition: rule.condition.as_deref(),
            },
            Self::Elsewhere { class, .. } => Scope::Elsewhere { class },
        }
    }

    fn words(&self, covered: u64) -> String {
        let count = desk::records(covered);
        match self {
            Self::Record { table, shown, .. } => format!("{table} {shown}"),
            Self::Subject { .. } => format!("{count} about that person"),
            Self::Elsewhere { class, processor } => {
                format!("what {processor} holds under class `{class}`")
            }
            Self::Class { rule } => match &rule.condition {
                Some(condition) => {
                    format!(
                        "{count} of class `{}` for which `{condition}` is not false",
                        rule.class
                    )
                }
                None => format!("{count}: everything of class `{}`", rule.class),
            },
        }
    }
}

async fn target(
    desk: &mut Desk,
    context: &Context,
    on: &args::Protected,
) -> Result<(Target, u64), Failure> {
    if let Some([table, key]) = on.record.as_deref() {
        let table = super::explain::table(table)?;
        let (columns, key) = desk.key(&table, key)?;
        let there = survey::explain(&mut desk.conn, &desk.drawn, &table, &columns, &key).await?;
        let shown = key.to_command_line(&columns);
        if matches!(there.state, "gone" | "unknown") {
            return Err(Failure::usage(
                Code::NoSuchRecord,
                format!("{table} has no record {shown}"),
                "`retentiond explain` says whether it is gone, and why",
            ));
        }
        return Ok((Target::Record { table, key, shown }, 1));
    }
    if let Some(id) = &on.subject {
        let about = survey::about(&mut desk.conn, &desk.schedule, &desk.drawn, id).await?;
        if about.is_empty() {
            return Err(Failure::usage(
                Code::NoSuchRecord,
                "no class of the schedule says whom its records are about",
                "write `subject = \"COLUMN\"` in the classes that have a column for it",
            ));
        }
        let covered = about.iter().map(|(_, rows)| rows).sum();
        let hash = hash_keys(desk).await?.hash(id);
        let id = id.clone();
        return Ok((Target::Subject { id, hash }, covered));
    }
    let named = desk.any_class(context, on.class.as_deref().unwrap_or_default())?;
    if let (Named::Elsewhere(class), None) = (&named, &on.condition) {
        let (class, processor) = (class.id().clone(), class.processor().to_owned());
        return Ok((Target::Elsewhere { class, processor }, 1));
    }
    let class = desk.class(context, named.id().as_str())?;
    let parse = |text: &str| desk::condition(desk, class.table(), text);
    let condition = on.condition.as_deref().map(parse).transpose()?;
    let rule = RuleHold {
        id: 0,
        class: class.id().clone(),
        table: class.table().clone(),
        claim: class.claim().map(crate::schedule::Condition::text),
        condition: condition.map(|condition| condition.text()),
        binds: Binds {
            is_open: true,
            until: None,
            not_before: None,
        },
    };
    let covered = survey::covered(&mut desk.conn, &desk.schedule, &desk.drawn, &rule).await?;
    Ok((Target::Class { rule }, covered))
}

pub(super) async fn hash_keys(desk: &mut Desk) -> Result<HashKeys, Failure> {
    let origin = ledger::origin(&mut desk.conn).await?;
    let places = desk.places.as_ref().ok_or_else(|| {
        Failure::usage(
            Code::BadSettings,
            "there is nowhere to keep the key of keyed hashes",
            "set `state.directory` in the settings",
        )
    })?;
    Ok(places.keyring(&origin).hash_keys_or_first()?)
}

async fn place(context: &Context, arguments: args::HoldPlace) -> Result<u8, Failure> {
    let mut desk = Desk::open(context, Role::Holds).await?;
    let form = match arguments.kind.as_str() {
        "restriction" => Form::Restriction,
        _ => Form::Hold,
    };
    let requests = ["foi", "access-request"].contains(&arguments.kind.as_str());
    let appeal = requests
        .then(|| desk.schedule.appeals_until(desk.today))
        .flatten();
    if let Some(until) = arguments.until {
        desk::ahead(until, "until", desk.today)?;
    }
    let (target, covered) = target(&mut desk, context, &arguments.on).await?;
    let hold = NewHold {
        form,
        scope: target.scope(),
        kind: &arguments.kind,
        reference: desk::words(&arguments.reference, "reference")?,
        reason: desk::words(&arguments.reason, "reason")?,
        owner: desk::words(&arguments.owner, "owner")?,
        authority: None,
        review_on: arguments.review_on,
        until: arguments.until,
        not_before: arguments.not_before.or(appeal),
    };
    finish(context, desk, &hold, &target.words(covered), covered).await
}

async fn exempt_place(context: &Context, arguments: args::ExemptPlace) -> Result<u8, Failure> {
    let mut desk = Desk::open(context, Role::Holds).await?;
    let in_a_year = desk.today.checked_add_months(Months::new(12));
    let (target, covered) = target(&mut desk, context, &arguments.on).await?;
    let hold = NewHold {
        form: Form::Exemption,
        scope: target.scope(),
        kind: &arguments.kind,
        reference: desk::words(&arguments.reference, "reference")?,
        reason: desk::words(&arguments.reason, "reason")?,
        owner: desk::words(&arguments.owner, "owner")?,
        authority: Some(desk::words(&arguments.authority, "authority")?),
        review_on: arguments.review_on.or(in_a_year),
        until: None,
        not_before: None,
    };
    finish(context, desk, &hold, &target.words(covered), covered).await
}

async fn finish(
    context: &Context,
    mut desk: Desk,
    hold: &NewHold<'_>,
    what: &str,
    covered: u64,
) -> Result<u8, Failure> {
    let until = hold.until.map_or_else(
        || "until it is released".to_owned(),
        |until| format!("through {until}"),
    );
    if context.global.dry_run {
        if context.json() {
            output::json(&json!({ "hold": { "hold": null, "covers": covered } }));
        } else {
            output::text(&format!(
                "This would protect {what}, {until}. Nothing was changed."
            ));
        }
        desk.close().await;
        return Ok(0);
    }
    if matches!(hold.scope, Scope::Class { .. } | Scope::Elsewhere { .. }) {
        output::note(&format!("It protects {what}."));
    }
    let id = review::place_hold(&mut desk.conn, hold, &desk.actor, desk.now).await?;
    desk.close().await;
    let word = word(hold.form);
    if context.json() {
        output::json(&json!({ "hold": { "hold": id, "covers": covered } }));
        return Ok(0);
    }
    output::text(&format!("{word} {id} protects {what}, {until}."));
    if let Some(day) = hold.not_before {
        output::text(&format!(
            "Nothing of it goes before {day}, even if it is released sooner."
        ));
    }
    Ok(0)
}

fn word(form: Form) -> &'static str {
    match form {
        Form::Hold => "Hold",
        Form::Exemption => "Exemption",
        Form::Restriction => "Restriction",
    }
}

async fn release(context: &Context, id: i64, reason: &str, exempt: bool) -> Result<u8, Failure> {
    let mut desk = Desk::open(context, Role::Holds).await?;
    let reason = desk::words(reason, "reason")?;
    let found = review::find_hold(&mut desk.conn, id).await?;
    let is_exemption = |hold: &Hold| hold.form == "exemption";
    let fits = |hold: &Hold| hold.form != "keep" && is_exemption(hold) == exempt;
    let Some(hold) = found.filter(|hold| hold.binds(desk.today) && fits(hold)) else {
        return Err(review::ReviewError::NoHold(id).into());
    };
    let word = if exempt { "Exemption" } else { "Hold" };
    let whole = matches!(hold.scope.as_str(), "class" | "condition");
    if context.global.dry_run {
        output::text(&format!(
            "This would release {}. Nothing was changed.",
            about(&hold)
        ));
        desk.close().await;
        return Ok(0);
    }
    if whole {
        context.confirm(&format!(
            "{word} {id} protects {}. What is past goes with the next pass once it is released.",
            about(&hold)
        ))?;
    }
    review::release_hold(&mut desk.conn, id, reason, &desk.actor, desk.now).await?;
    let still = hold.not_before.filter(|day| *day > desk.today);
    desk.close().await;
    if context.json() {
        output::json(&json!({ "hold": { "hold": id, "released": true, "not_before": still } }));
        return Ok(0);
    }
    match still {
        Some(day) => output::text(&format!(
            "{word} {id} is released. What it covers is protected until {day} all the same: the time to appeal is not over."
        )),
        None => output::text(&format!(
            "{word} {id} is released. What is past and nothing else protects goes with the next pass."
        )),
    }
    Ok(0)
}

/// What a hold is on, as it may be shown.
fn about(hold: &Hold) -> String {
    let table = || hold.table.clone().unwrap_or_default();
    let class = || hold.class.clone().unwrap_or_default();
    match hold.scope.as_str() {
        "record" => format!(
            "{} {}",
            table(),
            hold.key.clone().unwrap_or_default().join(",")
        ),
        "subject" => match &hold.subject {
            Some(subject) => format!("person {subject}"),
            None => "a person".to_owned(),
        },
        "class" => format!("class `{}`", class()),
        _ => format!(
            "class `{}` where {}",
            class(),
            hold.condition.clone().unwrap_or_default()
        ),
    }
}

async fn list(context: &Context, forms: &[Form], open: bool) -> Result<u8, Failure> {
    let mut desk = Desk::look(context).await?;
    let today = desk.today;
    let zone = desk.schedule.time_zone();
    let holds = review::holds(&mut desk.conn, forms).await?;
    desk.close().await;
    let shown: Vec<&Hold> = holds
        .iter()
        .filter(|hold| !open || hold.binds(today))
        .collect();
    if context.json() {
        let shown: Vec<Value> = shown
            .iter()
            .map(|hold| {
                let mut value = json!(hold);
                value["binds"] = json!(hold.binds(today));
                value
            })
            .collect();
        output::json(&json!({ "holds": shown }));
        return Ok(0);
    }
    if shown.is_empty() {
        output::text(if open {
            "Nothing is held."
        } else {
            "Nothing was ever held."
        });
        return Ok(0);
    }
    let mut sheet = Sheet::new([
        "number",
        "kind",
        "protects",
        "reference",
        "owner",
        "since",
        "until",
        "review on",
        "state",
        "reason",
    ]);
    let day = |day: Option<NaiveDate>| Cell::new(day.map_or_else(String::new, |d| d.to_string()));
    for hold in shown {
        let state = match (&hold.released_at, hold.expired_at, hold.binds(today)) {
            (Some(_), _, true) => "released, protects until its day",
            (Some(_), _, false) => "released",
            (None, _, false) => "over",
            (None, _, true) if hold.review_on.is_some_and(|day| day <= today) => "review is due",
            (None, _, true) => "",
        };
        let since = hold.placed_at.with_timezone(&zone).date_naive();
        sheet.row([
            Cell::new(hold.hold),
            Cell::new(&hold.kind),
            Cell::new(about(hold)),
            Cell::new(&hold.reference),
            Cell::new(&hold.owner),
            Cell::new(since),
            day(hold.until),
            day(hold.review_on),
            Cell::new(state),
            Cell::new(&hold.reason),
        ]);
    }
    sheet.print();
    Ok(0)
}
