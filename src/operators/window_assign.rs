//! Gives every row the windows it falls into (TUMBLE, HOP, CUMULATE).

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef, TimeUnit, TimestampMillisecondType};

use super::late::too_late;
use super::{Operator, Output, event_times};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::time::{Millis, WindowKind, WindowSpec};

/// Appends window_start, window_end and window_time to rows, once per window; or those of their slices. A row that is too late for
/// some of its windows has no slice in common with others: it gets its windows.
pub struct WindowAssign {
    windows: WindowSpec,
    time: usize,
    by_slices: bool,
    schema: SchemaRef,
}

impl WindowAssign {
    /// Assigns windows, or slices, by the time column `time`. `schema` is the input schema followed by the three window columns.
    pub fn new(windows: WindowSpec, time: usize, by_slices: bool, schema: SchemaRef) -> Self {
        Self {
            windows,
            time,
            by_slices,
            schema,
        }
    }
}

impl Operator for WindowAssign {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let times = event_times(batch.rows.column(self.time))?;
        let n = batch.num_rows();
        let mut starts = Vec::with_capacity(n);
        let mut ends = Vec::with_capacity(n);
        let mut origins = Vec::with_capacity(n);
        for i in 0..n {
            if arrow::array::Array::is_null(&times, i) {
                return Err(
                    Error::data("the time attribute of a window is NULL").with_help(
                        "RowTime field should not be null: filter such rows away before the window",
                    ),
                );
            }
            let mut add = |start, end| {
                starts.push(start);
                ends.push(end);
                origins.push(i as u32);
            };
            let time = times.value(i);
            let slice = self.windows.slice_of(time).filter(|_| self.by_slices);
            match slice.filter(|(_, end)| too_late(end - 1, batch.behind(i), Millis::MIN).is_none())
            {
                Some((start, end)) => add(start, end),
                None => self.windows.windows_of(time, add),
            }
        }
        // TUMBLE gives a row at most one window. Elsewhere equal counts do not mean one window per row.
        let one_each = origins.len() == n
            && (matches!(self.windows.kind, WindowKind::Tumble { .. })
                || origins.iter().zip(0..).all(|(origin, row)| *origin == row));
        let batch = if one_each {
            batch
        } else {
            batch.take(&UInt32Array::from(origins))?
        };
        let rows = with_windows(&batch.rows, starts, ends, &self.schema)?;
        out.batch(batch.with_rows(rows));
        Ok(())
    }
}

/// The rows with window_start, window_end and window_time after them, as `schema` says.
pub(super) fn with_windows(
    rows: &RecordBatch,
    starts: Vec<i64>,
    ends: Vec<i64>,
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let times: Vec<i64> = ends.iter().map(|e| e - 1).collect();
    let mut columns = rows.columns().to_vec();
    for values in [starts, ends, times] {
        let millis: ArrayRef =
            Arc::new(Int64Array::from(values).reinterpret_cast::<TimestampMillisecondType>());
        let wanted = schema.field(columns.len()).data_type();
        columns.push(match wanted {
            DataType::Timestamp(TimeUnit::Millisecond, None) => millis,
            other => cast(&millis, other)?,
        });
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
