//! One task instance without IO: what it takes and asks for. A driver reads, sends, writes and sleeps for it.

use std::collections::VecDeque;

use arrow::array::RecordBatch;

use super::chain::{Chain, OperatorStates, OperatorViews};
use super::epochs::{InstanceId, InstanceState, Order, Report};
use super::router::{Address, Router};
use super::sink::SinkTail;
use super::source::{SourceHead, Standing};
use crate::changelog::Batch;
use crate::checkpoint::PartitionPosition;
use crate::connectors::SourceEvent;
use crate::error::Result;
use crate::graph::{Aside, NodeId};
use crate::operators::Element;
use crate::time::Watermark;

/// The epoch that is prepared when the inputs have ended: whichever is committed next.
const LAST: u64 = u64::MAX;

/// What happens to an instance.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all events are batches")]
pub enum Event {
    /// Its reader says this.
    Read(SourceEvent, Standing),
    /// The coordinator wants a barrier here.
    Order(Order, Standing),
    /// A channel brings this.
    Element(usize, Element),
    /// Whoever sends through this channel has gone without an end.
    Closed(usize),
    /// It is time for [`Instance::until_tick`].
    Tick,
    /// The writer has prepared what it was asked to.
    Prepared(Option<String>),
    /// The epoch it waits for is committed.
    Committed,
    /// It is to take no more: the job is stopped or has failed.
    Halt,
}

/// What an instance asks for. To be done one after another, and before the next event.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all effects are batches")]
pub enum Effect {
    /// Send this.
    Send(Address, Element),
    /// Give these rows to the writer.
    Write(Batch),
    /// Tell the writer of the watermark.
    Watermark(i64),
    /// Have the writer prepare this epoch; [`Event::Prepared`] is what comes next.
    Prepare(u64),
    /// Tell the coordinator.
    Report(Report),
    /// End the writer.
    Close,
}

/// What an instance is made of.
pub struct Parts {
    /// Task and number.
    pub id: InstanceId,
    /// Its operators, restored.
    pub chain: Chain,
    /// Where what they emit goes.
    pub router: Router,
    /// The source it begins with.
    pub source: Option<(NodeId, SourceHead)>,
    /// The sink it ends with.
    pub sink: Option<(NodeId, SinkTail)>,
    /// How many channels lead to it.
    pub channels: usize,
    /// Whether there is a coordinator.
    pub is_coordinated: bool,
}

/// A task instance.
pub struct Instance {
    parts: Parts,
    /// Channels that bring nothing more, though they have not ended.
    closed: Vec<bool>,
    /// It takes no more, though its inputs have not ended.
    is_halted: bool,
    has_ended: bool,
    /// Where its source stood last, when that was asked.
    positions: Vec<PartitionPosition>,
    /// What is to be reported once the writer has prepared.
    preparing: Option<Report>,
    effects: VecDeque<Effect>,
    /// How often it must hear of the clock, in milliseconds, and when it last did.
    period: Option<u64>,
    last_tick: i64,
}

impl Instance {
    /// One that has taken nothing yet; `now`: the clock in milliseconds.
    pub fn new(parts: Parts, now: i64) -> Self {
        let head = parts
            .source
            .as_ref()
            .and_then(|(_, head)| head.tick_period());
        Self {
            closed: vec![false; parts.channels],
            is_halted: false,
            has_ended: false,
            positions: Vec::new(),
            preparing: None,
            effects: VecDeque::new(),
            period: head.into_iter().chain(parts.chain.clock_period()).min(),
            last_tick: now,
            parts,
        }
    }

