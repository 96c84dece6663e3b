//! Whether a copy of the log, away from its database, is what was signed: a published
//! folder or an export, with nothing but public keys and a checkpoint.

use std::io::BufRead;
use std::path::Path;

use chrono::Datelike;
use serde::Deserialize;
use serde_json::Value;

use super::folder::{Folder, FolderError, FoundManifest, Told};
use super::segment::EntryLine;
use crate::ident::Ident;
use crate::ledger::audit::{Audit, Fault, Trust, Verification};
use crate::ledger::entry::Entry;
use crate::ledger::key::{KeyColumn, KeyColumns, KeyKind, KeyValue};
use crate::ledger::manifest::{Manifest, ManifestBuilder};
use crate::ledger::merkle::{CompactRange, Hash};
use crate::ledger::store;

/// Verifies a published log.
///
/// # Errors
/// When it cannot be read. What is wrong with it is no error but the answer.
pub fn verify_folder(folder: &Folder, trust: &Trust) -> Result<Verification, FolderError> {
    let mut audit = Audit::new(trust);
    let checkpoints = folder.checkpoints()?;
    let newest = folder.checkpoint()?;
    for (size, note) in &checkpoints {
        audit.kept_checkpoint(note, Some(*size), None);
    }
    // Usually the last of them once more, letter for letter.
    let newest_is_kept = |note: &String| checkpoints.iter().any(|(_, kept)| kept == note);
    if let Some((note, _)) = newest.as_ref().filter(|(note, _)| !newest_is_kept(note)) {
        audit.kept_checkpoint(note, None, None);
    }
    // Entries that no checkpoint covers yet are on their way, and not published.
    let covered = newest.map_or(0, |(_, newest)| newest.size);
    let mut stray = Vec::new();
    folder.tell(|told| {
        match told {
            Told::Entry(line, manifests) if line.entry < covered => {
                published(&mut audit, &line, &manifests);
            }
            Told::Stray(place) if place < covered => stray.push(place),
            Told::Entry(..) | Told::Stray(_) => {}
        }
        Ok(())
    })?;
    // Those beyond the last entry belong to an end that is lost.
    for place in stray
        .into_iter()
        .filter(|place| *place < audit.size())
        .collect::<Vec<_>>()
    {
        audit.wrong(Some(place), None, "records lie there that are not its own");
    }
    Ok(audit.conclude())
}

fn published(audit: &mut Audit, line: &EntryLine, manifests: &[FoundManifest]) {
    audit.entries += 1;
    if !audit.leaf(line.entry, None, Some(&line.leaf), None) {
        return;
    }
    let Some(entry) = decoded(audit, Some(line.entry), &line.leaf) else {
        return;
    };
    let checked = match (entry.manifest, manifests) {
        (None, []) => return,
        (None, _) => Err(Fault::Wrong("records were added to it")),
        (Some(_), []) => return audit.no_records(Some(line.entry), &entry),
        (Some(root), [found]) => check_manifest(&entry, root, found),
        (Some(_), _) => Err(Fault::Wrong("it has records twice")),
    };
    match checked {
        Ok(records) => audit.records += records,
        Err(fault) => audit.fault(Some(line.entry), Some(entry.id), fault),
    }
}

fn check_manifest(entry: &Entry, root: Hash, found: &FoundManifest) -> Result<u64, Fault> {
    if found.year != Some(entry.at.year()) {
        return Err(Fault::Wrong("its records lie in another year"));
    }
    let seed = <[u8; 32]>::try_from(found.line.seed.as_slice())
        .map_err(|_| Fault::Wrong("the seed of its records is not one"))?;
    let computed =
        Manifest::recompute(&found.line.records, seed).map_err(|error| match error.is_newer() {
            true => Fault::Unread("its records were written by a newer program"),
            false => Fault::Wrong("its records cannot be read"),
        })?;
    if computed.bytes != found.line.records {
        return Err(Fault::Wrong(
            "its records are not spelled as they should be",
        ));
    }
    agree(entry, root, computed.root, computed.count)
}

/// The entry of these bytes, told to the audit; `None` if they are none.
fn decoded(audit: &mut Audit, index: Option<u64>, bytes: &[u8]) -> Option<Entry> {
    match Entry::decode(bytes) {
        Ok(entry) => {
            audit.entry(index, &entry);
            Some(entry)
        }
        Err(error) => {
            let fault = match error.is_newer() {
                true => Fault::Unread("it was written by a newer program"),
                false => Fault::Wrong("its bytes are not those of an entry"),
            };
            audit.fault(index, None, fault);
            None
        }
    }
}

fn agree(entry: &Entry, stated: Hash, computed: Hash, count: u64) -> Result<u64, Fault> {
    if computed != stated {
        return Err(Fault::Wrong(
            "its records do not have the root that it states",
        ));
    }
    if count != entry.count {
        return Err(Fault::Wrong("it has not as many records as it states"));
    }
    Ok(count)
}

