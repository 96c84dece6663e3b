//! The service: passes on the schedule's timetable, reload, shutdown.
//!
//! Each [`tick`] is the same pass as `retentiond run`. No rule of retention lives here,
//! only when a pass is made, with which version of the file, and what is said of it. The
//! [`serve`] loop does one thing at a time and touches the outer world through a
//! [`World`]: where the time comes from, who sends signals, who is told. [`run`] gives it
//! the real one; a test gives it a year in seconds.
//!
//! What an administrator can rely on:
//! - **Missed passes.** If the timetable came round while no process was there to see it
//!   (the last pass in the database began before that), one pass is made at start, however
//!   many were missed. So it is when the service's own last pass broke off without a word
//!   (power, `kill -9`). Where there never was a pass, the timetable is waited for: to
//!   start a service for the first time destroys nothing.
//! - **The clock.** It is looked at every 30 seconds at least, so suspended machines and
//!   clocks that are put forward make a pass late by no more than that. One that is put
//!   back a little (5 minutes) repeats no pass; further back, the timetable is read anew.
//! - **Trouble.** A database that does not answer, or a pass that breaks off, is told once
//!   and tried again after 5 seconds, 10, 20 and so on up to 5 minutes, until the
//!   timetable comes round again. The process stays.
//! - **Reload** (`SIGHUP`) reads the schedule and the settings again, both or neither: a
//!   pass at work keeps what it began with. A file that is refused changes nothing, is
//!   told fault by fault, and stays in the status line until it is mended. The database
//!   and the log's form are those of the start.
//! - **Stop** (`SIGTERM`, `SIGINT`) finishes the batch in hand and answers 0. A second
//!   one does not wait: the batch in hand is undone by the server, and the process
//!   answers 130 or 143, as a shell would say it.
//! - **Watching it.** Where `listen.address` is set it answers `GET /metrics`, `/healthz` and
//!   `/readyz` from memory; an address that cannot be had keeps it from starting.
//! - **systemd** is told `READY=1` as soon as the schedule is found right. A database that
//!   is still starting is no reason for a unit to fail; the status line says so instead.

mod agenda;
mod force;
pub mod notices;
mod notify;
mod observe;
mod past;
mod processors;
pub mod replay;
mod service;
mod signal;
mod subjects;
pub mod tick;
mod timekeeper;
mod trouble;
pub mod turn;
mod watch;
mod work;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::SecretString;

use crate::clock::Clock;
use crate::schedule::Diagnostics;
use crate::settings::Settings;

pub use notify::Notifier;
pub use service::{World, serve};
pub use signal::Signal;
pub use timekeeper::{Hand, Pause, Simulated, Timekeeper};
pub use watch::{METRICS, Metric};

/// What the service is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The schedule's file, read at start and at each reload.
    pub schedule: PathBuf,
    /// The file of `--config`, read again at each reload.
    pub config: Option<PathBuf>,
    /// The database; the same until the process ends.
    pub url: SecretString,
    /// The settings as they were read at start.
    pub settings: Settings,
    /// What time it is. With a fixed one no time passes, and no pass is ever due.
    pub clock: Clock,
    /// Who acts, for the ledger: `service`.
    pub actor: String,
}

/// How the service came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to stop, and the batch in hand was finished.
    Stopped,
    /// It was asked twice, and waited for nothing.
    AtOnce(Signal),
}

impl Ended {
    /// 0; or 128 and the signal's number, as a shell reports a process that it ended.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Stopped => 0,
            Self::AtOnce(Signal::Reload) => 129,
            Self::AtOnce(Signal::Interrupt) => 130,
            Self::AtOnce(Signal::Terminate) => 143,
        }
    }
}

/// Why the service did not start. Once started, nothing but a signal ends it.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The schedule's file could not be read.
    #[error("could not read the schedule in {}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The schedule has faults: all of them.
    #[error(transparent)]
    Invalid(Box<Diagnostics>),
    /// The system does not let it listen for signals, so that it could not be stopped.
    #[error("could not listen for signals")]
    Signals(#[source] io::Error),
    /// Requests cannot be answered at the address of the settings.
    #[error("could not listen for requests on {address} (listen.address)")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl DaemonError {
    /// 2 where the schedule is wrong, so that systemd does not try again; else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unreadable { .. } | Self::Invalid(_) => 2,
            // What has the port may be the last process of this service, which ends.
            Self::Signals(_) | Self::Listen { .. } => 1,
        }
    }
}

/// Runs the service until a signal ends it. Needs a tokio runtime with time and I/O.
///
/// # Errors
/// When the schedule cannot be read or is wrong, or signals or requests cannot be listened for.
pub async fn run(options: Options) -> Result<Ended, DaemonError> {
    // First, so that a signal that comes meanwhile is kept and does not kill.
    let signals = signal::listen().map_err(DaemonError::Signals)?;
    let listener = match options.settings.listen().address() {
        None => None,
        Some(address) => {
            let listener = tokio::net::TcpListener::bind(address).await;
            Some(listener.map_err(|source| DaemonError::Listen { address, source })?)
        }
    };
    let world = World {
        timekeeper: Timekeeper::Real(options.clock),
        signals,
        notifier: Notifier::Systemd,
        watchdog: sd_notify::watchdog_enabled(),
        listener,
    };
    serve(options, world).await
}
