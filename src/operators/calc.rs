//! Filters and projections, fused: one pass over each batch.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch, RecordBatchOptions};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

use super::{Operator, Output, evaluate};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::CalcStep;
use crate::graph::sql::Sql;

/// An expression of more bytes is called by its name where another uses it.
const LONG: usize = 400;

/// A run of filters and projections.
pub struct Calc {
    steps: Vec<CalcStep>,
}

impl Calc {
    /// The steps in order.
    pub fn new(steps: Vec<CalcStep>) -> Self {
        Self { steps }
    }

    /// The batch after all steps.
    ///
    /// # Errors
    /// Where an expression fails on a row.
    pub fn apply(&self, mut batch: Batch) -> Result<Batch> {
        let given = batch.rows.clone();
        for step in &self.steps {
            if batch.num_rows() == 0 {
                // Later steps still decide the schema; nothing is emitted of an empty batch.
                continue;
            }
            batch = match apply(step, batch) {
                Ok(batch) => batch,
                Err(error) => return Err(self.failure(&given).unwrap_or(error)),
            };
        }
        Ok(batch)
    }

    /// The first row that fails, as it was given, and the expression over its columns: a step may fail on what one before it has
    /// made.
    fn failure(&self, given: &RecordBatch) -> Option<Error> {
        (0..given.num_rows()).find_map(|i| {
            let row = given.slice(i, 1);
            let names = given.schema();
            let mut columns: Vec<Sql> =
                names.fields().iter().map(|f| Sql::atom(f.name())).collect();
            let mut now = Batch::append(row.clone());
            for step in &self.steps {
                if now.num_rows() == 0 {
                    return None;
                }
                let text = |e: &Arc<dyn PhysicalExpr>| {
                    Sql::physical(e, &|c: &Column| match columns.get(c.index()) {
                        Some(sql) => sql.clone(),
                        None => Sql::atom(c.name()),
                    })
                };
                let exprs: Vec<&Arc<dyn PhysicalExpr>> = match step {
                    CalcStep::Filter(predicate) => vec![predicate],
                    CalcStep::Project(exprs, _) => exprs.iter().map(|(e, _)| e).collect(),
                };
                for expr in exprs {
                    if let Err(error) = expr.evaluate(&now.rows) {
                        return Some(evaluate::failed(error, &text(expr), &row));
                    }
                }
                if let CalcStep::Project(exprs, _) = step {
                    let shown = exprs.iter().map(|(e, name)| match text(e) {
                        long if long.text().len() > LONG => Sql::atom(name),
                        sql => sql,
                    });
                    columns = shown.collect();
                }
                now = apply(step, now).ok()?;
            }
            None
        })
    }
}

fn apply(step: &CalcStep, batch: Batch) -> Result<Batch> {
    Ok(match step {
        CalcStep::Filter(predicate) => {
            let keep = evaluate::mask(predicate, &batch.rows, "the filter")?;
            if keep.null_count() == 0 && keep.true_count() == keep.len() {
                batch
            } else {
                batch.filter(&keep)?
            }
        }
        CalcStep::Project(exprs, schema) => {
            let columns = exprs
                .iter()
                .map(|(e, _)| evaluate::values(e, &batch.rows))
                .collect::<Result<Vec<_>>>()?;
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            batch.with_rows(RecordBatch::try_new_with_options(
                Arc::clone(schema),
                columns,
                &options,
            )?)
        }
    })
}

impl Operator for Calc {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        out.batch(self.apply(batch)?);
        Ok(())
    }
}
