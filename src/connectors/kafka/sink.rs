//! Topics as a sink: rows appended, or the latest row of each key with deletions as tombstones.

use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use async_trait::async_trait;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;

use super::client::{self, KafkaConsumer};
use super::config::{KafkaTable, Partitioner, Topics};
use super::layout::{Meta, Origin, Part};
use super::producer::Outbox;
use super::transaction::{Transaction, TransactionCommitter};
use crate::catalog::Table;
use crate::catalog::options::OptionError;
use crate::changelog::{Batch, RowKind, row_kinds};
use crate::connectors::{
    Committer, JobContext, Sink, SinkMode, SinkWriter, WriteRequest, bad_row_text, row_indices,
};
use crate::error::{Error, Result};
use crate::formats::{Encoded, Encoder};

/// A Kafka table as a sink.
pub(super) struct KafkaSink {
    table: KafkaTable,
    topics: Vec<String>,
    key: Option<Columns>,
    value: Columns,
    /// Metadata columns that are written, and where they are in a row.
    meta: Vec<(Meta, usize)>,
    /// Kept while the job is opened, so that all its tables look things up with one client.
    lookup: OnceLock<Arc<KafkaConsumer>>,
}

/// The columns of a row that make up one half of a record.
#[derive(Clone)]
struct Columns {
    part: Part,
    indexes: Vec<usize>,
}

impl KafkaSink {
    /// # Errors
    /// Topics that are not named.
    pub(super) fn new(
        table: KafkaTable,
        declared: &Table,
    ) -> std::result::Result<Self, OptionError> {
        let insertable = declared.insertable();
        let place = |column: &usize| insertable.iter().position(|i| i == column);
        let columns = |part: &Part| Columns {
            part: part.clone(),
            indexes: part.columns.iter().filter_map(place).collect(),
        };
        let mut meta = Vec::new();
        for (i, column) in insertable.iter().enumerate() {
            if let Origin::Meta(kind) = table.layout.origins[*column] {
                meta.push((kind, i));
            }
        }
        let topics = match &table.topics {
            Topics::Pattern(_) => {
                return Err(OptionError::new(
                    "topic-pattern",
                    "a table that is written needs 'topic'",
                ));
            }
            Topics::Named(names)
                if names.len() > 1 && !meta.iter().any(|(kind, _)| *kind == Meta::Topic) =>
            {
                return Err(OptionError::new("topic", "rows cannot be written to several topics")
                    .with_help("name one topic, or declare a column `topic` STRING METADATA that says which one"));
            }
            Topics::Named(names) => names.clone(),
        };
        let key = table.layout.key.as_ref().map(columns);
        let value = columns(&table.layout.value);
        Ok(Self {
            table,
            topics,
            key,
            value,
            meta,
            lookup: OnceLock::new(),
        })
    }
}

impl KafkaSink {
    /// Makes sure that there is a client to look things up with.
    fn look(&self) -> Result<()> {
        if self.lookup.get().is_none() {
            let properties = self.table.properties.clone().without_group();
            let _ = self.lookup.set(client::shared(&properties)?);
        }
        Ok(())
    }

    /// The transaction of the job that its records belong to.
    fn transaction(&self, job: &Arc<JobContext>) -> Result<Option<Arc<Transaction>>> {
        let Some(prefix) = &self.table.exactly_once else {
            return Ok(None);
        };
        let topics = self.topics.iter().cloned();
        let topics = topics.map(|topic| (topic, self.table.new_topic));
        Transaction::of(job, &self.table.properties, prefix, topics).map(Some)
    }
}

#[async_trait]
impl Sink for KafkaSink {
    fn mode(&self) -> SinkMode {
        if self.table.is_upsert {
            SinkMode::Upsert
        } else if self.value.part.format.is_changelog() {
            SinkMode::Retract
        } else {
            SinkMode::Append
        }
    }

