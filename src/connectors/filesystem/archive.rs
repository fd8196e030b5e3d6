//! Archives of topics: Parquet files with the rows of a topic and where each stood, read in the order of the topic.
//!
//! An archive is a file or a folder of Parquet files, in folders of partitions (`name=value`) or not, whose rows have the
//! columns asked for, an INT `partition` and a BIGINT `offset` (other names may be given). All but the offset may stand in the
//! path.
//!
//! For each partition of the topic [`Archive::partitions`] says which offsets there are, and [`Archive::read`] gives the rows
//! from one offset on: ascending, each offset once, however files overlap and in whatever order they and their rows are.
//!
//! A source that goes on with the topic itself reads each partition from where it stands (or the first offset) to the end of
//! its [`ArchiveReader`], and then the topic from [`Offsets::next`].
//!
//! Which row groups hold what is told by their statistics; where there are none, or where a group has rows of several
//! partitions, the two columns are read. Rows come out of a group one batch at a time if their offsets ascend, and out of
//! several at once only where they overlap, so that memory depends neither on the size of the archive nor on that of its row
//! groups; a group whose offsets do not ascend is held whole.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array,
};
use arrow::compute::{
    concat_batches, interleave_record_batch, sort_to_indices, take, take_record_batch,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef};

use super::listing::{Folder, cannot_read};
use super::partitions::{DEFAULT_NAME, path_values, read_field};
use super::reader::cannot_read_rows;
use crate::error::{Error, Result};
use crate::formats::{ColumnarReader, FileFault, GroupedFile, Keep};

/// Rows of the two columns read at a time while an archive is looked over.
const SCAN_ROWS: usize = 8192;

/// The places of the two columns among those a file is opened for; those asked for come after them.
const PARTITION: usize = 0;
const OFFSET: usize = 1;

/// What the columns are called that say where a row stood.
#[derive(Debug, Clone)]
pub(in crate::connectors) struct ArchiveColumns {
    /// The partition, an INT.
    pub(in crate::connectors) partition: String,
    /// The offset, a BIGINT.
    pub(in crate::connectors) offset: String,
    /// When the record was written, a TIMESTAMP_LTZ(3); only a range of time needs it.
    pub(in crate::connectors) timestamp: String,
}

impl Default for ArchiveColumns {
    fn default() -> Self {
        Self {
            partition: "partition".to_string(),
            offset: "offset".to_string(),
            timestamp: "timestamp".to_string(),
        }
    }
}

/// The offsets of a partition that an archive has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connectors) struct Offsets {
    /// The first.
    pub(in crate::connectors) first: i64,
    /// The one after the last: where the topic itself goes on.
    pub(in crate::connectors) next: i64,
}

/// Rows of one partition.
#[derive(Debug, Clone)]
pub(in crate::connectors) struct ArchiveRows {
    /// The offset of each row, ascending.
    pub(in crate::connectors) offsets: Int64Array,
    /// The columns asked for.
    pub(in crate::connectors) rows: RecordBatch,
}

/// An archive that was looked over.
#[derive(Debug)]
pub(in crate::connectors) struct Archive {
    files: Vec<PathBuf>,
    /// The two columns and those asked for.
    wanted: SchemaRef,
    /// By partition, by their first offsets.
    chunks: BTreeMap<i32, Vec<Chunk>>,
}

/// The rows that a row group has of one partition.
#[derive(Debug, Clone)]
struct Chunk {
    file: usize,
    group: usize,
    first: i64,
    last: i64,
    /// All rows of the group are of this partition.
    is_alone: bool,
    /// Whether their offsets ascend, where that is known.
    ascends: Option<bool>,
}

