//! Signed notes (C2SP `signed-note`) with Ed25519 keys: a text, and who stands for it.
//!
//! A key has a name, here the log's origin, and an id that follows from name and public
//! key. A note is good for somebody who knows a key when that key's signature is there and
//! right; signatures of keys that nobody knows say nothing, and a wrong signature of a
//! known key spoils the note.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use secrecy::zeroize::Zeroizing;
use sha2::{Digest, Sha256};

/// Ed25519, in key ids and key texts.
const ED25519: u8 = 0x01;
const SIGNATURE: &str = "\u{2014} ";
/// More signatures than anybody puts under a note; a reader has to accept 16.
const MOST_SIGNATURES: usize = 100;

/// Why a text is not a note, not a key, or not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not shaped like a signed note.
    #[error("it is not a signed note: {0}")]
    Shape(&'static str),
    /// No signature is of a key that is known.
    #[error("it is signed by no key that is known")]
    UnknownKey,
    /// A known key's signature is not of this text.
    #[error("the signature of {0} is not of this text")]
    WrongSignature(String),
    /// A text that is not a public key.
    #[error("it is not a public key: {0}")]
    Key(&'static str),
    /// A text that is not a private key.
    #[error("it is not a private key of the ledger")]
    PrivateKey,
}

/// Whether a key may have this name.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c == '+' || c.is_whitespace() || c.is_control())
}

fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([b'\n', ED25519]);
    hasher.update(key.as_bytes());
    let [a, b, c, d, ..]: [u8; 32] = hasher.finalize().into();
    [a, b, c, d]
}

/// A public key, written `name+id+key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl Verifier {
    /// Whose key it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The four bytes that its signatures begin with.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// Whether this is its signature of `text`.
    #[must_use]
    pub fn accepts(&self, text: &str, signature: &[u8; 64]) -> bool {
        let signature = Signature::from_bytes(signature);
        self.key.verify_strict(text.as_bytes(), &signature).is_ok()
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519];
        key.extend_from_slice(self.key.as_bytes());
        let (id, key) = (hex::encode(self.id), BASE64.encode(key));
        write!(f, "{}+{id}+{key}", self.name)
    }
}

impl FromStr for Verifier {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.trim_end_matches('\n').splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key("it has not the parts `name+id+key`"));
        };
        if !is_name(name) {
            return Err(NoteError::Key(
                "its name has a space or a control character",
            ));
        }
        let key = BASE64
            .decode(key)
            .map_err(|_| NoteError::Key("its last part is not base64"))?;
        let key = match key.split_first() {
            Some((&ED25519, key)) => <[u8; 32]>::try_from(key).ok(),
            _ => None,
        };
        let key = key
            .and_then(|key| VerifyingKey::from_bytes(&key).ok())
            .ok_or(NoteError::Key("it is no Ed25519 key"))?;
        let right = key_id(name, &key);
        if id.len() != 8 || id != hex::encode(right) {
            return Err(NoteError::Key(
                "its id does not follow from its name and key",
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            id: right,
            key,
        })
    }
}

/// A private key with its name. Nothing of it is ever printed but by [`Self::to_text`].
pub struct Key {
    name: String,
    key: SigningKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.name)
    }
}

/// What the text of a private key begins with.
const PRIVATE: &str = "RETENTIOND+PRIVATE+KEY";

impl Key {
    /// The key that follows from 32 random bytes; `None` if no key may have that name.
    #[must_use]
    pub fn new(name: &str, secret: &[u8; 32]) -> Option<Self> {
        is_name(name).then(|| Self {
            name: name.to_owned(),
            key: SigningKey::from_bytes(secret),
        })
    }

    /// The same key under another name: of another log.
    #[must_use]
    pub fn renamed(&self, name: &str) -> Option<Self> {
        Self::new(name, self.key.as_bytes())
    }

