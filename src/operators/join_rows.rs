//! What all joins share: the rows of two sides and their keys, which pairs match, and the rows made of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::row::OwnedRow;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;

use super::evaluate;
use crate::error::{Error, Result};
use crate::graph::{Join, JoinKind};
use crate::state::RowCodec;

/// How many candidate pairs are put to the residual filter at once.
const PAIRS_AT_ONCE: usize = 8192;

/// An input of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Input 0.
    Left,
    /// Input 1.
    Right,
}

impl Side {
    /// Both, left first.
    pub const BOTH: [Self; 2] = [Self::Left, Self::Right];

    /// The side of an input.
    pub fn of_port(port: usize) -> Self {
        if port == 0 { Self::Left } else { Self::Right }
    }

    /// What the state of the side is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }

    /// The side of a part of the state.
    ///
    /// # Errors
    /// Where it is not a join's.
    pub fn of_part(name: &str) -> Result<Self> {
        Self::BOTH
            .into_iter()
            .find(|side| side.name() == name)
            .ok_or_else(|| Error::internal(format!("state '{name}' is not a join's")))
    }

    /// The other side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// Something for each side.
#[derive(Debug, Default)]
pub struct Sides<T> {
    /// Of the left.
    pub left: T,
    /// Of the right.
    pub right: T,
}

impl<T> Sides<T> {
    /// That of a side.
    pub fn of(&self, side: Side) -> &T {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// That of a side, to change it.
    pub fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }
}

impl JoinKind {
    /// Whether pairs are rows of the result.
    pub fn gives_pairs(self) -> bool {
        matches!(self, Self::Inner | Self::Left | Self::Right | Self::Full)
    }

    /// Whether a row of `side` is in the result by itself (padded with NULLs, or as it is), having a match or none.
    pub fn shows(self, side: Side, is_matched: bool) -> bool {
        match (self, side) {
            (Self::Left | Self::Full | Self::LeftAnti, Side::Left)
            | (Self::Right | Self::Full, Side::Right) => !is_matched,
            (Self::LeftSemi, Side::Left) => is_matched,
            (Self::LeftMark, Side::Left) => true,
            _ => false,
        }
    }

    /// Whether it must be known of the rows of `side` if they have a match.
    pub fn depends_on_matches(self, side: Side) -> bool {
        self.shows(side, true) || self.shows(side, false)
    }
}

/// The columns of one side.
pub struct SideRows {
    /// Positions of the key columns.
    pub key_columns: Vec<usize>,
    /// Keys as values.
    pub keys: RowCodec,
    /// Rows as values.
    pub rows: RowCodec,
}

impl SideRows {
    fn new(schema: &SchemaRef, key_columns: Vec<usize>) -> Result<Self> {
        Ok(Self {
            keys: RowCodec::of_columns(schema, &key_columns)?,
            rows: RowCodec::new(Arc::clone(schema))?,
            key_columns,
        })
    }

    /// The key of every row.
    ///
    /// # Errors
    /// Where a column is of another type than planned.
    pub fn keys_of(&self, rows: &RecordBatch) -> Result<Vec<OwnedRow>> {
        self.keys.encode_columns(rows, &self.key_columns)
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.rows.schema().fields().len()
    }
}

/// A row of the result: the rows of both batches it is made of, by index.
#[derive(Debug, Clone, Copy)]
pub struct Joined {
    /// In the batch that was joined.
    pub this: Option<u32>,
    /// Among the rows of the other side.
    pub other: Option<u32>,
    /// Whether it has a match, for LeftMark.
    pub mark: bool,
}

/// The parts of a join that do not change while it runs.
pub struct JoinRows {
    /// The join.
    pub join: Arc<Join>,
    /// The columns of the sides.
    pub sides: Sides<SideRows>,
    output: SchemaRef,
    filter: Option<Residual>,
}

impl JoinRows {
    /// For rows of these schemas.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(
        join: &Arc<Join>,
        left: &SchemaRef,
        right: &SchemaRef,
        output: &SchemaRef,
    ) -> Result<Self> {
        let filter = join.filter.as_ref();
        Ok(Self {
            sides: Sides {
                left: SideRows::new(left, join.keys.iter().map(|k| k.0).collect())?,
                right: SideRows::new(right, join.keys.iter().map(|k| k.1).collect())?,
            },
            filter: filter.map(|f| Residual::new(f, left, right)).transpose()?,
            output: Arc::clone(output),
            join: Arc::clone(join),
        })
    }

    /// Whether equal keys are not enough for a match.
    pub fn has_filter(&self) -> bool {
        self.filter.is_some()
    }

    /// Of rows of `side`, those whose key can match: a NULL in it matches nothing, unless the join says otherwise. `None`: all.
    pub fn matchable(&self, side: Side, rows: &RecordBatch) -> Option<NullBuffer> {
        if self.join.nulls_equal || self.join.null_aware {
            return None;
        }
        let columns = &self.sides.of(side).key_columns;
        let nulls = columns.iter().map(|c| rows.column(*c).logical_nulls());
        nulls
            .fold(None, |all, nulls| {
                NullBuffer::union(all.as_ref(), nulls.as_ref())
            })
            .filter(|nulls| nulls.null_count() > 0)
    }

