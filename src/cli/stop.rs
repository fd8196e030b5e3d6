//! `flowline stop`: asks a running job to end with a last checkpoint or a savepoint.

use super::args::StoreArgs;
use super::checkpoints::ask;
use super::client::OptionalServer;
use super::jobs;
use crate::checkpoint::{Checkpoints, Request};
use crate::error::Result;

/// Which job, and with what it ends.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The job
    job: String,
    /// End with a savepoint, which stays and holds all its files; in this folder or URL, or beside the checkpoints
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    savepoint: Option<Option<String>>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    server: OptionalServer,
}

/// Stops the job.
///
/// # Errors
/// Nobody answers; the savepoint cannot be written.
pub async fn run(args: &Args) -> Result<()> {
    if let Some(server) = args.server.target() {
        return jobs::stop(server, &args.job, args.savepoint.clone()).await;
    }
    let request = Request::Stop {
        savepoint: args.savepoint.is_some(),
        to: args.savepoint.clone().flatten(),
    };
    let checkpoints = Checkpoints::new(&args.store.open()?, &args.job);
    ask(&checkpoints, &request, args.store.patience()?).await
}
