//! What goes with a record, and what stays of it.

use std::fs;

use super::{Organisation, class, support};

#[tokio::test]
async fn attachments_and_notes_go_with_the_letter_and_not_with_another() {
    let organisation = Organisation::with(
        "INSERT INTO correspondence (channel, subject, sender_name, body, received_at) VALUES
            ('letter', 'past', 'Ada', 'x', '2018-06-14 12:00Z'),
            ('letter', 'kept', 'Ben', 'x', '2018-06-15 12:00Z');
         INSERT INTO attachment (correspondence_id, file_name, media_type, size_bytes) VALUES
            (1, 'a1.pdf', 'application/pdf', 1), (1, 'a2.pdf', 'application/pdf', 1), (2, 'b.pdf', 'application/pdf', 1);
         INSERT INTO case_note (correspondence_id, note_no, written_by, written_at, note) VALUES
            (1, 1, 1, '2018-06-14 13:00Z', 'a'), (2, 1, 1, '2018-06-15 13:00Z', 'b');",
    )
    .await;
    let report = organisation.pass("2026-06-15").await;
    let communications = class(&report, "communications");
    assert_eq!((communications.deleted, communications.dependants), (1, 3));
    assert_eq!(
        organisation
            .texts("SELECT subject FROM correspondence")
            .await,
        ["kept"]
    );
    assert_eq!(
        organisation.texts("SELECT file_name FROM attachment").await,
        ["b.pdf"]
    );
    assert_eq!(
        organisation.texts("SELECT note FROM case_note").await,
        ["b"]
    );
}

#[tokio::test]
async fn a_request_and_a_message_outlive_the_letter_they_came_from() {
    let organisation = Organisation::with(
        "INSERT INTO correspondence (channel, subject, sender_name, body, received_at)
         VALUES ('letter', 'past', 'Ada', 'x', '2018-06-14 12:00Z');
         INSERT INTO foi_request (id, reference, kind, requester_name, request_text, received_on, closed_on, correspondence_id)
         VALUES (md5('A')::uuid, 'still open', 'subject access', 'Ada', 'x', '2018-06-14', NULL, 1);
         INSERT INTO social_message (platform, handle, body, received_at, correspondence_id)
         VALUES ('X', '@recent', 'x', '2026-06-01 12:00Z', 1);",
    )
    .await;
    organisation.pass("2026-06-15").await;
    assert_eq!(
        organisation
            .texts("SELECT subject FROM correspondence")
            .await,
        [""; 0]
    );
    assert_eq!(
        organisation
            .texts("SELECT concat(reference, ',', requester_name, ',', correspondence_id) FROM foi_request")
            .await,
        ["still open,Ada,"]
    );
    assert_eq!(
        organisation
            .texts("SELECT concat(handle, ',', body, ',', correspondence_id) FROM social_message")
            .await,
        ["@recent,x,"]
    );
}

#[tokio::test]
async fn exchanges_go_with_the_request() {
    let organisation = Organisation::with(
        "INSERT INTO foi_request (id, reference, kind, requester_name, request_text, received_on, closed_on) VALUES
            (md5('A')::uuid, 'past', 'subject access', 'Ada', 'x', '2023-01-01', '2024-01-09'),
            (md5('B')::uuid, 'kept', 'subject access', 'Ben', 'x', '2023-01-01', '2024-01-10');
         INSERT INTO foi_exchange (foi_request_id, direction, sent_on, body) VALUES
            (md5('A')::uuid, 'out', '2023-01-02', 'a'), (md5('B')::uuid, 'out', '2023-01-02', 'b');",
    )
    .await;
    organisation.pass("2026-01-10").await;
    assert_eq!(
        organisation.texts("SELECT body FROM foi_exchange").await,
        ["b"]
    );
}

#[tokio::test]
async fn contact_attempts_go_with_the_sample_of_both_parts_of_its_key() {
    let organisation = Organisation::with(
        "INSERT INTO survey_sample (campaign, id, full_name, crime_type, received_on) VALUES
            ('USS', 1, 'Ada', 'robbery', '2023-07-20'), ('TDS', 1, 'Ben', 'robbery', '2023-07-21'),
            ('USS', 2, 'Cleo', 'robbery', '2023-07-21');
         INSERT INTO survey_contact_attempt (campaign, sample_id, attempt_no, attempted_on, result) VALUES
            ('USS', 1, 1, '2023-07-22', 'a'), ('USS', 1, 2, '2023-07-23', 'a'),
            ('TDS', 1, 1, '2023-07-22', 'b'), ('USS', 2, 1, '2023-07-22', 'c');",
    )
    .await;
    organisation.pass("2026-07-20").await;
    assert_eq!(
        organisation
            .texts("SELECT result FROM survey_contact_attempt ORDER BY 1")
            .await,
        ["b", "c"]
    );
}

