//! Window joins.

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
        updating: (false, false),
    };
    let output = match kind {
        JoinKind::LeftSemi | JoinKind::LeftAnti => side(),
        _ => schema(&["k", "v", "w", "k2", "v2", "w2"]),
    };
    let metrics = Arc::clone(metrics);
    WindowJoin::new(&Arc::new(join), (&side(), &side(), &output), metrics, 2).unwrap()
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
        [pair.clone(), pair.clone(), right.clone()]
    );
    assert_eq!(result(JoinKind::Full), [pair.clone(), pair, left, right]);
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
