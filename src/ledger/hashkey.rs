//! The key of keyed hashes: how the log names what it must not spell out.
//!
//! A person's identifier stands in a decision only while that binds. The log has an
//! HMAC-SHA-256 of it instead, under a key that lies outside the database: whoever has the key
//! can ask whether an entry is about somebody, whoever has the log alone cannot. Keys have ids,
//! so that one can follow another; losing one is losing the answer, and nothing else.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::zeroize::Zeroizing;
use sha2::Sha256;

/// What is hashed before the text.
const PREFIX: &[u8] = b"retentiond name v1\n";
/// What a line of the file begins with.
const WORD: &str = "retentiond-hash-key";

/// The keys that hashes were made with, the present one last.
#[derive(Clone)]
pub struct HashKeys(Vec<HashKey>);

#[derive(Clone)]
struct HashKey {
    id: String,
    secret: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for HashKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|key| &key.id))
            .finish()
    }
}

impl HashKeys {
    /// The keys that a file's text holds; `None` where a line is none, or there is no line.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let keys: Option<Vec<HashKey>> = text.lines().map(HashKey::parse).collect();
        keys.filter(|keys| !keys.is_empty()).map(Self)
    }

    /// The text of the file.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        for key in &self.0 {
            text.push_str(&format!("{WORD} {} ", key.id));
            text.push_str(&Zeroizing::new(hex::encode(&key.secret[..])));
            text.push('\n');
        }
        text
    }

    /// A first key of these random bytes.
    #[must_use]
    pub fn first(id: [u8; 4], secret: Zeroizing<[u8; 32]>) -> Self {
        let id = hex::encode(id);
        Self(vec![HashKey { id, secret }])
    }

    /// The hash of a text under the present key: `hmac:ID:HEX`.
    #[must_use]
    pub fn hash(&self, text: &str) -> String {
        self.0.last().map_or_else(String::new, |key| key.hash(text))
    }

    /// Whether a hash is that of a text; `None` if its key is not here.
    #[must_use]
    pub fn is_of(&self, hash: &str, text: &str) -> Option<bool> {
        let id = hash.strip_prefix("hmac:")?.split(':').next()?;
        let key = self.0.iter().find(|key| key.id == id)?;
        Some(key.hash(text) == hash)
    }

    /// The hashes of a text under every key.
    #[must_use]
    pub fn hashes(&self, text: &str) -> Vec<String> {
        self.0.iter().map(|key| key.hash(text)).collect()
    }
}

impl HashKey {
    fn parse(line: &str) -> Option<Self> {
        let [word, id, secret] = line.split(' ').collect::<Vec<_>>()[..] else {
            return None;
        };
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(secret, &mut bytes[..]).ok()?;
        let good_id = id.len() == 8 && id.bytes().all(|b| b.is_ascii_hexdigit());
        (word == WORD && good_id).then(|| Self {
            id: id.to_owned(),
            secret: bytes,
        })
    }

    fn hash(&self, text: &str) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.secret[..]) else {
            return String::new();
        };
        mac.update(PREFIX);
        mac.update(text.as_bytes());
        format!(
            "hmac:{}:{}",
            self.id,
            hex::encode(mac.finalize().into_bytes())
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // printf 'retentiond name v1\n42' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707…07
    #[test]
    fn a_hash_is_what_openssl_says() {
        let keys = HashKeys::first([1, 2, 3, 4], Zeroizing::new([7; 32]));
        let hash = keys.hash("42");
        assert_eq!(
            hash,
            "hmac:01020304:e03acd009ee0d6608131c9525d246aa588a50ded3b75ec58209d8ae88c04ce38"
        );
        assert_eq!(keys.is_of(&hash, "42"), Some(true));
        assert_eq!(keys.is_of(&hash, "43"), Some(false));
        let other = HashKeys::first([1, 2, 3, 5], Zeroizing::new([7; 32]));
        assert_eq!(other.is_of(&hash, "42"), None);
    }

    #[test]
    fn the_file_is_read_as_it_was_written_and_nothing_else_is() {
        let keys = HashKeys::first([1, 2, 3, 4], Zeroizing::new([7; 32]));
        let text = keys.to_text();
        let again = HashKeys::parse(&text).map(|keys| keys.hash("x"));
        assert_eq!(again, Some(keys.hash("x")));
        for bad in ["", "x", &text[..60], &text.replace("hash-key", "key")] {
            assert!(HashKeys::parse(bad).is_none());
        }
        assert!(!format!("{keys:?}").contains("0707"));
    }
}
