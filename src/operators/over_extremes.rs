//! MIN and MAX over frames that rows leave.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, downcast_primitive, new_null_array,
};
use arrow::compute::unary;
use arrow::datatypes::{ArrowNativeTypeOp, ArrowPrimitiveType, DataType, Float32Type, Float64Type};
use arrow::row::{RowConverter, SortField};

use super::over_work::Work;
use crate::error::{Error, Result};
use crate::state::Slot;

/// For each partition, by its slot, the rows whose values may still become the result, in their order: number and value. The
/// first has the result. They follow from the rows in the frame, and are in no snapshot.
type Lists<V> = Vec<VecDeque<(i64, V)>>;

/// The values of one call.
pub trait Extremes: Send {
    /// Goes through steps; returns the result of each. `keep`: the rows that count; `None`: all.
    ///
    /// # Errors
    /// Values of another type.
    fn run(
        &mut self,
        work: &Work,
        values: &ArrayRef,
        keep: Option<&BooleanArray>,
    ) -> Result<ArrayRef>;

    /// Forgets a partition.
    fn forget(&mut self, partition: Slot);
}

/// For values of a type; MIN, or MAX.
///
/// # Errors
/// Where values have no order.
pub fn extremes(data_type: &DataType, is_min: bool) -> Result<Box<dyn Extremes>> {
    macro_rules! of_type {
        ($t:ty) => {
            Ok(Box::new(Primitive::<$t> {
                is_min,
                lists: Vec::new(),
            }))
        };
    }
    downcast_primitive! {
        data_type => (of_type),
        other => Ok(Box::new(Others {
            is_min,
            converter: RowConverter::new(vec![SortField::new(other.clone())])?,
            lists: Vec::new(),
        }))
    }
}

/// Goes through steps; returns the result of each.
fn slide<V: Clone>(
    lists: &mut Lists<V>,
    work: &Work,
    value: impl Fn(usize) -> Option<V>,
    is_better: impl Fn(&V, &V) -> bool,
) -> Vec<Option<V>> {
    let mut results = Vec::with_capacity(work.steps.len());
    for (segment, partition) in work.segments.iter().zip(&work.partitions) {
        let partition = *partition as usize;
        if lists.len() <= partition {
            lists.resize_with(partition + 1, VecDeque::new);
        }
        let list = &mut lists[partition];
        for step in &work.steps[segment.steps.clone()] {
            if let Some(last) = step.leave.clone().next_back() {
                while list.front().is_some_and(|(n, _)| *n <= work.numbers[last]) {
                    list.pop_front();
                }
            }
            for row in step.enter.clone() {
                let Some(value) = value(row) else { continue };
                while list
                    .back()
                    .is_some_and(|(_, last)| !is_better(last, &value))
                {
                    list.pop_back();
                }
                list.push_back((work.numbers[row], value));
            }
            results.push(list.front().map(|(_, value)| value.clone()));
        }
    }
    results
}

fn counts(values: &dyn Array, keep: Option<&BooleanArray>, row: usize) -> bool {
    values.is_valid(row) && keep.is_none_or(|keep| keep.is_valid(row) && keep.value(row))
}

struct Primitive<T: ArrowPrimitiveType> {
    is_min: bool,
    lists: Lists<T::Native>,
}

impl<T: ArrowPrimitiveType> Extremes for Primitive<T> {
    fn run(
        &mut self,
        work: &Work,
        values: &ArrayRef,
        keep: Option<&BooleanArray>,
    ) -> Result<ArrayRef> {
        let values = one_nan(values);
        let wrong = || Error::internal("MIN or MAX of another type than planned");
        let values = values.as_primitive_opt::<T>().ok_or_else(wrong)?;
        let value = |row| counts(values, keep, row).then(|| values.value(row));
        let results = match self.is_min {
            true => slide(&mut self.lists, work, value, |a, b| a.is_lt(*b)),
            false => slide(&mut self.lists, work, value, |a, b| a.is_gt(*b)),
        };
        let results = PrimitiveArray::<T>::from_iter(results);
        Ok(Arc::new(results.with_data_type(values.data_type().clone())))
    }

    fn forget(&mut self, partition: Slot) {
        if let Some(list) = self.lists.get_mut(partition as usize) {
            list.clear();
        }
    }
}

/// The same values with one NaN, which is the largest number.
fn one_nan(values: &ArrayRef) -> ArrayRef {
    match values.data_type() {
        DataType::Float32 => {
            let one = |v: f32| if v.is_nan() { f32::NAN } else { v };
            let floats = values.as_primitive::<Float32Type>();
            Arc::new(unary::<_, _, Float32Type>(floats, one))
        }
        DataType::Float64 => {
            let one = |v: f64| if v.is_nan() { f64::NAN } else { v };
            let floats = values.as_primitive::<Float64Type>();
            Arc::new(unary::<_, _, Float64Type>(floats, one))
        }
        _ => Arc::clone(values),
    }
}

/// Values of other types, in Arrow's row format.
struct Others {
    is_min: bool,
    converter: RowConverter,
    lists: Lists<Box<[u8]>>,
}

impl Extremes for Others {
    fn run(
        &mut self,
        work: &Work,
        values: &ArrayRef,
        keep: Option<&BooleanArray>,
    ) -> Result<ArrayRef> {
        let rows = self
            .converter
            .convert_columns(std::slice::from_ref(values))?;
        let value = |row| counts(values, keep, row).then(|| rows.row(row).data().into());
        let results: Vec<Option<Box<[u8]>>> = match self.is_min {
            true => slide(&mut self.lists, work, value, |a, b| a < b),
            false => slide(&mut self.lists, work, value, |a, b| a > b),
        };
        let null = new_null_array(values.data_type(), 1);
        let null = self.converter.convert_columns(&[null])?;
        let parser = self.converter.parser();
        let results = results.iter().map(|result| match result {
            Some(bytes) => parser.parse(bytes),
            None => null.row(0),
        });
        Ok(self.converter.convert_rows(results)?.remove(0))
    }

    fn forget(&mut self, partition: Slot) {
        if let Some(list) = self.lists.get_mut(partition as usize) {
            list.clear();
        }
    }
}
