//! `retentiond check`: everything that is wrong, or could be better.

use serde_json::json;
use sqlx::Connection;

use super::args;
use super::context::Context;
use super::failure::Failure;
use super::output;
use crate::plan;
use crate::schedule::{Code, Diagnostic, Diagnostics, Rule, Schedule, Severity};
use crate::survey;

pub(super) async fn run(context: &Context, arguments: args::Check) -> Result<u8, Failure> {
    if let Some(code) = &arguments.explain {
        return explain(context, code);
    }
    if arguments.json_schema {
        output::line(crate::schedule::json_schema::text().trim_end());
        return Ok(0);
    }
    let schedule = match context.schedule() {
        Ok(schedule) => schedule,
        Err(Failure::Schedule(diagnostics)) => return Ok(print(context, &diagnostics, None, "")),
        Err(other) => return Err(other),
    };
    let mut found = schedule.warnings().to_vec();
    let settings = context.settings()?;
    let mut coverage = None;
    if arguments.strict {
        // What no class claims cannot be told from the file.
        context.url(&settings)?;
    }
    let mut place =
        "the file alone was looked at; give --database URL to compare it with a database";
    if !arguments.offline && context.url_if_any(&settings).is_some() {
        let mut conn = context.connect(&settings).await?;
        let drawn = survey::draw(&mut conn, &schedule, context.clock.now()).await?;
        let versions = survey::versions(&mut conn, &schedule).await?;
        let constraints = survey::probe(&mut conn, &schedule, &drawn).await;
        let left_out = survey::coverage(&mut conn, &schedule, &drawn).await?;
        let _ = conn.close().await;
        if versions.coming == survey::Coming::Waits {
            found.extend(versions.asking().map(crate::schedule::Change::diagnostic));
        }
        for class in drawn.plan.classes() {
            found.extend(class.refusals.iter().cloned());
            found.extend(class.warnings.iter().cloned());
        }
        for class in drawn.plan.processors() {
            found.extend(class.warnings.iter().cloned());
        }
        found.extend(constraints?);
        found.extend(plan::server_advice(&schedule, &drawn.catalog));
        if settings.erasure().url().is_some() {
            // Somebody else rewrites.
            found.retain(|diagnostic| diagnostic.code != Code::MayNotRewrite);
        }
        unknown_stores(&schedule, &settings, &mut found);
        found.extend(left_out.diagnostics(&schedule, arguments.strict));
        coverage = Some(left_out);
        place = "";
    } else if arguments.offline {
        place = "the file alone was looked at";
    }
    let mut seen = Vec::new();
    found.retain(|diagnostic| {
        let key = (diagnostic.code, diagnostic.message.clone());
        !seen.contains(&key) && {
            seen.push(key);
            true
        }
    });
    Ok(print(
        context,
        &schedule.diagnostics(found),
        coverage.as_ref(),
        place,
    ))
}

fn unknown_stores(
    schedule: &Schedule,
    settings: &crate::settings::Settings,
    found: &mut Vec<Diagnostic>,
) {
    for class in schedule.classes() {
        let Rule::Dispose(dispose) = class.rule() else {
            continue;
        };
        for file in &dispose.files {
            if !settings.stores().contains_key(&file.store) {
                found.push(
                    Diagnostic::new(
                        Code::UnknownStore,
                        format!(
                            "class `{}`: the settings have no file store `{}`",
                            class.id(),
                            file.store
                        ),
                    )
                    .hint(format!(
                        "add to the settings: [stores.{}] with path = \"/the/folder\"",
                        file.store
                    ))
                    .at(file.place),
                );
            }
        }
    }
}

fn print(
    context: &Context,
    diagnostics: &Diagnostics,
    coverage: Option<&survey::Coverage>,
    remark: &str,
) -> u8 {
    let count = |severity| {
        diagnostics
            .items
            .iter()
            .filter(|d| d.severity == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if context.json() {
        output::json(
            &json!({ "check": { "diagnostics": diagnostics.json(), "coverage": coverage } }),
        );
    } else {
        let shown = diagnostics.render(output::colour_on_stdout());
        if !shown.trim().is_empty() {
            output::line(shown.trim_end());
            output::line("");
        }
        let counted = |n: usize, one: &str, many: &str| match n {
            0 => format!("no {many}"),
            n => output::counted(n as u64, one, many),
        };
        output::line(&format!(
            "{}: {}, {}.",
            diagnostics.file,
            counted(errors, "error", "errors"),
            counted(warnings, "warning", "warnings")
        ));
        if !remark.is_empty() {
            output::line(&format!("Note: {remark}."));
        }
        if errors > 0 && !context.global.quiet {
            output::line("`retentiond check --explain CODE` says more about a code.");
        }
    }
    let faulty = diagnostics
        .items
        .iter()
        .any(|d| d.severity == Severity::Error && d.code != Code::UncoveredTable);
    match errors {
        0 => 0,
        _ if faulty => 2,
        // The schedule is right as far as it goes; somebody has to decide about the rest.
        _ => 3,
    }
}

fn explain(context: &Context, text: &str) -> Result<u8, Failure> {
    let code: Code = text.to_uppercase().parse().map_err(|_| {
        Failure::usage(
            Code::UnknownWord,
            format!("there is no code `{text}`"),
            "codes look like R0107; every message shows its own",
        )
    })?;
    if context.json() {
        output::json(
            &json!({ "explanation": { "code": code.as_str(), "text": code.explanation() } }),
        );
    } else {
        output::line(&format!(
            "{}{code}{}\n\n{}",
            output::STRONG,
            output::RESET,
            code.explanation().trim()
        ));
    }
    Ok(0)
}
