//! Whom the server runs as. PostgreSQL refuses to run as root, rightly: so root
//! hands it to an account with no rights, and anyone else keeps it for himself.

use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::ClusterError;

/// Tried in this order when the program runs as root.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// The account that owns the files and runs the processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// Whoever runs this program.
    Ours,
    /// Another one, by its numbers; only root can do this.
    Other {
        /// As people know it: a name, or the number where it has none.
        name: String,
        /// Its user number, never 0.
        user: u32,
        /// Its group number.
        group: u32,
    },
}

impl Account {
    /// The account for a cluster whose data may already be in `data`, in which
    /// case it is the owner of that.
    ///
    /// # Errors
    /// When the program runs as root and there is no unprivileged account.
    pub fn for_data(data: &Path) -> Result<Self, ClusterError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Ours);
        }
        if let Ok(owned) = fs::symlink_metadata(data)
            && owned.is_dir()
            && owned.uid() != 0
        {
            return Ok(Self::Other {
                name: format!("number {}", owned.uid()),
                user: owned.uid(),
                group: owned.gid(),
            });
        }
        UNPRIVILEGED
            .into_iter()
            .find_map(Self::named)
            .ok_or(ClusterError::NoAccount)
    }

    /// Asks `id`, which also knows the accounts of a directory service.
    fn named(name: &str) -> Option<Self> {
        let number = |option: &str| -> Option<u32> {
            let output = Command::new("id")
                .args([option, name])
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .output()
                .ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse().ok()
        };
        let (user, group) = (number("-u")?, number("-g")?);
        (user != 0).then(|| Self::Other {
            name: name.to_owned(),
            user,
            group,
        })
    }

    /// The account's name, for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Ours => "this account",
            Self::Other { name, .. } => name,
        }
    }

    /// Lets `command` run as this account. The standard library drops root's
    /// supplementary groups where a user is set.
    pub(super) fn apply<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        match self {
            Self::Ours => command,
            Self::Other { user, group, .. } => command.gid(*group).uid(*user),
        }
    }

    /// Gives the account a file or folder that this program has just made.
    pub(super) fn own(&self, path: &Path) -> std::io::Result<()> {
        match self {
            Self::Ours => Ok(()),
            Self::Other { user, group, .. } => lchown(path, Some(*user), Some(*group)),
        }
    }

    /// Whether the account can write into `folder`: one that it owns may still
    /// lie in root's home, which it cannot enter.
    pub(super) fn reaches(&self, folder: &Path) -> bool {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "cd \"$1\" && test -w .", "sh"])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.apply(&mut command)
            .status()
            .is_ok_and(|status| status.success())
    }
}
