//! Which instances of the next tasks an element goes to.

use arrow::array::UInt32Array;

use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::{Aside, Exchange, Graph};
use crate::operators::Element;
use crate::runtime::topology::Task;
use crate::state::{KeyHasher, instance_of};

/// Where an element goes: task, instance, channel.
pub type Address = (usize, usize, usize);

/// Spreads what one task instance emits.
pub struct Router {
    routes: Vec<Route>,
}

struct Route {
    targets: Vec<Address>,
    /// The rows it is there for, where those are not the stream's.
    aside: Option<Aside>,
    hash: Option<(Vec<usize>, KeyHasher)>,
}

impl Router {
    /// For instance `instance` of task `task`.
    ///
    /// # Errors
    /// Where a key type cannot be hashed.
    pub fn new(graph: &Graph, tasks: &[Task], task: usize, instance: usize) -> Result<Self> {
        let mut routes = Vec::new();
        for output in &tasks[task].outputs {
            let consumer = &tasks[output.to];
            let edge = &consumer.inputs[output.port];
            let channel = edge.channel_from(instance);
            let target = |i: usize| (output.to, i, channel);
            let mut aside = None;
            let (targets, hash) = match &edge.exchange {
                Exchange::Forward => (vec![target(instance)], None),
                // Rows go to the first; that there are no more of them the others must hear too.
                Exchange::Gather => ((0..consumer.parallelism).map(target).collect(), None),
                Exchange::Aside(table) => {
                    aside = Some(*table);
                    ((0..consumer.parallelism).map(target).collect(), None)
                }
                Exchange::Hash(columns) => {
                    let last = tasks[task].nodes.last().copied().unwrap_or(0);
                    let schema = &graph.nodes[last].schema;
                    let hasher = KeyHasher::new(
                        columns.iter().map(|c| schema.field(*c).data_type().clone()),
                    )?;
                    (
                        (0..consumer.parallelism).map(target).collect(),
                        Some((columns.clone(), hasher)),
                    )
                }
            };
            routes.push(Route {
                targets,
                aside,
                hash,
            });
        }
        Ok(Self { routes })
    }

    /// Everywhere that something may go to.
    pub fn addresses(&self) -> impl Iterator<Item = Address> {
        self.routes.iter().flat_map(|r| r.targets.iter().copied())
    }

    /// Calls `send` with every address an element goes to and what goes there.
    ///
    /// # Errors
    /// Where a key cannot be hashed.
    pub fn route(&self, element: &Element, mut send: impl FnMut(Address, Element)) -> Result<()> {
        for route in &self.routes {
            let rows = match element {
                Element::Batch(_) => Some(None),
                Element::Aside(table, _) => Some(Some(*table)),
                Element::Watermark(_) | Element::Barrier(_) | Element::End => None,
            };
            if rows.is_some_and(|of| of != route.aside) {
                continue;
            }
            match (element, &route.hash) {
                (Element::Aside(_, rows), _) => {
                    let rows = Element::Batch(Batch::append(rows.clone()));
                    route
                        .targets
                        .iter()
                        .take(1)
                        .for_each(|t| send(*t, rows.clone()));
                }
                (Element::Batch(batch), Some((columns, hasher))) if route.targets.len() > 1 => {
                    for (target, part) in split(batch, columns, hasher, &route.targets)? {
                        send(target, Element::Batch(part));
                    }
                }
                (Element::Batch(_), _) => route
                    .targets
                    .iter()
                    .take(1)
                    .for_each(|t| send(*t, element.clone())),
                (other, _) => route.targets.iter().for_each(|t| send(*t, other.clone())),
            }
        }
        Ok(())
    }
}

/// The rows of a batch by the instance that owns their key.
fn split(
    batch: &Batch,
    columns: &[usize],
    hasher: &KeyHasher,
    targets: &[Address],
) -> Result<Vec<(Address, Batch)>> {
    let keys: Vec<_> = columns
        .iter()
        .map(|c| batch.rows.column(*c).clone())
        .collect();
    let groups = hasher.key_groups(&keys, batch.num_rows())?;
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); targets.len()];
    for (row, group) in (0u32..).zip(groups.values()) {
        rows[instance_of(*group, targets.len())].push(row);
    }
    let parts = targets
        .iter()
        .zip(rows)
        .filter(|(_, rows)| !rows.is_empty());
    parts
        .map(|(target, rows)| Ok((*target, batch.take(&UInt32Array::from(rows))?)))
        .collect()
}
