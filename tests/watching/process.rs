//! The program itself, with its own clock: every metric is there, and an address that
//! cannot be had is said.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Output, Stdio};

use retentiond::daemon::METRICS;
use serde_json::Value;
use tempfile::TempDir;

use crate::asking::{self, Page, page_with};
use crate::harness::{self, schedule};
use crate::shipped::{promtool, words_compared};
use crate::support;

/// Every second.
pub const AT_ONCE: &str = "* * * * * *";
const YEARLY: &str = "0 0 2 1 1 *";

/// A class whose period is a maximum.
const PHOTOS: &str = r#"
[[class]]
id = "photos"
title = "Photos"
table = "photo"
trigger = "taken_on"
period = "4 years"
limit = "maximum"
disposal = "delete"
authority = "Tests"
"#;

/// A folder that the program runs in.
pub struct Place {
    folder: TempDir,
    url: String,
}

/// Ends with the test.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Place {
    pub fn new(url: &str, toml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("retention.toml"), toml).unwrap();
        let url = url.to_owned();
        Self { folder, url }
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_retentiond"));
        command
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env(
                "RETENTIOND__STATE__DIRECTORY",
                self.folder.path().join("state"),
            )
            .env("RETENTIOND__DATABASE__URL", &self.url)
            .env("RETENTIOND__LOG__FORMAT", "json")
            .stdin(Stdio::null());
        command
    }

    /// Starts the service, and answers where it listens.
    fn start(&self) -> (Service, SocketAddr) {
        let mut child = self
            .command(&["daemon"])
            .env("RETENTIOND__LISTEN__ADDRESS", "127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let service = Service(child);
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(errors.read_line(&mut line).unwrap() > 0, "it ended");
            let said: Value = serde_json::from_str(&line).unwrap_or_default();
            if said["message"] == "listening for requests" {
                break said["address"].as_str().unwrap().parse().unwrap();
            }
        };
        // Read all along, so that the program never waits for a full pipe.
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        (service, address)
    }
}

/// By name, kind and help of every metric.
fn all() -> BTreeMap<String, (String, String)> {
    METRICS
        .iter()
        .map(|metric| {
            let what = (metric.kind().to_owned(), metric.help.to_owned());
            (metric.name.to_owned(), what)
        })
        .collect()
}

async fn worked() -> (Place, Service, SocketAddr, Page) {
    let url = harness::database().await;
    support::sql(
        &url,
        "INSERT INTO public.matter VALUES (1, '2020-01-01');
         CREATE TABLE public.photo (id integer PRIMARY KEY, taken_on date)",
    )
    .await;
    let place = Place::new(&url, &(schedule(AT_ONCE, "1 year") + PHOTOS));
    let (service, address) = place.start();
    let disposed = "retentiond_disposed_total{class=\"matters\",action=\"deleted\"}";
    page_with(address, disposed, 1.0).await;
    let verified = place.command(&["ledger", "verify"]).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    let page = page_with(address, "retentiond_ledger_verdict{verdict=\"OK\"}", 1.0).await;
    (place, service, address, page)
}

#[tokio::test]
async fn the_page_has_every_metric_of_the_table_and_no_other() {
    let (_place, _service, address, page) = worked().await;
    assert_eq!(page.described(), all());
    let verdicts = page.beginning("retentiond_ledger_verdict");
    assert_eq!(verdicts.len(), 5);
    assert_eq!(verdicts.iter().map(|(_, value)| value).sum::<f64>(), 1.0);
    // One machine, one clock.
    let difference = page.value("retentiond_database_clock_difference_seconds");
    assert!(difference.abs() < 60.0, "{difference}");
    assert_eq!(asking::get(address, "/readyz").await.text, "ready\n");
}

#[tokio::test]
async fn promtool_accepts_the_page_and_finds_nothing_to_advise() {
    let (_place, _service, _, page) = worked().await;
    let said = promtool(&["check", "metrics"], &page.text);
    let errors = String::from_utf8(said.stderr).unwrap();
    assert_eq!((said.status.code(), errors.as_str()), (Some(0), ""));
    // That a page which is none would be found.
    let broken = page.text.replacen(" gauge\n", " gouge\n", 1);
    assert!(!promtool(&["check", "metrics"], &broken).status.success());
}

#[tokio::test]
async fn the_words_that_alerts_and_dashboard_compare_with_are_on_the_page() {
    let (_place, _service, _, page) = worked().await;
    let compared = words_compared();
    assert!(compared.len() > 10, "{compared:?}");
    for (name, labels) in compared {
        for (label, value) in labels {
            let word = format!("{label}=\"{value}\"");
            let samples = page.beginning(&format!("{name}{{"));
            assert!(
                samples.iter().any(|(sample, _)| sample.contains(&word)),
                "no {name} has {word}"
            );
        }
    }
}

#[tokio::test]
async fn an_address_that_another_process_has_is_said_and_nothing_is_started() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    // It is not asked: the address comes first.
    let place = Place::new(
        "postgres://nobody@localhost/none?host=/nonexistent",
        &schedule(YEARLY, "1 year"),
    );
    let said: Output = place
        .command(&["daemon"])
        .env("RETENTIOND__LISTEN__ADDRESS", address.to_string())
        .env("RETENTIOND__LOG__FORMAT", "text")
        .output()
        .unwrap();
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let errors = String::from_utf8(said.stderr).unwrap();
    let errors = errors
        .replace(&address.to_string(), "[address]")
        .replace(&address.port().to_string(), "[port]");
    insta::assert_snapshot!(errors, @r"
    error[R0408]: could not listen for requests on [address] (listen.address)
      because: Address already in use (os error 98)
    help: another process may have port [port]: give each service a port of its own in listen.address, or stop the other
    ");
}
