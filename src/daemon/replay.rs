//! A restored database brought up to its published log, before anything acts in it again.
//!
//! In one transaction the lost entries come back and the decisions among them bind: whoever
//! makes a pass afterwards, even at once, finds every hold. Then each record that the lost
//! entries say is gone is looked for. What is there again and due goes with the next pass, by
//! the same statements as ever, which judge it again; the rest is listed for a person. Nothing
//! here changes an organisation's table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Connection, PgConnection};

use crate::ident::ClassId;
use crate::ledger::publish::{Folder, Log, LogError, Places, Publication, ReplayError};
use crate::ledger::store::{self, LedgerError, Signed};
use crate::ledger::{Action, Entry};
use crate::review::{self, LostDecisions, Restored, ReviewError};
use crate::schedule::Schedule;
use crate::survey::{self, Returned, SurveyError};

/// Why a database was not brought up to its log.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The log, its key or its folder.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The published log, or what the database has of it.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The decisions.
    #[error(transparent)]
    Review(#[from] ReviewError),
    /// The records.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// Our own tables.
    #[error("could not use the bookkeeping in schema `retentiond`")]
    Bookkeeping(#[from] sqlx::Error),
    /// Another folder has more.
    #[error("{} entries were published to {}, and only {given} to the folder that was named", .own, .folder.display())]
    Longer {
        /// This log's own folder.
        folder: PathBuf,
        /// Entries there.
        own: u64,
        /// Entries in the folder that was named.
        given: u64,
    },
    /// Nothing was lost.
    #[error(
        "the database has all {0} entries that were published, so that no other origin is needed"
    )]
    Agrees(u64),
    /// The file beside the new log.
    #[error("cannot write {}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl From<LedgerError> for RestoreError {
    fn from(error: LedgerError) -> Self {
        Self::Replay(error.into())
    }
}

/// How a database stands beside a published log that is whole.
#[derive(Debug)]
pub struct Look {
    log: Log,
    publication: Publication,
    /// Entries that the database has.
    pub size: u64,
    /// The last replay's entries, `from..to`, and whether it was finished.
    pub last: Option<(u64, u64, bool)>,
}

impl Look {
    /// Entries that were published.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.publication.size()
    }

    /// Where.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        self.publication.folder()
    }

    /// Whether the database lacks entries.
    #[must_use]
    pub fn behind(&self) -> bool {
        self.size < self.published()
    }
}

/// Verifies the published log, the log's own unless `from` names another folder, and looks
/// how the database stands beside it.
///
/// # Errors
/// When there is nothing to bring back from, or the database is not a beginning of it.
pub async fn look(
    conn: &mut PgConnection,
    places: &Places,
    from: Option<PathBuf>,
) -> Result<Look, RestoreError> {
    let log = Log::open(conn, places).await?;
    let folder = from.map_or_else(|| log.folder().clone(), Folder::new);
    let publication = Publication::open(folder, log.keys())?;
    let own = log.folder().checkpoint().map_err(LogError::from)?;
    if let Some((_, own)) = own.filter(|(_, own)| own.size > publication.size()) {
        return Err(RestoreError::Longer {
            folder: log.folder().path().to_owned(),
            own: own.size,
            given: publication.size(),
        });
    }
    let size = store::size(conn).await?;
    let both = size.min(publication.size());
    if size >= publication.size() && !publication.agrees(store::root_at(conn, both).await?) {
        return Err(LedgerError::Begins.into());
    }
    let last = store::last_replayed(conn).await?;
    let last = last.as_ref().and_then(|entry| {
        let number = |name: &str| entry.detail.get(name)?.parse().ok();
        let compared = entry.detail.get("stage").map(String::as_str) == Some("compared");
        Some((number("from")?, number("to")?, compared))
    });
    Ok(Look {
        log,
        publication,
        size,
        last,
    })
}

/// What was brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The first place that was lost.
    pub from: u64,
    /// The place after the last.
    pub to: u64,
    /// How many of the lost entries there are of each action.
    pub actions: BTreeMap<Action, u64>,
    /// What became of the decisions among them.
    pub decisions: Restored,
}

