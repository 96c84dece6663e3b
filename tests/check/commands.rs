//! The failures of commands, in words and for a script. Those that no command line brings
//! about at will are shown in `src/cli/failure.rs`.

use crate::command::{Desk, Said};
use crate::{DELETES, LETTER, class, database};

/// Runs a command twice, for a person and for a script, and shows both.
fn shown(code: &str, desk: &Desk, words: &str) {
    let folder = desk.folder().display().to_string();
    let plain = |said: &Said| said.err.trim_end().replace(&folder, "[folder]");
    let words: Vec<&str> = words.split_whitespace().collect();
    let for_people = desk.run_words(&words);
    let for_scripts = desk.run_words(&[&words[..], &["--format", "json"]].concat());
    assert_eq!(for_people.code, for_scripts.code, "{code}");
    let json: serde_json::Value = serde_json::from_str(&for_scripts.err)
        .unwrap_or_else(|error| panic!("{code}: {error}\n{}", for_scripts.err));
    assert_eq!(json["error"]["code"], code, "{json}");
    insta::assert_snapshot!(
        code,
        format!(
            "exit {}\n{}\n\n{}",
            for_people.code,
            plain(&for_people),
            plain(&for_scripts)
        )
    );
}

#[tokio::test]
async fn every_failure_that_can_be_brought_about() {
    let (url, admin) = database(LETTER, "").await;
    let schedule = class(DELETES);
    let desk = Desk::with(&url, &schedule);

    let nowhere = "plan --database postgres://nobody@127.0.0.1:1/nothing";
    shown("R0401", &desk, nowhere);
    shown("R0402", &desk, "status");
    shown("R0406", &desk, "plan --class leters");
    shown("R0407", &desk, "explain letter seven");
    shown("R0409", &desk, "plan --schedule absent.toml");
    shown("R0411", &desk, "plan --clas letters");
    let page = desk.write("notice.md", "# Something else\n");
    let page = format!("publish --check {}", page.display());
    shown("R0412", &desk, &page);
    let settings = desk.write("settings.toml", "[database]\nurrl = \"x\"\n");
    shown(
        "R0408",
        &desk,
        &format!("plan --config {}", settings.display()),
    );

    let ours = Desk::with(&admin, &schedule);
    assert_eq!(ours.run("migrate").code, 0);
    shown("R0405", &ours, "run --on-plan sha256:0000000000000000");
}
