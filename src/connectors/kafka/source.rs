//! Topics as a source.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use rdkafka::consumer::Consumer;
use tokio::sync::mpsc;

use super::client::{self, KafkaConsumer, PATIENCE};
use super::config::{KafkaTable, Place, Topics};
use super::fetcher::{Assignment, Bell, Fetcher, Update, owner};
use super::offsets::{commit, resolve};
use crate::connectors::{ReadRequest, Source, SourceEvent, SourceReader};
use crate::error::{Error, Result};

/// So many batches wait at most between the thread and the reader.
const WAITING: usize = 4;

/// A Kafka table as a source.
pub(super) struct KafkaSource {
    pub(super) table: KafkaTable,
    /// What things are looked up with while the table is opened.
    lookup: Mutex<Option<Arc<KafkaConsumer>>>,
    /// Whom offsets are committed with, and those that were committed last.
    in_group: Mutex<Option<InGroup>>,
}

struct InGroup {
    consumer: Arc<KafkaConsumer>,
    committed: Vec<(String, i32, i64)>,
}

/// How long committing offsets for a group may take. They are for others to see: no job waits for them.
const COMMITTING: Duration = Duration::from_secs(2);

impl KafkaSource {
    pub(super) fn new(table: KafkaTable) -> Self {
        Self {
            table,
            lookup: Mutex::default(),
            in_group: Mutex::default(),
        }
    }

    /// A client to look things up with. All readers of the table share it, and all tables that reach the cluster in the same way.
    ///
    /// # Errors
    /// Properties that do not go together.
    pub(super) fn lookup(&self) -> Result<Arc<KafkaConsumer>> {
        let mut lookup = self.lookup.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lookup) = &*lookup {
            return Ok(Arc::clone(lookup));
        }
        let table = &self.table;
        let places = [Some(&table.start), table.end.as_ref()];
        let asks_group = |place: &Place| matches!(place, Place::Group | Place::Offsets(_));
        let shared = if places.into_iter().flatten().any(asks_group) {
            client::shared(&table.properties)?
        } else {
            client::shared(&table.properties.clone().without_group())?
        };
        Ok(Arc::clone(lookup.insert(shared)))
    }
}

#[async_trait]
impl Source for KafkaSource {
    fn is_bounded(&self) -> bool {
        self.table.end.is_some()
    }

    async fn place(&self) -> Result<Option<String>> {
        let (lookup, bootstrap) = (self.lookup()?, self.table.properties.bootstrap.clone());
        let id = client::blocking(move || client::cluster_id(&lookup, &bootstrap)).await?;
        Ok(id.map(|id| format!("Kafka cluster '{id}'")))
    }

    fn reads(&self, partition: &str) -> std::result::Result<(), String> {
        let topic = partition.rsplit_once('-').map_or(partition, |(t, _)| t);
        if self.table.topics.has(topic) {
            return Ok(());
        }
        Err(match &self.table.topics {
            Topics::Named(names) => format!("topic '{}'", names.join("', '")),
            Topics::Pattern(pattern) => format!("topics like '{pattern}'"),
        })
    }

    /// Commits the positions for the table's group, where it names one: dashboards of lag, and whoever begins at 'group-offsets', look there.
    async fn committed(&self, positions: &[(&str, &str)]) -> Result<()> {
        let properties = &self.table.properties;
        let Some(group) = properties.group.clone().filter(|_| properties.commits) else {
            return Ok(());
        };
        let offsets = positions.iter().filter_map(|(name, offset)| {
            let (topic, partition) = name.rsplit_once('-')?;
            Some((
                topic.to_string(),
                partition.parse().ok()?,
                offset.parse().ok()?,
            ))
        });
        let offsets: Vec<(String, i32, i64)> = offsets.collect();
        let consumer = {
            let mut held = self.in_group.lock().unwrap_or_else(PoisonError::into_inner);
            let held = match &mut *held {
                Some(held) => held,
                None => held.insert(InGroup {
                    consumer: client::shared(properties)?,
                    committed: Vec::new(),
                }),
            };
            if held.committed == offsets {
                return Ok(());
            }
            // What is not committed now is with the next checkpoint.
            held.committed.clone_from(&offsets);
            Arc::clone(&held.consumer)
        };
        let properties = properties.clone();
        let committing = client::blocking(move || commit(&properties, &consumer, &group, &offsets));
        match tokio::time::timeout(COMMITTING, committing).await {
            Ok(committed) => committed,
            Err(_) => Err(Error::external(format!(
                "offsets were not committed for the group within {} s",
                COMMITTING.as_secs()
            ))),
        }
    }

