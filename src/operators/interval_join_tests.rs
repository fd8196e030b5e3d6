//! Interval joins against what is computed from scratch.

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
        updating: (false, false),
    }
}

fn build(join: Join) -> IntervalJoin {
    let output = schema(&["k", "v", "t", "k2", "v2", "t2"]);
    IntervalJoin::new(&Arc::new(join), &side(), &side(), &output, 2).unwrap()
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
    let kept = |op: &IntervalJoin| (op.order.left.all.len(), op.order.right.all.len());
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
    assert!(op.order.left.of_key.is_empty());
    assert!(op.sides.of(Side::Left).table.is_empty());
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

fn from_scratch(join: &Join, lower: Millis, upper: Millis, inputs: &[Vec<Numbers>; 2]) -> Folded {
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
                let number = at[port] as i64;
                at[port] += 1;
                let late = Element::Batch(behind(row(1, number, time), &[late]));
                fold(&mut folded, &give(&mut op, port, late));
                said[port] = Some(watermark);
                if at[port] == inputs[port].len() {
                    said[port] = Some(i64::MAX);
                }
                if let [Some(a), Some(b)] = said {
                    let watermark = Element::Watermark(Watermark::At(a.min(b)));
                    fold(&mut folded, &give(&mut op, 0, watermark));
                }
            }
            let end = Element::Watermark(Watermark::At(i64::MAX));
            fold(&mut folded, &give(&mut op, 0, end));
            folded
        };
        prop_assert_eq!(run(seeds.0), run(seeds.1));
    }
}