    /// Of pairs with equal keys, those the residual filter is true for; NULL is not true. `row` gives the index into `these`
    /// (the batch, of `side`) for what stands first in a pair; `others` are the rows of the other side.
    ///
    /// # Errors
    /// Where the filter fails on a pair.
    pub fn matching<T: Copy>(
        &self,
        side: Side,
        these: &RecordBatch,
        others: &RecordBatch,
        pairs: impl Iterator<Item = (T, u32)>,
        row: impl Fn(T) -> u32,
    ) -> Result<Vec<(T, u32)>> {
        let Some(filter) = &self.filter else {
            return Ok(pairs.collect());
        };
        let mut matching = Vec::new();
        let mut pairs = pairs.peekable();
        while pairs.peek().is_some() {
            let chunk: Vec<(T, u32)> = pairs.by_ref().take(PAIRS_AT_ONCE).collect();
            let this = (
                these,
                UInt32Array::from_iter_values(chunk.iter().map(|p| row(p.0))),
            );
            let other = (
                others,
                UInt32Array::from_iter_values(chunk.iter().map(|p| p.1)),
            );
            let keep = match side {
                Side::Left => filter.evaluate(&this, &other)?,
                Side::Right => filter.evaluate(&other, &this)?,
            };
            let is_kept = |i: &usize| keep.is_valid(*i) && keep.value(*i);
            let kept = chunk.iter().enumerate().filter(|(i, _)| is_kept(i));
            matching.extend(kept.map(|(_, pair)| *pair));
        }
        Ok(matching)
    }

    /// Makes rows of the result; `these` are rows of `side`, `others` of the other. What is not there is NULL.
    ///
    /// # Errors
    /// Where the result is not what was planned.
    pub fn result(
        &self,
        side: Side,
        these: &RecordBatch,
        others: &RecordBatch,
        joined: &[Joined],
    ) -> Result<RecordBatch> {
        let this: UInt32Array = joined.iter().map(|j| j.this).collect();
        let other: UInt32Array = joined.iter().map(|j| j.other).collect();
        let ((left, at_left), (right, at_right)) = match side {
            Side::Left => ((these, this), (others, other)),
            Side::Right => ((others, other), (these, this)),
        };
        let mut columns = Vec::with_capacity(self.output.fields().len());
        for column in left.columns() {
            columns.push(take_or_null(column, &at_left)?);
        }
        if self.join.kind.gives_pairs() {
            for column in right.columns() {
                columns.push(take_or_null(column, &at_right)?);
            }
        } else if self.join.kind == JoinKind::LeftMark {
            let marks: BooleanArray = joined.iter().map(|j| Some(j.mark)).collect();
            columns.push(Arc::new(marks));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(joined.len()));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.output),
            columns,
            &options,
        )?)
    }
}

fn take_or_null(column: &ArrayRef, indices: &UInt32Array) -> Result<ArrayRef> {
    // Where there is nothing to take from, only NULLs are asked for.
    if indices.null_count() == indices.len() {
        return Ok(new_null_array(column.data_type(), indices.len()));
    }
    Ok(take(column, indices, None)?)
}

/// What must be true of a pair besides equal keys: the filter over only those columns that it reads.
struct Residual {
    expr: Arc<dyn PhysicalExpr>,
    left: Vec<usize>,
    right: Vec<usize>,
    schema: SchemaRef,
}

impl Residual {
    fn new(expr: &Arc<dyn PhysicalExpr>, left: &SchemaRef, right: &SchemaRef) -> Result<Self> {
        let width = left.fields().len();
        let used: BTreeSet<usize> = collect_columns(expr).iter().map(Column::index).collect();
        let places: HashMap<usize, usize> = used.iter().copied().zip(0..).collect();
        let fields: Vec<_> = left.fields().iter().chain(right.fields()).collect();
        let schema = used
            .iter()
            .filter_map(|c| fields.get(*c).map(|f| Arc::clone(f)));
        let schema = Arc::new(Schema::new(schema.collect::<Vec<_>>()));
        let moved = Arc::clone(expr).transform(|e| {
            let column = e.downcast_ref::<Column>();
            let moved = column.and_then(|c| Some((c, *places.get(&c.index())?)));
            Ok(match moved {
                Some((c, place)) => Transformed::yes(Arc::new(Column::new(c.name(), place)) as _),
                None => Transformed::no(e),
            })
        })?;
        let (left, right): (Vec<usize>, Vec<usize>) = used.into_iter().partition(|c| *c < width);
        Ok(Self {
            expr: moved.data,
            left,
            right: right.into_iter().map(|c| c - width).collect(),
            schema,
        })
    }

    fn evaluate(
        &self,
        left: &(&RecordBatch, UInt32Array),
        right: &(&RecordBatch, UInt32Array),
    ) -> Result<BooleanArray> {
        let n = left.1.len();
        let mut columns = Vec::with_capacity(self.left.len() + self.right.len());
        for (used, (rows, indices)) in [(&self.left, left), (&self.right, right)] {
            for column in used {
                columns.push(take(rows.column(*column), indices, None)?);
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(n));
        let pairs = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        evaluate::mask(&self.expr, &pairs, "the join condition")
    }
}