    async fn reader(&self, request: ReadRequest) -> Result<Box<dyn SourceReader>> {
        // A partition that a snapshot does not know has come since: it is read from its beginning.
        let place = if request.restored.is_empty() {
            self.table.start.clone()
        } else {
            Place::Earliest
        };
        self.reader_from(request, place).await
    }
}

impl KafkaSource {
    /// A reader that begins at `place` in partitions that the request says nothing of.
    ///
    /// # Errors
    /// As [`Source::reader`].
    pub(super) async fn reader_from(
        &self,
        request: ReadRequest,
        place: Place,
    ) -> Result<Box<dyn SourceReader>> {
        let (table, lookup) = (self.table.clone(), self.lookup()?);
        let open = move || KafkaReader::open(table, request, &place, &lookup);
        Ok(Box::new(client::blocking(open).await?))
    }
}

struct KafkaReader {
    updates: mpsc::Receiver<Result<Update>>,
    positions: BTreeMap<Arc<str>, i64>,
    bad: Vec<RecordBatch>,
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
    has_ended: bool,
}

impl KafkaReader {
    /// Looks at the cluster, works out where to read from and up to where, and starts to read.
    fn open(
        table: KafkaTable,
        request: ReadRequest,
        place: &Place,
        lookup: &KafkaConsumer,
    ) -> Result<Self> {
        let assignments = assignments(&table, &request, place, lookup)?;
        let metrics = &request.metrics;
        for of in &assignments {
            let total = of
                .end
                .map_or(0, |end| u64::try_from(end - of.start).unwrap_or(0));
            metrics.total.fetch_add(total, Ordering::Relaxed);
        }
        // A checkpoint may come before the first message.
        let positions = assignments.iter().map(|a| (a.name(), a.start)).collect();
        let consumer = client::consumer(&table.properties, assignments.len())?;
        let (sender, updates) = mpsc::channel(WAITING);
        let bell = Arc::new(Bell::default());
        let name = format!("kafka-{}", table.name);
        let fetcher = Fetcher::new(table, request, consumer, sender, Arc::clone(&bell))?;
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || fetcher.run(assignments))
            .map_err(|e| Error::external(format!("a thread cannot be started: {e}")))?;
        Ok(Self {
            updates,
            positions,
            bad: Vec::new(),
            bell,
            thread: Some(thread),
            has_ended: false,
        })
    }
}

