//! The calls of an OVER: their results for rows that are in order, column by column.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array, new_null_array,
};
use arrow::compute::{cast, interleave, take};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::ScalarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr_common::physical_expr::is_volatile;
use flowline_udfs::{Before, FrameFunction, Moves, frame_function};
use hashbrown::HashSet;

use super::distinct::Shared;
use super::evaluate;
use super::over_accumulate::{accumulate, accumulator, whole};
use super::over_extremes::{Extremes, extremes};
use super::over_work::Work;
use crate::error::{Error, Result};
use crate::graph::{AggregateCall, Frame, Over, OverFunction, RankFunction};
use crate::state::Slot;

type Expression = Arc<dyn PhysicalExpr>;

/// How many of the columns of the state, the first ones, are numbers of ours: of rows so far, rank and dense rank of the last.
const NUMBERS: usize = 3;

/// The calls of an OVER, prepared.
pub struct Calls {
    frame: Frame,
    calls: Vec<Call>,
    /// What the calls need of a row, each once.
    expressions: Vec<Expression>,
    arguments: SchemaRef,
    /// What is known of a partition: our numbers, then what each call has accumulated.
    states: Vec<FieldRef>,
    distinct: Vec<Shared>,
    /// How many rows before a row any LAG looks at.
    reach: usize,
    are_small: bool,
}

struct Call {
    kind: Kind,
    /// Its columns among the arguments.
    arguments: Vec<usize>,
    filter: Option<usize>,
    /// Of a DISTINCT call: the list of arguments, and which of its filters.
    distinct: Option<(usize, usize)>,
    /// Its columns among the states.
    states: Range<usize>,
}

enum Kind {
    /// Goes over columns.
    Native(Box<dyn FrameFunction>),
    /// MIN or MAX over frames that rows leave.
    Extremes(Box<dyn Extremes>),
    /// What DataFusion's accumulators give.
    Accumulated(AggregateCall),
    /// As there, but nothing can be taken back: computed from all rows of the frame each time.
    Whole(AggregateCall),
    /// How many rows back, and the argument that stands where there is none.
    Lag(usize, Option<usize>),
    Rank(RankFunction),
}

impl Calls {
    /// For rows of `input`.
    ///
    /// # Errors
    /// Where a function is not supported.
    pub fn new(over: &Over, input: &Schema) -> Result<Self> {
        let number = |name: &str| Arc::new(Field::new(name, DataType::Int64, true));
        let mut calls = Self {
            frame: over.frame,
            calls: Vec::new(),
            expressions: Vec::new(),
            arguments: Arc::new(Schema::empty()),
            states: ["__rows", "__rank", "__dense_rank"].map(number).to_vec(),
            distinct: Vec::new(),
            reach: 0,
            are_small: true,
        };
        let mut fields = Vec::new();
        for (c, call) in over.calls.iter().enumerate() {
            calls.add(c, call, input, &mut fields)?;
        }
        calls.arguments = Arc::new(Schema::new(fields));
        Ok(calls)
    }

