//! Who is told what happens: by email, or by a signed webhook.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

use super::Webhook;

/// What can be told.
pub const TOPICS: [&str; 9] = [
    "summary",
    "waiting",
    "limit",
    "overdue",
    "hold",
    "checkpoint",
    "ledger",
    "failed",
    "schedule",
];

/// What is told where nothing is said: all but each publication.
fn usual() -> Vec<String> {
    let told = TOPICS.iter().filter(|topic| **topic != "checkpoint");
    told.map(|topic| (*topic).to_owned()).collect()
}

/// Who is told, by name.
#[derive(Debug, Clone, Default)]
pub struct Notices {
    pub(super) webhooks: BTreeMap<String, (Webhook, Vec<String>)>,
    pub(super) email: BTreeMap<String, Email>,
}

impl Notices {
    /// Receivers of webhooks, each with what it is told.
    #[must_use]
    pub fn webhooks(&self) -> &BTreeMap<String, (Webhook, Vec<String>)> {
        &self.webhooks
    }

    /// Receivers of email.
    #[must_use]
    pub fn email(&self) -> &BTreeMap<String, Email> {
        &self.email
    }
}

/// A mail server, and who is written to.
#[derive(Debug, Clone)]
pub struct Email {
    url: SecretString,
    from: String,
    to: String,
    user: Option<String>,
    password_file: Option<PathBuf>,
    timeout: Duration,
    on: Vec<String>,
}

impl Email {
    /// `smtps://host:port`, or `smtp://host:port`, which asks for TLS unless it is this machine.
    #[must_use]
    pub fn url(&self) -> &SecretString {
        &self.url
    }

    /// Whom it comes from.
    #[must_use]
    pub fn from(&self) -> &str {
        &self.from
    }

    /// Whom it goes to; several with commas between.
    #[must_use]
    pub fn to(&self) -> &str {
        &self.to
    }

    /// Who signs in at the server, if somebody has to.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The file with the password.
    #[must_use]
    pub fn password_file(&self) -> Option<&Path> {
        self.password_file.as_deref()
    }

    /// How long each step of the conversation may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What is told.
    #[must_use]
    pub fn on(&self) -> &[String] {
        &self.on
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawNotices {
    webhooks: BTreeMap<String, RawHook>,
    email: BTreeMap<String, RawEmail>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHook {
    url: String,
    secret_file: Option<PathBuf>,
    #[serde(default = "timeout")]
    timeout_milliseconds: u64,
    #[serde(default = "usual")]
    on: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEmail {
    url: String,
    from: String,
    to: String,
    user: Option<String>,
    password_file: Option<PathBuf>,
    #[serde(default = "timeout")]
    timeout_milliseconds: u64,
    #[serde(default = "usual")]
    on: Vec<String>,
}

fn timeout() -> u64 {
    5_000
}

impl RawNotices {
    /// Whole, since `reading` has refused what lacks something.
    pub(super) fn notices(self, environment: &BTreeMap<String, String>) -> Notices {
        let webhooks = self.webhooks.into_iter().filter_map(|(name, raw)| {
            let secret_file = raw
                .secret_file
                .or_else(|| super::webhook_credential(environment, &name))?;
            let webhook = Webhook {
                url: SecretString::from(raw.url),
                secret_file,
                timeout: Duration::from_millis(raw.timeout_milliseconds),
            };
            Some((name, (webhook, raw.on)))
        });
        let email = self.email.into_iter().map(|(name, raw)| {
            let password_file = raw
                .password_file
                .or_else(|| super::credential(environment, &format!("email.{name}")));
            let email = Email {
                url: SecretString::from(raw.url),
                from: raw.from,
                to: raw.to,
                user: raw.user,
                password_file,
                timeout: Duration::from_millis(raw.timeout_milliseconds),
                on: raw.on,
            };
            (name, email)
        });
        Notices {
            webhooks: webhooks.collect(),
            email: email.collect(),
        }
    }
}
