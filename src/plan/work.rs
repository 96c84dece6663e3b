//! The statements of a class's pass, finished down to the last byte.
//!
//! A range is walked in steps. [`Scan::step`] finds where the next so-many rows end;
//! the action covers exactly the rows up to there, with the whole predicate in it. What
//! stays open is only bound: a position, a boundary, keys that an earlier statement of
//! the same transaction locked, and the pads of a pseudonym's key.

use std::collections::BTreeMap;

use chrono::Days;
use serde::Serialize;

use super::follow::{Follow, Planner};
use super::judge::{Judge, all, negated};
use super::key::Key;
use super::relations::Relations;
use super::scan::{DayAs, Direct, Scan, direct, ranges};
use crate::catalog::Table;
use crate::ident::{ClassId, literal};
use crate::schedule::{Class, Disposal, Dispose, Gate, Limit};

/// How a batch of the class is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Route {
    /// One range statement. Answers keys and trigger days.
    Direct {
        /// What it does.
        what: Direct,
    },
    /// Lock, judge what hangs on the records, then act on exactly those.
    /// `act` answers: key, trigger day, links as text, file columns as text.
    Follow(Box<Follow>),
}

/// Everything that a class's pass may send to the database.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Work {
    /// How the class's records are named.
    pub key: Key,
    /// The ranges, in order. None when the day has not come for a fixed date.
    pub scans: Vec<Scan>,
    /// How a batch is carried out.
    pub route: Route,
    /// Whether rows stay in the table, so that a remembered position spares visiting them.
    pub stays: bool,
    /// Counts the past records that holds protect (asked only when there is a hold).
    pub held: String,
    /// Forgets the class's flags on the records of these keys (`text[]` a key column), which
    /// are gone or changed; none for a class without notice and stages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forget: Option<String>,
    /// Uses up the approvals of the same records: binds the keys, then the pass. None where no
    /// class on the table asks for a review.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_up: Option<String>,
    /// The rule whose last days these are: a class's own, or one of its stages.
    #[serde(skip)]
    pub rule: Dispose,
}

/// Everything that a class's pass does before its own disposal: flags records whose notice
/// begins, and carries out its stages. In this order, so that a flag is one day old at least.
/// `relations` says of each class of the schedule what it takes along.
pub(super) fn earlier(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    relations: &BTreeMap<ClassId, Relations>,
    table: &Table,
) -> Vec<Work> {
    let nothing = Relations::default();
    let of = |class: &Class| relations.get(class.id()).unwrap_or(&nothing);
    let mut work = Vec::new();
    if let Some(days) = dispose.notice {
        // A maximum is to be gone by its last day, so that its notice begins before.
        let mut then = *judge;
        if dispose.limit == Limit::Maximum
            && let Some(day) = judge.today.checked_add_days(Days::new(u64::from(days)))
        {
            then.today = day;
        }
        for (nth, step) in dispose.steps_on(then.today).iter().enumerate() {
            if step.disposal == Disposal::Flag {
                continue;
            }
            let flag = Dispose {
                disposal: Disposal::Flag,
                ..step.clone()
            };
            let free = |class: &Class, step: &Dispose| {
                // A flag takes nothing along.
                if step.disposal == Disposal::Flag {
                    return "TRUE".to_owned();
                }
                all(vec![
                    negated(&judge.dependant_held(of(class), table, "t")),
                    negated(&judge.dependant_gated(of(class), table, "t")),
                    negated(&then.dependant_protected(of(class), table, "t")),
                ])
            };
            let protect = all(vec![
                negated(&judge.held(table, "t")),
                negated(&judge.gated(&table.name, "t")),
                then.notice_begins(class, step, "t", free),
            ]);
            work.push(parts(
                &then,
                &Part {
                    class,
                    dispose: &flag,
                    relations: &nothing,
                    table,
                    claim: then.might_claim(class, "t"),
                    protect: format!("({protect})"),
                    first: NOTICE + nth,
                    stays: !matches!(dispose.disposal, Disposal::Delete),
                    is_notice: true,
                },
            ));
        }
    }
    let steps = dispose.steps_on(judge.today);
    let stages = steps.len().saturating_sub(1);
    for (nth, step) in steps.iter().take(stages).enumerate() {
        work.push(one(judge, class, step, of(class), table, (nth + 1) * STEP));
    }
    work
}

/// Ranges are numbered within their class: those of the class's own disposal from 0, of
/// each stage from here on, of notices from there.
const STEP: usize = 100;
const NOTICE: usize = 100_000;

/// Writes the statements of a class that fits and may act.
pub(super) fn write(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    relations: &Relations,
    table: &Table,
) -> Work {
    let last = dispose.steps_on(judge.today).pop();
    one(
        judge,
        class,
        last.as_ref().unwrap_or(dispose),
        relations,
        table,
        0,
    )
}

