//! A checkpoint (C2SP `tlog-checkpoint`): how long a log is, and its root, signed.
//!
//! Whoever keeps one can tell later whether the log still begins as it did.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::merkle::Hash;
use super::note::{Key, Note, NoteError, Verifier};

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: the name of its key.
    pub origin: String,
    /// How many entries it had.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

/// Why a text is not a checkpoint that can be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a note, or not signed as it should be.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A note of something else.
    #[error("it is not a checkpoint: its text is not an origin, a size and a root")]
    Shape,
    /// Of another log than its signer's.
    #[error("it speaks of the log {0}, which is not its signer's")]
    Origin(String),
}

impl fmt::Display for Checkpoint {
    /// The text that is signed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = BASE64.encode(self.root);
        writeln!(f, "{}\n{}\n{root}", self.origin, self.size)
    }
}

impl Checkpoint {
    /// The checkpoint as a note under the log's key, whose name is the origin.
    #[must_use]
    pub fn sign(&self, key: &Key) -> String {
        key.sign(&self.to_string())
    }

    /// What a note says, whoever signed it: exactly three lines.
    ///
    /// # Errors
    /// When it is no checkpoint.
    pub fn read(note: &Note) -> Result<Self, CheckpointError> {
        let mut lines = note.text().split('\n');
        let (Some(origin), Some(size), Some(root), Some(""), None) = (
            lines.next(),
            lines.next(),
            lines.next(),
            lines.next(),
            lines.next(),
        ) else {
            return Err(CheckpointError::Shape);
        };
        let number: u64 = size.parse().map_err(|_| CheckpointError::Shape)?;
        let root = BASE64.decode(root).map_err(|_| CheckpointError::Shape)?;
        let root = Hash::try_from(root).map_err(|_| CheckpointError::Shape)?;
        if origin.is_empty() || number.to_string() != size {
            return Err(CheckpointError::Shape);
        }
        Ok(Self {
            origin: origin.to_owned(),
            size: number,
            root,
        })
    }

    /// Reads a signed checkpoint that one of these keys stands for.
    ///
    /// # Errors
    /// When it is none, or none of the keys stands for it.
    pub fn open(note: &str, known: &[Verifier]) -> Result<Self, CheckpointError> {
        let note = Note::parse(note)?;
        let checkpoint = Self::read(&note)?;
        let signer = note.signed_by(known)?;
        if signer.name() == checkpoint.origin {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::Origin(checkpoint.origin))
        }
    }
}
