//! SET keys: which there are, what they mean here, and which are Flink's without effect in flowline.

mod flink;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

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

/// What a key takes.
#[derive(Debug, Clone, Copy)]
enum Takes {
    /// true or false.
    Bool,
    /// `10 s`, `500 ms`.
    Duration,
    /// Instances of an operator.
    Parallelism,
    /// A whole number, 0 too.
    Number,
    /// A whole number, not 0.
    Count,
    /// A number, 1 at least.
    Factor,
    /// Anything but nothing.
    Text,
    /// One of these, in any case.
    OneOf(&'static [&'static str]),
}

impl Takes {
    fn fits(self, value: &str) -> bool {
        match self {
            Self::Bool => Self::OneOf(&["true", "false"]).fits(value),
            Self::Duration => parse_duration(value).is_some(),
            Self::Parallelism => value
                .parse()
                .is_ok_and(|p: usize| (1..=usize::from(crate::state::KEY_GROUPS)).contains(&p)),
            Self::Number => value.parse::<u32>().is_ok(),
            Self::Count => value.parse().is_ok_and(|n: u64| n > 0),
            Self::Factor => value.parse().is_ok_and(|f: f64| f >= 1.0),
            Self::Text => !value.is_empty(),
            Self::OneOf(values) => values.iter().any(|v| v.eq_ignore_ascii_case(value)),
        }
    }

    /// Completes "it takes ...".
    fn expected(self) -> String {
        match self {
            Self::Bool => "true or false".into(),
            Self::Duration => "a duration such as '10 s', '500 ms' or '5 min'".into(),
            Self::Parallelism => format!("a number from 1 to {}", crate::state::KEY_GROUPS),
            Self::Number => "a whole number".into(),
            Self::Count => "a whole number above 0".into(),
            Self::Factor => "a number, 1 at least".into(),
            Self::Text => "some text".into(),
            Self::OneOf(values) => format!("one of {}", values.join(", ")),
        }
    }
}

