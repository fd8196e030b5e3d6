//! Window Top-N and window deduplication: the first rows of each window, once it is over.

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::datatypes::SchemaRef;

use super::late::{LateRows, Reason};
use super::open_windows::{OpenWindows, window_ends};
use super::ranking::Ranking;
use super::{Element, Metrics, Operator, Output, ROWS_AT_ONCE, event_times};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::{Rank, RankTime};
use crate::state::{Slot, StatePart, TableSnapshot};
use crate::time::Watermark;

/// Keeps the first rows of each partition of a window and emits them when the watermark passes it (Flink: WindowRank,
/// WindowDeduplicate). Append-only.
pub struct WindowRank {
    ranking: Ranking,
    end: usize,
    /// The partitions of each window.
    windows: OpenWindows<Vec<Slot>>,
    metrics: Arc<Metrics>,
}

impl WindowRank {
    /// Nothing kept yet.
    ///
    /// # Errors
    /// Where a column type has no order or cannot be kept as state.
    pub fn new(
        rank: &Arc<Rank>,
        input: &SchemaRef,
        output: &SchemaRef,
        metrics: Arc<Metrics>,
    ) -> Result<Self> {
        let RankTime::Window(end) = rank.time else {
            return Err(Error::internal("a window rank without a window"));
        };
        Ok(Self {
            ranking: Ranking::new(rank, input, output)?,
            end,
            windows: OpenWindows::new(),
            metrics,
        })
    }

    fn open(&mut self, partitions: &[Slot]) -> Result<()> {
        let ends = self.ranking.partition_values(self.end, partitions)?;
        for (end, partition) in event_times(&ends)?.values().iter().zip(partitions) {
            self.windows.open(*end).push(*partition);
        }
        Ok(())
    }
}

impl Operator for WindowRank {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let ends = window_ends(&batch.rows, self.end)?;
        let mut late = LateRows::default();
        let mut keep = Vec::with_capacity(batch.num_rows());
        for (i, end) in ends.values().iter().enumerate() {
            let watermark = self.windows.is_over(*end, batch.behind(i));
            keep.push(watermark.is_none());
            if let Some(watermark) = watermark {
                late.add(i, watermark, Reason::Window(*end));
            }
        }
        let changed = match late.is_empty() {
            true => self.ranking.apply(&batch)?,
            false => self
                .ranking
                .apply(&batch.filter(&BooleanArray::from(keep))?)?,
        };
        let new = changed.iter().filter(|changed| changed.is_new);
        let new: Vec<Slot> = new.map(|changed| changed.partition).collect();
        self.open(&new)?;
        self.ranking.tidy(&changed)?;
        late.hand_out("WindowRank", &batch, &self.metrics, out)
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(time) = watermark {
            self.windows.on_watermark(time);
            let mut emitted = 0;
            while let Some((end, mut partitions)) = self.windows.fire() {
                let others = partitions.split_off(partitions.len().min(ROWS_AT_ONCE));
                let rows = self.ranking.result_of(&partitions)?;
                emitted += rows.num_rows();
                out.batch(Batch::append(rows));
                for partition in partitions {
                    self.ranking.forget(partition)?;
                }
                if !others.is_empty() {
                    self.windows.open(end).extend(others);
                }
                if emitted >= ROWS_AT_ONCE {
                    out.rest = Some(Element::Watermark(watermark));
                    return Ok(());
                }
            }
        }
        out.watermark(watermark);
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.ranking.kept.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.ranking.restore(&parts)?;
        let partitions = self.ranking.kept.partitions.all();
        self.open(&partitions)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::graph::{RankFunction, SortColumn};
    use std::sync::atomic::Ordering;

    fn input() -> SchemaRef {
        schema(&["k", "v", "window_end"])
    }

    fn build(metrics: &Arc<Metrics>) -> WindowRank {
        let rank = Rank {
            function: RankFunction::RowNumber,
            partition: vec![0, 2],
            order: vec![SortColumn {
                column: 1,
                descending: true,
                nulls_first: false,
            }],
            from: 1,
            to: 2,
            with_rank: true,
            time: RankTime::Window(2),
            retracts: false,
            last_first: false,
            ttl: None,
        };
        let output = schema(&["k", "v", "window_end", "rank"]);
        WindowRank::new(&Arc::new(rank), &input(), &output, Arc::clone(metrics)).unwrap()
    }

    #[test]
    fn a_window_gives_its_first_rows_when_the_watermark_passes_it() {
        let metrics = Arc::default();
        let mut op = build(&metrics);
        let all = [
            [1, 5, 100],
            [1, 7, 100],
            [1, 6, 100],
            [2, 1, 100],
            [1, 9, 200],
        ];
        assert_eq!(feed(&mut op, 0, rows(&input(), &all)), []);
        assert_eq!(advance(&mut op, 98), []);
        let first = [
            (vec![1, 7, 100, 1], 1),
            (vec![1, 6, 100, 2], 1),
            (vec![2, 1, 100, 1], 1),
        ];
        assert_eq!(advance(&mut op, 99), first);
        assert_eq!(advance(&mut op, i64::MAX), [(vec![1, 9, 200, 1], 1)]);
    }

    #[test]
    fn a_row_is_late_once_its_window_fired_where_it_came_from_or_here() {
        let metrics: Arc<Metrics> = Arc::default();
        let mut op = build(&metrics);
        let all = rows(&input(), &[[1, 1, 100], [1, 2, 100], [1, 3, 200]]);
        feed(&mut op, 0, behind(all, &[Some(98), Some(99), Some(99)]));
        assert_eq!(metrics.late_rows.load(Ordering::Relaxed), 1);
        assert_eq!(advance(&mut op, 150), [(vec![1, 1, 100, 1], 1)]);
        feed(&mut op, 0, rows(&input(), &[[1, 4, 100]]));
        assert_eq!(metrics.late_rows.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn open_windows_are_restored_at_another_parallelism() {
        let metrics = Arc::default();
        let make = || build(&metrics);
        let (mut once, mut twice) = (Instances::new(1, make), Instances::new(3, make));
        let (mut expected, mut folded) = (Folded::new(), Folded::new());
        for values in [
            [[1, 5, 100], [2, 5, 100], [3, 1, 200]],
            [[1, 5, 100], [2, 8, 100], [1, 9, 100]],
        ] {
            let batch = rows(&input(), &values);
            once.on_batch(0, &batch, &[0, 2], &mut expected);
            twice.on_batch(0, &batch, &[0, 2], &mut folded);
            twice.rescale(2, make);
        }
        once.on_watermark(300, &mut expected);
        twice.on_watermark(300, &mut folded);
        assert_eq!(folded, expected);
        assert_eq!(folded.len(), 5);
    }
}
