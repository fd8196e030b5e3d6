//! Unbounded aggregation: merges partial results per key for ever and emits what changed, old row out and new row in.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::row::{OwnedRow, RowConverter, SortField};

use super::aggregator::Aggregator;
use super::{Operator, Output};
use crate::changelog::{Batch, rows_of};
use crate::error::Result;
use crate::graph::Aggregate;
use crate::state::{Expiry, KeyHasher, StatePart};
use crate::time::Watermark;

/// Per key its partial results, as one row in Arrow's row format.
pub struct GroupAggregate {
    aggregate: Arc<Aggregate>,
    converter: RowConverter,
    groups: HashMap<OwnedRow, OwnedRow>,
    expiry: Expiry<OwnedRow>,
}

impl GroupAggregate {
    /// No groups yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(aggregate: Arc<Aggregate>) -> Result<Self> {
        let fields = aggregate
            .partial_schema
            .fields()
            .iter()
            .map(|f| SortField::new(f.data_type().clone()))
            .collect();
        Ok(Self {
            converter: RowConverter::new(fields)?,
            expiry: Expiry::new(aggregate.ttl),
            aggregate,
            groups: HashMap::new(),
        })
    }

    fn key_columns(&self) -> Vec<usize> {
        (0..self.aggregate.group.len()).collect()
    }

    fn results(&self, partials: &RecordBatch) -> Result<RecordBatch> {
        let mut aggregator = Aggregator::new(Arc::clone(&self.aggregate))?;
        aggregator.merge(partials)?;
        aggregator.take_results()
    }

    fn decode<'a>(&self, rows: impl Iterator<Item = &'a OwnedRow>) -> Result<RecordBatch> {
        let columns = self.converter.convert_rows(rows.map(OwnedRow::row))?;
        Ok(RecordBatch::try_new(
            Arc::clone(&self.aggregate.partial_schema),
            columns,
        )?)
    }

    fn insert(&mut self, partials: &RecordBatch) -> Result<()> {
        let keys = rows_of(partials, &self.key_columns())?;
        let encoded = self.converter.convert_columns(partials.columns())?;
        for (key, row) in keys.into_iter().zip(encoded.iter()) {
            self.expiry.touch(&key);
            self.groups.insert(key, row.owned());
        }
        Ok(())
    }
}

impl Operator for GroupAggregate {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let keys = rows_of(&batch.rows, &self.key_columns())?;
        let mut seen = std::collections::HashSet::new();
        let known: Vec<&OwnedRow> = keys
            .iter()
            .filter(|k| seen.insert(*k))
            .filter_map(|k| self.groups.get(k))
            .collect();
        let stored = self.decode(known.into_iter())?;
        let mut merged = Aggregator::new(Arc::clone(&self.aggregate))?;
        merged.merge(&stored)?;
        merged.merge(&batch.rows)?;
        let partials = merged.take_partials()?;
        self.insert(&partials)?;

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
        out.batch(Batch {
            rows,
            weights: Some(Int64Array::from(weights)),
            behind: None,
        });
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
            for key in self.expiry.on_watermark(t) {
                self.groups.remove(&key);
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
            self.groups.remove(&key);
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        if self.groups.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.decode(self.groups.values())?;
        let keys: Vec<ArrayRef> = self
            .key_columns()
            .iter()
            .map(|k| rows.column(*k).clone())
            .collect();
        let hasher = KeyHasher::new(keys.iter().map(|k| k.data_type().clone()))?;
        let key_groups = hasher.key_groups(&keys, rows.num_rows())?;
        Ok(vec![StatePart {
            name: "groups".to_string(),
            key_groups,
            rows,
        }])
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        parts.iter().try_for_each(|part| self.insert(&part.rows))
    }
}
