//! No code without its snapshot, and no explanation that says no more than the message.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use retentiond::schedule::Code;

/// Codes that nothing says yet. Whoever says one takes it out and shows it.
const UNUSED: [Code; 2] = [Code::RulesCollide, Code::ForceUnreadable];

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|own| own == ending) {
            found.push(path);
        }
    }
}

/// The snapshots whose name ends with a code, by code.
fn snapshots() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    files(&root.join("tests"), "snap", &mut paths);
    files(&root.join("src"), "snap", &mut paths);
    paths
        .iter()
        .filter_map(|path| {
            let code = path.file_stem()?.to_str()?.rsplit("__").next()?;
            let code: Code = code.parse().ok()?;
            Some((code.to_string(), std::fs::read_to_string(path).unwrap()))
        })
        .collect()
}

#[test]
fn every_code_is_shown_in_words_and_for_a_script() {
    let snapshots = snapshots();
    let mut missing = Vec::new();
    for code in Code::ALL.iter().filter(|code| !UNUSED.contains(code)) {
        let shown = snapshots.get(code.as_str()).map_or("", String::as_str);
        if !shown.contains(&format!("[{code}]")) && *code != Code::Usage {
            missing.push(format!("{code} in words"));
        }
        let compact: String = shown.split_whitespace().collect();
        if !compact.contains(&format!("\"code\":\"{code}\"")) {
            missing.push(format!("{code} as JSON"));
        }
    }
    assert!(
        missing.is_empty(),
        "no snapshot shows {}; add a case to tests/schedule_diagnostics.rs (the file alone), \
         tests/check/cases.rs (a database) or tests/check/commands.rs (a command), and run it \
         with INSTA_UPDATE=always",
        missing.join(", ")
    );
}

#[test]
fn what_is_unused_is_said_nowhere() {
    let mut sources = Vec::new();
    files(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        "rs",
        &mut sources,
    );
    for path in sources {
        if path.to_string_lossy().contains("diagnostics") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for code in UNUSED {
            let name = format!("Code::{code:?}");
            assert!(!text.contains(&name), "{}: {name}", path.display());
        }
    }
}

#[test]
fn explain_says_more_than_the_message_for_each_code() {
    let desk = crate::command::Desk::bare();
    for code in Code::ALL {
        let said = desk.run(&format!("check --explain {code}"));
        assert_eq!(said.code, 0, "{code}");
        assert!(said.out.starts_with(code.as_str()), "{code}: {}", said.out);
        let words = said.out.split_whitespace().count();
        assert!(words >= 20, "{code}: {}", said.out);
    }
}
