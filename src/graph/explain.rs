//! The graph as text.

use std::fmt;

use super::{CalcStep, Exchange, Graph, Node, Operation};

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
            | Operation::GroupAggregate(a) => {
                let name = match &self.operation {
                    Operation::LocalAggregate(_) if a.window.is_some() => "LocalWindowAggregate",
                    Operation::LocalAggregate(_) => "LocalGroupAggregate",
                    Operation::WindowAggregate(_) => "GlobalWindowAggregate",
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
            Operation::Sink(s) => format!("Sink(table=[{}])", s.name),
        }
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forward => f.write_str("forward"),
            Self::Hash(columns) => write!(f, "hash{columns:?}"),
            Self::Gather => f.write_str("gather"),
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
            let mode = if node.changes.updating {
                "I,UB,UA,D"
            } else {
                "I"
            };
            write!(f, " changelogMode=[{mode}]")?;
            if let Some(key) = &node.changes.upsert_key {
                let names: Vec<&str> = key
                    .iter()
                    .map(|k| node.schema.field(*k).name().as_str())
                    .collect();
                write!(f, " upsertKey=[{}]", names.join(", "))?;
            }
            if node.changes.order_dependent {
                f.write_str(" order-dependent")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
