//! Top-N.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::{Operator, Output};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::Rank;

/// Top-N.
pub struct TopN {}

impl TopN {
    /// Nothing kept yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(_: &Arc<Rank>, _: &SchemaRef, _: &SchemaRef) -> Result<Self> {
        Err(Error::internal("not built"))
    }
}

impl Operator for TopN {
    fn on_batch(&mut self, _port: usize, _batch: Batch, _out: &mut Output) -> Result<()> {
        Ok(())
    }
}