impl Archive {
    /// Looks over the archive at `path` for rows with the columns `wanted`, found by name; those that a file does not have
    /// are NULL.
    ///
    /// # Errors
    /// A path that cannot be read; a file that is not Parquet, lacks one of the two columns or has NULL in them, or has a
    /// column of a type that does not fit: by name.
    pub(in crate::connectors) fn open(
        path: impl Into<PathBuf>,
        wanted: &Schema,
        columns: &ArchiveColumns,
    ) -> Result<Self> {
        let files = Folder::new(path.into(), None).list()?;
        let mut fields = vec![
            Arc::new(Field::new(&columns.partition, DataType::Int32, true)),
            Arc::new(Field::new(&columns.offset, DataType::Int64, true)),
        ];
        fields.extend(wanted.fields().iter().cloned());
        let mut archive = Self {
            files: files.into_iter().map(|entry| entry.path).collect(),
            wanted: Arc::new(Schema::new(fields)),
            chunks: BTreeMap::new(),
        };
        for file in 0..archive.files.len() {
            let opened = archive.open_file(file)?;
            for group in 0..opened.grouped.groups() {
                archive.look_over(file, group, &opened)?;
            }
        }
        for chunks in archive.chunks.values_mut() {
            chunks.sort_by_key(|c| (c.first, c.last, c.file, c.group));
        }
        Ok(archive)
    }

    /// Its partitions and what it has of each.
    pub(in crate::connectors) fn partitions(&self) -> BTreeMap<i32, Offsets> {
        let offsets = |chunks: &Vec<Chunk>| {
            let first = chunks.iter().map(|c| c.first).min()?;
            let last = chunks.iter().map(|c| c.last).max()?;
            let next = last.saturating_add(1);
            Some(Offsets { first, next })
        };
        let chunks = self.chunks.iter();
        chunks
            .filter_map(|(partition, chunks)| Some((*partition, offsets(chunks)?)))
            .collect()
    }

    /// Reads a partition from the offset `from` on, or the next one there is; so many rows at a time at most.
    pub(in crate::connectors) fn read(
        self: &Arc<Self>,
        partition: i32,
        from: i64,
        batch_rows: usize,
    ) -> ArchiveReader {
        let chunks = self.chunks.get(&partition).into_iter().flatten();
        ArchiveReader {
            archive: Arc::clone(self),
            partition,
            batch_rows: batch_rows.max(1),
            waiting: chunks.filter(|c| c.last >= from).cloned().collect(),
            active: Vec::new(),
            next: from,
            opened: None,
        }
    }

    fn open_file(&self, file: usize) -> Result<OpenFile> {
        let path = &self.files[file];
        let said = path_values(path.parent().unwrap_or(path));
        let fields = self.wanted.fields().iter();
        let fields: Vec<Field> = fields
            .map(|field| {
                let is_said = said.contains_key(field.name());
                let nullable = field.is_nullable() || is_said;
                field.as_ref().clone().with_nullable(nullable)
            })
            .collect();
        let opened = File::open(path).map_err(|e| cannot_read(path, e))?;
        let grouped = GroupedFile::open(opened, Arc::new(Schema::new(fields)))
            .map_err(|fault| cannot_read_rows(path, fault))?;
        let mut constants = Vec::new();
        for (i, field) in self.wanted.fields().iter().enumerate() {
            let text = said.get(field.name()).filter(|_| !grouped.has(i));
            let constant = text.map(|text| {
                read_field(text, field, DEFAULT_NAME).ok_or_else(|| {
                    Error::data(format!(
                        "{}: '{}={text}' is no value of the column's type",
                        path.display(),
                        field.name()
                    ))
                })
            });
            let constant = constant.transpose()?;
            let is_there = match i {
                PARTITION => grouped.has(i) || constant.as_ref().is_some_and(|c| c.is_valid(0)),
                OFFSET => grouped.has(i),
                _ => true,
            };
            if !is_there {
                return Err(Error::data(format!(
                    "{}: there is no column '{}'",
                    path.display(),
                    field.name()
                ))
                .with_help("the files of an archive say of each row which partition and offset of the topic it had"));
            }
            constants.push(constant);
        }
        Ok(OpenFile {
            path: path.clone(),
            grouped,
            constants,
        })
    }

