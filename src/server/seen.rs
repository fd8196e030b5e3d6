//! What a job is doing, read from its counters: for system tables, the metrics page and `flowline why`.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use super::pipeline::Planned;
use crate::connectors::{Offsets, SourceMetrics};
use crate::graph::{NodeId, Operation};
use crate::runtime::Spent;
use crate::time::PartitionTime;

/// A step of a job. Numbers count from its last start.
pub struct Operator {
    /// Its node.
    pub id: NodeId,
    /// The table that its statement writes, or that it reads.
    pub statement: String,
    /// What it is, as Flink's plans call it.
    pub kind: &'static str,
    /// How many instances it has.
    pub parallelism: usize,
    /// Rows taken; `None` where it reads a table.
    pub rows_in: Option<u64>,
    /// Rows emitted; `None` where it writes or keeps a table.
    pub rows_out: Option<u64>,
    /// Rows left out because they were late.
    pub late_rows: u64,
    /// What its task does with its time.
    pub spent: Spent,
    /// How far event time has come there.
    pub watermark: Option<i64>,
}

/// A table that a job reads.
pub struct Source {
    /// Its node.
    pub id: NodeId,
    /// The table.
    pub table: String,
    /// Whether it has a watermark.
    pub has_time: bool,
    /// Its counters.
    pub metrics: Arc<SourceMetrics>,
    /// How far its event time has come.
    pub watermark: Option<i64>,
    /// Where its partitions stand that have not ended, where it has a watermark.
    pub partitions: Vec<Partition>,
    /// How far the partitions of its topics have been read, where it is of Kafka.
    pub offsets: Vec<Offsets>,
}

/// A partition of a table that is read.
pub struct Partition {
    /// Its name.
    pub name: Arc<str>,
    /// Where it stands.
    pub time: PartitionTime,
    /// Since when others have been waiting for it; `None`: they do not.
    pub held_since: Option<i64>,
}

/// A table that a job writes.
pub struct Sink {
    /// Its node.
    pub id: NodeId,
    /// The table.
    pub table: String,
    /// Its connector; `None` where the server keeps it.
    pub connector: Option<String>,
    /// Rows written.
    pub rows: u64,
    /// What its task does with its time.
    pub spent: Spent,
}

impl Planned {
    /// Its steps as they are now.
    pub fn operators(&self) -> Vec<Operator> {
        let nodes = self.graph.nodes.iter().enumerate();
        nodes
            .map(|(id, node)| {
                let metrics = self.metrics.operators.get(&id);
                let rows_in = metrics.map(|m| m.rows_in.load(Relaxed));
                let rows_out = metrics.map(|m| m.rows_out.load(Relaxed));
                let (rows_in, rows_out) = match node.operation {
                    Operation::Source(_) => {
                        let source = self.metrics.sources.get(&id);
                        (None, source.map(|s| s.rows.load(Relaxed)))
                    }
                    Operation::Values(_) => (None, None),
                    Operation::Sink(_) => (self.written(id), None),
                    Operation::Keep(_) => (rows_in, None),
                    _ => (rows_in, rows_out),
                };
                let watermark = match node.operation {
                    Operation::Source(_) => self.source_watermark(id),
                    _ => metrics.and_then(|m| m.watermark()),
                };
                Operator {
                    id,
                    statement: self.graph.scopes.get(id).cloned().unwrap_or_default(),
                    kind: node.kind(),
                    parallelism: node.parallelism,
                    rows_in,
                    rows_out,
                    late_rows: metrics.map_or(0, |m| m.late_rows.load(Relaxed)),
                    spent: self.spent(id),
                    watermark,
                }
            })
            .collect()
    }

    /// The tables that it reads, as they are now.
    pub fn sources(&self) -> Vec<Source> {
        let mut all = Vec::new();
        for (id, metrics) in &self.metrics.sources {
            let Operation::Source(source) = &self.graph.nodes[*id].operation else {
                continue;
            };
            let offsets = metrics.offsets.lock();
            let offsets = offsets.unwrap_or_else(PoisonError::into_inner);
            let offsets = offsets.values().cloned().collect();
            all.push(Source {
                id: *id,
                table: source.table.name.clone(),
                has_time: source.watermark.is_some(),
                metrics: Arc::clone(metrics),
                watermark: self.source_watermark(*id),
                partitions: self.partitions(*id),
                offsets,
            });
        }
        all
    }

    /// The tables that it writes, as they are now.
    pub fn sinks(&self) -> Vec<Sink> {
        let nodes = self.graph.nodes.iter().enumerate();
        // What the server keeps is written by a sink too.
        let written = nodes.filter_map(|(id, node)| match &node.operation {
            Operation::Sink(sink) => Some(Sink {
                id,
                table: sink.name.clone(),
                connector: sink.table.connector().map(str::to_string),
                rows: self.written(id).unwrap_or(0),
                spent: self.spent(id),
            }),
            _ => None,
        });
        written.collect()
    }

    /// The rows that a sink has written; `None` where the node is none.
    fn written(&self, id: NodeId) -> Option<u64> {
        let rows = self.metrics.sinks.get(&id)?;
        Some(rows.load(Relaxed))
    }

    /// What the task of a node does with its time.
    pub fn spent(&self, id: NodeId) -> Spent {
        let time = self.metrics.times.get(&id);
        time.map(|time| time.spent()).unwrap_or_default()
    }

    fn partitions(&self, id: NodeId) -> Vec<Partition> {
        let Some(times) = self.metrics.event_times.get(&id) else {
            return Vec::new();
        };
        let times = times.lock().unwrap_or_else(PoisonError::into_inner);
        let all = times.iter().map(|(name, time)| Partition {
            name: Arc::clone(name),
            time: *time,
            held_since: times.held_since(time),
        });
        all.collect()
    }

    /// How far the event time of a table that is read has come; where all its partitions have ended, how far it came.
    fn source_watermark(&self, id: NodeId) -> Option<i64> {
        let times = self.metrics.event_times.get(&id)?;
        let times = times.lock().unwrap_or_else(PoisonError::into_inner);
        if times.iter().next().is_some() {
            return times.watermark();
        }
        let furthest = self.metrics.sources.get(&id)?.watermark.load(Relaxed);
        Some(furthest).filter(|time| *time != 0 && *time < i64::MAX)
    }
}
