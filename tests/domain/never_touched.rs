//! What no pass may touch: retained, waiting for an instruction, or not dated.

use retentiond::decisions::Decisions;
use retentiond::enforce::{Status, Throttle};
use retentiond::ident::ClassId;
use retentiond::plan;
use retentiond::survey;

use super::{Organisation, SCHEDULE, class, support};

const RESEARCH: &str =
    "INSERT INTO capv_participant (full_name, role, borough, email, age_band, recruited_on) VALUES
        ('Ada', 'parent or carer', 'Camden', 'a@example.org', '35-44', '2020-10-01'),
        ('Ben', 'young person', 'Brent', NULL, '13-15', '2021-07-31');
     INSERT INTO capv_interview (participant_id, kind, held_on, transcript) VALUES
        (1, 'survey', '2020-10-15', 'x'), (1, 'interview', '2020-11-01', 'x'), (2, 'interview', '2021-07-31', 'x');
     INSERT INTO capv_outcome (participant_id, measure, score_before, recorded_on) VALUES
        (1, 'wellbeing', 12, '2020-10-29'), (2, 'wellbeing', 9, '2021-07-31');";

#[tokio::test]
async fn research_data_waits_for_the_controller_for_years() {
    let organisation = Organisation::with(RESEARCH).await;
    let before = organisation.rows().await;
    // 31 July 2021 and 90 days: 31 in August and 30 in September make 61, and 29 more are
    // 29 October 2021. Past from 30 October.
    for (day, status, waiting) in [
        ("2021-10-29", Status::Idle, 0),
        ("2021-10-30", Status::Waiting, 2),
        ("2026-11-23", Status::Waiting, 2),
        ("2030-01-01", Status::Waiting, 2),
    ] {
        let report = organisation.pass(day).await;
        let research = class(&report, "capv-research");
        assert_eq!(research.waiting, waiting, "{day}");
        assert_eq!((research.deleted, research.dependants), (0, 0), "{day}");
        assert_eq!(research.status, status, "{day}");
        assert_eq!(organisation.rows().await, before, "{day}");
    }
}

#[tokio::test]
async fn instructed_research_data_goes_from_the_day_after_its_last() {
    let organisation = Organisation::with(RESEARCH).await;
    for (day, people, interviews, outcomes) in [("2021-10-29", 2, 3, 2), ("2021-10-30", 0, 0, 0)] {
        let schedule = support::schedule(SCHEDULE);
        let mut conn = support::ours(&organisation.url).await;
        let drawn = survey::draw(&mut conn, &schedule, support::at(day))
            .await
            .unwrap();
        let instructed = Decisions::none(drawn.plan.epoch())
            .with_instruction(ClassId::new("capv-research").unwrap());
        let plan = plan::draft(&schedule, &drawn.catalog, &instructed, support::at(day));
        let stores = support::store("media", organisation.media.path());
        support::enforce_plan(
            &organisation.url,
            SCHEDULE,
            plan,
            support::at(day),
            &stores,
            Throttle::FULL_SPEED,
        )
        .await
        .unwrap();
        for (table, rows) in [
            ("capv_participant", people),
            ("capv_interview", interviews),
            ("capv_outcome", outcomes),
        ] {
            let sql = format!("SELECT count(*) FROM {table}");
            assert_eq!(
                support::number(&organisation.url, &sql).await,
                rows,
                "{table} after {day}"
            );
        }
    }
}

#[tokio::test]
async fn applicants_who_were_hired_are_never_touched() {
    let organisation = Organisation::with(
        "INSERT INTO applicant (vacancy_id, full_name, email, date_of_birth, postcode, cv, outcome, met_merit_criteria, decided_on) VALUES
            (1, 'Ada', 'a@example.org', '1960-05-06', 'SE1 2AA', 'x', 'successful', true, '1991-01-01'),
            (1, 'Ben', 'b@example.org', '1990-05-06', 'SE1 2AA', 'x', 'successful', false, '2025-01-01'),
            (1, 'Cleo', 'c@example.org', '1990-05-06', 'SE1 2AA', 'x', 'successful', true, NULL)",
    )
    .await;
    let before = organisation.rows().await;
    for day in ["2025-07-02", "2026-01-02", "2059-12-31"] {
        let report = organisation.pass(day).await;
        assert_eq!(
            class(&report, "applicants-successful").status,
            Status::Retained
        );
        assert_eq!(organisation.rows().await, before, "{day}");
    }
}

