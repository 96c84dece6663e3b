//! Limits: how much of a class may go before a person must look. Each at its bound and one
//! over, the share over several passes, and the acceptance that lifts them once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/stage.rs"]
mod stage;
mod support;

use retentiond::decisions::{Decisions, Lift};
use retentiond::enforce::{ClassReport, RunReport, Status};
use retentiond::ident::ClassId;
use retentiond::plan::{self, LimitKey, Over, Plan};
use retentiond::review::{self, AcceptedPlan, NewLift};
use retentiond::survey::{self, StoppedPlan};
use sqlx::Connection;

const TABLE: &str = "
CREATE TABLE letter (id bigint PRIMARY KEY, name text, closed_on date);
CREATE INDEX ON letter (closed_on);
";

/// The day of the first pass; a letter is due one year and a day after it was closed.
const MONDAY: &str = "2026-11-23";

/// A class that deletes letters after a year, with these limits.
fn limited(limits: &str) -> String {
    // An explicit key keeps the stage from lifting the default.
    let limits = if limits.is_empty() {
        "# max_ is left to its default"
    } else {
        limits
    };
    let class = stage::class(
        "letters",
        &format!(
            "table = \"letter\"\ntrigger = \"closed_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\n{limits}"
        ),
    );
    format!("{}{class}", stage::HEAD)
}

/// So many letters that are due from a day on; the rest is years away.
async fn add(url: &str, letters: i64, due_from: &str) {
    support::sql(
        url,
        &format!(
            "INSERT INTO letter SELECT n + (SELECT count(*) FROM letter) + 1000 * (SELECT count(*) FROM retentiond.run),
                    'x', DATE '{due_from}' - interval '1 year 1 day'
               FROM generate_series(1, {letters}) n"
        ),
    )
    .await;
}

async fn office(rows: i64, due: i64) -> String {
    let url = stage::database(TABLE).await;
    support::sql(
        &url,
        &format!(
            "INSERT INTO letter SELECT -n, 'x', '2040-01-01' FROM generate_series(1, {}) n",
            rows - due
        ),
    )
    .await;
    add(&url, due, MONDAY).await;
    url
}

async fn left(url: &str) -> i64 {
    support::number(url, "SELECT count(*) FROM letter").await
}

async fn pass(url: &str, toml: &str, day: &str) -> RunReport {
    support::pass(url, toml, support::at(day)).await
}

fn letters(report: &RunReport) -> &ClassReport {
    stage::of(report, "letters")
}

/// The pass did nothing for a limit, with so many due.
fn assert_stopped(report: &RunReport, due: u64) {
    let class = letters(report);
    assert_eq!(
        (class.status, class.deleted),
        (Status::Waiting, 0),
        "{class:?}"
    );
    assert_eq!((class.skipped.limit, class.waiting), (due, due));
    assert_eq!(report.exit_code(), 3);
}

fn assert_went(report: &RunReport, rows: u64) {
    let class = letters(report);
    assert_eq!(
        (class.status, class.deleted),
        (Status::Done, rows),
        "{class:?}"
    );
    assert_eq!((class.skipped.limit, report.exit_code()), (0, 0));
}

#[tokio::test]
async fn max_rows_binds_a_pass() {
    let toml = limited("max_rows = 3");
    let url = office(9, 3).await;
    assert_went(&pass(&url, &toml, MONDAY).await, 3);
    let url = office(9, 4).await;
    assert_stopped(&pass(&url, &toml, MONDAY).await, 4);
    assert_eq!(left(&url).await, 9);
    // The next pass has its own count.
    let url = office(9, 3).await;
    assert_went(&pass(&url, &toml, MONDAY).await, 3);
    add(&url, 3, "2026-11-24").await;
    assert_went(&pass(&url, &toml, "2026-11-24").await, 3);
}

