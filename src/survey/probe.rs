//! The plan's questions about constraints, asked of the rows that are there.

use sqlx::{Connection, PgConnection, Row};

use super::{Drawn, SurveyError};
use crate::plan;
use crate::schedule::{Diagnostic, Schedule};
use crate::store;

/// Which anonymisations and unlinkings the table's own constraints would refuse. Reads
/// every row that such a class claims; in a read-only transaction, since a constraint may
/// call a function that does anything.
///
/// # Errors
/// When the database does not answer. That it refuses a question is an answer.
pub async fn probe(
    conn: &mut PgConnection,
    schedule: &Schedule,
    drawn: &Drawn,
) -> Result<Vec<Diagnostic>, SurveyError> {
    let asking = |source| SurveyError::Database {
        what: "the constraints",
        source,
    };
    let mut found = Vec::new();
    for probe in plan::probes(schedule, &drawn.catalog, &drawn.plan) {
        let mut transaction = conn.begin().await.map_err(asking)?;
        store::planned("SET TRANSACTION READ ONLY")
            .execute(&mut *transaction)
            .await
            .map_err(asking)?;
        let pad = vec![0_u8; 64];
        let answer = store::planned(&probe.sql)
            .bind(pad.as_slice())
            .bind(pad.as_slice())
            .fetch_one(&mut *transaction)
            .await;
        transaction.rollback().await.map_err(asking)?;
        match answer {
            Ok(row) => match row.try_get::<i64, _>(0).map_err(asking)? {
                0 => {}
                rows => found.push(probe.broken(rows)),
            },
            Err(sqlx::Error::Database(error)) => match error.code().as_deref() {
                // A domain's NOT NULL or CHECK.
                Some("23502" | "23514") => found.push(probe.refused()),
                _ => found.push(probe.unanswered(&store::reason(&sqlx::Error::Database(error)))),
            },
            Err(source) => return Err(asking(source)),
        }
    }
    Ok(found)
}