/// One step of a class.
fn one(
    judge: &Judge<'_>,
    class: &Class,
    step: &Dispose,
    relations: &Relations,
    table: &Table,
    first: usize,
) -> Work {
    let nothing = Relations::default();
    let relations = if step.disposal == Disposal::Flag {
        &nothing
    } else {
        relations
    };
    parts(
        judge,
        &Part {
            class,
            dispose: step,
            relations,
            table,
            claim: judge.claims(class, "t"),
            protect: unprotected(judge, class, step, relations, table, "t"),
            first,
            stays: !matches!(step.disposal, Disposal::Delete),
            is_notice: false,
        },
    )
}

/// What a step's statements are made of.
struct Part<'a> {
    class: &'a Class,
    dispose: &'a Dispose,
    relations: &'a Relations,
    table: &'a Table,
    /// Which rows are walked.
    claim: String,
    /// What else must be true of a row that is acted on.
    protect: String,
    /// The first range's number.
    first: usize,
    stays: bool,
    /// Whether it only flags what another part will act on.
    is_notice: bool,
}

fn parts(judge: &Judge<'_>, part: &Part<'_>) -> Work {
    let Part {
        class,
        dispose,
        relations,
        table,
        ..
    } = part;
    let key = Key::of(table);
    let deletes = matches!(dispose.disposal, Disposal::Delete);
    let flags = matches!(dispose.disposal, Disposal::Flag);
    let follows = !flags
        && (!relations.inbound.is_empty()
            || !relations.unlinked.is_empty()
            || deletes && !relations.referred.is_empty()
            || !dispose.files.is_empty()
            || !table.triggers.is_empty()
            || !judge.read_links(&table.name).is_empty());
    let follow = follows.then(|| {
        Planner {
            judge,
            class,
            dispose,
            relations,
            table,
            key: &key,
        }
        .follow()
    });
    let protect = &part.protect;
    let scans = ranges(judge, class, dispose, table, &part.claim)
        .into_iter()
        // What is past whatever its trigger goes without notice.
        .filter(|range| !part.is_notice || range.last_day.is_reckoned())
        .zip(part.first..)
        .map(|(range, no)| {
            let order = range.order();
            let width = range.position.len();
            let act = match &follow {
                Some((_, links)) => {
                    let mut answer = format!("{}, {}", key.returned("t"), range.days);
                    for link in links {
                        answer.push_str(&format!(", t.{}::text", link.quoted()));
                    }
                    for file in dispose.files.iter().filter(|file| file.table == table.name) {
                        answer.push_str(&format!(", t.{}::text", file.column.quoted()));
                    }
                    range.bounded(
                        format!("SELECT {answer} FROM {}", range.from),
                        format!(" AND {protect} ORDER BY {order} FOR UPDATE OF t"),
                    )
                }
                None => direct(judge, class, dispose, table, &key, &range, protect),
            };
            // Turned into text only for the one row that is answered: a timestamp's text
            // costs more than finding the row.
            let read: Vec<String> = range
                .position
                .iter()
                .enumerate()
                .map(|(nth, place)| format!("{} AS p{nth}", place.bare()))
                .collect();
            let read = read.join(", ");
            let shown = (0..width)
                .map(|nth| format!("s.p{nth}::text"))
                .collect::<Vec<_>>()
                .join(", ");
            let (from, size) = (&range.from, 2 * width + 1);
            let step = range.bounded(
                format!("SELECT {shown}, ${size}::bigint FROM (SELECT {read} FROM {from}"),
                format!(" ORDER BY {order} OFFSET ${size}::bigint - 1 LIMIT 1) s"),
            );
            let rest = range.bounded(
                format!(
                    "SELECT {shown}, s.n FROM (SELECT * FROM \
                     (SELECT {read}, row_number() OVER (ORDER BY {order}) AS n FROM {from}"
                ),
                format!(" ORDER BY {order} LIMIT ${size}::bigint) r ORDER BY r.n DESC LIMIT 1) s"),
            );
            let day = if flags { DayAs::Number } else { range.day_as };
            let key_at = key
                .columns
                .iter()
                .filter_map(|column| {
                    let mut places = range.position.iter();
                    places.position(|place| place.is_of_record() && place.column == column.name)
                })
                .collect();
            Scan {
                no: i32::try_from(no).unwrap_or(i32::MAX),
                width,
                key_at,
                step,
                rest,
                act,
                day,
                last_day: range.last_day,
            }
        })
        .collect();
    let route = match follow {
        Some((follow, _)) => Route::Follow(Box::new(follow)),
        None => Route::Direct {
            what: match dispose.disposal {
                Disposal::Delete => Direct::Delete,
                Disposal::Anonymise(_) => Direct::Anonymise,
                Disposal::Flag => Direct::Flag,
            },
        },
    };
    // Of a class with stages, at whichever step the record is.
    let whole = class.dispose().filter(|own| !own.stages.is_empty());
    let (past, done) = match whole {
        None => (
            judge.past(class, dispose, "t"),
            judge.done(class, dispose, "t"),
        ),
        Some(own) => (
            judge.by_step(class, own, "t", |_| "TRUE".to_owned()),
            judge.by_step(class, own, "t", |step| judge.done(class, step, "t")),
        ),
    };
    let held = format!(
        "SELECT count(*) FROM {} AS t WHERE ({}) AND ({past}) AND ({}) AND NOT ({done})",
        table.name.quoted(),
        judge.claims(class, "t"),
        super::judge::any(vec![
            judge.held(table, "t"),
            judge.dependant_held(relations, table, "t")
        ]),
    );
    let forget = if flags {
        None
    } else {
        forget(judge, class, deletes, &key)
    };
    let use_up = if part.is_notice {
        None
    } else {
        use_up(judge, class, &key)
    };
    Work {
        key,
        scans,
        route,
        stays: part.stays,
        held,
        forget,
        use_up,
        rule: (*dispose).clone(),
    }
}

