//! From a [`Seed`]'s numbers to a world that keeps the engine's conditions.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::{Europe::London, Tz};
use serde_json::json;

use super::calendar::{Day, Period, Rounding, date};
use super::features::Feature;
use super::strategies::{
    ClassSeed, DaySeed, HoldSeed, LaterSeed, LooseSeed, PlausibleSeed, RowSeed, Seed, TableSeed,
    TouchedSeed, TriggerSeed, instant,
};
use super::value::{Kind, Moment, Value};
use super::world::{
    Anonymisation, Class, Column, Dependant, Disposal, Dispose, Foreign, Gate, Hold, Later,
    OnDelete, Row, RowId, Rule, Stage, Strategy, Table, Trigger, World,
};

/// One is a reserved word, so that a name that is not quoted fails.
const TABLES: [&str; 4] = ["matter", "order", "case_note", "scan"];
pub const TRIGGERS: [&str; 3] = ["closed_on", "received_at", "logged_at"];

/// The columns that every table has beside its key and its foreign keys.
pub fn common_columns() -> Vec<Column> {
    [
        ("closed_on", Kind::Date),
        ("received_at", Kind::Instant),
        ("logged_at", Kind::Naive),
        ("touched_at", Kind::Instant),
        ("active", Kind::Bool),
        ("kind", Kind::Text),
        ("Score", Kind::Int),
        ("full_name", Kind::Text),
        ("postcode", Kind::Text),
        ("born_on", Kind::Date),
        ("seen_on", Kind::Date),
        ("answers", Kind::Json),
    ]
    .map(|(name, kind)| column(name, kind, true))
    .to_vec()
}

fn column(name: &str, kind: Kind, nullable: bool) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        nullable,
    }
}

pub fn build(seed: &Seed, features: &[Feature]) -> World {
    let mut world = World {
        now: instant(seed.today, seed.second),
        tables: Vec::new(),
        classes: Vec::new(),
        holds: Vec::new(),
        later: Vec::new(),
    };
    for (position, table) in seed.tables.iter().enumerate() {
        let made = empty_table(&world.tables, position, table, features);
        world.tables.push(made);
    }
    for (position, class) in seed.classes.iter().enumerate() {
        let made = build_class(&world.tables, seed.today, position, class, features);
        world.classes.push(made);
    }
    keep_to_what_is_written(&mut world);
    for (position, table) in seed.tables.iter().enumerate() {
        let mut rows = table.rows.clone();
        for number in 0..rows.len() {
            if let Some((_, true)) = rows[number].answers.filter(|_| threaded(&world, position)) {
                let above = answered(&rows[number], number).map(|up| rows[up].clone());
                if let Some(above) = above {
                    let row = &mut rows[number];
                    (row.days, row.touched, row.clock) = (above.days, above.touched, above.clock);
                    // One of another kind may be in no class, or in another one.
                    if number % 3 != 2 {
                        (row.active, row.kind, row.score) = (above.active, above.kind, above.score);
                    }
                }
            }
            let row = &rows[number];
            let made = build_row(&world, seed.today, position, table.key, number, row);
            world.tables[position].rows.push(made);
        }
        if table.thread.is_some_and(|(_, circle)| circle) && threaded(&world, position) {
            answer(&mut world.tables[position], 0, Some(rows.len() - 1));
        }
    }
    for hold in &seed.holds {
        let made = hold_of(&world, seed.today, hold);
        if !world.holds.iter().any(|hold| same_row(hold, &made)) {
            world.holds.push(made);
        }
    }
    let mut today = seed.today;
    let later = seed
        .later
        .iter()
        .filter(|_| features.contains(&Feature::Days));
    for later in later {
        today = shift(today, i64::from(later.days));
        let made = build_later(&world, today, seed.second, later);
        world.later.push(made);
    }
    world
}

