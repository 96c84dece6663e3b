//! Acceptance of a version of the schedule, on the way that `run` and the daemon take: the
//! accepted version stays in force, and only what both versions would let go goes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/stage.rs"]
mod stage;
mod support;

use std::time::Duration;

use retentiond::daemon::tick::{self, Order, TickError};
use retentiond::enforce::RunReport;
use retentiond::review::{self, How, NewVersion, ReviewError};
use retentiond::survey::{self, Coming};
use sqlx::Connection;
use tokio_util::sync::CancellationToken;

const TODAY: &str = "2026-11-23";

/// A schedule that asks a person, with these classes.
fn by_hand(classes: &str) -> String {
    format!("{}{classes}", stage::HEAD)
}

fn automatic(classes: &str) -> String {
    format!("{}accept = \"automatic\"\n{classes}", stage::HEAD)
}

/// A class over `letter`, counted from `closed_on`.
fn letters(id: &str, rest: &str) -> String {
    let disposal = if rest.contains("disposal") {
        ""
    } else {
        "disposal = \"delete\"\n"
    };
    stage::class(
        id,
        &format!("table = \"letter\"\ntrigger = \"closed_on\"\n{disposal}{rest}"),
    )
}

/// One pass as `run` makes it.
async fn pass(url: &str, toml: &str) -> Result<RunReport, TickError> {
    let schedule = support::schedule(toml);
    let settings = support::settings();
    let order = Order {
        url,
        schedule: &schedule,
        settings: &settings,
        now: support::at(TODAY),
        present: false,
        actor: "test",
        patience: Duration::ZERO,
        full_speed: true,
        only: &[],
        due: None,
        on_plan: None,
        stop: &CancellationToken::new(),
        observe: &|_| (),
    };
    tick::tick(&order).await
}

/// A person accepts a version, having compared it with what is in force.
async fn try_accept(url: &str, toml: &str) -> Result<(), ReviewError> {
    let schedule = support::schedule(toml);
    let mut conn = support::ours(url).await;
    let versions = survey::versions(&mut conn, &schedule).await.unwrap();
    let version = NewVersion {
        digest: schedule.digest(),
        file_digest: schedule.file_digest(),
        text: schedule.text(),
        previous: versions.accepted.as_ref().map(|old| &old.stored),
    };
    let how = How::ByHand {
        reason: "agreed",
        counts: &[],
    };
    review::bring_into_force(&mut conn, &version, how, "operator", support::at(TODAY)).await
}

async fn accept(url: &str, toml: &str) {
    try_accept(url, toml).await.unwrap();
}

async fn ids(url: &str, table: &str) -> Vec<i64> {
    let ids = support::texts(url, &format!("SELECT id::text FROM {table} ORDER BY id")).await;
    ids.iter().map(|id| id.parse().unwrap()).collect()
}

const LETTER: &str = "
CREATE TABLE letter (id bigint PRIMARY KEY, kind text, sent boolean, important boolean, vip boolean, closed_on date);
CREATE INDEX ON letter (closed_on);
";

const PAGE: &str = "
CREATE TABLE page (id bigint PRIMARY KEY, letter_id bigint REFERENCES letter, keep boolean, made_on date);
CREATE INDEX ON page (letter_id);
";

/// Letters 1 and 2: nine years old and one year old.
async fn office() -> String {
    stage::database(&format!(
        "{LETTER} INSERT INTO letter (id, closed_on) VALUES (1, '2017-11-22'), (2, '2025-11-22');"
    ))
    .await
}

