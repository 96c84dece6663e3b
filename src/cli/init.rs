//! `retentiond init`: a first schedule for a database.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};
use sqlx::Connection;

use super::args;
use super::context::Context;
use super::failure::Failure;
use super::output;
use crate::catalog;
use crate::init::{self, Draft, Pattern};
use crate::schedule::Code;
use crate::survey::SurveyError;

pub(super) async fn run(context: &Context, arguments: args::Init) -> Result<u8, Failure> {
    let settings = context.settings()?;
    if let Some(path) = arguments.output.as_deref() {
        spare(context, path)?;
    }
    let mut conn = context.connect(&settings).await?;
    let catalog = catalog::read(&mut conn).await.map_err(SurveyError::from)?;
    let _ = conn.close().await;
    let patterns: Vec<Pattern> = arguments
        .tables
        .iter()
        .map(|text| Pattern::new(text))
        .collect();
    for (pattern, text) in patterns.iter().zip(&arguments.tables) {
        if !catalog.tables.keys().any(|table| pattern.matches(table)) {
            return Err(Failure::usage(
                Code::NoSuchTable,
                format!("no table of the database matches `{text}`"),
                "write a table as `name` or `schema.name`; `*` stands for any text",
            ));
        }
    }
    let draft = init::draft(&catalog, &patterns);
    if draft.classes.is_empty() && draft.kept.is_none() {
        return Err(nothing(&draft));
    }
    let text = draft.text();
    match &arguments.output {
        Some(path) => {
            if !context.global.dry_run {
                write(context, path, &text)?;
            }
            tell(context, path, &draft);
        }
        None if context.json() => {
            let mut answer = summary(&draft);
            answer["text"] = text.into();
            output::json(&json!({ "init": answer }));
        }
        None => output::line(text.trim_end()),
    }
    Ok(0)
}

/// There is no file to be proposed: a schedule needs a class.
fn nothing(draft: &Draft<'_>) -> Failure {
    Failure::Other {
        code: Code::NoSuchTable,
        exit: 1,
        message: "nothing in the database could be proposed as a class".to_owned(),
        causes: draft
            .left_out
            .iter()
            .map(|left| format!("`{}`: {}", left.table.name, left.why.words()))
            .collect(),
        hint: Some("a class needs a table with a primary key and a date; see that --database names the right one".to_owned()),
    }
}

/// A schedule that somebody wrote is not replaced by a machine's unasked.
fn spare(context: &Context, path: &Path) -> Result<(), Failure> {
    if context.global.yes || !path.exists() {
        return Ok(());
    }
    Err(exists(path))
}

fn exists(path: &Path) -> Failure {
    Failure::usage(
        Code::Usage,
        format!("there is a file {} already", path.display()),
        "give --yes to replace it, or another name",
    )
}

fn write(context: &Context, path: &Path, text: &str) -> Result<(), Failure> {
    let written = if context.global.yes {
        std::fs::write(path, text)
    } else {
        // Nor one that has come meanwhile.
        std::fs::File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()))
    };
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(path),
        _ => Failure::Other {
            code: Code::Unreadable,
            exit: 1,
            message: format!("cannot write {}", path.display()),
            causes: vec![super::failure::without_number(&error.to_string())],
            hint: None,
        },
    })
}

fn tell(context: &Context, path: &Path, draft: &Draft<'_>) {
    if context.json() {
        let mut answer = summary(draft);
        answer["file"] = json!(path);
        output::json(&json!({ "init": answer }));
        return;
    }
    let classes = draft.classes.len() + usize::from(draft.kept.is_some());
    let said = if context.global.dry_run {
        "would be"
    } else {
        "is"
    };
    let left_out = match draft.left_out.len() {
        0 => String::new(),
        1 => " 1 table was not proposed; why not stands at its end.".to_owned(),
        many => format!(
            " {} tables were not proposed; why not stands at its end.",
            output::grouped(many as u64)
        ),
    };
    output::text(&format!(
        "A first schedule {said} in {}, with {}.{left_out}",
        path.display(),
        output::counted(classes as u64, "class", "classes"),
    ));
    if !context.global.quiet {
        output::text(
            "It only flags until you decide. `retentiond check` and `retentiond plan` show how it fits, and change nothing.",
        );
    }
}

fn summary(draft: &Draft<'_>) -> Value {
    let mut classes: Vec<Value> = draft
        .classes
        .iter()
        .map(|candidate| {
            json!({
                "id": candidate.id, "table": candidate.table.name, "disposal": "flag",
                "trigger": candidate.dates.ranked.first().map(|date| &date.column),
            })
        })
        .collect();
    classes.extend(draft.kept.iter().map(|candidate| {
        json!({ "id": candidate.id, "table": candidate.table.name, "disposal": "retain", "trigger": null })
    }));
    let left_out: Vec<Value> = draft
        .left_out
        .iter()
        .map(|left| json!({ "table": left.table.name, "why": left.why, "message": left.why.words() }))
        .collect();
    json!({ "classes": classes, "not_proposed": left_out })
}