fn build_later(world: &World, today: NaiveDate, second: u32, seed: &LaterSeed) -> Later {
    let row_of = |table: u8, row: u16| {
        let table = &world.tables[usize::from(table) % world.tables.len()];
        table.id(&table.rows[usize::from(row) % table.rows.len()])
    };
    let changes = seed.changes.iter().map(|seed| {
        let day = day(world, today, seed.day);
        let (column, value) = match seed.column {
            0 => ("closed_on", day.map_or(Value::Null, Value::Date)),
            1 => ("received_at", moment(day, seed.clock, true)),
            2 => ("logged_at", moment(day, seed.clock, false)),
            3 => ("touched_at", moment(day, seed.clock, true)),
            4 => ("active", seed.active.map_or(Value::Null, Value::Bool)),
            _ => ("kind", kind(seed.kind)),
        };
        (row_of(seed.table, seed.row), column.to_owned(), value)
    });
    let before = world
        .holds
        .iter()
        .chain(world.later.iter().flat_map(|l| &l.holds));
    let before: Vec<RowId> = before.map(Hold::row).collect();
    let released = seed.released.iter();
    let released = released.filter_map(|at| before.get(usize::from(*at) % before.len().max(1)));
    Later {
        now: instant(today, second),
        changes: changes.collect(),
        holds: seed
            .holds
            .iter()
            .map(|seed| hold_of(world, today, seed))
            .collect(),
        released: released.cloned().collect(),
    }
}

fn kind(seed: Option<u8>) -> Value {
    let kinds = ["open", "it's", "Ä/b"];
    seed.map_or(Value::Null, |k| Value::text(kinds[usize::from(k) % 3]))
}

/// The key of a table onto itself.
fn own_key(table: &Table) -> Option<&Foreign> {
    table.foreign.iter().find(|f| f.parent == table.name)
}

fn threaded(world: &World, position: usize) -> bool {
    own_key(&world.tables[position]).is_some()
}

/// Mostly the row before, so that threads are long.
fn answered(seed: &RowSeed, number: usize) -> Option<usize> {
    let (which, _) = seed.answers?;
    let last = number.checked_sub(1)?;
    Some(match which % 4 {
        3 => usize::from(which) % number,
        back => last.saturating_sub(usize::from(back) / 2),
    })
}

fn answer(table: &mut Table, number: usize, up: Option<usize>) {
    let Some(columns) = own_key(table).map(|foreign| foreign.columns.clone()) else {
        return;
    };
    for (column, key) in columns.iter().zip(&table.key.clone()) {
        let value = up.map_or(Value::Null, |up| table.rows[up][&key.name].clone());
        table.rows[number].insert(column.clone(), value);
    }
}

/// Columns `about_…`, which name a row of an earlier table, or of one of two.
fn loosen(
    before: &[Table],
    columns: &mut Vec<Column>,
    foreign: &mut Vec<Foreign>,
    seed: &LooseSeed,
) {
    use super::condition::Condition;
    let kinds = |table: &Table| table.key.iter().map(|c| c.kind).collect::<Vec<_>>();
    let parent = &before[usize::from(seed.parent) % before.len()];
    let same = |table: &&Table| table.name != parent.name && kinds(table) == kinds(parent);
    let other = before.iter().find(same).filter(|_| seed.many);
    let names: Vec<String> = parent
        .key
        .iter()
        .map(|part| format!("about_{}", part.name))
        .collect();
    for (name, part) in names.iter().zip(&parent.key) {
        columns.push(column(name, part.kind, true));
    }
    let of_kind = |at: u8| Condition::Equal("kind".to_owned(), kind(Some(at)));
    let only = match seed.only {
        _ if other.is_some() => Some(of_kind(0)),
        3 => Some(of_kind(0)),
        4 => Some(Condition::Column("active".to_owned())),
        5 => Some(Condition::Less("Score".to_owned(), 2)),
        _ => None,
    };
    for (table, only) in [(Some(parent), only), (other, Some(of_kind(1)))] {
        let Some(table) = table else { continue };
        foreign.push(Foreign {
            columns: names.clone(),
            parent: table.name.clone(),
            nullable: true,
            on_delete: OnDelete::NoAction,
            loose: true,
            only,
        });
    }
}

