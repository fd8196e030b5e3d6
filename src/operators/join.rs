//! Regular joins: rows of both sides wait for each other for ever, or until their state expires.
//!
//! The result is a function of the two sides as Z-sets: a pair has the product of its rows' weights, a row without a match
//! its own. What is emitted is the difference a batch makes, so it adds up however the input is cut into batches.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, UInt32Array};
use arrow::datatypes::SchemaRef;

use super::join_rows::{JoinRows, Pair, Rows, Side, Sides};
use super::join_sides::{JoinKeys, JoinSides};
use super::{Element, Operator, Output};
use crate::changelog::{Batch, take_rows};
use crate::error::Result;
use crate::graph::{Join, JoinKind};
use crate::state::{Keys, NONE, Slot, StatePart, TableSnapshot};
use crate::time::Watermark;

/// What is known of each row besides its values, if rows may go and if the result depends on it. No column of a query has such a
/// name.
const WEIGHT: &str = "__weight";
const MATCHES: &str = "__matches";

/// Joins two inputs, each of which may be updating (Flink: StreamingJoinOperator). The result is updating, but that of an inner
/// or semi join of append-only inputs: it has no weights.
///
/// As in Flink each row expires by itself, without a retraction; what it matched still counts as matched.
pub struct RegularJoin {
    // Properties.
    rows: JoinRows,
    batch_rows: usize,
    /// Whether weights are left out of what is emitted: nothing is ever taken back.
    only_adds: bool,
    /// The result depends on the number of rows of a key alone, not on which they are.
    by_key: bool,
    // State.
    sides: JoinSides,
    /// The sum of the weights of each key's rows on the right, if the result depends on that alone.
    totals: Vec<i64>,
}

/// A row of the result: the rows it is made of, whether these match, and its weight.
struct Item {
    pair: Pair,
    mark: bool,
    weight: i64,
}

/// A batch, and what it meets on the other side.
struct Met<'a> {
    side: Side,
    batch: &'a Batch,
    keys: JoinKeys,
    /// Where rows may go: they themselves, as the state knows them.
    rows: Option<Keys>,
    /// The weight of each row; of equal rows the first has the sum, where rows may go.
    weights: Vec<i64>,
    /// How many rows are done; what follows is for each of them.
    taken: usize,
    /// The place of its key.
    places: Vec<Option<Slot>>,
    /// How many rows match it.
    found: Vec<i64>,
    /// By how much the matches of rows of the other side change.
    delta: Vec<(Slot, i64)>,
    items: Vec<Item>,
}

impl Met<'_> {
    /// Those of the rows that are done which come or go, with their weights.
    fn changes(&self) -> impl Iterator<Item = (usize, i64)> + Clone {
        let all = self.weights[..self.taken].iter().copied().enumerate();
        all.filter(|(_, weight)| *weight != 0)
    }
}