/// The keys that have an effect: what each takes, and what it does.
const KNOWN: &[(&str, Takes, &str)] = &[
    (
        "parallelism.default",
        Takes::Parallelism,
        "number of instances of each operator",
    ),
    (
        "table.exec.resource.default-parallelism",
        Takes::Parallelism,
        "the same",
    ),
    (
        "execution.runtime-mode",
        Takes::OneOf(&["streaming", "batch", "automatic"]),
        "batch: bounded inputs give only the final rows, once",
    ),
    (
        "table.exec.source.idle-timeout",
        Takes::Duration,
        "a source partition without rows for so long no longer holds the watermark",
    ),
    (
        "table.exec.source.cdc-events-duplicate",
        Takes::Bool,
        "whether a changelog that is read may tell a change twice; its table needs a PRIMARY KEY then",
    ),
    (
        "table.exec.sink.not-null-enforcer",
        Takes::OneOf(&["ERROR", "DROP"]),
        "what happens to NULL in a NOT NULL column",
    ),
    (
        "table.local-time-zone",
        Takes::OneOf(&["UTC", "Z", "GMT", "Etc/UTC", "+00:00"]),
        "UTC is the one supported",
    ),
    (
        "table.exec.state.ttl",
        Takes::Duration,
        "state that was not written for so long is given up (0: never); counted in event time where the input has it",
    ),
    (
        "table.exec.mini-batch.enabled",
        Takes::Bool,
        "whether rows of an unbounded aggregation are aggregated together before results go on",
    ),
    (
        "table.exec.mini-batch.allow-latency",
        Takes::Duration,
        "for at most how long",
    ),
    (
        "table.exec.mini-batch.size",
        Takes::Count,
        "at most how many rows",
    ),
    (
        "table.exec.sink.require-on-conflict",
        Takes::Bool,
        "whether a query whose upsert key is not the sink's PRIMARY KEY must say ON CONFLICT",
    ),
    (
        "flowline.arithmetic.overflow",
        Takes::OneOf(&["wrap", "error"]),
        "what whole numbers do beyond their range: wrap around as in Flink, or fail",
    ),
    (
        "flowline.subscribe.from",
        Takes::Text,
        "a subscription goes on after this epoch",
    ),
    (
        "flowline.watermark.quiet-advance",
        Takes::Duration,
        "after so long without a row in any partition of a source its watermark moves with the clock",
    ),
    (
        "flowline.watermark.max-ahead",
        Takes::Duration,
        "a row dated further ahead of the clock does not move the watermark",
    ),
    (
        "pipeline.name",
        Takes::Text,
        "the job's name: two runs with the same name are the same job",
    ),
    (
        "execution.checkpointing.interval",
        Takes::Duration,
        "how often a checkpoint is taken; none is where it is not set",
    ),
    (
        "execution.checkpointing.dir",
        Takes::Text,
        "the folder or s3:// URL where checkpoints are kept",
    ),
    (
        "execution.checkpointing.timeout",
        Takes::Duration,
        "how long a checkpoint may take before the job fails",
    ),
    (
        "execution.checkpointing.num-retained",
        Takes::Count,
        "how many checkpoints are kept",
    ),
    (
        "execution.state-recovery.path",
        Takes::Text,
        "the savepoint that the job begins with",
    ),
    (
        "execution.state-recovery.ignore-unclaimed-state",
        Takes::Bool,
        "whether state that fits no operator of the SQL any more is given up",
    ),
    (
        "restart-strategy.type",
        Takes::OneOf(&[
            "none",
            "off",
            "disable",
            "fixed-delay",
            "fixeddelay",
            "exponential-delay",
            "exponentialdelay",
            "failure-rate",
            "failurerate",
        ]),
        "how a failed job with checkpoints is started again",
    ),
    (
        "restart-strategy.fixed-delay.attempts",
        Takes::Number,
        "how often at most, without a checkpoint in between",
    ),
    (
        "restart-strategy.fixed-delay.delay",
        Takes::Duration,
        "after how long",
    ),
    (
        "restart-strategy.failure-rate.max-failures-per-interval",
        Takes::Number,
        "how often at most, without a checkpoint in between",
    ),
    (
        "restart-strategy.failure-rate.delay",
        Takes::Duration,
        "after how long",
    ),
    (
        "restart-strategy.exponential-delay.initial-backoff",
        Takes::Duration,
        "after how long the first time",
    ),
    (
        "restart-strategy.exponential-delay.max-backoff",
        Takes::Duration,
        "after how long at most",
    ),
    (
        "restart-strategy.exponential-delay.backoff-multiplier",
        Takes::Factor,
        "by what the wait grows each time",
    ),
    (
        "restart-strategy.exponential-delay.attempts-before-reset-backoff",
        Takes::Number,
        "how often at most, without a checkpoint in between",
    ),
    ("s3.access-key", Takes::Text, "the key for s3:// URLs"),
    ("s3.secret-key", Takes::Text, "the secret for s3:// URLs"),
    (
        "s3.endpoint",
        Takes::Text,
        "the URL of a store that speaks S3",
    ),
    ("s3.endpoint.region", Takes::Text, "the region of the store"),
    (
        "s3.path-style-access",
        Takes::Bool,
        "whether the bucket stands in the path of URLs instead of the host",
    ),
];

/// Other names of flowline's own keys.
const ALIASES: &[(&str, &str)] = &[("s3.path.style.access", "s3.path-style-access")];

/// Where checkpoints are kept unless told otherwise.
pub const CHECKPOINT_DIR: &str = ".flowline/checkpoints";

/// Settings as they are at some place of the files. Those of statements (state TTL, mini-batches, enforcers, idle timeouts, ...)
/// hold for the statements after their SET; those of the job (parallelism, checkpoints, its name, ...) for all of it, the last
/// SET before it starts counts.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, String>,
    /// Given from outside: they go over what the files say.
    fixed: BTreeMap<String, String>,
}

impl Settings {
    /// Takes `key` = `value`; returns a note where it has no effect.
    ///
    /// # Errors
    /// An unknown key, or a value that the key does not take.
    pub fn set(&mut self, key: &str, value: &str) -> Result<Option<String>, SettingError> {
        let (key, note) = check(key, value)?;
        self.values.insert(key.to_string(), value.to_string());
        Ok(note)
    }

    /// The same from outside the files: SET and RESET in them do not change it.
    ///
    /// # Errors
    /// As [`Settings::set`].
    pub fn fix(&mut self, key: &str, value: &str) -> Result<Option<String>, SettingError> {
        let (key, note) = check(key, value)?;
        self.fixed.insert(key.to_string(), value.to_string());
        Ok(note)
    }

    /// Back to the default.
    ///
    /// # Errors
    /// An unknown key.
    pub fn reset(&mut self, key: &str) -> Result<(), SettingError> {
        let key = name(key);
        if KNOWN.iter().all(|(known, ..)| *known != key) && !flink::knows(key) {
            return Err(unknown(key));
        }
        self.values.remove(key);
        Ok(())
    }

