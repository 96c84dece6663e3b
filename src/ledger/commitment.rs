//! Words that stay outside the log and can be held to it.
//!
//! Why something was decided, and by whom, may name people, so that an entry has none of it:
//! it has a hash over the words and a random salt that lies beside them. Whoever is shown both
//! can check that nobody has changed the words since; whoever has the log alone learns nothing,
//! and nobody can once the salt is gone.

use sha2::{Digest, Sha256};

use super::merkle::Hash;
use super::wire::put_bytes;

/// What the hashed bytes begin with.
const PREFIX: &[u8] = b"retentiond commitment v1\n";

/// The hash over words by their names, in the order given.
#[must_use]
pub fn commitment<'a>(
    salt: &[u8; 32],
    words: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Hash {
    let mut bytes = PREFIX.to_vec();
    bytes.extend_from_slice(salt);
    for (name, value) in words {
        put_bytes(&mut bytes, name.as_bytes());
        put_bytes(&mut bytes, value.as_bytes());
    }
    Sha256::digest(&bytes).into()
}

#[cfg(test)]
mod tests {
    use super::commitment;

    #[test]
    fn words_do_not_run_into_one_another() {
        let salt = [7; 32];
        let of = |words: &[(&'static str, &'static str)]| commitment(&salt, words.iter().copied());
        let all = [
            of(&[]),
            of(&[("ab", "c")]),
            of(&[("a", "bc")]),
            of(&[("a", "b"), ("c", "")]),
            of(&[("c", ""), ("a", "b")]),
        ];
        for (nth, one) in all.iter().enumerate() {
            assert!(!all[nth + 1..].contains(one));
        }
        assert_ne!(commitment(&[8; 32], []), commitment(&salt, []));
    }

    // printf of the bytes, and sha256sum.
    #[test]
    fn the_bytes_are_those_of_the_page() {
        let found = commitment(&[0; 32], [("by", "A. Person"), ("reason", "why")]);
        assert_eq!(
            hex::encode(found),
            "ffe0736451604a0f0c05c66cebbeaa3857ea60fa87624593b76a07fa95003e12"
        );
    }
}
