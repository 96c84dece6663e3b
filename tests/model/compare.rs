//! Where a real database ended up, in the model's terms, and how it differs.
//!
//! Every function answers with sentences, none if all is well. Keys are those of a
//! generated world, so that they may be shown.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde_json::Value as Json;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::calendar::Day;
use super::counts::{Counts, Span};
use super::pass::{Action, Event, Outcome};
use super::render::quoted;
use super::rules::{State, Status};
use super::value::{Kind, canonical};
use super::world::{RowId, World};

/// The flags of the engine: class, table, the key's values in key order as a JSON array
/// of texts, trigger day, last day. The one place here that knows the engine's tables.
pub const FLAGS: &str =
    "SELECT class_id, table_name, to_jsonb(key), trigger_on, last_day FROM retentiond.flag";

/// The end of a database: the text of every column of every row, and the flags on rows that exist.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct End {
    pub rows: BTreeMap<RowId, BTreeMap<String, Option<String>>>,
    pub flags: BTreeMap<(RowId, String), (Option<NaiveDate>, Option<NaiveDate>)>,
}

impl End {
    /// The end as the model has it.
    pub fn of(state: &State) -> Self {
        let rows = state.rows.iter().map(|(id, row)| {
            let columns = row
                .iter()
                .map(|(name, value)| (name.clone(), value.shown()));
            (id.clone(), columns.collect())
        });
        let flags = state.flags.iter().map(|(at, flag)| {
            (
                at.clone(),
                (flag.trigger.and_then(date), flag.last_day.and_then(date)),
            )
        });
        Self {
            rows: rows.collect(),
            flags: flags.collect(),
        }
    }

    /// The end as the database has it; `flags` is [`FLAGS`], or `None` to leave them out.
    ///
    /// # Errors
    /// As the database answers.
    pub async fn read(
        world: &World,
        database: &mut PgConnection,
        flags: Option<&'static str>,
    ) -> Result<Self, sqlx::Error> {
        sqlx::query("SET TimeZone = 'UTC'")
            .execute(&mut *database)
            .await?;
        sqlx::query("SET DateStyle = 'ISO'")
            .execute(&mut *database)
            .await?;
        let mut end = Self::default();
        for table in &world.tables {
            let columns: Vec<_> = table.key.iter().chain(&table.columns).collect();
            let list: Vec<_> = columns
                .iter()
                .map(|c| format!("{}::text", quoted(&c.name)))
                .collect();
            let sql = format!("SELECT {} FROM {}", list.join(", "), quoted(&table.name));
            for found in sqlx::query(AssertSqlSafe(sql))
                .fetch_all(&mut *database)
                .await?
            {
                let mut row = BTreeMap::new();
                for (position, column) in columns.iter().enumerate() {
                    let text: Option<String> = found.try_get(position)?;
                    let text = match column.kind {
                        Kind::Json => text.map(|text| {
                            canonical(&serde_json::from_str(&text).expect("JSON from PostgreSQL"))
                        }),
                        _ => text,
                    };
                    row.insert(column.name.clone(), text);
                }
                let key = table
                    .key
                    .iter()
                    .map(|c| row[&c.name].clone().unwrap_or_default());
                let id = RowId {
                    table: table.name.clone(),
                    key: key.collect(),
                };
                end.rows.insert(id, row);
            }
        }
        let Some(flags) = flags else { return Ok(end) };
        for found in sqlx::query(flags).fetch_all(&mut *database).await? {
            let key: Json = found.try_get(2)?;
            let id = RowId {
                table: plain(&found.try_get::<String, _>(1)?),
                key: texts(&key),
            };
            if end.rows.contains_key(&id) {
                let days = (found.try_get(3)?, found.try_get(4)?);
                end.flags.insert((id, found.try_get(0)?), days);
            }
        }
        Ok(end)
    }

    /// What stands here and not there, in sentences.
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        let mut out = Vec::new();
        for (id, row) in &expected.rows {
            let Some(found) = self.rows.get(id) else {
                out.push(format!("{} is gone and should be there", show(id)));
                continue;
            };
            for (column, value) in row {
                if found.get(column) != Some(value) {
                    out.push(format!(
                        "{}.{column} is {:?} and should be {value:?}",
                        show(id),
                        found.get(column)
                    ));
                }
            }
        }
        for id in self
            .rows
            .keys()
            .filter(|id| !expected.rows.contains_key(id))
        {
            out.push(format!("{} is there and should be gone", show(id)));
        }
        let places: BTreeSet<_> = self.flags.keys().chain(expected.flags.keys()).collect();
        for at in places {
            let (found, wanted) = (self.flags.get(at), expected.flags.get(at));
            if found != wanted {
                out.push(format!(
                    "{}'s flag by {} is {found:?} and should be {wanted:?}",
                    show(&at.0),
                    at.1
                ));
            }
        }
        out
    }
}