fn empty_table(before: &[Table], position: usize, seed: &TableSeed, features: &[Feature]) -> Table {
    let key = match seed.key {
        0 => vec![column("id", Kind::Int, false)],
        1 => vec![
            column("area", Kind::Text, false),
            column("num", Kind::Int, false),
        ],
        2 => vec![column("uid", Kind::Uuid, false)],
        _ => vec![column("ref", Kind::Text, false)],
    };
    let mut columns = Vec::new();
    let mut foreign = Vec::new();
    for (parent, wishes) in before.iter().zip(&seed.keys) {
        for (again, wish) in wishes.iter().enumerate() {
            let Some((nullable, on_delete)) = *wish else {
                continue;
            };
            let mut names = Vec::new();
            for part in &parent.key {
                let prefix = ["", "other_"][again];
                let name = format!("{prefix}{}_{}", parent.name, part.name);
                columns.push(column(&name, part.kind, nullable));
                names.push(name);
            }
            let impossible = on_delete == OnDelete::SetNull && !nullable;
            foreign.push(Foreign {
                columns: names,
                parent: parent.name.clone(),
                nullable,
                on_delete: if impossible {
                    OnDelete::NoAction
                } else {
                    on_delete
                },
                loose: false,
                only: None,
            });
        }
    }
    let loose = seed
        .loose
        .as_ref()
        .filter(|_| features.contains(&Feature::Loose));
    if let Some(loose) = loose.filter(|_| !before.is_empty()) {
        loosen(before, &mut columns, &mut foreign, loose);
    }
    if let Some((on_delete, _)) = seed.thread.filter(|_| features.contains(&Feature::Threads)) {
        let mut names = Vec::new();
        for part in &key {
            let name = format!("answers_{}", part.name);
            columns.push(column(&name, part.kind, true));
            names.push(name);
        }
        foreign.push(Foreign {
            columns: names,
            parent: TABLES[position].to_owned(),
            nullable: true,
            on_delete,
            loose: false,
            only: None,
        });
    }
    columns.extend(common_columns());
    Table {
        name: TABLES[position].to_owned(),
        key,
        columns,
        foreign,
        indexed: seed.indexed,
        rows: Vec::new(),
    }
}

