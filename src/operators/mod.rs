//! The operators: synchronous state machines without clock, IO or threads. Element in, elements out.

mod aggregator;
mod calc;
mod call_rows;
mod changed;
mod distinct;
mod evaluate;
mod event_time_sort;
mod expand;
mod first_row;
mod group_aggregate;
mod groups;
mod held_rows;
mod interval_join;
mod join;
mod join_rows;
mod join_sides;
mod keep;
mod last_rows;
mod late;
mod local_aggregate;
mod materialize;
mod normalize;
mod open_windows;
mod ordered_rows;
mod over;
mod over_accumulate;
mod over_extremes;
mod over_frame;
mod over_marks;
mod over_partitions;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod over_tests;
mod over_work;
mod rank;
mod ranking;
#[cfg(test)]
mod resumed;
#[cfg(test)]
mod resumed_calls;
mod session_assign;
mod slices;
mod sort_order;
#[cfg(test)]
mod testing;
mod top_one;
mod updating_over;
mod values;
mod watermark_assign;
mod window_aggregate;
mod window_assign;
mod window_join;
mod window_rank;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;

use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::{Aside, JoinTime, Operation, OverTime, RankTime};
use crate::state::{KeptView, StatePart, TableSnapshot};
use crate::time::{Millis, Watermark};

pub use calc::Calc;
pub use watermark_assign::event_times;

/// What travels through a channel, in order.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "nearly all elements are batches")]
pub enum Element {
    /// Rows.
    Batch(Batch),
    /// Event time has come this far.
    Watermark(Watermark),
    /// Rows of a built-in table that go beside the stream to whoever reads it: operators never see them.
    Aside(Aside, RecordBatch),
    /// Everything before belongs to this epoch.
    Barrier(u64),
    /// Nothing follows.
    End,
}

/// How many rows an operator emits at a time when a watermark releases many. Joins have a size of their own.
const ROWS_AT_ONCE: usize = if cfg!(test) { 3 } else { 8192 };

/// Where an operator puts what it emits.
#[derive(Debug, Default)]
pub struct Output {
    /// Rows and watermarks in order.
    pub elements: Vec<Element>,
    /// The part of the element that the operator has not processed yet, because it leads to many rows. The operator gets it again,
    /// before anything else, once the rows so far have been sent on.
    pub rest: Option<Element>,
}

impl Output {
    /// Emits rows; no rows, nothing emitted.
    pub fn batch(&mut self, batch: Batch) {
        if batch.num_rows() > 0 {
            self.elements.push(Element::Batch(batch));
        }
    }

    /// Emits rows of a built-in table.
    pub fn aside(&mut self, table: Aside, rows: RecordBatch) {
        if rows.num_rows() > 0 {
            self.elements.push(Element::Aside(table, rows));
        }
    }

    /// Emits a watermark.
    pub fn watermark(&mut self, watermark: Watermark) {
        self.elements.push(Element::Watermark(watermark));
    }
}

/// Counters of one operator, read from outside while it runs.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Rows taken.
    pub rows_in: AtomicU64,
    /// Rows emitted.
    pub rows_out: AtomicU64,
    /// Rows dropped because their window was over.
    pub late_rows: AtomicU64,
    /// The last watermark that each instance emitted.
    watermarks: Vec<AtomicI64>,
    /// The last rows that were late, as rows of [`crate::graph::late_rows_schema`].
    last_late: Mutex<VecDeque<RecordBatch>>,
}

/// How many batches of late rows are kept to be shown, and how many rows of each.
const KEPT_LATE: (usize, usize) = (100, 100);

/// Stands for the watermark of an instance that has emitted none.
const NO_WATERMARK: Millis = Millis::MIN;

impl Metrics {
    /// Of an operator with so many instances.
    pub fn of_instances(instances: usize) -> Self {
        let none = |_| AtomicI64::new(NO_WATERMARK);
        Self {
            watermarks: (0..instances).map(none).collect(),
            ..Self::default()
        }
    }

    /// Keeps late rows to be shown, and forgets the oldest.
    pub fn keep_late(&self, rows: &RecordBatch) {
        let mut kept = self
            .last_late
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_LATE.0 {
            kept.pop_front();
        }
        let last = rows.num_rows().min(KEPT_LATE.1);
        kept.push_back(rows.slice(rows.num_rows() - last, last));
    }

