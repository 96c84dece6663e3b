//! The corresponding date (*Dodds v Walker* [1981] 1 WLR 1027, HL): where the month has no
//! such day, its last one.

use super::Organisation;

#[tokio::test]
async fn six_months_from_the_end_of_august_end_with_february() {
    let organisation = Organisation::with(
        "INSERT INTO applicant (vacancy_id, full_name, outcome, met_merit_criteria, decided_on) VALUES
            (1, '27', 'unsuccessful', false, '2025-08-27'),
            (1, '28', 'unsuccessful', false, '2025-08-28'),
            (1, '29', 'unsuccessful', false, '2025-08-29'),
            (1, '30', 'unsuccessful', false, '2025-08-30'),
            (1, '31', 'unsuccessful', false, '2025-08-31'),
            (1, '1', 'unsuccessful', false, '2025-09-01')",
    )
    .await;
    // 28, 29, 30 and 31 August 2025 all end on 28 February 2026, 1 September on 1 March.
    organisation
        .after_passes(
            "SELECT full_name FROM applicant WHERE full_name <> '[redacted]' ORDER BY id",
            &[
                ("2026-02-27", "27 28 29 30 31 1"),
                ("2026-02-28", "28 29 30 31 1"),
                ("2026-03-01", "1"),
                ("2026-03-02", ""),
            ],
        )
        .await;
}

#[tokio::test]
async fn six_months_from_the_end_of_february_are_not_its_end_of_august() {
    let organisation = Organisation::with(
        "INSERT INTO applicant (vacancy_id, full_name, outcome, met_merit_criteria, decided_on)
         VALUES (1, '28', 'unsuccessful', false, '2025-02-28')",
    )
    .await;
    // The corresponding date is 28 August 2025, not the 31st.
    organisation
        .after_passes(
            "SELECT full_name FROM applicant",
            &[("2025-08-28", "28"), ("2025-08-29", "[redacted]")],
        )
        .await;
}

#[tokio::test]
async fn three_months_from_the_end_of_november_in_a_leap_year() {
    let organisation = Organisation::with(
        "INSERT INTO social_message (platform, handle, body, received_at) VALUES
            ('X', '@28', 'x', '2023-11-28 12:00Z'),
            ('X', '@29', 'x', '2023-11-29 12:00Z'),
            ('X', '@30', 'x', '2023-11-30 12:00Z'),
            ('X', '@1', 'x', '2023-12-01 12:00Z')",
    )
    .await;
    // 28 February 2024; 29 February 2024 for both the 29th and the 30th; 1 March 2024.
    organisation
        .after_passes(
            "SELECT handle FROM social_message ORDER BY id",
            &[
                ("2024-02-28", "@28 @29 @30 @1"),
                ("2024-02-29", "@29 @30 @1"),
                ("2024-03-01", "@1"),
                ("2024-03-02", ""),
            ],
        )
        .await;
}

#[tokio::test]
async fn two_years_from_29_february_end_on_28_february() {
    let organisation = Organisation::with(
        "INSERT INTO foi_request (id, reference, kind, requester_name, request_text, received_on, closed_on)
         SELECT md5(reference)::uuid, reference, 'subject access', 'Ada', 'x', '2020-01-01', closed_on
         FROM (VALUES ('28 Feb', date '2024-02-28'), ('29 Feb', '2024-02-29'), ('1 Mar', '2024-03-01')) AS v (reference, closed_on)",
    )
    .await;
    // 28 February 2026 for both; 1 March 2026.
    organisation
        .after_passes(
            "SELECT reference FROM foi_request ORDER BY closed_on",
            &[
                ("2026-02-28", "28 Feb 29 Feb 1 Mar"),
                ("2026-03-01", "1 Mar"),
                ("2026-03-02", ""),
            ],
        )
        .await;
}

#[tokio::test]
async fn two_years_to_a_february_with_29_days_end_on_the_28th() {
    let organisation = Organisation::with(
        "INSERT INTO foi_request (id, reference, kind, requester_name, request_text, received_on, closed_on)
         VALUES (md5('A')::uuid, '28 Feb', 'subject access', 'Ada', 'x', '2020-01-01', '2022-02-28')",
    )
    .await;
    // The corresponding date of 28 February 2022 is 28 February 2024, though that month
    // goes on: due on the 29th.
    organisation
        .after_passes(
            "SELECT reference FROM foi_request",
            &[("2024-02-28", "28 Feb"), ("2024-02-29", "")],
        )
        .await;
}

#[tokio::test]
async fn at_most_three_years_from_29_february_end_on_28_february() {
    let organisation = Organisation::with(
        "INSERT INTO survey_sample (campaign, id, full_name, crime_type, received_on) VALUES
            ('USS', 28, '28 Feb', 'robbery', '2024-02-28'),
            ('USS', 29, '29 Feb', 'robbery', '2024-02-29'),
            ('USS', 1, '1 Mar', 'robbery', '2024-03-01')",
    )
    .await;
    // Gone on 28 February 2027, both; and on 1 March 2027.
    organisation
        .after_passes(
            "SELECT full_name FROM survey_sample ORDER BY received_on",
            &[
                ("2027-02-27", "28 Feb 29 Feb 1 Mar"),
                ("2027-02-28", "1 Mar"),
                ("2027-03-01", ""),
            ],
        )
        .await;
}

#[tokio::test]
async fn at_most_four_years_from_29_february_end_on_29_february() {
    let organisation = Organisation::with(
        "INSERT INTO media (kind, event_name, captured_at, path) VALUES
            ('photo', '28', '2024-02-28 12:00Z', 'a.jpg'),
            ('photo', '29', '2024-02-29 12:00Z', 'b.jpg')",
    )
    .await;
    organisation
        .after_passes(
            "SELECT event_name FROM media ORDER BY 1",
            &[
                ("2028-02-27", "28 29"),
                ("2028-02-28", "29"),
                ("2028-02-29", ""),
            ],
        )
        .await;
}

#[tokio::test]
async fn eight_years_from_29_february_end_on_29_february() {
    let organisation = Organisation::with(
        "INSERT INTO correspondence (channel, subject, sender_name, body, received_at)
         VALUES ('letter', '29', 'Ada', 'x', '2020-02-29 12:00Z')",
    )
    .await;
    organisation
        .after_passes(
            "SELECT subject FROM correspondence",
            &[("2028-02-29", "29"), ("2028-03-01", "")],
        )
        .await;
}
