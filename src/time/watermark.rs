//! Watermarks: of source partitions, row by row, and merged over inputs.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Int64Array, Int64Builder};

use super::{Millis, PartitionTime};

/// How far event time has come on one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watermark {
    /// No row at or before this time is expected any more.
    At(Millis),
    /// The input is quiet and does not hold the others back.
    Idle,
}

/// Merges the watermarks of several inputs: the minimum of those that are neither idle nor ended; never goes back.
///
/// Inputs of a group hear of the same sources, each a little earlier or later. Such an input counts as idle only when all of
/// its group are: one that still says so while another is active again has rows of its own to come.
#[derive(Debug, Clone)]
pub struct WatermarkMerge {
    inputs: Vec<Input>,
    groups: Vec<Option<usize>>,
    emitted: Option<Watermark>,
    highest: Option<Millis>,
}

/// What is known of one input.
#[derive(Debug, Clone, Copy, Default)]
struct Input {
    state: State,
    watermark: Option<Millis>,
    /// The last one before the end of input.
    before_end: Option<Millis>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unknown,
    Active,
    Idle,
    Ended,
}

impl WatermarkMerge {
    /// `inputs` inputs, none of which has said anything yet.
    pub fn new(inputs: usize) -> Self {
        Self::grouped(vec![None; inputs])
    }

    /// The group of each input, where it is of one.
    pub fn grouped(groups: Vec<Option<usize>>) -> Self {
        Self {
            inputs: vec![Input::default(); groups.len()],
            groups,
            emitted: None,
            highest: None,
        }
    }

    /// The furthest that the merged watermark has come, before the end of all inputs.
    pub fn highest(&self) -> Option<Millis> {
        self.highest.filter(|t| *t < Millis::MAX)
    }

    /// The merged watermark had come so far before: it says nothing of times up to there any more.
    pub fn restore(&mut self, highest: Millis) {
        self.highest = Some(highest);
    }

    /// Takes the watermark of one input; returns what the merged one says then, in order, where it moved.
    pub fn update(&mut self, input: usize, watermark: Watermark) -> Vec<Watermark> {
        if let Some(slot) = self.inputs.get_mut(input) {
            match watermark {
                Watermark::At(t) => {
                    slot.state = State::Active;
                    slot.watermark = slot.watermark.max(Some(t));
                    if t < Millis::MAX {
                        slot.before_end = slot.before_end.max(Some(t));
                    }
                }
                Watermark::Idle => slot.state = State::Idle,
            }
        }
        self.merged()
    }

    /// The input has ended and no longer holds the others back; returns what the merged watermark says then.
    pub fn end(&mut self, input: usize) -> Vec<Watermark> {
        if let Some(slot) = self.inputs.get_mut(input) {
            slot.state = State::Ended;
        }
        self.merged()
    }

    fn merged(&mut self) -> Vec<Watermark> {
        // An idle input whose group is not: it holds at what it last said.
        let waits = |at: usize| {
            let group = self.groups[at];
            group.is_some()
                && self
                    .inputs
                    .iter()
                    .zip(&self.groups)
                    .any(|(i, g)| *g == group && i.state == State::Active)
        };
        let states: Vec<State> = (0..self.inputs.len())
            .map(|at| match self.inputs[at].state {
                State::Idle if waits(at) => State::Active,
                state => state,
            })
            .collect();
        let any = |state: State| states.contains(&state);
        if any(State::Unknown) {
            return Vec::new();
        }
        let active = self
            .inputs
            .iter()
            .zip(&states)
            .filter(|(_, s)| **s == State::Active);
        if active.clone().any(|(i, _)| i.watermark.is_none()) {
            return Vec::new();
        }
        let (time, is_idle) = match active.filter_map(|(i, _)| i.watermark).min() {
            // The end of input is only reached when all have: an idle input may still have rows.
            Some(Millis::MAX) if any(State::Idle) => return Vec::new(),
            Some(t) => (Some(t), false),
            None if !any(State::Idle) => return Vec::new(),
            // All are quiet: as in Flink, time is where the furthest of them came to before.
            None => (self.inputs.iter().filter_map(|i| i.before_end).max(), true),
        };
        let mut news = Vec::new();
        if let Some(t) = time
            && self.highest.is_none_or(|h| t > h)
        {
            self.highest = Some(t);
            news.push(Watermark::At(t));
        }
        if is_idle && self.emitted != Some(Watermark::Idle) {
            news.push(Watermark::Idle);
        }
        // Active again at a time that was passed already: the others must know that it is no longer idle.
        if news.is_empty()
            && !is_idle
            && self.emitted == Some(Watermark::Idle)
            && let Some(t) = self.highest
        {
            news.push(Watermark::At(t));
        }
        if let Some(last) = news.last() {
            self.emitted = Some(*last);
        }
        news
    }
}

