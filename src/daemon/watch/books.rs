//! What the bookkeeping in schema `retentiond` says: one look, a handful of rows, none of
//! them in an organisation's tables.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, PgConnection};

use super::super::force;
use super::super::tick::{self, CLOCK_TOLERANCE, TickError};
use crate::ident::ClassId;
use crate::ledger::publish;
use crate::schedule::Schedule;
use crate::store;
use crate::survey::{self, LedgerOverview};

/// One look.
#[derive(Debug, Clone)]
pub(super) struct Books {
    /// When.
    pub at: DateTime<Utc>,
    /// How far the database's clock is ahead; none where the time is no present.
    pub difference: Option<TimeDelta>,
    /// Why no pass may act as far as clocks go.
    pub clock: Option<String>,
    /// What is in force.
    pub force: Force,
    /// Whether the file waits for a person.
    pub waits: bool,
    /// The classes in force that dispose, and when each was last dealt with to the end.
    pub successes: BTreeMap<ClassId, Option<DateTime<Utc>>>,
    /// The ledger.
    pub ledger: LedgerOverview,
    /// Why nothing may act as far as the ledger goes.
    pub interlock: Option<String>,
    /// Files whose rows are gone and which are still to be removed.
    pub files_pending: u64,
}

/// What is in force.
#[derive(Debug, Clone)]
pub(super) enum Force {
    /// Nothing, and why.
    Nothing(String),
    /// A version.
    Version {
        /// Its semantic digest.
        digest: [u8; 32],
    },
}

/// Looks.
pub(super) async fn look(
    url: &SecretString,
    force: &force::Force,
    present: bool,
    now: DateTime<Utc>,
) -> Result<Books, TickError> {
    let mut conn = store::connect(
        url.expose_secret(),
        "retentiond/watch",
        tick::limits(&force.settings),
    )
    .await?;
    let found = with(&mut conn, force, present, now).await;
    let _ = conn.close().await;
    found
}

async fn with(
    conn: &mut PgConnection,
    force: &force::Force,
    present: bool,
    now: DateTime<Utc>,
) -> Result<Books, TickError> {
    if !store::is_migrated(conn)
        .await
        .map_err(TickError::Bookkeeping)?
    {
        return Err(TickError::NotMigrated);
    }
    let difference = match present {
        false => None,
        true => Some(
            store::clock_difference(conn, now)
                .await
                .map_err(TickError::Bookkeeping)?,
        ),
    };
    let last: Option<DateTime<Utc>> =
        sqlx::query_scalar("SELECT max(started_at) FROM retentiond.run")
            .fetch_one(&mut *conn)
            .await
            .map_err(TickError::Bookkeeping)?;
    let ahead = last.filter(|last| present && *last > now + CLOCK_TOLERANCE);
    let clock = difference
        .filter(|difference| difference.abs() > CLOCK_TOLERANCE)
        .map(TickError::Clock)
        .or_else(|| ahead.map(TickError::Backwards));
    let file = &force.schedule;
    let versions = survey::versions(conn, file).await?;
    let acting = versions.acting(file);
    let in_force = match acting {
        Some(acting) => Force::Version {
            digest: *acting.digest(),
        },
        None => Force::Nothing(not_in_force(conn, file).await?),
    };
    let known = survey::last_successes(conn).await?;
    let classes = acting.map_or(&[][..], Schedule::classes).iter();
    let successes = classes
        .filter(|class| class.dispose().is_some())
        .map(|class| {
            let id = class.id();
            (id.clone(), known.get(id.as_str()).copied())
        })
        .collect();
    let compared = publish::compare(conn, &tick::places(&force.settings)?).await;
    Ok(Books {
        at: now,
        difference,
        clock: clock.map(|error| error.to_string()),
        force: in_force,
        waits: versions.waiting(file).is_some() || acting.is_none(),
        successes,
        ledger: survey::ledger_overview(conn).await?,
        interlock: match compared {
            Ok(_) => None,
            // A connection that fails is no word about the ledger.
            Err(publish::LogError::Ledger(error)) => {
                return Err(publish::LogError::Ledger(error).into());
            }
            Err(error) => Some(error.to_string()),
        },
        files_pending: survey::files_pending(conn).await?,
    })
}

async fn not_in_force(conn: &mut PgConnection, file: &Schedule) -> Result<String, TickError> {
    let digest = *file.digest();
    Ok(match survey::last_accepted(conn).await? {
        None => TickError::NeverAccepted(digest),
        Some(_) => TickError::AcceptAgain(digest),
    }
    .to_string())
}