/// A line of `ledger export`, as far as it is needed.
#[derive(Deserialize)]
struct ExportLine {
    entry: Option<u64>,
    leaf: String,
    records: Option<Vec<ExportRecord>>,
    seed: Option<String>,
}

#[derive(Deserialize)]
struct ExportRecord {
    key: Value,
    trigger: Option<String>,
    last_day: Option<String>,
    parent: Option<Value>,
}

/// Verifies an export in JSON lines. One that leaves entries out is incomplete at best.
///
/// # Errors
/// When a line is none of an export's.
pub fn verify_export(
    path: &Path,
    lines: impl BufRead,
    trust: &Trust,
) -> Result<Verification, FolderError> {
    let mut audit = Audit::new(trust);
    for (number, line) in lines.lines().enumerate() {
        let wrong = || FolderError::Line {
            path: path.to_owned(),
            line: number + 1,
        };
        let line = line.map_err(|source| FolderError::File {
            what: "read",
            path: path.to_owned(),
            source,
        })?;
        let line: ExportLine = serde_json::from_str(&line).map_err(|_| wrong())?;
        let leaf = hex::decode(&line.leaf).map_err(|_| wrong())?;
        audit.entries += 1;
        let index = line.entry;
        match index {
            Some(index) => {
                if !audit.leaf(index, None, Some(&leaf), None) {
                    continue;
                }
            }
            None => audit.unsealed += 1,
        }
        let Some(entry) = decoded(&mut audit, index, &leaf) else {
            continue;
        };
        let checked = match (entry.manifest, line.records.as_deref()) {
            (None, None | Some([])) => continue,
            (None, Some(_)) => Err(Fault::Wrong("records were added to it")),
            (Some(_), None) => {
                audit.no_records(index, &entry);
                continue;
            }
            (Some(root), Some(records)) => rebuilt(&line, records)
                .ok_or(Fault::Wrong("its records cannot be read"))
                .and_then(|(computed, count)| agree(&entry, root, computed, count)),
        };
        match checked {
            Ok(records) => audit.records += records,
            Err(fault) => audit.fault(index, Some(entry.id), fault),
        }
    }
    Ok(audit.conclude())
}

/// The root of the manifest that the records of a line have, and their number.
fn rebuilt(line: &ExportLine, records: &[ExportRecord]) -> Option<(Hash, u64)> {
    let seed = hex::decode(line.seed.as_ref()?).ok()?.try_into().ok()?;
    let Some(first) = records.first() else {
        // Without columns, which no export shows of no record; the root is the same.
        return Some((CompactRange::new().root(), 0));
    };
    let columns = columns(&first.key)?;
    let parents = match &first.parent {
        None => None,
        Some(parent) => Some(self::columns(parent)?),
    };
    let mut builder = ManifestBuilder::new(columns.clone(), parents.clone(), seed);
    for record in records {
        let key = values(&columns, &record.key)?;
        let parent = match (&parents, &record.parent) {
            (None, None) => None,
            (Some(columns), Some(parent)) => Some(values(columns, parent)?),
            _ => return None,
        };
        builder
            .push(
                &key,
                day(record.trigger.as_deref())?,
                day(record.last_day.as_deref())?,
                parent.as_deref(),
            )
            .ok()?;
    }
    let manifest = builder.finish();
    Some((manifest.root, manifest.count))
}

/// The columns of a key, which stand in it in their order: whole numbers are numbers.
fn columns(key: &Value) -> Option<KeyColumns> {
    let columns = key.as_object()?.iter().map(|(name, value)| {
        let kind = match value {
            Value::Number(_) => KeyKind::Int,
            Value::String(_) => KeyKind::Text,
            _ => return None,
        };
        let name = Ident::new(name).ok()?;
        Some(KeyColumn { name, kind })
    });
    KeyColumns::new(columns.collect::<Option<_>>()?).ok()
}

fn values(columns: &KeyColumns, key: &Value) -> Option<Vec<KeyValue<'static>>> {
    let key = key.as_object()?;
    if key.len() != columns.as_slice().len() {
        return None;
    }
    columns
        .as_slice()
        .iter()
        .map(
            |column| match (column.kind, key.get(column.name.as_str())?) {
                (KeyKind::Int, Value::Number(number)) => number.as_i64().map(KeyValue::Int),
                (KeyKind::Text, Value::String(text)) => Some(KeyValue::Text(text.clone().into())),
                _ => None,
            },
        )
        .collect()
}

fn day(text: Option<&str>) -> Option<Option<i32>> {
    match text {
        None => Some(None),
        Some(text) => store::parse_day(text).map(Some),
    }
}
