//! Where the hashes of a growing Merkle tree stand, and proofs made of them (RFC 6962,
//! sections 2.1.1 and 2.1.2).
//!
//! A perfect subtree never changes once it is whole, so that each of its hashes can be
//! kept for good, with the leaf that completed it
//! ([`CompactRange::push`](super::merkle::CompactRange::push) hands them out).
//! Every other hash, such as the root, is folded from at most 64 of those. So a leaf is
//! added, and a proof made, with as many look-ups as the number of leaves has binary
//! digits.

use super::merkle::{Hash, node_hash};

/// A perfect subtree: the leaves from `index × 2^level` on, `2^level` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    /// Its height; a leaf's is 0.
    pub level: u32,
    /// Its place among the subtrees of its height, from 0.
    pub index: u64,
}

impl Node {
    /// The last of its leaves: with that one it was complete.
    #[must_use]
    pub fn last_leaf(self) -> u64 {
        ((self.index + 1) << self.level) - 1
    }
}

/// The perfect subtrees that the leaves `from..to` consist of, from the left, where `from`
/// is a place at which a subtree that holds them all begins.
fn parts(from: u64, to: u64) -> Vec<Node> {
    let mut parts = Vec::new();
    let mut at = from;
    while at < to {
        let level = (to - at).ilog2();
        parts.push(Node {
            level,
            index: at >> level,
        });
        at += 1 << level;
    }
    parts
}

/// The perfect subtrees that a tree of `size` leaves consists of, from the left.
#[must_use]
pub fn perfect_parts(size: u64) -> Vec<Node> {
    parts(0, size)
}

/// The largest power of two that is smaller than `size`, which is 2 or more.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// A subtree of a tree, perfect or not: what one hash of a proof is folded from.
pub type Part = Vec<Node>;

/// What the inclusion proof of leaf `index` in a tree of `size` leaves consists of, from the
/// leaf upwards; `None` if there is no such leaf.
#[must_use]
pub fn inclusion_parts(index: u64, size: u64) -> Option<Vec<Part>> {
    if index >= size {
        return None;
    }
    let mut path = Vec::new();
    let (mut from, mut to) = (0, size);
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            path.push(parts(middle, to));
            to = middle;
        } else {
            path.push(parts(from, middle));
            from = middle;
        }
    }
    path.reverse();
    Some(path)
}

/// What the proof consists of that a tree of `old` leaves is the beginning of one of `new`
/// leaves; `None` unless `0 < old <= new`. Of a tree with itself it is empty.
#[must_use]
pub fn consistency_parts(old: u64, new: u64) -> Option<Vec<Part>> {
    if old == 0 || old > new {
        return None;
    }
    let mut path = Vec::new();
    let (mut from, mut to) = (0, new);
    // Whether the old tree's own root is the subtree we are at, which the verifier has.
    let mut known = true;
    while old != to {
        let middle = from + split(to - from);
        if old <= middle {
            path.push(parts(middle, to));
            to = middle;
        } else {
            path.push(parts(from, middle));
            from = middle;
            known = false;
        }
    }
    if !known {
        path.push(parts(from, to));
    }
    path.reverse();
    Some(path)
}

/// The hash of a subtree, from the hashes of its perfect parts, left to right.
#[must_use]
pub fn fold(hashes: &[Hash]) -> Option<Hash> {
    let (last, others) = hashes.split_last()?;
    Some(
        others
            .iter()
            .rev()
            .fold(*last, |right, left| node_hash(left, &right)),
    )
}

/// The root that `leaf` at `index` of a tree of `size` leaves has by this proof; `None` if
/// the proof has not the length that it must have.
#[must_use]
pub fn root_by_inclusion(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    // RFC 9162, section 2.1.3.2.
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// Whether a tree of `old` leaves with root `old_root` is, by this proof, the beginning of
/// one of `new` leaves with root `new_root`.
#[must_use]
pub fn is_consistent(old: (u64, Hash), new: (u64, Hash), path: &[Hash]) -> bool {
    let ((old, old_root), (new, new_root)) = (old, new);
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    if old == 0 || old > new {
        return false;
    }
    // RFC 9162, section 2.1.4.2.
    let mut path = path.iter();
    let (mut at, mut last) = (old - 1, new - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let first = match old.is_power_of_two() {
        true => Some(&old_root),
        false => path.next(),
    };
    let Some(first) = first else { return false };
    let (mut of_old, mut of_new) = (*first, *first);
    for hash in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            of_old = node_hash(hash, &of_old);
            of_new = node_hash(hash, &of_new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            of_new = node_hash(&of_new, hash);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && of_old == old_root && of_new == new_root
}
