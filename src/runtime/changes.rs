//! What becomes of the state in a checkpoint when the SQL is not what it was.

use std::collections::{HashMap, HashSet};

use crate::checkpoint::{Manifest, OperatorState};
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
    /// By the id of an operator of the checkpoint: the node that takes its state.
    nodes: HashMap<String, NodeId>,
}

impl Changes {
    /// Compares what a checkpoint holds with what a job is now.
    pub fn between(manifest: &Manifest, graph: &Graph) -> Self {
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
            if nodes.contains_key(source.id.as_str()) {
                changes.kept.push(format!("{name}: how far it is read"));
            } else {
                changes.gone.push(format!("{name}: how far it was read"));
            }
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
        !(self.new.is_empty() && self.gone.is_empty() && self.lost.is_empty())
    }

    /// The node that takes the state of an operator of the checkpoint.
    pub fn node(&self, operator: &str) -> Option<NodeId> {
        self.nodes.get(operator).copied()
    }

    /// # Errors
    /// State would be lost, and that is not asked for.
    pub fn check(&self, drop_state: bool) -> Result<()> {
        if self.lost.is_empty() || drop_state {
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

fn rows(operator: &OperatorState) -> u64 {
    operator.tables.values().flatten().map(|f| f.rows).sum()
}

fn bytes(operator: &OperatorState) -> u64 {
    operator.tables.values().flatten().map(|f| f.bytes).sum()
}
