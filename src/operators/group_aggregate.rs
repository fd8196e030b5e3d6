//! Unbounded aggregation: merges partial results per key for ever and emits what changed, old row out and new row in.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::row::OwnedRow;

use super::aggregator::Aggregator;
use super::{Operator, Output};
use crate::changelog::{Batch, rows_of};
use crate::error::Result;
use crate::graph::Aggregate;
use crate::state::{Expiry, RowCodec, StatePart, with_numbers, without_numbers};
use crate::time::Watermark;

/// Per key its partial results, as one row in state form.
pub struct GroupAggregate {
    aggregate: Arc<Aggregate>,
    partials: RowCodec,
    keys: RowCodec,
    groups: HashMap<OwnedRow, OwnedRow>,
    expiry: Expiry<OwnedRow>,
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
            groups: HashMap::new(),
            expiry: Expiry::new(aggregate.ttl),
            aggregate,
        })
    }

    fn keys_of(&self, partials: &RecordBatch) -> Result<Vec<OwnedRow>> {
        let columns: Vec<usize> = (0..self.aggregate.group.len()).collect();
        self.keys.encode_columns(partials, &columns)
    }

    fn results(&self, partials: &RecordBatch) -> Result<RecordBatch> {
        let mut aggregator = Aggregator::new(Arc::clone(&self.aggregate))?;
        aggregator.merge(partials)?;
        aggregator.take_results()
    }

    fn insert(&mut self, partials: &RecordBatch) -> Result<Vec<OwnedRow>> {
        let keys = self.keys_of(partials)?;
        let rows = self.partials.encode_rows(partials)?;
        self.groups.extend(keys.iter().cloned().zip(rows));
        Ok(keys)
    }

    fn expire(&mut self, keys: Vec<OwnedRow>) {
        for key in keys {
            self.groups.remove(&key);
        }
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
        for key in self.insert(&partials)? {
            self.expiry.touch(&key);
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
            let expired = self.expiry.on_watermark(t);
            self.expire(expired);
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.expiry.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        let expired = self.expiry.on_clock(now);
        self.expire(expired);
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        if self.groups.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.partials.decode(self.groups.values())?;
        let written: Int64Array = self.groups.keys().map(|k| self.expiry.written(k)).collect();
        let rows = with_numbers(&rows, "__written", written)?;
        Ok(vec![StatePart::keyed("groups", rows, &self.aggregate.key)?])
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        for part in parts {
            let (rows, written) = without_numbers(&part.rows)?;
            let keys = self.insert(&rows)?;
            for (i, key) in keys
                .iter()
                .enumerate()
                .filter(|(i, _)| written.is_valid(*i))
            {
                self.expiry.set(key, written.value(i));
            }
        }
        Ok(())
    }
}
