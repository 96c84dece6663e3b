//! Who may act on a class. [`Lease`] is a value that `enforce` demands.
//!
//! Two things make it: an advisory lock that lives as long as the holder's connection
//! (a killed holder's lease is free at once), and a token in a row, which every batch
//! checks in its own transaction (a holder that slept through its expiry finds another
//! token and stops). The token decides; the lock only saves waiting.

use std::time::Duration;

use sqlx::PgConnection;

use crate::ident::ClassId;

/// The right to act on one class, until somebody else takes it.
#[derive(Debug)]
pub struct Lease {
    class: ClassId,
    token: i64,
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another process is at work on the class.
    #[error("class `{class}` is being worked on by {holder}, which has not finished within {} s", .waited.as_secs())]
    Taken {
        /// The class.
        class: ClassId,
        /// The other process, as it named itself.
        holder: String,
        /// How long was waited.
        waited: Duration,
    },
    /// Somebody took it over meanwhile.
    #[error("the lease on class `{0}` was lost to another process")]
    Lost(ClassId),
    /// The database did not answer.
    #[error("could not take or keep the lease on class `{class}`")]
    Database {
        /// The class.
        class: ClassId,
        /// What happened.
        #[source]
        source: sqlx::Error,
    },
}

/// How long a lease lasts without being renewed, in seconds. A batch in hand keeps it
/// by locking its row, however long the batch takes.
const SECONDS: i32 = 20;
const PAUSE: Duration = Duration::from_millis(250);
const SPACE: i32 = 1_919_251_554;

impl Lease {
    /// Takes the lease on a class for the connection's session, waiting up to `wait`.
    ///
    /// # Errors
    /// [`LeaseError::Taken`] when another process still works on it after `wait`.
    pub async fn acquire(
        conn: &mut PgConnection,
        class: &ClassId,
        holder: &str,
        wait: Duration,
    ) -> Result<Self, LeaseError> {
        let failed = |source| LeaseError::Database {
            class: class.clone(),
            source,
        };
        sqlx::query("INSERT INTO retentiond.lease (class_id) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind(class.as_str())
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        let mut waited = Duration::ZERO;
        loop {
            let alone: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1, hashtext($2))")
                .bind(SPACE)
                .bind(class.as_str())
                .fetch_one(&mut *conn)
                .await
                .map_err(failed)?;
            // SKIP LOCKED: a batch in hand holds the row, so its lease is in use whatever
            // the expiry says.
            let token: Option<i64> = sqlx::query_scalar(
                "UPDATE retentiond.lease
                    SET token = token + 1, holder = $2,
                        expires_at = clock_timestamp() + make_interval(secs => $3)
                  WHERE class_id = (SELECT class_id FROM retentiond.lease
                                     WHERE class_id = $1 AND ($4 OR expires_at < clock_timestamp())
                                       FOR UPDATE SKIP LOCKED)
                RETURNING token",
            )
            .bind(class.as_str())
            .bind(holder)
            .bind(f64::from(SECONDS))
            .bind(alone)
            .fetch_optional(&mut *conn)
            .await
            .map_err(failed)?;
            if let Some(token) = token {
                return Ok(Self {
                    class: class.clone(),
                    token,
                });
            }
            if alone {
                Self::unlock(conn, class).await.map_err(failed)?;
            }
            if waited >= wait {
                let holder: Option<String> =
                    sqlx::query_scalar("SELECT holder FROM retentiond.lease WHERE class_id = $1")
                        .bind(class.as_str())
                        .fetch_one(&mut *conn)
                        .await
                        .map_err(failed)?;
                let holder = holder.unwrap_or_else(|| "another process".to_owned());
                return Err(LeaseError::Taken {
                    class: class.clone(),
                    holder,
                    waited,
                });
            }
            tokio::time::sleep(PAUSE).await;
            waited += PAUSE;
        }
    }

    /// The class it is for.
    #[must_use]
    pub fn class(&self) -> &ClassId {
        &self.class
    }

    /// What a batch compares with the row.
    #[must_use]
    pub fn token(&self) -> i64 {
        self.token
    }

    /// Puts the expiry off.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] when somebody else holds it now.
    pub async fn renew(&self, conn: &mut PgConnection) -> Result<(), LeaseError> {
        let kept = sqlx::query(
            "UPDATE retentiond.lease SET expires_at = clock_timestamp() + make_interval(secs => $3)
              WHERE class_id = $1 AND token = $2",
        )
        .bind(self.class.as_str())
        .bind(self.token)
        .bind(f64::from(SECONDS))
        .execute(conn)
        .await
        .map_err(|source| LeaseError::Database {
            class: self.class.clone(),
            source,
        })?;
        if kept.rows_affected() == 1 {
            Ok(())
        } else {
            Err(LeaseError::Lost(self.class.clone()))
        }
    }

    /// Gives it back.
    ///
    /// # Errors
    /// When the database does not answer; the lease then runs out by itself.
    pub async fn release(self, conn: &mut PgConnection) -> Result<(), LeaseError> {
        let class = self.class.clone();
        let failed = |source| LeaseError::Database {
            class: class.clone(),
            source,
        };
        sqlx::query(
            "UPDATE retentiond.lease SET holder = NULL, expires_at = '-infinity'
              WHERE class_id = $1 AND token = $2",
        )
        .bind(self.class.as_str())
        .bind(self.token)
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Self::unlock(conn, &self.class).await.map_err(failed)
    }

    async fn unlock(conn: &mut PgConnection, class: &ClassId) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT pg_advisory_unlock($1, hashtext($2))")
            .bind(SPACE)
            .bind(class.as_str())
            .execute(conn)
            .await
            .map(drop)
    }
}
