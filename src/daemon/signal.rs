//! What the service is asked to do from outside, apart from how Unix says it.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// A wish from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// `SIGHUP`: read the files again.
    Reload,
    /// `SIGINT`: stop, says a person at a terminal.
    Interrupt,
    /// `SIGTERM`: stop, says the system.
    Terminate,
}

impl Signal {
    /// As the system calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reload => "SIGHUP",
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }
}

/// Listens for the process's signals from now on. Those of one kind that arrive together
/// are one, as Unix has it.
///
/// # Errors
/// When the system does not let it.
pub(super) fn listen() -> io::Result<mpsc::Receiver<Signal>> {
    let mut reload = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (send, signals) = mpsc::channel(8);
    tokio::spawn(async move {
        loop {
            let heard = tokio::select! {
                Some(()) = reload.recv() => Signal::Reload,
                Some(()) = interrupt.recv() => Signal::Interrupt,
                Some(()) = terminate.recv() => Signal::Terminate,
                else => return,
            };
            if send.send(heard).await.is_err() {
                return;
            }
        }
    });
    Ok(signals)
}
