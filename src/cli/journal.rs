//! Logs in journald's own protocol, so that `journalctl` can ask for a class or a pass by
//! its field. See systemd's "Native Journal Protocol": a datagram an entry, a field a line,
//! or its length before a value of several lines.

use std::fmt::{self, Write as _};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Where journald listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// Before each of our fields, so that none is taken for one of the journal's own.
const PREFIX: &str = "RETENTIOND_";

/// Sends each event to journald.
pub(super) struct Journal {
    socket: UnixDatagram,
}

impl Journal {
    pub(super) fn connect(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Self { socket })
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut entry = Entry::default();
        event.record(&mut entry);
        let metadata = event.metadata();
        let bytes = entry.bytes(*metadata.level(), metadata.target());
        if self.socket.send(&bytes).is_err() {
            // It is too long for a datagram, or the journal has gone: the service manager
            // takes standard error to the same place.
            eprintln!("{} {}", metadata.level(), entry.line());
        }
    }
}

/// An event's message and fields, as text.
#[derive(Debug, Default)]
struct Entry {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Entry {
    /// What a person reads who asks for no field.
    fn line(&self) -> String {
        let mut line = self.message.clone();
        for (name, value) in &self.fields {
            // Writing to a string cannot fail.
            let _ = write!(line, " {name}={value}");
        }
        line
    }

    fn bytes(&self, level: Level, target: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, "MESSAGE", &self.line());
        put(&mut bytes, "PRIORITY", priority(level));
        put(&mut bytes, "SYSLOG_IDENTIFIER", "retentiond");
        put(&mut bytes, &format!("{PREFIX}EVENT"), &self.message);
        put(&mut bytes, &format!("{PREFIX}TARGET"), target);
        for (name, value) in &self.fields {
            put(
                &mut bytes,
                &format!("{PREFIX}{}", name.to_ascii_uppercase()),
                value,
            );
        }
        bytes
    }
}

/// As syslog counts.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

fn put(bytes: &mut Vec<u8>, name: &str, value: &str) {
    bytes.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        bytes.push(b'\n');
        bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        bytes.push(b'=');
    }
    bytes.extend_from_slice(value.as_bytes());
    bytes.push(b'\n');
}

impl Visit for Entry {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.note(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.note(field, value.to_owned());
    }
}

impl Entry {
    fn note(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            name => self.fields.push((name, value)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// What journald would get of some events.
    fn sent(log: impl FnOnce()) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journald = UnixDatagram::bind(&path).unwrap();
        journald.set_nonblocking(true).unwrap();
        let journal = Journal::connect(&path).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(journal), log);
        let mut buffer = vec![0; 1 << 20];
        let mut entries = Vec::new();
        while let Ok(length) = journald.recv(&mut buffer) {
            entries.push(buffer[..length].to_vec());
        }
        entries
    }

    #[test]
    fn an_event_is_a_datagram_of_its_fields() {
        let entries = sent(|| {
            tracing::warn!(target: "retentiond::test", class = "letters", deleted = 3, "class ended");
        });
        let expected = "MESSAGE=class ended class=letters deleted=3\nPRIORITY=4\n\
                        SYSLOG_IDENTIFIER=retentiond\nRETENTIOND_EVENT=class ended\n\
                        RETENTIOND_TARGET=retentiond::test\nRETENTIOND_CLASS=letters\n\
                        RETENTIOND_DELETED=3\n";
        assert_eq!(entries, [expected.as_bytes()]);
    }

    #[test]
    fn a_value_of_several_lines_has_its_length_before_it() {
        let entries = sent(|| tracing::info!(target: "t", note = "one\ntwo", "m"));
        let entry = entries[0].as_slice();
        let mut expected = b"RETENTIOND_NOTE\n\x07\0\0\0\0\0\0\0one\ntwo\n".to_vec();
        assert!(entry.ends_with(&expected), "{entry:?}");
        expected = b"MESSAGE\n\x0e\0\0\0\0\0\0\0m note=one\ntwo\n".to_vec();
        assert!(entry.starts_with(&expected), "{entry:?}");
    }

    #[test]
    fn levels_are_those_of_syslog() {
        let entries = sent(|| {
            tracing::error!("m");
            tracing::warn!("m");
            tracing::info!("m");
            tracing::debug!("m");
            tracing::trace!("m");
        });
        let priorities: Vec<String> = entries
            .iter()
            .map(|entry| String::from_utf8_lossy(entry).into_owned())
            .map(|text| text.split("PRIORITY=").nth(1).unwrap()[..1].to_owned())
            .collect();
        assert_eq!(priorities, ["3", "4", "6", "7", "7"]);
    }

    #[test]
    fn a_journal_that_is_not_there_is_an_error_at_once() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Journal::connect(&folder.path().join("socket")).is_err());
    }
}
