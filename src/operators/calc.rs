//! Filters and projections, fused: one pass over each batch.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch, RecordBatchOptions};

use super::{Operator, Output, evaluate};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::CalcStep;

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
        for step in &self.steps {
            if batch.num_rows() == 0 {
                // Later steps still decide the schema; nothing is emitted of an empty batch.
                continue;
            }
            batch = match step {
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
            };
        }
        Ok(batch)
    }
}

impl Operator for Calc {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        out.batch(self.apply(batch)?);
        Ok(())
    }
}
