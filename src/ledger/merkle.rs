//! The Merkle tree hash of RFC 6962, section 2.1, computed while leaves arrive.
//!
//! A tree is never held: [`CompactRange`] keeps one hash for each bit set in the
//! number of leaves (at most 64), and folds them into the root when it is asked.

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// SHA-256(0x00 ‖ `bytes`), a leaf of RFC 6962.
#[must_use]
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0x00]);
    hasher.update(bytes);
    hasher.finalize().into()
}

/// SHA-256(0x01 ‖ `left` ‖ `right`), a node of RFC 6962.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [0x01; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// The roots of the perfect trees that a growing tree consists of, largest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompactRange {
    size: u64,
    roots: Vec<Hash>,
}

impl CompactRange {
    /// A tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree of `size` leaves from the roots of the perfect trees that it consists of,
    /// largest first; `None` if they are not as many as `size` has bits set.
    #[must_use]
    pub fn resume(size: u64, roots: Vec<Hash>) -> Option<Self> {
        (roots.len() == size.count_ones() as usize).then_some(Self { size, roots })
    }

    /// Adds the hash of the next leaf. Answers the hashes of the perfect trees that it
    /// completes, which never change again: of two leaves, of four and so on.
    pub fn push(&mut self, leaf: Hash) -> Vec<Hash> {
        let mut hash = leaf;
        let mut completed = Vec::new();
        // Each bit set at the end of the old size is a tree as large as `hash`'s.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                hash = node_hash(&left, &hash);
                completed.push(hash);
            }
        }
        self.roots.push(hash);
        self.size += 1;
        completed
    }

    /// How many leaves were pushed.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The tree's hash; of the empty tree, SHA-256 of nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev();
        match roots.next() {
            None => Sha256::digest([]).into(),
            Some(last) => roots.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// The definition of RFC 6962 section 2.1, word for word, over leaf hashes.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => *leaf,
            leaves => {
                let mut k = 1;
                while k * 2 < leaves.len() {
                    k *= 2;
                }
                node_hash(&by_definition(&leaves[..k]), &by_definition(&leaves[k..]))
            }
        }
    }

    /// The leaves and roots that the Certificate Transparency reference
    /// implementations (`merkletree` and Trillian) test themselves with.
    #[test]
    fn the_roots_of_the_certificate_transparency_vectors_are_reproduced() {
        let leaves = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut range = CompactRange::new();
        assert_eq!(hex::encode(range.root()), roots[0]);
        for (leaf, root) in leaves.iter().zip(&roots[1..]) {
            range.push(leaf_hash(&hex::decode(leaf).unwrap()));
            assert_eq!(&hex::encode(range.root()), root);
        }
        assert_eq!(range.size(), 8);
    }

    #[test]
    fn every_size_to_200_agrees_with_the_definition() {
        let mut range = CompactRange::new();
        let mut leaves = Vec::new();
        for i in 0_u8..200 {
            assert_eq!(range.root(), by_definition(&leaves));
            leaves.push(leaf_hash(&[i]));
            range.push(leaf_hash(&[i]));
        }
    }

    proptest! {
        #[test]
        fn another_leaf_or_another_order_is_another_root(
            size in 2_usize..40, at: prop::sample::Index, byte: u8,
        ) {
            let leaves: Vec<Hash> = (0..size).map(|i| leaf_hash(&i.to_be_bytes())).collect();
            let root = |leaves: &[Hash]| {
                let mut range = CompactRange::new();
                for leaf in leaves {
                    range.push(*leaf);
                }
                range.root()
            };
            let i = at.index(size - 1);
            let mut swapped = leaves.clone();
            swapped.swap(i, i + 1);
            prop_assert_ne!(root(&swapped), root(&leaves));
            let mut changed = leaves.clone();
            changed[i][0] ^= byte.max(1);
            prop_assert_ne!(root(&changed), root(&leaves));
        }
    }
}
