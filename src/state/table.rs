//! Rows by key, in columns that are changed in place.
//!
//! A row has a slot, which it keeps as long as it is there. Slots lie in pages; an index finds the slot of a key. The table knows
//! which rows changed since the last snapshot, and with a TTL when each was last written.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::row::Rows;
use hashbrown::{HashMap, HashTable};
use twox_hash::XxHash3_64;

use super::key_groups::{KEY_GROUPS, KeyGroups, KeyHasher, key_group};
use super::pages::{Layout, PAGE, Pages, Slot, place};
use super::snapshot::{
    SharedRows, StatePart, TableChanges, TableRows, TableSnapshot, TableView, WRITTEN,
};
use super::ttl::StateTtl;
use crate::error::{Error, Result};

/// A part of a snapshot has at most so many bytes, roughly: a column of text may not have more than 2 GiB.
const PART: usize = 512 << 20;

/// How many bytes of rows are read at once, roughly.
const PIECE: usize = if cfg!(test) { 64 } else { PART };

/// A page of which fewer slots are part of a snapshot than this is read at once: to share it would mean to copy it soon.
const WORTH_SHARING: usize = if cfg!(test) { 2 } else { PAGE / 8 };

/// A table of fewer rows is given whole by every snapshot that gives any of it.
const SMALL: u32 = if cfg!(test) { 3 } else { 4096 };

/// How many key groups every snapshot gives whole, in turn. So after `KEY_GROUPS / IN_TURN` snapshots an old one is not needed.
const IN_TURN: u16 = 2;

/// The key group of a slot is not known.
const UNKNOWN: u8 = u8::MAX;

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
    /// The columns that rows are spread over instances by.
    spread: Vec<usize>,
    hasher: KeyHasher,
    // State.
    pages: Pages,
    flags: Vec<u8>,
    count: usize,
    /// `None` where rows are not found by their keys.
    index: Option<HashTable<Entry>>,
    free: Vec<Slot>,
    changed: Vec<Slot>,
    /// The keys that went since the last snapshot, of those that it has; `None` before the first one.
    gone: Option<TableChanges>,
    /// The key group of each slot, where it is known.
    key_groups: Vec<u8>,
    /// By key group how many rows there are, of those whose group is known; and how many rows of snapshots have been replaced since
    /// the group was given whole.
    live: Vec<u32>,
    stale: Vec<u32>,
    /// The key group whose turn it is to be given whole.
    next_whole: u16,
    expiry: Option<Expiry>,
}

/// What may expire: each row once, at a time when or before which it was written.
struct Expiry {
    ttl: StateTtl,
    now: Option<i64>,
    by_time: BTreeMap<i64, Vec<Slot>>,
}

/// Where the row of a key is, with a hash of the key: to move entries no key need be read.
#[derive(Clone, Copy)]
struct Entry {
    hash: u32,
    slot: Slot,
}

impl Entry {
    /// All bits of the hash of an entry count for its place and its tag.
    fn hash(hash: u32) -> u64 {
        u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

/// Keys in the form in which a table compares them.
pub struct Keys {
    rows: Option<Rows>,
    hashes: Vec<u32>,
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
            let hash = |at: &usize| Entry::hash(self.hashes[*at]);
            let entry = known.entry(hash(&at), is_it, hash);
            *entry.or_insert(at).get()
        });
        all.collect()
    }
}

