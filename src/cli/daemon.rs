//! `retentiond daemon`.

use secrecy::SecretString;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::failure::Failure;
use crate::daemon::{self, DaemonError, Options};
use crate::schedule::Code;

pub(super) async fn run(context: &Context) -> Result<u8, Failure> {
    let settings = context.settings()?;
    let url = context.url(&settings)?;
    super::tracing::start(&settings, context.global.verbose, context.global.quiet);
    let options = Options {
        schedule: context.global.schedule.clone(),
        config: context.global.config.clone(),
        url: SecretString::from(url),
        settings,
        clock: context.clock,
        actor: context
            .global
            .actor
            .clone()
            .unwrap_or_else(|| "service".to_owned()),
    };
    match daemon::run(options).await {
        Ok(ended) => Ok(ended.exit_code()),
        Err(error) => {
            let exit = error.exit_code();
            Err(match error {
                DaemonError::Invalid(diagnostics) => Failure::Schedule(diagnostics),
                DaemonError::Unreadable { path, source } => Failure::Other {
                    code: Code::Unreadable,
                    exit,
                    message: format!("cannot read the schedule {}", path.display()),
                    causes: vec![source.to_string()],
                    hint: Some("name the file with --schedule FILE".to_owned()),
                },
                DaemonError::Listen {
                    address,
                    ref source,
                } => Failure::Other {
                    code: Code::BadSettings,
                    exit,
                    message: error.to_string(),
                    causes: vec![source.to_string()],
                    hint: Some(format!(
                        "another process may have port {}: give each service a port of its own in listen.address, or stop the other",
                        address.port()
                    )),
                },
                DaemonError::Signals(source) => Failure::failed(Code::Internal, &source, None),
            })
        }
    }
}

/// Ctrl-C and SIGTERM ask for a stop after the batch in hand; a second one ends the
/// process at once, which loses nothing but the batch in hand.
pub(super) fn stop_on_interrupt(stop: CancellationToken) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
        for asked in 0.. {
            let terminated = async {
                match &mut terminate {
                    Some(terminate) => {
                        terminate.recv().await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                interrupted = tokio::signal::ctrl_c() => if interrupted.is_err() { return },
                () = terminated => {}
            }
            if asked > 0 {
                std::process::exit(130);
            }
            eprintln!("Stopping after the batch in hand; once more to stop at once.");
            stop.cancel();
        }
    })
}
