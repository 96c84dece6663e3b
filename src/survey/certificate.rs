//! What a certificate says, gathered: from the ledger, the passes' reports, the schedule as
//! it was then, and what is known of files, vacuum and backups now.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, Utc};
use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::{PgConnection, Row};

use super::SurveyError;
use super::erasure;
use super::status::bookkeeping;
use crate::catalog;
use crate::ident::{ClassId, TableName};
use crate::ledger::certificate::{
    Approval, Certificate, ClassPart, EntryPart, FilesPart, Opening, PassPart, Reasoned,
    RecordLine, ScheduleVersion, Stage, Subject, TablePart, method,
};
use crate::ledger::note::Verifier;
use crate::ledger::proof::Proof;
use crate::ledger::store::{self as ledger, Filter, StoredEntry, WithRecords};
use crate::ledger::{Action, KeyColumns, RecordKey, manifest};
use crate::schedule::{self, Class, Erasure, Schedule};

/// What a certificate is asked for.
#[derive(Debug, Clone)]
pub enum CertificateOf {
    /// A pass, perhaps only what it did under one class.
    Run(i64, Option<ClassId>),
    /// A record.
    Record(TableName, KeyColumns, RecordKey),
}

/// What whoever asks knows beside the database.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// The public keys of the log.
    pub keys: &'a [Verifier],
    /// How long backups are kept, if that is declared.
    pub backups: Option<Days>,
    /// The present.
    pub now: DateTime<Utc>,
}

/// The certificate; `None` where the ledger knows nothing of what it is asked for.
///
/// # Errors
/// When the database does not answer, or an entry cannot be read.
pub async fn certificate(
    conn: &mut PgConnection,
    of: &CertificateOf,
    beside: Beside<'_>,
) -> Result<Option<Certificate>, SurveyError> {
    let found = entries(conn, of).await?;
    let mut runs: Vec<Option<i64>> = found.iter().map(|found| found.stored.entry.run).collect();
    if let CertificateOf::Run(run, _) = of {
        let known: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM retentiond.run WHERE run_id = $1)")
                .bind(run)
                .fetch_one(&mut *conn)
                .await
                .map_err(bookkeeping)?;
        if known {
            runs.push(Some(*run));
        }
    }
    runs.sort_unstable();
    runs.dedup();
    if runs.is_empty() {
        return Ok(None);
    }
    let mut gathered = Gathered::new(conn, beside, &found).await?;
    let mut passes = Vec::new();
    for run in runs {
        let of_run: Vec<&Found> = found
            .iter()
            .filter(|found| found.stored.entry.run == run)
            .collect();
        passes.push(gathered.pass(conn, of, run, &of_run).await?);
    }
    gathered.judge_backups(&passes);
    let subject = match of {
        CertificateOf::Run(run, class) => Subject::Run {
            run: *run,
            class: class.as_ref().map(ToString::to_string),
        },
        CertificateOf::Record(table, columns, key) => Subject::Record {
            table: table.to_string(),
            key: key.to_json(columns),
        },
    };
    Ok(Some(Certificate {
        subject,
        issued: beside.now,
        organisation: gathered.organisation,
        stage: match gathered.open.is_empty() {
            true => Stage::Completed,
            false => Stage::Executed,
        },
        open: gathered.open,
        remains: gathered.remains,
        passes,
        checkpoint: gathered.checkpoint.map(|signed| signed.note),
        keys: beside.keys.iter().map(ToString::to_string).collect(),
    }))
}

/// An entry, and what is needed of its records.
struct Found {
    stored: StoredEntry,
    trigger: Option<(NaiveDate, NaiveDate)>,
    last_day: Option<(NaiveDate, NaiveDate)>,
    record: Option<RecordLine>,
}

async fn entries(conn: &mut PgConnection, of: &CertificateOf) -> Result<Vec<Found>, SurveyError> {
    let filter = match of {
        CertificateOf::Run(run, class) => Filter {
            run: Some(*run),
            class: class.clone(),
            ..Filter::default()
        },
        CertificateOf::Record(table, _, key) => Filter {
            key: Some((table.clone(), key.clone())),
            ..Filter::default()
        },
    };
    let mut rows = ledger::entries_with_records(conn, &filter).await?;
    let mut all = Vec::new();
    while let Some(row) = rows.try_next().await? {
        all.push(match of {
            CertificateOf::Run(..) => with_days(row)?,
            CertificateOf::Record(_, _, key) => with_record(row, key)?,
        });
    }
    Ok(all)
}

