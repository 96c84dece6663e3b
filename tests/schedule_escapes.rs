//! Every way out of a condition that we could think of, and what stays the same
//! however it is written.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use chrono::NaiveDate;
use proptest::prelude::*;
use retentiond::schedule::{self, Code, Condition, Limit, Period};

fn refused(text: &str) -> Code {
    match Condition::parse(text) {
        Ok(condition) => panic!("`{text}` was read as {condition}"),
        Err(error) => {
            if let Some(span) = error.span() {
                assert!(text.get(span.clone()).is_some(), "`{text}`: {span:?}");
            }
            error.code()
        }
    }
}

fn all_refused(code: Code, texts: &[&str]) {
    for text in texts {
        assert_eq!(refused(text), code, "`{text}`");
    }
}

fn text(condition: &str) -> String {
    match Condition::parse(condition) {
        Ok(condition) => condition.text(),
        Err(error) => panic!("`{condition}`: {error}"),
    }
}

#[test]
fn other_rows_and_tables_are_out_of_reach() {
    all_refused(
        Code::ConditionOtherRow,
        &[
            "id IN (SELECT id FROM other)",
            "id NOT IN (SELECT 1)",
            "EXISTS (SELECT 1 FROM other)",
            "NOT EXISTS (SELECT 1)",
            "(SELECT count(*) FROM other) = 0",
            "a = (SELECT 1)",
            "a = 1 OR (b = 2 AND EXISTS (SELECT 1))",
            "coalesce((SELECT true), false)",
            "other.closed_at IS NULL",
            "public.other.closed_at IS NULL",
            "\"other\".\"closed_at\" IS NULL",
            "a BETWEEN 1 AND (SELECT 2)",
            "a LIKE (SELECT 'x')",
            "CAST((SELECT 1) AS text) = '1'",
        ],
    );
}

#[test]
fn nothing_comes_after_the_expression() {
    all_refused(
        Code::ConditionConstruct,
        &[
            "a = 1; DELETE FROM t",
            "a = 1;",
            ";",
            "a = 1 -- and more",
            "a = 1 /* hidden */",
            "a /**/ = 1",
        ],
    );
    all_refused(
        Code::ConditionSyntax,
        &[
            "a = 1 b = 2",
            "a = 1 UNION SELECT 1",
            "a = 1 ORDER BY a",
            "a = 1 LIMIT 1",
            "a = 1) OR (b = 2",
            "a = 1 RETURNING *",
            "a = 1 AS b",
            "",
            " \t\r\n",
            "(",
            "()",
            "a =",
            "a = 'x",
            "\"a = 1",
            "SELECT 1",
            "DELETE FROM t",
            "1",
            "'x'",
            "NULL",
            "-1",
            "a = b = c",
            "a < b < c",
        ],
    );
}

#[test]
fn constants_have_one_form_each() {
    all_refused(
        Code::ConditionLiteral,
        &[
            "a = $$x$$",
            "a = $tag$x$tag$",
            r"a = E'\x27'",
            r"a = e'x\' OR TRUE --'",
            r"a = U&'\0027'",
            "a = N'x'",
            "a = B'101'",
            "a = X'1F'",
            "a = 0x1F",
            "a = 1_000",
            "a = 'x\0y'",
            "a LIKE 'x\0y'",
            "a LIKE 'x' ESCAPE '\0'",
            "j -> 'x\0y' IS NULL",
            "a = DATE '01/02/2026'",
            "a = DATE '2026-02-30'",
            "a = '1 January 2026'::date",
            "a = TIMESTAMP '2026-01-31 25:00:00'",
            "a = DATE ' 2026-01-31'",
            "a = text 'x'",
            "a = integer '1'",
        ],
    );
}

#[test]
fn the_clock_and_the_session_are_out_of_reach() {
    all_refused(
        Code::ConditionClock,
        &[
            "a < now()",
            "a < NOW()",
            "a < current_date",
            "a < CURRENT_TIMESTAMP",
            "a < localtime",
            "a < clock_timestamp()",
            "a < statement_timestamp()",
            "a < transaction_timestamp()",
            "timeofday() = a",
            "age(a) = b",
            "random() < 0.5",
            "current_user = 'x'",
            "session_user = a",
            "user = 'x'",
            "current_role = 'x'",
            "current_schema = 'x'",
            "current_schema() = 'x'",
            "current_catalog = 'x'",
            "current_setting('x') = 'y'",
            "pg_sleep(10) IS NULL",
            "a < 'now'",
            "a < ' NOW '",
            "a < 'today'",
            "a < 'today12:00'",
            "a < 'now_'",
            "a < 'yesterday'::date",
            "a < DATE 'tomorrow'",
            "a < TIMESTAMP 'now'",
            "CAST('Now' AS timestamptz) > a",
            "a IN ('2026-01-01', 'today')",
            "a BETWEEN 'yesterday' AND 'tomorrow'",
            "coalesce(a, 'now') < b",
        ],
    );
}

