//! The transaction of a job with one Kafka cluster: an epoch's records of all its sinks, and the mark that it is committed.
//!
//! The mark is an offset that the transaction commits for a consumer group of the job's own: it becomes visible with the records
//! or not at all, and the next run reads it to know which checkpoint holds. Checkpoints say by which id their run writes: a run that
//! has another one shuts that out too, and looks for the mark there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use super::client::{self, Listener, PATIENCE, is_passing};
use super::config::NewTopics;
use super::producer::{OUTSIDER, Outbox, SHUT_OUT};
use super::properties::Properties;
use crate::connectors::{Committer, JobContext};
use crate::error::{Error, ErrorKind, Result};

/// What stands before the epoch in the metadata of the mark.
const MARK: &str = "flowline epoch ";

/// How long a request to the transaction coordinator may take before it is asked again.
const REQUEST: Duration = Duration::from_secs(10);

/// How long beginning, committing and the like are tried altogether.
const PERSISTENCE: Duration = Duration::from_secs(60);

/// The longest time that brokers let a transaction stay open, unless they are told otherwise.
const MAX_TIMEOUT: Duration = Duration::from_secs(900);

/// What a checkpoint says of transactions: by which id they are written, and on which topics the mark is.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    id: String,
    topics: BTreeSet<String>,
}

/// A job's transactions with one cluster.
pub(super) struct Transaction {
    properties: Properties,
    job: String,
    /// What the tables say that transactions are named after.
    prefixes: Mutex<BTreeSet<String>>,
    timeout: Duration,
    /// All topics that the job writes.
    topics: Mutex<BTreeMap<String, NewTopics>>,
    outbox: Mutex<Option<Arc<Outbox>>>,
    is_open: AtomicBool,
    /// Held while the transaction is begun.
    beginning: tokio::sync::Mutex<()>,
}

impl Transaction {
    /// The one of `job` with the cluster of `properties`, which writes `topics` too from now on.
    ///
    /// # Errors
    /// A bug.
    pub(super) fn of(
        job: &Arc<JobContext>,
        properties: &Properties,
        prefix: &str,
        topics: impl IntoIterator<Item = (String, NewTopics)>,
    ) -> Result<Arc<Self>> {
        let key = format!("kafka {}", properties.bootstrap);
        let interval = job.checkpoints.unwrap_or_default();
        let transaction = job.shared(&key, || Self {
            properties: properties.clone(),
            job: job.name.clone(),
            prefixes: Mutex::default(),
            timeout: (interval * 3 + Duration::from_secs(60)).min(MAX_TIMEOUT),
            topics: Mutex::default(),
            outbox: Mutex::default(),
            is_open: AtomicBool::new(false),
            beginning: tokio::sync::Mutex::default(),
        })?;
        transaction
            .topics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(topics);
        transaction.prefixes().insert(prefix.to_string());
        Ok(transaction)
    }

