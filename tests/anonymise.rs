//! Each way of anonymising a column: values put in by hand, one pass, and what must then
//! stand there, written by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use retentiond::enforce::{RunReport, Status};
use retentiond::plan::Standing;
use retentiond::schedule::Code;
use sqlx::{AssertSqlSafe, Connection, Row};

const DAY: &str = "2026-11-23";

/// One class that anonymises `person` as told, six months after a decision.
fn schedule(anonymise: &str) -> String {
    format!(
        r#"[schedule]
organisation = "Example Council"
time_zone = "Europe/London"
every = "0 0 2 * * *"

[[class]]
id = "people"
title = "People"
table = "person"
trigger = "decided_on"
period = "6 months"
disposal = "anonymise"
authority = "Privacy notice"

[class.anonymise]
{anonymise}
"#
    )
}

/// A database with the table `person`, whose column `value` is of this type.
async fn people(column: &str) -> String {
    let url = support::migrated().await;
    support::sql(
        &url,
        &format!(
            "CREATE TABLE public.person (id bigint PRIMARY KEY, decided_on date, value {column})"
        ),
    )
    .await;
    url
}

/// Adds past records with these values, each an SQL expression.
async fn add(url: &str, from: usize, values: &[&str]) {
    for (nth, value) in values.iter().enumerate() {
        let row = format!(
            "INSERT INTO public.person VALUES ({}, '2020-01-01', {value})",
            from + nth
        );
        support::sql(url, &row).await;
    }
}

