//! Reads files, one after another: of records or of columns, with what their paths say.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray, TimestampMillisecondArray,
    UInt32Array, new_null_array,
};
use arrow::compute::{cast, take};
use async_trait::async_trait;
use tokio::time::Instant;
use twox_hash::XxHash3_64;

use super::Origin;
use super::committer::blocking;
use super::listing::{Entry, Folder, cannot_read};
use super::partitions::Partitions;
use super::records::{Position, RecordFile};
use crate::connectors::away::Away;
use crate::connectors::{BadRows, ReadRequest, Source, SourceEvent, SourceMetrics, SourceReader};
use crate::error::{Error, Result};
use crate::formats::{ColumnarFormat, ColumnarReader, Decoder, FileFault, FileFormat, Framer};

/// Files as a source: what the options said.
pub(super) struct FileSource {
    folder: Folder,
    monitor: Option<Duration>,
    format: FileFormat,
    /// For each column of the table where it is read from.
    origins: Vec<Origin>,
    partitions: Arc<Partitions>,
    /// What the first reader found, so that all readers share out the same files.
    listed: Mutex<Option<Vec<Entry>>>,
}

impl FileSource {
    pub(super) fn new(
        folder: Folder,
        monitor: Option<Duration>,
        format: FileFormat,
        origins: Vec<Origin>,
        partitions: Partitions,
    ) -> Self {
        Self {
            folder,
            monitor,
            format,
            origins,
            partitions: Arc::new(partitions),
            listed: Mutex::new(None),
        }
    }

    async fn files(&self, instance: usize) -> Result<Vec<Entry>> {
        let listed = || self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let known = listed().clone();
        if let Some(files) = known.filter(|_| instance > 0) {
            return Ok(files);
        }
        let folder = self.folder.clone();
        let files = blocking(move || folder.list()).await?;
        *listed() = Some(files.clone());
        Ok(files)
    }
}

#[async_trait]
impl Source for FileSource {
    fn is_bounded(&self) -> bool {
        self.monitor.is_none()
    }

    async fn reader(&self, request: ReadRequest) -> Result<Box<dyn SourceReader>> {
        let files = self.files(request.instance).await?;
        let origins: Vec<Origin> = request.columns.iter().map(|c| self.origins[*c]).collect();
        let projection: Vec<usize> = origins
            .iter()
            .filter_map(|o| match o {
                Origin::Stored(i) => Some(*i),
                _ => None,
            })
            .collect();
        let watch = self
            .monitor
            .filter(|_| !request.bounded)
            .map(|interval| Watch {
                folder: self.folder.clone(),
                interval,
                next: Instant::now() + interval,
                seen: HashSet::new(),
                told: false,
            });
        let opener = match &self.format {
            FileFormat::Records(format) => Opener::Records {
                decoder: format.decoder(&projection),
                framer: format.framer(),
                has_header: format.has_header(),
            },
            FileFormat::Columns(format) => Opener::Columns {
                format: Arc::clone(format),
                projection,
            },
        };
        let disk = Disk {
            opener,
            batch_rows: request.batch_rows,
            metrics: Arc::clone(&request.metrics),
            current: None,
        };
        let mut reader = FileReader {
            start: disk.opener.start(),
            disk: Away::Here(disk),
            origins,
            folder: self.folder.clone(),
            partitions: Arc::clone(&self.partitions),
            assigned: Vec::new(),
            has_told_files: false,
            files: VecDeque::new(),
            positions: BTreeMap::new(),
            kept: request.keep_bad_rows.as_deref().map(BadRows::new),
            watch,
            request,
        };
        reader.take(files)?;
        Ok(Box::new(reader))
    }
}

/// Looking for new files.
struct Watch {
    folder: Folder,
    interval: Duration,
    next: Instant,
    /// All files seen so far, also those of other readers.
    seen: HashSet<Arc<str>>,
    /// Whether `Quiet` has been said since the last file.
    told: bool,
}

/// How files are opened and read.
enum Opener {
    Records {
        decoder: Box<dyn Decoder>,
        framer: Box<dyn Framer>,
        has_header: bool,
    },
    Columns {
        format: Arc<dyn ColumnarFormat>,
        projection: Vec<usize>,
    },
}

