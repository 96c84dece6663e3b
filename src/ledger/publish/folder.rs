//! A folder that the log is published to. What a checkpoint covers is never written again.
//!
//! ```text
//! checkpoint                         the newest one, replaced as a whole
//! checkpoints/00000000000000000039   each, under its size
//! entries/00000000000000000012.jsonl       the entries from the 12th place on, a line each
//! manifests/2026/00000000000000000012.jsonl  the records of those of 2026
//! keys                               the public keys, a line each, the oldest first
//! cluster                            the server and database that it was published from last
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use super::segment::{EntryLine, ManifestLine};
use crate::ledger::checkpoint::{Checkpoint, CheckpointError};
use crate::ledger::note::{Note, Verifier};

/// Why a folder could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file or folder that the system does not give.
    #[error("cannot {what} {}", .path.display())]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A checkpoint that is none.
    #[error("{} is not a checkpoint", .path.display())]
    Checkpoint {
        /// Which.
        path: PathBuf,
        /// Why.
        source: CheckpointError,
    },
    /// A line that is none of a published log's.
    #[error("line {line} of {} is not one of a published log", .path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// Another root for the same size.
    #[error("{} was published with another root", .0.display())]
    Forked(PathBuf),
}

/// A folder with a published log.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

pub(super) fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::File { what, path, source }
}

/// Twenty digits, so that names sort as numbers.
fn numbered(number: u64) -> String {
    format!("{number:020}")
}

