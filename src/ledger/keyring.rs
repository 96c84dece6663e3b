//! The log's keys, in files outside the database.
//!
//! The private key is in `ledger.key`, mode 0600, in the log's folder of the state, or in a
//! credential of the service manager; `ledger.pub` beside it has the public keys, a line
//! each, the oldest first, for whoever wants to verify. A key is made on first need, and
//! never while a log is there that another one has signed.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;

use super::hashkey::HashKeys;
use super::note::{Key, NoteError, Verifier};

const PRIVATE: &str = "ledger.key";
const PUBLIC: &str = "ledger.pub";
const HASHING: &str = "hash.key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file that cannot be read or written.
    #[error("cannot {what} {}", .path.display())]
    File {
        /// `read`, `write` or `make`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that holds no key.
    #[error("{} holds no key of a ledger", .path.display())]
    NoKey {
        /// Which.
        path: PathBuf,
        /// Why.
        source: NoteError,
    },
    /// A private key that others can read.
    #[error("others than its owner can read {}", .0.display())]
    Open(PathBuf),
    /// A log that was signed by a key that is not here.
    #[error("the key that signed the log {origin} is not in {}", .path.display())]
    Missing {
        /// The log.
        origin: String,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// No random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// Where a log's keys are.
#[derive(Debug, Clone)]
pub struct Keyring {
    folder: PathBuf,
    credential: Option<PathBuf>,
}

fn file_error(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::File { what, path, source }
}

impl Keyring {
    /// The keys in `folder`; the private one in the file `credential` instead, if one is named.
    #[must_use]
    pub fn new(folder: PathBuf, credential: Option<PathBuf>) -> Self {
        Self { folder, credential }
    }

    /// Where the private key is, or would be made.
    #[must_use]
    pub fn private_path(&self) -> PathBuf {
        match &self.credential {
            Some(path) => path.clone(),
            None => self.folder.join(PRIVATE),
        }
    }

    /// Where the public keys are.
    #[must_use]
    pub fn public_path(&self) -> PathBuf {
        self.folder.join(PUBLIC)
    }

    /// The private key, under the log's present name; `None` if there is none yet.
    ///
    /// # Errors
    /// When the file cannot be read, holds no key, or is open to others.
    pub fn private(&self, origin: &str) -> Result<Option<Key>, KeyError> {
        use std::os::unix::fs::PermissionsExt;
        let path = self.private_path();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(file_error("read", &path)(source)),
        };
        let mode = file
            .metadata()
            .map_err(file_error("read", &path))?
            .permissions()
            .mode();
        // Who may read a credential is the affair of whoever provides it.
        if mode & 0o077 != 0 && self.credential.as_ref() != Some(&path) {
            return Err(KeyError::Open(path));
        }
        let text =
            Zeroizing::new(std::fs::read_to_string(&path).map_err(file_error("read", &path))?);
        let key =
            Key::from_text(&text).and_then(|key| key.renamed(origin).ok_or(NoteError::PrivateKey));
        match key {
            Ok(key) => Ok(Some(key)),
            Err(source) => Err(KeyError::NoKey { path, source }),
        }
    }

    /// The public keys that this log had and has, the oldest first.
    ///
    /// # Errors
    /// When the file cannot be read or a line of it is no key.
    pub fn public(&self) -> Result<Vec<Verifier>, KeyError> {
        let path = self.public_path();
        match std::fs::read_to_string(&path) {
            Ok(text) => verifiers(&text).map_err(|source| KeyError::NoKey { path, source }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(file_error("read", &path)(source)),
        }
    }

    /// Makes a new private key in place of the present one, if any, and notes its public
    /// half. The file is whole or not there.
    ///
    /// # Errors
    /// When there are no random numbers, or a file cannot be written.
    pub fn make(&self, origin: &str) -> Result<Key, KeyError> {
        let path = self.private_path();
        let key = random_key(origin, &path)?;
        self.prepare()?;
        write_whole(&path, key.to_text().as_bytes(), 0o600)?;
        self.note(&key.verifier())?;
        Ok(key)
    }

    /// Makes the first key, unless another process was quicker; then that one's.
    ///
    /// # Errors
    /// As [`Self::make`] and [`Self::private`].
    pub fn make_first(&self, origin: &str) -> Result<Key, KeyError> {
        let path = self.private_path();
        let key = random_key(origin, &path)?;
        self.prepare()?;
        if write_first(&path, key.to_text().as_bytes())? {
            return Ok(key);
        }
        self.private(origin)?.ok_or_else(|| KeyError::Missing {
            origin: origin.to_owned(),
            path,
        })
    }

    /// The keys of keyed hashes; none if nothing was ever hashed here.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no key.
    pub fn hash_keys(&self) -> Result<Option<HashKeys>, KeyError> {
        let path = self.folder.join(HASHING);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(file_error("read", &path)(source)),
        };
        let source = NoteError::PrivateKey;
        HashKeys::parse(&text)
            .map(Some)
            .ok_or(KeyError::NoKey { path, source })
    }

    /// The same; made where there are none yet.
    ///
    /// # Errors
    /// As [`Self::hash_keys`], and when the file cannot be written.
    pub fn hash_keys_or_first(&self) -> Result<HashKeys, KeyError> {
        if let Some(keys) = self.hash_keys()? {
            return Ok(keys);
        }
        let (mut id, mut secret) = ([0; 4], Zeroizing::new([0; 32]));
        getrandom::fill(&mut id).map_err(KeyError::Random)?;
        getrandom::fill(&mut *secret).map_err(KeyError::Random)?;
        let keys = HashKeys::first(id, secret);
        self.prepare()?;
        let path = self.folder.join(HASHING);
        if write_first(&path, keys.to_text().as_bytes())? {
            return Ok(keys);
        }
        let source = NoteError::PrivateKey;
        self.hash_keys()?.ok_or(KeyError::NoKey { path, source })
    }

    /// Makes the key that is to follow, beside the present one.
    ///
    /// # Errors
    /// As [`Self::make`].
    pub fn prepare_next(&self, origin: &str) -> Result<Key, KeyError> {
        let path = self.private_path().with_extension("next");
        let key = random_key(origin, &path)?;
        self.prepare()?;
        write_whole(&path, key.to_text().as_bytes(), 0o600)?;
        Ok(key)
    }

    /// Puts the key that was prepared in the place of the present one.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn take_next(&self, next: &Key) -> Result<(), KeyError> {
        let path = self.private_path();
        std::fs::rename(path.with_extension("next"), &path).map_err(file_error("write", &path))?;
        self.note(&next.verifier())
    }

    /// Adds a public key to those that are known here, unless it is.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn note(&self, verifier: &Verifier) -> Result<(), KeyError> {
        let mut known = self.public()?;
        if known.contains(verifier) {
            return Ok(());
        }
        known.push(verifier.clone());
        self.prepare()?;
        let lines: String = known.iter().map(|key| format!("{key}\n")).collect();
        write_whole(&self.public_path(), lines.as_bytes(), 0o644)
    }

    fn prepare(&self) -> Result<(), KeyError> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(file_error("make", &self.folder))
    }
}

