//! What is to be said of one record: why it is still there, when it will go, or why it
//! is gone.

mod gates;
mod gone;
mod verdict;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, Row};

use super::{Drawn, SurveyError};
use crate::catalog::Catalog;
use crate::ident::{ClassId, TableName};
use crate::ledger::store::{RecordLine, find_record};
use crate::ledger::{Action, KeyColumn, KeyColumns, KeyKind, RecordKey};
use crate::plan::{ClassPlan, Standing};
use crate::schedule::{Gate, Limit, Rule};
use crate::store;
pub use gates::Awaited;
pub use gone::{Gone, Proof, Word};
use verdict::{decide_who_governs, state, why, will_go_on};

/// The answer for one record. See `json.md`, "explain".
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The table.
    pub table: String,
    /// The key, `{ "id": 42 }`.
    pub key: Value,
    /// `kept`, `due`, `held`, … `gone`, `unknown`.
    pub state: &'static str,
    /// The classes that claim it.
    pub claims: Vec<Claim>,
    /// Why the class that governs does.
    pub why: Option<String>,
    /// What it waits for before it may go, or waited for.
    pub gates: Vec<Awaited>,
    /// Open holds on it.
    pub holds: Vec<Held>,
    /// The day on which it would go, if nothing changes.
    pub will_go_on: Option<NaiveDate>,
    /// The record that it hangs on.
    pub parent: Option<Parent>,
    /// How it went, where it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone: Option<Gone>,
    /// What the ledger says of it, oldest first.
    pub history: Vec<Event>,
}

/// One class that claims a record.
#[derive(Debug, Clone, Serialize)]
pub struct Claim {
    /// The class.
    pub class: ClassId,
    /// Its title.
    pub title: String,
    /// `flag`, `anonymise`, `delete` or `retain`.
    pub disposal: &'static str,
    /// Whether the period is a maximum.
    pub maximum: bool,
    /// Whether the class's condition is TRUE, or only not FALSE.
    pub certain: bool,
    /// The trigger's date as PostgreSQL writes it; none without one.
    pub trigger: Option<String>,
    /// The last day.
    pub last_day: Option<NaiveDate>,
    /// Whether this class decides.
    pub governs: bool,
    /// Whether the class's `or_when` holds, so that the record is past at once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub at_once: bool,
    /// The day of the person's request that brought the last day forward.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_on: Option<NaiveDate>,
    /// Why nothing is counted from its trigger: `without`, `implausible`, `future`.
    pub undated: Option<String>,
    /// What keeps a class that claims it from acting, in words.
    pub note: Option<String>,
}

/// An open hold.
#[derive(Debug, Clone, Serialize)]
pub struct Held {
    /// Its number.
    pub hold: i64,
    /// Its kind.
    pub kind: String,
    /// The matter.
    pub reference: String,
    /// The last day that it protects.
    pub until: Option<NaiveDate>,
}

/// The record that a dependant hangs on.
#[derive(Debug, Clone, Serialize)]
pub struct Parent {
    /// Its table.
    pub table: String,
    /// Its key.
    pub key: Value,
}

/// One line of the ledger about a record.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// The leaf index; none until sealed.
    pub entry: Option<u64>,
    /// The entry's own number.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub action: &'static str,
    /// Under which class.
    pub class: Option<ClassId>,
    /// Under which version of the schedule.
    pub schedule: Option<String>,
    /// In which pass.
    pub run: Option<i64>,
    /// On whose word.
    pub actor: String,
    /// The trigger that counted.
    pub trigger: Option<NaiveDate>,
    /// The last day.
    pub last_day: Option<NaiveDate>,
    /// The record that it went with.
    pub parent: Option<Value>,
}

