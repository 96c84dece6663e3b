//! Readers that go away, shells, and the manual.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::command::Desk;
use crate::office;

const COMMANDS: [&str; 14] = [
    "demo",
    "migrate",
    "check",
    "plan",
    "run",
    "daemon",
    "status",
    "explain",
    "ledger",
    "ledger list",
    "ledger verify",
    "ledger export",
    "completions",
    "man",
];

#[test]
fn completions_and_manual_name_every_command() {
    let desk = Desk::bare();
    for shell in ["bash", "zsh", "fish"] {
        let said = desk.run(&format!("completions {shell}"));
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        for word in COMMANDS.iter().flat_map(|command| command.split(' ')) {
            assert!(said.out.contains(word), "{shell}: {word}");
        }
    }
    let said = desk.run("man");
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.contains(".TH retentiond 1"), "{said}");
    let said = desk.run("man --output pages");
    assert_eq!(said.code, 0, "{said}");
    for command in COMMANDS {
        let page = std::fs::read_to_string(
            desk.folder()
                .join(format!("pages/retentiond-{}.1", command.replace(' ', "-"))),
        )
        .unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{command}");
    }
}

#[test]
fn every_command_has_help_that_fits_eighty_columns() {
    let desk = Desk::bare().set("COLUMNS", "80");
    for command in COMMANDS.iter().chain(&[""]) {
        for help in ["--help", "-h"] {
            let said = desk.run(&format!("{command} {help}"));
            assert_eq!((said.code, said.err.as_str()), (0, ""), "{command}");
            for line in said.out.lines() {
                assert!(line.chars().count() <= 80, "{command}: {line}");
            }
            // No word of ours is American.
            for american in [
                "anonymize",
                "organization",
                "color",
                "unrecognized",
                "catalog ",
            ] {
                assert!(
                    !said.out.to_lowercase().contains(american),
                    "{command}: {american}"
                );
            }
        }
    }
}

/// Reads one line of what the program writes to one of its outputs, closes that, and
/// answers how the program ended.
fn first_line(desk: &Desk, line: &str, errors: bool) -> (String, Option<i32>, String) {
    let mut command = desk.command(&line.split(' ').collect::<Vec<_>>());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let mut first = String::new();
    let mut rest = String::new();
    if errors {
        BufReader::with_capacity(1, err)
            .read_line(&mut first)
            .unwrap();
        std::io::Read::read_to_string(&mut BufReader::new(out), &mut rest).unwrap();
    } else {
        BufReader::with_capacity(1, out)
            .read_line(&mut first)
            .unwrap();
        std::io::Read::read_to_string(&mut BufReader::new(err), &mut rest).unwrap();
    }
    (first, child.wait().unwrap().code(), rest)
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_error() {
    let (_, desk) = office::after_a_pass().await;
    for line in [
        "ledger export",
        "ledger export --as-format csv",
        "ledger list",
        "plan",
        "plan --format json",
        "status",
        "check",
        "man",
        "completions bash",
        "completions zsh",
        "completions fish",
        "explain letter 1",
        "--help",
        "check --explain R0107",
    ] {
        let (first, code, errors) = first_line(&desk, line, false);
        assert!(!first.is_empty(), "{line}");
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{line}");
    }
}

#[tokio::test]
async fn a_pass_goes_on_when_nobody_reads_its_errors() {
    let (url, desk) = office::open_on_any_day().await;
    let (first, code, out) = first_line(&desk, "run -vv", true);
    assert!(!first.is_empty());
    assert_eq!(code, Some(3), "{out}");
    assert!(out.contains("Pass 1 completed."), "{out}");
    assert_eq!(
        crate::support::number(&url, "SELECT count(*) FROM letter").await,
        4
    );
}
