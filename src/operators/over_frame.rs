//! The frame of an OVER in one partition: what the calls have accumulated over the rows before the current one.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter;
use arrow::datatypes::{Field, Schema};
use arrow::row::OwnedRow;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Accumulator;

use super::evaluate;
use crate::error::{Error, Result};
use crate::graph::{AggregateCall, Frame, Over, OverFunction, RankFunction};
use crate::state::RowCodec;
use crate::time::Millis;

/// The calls of an OVER, prepared.
pub struct Calls {
    frame: Frame,
    calls: Vec<OverFunction>,
    /// The arguments (and filters) of all calls, one behind the other, as state.
    codec: RowCodec,
    /// Where the arguments of each call stand in it, and behind them its filter.
    places: Vec<(Range<usize>, Option<usize>)>,
    /// How many rows back any LAG looks.
    reach: usize,
}

/// The arguments of some rows.
pub struct Arguments {
    columns: Vec<ArrayRef>,
    rows: Vec<OwnedRow>,
    defaults: Vec<Option<ArrayRef>>,
}

/// What is kept of one partition.
pub struct FrameState {
    accumulators: Vec<Option<Box<dyn Accumulator>>>,
    /// Time and arguments of the rows in a bounded frame.
    history: VecDeque<(Millis, OwnedRow)>,
    /// Arguments of the last rows, for LAG.
    recent: VecDeque<OwnedRow>,
    rows: i64,
    rank: i64,
    dense_rank: i64,
}

/// Which rows of a partition are kept, by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spans {
    /// Those in a bounded frame.
    pub history: Range<i64>,
    /// Those that a LAG may look back to.
    pub recent: Range<i64>,
}

impl Calls {
    /// For rows of `input`.
    ///
    /// # Errors
    /// Where an argument type cannot be kept as state.
    pub fn new(over: &Over, input: &Schema) -> Result<Self> {
        let mut fields = Vec::new();
        let mut places = Vec::new();
        let mut reach = 0;
        for call in &over.calls {
            let start = fields.len();
            let expressions = match call {
                OverFunction::Aggregate(a) => a.function.expressions(),
                OverFunction::Lag { value, offset, .. } => {
                    reach = reach.max(*offset + 1);
                    vec![Arc::clone(value)]
                }
                OverFunction::Rank(_) => Vec::new(),
            };
            for e in expressions {
                fields.push(Field::new(
                    format!("__arg{}", fields.len()),
                    e.data_type(input)?,
                    true,
                ));
            }
            let arguments = start..fields.len();
            let filter = match call {
                OverFunction::Aggregate(AggregateCall {
                    filter: Some(_), ..
                }) => {
                    let name = format!("__arg{}", fields.len());
                    fields.push(Field::new(name, arrow::datatypes::DataType::Boolean, true));
                    Some(fields.len() - 1)
                }
                _ => None,
            };
            places.push((arguments, filter));
        }
        Ok(Self {
            frame: over.frame,
            calls: over.calls.clone(),
            codec: RowCodec::new(Arc::new(Schema::new(fields)))?,
            places,
            reach,
        })
    }

    /// How arguments are kept.
    pub fn codec(&self) -> &RowCodec {
        &self.codec
    }

    /// Whether rows of the same time count for each other.
    pub fn by_peers(&self) -> bool {
        matches!(self.frame, Frame::RangeUnbounded | Frame::Range(_))
    }

    /// Evaluates the arguments of rows.
    ///
    /// # Errors
    /// Where an expression fails on a row.
    pub fn arguments(&self, rows: &RecordBatch) -> Result<Arguments> {
        let n = rows.num_rows();
        let mut columns: Vec<ArrayRef> = Vec::new();
        let mut defaults = Vec::new();
        for call in &self.calls {
            match call {
                OverFunction::Aggregate(a) => {
                    for e in a.function.expressions().iter().chain(&a.filter) {
                        columns.push(evaluate::values(e, rows)?);
                    }
                    defaults.push(None);
                }
                OverFunction::Lag { value, default, .. } => {
                    columns.push(evaluate::values(value, rows)?);
                    let default = default.as_ref().map(|d| evaluate::values(d, rows));
                    defaults.push(default.transpose()?);
                }
                OverFunction::Rank(_) => defaults.push(None),
            }
        }
        Ok(Arguments {
            rows: self.codec.encode(&columns, n)?,
            columns,
            defaults,
        })
    }

