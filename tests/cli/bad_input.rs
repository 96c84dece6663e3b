//! What is wrong with the files, the words and the database that a command is given: one
//! clear message with its place, the right exit code, nothing changed.

use insta::assert_snapshot;

use crate::command::Desk;
use crate::office;

/// Every command that reads the schedule.
const READERS: [&str; 6] = [
    "check",
    "plan",
    "run",
    "status",
    "explain letter 1",
    "run --dry-run",
];

/// The schedule with one text in place of another, which must be there.
fn altered(from: &str, to: &str) -> String {
    assert!(office::SCHEDULE.contains(from), "{from}");
    office::SCHEDULE.replacen(from, to, 1)
}

#[tokio::test]
async fn a_faulty_file_stops_every_command_and_changes_nothing() {
    let (url, desk) = office::open().await;
    std::fs::create_dir(desk.folder().join("folder")).unwrap();
    desk.write("latin.toml", b"[schedule]\norganisation = \"\xe9\"\n");
    desk.write(
        "quote.toml",
        altered("title = \"Visitors' book\"", "title = \"Visitors' book"),
    );
    desk.write(
        "key.toml",
        altered("disposal = \"flag\"", "dispsal = \"flag\""),
    );
    desk.write(
        "later.toml",
        altered(
            "limit = \"maximum\"",
            "unit = \"seconds\"\nlimit = \"maximum\"",
        ),
    );
    desk.write("yeers.toml", altered("\"8 years\"", "\"8 yeers\""));
    desk.write("twice.toml", altered("id = \"visits\"", "id = \"study\""));
    let before = office::fingerprint(&url).await;
    for file in [
        "none",
        "folder",
        "latin.toml",
        "quote.toml",
        "key.toml",
        "later.toml",
        "yeers.toml",
        "twice.toml",
    ] {
        for command in READERS {
            let said = desk.run(&format!("{command} --schedule {file}"));
            assert_eq!(said.code, 2, "{command} on {file}: {said}");
            assert_eq!(
                format!("{}{}", said.out, said.err)
                    .matches("error[")
                    .count(),
                1,
                "{command} on {file}: {said}"
            );
        }
    }
    assert_eq!(office::fingerprint(&url).await, before);
}

