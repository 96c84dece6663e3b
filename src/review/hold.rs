//! What protects: holds, exemptions, restrictions, and what a reviewer keeps until a day.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::{ReviewError, Said, begin, manifest, note, salt};
use crate::ident::{ClassId, TableName};
use crate::ledger::{Action, RecordKey};

/// What sort of protection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Until its matter is over.
    Hold,
    /// Archiving in the public interest, research, statistics: without an end.
    Exemption,
    /// A person's records, not to be used and not to be disposed of.
    Restriction,
}

impl Form {
    /// Its name in our tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Exemption => "exemption",
            Self::Restriction => "restriction",
        }
    }

    /// The kinds of it.
    #[must_use]
    pub fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Hold => &[
                "litigation",
                "foi",
                "access-request",
                "safeguarding",
                "other",
            ],
            Self::Exemption => &["archiving", "research", "statistics"],
            Self::Restriction => &["restriction"],
        }
    }
}

/// What it protects.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// One record.
    Record {
        /// Its table.
        table: &'a TableName,
        /// Its key.
        key: &'a RecordKey,
    },
    /// Every record whose class names this person.
    Subject {
        /// The identifier, as the class's `subject` column has it.
        id: &'a str,
        /// Its keyed hash, which is all that the ledger has.
        hash: &'a str,
    },
    /// Every record of a class, or those for which a condition is not FALSE.
    Class {
        /// The class.
        class: &'a ClassId,
        /// Its table.
        table: &'a TableName,
        /// Its own condition, as it is now.
        claim: Option<&'a str>,
        /// The condition.
        condition: Option<&'a str>,
    },
    /// What a processor holds under a class.
    Elsewhere {
        /// The class.
        class: &'a ClassId,
    },
}

/// A hold as it is placed.
#[derive(Debug, Clone, Copy)]
pub struct NewHold<'a> {
    /// What sort it is.
    pub form: Form,
    /// What it protects.
    pub scope: Scope<'a>,
    /// One of the form's kinds.
    pub kind: &'a str,
    /// The matter that it belongs to.
    pub reference: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Who answers for it.
    pub owner: &'a str,
    /// By what law or whose decision.
    pub authority: Option<&'a str>,
    /// When somebody is to look at it again.
    pub review_on: Option<NaiveDate>,
    /// The last day that it protects, if it has one.
    pub until: Option<NaiveDate>,
    /// It protects before this day, even if it is released sooner.
    pub not_before: Option<NaiveDate>,
}

impl<'a> NewHold<'a> {
    /// A hold on one record, without an end.
    #[must_use]
    pub fn on_record(table: &'a TableName, key: &'a RecordKey, kind: &'a str) -> Self {
        Self {
            form: Form::Hold,
            scope: Scope::Record { table, key },
            kind,
            reference: "",
            reason: "",
            owner: "",
            authority: None,
            review_on: None,
            until: None,
            not_before: None,
        }
    }

    fn words(&self, actor: &'a str) -> Vec<(&'static str, &'a str)> {
        let mut words = vec![
            ("by", actor),
            ("reference", self.reference),
            ("reason", self.reason),
            ("owner", self.owner),
        ];
        words.extend(self.authority.map(|authority| ("authority", authority)));
        if let Scope::Class {
            condition: Some(condition),
            ..
        } = self.scope
        {
            words.push(("condition", condition));
        }
        words
    }
}

