//! The SET keys that Flink knows: what older ones are called now, and why most of them change nothing here.

/// Every key that Flink declares, one a line, an old spelling with what it is now. Written by `tests/flink_keys.py`.
const KEYS: &str = include_str!("flink_keys.txt");

/// Keys of maps: what follows is a name that somebody chose.
const MAPS: &[&str] = &[
    "containerized.",
    "events.reporter.",
    "external-resource.",
    "flink.hadoop.",
    "flink.yarn.",
    "fs.",
    "metrics.reporter.",
    "presto.s3.",
    "s3.assumed.",
    "s3.entropy.",
    "s3.upload.",
    "table.catalog-store.",
    "traces.reporter.",
];

/// Why keys change nothing here, by what they begin with; the longest beginning counts.
const REASONS: &[(&str, &str)] = &[
    ("akka.", CLUSTER),
    ("application-result-store.", CLUSTER),
    ("blob.", CLUSTER),
    ("classloader.", JAVA),
    ("cleanup-strategy", CLUSTER),
    ("client.", CLUSTER),
    ("cluster.", CLUSTER),
    ("compiler.", OPTIMIZER),
    ("completed-application-store.", CLUSTER),
    ("containerized.", CLUSTER),
    ("dstl.", CHANGELOG),
    ("env.", JAVA),
    (
        "events.",
        "events are told on stderr; FLOWLINE_LOG says how much",
    ),
    ("execution.", CLUSTER),
    ("execution.async-state.", STATE),
    ("execution.batch", SHUFFLE),
    (
        "execution.buffer-timeout",
        "rows go on batch by batch; --batch-rows says how many at most",
    ),
    (
        "execution.checkpointing.",
        "checkpoints are aligned, incremental and taken one at a time, by flowline's own means",
    ),
    (
        "execution.checkpointing.externalized-checkpoint-retention",
        "checkpoints stay when a job ends",
    ),
    (
        "execution.checkpointing.incremental",
        "checkpoints always hold only what has changed",
    ),
    (
        "execution.checkpointing.max-concurrent-checkpoints",
        "one checkpoint is taken at a time",
    ),
    (
        "execution.checkpointing.min-pause",
        "one checkpoint is taken at a time",
    ),
    (
        "execution.checkpointing.mode",
        "barriers are always aligned; each sink says what it guarantees",
    ),
    (
        "execution.checkpointing.savepoint-dir",
        "savepoints are kept beside the checkpoints unless 'flowline stop --savepoint' says otherwise",
    ),
    (
        "execution.checkpointing.storage",
        "checkpoints are kept in 'execution.checkpointing.dir'",
    ),
    (
        "execution.checkpointing.tolerable-failed-checkpoints",
        "storing a checkpoint is tried again until its timeout",
    ),
    (
        "execution.checkpointing.unaligned",
        "barriers are always aligned",
    ),
    ("execution.sort", SHUFFLE),
    (
        "execution.state-recovery.",
        "a savepoint is only read, never owned or changed",
    ),
    ("execution.target", "there is no cluster to choose"),
    ("external-resource", CLUSTER),
    ("flink.", CLUSTER),
    ("fs.", STORES),
    ("heartbeat.", CLUSTER),
    ("high-availability", CLUSTER),
    ("historyserver.", WEB),
    ("io.tmp.dirs", "nothing is spilled to the disk"),
    ("jmx.", JAVA),
    ("job", CLUSTER),
    ("kubernetes.", CLUSTER),
    ("library-cache-manager.", JAVA),
    ("local.", CLUSTER),
    ("materialized-table.", "there are no materialized tables"),
    ("metrics.", METRICS),
    ("minicluster.", CLUSTER),
    ("parallelism.", CLUSTER),
    ("pekko.", CLUSTER),
    ("pipeline.", JAVA),
    (
        "pipeline.auto-watermark-interval",
        "the watermark moves after every row",
    ),
    ("pipeline.cep.", "MATCH_RECOGNIZE is not there"),
    (
        "pipeline.max-parallelism",
        "state is always kept in 128 key groups, so a job runs at parallelism 128 at most",
    ),
    (
        "pipeline.operator-chaining",
        "operators are always fused where they can be",
    ),
    (
        "pipeline.sources.",
        "a checkpoint is taken before the first row anyway",
    ),
    (
        "pipeline.vertex-",
        "operators are named as EXPLAIN shows them",
    ),
    (
        "pipeline.watermark-alignment.",
        "partitions are read as they come; only memory bounds how far one runs ahead",
    ),
    ("plugin.", JAVA),
    ("presto.", STORES),
    ("process.", CLUSTER),
    ("python.", "there is no Python in the process"),
    ("query", "state is not queryable from outside"),
    ("recovery.", CLUSTER),
    ("resourcemanager.", CLUSTER),
    ("rest", WEB),
    (
        "restart-strategy.",
        "restarts are counted from checkpoint to checkpoint",
    ),
    (
        "restart-strategy.exponential-delay.jitter-factor",
        "restarts of one job need no jitter",
    ),
    (
        "restart-strategy.exponential-delay.reset-backoff-threshold",
        "a completed checkpoint resets the wait",
    ),
    ("s3.", STORES),
    ("savepoints.", "savepoints are kept beside the checkpoints"),
    ("scheduler-mode", CLUSTER),
    (
        "security.",
        "there is no cluster to secure; a table's options say how its brokers are reached",
    ),
    ("shuffle-service-factory.", SHUFFLE),
    ("slot", CLUSTER),
    ("slow-task-detector.", CLUSTER),
    ("sql-client.", "it is about Flink's own client"),
    ("sql-gateway.", "it is about Flink's own gateway"),
    ("state.", STATE),
    ("state.backend.changelog.", CHANGELOG),
    ("state.changelog.", CHANGELOG),
    ("table.", OPTIMIZER),
    ("table.exec.", "operators are flowline's own"),
    (
        "table.builtin-",
        "the catalog and the database have Flink's default names",
    ),
    (
        "table.catalog-",
        "tables are declared by the files of a run",
    ),
    (
        "table.column-expansion-strategy",
        "a star stands for every column",
    ),
    ("table.display.", "columns are shown as wide as they are"),
    ("table.dml-sync", "flowline run always waits for its jobs"),
    ("table.dynamic-table-options.", "OPTIONS hints always count"),
    (
        "table.exec.async-",
        "nothing is looked up outside the process",
    ),
    ("table.exec.async-state.", STATE),
    (
        "table.exec.deduplicate.",
        "what changes is told in full, and only where it does",
    ),
    (
        "table.exec.interval-join.",
        "state of an interval join is freed as the watermark moves",
    ),
    (
        "table.exec.legacy-cast-behaviour",
        "a CAST that fails is always an error; TRY_CAST gives NULL",
    ),
    ("table.exec.rank.", "a Top-N keeps its rows in memory"),
    ("table.exec.resource.", SHUFFLE),
    (
        "table.exec.sink.keyed-shuffle",
        "rows of one key always go through one writer",
    ),
    (
        "table.exec.sink.nested-constraint-enforcer",
        "constraints inside ROW, ARRAY and MAP are not looked at",
    ),
    (
        "table.exec.sink.rowtime-inserter",
        "the timestamp of a record is what a METADATA column says",
    ),
    (
        "table.exec.sink.type-length-enforcer",
        "an INSERT brings values to the length of their column as a CAST does, as in Flink",
    ),
    (
        "table.exec.sink.upsert-materialize",
        "rows of one key always reach the sink in order",
    ),
    ("table.exec.sort.", SHUFFLE),
    ("table.exec.spill-compression.", SHUFFLE),
    (
        "table.exec.uid.",
        "state finds its operator by the statement and what it computes",
    ),
    ("table.generated-code.", JAVA),
    (
        "table.legacy-nested-row-nullability",
        "a ROW that may be NULL stays one",
    ),
    (
        "table.plan.",
        "plans are not compiled to files; state outlives changes of the SQL",
    ),
    ("table.resources.", JAVA),
    ("table.rtas-ctas.", "there is no CREATE TABLE AS"),
    (
        "table.secret-store.",
        "secrets come from the environment or a settings file",
    ),
    (
        "table.sql-dialect",
        "the dialect is always Flink's default one",
    ),
    ("task", "there is no task manager"),
    ("timerservice.", CLUSTER),
    ("traces.", METRICS),
    ("user.", JAVA),
    ("web.", WEB),
    ("yarn.", CLUSTER),
    ("zookeeper.", CLUSTER),
];