impl RegularJoin {
    /// Nothing kept yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(
        join: &Arc<Join>,
        left: &SchemaRef,
        right: &SchemaRef,
        output: &SchemaRef,
        batch_rows: usize,
    ) -> Result<Self> {
        let rows = JoinRows::new(join, left, right, output)?;
        let grows = matches!(join.kind, JoinKind::Inner | JoinKind::LeftSemi);
        let own = |side: Side, updating: bool| -> Vec<&str> {
            let matches = join.kind.depends_on_matches(side).then_some(MATCHES);
            updating
                .then_some(WEIGHT)
                .into_iter()
                .chain(matches)
                .collect()
        };
        let own = Sides {
            left: own(Side::Left, join.updating.0),
            right: own(Side::Right, join.updating.1),
        };
        Ok(Self {
            batch_rows: batch_rows.max(1),
            only_adds: grows && join.updating == (false, false),
            by_key: !join.kind.gives_pairs() && !rows.has_filter(),
            sides: JoinSides::new(join, left, right, &own)?,
            totals: Vec::new(),
            rows,
        })
    }

    fn kind(&self) -> JoinKind {
        self.rows.join.kind
    }

    /// The column with the number of matches, where the result depends on it.
    fn matches(&self, side: Side) -> Option<usize> {
        let rows = self.sides.of(side);
        let column = rows.own + usize::from(!rows.only_comes());
        self.kind().depends_on_matches(side).then_some(column)
    }

    fn weight(&self, side: Side, row: Slot) -> i64 {
        let rows = self.sides.of(side);
        match rows.only_comes() {
            true => 1,
            false => rows.table.int(rows.own, row),
        }
    }

    /// What a batch meets is not known yet.
    fn begin<'a>(&self, side: Side, batch: &'a Batch) -> Result<Met<'a>> {
        let own = self.sides.of(side);
        let rows = match own.only_comes() {
            true => None,
            false => Some(own.rows_as_keys(&batch.rows)?),
        };
        let all = 0..batch.num_rows();
        let mut weights: Vec<i64> = all.map(|at| batch.weight(at)).collect();
        if let Some(rows) = rows.as_ref().filter(|_| batch.weights.is_some()) {
            let firsts = rows.firsts().into_iter().enumerate();
            for (at, first) in firsts.filter(|(at, first)| at != first) {
                weights[first] += std::mem::take(&mut weights[at]);
            }
        }
        Ok(Met {
            side,
            batch,
            keys: self.sides.keys_of(side, &batch.rows)?,
            rows,
            weights,
            taken: 0,
            places: Vec::new(),
            found: Vec::new(),
            delta: Vec::new(),
            items: Vec::new(),
        })
    }

    /// Finds what the rows match, until that is a batch.
    fn meet(&mut self, met: &mut Met) -> Result<()> {
        let mut candidates: Vec<Pair> = Vec::new();
        while met.taken < met.weights.len() && met.items.len() < self.batch_rows {
            let at = met.taken;
            met.taken += 1;
            met.found.push(0);
            met.places.push(None);
            if met.weights[at] != 0 {
                met.places[at] = self.sides.place(&met.keys, at)?;
            }
            if let Some(place) = met.places[at] {
                let others = self.sides.matches(met.side.other(), place);
                candidates.extend(others.map(|other| (at as u32, other)));
            }
            if candidates.len() >= self.batch_rows || met.taken == met.weights.len() {
                self.settle(met, &mut candidates)?;
            }
        }
        Ok(())
    }

    /// Which of the candidates match: they are part of the result, where it is of pairs.
    fn settle(&self, met: &mut Met, candidates: &mut Vec<Pair>) -> Result<()> {
        let (side, other) = (met.side, met.side.other());
        let gives_pairs = self.kind().gives_pairs();
        let counts = self.kind().depends_on_matches(other);
        let from = self.from(met);
        for pairs in candidates.chunks(self.batch_rows) {
            for pair in self.rows.matching(side, from, pairs)? {
                let at = pair.0 as usize;
                let (weight, of_other) = (met.weights[at], self.weight(other, pair.1));
                met.found[at] += of_other;
                if counts {
                    met.delta.push((pair.1, weight));
                }
                if gives_pairs {
                    let (mark, weight) = (true, weight * of_other);
                    met.items.push(Item { pair, mark, weight });
                }
            }
        }
        candidates.clear();
        Ok(())
    }

    fn from<'a>(&'a self, met: &Met<'a>) -> (Rows<'a>, Rows<'a>) {
        let others = &self.sides.of(met.side.other()).table;
        (Rows::Batch(&met.batch.rows), Rows::Table(others))
    }

    /// Where equal keys are a match and pairs are not asked for, only the sums of weights matter.
    fn meet_keys(&mut self, met: &mut Met) -> Result<()> {
        let mut sums = Vec::new();
        met.taken = met.weights.len();
        for (at, weight) in met.weights.iter().enumerate() {
            let place = match weight {
                0 => None,
                _ => self.sides.place(&met.keys, at)?,
            };
            met.places.push(place);
            met.found.push(match (met.side, place) {
                (Side::Left, Some(place)) => self.sides.places(place).map(|p| self.total(p)).sum(),
                _ => 0,
            });
            sums.extend(place.map(|place| (place, *weight)));
        }
        for (place, sum) in summed(sums) {
            if met.side == Side::Right {
                let others = self.sides.matches(Side::Left, place);
                met.delta.extend(others.map(|other| (other, sum)));
            }
        }
        Ok(())
    }

    fn total(&self, place: Slot) -> i64 {
        self.totals.get(place as usize).copied().unwrap_or(0)
    }

    fn add_to_total(&mut self, side: Side, place: Slot, weight: i64) {
        if side == Side::Left || !self.by_key {
            return;
        }
        let at = place as usize;
        if self.totals.len() <= at {
            self.totals.resize(at + 1, 0);
        }
        self.totals[at] += weight;
    }

    /// Keeps the rows; those that are in the result by themselves go there.
    fn store(&mut self, met: &mut Met) -> Result<()> {
        match met.rows.take() {
            None => self.append(met)?,
            Some(rows) => self.update(met, &rows)?,
        }
        for (at, weight) in met.changes().collect::<Vec<_>>() {
            let mark = met.found[at] > 0;
            if self.kind().shows(met.side, mark) {
                let pair = (at as u32, NONE);
                met.items.push(Item { pair, mark, weight });
            }
        }
        Ok(())
    }

    fn append(&mut self, met: &Met) -> Result<()> {
        let rows = met.changes().map(|(at, _)| at);
        let rows: Vec<usize> = rows.filter(|at| met.places[*at].is_some()).collect();
        let places: Vec<Option<Slot>> = rows.iter().map(|at| met.places[*at]).collect();
        let batch = match rows.len() == met.batch.num_rows() {
            true => met.batch.rows.clone(),
            false => {
                let indices = rows.iter().map(|at| *at as u32);
                take_rows(&met.batch.rows, &UInt32Array::from_iter_values(indices))?
            }
        };
        let slots = self.sides.append(met.side, &batch, &places)?;
        for place in places.into_iter().flatten() {
            self.add_to_total(met.side, place, 1);
        }
        if let Some(matches) = self.matches(met.side) {
            let found = rows.iter().map(|at| met.found[*at]);
            let found: ArrayRef = Arc::new(Int64Array::from_iter_values(found));
            let table = &mut self.sides.of_mut(met.side).table;
            table.set(matches, &slots, &found)?;
        }
        Ok(())
    }

    /// Adds to the weights of rows. How many rows match one that was there is known; what was `found` becomes that.
    fn update(&mut self, met: &mut Met, keys: &Keys) -> Result<()> {
        let side = met.side;
        let expires = self.rows.join.ttl.is_some();
        let (weights, matches) = (self.sides.of(side).own, self.matches(side));
        let mut gone = Vec::new();
        for (at, change) in met.changes().collect::<Vec<_>>() {
            let Some(place) = met.places[at] else {
                continue;
            };
            let (row, is_new) = self.sides.write(side, keys, at, place)?;
            let table = &mut self.sides.of_mut(side).table;
            if let Some(matches) = matches {
                match is_new {
                    true => table.set_int(matches, row, met.found[at])?,
                    false => met.found[at] = table.int(matches, row),
                }
            }
            let before = table.int(weights, row);
            let after = before + change;
            // A retraction of what has expired finds nothing to take away.
            let after = if expires { after.max(0) } else { after };
            table.set_int(weights, row, after)?;
            if after == 0 {
                gone.extend(self.sides.remove(side, row)?);
            }
            self.add_to_total(side, place, after - before);
        }
        self.sides.forget_unused(gone)
    }

    /// The matches of rows of `side` changed: those that had none before or have none now come or go.
    fn count_matches(&mut self, met: &mut Met) -> Result<()> {
        let side = met.side.other();
        let kind = self.kind();
        let expires = self.rows.join.ttl.is_some();
        let Some(matches) = self.matches(side) else {
            return Ok(());
        };
        for (row, delta) in summed(std::mem::take(&mut met.delta)) {
            let weight = self.weight(side, row);
            let table = &mut self.sides.of_mut(side).table;
            let before = table.int(matches, row);
            let after = before + delta;
            let after = if expires { after.max(0) } else { after };
            table.set_int(matches, row, after)?;
            table.touch(row);
            let (before, after) = (before > 0, after > 0);
            if before == after {
                continue;
            }
            for (mark, weight) in [(before, -weight), (after, weight)] {
                if kind.shows(side, mark) {
                    let pair = (NONE, row);
                    met.items.push(Item { pair, mark, weight });
                }
            }
        }
        Ok(())
    }

    fn emit(&self, met: &mut Met, out: &mut Output) -> Result<()> {
        let mut items = std::mem::take(&mut met.items);
        if !self.only_adds {
            // What goes before what comes.
            items.sort_by_key(|item| item.weight > 0);
        }
        let from = self.from(met);
        for items in items.chunks(self.batch_rows) {
            let pairs = items.iter().map(|item| (item.pair, item.mark));
            let rows = self.rows.result(met.side, from, pairs)?;
            let weights = || items.iter().map(|item| item.weight).collect();
            out.batch(match self.only_adds {
                true => Batch::append(rows),
                false => Batch::changes(rows, weights()),
            });
        }
        Ok(())
    }

    fn give_up(&mut self, side: Side, expired: Vec<Slot>) -> Result<()> {
        let mut places = Vec::new();
        for row in expired {
            let weight = self.weight(side, row);
            if let Some(place) = self.sides.remove(side, row)? {
                self.add_to_total(side, place, -weight);
                places.push(place);
            }
        }
        self.sides.forget_unused(places)
    }
}

