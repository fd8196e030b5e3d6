//! OVER (... ORDER BY time): every row, once it is complete, with functions over the rows before it. Append-only.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, new_empty_array};
use arrow::datatypes::{Field, Int64Type, Schema, SchemaRef};
use arrow::row::OwnedRow;
use datafusion::common::ScalarValue;

use super::late::{LateRows, Reason, too_late};
use super::over_frame::{Calls, FrameState, Spans};
use super::{Metrics, Operator, Output, event_times};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::{Over, OverTime};
use crate::state::{Arrivals, ChangedKeys, Detail, KeyedState, RowCodec, StatePart, with_numbers};
use crate::time::{Millis, Watermark};

/// A row that waits, and its number.
type Waiting = (i64, OwnedRow);

/// What is kept of one partition.
struct Partition {
    frame: FrameState,
    /// The time of its last row.
    last: Millis,
}

/// Of a partition that changed: the rows of it that earlier snapshots hold. They follow each other, so what came and went since
/// then needs no list.
#[derive(Default)]
struct Before {
    spans: Option<Spans>,
    /// The partition was given up since then: a row that is there now with the number of one then is another.
    is_over: bool,
}

impl Before {
    fn remember(&mut self, partition: &Partition) {
        self.spans.get_or_insert_with(|| partition.frame.spans());
    }
}

impl Detail<Partition> for Before {
    fn removed(&mut self, partition: &Partition) {
        self.remember(partition);
        self.is_over = true;
    }
}

/// Rows wait until the watermark has passed their time (or go on at once, by arrival).
pub struct OverAggregate {
    over: Arc<Over>,
    calls: Calls,
    schema: SchemaRef,
    rows: RowCodec,
    keys: RowCodec,
    /// The rows that wait, numbered: by time, then by partition, then by arrival.
    waiting: BTreeMap<Millis, BTreeMap<OwnedRow, Vec<Waiting>>>,
    arrivals: Arrivals,
    partitions: KeyedState<Partition, Before>,
    /// With a frame bounded by time: partitions by the time of their last row, to be freed when no frame reaches it.
    lasts: BTreeSet<(Millis, OwnedRow)>,
    watermark: Millis,
    metrics: Arc<Metrics>,
}

impl OverAggregate {
    /// No rows yet.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state, or a function is not supported.
    pub fn new(
        over: &Arc<Over>,
        input: &SchemaRef,
        schema: &SchemaRef,
        metrics: Arc<Metrics>,
    ) -> Result<Self> {
        Ok(Self {
            calls: Calls::new(over, input)?,
            schema: Arc::clone(schema),
            rows: RowCodec::new(Arc::clone(input))?,
            keys: RowCodec::of_columns(input, &over.partition)?,
            waiting: BTreeMap::new(),
            arrivals: Arrivals::default(),
            partitions: KeyedState::new(over.ttl),
            lasts: BTreeSet::new(),
            watermark: Millis::MIN,
            over: Arc::clone(over),
            metrics,
        })
    }

    /// Rows, with these numbers, that are to wait.
    fn wait(
        &mut self,
        batch: &Batch,
        time: usize,
        numbers: impl Iterator<Item = i64>,
    ) -> Result<LateRows> {
        let times = event_times(batch.rows.column(time))?;
        if times.null_count() > 0 {
            return Err(
                Error::data("the time attribute an OVER is ordered by is NULL")
                    .with_help("RowTime field should not be null: filter such rows away before"),
            );
        }
        let keys = self
            .keys
            .encode_columns(&batch.rows, &self.over.partition)?;
        let rows = self.rows.encode_rows(&batch.rows)?;
        let mut late = LateRows::default();
        for (i, (key, row)) in keys.into_iter().zip(numbers.zip(rows)).enumerate() {
            let t = times.value(i);
            // Late (Flink): at or before the watermark.
            if let Some(watermark) = too_late(t, batch.behind(i), self.watermark) {
                late.add(i, watermark, Reason::Time(t));
                continue;
            }
            self.waiting
                .entry(t)
                .or_default()
                .entry(key)
                .or_default()
                .push(row);
        }
        Ok(late)
    }

    fn release(&mut self, watermark: Millis, out: &mut Output) -> Result<()> {
        let mut groups: Vec<(Millis, OwnedRow, Vec<Waiting>)> = Vec::new();
        while let Some(entry) = self.waiting.first_entry() {
            let time = *entry.key();
            if time > watermark {
                break;
            }
            groups.extend(
                entry
                    .remove()
                    .into_iter()
                    .map(|(key, rows)| (time, key, rows)),
            );
        }
        if groups.is_empty() {
            return Ok(());
        }
        let all = || groups.iter().flat_map(|(_, _, rows)| rows);
        let numbers = Int64Array::from_iter_values(all().map(|(n, _)| *n));
        let rows = self.rows.decode(all().map(|(_, row)| row))?;
        self.arrivals
            .go(&rows.project(&self.over.partition)?, &numbers)?;
        let groups = groups
            .into_iter()
            .map(|(time, key, rows)| (time, key, rows.len()));
        self.emit(rows, groups.collect(), out)
    }