/// The columns of a table's key, in the ledger's form; `None` without one.
#[must_use]
pub fn key_columns(catalog: &Catalog, table: &TableName) -> Option<KeyColumns> {
    let table = catalog.table(table)?;
    let columns = table
        .key
        .iter()
        .filter_map(|name| table.column(name))
        .map(|column| KeyColumn {
            name: column.name.clone(),
            kind: if column.sort == crate::catalog::Sort::Integer {
                KeyKind::Int
            } else {
                KeyKind::Text
            },
        })
        .collect();
    KeyColumns::new(columns).ok()
}

/// What one class says of the record.
struct Said {
    claim: Claim,
    state: Option<String>,
    held: bool,
    is_minimum: bool,
    retains: bool,
    /// The last day of the class's own disposal, by which it governs; its claim shows that
    /// of the stage that comes next.
    last: Option<NaiveDate>,
    /// It has stages.
    staged: bool,
}

/// Explains one record on the day of the plan.
///
/// # Errors
/// When the database does not answer, or a key's value does not fit its column.
pub async fn explain(
    conn: &mut PgConnection,
    drawn: &Drawn,
    table: &TableName,
    columns: &KeyColumns,
    key: &RecordKey,
) -> Result<Explanation, SurveyError> {
    let history = if drawn.migrated {
        history(conn, table, key).await?
    } else {
        Vec::new()
    };
    within(conn, drawn, table, columns, key, &[], history).await
}

/// The same without what the ledger says of it.
pub(super) async fn standing(
    conn: &mut PgConnection,
    drawn: &Drawn,
    table: &TableName,
    columns: &KeyColumns,
    key: &RecordKey,
) -> Result<Explanation, SurveyError> {
    within(conn, drawn, table, columns, key, &[], Vec::new()).await
}

/// The same for a record that others hang on, which were asked about before: rows of one
/// table can hang on one another in a circle.
async fn within(
    conn: &mut PgConnection,
    drawn: &Drawn,
    table: &TableName,
    columns: &KeyColumns,
    key: &RecordKey,
    before: &[(TableName, Value)],
    history: Vec<Event>,
) -> Result<Explanation, SurveyError> {
    let mut answer = Explanation {
        table: table.to_string(),
        key: key.to_json(columns),
        state: "unknown",
        claims: Vec::new(),
        why: None,
        gates: Vec::new(),
        gone: None,
        holds: if drawn.migrated {
            holds(conn, drawn, table, key).await?
        } else {
            Vec::new()
        },
        will_go_on: None,
        parent: None,
        history,
    };
    if !exists(conn, drawn, table, key).await? {
        let gone = answer
            .history
            .iter()
            .any(|event| event.action == Action::Deleted.name());
        if gone {
            answer.state = "gone";
            answer.gone = gone::gone(conn, drawn, table, columns, key, &answer.history).await?;
        }
        return Ok(answer);
    }
    let mut said = Vec::new();
    for class in drawn
        .plan
        .classes()
        .iter()
        .filter(|class| &class.table == table)
    {
        said.extend(ask(conn, drawn, class, table, key).await?);
    }
    decide_who_governs(&mut said);
    answer.state = state(&said, &answer);
    answer.will_go_on = will_go_on(&said, answer.state, drawn.plan.on());
    if answer.state == "kept" && answer.will_go_on.is_some_and(|day| day <= drawn.plan.on()) {
        // By its own classes it would go, and yet the statement that acts would not take it.
        answer.will_go_on = None;
        if let Some(said) = said
            .iter_mut()
            .find(|said| said.claim.governs && said.claim.note.is_none())
        {
            said.claim.note = Some(
                "something that belongs to it is kept by a class of its own, and so it stays too"
                    .to_owned(),
            );
        }
    }
    answer.why = why(&said);
    answer.claims = said.into_iter().map(|said| said.claim).collect();
    answer.gates = gates::gates(conn, drawn, table, key, &answer.claims).await?;
    let mut asked = before.to_vec();
    asked.push((table.clone(), answer.key.clone()));
    hang(conn, drawn, &mut answer, table, key, &asked).await?;
    Ok(answer)
}

