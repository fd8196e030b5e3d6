//! Rows by key, in columns that are changed in place.
//!
//! A row has a slot, which it keeps as long as it is there. Slots lie in pages; an index finds the slot of a key. The table knows
//! which rows changed since the last snapshot, and with a TTL when each was last written.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array,
};
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};
use hashbrown::{HashMap, HashTable};
use twox_hash::XxHash3_64;

use super::columns::{Bytes, Column, ColumnType};
use super::{KEY_GROUPS, StatePart, StateTtl, with_numbers};
use crate::error::{Error, Result};

/// Where a row of a table is.
pub type Slot = u32;

/// No row: no table has so many.
pub const NONE: Slot = Slot::MAX;

/// A part of a snapshot has at most so many bytes, roughly: a column of text may not have more than 2 GiB.
const PART: usize = 512 << 20;

/// Slots of a page.
const PAGE: usize = 4096;

/// The column of a snapshot that says when a row was last written. No column of a query can have such a name before it.
const WRITTEN: &str = "__written";

const LIVE: u8 = 1;
/// It changed since the last snapshot.
const CHANGED: u8 = 2;
/// Its key is in a snapshot.
const KNOWN: u8 = 4;
/// It has a place among what may expire.
const WAITS: u8 = 8;

/// Rows by key.
pub struct Table {
    // Properties.
    name: String,
    schema: SchemaRef,
    /// The columns of the schema that are the key, and the others.
    key: Vec<usize>,
    rest: Vec<usize>,
    /// For each column of the schema its place among the others.
    places: Vec<usize>,
    /// `None` where the key has no columns: then there is one row at most.
    keys: Option<RowConverter>,
    types: Vec<ColumnType>,
    /// A row of NULLs: the key, where it has columns, and the other columns.
    nothing: (Option<OwnedRow>, Vec<Column>),
    spread: Vec<usize>,
    // State.
    pages: Vec<Page>,
    flags: Vec<u8>,
    count: usize,
    /// `None` where rows are not found by their keys.
    index: Option<HashTable<Slot>>,
    free: Vec<Slot>,
    changed: Vec<Slot>,
    /// The keys that went since the last snapshot, of those that it has; `None` before the first one.
    gone: Option<Bytes>,
    expiry: Option<Expiry>,
}

struct Page {
    keys: Bytes,
    columns: Vec<Column>,
    /// When each row was last written, with a TTL.
    written: Vec<i64>,
}

/// What may expire: each row once, at a time when or before which it was written.
struct Expiry {
    ttl: StateTtl,
    now: Option<i64>,
    by_time: BTreeMap<i64, Vec<Slot>>,
}

/// Keys in the form in which a table compares them.
pub struct Keys {
    rows: Option<Rows>,
    hashes: Vec<u64>,
}

impl Keys {
    /// Number of keys.
    pub fn count(&self) -> usize {
        self.hashes.len()
    }

    fn bytes(&self, at: usize) -> &[u8] {
        match &self.rows {
            Some(rows) => rows.row(at).data(),
            None => &[],
        }
    }

    /// For each key where it was first.
    pub fn firsts(&self) -> Vec<usize> {
        let mut known: HashTable<usize> = HashTable::with_capacity(self.count());
        let all = (0..self.count()).map(|at| {
            let is_it = |other: &usize| self.bytes(*other) == self.bytes(at);
            let entry = known.entry(self.hashes[at], is_it, |at| self.hashes[*at]);
            *entry.or_insert(at).get()
        });
        all.collect()
    }
}

fn hash(key: &[u8]) -> u64 {
    XxHash3_64::oneshot(key)
}

fn key_of(pages: &[Page], slot: Slot) -> &[u8] {
    let (page, at) = place(slot);
    pages[page].keys.get(at)
}

fn place(slot: Slot) -> (usize, usize) {
    let slot = slot as usize;
    (slot / PAGE, slot % PAGE)
}

