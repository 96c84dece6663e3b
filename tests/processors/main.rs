//! What others hold for the organisation: when they are told to destroy it, what keeps them
//! from being told, and what is left when they have said that they did. Days are worked out by
//! hand, in London.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "../cli/command.rs"]
mod command;
mod deciding;
mod office;
mod restored;
mod seen;
#[path = "../support/mod.rs"]
mod support;
mod telling;
