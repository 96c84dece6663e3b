//! A receiver that parts of the published log are posted to, signed as "Standard Webhooks"
//! has it: HMAC-SHA-256 over `id.timestamp.body`.
//!
//! Neither its URL nor its secret nor its answer's text stands in any error: it is called by
//! its name in the settings.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, StatusCode, redirect};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;

use super::folder::FolderError;
use super::part::Part;

/// As much of an answer is read.
const ANSWER: usize = 64 * 1024;

/// A receiver, as the settings name it.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// What it is called in the settings: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// Where it is. May hold a password.
    pub url: SecretString,
    /// The file with its secret: `whsec_` and base64, a line for each that is in use.
    pub secret_file: PathBuf,
    /// How long it has for an answer.
    pub timeout: Duration,
}

/// Why a receiver has not everything.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The secret's file cannot be read.
    #[error("its secret in {} cannot be read ({source})", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds no secret.
    #[error("{} holds no secret (each line: whsec_ and the base64 of 24 to 64 bytes)", .0.display())]
    NoSecret(PathBuf),
    /// Nothing can be sent at all.
    #[error("its URL cannot be used, or this machine has no certificates to check it with")]
    Client,
    /// No connection.
    #[error("it could not be reached ({0})")]
    Unreachable(String),
    /// No answer.
    #[error("it did not answer within {} ms", .0.as_millis())]
    Silent(Duration),
    /// It wants it elsewhere.
    #[error("it answered {0}, and redirects are not followed: correct its URL in the settings")]
    Redirected(u16),
    /// It does not take it.
    #[error("it answered {0}")]
    Answered(u16),
    /// It has another log under this name.
    #[error(
        "it REFUSES THE CHECKPOINT of {0} entries, for it has another root for that size: keep its \
         copy, run `retentiond ledger verify` with a checkpoint of that copy, and ask whoever looks after both"
    )]
    SecondRoot(u64),
    /// What was published cannot be read.
    #[error("what was published cannot be read: {0}")]
    Folder(#[from] FolderError),
    /// What it has cannot be noted.
    #[error("what it has cannot be noted in the state: {0}")]
    Position(FolderError),
}

/// What a receiver may say of the log that it has.
#[derive(Deserialize)]
struct Head {
    size: u64,
    root: String,
}

/// A receiver that can be sent to.
#[derive(Debug)]
pub(super) struct Sender {
    client: Client,
    url: Url,
    secrets: Vec<Zeroizing<Vec<u8>>>,
}

impl Sender {
    pub(super) fn new(webhook: &Webhook) -> Result<Self, WebhookError> {
        // Where a program has installed one, this does nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = Url::parse(webhook.url.expose_secret()).map_err(|_| WebhookError::Client)?;
        let mut client = Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            .user_agent(concat!("retentiond/", env!("CARGO_PKG_VERSION")));
        if url.scheme() == "http" {
            // Only this machine is spoken to in the clear, and no proxy between.
            client = client.no_proxy();
        }
        Ok(Self {
            client: client.build().map_err(|_| WebhookError::Client)?,
            url,
            secrets: secrets(&webhook.secret_file)?,
        })
    }

    /// Posts a part. It was taken if this answers at all.
    pub(super) async fn post(
        &self,
        part: Part,
        timestamp: i64,
        patience: Duration,
    ) -> Result<(), WebhookError> {
        let id = id(&part);
        let checkpoint = part.checkpoint;
        let (status, body) = self.send(&id, part.body, timestamp, patience).await?;
        if status == StatusCode::CONFLICT {
            return Err(WebhookError::SecondRoot(checkpoint.size));
        }
        if let Ok(head) = serde_json::from_slice::<Head>(&body)
            && head.size == checkpoint.size
            && head.root != BASE64.encode(checkpoint.root)
        {
            return Err(WebhookError::SecondRoot(checkpoint.size));
        }
        taken(status)
    }

