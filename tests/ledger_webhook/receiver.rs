//! A receiver of webhooks, written from docs/LEDGER.md: it verifies, stores and answers what a
//! test wants.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::prelude::{BASE64_STANDARD as BASE64, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

pub const SECRET: &[u8] = b"a secret of thirty-two bytes, ok";

/// How it answers.
#[derive(Clone)]
pub enum Mood {
    Takes,
    Says(u16, String),
    /// Reads, and never answers.
    Hangs,
}

pub struct Request {
    pub id: String,
    pub body: String,
}

#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    pub mood: Arc<Mutex<Mood>>,
    pub requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            url: format!(
                "http://127.0.0.1:{}/log?token=hunter2",
                listener.local_addr().unwrap().port()
            ),
            mood: Arc::new(Mutex::new(Mood::Takes)),
            requests: Arc::default(),
        };
        let serving = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.one(BufReader::new(stream)).await });
            }
        });
        receiver
    }

    pub fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub fn ids(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|request| request.id.clone()).collect()
    }

    async fn one(&self, mut stream: BufReader<tokio::net::TcpStream>) {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            if line.trim().is_empty() {
                break;
            }
            lines.push(line.trim().to_owned());
        }
        let header = |name: &str| {
            let found = lines.iter().filter_map(|line| line.split_once(": "));
            let mut found = found.filter(|(key, _)| key.eq_ignore_ascii_case(name));
            found
                .next()
                .unwrap_or_else(|| panic!("no {name}"))
                .1
                .to_owned()
        };
        assert_eq!(lines[0], "POST /log?token=hunter2 HTTP/1.1");
        assert_eq!(header("content-type"), "application/json");
        let mut body = vec![0; header("content-length").parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
        mac.update(
            [id.as_bytes(), b".", at.as_bytes(), b".", &body]
                .concat()
                .as_slice(),
        );
        let expected = format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()));
        assert_eq!(header("webhook-signature"), expected);
        let mood = self.mood.lock().unwrap().clone();
        let body = String::from_utf8(body).unwrap();
        self.requests.lock().unwrap().push(Request { id, body });
        let (code, text) = match mood {
            Mood::Takes => (204, String::new()),
            Mood::Says(code, text) => (code, text),
            Mood::Hangs => std::future::pending().await,
        };
        let answer = format!(
            "HTTP/1.1 {code} X\r\nlocation: /elsewhere\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{text}",
            text.len()
        );
        stream.get_mut().write_all(answer.as_bytes()).await.unwrap();
    }

    /// Lays what came down as a published folder, each id once and each entry in its place.
    pub fn lay_down(&self, folder: &Path) {
        let mut seen = BTreeSet::new();
        let mut next = 0;
        for request in self.requests.lock().unwrap().iter() {
            if !seen.insert(request.id.clone()) {
                continue;
            }
            let body: Value = serde_json::from_str(&request.body).unwrap();
            assert_eq!(body["type"], "retentiond.ledger.published");
            let data = &body["data"];
            let number = |key: &str| data[key].as_u64().unwrap();
            assert_eq!(number("from"), next, "nothing is passed over");
            next = number("until");
            let lines = |path: &Path, lines: &Value| {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                let mut file = fs::File::create(path).unwrap();
                for line in lines.as_array().unwrap() {
                    writeln!(file, "{line}").unwrap();
                }
            };
            let name = format!("{:020}.jsonl", number("from"));
            lines(&folder.join("entries").join(&name), &data["entries"]);
            for (year, records) in data["manifests"].as_object().unwrap() {
                lines(&folder.join("manifests").join(year).join(&name), records);
            }
            if number("until") == number("size") {
                let note = data["checkpoint"].as_str().unwrap();
                fs::create_dir_all(folder.join("checkpoints")).unwrap();
                fs::write(
                    folder
                        .join("checkpoints")
                        .join(format!("{:020}", number("size"))),
                    note,
                )
                .unwrap();
                fs::write(folder.join("checkpoint"), note).unwrap();
            }
        }
    }
}