/// The range of the days of an entry's records.
fn with_days(row: WithRecords) -> Result<Found, SurveyError> {
    let mut found = Found {
        stored: row.entry,
        trigger: None,
        last_day: None,
        record: None,
    };
    let Some((packed, _)) = row.records else {
        return Ok(found);
    };
    let wrong = |source| {
        SurveyError::from(ledger::LedgerError::Manifest {
            entry: found.stored.entry.id,
            source,
        })
    };
    let mut records = manifest::decode(&packed).map_err(wrong)?;
    while records.advance().map_err(wrong)? {
        widen(&mut found.trigger, records.trigger().and_then(date));
        widen(&mut found.last_day, records.last_day().and_then(date));
    }
    Ok(found)
}

fn with_record(row: WithRecords, key: &RecordKey) -> Result<Found, SurveyError> {
    let id = row.entry.entry.id;
    let wrong = |source| SurveyError::from(ledger::LedgerError::Manifest { entry: id, source });
    let mut found = Found {
        stored: row.entry,
        trigger: None,
        last_day: None,
        record: None,
    };
    let Some((packed, seed)) = row.records else {
        return Ok(found);
    };
    let proof = manifest::prove(&packed, &seed, key).map_err(wrong)?.pop();
    let mut records = manifest::decode(&packed).map_err(wrong)?;
    let parents = records.header().parent_columns.clone();
    while records.advance().map_err(wrong)? {
        if records.key() != key.values() {
            continue;
        }
        let record = records.record();
        let parent = record.parent.as_ref().zip(parents.as_ref());
        found.record = Some(RecordLine {
            trigger: record.trigger.and_then(date),
            last_day: record.last_day.and_then(date),
            parent: parent.map(|(parent, columns)| parent.to_json(columns)),
            proof: proof.clone(),
        });
        widen(&mut found.trigger, record.trigger.and_then(date));
        widen(&mut found.last_day, record.last_day.and_then(date));
    }
    Ok(found)
}

fn date(days: i32) -> Option<NaiveDate> {
    NaiveDate::from_epoch_days(days)
}

fn widen(range: &mut Option<(NaiveDate, NaiveDate)>, day: Option<NaiveDate>) {
    if let Some(day) = day {
        *range = Some(range.map_or((day, day), |(first, last)| (first.min(day), last.max(day))));
    }
}

/// What is the same for all parts of a certificate, and what is still open.
struct Gathered<'a> {
    beside: Beside<'a>,
    checkpoint: Option<ledger::Signed>,
    vacuumed: BTreeMap<TableName, DateTime<Utc>>,
    organisation: Option<String>,
    open: Vec<String>,
    remains: Vec<String>,
}

impl<'a> Gathered<'a> {
    async fn new(
        conn: &mut PgConnection,
        beside: Beside<'a>,
        found: &[Found],
    ) -> Result<Self, SurveyError> {
        let tables: BTreeSet<TableName> = found
            .iter()
            .filter_map(|found| found.stored.entry.table.clone())
            .collect();
        let tables: Vec<TableName> = tables.into_iter().collect();
        let mut gathered = Self {
            beside,
            checkpoint: ledger::latest_checkpoint(conn).await?,
            vacuumed: catalog::last_vacuum(conn, &tables)
                .await
                .map_err(bookkeeping)?,
            organisation: None,
            open: Vec::new(),
            remains: Vec::new(),
        };
        let signed = gathered.checkpoint.as_ref().map_or(0, |signed| signed.size);
        let unsigned = found
            .iter()
            .filter(|found| found.stored.index.is_none_or(|index| index >= signed))
            .count();
        if unsigned > 0 {
            gathered.open.push(format!(
                "Entries that no signed checkpoint covers yet: {unsigned}. The next pass publishes one."
            ));
        }
        Ok(gathered)
    }

