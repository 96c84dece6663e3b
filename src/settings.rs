//! How the program runs: which database, how gently, where its files are.
//!
//! Owns the layers that settings come from, and what each may be. It never holds
//! a retention period, nor anything else that decides what goes: that is the
//! schedule's, which people sign. Without any settings all works.
//!
//! The layers, each over the ones before it:
//! 1. what is built in;
//! 2. `/etc/retentiond/retentiond.toml`, so that whoever types a command on the
//!    server has the service's settings;
//! 3. `config/default.toml`, then `config/local.toml`, in the working directory;
//! 4. the file of `--config`, which must exist;
//! 5. the environment: `RETENTIOND__THROTTLE__DUTY_CYCLE` is `throttle.duty_cycle`.
//!    An empty variable is as none.
//!
//! A key that is not known is an error, wherever it stands: a typo must not
//! leave the old value in force unseen. No error and no `Debug` shows a value,
//! since any of them may hold a password in the wrong place.

mod listen;
mod notices;
mod reading;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::NaiveTime;
use secrecy::SecretString;
use serde::Deserialize;

pub use listen::Listen;
pub use notices::{Email, Notices, TOPICS};
pub use reading::{KEYS, Key, Place, Problem, environment};

/// Read where they exist, in this order; relative ones in the working directory.
pub const USUAL_FILES: [&str; 3] = [
    "/etc/retentiond/retentiond.toml",
    "config/default.toml",
    "config/local.toml",
];

/// Where the state is when root runs the program, and in the shipped service.
pub const SYSTEM_STATE: &str = "/var/lib/retentiond";

/// How the program runs. Made by [`Settings::load`], and whole: every value is
/// within what its key allows.
#[derive(Debug, Clone)]
pub struct Settings {
    database: Database,
    throttle: Throttle,
    guards: Guards,
    stores: BTreeMap<String, PathBuf>,
    log: Log,
    ledger: Ledger,
    erasure: Erasure,
    state: Option<PathBuf>,
    listen: Listen,
    as_others: Option<Vec<String>>,
    notices: Notices,
}

/// When and as whom tables are rewritten for classes with `erasure = "secure"`.
#[derive(Debug, Clone, Default)]
pub struct Erasure {
    url: Option<SecretString>,
    window: Option<(NaiveTime, NaiveTime)>,
}

impl Erasure {
    /// The maintainer's way to the same database; the service's own where none is set.
    #[must_use]
    pub fn url(&self) -> Option<&SecretString> {
        self.url.as_ref()
    }

    /// From when until when of a day, in the schedule's zone; at any time where none is
    /// set. It may go over midnight.
    #[must_use]
    pub fn window(&self) -> Option<(NaiveTime, NaiveTime)> {
        self.window
    }
}

/// Where the ledger's key is, and where it is published.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    published: Option<PathBuf>,
    key_file: Option<PathBuf>,
    backups_kept_days: Option<u32>,
    webhooks: BTreeMap<String, Webhook>,
}

/// A receiver of what the ledger publishes.
#[derive(Debug, Clone)]
pub struct Webhook {
    url: SecretString,
    secret_file: PathBuf,
    timeout: Duration,
}

impl Webhook {
    /// Where it is; `https`, or `http` on this machine. It may hold a password.
    #[must_use]
    pub fn url(&self) -> &SecretString {
        &self.url
    }

    /// The file with the secret that it is signed with.
    #[must_use]
    pub fn secret_file(&self) -> &Path {
        &self.secret_file
    }

    /// How long it has for an answer.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl Ledger {
    /// The receivers of what is published, by name.
    #[must_use]
    pub fn webhooks(&self) -> &BTreeMap<String, Webhook> {
        &self.webhooks
    }

    /// How many days backups of the database are kept, if that is declared.
    #[must_use]
    pub fn backups_kept_days(&self) -> Option<u32> {
        self.backups_kept_days
    }

    /// The folder that it is published to; in the state where nothing is said.
    #[must_use]
    pub fn published(&self) -> Option<&Path> {
        self.published.as_deref()
    }

    /// The file of the private key that the service manager or somebody else provides; in
    /// the state where there is none.
    #[must_use]
    pub fn key_file(&self) -> Option<&Path> {
        self.key_file.as_deref()
    }
}

