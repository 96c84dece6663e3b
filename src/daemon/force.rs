//! What is in force: one version of the schedule with the settings that were read with it.
//!
//! A pass holds its own version to the end. A reload makes a new one or none: there is no
//! state in which half of the files is new.

use std::io;
use std::path::Path;

use super::{DaemonError, Options};
use secrecy::ExposeSecret;

use crate::schedule::{self, Diagnostic, Schedule, Severity};
use crate::settings::{self, Settings, SettingsError};

/// One version of what is in force.
#[derive(Debug)]
pub(super) struct Force {
    pub(super) schedule: Schedule,
    pub(super) settings: Settings,
}

/// Why the files that are there now are not in force.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Schedule(#[from] DaemonError),
    #[error("the settings cannot be used")]
    Settings(#[from] SettingsError),
}

impl Force {
    /// What the service starts with.
    pub(super) async fn first(options: &Options) -> Result<Self, DaemonError> {
        Ok(Self {
            schedule: read(&options.schedule).await?,
            settings: options.settings.clone(),
        })
    }

    /// What stands in the files now.
    pub(super) async fn again(options: &Options) -> Result<Self, Refusal> {
        let settings = Settings::load(options.config.as_deref(), settings::environment())?;
        Ok(Self {
            schedule: read(&options.schedule).await?,
            settings,
        })
    }

    /// The schedule's semantic digest, as people see it.
    pub(super) fn digest(&self) -> String {
        format!("sha256:{}", hex::encode(self.schedule.digest()))
    }

    /// Tells which changes of the settings only a new start brings in force.
    pub(super) fn tell_unheeded(&self, before: &Self) {
        let url = |force: &Self| {
            let url = force.settings.database().url();
            url.map(|url| url.expose_secret().to_owned())
        };
        let listen = |force: &Self| force.settings.listen().address();
        let unheeded = [
            ("database.url", url(self) != url(before)),
            ("log", self.settings.log() != before.settings.log()),
            ("listen.address", listen(self) != listen(before)),
        ];
        for (setting, _) in unheeded.iter().filter(|(_, changed)| *changed) {
            tracing::warn!(
                setting,
                "this setting has changed, which only a new start brings in force"
            );
        }
    }

    /// Tells what a person should know of it.
    pub(super) fn tell_warnings(&self) {
        for warning in self.schedule.warnings() {
            tell(self.schedule.file(), warning);
        }
    }
}

impl Refusal {
    /// Tells each fault by itself. Answers how many there are.
    pub(super) fn tell(&self) -> usize {
        match self {
            Self::Schedule(DaemonError::Invalid(diagnostics)) => {
                for item in &diagnostics.items {
                    tell(&diagnostics.file, item);
                }
                diagnostics
                    .items
                    .iter()
                    .filter(|item| item.severity == Severity::Error)
                    .count()
            }
            Self::Schedule(error) => {
                let cause = std::error::Error::source(error)
                    .map(ToString::to_string)
                    .unwrap_or_default();
                tracing::error!(error = %error, cause, "schedule not read");
                1
            }
            Self::Settings(SettingsError::Invalid(problems)) => {
                for problem in problems {
                    tracing::error!(error = %problem, "fault in the settings");
                }
                problems.len()
            }
            Self::Settings(error) => {
                let cause = std::error::Error::source(error)
                    .map(ToString::to_string)
                    .unwrap_or_default();
                tracing::error!(error = %error, cause, "settings not read");
                1
            }
        }
    }

    /// Which of the two files is at fault.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Schedule(_) => "schedule",
            Self::Settings(_) => "settings",
        }
    }
}

fn tell(file: &str, item: &Diagnostic) {
    let code = item.code.as_str();
    let (line, column) = item
        .place
        .map_or((0, 0), |place| (place.line, place.column));
    let fault = item.message.as_str();
    let hint = item.hint.as_deref().unwrap_or_default();
    match item.severity {
        Severity::Error => tracing::error!(
            code,
            file,
            line,
            column,
            fault,
            hint,
            "fault in the schedule"
        ),
        _ => tracing::warn!(
            code,
            file,
            line,
            column,
            fault,
            hint,
            "advice on the schedule"
        ),
    }
}

async fn read(path: &Path) -> Result<Schedule, DaemonError> {
    let unreadable = |source| DaemonError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let bytes = tokio::fs::read(path).await.map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        unreadable(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is not UTF-8 text",
        ))
    })?;
    schedule::parse(&text, &path.display().to_string())
        .map_err(|faults| DaemonError::Invalid(Box::new(faults)))
}