/// The watermarks of the partitions that one source task reads.
///
/// As in Flink a partition's watermark moves behind each row that raises it (`pipeline.auto-watermark-interval` = 0) and
/// starts at 0, so rows before 1970 raise nothing.
#[derive(Debug, Default)]
pub struct PartitionWatermarks {
    partitions: BTreeMap<Arc<str>, Partition>,
    emitted: Option<Watermark>,
    highest: Millis,
    is_assigned: bool,
    has_ended: bool,
    /// All partitions have ended and others may come, as in a folder that is watched: since when, and the merged watermark then.
    waits: Option<(Millis, Millis)>,
    /// They were waited for so long that time does not wait for them any more.
    is_idle: bool,
    /// Rows that are too far ahead to say what time it is, not told yet.
    ahead: u64,
}

#[derive(Debug, Clone, Default)]
struct Partition {
    watermark: Millis,
    idle: bool,
    /// Clock reading of the last row, in milliseconds.
    seen: Millis,
    /// The watermark that its rows gave; `None` before the first.
    by_rows: Option<Millis>,
    /// The event time of the last row.
    last_event: Option<Millis>,
}

impl Partition {
    fn standing(&self) -> PartitionTime {
        PartitionTime {
            // 0 is where every partition starts: nothing is known yet.
            watermark: Some(self.watermark).filter(|watermark| *watermark != 0),
            last_event: self.last_event,
            seen: self.seen,
            is_idle: self.idle,
        }
    }
}

impl PartitionWatermarks {
    /// Adds a partition that holds the merged watermark until it has rows; `watermark` where it is restored.
    pub fn assign(&mut self, partition: Arc<str>, watermark: Option<Millis>, now: Millis) {
        let mut watermark = watermark.unwrap_or(0);
        if self.is_idle || self.waits.is_some_and(|(_, then)| self.highest > then) {
            // While nobody was there others went on: what they have passed is over for this one too.
            watermark = watermark.max(self.highest);
        }
        (self.waits, self.is_idle) = (None, false);
        self.partitions.entry(partition).or_insert(Partition {
            watermark,
            idle: false,
            seen: now,
            by_rows: None,
            last_event: None,
        });
    }

    /// The reader's partitions are known: without any, it does not hold back other readers.
    pub fn set_assigned(&mut self) {
        self.is_assigned = true;
    }

    /// The partition has ended and no longer holds the others back.
    pub fn end(&mut self, partition: &str, now: Millis) {
        self.has_ended = true;
        self.partitions.remove(partition);
        if self.partitions.is_empty() {
            self.waits = Some((now, self.highest));
        }
    }

    /// Rows are too far ahead to say what time it is.
    pub fn count_ahead(&mut self, rows: u64) {
        self.ahead += rows;
    }

    /// How many such rows there were since the last call.
    pub fn take_ahead(&mut self) -> u64 {
        std::mem::take(&mut self.ahead)
    }

    /// Whether a row of the partition has said what time it is.
    pub fn has_time(&self, partition: &str) -> bool {
        let known = self.partitions.get(partition);
        known.is_some_and(|p| p.by_rows.is_some())
    }

    /// Each partition and its watermark, for a snapshot.
    pub fn positions(&self) -> impl Iterator<Item = (&Arc<str>, Millis)> {
        self.partitions.iter().map(|(p, s)| (p, s.watermark))
    }

    /// Where a partition stands.
    pub fn standing(&self, partition: &str) -> Option<PartitionTime> {
        self.partitions.get(partition).map(Partition::standing)
    }

    /// Where each partition stands.
    pub fn standings(&self) -> impl Iterator<Item = (&Arc<str>, PartitionTime)> {
        self.partitions.iter().map(|(p, s)| (p, s.standing()))
    }

