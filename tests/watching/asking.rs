//! A client that asks as Prometheus, or a person with curl, would.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub text: String,
}

/// Asks once.
pub async fn get(address: SocketAddr, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head: head.to_ascii_lowercase(),
        text: text.to_owned(),
    }
}

/// A page of metrics.
#[derive(Clone)]
pub struct Page {
    pub text: String,
    samples: BTreeMap<String, f64>,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |line: &&str| !line.starts_with('#') && !line.contains("_bucket");
        let lines: Vec<&str> = self.text.lines().filter(plain).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl Page {
    pub fn of(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            (name.to_owned(), value.parse().expect("a number"))
        });
        Self {
            text: text.to_owned(),
            samples: samples.collect(),
        }
    }

    /// The value of a sample, by its name and labels as they stand on the page.
    pub fn get(&self, sample: &str) -> Option<f64> {
        self.samples.get(sample).copied()
    }

    pub fn value(&self, sample: &str) -> f64 {
        self.get(sample)
            .unwrap_or_else(|| panic!("no {sample} in\n{self:?}"))
    }

    /// The samples that begin with this, with their values.
    pub fn beginning(&self, start: &str) -> Vec<(String, f64)> {
        let begins = self
            .samples
            .iter()
            .filter(|(name, _)| name.starts_with(start));
        begins.map(|(name, value)| (name.clone(), *value)).collect()
    }

    /// By name, what the page says of its kind and its meaning.
    pub fn described(&self) -> BTreeMap<String, (String, String)> {
        let comment = |what: &str| -> BTreeMap<String, String> {
            let start = format!("# {what} ");
            let lines = self
                .text
                .lines()
                .filter_map(|line| line.strip_prefix(&start));
            lines
                .map(|line| line.split_once(' ').unwrap())
                .map(|(name, rest)| (name.to_owned(), rest.to_owned()))
                .collect()
        };
        let help = comment("HELP");
        let types = comment("TYPE").into_iter();
        types
            .map(|(name, kind)| {
                let help = help[&name].clone();
                (name, (kind, help))
            })
            .collect()
    }
}

pub async fn page(address: SocketAddr) -> Page {
    let answer = get(address, "/metrics").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    Page::of(&answer.text)
}

/// Asks until the answer is what is waited for: the figures are kept by a task of their own.
pub async fn until<T: std::fmt::Debug>(
    mut ask: impl AsyncFnMut() -> T,
    is_there: impl Fn(&T) -> bool,
) -> T {
    let begun = Instant::now();
    loop {
        let answer = ask().await;
        if is_there(&answer) {
            return answer;
        }
        // A bound, not a wait: without it a lost answer would hang the whole suite.
        assert!(begun.elapsed().as_secs() < 60, "never came: {answer:?}");
        tokio::task::yield_now().await;
    }
}

/// The page once a sample has a value.
pub async fn page_with(address: SocketAddr, sample: &str, value: f64) -> Page {
    let is_there = |page: &Page| page.get(sample) == Some(value);
    until(async || page(address).await, is_there).await
}
