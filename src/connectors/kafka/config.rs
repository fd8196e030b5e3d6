//! The options of a Kafka table, checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::layout::Layout;
use super::properties::Properties;
use crate::catalog::Table;
use crate::catalog::options::{OptionError, Options};
use crate::connectors::filesystem::archive::ArchiveColumns;

/// Flink's default for how often new partitions are looked for.
const DISCOVERY: Duration = Duration::from_secs(300);

/// Which topics a table stands for.
#[derive(Debug, Clone)]
pub(super) enum Topics {
    /// These.
    Named(Vec<String>),
    /// All whose whole name matches.
    Pattern(regex::Regex),
}

impl Topics {
    /// Whether this is one of them.
    pub(super) fn has(&self, topic: &str) -> bool {
        match self {
            Self::Named(names) => names.iter().any(|name| name == topic),
            Self::Pattern(pattern) => !super::client::is_internal(topic) && pattern.is_match(topic),
        }
    }
}

/// A place in each partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The first record there is.
    Earliest,
    /// Behind the last record there is.
    Latest,
    /// What the consumer group has committed.
    Group,
    /// The first record of this time or later, in milliseconds since the epoch.
    Timestamp(i64),
    /// These offsets, by partition.
    Offsets(BTreeMap<i32, i64>),
}

/// How rows are spread over partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Partitioner {
    /// By key where there is one, else anyhow.
    Default,
    /// Each writer has one partition.
    Fixed,
}

/// How topics are made that do not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NewTopics {
    /// -1: as many as the brokers have set.
    pub(super) partitions: i32,
    /// -1: as many as the brokers have set.
    pub(super) replicas: i32,
    /// The longest record, where the brokers' limit is not what is wanted.
    pub(super) max_bytes: Option<i64>,
    /// Of each key the last record is enough.
    pub(super) compact: bool,
}

impl NewTopics {
    /// So many partitions.
    pub(super) fn of(partitions: i32) -> Self {
        Self {
            partitions,
            replicas: -1,
            max_bytes: None,
            compact: false,
        }
    }

    fn read(options: &Options, compact: bool) -> Result<Self, OptionError> {
        let number = |key: &str| {
            options.parse(key, -1, "a number above 0", |text| {
                text.parse().ok().filter(|n: &i32| *n > 0)
            })
        };
        let max_bytes = match number("sink.topic.max-message-bytes")? {
            -1 => None,
            n => Some(i64::from(n)),
        };
        Ok(Self {
            partitions: number("sink.topic.partitions")?,
            replicas: number("sink.topic.replication-factor")?,
            max_bytes,
            compact,
        })
    }
}

/// A Kafka table.
#[derive(Clone)]
pub(super) struct KafkaTable {
    pub(super) name: String,
    pub(super) properties: Properties,
    pub(super) topics: Topics,
    pub(super) layout: Layout,
    pub(super) start: Place,
    /// `None`: it never ends.
    pub(super) end: Option<Place>,
    /// Only these partitions are read, which must all be there, and places in them too.
    pub(super) only: Option<BTreeSet<i32>>,
    /// How often new partitions are looked for.
    pub(super) discovery: Option<Duration>,
    pub(super) partitioner: Partitioner,
    /// Whether it is an upsert table.
    pub(super) is_upsert: bool,
    pub(super) single_writer: bool,
    /// How its topics are made where they do not exist.
    pub(super) new_topic: NewTopics,
    /// Where the rows before those of the topic are, and what their partition and offset are called.
    pub(super) archive: Option<(PathBuf, ArchiveColumns)>,
    /// What its transactions are named after, where its rows are written exactly once.
    pub(super) exactly_once: Option<String>,
}

