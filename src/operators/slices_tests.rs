//! Windows of slices against windows counted from scratch.

use std::sync::Arc;

use arrow::array::Int64Array;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::functions_aggregate::{count, sum};
use datafusion::physical_expr::aggregate::AggregateExprBuilder;
use datafusion::physical_expr::expressions::Column;
use proptest::prelude::*;

use super::super::local_aggregate::LocalAggregate;
use super::super::testing::*;
use super::super::window_aggregate::WindowAggregate;
use super::super::window_assign::WindowAssign;
use super::super::{Element, Metrics, Operator, Output};
use super::*;
use crate::graph::{AggregateCall, AggregateInput};
use crate::state::{StatePart, TableSnapshot};
use crate::time::{Watermark, WindowSpec};

/// COUNT(*) and SUM(v) by k and window.
fn plan(windows: &WindowSpec, by_slices: bool) -> Aggregate {
    let rows = schema(&["k", "v", "t", "w1", "w2", "w3"]);
    let column = |name: &str, at| -> Arc<dyn datafusion::physical_expr::PhysicalExpr> {
        Arc::new(Column::new(name, at))
    };
    let call = |function| {
        let function = AggregateExprBuilder::new(function, vec![column("v", 1)])
            .schema(Arc::clone(&rows))
            .alias("c")
            .build()
            .unwrap();
        AggregateCall {
            function: Arc::new(function),
            filter: None,
            distinct: false,
        }
    };
    let calls = vec![call(count::count_udaf()), call(sum::sum_udaf())];
    let group = [("k", 0), ("w1", 3), ("w2", 4), ("w3", 5)];
    let keys = group.map(|(name, at)| rows.field(at).clone().with_name(name));
    let states = calls
        .iter()
        .flat_map(|c| c.function.state_fields().unwrap());
    let states = states.map(|f| f.as_ref().clone().with_nullable(true));
    let partials: Vec<Field> = keys.iter().cloned().chain(states).collect();
    let results = ["n", "s"].map(|name| Field::new(name, DataType::Int64, true));
    let results: Vec<Field> = keys.iter().cloned().chain(results).collect();
    Aggregate {
        group: group
            .map(|(name, at)| (column(name, at), name.to_string()))
            .to_vec(),
        key: vec![0],
        window: Some((1, 2)),
        slices: by_slices.then(|| Slicing {
            windows: windows.clone(),
            time: Some(3),
        }),
        calls,
        partial_schema: Arc::new(Schema::new(partials)),
        result_schema: Arc::new(Schema::new(results)),
        ttl: None,
        mini_batch: None,
        input: AggregateInput::Partials,
    }
}

/// Windows assigned, partial results, and windows put together.
struct Chain {
    assign: WindowAssign,
    local: LocalAggregate,
    windows: WindowAggregate,
}

fn chain(spec: &WindowSpec, by_slices: bool) -> Chain {
    let aggregate = Arc::new(plan(spec, by_slices));
    let rows = schema(&["k", "v", "t", "w1", "w2", "w3"]);
    let metrics = || Arc::<Metrics>::default();
    Chain {
        assign: WindowAssign::new(spec.clone(), 2, by_slices, rows),
        local: LocalAggregate::new(Arc::clone(&aggregate), metrics()).unwrap(),
        windows: WindowAggregate::new(Arc::clone(&aggregate), &aggregate.partial_schema, metrics())
            .unwrap(),
    }
}

impl Chain {
    fn pass(&mut self, from: Output, out: &mut Output) {
        for element in from.elements {
            let given = match element {
                Element::Aside(..) => continue,
                element => give(&mut self.windows, 0, element),
            };
            out.elements.extend(given.elements);
        }
    }
}

