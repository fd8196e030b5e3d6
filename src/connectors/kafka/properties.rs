//! The `properties.*` options of a table: how its cluster is reached, as librdkafka takes it.

use std::collections::BTreeMap;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;

use super::java::{COMMITS, PREFIX, stores, translate};
use crate::catalog::closest;
use crate::catalog::options::{OptionError, Options};
use crate::secrets;

/// The consumer group of a table that names none. Nothing is ever committed for it.
const NO_GROUP: &str = "flowline";

/// Prefetched bytes of all partitions of a reader together, in KiB.
const PREFETCH_KIB: usize = 64 * 1024;

/// Bytes a producer holds back at most, in KiB.
const PRODUCER_KIB: usize = 64 * 1024;

/// The longest record that is sent to a broker at all.
const MESSAGE_BYTES: usize = 64 << 20;

/// Names that people write, to find the nearest one to a slip.
const COMMON: &[&str] = &[
    "acks",
    "auto.commit.interval.ms",
    "auto.offset.reset",
    "batch.size",
    "bootstrap.servers",
    "client.id",
    "client.rack",
    "compression.type",
    "connections.max.idle.ms",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.idempotence",
    "fetch.max.bytes",
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "group.id",
    "isolation.level",
    "linger.ms",
    "max.in.flight.requests.per.connection",
    "max.partition.fetch.bytes",
    "message.max.bytes",
    "metadata.max.age.ms",
    "request.timeout.ms",
    "retries",
    "retry.backoff.ms",
    "sasl.jaas.config",
    "sasl.mechanism",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "session.timeout.ms",
    "socket.connection.setup.timeout.ms",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
    "transaction.timeout.ms",
];

/// How to reach a cluster.
#[derive(Debug, Clone)]
pub(super) struct Properties {
    /// `bootstrap.servers`
    pub(super) bootstrap: String,
    /// `group.id`, where the table names one.
    pub(super) group: Option<String>,
    /// Offsets are committed for the group with each checkpoint.
    pub(super) commits: bool,
    /// Everything given, under librdkafka's names, bootstrap servers and group included.
    given: BTreeMap<String, String>,
}

impl Properties {
    /// Nothing but an address.
    pub(super) fn of(bootstrap: &str) -> Self {
        let given = BTreeMap::from([("bootstrap.servers".to_string(), bootstrap.to_string())]);
        Self {
            bootstrap: bootstrap.to_string(),
            group: None,
            commits: false,
            given,
        }
    }

    /// Reads and checks the `properties.*` of a table.
    ///
    /// # Errors
    /// A missing address, and properties that are unknown, wrong or Java's only.
    pub(super) fn read(options: &Options) -> Result<Self, OptionError> {
        let bootstrap = options
            .require("properties.bootstrap.servers")?
            .trim()
            .to_string();
        if bootstrap.is_empty() {
            return Err(OptionError::new(
                "properties.bootstrap.servers",
                "'properties.bootstrap.servers' is empty",
            )
            .with_help("write the address of a broker, for example 'localhost:9092'"));
        }
        let mut given = BTreeMap::new();
        let all = options.with_prefix(PREFIX);
        for (name, value) in &all {
            translate(name, value.trim(), &mut given)?;
        }
        stores(&all, &mut given)?;
        given.insert("bootstrap.servers".to_string(), bootstrap.clone());
        let group = given.get("group.id").filter(|g| !g.is_empty()).cloned();
        let commits = all.iter().find(|(name, _)| *name == COMMITS);
        let commits = commits.is_none_or(|(_, value)| !value.trim().eq_ignore_ascii_case("false"));
        let properties = Self {
            bootstrap,
            commits: commits && group.is_some(),
            group,
            given,
        };
        for config in [properties.consumer(1), properties.producer()] {
            check(config)?;
        }
        Ok(properties)
    }