/// The sums of what belongs together, in order; no sum is 0.
fn summed(mut all: Vec<(Slot, i64)>) -> Vec<(Slot, i64)> {
    all.sort_unstable_by_key(|(slot, _)| *slot);
    all.dedup_by(|(slot, value), (first, sum)| {
        let is_same = slot == first;
        *sum += if is_same { *value } else { 0 };
        is_same
    });
    all.retain(|(_, sum)| *sum != 0);
    all
}

impl Operator for RegularJoin {
    fn on_batch(&mut self, port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let side = Side::of_port(port);
        let mut met = self.begin(side, &batch)?;
        match self.by_key {
            true => self.meet_keys(&mut met)?,
            false => self.meet(&mut met)?,
        }
        self.store(&mut met)?;
        self.count_matches(&mut met)?;
        self.emit(&mut met, out)?;
        let (taken, weights) = (met.taken, met.weights);
        let rest = (taken..weights.len()).filter(|at| weights[*at] != 0);
        let rest: Vec<u32> = rest.map(|at| at as u32).collect();
        if !rest.is_empty() {
            let mut batch = batch.take(&UInt32Array::from(rest.clone()))?;
            if batch.weights.is_some() {
                batch.weights = Some(rest.iter().map(|at| weights[*at as usize]).collect());
            }
            out.rest = Some(Element::Batch(batch));
        }
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(time) = watermark {
            for side in Side::BOTH {
                let expired = self.sides.of_mut(side).table.on_watermark(time);
                self.give_up(side, expired)?;
            }
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.sides.of(Side::Left).table.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        for side in Side::BOTH {
            let expired = self.sides.of_mut(side).table.on_clock(now);
            self.give_up(side, expired)?;
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.sides.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        let rows = self.sides.restore(&parts)?;
        for row in rows.right {
            if let Some(place) = self.sides.place_of(Side::Right, row) {
                self.add_to_total(Side::Right, place, self.weight(Side::Right, row));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "join_tests.rs"]
mod tests;