#[test]
fn a_file_that_cannot_be_read() {
    let desk = Desk::bare();
    std::fs::create_dir(desk.folder().join("folder")).unwrap();
    desk.write("latin.toml", b"[schedule]\norganisation = \"\xe9\"\n");
    assert_snapshot!(desk.run("plan"), @r#"
    exit 2
    --- err
    error[R0409]: cannot read the schedule retention.toml
      because: No such file or directory
    help: name the file with --schedule FILE
    "#);
    assert_snapshot!(desk.run("plan --schedule folder"), @r#"
    exit 2
    --- err
    error[R0409]: cannot read the schedule folder
      because: Is a directory
    help: name the file with --schedule FILE
    "#);
    assert_snapshot!(desk.run("check --schedule latin.toml"), @r#"
    exit 2
    --- err
    error[R0409]: the schedule latin.toml is not UTF-8 text
      because: the first byte that is not stands at 28
    help: save it as UTF-8
    "#);
}

#[test]
fn a_file_with_a_fault_in_it() {
    let desk = Desk::bare();
    let said = |text: String| {
        desk.write("s.toml", text);
        desk.run("plan --schedule s.toml")
    };
    assert_snapshot!(said(altered("title = \"Visitors' book\"", "title = \"Visitors' book")), @r#"
    exit 2
    --- err
    error[R0101]: the file is not TOML: invalid basic string, expected `"`
      --> s.toml:91:24
       |
    91 | title = "Visitors' book
       |                        ^

    s.toml: 1 error; nothing was done. `retentiond check --explain CODE` says more about a code.
    "#);
    assert_snapshot!(said(altered("disposal = \"flag\"", "dispsal = \"flag\"")), @r#"
    exit 2
    --- err
    error[R0102]: `dispsal` is not a key of a [[class]]
      --> s.toml:95:1
       |
    95 | dispsal = "flag"
       | ^^^^^^^
       |
       = help: did you mean `disposal`?

    s.toml: 1 error; nothing was done. `retentiond check --explain CODE` says more about a code.
    "#);
    assert_snapshot!(said(altered("disposal = \"flag\"", "resweep = \"secure\"\ndisposal = \"flag\"")), @r#"
    exit 2
    --- err
    error[R0115]: `resweep` in a [[class]] is not yet supported by this version
      --> s.toml:95:1
       |
    95 | resweep = "secure"
       | ^^^^^^^
       |
       = help: comment it out with `#`; it is refused because ignoring it would not do what the schedule says

    s.toml: 1 error; nothing was done. `retentiond check --explain CODE` says more about a code.
    "#);
    assert_snapshot!(said(altered("disposal = \"flag\"", "unit = \"seconds\"\ndisposal = \"flag\"")), @r#"
    exit 2
    --- err
    error[R0115]: `unit` in a [[class]] is not yet supported by this version
      --> s.toml:95:1
       |
    95 | unit = "seconds"
       | ^^^^
       |
       = help: comment it out with `#`; it is refused because ignoring it would not do what the schedule says

    s.toml: 1 error; nothing was done. `retentiond check --explain CODE` says more about a code.
    "#);
    assert_snapshot!(said(altered("\"8 years\"", "\"8 yeers\"")), @r#"
    exit 2
    --- err
    error[R0107]: `yeers` is not a unit of time
      --> s.toml:11:10
       |
    11 | period = "8 yeers"
       |          ^^^^^^^^^
       |
       = help: did you mean `years`?

    s.toml: 1 error; nothing was done. `retentiond check --explain CODE` says more about a code.
    "#);
    assert_snapshot!(said(altered("id = \"visits\"", "id = \"study\"")), @r#"
    exit 2
    --- err
    error[R0112]: the id `study` is already that of the class on line 80
      --> s.toml:90:6
       |
    80 | id = "study"
       |      ------- the first class with this id
    ...
    90 | id = "study"
       |      ^^^^^^^
       |
       = help: give each class an id of its own: the ledger and every approval name it

    s.toml: 1 error; nothing was done. `retentiond check --explain CODE` says more about a code.
    "#);
    assert_snapshot!(said(format!("{}\n[[class]]\n", office::SCHEDULE)), @r#"
    exit 2
    --- err
    error[R0113]: this class has nothing in it
      --> s.toml:98:1
       |
    98 | [[class]]
       | ^^^^^^^^^
       |
       = help: it needs id, title, table, disposal, authority, and what the disposal asks for

    s.toml: 1 error; nothing was done. `retentiond check --explain CODE` says more about a code.
    "#);
}

#[test]
fn a_fault_for_a_script_is_one_object_with_its_place() {
    let desk = Desk::bare();
    desk.write("retention.toml", altered("\"8 years\"", "\"8 yeers\""));
    let said = desk.run("--format json plan");
    assert_eq!(said.code, 2);
    assert_eq!(
        said.error(),
        serde_json::json!({
            "code": "R0107", "message": "`yeers` is not a unit of time", "causes": [], "hint": "did you mean `years`?",
            "at": { "file": "retention.toml", "line": 11, "column": 10 },
        })
    );
    // `check` answers with its diagnostics, wherever the fault is.
    let said = desk.run("check --format json");
    assert_eq!((said.code, said.err.as_str()), (2, ""));
    assert_eq!(said.object()["check"]["diagnostics"][0]["at"]["line"], 11);
}

#[test]
fn a_database_that_is_not_named_or_not_reached() {
    let desk = Desk::bare();
    desk.write("retention.toml", office::SCHEDULE);
    assert_snapshot!(desk.run("plan"), @r#"
    exit 2
    --- err
    error[R0408]: no database was named
    help: give --database URL, set DATABASE_URL, or write `url` under [database] in the settings
    "#);
    assert_snapshot!(desk.run("plan --database postgres://me:hush@127.0.0.1:1/cases"), @r#"
    exit 1
    --- err
    error[R0401]: could not connect to the database at 127.0.0.1:1/cases
      because: Connection refused
    help: see that PostgreSQL runs there and lets this account in, then try again
    "#);
    assert_snapshot!(desk.run("status --database postgres://me:hush@localhost/cases?host=/no/such/folder"), @r#"
    exit 1
    --- err
    error[R0401]: could not connect to the database at the socket in /no/such/folder, database cases
      because: No such file or directory
    help: see that PostgreSQL runs there and lets this account in, then try again
    "#);
    for garbage in [
        "hush",
        "postgres://me:hush@host:port/db",
        "mysql://me:hush@localhost/cases",
        "postgres://me:hush@[/db",
    ] {
        let said = desk.run_words(&["plan", "--database", garbage]);
        assert_eq!(said.code, 2, "{garbage}: {said}");
        assert!(
            said.err
                .starts_with("error[R0401]: the database URL cannot be read"),
            "{garbage}: {said}"
        );
        assert!(!said.to_string().contains("hush"), "{garbage}: {said}");
    }
}

#[tokio::test]
async fn a_database_or_an_account_that_does_not_exist() {
    let (url, desk) = office::open().await;
    let nowhere = url.replacen("/t", "/nowhere_t", 1);
    let stranger = url.replacen("//retentiond@", "//stranger:hush@", 1);
    for (url, reason, hint) in [
        (
            &nowhere,
            "does not exist (3D000)",
            "correct the database's name in the URL; `psql --list` shows which there are",
        ),
        (
            &stranger,
            "role \"stranger\" does not exist (28000)",
            "correct the account or the password in the URL, or let the account in (pg_hba.conf)",
        ),
    ] {
        for command in [
            "plan",
            "run",
            "status",
            "explain letter 1",
            "ledger list",
            "ledger verify",
            "ledger export",
            "migrate",
            "check",
        ] {
            let said = desk.run_words(
                &[
                    &command.split(' ').collect::<Vec<_>>()[..],
                    &["--database", url, "--format", "json"],
                ]
                .concat(),
            );
            let error = said.error();
            assert_eq!(said.code, 1, "{said}");
            assert_eq!(
                (&error["code"], &error["hint"]),
                (&"R0401".into(), &hint.into()),
                "{said}"
            );
            assert!(
                error["causes"][0].as_str().unwrap().ends_with(reason),
                "{said}"
            );
            assert!(!said.err.contains("hush"), "{said}");
        }
    }
}

#[tokio::test]
async fn words_that_mean_nothing() {
    let (url, desk) = office::open().await;
    let before = office::fingerprint(&url).await;
    assert_snapshot!(desk.run("plan --class letter"), @r#"
    exit 2
    --- err
    error[R0406]: the schedule has no class `letter`
    help: did you mean `letters`?
    "#);
    assert_snapshot!(desk.run("run --class everything"), @r#"
    exit 2
    --- err
    error[R0406]: the schedule has no class `everything`
    help: it has: letters, turned-down, merit-list, hired, photos, samples, samples-of-record, study, visits
    "#);
    assert_snapshot!(desk.run("plan --on 2026-13-01"), @r#"
    exit 2
    --- err
    error: invalid value '2026-13-01' for '--on <DATE>': a day is written year-month-day, such as 2026-11-23

    For more information, try '--help'.
    "#);
    assert_snapshot!(desk.run("plan --on tomorrow"), @r#"
    exit 2
    --- err
    error: invalid value 'tomorrow' for '--on <DATE>': a day is written year-month-day, such as 2026-11-23

    For more information, try '--help'.
    "#);
    assert_snapshot!(desk.run("plan --on 1066-10-14"), @r#"
    exit 2
    --- err
    error: invalid value '1066-10-14' for '--on <DATE>': days go from 1900-01-01 to 3999-12-31

    For more information, try '--help'.
    "#);
    assert_snapshot!(desk.run("run --fast"), @r#"
    exit 2
    --- err
    error: unexpected argument '--fast' found

      tip: a similar argument exists: '--as'

    Usage: retentiond run --as <NAME>

    For more information, try '--help'.
    "#);
    assert_snapshot!(desk.run("pln"), @r#"
    exit 2
    --- err
    error: unknown subcommand 'pln'

      tip: a similar subcommand exists: 'plan'

    Usage: retentiond [OPTIONS] <COMMAND>

    For more information, try '--help'.
    "#);
    assert_snapshot!(desk.run("run --on-plan 1234"), @r#"
    exit 2
    --- err
    error[R0405]: `1234` is not the digest of a plan
    help: write it as `retentiond plan` shows it: hexadecimal digits, at least the first eight
    "#);
    assert_snapshot!(desk.run("ledger list --action delete"), @r#"
    exit 2
    --- err
    error[R0106]: `delete` is not an action of the ledger
    help: actions are: flagged, anonymised, deleted, unlinked, refused, failed, quarantined, file-removed, file-kept, hold-placed, hold-released, hold-expired, kept, approved, approval-revoked, handed-on, instructed, instruction-withdrawn, erasure-requested, erasure-fulfilled, erasure-withdrawn, erasure-returned, return-known, processor-instructed, processor-confirmed, paused, resumed, operator-changed, run-started, run-finished, schedule-in-force, limit-reached, limits-lifted, verified, key-changed, origin-changed, details-dropped, replayed, erased
    "#);
    assert_snapshot!(desk.run("ledger list --key 7"), @r#"
    exit 2
    --- err
    error: the following required arguments were not provided:
      --table <TABLE>

    Usage: retentiond ledger list --table <TABLE> --key <KEY>

    For more information, try '--help'.
    "#);
    assert_snapshot!(desk.run("check --explain R9999"), @r#"
    exit 2
    --- err
    error[R0106]: there is no code `R9999`
    help: codes look like R0107; every message shows its own
    "#);
    assert_eq!(office::fingerprint(&url).await, before);
}

#[tokio::test]
async fn a_plan_that_was_not_looked_at_is_not_executed() {
    let (url, desk) = office::open().await;
    let before = office::fingerprint(&url).await;
    let digest = "0".repeat(64);
    assert_snapshot!(desk.run(&format!("run --on-plan sha256:{digest}")), @r#"
    exit 1
    --- err
    error[R0405]: today's plan is not the one that was asked for: the schedule, the day or the database changed
    help: look at `retentiond plan` again, and give its digest
    "#);
    assert_eq!(office::fingerprint(&url).await, before);
}

#[tokio::test]
async fn keys_and_tables_that_cannot_be() {
    let (_, desk) = office::open().await;
    assert_snapshot!(desk.run("explain leter 1"), @r#"
    exit 2
    --- err
    error[R0301]: the database has no table `public.leter`
    help: did you mean `public.letter`?
    "#);
    assert_snapshot!(desk.run("explain cases.of.law 1"), @r#"
    exit 2
    --- err
    error[R0301]: `cases.of.law` is not `name` or `schema.name`
    help: write a table as `name` or `schema.name`
    "#);
    assert_snapshot!(desk.run("explain letter one"), @r#"
    exit 2
    --- err
    error[R0407]: column `id` of the key holds whole numbers
    help: the key of this table is its column `id`: write one value of it, such as `7`
    "#);
    assert_snapshot!(desk.run("explain letter 99999999999999999999"), @r#"
    exit 2
    --- err
    error[R0407]: column `id` of the key holds whole numbers
    help: the key of this table is its column `id`: write one value of it, such as `7`
    "#);
    assert_snapshot!(desk.run("explain sample 7"), @r#"
    exit 2
    --- err
    error[R0407]: the key is to be written `campaign=VALUE,id=VALUE`
    help: the key of this table has 2 columns: write `campaign=VALUE,id=VALUE`
    "#);
    assert_snapshot!(desk.run("explain sample campaign=2"), @r#"
    exit 2
    --- err
    error[R0407]: the key needs 2 values (campaign, id); given: 1
    help: the key of this table has 2 columns: write `campaign=VALUE,id=VALUE`
    "#);
    assert_snapshot!(desk.run("explain sample campaign=2,id=7,id=8"), @r#"
    exit 2
    --- err
    error[R0407]: the key names column `id` twice
    help: the key of this table has 2 columns: write `campaign=VALUE,id=VALUE`
    "#);
    assert_snapshot!(desk.run("explain sample campaign=two,id=7"), @r#"
    exit 2
    --- err
    error[R0407]: column `campaign` of the key holds whole numbers
    help: the key of this table has 2 columns: write `campaign=VALUE,id=VALUE`
    "#);
    assert_snapshot!(desk.run("explain applicant 7"), @r#"
    exit 2
    --- err
    error[R0407]: the key does not fit the types of the table's key columns (SQLSTATE 22P02)
    help: write it as the database shows it: a whole number, a uuid, a date such as 2026-11-23
    "#);
    assert_snapshot!(desk.run("ledger list --table sample --key 7"), @r#"
    exit 2
    --- err
    error[R0407]: the key is to be written `campaign=VALUE,id=VALUE`
    help: the key of this table has 2 columns: write `campaign=VALUE,id=VALUE`
    "#);
}

#[test]
fn a_settings_file_with_a_fault() {
    let desk = Desk::bare();
    desk.write("retention.toml", office::SCHEDULE);
    desk.write("unknown.toml", "[throttle]\nduty_cicle = 0.5\n");
    desk.write("range.toml", "[throttle]\nduty_cycle = 7\n");
    assert_snapshot!(desk.run("plan --config unknown.toml"), @r#"
    exit 2
    --- err
    error[R0408]: unknown.toml:2: there is no setting `throttle.duty_cicle`; did you mean `throttle.duty_cycle`?
    help: every key is explained in config/default.toml
    "#);
    assert_snapshot!(desk.run("plan --config range.toml"), @r#"
    exit 2
    --- err
    error[R0408]: range.toml:2: `throttle.duty_cycle` must be a number from 0.01 to 1
    help: every key is explained in config/default.toml
    "#);
    assert_snapshot!(desk.run("plan --config none.toml"), @r#"
    exit 2
    --- err
    error[R0408]: could not read the settings in none.toml
      because: No such file or directory
    help: every key is explained in config/default.toml
    "#);
}

#[test]
fn every_wrong_command_line_is_one_object_for_a_script() {
    let desk = Desk::bare();
    for (line, message, hint) in [
        (
            "--format json",
            "a command is missing",
            "`retentiond --help` shows all commands, `retentiond COMMAND --help` all options of one",
        ),
        (
            "ledger --format=json",
            "a command is missing",
            "`retentiond --help` shows all commands, `retentiond COMMAND --help` all options of one",
        ),
        (
            "--format json pln",
            "unknown subcommand 'pln'",
            "a similar subcommand exists: 'plan'",
        ),
        (
            "plan --onn --format json",
            "unexpected argument '--onn' found",
            "a similar argument exists: '--on'",
        ),
        (
            "explain --format json",
            "the following required arguments were not provided: <TABLE>, <KEY>",
            "`retentiond --help` shows all commands, `retentiond COMMAND --help` all options of one",
        ),
    ] {
        let said = desk.run(line);
        assert_eq!(said.code, 2, "{line}: {said}");
        let expected = serde_json::json!({ "code": "R0411", "message": message, "causes": [], "hint": hint, "at": null });
        assert_eq!(said.error(), expected, "{line}");
    }
}