#[test]
fn the_word_now_cannot_be_put_together() {
    all_refused(
        Code::ConditionCast,
        &[
            "a < ('n' || 'ow')::date",
            "a < lower('NO' || 'W')::timestamptz",
            "a < replace('xow', 'x', 'n')::timestamp",
            "a < coalesce(b, 'n' || 'ow')::date",
            "a < ('n' || 'ow')::text::date",
            "a < left('nowhere', 3)::date",
        ],
    );
}

#[test]
fn only_functions_on_the_list_are_called() {
    all_refused(
        Code::ConditionFunction,
        &[
            "my_function(a)",
            "is_old(a)",
            "pg_catalog.lower(a) = 'x'",
            "public.lower(a) = 'x'",
            "pg_read_file('x') = a",
            "dblink('x', 'y')",
            "lo_import('x') = 1",
            "set_config('a', 'b', false) = 'b'",
            "nextval('s') = 1",
            "pg_terminate_backend(1)",
            "query_to_xml('x', true, true, '') IS NULL",
            "count(a) > 1",
            "max(a) = b",
            "to_regclass('x') IS NULL",
            "row_to_json(a) = b",
            "lower(a, b) = 'x'",
            "lower() = 'x'",
            "regexp_replace(a, 'b', 'c') = 'x'",
        ],
    );
    all_refused(
        Code::ConditionConstruct,
        &[
            "\"lower\"(a) = 'x'",
            "length(DISTINCT a) = 1",
            "length(*) = 1",
            "length(a ORDER BY b) = 1",
            "length(a) FILTER (WHERE b) = 1",
            "length(a) OVER (PARTITION BY b) = 1",
            "length(a) OVER w = 1",
        ],
    );
    for text in [
        "lower(VARIADIC a) = 'x'",
        "lower(x => a) = 'x'",
        "row_number() OVER () = 1",
    ] {
        refused(text);
    }
}

#[test]
fn only_plain_types_are_cast_to() {
    all_refused(
        Code::ConditionCast,
        &[
            "a::regclass = b",
            "'pg_class'::regclass = b",
            "a::regproc IS NULL",
            "a::regrole IS NULL",
            "a::oid = 1",
            "a::my_type = b",
            "a::public.text = b",
            "a::pg_catalog.text = b",
            "a::json IS NULL",
            "a::jsonb IS NULL",
            "a::bytea IS NULL",
            "a::xml IS NULL",
            "a::interval = b",
            "a::time = b",
            "a::varchar(3) = b",
            "a::numeric(3, 1) = b",
            "a::timestamp(0) = b",
            "a::name = b",
            "CAST(a AS regclass) = b",
            "regclass 'x' = a",
            "1::date = a",
        ],
    );
}

