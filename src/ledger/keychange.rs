//! From one key of the log to the next: the old one signs the new one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::entry::{Action, Entry};
use super::note::{Key, Verifier};

/// A change of keys whose signature is right. Whether the old key is to be believed is
/// another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// The key until then.
    pub old: Verifier,
    /// The key from then on.
    pub new: Verifier,
    signature: [u8; 64],
}

/// What the old key signs.
fn text(old: &Verifier, new: &Verifier) -> String {
    format!("retentiond key change v1\n{old}\n{new}\n")
}

impl KeyChange {
    /// A change to the key of `new`, signed by `old`.
    #[must_use]
    pub fn sign(old: &Key, new: &Verifier) -> Self {
        let verifier = old.verifier();
        Self {
            signature: old.signature(&text(&verifier, new)),
            old: verifier,
            new: new.clone(),
        }
    }

    /// Says in an entry that the key before was lost, so that nothing signs the new one: only
    /// whoever hears of it elsewhere can believe it.
    pub fn lost(new: &Verifier, entry: &mut Entry) {
        entry.detail.insert("new".to_owned(), new.to_string());
        entry.detail.insert("old".to_owned(), "lost".to_owned());
    }

    /// Whether an entry says that a key was lost.
    #[must_use]
    pub fn is_loss(entry: &Entry) -> bool {
        entry.action == Action::KeyChanged
            && entry.detail.get("old").is_some_and(|old| old == "lost")
    }

    /// Puts the change into an entry's detail.
    pub fn write(&self, entry: &mut Entry) {
        for (word, value) in [
            ("old", self.old.to_string()),
            ("new", self.new.to_string()),
            ("signature", BASE64.encode(self.signature)),
        ] {
            entry.detail.insert(word.to_owned(), value);
        }
    }

    /// The change that an entry tells of; `None` if it tells of none, or the signature is
    /// not the old key's.
    #[must_use]
    pub fn of(entry: &Entry) -> Option<Self> {
        if entry.action != Action::KeyChanged {
            return None;
        }
        let word = |word: &str| entry.detail.get(word);
        let old: Verifier = word("old")?.parse().ok()?;
        let new: Verifier = word("new")?.parse().ok()?;
        let signature = BASE64.decode(word("signature")?).ok()?.try_into().ok()?;
        old.accepts(&text(&old, &new), &signature).then_some(Self {
            old,
            new,
            signature,
        })
    }
}
