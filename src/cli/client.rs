//! How verbs talk to a server, and its answers as errors a person can read.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{CommandGetTables, CommandStatementQuery, ProstMessageExt};
use arrow_flight::{FlightDescriptor, IpcMessage};
use flowline_proto::v1::Mistakes;
use flowline_proto::v1::control_client::ControlClient;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use sqlparser::tokenizer::{Location, Span};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};
use tonic_types::pb;

use crate::error::{Error, ErrorKind, Result};
use crate::server::{MISTAKES, QUERY};
use crate::sql::{Diagnostic, SourceFile};

/// Where a server listens unless told otherwise.
pub const ADDRESS: &str = "127.0.0.1:8815";

/// How long connecting may take.
const CONNECTING: Duration = Duration::from_secs(10);

/// Bytes of an answer, at most.
const MESSAGE: usize = 256 << 20;

/// Which server.
#[derive(Debug, clap::Args)]
pub struct ServerArgs {
    /// The server; https:// where it has a certificate
    #[arg(
        long,
        value_name = "URL",
        env = "FLOWLINE_SERVER",
        default_value = "http://127.0.0.1:8815"
    )]
    server: String,
    #[command(flatten)]
    with: Credentials,
}

/// Which server, if any.
#[derive(Debug, Default, clap::Args)]
pub struct OptionalServer {
    /// Ask this server, such as http://127.0.0.1:8815
    #[arg(long, value_name = "URL", env = "FLOWLINE_SERVER")]
    pub server: Option<String>,
    #[command(flatten)]
    with: Credentials,
}

/// How a client and a server know each other.
#[derive(Debug, Default, clap::Args)]
struct Credentials {
    /// The authority of the server's certificate, a PEM file [default: those that the system trusts]
    #[arg(long, value_name = "FILE", env = "FLOWLINE_TLS_CA")]
    tls_ca: Option<PathBuf>,
    /// A certificate to show to the server, a PEM file
    #[arg(
        long,
        value_name = "FILE",
        env = "FLOWLINE_TLS_CERT",
        requires = "tls_key"
    )]
    tls_cert: Option<PathBuf>,
    /// The key of that certificate, a PEM file
    #[arg(
        long,
        value_name = "FILE",
        env = "FLOWLINE_TLS_KEY",
        requires = "tls_cert"
    )]
    tls_key: Option<PathBuf>,
    /// A token that the server knows; in the environment nobody else sees it
    #[arg(
        long,
        value_name = "TOKEN",
        env = "FLOWLINE_TOKEN",
        hide_env_values = true
    )]
    token: Option<Token>,
}

/// A token, which is never shown.
#[derive(Clone)]
struct Token(String);

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

/// Puts the token on each call.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> std::result::Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            let metadata = request.metadata_mut();
            metadata.insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// A connection on which each call has the token.
type Link = InterceptedService<Channel, Bearer>;

/// A server, and how to reach it.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    url: &'a str,
    with: &'a Credentials,
}

impl ServerArgs {
    /// A client of its control API.
    ///
    /// # Errors
    /// No URL; nobody listens there.
    pub async fn control(&self) -> Result<Control> {
        let (url, with) = (&self.server, &self.with);
        Target { url, with }.control().await
    }
}

impl OptionalServer {
    /// The server that is named.
    pub fn target(&self) -> Option<Target<'_>> {
        Some(Target {
            url: self.server.as_deref()?,
            with: &self.with,
        })
    }
}

/// A client of a server's control API.
pub type Control = ControlClient<Link>;

/// A client of a server's tables.
pub type Flight = FlightServiceClient<Link>;

impl Target<'_> {
    /// A client of the server's control API.
    ///
    /// # Errors
    /// No URL; nobody listens there.
    pub async fn control(self) -> Result<Control> {
        let client = ControlClient::new(self.link().await?);
        Ok(client.max_decoding_message_size(MESSAGE))
    }

    /// A client of the server's tables.
    ///
    /// # Errors
    /// No URL; nobody listens there.
    pub async fn flight(self) -> Result<Flight> {
        let client = FlightServiceClient::new(self.link().await?);
        Ok(client.max_decoding_message_size(MESSAGE))
    }

    async fn link(self) -> Result<Link> {
        let url = self.url;
        let mut endpoint = Endpoint::from_shared(url.to_string()).map_err(|e| {
            Error::usage(format!("--server: '{url}' is no URL"))
                .caused_by(e)
                .with_help("write http://HOST:PORT or https://HOST:PORT")
        })?;
        if endpoint.uri().scheme_str() == Some("https") {
            endpoint = endpoint
                .tls_config(self.with.tls()?)
                .map_err(unusable_files)?;
        }
        let bearer = self.with.bearer()?;
        let connected = endpoint.connect_timeout(CONNECTING).connect().await;
        let channel = connected.map_err(|e| {
            Error::external(format!("no server answers at {url}"))
                .caused_by(e)
                .with_help(
                    "start one with 'flowline serve', or name another with --server URL; \
                     with --tls-cert it answers at https://, and --tls-ca names its authority",
                )
        })?;
        Ok(InterceptedService::new(channel, bearer))
    }
}

