//! What can go wrong with the private server, and what a person can do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no private PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The server's programs are nowhere on this machine.
    #[error(
        "no PostgreSQL server programs (initdb, postgres) were found; looked in {}. \
         Install them (`apt-get install postgresql`, `dnf install postgresql-server` or \
         `brew install postgresql`), name their folder in PG_BIN, or give a server that \
         is already running in DATABASE_URL",
        listed(.looked)
    )]
    NoServer {
        /// Every folder that was looked into, in order.
        looked: Vec<PathBuf>,
    },
    /// The data was written by another major version.
    #[error(
        "the data in {} is of PostgreSQL {needs}, whose programs were not found (found: {found})",
        .folder.display()
    )]
    OtherVersion {
        /// The cluster's folder.
        folder: PathBuf,
        /// The major version that wrote it.
        needs: String,
        /// The major versions that are installed.
        found: String,
    },
    /// The program runs as root, and PostgreSQL does not.
    #[error(
        "PostgreSQL refuses to run as root, and there is neither an account `postgres` nor \
         `nobody` to run it as; start this as another user"
    )]
    NoAccount,
    /// Another program keeps its cluster there.
    #[error(
        "the data in {} is in use by {}; stop that first, or choose another folder",
        .folder.display(),
        owner(*.process)
    )]
    InUse {
        /// The cluster's folder.
        folder: PathBuf,
        /// The other program's number, if it said one.
        process: Option<i32>,
    },
    /// The folder holds something that is not one of our clusters.
    #[error(
        "{} is not empty and holds no cluster of ours; choose an empty or a new folder",
        .folder.display()
    )]
    NotOurs {
        /// The folder.
        folder: PathBuf,
    },
    /// The account that the server runs as cannot work there.
    #[error(
        "{} (as which PostgreSQL has to run, since it refuses root) cannot write in {}; \
         choose a folder outside a private home, such as one under /var/tmp",
        .account,
        .folder.display()
    )]
    Unreachable {
        /// The folder.
        folder: PathBuf,
        /// The account's name.
        account: String,
    },
    /// A file or folder could not be made, read or locked.
    #[error("{what} {}", .path.display())]
    File {
        /// What was tried: `could not make`.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A process could not be started, or did not answer.
    #[error("could not run {program}")]
    Process {
        /// What was to be run.
        program: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The server ended while it started.
    #[error("PostgreSQL did not start; the end of its log:\n{log}")]
    Refused {
        /// The last lines of its log.
        log: String,
    },
    /// The server was not ready, or not gone, within the time it is given.
    #[error("PostgreSQL was not {state} within {seconds} seconds; the end of its log:\n{log}")]
    Late {
        /// `ready` or `stopped`.
        state: &'static str,
        /// How long was waited.
        seconds: u32,
        /// The last lines of its log.
        log: String,
    },
    /// A database could not be made.
    #[error("could not create the database `{name}`")]
    Database {
        /// The database's name.
        name: String,
        /// What the server said.
        source: Box<sqlx::Error>,
    },
}

impl ClusterError {
    /// For `map_err`: what was tried on which path.
    pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { what, path, source }
    }

    /// For `map_err`: which program was to be run.
    pub(super) fn process(program: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Process { program, source }
    }
}

fn listed(folders: &[PathBuf]) -> String {
    let names: Vec<String> = folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    names.join(", ")
}

fn owner(process: Option<i32>) -> String {
    process.map_or_else(
        || "another program".to_owned(),
        |number| format!("process {number}"),
    )
}
