//! The statements of a class's pass, finished down to the last byte.
//!
//! A range is walked in steps. [`Scan::step`] finds where the next so-many rows end;
//! the action covers exactly the rows up to there, with the whole predicate in it. What
//! stays open is only bound: a position, a boundary, keys that an earlier statement of
//! the same transaction locked, and the pads of a pseudonym's key.

use serde::Serialize;

use super::follow::{Follow, Planner};
use super::judge::{Judge, all, columns, negated};
use super::key::Key;
use super::relations::Relations;
use super::scan::{DayAs, Direct, Scan, direct, ranges};
use crate::catalog::Table;
use crate::schedule::{Class, Disposal, Dispose};

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
}

/// Writes the statements of a class that fits and may act.
pub(super) fn write(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    relations: &Relations,
    table: &Table,
) -> Work {
    let key = Key::of(table);
    let deletes = matches!(dispose.disposal, Disposal::Delete);
    let flags = matches!(dispose.disposal, Disposal::Flag);
    let follows = !flags
        && (!relations.inbound.is_empty()
            || !relations.unlinked.is_empty()
            || deletes && !relations.referred.is_empty()
            || !dispose.files.is_empty()
            || !table.triggers.is_empty());
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
    let protect = unprotected(judge, class, dispose, relations, table, "t");
    let scans = ranges(judge, class, dispose, table)
        .into_iter()
        .enumerate()
        .map(|(no, range)| {
            let order = columns(&range.position, "t");
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
                        table,
                        format!("SELECT {answer} FROM {} AS t", table.name.quoted()),
                        format!(" AND {protect} ORDER BY {order} FOR UPDATE OF t"),
                    )
                }
                None => direct(judge, class, dispose, table, &key, &range, &protect),
            };
            // Turned into text only for the one row that is answered: a timestamp's text
            // costs more than finding the row.
            let read: Vec<String> = range
                .position
                .iter()
                .enumerate()
                .map(|(nth, column)| format!("t.{} AS p{nth}", column.quoted()))
                .collect();
            let read = read.join(", ");
            let shown = (0..width)
                .map(|nth| format!("s.p{nth}::text"))
                .collect::<Vec<_>>()
                .join(", ");
            let (from, size) = (table.name.quoted(), 2 * width + 1);
            let step = range.bounded(
                table,
                format!("SELECT {shown}, ${size}::bigint FROM (SELECT {read} FROM {from} AS t"),
                format!(" ORDER BY {order} OFFSET ${size}::bigint - 1 LIMIT 1) s"),
            );
            let rest = range.bounded(
                table,
                format!(
                    "SELECT {shown}, s.n FROM (SELECT * FROM \
                     (SELECT {read}, row_number() OVER (ORDER BY {order}) AS n FROM {from} AS t"
                ),
                format!(" ORDER BY {order} LIMIT ${size}::bigint) r ORDER BY r.n DESC LIMIT 1) s"),
            );
            let day = if flags { DayAs::Number } else { range.day_as };
            let key_at = key
                .columns
                .iter()
                .filter_map(|column| range.position.iter().position(|name| name == &column.name))
                .collect();
            Scan {
                no: i32::try_from(no).unwrap_or(i32::MAX),
                width,
                key_at,
                step,
                rest,
                act,
                day,
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
    let held = format!(
        "SELECT count(*) FROM {} AS t WHERE ({}) AND ({}) AND ({}) AND NOT ({})",
        table.name.quoted(),
        judge.claims(class, "t"),
        judge.past(class, dispose, "t"),
        super::judge::any(vec![
            judge.held(table, "t"),
            judge.dependant_held(relations, "t")
        ]),
        judge.done(class, dispose, "t"),
    );
    Work {
        key,
        scans,
        route,
        stays: !deletes,
        held,
    }
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
        negated(&judge.dependant_held(relations, a)),
        negated(&judge.gated(&table.name, a)),
        negated(&judge.dependant_gated(relations, a)),
        judge.let_go(class, a),
        judge.governs(class, a),
        negated(&judge.dependant_protected(relations, a)),
        negated(&judge.active(&table.name, a)),
        judge.released_there(class, dispose, a),
        negated(&done),
    ];
    format!("({})", all(conditions))
}