impl Table {
    /// Without rows. The columns `key` of `schema` are the key; rows are spread over instances by those of them in `spread`.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(
        name: &str,
        schema: SchemaRef,
        key: &[usize],
        spread: &[usize],
        ttl: Option<StateTtl>,
    ) -> Result<Self> {
        let width = schema.fields().len();
        let (mut rest, mut places) = (Vec::new(), vec![usize::MAX; width]);
        for column in (0..width).filter(|column| !key.contains(column)) {
            places[column] = rest.len();
            rest.push(column);
        }
        let data_type = |column: &usize| schema.field(*column).data_type();
        let keys = key.iter().map(|c| SortField::new(data_type(c).clone()));
        let keys: Vec<SortField> = keys.collect();
        let types = rest.iter().map(|c| ColumnType::new(data_type(c)));
        let types: Vec<ColumnType> = types.collect::<Result<_>>()?;
        let keys = match keys.is_empty() {
            true => None,
            false => Some(RowConverter::new(keys)?),
        };
        let mut nothing: Vec<Column> = types.iter().map(ColumnType::column).collect();
        nothing.iter_mut().try_for_each(Column::push_null)?;
        let no_key = match &keys {
            None => None,
            Some(converter) => {
                let nulls = key.iter().map(|c| new_null_array(data_type(c), 1));
                let rows = converter.convert_columns(&nulls.collect::<Vec<_>>())?;
                Some(rows.row(0).owned())
            }
        };
        Ok(Self {
            name: name.to_string(),
            key: key.to_vec(),
            places,
            keys,
            types,
            nothing: (no_key, nothing),
            rest,
            spread: spread.to_vec(),
            pages: Vec::new(),
            flags: Vec::new(),
            count: 0,
            index: Some(HashTable::new()),
            free: Vec::new(),
            changed: Vec::new(),
            gone: None,
            expiry: ttl.map(|ttl| Expiry {
                ttl,
                now: None,
                by_time: BTreeMap::new(),
            }),
            schema,
        })
    }

    /// The same without rows and without an index: no key is written twice, and none is looked for.
    #[must_use]
    pub fn without_index(mut self) -> Self {
        self.index = None;
        self
    }

    /// Its name in snapshots.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Number of slots that there are or were: all slots are below it.
    pub fn slots(&self) -> usize {
        self.flags.len()
    }

    /// The slots of all rows.
    pub fn all(&self) -> Vec<Slot> {
        let flags = (0..).zip(&self.flags);
        let live = flags.filter(|(_, flags)| **flags & LIVE != 0);
        live.map(|(slot, _)| slot).collect()
    }

    // Finding.

    /// Keys given as columns.
    ///
    /// # Errors
    /// Columns of other types than the key's.
    pub fn keys_of(&self, columns: &[ArrayRef], rows: usize) -> Result<Keys> {
        Ok(match &self.keys {
            None => Keys {
                rows: None,
                hashes: vec![hash(&[]); rows],
            },
            Some(converter) => {
                let rows = converter.convert_columns(columns)?;
                Keys {
                    hashes: rows.iter().map(|row| hash(row.data())).collect(),
                    rows: Some(rows),
                }
            }
        })
    }

    /// The slot of a key, where it has a row.
    pub fn find(&self, keys: &Keys, at: usize) -> Option<Slot> {
        let key = keys.bytes(at);
        let is_it = |slot: &Slot| key_of(&self.pages, *slot) == key;
        self.index.as_ref()?.find(keys.hashes[at], is_it).copied()
    }

    /// The slots of keys that have rows.
    ///
    /// # Errors
    /// One of them has none (a bug).
    pub fn find_all(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<Slot>> {
        let keys = self.keys_of(columns, rows)?;
        let missing = || Error::internal(format!("state of a key that is not in '{}'", self.name));
        let slots = (0..rows).map(|at| self.find(&keys, at).ok_or_else(missing));
        slots.collect()
    }

    /// The slot of a key, and whether it has a new row, all NULL. The row counts as written now.
    ///
    /// # Errors
    /// Where there is no room for one more.
    pub fn write(&mut self, keys: &Keys, at: usize) -> Result<(Slot, bool)> {
        if let Some(found) = self.find(keys, at) {
            self.touch(found);
            return Ok((found, false));
        }
        let slot = self.room(keys.bytes(at))?;
        let pages = &self.pages;
        let rehash = |slot: &Slot| hash(key_of(pages, *slot));
        if let Some(index) = &mut self.index {
            index.insert_unique(keys.hashes[at], slot, rehash);
        }
        self.count += 1;
        self.touch(slot);
        Ok((slot, true))
    }

    /// The slots of all rows of a batch, new where there is none, as [`Table::write`].
    ///
    /// # Errors
    /// Where there is no room for one more.
    pub fn write_all(&mut self, keys: &Keys) -> Result<Touched> {
        let (mut slots, mut new) = (Vec::with_capacity(keys.count()), Vec::new());
        for i in 0..keys.count() {
            let (slot, is_new) = self.write(keys, i)?;
            slots.push(slot);
            if is_new {
                new.push(slot);
            }
        }
        Ok(Touched::of(&slots, new))
    }

    /// An unused slot, which gets the key and a row of NULLs.
    fn room(&mut self, key: &[u8]) -> Result<Slot> {
        if let Some(slot) = self.free.pop() {
            let (page, at) = place(slot);
            let page = &mut self.pages[page];
            page.keys.set(at, key)?;
            for column in &mut page.columns {
                column.set(at, None)?;
            }
            self.flags[slot as usize] = LIVE | (self.flags[slot as usize] & (WAITS | CHANGED));
            return Ok(slot);
        }
        let slot = Slot::try_from(self.flags.len()).map_err(|_| {
            Error::data(format!(
                "the state '{}' has over 4 billion rows in one instance",
                self.name
            ))
            .with_help("set 'table.exec.state.ttl', or use a higher parallelism")
        })?;
        if self.flags.len().is_multiple_of(PAGE) {
            self.pages.push(Page {
                keys: Bytes::default(),
                columns: self.types.iter().map(ColumnType::column).collect(),
                written: Vec::new(),
            });
        }
        if let Some(page) = self.pages.last_mut() {
            page.keys.push(key)?;
            for column in &mut page.columns {
                column.push_null()?;
            }
            if self.expiry.is_some() {
                page.written.push(i64::MIN);
            }
        }
        self.flags.push(LIVE);
        Ok(slot)
    }

    // Reading and changing.

    /// The key columns of rows; of [`NONE`] they are NULL.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn keys(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        let nothing = self.nothing.0.as_ref().map_or(&[][..], AsRef::as_ref);
        self.decoded(slots.iter().map(|slot| match *slot {
            NONE => nothing,
            slot => key_of(&self.pages, slot),
        }))
    }

    fn decoded<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        let Some(converter) = &self.keys else {
            return Ok(Vec::new());
        };
        let parser = converter.parser();
        Ok(converter.convert_rows(keys.map(|key| parser.parse(key)))?)
    }

    /// The values of a column that is not of the key; of [`NONE`] they are NULL.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn values(&self, column: usize, slots: &[Slot]) -> Result<ArrayRef> {
        let column = self.places[column];
        self.types[column].array(slots.iter().map(|slot| match *slot {
            NONE => (&self.nothing.1[column], 0),
            slot => {
                let (page, at) = place(slot);
                (&self.pages[page].columns[column], at)
            }
        }))
    }

    /// The values of these columns; of [`NONE`] they are NULL.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn columns(&self, columns: &[usize], slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        let place = |column: &usize| self.key.iter().position(|key| key == column);
        let keys = match columns.iter().any(|column| place(column).is_some()) {
            true => self.keys(slots)?,
            false => Vec::new(),
        };
        let columns = columns.iter().map(|column| match place(column) {
            Some(at) => Ok(Arc::clone(&keys[at])),
            None => self.values(*column, slots),
        });
        columns.collect()
    }

    /// Rows as they are.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn rows(&self, slots: &[Slot]) -> Result<RecordBatch> {
        let all: Vec<usize> = (0..self.places.len()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(slots.len()));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            self.columns(&all, slots)?,
            &options,
        )?)
    }

    /// Other values of all columns that are not of the key, one for each slot; of the same slot the last counts. `columns` are as
    /// in the schema.
    ///
    /// # Errors
    /// Values of another type.
    pub fn set_rows(&mut self, slots: &[Slot], columns: &[ArrayRef]) -> Result<()> {
        for at in 0..self.rest.len() {
            let column = self.rest[at];
            self.set(column, slots, &columns[column])?;
        }
        Ok(())
    }

    /// Other values of a column that is not of the key, one for each slot; of the same slot the last counts.
    ///
    /// # Errors
    /// Values of another type.
    pub fn set(&mut self, column: usize, slots: &[Slot], values: &ArrayRef) -> Result<()> {
        let column = self.places[column];
        let pages = &mut self.pages;
        self.types[column].each(values, |i, value| {
            let (page, at) = place(slots[i]);
            pages[page].columns[column].set(at, value)
        })
    }

    /// A value of a BIGINT column that is not of the key; NULL is 0.
    pub fn int(&self, column: usize, slot: Slot) -> i64 {
        let (page, at) = place(slot);
        self.pages[page].columns[self.places[column]].int(at)
    }

    /// A value of a BIGINT column that is not of the key.
    pub fn number(&self, column: usize, slot: Slot) -> Option<i64> {
        let (page, at) = place(slot);
        let column = &self.pages[page].columns[self.places[column]];
        column.is_valid(at).then(|| column.int(at))
    }

    /// Another value of a BIGINT column that is not of the key.
    ///
    /// # Errors
    /// A column of another type.
    pub fn set_int(&mut self, column: usize, slot: Slot, value: i64) -> Result<()> {
        let (page, at) = place(slot);
        self.pages[page].columns[self.places[column]].set_int(at, value)
    }

    /// A row is written now.
    pub fn touch(&mut self, slot: Slot) {
        self.mark(slot);
        if let Some(expiry) = &mut self.expiry {
            let now = expiry.now.unwrap_or(i64::MIN);
            let (page, at) = place(slot);
            self.pages[page].written[at] = now;
            expiry.wait(&mut self.flags[slot as usize], slot, now);
        }
    }

    fn mark(&mut self, slot: Slot) {
        let flags = &mut self.flags[slot as usize];
        if self.gone.is_some() && *flags & CHANGED == 0 {
            *flags |= CHANGED;
            self.changed.push(slot);
        }
    }

    /// Takes a row away.
    ///
    /// # Errors
    /// Where its key cannot be remembered.
    pub fn remove(&mut self, slot: Slot) -> Result<()> {
        let key = key_of(&self.pages, slot);
        if let Some(index) = &mut self.index
            && let Ok(entry) = index.find_entry(hash(key), |s| *s == slot)
        {
            entry.remove();
        }
        self.count -= 1;
        let flags = &mut self.flags[slot as usize];
        if let Some(gone) = &mut self.gone
            && *flags & KNOWN != 0
        {
            gone.push(key)?;
        }
        *flags &= !(LIVE | KNOWN);
        self.free.push(slot);
        Ok(())
    }

    // Time.

    /// How often the clock must be told, in milliseconds; `None` where it plays no part.
    pub fn clock_period(&self) -> Option<u64> {
        self.expiry.as_ref()?.ttl.clock_period()
    }

    /// The watermark moved to `time`: the rows that expire by it, which are still there.
    pub fn on_watermark(&mut self, time: i64) -> Vec<Slot> {
        self.advance(time, true)
    }

    /// The clock is at `time`: the rows that expire by it, which are still there.
    pub fn on_clock(&mut self, time: i64) -> Vec<Slot> {
        self.advance(time, false)
    }

    fn advance(&mut self, time: i64, is_event_time: bool) -> Vec<Slot> {
        let mut expired = Vec::new();
        let Some(expiry) = &mut self.expiry else {
            return expired;
        };
        // The end of input is no time at which anything could still be written.
        if expiry.ttl.by_event_time != is_event_time || time == i64::MAX {
            return expired;
        }
        // What was written before the time was known counts as written now.
        let mut dated = Vec::new();
        if expiry.now.is_none() {
            dated = expiry.by_time.remove(&i64::MIN).unwrap_or_default();
            for slot in &dated {
                let (page, at) = place(*slot);
                self.pages[page].written[at] = time;
            }
            expiry.by_time.entry(time).or_default().extend(&dated);
        }
        let now = expiry.now.map_or(time, |now| now.max(time));
        expiry.now = Some(now);
        let after = expiry.ttl.after;
        while let Some(first) = expiry.by_time.first_entry()
            && first.key().saturating_add(after) <= now
        {
            for slot in first.remove() {
                let flags = &mut self.flags[slot as usize];
                *flags &= !WAITS;
                if *flags & LIVE == 0 {
                    continue;
                }
                let (page, at) = place(slot);
                let written = self.pages[page].written[at];
                if written.saturating_add(after) <= now {
                    expired.push(slot);
                } else {
                    expiry.wait(flags, slot, written);
                }
            }
        }
        let is_live = |slot: &Slot| self.flags[*slot as usize] & LIVE != 0;
        dated.retain(is_live);
        dated.into_iter().for_each(|slot| self.mark(slot));
        expired
    }

    // Snapshots.

    /// The rows that changed since the last snapshot, and the keys that went; the first time all rows. What follows counts from
    /// here. One part, or several where that is much.
    ///
    /// # Errors
    /// Where rows cannot be given as columns (a bug).
    pub fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        self.snapshot_by(PART)
    }

    fn snapshot_by(&mut self, most: usize) -> Result<Vec<StatePart>> {
        let gone = self.gone.replace(Bytes::default());
        let mut slots = match gone {
            Some(_) => std::mem::take(&mut self.changed),
            None => self.all(),
        };
        slots.iter().for_each(|slot| {
            let flags = &mut self.flags[*slot as usize];
            *flags &= !CHANGED;
            *flags |= if *flags & LIVE != 0 { KNOWN } else { 0 };
        });
        slots.retain(|slot| self.flags[*slot as usize] & LIVE != 0);
        slots.sort_unstable();
        let mut parts = Vec::new();
        let mut from = 0;
        let mut bytes = 0;
        for to in 0..=slots.len() {
            bytes += slots.get(to).map_or(0, |slot| self.bytes(*slot));
            if to < slots.len() && (bytes <= most || from == to) {
                continue;
            }
            let part = self.part(&slots[from..to])?;
            // What went is said once.
            let gone = match &gone {
                Some(gone) if from == 0 => Some(self.key_rows(gone)?),
                Some(_) => Some(self.key_rows(&Bytes::default())?),
                None => None,
            };
            parts.push(part.replacing(self.key.clone(), gone));
            (from, bytes) = (to, slots.get(to).map_or(0, |slot| self.bytes(*slot)));
        }
        Ok(parts)
    }

    fn part(&self, slots: &[Slot]) -> Result<StatePart> {
        let rows = self.written_rows(slots)?;
        if self.spread != self.key || self.key.is_empty() {
            return StatePart::keyed(&self.name, rows, &self.spread);
        }
        Ok(StatePart {
            name: self.name.clone(),
            key_groups: slots.iter().map(|slot| self.key_group(*slot)).collect(),
            rows,
            changes: None,
        })
    }

    /// Roughly how many bytes a row has.
    fn bytes(&self, slot: Slot) -> usize {
        let (page, at) = place(slot);
        let page = &self.pages[page];
        let columns = page.columns.iter().map(|column| column.len(at));
        page.keys.get(at).len() + columns.sum::<usize>()
    }

    /// The key group of a row that is spread by its whole key: keys are kept in the form in which they are hashed.
    fn key_group(&self, slot: Slot) -> u16 {
        (hash(key_of(&self.pages, slot)) % u64::from(KEY_GROUPS)) as u16
    }

    fn key_rows(&self, keys: &Bytes) -> Result<RecordBatch> {
        let n = keys.len();
        let columns = self.decoded((0..n).map(|i| keys.get(i)))?;
        let options = RecordBatchOptions::new().with_row_count(Some(n));
        let schema = Arc::new(self.schema.project(&self.key)?);
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }

    /// Rows for a snapshot: with a TTL, when each was written comes after its columns.
    fn written_rows(&self, slots: &[Slot]) -> Result<RecordBatch> {
        let rows = self.rows(slots)?;
        // Rows of no columns at all could not be told from no rows.
        if self.expiry.is_none() && rows.num_columns() > 0 {
            return Ok(rows);
        }
        let written = slots.iter().map(|slot| {
            let (page, at) = place(*slot);
            self.pages[page].written.get(at).copied()
        });
        with_numbers(&rows, WRITTEN, written.collect())
    }

    fn restore(&mut self, part: &StatePart) -> Result<()> {
        let rows = &part.rows;
        if rows.num_columns() < self.schema.fields().len() {
            return Err(Error::internal(format!(
                "the state '{}' has other columns than it should",
                self.name
            )));
        }
        let keys = self.key.iter().map(|c| Arc::clone(rows.column(*c)));
        let keys = self.keys_of(&keys.collect::<Vec<_>>(), rows.num_rows())?;
        let written = rows.column_by_name(WRITTEN);
        let written = written.and_then(|w| w.as_primitive_opt::<Int64Type>());
        let mut slots = Vec::with_capacity(keys.count());
        for i in 0..keys.count() {
            let (slot, _) = self.write(&keys, i)?;
            slots.push(slot);
            if let Some(written) = written.filter(|w| w.is_valid(i))
                && self.expiry.is_some()
            {
                let (page, at) = place(slot);
                self.pages[page].written[at] = written.value(i);
            }
        }
        self.set_rows(&slots, rows.columns())?;
        if let Some(expiry) = &mut self.expiry {
            expiry.by_time.clear();
            for slot in (0..).take(self.flags.len()) {
                let flags = &mut self.flags[slot as usize];
                *flags &= !WAITS;
                let (page, at) = place(slot);
                expiry.wait(flags, slot, self.pages[page].written[at]);
            }
        }
        slots
            .iter()
            .for_each(|slot| self.flags[*slot as usize] |= KNOWN);
        Ok(())
    }

    /// Takes what snapshots gave of this table, and only that; what is written from here on are changes.
    ///
    /// # Errors
    /// Rows of another table.
    pub fn restore_all(&mut self, parts: &[StatePart]) -> Result<()> {
        for part in parts {
            if part.name == self.name {
                self.restore(part)?;
            }
        }
        self.gone = Some(Bytes::default());
        Ok(())
    }
}

