//! From a place such as "earliest" or a time to an offset in each partition.

use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::{KafkaConsumer, PATIENCE, failed, is_passing, listen};
use super::config::Place;
use super::properties::Properties;
use crate::error::{Error, Result};

/// The offsets of `place` in `partitions`, in their order.
///
/// # Errors
/// Nobody answers; nothing is committed where that is what was asked for.
pub(super) fn resolve(
    properties: &Properties,
    consumer: &KafkaConsumer,
    partitions: &[(String, i32)],
    place: &Place,
    is_start: bool,
) -> Result<Vec<i64>> {
    let lookup = Lookup {
        properties,
        consumer,
    };
    match place {
        Place::Earliest => lookup.offsets(partitions, Offset::Beginning),
        Place::Latest => lookup.offsets(partitions, Offset::End),
        Place::Timestamp(millis) => {
            let found = lookup.times(partitions, Offset::Offset(*millis))?;
            let ends = lookup.offsets(partitions, Offset::End)?;
            Ok(found
                .into_iter()
                .zip(ends)
                .map(|(offset, end)| offset.unwrap_or(end))
                .collect())
        }
        Place::Group => {
            let committed = lookup.committed(partitions)?;
            lookup.or_reset(partitions, committed, is_start)
        }
        Place::Offsets(offsets) => {
            // As in Flink, a partition that is not named is taken from what is committed, else from its beginning.
            let committed = match properties.group {
                Some(_) => lookup.committed(partitions)?,
                None => vec![None; partitions.len()],
            };
            let earliest = lookup.offsets(partitions, Offset::Beginning)?;
            let given = partitions
                .iter()
                .map(|(_, partition)| offsets.get(partition).copied());
            Ok(given
                .zip(committed)
                .zip(earliest)
                .map(|((given, old), first)| given.or(old).unwrap_or(first))
                .collect())
        }
    }
}

/// Commits offsets of partitions, each with its topic, for the group of a client.
///
/// # Errors
/// Nobody answers, or the user may not.
pub(super) fn commit(
    properties: &Properties,
    consumer: &KafkaConsumer,
    group: &str,
    partitions: &[(String, i32, i64)],
) -> Result<()> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    let added = partitions
        .iter()
        .try_for_each(|(topic, partition, offset)| {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
        });
    added.map_err(|e| Error::internal(format!("no such offset: {e}")))?;
    consumer.commit(&list, CommitMode::Sync).map_err(|e| {
        let what = format!("commit offsets for the group '{group}'");
        failed(&properties.bootstrap, &what, e, consumer.context())
    })
}

struct Lookup<'a> {
    properties: &'a Properties,
    consumer: &'a KafkaConsumer,
}

impl Lookup<'_> {
    /// Asks again while the answer is one that passes, until patience ends.
    fn ask<T>(
        &self,
        what: &str,
        request: impl Fn(Duration) -> std::result::Result<T, KafkaError>,
    ) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline
                .saturating_duration_since(Instant::now())
                .max(Duration::from_millis(100));
            match request(left) {
                Ok(answer) => return Ok(answer),
                Err(e)
                    if e.rdkafka_error_code().is_some_and(is_passing)
                        && Instant::now() < deadline =>
                {
                    std::thread::sleep(Duration::from_millis(100));
                }
                Err(e) => {
                    listen(self.consumer);
                    return Err(failed(
                        &self.properties.bootstrap,
                        what,
                        e,
                        self.consumer.context(),
                    ));
                }
            }
        }
    }

    /// The first or the end offset of each partition.
    fn offsets(&self, partitions: &[(String, i32)], which: Offset) -> Result<Vec<i64>> {
        let found = self.times(partitions, which)?;
        Ok(found
            .into_iter()
            .map(|offset| offset.unwrap_or(0))
            .collect())
    }

    /// The offsets for a time, which may also be the beginning or the end; none where there is no later record.
    fn times(&self, partitions: &[(String, i32)], time: Offset) -> Result<Vec<Option<i64>>> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.ask("look up offsets", |timeout| {
            let list = list(partitions, time)?;
            let found = self.consumer.offsets_for_times(list, timeout)?;
            found.elements().iter().try_for_each(|e| e.error())?;
            Ok(found)
        })?;
        Ok(pick(partitions, &found))
    }

    fn committed(&self, partitions: &[(String, i32)]) -> Result<Vec<Option<i64>>> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let group = self.properties.group.as_deref().unwrap_or_default();
        let found = self.ask(
            &format!("read the committed offsets of group '{group}'"),
            |timeout| {
                let found = self
                    .consumer
                    .committed_offsets(list(partitions, Offset::Invalid)?, timeout)?;
                found.elements().iter().try_for_each(|e| e.error())?;
                Ok(found)
            },
        )?;
        Ok(pick(partitions, &found))
    }

    /// What `properties.auto.offset.reset` says where nothing is committed.
    fn or_reset(
        &self,
        partitions: &[(String, i32)],
        committed: Vec<Option<i64>>,
        is_start: bool,
    ) -> Result<Vec<i64>> {
        let Some(missing) = committed.iter().position(Option::is_none) else {
            return Ok(committed.into_iter().flatten().collect());
        };
        let reset = if is_start {
            self.properties.reset()
        } else {
            None
        };
        let Some(reset) = reset else {
            let (topic, partition) = &partitions[missing];
            let group = self.properties.group.as_deref().unwrap_or_default();
            let error = Error::usage(format!(
                "topic '{topic}' partition {partition}: group '{group}' has committed no offset"
            ));
            return Err(error.with_help(if is_start {
                "set 'properties.auto.offset.reset' = 'earliest' (or 'latest') for where to start then, or 'scan.startup.mode' = 'earliest-offset'"
            } else {
                "'scan.bounded.mode' = 'group-offsets' needs a committed offset in each partition"
            }));
        };
        let others = self.offsets(partitions, reset)?;
        Ok(committed
            .into_iter()
            .zip(others)
            .map(|(offset, other)| offset.unwrap_or(other))
            .collect())
    }
}

fn list(
    partitions: &[(String, i32)],
    offset: Offset,
) -> std::result::Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition(topic, *partition).set_offset(offset)?;
    }
    Ok(list)
}

/// The offsets in `found`, in the order of `partitions`.
fn pick(partitions: &[(String, i32)], found: &TopicPartitionList) -> Vec<Option<i64>> {
    partitions
        .iter()
        .map(
            |(topic, partition)| match found.find_partition(topic, *partition)?.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            },
        )
        .collect()
}

impl Properties {
    /// Where to go on when an offset does not exist: `auto.offset.reset`, where it is given.
    pub(super) fn reset(&self) -> Option<Offset> {
        match self
            .consumer(1)
            .get("auto.offset.reset")?
            .to_ascii_lowercase()
            .as_str()
        {
            "earliest" | "smallest" | "beginning" => Some(Offset::Beginning),
            "latest" | "largest" | "end" => Some(Offset::End),
            _ => None,
        }
    }
}
