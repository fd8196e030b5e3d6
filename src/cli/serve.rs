//! `flowline serve`: a server that runs jobs and answers queries until it is stopped.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::{args, signals, tell};
use crate::catalog::options::parse_size;
use crate::error::{Error, Result};
use crate::server::{Access, Allowed, Limits, QueryLimits, Server, ServerConfig, TlsFiles};

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
    #[command(flatten)]
    allowed: AllowedArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

/// What clients may take.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// Memory of a query, its tables included; beyond it sorts, joins and groups go to disk or fail
    #[arg(long, value_name = "SIZE", default_value = "1 gb", value_parser = size)]
    query_memory: usize,
    /// How long a query may take until its last row is read
    #[arg(long, value_name = "DURATION", default_value = "10 min")]
    query_timeout: String,
    /// Queries that are answered at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = number)]
    max_queries: usize,
    /// Connections at once; further ones are closed
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = number)]
    max_connections: usize,
    /// A message that a client sends, such as the SQL of a job
    #[arg(long, value_name = "SIZE", default_value = "16 mb", value_parser = size)]
    max_message: usize,
}

impl LimitArgs {
    fn limits(&self) -> Result<Limits> {
        Ok(Limits {
            queries: QueryLimits {
                memory: self.query_memory,
                time: args::duration("--query-timeout", &self.query_timeout)?,
                number: self.max_queries,
            },
            message: self.max_message,
            connections: self.max_connections,
        })
    }
}

fn size(text: &str) -> std::result::Result<usize, String> {
    parse_size(text)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "write a size such as '512 mb' or '2 gb'".to_string())
}

fn number(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=1_000_000) => Ok(number),
        _ => Err("write a number from 1 to 1000000".to_string()),
    }
}

/// What SQL that is submitted may reach.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What SQL that is submitted may reach")]
struct AllowedArgs {
    /// Files below this folder, wherever links and '..' lead; several times for several [default: the working directory]
    #[arg(long, value_name = "DIR")]
    allow_path: Vec<PathBuf>,
    /// Kafka brokers and S3 endpoints at this host; several times for several [default: any]
    #[arg(long, value_name = "HOST[:PORT]")]
    allow_host: Vec<String>,
    /// ${env:NAME}; several times for several [default: those that begin with FLOWLINE_SECRET_]
    #[arg(long, value_name = "NAME")]
    allow_env: Vec<String>,
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
    let limits = args.limits.limits()?;
    let tls = args.tls.files();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut stop = signals::stop_asked(patience);
    let server = Server::open(&ServerConfig {
        data: args.data.clone(),
        listen: args.listen,
        checkpoint_interval: args.checkpoint_interval.clone(),
        tls: tls.clone(),
        access: access.clone(),
        allowed: Allowed {
            folders: args.allowed.allow_path.clone(),
            hosts: args.allowed.allow_host.clone(),
            variables: args.allowed.allow_env.clone(),
        },
        limits,
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
