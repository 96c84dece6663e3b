//! Logs on standard error, as the settings want them.

use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, Settings};

/// Starts logging; the second call does nothing.
pub(super) fn start(settings: &Settings, verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => "error".to_owned(),
        (_, 0) => settings.log().level().to_string().to_lowercase(),
        (_, 1) => "debug".to_owned(),
        _ => "trace".to_owned(),
    };
    // The drivers' own logs could hold statements; ours never hold a row.
    let filter = EnvFilter::new(format!("error,retentiond={level}"));
    let builder = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .with_env_filter(filter);
    let _ = match settings.log().format() {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.try_init(),
    };
}
