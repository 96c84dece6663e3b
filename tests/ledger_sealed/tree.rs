//! Proofs, held against `ct-merkle`, an implementation of RFC 6962 that is not ours.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof};
use proptest::prelude::*;
use retentiond::ledger::merkle::{CompactRange, Hash, leaf_hash};
use retentiond::ledger::tree::{
    Node, Part, consistency_parts, fold, inclusion_parts, is_consistent, perfect_parts,
    root_by_inclusion,
};
use sha2::Sha256;

/// What a log keeps: the hashes of every perfect subtree, by the way that sealing makes them.
struct Kept {
    leaves: Vec<Hash>,
    completed: Vec<Vec<Hash>>,
    range: CompactRange,
}

impl Kept {
    fn of(entries: &[Vec<u8>]) -> Self {
        let mut range = CompactRange::new();
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let completed = leaves.iter().map(|leaf| range.push(*leaf)).collect();
        Self {
            leaves,
            completed,
            range,
        }
    }

    fn node(&self, node: Node) -> Hash {
        let at = usize::try_from(node.last_leaf()).unwrap();
        match node.level {
            0 => self.leaves[at],
            level => self.completed[at][level as usize - 1],
        }
    }

    fn proof(&self, parts: &[Part]) -> Vec<Hash> {
        let hash = |part: &Part| {
            let hashes: Vec<Hash> = part.iter().map(|node| self.node(*node)).collect();
            fold(&hashes).unwrap()
        };
        parts.iter().map(hash).collect()
    }
}

fn theirs(entries: &[Vec<u8>]) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    for entry in entries {
        tree.push(entry.clone());
    }
    tree
}

fn digests(proof: &[Hash]) -> Vec<ct_merkle::digest::Output<Sha256>> {
    proof.iter().map(|hash| (*hash).into()).collect()
}

fn entries(number: usize) -> Vec<Vec<u8>> {
    (0..number)
        .map(|i| format!("entry {i}").into_bytes())
        .collect()
}

#[test]
fn every_proof_of_every_log_of_up_to_70_entries_is_theirs_and_accepted_by_them() {
    for size in 1..=70_usize {
        let all = entries(size);
        let (kept, tree) = (Kept::of(&all), theirs(&all));
        assert_eq!(
            kept.range.root().as_slice(),
            tree.root().as_bytes().as_slice()
        );
        let size = size as u64;
        for index in 0..size {
            let at = usize::try_from(index).unwrap();
            let proof = kept.proof(&inclusion_parts(index, size).unwrap());
            assert_eq!(
                proof.concat(),
                tree.prove_inclusion(at).as_bytes(),
                "{index} of {size}"
            );
            let accepted = InclusionProof::<Sha256>::from_digests(&digests(&proof));
            tree.root()
                .verify_inclusion(&all[at], index, &accepted)
                .unwrap();
            let root = root_by_inclusion(kept.leaves[at], index, size, &proof);
            assert_eq!(root, Some(kept.range.root()), "{index} of {size}");
        }
        for old in 1..=size {
            let before = &all[..usize::try_from(old).unwrap()];
            let (older, old_tree) = (Kept::of(before), theirs(before));
            let proof = kept.proof(&consistency_parts(old, size).unwrap());
            assert!(
                is_consistent((old, older.range.root()), (size, kept.range.root()), &proof),
                "{old} in {size}"
            );
            if old < size {
                let additions = usize::try_from(size - old).unwrap();
                assert_eq!(
                    proof.concat(),
                    tree.prove_consistency(additions).as_bytes(),
                    "{old} in {size}"
                );
                let accepted = ConsistencyProof::<Sha256>::from_digests(&digests(&proof));
                tree.root()
                    .verify_consistency(&old_tree.root(), &accepted)
                    .unwrap();
            }
        }
    }
}

#[test]
fn what_is_kept_of_a_tree_is_enough_to_go_on_with_it() {
    for size in 0..=70 {
        let all = entries(size);
        let kept = Kept::of(&all);
        let parts = perfect_parts(size as u64);
        let hashes = parts.iter().map(|node| kept.node(*node)).collect();
        let mut resumed = CompactRange::resume(size as u64, hashes).unwrap();
        let mut whole = kept.range.clone();
        for more in entries(9) {
            assert_eq!(resumed.push(leaf_hash(&more)), whole.push(leaf_hash(&more)));
            assert_eq!(resumed.root(), whole.root());
        }
        assert_eq!(
            CompactRange::resume(size as u64 + 1 + size as u64, vec![]),
            None
        );
    }
}

#[test]
fn there_is_no_proof_of_what_is_not_there() {
    assert_eq!(inclusion_parts(5, 5), None);
    assert_eq!(inclusion_parts(0, 0), None);
    assert_eq!(consistency_parts(0, 5), None);
    assert_eq!(consistency_parts(6, 5), None);
    assert_eq!(consistency_parts(5, 5), Some(vec![]));
    assert_eq!(root_by_inclusion([0; 32], 5, 5, &[]), None);
    assert!(!is_consistent((0, [0; 32]), (5, [1; 32]), &[]));
    assert!(!is_consistent((6, [0; 32]), (5, [1; 32]), &[]));
}

proptest! {
    /// Of one leaf another, one hash changed, left out or added, or another place or size.
    #[test]
    fn a_proof_that_was_changed_proves_nothing(
        size in 2_u64..300, at: prop::sample::Index, which: prop::sample::Index, byte in 1_u8..,
    ) {
        let all = entries(usize::try_from(size).unwrap());
        let kept = Kept::of(&all);
        let index = at.index(all.len());
        let (leaf, place) = (kept.leaves[index], index as u64);
        let proof = kept.proof(&inclusion_parts(place, size).unwrap());
        let root = Some(kept.range.root());
        prop_assert_eq!(root_by_inclusion(leaf, place, size, &proof), root);
        let mut other = leaf;
        other[0] ^= byte;
        prop_assert_ne!(root_by_inclusion(other, place, size, &proof), root);
        let mut changed = proof.clone();
        let nth = which.index(changed.len());
        changed[nth][31] ^= byte;
        prop_assert_ne!(root_by_inclusion(leaf, place, size, &changed), root);
        let mut shorter = proof.clone();
        shorter.remove(nth);
        prop_assert_ne!(root_by_inclusion(leaf, place, size, &shorter), root);
        let mut longer = proof.clone();
        longer.insert(nth, [byte; 32]);
        prop_assert_ne!(root_by_inclusion(leaf, place, size, &longer), root);
        prop_assert_ne!(root_by_inclusion(leaf, place ^ 1, size, &proof), root);

        let old = place + 1;
        let older = Kept::of(&all[..=index]).range.root();
        let new = kept.range.root();
        let proof = kept.proof(&consistency_parts(old, size).unwrap());
        prop_assert!(is_consistent((old, older), (size, new), &proof));
        let mut forged = older;
        forged[5] ^= byte;
        prop_assert!(!is_consistent((old, forged), (size, new), &proof));
        prop_assert!(!is_consistent((old, older), (size, forged), &proof));
        if !proof.is_empty() {
            let nth = which.index(proof.len());
            let mut changed = proof.clone();
            changed[nth][0] ^= byte;
            prop_assert!(!is_consistent((old, older), (size, new), &changed));
            let mut shorter = proof.clone();
            shorter.remove(nth);
            prop_assert!(!is_consistent((old, older), (size, new), &shorter));
        }
    }
}
