//! Stages and notice: what is done to a record before its class's own disposal, with
//! passes on the days around each step, worked out by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/stage.rs"]
mod stage;
mod support;

use retentiond::enforce::RunReport;
use serde_json::{Value, json};
use sqlx::Connection;

const LETTERS: &str =
    "CREATE TABLE public.letter (id bigint PRIMARY KEY, closed_on date, sender text, kind text)";

fn schedule(classes: &[(&str, &str)]) -> String {
    let classes: String = classes
        .iter()
        .map(|(id, rest)| stage::class(id, rest))
        .collect();
    format!("{}{classes}", stage::HEAD)
}

async fn letters(rows: &str) -> String {
    stage::database(&format!(
        "{LETTERS}; INSERT INTO public.letter VALUES {rows}"
    ))
    .await
}

/// A pass of that day: records flagged, anonymised, deleted under all classes.
async fn pass(url: &str, schedule: &str, day: &str) -> (u64, u64, u64) {
    let report: RunReport = support::pass(url, schedule, support::at(day)).await;
    let failed: Vec<_> = report
        .classes
        .iter()
        .filter_map(|c| c.reason.clone())
        .collect();
    assert_eq!(failed, Vec::<String>::new(), "{day}");
    report.classes.iter().fold((0, 0, 0), |sum, class| {
        (
            sum.0 + class.flagged,
            sum.1 + class.anonymised,
            sum.2 + class.deleted,
        )
    })
}

/// The rows that are left, as `id:sender`.
async fn left(url: &str) -> Vec<String> {
    support::texts(
        url,
        "SELECT id || ':' || coalesce(sender, '') FROM public.letter ORDER BY id",
    )
    .await
}

async fn counts(url: &str, schedule: &str, day: &str, class: usize) -> Value {
    let plan = support::plan(url, schedule, support::at(day)).await;
    let mut conn = support::ours(url).await;
    let counted = retentiond::survey::count(&mut conn, &plan).await.unwrap();
    conn.close().await.unwrap();
    support::plan_shown(&plan, &counted)["plan"]["classes"][class].clone()
}

/// What the ledger says was done, as `action key trigger last-day`.
async fn done(url: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in support::ledger(url).await {
        for record in entry["records"].as_array().into_iter().flatten() {
            lines.push(format!(
                "{} {} {} {}",
                entry["action"].as_str().unwrap(),
                record["key"]["id"],
                record["trigger"].as_str().unwrap(),
                record["last_day"].as_str().unwrap()
            ));
        }
    }
    lines
}

const NOTICE: &str = "table = \"letter\"\ntrigger = \"closed_on\"\nperiod = \"1 year\"\nnotice = \"30 days\"\ndisposal = \"delete\"";

#[tokio::test]
async fn a_record_is_flagged_first_and_goes_after_its_notice() {
    let url = letters("(1, '2025-06-01', 'a', NULL)").await;
    let text = schedule(&[("letters", NOTICE)]);
    assert_eq!(pass(&url, &text, "2026-06-01").await, (0, 0, 0));
    let before = counts(&url, &text, "2026-06-02", 0).await;
    assert_eq!((&before["due"], &before["waiting"]), (&json!(0), &json!(1)));
    assert_eq!(pass(&url, &text, "2026-06-02").await, (1, 0, 0));
    assert_eq!(pass(&url, &text, "2026-06-02").await, (0, 0, 0));
    // 30 days after 2 June is 2 July.
    assert_eq!(pass(&url, &text, "2026-07-01").await, (0, 0, 0));
    assert_eq!(left(&url).await, ["1:a"]);
    let then = counts(&url, &text, "2026-07-02", 0).await;
    assert_eq!((&then["due"], &then["waiting"]), (&json!(1), &json!(0)));
    assert_eq!(pass(&url, &text, "2026-07-02").await, (0, 0, 1));
    assert_eq!(
        done(&url).await,
        [
            "flagged 1 2025-06-01 2026-06-01",
            "deleted 1 2025-06-01 2026-06-01"
        ]
    );
}

