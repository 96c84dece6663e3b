//! What a restored database is brought up to: a published log that is whole and believed.

use std::io;
use std::path::PathBuf;

use sqlx::PgConnection;
use tokio::sync::mpsc;

use super::folder::{Folder, FolderError};
use super::outside::verify_folder;
use super::segment::{EntryLine, ManifestLine};
use crate::ledger::audit::{Trust, Verdict};
use crate::ledger::checkpoint::{Checkpoint, CheckpointError};
use crate::ledger::entry::Entry;
use crate::ledger::merkle::Hash;
use crate::ledger::note::Verifier;
use crate::ledger::store::{Import, LedgerError};

/// Why lost entries cannot be brought back.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Nothing was published there.
    #[error("no log was published to {}", .0.display())]
    Nothing(PathBuf),
    /// Not signed by a key of this log.
    #[error("the checkpoint in {} is not to be believed", .folder.display())]
    Checkpoint {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: CheckpointError,
    },
    /// It is not what was signed.
    #[error("the log published to {} is {verdict}: {why}", .folder.display())]
    Damaged {
        /// The folder.
        folder: PathBuf,
        /// The verdict.
        verdict: Verdict,
        /// What is wrong first.
        why: String,
    },
    /// It cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The database does not take it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A published log that is whole, and whose newest checkpoint is signed by a key that is known.
#[derive(Debug)]
pub struct Publication {
    folder: Folder,
    newest: Checkpoint,
    signed: Vec<(String, Checkpoint)>,
}

/// An entry that came back, with its packed records if they were published.
#[derive(Debug)]
pub struct Lost {
    /// The entry.
    pub entry: Entry,
    /// Its records.
    pub records: Option<Vec<u8>>,
}

/// Lines that are read ahead: each with the records of a batch.
const AHEAD: usize = 16;

impl Publication {
    /// Reads and verifies all of it.
    ///
    /// # Errors
    /// When nothing was published, or it is not what was signed by one of these keys.
    pub fn open(folder: Folder, keys: &[Verifier]) -> Result<Self, ReplayError> {
        let path = || folder.path().to_owned();
        let Some((note, _)) = folder.checkpoint()? else {
            return Err(ReplayError::Nothing(path()));
        };
        let believed = |note: &str| Checkpoint::open(note, keys);
        let newest = believed(&note).map_err(|source| ReplayError::Checkpoint {
            folder: path(),
            source,
        })?;
        let trust = Trust {
            keys: keys.to_vec(),
            checkpoints: vec![note],
        };
        let found = verify_folder(&folder, &trust)?;
        if found.verdict != Verdict::Ok || found.size != newest.size {
            let entry = found.first_bad.map(|bad| match bad.entry {
                Some(place) => format!("entry {place}: {}", bad.what),
                None => bad.what,
            });
            return Err(ReplayError::Damaged {
                folder: path(),
                verdict: found.verdict,
                why: entry
                    .or_else(|| found.remarks.into_iter().next())
                    .unwrap_or_else(|| "it is shorter than its checkpoint says".to_owned()),
            });
        }
        let signed = folder
            .checkpoints()?
            .into_iter()
            .filter_map(|(_, note)| believed(&note).ok().map(|checkpoint| (note, checkpoint)))
            .filter(|(_, checkpoint)| checkpoint.size <= newest.size)
            .collect();
        Ok(Self {
            folder,
            newest,
            signed,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// How many entries were published.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.newest.size
    }

    /// Whether the database, which has as many entries or more, has this root at that length.
    #[must_use]
    pub fn agrees(&self, root: Hash) -> bool {
        self.newest.root == root
    }

    /// Brings the entries that the database lacks back to their places; `tell` hears of each.
    /// In a transaction of the caller's, which holds the sealing lock afterwards. Answers from
    /// which place on they were lost.
    ///
    /// # Errors
    /// When the database is not a beginning of this log, or has given numbers of lost entries
    /// to others; then the transaction is to be rolled back.
    pub async fn import(
        &self,
        tx: &mut PgConnection,
        mut tell: impl FnMut(Lost),
    ) -> Result<u64, ReplayError> {
        let mut import = Import::begin(tx, self.signed.iter().cloned()).await?;
        let from = import.from();
        let (sender, mut lines) = mpsc::channel(AHEAD);
        let reading = tokio::task::spawn_blocking({
            let (folder, size) = (self.folder.clone(), self.newest.size);
            move || read(&folder, size, &sender)
        });
        while let Some((line, manifest)) = lines.recv().await {
            let records = manifest
                .as_ref()
                .map(|manifest| (&manifest.seed[..], &manifest.records[..]));
            if let Some(entry) = import.push(tx, &line.leaf, records).await? {
                tell(Lost {
                    entry,
                    records: manifest.map(|manifest| manifest.records),
                });
            }
        }
        match reading.await {
            Ok(read) => read?,
            Err(_) => return Err(ReplayError::Nothing(self.folder.path().to_owned())),
        }
        import.finish(tx).await?;
        Ok(from)
    }
}

type Lines = mpsc::Sender<(EntryLine, Option<ManifestLine>)>;

fn read(folder: &Folder, size: u64, lines: &Lines) -> Result<(), FolderError> {
    folder.read(|line, manifest| {
        if line.entry >= size {
            return Ok(());
        }
        // Whoever listened has met an error, and tells that.
        lines
            .blocking_send((line, manifest))
            .map_err(|_| FolderError::File {
                what: "read",
                path: folder.path().to_owned(),
                source: io::ErrorKind::BrokenPipe.into(),
            })
    })
}
