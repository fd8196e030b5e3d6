//! The Java client's properties, by name and value, as librdkafka's: translated, taken without effect, or refused with what to do.

use std::collections::BTreeMap;

use crate::catalog::options::OptionError;
use crate::secrets::has_reference;

/// What the options begin with.
pub(super) const PREFIX: &str = "properties.";

/// Java's names for what librdkafka calls otherwise.
const RENAMED: &[(&str, &str)] = &[
    ("client.id.prefix", "client.id"),
    ("compression.gzip.level", "compression.level"),
    ("compression.lz4.level", "compression.level"),
    ("compression.zstd.level", "compression.level"),
    ("fetch.max.wait.ms", "fetch.wait.max.ms"),
    ("max.request.size", "message.max.bytes"),
    ("receive.buffer.bytes", "socket.receive.buffer.bytes"),
    ("send.buffer.bytes", "socket.send.buffer.bytes"),
    ("ssl.keystore.certificate.chain", "ssl.certificate.pem"),
    ("ssl.keystore.key", "ssl.key.pem"),
    ("ssl.truststore.certificates", "ssl.ca.pem"),
];

const JAVA_CLASS: &str = "it names a Java class, which cannot be loaded here";
const JAVA_ONLY: &str = "only the Java client knows it";
const USE_FORMAT: &str = "bytes become rows and back by the table's format";
const NO_COMMITS: &str =
    "offsets are committed with each checkpoint, for the group that 'properties.group.id' names";
/// Whether offsets are committed with each checkpoint: no property of a client.
pub(super) const COMMITS: &str = "commit.offsets.on.checkpoint";
const USE_PARTITIONER: &str = "the table's option 'sink.partitioner' says how rows are spread";
const USE_DISCOVERY: &str =
    "the table's option 'scan.topic-partition-discovery.interval' says how often";
const OPENSSL: &str = "OpenSSL chooses it here";
const NO_ZOOKEEPER: &str = "clients ask the brokers, not ZooKeeper";

/// What is taken and changes nothing, and why.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("auto.commit.interval.ms", NO_COMMITS),
    ("auto.include.jmx.reporter", JAVA_ONLY),
    (COMMITS, NO_COMMITS),
    ("config.providers", JAVA_CLASS),
    ("default.api.timeout.ms", JAVA_ONLY),
    ("enable.auto.commit", NO_COMMITS),
    ("enable.partition.eof", "flowline sets it itself"),
    ("exclude.internal.topics", JAVA_ONLY),
    ("flink.disable-metrics", "only Flink knows it"),
    ("flink.partition-discovery.interval-millis", USE_DISCOVERY),
    ("flink.poll-timeout", "only Flink knows it"),
    ("interceptor.classes", JAVA_CLASS),
    ("internal.leave.group.on.close", JAVA_ONLY),
    ("key.deserializer", USE_FORMAT),
    ("key.serializer", USE_FORMAT),
    ("max.block.ms", JAVA_ONLY),
    (
        "max.poll.records",
        "--batch-rows sets the number of rows per batch",
    ),
    ("metadata.max.idle.ms", JAVA_ONLY),
    ("metadata.recovery.rebootstrap.trigger.ms", JAVA_ONLY),
    ("metric.reporters", JAVA_CLASS),
    ("metrics.num.samples", JAVA_ONLY),
    ("metrics.recording.level", JAVA_ONLY),
    ("metrics.sample.window.ms", JAVA_ONLY),
    (
        "partition.assignment.strategy",
        "flowline shares out the partitions itself",
    ),
    ("partition.discovery.interval.ms", USE_DISCOVERY),
    ("partitioner", USE_PARTITIONER),
    ("partitioner.adaptive.partitioning.enable", USE_PARTITIONER),
    ("partitioner.availability.timeout.ms", USE_PARTITIONER),
    ("partitioner.class", USE_PARTITIONER),
    ("partitioner.ignore.keys", USE_PARTITIONER),
    ("register.consumer.metrics", "only Flink knows it"),
    ("sasl.client.callback.handler.class", JAVA_CLASS),
    ("sasl.login.callback.handler.class", JAVA_CLASS),
    ("sasl.login.class", JAVA_CLASS),
    ("sasl.login.connect.timeout.ms", JAVA_ONLY),
    ("sasl.login.read.timeout.ms", JAVA_ONLY),
    ("sasl.login.refresh.buffer.seconds", JAVA_ONLY),
    ("sasl.login.refresh.min.period.seconds", JAVA_ONLY),
    ("sasl.login.refresh.window.factor", JAVA_ONLY),
    ("sasl.login.refresh.window.jitter", JAVA_ONLY),
    ("sasl.login.retry.backoff.max.ms", JAVA_ONLY),
    ("sasl.login.retry.backoff.ms", JAVA_ONLY),
    ("security.providers", JAVA_CLASS),
    ("socket.connection.setup.timeout.max.ms", JAVA_ONLY),
    ("ssl.enabled.protocols", OPENSSL),
    ("ssl.engine.factory.class", JAVA_CLASS),
    ("ssl.keymanager.algorithm", JAVA_ONLY),
    ("ssl.protocol", OPENSSL),
    ("ssl.provider", JAVA_CLASS),
    ("ssl.secure.random.implementation", JAVA_ONLY),
    ("ssl.trustmanager.algorithm", JAVA_ONLY),
    ("topic", "the table's option 'topic' names the topic"),
    (
        "transactional.id",
        "transactions are named after 'sink.transactional-id-prefix' and the job",
    ),
    ("value.deserializer", USE_FORMAT),
    ("value.serializer", USE_FORMAT),
    ("zookeeper.connect", NO_ZOOKEEPER),
    ("zookeeper.connection.timeout.ms", NO_ZOOKEEPER),
    ("zookeeper.session.timeout.ms", NO_ZOOKEEPER),
];

