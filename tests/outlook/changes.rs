//! A comparison of two versions, reckoned by hand for each kind of change, and against
//! counts of plain SQL.

use std::slice::from_ref;

use retentiond::plan::Undue;
use retentiond::survey::{self, Against, Dependants, Effect, Side};
use sqlx::Connection as _;
use tokio::sync::OnceCell;

use crate::months::{HEAD, class};
use crate::support;

const ON: &str = "2026-11-23";

/// Papers of ten years, three a month, every third of a kind `b`, with a sheet each.
const ROWS: &str = "SET search_path = public;
    CREATE TABLE paper (id integer PRIMARY KEY, kind text, name text, on_day date);
    CREATE TABLE sheet (id integer PRIMARY KEY, paper_id integer NOT NULL REFERENCES paper);
    INSERT INTO paper SELECT n, CASE n % 3 WHEN 0 THEN 'b' WHEN 1 THEN 'a' END, 'Ada', DATE '2016-11-25' + 10 * n
        FROM generate_series(1, 364) n;
    INSERT INTO sheet SELECT id, id FROM paper";

async fn rows() -> &'static str {
    static URL: OnceCell<String> = OnceCell::const_new();
    URL.get_or_init(|| async {
        let url = support::migrated().await;
        support::sql(&url, ROWS).await;
        url
    })
    .await
}

const YEARS_2: &str =
    "trigger = \"on_day\"\nperiod = \"2 years\"\ndisposal = \"delete\"\ndependants = [\"sheet\"]";
const YEARS_4: &str =
    "trigger = \"on_day\"\nperiod = \"4 years\"\ndisposal = \"delete\"\ndependants = [\"sheet\"]";
const KEPT: &str = "disposal = \"retain\"\nowner = \"A\"\nreason = \"B\"";

async fn against(old: &[String], new: &[String]) -> Against {
    let [old, new] =
        [old, new].map(|classes| support::schedule(&format!("{HEAD}{}", classes.concat())));
    let mut conn = support::ours(rows().await).await;
    let now = support::at(ON);
    let before = survey::draw(&mut conn, &old, now).await.unwrap();
    let after = survey::draw(&mut conn, &new, now).await.unwrap();
    let against = survey::against(&mut conn, (&old, &before), (&new, &after))
        .await
        .unwrap();
    conn.close().await.unwrap();
    against
}

async fn papers(condition: &str) -> u64 {
    let sql = format!("SELECT count(*) FROM public.paper WHERE {condition}");
    let found = support::number(rows().await, &sql).await;
    assert!(found > 0, "{condition}");
    u64::try_from(found).unwrap()
}

/// Becomes due, no longer due, other disposal, alike.
fn totals(against: &Against) -> [u64; 4] {
    Effect::ALL.map(|effect| against.records(None, effect))
}

