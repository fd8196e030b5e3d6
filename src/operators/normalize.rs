//! Upserts and deletes by key, as a changelog: what they replace is retracted (Flink: ChangelogNormalize).

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::row::OwnedRow;

use super::changed::Changed;
use super::{Operator, Output};
use crate::changelog::Batch;
use crate::error::Result;
use crate::state::{KeyedState, RowCodec, StatePart, StateTtl, with_numbers, without_numbers};
use crate::time::Watermark;

/// Keeps the last row of every key. A positive weight sets it; a negative one deletes it, whatever the other columns say.
pub struct ChangelogNormalize {
    key: Vec<usize>,
    keys: RowCodec,
    rows: RowCodec,
    last: KeyedState<OwnedRow>,
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
            last: KeyedState::new(ttl),
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
                changed.add(row.clone(), 1);
                self.last.insert(key, row)
            } else {
                self.last.remove(&key)
            };
            before.into_iter().for_each(|row| changed.add(row, -1));
        }
        out.batch(changed.take(&self.rows)?);
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
            self.last.on_watermark(t);
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.last.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        self.last.on_clock(now);
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        let changed = self.last.take_changes();
        let rows = changed.there().filter_map(|key| self.last.get(key));
        let rows = self.rows.decode(rows)?;
        let rows = with_numbers(&rows, "__written", self.last.written(changed.there()))?;
        let part = StatePart::keyed("rows", rows, &self.key)?;
        Ok(vec![
            part.replacing(self.key.clone(), changed.gone(&self.keys)?),
        ])
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        for part in parts {
            let (rows, written) = without_numbers(&part.rows)?;
            let keys = self.keys.encode_columns(&rows, &self.key)?;
            let rows = self.rows.encode_rows(&rows)?;
            for ((key, row), written) in keys.into_iter().zip(rows).zip(&written) {
                self.last.restore(key, row, written);
            }
        }
        self.last.restored();
        Ok(())
    }
}
