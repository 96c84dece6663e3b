//! Random worlds. A world is built from a few numbers that proptest shrinks: fewer
//! rows, fewer classes, plainer conditions and no references are the simpler ones.
//!
//! Built worlds keep the engine's conditions: references are acyclic, every key onto
//! a table that is deleted from is declared (except in [`omitting`]), what is
//! unlinked is nullable, and anonymised columns are used for nothing else.

use chrono::{DateTime, Days, NaiveDate, Utc};
use proptest::collection::vec;
use proptest::prelude::*;

use super::build::build;
use super::calendar::{Period, Rounding, Unit, date};
use super::condition::Condition;
use super::features::Feature;
use super::value::Value;
use super::world::{Gate, OnDelete, Rule, World};

/// The numbers a world is made of.
#[derive(Debug, Clone)]
pub struct Seed {
    pub today: NaiveDate,
    /// Seconds after the London midnight that begins `today`.
    pub second: u32,
    pub tables: Vec<TableSeed>,
    pub classes: Vec<ClassSeed>,
    pub holds: Vec<HoldSeed>,
    pub later: Vec<LaterSeed>,
}

/// See [`super::world::Later`].
#[derive(Debug, Clone)]
pub struct LaterSeed {
    /// Days after the day before.
    pub days: u16,
    pub changes: Vec<ChangeSeed>,
    pub holds: Vec<HoldSeed>,
    pub released: Vec<u8>,
}

#[derive(Debug, Clone)]
pub struct ChangeSeed {
    pub table: u8,
    pub row: u16,
    /// Which column: one of a day, `active` or `kind`.
    pub column: u8,
    pub day: DaySeed,
    pub clock: u8,
    pub active: Option<bool>,
    pub kind: Option<u8>,
}

#[derive(Debug, Clone)]
pub struct TableSeed {
    /// 0 integer, 1 composite, 2 uuid, 3 text.
    pub key: u8,
    /// Two possible keys onto each table before this one.
    pub keys: Vec<[Option<(bool, OnDelete)>; 2]>,
    /// See [`LooseSeed`].
    pub loose: Option<LooseSeed>,
    /// A key onto the table itself, and whether the first row answers the last.
    pub thread: Option<(OnDelete, bool)>,
    pub indexed: bool,
    pub rows: Vec<RowSeed>,
}

/// Columns that refer to a table before this one though nothing declares it.
#[derive(Debug, Clone)]
pub struct LooseSeed {
    pub parent: u8,
    /// Of which rows it is so: 0 to 2 of all; 3 to 5 of some.
    pub only: u8,
    /// By the row's kind to another table too, if there is one with such a key.
    pub many: bool,
}

#[derive(Debug, Clone)]
pub struct RowSeed {
    /// For `closed_on`, `received_at`, `logged_at`.
    pub days: [DaySeed; 3],
    /// For `touched_at`.
    pub touched: TouchedSeed,
    pub clock: u8,
    pub active: Option<bool>,
    pub kind: Option<u8>,
    pub score: Option<i32>,
    /// For `full_name`, `postcode`, `born_on`, `seen_on`, `answers`.
    pub person: [u8; 5],
    /// Which row of each table before this one, by each key; `None` for NULL where that is allowed.
    pub parents: Vec<[Option<u16>; 2]>,
    /// Which row the loose reference names.
    pub about: Option<u16>,
    /// Which row before this one it answers, and whether it is dated like that.
    pub answers: Option<(u16, bool)>,
}

#[derive(Debug, Clone, Copy)]
pub enum DaySeed {
    Null,
    Sentinel(u8),
    /// Days from the cutoff of the class at this position (modulo their number).
    Near(u8, i8),
    /// Days before today; negative is the future.
    Ago(i16),
}

#[derive(Debug, Clone, Copy)]
pub enum TouchedSeed {
    Null,
    /// So many days after the day in this slot, at this time of day.
    After(u8, i8, u8),
    Day(DaySeed),
}