    /// Moves the partition's watermark over rows of event time `times` whose watermark expression gave `marks` (null: the
    /// row raises nothing), up to the first that takes it into another of `steps`, and returns how many these are. And, for
    /// those of them at or behind the watermark as it was before them (or a millisecond ahead: such a row still touches a
    /// session that is over), that watermark.
    pub fn observe(
        &mut self,
        partition: &Arc<str>,
        times: &[Millis],
        marks: &Int64Array,
        steps: &[Millis],
        now: Millis,
    ) -> (usize, Option<Int64Array>) {
        let floor = self.highest;
        let state = self.partitions.entry(Arc::clone(partition)).or_default();
        if state.idle {
            // While it was idle the others went on without it: what they have passed is over for this partition too.
            state.idle = false;
            state.watermark = state.watermark.max(floor);
        }
        state.seen = now;
        let mut behind: Option<Int64Builder> = None;
        let mut current = state.watermark;
        let mut taken = times.len();
        for (i, time) in times.iter().enumerate() {
            if *time <= current.saturating_add(1) && current > 0 {
                let builder = behind.get_or_insert_with(|| {
                    let mut b = Int64Builder::with_capacity(times.len());
                    b.append_nulls(i);
                    b
                });
                builder.append_value(current);
            } else if let Some(builder) = &mut behind {
                builder.append_null();
            }
            if let Some(mark) = value(marks, i).filter(|mark| *mark > current) {
                let before = std::mem::replace(&mut current, mark);
                // At 0 nothing was known yet.
                let enters = |step: &Millis| before == 0 || before / step != mark / step;
                if steps.iter().any(enters) {
                    taken = i + 1;
                    break;
                }
            }
        }
        state.watermark = current;
        state.last_event = times.last().copied().or(state.last_event);
        state.by_rows = Some(current);
        (taken, behind.map(|mut b| b.finish()))
    }

    /// Marks partitions idle that had no row for `timeout` milliseconds.
    pub fn mark_idle(&mut self, timeout: Millis, now: Millis) {
        for state in self.partitions.values_mut() {
            if now - state.seen >= timeout {
                state.idle = true;
            }
        }
        if self.waits.is_some_and(|(since, _)| now - since >= timeout) {
            self.is_idle = true;
        }
    }

    /// Moves the watermark with the clock where no partition had a row for `after` milliseconds: by as much as has passed since
    /// its last row. A partition that never had one is idle then. Call it only while there is nothing to read.
    pub fn advance_quiet(&mut self, after: Millis, now: Millis) {
        if self.partitions.values().any(|p| now - p.seen < after) {
            return;
        }
        if let Some((since, then)) = self.waits
            && now - since >= after
            && then > 0
        {
            self.highest = self.highest.max(then.saturating_add(now - since));
        }
        for state in self.partitions.values_mut() {
            match state.by_rows {
                Some(watermark) => {
                    let moved = watermark.saturating_add(now - state.seen);
                    state.watermark = state.watermark.max(moved);
                }
                None => state.idle = true,
            }
        }
    }

    /// The merged watermark, where it moved since the last call; asked again, what it says then.
    pub fn merged(&mut self) -> Option<Watermark> {
        let those = |idle: bool| self.partitions.values().filter(move |p| p.idle == idle);
        let lowest = those(false).map(|p| p.watermark).min();
        let merged = match lowest {
            // 0 is where every partition starts: nothing is known yet.
            Some(0) => return None,
            Some(t) => {
                self.highest = self.highest.max(t);
                Watermark::At(self.highest)
            }
            None if !self.is_assigned => return None,
            None if self.partitions.is_empty() && self.has_ended => {
                // What ended has the end of input to say, not that it is idle; unless more may come.
                match self.emitted {
                    Some(Watermark::At(t)) if t < self.highest => Watermark::At(self.highest),
                    _ if self.is_idle => Watermark::Idle,
                    _ => return None,
                }
            }
            None => match those(true).map(|p| p.watermark).max() {
                // All are quiet: time is where the furthest of them came to, as it is over several readers.
                Some(t) if t > self.highest => {
                    self.highest = t;
                    Watermark::At(t)
                }
                _ => Watermark::Idle,
            },
        };
        (self.emitted != Some(merged)).then(|| {
            self.emitted = Some(merged);
            merged
        })
    }
}