#[test]
fn other_constructs_are_refused_by_their_name() {
    for (text, found) in [
        ("a = $1", "a parameter"),
        ("a = :name", "a parameter"),
        ("a = ?", "a parameter"),
        ("a = @x", "a parameter"),
        ("CASE WHEN a THEN b ELSE c END", "CASE"),
        ("CASE WHEN (SELECT true) THEN b END", "CASE"),
        ("(a, b) = (1, 2)", "a row of several values"),
        ("ROW(a, b) IS NULL", "ROW"),
        ("(a, b) IN ((1, 2))", "a row of several values"),
        ("a AT TIME ZONE 'UTC' < b", "AT TIME ZONE"),
        ("a COLLATE \"C\" < b", "COLLATE"),
        ("a = ANY(ARRAY[1, 2])", "an array"),
        ("a = ANY(b)", "ANY or ALL"),
        ("a <> ALL(b)", "ANY or ALL"),
        ("a = ANY(ARRAY(SELECT 1))", "ANY or ALL"),
        ("ARRAY[a] IS NULL", "an array"),
        ("a[1] = 2", "an array"),
        ("a OPERATOR(pg_catalog.=) b", "OPERATOR"),
        ("a ~ 'x'", "`~`"),
        ("a !~* 'x'", "`!~*`"),
        ("a SIMILAR TO 'x'", "a regular expression"),
        ("a @> b", "`@>`"),
        ("a ? 'b'", "a parameter"),
        ("a #> b", "`#>`"),
        ("a #>> b IS NULL", "`#>>`"),
        ("a & b = 1", "`&`"),
        ("a | b = 1", "`|`"),
        ("a ^ b = 1", "`^`"),
        ("a << 1 = 1", "`<<`"),
        ("~a = 1", "`~`"),
        ("@a = 1", "a parameter"),
        ("!!a = 1", "`!!`"),
        ("|/a = 1", "`|/`"),
        ("a <-> b < 1", "`<->`"),
        ("INTERVAL '1 day' = a", "an interval"),
        ("extract(year FROM a) = 2020", "EXTRACT"),
        ("position('x' IN a) = 1", "POSITION"),
        ("overlay(a PLACING 'x' FROM 1) = 'x'", "OVERLAY"),
        ("a IS JSON", "this IS"),
        ("a IS OF (text)", ""),
        ("a IS DOCUMENT", ""),
        ("a IN ()", ""),
        ("a LIKE ANY ('x')", ""),
        (
            "a LIKE 'x' ESCAPE 'xx'",
            "an ESCAPE that is not one character",
        ),
        ("a LIKE 'x' ESCAPE b", ""),
        ("a -> b IS NULL", "a JSON key that is not a constant"),
        (
            "a ->> lower('B') IS NULL",
            "a JSON key that is not a constant",
        ),
        ("ctid = 'x'", "PostgreSQL's own column `ctid`"),
        ("\"xmin\" = 1", "PostgreSQL's own column `xmin`"),
        ("tableoid = 1", "PostgreSQL's own column `tableoid`"),
        ("* = 1", ""),
        ("t.* IS NULL", ""),
        ("a OVERLAPS b", ""),
        ("XMLEXISTS('x' PASSING a)", ""),
        ("GROUPING(a) = 1", ""),
        ("`a` = 1", ""),
        ("[a] = 1", "an array"),
        ("{fn lower(a)} = 'x'", "an array"),
        ("a = 1 \\g", ""),
        ("a := 1", ""),
        ("a => 1", ""),
        ("a::text[] = b", "an array"),
        ("U&\"a\" = 1", ""),
    ] {
        match Condition::parse(text) {
            Ok(condition) => panic!("`{text}` was read as {condition}"),
            Err(error) => {
                let message = error.to_string();
                let named = message.contains(found) || message.contains("not on the list");
                assert!(named, "`{text}`: {message}");
            }
        }
    }
}

