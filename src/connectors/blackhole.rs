//! Swallows rows: for measuring everything before the sink.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Sink, SinkMode, SinkWriter, WriteRequest};
use crate::catalog::Table;
use crate::catalog::options::{OptionError, Options};
use crate::changelog::Batch;
use crate::error::Result;

/// The table as a sink that keeps nothing.
pub(super) fn sink(
    _table: &Table,
    options: &Options,
) -> std::result::Result<Arc<dyn Sink>, OptionError> {
    let single = super::single_writer(options)?;
    Ok(Arc::new(Blackhole {
        single,
        mode: SinkMode::Retract,
    }))
}

/// A sink of `mode` that keeps nothing.
pub(super) fn discard(mode: SinkMode) -> Arc<dyn Sink> {
    Arc::new(Blackhole {
        single: false,
        mode,
    })
}

struct Blackhole {
    single: bool,
    mode: SinkMode,
}

#[async_trait]
impl Sink for Blackhole {
    fn mode(&self) -> SinkMode {
        self.mode
    }

    fn guarantee(&self) -> &'static str {
        "keeps nothing"
    }

    fn is_single(&self) -> bool {
        self.single
    }

    async fn writer(&self, _request: WriteRequest) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Nothing))
    }
}

struct Nothing;

#[async_trait]
impl SinkWriter for Nothing {
    async fn write(&mut self, _batch: &Batch) -> Result<()> {
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
