//! Whether a log is the one that was signed: the question, wherever the entries come from.
//!
//! An `Audit` is told every entry in the log's order, and every checkpoint that is known;
//! it grows the tree again, and concludes with a [`Verification`]. It sees what is wrong
//! with the order, with what is derived, and with the whole; what is wrong with one
//! entry's own bytes its teller says.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::Datelike;
use serde_json::{Value, json};

use super::checkpoint::Checkpoint;
use super::entry::{Action, Entry, EntryId};
use super::keychange::KeyChange;
use super::merkle::{CompactRange, Hash, leaf_hash};
use super::note::{Note, Verifier};

/// The answer, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is as it was written, as far as was looked.
    Ok,
    /// A byte, an entry, an order or a derived value is not what it was, a checkpoint is
    /// forged, or its key was replaced.
    Tampered,
    /// Shorter than a checkpoint that is known.
    Truncated,
    /// Not what a checkpoint that is known was signed over.
    Forked,
    /// Something could not be checked.
    Incomplete,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::Tampered => "TAMPERED",
            Self::Truncated => "TRUNCATED",
            Self::Forked => "FORKED",
            Self::Incomplete => "INCOMPLETE",
        })
    }
}

/// The first entry that is not what was written, or could not be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstBad {
    /// Its place in the log; `None` if it is not sealed.
    pub entry: Option<u64>,
    /// Its number; `None` where there is no entry to have one.
    pub id: Option<EntryId>,
    /// What is wrong with it, in a sentence's end: `its hash is not that of its bytes`.
    pub what: String,
}

/// The details of a year that are there no more, and the entry that said so before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// The year of the entries whose records are gone.
    pub year: i32,
    /// The place of the entry that says so.
    pub entry: Option<u64>,
}

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The answer.
    pub verdict: Verdict,
    /// Whether a checkpoint from outside took part.
    pub anchored: bool,
    /// How many entries are sealed.
    pub size: u64,
    /// The root of the sealed log.
    pub root: Hash,
    /// How many entries are not sealed yet.
    pub unsealed: u64,
    /// How many entries were read.
    pub entries: u64,
    /// How many records of manifests were read and agree with their entry.
    pub records: u64,
    /// How many checkpoints were compared.
    pub checkpoints: u64,
    /// How many entries are wrong (a manifest without an entry counts as one).
    pub bad: u64,
    /// How many entries only a newer program can read.
    pub unread: u64,
    /// The first wrong entry; where none is wrong, the first that could not be checked.
    pub first_bad: Option<FirstBad>,
    /// What is wrong with, or could not be checked of, the log as a whole.
    pub remarks: Vec<String>,
    /// The years whose details were dropped.
    pub dropped: Vec<Dropped>,
}

impl Verification {
    /// The object of `ledger verify --format json`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let first_bad = self
            .first_bad
            .as_ref()
            .map(|bad| json!({ "entry": bad.entry, "id": bad.id, "what": bad.what }));
        let dropped: Vec<Value> = self
            .dropped
            .iter()
            .map(|dropped| json!({ "year": dropped.year, "entry": dropped.entry }))
            .collect();
        json!({ "verify": {
            "verdict": self.verdict.to_string(),
            "anchored": self.anchored,
            "size": self.size,
            "root": BASE64.encode(self.root),
            "unsealed": self.unsealed,
            "entries": self.entries,
            "records": self.records,
            "checkpoints": self.checkpoints,
            "first_bad": first_bad,
            "remarks": self.remarks,
            "dropped": dropped,
        } })
    }
}

/// What is known from outside the log that is looked at.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The keys that may have signed it.
    pub keys: Vec<Verifier>,
    /// Signed checkpoints that were kept elsewhere, each as it was signed.
    pub checkpoints: Vec<String>,
}

/// What a fault makes of the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not what was written.
    Wrong(&'static str),
    /// What only a newer program can read.
    Unread(&'static str),
}

/// Where a checkpoint was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Beside the log, by whoever keeps the log.
    Inside,
    /// By whoever asks.
    Outside,
}

