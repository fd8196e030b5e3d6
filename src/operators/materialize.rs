//! One row a key before a sink whose key is not the query's: of several rows the last or the first, or an error (Flink:
//! SinkUpsertMaterializer and ON CONFLICT).

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, Int64Array};
use arrow::datatypes::SchemaRef;
use arrow::row::OwnedRow;

use super::changed::Changed;
use super::{Operator, Output};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::Conflict;
use crate::state::{Expiry, RowCodec, StatePart, StateTtl, with_numbers, without_numbers};
use crate::time::Watermark;

/// Keeps all rows of every key, in the order in which they came.
pub struct UpsertMaterialize {
    key: Vec<usize>,
    conflict: Conflict,
    keys: RowCodec,
    rows: RowCodec,
    there: HashMap<OwnedRow, Vec<OwnedRow>>,
    expiry: Expiry<OwnedRow>,
}

impl UpsertMaterialize {
    /// No keys yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(
        key: Vec<usize>,
        conflict: Conflict,
        ttl: Option<StateTtl>,
        schema: &SchemaRef,
    ) -> Result<Self> {
        Ok(Self {
            keys: RowCodec::of_columns(schema, &key)?,
            rows: RowCodec::new(Arc::clone(schema))?,
            key,
            conflict,
            there: HashMap::new(),
            expiry: Expiry::new(ttl),
        })
    }

    fn shown<'a>(&self, rows: Option<&'a Vec<OwnedRow>>) -> Option<&'a OwnedRow> {
        match self.conflict {
            Conflict::Nothing => rows?.first(),
            Conflict::Deduplicate | Conflict::Error => rows?.last(),
        }
    }
}

impl Operator for UpsertMaterialize {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let keys = self.keys.encode_columns(&batch.rows, &self.key)?;
        let rows = self.rows.encode_rows(&batch.rows)?;
        let mut before: HashMap<&OwnedRow, Option<OwnedRow>> = HashMap::new();
        let mut order = Vec::new();
        for (i, (key, row)) in keys.iter().zip(rows).enumerate() {
            if !before.contains_key(key) {
                before.insert(key, self.shown(self.there.get(key)).cloned());
                order.push(key);
            }
            let there = self.there.entry(key.clone()).or_default();
            let weight = batch.weight(i);
            (0..weight).for_each(|_| there.push(row.clone()));
            for _ in weight..0 {
                if let Some(at) = there.iter().position(|r| *r == row) {
                    there.remove(at);
                }
            }
        }
        let mut changed = Changed::default();
        for key in order {
            let there = self.there.get(key);
            if self.conflict == Conflict::Error && there.is_some_and(|rows| rows.len() > 1) {
                return Err(self.conflict_error(key)?);
            }
            let after = self.shown(there).cloned();
            before
                .remove(key)
                .flatten()
                .into_iter()
                .for_each(|row| changed.add(row, -1));
            match after {
                Some(row) => {
                    changed.add(row, 1);
                    self.expiry.touch(key);
                }
                None => {
                    self.there.remove(key);
                    self.expiry.forget(key);
                }
            }
        }
        out.batch(changed.take(&self.rows)?);
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
            for key in self.expiry.on_watermark(t) {
                self.there.remove(&key);
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
            self.there.remove(&key);
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        let mut entries: Vec<(&OwnedRow, Option<i64>)> = Vec::new();
        for (key, rows) in &self.there {
            let written = self.expiry.written(key);
            entries.extend(rows.iter().map(|row| (row, written)));
        }
        let rows = self.rows.decode(entries.iter().map(|e| e.0))?;
        let times: Int64Array = entries.iter().map(|e| e.1).collect();
        let rows = with_numbers(&rows, "__written", times)?;
        Ok(vec![StatePart::keyed("rows", rows, &self.key)?])
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
                self.there.entry(key).or_default().push(row);
            }
        }
        Ok(())
    }
}

impl UpsertMaterialize {
    fn conflict_error(&self, key: &OwnedRow) -> Result<Error> {
        let key = self.keys.decode([key])?;
        let options = arrow::util::display::FormatOptions::default().with_null("NULL");
        let mut shown = Vec::new();
        for (field, column) in key.schema().fields().iter().zip(key.columns()) {
            let value = arrow::util::display::ArrayFormatter::try_new(column, &options)?;
            shown.push(format!("{} = {}", field.name(), value.value(0)));
        }
        Ok(Error::data(format!(
            "Primary key constraint violation: more than one row for the key ({}) of the sink",
            shown.join(", ")
        ))
        .with_help("the INSERT says ON CONFLICT DO ERROR; DO DEDUPLICATE keeps the last row, DO NOTHING the first"))
    }
}
