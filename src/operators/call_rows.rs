//! The rows of a batch as one call of an aggregate function sees them: arguments, weights, and the group of each.

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array, new_empty_array};
use arrow::compute::take;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::EmitTo;

use super::aggregator::accumulator;
use super::evaluate;
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::AggregateCall;
use crate::state::Touched;

/// Rows for one call.
pub struct CallRows {
    /// The arguments, a column each.
    pub arguments: Vec<ArrayRef>,
    /// For each row the position of its group among those touched.
    pub groups: Vec<usize>,
    /// How many groups are touched.
    pub total: usize,
    filter: Option<BooleanArray>,
    /// `None`: all rows come, once.
    weights: Option<Vec<i64>>,
}

impl CallRows {
    /// All rows of a batch that the call's filter lets through.
    ///
    /// # Errors
    /// Where an expression fails on a row.
    pub fn of(call: &AggregateCall, batch: &Batch, touched: &Touched) -> Result<Self> {
        let arguments = call.function.expressions();
        let arguments = arguments.iter().map(|e| evaluate::values(e, &batch.rows));
        let filter = call.filter.as_ref();
        let filter = filter.map(|f| evaluate::mask(f, &batch.rows, "FILTER"));
        let weights = batch.weights.as_ref();
        let weights = weights.filter(|w| w.values().iter().any(|w| *w != 1));
        Ok(Self {
            arguments: arguments.collect::<Result<_>>()?,
            groups: touched.rows.clone(),
            total: touched.slots.len(),
            filter: filter.transpose()?,
            weights: weights.map(|w| w.values().to_vec()),
        })
    }

    /// Some rows of a batch with weights of their own.
    ///
    /// # Errors
    /// Where a row is not there (a bug).
    pub fn some(
        arguments: &[ArrayRef],
        rows: &[u32],
        weights: &[i64],
        touched: &Touched,
    ) -> Result<Self> {
        let indices = UInt32Array::from(rows.to_vec());
        let arguments = arguments.iter().map(|a| Ok(take(a, &indices, None)?));
        let is_append = weights.iter().all(|w| *w == 1);
        Ok(Self {
            arguments: arguments.collect::<Result<_>>()?,
            groups: rows.iter().map(|row| touched.rows[*row as usize]).collect(),
            total: touched.slots.len(),
            // Without a filter accumulators take it that every group has a row.
            filter: Some(BooleanArray::from(vec![true; rows.len()])),
            weights: (!is_append).then(|| weights.to_vec()),
        })
    }

    /// The rows that count, each with its weight.
    pub fn weighted(&self) -> impl Iterator<Item = (usize, i64)> {
        let keeps = |row: &usize| {
            let filter = self.filter.as_ref();
            filter.is_none_or(|f| f.is_valid(*row) && f.value(*row))
        };
        let weight = |row: usize| self.weights.as_ref().map_or(1, |w| w[row]);
        let rows = (0..self.groups.len()).filter(keeps);
        rows.map(move |row| (row, weight(row)))
    }

    /// What the touched groups have accumulated with these rows: columns of the call's state. `stored` is what those had that
    /// were there before.
    ///
    /// # Errors
    /// Where the function fails on a row.
    pub fn accumulate(
        &self,
        call: &AggregateCall,
        stored: &[ArrayRef],
        touched: &Touched,
    ) -> Result<Vec<ArrayRef>> {
        if self.weights.is_some() {
            return self.change(call, stored, touched.known);
        }
        let mut all = accumulator(call)?;
        let known: Vec<usize> = (0..touched.known).collect();
        all.merge_batch(stored, &known, touched.known)?;
        let filter = self.filter.as_ref();
        all.update_batch(&self.arguments, &self.groups, filter, self.total)?;
        Ok(all.state(EmitTo::All)?)
    }

    /// Group by group, because accumulators of many groups take nothing back.
    fn change(
        &self,
        call: &AggregateCall,
        stored: &[ArrayRef],
        known: usize,
    ) -> Result<Vec<ArrayRef>> {
        let mut members: Vec<(Vec<u32>, Vec<u32>)> = vec![Default::default(); self.total];
        for (row, weight) in self.weighted() {
            let (added, removed) = &mut members[self.groups[row]];
            let to = if weight > 0 { added } else { removed };
            to.extend(std::iter::repeat_n(
                row as u32,
                weight.unsigned_abs() as usize,
            ));
        }
        let of = |rows: Vec<u32>| -> Result<Vec<ArrayRef>> {
            let rows = UInt32Array::from(rows);
            let arguments = self.arguments.iter();
            arguments.map(|a| Ok(take(a, &rows, None)?)).collect()
        };
        let fields = call.function.state_fields()?;
        let mut states: Vec<Vec<ScalarValue>> = vec![Vec::with_capacity(self.total); fields.len()];
        for (group, (added, removed)) in members.into_iter().enumerate() {
            let mut one = call.function.create_accumulator()?;
            if group < known {
                let own: Vec<ArrayRef> = stored.iter().map(|s| s.slice(group, 1)).collect();
                one.merge_batch(&own)?;
            }
            if !added.is_empty() {
                one.update_batch(&of(added)?)?;
            }
            if !removed.is_empty() {
                one.retract_batch(&of(removed)?)?;
            }
            let state = one.state()?.into_iter();
            states.iter_mut().zip(state).for_each(|(s, v)| s.push(v));
        }
        let columns = states.into_iter().zip(&fields);
        let columns = columns.map(|(states, field)| match states.is_empty() {
            true => Ok(new_empty_array(field.data_type())),
            false => Ok(ScalarValue::iter_to_array(states)?),
        });
        columns.collect()
    }
}
