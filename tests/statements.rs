//! Every fixed statement on our own tables, found in the sources and prepared against the
//! migrated schema, so that none of them can name a column that is not there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use sqlx::AssertSqlSafe;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The string literals of a Rust source, escapes undone; comments and characters passed over.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(start) = rest.find(['"', '/', '\'']) {
        let (before, here) = rest.split_at(start);
        if let Some(after) = here.strip_prefix("//") {
            rest = after.split_once('\n').map_or("", |(_, next)| next);
        } else if let Some(after) = here.strip_prefix('/') {
            rest = after;
        } else if let Some(after) = here.strip_prefix('\'') {
            // A character, or a lifetime.
            rest = match after.as_bytes() {
                [b'\\', _, b'\'', ..] => &after[3..],
                [_, b'\'', ..] => &after[2..],
                _ => after,
            };
        } else {
            let raw = before.ends_with('r');
            let (text, after) = literal(&here[1..], raw);
            found.push(text);
            rest = after;
        }
    }
    found
}

fn literal(text: &str, raw: bool) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' if !raw => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, '\n')) => {
                    let after = text[at + 2..].trim_start();
                    let (more, end) = literal(after, raw);
                    return (value + &more, end);
                }
                Some((_, other)) => value.push(other),
                None => break,
            },
            other => value.push(other),
        }
    }
    (value, "")
}

/// A whole statement on our schema, not a part from which `plan` puts one together.
fn is_statement(text: &str) -> bool {
    let begins = [
        "SELECT ",
        "SELECT\n",
        "INSERT INTO retentiond.",
        "UPDATE retentiond.",
        "DELETE FROM retentiond.",
        "WITH ",
    ];
    let text = text.trim_start();
    begins.iter().any(|begin| text.starts_with(begin))
        && text.contains("retentiond.")
        && !text.contains('{')
}

#[tokio::test]
async fn every_fixed_statement_fits_the_schema() {
    let url = support::migrated().await;
    let mut conn = support::client(&url).await;
    let mut files = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    // The ledger puts its statements together from parts and prepares each in a test of its
    // own; the demonstration asks the sample's tables.
    files.retain(|file| {
        !file.components().any(|part| {
            ["demo", "ledger"]
                .iter()
                .any(|room| part.as_os_str() == *room)
        })
    });
    let mut prepared = 0;
    for file in files {
        for statement in literals(&fs::read_to_string(&file).unwrap()) {
            if !is_statement(&statement) {
                continue;
            }
            let sql = format!("PREPARE s AS {statement}");
            if let Err(error) = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await {
                panic!("{}: {error}\n{statement}", file.display());
            }
            sqlx::raw_sql("DEALLOCATE s")
                .execute(&mut conn)
                .await
                .unwrap();
            prepared += 1;
        }
    }
    // They are there to be found: a search that finds nothing would pass as well.
    assert!(prepared >= 30, "only {prepared} statements were found");
}
