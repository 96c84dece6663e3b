//! The rows: past and not past, odd dates, and the relations that make disposal hard.
//!
//! What is past is computed here by PostgreSQL's own date arithmetic, from the
//! periods of the published notices, not by the program.

use super::{loaded, number, on, texts};

/// (table, the trigger's civil date in London, months kept, whether that is the most, condition)
const TRIGGERS: [(&str, &str, u32, bool, &str); 8] = [
    (
        "correspondence",
        "(closed_at AT TIME ZONE 'Europe/London')::date",
        96,
        false,
        "case_id IS NOT NULL",
    ),
    (
        "correspondence",
        "(received_at AT TIME ZONE 'Europe/London')::date",
        96,
        false,
        "case_id IS NULL",
    ),
    ("foi_request", "closed_on", 24, false, "true"),
    (
        "media",
        "(captured_at AT TIME ZONE 'Europe/London')::date",
        48,
        true,
        "true",
    ),
    (
        "applicant",
        "decided_on",
        6,
        false,
        "outcome = 'unsuccessful' AND NOT met_merit_criteria",
    ),
    (
        "applicant",
        "decided_on",
        12,
        false,
        "outcome = 'unsuccessful' AND met_merit_criteria",
    ),
    ("survey_sample", "received_on", 36, true, "true"),
    (
        "social_message",
        "(received_at AT TIME ZONE 'Europe/London')::date",
        3,
        false,
        "true",
    ),
];

#[tokio::test]
async fn every_class_with_a_period_has_rows_past_and_not_past() {
    for (name, rows) in [("past_small", 0), ("past_large", 5_000)] {
        let mut connection = loaded(name, rows, 3).await;
        for (table, day, months, maximum, condition) in TRIGGERS {
            let before = if maximum { "<=" } else { "<" };
            let past = format!(
                "({day} + interval '{months} months')::date {before} '{}'",
                on()
            );
            let rows = format!("FROM {table} WHERE ({condition}) AND {day} >= '1990-01-01' AND");
            let gone = number(&mut connection, &format!("SELECT count(*) {rows} {past}")).await;
            let kept = number(
                &mut connection,
                &format!("SELECT count(*) {rows} NOT {past}"),
            )
            .await;
            assert!(
                gone > 0 && kept > 0,
                "{name}: {table} where {condition}: {gone} past, {kept} not"
            );
        }
        // 31 July 2021 and 90 days: long past.
        assert!(number(&mut connection, "SELECT count(*) FROM capv_participant").await >= 12);
        assert_eq!(number(&mut connection, "SELECT count(*) FROM capv_participant WHERE recruited_on NOT BETWEEN '2020-09-01' AND '2021-07-31'").await, 0);
        for retained in [
            "applicant WHERE outcome = 'successful'",
            "opt_out WHERE added_on < '2016-01-01'",
            "opt_out WHERE added_on > '2025-01-01'",
        ] {
            assert!(
                number(&mut connection, &format!("SELECT count(*) FROM {retained}")).await > 0,
                "{name}: {retained}"
            );
        }
    }
}

#[tokio::test]
async fn every_trigger_has_each_odd_date_at_the_smallest_size() {
    let mut connection = loaded("odd", 0, 5).await;
    for (table, day, months, _, condition) in TRIGGERS {
        let ago = format!("('{}'::date - interval '{months} months')::date", on());
        for odd in [
            format!("{day} IS NULL"),
            format!("{day} = '-infinity'"),
            format!("{day} = '1900-01-01'"),
            format!("{day} = '1970-01-01'"),
            format!("{day} > '{}'", on()),
            format!("{day} = {ago} - 1"),
            format!("{day} = {ago}"),
            format!("{day} = {ago} + 1"),
            format!("{day} = '2024-02-29'"),
        ] {
            let rows = number(
                &mut connection,
                &format!("SELECT count(*) FROM {table} WHERE ({condition}) AND {odd}"),
            )
            .await;
            assert!(rows > 0, "{table} where {condition} has no row with {odd}");
        }
    }
}

#[tokio::test]
async fn instants_stand_on_both_sides_of_a_london_midnight() {
    let mut connection = loaded("midnight", 0, 5).await;
    // In August London is an hour ahead of UTC.
    let instants = texts(
        &mut connection,
        "SELECT (received_at AT TIME ZONE 'UTC')::text FROM social_message WHERE received_at BETWEEN '2026-08-22 00:00Z' AND '2026-08-24 00:00Z' AND id <= 9 ORDER BY id",
    )
    .await;
    assert_eq!(
        instants,
        [
            "2026-08-22 22:59:59.999999",
            "2026-08-22 23:00:00",
            "2026-08-23 23:00:00"
        ]
    );
}

