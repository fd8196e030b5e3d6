//! The operators of one task instance: merges watermarks, aligns barriers, drives the operators. Synchronous.

use super::topology::Task;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Graph, NodeId};
use crate::operators::{Element, Operator, Output};
use crate::state::StatePart;
use crate::time::{Millis, Watermark, WatermarkMerge};

/// The operators of a task instance and the state of its input channels.
pub struct Chain {
    operators: Vec<(NodeId, Box<dyn Operator>)>,
    /// Where the statement of each operator stands.
    places: Vec<String>,
    merge: WatermarkMerge,
    ports: Vec<usize>,
    ended: Vec<bool>,
    /// The end of the inputs is none of event time.
    stays_open: bool,
    /// What the operators emitted when they were restored.
    restored: Vec<Element>,
    /// The barrier being aligned: its epoch and which channels have brought it.
    barrier: Option<(u64, Vec<bool>)>,
}

/// The state of operators by node.
pub type OperatorStates = Vec<(NodeId, Vec<StatePart>)>;

/// What an element led to.
#[derive(Debug, Default)]
pub struct Step {
    /// What goes on to the next task, in order.
    pub out: Vec<Element>,
    /// Where a barrier was aligned: its epoch and the operators' state.
    pub snapshot: Option<(u64, OperatorStates)>,
}

impl Chain {
    /// For an instance of `task`.
    pub fn new(
        operators: Vec<(NodeId, Box<dyn Operator>)>,
        task: &Task,
        tasks: &[Task],
        stays_open: bool,
        graph: &Graph,
    ) -> Self {
        let place = |(node, _): &(NodeId, _)| graph.places.get(*node).cloned().unwrap_or_default();
        let places = operators.iter().map(place).collect();
        // A source task has one channel: its reader.
        let (ports, idle) = if task.inputs.is_empty() {
            (vec![0], vec![None])
        } else {
            (task.ports(tasks), task.idle_groups(tasks))
        };
        let n = ports.len();
        Self {
            operators,
            places,
            merge: WatermarkMerge::grouped(idle),
            ports,
            ended: vec![false; n],
            stays_open,
            restored: Vec::new(),
            barrier: None,
        }
    }

    /// Whether nothing may be taken from a channel now: it has brought a barrier that others have not, or has ended.
    pub fn is_blocked(&self, channel: usize) -> bool {
        self.ended[channel]
            || self
                .barrier
                .as_ref()
                .is_some_and(|(_, arrived)| arrived[channel])
    }

    /// Whether all channels have ended.
    pub fn is_done(&self) -> bool {
        self.ended.iter().all(|e| *e)
    }

    /// Takes state before the first element. `watermark`: how far event time had come for these operators. What a partition
    /// that was idle then brings later is as late as it was.
    ///
    /// # Errors
    /// Where the state is of another operator.
    pub fn restore(
        &mut self,
        mut parts: impl FnMut(NodeId) -> Result<Vec<StatePart>>,
        watermark: impl Fn(NodeId) -> Option<Millis>,
    ) -> Result<()> {
        for (id, operator) in &mut self.operators {
            operator.restore(parts(*id)?)?;
        }
        let mut known = self.operators.iter().filter_map(|(id, _)| watermark(*id));
        if let Some(time) = known.next() {
            self.merge.restore(time);
            let mut out = Vec::new();
            self.run(0, 0, Element::Watermark(Watermark::At(time)), &mut out)?;
            // Those after this task are told of time by themselves.
            out.retain(|element| !matches!(element, Element::Watermark(_)));
            self.restored = out;
        }
        Ok(())
    }

    /// How far event time has come.
    pub fn watermark(&self) -> Option<Millis> {
        self.merge.highest()
    }

    /// How often the operators want to hear of the clock, in milliseconds; `None`: never.
    pub fn clock_period(&self) -> Option<u64> {
        self.operators
            .iter()
            .filter_map(|(_, o)| o.clock_period())
            .min()
    }

    /// Takes out what operators hold back for speed alone, as before a barrier.
    ///
    /// # Errors
    /// A row that cannot be processed.
    pub fn flush(&mut self) -> Result<Vec<Element>> {
        let mut out = Vec::new();
        for at in 0..self.operators.len() {
            let mut output = Output::default();
            if let Some((_, operator)) = self.operators.get_mut(at) {
                operator
                    .before_barrier(&mut output)
                    .map_err(|e| placed(e, &self.places, at))?;
            }
            for element in output.elements {
                self.run(at + 1, 0, element, &mut out)?;
            }
        }
        Ok(out)
    }