fn value(array: &Int64Array, i: usize) -> Option<Millis> {
    use arrow::array::Array;
    array.is_valid(i).then(|| array.value(i))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn merge_takes_the_minimum_and_skips_idle_and_ended_inputs() {
        let mut m = WatermarkMerge::new(2);
        assert_eq!(m.update(0, Watermark::At(5)), []);
        assert_eq!(m.update(1, Watermark::At(3)), [Watermark::At(3)]);
        assert_eq!(m.update(1, Watermark::Idle), [Watermark::At(5)]);
        assert_eq!(m.update(1, Watermark::At(4)), [], "never goes back");
        assert_eq!(m.update(0, Watermark::At(9)), []);
        assert_eq!(m.end(1), [Watermark::At(9)]);
        assert_eq!(m.end(0), []);
    }

    /// Otherwise what the slower one of them emits next would be late behind the merge.
    #[test]
    fn an_idle_input_of_an_active_group_holds_the_others() {
        let mut m = WatermarkMerge::grouped(vec![Some(0), Some(0), None]);
        m.update(0, Watermark::At(5));
        m.update(1, Watermark::At(5));
        assert_eq!(m.update(2, Watermark::Idle), [Watermark::At(5)]);
        m.update(0, Watermark::Idle);
        assert_eq!(m.update(1, Watermark::Idle), [Watermark::Idle]);
        assert_eq!(
            m.update(0, Watermark::At(9)),
            [Watermark::At(5)],
            "active, but no further"
        );
        assert_eq!(m.update(1, Watermark::At(9)), [Watermark::At(9)]);
    }

    #[test]
    fn the_end_of_input_does_not_outrun_an_idle_input() {
        let mut m = WatermarkMerge::new(2);
        m.update(0, Watermark::Idle);
        assert_eq!(m.update(1, Watermark::At(5)), [Watermark::At(5)]);
        assert_eq!(m.update(1, Watermark::At(Millis::MAX)), []);
        m.end(1);
        assert_eq!(
            m.update(0, Watermark::At(Millis::MAX)),
            [Watermark::At(Millis::MAX)]
        );
    }

    /// Otherwise what the others did at that time would be late here.
    #[test]
    fn what_an_input_said_before_it_became_idle_is_not_lost() {
        let mut m = WatermarkMerge::new(2);
        assert_eq!(m.update(0, Watermark::At(5)), []);
        assert_eq!(m.update(0, Watermark::Idle), []);
        assert_eq!(
            m.update(1, Watermark::Idle),
            [Watermark::At(5), Watermark::Idle]
        );
        assert_eq!(
            m.update(0, Watermark::At(5)),
            [Watermark::At(5)],
            "no longer idle"
        );
    }

    #[test]
    fn rows_behind_their_partition_carry_its_watermark() {
        let mut w = PartitionWatermarks::default();
        let a: Arc<str> = "a".into();
        w.assign(Arc::clone(&a), None, 0);
        let marks = Int64Array::from(vec![90, 40, 110]);
        let behind = w.observe(&a, &[100, 50, 120], &marks, &[], 0).1.unwrap();
        assert_eq!(behind.iter().collect::<Vec<_>>(), [None, Some(90), None]);
        assert_eq!(w.merged(), Some(Watermark::At(110)));
        assert!(
            w.observe(&a, &[130], &Int64Array::from(vec![120]), &[], 0)
                .1
                .is_none()
        );
    }

    #[test]
    fn rows_are_taken_up_to_the_one_that_takes_the_watermark_into_another_step() {
        let mut w = PartitionWatermarks::default();
        let a: Arc<str> = "a".into();
        w.assign(Arc::clone(&a), None, 0);
        let times = [3, 9, 7, 10, 15, 31, 32];
        let marks = Int64Array::from(times.to_vec());
        let (mut from, mut taken) = (0, Vec::new());
        while from < times.len() {
            let rest = marks.slice(from, times.len() - from);
            let (count, _) = w.observe(&a, &times[from..], &rest, &[10], 0);
            taken.push(count);
            from += count;
        }
        assert_eq!(taken, [1, 3, 2, 1], "the first says what time it is");
    }

    #[test]
    fn a_partition_without_rows_holds_the_watermark_until_it_is_idle_or_ends() {
        let mut w = PartitionWatermarks::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        w.assign(Arc::clone(&a), None, 0);
        w.assign(Arc::clone(&b), None, 0);
        w.observe(&a, &[100], &Int64Array::from(vec![90]), &[], 50);
        assert_eq!(w.merged(), None);
        w.mark_idle(60, 60);
        assert_eq!(w.merged(), Some(Watermark::At(90)));
        let behind = w
            .observe(&b, &[80], &Int64Array::from(vec![70]), &[], 61)
            .1
            .unwrap();
        assert_eq!(behind.value(0), 90, "passed while idle");
        assert_eq!(behind.len(), 1);
    }

    #[test]
    fn when_all_are_idle_time_is_where_the_furthest_came_to() {
        let mut w = PartitionWatermarks::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        w.set_assigned();
        w.assign(Arc::clone(&a), None, 0);
        w.assign(b, None, 0);
        w.observe(&a, &[100], &Int64Array::from(vec![90]), &[], 0);
        assert_eq!(w.merged(), None);
        w.mark_idle(60, 60);
        assert_eq!(w.merged(), Some(Watermark::At(90)));
        assert_eq!(w.merged(), Some(Watermark::Idle));
        assert_eq!(w.merged(), None);
    }

    #[test]
    fn a_watched_folder_without_new_files_is_idle() {
        let mut w = PartitionWatermarks::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        w.set_assigned();
        w.assign(Arc::clone(&a), None, 0);
        w.observe(&a, &[100], &Int64Array::from(vec![90]), &[], 0);
        assert_eq!(w.merged(), Some(Watermark::At(90)));
        w.end(&a, 10);
        w.mark_idle(60, 69);
        assert_eq!(w.merged(), None, "not for long enough");
        w.mark_idle(60, 70);
        assert_eq!(w.merged(), Some(Watermark::Idle));
        assert_eq!(w.merged(), None);
        w.assign(Arc::clone(&b), None, 80);
        assert_eq!(w.merged(), Some(Watermark::At(90)), "no longer idle");
        let behind = w.observe(&b, &[80], &Int64Array::from(vec![70]), &[], 81);
        assert_eq!(behind.1.unwrap().value(0), 90, "passed while idle");
    }

    #[test]
    fn a_watched_folder_moves_with_the_clock() {
        let mut w = PartitionWatermarks::default();
        let a: Arc<str> = "a".into();
        w.set_assigned();
        w.assign(Arc::clone(&a), None, 0);
        w.observe(&a, &[100], &Int64Array::from(vec![90]), &[], 0);
        assert_eq!(w.merged(), Some(Watermark::At(90)));
        w.end(&a, 10);
        w.advance_quiet(60, 70);
        assert_eq!(w.merged(), Some(Watermark::At(150)));
        w.advance_quiet(60, 80);
        assert_eq!(w.merged(), Some(Watermark::At(160)));
    }

    #[test]
    fn a_quiet_source_moves_with_the_clock() {
        let mut w = PartitionWatermarks::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        w.assign(Arc::clone(&a), None, 0);
        w.assign(b, None, 0);
        w.observe(&a, &[1000], &Int64Array::from(vec![990]), &[], 100);
        w.advance_quiet(60, 150);
        assert_eq!(w.merged(), None, "not quiet for long enough");
        w.advance_quiet(60, 160);
        assert_eq!(w.merged(), Some(Watermark::At(1050)));
        w.advance_quiet(60, 200);
        assert_eq!(w.merged(), Some(Watermark::At(1090)));
        let behind = w.observe(&a, &[1080], &Int64Array::from(vec![1070]), &[], 210);
        assert_eq!(
            behind.1.unwrap().value(0),
            1090,
            "what the clock passed is late"
        );
    }

    #[test]
    fn a_reader_without_partitions_is_idle_once_that_is_known() {
        let mut w = PartitionWatermarks::default();
        assert_eq!(w.merged(), None);
        w.set_assigned();
        assert_eq!(w.merged(), Some(Watermark::Idle));
        assert_eq!(w.merged(), None, "said once");
    }
}
