//! From messages to rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::Schema;
use rdkafka::message::{BorrowedMessage, Message};

use super::layout::{Layout, Meta, Origin, Part, meta_array};
use crate::clock::{Clock as _, SystemClock};
use crate::connectors::{BadRecord, BadRows, ReadRequest, bad_row_text};
use crate::error::{Error, Result};
use crate::formats::{BadRow, Decoded, Decoder, decode_each};

/// Where a column of the rows comes from: an index is that of the decoder's output.
#[derive(Debug, Clone, Copy)]
enum Column {
    Key(usize),
    Value(usize),
    Meta(Meta),
}

/// Decodes the columns asked for.
pub(super) struct Rows {
    key: Option<Box<dyn Decoder>>,
    value: Box<dyn Decoder>,
    columns: Vec<Column>,
    /// Records without a value are rows too.
    keeps_tombstones: bool,
    /// They delete their key.
    is_upsert: bool,
    /// A record whose key gives no row is passed over.
    ignores_bad_keys: bool,
    request: ReadRequest,
    /// Records that gave no row, where somebody reads them.
    bad: Option<BadRows>,
}

impl Rows {
    /// # Errors
    /// A column that Kafka does not have.
    pub(super) fn new(layout: &Layout, is_upsert: bool, request: &ReadRequest) -> Result<Self> {
        let keeps_tombstones = is_upsert
            || layout.value.format.takes_null()
            || request
                .columns
                .iter()
                .any(|c| layout.origins[*c] == Origin::Meta(Meta::Tombstone));
        // A tombstone has its key only: key columns come from there then, even if the value has them too.
        let in_key = |column: usize| {
            let key = layout.key.as_ref().filter(|_| keeps_tombstones)?;
            key.columns
                .iter()
                .position(|c| *c == column)
                .map(Origin::Key)
        };
        let origins: Vec<Origin> = request
            .columns
            .iter()
            .map(|c| in_key(*c).unwrap_or(layout.origins[*c]))
            .collect();
        let sorted = |pick: fn(&Origin) -> Option<usize>| {
            let mut fields: Vec<usize> = origins.iter().filter_map(pick).collect();
            fields.sort_unstable();
            fields
        };
        let keys = sorted(|o| {
            if let Origin::Key(i) = o {
                Some(*i)
            } else {
                None
            }
        });
        let values = sorted(|o| {
            if let Origin::Value(i) = o {
                Some(*i)
            } else {
                None
            }
        });
        let place = |fields: &[usize], i: usize| fields.iter().position(|f| *f == i);
        let mut columns = Vec::with_capacity(origins.len());
        for (origin, field) in origins.iter().zip(request.schema.fields()) {
            let column = match origin {
                Origin::Key(i) => place(&keys, *i).map(Column::Key),
                Origin::Value(i) => place(&values, *i).map(Column::Value),
                Origin::Meta(meta) => Some(Column::Meta(*meta)),
                Origin::None => None,
            };
            columns.push(column.ok_or_else(|| {
                Error::internal(format!(
                    "column '{}' cannot be read from Kafka",
                    field.name()
                ))
            })?);
        }
        let decoder = |part: &Part, fields: &[usize]| part.format.decoder(fields);
        Ok(Self {
            key: layout
                .key
                .as_ref()
                .filter(|_| !keys.is_empty())
                .map(|part| decoder(part, &keys)),
            value: decoder(&layout.value, &values),
            columns,
            keeps_tombstones,
            is_upsert,
            ignores_bad_keys: layout.ignores_bad_keys,
            bad: request.keep_bad_rows.as_deref().map(BadRows::new),
            request: request.clone(),
        })
    }