/// Places a hold; answers its number. It binds from the moment that this returns.
///
/// # Errors
/// When the database refuses.
pub async fn place_hold(
    conn: &mut PgConnection,
    hold: &NewHold<'_>,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<i64, ReviewError> {
    let mut tx = begin(conn).await?;
    let salt = salt()?;
    let (mut table, mut key, mut subject, mut subject_id) = (None, None, None, None);
    let (mut class, mut claim, mut condition) = (None, None, None);
    let scope = match hold.scope {
        Scope::Record {
            table: of,
            key: named,
        } => {
            (table, key) = (Some(of), Some(named.to_texts()));
            "record"
        }
        Scope::Subject { id, hash } => {
            (subject, subject_id) = (Some(id), Some(hash));
            "subject"
        }
        Scope::Class {
            class: of,
            table: on,
            claim: own,
            condition: only,
        } => {
            (class, table, claim, condition) = (Some(of.as_str()), Some(on), own, only);
            if only.is_some() { "condition" } else { "class" }
        }
        Scope::Elsewhere { class: of } => {
            class = Some(of.as_str());
            "class"
        }
    };
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO retentiond.hold
             (form, scope, table_name, key, subject, subject_id, class_id, claim, condition, kind,
              reference, reason, owner, authority, review_on, until_on, not_before, salt,
              placed_by, placed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                 $19, $20) RETURNING hold_id",
    )
    .bind(hold.form.name())
    .bind(scope)
    .bind(table.map(ToString::to_string))
    .bind(key)
    .bind(subject)
    .bind(subject_id)
    .bind(class)
    .bind(claim)
    .bind(condition)
    .bind(hold.kind)
    .bind(hold.reference)
    .bind(hold.reason)
    .bind(hold.owner)
    .bind(hold.authority)
    .bind(hold.review_on)
    .bind(hold.until)
    .bind(hold.not_before)
    .bind(&salt[..])
    .bind(actor)
    .bind(now)
    .fetch_one(&mut *tx)
    .await?;
    // So that a database that is restored from before the hold can be told which it was.
    // Where the table has no key that the hold's fits, nothing could be held by it either.
    let records = match hold.scope {
        Scope::Record { table, key } => {
            manifest(&mut tx, table, std::iter::once((key, None, None))).await?
        }
        Scope::Subject { .. } | Scope::Class { .. } | Scope::Elsewhere { .. } => None,
    };
    let mut said = Said {
        class,
        table,
        ..Said::default()
    }
    .records(records.as_ref())
    .detail("hold", id)
    .detail("form", hold.form.name())
    .detail("scope", scope)
    .detail("kind", hold.kind)
    .day("until", hold.until)
    .day("not-before", hold.not_before)
    .words(&salt, &hold.words(actor));
    if let Some(hash) = subject_id {
        said = said.detail("subject", hash);
    }
    note(&mut tx, Action::HoldPlaced, said, actor, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// Releases an open hold. One that has a day before which nothing goes protects until then.
///
/// # Errors
/// When there is none of that number, or the database refuses.
pub async fn release_hold(
    conn: &mut PgConnection,
    id: i64,
    reason: &str,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), ReviewError> {
    let mut tx = begin(conn).await?;
    let salt: Option<Vec<u8>> = sqlx::query_scalar(
        "UPDATE retentiond.hold SET released_by = $2, released_at = $3, release_reason = $4,
             subject = CASE WHEN not_before IS NULL THEN NULL ELSE subject END
          WHERE hold_id = $1 AND released_at IS NULL AND expired_at IS NULL
          RETURNING coalesce(salt, '\\x')",
    )
    .bind(id)
    .bind(actor)
    .bind(now)
    .bind(reason)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(salt) = salt else {
        return Err(ReviewError::NoHold(id));
    };
    let mut said = Said::default().detail("hold", id);
    // One that was placed before there were salts has none.
    if let Ok(salt) = <[u8; 32]>::try_from(salt) {
        said = said.words(&salt, &[("by", actor), ("reason", reason)]);
    }
    note(&mut tx, Action::HoldReleased, said, actor, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Notes the holds whose last day is over, and forgets whom holds were about that bind no
/// more; answers how many are over. `today` is the day in the schedule's zone.
///
/// # Errors
/// When the database refuses.
pub async fn note_expired(
    conn: &mut PgConnection,
    today: NaiveDate,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<u64, ReviewError> {
    let any: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM retentiond.hold
             WHERE released_at IS NULL AND expired_at IS NULL AND until_on < $1
                OR subject IS NOT NULL AND (released_at IS NOT NULL OR expired_at IS NOT NULL)
                   AND coalesce(not_before <= $1, true))",
    )
    .bind(today)
    .fetch_one(&mut *conn)
    .await?;
    if !any {
        return Ok(0);
    }
    let mut tx = begin(conn).await?;
    let over: Vec<i64> = sqlx::query_scalar(
        "UPDATE retentiond.hold SET expired_at = $2
          WHERE released_at IS NULL AND expired_at IS NULL AND until_on < $1 RETURNING hold_id",
    )
    .bind(today)
    .bind(now)
    .fetch_all(&mut *tx)
    .await?;
    sqlx::query(
        "UPDATE retentiond.hold SET subject = NULL
          WHERE subject IS NOT NULL AND (released_at IS NOT NULL OR expired_at IS NOT NULL)
            AND coalesce(not_before <= $1, true)",
    )
    .bind(today)
    .execute(&mut *tx)
    .await?;
    for id in &over {
        let said = Said::default().detail("hold", id);
        note(&mut tx, Action::HoldExpired, said, actor, now).await?;
    }
    tx.commit().await?;
    Ok(over.len() as u64)
}

/// A hold as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// Its number.
    pub hold: i64,
    /// `hold`, `exemption`, `restriction` or `keep`.
    pub form: String,
    /// `record`, `subject`, `class` or `condition`.
    pub scope: String,
    /// Its kind.
    pub kind: String,
    /// The table, where it is on one.
    pub table: Option<String>,
    /// The record's key.
    pub key: Option<Vec<String>>,
    /// The person's identifier, while it binds.
    pub subject: Option<String>,
    /// The class.
    pub class: Option<String>,
    /// The condition.
    pub condition: Option<String>,
    /// The matter.
    pub reference: String,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// By what law or whose decision.
    pub authority: Option<String>,
    /// Who placed it.
    pub placed_by: String,
    /// When.
    pub placed_at: DateTime<Utc>,
    /// When somebody is to look at it again.
    pub review_on: Option<NaiveDate>,
    /// Its last day.
    pub until: Option<NaiveDate>,
    /// It protects before this day, released or not.
    pub not_before: Option<NaiveDate>,
    /// Who released it.
    pub released_by: Option<String>,
    /// When.
    pub released_at: Option<DateTime<Utc>>,
    /// Why.
    pub release_reason: Option<String>,
    /// When it was noted that its last day is over.
    pub expired_at: Option<DateTime<Utc>>,
}

impl Hold {
    /// Whether it protects on a day.
    #[must_use]
    pub fn binds(&self, today: NaiveDate) -> bool {
        let open = self.released_at.is_none()
            && self.expired_at.is_none()
            && self.until.is_none_or(|until| until >= today);
        open || self.not_before.is_some_and(|day| day > today)
    }
}

const COLUMNS: &str = "hold_id, form, scope, kind, table_name, key, subject, class_id, condition, \
    reference, reason, owner, authority, placed_by, placed_at, review_on, until_on, not_before, \
    released_by, released_at, release_reason, expired_at";

fn read(row: &PgRow) -> Result<Hold, sqlx::Error> {
    Ok(Hold {
        hold: row.try_get(0)?,
        form: row.try_get(1)?,
        scope: row.try_get(2)?,
        kind: row.try_get(3)?,
        table: row.try_get(4)?,
        key: row.try_get(5)?,
        subject: row.try_get(6)?,
        class: row.try_get(7)?,
        condition: row.try_get(8)?,
        reference: row.try_get(9)?,
        reason: row.try_get(10)?,
        owner: row.try_get(11)?,
        authority: row.try_get(12)?,
        placed_by: row.try_get(13)?,
        placed_at: row.try_get(14)?,
        review_on: row.try_get(15)?,
        until: row.try_get(16)?,
        not_before: row.try_get(17)?,
        released_by: row.try_get(18)?,
        released_at: row.try_get(19)?,
        release_reason: row.try_get(20)?,
        expired_at: row.try_get(21)?,
    })
}

/// Every hold and exemption, or only those of some forms; the open ones first.
///
/// # Errors
/// When the database does not answer.
pub async fn holds(conn: &mut PgConnection, forms: &[Form]) -> Result<Vec<Hold>, ReviewError> {
    let names: Vec<&str> = forms.iter().map(|form| form.name()).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM retentiond.hold WHERE form = ANY ($1)
          ORDER BY released_at IS NOT NULL OR expired_at IS NOT NULL, hold_id"
    );
    let rows = crate::store::planned(&sql)
        .bind(names)
        .fetch_all(conn)
        .await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// One of them by its number.
///
/// # Errors
/// When the database does not answer.
pub async fn find_hold(conn: &mut PgConnection, id: i64) -> Result<Option<Hold>, ReviewError> {
    let sql = format!("SELECT {COLUMNS} FROM retentiond.hold WHERE hold_id = $1");
    let row = crate::store::planned(&sql)
        .bind(id)
        .fetch_optional(conn)
        .await?;
    Ok(row.as_ref().map(read).transpose()?)
}