    /// The values given.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.given.values().map(String::as_str)
    }

    fn base(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Warning);
        config.set("client.id", "flowline");
        config.set("socket.keepalive.enable", "true");
        config.set("reconnect.backoff.max.ms", "2000");
        // Metrics about this client are no business of the brokers' unless asked for.
        config.set("enable.metrics.push", "false");
        config
    }

    /// A consumer that reads `partitions` partitions.
    pub(super) fn consumer(&self, partitions: usize) -> ClientConfig {
        let mut config = self.base();
        config.set("group.id", NO_GROUP);
        config.set("enable.auto.commit", "false");
        config.set("auto.offset.reset", "error");
        // Not the Java client's default: what a transaction has aborted never happened.
        config.set("isolation.level", "read_committed");
        config.set("enable.partition.eof", "true");
        config.set(
            "queued.max.messages.kbytes",
            (PREFETCH_KIB / partitions.max(1)).max(1024).to_string(),
        );
        // How long fetching pauses when enough is prefetched; librdkafka's second would leave a fast reader idle.
        config.set("fetch.queue.backoff.ms", "5");
        self.give(&mut config);
        config
    }

    /// A producer.
    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.base();
        let weakens = [
            "acks",
            "request.required.acks",
            "retries",
            "message.send.max.retries",
            "max.in.flight",
        ];
        let is_weakened = self.given.keys().any(|k| {
            weakens
                .iter()
                .any(|w| k == w || k.starts_with("max.in.flight."))
        });
        config.set(
            "enable.idempotence",
            if is_weakened { "false" } else { "true" },
        );
        config.set("linger.ms", "5");
        // How long a record may be is for the brokers to say.
        config.set("message.max.bytes", MESSAGE_BYTES.to_string());
        config.set("partitioner", "murmur2_random");
        config.set("queue.buffering.max.kbytes", PRODUCER_KIB.to_string());
        self.give(&mut config);
        config
    }

    /// A client that creates topics.
    pub(super) fn admin(&self) -> ClientConfig {
        let mut config = self.base();
        self.give(&mut config);
        config
    }

    /// Without the group, which only matters to whoever asks what it has committed.
    #[must_use]
    pub(super) fn without_group(mut self) -> Self {
        self.given.remove("group.id");
        self.group = None;
        self
    }

    /// Whether clients of both are alike.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.given == other.given
    }

    fn give(&self, config: &mut ClientConfig) {
        for (name, value) in &self.given {
            config.set(name, value);
        }
    }
}