    async fn pass(
        &mut self,
        conn: &mut PgConnection,
        of: &CertificateOf,
        run: Option<i64>,
        found: &[&Found],
    ) -> Result<PassPart, SurveyError> {
        let row = sqlx::query(
            "SELECT started_at, finished_at, outcome, actor, report FROM retentiond.run WHERE run_id = $1",
        )
        .bind(run)
        .fetch_optional(&mut *conn)
        .await
        .map_err(bookkeeping)?;
        let digest = found.iter().find_map(|found| found.stored.entry.schedule);
        let digest = match (digest, run) {
            (None, Some(run)) => digest_of_run(conn, run).await?,
            (digest, _) => digest,
        };
        let (version, schedule) = self.version(conn, digest).await?;
        let mut part = PassPart {
            run,
            started: None,
            finished: None,
            outcome: None,
            actor: found.first().map(|found| found.stored.entry.actor.clone()),
            schedule: version,
            classes: Vec::new(),
        };
        let mut report = Value::Null;
        if let Some(row) = row {
            let column = bookkeeping;
            part.started = row.try_get("started_at").map_err(column)?;
            part.finished = row.try_get("finished_at").map_err(column)?;
            part.outcome = row.try_get("outcome").map_err(column)?;
            part.actor = row.try_get("actor").map_err(column)?;
            report = row
                .try_get::<Option<Value>, _>("report")
                .map_err(column)?
                .unwrap_or_default();
            if part.finished.is_none() {
                self.open.push(
                    "The pass is not finished, or was broken off: what it did until now is here."
                        .to_owned(),
                );
            }
        }
        for id in classes(of, found, &report) {
            let class = schedule.as_ref().and_then(|schedule| schedule.class(&id));
            let of_class: Vec<&Found> = found
                .iter()
                .filter(|found| found.stored.entry.class.as_ref() == Some(&id))
                .copied()
                .collect();
            let whole = matches!(of, CertificateOf::Run(..)).then_some(&report);
            part.classes
                .push(self.class(conn, &id, class, run, &of_class, whole).await?);
        }
        Ok(part)
    }

    /// The version of the schedule with this digest, and who accepted it.
    async fn version(
        &mut self,
        conn: &mut PgConnection,
        digest: Option<[u8; 32]>,
    ) -> Result<(Option<ScheduleVersion>, Option<Schedule>), SurveyError> {
        let Some(digest) = digest else {
            return Ok((None, None));
        };
        let row = sqlx::query(
            "SELECT v.text, v.file_digest, a.how, a.accepted_by, a.accepted_at, a.reason
             FROM retentiond.schedule_version AS v
             LEFT JOIN LATERAL (
                 SELECT how, accepted_by, accepted_at, reason FROM retentiond.acceptance
                 WHERE digest = v.digest ORDER BY acceptance_id DESC LIMIT 1
             ) AS a ON true
             WHERE v.digest = $1",
        )
        .bind(&digest[..])
        .fetch_optional(conn)
        .await
        .map_err(bookkeeping)?;
        let mut version = ScheduleVersion {
            digest: format!("sha256:{}", hex::encode(digest)),
            file: None,
            accepted: None,
            accepted_by: None,
            accepted_at: None,
            reason: None,
        };
        let Some(row) = row else {
            return Ok((Some(version), None));
        };
        let column = bookkeeping;
        let file: Vec<u8> = row.try_get("file_digest").map_err(column)?;
        version.file = Some(format!("sha256:{}", hex::encode(file)));
        version.accepted = row.try_get("how").map_err(column)?;
        version.accepted_by = row.try_get("accepted_by").map_err(column)?;
        version.accepted_at = row.try_get("accepted_at").map_err(column)?;
        version.reason = row.try_get("reason").map_err(column)?;
        let text: String = row.try_get("text").map_err(column)?;
        // A text that this program cannot read any more names no titles; what was done stands
        // in the entries all the same.
        let schedule = schedule::parse(&text, "retention.toml").ok();
        if let Some(schedule) = &schedule {
            self.organisation
                .get_or_insert_with(|| schedule.organisation().to_owned());
        }
        Ok((Some(version), schedule))
    }

