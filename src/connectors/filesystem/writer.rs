//! Writes the rows of one instance: one open file a partition, rolled when it is full, staged until it may be seen.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{take, take_record_batch};
use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::committer::{Board, Prepared, blocking, publish};
use super::marks::{self, Marks};
use super::partitions::Partitions;
use super::rolling::Rolling;
use super::staging::{Part, Stage, cannot_write, cannot_write_rows};
use crate::changelog::{Batch, RowKind, row_kinds};
use crate::connectors::SinkWriter;
use crate::error::{Error, Result};
use crate::formats::{ColumnarWriter, Encoded, Encoder, FileFormat};

/// So many bytes of a file are gathered before they are handed to the system.
const BUFFER_BYTES: usize = 256 << 10;

/// With more files open than this the handle of the one that waited longest for a row is closed until it is needed again.
const MAX_HANDLES: usize = 64;

/// With more files begun than this the one that waited longest for a row is ended: small files are better than none. Files of
/// columns have rows in memory.
const MAX_OPEN: usize = 1024;
const MAX_OPEN_COLUMNS: usize = 256;

/// All open files of a writer together hold so many bytes of rows in memory.
const MAX_HELD: usize = 128 << 20;

/// A file of columns grows by so many rows before its size is looked at again.
const SLICE_ROWS: usize = 4096;

/// The epoch that a writer is asked to prepare when its input has ended: whichever is committed next.
const LAST: u64 = u64::MAX;

/// What is written, and when a file or a partition is complete.
pub(super) struct Content {
    pub(super) format: FileFormat,
    /// How file names end.
    pub(super) ending: String,
    pub(super) partitions: Partitions,
    pub(super) rolling: Rolling,
    pub(super) marks: Option<Arc<Marks>>,
}

/// The writer `instance`, in whose files' names is something that no other run has. `is_staged`: a committer publishes them; else the
/// writer does.
pub(super) fn open(
    content: Arc<Content>,
    stage: Stage,
    board: Arc<Board>,
    (unique, instance): (String, usize),
    is_staged: bool,
) -> Box<dyn SinkWriter> {
    let id = fastrand::u64(..);
    let watermark = board.enter(id);
    let encoder = match &content.format {
        FileFormat::Records(format) => Some(format.encoder()),
        FileFormat::Columns(_) => None,
    };
    let check = content.rolling.check;
    let files = Arc::new(Mutex::new(Files {
        id,
        unique,
        instance,
        is_staged,
        encoder,
        content,
        stage,
        board,
        encoded: Encoded::default(),
        open: HashMap::new(),
        complete: Vec::new(),
        unsynced: Vec::new(),
        created: 0,
        uses: 0,
        prepared: None,
        watermark: Arc::clone(&watermark),
        failed: None,
    }));
    // Without checkpoints nobody else looks at the time while no rows come.
    let looking = (!is_staged).then(|| {
        let files = Arc::downgrade(&files);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(check).await;
                let Some(files) = files.upgrade() else {
                    return;
                };
                let rolled = blocking(move || {
                    let mut files = lock(&files);
                    let rolled = files.roll_due();
                    files.failed = rolled.err().or(files.failed.take());
                    Ok(())
                });
                if rolled.await.is_err() {
                    return;
                }
            }
        })
    });
    Box::new(FileWriter {
        files,
        watermark,
        looking,
    })
}

fn lock(files: &Mutex<Files>) -> MutexGuard<'_, Files> {
    files.lock().unwrap_or_else(PoisonError::into_inner)
}

struct FileWriter {
    files: Arc<Mutex<Files>>,
    /// Closes files by time.
    looking: Option<JoinHandle<()>>,
    /// How far event time has come, for whoever has the files.
    watermark: Arc<AtomicI64>,
}

impl FileWriter {
    /// Runs what waits for the disk.
    async fn with_files<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Files) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let files = Arc::clone(&self.files);
        blocking(move || run(&mut lock(&files))).await
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        if let Some(looking) = &self.looking {
            looking.abort();
        }
    }
}

#[async_trait]
impl SinkWriter for FileWriter {
    async fn write(&mut self, batch: &Batch) -> Result<()> {
        let batch = batch.clone();
        self.with_files(move |files| files.write(&batch)).await
    }

    async fn flush(&mut self) -> Result<()> {
        self.with_files(Files::write_out).await
    }

    async fn prepare(&mut self, epoch: u64) -> Result<Option<String>> {
        self.with_files(move |files| files.prepare(epoch)).await
    }

    fn watermark(&mut self, time: i64) {
        self.watermark.store(time, Ordering::Relaxed);
    }

    async fn close(&mut self) -> Result<()> {
        self.with_files(Files::close).await
    }
}

