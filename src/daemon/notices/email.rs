//! A message by email: plain text, over TLS unless the server is this machine.

use std::path::PathBuf;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Mailboxes, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{SmtpTransport, Transport};
use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;
use serde_json::Value;
use url::{Host, Url};

use super::outbox::Message;
use crate::settings::Email;

/// Why a message was not sent. The server's own words may name people, and are left out.
#[derive(Debug, thiserror::Error)]
pub enum EmailError {
    /// The settings do not make a message.
    #[error("its url, from or to cannot be used: correct them in the settings")]
    Unusable,
    /// No password.
    #[error("its password in {} cannot be read ({source})", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A user without a password.
    #[error("it has a user, and no password_file (or the systemd credential `email.NAME`)")]
    NoPassword,
    /// The server does not take it.
    #[error("the mail server answered {0}")]
    Answered(String),
    /// No answer.
    #[error("the mail server did not answer in time")]
    Silent,
    /// No connection, or not the right one.
    #[error("the mail server could not be reached, or its certificate is not right")]
    Unreachable,
}

fn transport(email: &Email) -> Result<SmtpTransport, EmailError> {
    // Where a program has installed one, this does nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = Url::parse(email.url().expose_secret()).map_err(|_| EmailError::Unusable)?;
    let host = url.host_str().ok_or(EmailError::Unusable)?;
    // Of a scheme that is not special, a host is a domain in any case.
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let local = match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => false,
    };
    let tls = || TlsParameters::new(bare.to_owned()).map_err(|_| EmailError::Unusable);
    let (tls, port) = match url.scheme() {
        "smtps" => (Tls::Wrapper(tls()?), 465),
        _ if local => (Tls::None, 25),
        _ => (Tls::Required(tls()?), 587),
    };
    let mut builder = SmtpTransport::builder_dangerous(bare)
        .port(url.port().unwrap_or(port))
        .tls(tls)
        .timeout(Some(email.timeout()));
    if let Some(user) = email.user() {
        let path = email.password_file().ok_or(EmailError::NoPassword)?;
        let text = std::fs::read_to_string(path).map_err(|source| EmailError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let text = Zeroizing::new(text);
        let password = text.trim_end_matches(['\r', '\n']).to_owned();
        builder = builder.credentials(Credentials::new(user.to_owned(), password));
    }
    Ok(builder.build())
}

/// Sends it; its key is the `Message-ID`, so that repetitions can be told.
pub(super) async fn send(email: &Email, message: &Message) -> Result<(), EmailError> {
    let body: Value = serde_json::from_str(&message.body).map_err(|_| EmailError::Unusable)?;
    let words = |key: &str| body["data"][key].as_str().unwrap_or_default().to_owned();
    let from: Mailbox = email.from().parse().map_err(|_| EmailError::Unusable)?;
    let to: Mailboxes = email.to().parse().map_err(|_| EmailError::Unusable)?;
    let id = format!("<{}@{}>", message.idempotency_key, from.email.domain());
    let mut letter: MessageBuilder = lettre::Message::builder()
        .from(from)
        .subject(words("subject"))
        .message_id(Some(id))
        .date(message.created_at.into())
        .header(ContentType::TEXT_PLAIN);
    for one in to {
        letter = letter.to(one);
    }
    let letter = letter
        .body(words("text"))
        .map_err(|_| EmailError::Unusable)?;
    let transport = transport(email)?;
    // On a thread of its own: a thread that a slow server holds is no one else's.
    let sent = tokio::task::spawn_blocking(move || transport.send(&letter));
    match tokio::time::timeout(email.timeout() * 2, sent).await {
        Err(_) => Err(EmailError::Silent),
        Ok(Err(_)) => Err(EmailError::Unreachable),
        Ok(Ok(Ok(_))) => Ok(()),
        Ok(Ok(Err(error))) => Err(match error.status() {
            Some(code) => EmailError::Answered(code.to_string()),
            None if error.is_timeout() => EmailError::Silent,
            None => EmailError::Unreachable,
        }),
    }
}