    async fn class(
        &mut self,
        conn: &mut PgConnection,
        id: &ClassId,
        class: Option<&Class>,
        run: Option<i64>,
        found: &[&Found],
        report: Option<&Value>,
    ) -> Result<ClassPart, SurveyError> {
        let reported = report
            .and_then(|report| report["classes"].as_array())
            .into_iter()
            .flatten()
            .find(|reported| reported["id"] == id.as_str());
        let number = |pointer: &str| reported.and_then(|r| r.pointer(pointer)?.as_u64());
        let mut part = ClassPart {
            id: id.to_string(),
            title: class.map(|class| class.title().to_owned()),
            authority: class.map(|class| class.authority().to_owned()),
            lawful_basis: class.and_then(|class| class.lawful_basis().map(str::to_owned)),
            rule: class.map(schedule::publish::rule_in_words),
            tables: self.tables(conn, id, class, found).await?,
            approvals: approvals(conn, id, run).await?,
            held: number("/skipped/held"),
            changed: number("/skipped/changed"),
            waiting: number("/waiting"),
            conflict: number("/conflict"),
            quarantined: Vec::new(),
            failures: Vec::new(),
            files: FilesPart::default(),
            entries: Vec::new(),
        };
        let mut quarantined: BTreeMap<String, u64> = BTreeMap::new();
        for found in found {
            let entry = &found.stored.entry;
            let reason = entry.detail.get("reason").cloned().unwrap_or_default();
            match entry.action {
                Action::Quarantined => *quarantined.entry(reason).or_default() += entry.count,
                Action::Refused => part.failures.push(format!("Refused: {reason}")),
                Action::Failed => part.failures.push(format!("Failed: {reason}")),
                Action::FileRemoved => part.files.removed += entry.count.max(1),
                Action::FileKept => part.files.kept += entry.count.max(1),
                _ => {}
            }
            part.entries.push(self.entry(conn, found).await?);
        }
        part.quarantined = quarantined
            .into_iter()
            .map(|(reason, records)| Reasoned { reason, records })
            .collect();
        let ids: Vec<i64> = found.iter().map(|found| found.stored.entry.id.0).collect();
        let pending: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM retentiond.file_work WHERE entry_id = ANY ($1)",
        )
        .bind(ids)
        .fetch_one(conn)
        .await
        .map_err(bookkeeping)?;
        part.files.pending = pending.unsigned_abs();
        if pending > 0 {
            self.open.push(format!(
                "Files of class {id} that are still to be removed: {pending}."
            ));
        }
        Ok(part)
    }

    async fn tables(
        &mut self,
        conn: &mut PgConnection,
        id: &ClassId,
        class: Option<&Class>,
        found: &[&Found],
    ) -> Result<Vec<TablePart>, SurveyError> {
        let mut parts: Vec<TablePart> = Vec::new();
        for found in found {
            let entry = &found.stored.entry;
            let leaves_versions = matches!(entry.action, Action::Deleted | Action::Anonymised);
            let done =
                leaves_versions || matches!(entry.action, Action::Flagged | Action::Unlinked);
            let (Some(table), true) = (&entry.table, done) else {
                continue;
            };
            let parent = entry.parent.as_ref().map(ToString::to_string);
            let vacuumed = self
                .vacuumed
                .get(table)
                .copied()
                .filter(|vacuumed| leaves_versions && *vacuumed > entry.at);
            let records = match &found.record {
                Some(_) => 1,
                None => entry.count,
            };
            let same = parts.iter_mut().find(|part| {
                part.table == table.to_string()
                    && part.action == entry.action.name()
                    && part.parent == parent
            });
            match same {
                Some(part) => {
                    part.records += records;
                    for (range, more) in [
                        (&mut part.trigger, found.trigger),
                        (&mut part.last_day, found.last_day),
                    ] {
                        if let Some((first, last)) = more {
                            widen(range, Some(first));
                            widen(range, Some(last));
                        }
                    }
                    // As late as the last of the deletions asks.
                    part.vacuumed = part.vacuumed.and(vacuumed);
                }
                None => parts.push(TablePart {
                    table: table.to_string(),
                    action: entry.action.name().to_owned(),
                    method: method(entry.action.name()).to_owned(),
                    parent,
                    records,
                    trigger: found.trigger,
                    last_day: found.last_day,
                    vacuumed,
                    erased: None,
                }),
            }
        }
        self.files_of(conn, id, class, found, &mut parts).await?;
        Ok(parts)
    }

    /// What is left in the tables' files.
    async fn files_of(
        &mut self,
        conn: &mut PgConnection,
        id: &ClassId,
        class: Option<&Class>,
        found: &[&Found],
        parts: &mut [TablePart],
    ) -> Result<(), SurveyError> {
        let secure = class
            .and_then(Class::dispose)
            .is_some_and(|dispose| dispose.erasure == Erasure::Secure);
        let mut told: BTreeSet<String> = BTreeSet::new();
        for part in parts {
            let touches = matches!(part.action.as_str(), "deleted" | "anonymised" | "unlinked");
            let last = found
                .iter()
                .map(|found| &found.stored.entry)
                .filter(|entry| {
                    entry.action.name() == part.action
                        && entry
                            .table
                            .as_ref()
                            .is_some_and(|t| t.to_string() == part.table)
                })
                .max_by_key(|entry| entry.id);
            let (Some(last), true) = (last, touches) else {
                continue;
            };
            let Some(table) = &last.table else { continue };
            let erased = erasure::erased_since(conn, id, table, last.id).await?;
            let open = match &erased {
                Some(erased) => {
                    part.erased = Some(erased.at);
                    if told.insert(part.table.clone()) {
                        self.remains.extend(erasure::remains(
                            &part.table,
                            erased,
                            last.at.date_naive(),
                            self.beside.backups,
                        ));
                    }
                    continue;
                }
                None if secure => format!(
                    "{}, whose class asks for secure erasure, was not rewritten since: what went may still be in its files.",
                    part.table
                ),
                None if part.action == "unlinked" || part.vacuumed.is_some() => continue,
                None => format!(
                    "{} was not vacuumed since: dead row versions may still be in its files.",
                    part.table
                ),
            };
            if !self.open.contains(&open) {
                self.open.push(open);
            }
        }
        Ok(())
    }

    async fn entry(
        &self,
        conn: &mut PgConnection,
        found: &Found,
    ) -> Result<EntryPart, SurveyError> {
        let stored = &found.stored;
        let proof = match (&self.checkpoint, stored.index) {
            (Some(signed), Some(index)) if index < signed.size => Some(
                Proof {
                    extra: found
                        .record
                        .as_ref()
                        .and_then(|record| record.proof.as_ref())
                        .and_then(|proof| serde_json::to_vec(proof).ok()),
                    index,
                    path: ledger::inclusion(conn, index, signed.size).await?,
                    checkpoint: signed.note.clone(),
                }
                .to_string(),
            ),
            _ => None,
        };
        Ok(EntryPart {
            entry: stored.index,
            at: stored.entry.at,
            action: stored.entry.action.name().to_owned(),
            table: stored.entry.table.as_ref().map(ToString::to_string),
            records: stored.entry.count,
            leaf: hex::encode(&stored.bytes),
            proof,
            record: found.record.clone(),
        })
    }

    /// When the last backup that may hold what went is gone.
    fn judge_backups(&mut self, passes: &[PassPart]) {
        let last = passes
            .iter()
            .flat_map(|pass| &pass.classes)
            .flat_map(|class| &class.entries)
            .filter(|entry| matches!(entry.action.as_str(), "deleted" | "anonymised"))
            .map(|entry| entry.at)
            .max();
        let Some(last) = last else { return };
        match self.beside.backups {
            None => self.open.push(
                "How long backups are kept is not declared (ledger.backups_kept_days in the settings), so that it is not known when the last copy is gone."
                    .to_owned(),
            ),
            Some(days) => {
                let gone = last.date_naive().checked_add_days(days);
                if let Some(gone) = gone.filter(|gone| *gone >= self.beside.now.date_naive()) {
                    self.open.push(format!(
                        "Backups may hold it through {}.",
                        gone.format("%-d %B %Y")
                    ));
                }
            }
        }
    }
}

