//! Calls of an OVER that go through DataFusion's accumulators.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, BooleanArray, new_empty_array};
use arrow::compute::filter;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Accumulator;
use flowline_udfs::{Before, Moves};
use hashbrown::HashSet;

use super::over_work::Work;
use crate::error::{Error, Result};
use crate::graph::AggregateCall;

/// The accumulator of a call; `None` where values are to be taken back (`slides`), and cannot be.
///
/// # Errors
/// Where the function is not supported.
pub fn accumulator(call: &AggregateCall, slides: bool) -> Result<Option<Box<dyn Accumulator>>> {
    if !slides {
        return Ok(Some(call.function.create_accumulator()?));
    }
    let accumulator = call.function.create_sliding_accumulator().ok();
    Ok(accumulator.filter(|a| a.supports_retract_batch()))
}

fn picked(
    values: &[ArrayRef],
    rows: &Range<usize>,
    keep: Option<&BooleanArray>,
) -> Result<Vec<ArrayRef>> {
    let slice = |array: &ArrayRef| array.slice(rows.start, rows.len());
    let keep = keep.map(|keep| keep.slice(rows.start, rows.len()));
    let values = values.iter().map(slice);
    match keep {
        None => Ok(values.collect()),
        Some(keep) => values.map(|v| Ok(filter(&v, &keep)?)).collect(),
    }
}

/// Goes through steps: the result of each, and what is accumulated after each segment.
///
/// # Errors
/// Where the function fails on a value.
pub fn accumulate(
    call: &AggregateCall,
    slides: bool,
    moves: &Moves,
    stored: &[ArrayRef],
    values: &[ArrayRef],
) -> Result<(ArrayRef, Vec<ArrayRef>)> {
    let new = || {
        let one = accumulator(call, slides)?;
        one.ok_or_else(|| Error::internal("an accumulator that takes nothing back"))
    };
    let mut one = new()?;
    let empty = one.state()?;
    let mut results = Vec::with_capacity(moves.steps.len());
    let mut states = vec![Vec::with_capacity(moves.segments.len()); empty.len()];
    for segment in moves.segments {
        match segment.before {
            Before::Previous => {}
            Before::Nothing => one = new()?,
            Before::Stored(row) => {
                one = new()?;
                one.merge_batch(&picked(stored, &(row..row + 1), None)?)?;
            }
        }
        for step in &moves.steps[segment.steps.clone()] {
            if !step.leave.is_empty() {
                one.retract_batch(&picked(values, &step.leave, moves.leaves)?)?;
            }
            one.update_batch(&picked(values, &step.enter, moves.enters)?)?;
            results.push(one.evaluate()?);
        }
        let state = one.state()?;
        // Some accumulators are empty once their state was taken.
        one = new()?;
        let columns: Vec<ArrayRef> = state
            .iter()
            .map(|v| Ok(v.to_array()?))
            .collect::<Result<_>>()?;
        one.merge_batch(&columns)?;
        states.iter_mut().zip(state).for_each(|(s, v)| s.push(v));
    }
    let types = empty.iter().map(ScalarValue::data_type);
    let states = states.into_iter().zip(types).map(|(s, t)| column(s, &t));
    let result = call.function.field();
    Ok((
        column(results, result.data_type())?,
        states.collect::<Result<_>>()?,
    ))
}

fn column(values: Vec<ScalarValue>, data_type: &DataType) -> Result<ArrayRef> {
    Ok(match values.is_empty() {
        true => new_empty_array(data_type),
        false => ScalarValue::iter_to_array(values)?,
    })
}

/// Goes through steps, over all rows of the frame each time.
///
/// # Errors
/// Where the function fails on a value.
pub fn whole(
    call: &AggregateCall,
    work: &Work,
    values: &[ArrayRef],
    keep: Option<&BooleanArray>,
    is_distinct: bool,
) -> Result<ArrayRef> {
    let mut results = Vec::with_capacity(work.steps.len());
    for (segment, first) in work.segments.iter().zip(&work.firsts) {
        let mut first = *first;
        for step in &work.steps[segment.steps.clone()] {
            if !step.leave.is_empty() {
                first = step.leave.end;
            }
            let mut frame = picked(values, &(first..step.enter.end), keep)?;
            if is_distinct {
                let fields = frame.iter().map(|v| SortField::new(v.data_type().clone()));
                let rows = RowConverter::new(fields.collect())?.convert_columns(&frame)?;
                let mut seen = HashSet::new();
                let firsts: BooleanArray = rows.iter().map(|row| Some(seen.insert(row))).collect();
                frame = picked(&frame, &(0..firsts.len()), Some(&firsts))?;
            }
            let mut one = call.function.create_accumulator()?;
            one.update_batch(&frame)?;
            results.push(one.evaluate()?);
        }
    }
    column(results, call.function.field().data_type())
}
