//! The operators of one task instance: merges watermarks, aligns barriers, drives the operators. Synchronous.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::JobMetrics;
use super::topology::Task;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Graph, NodeId};
use crate::operators::{Element, Metrics, Operator, Output};
use crate::state::{KeptView, StatePart, TableSnapshot};
use crate::time::{Millis, Watermark, WatermarkMerge};

/// The operators of a task instance and the state of its input channels.
pub struct Chain {
    operators: Vec<(NodeId, Box<dyn Operator>)>,
    /// Their counters.
    metrics: Vec<Arc<Metrics>>,
    /// The number of the instance.
    instance: usize,
    /// Where the statement of each operator stands.
    places: Vec<String>,
    merge: WatermarkMerge,
    ports: Vec<usize>,
    ended: Vec<bool>,
    /// The end of the inputs is none of event time.
    stays_open: bool,
    /// What the operators emitted when they were restored.
    restored: Vec<Element>,
    /// What the operators are still to be given, with the input of the first that it is of. More than one is seldom there: a
    /// channel's element waits for what came before.
    queue: VecDeque<(usize, Element)>,
    /// The barrier being aligned: its epoch and which channels have brought it.
    barrier: Option<(u64, Vec<bool>)>,
    /// The last epoch that has ended.
    pub epoch: u64,
}

/// The state of operators by node.
pub type OperatorStates = Vec<(NodeId, Vec<TableSnapshot>)>;

/// The managed tables that operators keep, by node.
pub type OperatorViews = Vec<(NodeId, KeptView)>;

/// The state of the operators that keep managed tables when their chain has ended.
#[derive(Debug, Default)]
pub struct LastState {
    /// What changed last.
    pub operators: OperatorStates,
    /// What there is to say from then on.
    pub after: Vec<(NodeId, Vec<StatePart>)>,
    /// The tables.
    pub views: OperatorViews,
}

/// What an element led to.
#[derive(Debug, Default)]
pub struct Step {
    /// What goes on to the next task, in order.
    pub out: Vec<Element>,
    /// Where a barrier was aligned: its epoch, and the operators' state.
    pub snapshot: Option<(u64, OperatorStates)>,
    /// And the managed tables that they keep.
    pub views: OperatorViews,
}

impl Chain {
    /// For instance `instance` of `task`.
    pub fn new(
        instance: usize,
        operators: Vec<(NodeId, Box<dyn Operator>)>,
        task: &Task,
        tasks: &[Task],
        stays_open: bool,
        graph: &Graph,
        metrics: &JobMetrics,
    ) -> Self {
        let place = |(node, _): &(NodeId, _)| graph.places.get(*node).cloned().unwrap_or_default();
        let places = operators.iter().map(place).collect();
        let counters = |(node, _): &(NodeId, _)| metrics.operators.get(node).cloned();
        let counters = operators.iter().map(|of| counters(of).unwrap_or_default());
        // A source task has one channel: its reader.
        let (ports, idle) = if task.inputs.is_empty() {
            (vec![0], vec![None])
        } else {
            (task.ports(tasks), task.idle_groups(tasks))
        };
        let n = ports.len();
        Self {
            metrics: counters.collect(),
            instance,
            operators,
            places,
            merge: WatermarkMerge::grouped(idle),
            ports,
            ended: vec![false; n],
            stays_open,
            restored: Vec::new(),
            queue: VecDeque::new(),
            barrier: None,
            epoch: 0,
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
            for (_, operator) in &mut self.operators {
                operator.restored_at(time)?;
            }
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
            self.pass_on(at, output.elements, &mut out)?;
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
            self.pass_on(at, output.elements, &mut out)?;
        }
        Ok(out)
    }

    /// Takes one element of a channel; [`Chain::go_on`] says what that leads to.
    pub fn on_element(&mut self, channel: usize, element: Element) {
        match element {
            Element::Batch(_) => {
                let port = self.ports.get(channel).copied().unwrap_or(0);
                self.queue.push_back((port, element));
            }
            Element::Aside(..) => self.queue.push_back((0, element)),
            Element::Watermark(watermark) => {
                let merged = self.merge.update(channel, watermark);
                self.queue_watermarks(merged);
            }
            Element::Barrier(epoch) => {
                let (_, arrived) = self
                    .barrier
                    .get_or_insert_with(|| (epoch, vec![false; self.ended.len()]));
                arrived[channel] = true;
                self.try_align();
            }
            Element::End => {
                self.ended[channel] = true;
                if !self.stays_open {
                    let merged = self.merge.end(channel);
                    self.queue_watermarks(merged);
                }
                self.try_align();
                if self.is_done() {
                    if !self.stays_open {
                        self.queue_watermarks([Watermark::At(Millis::MAX)]);
                    }
                    self.queue.push_back((0, Element::End));
                }
            }
        }
    }