const CHANGELOG: &str =
    "checkpoints hold what has changed since the last one, there is no second log";
const CLUSTER: &str = "a job is one process, there is no cluster";
const JAVA: &str = "there is no Java in the process";
const METRICS: &str = "counters are told when a job ends, nothing is reported to other systems";
const OPTIMIZER: &str = "the optimizer is flowline's own";
const SHUFFLE: &str = "rows go from one operator to the next in memory, nothing is spilled";
const STATE: &str = "state is kept in memory and in checkpoints";
const STORES: &str = "checkpoints in S3 are set up by 's3.access-key', 's3.secret-key', 's3.endpoint', 's3.endpoint.region' and 's3.path-style-access'";
const WEB: &str = "there is no web server";

/// Every key with what it is called now.
fn keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    KEYS.lines()
        .map(|line| line.split_once(" -> ").unwrap_or((line, line)))
}

/// The names of all keys, old ones included.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    keys().map(|(key, _)| key)
}

/// What a key of Flink's is called now; `None`: it is none.
pub(super) fn current(key: &str) -> Option<&'static str> {
    keys().find(|(known, _)| *known == key).map(|(_, now)| now)
}

/// Whether a key is one of Flink's: declared, or of one of its maps.
pub(super) fn knows(key: &str) -> bool {
    current(key).is_some()
        || MAPS
            .iter()
            .any(|map| key.len() > map.len() && key.starts_with(map))
}

/// Why a key of Flink's changes nothing here.
pub(super) fn reason(key: &str) -> Option<&'static str> {
    REASONS
        .iter()
        .filter(|(beginning, _)| key.starts_with(beginning))
        .max_by_key(|(beginning, _)| beginning.len())
        .map(|(_, reason)| *reason)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::settings::{KNOWN, Settings};

    #[test]
    fn every_key_is_read_or_has_a_reason() {
        for (old, key) in keys() {
            let is_read = KNOWN.iter().any(|(k, ..)| *k == key);
            assert!(is_read || reason(key).is_some(), "{key}");
            if !is_read {
                let note = Settings::default().set(old, "1").unwrap().unwrap();
                assert!(note.contains(old) && note.contains("no effect"), "{note}");
            }
        }
    }

    #[test]
    fn every_reason_is_wanted() {
        for (beginning, _) in REASONS {
            let is_map = |map: &&str| map.starts_with(beginning);
            assert!(
                names().any(|key| key.starts_with(beginning)) || MAPS.iter().any(is_map),
                "{beginning}"
            );
        }
    }

    #[test]
    fn every_key_read_is_flinks_or_our_own() {
        for (key, ..) in KNOWN {
            assert!(
                knows(key) || key.starts_with("flowline.") || key.starts_with("s3."),
                "{key}"
            );
        }
    }
}