    /// Finds out which offsets a row group has.
    fn look_over(&mut self, file: usize, group: usize, opened: &OpenFile) -> Result<()> {
        if opened.grouped.rows_of(group) == 0 {
            return Ok(());
        }
        if let (Some((partition, same)), Some((first, last))) =
            (opened.range(group, PARTITION), opened.range(group, OFFSET))
            && partition == same
            && let Ok(partition) = i32::try_from(partition)
        {
            let chunk = Chunk {
                file,
                group,
                first,
                last,
                is_alone: true,
                ascends: None,
            };
            self.chunks.entry(partition).or_default().push(chunk);
            return Ok(());
        }
        let found = opened.scan(group, None)?;
        let is_alone = found.len() == 1;
        for (partition, run) in found {
            let chunk = Chunk {
                file,
                group,
                first: run.first,
                last: run.last,
                is_alone,
                ascends: Some(run.ascends),
            };
            self.chunks.entry(partition).or_default().push(chunk);
        }
        Ok(())
    }
}

/// A file of an archive, opened.
struct OpenFile {
    path: PathBuf,
    grouped: GroupedFile,
    /// For each column its value where the file lacks it and the path tells it, one row.
    constants: Vec<Option<ArrayRef>>,
}

/// The offsets of one partition as they come in a row group.
struct Run {
    first: i64,
    last: i64,
    ascends: bool,
    /// The one seen last.
    before: i64,
}

impl OpenFile {
    /// The smallest and the largest value of one of the two columns in a group, where that is told.
    fn range(&self, group: usize, column: usize) -> Option<(i64, i64)> {
        match &self.constants[column] {
            Some(constant) => {
                let value = i64::from(constant.as_primitive_opt::<Int32Type>()?.value(0));
                Some((value, value))
            }
            None => self.grouped.range(group, column),
        }
    }

    fn broken(&self, fault: FileFault) -> Error {
        cannot_read_rows(&self.path, fault)
    }

    /// Reads which offsets a group has of each partition, or of one.
    fn scan(&self, group: usize, only: Option<i32>) -> Result<BTreeMap<i32, Run>> {
        let columns = [PARTITION, OFFSET];
        let mut reader = self
            .grouped
            .rows(group, &columns, None, SCAN_ROWS)
            .map_err(|fault| self.broken(fault))?;
        let mut found: BTreeMap<i32, Run> = BTreeMap::new();
        while let Some(rows) = reader.next_rows().map_err(|fault| self.broken(fault))? {
            let rows = self.whole(&rows, &columns)?;
            let partitions = rows[0].as_primitive::<Int32Type>();
            let offsets = rows[1].as_primitive::<Int64Type>();
            if partitions.null_count() + offsets.null_count() > 0 {
                return Err(Error::data(format!(
                    "{}: the partition or the offset of a row is NULL",
                    self.path.display()
                )));
            }
            for (partition, offset) in partitions.values().iter().zip(offsets.values()) {
                if only.is_some_and(|only| only != *partition) {
                    continue;
                }
                let run = found.entry(*partition).or_insert(Run {
                    first: *offset,
                    last: *offset,
                    ascends: true,
                    before: *offset,
                });
                run.ascends &= run.before <= *offset;
                run.before = *offset;
                run.first = run.first.min(*offset);
                run.last = run.last.max(*offset);
            }
        }
        Ok(found)
    }

    /// Columns read from the file, those that the path tells in their place.
    fn whole(&self, read: &RecordBatch, columns: &[usize]) -> Result<Vec<ArrayRef>> {
        let columns = columns.iter().zip(read.columns());
        let columns = columns.map(|(column, array)| match &self.constants[*column] {
            Some(constant) => {
                let rows = UInt32Array::from_value(0, read.num_rows());
                Ok(take(constant, &rows, None)?)
            }
            None => Ok(Arc::clone(array)),
        });
        columns.collect()
    }