    /// Sends a body under an id, and has the answer.
    async fn send(
        &self,
        id: &str,
        body: Vec<u8>,
        timestamp: i64,
        patience: Duration,
    ) -> Result<(StatusCode, Vec<u8>), WebhookError> {
        let signatures: Vec<String> = self
            .secrets
            .iter()
            .map(|secret| signature(secret, id, timestamp, &body))
            .collect();
        let asked = self
            .client
            .post(self.url.clone())
            .timeout(patience)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", signatures.join(" "))
            .body(body)
            .send()
            .await;
        let mut answer = asked.map_err(|error| unsent(&error, patience))?;
        let status = answer.status();
        let mut said = Vec::new();
        while said.len() < ANSWER
            && let Some(more) = answer
                .chunk()
                .await
                .map_err(|error| unsent(&error, patience))?
        {
            said.extend_from_slice(&more);
        }
        Ok((status, said))
    }
}

/// Whether an answer says that it was taken.
fn taken(status: StatusCode) -> Result<(), WebhookError> {
    match status.as_u16() {
        200..=299 => Ok(()),
        code @ 300..=399 => Err(WebhookError::Redirected(code)),
        code => Err(WebhookError::Answered(code)),
    }
}

impl Webhook {
    /// Posts something that is no part of the log, signed in the same way. The id is the same
    /// at each try, so that the receiver can drop repetitions.
    ///
    /// # Errors
    /// When it was not taken, without its URL, its secret or its answer's text.
    pub async fn tell(&self, id: &str, body: Vec<u8>, timestamp: i64) -> Result<(), WebhookError> {
        let sender = Sender::new(self)?;
        let (status, _) = sender.send(id, body, timestamp, self.timeout).await?;
        taken(status)
    }
}

/// The same for the same part of the same log, so that repetitions can be dropped.
fn id(part: &Part) -> String {
    let origin = &part.checkpoint.origin;
    let log = origin.rsplit('/').next().unwrap_or(origin);
    let (from, until, size) = (part.from, part.until, part.checkpoint.size);
    format!("{log}_{from}_{until}_{size}")
}

fn signature(secret: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    // At most as long as a block, which `secrets` sees to.
    for (to, from) in block.iter_mut().zip(secret) {
        *to = *from;
    }
    let mut mac = Hmac::<Sha256>::new(&block);
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
}

fn secrets(path: &Path) -> Result<Vec<Zeroizing<Vec<u8>>>, WebhookError> {
    let read = std::fs::read_to_string(path).map_err(|source| WebhookError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let text = Zeroizing::new(read);
    let none = || WebhookError::NoSecret(path.to_owned());
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let secrets: Vec<_> = lines
        .map(|line| {
            let bytes = line
                .strip_prefix("whsec_")
                .and_then(|text| BASE64.decode(text).ok())
                .map(Zeroizing::new);
            bytes
                .filter(|bytes| (24..=64).contains(&bytes.len()))
                .ok_or_else(none)
        })
        .collect::<Result<_, _>>()?;
    if secrets.is_empty() {
        return Err(none());
    }
    Ok(secrets)
}

/// The last cause alone, which is the system's: what stands before it may have the URL.
fn unsent(error: &reqwest::Error, patience: Duration) -> WebhookError {
    if error.is_timeout() {
        return WebhookError::Silent(patience);
    }
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause.and_then(std::error::Error::source) {
        cause = Some(next);
    }
    let words = cause.map_or_else(|| "the connection broke".to_owned(), ToString::to_string);
    let words = words.split(" (os error ").next().unwrap_or(&words);
    WebhookError::Unreachable(words.to_owned())
}

/// Which receiver it is, without what may be secret in its URL.
pub(super) fn receiver(url: &SecretString) -> String {
    let plain = Url::parse(url.expose_secret()).map_or_else(
        |_| String::new(),
        |mut url| {
            let _ = (url.set_username(""), url.set_password(None));
            url.set_query(None);
            url.set_fragment(None);
            url.to_string()
        },
    );
    hex::encode(Sha256::digest(plain))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The example that the libraries of Standard Webhooks are tested with.
    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        let secret = BASE64.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(
            &secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_token_in_a_url_may_change_without_making_another_receiver() {
        let of = |url: &str| receiver(&SecretString::from(url));
        assert_eq!(of("https://a:b@h/x?token=1"), of("https://c:d@h/x?token=2"));
        assert_ne!(of("https://h/x"), of("https://h/y"));
    }
}
