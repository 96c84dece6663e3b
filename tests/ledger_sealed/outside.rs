//! An export verifies with a public key and a checkpoint, and nothing else.

use retentiond::ledger::audit::{Trust, Verdict, Verification};
use retentiond::ledger::publish::verify_export;
use retentiond::ledger::store::{self, ExportFormat, Filter};

use crate::world::{self, World};

async fn exported(world: &mut World, filter: &Filter) -> String {
    let mut out = Vec::new();
    store::export(&mut world.conn, filter, ExportFormat::JsonLines, &mut out)
        .await
        .unwrap();
    String::from_utf8(out).unwrap()
}

fn verified(text: &str, trust: &Trust) -> Verification {
    verify_export(std::path::Path::new("export.jsonl"), text.as_bytes(), trust).unwrap()
}

#[tokio::test]
async fn a_whole_export_is_held_against_the_checkpoint() {
    let mut world = World::with(9).await;
    let kept = world.publish().await;
    let trust = world.trust(&[&kept]).await;
    let text = exported(&mut world, &Filter::default()).await;
    let found = verified(&text, &trust);
    assert_eq!(
        (found.verdict, found.anchored, found.size, found.records),
        (Verdict::Ok, true, 9, 8),
        "{found:?}"
    );
    for (what, changed, verdict) in [
        (
            "a record's day",
            text.replacen("2015-03-21", "2015-03-22", 1),
            Verdict::Tampered,
        ),
        (
            "a record's key",
            text.replacen("\"id\":20", "\"id\":21", 1),
            Verdict::Tampered,
        ),
        (
            "an entry's bytes",
            text.replacen("00000000000000050208", "00000000000000090208", 1),
            Verdict::Tampered,
        ),
        (
            "the last line",
            text.lines()
                .take(8)
                .map(|line| format!("{line}\n"))
                .collect(),
            Verdict::Truncated,
        ),
        (
            "a middle line",
            text.lines()
                .enumerate()
                .filter(|(i, _)| *i != 4)
                .map(|(_, line)| format!("{line}\n"))
                .collect(),
            Verdict::Tampered,
        ),
    ] {
        assert_ne!(changed, text, "{what}");
        let found = verified(&changed, &trust);
        assert!(
            found.verdict == verdict
                || (what == "an entry's bytes" && found.verdict == Verdict::Forked),
            "{what}: {found:?}"
        );
    }
    // Not all of it: what it leaves out is not there.
    let some = Filter {
        limit: Some(3),
        ..Filter::default()
    };
    let text = exported(&mut world, &some).await;
    assert_eq!(verified(&text, &trust).verdict, Verdict::Truncated);
    // Entries after the last checkpoint are counted.
    world::append(&mut world.conn, 1).await;
    let text = exported(&mut world, &Filter::default()).await;
    let found = verified(&text, &trust);
    assert_eq!((found.verdict, found.unsealed), (Verdict::Ok, 1));
}

#[tokio::test]
async fn a_line_that_is_none_is_named() {
    let error = verify_export(
        std::path::Path::new("export.jsonl"),
        "{}\n".as_bytes(),
        &Trust::default(),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 1 of export.jsonl is not one of a published log"
    );
}
