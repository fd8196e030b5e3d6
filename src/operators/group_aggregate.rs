//! Unbounded aggregation: merges partial results per key for ever and emits what changed, old row out and new row in.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::row::OwnedRow;

use super::aggregator::Aggregator;
use super::{Operator, Output};
use crate::changelog::{Batch, rows_of};
use crate::error::Result;
use crate::graph::Aggregate;
use crate::state::{KeyedState, RowCodec, StatePart, with_numbers, without_numbers};
use crate::time::Watermark;

/// Per key its partial results, as one row in state form.
pub struct GroupAggregate {
    aggregate: Arc<Aggregate>,
    partials: RowCodec,
    keys: RowCodec,
    groups: KeyedState<OwnedRow>,
}

impl GroupAggregate {
    /// No groups yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(aggregate: Arc<Aggregate>) -> Result<Self> {
        let schema = &aggregate.partial_schema;
        let key_columns: Vec<usize> = (0..aggregate.group.len()).collect();
        Ok(Self {
            partials: RowCodec::new(Arc::clone(schema))?,
            keys: RowCodec::of_columns(schema, &key_columns)?,
            groups: KeyedState::new(aggregate.ttl),
            aggregate,
        })
    }

    /// The positions of the grouping columns.
    fn key_columns(&self) -> Vec<usize> {
        (0..self.aggregate.group.len()).collect()
    }

    fn keys_of(&self, partials: &RecordBatch) -> Result<Vec<OwnedRow>> {
        self.keys.encode_columns(partials, &self.key_columns())
    }

    fn results(&self, partials: &RecordBatch) -> Result<RecordBatch> {
        let mut aggregator = Aggregator::new(Arc::clone(&self.aggregate))?;
        aggregator.merge(partials)?;
        aggregator.take_results()
    }
}

impl Operator for GroupAggregate {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let keys = self.keys_of(&batch.rows)?;
        let mut seen = HashSet::new();
        let known: Vec<&OwnedRow> = keys
            .iter()
            .filter(|k| seen.insert(*k))
            .filter_map(|k| self.groups.get(k))
            .collect();
        let stored = self.partials.decode(known)?;
        let mut merged = Aggregator::new(Arc::clone(&self.aggregate))?;
        merged.merge(&stored)?;
        merged.merge(&batch.rows)?;
        let partials = merged.take_partials()?;
        let rows = self.partials.encode_rows(&partials)?;
        for (key, row) in self.keys_of(&partials)?.into_iter().zip(rows) {
            self.groups.insert(key, row);
        }

        // `stored` was merged first, so its groups are the first rows of `partials`, in the same order.
        let old = self.results(&stored)?;
        let new = self.results(&partials)?;
        let all: Vec<usize> = (0..new.num_columns()).collect();
        let (before, after) = (rows_of(&old, &all)?, rows_of(&new, &all)?);
        let (mut indices, mut weights) = (Vec::new(), Vec::new());
        for (i, row) in after.iter().enumerate() {
            if before.get(i) == Some(row) {
                continue;
            }
            if i < before.len() {
                indices.push(i as u32);
                weights.push(-1);
            }
            indices.push((old.num_rows() + i) as u32);
            weights.push(1);
        }
        let both = concat_batches(&new.schema(), [&old, &new])?;
        let rows = take_record_batch(&both, &UInt32Array::from(indices))?;
        out.batch(Batch::changes(rows, weights));
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
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
        let changed = self.groups.take_changes();
        let rows = changed.there().filter_map(|key| self.groups.get(key));
        let rows = self.partials.decode(rows)?;
        let rows = with_numbers(&rows, "__written", self.groups.written(changed.there()))?;
        let part = StatePart::keyed("groups", rows, &self.aggregate.key)?;
        Ok(vec![
            part.replacing(self.key_columns(), changed.gone(&self.keys)?),
        ])
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        for part in parts {
            let (partials, written) = without_numbers(&part.rows)?;
            let rows = self.partials.encode_rows(&partials)?;
            let keys = self.keys_of(&partials)?.into_iter().zip(rows);
            for ((key, row), written) in keys.zip(&written) {
                self.groups.restore(key, row, written);
            }
        }
        self.groups.restored();
        Ok(())
    }
}
