//! Deduplication that keeps the first row of each key, by time or by arrival: emitted once, never retracted.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::row::OwnedRow;

use super::late::{LateRows, Reason, too_late};
use super::{Metrics, Operator, Output, event_times};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::{Rank, RankTime};
use crate::state::{KeyedState, RowCodec, StatePart, with_numbers, without_numbers};
use crate::time::{Millis, Watermark};

/// Where a row waits: its time, then the number of its arrival.
type Place = (Millis, u64);

/// A row that waits for the watermark.
struct Waiting {
    place: Place,
    row: OwnedRow,
    /// The watermark of its source partition, where it was at it.
    behind: Option<Millis>,
}

/// The first row of each partition (Flink: Deduplicate that keeps the first row). By time a row is emitted when the watermark
/// reaches it, and one behind the watermark is dropped (one at it is not: it goes with the next watermark, unless its key is
/// done); by arrival it is emitted at once. Afterwards it is only known that the key is done.
pub struct FirstRow {
    rank: Arc<Rank>,
    keys: RowCodec,
    rows: RowCodec,
    output: SchemaRef,
    /// The time column; `None`: by arrival.
    time: Option<usize>,
    /// The first row so far of each key that is not done, by its place.
    waiting: KeyedState<Waiting>,
    order: BTreeMap<Place, OwnedRow>,
    done: KeyedState<()>,
    watermark: Millis,
    arrived: u64,
    metrics: Arc<Metrics>,
}

/// State columns of our own. No column of a query can have such a name before it.
const BEHIND: &str = "__behind";
const WRITTEN: &str = "__written";

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
        Ok(Self {
            keys: RowCodec::of_columns(input, &rank.partition)?,
            rows: RowCodec::new(Arc::clone(input))?,
            output: Arc::clone(output),
            rank: Arc::clone(rank),
            time,
            waiting: KeyedState::new(None),
            order: BTreeMap::new(),
            done: KeyedState::new(rank.ttl),
            watermark: Millis::MIN,
            arrived: 0,
            metrics,
        })
    }

    fn add_by_time(&mut self, batch: &Batch, column: usize) -> Result<LateRows> {
        let times = event_times(batch.rows.column(column))?;
        if times.null_count() > 0 {
            return Err(Error::data("the time attribute of a deduplication is NULL")
                .with_help("RowTime field should not be null: filter such rows away before it"));
        }
        let keys = self
            .keys
            .encode_columns(&batch.rows, &self.rank.partition)?;
        let rows = self.rows.encode_rows(&batch.rows)?;
        let mut late = LateRows::default();
        for (i, (key, row)) in keys.into_iter().zip(rows).enumerate() {
            let (time, behind) = (times.value(i), batch.behind(i));
            if let Some(watermark) = too_late(time.saturating_add(1), behind, self.watermark) {
                late.add(i, watermark, Reason::Time(time));
                continue;
            }
            if self.done.contains(&key) {
                continue;
            }
            let place = (time, self.arrived);
            self.arrived += 1;
            match self.waiting.get(&key).map(|first| first.place) {
                // Of rows of the same time the earlier one stays.
                Some(first) if first.0 <= time => continue,
                Some(first) => {
                    self.order.remove(&first);
                }
                None => {}
            }
            self.order.insert(place, key.clone());
            self.waiting.insert(key, Waiting { place, row, behind });
        }
        Ok(late)
    }

    fn first_by_arrival(&mut self, batch: &Batch) -> Result<Batch> {
        let keys = self
            .keys
            .encode_columns(&batch.rows, &self.rank.partition)?;
        let mut keep = Vec::with_capacity(keys.len());
        for key in keys {
            let is_first = !self.done.contains(&key);
            if is_first {
                self.done.insert(key, ());
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
            self.done.on_watermark(time);
            let mut first = Vec::new();
            while let Some(entry) = self.order.first_entry()
                && entry.key().0 <= time
            {
                let key = entry.remove();
                first.extend(self.waiting.remove(&key));
                self.done.insert(key, ());
            }
            let rows = self.rows.decode(first.iter().map(|w| &w.row))?;
            let mut batch = Batch::append(self.with_rank(rows)?);
            if first.iter().any(|w| w.behind.is_some()) {
                batch.behind = Some(first.iter().map(|w| w.behind).collect());
            }
            out.batch(batch);
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.done.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        self.done.on_clock(now);
        Ok(())
    }

    /// Parts "waiting", the rows in order of time and arrival and `__behind`, and "done", the keys and `__written`.
    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        let mut parts = Vec::new();
        if self.time.is_some() {
            let changed = self.waiting.take_changes();
            let waiting = changed.there().filter_map(|key| self.waiting.get(key));
            let mut waiting: Vec<&Waiting> = waiting.collect();
            waiting.sort_unstable_by_key(|w| w.place);
            let rows = self.rows.decode(waiting.iter().map(|w| &w.row))?;
            let behind = waiting.iter().map(|w| w.behind).collect();
            let rows = with_numbers(&rows, BEHIND, behind)?;
            let part = StatePart::keyed("waiting", rows, &self.rank.partition)?;
            let key = self.rank.partition.clone();
            parts.push(part.replacing(key, changed.gone(&self.keys)?));
        }
        let changed = self.done.take_changes();
        let rows = self.keys.decode(changed.there())?;
        let columns: Vec<usize> = (0..rows.num_columns()).collect();
        let rows = with_numbers(&rows, WRITTEN, self.done.written(changed.there()))?;
        let part = StatePart::keyed("done", rows, &columns)?;
        parts.push(part.replacing(columns, changed.gone(&self.keys)?));
        Ok(parts)
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        for part in parts {
            let (rows, numbers) = without_numbers(&part.rows)?;
            match (part.name.as_str(), self.time) {
                ("waiting", Some(column)) => {
                    let mut batch = Batch::append(rows);
                    batch.behind = Some(numbers);
                    self.add_by_time(&batch, column)?;
                }
                ("done", _) => {
                    for (key, written) in self.keys.encode_rows(&rows)?.into_iter().zip(&numbers) {
                        self.done.restore(key, (), written);
                    }
                }
                (name, _) => {
                    let message = format!("state '{name}' is not a first row's");
                    return Err(Error::internal(message));
                }
            }
        }
        self.waiting.restored();
        self.done.restored();
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
        other.restore(op.snapshot().unwrap()).unwrap();
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
