//! The model, held to hand-worked examples of every rule, and to what must hold of any world.
//!
//! Each answer was worked out on paper from the rules' page and the domain's; it
//! stands beside the example. The day is 1 June 2026 unless an example says otherwise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../model/mod.rs"]
mod model;

mod comparing;
mod counting_time;
mod dependants;
mod disposals;
mod examples;
mod holds_and_gates;
mod properties;
mod reckoning;
mod related;
mod relating;
mod steps;
mod which_class_decides;