    /// A partition without rows.
    ///
    /// # Errors
    /// Where a function is not supported.
    pub fn state(&self) -> Result<FrameState> {
        let accumulators = self.calls.iter().map(|call| match call {
            OverFunction::Aggregate(a) => self.accumulator(a),
            _ => Ok(None),
        });
        Ok(FrameState {
            accumulators: accumulators.collect::<Result<_>>()?,
            history: VecDeque::new(),
            recent: VecDeque::new(),
            rows: 0,
            rank: 0,
            dense_rank: 0,
        })
    }

    /// `None` where results are computed from the rows of the frame each time.
    fn accumulator(&self, call: &AggregateCall) -> Result<Option<Box<dyn Accumulator>>> {
        if !self.is_bounded() {
            return Ok(Some(call.function.create_accumulator()?));
        }
        // MIN and MAX take values back only in the order in which they came, which is how they leave a frame.
        let accumulator = call.function.create_sliding_accumulator().ok();
        Ok(accumulator.filter(|a| a.supports_retract_batch()))
    }

    /// Whether rows leave the frame again.
    pub fn is_bounded(&self) -> bool {
        matches!(self.frame, Frame::Rows(_) | Frame::Range(_))
    }

    /// Whether any LAG looks back.
    pub fn looks_back(&self) -> bool {
        self.reach > 0
    }

    /// Whether the accumulator of call `c` is rebuilt from the rows of the frame, not from its own state.
    pub fn is_rebuilt(&self, c: usize) -> bool {
        match self.calls.get(c) {
            Some(OverFunction::Aggregate(a)) => {
                // What a sliding MIN, MAX or DISTINCT keeps is no state that could be merged into another.
                let by_values = matches!(a.function.fun().name(), "min" | "max");
                self.is_bounded() && (by_values || a.function.is_distinct())
            }
            _ => true,
        }
    }

    /// Number of calls.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// How far back in time the frame reaches, where it is bounded by time.
    pub fn range(&self) -> Option<Millis> {
        match self.frame {
            Frame::Range(millis) => Some(millis),
            _ => None,
        }
    }

    fn values(&self, c: usize, columns: &[ArrayRef], rows: Range<usize>) -> Result<Vec<ArrayRef>> {
        let (arguments, condition) = &self.places[c];
        let values = columns[arguments.clone()]
            .iter()
            .map(|a| a.slice(rows.start, rows.len()));
        match condition {
            None => Ok(values.collect()),
            Some(at) => {
                let keep = columns[*at].slice(rows.start, rows.len());
                let keep: &BooleanArray = keep
                    .as_boolean_opt()
                    .ok_or_else(|| Error::internal("the FILTER of an OVER is no boolean"))?;
                values.map(|v| Ok(filter(&v, keep)?)).collect()
            }
        }
    }
}

