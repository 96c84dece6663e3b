//! Reading packed records, strictly and in constant memory.

use super::super::key::{KeyColumn, KeyColumns, KeyKind, KeyValue, RecordKey};
use super::super::wire::Reader;
use super::packed::{Days, first_values, read_key};
use super::{MAGIC, MOST_RECORDS, ManifestError, VERSION, kind};
use crate::ident::Ident;

/// What stands before the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The columns of the records' key.
    pub columns: KeyColumns,
    /// The columns of their parents' key, where they have parents.
    pub parent_columns: Option<KeyColumns>,
    /// How many records follow.
    pub count: u64,
}

/// One record of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: RecordKey,
    /// The day that its period was counted from, since 1 January 1970.
    pub trigger: Option<i32>,
    /// The last day it was to be kept, since 1 January 1970.
    pub last_day: Option<i32>,
    /// The key of the record that it went with.
    pub parent: Option<RecordKey>,
}

/// Reads the header of packed records; the records are read as they are asked for.
///
/// # Errors
/// When the bytes do not begin as a manifest of a known version does.
pub fn decode(bytes: &[u8]) -> Result<Records<'_>, ManifestError> {
    let mut reader = Reader::new(bytes);
    if reader.take(3)? != MAGIC {
        return Err(ManifestError::NotAManifest);
    }
    match reader.byte()? {
        VERSION => {}
        other => return Err(ManifestError::Version(other)),
    }
    let count = reader.varint()?;
    let columns = read_columns(&mut reader)?;
    let parent_columns = match reader.byte()? {
        0 => None,
        1 => Some(read_columns(&mut reader)?),
        _ => return Err(ManifestError::Spelling),
    };
    // A record has at least a byte for its key and one for its days.
    if count > MOST_RECORDS || count > reader.remaining() as u64 / 2 {
        return Err(ManifestError::Count);
    }
    Ok(Records {
        reader,
        left: count,
        key: first_values(&columns),
        parent: parent_columns.as_ref().map(first_values),
        days: Days::default(),
        trigger: None,
        last_day: None,
        header: Header {
            columns,
            parent_columns,
            count,
        },
    })
}

fn read_columns(reader: &mut Reader<'_>) -> Result<KeyColumns, ManifestError> {
    let mut columns = Vec::new();
    for _ in 0..reader.varint()? {
        let kind = match reader.byte()? {
            kind::INT => KeyKind::Int,
            kind::TEXT => KeyKind::Text,
            other => return Err(ManifestError::Kind(other)),
        };
        let name = Ident::new(reader.text()?).map_err(|_| ManifestError::Columns)?;
        columns.push(KeyColumn { name, kind });
    }
    KeyColumns::new(columns).map_err(|_| ManifestError::Columns)
}

/// The records of a manifest, in order. As an iterator it gives each as a value, and
/// ends after the first error; [`Self::advance`] lends them instead.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    reader: Reader<'a>,
    header: Header,
    left: u64,
    key: Vec<KeyValue<'static>>,
    parent: Option<Vec<KeyValue<'static>>>,
    days: Days,
    trigger: Option<i32>,
    last_day: Option<i32>,
}

impl Records<'_> {
    /// What stands before the records.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Goes to the next record; `false` after the last.
    ///
    /// # Errors
    /// When the record is not spelled as it should be, or bytes follow the last one.
    pub fn advance(&mut self) -> Result<bool, ManifestError> {
        if self.left == 0 {
            return if self.reader.is_empty() {
                Ok(false)
            } else {
                Err(ManifestError::Count)
            };
        }
        read_key(&mut self.reader, &mut self.key)?;
        (self.trigger, self.last_day) = self.days.read(&mut self.reader)?;
        if let Some(parent) = &mut self.parent {
            read_key(&mut self.reader, parent)?;
        }
        self.left -= 1;
        Ok(true)
    }

    /// The key of the record that [`Self::advance`] went to.
    #[must_use]
    pub fn key(&self) -> &[KeyValue<'static>] {
        &self.key
    }

    /// Its trigger, in days since 1 January 1970.
    #[must_use]
    pub fn trigger(&self) -> Option<i32> {
        self.trigger
    }

    /// Its last day, in days since 1 January 1970.
    #[must_use]
    pub fn last_day(&self) -> Option<i32> {
        self.last_day
    }

    /// Its parent's key.
    #[must_use]
    pub fn parent(&self) -> Option<&[KeyValue<'static>]> {
        self.parent.as_deref()
    }

    /// The record that [`Self::advance`] went to, as a value.
    #[must_use]
    pub fn record(&self) -> Record {
        Record {
            key: RecordKey::from_known(&self.key),
            trigger: self.trigger,
            last_day: self.last_day,
            parent: self.parent.as_deref().map(RecordKey::from_known),
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, ManifestError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.advance() {
            Ok(true) => Some(Ok(self.record())),
            Ok(false) => None,
            Err(error) => {
                self.left = 0;
                self.reader = Reader::new(&[]);
                Some(Err(error))
            }
        }
    }
}
