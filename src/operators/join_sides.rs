//! The rows of both sides of a join, and which have equal keys.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema, SchemaRef};

use super::event_times;
use super::join_rows::{Side, Sides};
use crate::error::Result;
use crate::graph::Join;
use crate::state::{Keys, Lists, Slot, StatePart, StateTtl, Table, TableSnapshot};
use crate::time::Millis;

/// The number of a row in the order of arrival. No column of a query has such a name.
const NUMBER: &str = "__number";

/// The join keys of rows.
pub struct JoinKeys {
    keys: Keys,
    /// Where a NULL in a key matches nothing: which keys have none.
    matchable: Option<NullBuffer>,
}

impl JoinKeys {
    /// Whether a key can match any.
    pub fn can_match(&self, at: usize) -> bool {
        self.matchable.as_ref().is_none_or(|m| m.is_valid(at))
    }
}

/// The rows of one side.
pub struct SideRows {
    /// Its rows: the columns of the input, with a number if they only come, and what the join knows of each. By their key and
    /// number if they only come, else by all columns.
    pub table: Table,
    /// Where the columns of the join begin.
    pub own: usize,
    key_columns: Vec<usize>,
    /// Number of columns of the input.
    width: usize,
    numbered: bool,
    /// The number of the next row.
    next: i64,
    /// The rows of each join key.
    lists: Lists,
}

/// The rows of both sides by join key.
pub struct JoinSides {
    /// The join keys that rows have. They are made anew from the rows, so no snapshot holds them.
    keys: Table,
    /// The key that is NULL, where that matches every key (NOT IN).
    null_key: Option<Keys>,
    /// Whether a NULL in a key matches nothing.
    nulls_differ: bool,
    sides: Sides<SideRows>,
}

impl SideRows {
    fn new(
        side: Side,
        input: &SchemaRef,
        key_columns: Vec<usize>,
        own: &[&str],
        (updating, ttl): (bool, Option<StateTtl>),
    ) -> Result<Self> {
        let width = input.fields().len();
        let mut fields: Vec<FieldRef> = input.fields().to_vec();
        let mut add = |name: &str| fields.push(Arc::new(Field::new(name, DataType::Int64, true)));
        if !updating {
            add(NUMBER);
        }
        own.iter().for_each(|name| add(name));
        let key: Vec<usize> = match updating {
            true => (0..width).collect(),
            false => (0..width)
                .filter(|column| key_columns.contains(column))
                .chain([width])
                .collect(),
        };
        let schema = Arc::new(Schema::new(fields));
        let own = schema.fields().len() - own.len();
        let table = Table::new(side.name(), schema, &key, &key_columns, ttl)?;
        Ok(Self {
            table: if updating {
                table
            } else {
                table.without_index()
            },
            own,
            key_columns,
            width,
            numbered: !updating,
            next: 0,
            lists: Lists::default(),
        })
    }

    /// Whether rows only come.
    pub fn only_comes(&self) -> bool {
        self.numbered
    }

    /// The keys by which the table knows rows.
    ///
    /// # Errors
    /// Rows of other types.
    pub fn rows_as_keys(&self, rows: &RecordBatch) -> Result<Keys> {
        self.table.keys_of(rows.columns(), rows.num_rows())
    }
}