/// A value that does not fit its column (SQLSTATE class 22) is the asker's; the rest is not.
fn database(source: sqlx::Error) -> SurveyError {
    let unfit = |code: &str| code.starts_with("22");
    if source
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| unfit(&code))
    {
        return SurveyError::Record {
            reason: store::reason(&source),
        };
    }
    SurveyError::Database {
        what: "the record",
        source,
    }
}

/// `t`'s row with the key `$1…`.
fn by_key(drawn: &Drawn, table: &TableName) -> Option<String> {
    let found = drawn.catalog.table(table)?;
    let columns = found
        .key
        .iter()
        .filter_map(|name| found.column(name))
        .enumerate();
    let equal: Vec<String> = columns
        .map(|(nth, c)| {
            format!(
                "t.{} = ${}::text::{}",
                c.name.quoted(),
                nth + 1,
                c.type_name
            )
        })
        .collect();
    Some(format!(
        "{} AS t WHERE {}",
        table.quoted(),
        equal.join(" AND ")
    ))
}

async fn exists(
    conn: &mut PgConnection,
    drawn: &Drawn,
    table: &TableName,
    key: &RecordKey,
) -> Result<bool, SurveyError> {
    let Some(row) = by_key(drawn, table) else {
        return Ok(false);
    };
    let sql = format!("SELECT 1 FROM {row}");
    let mut query = store::planned(&sql);
    for value in key.to_texts() {
        query = query.bind(value);
    }
    Ok(query
        .fetch_optional(conn)
        .await
        .map_err(database)?
        .is_some())
}

