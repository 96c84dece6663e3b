//! Where PostgreSQL can say the same as the model, it is asked.
//!
//! The model's three-valued logic, its days in London, its last days and its reading
//! of rows are its own code; each is compared here with what the database answers on
//! a loaded world. That a row may go at all only the rules' page can say.

use chrono::NaiveDate;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::calendar::{Day, Rounding};
use super::compare::End;
use super::pass::{Action, Outcome};
use super::render::quoted;
use super::rules::{State, active, trigger};
use super::value::{Kind, Value};
use super::world::{
    Anonymisation, Class, Disposal, Dispose, Later, RowId, Strategy, Table, Trigger, World,
};

/// Creates the world's tables and rows.
///
/// # Errors
/// As the database answers.
pub async fn load(world: &World, database: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(world.schema_sql()))
        .execute(&mut *database)
        .await?;
    sqlx::query("SET TimeZone = 'UTC'")
        .execute(&mut *database)
        .await?;
    sqlx::raw_sql(AssertSqlSafe(world.rows_sql()))
        .execute(&mut *database)
        .await?;
    Ok(())
}

/// Where the model and PostgreSQL differ about a loaded world; none if they agree.
///
/// # Errors
/// As the database answers.
pub async fn disagreements(
    world: &World,
    database: &mut PgConnection,
) -> Result<Vec<String>, sqlx::Error> {
    let start = State::of(world);
    let read = End::read(world, &mut *database, None).await?;
    let mut out = read.differences(&End::of(&start));
    for class in world
        .classes
        .iter()
        .filter(|class| world.refusal(class).is_none())
    {
        out.extend(claims(world, class, &start, database).await?);
        if let Some(rule) = class.dispose() {
            out.extend(last_days(world, class, rule, &start, database).await?);
            for (_, disposal) in rule.steps() {
                if let Disposal::Anonymise(list) = disposal {
                    out.extend(anonymised(world, class, list, &start, database).await?);
                }
            }
        }
    }
    Ok(out)
}

/// `SELECT key, expression FROM table`, the key as texts.
async fn ask(
    table: &Table,
    expression: &str,
    database: &mut PgConnection,
) -> Result<Vec<(RowId, sqlx::postgres::PgRow)>, sqlx::Error> {
    let key: Vec<_> = table
        .key
        .iter()
        .map(|c| format!("{}::text", quoted(&c.name)))
        .collect();
    let sql = format!(
        "SELECT {}, {expression} FROM {}",
        key.join(", "),
        quoted(&table.name)
    );
    let mut out = Vec::new();
    for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(database).await? {
        let key = (0..table.key.len())
            .map(|at| row.try_get(at))
            .collect::<Result<_, _>>()?;
        out.push((
            RowId {
                table: table.name.clone(),
                key,
            },
            row,
        ));
    }
    Ok(out)
}

async fn claims(
    world: &World,
    class: &Class,
    start: &State,
    database: &mut PgConnection,
) -> Result<Vec<String>, sqlx::Error> {
    let Some(claim) = &class.claim else {
        return Ok(Vec::new());
    };
    let table = world.table(&class.table);
    let mut out = Vec::new();
    for (id, row) in ask(table, &format!("({})", claim.sql()), database).await? {
        let found: Option<bool> = row.try_get(table.key.len())?;
        let mine = claim.holds(&start.rows[&id]);
        if found != mine {
            out.push(format!(
                "{} is {found:?} of {id:?}, not {mine:?}",
                claim.sql()
            ));
        }
    }
    Ok(out)
}

