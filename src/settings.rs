//! SET keys: which there are, what they mean here, and which are Flink's without effect in flowline.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::catalog::closest;
use crate::catalog::options::parse_duration;

/// Whether and when a failed job is started again (Flink: restart strategies).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestartStrategy {
    /// How often, without a checkpoint completed in between, before it is given up.
    pub attempts: u32,
    /// How long it waits before the first one.
    pub delay: Duration,
    /// The wait grows by this factor each time; 1: it stays the same.
    pub factor: f64,
    /// How long it waits at most.
    pub max_delay: Duration,
}

impl Default for RestartStrategy {
    /// Ten times, after 100 ms, 200 ms and so on up to 30 s.
    fn default() -> Self {
        Self {
            attempts: 10,
            delay: Duration::from_millis(100),
            factor: 2.0,
            max_delay: Duration::from_secs(30),
        }
    }
}

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
    (
        "pipeline.name",
        "the job's name: two runs with the same name are the same job",
    ),
    (
        "execution.checkpointing.interval",
        "how often a checkpoint is taken, such as '10 s'; none is where it is not set",
    ),
    (
        "execution.checkpointing.dir",
        "the folder or s3:// URL where checkpoints are kept",
    ),
    (
        "execution.checkpointing.timeout",
        "how long a checkpoint may take before the job fails",
    ),
    (
        "execution.checkpointing.num-retained",
        "how many checkpoints are kept",
    ),
    (
        "execution.state-recovery.path",
        "the savepoint that the job begins with",
    ),
    (
        "execution.state-recovery.ignore-unclaimed-state",
        "whether state that fits no operator of the SQL any more is given up",
    ),
    (
        "restart-strategy.type",
        "none, fixed-delay or exponential-delay: how a failed job with checkpoints is started again",
    ),
    (
        "restart-strategy.fixed-delay.attempts",
        "how often at most, without a checkpoint in between",
    ),
    ("restart-strategy.fixed-delay.delay", "after how long"),
    (
        "restart-strategy.exponential-delay.initial-backoff",
        "after how long the first time",
    ),
    (
        "restart-strategy.exponential-delay.max-backoff",
        "after how long at most",
    ),
    (
        "restart-strategy.exponential-delay.backoff-multiplier",
        "by what the wait grows each time",
    ),
    (
        "restart-strategy.exponential-delay.attempts-before-reset-backoff",
        "how often at most, without a checkpoint in between",
    ),
    ("s3.access-key", "the key for s3:// URLs"),
    ("s3.secret-key", "the secret for s3:// URLs"),
    ("s3.endpoint", "the URL of a store that speaks S3"),
    ("s3.endpoint.region", "the region of the store"),
    (
        "s3.path-style-access",
        "whether the bucket stands in the path of URLs instead of the host",
    ),
];

/// Other names of keys: Flink's older ones.
const ALIASES: &[(&str, &str)] = &[
    ("state.checkpoints.dir", "execution.checkpointing.dir"),
    (
        "state.checkpoints.num-retained",
        "execution.checkpointing.num-retained",
    ),
    ("execution.savepoint.path", "execution.state-recovery.path"),
    (
        "execution.savepoint.ignore-unclaimed-state",
        "execution.state-recovery.ignore-unclaimed-state",
    ),
    ("restart-strategy", "restart-strategy.type"),
    ("s3.path.style.access", "s3.path-style-access"),
];

/// Where checkpoints are kept unless told otherwise.
pub const CHECKPOINT_DIR: &str = ".flowline/checkpoints";

