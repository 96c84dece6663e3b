//! The service on a simulated clock and a real database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod clock;
mod guards;
mod harness;
mod log;
mod process;
mod reload;
mod stop;
mod trouble;
mod waiting;
mod week;
