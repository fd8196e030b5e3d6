//! A graph that whoever feeds it runs step by step, without tasks: all that some changes of its tables lead to comes at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::Int64Array;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;

use super::chain::Chain;
use super::router::Router;
use super::{JobMetrics, topology};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::{CalcStep, Graph, NodeId, Operation};
use crate::operators::{Calc, Element};

/// The graph of one SELECT, at parallelism 1 and without event time.
pub struct Inline {
    chains: Vec<Chain>,
    routers: Vec<Router>,
    /// By source: its task, and what it computes.
    sources: BTreeMap<NodeId, (usize, Option<Calc>)>,
    /// Rows that are there from the beginning, by task.
    values: Vec<(usize, Batch)>,
    /// The task that ends in the sink, and what the sink gets.
    sink: usize,
    schema: SchemaRef,
}

impl Inline {
    /// Nothing fed yet.
    ///
    /// # Errors
    /// A graph that is not of one SELECT at parallelism 1; operators that cannot be set up.
    pub fn new(graph: &Graph, batch_rows: usize) -> Result<Self> {
        let tasks = topology::tasks(graph)?;
        let metrics = JobMetrics::of(graph);
        let (mut chains, mut routers) = (Vec::new(), Vec::new());
        let (mut sources, mut values, mut sink) = (BTreeMap::new(), Vec::new(), None);
        for (t, task) in tasks.iter().enumerate() {
            if task.parallelism != 1 {
                return Err(Error::internal("a query step by step at a parallelism"));
            }
            let mut operators = task.operators(graph, &metrics, batch_rows)?;
            for (_, operator) in &mut operators {
                operator.be_instance(0, 1);
            }
            chains.push(Chain::new(
                0, operators, task, &tasks, true, graph, &metrics,
            ));
            routers.push(Router::new(graph, &tasks, t, 0)?);
            for id in &task.nodes {
                let node = &graph.nodes[*id];
                match &node.operation {
                    Operation::Source(source) => {
                        let project = |exprs| CalcStep::Project(exprs, Arc::clone(&node.schema));
                        let compute = source.compute.clone().map(project);
                        let compute = compute.map(|step| Calc::new(vec![step]));
                        sources.insert(*id, (t, compute));
                    }
                    Operation::Values(rows) => values.push((t, Batch::append(rows.clone()))),
                    Operation::Sink(_) => sink = Some((t, Arc::clone(&node.schema))),
                    _ => {}
                }
            }
        }
        let (sink, schema) = sink.ok_or_else(|| Error::internal("a query without a result"))?;
        Ok(Self {
            chains,
            routers,
            sources,
            values,
            sink,
            schema,
        })
    }

    /// The columns of the result.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Changes of tables, by the source that reads them, and how the result changes by all of them.
    ///
    /// # Errors
    /// A row that cannot be processed.
    pub fn step(&mut self, changes: Vec<(NodeId, Batch)>) -> Result<Batch> {
        for (task, rows) in std::mem::take(&mut self.values) {
            self.chains[task].on_element(0, Element::Batch(rows));
        }
        for (source, mut batch) in changes {
            let Some((task, compute)) = self.sources.get_mut(&source) else {
                return Err(Error::internal("changes of a table that is not read"));
            };
            if let Some(compute) = compute {
                batch = compute.apply(batch)?;
            }
            self.chains[*task].on_element(0, Element::Batch(batch));
        }
        let mut result = Vec::new();
        // Each task comes after those it reads from.
        for task in 0..self.chains.len() {
            while self.chains[task].is_busy() {
                let out = self.chains[task].go_on()?.out;
                self.pass_on(task, out, &mut result)?;
            }
            let held = self.chains[task].flush()?;
            self.pass_on(task, held, &mut result)?;
        }
        let rows = concat_batches(&self.schema, result.iter().map(|batch| &batch.rows))?;
        let weights = result
            .iter()
            .flat_map(|batch| (0..batch.num_rows()).map(|row| batch.weight(row)));
        Ok(Batch {
            weights: Some(Int64Array::from_iter_values(weights)),
            ..Batch::append(rows)
        })
    }

    fn pass_on(&mut self, from: usize, out: Vec<Element>, result: &mut Vec<Batch>) -> Result<()> {
        let Self {
            chains, routers, ..
        } = self;
        for element in out {
            match element {
                Element::Batch(batch) if from == self.sink => result.push(batch),
                element => routers[from].route(&element, |(task, _, channel), part| {
                    chains[task].on_element(channel, part);
                })?,
            }
        }
        Ok(())
    }
}
