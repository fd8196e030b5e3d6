//! How verbs talk to a server, and its answers as errors a person can read.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::FlightDescriptor;
use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt as _};
use flowline_proto::v1::Mistakes;
use flowline_proto::v1::control_client::ControlClient;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use sqlparser::tokenizer::{Location, Span};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
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
    /// The server
    #[arg(
        long,
        value_name = "URL",
        env = "FLOWLINE_SERVER",
        default_value = "http://127.0.0.1:8815"
    )]
    server: String,
}

/// Which server, if any.
#[derive(Debug, Default, clap::Args)]
pub struct OptionalServer {
    /// Ask this server, such as http://127.0.0.1:8815
    #[arg(long, value_name = "URL", env = "FLOWLINE_SERVER")]
    pub server: Option<String>,
}

impl ServerArgs {
    /// A client of its control API.
    ///
    /// # Errors
    /// No URL; nobody listens there.
    pub async fn control(&self) -> Result<ControlClient<Channel>> {
        control(&self.server).await
    }
}

/// A client of a server's control API.
///
/// # Errors
/// No URL; nobody listens there.
pub async fn control(url: &str) -> Result<ControlClient<Channel>> {
    let client = ControlClient::new(channel(url).await?);
    Ok(client.max_decoding_message_size(MESSAGE))
}

/// A connection to a server.
///
/// # Errors
/// No URL; nobody listens there.
pub async fn channel(url: &str) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(url.to_string()).map_err(|e| {
        Error::usage(format!("--server: '{url}' is no URL"))
            .caused_by(e)
            .with_help("write http://HOST:PORT")
    })?;
    let connected = endpoint.connect_timeout(CONNECTING).connect().await;
    connected.map_err(|e| {
        Error::external(format!("no server answers at {url}"))
            .caused_by(e)
            .with_help("start one with 'flowline serve', or name another with --server URL")
    })
}

/// What a server answered, as an error. `files`: what was sent, so that mistakes are shown in it.
pub fn failed(status: &Status, files: &[Arc<SourceFile>]) -> Error {
    let kind = match status.code() {
        Code::InvalidArgument | Code::NotFound | Code::AlreadyExists | Code::Unimplemented => {
            ErrorKind::Usage
        }
        Code::FailedPrecondition | Code::OutOfRange => ErrorKind::Data,
        Code::Aborted => ErrorKind::Fenced,
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

/// A client of a server's tables.
pub type Flight = FlightServiceClient<Channel>;

/// A client of a server's tables.
///
/// # Errors
/// No URL; nobody listens there.
pub async fn flight(url: &str) -> Result<Flight> {
    let client = FlightServiceClient::new(channel(url).await?);
    Ok(client.max_decoding_message_size(MESSAGE))
}

/// Asks a statement: its columns, and its rows as they come.
///
/// # Errors
/// Mistakes in it; tables that cannot be read.
pub async fn ask(client: &mut Flight, sql: &str) -> Result<(SchemaRef, Answer)> {
    let text = SourceFile::new(QUERY, sql);
    let told = move |status: &Status| failed(status, &[Arc::clone(&text)]);
    let command = CommandStatementQuery {
        query: sql.to_string(),
        transaction_id: None,
    };
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
