//! `flowline version`.

use super::print;
use crate::error::Result;

/// Prints the versions.
///
/// # Errors
/// stdout cannot be written.
pub fn run() -> Result<()> {
    print(&format!(
        "flowline {}\nArrow {}\n",
        env!("CARGO_PKG_VERSION"),
        arrow::ARROW_VERSION
    ))
}