/// The trigger's day in London as PostgreSQL casts it, and that day plus the period.
async fn last_days(
    world: &World,
    class: &Class,
    rule: &Dispose,
    start: &State,
    database: &mut PgConnection,
) -> Result<Vec<String>, sqlx::Error> {
    let Trigger::Columns(list) = &rule.trigger else {
        return Ok(Vec::new());
    };
    let table = world.table(&class.table);
    let parts: Vec<_> = list
        .iter()
        .map(|(column, when)| {
            let when = when.as_ref().map_or("true".to_owned(), |w| w.sql());
            format!(
                "CASE WHEN {when} THEN {} END",
                day_of(world, table, rule, column)
            )
        })
        .collect();
    let day = format!("coalesce({})", parts.join(", "));
    let rounded = match rule.rounding {
        Rounding::Exact => day.clone(),
        Rounding::Month => end_of("month", &day, 0),
        Rounding::CalendarYear => end_of("year", &day, 0),
        Rounding::FinancialYear => end_of("year", &day, 3),
    };
    let touched = rule.unless_active.iter();
    let touched: Vec<_> = touched
        .map(|column| {
            let touched = day_of(world, table, rule, column);
            format!("coalesce({touched} > {day}, false)")
        })
        .chain(["false".to_owned()])
        .collect();
    let touched = touched.join(" OR ");
    let mut out = Vec::new();
    for step in 0..=rule.stages.len() {
        let period = rule.steps()[step].0;
        let expression = format!(
            "{day}::text, CASE WHEN isfinite({day}) \
         THEN ({rounded} + make_interval(months => {}, days => {}))::date END, {touched}",
            period.months(),
            period.days()
        );
        for (id, row) in ask(table, &expression, database).await? {
            let found: Option<String> = row.try_get(table.key.len())?;
            let last: Option<NaiveDate> = row.try_get(table.key.len() + 1)?;
            let mine = trigger(world, start, class, &id);
            if found != mine.and_then(|day| Value::Date(day).shown()) {
                out.push(format!("the trigger of {id:?} is {found:?}, not {mine:?}"));
            }
            let wanted = mine.map(|day| rule.last_day(step, day));
            let touched: bool = row.try_get(table.key.len() + 2)?;
            if mine.is_some_and(|day| active(rule, &start.rows[&id], day)) != touched {
                out.push(format!("that {id:?} was touched is {touched}"));
            }
            if let (Some(last), Some(wanted)) = (last, wanted)
                && Day::On(last) != wanted
            {
                out.push(format!("the last day of {id:?} is {last}, not {wanted:?}"));
            }
        }
    }
    Ok(out)
}

/// The civil day of a column, as PostgreSQL reads it.
fn day_of(world: &World, table: &Table, rule: &Dispose, column: &str) -> String {
    let related = world.related(table, column);
    let (home, column, value) = match related {
        None => (table, column, quoted(column)),
        Some((foreign, column)) => {
            let home = world.table(&foreign.parent);
            let keys = foreign.columns.iter().zip(&home.key);
            let keys = keys.map(|(own, key)| {
                let (here, own) = (quoted(&table.name), quoted(own));
                format!("up.{} = {here}.{own}", quoted(&key.name))
            });
            let found = format!(
                "(SELECT up.{} FROM {} AS up WHERE {})",
                quoted(column),
                quoted(&home.name),
                keys.collect::<Vec<_>>().join(" AND ")
            );
            (home, column, found)
        }
    };
    let kind = home
        .columns
        .iter()
        .find(|c| c.name == column)
        .map(|c| c.kind);
    let zone = match kind {
        Some(Kind::Instant) => " AT TIME ZONE 'Europe/London'".to_owned(),
        Some(Kind::Naive) => format!(
            " AT TIME ZONE '{}' AT TIME ZONE 'Europe/London'",
            rule.zone()
        ),
        _ => String::new(),
    };
    format!("({value}{zone})::date")
}

/// The last day of the month or year, which is so many months late.
fn end_of(unit: &str, day: &str, late: u32) -> String {
    format!(
        "(date_trunc('{unit}', ({day})::timestamp - interval '{late} months') \
         + interval '1 {unit}' + interval '{late} months' - interval '1 day')::date"
    )
}

