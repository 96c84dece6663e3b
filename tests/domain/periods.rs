//! How long each class is kept: records around the last day, passes around it.
//!
//! A minimum is kept through the end of its last day, and goes on the day after. A maximum
//! goes on its last day, and is a breach on the day after.

use super::{Organisation, class};

#[tokio::test]
async fn communications_are_kept_eight_years_after_the_matter_closed() {
    let organisation = Organisation::with(
        "INSERT INTO correspondence (case_id, channel, subject, sender_name, body, received_at, closed_at) VALUES
            (1, 'email', 'A', 'Ada', 'x', '2001-01-01 12:00Z', '2018-06-14 12:00Z'),
            (1, 'email', 'B', 'Ada', 'x', '2001-01-01 12:00Z', '2018-06-15 12:00Z'),
            (1, 'email', 'C', 'Ada', 'x', '2001-01-01 12:00Z', '2018-06-16 12:00Z')",
    )
    .await;
    // Closed on 14, 15 and 16 June 2018; eight years on, the same days of June 2026 are
    // the last days, and each record goes on the morning after its own.
    organisation
        .after_passes(
            "SELECT subject FROM correspondence ORDER BY 1",
            &[
                ("2026-06-14", "A B C"),
                ("2026-06-15", "B C"),
                ("2026-06-16", "C"),
                ("2026-06-17", ""),
            ],
        )
        .await;
}

#[tokio::test]
async fn a_letter_without_a_matter_is_counted_from_its_receipt() {
    let organisation = Organisation::with(
        "INSERT INTO correspondence (case_id, channel, subject, sender_name, body, received_at, closed_at) VALUES
            (NULL, 'letter', 'A', 'Ada', 'x', '2018-06-14 12:00Z', NULL),
            (NULL, 'letter', 'B', 'Ada', 'x', '2018-06-15 12:00Z', NULL),
            (NULL, 'letter', 'C', 'Ada', 'x', '2018-06-16 12:00Z', NULL),
            (1, 'letter', 'matter closed later', 'Ada', 'x', '2018-06-14 12:00Z', '2018-06-16 12:00Z'),
            (NULL, 'letter', 'no matter, and closed', 'Ada', 'x', '2018-06-14 12:00Z', '2018-06-16 12:00Z')",
    )
    .await;
    // The two last were received with A; what counts is when they were closed, 16 June.
    organisation
        .after_passes(
            "SELECT subject FROM correspondence ORDER BY id",
            &[
                (
                    "2026-06-14",
                    "A B C matter closed later no matter, and closed",
                ),
                (
                    "2026-06-15",
                    "B C matter closed later no matter, and closed",
                ),
                ("2026-06-16", "C matter closed later no matter, and closed"),
                ("2026-06-17", ""),
            ],
        )
        .await;
}

#[tokio::test]
async fn requests_are_kept_two_years_after_they_were_closed() {
    let organisation = Organisation::with(
        "INSERT INTO foi_request (id, reference, kind, requester_name, request_text, received_on, closed_on)
         SELECT md5(reference)::uuid, reference, 'subject access', 'Ada', 'x', '2020-01-01', closed_on
         FROM (VALUES ('A', date '2024-01-09'), ('B', '2024-01-10'), ('C', '2024-01-11')) AS v (reference, closed_on)",
    )
    .await;
    // Last days: 9, 10 and 11 January 2026.
    organisation
        .after_passes(
            "SELECT reference FROM foi_request ORDER BY 1",
            &[
                ("2026-01-09", "A B C"),
                ("2026-01-10", "B C"),
                ("2026-01-11", "C"),
                ("2026-01-12", ""),
            ],
        )
        .await;
}

#[tokio::test]
async fn direct_messages_are_kept_three_months() {
    let organisation = Organisation::with(
        "INSERT INTO social_message (platform, handle, body, received_at) VALUES
            ('X', '@a', 'x', '2026-01-14 12:00Z'),
            ('X', '@b', 'x', '2026-01-15 12:00Z'),
            ('X', '@c', 'x', '2026-01-16 12:00Z')",
    )
    .await;
    // Last days: 14, 15 and 16 April 2026.
    organisation
        .after_passes(
            "SELECT handle FROM social_message ORDER BY 1",
            &[
                ("2026-04-14", "@a @b @c"),
                ("2026-04-15", "@b @c"),
                ("2026-04-16", "@c"),
                ("2026-04-17", ""),
            ],
        )
        .await;
}

#[tokio::test]
async fn applicants_turned_down_are_persons_for_six_months() {
    let organisation = Organisation::with(
        "INSERT INTO applicant (vacancy_id, full_name, email, outcome, met_merit_criteria, decided_on) VALUES
            (1, 'Ada', 'a@example.org', 'unsuccessful', false, '2025-09-09'),
            (1, 'Ben', 'b@example.org', 'unsuccessful', false, '2025-09-10'),
            (1, 'Cleo', 'c@example.org', 'unsuccessful', false, '2025-09-11')",
    )
    .await;
    // Last days: 9, 10 and 11 March 2026.
    organisation
        .after_passes(
            "SELECT concat(full_name, ':', email) FROM applicant ORDER BY id",
            &[
                (
                    "2026-03-09",
                    "Ada:a@example.org Ben:b@example.org Cleo:c@example.org",
                ),
                (
                    "2026-03-10",
                    "[redacted]: Ben:b@example.org Cleo:c@example.org",
                ),
                ("2026-03-11", "[redacted]: [redacted]: Cleo:c@example.org"),
                ("2026-03-12", "[redacted]: [redacted]: [redacted]:"),
            ],
        )
        .await;
}

