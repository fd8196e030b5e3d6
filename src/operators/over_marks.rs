//! What the calls of an OVER have accumulated up to some rows of large partitions, so that what comes after a change can be computed
//! without what comes before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema};

use super::ordered_rows::Place;
use super::over_work::Work;
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
    /// By partition the rows with a mark: how many rows there are up to each, and where what is known is kept.
    places: Vec<BTreeMap<Place, (usize, Slot)>>,
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
            places: Vec::new(),
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

    /// The last mark of a partition before a place: its own place, and where what is known is kept.
    pub fn before(&self, partition: Slot, place: &Place) -> Option<(&Place, Slot)> {
        let marks = self.places.get(partition as usize)?;
        let (place, (_, slot)) = marks.range(..place).next_back()?;
        Some((place, *slot))
    }

    /// Forgets a partition.
    ///
    /// # Errors
    /// Where the keys of its marks cannot be remembered.
    pub fn forget(&mut self, partition: Slot) -> Result<()> {
        let marks = self.places.get_mut(partition as usize);
        let mut marks = marks.map(std::mem::take).into_iter().flatten();
        marks.try_for_each(|(_, (_, slot))| self.table.remove(slot))
    }

    /// How many there are.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.table.all().len()
    }

    /// Keeps what calls have accumulated up to rows that the batch may have changed: of each partition those from a place on.
    /// `marks`: the segments that end with them, and the rows; `after`: what is known after each segment.
    ///
    /// # Errors
    /// Where the state has no room.
    pub fn renew<'a>(
        &mut self,
        changed: impl Iterator<Item = (Slot, Option<&'a Place>)> + Clone,
        work: &Work,
        marks: &[(usize, usize)],
        after: &[ArrayRef],
        place: impl Fn(usize) -> Place,
    ) -> Result<()> {
        for (partition, from) in changed.clone() {
            let slots = self.places.len().max(partition as usize + 1);
            self.places.resize_with(slots, BTreeMap::new);
            let marks = &mut self.places[partition as usize];
            let old = from.map(|from| marks.split_off(from));
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
            let marks = &mut self.places[work.partitions[*segment] as usize];
            marks.insert(place(*row), (rows(*segment), slot));
            slots.push(slot);
        }
        let indices = UInt32Array::from_iter_values(marks.iter().map(|(s, _)| *s as u32));
        for (column, state) in (1..).zip(after) {
            let state = take(state, &indices, None)?;
            self.table.set(column, &slots, &state)?;
        }
        self.thin_out(changed)
    }

    /// Takes away marks that have others close by: rows that come one after the other each leave one.
    fn thin_out<'a>(
        &mut self,
        changed: impl Iterator<Item = (Slot, Option<&'a Place>)>,
    ) -> Result<()> {
        for (partition, from) in changed {
            let Some(from) = from else { continue };
            let marks = &mut self.places[partition as usize];
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
