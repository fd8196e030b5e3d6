//! What all Kafka clients share: listening to librdkafka, naming what went wrong, and looking at the cluster.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;

use super::properties::Properties;
use crate::catalog::closest;
use crate::error::{Error, Result};
use crate::secrets;

/// How long a cluster may take to answer at the start.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// At most one line is logged in this time.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Listens to a librdkafka client: logs now and then, remembers the last reason of trouble.
#[derive(Debug)]
pub(super) struct Listener {
    bootstrap: String,
    hidden: Hidden,
    state: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    last: Option<String>,
    logged: Option<Instant>,
    is_shut_out: bool,
}

impl Listener {
    pub(super) fn new(properties: &Properties) -> Self {
        Self {
            bootstrap: properties.bootstrap.clone(),
            hidden: Hidden::of(properties.values()),
            state: Mutex::default(),
        }
    }

    /// The last reason of trouble heard.
    pub(super) fn last(&self) -> Option<String> {
        self.state.lock().ok()?.last.clone()
    }

    /// Whether another producer of the same transactional id has begun since: this one can do nothing any more.
    pub(super) fn is_shut_out(&self) -> bool {
        let state = self.state.lock();
        state.is_ok_and(|state| state.is_shut_out)
    }

    /// Remembers a reason of trouble; logs it if nothing was logged just now.
    pub(super) fn trouble(&self, reason: &str) {
        // The end of a partition comes as an error, but is none.
        if reason.contains("reached end of partition") {
            return;
        }
        let Ok(mut state) = self.state.lock() else {
            return;
        };
        // What the job says of it when it ends is enough.
        if reason.contains("_FENCED") || reason.contains("PRODUCER_FENCED") {
            state.is_shut_out = true;
        }
        if state.is_shut_out {
            tracing::debug!("{reason}");
            return;
        }
        // librdkafka's own thread names say nothing here.
        let reason = match reason
            .strip_prefix("[thrd:")
            .and_then(|rest| rest.split_once("]: "))
        {
            Some((_, reason)) => reason,
            None => reason,
        };
        let reason = &*self.hidden.in_text(reason);
        let is_news = !reason.contains("brokers are down");
        if is_news || state.last.is_none() {
            state.last = Some(reason.to_string());
        }
        if is_news && state.logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            state.logged = Some(Instant::now());
            tracing::warn!("Kafka at {}: {reason} (still trying)", self.bootstrap);
        }
    }
}

impl ClientContext for Listener {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            // Properties of consumers given to a producer and the like: tables are read and written with the same ones.
            _ if facility == "CONFWARN" => tracing::debug!("{}", self.hidden.in_text(message)),
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => self.trouble(message),
            _ => tracing::debug!("{}", self.hidden.in_text(message)),
        }
    }

    fn error(&self, _error: KafkaError, reason: &str) {
        self.trouble(reason);
    }

    fn stats(&self, _statistics: Statistics) {}

    fn stats_raw(&self, _statistics: &[u8]) {}
}

impl ConsumerContext for Listener {}

/// A consumer and its listener in one.
pub(super) type KafkaConsumer = BaseConsumer<Listener>;

/// A consumer for `partitions` partitions. It connects in the background.
///
/// # Errors
/// Properties that do not go together.
pub(super) fn consumer(properties: &Properties, partitions: usize) -> Result<KafkaConsumer> {
    let config = properties.consumer(partitions);
    create(&config, properties, Listener::new(properties))
}

/// What references stand for, so that it is not shown.
#[derive(Default)]
struct Hidden(Vec<(String, String)>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden")
    }
}

/// What is shorter is no secret, and stands in every other text.
const SECRET: usize = 4;

impl Hidden {
    fn of<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let references = values.filter_map(|value| secrets::references(value).ok());
        let known = references.flatten().filter_map(|reference| {
            let value = reference.value().ok()?;
            (value.len() >= SECRET).then(|| (value, reference.to_string()))
        });
        let mut known: Vec<_> = known.collect();
        known.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        Self(known)
    }

    fn in_text(&self, text: &str) -> String {
        let known = self.0.iter();
        known.fold(text.to_string(), |text, (value, reference)| {
            text.replace(value, reference)
        })
    }
}

/// A client. What its properties refer to is looked up here, and kept nowhere else.
///
/// # Errors
/// A secret that is not there; properties that do not go together.
pub(super) fn create<C: ClientContext, T: FromClientConfigAndContext<C>>(
    config: &ClientConfig,
    properties: &Properties,
    context: C,
) -> Result<T> {
    let bootstrap = &properties.bootstrap;
    let mut opened = config.clone();
    for (name, value) in config.config_map() {
        if secrets::has_reference(value) {
            let value = secrets::resolve(value).map_err(|why| {
                Error::usage(format!(
                    "the Kafka client for {bootstrap} cannot be made: {name}: {why}"
                ))
                .with_help("set the variable, or write the file, where flowline runs")
            })?;
            opened.set(name, value);
        }
    }
    opened
        .create_with_context(context)
        .map_err(|e| cannot_create(properties, &e))
}