    fn add(
        &mut self,
        c: usize,
        call: &OverFunction,
        input: &Schema,
        fields: &mut Vec<Field>,
    ) -> Result<()> {
        let mut place = |expression: &Expression| -> Result<usize> {
            if let Some(known) = self.expressions.iter().position(|e| e == expression) {
                return Ok(known);
            }
            let (name, data_type) = (
                format!("__arg{}", fields.len()),
                expression.data_type(input)?,
            );
            fields.push(Field::new(name, data_type, true));
            self.expressions.push(Arc::clone(expression));
            Ok(fields.len() - 1)
        };
        let (mut arguments, mut condition, mut distinct) = (Vec::new(), None, None);
        let mut types = Vec::new();
        let kind = match call {
            OverFunction::Aggregate(call) => {
                let all = call.function.expressions();
                arguments = all.iter().map(&mut place).collect::<Result<_>>()?;
                condition = call.filter.as_ref().map(&mut place).transpose()?;
                let inputs: Vec<DataType> = arguments
                    .iter()
                    .map(|a| fields[*a].data_type().clone())
                    .collect();
                let kind = self.kind(call, &inputs, &mut types)?;
                let name = call.function.fun().name();
                // MIN and MAX are the same over distinct values.
                let is_extreme = matches!(name, "min" | "max");
                // Of other functions a text may be made of all values.
                let of_one = is_extreme || matches!(name, "first_value" | "last_value");
                let is_fixed = |t: &DataType| t.is_primitive() || *t == DataType::Boolean;
                self.are_small &= !call.distinct || is_extreme;
                self.are_small &= of_one || types.iter().all(is_fixed);
                if call.distinct && !is_extreme {
                    let column = |at: &usize| Arc::new(Column::new("", *at)) as Expression;
                    let of = arguments.iter().map(column).collect();
                    let condition = condition.as_ref().map(column);
                    distinct = Some(Shared::of(&mut self.distinct, of, condition));
                }
                kind
            }
            OverFunction::Lag {
                value,
                offset,
                default,
            } => {
                self.reach = self.reach.max(*offset);
                arguments.push(place(value)?);
                Kind::Lag(*offset, default.as_ref().map(&mut place).transpose()?)
            }
            OverFunction::Rank(function) => Kind::Rank(*function),
        };
        let first = self.states.len();
        for (i, data_type) in types.into_iter().enumerate() {
            let field = Field::new(format!("__call{c}_{i}"), data_type, true);
            self.states.push(Arc::new(field));
        }
        self.calls.push(Call {
            kind,
            arguments,
            filter: condition,
            distinct,
            states: first..self.states.len(),
        });
        Ok(())
    }

    /// How a call is computed; adds the types of its state.
    fn kind(
        &self,
        call: &AggregateCall,
        inputs: &[DataType],
        types: &mut Vec<DataType>,
    ) -> Result<Kind> {
        let (function, slides) = (&call.function, self.is_bounded());
        let result = function.field();
        if let Some(native) = frame_function(function.fun(), inputs, result.data_type(), slides) {
            types.extend(native.state_types());
            return Ok(Kind::Native(native));
        }
        let is_min = function.fun().name() == "min";
        if slides && (is_min || function.fun().name() == "max") {
            return Ok(Kind::Extremes(extremes(&inputs[0], is_min)?));
        }
        let Some(mut one) = accumulator(call, slides)? else {
            return Ok(Kind::Whole(call.clone()));
        };
        // Its own types: those of a sliding one are not what the function declares.
        types.extend(one.state()?.iter().map(ScalarValue::data_type));
        Ok(Kind::Accumulated(call.clone()))
    }

    /// The columns of the arguments.
    pub fn argument_schema(&self) -> &SchemaRef {
        &self.arguments
    }

    /// The columns of what is known of a partition. The first is how many rows it has had.
    pub fn states(&self) -> &[FieldRef] {
        &self.states
    }

    /// The lists of arguments of DISTINCT calls.
    pub fn distinct(&self) -> &[Shared] {
        &self.distinct
    }

    /// Whether rows of the same time count for each other.
    pub fn by_peers(&self) -> bool {
        matches!(self.frame, Frame::RangeUnbounded | Frame::Range(_))
    }

    /// Whether rows leave the frame again.
    pub fn is_bounded(&self) -> bool {
        matches!(self.frame, Frame::Rows(_) | Frame::Range(_))
    }

    /// How many rows before a row any LAG looks at.
    pub fn reach(&self) -> usize {
        self.reach
    }

    /// Whether what was in frames before is needed row by row, and not just what leaves.
    pub fn needs_all(&self) -> bool {
        let whole = |call: &Call| matches!(call.kind, Kind::Whole(_));
        self.reach > 0 || self.calls.iter().any(whole)
    }

    /// Whether what calls know of a partition is small however many rows it has, so that it can be kept for many of its rows.
    pub fn are_small(&self) -> bool {
        self.are_small
    }

    /// Whether arguments have other values each time.
    pub fn are_volatile(&self) -> bool {
        self.expressions.iter().any(is_volatile)
    }

