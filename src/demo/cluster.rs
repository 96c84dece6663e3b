//! A private PostgreSQL, from the server programs that the machine has.
//!
//! Owns one server: makes its data folder, starts it, and sees to it that it
//! stops when this program ends, also by `kill -9`. It is reached through a
//! Unix socket in a folder that only its account (and root) can enter, and
//! listens to no network. It never touches a server that was there before, and
//! nothing but the demonstration and the tests uses it.
//!
//! The one idea to know: between us and the server stands a watchdog, a shell on
//! a pipe whose other end we alone hold. Our death closes the pipe, and nothing
//! has to run here for the server to be stopped and a temporary folder removed.
//!
//! Starting takes about a second. Tests of one binary share a server through
//! [`shared`] and have a database each, so run them with `cargo test`; a runner
//! with a process for each test would pay the second for each.

mod account;
mod error;
mod installation;
mod lock;
mod watchdog;

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use sqlx::migrate::MigrateDatabase;

pub use account::Account;
pub use error::ClusterError;
pub use installation::Installation;
use watchdog::{Order, Said, Watchdog};

/// The server's superuser, by whose name everyone who may enter the socket's
/// folder connects.
pub const SUPERUSER: &str = "retentiond";

/// Only names the socket: nothing listens on a port.
const PORT: u16 = 5432;

/// Crash recovery of a large folder is what may take long.
const READY_WITHIN: Duration = Duration::from_secs(120);
const GONE_WITHIN: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// What kind of cluster is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterOptions {
    /// Where its data stays. It is made if it is not there, and used again if it
    /// holds a cluster of ours. `None` is a temporary folder, removed at the end.
    pub data_dir: Option<PathBuf>,
    /// Whether the data must survive the *machine's* crash. Without it, writing
    /// is several times faster, and the data still survives the server's crash.
    pub durable: bool,
}

/// A running server, stopped when this is dropped.
#[derive(Debug)]
pub struct Cluster {
    options: ClusterOptions,
    installation: Installation,
    account: Account,
    /// Holds `data`, `log` and `lock`.
    home: PathBuf,
    /// Holds the socket; the same as `home` where that is temporary.
    socket: PathBuf,
    /// Also held by the watchdog, until the last of its work is done.
    lock: Option<File>,
    watchdog: Option<Watchdog>,
}

impl Cluster {
    /// Starts a server and waits until it answers. Blocks for about a second.
    ///
    /// # Errors
    /// When there are no server programs, the folder cannot be used or is in
    /// use, or the server does not start; see [`ClusterError`].
    pub fn start(options: ClusterOptions) -> Result<Self, ClusterError> {
        let found = Installation::find(
            // An empty variable is as none, as for the script that installs.
            std::env::var_os("PG_BIN")
                .filter(|folder| !folder.is_empty())
                .as_deref(),
            std::env::var_os("PATH").as_deref(),
        )?;
        Self::start_with(options, found)
    }

