//! `retentiond publish`: the schedule in plain words, for a privacy notice.

use std::path::Path;

use serde_json::json;

use super::args::{self, PublishFormat};
use super::context::Context;
use super::failure::Failure;
use super::output;
use crate::schedule::{Code, publish};

pub(super) fn run(context: &Context, arguments: &args::Publish) -> Result<u8, Failure> {
    let schedule = context.schedule()?;
    let format = arguments.as_format.unwrap_or_else(|| {
        // A page that is compared says by its name what it is.
        let named = arguments.check.as_deref().or(arguments.output.as_deref());
        let is_page = |path: &Path| {
            path.extension()
                .is_some_and(|e| e.eq_ignore_ascii_case("html") || e.eq_ignore_ascii_case("htm"))
        };
        if named.is_some_and(is_page) {
            PublishFormat::Html
        } else {
            PublishFormat::Markdown
        }
    });
    let text = match format {
        PublishFormat::Markdown => publish::markdown(&schedule),
        PublishFormat::Html => publish::html(&schedule),
    };
    if let Some(path) = &arguments.check {
        return check(context, path, &text);
    }
    match &arguments.output {
        Some(path) => {
            if !context.global.dry_run {
                std::fs::write(path, &text).map_err(|error| unusable("write", path, &error))?;
            }
            told(context, "published", path, "The schedule in words is in");
        }
        None if context.json() => {
            output::json(&json!({ "publish": { "outcome": "published", "text": text } }))
        }
        None => output::line(text.trim_end()),
    }
    Ok(0)
}

/// Whether a published page still says what the schedule says.
fn check(context: &Context, path: &Path, text: &str) -> Result<u8, Failure> {
    let published =
        std::fs::read_to_string(path).map_err(|error| unusable("read", path, &error))?;
    let plain = |text: &str| text.replace("\r\n", "\n").trim_end().to_owned();
    let (published, text) = (plain(&published), plain(text));
    if published == text {
        told(context, "current", path, "It says what the schedule says:");
        return Ok(0);
    }
    let differs = published
        .lines()
        .zip(text.lines())
        .position(|(a, b)| a != b);
    let line = differs.unwrap_or_else(|| published.lines().count().min(text.lines().count())) + 1;
    Err(Failure::Other {
        code: Code::PublishedDiffers,
        exit: 1,
        message: format!(
            "{} no longer says what the schedule says; the first difference is in line {line}",
            path.display()
        ),
        causes: Vec::new(),
        hint: Some(format!(
            "publish it again: retentiond publish --output {}",
            path.display()
        )),
    })
}

fn told(context: &Context, outcome: &str, path: &Path, words: &str) {
    if context.json() {
        output::json(&json!({ "publish": { "outcome": outcome, "file": path } }));
    } else {
        output::line(&format!("{words} {}.", path.display()));
    }
}

fn unusable(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::Other {
        code: Code::Unreadable,
        exit: 1,
        message: format!("cannot {what} {}", path.display()),
        causes: vec![error.to_string()],
        hint: None,
    }
}