#[tokio::test]
async fn a_quarter_of_the_table_may_go_where_nothing_is_said() {
    let url = office(1_000, 250).await;
    assert_went(&pass(&url, &limited(""), MONDAY).await, 250);
    let url = office(1_000, 251).await;
    assert_stopped(&pass(&url, &limited(""), MONDAY).await, 251);
    assert_eq!(left(&url).await, 1_000);
    // A share of one's own, which is not a round number of rows: 0.3333 of 1000.
    let url = office(1_000, 333).await;
    assert_went(
        &pass(&url, &limited("max_share = 0.3333"), MONDAY).await,
        333,
    );
    let url = office(1_000, 334).await;
    assert_stopped(
        &pass(&url, &limited("max_share = 0.3333"), MONDAY).await,
        334,
    );
    // All of it.
    let url = office(300, 300).await;
    assert_went(&pass(&url, &limited("max_share = 1.0"), MONDAY).await, 300);
}

#[tokio::test]
async fn a_hundred_records_may_always_go() {
    let url = office(100, 100).await;
    assert_went(&pass(&url, &limited("max_share = 0.01"), MONDAY).await, 100);
    let url = office(120, 101).await;
    assert_stopped(&pass(&url, &limited("max_share = 0.01"), MONDAY).await, 101);
}

#[tokio::test]
async fn the_share_counts_what_went_within_seven_days() {
    for (more, goes) in [(50, true), (51, false)] {
        let url = office(1_000, 200).await;
        assert_went(&pass(&url, &limited(""), MONDAY).await, 200);
        // 800 are left, and the table had 1,000 seven days ago: 250 may go, 200 did.
        add(&url, more, "2026-11-24").await;
        support::sql(
            &url,
            &format!(
                "DELETE FROM letter WHERE id IN (SELECT id FROM letter WHERE id < 0 LIMIT {more})"
            ),
        )
        .await;
        let report = pass(&url, &limited(""), "2026-11-29").await;
        if goes {
            assert_went(&report, 50);
        } else {
            assert_stopped(&report, 51);
            // On the eighth day the 200 no longer count.
            assert_went(&pass(&url, &limited(""), "2026-12-01").await, 51);
        }
    }
}

#[tokio::test]
async fn max_growth_is_against_the_last_completed_pass() {
    let toml = limited("max_share = 1.0\nmax_growth = 1.5");
    for (more, goes) in [(225, true), (226, false)] {
        let url = office(1_000, 150).await;
        // The first pass has none before it.
        assert_went(&pass(&url, &toml, MONDAY).await, 150);
        add(&url, more, "2026-11-24").await;
        let report = pass(&url, &toml, "2026-11-24").await;
        if goes {
            assert_went(&report, 225);
        } else {
            assert_stopped(&report, 226);
        }
    }
    // After a quiet pass a hundred may go.
    for (more, goes) in [(100, true), (101, false)] {
        let url = office(1_000, 1).await;
        assert_went(&pass(&url, &toml, MONDAY).await, 1);
        add(&url, more, "2026-11-24").await;
        let report = pass(&url, &toml, "2026-11-24").await;
        if goes {
            assert_went(&report, 100);
        } else {
            assert_stopped(&report, 101);
        }
    }
    // Unless it is set, growth is no matter.
    let url = office(1_000, 1).await;
    let toml = limited("max_share = 1.0");
    assert_went(&pass(&url, &toml, MONDAY).await, 1);
    add(&url, 900, "2026-11-24").await;
    assert_went(&pass(&url, &toml, "2026-11-24").await, 900);
}