    /// As [`Cluster::start`], with the installations to choose from.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn start_with(
        options: ClusterOptions,
        found: Vec<Installation>,
    ) -> Result<Self, ClusterError> {
        let mut cluster = match &options.data_dir {
            Some(folder) => Self::kept(folder.clone(), options, found)?,
            None => Self::temporary(options, found)?,
        };
        cluster.launch()?;
        Ok(cluster)
    }

    fn temporary(options: ClusterOptions, found: Vec<Installation>) -> Result<Self, ClusterError> {
        let installation = first(found)?;
        let account = Account::for_data(Path::new(""))?;
        let home = socket_folder(&account)?;
        let lock = lock::take(&home)?;
        Ok(Self {
            options,
            installation,
            account,
            socket: home.clone(),
            home,
            lock: Some(lock),
            watchdog: None,
        })
    }

    fn kept(
        folder: PathBuf,
        options: ClusterOptions,
        found: Vec<Installation>,
    ) -> Result<Self, ClusterError> {
        let home =
            std::path::absolute(&folder).map_err(ClusterError::file("could not find", &folder))?;
        let account = Account::for_data(&home.join("data"))?;
        let made = prepare_home(&home)?;
        let installation = fitting(&home, found)?;
        if made {
            account
                .own(&home)
                .map_err(ClusterError::file("could not hand over", &home))?;
        }
        if !account.reaches(&home) {
            if made {
                // Only what was just made, and only while it is empty.
                let _ = fs::remove_dir(&home);
            }
            return Err(ClusterError::Unreachable {
                folder: home,
                account: account.name().to_owned(),
            });
        }
        let lock = lock::take(&home)?;
        let socket = socket_folder(&account)?;
        Ok(Self {
            options,
            installation,
            account,
            home,
            socket,
            lock: Some(lock),
            watchdog: None,
        })
    }

    /// Starts watchdog and server, and waits until it accepts connections.
    fn launch(&mut self) -> Result<(), ClusterError> {
        let started = Watchdog::start(
            &self.account,
            &self.home,
            self.lock.as_ref(),
            &self.arguments(),
        );
        let mut watchdog = match started {
            Ok(watchdog) => watchdog,
            Err(error) => {
                let _ = fs::remove_dir_all(&self.socket);
                return Err(error);
            }
        };
        let readiness = self.wait_until_ready(&mut watchdog);
        if readiness.is_ok() {
            self.watchdog = Some(watchdog);
        } else {
            watchdog.end();
        }
        readiness
    }

    fn wait_until_ready(&self, watchdog: &mut Watchdog) -> Result<(), ClusterError> {
        let file = self.home.join("data/postmaster.pid");
        let mut server = None;
        let mut left = READY_WITHIN;
        while !left.is_zero() {
            match watchdog.hear(POLL) {
                Some(Said::Started(number)) => server = Some(number),
                Some(Said::Gone) => {
                    return Err(ClusterError::Refused {
                        log: end_of(&self.log_path()),
                    });
                }
                None => left = left.saturating_sub(POLL),
            }
            // A file that a killed server left behind has another number.
            if let Some(number) = &server
                && let Ok(text) = fs::read_to_string(&file)
                && text.lines().next().map(str::trim) == Some(number)
                && text.lines().nth(7).map(str::trim) == Some("ready")
            {
                return Ok(());
            }
        }
        Err(self.late("ready", READY_WITHIN))
    }

    fn late(&self, state: &'static str, patience: Duration) -> ClusterError {
        ClusterError::Late {
            state,
            seconds: u32::try_from(patience.as_secs()).unwrap_or(u32::MAX),
            log: end_of(&self.log_path()),
        }
    }

    /// The watchdog's arguments: see `watchdog.sh`.
    fn arguments(&self) -> Vec<OsString> {
        let sync = if self.options.durable {
            ""
        } else {
            "--no-sync"
        };
        let mut arguments: Vec<OsString> = vec![
            self.installation.folder().into(),
            self.home.join("data").into(),
            self.log_path().into(),
            self.socket.clone().into(),
            sync.into(),
            "-k".into(),
            self.socket.clone().into(),
            "-p".into(),
            PORT.to_string().into(),
        ];
        let mut set = |setting: &str| arguments.extend(["-c".into(), setting.into()]);
        for setting in [
            "listen_addresses=",
            "unix_socket_permissions=0700",
            "max_connections=100",
            // Who connects during a shutdown and says nothing holds it up so long.
            "authentication_timeout=10s",
            "cluster_name=retentiond",
            "timezone=UTC",
            "log_timezone=UTC",
            // The log must not hold people's data: neither the statement that
            // failed, nor the row that DETAIL would show.
            "log_min_error_statement=panic",
            "log_error_verbosity=terse",
            "logging_collector=off",
        ] {
            set(setting);
        }
        if !self.options.durable {
            // synchronous_commit stays on: the program under test sets its own.
            for setting in ["fsync=off", "full_page_writes=off", "shared_buffers=32MB"] {
                set(setting);
            }
        }
        arguments
    }

    /// A URL for a database of this server, for us and for `psql`.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://{SUPERUSER}@localhost:{PORT}/{}?host={}",
            percent_encoded(database),
            percent_encoded(&self.socket.to_string_lossy()),
        )
    }

    /// Makes an empty database, and returns its URL.
    ///
    /// # Errors
    /// When there is one of that name, or the server does not answer.
    pub async fn create_database(&self, name: &str) -> Result<String, ClusterError> {
        let url = self.url(name);
        sqlx::Postgres::create_database(&url)
            .await
            .map_err(|source| ClusterError::Database {
                name: name.to_owned(),
                source: Box::new(source),
            })?;
        Ok(url)
    }

    /// The server's log. It holds no statements and no rows.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.home.join("log")
    }

    /// The folder with data and log; gone after the end where it is temporary.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.home
    }

    /// Stops the server as a crash of it would: open transactions are lost, and
    /// the next start recovers. The URLs stay valid for [`Cluster::restart`].
    ///
    /// # Errors
    /// When it does not stop in time.
    pub fn crash(&mut self) -> Result<(), ClusterError> {
        let Some(watchdog) = &mut self.watchdog else {
            return Ok(());
        };
        watchdog.order(Order::Immediate);
        if watchdog.wait_until_gone(GONE_WITHIN) {
            Ok(())
        } else {
            Err(self.late("stopped", GONE_WITHIN))
        }
    }

    /// Starts the server again on the same data and socket, after a crash or
    /// with one.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn restart(&mut self) -> Result<(), ClusterError> {
        self.crash()?;
        if let Some(mut watchdog) = self.watchdog.take() {
            watchdog.order(Order::Handover);
            watchdog.end();
        }
        self.launch()
    }

    /// Stops the server in good order, and removes a temporary folder.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(mut watchdog) = self.watchdog.take() {
            // Data that is thrown away needs no last checkpoint.
            if self.options.data_dir.is_some() {
                watchdog.order(Order::Fast);
                // One that hangs is stopped the other way by what follows.
                watchdog.wait_until_gone(GONE_WITHIN);
            }
            watchdog.end();
        }
        self.lock = None;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end();
    }
}

