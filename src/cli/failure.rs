//! A command that failed: what to print, and the exit code.

use std::error::Error;

use serde_json::{Value, json};

use super::output;
use crate::daemon::tick::TickError;
use crate::ledger::keyring::KeyError;
use crate::ledger::publish::{FolderError, LogError};
use crate::ledger::store::LedgerError;
use crate::schedule::{Code, Diagnostics, Severity};
use crate::settings::SettingsError;
use crate::store::{ConnectError, LeaseError, MigrateError};
use crate::survey::SurveyError;

/// Why a command ended without its answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The schedule is faulty: every fault with its place. Exit code 2.
    Schedule(Box<Diagnostics>),
    /// The command line cannot be read. Exit code 2.
    Command(clap::Error),
    /// Anything else.
    Other {
        code: Code,
        exit: u8,
        message: String,
        causes: Vec<String>,
        hint: Option<String>,
    },
}

impl Failure {
    /// Something in how the program was called. Exit code 2.
    pub fn usage(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Other {
            code,
            exit: 2,
            message: message.into(),
            causes: Vec::new(),
            hint: Some(hint.into()),
        }
    }

    /// Something that did not work. Exit code 1.
    pub fn failed(code: Code, error: &dyn Error, hint: Option<&str>) -> Self {
        Self::Other {
            code,
            exit: 1,
            message: error.to_string(),
            causes: causes(error),
            hint: hint.map(str::to_owned),
        }
    }

    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Schedule(_) | Self::Command(_) => 2,
            Self::Other { exit, .. } => *exit,
        }
    }

    /// On standard error: for people with the causes below it, for scripts as one object.
    pub fn print(&self, json: bool) {
        if json {
            output::note(&self.json().to_string());
            return;
        }
        output::note(&self.text());
    }

    /// For people.
    fn text(&self) -> String {
        match self {
            Self::Schedule(diagnostics) => {
                let errors = diagnostics
                    .items
                    .iter()
                    .filter(|d| d.severity == Severity::Error)
                    .count();
                format!(
                    "{}\n\n{}: {}; nothing was done. `retentiond check --explain CODE` says more about a code.",
                    diagnostics.render(output::colour_on_stderr()).trim_end(),
                    diagnostics.file,
                    output::counted(errors as u64, "error", "errors")
                )
            }
            Self::Other {
                code,
                message,
                causes,
                hint,
                ..
            } => {
                let mut text = format!("{}error[{code}]{}: {message}", output::BAD, output::RESET);
                for cause in causes {
                    text.push_str(&format!("\n  because: {cause}"));
                }
                if let Some(hint) = hint {
                    text.push_str(&format!("\n{}help{}: {hint}", output::GOOD, output::RESET));
                }
                text
            }
            // As clap has it, but for the spelling.
            Self::Command(error) => error
                .render()
                .ansi()
                .to_string()
                .replace("unrecognized", "unknown")
                .trim_end()
                .to_owned(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Schedule(diagnostics) => {
                let all = diagnostics.json();
                let mut errors = all.iter().filter(|d| d["severity"] == "error");
                let first = errors.next().cloned().unwrap_or_default();
                let others: Vec<Value> = errors.map(|d| d["message"].clone()).collect();
                json!({ "error": {
                    "code": first["code"], "message": first["message"], "causes": others,
                    "hint": first["hint"], "at": first["at"],
                } })
            }
            Self::Command(error) => {
                let (message, hint) = in_a_line(error);
                json!({ "error": { "code": Code::Usage.as_str(), "message": message, "causes": [], "hint": hint, "at": null } })
            }
            Self::Other {
                code,
                message,
                causes,
                hint,
                ..
            } => json!({ "error": {
                "code": code.as_str(), "message": message, "causes": causes, "hint": hint, "at": null,
            } }),
        }
    }
}

/// What is wrong with a command line and what to do, without the layout and the usage.
fn in_a_line(error: &clap::Error) -> (String, String) {
    use clap::error::ErrorKind;
    let see = || {
        "`retentiond --help` shows all commands, `retentiond COMMAND --help` all options of one"
            .to_owned()
    };
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
    ) {
        return ("a command is missing".to_owned(), see());
    }
    let text = error
        .render()
        .to_string()
        .replace("unrecognized", "unknown");
    let mut paragraphs = text.split("\n\n");
    let first = paragraphs
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ");
    let mut lines = first.lines().map(str::trim);
    let mut message = lines.next().unwrap_or_default().to_owned();
    let rest: Vec<&str> = lines.collect();
    if !rest.is_empty() {
        message = format!("{message} {}", rest.join(", "));
    }
    let tip =
        paragraphs.find_map(|paragraph| paragraph.trim().strip_prefix("tip: ").map(str::to_owned));
    (message, tip.unwrap_or_else(see))
}