#[tokio::test]
async fn a_flag_is_void_once_the_record_or_the_schedule_changes() {
    let url = letters("(1, '2025-06-01', 'a', NULL), (2, '2025-06-01', 'b', NULL)").await;
    let text = schedule(&[("letters", NOTICE)]);
    assert_eq!(pass(&url, &text, "2026-06-02").await, (2, 0, 0));
    support::sql(
        &url,
        "UPDATE public.letter SET closed_on = '2025-05-31' WHERE id = 1",
    )
    .await;
    // The one that changed is flagged anew; the other goes.
    assert_eq!(pass(&url, &text, "2026-07-02").await, (1, 0, 1));
    assert_eq!(left(&url).await, ["1:a"]);
    assert_eq!(pass(&url, &text, "2026-07-31").await, (0, 0, 0));
    // A longer notice is another rule, and the whole of it runs from a new flag.
    let longer = text.replace("30 days", "40 days");
    assert_eq!(pass(&url, &longer, "2026-08-01").await, (1, 0, 0));
    assert_eq!(pass(&url, &longer, "2026-09-09").await, (0, 0, 0));
    assert_eq!(pass(&url, &longer, "2026-09-10").await, (0, 0, 1));
}

#[tokio::test]
async fn a_maximum_is_flagged_before_its_last_day_and_late_if_that_was_missed() {
    let url = letters("(1, '2025-06-01', 'a', NULL), (2, '2025-06-20', 'b', NULL)").await;
    let text = schedule(&[("letters", &format!("{NOTICE}\nlimit = \"maximum\""))]);
    // The last day of the first is 1 June 2026, and 30 days before it is 2 May.
    assert_eq!(pass(&url, &text, "2026-05-01").await, (0, 0, 0));
    assert_eq!(pass(&url, &text, "2026-05-02").await, (1, 0, 0));
    assert_eq!(pass(&url, &text, "2026-05-31").await, (1, 0, 0));
    assert_eq!(pass(&url, &text, "2026-06-01").await, (0, 0, 1));
    // The other's last day is 20 June, but it was flagged on 31 May only.
    assert_eq!(pass(&url, &text, "2026-06-29").await, (0, 0, 0));
    assert_eq!(counts(&url, &text, "2026-06-20", 0).await["overdue"], 0);
    assert_eq!(counts(&url, &text, "2026-06-21", 0).await["overdue"], 1);
    assert_eq!(pass(&url, &text, "2026-06-30").await, (0, 0, 1));
}

#[tokio::test]
async fn what_is_held_is_not_flagged_and_what_is_flagged_can_still_be_held() {
    let url = letters("(1, '2025-06-01', 'a', NULL), (2, '2025-06-01', 'b', NULL)").await;
    let text = schedule(&[("letters", NOTICE)]);
    support::hold(&url, "letter", &["1"], None).await;
    assert_eq!(pass(&url, &text, "2026-06-02").await, (1, 0, 0));
    support::hold(&url, "letter", &["2"], None).await;
    assert_eq!(pass(&url, &text, "2026-12-01").await, (0, 0, 0));
    let found = counts(&url, &text, "2026-12-01", 0).await;
    assert_eq!((&found["held"], &found["waiting"]), (&json!(2), &json!(0)));
}

#[tokio::test]
async fn the_notice_of_a_shorter_class_binds_the_longer_one_that_governs() {
    let url = letters(
        "(1, '2024-01-01', 'a', 'x'), (2, '2024-01-01', 'b', 'y'), (3, '2024-01-01', 'c', NULL)",
    )
    .await;
    let text = schedule(&[
        (
            "letters",
            "table = \"letter\"\ntrigger = \"closed_on\"\nperiod = \"2 years\"\ndisposal = \"delete\"",
        ),
        (
            "noticed",
            "table = \"letter\"\nwhere = \"kind = 'x'\"\ntrigger = \"closed_on\"\nperiod = \"1 year\"\nnotice = \"10 days\"\ndisposal = \"anonymise\"\nanonymise = { sender = \"null\" }",
        ),
    ]);
    // The class of kind x does not govern; it flags what is its own, and what may be.
    assert_eq!(pass(&url, &text, "2026-01-02").await, (2, 0, 1));
    assert_eq!(pass(&url, &text, "2026-01-11").await, (0, 0, 0));
    assert_eq!(pass(&url, &text, "2026-01-12").await, (0, 0, 2));
}

