//! Regular joins against what is computed from scratch.

use super::super::testing::*;
use super::*;
use crate::graph::{JoinKind, JoinTime};
use crate::state::StateTtl;
use proptest::prelude::*;

const KINDS: [JoinKind; 7] = [
    JoinKind::Inner,
    JoinKind::Left,
    JoinKind::Right,
    JoinKind::Full,
    JoinKind::LeftSemi,
    JoinKind::LeftAnti,
    JoinKind::LeftMark,
];

fn plan(kind: JoinKind) -> Join {
    Join {
        kind,
        time: JoinTime::Regular,
        keys: vec![(0, 0)],
        nulls_equal: false,
        filter: None,
        null_aware: false,
        ttl: None,
        updating: (true, true),
    }
}

fn side() -> SchemaRef {
    schema(&["k", "v"])
}

fn build(join: Join) -> RegularJoin {
    build_for(join, 8192)
}

fn build_for(join: Join, batch_rows: usize) -> RegularJoin {
    let output = match join.kind {
        JoinKind::LeftSemi | JoinKind::LeftAnti => side(),
        JoinKind::LeftMark => schema(&["k", "v", "mark"]),
        _ => schema(&["k", "v", "k2", "v2"]),
    };
    RegularJoin::new(&Arc::new(join), &side(), &side(), &output, batch_rows).unwrap()
}

fn side_rows<const N: usize>(numbers: &[[i64; N]]) -> Batch {
    rows(&side(), numbers)
}

#[test]
fn append_only_inner_joins_give_pairs_without_weights() {
    let mut join = build(Join {
        updating: (false, false),
        ..plan(JoinKind::Inner)
    });
    let mut out = Output::default();
    join.on_batch(0, side_rows(&[[1, 10], [1, 10], [2, 20]]), &mut out)
        .unwrap();
    join.on_batch(1, side_rows(&[[1, 5], [3, 7]]), &mut out)
        .unwrap();
    let all: Vec<_> = batches(&out).collect();
    assert_eq!(all.len(), 1);
    assert!(all[0].weights.is_none());
    let pair = ([1, 10, 1, 5].map(Some).to_vec(), 1);
    assert_eq!(
        numbers(all[0]),
        [pair.clone(), pair],
        "a row that is there twice matches twice"
    );
}

#[test]
fn a_left_row_is_padded_until_its_first_match_and_again_after_its_last() {
    let mut join = build(plan(JoinKind::Left));
    let padded = vec![1, 10, NULL, NULL];
    let pair = vec![1, 10, 1, 5];
    assert_eq!(
        feed(&mut join, 0, side_rows(&[[1, 10]])),
        [(padded.clone(), 1)]
    );
    let first = [(padded.clone(), -1), (pair.clone(), 1)];
    assert_eq!(feed(&mut join, 1, side_rows(&[[1, 5]])), first);
    let gone = weighted(side_rows(&[[1, 5]]), &[-1]);
    assert_eq!(feed(&mut join, 1, gone), [(pair.clone(), -1), (padded, 1)]);
    let update = weighted(side_rows(&[[1, 5], [1, 5]]), &[1, -1]);
    assert_eq!(
        feed(&mut join, 1, update),
        [],
        "nothing comes of what cancels in a batch"
    );
}

#[test]
fn semi_anti_and_mark_look_at_whether_there_is_a_match() {
    let left = || side_rows(&[[1, 10], [2, 20]]);
    let both = || side_rows(&[[1, 5], [1, 6]]);
    let first_gone = || weighted(side_rows(&[[1, 5]]), &[-1]);
    let second_gone = || weighted(side_rows(&[[1, 6]]), &[-1]);
    let mut semi = build(plan(JoinKind::LeftSemi));
    assert_eq!(feed(&mut semi, 0, left()), []);
    assert_eq!(feed(&mut semi, 1, both()), [(vec![1, 10], 1)]);
    assert_eq!(feed(&mut semi, 1, first_gone()), []);
    assert_eq!(feed(&mut semi, 1, second_gone()), [(vec![1, 10], -1)]);
    let mut anti = build(plan(JoinKind::LeftAnti));
    assert_eq!(
        feed(&mut anti, 0, left()),
        [(vec![1, 10], 1), (vec![2, 20], 1)]
    );
    assert_eq!(feed(&mut anti, 1, both()), [(vec![1, 10], -1)]);
    let mut mark = build(plan(JoinKind::LeftMark));
    assert_eq!(
        feed(&mut mark, 0, left()),
        [(vec![1, 10, 0], 1), (vec![2, 20, 0], 1)]
    );
    assert_eq!(
        feed(&mut mark, 1, both()),
        [(vec![1, 10, 0], -1), (vec![1, 10, 1], 1)]
    );
}

