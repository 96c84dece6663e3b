//! A backup is restored, and the log says what happened since.

use std::collections::BTreeMap;

use retentiond::daemon::tick::TickError;
use retentiond::ledger::audit::Verdict;
use retentiond::ledger::publish::LogError;
use serde_json::json;

use crate::command::Desk;
use crate::support;
use crate::world::{OFFICE, World, anonymised, deleted};

fn desk(world: &World) -> Desk {
    let state = world.state.path().display().to_string();
    Desk::with(&world.url, OFFICE).set("RETENTIOND__STATE__DIRECTORY", &state)
}

#[tokio::test]
async fn what_a_backup_lacks_comes_back_and_goes_again() {
    let world = World::lived_on().await;
    let (note, published) = world.folder().await.checkpoint().unwrap().unwrap();
    let before = world.bytes(published.size).await;
    let runs = support::number(&world.url, "SELECT max(run_id) FROM retentiond.run").await;
    world.restore().await;
    assert_eq!(world.letters().await, ["3", "4", "5", "6", "7", "9"]);
    // The restored sequence gives the number of letter 8, which is gone, to another's letter.
    support::sql(
        &world.url,
        "INSERT INTO letter (closed_on, sender) VALUES ('2019-05-05', 'Eve Quill')",
    )
    .await;

    // Nothing acts, and nothing is written.
    let entries = "SELECT count(*) FROM retentiond.ledger_entry";
    let had = support::number(&world.url, entries).await;
    let refused = world.pass("2021-06-09").await.unwrap_err();
    assert!(
        matches!(&refused, TickError::Log(LogError::Behind { published: to, .. }) if *to == published.size),
        "{refused}"
    );
    let desk = desk(&world);
    assert_eq!(desk.run("run").code, 3);
    let looked = desk.run("ledger verify");
    assert!(looked.out.starts_with("TRUNCATED"), "{looked}");
    assert_eq!(desk.run("ledger replay --dry-run").code, 0);
    let unasked = desk.run("ledger replay");
    assert_eq!(unasked.code, 2, "{unasked}");
    assert_eq!(support::number(&world.url, entries).await, had);
    assert_eq!(world.letters().await.len(), 7);

    let (code, answer) = desk.json("ledger replay --yes --keys");
    let answer = &answer["replay"];
    assert_eq!(code, 3, "{answer}");
    assert_eq!(answer["outcome"], "replayed");
    assert_eq!(answer["to"], published.size);
    assert_eq!(answer["holds"], json!([{ "was": 2, "hold": 2 }]));
    assert_eq!(answer["released"], json!([1]));
    assert_eq!(answer["accept_again"], false);
    assert_eq!(
        answer["records"],
        json!([
            { "class": "letters", "table": "public.letter", "gone": 0, "back": { "another": 1, "due": 4 } },
            { "class": "letters", "table": "public.page", "gone": 0, "back": { "due": 2 } },
            { "class": "people", "table": "public.person", "gone": 0, "back": { "due": 3 } },
        ])
    );
    assert_eq!(
        answer["listed"],
        json!([{ "class": "letters", "table": "public.letter", "key": { "id": 8 },
                 "trigger": "2012-02-02", "state": "another", "settled": false }])
    );

    // The log is the one that was published, byte for byte, and goes on.
    assert_eq!(world.bytes(published.size).await, before);
    let found = world.verify(&note).await;
    assert_eq!(
        (found.verdict, found.anchored),
        (Verdict::Ok, true),
        "{found:?}"
    );
    assert_eq!(
        found.size,
        published.size + 2,
        "what was imported, what was found"
    );
    let after = world.folder().await.checkpoint().unwrap().unwrap().1;
    assert_eq!((after.size, after.root), (found.size, found.root));

    // What was gone goes again, by the ordinary pass; the hold of after the backup binds.
    let again = world.pass("2021-06-09").await.unwrap();
    assert_eq!((deleted(&again), anonymised(&again)), (4, 3));
    assert!(again.id > runs, "a pass's number is not given again");
    assert_eq!(world.letters().await, ["7", "8", "9"]);
    let left = "SELECT (SELECT count(*) FROM page) + (SELECT count(name) FROM person)";
    assert_eq!(support::number(&world.url, left).await, 0);
    let held = support::texts(
        &world.url,
        "SELECT concat_ws(' ', table_name, key, kind, owner) FROM retentiond.hold WHERE released_at IS NULL",
    )
    .await;
    assert_eq!(
        held,
        ["public.letter {9} litigation restored from the ledger"]
    );

    // Asked again, it says how things stand, and writes nothing.
    let size = support::number(&world.url, entries).await;
    let (code, answer) = desk.json("ledger replay");
    assert_eq!(
        (code, answer["replay"]["for_a_person"].as_u64()),
        (3, Some(1))
    );
    assert_eq!(
        answer["replay"]["records"],
        json!([
            { "class": "letters", "table": "public.letter", "gone": 4, "back": { "another": 1 } },
            { "class": "letters", "table": "public.page", "gone": 2, "back": {} },
            { "class": "people", "table": "public.person", "gone": 0, "back": { "anonymised": 3 } },
        ])
    );
    assert_eq!(support::number(&world.url, entries).await, size);
}

