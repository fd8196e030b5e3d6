//! The functions that go through frames: COUNT, SUM, AVG, MIN and MAX.

use std::marker::PhantomData;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, PrimitiveArray, downcast_primitive,
};
use datafusion::arrow::datatypes::{ArrowNativeTypeOp, ArrowPrimitiveType, DataType, Int64Type};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::AggregateUDF;

use crate::frames::{FrameFunction, Moves, Walk, walk};
use crate::{exact, extremes};

/// COUNT, SUM and AVG; MIN and MAX where no rows leave (`slides`). `None`: the function, or its type, is not among those that
/// go through frames this way.
pub fn frame_function(
    function: &AggregateUDF,
    arguments: &[DataType],
    result: &DataType,
    slides: bool,
) -> Option<Box<dyn FrameFunction>> {
    let [input] = arguments else {
        return None;
    };
    match function.name() {
        "count" => Some(Box::new(Count)),
        "sum" | "avg" => exact::frames(function, input, result),
        "min" | "max" if slides => None,
        "min" | "max" => {
            extremes::frames(function, input).or_else(|| best(input, function.name() == "min"))
        }
        _ => None,
    }
}

struct Count;

impl FrameFunction for Count {
    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Int64]
    }

    fn run(
        &self,
        moves: &Moves,
        states: &[ArrayRef],
        values: &[ArrayRef],
    ) -> Result<(ArrayRef, Vec<ArrayRef>)> {
        struct Counting<'a>(Option<&'a Int64Array>);

        impl Walk for Counting<'_> {
            type Slot = i64;

            fn stored(&self, row: usize) -> i64 {
                self.0.map_or(0, |counts| counts.value(row))
            }

            fn enter(&mut self, slot: &mut i64, _row: usize) {
                *slot += 1;
            }

            fn leave(&mut self, slot: &mut i64, _row: usize) {
                *slot -= 1;
            }
        }

        let counts = states
            .first()
            .and_then(|s| s.as_primitive_opt::<Int64Type>());
        let (results, states) = walk(&mut Counting(counts), moves, values);
        let column = |counts: Vec<i64>| Arc::new(Int64Array::from(counts)) as ArrayRef;
        Ok((column(results), vec![column(states)]))
    }
}

/// MIN or MAX of values that are in order by themselves.
struct Best<T> {
    data_type: DataType,
    is_min: bool,
    kind: PhantomData<fn() -> T>,
}

fn best(input: &DataType, is_min: bool) -> Option<Box<dyn FrameFunction>> {
    macro_rules! of_type {
        ($t:ty) => {
            Some(Box::new(Best::<$t> {
                data_type: input.clone(),
                is_min,
                kind: PhantomData,
            }))
        };
    }
    downcast_primitive! {
        input => (of_type),
        _ => None
    }
}

impl<T: ArrowPrimitiveType> FrameFunction for Best<T> {
    fn state_types(&self) -> Vec<DataType> {
        vec![self.data_type.clone()]
    }

    fn run(
        &self,
        moves: &Moves,
        states: &[ArrayRef],
        values: &[ArrayRef],
    ) -> Result<(ArrayRef, Vec<ArrayRef>)> {
        struct Comparing<'a, T: ArrowPrimitiveType> {
            is_min: bool,
            stored: Option<&'a PrimitiveArray<T>>,
            values: &'a PrimitiveArray<T>,
        }

        impl<T: ArrowPrimitiveType> Walk for Comparing<'_, T> {
            type Slot = Option<T::Native>;

            fn stored(&self, row: usize) -> Self::Slot {
                let stored = self.stored.filter(|s| s.is_valid(row));
                stored.map(|s| s.value(row))
            }

            fn enter(&mut self, slot: &mut Self::Slot, row: usize) {
                let value = self.values.value(row);
                let better = |best: T::Native| match self.is_min {
                    true => value.is_lt(best),
                    false => value.is_gt(best),
                };
                if slot.is_none_or(better) {
                    *slot = Some(value);
                }
            }
        }

        let wrong = || internal_datafusion_err!("MIN or MAX got no {}", self.data_type);
        let column = values.first().and_then(|v| v.as_primitive_opt::<T>());
        let mut comparing = Comparing {
            is_min: self.is_min,
            stored: states.first().and_then(|s| s.as_primitive_opt::<T>()),
            values: column.ok_or_else(wrong)?,
        };
        let (results, states) = walk(&mut comparing, moves, values);
        let column = |slots: Vec<Option<T::Native>>| {
            let column = PrimitiveArray::<T>::from_iter(slots);
            Arc::new(column.with_data_type(self.data_type.clone())) as ArrayRef
        };
        Ok((column(results), vec![column(states)]))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "frame_functions_tests.rs"]
mod tests;
