//! The keys that say how a class's time is counted beside trigger and period: each with
//! records around the day that decides, worked out by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/stage.rs"]
mod stage;
mod support;

use serde_json::{Value, json};
use sqlx::Connection;

/// A schedule of one class.
fn schedule(rest: &str) -> String {
    let class = stage::class("letters", &format!("table = \"letter\"\n{rest}"));
    format!("{}{class}", stage::HEAD)
}

/// The identifiers that are left after a pass of that day.
async fn left(url: &str, schedule: &str, day: &str) -> Vec<i64> {
    support::pass(url, schedule, support::at(day)).await;
    ids(url).await
}

async fn ids(url: &str) -> Vec<i64> {
    let texts = support::texts(url, "SELECT id::text FROM public.letter ORDER BY id").await;
    texts.iter().map(|id| id.parse().unwrap()).collect()
}

/// The counts of the one class on a day, in the shape of `plan --format json`.
async fn counts(url: &str, schedule: &str, day: &str) -> Value {
    let plan = support::plan(url, schedule, support::at(day)).await;
    let mut conn = support::ours(url).await;
    let counted = retentiond::survey::count(&mut conn, &plan).await.unwrap();
    conn.close().await.unwrap();
    support::plan_shown(&plan, &counted)["plan"]["classes"][0].clone()
}

#[tokio::test]
async fn a_calendar_year_ends_before_the_period_begins() {
    let url = stage::database(
        "CREATE TABLE public.letter (id bigint PRIMARY KEY, closed_on date);
         INSERT INTO public.letter VALUES (1, '2019-12-31'), (2, '2020-01-01'), (3, '2020-12-31'), (4, '2021-01-01')",
    )
    .await;
    let six_years = schedule(
        "trigger = \"closed_on\"\nfrom_end_of = \"calendar year\"\nperiod = \"6 years\"\ndisposal = \"delete\"",
    );
    // 2019 ends on 31 December 2019, and six years later is 31 December 2025.
    assert_eq!(left(&url, &six_years, "2025-12-31").await, [1, 2, 3, 4]);
    assert_eq!(left(&url, &six_years, "2026-01-01").await, [2, 3, 4]);
    assert_eq!(left(&url, &six_years, "2026-12-31").await, [2, 3, 4]);
    assert_eq!(left(&url, &six_years, "2027-01-01").await, [4]);
    let lines = support::ledger(&url).await;
    let records: Vec<&Value> = lines
        .iter()
        .filter(|line| line["action"] == "deleted")
        .flat_map(|line| line["records"].as_array().unwrap())
        .collect();
    assert_eq!(
        records,
        [
            &json!({ "key": { "id": 1 }, "trigger": "2019-12-31", "last_day": "2025-12-31" }),
            &json!({ "key": { "id": 2 }, "trigger": "2020-01-01", "last_day": "2026-12-31" }),
            &json!({ "key": { "id": 3 }, "trigger": "2020-12-31", "last_day": "2026-12-31" }),
        ]
    );
}

#[tokio::test]
async fn a_financial_year_ends_on_31_march() {
    let url = stage::database(
        "CREATE TABLE public.letter (id bigint PRIMARY KEY, closed_at timestamptz);
         INSERT INTO public.letter VALUES
             (1, '2023-03-31 23:59:59+01'), (2, '2023-04-01 00:00:00+01'), (3, '2024-03-31 12:00:00+01')",
    )
    .await;
    let two_years = schedule(
        "trigger = \"closed_at\"\nfrom_end_of = \"financial year\"\nperiod = \"2 years\"\ndisposal = \"delete\"",
    );
    assert_eq!(left(&url, &two_years, "2025-03-31").await, [1, 2, 3]);
    assert_eq!(left(&url, &two_years, "2025-04-01").await, [2, 3]);
    assert_eq!(left(&url, &two_years, "2026-03-31").await, [2, 3]);
    assert_eq!(
        left(&url, &two_years, "2026-04-01").await,
        Vec::<i64>::new()
    );
}

