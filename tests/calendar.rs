//! Cutoffs and last days against PostgreSQL's own calendar: every day of 1990 to 2060, the
//! periods of the shipped schedule, and a mix of others drawn anew from a printed seed.
//!
//! The program works out a cutoff once a day and compares bare columns with it; PostgreSQL
//! adds the interval to each date. For every day both must part the dates at one place.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use chrono::NaiveDate;
use chrono_tz::Tz;
use retentiond::schedule::{self, Limit, Period};
use sqlx::{Connection, PgConnection, Row};

const SCHEDULE: &str = include_str!("../retention.toml");
const SEED: u64 = 20_261_123;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Every day from the first to the last.
fn days(first: &str, last: &str) -> Vec<NaiveDate> {
    let last = date(last);
    date(first)
        .iter_days()
        .take_while(|day| *day <= last)
        .collect()
}

/// The shipped periods, those known to be awkward, and `SEED`'s.
fn periods() -> Vec<Period> {
    let mut texts: Vec<String> = schedule::parse(SCHEDULE, "retention.toml")
        .unwrap_or_else(|e| panic!("{}", e.render(false)))
        .classes()
        .iter()
        .filter_map(|class| class.dispose())
        .map(|dispose| {
            format!(
                "{} months {} days",
                dispose.period.months(),
                dispose.period.days()
            )
        })
        .collect();
    texts.extend(
        [
            "1 day",
            "1 month",
            "2 months",
            "11 months",
            "13 months 30 days",
            "4 years 1 day",
            "100 years",
        ]
        .map(String::from),
    );
    let mut state = SEED;
    let mut below = |limit: u64| {
        // The step of Knuth's MMIX; the upper bits are the good ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    for _ in 0..24 {
        let (months, days) = (below(400), below(120));
        texts.push(match below(4) {
            0 => format!("{} months", months + 1),
            1 => format!("{} days", days + 1),
            2 => format!("{} years {} weeks", months / 12 + 1, days / 7 + 1),
            _ => format!("{} months {} days", months + 1, days + 1),
        });
    }
    println!("seed {SEED}: {texts:?}");
    texts
        .iter()
        .map(|text| Period::parse(text).unwrap())
        .collect()
}

async fn connection() -> PgConnection {
    support::client(&support::database().await).await
}

/// What PostgreSQL is told of a period: its numbers, not our text of the interval.
fn numbers(period: Period) -> (i32, i32) {
    (
        i32::try_from(period.months()).unwrap(),
        i32::try_from(period.days()).unwrap(),
    )
}

#[tokio::test]
async fn last_days_are_those_of_postgresql() {
    let mut conn = connection().await;
    let triggers = days("1889-12-25", "2060-12-31");
    for period in periods() {
        let (months, extra) = numbers(period);
        let ours: Vec<NaiveDate> = triggers
            .iter()
            .map(|day| period.last_day(*day).unwrap())
            .collect();
        let row = sqlx::query(
            "SELECT count(*) FILTER (WHERE theirs IS DISTINCT FROM ours), count(*), min(day) FILTER (WHERE theirs IS DISTINCT FROM ours)::text
             FROM (SELECT day, ours, (day + make_interval(months => $3, days => $4))::date AS theirs
                   FROM unnest($1::date[], $2::date[]) AS t (day, ours)) AS t",
        )
        .bind(&triggers)
        .bind(&ours)
        .bind(months)
        .bind(extra)
        .fetch_one(&mut conn)
        .await
        .unwrap();
        let (wrong, all, first): (i64, i64, Option<String>) = (row.get(0), row.get(1), row.get(2));
        assert_eq!(
            (wrong, all),
            (0, triggers.len() as i64),
            "{period:?}, first for {first:?}"
        );
    }
}

/// The rule of `date + interval` is that of the interval that the plan writes.
#[tokio::test]
async fn the_interval_in_a_plan_is_the_period() {
    let mut conn = connection().await;
    for period in periods() {
        let (months, extra) = numbers(period);
        let same: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT array_agg((day + {})::date) = array_agg((day + make_interval(months => $1, days => $2))::date)
             FROM generate_series(date '2015-12-25', '2024-03-05', '1 day') AS d, CAST(d AS date) AS day",
            period.interval_sql()
        )))
        .bind(months)
        .bind(extra)
        .fetch_one(&mut conn)
        .await
        .unwrap();
        assert!(same, "{period:?}");
    }
}

