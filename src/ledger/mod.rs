//! The ledger: what was done, to which records, under which schedule, by whom.
//!
//! It owns two kinds of bytes. An **entry** ([`entry`]) is one action on one table,
//! or one other event of consequence; it is stored exactly as it is hashed. A
//! **manifest** ([`manifest`]) lists the records of an entry, packed, and stands
//! outside the entry's bytes: the entry holds only the root of a Merkle tree
//! ([`merkle`]) over them, so that a proof of one record shows no neighbour, and the
//! details of a year can be dropped without touching an entry.
//!
//! Everything here but [`store`], [`publish`] and [`details`] is pure: bytes in, values out,
//! no clock, no pool.
//! [`store`] writes entries inside a transaction that its caller owns, and never
//! begins or commits that one: an action and its entry commit together or not at all.
//!
//! It never changes what it has written, removes the details of a year only after an entry
//! has said so ([`details`]), never holds the contents of a
//! row, and never prints the key of a record in an error.
//!
//! Sealing, signed checkpoints and proofs are not built yet. They come as tables
//! beside these (`ledger_seal`: leaf index and entry) and need nothing of an entry
//! but its bytes, so that no entry written today has to be rewritten for them.
//!
//! Every byte of both formats: `docs/LEDGER.md`.

pub mod audit;
pub mod certificate;
pub mod checkpoint;
mod commitment;
pub mod details;
pub mod entry;
pub mod hashkey;
pub mod key;
pub mod keychange;
pub mod keyring;
pub mod manifest;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod publish;
pub mod store;
pub mod tree;
mod wire;

pub use commitment::commitment;
pub use entry::{Action, Entry, EntryId};
pub use key::{KeyColumn, KeyColumns, KeyKind, KeyValue, RecordKey};
pub use manifest::{Manifest, ManifestBuilder};
