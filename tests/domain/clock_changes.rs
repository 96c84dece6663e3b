//! A day begins at London's midnight, which is 23:00 of the day before in UTC while summer
//! time lasts. In 2025 it ended on 26 October; in 2026 it runs from 29 March to 25 October.

use chrono::{DateTime, Utc};

use super::Organisation;

/// Three months on, each message goes on the morning after the day it arrived on in London.
async fn messages(received: &[(&str, &str)]) -> Organisation {
    let rows: Vec<String> = received
        .iter()
        .map(|(handle, instant)| format!("('X', '{handle}', 'x', '{instant}')"))
        .collect();
    Organisation::with(&format!(
        "INSERT INTO social_message (platform, handle, body, received_at) VALUES {}",
        rows.join(", ")
    ))
    .await
}

const HANDLES: &str = "SELECT handle FROM social_message ORDER BY id";

#[tokio::test]
async fn around_a_midnight_in_winter() {
    // Greenwich Mean Time: 23:30 in London is 23:30 in UTC.
    let organisation = messages(&[
        ("@late-on-14", "2026-01-14 23:30Z"),
        ("@early-on-15", "2026-01-15 00:30Z"),
        ("@late-on-15", "2026-01-15 23:30Z"),
        ("@early-on-16", "2026-01-16 00:30Z"),
    ])
    .await;
    organisation
        .after_passes(
            HANDLES,
            &[
                (
                    "2026-04-14",
                    "@late-on-14 @early-on-15 @late-on-15 @early-on-16",
                ),
                ("2026-04-15", "@early-on-15 @late-on-15 @early-on-16"),
                ("2026-04-16", "@early-on-16"),
                ("2026-04-17", ""),
            ],
        )
        .await;
}

#[tokio::test]
async fn around_a_midnight_in_summer() {
    // British Summer Time: 23:30 in London is 22:30 in UTC, and half past midnight is
    // still the day before there.
    let organisation = messages(&[
        ("@late-on-14", "2025-07-14 22:30Z"),
        ("@early-on-15", "2025-07-14 23:30Z"),
        ("@late-on-15", "2025-07-15 22:30Z"),
        ("@early-on-16", "2025-07-15 23:30Z"),
    ])
    .await;
    organisation
        .after_passes(
            HANDLES,
            &[
                (
                    "2025-10-14",
                    "@late-on-14 @early-on-15 @late-on-15 @early-on-16",
                ),
                ("2025-10-15", "@early-on-15 @late-on-15 @early-on-16"),
                ("2025-10-16", "@early-on-16"),
                ("2025-10-17", ""),
            ],
        )
        .await;
}

#[tokio::test]
async fn received_in_summer_and_past_in_winter() {
    // 15 and 16 October 2025 are summer time, 15 and 16 January 2026 are not: the offset
    // is that of the day of receipt.
    let organisation = messages(&[
        ("@late-on-15", "2025-10-15 22:30Z"),
        ("@early-on-16", "2025-10-15 23:30Z"),
    ])
    .await;
    organisation
        .after_passes(
            HANDLES,
            &[
                ("2026-01-15", "@late-on-15 @early-on-16"),
                ("2026-01-16", "@early-on-16"),
                ("2026-01-17", ""),
            ],
        )
        .await;
}

#[tokio::test]
async fn across_the_change_in_march() {
    // At 01:00 on 29 March 2026 the clocks go forward: that day begins at 00:00 UTC and
    // ends at 23:00 UTC.
    let organisation = messages(&[
        ("@late-on-28", "2026-03-28 23:30Z"),
        ("@early-on-29", "2026-03-29 00:30Z"),
        ("@late-on-29", "2026-03-29 22:30Z"),
        ("@early-on-30", "2026-03-29 23:30Z"),
    ])
    .await;
    organisation
        .after_passes(
            HANDLES,
            &[
                (
                    "2026-06-28",
                    "@late-on-28 @early-on-29 @late-on-29 @early-on-30",
                ),
                ("2026-06-29", "@early-on-29 @late-on-29 @early-on-30"),
                ("2026-06-30", "@early-on-30"),
                ("2026-07-01", ""),
            ],
        )
        .await;
}

#[tokio::test]
async fn across_the_change_in_october() {
    // At 02:00 on 25 October 2026 the clocks go back: that day begins at 23:00 UTC of the
    // 24th, has half past one twice, and ends at 24:00 UTC.
    let organisation = messages(&[
        ("@late-on-24", "2026-10-24 22:30Z"),
        ("@early-on-25", "2026-10-24 23:30Z"),
        ("@half-past-one", "2026-10-25 00:30Z"),
        ("@half-past-one-again", "2026-10-25 01:30Z"),
        ("@late-on-25", "2026-10-25 23:30Z"),
        ("@early-on-26", "2026-10-26 00:30Z"),
    ])
    .await;
    organisation
        .after_passes(
            HANDLES,
            &[
                (
                    "2027-01-24",
                    "@late-on-24 @early-on-25 @half-past-one @half-past-one-again @late-on-25 @early-on-26",
                ),
                (
                    "2027-01-25",
                    "@early-on-25 @half-past-one @half-past-one-again @late-on-25 @early-on-26",
                ),
                ("2027-01-26", "@early-on-26"),
                ("2027-01-27", ""),
            ],
        )
        .await;
}

#[tokio::test]
async fn a_maximum_is_counted_by_the_same_midnights() {
    // Four years to the last days 14 and 15 July 2026: gone on them, not after them.
    let organisation = Organisation::with(
        "INSERT INTO media (kind, event_name, captured_at, path) VALUES
            ('photo', 'late-on-14', '2022-07-14 22:30Z', 'a.jpg'),
            ('photo', 'early-on-15', '2022-07-14 23:30Z', 'b.jpg')",
    )
    .await;
    organisation
        .after_passes(
            "SELECT event_name FROM media ORDER BY id",
            &[
                ("2026-07-13", "late-on-14 early-on-15"),
                ("2026-07-14", "early-on-15"),
                ("2026-07-15", ""),
            ],
        )
        .await;
}

/// The day of a pass is London's too: at 23:30 UTC in summer it is already tomorrow.
#[tokio::test]
async fn a_pass_before_midnight_in_utc_belongs_to_the_london_day() {
    let organisation = messages(&[("@a", "2026-03-20 12:00Z")]).await;
    // Its last day is 20 June 2026, which ends in London at 23:00 UTC.
    let before: DateTime<Utc> = "2026-06-20T22:59:59Z".parse().unwrap();
    organisation.pass_at(before).await;
    assert_eq!(organisation.texts(HANDLES).await, ["@a"]);
    let after: DateTime<Utc> = "2026-06-20T23:00:00Z".parse().unwrap();
    organisation.pass_at(after).await;
    assert_eq!(organisation.texts(HANDLES).await, [""; 0]);
}