#[tokio::test]
async fn a_month_ends_before_a_maximum_is_counted_too() {
    let url = stage::database(
        "CREATE TABLE public.letter (id bigint PRIMARY KEY, closed_on date);
         INSERT INTO public.letter VALUES (1, '2026-01-31'), (2, '2026-02-01'), (3, '2026-02-28')",
    )
    .await;
    let a_month = schedule(
        "trigger = \"closed_on\"\nfrom_end_of = \"month\"\nperiod = \"1 month\"\nlimit = \"maximum\"\ndisposal = \"delete\"",
    );
    // 31 January and a month is 28 February; 28 February and a month is 28 March.
    assert_eq!(left(&url, &a_month, "2026-02-27").await, [1, 2, 3]);
    assert_eq!(left(&url, &a_month, "2026-02-28").await, [2, 3]);
    assert_eq!(left(&url, &a_month, "2026-03-27").await, [2, 3]);
    assert_eq!(left(&url, &a_month, "2026-03-28").await, Vec::<i64>::new());
}

#[tokio::test]
async fn what_is_tolerated_is_due_and_not_overdue() {
    let url = stage::database(
        "CREATE TABLE public.letter (id bigint PRIMARY KEY, closed_on date);
         INSERT INTO public.letter VALUES (1, '2025-06-01')",
    )
    .await;
    let tolerant = schedule(
        "trigger = \"closed_on\"\nperiod = \"1 year\"\ntolerance = \"2 weeks\"\ndisposal = \"delete\"",
    );
    // Past from 2 June; 14 days later is 16 June, and 17 June exceeds them.
    for (day, due, overdue) in [
        ("2026-06-01", 0, 0),
        ("2026-06-02", 1, 0),
        ("2026-06-16", 1, 0),
        ("2026-06-17", 1, 1),
    ] {
        let counts = counts(&url, &tolerant, day).await;
        assert_eq!(
            (&counts["due"], &counts["overdue"]),
            (&json!(due), &json!(overdue)),
            "{day}"
        );
    }
}

#[tokio::test]
async fn a_class_says_itself_which_dates_are_plausible() {
    let url = stage::database(
        "CREATE TABLE public.letter (id bigint PRIMARY KEY, closed_on date);
         INSERT INTO public.letter VALUES (1, '1969-12-31'), (2, '1970-01-01'), (3, '1989-12-31'), (4, '2024-12-31'), (5, '2025-01-01')",
    )
    .await;
    let with = |from: &str| {
        schedule(&format!(
            "trigger = \"closed_on\"\n{from}\nperiod = \"1 year\"\ndisposal = \"delete\""
        ))
    };
    let found = |counts: Value| (counts["due"].clone(), counts["implausible_trigger"].clone());
    let day = "2026-06-01";
    assert_eq!(
        found(counts(&url, &with(""), day).await),
        (json!(2), json!(3))
    );
    let archive = with("plausible_from = 1970-01-01");
    assert_eq!(
        found(counts(&url, &archive, day).await),
        (json!(4), json!(1))
    );
    let young = with("plausible_from = 2025-01-01");
    assert_eq!(found(counts(&url, &young, day).await), (json!(1), json!(4)));
    assert_eq!(left(&url, &young, day).await, [1, 2, 3, 4]);
    assert_eq!(left(&url, &archive, day).await, [1]);
}

#[tokio::test]
async fn timestamps_stored_in_utc_belong_to_the_london_day() {
    // In summer 23:30 UTC on 30 June is half past midnight on 1 July in London.
    let url = stage::database(
        "CREATE TABLE public.letter (id bigint PRIMARY KEY, closed_at timestamp);
         CREATE INDEX ON public.letter (closed_at);
         INSERT INTO public.letter VALUES
             (1, '2025-06-30 22:59:59'), (2, '2025-06-30 23:30:00'), (3, '2025-12-31 23:30:00'), (4, '-infinity'), (5, 'infinity')",
    )
    .await;
    let with = |zone: &str| {
        schedule(&format!(
            "trigger = \"closed_at\"\n{zone}\nperiod = \"1 year\"\ndisposal = \"delete\""
        ))
    };
    let (local, utc) = (with(""), with("trigger_zone = \"UTC\""));
    let due = |counts: Value| {
        (
            counts["due"].clone(),
            counts["implausible_trigger"].clone(),
            counts["future_trigger"].clone(),
        )
    };
    let nothing_else = |n: u64| (json!(n), json!(1), json!(1));
    assert_eq!(
        due(counts(&url, &local, "2026-07-01").await),
        nothing_else(2)
    );
    assert_eq!(due(counts(&url, &utc, "2026-07-01").await), nothing_else(1));
    assert_eq!(left(&url, &utc, "2026-07-01").await, [2, 3, 4, 5]);
    assert_eq!(left(&url, &utc, "2026-07-02").await, [3, 4, 5]);
    // In winter the two agree.
    assert_eq!(left(&url, &utc, "2026-12-31").await, [3, 4, 5]);
    assert_eq!(left(&url, &utc, "2027-01-01").await, [4, 5]);
    let days: Vec<Value> = support::ledger(&url)
        .await
        .iter()
        .filter(|line| line["action"] == "deleted")
        .flat_map(|line| line["records"].as_array().unwrap().clone())
        .map(|record| record["trigger"].clone())
        .collect();
    assert_eq!(days, ["2025-06-30", "2025-07-01", "2025-12-31"]);
}

