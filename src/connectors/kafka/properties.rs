//! The `properties.*` options: the Java client's names and values as librdkafka's, or refused with what to write instead.

use std::collections::BTreeMap;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;

use crate::catalog::closest;
use crate::catalog::options::{OptionError, Options};

const PREFIX: &str = "properties.";

/// The consumer group of a table that names none. Nothing is ever committed for it.
const NO_GROUP: &str = "flowline";

/// Prefetched bytes of all partitions of a reader together, in KiB.
const PREFETCH_KIB: usize = 64 * 1024;

/// Bytes a producer holds back at most, in KiB.
const PRODUCER_KIB: usize = 64 * 1024;

/// Java's names for what librdkafka calls otherwise.
const RENAMED: &[(&str, &str)] = &[
    ("client.id.prefix", "client.id"),
    ("fetch.max.wait.ms", "fetch.wait.max.ms"),
    ("max.request.size", "message.max.bytes"),
    ("receive.buffer.bytes", "socket.receive.buffer.bytes"),
    ("send.buffer.bytes", "socket.send.buffer.bytes"),
    ("ssl.keystore.certificate.chain", "ssl.certificate.pem"),
    ("ssl.keystore.key", "ssl.key.pem"),
    ("ssl.truststore.certificates", "ssl.ca.pem"),
];

const JAVA_CLASS: &str = "it names a Java class, which cannot be loaded here: remove it";
const JAVA_ONLY: &str = "only the Java client knows it: remove it";
const USE_FORMAT: &str = "bytes become rows and back by the table's format: remove it and set 'format' (and 'key.format')";
const USE_CA_LOCATION: &str = "certificates are read as PEM files: export the trust store with \
     keytool -list -rfc -keystore STORE > ca.pem, and set 'properties.ssl.ca.location' = 'ca.pem'";

/// What librdkafka does not have, and what to do instead.
const REFUSED: &[(&str, &str)] = &[
    (
        "commit.offsets.on.checkpoint",
        "offsets are committed with checkpoints, which are not supported yet: remove it",
    ),
    ("default.api.timeout.ms", JAVA_ONLY),
    ("enable.partition.eof", "flowline sets it itself: remove it"),
    ("exclude.internal.topics", JAVA_ONLY),
    ("interceptor.classes", JAVA_CLASS),
    ("key.deserializer", USE_FORMAT),
    ("key.serializer", USE_FORMAT),
    ("max.block.ms", JAVA_ONLY),
    (
        "max.poll.records",
        "the size of batches is the job's, not the client's: remove it",
    ),
    ("metric.reporters", JAVA_CLASS),
    (
        "partition.discovery.interval.ms",
        "set the table's option 'scan.topic-partition-discovery.interval' instead",
    ),
    (
        "partitioner",
        "set the table's option 'sink.partitioner' instead",
    ),
    (
        "partitioner.class",
        "set the table's option 'sink.partitioner' instead",
    ),
    (
        "register.consumer.metrics",
        "only Flink knows it: remove it",
    ),
    ("sasl.client.callback.handler.class", JAVA_CLASS),
    ("sasl.login.callback.handler.class", JAVA_CLASS),
    ("sasl.login.class", JAVA_CLASS),
    ("security.providers", JAVA_CLASS),
    ("ssl.engine.factory.class", JAVA_CLASS),
    ("ssl.truststore.location", USE_CA_LOCATION),
    ("ssl.truststore.password", USE_CA_LOCATION),
    ("ssl.truststore.type", USE_CA_LOCATION),
    ("topic", "set the table's option 'topic' instead"),
    (
        "transactional.id",
        "flowline names its transactions itself: set the table's option 'sink.transactional-id-prefix'",
    ),
    ("value.deserializer", USE_FORMAT),
    ("value.serializer", USE_FORMAT),
];

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
        for (name, value) in options.with_prefix(PREFIX) {
            translate(&name, value.trim(), &mut given)?;
        }
        given.insert("bootstrap.servers".to_string(), bootstrap.clone());
        let group = given.get("group.id").filter(|g| !g.is_empty()).cloned();
        let properties = Self {
            bootstrap,
            group,
            given,
        };
        for config in [properties.consumer(1), properties.producer()] {
            config
                .create_native_config()
                .map_err(|e| wrong_property(&e))?;
        }
        Ok(properties)
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
        // The Java client's default, which is Flink's.
        config.set("isolation.level", "read_uncommitted");
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

    fn give(&self, config: &mut ClientConfig) {
        for (name, value) in &self.given {
            config.set(name, value);
        }
    }
}

