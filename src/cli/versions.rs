//! Which version of the schedule is in force, and what the file changes, in words and as JSON.

use serde_json::{Value, json};

use super::output;
use crate::schedule::{Change, Schedule};
use crate::survey::{Coming, Versions};

/// `sha256:…`
pub(super) fn full(digest: &[u8; 32]) -> String {
    format!("sha256:{}", hex::encode(digest))
}

/// The command that accepts something.
pub(super) fn command(digest: &[u8; 32]) -> String {
    format!("retentiond accept {} --reason TEXT", output::short(digest))
}

/// A change with its line, as a list has it.
pub(super) fn line(change: &Change) -> String {
    let asks = if change.asks { "" } else { " (asks nobody)" };
    if change.place.is_somewhere() {
        format!("  line {}: {change}{asks}", change.place.line)
    } else {
        format!("  {change}{asks}")
    }
}

/// What a person should know about the file; nothing where it is in force.
pub(super) fn remarks(file: &Schedule, versions: &Versions) -> Vec<String> {
    let mut said = Vec::new();
    let since = |versions: &Versions| {
        versions.accepted.as_ref().map_or_else(String::new, |old| {
            format!(
                "{}, in force since {}",
                output::short(old.schedule.digest()),
                output::instant(old.since, old.schedule.time_zone())
            )
        })
    };
    match (versions.coming, &versions.accepted) {
        (Coming::InForce, _) | (Coming::AtOnce | Coming::Automatic, None) => {}
        (Coming::AtOnce | Coming::Automatic, Some(_)) => {
            said.push(format!(
                "With the next pass this version takes the place of {}; nobody has to accept it. It changes:",
                since(versions)
            ));
            said.extend(versions.changes.iter().map(line));
        }
        (Coming::Waits, None) => said.push(format!(
            "No version of this schedule was ever accepted, and until one is nothing is done. If this one is right: `{}`.",
            command(file.digest())
        )),
        (Coming::Waits, Some(_)) => {
            said.push(format!(
                "THIS VERSION WAITS for a person, and the accepted one stays: {}. Until then only what both would let go goes. It changes:",
                since(versions)
            ));
            said.extend(versions.changes.iter().map(line));
            said.push(format!("If that is right: `{}`.", command(file.digest())));
        }
    }
    said
}

/// The same for scripts.
pub(super) fn to_json(file: &Schedule, versions: &Versions) -> Value {
    let coming = match versions.coming {
        Coming::InForce => "in force",
        Coming::AtOnce => "at once",
        Coming::Automatic => "automatic",
        Coming::Waits => "waits",
    };
    json!({
        "schedule": full(file.digest()),
        "status": coming,
        "in_force": versions.accepted.as_ref().map(|old| full(old.schedule.digest())),
        "since": versions.accepted.as_ref().map(|old| old.since),
        "changes": changes(file, &versions.changes),
    })
}

/// Changes, each with its class and its place in the file.
pub(super) fn changes(file: &Schedule, changes: &[Change]) -> Vec<Value> {
    changes
        .iter()
        .map(|change| {
            let at = change.place.is_somewhere().then(|| {
                json!({ "file": file.file(), "line": change.place.line, "column": change.place.column })
            });
            json!({
                "class": change.class, "key": change.key, "what": change.what,
                "asks": change.asks, "at": at,
            })
        })
        .collect()
}
