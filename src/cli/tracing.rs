//! Logs on standard error or in the journal, as the settings want them.

use std::io::IsTerminal;
use std::path::Path;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::journal::{self, Journal};
use crate::settings::{LogFormat, Settings};

/// Starts logging for `run`, which speaks to people: the line that has each checkpoint whole
/// is for the journal, or for whoever reads JSON.
pub(super) fn start_run(settings: &Settings, verbose: u8, quiet: bool) {
    // systemd sets it where standard error is the journal.
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let whole = journal || verbose > 0 || settings.log().format() != LogFormat::Text;
    let beside = if whole || quiet {
        ""
    } else {
        ",retentiond::ledger::publish=warn"
    };
    start_with(settings, verbose, quiet, beside);
}

/// Starts logging; the second call does nothing.
pub(super) fn start(settings: &Settings, verbose: u8, quiet: bool) {
    start_with(settings, verbose, quiet, "");
}

fn start_with(settings: &Settings, verbose: u8, quiet: bool, beside: &str) {
    let level = match (quiet, verbose) {
        (true, _) => "error".to_owned(),
        (_, 0) => settings.log().level().to_string().to_lowercase(),
        (_, 1) => "debug".to_owned(),
        _ => "trace".to_owned(),
    };
    // The drivers' own logs could hold statements; ours never hold a row.
    let filter = EnvFilter::new(format!("error,retentiond={level}{beside}"));
    let mut format = settings.log().format();
    let mut journal = None;
    if format == LogFormat::Journal {
        match Journal::connect(Path::new(journal::SOCKET)) {
            Ok(found) => journal = Some(found),
            Err(error) => {
                format = LogFormat::Text;
                eprintln!(
                    "log.format is \"journal\", and there is no journal ({error}); logging as text"
                );
            }
        }
    }
    if let Some(journal) = journal {
        let _ = tracing_subscriber::registry()
            .with(filter)
            .with(journal)
            .try_init();
        return;
    }
    let builder = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false)
        .with_env_filter(filter);
    let _ = match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text | LogFormat::Journal => builder.try_init(),
    };
}
