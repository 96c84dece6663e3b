//! `from_end_of` against PostgreSQL's own calendar: periods, roundings and limits drawn from a
//! printed seed, read from a schedule as an administrator writes it, over many dates.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use chrono::{Days, NaiveDate};
use retentiond::schedule::{Dispose, EndOf, Limit};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

const SEED: u64 = 20_261_125;

/// Knuth's MMIX; the upper bits are the good ones.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn period(&mut self) -> String {
        let (months, days) = (self.below(130) + 1, self.below(120) + 1);
        match self.below(4) {
            0 => format!("{months} months"),
            1 => format!("{days} days"),
            2 => format!("{} years", months / 12 + 1),
            _ => format!("{months} months {days} days"),
        }
    }

    /// Days of 1985 to 2060; every other one within two days of a year's or month's end.
    fn dates(&mut self, count: usize) -> Vec<NaiveDate> {
        let first: NaiveDate = "1985-01-01".parse().unwrap();
        let mut all = Vec::new();
        while all.len() < count {
            let day = first + Days::new(self.below(27_000));
            let month = EndOf::ALL[self.below(3) as usize].end(day).unwrap();
            all.push(day);
            all.push(month - Days::new(2) + Days::new(self.below(5)));
        }
        all
    }
}

/// One class for each period, rounding (and none) and limit.
fn rules() -> Vec<Dispose> {
    let mut draw = Draw(SEED);
    let mut text = String::from(
        "[schedule]\norganisation = \"A test\"\ntime_zone = \"Europe/London\"\nevery = \"0 0 2 * * *\"\n",
    );
    let roundings = ["", "calendar year", "financial year", "month"];
    for number in 0..12 {
        let period = draw.period();
        for (at, rounding) in roundings.iter().enumerate() {
            for limit in ["minimum", "maximum"] {
                let rounded = if rounding.is_empty() {
                    String::new()
                } else {
                    format!("from_end_of = \"{rounding}\"\n")
                };
                text.push_str(&format!(
                    "\n[[class]]\nid = \"c{number}-{at}-{limit}\"\ntitle = \"A class\"\ntable = \"t\"\n\
                     authority = \"A test\"\ntrigger = \"d\"\nperiod = \"{period}\"\n{rounded}\
                     limit = \"{limit}\"\ndisposal = \"delete\"\n"
                ));
            }
        }
    }
    println!("seed {SEED}\n{text}");
    let schedule = support::schedule(&text);
    let rules = schedule.classes().iter();
    rules
        .map(|class| class.dispose().unwrap().clone())
        .collect()
}

/// The last day of the month or year of `day`, in PostgreSQL's words alone.
fn rounded(rule: &Dispose, day: &str) -> String {
    match rule.from_end_of {
        None => day.to_owned(),
        Some(EndOf::Month) => {
            format!("(date_trunc('month', {day}::timestamp) + interval '1 month - 1 day')::date")
        }
        Some(EndOf::CalendarYear) => format!("make_date(extract(year FROM {day})::int, 12, 31)"),
        Some(EndOf::FinancialYear) => format!(
            "make_date(extract(year FROM {day})::int + (extract(month FROM {day}) > 3)::int, 3, 31)"
        ),
    }
}

fn last_day(rule: &Dispose, day: &str) -> String {
    format!(
        "({} + make_interval(months => {}, days => {}))::date",
        rounded(rule, day),
        rule.period.months(),
        rule.period.days()
    )
}

async fn connection() -> PgConnection {
    support::client(&support::database().await).await
}

#[tokio::test]
async fn a_rounded_last_day_is_that_of_postgresql() {
    let mut conn = connection().await;
    let days = Draw(SEED + 1).dates(2000);
    for rule in rules() {
        let ours: Vec<NaiveDate> = days.iter().map(|d| rule.last_day(*d).unwrap()).collect();
        let theirs = last_day(&rule, "day");
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT count(*), count(*) FILTER (WHERE {theirs} IS DISTINCT FROM ours),
                    min(day) FILTER (WHERE {theirs} IS DISTINCT FROM ours)::text
               FROM unnest($1::date[], $2::date[]) AS t (day, ours)"
        )))
        .bind(&days)
        .bind(&ours)
        .fetch_one(&mut conn)
        .await
        .unwrap();
        let (all, wrong, first): (i64, i64, Option<String>) = (row.get(0), row.get(1), row.get(2));
        assert_eq!(
            (all, wrong),
            (days.len() as i64, 0),
            "{rule:?}, first for {first:?}"
        );
    }
    conn.close().await.unwrap();
}

/// Whatever the day of the pass and of the trigger: `trigger < cutoff` says what the last day says.
#[tokio::test]
async fn a_rounded_cutoff_parts_the_dates_where_the_last_day_does() {
    let mut conn = connection().await;
    let mut draw = Draw(SEED + 2);
    for rule in rules() {
        let todays = draw.dates(16);
        let cutoffs: Vec<NaiveDate> = todays
            .iter()
            .map(|today| rule.cutoff(*today).unwrap().date())
            .collect();
        let over = if rule.limit == Limit::Maximum {
            "<="
        } else {
            "<"
        };
        let past = format!("({} {over} today)", last_day(&rule, "day"));
        // Two years and a month on both sides: longer than any rounding puts off.
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT count(*), count(*) FILTER (WHERE {past} <> (day < cutoff)), count(*) FILTER (WHERE {past}),
                    min(today) FILTER (WHERE {past} <> (day < cutoff))::text
               FROM unnest($1::date[], $2::date[]) AS t (today, cutoff),
                    generate_series(-760, 760) AS n, CAST(cutoff + n AS date) AS day"
        )))
        .bind(&todays)
        .bind(&cutoffs)
        .fetch_one(&mut conn)
        .await
        .unwrap();
        let all = todays.len() as i64 * 1521;
        let (count, wrong, past): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        let first: Option<String> = row.get(3);
        let before = todays.len() as i64 * 760;
        assert_eq!(
            (count, wrong, past),
            (all, 0, before),
            "{rule:?}, first on {first:?}"
        );
    }
    conn.close().await.unwrap();
}
