//! Kafka (to come).
use std::sync::Arc;
use super::{MetadataKey, Sink, Source};
use crate::catalog::Table;
use crate::catalog::options::{OptionError, Options};
pub(super) fn metadata_keys() -> Vec<MetadataKey> { Vec::new() }
pub(super) fn source(_: &Table, _: &Options) -> Result<Arc<dyn Source>, OptionError> { Err(OptionError::new("connector", "no kafka")) }
pub(super) fn sink(_: &Table, _: &Options) -> Result<Arc<dyn Sink>, OptionError> { Err(OptionError::new("connector", "no kafka")) }
