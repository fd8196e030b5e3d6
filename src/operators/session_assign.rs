//! Collects rows into sessions per key and emits them, with their window, once the watermark passes it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, Int64Array};
use arrow::datatypes::SchemaRef;
use arrow::row::OwnedRow;

use super::late::{LateRows, Reason, too_late};
use super::window_assign::with_windows;
use super::{Metrics, Operator, Output, event_times};
use crate::changelog::{Batch, rows_of};
use crate::error::{Error, Result};
use crate::state::{Arrivals, RowCodec, StatePart};
use crate::time::{Millis, Watermark};

/// An open session: it ends `gap` after its last row.
#[derive(Debug)]
struct Session {
    start: Millis,
    end: Millis,
    /// With their numbers.
    rows: Vec<(i64, OwnedRow)>,
}

/// Appends window_start, window_end and window_time of the session to rows.
pub struct SessionAssign {
    // Properties.
    gap: Millis,
    time: usize,
    keys: Vec<usize>,
    schema: SchemaRef,
    codec: RowCodec,
    // State: the open sessions of each key, and all of them by end.
    sessions: HashMap<OwnedRow, Vec<Session>>,
    ends: BTreeSet<(Millis, OwnedRow)>,
    arrivals: Arrivals,
    watermark: Millis,
    metrics: Arc<Metrics>,
}

impl SessionAssign {
    /// Sessions of rows `input` by `keys`, over the time column `time`, ended by `gap` milliseconds without a row.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(
        gap: Millis,
        time: usize,
        keys: Vec<usize>,
        input: SchemaRef,
        schema: SchemaRef,
        metrics: Arc<Metrics>,
    ) -> Result<Self> {
        Ok(Self {
            gap,
            time,
            keys,
            schema,
            codec: RowCodec::new(input)?,
            sessions: HashMap::new(),
            ends: BTreeSet::new(),
            arrivals: Arrivals::default(),
            watermark: Millis::MIN,
            metrics,
        })
    }

    /// Adds a row to the session it touches. Where that session is over for it (Flink judges after merging) it is not added:
    /// returns the session's end and the watermark that is past it.
    fn add(
        &mut self,
        key: OwnedRow,
        time: Millis,
        behind: Option<Millis>,
        row: (i64, OwnedRow),
    ) -> Option<(Millis, Millis)> {
        let mut merged = Session {
            start: time,
            end: time.saturating_add(self.gap),
            rows: Vec::new(),
        };
        let open = self.sessions.entry(key.clone()).or_default();
        // A session that was over for the row's partition is closed to it, even if other partitions hold it open here.
        let passed = behind.unwrap_or(Millis::MIN);
        let touches =
            |s: &Session| s.start <= merged.end && merged.start <= s.end && s.end - 1 > passed;
        let touched: Vec<usize> = (0..open.len()).filter(|i| touches(&open[*i])).collect();
        let end = touched
            .iter()
            .map(|i| open[*i].end)
            .fold(merged.end, Millis::max);
        if let Some(watermark) = too_late(end - 1, behind, self.watermark) {
            if open.is_empty() {
                self.sessions.remove(&key);
            }
            return Some((end, watermark));
        }
        for i in touched.into_iter().rev() {
            let session = open.swap_remove(i);
            self.ends.remove(&(session.end, key.clone()));
            merged.start = merged.start.min(session.start);
            merged.end = merged.end.max(session.end);
            if merged.rows.is_empty() {
                merged.rows = session.rows;
            } else {
                merged.rows.extend(session.rows);
            }
        }
        merged.rows.push(row);
        self.ends.insert((merged.end, key));
        open.push(merged);
        None
    }

    /// Adds rows with these numbers.
    fn add_all(&mut self, batch: &Batch, numbers: impl Iterator<Item = i64>) -> Result<LateRows> {
        let times = event_times(batch.rows.column(self.time))?;
        let keys = rows_of(&batch.rows, &self.keys)?;
        let rows = self.codec.encode_rows(&batch.rows)?;
        let mut late = LateRows::default();
        for (i, (key, row)) in keys.into_iter().zip(numbers.zip(rows)).enumerate() {
            if times.is_null(i) {
                return Err(
                    Error::data("the time attribute of a window is NULL").with_help(
                        "RowTime field should not be null: filter such rows away before the window",
                    ),
                );
            }
            let time = times.value(i);
            if let Some((end, watermark)) = self.add(key, time, batch.behind(i), row) {
                late.add(i, watermark, Reason::Session(time, end));
            }
        }
        Ok(late)
    }
}

