//! State of rows that never change: they come, wait, and go.

use arrow::array::{BooleanArray, Int64Array, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};

use super::{StatePart, with_numbers, without_numbers};
use crate::error::Result;

/// Numbers rows as they come, so that a snapshot gives those that came since the last and names those that went.
#[derive(Debug, Default)]
pub struct Arrivals {
    next: i64,
    /// Rows of lower numbers are in a snapshot; `None` before the first, which gives all.
    given: Option<i64>,
    /// Key columns and numbers of rows that are in a snapshot and went since then.
    gone: Vec<RecordBatch>,
}

/// The number of a row, in the state. No column of a query can have such a name before it.
const NUMBER: &str = "__number";

impl Arrivals {
    /// Numbers so many rows that come now.
    pub fn come(&mut self, rows: usize) -> std::ops::Range<i64> {
        let first = self.next;
        self.next += rows as i64;
        first..self.next
    }

    /// Whether earlier snapshots matter: there was one, or state was restored.
    pub fn is_on(&self) -> bool {
        self.given.is_some()
    }

    /// Whether the next snapshot gives the row of this number, if it is still there.
    pub fn is_new(&self, number: i64) -> bool {
        self.given.is_none_or(|given| number >= given)
    }

    /// Rows go: the columns that they are spread by, and their numbers.
    ///
    /// # Errors
    /// Where there are not as many numbers as rows.
    pub fn go(&mut self, keys: &RecordBatch, numbers: &Int64Array) -> Result<()> {
        if !self.is_on() {
            return Ok(());
        }
        let is_known = numbers.iter().map(|n| n.map(|n| !self.is_new(n)));
        let is_known: BooleanArray = is_known.collect();
        if is_known.true_count() > 0 {
            let rows = with_numbers(keys, NUMBER, numbers.clone())?;
            self.gone.push(filter_record_batch(&rows, &is_known)?);
        }
        Ok(())
    }

    /// The part of a snapshot: `rows` are those that are new, with their numbers. What comes next counts from here. The key of
    /// the state is the columns `keys` with the number.
    ///
    /// # Errors
    /// Where a key type has no order.
    pub fn part(
        &mut self,
        name: &str,
        rows: &RecordBatch,
        numbers: Int64Array,
        keys: &[usize],
    ) -> Result<StatePart> {
        let rows = with_numbers(rows, NUMBER, numbers)?;
        let mut key = keys.to_vec();
        key.push(rows.num_columns() - 1);
        let gone = std::mem::take(&mut self.gone);
        let gone = match self.given.replace(self.next) {
            None => None,
            Some(_) => Some(concat_batches(&rows.project(&key)?.schema(), &gone)?),
        };
        Ok(StatePart::keyed(name, rows, keys)?.replacing(key, gone))
    }

    /// The rows of a part and their numbers.
    ///
    /// # Errors
    /// Where the part is of other state.
    pub fn restore(&mut self, part: &StatePart) -> Result<(RecordBatch, Int64Array)> {
        let (rows, numbers) = without_numbers(&part.rows)?;
        let last = numbers.values().iter().max();
        self.next = self.next.max(last.map_or(0, |last| last + 1));
        Ok((rows, numbers))
    }

    /// All of the snapshot is there: what follows are changes.
    pub fn restored(&mut self) {
        self.given = Some(self.next);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::merge;
    use super::*;
    use arrow::array::{ArrayRef, AsArray};
    use arrow::datatypes::Int64Type;
    use std::sync::Arc;

    fn rows(values: &[i64]) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
        RecordBatch::try_from_iter([("k", column)]).unwrap()
    }

    #[test]
    fn rows_are_given_once_and_named_when_they_go() {
        let mut arrivals = Arrivals::default();
        assert_eq!(arrivals.come(2), 0..2);
        arrivals.go(&rows(&[5]), &vec![0].into()).unwrap();
        let first = arrivals
            .part("t", &rows(&[6]), vec![1].into(), &[0])
            .unwrap();
        assert!(first.changes.is_none() && arrivals.is_on());
        assert_eq!(arrivals.come(2), 2..4);
        assert!(arrivals.is_new(2) && !arrivals.is_new(1));
        arrivals.go(&rows(&[6, 7]), &vec![1, 2].into()).unwrap();
        let second = arrivals
            .part("t", &rows(&[8]), vec![3].into(), &[0])
            .unwrap();
        assert_eq!(second.changes.as_ref().unwrap().gone.num_rows(), 1);
        let whole = merge(vec![first, second]).unwrap().remove(0);
        let mut other = Arrivals::default();
        let (kept, numbers) = other.restore(&whole).unwrap();
        other.restored();
        assert_eq!(kept.column(0).as_primitive::<Int64Type>().values(), &[8]);
        assert_eq!(numbers.values().as_ref(), [3]);
        assert_eq!((other.come(1), other.is_new(3)), (4..5, false));
        let nothing = other
            .part("t", &rows(&[]), Vec::<i64>::new().into(), &[0])
            .unwrap();
        assert_eq!(nothing.changes.unwrap().gone.num_rows(), 0);
    }
}
