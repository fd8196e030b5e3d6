//! Reads files, one after another: bytes into a buffer, records out of it, rows out of those.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray, TimestampMillisecondArray,
    new_null_array,
};
use arrow::compute::cast;
use async_trait::async_trait;
use tokio::time::Instant;
use twox_hash::XxHash3_64;

use super::Origin;
use super::listing::{Entry, Folder, cannot_read, check_readable};
use crate::connectors::{ReadRequest, Source, SourceEvent, SourceReader, bad_row_text};
use crate::error::{Error, Result};
use crate::formats::{Decoder, Format, Framer};

/// Size of the read buffer; a longer record makes it grow for as long as it is in there.
const BUFFER_BYTES: usize = 1 << 20;

/// A record longer than this is taken for a file that has no records.
const MAX_RECORD_BYTES: usize = 1 << 30;

/// Files as a source: what the options said.
pub(super) struct FileSource {
    folder: Folder,
    monitor: Option<Duration>,
    format: Arc<dyn Format>,
    /// For each column of the table where it is read from.
    origins: Vec<Origin>,
    /// What the first reader found, so that all readers share out the same files.
    listed: Mutex<Option<Vec<Entry>>>,
}

impl FileSource {
    pub(super) fn new(
        folder: Folder,
        monitor: Option<Duration>,
        format: Box<dyn Format>,
        origins: Vec<Origin>,
    ) -> Self {
        Self {
            folder,
            monitor,
            format: format.into(),
            origins,
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
                Origin::Physical(i) => Some(*i),
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
        let mut reader = FileReader {
            decoder: self.format.decoder(&projection),
            framer: self.format.framer(),
            origins,
            assigned: Vec::new(),
            has_told_files: false,
            files: VecDeque::new(),
            current: None,
            positions: BTreeMap::new(),
            watch,
            request,
        };
        reader.take(files)?;
        Ok(Box::new(reader))
    }
}

/// How far a file is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Position {
    /// The byte behind the last record returned.
    offset: u64,
    /// Lines before it.
    lines: u64,
}

impl Position {
    fn parse(text: &str) -> Option<Self> {
        let (offset, lines) = text.split_once(':')?;
        Some(Self {
            offset: offset.parse().ok()?,
            lines: lines.parse().ok()?,
        })
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

/// Reads the files of one instance.
struct FileReader {
    decoder: Box<dyn Decoder>,
    framer: Box<dyn Framer>,
    /// For each column asked for where it is read from.
    origins: Vec<Origin>,
    request: ReadRequest,
    /// Files not announced yet.
    assigned: Vec<Arc<str>>,
    /// The first files were told, be they none.
    has_told_files: bool,
    /// Files not opened yet.
    files: VecDeque<Entry>,
    current: Option<OpenFile>,
    positions: BTreeMap<Arc<str>, Position>,
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
            let position = match self.request.restored.get(&*entry.name) {
                None => Position::default(),
                Some(text) => Position::parse(text).ok_or_else(|| {
                    Error::internal(format!("{}: '{text}' is no position in a file", entry.name))
                })?,
            };
            self.request
                .metrics
                .total
                .fetch_add(entry.size, Ordering::Relaxed);
            self.request
                .metrics
                .done
                .fetch_add(position.offset, Ordering::Relaxed);
            self.positions.insert(Arc::clone(&entry.name), position);
            self.assigned.push(Arc::clone(&entry.name));
            self.files.push_back(entry);
        }
        Ok(())
    }