fn build_row(
    world: &World,
    today: NaiveDate,
    position: usize,
    key: u8,
    number: usize,
    seed: &RowSeed,
) -> Row {
    let mut row = Row::new();
    let n = i32::try_from(number).expect("a small table");
    match key {
        0 => drop(row.insert("id".to_owned(), Value::Int(7 * n - 7))),
        1 => {
            row.insert(
                "area".to_owned(),
                Value::text(["N", "S/E", "O'x"][number % 3]),
            );
            row.insert("num".to_owned(), Value::Int(n / 2));
        }
        2 => {
            let uid = format!(
                "{:08x}-0000-4000-8000-{:012x}",
                0xf000_0000_u32 - number as u32,
                n
            );
            row.insert("uid".to_owned(), Value::Uuid(uid));
        }
        _ => {
            let odd = ["a,b", "{x}", "\"q\"", "O'N", "é %", "back\\slash"][number % 6];
            row.insert("ref".to_owned(), Value::Text(format!("{odd}-{n}")));
        }
    }
    let table = &world.tables[position];
    for (parent, wishes) in world.tables[..position].iter().zip(&seed.parents) {
        let keys = table.foreign.iter();
        let keys = keys.filter(|f| f.parent == parent.name && !f.loose);
        for (foreign, wish) in keys.zip(wishes) {
            let chosen = wish.or((!foreign.nullable).then_some(0));
            // A table of parents always has rows: its seed says at least five.
            let target = chosen.map(|c| &parent.rows[usize::from(c) % parent.rows.len()]);
            for (part, (column, name)) in parent.key.iter().zip(&foreign.columns).enumerate() {
                // Now and then one half of a composite key is NULL: that refers to nothing.
                let half = part > 0 && foreign.nullable && chosen.is_some_and(|c| c % 11 == 10);
                let value = target
                    .filter(|_| !half)
                    .map_or(Value::Null, |t| t[&column.name].clone());
                row.insert(name.clone(), value);
            }
        }
    }
    // Of one of two parents it names a row of either, whatever its kind.
    let loose: Vec<&Foreign> = table.foreign.iter().filter(|f| f.loose).collect();
    if let Some(first) = loose.first() {
        let target = seed.about.map(|about| {
            let parent = loose[usize::from(about / 64) % loose.len()];
            let parent = world.table(&parent.parent);
            // Often one of its own, so that some row is the only one that refers to it.
            let which = if about % 2 == 0 {
                number
            } else {
                usize::from(about)
            };
            &parent.rows[which % parent.rows.len()]
        });
        let parents = loose.iter().map(|f| world.table(&f.parent));
        let parts: Vec<_> = parents.map(|parent| &parent.key).collect();
        for (nth, name) in first.columns.iter().enumerate() {
            let found = |row: &Row| {
                let named = parts.iter().find_map(|key| row.get(&key[nth].name));
                named.cloned().unwrap_or(Value::Null)
            };
            row.insert(name.clone(), target.map_or(Value::Null, found));
        }
    }
    if let Some(own) = own_key(table) {
        let up = answered(seed, number);
        for (column, key) in own.columns.iter().zip(&table.key) {
            let value = up.map_or(Value::Null, |up| table.rows[up][&key.name].clone());
            row.insert(column.clone(), value);
        }
    }
    let day = |slot: usize| day(world, today, seed.days[slot]);
    row.insert(
        "closed_on".to_owned(),
        day(0).map_or(Value::Null, Value::Date),
    );
    row.insert("received_at".to_owned(), moment(day(1), seed.clock, true));
    row.insert("logged_at".to_owned(), moment(day(2), seed.clock, false));
    let touched = match seed.touched {
        TouchedSeed::Null => Value::Null,
        TouchedSeed::Day(seed) => moment(self::day(world, today, seed), 0, true),
        TouchedSeed::After(slot, days, clock) => {
            let day = day(usize::from(slot) % 3).map(|day| match day {
                Day::On(date) if date < self::date(3000, 1, 1) => {
                    Day::On(shift(date, i64::from(days)))
                }
                end => end,
            });
            moment(day, clock, true)
        }
    };
    row.insert("touched_at".to_owned(), touched);
    row.insert(
        "active".to_owned(),
        seed.active.map_or(Value::Null, Value::Bool),
    );
    row.insert("kind".to_owned(), kind(seed.kind));
    row.insert(
        "Score".to_owned(),
        seed.score.map_or(Value::Null, Value::Int),
    );
    add_person(&mut row, seed.person);
    row
}

fn add_person(row: &mut Row, seed: [u8; 5]) {
    let text = |choices: [&str; 8], at: u8| match choices[usize::from(at) % 8] {
        "" => Value::Null,
        text => Value::text(text),
    };
    let names = [
        "",
        "[redacted]",
        "Ada O'Brien",
        "Bo",
        "Çelik",
        "D\nE",
        "  ",
        "x",
    ];
    row.insert("full_name".to_owned(), text(names, seed[0]));
    let codes = [
        "", "SE1", "SE1 2AA", "SW1A 1AA", "N1 9GU", "EC1A", "B33 8TH", "M1 1AE",
    ];
    row.insert("postcode".to_owned(), text(codes, seed[1]));
    for (name, at) in [("born_on", seed[2]), ("seen_on", seed[3])] {
        let dates = [
            None,
            Some(date(1980, 1, 1)),
            Some(date(1999, 5, 1)),
            Some(date(1972, 2, 29)),
            Some(date(2000, 12, 31)),
            Some(date(1900, 3, 1)),
            Some(date(2020, 2, 29)),
            Some(date(1969, 12, 31)),
        ];
        row.insert(
            name.to_owned(),
            dates[usize::from(at) % 8].map_or(Value::Null, Value::on),
        );
    }
    let answers = match seed[4] {
        0 => Value::Null,
        1 => Value::Json(json!({})),
        2 => Value::Json(json!({"age": 3})),
        3 => Value::Json(json!({"phone": null})),
        4 => Value::Json(json!({"phone": {"home": "1"}, "b": [1, {"phone": 2}]})),
        5 => Value::Json(json!({"a": {"phone": "2"}})),
        6 => Value::Json(json!([])),
        7 => Value::Json(json!([1, {"phone": "3"}])),
        8 => Value::Json(json!("phone")),
        9 => Value::Json(json!(null)),
        10 => Value::Json(json!({"a": ["phone"], "phone": []})),
        11 => Value::Json(json!({"a": "phone"})),
        12 => Value::Json(json!({"a": {"phone": null, "b": 1}})),
        n => Value::Json(json!({"phone": n.to_string(), "age": n})),
    };
    row.insert("answers".to_owned(), answers);
}

