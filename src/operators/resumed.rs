//! Snapshots that are changes, of every operator that gives them: one that was restored from what they add up to goes on as one
//! that never stopped.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use proptest::prelude::*;

use super::testing::*;
use super::{Element, Operator, Output};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::*;
use crate::state::{StatePart, StateTtl, TableSnapshot};
use crate::time::Watermark;

/// The rows of all tests: a key, a value, a time.
pub fn input() -> SchemaRef {
    schema(&["k", "v", "t"])
}

/// What may happen to an operator.
#[derive(Debug, Clone)]
pub enum Step {
    /// Rows of an input: key, value, time ahead of the watermark, and whether one that is there goes instead.
    Rows(usize, Vec<(i64, Option<i64>, i64, bool)>),
    /// Event time goes on.
    Time(i64),
    /// A snapshot.
    Snapshot,
    /// A restart with so many instances.
    Restart(usize),
}

/// Anything that may happen, some times.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let row = (
        0i64..4,
        proptest::option::weighted(0.9, 0i64..4),
        1i64..20,
        proptest::bool::weighted(0.3),
    );
    let step = prop_oneof![
        6 => (0usize..2, proptest::collection::vec(row, 1..5)).prop_map(|(p, r)| Step::Rows(p, r)),
        3 => (0i64..12).prop_map(Step::Time),
        3 => Just(Step::Snapshot),
        1 => (1usize..4).prop_map(Step::Restart),
    ];
    proptest::collection::vec(step, 1..30)
}

/// Whether a property holds.
pub type Tested = std::result::Result<(), TestCaseError>;

/// How an operator is to be fed.
pub struct Feed<'a> {
    /// The columns rows are spread by.
    pub keys: &'a [usize],
    pub ports: usize,
    /// Rows that came may go again.
    retracts: bool,
    /// Any row may go: it names a key.
    upserts: bool,
    /// Rows may be behind the watermark of their source partition.
    behind: bool,
}

impl Feed<'_> {
    /// Rows only come.
    pub const APPEND: Feed<'static> = Feed {
        keys: &[0],
        ports: 1,
        retracts: false,
        upserts: false,
        behind: false,
    };
    /// Rows come and go.
    pub const UPDATING: Feed<'static> = Feed {
        retracts: true,
        ..Self::APPEND
    };
}

/// Runs an operator that never stops beside instances that do, and compares what they emit and, at the end, how much they keep.
pub fn compare(make: &dyn Fn() -> Boxed, feed: &Feed, steps: Vec<Step>) -> Tested {
    let mut once = make();
    let mut instances = Instances::new(2, make);
    let (mut expected, mut folded) = (Folded::new(), Folded::new());
    let mut there = [Folded::new(), Folded::new()];
    // Before the first watermark no time is known.
    let (mut now, mut is_known) = (0, false);
    for step in steps {
        match step {
            Step::Rows(port, rows) => {
                let port = port % feed.ports;
                let there = &mut there[port];
                let (mut numbers, mut weights): (Vec<Numbers>, Vec<i64>) = (vec![], vec![]);
                let mut watermarks = Vec::new();
                for (k, v, ahead, goes) in rows {
                    let mut row = vec![Some(k), v, Some(now + ahead)];
                    let is_behind = goes && feed.behind;
                    watermarks.push(is_behind.then_some(now + ahead + v.unwrap_or(9)));
                    let of_key = there.keys().find(|row| row[0] == Some(k)).cloned();
                    let goes = goes && (feed.retracts || feed.upserts);
                    match of_key.filter(|_| goes && feed.retracts) {
                        Some(gone) => row = gone,
                        None if goes && !feed.upserts => continue,
                        None => {}
                    }
                    let weight = if goes { -1 } else { 1 };
                    let count = there.entry(row.clone()).or_default();
                    *count += weight;
                    if *count == 0 {
                        there.remove(&row);
                    }
                    numbers.push(row);
                    weights.push(weight);
                }
                let mut batch = Batch::append(record_batch(&input(), &numbers));
                if feed.retracts || feed.upserts {
                    batch = weighted(batch, &weights);
                }
                if feed.behind {
                    batch = behind(batch, &watermarks);
                }
                let element = Element::Batch(batch.clone());
                let out = give(&mut once, port, element);
                fold(&mut expected, &out);
                instances.on_batch(port, &batch, feed.keys, &mut folded);
            }
            Step::Time(by) => {
                (now, is_known) = (now + by, true);
                let element = Element::Watermark(Watermark::At(now));
                let out = give(&mut once, 0, element);
                fold(&mut expected, &out);
                instances.on_watermark(now, &mut folded);
            }
            Step::Snapshot => instances.snapshot(),
            Step::Restart(parallelism) => {
                instances.rescale(parallelism, make);
                // The sources' watermarks are part of a checkpoint.
                if is_known {
                    instances.on_watermark(now, &mut folded);
                }
            }
        }
        prop_assert_eq!(&folded, &expected);
    }
    instances.snapshot();
    let sizes = |parts: Vec<StatePart>| -> BTreeMap<String, usize> {
        let size = |p: StatePart| (p.name, p.rows.num_rows());
        parts.into_iter().map(size).collect()
    };
    let whole = taken(&mut once);
    prop_assert!(whole.iter().all(|part| part.changes.is_none()));
    prop_assert_eq!(sizes(instances.state()), sizes(whole));
    Ok(())
}

/// An operator of any kind.
pub struct Boxed(pub Box<dyn Operator>);

impl Operator for Boxed {
    fn on_batch(&mut self, port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        self.0.on_batch(port, batch, out)
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        self.0.on_watermark(watermark, out)
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.0.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.0.restore(parts)
    }
}

