//! Looking at topics and creating them.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;

use super::client::{self, Listener, PATIENCE};
use super::config::NewTopics;
use super::properties::Properties;
use crate::error::{Error, Result};

/// The topics at `bootstrap`, without Kafka's own, each with its number of partitions; by name.
///
/// # Errors
/// Nobody answers.
pub async fn topics(bootstrap: &str) -> Result<Vec<(String, i32)>> {
    all_topics(Properties::of(bootstrap)).await
}

async fn all_topics(properties: Properties) -> Result<Vec<(String, i32)>> {
    let properties = properties.without_group();
    client::blocking(move || {
        let consumer = client::shared(&properties)?;
        let found = client::topics(consumer.client(), None, PATIENCE).map_err(|e| {
            client::listen(&consumer);
            client::failed(
                &properties.bootstrap,
                "list the topics",
                e,
                consumer.context(),
            )
        })?;
        Ok(found
            .into_iter()
            .filter(|(name, _)| !client::is_internal(name))
            .collect())
    })
    .await
}

/// Those of `names` that do not exist at `bootstrap`.
///
/// # Errors
/// Nobody answers.
pub async fn missing_topics(bootstrap: &str, names: &[String]) -> Result<Vec<String>> {
    let found = topics(bootstrap).await?;
    Ok(names
        .iter()
        .filter(|name| !found.iter().any(|(topic, _)| topic == *name))
        .cloned()
        .collect())
}

/// Creates a topic; whether it is new.
///
/// # Errors
/// Nobody answers, or the cluster refuses the topic.
pub async fn create_topic(bootstrap: &str, name: &str, partitions: i32) -> Result<bool> {
    ensure_topic(&Properties::of(bootstrap), name, &NewTopics::of(partitions)).await
}

/// Creates a topic that is not there; whether it is new.
///
/// # Errors
/// Nobody answers, or the cluster refuses the topic.
pub(super) async fn ensure_topic(
    properties: &Properties,
    name: &str,
    as_told: &NewTopics,
) -> Result<bool> {
    let exists = async || {
        Ok::<_, Error>(
            all_topics(properties.clone())
                .await?
                .iter()
                .any(|(topic, _)| topic == name),
        )
    };
    // Asked first: a client for topics alone does not say who it cannot reach.
    if exists().await? {
        return Ok(false);
    }
    let bootstrap = properties.bootstrap.as_str();
    let admin: AdminClient<Listener> =
        client::create(&properties.admin(), properties, Listener::new(properties))?;
    let replicas = TopicReplication::Fixed(as_told.replicas);
    let mut topic = NewTopic::new(name, as_told.partitions, replicas);
    if as_told.compact {
        topic = topic.set("cleanup.policy", "compact");
    }
    let max_bytes = as_told.max_bytes.map(|n| n.to_string());
    if let Some(max_bytes) = &max_bytes {
        topic = topic.set("max.message.bytes", max_bytes);
    }
    let options = AdminOptions::new()
        .operation_timeout(Some(PATIENCE))
        .request_timeout(Some(PATIENCE));
    let results = admin.create_topics([&topic], &options).await.map_err(|e| {
        client::failed(
            bootstrap,
            &format!("create the topic '{name}'"),
            e,
            admin.inner().context(),
        )
    })?;
    for result in results {
        match result {
            Ok(_) => {}
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => return Ok(false),
            Err((_, code)) => {
                return Err(Error::external(format!(
                    "Kafka at {bootstrap}: cannot create the topic '{name}': {code}"
                ))
                .with_help("create it by hand, or see the broker's log"));
            }
        }
    }
    // The brokers tell each other; a client that comes at once may be too early.
    for _ in 0..50 {
        if exists().await? {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (properties, name) = (properties.clone().without_group(), name.to_string());
    let compact = as_told.compact;
    client::blocking(move || {
        let consumer = client::shared(&properties)?;
        if let Ok(found) = consumer.client().fetch_metadata(Some(&name), PATIENCE)
            && let Some(partitions) = found.topics().first().map(|t| t.partitions())
        {
            let replicas = partitions.first().map_or(0, |p| p.replicas().len());
            tracing::info!(
                "created the topic '{name}': partitions {}, replicas {replicas}{}",
                partitions.len(),
                if compact { ", compacted" } else { "" }
            );
        }
        Ok(())
    })
    .await?;
    Ok(true)
}
