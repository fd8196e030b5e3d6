//! The core of joins without a time bound: both sides' rows by key, with what changes in the result as they change.
//!
//! The result is a function of the two sides as Z-sets: a pair has the product of its rows' weights, a row without a match
//! its own. What is emitted is the difference a batch makes, so it adds up however the input is cut into batches.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::row::OwnedRow;

use super::join_rows::{JoinRows, Joined, Side, Sides};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::{Join, JoinKind};
use crate::state::{Expiry, Marks, Passed, StatePart};

/// The most rows that are emitted in one batch: pairs of a frequent key can be many.
const ROWS_AT_ONCE: usize = 1 << 16;

/// A row, as it stands in the state: shared by the maps that name it.
type Row = Arc<OwnedRow>;

/// What is known of a row.
#[derive(Debug, Clone, Copy)]
struct Stored {
    weight: i64,
    /// How many rows of the other side match it; kept where the result depends on it.
    matches: i64,
}

/// The rows of one key on one side.
#[derive(Debug, Default)]
struct Group {
    rows: BTreeMap<Row, Stored>,
    /// The sum of their weights.
    total: i64,
}

type Groups = HashMap<Row, Group>;

/// Names a row of the state: its side, its key and itself.
type Id = (Side, Row, Row);

/// A row of a batch that comes or goes.
struct Change<'a> {
    /// Its index in the batch.
    at: u32,
    weight: i64,
    key: &'a OwnedRow,
    row: &'a OwnedRow,
}

/// What the changes of a batch meet on the other side.
#[derive(Default)]
struct Met {
    /// Rows whose keys match, each once, with their keys and weights; where those of each key stand among them.
    rows: Vec<Row>,
    keys: Vec<Row>,
    weights: Vec<i64>,
    ranges: HashMap<Row, Range<u32>>,
    /// The rows as columns, where they were needed.
    decoded: Option<RecordBatch>,
    /// How many rows match each change.
    found: Vec<i64>,
    /// By how much the matches of each of the rows change.
    delta: Vec<i64>,
}

/// Two sides that wait for each other for ever, or until they expire.
pub struct JoinCore {
    rows: JoinRows,
    /// The key that is NULL, where that matches every key (NOT IN).
    null_key: Option<OwnedRow>,
    groups: Sides<Groups>,
    /// As in Flink each row expires by itself, without a retraction; what it matched still counts as matched.
    expiry: Expiry<Id>,
    /// A row is also what a snapshot replaces: there may be many of a key, of which few change.
    marks: Marks<Id>,
}

