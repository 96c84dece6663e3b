//! Exactly what `retentiond grants` prints, executed, and then everything done under it by
//! logins that are members of one role each; and that nothing of it could be left out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../cli/command.rs"]
#[allow(dead_code)]
mod command;
mod exact;
mod hidden;
mod house;
mod own;
#[path = "../support/mod.rs"]
mod support;
mod work;