impl Credentials {
    fn bearer(&self) -> Result<Bearer> {
        let Some(Token(token)) = &self.token else {
            return Ok(Bearer(None));
        };
        let value: std::result::Result<MetadataValue<Ascii>, _> =
            format!("Bearer {}", token.trim()).parse();
        let mut value = value.map_err(|_| {
            Error::usage("the token of --token or FLOWLINE_TOKEN has characters that none has")
        })?;
        value.set_sensitive(true);
        Ok(Bearer(Some(value)))
    }

    fn tls(&self) -> Result<ClientTlsConfig> {
        let read = |flag: &str, path: &PathBuf| {
            std::fs::read(path).map_err(|e| {
                Error::usage(format!("{flag}: cannot read {}: {e}", path.display()))
                    .with_help("name a PEM file")
            })
        };
        let mut config = ClientTlsConfig::new();
        config = match &self.tls_ca {
            Some(path) => config.ca_certificate(Certificate::from_pem(read("--tls-ca", path)?)),
            None => config.with_native_roots(),
        };
        if let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) {
            let certificate = read("--tls-cert", certificate)?;
            config = config.identity(Identity::from_pem(certificate, read("--tls-key", key)?));
        }
        Ok(config)
    }
}

fn unusable_files(error: tonic::transport::Error) -> Error {
    Error::usage("the certificates of --tls-ca, --tls-cert and --tls-key cannot be used")
        .caused_by(error)
        .with_help("they must be PEM files, and the key must be that of the certificate")
}

/// What a server answered, as an error. `files`: what was sent, so that mistakes are shown in it.
pub fn failed(status: &Status, files: &[Arc<SourceFile>]) -> Error {
    // What has a cause was said by nobody: it is the connection that failed.
    if let Some(cause) = std::error::Error::source(status) {
        let causes = std::iter::successors(Some(cause), |cause| cause.source());
        let last = causes.last().map(ToString::to_string);
        return Error::external("the connection to the server is lost")
            .caused_by(last.unwrap_or_default())
            .with_help("does the server run, and does it ask for TLS or for a certificate (https://, --tls-ca, --tls-cert)?");
    }
    let kind = match status.code() {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::Unimplemented
        | Code::Unauthenticated
        | Code::PermissionDenied => ErrorKind::Usage,
        Code::FailedPrecondition | Code::OutOfRange => ErrorKind::Data,
        Code::Aborted => ErrorKind::Fenced,
        Code::ResourceExhausted => ErrorKind::Limit,
        Code::Internal | Code::Unknown => ErrorKind::Internal,
        _ => ErrorKind::External,
    };
    let diagnostics = mistakes(status, files);
    if !diagnostics.is_empty() {
        return Error::sql(diagnostics);
    }
    let message = status.message();
    let (message, help) = match message.split_once("\nhelp: ") {
        Some((message, help)) => (message, Some(help)),
        None => (message, None),
    };
    let error = Error::new(kind, message);
    match help {
        Some(help) => error.with_help(help),
        None => error,
    }
}

fn mistakes(status: &Status, files: &[Arc<SourceFile>]) -> Vec<Diagnostic> {
    let Ok(details) = pb::Status::decode(status.details()) else {
        return Vec::new();
    };
    let ours = details.details.iter().find(|any| any.type_url == MISTAKES);
    let Some(told) = ours.and_then(|any| Mistakes::decode(any.value.as_slice()).ok()) else {
        return Vec::new();
    };
    let place = |line: u32, column: u32| Location::new(line.into(), column.into());
    told.mistakes
        .into_iter()
        .map(|mistake| {
            let file = files.iter().find(|file| file.name == mistake.file);
            Diagnostic {
                file: file.map_or_else(|| SourceFile::new(mistake.file.clone(), ""), Arc::clone),
                span: Span::new(
                    place(mistake.line, mistake.column),
                    place(mistake.end_line, mistake.end_column),
                ),
                message: mistake.message,
                help: Some(mistake.help).filter(|help| !help.is_empty()),
            }
        })
        .collect()
}

