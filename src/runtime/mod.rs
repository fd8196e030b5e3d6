//! Runs a graph: tasks, channels, watermarks, barriers, shutdown; threaded in production, simulated in tests.

mod chain;
mod changes;
mod committing;
mod coordinator;
mod epochs;
mod inline;
mod instance;
mod opening;
mod recovery;
mod router;
mod simulated;
mod sink;
mod source;
#[allow(
    clippy::disallowed_methods,
    reason = "measures what instances do with their time; rows never see it"
)]
mod spent;
#[allow(
    clippy::disallowed_methods,
    reason = "measures when a checkpoint is due and how long it takes; rows never see it"
)]
mod threaded;
mod topology;
mod views;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;

use crate::checkpoint::{Checkpoints, Location, PartitionPosition};
use crate::connectors;
use crate::error::Result;
use crate::graph::{self, Graph, NodeId};
use crate::operators::Metrics;
use crate::state::StatePart;
use crate::time::TableTime;

pub use changes::Changes;
pub use coordinator::CheckpointMetrics;
pub use inline::Inline;
pub use recovery::{changes, views};
pub use simulated::{Attempt, Plan, Simulation, attempt, simulate};
pub use spent::{Spent, TaskTime};
pub use threaded::{Job, start};
pub use views::{EpochView, Views};

/// Makes the outside ends of a job.
pub trait Connect: Send + Sync {
    /// What a source node reads from.
    ///
    /// # Errors
    /// Where the table's options do not allow it.
    fn source(&self, source: &graph::Source) -> Result<Arc<dyn connectors::Source>>;

    /// What a sink node writes to.
    ///
    /// # Errors
    /// Where the table's options do not allow it.
    fn sink(&self, sink: &graph::Sink) -> Result<Arc<dyn connectors::Sink>>;
}

/// How a job runs.
#[derive(Debug, Clone)]
pub struct JobOptions {
    /// Rows a batch at most, as sources make them.
    pub batch_rows: usize,
    /// Sources end at their present end, whatever their tables say.
    pub bounded: bool,
    /// Windows that the ends of the inputs fall into stay open (a range of a stream that goes on).
    pub stays_open: bool,
    /// The job's name: two runs with the same name are the same job.
    pub name: String,
    /// `None`: no checkpoints are taken.
    pub checkpoints: Option<CheckpointOptions>,
}

/// What a job begins with.
#[derive(Debug, Clone, Default)]
pub enum RestoreFrom {
    /// Its last checkpoint, where it has one.
    #[default]
    Newest,
    /// Nothing, whatever checkpoints there are: they are given up.
    Nothing,
    /// A savepoint; where the job has gone on from it before, its own last checkpoint.
    Savepoint {
        /// Its folder.
        from: Location,
        /// The savepoint in any case: what the job did since then is given up.
        again: bool,
    },
}

/// A process that runs a job: it may start it several times, but not any more once another process has.
#[derive(Debug, Clone)]
pub struct Process {
    name: String,
    has_begun: Arc<AtomicBool>,
    /// Whoever looks sees by it that the job runs.
    lock: Arc<OnceLock<std::fs::File>>,
}

impl Process {
    /// A name that no other process has.
    pub fn new(unique: u64) -> Self {
        Self {
            name: format!("{}-{unique:016x}", std::process::id()),
            has_begun: Arc::default(),
            lock: Arc::default(),
        }
    }
}

impl CheckpointOptions {
    /// Fails where another process has taken over the job since this one began it.
    ///
    /// # Errors
    /// It has; or the store fails.
    pub async fn check_owner(&self) -> Result<()> {
        if !self
            .process
            .has_begun
            .load(std::sync::atomic::Ordering::Relaxed)
        {
            return Ok(());
        }
        self.checkpoints.check_owner(&self.process.name).await
    }
}

