//! What people decide keeps a processor from being told, and what it says is recorded.

use std::sync::atomic::{AtomicBool, Ordering};

use retentiond::enforce::Event;
use retentiond::review::{self, How, NewVersion, ReviewError};
use sqlx::Connection;

use crate::office::{self, ANSWERS, Office, head, schedule};
use crate::support;

#[tokio::test]
async fn behind_its_gate_it_waits_for_the_controller_and_is_late_meanwhile() {
    let office = Office::open().await;
    let schedule = schedule(&format!("{ANSWERS}gate = \"instruction\"\n"));
    assert_eq!(office.pass(&schedule, "2026-03-31").await, ["answers idle"]);
    let report = office
        .pass_at(&schedule, support::at("2026-04-01"), &|_| ())
        .await
        .unwrap();
    assert_eq!(office::said(&report), ["answers waiting"]);
    assert_eq!(report.exit_code(), 3);
    assert_eq!(office.state(&schedule, "2026-04-16").await, "waiting, late");
    office.instruct("answers").await;
    let report = office
        .pass_at(&schedule, support::at("2026-04-17"), &|_| ())
        .await
        .unwrap();
    assert_eq!(office::said(&report), ["answers instructed"]);
    assert_eq!(report.exit_code(), 0);
    assert_eq!(
        office.orders().await,
        ["answers 2024-03-31 2026-03-31 2026-04-17 open"]
    );
    // By its day it is told once, whatever is instructed later.
    office.confirm("answers", "2026-04-18").await.unwrap();
    office.instruct("answers").await;
    assert_eq!(office.pass(&schedule, "2026-04-19").await, ["answers idle"]);
}

#[tokio::test]
async fn an_instruction_before_the_day_waits_for_the_day() {
    let office = Office::open().await;
    let schedule = schedule(&format!("{ANSWERS}gate = \"instruction\"\n"));
    office.instruct("answers").await;
    assert_eq!(office.pass(&schedule, "2026-03-31").await, ["answers idle"]);
    assert_eq!(
        office.pass(&schedule, "2026-04-01").await,
        ["answers instructed"]
    );
}

#[tokio::test]
async fn only_a_hold_keeps_it_from_being_told() {
    let office = Office::open().await;
    let schedule = schedule(ANSWERS);
    let hold = office.hold("answers").await;
    let other = office.hold("something-else").await;
    assert_eq!(office.pass(&schedule, "2026-04-01").await, ["answers held"]);
    assert_eq!(office.state(&schedule, "2026-04-01").await, "held");
    assert_eq!(
        office.stands(&schedule, "2026-04-01").await[0].holds,
        [hold]
    );
    assert_eq!(office.state(&schedule, "2026-04-16").await, "held, late");
    office.release(hold).await;
    assert_eq!(
        office.pass(&schedule, "2026-04-17").await,
        ["answers instructed"]
    );
    office.release(other).await;
}

#[tokio::test]
async fn a_hold_on_what_a_processor_held_covers_the_table_that_it_comes_to() {
    let office = Office::open().await;
    support::sql(&office.url, "INSERT INTO public.person VALUES (1)").await;
    let hold = office.hold("answers").await;
    let here = ANSWERS.replace(
        "processor = \"Example Surveys Ltd, 1 High Street, London\"",
        "table = \"person\"\nmax_share = 1.0",
    );
    let here = format!("{}{here}", head("automatic"));
    let rows = "SELECT count(*) FROM public.person";
    office.pass(&here, "2026-04-01").await;
    assert_eq!(support::number(&office.url, rows).await, 1);
    office.release(hold).await;
    office.pass(&here, "2026-04-02").await;
    assert_eq!(support::number(&office.url, rows).await, 0);
}

/// The plan is drawn before the hold is placed, and the letter would be issued after it.
#[tokio::test]
async fn a_hold_that_comes_between_plan_and_letter_counts() {
    let office = Office::open().await;
    let schedule = schedule(ANSWERS);
    let placed = AtomicBool::new(false);
    let url = office.url.clone();
    let place = |event: Event<'_>| {
        if matches!(event, Event::Began(_)) && !placed.swap(true, Ordering::SeqCst) {
            let url = url.clone();
            let placing = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(office::place(&url, "answers"))
            });
            placing.join().unwrap();
        }
    };
    let report = office
        .pass_at(&schedule, support::at("2026-04-01"), &place)
        .await;
    assert!(placed.load(Ordering::SeqCst));
    assert_eq!(office::said(&report.unwrap()), ["answers held"]);
    assert_eq!(office.orders().await, [""; 0]);
    assert!(office.entries("processor-instructed").await.is_empty());
}

#[tokio::test]
async fn a_paused_class_is_told_nothing() {
    let office = Office::open().await;
    let schedule = schedule(ANSWERS);
    for class in [Some(office::id("answers")), None] {
        let mut conn = support::ours(&office.url).await;
        let now = support::at("2026-01-01");
        review::pause(&mut conn, class.as_ref(), "a move", "test", now)
            .await
            .unwrap();
        assert_eq!(
            office.pass(&schedule, "2026-04-01").await,
            ["answers waiting"]
        );
        assert_eq!(office.orders().await, [""; 0]);
        review::resume(&mut conn, class.as_ref(), "test", now)
            .await
            .unwrap();
        conn.close().await.unwrap();
    }
    assert_eq!(
        office.pass(&schedule, "2026-04-02").await,
        ["answers instructed"]
    );
}