    fn guarantee(&self) -> &'static str {
        match self.table.exactly_once {
            Some(_) => "exactly once with checkpoints: an epoch is a transaction",
            None => "at least once",
        }
    }

    fn committer(&self, job: &Arc<JobContext>) -> Result<Option<Arc<dyn Committer>>> {
        self.look()?;
        let transaction = self.transaction(job)?;
        Ok(transaction.map(|t| Arc::new(TransactionCommitter(t)) as Arc<dyn Committer>))
    }

    fn is_single(&self) -> bool {
        self.table.single_writer
    }

    async fn writer(&self, request: WriteRequest) -> Result<Box<dyn SinkWriter>> {
        let WriteRequest {
            instance, key, job, ..
        } = request;
        if self.table.exactly_once.is_some() && job.checkpoints.is_none() {
            return Err(Error::usage(format!(
                "table '{}': 'sink.delivery-guarantee' = 'exactly-once' needs checkpoints",
                self.table.name
            ))
            .with_help(
                "SET 'execution.checkpointing.interval' = '10 s' (or --checkpoint-interval '10 s'): rows become visible with each \
                 checkpoint",
            ));
        }
        self.look()?;
        let (properties, topics) = (self.table.properties.clone(), self.topics.clone());
        for topic in &topics {
            super::admin::ensure_topic(&properties, topic, &self.table.new_topic).await?;
        }
        let transaction = self.transaction(&job)?;
        let outbox = match &transaction {
            Some(transaction) => Some(transaction.outbox()?),
            None => None,
        };
        let (outbox, partitions) = client::blocking(move || {
            let outbox = match outbox {
                Some(outbox) => outbox,
                None => Outbox::of(&job, &properties)?,
            };
            let partitions = outbox.partitions(&properties, &topics)?;
            Ok((outbox, partitions))
        })
        .await?;
        let fixed = |count: &i32| match self.table.partitioner {
            Partitioner::Fixed if *count > 0 => i32::try_from(instance).ok().map(|i| i % count),
            _ => None,
        };
        let half = |columns: &Columns| Half {
            encoder: columns.part.format.encoder(),
            indexes: columns.indexes.clone(),
            encoded: Encoded::default(),
        };
        Ok(Box::new(KafkaWriter {
            name: self.table.name.clone(),
            targets: self
                .topics
                .iter()
                .cloned()
                .zip(partitions.iter().map(fixed))
                .collect(),
            key: self.key.as_ref().map(half),
            value: half(&self.value),
            meta: self.meta.clone(),
            primary_key: key.filter(|_| self.table.is_upsert),
            is_upsert: self.table.is_upsert,
            outbox,
            transaction,
        }))
    }
}

/// Encodes one half of a record.
struct Half {
    encoder: Box<dyn Encoder>,
    indexes: Vec<usize>,
    encoded: Encoded,
}

impl Half {
    fn encode(
        &mut self,
        rows: &RecordBatch,
        deleted: Option<&BooleanArray>,
        table: &str,
    ) -> Result<()> {
        self.encoded.bytes.clear();
        self.encoded.ends.clear();
        let rows = rows.project(&self.indexes)?;
        let encoded = match deleted {
            Some(deleted) => self
                .encoder
                .encode_changes(&rows, deleted, &mut self.encoded),
            None => self.encoder.encode(&rows, &mut self.encoded),
        };
        encoded.map_err(|bad| Error::data(bad_row_text(&format!("table '{table}'"), &bad)))
    }
}

struct KafkaWriter {
    name: String,
    /// The topics, each with the partition that all records go to, where there is one.
    targets: Vec<(String, Option<i32>)>,
    key: Option<Half>,
    value: Half,
    meta: Vec<(Meta, usize)>,
    primary_key: Option<Vec<usize>>,
    is_upsert: bool,
    outbox: Arc<Outbox>,
    /// The transaction that its records belong to.
    transaction: Option<Arc<Transaction>>,
}

impl KafkaWriter {
    /// The rows to send, and for each whether it is a deletion (none: no row is).
    fn changes(&self, batch: &Batch) -> Result<(RecordBatch, Option<Vec<bool>>)> {
        if batch.weights.is_none() {
            return Ok((batch.rows.clone(), None));
        }
        let mut kinds = row_kinds(batch, self.primary_key.as_deref())?;
        if self.is_upsert {
            // The row after the update says everything.
            kinds.retain(|(_, kind)| *kind != RowKind::UpdateBefore);
        }
        let indices = row_indices(kinds.iter().map(|(row, _)| *row));
        let rows = take_record_batch(&batch.rows, &indices)?;
        let deletions: Vec<bool> = kinds
            .iter()
            .map(|(_, kind)| matches!(kind, RowKind::Delete | RowKind::UpdateBefore))
            .collect();
        let any = deletions.contains(&true);
        Ok((rows, any.then_some(deletions)))
    }

    fn meta_column(&self, rows: &RecordBatch, meta: Meta) -> Option<ArrayRef> {
        let (_, i) = self.meta.iter().find(|(kind, _)| *kind == meta)?;
        Some(Arc::clone(rows.column(*i)))
    }

