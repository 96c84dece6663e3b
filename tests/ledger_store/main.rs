//! The ledger's tables in a real PostgreSQL: what is written is read back, nothing is
//! changed, and whatever is changed all the same is found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod append;
mod append_only;
mod database;
mod read;
mod tampering;