impl FrameState {
    /// Takes rows that are next in order, and are peers where the frame goes by peers; appends the results of every one of
    /// them to `results` (a list a call). `time`: that of the rows.
    ///
    /// # Errors
    /// Where a function fails on a value.
    pub fn step(
        &mut self,
        calls: &Calls,
        arguments: &Arguments,
        rows: Range<usize>,
        time: Millis,
        is_new_rank: bool,
        results: &mut [Vec<ScalarValue>],
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        // First out, then in, as Flink does: sums of doubles depend on it.
        self.leave(calls, time, rows.len())?;
        for i in rows.clone() {
            if calls.is_bounded() {
                self.history.push_back((time, arguments.rows[i].clone()));
            }
            if calls.reach > 0 {
                self.recent.push_back(arguments.rows[i].clone());
                if self.recent.len() > calls.reach {
                    self.recent.pop_front();
                }
            }
        }
        if is_new_rank {
            self.rank = self.rows + 1;
            self.dense_rank += 1;
        }
        let first = self.rows + 1;
        self.rows += rows.len() as i64;
        for (c, accumulator) in self.accumulators.iter_mut().enumerate() {
            if let Some(accumulator) = accumulator {
                accumulator.update_batch(&calls.values(c, &arguments.columns, rows.clone())?)?;
            }
        }
        for (c, (call, results)) in calls.calls.iter().zip(results).enumerate() {
            match call {
                OverFunction::Aggregate(_) => {
                    let value = self.aggregate(calls, c)?;
                    results.extend(rows.clone().map(|_| value.clone()));
                }
                OverFunction::Lag { offset, .. } => {
                    let back = self
                        .recent
                        .len()
                        .checked_sub(offset + 1)
                        .and_then(|i| self.recent.get(i));
                    let value = match back {
                        Some(row) => {
                            let decoded = calls.codec.decode([row])?;
                            Some(ScalarValue::try_from_array(
                                decoded.column(calls.places[c].0.start),
                                0,
                            )?)
                        }
                        None => None,
                    };
                    for i in rows.clone() {
                        results.push(match (&value, &arguments.defaults[c]) {
                            (Some(value), _) => value.clone(),
                            (None, Some(default)) => ScalarValue::try_from_array(default, i)?,
                            (None, None) => {
                                let data_type = calls
                                    .codec
                                    .schema()
                                    .field(calls.places[c].0.start)
                                    .data_type();
                                ScalarValue::try_from(data_type)?
                            }
                        });
                    }
                }
                OverFunction::Rank(RankFunction::RowNumber) => {
                    results.extend(
                        (0..rows.len() as i64).map(|i| ScalarValue::Int64(Some(first + i))),
                    );
                }
                OverFunction::Rank(RankFunction::Rank) => {
                    results.extend(rows.clone().map(|_| ScalarValue::Int64(Some(self.rank))));
                }
                OverFunction::Rank(RankFunction::DenseRank) => {
                    results.extend(
                        rows.clone()
                            .map(|_| ScalarValue::Int64(Some(self.dense_rank))),
                    );
                }
            }
        }
        Ok(())
    }

    /// Takes rows out that are no longer in the frame once `coming` rows of time `time` are in it.
    fn leave(&mut self, calls: &Calls, time: Millis, coming: usize) -> Result<()> {
        let gone = match calls.frame {
            Frame::Rows(n) => {
                let size = usize::try_from(n).unwrap_or(usize::MAX).saturating_add(1);
                (self.history.len() + coming)
                    .saturating_sub(size)
                    .min(self.history.len())
            }
            Frame::Range(millis) => {
                let first = time.saturating_sub(millis);
                self.history.iter().take_while(|(t, _)| *t < first).count()
            }
            Frame::RowsUnbounded | Frame::RangeUnbounded => 0,
        };
        if gone == 0 {
            return Ok(());
        }
        let gone: Vec<OwnedRow> = self.history.drain(..gone).map(|(_, row)| row).collect();
        let decoded = calls.codec.decode(&gone)?;
        for (c, accumulator) in self.accumulators.iter_mut().enumerate() {
            if let Some(accumulator) = accumulator {
                accumulator.retract_batch(&calls.values(c, decoded.columns(), 0..gone.len())?)?;
            }
        }
        Ok(())
    }

