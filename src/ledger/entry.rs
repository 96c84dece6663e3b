//! One line of the ledger, and its bytes.
//!
//! The bytes are canonical: an entry has one spelling, [`Entry::decode`] accepts no
//! other, and what it accepts encodes to the same bytes again. They begin with a
//! text that no other format of ours begins with, so that an entry can never be
//! taken for something else that is hashed. An unknown version, field or action is
//! an error of its own ([`EntryError::is_newer`]): an older program says "written by
//! a newer one", never "tampered", and never guesses.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::merkle::{self, Hash};
use super::wire::{Reader, WireError, put_bytes};
use crate::ident::{ClassId, Ident, TableName};

/// What the bytes of every entry begin with; the digit is the version.
const FAMILY: &[u8] = b"retentiond entry v";
const PREFIX: &[u8] = b"retentiond entry v1\n";

mod tag {
    pub(super) const ID: u8 = 1;
    pub(super) const AT: u8 = 2;
    pub(super) const ACTION: u8 = 3;
    pub(super) const CLASS: u8 = 4;
    pub(super) const TABLE: u8 = 5;
    pub(super) const RUN: u8 = 6;
    pub(super) const SCHEDULE: u8 = 7;
    pub(super) const FILE: u8 = 8;
    pub(super) const PLAN: u8 = 9;
    pub(super) const ACTOR: u8 = 10;
    pub(super) const COUNT: u8 = 11;
    pub(super) const MANIFEST: u8 = 12;
    pub(super) const PARENT: u8 = 13;
    pub(super) const DETAIL: u8 = 14;
}

/// Why bytes are not an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// They do not begin as an entry does.
    #[error("the bytes are not an entry")]
    NotAnEntry,
    /// They begin as an entry of a version that this program does not know.
    #[error("the entry has a format that this program does not know")]
    Version,
    /// A field that this program does not know.
    #[error("the entry has a field {0}, which this program does not know")]
    Field(u8),
    /// An action that this program does not know.
    #[error("the entry's action is `{0}`, which this program does not know")]
    Action(String),
    /// Fields out of order, or one there twice.
    #[error("field {0} of the entry is out of order")]
    Order(u8),
    /// A field that every entry has.
    #[error("the entry has no field {0}")]
    Missing(u8),
    /// A value that its field cannot have.
    #[error("field {0} of the entry has a value that it cannot have")]
    Value(u8),
    /// Bytes that are not shaped as they should be.
    #[error("the entry cannot be read: {0}")]
    Wire(#[from] WireError),
}

impl EntryError {
    /// Whether a newer program may have written it: it is then not wrong, only unread.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Version | Self::Field(_) | Self::Action(_))
    }
}