impl KafkaTable {
    /// Reads and checks the options of a `kafka` table. Those of sources are checked for sinks too and the other way
    /// round, for a table may be both.
    ///
    /// # Errors
    /// The first option that is missing or wrong.
    pub(super) fn read(
        table: &Table,
        options: &Options,
        is_source: bool,
    ) -> Result<Self, OptionError> {
        let properties = Properties::read(options)?;
        let topics = topics(options)?;
        let layout = Layout::of_kafka(table, options)?;
        let start = place(options, &Mode::START, &topics, &properties, is_source)?;
        let end = place(options, &Mode::END, &topics, &properties, is_source)?;
        let discovery =
            options.duration("scan.topic-partition-discovery.interval", Some(DISCOVERY))?;
        let partitioner = partitioner(options, &layout)?;
        let exactly_once = guarantee(options)?;
        options.get("sink.transaction-naming-strategy");
        Ok(Self {
            name: table.name.clone(),
            properties,
            topics,
            layout,
            start: start.unwrap_or(Place::Group),
            end,
            only: partitions(options)?,
            discovery: discovery.filter(|interval| !interval.is_zero()),
            partitioner,
            is_upsert: false,
            new_topic: NewTopics::read(options, false)?,
            archive: archive(options),
            single_writer: crate::connectors::single_writer(options)?,
            exactly_once,
        })
    }

    /// Reads and checks the options of an `upsert-kafka` table.
    ///
    /// # Errors
    /// The first option that is missing or wrong.
    pub(super) fn read_upsert(table: &Table, options: &Options) -> Result<Self, OptionError> {
        let properties = Properties::read(options)?;
        let topics = topics(options)?;
        let layout = Layout::of_upsert(table, options)?;
        let end = place(options, &Mode::END, &topics, &properties, false)?;
        options.int("sink.buffer-flush.max-rows", 0)?;
        options.duration("sink.buffer-flush.interval", None)?;
        let partitioner = partitioner(options, &layout)?;
        let exactly_once = guarantee(options)?;
        options.get("sink.transaction-naming-strategy");
        Ok(Self {
            name: table.name.clone(),
            properties,
            topics,
            layout,
            start: Place::Earliest,
            end,
            only: partitions(options)?,
            discovery: None,
            partitioner,
            is_upsert: true,
            new_topic: NewTopics::read(options, true)?,
            archive: None,
            single_writer: crate::connectors::single_writer(options)?,
            exactly_once,
        })
    }
}

fn topics(options: &Options) -> Result<Topics, OptionError> {
    match (options.get("topic"), options.get("topic-pattern")) {
        (Some(_), Some(_)) => Err(OptionError::new(
            "topic-pattern",
            "a table has either 'topic' or 'topic-pattern', not both",
        )),
        (None, None) => options.require("topic").map(|_| Topics::Named(Vec::new())),
        (Some(text), None) => {
            let mut names: Vec<String> = text
                .split(';')
                .map(|name| name.trim().to_string())
                .filter(|name| !name.is_empty())
                .collect();
            names.sort_unstable();
            names.dedup();
            match names.iter().find(|name| !is_topic_name(name)) {
                _ if names.is_empty() => Err(OptionError::new("topic", "'topic' is empty")),
                Some(name) => Err(OptionError::new("topic", format!("'{name}' cannot be the name of a topic"))
                    .with_help("a name has at most 249 letters, digits, '.', '_' and '-'; several names have ';' between them")),
                None => Ok(Topics::Named(names)),
            }
        }
        (None, Some(text)) => regex::Regex::new(&format!("^(?:{text})$"))
            .map(Topics::Pattern)
            .map_err(|e| {
                OptionError::new("topic-pattern", format!("not a regular expression: {e}"))
            }),
    }
}

fn is_topic_name(name: &str) -> bool {
    name.len() <= 249
        && name != "."
        && name != ".."
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// The names of the options that say where to start, or to stop.
struct Mode {
    mode: &'static str,
    offsets: &'static str,
    timestamp: &'static str,
    /// The default, and the choices.
    default: &'static str,
    choices: &'static [&'static str],
}

impl Mode {
    const START: Self = Self {
        mode: "scan.startup.mode",
        offsets: "scan.startup.specific-offsets",
        timestamp: "scan.startup.timestamp-millis",
        default: "group-offsets",
        choices: &[
            "earliest-offset",
            "latest-offset",
            "group-offsets",
            "timestamp",
            "specific-offsets",
        ],
    };
    const END: Self = Self {
        mode: "scan.bounded.mode",
        offsets: "scan.bounded.specific-offsets",
        timestamp: "scan.bounded.timestamp-millis",
        default: "unbounded",
        choices: &[
            "unbounded",
            "latest-offset",
            "group-offsets",
            "timestamp",
            "specific-offsets",
        ],
    };
}

