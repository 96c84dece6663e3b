//! When a processor is told, and that it is told once.

use chrono::{DateTime, Utc};

use crate::office::{ANSWERS, Office, STUDY, head, schedule};
use crate::support;

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_minimum_is_told_on_the_day_after_its_last_and_never_again() {
    let office = Office::open().await;
    let schedule = schedule(ANSWERS);
    assert_eq!(office.pass(&schedule, "2026-03-31").await, ["answers idle"]);
    assert_eq!(office.orders().await, [""; 0]);
    assert_eq!(
        office.pass(&schedule, "2026-04-01").await,
        ["answers instructed"]
    );
    for day in ["2026-04-02", "2026-04-03", "2027-01-01"] {
        assert_eq!(office.pass(&schedule, day).await, ["answers waiting"]);
    }
    assert_eq!(
        office.orders().await,
        ["answers 2024-03-31 2026-03-31 2026-04-01 open"]
    );

    // The row and the entry say the same, and the entry names nobody.
    let entries = office.entries("processor-instructed").await;
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!(entry.class.as_ref().unwrap().as_str(), "answers");
    assert_eq!((entry.run, entry.count, &entry.table), (Some(2), 0, &None));
    let detail: Vec<(&str, &str)> = entry
        .detail
        .iter()
        .filter(|(name, _)| *name != "commitment")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        detail,
        [
            ("answer-by", "2026-04-15"),
            ("issued-on", "2026-04-01"),
            ("last-day", "2026-03-31"),
            ("order", "1"),
            ("past-from", "2026-04-01"),
            ("trigger", "2024-03-31"),
        ]
    );
    let file = support::schedule(&schedule);
    assert_eq!(entry.schedule.as_ref(), Some(file.digest()));
    let body = "SELECT encode(body, 'escape') FROM retentiond.ledger_entry WHERE action = 'processor-instructed'";
    let body = support::texts(&office.url, body).await;
    assert!(!body[0].contains("Example Surveys"), "{body:?}");
    let same = "SELECT count(*) FROM retentiond.processor_order o JOIN retentiond.ledger_entry e ON e.run_id = o.run_id
                 WHERE e.action = 'processor-instructed' AND o.issued_at = e.at";
    assert_eq!(support::number(&office.url, same).await, 1);
}

#[tokio::test]
async fn a_maximum_is_told_on_its_last_day() {
    let office = Office::open().await;
    // From 29 February 2024 a year ends on 28 February 2025.
    let maximum = ANSWERS
        .replace("2024-03-31", "2024-02-29")
        .replace("\"2 years\"", "\"1 year\"\nlimit = \"maximum\"")
        .replace("tolerance = \"14 days\"\n", "");
    let schedule = schedule(&maximum);
    assert_eq!(office.pass(&schedule, "2025-02-27").await, ["answers idle"]);
    assert_eq!(office.state(&schedule, "2025-02-27").await, "not-due");
    assert_eq!(
        office.pass(&schedule, "2025-02-28").await,
        ["answers instructed"]
    );
    assert_eq!(
        office.orders().await,
        ["answers 2024-02-29 2025-02-28 2025-02-28 open"]
    );
    // One that is still there on the day after is a breach.
    assert_eq!(office.state(&schedule, "2025-02-28").await, "open");
    assert_eq!(office.state(&schedule, "2025-03-01").await, "open, late");
}

#[tokio::test]
async fn months_end_as_they_do_for_records() {
    let office = Office::open().await;
    // From 31 August 2025 six months end on 28 February 2026.
    let months = ANSWERS
        .replace("2024-03-31", "2025-08-31")
        .replace("2 years", "6 months");
    let schedule = schedule(&months);
    assert_eq!(office.pass(&schedule, "2026-02-28").await, ["answers idle"]);
    assert_eq!(
        office.pass(&schedule, "2026-03-01").await,
        ["answers instructed"]
    );
}

#[tokio::test]
async fn days_begin_at_midnight_in_london() {
    // Summer time began on 29 March 2026: midnight of 1 April is 23:00 of 31 March in UTC.
    for (at, told) in [
        ("2026-03-31T22:59:59Z", "answers idle"),
        ("2026-03-31T23:00:00Z", "answers instructed"),
    ] {
        let office = Office::open().await;
        let report = office
            .pass_at(&schedule(ANSWERS), instant(at), &|_| ())
            .await;
        assert_eq!(crate::office::said(&report.unwrap()), [told], "{at}");
    }
}

#[tokio::test]
async fn an_answer_is_late_after_the_tolerance() {
    let office = Office::open().await;
    let schedule = schedule(ANSWERS);
    office.pass(&schedule, "2026-04-01").await;
    assert_eq!(office.state(&schedule, "2026-04-15").await, "open");
    assert_eq!(office.state(&schedule, "2026-04-16").await, "open, late");
    let found = office.stands(&schedule, "2026-04-16").await;
    assert_eq!(found[0].days_open, Some(15));
    // What is confirmed is no debt, however late it was.
    office.confirm("answers", "2026-05-01").await.unwrap();
    assert_eq!(office.state(&schedule, "2026-05-02").await, "confirmed");
}

#[tokio::test]
async fn what_was_never_told_is_late_as_well() {
    let office = Office::open().await;
    let schedule = schedule(ANSWERS);
    assert_eq!(office.state(&schedule, "2026-04-01").await, "waiting");
    assert_eq!(office.state(&schedule, "2026-04-16").await, "waiting, late");
}

