//! OVER (... ORDER BY time): every row, once it is complete, with functions over the rows before it. Append-only.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::datatypes::SchemaRef;

use super::held_rows::HeldRows;
use super::late::{LateRows, Reason, too_late};
use super::over_partitions::Partitions;
use super::{Element, Metrics, Operator, Output, event_times};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::{Over, OverTime, SortColumn};
use crate::state::{StatePart, TableSnapshot};
use crate::time::{Millis, Watermark};

/// Rows wait until the watermark has passed their time (or go on at once, by arrival).
pub struct OverAggregate {
    schema: SchemaRef,
    /// The time column, where there is one.
    time: Option<usize>,
    /// `None` where rows go on at once. Of the same time they go on by partition, then as they arrived.
    waiting: Option<HeldRows>,
    partitions: Partitions,
    watermark: Millis,
    metrics: Arc<Metrics>,
}

impl OverAggregate {
    /// No rows yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state, or a function is not supported.
    pub fn new(
        over: &Arc<Over>,
        input: &SchemaRef,
        schema: &SchemaRef,
        metrics: Arc<Metrics>,
    ) -> Result<Self> {
        let order = over.partition.iter().map(|column| SortColumn {
            column: *column,
            descending: false,
            nulls_first: true,
        });
        let (time, waiting) = match over.time {
            OverTime::Event(time) => {
                let (key, order) = (&over.partition, order.collect());
                let waiting = HeldRows::new("waiting", input, time, key, order)?;
                (Some(time), Some(waiting))
            }
            OverTime::Arrival(time) => (time, None),
            OverTime::Updating(_) => {
                return Err(Error::internal(
                    "an OVER in the order of any column is UpdatingOver",
                ));
            }
        };
        Ok(Self {
            schema: Arc::clone(schema),
            time,
            waiting,
            partitions: Partitions::new(over, input)?,
            watermark: Millis::MIN,
            metrics,
        })
    }

    /// Rows that are next in order, with their results.
    fn with_results(&mut self, rows: &RecordBatch) -> Result<RecordBatch> {
        let times = match self.time {
            Some(time) => event_times(rows.column(time))?.values().to_vec(),
            None => vec![0; rows.num_rows()],
        };
        let has_ties = self.waiting.is_some();
        let mut columns = rows.columns().to_vec();
        columns.extend(self.partitions.results(rows, &times, has_ties)?);
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|e| Error::internal(format!("an OVER gave other columns than planned: {e}")))
    }
}

impl Operator for OverAggregate {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let (Some(waiting), Some(column)) = (&mut self.waiting, self.time) else {
            let rows = self.with_results(&batch.rows)?;
            out.batch(batch.with_rows(rows));
            return Ok(());
        };
        let times = event_times(batch.rows.column(column))?;
        if times.null_count() > 0 {
            return Err(
                Error::data("the time attribute an OVER is ordered by is NULL")
                    .with_help("RowTime field should not be null: filter such rows away before"),
            );
        }
        let mut late = LateRows::default();
        let mut keep = Vec::with_capacity(times.len());
        for (i, time) in times.values().iter().enumerate() {
            // Late (Flink): at or before the watermark.
            let watermark = too_late(*time, batch.behind(i), self.watermark);
            keep.push(watermark.is_none());
            if let Some(watermark) = watermark {
                late.add(i, watermark, Reason::Time(*time));
            }
        }
        if late.is_empty() {
            return waiting.hold(&batch.rows);
        }
        waiting.hold(&batch.filter(&BooleanArray::from(keep))?.rows)?;
        late.hand_out("OverAggregate", &batch, &self.metrics, out)
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(time) = watermark {
            if let Some(waiting) = &mut self.waiting {
                let (rows, has_more) = waiting.release(Some(time))?;
                if rows.num_rows() > 0 {
                    out.batch(Batch::append(self.with_results(&rows)?));
                }
                self.watermark = time;
                if has_more {
                    out.rest = Some(Element::Watermark(watermark));
                    return Ok(());
                }
            }
            self.partitions.on_watermark(time)?;
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.partitions.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        self.partitions.on_clock(now)
    }

    /// A part "waiting", the rows that wait, and those of [`Partitions::snapshot`].
    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        let mut parts = self.partitions.snapshot()?;
        if let Some(waiting) = &mut self.waiting {
            parts.extend(waiting.snapshot()?);
        }
        Ok(parts)
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.partitions.restore(&parts)?;
        match &mut self.waiting {
            Some(waiting) => waiting.restore(&parts),
            None => Ok(()),
        }
    }
}
