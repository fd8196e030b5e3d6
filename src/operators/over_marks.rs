//! What the calls of an OVER have accumulated up to some rows of large partitions, so that what comes after a change can be computed
//! without what comes before it.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema};

use super::over_frame::Work;
use super::over_list::{Changed, List, Place};
use crate::error::Result;
use crate::state::{Slot, Table};

/// Between two marks there are about so many rows; a partition of fewer than `FEW` has none.
pub const APART: usize = 128;
const FEW: usize = 16;

/// The marks of all partitions. They follow from the rows, and are in no snapshot.
pub struct Marks {
    /// By number what is known.
    table: Table,
    /// How many columns that has.
    width: usize,
    /// The number of the next mark.
    next: i64,
}

impl Marks {
    /// None yet; `states`: the columns of what is known.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(states: &[FieldRef]) -> Result<Self> {
        let number: FieldRef = Arc::new(Field::new("__number", DataType::Int64, false));
        let fields: Vec<FieldRef> = [&[number], states].concat();
        let schema = Arc::new(Schema::new(fields));
        Ok(Self {
            table: Table::new("marks", schema, &[0], &[0], None)?,
            width: states.len(),
            next: 0,
        })
    }

    /// What is known at marks.
    ///
    /// # Errors
    /// Where Arrow refuses it (a bug).
    pub fn states(&self, marks: &[Slot]) -> Result<Vec<ArrayRef>> {
        let columns = 1..=self.width;
        columns.map(|c| self.table.values(c, marks)).collect()
    }

    /// Forgets a mark.
    ///
    /// # Errors
    /// Where its key cannot be remembered.
    pub fn remove(&mut self, mark: Slot) -> Result<()> {
        self.table.remove(mark)
    }

    /// How many there are.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.table.all().len()
    }

    /// Keeps what calls have accumulated up to rows that the batch may have changed. `marks`: the segments that end with them, and
    /// the rows; `after`: what is known after each segment.
    ///
    /// # Errors
    /// Where the state has no room.
    pub fn renew(
        &mut self,
        lists: &mut [List],
        changed: &[Changed],
        work: &Work,
        marks: &[(usize, usize)],
        after: &[ArrayRef],
        place: impl Fn(usize) -> Place,
    ) -> Result<()> {
        for Changed {
            partition, from, ..
        } in changed
        {
            let marks = &mut lists[*partition as usize].marks;
            let old = from.as_ref().map(|from| marks.split_off(from));
            for (_, slot) in old.into_iter().flatten().map(|(_, mark)| mark) {
                self.table.remove(slot)?;
            }
        }
        // The first of our numbers: of rows so far.
        let rows = |segment| after[0].as_primitive::<Int64Type>().value(segment) as usize;
        let marks = marks.iter().filter(|(segment, _)| rows(*segment) >= FEW);
        let marks: Vec<(usize, usize)> = marks.copied().collect();
        let numbers = (self.next..).take(marks.len());
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
        self.next += marks.len() as i64;
        let keys = self.table.keys_of(&[numbers], marks.len())?;
        let mut slots = Vec::with_capacity(marks.len());
        for (i, (segment, row)) in marks.iter().enumerate() {
            let (slot, _) = self.table.write(&keys, i)?;
            let list = &mut lists[work.partitions[*segment] as usize];
            list.marks.insert(place(*row), (rows(*segment), slot));
            slots.push(slot);
        }
        let indices = UInt32Array::from_iter_values(marks.iter().map(|(s, _)| *s as u32));
        for (column, state) in (1..).zip(after) {
            let state = take(state, &indices, None)?;
            self.table.set(column, &slots, &state)?;
        }
        self.thin_out(lists, changed)
    }

    /// Takes away marks that have others close by: rows that come one after the other each leave one.
    fn thin_out(&mut self, lists: &mut [List], changed: &[Changed]) -> Result<()> {
        for Changed {
            partition, from, ..
        } in changed
        {
            let Some(from) = from else { continue };
            let marks = &mut lists[*partition as usize].marks;
            let mut earlier = marks.range(..from).rev();
            let Some((place, (_, slot))) = earlier.next() else {
                continue;
            };
            let before = earlier.next().map_or(0, |(_, (rows, _))| *rows);
            let after = marks.range(from..).next();
            if after.is_some_and(|(_, (rows, _))| rows - before <= APART) {
                let (place, slot) = (place.clone(), *slot);
                marks.remove(&place);
                self.table.remove(slot)?;
            }
        }
        Ok(())
    }
}