/// How the end differs from the nearest of those that are permitted.
pub fn end_differs(permitted: &[Outcome], found: &End) -> Vec<String> {
    let all = permitted
        .iter()
        .map(|outcome| found.differences(&End::of(&outcome.state)));
    all.min_by_key(Vec::len)
        .unwrap_or_else(|| vec!["no end is permitted".to_owned()])
}

/// After one pass: what stands still in every permitted end must stand still, and what was due
/// at the start and moves in every permitted end must have moved.
pub fn first_pass_differs(
    start: &State,
    permitted: &[Outcome],
    due: &BTreeSet<RowId>,
    found: &End,
) -> Vec<String> {
    let before = End::of(start);
    let ends: Vec<End> = permitted
        .iter()
        .map(|outcome| End::of(&outcome.state))
        .collect();
    let mut out = Vec::new();
    for (id, row) in &before.rows {
        let flagged = |end: &End| end.flags.keys().any(|(row, _)| row == id);
        let moved = |end: &End| end.rows.get(id) != Some(row) || flagged(end);
        if moved(found) && !ends.iter().any(&moved) {
            out.push(format!("{} was touched and nothing permits it", show(id)));
        }
        if due.contains(id) && !moved(found) && ends.iter().all(&moved) {
            out.push(format!(
                "{} was due and the first pass left it alone",
                show(id)
            ));
        }
    }
    out
}

/// How the plan's counts (`plan --format json`) differ from the model's.
pub fn plan_differs(plan: &Json, expected: &[(String, Counts)]) -> Vec<String> {
    let mut out = Vec::new();
    let classes = plan["plan"]["classes"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if classes.len() != expected.len() {
        out.push(format!(
            "the plan has {} classes, not {}",
            classes.len(),
            expected.len()
        ));
    }
    for (id, counts) in expected {
        match classes.iter().find(|class| class["id"] == **id) {
            None => out.push(format!("{id} is not in the plan")),
            Some(class) => class_differs(&mut out, id, class, counts),
        }
    }
    out
}

fn class_differs(out: &mut Vec<String>, id: &str, class: &Json, counts: &Counts) {
    let status = class["status"].as_str().unwrap_or("none");
    if counts.refused != (status == "refused") || counts.retains != (status == "retained") {
        out.push(format!(
            "{id} has the status {status}: {}",
            class["refusals"]
        ));
    }
    let exact = |n: usize| Span { least: n, most: n };
    if counts.refused {
        for name in [
            "claimed",
            "due",
            "held",
            "waiting",
            "overdue",
            "without_trigger",
        ] {
            if !class[name].is_null() {
                out.push(format!(
                    "{id} is refused, and its {name} is {}",
                    class[name]
                ));
            }
        }
        return;
    }
    let mut wanted = vec![
        ("claimed", exact(counts.claimed)),
        ("due", counts.state(Status::Due)),
    ];
    if !counts.retains {
        let cutoff = class["cutoff"].as_str();
        let mut cutoffs = counts.cutoffs.iter().map(|day| day.to_string());
        if !cutoffs.any(|day| cutoff == Some(&day)) {
            out.push(format!(
                "{id}'s cutoff is {} and should be {:?}",
                class["cutoff"], counts.cutoffs
            ));
        }
        wanted.extend([
            ("done", counts.state(Status::Done)),
            ("held", counts.state(Status::Held)),
            ("conflict", counts.state(Status::Conflict)),
            ("waiting", counts.state(Status::Waiting)),
            ("retained_by_other", counts.state(Status::RetainedByOther)),
            ("active", counts.state(Status::Active)),
            ("quarantined", exact(0)),
            ("overdue", counts.overdue),
            ("without_trigger", exact(counts.without_trigger)),
            ("implausible_trigger", exact(counts.implausible_trigger)),
            ("future_trigger", exact(counts.future_trigger)),
        ]);
        let states = [
            "due",
            "done",
            "held",
            "conflict",
            "waiting",
            "retained_by_other",
            "active",
            "quarantined",
        ];
        let sum: Option<u64> = states.iter().map(|name| class[*name].as_u64()).sum();
        if sum != Some(counts.past as u64) {
            out.push(format!(
                "{id}'s states sum to {sum:?}; {} rows are past",
                counts.past
            ));
        }
        for (table, span) in &counts.dependants {
            let list = &class["dependants"];
            let found = list
                .get(table)
                .or_else(|| list.get(format!("public.{table}")));
            let found = found.and_then(Json::as_u64).unwrap_or(0);
            if usize::try_from(found).map_or(true, |n| !span.holds(n)) {
                out.push(format!(
                    "{id} would take {found} of {table} and should {span:?}"
                ));
            }
        }
    }
    for (name, span) in wanted {
        let found = class[name].as_u64().and_then(|n| usize::try_from(n).ok());
        if !found.is_some_and(|n| span.holds(n)) {
            out.push(format!(
                "{id}'s {name} is {} and should be {span:?}",
                class[name]
            ));
        }
    }
}

/// One line of a manifest, from `ledger export`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub class: String,
    /// `deleted`, `anonymised`, `flagged` or `unlinked`.
    pub action: String,
    pub row: RowId,
}