/// Asks the statement of a file: its columns, and its rows as they come. `sets`: SETs that stand before it.
///
/// # Errors
/// Mistakes in it, at their places in the file; tables that cannot be read.
pub async fn ask(
    client: &mut Flight,
    sets: &str,
    file: &Arc<SourceFile>,
) -> Result<(SchemaRef, Answer)> {
    // What stands before the statement in its file is blank, and need not be sent.
    let blank = file.text.len() - file.text.trim_start().len();
    let begin = file.text[..blank].rfind('\n').map_or(0, |i| i + 1);
    let (before, text) = file.text.split_at(begin);
    let query = format!("{sets}{text}");
    let lines = |text: &str| text.matches('\n').count() as u64;
    let (added, left_out) = (lines(sets), lines(before));
    let (sent, file) = (SourceFile::new(QUERY, &query), Arc::clone(file));
    let told = move |status: &Status| {
        let mut error = failed(status, &[Arc::clone(&sent)]);
        for mistake in &mut error.diagnostics {
            if mistake.file.name == QUERY && mistake.span.start.line > added {
                mistake.file = Arc::clone(&file);
                for place in [&mut mistake.span.start, &mut mistake.span.end] {
                    place.line = place.line.saturating_sub(added) + left_out;
                }
            }
        }
        error
    };
    let command = CommandStatementQuery {
        query: query.clone(),
        transaction_id: None,
    };
    fetch(client, &command, told).await
}

/// The tables and views of a server: database, name and columns.
///
/// # Errors
/// The connection is lost.
pub async fn tables(client: &mut Flight) -> Result<Vec<(String, String, Vec<String>)>> {
    let command = CommandGetTables {
        include_schema: true,
        ..CommandGetTables::default()
    };
    let (_, mut rows) = fetch(client, &command, |status| failed(status, &[])).await?;
    let mut tables = Vec::new();
    while let Some(batch) = rows.next().await {
        let (batch, _) = batch?;
        let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
        let schemas = batch.column_by_name("table_schema");
        let (Some(databases), Some(names), Some(schemas)) = (
            text("db_schema_name"),
            text("table_name"),
            schemas.and_then(|schemas| schemas.as_binary_opt::<i32>()),
        ) else {
            continue;
        };
        for row in 0..batch.num_rows() {
            let schema = IpcMessage(schemas.value(row).to_vec().into());
            let columns = Schema::try_from(schema).map(|schema| {
                let names = schema.fields().iter().map(|f| f.name().clone());
                names.collect()
            });
            tables.push((
                databases.value(row).to_string(),
                names.value(row).to_string(),
                columns.unwrap_or_default(),
            ));
        }
    }
    Ok(tables)
}

async fn fetch(
    client: &mut Flight,
    command: &impl ProstMessageExt,
    told: impl Fn(&Status) -> Error + Send + 'static,
) -> Result<(SchemaRef, Answer)> {
    let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    let info = client.get_flight_info(descriptor).await;
    let info = info.map_err(|e| told(&e))?.into_inner();
    let broken = |what: &str| Error::external(format!("the server's answer {what}"));
    let ticket = info.endpoint.first().and_then(|e| e.ticket.clone());
    let ticket = ticket.ok_or_else(|| broken("names no place for the rows"))?;
    let schema = info.try_decode_schema();
    let schema = schema.map_err(|e| broken("has no columns").caused_by(e))?;
    let data = client.do_get(ticket).await;
    let data = data.map_err(|e| told(&e))?.into_inner();
    // A message without a header only says that nothing has changed, and the decoder takes none.
    let data = data.try_filter(|message| futures::future::ready(!message.data_header.is_empty()));
    let rows = FlightDataDecoder::new(data.map_err(FlightError::from));
    let rows = rows.filter_map(move |message| {
        let answer = match message {
            Ok(message) => {
                let epoch = serde_json::from_slice(&message.app_metadata()).ok();
                match message.payload {
                    DecodedPayload::RecordBatch(rows) => Some(Ok((rows, epoch))),
                    DecodedPayload::Schema(_) | DecodedPayload::None => None,
                }
            }
            Err(FlightError::Tonic(status)) => Some(Err(told(&status))),
            Err(other) => {
                let error = Error::external("the server's answer cannot be read");
                Some(Err(error.caused_by(other)))
            }
        };
        futures::future::ready(answer)
    });
    Ok((Arc::new(schema), rows.boxed()))
}

/// What a server says of the rows of a subscription.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
pub struct EpochMark {
    /// The epoch in which they changed.
    pub epoch: u64,
}

/// Rows, and of those of a subscription their epoch.
pub type Answer = BoxStream<'static, Result<(RecordBatch, Option<EpochMark>)>>;
