//! Frames of ordered rows, as in OVER: how functions go through them, the results of all rows in one pass over columns.

use std::ops::Range;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;

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
    /// The segments, one after the other.
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