#[tokio::test]
async fn applicants_without_a_decision_belong_to_no_class() {
    let organisation = Organisation::with(
        "INSERT INTO applicant (vacancy_id, full_name, email, outcome, met_merit_criteria, decided_on) VALUES
            (1, 'Ada', 'a@example.org', 'pending', NULL, NULL),
            (1, 'Ben', 'b@example.org', 'pending', true, '2001-01-01')",
    )
    .await;
    let before = organisation.rows().await;
    organisation.pass("2026-11-23").await;
    assert_eq!(organisation.rows().await, before);
}

#[tokio::test]
async fn the_opted_out_list_never_expires() {
    let organisation = Organisation::with(
        "INSERT INTO opt_out (email, list, added_on) VALUES
            ('a@example.org', 'newsletter', '1995-01-01'),
            ('b@example.org', 'newsletter', '2026-11-22')",
    )
    .await;
    let before = organisation.rows().await;
    for day in ["2026-11-23", "2059-12-31"] {
        let report = organisation.pass(day).await;
        assert_eq!(
            class(&report, "newsletter-opt-outs").status,
            Status::Retained
        );
        assert_eq!(organisation.rows().await, before, "{day}");
    }
}

#[tokio::test]
async fn an_open_matter_is_not_counted_yet() {
    let organisation = Organisation::with(
        "INSERT INTO correspondence (case_id, channel, subject, sender_name, body, received_at, closed_at)
         VALUES (1, 'letter', 'open', 'Ada', 'x', '2000-01-01 12:00Z', NULL)",
    )
    .await;
    let before = organisation.rows().await;
    organisation.pass("2059-12-31").await;
    assert_eq!(organisation.rows().await, before);
    let counts = organisation.counts("communications", "2059-12-31").await;
    assert_eq!(
        (counts.claimed, counts.due, counts.without_trigger),
        (1, 0, 1)
    );

    // Closed at last, it is kept for eight years from then: to 30 December 2028.
    support::sql(
        &organisation.url,
        "UPDATE correspondence SET closed_at = '2020-12-30 12:00Z'",
    )
    .await;
    organisation
        .after_passes(
            "SELECT subject FROM correspondence",
            &[("2028-12-30", "open"), ("2028-12-31", "")],
        )
        .await;
}

/// A date that nobody filled in, somebody's sentinel, a mistyped year: counted, never due.
#[tokio::test]
async fn a_record_without_a_plausible_date_is_shown_and_kept() {
    let organisation = Organisation::with(
        "INSERT INTO social_message (platform, handle, body, received_at) VALUES
            ('X', '@none', 'x', NULL), ('X', '@since-always', 'x', '-infinity'),
            ('X', '@spreadsheet', 'x', '1900-01-01 00:00Z'), ('X', '@epoch', 'x', '1970-01-01 00:00Z'),
            ('X', '@last-implausible', 'x', '1989-12-31 23:59:59Z'),
            ('X', '@next-year', 'x', '2027-11-23 12:00Z'), ('X', '@never', 'x', 'infinity'),
            ('X', '@first-plausible', 'x', '1990-01-01 00:00Z')",
    )
    .await;
    let counts = organisation.counts("social-dms", "2026-11-23").await;
    assert_eq!((counts.claimed, counts.due), (8, 1));
    assert_eq!(
        (
            counts.without_trigger,
            counts.implausible_trigger,
            counts.future_trigger
        ),
        (1, 4, 2)
    );
    organisation.pass("2026-11-23").await;
    assert_eq!(
        organisation
            .texts("SELECT handle FROM social_message ORDER BY id")
            .await,
        [
            "@none",
            "@since-always",
            "@spreadsheet",
            "@epoch",
            "@last-implausible",
            "@next-year",
            "@never"
        ]
    );
}
