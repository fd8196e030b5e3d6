//! Rows that a client sends in batches: fitted to the columns of a table and inserted.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, SchemaRef};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::server::PeekableFlightDataStream;
use arrow_flight::sql::{CommandStatementIngest, TableExistsOption, TableNotExistOption};
use futures::{Stream, TryStreamExt as _};
use tonic::Status;

use super::internal;
use crate::batch::{all_nullable, plain_type};
use crate::catalog::Table;
use crate::planner::types::{flink_name, sql_type};
use crate::server::queries::{ClientOptions, Queries};
use crate::server::status::status;
use crate::sql::quoted;

/// Rows that are inserted together, at least, where so many come.
const TOGETHER: usize = 64 << 10;

/// The batches that a client sends after a command.
pub fn batches(
    sent: PeekableFlightDataStream,
) -> impl Stream<Item = Result<RecordBatch, Status>> + Send + Unpin {
    let sent = sent.into_peekable().map_err(FlightError::from);
    FlightRecordBatchStream::new_from_flight_data(sent).map_err(|e| match e {
        FlightError::Tonic(status) => *status,
        other => Status::invalid_argument(format!("the rows cannot be read: {other}")),
    })
}

/// Inserts all rows into the table that a command names; returns how many. Up to [`TOGETHER`] rows become visible at once.
pub async fn insert(
    queries: &Queries,
    command: &CommandStatementIngest,
    options: ClientOptions,
    sent: PeekableFlightDataStream,
) -> Result<i64, Status> {
    let mut batches = batches(sent);
    let database = command.schema.as_deref().filter(|name| !name.is_empty());
    let options = match database {
        Some(_) => ClientOptions::of_database(database),
        None => options,
    };
    let mut first = batches.try_next().await?;
    create(queries, command, &options, first.as_ref()).await?;
    let target = queries.target(&command.table, &options);
    let (target, table) = target.map_err(|e| status(&e))?;
    let (mut rows, mut count) = (Vec::new(), 0);
    let mut inserted = 0;
    loop {
        let batch = match first.take() {
            Some(batch) => Some(batch),
            None => batches.try_next().await?,
        };
        let is_last = batch.is_none();
        if let Some(batch) = batch {
            count += batch.num_rows();
            rows.push(fitted(&batch, &table)?);
        }
        if is_last || count >= TOGETHER {
            count = 0;
            let taken = target.insert(std::mem::take(&mut rows)).await;
            let taken = taken.map_err(|e| after(inserted, status(&e)))?;
            inserted += i64::try_from(taken).unwrap_or(i64::MAX);
        }
        if is_last {
            return Ok(inserted);
        }
    }
}

/// A failure after some rows were inserted says so.
fn after(inserted: i64, failed: Status) -> Status {
    match inserted {
        0 => failed,
        n => Status::new(
            failed.code(),
            format!("after {n} rows that are inserted: {}", failed.message()),
        ),
    }
}

/// Creates the table where the command asks for it and there is none.
async fn create(
    queries: &Queries,
    command: &CommandStatementIngest,
    client: &ClientOptions,
    first: Option<&RecordBatch>,
) -> Result<(), Status> {
    let options = command.table_definition_options.unwrap_or_default();
    if options.if_exists() == TableExistsOption::Replace {
        return Err(Status::invalid_argument(
            "a table cannot be replaced: end its job with 'flowline cancel', and create another one",
        ));
    }
    let is_there = queries.has_table(&command.table, client);
    if is_there.map_err(|e| status(&e))? {
        return match options.if_exists() {
            TableExistsOption::Fail => Err(Status::already_exists(format!(
                "table '{}' is there already",
                command.table
            ))),
            _ => Ok(()),
        };
    }
    let (TableNotExistOption::Create, Some(first)) = (options.if_not_exist(), first) else {
        return Ok(());
    };
    let columns = first.schema_ref().fields().iter().map(|field| {
        let plain = plain(field.data_type());
        format!("{} {}", quoted(field.name()), sql_type(&plain).kind)
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    let name = quoted(&command.table);
    let sql = match &client.database {
        Some(job) => format!(
            "SET 'pipeline.name' = '{}'; CREATE TABLE {name} ({columns});",
            job.replace('\'', "''")
        ),
        None => format!("CREATE TABLE {name} ({columns});"),
    };
    queries
        .answer(&sql, &ClientOptions::default())
        .await
        .map_err(|e| status(&e))?;
    Ok(())
}

/// The type of a column that is created for values of this one.
fn plain(given: &DataType) -> DataType {
    match given {
        DataType::Float16 => DataType::Float32,
        DataType::Null => DataType::Utf8,
        DataType::Date64 => DataType::Date32,
        DataType::Dictionary(_, value) => plain(value),
        other => plain_type(other),
    }
}

/// A batch with the columns of a table, found by name.
fn fitted(batch: &RecordBatch, table: &Table) -> Result<RecordBatch, Status> {
    let wanted: SchemaRef = all_nullable(&table.sink_schema());
    let mut columns: Vec<Option<ArrayRef>> = vec![None; wanted.fields().len()];
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let place = wanted.index_of(field.name()).map_err(|_| {
            let names: Vec<&str> = wanted.fields().iter().map(|f| f.name().as_str()).collect();
            Status::invalid_argument(format!(
                "table '{}' has no column '{}' that can be written\nhelp: its columns are {}",
                table.name,
                field.name(),
                names.join(", ")
            ))
        })?;
        let to = wanted.field(place).data_type();
        let from = column.data_type();
        let refused = |why: &str| {
            Status::invalid_argument(format!(
                "column '{}' of table '{}' is {}, and the rows have {} there{why}",
                field.name(),
                table.name,
                flink_name(to),
                flink_name(from),
            ))
        };
        if !fits(from, to) {
            return Err(refused("\nhelp: cast them first"));
        }
        let strictly = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let cast = cast_with_options(column, to, &strictly);
        columns[place] = Some(cast.map_err(|e| refused(&format!(": {e}")))?);
    }
    let columns = columns
        .into_iter()
        .zip(wanted.fields())
        .map(|(column, field)| {
            column.unwrap_or_else(|| new_null_array(field.data_type(), batch.num_rows()))
        });
    RecordBatch::try_new(Arc::clone(&wanted), columns.collect()).map_err(internal)
}

/// Whether values of a type can go into a column of another; a value that is out of its range is refused later.
fn fits(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    let is_text = |t: &T| matches!(t, T::Utf8 | T::LargeUtf8 | T::Utf8View);
    let is_bytes = |t: &T| {
        matches!(
            t,
            T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_)
        )
    };
    let is_day = |t: &T| matches!(t, T::Date32 | T::Date64);
    match (from, to) {
        (T::Null, _) => true,
        (T::Dictionary(_, value), to) => fits(value, to),
        (from, to) if from == to => true,
        (from, to) if from.is_integer() => to.is_numeric(),
        (from, to) if from.is_floating() => to.is_floating(),
        (T::Decimal128(..) | T::Decimal256(..), T::Decimal128(..)) => true,
        (T::Timestamp(..), T::Timestamp(..)) => true,
        (T::Time32(_) | T::Time64(_), T::Time32(_) | T::Time64(_)) => true,
        (T::List(a) | T::LargeList(a), T::List(b)) => fits(a.data_type(), b.data_type()),
        (from, to) => {
            is_text(from) && is_text(to)
                || is_bytes(from) && is_bytes(to)
                || is_day(from) && is_day(to)
        }
    }
}
