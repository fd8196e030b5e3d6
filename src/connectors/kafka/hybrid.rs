//! A topic whose beginning is in an archive: each partition is read from there first, then from the topic at exactly the next
//! offset.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use tokio::task::JoinHandle;

use super::client;
use super::fetcher::owner;
use super::rows::partition_name;
use super::source::KafkaSource;
use crate::connectors::filesystem::archive::{Archive, ArchiveColumns, ArchiveReader, ArchiveRows};
use crate::connectors::{ReadRequest, Source, SourceEvent, SourceReader};
use crate::error::{Error, Result};

/// An archive and the topic it is of.
pub(super) struct HybridSource {
    pub(super) topic: String,
    pub(super) path: PathBuf,
    pub(super) columns: ArchiveColumns,
    pub(super) kafka: KafkaSource,
}

#[async_trait]
impl Source for HybridSource {
    fn is_bounded(&self) -> bool {
        self.kafka.is_bounded()
    }

    async fn place(&self) -> Result<Option<String>> {
        self.kafka.place().await
    }

    fn reads(&self, partition: &str) -> std::result::Result<(), String> {
        self.kafka.reads(partition)
    }

    async fn reader(&self, mut request: ReadRequest) -> Result<Box<dyn SourceReader>> {
        let (path, schema) = (self.path.clone(), Arc::clone(&request.schema));
        let columns = self.columns.clone();
        let archive = client::blocking(move || Archive::open(path, &schema, &columns)).await?;
        let archive = Arc::new(archive);
        let mut partitions = VecDeque::new();
        for (number, offsets) in archive.partitions() {
            if owner(&self.topic, number, request.parallelism) != request.instance {
                continue;
            }
            let name = partition_name(&self.topic, number);
            let from = match request.restored.get(&*name) {
                None => offsets.first,
                Some(text) => text
                    .parse()
                    .map_err(|_| Error::internal(format!("{name}: '{text}' is no offset")))?,
            };
            if from >= offsets.next {
                continue;
            }
            // The topic goes on where the archive ends.
            request
                .restored
                .insert(name.to_string(), offsets.next.to_string());
            partitions.push_back(Part {
                name,
                reader: Reading::Idle(archive.read(number, from, request.batch_rows)),
                position: from,
            });
        }
        if request.restored.is_empty() {
            // Partitions that are in no archive are read from their beginning, as those of an archive are.
            let nowhere = partition_name(&self.topic, -1);
            request.restored.insert(nowhere.to_string(), "0".into());
        }
        let metrics = Arc::clone(&request.metrics);
        let topic = self.kafka.reader(request).await?;
        Ok(Box::new(HybridReader {
            partitions,
            topic,
            begun: VecDeque::new(),
            is_told: false,
            metrics,
        }))
    }
}

/// A partition that is read from the archive.
struct Part {
    name: Arc<str>,
    reader: Reading,
    position: i64,
}

/// An archive's reader, which blocks.
enum Reading {
    Idle(ArchiveReader),
    /// On a thread of its own.
    Busy(JoinHandle<(ArchiveReader, Result<Option<ArchiveRows>>)>),
    /// It was lost with its thread.
    Lost,
}

impl Reading {
    /// The next rows. Dropping the future loses nothing.
    async fn next_rows(&mut self) -> Result<Option<ArchiveRows>> {
        if let Self::Idle(_) = self
            && let Self::Idle(mut reader) = std::mem::replace(self, Self::Lost)
        {
            *self = Self::Busy(tokio::task::spawn_blocking(move || {
                let rows = reader.next_rows();
                (reader, rows)
            }));
        }
        let Self::Busy(thread) = self else {
            return Err(Error::internal("the reader of an archive is lost"));
        };
        let (reader, rows) = thread
            .await
            .map_err(|e| Error::internal("reading an archive was cut off").caused_by(e))?;
        *self = Self::Idle(reader);
        rows
    }
}

struct HybridReader {
    /// Those whose archive is not at its end, the next one first.
    partitions: VecDeque<Part>,
    topic: Box<dyn SourceReader>,
    /// What the topic said before the archives were read.
    begun: VecDeque<SourceEvent>,
    is_told: bool,
    metrics: Arc<crate::connectors::SourceMetrics>,
}

#[async_trait]
impl SourceReader for HybridReader {
    async fn next(&mut self) -> Result<SourceEvent> {
        // All partitions hold the watermark from the beginning, also those that only the topic has.
        if !self.is_told {
            let event = self.topic.next().await?;
            self.is_told = true;
            if !matches!(event, SourceEvent::Assigned(_)) {
                self.begun.push_back(event);
                return Ok(SourceEvent::Assigned(Vec::new()));
            }
            return Ok(event);
        }
        while let Some(part) = self.partitions.front_mut() {
            let rows = part.reader.next_rows().await;
            match rows.map_err(|e| e.at(format!("archive of {}", part.name)))? {
                Some(found) => {
                    if let Some(last) = found.offsets.values().last() {
                        part.position = last + 1;
                    }
                    let partition = Arc::clone(&part.name);
                    let bytes = found.rows.get_array_memory_size() as u64;
                    self.metrics.bytes.fetch_add(bytes, Ordering::Relaxed);
                    // In turn, so that no partition is far ahead of the others.
                    self.partitions.rotate_left(1);
                    return Ok(SourceEvent::Rows {
                        partition,
                        rows: found.rows,
                        weights: None,
                    });
                }
                None => {
                    self.partitions.pop_front();
                }
            }
        }
        match self.begun.pop_front() {
            Some(event) => Ok(event),
            None => self.topic.next().await,
        }
    }

    fn take_bad_rows(&mut self) -> Vec<RecordBatch> {
        self.topic.take_bad_rows()
    }

    fn positions(&self) -> Vec<(Arc<str>, String)> {
        let mut positions: BTreeMap<Arc<str>, String> =
            self.topic.positions().into_iter().collect();
        for part in &self.partitions {
            positions.insert(Arc::clone(&part.name), part.position.to_string());
        }
        positions.into_iter().collect()
    }
}
