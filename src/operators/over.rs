//! OVER (... ORDER BY time): every row, once it is complete, with functions over the rows before it. Append-only.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::row::OwnedRow;
use datafusion::common::ScalarValue;

use super::over_frame::{Calls, FrameState};
use super::{Metrics, Operator, Output, event_times};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::{Over, OverTime};
use crate::state::{Expiry, RowCodec, StatePart};
use crate::time::{Millis, Watermark};

/// Rows wait until the watermark has passed their time (or go on at once, by arrival).
pub struct OverAggregate {
    over: Arc<Over>,
    calls: Calls,
    schema: SchemaRef,
    rows: RowCodec,
    keys: RowCodec,
    /// The rows that wait: by time, then by partition, then by arrival.
    waiting: BTreeMap<Millis, BTreeMap<OwnedRow, Vec<OwnedRow>>>,
    partitions: HashMap<OwnedRow, FrameState>,
    /// With a frame bounded by time: partitions by the time of their last row, to be freed when no frame reaches it.
    lasts: BTreeSet<(Millis, OwnedRow)>,
    last_of: HashMap<OwnedRow, Millis>,
    watermark: Millis,
    expiry: Expiry<OwnedRow>,
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
            partitions: HashMap::new(),
            lasts: BTreeSet::new(),
            last_of: HashMap::new(),
            watermark: Millis::MIN,
            expiry: Expiry::new(over.ttl),
            over: Arc::clone(over),
            metrics,
        })
    }

    fn wait(&mut self, batch: &Batch, time: usize) -> Result<()> {
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
        for (i, (key, row)) in keys.into_iter().zip(rows).enumerate() {
            let t = times.value(i);
            // Late (Flink): at or before the watermark.
            if t <= batch.behind(i).unwrap_or(Millis::MIN).max(self.watermark) {
                self.metrics.count_late(1);
                continue;
            }
            self.waiting
                .entry(t)
                .or_default()
                .entry(key)
                .or_default()
                .push(row);
        }
        Ok(())
    }

    fn release(&mut self, watermark: Millis, out: &mut Output) -> Result<()> {
        let mut groups: Vec<(Millis, OwnedRow, Vec<OwnedRow>)> = Vec::new();
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
        let rows = self
            .rows
            .decode(groups.iter().flat_map(|(_, _, rows)| rows))?;
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
            self.expiry.touch(&key);
            if self.calls.range().is_some() {
                if let Some(before) = self.last_of.insert(key.clone(), time) {
                    self.lasts.remove(&(before, key.clone()));
                }
                self.lasts.insert((time, key.clone()));
            }
            let state = match self.partitions.entry(key) {
                std::collections::hash_map::Entry::Occupied(o) => o.into_mut(),
                std::collections::hash_map::Entry::Vacant(v) => v.insert(self.calls.state()?),
            };
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

    fn forget(&mut self, key: &OwnedRow) {
        self.partitions.remove(key);
        if let Some(last) = self.last_of.remove(key) {
            self.lasts.remove(&(last, key.clone()));
        }
        self.expiry.forget(key);
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
            OverTime::Event(time) => self.wait(&batch, *time),
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
                while let Some((last, key)) = self.lasts.first().cloned()
                    && last.saturating_add(range) < t
                {
                    self.forget(&key);
                }
            }
            for key in self.expiry.on_watermark(t) {
                self.forget(&key);
            }
        }
        out.watermark(watermark);
        Ok(())
    }

    fn clock_period(&self) -> Option<u64> {
        self.expiry.clock_period()
    }

    fn on_clock(&mut self, now: i64, _out: &mut Output) -> Result<()> {
        for key in self.expiry.on_clock(now) {
            self.forget(&key);
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        let mut parts = Vec::new();
        let waiting: Vec<&OwnedRow> = self
            .waiting
            .values()
            .flat_map(|keys| keys.values().flatten())
            .collect();
        if !waiting.is_empty() {
            parts.push(StatePart::keyed(
                "waiting",
                self.rows.decode(waiting)?,
                &self.over.partition,
            )?);
        }
        if self.partitions.is_empty() {
            return Ok(parts);
        }
        let keys: Vec<OwnedRow> = self.partitions.keys().cloned().collect();
        let key_places: Vec<usize> = (0..self.over.partition.len()).collect();
        let mut fields = self.keys.schema().fields().to_vec();
        let mut columns = self.keys.decode(&keys)?.columns().to_vec();
        let mut ints = |name: &str, values: Int64Array| {
            fields.push(Arc::new(Field::new(name, DataType::Int64, true)));
            columns.push(Arc::new(values) as ArrayRef);
        };
        ints(
            WRITTEN,
            keys.iter().map(|k| self.expiry.written(k)).collect(),
        );
        ints(
            LAST,
            keys.iter().map(|k| self.last_of.get(k).copied()).collect(),
        );
        for (i, name) in ["__rows", "__rank", "__dense_rank"].into_iter().enumerate() {
            ints(
                name,
                keys.iter()
                    .map(|k| self.partitions.get(k).map(|p| p.numbers()[i]))
                    .collect(),
            );
        }
        for c in 0..self.calls.len() {
            let mut states: Vec<Vec<ScalarValue>> = Vec::new();
            for key in &keys {
                let Some(partition) = self.partitions.get_mut(key) else {
                    continue;
                };
                if let Some(state) = partition.accumulated(&self.calls, c)? {
                    states.resize(state.len(), Vec::new());
                    states.iter_mut().zip(state).for_each(|(s, v)| s.push(v));
                }
            }
            for (i, values) in states.into_iter().enumerate() {
                let column = ScalarValue::iter_to_array(values)?;
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
        parts.push(StatePart::keyed("partitions", rows, &key_places)?);
        let history = keys
            .iter()
            .filter_map(|k| Some((k, self.partitions.get(k)?)));
        let history = history.flat_map(|(k, p)| p.history().map(move |(t, row)| (k, *t, row)));
        parts.extend(self.rows_part("history", history.collect(), &key_places)?);
        let recent = keys
            .iter()
            .filter_map(|k| Some((k, self.partitions.get(k)?)));
        let recent = recent.flat_map(|(k, p)| p.recent().map(move |row| (k, 0, row)));
        parts.extend(self.rows_part("recent", recent.collect(), &key_places)?);
        Ok(parts)
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        let width = self.over.partition.len();
        let key_places: Vec<usize> = (0..width).collect();
        for part in parts.iter().filter(|p| p.name == "partitions") {
            let keys = self.keys.encode_columns(&part.rows, &key_places)?;
            let ints = |c: usize| part.rows.column(width + c).as_primitive::<Int64Type>();
            for (i, key) in keys.into_iter().enumerate() {
                let mut state = self.calls.state()?;
                state.restore_numbers([ints(2).value(i), ints(3).value(i), ints(4).value(i)]);
                for c in 0..self.calls.len() {
                    let columns = part.rows.schema();
                    let values = (0..)
                        .map_while(|s| columns.index_of(&format!("__call{c}_{s}")).ok())
                        .map(|at| Ok(ScalarValue::try_from_array(part.rows.column(at), i)?))
                        .collect::<Result<Vec<_>>>()?;
                    if !values.is_empty() {
                        state.restore_accumulator(&self.calls, c, &values)?;
                    }
                }
                if ints(0).is_valid(i) {
                    self.expiry.set(&key, ints(0).value(i));
                }
                if ints(1).is_valid(i) {
                    self.last_of.insert(key.clone(), ints(1).value(i));
                    self.lasts.insert((ints(1).value(i), key.clone()));
                }
                self.partitions.insert(key, state);
            }
        }
        for part in &parts {
            match part.name.as_str() {
                "waiting" => self.wait(&Batch::append(part.rows.clone()), self.time_column()?)?,
                "history" | "recent" => {
                    let keys = self.keys.encode_columns(&part.rows, &key_places)?;
                    let times = part.rows.column(width).as_primitive::<Int64Type>();
                    let arguments: Vec<usize> = (width + 1..part.rows.num_columns()).collect();
                    let rows = self.calls.codec().encode_columns(&part.rows, &arguments)?;
                    for ((key, row), time) in keys.iter().zip(rows).zip(times.values()) {
                        let Some(state) = self.partitions.get_mut(key) else {
                            continue;
                        };
                        if part.name == "history" {
                            state.restore_history(&self.calls, *time, row)?;
                        } else {
                            state.restore_recent(row);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

const WRITTEN: &str = "__written";
const LAST: &str = "__last";

impl OverAggregate {
    fn time_column(&self) -> Result<usize> {
        match self.over.time {
            OverTime::Event(column) => Ok(column),
            _ => Err(Error::internal("rows that wait in an OVER by arrival")),
        }
    }

    /// Keys, a number and arguments as state.
    fn rows_part(
        &self,
        name: &str,
        entries: Vec<(&OwnedRow, Millis, &OwnedRow)>,
        key_places: &[usize],
    ) -> Result<Option<StatePart>> {
        if entries.is_empty() {
            return Ok(None);
        }
        let mut fields = self.keys.schema().fields().to_vec();
        let mut columns = self
            .keys
            .decode(entries.iter().map(|e| e.0))?
            .columns()
            .to_vec();
        fields.push(Arc::new(Field::new("__time", DataType::Int64, false)));
        columns.push(Arc::new(Int64Array::from_iter_values(
            entries.iter().map(|e| e.1),
        )));
        let arguments = self.calls.codec();
        fields.extend(arguments.schema().fields().iter().cloned());
        columns.extend(
            arguments
                .decode(entries.iter().map(|e| e.2))?
                .columns()
                .to_vec(),
        );
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        Ok(Some(StatePart::keyed(name, rows, key_places)?))
    }
}