    /// The rows of a chunk from an offset on: offset first, then the columns asked for.
    fn rows(
        &self,
        chunk: &Chunk,
        partition: i32,
        from: i64,
        batch_rows: usize,
    ) -> Result<Box<dyn ColumnarReader>> {
        let columns: Vec<usize> = (OFFSET..self.constants.len()).collect();
        let any_partition = chunk.is_alone;
        let keep = (!any_partition || chunk.first < from).then(|| Keep {
            of: vec![PARTITION, OFFSET],
            test: Box::new(move |rows: &RecordBatch| {
                let partitions = rows.column(0).as_primitive::<Int32Type>();
                let offsets = rows.column(1).as_primitive::<Int64Type>();
                let fits = |row: usize| {
                    (any_partition || partitions.value(row) == partition)
                        && offsets.value(row) >= from
                };
                (0..rows.num_rows()).map(|row| Some(fits(row))).collect()
            }),
        });
        self.grouped
            .rows(chunk.group, &columns, keep, batch_rows)
            .map_err(|fault| self.broken(fault))
    }
}

/// Reads one partition of an archive.
pub(in crate::connectors) struct ArchiveReader {
    archive: Arc<Archive>,
    partition: i32,
    batch_rows: usize,
    /// Chunks not opened yet, by their first offsets.
    waiting: VecDeque<Chunk>,
    /// Chunks whose rows may come next.
    active: Vec<Cursor>,
    /// The lowest offset that may still come.
    next: i64,
    /// The file opened last: the next chunk is likely to be in it too.
    opened: Option<(usize, Arc<OpenFile>)>,
}

/// A chunk being read.
struct Cursor {
    file: Arc<OpenFile>,
    reader: Option<Box<dyn ColumnarReader>>,
    /// Offset first, then the columns asked for.
    rows: RecordBatch,
    offsets: Int64Array,
    /// The next row of them.
    at: usize,
}

impl Cursor {
    /// Goes to the first row with this offset or a higher one; false where there is none.
    fn advance(&mut self, next: i64) -> Result<bool> {
        loop {
            let left = &self.offsets.values()[self.at..];
            self.at += left.partition_point(|offset| *offset < next);
            if self.at < self.offsets.len() {
                return Ok(true);
            }
            let Some(reader) = &mut self.reader else {
                return Ok(false);
            };
            match reader
                .next_rows()
                .map_err(|fault| self.file.broken(fault))?
            {
                Some(read) => {
                    let schema = self.rows.schema();
                    self.take(&read, schema)?;
                }
                None => self.reader = None,
            }
        }
    }

    fn take(&mut self, read: &RecordBatch, schema: SchemaRef) -> Result<()> {
        let columns: Vec<usize> = (OFFSET..self.file.constants.len()).collect();
        let columns = self.file.whole(read, &columns)?;
        self.offsets = columns[0].as_primitive::<Int64Type>().clone();
        self.rows = RecordBatch::try_new(schema, columns)?;
        self.at = 0;
        Ok(())
    }

    fn head(&self) -> i64 {
        self.offsets.values()[self.at]
    }
}

