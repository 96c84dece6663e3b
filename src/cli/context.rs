//! What every command starts from: the global options, the settings, the schedule, the
//! database, the clock.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use secrecy::ExposeSecret;
use sqlx::PgConnection;

use super::args::{Format, Global};
use super::failure::Failure;
use super::output;
use crate::clock::Clock;
use crate::ident::ClassId;
use crate::schedule::{self, Code, Schedule, zone};
use crate::settings::{self, Settings};
use crate::store::{self, Limits};

/// How long `run` waits for a lease.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Context {
    pub global: Global,
    pub clock: Clock,
}

impl Context {
    pub fn new(global: Global) -> Self {
        Self {
            global,
            clock: Clock::System,
        }
    }

    pub fn json(&self) -> bool {
        self.global.format == Format::Json
    }

    /// The layered settings.
    pub fn settings(&self) -> Result<Settings, Failure> {
        let settings = Settings::load(self.global.config.as_deref(), settings::environment())?;
        let account = account();
        let other = self.global.actor.as_ref().filter(|name| **name != account);
        if let Some(other) = other.filter(|_| !settings.may_be_another(&account)) {
            return Err(Failure::usage(
                Code::NotAllowed,
                format!("`{account}` may not give a command as `{other}`"),
                "leave out --as, or let `operators.as_others` in the settings name the account",
            ));
        }
        Ok(settings)
    }

    /// The schedule, or every fault of it.
    pub fn schedule(&self) -> Result<Schedule, Failure> {
        read_schedule(&self.global.schedule)
    }

    /// The database's URL: the option, then `DATABASE_URL`, then the settings.
    pub fn url(&self, settings: &Settings) -> Result<String, Failure> {
        let url = self.url_if_any(settings).ok_or_else(|| {
            Failure::usage(
                Code::BadSettings,
                "no database was named",
                "give --database URL, set DATABASE_URL, or write `url` under [database] in the settings",
            )
        })?;
        // The driver would take another database's URL for its own.
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Ok(url)
        } else {
            Err(store::ConnectError::Url.into())
        }
    }

    /// The same, where having none is no fault.
    pub fn url_if_any(&self, settings: &Settings) -> Option<String> {
        let environment = || {
            settings::environment()
                .find(|(name, _)| name == "DATABASE_URL")
                .map(|(_, value)| value)
                .filter(|value| !value.is_empty())
        };
        self.global
            .database
            .clone()
            .or_else(environment)
            .or_else(|| {
                settings
                    .database()
                    .url()
                    .map(|url| url.expose_secret().to_owned())
            })
    }

    /// A connection for reading.
    pub async fn connect(&self, settings: &Settings) -> Result<PgConnection, Failure> {
        let url = self.url(settings)?;
        Ok(store::connect(&url, "retentiond", Limits::READING).await?)
    }

    /// The present, or noon of another day in the schedule's zone.
    pub fn now_or(
        &self,
        schedule: &Schedule,
        on: Option<NaiveDate>,
    ) -> Result<DateTime<Utc>, Failure> {
        match on {
            None => Ok(self.clock.now()),
            Some(day) => noon(schedule, day),
        }
    }

    /// Whose word it is: `--as`, or the system account.
    pub fn actor(&self) -> String {
        self.global.actor.clone().unwrap_or_else(account)
    }

    /// Asks on a terminal for a word to be typed; where nobody can type, `--yes` must say so.
    pub fn confirm(&self, what: &str) -> Result<(), Failure> {
        use std::io::{BufRead, IsTerminal};
        if self.global.yes {
            return Ok(());
        }
        let unconfirmed = |message: &str| {
            Failure::usage(
                Code::Unconfirmed,
                format!("{message}; nothing was changed"),
                "look at it with --dry-run, then give --yes",
            )
        };
        let input = std::io::stdin();
        if !input.is_terminal() {
            return Err(unconfirmed(
                "this must be confirmed, and nobody can be asked",
            ));
        }
        output::note(&format!("{what} Type `yes` to go on:"));
        let mut line = String::new();
        let read = input.lock().read_line(&mut line);
        match read.is_ok() && line.trim() == "yes" {
            true => Ok(()),
            false => Err(unconfirmed("it was not confirmed")),
        }
    }

    /// Class ids from the command line, each of the schedule.
    pub fn classes(&self, schedule: &Schedule, given: &[String]) -> Result<Vec<ClassId>, Failure> {
        given
            .iter()
            .map(|text| {
                ClassId::new(text)
                    .filter(|id| schedule.ids().any(|known| known == id))
                    .ok_or_else(|| {
                        let ids: Vec<&str> = schedule.ids().map(ClassId::as_str).collect();
                        let near = ids
                            .iter()
                            .min_by_key(|id| strsim::damerau_levenshtein(id, text))
                            .filter(|id| strsim::damerau_levenshtein(id, text) <= 3);
                        Failure::usage(
                            Code::UnknownClass,
                            format!("the schedule has no class `{text}`"),
                            near.map_or_else(
                                || format!("it has: {}", ids.join(", ")),
                                |near| format!("did you mean `{near}`?"),
                            ),
                        )
                    })
            })
            .collect()
    }
}

pub(super) fn noon(schedule: &Schedule, day: NaiveDate) -> Result<DateTime<Utc>, Failure> {
    zone::midnight(day, schedule.time_zone())
        .map(|start| start + chrono::TimeDelta::hours(12))
        .ok_or_else(|| {
            Failure::usage(
                Code::BadDate,
                format!("{day} is outside every calendar that is known here"),
                "name a day of this century",
            )
        })
}

/// Reads and validates a schedule's file.
pub(super) fn read_schedule(path: &Path) -> Result<Schedule, Failure> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| Failure::Other {
        code: Code::Unreadable,
        exit: 2,
        message: format!("cannot read the schedule {name}"),
        causes: vec![super::failure::without_number(&error.to_string())],
        hint: Some("name the file with --schedule FILE".to_owned()),
    })?;
    let text = String::from_utf8(bytes).map_err(|error| Failure::Other {
        code: Code::Unreadable,
        exit: 2,
        message: format!("the schedule {name} is not UTF-8 text"),
        causes: vec![format!(
            "the first byte that is not stands at {}",
            error.utf8_error().valid_up_to() + 1
        )],
        hint: Some("save it as UTF-8".to_owned()),
    })?;
    schedule::parse(&text, &name).map_err(|diagnostics| Failure::Schedule(Box::new(diagnostics)))
}

/// The system account's name, or its number where it has none.
fn account() -> String {
    let uid = rustix::process::getuid().as_raw();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    accounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse::<u32>().ok()? == uid).then(|| name.to_owned())
        })
        .next()
        .unwrap_or_else(|| format!("uid {uid}"))
}