    /// Emits rows that are next in order, in groups of partition and time.
    fn emit(
        &mut self,
        rows: RecordBatch,
        groups: Vec<(Millis, OwnedRow, usize)>,
        out: &mut Output,
    ) -> Result<()> {
        let arguments = self.calls.arguments(&rows)?;
        let mut results: Vec<Vec<ScalarValue>> = vec![Vec::new(); self.calls.len()];
        let mut start = 0;
        for (time, key, n) in groups {
            let writing = self.partitions.write(&key, || {
                let frame = self.calls.state()?;
                Ok(Partition { frame, last: time })
            })?;
            let partition = writing.value;
            if let Some(before) = writing.detail {
                before.remember(partition);
            }
            if self.calls.range().is_some() {
                let place = (partition.last, key);
                self.lasts.remove(&place);
                self.lasts.insert((time, place.1));
            }
            partition.last = time;
            let state = &mut partition.frame;
            let end = start + n;
            if self.calls.by_peers() {
                state.step(
                    &self.calls,
                    &arguments,
                    start..end,
                    time,
                    true,
                    &mut results,
                )?;
            } else {
                for i in start..end {
                    state.step(
                        &self.calls,
                        &arguments,
                        i..i + 1,
                        time,
                        i == start,
                        &mut results,
                    )?;
                }
            }
            start = end;
        }
        out.batch(Batch::append(with_results(&rows, results, &self.schema)?));
        Ok(())
    }

    /// A partition was given up: it need not be any more.
    fn given_up(&mut self, expired: Vec<(OwnedRow, Partition)>) {
        for (key, partition) in expired {
            self.lasts.remove(&(partition.last, key));
        }
    }
}

/// The rows with a column of results a call behind their own.
pub fn with_results(
    rows: &RecordBatch,
    results: Vec<Vec<ScalarValue>>,
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let mut columns = rows.columns().to_vec();
    let fields = schema.fields().iter().skip(columns.len());
    for (values, field) in results.into_iter().zip(fields.collect::<Vec<_>>()) {
        columns.push(if values.is_empty() {
            arrow::array::new_empty_array(field.data_type())
        } else {
            ScalarValue::iter_to_array(values)?
        });
    }
    RecordBatch::try_new(Arc::clone(schema), columns)
        .map_err(|e| Error::internal(format!("an OVER gave other columns than planned: {e}")))
}

