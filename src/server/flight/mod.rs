//! Arrow Flight SQL: statements, prepared statements, and what there is to ask about.

mod catalog;
mod ingest;
mod messages;
mod parameters;
mod running;
mod service;
mod sessions;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, Any, Command, CommandGetCatalogs,
    CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
    CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables,
    CommandGetXdbcTypeInfo, CommandPreparedStatementQuery, CommandPreparedStatementUpdate,
    CommandStatementIngest, CommandStatementQuery, CommandStatementUpdate,
    DoPutPreparedStatementResult, ProstMessageExt, SqlInfo, TicketStatementQuery,
};
use arrow_flight::{
    Action, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest,
    HandshakeResponse, IpcMessage, SchemaAsIpc, Ticket,
};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use prost::bytes::Bytes;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Response, Status, Streaming};

use super::access::{Access, Caller, Role};
use super::queries::Queries;
use super::status::status;
use super::writes::is_change;
use crate::error::Error;
use crate::sql::with_parameters;

pub use service::Flight;

use messages::{answered, known};
use running::Running;
use sessions::Sessions;

type Rows = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;

/// How many prepared statements clients may leave open.
const PREPARED: usize = 10_000;

/// The service.
pub struct FlightSql {
    queries: Arc<Queries>,
    access: Option<Arc<Access>>,
    prepared: Mutex<HashMap<Bytes, Prepared>>,
    sessions: Sessions,
    running: Running,
}

/// A prepared statement.
#[derive(Clone)]
struct Prepared {
    sql: String,
    /// The values of its parameters, as literals.
    parameters: Vec<String>,
}

impl Prepared {
    /// The text with its parameters; those without a value are NULL.
    fn bound(&self) -> String {
        with_parameters(&self.sql, &self.parameters)
    }
}

impl FlightSql {
    /// Answers by these queries.
    pub fn new(queries: Arc<Queries>, access: Option<Arc<Access>>) -> Self {
        Self {
            queries,
            access,
            prepared: Mutex::default(),
            sessions: Sessions::default(),
            running: Running::default(),
        }
    }

    fn schema(&self, sql: &str, metadata: &MetadataMap) -> Result<SchemaRef, Status> {
        let schema = self.queries.schema(sql, &self.sessions.options(metadata));
        schema.map_err(|e| status(&e))
    }

    /// The answer to a query; `name` is that in its ticket.
    async fn answer<T>(
        &self,
        sql: &str,
        name: &[u8],
        request: &Request<T>,
    ) -> Result<Response<Rows>, Status> {
        if is_change(sql) {
            self.may_submit(request.extensions())?;
        }
        let options = self.sessions.options(request.metadata());
        let answer = self.queries.answer(sql, &options).await;
        let rows = answered(answer.map_err(|e| status(&e))?);
        Ok(Response::new(self.running.cancellable(name, rows)))
    }

    /// Cancels the answer that is given for a ticket; whether it was being given.
    fn cancel(&self, info: &FlightInfo) -> bool {
        let tickets = info.endpoint.iter().filter_map(|e| e.ticket.as_ref());
        let mut commands = tickets.filter_map(|t| Any::decode(&*t.ticket).ok());
        commands.any(|any| match Command::try_from(any) {
            Ok(Command::TicketStatementQuery(ticket)) => {
                let (name, _) = named(&ticket.statement_handle);
                self.running.cancel(name)
            }
            Ok(Command::CommandPreparedStatementQuery(query)) => {
                self.running.cancel(&query.prepared_statement_handle)
            }
            _ => false,
        })
    }

    /// Changes something with statements; returns how many rows were inserted.
    async fn update(
        &self,
        texts: &[String],
        extensions: &Extensions,
        metadata: &MetadataMap,
    ) -> Result<i64, Status> {
        self.may_submit(extensions)?;
        let options = self.sessions.options(metadata);
        let inserted = self.queries.update(texts, &options).await;
        Ok(i64::try_from(inserted.map_err(|e| status(&e))?).unwrap_or(i64::MAX))
    }

    /// Whether the caller may change what a server has.
    fn may_submit(&self, caller: &Extensions) -> Result<(), Status> {
        match (&self.access, caller.get::<Caller>()) {
            (None, _) => Ok(()),
            (Some(_), Some(caller)) => caller.check(Role::Submit),
            (Some(_), None) => Err(Status::unauthenticated("this server asks who calls")),
        }
    }

    /// The text of a prepared statement, with its parameters.
    fn prepared(&self, handle: &Bytes) -> Result<String, Status> {
        let statement = self.statement(handle)?;
        parameters::check(&statement.sql, statement.parameters.len())?;
        Ok(statement.bound())
    }

    fn statement(&self, handle: &Bytes) -> Result<Prepared, Status> {
        let prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        prepared.get(handle).cloned().ok_or_else(|| {
            Status::not_found("there is no such prepared statement: it was closed, or the server was started again since")
        })
    }
}

/// The name and the SQL in the handle of a statement.
fn named(handle: &[u8]) -> (&[u8], &[u8]) {
    handle.split_at(handle.len().min(32))
}