#[test]
fn not_in_gives_nothing_once_there_is_a_null() {
    let mut join = build(Join {
        null_aware: true,
        ..plan(JoinKind::LeftAnti)
    });
    let row = |k: Option<i64>, v: i64| Batch::append(record_batch(&side(), &[vec![k, Some(v)]]));
    let null = |v: i64| vec![NULL, v];
    assert_eq!(
        feed(&mut join, 0, row(None, 1)),
        [(null(1), 1)],
        "nothing to be in yet"
    );
    assert_eq!(feed(&mut join, 0, row(Some(7), 2)), [(vec![7, 2], 1)]);
    assert_eq!(feed(&mut join, 1, row(Some(8), 0)), [(null(1), -1)]);
    assert_eq!(feed(&mut join, 1, row(None, 0)), [(vec![7, 2], -1)]);
    assert_eq!(feed(&mut join, 0, row(Some(9), 3)), []);
    let gone = |k| weighted(row(k, 0), &[-1]);
    let back = [(vec![7, 2], 1), (vec![9, 3], 1)];
    assert_eq!(feed(&mut join, 1, gone(None)), back);
    assert_eq!(feed(&mut join, 1, gone(Some(8))), [(null(1), 1)]);
}

#[test]
fn rows_expire_without_a_retraction_and_matched_rows_stay_matched() {
    let ttl = Some(StateTtl {
        after: 10,
        by_event_time: true,
    });
    let mut join = build(Join {
        ttl,
        ..plan(JoinKind::Left)
    });
    advance(&mut join, 0);
    feed(&mut join, 1, side_rows(&[[1, 5]]));
    advance(&mut join, 6);
    assert_eq!(
        feed(&mut join, 0, side_rows(&[[1, 10]])),
        [(vec![1, 10, 1, 5], 1)]
    );
    assert_eq!(advance(&mut join, 10), []);
    let again = feed(&mut join, 1, side_rows(&[[1, 6]]));
    assert_eq!(
        again,
        [(vec![1, 10, 1, 6], 1)],
        "was matched by what has expired: not padded"
    );
    let new = feed(&mut join, 0, side_rows(&[[1, 11]]));
    assert_eq!(
        new,
        [(vec![1, 11, 1, 6], 1)],
        "does not see what has expired"
    );
    let mut other = build(Join {
        ttl,
        ..plan(JoinKind::Left)
    });
    other.restore(taken(&mut join)).unwrap();
    advance(&mut other, 20);
    let parts = taken(&mut other);
    assert!(parts.iter().all(|p| p.rows.num_rows() == 0));
    let gone = parts.iter().filter_map(|p| p.changes.as_ref());
    assert_eq!(gone.map(|c| c.gone.num_rows()).sum::<usize>(), 3);
}

#[test]
fn weights_may_be_negative_for_a_while() {
    let mut join = build(plan(JoinKind::Inner));
    let mut folded = Folded::new();
    let mut all = Output::default();
    let minus = |b: Batch| weighted(b, &[-1]);
    join.on_batch(0, minus(side_rows(&[[1, 10]])), &mut all)
        .unwrap();
    join.on_batch(1, side_rows(&[[1, 5]]), &mut all).unwrap();
    join.on_batch(0, side_rows(&[[1, 10]]), &mut all).unwrap();
    join.on_batch(0, side_rows(&[[1, 11]]), &mut all).unwrap();
    fold(&mut folded, &all);
    assert_eq!(
        folded,
        Folded::from([([1, 11, 1, 5].map(Some).to_vec(), 1)])
    );
}

/// The join computed from scratch.
fn nested_loops(join: &Join, left: &Folded, right: &Folded) -> Folded {
    let mut result = Folded::new();
    let mut add = |row: Numbers, weight: i64| *result.entry(row).or_default() += weight;
    let matches = |l: &Numbers, r: &Numbers| {
        let keys = join.keys.iter().all(|(a, b)| match (l[*a], r[*b]) {
            (Some(a), Some(b)) => a == b,
            (None, None) => join.nulls_equal || join.null_aware,
            _ => join.null_aware,
        });
        keys && (join.filter.is_none() || l[1].zip(r[1]).is_some_and(|(a, b)| a < b))
    };
    let both = |l: &Numbers, r: &Numbers| l.iter().chain(r).copied().collect::<Numbers>();
    let nulls = vec![None, None];
    for (l, wl) in left {
        let mut is_matched = false;
        for (r, wr) in right.iter().filter(|(r, _)| matches(l, r)) {
            is_matched = true;
            if join.kind.gives_pairs() {
                add(both(l, r), wl * wr);
            }
        }
        match join.kind {
            JoinKind::Left | JoinKind::Full if !is_matched => add(both(l, &nulls), *wl),
            JoinKind::LeftSemi if is_matched => add(l.clone(), *wl),
            JoinKind::LeftAnti if !is_matched => add(l.clone(), *wl),
            JoinKind::LeftMark => add(both(l, &vec![Some(i64::from(is_matched))]), *wl),
            _ => {}
        }
    }
    for (r, wr) in right {
        let is_outer = matches!(join.kind, JoinKind::Right | JoinKind::Full);
        if is_outer && !left.keys().any(|l| matches(l, r)) {
            add(both(&nulls, r), *wr);
        }
    }
    result
}

