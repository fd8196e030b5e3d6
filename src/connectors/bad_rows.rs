//! Records that gave no row: rows of `flowline.bad_rows`, with their bytes and where they stood.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Int64Builder, RecordBatch, StringBuilder, TimestampMillisecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::error::Result;
use crate::formats::BadRow;

/// The columns of `flowline.bad_rows`: the table read, the partition and the position of the record in it (an offset, or a
/// number of bytes), its key and value as they came, the field at fault and what is wrong, the record's own time and when it was
/// read.
pub fn bad_rows_schema() -> SchemaRef {
    let time = || DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("source_table", DataType::Utf8, false),
        Field::new("source_partition", DataType::Utf8, false),
        Field::new("source_position", DataType::Int64, false),
        Field::new("payload_key", DataType::Binary, true),
        Field::new("payload", DataType::Binary, true),
        Field::new("field", DataType::Utf8, true),
        Field::new("reason", DataType::Utf8, false),
        Field::new("record_time", time(), true),
        Field::new("read_at", time(), false),
    ]))
}

/// A record that gave no row.
#[derive(Debug, Clone, Copy, Default)]
pub struct BadRecord<'a> {
    /// The partition it stands in.
    pub partition: &'a str,
    /// Its place there.
    pub position: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its own time, in milliseconds since the epoch.
    pub time: Option<i64>,
}

/// Collects rows of `flowline.bad_rows`.
pub struct BadRows {
    table: String,
    tables: StringBuilder,
    partitions: StringBuilder,
    positions: Int64Builder,
    keys: BinaryBuilder,
    values: BinaryBuilder,
    fields: StringBuilder,
    reasons: StringBuilder,
    times: TimestampMillisecondBuilder,
    read_at: TimestampMillisecondBuilder,
}

impl BadRows {
    /// Of this table.
    pub fn new(table: &str) -> Self {
        let time = || TimestampMillisecondBuilder::new().with_timezone("UTC");
        Self {
            table: table.to_string(),
            tables: StringBuilder::new(),
            partitions: StringBuilder::new(),
            positions: Int64Builder::new(),
            keys: BinaryBuilder::new(),
            values: BinaryBuilder::new(),
            fields: StringBuilder::new(),
            reasons: StringBuilder::new(),
            times: time(),
            read_at: time(),
        }
    }

    /// Adds a record, what is wrong with it, and now, in milliseconds since the epoch.
    pub fn push(&mut self, record: BadRecord<'_>, bad: &BadRow, now: i64) {
        self.tables.append_value(&self.table);
        self.partitions.append_value(record.partition);
        self.positions.append_value(record.position);
        self.keys.append_option(record.key);
        self.values.append_option(record.value);
        self.fields.append_option(bad.field.as_ref());
        self.reasons.append_value(&bad.reason);
        self.times.append_option(record.time);
        self.read_at.append_value(now);
    }

    /// Takes what was collected; nothing, where nothing was.
    ///
    /// # Errors
    /// A bug.
    pub fn take(&mut self) -> Result<Option<RecordBatch>> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.tables.finish()),
            Arc::new(self.partitions.finish()),
            Arc::new(self.positions.finish()),
            Arc::new(self.keys.finish()),
            Arc::new(self.values.finish()),
            Arc::new(self.fields.finish()),
            Arc::new(self.reasons.finish()),
            Arc::new(self.times.finish()),
            Arc::new(self.read_at.finish()),
        ];
        let rows = RecordBatch::try_new(bad_rows_schema(), columns)?;
        Ok(Some(rows).filter(|r| r.num_rows() > 0))
    }
}
