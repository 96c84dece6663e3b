//! `demo`: a private server of its own, so few tests.

use std::collections::BTreeMap;

use insta::assert_snapshot;

use crate::command::Desk;

/// The server's programs are found through `PATH`, or where distributions keep them.
fn desk() -> Desk {
    let mut desk = Desk::bare();
    for name in ["PATH", "PG_BIN"] {
        if let Ok(value) = std::env::var(name) {
            desk = desk.set(name, &value);
        }
    }
    desk
}

#[test]
fn once_prints_the_run_and_a_kept_folder_is_gone_on_with() {
    let desk = desk();
    // Where the account that the server runs as can get at it.
    let home = tempfile::Builder::new()
        .prefix("retentiond-demo")
        .tempdir_in("/var/tmp")
        .unwrap();
    let folder = home.path().join("kept");
    open_to_others(home.path());
    let line = format!(
        "demo --once --rows 2000 --on 2026-11-23 --data-dir {}",
        folder.display()
    );
    let said = desk.run(&format!("{line} --format json"));
    assert_eq!(said.code, 0, "{said}");
    let first = said.object();
    let deleted: BTreeMap<String, u64> = first["run"]["classes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| {
            (
                class["id"].as_str().unwrap().to_owned(),
                class["deleted"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        (&first["run"]["id"], &first["run"]["outcome"]),
        (&1.into(), &"completed".into())
    );
    for class in [
        "communications",
        "foi-requests",
        "photos-videos",
        "survey-samples",
        "social-dms",
    ] {
        assert!(deleted[class] > 0, "{class}: {said}");
    }
    assert_eq!(deleted["capv-research"], 0);

    // The same folder on the same day: nothing is due any more.
    let said = desk.run(&format!("{line} --format json"));
    assert_eq!(said.code, 0, "{said}");
    let second = said.object();
    assert_eq!(second["run"]["id"], 2);
    for class in second["run"]["classes"].as_array().unwrap() {
        assert_eq!(
            (&class["deleted"], &class["anonymised"]),
            (&0.into(), &0.into()),
            "{class}"
        );
    }
    assert!(
        said.err.contains(
            "Going on with the organisation that the folder holds; --rows has no part in it."
        ),
        "{said}"
    );

    // A year later, in words.
    let said = desk.run(&format!(
        "demo --once --on 2027-11-23 --data-dir {}",
        folder.display()
    ));
    assert_eq!(said.code, 0, "{said}");
    assert!(
        said.out
            .contains("Plan for 23 November 2027 (Europe/London)"),
        "{said}"
    );
    assert!(said.out.contains("Pass 3 completed."), "{said}");
    assert!(
        said.out.contains(&format!(
            "The database stops here, and stays in {}.",
            folder.display()
        )),
        "{said}"
    );
}

#[test]
fn somebody_elses_folder_is_left_alone() {
    let desk = desk();
    desk.write("thesis.txt", "mine");
    let said = desk.run(&format!(
        "demo --once --data-dir {} --format json",
        desk.folder().display()
    ));
    assert_eq!(said.code, 1, "{said}");
    assert!(
        said.err
            .contains("is not empty and holds no cluster of ours"),
        "{said}"
    );
    assert_eq!(std::fs::read_dir(desk.folder()).unwrap().count(), 1);
}

fn open_to_others(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
}

#[test]
fn without_a_server_it_says_what_to_install() {
    let desk = Desk::bare();
    std::fs::create_dir(desk.folder().join("empty")).unwrap();
    let empty = desk.folder().join("empty").display().to_string();
    let desk = desk.set("PG_BIN", &empty);
    let mut said = desk.run("demo --once");
    said.err = said.err.replace(&empty, "[folder]");
    assert_snapshot!(said, @r#"
    exit 1
    --- err
    Starting a private PostgreSQL: it listens on no port, and stops with this program.
    error[R0401]: no PostgreSQL server programs (initdb, postgres) were found on this machine
      because: looked in [folder]
    help: install them (`apt-get install postgresql`, `dnf install postgresql-server` or `brew install postgresql`), or name their folder in PG_BIN
    "#);
    assert_eq!(
        desk.run("demo --once --format json -q").error()["code"],
        "R0401"
    );
}
