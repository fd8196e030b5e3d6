//! Window joins: rows of both sides that belong to the same window, once it is over.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take, take_record_batch};
use arrow::datatypes::SchemaRef;

use super::changed::Changed;
use super::join_core::JoinCore;
use super::join_rows::{Side, Sides};
use super::late::{LateRows, Reason};
use super::open_windows::{OpenWindows, window_ends};
use super::{Metrics, Operator, Output};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::{Join, JoinTime};
use crate::state::{Arrivals, RowCodec, StatePart};
use crate::time::Watermark;

/// Rows and their numbers.
type Numbered = (RecordBatch, Int64Array);

/// Buffers rows until the watermark passes their window, then joins the window (Flink: WindowJoin). Append-only.
pub struct WindowJoin {
    /// Joins one window at a time and is empty between them.
    core: JoinCore,
    /// The result's rows.
    codec: RowCodec,
    ends: Sides<usize>,
    windows: OpenWindows<Sides<Vec<Numbered>>>,
    arrivals: Sides<Arrivals>,
    metrics: Arc<Metrics>,
}

impl WindowJoin {
    /// Nothing kept yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(
        join: &Arc<Join>,
        left: &SchemaRef,
        right: &SchemaRef,
        output: &SchemaRef,
        metrics: Arc<Metrics>,
    ) -> Result<Self> {
        let JoinTime::Window(left_end, right_end) = join.time else {
            return Err(Error::internal("a window join without a window"));
        };
        Ok(Self {
            core: JoinCore::new(join, left, right, output)?,
            codec: RowCodec::new(Arc::clone(output))?,
            ends: Sides {
                left: left_end,
                right: right_end,
            },
            windows: OpenWindows::new(),
            arrivals: Sides::default(),
            metrics,
        })
    }

    fn add(&mut self, side: Side, batch: &Batch, numbers: Int64Array) -> Result<LateRows> {
        let ends = window_ends(&batch.rows, *self.ends.of(side))?;
        let mut by_window: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        let mut late = LateRows::default();
        for (i, end) in ends.values().iter().enumerate() {
            match self.windows.is_over(*end, batch.behind(i)) {
                Some(watermark) => late.add(i, watermark, Reason::Window(*end)),
                None => by_window.entry(*end).or_default().push(i as u32),
            }
        }
        for (end, rows) in by_window {
            let rows = if rows.len() == batch.num_rows() {
                (batch.rows.clone(), numbers.clone())
            } else {
                let rows = UInt32Array::from(rows);
                let numbers = take(&numbers, &rows, None)?;
                let numbers = numbers.as_primitive().clone();
                (take_record_batch(&batch.rows, &rows)?, numbers)
            };
            self.windows.open(end).of_mut(side).push(rows);
        }
        Ok(late)
    }

    /// The rows of one window, joined.
    fn join(&mut self, window: &Sides<Vec<Numbered>>, out: &mut Output) -> Result<()> {
        let mut batches = Vec::new();
        // The right side first: then a left row finds all its matches and is shown as it will stay.
        for side in [Side::Right, Side::Left] {
            let codecs = self.core.rows().sides.of(side);
            for (rows, numbers) in window.of(side) {
                let keys = rows.project(&codecs.key_columns)?;
                self.arrivals.of_mut(side).go(&keys, numbers)?;
            }
            let rows = window.of(side).iter().map(|(rows, _)| rows);
            if rows.len() > 0 {
                let rows = concat_batches(codecs.rows.schema(), rows)?;
                batches.extend(self.core.apply(side, &Batch::append(rows))?);
            }
        }
        self.core.clear();
        if self.core.rows().join.kind.depends_on_matches(Side::Right) {
            // Right rows were shown without a match before the left came.
            let mut changed = Changed::default();
            for batch in &batches {
                let rows = self.codec.encode_rows(&batch.rows)?;
                rows.into_iter()
                    .enumerate()
                    .for_each(|(i, row)| changed.add(row, batch.weight(i)));
            }
            batches = vec![changed.take(&self.codec)?];
        }
        for batch in batches {
            out.batch(repeated(batch)?);
        }
        Ok(())
    }
}

/// Each row as often as its weight says.
fn repeated(batch: Batch) -> Result<Batch> {
    let Some(weights) = batch.weights.as_ref() else {
        return Ok(batch);
    };
    let repeat = |(row, weight): (u32, &i64)| (0..*weight).map(move |_| row);
    let rows = UInt32Array::from_iter_values((0u32..).zip(weights.values()).flat_map(repeat));
    Ok(Batch::append(take_record_batch(&batch.rows, &rows)?))
}

impl Operator for WindowJoin {
    fn on_batch(&mut self, port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let side = Side::of_port(port);
        let numbers = self.arrivals.of_mut(side).come(batch.num_rows());
        let late = self.add(side, &batch, Int64Array::from_iter_values(numbers))?;
        late.hand_out("WindowJoin", &batch, &self.metrics, out)
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(time) = watermark {
            self.windows.on_watermark(time);
            while let Some(window) = self.windows.fire() {
                self.join(&window, out)?;
            }
        }
        out.watermark(watermark);
        Ok(())
    }

