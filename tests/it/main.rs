//! Integration tests: what crosses a process or a network, and the layout of the repository.

mod kafka;
mod tidy;
