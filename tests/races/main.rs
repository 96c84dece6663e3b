//! Somebody steps in between a plan and its batch, or between two steps of a batch.
//!
//! Each case of `enforcement-sql.md` in which a step of the protocol was shown to be
//! needed. A second session comes at exactly the right moment: it holds a lock that the
//! pass must wait for, changes something, and lets go. Every case is told as its opposite
//! too: without the intervention, the same rows go.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/stage.rs"]
mod stage;
#[path = "../support/mod.rs"]
mod support;

mod changes;
mod holds;
mod house;
mod keys;
mod sharing;
