//! What was published to a folder, read again in parts for a sink that takes messages.
//!
//! A part never grows beyond [`LIMIT`] and one entry, and where it begins and ends follows
//! from the folder alone: sent again, it is the same part.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::folder::{Folder, FolderError, failed, files, folders};
use super::segment::{EntryLine, ManifestLine};
use crate::ledger::checkpoint::Checkpoint;

/// A part ends with the entry that takes its lines over this.
const LIMIT: usize = 1 << 20;

/// Entries with their records, and the checkpoint that covers them.
#[derive(Debug)]
pub(super) struct Part {
    /// The place of its first entry.
    pub from: u64,
    /// The place after its last entry.
    pub until: u64,
    /// What its publication ended with.
    pub checkpoint: Checkpoint,
    /// What is sent.
    pub body: Vec<u8>,
}

/// The parts of a published log from one place on.
#[derive(Debug)]
pub(super) struct Parts {
    folder: Folder,
    newest: u64,
    next: u64,
    open: Option<Segment>,
}

/// One publication, as far as it was read.
#[derive(Debug)]
struct Segment {
    end: u64,
    note: String,
    checkpoint: Checkpoint,
    entries: Lines,
    manifests: Vec<(String, Lines)>,
}

impl Parts {
    /// The parts from the entry at `next` on.
    pub(super) fn from(folder: &Folder, next: u64) -> Result<Self, FolderError> {
        Ok(Self {
            newest: folder.checkpoint()?.map_or(0, |(_, newest)| newest.size),
            folder: folder.clone(),
            next,
            open: None,
        })
    }

    /// The next part; `None` when everything that is published was told.
    pub(super) fn next(&mut self) -> Result<Option<Part>, FolderError> {
        if self.next >= self.newest {
            return Ok(None);
        }
        let mut segment = match self.open.take() {
            Some(segment) if self.next < segment.end => segment,
            _ => self.segment()?,
        };
        let part = segment.part(self.next)?;
        self.next = part.until;
        self.open = Some(segment);
        Ok(Some(part))
    }

    /// The publication that the next entry belongs to.
    fn segment(&self) -> Result<Segment, FolderError> {
        let path = self.folder.path();
        let entries = files(&path.join("entries"))?;
        let missing = || failed("read", &path.join("entries"))(ErrorKind::NotFound.into());
        let (first, file) = entries
            .range(..=self.next)
            .next_back()
            .ok_or_else(missing)?;
        let after = entries.range(self.next + 1..).next();
        let end = after.map_or(self.newest, |(end, _)| self.newest.min(*end));
        let (note, checkpoint) = self.folder.checkpoint_at(end)?;
        let mut manifests = Vec::new();
        for year in folders(&path.join("manifests"))? {
            let Some(name) = year.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if name.parse::<i32>().is_ok()
                && let Some(file) = files(&year)?.get(first)
                && let Some(lines) = Lines::open_if_there(file)?
            {
                manifests.push((name.to_owned(), lines));
            }
        }
        Ok(Segment {
            end,
            note,
            checkpoint,
            entries: Lines::open(file)?,
            manifests,
        })
    }
}

impl Segment {
    fn part(&mut self, from: u64) -> Result<Part, FolderError> {
        let mut until = from;
        let mut length = 0;
        let mut entries = Vec::new();
        let mut manifests: Vec<(String, Vec<String>)> = self
            .manifests
            .iter()
            .map(|(year, _)| (year.clone(), Vec::new()))
            .collect();
        while until < self.end && length < LIMIT {
            let Some((place, line)) = self.entries.take_from::<EntryLine>(until)? else {
                return Err(self.entries.wrong());
            };
            if place != until {
                return Err(self.entries.wrong());
            }
            length += line.len() + 1;
            entries.push(line);
            for ((_, read), (_, lines)) in self.manifests.iter_mut().zip(&mut manifests) {
                if let Some(line) = read.take_at::<ManifestLine>(until)? {
                    length += line.len() + 1;
                    lines.push(line);
                }
            }
            until += 1;
        }
        let body = body(
            &self.note,
            &self.checkpoint,
            (from, until),
            &entries,
            &manifests,
        );
        Ok(Part {
            from,
            until,
            checkpoint: self.checkpoint.clone(),
            body,
        })
    }
}

/// The lines stand in it as they stand in the folder.
fn body(
    note: &str,
    checkpoint: &Checkpoint,
    (from, until): (u64, u64),
    entries: &[String],
    manifests: &[(String, Vec<String>)],
) -> Vec<u8> {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let years: Vec<String> = manifests
        .iter()
        .filter(|(_, lines)| !lines.is_empty())
        .map(|(year, lines)| format!("{}:[{}]", text(year), lines.join(",")))
        .collect();
    format!(
        "{{\"type\":\"retentiond.ledger.published\",\"data\":{{\"origin\":{},\"size\":{},\
         \"from\":{from},\"until\":{until},\"checkpoint\":{},\"entries\":[{}],\"manifests\":{{{}}}}}}}",
        text(&checkpoint.origin),
        checkpoint.size,
        text(note),
        entries.join(","),
        years.join(",")
    )
    .into_bytes()
}

/// A line of a published log.
trait Placed: DeserializeOwned {
    fn place(&self) -> u64;
}

impl Placed for EntryLine {
    fn place(&self) -> u64 {
        self.entry
    }
}

impl Placed for ManifestLine {
    fn place(&self) -> u64 {
        self.entry
    }
}

/// A file's lines, one in memory at a time.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    number: usize,
    ahead: Option<(u64, String)>,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, FolderError> {
        let file = File::open(path).map_err(failed("read", path))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::new(file),
            number: 0,
            ahead: None,
        })
    }

    /// The details of a year may be dropped at any time.
    fn open_if_there(path: &Path) -> Result<Option<Self>, FolderError> {
        match Self::open(path) {
            Ok(lines) => Ok(Some(lines)),
            Err(FolderError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn wrong(&self) -> FolderError {
        FolderError::Line {
            path: self.path.clone(),
            line: self.number,
        }
    }

    fn read<T: Placed>(&mut self) -> Result<Option<(u64, String)>, FolderError> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let mut line = String::new();
        let length = self
            .file
            .read_line(&mut line)
            .map_err(failed("read", &self.path))?;
        self.number += 1;
        if length == 0 {
            return Ok(None);
        }
        line.truncate(line.trim_end().len());
        let parsed: T = serde_json::from_str(&line).map_err(|_| self.wrong())?;
        Ok(Some((parsed.place(), line)))
    }

    /// The first line at this place or a later one.
    fn take_from<T: Placed>(&mut self, place: u64) -> Result<Option<(u64, String)>, FolderError> {
        while let Some((found, line)) = self.read::<T>()? {
            if found >= place {
                return Ok(Some((found, line)));
            }
        }
        Ok(None)
    }

    /// The line of this place; a later one is kept for later.
    fn take_at<T: Placed>(&mut self, place: u64) -> Result<Option<String>, FolderError> {
        match self.take_from::<T>(place)? {
            Some((found, line)) if found == place => Ok(Some(line)),
            later => {
                self.ahead = later;
                Ok(None)
            }
        }
    }
}