/// Each record's value as text, in the order of the keys.
async fn values(url: &str, shown: &str) -> Vec<Option<String>> {
    let mut conn = support::client(url).await;
    let sql = format!("SELECT ({shown})::text FROM public.person ORDER BY id");
    let rows = sqlx::query(AssertSqlSafe(sql))
        .fetch_all(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn anonymised(report: &RunReport) -> (Status, u64, u64) {
    let class = &report.classes[0];
    (class.status, class.anonymised, class.failed)
}

/// Asserts what becomes of each value of the column, and that a second pass finds nothing
/// to do and rewrites no row.
async fn assert_becomes(
    column: &str,
    anonymise: &str,
    shown: &str,
    cases: &[(&str, Option<&str>)],
) {
    let url = people(column).await;
    add(
        &url,
        1,
        &cases.iter().map(|(before, _)| *before).collect::<Vec<_>>(),
    )
    .await;
    let schedule = schedule(anonymise);
    let first = support::pass(&url, &schedule, support::at(DAY)).await;
    assert_eq!(
        first.classes[0].failed, 0,
        "{column} {anonymise}: {first:?}"
    );
    let after = values(&url, shown).await;
    for ((before, expected), after) in cases.iter().zip(&after) {
        assert_eq!(
            after.as_deref(),
            *expected,
            "{column} {anonymise}: {before}"
        );
    }

    let versions = values(&url, "xmin").await;
    let second = support::pass(&url, &schedule, support::at("2026-11-24")).await;
    assert_eq!(
        anonymised(&second),
        (Status::Idle, 0, 0),
        "{column} {anonymise}"
    );
    assert_eq!(values(&url, "xmin").await, versions, "{column} {anonymise}");
}

#[tokio::test]
async fn null_empties_a_column_of_any_type() {
    for (column, value) in [
        ("text", "'ada@example.org'"),
        ("varchar(3)", "'abc'"),
        ("integer", "42"),
        ("boolean", "false"),
        ("date", "'1984-11-23'"),
        ("bytea", r"'\x00ff'"),
        ("inet", "'192.0.2.1'"),
        ("text[]", "'{a,b}'"),
        ("jsonb", r#"'{"a": 1}'"#),
    ] {
        assert_becomes(
            column,
            "value = \"null\"",
            "value",
            &[(value, None), ("NULL", None)],
        )
        .await;
    }
}

#[tokio::test]
async fn redact_writes_a_mark_and_leaves_null() {
    let cases = [
        ("'Ada Adams'", Some("[redacted]")),
        ("''", Some("[redacted]")),
        ("' '", Some("[redacted]")),
        ("'[redacted] '", Some("[redacted]")),
        ("'[redacted]'", Some("[redacted]")),
        ("NULL", None),
    ];
    assert_becomes("text", "value = \"redact\"", "value", &cases).await;
    // The mark is ten characters long.
    assert_becomes(
        "varchar(10)",
        "value = \"redact\"",
        "value",
        &[("'Ada'", Some("[redacted]")), ("NULL", None)],
    )
    .await;
}

#[tokio::test]
async fn area_leaves_the_outward_half_of_a_postcode() {
    assert_becomes(
        "text",
        "value = \"area\"",
        "value",
        &[
            ("'SW1A 1AA'", Some("SW1A")),
            ("'sw1a1aa'", Some("SW1A")),
            ("'SE1 2AA'", Some("SE1")),
            ("'  se1   2aa '", Some("SE1")),
            ("'e16an'", Some("E1")),
            ("'E141AB'", Some("E14")),
            ("'EC1A1BB'", Some("EC1A")),
            ("'M1 1AE'", Some("M1")),
            // Already an outward half, in whatever letters.
            ("'W1A'", Some("W1A")),
            ("'n22'", Some("N22")),
            ("' E1 '", Some("E1")),
            // No postcode: it cannot be made coarser, and goes.
            ("'Dublin 2'", Some("")),
            ("''", Some("")),
            ("'SW1A 1'", Some("")),
            ("'SW1A 1AA, flat 3'", Some("")),
            ("'1 Elm Road, SE1 2AA'", Some("")),
            ("E'SE1 2AA\\n1 Elm Road'", Some("")),
            ("'75008'", Some("")),
            ("NULL", None),
        ],
    )
    .await;
}

#[tokio::test]
async fn year_and_month_of_a_date() {
    let cases = |february: &'static str, eve: &'static str, first: &'static str| {
        [
            ("'2024-02-29'", Some(february)),
            ("'1999-12-31'", Some(eve)),
            ("'2000-01-01'", Some(first)),
            ("'infinity'", Some("infinity")),
            ("NULL", None),
        ]
    };
    assert_becomes(
        "date",
        "value = \"year\"",
        "value",
        &cases("2024-01-01", "1999-01-01", "2000-01-01"),
    )
    .await;
    assert_becomes(
        "date",
        "value = \"month\"",
        "value",
        &cases("2024-02-01", "1999-12-01", "2000-01-01"),
    )
    .await;
}

#[tokio::test]
async fn year_and_month_of_a_timestamp_without_zone() {
    let year = [
        ("'2024-02-29 23:59:59.999999'", Some("2024-01-01 00:00:00")),
        ("'2024-01-01 00:00'", Some("2024-01-01 00:00:00")),
        ("NULL", None),
    ];
    assert_becomes("timestamp", "value = \"year\"", "value", &year).await;
    let month = [
        ("'2024-02-29 23:59:59.999999'", Some("2024-02-01 00:00:00")),
        ("'2024-03-01 00:00'", Some("2024-03-01 00:00:00")),
        ("NULL", None),
    ];
    assert_becomes("timestamp", "value = \"month\"", "value", &month).await;
}

/// A year and a month begin at London's midnight.
#[tokio::test]
async fn year_and_month_of_an_instant() {
    let shown = "value AT TIME ZONE 'UTC'";
    let year = [
        ("'2024-12-31 23:30Z'", Some("2024-01-01 00:00:00")),
        ("'2025-01-01 00:00Z'", Some("2025-01-01 00:00:00")),
        // From 1968 to 1971 London was an hour ahead in winter too.
        ("'1970-05-05 12:00Z'", Some("1969-12-31 23:00:00")),
        ("'1969-12-31 23:30Z'", Some("1969-12-31 23:00:00")),
        ("NULL", None),
    ];
    assert_becomes("timestamptz", "value = \"year\"", shown, &year).await;
    let month = [
        ("'2025-07-15 12:00Z'", Some("2025-06-30 23:00:00")),
        ("'2025-06-30 22:30Z'", Some("2025-05-31 23:00:00")),
        // Half past midnight of 1 July.
        ("'2025-06-30 23:30Z'", Some("2025-06-30 23:00:00")),
        ("'2025-11-30 23:30Z'", Some("2025-11-01 00:00:00")),
        // March begins before the clocks change in it, October in summer time.
        ("'2026-03-30 12:00Z'", Some("2026-03-01 00:00:00")),
        ("'2026-10-31 12:00Z'", Some("2026-09-30 23:00:00")),
        ("NULL", None),
    ];
    assert_becomes("timestamptz", "value = \"month\"", shown, &month).await;
}

#[tokio::test]
async fn remove_takes_a_part_out_of_json_and_nothing_else() {
    for column in ["jsonb", "json"] {
        let cases = [
            (r#"'{"phone": "1", "why": "x"}'"#, Some(r#"{"why": "x"}"#)),
            (r#"'{"phone": null}'"#, Some("{}")),
            (
                r#"'{"phone": {"home": "1"}, "more": [1, 2]}'"#,
                Some(r#"{"more": [1, 2]}"#),
            ),
            (r#"'{"why": "x"}'"#, Some(r#"{"why": "x"}"#)),
            (
                r#"'{"other": {"phone": "1"}}'"#,
                Some(r#"{"other": {"phone": "1"}}"#),
            ),
            ("'{}'", Some("{}")),
            ("NULL", None),
        ];
        assert_becomes(
            column,
            "\"value.phone\" = \"remove\"",
            "value::jsonb",
            &cases,
        )
        .await;
    }
}

#[tokio::test]
async fn remove_follows_a_nested_path() {
    for column in ["jsonb", "json"] {
        let cases = [
            (
                r#"'{"home": {"phone": {"mobile": "1", "work": "2"}, "street": "x"}, "mobile": "3"}'"#,
                Some(r#"{"home": {"phone": {"work": "2"}, "street": "x"}, "mobile": "3"}"#),
            ),
            (
                r#"'{"home": {"street": "x"}}'"#,
                Some(r#"{"home": {"street": "x"}}"#),
            ),
            (r#"'{"mobile": "3"}'"#, Some(r#"{"mobile": "3"}"#)),
            ("NULL", None),
        ];
        assert_becomes(
            column,
            "\"value.home.phone.mobile\" = \"remove\"",
            "value::jsonb",
            &cases,
        )
        .await;
    }
}

#[tokio::test]
async fn remove_takes_several_parts_of_one_column() {
    let anonymise = "\"value.phone\" = \"remove\"\n\"value.address.street\" = \"remove\"\n\"value.referee\" = \"remove\"";
    let cases = [
        (
            r#"'{"phone": "1", "address": {"street": "x", "town": "y"}, "referee": "Ben", "why": "z"}'"#,
            Some(r#"{"why": "z", "address": {"town": "y"}}"#),
        ),
        (r#"'{"referee": "Ben"}'"#, Some("{}")),
        (r#"'{"why": "z"}'"#, Some(r#"{"why": "z"}"#)),
        ("NULL", None),
    ];
    for column in ["jsonb", "json"] {
        assert_becomes(column, anonymise, "value::jsonb", &cases).await;
    }
}

/// A key is data in the path's constant, whatever it is made of.
#[tokio::test]
async fn remove_takes_a_key_of_any_characters() {
    for (written, key) in [
        ("it's", "it''s"),
        ("home phone", "home phone"),
        ("a,b", "a,b"),
        ("{x}", "{x}"),
        (r#"say \"no\""#, r#"say \"no\""#),
        (r"back\\slash", r"back\\slash"),
        ("0", "0"),
        ("NULL", "NULL"),
        ("téléphone", "téléphone"),
    ] {
        let before = format!(r#"'{{"{key}": "1", "why": "x"}}'"#);
        assert_becomes(
            "jsonb",
            &format!("\"value.{written}\" = \"remove\""),
            "value",
            &[(&before, Some(r#"{"why": "x"}"#))],
        )
        .await;
    }
}

fn is_pseudonym(value: &str) -> bool {
    let digits = value.strip_prefix("px-").unwrap_or("");
    digits.len() == 64
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[tokio::test]
async fn a_pseudonym_is_one_for_a_value_and_a_pass() {
    for column in ["text", "varchar(67)"] {
        let url = people(column).await;
        let schedule = schedule("value = \"pseudonym\"");
        add(
            &url,
            1,
            &[
                "'Ada Adams'",
                "'Ben Bell'",
                "'Ada Adams'",
                "NULL",
                "''",
                "'ada adams'",
            ],
        )
        .await;
        let report = support::pass(&url, &schedule, support::at(DAY)).await;
        assert_eq!(anonymised(&report), (Status::Done, 5, 0), "{column}");
        let first = values(&url, "value").await;
        for nth in [0, 1, 2, 4, 5] {
            assert!(
                is_pseudonym(first[nth].as_ref().unwrap()),
                "{column}: {:?}",
                first[nth]
            );
        }
        assert_eq!(first[3], None);
        assert_eq!(first[0], first[2], "the same value, the same pass");
        let different: std::collections::BTreeSet<_> = [0, 1, 4, 5].map(|nth| &first[nth]).into();
        assert_eq!(different.len(), 4, "{first:?}");

        // The key is gone with its pass: what was pseudonymised stays as it is, and the
        // same value gets another pseudonym.
        add(&url, 7, &["'Ada Adams'"]).await;
        let report = support::pass(&url, &schedule, support::at("2026-11-24")).await;
        assert_eq!(anonymised(&report), (Status::Done, 1, 0), "{column}");
        let second = values(&url, "value").await;
        assert_eq!(second[..6], first[..]);
        assert!(is_pseudonym(second[6].as_ref().unwrap()));
        assert_ne!(second[6], first[0]);
    }
}

/// Something that only looks like one is pseudonymised.
#[tokio::test]
async fn what_only_looks_like_a_pseudonym_becomes_one() {
    let url = people("text").await;
    let hex = "0123456789abcdef".repeat(4);
    let (real, upper, longer) = (
        format!("px-{hex}"),
        format!("px-{}", hex.to_uppercase()),
        format!("px-{hex}0"),
    );
    add(
        &url,
        1,
        &[
            &format!("'{real}'"),
            &format!("'{upper}'"),
            &format!("'{longer}'"),
            "'px-Ada'",
        ],
    )
    .await;
    support::pass(&url, &schedule("value = \"pseudonym\""), support::at(DAY)).await;
    let after = values(&url, "value").await;
    assert_eq!(after[0].as_ref(), Some(&real));
    for (nth, before) in [(1, &upper), (2, &longer)] {
        assert!(is_pseudonym(after[nth].as_ref().unwrap()), "{before}");
        assert_ne!(after[nth].as_ref(), Some(before));
    }
    assert!(is_pseudonym(after[3].as_ref().unwrap()));
}

/// RFC 4231, test cases 1 and 2, through the planned statement with a key that is known.
#[tokio::test]
async fn a_pseudonym_is_hmac_sha_256() {
    for (key, data, digest) in [
        (
            vec![0x0b; 20],
            "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe".to_vec(),
            "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
    ] {
        let url = people("text").await;
        add(&url, 1, &[&format!("'{data}'")]).await;
        let plan = support::plan(&url, &schedule("value = \"pseudonym\""), support::at(DAY)).await;
        let work = plan.classes()[0].work.as_ref().unwrap();
        let [scan] = &work.scans[..] else {
            panic!("one range: {work:?}")
        };
        let mut block = [0_u8; 64];
        block[..key.len()].copy_from_slice(&key);
        let mut conn = support::ours(&url).await;
        let statement = scan.act.text(false, false);
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for _ in 0..2 * scan.width {
            query = query.bind(None::<String>);
        }
        query
            .bind(block.map(|b| b ^ 0x36).to_vec())
            .bind(block.map(|b| b ^ 0x5c).to_vec())
            .execute(&mut conn)
            .await
            .unwrap();
        assert_eq!(values(&url, "value").await, [Some(format!("px-{digest}"))]);
    }
}

/// Values that come back behind the remembered position are found within the resweep's
/// seven days.
#[tokio::test]
async fn a_value_that_somebody_writes_again_is_anonymised_again() {
    let url = people("text").await;
    let schedule = schedule("value = \"redact\"");
    add(&url, 1, &["'Ada'", "'Ben'", "'Cleo'"]).await;
    support::pass(&url, &schedule, support::at(DAY)).await;
    support::sql(&url, "UPDATE public.person SET value = 'Ben' WHERE id = 2").await;
    for day in 24..=30 {
        support::pass(&url, &schedule, support::at(&format!("2026-11-{day}"))).await;
    }
    assert_eq!(
        values(&url, "value").await,
        vec![Some("[redacted]".to_owned()); 3]
    );
}

/// Asserts that the class is refused with this code, and that a pass leaves the row alone.
async fn assert_refused(column: &str, anonymise: &str, code: Code, value: &str) {
    let url = people(column).await;
    add(&url, 1, &[value]).await;
    let schedule = schedule(anonymise);
    let plan = support::plan(&url, &schedule, support::at(DAY)).await;
    let class = &plan.classes()[0];
    let codes: Vec<Code> = class.refusals.iter().map(|refusal| refusal.code).collect();
    assert_eq!(codes, [code], "{column} {anonymise}");
    assert_eq!(class.standing, Standing::Refused);
    assert!(class.work.is_none());

    let before = values(&url, "person").await;
    let report = support::pass(&url, &schedule, support::at(DAY)).await;
    assert_eq!(
        anonymised(&report),
        (Status::Refused, 0, 0),
        "{column} {anonymise}"
    );
    assert_eq!(report.exit_code(), 1);
    assert_eq!(values(&url, "person").await, before);
}

#[tokio::test]
async fn a_column_that_cannot_hold_the_result_is_refused() {
    for (column, anonymise) in [
        ("varchar(9)", "value = \"redact\""),
        ("varchar(66)", "value = \"pseudonym\""),
        ("text NOT NULL", "value = \"null\""),
        ("text UNIQUE", "value = \"redact\""),
        ("text UNIQUE", "value = \"area\""),
    ] {
        assert_refused(column, anonymise, Code::AnonymisationBreaks, "'Ada'").await;
    }
    let url_column = "text GENERATED ALWAYS AS (id::text) STORED";
    assert_refused(
        url_column,
        "value = \"redact\"",
        Code::AnonymisationBreaks,
        "DEFAULT",
    )
    .await;
}

#[tokio::test]
async fn a_strategy_for_another_type_is_refused() {
    for (column, anonymise, value) in [
        ("text", "value = \"year\"", "'1984'"),
        ("integer", "value = \"month\"", "1984"),
        ("integer", "value = \"redact\"", "1"),
        ("date", "value = \"area\"", "'1984-11-23'"),
        ("bytea", "value = \"pseudonym\"", "'x'"),
        ("text", "\"value.phone\" = \"remove\"", "'{}'"),
    ] {
        assert_refused(column, anonymise, Code::WrongColumnType, value).await;
    }
}

/// NOT NULL is no hindrance to what writes a value.
#[tokio::test]
async fn a_column_that_must_not_be_null_can_be_redacted() {
    assert_becomes(
        "text NOT NULL",
        "value = \"redact\"",
        "value",
        &[("'Ada'", Some("[redacted]"))],
    )
    .await;
    assert_becomes(
        "date NOT NULL",
        "value = \"year\"",
        "value",
        &[("'1984-11-23'", Some("1984-01-01"))],
    )
    .await;
}

/// Only an object has keys: in an array or a scalar there is nothing of that name, and a
/// number is not taken for a place in an array.
#[tokio::test]
async fn remove_leaves_what_has_no_keys() {
    for column in ["jsonb", "json"] {
        let cases = [
            (
                r#"'["phone", {"phone": "1"}]'"#,
                Some(r#"["phone", {"phone": "1"}]"#),
            ),
            (r#"'"phone"'"#, Some(r#""phone""#)),
            ("'42'", Some("42")),
            ("'null'", Some("null")),
            (
                r#"'{"phone": ["1", "2"], "why": "x"}'"#,
                Some(r#"{"why": "x"}"#),
            ),
        ];
        assert_becomes(
            column,
            "\"value.phone\" = \"remove\"",
            "value::jsonb",
            &cases,
        )
        .await;
        let cases = [
            (r#"'{"home": ["phone"]}'"#, Some(r#"{"home": ["phone"]}"#)),
            (r#"'{"home": "phone"}'"#, Some(r#"{"home": "phone"}"#)),
            (r#"'{"home": null}'"#, Some(r#"{"home": null}"#)),
        ];
        assert_becomes(
            column,
            "\"value.home.phone\" = \"remove\"",
            "value::jsonb",
            &cases,
        )
        .await;
        let cases = [
            (r#"'["a", "b"]'"#, Some(r#"["a", "b"]"#)),
            (r#"'{"0": "a"}'"#, Some("{}")),
        ];
        assert_becomes(column, "\"value.0\" = \"remove\"", "value::jsonb", &cases).await;
    }
}

/// `char(n)` pads with blanks, which a regular expression sees unless the column is read as
/// text: the row must not be anonymised, and written to the ledger, again each night.
#[tokio::test]
async fn area_of_a_padded_column_is_found_done() {
    let cases = [
        ("'SE1 2AA'", Some("SE1")),
        ("'E1'", Some("E1")),
        ("'n22'", Some("N22")),
        ("'Dublin 2'", Some("")),
        ("NULL", None),
    ];
    assert_becomes("char(8)", "value = \"area\"", "value", &cases).await;
}

/// A date that no timestamp can hold fails by itself; the class is counted all the same.
#[tokio::test]
async fn a_date_beyond_timestamps_does_not_blind_the_survey() {
    let url = people("date").await;
    add(&url, 1, &["'294277-01-01'", "'1984-11-23'"]).await;
    let schedule = schedule("value = \"year\"");
    support::pass(&url, &schedule, support::at(DAY)).await;
    assert_eq!(
        values(&url, "value").await[1].as_deref(),
        Some("1984-01-01")
    );
    let plan = support::plan(&url, &schedule, support::at(DAY)).await;
    let mut conn = support::ours(&url).await;
    let counted = retentiond::survey::count(&mut conn, &plan).await.unwrap();
    assert_eq!(counted[0].counts.as_ref().unwrap().claimed, 2);
}