/// A bug, as a status.
fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Status {
    status(&Error::internal("an answer cannot be written").caused_by(error))
}

/// The way to rows: one endpoint, here.
fn info(
    schema: &Schema,
    ticket: Vec<u8>,
    descriptor: FlightDescriptor,
) -> Result<Response<FlightInfo>, Status> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(ticket));
    let info = FlightInfo::new()
        .try_with_schema(schema)
        .map_err(internal)?
        .with_endpoint(endpoint)
        .with_descriptor(descriptor);
    Ok(Response::new(info))
}

/// The way to rows that a command asks for: the command is its own ticket.
fn info_of(
    schema: &Schema,
    command: &impl ProstMessageExt,
    request: Request<FlightDescriptor>,
) -> Result<Response<FlightInfo>, Status> {
    let ticket = command.as_any().encode_to_vec();
    info(schema, ticket, request.into_inner())
}

/// A schema as prepared statements carry it.
fn ipc(schema: &Schema) -> Result<Bytes, Status> {
    let message: IpcMessage = SchemaAsIpc::new(schema, &Default::default())
        .try_into()
        .map_err(internal)?;
    Ok(message.0)
}

#[tonic::async_trait]
impl FlightSqlService for FlightSql {
    type FlightService = Self;

    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<
        Response<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>>,
        Status,
    > {
        let caller = request.extensions().get::<Caller>();
        let session = match (&self.access, caller) {
            (Some(access), Some(caller)) => access.session(caller),
            // Nobody is asked who they are: any answer lets clients go on.
            _ => None,
        };
        let answer = HandshakeResponse {
            payload: session.clone().unwrap_or_default().into(),
            ..HandshakeResponse::default()
        };
        let mut response = Response::new(futures::stream::iter([Ok(answer)]).boxed());
        if let Some(session) = session {
            let bearer = format!("Bearer {session}").parse().map_err(internal)?;
            response.metadata_mut().insert("authorization", bearer);
        }
        Ok(response)
    }

