//! The runtime of tests: one thread, a seeded scheduler that may take any runnable step next, snapshots at any point.

use std::collections::{BTreeMap, VecDeque};

use super::chain::Chain;
use super::router::Router;
use super::sink::SinkTail;
use super::source::SourceHead;
use super::threaded::{SinkParts, SourceParts, open_sink, open_sinks, open_source};
use super::topology;
use super::{Connect, JobMetrics, JobOptions, Snapshot};
use crate::connectors::JobContext;
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId};
use crate::operators::Element;

/// How a simulated run goes.
#[derive(Debug, Clone, Default)]
pub struct Simulation {
    /// Decides every choice of the scheduler.
    pub seed: u64,
    /// Take a snapshot after so many source events and stop there.
    pub cut_after: Option<usize>,
    /// Go on from this snapshot.
    pub restore: Option<Snapshot>,
}

struct Instance {
    head: Option<(NodeId, SourceHead)>,
    chain: Chain,
    channels: Vec<VecDeque<Element>>,
    router: Router,
    tail: Option<SinkTail>,
    /// A source that has been cut: it reads no more.
    cut: bool,
}

/// Runs a bounded job to its end, or to the cut; returns the snapshot taken there.
///
/// # Errors
/// As the job's; or a job that cannot go on though it has not ended (a bug).
pub async fn simulate(
    graph: &Graph,
    connect: &dyn Connect,
    options: &JobOptions,
    simulation: &Simulation,
) -> Result<(Option<Snapshot>, JobMetrics)> {
    let mut random = fastrand::Rng::with_seed(simulation.seed);
    let tasks = topology::tasks(graph)?;
    let metrics = JobMetrics::of(graph);
    let sinks = open_sinks(graph, connect)?;
    let context = JobContext::new(&options.name, None);
    let mut instances: BTreeMap<(usize, usize), Instance> = BTreeMap::new();
    for (t, task) in tasks.iter().enumerate() {
        for i in 0..task.parallelism {
            let parts = SinkParts {
                graph,
                sinks: &sinks,
                commits: false,
                instance: i,
                job: &context,
            };
            let tail = open_sink(&parts, task, options, &metrics).await?;
            let head = match task.source(graph) {
                Some(node) => {
                    let parts = SourceParts {
                        graph,
                        node,
                        instance: i,
                        snapshot: simulation.restore.as_ref(),
                    };
                    Some((node, open_source(&parts, connect, options, &metrics).await?))
                }
                None => None,
            };
            let mut chain = Chain::new(task.operators(graph, &metrics)?, task, &tasks);
            if let Some(snapshot) = &simulation.restore {
                chain.restore(|node| snapshot.of_instance(node, i, task.parallelism))?;
            }
            let channels = vec![VecDeque::new(); task.channels(&tasks)];
            let router = Router::new(graph, &tasks, t, i)?;
            instances.insert(
                (t, i),
                Instance {
                    head,
                    chain,
                    channels,
                    router,
                    tail,
                    cut: false,
                },
            );
        }
    }
    let mut snapshot = simulation.cut_after.map(|_| Snapshot::default());
    let mut events = 0;
    loop {
        // A step is an instance and the channel it takes from; a source takes from its reader.
        let mut steps: Vec<((usize, usize), usize)> = Vec::new();
        for (id, instance) in &instances {
            if instance.head.is_some() && !instance.chain.is_done() && !instance.cut {
                steps.push((*id, usize::MAX));
            }
            let ready =
                |c: &usize| !instance.channels[*c].is_empty() && !instance.chain.is_blocked(*c);
            steps.extend((0..instance.channels.len()).filter(ready).map(|c| (*id, c)));
        }
        let Some((id, channel)) = steps.get(random.usize(..steps.len().max(1))).copied() else {
            break;
        };
        let Some(instance) = instances.get_mut(&id) else {
            break;
        };
        let mut elements = Vec::new();
        if channel == usize::MAX {
            let Some((node, head)) = &mut instance.head else {
                continue;
            };
            if simulation.cut_after.is_some_and(|cut| events >= cut) {
                if let Some(snapshot) = &mut snapshot {
                    snapshot
                        .sources
                        .entry(*node)
                        .or_default()
                        .extend(head.snapshot());
                }
                instance.cut = true;
                elements.push((0, Element::Barrier(1)));
            } else {
                let mut out = Vec::new();
                let event = head.next().await?;
                head.on_event(event, 0, &mut out)?;
                events += 1;
                if let (Some(snapshot), true) =
                    (&mut snapshot, matches!(out.last(), Some(Element::End)))
                {
                    snapshot
                        .sources
                        .entry(*node)
                        .or_default()
                        .extend(head.snapshot());
                }
                elements.extend(out.into_iter().map(|e| (0, e)));
            }
        } else if let Some(element) = instance.channels[channel].pop_front() {
            elements.push((channel, element));
        }
        let mut sent = Vec::new();
        for (channel, element) in elements {
            let step = instance.chain.on_element(channel, element)?;
            for (node, parts) in step.snapshot.into_iter().flatten() {
                if let Some(snapshot) = &mut snapshot {
                    snapshot.operators.entry(node).or_default().extend(parts);
                }
            }
            for element in step.out {
                match (&mut instance.tail, element) {
                    (Some(tail), Element::Batch(batch)) => tail.write(batch).await?,
                    (Some(_), _) => {}
                    (None, element) => instance
                        .router
                        .route(&element, |to, part| sent.push((to, part)))?,
                }
            }
        }
        for ((task, target, channel), element) in sent {
            if let Some(instance) = instances.get_mut(&(task, target)) {
                instance.channels[channel].push_back(element);
            }
        }
    }
    for (id, instance) in &mut instances {
        if simulation.cut_after.is_none() && !instance.chain.is_done() {
            return Err(Error::internal(format!("task {id:?} cannot go on")));
        }
        if let Some(tail) = &mut instance.tail {
            tail.close().await?;
        }
    }
    Ok((snapshot, metrics))
}
