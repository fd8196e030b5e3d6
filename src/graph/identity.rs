//! Names for nodes that stay the same when other statements change, so that state finds its operator again.
//!
//! A name covers all that the rows in an operator's state depend on: the operator, and every filter, expression and table
//! before it. What other queries read from the same tables plays no part.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use twox_hash::XxHash3_64;

use super::names::{self, Names};
use super::sql::Sql;
use super::{AggregateInput, CalcStep, Graph, NamedExpr, NodeId, Operation, Source};
use crate::catalog::ColumnKind;

/// What the rows of a node come from: which rows there are, and each of their columns.
#[derive(Debug, Clone, Default)]
struct Origin {
    rows: u64,
    columns: Vec<u64>,
}

impl Graph {
    /// A name for every node, in their order: the statement (or the table that is read) it belongs to, what it is, and a hash of
    /// all that its state depends on. Two that are alike in one statement are numbered.
    ///
    /// So state survives statements and stateless steps that are added, changed or removed elsewhere; an operator that keeps
    /// other rows than before has another name.
    pub fn state_ids(&self) -> Vec<String> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut ids = Vec::with_capacity(self.nodes.len());
        for ((id, node), origin) in self.nodes.iter().enumerate().zip(self.origins()) {
            let name = match &node.operation {
                Operation::Source(source) => format!("source/{}", source.table.name),
                _ => format!(
                    "{}/{}-{:08x}",
                    self.scopes.get(id).map(String::as_str).unwrap_or_default(),
                    node.kind(),
                    origin.rows as u32
                ),
            };
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            ids.push(match *count {
                1 => name,
                n => format!("{name}#{n}"),
            });
        }
        ids
    }

    fn origins(&self) -> Vec<Origin> {
        let mut names = names::raw(self);
        let mut origins: Vec<Origin> = Vec::with_capacity(self.nodes.len());
        for (id, node) in self.nodes.iter().enumerate() {
            let origin = match &node.operation {
                Operation::Source(source) => of_source(source),
                Operation::Calc(steps) => {
                    let input = node.inputs.first().and_then(|i| origins.get(i.from));
                    let input = input.cloned().unwrap_or_default();
                    steps.iter().fold(input, after_step)
                }
                _ => {
                    let inputs = node.inputs.iter().filter_map(|i| origins.get(i.from));
                    self.of_operator(id, &names, inputs)
                }
            };
            // The optimiser's numbers change with whatever else the statement computes.
            for (name, column) in names[id].iter_mut().zip(&origin.columns) {
                if names::is_shared(name) {
                    *name = format!("{column:x}");
                }
            }
            origins.push(origin);
        }
        origins
    }

    fn of_operator<'o>(
        &self,
        id: NodeId,
        names: &Names,
        inputs: impl Iterator<Item = &'o Origin>,
    ) -> Origin {
        let node = &self.nodes[id];
        let mut text = self.title_with(id, names);
        // The text of an expression leaves types out.
        for input in &node.inputs {
            text += &types(&self.nodes[input.from].schema);
        }
        match &node.operation {
            Operation::LocalAggregate(a)
            | Operation::WindowAggregate(a)
            | Operation::GroupAggregate(a)
                if a.input == AggregateInput::Partials =>
            {
                text += &shown(&a.partial_schema);
            }
            Operation::Values(rows) => text += &format!("{rows:?}"),
            _ => {}
        }
        for input in inputs {
            text += &format!(" {} {:?}", input.rows, input.columns);
        }
        let rows = hash(&text);
        let columns = 0..node.schema.fields().len();
        Origin {
            rows,
            columns: columns.map(|i| hash(&format!("{rows} {i}"))).collect(),
        }
    }
}

fn types(schema: &Schema) -> String {
    let fields = schema.fields().iter();
    fields.map(|f| format!(" {}", f.data_type())).collect()
}

fn of_source(source: &Source) -> Origin {
    let table = &source.table;
    let column = |name: &str| {
        let declared = table.column(name).map(|i| &table.columns[i]);
        let computed = declared.map(|c| match &c.kind {
            ColumnKind::Computed(expr) => expr.to_string(),
            other => format!("{other:?}"),
        });
        let data_type = declared.map(|c| c.sql_type.to_string());
        hash(&format!("{} {name} {data_type:?} {computed:?}", table.name))
    };
    let read = source.read_schema.fields().iter();
    let columns = match &source.compute {
        Some(compute) => compute.iter().map(|(_, name)| column(name)).collect(),
        None => read.map(|f| column(f.name())).collect(),
    };
    Origin {
        rows: hash(&format!("table {} key {:?}", table.name, table.primary_key)),
        columns,
    }
}

fn after_step(input: Origin, step: &CalcStep) -> Origin {
    match step {
        CalcStep::Filter(predicate) => Origin {
            rows: hash(&format!("{} {}", input.rows, of_expr(predicate, &input))),
            columns: input.columns,
        },
        CalcStep::Project(exprs, _) => Origin {
            rows: input.rows,
            columns: of_exprs(exprs, &input),
        },
    }
}

fn of_exprs(exprs: &[NamedExpr], input: &Origin) -> Vec<u64> {
    exprs.iter().map(|(e, _)| of_expr(e, input)).collect()
}

/// A hash of an expression, over what its columns come from instead of where they are.
fn of_expr(expr: &Arc<dyn PhysicalExpr>, input: &Origin) -> u64 {
    let origin_of = |column: &Column| input.columns.get(column.index()).copied();
    if let Some(column) = expr.downcast_ref::<Column>() {
        return origin_of(column).unwrap_or_default();
    }
    let named = |column: &Column| Sql::atom(format!("{:x}", origin_of(column).unwrap_or_default()));
    hash(Sql::physical(expr, &named).text())
}

fn hash(text: &str) -> u64 {
    XxHash3_64::oneshot(text.as_bytes())
}

fn shown(schema: &Schema) -> String {
    let fields = schema.fields().iter();
    let fields: Vec<String> = fields
        .map(|f| format!("{} {}", f.name(), f.data_type()))
        .collect();
    format!(" [{}]", fields.join(", "))
}
