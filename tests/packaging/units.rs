//! The two systemd units: right, narrow, and the same but for what makes one of many.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::{ROOT, ensure, file, said};

const SINGLE: &str = "retentiond.service";
const TEMPLATE: &str = "retentiond@.service";

/// The most that a unit may be exposed, of 10.0: systemd calls up to 2.0 "OK".
const MOST: f64 = 1.5;

fn analyze(arguments: &[&str], unit: &Path) -> Output {
    ensure(&["systemd-analyze"]);
    Command::new("systemd-analyze")
        .args(arguments)
        .arg(unit)
        .env("SYSTEMD_COLORS", "0")
        .output()
        .unwrap()
}

/// Runs `systemd-analyze verify` on a unit that starts the program just built, since
/// the one in `/usr/bin` is not installed here. The manual is not either.
fn verify(unit: &str, text: &str) -> Output {
    let folder = TempDir::new().unwrap();
    let here = text.replace(
        "ExecStart=/usr/bin/retentiond ",
        &format!("ExecStart={} ", env!("CARGO_BIN_EXE_retentiond")),
    );
    assert_ne!(here, text, "{unit} starts /usr/bin/retentiond");
    fs::write(folder.path().join(unit), here).unwrap();
    let asked = folder.path().join(unit.replace('@', "@crm"));
    analyze(&["verify", "--man=no"], &asked)
}

#[test]
fn systemd_finds_nothing_to_say_against_either_unit() {
    for unit in [SINGLE, TEMPLATE] {
        let answer = verify(unit, &file(&format!("packaging/{unit}")));
        assert!(answer.status.success(), "{unit}: {}", said(&answer));
        assert_eq!(said(&answer), "", "{unit}");
    }
}

#[test]
fn a_key_with_a_typing_error_would_be_found() {
    for unit in [SINGLE, TEMPLATE] {
        let text = file(&format!("packaging/{unit}")).replace("ProtectHome=", "ProtectHouse=");
        let answer = said(&verify(unit, &text));
        assert!(answer.contains("ProtectHouse"), "{unit}: {answer}");
    }
}

/// `→ Overall exposure level for retentiond.service: 1.2 OK`
fn exposure(answer: &str) -> f64 {
    let line = answer
        .lines()
        .find(|line| line.contains("Overall exposure level"))
        .unwrap_or_else(|| panic!("no exposure level in: {answer}"));
    line.split_whitespace()
        .find_map(|word| word.parse().ok())
        .unwrap_or_else(|| panic!("no number in: {line}"))
}

#[test]
fn the_units_are_exposed_no_more_than_is_needed() {
    for unit in [SINGLE, TEMPLATE] {
        let path = Path::new(ROOT).join("packaging").join(unit);
        // The threshold is in tenths.
        let threshold = format!("--threshold={:.0}", MOST * 10.0);
        let answer = analyze(
            &["security", "--offline=true", "--no-pager", &threshold],
            &path,
        );
        let level = exposure(&said(&answer));
        println!("{unit}: exposure level {level}");
        assert!(answer.status.success(), "{unit}: {}", said(&answer));
        assert!(level <= MOST, "{unit}: {level}");
    }
}

#[test]
fn a_unit_that_lost_its_fences_would_be_found() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(SINGLE);
    let open: String = file("packaging/retentiond.service")
        .lines()
        .filter(|line| !line.starts_with("SystemCallFilter") && !line.starts_with("Protect"))
        .fold(String::new(), |text, line| text + line + "\n");
    fs::write(&path, open).unwrap();
    let answer = analyze(
        &["security", "--offline=true", "--no-pager", "--threshold=15"],
        &path,
    );
    assert!(!answer.status.success());
    assert!(exposure(&said(&answer)) > MOST, "{}", said(&answer));
}

/// The keys of a unit without remarks.
fn keys(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

/// What is changed in one unit and forgotten in the other shows here.
#[test]
fn an_instance_is_the_single_unit_with_folders_of_its_own() {
    let fenced = [
        "TemporaryFileSystem=/etc/retentiond:ro /var/lib/retentiond:ro",
        "BindReadOnlyPaths=/etc/retentiond/%i",
        "BindPaths=/var/lib/retentiond/%i",
    ];
    let template = file(&format!("packaging/{TEMPLATE}"));
    let (fence, rest): (Vec<&str>, Vec<&str>) = keys(&template)
        .into_iter()
        .partition(|key| fenced.contains(key));
    assert_eq!(fence, fenced);
    let as_single: Vec<String> = rest
        .iter()
        .map(|key| {
            key.replace(" --config /etc/retentiond/%i/retentiond.toml", "")
                .replace(
                    "Applies the retention schedule of %i",
                    "Applies a retention schedule",
                )
                .replace("/%i", "")
        })
        .collect();
    assert_eq!(as_single, keys(&file(&format!("packaging/{SINGLE}"))));
    // Whatever names a folder of ours names the instance's.
    for key in rest {
        let ours = key.contains("/etc/retentiond") || key.contains("/var/lib/retentiond");
        assert!(!ours || key.contains("/%i"), "{key}");
    }
}

#[test]
fn nothing_starts_without_a_schedule() {
    assert!(
        keys(&file(&format!("packaging/{SINGLE}")))
            .contains(&"ConditionPathExists=/etc/retentiond/retention.toml")
    );
}