fn shift(from: NaiveDate, days: i64) -> NaiveDate {
    if days < 0 {
        from - Days::new(days.unsigned_abs())
    } else {
        from + Days::new(days as u64)
    }
}

fn day(world: &World, today: NaiveDate, seed: DaySeed) -> Option<Day> {
    Some(match seed {
        DaySeed::Null => return None,
        DaySeed::Sentinel(0) => Day::Before,
        DaySeed::Sentinel(1) => Day::On(date(1900, 1, 1)),
        DaySeed::Sentinel(2) => Day::On(date(1970, 1, 1)),
        DaySeed::Sentinel(3) => Day::On(date(1989, 12, 31)),
        DaySeed::Sentinel(4) => Day::On(date(1990, 1, 1)),
        DaySeed::Sentinel(5) => Day::After,
        DaySeed::Sentinel(6) => Day::On(date(3999, 12, 31)),
        DaySeed::Sentinel(7) => Day::On(date(4000, 1, 1)),
        DaySeed::Sentinel(_) => Day::On(date(9999, 12, 31)),
        DaySeed::Ago(days) => Day::On(shift(today, -i64::from(days))),
        DaySeed::Near(class, days) => {
            let class = &world.classes[usize::from(class) % world.classes.len()];
            // Of a staged class the steps in turn.
            let from = class.dispose().map_or(today, |rule| {
                rule.cutoff(days.unsigned_abs() as usize % rule.steps().len(), today)
            });
            Day::On(shift(from, i64::from(days)))
        }
    })
}

/// A moment of that London day, on either side of its midnights and its clock changes.
fn moment(day: Option<Day>, clock: u8, utc: bool) -> Value {
    let made = |moment| {
        if utc {
            Value::Instant(moment)
        } else {
            Value::Naive(moment)
        }
    };
    let date = match day {
        None => return Value::Null,
        Some(Day::Before) => return made(Moment::Before),
        Some(Day::After) => return made(Moment::After),
        Some(Day::On(date)) => date,
    };
    // The later ones are London's midnights on walls elsewhere.
    let second = [
        43_200, 0, 1, 86_399, 3_600, 5_400, 82_800, 82_799, 68_400, 68_399, 20_700, 20_699, 46_800,
        46_799, 72_000, 24_300,
    ][usize::from(clock) % 16];
    let wall: NaiveDateTime = date.and_time(NaiveTime::MIN) + TimeDelta::seconds(second);
    if !utc {
        return made(Moment::At(wall));
    }
    // An hour that spring skips is read as the hour after it.
    let local = London.from_local_datetime(&wall);
    let found = if clock % 8 >= 4 {
        local.latest()
    } else {
        local.earliest()
    };
    made(Moment::At(found.map_or(wall, |at| at.naive_utc())))
}

