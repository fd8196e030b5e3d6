//! Reads files, one after another: of records or of columns, with what their paths say.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
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
use super::listing::{Entry, Folder, cannot_read};
use super::partitions::Partitions;
use super::records::{Position, RecordFile};
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

    fn files(&self, instance: usize) -> Result<Vec<Entry>> {
        let Ok(mut listed) = self.listed.lock() else {
            return Err(Error::internal("the list of files is lost"));
        };
        match &*listed {
            Some(files) if instance > 0 => Ok(files.clone()),
            _ => {
                let files = self.folder.list()?;
                *listed = Some(files.clone());
                Ok(files)
            }
        }
    }
}

#[async_trait]
impl Source for FileSource {
    fn is_bounded(&self) -> bool {
        self.monitor.is_none()
    }

    async fn reader(&self, request: ReadRequest) -> Result<Box<dyn SourceReader>> {
        let files = self.files(request.instance)?;
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
        let mut reader = FileReader {
            opener,
            origins,
            folder: self.folder.clone(),
            partitions: Arc::clone(&self.partitions),
            assigned: Vec::new(),
            has_told_files: false,
            files: VecDeque::new(),
            current: None,
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

    fn open(&mut self, entry: &Entry, position: &str, request: &ReadRequest) -> Result<Body> {
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
                let done = &request.metrics.done;
                done.fetch_add(position.offset, Ordering::Relaxed);
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
                    .reader(file, projection, row, request.batch_rows)
                    .map_err(|fault| cannot_read_rows(&entry.path, fault))?;
                let mut file = ColumnFile {
                    reader,
                    row: 0,
                    size: entry.size,
                };
                file.step(row, &request.metrics);
                Ok(Body::Columns(file))
            }
        }
    }
}

/// A file of columns being read.
struct ColumnFile {
    reader: Box<dyn ColumnarReader>,
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

/// Reads the files of one instance.
struct FileReader {
    opener: Opener,
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
    current: Option<OpenFile>,
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
                restored.unwrap_or_else(|| self.opener.start()),
            );
            self.assigned.push(Arc::clone(&entry.name));
            self.files.push_back((entry, partition));
        }
        Ok(())
    }

    /// The next rows of the file that is open; `None` at its end.
    fn rows(&mut self) -> Result<Option<SourceEvent>> {
        let Some(open) = &mut self.current else {
            return Ok(None);
        };
        let (batch_rows, metrics) = (self.request.batch_rows, &self.request.metrics);
        let (stored, weights, place) = match (&mut open.body, &mut self.opener) {
            (
                Body::Records(file),
                Opener::Records {
                    decoder, framer, ..
                },
            ) => {
                let kept = self.kept.as_mut();
                match file.rows(&**framer, &mut **decoder, batch_rows, metrics, kept)? {
                    Some((decoded, place)) => (decoded.rows, decoded.weights, place),
                    None => return Ok(None),
                }
            }
            (Body::Columns(file), _) => {
                let rows = file.reader.next_rows();
                match rows.map_err(|fault| cannot_read_rows(&open.entry.path, fault))? {
                    Some(rows) => {
                        let place = format!("{}: row {}", open.entry.name, file.row + 1);
                        metrics
                            .bytes
                            .fetch_add(rows.get_array_memory_size() as u64, Ordering::Relaxed);
                        file.step(rows.num_rows() as u64, metrics);
                        (rows, None, place)
                    }
                    None => return Ok(None),
                }
            }
            (Body::Records(_), Opener::Columns { .. }) => {
                return Err(Error::internal("a file of records among files of columns"));
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

    /// Waits until it is time to look for new files, and takes them.
    async fn look(&mut self) -> Result<()> {
        let Some(watch) = &mut self.watch else {
            return Ok(());
        };
        tokio::time::sleep_until(watch.next).await;
        watch.next = Instant::now() + watch.interval;
        let files = watch.folder.list()?;
        self.take(files)
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
            if let Some(rows) = self.rows()? {
                return Ok(rows);
            }
            if let Some(ended) = self.current.take() {
                let end = ended.position();
                self.positions.insert(Arc::clone(&ended.entry.name), end);
                return Ok(SourceEvent::PartitionEnd(ended.entry.name));
            }
            if let Some((entry, partition)) = self.files.pop_front() {
                let position = match self.positions.get(&entry.name) {
                    Some(position) => position.clone(),
                    None => self.opener.start(),
                };
                self.current = Some(OpenFile {
                    body: self.opener.open(&entry, &position, &self.request)?,
                    partition,
                    entry,
                });
                continue;
            }
            match &mut self.watch {
                None => return Ok(SourceEvent::End),
                Some(watch) if !watch.told => {
                    watch.told = true;
                    return Ok(SourceEvent::Quiet);
                }
                Some(_) => {
                    self.look().await?;
                    if let Some(watch) = &mut self.watch {
                        watch.told = self.files.is_empty();
                    }
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