    /// Evaluates the arguments of rows.
    ///
    /// # Errors
    /// Where an expression fails on a row.
    pub fn evaluate(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let expressions = self.expressions.iter();
        expressions.map(|e| evaluate::values(e, rows)).collect()
    }

    /// Goes through the steps: a column of results for each call, with a row for each that entered, and what is known after each
    /// segment. `states`: what was known before.
    ///
    /// # Errors
    /// Where a function fails on a value.
    pub fn run(
        &mut self,
        work: &Work,
        states: &[ArrayRef],
    ) -> Result<(Vec<ArrayRef>, Vec<ArrayRef>)> {
        let (numbers, mut after) = numbers(work, states);
        let mut each = Vec::with_capacity(work.steps.len());
        for (step, entering) in (0u32..).zip(&work.steps) {
            each.extend(std::iter::repeat_n(step, entering.enter.len()));
        }
        let each = UInt32Array::from(each);
        let by_rows = work.steps.len() == each.len();
        let per_row = |column: &ArrayRef| match by_rows {
            true => Ok(Arc::clone(column)),
            false => take(column, &each, None),
        };
        let mut results = Vec::with_capacity(self.calls.len());
        for call in &mut self.calls {
            let values = call
                .arguments
                .iter()
                .map(|a| Arc::clone(&work.arguments[*a]));
            let values: Vec<ArrayRef> = values.collect();
            let own = call.states.clone();
            let stored = states.get(own).unwrap_or_default();
            let condition = condition(call.filter.map(|at| &work.arguments[at]))?;
            let (leaves, enters) = match call.distinct {
                None => (condition, condition),
                Some((list, filter)) => {
                    let [gone, come] = &work.distinct[list][filter];
                    (Some(gone), Some(come))
                }
            };
            let moves = Moves {
                segments: &work.segments,
                steps: &work.steps,
                leaves,
                enters,
            };
            let column = match &mut call.kind {
                Kind::Native(function) => {
                    let (column, states) = function.run(&moves, stored, &values)?;
                    after.extend(states);
                    per_row(&column)?
                }
                Kind::Extremes(extremes) => per_row(&extremes.run(work, &values[0], condition)?)?,
                Kind::Accumulated(call) => {
                    let slides = matches!(self.frame, Frame::Rows(_) | Frame::Range(_));
                    let (column, states) = accumulate(call, slides, &moves, stored, &values)?;
                    after.extend(states);
                    per_row(&column)?
                }
                Kind::Whole(plan) => per_row(&whole(
                    plan,
                    work,
                    &values,
                    condition,
                    call.distinct.is_some(),
                )?)?,
                Kind::Lag(offset, default) => {
                    let default = default.map(|at| &work.arguments[at]);
                    lag(work, &values[0], *offset, default)?
                }
                Kind::Rank(RankFunction::RowNumber) => Arc::clone(&numbers[0]),
                Kind::Rank(RankFunction::Rank) => Arc::clone(&numbers[1]),
                Kind::Rank(RankFunction::DenseRank) => Arc::clone(&numbers[2]),
            };
            results.push(column);
        }
        Ok((results, after))
    }

    /// Makes what is only remembered for speed of the rows in frames: each segment has one step with the next of its partition.
    ///
    /// # Errors
    /// Where rows are of other arguments.
    pub fn restored(&mut self, work: &Work) -> Result<()> {
        for call in &mut self.calls {
            if let Kind::Extremes(extremes) = &mut call.kind {
                let condition = condition(call.filter.map(|at| &work.arguments[at]))?;
                extremes.run(work, &work.arguments[call.arguments[0]], condition)?;
            }
        }
        Ok(())
    }

    /// Forgets a partition.
    pub fn forget(&mut self, partition: Slot) {
        for call in &mut self.calls {
            if let Kind::Extremes(extremes) = &mut call.kind {
                extremes.forget(partition);
            }
        }
    }