impl Folder {
    /// The folder, which need not be there yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The newest checkpoint, as it was signed; `None` if nothing was published.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub fn checkpoint(&self) -> Result<Option<(String, Checkpoint)>, FolderError> {
        let path = self.0.join("checkpoint");
        let note = match fs::read_to_string(&path) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed("read", &path)(source)),
        };
        match Note::parse(&note)
            .map_err(Into::into)
            .and_then(|parsed| Checkpoint::read(&parsed))
        {
            Ok(checkpoint) => Ok(Some((note, checkpoint))),
            Err(source) => Err(FolderError::Checkpoint { path, source }),
        }
    }

    /// Every checkpoint that was published, as it was signed, under the size that its file's
    /// name has; the shortest log's first.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn checkpoints(&self) -> Result<Vec<(u64, String)>, FolderError> {
        files(&self.0.join("checkpoints"))?
            .into_iter()
            .map(|(size, path)| {
                let note = fs::read_to_string(&path).map_err(failed("read", &path))?;
                Ok((size, note))
            })
            .collect()
    }

    /// The checkpoint that was published for a size.
    pub(super) fn checkpoint_at(&self, size: u64) -> Result<(String, Checkpoint), FolderError> {
        let path = self.0.join("checkpoints").join(numbered(size));
        let note = fs::read_to_string(&path).map_err(failed("read", &path))?;
        let read = Note::parse(&note)
            .map_err(Into::into)
            .and_then(|parsed| Checkpoint::read(&parsed));
        match read {
            Ok(checkpoint) => Ok((note, checkpoint)),
            Err(source) => Err(FolderError::Checkpoint { path, source }),
        }
    }

    /// From which server and database it was published last; `None` if that was not noted.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn cluster(&self) -> Result<Option<String>, FolderError> {
        let path = self.0.join("cluster");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed("read", &path)(source)),
        }
    }

    /// Notes from where it is published now.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_cluster(&self, text: &str) -> Result<(), FolderError> {
        whole(&self.0.join("cluster"), text)
    }

    /// Begins to write the entries from `first` on. What an interrupted attempt left there
    /// is written again: no checkpoint covers it.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub fn begin(&self, first: u64) -> Result<Writing<'_>, FolderError> {
        let path = self
            .0
            .join("entries")
            .join(numbered(first))
            .with_extension("jsonl");
        Ok(Writing {
            folder: self,
            first,
            entries: Sheet::new(path)?,
            manifests: BTreeMap::new(),
        })
    }

    fn publish(
        &self,
        note: &str,
        checkpoint: &Checkpoint,
        keys: &[Verifier],
    ) -> Result<(), FolderError> {
        let path = self.0.join("checkpoints").join(numbered(checkpoint.size));
        match fs::read_to_string(&path) {
            Ok(before) => {
                let before = Note::parse(&before)
                    .map_err(Into::into)
                    .and_then(|note| Checkpoint::read(&note));
                if before.as_ref() != Ok(checkpoint) {
                    return Err(FolderError::Forked(path));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => whole(&path, note)?,
            Err(source) => return Err(failed("read", &path)(source)),
        }
        let lines: String = keys.iter().map(|key| format!("{key}\n")).collect();
        whole(&self.0.join("keys"), &lines)?;
        whole(&self.0.join("checkpoint"), note)
    }

    /// Removes the records of a year, if they are there.
    ///
    /// # Errors
    /// When the system does not let them go.
    pub fn drop_details(&self, year: i32) -> Result<(), FolderError> {
        let years = self.0.join("manifests");
        let path = years.join(year.to_string());
        match fs::remove_dir_all(&path) {
            Ok(()) => File::open(&years)
                .and_then(|folder| folder.sync_all())
                .map_err(failed("write", &years)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(failed("write", &path)(source)),
        }
    }

    /// The published entries in order: each with its manifest if that is still there. Only
    /// for a folder that [`super::verify_folder`] found in order.
    ///
    /// # Errors
    /// When a file cannot be read or a line is none; then nothing more is told.
    pub fn read(
        &self,
        mut tell: impl FnMut(EntryLine, Option<ManifestLine>) -> Result<(), FolderError>,
    ) -> Result<(), FolderError> {
        self.tell(|told| match told {
            Told::Entry(entry, manifests) => {
                tell(entry, manifests.into_iter().next().map(|found| found.line))
            }
            Told::Stray(_) => Ok(()),
        })
    }

    /// Everything that the folder holds of entries and records, as it stands there, one file
    /// in memory at a time.
    pub(super) fn tell(
        &self,
        mut tell: impl FnMut(Told) -> Result<(), FolderError>,
    ) -> Result<(), FolderError> {
        let entries = files(&self.0.join("entries"))?;
        let mut years = Vec::new();
        for folder in folders(&self.0.join("manifests"))? {
            let year = folder
                .file_name()
                .and_then(|name| name.to_str()?.parse().ok());
            years.push((year, files(&folder)?));
        }
        let numbers: BTreeSet<u64> = years
            .iter()
            .flat_map(|(_, files)| files.keys())
            .chain(entries.keys())
            .copied()
            .collect();
        for number in numbers {
            let mut manifests: BTreeMap<u64, Vec<FoundManifest>> = BTreeMap::new();
            for (year, files) in &years {
                let Some(path) = files.get(&number) else {
                    continue;
                };
                lines::<ManifestLine>(path, |line| {
                    let found = FoundManifest { year: *year, line };
                    manifests.entry(found.line.entry).or_default().push(found);
                    Ok(())
                })?;
            }
            if let Some(path) = entries.get(&number) {
                // What an interrupted attempt wrote, the file of a later one has again.
                let next = (Bound::Excluded(number), Bound::Unbounded);
                let end = entries
                    .range(next)
                    .next()
                    .map_or(u64::MAX, |(next, _)| *next);
                lines::<EntryLine>(path, |line| {
                    if line.entry >= end {
                        return Ok(());
                    }
                    let of_entry = manifests.remove(&line.entry).unwrap_or_default();
                    tell(Told::Entry(line, of_entry))
                })?;
            }
            for place in manifests.into_keys() {
                tell(Told::Stray(place))?;
            }
        }
        Ok(())
    }
}

/// What a published folder holds.
pub(super) enum Told {
    /// An entry, and what stands there as its records: one at most, if all is well.
    Entry(EntryLine, Vec<FoundManifest>),
    /// Records of the entry at a place, where that entry is not.
    Stray(u64),
}

/// Records, and the year in whose folder they lie; `None` if its name is none.
pub(super) struct FoundManifest {
    pub year: Option<i32>,
    pub line: ManifestLine,
}

/// Entries on their way into a folder.
#[derive(Debug)]
pub struct Writing<'f> {
    folder: &'f Folder,
    first: u64,
    entries: Sheet,
    manifests: BTreeMap<i32, Sheet>,
}

impl Writing<'_> {
    /// The next entry, and its records if it has some.
    ///
    /// # Errors
    /// When the system does not take it.
    pub fn push(
        &mut self,
        entry: &EntryLine,
        manifest: Option<(i32, &ManifestLine)>,
    ) -> Result<(), FolderError> {
        self.entries.push(entry)?;
        let Some((year, line)) = manifest else {
            return Ok(());
        };
        if !self.manifests.contains_key(&year) {
            let name = numbered(self.first);
            let folder = self.folder.0.join("manifests").join(year.to_string());
            let sheet = Sheet::new(folder.join(name).with_extension("jsonl"))?;
            self.manifests.insert(year, sheet);
        }
        match self.manifests.get_mut(&year) {
            Some(sheet) => sheet.push(line),
            None => Ok(()),
        }
    }

    /// Ends with the checkpoint over what was written: only now is it published.
    ///
    /// # Errors
    /// When the system does not take it, or another root was published for that size.
    pub fn finish(
        self,
        note: &str,
        checkpoint: &Checkpoint,
        keys: &[Verifier],
    ) -> Result<(), FolderError> {
        for sheet in self.manifests.into_values() {
            sheet.finish()?;
        }
        self.entries.finish()?;
        self.folder.publish(note, checkpoint, keys)
    }
}

