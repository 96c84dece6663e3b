//! Whether an anonymisation would break a constraint is asked of PostgreSQL, and what it
//! answers is what an UPDATE of the same rows would meet.

use sqlx::{AssertSqlSafe, Connection};

use crate::{LETTER, anonymises, check, class, codes, database, support};

/// Each constraint with strategies, and whether an `UPDATE` as a person would write it
/// fails on some claimed row.
const TRIALS: [(&str, &str, &str); 8] = [
    (
        "CHECK (length(sender) > 10)",
        "sender = \"redact\"",
        "sender = '[redacted]'",
    ),
    (
        "CHECK (length(sender) > 9)",
        "sender = \"redact\"",
        "sender = '[redacted]'",
    ),
    (
        "CHECK (born > '1980-02-01')",
        "born = \"year\"",
        "born = date_trunc('year', born)",
    ),
    (
        "CHECK (born >= '1980-01-01')",
        "born = \"year\"",
        "born = date_trunc('year', born)",
    ),
    (
        "CHECK (sender IS NOT NULL)",
        "sender = \"null\"",
        "sender = NULL",
    ),
    ("CHECK (sender <> '')", "sender = \"null\"", "sender = NULL"),
    (
        "CHECK (num_nonnulls(sender, born) > 0)",
        "sender = \"null\", born = \"null\"",
        "sender = NULL, born = NULL",
    ),
    (
        "CHECK (num_nonnulls(sender, born) > 0)",
        "sender = \"null\", born = \"month\"",
        "sender = NULL, born = date_trunc('month', born)",
    ),
];

#[tokio::test]
async fn check_agrees_with_an_update_that_is_rolled_back() {
    let mut outcomes = [0, 0];
    for (constraint, strategies, set) in TRIALS {
        let sql = format!("{LETTER} ALTER TABLE letter ADD CONSTRAINT trial {constraint}");
        let (url, _) = database(&sql, "").await;
        let (text, found) = check(&url, &class(&anonymises(strategies)));
        let mut conn = support::client(&url).await;
        let mut transaction = conn.begin().await.unwrap();
        let tried = sqlx::query(AssertSqlSafe(format!("UPDATE letter SET {set}")))
            .execute(&mut *transaction)
            .await;
        transaction.rollback().await.unwrap();
        assert_eq!(
            codes(&found).contains("R0312"),
            tried.is_err(),
            "{constraint}\n{text}"
        );
        outcomes[usize::from(tried.is_err())] += 1;
    }
    assert_eq!(outcomes, [4, 4]);
}

#[tokio::test]
async fn only_the_rows_that_the_class_claims_are_asked() {
    let sql = format!("{LETTER} UPDATE letter SET kind = 'b' WHERE id = 3;
        ALTER TABLE letter ADD CONSTRAINT redacted_or_b CHECK (sender <> '[redacted]' OR kind = 'b')");
    let (url, _) = database(&sql, "").await;
    let only = |kind: &str| {
        let rest = anonymises("sender = \"redact\"");
        check(
            &url,
            &class(&format!("where = \"kind = '{kind}'\"\n{rest}")),
        )
    };
    // Those that it does not claim are told too, by R0381.
    let (text, found) = only("b");
    assert!(!codes(&found).contains("R0312"), "{text}");
    let (_, mut found) = only("a");
    found.retain(|item| item["code"] == "R0312");
    assert_eq!(
        found[0]["message"],
        "class `letters`: the anonymisation of `public.letter` cannot be done: \
         the constraint `redacted_or_b` would refuse 2 records that are there today"
    );
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM letter WHERE sender LIKE 'Ada%'").await,
        3
    );
}

#[tokio::test]
async fn a_row_that_breaks_a_constraint_which_was_not_validated_could_not_be_updated() {
    let sql = format!(
        "{LETTER} ALTER TABLE letter ADD CONSTRAINT new_kinds CHECK (kind <> 'a') NOT VALID"
    );
    let (url, _) = database(&sql, "").await;
    let (text, found) = check(&url, &class(&anonymises("sender = \"redact\"")));
    assert_eq!(
        codes(&found).into_iter().collect::<Vec<_>>(),
        ["R0312"],
        "{text}"
    );
}

#[tokio::test]
async fn a_domain_that_refuses_null_is_known() {
    let sql = "CREATE DOMAIN given AS text NOT NULL;
        ALTER TABLE letter ALTER sender TYPE given";
    let (url, _) = database(&format!("{LETTER}{sql}"), "").await;
    let (text, found) = check(&url, &class(&anonymises("sender = \"null\"")));
    assert_eq!(
        codes(&found).into_iter().collect::<Vec<_>>(),
        ["R0312"],
        "{text}"
    );
}

#[tokio::test]
async fn a_constraint_that_writes_is_not_let() {
    let sql = "CREATE TABLE seen (at text);
        CREATE FUNCTION note(text) RETURNS boolean LANGUAGE plpgsql AS
            'BEGIN INSERT INTO seen VALUES ($1); RETURN true; END';
        ALTER TABLE letter ADD CONSTRAINT noted CHECK (note(sender));
        TRUNCATE seen;";
    let (url, _) = database(&format!("{LETTER}{sql}"), "").await;
    let (text, found) = check(&url, &class(&anonymises("sender = \"redact\"")));
    assert_eq!(
        codes(&found).into_iter().collect::<Vec<_>>(),
        ["R0374"],
        "{text}"
    );
    assert_eq!(support::number(&url, "SELECT count(*) FROM seen").await, 0);
}
