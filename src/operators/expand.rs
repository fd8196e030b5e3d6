//! Emits every row once per grouping set.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;

use super::{Operator, Output, evaluate};
use crate::changelog::Batch;
use crate::error::Result;

/// Several projections of the same rows.
pub struct Expand {
    lists: Vec<Vec<Arc<dyn PhysicalExpr>>>,
    schema: SchemaRef,
}

impl Expand {
    /// One list of expressions a grouping set, all giving `schema`.
    pub fn new(lists: Vec<Vec<Arc<dyn PhysicalExpr>>>, schema: SchemaRef) -> Self {
        Self { lists, schema }
    }
}

impl Operator for Expand {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        for list in &self.lists {
            let columns = list
                .iter()
                .map(|e| evaluate::values(e, &batch.rows))
                .collect::<Result<Vec<_>>>()?;
            out.batch(batch.with_rows(RecordBatch::try_new(Arc::clone(&self.schema), columns)?));
        }
        Ok(())
    }
}
