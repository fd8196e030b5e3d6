//! The graph as text.

use std::fmt;

use arrow::datatypes::Schema;

use super::{
    CalcStep, Conflict, Exchange, Frame, Graph, Join, JoinKind, JoinTime, Node, Operation, Over,
    OverFunction, OverTime, Rank, RankFunction, RankTime, SortColumn,
};

impl Node {
    /// The operation and its parts, as Flink would name them.
    pub fn title(&self) -> String {
        let list = |names: Vec<String>| names.join(", ");
        match &self.operation {
            Operation::Source(s) => {
                let columns = s
                    .read_schema
                    .fields()
                    .iter()
                    .map(|f| f.name().clone())
                    .collect();
                let mut text = format!("Source(table=[{}], read=[{}]", s.table.name, list(columns));
                if let Some(rule) = &s.watermark {
                    text.push_str(&format!(", watermark=[{} AS {}]", rule.name, rule.expr));
                }
                text + ")"
            }
            Operation::Values(rows) => format!("Values(rows=[{}])", rows.num_rows()),
            Operation::Calc(steps) => {
                let parts = steps.iter().map(|s| match s {
                    CalcStep::Filter(e) => format!("where=[{e}]"),
                    CalcStep::Project(exprs, _) => {
                        let shown = exprs.iter().map(|(e, n)| format!("{e} AS {n}")).collect();
                        format!("select=[{}]", list(shown))
                    }
                });
                format!("Calc({})", list(parts.collect()))
            }
            Operation::Expand(lists) => format!("Expand(sets=[{}])", lists.len()),
            Operation::WindowAssign { windows, .. } => {
                format!("WindowTableFunction(window=[{windows}])")
            }
            Operation::SessionAssign { gap, keys, .. } => {
                let names = keys
                    .iter()
                    .map(|k| self.schema.field(*k).name().clone())
                    .collect();
                format!(
                    "WindowTableFunction(window=[SESSION(gap {gap} ms)], partitionBy=[{}])",
                    list(names)
                )
            }
            Operation::LocalAggregate(a)
            | Operation::WindowAggregate(a)
            | Operation::GroupAggregate(a)
            | Operation::RetractAggregate(a) => {
                let name = match &self.operation {
                    Operation::LocalAggregate(_) if a.window.is_some() => "LocalWindowAggregate",
                    Operation::LocalAggregate(_) => "LocalGroupAggregate",
                    Operation::WindowAggregate(_) => "GlobalWindowAggregate",
                    Operation::RetractAggregate(_) if a.window.is_some() => "WindowAggregate",
                    _ => "GroupAggregate",
                };
                let groups = a.group.iter().map(|(_, n)| n.clone()).collect();
                let calls = a
                    .calls
                    .iter()
                    .map(|c| c.function.name().to_string())
                    .collect();
                format!(
                    "{name}(groupBy=[{}], select=[{}])",
                    list(groups),
                    list(calls)
                )
            }
            Operation::Union => "Union(all)".to_string(),
            Operation::EventTimeSort { column, .. } => {
                format!("EventTimeSort(by=[{}])", self.schema.field(*column).name())
            }
            Operation::WatermarkAssign(rule) => {
                format!("WatermarkAssigner({} AS {})", rule.name, rule.expr)
            }
            Operation::ChangelogNormalize { key, .. } => {
                format!("ChangelogNormalize(key=[{}])", names(&self.schema, key))
            }
            Operation::UpsertMaterialize { key, conflict, .. } => format!(
                "UpsertMaterialize(key=[{}], onConflict=[{}])",
                names(&self.schema, key),
                match conflict {
                    Conflict::Deduplicate => "DEDUPLICATE",
                    Conflict::Nothing => "NOTHING",
                    Conflict::Error => "ERROR",
                }
            ),
            Operation::Join(join) => join_title(join, &self.schema),
            Operation::Rank(rank) => rank_title(rank, &self.schema),
            Operation::Over(over) => over_title(over, &self.schema),
            Operation::Sink(s) => format!("Sink(table=[{}])", s.name),
        }
    }
}

