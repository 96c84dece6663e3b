//! Files that go with their rows.
//!
//! A row's deletion, its ledger entry and a work item with the path commit together; then
//! the file is removed and its folder synced; then an entry `file-removed` is written and
//! the item cleared, together. Whatever is interrupted is repeated until done: a file that
//! is already gone is as good as removed. Which rows go is none of this room's business.
//!
//! A path comes from a table, so it is not trusted: it is opened relative to the store's
//! folder by a library that resolves every component inside it, symbolic links included.

mod local;
mod work;

pub use local::{PathError, Removed, Store, StoreError, Stores};
pub use work::{Item, clear, enqueue, failed, pending, pending_of};
