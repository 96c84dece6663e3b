//! The command line as its users meet it: the built program, in an empty folder with a
//! cleared environment, on a private database. Exit code, standard output and standard
//! error are asserted together.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod accepting;
mod auditing;
mod bad_input;
mod certificates;
mod command;
mod coverage;
mod debt;
mod deciding;
mod demo;
mod explaining;
mod init;
mod init_relations;
mod office;
mod outlook;
mod pipes;
mod privacy;
mod refusals;
mod shapes;
mod subjects;
mod words;