#[tokio::test]
async fn the_first_version_waits_and_once_accepted_it_goes_by_that() {
    let url = office().await;
    let toml = by_hand(&letters("letters", "period = \"8 years\""));
    let refused = pass(&url, &toml).await.unwrap_err();
    let digest = *support::schedule(&toml).digest();
    assert!(matches!(refused, TickError::NeverAccepted(d) if d == digest));
    assert_eq!(ids(&url, "letter").await, [1, 2]);
    // Nothing at all was written.
    for table in ["run", "ledger_entry", "acceptance", "schedule_version"] {
        let sql = format!("SELECT count(*) FROM retentiond.{table}");
        assert_eq!(support::number(&url, &sql).await, 0, "{table}");
    }
    accept(&url, &toml).await;
    let report = pass(&url, &toml).await.unwrap();
    assert_eq!(stage::of(&report, "letters").deleted, 1);
    assert_eq!(report.waiting_schedule, None);
    assert_eq!(ids(&url, "letter").await, [2]);
    let told = stage::entries(&url, "schedule-in-force").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].entry.schedule, Some(digest));
    assert_eq!(told[0].entry.detail["how"], "by hand");
    assert_eq!(told[0].entry.actor, "operator");
    // The reason stays with the decision.
    assert!(
        !told[0]
            .entry
            .detail
            .values()
            .any(|word| word.contains("agreed"))
    );
    let reasons = support::texts(&url, "SELECT reason FROM retentiond.acceptance").await;
    assert_eq!(reasons, ["agreed"]);
}

#[tokio::test]
async fn automatic_asks_nobody_while_the_version_in_force_says_so_as_well() {
    let url = office().await;
    let eight = letters("letters", "period = \"8 years\"");
    let report = pass(&url, &automatic(&eight)).await.unwrap();
    assert_eq!(stage::of(&report, "letters").deleted, 1);
    let report = pass(
        &url,
        &automatic(&letters("letters", "period = \"10 months\"")),
    )
    .await
    .unwrap();
    assert_eq!(stage::of(&report, "letters").deleted, 1);
    let how = support::texts(
        &url,
        "SELECT how FROM retentiond.acceptance ORDER BY acceptance_id",
    )
    .await;
    assert_eq!(how, ["automatic", "automatic"]);

    // By hand in force: an automatic one waits.
    let url = office().await;
    accept(&url, &by_hand(&eight)).await;
    let report = pass(
        &url,
        &automatic(&letters("letters", "period = \"10 months\"")),
    )
    .await
    .unwrap();
    assert_eq!(ids(&url, "letter").await, [2]);
    assert!(report.waiting_schedule.is_some());
    assert_eq!(report.exit_code(), 3);
}

#[tokio::test]
async fn a_slip_of_the_finger_in_a_period_destroys_nothing() {
    let url = office().await;
    accept(&url, &by_hand(&letters("letters", "period = \"8 years\""))).await;
    let slip = by_hand(&letters("letters", "period = \"8 days\""));
    let report = pass(&url, &slip).await.unwrap();
    // What is past both goes on going.
    assert_eq!(stage::of(&report, "letters").deleted, 1);
    assert_eq!(ids(&url, "letter").await, [2]);
    let digest = |toml: &str| format!("sha256:{}", hex::encode(support::schedule(toml).digest()));
    assert_eq!(report.waiting_schedule, Some(digest(&slip)));
    let eight = by_hand(&letters("letters", "period = \"8 years\""));
    assert_eq!(report.schedule, digest(&eight));
    // The file as it was: nothing waits.
    let report = pass(&url, &eight).await.unwrap();
    assert_eq!(report.waiting_schedule, None);
    assert_eq!(report.exit_code(), 0);
}

