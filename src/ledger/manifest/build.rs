//! Hashing and packing records while they arrive.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::super::key::{KeyColumns, KeyKind, KeyValue};
use super::super::merkle::{CompactRange, Hash};
use super::super::wire::{put_bytes, put_varint};
use super::filter::{FilterKey, build_filter};
use super::packed::{Days, first_values, put_key};
use super::{
    LEAF_VERSION, LONGEST_TEXT, MAGIC, MOST_RECORDS, Manifest, ManifestError, VERSION, fits, kind,
};

/// Takes records one by one and makes a [`Manifest`] of them.
pub struct ManifestBuilder {
    columns: KeyColumns,
    parent_columns: Option<KeyColumns>,
    seed: [u8; 32],
    salts: Salts,
    filter_key: FilterKey,
    /// Two halves of each key's keyed hash, from which its bits of the filter follow.
    filter_hashes: Vec<(u64, u64)>,
    previous: Vec<KeyValue<'static>>,
    previous_parent: Vec<KeyValue<'static>>,
    days: Days,
    tree: CompactRange,
    body: Vec<u8>,
    scratch: Vec<u8>,
}

impl ManifestBuilder {
    /// Begins a manifest of records with these key columns; `parent_columns` where
    /// each of them has a parent. `seed`: 32 random bytes, never used before.
    #[must_use]
    pub fn new(columns: KeyColumns, parent_columns: Option<KeyColumns>, seed: [u8; 32]) -> Self {
        Self {
            previous: first_values(&columns),
            previous_parent: parent_columns
                .as_ref()
                .map(first_values)
                .unwrap_or_default(),
            columns,
            parent_columns,
            salts: Salts::new(&seed),
            filter_key: FilterKey::new(&seed),
            seed,
            filter_hashes: Vec::new(),
            days: Days::default(),
            tree: CompactRange::new(),
            body: Vec::new(),
            scratch: Vec::with_capacity(128),
        }
    }

    /// Adds the next record: its key, the day it is counted from, the last day it was
    /// to be kept, and its parent's key. Days are counted from 1 January 1970.
    ///
    /// # Errors
    /// When key or parent do not fit the columns, a text is longer than
    /// [`LONGEST_TEXT`], or there are [`MOST_RECORDS`] already. The builder is as it
    /// was before.
    pub fn push(
        &mut self,
        key: &[KeyValue<'_>],
        trigger: Option<i32>,
        last_day: Option<i32>,
        parent: Option<&[KeyValue<'_>]>,
    ) -> Result<(), ManifestError> {
        let index = self.tree.size();
        if index >= MOST_RECORDS {
            return Err(ManifestError::TooMany);
        }
        if !self.columns.fits(key) {
            return Err(ManifestError::Key);
        }
        if !fits(self.parent_columns.as_ref(), parent) {
            return Err(ManifestError::Parent);
        }
        if key.iter().chain(parent.unwrap_or_default()).any(too_long) {
            return Err(ManifestError::LongText);
        }

        self.scratch.clear();
        let leaf_head = [0x00, LEAF_VERSION];
        self.scratch.extend_from_slice(&leaf_head);
        self.scratch.extend_from_slice(&self.salts.salt(index));
        let parents = self.parent_columns.as_ref().zip(parent);
        put_record(
            &mut self.scratch,
            (&self.columns, key),
            trigger,
            last_day,
            parents,
        );
        self.tree.push(Sha256::digest(&self.scratch).into());

        self.filter_hashes
            .push(self.filter_key.hash(&mut self.scratch, key));

        put_key(&mut self.body, &mut self.previous, key)?;
        self.days.put(&mut self.body, trigger, last_day);
        if let Some(parent) = parent {
            put_key(&mut self.body, &mut self.previous_parent, parent)?;
        }
        Ok(())
    }

    /// How many records were added.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.tree.size()
    }

    /// The manifest of the records so far.
    #[must_use]
    pub fn finish(self) -> Manifest {
        let mut bytes = Vec::with_capacity(self.body.len() + 64);
        bytes.extend_from_slice(&MAGIC);
        bytes.push(VERSION);
        put_varint(&mut bytes, self.tree.size());
        put_columns(&mut bytes, &self.columns);
        match &self.parent_columns {
            None => bytes.push(0),
            Some(columns) => {
                bytes.push(1);
                put_columns(&mut bytes, columns);
            }
        }
        bytes.extend_from_slice(&self.body);
        Manifest {
            bytes,
            root: self.tree.root(),
            filter: build_filter(&self.filter_hashes),
            count: self.tree.size(),
            seed: self.seed,
        }
    }
}

/// The salts of one manifest: HMAC-SHA-256 of the record's index under the seed.
pub(super) struct Salts(Hmac<Sha256>);

impl Salts {
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        Self(keyed(seed))
    }

    pub(super) fn salt(&self, index: u64) -> Hash {
        let mut mac = self.0.clone();
        mac.update(&index.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// HMAC-SHA-256 under the seed. (It takes keys of any length, so 32 bytes always fit.)
pub(super) fn keyed(seed: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    block[..seed.len()].copy_from_slice(seed);
    Hmac::new(&block)
}

fn too_long(value: &KeyValue<'_>) -> bool {
    matches!(value, KeyValue::Text(text) if text.len() > LONGEST_TEXT)
}

/// The canonical bytes of a record.
pub(super) fn put_record(
    out: &mut Vec<u8>,
    (columns, key): (&KeyColumns, &[KeyValue<'_>]),
    trigger: Option<i32>,
    last_day: Option<i32>,
    parent: Option<(&KeyColumns, &[KeyValue<'_>])>,
) {
    put_named_key(out, columns, key);
    put_day(out, trigger);
    put_day(out, last_day);
    match parent {
        Some((columns, parent)) => {
            out.push(1);
            put_named_key(out, columns, parent);
        }
        None => out.push(0),
    }
}

/// A key with its columns' names: what a record's proof shows.
fn put_named_key(out: &mut Vec<u8>, columns: &KeyColumns, key: &[KeyValue<'_>]) {
    put_varint(out, key.len() as u64);
    for (column, value) in columns.as_slice().iter().zip(key) {
        put_bytes(out, column.name.as_str().as_bytes());
        put_value(out, value);
    }
}

pub(super) fn put_value(out: &mut Vec<u8>, value: &KeyValue<'_>) {
    match value {
        KeyValue::Int(number) => {
            out.push(kind::INT);
            out.extend_from_slice(&number.to_be_bytes());
        }
        KeyValue::Text(text) => {
            out.push(kind::TEXT);
            put_bytes(out, text.as_bytes());
        }
    }
}

fn put_day(out: &mut Vec<u8>, day: Option<i32>) {
    match day {
        None => out.push(0),
        Some(day) => {
            out.push(1);
            out.extend_from_slice(&day.to_be_bytes());
        }
    }
}

fn put_columns(out: &mut Vec<u8>, columns: &KeyColumns) {
    put_varint(out, columns.as_slice().len() as u64);
    for column in columns.as_slice() {
        out.push(match column.kind {
            KeyKind::Int => kind::INT,
            KeyKind::Text => kind::TEXT,
        });
        put_bytes(out, column.name.as_str().as_bytes());
    }
}
