//! Deduplication that keeps the first row of each key, by time or by arrival: emitted once, never retracted.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::late::{LateRows, Reason, too_late};
use super::{Element, Metrics, Operator, Output, ROWS_AT_ONCE, event_times};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::{Rank, RankTime};
use crate::state::{Keys, Slot, StatePart, Table, TableSnapshot, without_numbers};
use crate::time::{Millis, Watermark};

/// Where a row waits: its time, then the number of its arrival.
type Place = (Millis, u64);

/// The first row of each partition (Flink: Deduplicate that keeps the first row). By time a row is emitted when the watermark
/// reaches it, and one behind the watermark is dropped (one at it is not: it goes with the next watermark, unless its key is
/// done); by arrival it is emitted at once. Afterwards it is only known that the key is done.
pub struct FirstRow {
    rank: Arc<Rank>,
    output: SchemaRef,
    /// The time column; `None`: by arrival.
    time: Option<usize>,
    /// The first row so far of each key that is not done, and the watermark of its source partition, where it was at it.
    waiting: Table,
    /// Where the rows of these slots wait.
    places: Vec<Place>,
    order: BTreeMap<Place, Slot>,
    /// The keys that are done.
    done: Table,
    watermark: Millis,
    arrived: u64,
    metrics: Arc<Metrics>,
}

/// A state column of our own. No column of a query can have such a name before it.
const BEHIND: &str = "__behind";

impl FirstRow {
    /// Nothing kept yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(
        rank: &Arc<Rank>,
        input: &SchemaRef,
        output: &SchemaRef,
        metrics: Arc<Metrics>,
    ) -> Result<Self> {
        let time = match rank.time {
            RankTime::FirstByTime(column) => Some(column),
            RankTime::FirstByArrival => None,
            RankTime::Updating | RankTime::Window(_) => {
                return Err(Error::internal("a first row by neither time nor arrival"));
            }
        };
        let key = &rank.partition;
        let mut fields = input.fields().to_vec();
        fields.push(Arc::new(Field::new(BEHIND, DataType::Int64, true)));
        let rows = Arc::new(Schema::new(fields));
        let keys: Vec<usize> = (0..key.len()).collect();
        let done = Arc::new(input.project(key)?);
        Ok(Self {
            waiting: Table::new("waiting", rows, key, key, None)?,
            places: Vec::new(),
            order: BTreeMap::new(),
            done: Table::new("done", done, &keys, &keys, rank.ttl)?,
            output: Arc::clone(output),
            rank: Arc::clone(rank),
            time,
            watermark: Millis::MIN,
            arrived: 0,
            metrics,
        })
    }

    fn keys_of(&self, rows: &RecordBatch) -> Result<Keys> {
        let keys = self.rank.partition.iter();
        let keys: Vec<ArrayRef> = keys.map(|k| Arc::clone(rows.column(*k))).collect();
        // Both tables have the same key.
        self.done.keys_of(&keys, rows.num_rows())
    }

    fn add_by_time(&mut self, batch: &Batch, column: usize) -> Result<LateRows> {
        let times = event_times(batch.rows.column(column))?;
        if times.null_count() > 0 {
            return Err(Error::data("the time attribute of a deduplication is NULL")
                .with_help("RowTime field should not be null: filter such rows away before it"));
        }
        let keys = self.keys_of(&batch.rows)?;
        let mut late = LateRows::default();
        let (mut slots, mut rows) = (Vec::new(), Vec::new());
        for i in 0..keys.count() {
            let (time, behind) = (times.value(i), batch.behind(i));
            if let Some(watermark) = too_late(time.saturating_add(1), behind, self.watermark) {
                late.add(i, watermark, Reason::Time(time));
                continue;
            }
            if self.done.find(&keys, i).is_some() {
                continue;
            }
            if let Some(first) = self.waiting.find(&keys, i) {
                // Of rows of the same time the earlier one stays.
                let place = self.places[first as usize];
                if place.0 <= time {
                    continue;
                }
                self.order.remove(&place);
            }
            let (slot, _) = self.waiting.write(&keys, i)?;
            self.wait(slot, time);
            slots.push(slot);
            rows.push(i as u32);
        }
        if slots.is_empty() {
            return Ok(late);
        }
        let indices = UInt32Array::from(rows);
        let mut columns = Vec::with_capacity(batch.rows.num_columns() + 1);
        for column in batch.rows.columns() {
            columns.push(take(column, &indices, None)?);
        }
        let behind = indices.values().iter().map(|i| batch.behind(*i as usize));
        columns.push(Arc::new(behind.collect::<Int64Array>()));
        self.waiting.set_rows(&slots, &columns)?;
        Ok(late)
    }

    /// The row of a slot waits for the watermark to come to `time`.
    fn wait(&mut self, slot: Slot, time: Millis) {
        let place = (time, self.arrived);
        self.arrived += 1;
        let slots = self.waiting.slots();
        self.places.resize(slots, (Millis::MIN, 0));
        self.places[slot as usize] = place;
        self.order.insert(place, slot);
    }

    fn first_by_arrival(&mut self, batch: &Batch) -> Result<Batch> {
        let keys = self.keys_of(&batch.rows)?;
        let mut keep = Vec::with_capacity(keys.count());
        for i in 0..keys.count() {
            let is_first = self.done.find(&keys, i).is_none();
            if is_first {
                self.done.write(&keys, i)?;
            }
            keep.push(is_first);
        }
        let kept = batch.filter(&BooleanArray::from(keep))?;
        Ok(kept.with_rows(self.with_rank(kept.rows.clone())?))
    }

    fn with_rank(&self, rows: RecordBatch) -> Result<RecordBatch> {
        let n = rows.num_rows();
        let mut columns = rows.columns().to_vec();
        if self.rank.with_rank {
            columns.push(Arc::new(Int64Array::from(vec![1; n])));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(n));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.output),
            columns,
            &options,
        )?)
    }

    /// Emits at most one batch of the rows that the watermark has reached; returns whether there are more.
    fn fire(&mut self, time: Millis, out: &mut Output) -> Result<bool> {
        let mut first = Vec::new();
        while first.len() < ROWS_AT_ONCE
            && let Some(entry) = self.order.first_entry()
            && entry.key().0 <= time
        {
            first.push(entry.remove());
        }
        let has_more = first.len() == ROWS_AT_ONCE;
        let rows = self.waiting.rows(&first)?;
        let (rows, behind) = without_numbers(&rows)?;
        let keys = self.keys_of(&rows)?;
        for (i, slot) in first.into_iter().enumerate() {
            self.done.write(&keys, i)?;
            self.waiting.remove(slot)?;
        }
        let mut batch = Batch::append(self.with_rank(rows)?);
        batch.behind = (behind.null_count() < behind.len()).then_some(behind);
        out.batch(batch);
        Ok(has_more)
    }
}

