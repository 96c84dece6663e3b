//! A foreign key that somebody adds after the plan: what it would take along is not in any
//! statement of the plan.

use retentiond::enforce::Status;

use crate::house::{TABLES, TODAY, left_and, open, schedule};
use crate::stage::{self, Run, any, of};
use crate::support;

#[tokio::test]
async fn a_key_added_after_the_plan_refuses_the_class_before_anything_cascades() {
    for (target, class, stays) in [
        ("message", "messages", &["message 1", "message 2"][..]),
        (
            "letter",
            "letters",
            &[
                "letter 1",
                "letter 2",
                "attachment 11",
                "attachment 21",
                "page 111",
                "page 211",
            ][..],
        ),
        (
            "page",
            "letters",
            &[
                "letter 1",
                "letter 2",
                "attachment 11",
                "attachment 21",
                "page 111",
                "page 211",
            ][..],
        ),
    ] {
        for action in ["CASCADE", "SET NULL", "NO ACTION"] {
            let url = open().await;
            support::sql(&url, "CREATE TABLE late (id bigint PRIMARY KEY, of bigint)").await;
            let run = Run::new(&url, &schedule(), TODAY).planned().await;
            support::sql(
                &url,
                &format!(
                    "INSERT INTO late SELECT id, id FROM {target};
                     ALTER TABLE late ADD FOREIGN KEY (of) REFERENCES {target} ON DELETE {action}"
                ),
            )
            .await;
            let mut tables = TABLES.to_vec();
            tables.push("late");
            let before = stage::rows(&url, &tables).await;
            let report = run.go().await;
            stage::assert_told(&url, &before, &tables).await;
            let refused = any(&report, class);
            let reason = refused.reason.clone().unwrap_or_default();
            // Where the key blocks, each row fails by itself, until the next plan.
            let expected = if action == "NO ACTION" {
                Status::Done
            } else {
                Status::Refused
            };
            assert_eq!(refused.status, expected, "{target} {action}: {reason}");
            if expected == Status::Refused {
                assert!(reason.contains("R0305"), "{reason}");
            } else {
                assert_eq!(refused.failed, 2, "{target} {action}");
            }
            let now = stage::names(&stage::rows(&url, &TABLES).await);
            assert_eq!(now, left_and(stays), "{target} {action}");
            assert_eq!(of(&report, "photos").deleted, 3);
        }
    }
}