/// The partitions of one reader, with where to start and stop; `place`: where the request does not say.
fn assignments(
    table: &KafkaTable,
    request: &ReadRequest,
    place: &Place,
    lookup: &KafkaConsumer,
) -> Result<Vec<Assignment>> {
    let properties = &table.properties;
    let mut partitions = match &table.topics {
        Topics::Named(names) => properties.partitions(lookup, names)?,
        Topics::Pattern(pattern) => {
            let all = client::topics(lookup.client(), None, PATIENCE).map_err(|e| {
                client::listen(lookup);
                client::failed(
                    &properties.bootstrap,
                    "list the topics",
                    e,
                    lookup.context(),
                )
            })?;
            let matching = all
                .into_iter()
                .filter(|(name, _)| !client::is_internal(name) && pattern.is_match(name));
            matching
                .flat_map(|(name, count)| (0..count).map(move |p| (name.clone(), p)))
                .collect()
        }
    };
    if let Some(only) = &table.only {
        check_range(table, only, &partitions, lookup)?;
        partitions.retain(|(_, partition)| only.contains(partition));
    }
    partitions.retain(|(topic, partition)| {
        owner(topic, *partition, request.parallelism) == request.instance
    });
    let resolve = |partitions: &[(String, i32)], place: &Place, is_start| {
        resolve(properties, lookup, partitions, place, is_start)
    };
    let mut ends: Vec<Option<i64>> = vec![None; partitions.len()];
    let present = if request.bounded {
        Some(Place::Latest)
    } else {
        None
    };
    for place in table.end.iter().chain(&present) {
        for (end, found) in ends.iter_mut().zip(resolve(&partitions, place, false)?) {
            *end = Some(end.map_or(found, |end| end.min(found)));
        }
    }
    let mut assignments = Vec::new();
    let mut unknown = Vec::new();
    for ((topic, partition), end) in partitions.into_iter().zip(ends) {
        let mut of = Assignment {
            topic: topic.as_str().into(),
            partition,
            start: 0,
            end,
        };
        match request.restored.get(&*of.name()) {
            Some(text) => {
                of.start = text.parse().map_err(|_| {
                    Error::internal(format!("{}: '{text}' is no offset", of.name()))
                })?;
            }
            None => unknown.push((assignments.len(), (topic, partition))),
        }
        assignments.push(of);
    }
    let (indexes, unknown): (Vec<usize>, Vec<(String, i32)>) = unknown.into_iter().unzip();
    for (i, start) in indexes.into_iter().zip(resolve(&unknown, place, true)?) {
        assignments[i].start = start;
    }
    Ok(assignments)
}

/// Whether the partitions that are asked for are there, and the offsets in them.
fn check_range(
    table: &KafkaTable,
    only: &BTreeSet<i32>,
    partitions: &[(String, i32)],
    lookup: &KafkaConsumer,
) -> Result<()> {
    for partition in only {
        if partitions.iter().all(|(_, there)| there != partition) {
            let topic = partitions.first().map_or("", |(topic, _)| topic);
            let there = partitions.iter().map(|(_, p)| p.to_string());
            return Err(Error::usage(format!(
                "topic '{topic}' has no partition {partition}: it has {}",
                there.collect::<Vec<_>>().join(", ")
            )));
        }
    }
    let ends = resolve(&table.properties, lookup, partitions, &Place::Latest, false)?;
    for ((topic, partition), end) in partitions.iter().zip(ends) {
        for place in [Some(&table.start), table.end.as_ref()]
            .into_iter()
            .flatten()
        {
            if let Place::Offsets(offsets) = place
                && let Some(offset) = offsets.get(partition).filter(|offset| **offset > end)
            {
                return Err(Error::usage(format!(
                    "topic '{topic}' partition {partition} has no offset {offset}: it ends at {end}"
                ))
                .with_help("the offset after the last record is the furthest there is"));
            }
        }
    }
    Ok(())
}

#[async_trait]
impl SourceReader for KafkaReader {
    async fn next(&mut self) -> Result<SourceEvent> {
        while !self.has_ended {
            let Some(update) = self.updates.recv().await else {
                return Err(Error::internal(
                    "the thread that reads from Kafka has stopped",
                ));
            };
            let update = update?;
            for (partition, position) in update.positions {
                self.positions.insert(partition, position);
            }
            self.bad.extend(update.bad);
            self.has_ended = matches!(update.event, Some(SourceEvent::End));
            if let Some(event) = update.event {
                return Ok(event);
            }
        }
        Ok(SourceEvent::End)
    }

    fn take_bad_rows(&mut self) -> Vec<RecordBatch> {
        std::mem::take(&mut self.bad)
    }

    fn positions(&self) -> Vec<(Arc<str>, String)> {
        self.positions
            .iter()
            .map(|(partition, offset)| (Arc::clone(partition), offset.to_string()))
            .collect()
    }
}

impl Drop for KafkaReader {
    /// Ends the thread, which closes the connections.
    fn drop(&mut self) {
        self.updates.close();
        self.bell.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that read from Kafka panicked");
        }
    }
}
