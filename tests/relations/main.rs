//! Dependants in the directions that the database does not declare: relations that only the
//! schedule knows, also polymorphic ones; rows that hang on rows of their own table; and
//! triggers in a related row. Each example is worked by hand: what goes, what stays, and
//! what the ledger says of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/stage.rs"]
mod stage;
#[path = "../support/mod.rs"]
mod support;

mod asking;
mod cases;
mod meanwhile;
mod threads;
mod tickets;
mod unfit;
