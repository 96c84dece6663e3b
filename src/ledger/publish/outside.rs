//! Whether a copy of the log, away from its database, is what was signed: a published
//! folder or an export, with nothing but public keys and a checkpoint.

use std::io::BufRead;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::folder::{Folder, FolderError};
use super::segment::{EntryLine, ManifestLine};
use crate::ident::Ident;
use crate::ledger::audit::{Audit, Fault, Trust, Verification};
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::entry::Entry;
use crate::ledger::key::{KeyColumn, KeyColumns, KeyKind, KeyValue};
use crate::ledger::manifest::{Manifest, ManifestBuilder};
use crate::ledger::merkle::Hash;
use crate::ledger::note::Note;
use crate::ledger::store;

/// Verifies a published log.
///
/// # Errors
/// When it cannot be read. What is wrong with it is no error but the answer.
pub fn verify_folder(folder: &Folder, trust: &Trust) -> Result<Verification, FolderError> {
    let mut audit = Audit::new(trust);
    for note in folder.checkpoints()? {
        let (size, root) = match Note::parse(&note)
            .map_err(Into::into)
            .and_then(|note| Checkpoint::read(&note))
        {
            Ok(checkpoint) => (checkpoint.size, checkpoint.root),
            Err(_) => (0, [0; 32]),
        };
        audit.kept_checkpoint(&note, size, &root);
    }
    // Entries that no checkpoint covers yet are on their way, and not published.
    let covered = folder.checkpoint()?.map_or(0, |(_, newest)| newest.size);
    folder.read(|line, manifest| {
        if line.entry < covered {
            published(&mut audit, &line, manifest.as_ref());
        }
        Ok(())
    })?;
    Ok(audit.conclude())
}

fn published(audit: &mut Audit, line: &EntryLine, manifest: Option<&ManifestLine>) {
    audit.leaf(line.entry, None, Some(&line.leaf), None);
    audit.entries += 1;
    let Some(entry) = decoded(audit, line.entry, &line.leaf) else {
        return;
    };
    let Some(root) = entry.manifest else {
        if manifest.is_some() {
            audit.wrong(Some(line.entry), Some(entry.id), "records were added to it");
        }
        return;
    };
    let Some(manifest) = manifest else {
        audit.no_records(Some(line.entry), &entry);
        return;
    };
    let checked = <[u8; 32]>::try_from(manifest.seed.as_slice())
        .map_err(|_| Fault::Wrong("the seed of its records is not one"))
        .and_then(|seed| {
            Manifest::recompute(&manifest.records, seed).map_err(|error| match error.is_newer() {
                true => Fault::Unread("its records were written by a newer program"),
                false => Fault::Wrong("its records cannot be read"),
            })
        })
        .and_then(|computed| agree(&entry, root, computed.root, computed.count));
    match checked {
        Ok(records) => audit.records += records,
        Err(fault) => audit.fault(Some(line.entry), Some(entry.id), fault),
    }
}

/// The entry of these bytes, told to the audit; `None` if they are none.
fn decoded(audit: &mut Audit, index: u64, bytes: &[u8]) -> Option<Entry> {
    match Entry::decode(bytes) {
        Ok(entry) => {
            audit.entry(Some(index), &entry);
            Some(entry)
        }
        Err(error) => {
            let fault = match error.is_newer() {
                true => Fault::Unread("it was written by a newer program"),
                false => Fault::Wrong("its bytes are not those of an entry"),
            };
            audit.fault(Some(index), None, fault);
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
        let Some(index) = line.entry else {
            audit.unsealed += 1;
            continue;
        };
        audit.leaf(index, None, Some(&leaf), None);
        let Some(entry) = decoded(&mut audit, index, &leaf) else {
            continue;
        };
        match (entry.manifest, line.records.as_deref()) {
            (None, None | Some([])) => {}
            (None, Some(_)) => audit.wrong(Some(index), Some(entry.id), "records were added to it"),
            (Some(_), None) => audit.no_records(Some(index), &entry),
            (Some(root), Some(records)) => match rebuilt(&line, records) {
                Some(computed) => match agree(&entry, root, computed.root, computed.count) {
                    Ok(records) => audit.records += records,
                    Err(fault) => audit.fault(Some(index), Some(entry.id), fault),
                },
                None => audit.wrong(Some(index), Some(entry.id), "its records cannot be read"),
            },
        }
    }
    Ok(audit.conclude())
}

/// The manifest that the records of a line have.
fn rebuilt(line: &ExportLine, records: &[ExportRecord]) -> Option<Manifest> {
    let seed = hex::decode(line.seed.as_ref()?).ok()?.try_into().ok()?;
    let first = records.first()?;
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
    Some(builder.finish())
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
