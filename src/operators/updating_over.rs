//! OVER (... ORDER BY any column), over any input: a partition is computed anew when it changes, and what differs is emitted.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::row::{OwnedRow, RowConverter};
use datafusion::common::ScalarValue;

use super::changed::Changed;
use super::over::with_results;
use super::over_frame::Calls;
use super::sort_order::sorter;
use super::{Operator, Output};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::{Over, OverTime, SortColumn};
use crate::state::{KeyedState, RowCodec, StatePart, with_numbers, without_numbers};
use crate::time::Watermark;

/// One partition: its rows in order (those equal in order by arrival), and what was emitted of it.
#[derive(Default)]
struct Partition {
    rows: BTreeMap<(OwnedRow, u64), OwnedRow>,
    shown: Vec<OwnedRow>,
}

/// Keeps all rows of every partition.
pub struct UpdatingOver {
    over: Arc<Over>,
    order: Vec<SortColumn>,
    sorter: RowConverter,
    calls: Calls,
    schema: SchemaRef,
    rows: RowCodec,
    keys: RowCodec,
    output: RowCodec,
    partitions: KeyedState<Partition>,
    arrived: u64,
}

impl UpdatingOver {
    /// No rows yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state, or a function is not supported.
    pub fn new(over: &Arc<Over>, input: &SchemaRef, schema: &SchemaRef) -> Result<Self> {
        let order = match &over.time {
            OverTime::Updating(order) => order.clone(),
            _ => Vec::new(),
        };
        Ok(Self {
            sorter: sorter(&order, input)?,
            order,
            calls: Calls::new(over, input)?,
            schema: Arc::clone(schema),
            rows: RowCodec::new(Arc::clone(input))?,
            keys: RowCodec::of_columns(input, &over.partition)?,
            output: RowCodec::new(Arc::clone(schema))?,
            partitions: KeyedState::new(over.ttl),
            arrived: 0,
            over: Arc::clone(over),
        })
    }

    /// Puts rows in or takes them out; returns the partitions touched.
    fn apply(&mut self, batch: &Batch) -> Result<Vec<OwnedRow>> {
        let keys = self
            .keys
            .encode_columns(&batch.rows, &self.over.partition)?;
        let rows = self.rows.encode_rows(&batch.rows)?;
        let columns: Vec<ArrayRef> = self
            .order
            .iter()
            .map(|c| batch.rows.column(c.column).clone())
            .collect();
        let orders = if columns.is_empty() {
            Vec::new()
        } else {
            self.sorter
                .convert_columns(&columns)?
                .iter()
                .map(|r| r.owned())
                .collect()
        };
        let mut touched = Vec::new();
        let mut seen = HashSet::new();
        for (i, (key, row)) in keys.into_iter().zip(rows).enumerate() {
            let partition = self
                .partitions
                .write(&key, || Ok(Partition::default()))?
                .value;
            let order = orders.get(i).cloned().unwrap_or_else(|| key.clone());
            let weight = batch.weight(i);
            for _ in 0..weight {
                partition
                    .rows
                    .insert((order.clone(), self.arrived), row.clone());
                self.arrived += 1;
            }
            for _ in weight..0 {
                let equals = partition
                    .rows
                    .range((order.clone(), 0)..=(order.clone(), u64::MAX));
                let place = equals
                    .into_iter()
                    .find(|(_, r)| **r == row)
                    .map(|(place, _)| place.clone());
                if let Some(place) = place {
                    partition.rows.remove(&place);
                }
            }
            if seen.insert(key.clone()) {
                touched.push(key);
            }
        }
        Ok(touched)
    }

    /// The rows of a partition with their results.
    fn compute(&self, partition: &Partition) -> Result<RecordBatch> {
        let rows = self.rows.decode(partition.rows.values())?;
        let arguments = self.calls.arguments(&rows)?;
        let mut results: Vec<Vec<ScalarValue>> = vec![Vec::new(); self.calls.len()];
        let mut state = self.calls.state()?;
        let orders: Vec<&OwnedRow> = partition.rows.keys().map(|(order, _)| order).collect();
        let mut start = 0;
        while let Some(order) = orders.get(start) {
            let peers = orders[start..].iter().take_while(|o| *o == order).count();
            if self.calls.by_peers() {
                state.step(
                    &self.calls,
                    &arguments,
                    start..start + peers,
                    0,
                    true,
                    &mut results,
                )?;
            } else {
                for i in start..start + peers {
                    state.step(
                        &self.calls,
                        &arguments,
                        i..i + 1,
                        0,
                        i == start,
                        &mut results,
                    )?;
                }
            }
            start += peers;
        }
        with_results(&rows, results, &self.schema)
    }

    fn refresh(&mut self, touched: Vec<OwnedRow>, out: Option<&mut Output>) -> Result<()> {
        let mut changed = Changed::default();
        for key in touched {
            let Some(partition) = self.partitions.get(&key) else {
                continue;
            };
            let after = self.output.encode_rows(&self.compute(partition)?)?;
            let is_empty = partition.rows.is_empty();
            if let Some(partition) = self.partitions.get_mut(&key) {
                partition
                    .shown
                    .drain(..)
                    .for_each(|row| changed.add(row, -1));
                after.iter().for_each(|row| changed.add(row.clone(), 1));
                partition.shown = after;
            }
            if is_empty {
                self.partitions.remove(&key);
            }
        }
        if let Some(out) = out {
            out.batch(changed.take(&self.output)?);
        }
        Ok(())
    }
}

impl Operator for UpdatingOver {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let touched = self.apply(&batch)?;
        self.refresh(touched, Some(out))
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
            self.partitions.on_watermark(t);
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.partitions.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        self.partitions.on_clock(now);
        Ok(())
    }

    /// A part "rows": by arrival, which is all their order depends on besides themselves, and `__written`.
    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        let changed = self.partitions.take_changes();
        let all = changed.there().flat_map(|key| {
            let rows = self.partitions.get(key).into_iter().flat_map(|p| &p.rows);
            rows.map(move |((_, arrived), row)| (*arrived, key, row))
        });
        let mut all: Vec<(u64, &OwnedRow, &OwnedRow)> = all.collect();
        all.sort_unstable_by_key(|(arrived, ..)| *arrived);
        let rows = self.rows.decode(all.iter().map(|(.., row)| *row))?;
        let written = self.partitions.written(all.iter().map(|(_, key, _)| *key));
        let rows = with_numbers(&rows, "__written", written)?;
        let part = StatePart::keyed("rows", rows, &self.over.partition)?;
        Ok(vec![part.replacing(
            self.over.partition.clone(),
            changed.gone(&self.keys)?,
        )])
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        for part in parts {
            let (rows, written) = without_numbers(&part.rows)?;
            let keys = self.keys.encode_columns(&rows, &self.over.partition)?;
            let touched = self.apply(&Batch::append(rows))?;
            self.refresh(touched, None)?;
            for (key, written) in keys.iter().zip(&written) {
                self.partitions.restore_written(key, written);
            }
        }
        self.partitions.restored();
        Ok(())
    }
}