#[tokio::test]
async fn a_fixed_date_behind_an_instruction_has_no_share_but_an_explicit_one() {
    let study = |limits: &str| {
        let class = stage::class(
            "letters",
            &format!(
                "table = \"letter\"\ntrigger = 2021-07-31\nperiod = \"90 days\"\ndisposal = \"delete\"\ngate = \"instruction\"\n{limits}"
            ),
        );
        format!("{}{class}", stage::HEAD)
    };
    for (limits, goes) in [("# max_ is left out", true), ("max_share = 0.25", false)] {
        let url = office(200, 0).await;
        let toml = study(limits);
        let schedule = support::schedule(&toml);
        let now = support::at(MONDAY);
        let mut conn = support::ours(&url).await;
        let drawn = survey::draw(&mut conn, &schedule, now).await.unwrap();
        conn.close().await.unwrap();
        let instructed =
            Decisions::none(drawn.plan.epoch()).with_instruction(ClassId::new("letters").unwrap());
        let plan = plan::draft(&schedule, &drawn.catalog, &instructed, now);
        let report = support::enforce_plan(
            &url,
            &toml,
            plan,
            now,
            &retentiond::files::Stores::default(),
            retentiond::enforce::Throttle::FULL_SPEED,
        )
        .await
        .unwrap();
        if goes {
            assert_went(&report, 200);
        } else {
            assert_stopped(&report, 200);
        }
    }
}

#[tokio::test]
async fn a_stopped_class_is_shown_told_and_leaves_the_others_alone() {
    let url = office(1_000, 251).await;
    support::sql(
        &url,
        "CREATE TABLE memo (id bigint PRIMARY KEY, made_on date); INSERT INTO memo VALUES (1, '2000-01-01')",
    )
    .await;
    let memos = stage::class(
        "memos",
        "table = \"memo\"\ntrigger = \"made_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"",
    );
    let toml = format!("{}{memos}", limited(""));
    let plan = support::plan(&url, &toml, support::at(MONDAY)).await;
    let mut conn = support::ours(&url).await;
    let counts = survey::count(&mut conn, &plan).await.unwrap();
    conn.close().await.unwrap();
    let shown = counts[0].counts.as_ref().unwrap();
    assert_eq!((shown.due, shown.waiting), (0, 251));
    assert_eq!(counts[0].status(plan.classes()[0].standing), "waiting");
    let over = Over {
        limit: LimitKey::MaxShare,
        due: 251,
        counted: 251,
        most: 250,
    };
    assert_eq!(counts[0].over, Some(over));
    let report = pass(&url, &toml, MONDAY).await;
    assert_stopped(&report, 251);
    assert_eq!(stage::of(&report, "memos").deleted, 1);
    let told = stage::entries(&url, "limit-reached").await;
    assert_eq!(told.len(), 1);
    let entry = &told[0].entry;
    assert_eq!(entry.class.as_ref().unwrap().as_str(), "letters");
    assert_eq!(entry.plan.as_ref(), Some(plan.digest()));
    let detail: Vec<(&str, &str)> = entry
        .detail
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        detail,
        [
            ("counted", "251"),
            ("due", "251"),
            ("limit", "max_share"),
            ("most", "250")
        ]
    );
}

/// Accepts the newest plan that a pass was stopped in.
async fn accept(url: &str, toml: &str) -> StoppedPlan {
    let schedule = support::schedule(toml);
    let mut conn = support::ours(url).await;
    let plans = survey::stopped_plans(&mut conn, schedule.digest())
        .await
        .unwrap();
    let stopped = plans.first().expect("a pass was stopped").clone();
    let classes: Vec<NewLift> = stopped
        .classes
        .iter()
        .map(|(class, on, due)| NewLift {
            class: class.clone(),
            on: *on,
            due: *due,
        })
        .collect();
    let plan = AcceptedPlan {
        digest: &stopped.digest,
        schedule: schedule.digest(),
        classes: &classes,
    };
    review::lift_limits(
        &mut conn,
        &plan,
        "looked at it",
        "operator",
        support::at(MONDAY),
    )
    .await
    .unwrap();
    conn.close().await.unwrap();
    stopped
}

async fn planned(url: &str, toml: &str, day: &str) -> Plan {
    support::plan(url, toml, support::at(day)).await
}

