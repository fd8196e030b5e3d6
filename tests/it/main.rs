//! Integration tests: what crosses a process or a network, and the layout of the repository.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod broker;
mod crashes;
mod files;
mod front;
#[path = "../harness/mod.rs"]
mod harness;
mod inserting;
mod kafka;
mod mistakes;
mod nexmark;
mod observing;
mod operating;
mod plans;
mod random;
mod recovery;
mod running;
mod s3;
mod server;
mod shell;
mod tidy;
mod world;
