//! Interval joins: rows of both sides whose times are within bounds of each other. Rows are freed once no match can come.
//!
//! A row's *expiry* is the time of the last row that could match it: `time - lower` for a left row, `time + upper` for a
//! right row. It is kept until the watermark is past that (as in Flink, whose cache drops rows of times before the bound), so a
//! row of the other side that is only just late (its time is the watermark) still finds it.
//!
//! In Flink a late row finds what the cache of the other side still holds, which depends on how the two inputs and their
//! partitions interleave. Here a pair is given iff neither row was `behind` a watermark past the other's expiry when it left
//! its source. That says the same of both rows, so it does not matter which comes first; and it implies that the one that
//! comes first is still there: the merged watermark is never ahead of that of the second row's own partition.
//!
//! What is emitted is older than the input's watermark, by no more than the bounds allow; the watermark that goes on is held
//! back by so much, so nothing emitted is late by it. Only rows without a match (outer joins) may have been late themselves:
//! they go on with their own watermark, held back likewise.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::row::OwnedRow;

use super::join_rows::{JoinRows, Joined, Side, Sides};
use super::{Metrics, Operator, Output, event_times};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::{Join, JoinTime};
use crate::state::{Marks, StatePart, with_numbers};
use crate::time::{Millis, Watermark};

/// A key as it stands in the state, shared by the maps that name it.
type Key = Arc<OwnedRow>;

/// Where a row is kept among those of its key: its time, then the number of its arrival.
type Place = (Millis, u64);

/// A row that waits for matches.
#[derive(Debug)]
struct Held {
    row: OwnedRow,
    /// The watermark of its source partition, where it was behind it.
    behind: Option<Millis>,
    is_matched: bool,
}

/// The rows of one side that wait: of each key in order of time, and all in order of time.
#[derive(Debug, Default)]
struct Waiting {
    rows: HashMap<Key, BTreeMap<Place, Held>>,
    order: BTreeSet<(Place, Key)>,
    marks: Marks<(Place, Key)>,
}

impl Waiting {
    fn insert(&mut self, key: &OwnedRow, place: Place, held: Held) {
        let key = match self.rows.get_key_value(key) {
            Some((key, _)) => Arc::clone(key),
            None => Arc::new(key.clone()),
        };
        let id = (place, Arc::clone(&key));
        self.marks.mark(&id);
        self.order.insert(id);
        self.rows.entry(key).or_default().insert(place, held);
    }

    fn get(&self, (place, key): &(Place, Key)) -> Option<&Held> {
        self.rows.get(key)?.get(place)
    }

    fn is_matched(&mut self, id: &(Place, Key)) {
        let rows = self.rows.get_mut(&id.1);
        if let Some(held) = rows.and_then(|rows| rows.get_mut(&id.0))
            && !held.is_matched
        {
            held.is_matched = true;
            self.marks.mark(id);
        }
    }

    /// Takes out the first row, if its time is before `time`.
    fn pop_before(&mut self, time: Millis) -> Option<(Millis, Held)> {
        self.order.first().filter(|(place, _)| place.0 < time)?;
        let id = self.order.pop_first()?;
        self.marks.mark(&id);
        let (place, key) = id;
        let rows = self.rows.get_mut(&key)?;
        let held = rows.remove(&place);
        if rows.is_empty() {
            self.rows.remove(&key);
        }
        Some((place.0, held?))
    }
}

/// A row that never had a match.
struct Unmatched {
    row: OwnedRow,
    time: Millis,
    behind: Option<Millis>,
}

/// Joins two append-only inputs within bounds of their times (Flink: IntervalJoin). Append-only.
pub struct IntervalJoin {
    rows: JoinRows,
    times: Sides<usize>,
    lower: Millis,
    upper: Millis,
    waiting: Sides<Waiting>,
    watermark: Millis,
    arrived: u64,
}