/// The one server of a test binary: temporary, not durable, started by the first
/// test that asks. Statics are never dropped; its watchdog stops it when the
/// binary ends.
///
/// # Errors
/// What the first start said, to every test that asks.
pub fn shared() -> Result<&'static Cluster, &'static ClusterError> {
    static SHARED: OnceLock<Result<Cluster, ClusterError>> = OnceLock::new();
    SHARED
        .get_or_init(|| Cluster::start(ClusterOptions::default()))
        .as_ref()
}

fn first(found: Vec<Installation>) -> Result<Installation, ClusterError> {
    found
        .into_iter()
        .next()
        .ok_or(ClusterError::NoServer { looked: Vec::new() })
}

/// The installation that can read the data in `home`, if there is any yet.
fn fitting(home: &Path, found: Vec<Installation>) -> Result<Installation, ClusterError> {
    let Ok(text) = fs::read_to_string(home.join("data/PG_VERSION")) else {
        return first(found);
    };
    let needs = text.trim().to_owned();
    let mut others = Vec::new();
    for installation in found {
        match installation.major_version() {
            Some(version) if version == needs => return Ok(installation),
            Some(version) => others.push(version),
            None => {}
        }
    }
    Err(ClusterError::OtherVersion {
        folder: home.to_path_buf(),
        needs,
        found: others.join(", "),
    })
}

/// Makes the folder, or accepts it if it is empty or holds a cluster of ours.
/// Says whether it is ours to hand over: made just now, or empty.
fn prepare_home(home: &Path) -> Result<bool, ClusterError> {
    let mut maker = DirBuilder::new();
    maker.mode(0o700);
    match maker.create(home) {
        Ok(()) => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(ClusterError::file("could not make", home)(error)),
    }
    let entries = fs::read_dir(home).map_err(ClusterError::file("could not read", home))?;
    let names: Vec<OsString> = entries
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<_, _>>()
        .map_err(ClusterError::file("could not read", home))?;
    let ours = ["data", "data.new", "lock", "log"];
    if names
        .iter()
        .all(|name| ours.iter().any(|known| name == known))
    {
        // Empty but for what a first start that was killed may have left.
        return Ok(!names.iter().any(|name| name == "data"));
    }
    Err(ClusterError::NotOurs {
        folder: home.to_path_buf(),
    })
}

/// A new folder whose socket's path fits the 107 bytes (103 on a Mac) that the
/// system has for it, and that only the account can enter.
fn socket_folder(account: &Account) -> Result<PathBuf, ClusterError> {
    let mut base = std::env::temp_dir();
    let plain = base.to_str().is_some_and(|text| {
        text.starts_with('/')
            && text.len() <= 60
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"/._-+".contains(&b))
    });
    if !plain {
        base = PathBuf::from("/tmp");
    }
    let mut random = [0_u8; 6];
    getrandom::fill(&mut random).map_err(|error| ClusterError::File {
        what: "could not name",
        path: base.clone(),
        source: io::Error::other(error.to_string()),
    })?;
    let folder = base.join(format!("retentiond-{}", hex::encode(random)));
    DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .map_err(ClusterError::file("could not make", &folder))?;
    account
        .own(&folder)
        .map_err(ClusterError::file("could not hand over", &folder))?;
    if account.reaches(&folder) {
        return Ok(folder);
    }
    let _ = fs::remove_dir(&folder);
    Err(ClusterError::Unreachable {
        folder,
        account: account.name().to_owned(),
    })
}

/// The last two kilobytes, from the start of a line.
fn end_of(log: &Path) -> String {
    const KEPT: u64 = 2048;
    let read = || -> io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(KEPT)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(match text.split_once('\n') {
            Some((_, whole)) if length > KEPT => whole.to_owned(),
            _ => text,
        })
    };
    read().unwrap_or_else(|error| format!("({}: {error})", log.display()))
}

/// Everything but RFC 3986's unreserved characters as `%XX`.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
