//! The demonstration: a private PostgreSQL and a sample organisation in it.
//!
//! Owns what a visitor sees with one command. It uses every other room and no
//! room needs it, so nothing that enforces a schedule may lean on what is here.

pub mod cluster;
pub mod sample;
