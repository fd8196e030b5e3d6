//! Aggregation for ever: per key, emitting what changed, old row out and new row in.

use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::Schema;

use super::groups::{Groups, Results};
use super::{Operator, Output};
use crate::changelog::{Batch, rows_of};
use crate::error::Result;
use crate::graph::Aggregate;
use crate::state::StatePart;
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

/// What differs between the results of the same groups, of which `before` may leave out the last.
fn changes(before: &Results, after: &Results) -> Result<Batch> {
    let all: Vec<usize> = (0..after.rows.num_columns()).collect();
    let (old, new) = (rows_of(&before.rows, &all)?, rows_of(&after.rows, &all)?);
    let (mut old, mut new) = (
        old.iter().enumerate(),
        new.iter()
            .enumerate()
            .map(|(i, row)| (i + before.rows.num_rows(), row)),
    );
    let (mut indices, mut weights) = (Vec::new(), Vec::new());
    let mut put = |at: Option<usize>, weight| {
        if let Some(at) = at {
            indices.push(at as u32);
            weights.push(weight);
        }
    };
    let was = before.there.iter().copied();
    for (was, is) in was.chain(std::iter::repeat(false)).zip(&after.there) {
        let old = was.then(|| old.next()).flatten();
        let new = is.then(|| new.next()).flatten();
        if old.as_ref().map(|o| o.1) == new.as_ref().map(|n| n.1) {
            continue;
        }
        put(old.map(|o| o.0), -1);
        put(new.map(|n| n.0), 1);
    }
    let both = concat_batches(&after.rows.schema(), [&before.rows, &after.rows])?;
    let rows = take_record_batch(&both, &UInt32Array::from(indices))?;
    Ok(Batch::changes(rows, weights))
}

impl Operator for GroupAggregate {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let keys = self.groups.keys_of(&batch.rows)?;
        let (before, after) = self.groups.apply_for_results(&batch, &keys)?;
        out.batch(changes(&before, &after)?);
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

    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        self.groups.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.groups.restore(&parts).map(|_| ())
    }
}
