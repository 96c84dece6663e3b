//! "Could this manifest hold that key?", from ten bits a record.
//!
//! A Bloom filter with seven probes: about one manifest in a hundred says yes to a
//! key that it does not hold, and none says no to one that it does. The probes come
//! from a hash keyed by the manifest's seed, so that without the seed a filter says
//! nothing about keys.

use hmac::Mac;
use sha2::{Digest, Sha256};

use super::super::key::KeyValue;
use super::super::merkle::Hash;
use super::super::wire::put_varint;
use super::build::{keyed, put_value};

const BITS_A_RECORD: usize = 10;
const PROBES: u8 = 7;

/// The key of a manifest's filter: HMAC-SHA-256 of a label under the seed.
pub(super) struct FilterKey(Hash);

impl FilterKey {
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        let mut mac = keyed(seed);
        mac.update(b"retentiond filter v1");
        Self(mac.finalize().into_bytes().into())
    }

    /// SHA-256 of filter key and record key, as two numbers. (The record key's bytes
    /// say where they end, so that none is the beginning of another's.)
    pub(super) fn hash(&self, scratch: &mut Vec<u8>, key: &[KeyValue<'_>]) -> (u64, u64) {
        scratch.clear();
        scratch.extend_from_slice(&self.0);
        put_values(scratch, key);
        halves(scratch)
    }
}

fn put_values(out: &mut Vec<u8>, key: &[KeyValue<'_>]) {
    put_varint(out, key.len() as u64);
    for value in key {
        put_value(out, value);
    }
}

fn halves(bytes: &[u8]) -> (u64, u64) {
    let hash: Hash = Sha256::digest(bytes).into();
    let number = |from: usize| {
        let bytes = &hash[from..from + 8];
        bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
    };
    (number(0), number(8))
}

fn positions((first, second): (u64, u64), probes: u8, bits: u64) -> impl Iterator<Item = u64> {
    (0..u64::from(probes)).map(move |i| first.wrapping_add(i.wrapping_mul(second | 1)) % bits)
}

/// One byte with the number of probes, then the bits: bit 0 of the first byte first.
pub(super) fn build_filter(hashes: &[(u64, u64)]) -> Vec<u8> {
    let bytes = (hashes.len() * BITS_A_RECORD).div_ceil(8);
    let mut filter = vec![0; 1 + bytes];
    filter[0] = PROBES;
    let bits = bytes as u64 * 8;
    for hash in hashes {
        for position in positions(*hash, PROBES, bits) {
            filter[1 + (position / 8) as usize] |= 1 << (position % 8);
        }
    }
    filter
}

/// A key to be looked for in many filters.
pub struct Needle {
    /// The filter key's place, then the key's bytes.
    bytes: Vec<u8>,
}

impl Needle {
    /// A look-up of this key, by its values in the order of the key's columns.
    #[must_use]
    pub fn new(key: &[KeyValue<'_>]) -> Self {
        let mut bytes = vec![0; 32];
        put_values(&mut bytes, key);
        Self { bytes }
    }

    /// Whether the manifest with this seed and filter may hold the key. A filter that
    /// is not one says yes, so that whoever unpacks the manifest finds what is wrong.
    pub fn may_be_in(&mut self, seed: &[u8; 32], filter: &[u8]) -> bool {
        let Some((&probes, bits)) = filter.split_first() else {
            return true;
        };
        if bits.is_empty() {
            return probes != PROBES;
        }
        self.bytes[..32].copy_from_slice(&FilterKey::new(seed).0);
        positions(halves(&self.bytes), probes, bits.len() as u64 * 8)
            .all(|position| bits[(position / 8) as usize] & 1 << (position % 8) != 0)
    }
}

/// Whether the manifest with this seed and filter may hold the key. For one filter;
/// [`Needle`] serves many.
#[must_use]
pub fn filter_may_contain(seed: &[u8; 32], filter: &[u8], key: &[KeyValue<'_>]) -> bool {
    Needle::new(key).may_be_in(seed, filter)
}
