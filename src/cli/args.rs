//! What can be typed.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Parser, Subcommand, ValueEnum};

mod review;

pub(super) use review::{Paging, QueueExport, QueueFilters, QueueFormat, Review, SortBy, Which};

/// Reads a retention schedule and makes a PostgreSQL database obey it, with proof.
#[derive(Debug, Parser)]
#[command(name = "retentiond", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done; 1 failed; 2 wrong usage, or a faulty schedule; 3 something waits for a person.\n\n\
    First steps: `retentiond demo` shows everything on a private database; `retentiond check` tells what is wrong \
    with a schedule; `retentiond plan` shows what would go today, and changes nothing."
)]
pub struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Args)]
pub(super) struct Global {
    /// The retention schedule
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "retention.toml",
        help_heading = "With every command"
    )]
    pub schedule: PathBuf,
    /// The database [default: the environment's DATABASE_URL, then the settings]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help_heading = "With every command"
    )]
    pub database: Option<String>,
    /// A file of settings, which come before those of config/default.toml and config/local.toml
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "With every command"
    )]
    pub config: Option<PathBuf>,
    /// The answer as text for people, or as one JSON object for scripts
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, help_heading = "With every command")]
    pub format: Format,
    /// On whose word it is done: the name for the ledger [default: the system account]
    #[arg(
        long = "as",
        global = true,
        value_name = "NAME",
        help_heading = "With every command"
    )]
    pub actor: Option<String>,
    /// Show what would be changed, and change nothing
    #[arg(long, global = true, help_heading = "With every command")]
    pub dry_run: bool,
    /// Answer yes wherever a command asks
    #[arg(long, global = true, help_heading = "With every command")]
    pub yes: bool,
    /// Log more (twice: still more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "With every command")]
    pub verbose: u8,
    /// Say nothing but the answer and errors
    #[arg(short, long, global = true, help_heading = "With every command")]
    pub quiet: bool,
    /// Lines instead of progress bars
    #[arg(long, global = true, help_heading = "With every command")]
    pub no_progress: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show it all on a private database with a sample organisation
    Demo(Demo),
    /// Propose a first schedule for the database, and change nothing in it
    Init(Init),
    /// Create or update retentiond's own schema in the database
    Migrate,
    /// Print the SQL that gives roles the least they need, for an administrator to run
    Grants(Grants),
    /// Tell all that is wrong with the schedule, or does not fit the database
    Check(Check),
    /// Show what would be done, and change nothing
    Plan(Plan),
    /// Accept a new version of the schedule, or once a plan over its limits
    Accept(Accept),
    /// Make one pass: flag, anonymise or delete what is due
    Run(Run),
    /// Make passes on the schedule's timetable until stopped
    Daemon,
    /// Show where every class, the last pass and the ledger stand
    Status(Status),
    /// Say why a record is still there, when it will go, or why it is gone
    Explain(Explain),
    /// Look at what waits for a person, and decide about it
    #[command(subcommand)]
    Review(Review),
    /// Protect records, people's or a class's, from every disposal until a matter is over
    #[command(subcommand)]
    Hold(Hold),
    /// Protect records without an end: archiving in the public interest, research, statistics
    #[command(subcommand)]
    Exempt(Exempt),
    /// Show what is held about a person, erase it at their request, or restrict its processing
    #[command(subcommand)]
    Subject(Subject),
    /// Record the controller's order that a class with a gate waits for; `list`; `withdraw CLASS`
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Instruct(Instruct),
    /// See to what processors hold: what they were told to destroy, and that they did
    #[command(subcommand)]
    Processor(Processor),
    /// Do nothing with a class, or with any, until it is resumed
    Pause(Pause),
    /// End a pause
    Resume(Resume),
    /// Say who may decide what
    #[command(subcommand)]
    Operator(Operator),
    /// Look at, verify or export the log of everything done
    #[command(subcommand)]
    Ledger(Ledger),
    /// Print the schedule in plain words, for a privacy notice
    Publish(Publish),
    /// Print a completion script for a shell
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command
    Man {
        /// The folder to write them to
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// End after one pass instead of waiting for Ctrl-C
    #[arg(long)]
    pub once: bool,
    /// How many records to make up
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub rows: u64,
    /// Keep the database here, and go on with it next time [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Pretend that it is this day, such as 2026-11-23
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub on: Option<NaiveDate>,
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// Only tables of this name, such as `users` or `crm.*` (may be repeated)
    #[arg(long, value_name = "PATTERN")]
    pub tables: Vec<String>,
    /// To this file instead of standard output; one that is there is kept, unless --yes is given
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Say more about a code, such as R0107
    #[arg(long, value_name = "CODE")]
    pub explain: Option<String>,
    /// Look at the file alone, not at the database
    #[arg(long)]
    pub offline: bool,
    /// Print the JSON Schema of the schedule file, for editors
    #[arg(long, hide = true)]
    pub json_schema: bool,
    /// Take it for an error (exit code 3) where no class claims a table that looks personal
    #[arg(long, conflicts_with_all = ["offline", "explain"])]
    pub strict: bool,
}