#[derive(Debug, Clone)]
pub struct ClassSeed {
    /// Where its id stands among the others'.
    pub name: u8,
    /// On the table of the class before it, and with its last days: ties decide.
    pub twin: bool,
    pub table: u8,
    pub claim: Option<Condition>,
    /// 0 disposes, 1 retains, 2 has a bad trigger, 3 a bad condition.
    pub fate: u8,
    pub trigger: TriggerSeed,
    pub period: Period,
    pub maximum: bool,
    /// 0 flag, 1 anonymise, 2 delete.
    pub disposal: u8,
    /// Which columns are anonymised, and how.
    pub columns: [u8; 5],
    pub gate: Gate,
    /// For each table: a wish to unlink rather than delete.
    pub unlink: [bool; 4],
    /// Take along what an anonymised record's dependants, or what a record refers to.
    pub family: bool,
    pub shared: bool,
    pub more: MoreSeed,
}

/// For each [`Feature`] of a class; what is not switched on is not used.
#[derive(Debug, Clone)]
pub struct MoreSeed {
    pub rounding: Rounding,
    pub tolerance: u32,
    pub plausible: Option<PlausibleSeed>,
    pub zone: Option<u8>,
    /// `touched_at`, and a column that is no trigger.
    pub activity: [bool; 2],
    /// Each stage before the class's own period: how much less it is.
    pub stages: Vec<Period>,
    pub notice: Option<u32>,
    pub or_when: Option<Condition>,
    /// Which triggers of the list stand in a related row, and in which.
    pub related: [Option<u8>; 3],
}

#[derive(Debug, Clone, Copy)]
pub enum PlausibleSeed {
    On(NaiveDate),
    /// Days from the cutoff.
    Near(i16),
}

#[derive(Debug, Clone)]
pub enum TriggerSeed {
    Column(u8),
    List(Vec<(u8, Option<Condition>)>),
    /// Days from the day on which the class would just be past.
    Fixed(i8),
}

#[derive(Debug, Clone)]
pub struct HoldSeed {
    pub table: u8,
    pub row: u16,
    /// Days from today.
    pub until: Option<i8>,
}

/// Worlds in which every declaration is made.
pub fn worlds(features: &[Feature]) -> impl Strategy<Value = World> {
    seeds(4, 40).prop_map(|seed| build(&seed, features))
}

/// As [`worlds`], with few rows: for tests that make many of them.
pub fn little_worlds(features: &[Feature]) -> impl Strategy<Value = World> {
    seeds(4, 12).prop_map(|seed| build(&seed, features))
}

/// Worlds in which one class leaves out a declaration that it needs, and is refused for it.
pub fn omitting(features: &[Feature]) -> impl Strategy<Value = World> {
    (seeds(4, 20), any::<prop::sample::Index>()).prop_filter_map(
        "no class has a dependant to leave out",
        |(seed, which)| {
            let world = build(&seed, features);
            let mut options = Vec::new();
            for (c, class) in world.classes.iter().enumerate() {
                let count = class.dispose().map_or(0, |rule| rule.dependants.len());
                for d in 0..count {
                    let mut changed = world.clone();
                    if let Rule::Dispose(rule) = &mut changed.classes[c].rule {
                        rule.dependants.remove(d);
                    }
                    let refused = changed.refusal(&changed.classes[c]).is_some();
                    if refused && world.refusal(class).is_none() {
                        options.push(changed);
                    }
                }
            }
            (!options.is_empty()).then(|| options.swap_remove(which.index(options.len())))
        },
    )
}

fn seeds(tables: usize, rows: usize) -> impl Strategy<Value = Seed> {
    (
        today(),
        prop_oneof![Just(0_u32), Just(1), 0..82_800_u32, Just(82_799)],
        (2..=tables).prop_flat_map(move |n| {
            (0..n)
                .map(|t| table(t, rows).boxed())
                .collect::<Vec<BoxedStrategy<TableSeed>>>()
        }),
        vec(class(), 1..=4),
        vec(hold(), 0..=4),
        prop_oneof![1 => Just(Vec::new()), 2 => vec(later(), 1..=3)],
    )
        .prop_map(|(today, second, tables, mut classes, holds, later)| {
            for at in 1..classes.len() {
                if classes[at].twin {
                    let before = classes[at - 1].clone();
                    let class = &mut classes[at];
                    (class.table, class.period) = (before.table, before.period);
                    class.trigger = before.trigger;
                    class.more.rounding = before.more.rounding;
                    class.more.related = before.more.related;
                }
            }
            Seed {
                today,
                second,
                tables,
                classes,
                holds,
                later,
            }
        })
}