/// Flink's keys (or beginnings of keys) that are accepted because a file that also runs on Flink may set them, and that
/// change nothing here, with the reason.
pub const WITHOUT_EFFECT: &[(&str, &str)] = &[
    (
        "execution.runtime-mode",
        "flowline run always streams; bounded inputs end by themselves",
    ),
    (
        "execution.checkpointing.mode",
        "barriers are always aligned; each sink says what it guarantees",
    ),
    (
        "execution.checkpointing.min-pause",
        "one checkpoint is taken at a time",
    ),
    (
        "execution.checkpointing.max-concurrent-checkpoints",
        "one checkpoint is taken at a time",
    ),
    (
        "execution.checkpointing.unaligned",
        "barriers are always aligned",
    ),
    (
        "execution.checkpointing.incremental",
        "checkpoints always hold only what has changed",
    ),
    (
        "execution.checkpointing.storage",
        "checkpoints are kept in 'execution.checkpointing.dir'",
    ),
    (
        "execution.checkpointing.externalized-checkpoint-retention",
        "checkpoints stay when a job ends",
    ),
    (
        "execution.checkpointing.tolerable-failed-checkpoints",
        "storing a checkpoint is tried again until its timeout",
    ),
    (
        "execution.checkpointing.savepoint-dir",
        "savepoints are kept beside the checkpoints unless 'flowline stop --savepoint' says otherwise",
    ),
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
        "restart-strategy.exponential-delay.jitter-factor",
        "restarts of one job need no jitter",
    ),
    (
        "restart-strategy.exponential-delay.reset-backoff-threshold",
        "a completed checkpoint resets the wait",
    ),
    ("sql-client.", "it is about Flink's own client"),
    ("state.", "state is kept in memory and in checkpoints"),
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
        let key = ALIASES
            .iter()
            .find(|(alias, _)| *alias == key)
            .map_or(key, |(_, name)| *name);
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
            "execution.checkpointing.interval"
            | "execution.checkpointing.timeout"
            | "restart-strategy.fixed-delay.delay"
            | "restart-strategy.exponential-delay.initial-backoff"
            | "restart-strategy.exponential-delay.max-backoff" => parse_duration(value).is_some(),
            "execution.checkpointing.num-retained" => value.parse().is_ok_and(|n: usize| n > 0),
            "restart-strategy.fixed-delay.attempts"
            | "restart-strategy.exponential-delay.attempts-before-reset-backoff" => {
                value.parse::<u32>().is_ok()
            }
            "restart-strategy.exponential-delay.backoff-multiplier" => {
                value.parse().is_ok_and(|f: f64| f >= 1.0)
            }
            "restart-strategy.type" => matches!(
                value.to_lowercase().as_str(),
                "none"
                    | "off"
                    | "disable"
                    | "fixed-delay"
                    | "fixeddelay"
                    | "exponential-delay"
                    | "exponentialdelay"
            ),
            "execution.state-recovery.ignore-unclaimed-state" | "s3.path-style-access" => {
                matches!(value.to_lowercase().as_str(), "true" | "false")
            }
            "pipeline.name"
            | "execution.checkpointing.dir"
            | "execution.state-recovery.path"
            | "s3.access-key"
            | "s3.secret-key"
            | "s3.endpoint"
            | "s3.endpoint.region" => !value.is_empty(),
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

    /// `pipeline.name`
    pub fn job_name(&self) -> Option<&str> {
        self.text("pipeline.name")
    }

    /// How often a checkpoint is taken; `None`: never.
    pub fn checkpoint_interval(&self) -> Option<Duration> {
        self.duration("execution.checkpointing.interval")
    }

    /// Where checkpoints are kept.
    pub fn checkpoint_dir(&self) -> &str {
        self.text("execution.checkpointing.dir")
            .unwrap_or(CHECKPOINT_DIR)
    }

    /// How long a checkpoint may take (Flink's default).
    pub fn checkpoint_timeout(&self) -> Duration {
        self.duration("execution.checkpointing.timeout")
            .unwrap_or(Duration::from_secs(600))
    }

    /// How many checkpoints are kept. Flink keeps one; here an older one is there if the newest is damaged.
    pub fn checkpoints_retained(&self) -> usize {
        let kept = self.text("execution.checkpointing.num-retained");
        kept.and_then(|n| n.parse().ok()).unwrap_or(3)
    }

    /// The savepoint that the job begins with.
    pub fn restore_path(&self) -> Option<&str> {
        self.text("execution.state-recovery.path")
    }

    /// Whether state that fits no operator is given up.
    pub fn drops_state(&self) -> bool {
        self.is_true("execution.state-recovery.ignore-unclaimed-state", false)
    }

    /// The `s3.*` options.
    pub fn store_options(&self) -> BTreeMap<String, String> {
        let all = self.values.iter();
        all.filter(|(k, _)| k.starts_with("s3."))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }

    /// How a failed job is started again.
    pub fn restarts(&self) -> RestartStrategy {
        let number = |key: &str| self.text(key).and_then(|n| n.parse().ok());
        let or = RestartStrategy::default();
        let kind = self.text("restart-strategy.type").unwrap_or_default();
        match kind.to_lowercase().replace('-', "").as_str() {
            "none" | "off" | "disable" => RestartStrategy { attempts: 0, ..or },
            "fixeddelay" => {
                let delay = self.duration("restart-strategy.fixed-delay.delay");
                let delay = delay.unwrap_or(Duration::from_secs(1));
                RestartStrategy {
                    attempts: number("restart-strategy.fixed-delay.attempts").unwrap_or(1),
                    delay,
                    factor: 1.0,
                    max_delay: delay,
                }
            }
            _ => {
                let key = |name: &str| format!("restart-strategy.exponential-delay.{name}");
                let attempts = number(&key("attempts-before-reset-backoff"));
                let factor = self.text(&key("backoff-multiplier"));
                RestartStrategy {
                    attempts: attempts.unwrap_or(or.attempts),
                    delay: self.duration(&key("initial-backoff")).unwrap_or(or.delay),
                    factor: factor.and_then(|f| f.parse().ok()).unwrap_or(or.factor),
                    max_delay: self.duration(&key("max-backoff")).unwrap_or(or.max_delay),
                }
            }
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
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