/// The files of a writer.
struct Files {
    id: u64,
    unique: String,
    instance: usize,
    is_staged: bool,
    content: Arc<Content>,
    stage: Stage,
    board: Arc<Board>,
    /// Of a format of records.
    encoder: Option<Box<dyn Encoder>>,
    encoded: Encoded,
    /// By the folder of their partition.
    open: HashMap<String, OpenFile>,
    /// Files that take no more rows and are not published.
    complete: Vec<Part>,
    /// Those of them that may not be on the disk yet.
    unsynced: Vec<PathBuf>,
    /// How many files there have been.
    created: u64,
    /// How often a file was written to.
    uses: u64,
    /// The last epoch prepared.
    prepared: Option<u64>,
    watermark: Arc<AtomicI64>,
    /// What went wrong while nobody asked.
    failed: Option<Error>,
}

struct OpenFile {
    part: Part,
    handle: Arc<Handle>,
    body: Body,
    created: Instant,
    touched: Instant,
    /// Its place in the order of uses.
    used: u64,
    /// It has rows after those of the last epoch prepared.
    has_news: bool,
}

enum Body {
    Records { buffer: Vec<u8>, written: u64 },
    Columns(Box<dyn ColumnarWriter>),
}

impl OpenFile {
    fn size(&self) -> u64 {
        match &self.body {
            Body::Records { buffer, written } => written + buffer.len() as u64,
            Body::Columns(writer) => writer.size(),
        }
    }

    fn held(&self) -> usize {
        match &self.body {
            Body::Records { .. } => 0,
            Body::Columns(writer) => writer.held(),
        }
    }

    fn add(&mut self, payload: &[u8]) -> Result<()> {
        if let Body::Records { buffer, .. } = &mut self.body {
            buffer.extend_from_slice(payload);
            buffer.push(b'\n');
            if buffer.len() >= BUFFER_BYTES {
                return self.write_out();
            }
        }
        Ok(())
    }

    /// Hands to the system what is in the buffer; rows of columns stay.
    fn write_out(&mut self) -> Result<()> {
        if let Body::Records { buffer, written } = &mut self.body {
            (&*self.handle)
                .write_all(buffer)
                .map_err(|e| cannot_write(&self.handle.path, e))?;
            *written += buffer.len() as u64;
            buffer.clear();
        }
        Ok(())
    }

    /// Closes the handle, and gives up the buffer.
    fn rest(&mut self) -> Result<()> {
        self.write_out()?;
        if let Body::Records { buffer, .. } = &mut self.body {
            *buffer = Vec::new();
        }
        self.handle.close();
        Ok(())
    }
}

/// A file that is open only while it is written to: there may be more of them than a process may have open.
struct Handle {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl Handle {
    fn file(&self) -> MutexGuard<'_, Option<File>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        *self.file() = None;
    }

    fn is_open(&self) -> bool {
        self.file().is_some()
    }
}

impl Write for &Handle {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut file = self.file();
        if let Some(file) = &mut *file {
            return file.write(bytes);
        }
        let opened = File::options().append(true).open(&self.path)?;
        file.insert(opened).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A handle for who wants to own one.
struct Shared(Arc<Handle>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Waits until a file is on the disk.
fn sync(path: &Path) -> Result<()> {
    File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.sync_all())
        .map_err(|e| cannot_write(path, e))
}

impl Files {
    fn check(&mut self) -> Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn write(&mut self, batch: &Batch) -> Result<()> {
        self.check()?;
        let (rows, deleted) = changes(batch)?;
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let content = Arc::clone(&self.content);
        let partitions = &content.partitions;
        if partitions.is_empty() {
            return self.append("", &rows, &deleted);
        }
        let stored = partitions.stored_part(&rows)?;
        let folders = partitions.split(&rows)?;
        for (folder, indices) in &folders {
            if folders.len() == 1 {
                self.append(folder, &stored, &deleted)?;
            } else {
                let rows = take_record_batch(&stored, indices)?;
                let deleted = take(&deleted, indices, None)?;
                self.append(folder, &rows, &BooleanArray::from(deleted.to_data()))?;
            }
        }
        Ok(())
    }