#[tokio::test]
async fn narrower_conditions_let_go_only_what_both_versions_would() {
    let url = stage::database(LETTER).await;
    // 2 years have passed since 2020, 8 only since 2010.
    support::sql(
        &url,
        "INSERT INTO letter VALUES
            (1, 'a', true,  false, false, '2020-01-01'),  -- both would delete it
            (2, 'a', false, false, false, '2020-01-01'),  -- only the old: the new claims it no more
            (3, 'a', true,  true,  false, '2020-01-01'),  -- only the new: the longer class let go of it
            (4, 'a', true,  true,  true,  '2020-01-01'),  -- neither
            (5, 'a', true,  true,  true,  '2010-01-01'),  -- both, under the longer class
            (6, 'a', false, true,  false, '2010-01-01'),  -- only the old: nobody claims it any more
            (7, 'a', NULL,  false, false, '2020-01-01'),  -- only the old: the new cannot say
            (8, 'b', true,  false, false, '2010-01-01'),  -- nobody's
            (9, 'b', false, true,  true,  '2010-01-01');  -- both
        ",
    )
    .await;
    let version = |short: &str, long: &str| {
        by_hand(&format!(
            "{}{}",
            letters(
                "short",
                &format!("where = \"{short}\"\nperiod = \"2 years\"")
            ),
            letters("long", &format!("where = \"{long}\"\nperiod = \"8 years\"")),
        ))
    };
    accept(&url, &version("kind = 'a'", "important")).await;
    let new = version("kind = 'a' AND sent", "important AND vip");
    let before = stage::rows(&url, &["letter"]).await;
    let report = pass(&url, &new).await.unwrap();
    assert_eq!(ids(&url, "letter").await, [2, 3, 4, 6, 7, 8]);
    assert_eq!(report.exit_code(), 3);
    // 2 and 7 are due under the class in force, and wait; 6 under the other.
    assert_eq!(stage::of(&report, "short").waiting, 2);
    assert_eq!(stage::of(&report, "long").waiting, 1);
    stage::assert_told(&url, &before, &["letter"]).await;
    accept(&url, &new).await;
    pass(&url, &new).await.unwrap();
    assert_eq!(ids(&url, "letter").await, [2, 4, 6, 7, 8]);
}

#[tokio::test]
async fn what_hangs_on_a_record_is_judged_by_both_versions() {
    let url = stage::database(&format!(
        "{LETTER}{PAGE}
         INSERT INTO letter (id, closed_on) VALUES (1, '2010-01-01'), (2, '2010-01-01');
         INSERT INTO page VALUES (11, 1, true, '2010-01-01'), (21, 2, false, '2010-01-01');"
    ))
    .await;
    let old = letters("letters", "period = \"8 years\"\ndependants = [\"page\"]");
    accept(&url, &by_hand(&old)).await;
    // It retains some pages, and asks for something else.
    let keeps = stage::class(
        "pages",
        "table = \"page\"\nwhere = \"keep\"\ndisposal = \"retain\"\nowner = \"O\"\nreason = \"R\"",
    );
    let new = format!("{}{keeps}", old.replace("8 years", "7 years"));
    pass(&url, &by_hand(&new)).await.unwrap();
    assert_eq!(ids(&url, "letter").await, [1]);
    assert_eq!(ids(&url, "page").await, [11]);
    // Alone it would have been in force at once.
    let alone = format!("{old}{keeps}");
    let mut conn = support::ours(&url).await;
    let versions = survey::versions(&mut conn, &support::schedule(&by_hand(&alone))).await;
    assert_eq!(versions.unwrap().coming, Coming::AtOnce);
    conn.close().await.unwrap();
}

/// Under each of these nothing of the class goes until it is accepted, however long past.
#[tokio::test]
async fn a_version_that_would_do_less_or_otherwise_stops_the_class() {
    let old = letters("letters", "period = \"8 years\"\ndependants = [\"page\"]");
    let retained = stage::class(
        "others",
        "table = \"page\"\ndisposal = \"retain\"\nowner = \"O\"\nreason = \"R\"",
    );
    let versions = [
        ("gone", retained.clone()),
        (
            "flags",
            letters("letters", "period = \"7 years\"\ndisposal = \"flag\""),
        ),
        (
            "anonymises",
            letters(
                "letters",
                "period = \"7 years\"\ndisposal = \"anonymise\"\nanonymise = { kind = \"null\" }\ndependants = [\"page\"]",
            ),
        ),
        (
            "unlinks",
            letters(
                "letters",
                "period = \"8 years\"\ndependants = [{ table = \"page\", action = \"unlink\" }]",
            ),
        ),
        (
            "is refused for its condition",
            letters(
                "letters",
                "where = \"colour = 'red'\"\nperiod = \"8 years\"\ndependants = [\"page\"]",
            ),
        ),
        (
            "is refused for its dependant",
            letters("letters", "period = \"8 years\"\ndependants = [\"stamp\"]"),
        ),
        (
            "gated",
            letters(
                "letters",
                "period = \"7 years\"\ngate = \"review\"\ndependants = [\"page\"]",
            ),
        ),
        (
            "of another table",
            old.replace("\"letter\"", "\"page\"")
                .replace("closed_on", "made_on")
                .replace("dependants = [\"page\"]", ""),
        ),
        (
            "with a longer class",
            format!("{old}{}", letters("more", "period = \"50 years\"")),
        ),
    ];
    for (what, new) in versions {
        let url = stage::database(&format!(
            "{LETTER}{PAGE} INSERT INTO letter (id, closed_on) VALUES (1, '2010-01-01');
             INSERT INTO page VALUES (11, 1, true, '2010-01-01');"
        ))
        .await;
        accept(&url, &by_hand(&old)).await;
        let report = pass(&url, &by_hand(&new)).await.unwrap();
        assert_eq!(ids(&url, "letter").await, [1], "{what}");
        assert_eq!(ids(&url, "page").await, [11], "{what}");
        assert_eq!(report.exit_code(), 3, "{what}");
        // And it is the waiting alone that keeps it.
        let report = pass(&url, &by_hand(&old)).await.unwrap();
        assert_eq!(stage::of(&report, "letters").deleted, 1, "{what}");
    }
}

