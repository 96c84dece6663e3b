//! Who may decide what. Without an operator every account of the system may everything.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, Row};

use super::{ReviewError, Said, begin, note};
use crate::ledger::Action;

/// What somebody may do. Everybody may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look.
    Viewer,
    /// Decide about what is in the queues.
    Reviewer,
    /// Place and release holds, exemptions and restrictions.
    Holds,
    /// All of that; and accept, instruct, pause, erase, and say who else may.
    Administrator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [
        Self::Viewer,
        Self::Reviewer,
        Self::Holds,
        Self::Administrator,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Reviewer => "reviewer",
            Self::Holds => "holds",
            Self::Administrator => "administrator",
        }
    }

    /// Whether whoever has it may do what asks for `needed`.
    #[must_use]
    pub fn covers(self, needed: Self) -> bool {
        self == Self::Administrator || self == needed || needed == Self::Viewer
    }
}

impl FromStr for Role {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or(())
    }
}

/// Somebody with a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operator {
    /// The name that decisions carry.
    pub name: String,
    /// What they may do.
    pub role: String,
    /// Who added them.
    pub added_by: String,
    /// When.
    pub added_at: DateTime<Utc>,
}

/// Gives somebody a role; `false` if they have it.
///
/// # Errors
/// When the database refuses.
pub async fn add_operator(
    conn: &mut PgConnection,
    name: &str,
    role: Role,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<bool, ReviewError> {
    let mut tx = begin(conn).await?;
    let added = sqlx::query(
        "INSERT INTO retentiond.operator (name, role, added_by, added_at)
         VALUES ($1, $2, $3, $4) ON CONFLICT (name, role) DO NOTHING",
    )
    .bind(name)
    .bind(role.name())
    .bind(actor)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    if added.rows_affected() == 0 {
        return Ok(false);
    }
    let said = Said::default()
        .detail("change", "added")
        .detail("role", role.name());
    note(&mut tx, Action::OperatorChanged, said, actor, now).await?;
    tx.commit().await?;
    Ok(true)
}

/// Takes a role from somebody, or every one.
///
/// # Errors
/// When they have none, when nobody could add another one afterwards, or the database refuses.
pub async fn remove_operator(
    conn: &mut PgConnection,
    name: &str,
    role: Option<Role>,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), ReviewError> {
    let mut tx = begin(conn).await?;
    let removed: Vec<String> = sqlx::query_scalar(
        "DELETE FROM retentiond.operator WHERE name = $1 AND role = coalesce($2, role)
         RETURNING role",
    )
    .bind(name)
    .bind(role.map(Role::name))
    .fetch_all(&mut *tx)
    .await?;
    if removed.is_empty() {
        return Err(ReviewError::NoOperator(name.to_owned()));
    }
    // Without any operator everybody may everything, which nobody removes the last one for.
    let left: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM retentiond.operator WHERE role = 'administrator')",
    )
    .fetch_one(&mut *tx)
    .await?;
    if !left {
        return Err(ReviewError::LastAdministrator(name.to_owned()));
    }
    for role in removed {
        let said = Said::default()
            .detail("change", "removed")
            .detail("role", role);
        note(&mut tx, Action::OperatorChanged, said, actor, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Everybody who has a role.
///
/// # Errors
/// When the database does not answer.
pub async fn operators(conn: &mut PgConnection) -> Result<Vec<Operator>, ReviewError> {
    let rows = sqlx::query(
        "SELECT name, role, added_by, added_at FROM retentiond.operator ORDER BY name, role",
    )
    .fetch_all(conn)
    .await?;
    let read = |row: &sqlx::postgres::PgRow| {
        Ok(Operator {
            name: row.try_get(0)?,
            role: row.try_get(1)?,
            added_by: row.try_get(2)?,
            added_at: row.try_get(3)?,
        })
    };
    Ok(rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?)
}

/// What somebody may do; every role while nobody is registered.
///
/// # Errors
/// When the database does not answer.
pub async fn roles_of(conn: &mut PgConnection, name: &str) -> Result<Vec<Role>, ReviewError> {
    let all = operators(conn).await?;
    if all.is_empty() {
        return Ok(Role::ALL.to_vec());
    }
    let own = all.iter().filter(|operator| operator.name == name);
    Ok(own
        .filter_map(|operator| operator.role.parse().ok())
        .collect())
}
