//! From files and variables to one set of values, each checked where it stands.
//!
//! The `config` crate lays the layers over one another. What it does not do is
//! done before: it has no line numbers, turns one type into another silently,
//! and quotes values in its errors.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use super::SettingsError;

const PREFIX: &str = "RETENTIOND__";

/// What a key's value may be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Any text that is not empty.
    Text,
    /// A URL that things are sent to: `https`, or `http` to this machine.
    Receiver,
    /// A window of the day.
    Window,
    /// An IP address and a port, as they are: a name could be another machine tomorrow.
    Address,
    /// A path from the root on: the working directory of a service is an accident.
    Folder,
    /// A whole number within these, both included.
    Whole(i64, i64),
    /// A number within these, both included.
    Number(f64, f64),
    /// A mail server.
    Mail,
    /// Mailboxes, with commas between.
    Mailboxes,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of these words; in a variable with commas between.
    Words(&'static [&'static str]),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text that is not empty"),
            Self::Receiver => f.write_str(
                "a URL that begins with https://, or with http:// and a host of this machine (localhost, 127.0.0.1, [::1])",
            ),
            Self::Window => f.write_str("two times of a day such as 01:00-05:00"),
            Self::Address => {
                f.write_str("an IP address and a port such as 127.0.0.1:9811 or [::1]:9811")
            }
            Self::Folder => f.write_str("an absolute path"),
            Self::Whole(least, most) => write!(f, "a whole number from {least} to {most}"),
            Self::Number(least, most) => write!(f, "a number from {least} to {most}"),
            Self::Mail => f.write_str(
                "smtps:// or smtp://, a host and perhaps a port, without a user or a password",
            ),
            Self::Mailboxes => {
                f.write_str("one or more mail addresses, with commas between")
            }
            Self::Word(words) => write!(f, "one of {}", words.join(", ")),
            Self::Words(words) => write!(f, "a list of some of {}", words.join(", ")),
        }
    }
}

/// A setting: where it stands, and what it may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    section: &'static str,
    name: &'static str,
    kind: Kind,
}

impl Key {
    const fn new(section: &'static str, name: &'static str, kind: Kind) -> Self {
        Self {
            section,
            name,
            kind,
        }
    }

    /// `throttle.duty_cycle`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }
}

/// Every key but `stores.NAME.path` and those of `ledger.webhooks.NAME`, `notices.webhooks.NAME` and
/// `notices.email.NAME`.
pub const KEYS: &[Key] = &[
    Key::new("database", "url", Kind::Text),
    Key::new("database", "connect_timeout_seconds", Kind::Whole(1, 600)),
    Key::new("throttle", "duty_cycle", Kind::Number(0.01, 1.0)),
    Key::new("throttle", "batch_milliseconds", Kind::Whole(10, 10_000)),
    Key::new(
        "throttle",
        "lock_timeout_milliseconds",
        Kind::Whole(1, 60_000),
    ),
    Key::new(
        "throttle",
        "statement_timeout_milliseconds",
        Kind::Whole(100, 3_600_000),
    ),
    Key::new("throttle", "quiet", Kind::Window),
    Key::new(
        "throttle",
        "longest_transaction_seconds",
        Kind::Whole(0, 604_800),
    ),
    Key::new("throttle", "replica_lag_seconds", Kind::Whole(0, 604_800)),
    Key::new(
        "throttle",
        "archive_failing_seconds",
        Kind::Whole(0, 604_800),
    ),
    Key::new("throttle", "patience_seconds", Kind::Whole(0, 86_400)),
    Key::new("log", "format", Kind::Word(&["text", "json", "journal"])),
    Key::new(
        "log",
        "level",
        Kind::Word(&["error", "warn", "info", "debug", "trace"]),
    ),
    Key::new("ledger", "published", Kind::Folder),
    Key::new("ledger", "key_file", Kind::Folder),
    Key::new("ledger", "backups_kept_days", Kind::Whole(0, 36_500)),
    Key::new("erasure", "database_url", Kind::Text),
    Key::new("erasure", "window", Kind::Window),
    Key::new("state", "directory", Kind::Folder),
    Key::new("operators", "as_others", Kind::Text),
    Key::new("listen", "address", Kind::Address),
    Key::new("listen", "refresh_seconds", Kind::Whole(15, 3_600)),
];