#[tokio::test]
async fn a_plan_that_was_accepted_goes_by_its_cutoffs_once() {
    let url = office(1_000, 400).await;
    let toml = limited("");
    let before = planned(&url, &toml, MONDAY).await;
    assert_stopped(&pass(&url, &toml, MONDAY).await, 400);
    let stopped = accept(&url, &toml).await;
    assert_eq!(&stopped.digest, before.digest());
    assert_eq!(
        (stopped.on.to_string().as_str(), stopped.classes[0].2),
        (MONDAY, 400)
    );

    // A hundred more are due on Tuesday, by Tuesday's cutoff.
    add(&url, 100, "2026-11-24").await;
    assert_went(&pass(&url, &toml, "2026-11-24").await, 400);
    assert_eq!(left(&url).await, 700);
    let told = stage::entries(&url, "limits-lifted").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].entry.detail["due"], "400");
    assert_eq!(told[0].entry.detail["on"], MONDAY);
    assert_eq!(told[0].entry.plan, Some(stopped.digest));

    // Used up: the limits bind again, and what was accepted does not count against them.
    assert_went(&pass(&url, &toml, "2026-11-25").await, 100);
    // 701 are there, and 100 went that nobody accepted: a quarter of 801 is 200.
    add(&url, 101, "2026-11-26").await;
    assert_stopped(&pass(&url, &toml, "2026-11-26").await, 101);
}

#[tokio::test]
async fn lifting_limits_does_not_change_the_plans_digest() {
    let url = office(1_000, 400).await;
    let toml = limited("");
    let before = planned(&url, &toml, MONDAY).await;
    assert_stopped(&pass(&url, &toml, MONDAY).await, 400);
    accept(&url, &toml).await;
    let after = planned(&url, &toml, MONDAY).await;
    let lift = after.classes()[0].lift.unwrap();
    assert_eq!((lift.due, lift.on.to_string().as_str()), (400, MONDAY));
    assert_eq!(before.digest(), after.digest());
    // Of another version of the schedule nothing was accepted.
    let other = limited("max_rows = 399");
    assert_eq!(planned(&url, &other, MONDAY).await.classes()[0].lift, None);
}

#[tokio::test]
async fn what_comes_on_top_of_an_accepted_plan_counts_against_the_limits() {
    for (more, goes) in [(350, true), (351, false)] {
        let url = office(1_000, 400).await;
        let toml = limited("");
        assert_stopped(&pass(&url, &toml, MONDAY).await, 400);
        accept(&url, &toml).await;
        // Late imports that were due long ago. A quarter of 1,400 may go beside the 400.
        add(&url, 400, "2040-01-01").await;
        support::sql(
            &url,
            &format!("UPDATE letter SET closed_on = '2001-01-01' WHERE id IN (SELECT id FROM letter WHERE closed_on > '2030-01-01' AND id > 0 LIMIT {more})"),
        )
        .await;
        let report = pass(&url, &toml, "2026-11-24").await;
        if goes {
            assert_went(&report, 750);
        } else {
            assert_stopped(&report, 751);
            // And that plan can be accepted in its turn.
            accept(&url, &toml).await;
            assert_went(&pass(&url, &toml, "2026-11-25").await, 751);
        }
    }
}

#[tokio::test]
async fn a_pass_that_was_broken_off_leaves_its_acceptance_for_the_next() {
    let url = office(1_000, 400).await;
    let toml = limited("");
    assert_stopped(&pass(&url, &toml, MONDAY).await, 400);
    accept(&url, &toml).await;
    let run = stage::Run::new(&url, &toml, "2026-11-24").batches_of(100);
    let stop = run.stop.clone();
    let report = run
        .observed(&|event| {
            if matches!(event, retentiond::enforce::Event::Batch(..)) {
                stop.cancel();
            }
        })
        .await
        .unwrap();
    assert_eq!(letters(&report).deleted, 100);
    assert_went(&pass(&url, &toml, "2026-11-24").await, 300);
    let open = "SELECT count(*) FROM retentiond.limit_lift WHERE used_at IS NULL";
    assert_eq!(support::number(&url, open).await, 0);
    let runs = "SELECT cardinality(runs)::bigint FROM retentiond.limit_lift";
    assert_eq!(support::number(&url, runs).await, 2);
}