/// The names of columns, in their order.
fn names(schema: &Schema, columns: &[usize]) -> String {
    let names: Vec<&str> = columns
        .iter()
        .map(|c| schema.field(*c).name().as_str())
        .collect();
    names.join(", ")
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forward => f.write_str("forward"),
            Self::Hash(columns) => write!(f, "hash{columns:?}"),
            Self::Gather => f.write_str("gather"),
            Self::Aside(table) => write!(f, "aside {}", table.table()),
        }
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, node) in self.nodes.iter().enumerate() {
            write!(f, "[{id}] x{} {}", node.parallelism, node.title())?;
            let inputs: Vec<String> = node
                .inputs
                .iter()
                .map(|i| format!("{} {}", i.from, i.exchange))
                .collect();
            if !inputs.is_empty() {
                write!(f, " <- {}", inputs.join(", "))?;
            }
            let is_upsert = matches!(node.operation, Operation::Source(_))
                && self.consumers(id).any(|(to, _)| {
                    matches!(
                        self.nodes[to].operation,
                        Operation::ChangelogNormalize { .. }
                    )
                });
            let mode = match node.changes.updating {
                true if is_upsert => "I,UA,D",
                true => "I,UB,UA,D",
                false => "I",
            };
            write!(f, " changelogMode=[{mode}]")?;
            let keys: Vec<String> = node
                .changes
                .upsert_keys
                .iter()
                .map(|key| format!("[{}]", names(&node.schema, key)))
                .collect();
            if !keys.is_empty() {
                write!(f, " upsertKey={}", keys.join(""))?;
            }
            if node.changes.order_dependent {
                f.write_str(" order-dependent")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn join_title(join: &Join, schema: &Schema) -> String {
    let name = match join.time {
        JoinTime::Regular => "Join",
        JoinTime::Window(..) => "WindowJoin",
        JoinTime::Interval { .. } => "IntervalJoin",
    };
    let kind = match join.kind {
        JoinKind::Inner => "InnerJoin",
        JoinKind::Left => "LeftOuterJoin",
        JoinKind::Right => "RightOuterJoin",
        JoinKind::Full => "FullOuterJoin",
        JoinKind::LeftSemi => "LeftSemiJoin",
        JoinKind::LeftAnti => "LeftAntiJoin",
        JoinKind::LeftMark => "LeftMarkJoin",
    };
    // The left columns stand first in the result, whatever the kind.
    let keys: Vec<usize> = join.keys.iter().map(|(left, _)| *left).collect();
    let keys = names(schema, &keys);
    let mut text = format!("{name}(joinType=[{kind}], keys=[{keys}]");
    if let JoinTime::Interval { lower, upper, .. } = join.time {
        text += &format!(", interval=[{lower} ms, {upper} ms]");
    }
    if let Some(filter) = &join.filter {
        text += &format!(", where=[{filter}]");
    }
    text + ")"
}

fn rank_title(rank: &Rank, schema: &Schema) -> String {
    let name = match rank.time {
        RankTime::Updating => "Rank",
        RankTime::Window(_) => "WindowRank",
        RankTime::FirstByTime(_) | RankTime::FirstByArrival => "Deduplicate",
    };
    let function = rank_name(rank.function);
    format!(
        "{name}(function=[{function}], partitionBy=[{}], orderBy=[{}], range=[{}, {}])",
        names(schema, &rank.partition),
        order(&rank.order, schema),
        rank.from,
        rank.to
    )
}

fn rank_name(function: RankFunction) -> &'static str {
    match function {
        RankFunction::RowNumber => "ROW_NUMBER",
        RankFunction::Rank => "RANK",
        RankFunction::DenseRank => "DENSE_RANK",
    }
}

fn order(columns: &[SortColumn], schema: &Schema) -> String {
    let shown: Vec<String> = columns
        .iter()
        .map(|c| {
            let direction = if c.descending { "DESC" } else { "ASC" };
            format!("{} {direction}", schema.field(c.column).name())
        })
        .collect();
    shown.join(", ")
}

fn over_title(over: &Over, schema: &Schema) -> String {
    let by = match &over.time {
        OverTime::Event(column) => schema.field(*column).name().clone(),
        OverTime::Arrival(_) => "arrival".to_string(),
        OverTime::Updating(columns) => order(columns, schema),
    };
    let frame = match over.frame {
        Frame::RowsUnbounded => "ROWS UNBOUNDED PRECEDING".to_string(),
        Frame::Rows(n) => format!("ROWS {n} PRECEDING"),
        Frame::RangeUnbounded => "RANGE UNBOUNDED PRECEDING".to_string(),
        Frame::Range(millis) => format!("RANGE {millis} ms PRECEDING"),
    };
    let calls: Vec<String> = over
        .calls
        .iter()
        .map(|call| match call {
            OverFunction::Aggregate(a) => a.function.name().to_string(),
            OverFunction::Lag { value, offset, .. } => format!("LAG({value}, {offset})"),
            OverFunction::Rank(function) => format!("{}()", rank_name(*function)),
        })
        .collect();
    format!(
        "OverAggregate(partitionBy=[{}], orderBy=[{by}], frame=[{frame}], select=[{}])",
        names(schema, &over.partition),
        calls.join(", ")
    )
}