/// How those stand by the new version that no longer are due, or by the old that now are.
fn otherwise(against: &Against) -> Vec<Undue> {
    let sides = against.changes.iter().flat_map(|c| [&c.old, &c.new]);
    let mut found: Vec<Undue> = sides
        .filter_map(|side| match side {
            Side::Not(undue) => Some(*undue),
            Side::Due(..) => None,
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

#[tokio::test]
async fn a_shorter_period_makes_due_and_a_longer_one_keeps() {
    // The last day of 2 years from 22 November 2024 was yesterday.
    let between = papers("on_day >= '2022-11-23' AND on_day < '2024-11-23'").await;
    let older = papers("on_day < '2022-11-23'").await;
    let (two, four) = (class("c", YEARS_2), class("c", YEARS_4));
    let shorter = against(from_ref(&four), from_ref(&two)).await;
    assert_eq!(totals(&shorter), [between, 0, 0, older]);
    assert_eq!(otherwise(&shorter), [Undue::Kept]);
    let sheets = |against: &Against| *against.dependants.values().next().unwrap();
    assert_eq!(
        sheets(&shorter),
        Dependants {
            more: between,
            fewer: 0,
            alike: older
        }
    );
    let longer = against(&[two], &[four]).await;
    assert_eq!(totals(&longer), [0, between, 0, older]);
    assert_eq!(
        sheets(&longer),
        Dependants {
            more: 0,
            fewer: between,
            alike: older
        }
    );
}

#[tokio::test]
async fn a_narrower_condition_lets_go_of_what_it_leaves_out() {
    let due = "on_day < '2024-11-23'";
    let (out, still) = (
        papers(&format!("{due} AND kind IS DISTINCT FROM 'a'")).await,
        papers(&format!("{due} AND kind = 'a'")).await,
    );
    let narrowed = against(
        &[class("c", YEARS_2)],
        &[class("c", &format!("where = \"kind = 'a'\"\n{YEARS_2}"))],
    )
    .await;
    assert_eq!(totals(&narrowed), [0, out, 0, still]);
    // Of a `b` no class claims it; where the kind is NULL, one might.
    assert_eq!(otherwise(&narrowed), [Undue::Unclaimed, Undue::Kept]);
}

#[tokio::test]
async fn a_class_that_is_removed_leaves_its_records_to_a_shorter_one() {
    let longer = class("longer", &format!("where = \"kind = 'b'\"\n{YEARS_4}"));
    let shorter = class("shorter", YEARS_2);
    let removed = against(&[longer, shorter.clone()], &[shorter]).await;
    let b = papers("kind = 'b' AND on_day >= '2022-11-23' AND on_day < '2024-11-23'").await;
    // What might be a `b` was kept by the longer class as well, and never governed by it.
    let perhaps = papers("kind IS NULL AND on_day < '2024-11-23'").await;
    let was_longer = papers("kind = 'b' AND on_day < '2022-11-23'").await;
    let alike = was_longer + papers("kind = 'a' AND on_day < '2024-11-23'").await;
    assert_eq!(totals(&removed), [b + perhaps, 0, 0, alike]);
    let moved = removed.changes.iter().find(
        |change| matches!((&change.old, &change.new), (Side::Due(was, _), Side::Due(is, _)) if was != is),
    );
    let moved = moved.unwrap();
    assert_eq!((moved.records, moved.effect), (was_longer, Effect::Alike));
    assert_eq!(moved.class().unwrap().as_str(), "shorter");
}

#[tokio::test]
async fn another_disposal_is_told_apart_from_the_same() {
    let masks = |strategy: &str| {
        let rule = "trigger = \"on_day\"\nperiod = \"2 years\"\ndisposal = \"anonymise\"";
        class("c", &format!("{rule}\nanonymise = {{ {strategy} }}"))
    };
    let due = papers("on_day < '2024-11-23'").await;
    let deleted = against(&[masks("name = \"redact\"")], &[class("c", YEARS_2)]).await;
    assert_eq!(totals(&deleted), [0, 0, due, 0]);
    let otherwise = against(&[masks("name = \"redact\"")], &[masks("name = \"null\"")]).await;
    assert_eq!(totals(&otherwise), [0, 0, due, 0]);
    // The order of the columns is no change.
    let same = against(
        &[masks("name = \"redact\", kind = \"null\"")],
        &[masks("kind = \"null\", name = \"redact\"")],
    )
    .await;
    // A row with both already as they would become is done; there is none.
    assert_eq!(totals(&same), [0, 0, 0, due]);
}

#[tokio::test]
async fn a_retain_class_that_is_added_protects() {
    let due = "on_day < '2024-11-23'";
    let kept = papers(&format!("{due} AND kind IS DISTINCT FROM 'a'")).await;
    let still = papers(&format!("{due} AND kind = 'a'")).await;
    let retained = against(
        &[class("c", YEARS_2)],
        &[
            class("c", YEARS_2),
            class("kept", &format!("where = \"kind = 'b'\"\n{KEPT}")),
        ],
    )
    .await;
    assert_eq!(totals(&retained), [0, kept, 0, still]);
    assert_eq!(otherwise(&retained), [Undue::Kept]);
}

#[tokio::test]
async fn a_maximum_is_due_a_day_sooner_than_a_minimum() {
    support::sql(
        rows().await,
        "INSERT INTO public.paper VALUES (1000, 'm', 'Max', '2025-11-23'), (1001, 'm', 'Max', '2025-11-24')",
    )
    .await;
    let rule = "where = \"kind = 'm'\"\ntrigger = \"on_day\"\nperiod = \"1 year\"\ndisposal = \"delete\"\ndependants = [\"sheet\"]";
    let minimum = class("c", rule);
    let maximum = class("c", &format!("{rule}\nlimit = \"maximum\""));
    let switched = against(from_ref(&minimum), from_ref(&maximum)).await;
    assert_eq!(switched.records(None, Effect::BecomesDue), 1);
    assert_eq!(totals(&switched)[1..3], [0, 0]);
    let back = against(&[maximum], &[minimum]).await;
    assert_eq!(back.records(None, Effect::NoLongerDue), 1);
}

#[tokio::test]
async fn a_gate_makes_what_was_due_wait_and_a_refusal_protects() {
    let due = papers("on_day < '2024-11-23'").await;
    let gated = against(
        &[class("c", YEARS_2)],
        &[class("c", &format!("{YEARS_2}\ngate = \"review\""))],
    )
    .await;
    assert_eq!(totals(&gated), [0, due, 0, 0]);
    assert_eq!(otherwise(&gated), [Undue::Waiting]);
    let refused = against(
        &[
            class("c", YEARS_2),
            class("d", &YEARS_4.replace("on_day", "no_day")),
        ],
        &[class("c", YEARS_2)],
    )
    .await;
    assert_eq!(totals(&refused), [due, 0, 0, 0]);
    assert_eq!(otherwise(&refused), [Undue::Kept]);
}

#[tokio::test]
async fn what_happens_to_a_record_is_that_of_the_step_it_is_at() {
    let staged = class(
        "c",
        "trigger = \"on_day\"\nperiod = \"4 years\"\ndisposal = \"delete\"\ndependants = [\"sheet\"]\n\
         stages = [{ after = \"2 years\", disposal = \"anonymise\", anonymise = { name = \"redact\" } }]",
    );
    let young = papers("on_day >= '2022-11-23' AND on_day < '2024-11-23'").await;
    let old = papers("on_day < '2022-11-23'").await;
    let sooner = against(from_ref(&staged), &[class("c", YEARS_2)]).await;
    assert_eq!(totals(&sooner), [0, 0, young, old]);
    let other = sooner
        .changes
        .iter()
        .find(|change| change.effect == Effect::OtherDisposal)
        .unwrap();
    assert!(matches!(&other.old, Side::Due(_, "anonymise")));
    assert!(matches!(&other.new, Side::Due(_, "delete")));
    let later = against(&[staged], &[class("c", YEARS_4)]).await;
    assert_eq!(totals(&later), [0, young, 0, old]);
}