impl Operator for OverAggregate {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        match &self.over.time {
            OverTime::Event(time) => {
                let (time, numbers) = (*time, self.arrivals.come(batch.num_rows()));
                let late = self.wait(&batch, time, numbers)?;
                late.hand_out("OverAggregate", &batch, &self.metrics, out)
            }
            OverTime::Arrival(time) => {
                let keys = self
                    .keys
                    .encode_columns(&batch.rows, &self.over.partition)?;
                let times = match time {
                    Some(column) => event_times(batch.rows.column(*column))?.values().to_vec(),
                    None => vec![0; keys.len()],
                };
                let groups = times
                    .into_iter()
                    .zip(keys)
                    .map(|(t, key)| (t, key, 1))
                    .collect();
                self.emit(batch.rows, groups, out)
            }
            OverTime::Updating(_) => Err(Error::internal(
                "an OVER in the order of any column is UpdatingOver",
            )),
        }
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
            self.release(t, out)?;
            self.watermark = t;
            if let Some(range) = self.calls.range() {
                while let Some((last, _)) = self.lasts.first()
                    && last.saturating_add(range) < t
                {
                    if let Some((_, key)) = self.lasts.pop_first() {
                        self.partitions.remove(&key);
                    }
                }
            }
            let expired = self.partitions.on_watermark(t);
            self.given_up(expired);
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.partitions.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        let expired = self.partitions.on_clock(now);
        self.given_up(expired);
        Ok(())
    }

    /// Parts "waiting", the rows that wait, "partitions", the numbers and accumulators of each, and, where rows are kept,
    /// "history" and "recent", by the numbers they have in their partition.
    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        let mut parts = Vec::new();
        if matches!(self.over.time, OverTime::Event(_)) {
            let waiting = self.waiting.values().flat_map(BTreeMap::values).flatten();
            let new: Vec<_> = waiting.filter(|(n, _)| self.arrivals.is_new(*n)).collect();
            let numbers = Int64Array::from_iter_values(new.iter().map(|(n, _)| *n));
            let rows = self.rows.decode(new.iter().map(|(_, row)| row))?;
            let key = &self.over.partition;
            parts.push(self.arrivals.part("waiting", &rows, numbers, key)?);
        }
        let changed = self.partitions.take_changes();
        parts.push(self.partitions_part(&changed)?);
        if self.calls.is_bounded() {
            let span = |spans: &Spans| spans.history.clone();
            parts.push(self.rows_part("history", &changed, span, FrameState::history)?);
        }
        if self.calls.looks_back() {
            let span = |spans: &Spans| spans.recent.clone();
            parts.push(self.rows_part("recent", &changed, span, FrameState::recent)?);
        }
        Ok(parts)
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        let width = self.over.partition.len();
        let key_places: Vec<usize> = (0..width).collect();
        for part in parts.iter().filter(|p| p.name == "partitions") {
            let keys = self.keys.encode_columns(&part.rows, &key_places)?;
            let ints = |c: usize| part.rows.column(width + c).as_primitive::<Int64Type>();
            for (i, key) in keys.into_iter().enumerate() {
                let mut frame = self.calls.state()?;
                frame.restore_numbers([ints(2).value(i), ints(3).value(i), ints(4).value(i)]);
                for c in 0..self.calls.len() {
                    let columns = part.rows.schema();
                    let values = (0..)
                        .map_while(|s| columns.index_of(&format!("__call{c}_{s}")).ok())
                        .map(|at| Ok(ScalarValue::try_from_array(part.rows.column(at), i)?))
                        .collect::<Result<Vec<_>>>()?;
                    if !values.is_empty() {
                        frame.restore_accumulator(&self.calls, c, &values)?;
                    }
                }
                let last = ints(1).value(i);
                if self.calls.range().is_some() {
                    self.lasts.insert((last, key.clone()));
                }
                let written = ints(0).is_valid(i).then(|| ints(0).value(i));
                let partition = Partition { frame, last };
                self.partitions.restore(key, partition, written);
            }
        }
        for part in &parts {
            match part.name.as_str() {
                "waiting" => {
                    let (rows, numbers) = self.arrivals.restore(part)?;
                    let numbers = numbers.values().iter().copied();
                    self.wait(&Batch::append(rows), self.time_column()?, numbers)?;
                }
                "history" | "recent" => {
                    let keys = self.keys.encode_columns(&part.rows, &key_places)?;
                    let numbers = part.rows.column(width).as_primitive::<Int64Type>();
                    let times = part.rows.column(width + 1).as_primitive::<Int64Type>();
                    let arguments: Vec<usize> = (width + 2..part.rows.num_columns()).collect();
                    let rows = self.calls.codec().encode_columns(&part.rows, &arguments)?;
                    let all = numbers.values().iter().zip(&keys).zip(times.values());
                    let mut all: Vec<_> = all.zip(rows).collect();
                    all.sort_by_key(|(((number, _), _), _)| **number);
                    for (((_, key), time), row) in all {
                        let Some(partition) = self.partitions.get_mut(key) else {
                            continue;
                        };
                        if part.name == "history" {
                            partition.frame.restore_history(&self.calls, *time, row)?;
                        } else {
                            partition.frame.restore_recent(row);
                        }
                    }
                }
                _ => {}
            }
        }
        self.arrivals.restored();
        self.partitions.restored();
        Ok(())
    }
}

/// State columns of our own. No column of a query can have such a name before it.
const WRITTEN: &str = "__written";
const LAST: &str = "__last";
const NUMBER: &str = "__number";
const TIME: &str = "__time";

impl OverAggregate {
    fn time_column(&self) -> Result<usize> {
        match self.over.time {
            OverTime::Event(column) => Ok(column),
            _ => Err(Error::internal("rows that wait in an OVER by arrival")),
        }
    }