/// The chain below an error, each once. A database's own words may quote a row; what is
/// left of them is the SQLSTATE and a constraint.
fn causes(error: &dyn Error) -> Vec<String> {
    let mut found = Vec::new();
    let mut next = error.source();
    let mut above = error.to_string();
    while let Some(cause) = next {
        let text = match cause.downcast_ref::<sqlx::Error>() {
            Some(database) => said(database),
            None => without_number(&cause.to_string()),
        };
        if text != above && !found.contains(&text) {
            found.push(text.clone());
        }
        above = text;
        if cause.downcast_ref::<sqlx::Error>().is_some() {
            break;
        }
        next = cause.source();
    }
    found
}

/// What a database's error may say in public. Words about connecting, privileges and
/// missing objects hold no data; those about values (classes 22 and 23) do.
pub(super) fn said(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            if ["28", "3D", "42", "53", "57", "08"]
                .iter()
                .any(|class| code.starts_with(class))
            {
                format!("{} ({code})", database.message())
            } else {
                crate::store::reason(error)
            }
        }
        sqlx::Error::Io(error) => without_number(&error.to_string()),
        sqlx::Error::Tls(error) => error.to_string(),
        other => crate::store::reason(other),
    }
}

/// A system's error without ` (os error 2)`, which is no help to anybody.
pub(super) fn without_number(text: &str) -> String {
    text.split(" (os error ").next().unwrap_or(text).to_owned()
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        Self::Command(error)
    }
}

impl From<Box<Diagnostics>> for Failure {
    fn from(diagnostics: Box<Diagnostics>) -> Self {
        Self::Schedule(diagnostics)
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::Other {
            code: Code::BadSettings,
            exit: 2,
            message: error.to_string(),
            causes: causes(&error),
            hint: Some("every key is explained in config/default.toml".to_owned()),
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let refused = |class: &str| {
            matches!(&error, ConnectError::Refused { source: sqlx::Error::Database(said), .. }
                if said.code().is_some_and(|code| code.starts_with(class)))
        };
        let hint = if matches!(error, ConnectError::Url) {
            "write it as postgres://USER@HOST:PORT/DATABASE, or for a socket's folder postgres:///DATABASE?host=/FOLDER"
        } else if refused("3D") {
            "correct the database's name in the URL; `psql --list` shows which there are"
        } else if refused("28") {
            "correct the account or the password in the URL, or let the account in (pg_hba.conf)"
        } else {
            "see that PostgreSQL runs there and lets this account in, then try again"
        };
        let exit = if matches!(error, ConnectError::Url) {
            2
        } else {
            1
        };
        match Self::failed(Code::Unreachable, &error, Some(hint)) {
            Self::Other {
                code,
                message,
                causes,
                hint,
                ..
            } => Self::Other {
                code,
                exit,
                message,
                causes,
                hint,
            },
            other => other,
        }
    }
}

impl From<SurveyError> for Failure {
    fn from(error: SurveyError) -> Self {
        match &error {
            SurveyError::Record { .. } => Self::Other {
                code: Code::NoSuchRecord,
                exit: 2,
                message: error.to_string(),
                causes: Vec::new(),
                hint: Some("write it as the database shows it: a whole number, a uuid, a date such as 2026-11-23".to_owned()),
            },
            SurveyError::Database { source: sqlx::Error::Database(said), .. } if said.code().as_deref() == Some("42501") => {
                Self::failed(Code::MissingPrivilege, &error, Some("let the account read the table: GRANT SELECT ON … TO …"))
            }
            _ => Self::failed(Code::Unreachable, &error, None),
        }
    }
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        Self::failed(
            Code::NotMigrated,
            &error,
            Some(
                "the role needs CREATE on the database; see that nobody changed schema `retentiond` by hand",
            ),
        )
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        let hint = matches!(error, LedgerError::Database { .. })
            .then_some("run `retentiond migrate` if this database was never prepared");
        Self::failed(Code::NotMigrated, &error, hint)
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        let (code, hint) = match &error {
            LogError::Ledger(LedgerError::OtherKey { .. }) => (
                Code::NoSigningKey,
                "a copied database goes on under its own log: keep the keys of each apart",
            ),
            LogError::Ledger(_) => (
                Code::Internal,
                "`retentiond ledger verify` says what is wrong with the log",
            ),
            LogError::Key(KeyError::Missing { .. }) => (
                Code::NoSigningKey,
                "bring the file of the private key back from its backup; if it is lost: `retentiond ledger key new`",
            ),
            LogError::Key(KeyError::Open(_)) => (
                Code::NoSigningKey,
                "chmod 600 the file; if others may have read it: `retentiond ledger key rotate`",
            ),
            LogError::Key(_) => (
                Code::NoSigningKey,
                "see that this account may read and write its state (state.directory in the settings)",
            ),
            LogError::Busy => (
                Code::Unpublished,
                "see whether that process still runs, and try again",
            ),
            LogError::Folder(_) => (
                Code::Unpublished,
                "see that this account may read and write the folder (ledger.published in the settings)",
            ),
            LogError::Behind { .. } => (
                Code::Interlock,
                "a backup was restored, or a replica took over that had not everything: `retentiond ledger replay` brings the lost entries back",
            ),
            LogError::Forked { .. } | LogError::Forged { .. } => (
                Code::Interlock,
                "another database's log, or one that was tampered with: compare with `retentiond ledger verify`, and ask whoever looks after both",
            ),
        };
        match Self::failed(code, &error, Some(hint)) {
            Self::Other {
                code,
                message,
                causes,
                hint,
                ..
            } if error.is_interlock() => Self::Other {
                code,
                exit: 3,
                message: format!("{message}; nothing was done"),
                causes,
                hint,
            },
            other => other,
        }
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        LogError::Key(error).into()
    }
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        LogError::Folder(error).into()
    }
}

