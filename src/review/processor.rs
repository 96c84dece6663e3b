//! What a processor is told, and its word that it was done.
//!
//! A pass tells it once for a class, a trigger and a last day; a person records the answer.
//! The ledger has neither the processor's name nor a person's: it has a hash over those words,
//! whose salt lies beside them, and the SHA-256 of the document that confirms it.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Connection, PgConnection, Row};

use super::replay::{RESTORED, number};
use super::{ReviewError, Said, begin, entry, note, salt};
use crate::decisions::Epoch;
use crate::ident::ClassId;
use crate::ledger::{Action, Entry, store as ledger};
use crate::store;

/// An instruction to destroy, as a pass issues it.
#[derive(Debug, Clone, Copy)]
pub struct NewOrder<'a> {
    /// The class.
    pub class: &'a ClassId,
    /// Whose data it is.
    pub organisation: &'a str,
    /// What people call the data.
    pub title: &'a str,
    /// Who holds it.
    pub processor: &'a str,
    /// The document that orders it.
    pub authority: &'a str,
    /// Who answers for it here.
    pub owner: Option<&'a str>,
    /// The period, in words.
    pub period: Option<&'a str>,
    /// What it is counted from, and the last day; none where the controller's instruction is all.
    pub term: Option<(NaiveDate, NaiveDate)>,
    /// Whether the class waits for the controller's instruction, which is then named.
    pub is_gated: bool,
    /// Since when the data should be gone.
    pub past_from: NaiveDate,
    /// How many days late is tolerated.
    pub tolerance: u32,
    /// The last day for the answer.
    pub answer_by: NaiveDate,
    /// The day of issue in the schedule's zone.
    pub today: NaiveDate,
    /// The pass.
    pub run: i64,
    /// The version of the schedule: its semantic digest and its file's.
    pub schedule: (&'a [u8; 32], &'a [u8; 32]),
}

/// Issues an instruction to destroy; answers its number, or none where it was issued already. An
/// earlier one of the class that is still open is superseded by it.
///
/// # Errors
/// [`ReviewError::Decided`] where somebody decided something since the plan was drawn, and when
/// the database refuses.
pub async fn issue_order(
    conn: &mut PgConnection,
    new: &NewOrder<'_>,
    drawn_at: Epoch,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<Option<i64>, ReviewError> {
    let mut tx = conn.begin().await?;
    // As a batch does: no hold or pause comes between this look and the commit.
    sqlx::query(store::DECISIONS_SHARED)
        .execute(&mut *tx)
        .await?;
    if store::epoch(&mut tx).await? != drawn_at {
        return Err(ReviewError::Decided);
    }
    let instruction: Option<i64> = sqlx::query_scalar(
        "SELECT max(instruction_id) FROM retentiond.instruction
          WHERE class_id = $1 AND withdrawn_at IS NULL AND (until_on IS NULL OR until_on >= $2)",
    )
    .bind(new.class.as_str())
    .bind(new.today)
    .fetch_one(&mut *tx)
    .await?;
    let instruction = instruction.filter(|_| new.is_gated);
    let superseded: Option<i64> = sqlx::query_scalar(
        "UPDATE retentiond.processor_order SET superseded_at = $2
          WHERE class_id = $1 AND confirmed_at IS NULL AND superseded_at IS NULL RETURNING order_id",
    )
    .bind(new.class.as_str())
    .bind(now)
    .fetch_optional(&mut *tx)
    .await?;
    let salt = salt()?;
    let id: Option<i64> = sqlx::query_scalar(
        "INSERT INTO retentiond.processor_order
             (class_id, organisation, title, processor, authority, owner, period, trigger_on,
              last_day, schedule_digest, instruction_id, past_from, tolerance, run_id, issued_on,
              issued_at, answer_by, salt)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
         ON CONFLICT DO NOTHING RETURNING order_id",
    )
    .bind(new.class.as_str())
    .bind(new.organisation)
    .bind(new.title)
    .bind(new.processor)
    .bind(new.authority)
    .bind(new.owner)
    .bind(new.period)
    .bind(new.term.map(|(trigger, _)| trigger))
    .bind(new.term.map(|(_, last_day)| last_day))
    .bind(&new.schedule.0[..])
    .bind(instruction)
    .bind(new.past_from)
    .bind(i32::try_from(new.tolerance).unwrap_or(i32::MAX))
    .bind(new.run)
    .bind(new.today)
    .bind(now)
    .bind(new.answer_by)
    .bind(&salt[..])
    .fetch_optional(&mut *tx)
    .await?;
    let Some(id) = id else {
        // Another pass was quicker; what would have been superseded is not.
        tx.rollback().await?;
        return Ok(None);
    };
    let words = [
        ("processor", new.processor),
        ("title", new.title),
        ("authority", new.authority),
    ];
    let mut said = Said {
        class: Some(new.class.as_str()),
        ..Said::default()
    }
    .detail("order", id)
    .day("trigger", new.term.map(|(trigger, _)| trigger))
    .day("last-day", new.term.map(|(_, last_day)| last_day))
    .day("past-from", Some(new.past_from))
    .day("issued-on", Some(new.today))
    .day("answer-by", Some(new.answer_by))
    .words(&salt, &words);
    for (name, number) in [("instruction", instruction), ("supersedes", superseded)] {
        if let Some(number) = number {
            said = said.detail(name, number);
        }
    }
    for number in ledger::next_entry_ids(&mut tx, 1).await? {
        let mut entry = entry(number, Action::ProcessorInstructed, &said, actor, now);
        entry.run = Some(new.run);
        entry.schedule = Some(*new.schedule.0);
        entry.file = Some(*new.schedule.1);
        ledger::append(&mut tx, &entry, None).await?;
    }
    tx.commit().await?;
    Ok(Some(id))
}

/// A processor's word that it has destroyed what it was told to.
#[derive(Debug, Clone, Copy)]
pub struct NewConfirmation<'a> {
    /// The class.
    pub class: &'a ClassId,
    /// Who says so.
    pub by: &'a str,
    /// The confirmation's own reference.
    pub reference: &'a str,
    /// SHA-256 of the document's bytes, where there is one.
    pub document: Option<&'a [u8; 32]>,
}