async fn anonymised(
    world: &World,
    class: &Class,
    list: &[Anonymisation],
    start: &State,
    database: &mut PgConnection,
) -> Result<Vec<String>, sqlx::Error> {
    let table = world.table(&class.table);
    let mut out = Vec::new();
    for a in list {
        let column = quoted(&a.column);
        let expression = match a.strategy {
            Strategy::Null => continue,
            Strategy::Redact => format!("left({column}, 0) || '[redacted]'"),
            Strategy::Year => format!("date_trunc('year', {column}::timestamp)::date::text"),
            Strategy::Month => format!("date_trunc('month', {column}::timestamp)::date::text"),
            Strategy::Area => format!("split_part({column}, ' ', 1)"),
            // Only an object has keys: PostgreSQL refuses a path into an array or a scalar.
            Strategy::Remove => format!(
                "(CASE jsonb_typeof({column} #> '{{{}}}') WHEN 'object' \
                 THEN {column} #- '{{{}}}' ELSE {column} END)::text",
                a.path[..a.path.len() - 1].join(","),
                a.path.join(",")
            ),
        };
        for (id, row) in ask(table, &expression, database).await? {
            let found: Option<String> = row.try_get(table.key.len())?;
            let found = match a.strategy {
                Strategy::Remove => found.map(|text| {
                    super::value::canonical(&serde_json::from_str(&text).expect("JSON"))
                }),
                _ => found,
            };
            let before = &start.rows[&id][&a.column];
            let mine = super::value::anonymised(before, &a.path, a.strategy).shown();
            if found != mine {
                out.push(format!(
                    "{column} of {id:?} becomes {found:?}, not {mine:?}"
                ));
            }
        }
    }
    Ok(out)
}

/// Repeats the model's own deletions and unlinkings in a transaction that is rolled back, with
/// every foreign key checked at the end: the ends the model permits are possible ones.
///
/// # Errors
/// As the database answers: a violated key means that the model left a dangling row.
pub async fn possible(
    world: &World,
    outcome: &Outcome,
    database: &mut PgConnection,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query("BEGIN").execute(&mut *database).await?;
    for event in &outcome.events {
        if let Action::Unlinked(positions) = &event.action {
            let table = world.table(&event.row.table);
            let columns = positions.iter().flat_map(|p| &table.foreign[*p].columns);
            let set: Vec<_> = columns.map(|c| format!("{} = NULL", quoted(c))).collect();
            let sql = format!(
                "UPDATE {} SET {} WHERE {}",
                quoted(&table.name),
                set.join(", "),
                matching(table, &event.row)
            );
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut *database)
                .await?;
        }
    }
    // Children first: a key that is not declared would stop a deletion, or carry a row off.
    for table in world.tables.iter().rev() {
        // By one statement, since they may refer to one another.
        let gone: Vec<_> = outcome
            .events
            .iter()
            .filter(|event| event.row.table == table.name)
            .filter(|event| matches!(event.action, Action::Deleted | Action::DeletedWith(_)))
            .map(|event| format!("({})", matching(table, &event.row)))
            .collect();
        if !gone.is_empty() {
            let sql = format!(
                "DELETE FROM {} WHERE {}",
                quoted(&table.name),
                gone.join(" OR ")
            );
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut *database)
                .await?;
        }
    }
    let found = End::read(world, &mut *database, None).await?;
    sqlx::query("ROLLBACK").execute(&mut *database).await?;
    let wanted = End::of(&outcome.state);
    let missing = wanted
        .rows
        .keys()
        .filter(|id| !found.rows.contains_key(*id));
    let extra = found
        .rows
        .keys()
        .filter(|id| !wanted.rows.contains_key(*id));
    let missing = missing.map(|id| format!("{id:?} was carried off"));
    Ok(missing
        .chain(extra.map(|id| format!("{id:?} is left over")))
        .collect())
}

/// What people do on a later day, as the statements that do it.
pub fn changes_sql(world: &World, later: &Later) -> String {
    let statements = later.changes.iter().map(|(id, column, value)| {
        let table = world.table(&id.table);
        format!(
            "UPDATE {} SET {} = {} WHERE {};\n",
            quoted(&table.name),
            quoted(column),
            value.sql(),
            matching(table, id)
        )
    });
    statements.collect()
}

fn matching(table: &Table, id: &RowId) -> String {
    let parts: Vec<_> = table
        .key
        .iter()
        .zip(&id.key)
        .map(|(column, value)| format!("{} = {}", quoted(&column.name), Value::text(value).sql()))
        .collect();
    parts.join(" AND ")
}
