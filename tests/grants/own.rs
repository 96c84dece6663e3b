//! Our own schema: a decision about everything in it, and what nobody may do.

use retentiond::catalog::{self, OwnSort};
use retentiond::grants::{Role, decided};
use sqlx::Connection;

use crate::house::House;
use crate::support;

#[tokio::test]
async fn somebody_decided_about_every_table_sequence_and_function_of_ours() {
    let url = support::migrated().await;
    let mut conn = support::client(&url).await;
    let own = catalog::own(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    // What there is, asked in other words.
    let tables = support::number(
        &url,
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'retentiond'",
    )
    .await;
    let functions = support::number(
        &url,
        "SELECT count(DISTINCT routine_name) FROM information_schema.routines WHERE routine_schema = 'retentiond'",
    )
    .await;
    let of = |sort| own.iter().filter(|own| own.sort == sort).count() as i64;
    assert_eq!(
        (of(OwnSort::Table), of(OwnSort::Function)),
        (tables, functions)
    );
    let undecided: Vec<&str> = own
        .iter()
        .filter(|own| decided(own.sort, own.name.as_str()).is_none())
        .map(|own| own.name.as_str())
        .collect();
    assert_eq!(
        undecided, [""; 0],
        "decide in src/grants/own.rs what each role may do with these"
    );
}

#[test]
fn whatever_is_of_the_ledger_is_appended_to_and_nothing_else() {
    for name in ["ledger_entry", "ledger_seal", "ledger_not_invented_yet"] {
        let decision = decided(OwnSort::Table, name).unwrap();
        assert_eq!(
            Role::ALL.map(|role| decision.of(role)),
            ["SELECT", "SELECT, INSERT", "SELECT, INSERT", ""]
        );
    }
    assert_eq!(decided(OwnSort::Table, "not_invented_yet"), None);
    assert_eq!(decided(OwnSort::Function, "ledger_not_invented_yet"), None);
}

/// Tables on which a role may do anything of `privileges`, whole or by a column.
async fn may(house: &House, role: &str, schema: &str, privileges: &str) -> Vec<String> {
    support::texts(
        &house.url,
        &format!(
            "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              CROSS JOIN unnest(string_to_array('{privileges}', ',')) AS p (privilege)
              WHERE n.nspname {schema} AND c.relkind IN ('r', 'p')
                AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
                AND (has_table_privilege('{0}_{role}', c.oid, p.privilege)
                     OR p.privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
                        AND has_any_column_privilege('{0}_{role}', c.oid, p.privilege))
              GROUP BY 1 ORDER BY 1",
            house.prefix
        ),
    )
    .await
}

#[tokio::test]
async fn nobody_changes_the_ledger_and_each_role_keeps_to_its_own() {
    let house = House::new("keeps").await;
    let change = "UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER";
    let everything = "SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER";
    for role in ["reader", "enforcer", "console", "maintainer"] {
        let ledger: Vec<String> = may(&house, role, "= 'retentiond'", change)
            .await
            .into_iter()
            .filter(|name| name.starts_with("ledger_"))
            .collect();
        assert_eq!(ledger, [""; 0], "{role}");
    }
    let any = "INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER";
    assert_eq!(may(&house, "reader", "IS NOT NULL", any).await, [""; 0]);
    assert_eq!(
        may(&house, "console", "<> 'retentiond'", any).await,
        [""; 0]
    );
    assert_eq!(
        may(&house, "console", "= 'retentiond'", any).await,
        [
            "acceptance",
            "approval",
            "decision_epoch",
            "erasure",
            "handed_on",
            "hold",
            "instruction",
            "ledger_entry",
            "ledger_manifest",
            "ledger_seal",
            "limit_lift",
            "operator",
            "pause",
            "processor_order",
            "review",
            "schedule_version",
            "unsealed",
        ]
    );
    assert_eq!(
        may(&house, "maintainer", "IS NOT NULL", everything).await,
        [""; 0]
    );
    // It notes that the end of a hold is over; below, what else it may not.
    let more = "INSERT,DELETE,TRUNCATE,REFERENCES,TRIGGER";
    let decided = may(&house, "enforcer", "= 'retentiond'", more).await;
    for table in [
        "hold",
        "review",
        "approval",
        "instruction",
        "pause",
        "operator",
    ] {
        assert!(!decided.contains(&table.to_owned()), "{table}");
    }

    // The same, tried. 42501: insufficient privilege.
    let refused = Some("42501".to_owned());
    for role in ["reader", "enforcer", "console", "maintainer"] {
        for sql in [
            "UPDATE retentiond.ledger_entry SET action = 'x'",
            "DELETE FROM retentiond.ledger_entry",
            "TRUNCATE retentiond.ledger_entry",
            "DELETE FROM retentiond.ledger_manifest",
            "TRUNCATE retentiond.ledger_manifest_2026",
        ] {
            assert_eq!(house.refuses(role, sql).await, refused, "{role}: {sql}");
        }
    }
    let place = "INSERT INTO retentiond.hold (table_name, key, kind, reference, reason, owner, placed_by, placed_at)
                 VALUES ('public.media', '{1}', 'other', 'x', 'x', 'x', 'x', now())";
    let release =
        "UPDATE retentiond.hold SET released_by = 'x', released_at = now(), release_reason = 'x'";
    for (role, answer) in [
        ("reader", &refused),
        ("enforcer", &refused),
        ("console", &None),
        ("maintainer", &refused),
    ] {
        assert_eq!(&house.refuses(role, place).await, answer, "{role}");
        assert_eq!(&house.refuses(role, release).await, answer, "{role}");
    }
    // A pass tells a processor; its answer is a person's to record.
    let tell = "INSERT INTO retentiond.processor_order (class_id, organisation, title, processor, authority, schedule_digest,
                    past_from, tolerance, issued_on, issued_at, answer_by, salt)
                VALUES ('x', 'x', 'x', 'x', 'x', '', now(), 0, now(), now(), now(), '')";
    let confirm = "UPDATE retentiond.processor_order SET confirmed_by = 'x', reference = 'x', recorded_by = 'x',
                       confirmed_at = now(), confirmed_on = now(), confirmation_salt = ''";
    let rewrite = "UPDATE retentiond.processor_order SET answer_by = now()";
    for (role, [telling, confirming]) in [
        ("reader", [&refused, &refused]),
        ("enforcer", [&None, &refused]),
        ("console", [&refused, &None]),
        ("maintainer", [&refused, &refused]),
    ] {
        assert_eq!(&house.refuses(role, tell).await, telling, "{role}");
        assert_eq!(&house.refuses(role, confirm).await, confirming, "{role}");
        assert_eq!(house.refuses(role, rewrite).await, refused, "{role}");
    }
    for role in ["reader", "console"] {
        for sql in [
            "DELETE FROM public.media",
            "UPDATE public.applicant SET email = NULL",
            "SELECT 1 FROM public.media FOR UPDATE",
        ] {
            assert_eq!(house.refuses(role, sql).await, refused, "{role}: {sql}");
        }
    }
}
