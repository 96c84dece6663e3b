//! A restored backup: nothing acts, the lost entries and decisions come back from what was
//! published, and no record that was disposed of is back unnoticed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../cli/command.rs"]
#[allow(dead_code)]
mod command;
#[path = "../support/mod.rs"]
mod support;

mod origin;
mod refused;
mod restored;
mod world;
