//! Top-N and deduplication over rows that come and go: what is shown changes at once.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::ranking::{Changed, Ranking};
use super::{Operator, Output};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::Rank;
use crate::state::{StatePart, TableSnapshot};
use crate::time::Watermark;

/// Looks at what a batch has changed, and may refuse it.
pub type Check = fn(&Ranking, &[Changed]) -> Result<()>;

/// Keeps the rows of each partition in order and shows those that rank within the limits (Flink: Rank, Deduplicate that keeps
/// the last row, Limit). What a batch changes is emitted as the difference of what was shown before and after it.
pub struct TopN {
    ranking: Ranking,
    /// What must hold after each batch.
    pub check: Option<Check>,
}

impl TopN {
    /// Nothing kept yet.
    ///
    /// # Errors
    /// Where a column type has no order or cannot be kept as state.
    pub fn new(rank: &Arc<Rank>, input: &SchemaRef, output: &SchemaRef) -> Result<Self> {
        Ok(Self {
            ranking: Ranking::new(rank, input, output)?,
            check: None,
        })
    }
}

impl Operator for TopN {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let changed = self.ranking.apply(&batch)?;
        if let Some(check) = self.check {
            check(&self.ranking, &changed)?;
        }
        if !changed.is_empty() {
            out.batch(self.ranking.difference(&changed)?);
        }
        self.ranking.tidy(&changed)
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(time) = watermark {
            let expired = self.ranking.kept.partitions.on_watermark(time);
            self.ranking.give_up(expired)?;
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.ranking.kept.partitions.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        let expired = self.ranking.kept.partitions.on_clock(now);
        self.ranking.give_up(expired)
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.ranking.kept.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.ranking.restore(&parts)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::*;
    use super::super::top_one::TopOne;
    use super::*;
    use crate::graph::{RankFunction, RankTime, SortColumn};
    use crate::state::StateTtl;
    use proptest::prelude::*;

    /// Partition, order, and something else.
    fn input() -> SchemaRef {
        schema(&["k", "v", "x"])
    }

    fn plan(to: u64) -> Rank {
        Rank {
            function: RankFunction::RowNumber,
            partition: vec![0],
            order: vec![SortColumn {
                column: 1,
                descending: false,
                nulls_first: true,
            }],
            from: 1,
            to,
            with_rank: false,
            time: RankTime::Updating,
            retracts: false,
            last_first: false,
            ttl: None,
        }
    }

    fn build(rank: Rank) -> TopN {
        let output = if rank.with_rank {
            schema(&["k", "v", "x", "rank"])
        } else {
            input()
        };
        TopN::new(&Arc::new(rank), &input(), &output).unwrap()
    }

    fn kept(op: &TopN) -> usize {
        op.ranking.kept.rows.all().len()
    }

    #[test]
    fn a_better_row_takes_the_place_of_the_last() {
        let mut op = build(plan(2));
        let first = rows(&input(), &[[1, 5, 0], [1, 7, 1], [1, 7, 2], [2, 9, 3]]);
        let shown = [(vec![1, 5, 0], 1), (vec![1, 7, 1], 1), (vec![2, 9, 3], 1)];
        assert_eq!(feed(&mut op, 0, first), shown, "of equal rows the earlier");
        let better = rows(&input(), &[[1, 8, 4], [1, 6, 5]]);
        assert_eq!(
            feed(&mut op, 0, better),
            [(vec![1, 7, 1], -1), (vec![1, 6, 5], 1)]
        );
        assert_eq!(kept(&op), 3, "what can never be shown is not kept");
    }

    #[test]
    fn with_the_rank_every_row_that_moves_changes() {
        let mut op = build(Rank {
            with_rank: true,
            ..plan(2)
        });
        feed(&mut op, 0, rows(&input(), &[[1, 5, 0], [1, 7, 1]]));
        let moved = [
            (vec![1, 5, 0, 1], -1),
            (vec![1, 7, 1, 2], -1),
            (vec![1, 4, 2, 1], 1),
            (vec![1, 5, 0, 2], 1),
        ];
        assert_eq!(feed(&mut op, 0, rows(&input(), &[[1, 4, 2]])), moved);
    }

    #[test]
    fn the_last_of_equal_rows_first_keeps_the_newest() {
        let mut op = build(Rank {
            last_first: true,
            ..plan(1)
        });
        feed(&mut op, 0, rows(&input(), &[[1, 5, 0]]));
        let replaced = feed(&mut op, 0, rows(&input(), &[[1, 5, 1]]));
        assert_eq!(replaced, [(vec![1, 5, 0], -1), (vec![1, 5, 1], 1)]);
        assert_eq!(feed(&mut op, 0, rows(&input(), &[[1, 6, 2]])), []);
    }

    #[test]
    fn a_retraction_moves_the_next_row_up() {
        let mut op = build(Rank {
            retracts: true,
            ..plan(1)
        });
        feed(&mut op, 0, rows(&input(), &[[1, 5, 0], [1, 6, 1]]));
        let gone = weighted(rows(&input(), &[[1, 5, 0]]), &[-1]);
        assert_eq!(
            feed(&mut op, 0, gone),
            [(vec![1, 5, 0], -1), (vec![1, 6, 1], 1)]
        );
        let unknown = weighted(rows(&input(), &[[1, 9, 9], [3, 0, 0]]), &[-1, -1]);
        assert_eq!(feed(&mut op, 0, unknown), []);
        assert_eq!(op.ranking.kept.partitions.all().len(), 1);
    }

    #[test]
    fn rank_keeps_ties_beyond_the_limit_and_a_limit_skips_an_offset() {
        let mut op = build(Rank {
            function: RankFunction::Rank,
            ..plan(2)
        });
        let ties = rows(&input(), &[[1, 5, 0], [1, 5, 1], [1, 5, 2], [1, 6, 3]]);
        assert_eq!(feed(&mut op, 0, ties).len(), 3);
        assert_eq!(kept(&op), 3);
        let limit = Rank {
            partition: vec![],
            order: vec![],
            from: 2,
            ..plan(3)
        };
        let mut op = build(limit);
        let all = rows(&input(), &[[1, 9, 0], [2, 8, 1], [3, 7, 2], [4, 6, 3]]);
        assert_eq!(
            feed(&mut op, 0, all),
            [(vec![2, 8, 1], 1), (vec![3, 7, 2], 1)]
        );
        let mut op = build(plan(0));
        assert_eq!(feed(&mut op, 0, rows(&input(), &[[1, 9, 0]])), []);
    }

    #[test]
    fn a_partition_expires_without_a_retraction() {
        let ttl = Some(StateTtl {
            after: 10,
            by_event_time: true,
        });
        let mut op = build(Rank { ttl, ..plan(1) });
        advance(&mut op, 0);
        feed(&mut op, 0, rows(&input(), &[[1, 5, 0]]));
        advance(&mut op, 9);
        feed(&mut op, 0, rows(&input(), &[[1, 8, 1]]));
        let mut other = build(Rank { ttl, ..plan(1) });
        other.restore(taken(&mut op)).unwrap();
        for op in [&mut op, &mut other] {
            assert_eq!(advance(op, 10), []);
            let new = feed(op, 0, rows(&input(), &[[1, 9, 2]]));
            assert_eq!(
                new,
                [(vec![1, 9, 2], 1)],
                "a row that was not kept does not prolong it"
            );
        }
    }

    #[test]
    fn that_a_row_went_prolongs_its_partition_after_a_restore_too() {
        let ttl = Some(StateTtl {
            after: 10,
            by_event_time: true,
        });
        let make = || {
            build(Rank {
                ttl,
                retracts: true,
                ..plan(1)
            })
        };
        let (mut ops, mut shown) = (Instances::new(1, make), Folded::new());
        let step = |ops: &mut Instances<TopN>, shown: &mut Folded, weight, time| {
            let row = rows(&input(), &[[1, 6, 0]]);
            ops.on_batch(0, &weighted(row, &[weight]), &[0], shown);
            ops.snapshot();
            ops.on_watermark(time, shown);
        };
        ops.on_watermark(0, &mut shown);
        ops.on_batch(0, &rows(&input(), &[[1, 5, 0]]), &[0], &mut shown);
        step(&mut ops, &mut shown, 1, 9);
        step(&mut ops, &mut shown, -1, 12);
        ops.rescale(1, make);
        ops.on_watermark(18, &mut shown);
        assert_eq!(kept(&ops.all[0]), 1);
        ops.on_watermark(19, &mut shown);
        assert_eq!(kept(&ops.all[0]), 0);
    }

    /// The rows shown, computed from scratch of all rows in order of arrival.
    fn from_scratch(rank: &Rank, there: &[Numbers]) -> Folded {
        let key = |row: &Numbers| rank.partition.iter().map(|c| row[*c]).collect::<Vec<_>>();
        let by_order = |a: &Numbers, b: &Numbers| {
            let compare = |c: &SortColumn| match (a[c.column], b[c.column]) {
                (Some(a), Some(b)) if c.descending => b.cmp(&a),
                (Some(a), Some(b)) => a.cmp(&b),
                (None, None) => std::cmp::Ordering::Equal,
                (None, _) if c.nulls_first => std::cmp::Ordering::Less,
                (_, None) if c.nulls_first => std::cmp::Ordering::Greater,
                (None, _) => std::cmp::Ordering::Greater,
                (_, None) => std::cmp::Ordering::Less,
            };
            rank.order
                .iter()
                .map(compare)
                .find(|o| o.is_ne())
                .unwrap_or(std::cmp::Ordering::Equal)
        };
        let mut result = Folded::new();
        for (i, row) in there.iter().enumerate() {
            let partition = || there.iter().enumerate().filter(|(_, r)| key(r) == key(row));
            let mut before: Vec<&Numbers> = partition()
                .filter(|(_, r)| by_order(r, row).is_lt())
                .map(|(_, r)| r)
                .collect();
            let comes_first = |j: usize| if rank.last_first { j > i } else { j < i };
            let ties = partition()
                .filter(|(j, r)| by_order(r, row).is_eq() && comes_first(*j))
                .count();
            let place = 1 + match rank.function {
                RankFunction::RowNumber => before.len() + ties,
                RankFunction::Rank => before.len(),
                RankFunction::DenseRank => {
                    before.sort_by(|a, b| by_order(a, b));
                    before.dedup_by(|a, b| by_order(a, b).is_eq());
                    before.len()
                }
            } as u64;
            if (rank.from..=rank.to).contains(&place) {
                let mut row = row.clone();
                row.extend(rank.with_rank.then_some(Some(place as i64)));
                *result.entry(row).or_default() += 1;
            }
        }
        result
    }

    /// Key, order, something else, whether it goes if it is there, whether a batch ends, and at which parallelism to go on.
    type Change = (i64, Option<i64>, i64, bool, bool, Option<usize>);

    /// Puts changes through an operator; after each batch what was emitted must be the rows that are shown.
    fn adds_up<T: Operator>(
        rank: &Rank,
        changes: &[Change],
        make: impl Fn() -> T + Copy,
    ) -> std::result::Result<(), TestCaseError> {
        let in_one_place = rank.partition.is_empty();
        let mut instances = Instances::new(1, make);
        let mut folded = Folded::new();
        let mut there: Vec<Numbers> = Vec::new();
        let mut pending: Vec<(Numbers, i64)> = Vec::new();
        let last = changes.len().saturating_sub(1);
        for (i, (k, v, x, retract, cut, rescale)) in changes.iter().enumerate() {
            let row: Numbers = vec![Some(*k), *v, Some(*x)];
            let equal = there.iter().position(|r| *r == row);
            let weight = match equal.filter(|_| *retract && rank.retracts) {
                Some(first) => {
                    there.remove(first);
                    -1
                }
                None => {
                    there.push(row.clone());
                    1
                }
            };
            match pending.last_mut() {
                Some((last, sum)) if rank.retracts && *last == row && *sum * weight > 0 => {
                    *sum += weight;
                }
                _ => pending.push((row, weight)),
            }
            if *cut || rescale.is_some() || i == last {
                let rows: Vec<Numbers> = pending.iter().map(|(row, _)| row.clone()).collect();
                let batch = Batch::append(record_batch(&input(), &rows));
                let weights: Vec<i64> = pending.drain(..).map(|(_, w)| w).collect();
                let batch = match rank.retracts {
                    true => weighted(batch, &weights),
                    false => batch,
                };
                instances.on_batch(0, &batch, &rank.partition, &mut folded);
                if let Some(parallelism) = rescale {
                    instances.rescale(if in_one_place { 1 } else { *parallelism }, make);
                }
                prop_assert_eq!(&folded, &from_scratch(rank, &there));
            }
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        /// Whatever the batches, wherever the state was cut and spread anew: what was emitted adds up to the first rows of
        /// all that are there.
        #[test]
        fn changes_add_up_to_the_first_rows(
            changes in proptest::collection::vec(
                (
                    0i64..3, proptest::option::weighted(0.8, 0i64..4), 0i64..3, any::<bool>(), any::<bool>(),
                    proptest::option::weighted(0.05, 1usize..5),
                ),
                0..40,
            ),
            function in 0usize..3, from in 1u64..3, more in 0u64..4, with_rank: bool, retracts: bool, last_first: bool,
            descending: bool, nulls_first: bool, ordered in 0u8..5, whole in 0u8..5,
        ) {
            let order = SortColumn { column: 1, descending, nulls_first };
            let rank = Rank {
                function: [RankFunction::RowNumber, RankFunction::Rank, RankFunction::DenseRank][function],
                partition: if whole == 0 { vec![] } else { vec![0] },
                order: if ordered == 0 { vec![] } else { vec![order] },
                from,
                to: from + more,
                with_rank,
                retracts,
                last_first,
                ..plan(0)
            };
            adds_up(&rank, &changes, || build(rank.clone()))?;
            let one = Rank {
                function: RankFunction::RowNumber,
                from: 1,
                to: 1,
                with_rank: false,
                retracts: false,
                ..rank
            };
            prop_assert!(TopOne::does(&one));
            let one = Arc::new(one);
            adds_up(&one, &changes, || build(one.as_ref().clone()))?;
            adds_up(&one, &changes, || TopOne::new(&one, &input()).unwrap())?;
        }
    }
}
