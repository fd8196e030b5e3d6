//! Window joins.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::{Metrics, Operator, Output};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::Join;

/// Window joins.
pub struct WindowJoin {}

impl WindowJoin {
    /// Nothing kept yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(_: &Arc<Join>, _: &SchemaRef, _: &SchemaRef, _: &SchemaRef, _: Arc<Metrics>) -> Result<Self> {
        Err(Error::internal("not built"))
    }
}

impl Operator for WindowJoin {
    fn on_batch(&mut self, _port: usize, _batch: Batch, _out: &mut Output) -> Result<()> {
        Ok(())
    }
}