fn later() -> impl Strategy<Value = LaterSeed> {
    let change = (
        0..4_u8,
        any::<u16>(),
        0..6_u8,
        day(),
        0..16_u8,
        any::<Option<bool>>(),
        prop::option::weighted(0.8, 0..3_u8),
    )
        .prop_map(
            |(table, row, column, day, clock, active, kind)| ChangeSeed {
                table,
                row,
                column,
                day,
                clock,
                active,
                kind,
            },
        );
    (
        prop_oneof![2 => Just(1_u16), 3 => 0..50_u16, 1 => 50..800_u16],
        vec(change, 0..8),
        vec(hold(), 0..2),
        vec(any::<u8>(), 0..2),
    )
        .prop_map(|(days, changes, holds, released)| LaterSeed {
            days,
            changes,
            holds,
            released,
        })
}

/// Ends of months, leap days, days around clock changes, and any other.
fn today() -> impl Strategy<Value = NaiveDate> {
    let special = [
        date(2024, 2, 29),
        date(2025, 2, 28),
        date(2025, 3, 1),
        date(2025, 8, 31),
        date(2026, 3, 28),
        date(2026, 3, 29),
        date(2026, 3, 30),
        date(2025, 10, 25),
        date(2025, 10, 26),
        date(2025, 10, 27),
        date(2025, 12, 31),
        date(2026, 1, 1),
        date(2025, 3, 31),
        date(2025, 4, 1),
        date(2021, 10, 30),
    ];
    prop_oneof![
        1 => (0..2500_u64).prop_map(|n| date(2020, 1, 1) + Days::new(n)),
        1 => prop::sample::select(special.to_vec()),
    ]
}

fn table(position: usize, rows: usize) -> impl Strategy<Value = TableSeed> {
    let key = || {
        (
            any::<bool>(),
            prop_oneof![
                2 => Just(OnDelete::NoAction),
                1 => Just(OnDelete::Cascade),
                1 => Just(OnDelete::SetNull),
            ],
        )
    };
    let keys = (
        prop::option::weighted(0.55, key()),
        prop::option::weighted(0.12, key()),
    );
    let loose = (any::<u8>(), 0..6_u8, prop::bool::weighted(0.5));
    let loose = loose.prop_map(|(parent, only, many)| LooseSeed { parent, only, many });
    let action = prop_oneof![
        2 => Just(OnDelete::NoAction),
        1 => Just(OnDelete::Cascade),
        1 => Just(OnDelete::SetNull),
    ];
    (
        0..4_u8,
        vec(keys.prop_map(|(first, second)| [first, second]), position),
        any::<bool>(),
        vec(row(position), 5..=rows),
        prop::option::weighted(0.65, loose),
        prop::option::weighted(0.4, (action, prop::bool::weighted(0.3))),
    )
        .prop_map(|(key, keys, indexed, rows, loose, thread)| TableSeed {
            key,
            keys,
            loose,
            thread,
            indexed,
            rows,
        })
}

fn row(position: usize) -> impl Strategy<Value = RowSeed> {
    (
        ([day(), day(), day()], touched()),
        0..16_u8,
        prop::option::weighted(0.8, any::<bool>()),
        prop::option::weighted(0.8, 0..3_u8),
        prop::option::weighted(0.8, 0..4_i32),
        // Often nothing that could identify anyone: already anonymised, or never filled in.
        prop_oneof![
            6 => [0..8_u8, 0..8, 0..8, 0..8, 0..16],
            2 => Just([0; 5]),
            1 => Just([1, 1, 1, 1, 2]),
        ],
        vec(
            [
                prop::option::weighted(0.85, any::<u16>()),
                prop::option::weighted(0.5, any::<u16>()),
            ],
            position,
        ),
        prop::option::weighted(0.8, any::<u16>()),
        prop::option::weighted(0.8, (any::<u16>(), prop::bool::weighted(0.75))),
    )
        .prop_map(
            |((days, touched), clock, active, kind, score, person, parents, about, answers)| {
                RowSeed {
                    days,
                    touched,
                    clock,
                    active,
                    kind,
                    score,
                    person,
                    parents,
                    about,
                    answers,
                }
            },
        )
}