#[test]
fn a_word_that_postgresql_reserves_is_at_most_a_column() {
    let sql = Condition::parse("a = DEFAULT").unwrap().sql("t");
    assert_eq!(sql, r#"(t."a" = t."default")"#);
}

#[test]
fn what_is_too_large_is_refused_and_overflows_no_stack() {
    all_refused(
        Code::ConditionTooLarge,
        &[
            &format!("{}a = 1{}", "(".repeat(60), ")".repeat(60)),
            &format!("{} > 1", vec!["a"; 300].join(" + ")),
            &format!("a = '{}'", "x".repeat(5_000)),
            &format!("a IN ({})", vec!["1"; 500].join(",")),
            &vec!["a"; 500].join(" AND "),
        ],
    );
    for text in [
        format!("{}a", "NOT ".repeat(700)),
        format!("a = {}1", "- ".repeat(700)),
        format!("{}a{}", "lower(".repeat(300), ")".repeat(300)),
        "(".repeat(3_999),
        ")".repeat(3_999),
        "a->".repeat(1_300),
    ] {
        refused(&text);
    }
    // A chain is one level, however long.
    assert!(Condition::parse(&vec!["a = 1"; 150].join(" AND ")).is_ok());
}

#[test]
fn names_fold_as_postgresql_folds_them() {
    let condition =
        Condition::parse("Closed_At IS NULL AND \"Closed_At\" IS NULL AND Ä = 1").unwrap();
    let columns: Vec<&str> = condition.columns().map(|column| column.as_str()).collect();
    assert_eq!(columns, ["Closed_At", "closed_at", "Ä"]);
}

#[test]
fn every_column_is_qualified_and_every_function_and_type_too() {
    let sql = |text: &str| Condition::parse(text).unwrap().sql("t");
    assert_eq!(
        sql("outcome = 'turned down' AND NOT (score < 3 OR \"Case\" IS NULL)"),
        r#"((t."outcome" = 'turned down') AND (NOT ((t."score" < 3) OR (t."Case" IS NULL))))"#
    );
    assert_eq!(
        sql("trim(lower(a)) = 'it''s' AND b::integer > -1"),
        r#"((pg_catalog."btrim"(pg_catalog."lower"(t."a")) = 'it''s') AND (CAST(t."b" AS pg_catalog.int4) > (- 1)))"#
    );
    assert_eq!(
        sql("\"a\"\" = 1; --\" IS TRUE"),
        r#"(t."a"" = 1; --" IS TRUE)"#
    );
    assert_eq!(
        sql(r"a = 'x\' AND b = '--'"),
        r#"((t."a" = 'x\') AND (t."b" = '--'))"#
    );
}

#[test]
fn the_reading_is_that_of_postgresql() {
    // Each pair was compared by PostgreSQL's own deparser.
    for (written, read) in [
        ("NOT a = 1 AND b", r#"((NOT ("a" = 1)) AND "b")"#),
        ("a OR b AND c", r#"("a" OR ("b" AND "c"))"#),
        ("a < 1 IS TRUE", r#"(("a" < 1) IS TRUE)"#),
        ("NOT a IS NULL", r#"(NOT ("a" IS NULL))"#),
        ("a || b = 'x'", r#"(("a" || "b") = 'x')"#),
        ("a LIKE b || '%'", r#"("a" LIKE ("b" || '%'))"#),
        ("- a + b * c > 0", r#"(((- "a") + ("b" * "c")) > 0)"#),
        ("-1::text = b", r#"((- CAST(1 AS text)) = "b")"#),
        (
            "a BETWEEN 1 AND 2 AND b",
            r#"(("a" BETWEEN 1 AND 2) AND "b")"#,
        ),
        (
            "j -> 'a' ->> 'b' = 'c'",
            r#"((("j" -> 'a') ->> 'b') = 'c')"#,
        ),
        ("a NOTNULL", r#"("a" IS NOT NULL)"#),
        ("a - b - c = 0", r#"((("a" - "b") - "c") = 0)"#),
    ] {
        assert_eq!(text(written), read);
    }
}

#[test]
fn layout_case_and_needless_parentheses_do_not_change_the_text() {
    for (one, other) in [
        ("a=1", "  ( a\n =  1 ) "),
        ("a is null", "A IS NULL"),
        ("a = 1 and b = 2 and c = 3", "a = 1 AND (b = 2 AND c = 3)"),
        ("a != 1", "a <> 1"),
        ("a::date = b", "CAST(a AS date) = b"),
        ("a = DATE '2026-01-31'", "a = '2026-01-31'::date"),
        ("a::int = 1", "a::int4 = 1"),
        ("trim(a) = ''", "btrim(a) = ''"),
        ("substring(a FROM 2 FOR 3) = ''", "substr(a, 2, 3) = ''"),
    ] {
        assert_eq!(text(one), text(other));
    }
    assert_ne!(text("a = 1 AND b = 2"), text("b = 2 AND a = 1"));
}

#[test]
fn a_text_with_the_word_now_can_still_be_meant() {
    assert_eq!(
        text("status LIKE 'now closed'"),
        r#"("status" LIKE 'now closed')"#
    );
    assert_eq!(text("j ->> 'now' = 'x'"), r#"(("j" ->> 'now') = 'x')"#);
    assert_eq!(text("status = 'known'"), r#"("status" = 'known')"#);
}

/// Conditions as people might write them, without regard to types.
fn conditions() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        "[a-z]{1,3}[0-9]".prop_map(|name| name),
        "\"[A-Za-z \"]{1,4}\""
            .prop_map(|name| format!("\"{}\"", name.trim_matches('"').replace('"', "\"\"") + "q")),
        "[a-mA-M'\\\\ -]{0,6}".prop_map(|text| format!("'{}'", text.replace('\'', "''"))),
        (0u32..1000).prop_map(|number| number.to_string()),
        (0u32..1000).prop_map(|number| format!("{number}.5e3")),
        Just("TRUE".to_owned()),
        Just("NULL".to_owned()),
        Just("DATE '2026-01-31'".to_owned()),
    ];
    atom.prop_recursive(5, 40, 4, |inner| {
        let two = (inner.clone(), inner.clone());
        let three = (inner.clone(), inner.clone(), inner.clone());
        prop_oneof![
            (two.clone(), "( AND | OR )").prop_map(|((a, b), op)| format!("{a}{op}{b}")),
            (two.clone(), "=|<>|<|>=|\\+|-|\\*|/|%|\\|\\|")
                .prop_map(|((a, b), op)| format!("({a}) {op} ({b})")),
            two.clone().prop_map(|(a, b)| format!("({a}) LIKE ({b})")),
            two.prop_map(|(a, b)| format!("({a}) IS DISTINCT FROM ({b})")),
            three
                .clone()
                .prop_map(|(a, b, c)| format!("({a}) NOT BETWEEN ({b}) AND ({c})")),
            three.prop_map(|(a, b, c)| format!("({a}) IN ({b}, {c})")),
            inner.clone().prop_map(|a| format!("NOT {a}")),
            inner.clone().prop_map(|a| format!("-({a})")),
            inner.clone().prop_map(|a| format!("({a}) IS NOT TRUE")),
            inner.clone().prop_map(|a| format!("({a})::text")),
            inner.prop_map(|a| format!("coalesce({a}, lower({a}))")),
        ]
    })
}

fn periods() -> impl Strategy<Value = Period> {
    (0u32..600, 0u32..1000).prop_filter_map("nothing at all", |(months, days)| {
        Period::parse(&format!("{months} months {days} days")).ok()
    })
}

fn dates() -> impl Strategy<Value = NaiveDate> {
    (1900i32..2200, 1u32..=366).prop_filter_map("no such day", |(year, day)| {
        NaiveDate::from_yo_opt(year, day)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn printed_periods_read_back(period in periods()) {
        prop_assert_eq!(Period::parse(&period.to_string()), Ok(period));
    }

    #[test]
    fn cutoff_and_last_day_say_the_same(period in periods(), trigger in dates(), today in dates()) {
        let last_day = period.last_day(trigger).unwrap();
        let minimum = period.cutoff(today, Limit::Minimum).unwrap().date();
        let maximum = period.cutoff(today, Limit::Maximum).unwrap().date();
        prop_assert_eq!(trigger < minimum, last_day < today);
        prop_assert_eq!(trigger < maximum, last_day <= today);
    }

    #[test]
    fn printed_conditions_read_back(text in conditions()) {
        // What is refused for its depth or its shape is not asked.
        let condition = Condition::parse(&text);
        prop_assume!(condition.is_ok());
        let condition = condition.unwrap();
        let again = Condition::parse(&condition.text());
        prop_assert_eq!(again, Ok(condition));
    }

    #[test]
    fn no_text_makes_a_condition_panic(text in "(?s).{0,60}") {
        let _ = Condition::parse(&text);
    }

    #[test]
    fn no_words_of_sql_make_a_condition_panic(words in prop::collection::vec(
        prop::sample::select(vec![
            "a", "b", "(", ")", "'x'", "1", "AND", "OR", "NOT", "IN", "IS", "NULL", "CASE", "WHEN",
            "SELECT", "FROM", "::", "text", "date", ",", ".", "*", "-", "->", "[", "]", "LIKE",
            "BETWEEN", "CAST", "AS", "trim", "BOTH", "substring", "FOR", "EXISTS", "ANY", "é", "\"",
            "'", "\n", "$1", "ROW", "ARRAY", "INTERVAL", "OVER", "=", "<>", "E'", "U&'",
        ]), 0..25)
    ) {
        let _ = Condition::parse(&words.join(" "));
    }

    #[test]
    fn no_text_makes_a_period_or_a_timetable_panic(text in "(?s).{0,30}", cron in "[-0-9*/, a-z]{0,30}") {
        let _ = Period::parse(&text);
        let _ = Period::parse(&format!("P{text}"));
        let _ = schedule::Timetable::parse(&text);
        let _ = schedule::Timetable::parse(&cron);
    }
}