/// State columns behind those of the side. No column of a query can have such a name before it.
const BEHIND: &str = "__behind";
const MATCHED: &str = "__matched";
const ARRIVED: &str = "__arrived";

impl IntervalJoin {
    /// Nothing kept yet. Nothing is ever dropped as late (Flink neither), so there is nothing to count.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(
        join: &Arc<Join>,
        left: &SchemaRef,
        right: &SchemaRef,
        output: &SchemaRef,
        _metrics: Arc<Metrics>,
    ) -> Result<Self> {
        let JoinTime::Interval {
            left: left_time,
            right: right_time,
            lower,
            upper,
        } = join.time
        else {
            return Err(Error::internal("an interval join without bounds"));
        };
        if !join.kind.gives_pairs() {
            return Err(Error::internal("a semi or anti join with bounds of time"));
        }
        Ok(Self {
            rows: JoinRows::new(join, left, right, output)?,
            times: Sides {
                left: left_time,
                right: right_time,
            },
            lower,
            upper,
            waiting: Sides::default(),
            watermark: Millis::MIN,
            arrived: 0,
        })
    }

    /// How long after a row of `side` the last row that matches it can be.
    fn hold(&self, side: Side) -> Millis {
        match side {
            Side::Left => self.lower.saturating_neg(),
            Side::Right => self.upper,
        }
    }

    /// The times of the other side that match a row of `side`: from, to.
    fn matching_times(&self, side: Side, time: Millis) -> (Millis, Millis) {
        match side {
            Side::Left => (
                time.saturating_sub(self.upper),
                time.saturating_sub(self.lower),
            ),
            Side::Right => (
                time.saturating_add(self.lower),
                time.saturating_add(self.upper),
            ),
        }
    }

    /// How far behind the watermark an emitted row can be, and a millisecond more. The first row of a pair is there as long as
    /// the watermark is not past its expiry; the second is no further away from it than the bounds.
    fn delay(&self) -> Millis {
        let width = self.upper.saturating_sub(self.lower);
        let furthest = width.max(self.upper).max(self.lower.saturating_neg());
        furthest.max(0).saturating_add(1)
    }

    /// Whether a row that was `behind` a watermark is too late for a row of `side` at `time`.
    fn is_past(&self, side: Side, time: Millis, behind: Option<Millis>) -> bool {
        behind.is_some_and(|w| w > time.saturating_add(self.hold(side)))
    }

    /// Finds the matches of new rows, emits the pairs and remembers on both sides who has one. Returns that of the new rows.
    fn pair(
        &mut self,
        side: Side,
        batch: &Batch,
        keys: &[OwnedRow],
        times: &Int64Array,
        out: &mut Output,
    ) -> Result<Vec<bool>> {
        let other = side.other();
        let matchable = self.rows.matchable(side, &batch.rows);
        let mut candidates: Vec<(u32, u32)> = Vec::new();
        let mut others: Vec<(&Key, Place, &OwnedRow)> = Vec::new();
        let mut known: HashMap<(*const OwnedRow, Place), u32> = HashMap::new();
        let waiting = &self.waiting.of(other).rows;
        for (i, key) in keys.iter().enumerate() {
            if matchable.as_ref().is_some_and(|valid| valid.is_null(i)) {
                continue;
            }
            let Some((key, rows)) = waiting.get_key_value(key) else {
                continue;
            };
            let (time, behind) = (times.value(i), batch.behind(i));
            let (from, to) = self.matching_times(side, time);
            if from > to {
                continue;
            }
            for (place, held) in rows.range((from, 0)..=(to, u64::MAX)) {
                if self.is_past(other, place.0, behind) || self.is_past(side, time, held.behind) {
                    continue;
                }
                let id = (Arc::as_ptr(key), *place);
                let o = *known.entry(id).or_insert_with(|| {
                    others.push((key, *place, &held.row));
                    others.len() as u32 - 1
                });
                candidates.push((i as u32, o));
            }
        }
        let mut is_matched = vec![false; keys.len()];
        if candidates.is_empty() {
            return Ok(is_matched);
        }
        let decoded = self
            .rows
            .sides
            .of(other)
            .rows
            .decode(others.iter().map(|(_, _, row)| *row))?;
        let pairs =
            self.rows
                .matching(side, &batch.rows, &decoded, candidates.into_iter(), |i| i)?;
        let joined = |(i, o): &(u32, u32)| Joined {
            this: Some(*i),
            other: Some(*o),
            mark: true,
        };
        let joined: Vec<Joined> = pairs.iter().map(joined).collect();
        let rows = self.rows.result(side, &batch.rows, &decoded, &joined)?;
        out.batch(Batch::append(rows));
        let mut newly: Vec<(Place, Key)> = Vec::new();
        let kind = self.rows.join.kind;
        for (i, o) in pairs {
            is_matched
                .get_mut(i as usize)
                .into_iter()
                .for_each(|m| *m = true);
            if kind.depends_on_matches(other)
                && let Some((key, place, _)) = others.get(o as usize)
            {
                newly.push((*place, Arc::clone(key)));
            }
        }
        for id in newly {
            self.waiting.of_mut(other).is_matched(&id);
        }
        Ok(is_matched)
    }

    /// Emits rows of `side` that have no match.
    fn pad(&self, side: Side, rows: &[Unmatched], out: &mut Output) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let these = self
            .rows
            .sides
            .of(side)
            .rows
            .decode(rows.iter().map(|u| &u.row))?;
        let nothing = self.rows.sides.of(side.other()).rows.decode([])?;
        let alone = |i: u32| Joined {
            this: Some(i),
            other: None,
            mark: false,
        };
        let joined: Vec<Joined> = (0..rows.len() as u32).map(alone).collect();
        let mut batch = Batch::append(self.rows.result(side, &these, &nothing, &joined)?);
        let delay = self.delay();
        let behind = |u: &Unmatched| {
            let watermark = u.behind?.saturating_sub(delay);
            (u.time <= watermark.saturating_add(1)).then_some(watermark)
        };
        let behind: Int64Array = rows.iter().map(behind).collect();
        batch.behind = (behind.null_count() < behind.len()).then_some(behind);
        out.batch(batch);
        Ok(())
    }
}

