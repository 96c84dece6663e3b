//! Random schedules that the file alone can find no fault in. Where two keys must agree, the
//! one is drawn within what the other leaves.

use chrono::{NaiveDate, TimeDelta};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use retentiond::schedule::{
    Accept, EndOf, Erasure, Fate, Gate, Limit, PLAUSIBLE_FROM, Strategy as Way,
};

use super::written::{
    Class, Dependant, Disposes, Elsewhere, File, Order, Related, Since, Span, Table, Test, What,
    Written,
};

const ZONES: [&str; 6] = [
    "Europe/London",
    "UTC",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
];

const TIMES: [&str; 5] = [
    "0 0 2 * * *",
    "30 15 4 1,15 * *",
    "0 */20 1-3 * JAN-jun MON-FRI",
    "0 2 * * 7",
    "0 0 0 29 2 *",
];

pub fn written() -> impl Strategy<Value = Written> {
    (
        words(),
        select(ZONES.to_vec()),
        select(TIMES.to_vec()),
        select(Accept::ALL.to_vec()),
        option::of(((1u32..200, 0u32..28), option::of((1u32..20, 0u32..28)))),
        vec(class(), 0..5),
        vec(elsewhere(), 0..3),
    )
        .prop_filter("a class", |(.., classes, processors)| {
            !classes.is_empty() || !processors.is_empty()
        })
        .prop_map(
            |(organisation, zone, every, accept, kept, mut classes, mut processors)| {
                for (nth, class) in processors.iter_mut().enumerate() {
                    class.id = format!("{}-held-{nth}", class.id);
                }
                for (nth, class) in classes.iter_mut().enumerate() {
                    class.id = format!("{}-{nth}", class.id);
                }
                Written {
                    organisation,
                    zone: zone.to_owned(),
                    every: every.to_owned(),
                    accept,
                    details_kept: kept.map(|((months, days), _)| Span(months, days)),
                    appeal_window: kept
                        .and_then(|(_, window)| window)
                        .map(|(months, days)| Span(months, days)),
                    classes,
                    processors,
                }
            },
        )
}

/// A text that says something, with whatever a text may hold, and no space around it.
pub fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z]{1,12}",
        "x[ -~é…\\t\\n\u{1}\u{7f}\u{85}\u{202e}👩‍👩‍👧]{0,16}x",
        "[\"'\\\\#=\\[\\]{},.]{1,6}",
    ]
}

/// A name as PostgreSQL stores it, without a dot.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-z][a-z_0-9]{0,8}", 1 => "[A-Zé\"'][A-Za-zß \"'\\\\-]{0,8}z"]
}

fn table() -> impl Strategy<Value = Table> {
    (prop_oneof![Just("public".to_owned()), name()], name())
        .prop_map(|(schema, name)| Table(schema, name))
}

/// Canonical conditions over columns that nothing anonymises.
fn test() -> impl Strategy<Value = Test> {
    let leaf = (0u8..4, 0u16..999, "[a-z' %é]{0,6}").prop_map(|(sort, number, text)| {
        let column = format!("\"kind{}\"", number % 5);
        let text = text.replace('\'', "''");
        match sort {
            0 => format!("({column} = {number})"),
            1 => format!("({column} LIKE '{text}')"),
            2 => format!("({column} IS NOT NULL)"),
            _ => format!("(lower({column}) IN ('{text}', NULL))"),
        }
    });
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|part| format!("(NOT {part})")),
            vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", apart(parts, " AND "))),
            vec(inner, 2..4).prop_map(|parts| format!("({})", apart(parts, " OR "))),
        ]
    })
    .prop_map(Test)
}

/// Chains of one word are one level, so that a chain in a chain would be read as one.
fn apart(parts: Vec<String>, word: &str) -> String {
    let parts: Vec<String> = parts
        .into_iter()
        .map(|part| match part.contains(word) {
            true => format!("(NOT {part})"),
            false => part,
        })
        .collect();
    parts.join(word)
}

fn day() -> impl Strategy<Value = NaiveDate> {
    let first = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap();
    (0i64..90_000).prop_map(move |days| first + TimeDelta::days(days))
}

fn class() -> impl Strategy<Value = Class> {
    let order = prop_oneof![
        1 => (words(), words(), option::of(day())).prop_map(|(owner, reason, review_on)| {
            Order::Retain { owner, reason, review_on }
        }),
        6 => disposes().prop_map(|rule| Order::Dispose(Box::new(rule))),
    ];
    (
        "[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,5}){0,2}",
        (words(), words(), option::of(words())),
        (table(), option::of(test()), option::of(name())),
        order,
    )
        .prop_map(
            |(id, (title, authority, basis), (table, claim, subject), mut order)| {
                if let Order::Dispose(rule) = &mut order {
                    agree(rule, &table);
                }
                Class {
                    id,
                    title,
                    table,
                    claim,
                    subject,
                    authority,
                    basis,
                    order,
                }
            },
        )
}