impl JoinCore {
    /// Nothing kept yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(
        join: &Arc<Join>,
        left: &SchemaRef,
        right: &SchemaRef,
        output: &SchemaRef,
    ) -> Result<Self> {
        let rows = JoinRows::new(join, left, right, output)?;
        let null_key = if join.null_aware {
            let keys = &rows.sides.left.keys;
            let fields = keys.schema().fields();
            let nulls: Vec<_> = fields
                .iter()
                .map(|f| new_null_array(f.data_type(), 1))
                .collect();
            keys.encode(&nulls, 1)?.pop()
        } else {
            None
        };
        Ok(Self {
            rows,
            null_key,
            groups: Sides::default(),
            expiry: Expiry::new(join.ttl),
            marks: Marks::default(),
        })
    }

    /// The parts that do not change.
    pub fn rows(&self) -> &JoinRows {
        &self.rows
    }

    /// Takes rows of one side; returns how the result changes. Where nothing can ever be retracted from it by such rows (no
    /// weights, inner or semi) it is given without weights.
    ///
    /// # Errors
    /// Where the residual filter fails on a pair.
    pub fn apply(&mut self, side: Side, batch: &Batch) -> Result<Vec<Batch>> {
        let kind = self.rows.join.kind;
        let codecs = self.rows.sides.of(side);
        let keys = codecs.keys_of(&batch.rows)?;
        let rows = codecs.rows.encode_rows(&batch.rows)?;
        let matchable = self.rows.matchable(side, &batch.rows);
        let (changes, unmatchable): (Vec<Change>, Vec<Change>) = net_changes(batch, &keys, &rows)
            .into_iter()
            .partition(|c| matchable.as_ref().is_none_or(|m| m.is_valid(c.at as usize)));
        let mut items: Vec<(Joined, i64)> = Vec::new();
        if kind.shows(side, false) {
            // Never matched by anything: nothing to remember.
            items.extend(unmatchable.iter().map(|c| (alone(c.at, false), c.weight)));
        }
        let met = if kind.gives_pairs() || self.rows.has_filter() {
            self.meet_rows(side, batch, &changes, &mut items)?
        } else {
            self.meet_keys(side, &changes)
        };
        for (change, found) in changes.iter().zip(&met.found) {
            let is_matched = self.store(side, change, *found) > 0;
            if kind.shows(side, is_matched) {
                items.push((alone(change.at, is_matched), change.weight));
            }
        }
        if kind.depends_on_matches(side.other()) {
            self.count_matches(side.other(), &met, &mut items);
        }
        self.emit(side, batch, &met, items)
    }

    /// Finds the pairs that match, and adds them to the result where they are part of it.
    fn meet_rows(
        &self,
        side: Side,
        batch: &Batch,
        changes: &[Change],
        items: &mut Vec<(Joined, i64)>,
    ) -> Result<Met> {
        let mut met = Met {
            found: vec![0; changes.len()],
            ..Met::default()
        };
        let mut ranges = Vec::with_capacity(changes.len());
        for change in changes {
            ranges.push(self.collect_others(side, change.key, &mut met));
        }
        met.delta = vec![0; met.rows.len()];
        let others = self.decode(side.other(), &met.rows)?;
        let pairs = (0usize..)
            .zip(ranges)
            .flat_map(|(c, ranges)| ranges.into_iter().flatten().map(move |o| (c, o)));
        let row = |c: usize| changes.get(c).map_or(0, |c| c.at);
        let gives_pairs = self.rows.join.kind.gives_pairs();
        for (c, o) in self.rows.matching(side, &batch.rows, &others, pairs, row)? {
            let at = o as usize;
            if let Some(change) = changes.get(c)
                && let Some(other_weight) = met.weights.get(at)
                && let Some(found) = met.found.get_mut(c)
                && let Some(delta) = met.delta.get_mut(at)
            {
                *found += other_weight;
                *delta += change.weight;
                if gives_pairs {
                    let pair = Joined {
                        this: Some(change.at),
                        other: Some(o),
                        mark: true,
                    };
                    items.push((pair, change.weight * other_weight));
                }
            }
        }
        met.decoded = Some(others);
        Ok(met)
    }

    /// Where equal keys are a match and pairs are not asked for, only the sums of weights matter.
    fn meet_keys(&self, side: Side, changes: &[Change]) -> Met {
        let mut met = Met::default();
        if self.rows.join.kind.depends_on_matches(side) {
            let total = |c: &Change| {
                let mut total = 0;
                self.for_each_other(side, c.key, |_, group| total += group.total);
                total
            };
            met.found = changes.iter().map(total).collect();
            return met;
        }
        met.found = vec![0; changes.len()];
        let mut sums: BTreeMap<&OwnedRow, i64> = BTreeMap::new();
        for change in changes {
            *sums.entry(change.key).or_default() += change.weight;
        }
        for (key, sum) in sums.into_iter().filter(|(_, sum)| *sum != 0) {
            for range in self.collect_others(side, key, &mut met) {
                met.delta.resize(met.rows.len(), 0);
                let (from, to) = (range.start as usize, range.end as usize);
                let delta = met.delta.get_mut(from..to).unwrap_or_default();
                delta.iter_mut().for_each(|d| *d += sum);
            }
        }
        met
    }

    /// The rows of the other side whose keys match `key`, as ranges of what is met.
    fn collect_others(&self, side: Side, key: &OwnedRow, met: &mut Met) -> Vec<Range<u32>> {
        let mut ranges = Vec::new();
        self.for_each_other(side, key, |key, group| {
            let range = met.ranges.entry(Arc::clone(key)).or_insert_with(|| {
                let start = met.rows.len() as u32;
                for (row, stored) in &group.rows {
                    met.keys.push(Arc::clone(key));
                    met.rows.push(Arc::clone(row));
                    met.weights.push(stored.weight);
                }
                start..met.rows.len() as u32
            });
            ranges.push(range.clone());
        });
        ranges
    }

    fn for_each_other(&self, side: Side, key: &OwnedRow, mut f: impl FnMut(&Row, &Group)) {
        let groups = self.groups.of(side.other());
        match &self.null_key {
            Some(null) if null == key => {
                // In the order of their keys: the order of a hash map would differ from run to run.
                let mut all: Vec<_> = groups.iter().collect();
                all.sort_unstable_by_key(|(key, _)| *key);
                all.into_iter().for_each(|(key, group)| f(key, group));
            }
            null => {
                for key in [Some(key), null.as_ref()].into_iter().flatten() {
                    if let Some((key, group)) = groups.get_key_value(key) {
                        f(key, group);
                    }
                }
            }
        }
    }

    fn decode(&self, side: Side, rows: &[Row]) -> Result<RecordBatch> {
        let codec = &self.rows.sides.of(side).rows;
        codec.decode(rows.iter().map(|row| row.as_ref()))
    }

    /// Adds to the weight of a row; returns how many rows match it: `found`, where that was not known before.
    fn store(&mut self, side: Side, change: &Change, found: i64) -> i64 {
        let expires = self.rows.join.ttl.is_some();
        let key = self.shared_key(side, change.key);
        let groups = self.groups.of_mut(side);
        let group = groups.entry(Arc::clone(&key)).or_default();
        let (row, before) = match group.rows.get_key_value(change.row) {
            Some((row, stored)) => (Arc::clone(row), Some(*stored)),
            None => (Arc::new(change.row.clone()), None),
        };
        let mut stored = before.unwrap_or(Stored {
            weight: 0,
            matches: found,
        });
        stored.weight += change.weight;
        if expires {
            // A retraction of what has expired finds nothing to take away.
            stored.weight = stored.weight.max(0);
        }
        group.total += stored.weight - before.map_or(0, |b| b.weight);
        let is_gone = stored.weight == 0;
        if is_gone {
            group.rows.remove(&row);
        } else {
            group.rows.insert(Arc::clone(&row), stored);
        }
        if group.rows.is_empty() {
            groups.remove(&key);
        }
        if expires || self.marks.is_on() {
            let id = (side, key, row);
            self.marks.mark(&id);
            if is_gone {
                self.expiry.forget(&id);
            } else {
                self.expiry.touch(&id);
            }
        }
        stored.matches
    }

    /// The matches of rows of `side` changed: those that had none before or have none now come or go.
    fn count_matches(&mut self, side: Side, met: &Met, items: &mut Vec<(Joined, i64)>) {
        let (kind, expires) = (self.rows.join.kind, self.rows.join.ttl.is_some());
        let groups = self.groups.of_mut(side);
        let all = (0u32..).zip(&met.keys).zip(&met.rows).zip(&met.delta);
        for (((o, key), row), delta) in all.filter(|(_, delta)| **delta != 0) {
            let stored = groups.get_mut(key).and_then(|g| g.rows.get_mut(row));
            let Some(stored) = stored else { continue };
            let before = stored.matches > 0;
            stored.matches += delta;
            if expires {
                stored.matches = stored.matches.max(0);
            }
            if expires || self.marks.is_on() {
                let id = (side, Arc::clone(key), Arc::clone(row));
                self.marks.mark(&id);
                self.expiry.touch(&id);
            }
            let after = stored.matches > 0;
            if before == after {
                continue;
            }
            for (mark, weight) in [(before, -stored.weight), (after, stored.weight)] {
                if kind.shows(side, mark) {
                    let row = Joined {
                        this: None,
                        other: Some(o),
                        mark,
                    };
                    items.push((row, weight));
                }
            }
        }
    }

    fn emit(
        &self,
        side: Side,
        batch: &Batch,
        met: &Met,
        mut items: Vec<(Joined, i64)>,
    ) -> Result<Vec<Batch>> {
        let only_adds = matches!(self.rows.join.kind, JoinKind::Inner | JoinKind::LeftSemi);
        let append = batch.weights.is_none() && only_adds && items.iter().all(|(_, w)| *w > 0);
        if append {
            if items.iter().any(|(_, w)| *w != 1) {
                let repeat = |(j, w): (Joined, i64)| (0..w).map(move |_| (j, 1));
                items = items.into_iter().flat_map(repeat).collect();
            }
        } else {
            // What goes before what comes.
            items.sort_by_key(|(_, w)| *w > 0);
        }
        let others = match &met.decoded {
            Some(rows) => rows.clone(),
            None if items.iter().any(|(j, _)| j.other.is_some()) => {
                self.decode(side.other(), &met.rows)?
            }
            None => self.decode(side.other(), &[])?,
        };
        let mut batches = Vec::with_capacity(items.len().div_ceil(ROWS_AT_ONCE));
        for items in items.chunks(ROWS_AT_ONCE) {
            let joined: Vec<Joined> = items.iter().map(|(j, _)| *j).collect();
            let rows = self.rows.result(side, &batch.rows, &others, &joined)?;
            batches.push(if append {
                Batch::append(rows)
            } else {
                Batch::changes(rows, items.iter().map(|(_, w)| *w).collect())
            });
        }
        Ok(batches)
    }

    /// Forgets all rows. Not for a core whose state is part of snapshots.
    pub fn clear(&mut self) {
        self.groups = Sides::default();
        self.expiry = Expiry::new(self.rows.join.ttl);
    }

    /// How often the clock must be told, in milliseconds; `None` where it plays no part.
    pub fn clock_period(&self) -> Option<u64> {
        self.expiry.clock_period()
    }

    /// Event time has come to `time`: gives up rows by it.
    pub fn on_watermark(&mut self, time: i64) {
        let passed = self.expiry.on_watermark(time);
        self.give_up(passed);
    }

    /// The clock is at `time`: gives up rows by it.
    pub fn on_clock(&mut self, time: i64) {
        let passed = self.expiry.on_clock(time);
        self.give_up(passed);
    }

    fn give_up(&mut self, passed: Passed<Id>) {
        for id in &passed.dated {
            self.marks.mark(id);
        }
        for id in passed.expired {
            self.marks.mark(&id);
            let (side, key, row) = id;
            let groups = self.groups.of_mut(side);
            if let Some(group) = groups.get_mut(&key) {
                if let Some(stored) = group.rows.remove(&row) {
                    group.total -= stored.weight;
                }
                if group.rows.is_empty() {
                    groups.remove(&key);
                }
            }
        }
    }

    fn stored(&self, (side, key, row): &Id) -> Option<Stored> {
        let group = self.groups.of(*side).get(key)?;
        group.rows.get(row).copied()
    }

    /// The state: parts "left" and "right", the columns of the side (the state's key), then `__weight`, `__matches` and
    /// `__written`.
    ///
    /// # Errors
    /// Where rows cannot be had as columns again.
    pub fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        let changed = self.marks.take();
        let mut parts = Vec::new();
        for side in Side::BOTH {
            let mut there: Vec<(Id, Stored)> = Vec::new();
            let mut gone = changed.as_ref().map(|_| Vec::new());
            match &changed {
                None => {
                    for (key, group) in self.groups.of(side) {
                        let id = |row: &Row| (side, Arc::clone(key), Arc::clone(row));
                        there.extend(group.rows.iter().map(|(row, s)| (id(row), *s)));
                    }
                }
                Some(changed) => {
                    for id in changed.keys().filter(|id| id.0 == side) {
                        match self.stored(id) {
                            Some(stored) => there.push((id.clone(), stored)),
                            None => gone.iter_mut().for_each(|gone| gone.push(id)),
                        }
                    }
                }
            }
            let codecs = self.rows.sides.of(side);
            let numbers: [Int64Array; 3] = [
                there.iter().map(|(_, s)| Some(s.weight)).collect(),
                there.iter().map(|(_, s)| Some(s.matches)).collect(),
                there
                    .iter()
                    .map(|(id, _)| self.expiry.written(id))
                    .collect(),
            ];
            let rows = there.iter().map(|((_, _, row), _)| row.as_ref());
            let rows = codecs.rows.decode(rows)?;
            let mut fields = codecs.rows.schema().fields().to_vec();
            let mut columns = rows.columns().to_vec();
            for (name, values) in STATE_COLUMNS.into_iter().zip(numbers) {
                fields.push(Arc::new(Field::new(name, DataType::Int64, true)));
                columns.push(Arc::new(values));
            }
            let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
            let gone = gone.map(|gone| {
                let rows = gone.iter().map(|(_, _, row)| row.as_ref());
                codecs.rows.decode(rows)
            });
            let part = StatePart::keyed(side.name(), rows, &codecs.key_columns)?;
            let whole_row = (0..codecs.width()).collect();
            parts.push(part.replacing(whole_row, gone.transpose()?));
        }
        Ok(parts)
    }

    /// Takes state of [`JoinCore::snapshot`].
    ///
    /// # Errors
    /// Where it is not a join's of these rows.
    pub fn restore(&mut self, parts: &[StatePart]) -> Result<()> {
        for part in parts {
            let side = Side::of_part(&part.name)?;
            let codecs = self.rows.sides.of(side);
            let width = codecs.width();
            if part.rows.num_columns() != width + STATE_COLUMNS.len() {
                return Err(Error::internal(format!(
                    "state '{}' is of other rows",
                    part.name
                )));
            }
            let keys = codecs.keys_of(&part.rows)?;
            let own: Vec<usize> = (0..width).collect();
            let rows = codecs.rows.encode_columns(&part.rows, &own)?;
            let number = |at: usize| part.rows.column(width + at).as_primitive_opt::<Int64Type>();
            let (Some(weights), Some(matches), Some(written)) = (number(0), number(1), number(2))
            else {
                return Err(Error::internal(format!(
                    "state '{}' has no weights",
                    part.name
                )));
            };
            for (i, (key, row)) in keys.into_iter().zip(rows).enumerate() {
                let (key, row) = (self.shared_key(side, &key), Arc::new(row));
                let stored = Stored {
                    weight: weights.value(i),
                    matches: matches.value(i),
                };
                let group = self
                    .groups
                    .of_mut(side)
                    .entry(Arc::clone(&key))
                    .or_default();
                group.total += stored.weight;
                group.rows.insert(Arc::clone(&row), stored);
                let written = written.is_valid(i).then(|| written.value(i));
                self.expiry.restore(&(side, key, row), written);
            }
        }
        self.marks.start();
        Ok(())
    }

    fn shared_key(&self, side: Side, key: &OwnedRow) -> Row {
        match self.groups.of(side).get_key_value(key) {
            Some((key, _)) => Arc::clone(key),
            None => Arc::new(key.clone()),
        }
    }
}

/// The columns of the state behind those of the side. No column of a query can have such a name before it.
const STATE_COLUMNS: [&str; 3] = ["__weight", "__matches", "__written"];

fn alone(row: u32, mark: bool) -> Joined {
    Joined {
        this: Some(row),
        other: None,
        mark,
    }
}

/// The changes of a batch; where it is updating, equal rows once, with the sum of their weights.
fn net_changes<'a>(batch: &Batch, keys: &'a [OwnedRow], rows: &'a [OwnedRow]) -> Vec<Change<'a>> {
    let mut changes: Vec<Change> = Vec::with_capacity(rows.len());
    let mut places: HashMap<&OwnedRow, usize> = HashMap::new();
    for (i, (key, row)) in keys.iter().zip(rows).enumerate() {
        let weight = batch.weight(i);
        if batch.weights.is_some() {
            let place = *places.entry(row).or_insert(changes.len());
            if let Some(change) = changes.get_mut(place) {
                change.weight += weight;
                continue;
            }
        }
        changes.push(Change {
            at: i as u32,
            weight,
            key,
            row,
        });
    }
    changes.retain(|c| c.weight != 0);
    changes
}
