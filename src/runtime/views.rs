//! The managed tables of a job as they were at the end of its last committed epoch, for others to read while the job goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::Snapshot;
use crate::error::Result;
use crate::graph::{Graph, NodeId, Operation};
use crate::operators::{Metrics, operator};
use crate::state::KeptView;

/// The managed tables at the end of an epoch.
#[derive(Debug, Default)]
pub struct EpochView {
    /// The epoch.
    pub epoch: u64,
    /// By the node that keeps the table: the part of each instance.
    pub tables: BTreeMap<NodeId, Vec<KeptView>>,
}

/// The newest of them.
#[derive(Debug)]
pub struct Views {
    newest: watch::Sender<Option<Arc<EpochView>>>,
}

impl Default for Views {
    fn default() -> Self {
        Self {
            newest: watch::Sender::new(None),
        }
    }
}

impl Views {
    /// That of the last committed epoch; `None` before the first.
    pub fn newest(&self) -> Option<Arc<EpochView>> {
        self.newest.borrow().clone()
    }

    /// Hears of each new one. Who is slow misses some; changes are told apart by their epochs.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<EpochView>>> {
        self.newest.subscribe()
    }

    /// Shows another one.
    pub fn publish(&self, view: Arc<EpochView>) {
        self.newest.send_replace(Some(view));
    }
}

impl EpochView {
    /// The managed tables in a checkpoint.
    ///
    /// # Errors
    /// State that fits no table.
    pub fn restored(graph: &Graph, snapshot: &Snapshot, epoch: u64) -> Result<Self> {
        let mut tables = BTreeMap::new();
        for (id, node) in graph.nodes.iter().enumerate() {
            if let Operation::Keep(_) = node.operation {
                let metrics = Arc::new(Metrics::default());
                let schema = std::slice::from_ref(&node.schema);
                let keeper = operator(&node.operation, schema, &node.schema, &metrics, 1)?;
                let Some(mut keeper) = keeper else {
                    continue;
                };
                keeper.restore(snapshot.of_instance(id, 0, 1)?)?;
                tables.insert(id, keeper.end_epoch(epoch)?.into_iter().collect());
            }
        }
        Ok(Self { epoch, tables })
    }
}