fn elsewhere() -> impl Strategy<Value = Elsewhere> {
    (
        "[a-z][a-z0-9]{0,8}",
        (words(), words(), words()),
        (option::of(words()), option::of(words()), option::of(day())),
        option::of((
            day(),
            (0u32..400, 0u32..28),
            select(Limit::ALL.to_vec()),
            any::<bool>(),
        )),
        prop_oneof![Just(0), 0u32..400],
    )
        .prop_map(
            |(id, (title, processor, authority), (basis, owner, review_on), term, tolerance)| {
                // Without a day it can only wait for the controller.
                let gated = term.as_ref().is_none_or(|(.., gated)| *gated);
                let term = term.map(|(day, (months, days), limit, _)| {
                    let days = if months == 0 { days + 1 } else { days };
                    (day, Span(months, days), limit)
                });
                let maximum = term.is_some_and(|(.., limit)| limit == Limit::Maximum);
                Elsewhere {
                    id,
                    title,
                    processor,
                    term,
                    tolerance: if maximum { 0 } else { tolerance },
                    gate: if gated { Gate::Instruction } else { Gate::None },
                    authority,
                    basis,
                    owner,
                    review_on,
                }
            },
        )
}

fn since() -> impl Strategy<Value = Since> {
    let column = (
        (option::of(table()), "since[A-Z ]?[a-z]{0,3}"),
        option::of(test()),
    );
    prop_oneof![
        1 => day().prop_map(Since::Day),
        4 => vec(column, 1..4).prop_map(|columns| {
            let columns = columns.into_iter().enumerate();
            Since::Columns(columns.map(|(n, ((table, name), when))| (table, format!("{name}{n}"), when)).collect())
        }),
    ]
}

/// How columns are anonymised: each its own name, paths for what is removed.
fn columns() -> impl Strategy<Value = What> {
    vec(
        (
            select(Way::ALL.to_vec()),
            vec("[a-z é\"]{0,4}k", 1..3),
            name(),
        ),
        1..5,
    )
    .prop_map(|parts| {
        let parts = parts.into_iter().enumerate();
        What::Anonymise(
            parts
                .map(|(nth, (way, path, name))| {
                    let path = path.iter().map(|key| key.trim().to_owned()).collect();
                    let path = if way == Way::Remove { path } else { Vec::new() };
                    (format!("who{nth} {name}"), path, way)
                })
                .collect(),
        )
    })
}

fn disposes() -> impl Strategy<Value = Disposes> {
    let time = (
        since(),
        prop_oneof![Just(PLAUSIBLE_FROM), day()],
        option::of(select(ZONES.map(str::to_owned).to_vec())),
        option::of(select(EndOf::ALL.to_vec())),
        (0u32..400, 0u32..28),
        prop_oneof![Just(0), 0u32..400],
        (vec("seen[a-z]{0,3}", 0..3), option::of(test())),
    );
    let what = (
        select(Limit::ALL.to_vec()),
        prop_oneof![1 => Just(What::Flag), 2 => columns(), 3 => Just(What::Delete)],
        vec((1u32..40, 0u32..28, option::of(columns())), 0..3),
        option::of(1u32..400),
        (
            select(Gate::ALL.to_vec()),
            prop_oneof![Just(1u32), 1u32..=9],
            vec("shown[a-z]{0,3}", 0..3),
        ),
    );
    let hanging = (
        vec(
            (
                table(),
                select(Fate::ALL.to_vec()),
                option::of((0usize..9, vec((name(), name()), 1..3), option::of(test()))),
            ),
            0..4,
        ),
        vec((0usize..9, "path[a-z]{0,2}", words()), 0..3),
    );
    let limits = (
        option::of(1u64..=i64::MAX as u64),
        option::of(0.000_1f64..=1.0),
        option::of(prop_oneof![0.5f64..50.0, Just(3.0)]),
        (
            select(Erasure::ALL.to_vec()),
            any::<bool>(),
            option::of(select(TIMES.to_vec())),
        ),
    );
    (time, what, hanging, limits).prop_map(
        |(
            (
                trigger,
                plausible_from,
                trigger_zone,
                from_end_of,
                (months, days),
                tolerance,
                (active, or_when),
            ),
            (limit, disposal, stages, notice, (gate, approvals, mut preview)),
            (dependants, files),
            (max_rows, max_share, max_growth, (erasure, erasure_right, every)),
        )| {
            // Each stage a month or more after the one before it.
            let mut reached = 0;
            let mut stages: Vec<(Span, What)> = stages
                .into_iter()
                .map(|(months, days, columns)| {
                    reached += months + 1;
                    (Span(reached, days), columns.unwrap_or(What::Flag))
                })
                .collect();
            // None is severer than what comes after it, and a flag comes first.
            if disposal == What::Flag {
                stages.iter_mut().for_each(|(_, what)| *what = What::Flag);
            }
            let mut anonymised = false;
            stages.retain(|(_, what)| {
                anonymised |= *what != What::Flag;
                !(anonymised && *what == What::Flag)
            });
            let period = if stages.is_empty() {
                Span(months, if months == 0 { days + 1 } else { days })
            } else {
                Span(reached + 1 + months, days)
            };
            let mut unless_active = active;
            unless_active.sort();
            unless_active.dedup();
            preview.sort();
            preview.dedup();
            preview.reverse();
            let dependants = dependants
                .into_iter()
                .map(|(table, fate, related)| Dependant {
                    table,
                    fate,
                    related: related.map(|(to, pairs, when)| {
                        // Chosen in `agree`, where the class's table is known.
                        let to = Table(String::new(), to.to_string());
                        Related { to, pairs, when }
                    }),
                })
                .collect();
            let files = files
                .into_iter()
                .map(|(table, column, store)| File {
                    table: Table(String::new(), table.to_string()),
                    column,
                    store,
                })
                .collect();
            Disposes {
                trigger,
                plausible_from,
                trigger_zone,
                from_end_of,
                period,
                tolerance,
                unless_active,
                or_when,
                limit,
                disposal,
                stages,
                notice,
                gate,
                approvals,
                preview,
                dependants,
                files,
                max_rows,
                max_share,
                max_growth,
                erasure,
                erasure_right,
                every: every.map(str::to_owned),
            }
        },
    )
}

