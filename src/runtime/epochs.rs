//! What instances and the coordinator tell each other: which barrier is to be sent, and who has seen it come through.

use std::collections::{BTreeMap, BTreeSet};

use super::topology::Task;
use crate::checkpoint::{JobState, OperatorSnapshot, PartitionPosition, SinkState, SourceState};
use crate::graph::{Graph, NodeId};
use crate::state::{KEY_GROUPS, KeptView, StatePart, TableSnapshot, instance_of};

/// A task instance: the task and its number.
pub type InstanceId = (usize, usize);

/// What an instance was like when the barrier had come through, or when it ended.
#[derive(Debug, Default)]
pub struct InstanceState {
    /// Its source and where the partitions of that stand.
    pub source: Option<(NodeId, Vec<PartitionPosition>)>,
    /// How far event time has come for its operators.
    pub watermark: Option<i64>,
    /// The state of its operators.
    pub operators: Vec<(NodeId, Vec<TableSnapshot>)>,
    /// Of one that has ended: what there is to say of the state of managed tables in every checkpoint after the first.
    pub after: Vec<(NodeId, Vec<StatePart>)>,
    /// The managed tables that its operators keep.
    pub views: Vec<(NodeId, KeptView)>,
    /// Its sink and what that has prepared.
    pub prepared: Option<(NodeId, String)>,
}

/// What an instance tells.
#[derive(Debug)]
pub enum Report {
    /// The barrier of this epoch has come through.
    Barrier(u64, InstanceId, Box<InstanceState>),
    /// It has ended.
    End(InstanceId, Box<InstanceState>),
}

/// What sources are told: to send this barrier, and whether nothing is to follow it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Order {
    /// The epoch that ends; 0: none yet.
    pub epoch: u64,
    /// Read no further.
    pub is_last: bool,
}

/// The checkpoint that is being taken, and what is known of instances that have ended.
#[derive(Debug)]
pub struct Epochs {
    ids: Vec<String>,
    titles: Vec<String>,
    /// The operators of each task, and its parallelism.
    tasks: Vec<(Vec<NodeId>, usize)>,
    instances: BTreeSet<InstanceId>,
    sources: BTreeSet<InstanceId>,
    /// The committer of each sink node that has one.
    committers: BTreeMap<NodeId, String>,
    /// Where the positions of each source node count, where that is known.
    places: BTreeMap<NodeId, String>,
    ended: BTreeMap<InstanceId, InstanceState>,
    /// What ended instances had prepared and no checkpoint holds yet.
    left: Vec<(NodeId, String)>,
    waiting: BTreeSet<InstanceId>,
    said: BTreeMap<InstanceId, InstanceState>,
}

impl Epochs {
    /// For a job none of whose instances has ended. `committers`: the identity of each sink node's; `places`: where the positions of
    /// each source node count.
    pub fn new(
        graph: &Graph,
        tasks: &[Task],
        committers: BTreeMap<NodeId, String>,
        places: BTreeMap<NodeId, String>,
    ) -> Self {
        let all = |t: usize| (0..tasks[t].parallelism).map(move |i| (t, i));
        Self {
            ids: graph.state_ids(),
            titles: graph.titles(),
            tasks: tasks
                .iter()
                .map(|t| (t.nodes.clone(), t.parallelism))
                .collect(),
            instances: (0..tasks.len()).flat_map(all).collect(),
            sources: (0..tasks.len())
                .filter(|t| tasks[*t].source(graph).is_some())
                .flat_map(all)
                .collect(),
            committers,
            places,
            ended: BTreeMap::new(),
            left: Vec::new(),
            waiting: BTreeSet::new(),
            said: BTreeMap::new(),
        }
    }

    /// Begins a checkpoint; false where no source is left that could send a barrier.
    pub fn begin(&mut self) -> bool {
        if self.sources.iter().all(|s| self.ended.contains_key(s)) {
            return false;
        }
        self.said.clear();
        let running = self.instances.iter();
        self.waiting = running
            .filter(|i| !self.ended.contains_key(i))
            .copied()
            .collect();
        true
    }

    /// The barrier has come through an instance.
    pub fn acknowledge(&mut self, instance: InstanceId, state: InstanceState) {
        if self.waiting.remove(&instance) {
            self.said.insert(instance, state);
        }
    }

    /// An instance has ended: its inputs have, and everything is written out.
    pub fn end(&mut self, instance: InstanceId, mut state: InstanceState) {
        self.waiting.remove(&instance);
        self.left.extend(state.prepared.take());
        self.ended.insert(instance, state);
    }