    #[allow(clippy::disallowed_methods, reason = "a name that no other query has")]
    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let schema = self.schema(&query.query, request.metadata())?;
        // The handle is a name, by which the answer can be cancelled, and the SQL itself: whoever has it could ask it anyway.
        let ticket = TicketStatementQuery {
            statement_handle: format!("{:032x}{}", fastrand::u128(..), query.query).into(),
        };
        info_of(&schema, &ticket, request)
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        let (name, sql) = named(&ticket.statement_handle);
        let sql = std::str::from_utf8(sql)
            .map_err(|_| Status::invalid_argument("the ticket is not one of this server"))?;
        self.answer(sql, name, &request).await
    }

    // ---- Prepared statements ----

    #[allow(
        clippy::disallowed_methods,
        reason = "a handle that no other statement has"
    )]
    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let statement = Prepared {
            sql: query.query,
            parameters: Vec::new(),
        };
        let parameters = parameters::schema(&statement.sql);
        let schema = match self.schema(&statement.bound(), request.metadata()) {
            Ok(schema) => schema,
            // Its columns are known once the parameters are, and so are its mistakes.
            Err(_) if !parameters.fields().is_empty() => Arc::new(Schema::empty()),
            Err(mistake) => return Err(mistake),
        };
        let handle = Bytes::from(format!("{:032x}", fastrand::u128(..)));
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if prepared.len() >= PREPARED {
            return Err(Status::resource_exhausted(format!(
                "{PREPARED} prepared statements are open: close those that are not needed"
            )));
        }
        prepared.insert(handle.clone(), statement);
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: handle,
            dataset_schema: ipc(&schema)?,
            parameter_schema: ipc(&parameters)?,
        })
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let sql = self.prepared(&query.prepared_statement_handle)?;
        let schema = self.schema(&sql, request.metadata())?;
        info_of(&schema, &query, request)
    }

    async fn do_get_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        let sql = self.prepared(&query.prepared_statement_handle)?;
        let name = &query.prepared_statement_handle;
        self.answer(&sql, name, &request).await
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let handle = query.prepared_statement_handle;
        let sql = self.statement(&handle)?.sql;
        let rows = ingest::batches(request.into_inner());
        let rows: Vec<RecordBatch> = rows.try_collect().await?;
        let values = match parameters::literals(&sql, &rows)?.as_mut_slice() {
            [values] => std::mem::take(values),
            rows => {
                return Err(Status::invalid_argument(format!(
                    "a query takes one row of parameters, not {}: ask it once for each row",
                    rows.len()
                )));
            }
        };
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statement) = prepared.get_mut(&handle) {
            statement.parameters = values;
        }
        Ok(DoPutPreparedStatementResult {
            prepared_statement_handle: Some(handle),
        })
    }

    async fn do_action_close_prepared_statement(
        &self,
        query: ActionClosePreparedStatementRequest,
        _: Request<Action>,
    ) -> Result<(), Status> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        prepared.remove(&query.prepared_statement_handle);
        Ok(())
    }

    // ---- Changes ----

    async fn do_put_statement_update(
        &self,
        update: CommandStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        let (extensions, metadata) = (request.extensions(), request.metadata());
        self.update(&[update.query], extensions, metadata).await
    }

    /// Runs the statement once for each row of parameters. Either all rows that it inserts are durable, or an error says how many.
    async fn do_put_prepared_statement_update(
        &self,
        update: CommandPreparedStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        let handle = update.prepared_statement_handle;
        let (metadata, extensions, sent) = request.into_parts();
        let statement = self.statement(&handle)?;
        let rows = ingest::batches(sent);
        let rows: Vec<RecordBatch> = rows.try_collect().await?;
        let rows = parameters::literals(&statement.sql, &rows)?;
        let bound = rows.iter().map(|row| with_parameters(&statement.sql, row));
        let texts: Vec<String> = match rows.is_empty() {
            true => vec![self.prepared(&handle)?],
            false => bound.collect(),
        };
        self.update(&texts, &extensions, &metadata).await
    }

    async fn do_put_statement_ingest(
        &self,
        command: CommandStatementIngest,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        self.may_submit(request.extensions())?;
        let options = self.sessions.options(request.metadata());
        ingest::insert(&self.queries, &command, options, request.into_inner()).await
    }

    async fn do_put_error_callback(
        &self,
        _: Request<PeekableFlightDataStream>,
        error: arrow_flight::sql::server::DoPutError,
    ) -> Result<Response<<Self as FlightService>::DoPutStream>, Status> {
        Err(Status::invalid_argument(error.to_string()))
    }

    // ---- What there is ----

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of(&query.into_builder().schema(), &query, request)
    }

    async fn do_get_catalogs(
        &self,
        query: CommandGetCatalogs,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        let mut builder = query.into_builder();
        builder.append(catalog::CATALOG);
        known(builder.build().map_err(internal)?)
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of(&query.clone().into_builder().schema(), &query, request)
    }

    async fn do_get_schemas(
        &self,
        query: CommandGetDbSchemas,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        let databases = self.queries.databases().map_err(|e| status(&e))?;
        let mut builder = query.into_builder();
        for (database, _) in databases {
            builder.append(catalog::CATALOG, database);
        }
        known(builder.build().map_err(internal)?)
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of(&query.clone().into_builder().schema(), &query, request)
    }

    async fn do_get_tables(
        &self,
        query: CommandGetTables,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        known(catalog::tables(&self.queries, query)?)
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of(&query.into_builder().schema(), &query, request)
    }

    async fn do_get_table_types(
        &self,
        query: CommandGetTableTypes,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        let mut builder = query.into_builder();
        for name in catalog::TABLE_TYPES {
            builder.append(name);
        }
        known(builder.build().map_err(internal)?)
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let facts = catalog::sql_info()?;
        let schema = query.clone().into_builder(&facts).schema();
        info_of(&schema, &query, request)
    }

    async fn do_get_sql_info(
        &self,
        query: CommandGetSqlInfo,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        let facts = catalog::sql_info()?;
        known(query.into_builder(&facts).build().map_err(internal)?)
    }

    async fn get_flight_info_primary_keys(
        &self,
        query: CommandGetPrimaryKeys,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of(&catalog::primary_keys_schema(), &query, request)
    }

    async fn do_get_primary_keys(
        &self,
        query: CommandGetPrimaryKeys,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        known(catalog::primary_keys(&self.queries, &query)?)
    }

    async fn get_flight_info_exported_keys(
        &self,
        query: CommandGetExportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of(&catalog::foreign_keys_schema(), &query, request)
    }

    async fn do_get_exported_keys(
        &self,
        _: CommandGetExportedKeys,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        known(RecordBatch::new_empty(catalog::foreign_keys_schema()))
    }

    async fn get_flight_info_imported_keys(
        &self,
        query: CommandGetImportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of(&catalog::foreign_keys_schema(), &query, request)
    }

    async fn do_get_imported_keys(
        &self,
        _: CommandGetImportedKeys,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        known(RecordBatch::new_empty(catalog::foreign_keys_schema()))
    }

    async fn get_flight_info_cross_reference(
        &self,
        query: CommandGetCrossReference,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of(&catalog::foreign_keys_schema(), &query, request)
    }

    async fn do_get_cross_reference(
        &self,
        _: CommandGetCrossReference,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        known(RecordBatch::new_empty(catalog::foreign_keys_schema()))
    }

    async fn get_flight_info_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let facts = catalog::type_info()?;
        let schema = query.into_builder(&facts).schema();
        info_of(&schema, &query, request)
    }

    async fn do_get_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        let facts = catalog::type_info()?;
        known(query.into_builder(&facts).build().map_err(internal)?)
    }

    async fn do_get_fallback(
        &self,
        _: Request<Ticket>,
        message: Any,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        Err(Status::unimplemented(format!(
            "'{}' is not answered with rows",
            message.type_url
        )))
    }

    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}