fn random_key(origin: &str, path: &Path) -> Result<Key, KeyError> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret).map_err(KeyError::Random)?;
    Key::new(origin, &secret).ok_or_else(|| KeyError::NoKey {
        path: path.to_owned(),
        source: NoteError::PrivateKey,
    })
}

/// Public keys, a line each; empty lines and comments (`#`) aside.
///
/// # Errors
/// When a line is no key.
pub fn verifiers(text: &str) -> Result<Vec<Verifier>, NoteError> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::parse)
        .collect()
}

/// A secret file that has all of `bytes`, unless one of its name is there; then `false`.
fn write_first(path: &Path, bytes: &[u8]) -> Result<bool, KeyError> {
    // Whole before it has its name, and never in the place of another.
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(KeyError::Random)?;
    let new = path.with_extension(format!("new-{}", hex::encode(nonce)));
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .map_err(file_error("write", &new))?;
    let linked = std::fs::hard_link(&new, path);
    std::fs::remove_file(&new).map_err(file_error("write", &new))?;
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(source) => Err(file_error("write", path)(source)),
    }
}

/// A file that has all of `bytes`, or is as it was before.
fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeyError> {
    let error = |source| file_error("write", path)(source);
    let new = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&new)
        .map_err(error)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&new, path))
        .and_then(|()| match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        })
        .map_err(error)
}
