//! Two programs never share one data folder: the lock, and who has it.
//!
//! The lock is the file's, not the program's: the watchdog inherits it, so that
//! it is free only when the server is gone too, also after `kill -9`.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};

use super::ClusterError;

/// How long a watchdog whose program is gone may take to stop its server.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(20);

/// Takes the lock of `folder`. Where its owner is dead and only the watchdog
/// holds on, waits for that; where the owner lives, says so at once.
///
/// # Errors
/// [`ClusterError::InUse`], or what the system says of the file.
pub(super) fn take(folder: &Path) -> Result<File, ClusterError> {
    let path = folder.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        // The folder may belong to another account, which could plant a link.
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(&path)
        .map_err(ClusterError::file("could not open", &path))?;
    let mut left = PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(source)) => {
                return Err(ClusterError::file("could not lock", &path)(source));
            }
            Err(TryLockError::WouldBlock) => {
                let process = owner(&mut file);
                if left.is_zero() || process.is_some_and(lives) {
                    return Err(ClusterError::InUse {
                        folder: folder.to_path_buf(),
                        process,
                    });
                }
                thread::sleep(PAUSE);
                left = left.saturating_sub(PAUSE);
            }
        }
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(ClusterError::file("could not write", &path))?;
    Ok(file)
}

fn owner(file: &mut File) -> Option<i32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Whether there is such a process, be it ours or not.
fn lives(process: i32) -> bool {
    Pid::from_raw(process).is_some_and(
        |pid| !matches!(test_kill_process(pid), Err(error) if error == rustix::io::Errno::SRCH),
    )
}