/// The database to work on.
#[derive(Debug, Clone)]
pub struct Database {
    url: Option<SecretString>,
    connect_timeout: Duration,
}

/// How gently the program treats a database that others use meanwhile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Throttle {
    duty_cycle: f64,
    batch: Duration,
    lock_timeout: Duration,
    statement_timeout: Duration,
}

/// What the service's passes wait for between batches; `None` where it is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guards {
    /// Hours of the day in which nothing is done, in the schedule's zone.
    pub quiet: Option<(NaiveTime, NaiveTime)>,
    /// The oldest transaction of somebody else that is not waited for.
    pub longest_transaction: Option<Duration>,
    /// How far a replica may be behind.
    pub replica_lag: Option<Duration>,
    /// How long the archiver may go on failing.
    pub archive_failing: Option<Duration>,
    /// How long a pass waits for these in all, apart from the quiet hours.
    pub patience: Duration,
}

/// Nought switches a guard off.
fn seconds(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// What the log looks like. What it never holds is no setting: personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    format: LogFormat,
    level: tracing::Level,
}

/// For a person, a machine, or the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines to read.
    Text,
    /// One JSON object a line.
    Json,
    /// Fields in journald's own protocol.
    Journal,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file could not be read: a named one that is missing, or any that is
    /// there and refuses.
    #[error("could not read the settings in {}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not TOML.
    #[error("{}:{line}: not TOML: {message}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser says, without the text itself.
        message: String,
    },
    /// Keys that are not known, or values that are not allowed: all of them.
    #[error("{}", Lines(.0))]
    Invalid(Vec<Problem>),
    /// Every value was allowed, and yet they could not be put together.
    #[error("the settings contradict each other: a key is set both as a section and as a value")]
    Contradiction,
    /// There is nowhere to keep keys and the published log.
    #[error(
        "no folder for this program's state: neither HOME nor XDG_STATE_HOME is set to an \
         absolute path; set state.directory (or RETENTIOND__STATE__DIRECTORY)"
    )]
    NoStateDirectory,
}

impl Settings {
    /// Reads all layers. `config_file` is that of `--config`; `environment` is
    /// [`environment()`], or a test's own.
    ///
    /// # Errors
    /// See [`SettingsError`]; every wrong key and value is named, with its place.
    pub fn load(
        config_file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let usual = USUAL_FILES.map(PathBuf::from);
        Self::from_files(
            &usual,
            config_file,
            environment,
            rustix::process::geteuid().is_root(),
        )
    }