/// Both classes claim whoever met the criteria, and the longer period wins.
#[tokio::test]
async fn applicants_on_the_merit_list_are_persons_for_twelve_months() {
    let organisation = Organisation::with(
        "INSERT INTO applicant (vacancy_id, full_name, email, outcome, met_merit_criteria, decided_on) VALUES
            (1, 'Ada', 'a@example.org', 'unsuccessful', true, '2025-03-30'),
            (1, 'Ben', 'b@example.org', 'unsuccessful', true, '2025-03-31'),
            (1, 'Cleo', 'c@example.org', 'unsuccessful', true, '2025-04-01'),
            (1, 'Dev', 'd@example.org', 'unsuccessful', false, '2025-03-31')",
    )
    .await;
    // Six months from 31 March are over on 30 September 2025, which there is: Dev goes on
    // 1 October. Twelve months run to 30 and 31 March and 1 April 2026.
    organisation
        .after_passes(
            "SELECT full_name FROM applicant ORDER BY id",
            &[
                ("2025-09-30", "Ada Ben Cleo Dev"),
                ("2025-10-01", "Ada Ben Cleo [redacted]"),
                ("2026-03-30", "Ada Ben Cleo [redacted]"),
                ("2026-03-31", "[redacted] Ben Cleo [redacted]"),
                ("2026-04-01", "[redacted] [redacted] Cleo [redacted]"),
                ("2026-04-02", "[redacted] [redacted] [redacted] [redacted]"),
            ],
        )
        .await;
}

#[tokio::test]
async fn who_anonymises_an_applicant_on_the_merit_list_is_the_longer_class() {
    let organisation = Organisation::with(
        "INSERT INTO applicant (vacancy_id, full_name, outcome, met_merit_criteria, decided_on)
         VALUES (1, 'Ada', 'unsuccessful', true, '2025-03-31')",
    )
    .await;
    // Between the two last days the shorter class sees the record kept by the longer one.
    let shorter = organisation
        .counts("applicants-unsuccessful", "2025-10-01")
        .await;
    assert_eq!(
        (shorter.claimed, shorter.due, shorter.retained_by_other),
        (1, 0, 1)
    );
    let report = organisation.pass("2026-04-01").await;
    assert_eq!(class(&report, "applicants-unsuccessful").anonymised, 0);
    assert_eq!(class(&report, "applicants-merit-list").anonymised, 1);
}

#[tokio::test]
async fn photos_are_gone_on_the_last_day_of_four_years() {
    let organisation = Organisation::with(
        "INSERT INTO media (kind, event_name, captured_at, path) VALUES
            ('photo', 'A', '2022-05-02 12:00Z', 'a.jpg'),
            ('video', 'B', '2022-05-03 12:00Z', 'b.mp4'),
            ('audio', 'C', '2022-05-04 12:00Z', 'c.m4a')",
    )
    .await;
    // At most four years: the last days are 2, 3 and 4 May 2026, and each record must be
    // gone before its own is over.
    organisation
        .after_passes(
            "SELECT event_name FROM media ORDER BY 1",
            &[
                ("2026-05-01", "A B C"),
                ("2026-05-02", "B C"),
                ("2026-05-03", "C"),
                ("2026-05-04", ""),
            ],
        )
        .await;
}

#[tokio::test]
async fn survey_samples_are_gone_on_the_last_day_of_three_years() {
    let organisation = Organisation::with(
        "INSERT INTO survey_sample (campaign, id, full_name, crime_type, received_on) VALUES
            ('USS', 1, 'Ada', 'robbery', '2023-07-19'),
            ('USS', 2, 'Ben', 'robbery', '2023-07-20'),
            ('TDS', 1, 'Cleo', 'robbery', '2023-07-21')",
    )
    .await;
    // At most three years: the last days are 19, 20 and 21 July 2026.
    organisation
        .after_passes(
            "SELECT full_name FROM survey_sample ORDER BY 1",
            &[
                ("2026-07-18", "Ada Ben Cleo"),
                ("2026-07-19", "Ben Cleo"),
                ("2026-07-20", "Cleo"),
                ("2026-07-21", ""),
            ],
        )
        .await;
}

#[tokio::test]
async fn a_maximum_is_a_breach_on_the_day_after_its_last() {
    let organisation = Organisation::with(
        "INSERT INTO survey_sample (campaign, id, full_name, crime_type, received_on)
         VALUES ('USS', 1, 'Ada', 'robbery', '2023-07-20')",
    )
    .await;
    for (day, due, overdue) in [
        ("2026-07-19", 0, 0),
        ("2026-07-20", 1, 0),
        ("2026-07-21", 1, 1),
    ] {
        let counts = organisation.counts("survey-samples", day).await;
        assert_eq!((counts.due, counts.overdue), (due, overdue), "{day}");
    }
}

#[tokio::test]
async fn a_minimum_is_late_on_the_day_after_it_became_due() {
    let organisation = Organisation::with(
        "INSERT INTO social_message (platform, handle, body, received_at)
         VALUES ('X', '@a', 'x', '2026-01-15 12:00Z')",
    )
    .await;
    for (day, due, overdue) in [
        ("2026-04-15", 0, 0),
        ("2026-04-16", 1, 0),
        ("2026-04-17", 1, 1),
    ] {
        let counts = organisation.counts("social-dms", day).await;
        assert_eq!((counts.due, counts.overdue), (due, overdue), "{day}");
    }
}