impl Operator for Chain {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        for element in give(&mut self.assign, 0, Element::Batch(batch)).elements {
            let local = give(&mut self.local, 0, element);
            self.pass(local, out);
        }
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        let local = give(&mut self.local, 0, Element::Watermark(watermark));
        self.pass(local, out);
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        let mut local = Output::default();
        self.local.before_barrier(&mut local)?;
        let mut out = Output::default();
        self.pass(local, &mut out);
        assert!(batches(&out).count() == 0, "no window is over at a barrier");
        self.windows.snapshot()
    }

    fn restored_at(&mut self, watermark: Millis) -> Result<()> {
        self.windows.restored_at(watermark)
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.windows.restore(parts)
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// Key, value, by how much the time is before the newest one.
    Rows(Vec<(i64, i64, i64)>),
    Time(i64),
    Restart(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let row = (0i64..3, 0i64..9, prop_oneof![4 => 0i64..5, 1 => 0i64..40]);
    let step = prop_oneof![
        4 => proptest::collection::vec(row, 1..6).prop_map(Step::Rows),
        3 => prop_oneof![6 => 0i64..12, 1 => 30i64..120].prop_map(Step::Time),
        1 => (1usize..4).prop_map(Step::Restart),
    ];
    proptest::collection::vec(step, 0..30)
}

fn spec() -> impl Strategy<Value = WindowSpec> {
    (1i64..5, 2i64..6, any::<bool>(), -3i64..3).prop_map(|(step, times, hop, offset)| {
        let size = step * times;
        let kind = match hop {
            true => WindowKind::Hop { slide: step, size },
            false => WindowKind::Cumulate { step, size },
        };
        WindowSpec { kind, offset }
    })
}

/// Puts the chain through the steps; rows that are behind their watermark say so where `says_late`.
fn run(spec: &WindowSpec, by_slices: bool, steps: &[Step], says_late: bool) -> Folded {
    let make = || chain(spec, by_slices);
    let mut instances = Instances::new(1, make);
    let (mut now, mut folded, mut known) = (100i64, Folded::new(), false);
    for step in steps {
        match step {
            Step::Rows(rows) => {
                let numbers: Vec<[i64; 3]> = rows
                    .iter()
                    .map(|(k, v, back)| [*k, *v, now + 3 - back])
                    .collect();
                let late = |row: &[i64; 3]| (says_late && row[2] <= now).then_some(now);
                let late: Int64Array = numbers.iter().map(late).collect();
                let mut batch = super::super::testing::rows(&schema(&["k", "v", "t"]), &numbers);
                batch.behind = (says_late && known).then_some(late);
                instances.on_batch(0, &batch, &[0], &mut folded);
            }
            Step::Time(by) => {
                (now, known) = (now + by, true);
                instances.on_watermark(now, &mut folded);
            }
            Step::Restart(parallelism) => {
                instances.rescale(*parallelism, make);
                for instance in instances.all.iter_mut().filter(|_| known) {
                    instance.restored_at(now).unwrap();
                }
            }
        }
    }
    instances.on_watermark(i64::MAX, &mut folded);
    folded
}

/// The same, counted row by row and window by window.
fn from_scratch(spec: &WindowSpec, steps: &[Step]) -> Folded {
    let (mut now, mut known) = (100i64, false);
    let mut windows: BTreeMap<(i64, i64, i64), (i64, i64)> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Time(by) => (now, known) = (now + by, true),
            Step::Restart(_) => {}
            Step::Rows(rows) => {
                for (k, v, back) in rows {
                    spec.windows_of(now + 3 - back, |start, end| {
                        if !known || end - 1 > now {
                            let (n, sum) = windows.entry((*k, start, end)).or_default();
                            (*n, *sum) = (*n + 1, *sum + v);
                        }
                    });
                }
            }
        }
    }
    let row = |((k, start, end), (n, sum)): (&(i64, i64, i64), &(i64, i64))| {
        let row = [*k, *start, *end, end - 1, *n, *sum];
        (row.map(Some).to_vec(), 1)
    };
    windows.iter().map(row).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    /// Whatever comes late, wherever the state was cut and spread anew: every window has what it would have by itself.
    #[test]
    fn windows_of_slices_are_those_of_rows(spec in spec(), steps in steps(), says_late: bool) {
        let expected = from_scratch(&spec, &steps);
        prop_assert_eq!(&run(&spec, false, &steps, says_late), &expected);
        prop_assert_eq!(&run(&spec, true, &steps, says_late), &expected);
    }
}