/// The number of an entry in order of its making, unique, with gaps where a
/// transaction was rolled back. (Its place in the sealed log is another number.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryId(pub i64);

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! actions {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action { $($(#[doc = $doc])+ $variant,)+ }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name in the ledger, such as `hold-placed`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

actions! {
    /// Records were recorded as due and listed; no row was touched.
    Flagged = "flagged",
    /// Columns of records were overwritten.
    Anonymised = "anonymised",
    /// Rows were deleted.
    Deleted = "deleted",
    /// Rows stay; their reference to a deleted record was set to NULL.
    Unlinked = "unlinked",
    /// A class was refused: the schedule does not fit, or a rule forbids it.
    Refused = "refused",
    /// A class failed while it was acted on.
    Failed = "failed",
    /// A record that failed was set aside, so that the rest can go.
    Quarantined = "quarantined",
    /// A file was removed after its row.
    FileRemoved = "file-removed",
    /// A file was left, because another row still names it.
    FileKept = "file-kept",
    /// A hold was placed.
    HoldPlaced = "hold-placed",
    /// A hold was released.
    HoldReleased = "hold-released",
    /// The last day of a hold is over.
    HoldExpired = "hold-expired",
    /// Reviewers keep records until a day.
    Kept = "kept",
    /// A reviewer approved records.
    Approved = "approved",
    /// Approvals were taken back.
    ApprovalRevoked = "approval-revoked",
    /// Records in a queue were handed to somebody else.
    HandedOn = "handed-on",
    /// The controller's order to dispose of a class was recorded.
    Instructed = "instructed",
    /// That order was withdrawn.
    InstructionWithdrawn = "instruction-withdrawn",
    /// A person's request for erasure was recorded.
    ErasureRequested = "erasure-requested",
    /// Nothing of it is left to do.
    ErasureFulfilled = "erasure-fulfilled",
    /// It was withdrawn before that.
    ErasureWithdrawn = "erasure-withdrawn",
    /// Records about a person whose records were erased are there again.
    ErasureReturned = "erasure-returned",
    /// Somebody said that those are rightly there.
    ReturnKnown = "return-known",
    /// A processor was told to destroy what it holds.
    ProcessorInstructed = "processor-instructed",
    /// Its confirmation that this was done was recorded.
    ProcessorConfirmed = "processor-confirmed",
    /// A class, or every one, was paused.
    Paused = "paused",
    /// A pause ended.
    Resumed = "resumed",
    /// What somebody may decide was changed.
    OperatorChanged = "operator-changed",
    /// A pass began.
    RunStarted = "run-started",
    /// A pass ended.
    RunFinished = "run-finished",
    /// A version of the schedule came into force.
    ScheduleInForce = "schedule-in-force",
    /// A class was stopped by a limit, and did nothing.
    LimitReached = "limit-reached",
    /// A person accepted a plan over the limits of a class, once.
    LimitsLifted = "limits-lifted",
    /// The ledger was verified.
    Verified = "verified",
    /// Checkpoints are signed by another key from now on; the old one signs that.
    KeyChanged = "key-changed",
    /// The log goes on under another name, since entries were lost for good.
    OriginChanged = "origin-changed",
    /// The manifests of a year are dropped, after their own retention.
    DetailsDropped = "details-dropped",
    /// Entries that a restored database had lost were brought back, and repeated.
    Replayed = "replayed",
    /// What was deleted is gone from the table's files too.
    Erased = "erased",
}

/// An action that this program does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an action of the ledger")]
pub struct UnknownAction(pub String);

impl FromStr for Action {
    type Err = UnknownAction;
    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.name() == text)
            .ok_or_else(|| UnknownAction(text.to_owned()))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Action {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub id: EntryId,
    /// When it was written. Parts of a microsecond are not kept.
    pub at: DateTime<Utc>,
    /// What happened.
    pub action: Action,
    /// The class under which it happened; of a dependant's entry, the parent's class.
    pub class: Option<ClassId>,
    /// The table that was touched.
    pub table: Option<TableName>,
    /// The pass it belongs to.
    pub run: Option<i64>,
    /// The semantic digest of the schedule.
    pub schedule: Option<Hash>,
    /// The SHA-256 of the schedule's file.
    pub file: Option<Hash>,
    /// The digest of the plan.
    pub plan: Option<Hash>,
    /// Who: `service`, or an operator's name as it is registered.
    pub actor: String,
    /// How many records.
    pub count: u64,
    /// The root of the manifest, where there is one.
    pub manifest: Option<Hash>,
    /// In a dependant's entry, the table of the records that it went with.
    pub parent: Option<TableName>,
    /// Short machine words: a refusal's code, an SQLSTATE. Never a row's contents.
    pub detail: BTreeMap<String, String>,
}

impl Entry {
    /// An entry of which only these are known yet; the rest is empty.
    #[must_use]
    pub fn new(id: EntryId, at: DateTime<Utc>, action: Action, actor: impl Into<String>) -> Self {
        Self {
            id,
            at,
            action,
            class: None,
            table: None,
            run: None,
            schedule: None,
            file: None,
            plan: None,
            actor: actor.into(),
            count: 0,
            manifest: None,
            parent: None,
            detail: BTreeMap::new(),
        }
    }

    /// The entry's bytes (`docs/LEDGER.md`, "Entry").
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(384);
        out.extend_from_slice(PREFIX);
        let mut field = |tag: u8, value: &[u8]| {
            out.push(tag);
            put_bytes(&mut out, value);
        };
        field(tag::ID, &self.id.0.to_be_bytes());
        field(tag::AT, &self.at.timestamp_micros().to_be_bytes());
        field(tag::ACTION, self.action.name().as_bytes());
        if let Some(class) = &self.class {
            field(tag::CLASS, class.as_str().as_bytes());
        }
        if let Some(table) = &self.table {
            field(tag::TABLE, &encode_table(table));
        }
        if let Some(run) = self.run {
            field(tag::RUN, &run.to_be_bytes());
        }
        for (tag, digest) in [
            (tag::SCHEDULE, &self.schedule),
            (tag::FILE, &self.file),
            (tag::PLAN, &self.plan),
        ] {
            if let Some(digest) = digest {
                field(tag, digest);
            }
        }
        field(tag::ACTOR, self.actor.as_bytes());
        field(tag::COUNT, &self.count.to_be_bytes());
        if let Some(root) = &self.manifest {
            field(tag::MANIFEST, root);
        }
        if let Some(parent) = &self.parent {
            field(tag::PARENT, &encode_table(parent));
        }
        if !self.detail.is_empty() {
            let mut value = Vec::new();
            for (key, word) in &self.detail {
                put_bytes(&mut value, key.as_bytes());
                put_bytes(&mut value, word.as_bytes());
            }
            field(tag::DETAIL, &value);
        }
        out
    }

    /// Reads an entry's bytes; they must be exactly what [`Self::encode`] writes.
    ///
    /// # Errors
    /// For anything else, and for what only a newer program can read.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let Some(fields) = bytes.strip_prefix(PREFIX) else {
            return Err(if bytes.starts_with(FAMILY) {
                EntryError::Version
            } else {
                EntryError::NotAnEntry
            });
        };
        let mut fields = Fields::read(fields)?;
        let entry = Self {
            id: EntryId(
                fields
                    .number(tag::ID)?
                    .ok_or(EntryError::Missing(tag::ID))?,
            ),
            at: fields.instant(tag::AT)?,
            action: fields.action(tag::ACTION)?,
            class: fields.class(tag::CLASS)?,
            table: fields.table(tag::TABLE)?,
            run: fields.number(tag::RUN)?,
            schedule: fields.hash(tag::SCHEDULE)?,
            file: fields.hash(tag::FILE)?,
            plan: fields.hash(tag::PLAN)?,
            actor: fields.text(tag::ACTOR)?,
            count: u64::from_be_bytes(
                fields
                    .fixed(tag::COUNT)?
                    .ok_or(EntryError::Missing(tag::COUNT))?,
            ),
            manifest: fields.hash(tag::MANIFEST)?,
            parent: fields.table(tag::PARENT)?,
            detail: fields.detail(tag::DETAIL)?,
        };
        Ok(entry)
    }

    /// SHA-256(0x00 ‖ bytes), the entry's leaf in the log (RFC 6962, section 2.1).
    #[must_use]
    pub fn leaf_hash(&self) -> Hash {
        merkle::leaf_hash(&self.encode())
    }
}

fn encode_table(table: &TableName) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, table.schema().as_str().as_bytes());
    put_bytes(&mut out, table.name().as_str().as_bytes());
    out
}

