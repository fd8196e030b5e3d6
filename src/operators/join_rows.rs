//! What all joins share: which pairs of rows match, and the rows made of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;

use super::evaluate;
use crate::error::Result;
use crate::graph::{Join, JoinKind};
use crate::state::{NONE, Table};

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

    /// What is of this side and what is of the other, as left and right.
    pub fn left_first<T>(self, this: T, other: T) -> (T, T) {
        match self {
            Self::Left => (this, other),
            Self::Right => (other, this),
        }
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

/// Where rows of one side are; [`NONE`] is the number of no row, whose values are NULL.
#[derive(Clone, Copy)]
pub enum Rows<'a> {
    /// In a batch: a number is an index.
    Batch(&'a RecordBatch),
    /// In the state: a number is a slot.
    Table(&'a Table),
}

impl Rows<'_> {
    fn columns(self, columns: &[usize], numbers: &[u32]) -> Result<Vec<ArrayRef>> {
        let rows = match self {
            Self::Batch(rows) => rows,
            Self::Table(table) => return table.columns(columns, numbers),
        };
        let index = |number: &u32| (*number != NONE).then_some(*number);
        let indices: UInt32Array = numbers.iter().map(index).collect();
        let columns = columns.iter().map(|column| {
            let column = rows.column(*column);
            // Where there is nothing to take from, only NULLs are asked for.
            Ok(match indices.null_count() == indices.len() {
                true => new_null_array(column.data_type(), indices.len()),
                false => take(column, &indices, None)?,
            })
        });
        columns.collect()
    }
}

/// A pair of rows, each by number: that which comes, and that of the other side.
pub type Pair = (u32, u32);

/// The parts of a join that do not change while it runs.
pub struct JoinRows {
    /// The join.
    pub join: Arc<Join>,
    /// Number of columns.
    widths: Sides<usize>,
    output: SchemaRef,
    filter: Option<Residual>,
}

impl JoinRows {
    /// For rows of these schemas.
    ///
    /// # Errors
    /// Where the condition is over other columns than there are (a bug).
    pub fn new(
        join: &Arc<Join>,
        left: &SchemaRef,
        right: &SchemaRef,
        output: &SchemaRef,
    ) -> Result<Self> {
        let filter = join.filter.as_ref();
        Ok(Self {
            widths: Sides {
                left: left.fields().len(),
                right: right.fields().len(),
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

    /// Those of pairs with equal keys for which the residual filter is true; NULL is not true. The rows that come are of `side`.
    ///
    /// # Errors
    /// Where the filter fails on a pair.
    pub fn matching(
        &self,
        side: Side,
        (these, others): (Rows, Rows),
        pairs: &[Pair],
    ) -> Result<Vec<Pair>> {
        let Some(filter) = self.filter.as_ref().filter(|_| !pairs.is_empty()) else {
            return Ok(pairs.to_vec());
        };
        let (this, other): (Vec<u32>, Vec<u32>) = pairs.iter().copied().unzip();
        let ((left, at_left), (right, at_right)) = side.left_first((these, this), (others, other));
        let keep = filter.evaluate((left, &at_left), (right, &at_right))?;
        let pairs = pairs
            .iter()
            .zip(&keep)
            .filter(|(_, keep)| *keep == Some(true));
        Ok(pairs.map(|(pair, _)| *pair).collect())
    }

    /// Makes rows of the result of pairs, with whether each has a match. The rows that come are of `side`.
    ///
    /// # Errors
    /// Where the result is not what was planned.
    pub fn result(
        &self,
        side: Side,
        (these, others): (Rows, Rows),
        pairs: impl Iterator<Item = (Pair, bool)>,
    ) -> Result<RecordBatch> {
        let (pairs, marks): (Vec<Pair>, Vec<bool>) = pairs.unzip();
        let (this, other): (Vec<u32>, Vec<u32>) = pairs.into_iter().unzip();
        let ((left, at_left), (right, at_right)) = side.left_first((these, this), (others, other));
        let all = |side: Side| (0..*self.widths.of(side)).collect::<Vec<usize>>();
        let mut columns = left.columns(&all(Side::Left), &at_left)?;
        if self.join.kind.gives_pairs() {
            columns.extend(right.columns(&all(Side::Right), &at_right)?);
        } else if self.join.kind == JoinKind::LeftMark {
            columns.push(Arc::new(BooleanArray::from(marks)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(at_left.len()));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.output),
            columns,
            &options,
        )?)
    }
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
        (left, at_left): (Rows, &[u32]),
        (right, at_right): (Rows, &[u32]),
    ) -> Result<BooleanArray> {
        let mut columns = left.columns(&self.left, at_left)?;
        columns.extend(right.columns(&self.right, at_right)?);
        let options = RecordBatchOptions::new().with_row_count(Some(at_left.len()));
        let pairs = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        evaluate::mask(&self.expr, &pairs, "the join condition")
    }
}
