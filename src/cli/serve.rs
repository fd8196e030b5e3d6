//! `flowline serve`: a server that runs jobs and answers queries until it is stopped.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::{args, signals, tell};
use crate::error::{Error, Result};
use crate::server::{Access, Server, ServerConfig, TlsFiles};

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
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    access: AccessArgs,
}

/// Who may do what.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Access")]
struct AccessArgs {
    /// A TOML file of [[token]] (name, sha256, role) and [[user]] (name, password, role); the roles are read, submit and admin
    #[arg(long, value_name = "FILE")]
    access: Option<PathBuf>,
    /// Whoever reaches the port may do everything, from other machines too
    #[arg(long, conflicts_with = "access")]
    allow_anonymous: bool,
}

/// Whether what goes over the port is encrypted.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "TLS")]
struct TlsArgs {
    /// The server's certificate, a PEM file, with those between it and the authority
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Clients must show a certificate of this authority, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
}

impl TlsArgs {
    fn files(&self) -> Option<TlsFiles> {
        Some(TlsFiles {
            certificate: self.tls_cert.clone()?,
            key: self.tls_key.clone()?,
            client_ca: self.tls_client_ca.clone(),
        })
    }
}

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// The folder or the port cannot be had.
pub async fn run(args: &Args) -> Result<()> {
    args::duration("--checkpoint-interval", &args.checkpoint_interval)?;
    let patience = args::duration("--stop-timeout", &args.stop_timeout)?;
    let access = match &args.access.access {
        Some(path) => Some(Arc::new(Access::open(path)?)),
        None => None,
    };
    let is_reachable = !args.listen.ip().is_loopback();
    if is_reachable && access.is_none() && !args.access.allow_anonymous {
        return Err(Error::usage(format!(
            "{} can be reached from other machines, and the server does not ask who calls",
            args.listen
        ))
        .with_help(
            "say who may do what with --access FILE, listen on 127.0.0.1, or let everybody do everything with --allow-anonymous",
        ));
    }
    let tls = args.tls.files();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut stop = signals::stop_asked(patience);
    let server = Server::open(&ServerConfig {
        data: args.data.clone(),
        listen: args.listen,
        checkpoint_interval: args.checkpoint_interval.clone(),
        tls: tls.clone(),
        access: access.clone(),
    })
    .await?;
    tell(&format!(
        "serving  {scheme}://{}, data in {}",
        server.address()?,
        args.data.display()
    ));
    if is_reachable && access.is_some() && tls.is_none() {
        tell(
            "warning  tokens and passwords come over the network unencrypted; add --tls-cert and --tls-key",
        );
    }
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