    /// The last rows that were late.
    pub fn last_late(&self) -> Vec<RecordBatch> {
        let kept = self
            .last_late
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        kept.iter().cloned().collect()
    }

    /// Counts what an instance has emitted.
    pub fn count_out(&self, instance: usize, element: &Element) {
        match element {
            Element::Batch(batch) => {
                let rows = batch.num_rows() as u64;
                self.rows_out.fetch_add(rows, Ordering::Relaxed);
            }
            // The end of all inputs is no time.
            Element::Watermark(Watermark::At(time)) if *time < Millis::MAX => {
                if let Some(watermark) = self.watermarks.get(instance) {
                    watermark.store(*time, Ordering::Relaxed);
                }
            }
            _ => {}
        }
    }

    /// How far event time has come here: the least of what the instances have emitted; `None` until each of them has.
    pub fn watermark(&self) -> Option<Millis> {
        let watermarks = self.watermarks.iter();
        let least = watermarks.map(|w| w.load(Ordering::Relaxed)).min();
        least.filter(|watermark| *watermark != NO_WATERMARK)
    }

    /// Counts late rows.
    pub fn count_late(&self, rows: usize) {
        self.late_rows.fetch_add(rows as u64, Ordering::Relaxed);
    }
}

/// A step of the dataflow on one instance.
///
/// The runtime merges the watermarks of all inputs before it calls `on_watermark`, aligns barriers, calls
/// `before_barrier` and then `snapshot`; `on_end` follows the final watermark.
pub trait Operator: Send {
    /// It is this instance of so many; said before anything else.
    fn be_instance(&mut self, _instance: usize, _parallelism: usize) {}

    /// Takes rows of input `port`.
    ///
    /// # Errors
    /// A row that cannot be processed.
    fn on_batch(&mut self, port: usize, batch: Batch, out: &mut Output) -> Result<()>;

    /// Event time has moved. The default passes it on.
    ///
    /// # Errors
    /// A row that cannot be processed.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        out.watermark(watermark);
        Ok(())
    }

    /// How often it wants to hear of the clock, in milliseconds; `None`: never.
    fn clock_period(&self) -> Option<u64> {
        None
    }

    /// The clock is at `now`, in milliseconds since the epoch. Called now and then, for state that expires by the clock and
    /// rows that are held back for a while; nothing else may depend on it.
    ///
    /// # Errors
    /// A row that cannot be processed.
    fn on_clock(&mut self, _now: i64, _out: &mut Output) -> Result<()> {
        Ok(())
    }

    /// All inputs have ended.
    ///
    /// # Errors
    /// A row that cannot be processed.
    fn on_end(&mut self, _out: &mut Output) -> Result<()> {
        Ok(())
    }

    /// A barrier is about to pass: emits what is only buffered for speed.
    ///
    /// # Errors
    /// A row that cannot be processed.
    fn before_barrier(&mut self, _out: &mut Output) -> Result<()> {
        Ok(())
    }

    /// The state, without changing it: one part for each of its tables, also where there is nothing in it. A part is the whole
    /// table, or what changed since the last snapshot or [`Operator::restore`]; the parts of all snapshots add up by
    /// [`crate::state::merge`].
    ///
    /// # Errors
    /// Where state cannot be written as rows.
    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        Ok(Vec::new())
    }

    /// The rows of a managed table at the end of an epoch, for others to read; called before [`Operator::snapshot`].
    ///
    /// # Errors
    /// Where state cannot be changed (a bug).
    fn end_epoch(&mut self, _epoch: u64) -> Result<Option<KeptView>> {
        Ok(None)
    }

    /// State was restored, and event time had come to `watermark` when it was given; [`Operator::on_watermark`] follows with the
    /// same. For who needs to know what it had done by then.
    ///
    /// # Errors
    /// Where the state cannot be used.
    fn restored_at(&mut self, _watermark: Millis) -> Result<()> {
        Ok(())
    }

    /// Takes state that snapshots (of any parallelism) gave for this instance's key groups, before any element. Must be called,
    /// if need be without parts, where the next snapshots follow on one that was kept.
    ///
    /// # Errors
    /// Where the state is of another operator or version.
    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        match parts.first() {
            None => Ok(()),
            Some(part) => Err(Error::internal(format!(
                "state '{}' has no operator to take it",
                part.name
            ))),
        }
    }
}