/// The classes that a part is about, in the report's order, then the entries'.
fn classes(of: &CertificateOf, found: &[&Found], report: &Value) -> Vec<ClassId> {
    let mut ids: Vec<ClassId> = Vec::new();
    if let CertificateOf::Run(_, asked) = of {
        for reported in report["classes"].as_array().into_iter().flatten() {
            let idle = matches!(reported["status"].as_str(), Some("idle" | "retained"));
            let id = reported["id"].as_str().and_then(ClassId::new);
            ids.extend(id.filter(|id| !idle && asked.as_ref().is_none_or(|asked| asked == id)));
        }
    }
    for found in found {
        if let Some(class) = &found.stored.entry.class
            && !ids.contains(class)
        {
            ids.push(class.clone());
        }
    }
    ids
}

async fn digest_of_run(conn: &mut PgConnection, run: i64) -> Result<Option<[u8; 32]>, SurveyError> {
    let digest: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT schedule_digest FROM retentiond.run WHERE run_id = $1")
            .bind(run)
            .fetch_optional(conn)
            .await
            .map_err(bookkeeping)?;
    Ok(digest.and_then(|digest| digest.try_into().ok()))
}

/// By whose word the class went over its limits in that pass, and what was disposed of: what
/// reviewers approved, and the controller's orders that were in force.
async fn approvals(
    conn: &mut PgConnection,
    class: &ClassId,
    run: Option<i64>,
) -> Result<Vec<Approval>, SurveyError> {
    let mut found = lifts(conn, class, run).await.map_err(bookkeeping)?;
    found.extend(reviews(conn, class, run).await.map_err(bookkeeping)?);
    found.extend(orders(conn, class, run).await.map_err(bookkeeping)?);
    Ok(found)
}

