//! Whether an aggregation can be given slices of windows, each of which is part of several windows, instead of every window.

use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column as PhysicalColumn;
use datafusion::physical_expr::utils::collect_columns;

use crate::graph::{Aggregate, CalcStep, Operation, Slicing};

use super::*;

/// What a column is of the windows.
type Parts = Vec<Option<Part>>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Start,
    End,
    Time,
}

impl Lowering<'_> {
    /// Has rows of HOP and CUMULATE windows assigned by slices, where nothing but the grouping of `aggregate` looks at their window
    /// columns on the way from there to `node`, its input.
    pub(super) fn slices(
        &mut self,
        node: NodeId,
        aggregate: &Aggregate,
        roles: &[Role],
    ) -> Option<Slicing> {
        let (start, end) = aggregate.window?;
        let Role::WindowStart(assign, _) = roles.get(start)? else {
            return None;
        };
        let mut path = vec![node];
        while *path.last()? != *assign {
            let last = &self.graph.nodes[*path.last()?];
            match (&last.operation, last.inputs.as_slice()) {
                (Operation::Calc(_), [input]) if input.exchange == Exchange::Forward => {
                    path.push(input.from)
                }
                _ => return None,
            }
        }
        // Nobody else may read what is on the way.
        let inputs = self.graph.nodes.iter().flat_map(|node| &node.inputs);
        let readers = inputs.filter(|input| path.contains(&input.from)).count();
        if readers >= path.len() {
            return None;
        }
        let assigning = &self.graph.nodes[*assign];
        let Operation::WindowAssign { windows, .. } = &assigning.operation else {
            return None;
        };
        let windows = windows.clone();
        windows.slice()?;
        let own = assigning.schema.fields().len() - 3;
        let mut parts: Parts = vec![None; own];
        parts.extend([Some(Part::Start), Some(Part::End), Some(Part::Time)]);
        for id in path.iter().rev() {
            if let Operation::Calc(steps) = &self.graph.nodes[*id].operation {
                for step in steps {
                    parts = after(step, parts)?;
                }
            }
        }
        let mut time = None;
        for (i, (expr, _)) in aggregate.group.iter().enumerate() {
            match part_of(expr, &parts)? {
                Some(Part::Start) if i == start => {}
                Some(Part::End) if i == end => {}
                Some(Part::Time) if time.is_none() => time = Some(i),
                Some(_) => return None,
                None if i == start || i == end => return None,
                None => {}
            }
        }
        for call in &aggregate.calls {
            let arguments = call.function.expressions();
            let all = arguments.iter().chain(&call.filter);
            if all.into_iter().any(|expr| looks_at(expr, &parts)) {
                return None;
            }
        }
        if let Operation::WindowAssign { by_slices, .. } = &mut self.graph.nodes[*assign].operation
        {
            *by_slices = true;
        }
        Some(Slicing { windows, time })
    }
}

/// Which columns are of windows after a step; `None` where it looks at them.
fn after(step: &CalcStep, parts: Parts) -> Option<Parts> {
    match step {
        CalcStep::Filter(expr) => (!looks_at(expr, &parts)).then_some(parts),
        CalcStep::Project(columns, _) => {
            let columns = columns.iter().map(|(expr, _)| part_of(expr, &parts));
            columns.collect()
        }
    }
}

/// What an expression is of windows, if it is a column; `None` where it is computed from such.
fn part_of(expr: &Arc<dyn PhysicalExpr>, parts: &Parts) -> Option<Option<Part>> {
    if let Some(column) = expr.downcast_ref::<PhysicalColumn>() {
        return Some(parts.get(column.index()).copied().flatten());
    }
    (!looks_at(expr, parts)).then_some(None)
}

fn looks_at(expr: &Arc<dyn PhysicalExpr>, parts: &Parts) -> bool {
    let columns = collect_columns(expr);
    let mut columns = columns.iter();
    columns.any(|column| parts.get(column.index()).copied().flatten().is_some())
}
