//! Upserts and deletes by key, as a changelog: what they replace is retracted (Flink: ChangelogNormalize).

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::SchemaRef;

use super::changed::{Shown, difference};
use super::{Operator, Output};
use crate::changelog::{Batch, take_rows};
use crate::error::Result;
use crate::state::{StatePart, StateTtl, Table, TableSnapshot};
use crate::time::Watermark;

/// Keeps the last row of every key. A positive weight sets it; a negative one deletes it, whatever the other columns say.
pub struct ChangelogNormalize {
    key: Vec<usize>,
    rows: Table,
}

impl ChangelogNormalize {
    /// No keys yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(key: Vec<usize>, ttl: Option<StateTtl>, schema: &SchemaRef) -> Result<Self> {
        Ok(Self {
            rows: Table::new("rows", SchemaRef::clone(schema), &key, &key, ttl)?,
            key,
        })
    }
}

impl Operator for ChangelogNormalize {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let keys = self
            .key
            .iter()
            .map(|k| ArrayRef::clone(batch.rows.column(*k)));
        let keys = self
            .rows
            .keys_of(&keys.collect::<Vec<_>>(), batch.num_rows())?;
        let touched = self.rows.write_all(&keys)?;
        let before = Shown::all(self.rows.rows(&touched.slots[..touched.known])?);
        // Of several changes of a key the last counts.
        let mut last = vec![0u32; touched.slots.len()];
        for (row, position) in (0u32..).zip(&touched.rows) {
            last[*position] = row;
        }
        let there: Vec<bool> = last
            .iter()
            .map(|row| batch.weight(*row as usize) > 0)
            .collect();
        let (mut set, mut rows) = (Vec::new(), Vec::new());
        for ((slot, row), is_there) in touched.slots.iter().zip(last).zip(&there) {
            if *is_there {
                set.push(*slot);
                rows.push(row);
            } else {
                self.rows.remove(*slot)?;
            }
        }
        let rows = take_rows(&batch.rows, &UInt32Array::from(rows))?;
        self.rows.set_rows(&set, rows.columns())?;
        out.batch(difference(&before, &Shown { rows, there }, 0)?);
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
            self.rows.expire_by_watermark(t)?;
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.rows.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        self.rows.expire_by_clock(now)
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.rows.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.rows.restore_all(&parts)
    }
}