fn place(
    options: &Options,
    mode: &Mode,
    topics: &Topics,
    properties: &Properties,
    is_source: bool,
) -> Result<Option<Place>, OptionError> {
    let chosen = options.choice(mode.mode, mode.default, mode.choices)?;
    let (offsets, timestamp) = (options.get(mode.offsets), options.get(mode.timestamp));
    for (key, value, belongs) in [
        (mode.offsets, offsets, "specific-offsets"),
        (mode.timestamp, timestamp, "timestamp"),
    ] {
        match value {
            None if chosen == belongs => {
                let error = OptionError::new(
                    mode.mode,
                    format!("'{}' = '{chosen}' needs '{key}'", mode.mode),
                );
                return Err(error.with_help(match belongs {
                    "timestamp" => format!("for example '{key}' = '1735689600000'"),
                    _ => format!(
                        "for example '{key}' = 'partition:0,offset:42;partition:1,offset:300'"
                    ),
                }));
            }
            Some(_) if chosen != belongs => {
                return Err(OptionError::new(
                    key,
                    format!("'{key}' is only read with '{}' = '{belongs}'", mode.mode),
                )
                .with_help(format!("remove it, or set '{}' = '{belongs}'", mode.mode)));
            }
            _ => {}
        }
    }
    Ok(Some(match chosen {
        "unbounded" => return Ok(None),
        "earliest-offset" => Place::Earliest,
        "latest-offset" => Place::Latest,
        "timestamp" => match options.int(mode.timestamp, 0)? {
            millis @ 0.. => Place::Timestamp(millis),
            _ => {
                return Err(OptionError::new(
                    mode.timestamp,
                    format!("'{}' must not be negative", mode.timestamp),
                ));
            }
        },
        "specific-offsets" => {
            if !matches!(topics, Topics::Named(names) if names.len() == 1) {
                return Err(OptionError::new(
                    mode.mode,
                    "'specific-offsets' needs a table of one topic",
                ));
            }
            Place::Offsets(specific_offsets(mode.offsets, offsets.unwrap_or_default())?)
        }
        _ => {
            if is_source && properties.group.is_none() {
                let is_default = options.get(mode.mode).is_none();
                let default = if is_default { " (the default)" } else { "" };
                let error = format!(
                    "'{}' = '{chosen}'{default} needs 'properties.group.id'",
                    mode.mode
                );
                return Err(OptionError::new(mode.mode, error).with_help(if is_default {
                    "set 'scan.startup.mode' = 'earliest-offset' to read the topic from its beginning"
                } else {
                    "name the consumer group whose committed offsets are meant"
                }));
            }
            Place::Group
        }
    }))
}

/// Reads `partition:0,offset:42;partition:1,offset:300`.
fn specific_offsets(key: &str, text: &str) -> Result<BTreeMap<i32, i64>, OptionError> {
    let mut offsets = BTreeMap::new();
    for pair in text
        .split(';')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
    {
        let parsed = pair.split_once(',').and_then(|(partition, offset)| {
            let partition: i32 = partition
                .trim()
                .strip_prefix("partition:")?
                .trim()
                .parse()
                .ok()?;
            let offset: i64 = offset.trim().strip_prefix("offset:")?.trim().parse().ok()?;
            (partition >= 0 && offset >= 0).then_some((partition, offset))
        });
        let Some((partition, offset)) = parsed else {
            return Err(
                OptionError::new(key, format!("'{key}': cannot read '{pair}'"))
                    .with_help("write 'partition:0,offset:42;partition:1,offset:300'"),
            );
        };
        offsets.insert(partition, offset);
    }
    if offsets.is_empty() {
        return Err(OptionError::new(key, format!("'{key}' is empty")));
    }
    Ok(offsets)
}

/// Reads `scan.partitions`: numbers with ';' between them.
fn partitions(options: &Options) -> Result<Option<BTreeSet<i32>>, OptionError> {
    options.parse("scan.partitions", None, "numbers such as '0;2'", |text| {
        let numbers = text
            .split(';')
            .map(|n| n.trim().parse().ok().filter(|n| *n >= 0));
        numbers.collect::<Option<BTreeSet<i32>>>().map(Some)
    })
}

