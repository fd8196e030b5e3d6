//! Which nodes of a graph run fused in one task, and the channels between tasks.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::graph::{Exchange, Graph, NodeId, Operation};

/// A run of nodes without an exchange in between; it has `parallelism` instances.
#[derive(Debug)]
pub struct Task {
    /// Source (if it is one), operators, sink (if it ends in one), in order.
    pub nodes: Vec<NodeId>,
    /// Number of instances.
    pub parallelism: usize,
    /// Whether its instances hear of different sources, and so are idle each for itself.
    pub is_idle_alone: bool,
    /// Edges into the first node, in order of its inputs.
    pub inputs: Vec<Edge>,
    /// Edges out of the last node.
    pub outputs: Vec<OutputEdge>,
}

/// An edge into a task.
#[derive(Debug)]
pub struct Edge {
    /// The task the rows come from.
    pub from: usize,
    /// How they are spread.
    pub exchange: Exchange,
    /// The first channel of this edge at each instance; it has one channel a sending instance (Forward: one).
    pub first_channel: usize,
}

/// An edge out of a task.
#[derive(Debug)]
pub struct OutputEdge {
    /// The task the rows go to.
    pub to: usize,
    /// The input of its first node.
    pub port: usize,
}

/// The tasks of a graph, each after those it reads from.
///
/// # Errors
/// Where instances of two nodes do not fit together (a bug of the planner).
pub fn tasks(graph: &Graph) -> Result<Vec<Task>> {
    let mut task_of: Vec<usize> = Vec::with_capacity(graph.nodes.len());
    let mut tasks: Vec<Task> = Vec::new();
    for (id, node) in graph.nodes.iter().enumerate() {
        if let [input] = node.inputs.as_slice()
            && input.exchange == Exchange::Forward
            && graph.nodes[input.from].parallelism == node.parallelism
            && graph.readers(input.from) == 1
        {
            let task = task_of[input.from];
            tasks[task].nodes.push(id);
            task_of.push(task);
            continue;
        }
        let mut inputs = Vec::new();
        let mut channels = 0;
        for input in &node.inputs {
            let from = task_of[input.from];
            // What several nodes of one task put beside their rows comes out of the task together.
            let is_known = |e: &Edge| e.from == from && e.exchange == input.exchange;
            if matches!(input.exchange, Exchange::Aside(_)) && inputs.iter().any(is_known) {
                continue;
            }
            let senders = tasks[from].parallelism;
            if input.exchange == Exchange::Forward && senders != node.parallelism {
                return Err(Error::internal(format!(
                    "forward from {senders} to {} instances",
                    node.parallelism
                )));
            }
            inputs.push(Edge {
                from,
                exchange: input.exchange.clone(),
                first_channel: channels,
            });
            let port = inputs.len() - 1;
            channels += if input.exchange == Exchange::Forward {
                1
            } else {
                senders
            };
            let to = tasks.len();
            tasks[from].outputs.push(OutputEdge { to, port });
        }
        let is_idle_alone = node.inputs.is_empty()
            || inputs
                .iter()
                .any(|e| e.exchange == Exchange::Forward && tasks[e.from].is_idle_alone);
        task_of.push(tasks.len());
        tasks.push(Task {
            nodes: vec![id],
            parallelism: node.parallelism,
            is_idle_alone,
            inputs,
            outputs: Vec::new(),
        });
    }
    Ok(tasks)
}

impl Task {
    /// Number of channels into each instance.
    pub fn channels(&self, tasks: &[Task]) -> usize {
        self.inputs.iter().map(|e| e.channels(tasks)).sum()
    }

    /// The input that each channel belongs to.
    pub fn ports(&self, tasks: &[Task]) -> Vec<usize> {
        self.inputs
            .iter()
            .enumerate()
            .flat_map(|(port, e)| std::iter::repeat_n(port, e.channels(tasks)))
            .collect()
    }

    /// For each channel, which others are idle only together with it (see [`crate::time::WatermarkMerge`]).
    pub fn idle_groups(&self, tasks: &[Task]) -> Vec<Option<usize>> {
        let group = |(edge, e): (usize, &Edge)| {
            let group = (!tasks[e.from].is_idle_alone).then_some(edge);
            std::iter::repeat_n(group, e.channels(tasks))
        };
        self.inputs.iter().enumerate().flat_map(group).collect()
    }

    /// The operators of one instance, with their nodes.
    ///
    /// # Errors
    /// Where an operator cannot be set up.
    pub fn operators(
        &self,
        graph: &Graph,
        metrics: &super::JobMetrics,
        batch_rows: usize,
    ) -> Result<Vec<(NodeId, Box<dyn crate::operators::Operator>)>> {
        let mut operators = Vec::new();
        for id in &self.nodes {
            let node = &graph.nodes[*id];
            let inputs: Vec<_> = node
                .inputs
                .iter()
                .map(|i| Arc::clone(&graph.nodes[i.from].schema))
                .collect();
            let counters = metrics.operators.get(id).cloned().unwrap_or_default();
            if let Some(operator) = crate::operators::operator(
                &node.operation,
                &inputs,
                &node.schema,
                &counters,
                batch_rows,
            )? {
                operators.push((*id, operator));
            }
        }
        Ok(operators)
    }

    /// The source or values node it begins with.
    pub fn source(&self, graph: &Graph) -> Option<NodeId> {
        let first = *self.nodes.first()?;
        matches!(
            graph.nodes[first].operation,
            Operation::Source(_) | Operation::Values(_)
        )
        .then_some(first)
    }

    /// The sink node it ends with.
    pub fn sink(&self, graph: &Graph) -> Option<NodeId> {
        let last = *self.nodes.last()?;
        matches!(graph.nodes[last].operation, Operation::Sink(_)).then_some(last)
    }
}

impl Edge {
    fn channels(&self, tasks: &[Task]) -> usize {
        if self.exchange == Exchange::Forward {
            1
        } else {
            tasks[self.from].parallelism
        }
    }

    /// The channel on which an instance hears instance `sender`.
    pub fn channel_from(&self, sender: usize) -> usize {
        if self.exchange == Exchange::Forward {
            self.first_channel
        } else {
            self.first_channel + sender
        }
    }
}
