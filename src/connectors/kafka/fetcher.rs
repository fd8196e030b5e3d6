//! The thread behind a reader: takes messages from librdkafka, partition by partition, and hands on rows.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use rdkafka::consumer::Consumer;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::mpsc;

use super::client::{self, KafkaConsumer, Listener, is_passing};
use super::config::{KafkaTable, Topics};
use super::rows::{Rows, partition_name};
use crate::connectors::{Offsets, ReadRequest, SourceEvent};
use crate::error::{Error, Result};

/// How long the thread sleeps at most when nothing comes in.
const IDLE: Duration = Duration::from_millis(100);

/// How long it waits after the first message for more to go along.
const LINGER: Duration = Duration::from_millis(3);

/// A batch holds at most so many bytes of payload.
const BATCH_BYTES: usize = 4 << 20;

/// How long a topic may be missing before that is believed; brokers that start do not know all topics yet.
const MISSING: Duration = Duration::from_secs(30);

/// How often the ends of partitions are looked up that are not read up to there, so that others see what is left, and how long that
/// may take. What has been read to its end says so by itself.
const LOOK: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(500));

/// How long a request may take while reading.
const REQUEST: Duration = Duration::from_secs(5);

/// Wakes the thread.
#[derive(Debug, Default)]
pub(super) struct Bell {
    state: Mutex<Rung>,
    rung: Condvar,
}

#[derive(Debug, Default)]
struct Rung {
    is_rung: bool,
    is_stopped: bool,
}

impl Bell {
    fn ring(&self) {
        if let Ok(mut state) = self.state.lock() {
            state.is_rung = true;
            self.rung.notify_one();
        }
    }

    /// Makes the thread end.
    pub(super) fn stop(&self) {
        if let Ok(mut state) = self.state.lock() {
            state.is_stopped = true;
            self.rung.notify_one();
        }
    }

    fn is_stopped(&self) -> bool {
        self.state.lock().map_or(true, |state| state.is_stopped)
    }

    /// Waits for the bell, not longer than `IDLE`; whether it rang.
    fn wait(&self) -> bool {
        let Ok(state) = self.state.lock() else {
            return false;
        };
        let waited = self
            .rung
            .wait_timeout_while(state, IDLE, |state| !state.is_rung && !state.is_stopped);
        let Ok((mut state, _)) = waited else {
            return false;
        };
        std::mem::take(&mut state.is_rung)
    }
}

/// What the thread hands on: where reading goes on, and what has happened.
pub(super) struct Update {
    pub(super) positions: Vec<(Arc<str>, i64)>,
    pub(super) event: Option<SourceEvent>,
    /// Records before the positions that gave no row, where somebody reads them.
    pub(super) bad: Option<RecordBatch>,
}

/// A partition to be read.
#[derive(Debug, Clone)]
pub(super) struct Assignment {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) start: i64,
    /// The first offset that is not read any more.
    pub(super) end: Option<i64>,
}

impl Assignment {
    /// The name of the partition.
    pub(super) fn name(&self) -> Arc<str> {
        partition_name(&self.topic, self.partition)
    }
}

