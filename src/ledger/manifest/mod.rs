//! The records of an entry: which ones, counted from when, kept until when.
//!
//! A manifest stands outside its entry. The entry holds the root of a Merkle tree
//! over the records; the manifest's row holds the packed records, the seed from which
//! each record's salt is derived, and a filter. A proof of one record therefore shows
//! no neighbour, and once a manifest is dropped with its seed, the hashes that were
//! shown elsewhere say nothing about keys.
//!
//! - [`ManifestBuilder`] hashes and packs each record as it arrives; nothing waits
//!   for the end of a batch but the last few nodes of the tree.
//! - [`Records`] reads the packed bytes, strictly, one record at a time, and holds one
//!   record, however many the bytes claim to have.
//! - [`filter_may_contain`] answers "could this manifest hold that key?" without
//!   unpacking it.
//!
//! Days are counted from 1 January 1970.

mod build;
mod filter;
mod packed;
mod prove;
mod read;

pub use build::ManifestBuilder;
pub use filter::{Needle, filter_may_contain};
pub use prove::{RecordProof, prove};
pub use read::{Header, Record, Records, decode};

use super::key::KeyColumns;
use super::merkle::Hash;
use super::wire::WireError;

/// The longest text that a key of a record may have, in bytes. PostgreSQL's own
/// indexes stop at about 2,700 bytes, after compression.
pub const LONGEST_TEXT: usize = 65_535;

/// The most records of one manifest; a batch has about ten thousand.
pub const MOST_RECORDS: u64 = 1 << 24;

/// Why records cannot be packed, or bytes are not packed records. Never holds a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The values of a key are not those of the columns.
    #[error("a record's key does not have the columns and kinds of the manifest's key")]
    Key,
    /// A parent where there is none, or none where there is one.
    #[error("a record's parent does not have the columns of the manifest's parents")]
    Parent,
    /// A key that no index would take.
    #[error("a key holds a text longer than {LONGEST_TEXT} bytes")]
    LongText,
    /// More than [`MOST_RECORDS`].
    #[error("a manifest holds at most {MOST_RECORDS} records")]
    TooMany,
    /// The bytes do not begin as a manifest does.
    #[error("the bytes are not a manifest")]
    NotAManifest,
    /// They begin as a manifest of a version that this program does not know.
    #[error("the manifest has format {0}, which this program does not know")]
    Version(u8),
    /// A kind of key column that this program does not know.
    #[error("the manifest has a key of kind {0}, which this program does not know")]
    Kind(u8),
    /// The columns in the header cannot be a key's.
    #[error("the columns of the manifest's header are not those of a key")]
    Columns,
    /// There are more or fewer bytes than records.
    #[error("the manifest does not hold as many records as it says")]
    Count,
    /// A value that has another, canonical spelling, or lies outside its range.
    #[error("a record of the manifest is not spelled as it should be")]
    Spelling,
    /// Bytes that are not shaped as they should be.
    #[error("the manifest cannot be read: {0}")]
    Wire(#[from] WireError),
}

impl ManifestError {
    /// Whether a newer program may have written it: it is then not wrong, only unread.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Version(_) | Self::Kind(_))
    }
}

/// The finished manifest of one entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The packed records.
    pub bytes: Vec<u8>,
    /// The root of the Merkle tree over the records, as it stands in the entry.
    pub root: Hash,
    /// The filter over the records' keys.
    pub filter: Vec<u8>,
    /// How many records.
    pub count: u64,
    /// What the salts and the filter are derived from. 32 random bytes, one manifest's
    /// own; whoever has them and a record's hash can try keys against it.
    pub seed: [u8; 32],
}

impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manifest")
            .field("count", &self.count)
            .field("bytes", &self.bytes.len())
            .field("root", &hex::encode(self.root))
            .finish_non_exhaustive()
    }
}

impl Manifest {
    /// The manifest that the records in `bytes` have under `seed`: all of it computed
    /// again, so that bytes, root, filter and count can be compared with those stored.
    ///
    /// # Errors
    /// When `bytes` are not packed records.
    pub fn recompute(bytes: &[u8], seed: [u8; 32]) -> Result<Self, ManifestError> {
        let mut records = decode(bytes)?;
        let header = records.header();
        let mut builder =
            ManifestBuilder::new(header.columns.clone(), header.parent_columns.clone(), seed);
        while records.advance()? {
            builder.push(
                records.key(),
                records.trigger(),
                records.last_day(),
                records.parent(),
            )?;
        }
        Ok(builder.finish())
    }
}

/// Version byte of the leaf that a record is hashed in.
const LEAF_VERSION: u8 = 1;

/// What packed records begin with: three letters and the version.
const MAGIC: [u8; 3] = *b"rdm";
const VERSION: u8 = 1;

/// The column kinds of the header.
mod kind {
    pub(super) const INT: u8 = 1;
    pub(super) const TEXT: u8 = 2;
}

fn fits(columns: Option<&KeyColumns>, values: Option<&[super::key::KeyValue<'_>]>) -> bool {
    match (columns, values) {
        (None, None) => true,
        (Some(columns), Some(values)) => columns.fits(values),
        _ => false,
    }
}