struct Known {
    kept: Kept,
    note: String,
    checkpoint: Checkpoint,
    /// The root that the log has at that length; `None` while it is not as long.
    found: Option<Hash>,
}

/// A log that is being looked at.
pub(crate) struct Audit {
    keys: Vec<Verifier>,
    changes: Vec<KeyChange>,
    known: Vec<Known>,
    /// The checkpoints by the size they speak of.
    by_size: BTreeMap<u64, Vec<usize>>,
    tree: CompactRange,
    /// Where the reading began: nothing before it was read.
    began: u64,
    pub entries: u64,
    pub records: u64,
    pub unsealed: u64,
    bad: u64,
    unread: u64,
    first_wrong: Option<FirstBad>,
    first_unread: Option<FirstBad>,
    /// Entries of a year whose manifest is not there: how many, and the first of them.
    without_records: BTreeMap<i32, (u64, FirstBad)>,
    dropped: Vec<Dropped>,
    remarks: Vec<(Verdict, String)>,
}

impl Audit {
    /// An audit by what is known from outside.
    pub fn new(trust: &Trust) -> Self {
        let mut audit = Self {
            keys: trust.keys.clone(),
            changes: Vec::new(),
            known: Vec::new(),
            by_size: BTreeMap::new(),
            tree: CompactRange::new(),
            began: 0,
            entries: 0,
            records: 0,
            unsealed: 0,
            bad: 0,
            unread: 0,
            first_wrong: None,
            first_unread: None,
            without_records: BTreeMap::new(),
            dropped: Vec::new(),
            remarks: Vec::new(),
        };
        for note in &trust.checkpoints {
            match Note::parse(note)
                .map_err(Into::into)
                .and_then(|note| Checkpoint::read(&note))
            {
                Ok(checkpoint) => audit.remember(Kept::Outside, note, checkpoint),
                Err(error) => audit.remark(
                    Verdict::Tampered,
                    format!("A checkpoint from outside cannot be used: {error}."),
                ),
            }
        }
        audit
    }

    /// Begins in the middle: with the tree of the entries before, whose root a checkpoint
    /// vouches for.
    pub fn resume(&mut self, tree: CompactRange) {
        self.began = tree.size();
        self.tree = tree;
        self.compare();
    }

