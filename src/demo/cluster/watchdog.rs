//! The process beside the server that outlives this program, and stops it.
//!
//! What it does is in `watchdog.sh`. Here is our end of its pipes: closing the
//! one for orders, or dying, is what stops the server.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Account, ClusterError};

const SCRIPT: &str = include_str!("watchdog.sh");

/// What the watchdog can be told. Not to tell it anything is an order too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Stop the server after a last checkpoint.
    Fast,
    /// Stop the server as a crash would, and go on watching over the folder.
    Immediate,
    /// End without touching anything: another watchdog follows.
    Handover,
}

impl Order {
    fn word(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Immediate => "immediate",
            Self::Handover => "handover",
        }
    }
}

/// What is heard of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// It was started, with this process number.
    Started(String),
    /// All its processes are gone, or it never started.
    Gone,
}

/// Our end of a watchdog.
#[derive(Debug)]
pub(super) struct Watchdog {
    process: Child,
    orders: Option<ChildStdin>,
    /// In a mutex only so that a cluster can be shared between threads.
    said: Mutex<Receiver<Said>>,
}

impl Watchdog {
    /// Starts it, and through it the server. `arguments` are those of the script.
    pub(super) fn start(
        account: &Account,
        folder: &Path,
        lock: Option<&File>,
        arguments: &[std::ffi::OsString],
    ) -> Result<Self, ClusterError> {
        let lock = match lock {
            Some(file) => file
                .try_clone()
                .map(Stdio::from)
                .map_err(ClusterError::process("the server's watchdog"))?,
            None => Stdio::null(),
        };
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "retentiond-watchdog"]);
        command.args(arguments);
        // None of the caller's PG* settings may reach the server.
        command.env_clear().env("PATH", path()).env("LC_ALL", "C");
        if let Some(libraries) = std::env::var_os("LD_LIBRARY_PATH") {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(lock)
            // Out of reach of the terminal's Ctrl-C: the program stops the
            // server itself once its batch is done.
            .process_group(0);
        let mut process = account
            .apply(&mut command)
            .spawn()
            .map_err(ClusterError::process("the server's watchdog"))?;
        let orders = process.stdin.take();
        let answers = process.stdout.take();
        let (heard, said) = channel();
        thread::spawn(move || {
            if let Some(answers) = answers {
                for line in BufReader::new(answers).lines() {
                    let Ok(line) = line else { break };
                    if heard.send(Said::Started(line)).is_err() {
                        return;
                    }
                }
            }
            // Nobody may be listening any more, and that is well.
            let _ = heard.send(Said::Gone);
        });
        Ok(Self {
            process,
            orders,
            said: Mutex::new(said),
        })
    }

    /// Waits for the next thing that is heard; `None` if nothing is, in time.
    pub(super) fn hear(&mut self, patience: Duration) -> Option<Said> {
        let said = self.said.get_mut().unwrap_or_else(PoisonError::into_inner);
        match said.recv_timeout(patience) {
            Ok(said) => Some(said),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Said::Gone),
        }
    }

    /// Gives an order. One that does not arrive finds the watchdog gone, which
    /// the caller sees in what it hears.
    pub(super) fn order(&mut self, order: Order) {
        if let Some(orders) = &mut self.orders {
            let _ = writeln!(orders, "{}", order.word());
        }
    }

    /// Waits until the server is gone; `false` if it is not, in time.
    pub(super) fn wait_until_gone(&mut self, patience: Duration) -> bool {
        loop {
            match self.hear(patience) {
                Some(Said::Gone) => return true,
                Some(Said::Started(_)) => {}
                None => return false,
            }
        }
    }

    /// Closes the pipe, and waits for the last of the watchdog's work.
    pub(super) fn end(mut self) {
        self.orders = None;
        let _ = self.process.wait();
    }
}

/// The caller's, and where `rm` and `mv` surely are.
fn path() -> std::ffi::OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    if !path.is_empty() {
        path.push(":");
    }
    path.push("/usr/bin:/bin");
    path
}