    fn prefixes(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.prefixes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The transactional id, and the consumer group of the mark: of the job, whatever its tables are called and in which order they
    /// stand. Where these give several prefixes it has the first in the alphabet. All of them are known before it is asked for.
    fn id(&self) -> String {
        self.named(self.prefixes().first().map_or("", String::as_str))
    }

    fn named(&self, prefix: &str) -> String {
        format!("{prefix}-{}", self.job)
    }

    /// What checkpoints are to say of it and some of its topics.
    ///
    /// # Errors
    /// None that should come.
    pub(super) fn written(&self, topics: BTreeSet<String>) -> Result<String> {
        let written = Written {
            id: self.id(),
            topics,
        };
        serde_json::to_string(&written)
            .map_err(|e| Error::internal("topics cannot be named in JSON").caused_by(e))
    }

    /// Where records go, once the committer has recovered.
    ///
    /// # Errors
    /// It has not (a bug).
    pub(super) fn outbox(&self) -> Result<Arc<Outbox>> {
        let outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        outbox
            .clone()
            .ok_or_else(|| Error::internal("records before the transaction was set up"))
    }

    /// Makes sure that a transaction is open; before the first record of an epoch.
    ///
    /// # Errors
    /// The cluster refuses it, or this run was shut out.
    pub(super) async fn begin(&self) -> Result<()> {
        if self.is_open.load(Ordering::Acquire) {
            return Ok(());
        }
        let _one = self.beginning.lock().await;
        if self.is_open.load(Ordering::Acquire) {
            return Ok(());
        }
        let outbox = self.outbox()?;
        let begun = client::blocking(move || Ok(outbox.producer.begin_transaction())).await?;
        begun.map_err(|e| self.failed("begin a transaction", &e))?;
        self.is_open.store(true, Ordering::Release);
        Ok(())
    }

    fn topics(&self) -> BTreeSet<String> {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.keys().cloned().collect()
    }

    fn place(&self) -> String {
        format!(
            "Kafka at {}, transactions of '{}'",
            self.properties.bootstrap,
            self.id()
        )
    }

    /// What a request that failed for good means. A fatal error of the producer is no loss: the job goes on from its last
    /// checkpoint with a new one, and the open transaction is aborted by that.
    fn failed(&self, what: &str, error: &KafkaError) -> Error {
        use RDKafkaErrorCode as Code;
        let reason = match error {
            KafkaError::Transaction(e) => e.to_string(),
            other => other.to_string(),
        };
        let code = error.rdkafka_error_code();
        let is_fenced = matches!(
            code,
            Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch)
        );
        if is_fenced || self.outbox().is_ok_and(|outbox| outbox.is_shut_out()) {
            let message = format!("{}: cannot {what}: {SHUT_OUT}", self.place());
            return Error::new(ErrorKind::Fenced, message).with_help(OUTSIDER);
        }
        let help = match code {
            Some(Code::TransactionalIdAuthorizationFailed | Code::ClusterAuthorizationFailed) => {
                "let the user of 'properties.sasl.*' write with this transactional id, or set \
                 'sink.delivery-guarantee' = 'at-least-once'"
            }
            Some(Code::GroupAuthorizationFailed) => {
                "let the user of 'properties.sasl.*' read the consumer group of this name: the mark of committed epochs is kept there"
            }
            Some(Code::InvalidTransactionTimeout) => {
                "raise 'transaction.max.timeout.ms' of the brokers, or lower 'properties.transaction.timeout.ms' (which must be \
                 longer than a checkpoint takes)"
            }
            Some(
                Code::OperationTimedOut | Code::RequestTimedOut | Code::BrokerTransportFailure,
            ) => {
                "are the brokers up, and is a majority of the replicas of __transaction_state there?"
            }
            _ => {
                "if the brokers do not take transactions, set 'sink.delivery-guarantee' = 'at-least-once'"
            }
        };
        let message = format!("{}: cannot {what}: {reason}", self.place());
        Error::external(message).with_help(help)
    }