/// Records a confirmation; answers the number of the instruction that it closes. `today` is the
/// day in the schedule's zone.
///
/// # Errors
/// [`ReviewError::NoOrder`] where nothing of the class is open, and when the database refuses.
pub async fn confirm_order(
    conn: &mut PgConnection,
    new: &NewConfirmation<'_>,
    actor: &str,
    today: NaiveDate,
    now: DateTime<Utc>,
) -> Result<i64, ReviewError> {
    let mut tx = begin(conn).await?;
    let salt = salt()?;
    let row = sqlx::query(
        "UPDATE retentiond.processor_order
            SET confirmed_by = $2, reference = $3, document = $4, recorded_by = $5,
                confirmed_at = $6, confirmed_on = $7, confirmation_salt = $8
          WHERE class_id = $1 AND confirmed_at IS NULL AND superseded_at IS NULL
         RETURNING order_id, trigger_on, last_day",
    )
    .bind(new.class.as_str())
    .bind(new.by)
    .bind(new.reference)
    .bind(new.document.map(|digest| &digest[..]))
    .bind(actor)
    .bind(now)
    .bind(today)
    .bind(&salt[..])
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else {
        return Err(ReviewError::NoOrder(new.class.to_string()));
    };
    let id: i64 = row.try_get(0)?;
    let words = [
        ("given-by", new.by),
        ("reference", new.reference),
        ("by", actor),
    ];
    let mut said = Said {
        class: Some(new.class.as_str()),
        ..Said::default()
    }
    .detail("order", id)
    .day("trigger", row.try_get(1)?)
    .day("last-day", row.try_get(2)?)
    .day("confirmed-on", Some(today))
    .words(&salt, &words);
    if let Some(document) = new.document {
        said = said.detail("document", hex::encode(document));
    }
    note(&mut tx, Action::ProcessorConfirmed, said, actor, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// The instructions to destroy and the confirmations among the entries that a restored database
/// has lost.
#[derive(Debug, Default)]
pub(super) struct LostOrders(Vec<Entry>);

impl LostOrders {
    pub(super) fn note(&mut self, entry: &Entry) {
        self.0.push(entry.clone());
    }

    /// Brings them back in their order, under their own numbers, which the letters have: or the
    /// next pass would send a second one, and what was confirmed would be missed. The log has
    /// neither names nor words.
    pub(super) async fn restore(&self, tx: &mut PgConnection) -> Result<(), ReviewError> {
        for entry in &self.0 {
            match (entry.action, number(entry, "order"), &entry.class) {
                (Action::ProcessorInstructed, Some(id), Some(class)) => {
                    issue_again(tx, entry, id, class).await?;
                }
                (_, Some(id), _) => confirm_again(tx, entry, id).await?,
                _ => {}
            }
        }
        // No later one gets the number of one that was lost, neither here nor among the
        // controller's instructions, by which is told what was issued already.
        for next in [
            "SELECT setval(pg_get_serial_sequence('retentiond.processor_order', 'order_id'), max(order_id))
               FROM retentiond.processor_order HAVING max(order_id) IS NOT NULL",
            "SELECT setval(pg_get_serial_sequence('retentiond.instruction', 'instruction_id'),
                           greatest(max(o.instruction_id), (SELECT max(instruction_id) FROM retentiond.instruction)))
               FROM retentiond.processor_order o HAVING max(o.instruction_id) IS NOT NULL",
        ] {
            if !self.0.is_empty() {
                sqlx::query(next).execute(&mut *tx).await?;
            }
        }
        Ok(())
    }
}

fn day(entry: &Entry, name: &str) -> Option<NaiveDate> {
    entry.detail.get(name).and_then(|day| day.parse().ok())
}

async fn issue_again(
    tx: &mut PgConnection,
    entry: &Entry,
    id: i64,
    class: &ClassId,
) -> Result<(), ReviewError> {
    let on = entry.at.date_naive();
    let issued_on = day(entry, "issued-on").unwrap_or(on);
    let answer_by = day(entry, "answer-by").unwrap_or(issued_on);
    let tolerance = answer_by.signed_duration_since(issued_on).num_days();
    sqlx::query(
        "UPDATE retentiond.processor_order SET superseded_at = $2
          WHERE class_id = $1 AND confirmed_at IS NULL AND superseded_at IS NULL AND order_id <> $3",
    )
    .bind(class.as_str())
    .bind(entry.at)
    .bind(id)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO retentiond.processor_order
             (order_id, class_id, organisation, title, processor, authority, trigger_on, last_day,
              schedule_digest, instruction_id, past_from, tolerance, run_id, issued_on, issued_at,
              answer_by, salt)
         OVERRIDING SYSTEM VALUE
         VALUES ($1, $2, $3, $3, $3, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, '')
         ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(class.as_str())
    .bind(RESTORED)
    .bind(day(entry, "trigger"))
    .bind(day(entry, "last-day"))
    .bind(&entry.schedule.unwrap_or_default()[..])
    .bind(number(entry, "instruction"))
    .bind(day(entry, "past-from").unwrap_or(issued_on))
    .bind(i32::try_from(tolerance).unwrap_or(0).max(0))
    .bind(entry.run)
    .bind(issued_on)
    .bind(entry.at)
    .bind(answer_by)
    .execute(tx)
    .await?;
    Ok(())
}

async fn confirm_again(tx: &mut PgConnection, entry: &Entry, id: i64) -> Result<(), ReviewError> {
    let document = entry.detail.get("document").map(hex::decode);
    sqlx::query(
        "UPDATE retentiond.processor_order
            SET confirmed_by = $2, reference = $2, recorded_by = $3, confirmed_at = $4,
                confirmed_on = $5, document = $6, confirmation_salt = '', superseded_at = NULL
          WHERE order_id = $1 AND confirmed_at IS NULL",
    )
    .bind(id)
    .bind(RESTORED)
    .bind(&entry.actor)
    .bind(entry.at)
    .bind(day(entry, "confirmed-on").unwrap_or(entry.at.date_naive()))
    .bind(document.and_then(Result::ok))
    .execute(tx)
    .await?;
    Ok(())
}