    fn partitions_part(&mut self, changed: &ChangedKeys<Before>) -> Result<StatePart> {
        let width = self.over.partition.len();
        let keys: Vec<&OwnedRow> = changed.there().collect();
        let mut rows = self.keys.decode(keys.iter().copied())?;
        let partitions = || keys.iter().filter_map(|key| self.partitions.get(key));
        let written = self.partitions.written(keys.iter().copied());
        let lasts = Int64Array::from_iter_values(partitions().map(|p| p.last));
        let mut numbers = vec![(WRITTEN, written), (LAST, lasts)];
        for (i, name) in ["__rows", "__rank", "__dense_rank"].into_iter().enumerate() {
            let values = partitions().map(|p| p.frame.numbers()[i]);
            numbers.push((name, Int64Array::from_iter_values(values)));
        }
        for (name, values) in numbers {
            rows = with_numbers(&rows, name, values)?;
        }
        let mut fields = rows.schema().fields().to_vec();
        let mut columns = rows.columns().to_vec();
        for c in 0..self.calls.len() {
            // A partition without rows says of what types the state is.
            let empty = self.calls.state()?.accumulated(&self.calls, c)?;
            let mut states: Vec<Vec<ScalarValue>> =
                vec![Vec::new(); empty.as_ref().map_or(0, Vec::len)];
            for key in &keys {
                let Some(partition) = self.partitions.get_mut(key) else {
                    continue;
                };
                let state = partition.frame.accumulated(&self.calls, c)?;
                let values = state.into_iter().flatten();
                states.iter_mut().zip(values).for_each(|(s, v)| s.push(v));
            }
            for (i, (values, empty)) in states
                .into_iter()
                .zip(empty.into_iter().flatten())
                .enumerate()
            {
                let column = if values.is_empty() {
                    new_empty_array(&empty.data_type())
                } else {
                    ScalarValue::iter_to_array(values)?
                };
                // The accumulator's own type: that of a sliding one is not what the function declares.
                let data_type = column.data_type().clone();
                fields.push(Arc::new(Field::new(
                    format!("__call{c}_{i}"),
                    data_type,
                    true,
                )));
                columns.push(column);
            }
        }
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        let key: Vec<usize> = (0..width).collect();
        let part = StatePart::keyed("partitions", rows, &key)?;
        Ok(part.replacing(key, changed.gone(&self.keys)?))
    }

    /// Rows of partitions: the keys, the number of the row (both are the key of the state), its time and arguments. `span`: which
    /// rows are kept; `rows`: those from a number on.
    fn rows_part<'a, I>(
        &'a self,
        name: &str,
        changed: &'a ChangedKeys<Before>,
        span: impl Fn(&Spans) -> Range<i64>,
        rows: impl Fn(&'a FrameState, i64) -> I,
    ) -> Result<StatePart>
    where
        I: Iterator<Item = (i64, Millis, &'a OwnedRow)>,
    {
        let mut there: Vec<(&OwnedRow, (i64, Millis, &OwnedRow))> = Vec::new();
        let mut gone: Vec<(&OwnedRow, i64)> = Vec::new();
        for (key, before) in changed.there.iter().chain(&changed.gone) {
            let partition = self.partitions.get(key);
            let known = match &before.spans {
                _ if changed.is_whole => 0..0,
                Some(spans) => span(spans),
                // Only when it was written has changed.
                None => continue,
            };
            let now = partition.map_or(0..0, |p| span(&p.frame.spans()));
            let is_new = changed.is_whole || before.is_over;
            let from = if is_new { i64::MIN } else { known.end };
            let new = partition.into_iter().flat_map(|p| rows(&p.frame, from));
            there.extend(new.map(|row| (key, row)));
            let up_to = if before.is_over {
                known.end
            } else {
                known.end.min(now.start)
            };
            let went = (known.start..up_to).filter(|n| !now.contains(n));
            gone.extend(went.map(|n| (key, n)));
        }
        let arguments = self.calls.codec();
        let columns = self.keys.decode(there.iter().map(|(key, _)| *key))?;
        let numbers = there.iter().map(|(_, (number, ..))| *number);
        let columns = with_numbers(&columns, NUMBER, Int64Array::from_iter_values(numbers))?;
        let times = there.iter().map(|(_, (_, time, _))| *time);
        let keys = with_numbers(&columns, TIME, Int64Array::from_iter_values(times))?;
        let values = arguments.decode(there.iter().map(|(_, (.., row))| *row))?;
        let mut fields = keys.schema().fields().to_vec();
        fields.extend(arguments.schema().fields().iter().cloned());
        let mut columns = keys.columns().to_vec();
        columns.extend(values.columns().iter().cloned());
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        let mut key: Vec<usize> = (0..self.over.partition.len()).collect();
        let part = StatePart::keyed(name, rows, &key)?;
        if changed.is_whole {
            return Ok(part);
        }
        key.push(key.len());
        let keys = self.keys.decode(gone.iter().map(|(key, _)| *key))?;
        let numbers = gone.iter().map(|(_, number)| *number);
        let gone = with_numbers(&keys, NUMBER, Int64Array::from_iter_values(numbers))?;
        Ok(part.replacing(key, Some(gone)))
    }
}