fn day() -> impl Strategy<Value = DaySeed> {
    prop_oneof![
        6 => (0..4_u8, -3..=2_i8).prop_map(|(class, days)| DaySeed::Near(class, days)),
        6 => (0..4_u8, -90..=-4_i8).prop_map(|(class, days)| DaySeed::Near(class, days)),
        2 => Just(DaySeed::Null),
        1 => (0..9_u8).prop_map(DaySeed::Sentinel),
        2 => (-40..4000_i16).prop_map(DaySeed::Ago),
    ]
}

/// Mostly on the days beside a trigger's.
fn touched() -> impl Strategy<Value = TouchedSeed> {
    prop_oneof![
        3 => Just(TouchedSeed::Null),
        6 => (0..3_u8, -2..=1_i8, 0..16_u8).prop_map(|(slot, days, clock)| TouchedSeed::After(slot, days, clock)),
        1 => day().prop_map(TouchedSeed::Day),
    ]
}

fn more() -> impl Strategy<Value = MoreSeed> {
    let plausible = prop_oneof![
        2 => prop::sample::select(vec![date(1900, 1, 1), date(1960, 1, 1), date(2000, 1, 1)])
            .prop_map(PlausibleSeed::On),
        2 => (-40..=2_i16).prop_map(PlausibleSeed::Near),
    ];
    let less = prop_oneof![
        (1..200_u32).prop_map(|n| Period::of(n, Unit::Days)),
        (1..20_u32).prop_map(|n| Period::of(n, Unit::Months)),
    ];
    (
        prop_oneof![2 => Just(Rounding::Exact), 3 => prop::sample::select(Rounding::ALL.to_vec())],
        prop_oneof![2 => Just(0_u32), 1 => 1..3_u32, 1 => 1..60_u32],
        prop::option::weighted(0.3, plausible),
        prop::option::weighted(0.5, 0..5_u8),
        (prop::bool::weighted(0.3), prop::bool::weighted(0.1)),
        prop_oneof![2 => Just(Vec::new()), 2 => vec(less, 1..=2)],
        prop::option::weighted(0.4, prop_oneof![Just(1_u32), 1..45_u32]),
        [(); 3].map(|()| prop::option::weighted(0.35, any::<u8>())),
        prop::option::weighted(0.3, condition()),
    )
        .prop_map(
            |(rounding, tolerance, plausible, zone, activity, stages, notice, related, or_when)| {
                MoreSeed {
                    rounding,
                    tolerance,
                    plausible,
                    zone,
                    activity: [activity.0, activity.1],
                    stages,
                    notice,
                    or_when,
                    related,
                }
            },
        )
}

fn period() -> impl Strategy<Value = Period> {
    let part = prop_oneof![
        (1..400_u32).prop_map(|n| (n, Unit::Days)),
        (1..20_u32).prop_map(|n| (n, Unit::Weeks)),
        (1..30_u32).prop_map(|n| (n, Unit::Months)),
        (1..6_u32).prop_map(|n| (n, Unit::Years)),
    ];
    let whole = prop_oneof![
        4 => part.prop_map(|part| vec![part]),
        1 => (1..3_u32, 1..12_u32)
            .prop_map(|(years, months)| vec![(years, Unit::Years), (months, Unit::Months)]),
        1 => (1..12_u32, 1..40_u32)
            .prop_map(|(months, days)| vec![(months, Unit::Months), (days, Unit::Days)]),
    ];
    (whole, prop::bool::weighted(0.15)).prop_map(|(parts, iso)| Period { parts, iso })
}