/// How checkpoints are taken, and which one a job begins with.
#[derive(Debug, Clone)]
pub struct CheckpointOptions {
    /// Where they are kept.
    pub checkpoints: Checkpoints,
    /// The options of the store, for savepoints elsewhere.
    pub store_options: BTreeMap<String, String>,
    /// From the beginning of one to that of the next.
    pub interval: Duration,
    /// How long one may take.
    pub timeout: Duration,
    /// How many are kept.
    pub retained: usize,
    /// What the job begins with.
    pub restore: RestoreFrom,
    /// State that fits no operator any more is given up; else it is an error.
    pub drop_state: bool,
    /// The process that runs the job.
    pub process: Process,
    /// Notified when somebody waits for the next one.
    pub wanted: Arc<Notify>,
}

/// A consistent state of a whole job between two elements.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Positions by source node.
    pub sources: BTreeMap<NodeId, Vec<PartitionPosition>>,
    /// State by operator node.
    pub operators: BTreeMap<NodeId, Vec<StatePart>>,
    /// How far event time had come, by operator node.
    pub watermarks: BTreeMap<NodeId, Option<i64>>,
}

impl Snapshot {
    /// The state of `node` that belongs to `instance` of `parallelism`.
    ///
    /// # Errors
    /// Where Arrow cannot take from a column.
    fn of_instance(
        &self,
        node: NodeId,
        instance: usize,
        parallelism: usize,
    ) -> Result<Vec<StatePart>> {
        let parts = self.operators.get(&node).map(Vec::as_slice);
        let mut mine = Vec::new();
        for part in parts.unwrap_or_default() {
            let part = part.of_instance(instance, parallelism)?;
            if part.rows.num_rows() > 0 {
                mine.push(part);
            }
        }
        Ok(mine)
    }
}

/// Counters of a job by node.
#[derive(Debug, Clone, Default)]
pub struct JobMetrics {
    /// Of operators.
    pub operators: BTreeMap<NodeId, Arc<Metrics>>,
    /// Of sources.
    pub sources: BTreeMap<NodeId, Arc<connectors::SourceMetrics>>,
    /// Where the partitions of sources that have a watermark stand.
    pub event_times: BTreeMap<NodeId, Arc<Mutex<TableTime>>>,
    /// What the tasks do with their time; nodes of one task share it.
    pub times: BTreeMap<NodeId, Arc<TaskTime>>,
    /// Rows given to sinks.
    pub sinks: BTreeMap<NodeId, Arc<std::sync::atomic::AtomicU64>>,
    /// Of checkpoints.
    pub checkpoints: Arc<CheckpointMetrics>,
    /// Its managed tables.
    pub views: Arc<Views>,
}

impl JobMetrics {
    /// All zero.
    pub fn of(graph: &Graph) -> Self {
        let mut metrics = Self::default();
        for (id, node) in graph.nodes.iter().enumerate() {
            match node.operation {
                graph::Operation::Source(_) => {
                    metrics.sources.insert(id, Arc::default());
                    metrics.event_times.insert(id, Arc::default());
                }
                graph::Operation::Sink(_) => {
                    metrics.sinks.insert(id, Arc::default());
                }
                _ => {
                    let counters = Metrics::of_instances(node.parallelism);
                    metrics.operators.insert(id, Arc::new(counters));
                }
            }
        }
        // Nodes that do not fit together are refused where the job starts.
        for task in topology::tasks(graph).unwrap_or_default() {
            let times = Arc::new(TaskTime::of_instances(task.parallelism));
            let nodes = task.nodes.into_iter();
            let shared = nodes.map(|node| (node, Arc::clone(&times)));
            metrics.times.extend(shared);
        }
        metrics
    }

    /// Rows dropped because they were late, over all operators.
    pub fn late_rows(&self) -> u64 {
        self.operators
            .values()
            .map(|m| m.late_rows.load(std::sync::atomic::Ordering::Relaxed))
            .sum()
    }
}

/// The positions of one source node as a restored reader takes them.
fn restored_positions(partitions: &[PartitionPosition]) -> HashMap<String, String> {
    partitions
        .iter()
        .map(|p| (p.partition.clone(), p.position.clone()))
        .collect()
}