    /// As [`Settings::load`], with the files and the account given: `usual` are
    /// read where they exist.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn from_files(
        usual: &[PathBuf],
        config_file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        as_root: bool,
    ) -> Result<Self, SettingsError> {
        let environment: BTreeMap<String, String> = environment.collect();
        let raw: Raw = reading::layered(usual, config_file, &environment)?;
        let state = raw
            .state
            .directory
            .or_else(|| usual_state(&environment, as_root));
        Ok(Self {
            database: Database {
                url: raw.database.url.map(SecretString::from),
                connect_timeout: Duration::from_secs(raw.database.connect_timeout_seconds),
            },
            throttle: Throttle {
                duty_cycle: raw.throttle.duty_cycle,
                batch: Duration::from_millis(raw.throttle.batch_milliseconds),
                lock_timeout: Duration::from_millis(raw.throttle.lock_timeout_milliseconds),
                statement_timeout: Duration::from_millis(
                    raw.throttle.statement_timeout_milliseconds,
                ),
            },
            guards: Guards {
                quiet: raw.throttle.quiet.as_deref().and_then(window),
                longest_transaction: seconds(raw.throttle.longest_transaction_seconds),
                replica_lag: seconds(raw.throttle.replica_lag_seconds),
                archive_failing: seconds(raw.throttle.archive_failing_seconds),
                patience: Duration::from_secs(raw.throttle.patience_seconds),
            },
            stores: raw
                .stores
                .into_iter()
                .map(|(name, store)| (name, store.path))
                .collect(),
            log: Log {
                format: raw.log.format,
                level: raw.log.level.into(),
            },
            ledger: Ledger {
                published: raw.ledger.published,
                key_file: raw
                    .ledger
                    .key_file
                    .or_else(|| credential(&environment, "ledger.key")),
                backups_kept_days: raw.ledger.backups_kept_days,
                webhooks: raw
                    .ledger
                    .webhooks
                    .into_iter()
                    .filter_map(|(name, raw)| {
                        Some((name.clone(), raw.webhook(&name, &environment)?))
                    })
                    .collect(),
            },
            erasure: Erasure {
                url: raw.erasure.database_url.map(SecretString::from),
                window: raw.erasure.window.as_deref().and_then(window),
            },
            listen: raw.listen.into(),
            as_others: raw.operators.as_others.map(|names| {
                let names = names.split(',').map(str::trim);
                names
                    .map(str::to_owned)
                    .filter(|name| !name.is_empty())
                    .collect()
            }),
            notices: raw.notices.notices(&environment),
            state,
        })
    }

    /// The database to work on.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// How gently to treat it.
    #[must_use]
    pub fn throttle(&self) -> Throttle {
        self.throttle
    }

    /// What the service's passes wait for between batches.
    #[must_use]
    pub fn guards(&self) -> Guards {
        self.guards
    }

    /// The folders that the schedule's `files = [{ store = … }]` name, by name.
    #[must_use]
    pub fn stores(&self) -> &BTreeMap<String, PathBuf> {
        &self.stores
    }

    /// What the log looks like.
    #[must_use]
    pub fn log(&self) -> Log {
        self.log
    }

    /// Where the ledger's key is, and where it is published.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// When and as whom tables are rewritten.
    #[must_use]
    pub fn erasure(&self) -> &Erasure {
        &self.erasure
    }

    /// Where the service can be asked how it is.
    #[must_use]
    pub fn listen(&self) -> Listen {
        self.listen
    }

    /// Whether a system account may say whose word a command is with `--as`. Every account may,
    /// unless some are named.
    #[must_use]
    pub fn may_be_another(&self, account: &str) -> bool {
        let named = self.as_others.as_ref();
        named.is_none_or(|named| named.iter().any(|name| name == account))
    }

    /// Who is told what happens.
    #[must_use]
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// Where keys and the published log are. It may not exist yet.
    ///
    /// # Errors
    /// [`SettingsError::NoStateDirectory`] for an account without a home, only
    /// now, since most commands need no state.
    pub fn state_directory(&self) -> Result<&Path, SettingsError> {
        self.state.as_deref().ok_or(SettingsError::NoStateDirectory)
    }
}

impl Database {
    /// Its URL, if a file or the environment has one; it may hold a password.
    #[must_use]
    pub fn url(&self) -> Option<&SecretString> {
        self.url.as_ref()
    }

    /// How long a connection may take to come about.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }
}

impl Throttle {
    /// The part of the time that is spent in batches, above 0 and up to 1: at
    /// 0.5 the program rests after each batch for as long as it took.
    #[must_use]
    pub fn duty_cycle(self) -> f64 {
        self.duty_cycle
    }

    /// How long a batch should take; the number of rows follows from it.
    #[must_use]
    pub fn batch(self) -> Duration {
        self.batch
    }

    /// How long a statement waits for someone else's lock. Never zero, which
    /// PostgreSQL reads as for ever.
    #[must_use]
    pub fn lock_timeout(self) -> Duration {
        self.lock_timeout
    }

    /// How long one statement may run. Never zero, as above.
    #[must_use]
    pub fn statement_timeout(self) -> Duration {
        self.statement_timeout
    }

    /// The same without rests, for `run --full-speed`.
    #[must_use]
    pub fn full_speed(self) -> Self {
        Self {
            duty_cycle: 1.0,
            ..self
        }
    }
}

impl Default for Throttle {
    /// The built-in values.
    fn default() -> Self {
        let raw = RawThrottle::default();
        Self {
            duty_cycle: raw.duty_cycle,
            batch: Duration::from_millis(raw.batch_milliseconds),
            lock_timeout: Duration::from_millis(raw.lock_timeout_milliseconds),
            statement_timeout: Duration::from_millis(raw.statement_timeout_milliseconds),
        }
    }
}

impl Log {
    /// For a person, a machine, or the journal.
    #[must_use]
    pub fn format(self) -> LogFormat {
        self.format
    }

    /// The least grave that is still written.
    #[must_use]
    pub fn level(self) -> tracing::Level {
        self.level
    }
}

