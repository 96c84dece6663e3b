//! The lines of a published log: entries, and apart from them their records, so that a
//! year's details can be dropped there too.

use serde::{Deserialize, Serialize};

use crate::ledger::wire::hexadecimal;

/// One entry: its place, and its bytes as they are hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryLine {
    /// Its place in the log, from 0.
    pub entry: u64,
    /// Its bytes.
    #[serde(with = "hexadecimal")]
    pub leaf: Vec<u8>,
}

/// The records of one entry, packed, with their seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestLine {
    /// The entry's place in the log.
    pub entry: u64,
    /// What the salts and the filter are derived from.
    #[serde(with = "hexadecimal")]
    pub seed: Vec<u8>,
    /// The packed records.
    #[serde(with = "hexadecimal")]
    pub records: Vec<u8>,
}
