//! The debt register: one late record for each thing that can keep it, on days worked out by
//! hand, and the sums by plain SQL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/stage.rs"]
mod stage;
mod support;

use retentiond::ident::ClassId;
use retentiond::review::{self, NewErasure};
use retentiond::survey::{self, Debt};
use sqlx::Connection;
use stage::Run;

const TODAY: &str = "2026-11-23";

/// Every table has the same columns, and every class a period of a year.
const KINDS: [&str; 11] = [
    "held", "reviewed", "ordered", "noticed", "photo", "seen", "paused", "vetoed", "limited",
    "plain", "open",
];

fn tables() -> String {
    let mut sql = String::new();
    for kind in KINDS {
        sql.push_str(&format!(
            "CREATE TABLE public.{kind} (id bigint PRIMARY KEY, closed_on date, seen_on date, person text);"
        ));
    }
    sql
}

fn class(id: &str, table: &str, more: &str) -> String {
    stage::class(
        id,
        &format!(
            "table = \"{table}\"\ntrigger = \"closed_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\n{more}"
        ),
    )
}

fn schedule() -> String {
    let classes = [
        class("held", "held", "tolerance = \"5 days\"\n"),
        class("reviewed", "reviewed", "gate = \"review\"\n"),
        class("ordered", "ordered", "gate = \"instruction\"\n"),
        class("noticed", "noticed", "notice = \"30 days\"\n"),
        class("photos", "photo", "limit = \"maximum\"\n"),
        stage::class(
            "photos-of-record",
            "table = \"photo\"\ntrigger = \"closed_on\"\nperiod = \"9 years\"\ndisposal = \"delete\"\n",
        ),
        class("seen", "seen", "unless_active = [\"seen_on\"]\n"),
        class("paused", "paused", ""),
        class("vetoed", "vetoed", ""),
        class("limited", "limited", "max_rows = 1\n"),
        class("plain", "plain", "subject = \"person\"\n"),
        class("open", "open", ""),
    ];
    format!("{}{}", stage::HEAD, classes.concat())
}

async fn debt(url: &str, day: &str) -> Debt {
    let mut conn = support::ours(url).await;
    let parsed = support::schedule(&schedule());
    let drawn = survey::draw(&mut conn, &parsed, support::at(day))
        .await
        .unwrap();
    let debt = survey::debt(&mut conn, &drawn).await.unwrap();
    conn.close().await.unwrap();
    debt
}

/// `class reason records ages since`.
fn lines(debt: &Debt) -> Vec<String> {
    let mut lines = Vec::new();
    for class in &debt.classes {
        for one in &class.reasons {
            lines.push(format!(
                "{} {} {} {:?} {}",
                class.id, one.reason, one.records, one.ages, one.since
            ));
        }
    }
    lines
}

#[tokio::test]
async fn each_late_record_stands_under_what_keeps_it() {
    let url = stage::database(&tables()).await;
    // Closed on 1 October 2025, so the last day is 1 October 2026 and the first day past 2 October;
    // for the maximum 1 October. 23 November is 52 days later, or 53.
    for kind in KINDS.iter().filter(|kind| **kind != "open") {
        support::sql(
            &url,
            &format!("INSERT INTO public.{kind} VALUES (1, '2025-10-01', '2026-11-01', 'p')"),
        )
        .await;
    }
    support::sql(
        &url,
        "INSERT INTO public.limited VALUES (2, '2015-10-01'), (3, '2025-11-20');
         INSERT INTO public.open VALUES (1, NULL), (2, '1900-01-01');
         CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
         CREATE TRIGGER no BEFORE DELETE ON public.vetoed FOR EACH ROW EXECUTE FUNCTION public.no()",
    )
    .await;
    support::hold(&url, "public.held", &["1"], None).await;
    let mut conn = support::ours(&url).await;
    let class = ClassId::new("paused").unwrap();
    review::pause(
        &mut conn,
        Some(&class),
        "moving",
        "test",
        support::at(TODAY),
    )
    .await
    .unwrap();
    // A pass that finds what the trigger vetoes, and flags what is noticed.
    Run::new(&url, &schedule(), "2026-11-20")
        .only("vetoed")
        .go()
        .await;
    Run::new(&url, &schedule(), TODAY)
        .only("noticed")
        .go()
        .await;
    let debt = debt(&url, TODAY).await;
    assert_eq!(
        lines(&debt),
        [
            "held held 1 [0, 0, 1, 0, 0] 2026-10-02",
            "reviewed review 1 [0, 0, 1, 0, 0] 2026-10-02",
            "ordered instruction 1 [0, 0, 1, 0, 0] 2026-10-02",
            "noticed notice 1 [0, 0, 1, 0, 0] 2026-10-02",
            "photos conflict 1 [0, 0, 1, 0, 0] 2026-10-01",
            "seen active 1 [0, 0, 1, 0, 0] 2026-10-02",
            "paused paused 1 [0, 0, 1, 0, 0] 2026-10-02",
            "vetoed quarantined 1 [0, 0, 1, 0, 0] 2026-10-02",
            // 1 is 52 days past, 2 over ten years, 3 two days.
            "limited limit 3 [1, 0, 1, 0, 1] 2016-10-02",
            "plain next-pass 1 [0, 0, 1, 0, 0] 2026-10-02",
        ]
    );
    assert_eq!(debt.late, 12);
    let open = debt.classes.last().unwrap();
    assert_eq!(
        (
            open.id.as_str(),
            open.late,
            open.without_trigger,
            open.implausible_trigger
        ),
        ("open", Some(0), Some(1), Some(1))
    );
    let vetoed = debt.classes.iter().find(|one| one.id.as_str() == "vetoed");
    assert_eq!(vetoed.unwrap().set_aside[0].records, 1);
}

