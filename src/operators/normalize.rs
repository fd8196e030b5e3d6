//! Upserts and deletes by key, as a changelog: what they replace is retracted (Flink: ChangelogNormalize).

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, Int64Array};
use arrow::datatypes::SchemaRef;
use arrow::row::OwnedRow;

use super::changed::Changed;
use super::{Operator, Output};
use crate::changelog::Batch;
use crate::error::Result;
use crate::state::{Expiry, RowCodec, StatePart, StateTtl, with_numbers, without_numbers};
use crate::time::Watermark;

/// Keeps the last row of every key. A positive weight sets it; a negative one deletes it, whatever the other columns say.
pub struct ChangelogNormalize {
    key: Vec<usize>,
    keys: RowCodec,
    rows: RowCodec,
    last: HashMap<OwnedRow, OwnedRow>,
    expiry: Expiry<OwnedRow>,
}

impl ChangelogNormalize {
    /// No keys yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(key: Vec<usize>, ttl: Option<StateTtl>, schema: &SchemaRef) -> Result<Self> {
        Ok(Self {
            keys: RowCodec::of_columns(schema, &key)?,
            rows: RowCodec::new(Arc::clone(schema))?,
            key,
            last: HashMap::new(),
            expiry: Expiry::new(ttl),
        })
    }
}

impl Operator for ChangelogNormalize {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let keys = self.keys.encode_columns(&batch.rows, &self.key)?;
        let rows = self.rows.encode_rows(&batch.rows)?;
        let mut changed = Changed::default();
        for (i, (key, row)) in keys.into_iter().zip(rows).enumerate() {
            let before = if batch.weight(i) > 0 {
                self.expiry.touch(&key);
                changed.add(row.clone(), 1);
                self.last.insert(key, row)
            } else {
                self.expiry.forget(&key);
                self.last.remove(&key)
            };
            before.into_iter().for_each(|row| changed.add(row, -1));
        }
        out.batch(changed.take(&self.rows)?);
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
            for key in self.expiry.on_watermark(t) {
                self.last.remove(&key);
            }
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.expiry.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        for key in self.expiry.on_clock(now) {
            self.last.remove(&key);
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        let entries: Vec<(&OwnedRow, Option<i64>)> = self
            .last
            .iter()
            .map(|(key, row)| (row, self.expiry.written(key)))
            .collect();
        let rows = self.rows.decode(entries.iter().map(|e| e.0))?;
        let times: Int64Array = entries.iter().map(|e| e.1).collect();
        let part = StatePart::keyed("rows", with_numbers(&rows, "__written", times)?, &self.key)?;
        Ok(vec![part])
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        for part in parts {
            let (rows, times) = without_numbers(&part.rows)?;
            let keys = self.keys.encode_columns(&rows, &self.key)?;
            let rows = self.rows.encode_rows(&rows)?;
            for (i, (key, row)) in keys.into_iter().zip(rows).enumerate() {
                if times.is_valid(i) {
                    self.expiry.set(&key, times.value(i));
                }
                self.last.insert(key, row);
            }
        }
        Ok(())
    }
}
