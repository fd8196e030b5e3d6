//! One row a key before a sink whose key is not the query's: of several rows the last or the first, or an error (Flink:
//! SinkUpsertMaterializer and ON CONFLICT).

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::row::OwnedRow;

use super::changed::Changed;
use super::{Operator, Output};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::Conflict;
use crate::state::{KeyedState, RowCodec, StatePart, StateTtl, with_numbers, without_numbers};
use crate::time::Watermark;

/// Keeps all rows of every key, in the order in which they came.
pub struct UpsertMaterialize {
    key: Vec<usize>,
    conflict: Conflict,
    keys: RowCodec,
    rows: RowCodec,
    there: KeyedState<Vec<OwnedRow>>,
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
            there: KeyedState::new(ttl),
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
            let there = self.there.write(key, || Ok(Vec::new()))?.value;
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
                Some(row) => changed.add(row, 1),
                None => {
                    self.there.remove(key);
                }
            }
        }
        out.batch(changed.take(&self.rows)?);
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
            self.there.on_watermark(t);
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.there.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        self.there.on_clock(now);
        Ok(())
    }

    /// A part "rows": those of each key in their order, and `__written`.
    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        let changed = self.there.take_changes();
        let all = changed.there().flat_map(|key| {
            let rows = self.there.get(key).into_iter().flatten();
            rows.map(move |row| (key, row))
        });
        let all: Vec<(&OwnedRow, &OwnedRow)> = all.collect();
        let rows = self.rows.decode(all.iter().map(|(_, row)| *row))?;
        let written = self.there.written(all.iter().map(|(key, _)| *key));
        let rows = with_numbers(&rows, "__written", written)?;
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
                self.there.write(&key, || Ok(Vec::new()))?.value.push(row);
                self.there.restore_written(&key, written);
            }
        }
        self.there.restored();
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
