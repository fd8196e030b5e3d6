//! From a graph to its instances, opened: operators with their state, readers where they go on, writers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chain::Chain;
use super::epochs::InstanceId;
use super::instance::{Instance, Parts};
use super::router::Router;
use super::sink::SinkTail;
use super::source::{SourceHead, ValuesReader};
use super::topology::Task;
use super::{Connect, JobMetrics, JobOptions, Snapshot, restored_positions};
use crate::connectors::{
    JobContext, ReadRequest, Sink, SinkWriter, Source, SourceReader, WriteRequest,
};
use crate::error::{Error, Result};
use crate::graph::{Aside, Graph, NodeId, Operation};

/// What the instances of a job are opened with.
pub struct Opening<'a> {
    /// The job.
    pub graph: &'a Graph,
    /// Its tasks.
    pub tasks: &'a [Task],
    /// How it runs.
    pub options: &'a JobOptions,
    /// Its sources.
    pub sources: &'a BTreeMap<NodeId, Arc<dyn Source>>,
    /// Its sinks.
    pub sinks: &'a BTreeMap<NodeId, Arc<dyn Sink>>,
    /// The sinks whose rows become visible epoch by epoch.
    pub committing: &'a BTreeMap<NodeId, String>,
    /// This run, as its sinks see it.
    pub context: &'a Arc<JobContext>,
    /// What it goes on from.
    pub snapshot: Option<&'a Snapshot>,
    /// The epoch after which it goes on; `None` where there is no coordinator.
    pub epoch: Option<u64>,
    /// Its counters.
    pub metrics: &'a JobMetrics,
}

/// An instance and its ends.
pub struct Opened {
    /// The instance.
    pub instance: Instance,
    /// Of a source.
    pub reader: Option<Box<dyn SourceReader>>,
    /// Of a sink.
    pub writer: Option<Box<dyn SinkWriter>>,
    /// How many channels lead to it.
    pub channels: usize,
}

/// The sinks of a graph by node.
///
/// # Errors
/// Where a table's options do not allow it.
pub fn open_sinks(graph: &Graph, connect: &dyn Connect) -> Result<BTreeMap<NodeId, Arc<dyn Sink>>> {
    let mut sinks = BTreeMap::new();
    for (id, node) in graph.nodes.iter().enumerate() {
        if let Operation::Sink(sink) = &node.operation {
            sinks.insert(id, connect.sink(sink)?);
        }
    }
    Ok(sinks)
}

/// The sources of a graph by node.
///
/// # Errors
/// Where a table's options do not allow it.
pub fn open_sources(
    graph: &Graph,
    connect: &dyn Connect,
) -> Result<BTreeMap<NodeId, Arc<dyn Source>>> {
    let mut sources = BTreeMap::new();
    for (id, node) in graph.nodes.iter().enumerate() {
        if let Operation::Source(source) = &node.operation {
            sources.insert(id, connect.source(source)?);
        }
    }
    Ok(sources)
}

impl Opening<'_> {
    /// All instances; `now`: the clock in milliseconds.
    ///
    /// # Errors
    /// Sources and sinks that cannot be opened; state that does not fit.
    pub async fn instances(&self, now: i64) -> Result<BTreeMap<InstanceId, Opened>> {
        // Sinks first: a topic that one statement writes and another reads is there then.
        let mut ends = BTreeMap::new();
        for (t, task) in self.tasks.iter().enumerate() {
            for i in 0..task.parallelism {
                ends.insert((t, i), self.sink(task, i).await?);
            }
        }
        let mut instances = BTreeMap::new();
        for (id, end) in ends {
            let (t, i) = id;
            let task = &self.tasks[t];
            let (sink, writer) = end.unzip();
            let (source, reader) = self.source(task, i).await?.unzip();
            let mut operators =
                task.operators(self.graph, self.metrics, self.options.batch_rows)?;
            for (_, operator) in &mut operators {
                operator.be_instance(i, task.parallelism);
            }
            let stays_open = self.options.stays_open;
            let mut chain = Chain::new(
                i,
                operators,
                task,
                self.tasks,
                stays_open,
                self.graph,
                self.metrics,
            );
            chain.epoch = self.epoch.unwrap_or(0);
            if let Some(snapshot) = self.snapshot {
                let watermark = |node| snapshot.watermarks.get(&node).copied().flatten();
                chain.restore(
                    |node| snapshot.of_instance(node, i, task.parallelism),
                    watermark,
                )?;
            }
            let channels = task.channels(self.tasks);
            let parts = Parts {
                id,
                chain,
                router: Router::new(self.graph, self.tasks, t, i)?,
                source,
                sink,
                channels,
                is_coordinated: self.epoch.is_some(),
            };
            let opened = Opened {
                instance: Instance::new(parts, now),
                reader,
                writer,
                channels,
            };
            instances.insert(id, opened);
        }
        Ok(instances)
    }

    async fn sink(
        &self,
        task: &Task,
        instance: usize,
    ) -> Result<Option<((NodeId, SinkTail), Box<dyn SinkWriter>)>> {
        let Some(id) = task.sink(self.graph) else {
            return Ok(None);
        };
        let node = &self.graph.nodes[id];
        let (Operation::Sink(sink), Some(opened)) = (&node.operation, self.sinks.get(&id)) else {
            return Ok(None);
        };
        let request = WriteRequest {
            instance,
            schema: Arc::clone(&node.schema),
            key: sink.key.clone(),
            updating: node.changes.updating,
            job: Arc::clone(self.context),
        };
        let writer = opened.writer(request).await?;
        let rows = self.metrics.sinks.get(&id).cloned().unwrap_or_default();
        let tail = SinkTail::new(self.committing.contains_key(&id), sink, rows);
        Ok(Some(((id, tail), writer)))
    }

    async fn source(
        &self,
        task: &Task,
        instance: usize,
    ) -> Result<Option<((NodeId, SourceHead), Box<dyn SourceReader>)>> {
        let Some(id) = task.source(self.graph) else {
            return Ok(None);
        };
        let node = &self.graph.nodes[id];
        let restored = self.snapshot.and_then(|s| s.sources.get(&id));
        let restored = restored.map(Vec::as_slice).unwrap_or_default();
        let positions = restored_positions(restored);
        let counters = self.metrics.sources.get(&id).cloned().unwrap_or_default();
        let (reader, source): (Box<dyn SourceReader>, _) = match &node.operation {
            Operation::Source(source) => {
                let keeps_bad_rows = self.graph.fills(id, Aside::BadRows);
                let request = ReadRequest {
                    columns: source.columns.clone(),
                    schema: Arc::clone(&source.read_schema),
                    instance,
                    parallelism: node.parallelism,
                    restored: positions,
                    batch_rows: self.options.batch_rows,
                    bounded: self.options.bounded,
                    keep_bad_rows: keeps_bad_rows.then(|| source.table.name.clone()),
                    metrics: Arc::clone(&counters),
                };
                let opened = self.sources.get(&id);
                let opened = opened.ok_or_else(|| Error::internal("a source that is not open"))?;
                (opened.reader(request).await?, Some(source))
            }
            Operation::Values(rows) => {
                (Box::new(ValuesReader::new(rows.clone(), &positions)), None)
            }
            other => return Err(Error::internal(format!("{other:?} is no source"))),
        };
        let stays_open = self.options.stays_open;
        let time = self.metrics.event_times.get(&id).cloned();
        let mut head = SourceHead::new(source, &node.schema, restored, stays_open, counters);
        head.show_time(time.unwrap_or_default());
        Ok(Some(((id, head), reader)))
    }
}