fn hash(key: &[u8]) -> u32 {
    XxHash3_64::oneshot(key) as u32
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
        let of_spread = spread.iter().map(|c| schema.field(*c).data_type().clone());
        Ok(Self {
            name: name.to_string(),
            spread: spread.to_vec(),
            hasher: KeyHasher::new(of_spread)?,
            pages: Pages::new(Layout::new(schema, key)?),
            flags: Vec::new(),
            count: 0,
            index: Some(HashTable::new()),
            free: Vec::new(),
            changed: Vec::new(),
            gone: None,
            key_groups: Vec::new(),
            live: vec![0; usize::from(KEY_GROUPS)],
            stale: vec![0; usize::from(KEY_GROUPS)],
            next_whole: 0,
            expiry: ttl.map(|ttl| Expiry {
                ttl,
                now: None,
                by_time: BTreeMap::new(),
            }),
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

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.pages.layout.places.len()
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

    /// The slots of all rows, in pieces whose rows can be read at once: a column of text may not have more than 2 GiB.
    pub fn pieces(&self) -> Vec<Vec<Slot>> {
        self.pieces_of(self.all())
    }

    /// The same of these slots, in their order.
    pub fn pieces_of(&self, slots: impl IntoIterator<Item = Slot>) -> Vec<Vec<Slot>> {
        let (mut pieces, mut bytes) = (Vec::new(), PIECE);
        for slot in slots {
            if bytes >= PIECE {
                pieces.push(Vec::new());
                bytes = 0;
            }
            bytes += self.pages.bytes(slot);
            if let Some(piece) = pieces.last_mut() {
                piece.push(slot);
            }
        }
        pieces
    }

    // Finding.

    /// Keys given as columns.
    ///
    /// # Errors
    /// Columns of other types than the key's.
    pub fn keys_of(&self, columns: &[ArrayRef], rows: usize) -> Result<Keys> {
        Ok(match &self.pages.layout.keys {
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
        let hash = keys.hashes[at];
        let is_it = |entry: &Entry| entry.hash == hash && self.pages.key(entry.slot) == key;
        let found = self.index.as_ref()?.find(Entry::hash(hash), is_it);
        found.map(|entry| entry.slot)
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
        if let Some(index) = &mut self.index {
            let hash = keys.hashes[at];
            let rehash = |entry: &Entry| Entry::hash(entry.hash);
            index.insert_unique(Entry::hash(hash), Entry { hash, slot }, rehash);
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
            let page = self.pages.page_mut(page);
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
        let (page, at) = place(slot);
        if at == 0 {
            self.pages.add_page();
        }
        let page = self.pages.page_mut(page);
        page.keys.push(key)?;
        for column in &mut page.columns {
            column.push_null()?;
        }
        if self.expiry.is_some() {
            page.written.push(i64::MIN);
        }
        self.flags.push(LIVE);
        self.key_groups.push(UNKNOWN);
        Ok(slot)
    }

    // Reading and changing.

    /// The key columns of rows; of [`super::NONE`] they are NULL.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn keys(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        self.pages.keys(slots)
    }

    /// The values of a column that is not of the key; of [`super::NONE`] they are NULL.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn values(&self, column: usize, slots: &[Slot]) -> Result<ArrayRef> {
        self.pages.values(column, slots)
    }

    /// The values of these columns; of [`super::NONE`] they are NULL.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn columns(&self, columns: &[usize], slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        self.pages.columns(columns, slots)
    }

    /// Rows as they are.
    ///
    /// # Errors
    /// Where Arrow refuses them (a bug).
    pub fn rows(&self, slots: &[Slot]) -> Result<RecordBatch> {
        self.pages.rows(slots)
    }

    /// Other values of all columns that are not of the key, one for each slot; of the same slot the last counts. `columns` are as
    /// in the schema.
    ///
    /// # Errors
    /// Values of another type.
    pub fn set_rows(&mut self, slots: &[Slot], columns: &[ArrayRef]) -> Result<()> {
        let layout = Arc::clone(&self.pages.layout);
        let mut rest = layout.rest.iter();
        rest.try_for_each(|column| self.set(*column, slots, &columns[*column]))
    }

    /// Other values of a column that is not of the key, one for each slot; of the same slot the last counts.
    ///
    /// # Errors
    /// Values of another type.
    pub fn set(&mut self, column: usize, slots: &[Slot], values: &ArrayRef) -> Result<()> {
        let layout = Arc::clone(&self.pages.layout);
        let column = layout.places[column];
        layout.types[column].each(values, |i, value| {
            let (page, at) = place(slots[i]);
            self.pages.page_mut(page).columns[column].set(at, value)
        })
    }

    /// A value of a BIGINT column that is not of the key; NULL is 0.
    pub fn int(&self, column: usize, slot: Slot) -> i64 {
        self.pages.int(column, slot)
    }

    /// A value of a BIGINT column that is not of the key.
    pub fn number(&self, column: usize, slot: Slot) -> Option<i64> {
        let (page, at) = place(slot);
        let column = &self.pages.page(page).columns[self.pages.layout.places[column]];
        column.is_valid(at).then(|| column.int(at))
    }

    /// Another value of a BIGINT column that is not of the key.
    ///
    /// # Errors
    /// A column of another type.
    pub fn set_int(&mut self, column: usize, slot: Slot, value: i64) -> Result<()> {
        let (page, at) = place(slot);
        let column = self.pages.layout.places[column];
        self.pages.page_mut(page).columns[column].set_int(at, value)
    }

    /// A row is written now.
    pub fn touch(&mut self, slot: Slot) {
        self.mark(slot);
        if let Some(expiry) = &mut self.expiry {
            let now = expiry.now.unwrap_or(i64::MIN);
            let (page, at) = place(slot);
            self.pages.page_mut(page).written[at] = now;
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
        let key = self.pages.key(slot);
        if let Some(index) = &mut self.index
            && let Ok(entry) = index.find_entry(Entry::hash(hash(key)), |e| e.slot == slot)
        {
            entry.remove();
        }
        self.count -= 1;
        let flags = &mut self.flags[slot as usize];
        let group = std::mem::replace(&mut self.key_groups[slot as usize], UNKNOWN);
        if let Some(changes) = &mut self.gone
            && *flags & KNOWN != 0
        {
            changes.gone.push(key)?;
            changes.gone_groups.insert(u16::from(group));
        }
        *flags &= !(LIVE | KNOWN);
        if group != UNKNOWN {
            self.live[usize::from(group)] -= 1;
            self.stale[usize::from(group)] += 1;
        }
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

    /// As [`Table::on_watermark`]; removes the rows.
    ///
    /// # Errors
    /// As [`Table::remove`].
    pub fn expire_by_watermark(&mut self, time: i64) -> Result<()> {
        let mut expired = self.on_watermark(time).into_iter();
        expired.try_for_each(|slot| self.remove(slot))
    }

    /// As [`Table::on_clock`]; removes the rows.
    ///
    /// # Errors
    /// As [`Table::remove`].
    pub fn expire_by_clock(&mut self, time: i64) -> Result<()> {
        let mut expired = self.on_clock(time).into_iter();
        expired.try_for_each(|slot| self.remove(slot))
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
        let ttl = expiry.ttl;
        let time = ttl.step_of(time);
        // What was written before the time was known counts as written now.
        let mut dated = Vec::new();
        if expiry.now.is_none() {
            dated = expiry.by_time.remove(&i64::MIN).unwrap_or_default();
            for slot in &dated {
                let (page, at) = place(*slot);
                self.pages.page_mut(page).written[at] = time;
            }
            expiry.by_time.entry(time).or_default().extend(&dated);
        }
        let now = expiry.now.map_or(time, |now| now.max(time));
        expiry.now = Some(now);
        while let Some(first) = expiry.by_time.first_entry()
            && ttl.expires(*first.key()) <= now
        {
            for slot in first.remove() {
                let flags = &mut self.flags[slot as usize];
                *flags &= !WAITS;
                if *flags & LIVE == 0 {
                    continue;
                }
                let (page, at) = place(slot);
                let written = self.pages.page(page).written[at];
                if ttl.expires(written) <= now {
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

    /// Rows as they are now, in the order given, for others to read while the table changes. They do not see the first `hidden`
    /// columns.
    pub fn view(&mut self, slots: Vec<Slot>, hidden: usize) -> TableView {
        TableView {
            pages: Arc::new(self.pages.share(&slots)),
            slots: slots.into(),
            hidden,
        }
    }

    /// The rows that changed since the last snapshot, and the keys that went; the first time all rows. What follows counts from
    /// here. Key groups of which most rows have changed since they were given whole are given whole, and a few others in turn: so
    /// what earlier snapshots gave is not needed for ever. Several parts where that is much.
    ///
    /// # Errors
    /// Where rows cannot be given as columns (a bug).
    pub fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.snapshot_by(PART)
    }

    fn snapshot_by(&mut self, most: usize) -> Result<Vec<TableSnapshot>> {
        let mut changes = self.gone.replace(TableChanges::default());
        let mut slots = match changes {
            Some(_) => std::mem::take(&mut self.changed),
            None => self.all(),
        };
        slots.iter().for_each(|slot| {
            let flags = &mut self.flags[*slot as usize];
            *flags &= !CHANGED;
            *flags |= if *flags & LIVE != 0 { KNOWN } else { 0 };
        });
        slots.retain(|slot| self.flags[*slot as usize] & LIVE != 0);
        self.find_key_groups(&slots)?;
        if let Some(changes) = &mut changes {
            changes.whole = self.overdue(&slots);
            let is_whole = |slot: &Slot| {
                let group = self.key_groups[*slot as usize];
                group != UNKNOWN && changes.whole.contains(u16::from(group))
            };
            if !changes.whole.is_empty() {
                slots.retain(|slot| !is_whole(slot));
                slots.extend((0..self.flags.len() as Slot).filter(is_whole));
            }
        }
        slots.sort_unstable();
        self.parts(slots, changes, most)
    }

    /// Rows, whose slots ascend, as parts of about `most` bytes.
    fn parts(
        &mut self,
        slots: Vec<Slot>,
        mut changes: Option<TableChanges>,
        most: usize,
    ) -> Result<Vec<TableSnapshot>> {
        // Rows of pages that are worth sharing, and others.
        let (mut shared, mut read) = (Vec::new(), Vec::new());
        for page in slots.chunk_by(|a, b| place(*a).0 == place(*b).0) {
            match page.len() >= WORTH_SHARING {
                true => shared.extend_from_slice(page),
                false => read.extend_from_slice(page),
            }
        }
        let mut parts = Vec::new();
        for (slots, is_shared) in [(read, false), (shared, true)] {
            let mut rest = slots.as_slice();
            while !rest.is_empty() || (is_shared && parts.is_empty()) {
                let mut bytes = 0;
                let fits = |slot: &&Slot| {
                    bytes += self.pages.bytes(**slot);
                    bytes <= most
                };
                let n = rest.iter().take_while(fits).count();
                let (first, others) = rest.split_at(n.max(1).min(rest.len()));
                rest = others;
                let groups = first.iter().map(|slot| self.key_groups[*slot as usize]);
                let rows = TableRows {
                    name: self.name.clone(),
                    slots: first.to_vec(),
                    key_groups: groups.map(u16::from).collect(),
                    is_dated: self.expiry.is_some(),
                    // What went, and what is whole, is said once.
                    changes: changes.as_mut().map(std::mem::take),
                };
                parts.push(match is_shared {
                    true => TableSnapshot::Rows(Box::new(SharedRows {
                        pages: self.pages.share(&rows.slots),
                        rows,
                    })),
                    false => TableSnapshot::Part(Box::new(rows.part(&self.pages)?)),
                });
            }
        }
        Ok(parts)
    }

    /// Finds out the key groups of rows that are new.
    fn find_key_groups(&mut self, slots: &[Slot]) -> Result<()> {
        let new = slots.iter().copied();
        let new = new.filter(|slot| self.key_groups[*slot as usize] == UNKNOWN);
        let new: Vec<Slot> = new.collect();
        let by_key = self.spread == self.pages.layout.key && !self.spread.is_empty();
        let groups: Vec<u16> = match by_key {
            // Keys are kept in the form in which they are hashed.
            true => new
                .iter()
                .map(|slot| key_group(self.pages.key(*slot)))
                .collect(),
            false => {
                let columns = self.pages.columns(&self.spread, &new)?;
                self.hasher
                    .key_groups(&columns, new.len())?
                    .values()
                    .to_vec()
            }
        };
        for (slot, group) in new.into_iter().zip(groups) {
            self.set_key_group(slot, group);
        }
        Ok(())
    }

    fn set_key_group(&mut self, slot: Slot, group: u16) {
        self.key_groups[slot as usize] = group as u8;
        self.live[usize::from(group)] += 1;
    }

    /// The key groups that are to be given whole. `changed`: the rows that are given in any case.
    fn overdue(&mut self, changed: &[Slot]) -> KeyGroups {
        for slot in changed {
            self.stale[usize::from(self.key_groups[*slot as usize])] += 1;
        }
        let mut whole = KeyGroups::default();
        if self.stale.iter().all(|stale| *stale == 0) {
            return whole;
        }
        let is_small = self.live.iter().sum::<u32>() < SMALL;
        for group in 0..KEY_GROUPS {
            let at = usize::from(group);
            let (live, stale) = (self.live[at], self.stale[at]);
            if stale > live || (is_small && live + stale > 0) {
                whole.insert(group);
            }
        }
        let turns = (0..KEY_GROUPS).map(|turn| (self.next_whole + turn) % KEY_GROUPS);
        let is_there = |group: &u16| self.live[usize::from(*group)] > 0;
        let turns: Vec<u16> = turns.filter(is_there).take(usize::from(IN_TURN)).collect();
        if let Some(last) = turns.last() {
            self.next_whole = (last + 1) % KEY_GROUPS;
        }
        turns.into_iter().for_each(|group| whole.insert(group));
        for group in (0..KEY_GROUPS).filter(|group| whole.contains(*group)) {
            self.stale[usize::from(group)] = 0;
        }
        whole
    }

    fn restore(&mut self, part: &StatePart) -> Result<()> {
        let rows = &part.rows;
        let layout = Arc::clone(&self.pages.layout);
        if rows.num_columns() < layout.schema.fields().len() {
            return Err(Error::internal(format!(
                "the state '{}' has other columns than it should",
                self.name
            )));
        }
        let keys = layout.key.iter().map(|c| Arc::clone(rows.column(*c)));
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
                self.pages.page_mut(page).written[at] = written.value(i);
            }
            if self.key_groups[slot as usize] == UNKNOWN {
                self.set_key_group(slot, part.key_groups.value(i));
            }
        }
        self.set_rows(&slots, rows.columns())?;
        if let Some(expiry) = &mut self.expiry {
            expiry.by_time.clear();
            for slot in (0..).take(self.flags.len()) {
                let flags = &mut self.flags[slot as usize];
                *flags &= !WAITS;
                let (page, at) = place(slot);
                expiry.wait(flags, slot, self.pages.page(page).written[at]);
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
        self.gone = Some(TableChanges::default());
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