async fn holds(
    conn: &mut PgConnection,
    drawn: &Drawn,
    table: &TableName,
    key: &RecordKey,
) -> Result<Vec<Held>, SurveyError> {
    let holders = drawn
        .plan
        .classes()
        .iter()
        .filter(|class| &class.table == table)
        .find_map(|class| class.questions.as_ref()?.holders.as_ref());
    let rows = match holders {
        Some(sql) => {
            let mut query = store::planned(sql);
            for value in key.to_texts() {
                query = query.bind(value);
            }
            let row = query.fetch_optional(&mut *conn).await.map_err(database)?;
            let ids: Vec<i64> = match row {
                Some(row) => row.try_get(0).map_err(database)?,
                None => Vec::new(),
            };
            sqlx::query(
                "SELECT hold_id, kind, reference, until_on FROM retentiond.hold
                  WHERE hold_id = ANY ($1) ORDER BY hold_id",
            )
            .bind(ids)
            .fetch_all(conn)
            .await
        }
        // No class says anything of the table.
        None => {
            sqlx::query(
                "SELECT hold_id, kind, reference, until_on FROM retentiond.hold
                  WHERE table_name = $1 AND key = $2 AND released_at IS NULL AND expired_at IS NULL
                    AND (until_on IS NULL OR until_on >= $3) ORDER BY hold_id",
            )
            .bind(table.to_string())
            .bind(key.to_texts())
            .bind(drawn.plan.on())
            .fetch_all(conn)
            .await
        }
    }
    .map_err(database)?;
    rows.iter()
        .map(|row| {
            Ok(Held {
                hold: row.try_get(0)?,
                kind: row.try_get(1)?,
                reference: row.try_get(2)?,
                until: row.try_get(3)?,
            })
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(database)
}

/// Whether a class that is refused may claim the record. Where its condition cannot even
/// be asked, it may claim every one.
async fn might_claim(
    conn: &mut PgConnection,
    drawn: &Drawn,
    class: &ClassPlan,
    table: &TableName,
    key: &RecordKey,
) -> bool {
    let (Some(condition), Some(row)) = (drawn.conditions.get(&class.id), by_key(drawn, table))
    else {
        return true;
    };
    let sql = format!("SELECT ({condition}) IS NOT FALSE FROM {row}");
    let mut query = store::planned(&sql);
    for value in key.to_texts() {
        query = query.bind(value);
    }
    let answer = query.fetch_optional(conn).await.ok().flatten();
    answer.and_then(|row| row.try_get(0).ok()).unwrap_or(true)
}

async fn ask(
    conn: &mut PgConnection,
    drawn: &Drawn,
    class: &ClassPlan,
    table: &TableName,
    key: &RecordKey,
) -> Result<Option<Said>, SurveyError> {
    let mut claim = Claim {
        class: class.id.clone(),
        title: class.title.clone(),
        disposal: class.disposal,
        maximum: class.is_maximum,
        certain: false,
        trigger: None,
        last_day: None,
        governs: false,
        at_once: false,
        requested_on: None,
        undated: None,
        note: None,
    };
    let (is_minimum, retains, gate) = match &class.rule {
        Rule::Retain { .. } => (false, true, Gate::None),
        Rule::Dispose(dispose) => (dispose.limit == Limit::Minimum, false, dispose.gate),
    };
    let Some(questions) = &class.questions else {
        if !might_claim(conn, drawn, class, table, key).await {
            return Ok(None);
        }
        claim.note = Some("refused: it does not fit the database, and protects what it might claim; `retentiond check` says why".to_owned());
        return Ok(Some(Said {
            claim,
            state: Some("retained".to_owned()),
            held: false,
            is_minimum: true,
            retains: true,
            last: None,
            staged: false,
        }));
    };
    let mut query = store::planned(&questions.explain);
    for value in key.to_texts() {
        query = query.bind(value);
    }
    let Some(row) = query.fetch_optional(conn).await.map_err(database)? else {
        return Ok(None);
    };
    let read = || -> Result<_, sqlx::Error> {
        Ok((
            row.try_get::<bool, _>(0)?,
            row.try_get::<bool, _>(1)?,
            row.try_get::<Option<String>, _>(2)?,
            row.try_get::<Option<String>, _>(3)?,
            row.try_get::<Option<String>, _>(4)?,
            row.try_get::<Option<String>, _>(5)?,
            row.try_get::<bool, _>(7)?,
            row.try_get::<Option<String>, _>(8)?,
            row.try_get::<bool, _>(9)?,
            row.try_get::<Option<String>, _>(10)?,
        ))
    };
    let (certain, possible, trigger, last_day, undated, state, held, last, at_once, erased) =
        read().map_err(database)?;
    if !possible {
        return Ok(None);
    }
    claim.certain = certain;
    claim.trigger = trigger;
    claim.last_day = last_day.and_then(|day| day.parse().ok());
    claim.undated = undated;
    let requested: Option<NaiveDate> = erased.and_then(|day| day.parse().ok());
    claim.requested_on = requested.and_then(|day| day.succ_opt());
    claim.at_once = at_once && claim.requested_on.is_none();
    claim.note = match (class.standing, gate) {
        _ if retains => match &class.rule {
            Rule::Retain { owner, reason, .. } => Some(format!("{reason} ({owner})")),
            Rule::Dispose(_) => None,
        },
        (Standing::Waiting, Gate::Instruction) => {
            Some("waits for the controller's instruction".to_owned())
        }
        (_, Gate::Review) if state.as_deref() == Some("waiting") => {
            Some("waits for a person's review".to_owned())
        }
        _ if !certain => Some(
            "its condition cannot be told true or false for this record, so it only protects"
                .to_owned(),
        ),
        _ => None,
    };
    if state.as_deref() == Some("noticed") && claim.note.is_none() {
        claim.note = Some("waits until its notice is over".to_owned());
    }
    // Only a claim that is TRUE disposes; one that may be protects, and is at most waited for.
    let state = state.filter(|state| {
        certain
            || matches!(
                state.as_str(),
                "held" | "conflict" | "waiting" | "noticed" | "retained"
            )
    });
    Ok(Some(Said {
        claim,
        state,
        held,
        is_minimum,
        retains,
        // What is past at once counts as the earliest.
        last: match at_once && requested.is_none() {
            true => Some(NaiveDate::MIN),
            false => last.and_then(|day| day.parse().ok()),
        },
        staged: matches!(&class.rule, Rule::Dispose(dispose) if !dispose.stages.is_empty()),
    }))
}

/// Most rows hang on one record, a consent form on as many as there are photos with it.
const PARENTS: usize = 100;

/// Names the record that a row hangs on, and lets a row that no class claims share its
/// fate. A row that refers to the record goes with the first such record that goes; a row
/// that records refer to, with the last.
async fn hang(
    conn: &mut PgConnection,
    drawn: &Drawn,
    answer: &mut Explanation,
    table: &TableName,
    key: &RecordKey,
    asked: &[(TableName, Value)],
) -> Result<(), SurveyError> {
    let mut above: Vec<Explanation> = Vec::new();
    let mut shared = false;
    for class in drawn.plan.classes() {
        let Some(questions) = &class.questions else {
            continue;
        };
        let Some(columns) = key_columns(&drawn.catalog, &class.table) else {
            continue;
        };
        for question in questions
            .parents
            .iter()
            .filter(|question| &question.table == table)
        {
            shared |= question.shared;
            // The plan's question names one record; here all that there are count.
            let sql = format!(
                "{} LIMIT {PARENTS}",
                question.sql.trim_end_matches(" LIMIT 1")
            );
            let mut query = store::planned(&sql);
            for value in key.to_texts() {
                query = query.bind(value);
            }
            for row in query.fetch_all(&mut *conn).await.map_err(database)? {
                let texts: Vec<String> = row.try_get(0).map_err(database)?;
                let Ok(parent) = RecordKey::from_texts(&columns, &texts) else {
                    continue;
                };
                let named = parent.to_json(&columns);
                if above
                    .iter()
                    .any(|known| known.key == named && known.table == class.table.to_string())
                    || asked.contains(&(class.table.clone(), named))
                {
                    continue;
                }
                let answer = within(
                    conn,
                    drawn,
                    &class.table,
                    &columns,
                    &parent,
                    asked,
                    Vec::new(),
                );
                above.push(Box::pin(answer).await?);
            }
        }
    }
    // Of what has no day nothing is known but that it is not soon.
    let day = |above: &Explanation| above.will_go_on.unwrap_or(NaiveDate::MAX);
    let held = above.iter().position(|above| above.state == "held");
    let deciding = match held {
        Some(nth) => Some(above.swap_remove(nth)),
        None if shared => above.into_iter().rev().max_by_key(day),
        None => above.into_iter().min_by_key(day),
    };
    let Some(deciding) = deciding else {
        return Ok(());
    };
    if answer.claims.is_empty() && answer.state != "held" {
        answer.state = deciding.state;
        answer.will_go_on = deciding.will_go_on;
    }
    answer.parent = Some(Parent {
        table: deciding.table,
        key: deciding.key,
    });
    Ok(())
}

async fn history(
    conn: &mut PgConnection,
    table: &TableName,
    key: &RecordKey,
) -> Result<Vec<Event>, SurveyError> {
    let day = |days: Option<i32>| days.and_then(NaiveDate::from_epoch_days);
    let lines: Vec<RecordLine> = find_record(conn, table, key).await?;
    Ok(lines
        .into_iter()
        .map(|line| Event {
            entry: line.entry.index,
            id: line.entry.entry.id.0,
            at: line.entry.entry.at,
            action: line.entry.entry.action.name(),
            class: line.entry.entry.class.clone(),
            schedule: line
                .entry
                .entry
                .schedule
                .map(|digest| format!("sha256:{}", hex::encode(digest))),
            run: line.entry.entry.run,
            actor: line.entry.entry.actor.clone(),
            trigger: day(line.trigger),
            last_day: day(line.last_day),
            parent: line
                .parent
                .zip(line.parent_columns)
                .map(|(key, columns)| key.to_json(&columns)),
        })
        .collect())
}