/// What goes with a letter is another matter under each of these, though the table is the same.
#[tokio::test]
async fn a_version_that_relates_other_rows_of_the_same_table_stops_the_class() {
    const REMARK: &str =
        "CREATE TABLE remark (id bigint PRIMARY KEY, letter_id bigint, about bigint, kind text);";
    let related = |more: &str| {
        let entry = format!("{{ table = \"remark\", {more} }}");
        letters(
            "letters",
            &format!("period = \"8 years\"\ndependants = [{entry}]"),
        )
    };
    let old = related("on = \"letter_id = id\", where = \"kind = 'a'\"");
    for new in [
        "on = \"about = id\", where = \"kind = 'a'\"",
        "on = \"letter_id = id\", where = \"kind = 'b'\"",
        "on = \"letter_id = id\"",
    ] {
        let url = stage::database(&format!(
            "{LETTER}{REMARK} INSERT INTO letter (id, closed_on) VALUES (1, '2010-01-01');
             INSERT INTO remark VALUES (11, 1, 1, 'a'), (12, NULL, 1, 'a'), (13, 1, NULL, 'b');"
        ))
        .await;
        accept(&url, &by_hand(&old)).await;
        pass(&url, &by_hand(&related(new))).await.unwrap();
        assert_eq!(ids(&url, "letter").await, [1], "{new}");
        assert_eq!(ids(&url, "remark").await, [11, 12, 13], "{new}");
        // And it is the waiting alone that keeps it.
        pass(&url, &by_hand(&old)).await.unwrap();
        assert_eq!(ids(&url, "letter").await, Vec::<i64>::new(), "{new}");
        assert_eq!(ids(&url, "remark").await, [12, 13], "{new}");
    }
}

#[tokio::test]
async fn a_class_that_only_the_new_version_has_does_nothing_yet() {
    let url = office().await;
    support::sql(&url, "UPDATE letter SET kind = 'b'").await;
    let old = letters("letters", "where = \"kind = 'a'\"\nperiod = \"8 years\"");
    accept(&url, &by_hand(&old)).await;
    let new = format!("{old}{}", letters("more", "period = \"1 month\""));
    let report = pass(&url, &by_hand(&new)).await.unwrap();
    assert_eq!(ids(&url, "letter").await, [1, 2]);
    assert_eq!(report.classes.len(), 1);
    accept(&url, &by_hand(&new)).await;
    pass(&url, &by_hand(&new)).await.unwrap();
    assert_eq!(ids(&url, "letter").await, Vec::<i64>::new());
}