async fn accept(office: &Office, text: &str) {
    let mut conn = support::ours(&office.url).await;
    let file = support::schedule(text);
    let previous = retentiond::survey::last_accepted(&mut conn).await.unwrap();
    let version = NewVersion {
        digest: file.digest(),
        file_digest: file.file_digest(),
        text: file.text(),
        previous: previous.as_ref(),
    };
    let how = How::ByHand {
        reason: "a test",
        counts: &[],
    };
    review::bring_into_force(&mut conn, &version, how, "test", support::at("2026-01-01"))
        .await
        .unwrap();
    conn.close().await.unwrap();
}

#[tokio::test]
async fn only_what_an_accepted_version_and_the_one_that_waits_both_say_is_told() {
    let office = Office::open().await;
    let none = schedule("").replace("automatic", "by hand");
    let now = schedule(ANSWERS).replace("automatic", "by hand");
    accept(&office, &none).await;
    // A class that nobody has accepted tells nobody anything.
    let pass = office
        .pass_at(&now, support::at("2026-04-01"), &|_| ())
        .await;
    assert!(office::said(&pass.unwrap()).is_empty());
    accept(&office, &now).await;
    // While another version waits by which it is not past, that holds it back.
    let later = now.replace("2024-03-31", "2024-04-30");
    let report = office
        .pass_at(&later, support::at("2026-04-01"), &|_| ())
        .await;
    let report = report.unwrap();
    assert_eq!(office::said(&report), ["answers waiting"]);
    assert!(report.waiting_schedule.is_some());
    // One without the class, or with another processor, would not have it told either.
    let other = now.replace("Example Surveys Ltd", "Other Surveys Ltd");
    for waits in [&none, &other] {
        let report = office
            .pass_at(waits, support::at("2026-04-02"), &|_| ())
            .await;
        assert_eq!(office::said(&report.unwrap()), ["answers waiting"]);
    }
    assert_eq!(office.orders().await, [""; 0]);
    // A shorter period that waits lets it go as well.
    let shorter = now.replace("2 years", "1 year");
    let report = office
        .pass_at(&shorter, support::at("2026-04-03"), &|_| ())
        .await;
    assert_eq!(office::said(&report.unwrap()), ["answers instructed"]);
    assert_eq!(
        office.orders().await,
        ["answers 2024-03-31 2026-03-31 2026-04-03 open"]
    );
}

#[tokio::test]
async fn a_confirmation_is_recorded_once_and_the_ledger_names_nobody() {
    let office = Office::open().await;
    let schedule = schedule(ANSWERS);
    let nothing = office.confirm("answers", "2026-04-01").await;
    assert!(
        matches!(nothing, Err(ReviewError::NoOrder(_))),
        "{nothing:?}"
    );
    office.pass(&schedule, "2026-04-01").await;
    assert_eq!(office.confirm("answers", "2026-04-09").await.unwrap(), 1);
    let again = office.confirm("answers", "2026-04-10").await;
    assert!(matches!(again, Err(ReviewError::NoOrder(_))), "{again:?}");
    let found = office.stands(&schedule, "2026-04-10").await;
    let confirmed = found[0].confirmed.as_ref().unwrap();
    assert_eq!(
        (
            &*confirmed.by,
            &*confirmed.reference,
            &*confirmed.recorded_by
        ),
        ("MARK-person", "MARK-reference", "MARK-actor")
    );
    assert_eq!(confirmed.on.to_string(), "2026-04-09");
    let digest = format!("sha256:{}", "07".repeat(32));
    assert_eq!(confirmed.document.as_deref(), Some(&*digest));

    let entries = office.entries("processor-confirmed").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].actor, "MARK-actor");
    assert_eq!(entries[0].detail["document"], "07".repeat(32));
    assert_eq!(entries[0].detail["order"], "1");
    assert_eq!(entries[0].detail["confirmed-on"], "2026-04-09");
    let told = entries[0]
        .detail
        .values()
        .any(|value| value.contains("MARK"));
    assert!(!told, "{:?}", entries[0].detail);
    // The hash over the words is the one that docs/LEDGER.md says.
    let salt = "SELECT encode(confirmation_salt, 'hex') FROM retentiond.processor_order";
    let salt = support::texts(&office.url, salt).await.remove(0);
    let mut bytes = b"retentiond commitment v1\n".to_vec();
    bytes.extend(hex::decode(salt).unwrap());
    for word in [
        "given-by",
        "MARK-person",
        "reference",
        "MARK-reference",
        "by",
        "MARK-actor",
    ] {
        bytes.push(u8::try_from(word.len()).unwrap());
        bytes.extend(word.bytes());
    }
    let hash: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&bytes).into();
    assert_eq!(entries[0].detail["commitment"], hex::encode(hash));
}