impl Operator for FirstRow {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        match self.time {
            Some(column) => self.add_by_time(&batch, column)?.hand_out(
                "Deduplicate",
                &batch,
                &self.metrics,
                out,
            )?,
            None => out.batch(self.first_by_arrival(&batch)?),
        }
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(time) = watermark {
            self.watermark = time;
            if self.fire(time, out)? {
                out.rest = Some(Element::Watermark(watermark));
                return Ok(());
            }
            self.done.expire_by_watermark(time)?;
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.done.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        self.done.expire_by_clock(now)
    }

    /// Parts "waiting", the rows and `__behind`, and "done", the keys.
    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        let mut parts = self.waiting.snapshot()?;
        parts.extend(self.done.snapshot()?);
        Ok(parts)
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.waiting.restore_all(&parts)?;
        self.done.restore_all(&parts)?;
        let Some(column) = self.time else {
            return Ok(());
        };
        for slots in self.waiting.pieces() {
            let times = self.waiting.columns(&[column], &slots)?;
            let times = event_times(&times[0])?;
            for (slot, time) in slots.into_iter().zip(times.values()) {
                self.wait(slot, *time);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::graph::RankFunction;
    use crate::state::StateTtl;
    use std::sync::atomic::Ordering;

    fn input() -> SchemaRef {
        schema(&["k", "v", "t"])
    }

    fn plan(time: RankTime) -> Rank {
        Rank {
            function: RankFunction::RowNumber,
            partition: vec![0],
            order: vec![],
            from: 1,
            to: 1,
            with_rank: false,
            time,
            retracts: false,
            last_first: false,
            ttl: None,
        }
    }

    fn build(rank: Rank, metrics: &Arc<Metrics>) -> FirstRow {
        let output = if rank.with_rank {
            schema(&["k", "v", "t", "rank"])
        } else {
            input()
        };
        FirstRow::new(&Arc::new(rank), &input(), &output, Arc::clone(metrics)).unwrap()
    }

    fn by_time() -> Rank {
        plan(RankTime::FirstByTime(2))
    }

    #[test]
    fn the_first_row_by_time_is_given_once_at_the_watermark() {
        let mut op = build(by_time(), &Arc::default());
        let all = rows(
            &input(),
            &[[1, 0, 50], [1, 1, 40], [1, 2, 40], [2, 3, 45], [3, 4, 90]],
        );
        assert_eq!(feed(&mut op, 0, all), []);
        assert_eq!(advance(&mut op, 39), []);
        assert_eq!(
            advance(&mut op, 50),
            [(vec![1, 1, 40], 1), (vec![2, 3, 45], 1)]
        );
        assert_eq!(
            feed(&mut op, 0, rows(&input(), &[[1, 5, 60], [4, 6, 60]])),
            []
        );
        assert_eq!(
            advance(&mut op, i64::MAX),
            [(vec![4, 6, 60], 1), (vec![3, 4, 90], 1)]
        );
        assert!(op.waiting.is_empty() && op.order.is_empty());
    }

    #[test]
    fn a_row_behind_the_watermark_of_its_partition_is_late_and_one_at_it_is_not() {
        let metrics: Arc<Metrics> = Arc::default();
        let mut op = build(by_time(), &metrics);
        let all = rows(&input(), &[[1, 0, 49], [2, 1, 50], [3, 2, 51], [4, 3, 60]]);
        let all = behind(all, &[Some(50), Some(50), Some(50), None]);
        feed(&mut op, 0, all);
        assert_eq!(advance(&mut op, 50), [(vec![2, 1, 50], 1)]);
        feed(
            &mut op,
            0,
            behind(rows(&input(), &[[2, 4, 50], [5, 5, 50]]), &[Some(50); 2]),
        );
        let mut other = build(by_time(), &metrics);
        other.restore(taken(&mut op)).unwrap();
        for op in [&mut op, &mut other] {
            let mut out = Output::default();
            op.on_watermark(Watermark::At(70), &mut out).unwrap();
            let first = batches(&out).next().unwrap();
            let keys: Vec<_> = numbers(first).iter().map(|(row, _)| row[0]).collect();
            assert_eq!(keys, [5, 3, 4].map(Some), "2 is done");
            assert_eq!(first.behind(0), Some(50), "late here, late behind it");
        }
        feed(&mut op, 0, rows(&input(), &[[6, 6, 69]]));
        assert_eq!(metrics.late_rows.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn the_first_row_to_arrive_is_given_at_once_with_its_watermark() {
        let mut op = build(
            Rank {
                with_rank: true,
                ..plan(RankTime::FirstByArrival)
            },
            &Arc::default(),
        );
        let all = behind(
            rows(&input(), &[[1, 0, 50], [1, 1, 40], [2, 2, 30]]),
            &[None, None, Some(99)],
        );
        let mut out = Output::default();
        op.on_batch(0, all, &mut out).unwrap();
        let first: Vec<&Batch> = batches(&out).collect();
        assert_eq!(first.len(), 1);
        assert_eq!((first[0].behind(0), first[0].behind(1)), (None, Some(99)));
        let both = [
            ([1, 0, 50, 1].map(Some).to_vec(), 1),
            ([2, 2, 30, 1].map(Some).to_vec(), 1),
        ];
        assert_eq!(numbers(first[0]), both);
        assert_eq!(feed(&mut op, 0, rows(&input(), &[[2, 3, 10]])), []);
    }

    #[test]
    fn a_key_is_forgotten_after_the_ttl() {
        let ttl = Some(StateTtl {
            after: 10,
            by_event_time: false,
        });
        let mut op = build(
            Rank {
                ttl,
                ..plan(RankTime::FirstByArrival)
            },
            &Arc::default(),
        );
        let row = || rows(&input(), &[[1, 0, 0]]);
        let mut out = Output::default();
        op.on_clock(100, &mut out).unwrap();
        assert_eq!(feed(&mut op, 0, row()).len(), 1);
        op.on_clock(109, &mut out).unwrap();
        assert_eq!(feed(&mut op, 0, row()).len(), 0);
        op.on_clock(110, &mut out).unwrap();
        assert_eq!(feed(&mut op, 0, row()).len(), 1);
    }

    #[test]
    fn state_is_restored_at_another_parallelism() {
        let metrics = Arc::default();
        let make = || build(by_time(), &metrics);
        let (mut once, mut twice) = (Instances::new(1, make), Instances::new(3, make));
        let (mut expected, mut folded) = (Folded::new(), Folded::new());
        for (i, values) in [[[1, 5, 10], [2, 5, 30]], [[1, 6, 20], [3, 5, 15]]]
            .iter()
            .enumerate()
        {
            let batch = rows(&input(), values);
            once.on_batch(0, &batch, &[0], &mut expected);
            twice.on_batch(0, &batch, &[0], &mut folded);
            let time = 12 * (i as i64 + 1);
            once.on_watermark(time, &mut expected);
            twice.on_watermark(time, &mut folded);
            twice.rescale(2, make);
        }
        once.on_watermark(300, &mut expected);
        twice.on_watermark(300, &mut folded);
        assert_eq!(folded, expected);
        assert_eq!(folded.len(), 3);
    }
}
