//! The program itself, as systemd runs it: signals, the notification socket, exit codes,
//! the log on standard error.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{self, hold_row, let_go, schedule, somebody_waits};
use crate::support;

/// Once a year: never while a test runs, or without harm.
const YEARLY: &str = "0 0 2 1 1 *";
/// Every second.
const AT_ONCE: &str = "* * * * * *";

/// A broken test ends with a failure and not never.
const PATIENCE: Duration = Duration::from_secs(60);

struct Process {
    child: Child,
    /// What the service manager is told, each message in its turn.
    told: mpsc::Receiver<String>,
    file: PathBuf,
    log: Option<JoinHandle<String>>,
    folder: TempDir,
}

fn start(url: &str, schedule: &str) -> Process {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("retention.toml");
    fs::write(&file, schedule).unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_retentiond"))
        .args(["daemon", "--schedule"])
        .arg(&file)
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", folder.path())
        .env("RETENTIOND__STATE__DIRECTORY", folder.path().join("state"))
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000")
        .env("RETENTIOND__DATABASE__URL", url)
        .env("RETENTIOND__LOG__FORMAT", "json")
        .env("RETENTIOND__THROTTLE__LOCK_TIMEOUT_MILLISECONDS", "60000")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let errors = child.stderr.take().unwrap();
    // Read all along, so that the program never waits for a full pipe.
    let log = std::thread::spawn(move || {
        let mut text = String::new();
        BufReader::new(errors).read_to_string(&mut text).unwrap();
        text
    });
    // Likewise: the system keeps no more than ten messages that nobody has read
    // (net.unix.max_dgram_qlen), and whoever sends another then waits. A service manager
    // always reads. The thread is left behind with its socket when the test ends.
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length) = socket.recv(&mut buffer) {
            let message = std::str::from_utf8(&buffer[..length]).unwrap();
            if tell.send(message.to_owned()).is_err() {
                break;
            }
        }
    });
    Process {
        child,
        told,
        file,
        log: Some(log),
        folder,
    }
}

impl Process {
    /// Waits for the next message to the service manager that begins with this.
    fn hear(&self, start: &str) -> String {
        loop {
            let message = self
                .told
                .recv_timeout(PATIENCE)
                .expect("a message comes in time");
            if message.starts_with(start) {
                return message;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its exit code, and its log line by line.
    fn end(mut self) -> (Option<i32>, Vec<Value>) {
        let status = self.child.wait().unwrap();
        let text = self.log.take().unwrap().join().unwrap();
        let lines = text
            .as_bytes()
            .lines()
            .map(|line| {
                let line = line.unwrap();
                serde_json::from_str(&line).unwrap_or(Value::String(line))
            })
            .collect();
        (status.code(), lines)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After a failed assertion; otherwise it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(self.folder.path());
    }
}

fn with<'a>(log: &'a [Value], text: &str) -> Vec<&'a Value> {
    log.iter()
        .filter(|line| {
            line["message"]
                .as_str()
                .is_some_and(|message| message.contains(text))
        })
        .collect()
}

#[tokio::test]
async fn it_is_ready_survives_a_broken_reload_feeds_the_watchdog_and_stops() {
    let url = harness::database().await;
    let process = start(&url, &schedule(YEARLY, "1 year"));
    process.hear("READY=1\n");
    process.hear("WATCHDOG=1\n");

    fs::write(&process.file, schedule(YEARLY, "1 yeer")).unwrap();
    process.signal(Signal::HUP);
    process.hear("RELOADING=1\nMONOTONIC_USEC=");
    let told = process.hear("READY=1\n");
    assert!(told.contains("RELOAD REFUSED"), "{told}");
    for _ in 0..3 {
        process.hear("WATCHDOG=1\n");
    }

    process.signal(Signal::TERM);
    process.hear("STOPPING=1\n");
    let (code, log) = process.end();
    assert_eq!(code, Some(0), "{log:?}");
    let faults = with(&log, "fault in the schedule");
    assert_eq!(faults.len(), 1, "{log:?}");
    assert_eq!(faults[0]["level"], "ERROR");
    assert_eq!(faults[0]["line"], 11);
    let expected =
        retentiond::schedule::parse(&schedule(YEARLY, "1 yeer"), "retention.toml").unwrap_err();
    assert_eq!(faults[0]["code"], expected.items[0].code.as_str());
    assert_eq!(faults[0]["fault"], expected.items[0].message);
}

#[tokio::test]
async fn it_makes_a_pass_in_its_time_and_a_stop_finishes_the_batch() {
    let url = harness::database().await;
    support::sql(
        &url,
        "INSERT INTO public.matter SELECT n, '2020-01-01' FROM generate_series(1, 3) AS n",
    )
    .await;
    let held = hold_row(&url, 2).await;
    let mut client = support::client(&url).await;
    let process = start(&url, &schedule(AT_ONCE, "1 year"));
    somebody_waits(&mut client).await;
    process.signal(Signal::TERM);
    assert_eq!(
        process.hear("STOPPING=1\n"),
        "STOPPING=1\nSTATUS=finishing the batch in hand\n"
    );
    let_go(held).await;
    let (code, log) = process.end();
    assert_eq!(code, Some(0), "{log:?}");
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM public.matter").await,
        0
    );
    let ended = with(&log, "pass ended");
    assert_eq!(ended.len(), 1, "{log:?}");
    assert_eq!(ended[0]["deleted"], 3);
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let url = harness::database().await;
    support::sql(
        &url,
        "INSERT INTO public.matter SELECT n, '2020-01-01' FROM generate_series(1, 3) AS n",
    )
    .await;
    let held = hold_row(&url, 2).await;
    let mut client = support::client(&url).await;
    let process = start(&url, &schedule(AT_ONCE, "1 year"));
    somebody_waits(&mut client).await;
    process.signal(Signal::TERM);
    process.hear("STOPPING=1\n");
    process.signal(Signal::INT);
    let (code, log) = process.end();
    assert_eq!(code, Some(130), "{log:?}");
    let_go(held).await;
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM public.matter").await,
        3
    );
}

#[tokio::test]
async fn it_is_ready_without_a_database_and_says_so() {
    // A socket's folder that nobody made.
    let process = start(
        "postgres://nobody@localhost/none?host=/nonexistent",
        &schedule(YEARLY, "1 year"),
    );
    process.hear("READY=1\n");
    let told = process.hear("STATUS=looking for a missed pass failed");
    assert!(told.contains("could not connect to the database"), "{told}");
    process.signal(Signal::TERM);
    let (code, log) = process.end();
    assert_eq!(code, Some(0), "{log:?}");
    assert_eq!(with(&log, "it will be tried again").len(), 1, "{log:?}");
}

#[tokio::test]
async fn a_broken_schedule_is_a_usage_error() {
    let process = start(
        "postgres://nobody@localhost/none?host=/nonexistent",
        &schedule(YEARLY, "1 yeer"),
    );
    let (code, log) = process.end();
    assert_eq!(code, Some(2), "{log:?}");
    assert!(format!("{log:?}").contains("1 yeer"), "{log:?}");
}