/// A flag of a record that is gone must not be found by another that is given its number:
/// not that of another class on the table either.
fn forget(judge: &Judge<'_>, class: &Class, deletes: bool, key: &Key) -> Option<String> {
    let flags = |class: &Class| {
        let rule = class.dispose();
        rule.is_some_and(|rule| rule.notice.is_some() || !rule.stages.is_empty())
    };
    let classes: Vec<&Class> = judge
        .on(class.table())
        .filter(|other| flags(other) && (deletes || other.id() == class.id()))
        .collect();
    let which = looked_up(&classes, "flag", "TRUE", key)?;
    Some(format!("DELETE FROM retentiond.flag f WHERE f.{which}"))
}

/// An approval serves once: whatever class acts, those of every gate on the table are used.
/// Binds the keys, then the pass.
fn use_up(judge: &Judge<'_>, class: &Class, key: &Key) -> Option<String> {
    let reviewed = |class: &Class| {
        let rule = class.dispose();
        rule.is_some_and(|rule| rule.gate == Gate::Review)
    };
    let classes: Vec<&Class> = judge.on(class.table()).filter(|c| reviewed(c)).collect();
    let which = looked_up(&classes, "approval", "a.run_id IS NULL", key)?;
    Some(format!(
        "UPDATE retentiond.approval p SET run_id = ${} WHERE p.{which}",
        key.columns.len() + 1
    ))
}

/// That a row of ours is one of these classes' and of the keys `$1…`.
///
/// Each key is looked up by itself, and nothing is joined: where nobody has counted the table
/// since it grew, PostgreSQL takes it for almost empty, and would compare each of its rows with
/// each key. The rows do not move meanwhile: whoever changes them holds the records' locks, or
/// the decisions'.
fn looked_up(classes: &[&Class], table: &str, more: &str, key: &Key) -> Option<String> {
    if classes.is_empty() {
        return None;
    }
    let classes: Vec<String> = classes
        .iter()
        .map(|class| literal(class.id().as_str()))
        .collect();
    let columns = (0..key.columns.len()).map(|nth| format!("c{nth}"));
    let columns: Vec<String> = columns.collect();
    let names: Vec<String> = columns.iter().map(|column| format!("u.{column}")).collect();
    let arrays: Vec<String> = (1..=key.columns.len())
        .map(|nth| format!("${nth}::text[]"))
        .collect();
    Some(format!(
        "ctid = ANY (ARRAY(SELECT w.row FROM unnest({}) AS u ({}) CROSS JOIN LATERAL (SELECT a.ctid AS row \
         FROM retentiond.{table} a WHERE a.class_id IN ({}) AND a.key = ARRAY[{}] AND {more} OFFSET 0) AS w))",
        arrays.join(", "),
        columns.join(", "),
        classes.join(", "),
        names.join(", "),
    ))
}

/// Everything that the statement which changes a row must find true of it beyond its
/// range: the whole of `rules.md`, judged again at that moment.
pub(super) fn unprotected(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    relations: &Relations,
    table: &Table,
    a: &str,
) -> String {
    let done = judge.done(class, dispose, a);
    let conditions = vec![
        negated(&judge.held(table, a)),
        negated(&judge.dependant_held(relations, table, a)),
        negated(&judge.gated(&table.name, a)),
        negated(&judge.dependant_gated(relations, table, a)),
        negated(&judge.in_notice(&table.name, a)),
        negated(&judge.dependant_in_notice(relations, table, a)),
        judge.let_go(class, dispose, a),
        judge.governs(class, a),
        negated(&judge.dependant_protected(relations, table, a)),
        negated(&judge.active(&table.name, a)),
        judge.released_there(class, dispose, a),
        negated(&done),
    ];
    format!("({})", all(conditions))
}