    /// The next rows of the file that is open; `None` at its end.
    fn rows(&mut self) -> Result<Option<SourceEvent>> {
        let Some(open) = &mut self.current else {
            return Ok(None);
        };
        let metrics = &self.request.metrics;
        while open.next == open.frames.len() {
            let bytes = open.fill(&*self.framer)?;
            metrics.bytes.fetch_add(bytes, Ordering::Relaxed);
            metrics.done.fetch_add(bytes, Ordering::Relaxed);
            if open.frames.is_empty() && open.is_at_end {
                return Ok(None);
            }
        }
        let first = open.next;
        let last = (first + self.request.batch_rows.max(1)).min(open.frames.len());
        let bytes = &open.buffer[open.start..];
        let payloads: Vec<&[u8]> = open.frames[first..last]
            .iter()
            .map(|frame| &bytes[frame.clone()])
            .collect();
        let place = |payload: usize| {
            let frame = open.frames.get(first + payload).map_or(0, |f| f.start);
            format!(
                "{}:{}",
                open.entry.name,
                open.position.lines + newlines(&bytes[..frame]) + 1
            )
        };
        let decoded = self.decoder.decode(&payloads).map_err(|bad| {
            Error::data(bad_row_text(&place(bad.payload), &bad))
                .with_help("correct the row, or skip such rows with the format's option 'ignore-parse-errors' = 'true'")
        })?;
        for bad in &decoded.skipped {
            metrics.bad_row(&place(bad.payload), bad);
        }
        let rows = assemble(&decoded.rows, &self.origins, &self.request, &open.entry)
            .map_err(|e| e.at(place(0)))?;
        open.next = last;
        let end = open.frames.get(last).map_or(open.used, |next| next.start);
        let position = Position {
            offset: open.position.offset + end as u64,
            lines: open.position.lines + newlines(&bytes[..end]),
        };
        self.positions
            .insert(Arc::clone(&open.entry.name), position);
        Ok(Some(SourceEvent::Rows {
            partition: Arc::clone(&open.entry.name),
            rows,
            weights: decoded.weights,
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
                let end = ended.position;
                self.positions.insert(Arc::clone(&ended.entry.name), end);
                return Ok(SourceEvent::PartitionEnd(ended.entry.name));
            }
            if let Some(entry) = self.files.pop_front() {
                let position = self.positions.get(&entry.name).copied().unwrap_or_default();
                self.current = Some(OpenFile::open(entry, position)?);
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

    fn positions(&self) -> Vec<(Arc<str>, String)> {
        self.positions
            .iter()
            .map(|(name, p)| (Arc::clone(name), format!("{}:{}", p.offset, p.lines)))
            .collect()
    }
}

/// A file being read. The records of `buffer[start..end]` that are whole are in `frames`, counted from `start`.
struct OpenFile {
    entry: Entry,
    file: File,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Where `buffer[start]` is in the file.
    position: Position,
    frames: Vec<Range<usize>>,
    /// The first frame not returned yet.
    next: usize,
    /// Bytes behind `start` that the frames take up.
    used: usize,
    is_at_end: bool,
}

impl OpenFile {
    fn open(entry: Entry, position: Position) -> Result<Self> {
        check_readable(&entry.path)?;
        let opened = File::open(&entry.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(position.offset))?;
            Ok(file)
        });
        let file = opened.map_err(|e| cannot_read(&entry.path, e))?;
        // A small file needs no more than its size, and one byte to see its end.
        let left =
            usize::try_from(entry.size.saturating_sub(position.offset)).unwrap_or(BUFFER_BYTES);
        Ok(Self {
            entry,
            file,
            buffer: vec![0; BUFFER_BYTES.min(left + 1)],
            start: 0,
            end: 0,
            position,
            frames: Vec::new(),
            next: 0,
            used: 0,
            is_at_end: false,
        })
    }

    /// Lets go of the records returned and reads on until there is a whole one or the file ends. Returns the number of
    /// bytes let go.
    fn fill(&mut self, framer: &dyn Framer) -> Result<u64> {
        let released = self.release();
        self.make_room()?;
        while self.end < self.buffer.len() && !self.is_at_end {
            match self.file.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.is_at_end = true,
                Ok(n) => self.end += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(cannot_read(&self.entry.path, e)),
            }
        }
        if self.position.offset == 0
            && self.buffer[self.start..self.end].starts_with(b"\xef\xbb\xbf")
        {
            self.start += 3;
            self.position.offset = 3;
        }
        let bytes = &self.buffer[self.start..self.end];
        self.used = framer.frames(bytes, self.is_at_end, &mut self.frames);
        if self.is_at_end {
            self.used = bytes.len();
        }
        Ok(released)
    }

    fn release(&mut self) -> u64 {
        let used = self.used;
        self.position.lines += newlines(&self.buffer[self.start..self.start + used]);
        self.position.offset += used as u64;
        self.start += used;
        self.used = 0;
        self.frames.clear();
        self.next = 0;
        used as u64
    }

    /// Moves what is left to the front; grows the buffer where that fills it, and shrinks it again afterwards.
    fn make_room(&mut self) -> Result<()> {
        let left = self.end - self.start;
        if left < self.buffer.len() {
            if self.buffer.len() > BUFFER_BYTES && left < BUFFER_BYTES {
                let mut smaller = vec![0; BUFFER_BYTES];
                smaller[..left].copy_from_slice(&self.buffer[self.start..self.end]);
                self.buffer = smaller;
            } else {
                self.buffer.copy_within(self.start..self.end, 0);
            }
            self.start = 0;
            self.end = left;
        } else if self.buffer.len() >= MAX_RECORD_BYTES {
            return Err(Error::data(format!(
                "{}:{}: a record is longer than {} MiB",
                self.entry.name,
                self.position.lines + 1,
                MAX_RECORD_BYTES >> 20
            ))
            .with_help("is this a text file of one record a line?"));
        } else {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        Ok(())
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// The columns asked for: those decoded and those about the file.
fn assemble(
    decoded: &RecordBatch,
    origins: &[Origin],
    request: &ReadRequest,
    file: &Entry,
) -> Result<RecordBatch> {
    let rows = decoded.num_rows();
    let mut physical = decoded.columns().iter();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(origins.len());
    for (origin, field) in origins.iter().zip(request.schema.fields()) {
        let texts = |text: &str| {
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
                text, rows,
            ))) as ArrayRef
        };
        let column: ArrayRef = match origin {
            Origin::Physical(_) => match physical.next() {
                Some(column) => Arc::clone(column),
                None => {
                    return Err(Error::internal(format!(
                        "no column was decoded for '{}'",
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