    /// How many entries were sealed so far.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    fn remark(&mut self, verdict: Verdict, text: String) {
        self.remarks.push((verdict, text));
    }

    fn remember(&mut self, kept: Kept, note: &str, checkpoint: Checkpoint) {
        self.by_size
            .entry(checkpoint.size)
            .or_default()
            .push(self.known.len());
        self.known.push(Known {
            kept,
            note: note.to_owned(),
            checkpoint,
            found: None,
        });
    }

    /// A checkpoint that is kept beside the log, with what repeats its size and root there. To
    /// be told before the entries.
    pub fn kept_checkpoint(&mut self, note: &str, size: Option<u64>, root: Option<&[u8]>) {
        let read = Note::parse(note)
            .map_err(Into::into)
            .and_then(|note| Checkpoint::read(&note));
        match read {
            Ok(checkpoint)
                if size.is_none_or(|size| checkpoint.size == size)
                    && root.is_none_or(|root| checkpoint.root == *root) =>
            {
                self.remember(Kept::Inside, note, checkpoint);
            }
            Ok(checkpoint) => {
                let size = size.unwrap_or(checkpoint.size);
                self.remark(
                    Verdict::Tampered,
                    format!(
                        "The checkpoint of {size} entries is kept as something else than it says."
                    ),
                );
            }
            Err(error) => {
                let of = size.map_or_else(String::new, |size| format!(" of {size} entries"));
                self.remark(
                    Verdict::Tampered,
                    format!("The checkpoint{of} is none: {error}."),
                );
            }
        }
    }

    /// A change of keys that is known beforehand.
    pub fn key_change(&mut self, change: KeyChange) {
        self.changes.push(change);
    }

    /// The next sealed entry. `nodes` are the derived hashes that are kept with it. Answers
    /// whether it stands where it says that it does.
    pub fn leaf(
        &mut self,
        index: u64,
        id: Option<EntryId>,
        body: Option<&[u8]>,
        nodes: Option<&[u8]>,
    ) -> bool {
        let place = self.size();
        let in_place = index == place;
        if !in_place {
            let what = match index > place {
                true => "it is gone",
                false => "an entry stands there that has another place",
            };
            self.wrong(Some(place), None, what);
        }
        let Some(body) = body else {
            self.wrong(Some(index), id, "it is gone");
            // A hash of nothing that is known, so that the places of the others stay right.
            self.tree.push([0; 32]);
            return in_place;
        };
        let completed = self.tree.push(leaf_hash(body)).concat();
        if nodes.is_some_and(|nodes| nodes != completed) && self.first_wrong.is_none() {
            self.wrong(
                Some(index),
                id,
                "the hashes kept with it are not those of the entries up to it",
            );
        }
        self.compare();
        in_place
    }

    /// What the entry says that bears on the log as a whole.
    pub fn entry(&mut self, index: Option<u64>, entry: &Entry) {
        match entry.action {
            Action::KeyChanged => match KeyChange::of(entry) {
                Some(change) => self.changes.push(change),
                None if KeyChange::is_loss(entry) => {}
                None => self.wrong(index, Some(entry.id), "it is a change of keys that is none"),
            },
            Action::DetailsDropped => {
                if let Some(year) = entry.detail.get("year").and_then(|year| year.parse().ok()) {
                    self.dropped.push(Dropped { year, entry: index });
                }
            }
            _ => {}
        }
    }

    /// The entry states records that are not there: dropped, if an entry says so.
    pub fn no_records(&mut self, index: Option<u64>, entry: &Entry) {
        let bad = FirstBad {
            entry: index,
            id: Some(entry.id),
            what: "its records are gone".to_owned(),
        };
        self.without_records
            .entry(entry.at.year())
            .or_insert((0, bad))
            .0 += 1;
    }

    fn compare(&mut self) {
        if let Some(known) = self.by_size.get(&self.tree.size()) {
            let root = self.tree.root();
            for at in known {
                self.known[*at].found = Some(root);
            }
        }
    }

    pub fn fault(&mut self, index: Option<u64>, id: Option<EntryId>, fault: Fault) {
        match fault {
            Fault::Wrong(what) => self.wrong(index, id, what),
            Fault::Unread(what) => {
                self.unread += 1;
                keep_first(&mut self.first_unread, index, id, what);
            }
        }
    }

    pub fn wrong(&mut self, index: Option<u64>, id: Option<EntryId>, what: &str) {
        self.bad += 1;
        keep_first(&mut self.first_wrong, index, id, what);
    }

    /// More wrong entries that nothing else is said of.
    pub fn more_wrong(&mut self, number: u64) {
        self.bad += number;
    }

    /// Which keys are to be believed: those from outside, and those that changes lead to.
    fn believed(&self) -> Vec<Verifier> {
        let mut keys = self.keys.clone();
        let mut grew = true;
        while grew {
            grew = false;
            for change in &self.changes {
                // Never from the new key to the old: anybody can sign that ours is to follow theirs.
                if keys.contains(&change.old) && !keys.contains(&change.new) {
                    keys.push(change.new.clone());
                    grew = true;
                }
            }
        }
        keys
    }

    /// Judges the checkpoints: which are good, and which the log does not live up to.
    fn judge_checkpoints(&mut self) -> (bool, u64) {
        let keys = self.believed();
        let (mut anchored, mut compared) = (false, 0);
        let mut agrees_to = self.began;
        let mut unsigned = 0;
        let mut known = std::mem::take(&mut self.known);
        known.sort_by_key(|known| known.checkpoint.size);
        for one in known {
            let size = one.checkpoint.size;
            let whose = match one.kept {
                Kept::Inside => "The checkpoint",
                Kept::Outside => "The checkpoint from outside",
            };
            if keys.is_empty() {
                unsigned += 1;
                if one.kept == Kept::Inside {
                    continue;
                }
            } else if let Err(error) = Checkpoint::open(&one.note, &keys) {
                self.remark(
                    Verdict::Tampered,
                    format!("{whose} of {size} entries is not to be believed: {error}."),
                );
                continue;
            }
            match one.found {
                None if size > self.size() => self.remark(
                    Verdict::Truncated,
                    format!(
                        "{whose} speaks of {size} entries; the log has {}.",
                        self.size()
                    ),
                ),
                // Before where the reading began: vouched for by what it began with.
                None => {}
                Some(root) if root != one.checkpoint.root => self.remark(
                    Verdict::Forked,
                    format!(
                        "{whose} of {size} entries has another root: something in entries {agrees_to} to {} is not what was signed.",
                        size - 1
                    ),
                ),
                Some(_) => {
                    compared += 1;
                    agrees_to = agrees_to.max(size);
                    anchored |= one.kept == Kept::Outside;
                }
            }
        }
        if unsigned > 0 {
            self.remark(
                Verdict::Incomplete,
                format!("No public key is known, so that no signature was checked (checkpoints: {unsigned})."),
            );
        }
        (anchored, compared)
    }

    fn judge_details(&mut self) -> Vec<Dropped> {
        let mut dropped = Vec::new();
        for (year, (number, bad)) in std::mem::take(&mut self.without_records) {
            match self.dropped.iter().find(|dropped| dropped.year == year) {
                Some(said) => dropped.push(*said),
                None => {
                    self.bad += number - 1;
                    self.wrong(bad.entry, bad.id, &bad.what);
                }
            }
        }
        dropped
    }

    /// The verdict. What is wrong in an entry says most, then what a checkpoint shows that
    /// was kept elsewhere, then what is wrong with a checkpoint, then what could not be seen.
    pub fn conclude(mut self) -> Verification {
        let dropped = self.judge_details();
        let (anchored, checkpoints) = self.judge_checkpoints();
        let has = |verdict| self.remarks.iter().any(|(of, _)| *of == verdict);
        let verdict = if self.bad > 0 {
            Verdict::Tampered
        } else if has(Verdict::Truncated) {
            Verdict::Truncated
        } else if has(Verdict::Forked) {
            Verdict::Forked
        } else if has(Verdict::Tampered) {
            Verdict::Tampered
        } else if has(Verdict::Incomplete) || self.unread > 0 {
            Verdict::Incomplete
        } else {
            Verdict::Ok
        };
        let first_bad = self.first_wrong.or(self.first_unread).or_else(|| {
            (verdict == Verdict::Truncated).then(|| FirstBad {
                entry: Some(self.tree.size()),
                id: None,
                what: "the log ends before it".to_owned(),
            })
        });
        Verification {
            verdict,
            anchored,
            size: self.tree.size(),
            root: self.tree.root(),
            unsealed: self.unsealed,
            entries: self.entries,
            records: self.records,
            checkpoints,
            bad: self.bad,
            unread: self.unread,
            first_bad,
            remarks: self.remarks.into_iter().map(|(_, text)| text).collect(),
            dropped,
        }
    }
}

/// Sealed entries come first, by their places; then the others by their numbers.
fn keep_first(first: &mut Option<FirstBad>, index: Option<u64>, id: Option<EntryId>, what: &str) {
    let order = |index: Option<u64>, id: Option<EntryId>| (index.unwrap_or(u64::MAX), id);
    if first
        .as_ref()
        .is_none_or(|first| order(index, id) < order(first.entry, first.id))
    {
        *first = Some(FirstBad {
            entry: index,
            id,
            what: what.to_owned(),
        });
    }
}
