//! Running the program, and what it said.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// An empty folder, in which the program is run with nothing in its environment but what
/// is given here.
pub struct Desk {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Desk {
    /// Without a database.
    pub fn bare() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            environment: Vec::new(),
        }
    }

    /// With the schedule in `retention.toml`, and the database in `DATABASE_URL`.
    pub fn with(url: &str, schedule: &str) -> Self {
        let desk = Self::bare().set("DATABASE_URL", url);
        desk.write("retention.toml", schedule);
        desk
    }

    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The program with these words, not yet run.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_retentiond"));
        command
            .args(words)
            .env_clear()
            .env("HOME", self.folder.path())
            .env(
                "RETENTIOND__STATE__DIRECTORY",
                self.folder.path().join("state"),
            )
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs the program with the words of a line, split at blanks.
    pub fn run(&self, line: &str) -> Said {
        self.run_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub fn run_words(&self, words: &[&str]) -> Said {
        Said::from(self.command(words).output().unwrap())
    }

    /// The one object of a command that answers in JSON, and its exit code.
    pub fn json(&self, line: &str) -> (i32, Value) {
        let said = self.run(&format!("{line} --format json"));
        (said.code, said.object())
    }
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program speaks UTF-8");
        Self {
            code: output.status.code().expect("no signal ended it"),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

impl Said {
    /// Standard output as exactly one object.
    pub fn object(&self) -> Value {
        let value: Value =
            serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}\n{self}"));
        assert!(value.is_object(), "{self}");
        value
    }

    /// Standard error as exactly one `{"error": …}`, with nothing on standard output.
    pub fn error(&self) -> Value {
        assert_eq!(self.out, "", "{self}");
        let value: Value =
            serde_json::from_str(&self.err).unwrap_or_else(|e| panic!("{e}\n{self}"));
        value["error"].clone()
    }

    /// The same with what differs from run to run put out of sight.
    pub fn redacted(&self) -> Self {
        Self {
            code: self.code,
            out: redact(&self.out),
            err: redact(&self.err),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}", self.code)?;
        for (name, text) in [("out", &self.out), ("err", &self.err)] {
            if !text.is_empty() {
                write!(f, "\n--- {name}\n{}", text.trim_end_matches('\n'))?;
            }
        }
        Ok(())
    }
}

/// Instants, digests, seconds and the numbers of entries by stars that leave columns where
/// they are. Days are left.
pub fn redact(text: &str) -> String {
    let mut out: Vec<char> = Vec::new();
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        // Neither within a word, nor the end of a uuid or of a version.
        let within =
            at > 0 && (chars[at - 1].is_ascii_alphanumeric() || "-.".contains(chars[at - 1]));
        let found = if within {
            None
        } else {
            like(rest, "0000-00-00 00:00:00")
                .or_else(|| like(rest, "x".repeat(64).as_str()))
                .or_else(|| {
                    like(rest, "xxxxxxxxxxxx")
                        .filter(|_| rest[..12].iter().any(char::is_ascii_digit))
                })
                .or_else(|| like(rest, "0.0").filter(|long| rest.get(*long) != Some(&'.')))
        };
        match found {
            Some(long) => {
                out.extend(
                    chars[at..at + long]
                        .iter()
                        .map(|c| if c.is_ascii_alphanumeric() { '*' } else { *c }),
                );
                at += long;
            }
            None => {
                out.push(chars[at]);
                at += 1;
            }
        }
    }
    let text: String = out.into_iter().collect();
    let lines: Vec<String> = text.split('\n').map(without_entry).collect();
    lines.join("\n")
}

/// Entries' numbers have gaps where a batch was rolled back, and how many is nobody's
/// business: `(entry 19, …`, and the first column of a listing.
fn without_entry(line: &str) -> String {
    if let Some((before, after)) = line.split_once("(entry ") {
        return format!(
            "{before}(entry *{}",
            after.trim_start_matches(|c: char| c.is_ascii_digit())
        );
    }
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = line.len() - rest.len();
    if digits > 0 && rest.starts_with("  ") {
        return format!("*{}{rest}", " ".repeat(digits - 1));
    }
    line.to_owned()
}

/// The length of a pattern that the text begins with: `0` is a digit, `x` a hexadecimal
/// one, and no such character follows.
fn like(text: &[char], pattern: &str) -> Option<usize> {
    let long = pattern.chars().count();
    let fits = text.len() >= long
        && pattern.chars().zip(text).all(|(p, c)| match p {
            '0' => c.is_ascii_digit(),
            'x' => c.is_ascii_digit() || ('a'..='f').contains(c),
            other => other == *c,
        });
    let ends = text
        .get(long)
        .is_none_or(|next| !next.is_ascii_alphanumeric());
    (fits && ends).then_some(long)
}

#[test]
fn what_differs_from_run_to_run_is_hidden_and_no_more() {
    let text = "schedule af28d24d3b3b, 2026-11-23 02:00:00 (0.1 s), due 2026-11-23, communications, program 0.1.0";
    let hidden = "schedule ************, ****-**-** **:**:** (*.* s), due 2026-11-23, communications, program 0.1.0";
    assert_eq!(redact(text), hidden);
}
