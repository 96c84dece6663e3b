//! Local folders as stores.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its folder is missing or closed to us.
    #[error("file store `{name}`: cannot open its folder {}", path.display())]
    Folder {
        /// The store.
        name: String,
        /// Its folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The schedule names a store that the settings do not have.
    #[error("there is no file store `{0}` in the settings: add [stores.{0}] with its `path`")]
    Unknown(String),
}

/// Why a path cannot name a file of a store. The path itself is not shown: it may be personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It starts at the root, or climbs out.
    #[error("the path leads outside the store's folder")]
    Outside,
    /// It is empty, or no path at all.
    #[error("the path names no file")]
    NoFile,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It was there and is removed.
    Now,
    /// It was not there.
    Before,
}

/// The stores by name.
#[derive(Debug, Clone, Default)]
pub struct Stores(BTreeMap<String, Arc<Store>>);

/// One folder.
#[derive(Debug)]
pub struct Store {
    folder: Dir,
}

impl Stores {
    /// Opens each store's folder.
    ///
    /// # Errors
    /// When a folder cannot be opened.
    pub fn open<'a>(
        stores: impl IntoIterator<Item = (&'a str, &'a Path)>,
    ) -> Result<Self, StoreError> {
        let mut opened = BTreeMap::new();
        for (name, path) in stores {
            let folder = Dir::open_ambient_dir(path, ambient_authority()).map_err(|source| {
                StoreError::Folder {
                    name: name.to_owned(),
                    path: path.to_owned(),
                    source,
                }
            })?;
            opened.insert(name.to_owned(), Arc::new(Store { folder }));
        }
        Ok(Self(opened))
    }

    /// A store by name.
    ///
    /// # Errors
    /// When the settings have none of that name.
    pub fn get(&self, name: &str) -> Result<&Arc<Store>, StoreError> {
        self.0
            .get(name)
            .ok_or_else(|| StoreError::Unknown(name.to_owned()))
    }
}

/// Whether a text can name a file inside a store, before anything is touched.
///
/// # Errors
/// When it is empty, absolute, or climbs.
pub(crate) fn check(path: &str) -> Result<(), PathError> {
    if path.is_empty() || path.contains('\0') {
        return Err(PathError::NoFile);
    }
    let mut named = false;
    for component in Path::new(path).components() {
        match component {
            Component::Normal(_) => named = true,
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(PathError::Outside);
            }
        }
    }
    if named {
        Ok(())
    } else {
        Err(PathError::NoFile)
    }
}

impl Store {
    /// Whether a text can name a file of a store.
    ///
    /// # Errors
    /// When it is empty, absolute, or climbs out.
    pub fn check(path: &str) -> Result<(), PathError> {
        check(path)
    }

    /// Which paths a removal could follow without leaving the folder: [`Store::check`], and
    /// no symbolic link on the way out of it. Blocking; opens each folder once. A folder
    /// that is missing or closed to us is no reason: removing says so, and is repeated.
    ///
    /// # Errors
    /// One for each path that is not of this store.
    #[must_use]
    pub fn reach(&self, paths: &[String]) -> Vec<Result<(), PathError>> {
        let mut folders: BTreeMap<PathBuf, bool> = BTreeMap::new();
        paths
            .iter()
            .map(|path| {
                check(path)?;
                // The last name is removed, not followed; only the way to it counts.
                let Some(parent) = Path::new(path)
                    .parent()
                    .filter(|p| !p.as_os_str().is_empty())
                else {
                    return Ok(());
                };
                let inside = *folders.entry(parent.to_owned()).or_insert_with(|| {
                    self.folder
                        .open_dir(parent)
                        .err()
                        .is_none_or(|error| !escapes(&error))
                });
                if inside {
                    Ok(())
                } else {
                    Err(PathError::Outside)
                }
            })
            .collect()
    }