    /// The rows of messages of one partition; none where none of them has a value.
    ///
    /// # Errors
    /// A message that does not decode.
    pub(super) fn decode(
        &mut self,
        topic: &str,
        partition: i32,
        messages: &[BorrowedMessage<'_>],
    ) -> Result<Option<(RecordBatch, Option<Int64Array>)>> {
        let metrics = Arc::clone(&self.request.metrics);
        // A message whose key does not decode is no row.
        let mut bad_keys = match (&mut self.key, &mut self.bad) {
            (Some(decoder), Some(rows)) => {
                bad_keys(&mut **decoder, messages, topic, rows, &metrics)
            }
            _ => Vec::new(),
        };
        if self.is_upsert {
            for message in messages.iter().filter(|m| m.key().is_none()) {
                self.without_key(topic, message)?;
                bad_keys.push(message.offset());
            }
        }
        // Without a value there is no row: as in Flink, it is passed over.
        let messages: Vec<&BorrowedMessage<'_>> = messages
            .iter()
            .filter(|m| !bad_keys.contains(&m.offset()))
            .filter(|m| self.keeps_tombstones || m.payload().is_some())
            .collect();
        if messages.is_empty() {
            return Ok(None);
        }
        let (with_value, payloads): (Vec<usize>, Vec<&[u8]>) = messages
            .iter()
            .enumerate()
            .filter_map(|(i, m)| Some((i, m.payload()?)))
            .unzip();
        let place = |i: usize| {
            let offset = messages.get(i).map_or(-1, |m| m.offset());
            format!("topic '{topic}' partition {partition} offset {offset}")
        };
        let value_place = |payload: usize| place(with_value.get(payload).copied().unwrap_or(0));
        let decoded = match &self.bad {
            None => self.value.decode(&payloads),
            Some(_) => decode_each(&mut *self.value, &payloads),
        };
        let decoded = decoded.map_err(|bad| bad_message(&value_place(bad.payload), &bad))?;
        for bad in &decoded.skipped {
            metrics.bad_row(&value_place(bad.payload), bad);
            if let (Some(rows), Some(i)) = (&mut self.bad, with_value.get(bad.payload)) {
                keep(rows, topic, messages[*i], bad);
            }
        }
        // The message of each row, and which decoded value is its.
        let payload_of = |row: usize| {
            decoded
                .origins
                .as_ref()
                .map_or(row, |origins| origins[row] as usize)
        };
        let mut sources: Vec<(usize, Option<u32>)> = (0..decoded.rows.num_rows())
            .zip(0u32..)
            .map(|(row, number)| (with_value[payload_of(row)], Some(number)))
            .collect();
        if self.keeps_tombstones {
            let tombstones = (0..messages.len()).filter(|i| messages[*i].payload().is_none());
            sources.extend(tombstones.map(|i| (i, None)));
            sources.sort_by_key(|(message, _)| *message);
        }
        let rows = sources.len();
        let message_of = |row: usize| sources[row].0;
        let values: UInt32Array = sources.iter().map(|(_, value)| *value).collect();
        let keys = match &mut self.key {
            None => None,
            Some(decoder) => {
                let (keys, key_of) = decode_keys(&mut **decoder, &messages, &place, &metrics)?;
                let indices: UInt32Array = (0..rows).map(|row| key_of[message_of(row)]).collect();
                Some((keys, indices))
            }
        };
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (column, field) in self.columns.iter().zip(self.request.schema.fields()) {
            columns.push(match column {
                Column::Value(i) if self.keeps_tombstones => {
                    take(decoded.rows.column(*i), &values, None)?
                }
                Column::Value(i) => Arc::clone(decoded.rows.column(*i)),
                Column::Key(i) => match &keys {
                    Some((keys, indices)) => take(keys.rows.column(*i), indices, None)?,
                    None => return Err(Error::internal("the key was not decoded")),
                },
                Column::Meta(meta) => meta_array(
                    *meta,
                    (0..rows).map(|row| messages[message_of(row)]),
                    field.data_type(),
                )?,
            });
        }
        let weights: Option<Int64Array> = if self.is_upsert {
            let weight = |(_, value): &(usize, Option<u32>)| if value.is_some() { 1 } else { -1 };
            Some(sources.iter().map(weight).collect::<Vec<i64>>().into())
        } else {
            let given = decoded.weights.as_ref();
            given.map(|w| {
                values
                    .iter()
                    .map(|v| v.map_or(1, |v| w.value(v as usize)))
                    .collect::<Vec<i64>>()
                    .into()
            })
        };
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        // Of a deleted key the other columns are NULL, whatever the table says of them.
        let schema = if self.is_upsert {
            let fields = self.request.schema.fields().iter();
            let fields = fields.map(|f| f.as_ref().clone().with_nullable(true));
            Arc::new(Schema::new(fields.collect::<Vec<_>>()))
        } else {
            Arc::clone(&self.request.schema)
        };
        let rows = RecordBatch::try_new_with_options(schema, columns, &options)
            .map_err(|e| Error::from(e).at(place(0)))?;
        Ok(Some((rows, weights)))
    }
}

impl Rows {
    /// A record of an upsert table that has no key, and so is no row.
    ///
    /// # Errors
    /// Nobody wants to pass over it.
    fn without_key(&mut self, topic: &str, message: &BorrowedMessage<'_>) -> Result<()> {
        let (partition, offset) = (message.partition(), message.offset());
        let place = format!("topic '{topic}' partition {partition} offset {offset}");
        let bad = BadRow {
            payload: 0,
            field: None,
            reason: "the record has no key, and the key of an upsert table says which row it is"
                .into(),
        };
        match &mut self.bad {
            Some(rows) => keep(rows, topic, message, &bad),
            None if self.ignores_bad_keys => {}
            None => {
                return Err(Error::data(bad_row_text(&place, &bad)).with_help(
                    "correct whoever writes it; or keep such records with 'bad-rows.topic', or pass over them with the option \
                     'ignore-parse-errors' = 'true' of the key's format",
                ));
            }
        }
        self.request.metrics.bad_row(&place, &bad);
        Ok(())
    }

