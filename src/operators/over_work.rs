//! What the calls of an OVER are to be computed for.

use arrow::array::{ArrayRef, BooleanArray};
use flowline_udfs::{Segment, Step};

use crate::state::Slot;

/// Rows in order, and how they go through frames.
#[derive(Default)]
pub struct Work {
    /// The arguments of all rows. Those of a partition lie together: rows that were there before, as far as they are needed, then
    /// those whose results are computed.
    pub arguments: Vec<ArrayRef>,
    /// Steps of the same partition.
    pub segments: Vec<Segment>,
    /// The partition of each segment, and where its rows begin.
    pub partitions: Vec<Slot>,
    /// Where the rows of the segment's partition begin.
    pub firsts: Vec<usize>,
    /// From row to row, or from peers to peers.
    pub steps: Vec<Step>,
    /// For each step: its rows are equal in order to those before.
    pub tied: Vec<bool>,
    /// The numbers that rows have in their partition; only where rows leave.
    pub numbers: Vec<i64>,
    /// Of DISTINCT calls, by list of arguments and filter: the rows with which values go, and come.
    pub distinct: Vec<Vec<[BooleanArray; 2]>>,
}