    /// Removes files and makes their absence durable: each folder is synced once.
    /// Blocking. Answers what became of each, in order.
    ///
    /// # Errors
    /// One for each file that is still there.
    #[must_use]
    pub fn remove(&self, paths: &[String]) -> Vec<io::Result<Removed>> {
        let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
        let mut answers: Vec<io::Result<Removed>> = paths
            .iter()
            .map(|path| {
                check(path).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
                let outcome = match self.folder.remove_file(path) {
                    Ok(()) => Removed::Now,
                    Err(error) if gone(&error) => Removed::Before,
                    Err(error) => return Err(error),
                };
                folders.insert(
                    Path::new(path)
                        .parent()
                        .map(Path::to_owned)
                        .unwrap_or_default(),
                );
                Ok(outcome)
            })
            .collect();
        for folder in folders {
            if let Err(error) = self.sync(&folder) {
                for (path, answer) in paths.iter().zip(&mut answers) {
                    if Path::new(path).parent() == Some(folder.as_path()) {
                        *answer = Err(io::Error::new(
                            error.kind(),
                            "the folder could not be synced",
                        ));
                    }
                }
            }
        }
        answers
    }

    fn sync(&self, folder: &Path) -> io::Result<()> {
        // Opened as a file: a handle for looking names up cannot be synced.
        let name = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        match self.folder.open(name) {
            Ok(opened) => opened.sync_all(),
            Err(error) if gone(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// A missing file, or a missing folder on the way to it.
fn gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// The library's own refusal, not the system's: a link led out of the folder.
fn escapes(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn store(folder: &Path) -> Arc<Store> {
        let stores = Stores::open([("media", folder)]).unwrap();
        Arc::clone(stores.get("media").unwrap())
    }

    #[test]
    fn a_file_is_removed_once_and_a_second_time_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("2019")).unwrap();
        std::fs::write(folder.path().join("2019/a.jpg"), "x").unwrap();
        let store = store(folder.path());
        let path = ["2019/a.jpg".to_owned()];
        assert_eq!(*store.remove(&path)[0].as_ref().unwrap(), Removed::Now);
        assert!(!folder.path().join("2019/a.jpg").exists());
        assert_eq!(*store.remove(&path)[0].as_ref().unwrap(), Removed::Before);
        assert_eq!(
            *store.remove(&["2018/b.jpg".to_owned()])[0]
                .as_ref()
                .unwrap(),
            Removed::Before
        );
    }

    #[test]
    fn nothing_outside_the_folder_can_be_named() {
        let outside = tempfile::tempdir().unwrap();
        let victim = outside.path().join("victim");
        std::fs::write(&victim, "x").unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
        std::fs::write(folder.path().join("inside"), "x").unwrap();
        let store = store(folder.path());
        let name = outside.path().file_name().unwrap().to_str().unwrap();
        for path in [
            victim.to_str().unwrap().to_owned(),
            format!("../{name}/victim"),
            "link/victim".to_owned(),
            "./../victim".to_owned(),
            "inside/../../x".to_owned(),
            String::new(),
            ".".to_owned(),
            "/".to_owned(),
        ] {
            assert!(
                store.remove(std::slice::from_ref(&path))[0].is_err(),
                "{path}"
            );
        }
        assert!(victim.exists());
    }

    #[test]
    fn a_link_on_the_way_out_is_found_before_anything_is_removed() {
        let outside = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("2019")).unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("out")).unwrap();
        std::os::unix::fs::symlink("2019", folder.path().join("in")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("x"), folder.path().join("last")).unwrap();
        let paths = [
            "2019/a",
            "in/a",
            "missing/a",
            "last",
            "a",
            "out/a",
            "2019/../../a",
            "/a",
            "",
        ];
        let found = store(folder.path()).reach(&paths.map(str::to_owned));
        let outside = Err(PathError::Outside);
        let nothing = Err(PathError::NoFile);
        assert_eq!(
            found,
            [
                Ok(()),
                Ok(()),
                Ok(()),
                Ok(()),
                Ok(()),
                outside,
                outside,
                outside,
                nothing
            ]
        );
    }

    #[test]
    fn a_link_itself_is_removed_and_not_what_it_points_at() {
        let outside = tempfile::tempdir().unwrap();
        let victim = outside.path().join("victim");
        std::fs::write(&victim, "x").unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join("photo.jpg")).unwrap();
        assert!(store(folder.path()).remove(&["photo.jpg".to_owned()])[0].is_ok());
        assert!(victim.exists());
        assert!(!folder.path().join("photo.jpg").exists());
    }
}