impl Operator for IntervalJoin {
    fn on_batch(&mut self, port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let side = Side::of_port(port);
        let codecs = self.rows.sides.of(side);
        let times = event_times(batch.rows.column(*self.times.of(side)))?;
        if times.null_count() > 0 {
            return Err(
                Error::data("the time attribute of an interval join is NULL").with_help(
                    "RowTime field should not be null: filter such rows away before the join",
                ),
            );
        }
        let keys = codecs.keys_of(&batch.rows)?;
        let rows = codecs.rows.encode_rows(&batch.rows)?;
        let matched = self.pair(side, &batch, &keys, &times, out)?;
        let matchable = self.rows.matchable(side, &batch.rows);
        let (hold, is_outer) = (
            self.hold(side),
            self.rows.join.kind.depends_on_matches(side),
        );
        let mut unmatched = Vec::new();
        for (i, ((key, row), is_matched)) in keys.iter().zip(rows).zip(matched).enumerate() {
            let (time, behind) = (times.value(i), batch.behind(i));
            let can_match = matchable.as_ref().is_none_or(|valid| valid.is_valid(i));
            if can_match && self.watermark <= time.saturating_add(hold) {
                let place = (time, self.arrived);
                self.arrived += 1;
                self.waiting.of_mut(side).insert(
                    key,
                    place,
                    Held {
                        row,
                        behind,
                        is_matched,
                    },
                );
            } else if is_outer && !is_matched {
                unmatched.push(Unmatched { row, time, behind });
            }
        }
        self.pad(side, &unmatched, out)
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        let Watermark::At(now) = watermark else {
            out.watermark(watermark);
            return Ok(());
        };
        self.watermark = now;
        for side in Side::BOTH {
            let is_outer = self.rows.join.kind.depends_on_matches(side);
            let before = now.saturating_sub(self.hold(side));
            let mut unmatched = Vec::new();
            while let Some((time, held)) = self.waiting.of_mut(side).pop_before(before) {
                if is_outer && !held.is_matched {
                    unmatched.push(Unmatched {
                        row: held.row,
                        time,
                        behind: held.behind,
                    });
                }
            }
            self.pad(side, &unmatched, out)?;
        }
        out.watermark(match now {
            Millis::MAX => watermark,
            _ => Watermark::At(now.saturating_sub(self.delay())),
        });
        Ok(())
    }

