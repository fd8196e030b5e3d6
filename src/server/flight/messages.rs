//! Rows as the messages of a Flight stream.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use futures::{StreamExt as _, TryStreamExt as _};
use prost::bytes::Bytes;
use tonic::{Response, Status};

use super::{Rows, internal};
use crate::server::queries::Answer;
use crate::server::status::status;
use crate::server::subscription::{Changes, EpochChanges};

/// An answer.
pub fn answered(answer: Answer) -> Rows {
    match answer {
        Answer::Snapshot(schema, rows) => {
            let rows = rows.map_err(|e| FlightError::Tonic(Box::new(status(&e))));
            let encoded = FlightDataEncoderBuilder::new()
                .with_schema(schema)
                .build(rows);
            encoded.map_err(failed).boxed()
        }
        Answer::Subscription(schema, changes) => subscribed(schema, changes),
    }
}

fn failed(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        other => internal(other),
    }
}

/// What is said of rows of a subscription.
fn mark(epoch: u64, is_complete: bool) -> Bytes {
    let said = serde_json::json!({"epoch": epoch, "complete": is_complete});
    said.to_string().into()
}

/// Changes epoch by epoch. The metadata of each message is JSON: its epoch, and whether that is complete with it.
fn subscribed(schema: SchemaRef, changes: Changes) -> Rows {
    let first = encoded(SchemaRef::clone(&schema), Vec::new());
    let first = futures::stream::once(first).map_ok(|messages| messages.into_iter().take(1));
    let others = changes.then(move |changes| {
        let schema = SchemaRef::clone(&schema);
        async move {
            let EpochChanges { epoch, rows } = changes.map_err(|e| status(&e))?;
            let mut messages = encoded(schema, vec![rows]).await?;
            let last = messages.len().saturating_sub(1);
            for (at, message) in messages.iter_mut().enumerate() {
                message.app_metadata = mark(epoch, at == last);
            }
            // The schema was said before. Where there are no rows there is only the word that the epoch is over.
            let said = messages.split_off(messages.len().min(1));
            Ok::<_, Status>(match said.is_empty() {
                true => vec![FlightData {
                    app_metadata: mark(epoch, true),
                    ..FlightData::default()
                }],
                false => said,
            })
        }
    });
    let first = first.map_ok(|messages| messages.collect::<Vec<_>>());
    first
        .chain(others)
        .map_ok(|messages| futures::stream::iter(messages.into_iter().map(Ok)))
        .try_flatten()
        .boxed()
}

/// The schema and some batches as messages.
async fn encoded(schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<Vec<FlightData>, Status> {
    let batches = futures::stream::iter(batches.into_iter().map(Ok));
    let encoded = FlightDataEncoderBuilder::new()
        .with_schema(schema)
        .build(batches);
    encoded.try_collect().await.map_err(failed)
}

/// Rows that are known.
pub fn known(batch: RecordBatch) -> Result<Response<Rows>, Status> {
    let rows = futures::stream::iter([Ok(batch.clone())]);
    let encoded = FlightDataEncoderBuilder::new()
        .with_schema(batch.schema())
        .build(rows);
    Ok(Response::new(encoded.map_err(internal).boxed()))
}
