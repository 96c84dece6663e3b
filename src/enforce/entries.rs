//! The ledger entries of a batch that follows dependants, and the files they leave behind.

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::batch::{Context, append, entry};
use super::error::EnforceError;
use super::locked::sql;
use crate::files;
use crate::ident::TableName;
use crate::ledger::{Action, EntryId, ManifestBuilder, store::next_entry_ids};
use crate::plan::FileOf;
use crate::store;

/// Paths that rows name, by file column.
pub(super) struct Named<'a> {
    pub columns: &'a [FileOf],
    pub paths: Vec<Vec<String>>,
}

impl<'a> Named<'a> {
    pub fn new(columns: &'a [FileOf]) -> Self {
        Self {
            columns,
            paths: vec![Vec::new(); columns.len()],
        }
    }

    pub fn add(&mut self, files: &[Option<String>]) {
        for (paths, file) in self.paths.iter_mut().zip(files) {
            paths.extend(file.clone().filter(|path| !path.is_empty()));
        }
    }
}

/// Writes the batch's entries, and remembers which files each of them leaves behind.
pub(super) struct Entries<'a> {
    pub context: &'a Context<'a>,
    pub first: Option<EntryId>,
    pub files: Vec<(EntryId, TableName, FileOf, Vec<String>)>,
    pub written: u64,
}

impl Entries<'_> {
    pub async fn write(
        &mut self,
        conn: &mut PgConnection,
        action: Action,
        table: &TableName,
        parent: Option<&TableName>,
        manifest: ManifestBuilder,
        named: &Named<'_>,
    ) -> Result<(), EnforceError> {
        if manifest.count() == 0 {
            return Ok(());
        }
        let id = match self.first.take() {
            Some(id) => id,
            None => next_entry_ids(conn, 1)
                .await?
                .pop()
                .ok_or_else(|| EnforceError::Shape(self.context.class.id.clone()))?,
        };
        let mut entry = entry(self.context, id, action, table);
        entry.parent = parent.cloned();
        append(conn, entry, &manifest.finish()).await?;
        self.written += 1;
        for (column, paths) in named.columns.iter().zip(&named.paths) {
            if !paths.is_empty() {
                self.files
                    .push((id, table.clone(), column.clone(), paths.clone()));
            }
        }
        Ok(())
    }

    /// Queues each file that no row names any more; answers how many.
    pub async fn queue(self, conn: &mut PgConnection) -> Result<u64, EnforceError> {
        let mut queued = 0;
        if !self.files.is_empty() {
            sqlx::query(store::FILES)
                .execute(&mut *conn)
                .await
                .map_err(sql("taking the files' lock"))?;
        }
        for (id, table, column, mut paths) in self.files {
            let still: Vec<String> = store::planned(&column.still_named)
                .bind(&paths)
                .fetch_all(&mut *conn)
                .await
                .and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect())
                .map_err(sql("looking for other rows that name a file"))?;
            paths.retain(|path| !still.contains(path));
            paths.sort_unstable();
            paths.dedup();
            if paths.is_empty() {
                continue;
            }
            queued += paths.len() as u64;
            files::enqueue(
                conn,
                &self.context.class.id,
                &table,
                &column.store,
                &paths,
                id.0,
                self.context.run,
            )
            .await
            .map_err(sql("queueing files"))?;
        }
        Ok(queued)
    }
}
