//! The failures of commands, in words and for a script. Those that no command line brings
//! about at will are shown in `src/cli/failure.rs`.

use std::path::PathBuf;

use crate::command::{Desk, Said};
use crate::support;
use crate::{DELETES, LETTER, check, class, codes, database};

/// Runs a command twice, for a person and for a script, and shows both.
fn shown(code: &str, desk: &Desk, words: &str) {
    let folder = desk.folder().display().to_string();
    let plain = |said: &Said| {
        let text = said.err.trim_end().replace(&folder, "[folder]");
        let log = log_of(desk);
        match log.file_name().and_then(|name| name.to_str()) {
            Some(id) => text.replace(id, "[log]"),
            None => text,
        }
    };
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

/// The folder of the one log in the state, named by its random origin; empty while there is
/// none.
fn log_of(desk: &Desk) -> PathBuf {
    let state = std::fs::read_dir(desk.folder().join("state"));
    state
        .ok()
        .and_then(|mut folders| folders.next())
        .map_or_else(PathBuf::new, |folder| folder.unwrap().path())
}

#[tokio::test]
async fn a_log_that_cannot_be_gone_on_with() {
    let (_, admin) = database(LETTER, "").await;
    let schedule = class(DELETES).replacen("[[class]]", "accept = \"automatic\"\n\n[[class]]", 1);
    let desk = Desk::with(&admin, &schedule);
    assert_eq!(desk.run("migrate").code, 0);
    assert_eq!(desk.run("run").code, 0);
    let log = log_of(&desk);
    let (key, away) = (log.join("ledger.key"), log.join("away"));
    std::fs::rename(&key, &away).unwrap();
    shown("R0414", &desk, "run");
    std::fs::rename(&away, &key).unwrap();

    // Not a folder any more: also root cannot read in it.
    let published = log.join("published");
    std::fs::rename(&published, &away).unwrap();
    std::fs::write(&published, "").unwrap();
    shown("R0415", &desk, "run");
    std::fs::remove_file(&published).unwrap();
    std::fs::rename(&away, &published).unwrap();
    assert_eq!(desk.run("run").code, 0);

    support::sql(
        &admin,
        "ALTER TABLE retentiond.ledger_seal DISABLE TRIGGER ledger_append_only;
         DELETE FROM retentiond.ledger_seal WHERE leaf_index > 0;
         ALTER TABLE retentiond.ledger_checkpoint DISABLE TRIGGER ledger_append_only;
         DELETE FROM retentiond.ledger_checkpoint WHERE size > 1",
    )
    .await;
    shown("R0413", &desk, "run");

    // Brought back by a person's word only, from what is there; else under another name.
    shown("R0417", &desk, "ledger replay");
    std::fs::rename(&published, &away).unwrap();
    shown("R0416", &desk, "ledger replay --yes");
    let renamed = desk.run("ledger replay --new-origin --reason lost --yes");
    assert_eq!(renamed.code, 3, "{renamed}");
    shown("R0418", &desk, "run");
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
    shown("R0490", &ours, "run");
    shown("R0419", &ours, "hold release 7 --reason over");
    assert_eq!(ours.run("operator add Jo --role administrator").code, 0);
    shown("R0420", &ours, "pause --reason moving --as Kim");
    assert_eq!(
        ours.run("operator add root --role administrator --as Jo")
            .code,
        0
    );
    shown("R0491", &ours, "accept 0000000000 --reason none");
    let automatic = schedule.replacen("[[class]]", "accept = \"automatic\"\n\n[[class]]", 1);
    let ours = Desk::with(&admin, &automatic);
    shown("R0405", &ours, "run --on-plan sha256:0000000000000000");
}

#[tokio::test]
async fn a_change_that_waits() {
    let (_, admin) = database(LETTER, "").await;
    let desk = Desk::with(&admin, &class(DELETES));
    assert_eq!(desk.run("migrate").code, 0);
    let (_, plan) = desk.json("plan");
    let digest = plan["plan"]["schedule"].as_str().unwrap().to_owned();
    let accepted = desk.run(&format!("accept {digest} --reason first"));
    assert_eq!(accepted.code, 0, "{accepted}");
    let (text, found) = check(&admin, &class(&DELETES.replace("8 years", "8 days")));
    // The account is the tests' superuser.
    assert_eq!(
        codes(&found).into_iter().collect::<Vec<_>>(),
        ["R0354", "R0390"]
    );
    insta::assert_snapshot!("R0390", format!("{text}{}", found[0]));
}