#[tokio::test]
async fn a_pass_straight_after_the_import_finds_every_hold() {
    let world = World::lived_on().await;
    world.restore().await;
    let look = world.look(None).await.unwrap();
    assert!(look.behind());
    let imported = world.import(&look, false).await.unwrap();
    // Killed here, before anything was compared; and somebody makes a pass.
    let pass = world.pass("2021-06-09").await.unwrap();
    assert_eq!((deleted(&pass), anonymised(&pass)), (4, 3));
    assert_eq!(world.letters().await, ["7", "9"]);
    // Replay finishes: it compares, says so once, and publishes.
    let stages = "SELECT count(*) FROM retentiond.ledger_entry WHERE action = 'replayed'";
    for _ in 0..2 {
        let look = world.look(None).await.unwrap();
        assert!(!look.behind());
        assert_eq!(
            (look.last.unwrap().0, look.last.unwrap().1),
            (imported.from, imported.to)
        );
        let said = desk(&world).run("ledger replay");
        assert_eq!(said.code, 0, "{said}");
        assert_eq!(support::number(&world.url, stages).await, 2);
    }
}

#[tokio::test]
async fn a_record_that_is_held_now_stays_and_is_listed() {
    let world = World::lived_on().await;
    world.restore().await;
    let look = world.look(None).await.unwrap();
    let imported = world.import(&look, false).await.unwrap();
    support::hold(&world.url, "letter", &["4"], None).await;
    let found = world.compare(imported.from, imported.to).await;
    let letters = found
        .groups
        .iter()
        .find(|group| group.table == "public.letter");
    assert_eq!(
        letters.unwrap().back,
        BTreeMap::from([("due", 3), ("held", 1)])
    );
    assert_eq!(letters.unwrap().gone, 1, "letter 8 was never in the backup");
    let listed: Vec<String> = found
        .listed
        .iter()
        .map(|record| format!("{} {} {}", record.table, record.key, record.state))
        .collect();
    assert_eq!(
        listed,
        [
            r#"public.letter {"id":4} held"#,
            r#"public.page {"id":4} held"#
        ]
    );
    world.pass("2021-06-09").await.unwrap();
    assert_eq!(world.letters().await, ["4", "7", "9"]);
}

#[tokio::test]
async fn where_an_accepted_schedule_is_lost_nothing_acts_until_one_is_accepted_again() {
    let mut world = World::begun().await;
    world.back_up().await;
    let shorter = OFFICE.replace("8 years", "7 years");
    world.pass_by(&shorter, "2021-06-01").await.unwrap();
    world.restore().await;
    let look = world.look(None).await.unwrap();
    let imported = world.import(&look, false).await.unwrap();
    assert!(imported.decisions.accept_again);
    for schedule in [OFFICE, &shorter] {
        let refused = world.pass_by(schedule, "2021-06-09").await.unwrap_err();
        assert!(matches!(refused, TickError::AcceptAgain(_)), "{refused}");
    }
    assert_eq!(world.letters().await.len(), 6);
    let desk = desk(&world);
    let refused = desk.run("run");
    assert_eq!(refused.code, 3);
    assert!(refused.err.contains("R0418"), "{refused}");
    let digest = desk.json("plan").1["plan"]["schedule"]
        .as_str()
        .unwrap()
        .to_owned();
    let accepted = desk.run_words(&["accept", &digest, "--reason", "after the restore"]);
    assert_eq!(accepted.code, 0, "{accepted}");
    world.pass("2021-06-09").await.unwrap();
    assert_eq!(world.letters().await, ["7"]);
}

