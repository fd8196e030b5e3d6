//! Sending records: bounded in flight, every delivery checked.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::statistics::Statistics;
use tokio::sync::Notify;

use super::client::{self, Listener, PATIENCE};
use super::properties::Properties;
use crate::connectors::JobContext;
use crate::error::{Error, ErrorKind, Result};

/// How long sending waits before it tries again when as much as allowed is in flight.
const FULL: Duration = Duration::from_millis(2);

/// What it means that a producer was fenced, and how that comes.
pub(super) const SHUT_OUT: &str = "this run was shut out of its transactions";
pub(super) const OUTSIDER: &str = "another run of the job has begun, or a transaction was open for longer than 'properties.transaction.timeout.ms'";

/// Counts deliveries and keeps the first failure.
pub(super) struct Delivery {
    listener: Listener,
    in_flight: AtomicU64,
    failure: Mutex<Option<(String, RDKafkaErrorCode)>>,
    /// Told when nothing is in flight any more, or something failed.
    settled: Notify,
}

impl ClientContext for Delivery {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.listener.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.listener.error(error, reason);
    }

    fn stats(&self, _statistics: Statistics) {}

    fn stats_raw(&self, _statistics: &[u8]) {}
}

impl ProducerContext for Delivery {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result
            && let Ok(mut failure) = self.failure.lock()
            && failure.is_none()
        {
            let code = error
                .rdkafka_error_code()
                .unwrap_or(RDKafkaErrorCode::Unknown);
            *failure = Some((message.topic().to_string(), code));
            self.settled.notify_waiters();
        }
        if self.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.settled.notify_waiters();
        }
    }
}

impl Delivery {
    fn check(&self, bootstrap: &str) -> Result<()> {
        let failure = self.failure.lock().ok().and_then(|f| f.clone());
        match failure {
            None => Ok(()),
            Some((topic, _)) if self.listener.is_shut_out() => Err(Error::new(
                ErrorKind::Fenced,
                format!("topic '{topic}' at {bootstrap}: {SHUT_OUT}"),
            )
            .with_help(OUTSIDER)),
            Some((topic, code)) => {
                let what =
                    format!("topic '{topic}' at {bootstrap}: a record was not delivered: {code}");
                let error = Error::new(kind(code), what).with_help(advice(code));
                Err(match self.listener.last() {
                    Some(reason) => error.caused_by(reason),
                    None => error,
                })
            }
        }
    }
}

/// A record that is too long stays so however often it is sent.
fn kind(code: RDKafkaErrorCode) -> ErrorKind {
    use RDKafkaErrorCode as Code;
    match code {
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize => {
            ErrorKind::Data
        }
        _ => ErrorKind::External,
    }
}

fn advice(code: RDKafkaErrorCode) -> &'static str {
    use RDKafkaErrorCode as Code;
    match code {
        Code::MessageTimedOut => {
            "was the broker away for longer than 'properties.delivery.timeout.ms' (5 minutes unless set)?"
        }
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize => {
            "raise 'max.message.bytes' of the topic ('sink.topic.max-message-bytes' where flowline makes it)"
        }
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
            "let the user of 'properties.sasl.*' write to the topic"
        }
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            "does the topic exist still?"
        }
        _ => "see the broker's log",
    }
}

/// A producer with its deliveries.
pub(super) struct Outbox {
    pub(super) producer: ThreadedProducer<Delivery>,
    bootstrap: String,
    /// The consumer whose group holds the marks of committed epochs, where there are any.
    group: OnceLock<BaseConsumer<Listener>>,
}

impl Outbox {
    /// A producer that connects in the background.
    ///
    /// # Errors
    /// Properties that do not go together.
    pub(super) fn create(properties: &Properties, config: &ClientConfig) -> Result<Self> {
        let delivery = Delivery {
            listener: Listener::new(properties),
            in_flight: AtomicU64::new(0),
            failure: Mutex::new(None),
            settled: Notify::new(),
        };
        let producer: ThreadedProducer<Delivery> = client::create(config, properties, delivery)?;
        Ok(Self {
            producer,
            bootstrap: properties.bootstrap.clone(),
            group: OnceLock::new(),
        })
    }