/// Rows that only a later cutoff lets go of stay, and so does what a hold protects today.
#[tokio::test]
async fn a_lift_lifts_limits_and_nothing_else() {
    let url = office(1_000, 400).await;
    let toml = limited("");
    assert_stopped(&pass(&url, &toml, MONDAY).await, 400);
    accept(&url, &toml).await;
    let id = support::number(&url, "SELECT min(id) FROM letter WHERE id > 0").await;
    support::hold(&url, "letter", &[&id.to_string()], None).await;
    assert_eq!(letters(&pass(&url, &toml, "2026-11-24").await).deleted, 399);
    assert_eq!(left(&url).await, 601);
}

#[tokio::test]
async fn anonymised_and_flagged_records_are_limited_as_well() {
    for (rest, action) in [
        (
            "disposal = \"anonymise\"\nanonymise = { name = \"null\" }",
            "anonymised",
        ),
        ("disposal = \"flag\"", "flagged"),
    ] {
        let toml = limited("").replace("disposal = \"delete\"", rest);
        let url = office(1_000, 200).await;
        pass(&url, &toml, MONDAY).await;
        let told = |rows: u64| async move { rows };
        let count = format!(
            "SELECT coalesce(sum(count), 0)::bigint FROM retentiond.ledger_entry WHERE action = '{action}'"
        );
        assert_eq!(support::number(&url, &count).await, 200, "{action}");
        // They are in the table still: 250 of 1,000 may, 200 were.
        support::sql(
            &url,
            "UPDATE letter SET closed_on = DATE '2026-11-24' - interval '1 year 1 day' WHERE id >= -51 AND id < 0",
        )
        .await;
        assert_stopped(&pass(&url, &toml, "2026-11-24").await, 51);
        support::sql(
            &url,
            "UPDATE letter SET closed_on = '2040-01-01' WHERE id = -51",
        )
        .await;
        pass(&url, &toml, "2026-11-25").await;
        assert_eq!(support::number(&url, &count).await, 250, "{action}");
        told(0).await;
    }
}

/// On a quiet night the limits cost a look at an index: the table is not counted.
#[tokio::test]
async fn the_table_is_counted_only_where_a_share_of_it_matters() {
    for (due, counted) in [(100, false), (101, true)] {
        let url = office(20_000, due).await;
        support::sql(&url, "ANALYZE letter").await;
        let plan = planned(&url, &limited(""), MONDAY).await;
        let measure = &plan.classes()[0].limits.as_ref().unwrap().measure;
        let sql = measure.replace("$1", "TIMESTAMPTZ '2026-11-16 02:00Z'");
        let lines = support::texts(
            &url,
            &format!("EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) {sql}"),
        )
        .await;
        let whole: Vec<&String> = lines
            .iter()
            .filter(|line| {
                line.contains("Scan") && line.contains("on letter") && !line.contains("closed_on")
            })
            .collect();
        assert_eq!(whole.len(), 1, "{lines:#?}");
        assert_eq!(!whole[0].contains("never executed"), counted, "{lines:#?}");
    }
}

#[test]
fn a_lift_is_a_plain_value() {
    let lift = Lift {
        id: 1,
        on: MONDAY.parse().unwrap(),
        due: 4,
        schedule: [0; 32],
    };
    let class = ClassId::new("letters").unwrap();
    let decisions = Decisions::none(retentiond::decisions::Epoch(1)).with_lift(class.clone(), lift);
    assert_eq!(decisions.lift(&class), Some(lift));
}
