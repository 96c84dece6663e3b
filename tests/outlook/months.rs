//! A forecast reckoned by hand.

use chrono::NaiveDate;
use retentiond::plan::month_ends;
use retentiond::survey::{self, Outlook};
use sqlx::Connection as _;

use crate::support;

pub const HEAD: &str = r#"[schedule]
organisation = "Test"
time_zone = "Europe/London"
every = "0 0 2 * * *"
"#;

/// A class on the table `paper`, counted from `on_day`; `rest` is everything else.
pub fn class(id: &str, rest: &str) -> String {
    format!(
        "\n[[class]]\nid = \"{id}\"\ntitle = \"{id}\"\nauthority = \"a test\"\ntable = \"paper\"\n{rest}\n"
    )
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[test]
fn the_months_begin_with_that_of_tomorrow() {
    assert_eq!(
        month_ends(day("2026-11-23"), 4),
        ["2026-11-30", "2026-12-31", "2027-01-31", "2027-02-28"].map(day)
    );
    assert_eq!(
        month_ends(day("2026-11-30"), 2),
        ["2026-12-31", "2027-01-31"].map(day)
    );
    assert_eq!(month_ends(day("2028-01-31"), 1), [day("2028-02-29")]);
}

#[tokio::test]
async fn each_record_counts_once_in_the_month_in_which_it_becomes_due() {
    let url = support::migrated().await;
    support::sql(
        &url,
        "SET search_path = public; CREATE TABLE paper (id integer PRIMARY KEY, kind text, on_day date);
         INSERT INTO paper VALUES
            (1, 'a', '2025-11-22'),     -- last day 22 November 2026: due now
            (2, 'a', '2025-11-23'),     -- last day today: due tomorrow
            (3, 'a', '2025-11-29'),     -- due on 30 November
            (4, 'a', '2025-11-30'),     -- last day 30 November: due on 1 December
            (5, 'a', '2026-01-15'),     -- due in January
            (6, 'b', '2025-11-22'),     -- the longer period governs: due in February
            (7, 'c', '2026-11-30'),     -- a maximum of one month: due on 30 December
            (8, 'c', '2026-12-01'),     -- due on 1 January
            (9, 'a', NULL),
            (10, 'a', '1900-01-01'),
            (11, 'a', '2025-11-01'),    -- held until 15 December
            (12, NULL, '2025-11-22'),   -- perhaps a b
            (13, 'd', '2020-01-01'),    -- for ever at its gate
            (14, 'e', '2020-01-01');    -- kept for ever",
    )
    .await;
    support::hold(&url, "paper", &["11"], Some(day("2026-12-15"))).await;
    let schedule = support::schedule(&format!(
        "{HEAD}{}{}{}{}{}",
        class(
            "year",
            "where = \"kind IN ('a', 'b') OR kind IS NULL\"\ntrigger = \"on_day\"\nperiod = \"1 year\"\ndisposal = \"delete\""
        ),
        class(
            "longer",
            "where = \"kind = 'b'\"\ntrigger = \"on_day\"\nperiod = \"1 year 3 months\"\ndisposal = \"delete\""
        ),
        class(
            "at-most",
            "where = \"kind = 'c'\"\ntrigger = \"on_day\"\nperiod = \"1 month\"\nlimit = \"maximum\"\ndisposal = \"delete\""
        ),
        class(
            "gated",
            "where = \"kind = 'd'\"\ntrigger = \"on_day\"\nperiod = \"1 year\"\ndisposal = \"delete\"\ngate = \"instruction\""
        ),
        class(
            "kept",
            "where = \"kind = 'e'\"\ndisposal = \"retain\"\nowner = \"A\"\nreason = \"B\""
        ),
    ));
    let mut conn = support::ours(&url).await;
    let now = support::at("2026-11-23");
    let drawn = survey::draw(&mut conn, &schedule, now).await.unwrap();
    let forecast = survey::forecast(&mut conn, &schedule, &drawn, 4)
        .await
        .unwrap();
    conn.close().await.unwrap();
    // Now, and at the end of November, December, January, February.
    let of = |nth: usize, pick: fn(&Outlook) -> u64| -> Vec<u64> {
        let class = &forecast.classes[nth];
        class.outlooks.as_ref().unwrap().iter().map(pick).collect()
    };
    assert_eq!(of(0, |o| o.due), [1, 3, 5, 6, 6]);
    assert_eq!(of(0, |o| o.held), [1, 1, 0, 0, 0]);
    // 6 goes on 23 February, and so would 12 if it were known to be a `b`: it stays.
    assert_eq!(of(1, |o| o.due), [0, 0, 0, 0, 1]);
    assert_eq!(of(2, |o| o.due), [0, 0, 1, 2, 2]);
    assert_eq!(of(3, |o| o.due), [0; 5]);
    assert_eq!(of(3, |o| o.waiting), [1; 5]);
    assert_eq!(of(4, |o| o.due), [0; 5]);
}

#[tokio::test]
async fn a_class_that_is_refused_has_no_forecast_and_protects() {
    let url = support::migrated().await;
    support::sql(
        &url,
        "SET search_path = public; CREATE TABLE paper (id integer PRIMARY KEY, on_day date);
         INSERT INTO paper VALUES (1, '2020-01-01')",
    )
    .await;
    let plain = class(
        "year",
        "trigger = \"on_day\"\nperiod = \"1 year\"\ndisposal = \"delete\"",
    );
    let broken = class(
        "broken",
        "trigger = \"no_day\"\nperiod = \"2 years\"\ndisposal = \"delete\"",
    );
    let mut conn = support::ours(&url).await;
    for (text, first) in [
        (format!("{HEAD}{plain}"), 1),
        (format!("{HEAD}{plain}{broken}"), 0),
    ] {
        let schedule = support::schedule(&text);
        let now = support::at("2026-11-23");
        let drawn = survey::draw(&mut conn, &schedule, now).await.unwrap();
        let forecast = survey::forecast(&mut conn, &schedule, &drawn, 2)
            .await
            .unwrap();
        let due: Vec<u64> = forecast.classes[0]
            .outlooks
            .iter()
            .flatten()
            .map(|outlook| outlook.due)
            .collect();
        assert_eq!(due, [first; 3]);
        if let Some(broken) = forecast.classes.get(1) {
            assert_eq!(broken.outlooks, None);
        }
    }
    conn.close().await.unwrap();
}

#[tokio::test]
async fn stages_notice_activity_and_roundings_are_foreseen_as_the_later_plan_has_them() {
    let url = support::migrated().await;
    support::sql(
        &url,
        "SET search_path = public;
         CREATE TABLE paper (id integer PRIMARY KEY, kind text, name text, on_day date, touched timestamptz);
         CREATE INDEX ON paper (on_day);
         INSERT INTO paper SELECT n, (ARRAY['staged', 'noticed', 'guarded', 'rounded'])[1 + n % 4],
             CASE n % 5 WHEN 0 THEN '[redacted]' ELSE 'Ada' END, DATE '2024-10-01' + 2 * n,
             CASE n % 3 WHEN 0 THEN TIMESTAMPTZ '2025-06-01' END
         FROM generate_series(1, 400) n",
    )
    .await;
    let of = |id: &str, rest: &str| {
        let rule = "trigger = \"on_day\"\ndisposal = \"delete\"";
        class(id, &format!("where = \"kind = '{id}'\"\n{rule}\n{rest}"))
    };
    let schedule = support::schedule(&format!(
        "{HEAD}{}{}{}{}",
        of(
            "staged",
            "period = \"18 months\"\nstages = [{ after = \"1 year\", disposal = \"anonymise\", anonymise = { name = \"redact\" } }]"
        ),
        of("noticed", "period = \"1 year\"\nnotice = \"30 days\""),
        of(
            "guarded",
            "period = \"1 year\"\nunless_active = [\"touched\"]"
        ),
        of("rounded", "period = \"1 year\"\nfrom_end_of = \"month\""),
    ));
    let mut conn = support::ours(&url).await;
    let now = support::at("2026-03-10");
    let drawn = survey::draw(&mut conn, &schedule, now).await.unwrap();
    let forecast = survey::forecast(&mut conn, &schedule, &drawn, 8)
        .await
        .unwrap();
    let mut sums = [0; 4];
    for (nth, day) in forecast.days.iter().enumerate() {
        let then = support::at(&day.to_string());
        let plan = survey::draw(&mut conn, &schedule, then).await.unwrap().plan;
        let counted = survey::count(&mut conn, &plan).await.unwrap();
        for (at, (class, counted)) in forecast.classes.iter().zip(&counted).enumerate() {
            let foreseen = class.outlooks.as_ref().unwrap()[nth];
            let planned = counted.counts.as_ref().unwrap();
            assert_eq!(
                (foreseen.due, foreseen.waiting, foreseen.active),
                (planned.due, planned.waiting, planned.active),
                "{} on {day}",
                class.id
            );
            sums[at] += foreseen.due + foreseen.waiting + foreseen.active;
        }
    }
    conn.close().await.unwrap();
    assert!(sums.iter().all(|sum| *sum > 50), "{sums:?}");
}
