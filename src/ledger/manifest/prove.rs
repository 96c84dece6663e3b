//! A proof of one record: that it is in a manifest, without a neighbour.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::key::RecordKey;
use super::super::merkle::{CompactRange, Hash};
use super::super::tree;
use super::build::{Salts, put_record};
use super::{LEAF_VERSION, ManifestError, decode};

/// A record, and the way from it to its manifest's root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordProof {
    /// Its place in the manifest, from 0.
    pub index: u64,
    /// How many records the manifest has.
    pub records: u64,
    /// Its salt.
    #[serde(with = "super::super::wire::hexadecimal")]
    pub salt: Vec<u8>,
    /// Its canonical bytes.
    #[serde(with = "super::super::wire::hexadecimal")]
    pub record: Vec<u8>,
    /// The sibling hashes, from the record upwards.
    #[serde(with = "super::super::wire::hashes")]
    pub path: Vec<Hash>,
}

impl RecordProof {
    /// The root of the manifest that the record is in, by this proof.
    #[must_use]
    pub fn root(&self) -> Option<Hash> {
        let leaf = leaf(&self.salt, &self.record);
        tree::root_by_inclusion(leaf, self.index, self.records, &self.path)
    }
}

fn leaf(salt: &[u8], record: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0x00, LEAF_VERSION]);
    hasher.update(salt);
    hasher.update(record);
    hasher.finalize().into()
}

/// The proofs of the records of a manifest that have this key.
///
/// # Errors
/// When `bytes` are not packed records.
pub fn prove(
    bytes: &[u8],
    seed: &[u8; 32],
    key: &RecordKey,
) -> Result<Vec<RecordProof>, ManifestError> {
    let mut records = decode(bytes)?;
    let header = records.header().clone();
    let salts = Salts::new(seed);
    let (mut leaves, mut completed) = (Vec::new(), Vec::new());
    let mut range = CompactRange::new();
    let mut found = Vec::new();
    while records.advance()? {
        let index = range.size();
        let salt = salts.salt(index);
        let mut record = Vec::new();
        let parent = header.parent_columns.as_ref().zip(records.parent());
        put_record(
            &mut record,
            (&header.columns, records.key()),
            records.trigger(),
            records.last_day(),
            parent,
        );
        let leaf = leaf(&salt, &record);
        leaves.push(leaf);
        completed.push(range.push(leaf));
        if records.key() == key.values() {
            found.push((index, salt, record));
        }
    }
    let size = range.size();
    let node = |node: &tree::Node| {
        let at = usize::try_from(node.last_leaf()).ok()?;
        match node.level {
            0 => leaves.get(at).copied(),
            level => completed.get(at)?.get(level as usize - 1).copied(),
        }
    };
    let path = |index| -> Option<Vec<Hash>> {
        tree::inclusion_parts(index, size)?
            .iter()
            .map(|part| tree::fold(&part.iter().map(node).collect::<Option<Vec<_>>>()?))
            .collect()
    };
    found
        .into_iter()
        .map(|(index, salt, record)| {
            Ok(RecordProof {
                index,
                records: size,
                salt: salt.to_vec(),
                record,
                path: path(index).ok_or(ManifestError::Count)?,
            })
        })
        .collect()
}