    /// All back to their defaults.
    pub fn reset_all(&mut self) {
        self.values.clear();
    }

    /// What was set.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        let all: BTreeMap<_, _> = self.values.iter().chain(&self.fixed).collect();
        all.into_iter()
    }

    /// Whether a query is answered with its present rows and every change from then on.
    pub fn is_subscription(&self) -> bool {
        self.is("execution.runtime-mode", "streaming")
    }

    /// The epoch after which a subscription goes on.
    pub fn subscribe_from(&self) -> Option<&str> {
        self.text("flowline.subscribe.from")
    }

    /// Number of instances of each operator, where set.
    pub fn parallelism(&self) -> Option<usize> {
        let set = |k| self.text(k)?.parse().ok();
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

    /// A row that is further ahead of the clock does not move the watermark; `None`: all do.
    pub fn max_ahead(&self) -> Option<Duration> {
        self.duration("flowline.watermark.max-ahead")
    }

    /// When state that is not written is given up; `None`: never.
    pub fn state_ttl(&self) -> Option<Duration> {
        self.duration("table.exec.state.ttl")
    }

    /// How rows are aggregated together before results go on: at most so many rows, for at most so long.
    pub fn mini_batch(&self) -> Option<(u64, Duration)> {
        let size = self.text("table.exec.mini-batch.size");
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
        self.iter()
            .filter(|(k, _)| k.starts_with("s3."))
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
            "failurerate" => {
                let delay = self.duration("restart-strategy.failure-rate.delay");
                let delay = delay.unwrap_or(Duration::from_secs(1));
                let failures = number("restart-strategy.failure-rate.max-failures-per-interval");
                RestartStrategy {
                    attempts: failures.unwrap_or(1),
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
        let given = self.fixed.get(key).or_else(|| self.values.get(key));
        given.map(String::as_str)
    }

    fn is(&self, key: &str, value: &str) -> bool {
        self.text(key)
            .is_some_and(|v| v.eq_ignore_ascii_case(value))
    }

    fn is_true(&self, key: &str, default: bool) -> bool {
        self.text(key)
            .map_or(default, |v| v.eq_ignore_ascii_case("true"))
    }

    fn duration(&self, key: &str) -> Option<Duration> {
        parse_duration(self.text(key)?).filter(|d| !d.is_zero())
    }

    /// Whether NULL in a NOT NULL column of a sink leaves the row out instead of failing the job.
    pub fn drops_nulls(&self) -> bool {
        self.is("table.exec.sink.not-null-enforcer", "DROP")
    }

    /// Whether a changelog that is read may tell a change twice.
    pub fn cdc_duplicates(&self) -> bool {
        self.is_true("table.exec.source.cdc-events-duplicate", false)
    }

    /// Whether whole numbers beyond their range are an error; else they wrap around, as in Flink.
    pub fn overflow_is_error(&self) -> bool {
        self.is("flowline.arithmetic.overflow", "error")
    }

    /// Whether bounded inputs give only the final rows.
    pub fn is_batch(&self) -> bool {
        self.is("execution.runtime-mode", "batch")
    }
}

/// What a key is called now.
fn name(key: &str) -> &str {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == key);
    alias
        .map(|(_, name)| *name)
        .or_else(|| flink::current(key))
        .unwrap_or(key)
}

/// What a key is called now, and a note where it has no effect.
fn check<'k>(given: &'k str, value: &str) -> Result<(&'k str, Option<String>), SettingError> {
    let key = name(given);
    if let Some((_, takes, meaning)) = KNOWN.iter().find(|(known, ..)| *known == key) {
        return if takes.fits(value) {
            Ok((key, None))
        } else {
            Err(SettingError {
                message: format!("'{given}' does not take '{value}'"),
                help: Some(format!("it takes {}: {meaning}", takes.expected())),
            })
        };
    }
    if !flink::knows(key) {
        return Err(unknown(given));
    }
    let reason = flink::reason(key).unwrap_or("flowline has nothing like it");
    let note = format!("SET '{given}' has no effect in flowline: {reason}");
    Ok((key, Some(note)))
}

/// A key that nobody knows.
fn unknown(key: &str) -> SettingError {
    let own = KNOWN.iter().map(|(known, ..)| *known);
    let help = match closest(key, own.clone().chain(flink::names())) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!(
            "the keys with an effect are: {}",
            own.collect::<Vec<_>>().join(", ")
        ),
    };
    SettingError {
        message: format!("unknown setting '{key}'"),
        help: Some(help),
    }
}
