//! `flowline explain`: the dataflow of each statement and what each sink promises.

use std::path::PathBuf;

use super::args::{self, Given, JobArgs, OutsideArgs};
use super::client::OptionalServer;
use super::{jobs, print};
use crate::error::{Error, Result};

/// What to explain.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// SQL files and folders; a folder as `run` takes it, - is standard input
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// SQL to explain, after the files
    #[arg(short, value_name = "SQL")]
    execute: Vec<String>,
    /// Also DataFusion's plans, as bound and as optimised
    #[arg(short, long)]
    verbose: bool,
    /// A job of a server instead of files
    #[arg(long = "job", value_name = "NAME", conflicts_with_all = ["paths", "execute"])]
    job_name: Option<String>,
    #[command(flatten)]
    server: OptionalServer,
    #[command(flatten)]
    outside: OutsideArgs,
    #[command(flatten)]
    job: JobArgs,
}

/// Explains the files.
///
/// # Errors
/// All mistakes.
pub async fn run(args: &Args) -> Result<()> {
    if let Some(name) = &args.job_name {
        let server = jobs::needs_server(&args.server)?;
        return jobs::explain(server, name).await;
    }
    if args.paths.is_empty() && args.execute.is_empty() {
        return Err(Error::usage("nothing to explain").with_help("flowline explain PATH..."));
    }
    let files = args::sql_files(&args.paths, &args.execute)?;
    let loaded = args::load(&files, &args.outside, &args.job, Given::default())?;
    if !loaded.session.has_jobs() {
        return Err(
            Error::usage("nothing to explain: there is no INSERT and no SELECT")
                .with_help("name a file with one, or add -e 'SELECT ...'"),
        );
    }
    print(&loaded.session.explain_all(args.verbose)?)
}
