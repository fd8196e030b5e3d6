//! The steps of a Calc as one projection and one condition, as Flink's plans show them.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};

use super::CalcStep;
use super::sql::Sql;

/// An expression that is used more than once is written out each time if it is no longer than this.
const SHORT: usize = 40;

/// The name of a column.
pub(super) fn plain(names: &[String], column: usize) -> &str {
    names.get(column).map_or("?", String::as_str)
}

/// An expression over columns of these names.
pub(super) fn over(expr: &Arc<dyn PhysicalExpr>, names: &[String]) -> Sql {
    Sql::physical(expr, &|c: &Column| {
        Sql::atom(names.get(c.index()).map_or(c.name(), String::as_str))
    })
}

/// What the steps come to.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// Expressions that others use more than once.
    pub compute: Vec<String>,
    /// What must all be true.
    pub filters: Vec<String>,
    /// The columns; none where there are only filters.
    pub select: Vec<String>,
}

impl Steps {
    /// `steps` over columns of the names `input`, to columns of the names `output`.
    pub fn new(steps: &[CalcStep], input: &[String], output: &[String]) -> Self {
        let mut found = Self::default();
        let mut columns: Vec<Sql> = input.iter().map(Sql::atom).collect();
        let mut filters = Vec::new();
        let mut projects = false;
        for (place, step) in steps.iter().enumerate() {
            let shown = |e: &Arc<dyn PhysicalExpr>| {
                Sql::physical(e, &|c: &Column| {
                    columns
                        .get(c.index())
                        .cloned()
                        .unwrap_or_else(|| Sql::atom(c.name()))
                })
            };
            match step {
                CalcStep::Filter(condition) => {
                    let parts = split_conjunction(condition).into_iter();
                    filters.extend(parts.map(shown));
                }
                CalcStep::Project(exprs, _) => {
                    projects = true;
                    let mut next: Vec<Sql> = exprs.iter().map(|(e, _)| shown(e)).collect();
                    for (column, (expr, name)) in exprs.iter().enumerate() {
                        let is_column = expr.downcast_ref::<Column>().is_some();
                        if !is_column
                            && next[column].text().len() > SHORT
                            && uses(&steps[place + 1..], column) > 1
                        {
                            found.compute.push(named(&next[column], name));
                            next[column] = Sql::atom(name);
                        }
                    }
                    columns = next;
                }
            }
        }
        found.filters = conjuncts(&filters);
        if projects {
            let columns = columns.iter().enumerate();
            found.select = columns
                .map(|(i, sql)| named(sql, output.get(i).map_or(sql.text(), String::as_str)))
                .collect();
        }
        found
    }

    /// For each column that the steps give: the column of the input that it is.
    pub fn sources(steps: &[CalcStep], width: usize) -> Vec<Option<usize>> {
        let mut sources: Vec<Option<usize>> = (0..width).map(Some).collect();
        for step in steps {
            if let CalcStep::Project(exprs, _) = step {
                let of = |(e, _): &(Arc<dyn PhysicalExpr>, String)| {
                    sources.get(column(e)?.index()).copied().flatten()
                };
                sources = exprs.iter().map(of).collect();
            }
        }
        sources
    }
}

/// The column that an expression is, in another layout or not.
fn column(expr: &Arc<dyn PhysicalExpr>) -> Option<&Column> {
    match expr.downcast_ref::<CastExpr>() {
        Some(cast) => column(cast.expr()),
        None => expr.downcast_ref(),
    }
}

/// How often a column is mentioned, up to the next projection.
fn uses(steps: &[CalcStep], column: usize) -> usize {
    let mentions = |e: &Arc<dyn PhysicalExpr>| {
        let mut count = 0;
        // The visitor itself never fails.
        let _ = e.apply(|e| {
            let is_it = e
                .downcast_ref::<Column>()
                .is_some_and(|c| c.index() == column);
            count += usize::from(is_it);
            Ok(TreeNodeRecursion::Continue)
        });
        count
    };
    let mut count = 0;
    for step in steps {
        match step {
            CalcStep::Filter(e) => count += mentions(e),
            CalcStep::Project(exprs, _) => {
                return count + exprs.iter().map(|(e, _)| mentions(e)).sum::<usize>();
            }
        }
    }
    count
}

/// What must all be true, each as it stands between ANDs.
pub(super) fn conjuncts(all: &[Sql]) -> Vec<String> {
    match all {
        [only] => vec![only.text().to_string()],
        all => all.iter().map(Sql::conjunct).collect(),
    }
}

/// An expression AS a name, where that says more.
pub(super) fn named(sql: &Sql, name: &str) -> String {
    if sql.text() == name {
        name.to_string()
    } else {
        format!("{sql} AS {name}")
    }
}
