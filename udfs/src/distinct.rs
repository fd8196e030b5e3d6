//! DISTINCT for any aggregate function of one argument: each value counts once, in the order in which they first came.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, UInt64Array, new_empty_array,
};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, internal_datafusion_err};
use datafusion::logical_expr::Accumulator;
use datafusion::logical_expr::function::StateFieldsArgs;

use crate::aggregate::{list_of, state_argument, state_field};

/// An accumulator that gets each value once, as long as one row has it.
#[derive(Debug)]
pub(crate) struct Distinct {
    /// The type of the values, in a list.
    list: DataType,
    inner: Box<dyn Accumulator>,
    /// How many rows have the value, and its place in the order.
    counts: HashMap<ScalarValue, (i64, u64)>,
    next: u64,
}

impl Distinct {
    /// `inner` has no values yet; `list` is the type of a list of them.
    pub fn new(list: DataType, inner: Box<dyn Accumulator>) -> Self {
        Self {
            list,
            inner,
            counts: HashMap::new(),
            next: 0,
        }
    }

    /// The values, and how many rows have each.
    pub fn state_fields(args: &StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let values = list_of(state_argument(args)?);
        Ok(vec![
            state_field(args, "values", values),
            state_field(args, "counts", list_of(&DataType::Int64)),
        ])
    }

    /// Counts values; `by` says how often each counts. Passes those on that are new, or no longer there.
    fn count(&mut self, values: &ArrayRef, by: impl Fn(usize) -> i64) -> Result<()> {
        let (mut came, mut gone) = (Vec::new(), Vec::new());
        for row in 0..values.len() {
            let by = by(row);
            let value = ScalarValue::try_from_array(values, row)?.compacted();
            let entry = self.counts.entry(value);
            let before = match &entry {
                Entry::Occupied(o) => o.get().0,
                Entry::Vacant(_) => 0,
            };
            let after = before + by;
            if before <= 0 && after > 0 {
                entry.insert_entry((after, self.next));
                self.next += 1;
                came.push(row as u64);
                continue;
            }
            if before > 0 && after <= 0 {
                gone.push(row as u64);
            }
            match entry {
                Entry::Occupied(o) if after == 0 => drop(o.remove()),
                Entry::Occupied(mut o) => o.get_mut().0 = after,
                Entry::Vacant(v) => drop(v.insert((after, self.next))),
            }
        }
        let rows = |rows: Vec<u64>| -> Result<[ArrayRef; 1]> {
            Ok([take(values, &UInt64Array::from(rows), None)?])
        };
        if !came.is_empty() {
            self.inner.update_batch(&rows(came)?)?;
        }
        if !gone.is_empty() {
            self.inner.retract_batch(&rows(gone)?)?;
        }
        Ok(())
    }

    fn only(values: &[ArrayRef]) -> Result<&ArrayRef> {
        values
            .first()
            .ok_or_else(|| internal_datafusion_err!("a DISTINCT aggregate got no argument"))
    }
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count(Self::only(values)?, |_| 1)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count(Self::only(values)?, |_| -1)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.inner.evaluate()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut entries: Vec<(u64, &ScalarValue, i64)> = self
            .counts
            .iter()
            .map(|(value, (count, place))| (*place, value, *count))
            .collect();
        entries.sort_unstable_by_key(|(place, ..)| *place);
        let values = match &self.list {
            DataType::List(element) if entries.is_empty() => new_empty_array(element.data_type()),
            _ => ScalarValue::iter_to_array(entries.iter().map(|(_, value, _)| (*value).clone()))?,
        };
        let counts = Int64Array::from_iter_values(entries.iter().map(|(.., count)| *count));
        Ok(vec![
            SingleRowListArrayBuilder::new(values).build_list_scalar(),
            SingleRowListArrayBuilder::new(Arc::new(counts)).build_list_scalar(),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let wrong = || internal_datafusion_err!("the state of a DISTINCT aggregate is two lists");
        let [values, counts] = states else {
            return Err(wrong());
        };
        let values = values.as_list_opt::<i32>().ok_or_else(wrong)?;
        let counts = counts.as_list_opt::<i32>().ok_or_else(wrong)?;
        for (values, counts) in values.iter().zip(counts.iter()) {
            let (Some(values), Some(counts)) = (values, counts) else {
                continue;
            };
            let counts = counts.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
            self.count(&values, |row| counts.value(row))?;
        }
        Ok(())
    }

    fn size(&self) -> usize {
        let values: usize = self.counts.keys().map(ScalarValue::size).sum();
        size_of_val(self) + self.inner.size() + values + self.counts.capacity() * 24
    }
}