/// What depends on the class's table, and on other keys.
pub fn agree(rule: &mut Disposes, own: &Table) {
    if rule.disposal == What::Flag {
        rule.erasure = Erasure::Ordinary;
    }
    if rule.gate != Gate::Review {
        rule.approvals = 1;
        if rule.disposal != What::Flag {
            rule.preview.clear();
        }
    }
    if let Since::Columns(columns) = &mut rule.trigger {
        for (related, ..) in columns {
            if related.as_ref() == Some(own) {
                *related = None;
            }
        }
    } else {
        rule.trigger_zone = None;
    }
    if !rule.stages.is_empty() {
        rule.or_when = None;
    }
    if rule.limit == Limit::Maximum {
        rule.tolerance = 0;
    }
    if rule.disposal == What::Flag {
        rule.notice = None;
        rule.dependants.clear();
        rule.files.clear();
    }
    let anonymises = |what: &What| matches!(what, What::Anonymise(_));
    let keeps = anonymises(&rule.disposal) || rule.stages.iter().any(|(_, what)| anonymises(what));
    if keeps {
        rule.dependants.retain(|dependant| &dependant.table != own);
    } else if let Some(first) = rule.dependants.first_mut()
        && first
            .related
            .as_ref()
            .is_some_and(|related| related.to.1 == "0")
    {
        // Rows that hang on rows of the class's own table.
        first.table = own.clone();
    }
    let mut kept: Vec<Dependant> = Vec::new();
    for mut dependant in std::mem::take(&mut rule.dependants) {
        if let Some(related) = &mut dependant.related {
            let mut sides: Vec<&Table> = kept.iter().map(|d| &d.table).collect();
            sides.extend([own, &dependant.table]);
            if related.to.0.is_empty() {
                let nth: usize = related.to.1.parse().unwrap();
                related.to = sides[nth % sides.len()].clone();
            } else if !sides.contains(&&related.to) {
                continue;
            }
            related.pairs.sort();
            related.pairs.dedup();
        }
        if !kept.iter().any(|other| other.table == dependant.table) {
            kept.push(dependant);
        }
    }
    let tables: Vec<Table> = kept
        .iter()
        .filter(|dependant| dependant.fate == Fate::Delete)
        .map(|dependant| dependant.table.clone())
        .chain([own.clone()])
        .collect();
    rule.dependants = kept;
    let mut files: Vec<File> = Vec::new();
    for mut file in std::mem::take(&mut rule.files) {
        if file.table.0.is_empty() {
            let nth: usize = file.table.1.parse().unwrap();
            file.table = tables[nth % tables.len()].clone();
        }
        let known = |other: &File| other.table == file.table && other.column == file.column;
        if tables.contains(&file.table) && !files.iter().any(known) {
            files.push(file);
        }
    }
    rule.files = files;
}
