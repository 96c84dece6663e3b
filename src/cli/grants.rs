//! `retentiond grants`: the least that the roles need, as SQL for an administrator.

use serde_json::json;
use sqlx::Connection;

use super::args;
use super::context::Context;
use super::failure::Failure;
use super::output;
use crate::schedule::Code;
use crate::{catalog, grants, plan, survey};

pub(super) async fn run(context: &Context, arguments: args::Grants) -> Result<u8, Failure> {
    let names = grants::Names::new(&arguments.role_prefix).map_err(|error| {
        Failure::usage(
            Code::UnknownWord,
            format!(
                "`{}` cannot begin the name of a role: {error}",
                arguments.role_prefix
            ),
            "a short word, such as retentiond",
        )
    })?;
    let schedule = context.schedule()?;
    let settings = context.settings()?;
    let mut conn = context.connect(&settings).await?;
    let (drawn, versions) =
        survey::draw_in_force(&mut conn, &schedule, context.clock.now()).await?;
    if !drawn.migrated {
        return Err(Failure::Other {
            code: Code::NotMigrated,
            exit: 1,
            message: "the database has no schema `retentiond` that the roles could use".to_owned(),
            causes: Vec::new(),
            hint: Some("run `retentiond migrate` first, as the schema's owner to be".to_owned()),
        });
    }
    let needs = |version, waiting| {
        plan::needs(version, waiting, &drawn.catalog)
            .map_err(|error| Failure::failed(Code::Unreachable, &error, None))
    };
    // What is in force acts until the file is accepted, and the file acts then.
    let mut classes = needs(&schedule, None)?;
    if let (Some(acting), Some(waiting)) = (versions.acting(&schedule), versions.waiting(&schedule))
    {
        classes.extend(needs(acting, Some(waiting))?);
    }
    let own = catalog::own(&mut conn).await.map_err(unread)?;
    let held = catalog::held(&mut conn, names.all())
        .await
        .map_err(unread)?;
    let _ = conn.close().await;
    let statements = grants::write(&grants::Request {
        names: &names,
        classes: &classes,
        catalog: &drawn.catalog,
        own: &own,
        held: &held,
    });
    if context.json() {
        let roles: Vec<&str> = names.all().map(crate::ident::Ident::as_str).collect();
        let statements: Vec<&str> = statements
            .iter()
            .map(|statement| statement.sql.as_str())
            .filter(|sql| !sql.is_empty())
            .collect();
        output::json(&json!({ "grants": { "roles": roles, "statements": statements } }));
    } else {
        output::line(grants::text(&statements).trim_end());
    }
    Ok(0)
}

fn unread(error: catalog::CatalogError) -> Failure {
    survey::SurveyError::from(error).into()
}