impl ArchiveReader {
    /// The offset that the next row has, or a lower one: where to go on after a restart.
    #[cfg(test)]
    pub(in crate::connectors) fn position(&self) -> i64 {
        self.next
    }

    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// A file that is broken or gone.
    pub(in crate::connectors) fn next_rows(&mut self) -> Result<Option<ArchiveRows>> {
        self.settle()?;
        let Some(head) = self.active.iter().map(Cursor::head).min() else {
            return Ok(None);
        };
        // Rows of the chunks that are not open come after this.
        let end = self.waiting.front().map_or(i64::MAX, |c| c.first);
        debug_assert!(head < end || self.waiting.is_empty());
        let rows = if let [cursor] = &mut self.active[..] {
            let left = &cursor.offsets.values()[cursor.at..];
            let left = &left[..left.len().min(self.batch_rows)];
            let mut count = left.partition_point(|offset| *offset < end);
            if self.waiting.is_empty() {
                count = left.len();
            }
            let slice = cursor.rows.slice(cursor.at, count);
            if left[..count].windows(2).all(|pair| pair[0] < pair[1]) {
                slice
            } else {
                let offsets = &left[..count];
                let first = (0..count).filter(|i| *i == 0 || offsets[i - 1] < offsets[*i]);
                take_record_batch(&slice, &crate::connectors::row_indices(first))?
            }
        } else {
            self.merged(end)?
        };
        let offsets = rows.column(0).as_primitive::<Int64Type>().clone();
        if let Some(last) = offsets.values().last() {
            self.next = last.saturating_add(1);
        }
        let asked: Vec<usize> = (1..rows.num_columns()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let rows = RecordBatch::try_new_with_options(
            Arc::new(rows.schema().project(&asked)?),
            rows.columns()[1..].to_vec(),
            &options,
        )?;
        Ok(Some(ArchiveRows { offsets, rows }))
    }

    /// Lets go of chunks that have no more rows, and opens those that the next row may be in.
    fn settle(&mut self) -> Result<()> {
        let mut i = 0;
        while i < self.active.len() {
            if self.active[i].advance(self.next)? {
                i += 1;
            } else {
                self.active.swap_remove(i);
            }
        }
        loop {
            let head = self.active.iter().map(Cursor::head).min();
            match self.waiting.front() {
                Some(chunk) if head.is_none_or(|head| chunk.first <= head) => {}
                _ => return Ok(()),
            }
            let Some(chunk) = self.waiting.pop_front() else {
                return Ok(());
            };
            if chunk.last >= self.next
                && let Some(cursor) = self.open(&chunk)?
            {
                self.active.push(cursor);
            }
        }
    }

    fn open(&mut self, chunk: &Chunk) -> Result<Option<Cursor>> {
        let file = match &self.opened {
            Some((number, file)) if *number == chunk.file => Arc::clone(file),
            _ => {
                let file = Arc::new(self.archive.open_file(chunk.file)?);
                self.opened = Some((chunk.file, Arc::clone(&file)));
                file
            }
        };
        let ascends = match chunk.ascends {
            Some(ascends) => ascends,
            None => file
                .scan(chunk.group, Some(self.partition))?
                .values()
                .all(|run| run.ascends),
        };
        let wanted = &self.archive.wanted;
        let columns: Vec<usize> = (OFFSET..wanted.fields().len()).collect();
        let schema = Arc::new(wanted.project(&columns)?);
        let reader = file.rows(chunk, self.partition, self.next, self.batch_rows)?;
        let mut cursor = Cursor {
            rows: RecordBatch::new_empty(schema),
            offsets: Int64Array::from(Vec::<i64>::new()),
            at: 0,
            reader: Some(reader),
            file,
        };
        if !ascends {
            cursor.sort()?;
        }
        Ok(cursor.advance(self.next)?.then_some(cursor))
    }

    /// Rows of all open chunks with offsets below `end`, in order.
    fn merged(&mut self, end: i64) -> Result<RecordBatch> {
        let mut picks: Vec<(usize, usize)> = Vec::with_capacity(self.batch_rows);
        let mut next = self.next;
        while picks.len() < self.batch_rows {
            let heads = self.active.iter().enumerate();
            let Some((i, head)) = heads.map(|(i, c)| (i, c.head())).min_by_key(|(_, h)| *h) else {
                break;
            };
            if head >= end && !picks.is_empty() {
                break;
            }
            let cursor = &mut self.active[i];
            if head >= next {
                picks.push((i, cursor.at));
                next = head.saturating_add(1);
            }
            cursor.at += 1;
            if cursor.at == cursor.offsets.len() {
                // Its next batch would take the place of rows that are picked.
                break;
            }
        }
        let batches: Vec<&RecordBatch> = self.active.iter().map(|c| &c.rows).collect();
        Ok(interleave_record_batch(&batches, &picks)?)
    }
}

impl Cursor {
    /// Reads all rows and puts them in order.
    fn sort(&mut self) -> Result<()> {
        let Some(mut reader) = self.reader.take() else {
            return Ok(());
        };
        let schema = self.rows.schema();
        let mut batches = Vec::new();
        while let Some(read) = reader
            .next_rows()
            .map_err(|fault| self.file.broken(fault))?
        {
            self.take(&read, Arc::clone(&schema))?;
            batches.push(self.rows.clone());
        }
        let rows = concat_batches(&schema, &batches)?;
        let order = sort_to_indices(rows.column(0), None, None)?;
        self.rows = take_record_batch(&rows, &order)?;
        self.offsets = self.rows.column(0).as_primitive::<Int64Type>().clone();
        self.at = 0;
        Ok(())
    }
}
