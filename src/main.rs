//! flowline binary.
fn main() {}