#[derive(Debug, Args)]
pub(super) struct Plan {
    /// The plan of this day instead of today, such as 2026-11-23
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub on: Option<NaiveDate>,
    /// Also what a change of schedule would do: the present file compared with this older version
    #[arg(long, value_name = "OLD.toml")]
    pub against: Option<PathBuf>,
    /// Also what will become due in each of so many months, from the day after on
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=120))]
    pub months: Option<u32>,
    /// Only this class (may be repeated)
    #[arg(long = "class", value_name = "ID")]
    pub classes: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Accept {
    /// The schedule's or the plan's, as `plan` and `run` show it: at least its first eight digits
    pub digest: String,
    /// Why; it is kept with the decision
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// Only this class (may be repeated)
    #[arg(long = "class", value_name = "ID")]
    pub classes: Vec<String>,
    /// Only if today's plan has this digest (at least its first eight digits)
    #[arg(long, value_name = "DIGEST")]
    pub on_plan: Option<String>,
    /// Without pauses between batches
    #[arg(long)]
    pub full_speed: bool,
}

#[derive(Debug, Args)]
pub(super) struct Publish {
    /// Markdown, or a page [default: by the file's name, else markdown]
    #[arg(long, value_enum)]
    pub as_format: Option<PublishFormat>,
    /// To this file instead of standard output
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    pub output: Option<PathBuf>,
    /// Fail unless this published file still says what the schedule says
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PublishFormat {
    /// Markdown
    Markdown,
    /// A page that stands by itself
    Html,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The record's table, `name` or `schema.name`
    pub table: String,
    /// Its primary key: `7`, or `campaign=2,id=7` for several columns
    pub key: String,
    /// As of this day instead of today, such as 2026-11-23
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub on: Option<NaiveDate>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Ledger {
    /// List the entries, the newest first
    List {
        #[command(flatten)]
        filters: Filters,
        /// No more than so many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
    },
    /// Verify the log: hash every stored byte again, and compare with what was signed
    Verify(LedgerVerify),
    /// Certify what a pass did, or what became of a record, with the proofs
    Certificate(LedgerCertificate),
    /// The key that checkpoints are signed with
    #[command(subcommand)]
    Key(LedgerKey),
    /// After a backup was restored: bring back the entries and decisions that it lacks
    Replay(LedgerReplay),
    /// Write the entries with the keys of their records, the oldest first
    Export {
        #[command(flatten)]
        filters: Filters,
        /// JSON with a line for each entry, or CSV with a line for each record
        #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ExportFormat::Jsonl)]
        as_format: ExportFormat,
        /// Write to this file instead of standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct LedgerVerify {
    /// Verify this export or published folder instead of the database
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
    /// The public keys to believe, a line each [default: those in this program's state]
    #[arg(long, value_name = "FILE")]
    pub public_key: Option<PathBuf>,
    /// A checkpoint that was kept elsewhere; only what came after it is read
    #[arg(long, value_name = "CHECKPOINT")]
    pub from: Option<PathBuf>,
    /// With --from, read what came before it too
    #[arg(long)]
    pub full: bool,
}

#[derive(Debug, Args)]
pub(super) struct LedgerCertificate {
    /// Of the pass with this number
    #[arg(
        long,
        value_name = "N",
        required_unless_present = "record",
        conflicts_with = "record"
    )]
    pub run: Option<i64>,
    /// Only of what it did under this class
    #[arg(long, value_name = "ID", requires = "run")]
    pub class: Option<String>,
    /// Of one record
    #[arg(long, num_args = 2, value_names = ["TABLE", "KEY"])]
    pub record: Option<Vec<String>>,
    /// JSON for a program, or a page for print
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = CertificateFormat::Html)]
    pub as_format: CertificateFormat,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CertificateFormat {
    Json,
    Html,
}