    /// Whether all that the checkpoint waits for has been said.
    pub fn is_complete(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether all instances have ended.
    pub fn is_finished(&self) -> bool {
        self.ended.len() == self.instances.len()
    }

    /// What the complete checkpoint holds, and the managed tables as they are in it; `time`: now, in milliseconds since the epoch.
    pub fn take(&mut self, time: i64) -> (JobState, BTreeMap<NodeId, Vec<KeptView>>) {
        // An instance that ended after the barrier counts as it was at the barrier.
        let finished = self.is_finished() && self.said.is_empty();
        let mut tables: BTreeMap<NodeId, Vec<KeptView>> = BTreeMap::new();
        let unheard = self
            .ended
            .iter()
            .filter(|(id, _)| !self.said.contains_key(id));
        for state in self.said.values().chain(unheard.map(|(_, state)| state)) {
            for (node, view) in &state.views {
                tables.entry(*node).or_default().push(view.clone());
            }
        }
        let mut kept: Vec<(NodeId, Option<i64>, Vec<TableSnapshot>)> = Vec::new();
        for (id, state) in &mut self.ended {
            if self.said.contains_key(id) {
                continue;
            }
            // Managed tables stay when whoever writes them has ended: first what changed last, then that nothing changed.
            if !state.operators.is_empty() {
                for (node, parts) in std::mem::take(&mut state.operators) {
                    kept.push((node, state.watermark, parts));
                }
            } else {
                for (node, parts) in &state.after {
                    let parts = parts.iter().cloned().map(TableSnapshot::from);
                    kept.push((*node, state.watermark, parts.collect()));
                }
            }
        }
        let ended: Vec<(InstanceId, &InstanceState)> = self
            .ended
            .iter()
            .filter(|(id, _)| !self.said.contains_key(id))
            .map(|(id, state)| (*id, state))
            .collect();
        let mut sources: BTreeMap<NodeId, Vec<PartitionPosition>> = BTreeMap::new();
        for state in ended.iter().map(|(_, s)| *s).chain(self.said.values()) {
            if let Some((node, partitions)) = &state.source {
                sources.entry(*node).or_default().extend(partitions.clone());
            }
        }
        let mut operators: BTreeMap<NodeId, OperatorSnapshot> = BTreeMap::new();
        let ended: Vec<InstanceId> = ended.into_iter().map(|(id, _)| id).collect();
        let mut prepared = std::mem::take(&mut self.left);
        let mut given = kept;
        let stay: BTreeSet<NodeId> = given.iter().map(|(node, ..)| *node).collect();
        for state in std::mem::take(&mut self.said).into_values() {
            let parts = state.operators.into_iter();
            given.extend(parts.map(|(node, parts)| (node, state.watermark, parts)));
            prepared.extend(state.prepared);
        }
        for (node, watermark, parts) in given {
            let operator = operators.entry(node).or_insert_with(|| OperatorSnapshot {
                watermark,
                ..OperatorSnapshot::default()
            });
            // No instance is told of a time to which it had not come; an unknown one comes first.
            operator.watermark = operator.watermark.min(watermark);
            operator.parts.extend(parts);
        }
        for (task, instance) in &ended {
            let (nodes, parallelism) = &self.tasks[*task];
            for node in nodes.iter().filter(|node| !stay.contains(node)) {
                if let Some(operator) = operators.get_mut(node) {
                    let mut groups = 0..KEY_GROUPS;
                    let is_own = |group: &u16| instance_of(*group, *parallelism) == *instance;
                    let own = groups.by_ref().filter(is_own).collect();
                    operator.ended = operator.ended.or(own);
                }
            }
        }
        let mut sinks: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (node, text) in prepared {
            if let Some(committer) = self.committers.get(&node) {
                sinks.entry(committer.clone()).or_default().push(text);
            }
        }
        let state = JobState {
            time,
            sources: sources
                .into_iter()
                .map(|(node, partitions)| SourceState {
                    id: self.ids[node].clone(),
                    place: self.places.get(&node).cloned(),
                    partitions,
                })
                .collect(),
            operators: operators
                .into_iter()
                .filter(|(_, o)| !o.parts.is_empty())
                .map(|(node, operator)| OperatorSnapshot {
                    id: self.ids[node].clone(),
                    title: self.titles[node].clone(),
                    ..operator
                })
                .collect(),
            sinks: sinks
                .into_iter()
                .map(|(committer, prepared)| SinkState {
                    committer,
                    prepared,
                })
                .collect(),
            finished,
        };
        (state, tables)
    }
}