fn condition() -> impl Strategy<Value = Condition> {
    let kind = || prop::sample::select(vec!["open", "it's", "Ä/b"]).prop_map(Value::text);
    let leaf = prop_oneof![
        Just(Condition::Column("active".to_owned())),
        kind().prop_map(|value| Condition::Equal("kind".to_owned(), value)),
        kind().prop_map(|value| Condition::Unequal("kind".to_owned(), value)),
        (0..4_i32).prop_map(|n| Condition::Equal("Score".to_owned(), Value::Int(n))),
        (0..4_i32).prop_map(|n| Condition::Less("Score".to_owned(), n)),
        (kind(), any::<bool>()).prop_map(|(value, null)| {
            let list = if null {
                vec![value, Value::Null]
            } else {
                vec![value]
            };
            Condition::In("kind".to_owned(), list)
        }),
        prop::sample::select(vec!["kind", "active", "closed_on", "received_at"])
            .prop_map(|c| Condition::IsNull(c.to_owned())),
        prop::sample::select(vec!["Score", "logged_at"])
            .prop_map(|c| Condition::IsNotNull(c.to_owned())),
        Just(Condition::IsTrue("active".to_owned())),
        Just(Condition::IsNotTrue("active".to_owned())),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone())
                .prop_map(|(l, r)| Condition::And(Box::new(l), Box::new(r))),
            (inner.clone(), inner.clone())
                .prop_map(|(l, r)| Condition::Or(Box::new(l), Box::new(r))),
            inner.prop_map(|c| Condition::Not(Box::new(c))),
        ]
    })
}

fn class() -> impl Strategy<Value = ClassSeed> {
    let trigger = prop_oneof![
        5 => (0..3_u8).prop_map(TriggerSeed::Column),
        3 => vec((0..3_u8, prop::option::of(condition())), 2..=3).prop_map(TriggerSeed::List),
        1 => (-3..=3_i8).prop_map(TriggerSeed::Fixed),
    ];
    (
        prop_oneof![2 => Just(0_u8), 2 => Just(1), 2 => 0..4_u8],
        prop::option::weighted(0.55, condition()),
        prop_oneof![18 => Just(0_u8), 2 => Just(1), 1 => Just(2), 1 => Just(3)],
        trigger,
        period(),
        prop::bool::weighted(0.35),
        prop_oneof![1 => Just(0_u8), 2 => Just(1), 4 => Just(2)],
        [0..3_u8, 0..2, 0..4, 0..3, 0..4],
        prop_oneof![16 => Just(Gate::None), 1 => Just(Gate::Review), 1 => Just(Gate::Instruction)],
        [any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()],
        (
            any::<bool>(),
            prop::bool::weighted(0.85),
            0..4_u8,
            prop::bool::weighted(0.25),
            more(),
        ),
    )
        .prop_map(
            |(
                table,
                claim,
                fate,
                trigger,
                period,
                maximum,
                disposal,
                columns,
                gate,
                unlink,
                of,
            )| {
                ClassSeed {
                    name: of.2,
                    twin: of.3,
                    table,
                    claim,
                    fate,
                    trigger,
                    period,
                    maximum,
                    disposal,
                    columns,
                    gate,
                    unlink,
                    family: of.0,
                    shared: of.1,
                    more: of.4,
                }
            },
        )
}

fn hold() -> impl Strategy<Value = HoldSeed> {
    (0..4_u8, any::<u16>(), prop::option::of(-1..=1_i8)).prop_map(|(table, row, until)| HoldSeed {
        table,
        row,
        until,
    })
}

/// The instant `second` seconds after the midnight that begins a day in London.
pub fn instant(today: NaiveDate, second: u32) -> DateTime<Utc> {
    use chrono::TimeZone as _;
    let midnight = today.and_time(chrono::NaiveTime::MIN);
    let start = chrono_tz::Europe::London
        .from_local_datetime(&midnight)
        .earliest();
    start.expect("London's midnights exist").with_timezone(&Utc)
        + chrono::TimeDelta::seconds(i64::from(second))
}