    /// Takes what happens; `now`: the clock in milliseconds.
    ///
    /// # Errors
    /// A row that cannot be processed or written.
    pub fn take(&mut self, event: Event, now: i64) -> Result<()> {
        match event {
            Event::Read(event, standing) => {
                let mut elements = asides(standing.bad_rows);
                let Some((_, head)) = &mut self.parts.source else {
                    return Ok(());
                };
                if matches!(event, SourceEvent::End) {
                    self.positions = head.snapshot(standing.positions);
                }
                head.on_event(event, now, &mut elements)?;
                self.feed(elements);
            }
            Event::Order(order, standing) => {
                let mut elements = asides(standing.bad_rows);
                if let Some((_, head)) = &self.parts.source {
                    self.positions = head.snapshot(standing.positions);
                }
                elements.push(Element::Barrier(order.epoch));
                self.feed(elements);
                self.is_halted |= order.is_last;
            }
            Event::Element(channel, element) => self.parts.chain.on_element(channel, element),
            Event::Closed(channel) => self.closed[channel] = true,
            Event::Tick => {
                self.last_tick = now;
                let out = self.parts.chain.on_clock(now)?;
                self.emit(out)?;
                if let Some((_, head)) = &mut self.parts.source {
                    let mut elements = Vec::new();
                    head.on_tick(now, &mut elements);
                    self.feed(elements);
                }
            }
            Event::Prepared(text) => self.on_prepared(text),
            Event::Committed => self.write_held(),
            Event::Halt => self.is_halted = true,
        }
        self.end()
    }

    /// Everywhere that it may send something to.
    pub fn addresses(&self) -> impl Iterator<Item = Address> {
        self.parts.router.addresses()
    }

    /// The next thing to be done. What leads to much is processed step by step, each once what the one before led to is done.
    ///
    /// # Errors
    /// A row that cannot be processed or written.
    pub fn next_effect(&mut self) -> Result<Option<Effect>> {
        while self.effects.is_empty() && self.parts.chain.is_busy() && !self.is_full() {
            self.go_on()?;
            self.end()?;
        }
        Ok(self.effects.pop_front())
    }

    /// Whether its reader may be asked for more, and the coordinator for orders.
    pub fn reads(&self) -> bool {
        self.parts.source.is_some() && self.is_taking()
    }

    /// Whether something may be taken from this channel.
    pub fn takes(&self, channel: usize) -> bool {
        self.is_open(channel) && self.is_taking()
    }

    /// For how many milliseconds it need not hear of the clock; `None`: it need not at all.
    pub fn until_tick(&self, now: i64) -> Option<u64> {
        let period = self.period.filter(|_| self.is_taking())?;
        // A clock that was set back is as good as one that has gone on.
        Some(period.saturating_sub((now - self.last_tick).unsigned_abs()))
    }

    /// The epoch whose commit it waits for.
    pub fn waits_for(&self) -> Option<u64> {
        let (_, tail) = self.parts.sink.as_ref().filter(|_| !self.has_ended)?;
        tail.waits_for()
    }

    /// Whether it takes no more from its inputs.
    pub fn is_over(&self) -> bool {
        let is_cut_off =
            || self.parts.source.is_none() && !(0..self.closed.len()).any(|c| self.is_open(c));
        self.is_halted || self.parts.chain.is_done() || is_cut_off()
    }