/// A file among systemd's credentials, if it is given there.
fn credential(environment: &BTreeMap<String, String>, name: &str) -> Option<PathBuf> {
    let path = Path::new(environment.get("CREDENTIALS_DIRECTORY")?).join(name);
    path.exists().then_some(path)
}

/// A receiver's secret among them.
fn webhook_credential(environment: &BTreeMap<String, String>, name: &str) -> Option<PathBuf> {
    credential(environment, &format!("webhook.{name}"))
}

/// The XDG base directory specification has `~/.local/state`, and ignores a
/// relative path.
fn usual_state(environment: &BTreeMap<String, String>, as_root: bool) -> Option<PathBuf> {
    if as_root {
        return Some(PathBuf::from(SYSTEM_STATE));
    }
    let absolute = |name: &str| {
        environment
            .get(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|state| state.join("retentiond"))
}

/// Each on a line of its own.
struct Lines<'a>(&'a [Problem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{problem}")?;
        }
        Ok(())
    }
}

// What the layers make together. Ranges are checked where a value is written
// (`reading`), so that the message can say where that is. Never shown: no Debug.

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Raw {
    database: RawDatabase,
    throttle: RawThrottle,
    stores: BTreeMap<String, RawStore>,
    log: RawLog,
    ledger: RawLedger,
    erasure: RawErasure,
    state: RawState,
    listen: listen::RawListen,
    notices: notices::RawNotices,
    operators: RawOperators,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawOperators {
    as_others: Option<String>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawDatabase {
    url: Option<String>,
    connect_timeout_seconds: u64,
}

impl Default for RawDatabase {
    fn default() -> Self {
        Self {
            url: None,
            connect_timeout_seconds: 10,
        }
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawThrottle {
    duty_cycle: f64,
    batch_milliseconds: u64,
    lock_timeout_milliseconds: u64,
    statement_timeout_milliseconds: u64,
    quiet: Option<String>,
    longest_transaction_seconds: u64,
    replica_lag_seconds: u64,
    archive_failing_seconds: u64,
    patience_seconds: u64,
}

impl Default for RawThrottle {
    fn default() -> Self {
        Self {
            duty_cycle: 0.5,
            batch_milliseconds: 150,
            lock_timeout_milliseconds: 2_000,
            statement_timeout_milliseconds: 60_000,
            quiet: None,
            longest_transaction_seconds: 1_800,
            replica_lag_seconds: 60,
            archive_failing_seconds: 900,
            patience_seconds: 600,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStore {
    path: PathBuf,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawLog {
    format: LogFormat,
    level: RawLevel,
}

impl Default for RawLog {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: RawLevel::Info,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<RawLevel> for tracing::Level {
    fn from(level: RawLevel) -> Self {
        match level {
            RawLevel::Error => Self::ERROR,
            RawLevel::Warn => Self::WARN,
            RawLevel::Info => Self::INFO,
            RawLevel::Debug => Self::DEBUG,
            RawLevel::Trace => Self::TRACE,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawLedger {
    published: Option<PathBuf>,
    key_file: Option<PathBuf>,
    backups_kept_days: Option<u32>,
    webhooks: BTreeMap<String, RawWebhook>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWebhook {
    url: String,
    secret_file: Option<PathBuf>,
    #[serde(default = "webhook_timeout")]
    timeout_milliseconds: u64,
}

fn webhook_timeout() -> u64 {
    5_000
}

impl RawWebhook {
    /// Whole, since `reading` has refused one without a secret.
    fn webhook(self, name: &str, environment: &BTreeMap<String, String>) -> Option<Webhook> {
        Some(Webhook {
            url: SecretString::from(self.url),
            secret_file: self
                .secret_file
                .or_else(|| webhook_credential(environment, name))?,
            timeout: Duration::from_millis(self.timeout_milliseconds),
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawErasure {
    database_url: Option<String>,
    window: Option<String>,
}

/// `01:00-05:00`: two different times of a day.
fn window(text: &str) -> Option<(NaiveTime, NaiveTime)> {
    let (from, until) = text.split_once('-')?;
    let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").ok();
    let (from, until) = (time(from)?, time(until)?);
    (from != until).then_some((from, until))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawState {
    directory: Option<PathBuf>,
}