#[derive(Debug, Args)]
pub(super) struct LedgerReplay {
    /// The folder that the log was published to [default: this log's own]
    #[arg(long, value_name = "FOLDER", conflicts_with = "new_origin")]
    pub from: Option<PathBuf>,
    /// Name the records that are back and that a person has to look at
    #[arg(long)]
    pub keys: bool,
    /// The lost entries are lost for good: go on under another name
    #[arg(long, requires = "reason")]
    pub new_origin: bool,
    /// Why they are
    #[arg(long, value_name = "TEXT", requires = "new_origin")]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum LedgerKey {
    /// Make the log's first key, or one in place of a key that is lost
    New,
    /// Go over to a new key, which the present one signs
    Rotate,
    /// Show the public keys
    Show,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    Jsonl,
    Csv,
}

#[derive(Debug, Args)]
pub(super) struct Filters {
    /// Only entries of this class
    #[arg(long, value_name = "ID")]
    pub class: Option<String>,
    /// Only entries about this table, `name` or `schema.name`
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
    /// Only entries of this action: `deleted`, `anonymised`, `flagged`, `refused`, …
    #[arg(long, value_name = "ACTION")]
    pub action: Option<String>,
    /// Only entries of the pass with this number
    #[arg(long, value_name = "N")]
    pub run: Option<i64>,
    /// Only entries from this day on (UTC)
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub since: Option<NaiveDate>,
    /// Only entries up to this day and on it (UTC)
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub until: Option<NaiveDate>,
    /// Only entries that name the record of --table with this key
    #[arg(long, value_name = "KEY", requires = "table")]
    pub key: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Grants {
    /// How the names of the four roles begin
    #[arg(long, value_name = "NAME", default_value = "retentiond")]
    pub role_prefix: String,
}

/// What a hold or an exemption protects.
#[derive(Debug, Args)]
#[group(id = "protected", required = true, multiple = true, args = ["record", "subject", "class"])]
pub(super) struct Protected {
    /// One record
    #[arg(long, num_args = 2, value_names = ["TABLE", "KEY"], conflicts_with_all = ["subject", "class"])]
    pub record: Option<Vec<String>>,
    /// Every record about this person, by what the classes' `subject` columns hold
    #[arg(long, value_name = "ID", conflicts_with = "class")]
    pub subject: Option<String>,
    /// Every record of this class
    #[arg(long, value_name = "ID")]
    pub class: Option<String>,
    /// With --class: only those for which this condition is not FALSE
    #[arg(long = "where", value_name = "SQL", requires = "class")]
    pub condition: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Status {
    /// Show only what is late, by what keeps it and by age; exit with 3 if anything is
    #[arg(long)]
    pub overdue: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Subject {
    /// Show everything that is held about a person, when each part goes, and under which authority;
    /// as JSON with the records themselves
    Report {
        /// The person, as the classes' `subject` columns name them
        id: String,
        /// Write it as JSON to this file
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Record a person's request for erasure: what nothing keeps goes with the next pass
    Erase(SubjectErase),
    /// Withdraw a request that is not fulfilled yet
    Withdraw {
        /// The person, as the classes' `subject` columns name them
        id: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Restrict the processing of a person's records: nothing of them is disposed of
    Restrict(SubjectRestrict),
    /// End the restriction
    Release {
        /// The person, as the classes' `subject` columns name them
        id: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Say that records which are there again after an erasure are rightly there
    Known {
        /// The requests, as `subject list` numbers them
        #[arg(value_name = "REQUEST", required = true)]
        requests: Vec<i64>,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Show the requests for erasure
    List {
        /// Only those that are not fulfilled, or whose records are there again
        #[arg(long)]
        open: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct SubjectErase {
    /// The person, as the classes' `subject` columns name them
    pub id: String,
    /// By what right: "Art 17(1)(b), consent withdrawn"
    #[arg(long, value_name = "TEXT")]
    pub basis: String,
    /// The request's own number
    #[arg(long, value_name = "REF")]
    pub reference: String,
    /// The day on which it came in [default: today]
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub received: Option<NaiveDate>,
}

#[derive(Debug, Args)]
pub(super) struct SubjectRestrict {
    /// The person, as the classes' `subject` columns name them
    pub id: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The request's own number
    #[arg(long, value_name = "REF")]
    pub reference: Option<String>,
    /// Who answers for it [default: whoever decides]
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
    /// When somebody is to look at it again
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub review_on: Option<NaiveDate>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Hold {
    /// Place a hold; its number is printed
    Place(HoldPlace),
    /// Show the holds
    List {
        /// Only those that protect
        #[arg(long)]
        open: bool,
    },
    /// Release a hold
    Release {
        /// Its number
        hold: i64,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct HoldPlace {
    #[command(flatten)]
    pub on: Protected,
    /// What it is for
    #[arg(long, value_name = "KIND", value_parser = ["litigation", "foi", "access-request", "safeguarding", "other", "restriction"])]
    pub kind: String,
    /// The matter: a case or request number
    #[arg(long, value_name = "REF")]
    pub reference: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Who answers for it
    #[arg(long, value_name = "NAME")]
    pub owner: String,
    /// When somebody is to look at it again
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub review_on: Option<NaiveDate>,
    /// The last day that it protects [default: until it is released]
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub until: Option<NaiveDate>,
    /// It protects before this day even if it is released sooner [default of foi and access-request: three months from now]
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub not_before: Option<NaiveDate>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Exempt {
    /// Exempt records; the exemption's number is printed
    Place(ExemptPlace),
    /// Show the exemptions
    List {
        /// Only those that protect
        #[arg(long)]
        open: bool,
    },
    /// Release an exemption
    Release {
        /// Its number
        hold: i64,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct ExemptPlace {
    #[command(flatten)]
    pub on: Protected,
    /// What it is for
    #[arg(long, value_name = "KIND", value_parser = ["archiving", "research", "statistics"])]
    pub kind: String,
    /// By what law, or whose decision
    #[arg(long, value_name = "TEXT")]
    pub authority: String,
    /// The file or project that it belongs to
    #[arg(long, value_name = "REF")]
    pub reference: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Who answers for it
    #[arg(long, value_name = "NAME")]
    pub owner: String,
    /// When somebody is to look at it again [default: in a year]
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub review_on: Option<NaiveDate>,
}

#[derive(Debug, Args)]
pub(super) struct Instruct {
    /// The class that is to go
    #[arg(value_name = "CLASS", required = true)]
    pub class: Option<String>,
    /// Who ordered it
    #[arg(long, value_name = "NAME", required = true)]
    pub by: Option<String>,
    /// The letter or minute that says so
    #[arg(long, value_name = "REF", required = true)]
    pub reference: Option<String>,
    /// The last day that it covers [default: until it is withdrawn]
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub until: Option<NaiveDate>,
    #[command(subcommand)]
    pub command: Option<InstructCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum InstructCommand {
    /// Show the orders
    List,
    /// Withdraw the orders for a class
    Withdraw {
        /// The class
        class: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Processor {
    /// Show what processors hold, what they were told, and what is late
    List,
    /// Print the letter that tells a processor to destroy what it holds
    Letter {
        /// The class
        class: String,
        /// The file to write it to
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Record a processor's confirmation that it is done
    Confirm {
        /// The class
        class: String,
        /// Who confirms it
        #[arg(long, value_name = "NAME")]
        by: String,
        /// The confirmation's own reference
        #[arg(long, value_name = "REF")]
        reference: String,
        /// The document that says so; its SHA-256 is recorded
        #[arg(long, value_name = "FILE")]
        document: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Pause {
    /// The class [default: every one]
    #[arg(value_name = "CLASS")]
    pub class: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

#[derive(Debug, Args)]
pub(super) struct Resume {
    /// The class [default: the pause of everything]
    #[arg(value_name = "CLASS")]
    pub class: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Operator {
    /// Give somebody a role
    Add {
        /// The name that decisions are to carry
        name: String,
        /// What they may do
        #[arg(long, value_name = "ROLE", value_parser = ["viewer", "reviewer", "holds", "administrator"])]
        role: String,
    },
    /// Show who may do what
    List,
    /// Take a role from somebody, or every one
    Remove {
        /// The name
        name: String,
        /// Only this role
        #[arg(long, value_name = "ROLE", value_parser = ["viewer", "reviewer", "holds", "administrator"])]
        role: Option<String>,
    },
}

/// The days that can be asked about. Beyond them no record of ours has a date.
const DAYS: [(i32, u32, u32); 2] = [(1900, 1, 1), (3999, 12, 31)];

/// A day as people and scripts write it alike.
fn day(text: &str) -> Result<NaiveDate, String> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map_err(|_| "a day is written year-month-day, such as 2026-11-23".to_owned())?;
    let [first, last] = DAYS.map(|(year, month, day)| NaiveDate::from_ymd_opt(year, month, day));
    if Some(day) < first || Some(day) > last {
        return Err("days go from 1900-01-01 to 3999-12-31".to_owned());
    }
    Ok(day)
}