/// The reader that reads a partition: as Flink spreads them.
pub(super) fn owner(topic: &str, partition: i32, readers: usize) -> usize {
    // Java's String.hashCode.
    let hash = topic.encode_utf16().fold(0i32, |h, unit| {
        h.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    let start = (hash.wrapping_mul(31) & 0x7fff_ffff) as usize;
    (start + usize::try_from(partition).unwrap_or(0)) % readers.max(1)
}

struct Partition {
    name: Arc<str>,
    of: Assignment,
    queue: PartitionQueue<Listener>,
    /// The offset after the last message taken.
    position: i64,
    /// Whether the broker has said that there is nothing more at the moment.
    is_at_end: bool,
    tail: Tail,
    is_done: bool,
}

/// What is known about the offsets between the last message and the end of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    Unknown,
    /// They have been asked for once more.
    Asked,
    /// There are no messages.
    Empty,
}

/// The state of the thread.
pub(super) struct Fetcher {
    // Queues go before the consumer they belong to.
    partitions: Vec<Partition>,
    rows: Rows,
    table: KafkaTable,
    request: ReadRequest,
    updates: mpsc::Sender<Result<Update>>,
    bell: Arc<Bell>,
    /// When new partitions are looked for.
    next_discovery: Option<Instant>,
    /// When the ends of partitions are looked up.
    next_look: Instant,
    missing_since: Option<Instant>,
    is_quiet: bool,
    consumer: Arc<KafkaConsumer>,
}

/// The receiver is gone: the reader was dropped.
struct Gone;

/// Why a round ends early.
enum Stop {
    Gone,
    Failed(Error),
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Fetcher {
    pub(super) fn new(
        table: KafkaTable,
        request: ReadRequest,
        consumer: KafkaConsumer,
        updates: mpsc::Sender<Result<Update>>,
        bell: Arc<Bell>,
    ) -> Result<Self> {
        let is_endless = table.end.is_none() && !request.bounded;
        Ok(Self {
            partitions: Vec::new(),
            rows: Rows::new(&table.layout, table.is_upsert, &request)?,
            next_discovery: table
                .discovery
                .filter(|_| is_endless)
                .map(|interval| Instant::now() + interval),
            table,
            request,
            updates,
            bell,
            next_look: Instant::now() + LOOK.0 / 4,
            missing_since: None,
            is_quiet: false,
            consumer: Arc::new(consumer),
        })
    }

    /// Reads until the end, an error, or until nobody listens any more.
    pub(super) fn run(mut self, assignments: Vec<Assignment>) {
        if let Err(Stop::Failed(error)) = self.read(assignments) {
            // Nobody may be there to hear it.
            let _ = self.updates.blocking_send(Err(error));
        }
    }

    fn is_bounded(&self) -> bool {
        self.table.end.is_some() || self.request.bounded
    }

    fn read(&mut self, assignments: Vec<Assignment>) -> std::result::Result<(), Stop> {
        if assignments.is_empty() {
            // Told all the same: a reader without partitions must not hold the watermark.
            self.send(Vec::new(), Some(SourceEvent::Assigned(Vec::new())))?;
        }
        self.assign(assignments)?;
        loop {
            if self.bell.is_stopped() {
                return Err(Stop::Gone);
            }
            self.serve()?;
            self.discover()?;
            self.check_missing()?;
            self.look_at_ends();
            let mut is_idle = true;
            for i in 0..self.partitions.len() {
                is_idle &= !self.drain(i)?;
            }
            if self.is_bounded() && self.partitions.iter().all(|p| p.is_done) {
                self.send(Vec::new(), Some(SourceEvent::End))?;
                return Ok(());
            }
            if !is_idle {
                self.is_quiet = false;
                continue;
            }
            if !self.is_quiet && self.partitions.iter().all(|p| p.is_done || p.is_at_end) {
                self.is_quiet = true;
                self.send(Vec::new(), Some(SourceEvent::Quiet))?;
            }
            if self.bell.wait() {
                std::thread::sleep(LINGER);
            }
        }
    }

    fn send(
        &self,
        positions: Vec<(Arc<str>, i64)>,
        event: Option<SourceEvent>,
    ) -> std::result::Result<(), Gone> {
        let update = Update {
            positions,
            event,
            bad: None,
        };
        self.updates.blocking_send(Ok(update)).map_err(|_| Gone)
    }

    /// Begins to read partitions.
    fn assign(&mut self, assignments: Vec<Assignment>) -> std::result::Result<(), Stop> {
        if assignments.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::with_capacity(assignments.len());
        let mut names = Vec::new();
        let mut positions = Vec::new();
        let mut ended = Vec::new();
        for of in assignments {
            let name = of.name();
            names.push(Arc::clone(&name));
            positions.push((Arc::clone(&name), of.start));
            let is_done = of.end.is_some_and(|end| of.start >= end);
            // Before the assignment: then no message takes the way through the consumer's own queue.
            let Some(mut queue) = self.consumer.split_partition_queue(&of.topic, of.partition)
            else {
                return Err(Error::internal(format!("{name}: no queue for the partition")).into());
            };
            let bell = Arc::clone(&self.bell);
            queue.set_nonempty_callback(move || bell.ring());
            if is_done {
                ended.push(Arc::clone(&name));
            } else {
                list.add_partition(&of.topic, of.partition)
                    .set_offset(Offset::Offset(of.start))
                    .map_err(|e| {
                        Error::internal(format!("{name}: no offset {}", of.start)).caused_by(e)
                    })?;
            }
            self.show(&name, &of, of.start, None);
            self.partitions.push(Partition {
                position: of.start,
                name,
                of,
                queue,
                is_at_end: false,
                tail: Tail::Unknown,
                is_done,
            });
        }
        if list.count() > 0 {
            self.consumer.incremental_assign(&list).map_err(|e| {
                Error::external(format!(
                    "Kafka at {}: cannot read: {e}",
                    self.table.properties.bootstrap
                ))
            })?;
        }
        self.send(positions, Some(SourceEvent::Assigned(names)))?;
        for name in ended {
            self.send(Vec::new(), Some(SourceEvent::PartitionEnd(name)))?;
        }
        Ok(())
    }

    /// Lets librdkafka say what it has to say about the client as a whole.
    fn serve(&mut self) -> Result<()> {
        while let Some(event) = self.consumer.poll(Duration::ZERO) {
            match event {
                Ok(message) => {
                    return Err(Error::internal(format!(
                        "topic '{}' partition {} offset {}: the message came out of order",
                        message.topic(),
                        message.partition(),
                        message.offset()
                    )));
                }
                Err(KafkaError::MessageConsumptionFatal(code)) => {
                    return Err(Error::external(format!(
                        "Kafka at {}: the consumer failed: {code}",
                        self.table.properties.bootstrap
                    )));
                }
                // The listener has heard of it; librdkafka goes on trying.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Takes what there is of one partition, at most a batch; whether there was anything.
    fn drain(&mut self, i: usize) -> std::result::Result<bool, Stop> {
        let partition = &mut self.partitions[i];
        if partition.is_done {
            return Ok(false);
        }
        let end = partition.of.end.unwrap_or(i64::MAX);
        let mut messages: Vec<BorrowedMessage<'_>> = Vec::new();
        let mut bytes = 0;
        let mut trouble = None;
        let mut position = partition.position;
        while position < end
            && messages.len() < self.request.batch_rows.max(1)
            && bytes < BATCH_BYTES
        {
            match partition.queue.poll(Duration::ZERO) {
                None => break,
                Some(Ok(message)) => {
                    position = message.offset() + 1;
                    if position <= end {
                        bytes += message.payload_len() + message.key_len();
                        messages.push(message);
                    }
                }
                Some(Err(error)) => {
                    trouble = Some(error);
                    break;
                }
            }
        }
        // Not always further on: where the topic no longer had the offset, reading goes on where 'auto.offset.reset' says.
        let had_messages = position != partition.position;
        if had_messages {
            let batch = self
                .rows
                .decode(&partition.of.topic, partition.of.partition, &messages)?;
            drop(messages);
            let metrics = &self.request.metrics;
            metrics.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            let position = position.min(end);
            if partition.of.end.is_some() {
                let done = u64::try_from(position - partition.position).unwrap_or(0);
                metrics.done.fetch_add(done, Ordering::Relaxed);
            }
            partition.position = position;
            let Partition { name, of, .. } = &self.partitions[i];
            self.show(name, of, position, None);
            let partition = &mut self.partitions[i];
            partition.is_at_end = false;
            partition.tail = Tail::Unknown;
            let event = batch.map(|(rows, weights)| SourceEvent::Rows {
                partition: Arc::clone(&partition.name),
                rows,
                weights,
            });
            let moved = vec![(Arc::clone(&partition.name), position)];
            let update = Update {
                positions: moved,
                event,
                bad: self.rows.take_bad_rows()?,
            };
            let sent = self.updates.blocking_send(Ok(update));
            sent.map_err(|_| Gone)?;
        } else {
            drop(messages);
        }
        if let Some(error) = trouble {
            self.trouble(i, error)?;
        }
        self.end(i, had_messages)?;
        Ok(had_messages)
    }

    /// Something else than a message came for a partition.
    fn trouble(&mut self, i: usize, error: KafkaError) -> Result<()> {
        use RDKafkaErrorCode as Code;
        if let KafkaError::PartitionEOF(_) = error {
            self.partitions[i].is_at_end = true;
            let Partition {
                name, of, position, ..
            } = &self.partitions[i];
            self.show(name, of, *position, Some(*position));
            return self.confirm(i);
        }
        let Partition { of, position, .. } = &self.partitions[i];
        let place = format!(
            "topic '{}' partition {} offset {position}",
            of.topic, of.partition
        );
        match error.rdkafka_error_code() {
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::NoOffset) => {
                let range = match self
                    .consumer
                    .fetch_watermarks(&of.topic, of.partition, REQUEST)
                {
                    Ok((first, end)) => {
                        format!("the partition has the offsets from {first} to before {end}")
                    }
                    Err(_) => "the partition does not have it".to_string(),
                };
                // Trying again would not bring it back.
                Err(Error::data(format!("{place}: the offset does not exist: {range}")).with_help(
                    "records older than the topic's retention are gone; set 'properties.auto.offset.reset' = 'earliest' \
                     (or 'latest') to go on from there, or start at another offset",
                ))
            }
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
                self.missing_since.get_or_insert_with(Instant::now);
                Ok(())
            }
            Some(code) if is_passing(code) => {
                self.consumer.context().trouble(&format!("{place}: {code}"));
                Ok(())
            }
            Some(code) => {
                let help = match code {
                    Code::TopicAuthorizationFailed => {
                        "let the user of 'properties.sasl.*' read the topic"
                    }
                    Code::MessageSizeTooLarge => "raise 'properties.message.max.bytes'",
                    _ => "see the broker's log",
                };
                Err(Error::external(format!("{place}: cannot be read: {code}")).with_help(help))
            }
            None => Err(Error::external(format!("{place}: cannot be read: {error}"))),
        }
    }

    /// The broker says that a partition has no more messages. Where it is to be read up to an offset that is not reached
    /// yet, what is missing may be a gap (compacted records, markers of transactions), or the broker may know less than it
    /// did when the end was fixed. So the end is looked up again, and the messages before it are asked for once more.
    fn confirm(&mut self, i: usize) -> Result<()> {
        let read = self.read_up_to(i);
        let partition = &mut self.partitions[i];
        let Some(end) = partition.of.end.filter(|end| read < *end) else {
            return Ok(());
        };
        if partition.tail == Tail::Asked {
            partition.tail = Tail::Empty;
            return Ok(());
        }
        let (topic, number) = (&partition.of.topic, partition.of.partition);
        if let Ok((_, high)) = self.consumer.fetch_watermarks(topic, number, REQUEST)
            && high >= end
            && self
                .consumer
                .seek(topic, number, Offset::Offset(read), REQUEST)
                .is_ok()
        {
            partition.tail = Tail::Asked;
        }
        Ok(())
    }

    /// The offset up to which everything is read, markers of transactions included.
    fn read_up_to(&self, i: usize) -> i64 {
        let Partition { of, position, .. } = &self.partitions[i];
        let known = self.consumer.position().ok();
        let known = known
            .as_ref()
            .and_then(|list| list.find_partition(&of.topic, of.partition));
        match known.map(|element| element.offset()) {
            Some(Offset::Offset(offset)) => offset.max(*position),
            _ => *position,
        }
    }

    /// Ends a partition whose last message has been read.
    fn end(&mut self, i: usize, had_messages: bool) -> std::result::Result<(), Stop> {
        let Partition {
            of, position, tail, ..
        } = &self.partitions[i];
        let Some(end) = of.end else { return Ok(()) };
        let is_there = *position >= end || *tail == Tail::Empty;
        // What librdkafka says is asked for only when nothing came: then all that is left may be markers.
        if !is_there && (had_messages || self.read_up_to(i) < end) {
            return Ok(());
        }
        let partition = &mut self.partitions[i];
        let gap = u64::try_from(end - partition.position).unwrap_or(0);
        self.request.metrics.done.fetch_add(gap, Ordering::Relaxed);
        partition.position = end;
        partition.is_done = true;
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition(&partition.of.topic, partition.of.partition);
        if let Err(e) = self.consumer.incremental_unassign(&list) {
            tracing::debug!("{}: {e}", partition.name);
        }
        let name = Arc::clone(&partition.name);
        self.send(
            vec![(Arc::clone(&name), end)],
            Some(SourceEvent::PartitionEnd(name)),
        )?;
        Ok(())
    }

    /// Shows others how far a partition has been read, and where it ends, if that is known.
    fn show(&self, name: &Arc<str>, of: &Assignment, position: i64, end: Option<i64>) {
        let Ok(mut shown) = self.request.metrics.offsets.lock() else {
            return;
        };
        if let Some(known) = shown.get_mut(name) {
            known.position = position;
            known.end = end.or(known.end.map(|end| end.max(position)));
        } else {
            let offsets = Offsets {
                topic: Arc::clone(&of.topic),
                partition: of.partition,
                position,
                end,
            };
            shown.insert(Arc::clone(name), offsets);
        }
    }

    /// Looks up, now and then, where the partitions end that are not read up to there. A broker that does not answer is asked again
    /// later: only what others see depends on it.
    fn look_at_ends(&mut self) {
        if Instant::now() < self.next_look {
            return;
        }
        self.next_look = Instant::now() + LOOK.0;
        let unread = || {
            self.partitions
                .iter()
                .filter(|p| !p.is_done && !p.is_at_end)
        };
        let mut list = TopicPartitionList::new();
        for partition in unread() {
            let of = &partition.of;
            let mut element = list.add_partition(&of.topic, of.partition);
            if element.set_offset(Offset::End).is_err() {
                return;
            }
        }
        if list.count() == 0 {
            return;
        }
        let found = match self.consumer.offsets_for_times(list, LOOK.1) {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!("the ends of partitions cannot be looked up: {error}");
                return;
            }
        };
        for partition in unread() {
            let of = &partition.of;
            let element = found.find_partition(&of.topic, of.partition);
            if let Some(Offset::Offset(end)) = element.map(|element| element.offset()) {
                self.show(&partition.name, of, partition.position, Some(end));
            }
        }
    }

    /// Looks for new partitions when it is time to; they are read from their beginning.
    fn discover(&mut self) -> std::result::Result<(), Stop> {
        let Some(interval) = self.table.discovery else {
            return Ok(());
        };
        if self.next_discovery.is_none_or(|at| Instant::now() < at) {
            return Ok(());
        }
        self.next_discovery = Some(Instant::now() + interval);
        let mut found = Vec::new();
        for (topic, count) in self.topics() {
            let topic: Arc<str> = topic.into();
            let is_wanted = |p: &i32| self.table.only.as_ref().is_none_or(|only| only.contains(p));
            for partition in (0..count).filter(is_wanted) {
                let is_known = self
                    .partitions
                    .iter()
                    .any(|p| p.of.topic == topic && p.of.partition == partition);
                if !is_known
                    && owner(&topic, partition, self.request.parallelism) == self.request.instance
                {
                    tracing::info!("topic '{topic}': partition {partition} is new");
                    found.push(Assignment {
                        topic: Arc::clone(&topic),
                        partition,
                        start: 0,
                        end: None,
                    });
                }
            }
        }
        for new in &mut found {
            match self
                .consumer
                .fetch_watermarks(&new.topic, new.partition, REQUEST)
            {
                Ok((first, _)) => new.start = first,
                // Next time.
                Err(_) => new.start = -1,
            }
        }
        found.retain(|new| new.start >= 0);
        self.assign(found)
    }

    /// The table's topics as far as they can be seen now, with their numbers of partitions.
    fn topics(&self) -> Vec<(String, i32)> {
        let look =
            |topic| client::topics(self.consumer.client(), topic, REQUEST).unwrap_or_default();
        match &self.table.topics {
            Topics::Named(names) => names
                .iter()
                .flat_map(|name| look(Some(name.as_str())))
                .collect(),
            Topics::Pattern(pattern) => look(None)
                .into_iter()
                .filter(|(name, _)| !client::is_internal(name) && pattern.is_match(name))
                .collect(),
        }
    }

    /// Fails when a topic is gone and stays so.
    fn check_missing(&mut self) -> Result<()> {
        if self
            .missing_since
            .is_none_or(|since| since.elapsed() < MISSING)
        {
            return Ok(());
        }
        self.missing_since = None;
        let topics: std::collections::BTreeSet<&Arc<str>> =
            self.partitions.iter().map(|p| &p.of.topic).collect();
        for topic in topics {
            if let Ok(found) = client::topics(self.consumer.client(), Some(topic), REQUEST)
                && found.is_empty()
            {
                return Err(client::unknown_topic(
                    &self.table.properties.bootstrap,
                    topic,
                    self.consumer.client(),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_spread_as_flink_does() {
        let owners: Vec<usize> = (0..6).map(|p| owner("a", p, 4)).collect();
        // "a".hashCode() = 97; 97 * 31 = 3007; 3007 % 4 = 3.
        assert_eq!(owners, [3, 0, 1, 2, 3, 0]);
        assert_eq!(owner("a", 5, 1), 0);
    }
}