impl From<TickError> for Failure {
    fn from(error: TickError) -> Self {
        let (code, hint) = match error {
            TickError::Connect(error) => return error.into(),
            TickError::Survey(error) => return error.into(),
            TickError::NeverAccepted(digest) | TickError::AcceptAgain(digest) => {
                return Self::Other {
                    code: match error {
                        TickError::AcceptAgain(_) => Code::AcceptAgain,
                        _ => Code::NeverAccepted,
                    },
                    exit: 3,
                    message: error.to_string(),
                    causes: Vec::new(),
                    hint: Some(format!(
                        "look at `retentiond plan`; if it is right: `{}`",
                        super::versions::command(&digest)
                    )),
                };
            }
            TickError::Review(error) => return error.into(),
            TickError::NotMigrated => (Code::NotMigrated, Some("run `retentiond migrate` first")),
            TickError::Clock(_) | TickError::Backwards(_) => (
                Code::ClockDiffers,
                Some("set the clocks right; nothing goes while it is not certain what day it is"),
            ),
            TickError::Log(error) => return error.into(),
            TickError::State(error) => return error.into(),
            TickError::PlanChanged => (
                Code::PlanChanged,
                Some("look at `retentiond plan` again, and give its digest"),
            ),
            TickError::Store(_) => (
                Code::UnknownStore,
                Some("name the folder in the settings, under [stores.NAME]"),
            ),
            TickError::Enforce(crate::enforce::EnforceError::Lease(LeaseError::Taken {
                ..
            })) => (
                Code::NoLease,
                Some("wait until the other process has finished"),
            ),
            TickError::Enforce(_) | TickError::Bookkeeping(_) | TickError::Stopped => {
                (Code::Internal, None)
            }
        };
        Self::failed(code, &error, hint)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;

    use super::*;
    use crate::enforce::EnforceError;
    use crate::ident::ClassId;

    /// The failures that no command line brings about at will; tests/check has the others.
    #[test]
    fn a_failure_of_a_pass_in_words_and_for_a_script() {
        let taken = ClassId::new("letters").map(|class| LeaseError::Taken {
            class,
            holder: "retentiond on archive-2".to_owned(),
            waited: Duration::from_secs(30),
        });
        let failures = [
            taken.map(|error| TickError::Enforce(EnforceError::Lease(error))),
            Some(TickError::Clock(TimeDelta::seconds(-95))),
            Some(TickError::Stopped),
        ];
        for failure in failures.into_iter().flatten().map(Failure::from) {
            let json = failure.json();
            let code = json["error"]["code"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let text = anstream::adapter::strip_str(&failure.text()).to_string();
            insta::assert_snapshot!(code, format!("{text}\n\n{json:#}"));
        }
    }
}
