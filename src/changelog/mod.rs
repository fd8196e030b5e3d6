//! Rows that come and go, as Z-sets: every row has a weight, +n for inserted and -n for retracted.

mod zset;

use std::collections::HashMap;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array,
};
use arrow::compute::{filter, filter_record_batch, take, take_record_batch};
use arrow::row::{OwnedRow, RowConverter, SortField};

use crate::error::Result;

pub use zset::ZSet;

/// Rows moving between operators.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The rows.
    pub rows: RecordBatch,
    /// One weight a row; `None`: all are inserted once (append-only).
    pub weights: Option<Int64Array>,
    /// For rows at, behind, or a millisecond ahead of the watermark of their source partition when they arrived: that
    /// watermark, in milliseconds since the epoch. Null, or `None` for all rows, where the row was ahead of it. Lateness is judged by this value, so
    /// it does not depend on how the partitions interleave.
    pub behind: Option<Int64Array>,
}

impl Batch {
    /// Append-only rows, none of them behind the watermark.
    pub fn append(rows: RecordBatch) -> Self {
        Self {
            rows,
            weights: None,
            behind: None,
        }
    }

    /// Rows with weights.
    pub fn changes(rows: RecordBatch, weights: Vec<i64>) -> Self {
        Self {
            rows,
            weights: Some(Int64Array::from(weights)),
            behind: None,
        }
    }

    /// Number of rows.
    pub fn num_rows(&self) -> usize {
        self.rows.num_rows()
    }

    /// Other columns for the same rows.
    #[must_use]
    pub fn with_rows(&self, rows: RecordBatch) -> Self {
        Self {
            rows,
            weights: self.weights.clone(),
            behind: self.behind.clone(),
        }
    }

    /// The rows where `keep` is true.
    ///
    /// # Errors
    /// Where Arrow cannot filter a column.
    pub fn filter(&self, keep: &BooleanArray) -> Result<Self> {
        Ok(Self {
            rows: filter_record_batch(&self.rows, keep)?,
            weights: self
                .weights
                .as_ref()
                .map(|w| filter_ints(w, keep))
                .transpose()?,
            behind: none_if_all_null(
                self.behind
                    .as_ref()
                    .map(|w| filter_ints(w, keep))
                    .transpose()?,
            ),
        })
    }

    /// `count` rows from `from` on.
    #[must_use]
    pub fn slice(&self, from: usize, count: usize) -> Self {
        let part = |ints: &Int64Array| ints.slice(from, count);
        Self {
            rows: self.rows.slice(from, count),
            weights: self.weights.as_ref().map(part),
            behind: none_if_all_null(self.behind.as_ref().map(part)),
        }
    }

    /// The rows at `indices`, in that order.
    ///
    /// # Errors
    /// Where an index is out of range.
    pub fn take(&self, indices: &UInt32Array) -> Result<Self> {
        Ok(Self {
            rows: take_rows(&self.rows, indices)?,
            weights: self
                .weights
                .as_ref()
                .map(|w| take_ints(w, indices))
                .transpose()?,
            behind: none_if_all_null(
                self.behind
                    .as_ref()
                    .map(|w| take_ints(w, indices))
                    .transpose()?,
            ),
        })
    }

    /// The weight of row `i`.
    pub fn weight(&self, i: usize) -> i64 {
        self.weights.as_ref().map_or(1, |w| w.value(i))
    }

    /// The watermark row `i` was behind, if it was.
    pub fn behind(&self, i: usize) -> Option<i64> {
        self.behind
            .as_ref()
            .filter(|b| b.is_valid(i))
            .map(|b| b.value(i))
    }
}

/// The rows at `indices`, in that order; also of rows without columns.
///
/// # Errors
/// Where an index is out of range.
pub fn take_rows(rows: &RecordBatch, indices: &UInt32Array) -> Result<RecordBatch> {
    if rows.num_columns() > 0 {
        return Ok(take_record_batch(rows, indices)?);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(indices.len()));
    Ok(RecordBatch::try_new_with_options(
        rows.schema(),
        Vec::new(),
        &options,
    )?)
}

fn none_if_all_null(array: Option<Int64Array>) -> Option<Int64Array> {
    array.filter(|a| a.null_count() < a.len())
}

fn filter_ints(array: &Int64Array, keep: &BooleanArray) -> Result<Int64Array> {
    Ok(as_ints(&filter(array, keep)?))
}

fn take_ints(array: &Int64Array, indices: &UInt32Array) -> Result<Int64Array> {
    Ok(as_ints(&take(array, indices, None)?))
}

fn as_ints(array: &ArrayRef) -> Int64Array {
    use arrow::array::AsArray;
    array.as_primitive::<arrow::datatypes::Int64Type>().clone()
}

/// Flink's four kinds of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// +I
    Insert,
    /// -U: the row before an update
    UpdateBefore,
    /// +U: the row after an update
    UpdateAfter,
    /// -D
    Delete,
}

impl RowKind {
    /// `+I`, `-U`, `+U` or `-D`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "+I",
            Self::UpdateBefore => "-U",
            Self::UpdateAfter => "+U",
            Self::Delete => "-D",
        }
    }
}