fn build_class(
    tables: &[Table],
    today: NaiveDate,
    position: usize,
    seed: &ClassSeed,
    features: &[Feature],
) -> Class {
    let on = |feature| features.contains(&feature);
    let rounding = if on(Feature::Rounding) {
        seed.more.rounding
    } else {
        Rounding::Exact
    };
    let own = usize::from(seed.table) % tables.len();
    let table = tables[own].name.clone();
    // The ids' order is not the file's.
    let id = format!("c{}-{position}", seed.name);
    let claim = if seed.fate == 3 {
        Some(super::condition::Condition::Column(
            "no_such_column".to_owned(),
        ))
    } else {
        seed.claim.clone()
    };
    if seed.fate == 1 {
        return Class {
            id,
            table,
            claim,
            rule: Rule::Retain,
        };
    }
    // Exactly one foreign key leads to a row in which a trigger stands.
    let parents: Vec<&str> = tables[own]
        .foreign
        .iter()
        .map(|f| f.parent.as_str())
        .filter(|parent| {
            let keys = tables[own].foreign.iter();
            let keys = keys.filter(|f| f.parent == *parent && !f.loose);
            *parent != tables[own].name && keys.count() == 1
        })
        .collect();
    let column_at = |nth: usize, at: u8| {
        let column = TRIGGERS[usize::from(at) % 3];
        let wish =
            seed.more.related[nth % 3].filter(|_| on(Feature::Related) && !parents.is_empty());
        wish.map_or(column.to_owned(), |wish| {
            format!("{}.{column}", parents[usize::from(wish) % parents.len()])
        })
    };
    let trigger = match &seed.trigger {
        _ if seed.fate == 2 => Trigger::Columns(vec![("no_such_column".to_owned(), None)]),
        TriggerSeed::Column(at) => Trigger::Columns(vec![(column_at(0, *at), None)]),
        TriggerSeed::List(list) => {
            let mut columns: Vec<(String, Option<super::condition::Condition>)> = Vec::new();
            for (nth, (at, when)) in list.iter().enumerate() {
                // A schedule may name a column once.
                let column = column_at(nth, *at);
                if columns.iter().all(|(name, _)| *name != column) {
                    columns.push((column, when.clone()));
                }
            }
            Trigger::Columns(columns)
        }
        TriggerSeed::Fixed(days) => {
            let from = seed.period.cutoff(rounding, seed.maximum, today);
            Trigger::Fixed(shift(from, i64::from(*days)))
        }
    };
    let disposal = match seed.disposal {
        0 => Disposal::Flag,
        1 => Disposal::Anonymise(anonymise(seed.columns)),
        _ => Disposal::Delete,
    };
    let dependants = declare(tables, own, &disposal, seed);
    let named: Vec<&str> = match &trigger {
        Trigger::Fixed(_) => Vec::new(),
        Trigger::Columns(list) => list.iter().map(|(column, _)| column.as_str()).collect(),
    };
    let more = &seed.more;
    let cutoff = seed.period.cutoff(rounding, seed.maximum, today);
    let plausible = more.plausible.map(|seed| match seed {
        PlausibleSeed::On(day) => day,
        PlausibleSeed::Near(days) => shift(cutoff, i64::from(days)),
    });
    let other = TRIGGERS.iter().find(|column| !named.contains(column));
    let activity = [Some(&"touched_at"), other].into_iter().zip(more.activity);
    let activity = activity.filter_map(|(column, wish)| column.filter(|_| wish));
    let zones = [
        Tz::UTC,
        Tz::America__New_York,
        Tz::Asia__Kathmandu,
        Tz::Pacific__Auckland,
        Tz::Europe__London,
    ];
    let columns_only = matches!(trigger, Trigger::Columns(_));
    // The two cannot stand together.
    let at_once = on(Feature::AtOnce) && more.or_when.is_some();
    let (period, stages) = if on(Feature::Stages) && !more.stages.is_empty() && !at_once {
        staged(seed, &disposal)
    } else {
        (seed.period.clone(), Vec::new())
    };
    let rule = Dispose {
        trigger,
        stages,
        period,
        rounding,
        tolerance: if on(Feature::Tolerance) && !seed.maximum {
            more.tolerance
        } else {
            0
        },
        plausible_from: plausible.filter(|_| on(Feature::Plausible) && columns_only),
        trigger_zone: more
            .zone
            .filter(|_| on(Feature::Zone) && columns_only)
            .map(|at| zones[usize::from(at) % zones.len()]),
        unless_active: if on(Feature::Activity) {
            activity.map(|column| (*column).to_owned()).collect()
        } else {
            Vec::new()
        },
        or_when: more.or_when.clone().filter(|_| on(Feature::AtOnce)),
        notice: more
            .notice
            .filter(|_| on(Feature::Notice) && disposal != Disposal::Flag),
        maximum: seed.maximum,
        disposal,
        gate: if seed.fate == 0 {
            seed.gate
        } else {
            super::world::Gate::None
        },
        dependants,
    };
    Class {
        id,
        table,
        claim,
        rule: Rule::Dispose(rule),
    }
}

