//! Upserts and deletes by key, as a changelog: what they replace is retracted (Flink: ChangelogNormalize).

use arrow::datatypes::SchemaRef;

use super::last_rows::LastRows;
use super::{Operator, Output};
use crate::changelog::Batch;
use crate::error::Result;
use crate::state::{StatePart, StateTtl, TableSnapshot};
use crate::time::Watermark;

/// Keeps the last row of every key. A positive weight sets it; a negative one deletes it, whatever the other columns say.
pub struct ChangelogNormalize {
    last: LastRows,
}

impl ChangelogNormalize {
    /// No keys yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(key: Vec<usize>, ttl: Option<StateTtl>, schema: &SchemaRef) -> Result<Self> {
        let last = LastRows::new(key, ttl, schema)?;
        Ok(Self { last })
    }
}

impl Operator for ChangelogNormalize {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        out.batch(self.last.apply(&batch)?);
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
            self.last.rows.expire_by_watermark(t)?;
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.last.rows.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        self.last.rows.expire_by_clock(now)
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.last.rows.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.last.rows.restore_all(&parts)
    }
}