impl Expiry {
    /// A row that was written at `time` waits to expire, where it does not already.
    fn wait(&mut self, flags: &mut u8, slot: Slot, time: i64) {
        if *flags & WAITS == 0 {
            *flags |= WAITS;
            self.by_time.entry(time).or_default().push(slot);
        }
    }
}

/// The slots of a batch, each once, and which of them each row has.
pub struct Touched {
    /// The slots: first those that were there before.
    pub slots: Vec<Slot>,
    /// How many were there before.
    pub known: usize,
    /// For each row the position of its slot in `slots`.
    pub rows: Vec<usize>,
}

impl Touched {
    /// Of the slot of each row, and those among them that are new.
    fn of(slots: &[Slot], new: Vec<Slot>) -> Self {
        let mut positions: HashMap<Slot, usize> = HashMap::with_capacity(slots.len());
        // Where a new one stands is known once all that were there are counted.
        positions.extend(new.iter().map(|slot| (*slot, usize::MAX)));
        let mut all = Vec::with_capacity(slots.len());
        for slot in slots {
            positions.entry(*slot).or_insert_with(|| {
                all.push(*slot);
                all.len() - 1
            });
        }
        let known = all.len();
        all.extend(new);
        for (position, slot) in all.iter().enumerate().skip(known) {
            positions.insert(*slot, position);
        }
        let rows = slots.iter().map(|slot| positions[slot]).collect();
        Self {
            slots: all,
            known,
            rows,
        }
    }

    /// Those that are new.
    pub fn new_slots(&self) -> &[Slot] {
        &self.slots[self.known..]
    }

    /// The rows in the order of their slots, `None` where they are in it; and where each slot begins.
    pub fn by_slot(&self) -> (Option<UInt32Array>, Vec<usize>) {
        let mut starts = vec![0; self.slots.len() + 1];
        for position in &self.rows {
            starts[position + 1] += 1;
        }
        for position in 0..self.slots.len() {
            starts[position + 1] += starts[position];
        }
        if self.rows.is_sorted() {
            return (None, starts);
        }
        let (mut next, mut order) = (starts.clone(), vec![0; self.rows.len()]);
        for (row, position) in (0u32..).zip(&self.rows) {
            order[next[*position]] = row;
            next[*position] += 1;
        }
        (Some(UInt32Array::from(order)), starts)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "table_tests.rs"]
mod tests;