#[tokio::test]
async fn the_relations_that_make_disposal_hard_are_there() {
    let mut connection = loaded("relations", 0, 11).await;
    for (what, sql) in [
        (
            "a turned-down applicant on the merit list past 6 months and not 12",
            "FROM applicant WHERE outcome = 'unsuccessful' AND met_merit_criteria AND decided_on BETWEEN '2025-11-23' AND '2026-05-22'",
        ),
        (
            "an applicant without a decision",
            "FROM applicant WHERE outcome = 'pending' AND decided_on IS NULL AND met_merit_criteria IS NULL",
        ),
        (
            "a form shared by pictures of which one must go and another stays",
            "FROM media AS a JOIN media AS b USING (consent_form_id) WHERE a.captured_at >= '1990-01-01' AND a.captured_at < '2022-11-23' AND b.captured_at > '2022-11-25'",
        ),
        (
            "a form shared by pictures two years apart",
            "FROM media AS a JOIN media AS b USING (consent_form_id) WHERE a.captured_at >= '1990-01-01' AND b.captured_at < '2026-11-23' AND b.captured_at > a.captured_at + interval '2 years'",
        ),
        (
            "a picture without a form",
            "FROM media WHERE consent_form_id IS NULL",
        ),
        (
            "a consent withdrawn within four years",
            "FROM media WHERE consent_withdrawn_at IS NOT NULL AND captured_at > '2022-11-24'",
        ),
        (
            "a matter open for longer than eight years",
            "FROM correspondence AS c JOIN matter AS m ON m.id = c.case_id WHERE m.closed_at IS NULL AND c.received_at < '2018-11-23'",
        ),
        (
            "a letter received more than eight years ago whose matter closed since",
            "FROM correspondence WHERE received_at < '2018-11-23' AND closed_at > '2018-11-24' AND case_id IS NOT NULL",
        ),
        (
            "a past letter with an attachment and a note",
            "FROM correspondence AS c WHERE closed_at BETWEEN '1990-01-01' AND '2018-11-22' AND EXISTS (FROM_ATTACHMENT) AND EXISTS (FROM_NOTE)",
        ),
        (
            "a past letter that a request and one that a message points to",
            "FROM correspondence AS c WHERE coalesce(closed_at, received_at) BETWEEN '1990-01-01' AND '2018-11-22' AND (EXISTS (SELECT FROM foi_request WHERE correspondence_id = c.id) OR EXISTS (SELECT FROM social_message WHERE correspondence_id = c.id))",
        ),
        (
            "a sample that was called twice",
            "FROM survey_contact_attempt WHERE attempt_no = 2",
        ),
        (
            "a participant with interview, survey and outcome",
            "FROM capv_participant AS p WHERE EXISTS (SELECT FROM capv_interview WHERE participant_id = p.id AND kind = 'interview') AND EXISTS (SELECT FROM capv_outcome WHERE participant_id = p.id)",
        ),
    ] {
        let sql = sql
            .replace(
                "FROM_ATTACHMENT",
                "SELECT FROM attachment WHERE correspondence_id = c.id",
            )
            .replace(
                "FROM_NOTE",
                "SELECT FROM case_note WHERE correspondence_id = c.id",
            );
        assert!(
            number(&mut connection, &format!("SELECT count(*) {sql}")).await > 0,
            "there is not {what}"
        );
    }
    for (what, sql) in [
        (
            "form that covers nothing",
            "FROM consent_form AS f WHERE NOT EXISTS (SELECT FROM media WHERE consent_form_id = f.id)",
        ),
        (
            "matter without a letter",
            "FROM matter AS m WHERE NOT EXISTS (SELECT FROM correspondence WHERE case_id = m.id)",
        ),
        (
            "letter whose closing is not its matter's",
            "FROM correspondence AS c LEFT JOIN matter AS m ON m.id = c.case_id WHERE c.closed_at IS DISTINCT FROM m.closed_at",
        ),
        (
            "letter that came before its matter",
            "FROM correspondence AS c JOIN matter AS m ON m.id = c.case_id WHERE (c.received_at AT TIME ZONE 'Europe/London')::date < (m.opened_at AT TIME ZONE 'Europe/London')::date",
        ),
        (
            "applicant who is hired without a date",
            "FROM applicant WHERE outcome = 'successful' AND decided_on IS NULL",
        ),
    ] {
        assert_eq!(
            number(&mut connection, &format!("SELECT count(*) {sql}")).await,
            0,
            "there is a {what}"
        );
    }
}

/// Names under RFC 2606 and numbers that Ofcom keeps for drama reach nobody.
#[tokio::test]
async fn no_address_or_number_can_reach_anybody() {
    let mut connection = loaded("nobody", 5_000, 13).await;
    let mut columns = 0;
    for (like, pattern) in [
        ("%email", r"^[a-z]+\.[a-z]+[0-9]+@example\.(com|org|net)$"),
        ("%phone", "^(07700 900[0-9]{3}|020 7946 0[0-9]{3})$"),
        (
            "postcode",
            "^[A-Z]{1,2}[0-9]{1,2}[A-Z]? [0-9][ABD-HJLNP-UW-Z]{2}$",
        ),
    ] {
        let sql = format!(
            "SELECT format('%I.%I', table_name, column_name) FROM information_schema.columns WHERE table_schema = 'public' AND column_name LIKE '{like}'"
        );
        for column in texts(&mut connection, &sql).await {
            let (table, column) = column.split_once('.').unwrap();
            let odd = texts(
                &mut connection,
                &format!("SELECT {column} FROM {table} WHERE {column} !~ '{pattern}' LIMIT 3"),
            )
            .await;
            assert_eq!(odd, Vec::<String>::new(), "{table}.{column}");
            columns += 1;
        }
    }
    assert_eq!(
        columns, 13,
        "six email, four phone and three postcode columns"
    );
}
