//! Looking at topics and creating them.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;

use super::client::{self, Listener, PATIENCE};
use super::properties::Properties;
use crate::error::{Error, Result};

/// The topics at `bootstrap`, without Kafka's own, each with its number of partitions; by name.
///
/// # Errors
/// Nobody answers.
pub async fn topics(bootstrap: &str) -> Result<Vec<(String, i32)>> {
    let properties = Properties::of(bootstrap);
    client::blocking(move || {
        let consumer = client::consumer(&properties, 1)?;
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
    // Asked first: a client for topics alone does not say who it cannot reach.
    if missing_topics(bootstrap, &[name.to_string()])
        .await?
        .is_empty()
    {
        return Ok(false);
    }
    let admin: AdminClient<Listener> = Properties::of(bootstrap)
        .admin()
        .create_with_context(Listener::new(bootstrap))
        .map_err(|e| client::cannot_create(bootstrap, e))?;
    // As many replicas as the brokers have set.
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
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
                .with_help("see the broker's log"));
            }
        }
    }
    // The brokers tell each other; a client that comes at once may be too early.
    for _ in 0..50 {
        if missing_topics(bootstrap, &[name.to_string()])
            .await?
            .is_empty()
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(true)
}
