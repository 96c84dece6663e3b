//! What is held about a person, and what of their requests is left to do.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, Row};

use super::explain::standing;
use super::{Drawn, Explanation, SurveyError, key_columns};
use crate::ident::TableName;
use crate::ledger::RecordKey;
use crate::plan::{self, SubjectTable};
use crate::schedule::Schedule;
use crate::store;

/// A record about a person.
#[derive(Debug, Clone, Serialize)]
pub struct Personal {
    /// How it stands, as `explain` says.
    #[serde(flatten)]
    pub stands: Explanation,
    /// By what document each class that claims it says so, and on what lawful basis.
    pub authorities: Vec<Authority>,
    /// The record itself, column by column; asked for by who may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
    /// What hangs on it, or what it refers to, by table.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, Vec<Value>>,
}

/// What orders that a record is kept, or goes.
#[derive(Debug, Clone, Serialize)]
pub struct Authority {
    /// The class.
    pub class: String,
    /// What people call it.
    pub title: String,
    /// The document.
    pub authority: String,
    /// Why the data may be held at all.
    pub lawful_basis: Option<String>,
    /// Whether a person can have the records erased before their time.
    pub erasure_right: bool,
}

/// Looks for everything about a person in the tables whose class names one. `content` says whether
/// the records themselves are read as well.
///
/// # Errors
/// When the database does not answer.
pub async fn personal(
    conn: &mut PgConnection,
    schedule: &Schedule,
    drawn: &Drawn,
    subject: &str,
    content: bool,
) -> Result<Vec<Personal>, SurveyError> {
    let mut found = Vec::new();
    for asked in plan::subject_tables(schedule, &drawn.catalog) {
        let Some(columns) = key_columns(&drawn.catalog, &asked.table) else {
            continue;
        };
        for texts in keys(conn, &asked, subject).await? {
            let Ok(key) = RecordKey::from_texts(&columns, &texts) else {
                continue;
            };
            let stands = standing(conn, drawn, &asked.table, &columns, &key).await?;
            let authorities = stands
                .claims
                .iter()
                .filter_map(|claim| schedule.class(&claim.class))
                .map(|class| Authority {
                    class: class.id().to_string(),
                    title: class.title().to_owned(),
                    authority: class.authority().to_owned(),
                    lawful_basis: class.lawful_basis().map(str::to_owned),
                    erasure_right: class.dispose().is_some_and(|rule| rule.erasure_right),
                })
                .collect();
            let mut one = Personal {
                stands,
                authorities,
                content: None,
                with: BTreeMap::new(),
            };
            if content {
                let asked_of = &asked.table;
                one.content = values(conn, asked_of, &asked.record, &texts)
                    .await?
                    .into_iter()
                    .next();
                for (table, sql) in hanging(drawn, &asked.table) {
                    let rows = values(conn, asked_of, sql, &texts).await?;
                    if !rows.is_empty() {
                        one.with.insert(table.to_string(), rows);
                    }
                }
            }
            found.push(one);
        }
    }
    Ok(found)
}

/// What hangs on the records of a table, by whichever of its classes says so.
fn hanging<'a>(drawn: &'a Drawn, table: &TableName) -> BTreeMap<&'a TableName, &'a String> {
    let classes = drawn.plan.classes().iter();
    classes
        .filter(|class| &class.table == table)
        .filter_map(|class| class.questions.as_ref())
        .flat_map(|questions| &questions.hanging)
        .map(|(name, sql)| (name, sql))
        .collect()
}

fn broken(table: &TableName) -> impl Fn(sqlx::Error) -> SurveyError {
    move |error| SurveyError::Table {
        table: table.clone(),
        reason: store::reason(&error),
    }
}

async fn keys(
    conn: &mut PgConnection,
    asked: &SubjectTable,
    subject: &str,
) -> Result<Vec<Vec<String>>, SurveyError> {
    let failed = broken(&asked.table);
    let query = store::planned(&asked.keys).bind(subject);
    let rows = query.fetch_all(conn).await.map_err(&failed)?;
    rows.iter()
        .map(|row| row.try_get(0).map_err(&failed))
        .collect()
}

async fn values(
    conn: &mut PgConnection,
    table: &TableName,
    sql: &str,
    key: &[String],
) -> Result<Vec<Value>, SurveyError> {
    let failed = broken(table);
    let mut query = store::planned(sql);
    for text in key {
        query = query.bind(text);
    }
    let rows = query.fetch_all(conn).await.map_err(&failed)?;
    let texts: Vec<String> = rows
        .iter()
        .map(|row| row.try_get(0).map_err(&failed))
        .collect::<Result<_, _>>()?;
    Ok(texts
        .iter()
        .filter_map(|text| serde_json::from_str(text).ok())
        .collect())
}

/// How many records are left of what a request for this person's erasure is to dispose of. `None`
/// where a class that names people cannot be asked, and may have some.
///
/// # Errors
/// When the database does not answer.
pub async fn left_to_erase(
    conn: &mut PgConnection,
    schedule: &Schedule,
    drawn: &Drawn,
    subject: &str,
) -> Result<Option<u64>, SurveyError> {
    let tables: Vec<TableName> = plan::subject_tables(schedule, &drawn.catalog)
        .into_iter()
        .map(|asked| asked.table)
        .collect();
    // Where no class says any more whom its records are about, nobody can say that it is done.
    if tables.is_empty() {
        return Ok(None);
    }
    let mut left = 0;
    for class in drawn.plan.classes() {
        let of_people = schedule
            .class(&class.id)
            .is_some_and(|class| class.subject().is_some())
            || tables.contains(&class.table);
        if !of_people {
            continue;
        }
        let Some(questions) = &class.questions else {
            return Ok(None);
        };
        let Some(sql) = &questions.left else {
            continue;
        };
        let failed = broken(&class.table);
        let query = store::planned(sql).bind(subject);
        let row = query.fetch_one(&mut *conn).await.map_err(&failed)?;
        left += row.try_get::<i64, _>(0).map_err(&failed)?.unsigned_abs();
    }
    Ok(Some(left))
}

/// Tells of everybody whom the tables name, with how many records are about them, table by table
/// and as the table's column writes it.
///
/// # Errors
/// When the database does not answer.
pub async fn everybody(
    conn: &mut PgConnection,
    schedule: &Schedule,
    drawn: &Drawn,
    mut tell: impl FnMut(&str, u64),
) -> Result<(), SurveyError> {
    for asked in plan::subject_tables(schedule, &drawn.catalog) {
        let failed = broken(&asked.table);
        for sql in &asked.named {
            let mut rows = store::planned(sql).fetch(&mut *conn);
            while let Some(row) = rows.try_next().await.map_err(&failed)? {
                let named: String = row.try_get(0).map_err(&failed)?;
                let count: i64 = row.try_get(1).map_err(&failed)?;
                tell(&named, count.unsigned_abs());
            }
        }
    }
    Ok(())
}