#[tokio::test]
async fn an_accepted_schedule_whose_text_is_there_is_in_force_again() {
    let mut world = World::begun().await;
    let longer = OFFICE.replace("1 year", "2 years");
    world.pass_by(&longer, "2018-02-02").await.unwrap();
    world.back_up().await;
    world.pass("2018-02-03").await.unwrap();
    world.restore().await;
    let look = world.look(None).await.unwrap();
    let imported = world.import(&look, false).await.unwrap();
    assert!(!imported.decisions.accept_again);
    let in_force = "SELECT encode(digest, 'hex') FROM retentiond.acceptance ORDER BY acceptance_id DESC LIMIT 1";
    let digest = hex::encode(support::schedule(OFFICE).digest());
    assert_eq!(support::texts(&world.url, in_force).await, [digest]);
}

#[tokio::test]
async fn a_database_that_moved_whole_goes_on_and_says_so() {
    let mut world = World::begun().await;
    assert!(world.told.lock().unwrap().is_empty());
    let cluster = world.folder().await.cluster().unwrap().unwrap();
    let oid = support::texts(
        &world.url,
        "SELECT oid::text FROM pg_database WHERE datname = current_database()",
    )
    .await;
    assert!(
        cluster.ends_with(&format!("\ndatabase {}\n", oid[0])),
        "{cluster}"
    );
    world.back_up().await;
    world.restore().await;
    world.pass("2018-02-02").await.unwrap();
    world.pass("2018-02-03").await.unwrap();
    assert_eq!(
        *world.told.lock().unwrap(),
        ["another database of the same server"],
        "once"
    );
}

#[tokio::test]
async fn a_replica_that_took_over_too_early_is_noticed_on_the_next_connection() {
    let mut world = World::begun().await;
    world.back_up().await;
    world.pass("2018-02-02").await.unwrap();
    // A copy that lacks the last entries stands for it, between two passes of one service.
    world.restore().await;
    let refused = world.pass("2018-02-03").await.unwrap_err();
    assert!(
        matches!(&refused, TickError::Log(error) if error.is_interlock()),
        "{refused}"
    );
}

/// The log does not name whom a request was about. By its hash the pass knows whom the backup has
/// brought back.
#[tokio::test]
async fn a_request_for_erasure_that_a_backup_lacks_is_known_by_its_tombstone() {
    let mut world = World::begun().await;
    world.back_up().await;
    let desk = desk(&world);
    let line = [
        "subject",
        "erase",
        "Bel Quill",
        "--basis",
        "Art. 17",
        "--reference",
        "SR-1",
        "--received",
        "2018-02-02",
        "--yes",
    ];
    let said = desk.run_words(&line);
    assert_eq!(said.code, 0, "{said}");
    let pass = world.pass("2018-02-02").await.unwrap();
    assert_eq!((deleted(&pass), pass.returned), (1, 0));
    world.restore().await;
    assert_eq!(world.letters().await, ["3", "4", "5", "6", "7", "9"]);
    let said = desk.run("ledger replay --yes");
    assert!(said.code == 0 || said.code == 3, "{said}");
    let pass = world.pass("2018-02-03").await.unwrap();
    assert_eq!((deleted(&pass), pass.returned), (0, 1));
    // Who has the request asks again, and the person is gone again.
    assert_eq!(desk.run_words(&line).code, 0);
    let pass = world.pass("2018-02-04").await.unwrap();
    assert_eq!((deleted(&pass), pass.returned), (1, 0));
    assert_eq!(world.letters().await, ["3", "4", "5", "6", "7"]);
}
