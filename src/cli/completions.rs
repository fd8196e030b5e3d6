//! `flowline completions SHELL`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, print};
use crate::error::Result;

/// What to write completions for.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints a script for the shell.
///
/// # Errors
/// stdout cannot be written.
pub fn run(args: &Args) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "flowline", &mut script);
    print(&String::from_utf8_lossy(&script))
}