#[tokio::test]
async fn the_milder_disposal_of_a_version_goes_on_where_the_other_is_severer() {
    let url = stage::database(&format!(
        "{LETTER} INSERT INTO letter (id, kind, closed_on) VALUES (1, 'a', '2010-01-01'), (2, 'a', '2025-01-01');"
    ))
    .await;
    let old = letters(
        "letters",
        "period = \"8 years\"\ndisposal = \"anonymise\"\nanonymise = { kind = \"null\" }",
    );
    accept(&url, &by_hand(&old)).await;
    let report = pass(&url, &by_hand(&letters("letters", "period = \"1 year\"")))
        .await
        .unwrap();
    assert_eq!(stage::of(&report, "letters").anonymised, 1);
    assert_eq!(ids(&url, "letter WHERE kind IS NULL").await, [1]);
    assert_eq!(ids(&url, "letter").await, [1, 2]);
}

#[tokio::test]
async fn a_longer_period_is_in_force_at_once_and_on_record() {
    let url = office().await;
    accept(&url, &by_hand(&letters("letters", "period = \"8 years\""))).await;
    let ten = by_hand(&letters("letters", "period = \"10 years\""));
    let report = pass(&url, &ten).await.unwrap();
    assert_eq!(ids(&url, "letter").await, [1, 2]);
    assert_eq!((report.exit_code(), report.waiting_schedule), (0, None));
    let told = stage::entries(&url, "schedule-in-force").await;
    let how: Vec<&str> = told
        .iter()
        .map(|e| e.entry.detail["how"].as_str())
        .collect();
    assert_eq!(how, ["by hand", "at once"]);
    // And back again it asks.
    let report = pass(&url, &by_hand(&letters("letters", "period = \"8 years\"")))
        .await
        .unwrap();
    assert_eq!(report.exit_code(), 3);
    assert_eq!(ids(&url, "letter").await, [1, 2]);
}

#[tokio::test]
async fn an_acceptance_and_its_entry_are_both_there_or_neither() {
    let url = office().await;
    let toml = by_hand(&letters("letters", "period = \"8 years\""));
    let epoch = "SELECT epoch FROM retentiond.decision_epoch";
    let before = support::number(&url, epoch).await;
    support::sql(
        &url,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON retentiond.ledger_entry FOR EACH ROW EXECUTE FUNCTION refuse();",
    )
    .await;
    assert!(try_accept(&url, &toml).await.is_err());
    assert_eq!(support::number(&url, epoch).await, before);
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM retentiond.acceptance").await,
        0
    );
    support::sql(&url, "DROP TRIGGER refuse ON retentiond.ledger_entry").await;
    accept(&url, &toml).await;
    assert_eq!(support::number(&url, epoch).await, before + 1);
    assert_eq!(stage::entries(&url, "schedule-in-force").await.len(), 1);
}

#[tokio::test]
async fn a_version_that_was_compared_with_another_than_is_in_force_is_not_accepted() {
    let url = office().await;
    let schedule = support::schedule(&by_hand(&letters("letters", "period = \"8 days\"")));
    let looked_at = support::schedule(&by_hand(&letters("letters", "period = \"8 years\"")));
    accept(&url, looked_at.text()).await;
    accept(&url, &by_hand(&letters("letters", "period = \"9 years\""))).await;
    let version = NewVersion {
        digest: schedule.digest(),
        file_digest: schedule.file_digest(),
        text: schedule.text(),
        previous: Some(looked_at.digest()),
    };
    let mut conn = support::ours(&url).await;
    let outcome = review::bring_into_force(
        &mut conn,
        &version,
        How::Automatic,
        "test",
        support::at(TODAY),
    )
    .await;
    assert!(
        matches!(outcome, Err(ReviewError::Overtaken)),
        "{outcome:?}"
    );
    conn.close().await.unwrap();
}

/// The words of a title change nothing in what goes: the file is in force as it is.
#[tokio::test]
async fn other_words_are_the_same_version() {
    let url = office().await;
    let toml = by_hand(&letters("letters", "period = \"8 years\""));
    accept(&url, &toml).await;
    let words = toml.replace("title = \"letters\"", "title = \"All our letters\"");
    assert_ne!(words, toml);
    let report = pass(&url, &words).await.unwrap();
    assert_eq!(
        (stage::of(&report, "letters").deleted, report.exit_code()),
        (1, 0)
    );
    assert_eq!(stage::entries(&url, "schedule-in-force").await.len(), 1);
}
