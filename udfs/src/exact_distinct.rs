//! SUM(DISTINCT x) and AVG(DISTINCT x): each value counts once, as long as one row has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, PrimitiveArray};
use datafusion::arrow::datatypes::{ArrowPrimitiveType, Int64Type};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, internal_datafusion_err};
use datafusion::logical_expr::Accumulator;

use crate::exact_kinds::{Finish, Key, Kind, Slot, input_of, overflow, results};

type KeyOf<K> = <<<K as Kind>::In as ArrowPrimitiveType>::Native as Key>::Key;

/// The distinct values and how many rows have each; in the order of the keys, so that results do not vary.
#[derive(Debug)]
pub(crate) struct DistinctTotal<K: Kind> {
    finish: Finish,
    counts: BTreeMap<KeyOf<K>, i64>,
}

impl<K: Kind> DistinctTotal<K> {
    pub fn new(finish: Finish) -> Self {
        Self {
            finish,
            counts: BTreeMap::new(),
        }
    }

    fn count(&mut self, values: &[ArrayRef], by: i64) -> Result<()> {
        for value in input_of::<K>(values)?.iter().flatten() {
            self.change(value.key(), by);
        }
        Ok(())
    }

    fn change(&mut self, key: KeyOf<K>, by: i64) {
        let count = self.counts.entry(key).or_insert(0);
        *count += by;
        if *count == 0 {
            self.counts.remove(&key);
        }
    }
}

impl<K: Kind> Accumulator for DistinctTotal<K> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count(values, 1)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count(values, -1)
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut slot = Slot::default();
        for (key, count) in &self.counts {
            if *count > 0 {
                if K::add(&mut slot.sum, Key::of(*key)) {
                    return overflow(self.finish.which, &self.finish);
                }
                slot.count += 1;
            }
        }
        ScalarValue::try_from_array(&results::<K>(&self.finish, &[slot])?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values =
            PrimitiveArray::<K::In>::from_iter_values(self.counts.keys().map(|k| Key::of(*k)))
                .with_data_type(self.finish.input.clone());
        let counts = Int64Array::from_iter_values(self.counts.values().copied());
        Ok(vec![
            SingleRowListArrayBuilder::new(Arc::new(values)).build_list_scalar(),
            SingleRowListArrayBuilder::new(Arc::new(counts)).build_list_scalar(),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let wrong = || internal_datafusion_err!("the state of SUM or AVG DISTINCT is two lists");
        let [values, counts] = states else {
            return Err(wrong());
        };
        let values = values.as_list_opt::<i32>().ok_or_else(wrong)?;
        let counts = counts.as_list_opt::<i32>().ok_or_else(wrong)?;
        for (values, counts) in values.iter().zip(counts.iter()) {
            let (Some(values), Some(counts)) = (values, counts) else {
                continue;
            };
            let values = values.as_primitive_opt::<K::In>().ok_or_else(wrong)?;
            let counts = counts.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
            for (value, count) in values.iter().zip(counts) {
                if let (Some(value), Some(count)) = (value, count) {
                    self.change(value.key(), count);
                }
            }
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.counts.len() * (size_of::<KeyOf<K>>() + 2 * size_of::<i64>())
    }
}