impl Opener {
    /// Where a file begins, as text.
    fn start(&self) -> String {
        match self {
            Self::Records { .. } => Position::default().to_string(),
            Self::Columns { .. } => "0".to_string(),
        }
    }

    fn open(
        &mut self,
        entry: &Entry,
        position: &str,
        batch_rows: usize,
        metrics: &SourceMetrics,
    ) -> Result<Body> {
        let unknown = || {
            Error::internal(format!(
                "{}: '{position}' is no position in a file",
                entry.name
            ))
        };
        match self {
            Self::Records {
                decoder,
                framer,
                has_header,
            } => {
                let position = Position::parse(position).ok_or_else(unknown)?;
                metrics.done.fetch_add(position.offset, Ordering::Relaxed);
                Ok(Body::Records(if *has_header {
                    RecordFile::open_headed(entry, position, &**framer, &mut **decoder)?
                } else {
                    RecordFile::open(entry, position)?
                }))
            }
            Self::Columns { format, projection } => {
                let row: u64 = position.parse().map_err(|_| unknown())?;
                let file = File::open(&entry.path).map_err(|e| cannot_read(&entry.path, e))?;
                let reader = format
                    .reader(file, projection, row, batch_rows)
                    .map_err(|fault| cannot_read_rows(&entry.path, fault))?;
                let mut file = ColumnFile {
                    reader,
                    read: None,
                    has_ended: false,
                    row: 0,
                    size: entry.size,
                };
                file.step(row, metrics);
                Ok(Body::Columns(file))
            }
        }
    }
}

/// A file of columns being read.
struct ColumnFile {
    reader: Box<dyn ColumnarReader>,
    /// Rows that were read and not returned.
    read: Option<RecordBatch>,
    has_ended: bool,
    /// Rows returned so far, and passed over at the start.
    row: u64,
    size: u64,
}

impl ColumnFile {
    /// Counts rows; bytes go by the share of the file's rows.
    fn step(&mut self, rows: u64, metrics: &SourceMetrics) {
        let total = u128::from(self.reader.total_rows().max(1));
        let bytes = |row: u64| (u128::from(self.size) * u128::from(row).min(total) / total) as u64;
        let done = bytes(self.row + rows) - bytes(self.row);
        self.row += rows;
        metrics.done.fetch_add(done, Ordering::Relaxed);
    }
}

/// A file being read.
struct OpenFile {
    entry: Entry,
    /// The values of its partition, one row each.
    partition: Vec<ArrayRef>,
    body: Body,
}

enum Body {
    Records(RecordFile),
    Columns(ColumnFile),
}

impl OpenFile {
    fn position(&self) -> String {
        match &self.body {
            Body::Records(file) => file.position().to_string(),
            Body::Columns(file) => file.row.to_string(),
        }
    }
}

/// The file that is open, and what it is read by.
struct Disk {
    opener: Opener,
    batch_rows: usize,
    metrics: Arc<SourceMetrics>,
    current: Option<OpenFile>,
}

/// What came of work that waited for the disk.
enum Found {
    /// A file is open, or there is more of it.
    More,
    /// These files are there.
    Files(Vec<Entry>),
}

impl Disk {
    /// Opens a file and begins to read it.
    fn open(&mut self, entry: Entry, partition: Vec<ArrayRef>, position: &str) -> Result<Found> {
        let (batch_rows, metrics) = (self.batch_rows, &self.metrics);
        self.current = Some(OpenFile {
            body: self.opener.open(&entry, position, batch_rows, metrics)?,
            partition,
            entry,
        });
        self.read()
    }

    /// Reads on until there are rows or the file ends.
    fn read(&mut self) -> Result<Found> {
        let Some(open) = &mut self.current else {
            return Ok(Found::More);
        };
        match (&mut open.body, &self.opener) {
            (Body::Records(file), Opener::Records { framer, .. }) => {
                file.fill(&**framer, &self.metrics)?;
            }
            (Body::Columns(file), _) => {
                let read = file.reader.next_rows();
                file.read = read.map_err(|fault| cannot_read_rows(&open.entry.path, fault))?;
                file.has_ended = file.read.is_none();
            }
            (Body::Records(_), Opener::Columns { .. }) => {
                return Err(Error::internal("a file of records among files of columns"));
            }
        }
        Ok(Found::More)
    }
}

