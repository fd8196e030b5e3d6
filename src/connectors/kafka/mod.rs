//! Kafka topics as tables. The only user of rdkafka.

mod admin;
mod client;
mod config;
mod embedded;
mod fetcher;
mod layout;
mod offsets;
mod producer;
mod properties;
mod rows;
mod sink;
mod source;
mod transaction;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

use std::sync::Arc;

pub use admin::{create_topic, missing_topics, topics};
pub use embedded::EmbeddedBroker;
pub use producer::Producer;

use super::{MetadataKey, Sink, Source};
use crate::catalog::Table;
use crate::catalog::options::{OptionError, Options};
use config::KafkaTable;

/// The metadata columns that Kafka offers.
pub(super) fn metadata_keys() -> Vec<MetadataKey> {
    layout::metadata_keys()
}

/// The table as a source.
pub(super) fn source(table: &Table, options: &Options) -> Result<Arc<dyn Source>, OptionError> {
    let table = match options.get("connector") {
        Some("upsert-kafka") => KafkaTable::read_upsert(table, options)?,
        _ => KafkaTable::read(table, options, true)?,
    };
    Ok(Arc::new(source::KafkaSource { table }))
}

/// The table as a sink.
pub(super) fn sink(table: &Table, options: &Options) -> Result<Arc<dyn Sink>, OptionError> {
    let kafka = match options.get("connector") {
        Some("upsert-kafka") => KafkaTable::read_upsert(table, options)?,
        _ => KafkaTable::read(table, options, false)?,
    };
    Ok(Arc::new(sink::KafkaSink::new(kafka, table)?))
}