#[tokio::test]
async fn a_form_shared_by_photos_goes_with_the_last_of_them() {
    let organisation = Organisation::with(
        "INSERT INTO consent_form (signatory_name, signatory_role, signed_on, scan_path) VALUES
            ('Ada', 'participant', '2020-05-04', 'consent/shared.pdf'),
            ('Ben', 'participant', '2020-05-04', 'consent/alone.pdf'),
            ('Cleo', 'participant', '2010-01-01', 'consent/never used.pdf');
         INSERT INTO media (kind, event_name, captured_at, consent_form_id, path) VALUES
            ('photo', 'first', '2020-05-04 12:00Z', 1, '2020/first.jpg'),
            ('photo', 'second', '2020-05-04 13:00Z', 1, '2020/second.jpg'),
            ('photo', 'third', '2021-06-07 12:00Z', 1, '2021/third.jpg'),
            ('photo', 'alone', '2020-05-04 12:00Z', 2, '2020/alone.jpg'),
            ('photo', 'crowd', '2020-05-04 12:00Z', NULL, '2020/crowd.jpg');",
    )
    .await;
    let all = [
        "2020/alone.jpg",
        "2020/crowd.jpg",
        "2020/first.jpg",
        "2020/second.jpg",
        "2021/third.jpg",
        "consent/alone.pdf",
        "consent/never used.pdf",
        "consent/shared.pdf",
    ];
    for file in all {
        let path = organisation.media.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    let files = || -> Vec<&str> {
        let there = |file: &&str| organisation.media.path().join(file).exists();
        all.into_iter().filter(there).collect()
    };
    let forms = "SELECT signatory_name FROM consent_form ORDER BY id";

    organisation.pass("2024-05-03").await;
    assert_eq!(files(), all);
    assert_eq!(organisation.texts(forms).await, ["Ada", "Ben", "Cleo"]);

    // Four years from 4 May 2020: four of the five go, and the form of one of them.
    let report = organisation.pass("2024-05-04").await;
    assert_eq!(class(&report, "photos-videos").deleted, 4);
    assert_eq!(class(&report, "photos-videos").dependants, 1);
    assert_eq!(class(&report, "photos-videos").files, 5);
    assert_eq!(
        files(),
        [
            "2021/third.jpg",
            "consent/never used.pdf",
            "consent/shared.pdf"
        ]
    );
    assert_eq!(organisation.texts(forms).await, ["Ada", "Cleo"]);

    // Four years from 7 June 2021: the last photo, and the form with it. A form that no
    // photo ever named is not the class's to remove.
    organisation.pass("2025-06-06").await;
    assert_eq!(organisation.texts(forms).await, ["Ada", "Cleo"]);
    let report = organisation.pass("2025-06-07").await;
    assert_eq!(class(&report, "photos-videos").deleted, 1);
    assert_eq!(class(&report, "photos-videos").dependants, 1);
    assert_eq!(class(&report, "photos-videos").files, 2);
    assert_eq!(files(), ["consent/never used.pdf"]);
    assert_eq!(organisation.texts(forms).await, ["Cleo"]);
    let left = "SELECT count(*) FROM retentiond.file_work";
    assert_eq!(support::number(&organisation.url, left).await, 0);
}

#[tokio::test]
async fn statistics_survive_an_applicant_and_the_person_does_not() {
    let organisation = Organisation::with(
        r#"INSERT INTO applicant (vacancy_id, full_name, email, phone, date_of_birth, postcode, cv, answers,
                                  ethnicity, gender, disability, outcome, met_merit_criteria, decided_on)
           SELECT 1, 'Ada Adams', 'ada@example.org', '07700 900123', '1984-11-23', 'SW1A 1AA', 'CURRICULUM VITAE',
                  '{"phone": "07700 900123", "address": "1 Elm Road", "motivation": "x", "referee": "Ben",
                    "heard_from": "a friend", "full_time": true}',
                  'White', 'female', true, 'unsuccessful', merit, '2025-03-31'
           FROM (VALUES (false), (true)) AS v (merit)"#,
    )
    .await;
    organisation.pass("2026-04-01").await;
    let rows = organisation
        .texts("SELECT to_jsonb(a)::text FROM applicant AS a ORDER BY id")
        .await;
    for (row, (id, merit)) in rows.iter().zip([(1, false), (2, true)]) {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        assert_eq!(
            row,
            serde_json::json!({
                "id": id, "vacancy_id": 1,
                "full_name": "[redacted]", "email": null, "phone": null,
                "date_of_birth": "1984-01-01", "postcode": "SW1A", "cv": null,
                "answers": { "heard_from": "a friend", "full_time": true },
                "ethnicity": "White", "gender": "female", "disability": true,
                "outcome": "unsuccessful", "met_merit_criteria": merit, "decided_on": "2025-03-31",
            })
        );
    }
    assert_eq!(rows.len(), 2);
}
