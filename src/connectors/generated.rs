//! Reads rows that are made from their numbers: one partition whose position is how many rows there were, at a rate or as fast as
//! they are taken.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use tokio::time::Instant;

use super::{ReadRequest, SourceEvent, SourceReader};
use crate::error::{Error, Result};

/// Rows come at least this far apart in batches, where the rate allows more than one a batch.
const BATCH_INTERVAL: Duration = Duration::from_millis(10);

/// Makes rows from their numbers.
pub(super) trait Generate: Send {
    /// The rows of these numbers, columns as asked for.
    fn rows(&self, numbers: Range<u64>, request: &ReadRequest) -> Result<RecordBatch>;
}

/// How many rows are made, and how fast.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Rows a second; none: as fast as they are taken.
    pub(super) rate: Option<u64>,
    /// How many rows there are; none: without end.
    pub(super) limit: Option<u64>,
    /// The option that sets the limit.
    pub(super) limit_option: &'static str,
}

/// A reader of generated rows. All come from the first reader of a job, so that they are the same at any parallelism.
pub(super) fn reader(
    partition: &'static str,
    pace: Pace,
    generator: Box<dyn Generate>,
    request: ReadRequest,
) -> Result<Box<dyn SourceReader>> {
    if request.bounded && pace.limit.is_none() {
        return Err(
            Error::usage("generated rows have no end that could be read up to").with_help(format!(
                "set '{}' in the WITH list of the table",
                pace.limit_option
            )),
        );
    }
    let emitted = match request.restored.get(partition) {
        None => 0,
        Some(text) => text
            .parse()
            .map_err(|_| Error::internal(format!("'{text}' is no number of rows")))?,
    };
    if let (Some(limit), 0) = (pace.limit, request.instance) {
        request.metrics.total.fetch_add(limit, Ordering::Relaxed);
        request.metrics.done.fetch_add(emitted, Ordering::Relaxed);
    }
    Ok(Box::new(Reader {
        phase: if request.instance == 0 {
            Phase::Start
        } else {
            Phase::Ended
        },
        partition: partition.into(),
        pace,
        generator,
        started: Instant::now(),
        started_at: emitted,
        emitted,
        next_batch: Instant::now(),
        request,
    }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Start,
    Rows,
    Ended,
}

struct Reader {
    phase: Phase,
    partition: Arc<str>,
    pace: Pace,
    generator: Box<dyn Generate>,
    request: ReadRequest,
    /// When this reader began, and how many rows there were before.
    started: Instant,
    started_at: u64,
    /// Rows so far, those before this reader included.
    emitted: u64,
    next_batch: Instant,
}

impl Reader {
    /// Waits until rows are due and says how many, at most a batch.
    async fn due(&mut self) -> u64 {
        let most = self.request.batch_rows.max(1) as u64;
        let Some(rate) = self.pace.rate else {
            return most;
        };
        let here = self.emitted - self.started_at;
        let at = self.started + Duration::from_secs_f64(here as f64 / rate as f64);
        tokio::time::sleep_until(at.max(self.next_batch)).await;
        let elapsed = self.started.elapsed().as_secs_f64();
        let due = (elapsed * rate as f64) as u64 + 1;
        due.saturating_sub(here).clamp(1, most)
    }
}

#[async_trait]
impl SourceReader for Reader {
    async fn next(&mut self) -> Result<SourceEvent> {
        match self.phase {
            Phase::Start => {
                self.phase = Phase::Rows;
                Ok(SourceEvent::Assigned(vec![Arc::clone(&self.partition)]))
            }
            Phase::Rows if self.pace.limit.is_some_and(|limit| self.emitted >= limit) => {
                self.phase = Phase::Ended;
                Ok(SourceEvent::PartitionEnd(Arc::clone(&self.partition)))
            }
            Phase::Rows => {
                let due = self.due().await;
                let rows = self
                    .pace
                    .limit
                    .map_or(due, |limit| due.min(limit - self.emitted));
                let batch = self
                    .generator
                    .rows(self.emitted..self.emitted + rows, &self.request)?;
                self.emitted += rows;
                self.next_batch = Instant::now() + BATCH_INTERVAL;
                if rows >= self.request.batch_rows as u64 {
                    // A full batch: the rate is higher than can be kept up with in small ones.
                    self.next_batch = Instant::now();
                }
                let metrics = &self.request.metrics;
                metrics
                    .bytes
                    .fetch_add(batch.get_array_memory_size() as u64, Ordering::Relaxed);
                if self.pace.limit.is_some() {
                    metrics.done.fetch_add(rows, Ordering::Relaxed);
                }
                Ok(SourceEvent::Rows {
                    weights: None,
                    partition: Arc::clone(&self.partition),
                    rows: batch,
                })
            }
            Phase::Ended => Ok(SourceEvent::End),
        }
    }

    fn positions(&self) -> Vec<(Arc<str>, String)> {
        match self.request.instance {
            0 => vec![(Arc::clone(&self.partition), self.emitted.to_string())],
            _ => Vec::new(),
        }
    }
}

/// Two numbers well mixed (the finalizer of splitmix64).
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let mut x = a.wrapping_add(b.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
