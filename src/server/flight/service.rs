//! Arrow Flight, of which Flight SQL is a part: what `FlightSqlService` leaves out, and everything else passed on to it.

use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, Any, Command, CommandStatementQuery,
    ProstMessageExt as _,
};
use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, Criteria,
    Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, PollInfo, SchemaResult,
    Ticket,
};
use futures::StreamExt as _;
use prost::Message as _;
use tonic::{Request, Response, Status, Streaming};

use super::FlightSql;
use crate::server::status::status;
use crate::sql::quoted;

/// The service.
pub struct Flight(pub FlightSql);

/// Actions that `FlightSqlService` does not have.
const ACTIONS: [(&str, &str); 4] = [
    (
        "CancelFlightInfo",
        "Cancels a query that is being answered.",
    ),
    (
        "SetSessionOptions",
        "Sets what counts for all queries of a client: catalog, schema, and SET keys.",
    ),
    ("GetSessionOptions", "Shows what a client has set."),
    ("CloseSession", "Forgets what a client has set."),
];

/// `CancelQuery`, which `CancelFlightInfo` has replaced.
const CANCEL_QUERY: &str = "CancelQuery";

/// The command of a descriptor; a path is a table.
fn command(descriptor: &FlightDescriptor) -> Result<Vec<u8>, Status> {
    let path = &descriptor.path;
    if path.is_empty() {
        check(&descriptor.cmd)?;
        return Ok(descriptor.cmd.to_vec());
    }
    let quoted = path.iter().map(|part| quoted(part));
    let query = CommandStatementQuery {
        query: format!("SELECT * FROM {}", quoted.collect::<Vec<_>>().join(".")),
        transaction_id: None,
    };
    Ok(query.as_any().encode_to_vec())
}

/// Whether bytes are a command of Flight SQL.
fn check(bytes: &[u8]) -> Result<(), Status> {
    let unreadable =
        |why: String| Status::invalid_argument(format!("this is no command of Flight SQL: {why}"));
    let any = Any::decode(bytes).map_err(|e| unreadable(e.to_string()))?;
    match Command::try_from(any).map_err(|e| unreadable(e.to_string()))? {
        Command::Unknown(any) => Err(Status::unimplemented(format!(
            "this is no command of Flight SQL that the server knows: '{}'",
            any.type_url
        ))),
        _ => Ok(()),
    }
}

#[tonic::async_trait]
impl FlightService for Flight {
    type HandshakeStream = <FlightSql as FlightService>::HandshakeStream;
    type ListFlightsStream = <FlightSql as FlightService>::ListFlightsStream;
    type DoGetStream = <FlightSql as FlightService>::DoGetStream;
    type DoPutStream = <FlightSql as FlightService>::DoPutStream;
    type DoActionStream = <FlightSql as FlightService>::DoActionStream;
    type ListActionsStream = <FlightSql as FlightService>::ListActionsStream;
    type DoExchangeStream = <FlightSql as FlightService>::DoExchangeStream;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        self.0.handshake(request).await
    }

    /// The tables, each with a path and the way to its rows.
    async fn list_flights(
        &self,
        _: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        let databases = self.0.queries.databases().map_err(|e| status(&e))?;
        let mut flights = Vec::new();
        for (database, relations) in databases {
            for (name, _) in relations.iter() {
                let path = vec![database.clone(), name.clone()];
                let descriptor = FlightDescriptor::new_path(path);
                match self.get_flight_info(Request::new(descriptor)).await {
                    Ok(flight) => flights.push(Ok(flight.into_inner())),
                    // A view over what is gone has no columns.
                    Err(_) => continue,
                }
            }
        }
        Ok(Response::new(futures::stream::iter(flights).boxed()))
    }

    async fn get_flight_info(
        &self,
        mut request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let descriptor = request.get_ref().clone();
        request.get_mut().cmd = command(&descriptor)?.into();
        let mut info = self.0.get_flight_info(request).await?;
        info.get_mut().flight_descriptor = Some(descriptor);
        Ok(info)
    }

    /// A query is ready to be read as soon as it is planned.
    async fn poll_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        let info = self.get_flight_info(request).await?;
        Ok(info.map(|info| PollInfo {
            info: Some(info),
            flight_descriptor: None,
            progress: Some(1.0),
            expiration_time: None,
        }))
    }

    async fn get_schema(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        let info = self.get_flight_info(request).await?;
        Ok(info.map(|info| SchemaResult {
            schema: info.schema,
        }))
    }

    async fn do_get(
        &self,
        request: Request<Ticket>,
    ) -> Result<Response<Self::DoGetStream>, Status> {
        check(&request.get_ref().ticket)?;
        self.0.do_get(request).await
    }

    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        self.0.do_put(request).await
    }

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        self.0.do_exchange(request).await
    }

    async fn list_actions(
        &self,
        request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        let actions = self.0.list_actions(request).await?;
        let more = ACTIONS.map(|(name, description)| {
            Ok(ActionType {
                r#type: name.to_string(),
                description: description.to_string(),
            })
        });
        Ok(actions.map(|actions| actions.chain(futures::stream::iter(more)).boxed()))
    }

    async fn do_action(
        &self,
        request: Request<Action>,
    ) -> Result<Response<Self::DoActionStream>, Status> {
        let unreadable = |e: prost::DecodeError| {
            Status::invalid_argument(format!("the action cannot be read: {e}"))
        };
        let action = request.get_ref();
        let (metadata, sessions) = (request.metadata(), &self.0.sessions);
        let mut cookie = None;
        let body = match action.r#type.as_str() {
            "SetSessionOptions" => {
                let (body, new) = sessions.set(metadata, &action.body, &self.0.queries)?;
                cookie = new;
                body
            }
            "GetSessionOptions" => sessions.get(metadata),
            "CloseSession" => sessions.close(metadata),
            "CancelFlightInfo" => {
                let request = CancelFlightInfoRequest::decode(&*action.body).map_err(unreadable)?;
                let cancelled = request.info.is_some_and(|info| self.0.cancel(&info));
                let status = match cancelled {
                    true => CancelStatus::Cancelled,
                    false => CancelStatus::NotCancellable,
                };
                CancelFlightInfoResult::new(status).encode_to_vec()
            }
            CANCEL_QUERY => {
                let any = Any::decode(&*action.body).map_err(unreadable)?;
                let request: Option<ActionCancelQueryRequest> = any.unpack().unwrap_or_default();
                let info = request.map(|request| FlightInfo::decode(request.info));
                let info = info.transpose().map_err(unreadable)?;
                let cancelled = info.is_some_and(|info| self.0.cancel(&info));
                // CANCEL_RESULT_CANCELLED, and CANCEL_RESULT_NOT_CANCELLABLE.
                let result = if cancelled { 1 } else { 3 };
                let result = ActionCancelQueryResult { result };
                result.as_any().encode_to_vec()
            }
            _ => return self.0.do_action(request).await,
        };
        let result = arrow_flight::Result { body: body.into() };
        let mut response = Response::new(futures::stream::iter([Ok(result)]).boxed());
        if let Some(cookie) = cookie.and_then(|cookie| cookie.parse().ok()) {
            response.metadata_mut().insert("set-cookie", cookie);
        }
        Ok(response)
    }
}
