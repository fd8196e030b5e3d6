//! Runs a graph: tasks, channels, watermarks, barriers, shutdown; threaded in production, simulated in tests.

mod chain;
mod router;
mod simulated;
mod sink;
mod source;
mod threaded;
mod topology;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::connectors;
use crate::error::Result;
use crate::graph::{self, Graph, NodeId};
use crate::operators::Metrics;
use crate::state::StatePart;

pub use simulated::{Simulation, simulate};
pub use threaded::{Job, start};

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
    /// What to do with NULL in a NOT NULL column of a sink (`table.exec.sink.not-null-enforcer`).
    pub drop_nulls: bool,
    /// Sources end at their present end, whatever their tables say.
    pub bounded: bool,
}

/// Where a partition of a source stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionSnapshot {
    /// The partition.
    pub partition: String,
    /// The connector's position behind the last row.
    pub position: String,
    /// Its watermark, in milliseconds.
    pub watermark: Option<i64>,
}

/// A consistent state of a whole job between two elements.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Positions by source node.
    pub sources: BTreeMap<NodeId, Vec<PartitionSnapshot>>,
    /// State by operator node.
    pub operators: BTreeMap<NodeId, Vec<StatePart>>,
}

/// Counters of a job by node.
#[derive(Debug, Clone, Default)]
pub struct JobMetrics {
    /// Of operators.
    pub operators: BTreeMap<NodeId, Arc<Metrics>>,
    /// Of sources.
    pub sources: BTreeMap<NodeId, Arc<connectors::SourceMetrics>>,
    /// Rows given to sinks.
    pub sinks: BTreeMap<NodeId, Arc<std::sync::atomic::AtomicU64>>,
}

impl JobMetrics {
    fn of(graph: &Graph) -> Self {
        let mut metrics = Self::default();
        for (id, node) in graph.nodes.iter().enumerate() {
            match node.operation {
                graph::Operation::Source(_) => {
                    metrics.sources.insert(id, Arc::default());
                }
                graph::Operation::Sink(_) => {
                    metrics.sinks.insert(id, Arc::default());
                }
                _ => {
                    metrics.operators.insert(id, Arc::default());
                }
            }
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
fn restored_positions(partitions: &[PartitionSnapshot]) -> HashMap<String, String> {
    partitions
        .iter()
        .map(|p| (p.partition.clone(), p.position.clone()))
        .collect()
}