/// Why a property changes nothing; `None`: it counts.
pub(in crate::connectors) fn without_effect(name: &str, value: &str) -> Option<&'static str> {
    // What is so anyway needs no word.
    let is_so = name == "enable.auto.commit" && value.trim().eq_ignore_ascii_case("false");
    if is_so || name == COMMITS {
        return None;
    }
    let found = WITHOUT_EFFECT.iter().find(|(known, _)| *known == name);
    found.map(|(_, reason)| *reason)
}

/// Adds a property under librdkafka's name.
pub(super) fn translate(
    name: &str,
    value: &str,
    given: &mut BTreeMap<String, String>,
) -> Result<(), OptionError> {
    let key = format!("{PREFIX}{name}");
    if WITHOUT_EFFECT.iter().any(|(known, _)| *known == name) {
        return Ok(());
    }
    match name {
        // Seen as a whole.
        _ if name.starts_with("ssl.truststore.") && name != "ssl.truststore.certificates" => {}
        "ssl.keystore.location" | "ssl.keystore.password" | "ssl.keystore.type" => {}
        "sasl.jaas.config" => return jaas(&key, value, given),
        "auto.offset.reset" if value.eq_ignore_ascii_case("none") => {
            given.insert(name.to_string(), "error".to_string());
        }
        // librdkafka has them in one case, references are as they are.
        "security.protocol" if !has_reference(value) => {
            given.insert(name.to_string(), value.to_ascii_lowercase());
        }
        "sasl.mechanism" | "sasl.mechanisms" if value.eq_ignore_ascii_case("GSSAPI") => {
            return Err(OptionError::new(&key, "Kerberos (GSSAPI) is not supported")
                .with_help("use one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER"));
        }
        "sasl.mechanism" | "sasl.mechanisms" => {
            let value = match has_reference(value) {
                true => value.to_string(),
                false => value.to_ascii_uppercase(),
            };
            given.insert("sasl.mechanism".to_string(), value);
        }
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

/// How a store of keys or certificates is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Store {
    Pem,
    Pkcs12,
    Jks,
}

impl Store {
    /// By what the type says, else by the name of the file; Java's default is JKS.
    fn of(declared: Option<&String>, location: &str) -> Self {
        let by_name = || {
            location
                .rsplit_once('.')
                .map(|(_, ending)| ending.to_string())
        };
        let kind = declared.cloned().or_else(by_name).unwrap_or_default();
        match kind.trim().to_ascii_uppercase().as_str() {
            "PEM" | "CRT" | "CER" => Self::Pem,
            "PKCS12" | "P12" | "PFX" => Self::Pkcs12,
            _ => Self::Jks,
        }
    }
}

/// Adds the trust store and the key store: PEM files, and key stores of PKCS12, are read as they are.
pub(super) fn stores(
    all: &BTreeMap<String, String>,
    given: &mut BTreeMap<String, String>,
) -> Result<(), OptionError> {
    if let Some(location) = all.get("ssl.truststore.location") {
        let key = format!("{PREFIX}ssl.truststore.location");
        let refused = |kind: &str, convert: &str| {
            Err(
                OptionError::new(&key, format!("a trust store of type {kind} cannot be read"))
                    .with_help(format!(
                        "export its certificates with {convert}, and set '{key}' = 'ca.pem'"
                    )),
            )
        };
        match Store::of(all.get("ssl.truststore.type"), location) {
            Store::Pem => {
                given.insert("ssl.ca.location".into(), location.trim().into());
            }
            Store::Pkcs12 => {
                return refused("PKCS12", "openssl pkcs12 -in STORE -nokeys -out ca.pem");
            }
            Store::Jks => return refused("JKS", "keytool -list -rfc -keystore STORE > ca.pem"),
        }
    }
    let Some(location) = all.get("ssl.keystore.location") else {
        return Ok(());
    };
    let location = location.trim().to_string();
    match Store::of(all.get("ssl.keystore.type"), &location) {
        // Java keeps the key and its certificates in one file.
        Store::Pem => {
            given.insert("ssl.certificate.location".into(), location.clone());
            given.insert("ssl.key.location".into(), location);
        }
        Store::Pkcs12 => {
            given.insert("ssl.keystore.location".into(), location);
            if let Some(password) = all.get("ssl.keystore.password") {
                given.insert("ssl.keystore.password".into(), password.clone());
            }
        }
        Store::Jks => {
            let key = format!("{PREFIX}ssl.keystore.location");
            return Err(
                OptionError::new(&key, "a key store of type JKS cannot be read").with_help(format!(
                    "convert it with keytool -importkeystore -srckeystore STORE -destkeystore STORE.p12 -deststoretype PKCS12, \
                     and set '{key}' = 'STORE.p12'"
                )),
            );
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
    } else if module.ends_with("OAuthBearerLoginModule") && jaas_value(value, "clientId").is_some()
    {
        for (name, property) in [
            ("clientId", "sasl.oauthbearer.client.id"),
            ("clientSecret", "sasl.oauthbearer.client.secret"),
            ("scope", "sasl.oauthbearer.scope"),
        ] {
            given.extend(jaas_value(value, name).map(|text| (property.to_string(), text)));
        }
        given.insert("sasl.oauthbearer.method".into(), "oidc".into());
        return Ok(());
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn stores_of_java_are_read_where_they_are_pem_or_pkcs12() {
        let given = |pairs: &[(&str, &str)]| {
            let all = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string()));
            let mut given = BTreeMap::new();
            stores(&all.collect(), &mut given).unwrap();
            given.into_iter().collect::<Vec<_>>()
        };
        let pair = |k: &str, v: &str| (k.to_string(), v.to_string());
        assert_eq!(
            given(&[
                ("ssl.truststore.location", "/etc/ca"),
                ("ssl.truststore.type", "PEM"),
                ("ssl.truststore.password", "x"),
            ]),
            [pair("ssl.ca.location", "/etc/ca")]
        );
        assert_eq!(
            given(&[("ssl.keystore.location", "me.pem")]),
            [
                pair("ssl.certificate.location", "me.pem"),
                pair("ssl.key.location", "me.pem")
            ]
        );
        assert_eq!(
            given(&[
                ("ssl.keystore.location", "me.p12"),
                ("ssl.keystore.password", "x")
            ]),
            [
                pair("ssl.keystore.location", "me.p12"),
                pair("ssl.keystore.password", "x")
            ]
        );
    }
}