/// The operator of a node; `None` for sources and sinks, which are the runtime's. `batch_rows`: how many rows a join emits in one
/// batch at most.
///
/// # Errors
/// Where its parts cannot be set up.
pub fn operator(
    operation: &Operation,
    inputs: &[arrow::datatypes::SchemaRef],
    schema: &arrow::datatypes::SchemaRef,
    metrics: &Arc<Metrics>,
    batch_rows: usize,
) -> Result<Option<Box<dyn Operator>>> {
    let input = inputs.first().unwrap_or(schema);
    let right = inputs.get(1).unwrap_or(schema);
    let metrics = || Arc::clone(metrics);
    Ok(Some(match operation {
        Operation::Source(_) | Operation::Values(_) | Operation::Sink(_) => return Ok(None),
        Operation::Calc(steps) => Box::new(Calc::new(steps.clone())),
        Operation::Union => Box::new(Calc::new(Vec::new())),
        Operation::Expand(lists) => {
            Box::new(expand::Expand::new(lists.clone(), Arc::clone(schema)))
        }
        Operation::WindowAssign {
            windows,
            time,
            by_slices,
        } => Box::new(window_assign::WindowAssign::new(
            windows.clone(),
            *time,
            *by_slices,
            Arc::clone(schema),
        )),
        Operation::SessionAssign { gap, time, keys } => {
            Box::new(session_assign::SessionAssign::new(
                *gap,
                *time,
                keys.clone(),
                input,
                schema,
                metrics(),
            )?)
        }
        Operation::LocalAggregate(aggregate) => Box::new(local_aggregate::LocalAggregate::new(
            Arc::clone(aggregate),
            metrics(),
        )?),
        Operation::WindowAggregate(aggregate) => Box::new(window_aggregate::WindowAggregate::new(
            Arc::clone(aggregate),
            input,
            metrics(),
        )?),
        Operation::GroupAggregate(aggregate) => Box::new(group_aggregate::GroupAggregate::new(
            Arc::clone(aggregate),
            input,
        )?),
        Operation::EventTimeSort {
            column,
            complete_after,
            then,
            drops_late,
        } => Box::new(event_time_sort::EventTimeSort::new(
            *column,
            *complete_after,
            then.clone(),
            *drops_late,
            schema,
            metrics(),
        )?),
        Operation::WatermarkAssign(rule) => {
            Box::new(watermark_assign::WatermarkAssign::new(rule.clone()))
        }
        Operation::Join(join) => match join.time {
            JoinTime::Regular => Box::new(join::RegularJoin::new(
                join, input, right, schema, batch_rows,
            )?),
            JoinTime::Window(..) => Box::new(window_join::WindowJoin::new(
                join,
                (input, right, schema),
                metrics(),
                batch_rows,
            )?),
            JoinTime::Interval { .. } => Box::new(interval_join::IntervalJoin::new(
                join, input, right, schema, batch_rows,
            )?),
        },
        Operation::Rank(rank) => match rank.time {
            RankTime::Updating if top_one::TopOne::does(rank) => {
                Box::new(top_one::TopOne::new(rank, input)?)
            }
            RankTime::Updating => Box::new(rank::TopN::new(rank, input, schema)?),
            RankTime::Window(_) => Box::new(window_rank::WindowRank::new(
                rank,
                input,
                schema,
                metrics(),
            )?),
            RankTime::FirstByTime(_) | RankTime::FirstByArrival => {
                Box::new(first_row::FirstRow::new(rank, input, schema, metrics())?)
            }
        },
        Operation::Over(over) => match over.time {
            OverTime::Updating(_) => {
                Box::new(updating_over::UpdatingOver::new(over, input, schema)?)
            }
            OverTime::Event(_) | OverTime::Arrival(_) => {
                Box::new(over::OverAggregate::new(over, input, schema, metrics())?)
            }
        },
        Operation::ChangelogNormalize { key, ttl } => Box::new(normalize::ChangelogNormalize::new(
            key.clone(),
            *ttl,
            schema,
        )?),
        Operation::Keep(keep) => Box::new(keep::KeepRows::new(keep, schema)?),
        Operation::UpsertMaterialize { key, conflict, ttl } => Box::new(
            materialize::upsert_materialize(key.clone(), *conflict, *ttl, schema)?,
        ),
    }))
}