    fn append(&mut self, folder: &str, rows: &RecordBatch, deleted: &BooleanArray) -> Result<()> {
        if let Some(marks) = self.content.marks.clone() {
            if self.board.since(self.id, folder).is_none() {
                // A partition that will never be complete is better told of now.
                marks.partition_time(folder)?;
            }
            self.board.open(self.id, folder, marks::now());
        }
        let mut open = self.check_out(folder)?;
        match &mut self.encoder {
            Some(encoder) => {
                let mut encoded = std::mem::take(&mut self.encoded);
                encoded.bytes.clear();
                encoded.ends.clear();
                encoder
                    .encode_changes(rows, deleted, &mut encoded)
                    .map_err(|bad| {
                        let place = self.stage.final_path(&open.part);
                        Error::data(crate::connectors::bad_row_text(
                            &place.display().to_string(),
                            &bad,
                        ))
                    })?;
                for payload in encoded.payloads() {
                    if self.is_full(&open) {
                        self.complete(open)?;
                        open = self.create(folder)?;
                    }
                    open.add(payload)?;
                }
                self.encoded = encoded;
            }
            None => {
                for start in (0..rows.num_rows()).step_by(SLICE_ROWS) {
                    if self.is_full(&open) {
                        self.complete(open)?;
                        open = self.create(folder)?;
                    }
                    let slice = rows.slice(start, SLICE_ROWS.min(rows.num_rows() - start));
                    if let Body::Columns(writer) = &mut open.body {
                        writer
                            .write(&slice)
                            .map_err(|e| cannot_write_rows(&open.handle.path, e))?;
                    }
                }
                open.handle.close();
            }
        }
        open.touched = Instant::now();
        open.has_news = true;
        self.open.insert(folder.to_string(), open);
        self.let_go()
    }

    /// The file for rows of a partition, taken out of those that are open.
    fn check_out(&mut self, folder: &str) -> Result<OpenFile> {
        self.uses += 1;
        if let Some(mut open) = self.open.remove(folder) {
            if !self.is_full(&open) && !self.is_due(&open) {
                open.used = self.uses;
                return Ok(open);
            }
            self.complete(open)?;
        } else {
            let most = match self.encoder {
                Some(_) => MAX_OPEN,
                None => MAX_OPEN_COLUMNS,
            };
            let idle = self.open.iter().min_by_key(|(_, open)| open.used);
            if let Some(idle) = idle.map(|(folder, _)| folder.clone())
                && self.open.len() >= most
            {
                self.roll(&idle)?;
            }
        }
        self.create(folder)
    }

    fn create(&mut self, folder: &str) -> Result<OpenFile> {
        let number = format!("{}-{:05}", self.instance, self.created);
        let number = match self.is_staged {
            true => format!("{}-{number}", self.stage.mark_of(self.board.epoch())),
            false => number,
        };
        let name = format!("part-{}-{number}.{}", self.unique, self.content.ending);
        self.created += 1;
        let (part, file) = self.stage.create(folder, name)?;
        let handle = Arc::new(Handle {
            path: self.stage.staged_path(&part),
            file: Mutex::new(Some(file)),
        });
        let body = match &self.content.format {
            FileFormat::Records(format) => Body::Records {
                buffer: format.file_header(),
                written: 0,
            },
            FileFormat::Columns(format) => Body::Columns(
                format
                    .writer(Box::new(Shared(Arc::clone(&handle))))
                    .map_err(|e| cannot_write_rows(&handle.path, e))?,
            ),
        };
        let now = Instant::now();
        Ok(OpenFile {
            part,
            handle,
            body,
            created: now,
            touched: now,
            used: self.uses,
            has_news: false,
        })
    }

    fn is_full(&self, open: &OpenFile) -> bool {
        open.size() > self.content.rolling.file_size
    }

    fn is_due(&self, open: &OpenFile) -> bool {
        open.created.elapsed() >= self.content.rolling.rollover
            || open.touched.elapsed() >= self.content.rolling.inactivity
    }

    /// Keeps handles and memory within their bounds.
    fn let_go(&mut self) -> Result<()> {
        if self.encoder.is_some() {
            let mut open: Vec<&mut OpenFile> = self
                .open
                .values_mut()
                .filter(|open| open.handle.is_open())
                .collect();
            if open.len() > MAX_HANDLES {
                open.sort_unstable_by_key(|open| open.used);
                let close = open.len() - MAX_HANDLES;
                return open.into_iter().take(close).try_for_each(OpenFile::rest);
            }
            return Ok(());
        }
        while self.open.values().map(OpenFile::held).sum::<usize>() > MAX_HELD {
            let Some(open) = self.open.values_mut().max_by_key(|open| open.held()) else {
                break;
            };
            if let Body::Columns(writer) = &mut open.body {
                let before = writer.held();
                writer
                    .write_out()
                    .map_err(|e| cannot_write_rows(&open.handle.path, e))?;
                open.handle.close();
                if writer.held() >= before {
                    break;
                }
            }
        }
        Ok(())
    }

    fn roll(&mut self, folder: &str) -> Result<()> {
        match self.open.remove(folder) {
            Some(open) => self.complete(open),
            None => Ok(()),
        }
    }

