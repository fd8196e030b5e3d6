//! A topic whose beginning is in an archive: each partition is read from there first, then from the topic at exactly the next
//! offset.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, Int32Array, RecordBatch, RecordBatchOptions, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit, TimestampMillisecondType,
};
use async_trait::async_trait;

use super::client;
use super::config::Place;
use super::fetcher::owner;
use super::layout::{Meta, Origin};
use super::offsets::resolve;
use super::rows::partition_name;
use super::source::KafkaSource;
use crate::connectors::away::Away;
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

    async fn committed(&self, positions: &[(&str, &str)]) -> Result<()> {
        self.kafka.committed(positions).await
    }

    async fn reader(&self, mut request: ReadRequest) -> Result<Box<dyn SourceReader>> {
        let (path, schema) = (self.path.clone(), Arc::clone(&request.schema));
        let columns = self.columns.clone();
        let ranged = self.is_ranged();
        let time = Field::new(&columns.timestamp, MILLIS.clone(), true);
        let open = move || {
            let mut wanted: Vec<FieldRef> = schema.fields().iter().cloned().collect();
            if ranged {
                wanted.push(Arc::new(time));
            }
            Archive::open(path, &Schema::new(wanted), &columns)
        };
        let archive = Arc::new(client::blocking(open).await?);
        let metas = request.columns.iter().enumerate();
        let metas = metas.filter_map(|(i, c)| match self.kafka.table.layout.origins[*c] {
            Origin::Meta(meta) => Some((i, meta)),
            _ => None,
        });
        let metas: Arc<Vec<(usize, Meta)>> = Arc::new(metas.collect());
        let ranges = self.ranges(&archive, &request).await?;
        let mut partitions = VecDeque::new();
        for (number, range) in ranges {
            let name = partition_name(&self.topic, number);
            // The topic goes on where the archive ends.
            request
                .restored
                .insert(name.to_string(), range.topic.to_string());
            if range.from >= range.until {
                continue;
            }
            partitions.push_back(Part {
                name,
                reader: Away::Here(archive.read(number, range.from, request.batch_rows)),
                position: range.from,
                shape: Shape {
                    topic: self.topic.clone(),
                    partition: number,
                    schema: Arc::clone(&request.schema),
                    metas: Arc::clone(&metas),
                    time_column: ranged.then(|| self.columns.timestamp.clone()),
                    range,
                    has_begun: false,
                },
            });
        }
        // Partitions that are in no archive are read from their beginning, as those of an archive are.
        let place = match &self.kafka.table.start {
            place if ranged => place.clone(),
            _ => Place::Earliest,
        };
        let metrics = Arc::clone(&request.metrics);
        let topic = self.kafka.reader_from(request, place).await?;
        Ok(Box::new(HybridReader {
            partitions,
            topic,
            begun: VecDeque::new(),
            is_told: false,
            metrics,
        }))
    }
}

/// The type of the times of records.
static MILLIS: LazyLock<DataType> =
    LazyLock::new(|| DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())));

/// What is read of a partition of an archive.
#[derive(Debug, Clone, Copy)]
struct Range {
    /// The first offset.
    from: i64,
    /// The first offset that is not read any more.
    until: i64,
    /// Where the topic goes on.
    topic: i64,
    /// From the first record of this time on, where the topic does not know which that is.
    since: Option<i64>,
    /// To before the first record of this time, likewise.
    before: Option<i64>,
}

impl HybridSource {
    /// Whether a place in the topic says where to begin or to end: it counts in the archive too.
    fn is_ranged(&self) -> bool {
        let table = &self.kafka.table;
        let is_place = |place: &Place| matches!(place, Place::Offsets(_) | Place::Timestamp(_));
        is_place(&table.start) || table.end.as_ref().is_some_and(is_place)
    }

    /// What is read of each partition of the archive that is this reader's.
    async fn ranges(&self, archive: &Archive, request: &ReadRequest) -> Result<Vec<(i32, Range)>> {
        let mine =
            |number: &i32| owner(&self.topic, *number, request.parallelism) == request.instance;
        let only = self.kafka.table.only.as_ref();
        let wanted = |number: &i32| only.is_none_or(|only| only.contains(number));
        let mut ranges = Vec::new();
        for (number, offsets) in archive.partitions() {
            if !mine(&number) || !wanted(&number) {
                continue;
            }
            let name = partition_name(&self.topic, number);
            let mut range = Range {
                from: offsets.first,
                until: offsets.next,
                topic: offsets.next,
                since: None,
                before: None,
            };
            match request.restored.get(&*name) {
                None if self.is_ranged() => self.narrow(number, &mut range).await?,
                None => {}
                Some(text) => {
                    range.from = text
                        .parse()
                        .map_err(|_| Error::internal(format!("{name}: '{text}' is no offset")))?;
                    range.topic = range.topic.max(range.from);
                }
            }
            ranges.push((number, range));
        }
        Ok(ranges)
    }