fn partitioner(options: &Options, layout: &Layout) -> Result<Partitioner, OptionError> {
    let key = "sink.partitioner";
    match options.get(key).unwrap_or("default") {
        "default" => Ok(Partitioner::Default),
        "fixed" => Ok(Partitioner::Fixed),
        "round-robin" if layout.has_key() => Err(OptionError::new(
            key,
            "'round-robin' cannot be used with 'key.fields'",
        )
        .with_help("leave 'sink.partitioner' out to spread rows by their key")),
        // As in Flink: batch after batch to another partition.
        "round-robin" => Ok(Partitioner::Default),
        other => Err(OptionError::new(
            key,
            format!("'{key}' = '{other}': expected one of default, fixed, round-robin"),
        )
        .with_help("classes cannot be loaded here")),
    }
}

/// The archive of the topic, where it has one.
fn archive(options: &Options) -> Option<(PathBuf, ArchiveColumns)> {
    let mut columns = ArchiveColumns::default();
    for (key, name) in [
        ("archive.partition-column", &mut columns.partition),
        ("archive.offset-column", &mut columns.offset),
        ("archive.timestamp-column", &mut columns.timestamp),
    ] {
        if let Some(given) = options.get(key) {
            *name = given.to_string();
        }
    }
    Some((options.get("archive.path")?.into(), columns))
}

/// What transactions are named after; `None`: at least once.
fn guarantee(options: &Options) -> Result<Option<String>, OptionError> {
    let (key, prefix) = ("sink.delivery-guarantee", "sink.transactional-id-prefix");
    let chosen = options.choice(
        key,
        "at-least-once",
        &["none", "at-least-once", "exactly-once"],
    )?;
    match (chosen, options.get(prefix)) {
        ("exactly-once", Some(name)) if !name.is_empty() => Ok(Some(name.to_string())),
        ("exactly-once", _) => Err(OptionError::new(
            key,
            format!("'{key}' = 'exactly-once' needs '{prefix}'"),
        )
        .with_help(
            "a name that no other job on the cluster has: its transactions are named after it",
        )),
        _ => Ok(None),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Option<Place>, OptionError> {
        let options = Options::new(
            pairs
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect(),
        );
        let topics = Topics::Named(vec!["t".to_string()]);
        place(
            &options,
            &Mode::START,
            &topics,
            &Properties::of("localhost:9092"),
            true,
        )
    }

    #[test]
    fn places_to_start_from() {
        let offsets = "partition:0,offset:42; partition:1,offset:300;";
        let specific = [
            ("scan.startup.mode", "specific-offsets"),
            ("scan.startup.specific-offsets", offsets),
        ];
        assert_eq!(
            read(&specific).unwrap(),
            Some(Place::Offsets(BTreeMap::from([(0, 42), (1, 300)])))
        );
        assert_eq!(
            read(&[("scan.startup.mode", "earliest-offset")]).unwrap(),
            Some(Place::Earliest)
        );
        let timestamp = [
            ("scan.startup.mode", "timestamp"),
            ("scan.startup.timestamp-millis", "12"),
        ];
        assert_eq!(read(&timestamp).unwrap(), Some(Place::Timestamp(12)));
    }

    #[test]
    fn what_is_missing_or_too_much_is_said() {
        let message = |pairs: &[(&str, &str)]| read(pairs).unwrap_err().message;
        assert_eq!(
            message(&[]),
            "'scan.startup.mode' = 'group-offsets' (the default) needs 'properties.group.id'"
        );
        assert_eq!(
            message(&[("scan.startup.mode", "timestamp")]),
            "'scan.startup.mode' = 'timestamp' needs 'scan.startup.timestamp-millis'"
        );
        assert_eq!(
            message(&[
                ("scan.startup.mode", "earliest-offset"),
                ("scan.startup.timestamp-millis", "1")
            ]),
            "'scan.startup.timestamp-millis' is only read with 'scan.startup.mode' = 'timestamp'"
        );
        assert!(
            read(&[("scan.startup.mode", "earliest")])
                .unwrap_err()
                .message
                .contains("expected one of")
        );
    }
}
