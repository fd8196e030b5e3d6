//! Functions over frames of ordered rows, as in OVER: the results of all rows in one pass over columns.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, PrimitiveArray, downcast_primitive,
};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer};
use datafusion::arrow::datatypes::{ArrowNativeTypeOp, ArrowPrimitiveType, DataType, Int64Type};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::AggregateUDF;

use crate::{exact, extremes};

/// From one result to the next: first rows leave the frame, then rows enter it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The rows that leave.
    pub leave: Range<usize>,
    /// The rows that enter.
    pub enter: Range<usize>,
}

/// What a frame holds before a segment of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// What this row of the states says.
    Stored(usize),
    /// What it held after the segment before.
    Previous,
}

/// Steps of one frame.
#[derive(Debug, Clone)]
pub struct Segment {
    /// What the frame holds before them.
    pub before: Before,
    /// The steps.
    pub steps: Range<usize>,
}

/// Which rows go through frames, in which order.
#[derive(Debug, Clone, Copy)]
pub struct Moves<'a> {
    /// The segments, one behind the other.
    pub segments: &'a [Segment],
    /// The steps of all segments.
    pub steps: &'a [Step],
    /// The rows that count when they leave; `None`: all.
    pub leaves: Option<&'a BooleanArray>,
    /// The rows that count when they enter; `None`: all.
    pub enters: Option<&'a BooleanArray>,
}

/// A function over frames.
pub trait FrameFunction: Send + Sync {
    /// The types of the columns of its state.
    fn state_types(&self) -> Vec<DataType>;

    /// The result of every step, and the state after every segment. `states`: what frames hold before segments;
    /// `values`: the arguments of all rows.
    ///
    /// # Errors
    /// Columns of other types, or a sum that goes out of range.
    fn run(
        &self,
        moves: &Moves,
        states: &[ArrayRef],
        values: &[ArrayRef],
    ) -> Result<(ArrayRef, Vec<ArrayRef>)>;
}

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

/// How a function goes from row to row.
pub(crate) trait Walk {
    /// What it knows of a frame.
    type Slot: Copy + Default;

    fn stored(&self, row: usize) -> Self::Slot;
    fn enter(&mut self, slot: &mut Self::Slot, row: usize);
    fn leave(&mut self, _slot: &mut Self::Slot, _row: usize) {}
    /// Some rows have left.
    fn left(&self, _slot: &mut Self::Slot) {}
}

/// What the function knows after every step, and after every segment.
pub(crate) fn walk<W: Walk>(
    walk: &mut W,
    moves: &Moves,
    values: &[ArrayRef],
) -> (Vec<W::Slot>, Vec<W::Slot>) {
    let entering = counted(values, moves.enters);
    let leaving = counted(values, moves.leaves);
    let counts = |of: &Option<BooleanBuffer>, row| of.as_ref().is_none_or(|of| of.value(row));
    let mut results = Vec::with_capacity(moves.steps.len());
    let mut states = Vec::with_capacity(moves.segments.len());
    let mut slot = W::Slot::default();
    for segment in moves.segments {
        match segment.before {
            Before::Nothing => slot = W::Slot::default(),
            Before::Stored(row) => slot = walk.stored(row),
            Before::Previous => {}
        }
        for step in &moves.steps[segment.steps.clone()] {
            if !step.leave.is_empty() {
                for row in step.leave.clone() {
                    if counts(&leaving, row) {
                        walk.leave(&mut slot, row);
                    }
                }
                walk.left(&mut slot);
            }
            for row in step.enter.clone() {
                if counts(&entering, row) {
                    walk.enter(&mut slot, row);
                }
            }
            results.push(slot);
        }
        states.push(slot);
    }
    (results, states)
}

/// The rows whose arguments are not NULL and that the mask lets through; `None`: all.
fn counted(values: &[ArrayRef], mask: Option<&BooleanArray>) -> Option<BooleanBuffer> {
    let nulls = values.iter().fold(None, |all: Option<NullBuffer>, column| {
        let own = column.logical_nulls().filter(|n| n.null_count() > 0);
        NullBuffer::union(all.as_ref(), own.as_ref())
    });
    let mask = mask.map(|mask| match mask.nulls() {
        Some(nulls) => mask.values() & nulls.inner(),
        None => mask.values().clone(),
    });
    match (nulls, mask) {
        (Some(nulls), Some(mask)) => Some(&mask & nulls.inner()),
        (Some(nulls), None) => Some(nulls.into_inner()),
        (None, mask) => mask,
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
#[path = "frames_tests.rs"]
mod tests;