    fn queue_watermarks(&mut self, watermarks: impl IntoIterator<Item = Watermark>) {
        let watermarks = watermarks.into_iter().map(|w| (0, Element::Watermark(w)));
        self.queue.extend(watermarks);
    }

    fn try_align(&mut self) {
        if let Some((epoch, arrived)) = &self.barrier
            && arrived.iter().zip(&self.ended).all(|(a, e)| *a || *e)
        {
            self.queue.push_back((0, Element::Barrier(*epoch)));
            self.barrier = None;
        }
    }

    /// What is kept of managed tables when the chain has ended: the last changes of their state, what else there is to say of it from
    /// then on, and the tables.
    ///
    /// # Errors
    /// Where state cannot be written as rows.
    pub fn last_state(&mut self) -> Result<LastState> {
        let mut last = LastState::default();
        for (id, operator) in &mut self.operators {
            if let Some(view) = operator.end_epoch(self.epoch + 1)? {
                last.views.push((*id, view));
                last.operators.push((*id, operator.snapshot()?));
                let unchanged = operator.snapshot()?;
                let unchanged = unchanged.iter().map(TableSnapshot::part);
                last.after.push((*id, unchanged.collect::<Result<_>>()?));
            }
        }
        Ok(last)
    }

    /// Whether there is more to do before the next element.
    pub fn is_busy(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Does a step of what is to be done: an element, or as much of it as leads to a batch of rows.
    ///
    /// # Errors
    /// A row that cannot be processed.
    pub fn go_on(&mut self) -> Result<Step> {
        let mut step = Step {
            out: std::mem::take(&mut self.restored),
            snapshot: None,
            views: Vec::new(),
        };
        let Some((port, element)) = self.queue.pop_front() else {
            return Ok(step);
        };
        let barrier = match element {
            Element::Barrier(epoch) => Some(epoch),
            _ => None,
        };
        if let Some(rest) = self.run(0, port, element, &mut step.out)? {
            self.queue.push_front((port, rest));
        }
        if let Some(epoch) = barrier {
            self.epoch = epoch;
            let mut parts = Vec::new();
            for (id, operator) in &mut self.operators {
                let view = operator.end_epoch(epoch)?;
                step.views.extend(view.map(|view| (*id, view)));
                parts.push((*id, operator.snapshot()?));
            }
            step.snapshot = Some((epoch, parts));
        }
        Ok(step)
    }

    /// Gives an element to operator `at` and what it emits to those after it. Returns what is to be given to it once that has
    /// gone on.
    fn run(
        &mut self,
        at: usize,
        port: usize,
        element: Element,
        out: &mut Vec<Element>,
    ) -> Result<Option<Element>> {
        let operator = match self.operators.get_mut(at) {
            Some((_, operator)) if !matches!(element, Element::Aside(..)) => operator,
            _ => {
                out.push(element);
                return Ok(None);
            }
        };
        let mut output = Output::default();
        let mut last = None;
        let rows = rows_of(Some(&element));
        let result = match element {
            Element::Batch(batch) => operator.on_batch(port, batch, &mut output),
            Element::Aside(..) => Ok(()),
            Element::Watermark(watermark) => operator.on_watermark(watermark, &mut output),
            Element::Barrier(_) => {
                last = Some(element);
                operator.before_barrier(&mut output)
            }
            Element::End => {
                last = Some(element);
                operator.on_end(&mut output)
            }
        };
        result.map_err(|e| placed(e, &self.places, at))?;
        let taken = rows.saturating_sub(rows_of(output.rest.as_ref()));
        if taken > 0 {
            let rows_in = &self.metrics[at].rows_in;
            rows_in.fetch_add(taken as u64, Ordering::Relaxed);
        }
        // It goes on once nothing is left before it.
        let last = last.filter(|_| output.rest.is_none());
        self.pass_on(at, output.elements.into_iter().chain(last), out)?;
        Ok(output.rest)
    }

    /// Gives what operator `at` has emitted to those after it.
    fn pass_on(
        &mut self,
        at: usize,
        elements: impl IntoIterator<Item = Element>,
        out: &mut Vec<Element>,
    ) -> Result<()> {
        for element in elements {
            self.metrics[at].count_out(self.instance, &element);
            let mut next = Some(element);
            while let Some(element) = next {
                next = self.run(at + 1, 0, element, out)?;
            }
        }
        Ok(())
    }
}

/// The rows of a batch.
fn rows_of(element: Option<&Element>) -> usize {
    match element {
        Some(Element::Batch(batch)) => batch.num_rows(),
        _ => 0,
    }
}

/// An error of a row, led by where the statement stands whose operator failed.
fn placed(error: Error, places: &[String], at: usize) -> Error {
    match places.get(at) {
        Some(place) if error.kind == ErrorKind::Data && !place.is_empty() => error.at(place),
        _ => error,
    }
}
