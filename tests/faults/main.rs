//! Whatever breaks off a pass, the tables, the ledger and the files agree afterwards.
//!
//! The process is killed, its session is terminated at each step of a batch, the server
//! is stopped as a crash would. Afterwards every missing or changed row has its one line,
//! every line its row, every file a row or a work item; and the next pass ends the work.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/stage.rs"]
mod stage;
#[path = "../support/mod.rs"]
mod support;

mod crash;
mod kill;
mod terminate;
mod world;