/// Both sides of each cutoff, on each day; that one cutoff is enough is the next test's.
#[tokio::test]
async fn a_cutoff_is_the_first_day_that_postgresql_does_not_call_past() {
    let mut conn = connection().await;
    let todays = days("1990-01-01", "2060-12-31");
    for period in periods() {
        let (months, extra) = numbers(period);
        for limit in [Limit::Minimum, Limit::Maximum] {
            let cutoffs: Vec<NaiveDate> = todays
                .iter()
                .map(|today| period.cutoff(*today, limit).unwrap().date())
                .collect();
            let row = sqlx::query(
                "SELECT count(*), count(*) FILTER (WHERE CASE WHEN $5 THEN at <= today ELSE at < today END),
                        count(*) FILTER (WHERE NOT CASE WHEN $5 THEN before <= today ELSE before < today END),
                        min(today)::text
                 FROM (SELECT today, (cutoff + make_interval(months => $3, days => $4))::date AS at,
                              (cutoff - 1 + make_interval(months => $3, days => $4))::date AS before
                       FROM unnest($1::date[], $2::date[]) AS t (today, cutoff)) AS t",
            )
            .bind(&todays)
            .bind(&cutoffs)
            .bind(months)
            .bind(extra)
            .bind(limit == Limit::Maximum)
            .fetch_one(&mut conn)
            .await
            .unwrap();
            let (all, past_at, kept_before): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
            assert_eq!(
                (all, past_at, kept_before),
                (todays.len() as i64, 0, 0),
                "{period:?}, {limit:?}: of {all} days, cutoffs that are past themselves, and cutoffs before which something is kept"
            );
        }
    }
}

/// What makes a cutoff exact: in PostgreSQL's calendar a later day never ends earlier, so
/// that everything before the cutoff is past and nothing from it on.
#[tokio::test]
async fn in_postgresql_a_later_day_never_ends_earlier() {
    let mut conn = connection().await;
    for period in periods() {
        let (months, extra) = numbers(period);
        let falls: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM (
                 SELECT last_day < lag(last_day) OVER (ORDER BY day) AS falls
                 FROM (SELECT day, (day + make_interval(months => $1, days => $2))::date AS last_day
                       FROM generate_series(date '1889-12-25', '2060-12-31', '1 day') AS day) AS d) AS f
             WHERE falls",
        )
        .bind(months)
        .bind(extra)
        .fetch_one(&mut conn)
        .await
        .unwrap();
        assert_eq!(falls, 0, "{period:?}");
    }
}

/// The plan compares a `timestamptz` with the cutoff's midnight in the zone.
#[tokio::test]
async fn midnights_are_those_of_postgresql() {
    let mut conn = connection().await;
    let all = days("1990-01-01", "2060-12-31");
    for zone in [
        Tz::Europe__London,
        Tz::Europe__Dublin,
        Tz::America__New_York,
        Tz::Asia__Kathmandu,
        Tz::UTC,
    ] {
        let ours: Vec<_> = all
            .iter()
            .map(|day| schedule::zone::midnight(*day, zone).unwrap())
            .collect();
        // The midnight itself belongs to the day, the microsecond before it does not.
        let row = sqlx::query(
            "SELECT count(*), count(*) FILTER (WHERE (ours AT TIME ZONE $3)::date <> day),
                    count(*) FILTER (WHERE ((ours - interval '1 microsecond') AT TIME ZONE $3)::date <> day - 1)
             FROM unnest($1::date[], $2::timestamptz[]) AS t (day, ours)",
        )
        .bind(&all)
        .bind(&ours)
        .bind(zone.name())
        .fetch_one(&mut conn)
        .await
        .unwrap();
        let (days, not_in_it, not_its_first): (i64, i64, i64) =
            (row.get(0), row.get(1), row.get(2));
        assert_eq!(
            (days, not_in_it, not_its_first),
            (all.len() as i64, 0, 0),
            "{zone}"
        );
    }
    conn.close().await.unwrap();
}

/// The examples of the English rule, written by hand.
#[test]
fn the_examples_of_the_rule() {
    for (period, trigger, last_day) in [
        ("6 months", "2025-08-30", "2026-02-28"),
        ("6 months", "2025-08-31", "2026-02-28"),
        ("1 year", "2024-02-29", "2025-02-28"),
        ("90 days", "2021-07-31", "2021-10-29"),
        ("4 years", "2024-02-29", "2028-02-29"),
        // The sum of the parts first: not 31 January, 28 February, 28 March.
        ("1 month 1 month", "2026-01-31", "2026-03-31"),
        ("1 month 1 day", "2026-01-31", "2026-03-01"),
    ] {
        let period = Period::parse(period).unwrap();
        assert_eq!(
            period.last_day(date(trigger)),
            Some(date(last_day)),
            "{period:?} from {trigger}"
        );
    }
}
