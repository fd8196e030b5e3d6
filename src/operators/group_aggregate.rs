//! Aggregation for ever: per key, emitting what changed, old row out and new row in.

use std::sync::Arc;

use arrow::datatypes::Schema;

use super::changed::difference;
use super::groups::Groups;
use super::{Operator, Output};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::Aggregate;
use crate::state::{StatePart, TableSnapshot};
use crate::time::Watermark;

/// Groups without windows.
pub struct GroupAggregate {
    groups: Groups,
}

impl GroupAggregate {
    /// No groups yet; `input`: the rows that come.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state, or a function is not supported.
    pub fn new(aggregate: Arc<Aggregate>, input: &Schema) -> Result<Self> {
        Ok(Self {
            groups: Groups::new(aggregate, input)?,
        })
    }
}

impl Operator for GroupAggregate {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let keys = self.groups.keys_of(&batch.rows)?;
        let (before, after) = self.groups.apply_for_results(&batch, &keys)?;
        out.batch(difference(&before, &after, keys.len())?);
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
            self.groups.on_watermark(t)?;
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.groups.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        self.groups.on_clock(now)
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.groups.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.groups.restore(&parts).map(|_| ())
    }
}
