//! `flowline serve`: a server that runs jobs and answers queries until it is stopped.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{args, signals, tell};
use crate::error::{Error, Result};
use crate::server::{Server, ServerConfig};

/// Where it listens and what it keeps.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder that keeps jobs, checkpoints and tables; with the same folder a server goes on where it was left
    #[arg(long, value_name = "DIR", default_value = ".flowline/server")]
    data: PathBuf,
    /// Where it answers: the control API, Arrow Flight SQL and HTTP, all on one port (port 0: any free one)
    #[arg(long, value_name = "ADDRESS", default_value = super::client::ADDRESS)]
    listen: SocketAddr,
    /// How often jobs take a checkpoint where their SQL does not say
    #[arg(long, value_name = "DURATION", default_value = "1 s")]
    checkpoint_interval: String,
    /// How long ending may take once it is asked for, whatever hangs (0: as long as it takes)
    #[arg(long, value_name = "DURATION", default_value = "15 s")]
    stop_timeout: String,
}

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// The folder or the port cannot be had.
pub async fn run(args: &Args) -> Result<()> {
    args::duration("--checkpoint-interval", &args.checkpoint_interval)?;
    let patience = args::duration("--stop-timeout", &args.stop_timeout)?;
    if !args.listen.ip().is_loopback() {
        return Err(Error::usage(format!(
            "{} can be reached from other machines, and the server does not ask who asks",
            args.listen
        ))
        .with_help("listen on 127.0.0.1"));
    }
    let mut stop = signals::stop_asked(patience);
    let server = Server::open(&ServerConfig {
        data: args.data.clone(),
        listen: args.listen,
        checkpoint_interval: args.checkpoint_interval.clone(),
    })
    .await?;
    tell(&format!(
        "serving  http://{}, data in {}",
        server.address()?,
        args.data.display()
    ));
    for (name, state) in server.jobs() {
        tell(&format!("job      {name}: {}", state.to_lowercase()));
    }
    let (end, ended) = tokio::sync::watch::channel(false);
    let serving = server.serve(ended);
    tokio::pin!(serving);
    tokio::select! {
        result = &mut serving => return result,
        () = signals::asked(&mut stop) => {}
    }
    tell("stopping: each job takes a last checkpoint; Ctrl-C again ends at once");
    end.send_replace(true);
    serving.await
}