/// Every half hour of two years in a zone with summer time of its own, against
/// PostgreSQL's calendar.
#[tokio::test]
async fn a_zone_with_summer_time_is_read_to_the_minute() {
    let url = stage::database(
        "CREATE TABLE public.letter (id bigint PRIMARY KEY, closed_at timestamp);
         INSERT INTO public.letter
             SELECT row_number() OVER (), t FROM generate_series(timestamp '2024-01-01', '2025-12-31', '30 minutes') AS t",
    )
    .await;
    let sydney = schedule(
        "trigger = \"closed_at\"\ntrigger_zone = \"Australia/Sydney\"\nperiod = \"1 day\"\ndisposal = \"delete\"",
    );
    // The days around each zone's changes of 2024 and 2025, and two others.
    for day in [
        "2024-04-01",
        "2024-04-07",
        "2024-04-08",
        "2024-04-09",
        "2024-10-05",
        "2024-10-06",
        "2024-10-07",
        "2024-10-08",
        "2024-10-27",
        "2024-10-28",
        "2025-03-30",
        "2025-03-31",
        "2025-04-06",
        "2025-04-07",
        "2025-10-05",
        "2025-10-06",
        "2025-06-15",
        "2025-12-24",
    ] {
        let theirs = support::number(
            &url,
            &format!(
                "SELECT count(*) FROM public.letter
                  WHERE (closed_at AT TIME ZONE 'Australia/Sydney' AT TIME ZONE 'Europe/London')::date + 1 < '{day}'"
            ),
        )
        .await;
        assert_eq!(counts(&url, &sydney, day).await["due"], theirs, "{day}");
    }
}

#[tokio::test]
async fn a_record_that_was_worked_with_since_is_shown_and_kept() {
    let url = stage::database(
        "CREATE TABLE public.letter (id bigint PRIMARY KEY, closed_on date, updated_at timestamptz, read_on date);
         INSERT INTO public.letter VALUES
             (1, '2024-05-01', NULL, NULL),
             (2, '2024-05-01', '2024-05-01 22:59:59+00', '2024-05-01'),
             (3, '2024-05-01', '2024-05-01 23:00:00+00', NULL),
             (4, '2024-05-01', NULL, '2024-05-02'),
             (5, '2024-05-01', '2020-01-01', 'infinity'),
             (6, '2026-05-01', NULL, '2026-05-20')",
    )
    .await;
    let guarded = schedule(
        "trigger = \"closed_on\"\nperiod = \"1 year\"\nunless_active = [\"updated_at\", \"read_on\"]\ndisposal = \"delete\"",
    );
    let day = "2026-06-01";
    let found = counts(&url, &guarded, day).await;
    // 23:00 UTC on 1 May is midnight of 2 May in London.
    assert_eq!(
        (
            &found["claimed"],
            &found["due"],
            &found["active"],
            &found["overdue"],
            &found["retained_by_other"]
        ),
        (&json!(6), &json!(2), &json!(3), &json!(5), &json!(0))
    );
    assert_eq!(left(&url, &guarded, day).await, [3, 4, 5, 6]);
    support::sql(
        &url,
        "UPDATE public.letter SET updated_at = NULL WHERE id = 3",
    )
    .await;
    assert_eq!(left(&url, &guarded, day).await, [4, 5, 6]);
}