/// Reads the files of one instance.
struct FileReader {
    disk: Away<Disk, Result<Found>>,
    /// Where a file begins, as text.
    start: String,
    /// For each column asked for where it is read from.
    origins: Vec<Origin>,
    folder: Folder,
    partitions: Arc<Partitions>,
    request: ReadRequest,
    /// Files not announced yet.
    assigned: Vec<Arc<str>>,
    /// The first files were told, be they none.
    has_told_files: bool,
    /// Files not opened yet, and the values of their partitions.
    files: VecDeque<(Entry, Vec<ArrayRef>)>,
    positions: BTreeMap<Arc<str>, String>,
    /// Records that gave no row, where somebody reads them.
    kept: Option<BadRows>,
    watch: Option<Watch>,
}

impl FileReader {
    /// Takes those of `files` that are this reader's share. A folder that is watched is listed at different times by
    /// different readers, so there a file's name decides who reads it, not its place in the list.
    fn take(&mut self, files: Vec<Entry>) -> Result<()> {
        let readers = self.request.parallelism.max(1);
        for (i, entry) in files.into_iter().enumerate() {
            let owner = match &mut self.watch {
                None => i % readers,
                Some(watch) => {
                    if !watch.seen.insert(Arc::clone(&entry.name)) {
                        continue;
                    }
                    (XxHash3_64::oneshot(entry.name.as_bytes()) % readers as u64) as usize
                }
            };
            if owner != self.request.instance {
                continue;
            }
            let root = self.folder.root();
            let Some(partition) = self.partitions.values(root, &entry.path)? else {
                tracing::debug!("{}: passed over, it is in no partition", entry.name);
                continue;
            };
            let restored = self.request.restored.get(&*entry.name).cloned();
            self.request
                .metrics
                .total
                .fetch_add(entry.size, Ordering::Relaxed);
            self.positions.insert(
                Arc::clone(&entry.name),
                restored.unwrap_or_else(|| self.start.clone()),
            );
            self.assigned.push(Arc::clone(&entry.name));
            self.files.push_back((entry, partition));
        }
        Ok(())
    }

    /// What can be said without waiting for the disk: rows of the file that is open, or its end.
    fn ready(&mut self) -> Result<Option<SourceEvent>> {
        let Some(disk) = self.disk.here() else {
            return Ok(None);
        };
        let Some(open) = &mut disk.current else {
            return Ok(None);
        };
        let (batch_rows, metrics) = (self.request.batch_rows, &self.request.metrics);
        let (stored, weights, place) = match (&mut open.body, &mut disk.opener) {
            (Body::Records(file), Opener::Records { decoder, .. }) if file.has_records() => {
                let kept = self.kept.as_mut();
                let (decoded, place) = file.rows(&mut **decoder, batch_rows, metrics, kept)?;
                (decoded.rows, decoded.weights, place)
            }
            (Body::Columns(file), _) if file.read.is_some() => {
                let Some(rows) = file.read.take() else {
                    return Ok(None);
                };
                let place = format!("{}: row {}", open.entry.name, file.row + 1);
                metrics
                    .bytes
                    .fetch_add(rows.get_array_memory_size() as u64, Ordering::Relaxed);
                file.step(rows.num_rows() as u64, metrics);
                (rows, None, place)
            }
            (body, _) => {
                let has_ended = match body {
                    Body::Records(file) => file.has_ended(),
                    Body::Columns(file) => file.has_ended,
                };
                let ended = disk.current.take_if(|_| has_ended);
                return Ok(ended.map(|ended| {
                    let name = Arc::clone(&ended.entry.name);
                    self.positions.insert(Arc::clone(&name), ended.position());
                    SourceEvent::PartitionEnd(name)
                }));
            }
        };
        let rows =
            assemble(&stored, &self.origins, &self.request, open).map_err(|e| e.at(place))?;
        let name = Arc::clone(&open.entry.name);
        self.positions.insert(Arc::clone(&name), open.position());
        Ok(Some(SourceEvent::Rows {
            partition: name,
            rows,
            weights,
        }))
    }

    /// Takes the files that are in the watched folder now.
    fn look(&mut self, files: Vec<Entry>) -> Result<()> {
        self.take(files)?;
        if let Some(watch) = &mut self.watch {
            watch.next = Instant::now() + watch.interval;
            watch.told = self.files.is_empty();
        }
        Ok(())
    }