    /// Parts "left" and "right": the rows that wait, and `__number`.
    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        let mut parts = Vec::new();
        for side in Side::BOTH {
            let codecs = self.core.rows().sides.of(side);
            let arrivals = self.arrivals.of_mut(side);
            // The rows of a batch came together.
            let is_new = |batch: &&Numbered| {
                let first = batch.1.values().first();
                first.is_some_and(|first| arrivals.is_new(*first))
            };
            let all = self.windows.values().flat_map(|window| window.of(side));
            let new: Vec<&Numbered> = all.filter(is_new).collect();
            let rows = concat_batches(codecs.rows.schema(), new.iter().map(|(rows, _)| rows))?;
            let numbers = new.iter().flat_map(|(_, numbers)| numbers.values());
            let numbers = Int64Array::from_iter_values(numbers.copied());
            parts.push(arrivals.part(side.name(), &rows, numbers, &codecs.key_columns)?);
        }
        Ok(parts)
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        for part in parts {
            let side = Side::of_part(&part.name)?;
            let (rows, numbers) = self.arrivals.of_mut(side).restore(&part)?;
            self.add(side, &Batch::append(rows), numbers)?;
        }
        for side in Side::BOTH {
            self.arrivals.of_mut(side).restored();
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
    use std::sync::atomic::Ordering;

    fn side() -> SchemaRef {
        schema(&["k", "v", "window_end"])
    }

    fn build(kind: JoinKind, metrics: &Arc<Metrics>) -> WindowJoin {
        let join = Join {
            kind,
            time: JoinTime::Window(2, 2),
            keys: vec![(0, 0), (2, 2)],
            nulls_equal: false,
            filter: None,
            null_aware: false,
            ttl: None,
        };
        let output = match kind {
            JoinKind::LeftSemi | JoinKind::LeftAnti => side(),
            _ => schema(&["k", "v", "w", "k2", "v2", "w2"]),
        };
        let metrics = Arc::clone(metrics);
        WindowJoin::new(&Arc::new(join), &side(), &side(), &output, metrics).unwrap()
    }

    fn result(kind: JoinKind) -> Vec<(Vec<i64>, i64)> {
        let mut op = build(kind, &Arc::default());
        let left = rows(&side(), &[[1, 10, 100], [2, 20, 100], [1, 10, 200]]);
        assert_eq!(feed(&mut op, 0, left), []);
        let right = rows(&side(), &[[1, 5, 100], [1, 5, 100], [3, 7, 100]]);
        assert_eq!(feed(&mut op, 1, right), []);
        assert_eq!(advance(&mut op, 98), []);
        let result = advance(&mut op, 99);
        let next = advance(&mut op, 199);
        assert_eq!(
            next.len(),
            usize::from(!matches!(
                kind,
                JoinKind::Inner | JoinKind::LeftSemi | JoinKind::Right
            ))
        );
        result
    }

    #[test]
    fn a_window_is_joined_when_the_watermark_passes_it() {
        let pair = (vec![1, 10, 100, 1, 5, 100], 1);
        let left = (vec![2, 20, 100, NULL, NULL, NULL], 1);
        let right = (vec![NULL, NULL, NULL, 3, 7, 100], 1);
        assert_eq!(result(JoinKind::Inner), [pair.clone(), pair.clone()]);
        assert_eq!(
            result(JoinKind::Left),
            [pair.clone(), pair.clone(), left.clone()]
        );
        assert_eq!(
            result(JoinKind::Right),
            [right.clone(), pair.clone(), pair.clone()]
        );
        assert_eq!(result(JoinKind::Full), [right, pair.clone(), pair, left]);
        assert_eq!(result(JoinKind::LeftSemi), [(vec![1, 10, 100], 1)]);
        assert_eq!(result(JoinKind::LeftAnti), [(vec![2, 20, 100], 1)]);
    }

    #[test]
    fn late_rows_are_dropped_and_counted() {
        let metrics: Arc<Metrics> = Arc::default();
        let mut op = build(JoinKind::Inner, &metrics);
        feed(
            &mut op,
            0,
            behind(
                rows(&side(), &[[1, 1, 100], [1, 2, 100]]),
                &[Some(98), Some(99)],
            ),
        );
        feed(&mut op, 1, rows(&side(), &[[1, 5, 100]]));
        assert_eq!(
            advance(&mut op, i64::MAX),
            [(vec![1, 1, 100, 1, 5, 100], 1)]
        );
        feed(&mut op, 1, rows(&side(), &[[1, 5, 100]]));
        assert_eq!(metrics.late_rows.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn open_windows_are_restored_at_another_parallelism() {
        let metrics = Arc::default();
        let make = || build(JoinKind::Full, &metrics);
        let (mut once, mut twice) = (Instances::new(1, make), Instances::new(3, make));
        let (mut expected, mut folded) = (Folded::new(), Folded::new());
        for (port, values) in [
            (0, [[1, 5, 100], [2, 5, 100]]),
            (1, [[1, 6, 100], [4, 5, 200]]),
        ] {
            let batch = rows(&side(), &values);
            once.on_batch(port, &batch, &[0, 2], &mut expected);
            twice.on_batch(port, &batch, &[0, 2], &mut folded);
            twice.rescale(2, make);
        }
        once.on_watermark(300, &mut expected);
        twice.on_watermark(300, &mut folded);
        assert_eq!(folded, expected);
        assert_eq!(folded.len(), 3);
    }
}