#[tokio::test]
async fn a_longer_period_tells_again_when_it_is_over_and_the_first_letter_gives_way() {
    let office = Office::open().await;
    let two = schedule(ANSWERS);
    let three = schedule(&ANSWERS.replace("2 years", "3 years"));
    office.pass(&two, "2026-04-01").await;
    // Not past by the new period; the letter that went out stays open until it is answered.
    assert_eq!(office.pass(&three, "2026-04-02").await, ["answers waiting"]);
    assert_eq!(office.state(&three, "2026-04-02").await, "open");
    assert_eq!(office.pass(&three, "2027-03-31").await, ["answers waiting"]);
    assert_eq!(
        office.pass(&three, "2027-04-01").await,
        ["answers instructed"]
    );
    assert_eq!(
        office.orders().await,
        [
            "answers 2024-03-31 2026-03-31 2026-04-01 superseded",
            "answers 2024-03-31 2027-03-31 2027-04-01 open",
        ]
    );
    let entries = office.entries("processor-instructed").await;
    let second = entries.iter().find(|e| e.detail["order"] == "2").unwrap();
    assert_eq!(second.detail["supersedes"], "1");
    // Back again: it was told of that day already.
    assert_eq!(office.pass(&two, "2027-04-02").await, ["answers waiting"]);
    office.confirm("answers", "2027-04-03").await.unwrap();
    assert_eq!(office.state(&two, "2027-04-03").await, "confirmed");
    assert_eq!(office.pass(&two, "2027-04-04").await, ["answers idle"]);
    assert_eq!(office.pass(&three, "2027-04-05").await, ["answers idle"]);
}

#[tokio::test]
async fn other_words_and_another_tolerance_tell_nobody_again() {
    let office = Office::open().await;
    office.pass(&schedule(ANSWERS), "2026-04-01").await;
    let other = schedule(
        &ANSWERS
            .replace("1 High Street", "2 High Street")
            .replace("14 days", "21 days")
            .replace("Contract 7", "Contract 8"),
    );
    assert_eq!(office.pass(&other, "2026-04-02").await, ["answers waiting"]);
    assert_eq!(office.orders().await.len(), 1);
}

#[tokio::test]
async fn what_has_no_day_is_told_once_for_each_instruction() {
    let office = Office::open().await;
    let schedule = schedule(STUDY);
    assert_eq!(office.state(&schedule, "2026-04-01").await, "not-due");
    assert_eq!(office.pass(&schedule, "2026-04-01").await, ["study idle"]);
    office.instruct("study").await;
    assert_eq!(
        office.pass(&schedule, "2026-04-02").await,
        ["study instructed"]
    );
    assert_eq!(
        office.entries("processor-instructed").await[0].detail["instruction"],
        "1"
    );
    // Another one while that is open changes nothing.
    office.instruct("study").await;
    assert_eq!(
        office.pass(&schedule, "2026-04-03").await,
        ["study waiting"]
    );
    // Its days are counted from the letter's.
    assert_eq!(office.state(&schedule, "2026-04-02").await, "open");
    assert_eq!(office.state(&schedule, "2026-04-03").await, "open, late");
    office.confirm("study", "2026-04-05").await.unwrap();
    // The second instruction was given while the first letter was open, and is told now.
    assert_eq!(
        office.pass(&schedule, "2026-04-06").await,
        ["study instructed"]
    );
    office.confirm("study", "2026-04-07").await.unwrap();
    for day in ["2026-04-08", "2026-04-09"] {
        assert_eq!(office.pass(&schedule, day).await, ["study idle"]);
    }
    office.withdraw("study").await;
    assert_eq!(office.state(&schedule, "2026-04-10").await, "confirmed");
    office.instruct("study").await;
    assert_eq!(
        office.pass(&schedule, "2026-04-11").await,
        ["study instructed"]
    );
    assert_eq!(
        office.orders().await,
        [
            "study - - 2026-04-02 confirmed",
            "study - - 2026-04-06 confirmed",
            "study - - 2026-04-11 open",
        ]
    );
}

#[tokio::test]
async fn a_class_that_the_schedule_has_no_more_stays_open_until_it_is_answered() {
    let office = Office::open().await;
    let both = schedule(&format!("{ANSWERS}{STUDY}"));
    office.pass(&both, "2026-04-01").await;
    let one = schedule(STUDY);
    office.pass(&one, "2026-04-02").await;
    let found = office.stands(&one, "2026-05-01").await;
    let shown: Vec<_> = found
        .iter()
        .map(|one| (one.class.as_str(), one.in_schedule, one.overdue))
        .collect();
    assert_eq!(shown, [("study", true, false), ("answers", false, true)]);
    office.confirm("answers", "2026-05-02").await.unwrap();
    assert_eq!(office.stands(&one, "2026-05-03").await.len(), 1);
}

#[tokio::test]
async fn two_passes_at_once_tell_once() {
    let office = Office::open().await;
    let schedule = schedule(ANSWERS);
    office.pass(&schedule, "2026-03-31").await;
    let now = support::at("2026-04-01");
    let (one, other) = tokio::join!(
        office.pass_at(&schedule, now, &|_| ()),
        office.pass_at(&schedule, now, &|_| ())
    );
    let told: Vec<String> = [one.unwrap(), other.unwrap()]
        .iter()
        .flat_map(crate::office::said)
        .filter(|said| said == "answers instructed")
        .collect();
    assert_eq!(told.len(), 1);
    assert_eq!(office.orders().await.len(), 1);
    assert_eq!(office.entries("processor-instructed").await.len(), 1);
}

#[tokio::test]
async fn a_schedule_of_nothing_but_processors_is_one() {
    let office = Office::open().await;
    let only = format!("{}{ANSWERS}", head("automatic"));
    assert_eq!(
        office.pass(&only, "2026-04-01").await,
        ["answers instructed"]
    );
}