    /// Whether nothing more will come of it, once its effects are done.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    fn is_open(&self, channel: usize) -> bool {
        self.parts.source.is_none()
            && !self.closed[channel]
            && !self.parts.chain.is_blocked(channel)
    }

    fn is_taking(&self) -> bool {
        let is_busy = self.parts.chain.is_busy() || self.preparing.is_some();
        !is_busy && !self.is_full() && !self.is_over()
    }

    /// Whether its sink must wait for a commit before it takes more.
    fn is_full(&self) -> bool {
        let tail = self.parts.sink.as_ref().map(|(_, tail)| tail);
        tail.is_some_and(SinkTail::is_full)
    }

    /// Takes what its own source says.
    fn feed(&mut self, elements: Vec<Element>) {
        let chain = &mut self.parts.chain;
        elements.into_iter().for_each(|e| chain.on_element(0, e));
    }

    fn go_on(&mut self) -> Result<()> {
        let step = self.parts.chain.go_on()?;
        self.emit(step.out)?;
        match step.snapshot {
            Some((epoch, operators)) => {
                // This epoch was begun once the one before it was committed, even if nobody has said so here.
                self.write_held();
                let state = self.state(operators, step.views);
                self.tell(epoch, Report::Barrier(epoch, self.parts.id, state))
            }
            None => Ok(()),
        }
    }

    fn emit(&mut self, elements: Vec<Element>) -> Result<()> {
        let effects = &mut self.effects;
        for element in elements {
            let Some((_, tail)) = &mut self.parts.sink else {
                let send = |address, part| effects.push_back(Effect::Send(address, part));
                self.parts.router.route(&element, send)?;
                continue;
            };
            match element {
                Element::Batch(batch) => effects.extend(tail.write(batch)?.map(Effect::Write)),
                Element::Watermark(Watermark::At(time)) => {
                    effects.push_back(Effect::Watermark(time))
                }
                // What a barrier or the end leads to is told with the state of the instance.
                Element::Watermark(Watermark::Idle)
                | Element::Barrier(_)
                | Element::End
                | Element::Aside(..) => {}
            }
        }
        Ok(())
    }

    fn write_held(&mut self) {
        if let Some((_, tail)) = &mut self.parts.sink {
            self.effects.extend(tail.on_commit().map(Effect::Write));
        }
    }

    fn state(&mut self, operators: OperatorStates, views: OperatorViews) -> Box<InstanceState> {
        let source = self.parts.source.as_ref();
        Box::new(InstanceState {
            source: source.map(|(node, _)| (*node, self.positions.clone())),
            watermark: self.parts.chain.watermark(),
            operators,
            after: Vec::new(),
            views,
            prepared: None,
        })
    }

    /// Reports, once the writer has prepared.
    fn tell(&mut self, epoch: u64, report: Report) -> Result<()> {
        if !self.parts.is_coordinated {
            return Ok(());
        }
        self.preparing = Some(report);
        match &mut self.parts.sink {
            Some((_, tail)) => {
                tail.prepare(epoch)?;
                self.effects.push_back(Effect::Prepare(epoch));
            }
            None => self.on_prepared(None),
        }
        Ok(())
    }

    fn on_prepared(&mut self, text: Option<String>) {
        let Some(mut report) = self.preparing.take() else {
            return;
        };
        let is_end = matches!(report, Report::End(..));
        let (Report::Barrier(_, _, state) | Report::End(_, state)) = &mut report;
        state.prepared = self.parts.sink.as_ref().map(|(node, _)| *node).zip(text);
        self.effects.push_back(Effect::Report(report));
        if is_end {
            self.close();
        }
    }

    /// Ends, where its inputs have or it is stopped, and it waits for nothing.
    fn end(&mut self) -> Result<()> {
        if self.has_ended
            || self.preparing.is_some()
            || self.parts.chain.is_busy()
            || !self.is_over()
            || self.waits_for().is_some()
        {
            return Ok(());
        }
        if self.parts.is_coordinated && self.parts.chain.is_done() {
            let last = self.parts.chain.last_state()?;
            let mut state = self.state(last.operators, last.views);
            state.after = last.after;
            return self.tell(LAST, Report::End(self.parts.id, state));
        }
        if !self.parts.is_coordinated && !self.parts.chain.is_done() {
            // What was held back for speed alone is written; with checkpoints it counts only once one holds it.
            let held = self.parts.chain.flush()?;
            self.emit(held)?;
        }
        // What is not committed is thrown away: the next run writes it again.
        let tail = self.parts.sink.as_ref().map(|(_, tail)| tail);
        match tail.is_some_and(|t| t.commits() && !t.is_clean()) {
            true => self.has_ended = true,
            false => self.close(),
        }
        Ok(())
    }

    fn close(&mut self) {
        if self.parts.sink.is_some() {
            self.effects.push_back(Effect::Close);
        }
        self.has_ended = true;
    }
}

fn asides(bad_rows: Vec<RecordBatch>) -> Vec<Element> {
    let aside = |rows| Element::Aside(Aside::BadRows, rows);
    bad_rows.into_iter().map(aside).collect()
}
