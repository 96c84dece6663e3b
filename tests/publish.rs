//! The shipped schedule in plain words: complete, comparable, and fit for a screen reader.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::{Command, Output};

fn publish(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_retentiond"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .arg("publish")
        .args(arguments)
        .output()
        .expect("the program starts")
}

#[test]
fn every_class_is_told_with_its_period() {
    let text = String::from_utf8(publish(&[]).stdout).unwrap();
    // From the published notices, by hand.
    for row in [
        "| Communications: emails, letters, telephone notes and complaints, with their attachments | 8 years |",
        "| Freedom of information and individual rights requests | 2 years | The day it was closed |",
        "| Photographs, video and audio recordings, with the copies of consent forms | At most 4 years; not at all where consent\\_withdrawn\\_at IS NOT NULL |",
        "| Job and volunteer applicants who were turned down | 6 months |",
        "| Job and volunteer applicants who were turned down but met the criteria (merit list) | 1 year |",
        "| Job and volunteer applicants who were hired | Kept; not under a period of this schedule.",
        "| People drawn for the user satisfaction and the telephone and digital surveys | At most 3 years |",
        "| CAPV needs assessment: monitoring, outcomes, surveys and interviews | 90 days | 31 July 2021 |",
        "| Private and direct messages on social media | 3 months |",
        "| People who asked not to be contacted again | Kept; not under a period of this schedule.",
    ] {
        assert!(text.contains(row), "{row}\n{text}");
    }
}

#[test]
fn a_page_that_no_longer_matches_fails() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["notice.html", "notice.md"] {
        let path = folder.path().join(name);
        let path = path.to_str().unwrap();
        assert!(publish(&["--output", path]).status.success());
        assert!(publish(&["--check", path]).status.success());
        let page = std::fs::read_to_string(path).unwrap();
        std::fs::write(path, page.replace("8 years", "9 years")).unwrap();
        let answer = publish(&["--check", path]);
        assert_eq!(answer.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&answer.stderr).contains("error[R0412]"));
    }
}

#[test]
fn the_page_has_a_language_one_heading_and_a_table_with_headings() {
    let page = String::from_utf8(publish(&["--as-format", "html"]).stdout).unwrap();
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en-GB\">"));
    assert_eq!(page.matches("<h1>").count(), 1);
    assert_eq!(page.matches("<caption").count(), 1);
    assert_eq!(page.matches("scope=\"row\"").count(), 10);
    assert_eq!(page.matches("scope=\"col\"").count(), 6);
}