impl Line {
    /// Reads an exported record; `None` for an entry of another kind. The key may be an
    /// array, or an object in key order.
    pub fn read(json: &Json) -> Option<Self> {
        let action = json["action"].as_str()?.to_owned();
        if !["deleted", "anonymised", "flagged", "unlinked"].contains(&action.as_str()) {
            return None;
        }
        let row = RowId {
            table: plain(json["table"].as_str()?),
            key: texts(&json["key"]),
        };
        Some(Self {
            class: json["class"].as_str()?.to_owned(),
            action,
            row,
        })
    }
}

/// Whether every change has its line and every line its change. `permitted` gives the changes
/// that may have happened (any order of the classes); `found` says which rows did go.
pub fn ledger_differs(
    world: &World,
    start: &State,
    permitted: &[Outcome],
    found: &End,
    exported: &[Json],
) -> Vec<String> {
    let mut out = Vec::new();
    let lines: Vec<Line> = exported.iter().filter_map(Line::read).collect();
    let allowed: BTreeSet<Line> = permitted
        .iter()
        .flat_map(|o| &o.events)
        .map(line_of)
        .collect();
    let before = End::of(start);
    let mut seen: BTreeMap<&Line, usize> = BTreeMap::new();
    for line in &lines {
        let times = seen.entry(line).or_default();
        *times += 1;
        // A row may be unlinked once for each of its foreign keys; all else happens once.
        let keys = world.tables.iter().find(|t| t.name == line.row.table);
        let keys = keys.map_or(1, |table| table.foreign.len());
        if *times > if line.action == "unlinked" { keys } else { 1 } {
            out.push(format!("the ledger says too often: {}", say(line)));
        }
        if !allowed.contains(line) {
            out.push(format!("nothing permits the ledger's line: {}", say(line)));
        }
        // A row that went later shows nothing any more: its line of deletion answers for it.
        if found.rows.contains_key(&line.row) {
            let flag = (line.row.clone(), line.class.clone());
            let shown = match line.action.as_str() {
                "deleted" => false,
                "flagged" => found.flags.contains_key(&flag),
                _ => found.rows.get(&line.row) != before.rows.get(&line.row),
            };
            if !shown {
                out.push(format!(
                    "the ledger claims what did not happen: {}",
                    say(line)
                ));
            }
        }
    }
    let count = |row: &RowId, actions: &[&str]| {
        lines
            .iter()
            .filter(|l| l.row == *row && actions.contains(&l.action.as_str()))
            .count()
    };
    for (id, row) in &before.rows {
        match found.rows.get(id) {
            None if count(id, &["deleted"]) != 1 => {
                out.push(format!(
                    "{} is gone with {} lines",
                    show(id),
                    count(id, &["deleted"])
                ));
            }
            Some(now) => {
                let foreign = &world.table(&id.table).foreign;
                let is_key = |column: &String| foreign.iter().any(|f| f.columns.contains(column));
                let moved = |keys: bool| {
                    row.keys()
                        .any(|c| is_key(c) == keys && row.get(c) != now.get(c))
                };
                for (keys, action) in [(true, "unlinked"), (false, "anonymised")] {
                    if moved(keys) && count(id, &[action]) == 0 {
                        out.push(format!("{} was {action} without a line", show(id)));
                    }
                }
            }
            _ => {}
        }
    }
    for (at, days) in &found.flags {
        if before.flags.get(at) == Some(days) {
            continue;
        }
        let (id, class) = at;
        let line = Line {
            class: class.clone(),
            action: "flagged".to_owned(),
            row: id.clone(),
        };
        if !seen.contains_key(&line) {
            out.push(format!("{} is flagged by {class} without a line", show(id)));
        }
    }
    out
}

fn line_of(event: &Event) -> Line {
    let action = match &event.action {
        Action::Deleted | Action::DeletedWith(_) => "deleted",
        Action::Anonymised => "anonymised",
        Action::Flagged { .. } => "flagged",
        Action::Unlinked(_) => "unlinked",
    };
    Line {
        class: event.class.clone(),
        action: action.to_owned(),
        row: event.row.clone(),
    }
}

fn date(day: Day) -> Option<NaiveDate> {
    match day {
        Day::On(date) => Some(date),
        Day::Before | Day::After => None,
    }
}

/// `public.matter` and `matter` are one table.
fn plain(table: &str) -> String {
    table.strip_prefix("public.").unwrap_or(table).to_owned()
}

fn texts(key: &Json) -> Vec<String> {
    let text = |part: &Json| {
        part.as_str()
            .map_or_else(|| part.to_string(), str::to_owned)
    };
    match key {
        Json::Array(parts) => parts.iter().map(text).collect(),
        Json::Object(parts) => parts.values().map(text).collect(),
        one => vec![text(one)],
    }
}

fn show(id: &RowId) -> String {
    format!("{}({})", id.table, id.key.join(", "))
}

fn say(line: &Line) -> String {
    format!("{} {} by {}", show(&line.row), line.action, line.class)
}
