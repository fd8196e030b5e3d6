//! Regular joins.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::{Operator, Output};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::Join;

/// Regular joins.
pub struct RegularJoin {}

impl RegularJoin {
    /// Nothing kept yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(_: &Arc<Join>, _: &SchemaRef, _: &SchemaRef, _: &SchemaRef) -> Result<Self> {
        Err(Error::internal("not built"))
    }
}

impl Operator for RegularJoin {
    fn on_batch(&mut self, _port: usize, _batch: Batch, _out: &mut Output) -> Result<()> {
        Ok(())
    }
}
