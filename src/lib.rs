//! retentiond reads a retention schedule, and makes a PostgreSQL database obey it, with proof.
//!
//! The rooms and who may use whom: `docs/ARCHITECTURE.md`.

pub mod catalog;
pub mod cli;
pub mod clock;
pub mod daemon;
pub mod decisions;
pub mod demo;
pub mod enforce;
pub mod files;
pub mod grants;
pub mod ident;
pub mod init;
pub mod ledger;
pub mod personal;
pub mod plan;
pub mod review;
pub mod schedule;
pub mod settings;
pub mod store;
pub mod survey;