    /// Of DISTINCT calls the rows with which values come, in partitions that are computed from their first row on.
    ///
    /// # Errors
    /// Where values cannot be compared.
    pub fn first_values(&self, work: &Work) -> Result<Vec<Vec<[BooleanArray; 2]>>> {
        if self.distinct.is_empty() {
            return Ok(Vec::new());
        }
        let n = work.arguments.first().map_or(0, |a| a.len());
        let rows = RecordBatch::try_new(Arc::clone(&self.arguments), work.arguments.clone())?;
        let mut all = Vec::new();
        for shared in &self.distinct {
            let (values, filters) = shared.evaluate(&rows)?;
            let fields = values.iter().map(|v| SortField::new(v.data_type().clone()));
            let values = RowConverter::new(fields.collect())?.convert_columns(&values)?;
            let firsts = filters.iter().map(|filter| {
                let mut come = vec![false; n];
                let mut seen = HashSet::new();
                for segment in &work.segments {
                    if segment.before != Before::Previous {
                        seen.clear();
                    }
                    for row in work.steps[segment.steps.clone()]
                        .iter()
                        .flat_map(|s| s.enter.clone())
                    {
                        let counts = filter
                            .as_ref()
                            .is_none_or(|f| f.is_valid(row) && f.value(row));
                        come[row] = counts && seen.insert(values.row(row));
                    }
                }
                [BooleanArray::from(vec![false; n]), BooleanArray::from(come)]
            });
            all.push(firsts.collect());
        }
        Ok(all)
    }
}

fn condition<'a>(column: Option<&'a ArrayRef>) -> Result<Option<&'a BooleanArray>> {
    let wrong = || Error::internal("the FILTER of an OVER is no BOOLEAN");
    let boolean = |column: &'a ArrayRef| column.as_boolean_opt().ok_or_else(wrong);
    column.map(boolean).transpose()
}

/// Row number of each row that enters, its rank and dense rank; and the numbers after each segment.
fn numbers(work: &Work, states: &[ArrayRef]) -> ([ArrayRef; NUMBERS], Vec<ArrayRef>) {
    let mut results = [(); NUMBERS].map(|()| Vec::with_capacity(work.steps.len()));
    let mut after = [(); NUMBERS].map(|()| Vec::with_capacity(work.segments.len()));
    let mut now = [0; NUMBERS];
    for segment in &work.segments {
        match segment.before {
            Before::Nothing => now = [0; NUMBERS],
            Before::Stored(row) => {
                for (now, state) in now.iter_mut().zip(states) {
                    *now = state.as_primitive::<Int64Type>().value(row);
                }
            }
            Before::Previous => {}
        }
        for at in segment.steps.clone() {
            let [rows, rank, dense_rank] = &mut now;
            if !work.tied[at] {
                *rank = *rows + 1;
                *dense_rank += 1;
            }
            for _ in work.steps[at].enter.clone() {
                *rows += 1;
                let all = results.iter_mut().zip([*rows, *rank, *dense_rank]);
                all.for_each(|(result, number)| result.push(number));
            }
        }
        after.iter_mut().zip(now).for_each(|(a, now)| a.push(now));
    }
    let column = |numbers: Vec<i64>| Arc::new(Int64Array::from(numbers)) as ArrayRef;
    (results.map(column), after.map(column).to_vec())
}

/// The value so many rows back.
fn lag(
    work: &Work,
    values: &ArrayRef,
    offset: usize,
    default: Option<&ArrayRef>,
) -> Result<ArrayRef> {
    let mut places = Vec::with_capacity(work.steps.len());
    for (segment, first) in work.segments.iter().zip(&work.firsts) {
        for step in &work.steps[segment.steps.clone()] {
            // Counted from the last of rows that are equal in order.
            let back = step.enter.end.checked_sub(offset + 1);
            let back = back.filter(|at| at >= first);
            places.extend(step.enter.clone().map(|row| match back {
                Some(at) => (0, at),
                None => (1, row),
            }));
        }
    }
    let default = match default {
        Some(default) => cast(default, values.data_type())?,
        None => new_null_array(values.data_type(), values.len()),
    };
    Ok(interleave(&[values.as_ref(), default.as_ref()], &places)?)
}