    /// Ends a file; without checkpoints it is published at once.
    fn complete(&mut self, mut open: OpenFile) -> Result<()> {
        open.write_out()?;
        if let Body::Columns(writer) = open.body {
            writer
                .finish()
                .map_err(|e| cannot_write_rows(&open.handle.path, e))?;
        }
        open.handle.close();
        self.complete.push(open.part);
        self.unsynced.push(open.handle.path.clone());
        if self.is_staged {
            return Ok(());
        }
        self.publish()
    }

    /// Waits until the files that are complete are on the disk.
    fn sync(&mut self) -> Result<()> {
        std::mem::take(&mut self.unsynced)
            .iter()
            .try_for_each(|path| sync(path))
    }

    fn publish(&mut self) -> Result<()> {
        self.sync()?;
        let complete = std::mem::take(&mut self.complete);
        publish(&self.stage, complete.iter())
    }

    /// Ends the files whose time has come.
    fn roll_due(&mut self) -> Result<()> {
        let due = |open: &OpenFile| self.is_full(open) || self.is_due(open);
        let due: Vec<String> = self
            .open
            .iter()
            .filter(|(_, open)| due(open))
            .map(|(folder, _)| folder.clone())
            .collect();
        for folder in &due {
            self.roll(folder)?;
        }
        self.mark()
    }

    /// Marks partitions that are complete and whose files are published.
    fn mark(&mut self) -> Result<()> {
        let Some(marks) = &self.content.marks else {
            return Ok(());
        };
        self.board
            .settle(self.id, [], |folder| self.open.contains_key(folder));
        self.board.mark(&self.stage, marks)
    }

    fn write_out(&mut self) -> Result<()> {
        self.check()?;
        self.open.values_mut().try_for_each(OpenFile::write_out)
    }

    fn prepare(&mut self, epoch: u64) -> Result<Option<String>> {
        self.check()?;
        let now = marks::now();
        let folders: Vec<String> = self.open.keys().cloned().collect();
        for folder in folders {
            let Some(open) = self.open.get(&folder) else {
                continue;
            };
            let mut ends = epoch == LAST
                || matches!(open.body, Body::Columns(_))
                || self.is_full(open)
                || self.is_due(open);
            if let Some(marks) = &self.content.marks
                && !ends
            {
                // The marker says that all rows of the partition are there.
                let since = self.board.since(self.id, &folder).unwrap_or(now);
                let watermark = self.watermark.load(Ordering::Relaxed);
                ends = marks.is_complete(&folder, since, watermark, now)?;
            }
            if ends {
                self.roll(&folder)?;
            }
        }
        self.write_out()?;
        self.sync()?;
        let mut prepared = Prepared {
            files: std::mem::take(&mut self.complete),
            ..Prepared::default()
        };
        for open in self.open.values_mut() {
            if open.has_news {
                sync(&open.handle.path)?;
            }
            open.has_news = false;
            prepared.open.push((open.part.clone(), open.size()));
        }
        let open = prepared.open.iter().map(|(part, _)| part);
        self.stage.sync_folders(prepared.files.iter().chain(open))?;
        if self.content.marks.is_some() {
            self.board.settle(self.id, &prepared.files, |folder| {
                self.open.contains_key(folder)
            });
            if epoch == LAST {
                self.board.leave(self.id);
            }
            prepared.unmarked = self.board.unmarked(self.id);
        }
        self.prepared = Some(epoch);
        prepared.text()
    }

    fn close(&mut self) -> Result<()> {
        self.check()?;
        if !self.is_staged {
            let folders: Vec<String> = self.open.keys().cloned().collect();
            for folder in &folders {
                self.roll(folder)?;
            }
            return self.mark();
        }
        // What came after the last checkpoint is in no other one: it stays hidden, and is written anew after a restart.
        let Some(epoch) = self.prepared else {
            return Ok(());
        };
        let done: Vec<Part> = std::mem::take(&mut self.open)
            .into_values()
            .filter(|open| !open.has_news)
            .map(|open| open.part)
            .collect();
        let done = self.board.end(epoch, done);
        publish(&self.stage, done.iter())
    }
}

/// The rows to write, and which of them go.
fn changes(batch: &Batch) -> Result<(RecordBatch, BooleanArray)> {
    if batch.weights.is_none() {
        let none = BooleanArray::from(vec![false; batch.num_rows()]);
        return Ok((batch.rows.clone(), none));
    }
    let kinds = row_kinds(batch, None)?;
    let indices = crate::connectors::row_indices(kinds.iter().map(|(row, _)| *row));
    let deleted = kinds
        .iter()
        .map(|(_, kind)| Some(matches!(kind, RowKind::Delete | RowKind::UpdateBefore)));
    Ok((take_record_batch(&batch.rows, &indices)?, deleted.collect()))
}