/// An operator that does this.
pub fn make(operation: &Operation, output: &SchemaRef) -> Boxed {
    let inputs = [input(), input()];
    let operator = super::operator(operation, &inputs, output, &Arc::default(), 3).unwrap();
    Boxed(operator.unwrap())
}

/// A TTL by event time, where there is to be one.
pub fn ttl(on: bool) -> Option<StateTtl> {
    let ttl = StateTtl {
        after: 25,
        by_event_time: true,
    };
    on.then_some(ttl)
}

fn rank(time: RankTime, retracts: bool, to: u64, ttl: Option<StateTtl>) -> Operation {
    Operation::Rank(Arc::new(Rank {
        function: RankFunction::RowNumber,
        partition: vec![0],
        order: vec![SortColumn {
            column: 1,
            descending: true,
            nulls_first: false,
        }],
        from: 1,
        to,
        with_rank: false,
        time,
        retracts,
        last_first: false,
        ttl,
    }))
}

fn join(time: JoinTime, kind: JoinKind, ttl: Option<StateTtl>, updating: bool) -> Operation {
    // The window is part of the key.
    let keys = match time {
        JoinTime::Window(left, right) => vec![(0, 0), (left, right)],
        _ => vec![(0, 0)],
    };
    Operation::Join(Arc::new(Join {
        kind,
        time,
        keys,
        nulls_equal: false,
        filter: Some(less_than(1, 4)),
        null_aware: false,
        ttl,
        updating: (updating, updating),
    }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn normalize(steps in steps(), expires: bool) {
        let operation = Operation::ChangelogNormalize { key: vec![0], ttl: ttl(expires) };
        let feed = Feed { upserts: true, ..Feed::APPEND };
        compare(&|| make(&operation, &input()), &feed, steps)?;
    }

    #[test]
    fn materialize(steps in steps(), expires: bool, first: bool) {
        let conflict = if first { Conflict::Nothing } else { Conflict::Deduplicate };
        let operation = Operation::UpsertMaterialize { key: vec![0], conflict, ttl: ttl(expires) };
        compare(&|| make(&operation, &input()), &Feed::UPDATING, steps)?;
    }

    #[test]
    fn top_n(steps in steps(), expires: bool, retracts: bool, to in 1u64..4) {
        let operation = rank(RankTime::Updating, retracts, to, ttl(expires));
        let feed = if retracts { Feed::UPDATING } else { Feed::APPEND };
        compare(&|| make(&operation, &input()), &feed, steps)?;
    }

    #[test]
    fn first_row(steps in steps(), expires: bool, by_arrival: bool) {
        let time = if by_arrival { RankTime::FirstByArrival } else { RankTime::FirstByTime(2) };
        let operation = rank(time, false, 1, ttl(expires));
        compare(&|| make(&operation, &input()), &Feed::APPEND, steps)?;
    }

    #[test]
    fn regular_join(steps in steps(), expires: bool, updating: bool, kind in 0usize..3) {
        let kind = [JoinKind::Inner, JoinKind::Left, JoinKind::Full][kind];
        let operation = join(JoinTime::Regular, kind, ttl(expires), updating);
        let output = schema(&["k", "v", "t", "k2", "v2", "t2"]);
        let feed = if updating { Feed::UPDATING } else { Feed::APPEND };
        compare(&|| make(&operation, &output), &Feed { ports: 2, ..feed }, steps)?;
    }

    #[test]
    fn interval_join(steps in steps(), kind in 0usize..3) {
        let kind = [JoinKind::Inner, JoinKind::Left, JoinKind::Full][kind];
        let time = JoinTime::Interval { left: 2, right: 2, lower: -10, upper: 5 };
        let operation = join(time, kind, None, false);
        let output = schema(&["k", "v", "t", "k2", "v2", "t2"]);
        compare(&|| make(&operation, &output), &Feed { ports: 2, ..Feed::APPEND }, steps)?;
    }

    #[test]
    fn window_join(steps in steps(), kind in 0usize..3) {
        let kind = [JoinKind::Inner, JoinKind::Left, JoinKind::LeftAnti][kind];
        let operation = join(JoinTime::Window(2, 2), kind, None, false);
        let output = match kind {
            JoinKind::LeftAnti => input(),
            _ => schema(&["k", "v", "t", "k2", "v2", "t2"]),
        };
        let feed = Feed { ports: 2, keys: &[0, 2], ..Feed::APPEND };
        compare(&|| make(&operation, &output), &feed, steps)?;
    }

    #[test]
    fn window_rank(steps in steps(), to in 1u64..3) {
        let Operation::Rank(plan) = rank(RankTime::Window(2), false, to, None) else {
            return Err(TestCaseError::fail("no rank"));
        };
        let plan = Rank { partition: vec![0, 2], ..plan.as_ref().clone() };
        let operation = Operation::Rank(Arc::new(plan));
        let feed = Feed { keys: &[0, 2], ..Feed::APPEND };
        compare(&|| make(&operation, &input()), &feed, steps)?;
    }

    #[test]
    fn event_time_sort(steps in steps(), drops_late: bool) {
        let order = SortColumn { column: 1, descending: true, nulls_first: false };
        let operation = Operation::EventTimeSort {
            column: 2,
            complete_after: Some(3),
            then: if drops_late { vec![order] } else { vec![] },
            drops_late,
        };
        compare(&|| make(&operation, &input()), &Feed { keys: &[], ..Feed::APPEND }, steps)?;
    }

    #[test]
    fn session_assign(steps in steps()) {
        let operation = Operation::SessionAssign { gap: 5, time: 2, keys: vec![0] };
        let output = schema(&["k", "v", "t", "w1", "w2", "w3"]);
        let feed = Feed { behind: true, ..Feed::APPEND };
        compare(&|| make(&operation, &output), &feed, steps)?;
    }
}