/// The keys of `ledger.webhooks.NAME`.
const WEBHOOK: [(&str, Kind); 3] = [
    ("url", Kind::Receiver),
    ("secret_file", Kind::Folder),
    // Shorter than a lease, which is not renewed meanwhile.
    ("timeout_milliseconds", Kind::Whole(50, 15_000)),
];

/// The keys of `notices.webhooks.NAME`.
const NOTICE_WEBHOOK: [(&str, Kind); 4] = [
    WEBHOOK[0],
    WEBHOOK[1],
    WEBHOOK[2],
    ("on", Kind::Words(&super::TOPICS)),
];

/// The keys of `notices.email.NAME`.
const NOTICE_EMAIL: [(&str, Kind); 7] = [
    ("url", Kind::Mail),
    ("from", Kind::Mailboxes),
    ("to", Kind::Mailboxes),
    ("user", Kind::Text),
    ("password_file", Kind::Folder),
    ("timeout_milliseconds", Kind::Whole(50, 15_000)),
    ("on", Kind::Words(&super::TOPICS)),
];

/// The keys of a receiver's section.
fn receiver_keys(section: &str, sort: &str) -> Option<&'static [(&'static str, Kind)]> {
    match (section, sort) {
        ("ledger", "webhooks") => Some(&WEBHOOK),
        ("notices", "webhooks") => Some(&NOTICE_WEBHOOK),
        ("notices", "email") => Some(&NOTICE_EMAIL),
        _ => None,
    }
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On a line of a file, from 1.
    Line(PathBuf, usize),
    /// In a variable of the environment.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// One thing that is wrong, without the value itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it was written.
    pub place: Place,
    /// The key, as far as it was written.
    pub key: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a key or its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// There is no such key; the nearest there is.
    Unknown(Option<String>),
    /// The name of a store is not plain.
    StoreName,
    /// The name of a webhook is not plain.
    WebhookName,
    /// A webhook without a URL or a secret: what it lacks.
    Lacks(&'static str),
    /// It is a section, and was given a value.
    Section,
    /// What it must be.
    Value(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, key, fault } = self;
        write!(f, "{place}: ")?;
        match fault {
            Fault::Unknown(None) => write!(f, "there is no setting `{key}`"),
            Fault::Unknown(Some(near)) => {
                write!(f, "there is no setting `{key}`; did you mean `{near}`?")
            }
            Fault::StoreName => write!(
                f,
                "`{key}`: a store's name is lower-case letters, digits, `-` and `_`"
            ),
            Fault::WebhookName => write!(
                f,
                "`{key}`: a webhook's name is lower-case letters, digits, `-` and `_`"
            ),
            Fault::Lacks(what) => write!(f, "`{key}` lacks {what}"),
            Fault::Section => write!(f, "`{key}` is a section with keys of its own, not a value"),
            Fault::Value(kind) => write!(f, "`{key}` must be {kind}"),
        }
    }
}

/// What stands at a path of names.
enum Node {
    Section,
    Value(Kind),
    None(Fault),
}

fn node(path: &[String]) -> Node {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    match *names.as_slice() {
        [] | ["stores"] | ["notices"] => return Node::Section,
        [section, sort] if receiver_keys(section, sort).is_some() => return Node::Section,
        [section, sort, name, ..]
            if receiver_keys(section, sort).is_some() && !is_store_name(name) =>
        {
            return Node::None(Fault::WebhookName);
        }
        [section, sort, _] if receiver_keys(section, sort).is_some() => return Node::Section,
        [section, sort, _, key] => {
            let keys = receiver_keys(section, sort).unwrap_or_default();
            if let Some((_, kind)) = keys.iter().find(|(name, _)| *name == key) {
                return Node::Value(*kind);
            }
        }
        ["stores", name] | ["stores", name, "path"] if !is_store_name(name) => {
            return Node::None(Fault::StoreName);
        }
        ["stores", _] => return Node::Section,
        ["stores", _, "path"] => return Node::Value(Kind::Folder),
        [section] if KEYS.iter().any(|key| key.section == section) => return Node::Section,
        [section, name] => {
            let known = KEYS
                .iter()
                .find(|key| key.section == section && key.name == name);
            if let Some(key) = known {
                return Node::Value(key.kind);
            }
        }
        _ => {}
    }
    Node::None(Fault::Unknown(nearest(path)))
}

fn is_store_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

