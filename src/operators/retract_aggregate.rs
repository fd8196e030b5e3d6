//! Aggregation of rows that come and go: per key for ever, or per window until the watermark passes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::datatypes::Schema;
use arrow::row::OwnedRow;

use super::changed::Changed;
use super::late::{LateRows, Reason, too_late};
use super::retract_groups::RetractGroups;
use super::{Metrics, Operator, Output, event_times};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::Aggregate;
use crate::state::{RowCodec, StatePart};
use crate::time::{Millis, Watermark};

/// The second phase of an aggregation over updating input (there is no first).
pub struct RetractAggregate {
    aggregate: Arc<Aggregate>,
    groups: RetractGroups,
    codec: RowCodec,
    /// With windows: the groups by window end.
    windows: BTreeMap<Millis, BTreeSet<OwnedRow>>,
    watermark: Millis,
    metrics: Arc<Metrics>,
}

impl RetractAggregate {
    /// No groups yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state, or a function is not supported.
    pub fn new(aggregate: Arc<Aggregate>, input: &Schema, metrics: Arc<Metrics>) -> Result<Self> {
        Ok(Self {
            groups: RetractGroups::new(Arc::clone(&aggregate), input)?,
            codec: RowCodec::new(Arc::clone(&aggregate.result_schema))?,
            windows: BTreeMap::new(),
            watermark: Millis::MIN,
            aggregate,
            metrics,
        })
    }

    fn emit_changes(&mut self, touched: &[OwnedRow], out: &mut Output) -> Result<()> {
        let mut changed = Changed::default();
        let (rows, there) = self.groups.results(touched)?;
        let mut new = self.codec.encode_rows(&rows)?.into_iter();
        for (key, is_there) in touched.iter().zip(there) {
            let after = if is_there { new.next() } else { None };
            let before = self.groups.show(key, after.clone());
            before.into_iter().for_each(|row| changed.add(row, -1));
            after.into_iter().for_each(|row| changed.add(row, 1));
        }
        out.batch(changed.take(&self.codec)?);
        Ok(())
    }

    fn ends(&self, keys: &[OwnedRow], end: usize) -> Result<Vec<Millis>> {
        let rows = self.groups.decode_keys(keys)?;
        Ok(event_times(rows.column(end))?.values().to_vec())
    }

    fn add_to_windows(
        &mut self,
        batch: Batch,
        keys: Vec<OwnedRow>,
        end: usize,
        out: &mut Output,
    ) -> Result<()> {
        let ends = self.ends(&keys, end)?;
        let mut late = LateRows::default();
        let mut keep = Vec::with_capacity(keys.len());
        for (i, end) in ends.into_iter().enumerate() {
            // Late (Flink): the window had fired, its last millisecond was at or before the row's watermark.
            let watermark = too_late(end - 1, batch.behind(i), self.watermark);
            keep.push(watermark.is_none());
            if let Some(watermark) = watermark {
                late.add(i, watermark, Reason::Window(end));
            }
        }
        let (batch, keys) = if late.is_empty() {
            (batch, keys)
        } else {
            late.hand_out("WindowAggregate", &batch, &self.metrics, out)?;
            let kept = keys
                .into_iter()
                .zip(&keep)
                .filter(|(_, k)| **k)
                .map(|(key, _)| key);
            let kept = kept.collect();
            (batch.filter(&BooleanArray::from(keep))?, kept)
        };
        let touched = self.groups.apply(&batch, &keys)?;
        for (end, key) in self.ends(&touched, end)?.into_iter().zip(touched) {
            self.windows.entry(end).or_default().insert(key);
        }
        Ok(())
    }
}

impl Operator for RetractAggregate {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let keys = self.groups.keys_of(&batch.rows)?;
        match self.aggregate.window {
            Some((_, end)) => self.add_to_windows(batch, keys, end, out),
            None => {
                let touched = self.groups.apply(&batch, &keys)?;
                self.emit_changes(&touched, out)
            }
        }
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
            self.watermark = t;
            while let Some(entry) = self.windows.first_entry() {
                if entry.key() - 1 > t {
                    break;
                }
                let keys: Vec<OwnedRow> = entry.remove().into_iter().collect();
                out.batch(Batch::append(self.groups.results(&keys)?.0));
                keys.iter().for_each(|key| self.groups.remove(key));
            }
            self.groups.on_watermark(t);
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.groups.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        self.groups.on_clock(now);
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        self.groups.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        let keys = self.groups.restore(&parts)?;
        if let Some((_, end)) = self.aggregate.window {
            for (end, key) in self.ends(&keys, end)?.into_iter().zip(keys) {
                self.windows.entry(end).or_default().insert(key);
            }
            return Ok(());
        }
        // What was shown is what the groups gave at the snapshot.
        let (rows, there) = self.groups.results(&keys)?;
        let there = keys.iter().zip(there).filter(|(_, t)| *t);
        for ((key, _), row) in there.zip(self.codec.encode_rows(&rows)?) {
            self.groups.show(key, Some(row));
        }
        Ok(())
    }
}
