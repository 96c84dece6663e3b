//! What the program is handed out in: each is asked of a tool that was made for it.
//! What needs a system of its own is in `scripts/package-check` and `scripts/image-check`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod containers;
mod debian;
mod units;

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn file(name: &str) -> String {
    let path = Path::new(ROOT).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Installs the programs if they are missing, once on a machine.
fn ensure(programs: &[&str]) {
    // Two installations at once would be in each other's way.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    let done = Command::new(Path::new(ROOT).join("scripts/ensure-debian-tools"))
        .args(programs)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", said(&done));
}

/// Everything that a program said.
fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