/// A file of lines that takes its name when it is whole.
#[derive(Debug)]
struct Sheet {
    path: PathBuf,
    part: PathBuf,
    out: BufWriter<File>,
}

impl Sheet {
    fn new(path: PathBuf) -> Result<Self, FolderError> {
        let part = path.with_extension("part");
        let file = make(&part)?;
        Ok(Self {
            path,
            part,
            out: BufWriter::new(file),
        })
    }

    fn push(&mut self, line: &impl serde::Serialize) -> Result<(), FolderError> {
        serde_json::to_writer(&mut self.out, line)
            .map_err(io::Error::from)
            .and_then(|()| self.out.write_all(b"\n"))
            .map_err(failed("write", &self.part))
    }

    fn finish(mut self) -> Result<(), FolderError> {
        self.out
            .flush()
            .and_then(|()| self.out.get_ref().sync_all())
            .and_then(|()| named(&self.part, &self.path))
            .map_err(failed("write", &self.path))
    }
}

/// A new file, in a folder that is made if it is not there.
fn make(path: &Path) -> Result<File, FolderError> {
    let open = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
    };
    open().map_err(failed("write", path))
}

/// Gives a synced file its name, so that it is there after a crash.
fn named(part: &Path, path: &Path) -> io::Result<()> {
    fs::rename(part, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// A file that has all of `text`, or is as it was before.
pub(super) fn whole(path: &Path, text: &str) -> Result<(), FolderError> {
    let part = path.with_extension("part");
    let mut file = make(&part)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| named(&part, path))
        .map_err(failed("write", path))
}

/// The files of a folder whose names are numbers, in their order; none if it is not there.
pub(super) fn files(folder: &Path) -> Result<BTreeMap<u64, PathBuf>, FolderError> {
    let mut found = BTreeMap::new();
    for path in listed(folder)? {
        let whole = path.extension().is_none_or(|ending| ending == "jsonl");
        let number = path
            .file_stem()
            .and_then(|name| name.to_str()?.parse().ok());
        if let (true, Some(number)) = (whole, number) {
            found.insert(number, path);
        }
    }
    Ok(found)
}

pub(super) fn folders(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let mut found = listed(folder)?;
    found.retain(|path| path.is_dir());
    found.sort();
    Ok(found)
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    match fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(failed("read", folder)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(failed("read", folder)(source)),
    }
}

fn lines<T: serde::de::DeserializeOwned>(
    path: &Path,
    mut tell: impl FnMut(T) -> Result<(), FolderError>,
) -> Result<(), FolderError> {
    let file = File::open(path).map_err(failed("read", path))?;
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(failed("read", path))?;
        let value = serde_json::from_str(&line).map_err(|_| FolderError::Line {
            path: path.to_owned(),
            line: number + 1,
        })?;
        tell(value)?;
    }
    Ok(())
}
