//! What an operator emits of an updating stream: what differs between before and after a batch.

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{interleave, kernels::cmp::distinct, or};
use arrow::datatypes::DataType;
use arrow::row::OwnedRow;
use hashbrown::{HashMap, HashSet};

use crate::changelog::{Batch, ZSet, rows_of, take_rows};
use crate::error::Result;

/// What is shown of some keys, one row each at most.
pub struct Shown {
    /// The rows of those that have one, in the order of the keys.
    pub rows: RecordBatch,
    /// Which of the keys have one.
    pub there: Vec<bool>,
}

impl Shown {
    /// A row of every key.
    pub fn all(rows: RecordBatch) -> Self {
        Self {
            there: vec![true; rows.num_rows()],
            rows,
        }
    }

    /// For each key the index of its row.
    fn indices(&self) -> impl Iterator<Item = Option<usize>> {
        let mut next = 0;
        self.there.iter().map(move |is_there| {
            next += usize::from(*is_there);
            is_there.then(|| next - 1)
        })
    }
}

/// What differs between what was shown of keys and what is: the old row goes, the new one comes. `before` may leave out the last
/// keys, which had nothing. The first `same` columns are known not to differ.
///
/// # Errors
/// Where values cannot be compared (a bug).
pub fn difference(before: &Shown, after: &Shown, same: usize) -> Result<Batch> {
    let was = before.indices().chain(std::iter::repeat(None));
    let pairs: Vec<(Option<usize>, Option<usize>)> = was.zip(after.indices()).collect();
    let both = pairs.iter().filter_map(|(was, is)| Some(((*was)?, (*is)?)));
    let (old, new): (Vec<usize>, Vec<usize>) = both.unzip();
    let (old, new) = (picked(&before.rows, &old)?, picked(&after.rows, &new)?);
    let mut differs = BooleanArray::from(vec![false; old.num_rows()]);
    for (old, new) in old.columns().iter().zip(new.columns()).skip(same) {
        differs = or(&differs, &differences(old, new)?)?;
    }
    let mut differs = differs.values().iter();
    let (mut rows, mut weights) = (Vec::new(), Vec::new());
    for (was, is) in pairs {
        if was.is_some() && is.is_some() && differs.next() == Some(false) {
            continue;
        }
        for (side, row, weight) in [(0, was, -1), (1, is, 1)] {
            if let Some(row) = row {
                rows.push((side, row));
                weights.push(weight);
            }
        }
    }
    let columns = before.rows.columns().iter().zip(after.rows.columns());
    let columns = columns.map(|(old, new)| Ok(interleave(&[old.as_ref(), new.as_ref()], &rows)?));
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let rows = RecordBatch::try_new_with_options(
        after.rows.schema(),
        columns.collect::<Result<_>>()?,
        &options,
    )?;
    Ok(Batch::changes(rows, weights))
}

/// The rows at `indices`, which ascend.
fn picked(rows: &RecordBatch, indices: &[usize]) -> Result<RecordBatch> {
    if indices.len() == rows.num_rows() {
        return Ok(rows.clone());
    }
    if indices.last().is_none_or(|last| last + 1 == indices.len()) {
        return Ok(rows.slice(0, indices.len()));
    }
    let indices = UInt32Array::from_iter_values(indices.iter().map(|i| *i as u32));
    take_rows(rows, &indices)
}

/// Where the values of two columns differ; NULL is a value.
fn differences(old: &ArrayRef, new: &ArrayRef) -> Result<BooleanArray> {
    let by_rows = |data_type: &DataType| data_type.is_nested() || data_type.is_null();
    if !by_rows(old.data_type()) {
        return Ok(distinct(old, new)?);
    }
    let [old, new] = [old, new].map(|column| {
        let rows = RecordBatch::try_from_iter_with_nullable([("c", column.clone(), true)])?;
        rows_of(&rows, &[0])
    });
    let (old, new) = (old?, new?);
    Ok(old
        .iter()
        .zip(&new)
        .map(|(old, new)| Some(old != new))
        .collect())
}

/// What goes before what comes, each in its order. Where a row that goes is equal to one that comes, rows that are equal are one with
/// the sum of their weights.
///
/// # Errors
/// Where values cannot be compared (a bug).
pub fn consolidated(batch: Batch) -> Result<Batch> {
    let all: Vec<usize> = (0..batch.rows.num_columns()).collect();
    let values = rows_of(&batch.rows, &all)?;
    let goes = |row: &usize| batch.weight(*row) < 0;
    let (gone, come): (Vec<usize>, Vec<usize>) = (0..values.len()).partition(goes);
    let went: HashSet<&OwnedRow> = gone.iter().map(|row| &values[*row]).collect();
    let cancels = come.iter().any(|row| went.contains(&values[*row]));
    let entries: Vec<(usize, i64)> = if cancels {
        let mut first = HashMap::new();
        let mut sums: ZSet<&OwnedRow> = ZSet::default();
        for (row, value) in values.iter().enumerate() {
            first.entry(value).or_insert(row);
            sums.add(value, batch.weight(row));
        }
        let mut entries = sums.into_entries();
        entries.sort_by_key(|(_, weight)| *weight > 0);
        let entries = entries.into_iter();
        entries
            .map(|(value, weight)| (first[value], weight))
            .collect()
    } else {
        let rows = gone.into_iter().chain(come);
        rows.map(|row| (row, batch.weight(row))).collect()
    };
    let indices = UInt32Array::from_iter_values(entries.iter().map(|(row, _)| *row as u32));
    let weights = entries.into_iter().map(|(_, weight)| weight).collect();
    Ok(Batch::changes(take_rows(&batch.rows, &indices)?, weights))
}
