//! `flowline check`: parses and plans, starts nothing.

use std::path::PathBuf;

use super::args::{self, Given, JobArgs, OutsideArgs};
use super::print;
use crate::error::{Error, Result};

/// What to check.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// SQL files and folders; a folder as `run` takes it, - is standard input
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// SQL to check, after the files
    #[arg(short, value_name = "SQL")]
    execute: Vec<String>,
    #[command(flatten)]
    outside: OutsideArgs,
}

/// Checks the files.
///
/// # Errors
/// All mistakes.
pub fn run(args: &Args) -> Result<()> {
    if args.paths.is_empty() && args.execute.is_empty() {
        return Err(Error::usage("nothing to check").with_help("flowline check PATH..."));
    }
    let files = args::sql_files(&args.paths, &args.execute)?;
    let loaded = args::load(&files, &args.outside, &JobArgs::default(), Given::default())?;
    loaded.session.check_ends(&loaded.session.graph()?)?;
    print(&format!(
        "ok: {}\n",
        args::inventory(files.len(), &loaded.session)
    ))
}