    /// Where a row goes: to the topic its column names, or to the only one there is.
    fn target(&self, topics: Option<&ArrayRef>, row: usize) -> Result<&(String, Option<i32>)> {
        let Some(topics) = topics else {
            return self
                .targets
                .first()
                .ok_or_else(|| Error::internal("a sink without a topic"));
        };
        let name = topics.as_string::<i32>();
        if name.is_null(row) {
            return Err(
                Error::data(format!("table '{}': the topic of a row is NULL", self.name))
                    .with_help(
                        "the metadata column 'topic' says where a row goes: fill it in each row",
                    ),
            );
        }
        let name = name.value(row);
        self.targets
            .iter()
            .find(|(topic, _)| topic == name)
            .ok_or_else(|| {
                let known: Vec<&str> = self
                    .targets
                    .iter()
                    .map(|(topic, _)| topic.as_str())
                    .collect();
                Error::data(format!(
                    "table '{}': a row goes to the topic '{name}', which is not one of its topics",
                    self.name
                ))
                .with_help(format!(
                    "the option 'topic' allows {}; add others there, with ';' between them",
                    known.join(", ")
                ))
            })
    }
}

#[async_trait]
impl SinkWriter for KafkaWriter {
    async fn write(&mut self, batch: &Batch) -> Result<()> {
        self.outbox.check()?;
        if let Some(transaction) = &self.transaction {
            transaction.begin().await?;
        }
        let (rows, deletions) = self.changes(batch)?;
        if let Some(key) = &mut self.key {
            key.encode(&rows, None, &self.name)?;
        }
        // In an upsert topic a deletion is a record without a value, in a changelog format it is one of its own.
        let marked = deletions
            .clone()
            .filter(|_| !self.is_upsert)
            .map(BooleanArray::from);
        self.value.encode(&rows, marked.as_ref(), &self.name)?;
        let timestamps = self
            .meta_column(&rows, Meta::Timestamp)
            .map(|column| millis(&column))
            .transpose()?;
        let headers = self.meta_column(&rows, Meta::Headers);
        let topics = self.meta_column(&rows, Meta::Topic);
        let mut keys = self.key.as_ref().map(|key| key.encoded.payloads());
        for (row, payload) in self.value.encoded.payloads().enumerate() {
            let (topic, partition) = self.target(topics.as_ref(), row)?;
            let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic);
            record.partition = *partition;
            record.key = keys.as_mut().and_then(Iterator::next);
            if !self.is_upsert || !deletions.as_ref().is_some_and(|d| d[row]) {
                record.payload = Some(payload);
            }
            record.timestamp = timestamps
                .as_ref()
                .filter(|t| t.is_valid(row))
                .map(|t| t.value(row));
            record.headers = headers.as_ref().and_then(|column| row_headers(column, row));
            self.outbox.send(record).await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        self.outbox.flush().await
    }

    async fn prepare(&mut self, _epoch: u64) -> Result<Option<String>> {
        self.outbox.flush().await?;
        // Whoever recovers looks for the mark at the topics that were written.
        let topics = self.targets.iter().map(|(topic, _)| topic.clone());
        let topics = topics.take(1).collect();
        let transaction = self.transaction.as_ref();
        transaction.map(|t| t.written(topics)).transpose()
    }
}

/// A timestamp column in milliseconds.
fn millis(column: &ArrayRef) -> Result<Int64Array> {
    let zone = match column.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let millis = cast(column, &DataType::Timestamp(TimeUnit::Millisecond, zone))?;
    Ok(cast(&millis, &DataType::Int64)?
        .as_primitive::<Int64Type>()
        .clone())
}

/// The headers of a row; none where they are NULL or empty.
fn row_headers(column: &ArrayRef, row: usize) -> Option<OwnedHeaders> {
    let maps = column.as_map_opt().filter(|maps| maps.is_valid(row))?;
    let pairs = maps.value(row);
    if pairs.is_empty() {
        return None;
    }
    let (keys, values) = (
        pairs.column(0).as_string_opt::<i32>()?,
        pairs.column(1).as_binary_opt::<i32>()?,
    );
    let mut headers = OwnedHeaders::new_with_capacity(pairs.len());
    for i in 0..pairs.len() {
        let value = values.is_valid(i).then(|| values.value(i));
        headers = headers.insert(Header {
            key: keys.value(i),
            value,
        });
    }
    Some(headers)
}