    fn aggregate(&mut self, calls: &Calls, c: usize) -> Result<ScalarValue> {
        if let Some(accumulator) = &mut self.accumulators[c] {
            return Ok(accumulator.evaluate()?);
        }
        let OverFunction::Aggregate(call) = &calls.calls[c] else {
            return Err(Error::internal("no aggregate"));
        };
        let rows = calls
            .codec
            .decode(self.history.iter().map(|(_, row)| row))?;
        let mut accumulator = call.function.create_accumulator()?;
        accumulator.update_batch(&calls.values(c, rows.columns(), 0..rows.num_rows())?)?;
        Ok(accumulator.evaluate()?)
    }

    /// The numbers that the rows of a bounded frame, and those kept for LAG, have in their partition.
    pub fn spans(&self) -> Spans {
        let span = |kept: usize| self.rows - kept as i64..self.rows;
        Spans {
            history: span(self.history.len()),
            recent: span(self.recent.len()),
        }
    }

    /// Rows numbered so far, rank and dense rank of the last.
    pub fn numbers(&self) -> [i64; 3] {
        [self.rows, self.rank, self.dense_rank]
    }

    /// Number, time and arguments of the rows in a bounded frame, from the one numbered `from` on.
    pub fn history(&self, from: i64) -> impl Iterator<Item = (i64, Millis, &OwnedRow)> {
        let first = self.spans().history.start;
        let from = from.max(first);
        let rows = self.history.iter().skip((from - first) as usize);
        (from..).zip(rows).map(|(n, (time, row))| (n, *time, row))
    }

    /// Number and arguments of the last rows, for LAG, from the one numbered `from` on. Their times are not kept.
    pub fn recent(&self, from: i64) -> impl Iterator<Item = (i64, Millis, &OwnedRow)> {
        let first = self.spans().recent.start;
        let from = from.max(first);
        let rows = self.recent.iter().skip((from - first) as usize);
        (from..).zip(rows).map(|(n, row)| (n, 0, row))
    }

    /// The state of call `c`, for a snapshot.
    ///
    /// # Errors
    /// Where the accumulator has none.
    pub fn accumulated(&mut self, calls: &Calls, c: usize) -> Result<Option<Vec<ScalarValue>>> {
        let Some(accumulator) = self.accumulators[c]
            .as_mut()
            .filter(|_| !calls.is_rebuilt(c))
        else {
            return Ok(None);
        };
        let state = accumulator.state()?;
        // Some accumulators are empty once their state was taken.
        self.restore_accumulator(calls, c, &state)?;
        Ok(Some(state))
    }

    /// Takes the state of call `c`.
    ///
    /// # Errors
    /// Where it is of another function.
    pub fn restore_accumulator(
        &mut self,
        calls: &Calls,
        c: usize,
        state: &[ScalarValue],
    ) -> Result<()> {
        if let OverFunction::Aggregate(a) = &calls.calls[c]
            && let Some(mut accumulator) = calls.accumulator(a)?
        {
            let columns = state
                .iter()
                .map(|v| Ok(v.to_array()?))
                .collect::<Result<Vec<_>>>()?;
            accumulator.merge_batch(&columns)?;
            self.accumulators[c] = Some(accumulator);
        }
        Ok(())
    }

    /// Takes back what [`FrameState::numbers`] gave.
    pub fn restore_numbers(&mut self, [rows, rank, dense_rank]: [i64; 3]) {
        (self.rows, self.rank, self.dense_rank) = (rows, rank, dense_rank);
    }

    /// Takes back a row of a bounded frame.
    ///
    /// # Errors
    /// Where it is of other arguments.
    pub fn restore_history(&mut self, calls: &Calls, time: Millis, row: OwnedRow) -> Result<()> {
        let decoded = calls.codec.decode([&row])?;
        for c in 0..calls.len() {
            if calls.is_rebuilt(c)
                && let Some(accumulator) = &mut self.accumulators[c]
            {
                accumulator.update_batch(&calls.values(c, decoded.columns(), 0..1)?)?;
            }
        }
        self.history.push_back((time, row));
        Ok(())
    }

    /// Takes back a row for LAG.
    pub fn restore_recent(&mut self, row: OwnedRow) {
        self.recent.push_back(row);
    }
}
