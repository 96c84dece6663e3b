//! A certificate of disposal: what a pass did, under which rule, on whose word, and how
//! anybody can check that.
//!
//! The value and its two forms, JSON and a page for print. It shows a record's key only
//! where it was asked for that record. What is not known is said in `open`, and keeps the
//! certificate at its first stage, *executed*; *completed* says that nothing is open.

mod page;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::Value;

use super::manifest::RecordProof;

pub use page::page;

/// How far the disposal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The rows are gone or changed; something of them remains, or may.
    Executed,
    /// Nothing that is known of remains.
    Completed,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Certificate {
    /// What it is about.
    pub subject: Subject,
    /// When it was issued.
    pub issued: DateTime<Utc>,
    /// Whose schedule it was.
    pub organisation: Option<String>,
    /// How far the disposal is.
    pub stage: Stage,
    /// What is still to come or not known, in sentences; empty at the second stage.
    pub open: Vec<String>,
    /// What a secure erasure leaves outside the tables' files, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remains: Vec<String>,
    /// The passes.
    pub passes: Vec<PassPart>,
    /// The checkpoint that the proofs lead to.
    pub checkpoint: Option<String>,
    /// The public keys that sign the log.
    pub keys: Vec<String>,
}

/// What a certificate is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// A pass, or what it did under one class.
    Run {
        /// Its number.
        run: i64,
        /// The class, if it is about one.
        class: Option<String>,
    },
    /// One record.
    Record {
        /// Its table.
        table: String,
        /// Its key.
        key: Value,
    },
}

/// One pass, as far as the certificate is about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PassPart {
    /// Its number; none for what happened outside a pass.
    pub run: Option<i64>,
    /// When it began.
    pub started: Option<DateTime<Utc>>,
    /// When it ended; none if it was broken off.
    pub finished: Option<DateTime<Utc>>,
    /// How it ended.
    pub outcome: Option<String>,
    /// Who ordered it.
    pub actor: Option<String>,
    /// The version of the schedule.
    pub schedule: Option<ScheduleVersion>,
    /// What was done under each class.
    pub classes: Vec<ClassPart>,
}

/// A version of the schedule, and who accepted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScheduleVersion {
    /// Its semantic digest.
    pub digest: String,
    /// The SHA-256 of its file.
    pub file: Option<String>,
    /// How it came into force: `by hand`, `automatic` or `at once`.
    pub accepted: Option<String>,
    /// Who accepted it.
    pub accepted_by: Option<String>,
    /// When.
    pub accepted_at: Option<DateTime<Utc>>,
    /// Why.
    pub reason: Option<String>,
}

/// What was done under one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassPart {
    /// The class.
    pub id: String,
    /// Its title in that version of the schedule.
    pub title: Option<String>,
    /// What it was laid down in.
    pub authority: Option<String>,
    /// Its lawful basis.
    pub lawful_basis: Option<String>,
    /// The rule in words: how long, counted from what.
    pub rule: Option<String>,
    /// What was done to tables.
    pub tables: Vec<TablePart>,
    /// A person's word that let it go over its limits.
    pub approvals: Vec<Approval>,
    /// Past records that were passed over because of a hold.
    pub held: Option<u64>,
    /// Records that changed between choice and act, and were left alone.
    pub changed: Option<u64>,
    /// Past records that waited for a person.
    pub waiting: Option<u64>,
    /// Past records that one class orders to go and another to keep.
    pub conflict: Option<u64>,
    /// Records that were set aside, by reason.
    pub quarantined: Vec<Reasoned>,
    /// Why the class was refused, or failed, if it was.
    pub failures: Vec<String>,
    /// What became of files.
    pub files: FilesPart,
    /// The ledger's entries, each with its proof.
    pub entries: Vec<EntryPart>,
}

/// What was done to one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TablePart {
    /// The table.
    pub table: String,
    /// `deleted`, `anonymised`, `flagged` or `unlinked`.
    pub action: String,
    /// How.
    pub method: String,
    /// Whether these are rows that went with others.
    pub parent: Option<String>,
    /// How many records.
    pub records: u64,
    /// The first and last day that they were counted from; none where no record has one, or
    /// the details are dropped.
    pub trigger: Option<(NaiveDate, NaiveDate)>,
    /// The first and last of their last days.
    pub last_day: Option<(NaiveDate, NaiveDate)>,
    /// When the table was last vacuumed after that; none if it was not.
    pub vacuumed: Option<DateTime<Utc>>,
    /// When its files were written anew without what went; none if they were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased: Option<DateTime<Utc>>,
}

/// A person's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// What was allowed.
    pub what: String,
    /// By whom.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: String,
    /// How the words are held to the ledger; none of what has no entry of its own with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens: Option<Opening>,
}

/// The words of a decision with the salt that the hash in its entry was made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Opening {
    /// The action of the entry.
    pub action: String,
    /// The entry's detail that names the decision, such as `review`.
    pub detail: String,
    /// Its value there.
    pub number: i64,
    /// In hexadecimal.
    pub salt: String,
    /// Names and words, in the order in which they are hashed.
    pub words: Vec<(String, String)>,
}

/// A reason, and how many records it kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reasoned {
    /// The machine's reason.
    pub reason: String,
    /// How many.
    pub records: u64,
}

/// What became of the files that went with the records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct FilesPart {
    /// Removed.
    pub removed: u64,
    /// Left, since another row names them.
    pub kept: u64,
    /// Still to be removed.
    pub pending: u64,
}

/// One entry, and how to check it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntryPart {
    /// Its place in the log; none if it is not sealed yet.
    pub entry: Option<u64>,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// What happened.
    pub action: String,
    /// To which table.
    pub table: Option<String>,
    /// How many records.
    pub records: u64,
    /// Its bytes, in hexadecimal: what is hashed.
    pub leaf: String,
    /// The proof that it is in the log, as a `tlog-proof` file; none before a checkpoint
    /// covers it.
    pub proof: Option<String>,
    /// Of a certificate about one record: that it is among the entry's.
    pub record: Option<RecordLine>,
}

/// One record among those of an entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordLine {
    /// The day that it was counted from.
    pub trigger: Option<NaiveDate>,
    /// The last day that it was to be kept.
    pub last_day: Option<NaiveDate>,
    /// The record that it went with.
    pub parent: Option<Value>,
    /// The way to the root in the entry; none once the details are dropped.
    pub proof: Option<RecordProof>,
}

/// What a disposal does to a row, and what that leaves.
#[must_use]
pub fn method(action: &str) -> &'static str {
    match action {
        "deleted" => {
            "SQL DELETE. Dead row versions stay in the table's files until a vacuum has passed, and in the write-ahead log, archives, replicas and backups for as long as those are kept."
        }
        "anonymised" => {
            "SQL UPDATE of the columns that identify somebody. The versions before it stay in the table's files until a vacuum has passed, and in the write-ahead log, archives, replicas and backups for as long as those are kept. What other columns and tables allow to be inferred was judged by whoever wrote the schedule."
        }
        "unlinked" => "SQL UPDATE: the reference was set to NULL. The row stays.",
        "flagged" => "Listed for a person to decide. No row was touched.",
        _ => "",
    }
}

impl Certificate {
    /// The object of `ledger certificate --as-format json`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::json!({ "certificate": self })
    }
}