fn nearest(path: &[String]) -> Option<String> {
    let written = path.join(".");
    let mut known: Vec<String> = KEYS.iter().map(Key::path).collect();
    if let [first, name, _] = path
        && first == "stores"
    {
        known.push(format!("stores.{name}.path"));
    }
    if let [section, sort, name, _] = path {
        let keys = receiver_keys(section, sort).unwrap_or_default();
        known.extend(
            keys.iter()
                .map(|(key, _)| format!("{section}.{sort}.{name}.{key}")),
        );
    }
    if path.len() == 1 {
        known = KEYS.iter().map(|key| key.section.to_owned()).collect();
        known.push("stores".to_owned());
        known.push("notices".to_owned());
    }
    known
        .into_iter()
        .map(|key| (strsim::normalized_damerau_levenshtein(&key, &written), key))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, key)| key)
}

/// The process's environment, without what is not Unicode: no setting is.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// All layers over one another, deserialised.
pub(super) fn layered<T: DeserializeOwned>(
    usual: &[PathBuf],
    config_file: Option<&Path>,
    environment: &BTreeMap<String, String>,
) -> Result<T, SettingsError> {
    let mut collected = Collected::default();
    for path in usual {
        match fs::read_to_string(path) {
            Ok(text) => collected.file(path, &text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(unreadable(path, source)),
        }
    }
    if let Some(path) = config_file {
        let text = fs::read_to_string(path).map_err(|source| unreadable(path, source))?;
        collected.file(path, &text)?;
    }
    for (name, value) in environment {
        if let Some(rest) = name.strip_prefix(PREFIX)
            && !value.is_empty()
        {
            let path: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
            collected.variable(name, path, value);
        }
    }
    collected.webhooks(environment);
    if !collected.problems.is_empty() {
        return Err(SettingsError::Invalid(collected.problems));
    }
    // `config`'s errors quote values, so they end here.
    let mut builder = config::Config::builder();
    for (key, value, _) in collected.values {
        builder = builder
            .set_override(key, value)
            .map_err(|_| SettingsError::Contradiction)?;
    }
    builder
        .build()
        .and_then(config::Config::try_deserialize)
        .map_err(|_| SettingsError::Contradiction)
}

fn unreadable(path: &Path, source: io::Error) -> SettingsError {
    SettingsError::Unreadable {
        path: path.to_path_buf(),
        source,
    }
}

/// What was read so far: later values stand later, and win.
#[derive(Default)]
struct Collected {
    values: Vec<(String, config::Value, Place)>,
    problems: Vec<Problem>,
}

impl Collected {
    fn file(&mut self, path: &Path, text: &str) -> Result<(), SettingsError> {
        let line_of = |position: usize| {
            let before = text.as_bytes().iter().take(position);
            before.filter(|byte| **byte == b'\n').count() + 1
        };
        let table = DeTable::parse(text).map_err(|error| SettingsError::Syntax {
            path: path.to_path_buf(),
            line: line_of(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        let place = |position: usize| Place::Line(path.to_path_buf(), line_of(position));
        self.table(&mut Vec::new(), table.get_ref(), &place);
        Ok(())
    }

    fn table(
        &mut self,
        path: &mut Vec<String>,
        table: &DeTable<'_>,
        place: &impl Fn(usize) -> Place,
    ) {
        for (name, value) in table {
            path.push(name.get_ref().clone().into_owned());
            let here = place(name.span().start);
            match (node(path), value.get_ref()) {
                (Node::Section, DeValue::Table(inner)) => self.table(path, inner, place),
                (Node::Section, _) => self.problem(here, path, Fault::Section),
                (Node::None(fault), _) => self.problem(here, path, fault),
                (Node::Value(kind), value) => match from_toml(kind, value) {
                    Some(value) => self.values.push((path.join("."), value, here)),
                    None => self.problem(here, path, Fault::Value(kind.to_string())),
                },
            }
            path.pop();
        }
    }

    fn variable(&mut self, name: &str, path: Vec<String>, value: &str) {
        let here = Place::Variable(name.to_owned());
        match node(&path) {
            Node::Section => self.problem(here, &path, Fault::Section),
            Node::None(fault) => self.problem(here, &path, fault),
            Node::Value(kind) => match from_text(kind, value) {
                Some(value) => self.values.push((path.join("."), value, here)),
                None => self.problem(here, &path, Fault::Value(kind.to_string())),
            },
        }
    }

    /// Whether each receiver has all that it needs, once every layer is read.
    fn webhooks(&mut self, environment: &BTreeMap<String, String>) {
        let mut found: BTreeMap<Vec<String>, (Place, Vec<String>)> = BTreeMap::new();
        for (path, _, place) in &self.values {
            let path: Vec<&str> = path.split('.').collect();
            if let [section, sort, name, key] = *path.as_slice()
                && receiver_keys(section, sort).is_some()
            {
                let receiver = [section, sort, name].map(str::to_owned).to_vec();
                let entry = found.entry(receiver);
                let (_, has) = entry.or_insert_with(|| (place.clone(), Vec::new()));
                has.push(key.to_owned());
            }
        }
        for (path, (place, has)) in found {
            let lacks = |key: &str| !has.iter().any(|has| has == key);
            let [_, sort, name] = path.as_slice() else {
                continue;
            };
            if lacks("url") {
                self.problem(place.clone(), &path, Fault::Lacks("a `url`"));
            }
            if sort == "email" {
                for (key, words) in [("from", "a `from`"), ("to", "a `to`")] {
                    if lacks(key) {
                        self.problem(place.clone(), &path, Fault::Lacks(words));
                    }
                }
            } else if lacks("secret_file") && super::webhook_credential(environment, name).is_none()
            {
                let lacks =
                    Fault::Lacks("a `secret_file` (or the systemd credential `webhook.NAME`)");
                self.problem(place, &path, lacks);
            }
        }
    }

    fn problem(&mut self, place: Place, path: &[String], fault: Fault) {
        self.problems.push(Problem {
            place,
            key: path.join("."),
            fault,
        });
    }
}

/// The value if the kind allows it, without turning one type into another
/// (but a whole number is a number).
fn from_toml(kind: Kind, value: &DeValue<'_>) -> Option<config::Value> {
    let number = match value {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => "",
    };
    match (kind, value) {
        (
            Kind::Text
            | Kind::Receiver
            | Kind::Window
            | Kind::Address
            | Kind::Folder
            | Kind::Mail
            | Kind::Mailboxes
            | Kind::Word(_),
            DeValue::String(text),
        ) => from_text(kind, text),
        (Kind::Words(words), DeValue::Array(items)) => {
            let items = items.iter().map(|item| match item.get_ref() {
                DeValue::String(text) => Some(text.as_ref()),
                _ => None,
            });
            listed(words, items.collect::<Option<Vec<&str>>>()?)
        }
        (Kind::Whole(..), DeValue::Integer(_))
        | (Kind::Number(..), DeValue::Integer(_) | DeValue::Float(_)) => from_text(kind, number),
        _ => None,
    }
}

/// The value if the text is one of this kind.
fn from_text(kind: Kind, text: &str) -> Option<config::Value> {
    match kind {
        Kind::Text => (!text.trim().is_empty()).then(|| text.into()),
        Kind::Receiver => is_receiver(text).then(|| text.into()),
        Kind::Window => super::window(text).map(|_| text.into()),
        Kind::Address => text.parse::<SocketAddr>().ok().map(|_| text.into()),
        Kind::Folder => Path::new(text).is_absolute().then(|| text.into()),
        Kind::Mail => is_mail_server(text).then(|| text.into()),
        Kind::Mailboxes => are_mailboxes(text).then(|| text.into()),
        Kind::Word(words) => words.contains(&text).then(|| text.into()),
        Kind::Words(words) => listed(words, text.split(',').map(str::trim).collect()),
        Kind::Whole(least, most) => {
            let number: i64 = text.parse().ok()?;
            (least..=most).contains(&number).then(|| number.into())
        }
        Kind::Number(least, most) => {
            let number: f64 = text.parse().ok()?;
            (least..=most).contains(&number).then(|| number.into())
        }
    }
}

/// A list, unless it is empty or has a word that is not among them.
fn listed(words: &[&str], items: Vec<&str>) -> Option<config::Value> {
    let known = !items.is_empty() && items.iter().all(|item| words.contains(item));
    known.then(|| config::Value::from(items))
}

/// Whoever signs in is named elsewhere, so that no log or error can have a password.
fn is_mail_server(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "smtp" | "smtps")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && matches!(url.path(), "" | "/")
    })
}

fn are_mailboxes(text: &str) -> bool {
    text.parse::<lettre::message::Mailboxes>()
        .is_ok_and(|mailboxes| mailboxes.iter().next().is_some())
}

/// In the clear only to this machine.
fn is_receiver(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else {
        return false;
    };
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(url::Host::Domain(name))) => name == "localhost",
        ("http", Some(url::Host::Ipv4(address))) => address.is_loopback(),
        ("http", Some(url::Host::Ipv6(address))) => address.is_loopback(),
        _ => false,
    }
}