/// Brings entries and decisions back, in one transaction; `dry_run` undoes it again.
///
/// # Errors
/// When the database does not take them; then nothing was changed.
pub async fn import(
    conn: &mut PgConnection,
    look: &Look,
    actor: &str,
    now: DateTime<Utc>,
    dry_run: bool,
) -> Result<Imported, RestoreError> {
    let mut tx = conn.begin().await?;
    review::decide_again(&mut tx).await?;
    let mut lost = LostDecisions::default();
    let mut actions: BTreeMap<Action, u64> = BTreeMap::new();
    let from = look
        .publication
        .import(&mut tx, |one| {
            *actions.entry(one.entry.action).or_default() += 1;
            lost.note(&one.entry, one.records.as_deref());
        })
        .await?;
    let to = look.published();
    let decisions = review::restore(&mut tx, &lost, actor, now).await?;
    note(&mut tx, actor, now, |entry| {
        let count = |number: usize| number.to_string();
        for (name, value) in [
            ("stage", "imported".to_owned()),
            ("from", from.to_string()),
            ("to", to.to_string()),
            ("holds placed", count(decisions.holds.len())),
            ("holds released", count(decisions.released.len())),
            ("holds not named", count(decisions.unnamed.len())),
            ("accept again", decisions.accept_again.to_string()),
        ] {
            entry.detail.insert(name.to_owned(), value);
        }
    })
    .await?;
    match dry_run {
        true => tx.rollback().await?,
        false => tx.commit().await?,
    }
    Ok(Imported {
        from,
        to,
        actions,
        decisions,
    })
}

async fn note(
    conn: &mut PgConnection,
    actor: &str,
    now: DateTime<Utc>,
    write: impl FnOnce(&mut Entry),
) -> Result<(), LedgerError> {
    let Some(id) = store::next_entry_ids(conn, 1).await?.pop() else {
        return Ok(());
    };
    let mut entry = Entry::new(id, now, Action::Replayed, actor);
    write(&mut entry);
    store::append(conn, &entry, None).await
}

/// What became of the records of one class in one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The class.
    pub class: Option<ClassId>,
    /// The table.
    pub table: String,
    /// Records that are not there.
    pub gone: u64,
    /// Records that are there again, by how they stand; see [`Returned::state`].
    pub back: BTreeMap<&'static str, u64>,
}

/// What became of all records that the lost entries say were disposed of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// By class and table.
    pub groups: Vec<Group>,
    /// Those that a person has to look at.
    pub listed: Vec<Returned>,
}

/// Entries that are read at a time.
const AT_A_TIME: u64 = 20;

/// Looks for every record of the entries in places `from..to` that was deleted or anonymised.
///
/// # Errors
/// When the database does not answer.
pub async fn compare(
    conn: &mut PgConnection,
    schedule: &Schedule,
    now: DateTime<Utc>,
    from: u64,
    to: u64,
) -> Result<Compared, RestoreError> {
    let (drawn, _) = survey::draw_in_force(conn, schedule, now).await?;
    let mut groups: BTreeMap<(Option<ClassId>, String), Group> = BTreeMap::new();
    let mut listed = Vec::new();
    let mut next = from;
    while next < to {
        let until = to.min(next + AT_A_TIME);
        for (entry, records) in store::sealed(conn, next, until).await? {
            let acted = matches!(entry.action, Action::Deleted | Action::Anonymised);
            let (true, Some(table), Some(records)) = (acted, &entry.table, records) else {
                continue;
            };
            let group = groups
                .entry((entry.class.clone(), table.to_string()))
                .or_insert_with(|| Group {
                    class: entry.class.clone(),
                    table: table.to_string(),
                    ..Group::default()
                });
            let back = &mut group.back;
            let gone = survey::returned(conn, &drawn, &entry, &records, |record| {
                *back.entry(record.state).or_default() += 1;
                if !record.settled {
                    listed.push(record);
                }
            })
            .await?;
            group.gone += gone;
        }
        next = until;
    }
    Ok(Compared {
        groups: groups.into_values().collect(),
        listed,
    })
}

