//! The sealed log: proofs, notes and checkpoints held against implementations that are not
//! ours, and every way in which a log can be changed, with its verdict.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod keys;
mod notes;
mod outside;
mod publishing;
mod sealing;
mod tampering;
mod tree;
mod world;