impl JoinSides {
    /// No rows yet. `own`: what else is known of the rows of each side, as numbers.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(
        join: &Join,
        left: &SchemaRef,
        right: &SchemaRef,
        own: &Sides<Vec<&str>>,
    ) -> Result<Self> {
        let (left_keys, right_keys): (Vec<usize>, Vec<usize>) = join.keys.iter().copied().unzip();
        let fields = left_keys.iter().map(|c| Arc::clone(&left.fields()[*c]));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let all: Vec<usize> = (0..left_keys.len()).collect();
        let keys = Table::new("", Arc::clone(&schema), &all, &all, None)?;
        let nulls = schema.fields().iter();
        let nulls: Vec<ArrayRef> = nulls.map(|f| new_null_array(f.data_type(), 1)).collect();
        let null_key = join.null_aware.then(|| keys.keys_of(&nulls, 1));
        let side = |side, input, keys, updating| {
            SideRows::new(side, input, keys, own.of(side), (updating, join.ttl))
        };
        Ok(Self {
            null_key: null_key.transpose()?,
            keys,
            nulls_differ: !join.nulls_equal && !join.null_aware,
            sides: Sides {
                left: side(Side::Left, left, left_keys, join.updating.0)?,
                right: side(Side::Right, right, right_keys, join.updating.1)?,
            },
        })
    }

    /// The rows of a side.
    pub fn of(&self, side: Side) -> &SideRows {
        self.sides.of(side)
    }

    /// The rows of a side, to change what the join knows of them.
    pub fn of_mut(&mut self, side: Side) -> &mut SideRows {
        self.sides.of_mut(side)
    }

    // Keys.

    /// The join keys of rows.
    ///
    /// # Errors
    /// Rows of other types.
    pub fn keys_of(&self, side: Side, rows: &RecordBatch) -> Result<JoinKeys> {
        let columns = self.of(side).key_columns.iter();
        let columns = columns.map(|c| Arc::clone(rows.column(*c)));
        self.join_keys(&columns.collect::<Vec<_>>(), rows.num_rows())
    }

    fn join_keys(&self, columns: &[ArrayRef], rows: usize) -> Result<JoinKeys> {
        let nulls = columns.iter().map(|column| column.logical_nulls());
        let matchable = nulls
            .take_while(|_| self.nulls_differ)
            .fold(None, |all, nulls| {
                NullBuffer::union(all.as_ref(), nulls.as_ref())
            });
        Ok(JoinKeys {
            keys: self.keys.keys_of(columns, rows)?,
            matchable: matchable.filter(|nulls| nulls.null_count() > 0),
        })
    }

    /// The place of a key, which a row is to be added for; `None` where it can match nothing.
    ///
    /// # Errors
    /// Where there is no room for one more.
    pub fn place(&mut self, keys: &JoinKeys, at: usize) -> Result<Option<Slot>> {
        Ok(match keys.can_match(at) {
            true => Some(self.keys.write(&keys.keys, at)?.0),
            false => None,
        })
    }

    /// The places of the keys that match the key at `place`.
    pub fn places(&self, place: Slot) -> impl Iterator<Item = Slot> {
        let null = self.null_key.as_ref();
        let null = null.and_then(|null| self.keys.find(null, 0));
        let is_null = null == Some(place);
        let all = if is_null { self.keys.all() } else { Vec::new() };
        let own = (!is_null).then_some([Some(place), null]);
        all.into_iter().chain(own.into_iter().flatten().flatten())
    }

    /// The rows of `side` whose keys match the key at `place`, those of each key in the order in which they came.
    pub fn matches(&self, side: Side, place: Slot) -> impl Iterator<Item = Slot> {
        let rows = self.of(side);
        self.places(place).flat_map(|place| rows.lists.of(place))
    }

    /// The place of a row's key, where that can match.
    pub fn place_of(&self, side: Side, row: Slot) -> Option<Slot> {
        self.of(side).lists.owner(row)
    }

    // Rows.

    /// The times that rows of a side have in a column.
    ///
    /// # Errors
    /// A column of something else (a bug).
    pub fn times(&self, side: Side, column: usize, rows: &[Slot]) -> Result<Vec<Millis>> {
        let columns = self.of(side).table.columns(&[column], rows)?;
        Ok(event_times(&columns[0])?.values().to_vec())
    }

    /// Adds rows that only come, each with the place of its key.
    ///
    /// # Errors
    /// Where there is no room for them.
    pub fn append(
        &mut self,
        side: Side,
        rows: &RecordBatch,
        places: &[Option<Slot>],
    ) -> Result<Vec<Slot>> {
        let side = self.sides.of_mut(side);
        let first = side.next;
        side.next += rows.num_rows() as i64;
        let numbers = Int64Array::from_iter_values(first..side.next);
        let mut columns = rows.columns().to_vec();
        columns.push(Arc::new(numbers));
        let mut key = Vec::new();
        for (column, values) in columns.iter().enumerate() {
            if column == side.width || side.key_columns.contains(&column) {
                key.push(Arc::clone(values));
            }
        }
        let keys = side.table.keys_of(&key, rows.num_rows())?;
        let mut slots = Vec::with_capacity(places.len());
        for (i, place) in places.iter().enumerate() {
            let (slot, _) = side.table.write(&keys, i)?;
            if let Some(place) = place {
                side.lists.push(*place, slot);
            }
            slots.push(slot);
        }
        for (column, values) in columns.iter().enumerate().take(side.width) {
            if !side.key_columns.contains(&column) {
                side.table.set(column, &slots, values)?;
            }
        }
        Ok(slots)
    }

    /// Adds a row that is known by all its columns, or finds it; `place` is that of its key. Returns whether it is new.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub fn write(
        &mut self,
        side: Side,
        rows: &Keys,
        at: usize,
        place: Slot,
    ) -> Result<(Slot, bool)> {
        let side = self.sides.of_mut(side);
        let (slot, is_new) = side.table.write(rows, at)?;
        if is_new {
            side.lists.push(place, slot);
        }
        Ok((slot, is_new))
    }

    /// Takes a row away; returns the place of its key, which may be unused now.
    ///
    /// # Errors
    /// Where its key cannot be remembered.
    pub fn remove(&mut self, side: Side, row: Slot) -> Result<Option<Slot>> {
        let rows = self.sides.of_mut(side);
        rows.table.remove(row)?;
        Ok(rows.lists.remove(row))
    }

    /// Forgets those of these keys that no row has any more.
    ///
    /// # Errors
    /// None that can happen: no snapshot holds keys.
    pub fn forget_unused(&mut self, mut places: Vec<Slot>) -> Result<()> {
        places.sort_unstable();
        places.dedup();
        for place in places {
            let is_unused = |side: Side| self.of(side).lists.is_empty(place);
            if Side::BOTH.into_iter().all(is_unused) {
                self.keys.remove(place)?;
            }
        }
        Ok(())
    }

    // Snapshots.

    /// Parts "left" and "right".
    ///
    /// # Errors
    /// Where rows cannot be given as columns (a bug).
    pub fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        let mut parts = self.sides.left.table.snapshot()?;
        parts.extend(self.sides.right.table.snapshot()?);
        Ok(parts)
    }

    /// Takes state of [`JoinSides::snapshot`]; returns the rows of both sides, those that only come in the order in which they did.
    ///
    /// # Errors
    /// Rows of another table.
    pub fn restore(&mut self, parts: &[StatePart]) -> Result<Sides<Vec<Slot>>> {
        let [left, right] = Side::BOTH.map(|side| self.restore_side(side, parts));
        Ok(Sides {
            left: left?,
            right: right?,
        })
    }

    fn restore_side(&mut self, side: Side, parts: &[StatePart]) -> Result<Vec<Slot>> {
        let own = self.sides.of_mut(side);
        own.table.restore_all(parts)?;
        let mut columns = own.key_columns.clone();
        columns.extend(own.numbered.then_some(own.width));
        let mut rows: Vec<(i64, Slot, Option<Slot>)> = Vec::new();
        for slots in own.table.pieces() {
            let mut columns = self.of(side).table.columns(&columns, &slots)?;
            let numbers = columns.get(self.of(side).key_columns.len()).cloned();
            columns.truncate(self.of(side).key_columns.len());
            let numbers = numbers
                .as_ref()
                .and_then(|n| n.as_primitive_opt::<Int64Type>());
            let keys = self.join_keys(&columns, slots.len())?;
            for (i, slot) in slots.iter().enumerate() {
                let number = numbers.map_or(0, |numbers| numbers.value(i));
                rows.push((number, *slot, self.place(&keys, i)?));
            }
        }
        rows.sort_unstable();
        let own = self.sides.of_mut(side);
        own.next = rows.last().map_or(0, |(number, ..)| number + 1);
        for (_, slot, place) in &rows {
            if let Some(place) = place {
                own.lists.push(*place, *slot);
            }
        }
        Ok(rows.into_iter().map(|(_, slot, _)| slot).collect())
    }
}
