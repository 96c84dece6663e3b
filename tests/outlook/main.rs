//! What becomes due later, and what a change of schedule would do: against the plan of
//! the later day, against the slow model, and against rows reckoned by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod changes;
#[path = "../model/mod.rs"]
mod model;
mod months;
mod organisation;
#[path = "../support/mod.rs"]
mod support;
mod worlds;