    /// The clock is at `now`, in milliseconds since the epoch; returns what that leads to.
    ///
    /// # Errors
    /// A row that cannot be processed.
    pub fn on_clock(&mut self, now: i64) -> Result<Vec<Element>> {
        let mut out = Vec::new();
        for at in 0..self.operators.len() {
            let mut output = Output::default();
            if let Some((_, operator)) = self.operators.get_mut(at) {
                operator
                    .on_clock(now, &mut output)
                    .map_err(|e| placed(e, &self.places, at))?;
            }
            for element in output.elements {
                self.run(at + 1, 0, element, &mut out)?;
            }
        }
        Ok(out)
    }

    /// Takes one element of a channel.
    ///
    /// # Errors
    /// A row that cannot be processed.
    pub fn on_element(&mut self, channel: usize, element: Element) -> Result<Step> {
        let mut step = Step {
            out: std::mem::take(&mut self.restored),
            snapshot: None,
        };
        match element {
            Element::Batch(batch) => {
                let port = self.ports.get(channel).copied().unwrap_or(0);
                self.run(0, port, Element::Batch(batch), &mut step.out)?;
            }
            Element::Aside(..) => self.run(0, 0, element, &mut step.out)?,
            Element::Watermark(watermark) => {
                for merged in self.merge.update(channel, watermark) {
                    self.run(0, 0, Element::Watermark(merged), &mut step.out)?;
                }
            }
            Element::Barrier(epoch) => {
                let (_, arrived) = self
                    .barrier
                    .get_or_insert_with(|| (epoch, vec![false; self.ended.len()]));
                arrived[channel] = true;
                self.try_align(&mut step)?;
            }
            Element::End => {
                self.ended[channel] = true;
                let merged = if self.stays_open {
                    Vec::new()
                } else {
                    self.merge.end(channel).into_iter().collect()
                };
                for merged in merged {
                    self.run(0, 0, Element::Watermark(merged), &mut step.out)?;
                }
                self.try_align(&mut step)?;
                if self.is_done() {
                    if !self.stays_open {
                        let last = Element::Watermark(Watermark::At(Millis::MAX));
                        self.run(0, 0, last, &mut step.out)?;
                    }
                    self.run(0, 0, Element::End, &mut step.out)?;
                }
            }
        }
        Ok(step)
    }

    fn try_align(&mut self, step: &mut Step) -> Result<()> {
        let Some((epoch, arrived)) = &self.barrier else {
            return Ok(());
        };
        if !arrived.iter().zip(&self.ended).all(|(a, e)| *a || *e) {
            return Ok(());
        }
        let epoch = *epoch;
        self.barrier = None;
        self.run(0, 0, Element::Barrier(epoch), &mut step.out)?;
        let mut parts = Vec::new();
        for (id, operator) in &mut self.operators {
            parts.push((*id, operator.snapshot()?));
        }
        step.snapshot = Some((epoch, parts));
        Ok(())
    }

    /// Gives an element to operator `at` and what it emits to those after it.
    fn run(
        &mut self,
        at: usize,
        port: usize,
        element: Element,
        out: &mut Vec<Element>,
    ) -> Result<()> {
        let operator = match self.operators.get_mut(at) {
            Some((_, operator)) if !matches!(element, Element::Aside(..)) => operator,
            _ => {
                out.push(element);
                return Ok(());
            }
        };
        let mut output = Output::default();
        let last = match element {
            Element::Batch(batch) => {
                operator
                    .on_batch(port, batch, &mut output)
                    .map_err(|e| placed(e, &self.places, at))?;
                None
            }
            Element::Aside(..) => None,
            Element::Watermark(watermark) => {
                operator
                    .on_watermark(watermark, &mut output)
                    .map_err(|e| placed(e, &self.places, at))?;
                None
            }
            Element::Barrier(epoch) => {
                operator.before_barrier(&mut output)?;
                Some(Element::Barrier(epoch))
            }
            Element::End => {
                operator
                    .on_end(&mut output)
                    .map_err(|e| placed(e, &self.places, at))?;
                Some(Element::End)
            }
        };
        for element in output.elements.into_iter().chain(last) {
            self.run(at + 1, 0, element, out)?;
        }
        Ok(())
    }
}

/// An error of a row, led by where the statement stands whose operator failed.
fn placed(error: Error, places: &[String], at: usize) -> Error {
    match places.get(at) {
        Some(place) if error.kind == ErrorKind::Data && !place.is_empty() => error.at(place),
        _ => error,
    }
}