async fn lifts(
    conn: &mut PgConnection,
    class: &ClassId,
    run: Option<i64>,
) -> Result<Vec<Approval>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT due, accepted_by, accepted_at, reason FROM retentiond.limit_lift
         WHERE class_id = $1 AND $2 = ANY (runs) ORDER BY lift_id",
    )
    .bind(class.as_str())
    .bind(run)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let due: i64 = row.try_get("due")?;
            Ok(Approval {
                what: format!("{due} records at once, over the class's limits"),
                by: row.try_get("accepted_by")?,
                at: row.try_get("accepted_at")?,
                reason: row.try_get("reason")?,
                opens: None,
            })
        })
        .collect()
}

async fn reviews(
    conn: &mut PgConnection,
    class: &ClassId,
    run: Option<i64>,
) -> Result<Vec<Approval>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT r.review_id, r.decided_by, r.decided_at, r.reason, r.salt, count(*) AS records
           FROM retentiond.approval AS a JOIN retentiond.review AS r USING (review_id)
          WHERE a.run_id = $2 AND a.class_id = $1 GROUP BY r.review_id ORDER BY r.review_id",
    )
    .bind(class.as_str())
    .bind(run)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let (by, reason): (String, String) =
                (row.try_get("decided_by")?, row.try_get("reason")?);
            let (records, salt): (i64, Vec<u8>) = (row.try_get("records")?, row.try_get("salt")?);
            let noun = if records == 1 { "record" } else { "records" };
            Ok(Approval {
                what: format!("{records} {noun}, after a review"),
                at: row.try_get("decided_at")?,
                opens: Some(Opening {
                    action: Action::Approved.name().to_owned(),
                    detail: "review".to_owned(),
                    number: row.try_get("review_id")?,
                    salt: hex::encode(salt),
                    words: words(&[("by", &by), ("reason", &reason)]),
                }),
                by,
                reason,
            })
        })
        .collect()
}

/// Those that were in force when the pass began.
async fn orders(
    conn: &mut PgConnection,
    class: &ClassId,
    run: Option<i64>,
) -> Result<Vec<Approval>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT i.* FROM retentiond.instruction AS i, retentiond.run AS r
          WHERE r.run_id = $2 AND i.class_id = $1 AND i.recorded_at <= r.started_at
            AND (i.withdrawn_at IS NULL OR i.withdrawn_at > r.started_at)
            AND (i.until_on IS NULL OR i.until_on >= r.started_at::date)
          ORDER BY i.instruction_id",
    )
    .bind(class.as_str())
    .bind(run)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let (given_by, reference, by): (String, String, String) = (
                row.try_get("given_by")?,
                row.try_get("reference")?,
                row.try_get("recorded_by")?,
            );
            let salt: Vec<u8> = row.try_get("salt")?;
            Ok(Approval {
                what: format!("The class, as {given_by} ordered"),
                at: row.try_get("recorded_at")?,
                opens: Some(Opening {
                    action: Action::Instructed.name().to_owned(),
                    detail: "instruction".to_owned(),
                    number: row.try_get("instruction_id")?,
                    salt: hex::encode(salt),
                    words: words(&[
                        ("given-by", &given_by),
                        ("reference", &reference),
                        ("by", &by),
                    ]),
                }),
                by: format!("recorded by {by}"),
                reason: reference,
            })
        })
        .collect()
}

fn words(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}
