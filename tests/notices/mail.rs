//! A mail server of one page: it takes, or refuses, and remembers what was said.

use std::sync::{Arc, Mutex};

use base64::prelude::{BASE64_STANDARD as BASE64, Engine as _};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug, Clone, Default)]
pub struct Mail {
    pub signed_in: String,
    pub to: Vec<String>,
    pub text: String,
}

#[derive(Clone)]
pub struct MailServer {
    pub url: String,
    refuses: Arc<Mutex<bool>>,
    mails: Arc<Mutex<Vec<Mail>>>,
}

impl MailServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("smtp://{}", listener.local_addr().unwrap()),
            refuses: Arc::default(),
            mails: Arc::default(),
        };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.one(BufReader::new(stream)).await });
            }
        });
        server
    }

    pub fn refuses(&self, refuses: bool) {
        *self.refuses.lock().unwrap() = refuses;
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }

    /// RFC 5321, as far as one message needs it.
    async fn one(&self, mut stream: BufReader<TcpStream>) {
        let mut mail = Mail::default();
        say(&mut stream, "220 test").await;
        loop {
            let Some(line) = hear(&mut stream).await else {
                return;
            };
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match verb {
                "EHLO" => say(&mut stream, "250-test\r\n250 AUTH PLAIN").await,
                "AUTH" => {
                    let bytes = BASE64.decode(rest.strip_prefix("PLAIN ").unwrap()).unwrap();
                    mail.signed_in = String::from_utf8(bytes).unwrap();
                    say(&mut stream, "235 welcome").await;
                }
                "RCPT" => {
                    mail.to.push(rest.strip_prefix("TO:").unwrap().to_owned());
                    say(&mut stream, "250 yes").await;
                }
                "DATA" => {
                    say(&mut stream, "354 go on").await;
                    while let Some(line) = hear(&mut stream).await
                        && line != "."
                    {
                        mail.text.push_str(&line);
                        mail.text.push('\n');
                    }
                    self.mails.lock().unwrap().push(mail.clone());
                    let refused = *self.refuses.lock().unwrap();
                    let answer = if refused { "451 Jane Roe" } else { "250 taken" };
                    say(&mut stream, answer).await;
                }
                "QUIT" => return say(&mut stream, "221 bye").await,
                _ => say(&mut stream, "250 yes").await,
            }
        }
    }
}

async fn say(stream: &mut BufReader<TcpStream>, words: &str) {
    let _ = stream
        .get_mut()
        .write_all(format!("{words}\r\n").as_bytes())
        .await;
}

async fn hear(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.unwrap_or(0);
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}
