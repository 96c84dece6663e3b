//! The queue of what waits for reviewers: what they are shown, what they can ask for, and
//! what they decide about many records at once. All days are counted by hand for
//! 23 November 2026.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod asked;
#[allow(dead_code)]
#[path = "../cli/command.rs"]
mod command;
mod exported;
mod many;
mod named;
mod office;
mod shown;
#[path = "../support/stage.rs"]
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod words;
