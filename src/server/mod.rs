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
mod queries;
mod seen;
mod status;
mod subscription;
mod system;
mod why;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_flight::flight_service_server::FlightServiceServer;
use flowline_proto::v1::control_server::ControlServer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::Routes;

use control::ControlService;
use flight::FlightSql;
use jobs::Jobs;
use queries::{Queries, QueryLimits};

pub use access::Access;
pub use queries::QUERY;
pub use status::MISTAKES;
pub use tls::TlsFiles;

use crate::error::{Error, Result};

/// Bytes of a message that a client sends, at most.
const MESSAGE: usize = 16 << 20;

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
}

/// How jobs are planned where their SQL says nothing.
#[derive(Debug, Clone)]
pub struct JobDefaults {
    /// Where checkpoints are kept.
    pub checkpoints: String,
    /// How often they are taken.
    pub checkpoint_interval: String,
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    port: tonic::transport::Server,
    access: Option<Arc<Access>>,
    jobs: Arc<Jobs>,
}

impl Server {
    /// Takes the data folder and the port, and starts the jobs that ran when the folder was last left.
    ///
    /// # Errors
    /// Another server has the folder, or another program the port; certificates that cannot be used.
    pub async fn open(config: &ServerConfig) -> Result<Self> {
        let mut port = tonic::transport::Server::builder().accept_http1(true);
        if let Some(files) = &config.tls {
            port = files.put_on(port)?;
        }
        let listener = TcpListener::bind(config.listen).await.map_err(|e| {
            Error::external(format!("cannot listen on {}", config.listen))
                .caused_by(e)
                .with_help("choose another port with --listen")
        })?;
        let jobs = Jobs::open(&config.data, &config.checkpoint_interval).await?;
        Ok(Self {
            listener,
            port,
            access: config.access.clone(),
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
            .max_decoding_message_size(MESSAGE);
        let queries = Queries::new(Arc::clone(&self.jobs), QueryLimits::default());
        let flight =
            FlightServiceServer::new(FlightSql::new(Arc::new(queries), self.access.clone()))
                .max_decoding_message_size(MESSAGE);
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
            .serve_with_incoming_shutdown(TcpListenerStream::new(self.listener), stopped)
            .await;
        self.jobs.close().await;
        served.map_err(|e| Error::external("the server's port fails").caused_by(e))
    }
}
