//! What becomes of the state in a checkpoint when the SQL is not what it was.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::checkpoint::{Manifest, OperatorState, PartitionPosition, SourceState};
use crate::connectors::Source;
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId};

/// For each source and operator with state: whether its state is kept, starts empty, or is no longer needed.
#[derive(Debug, Default)]
pub struct Changes {
    /// The checkpoint.
    pub epoch: u64,
    /// State that is kept, as text.
    pub kept: Vec<String>,
    /// What starts without state.
    pub new: Vec<String>,
    /// State of statements and tables that are no longer there.
    pub gone: Vec<String>,
    /// State that fits no operator of a statement that is still there.
    pub lost: Vec<String>,
    /// Positions in other topics, or in another cluster, than a table has now.
    pub moved: Vec<String>,
    /// Positions that are kept, by the node of the source.
    positions: BTreeMap<NodeId, Vec<PartitionPosition>>,
    /// By the id of an operator of the checkpoint: the node that takes its state.
    nodes: HashMap<String, NodeId>,
}

impl Changes {
    /// Compares what a checkpoint holds with what a job is now. `places`: where the positions of each source count now.
    pub fn between(
        manifest: &Manifest,
        graph: &Graph,
        sources: &BTreeMap<NodeId, Arc<dyn Source>>,
        places: &BTreeMap<NodeId, String>,
    ) -> Self {
        let ids = graph.state_ids();
        let nodes: HashMap<&str, NodeId> = ids.iter().map(String::as_str).zip(0..).collect();
        let scopes: HashSet<&str> = graph.scopes.iter().map(String::as_str).collect();
        let known: HashSet<&str> = {
            let operators = manifest.operators.iter().map(|o| o.id.as_str());
            let sources = manifest.sources.iter().map(|s| s.id.as_str());
            operators.chain(sources).collect()
        };
        let mut changes = Self {
            epoch: manifest.epoch,
            ..Self::default()
        };
        for source in &manifest.sources {
            let name = source.id.strip_prefix("source/").unwrap_or(&source.id);
            let Some(node) = nodes.get(source.id.as_str()) else {
                changes.gone.push(format!("{name}: how far it was read"));
                continue;
            };
            let now = (sources.get(node), places.get(node));
            let (kept, moved) = compare(source, now.0.map(AsRef::as_ref), now.1);
            if !kept.is_empty() || moved.is_empty() {
                changes.kept.push(format!("{name}: how far it is read"));
            }
            let moved = moved.into_iter();
            changes
                .moved
                .extend(moved.map(|what| format!("{name}: how far it was read {what}")));
            changes.positions.insert(*node, kept);
        }
        for operator in &manifest.operators {
            let (scope, rest) = operator.id.rsplit_once('/').unwrap_or_default();
            let text = format!("{scope}: {}, {} bytes", operator.title, bytes(operator));
            if let Some(node) = nodes.get(operator.id.as_str()) {
                changes.nodes.insert(operator.id.clone(), *node);
                changes.kept.push(text);
            } else if !scopes.contains(scope) || rows(operator) == 0 {
                changes.gone.push(text);
            } else {
                let kind = rest.split('-').next().unwrap_or_default();
                let instead = (0..ids.len()).find(|n| {
                    graph.scopes[*n] == scope
                        && graph.nodes[*n].kind() == kind
                        && !known.contains(ids[*n].as_str())
                });
                let instead = instead.map_or("nothing of its kind".into(), |n| graph.title(n));
                changes.lost.push(format!("{text}; there is now {instead}"));
            }
        }
        for (node, id) in ids.iter().enumerate() {
            if known.contains(id.as_str()) || !graph.keeps_state(node) {
                continue;
            }
            let name = id.strip_prefix("source/");
            changes.new.push(match name {
                Some(table) => format!("{table}: read from where its options say"),
                None => format!(
                    "{}: {}, which sees only the rows that are read from here on",
                    graph.scopes[node],
                    graph.title(node)
                ),
            });
        }
        changes
    }

    /// Whether anything is not what it was.
    pub fn is_any(&self) -> bool {
        let all = [&self.new, &self.gone, &self.lost, &self.moved];
        all.iter().any(|what| !what.is_empty())
    }

    /// Positions that are kept, by the node of the source.
    pub fn positions(&self) -> &BTreeMap<NodeId, Vec<PartitionPosition>> {
        &self.positions
    }

    /// The node that takes the state of an operator of the checkpoint.
    pub fn node(&self, operator: &str) -> Option<NodeId> {
        self.nodes.get(operator).copied()
    }

    /// # Errors
    /// State would be lost, and that is not asked for.
    pub fn check(&self, drop_state: bool) -> Result<()> {
        if drop_state {
            return Ok(());
        }
        if !self.moved.is_empty() {
            return Err(Error::usage(format!(
                "checkpoint {} is of other topics than the job reads now:\n  {}",
                self.epoch,
                self.moved.join("\n  ")
            ))
            .with_help(
                "read what it read; or, if this is another job, give it a name of its own with --name NAME; or keep the state, discard \
                 these positions and read from where the options of the tables say, with --drop-state; or start from nothing with --fresh",
            ));
        }
        if self.lost.is_empty() {
            return Ok(());
        }
        Err(Error::usage(format!(
            "checkpoint {} has state that fits no operator of the SQL as it is now:\n  {}",
            self.epoch,
            self.lost.join("\n  ")
        ))
        .with_help(
            "run the SQL as it was; or discard this state and keep the rest with --drop-state; or start from nothing with --fresh",
        ))
    }
}

/// The positions of a source that say something now, and the others as text.
fn compare(
    source: &SourceState,
    now: Option<&dyn Source>,
    place: Option<&String>,
) -> (Vec<PartitionPosition>, Vec<String>) {
    let mut kept = Vec::new();
    let mut moved = BTreeSet::new();
    for position in &source.partitions {
        let before = source.place.as_ref();
        let elsewhere = before.filter(|before| place.is_some_and(|now| now != *before));
        let reads = now.map_or(Ok(()), |now| now.reads(&position.partition));
        match (elsewhere, place, reads) {
            (Some(before), Some(now), reads) => {
                let topic = position.partition.rsplit_once('-').map_or("", |(t, _)| t);
                let instead = reads
                    .err()
                    .map_or(String::new(), |what| format!("{what} in "));
                moved.insert(format!(
                    "in topic '{topic}' in {before}; it is now {instead}{now}"
                ));
            }
            (_, _, Err(instead)) => {
                let topic = position.partition.rsplit_once('-').map_or("", |(t, _)| t);
                moved.insert(format!("in topic '{topic}'; it is now {instead}"));
            }
            _ => kept.push(position.clone()),
        }
    }
    (kept, moved.into_iter().collect())
}

fn rows(operator: &OperatorState) -> u64 {
    operator.tables.values().flatten().map(|f| f.rows).sum()
}

fn bytes(operator: &OperatorState) -> u64 {
    operator.tables.values().flatten().map(|f| f.bytes).sum()
}
