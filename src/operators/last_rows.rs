//! The last row of each key: what changes of rows by key make of it.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::SchemaRef;

use super::changed::{Shown, difference};
use crate::changelog::{Batch, take_rows};
use crate::error::Result;
use crate::state::{StateTtl, Table};

/// The last row of each key.
pub struct LastRows {
    key: Vec<usize>,
    /// The rows.
    pub rows: Table,
}

impl LastRows {
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

    /// Takes a batch, and returns what changes by it. Of several changes of a key the last counts: a positive weight sets its row, a
    /// negative one deletes it, whatever the other columns say.
    ///
    /// # Errors
    /// Where there is no room for one more.
    pub fn apply(&mut self, batch: &Batch) -> Result<Batch> {
        let key = self.key.iter();
        let key: Vec<ArrayRef> = key
            .map(|k| ArrayRef::clone(batch.rows.column(*k)))
            .collect();
        let keys = self.rows.keys_of(&key, batch.num_rows())?;
        let touched = self.rows.write_all(&keys)?;
        let before = Shown::all(self.rows.rows(&touched.slots[..touched.known])?);
        let mut last = vec![0u32; touched.slots.len()];
        for (row, position) in (0u32..).zip(&touched.rows) {
            last[*position] = row;
        }
        let is_there = |row: &u32| batch.weight(*row as usize) > 0;
        let there: Vec<bool> = last.iter().map(is_there).collect();
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
        difference(&before, &Shown { rows, there }, 0)
    }
}
