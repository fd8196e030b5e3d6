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
use crate::error::{Error, Result};
use config::{KafkaTable, Place, Topics};
use properties::Properties;

/// The metadata columns that Kafka offers.
pub(super) fn metadata_keys() -> Vec<MetadataKey> {
    layout::metadata_keys()
}

/// The table as a source.
pub(super) fn source(
    table: &Table,
    options: &Options,
) -> std::result::Result<Arc<dyn Source>, OptionError> {
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
pub(super) fn sink(
    table: &Table,
    options: &Options,
) -> std::result::Result<Arc<dyn Sink>, OptionError> {
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

/// The present ends of the partitions of a topic at the cluster of a table.
///
/// # Errors
/// Nobody answers, or there is no such topic.
pub(super) async fn ends(table: &Table, topic: &str) -> Result<Vec<(i32, i64)>> {
    let properties = properties_of(table)?;
    let topics = [topic.to_string()];
    client::blocking(move || {
        let consumer = client::shared(&properties)?;
        let partitions = properties.partitions(&consumer, &topics)?;
        let ends = offsets::resolve(&properties, &consumer, &partitions, &Place::Latest, false)?;
        let partitions = partitions.into_iter().map(|(_, partition)| partition);
        Ok(partitions.zip(ends).collect())
    })
    .await
}

/// Commits offsets of a topic at the cluster of a table for a consumer group.
///
/// # Errors
/// Nobody answers, or the user may not.
pub(super) async fn commit(
    table: &Table,
    topic: &str,
    group: &str,
    offsets: Vec<(i32, i64)>,
) -> Result<()> {
    let properties = properties_of(table)?;
    let partitions: Vec<(String, i32, i64)> = offsets
        .into_iter()
        .map(|(partition, offset)| (topic.to_string(), partition, offset))
        .collect();
    let group = group.to_string();
    client::blocking(move || {
        let mut config = properties.consumer(1);
        config.set("group.id", &group);
        let listener = client::Listener::new(&properties);
        let consumer: client::KafkaConsumer = client::create(&config, &properties, listener)?;
        offsets::commit(&properties, &consumer, &group, &partitions)
    })
    .await
}

fn properties_of(table: &Table) -> Result<Properties> {
    Properties::read(&table.options())
        .map_err(|e| Error::usage(format!("table '{}': {}", table.name, e.message)))
}