/// The clients that are shared at the moment.
static SHARED: Mutex<Vec<(Properties, Weak<KafkaConsumer>)>> = Mutex::new(Vec::new());

/// A consumer that reads nothing, to look things up with: the same one for all who reach a cluster in the same way at the same time.
///
/// # Errors
/// Properties that do not go together.
pub(super) fn shared(properties: &Properties) -> Result<Arc<KafkaConsumer>> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.retain(|(_, client)| client.strong_count() > 0);
    let known = shared.iter().find(|(known, _)| known.is_same(properties));
    if let Some(client) = known.and_then(|(_, client)| client.upgrade()) {
        return Ok(client);
    }
    let client = Arc::new(consumer(properties, 1)?);
    shared.push((properties.clone(), Arc::downgrade(&client)));
    Ok(client)
}

/// The id of the cluster; `None`: it has none.
///
/// # Errors
/// Nobody answers.
pub(super) fn cluster_id(consumer: &KafkaConsumer, bootstrap: &str) -> Result<Option<String>> {
    if let Some(id) = consumer.client().fetch_cluster_id(PATIENCE) {
        return Ok(Some(id));
    }
    match topics(consumer.client(), None, Duration::from_secs(1)) {
        Ok(_) => Ok(None),
        Err(e) => {
            listen(consumer);
            Err(failed(bootstrap, "ask for its id", e, consumer.context()))
        }
    }
}

/// A client that could not be made.
fn cannot_create(properties: &Properties, error: &KafkaError) -> Error {
    let reason = match error {
        KafkaError::ClientCreation(reason) => reason.clone(),
        KafkaError::ClientConfig(_, reason, key, _) => format!("{key}: {reason}"),
        other => other.to_string(),
    };
    let bootstrap = &properties.bootstrap;
    let reason = Hidden::of(properties.values()).in_text(&reason);
    // The error itself has the value of the property in it.
    Error::usage(format!(
        "the Kafka client for {bootstrap} cannot be made: {reason}"
    ))
    .with_help("check the 'properties.*' options of the table")
}

/// Nobody answers.
pub(super) fn unreachable(bootstrap: &str, listener: &Listener) -> Error {
    if let Some(reason) = listener.last()
        && let Some(error) = not_let_in(bootstrap, &reason)
    {
        return error.caused_by(reason);
    }
    let error = Error::external(format!("no Kafka broker answers at {bootstrap}")).with_help(
        "is the broker running, and is this its address? Set 'properties.bootstrap.servers', or --kafka on the command line",
    );
    match listener.last() {
        Some(reason) => error.caused_by(reason),
        None => error,
    }
}

/// A broker that answers and lets nobody in, told by what the client says.
fn not_let_in(bootstrap: &str, reason: &str) -> Option<Error> {
    // The address has the protocol in it, which says nothing.
    let lower = reason.to_ascii_lowercase().replace("sasl_plaintext://", "");
    let lower = lower.replace("sasl_ssl://", "");
    if lower.contains("sasl") || lower.contains("authentication failed") {
        let error = Error::external(format!("Kafka at {bootstrap} does not accept the login"));
        Some(error.with_help(
            "check user and password ('properties.sasl.jaas.config', or 'properties.sasl.username' and '.password'), \
             'properties.sasl.mechanism' and 'properties.security.protocol'",
        ))
    } else if lower.contains("ssl handshake") || lower.contains("certificate") {
        let error = Error::external(format!("no secure connection to Kafka at {bootstrap}"));
        Some(error.with_help(
            "check 'properties.security.protocol', and the certificates of 'properties.ssl.ca.location'",
        ))
    } else {
        None
    }
}

/// A request that failed. `what` completes "cannot ...".
pub(super) fn failed(bootstrap: &str, what: &str, error: KafkaError, listener: &Listener) -> Error {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(
            Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::Resolve
            | Code::NodeUpdate
            | Code::RequestTimedOut,
        ) => unreachable(bootstrap, listener),
        Some(code) => {
            let error = Error::external(format!("Kafka at {bootstrap}: cannot {what}: {code}"));
            let error = match code {
                Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::SaslAuthenticationFailed
                | Code::Authentication => {
                    error.with_help("check the user of 'properties.sasl.*' and what it may do")
                }
                _ => error.with_help("see the broker's log"),
            };
            match listener.last() {
                Some(reason) => error.caused_by(reason),
                None => error,
            }
        }
        None => Error::external(format!("Kafka at {bootstrap}: cannot {what}: {error}"))
            .caused_by(error),
    }
}

/// Lets the listener hear what is waiting, after a request has failed.
pub(super) fn listen(consumer: &KafkaConsumer) {
    while consumer.poll(Duration::ZERO).is_some() {}
}

