//! Where the server's programs are on this machine.
//!
//! Nothing is downloaded, and nothing is asked of a running server: only
//! folders are looked into.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::ClusterError;

/// Folders of one version each, which no `PATH` names: the part before the
/// version, and the part after it. Debian, Fedora's own and the project's
/// packages for it, SUSE, Alpine, Homebrew on both kinds of Mac, `Postgres.app`.
const VERSIONED: [(&str, &str); 8] = [
    ("/usr/lib/postgresql/", "/bin"),
    ("/usr/pgsql-", "/bin"),
    ("/usr/lib64/pgsql/postgresql-", "/bin"),
    ("/usr/lib/postgresql", "/bin"),
    ("/usr/libexec/postgresql", ""),
    ("/opt/homebrew/opt/postgresql@", "/bin"),
    ("/usr/local/opt/postgresql@", "/bin"),
    ("/Applications/Postgres.app/Contents/Versions/", "/bin"),
];

/// A folder that holds `initdb` and `postgres`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    folder: PathBuf,
}

impl Installation {
    /// All that were found, the preferred one first.
    ///
    /// `chosen` is the value of `PG_BIN`: where it is given, nothing else is
    /// looked at, so that a mistake in it is seen. `path` is the value of `PATH`.
    ///
    /// # Errors
    /// [`ClusterError::NoServer`] with every folder that was looked into.
    pub fn find(chosen: Option<&OsStr>, path: Option<&OsStr>) -> Result<Vec<Self>, ClusterError> {
        let looked = match chosen {
            Some(folder) => vec![PathBuf::from(folder)],
            None => usual_places(path),
        };
        let mut found: Vec<Self> = Vec::new();
        for place in &looked {
            if let Some(installation) = Self::at(place)
                && !found.contains(&installation)
            {
                found.push(installation);
            }
        }
        if found.is_empty() {
            return Err(ClusterError::NoServer { looked });
        }
        Ok(found)
    }

    /// The installation whose programs, or links to them, are in `place`.
    fn at(place: &Path) -> Option<Self> {
        if !is_program(&place.join("initdb")) {
            return None;
        }
        // `PATH` may hold links: the programs look for their neighbours beside
        // the file that they really are.
        let server = fs::canonicalize(place.join("postgres")).ok()?;
        let folder = server.parent()?.to_path_buf();
        (is_program(&server) && is_program(&folder.join("initdb"))).then_some(Self { folder })
    }

    /// The folder that holds the programs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The major version, as a data folder's `PG_VERSION` has it: `15`.
    #[must_use]
    pub fn major_version(&self) -> Option<String> {
        // postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
        let output = Command::new(self.folder.join("postgres"))
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let number = text.split_whitespace().nth(2)?;
        let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
        (!digits.is_empty()).then_some(digits)
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

fn usual_places(path: Option<&OsStr>) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = path
        .map(|path| std::env::split_paths(path).collect())
        .unwrap_or_default();
    places.retain(|place| place.is_absolute());
    places.extend(from_pg_config());
    for (before, after) in VERSIONED {
        places.extend(versions_of(before, after));
    }
    places.push(PathBuf::from("/usr/local/pgsql/bin"));
    places
}

/// Debian's `pg_config` may be there without any server: it only adds a place.
fn from_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config")
        .arg("--bindir")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.trim();
    (!line.is_empty()).then(|| PathBuf::from(line))
}

/// The folders `before` + a number + `after` that exist, the highest number first.
fn versions_of(before: &str, after: &str) -> Vec<PathBuf> {
    let Some((parent, prefix)) = before.rsplit_once('/') else {
        return Vec::new();
    };
    let mut versions: Vec<u32> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            name.to_str()?.strip_prefix(prefix)?.parse().ok()
        })
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions
        .into_iter()
        .map(|version| PathBuf::from(format!("{before}{version}{after}")))
        .collect()
}
