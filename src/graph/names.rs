//! What the columns of nodes are called where a person reads of them.

use datafusion::physical_expr::expressions::Column;

use super::calc::{Steps, plain};
use super::calls::over_call;
use super::{AggregateInput, Aside, Exchange, Graph, JoinKind, NodeId, Operation};

/// The names of the columns of each node, by node.
pub(super) type Names = Vec<Vec<String>>;

/// As the schemas have them. They depend on nothing but the nodes themselves.
pub(super) fn raw(graph: &Graph) -> Names {
    let nodes = graph.nodes.iter();
    nodes
        .map(|n| n.schema.fields().iter().map(|f| f.name().clone()).collect())
        .collect()
}

/// What the optimiser calls an expression that is evaluated once for several uses.
const SHARED: &str = "__common_expr_";

/// Whether a column is an expression that several use.
pub(super) fn is_shared(name: &str) -> bool {
    name.starts_with(SHARED)
}

/// A name that nobody gave: of a call, or one of the planner's.
fn is_made_up(name: &str) -> bool {
    let name = name.strip_prefix("EXPR$").unwrap_or(name);
    name.starts_with("__") || !name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Whether a column of a node has no name of its own: besides what is made up, what the node itself adds to its rows.
fn is_unnamed(graph: &Graph, names: &Names, id: NodeId, column: usize) -> bool {
    let node = &graph.nodes[id];
    let added = match &node.operation {
        Operation::Rank(_) | Operation::Over(_) => {
            let input = node.inputs.first().map_or(id, |i| i.from);
            column >= graph.nodes[input].schema.fields().len()
        }
        _ => false,
    };
    added || is_made_up(&names[id][column])
}

/// As a person reads them: what has no name of its own is called what it is called later, or by what it is.
pub(super) fn readable(graph: &Graph) -> Names {
    let mut names = raw(graph);
    let as_declared = names.clone();
    for id in (0..graph.nodes.len()).rev() {
        let mut consumers = graph.consumers(id);
        let (Some((consumer, port)), None) = (consumers.next(), consumers.next()) else {
            continue;
        };
        for column in 0..names[id].len() {
            if is_unnamed(graph, &names, id, column)
                && let Some(later) = later_name(graph, &names, id, consumer, port, column)
                && !is_made_up(&later)
                && !names[id].contains(&later)
            {
                names[id][column] = later;
            }
        }
    }
    for id in 0..graph.nodes.len() {
        let node = &graph.nodes[id];
        let Some(input) = node.inputs.first().map(|i| i.from) else {
            continue;
        };
        if passes_columns(&node.operation) {
            let from = names[input].clone();
            for (name, passed) in names[id].iter_mut().zip(from) {
                if is_made_up(name) {
                    *name = passed;
                }
            }
        }
        if let Operation::Calc(steps) = &node.operation {
            let sources = Steps::sources(steps, names[input].len());
            for (column, source) in sources.into_iter().enumerate() {
                let source = source.and_then(|s| names[input].get(s).cloned());
                if let Some(source) = source.filter(|s| !names[id].contains(s))
                    && is_made_up(&names[id][column])
                {
                    names[id][column] = source;
                }
            }
        }
        if let Operation::Over(over) = &node.operation {
            let first = names[input].len();
            for (i, call) in over.calls.iter().enumerate() {
                if names[id].get(first + i) == as_declared[id].get(first + i) {
                    names[id][first + i] = over_call(call, &names[input]);
                }
            }
        }
    }
    for columns in &mut names {
        for at in 0..columns.len() {
            let name = match columns[at].strip_prefix(SHARED) {
                Some(number) => format!("shared{number}"),
                None if columns[at] == "__grouping_id" => "grouping_set".to_string(),
                None => match columns[at].strip_prefix('$') {
                    Some(planners) => planners.to_string(),
                    None => continue,
                },
            };
            if !columns.contains(&name) {
                columns[at] = name;
            }
        }
    }
    names
}

/// What `consumer` calls a column of its input `id`, if it passes it on as it is.
fn later_name(
    graph: &Graph,
    names: &Names,
    id: NodeId,
    consumer: NodeId,
    port: usize,
    column: usize,
) -> Option<String> {
    let node = &graph.nodes[consumer];
    let at = match &node.operation {
        Operation::Calc(steps) => {
            let input = &names[id];
            let outputs = Steps::sources(steps, input.len());
            let at = outputs.iter().enumerate();
            return at
                .filter(|(_, source)| **source == Some(column))
                .map(|(output, _)| names[consumer][output].clone())
                .find(|name| !is_made_up(name));
        }
        Operation::WindowAggregate(a) | Operation::GroupAggregate(a)
            if a.input == AggregateInput::Partials =>
        {
            (column < a.group.len()).then_some(column)
        }
        Operation::LocalAggregate(a)
        | Operation::WindowAggregate(a)
        | Operation::GroupAggregate(a) => {
            let mut groups = a.group.iter();
            groups.position(|(e, _)| e.downcast_ref::<Column>().map(Column::index) == Some(column))
        }
        Operation::Join(join) => match (port, join.kind) {
            (0, _) => Some(column),
            (_, JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::LeftMark) => None,
            _ => names[consumer]
                .len()
                .checked_sub(names[id].len())
                .map(|left| left + column),
        },
        operation => passes_columns(operation).then_some(column),
    };
    at.and_then(|at| names[consumer].get(at).cloned())
}

/// Whether the columns of the input are the first of its own.
fn passes_columns(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Expand(_)
            | Operation::WindowAssign { .. }
            | Operation::SessionAssign { .. }
            | Operation::Union
            | Operation::EventTimeSort { .. }
            | Operation::WatermarkAssign(_)
            | Operation::ChangelogNormalize { .. }
            | Operation::Rank(_)
            | Operation::Over(_)
            | Operation::UpsertMaterialize { .. }
            | Operation::Keep(_)
            | Operation::Sink(_)
    )
}

/// Columns by name, with commas between them.
pub(super) fn listed(names: &[String], columns: &[usize]) -> String {
    let all: Vec<&str> = columns.iter().map(|c| plain(names, *c)).collect();
    all.join(", ")
}

/// How rows travel, in words.
pub(super) fn exchange(exchange: &Exchange, names: &[String]) -> String {
    match exchange {
        Exchange::Forward => "forward".into(),
        Exchange::Hash(columns) => format!("hash({})", listed(names, columns)),
        Exchange::Gather => "gather".into(),
        Exchange::Aside(Aside::BadRows) => "bad rows".into(),
        Exchange::Aside(Aside::LateRows) => "late rows".into(),
    }
}
