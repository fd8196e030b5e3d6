//! A sink that is given only the rows left at the end (`execution.runtime-mode` = batch).

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use async_trait::async_trait;

use super::{Committer, JobContext, Sink, SinkMode, SinkWriter, WriteRequest};
use crate::changelog::{Batch, ZSet, rows_of};
use crate::error::Result;

/// Rows that are held before they are folded for the first time.
const FIRST_FOLD: usize = 1 << 16;

/// A sink with a fold before it: it takes any changes, and passes on the rows left of them once, when its input has ended.
pub fn folded(sink: Arc<dyn Sink>) -> Arc<dyn Sink> {
    Arc::new(Folded(sink))
}

struct Folded(Arc<dyn Sink>);

#[async_trait]
impl Sink for Folded {
    fn mode(&self) -> SinkMode {
        SinkMode::Retract
    }

    fn guarantee(&self) -> &'static str {
        "the final rows, written once at the end"
    }

    fn is_single(&self) -> bool {
        self.0.is_single()
    }

    fn committer(&self, job: &Arc<JobContext>) -> Result<Option<Arc<dyn Committer>>> {
        self.0.committer(job)
    }

    async fn writer(&self, request: WriteRequest) -> Result<Box<dyn SinkWriter>> {
        if !request.updating {
            return self.0.writer(request).await;
        }
        Ok(Box::new(Folder {
            writer: self.0.writer(request).await?,
            held: Vec::new(),
            rows: 0,
            limit: FIRST_FOLD,
        }))
    }
}

struct Folder {
    writer: Box<dyn SinkWriter>,
    /// Changes whose sum is what is there now.
    held: Vec<Batch>,
    rows: usize,
    /// They are folded when there are more rows than this: twice what was left the last time.
    limit: usize,
}

impl Folder {
    fn fold(&mut self) -> Result<()> {
        let left = sum(&self.held)?;
        self.rows = left.as_ref().map_or(0, Batch::num_rows);
        self.held = left.into_iter().collect();
        self.limit = FIRST_FOLD.max(2 * self.rows);
        Ok(())
    }
}

/// Each row once, with its weight, in the order in which they came; `None`: nothing is left.
fn sum(batches: &[Batch]) -> Result<Option<Batch>> {
    let Some(first) = batches.first() else {
        return Ok(None);
    };
    let log = concat_batches(&first.rows.schema(), batches.iter().map(|b| &b.rows))?;
    let all: Vec<usize> = (0..log.num_columns()).collect();
    let weights = batches
        .iter()
        .flat_map(|b| (0..b.num_rows()).map(|i| b.weight(i)));
    let rows = rows_of(&log, &all)?;
    let mut last = std::collections::HashMap::new();
    let mut net = ZSet::default();
    for ((row, weight), place) in rows.iter().zip(weights).zip(0u32..) {
        net.add(row, weight);
        last.insert(row, place);
    }
    let mut left: Vec<(u32, i64)> = net
        .into_entries()
        .into_iter()
        .filter_map(|(row, weight)| Some((*last.get(row)?, weight)))
        .collect();
    left.sort_unstable();
    if left.is_empty() {
        return Ok(None);
    }
    let places = UInt32Array::from_iter_values(left.iter().map(|(place, _)| *place));
    let rows = take_record_batch(&log, &places)?;
    Ok(Some(Batch::changes(
        rows,
        left.into_iter().map(|(_, weight)| weight).collect(),
    )))
}

/// The rows of positive weight, as often as it says.
fn present(batch: &Batch) -> Result<RecordBatch> {
    let repeated = (0u32..).zip(0..batch.num_rows()).flat_map(|(place, row)| {
        let times = usize::try_from(batch.weight(row)).unwrap_or(0);
        std::iter::repeat_n(place, times)
    });
    let places = UInt32Array::from_iter_values(repeated);
    Ok(take_record_batch(&batch.rows, &places)?)
}

#[async_trait]
impl SinkWriter for Folder {
    async fn write(&mut self, batch: &Batch) -> Result<()> {
        self.rows += batch.num_rows();
        self.held.push(batch.clone());
        if self.rows > self.limit {
            self.fold()?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        // Nothing is out before the end.
        Ok(())
    }

    fn watermark(&mut self, time: i64) {
        self.writer.watermark(time);
    }

    async fn close(&mut self) -> Result<()> {
        self.fold()?;
        for batch in std::mem::take(&mut self.held) {
            let rows = present(&batch)?;
            if rows.num_rows() > 0 {
                self.writer.write(&Batch::append(rows)).await?;
            }
        }
        self.writer.close().await
    }
}
