//! Kafka topics as tables. The only user of rdkafka.

mod admin;
mod client;
mod config;
mod embedded;
mod fetcher;
mod hybrid;
mod java;
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

pub(super) use java::without_effect as property_without_effect;

use super::{MetadataKey, Sink, Source};
use crate::catalog::Table;
use crate::catalog::options::{OptionError, Options};
use config::{KafkaTable, Topics};

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
    let archive = table.archive.clone();
    let topics = table.topics.clone();
    let kafka = source::KafkaSource::new(table);
    match (archive, topics) {
        (None, _) => Ok(Arc::new(kafka)),
        (Some((path, columns)), Topics::Named(mut names)) if names.len() == 1 => {
            Ok(Arc::new(hybrid::HybridSource {
                topic: names.remove(0),
                path,
                columns,
                kafka,
            }))
        }
        (Some(_), _) => Err(OptionError::new(
            "archive.path",
            "an archive is of one topic: name it with 'topic'",
        )),
    }
}

/// The table as a sink.
pub(super) fn sink(table: &Table, options: &Options) -> Result<Arc<dyn Sink>, OptionError> {
    let kafka = match options.get("connector") {
        Some("upsert-kafka") => KafkaTable::read_upsert(table, options)?,
        _ => KafkaTable::read(table, options, false)?,
    };
    Ok(Arc::new(sink::KafkaSink::new(kafka, table)?))
}

/// Whether rows written to `sink` may come twice after a failure, and are read from `source`, which counts them then. An upsert
/// table only says twice what a key is.
pub fn doubles(sink: &Table, source: &Table) -> bool {
    let (Some("kafka"), Some("kafka")) = (sink.connector(), source.connector()) else {
        return false;
    };
    let (Ok(written), Ok(read)) = (
        KafkaTable::read(sink, &sink.options(), false),
        KafkaTable::read(source, &source.options(), false),
    ) else {
        return false;
    };
    let Topics::Named(names) = &written.topics else {
        return false;
    };
    written.exactly_once.is_none()
        && written.properties.bootstrap == read.properties.bootstrap
        && names.iter().any(|name| read.topics.has(name))
}
