//! A server: jobs and tables over the network, on one port.

mod access;
mod control;
mod flight;
mod folder;
mod http;
mod job;
mod jobs;
mod metrics;
mod pipeline;
mod port;
mod queries;
mod seen;
mod status;
mod subscription;
mod system;
mod tls;
mod why;
mod writes;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use flowline_proto::v1::control_server::ControlServer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::service::Routes;

use control::ControlService;
use flight::{Flight, FlightSql};
use jobs::Jobs;
use queries::Queries;

pub use access::Access;
pub use queries::{QUERY, QueryLimits};
pub use status::MISTAKES;
pub use tls::TlsFiles;

use crate::error::{Error, Result};
use crate::session::{Reach, real};

/// Bytes of the header of a call, at most.
const HEADER: u32 = 32 << 10;

/// Calls on a connection at once, at most.
const CALLS: u32 = 256;

/// A connection on which nothing has come for so long is asked whether it lives, and closed where it does not answer in time.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// Where a server listens and what it keeps.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Its data folder.
    pub data: PathBuf,
    /// Where gRPC and HTTP are answered; port 0 takes any.
    pub listen: SocketAddr,
    /// How often the jobs take a checkpoint where their SQL says nothing, such as `1 s`.
    pub checkpoint_interval: String,
    /// Encrypts what goes over the port; `None`: nothing does.
    pub tls: Option<TlsFiles>,
    /// Who may do what; `None`: everybody everything.
    pub access: Option<Arc<Access>>,
    /// What SQL that is submitted may reach.
    pub allowed: Allowed,
    /// What clients may take.
    pub limits: Limits,
}

/// What clients may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of each query.
    pub queries: QueryLimits,
    /// Bytes of a message that a client sends.
    pub message: usize,
    /// Connections at once.
    pub connections: usize,
}

/// What SQL that is submitted may reach.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// Folders whose files it may read and write; none: the working directory.
    pub folders: Vec<PathBuf>,
    /// `HOST` or `HOST:PORT`; none: any.
    pub hosts: Vec<String>,
    /// Variables of the environment, besides those that begin with `FLOWLINE_SECRET_`.
    pub variables: Vec<String>,
}

/// What the variables begin with that may always be referred to.
const SECRETS: &str = "FLOWLINE_SECRET_*";

impl ServerConfig {
    fn reach(&self) -> Result<Reach> {
        let here = vec![PathBuf::from(".")];
        let folders = match self.allowed.folders.is_empty() {
            true => &here,
            false => &self.allowed.folders,
        };
        let folders = folders.iter().map(|folder| {
            std::fs::canonicalize(folder).map_err(|e| {
                Error::usage(format!("--allow-path: {}: {e}", folder.display()))
                    .with_help("name a folder that is there")
            })
        });
        let folders = folders.collect::<Result<Vec<_>>>()?;
        let cannot = |e| Error::external("a path cannot be followed").caused_by(e);
        let data = real(&self.data).map_err(cannot)?;
        let mut own = vec![data.clone()];
        let tls = self.tls.iter().map(|tls| &tls.key);
        let access = self.access.iter().flat_map(|access| &access.files);
        for path in tls.chain(access) {
            own.push(real(path).map_err(cannot)?);
        }
        let mut variables = vec![SECRETS.to_string()];
        variables.extend(self.allowed.variables.iter().cloned());
        Ok(Reach {
            folders,
            except: own,
            savepoints: Some(data.join("checkpoints")),
            hosts: self.allowed.hosts.clone(),
            variables,
        })
    }
}

/// How jobs are planned where their SQL says nothing.
#[derive(Debug, Clone)]
pub struct JobDefaults {
    /// Where checkpoints are kept.
    pub checkpoints: String,
    /// How often they are taken.
    pub checkpoint_interval: String,
    /// What their SQL may reach.
    pub reach: Arc<Reach>,
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    port: tonic::transport::Server,
    access: Option<Arc<Access>>,
    limits: Limits,
    jobs: Arc<Jobs>,
}

impl Server {
    /// Takes the data folder and the port, and starts the jobs that ran when the folder was last left.
    ///
    /// # Errors
    /// Another server has the folder, or another program the port; certificates that cannot be used.
    pub async fn open(config: &ServerConfig) -> Result<Self> {
        let mut port = tonic::transport::Server::builder()
            .accept_http1(true)
            .http2_keepalive_interval(Some(KEEPALIVE.0))
            .http2_keepalive_timeout(Some(KEEPALIVE.1))
            .http2_max_header_list_size(HEADER)
            .max_concurrent_streams(CALLS);
        if let Some(files) = &config.tls {
            port = files.put_on(port)?;
        }
        let listener = TcpListener::bind(config.listen).await.map_err(|e| {
            Error::external(format!("cannot listen on {}", config.listen))
                .caused_by(e)
                .with_help("choose another port with --listen")
        })?;
        let reach = Arc::new(config.reach()?);
        let jobs = Jobs::open(&config.data, &config.checkpoint_interval, reach).await?;
        Ok(Self {
            listener,
            port,
            access: config.access.clone(),
            limits: config.limits,
            jobs: Arc::new(jobs),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The port is gone.
    pub fn address(&self) -> Result<SocketAddr> {
        let address = self.listener.local_addr();
        address.map_err(|e| Error::external("the port is gone").caused_by(e))
    }

    /// Names and states of the jobs there are.
    pub fn jobs(&self) -> Vec<(String, &'static str)> {
        let jobs = self.jobs.all();
        jobs.iter()
            .map(|job| (job.name.clone(), job.status().state.name()))
            .collect()
    }

    /// Answers until `stop` becomes true; then ends the jobs, which go on when the server is started again.
    ///
    /// # Errors
    /// The port fails.
    pub async fn serve(mut self, mut stop: watch::Receiver<bool>) -> Result<()> {
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<ControlServer<ControlService>>().await;
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(flowline_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .map_err(|e| Error::internal("the control API cannot be described").caused_by(e))?;
        let control = ControlServer::new(ControlService::new(Arc::clone(&self.jobs)))
            .max_decoding_message_size(self.limits.message);
        let queries = Queries::new(Arc::clone(&self.jobs), self.limits.queries);
        let flight = Flight(FlightSql::new(Arc::new(queries), self.access.clone()));
        let flight =
            FlightServiceServer::new(flight).max_decoding_message_size(self.limits.message);
        let mut routes = Routes::from(http::router(Arc::clone(&self.jobs)));
        routes = routes
            .add_service(health_service)
            .add_service(reflection)
            .add_service(control)
            .add_service(flight);
        let checked = axum::middleware::from_fn_with_state(self.access.clone(), access::check);
        let routes = Routes::from(routes.into_axum_router().layer(checked));
        let stopped = async move {
            if stop.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let served = self
            .port
            .add_routes(routes)
            .serve_with_incoming_shutdown(
                port::connections(self.listener, self.limits.connections),
                stopped,
            )
            .await;
        self.jobs.close().await;
        served.map_err(|e| Error::external("the server's port fails").caused_by(e))
    }
}