/// The values of an entry by their tag, each still as bytes.
struct Fields<'a>([Option<&'a [u8]>; tag::DETAIL as usize + 1]);

impl<'a> Fields<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, EntryError> {
        let mut fields = [None; tag::DETAIL as usize + 1];
        let mut reader = Reader::new(bytes);
        let mut last = 0;
        while !reader.is_empty() {
            let tag = reader.byte()?;
            if tag <= last {
                return Err(EntryError::Order(tag));
            }
            last = tag;
            let slot = fields
                .get_mut(usize::from(tag))
                .ok_or(EntryError::Field(tag))?;
            *slot = Some(reader.bytes()?);
        }
        Ok(Self(fields))
    }

    fn get(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.0[usize::from(tag)].take()
    }

    fn fixed<const N: usize>(&mut self, tag: u8) -> Result<Option<[u8; N]>, EntryError> {
        self.get(tag)
            .map(|bytes| bytes.try_into().map_err(|_| EntryError::Value(tag)))
            .transpose()
    }

    fn number(&mut self, tag: u8) -> Result<Option<i64>, EntryError> {
        Ok(self.fixed(tag)?.map(i64::from_be_bytes))
    }

    fn hash(&mut self, tag: u8) -> Result<Option<Hash>, EntryError> {
        self.fixed(tag)
    }

    fn optional_text(&mut self, tag: u8) -> Result<Option<&'a str>, EntryError> {
        self.get(tag)
            .map(|bytes| std::str::from_utf8(bytes).map_err(|_| EntryError::Value(tag)))
            .transpose()
    }

    fn text(&mut self, tag: u8) -> Result<String, EntryError> {
        let text = self.optional_text(tag)?.ok_or(EntryError::Missing(tag))?;
        Ok(text.to_owned())
    }

    fn instant(&mut self, tag: u8) -> Result<DateTime<Utc>, EntryError> {
        let microseconds = self.number(tag)?.ok_or(EntryError::Missing(tag))?;
        DateTime::from_timestamp_micros(microseconds).ok_or(EntryError::Value(tag))
    }

    fn action(&mut self, tag: u8) -> Result<Action, EntryError> {
        let name = self.text(tag)?;
        name.parse()
            .map_err(|UnknownAction(name)| EntryError::Action(name))
    }

    fn class(&mut self, tag: u8) -> Result<Option<ClassId>, EntryError> {
        self.optional_text(tag)?
            .map(|text| ClassId::new(text).ok_or(EntryError::Value(tag)))
            .transpose()
    }

    fn table(&mut self, tag: u8) -> Result<Option<TableName>, EntryError> {
        let Some(bytes) = self.get(tag) else {
            return Ok(None);
        };
        let mut reader = Reader::new(bytes);
        let mut ident = || -> Result<Ident, EntryError> {
            Ident::new(reader.text()?).map_err(|_| EntryError::Value(tag))
        };
        let table = TableName::new(ident()?, ident()?);
        if reader.is_empty() {
            Ok(Some(table))
        } else {
            Err(EntryError::Value(tag))
        }
    }

    fn detail(&mut self, tag: u8) -> Result<BTreeMap<String, String>, EntryError> {
        let mut detail = BTreeMap::new();
        let Some(bytes) = self.get(tag) else {
            return Ok(detail);
        };
        // No detail is written as no field, so an empty one is a second spelling.
        if bytes.is_empty() {
            return Err(EntryError::Value(tag));
        }
        let mut reader = Reader::new(bytes);
        let mut last: Option<&str> = None;
        while !reader.is_empty() {
            let key = reader.text()?;
            if last.is_some_and(|last| key <= last) {
                return Err(EntryError::Order(tag));
            }
            last = Some(key);
            detail.insert(key.to_owned(), reader.text()?.to_owned());
        }
        Ok(detail)
    }
}
