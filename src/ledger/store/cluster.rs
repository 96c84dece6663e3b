//! Which server and which database the log is in, for whoever wonders why it changed.

use std::fmt;

use sqlx::{PgConnection, Row};

/// Asked of a server that writes, of a standby it is an error.
pub(super) const CLUSTER: &str = "\
SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system,
       substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline,
       oid::text AS database
FROM pg_database
WHERE datname = current_database()";

/// A server, the timeline that it writes, and a database of it. A replica that was promoted
/// has another timeline, a restored dump another database, a new server another identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    system: String,
    timeline: String,
    database: String,
}

impl Cluster {
    /// Where the connection leads to; `None` if the server does not say.
    pub async fn of(conn: &mut PgConnection) -> Option<Self> {
        // A hint and no more: not worth an error.
        let row = sqlx::query(CLUSTER).fetch_one(conn).await.ok()?;
        Some(Self {
            system: row.try_get("system").ok()?,
            timeline: row.try_get("timeline").ok()?,
            database: row.try_get("database").ok()?,
        })
    }

    /// What differs in `other`, in words.
    #[must_use]
    pub fn changed(&self, other: &str) -> &'static str {
        let mut lines = other.lines();
        let mut same = |name: &str, value: &str| {
            lines.next().and_then(|line| line.strip_prefix(name)) == Some(value)
        };
        match (
            same("system ", &self.system),
            same("timeline ", &self.timeline),
            same("database ", &self.database),
        ) {
            (false, _, _) => "another server",
            (_, false, _) => "another timeline: a replica was promoted, or a backup recovered",
            _ => "another database of the same server",
        }
    }
}

impl fmt::Display for Cluster {
    /// As it stands in the published folder.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "system {}\ntimeline {}\ndatabase {}",
            self.system, self.timeline, self.database
        )
    }
}