#[tokio::test]
async fn a_dependants_own_notice_keeps_its_parent() {
    let url = letters("(1, '2024-01-01', 'a', NULL)").await;
    support::sql(
        &url,
        "CREATE TABLE public.page (id bigint PRIMARY KEY, letter_id bigint REFERENCES public.letter, written_on date);
         INSERT INTO public.page VALUES (7, 1, '2024-01-01')",
    )
    .await;
    let text = schedule(&[
        (
            "letters",
            "table = \"letter\"\ntrigger = \"closed_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\ndependants = [\"page\"]",
        ),
        (
            "pages",
            "table = \"page\"\ntrigger = \"written_on\"\nperiod = \"1 year\"\nnotice = \"10 days\"\ndisposal = \"delete\"",
        ),
    ]);
    assert_eq!(pass(&url, &text, "2026-01-01").await, (1, 0, 0));
    assert_eq!(counts(&url, &text, "2026-01-10", 0).await["waiting"], 1);
    assert_eq!(pass(&url, &text, "2026-01-10").await, (0, 0, 0));
    // The page goes under its own class first, and the letter in the same pass.
    assert_eq!(pass(&url, &text, "2026-01-11").await, (0, 0, 2));
    assert_eq!(left(&url).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_number_that_is_given_again_is_given_notice_again() {
    let url = letters("(1, '2025-06-01', 'a', NULL)").await;
    let text = schedule(&[("letters", NOTICE)]);
    assert_eq!(pass(&url, &text, "2026-06-02").await, (1, 0, 0));
    assert_eq!(pass(&url, &text, "2026-07-02").await, (0, 0, 1));
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM retentiond.flag").await,
        0
    );
    support::sql(
        &url,
        "INSERT INTO public.letter VALUES (1, '2025-06-01', 'new', NULL)",
    )
    .await;
    assert_eq!(pass(&url, &text, "2026-07-03").await, (1, 0, 0));
    assert_eq!(left(&url).await, ["1:new"]);
}

const STAGED: &str = "table = \"letter\"\ntrigger = \"closed_on\"\nperiod = \"2 years\"\ndisposal = \"delete\"\n\
     stages = [{ after = \"6 months\", disposal = \"anonymise\", anonymise = { sender = \"redact\" } }]";

#[tokio::test]
async fn a_record_is_anonymised_at_its_stage_and_deleted_at_its_end() {
    let url =
        letters("(1, '2025-01-15', 'a', NULL), (2, '2022-01-01', 'b', NULL), (3, NULL, 'c', NULL)")
            .await;
    let text = schedule(&[("letters", STAGED)]);
    // The second is past its end already: nothing is gained by anonymising it first.
    assert_eq!(pass(&url, &text, "2025-07-15").await, (0, 0, 1));
    assert_eq!(pass(&url, &text, "2025-07-16").await, (0, 1, 0));
    assert_eq!(left(&url).await, ["1:[redacted]", "3:c"]);
    assert_eq!(pass(&url, &text, "2025-07-16").await, (0, 0, 0));
    let found = counts(&url, &text, "2026-06-01", 0).await;
    assert_eq!(
        (
            &found["due"],
            &found["done"],
            &found["overdue"],
            &found["without_trigger"]
        ),
        (&json!(0), &json!(1), &json!(0), &json!(1))
    );
    assert_eq!(pass(&url, &text, "2027-01-15").await, (0, 0, 0));
    assert_eq!(pass(&url, &text, "2027-01-16").await, (0, 0, 1));
    assert_eq!(
        done(&url).await,
        [
            "deleted 2 2022-01-01 2024-01-01",
            "anonymised 1 2025-01-15 2025-07-15",
            "deleted 1 2025-01-15 2027-01-15",
        ]
    );
}

#[tokio::test]
async fn an_anonymised_record_is_late_for_its_end_only_when_its_end_has_come() {
    let url = letters("(1, '2025-01-15', '[redacted]', NULL), (2, '2025-01-15', 'b', NULL)").await;
    let text = schedule(&[("letters", STAGED)]);
    for (day, due, overdue) in [
        ("2025-07-15", 0, 0),
        ("2025-07-16", 1, 0),
        ("2025-07-17", 1, 1),
        ("2027-01-15", 1, 1),
        ("2027-01-16", 2, 0),
        ("2027-01-17", 2, 2),
    ] {
        let found = counts(&url, &text, day, 0).await;
        assert_eq!(
            (&found["due"], &found["overdue"]),
            (&json!(due), &json!(overdue)),
            "{day}"
        );
    }
}

#[tokio::test]
async fn flag_then_anonymise_then_delete() {
    let url = letters("(1, '2025-01-15', 'a', NULL)").await;
    let text = schedule(&[(
        "letters",
        "table = \"letter\"\ntrigger = \"closed_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\n\
         stages = [{ after = \"1 month\", disposal = \"flag\" }, { after = \"6 months\", disposal = \"anonymise\", anonymise = { sender = \"null\" } }]",
    )]);
    let mut seen = Vec::new();
    for day in [
        "2025-02-15",
        "2025-02-16",
        "2025-02-17",
        "2025-07-15",
        "2025-07-16",
        "2025-07-17",
        "2026-01-15",
        "2026-01-16",
    ] {
        seen.push(pass(&url, &text, day).await);
    }
    let nothing = (0, 0, 0);
    assert_eq!(
        seen,
        [
            nothing,
            (1, 0, 0),
            nothing,
            nothing,
            (0, 1, 0),
            nothing,
            nothing,
            (0, 0, 1)
        ]
    );
}

#[tokio::test]
async fn a_stage_waits_for_another_class_and_keeps_the_record_from_its_deletion() {
    let url = letters("(1, '2025-01-15', 'a', NULL)").await;
    let text = schedule(&[
        ("letters", STAGED),
        (
            "others",
            "table = \"letter\"\ntrigger = \"closed_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"",
        ),
    ]);
    // Until its year is over the other class keeps it as it is. Then it would delete, and
    // the class with stages permits no more than to anonymise, for another year.
    assert_eq!(pass(&url, &text, "2026-01-15").await, (0, 0, 0));
    assert_eq!(pass(&url, &text, "2026-01-16").await, (0, 1, 0));
    assert_eq!(
        counts(&url, &text, "2026-06-01", 1).await["retained_by_other"],
        1
    );
    assert_eq!(pass(&url, &text, "2027-01-15").await, (0, 0, 0));
    assert_eq!(pass(&url, &text, "2027-01-16").await, (0, 0, 1));
}

#[tokio::test]
async fn a_dependant_at_a_stage_keeps_its_parent_until_its_own_end() {
    let url = letters("(1, '2025-01-15', 'a', NULL)").await;
    support::sql(
        &url,
        "CREATE TABLE public.page (id bigint PRIMARY KEY, letter_id bigint REFERENCES public.letter, written_on date, body text);
         INSERT INTO public.page VALUES (7, 1, '2025-01-15', 'text')",
    )
    .await;
    let text = schedule(&[
        (
            "letters",
            "table = \"letter\"\ntrigger = \"closed_on\"\nperiod = \"1 month\"\ndisposal = \"delete\"\ndependants = [\"page\"]",
        ),
        (
            "pages",
            "table = \"page\"\ntrigger = \"written_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\n\
          stages = [{ after = \"2 months\", disposal = \"anonymise\", anonymise = { body = \"null\" } }]",
        ),
    ]);
    assert_eq!(pass(&url, &text, "2025-06-01").await, (0, 1, 0));
    assert_eq!(pass(&url, &text, "2026-01-15").await, (0, 0, 0));
    assert_eq!(pass(&url, &text, "2026-01-16").await, (0, 0, 2));
}

#[tokio::test]
async fn each_stage_is_given_notice_of_its_own() {
    let url = letters("(1, '2025-01-15', 'a', NULL)").await;
    let text = schedule(&[("letters", &format!("{STAGED}\nnotice = \"10 days\""))]);
    let mut seen = Vec::new();
    for day in [
        "2025-07-16",
        "2025-07-25",
        "2025-07-26",
        "2025-08-01",
        "2027-01-16",
        "2027-01-25",
        "2027-01-26",
    ] {
        seen.push(pass(&url, &text, day).await);
    }
    let nothing = (0, 0, 0);
    assert_eq!(
        seen,
        [
            (1, 0, 0),
            nothing,
            (0, 1, 0),
            nothing,
            (1, 0, 0),
            nothing,
            (0, 0, 1)
        ]
    );
}

#[tokio::test]
async fn dependants_go_with_the_stage_that_anonymises() {
    let url = letters("(1, '2025-01-15', 'a', NULL)").await;
    support::sql(
        &url,
        "CREATE TABLE public.page (id bigint PRIMARY KEY, letter_id bigint REFERENCES public.letter);
         INSERT INTO public.page VALUES (7, 1), (8, 1)",
    )
    .await;
    let text = schedule(&[("letters", &format!("{STAGED}\ndependants = [\"page\"]"))]);
    assert_eq!(
        counts(&url, &text, "2025-07-16", 0).await["dependants"],
        json!({ "public.page": 2 })
    );
    assert_eq!(pass(&url, &text, "2025-07-16").await, (0, 1, 0));
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM public.page").await,
        0
    );
    assert_eq!(pass(&url, &text, "2027-01-16").await, (0, 0, 1));
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    let base = "table = \"letter\"\ntrigger = \"closed_on\"\nperiod = \"1 year\"\n";
    let flag = "{ after = \"6 months\", disposal = \"flag\" }";
    let anonymise =
        "{ after = \"9 months\", disposal = \"anonymise\", anonymise = { sender = \"null\" } }";
    for (line, code, message) in [
        (
            "disposal = \"delete\"\nnotice = \"0 days\"".to_owned(),
            "R0116",
            "a notice of no days is none",
        ),
        (
            "disposal = \"flag\"\nnotice = \"5 days\"".to_owned(),
            "R0116",
            "`notice` has no place in a class that only flags",
        ),
        (
            "disposal = \"delete\"\nnotice = \"1 month\"".to_owned(),
            "R0107",
            "`notice` is counted in days or weeks, not in months or years",
        ),
        (
            "disposal = \"delete\"\nstages = []".to_owned(),
            "R0118",
            "`stages` must not be empty",
        ),
        (
            format!("disposal = \"delete\"\nstages = [{anonymise}, {flag}]"),
            "R0116",
            "stage 1 does not come before stage 2",
        ),
        (
            format!("disposal = \"flag\"\nstages = [{anonymise}]"),
            "R0116",
            "stage 1 (anonymise) is severer than the class's own disposal (flag)",
        ),
        (
            "disposal = \"delete\"\nstages = [{ after = \"365 days\", disposal = \"flag\" }]"
                .to_owned(),
            "R0116",
            "stage 1 does not come before the class's own disposal",
        ),
        (
            "disposal = \"delete\"\nstages = [{ after = \"1 month\", disposal = \"delete\" }]"
                .to_owned(),
            "R0116",
            "a stage cannot delete: nothing is left for what follows",
        ),
        (
            "disposal = \"delete\"\nstages = [{ after = \"1 month\", disposal = \"anonymise\" }]"
                .to_owned(),
            "R0103",
            "a stage that anonymises needs `anonymise`",
        ),
    ] {
        let text = schedule(&[("letters", &format!("{base}{line}"))]);
        let faults = retentiond::schedule::parse(&text, "retention.toml").unwrap_err();
        let found: Vec<(&str, &str)> = faults
            .items
            .iter()
            .map(|item| (item.code.as_str(), item.message.as_str()))
            .collect();
        assert_eq!(found, [(code, message)], "{line}");
    }
}