/// A record is late from the day on which its tolerance is used up, and its age counts from when
/// it was past.
#[tokio::test]
async fn a_tolerance_delays_the_day_and_not_the_age() {
    let url = stage::database(&tables()).await;
    support::sql(&url, "INSERT INTO public.held VALUES (1, '2025-10-01')").await;
    for (day, expected) in [
        ("2026-10-02", vec![]),
        ("2026-10-07", vec![]),
        (
            "2026-10-08",
            vec!["held next-pass 1 [1, 0, 0, 0, 0] 2026-10-02"],
        ),
        (
            "2026-10-09",
            vec!["held next-pass 1 [1, 0, 0, 0, 0] 2026-10-02"],
        ),
        (
            "2026-10-10",
            vec!["held next-pass 1 [0, 1, 0, 0, 0] 2026-10-02"],
        ),
        (
            "2026-11-01",
            vec!["held next-pass 1 [0, 1, 0, 0, 0] 2026-10-02"],
        ),
        (
            "2026-11-02",
            vec!["held next-pass 1 [0, 0, 1, 0, 0] 2026-10-02"],
        ),
        (
            "2027-01-01",
            vec!["held next-pass 1 [0, 0, 0, 1, 0] 2026-10-02"],
        ),
        (
            "2027-10-02",
            vec!["held next-pass 1 [0, 0, 0, 1, 0] 2026-10-02"],
        ),
        (
            "2027-10-03",
            vec!["held next-pass 1 [0, 0, 0, 0, 1] 2026-10-02"],
        ),
    ] {
        assert_eq!(lines(&debt(&url, day).await), expected, "{day}");
    }
}

#[tokio::test]
async fn the_sums_are_those_of_plain_sql() {
    let url = stage::database(&tables()).await;
    // Every day of three years, some of them twice.
    support::sql(
        &url,
        "INSERT INTO public.plain (id, closed_on)
         SELECT n, date '2023-06-01' + (n % 1100)::int FROM generate_series(1, 1500) AS n",
    )
    .await;
    let debt = debt(&url, TODAY).await;
    let [one] = &debt.classes[0].reasons[..] else {
        panic!("{:?}", debt.classes);
    };
    let past = "(closed_on + interval '1 year')::date + 1";
    let ages = support::texts(
        &url,
        &format!(
            "SELECT count(*) FILTER (WHERE days BETWEEN a AND b)::text
               FROM (VALUES (1, 7), (8, 30), (31, 90), (91, 365), (366, 99999)) AS r (a, b),
                    (SELECT date '{TODAY}' - ({past}) AS days FROM public.plain) AS p
              GROUP BY a ORDER BY a"
        ),
    )
    .await;
    let counted: Vec<String> = one.ages.iter().map(ToString::to_string).collect();
    assert_eq!(counted, ages);
    assert_eq!(one.records, one.ages.iter().sum::<u64>());
    assert!(one.ages.iter().all(|records| *records > 0));
    let oldest = format!("SELECT min({past})::text FROM public.plain");
    assert_eq!(support::texts(&url, &oldest).await, [one.since.to_string()]);
}

/// A request makes its records late from the day after it came in, no old debt young, and is late
/// itself after a month.
#[tokio::test]
async fn a_request_for_erasure_is_debt_like_any_other() {
    let url = stage::database(&tables()).await;
    support::sql(
        &url,
        "INSERT INTO public.plain VALUES (1, NULL, NULL, 'p'), (2, '2025-10-01', NULL, 'p'), (3, NULL, NULL, 'q')",
    )
    .await;
    let mut conn = support::ours(&url).await;
    let new = NewErasure {
        subject: "p",
        hash: "hmac:00000000:00",
        requested_on: "2026-10-31".parse().unwrap(),
        basis: "Art 17",
        reference: "SR 7",
    };
    review::request_erasure(&mut conn, &new, "test", support::at("2026-10-31"))
        .await
        .unwrap();
    assert_eq!(
        lines(&debt(&url, "2026-10-31").await),
        ["plain next-pass 1 [0, 1, 0, 0, 0] 2026-10-02"]
    );
    let now = debt(&url, "2026-11-02").await;
    assert_eq!(
        lines(&now),
        ["plain next-pass 2 [1, 0, 1, 0, 0] 2026-10-02"]
    );
    // A month from 31 October is 30 November.
    assert!(debt(&url, "2026-11-30").await.requests.is_empty());
    let late = debt(&url, "2026-12-01").await;
    assert_eq!((late.requests[0].erasure, late.late), (1, 3));
}
