//! A proof that an entry is in a log, in a file (C2SP `tlog-proof@v1`).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::merkle::{Hash, leaf_hash};
use super::note::Verifier;
use super::tree;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// As long as the path in a tree of 2^64 leaves could be.
const LONGEST_PATH: usize = 64;

/// A proof of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// What travels with it, and is checked by other means: the proof of a record.
    pub extra: Option<Vec<u8>>,
    /// The entry's place in the log.
    pub index: u64,
    /// The sibling hashes, from the leaf upwards.
    pub path: Vec<Hash>,
    /// The checkpoint, as it was signed.
    pub checkpoint: String,
}

/// Why a text is no proof, or proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Not shaped like a proof.
    #[error("it is not a proof: {0}")]
    Shape(&'static str),
    /// Its checkpoint is not to be believed.
    #[error("its checkpoint is not good")]
    Checkpoint(#[from] CheckpointError),
    /// The hashes do not lead from the entry to the checkpoint's root.
    #[error("its hashes do not lead from the entry to the root of its checkpoint")]
    Path,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", BASE64.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", BASE64.encode(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl std::str::FromStr for Proof {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        let shape = ProofError::Shape;
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or(shape("no checkpoint stands after an empty line"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(shape(
                "its first line is not that of a tlog-proof, version 1",
            ));
        }
        let extra = match lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            None => None,
            Some(extra) => {
                let bytes = BASE64
                    .decode(extra)
                    .map_err(|_| shape("what it carries beside is not base64"))?;
                lines.next();
                Some(bytes)
            }
        };
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .filter(|digits| *digits == "0" || !digits.starts_with(['0', '+']))
            .and_then(|digits| digits.parse().ok())
            .ok_or(shape("it has no index"))?;
        let path: Vec<Hash> = lines
            .map(|line| BASE64.decode(line).ok()?.try_into().ok())
            .collect::<Option<_>>()
            .ok_or(shape("a line of it is no hash"))?;
        if path.len() > LONGEST_PATH {
            return Err(shape("it has too many hashes"));
        }
        Ok(Self {
            extra,
            index,
            path,
            checkpoint: checkpoint.to_owned(),
        })
    }
}

impl Proof {
    /// Whether an entry of these bytes is where the proof says, in the log that one of the
    /// keys stands for; answers the checkpoint by which that is so.
    ///
    /// # Errors
    /// When the checkpoint is not to be believed, or the hashes lead elsewhere.
    pub fn check(&self, entry: &[u8], known: &[Verifier]) -> Result<Checkpoint, ProofError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, known)?;
        let root =
            tree::root_by_inclusion(leaf_hash(entry), self.index, checkpoint.size, &self.path);
        if root == Some(checkpoint.root) {
            Ok(checkpoint)
        } else {
            Err(ProofError::Path)
        }
    }
}