/// Adds a property under librdkafka's name.
fn translate(
    name: &str,
    value: &str,
    given: &mut BTreeMap<String, String>,
) -> Result<(), OptionError> {
    let key = format!("{PREFIX}{name}");
    if let Some((_, help)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return Err(OptionError::new(&key, format!("'{key}' is not supported")).with_help(*help));
    }
    match name {
        "sasl.jaas.config" => return jaas(&key, value, given),
        "auto.offset.reset" if value.eq_ignore_ascii_case("none") => {
            given.insert(name.to_string(), "error".to_string());
        }
        "security.protocol" => {
            given.insert(name.to_string(), value.to_ascii_lowercase());
        }
        "sasl.mechanism" | "sasl.mechanisms" if value.eq_ignore_ascii_case("GSSAPI") => {
            return Err(OptionError::new(&key, "Kerberos (GSSAPI) is not supported")
                .with_help("use one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER"));
        }
        "sasl.mechanism" | "sasl.mechanisms" => {
            given.insert("sasl.mechanism".to_string(), value.to_ascii_uppercase());
        }
        "ssl.keystore.type" => match value.to_ascii_uppercase().as_str() {
            "PKCS12" | "PEM" => {}
            other => {
                return Err(OptionError::new(&key, format!("key stores of type {other} cannot be read"))
                    .with_help("convert it to PKCS12 with keytool -importkeystore, or use 'properties.ssl.key.location' \
                                and 'properties.ssl.certificate.location' with PEM files"));
            }
        },
        "ssl.endpoint.identification.algorithm" if value.is_empty() => {
            given.insert(name.to_string(), "none".to_string());
        }
        "buffer.memory" => {
            let bytes: u64 = value.parse().map_err(|_| {
                OptionError::new(
                    &key,
                    format!("'{key}' = '{value}': expected a number of bytes"),
                )
            })?;
            given.insert(
                "queue.buffering.max.kbytes".to_string(),
                (bytes / 1024).max(1).to_string(),
            );
        }
        // Java's -1 means the system's own size, which librdkafka calls 0.
        "receive.buffer.bytes" | "send.buffer.bytes" if value == "-1" => {}
        _ => {
            let renamed = RENAMED
                .iter()
                .find(|(java, _)| *java == name)
                .map_or(name, |(_, own)| own);
            given.insert(renamed.to_string(), value.to_string());
        }
    }
    Ok(())
}

/// Takes name and password out of a JAAS line: `...PlainLoginModule required username="u" password="p";`.
fn jaas(key: &str, value: &str, given: &mut BTreeMap<String, String>) -> Result<(), OptionError> {
    let module = value.split_whitespace().next().unwrap_or_default();
    let mechanism = if module.ends_with("PlainLoginModule") {
        Some("PLAIN")
    } else if module.ends_with("ScramLoginModule") {
        None
    } else {
        return Err(OptionError::new(key, format!("the login module '{module}' is not supported")).with_help(
            "PlainLoginModule and ScramLoginModule are; for OAUTHBEARER set 'properties.sasl.oauthbearer.method' = 'oidc' \
             with 'properties.sasl.oauthbearer.client.id', '.client.secret' and '.token.endpoint.url'",
        ));
    };
    for (name, property) in [("username", "sasl.username"), ("password", "sasl.password")] {
        let text = jaas_value(value, name).ok_or_else(|| {
            OptionError::new(key, format!("'{key}' has no {name}=\"...\""))
                .with_help("or set 'properties.sasl.username' and 'properties.sasl.password'")
        })?;
        given.insert(property.to_string(), text);
    }
    if let Some(mechanism) = mechanism {
        given
            .entry("sasl.mechanism".to_string())
            .or_insert_with(|| mechanism.to_string());
    }
    Ok(())
}

/// The quoted value of `name=`, backslashes resolved.
fn jaas_value(text: &str, name: &str) -> Option<String> {
    let mut rest = text;
    loop {
        let at = rest.find(name)?;
        let is_word = rest[..at].ends_with(|c: char| c.is_whitespace());
        rest = &rest[at + name.len()..];
        if !is_word {
            continue;
        }
        let Some(value) = rest.trim_start().strip_prefix('=') else {
            continue;
        };
        let mut chars = value.trim_start().chars();
        let quote = chars.next().filter(|q| matches!(q, '"' | '\''))?;
        let mut out = String::new();
        loop {
            match chars.next()? {
                '\\' => out.push(chars.next()?),
                c if c == quote => return Some(out),
                c => out.push(c),
            }
        }
    }
}

/// What librdkafka has against a property. Secrets do not come into the message.
fn wrong_property(error: &KafkaError) -> OptionError {
    let KafkaError::ClientConfig(_, reason, name, _) = error else {
        return OptionError::new(
            PREFIX,
            format!("the Kafka client refuses its properties: {error}"),
        );
    };
    let key = format!("{PREFIX}{name}");
    if reason.contains("No such configuration property") {
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
        assert!(help(&[("value.deserializer", "x")]).contains("'format'"));
        assert!(help(&[("ssl.truststore.location", "x.jks")]).contains("ssl.ca.location"));
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
