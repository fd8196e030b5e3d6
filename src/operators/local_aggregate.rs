//! The first phase of an aggregation: partial results per key (and window) before rows are shuffled.

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::compute::filter;

use super::aggregator::Aggregator;
use super::late::{LateRows, Reason, too_late};
use super::{Metrics, Operator, Output, event_times};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::Aggregate;
use crate::time::{Millis, Watermark};

/// Partial results are passed on at the latest when there are so many groups.
const MAX_GROUPS: usize = 1 << 16;

/// Holds partial results until the watermark ends a window; without windows, until the (mini-)batch is over.
pub struct LocalAggregate {
    aggregate: Arc<Aggregate>,
    aggregator: Aggregator,
    /// The earliest window end held, in milliseconds.
    first_end: Millis,
    /// Rows held of a mini-batch, and the clock reading since which.
    rows: u64,
    since: Option<i64>,
    /// The step of event time, where state expires by it.
    step: Option<Millis>,
    metrics: Arc<Metrics>,
}

impl LocalAggregate {
    /// No rows yet.
    ///
    /// # Errors
    /// Where a grouping type or function is not supported.
    pub fn new(aggregate: Arc<Aggregate>, metrics: Arc<Metrics>) -> Result<Self> {
        let aggregator = Aggregator::new(Arc::clone(&aggregate))?;
        Ok(Self {
            aggregate,
            aggregator,
            first_end: Millis::MAX,
            rows: 0,
            since: None,
            step: None,
            metrics,
        })
    }

    fn flush(&mut self, out: &mut Output) -> Result<()> {
        if !self.aggregator.is_empty() {
            out.batch(Batch::append(self.aggregator.take_partials()?));
        }
        self.first_end = Millis::MAX;
        self.rows = 0;
        self.since = None;
        Ok(())
    }
}

impl Operator for LocalAggregate {
    fn on_batch(&mut self, _port: usize, mut batch: Batch, out: &mut Output) -> Result<()> {
        let mut keys = self.aggregate.keys(&batch.rows)?;
        let Some((_, end)) = self.aggregate.window else {
            self.aggregator.update(&batch.rows, &keys)?;
            self.rows += batch.num_rows() as u64;
            let is_full = self
                .aggregate
                .mini_batch
                .is_none_or(|m| self.rows >= m.size);
            if is_full || self.aggregator.len() >= MAX_GROUPS {
                self.flush(out)?;
            }
            return Ok(());
        };
        let mut ends = event_times(&keys[end])?;
        if batch.behind.is_some() {
            let mut late = LateRows::default();
            let mut keep = Vec::with_capacity(batch.num_rows());
            for (i, end) in ends.values().iter().enumerate() {
                // Late (Flink): the window had fired, its last millisecond was at or before the row's watermark.
                let watermark = too_late(end - 1, batch.behind(i), Millis::MIN);
                keep.push(watermark.is_none());
                if let Some(watermark) = watermark {
                    late.add(i, watermark, Reason::Window(*end));
                }
            }
            if !late.is_empty() {
                late.hand_out("LocalWindowAggregate", &batch, &self.metrics, out)?;
                let keep = BooleanArray::from(keep);
                batch = batch.filter(&keep)?;
                keys = keys
                    .iter()
                    .map(|k| filter(k, &keep))
                    .collect::<std::result::Result<_, _>>()?;
                ends = event_times(&keys[end])?;
            }
        }
        self.aggregator.update(&batch.rows, &keys)?;
        self.first_end = ends
            .values()
            .iter()
            .copied()
            .fold(self.first_end, Millis::min);
        if self.aggregator.len() >= MAX_GROUPS {
            self.flush(out)?;
        }
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        let latency = self.aggregate.mini_batch?.latency;
        Some((latency.unsigned_abs() / 2).clamp(1, 1000))
    }

    fn on_clock(&mut self, now: i64, out: &mut Output) -> Result<()> {
        let (Some(batch), false) = (self.aggregate.mini_batch, self.aggregator.is_empty()) else {
            return Ok(());
        };
        if now - *self.since.get_or_insert(now) >= batch.latency {
            self.flush(out)?;
        }
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if self.aggregate.mini_batch.is_some() {
            // Without windows nothing waits for the watermark. But what comes in one step of a TTL counts as written in it.
            if let (Some(ttl), Watermark::At(time)) = (self.aggregate.ttl, watermark) {
                let step = Some(ttl.step_of(time)).filter(|_| ttl.by_event_time);
                if std::mem::replace(&mut self.step, step) != step {
                    self.flush(out)?;
                }
            }
            out.watermark(watermark);
            return Ok(());
        }
        // An idle input may be passed over by the others: nothing may be held back here then.
        if matches!(watermark, Watermark::At(t) if t < self.first_end - 1) {
            out.watermark(watermark);
            return Ok(());
        }
        self.flush(out)?;
        out.watermark(watermark);
        Ok(())
    }

    fn on_end(&mut self, out: &mut Output) -> Result<()> {
        self.flush(out)
    }

    fn before_barrier(&mut self, out: &mut Output) -> Result<()> {
        self.flush(out)
    }
}