/// Reads weights as row kinds: within one batch, a retraction and an insertion of the same `key` are an update. The rows
/// come out as (row index, kind); those whose weights cancel do not come out. Without a key there are no updates.
///
/// # Errors
/// Where a column type has no order (Arrow's row format).
pub fn row_kinds(batch: &Batch, key: Option<&[usize]>) -> Result<Vec<(usize, RowKind)>> {
    let Some(weights) = &batch.weights else {
        return Ok((0..batch.num_rows())
            .map(|i| (i, RowKind::Insert))
            .collect());
    };
    let all: Vec<usize> = (0..batch.rows.num_columns()).collect();
    let whole = rows_of(&batch.rows, &all)?;
    let keys = match key {
        Some(columns) => rows_of(&batch.rows, columns)?,
        None => Vec::new(),
    };
    let net: ZSet<&OwnedRow> = whole
        .iter()
        .enumerate()
        .map(|(i, row)| (row, weights.value(i)))
        .collect();
    // Changes in the order of each row's last mention; a retraction comes before the insertion that replaces it.
    let last: HashMap<&OwnedRow, usize> = whole.iter().zip(0..).collect();
    let mut changes: Vec<(usize, i64)> = net
        .into_entries()
        .into_iter()
        .filter_map(|(row, w)| Some((*last.get(row)?, w)))
        .collect();
    changes.sort_unstable();
    let mut inserted: HashMap<&OwnedRow, i64> = HashMap::new();
    let mut retracted: HashMap<&OwnedRow, usize> = HashMap::new();
    if key.is_some() {
        for (i, w) in &changes {
            if *w > 0 {
                *inserted.entry(&keys[*i]).or_default() += w;
            } else {
                retracted.insert(&keys[*i], *i);
            }
        }
    }
    let mut out = Vec::with_capacity(changes.len());
    for (i, w) in changes {
        let k = keys.get(i);
        let is_update = k.is_some_and(|k| inserted.contains_key(k) && retracted.contains_key(k));
        match (w > 0, is_update) {
            (true, true) => {
                let before = k.and_then(|k| retracted.get(k));
                if let Some(before) = before {
                    out.push((*before, RowKind::UpdateBefore));
                }
                out.push((i, RowKind::UpdateAfter));
            }
            (true, false) => out.extend((0..w).map(|_| (i, RowKind::Insert))),
            (false, true) => {}
            (false, false) => out.extend((0..-w).map(|_| (i, RowKind::Delete))),
        }
    }
    Ok(out)
}

/// The values of `columns`, one comparable and hashable value a row.
///
/// # Errors
/// Where a column type has no order.
pub fn rows_of(rows: &RecordBatch, columns: &[usize]) -> Result<Vec<OwnedRow>> {
    if columns.is_empty() {
        let converter = RowConverter::new(vec![SortField::new(arrow::datatypes::DataType::Null)])?;
        let nulls: ArrayRef = std::sync::Arc::new(arrow::array::NullArray::new(rows.num_rows()));
        return Ok(converter
            .convert_columns(&[nulls])?
            .iter()
            .map(|r| r.owned())
            .collect());
    }
    let arrays: Vec<ArrayRef> = columns.iter().map(|c| rows.column(*c).clone()).collect();
    let converter = RowConverter::new(
        arrays
            .iter()
            .map(|a| SortField::new(a.data_type().clone()))
            .collect(),
    )?;
    Ok(converter
        .convert_columns(&arrays)?
        .iter()
        .map(|r| r.owned())
        .collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn batch(rows: &[(i64, i64, i64)]) -> Batch {
        let column = |f: fn(&(i64, i64, i64)) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(rows.iter().map(f)))
        };
        let columns = [("k", column(|r| r.0)), ("v", column(|r| r.1))];
        Batch {
            rows: RecordBatch::try_from_iter(columns).unwrap(),
            weights: Some(Int64Array::from_iter_values(rows.iter().map(|r| r.2))),
            behind: None,
        }
    }

    fn kinds(rows: &[(i64, i64, i64)], key: Option<&[usize]>) -> Vec<(i64, &'static str)> {
        let kinds = row_kinds(&batch(rows), key).unwrap();
        kinds
            .into_iter()
            .map(|(i, kind)| (rows[i].1, kind.as_str()))
            .collect()
    }

    #[test]
    fn a_retraction_and_an_insertion_of_one_key_are_an_update() {
        let rows = [(1, 10, -1), (1, 11, 1), (2, 20, 1), (3, 30, -1)];
        let by_key = [(10, "-U"), (11, "+U"), (20, "+I"), (30, "-D")];
        assert_eq!(kinds(&rows, Some(&[0])), by_key);
        assert_eq!(
            kinds(&rows, None),
            [(10, "-D"), (11, "+I"), (20, "+I"), (30, "-D")]
        );
        assert_eq!(kinds(&[(1, 10, -1), (1, 10, 1)], Some(&[0])), []);
    }

    proptest::proptest! {
        /// The changes add up to the weights, whatever the key.
        #[test]
        fn row_kinds_keep_the_weights(
            rows in proptest::collection::vec((0i64..3, 0i64..3, -2i64..3), 0..12), keyed: bool,
        ) {
            let mut expected: HashMap<(i64, i64), i64> = HashMap::new();
            rows.iter().for_each(|(k, v, w)| *expected.entry((*k, *v)).or_default() += w);
            let mut got: HashMap<(i64, i64), i64> = HashMap::new();
            // A key holds one row at a time: with one, a batch is a set of updates to single rows.
            let key: Option<&[usize]> = keyed.then_some(&[0, 1]);
            for (i, kind) in row_kinds(&batch(&rows), key).unwrap() {
                let sign = if matches!(kind, RowKind::Insert | RowKind::UpdateAfter) { 1 } else { -1 };
                *got.entry((rows[i].0, rows[i].1)).or_default() += sign;
            }
            expected.retain(|_, w| *w != 0);
            got.retain(|_, w| *w != 0);
            assert_eq!(got, expected);
        }
    }
}