/// The period so far is that of the first stage; each further step is some more. A disposal has
/// as many stages before it as there are milder ones.
fn staged(seed: &ClassSeed, disposal: &Disposal) -> (Period, Vec<Stage>) {
    let milder = [Disposal::Flag, Disposal::Anonymise(anonymise(seed.columns))];
    let milder: Vec<_> = milder
        .into_iter()
        .filter(|other| other.severity() < disposal.severity())
        .collect();
    let count = seed.more.stages.len().min(milder.len());
    let mut after = seed.period.clone();
    after.iso = false;
    let mut stages = Vec::new();
    let first = milder.len() - count;
    for (disposal, more) in milder[first..].iter().zip(&seed.more.stages) {
        let later = after.and(more);
        stages.push(Stage {
            after,
            disposal: disposal.clone(),
        });
        after = later;
    }
    (after, stages)
}

/// Takes away what the rules' page says too little about to be judged:
/// - what becomes of dependants at a stage after which the record stays;
/// - a staged maximum beside other classes, and a staged class whose last disposal is milder
///   than another's;
/// - whether a row that waits for a gate is flagged meanwhile; and a stage that flags, with a
///   notice: two flags of one class on one row.
fn keep_to_what_is_written(world: &mut World) {
    // A notice keeps so much that half of the worlds are to have none.
    if world.now.timestamp() % 2 != 0 {
        for class in &mut world.classes {
            if let Rule::Dispose(rule) = &mut class.rule {
                rule.notice = None;
            }
        }
    }
    let noticed = |class: &Class| class.dispose().is_some_and(|rule| rule.notice.is_some());
    let any_notice = world.classes.iter().any(noticed);
    for at in 0..world.classes.len() {
        let class = &world.classes[at];
        let alone = world
            .classes
            .iter()
            .filter(|c| c.table == class.table)
            .count()
            == 1;
        let Rule::Dispose(rule) = &mut world.classes[at].rule else {
            continue;
        };
        let unclear = !rule.dependants.is_empty()
            || !alone && (rule.maximum || rule.disposal != Disposal::Delete);
        if unclear {
            rule.stages.clear();
        }
        if rule.notice.is_some() {
            rule.stages.retain(|stage| stage.disposal != Disposal::Flag);
        }
        if any_notice {
            rule.gate = Gate::None;
        }
    }
}

