//! The slow model: what a pass must do, worked out from the rules' page alone.
//!
//! Nothing here uses the engine. A [`world::World`] is a small random database
//! with a schedule over it; [`rules`] judges every row of it one at a time, in
//! plain Rust; [`pass`] carries the judgement out on a copy; [`compare`] says
//! where a real database ended up elsewhere. It is written to be read beside the
//! rules, never to be quick, and its calendar is its own.
#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

pub mod build;
pub mod calendar;
pub mod compare;
pub mod condition;
pub mod counts;
pub mod features;
pub mod pass;
pub mod postgres;
pub mod render;
pub mod rules;
pub mod strategies;
pub mod value;
pub mod world;