    /// Asks again while the answer is one that passes.
    fn ask(
        &self,
        what: &str,
        request: impl Fn(Duration) -> std::result::Result<(), KafkaError>,
    ) -> Result<()> {
        let begun = Instant::now();
        loop {
            match request(REQUEST) {
                Ok(()) => return Ok(()),
                Err(e) => {
                    let passes = match &e {
                        KafkaError::Transaction(t) => t.is_retriable(),
                        other => other.rdkafka_error_code().is_some_and(is_passing),
                    };
                    if !passes || begun.elapsed() > PERSISTENCE {
                        return Err(self.failed(what, &e));
                    }
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
        }
    }

    /// A consumer of the group that holds the mark of a transactional id. It never joins the group.
    fn group(&self, id: &str) -> Result<BaseConsumer<Listener>> {
        let mut config = self.properties.consumer(1);
        config.set("group.id", id);
        // A mark of a transaction that is just being ended is waited for.
        config.set("isolation.level", "read_committed");
        let listener = Listener::new(&self.properties);
        client::create(&config, &self.properties, listener)
    }

    fn marked(
        &self,
        offset: Offset,
        topics: &BTreeSet<String>,
        metadata: &str,
    ) -> Result<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(topics.len());
        for topic in topics {
            let mut element = list.add_partition(topic, 0);
            element
                .set_offset(offset)
                .map_err(|e| Error::internal(format!("no offset {offset:?}: {e}")))?;
            element.set_metadata(metadata);
        }
        Ok(list)
    }

    /// Sets a producer up, which shuts out every other one of the same id and aborts what it had open.
    fn set_up(&self, id: &str) -> Result<Arc<Outbox>> {
        let mut config = self.properties.producer();
        config.set("transactional.id", id);
        if config.get("transaction.timeout.ms").is_none() {
            config.set(
                "transaction.timeout.ms",
                self.timeout.as_millis().to_string(),
            );
        }
        let outbox = Arc::new(Outbox::create(&self.properties, &config)?);
        self.ask("set up transactions", |timeout| {
            outbox.producer.init_transactions(timeout)
        })?;
        Ok(outbox)
    }

    /// The epoch in the mark of a transactional id; the highest, where topics were added in between.
    fn mark(&self, id: &str, topics: &BTreeSet<String>) -> Result<Option<u64>> {
        let consumer = self.group(id)?;
        let list = self.marked(Offset::Invalid, topics, "")?;
        let found = Mutex::new(None);
        self.ask("read the mark of the last epoch", |timeout| {
            let answer = consumer.committed_offsets(list.clone(), timeout.min(PATIENCE))?;
            *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            Ok(())
        })?;
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let marks = found.iter().flat_map(|list| {
            let epochs = list.elements().into_iter();
            let epochs = epochs.filter_map(|e| e.metadata().strip_prefix(MARK)?.parse().ok());
            epochs.collect::<Vec<u64>>()
        });
        Ok(marks.max())
    }

    /// Shuts earlier runs out, by whichever ids they write, and returns the last epoch that any of them has committed.
    fn recover_blocking(&self, earlier: &[String]) -> Result<Option<u64>> {
        let (mut ids, mut topics) = (BTreeSet::from([self.id()]), self.topics());
        for text in earlier {
            match serde_json::from_str::<Written>(text) {
                Ok(written) => {
                    ids.insert(written.id);
                    topics.extend(written.topics);
                }
                // Earlier builds named a topic only, and took the prefix of the table that came first.
                Err(_) => {
                    topics.insert(text.clone());
                    ids.extend(self.prefixes().iter().map(|prefix| self.named(prefix)));
                }
            }
        }
        let mut committed = None;
        for id in ids {
            let outbox = self.set_up(&id)?;
            if id == self.id() {
                *self.outbox.lock().unwrap_or_else(PoisonError::into_inner) = Some(outbox);
            }
            committed = committed.max(self.mark(&id, &topics)?);
        }
        Ok(committed)
    }

    fn commit_blocking(&self, epoch: u64) -> Result<()> {
        let outbox = self.outbox()?;
        if !self.is_open.load(Ordering::Acquire) {
            let begun = outbox.producer.begin_transaction();
            begun.map_err(|e| self.failed("begin a transaction", &e))?;
            self.is_open.store(true, Ordering::Release);
        }
        let topics = self.topics();
        let position = Offset::Offset(i64::try_from(epoch).unwrap_or(i64::MAX));
        let mark = self.marked(position, &topics, &format!("{MARK}{epoch}"))?;
        let group = outbox.group(|| self.group(&self.id()))?;
        let metadata = group
            .group_metadata()
            .ok_or_else(|| Error::internal("a consumer without a group"))?;
        self.ask("mark the epoch", |timeout| {
            outbox
                .producer
                .send_offsets_to_transaction(&mark, &metadata, timeout)
        })?;
        // Everything was delivered before the checkpoint was stored; asked again, it only says so.
        self.ask("commit", |timeout| {
            outbox.producer.commit_transaction(timeout)
        })?;
        self.is_open.store(false, Ordering::Release);
        Ok(())
    }
}

/// A transaction as a committer.
pub(super) struct TransactionCommitter(pub(super) Arc<Transaction>);

#[async_trait]
impl Committer for TransactionCommitter {
    fn identity(&self) -> String {
        format!("kafka {}", self.0.properties.bootstrap)
    }

    fn remembers(&self) -> bool {
        true
    }

    async fn recover(&self, earlier: &[String]) -> Result<Option<u64>> {
        let transaction = Arc::clone(&self.0);
        let topics = transaction
            .topics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for (topic, new) in &topics {
            super::admin::ensure_topic(&transaction.properties, topic, new).await?;
        }
        let earlier = earlier.to_vec();
        client::blocking(move || transaction.recover_blocking(&earlier)).await
    }

    fn introduction(&self) -> Result<Option<String>> {
        self.0.written(self.0.topics()).map(Some)
    }

    async fn restore(&self, _epoch: Option<u64>, _prepared: &[String]) -> Result<()> {
        // Setting the producer up has aborted what was open; what was committed is visible.
        Ok(())
    }

    async fn commit(&self, epoch: u64, _prepared: &[String]) -> Result<()> {
        let transaction = Arc::clone(&self.0);
        client::blocking(move || transaction.commit_blocking(epoch)).await
    }
}