/// Writes down what was found, once a replay, and publishes.
///
/// # Errors
/// When the entry cannot be written, or the log not published.
pub async fn finish(
    conn: &mut PgConnection,
    look: &Look,
    (from, to): (u64, u64),
    compared: &Compared,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<Option<Signed>, RestoreError> {
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    for group in &compared.groups {
        *totals.entry("gone").or_default() += group.gone;
        for (state, number) in &group.back {
            *totals.entry(state).or_default() += number;
        }
    }
    note(conn, actor, now, |entry| {
        let mut say = |name: &str, value: String| entry.detail.insert(name.to_owned(), value);
        say("stage", "compared".to_owned());
        say("from", from.to_string());
        say("to", to.to_string());
        for (state, number) in totals {
            say(&format!("records {state}"), number.to_string());
        }
    })
    .await?;
    Ok(look.log.publish(conn, now).await?)
}

/// A log that goes on under another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewOrigin {
    /// What it was called.
    pub old: String,
    /// What it is called.
    pub new: String,
    /// The entries that it has of the old one.
    pub size: u64,
    /// The entries that were published of the old one, where that is known.
    pub published: Option<u64>,
    /// The file with the reason.
    pub file: PathBuf,
}

/// Goes on under another name, because entries are lost for good. Nothing is signed under the
/// old one any more, and nothing acts until a person accepts a schedule again: holds may be
/// among what was lost. The reason stays outside the ledger, in a file beside the new log's
/// keys; the entry holds its salted digest.
///
/// # Errors
/// When the database has all that was published, or something cannot be written.
pub async fn new_origin(
    conn: &mut PgConnection,
    places: &Places,
    reason: &str,
    actor: &str,
    now: DateTime<Utc>,
    dry_run: bool,
) -> Result<NewOrigin, RestoreError> {
    let old = store::origin(conn).await?;
    // One that cannot be read is as good as lost.
    let published = places.folder(&old).checkpoint().ok().flatten();
    let published = published.map(|(_, checkpoint)| checkpoint);
    if let Some(known) = &published {
        let size = store::size(conn).await?;
        if size >= known.size && store::root_at(conn, known.size).await? == known.root {
            return Err(RestoreError::Agrees(known.size));
        }
    }
    let published = published.map(|checkpoint| checkpoint.size);
    let mut tx = conn.begin().await?;
    review::decide_again(&mut tx).await?;
    let (_, new, size) = store::rename(&mut tx, now).await?;
    let mut done = NewOrigin {
        file: places.reason_file(&new),
        old,
        new,
        size,
        published,
    };
    let (text, digest) = commitment(reason, actor, now, &done)?;
    if let Some(id) = store::next_entry_ids(&mut tx, 1).await?.pop() {
        let mut entry = Entry::new(id, now, Action::OriginChanged, actor);
        let mut say = |name: &str, value: String| entry.detail.insert(name.to_owned(), value);
        say("old", done.old.clone());
        say("new", done.new.clone());
        say("kept", size.to_string());
        say(
            "published",
            published.map_or_else(|| "unknown".to_owned(), |size| size.to_string()),
        );
        say("reason", digest);
        store::append(&mut tx, &entry, None).await?;
    }
    review::stop_until_accepted(&mut tx, actor, now).await?;
    if dry_run {
        tx.rollback().await?;
        done.new.clear();
        return Ok(done);
    }
    // Believed for what was signed until now.
    let keyring = places.keyring(&done.new);
    for key in places.keyring(&done.old).public().map_err(LogError::from)? {
        keyring.note(&key).map_err(LogError::from)?;
    }
    write(&done.file, &text).map_err(|source| RestoreError::File {
        path: done.file.clone(),
        source,
    })?;
    tx.commit().await?;
    let log = Log::open(conn, places).await?;
    log.publish(conn, now).await?;
    Ok(done)
}

fn commitment(
    reason: &str,
    actor: &str,
    now: DateTime<Utc>,
    origin: &NewOrigin,
) -> Result<(String, String), RestoreError> {
    use sha2::{Digest, Sha256};
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).map_err(ReviewError::Random)?;
    let salt = hex::encode(salt);
    let digest = hex::encode(Sha256::digest(format!("{salt}{reason}")));
    let text = serde_json::json!({
        "old": origin.old, "new": origin.new, "at": now, "by": actor, "reason": reason, "salt": salt,
    });
    Ok((format!("{text:#}\n"), digest))
}

fn write(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)
}