    /// Parts "left" and "right": the columns of the side, `__behind`, `__matched` and `__arrived`. The state's key is that of
    /// the join with the number of arrival.
    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        let mut parts = Vec::new();
        for side in Side::BOTH {
            let changed = self.waiting.of_mut(side).marks.take();
            let waiting = self.waiting.of(side);
            let ids: Vec<&(Place, Key)> = match &changed {
                None => waiting.order.iter().collect(),
                Some(changed) => changed.keys().collect(),
            };
            let (mut there, mut gone) = (Vec::new(), Vec::new());
            for id in ids {
                match waiting.get(id) {
                    Some(held) => there.push((id.0.1, held)),
                    None => gone.push(id),
                }
            }
            let codecs = self.rows.sides.of(side);
            let rows = codecs.rows.decode(there.iter().map(|(_, h)| &h.row))?;
            let behind = there.iter().map(|(_, h)| h.behind).collect();
            let rows = with_numbers(&rows, BEHIND, behind)?;
            let mut fields = rows.schema().fields().to_vec();
            let mut columns = rows.columns().to_vec();
            let matched: BooleanArray = there.iter().map(|(_, h)| Some(h.is_matched)).collect();
            fields.push(Arc::new(Field::new(MATCHED, DataType::Boolean, true)));
            columns.push(Arc::new(matched));
            let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
            let arrived = |n: u64| n as i64;
            let numbers = there.iter().map(|(n, _)| arrived(*n));
            let rows = with_numbers(&rows, ARRIVED, Int64Array::from_iter_values(numbers))?;
            let mut key = codecs.key_columns.clone();
            key.push(rows.num_columns() - 1);
            let part = StatePart::keyed(side.name(), rows, &codecs.key_columns)?;
            let keys = codecs.keys.decode(gone.iter().map(|id| id.1.as_ref()))?;
            let numbers = gone.iter().map(|id| arrived(id.0.1));
            let gone = with_numbers(&keys, ARRIVED, Int64Array::from_iter_values(numbers))?;
            parts.push(part.replacing(key, changed.is_some().then_some(gone)));
        }
        Ok(parts)
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        for part in parts {
            let side = Side::of_part(&part.name)?;
            let codecs = self.rows.sides.of(side);
            let width = codecs.width();
            let columns = part.rows.columns();
            let numbers = |at: usize| columns.get(at)?.as_primitive_opt::<Int64Type>();
            let matched = columns.get(width + 1).and_then(|c| c.as_boolean_opt());
            let (Some(behind), Some(matched), Some(arrived)) =
                (numbers(width), matched, numbers(width + 2))
            else {
                return Err(Error::internal(format!(
                    "state '{}' is of other rows",
                    part.name
                )));
            };
            let times = event_times(part.rows.column(*self.times.of(side)))?;
            let keys = codecs.keys_of(&part.rows)?;
            let own: Vec<usize> = (0..width).collect();
            let rows = codecs.rows.encode_columns(&part.rows, &own)?;
            for (i, (key, row)) in keys.iter().zip(rows).enumerate() {
                let behind = behind.is_valid(i).then(|| behind.value(i));
                let place = (times.value(i), arrived.value(i) as u64);
                self.arrived = self.arrived.max(place.1 + 1);
                let held = Held {
                    row,
                    behind,
                    is_matched: matched.value(i),
                };
                self.waiting.of_mut(side).insert(key, place, held);
            }
        }
        for side in Side::BOTH {
            self.waiting.of_mut(side).marks.start();
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::graph::JoinKind;
    use proptest::prelude::*;

    fn side() -> SchemaRef {
        schema(&["k", "v", "t"])
    }

    fn plan(kind: JoinKind, lower: Millis, upper: Millis) -> Join {
        Join {
            kind,
            time: JoinTime::Interval {
                left: 2,
                right: 2,
                lower,
                upper,
            },
            keys: vec![(0, 0)],
            nulls_equal: false,
            filter: None,
            null_aware: false,
            ttl: None,
        }
    }

    fn build(join: Join) -> IntervalJoin {
        let output = schema(&["k", "v", "t", "k2", "v2", "t2"]);
        IntervalJoin::new(&Arc::new(join), &side(), &side(), &output, Arc::default()).unwrap()
    }

    fn row(k: i64, v: i64, t: i64) -> Batch {
        rows(&side(), &[[k, v, t]])
    }

    #[test]
    fn pairs_within_the_bounds_are_given_as_they_arrive() {
        let mut op = build(plan(JoinKind::Inner, -10, 5));
        let right = rows(
            &side(),
            &[
                [1, 0, 94],
                [1, 1, 95],
                [1, 2, 110],
                [1, 3, 111],
                [2, 4, 100],
            ],
        );
        assert_eq!(feed(&mut op, 1, right), []);
        let pair = |v, t| (vec![1, 9, 100, 1, v, t], 1);
        assert_eq!(
            feed(&mut op, 0, row(1, 9, 100)),
            [pair(1, 95), pair(2, 110)]
        );
        assert_eq!(feed(&mut op, 1, row(1, 5, 105)), [pair(5, 105)]);
    }

    #[test]
    fn rows_are_freed_once_the_watermark_is_past_their_last_match() {
        let mut op = build(plan(JoinKind::Inner, -10, 5));
        feed(&mut op, 0, row(1, 0, 100));
        feed(&mut op, 1, row(2, 0, 100));
        let kept = |op: &IntervalJoin| (op.waiting.left.order.len(), op.waiting.right.order.len());
        advance(&mut op, 105);
        assert_eq!(kept(&op), (1, 1));
        advance(&mut op, 106);
        assert_eq!(kept(&op), (1, 0));
        advance(&mut op, 110);
        let at_the_bound = behind(row(1, 1, 110), &[Some(110)]);
        assert_eq!(
            feed(&mut op, 1, at_the_bound),
            [(vec![1, 0, 100, 1, 1, 110], 1)]
        );
        advance(&mut op, 111);
        assert_eq!(kept(&op), (0, 1));
        assert!(op.waiting.left.rows.is_empty());
        feed(&mut op, 0, row(1, 2, 50));
        assert_eq!(kept(&op), (0, 1), "expired on arrival");
    }

    /// Whichever comes first.
    #[test]
    fn a_row_past_the_others_expiry_finds_it_no_more() {
        let late = |w| behind(row(1, 1, 104), &[Some(w)]);
        for (watermark, pairs) in [(110, 1), (111, 0)] {
            let mut op = build(plan(JoinKind::Inner, -10, 5));
            feed(&mut op, 0, row(1, 0, 100));
            assert_eq!(feed(&mut op, 1, late(watermark)).len(), pairs);
            let mut op = build(plan(JoinKind::Inner, -10, 5));
            feed(&mut op, 1, late(watermark));
            assert_eq!(feed(&mut op, 0, row(1, 0, 100)).len(), pairs);
        }
    }

    #[test]
    fn rows_without_a_match_are_padded_when_they_expire() {
        let mut op = build(plan(JoinKind::Full, -10, 5));
        feed(&mut op, 0, rows(&side(), &[[1, 0, 100], [1, 1, 120]]));
        assert_eq!(feed(&mut op, 1, row(1, 2, 118)).len(), 1);
        feed(&mut op, 1, row(2, 3, 118));
        assert_eq!(advance(&mut op, 110), []);
        assert_eq!(
            advance(&mut op, 111),
            [(vec![1, 0, 100, NULL, NULL, NULL], 1)]
        );
        assert_eq!(
            advance(&mut op, 200),
            [(vec![NULL, NULL, NULL, 2, 3, 118], 1)]
        );
        let null = Batch::append(record_batch(&side(), &[vec![None, Some(7), Some(300)]]));
        assert_eq!(
            feed(&mut op, 0, null),
            [(vec![NULL, 7, 300, NULL, NULL, NULL], 1)]
        );
        let mut out = Output::default();
        op.on_batch(0, behind(row(9, 9, 100), &[Some(205)]), &mut out)
            .unwrap();
        let padded = batches(&out).next().unwrap();
        assert_eq!(
            padded.behind(0),
            Some(205 - 16),
            "late where it came from, late behind the join"
        );
    }

    #[test]
    fn the_watermark_is_held_back_by_the_bounds() {
        let delayed = |lower, upper, w| {
            let mut op = build(plan(JoinKind::Inner, lower, upper));
            let mut out = Output::default();
            op.on_watermark(w, &mut out).unwrap();
            watermarks(&out)[0]
        };
        assert_eq!(delayed(-10, 5, Watermark::At(100)), Watermark::At(84));
        assert_eq!(delayed(5, 10, Watermark::At(100)), Watermark::At(89));
        assert_eq!(delayed(-10, -5, Watermark::At(100)), Watermark::At(89));
        assert_eq!(delayed(0, 0, Watermark::At(100)), Watermark::At(99));
        assert_eq!(
            delayed(-10, 5, Watermark::At(i64::MAX)),
            Watermark::At(i64::MAX)
        );
        assert_eq!(delayed(-10, 5, Watermark::Idle), Watermark::Idle);
    }

    fn from_scratch(
        join: &Join,
        lower: Millis,
        upper: Millis,
        inputs: &[Vec<Numbers>; 2],
    ) -> Folded {
        let mut result = Folded::new();
        let matches = |l: &Numbers, r: &Numbers| {
            let apart = l[2].unwrap() - r[2].unwrap();
            let residual = join.filter.is_none() || l[1] < r[1];
            l[0].is_some() && l[0] == r[0] && (lower..=upper).contains(&apart) && residual
        };
        let mut add = |l: &Numbers, r: &Numbers| {
            *result
                .entry(l.iter().chain(r).copied().collect())
                .or_default() += 1;
        };
        let [left, right] = inputs;
        let nulls = vec![None; 3];
        for l in left {
            right
                .iter()
                .filter(|r| matches(l, r))
                .for_each(|r| add(l, r));
            if matches!(join.kind, JoinKind::Left | JoinKind::Full)
                && !right.iter().any(|r| matches(l, r))
            {
                add(l, &nulls);
            }
        }
        for r in right {
            if matches!(join.kind, JoinKind::Right | JoinKind::Full)
                && !left.iter().any(|l| matches(l, r))
            {
                add(&nulls, r);
            }
        }
        result
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        /// Two inputs in order, each with a watermark at its last row, interleaved in any way and cut anywhere: the result is
        /// that of all rows, and nothing is emitted behind the watermark that went before.
        #[test]
        fn any_interleaving_gives_the_same_pairs(
            steps in proptest::collection::vec(
                (
                    0usize..2, proptest::option::weighted(0.9, 0i64..2), 0i64..3, 0i64..4,
                    proptest::option::weighted(0.05, 1usize..4),
                ),
                0..40,
            ),
            kind in 0usize..4, filtered: bool, lower in -8i64..8, width in 0i64..8,
        ) {
            let kind = [JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full][kind];
            let upper = lower + width;
            let filter = filtered.then(|| less_than(1, 4));
            let join = Join { filter, ..plan(kind, lower, upper) };
            let make = || build(join.clone());
            let mut instances = Instances::new(1, make);
            let (mut inputs, mut folded) = ([Vec::new(), Vec::new()], Folded::new());
            let mut clocks = [100i64, 100];
            let delay = build(join.clone()).delay();
            let mut merged = i64::MIN;
            for (port, k, v, after, rescale) in steps {
                clocks[port] += after;
                let numbers = vec![k, Some(v), Some(clocks[port])];
                let late = (after == 0).then_some(clocks[port]);
                inputs[port].push(numbers.clone());
                let batch = behind(Batch::append(record_batch(&side(), &[numbers])), &[late]);
                let mut emitted = Folded::new();
                instances.on_batch(port, &batch, &[0], &mut emitted);
                if let Some(parallelism) = rescale {
                    instances.rescale(parallelism, make);
                }
                let now = clocks[0].min(clocks[1]);
                // Both inputs have said where they are.
                if now > merged && !inputs[0].is_empty() && !inputs[1].is_empty() {
                    instances.on_watermark(now, &mut emitted);
                }
                for (row, weight) in emitted {
                    let oldest = [row[2], row[5]].into_iter().flatten().min();
                    prop_assert!(oldest.is_some_and(|t| t > merged.saturating_sub(delay)));
                    *folded.entry(row).or_default() += weight;
                }
                if !inputs[0].is_empty() && !inputs[1].is_empty() {
                    merged = now;
                }
            }
            instances.on_watermark(i64::MAX, &mut folded);
            prop_assert_eq!(folded, from_scratch(&join, lower, upper, &inputs));
        }

        /// Rows that are late where they come from: what is found does not depend on the interleaving either.
        #[test]
        fn late_rows_find_the_same_whatever_comes_first(
            rows in proptest::collection::vec((0usize..2, 100i64..120, 0i64..12), 1..16),
            seeds in (any::<u64>(), any::<u64>()), lower in -6i64..6, width in 0i64..6,
        ) {
            let join = plan(JoinKind::Full, lower, lower + width);
            // Each side in its order, with its own watermark.
            let mut inputs: [Vec<(i64, Option<i64>, i64)>; 2] = [Vec::new(), Vec::new()];
            let mut own = [0, 0];
            for (port, time, late) in rows {
                let time = time - late;
                let watermark: i64 = own[port];
                let late = (time <= watermark + 1 && watermark > 0).then_some(watermark);
                own[port] = watermark.max(time);
                inputs[port].push((time, late, own[port]));
            }
            let run = |seed: u64| {
                let mut random = fastrand::Rng::with_seed(seed);
                let mut op = build(join.clone());
                let (mut folded, mut at) = (Folded::new(), [0, 0]);
                let mut said: [Option<i64>; 2] = [None, None];
                while (0..2).any(|p| at[p] < inputs[p].len()) {
                    let port = random.usize(..2);
                    let Some((time, late, watermark)) = inputs[port].get(at[port]).copied() else {
                        continue;
                    };
                    let mut out = Output::default();
                    let number = at[port] as i64;
                    at[port] += 1;
                    op.on_batch(port, behind(row(1, number, time), &[late]), &mut out).unwrap();
                    said[port] = Some(watermark);
                    if at[port] == inputs[port].len() {
                        said[port] = Some(i64::MAX);
                    }
                    if let [Some(a), Some(b)] = said {
                        op.on_watermark(Watermark::At(a.min(b)), &mut out).unwrap();
                    }
                    fold(&mut folded, &out);
                }
                let mut out = Output::default();
                op.on_watermark(Watermark::At(i64::MAX), &mut out).unwrap();
                fold(&mut folded, &out);
                folded
            };
            prop_assert_eq!(run(seeds.0), run(seeds.1));
        }
    }
}