fn anonymise(seed: [u8; 5]) -> Vec<Anonymisation> {
    let wishes = [
        (
            "full_name",
            [None, Some(Strategy::Redact), Some(Strategy::Null), None][usize::from(seed[0]) % 4],
        ),
        (
            "postcode",
            [None, Some(Strategy::Area)][usize::from(seed[1]) % 2],
        ),
        (
            "born_on",
            [
                None,
                Some(Strategy::Year),
                Some(Strategy::Month),
                Some(Strategy::Null),
            ][usize::from(seed[2]) % 4],
        ),
        (
            "seen_on",
            [None, Some(Strategy::Month), Some(Strategy::Year)][usize::from(seed[3]) % 3],
        ),
    ];
    let mut list: Vec<_> = wishes
        .into_iter()
        .filter_map(|(column, strategy)| {
            Some(Anonymisation {
                column: column.to_owned(),
                path: vec![],
                strategy: strategy?,
            })
        })
        .collect();
    let paths: &[&str] = [
        &[][..],
        &["phone"],
        &["phone", "a.phone"],
        &["a.phone", "age"],
    ][usize::from(seed[4]) % 4];
    list.extend(paths.iter().map(|path| Anonymisation {
        column: "answers".to_owned(),
        path: path.split('.').map(str::to_owned).collect(),
        strategy: Strategy::Remove,
    }));
    if list.is_empty() {
        let column = "full_name".to_owned();
        list.push(Anonymisation {
            column,
            path: vec![],
            strategy: Strategy::Redact,
        });
    }
    list
}

/// Declares every table that a class must declare, and some that it may.
fn declare(tables: &[Table], own: usize, disposal: &Disposal, seed: &ClassSeed) -> Vec<Dependant> {
    let delete = match disposal {
        Disposal::Flag => return Vec::new(),
        Disposal::Anonymise(_) => false,
        Disposal::Delete => true,
    };
    let mut out = Vec::new();
    let mut gone = BTreeSet::from([tables[own].name.as_str()]);
    if delete && own_key(&tables[own]).is_some() {
        out.push(Dependant {
            table: tables[own].name.clone(),
            unlink: seed.unlink[own % 4],
        });
    }
    for (position, table) in tables.iter().enumerate().skip(own + 1) {
        let reaching: Vec<_> = table
            .foreign
            .iter()
            .filter(|f| gone.contains(f.parent.as_str()))
            .collect();
        let to_record = reaching.iter().any(|f| f.parent == tables[own].name);
        // An anonymised record stays: rows that refer to it alone need not be declared,
        // and are not unlinked from it.
        let must = delete || reaching.iter().any(|f| f.parent != tables[own].name);
        if reaching.is_empty() || !(must || seed.family) {
            continue;
        }
        let unlink = seed.unlink[position % 4]
            && reaching.iter().all(|f| f.nullable)
            && (delete || !to_record);
        out.push(Dependant {
            table: table.name.clone(),
            unlink,
        });
        if !unlink {
            gone.insert(&table.name);
        }
    }
    if delete && seed.shared {
        // Other tables may refer to them too: while one of their rows does, the shared row stays.
        let shared: BTreeSet<&str> = tables[own]
            .foreign
            .iter()
            .filter(|f| f.both_ways())
            .map(|f| f.parent.as_str())
            // Of what its rows say to one another, the page says nothing.
            .filter(|parent| own_key(tables.iter().find(|t| t.name == *parent).unwrap()).is_none())
            .filter(|parent| is_whole(tables, own, &gone, parent))
            .collect();
        out.extend(shared.into_iter().map(|table| Dependant {
            table: table.to_owned(),
            unlink: false,
        }));
    }
    out
}

/// Foreign keys that lead from dependants to a shared table are followed where one leads there
/// from the record too; where only a loose reference does, it is left open.
fn is_whole(tables: &[Table], own: usize, gone: &BTreeSet<&str>, shared: &str) -> bool {
    let key = |table: &Table| table.foreign.iter().any(|f| f.parent == shared && !f.loose);
    key(&tables[own])
        || !tables
            .iter()
            .any(|t| gone.contains(t.name.as_str()) && key(t))
}

fn same_row(one: &Hold, other: &Hold) -> bool {
    one.row() == other.row()
}

fn hold_of(world: &World, today: NaiveDate, seed: &HoldSeed) -> Hold {
    let table = &world.tables[usize::from(seed.table) % world.tables.len()];
    let row = &table.rows[usize::from(seed.row) % table.rows.len()];
    let id = table.id(row);
    Hold {
        table: id.table,
        key: id.key,
        until: seed.until.map(|days| shift(today, i64::from(days))),
    }
}
