//! The media library's files: a few bytes for each path that a row names.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt as _;
use sqlx::PgConnection;

use super::{SampleError, failed};

/// Paths that one blocking task writes.
const CHUNK: usize = 500;

/// Makes the folder, and refuses one that holds anything.
pub(super) fn prepare(folder: &Path) -> Result<(), SampleError> {
    let write = |source| SampleError::File {
        path: folder.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(write)?;
    if fs::read_dir(folder).map_err(write)?.next().is_some() {
        return Err(SampleError::NotEmpty {
            folder: folder.to_owned(),
        });
    }
    Ok(())
}

/// Writes a file for each path in the tables, and says how many.
pub(super) async fn write(
    connection: &mut PgConnection,
    folder: &Path,
    progress: &mut (dyn FnMut(&str, u64, u64) + Send),
) -> Result<u64, SampleError> {
    let paths: Vec<String> = sqlx::query_scalar(
        "SELECT path FROM media UNION ALL SELECT scan_path FROM consent_form ORDER BY 1",
    )
    .fetch(connection)
    .try_collect()
    .await
    .map_err(failed("read the paths"))?;
    let total = paths.len() as u64;
    let mut done = 0;
    progress("files", 0, total);
    for chunk in paths.chunks(CHUNK) {
        let (folder, chunk) = (folder.to_owned(), chunk.to_owned());
        done += chunk.len() as u64;
        tokio::task::spawn_blocking(move || write_chunk(&folder, &chunk))
            .await
            .map_err(SampleError::Interrupted)??;
        progress("files", done, total);
    }
    Ok(total)
}

/// Paths come in order, so that a folder is made once.
fn write_chunk(folder: &Path, paths: &[String]) -> Result<(), SampleError> {
    let mut parent = PathBuf::new();
    for path in paths {
        let file = folder.join(path);
        let failed = |source| SampleError::File {
            path: file.clone(),
            source,
        };
        if let Some(here) = file.parent()
            && here != parent
        {
            fs::create_dir_all(here).map_err(failed)?;
            here.clone_into(&mut parent);
        }
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&file)
            .and_then(|mut open| {
                writeln!(
                    open,
                    "A sample file of the retentiond demonstration, in place of {path}"
                )
            })
            .map_err(failed)?;
    }
    Ok(())
}