    /// Takes the records that gave no row.
    ///
    /// # Errors
    /// A bug.
    pub(super) fn take_bad_rows(&mut self) -> Result<Option<RecordBatch>> {
        match &mut self.bad {
            Some(rows) => rows.take(),
            None => Ok(None),
        }
    }
}

/// `topic-partition`
pub(super) fn partition_name(topic: &str, partition: i32) -> Arc<str> {
    format!("{topic}-{partition}").into()
}

fn keep(rows: &mut BadRows, topic: &str, message: &BorrowedMessage<'_>, bad: &BadRow) {
    let record = BadRecord {
        partition: &partition_name(topic, message.partition()),
        position: message.offset(),
        key: message.key(),
        value: message.payload(),
        time: message.timestamp().to_millis(),
    };
    rows.push(record, bad, SystemClock.now());
}

/// The offsets of messages whose key does not decode; they are kept.
fn bad_keys(
    decoder: &mut dyn Decoder,
    messages: &[BorrowedMessage<'_>],
    topic: &str,
    rows: &mut BadRows,
    metrics: &crate::connectors::SourceMetrics,
) -> Vec<i64> {
    let with_key: Vec<&BorrowedMessage<'_>> =
        messages.iter().filter(|m| m.key().is_some()).collect();
    let payloads: Vec<&[u8]> = with_key.iter().filter_map(|m| m.key()).collect();
    // Nearly always all of them do.
    let Err(_) = decoder.decode(&payloads) else {
        return Vec::new();
    };
    let mut offsets = Vec::new();
    for message in with_key {
        if let Some(key) = message.key()
            && let Err(bad) = decoder.decode(&[key])
        {
            let place = format!(
                "topic '{topic}' partition {} offset {} key",
                message.partition(),
                message.offset()
            );
            metrics.bad_row(&place, &bad);
            keep(rows, topic, message, &bad);
            offsets.push(message.offset());
        }
    }
    offsets
}

/// The decoded keys, and for each message which of them is its.
fn decode_keys(
    decoder: &mut dyn Decoder,
    messages: &[&BorrowedMessage<'_>],
    place: &dyn Fn(usize) -> String,
    metrics: &crate::connectors::SourceMetrics,
) -> Result<(Decoded, Vec<Option<u32>>)> {
    let with_key: Vec<usize> = (0..messages.len())
        .filter(|i| messages[*i].key().is_some())
        .collect();
    let payloads: Vec<&[u8]> = messages.iter().filter_map(|m| m.key()).collect();
    let place =
        |payload: usize| format!("{} key", place(with_key.get(payload).copied().unwrap_or(0)));
    let decoded = decoder
        .decode(&payloads)
        .map_err(|bad| bad_message(&place(bad.payload), &bad))?;
    for bad in &decoded.skipped {
        metrics.bad_row(&place(bad.payload), bad);
    }
    let mut key_of = vec![None; messages.len()];
    for (row, number) in (0..decoded.rows.num_rows()).zip(0u32..) {
        let payload = decoded
            .origins
            .as_ref()
            .map_or(row, |origins| origins[row] as usize);
        if key_of[with_key[payload]].replace(number).is_some() {
            return Err(Error::data(format!(
                "{}: one key gives several rows",
                place(payload)
            )));
        }
    }
    Ok((decoded, key_of))
}

fn bad_message(place: &str, bad: &BadRow) -> Error {
    Error::data(bad_row_text(place, bad)).with_help(
        "correct whoever writes it, or skip such records with the format's option 'ignore-parse-errors' = 'true'",
    )
}