#[derive(Debug, Clone)]
struct Change {
    port: usize,
    row: Numbers,
    retract: bool,
    cut: bool,
    rescale: Option<usize>,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let cell = |n: i64| proptest::option::weighted(0.85, 0..n);
    let rescale = proptest::option::weighted(0.05, 1usize..5);
    let change = (
        0usize..2,
        cell(4),
        cell(3),
        any::<bool>(),
        any::<bool>(),
        rescale,
    );
    let change = change.prop_map(|(port, k, v, retract, cut, rescale)| Change {
        port,
        row: vec![k, v],
        retract,
        cut,
        rescale,
    });
    proptest::collection::vec(change, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Whatever the batches, wherever the state was cut and spread anew: what was emitted adds up to the join of what
    /// was put in.
    #[test]
    fn changes_add_up_to_the_join(
        changes in changes(), kind in 0usize..KINDS.len(), filtered: bool, nulls_equal: bool, keyless in 0u8..5,
        null_aware: bool, updating: (bool, bool), batch_rows in 1usize..6,
    ) {
        let kind = KINDS[kind];
        let null_aware = null_aware && kind == JoinKind::LeftAnti;
        let keyless = keyless == 0 && !null_aware;
        let join = Join {
            keys: if keyless { Vec::new() } else { vec![(0, 0)] },
            nulls_equal: nulls_equal && !null_aware,
            filter: filtered.then(|| less_than(1, 3)),
            null_aware,
            updating,
            ..plan(kind)
        };
        let keys: &[usize] = if keyless { &[] } else { &[0] };
        let in_one_place = keyless || null_aware;
        let make = || build_for(join.clone(), batch_rows);
        let mut instances = Instances::new(1, make);
        let mut inputs = [Folded::new(), Folded::new()];
        let mut folded = Folded::new();
        let mut pending: Vec<(Numbers, i64)> = Vec::new();
        let (may_go, mut has_weights) = ([updating.0, updating.1], [false; 2]);
        for (i, change) in changes.iter().enumerate() {
            let there = inputs[change.port].entry(change.row.clone()).or_default();
            let weight = if change.retract && may_go[change.port] && *there > 0 { -1 } else { 1 };
            *there += weight;
            if *there == 0 {
                inputs[change.port].remove(&change.row);
            }
            has_weights[change.port] |= weight < 0;
            pending.push((change.row.clone(), weight));
            let ends = changes.get(i + 1).is_none_or(|next| next.port != change.port);
            if ends || change.cut || change.rescale.is_some() {
                let rows: Vec<Numbers> = pending.iter().map(|(row, _)| row.clone()).collect();
                let batch = Batch::append(record_batch(&side(), &rows));
                let weights: Vec<i64> = pending.drain(..).map(|(_, w)| w).collect();
                let batch = if has_weights[change.port] { weighted(batch, &weights) } else { batch };
                instances.on_batch(change.port, &batch, keys, &mut folded);
                if let Some(parallelism) = change.rescale {
                    instances.rescale(if in_one_place { 1 } else { parallelism }, make);
                }
                prop_assert_eq!(&folded, &nested_loops(&join, &inputs[0], &inputs[1]));
            }
        }
    }
}

/// However many rows match, they leave in batches of a given size, and rows that were not got to are given again.
#[test]
fn what_is_much_leaves_in_batches() {
    for updating in [false, true] {
        let join = Join {
            updating: (updating, updating),
            ..plan(JoinKind::Left)
        };
        let mut op = build_for(join, 7);
        let right: Vec<[i64; 2]> = (0..50).map(|v| [1, v]).collect();
        feed(&mut op, 1, side_rows(&right));
        let left: Vec<[i64; 2]> = (0..20).map(|v| [1 + v / 19, v]).collect();
        let mut next = Some(Element::Batch(side_rows(&left)));
        let (mut calls, mut pairs) = (0, 0);
        while let Some(Element::Batch(batch)) = next {
            let mut out = Output::default();
            op.on_batch(0, batch, &mut out).unwrap();
            assert!(batches(&out).all(|b| b.num_rows() <= 7));
            let emitted: usize = batches(&out).map(Batch::num_rows).sum();
            assert!(emitted <= 7 + 50, "a row more than a batch at most");
            pairs += emitted;
            calls += 1;
            next = out.rest;
        }
        assert_eq!((calls, pairs), (20, 19 * 50 + 1));
    }
}