/// Whether librdkafka takes the properties. What a reference stands for shows when a client is made.
fn check(mut config: ClientConfig) -> Result<(), OptionError> {
    loop {
        let error = match config.create_native_config() {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let wrong = wrong_property(&error);
        match error {
            KafkaError::ClientConfig(_, reason, name, _)
                if !reason.contains(UNKNOWN)
                    && config.get(&name).is_some_and(secrets::has_reference) =>
            {
                config.remove(&name);
            }
            _ => return Err(wrong),
        }
    }
}

/// What librdkafka says of a property that it does not have.
const UNKNOWN: &str = "No such configuration property";

/// What librdkafka has against a property. Secrets do not come into the message.
fn wrong_property(error: &KafkaError) -> OptionError {
    let KafkaError::ClientConfig(_, reason, name, _) = error else {
        return OptionError::new(
            PREFIX,
            format!("the Kafka client refuses its properties: {error}"),
        );
    };
    let key = format!("{PREFIX}{name}");
    if reason.contains(UNKNOWN) {
        let error = OptionError::new(&key, format!("unknown property '{key}'"));
        return error.with_help(match closest(name, COMMON.iter().copied()) {
            Some(near) => format!("did you mean '{PREFIX}{near}'?"),
            None => "the properties are those of librdkafka (CONFIGURATION.md in its repository)"
                .to_string(),
        });
    }
    let is_secret = ["password", "secret", "key", "jaas"]
        .iter()
        .any(|word| name.contains(word));
    let reason = if is_secret {
        "its value is not accepted"
    } else {
        reason.as_str()
    };
    OptionError::new(&key, format!("'{key}': {reason}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::java::without_effect;
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Properties, OptionError> {
        let mut all = BTreeMap::from([(
            "properties.bootstrap.servers".to_string(),
            "localhost:9092".to_string(),
        )]);
        all.extend(
            pairs
                .iter()
                .map(|(k, v)| (format!("properties.{k}"), v.to_string())),
        );
        Properties::read(&Options::new(all))
    }

    #[test]
    fn java_names_become_librdkafkas() {
        let properties = read(&[
            ("security.protocol", "SASL_SSL"),
            ("sasl.jaas.config", "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"a b\" password='p\\'q';"),
            ("auto.offset.reset", "none"),
            ("fetch.max.wait.ms", "100"),
            ("buffer.memory", "33554432"),
            ("ssl.endpoint.identification.algorithm", ""),
        ])
        .unwrap();
        let given: Vec<(&str, &str)> = properties
            .given
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            given,
            [
                ("auto.offset.reset", "error"),
                ("bootstrap.servers", "localhost:9092"),
                ("fetch.wait.max.ms", "100"),
                ("queue.buffering.max.kbytes", "32768"),
                ("sasl.mechanism", "PLAIN"),
                ("sasl.password", "p'q"),
                ("sasl.username", "a b"),
                ("security.protocol", "sasl_ssl"),
                ("ssl.endpoint.identification.algorithm", "none"),
            ]
        );
    }

    #[test]
    fn slips_and_java_only_properties_are_refused_with_advice() {
        let help = |pairs: &[(&str, &str)]| read(pairs).unwrap_err().help.unwrap();
        assert_eq!(
            help(&[("group.ids", "a")]),
            "did you mean 'properties.group.id'?"
        );
        assert!(help(&[("ssl.truststore.location", "x.jks")]).contains("keytool -list -rfc"));
        assert!(help(&[("ssl.truststore.location", "x.p12")]).contains("openssl pkcs12"));
        assert!(help(&[("ssl.keystore.location", "x")]).contains("-deststoretype PKCS12"));
        assert!(help(&[("sasl.mechanism", "gssapi")]).contains("SCRAM-SHA-256"));
        let wrong = read(&[("isolation.level", "sometimes")]).unwrap_err();
        assert_eq!(wrong.key.as_deref(), Some("properties.isolation.level"));
        assert!(
            Properties::read(&Options::default())
                .unwrap_err()
                .message
                .contains("missing")
        );
    }

    #[test]
    fn what_only_java_knows_is_taken_and_given_to_nobody() {
        let java = [
            ("max.poll.records", "500"),
            ("interceptor.classes", "a.B"),
            ("zookeeper.connect", "z:2181"),
            ("value.deserializer", "a.B"),
            ("enable.auto.commit", "true"),
            ("partition.assignment.strategy", "a.B"),
        ];
        let given = read(&java).unwrap().given;
        assert_eq!(given.keys().collect::<Vec<_>>(), ["bootstrap.servers"]);
        for (name, value) in java {
            assert!(without_effect(name, value).is_some(), "{name}");
        }
        assert!(without_effect("enable.auto.commit", "false").is_none());
        assert!(without_effect("acks", "all").is_none());
    }

    #[test]
    fn idempotence_gives_way_to_weaker_settings() {
        let idempotence = |pairs: &[(&str, &str)]| {
            read(pairs)
                .unwrap()
                .producer()
                .get("enable.idempotence")
                .map(str::to_string)
        };
        assert_eq!(idempotence(&[]).as_deref(), Some("true"));
        assert_eq!(idempotence(&[("acks", "1")]).as_deref(), Some("false"));
        assert_eq!(
            idempotence(&[("acks", "all"), ("enable.idempotence", "true")]).as_deref(),
            Some("true")
        );
    }
}
