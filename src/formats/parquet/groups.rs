//! Parquet files read by row group: what their statistics say, and the rows of one group that pass a test.

use std::fs::File;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderMetadata, ParquetRecordBatchReaderBuilder, RowFilter,
};
use parquet::file::statistics::Statistics;

use super::{ColumnarReader, FileFault, Rows, as_wanted, fault, open};

/// Which rows are wanted, told from some of the columns: rows of the columns `of`, and for each whether it is.
pub(crate) struct Keep {
    /// The columns it looks at, as indexes into the schema the file was opened with.
    pub(crate) of: Vec<usize>,
    /// The test; a NULL is a no.
    pub(crate) test: Box<dyn Fn(&RecordBatch) -> BooleanArray + Send>,
}

/// A Parquet file, opened for some columns.
pub(crate) struct GroupedFile {
    file: File,
    metadata: ArrowReaderMetadata,
    wanted: SchemaRef,
    columns: Vec<Option<usize>>,
}

impl GroupedFile {
    /// Opens a file for the columns `wanted`, found by name; those it lacks are NULL.
    ///
    /// # Errors
    /// No Parquet file; a column of a type that does not fit.
    pub(crate) fn open(file: File, wanted: SchemaRef) -> Result<Self, FileFault> {
        let (metadata, columns) = open(&file, &wanted)?;
        Ok(Self {
            file,
            metadata,
            wanted,
            columns,
        })
    }

    /// How many row groups there are.
    pub(crate) fn groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// Rows of a group.
    pub(crate) fn rows_of(&self, group: usize) -> u64 {
        let group = self.metadata.metadata().row_group(group);
        u64::try_from(group.num_rows()).unwrap_or(0)
    }

    /// Whether the file has this column.
    pub(crate) fn has(&self, column: usize) -> bool {
        self.columns.get(column).copied().flatten().is_some()
    }

    /// The smallest and the largest value of a column of whole numbers in a group, where the file says so and none is NULL.
    pub(crate) fn range(&self, group: usize, column: usize) -> Option<(i64, i64)> {
        let root = self.columns.get(column).copied().flatten()?;
        let schema = self.metadata.parquet_schema();
        let leaf = (0..schema.num_columns()).find(|l| schema.get_column_root_idx(*l) == root)?;
        let chunk = self.metadata.metadata().row_group(group).column(leaf);
        let statistics = chunk.statistics()?;
        if statistics.null_count_opt() != Some(0) && chunk.column_descr().max_def_level() > 0 {
            return None;
        }
        match statistics {
            Statistics::Int32(s) => Some((i64::from(*s.min_opt()?), i64::from(*s.max_opt()?))),
            Statistics::Int64(s) => Some((*s.min_opt()?, *s.max_opt()?)),
            _ => None,
        }
    }

    /// Reads the columns `projection` (indexes into the schema the file was opened with) of one group.
    ///
    /// # Errors
    /// A broken file.
    pub(crate) fn rows(
        &self,
        group: usize,
        projection: &[usize],
        keep: Option<Keep>,
        batch_rows: usize,
    ) -> Result<Box<dyn ColumnarReader>, FileFault> {
        let (schema, columns) = self.projected(projection);
        let mask = self.mask(&columns);
        let total = self.rows_of(group);
        let file = self.file.try_clone().map_err(FileFault::Io)?;
        let mut builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                .with_projection(mask)
                .with_batch_size(batch_rows.max(1))
                .with_row_groups(vec![group]);
        if let Some(keep) = keep {
            let (of, places) = self.projected(&keep.of);
            let mask = self.mask(&places);
            let predicate = ArrowPredicateFn::new(mask, move |read: RecordBatch| {
                let read = as_wanted(&read, &of, &places)
                    .map_err(|fault| ArrowError::ComputeError(text(fault)))?;
                Ok((keep.test)(&read))
            });
            builder = builder.with_row_filter(RowFilter::new(vec![Box::new(predicate)]));
        }
        Ok(Box::new(Rows {
            reader: builder.build().map_err(fault)?,
            columns,
            schema,
            total,
        }))
    }

    fn projected(&self, projection: &[usize]) -> (SchemaRef, Vec<Option<usize>>) {
        let columns = projection.iter();
        (
            super::super::project(&self.wanted, projection),
            columns
                .map(|i| self.columns.get(*i).copied().flatten())
                .collect(),
        )
    }

    fn mask(&self, columns: &[Option<usize>]) -> ProjectionMask {
        let roots = columns.iter().flatten().copied();
        ProjectionMask::roots(self.metadata.parquet_schema(), roots)
    }
}

fn text(fault: FileFault) -> String {
    match fault {
        FileFault::Io(e) => e.to_string(),
        FileFault::Content { column, reason } => match column {
            Some(column) => format!("column '{column}': {reason}"),
            None => reason,
        },
    }
}
