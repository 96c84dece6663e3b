//! What can be typed about the queues of what waits for a person.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};

use super::day;

/// Records of queues, one by one or by what they have in common.
#[derive(Debug, Args)]
pub(in crate::cli) struct Which {
    /// Records of the queue, as `review list` names them: `CLASS:KEY`
    #[arg(
        value_name = "ID",
        required_unless_present = "class",
        conflicts_with_all = [
            "class", "condition", "before", "after", "last_day_before", "min_age", "handed_to", "again", "sort",
            "descending", "limit", "offset", "after_key",
        ]
    )]
    pub ids: Vec<String>,
    #[command(flatten)]
    pub filters: QueueFilters,
    #[command(flatten)]
    pub paging: Paging,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct QueueFilters {
    /// Only the queue of this class
    #[arg(long, value_name = "ID")]
    pub class: Option<String>,
    /// Only records for which this condition is TRUE, written as `where` in the schedule
    #[arg(long = "where", value_name = "SQL", requires = "class")]
    pub condition: Option<String>,
    /// Only records with a trigger before this day
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub before: Option<NaiveDate>,
    /// Only records with a trigger after this day
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub after: Option<NaiveDate>,
    /// Only records whose last day was before this day
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub last_day_before: Option<NaiveDate>,
    /// Only records whose last day was so many days ago or more
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub min_age: Option<u32>,
    /// Only records that were handed on to this person
    #[arg(long, value_name = "NAME")]
    pub handed_to: Option<String>,
    /// Only records that are queued again, since an approval counts no more
    #[arg(long)]
    pub again: bool,
}

/// More records than this nobody counts.
const MOST: u64 = 1_000_000_000;

/// Which of the records that fit.
#[derive(Debug, Args)]
pub(in crate::cli) struct Paging {
    /// What they are sorted by
    #[arg(long, value_enum, value_name = "BY", default_value_t = SortBy::LastDay)]
    pub sort: SortBy,
    /// The last of that order first
    #[arg(long)]
    pub descending: bool,
    /// No more than so many of each class [default: 50 where they are listed, else all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=MOST))]
    pub limit: Option<u64>,
    /// Pass over so many of each class first
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=MOST))]
    pub offset: u64,
    /// Only what comes after the record with this key, in the order of keys
    #[arg(long, value_name = "KEY", requires = "class", conflicts_with_all = ["sort", "offset"])]
    pub after_key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SortBy {
    /// The day that the period is counted from
    Trigger,
    /// The last day that they had to be kept
    LastDay,
    /// The key
    Key,
    /// How many rows hang on them
    Dependants,
}

/// Where a queue goes instead of a terminal.
#[derive(Debug, Args)]
pub(in crate::cli) struct QueueExport {
    /// CSV for a spreadsheet, or JSON with a line for each record [default: by the file's name, else CSV]
    ///
    /// A text that begins with =, +, - or @ has an apostrophe before it in CSV, so that no
    /// spreadsheet takes it for a formula.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub as_format: Option<QueueFormat>,
    /// To this file, which only its owner may read, instead of standard output
    ///
    /// It has what the classes' `preview` shows of records. Delete it when it is no longer needed.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum QueueFormat {
    Csv,
    Jsonl,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Review {
    /// Show what waits and why, the longest overdue first
    List {
        #[command(flatten)]
        filters: QueueFilters,
        #[command(flatten)]
        paging: Paging,
        #[command(flatten)]
        export: QueueExport,
    },
    /// Let records go with the next pass
    Approve {
        #[command(flatten)]
        which: Which,
        /// Why they may go
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Keep records through a day, and ask again after it
    Keep {
        #[command(flatten)]
        which: Which,
        /// Why they are kept
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// The last day that they are kept
        #[arg(long, value_name = "DATE", value_parser = day)]
        until: NaiveDate,
    },
    /// Leave the decision to somebody else
    HandOn {
        #[command(flatten)]
        which: Which,
        /// To whom
        #[arg(long, value_name = "NAME")]
        to: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Take approvals back that no pass has gone by yet
    Revoke {
        /// The records: `CLASS:KEY`
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}