#[tokio::test]
async fn one_class_that_finds_a_record_in_use_keeps_it_from_every_class() {
    let url = stage::database(
        "CREATE TABLE public.letter (id bigint PRIMARY KEY, closed_on date, updated_on date, kind text);
         CREATE TABLE public.page (id bigint PRIMARY KEY, letter_id bigint REFERENCES public.letter, read_on date, written_on date);
         INSERT INTO public.letter VALUES
             (1, '2020-01-01', '2021-01-01', 'a'), (2, '2020-01-01', '2021-01-01', 'b'),
             (3, '2020-01-01', '2021-01-01', NULL), (4, '2020-01-01', NULL, 'b'), (5, '2020-01-01', NULL, 'b');
         INSERT INTO public.page VALUES (1, 4, '2022-01-01', '2020-01-01'), (2, 5, '2020-01-01', '2020-01-01')",
    )
    .await;
    // The longer class governs; the shorter one minds that the letters of its kind are in
    // use, and those that may be. The pages' class minds its own.
    let text = format!(
        "{}{}{}{}",
        stage::HEAD,
        stage::class(
            "letters",
            "table = \"letter\"\ntrigger = \"closed_on\"\nperiod = \"2 years\"\ndisposal = \"delete\"\ndependants = [\"page\"]"
        ),
        stage::class(
            "lively",
            "table = \"letter\"\nwhere = \"kind = 'a'\"\ntrigger = \"closed_on\"\nperiod = \"1 year\"\nunless_active = [\"updated_on\"]\ndisposal = \"flag\""
        ),
        stage::class(
            "pages",
            "table = \"page\"\ntrigger = \"written_on\"\nperiod = \"1 year\"\nunless_active = [\"read_on\"]\ndisposal = \"flag\""
        ),
    );
    assert_eq!(left(&url, &text, "2026-06-01").await, [1, 3, 4]);
}

#[tokio::test]
async fn what_is_kept_for_ever_is_asked_about_on_its_day() {
    let url = stage::database("CREATE TABLE public.letter (id bigint PRIMARY KEY)").await;
    let kept = schedule(
        "disposal = \"retain\"\nowner = \"Head\"\nreason = \"Needed\"\nreview_on = 2027-01-01",
    );
    for (day, codes) in [("2026-12-31", &[][..]), ("2027-01-01", &["R0357"][..])] {
        let plan = support::plan(&url, &kept, support::at(day)).await;
        let found: Vec<&str> = plan.classes()[0]
            .warnings
            .iter()
            .map(|warning| warning.code.as_str())
            .collect();
        assert_eq!(found, codes, "{day}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    let base = "trigger = \"closed_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\n";
    for (line, code, message) in [
        (
            "tolerance = \"1 month\"",
            "R0107",
            "`tolerance` is counted in days or weeks, not in months or years",
        ),
        (
            "limit = \"maximum\"\ntolerance = \"1 day\"",
            "R0116",
            "a maximum has no tolerance",
        ),
        (
            "from_end_of = \"tax year\"",
            "R0106",
            "`from_end_of` cannot be `tax year`",
        ),
        (
            "plausible_from = \"1980-01-01\"",
            "R0104",
            "`plausible_from` must be a date without quotes, such as 2027-03-31, not a text",
        ),
        (
            "trigger_zone = \"Europe/Londno\"",
            "R0108",
            "there is no time zone `Europe/Londno`",
        ),
        (
            "unless_active = []",
            "R0118",
            "`unless_active` must not be empty",
        ),
        (
            "unless_active = [\"a\", \"a\"]",
            "R0119",
            "the column `a` is named twice",
        ),
        (
            "review_on = 2027-01-01",
            "R0116",
            "`review_on` belongs to a class that retains",
        ),
    ] {
        let faults =
            retentiond::schedule::parse(&schedule(&format!("{base}{line}")), "retention.toml")
                .unwrap_err();
        let found: Vec<(&str, &str)> = faults
            .items
            .iter()
            .map(|item| (item.code.as_str(), item.message.as_str()))
            .collect();
        assert_eq!(found, [(code, message)], "{line}");
        let place = faults.items[0].place.unwrap();
        assert_eq!(
            faults.text.lines().nth(place.line as usize - 1),
            line.lines().last(),
            "{line}"
        );
    }
}
