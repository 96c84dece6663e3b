//! Watching the service: the metrics page, whether it lives, whether it can make a pass.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../daemon/harness.rs"]
mod harness;
#[allow(dead_code)]
#[path = "../daemon/log.rs"]
mod log;
#[path = "../support/mod.rs"]
mod support;

mod asking;
mod documented;
mod figures;
mod logging;
mod privileges;
mod process;
mod readiness;
mod shipped;
mod source;
