//! What an auditor does on a command line: keeps a key and a checkpoint, and looks at copies.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::command::Desk;
use crate::{office, support};

/// The folder of the published log.
fn published(desk: &Desk) -> PathBuf {
    let only = |folder: &Path| {
        std::fs::read_dir(folder)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path()
    };
    only(&only(&desk.folder().join("state")).join("published"))
}

#[tokio::test]
async fn a_copy_is_verified_with_a_key_and_a_checkpoint_and_no_database() {
    let (url, desk) = office::open_on_any_day().await;
    assert_eq!(desk.run("run").code, 3);
    let folder = published(&desk);
    let auditor = Desk::bare();
    let kept = auditor.write(
        "checkpoint",
        std::fs::read(folder.join("checkpoint")).unwrap(),
    );
    let key = auditor.write("key", desk.run("ledger key show").out);
    let export = auditor.folder().join("export.jsonl");
    let said = desk.run(&format!("ledger export --output {}", export.display()));
    assert_eq!(said.code, 0, "{said}");
    let sealed = support::number(&url, "SELECT count(*) FROM retentiond.ledger_seal").await;
    for copy in [&folder, &export] {
        let line = format!("ledger verify --export {}", copy.display());
        let known = format!("{line} --public-key {}", key.display());
        let (code, answer) = auditor.json(&format!("{known} --from {}", kept.display()));
        let verify = &answer["verify"];
        assert_eq!(
            (
                code,
                &verify["verdict"],
                &verify["anchored"],
                verify["size"].as_i64()
            ),
            (0, &json!("OK"), &json!(true), Some(sealed)),
            "{answer}"
        );
        // Nothing from outside but the key.
        let said = auditor.run(&known);
        assert_eq!(said.code, 3, "{said}");
        assert!(said.out.starts_with("OK as of "), "{said}");
    }
    // Without a key a published folder's checkpoints cannot be believed.
    let said = auditor.run(&format!("ledger verify --export {}", folder.display()));
    assert_eq!(
        (said.code, said.out.lines().next()),
        (1, Some("INCOMPLETE")),
        "{said}"
    );
    // A line less.
    let text = std::fs::read_to_string(&export).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.remove(3);
    std::fs::write(&export, lines.join("\n") + "\n").unwrap();
    let said = auditor.run(&format!(
        "ledger verify --export {} --public-key {} --from {}",
        export.display(),
        key.display(),
        kept.display()
    ));
    assert_eq!(said.code, 1, "{said}");
    assert!(
        said.out.starts_with("TAMPERED\n")
            && said
                .out
                .contains("Entry 3 is the first that is wrong: it is gone."),
        "{said}"
    );
    for (words, code) in [
        (
            format!(
                "ledger verify --export {}/nothing",
                auditor.folder().display()
            ),
            2,
        ),
        (
            format!(
                "ledger verify --export {} --public-key {}",
                export.display(),
                kept.display()
            ),
            2,
        ),
    ] {
        let said = auditor.run(&words);
        assert_eq!(said.code, code, "{said}");
        assert!(said.err.starts_with("error[R04"), "{said}");
    }
}

#[tokio::test]
async fn a_key_is_changed_under_the_old_ones_signature_and_both_are_believed() {
    let (_, desk) = office::open_on_any_day().await;
    let said = desk.run("ledger key show");
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said}");
    assert!(said.err.contains("There is no key yet"), "{said}");
    assert_eq!(desk.run("run").code, 3);
    let first = desk.run("ledger key show").out;
    let kept = desk.write(
        "kept",
        std::fs::read(published(&desk).join("checkpoint")).unwrap(),
    );
    let old_key = desk.write("old.pub", &first);
    let said = desk.run("ledger key new");
    assert_eq!(said.code, 2, "{said}");
    assert!(said.err.contains("ledger key rotate"), "{said}");
    assert_eq!(desk.run("ledger key rotate --dry-run").code, 0);
    assert_eq!(desk.run("ledger key show").out, first);
    let (code, answer) = desk.json("ledger key rotate");
    assert_eq!((code, &answer["key"]["outcome"]), (0, &json!("rotated")));
    let both = desk.run("ledger key show").out;
    assert_eq!(both.lines().count(), 2);
    assert!(both.starts_with(&first));
    assert_eq!(desk.run("run").code, 3);
    // Whoever kept only the old key, and a checkpoint of then.
    let line = format!(
        "ledger verify --public-key {} --from {}",
        old_key.display(),
        kept.display()
    );
    for line in [
        line.clone(),
        format!("{line} --full"),
        "ledger verify".to_owned(),
    ] {
        let (code, answer) = desk.json(&line);
        assert_eq!(
            (
                code,
                &answer["verify"]["verdict"],
                &answer["verify"]["anchored"]
            ),
            (0, &json!("OK"), &json!(true)),
            "{line}: {answer}"
        );
    }
    let (_, part) = desk.json(&line);
    let (_, whole) = desk.json(&format!("{line} --full"));
    let read = |answer: &serde_json::Value| answer["verify"]["entries"].as_u64().unwrap();
    assert!(read(&part) < read(&whole), "{part} {whole}");
}