    /// Narrows what is read of a partition to what the table asks for.
    async fn narrow(&self, number: i32, range: &mut Range) -> Result<()> {
        let (table, lookup) = (self.kafka.table.clone(), self.kafka.lookup()?);
        let partition = [(self.topic.clone(), number)];
        let look = move || {
            let find = |place: &Place, is_start| {
                let found = resolve(&table.properties, &lookup, &partition, place, is_start)?;
                Ok::<i64, Error>(found.first().copied().unwrap_or(0))
            };
            let first = find(&Place::Earliest, true)?;
            // What a time comes to before the first record of the topic only the archive knows.
            let place = |place: &Place, is_start| {
                let offset = match place {
                    Place::Offsets(offsets) => offsets.get(&number).copied(),
                    Place::Timestamp(_) => Some(find(place, is_start)?).filter(|o| *o > first),
                    _ => return Ok::<_, Error>((None, None)),
                };
                Ok(match place {
                    Place::Timestamp(time) if offset.is_none() => (None, Some(*time)),
                    _ => (offset, None),
                })
            };
            let start = place(&table.start, true)?;
            let end = match &table.end {
                Some(end) => place(end, false)?,
                None => (None, None),
            };
            Ok((start, end))
        };
        let ((from, since), (until, before)) = client::blocking(look).await?;
        range.from = from.unwrap_or(range.from);
        range.topic = range.topic.max(range.from);
        range.until = until.map_or(range.until, |until| until.min(range.until));
        (range.since, range.before) = (since, before);
        Ok(())
    }
}

/// What rows of an archive become.
struct Shape {
    topic: String,
    partition: i32,
    /// The rows asked for.
    schema: SchemaRef,
    /// The columns of these that say something about the record.
    metas: Arc<Vec<(usize, Meta)>>,
    /// The name of the extra column that says when a record was written. Only set where a range is given.
    time_column: Option<String>,
    range: Range,
    /// The first record of the range has come.
    has_begun: bool,
}

impl Shape {
    /// The rows in the range, and whether all later rows are past its end.
    fn fit(&mut self, found: &ArchiveRows) -> Result<(RecordBatch, bool)> {
        let (mut from, mut until) = (0, found.rows.num_rows());
        let offsets = found.offsets.values();
        until = until.min(offsets.partition_point(|offset| *offset < self.range.until));
        let mut is_over = until < found.rows.num_rows();
        if self.range.since.is_some() || self.range.before.is_some() {
            let times = self.times(found)?;
            if let Some(since) = self.range.since.filter(|_| !self.has_begun) {
                let first = times[..until].iter().position(|time| *time >= since);
                self.has_begun = first.is_some();
                from = first.unwrap_or(until);
            }
            if let Some(before) = self.range.before
                && let Some(end) = times[from..until].iter().position(|time| *time >= before)
            {
                (until, is_over) = (from + end, true);
            }
        }
        let rows = found.rows.slice(from, until - from);
        let offsets = found.offsets.slice(from, until - from);
        let mut columns = rows.columns()[..self.schema.fields().len()].to_vec();
        for (i, meta) in self.metas.iter() {
            let n = rows.num_rows();
            let value: ArrayRef = match meta {
                Meta::Partition => Arc::new(Int32Array::from_value(self.partition, n)),
                Meta::Offset => Arc::new(offsets.clone()),
                Meta::Topic => Arc::new(StringArray::from(vec![self.topic.as_str(); n])),
                // What else is known of a record stands in a column of the archive, or is not known.
                _ => continue,
            };
            columns[*i] = cast(&value, self.schema.field(*i).data_type())?;
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let schema = Arc::clone(&self.schema);
        Ok((
            RecordBatch::try_new_with_options(schema, columns, &options)?,
            is_over,
        ))
    }

    /// When the records were written.
    fn times(&self, found: &ArchiveRows) -> Result<Vec<i64>> {
        let column = found.rows.columns().last();
        let times = column.and_then(|c| c.as_primitive_opt::<TimestampMillisecondType>());
        match times.filter(|times| times.null_count() == 0) {
            Some(times) => Ok(times.values().to_vec()),
            None => Err(Error::usage(format!(
                "the range begins or ends in the archive of topic '{}', which does not say when records were written",
                self.topic
            ))
            .with_help(format!(
                "give the range as offsets; or name the column of the archive that holds the metadata 'timestamp' with \
                 'archive.timestamp-column' (it is '{}')",
                self.time_column.as_deref().unwrap_or_default()
            ))),
        }
    }
}

/// A partition that is read from the archive.
struct Part {
    name: Arc<str>,
    reader: Away<ArchiveReader, Result<Option<ArchiveRows>>>,
    position: i64,
    shape: Shape,
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
            part.reader.begin(ArchiveReader::next_rows);
            let Some(rows) = part.reader.done().await? else {
                continue;
            };
            match rows.map_err(|e| e.at(format!("archive of {}", part.name)))? {
                Some(found) => {
                    if let Some(last) = found.offsets.values().last() {
                        part.position = last + 1;
                    }
                    let (rows, is_over) = part.shape.fit(&found)?;
                    let partition = Arc::clone(&part.name);
                    let bytes = found.rows.get_array_memory_size() as u64;
                    self.metrics.bytes.fetch_add(bytes, Ordering::Relaxed);
                    if is_over {
                        self.partitions.pop_front();
                    } else {
                        // In turn, so that no partition is far ahead of the others.
                        self.partitions.rotate_left(1);
                    }
                    if rows.num_rows() == 0 {
                        continue;
                    }
                    return Ok(SourceEvent::Rows {
                        partition,
                        rows,
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