/// The number of partitions of each topic, or of one, as far as they exist.
///
/// # Errors
/// Nobody answers in time, or access is denied.
pub(super) fn topics<C: ClientContext>(
    client: &Client<C>,
    topic: Option<&str>,
    timeout: Duration,
) -> std::result::Result<BTreeMap<String, i32>, KafkaError> {
    use RDKafkaRespErr as Code;
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let metadata = client.fetch_metadata(topic, left.max(Duration::from_millis(100)))?;
        let mut found = BTreeMap::new();
        let mut denied = None;
        let mut is_early = false;
        for topic in metadata.topics() {
            match topic.error() {
                None => {
                    let partitions = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
                    found.insert(topic.name().to_string(), partitions);
                }
                // It has just been created.
                Some(Code::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) => is_early = true,
                Some(
                    Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
                    | Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID
                    | Code::RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION
                    | Code::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
                ) => {}
                Some(other) => denied = Some(KafkaError::MetadataFetch(other.into())),
            }
        }
        match denied {
            Some(error) if topic.is_some() => return Err(error),
            _ if is_early && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(100))
            }
            _ => return Ok(found),
        }
    }
}

/// The error for a topic that does not exist, with the nearest one that does.
pub(super) fn unknown_topic<C: ClientContext>(
    bootstrap: &str,
    topic: &str,
    client: &Client<C>,
) -> Error {
    let error = Error::external(format!("there is no topic '{topic}' at {bootstrap}"));
    let all = topics(client, None, Duration::from_secs(5)).unwrap_or_default();
    let mine: Vec<&str> = all
        .keys()
        .map(String::as_str)
        .filter(|name| !is_internal(name))
        .collect();
    let help = match closest(topic, mine.iter().copied()) {
        Some(near) => format!("did you mean '{near}'?"),
        None if mine.is_empty() => "there are no topics yet: create it first".to_string(),
        None => {
            let shown: Vec<&str> = mine.iter().take(20).copied().collect();
            let more = if mine.len() > shown.len() {
                ", ..."
            } else {
                ""
            };
            format!(
                "create it, or set the option 'topic' to one that exists: {}{more}",
                shown.join(", ")
            )
        }
    };
    error.with_help(help)
}

/// Topics that Kafka keeps for itself.
pub(super) fn is_internal(topic: &str) -> bool {
    topic == "__consumer_offsets"
        || topic == "__transaction_state"
        || topic == "__share_group_state"
}

/// Runs a blocking request off the async threads.
///
/// # Errors
/// The request's.
pub(super) async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(run)
        .await
        .map_err(|e| Error::internal("a request to Kafka was cut off").caused_by(e))?
}

/// Whether trouble with a partition goes away by itself.
pub(super) fn is_passing(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::TimedOutQueue
            | Code::RequestTimedOut
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::BrokerNotAvailable
            | Code::ReplicaNotAvailable
            | Code::NetworkException
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::WaitingForCoordinator
            | Code::KafkaStorageError
            | Code::OffsetNotAvailable
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::PreferredLeaderNotAvailable
            | Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::PollExceeded
            | Code::QueueFull
    )
}

impl Properties {
    /// The partitions of `topics`, which must all exist.
    ///
    /// # Errors
    /// Nobody answers, or a topic does not exist.
    pub(super) fn partitions(
        &self,
        consumer: &KafkaConsumer,
        names: &[String],
    ) -> Result<Vec<(String, i32)>> {
        let mut partitions = Vec::new();
        for name in names {
            let found = topics(consumer.client(), Some(name), PATIENCE).map_err(|e| {
                listen(consumer);
                failed(
                    &self.bootstrap,
                    &format!("look for the topic '{name}'"),
                    e,
                    consumer.context(),
                )
            })?;
            let Some(count) = found.get(name) else {
                return Err(unknown_topic(&self.bootstrap, name, consumer.client()));
            };
            partitions.extend((0..*count).map(|p| (name.clone(), p)));
        }
        Ok(partitions)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_lets_nobody_in_is_no_broker_that_is_away() {
        let headline = |reason: &str| {
            let listener = Listener::new(&Properties::of("here:9092"));
            listener.trouble(reason);
            unreachable("here:9092", &listener).message
        };
        assert_eq!(
            headline(
                "[thrd:sasl_plaintext://here:9092/bootstrap]: SASL SCRAM-SHA-256 mechanism handshake failed: Authentication failed"
            ),
            "Kafka at here:9092 does not accept the login"
        );
        assert_eq!(
            headline("ssl://here:9092/bootstrap: SSL handshake failed: certificate verify failed"),
            "no secure connection to Kafka at here:9092"
        );
        assert_eq!(
            headline(
                "here:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused"
            ),
            "no Kafka broker answers at here:9092"
        );
    }
}
