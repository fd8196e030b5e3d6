//! SET keys: which there are, what they mean here, and which are Flink's without effect in flowline.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::catalog::closest;
use crate::catalog::options::parse_duration;

/// A SET that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// The keys that have an effect, each with what it does.
pub const KNOWN: &[(&str, &str)] = &[
    (
        "parallelism.default",
        "number of instances of each operator (1 to 128)",
    ),
    ("table.exec.resource.default-parallelism", "the same"),
    (
        "table.exec.source.idle-timeout",
        "a source partition without rows for so long no longer holds the watermark",
    ),
    (
        "table.exec.sink.not-null-enforcer",
        "ERROR or DROP: what happens to NULL in a NOT NULL column",
    ),
    ("table.local-time-zone", "UTC is the one supported"),
    (
        "table.exec.state.ttl",
        "state that was not written for so long is given up (0: never); counted in event time where the input has it",
    ),
    (
        "table.exec.mini-batch.enabled",
        "whether rows of an unbounded aggregation are aggregated together before results go on",
    ),
    (
        "table.exec.mini-batch.allow-latency",
        "for at most how long",
    ),
    ("table.exec.mini-batch.size", "at most how many rows"),
    (
        "table.exec.sink.require-on-conflict",
        "whether a query whose upsert key is not the sink's PRIMARY KEY must say ON CONFLICT",
    ),
    (
        "flowline.watermark.quiet-advance",
        "after so long without a row in any partition of a source its watermark moves with the clock",
    ),
    ("pipeline.name", "the job's name in messages"),
];

/// Flink's keys (or beginnings of keys) that are accepted because a file that also runs on Flink may set them, and that
/// change nothing here, with the reason.
pub const WITHOUT_EFFECT: &[(&str, &str)] = &[
    (
        "execution.runtime-mode",
        "flowline run always streams; bounded inputs end by themselves",
    ),
    ("execution.checkpointing.", "checkpoints are not there yet"),
    ("execution.target", "there is no cluster to choose"),
    (
        "pipeline.auto-watermark-interval",
        "the watermark moves behind every row",
    ),
    (
        "pipeline.operator-chaining.",
        "operators are always fused where they can be",
    ),
    (
        "restart-strategy",
        "a failed job ends; restarts come with checkpoints",
    ),
    ("sql-client.", "it is about Flink's own client"),
    ("state.", "state is kept in memory"),
    ("table.dml-sync", "flowline run always waits for its jobs"),
    (
        "table.exec.sink.upsert-materialize",
        "rows of one key always reach the sink in order",
    ),
    ("table.optimizer.", "the optimizer is flowline's own"),
    ("taskmanager.", "there is no task manager"),
    ("jobmanager.", "there is no job manager"),
];

/// The settings of a session.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, String>,
}

impl Settings {
    /// Takes `key` = `value`; returns a note where it has no effect.
    ///
    /// # Errors
    /// An unknown key, or a value that the key does not take.
    pub fn set(&mut self, key: &str, value: &str) -> Result<Option<String>, SettingError> {
        if let Some((_, reason)) = WITHOUT_EFFECT.iter().find(|(k, _)| key.starts_with(k)) {
            self.values.insert(key.to_string(), value.to_string());
            return Ok(Some(format!(
                "SET '{key}' has no effect in flowline: {reason}"
            )));
        }
        let fail = |message: String, help: &str| {
            Err(SettingError {
                message,
                help: Some(help.to_string()),
            })
        };
        let valid = match key {
            "parallelism.default" | "table.exec.resource.default-parallelism" => value
                .parse()
                .is_ok_and(|p: usize| (1..=usize::from(crate::state::KEY_GROUPS)).contains(&p)),
            "table.exec.source.idle-timeout" => parse_duration(value).is_some(),
            "table.exec.sink.not-null-enforcer" => {
                matches!(value.to_uppercase().as_str(), "ERROR" | "DROP")
            }
            "table.local-time-zone" => matches!(value, "UTC" | "Z" | "GMT" | "Etc/UTC" | "+00:00"),
            "table.exec.state.ttl"
            | "table.exec.mini-batch.allow-latency"
            | "flowline.watermark.quiet-advance" => parse_duration(value).is_some(),
            "table.exec.mini-batch.size" => value.parse().is_ok_and(|n: u64| n > 0),
            "table.exec.mini-batch.enabled" | "table.exec.sink.require-on-conflict" => {
                matches!(value.to_lowercase().as_str(), "true" | "false")
            }
            "pipeline.name" => true,
            _ => {
                let near = closest(key, KNOWN.iter().chain(WITHOUT_EFFECT).map(|(k, _)| *k));
                let help = near.map_or_else(
                    || {
                        format!(
                            "the keys are: {}",
                            KNOWN.iter().map(|(k, _)| *k).collect::<Vec<_>>().join(", ")
                        )
                    },
                    |n| format!("did you mean '{n}'?"),
                );
                return fail(format!("unknown setting '{key}'"), &help);
            }
        };
        if !valid {
            let meaning = KNOWN.iter().find(|(k, _)| *k == key).map_or("", |(_, m)| m);
            return fail(
                format!("'{key}' does not take '{value}'"),
                &format!("it means: {meaning}"),
            );
        }
        self.values.insert(key.to_string(), value.to_string());
        Ok(None)
    }

    /// Back to the default.
    pub fn reset(&mut self, key: &str) {
        self.values.remove(key);
    }

    /// All back to their defaults.
    pub fn reset_all(&mut self) {
        self.values.clear();
    }

    /// What was set.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.values.iter()
    }

    /// Number of instances of each operator, where set.
    pub fn parallelism(&self) -> Option<usize> {
        let set = |k| self.values.get(k)?.parse().ok();
        set("table.exec.resource.default-parallelism").or_else(|| set("parallelism.default"))
    }

    /// When a partition without rows is idle; `None`: never.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.duration("table.exec.source.idle-timeout")
    }

    /// After how long without a row the watermark moves with the clock; `None`: never.
    pub fn quiet_advance(&self) -> Option<Duration> {
        self.duration("flowline.watermark.quiet-advance")
    }

    /// When state that is not written is given up; `None`: never.
    pub fn state_ttl(&self) -> Option<Duration> {
        self.duration("table.exec.state.ttl")
    }

    /// How long rows are aggregated together before results go on.
    /// At most so many rows, for at most so long.
    pub fn mini_batch(&self) -> Option<(u64, Duration)> {
        let size = self.values.get("table.exec.mini-batch.size");
        let size = size.and_then(|n| n.parse().ok()).unwrap_or(u64::MAX);
        let latency = self.duration("table.exec.mini-batch.allow-latency")?;
        self.is_true("table.exec.mini-batch.enabled", false)
            .then_some((size, latency))
    }

    /// Whether a query whose upsert key is not the sink's PRIMARY KEY must say ON CONFLICT (Flink 2.3: yes).
    pub fn require_on_conflict(&self) -> bool {
        self.is_true("table.exec.sink.require-on-conflict", true)
    }

    fn is_true(&self, key: &str, default: bool) -> bool {
        self.values
            .get(key)
            .map_or(default, |v| v.eq_ignore_ascii_case("true"))
    }

    fn duration(&self, key: &str) -> Option<Duration> {
        parse_duration(self.values.get(key)?).filter(|d| !d.is_zero())
    }

    /// Whether NULL in a NOT NULL column of a sink leaves the row out instead of failing the job.
    pub fn drop_nulls(&self) -> bool {
        self.values
            .get("table.exec.sink.not-null-enforcer")
            .is_some_and(|v| v.eq_ignore_ascii_case("DROP"))
    }
}