    /// Its public half.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        let key = self.key.verifying_key();
        Verifier {
            name: self.name.clone(),
            id: key_id(&self.name, &key),
            key,
        }
    }

    /// The line that a file of mode 0600 or a credential holds.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(BASE64.encode(self.key.as_bytes()));
        Zeroizing::new(format!("{PRIVATE}+{}+{}\n", self.name, *secret))
    }

    /// Reads what [`Self::to_text`] wrote.
    ///
    /// # Errors
    /// For any other text.
    pub fn from_text(text: &str) -> Result<Self, NoteError> {
        let rest = text
            .trim_end()
            .strip_prefix(PRIVATE)
            .and_then(|rest| rest.strip_prefix('+'))
            .ok_or(NoteError::PrivateKey)?;
        let (name, secret) = rest.split_once('+').ok_or(NoteError::PrivateKey)?;
        let secret = Zeroizing::new(BASE64.decode(secret).map_err(|_| NoteError::PrivateKey)?);
        let secret: Zeroizing<[u8; 32]> = Zeroizing::new(
            secret
                .as_slice()
                .try_into()
                .map_err(|_| NoteError::PrivateKey)?,
        );
        Self::new(name, &secret).ok_or(NoteError::PrivateKey)
    }

    /// Its signature of `text`.
    #[must_use]
    pub fn signature(&self, text: &str) -> [u8; 64] {
        self.key.sign(text.as_bytes()).to_bytes()
    }

    /// A note of `text`, which ends in a newline, under this key's signature.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let mut bytes = self.verifier().id.to_vec();
        bytes.extend_from_slice(&self.signature(text));
        let signature = BASE64.encode(bytes);
        format!("{text}\n{SIGNATURE}{} {signature}\n", self.name)
    }
}

/// A note whose shape is right; whom to believe is [`Self::signed_by`]'s question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct NoteSignature {
    name: String,
    id: [u8; 4],
    /// After the id; 64 bytes if it is of Ed25519.
    bytes: Vec<u8>,
}

impl Note {
    /// The text, with its last newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reads a note's shape.
    ///
    /// # Errors
    /// [`NoteError::Shape`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        let shape = |why| Err(NoteError::Shape(why));
        if note.contains(|c: char| c.is_control() && c != '\n') {
            return shape("it has control characters");
        }
        // The last empty line: a text may have empty lines of its own.
        let Some(end) = note.rfind("\n\n") else {
            return shape("no empty line stands before its signatures");
        };
        let (text, signatures) = (&note[..=end], &note[end + 2..]);
        let Some(signatures) = signatures.strip_suffix('\n') else {
            return shape("it does not end in a signature and a newline");
        };
        let signatures: Vec<NoteSignature> = signatures
            .split('\n')
            .map(Self::signature)
            .collect::<Option<_>>()
            .ok_or(NoteError::Shape("a line after its text is no signature"))?;
        if signatures.len() > MOST_SIGNATURES {
            return shape("it has too many signatures");
        }
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }

    fn signature(line: &str) -> Option<NoteSignature> {
        let (name, bytes) = line.strip_prefix(SIGNATURE)?.split_once(' ')?;
        let bytes = BASE64.decode(bytes).ok()?;
        let (id, bytes) = bytes.split_first_chunk::<4>()?;
        (is_name(name) && !bytes.is_empty()).then(|| NoteSignature {
            name: name.to_owned(),
            id: *id,
            bytes: bytes.to_vec(),
        })
    }

    /// The first of the known keys that signed it.
    ///
    /// # Errors
    /// [`NoteError::UnknownKey`] if none did, [`NoteError::WrongSignature`] if the
    /// signature of any known key is wrong.
    pub fn signed_by<'k>(&self, known: &'k [Verifier]) -> Result<&'k Verifier, NoteError> {
        let mut found = None;
        for signature in &self.signatures {
            let key = known
                .iter()
                .find(|key| key.name == signature.name && key.id == signature.id);
            let Some(key) = key else { continue };
            let right = <&[u8; 64]>::try_from(signature.bytes.as_slice())
                .is_ok_and(|bytes| key.accepts(&self.text, bytes));
            if !right {
                return Err(NoteError::WrongSignature(key.name.clone()));
            }
            found.get_or_insert(key);
        }
        found.ok_or(NoteError::UnknownKey)
    }
}
