//! A session that is terminated at one step of a batch after the other.

use retentiond::store;

use crate::stage::{self, blocked, meddler};
use crate::support;
use crate::world::{self, SQL, TABLES, assert_agrees, assert_ends};

/// What keeps the pass waiting, from the first statement of a batch to its last, and in
/// the removal of files.
const STEPS: [&str; 14] = [
    store::DECISIONS_EXCLUSIVE,
    "LOCK TABLE retentiond.lease IN EXCLUSIVE MODE",
    "SELECT 1 FROM message WHERE id = 1 FOR UPDATE",
    "SELECT 1 FROM letter WHERE id = 1 FOR UPDATE",
    "SELECT 1 FROM attachment WHERE id = 12 FOR UPDATE",
    "SELECT 1 FROM applicant WHERE id = 1 FOR UPDATE",
    "SELECT 1 FROM photo WHERE id = 1 FOR UPDATE",
    "SELECT 1 FROM form WHERE id = 2 FOR UPDATE",
    "LOCK TABLE retentiond.ledger_entry IN SHARE MODE",
    "LOCK TABLE retentiond.ledger_manifest IN SHARE MODE",
    "LOCK TABLE retentiond.position IN SHARE MODE",
    "LOCK TABLE retentiond.class_state IN SHARE MODE",
    "LOCK TABLE retentiond.file_work IN SHARE MODE",
    "LOCK TABLE retentiond.run IN SHARE MODE",
];

#[tokio::test]
async fn a_terminated_session_has_done_its_last_batch_whole_or_not_at_all() {
    for step in STEPS {
        let url = stage::database(SQL).await;
        let folder = tempfile::tempdir().unwrap();
        world::files(&url, folder.path()).await;
        let before = stage::rows(&url, &TABLES).await;
        let mut other = meddler(&url, step).await;
        let run = world::pass(&url, folder.path()).batches_of(50);
        let (ended, ()) = tokio::join!(run.try_go(), async {
            blocked(&url, 1).await;
            let ours = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name LIKE 'retentiond%'";
            assert_eq!(support::number(&url, ours).await, 1);
            stage::run(&mut other, "ROLLBACK").await;
        });
        assert!(ended.is_err(), "{step}");
        assert_agrees(&url, &before, folder.path(), step).await;
        assert_ends(&url, &before, folder.path()).await;
    }
}