    /// Begins what waits for the disk; false where there is nothing to be read.
    fn go_on(&mut self) -> bool {
        if self.disk.here().is_some_and(|disk| disk.current.is_some()) {
            self.disk.begin(Disk::read);
        } else if let Some((entry, partition)) = self.files.pop_front() {
            let position = self.positions.get(&entry.name).cloned();
            let position = position.unwrap_or_else(|| self.start.clone());
            self.disk
                .begin(move |disk| disk.open(entry, partition, &position));
        } else {
            return false;
        }
        true
    }
}

#[async_trait]
impl SourceReader for FileReader {
    async fn next(&mut self) -> Result<SourceEvent> {
        loop {
            if !self.assigned.is_empty() || !self.has_told_files {
                self.has_told_files = true;
                return Ok(SourceEvent::Assigned(std::mem::take(&mut self.assigned)));
            }
            match self.disk.done().await? {
                None => {}
                Some(found) => {
                    if let Found::Files(files) = found? {
                        self.look(files)?;
                        continue;
                    }
                }
            }
            if let Some(event) = self.ready()? {
                return Ok(event);
            }
            if self.go_on() {
                continue;
            }
            match &mut self.watch {
                None => return Ok(SourceEvent::End),
                Some(watch) if !watch.told => {
                    watch.told = true;
                    return Ok(SourceEvent::Quiet);
                }
                Some(watch) => {
                    tokio::time::sleep_until(watch.next).await;
                    let folder = watch.folder.clone();
                    self.disk.begin(move |_| folder.list().map(Found::Files));
                }
            }
        }
    }

    fn take_bad_rows(&mut self) -> Vec<RecordBatch> {
        // Taking never fails: the columns are all of one length.
        let kept = self.kept.as_mut().map(BadRows::take);
        kept.and_then(Result::ok).flatten().into_iter().collect()
    }

    fn positions(&self) -> Vec<(Arc<str>, String)> {
        self.positions
            .iter()
            .map(|(name, position)| (Arc::clone(name), position.clone()))
            .collect()
    }
}

/// What is wrong with a file of columns that was to be read.
pub(super) fn cannot_read_rows(path: &Path, fault: FileFault) -> Error {
    match fault {
        FileFault::Io(error) => cannot_read(path, error),
        FileFault::Content { column, reason } => Error::data(match column {
            Some(column) => format!("{}: column '{column}': {reason}", path.display()),
            None => format!("{}: {reason}", path.display()),
        })
        .with_help("columns are found by name: check the file, the option 'format' and the types of the table's columns"),
    }
}

/// The columns asked for: those decoded and those about the file.
fn assemble(
    decoded: &RecordBatch,
    origins: &[Origin],
    request: &ReadRequest,
    open: &OpenFile,
) -> Result<RecordBatch> {
    let rows = decoded.num_rows();
    let file = &open.entry;
    let mut stored = decoded.columns().iter();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(origins.len());
    for (origin, field) in origins.iter().zip(request.schema.fields()) {
        let texts = |text: &str| {
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
                text, rows,
            ))) as ArrayRef
        };
        let column: ArrayRef = match origin {
            Origin::Stored(_) => match stored.next() {
                Some(column) => Arc::clone(column),
                None => {
                    return Err(Error::internal(format!(
                        "no column was decoded for '{}'",
                        field.name()
                    )));
                }
            },
            Origin::Partition(i) => match open.partition.get(*i) {
                Some(value) => take(value, &UInt32Array::from_value(0, rows), None)?,
                None => {
                    return Err(Error::internal(format!(
                        "the partition has no value for '{}'",
                        field.name()
                    )));
                }
            },
            Origin::Null => new_null_array(field.data_type(), rows),
            Origin::Path => texts(&file.path.to_string_lossy()),
            Origin::Name => texts(&file.path.file_name().unwrap_or_default().to_string_lossy()),
            Origin::Size => Arc::new(Int64Array::from_value(
                i64::try_from(file.size).unwrap_or(i64::MAX),
                rows,
            )),
            Origin::Modified => Arc::new(
                TimestampMillisecondArray::from_value(file.modified, rows).with_timezone("UTC"),
            ),
        };
        columns.push(if column.data_type() == field.data_type() {
            column
        } else {
            cast(&column, field.data_type())?
        });
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(&request.schema),
        columns,
        &options,
    )?)
}
