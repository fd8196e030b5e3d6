//! Window Top-N.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::{Metrics, Operator, Output};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::Rank;

/// Window Top-N.
pub struct WindowRank {}

impl WindowRank {
    /// Nothing kept yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(_: &Arc<Rank>, _: &SchemaRef, _: &SchemaRef, _: Arc<Metrics>) -> Result<Self> {
        Err(Error::internal("not built"))
    }
}

impl Operator for WindowRank {
    fn on_batch(&mut self, _port: usize, _batch: Batch, _out: &mut Output) -> Result<()> {
        Ok(())
    }
}