impl Operator for SessionAssign {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let numbers = self.arrivals.come(batch.num_rows());
        let late = self.add_all(&batch, numbers)?;
        late.hand_out("WindowTableFunction", &batch, &self.metrics, out)
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
            self.watermark = t;
            let (mut rows, mut starts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
            while let Some((end, _)) = self.ends.first() {
                if end - 1 > t {
                    break;
                }
                let Some((end, key)) = self.ends.pop_first() else {
                    break;
                };
                let Some(open) = self.sessions.get_mut(&key) else {
                    continue;
                };
                if let Some(i) = open.iter().position(|s| s.end == end) {
                    let session = open.swap_remove(i);
                    starts.resize(starts.len() + session.rows.len(), session.start);
                    ends.resize(ends.len() + session.rows.len(), session.end);
                    rows.extend(session.rows);
                }
                if open.is_empty() {
                    self.sessions.remove(&key);
                }
            }
            if !rows.is_empty() {
                let numbers = Int64Array::from_iter_values(rows.iter().map(|(n, _)| *n));
                let rows = self.codec.decode(rows.iter().map(|(_, row)| row))?;
                self.arrivals.go(&rows.project(&self.keys)?, &numbers)?;
                out.batch(Batch::append(with_windows(
                    &rows,
                    starts,
                    ends,
                    &self.schema,
                )?));
            }
        }
        out.watermark(watermark);
        Ok(())
    }

    /// A part "rows": the rows of open sessions, and `__number`. Sessions follow from their rows.
    fn snapshot(&mut self) -> Result<Vec<StatePart>> {
        let all = self.sessions.values().flatten().flat_map(|s| &s.rows);
        let new: Vec<_> = all.filter(|(n, _)| self.arrivals.is_new(*n)).collect();
        let numbers = Int64Array::from_iter_values(new.iter().map(|(n, _)| *n));
        let rows = self.codec.decode(new.iter().map(|(_, row)| row))?;
        let part = self.arrivals.part("rows", &rows, numbers, &self.keys)?;
        Ok(vec![part])
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        for part in parts {
            let (rows, numbers) = self.arrivals.restore(&part)?;
            self.add_all(&Batch::append(rows), numbers.values().iter().copied())?;
        }
        self.arrivals.restored();
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, RecordBatch, TimestampMillisecondArray};
    use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

    fn assign() -> SessionAssign {
        let ts = || DataType::Timestamp(TimeUnit::Millisecond, None);
        let input = Arc::new(Schema::new(vec![Field::new("t", ts(), false)]));
        let names = ["t", "window_start", "window_end", "window_time"];
        let schema = Arc::new(Schema::new(
            names.map(|n| Field::new(n, ts(), false)).to_vec(),
        ));
        SessionAssign::new(10, 0, vec![], input, schema, Arc::default()).unwrap()
    }

    fn rows(times: &[i64]) -> Batch {
        let column: ArrayRef = Arc::new(TimestampMillisecondArray::from(times.to_vec()));
        Batch::append(RecordBatch::try_from_iter([("t", column)]).unwrap())
    }

    fn sessions_of(operator: &mut SessionAssign, watermark: i64) -> Vec<(i64, i64)> {
        let mut out = Output::default();
        operator
            .on_watermark(Watermark::At(watermark), &mut out)
            .unwrap();
        let mut windows = Vec::new();
        for element in out.elements {
            if let super::super::Element::Batch(b) = element {
                let (s, e) = (
                    event_times(b.rows.column(1)).unwrap(),
                    event_times(b.rows.column(2)).unwrap(),
                );
                windows.extend((0..s.len()).map(|i| (s.value(i), e.value(i))));
            }
        }
        windows
    }

    #[test]
    fn rows_exactly_the_gap_apart_are_one_session_and_a_row_between_joins_two() {
        let mut op = assign();
        op.on_batch(0, rows(&[0, 10, 40, 55, 48]), &mut Output::default())
            .unwrap();
        assert_eq!(
            sessions_of(&mut op, 100),
            [(0, 20), (0, 20), (40, 65), (40, 65), (40, 65)]
        );
        assert!(op.sessions.is_empty() && op.ends.is_empty());
    }

    #[test]
    fn a_snapshot_restores_the_open_sessions() {
        let mut op = assign();
        op.on_batch(0, rows(&[0, 5, 30]), &mut Output::default())
            .unwrap();
        let mut other = assign();
        other.restore(op.snapshot().unwrap()).unwrap();
        assert_eq!(sessions_of(&mut other, 100), sessions_of(&mut op, 100));
    }
}
