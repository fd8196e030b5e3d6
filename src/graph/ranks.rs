//! Rows in order: ranks, and functions over the rows before each row.

use std::sync::Arc;

use datafusion::physical_expr::PhysicalExpr;

use super::{AggregateCall, StateTtl};
use crate::time::Millis;

/// A function that numbers rows in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RankFunction {
    /// 1, 2, 3, 4
    RowNumber,
    /// 1, 2, 2, 4
    Rank,
    /// 1, 2, 2, 3
    DenseRank,
}

/// A column rows are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortColumn {
    /// Its position.
    pub column: usize,
    /// Highest first.
    pub descending: bool,
    /// NULLs before everything else.
    pub nulls_first: bool,
}

/// When ranked rows are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RankTime {
    /// At once, retracted when others take their place. The input may be updating.
    Updating,
    /// When the watermark passes the window whose end is in this column (one of the partition's). Append-only.
    Window(usize),
    /// The first row by this time column, once the watermark has passed it: rank 1 only. Append-only.
    FirstByTime(usize),
    /// The first row that arrives: rank 1 only, no order. Append-only in and out.
    FirstByArrival,
}

/// Rows ranked within partitions. Its rows: those of the input, then, if asked for, the rank as BIGINT.
/// Rows that are equal in order rank by arrival.
#[derive(Debug, Clone)]
pub struct Rank {
    /// How rows are numbered.
    pub function: RankFunction,
    /// The partition.
    pub partition: Vec<usize>,
    /// The order; empty: by arrival.
    pub order: Vec<SortColumn>,
    /// The lowest rank kept, from 1.
    pub from: u64,
    /// The highest rank kept.
    pub to: u64,
    /// Whether the rank is a column of the result.
    pub with_rank: bool,
    /// When rows are given.
    pub time: RankTime,
    /// The input is updating: rows beyond the limit may move up again.
    pub retracts: bool,
    /// Of rows equal in order the one that came last ranks first (deduplication that keeps the last row).
    pub last_first: bool,
    /// When a partition is given up.
    pub ttl: Option<StateTtl>,
}

/// What one call over a frame computes.
#[derive(Debug, Clone)]
pub enum OverFunction {
    /// An aggregate over the rows of the frame.
    Aggregate(AggregateCall),
    /// The value so many values back, counted within the frame of all rows so far.
    Lag {
        /// The value.
        value: Arc<dyn PhysicalExpr>,
        /// How far back.
        offset: usize,
        /// What stands where there is none.
        default: Option<Arc<dyn PhysicalExpr>>,
    },
    /// The number of the row.
    Rank(RankFunction),
}

/// Which rows before a row belong to its frame; it ends with the row itself, or with its peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// All rows up to this one.
    RowsUnbounded,
    /// So many rows before this one, and itself.
    Rows(u64),
    /// All rows up to this one and those of the same time.
    RangeUnbounded,
    /// Rows at most so many milliseconds before, this one and those of the same time.
    Range(Millis),
}

/// How rows of an [`Over`] are ordered, and so when they are given.
#[derive(Debug, Clone)]
pub enum OverTime {
    /// By a time column, each row once the watermark has passed it. Append-only.
    Event(usize),
    /// By arrival, each row at once; the column, if there is one, holds the time of arrival. Append-only.
    Arrival(Option<usize>),
    /// By any columns: a row that comes in between changes the rows after it. Any input, updating result.
    Updating(Vec<SortColumn>),
}

/// Functions over partitions of rows in order. Its rows: those of the input, then a column a call.
#[derive(Debug, Clone)]
pub struct Over {
    /// The partition.
    pub partition: Vec<usize>,
    /// The order.
    pub time: OverTime,
    /// The frame.
    pub frame: Frame,
    /// The calls.
    pub calls: Vec<OverFunction>,
    /// When a partition is given up.
    pub ttl: Option<StateTtl>,
}