    /// The one that all sinks of a job share which reach a cluster in the same way and write at least once.
    ///
    /// # Errors
    /// As [`Outbox::create`].
    pub(super) fn of(job: &JobContext, properties: &Properties) -> Result<Arc<Self>> {
        type Known = Mutex<Vec<(Properties, Arc<Outbox>)>>;
        let properties = properties.clone().without_group();
        let known = job.shared("kafka outboxes", Known::default)?;
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, outbox)) = known.iter().find(|(p, _)| p.is_same(&properties)) {
            return Ok(Arc::clone(outbox));
        }
        let outbox = Arc::new(Self::create(&properties, &properties.producer())?);
        known.push((properties, Arc::clone(&outbox)));
        Ok(outbox)
    }

    /// The number of partitions of each topic, in their order.
    ///
    /// # Errors
    /// Nobody answers, or a topic does not exist.
    pub(super) fn partitions(
        &self,
        properties: &Properties,
        topics: &[String],
    ) -> Result<Vec<i32>> {
        let count = |topic: &String| partitions(properties, &self.producer, topic);
        topics.iter().map(count).collect()
    }

    /// The consumer whose group holds the marks of committed epochs.
    ///
    /// # Errors
    /// As `make`.
    pub(super) fn group(
        &self,
        make: impl FnOnce() -> Result<BaseConsumer<Listener>>,
    ) -> Result<&BaseConsumer<Listener>> {
        if self.group.get().is_none() {
            let made = make()?;
            return Ok(self.group.get_or_init(|| made));
        }
        self.group
            .get()
            .ok_or_else(|| Error::internal("a consumer that was there is gone"))
    }

    /// Whether another producer of the same transactional id has begun since.
    pub(super) fn is_shut_out(&self) -> bool {
        self.delivery().listener.is_shut_out()
    }

    fn delivery(&self) -> &Delivery {
        self.producer.client().context()
    }

    /// Hands a record over, waiting while too many are in flight.
    ///
    /// # Errors
    /// The record cannot be sent, or an earlier one was not delivered.
    pub(super) async fn send(&self, mut record: BaseRecord<'_, [u8], [u8]>) -> Result<()> {
        let delivery = self.delivery();
        delivery.in_flight.fetch_add(1, Ordering::AcqRel);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    delivery.check(&self.bootstrap)?;
                    record = back;
                    tokio::time::sleep(FULL).await;
                }
                Err((error, back)) => {
                    delivery.in_flight.fetch_sub(1, Ordering::AcqRel);
                    delivery.check(&self.bootstrap)?;
                    let code = error
                        .rdkafka_error_code()
                        .unwrap_or(RDKafkaErrorCode::Unknown);
                    let size =
                        back.payload.map_or(0, <[u8]>::len) + back.key.map_or(0, <[u8]>::len);
                    let what = format!(
                        "topic '{}' at {}: a record of {size} bytes cannot be sent: {error}",
                        back.topic, self.bootstrap
                    );
                    return Err(Error::new(kind(code), what).with_help(advice(code)));
                }
            }
        }
    }

    /// Waits until everything handed over is delivered.
    ///
    /// # Errors
    /// A record was not delivered.
    pub(super) async fn flush(&self) -> Result<()> {
        let delivery = self.delivery();
        loop {
            // Registered before the count is read, so that no news is missed.
            let settled = delivery.settled.notified();
            delivery.check(&self.bootstrap)?;
            if delivery.in_flight.load(Ordering::Acquire) == 0 {
                return Ok(());
            }
            // The time limit is only for safety; deliveries end by themselves.
            let _ = tokio::time::timeout(Duration::from_secs(1), settled).await;
        }
    }

    /// Fails if a record was not delivered.
    ///
    /// # Errors
    /// It was not.
    pub(super) fn check(&self) -> Result<()> {
        self.delivery().check(&self.bootstrap)
    }
}

/// The number of partitions of a topic. A topic that brokers create on demand may need a moment.
fn partitions(
    properties: &Properties,
    producer: &ThreadedProducer<Delivery>,
    topic: &str,
) -> Result<i32> {
    let client = producer.client();
    let bootstrap = &properties.bootstrap;
    for attempt in 0..3 {
        let found = client::topics(client, Some(topic), PATIENCE).map_err(|e| {
            client::failed(
                bootstrap,
                &format!("look for the topic '{topic}'"),
                e,
                &client.context().listener,
            )
        })?;
        match found.get(topic) {
            Some(count) => return Ok(*count),
            None if attempt < 2 => std::thread::sleep(Duration::from_millis(300)),
            None => {}
        }
    }
    Err(client::unknown_topic(bootstrap, topic, client))
}

/// Sends records to one topic.
pub struct Producer {
    outbox: Outbox,
    topic: String,
}

impl Producer {
    /// Connects to the cluster at `bootstrap`.
    ///
    /// # Errors
    /// Nobody answers, or the topic does not exist.
    pub async fn connect(bootstrap: &str, topic: &str) -> Result<Self> {
        let properties = Properties::of(bootstrap);
        let topics = vec![topic.to_string()];
        let outbox = client::blocking(move || {
            let outbox = Outbox::create(&properties, &properties.producer())?;
            outbox.partitions(&properties, &topics)?;
            Ok(outbox)
        })
        .await?;
        Ok(Self {
            outbox,
            topic: topic.to_string(),
        })
    }

    /// Hands a record over, waiting while too many are in flight. `timestamp` is in milliseconds since the epoch; now
    /// where there is none.
    ///
    /// # Errors
    /// The record cannot be sent, or an earlier one was not delivered.
    pub async fn send(
        &self,
        key: Option<&[u8]>,
        payload: &[u8],
        timestamp: Option<i64>,
    ) -> Result<()> {
        self.outbox.check()?;
        let mut record = BaseRecord::to(&self.topic).payload(payload);
        record.key = key;
        record.timestamp = timestamp;
        self.outbox.send(record).await
    }

    /// Waits until everything handed over is delivered.
    ///
    /// # Errors
    /// A record was not delivered.
    pub async fn flush(&self) -> Result<()> {
        self.outbox.flush().await
    }
}
