//! Collects rows into sessions per key and emits them, with their window, once the watermark passes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use hashbrown::HashMap;

use super::late::{LateRows, Reason, too_late};
use super::window_assign::with_windows;
use super::{Element, Metrics, Operator, Output, ROWS_AT_ONCE, event_times};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::state::{Slot, StatePart, Table, TableSnapshot};
use crate::time::{Millis, Watermark};

/// When a row arrived, and the session it is in: one that has its number. No column of a query can have such names.
const NUMBER: &str = "__number";
const SESSION: &str = "__session";

/// An open session: it ends `gap` after its last row.
#[derive(Debug)]
struct Session {
    number: i64,
    start: Millis,
    end: Millis,
    rows: Vec<Slot>,
}

/// Appends window_start, window_end and window_time of the session to rows.
pub struct SessionAssign {
    // Properties.
    gap: Millis,
    time: usize,
    keys: Vec<usize>,
    schema: SchemaRef,
    /// Number of columns of the input.
    width: usize,
    // State.
    /// The rows of open sessions, by key and number.
    rows: Table,
    /// The keys that have open sessions. It follows from the rows, and is in no snapshot.
    open: Table,
    /// By slot of the key.
    sessions: Vec<Vec<Session>>,
    /// All open sessions by end: slot of the key, and number.
    ends: BTreeSet<(Millis, Slot, i64)>,
    /// The number of the next row.
    next: i64,
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
        input: &SchemaRef,
        schema: &SchemaRef,
        metrics: Arc<Metrics>,
    ) -> Result<Self> {
        let mut fields = input.fields().to_vec();
        let width = fields.len();
        for name in [NUMBER, SESSION] {
            fields.push(Arc::new(Field::new(name, DataType::Int64, false)));
        }
        let mut key = keys.clone();
        key.push(width);
        let own = Arc::new(input.project(&keys)?);
        let all: Vec<usize> = (0..keys.len()).collect();
        Ok(Self {
            gap,
            time,
            schema: Arc::clone(schema),
            width,
            rows: Table::new("rows", Arc::new(Schema::new(fields)), &key, &keys, None)?,
            open: Table::new("open", own, &all, &all, None)?,
            sessions: Vec::new(),
            ends: BTreeSet::new(),
            next: 0,
            watermark: Millis::MIN,
            keys,
            metrics,
        })
    }

    /// The session that a row of this time would be in, and the watermark by which that is over for it (Flink judges after
    /// merging).
    fn judge(
        &self,
        key: Option<Slot>,
        time: Millis,
        behind: Option<Millis>,
    ) -> (Session, Option<Millis>) {
        let mut session = Session {
            number: self.next,
            start: time,
            end: time.saturating_add(self.gap),
            rows: Vec::new(),
        };
        let (start, end) = (session.start, session.end);
        let open = key.map_or(&[][..], |key| &self.sessions[key as usize]);
        for other in open.iter().filter(|s| touches(s, start, end, behind)) {
            session.start = session.start.min(other.start);
            session.end = session.end.max(other.end);
        }
        let late = too_late(session.end - 1, behind, self.watermark);
        (session, late)
    }

    /// Adds the sessions that a row of this time touches to the one it makes of them.
    fn merge(
        &mut self,
        key: Slot,
        time: Millis,
        behind: Option<Millis>,
        session: &mut Session,
    ) -> Result<()> {
        let open = &mut self.sessions[key as usize];
        let end = time.saturating_add(self.gap);
        let mut at = 0;
        while at < open.len() {
            if !touches(&open[at], time, end, behind) {
                at += 1;
                continue;
            }
            let mut other = open.swap_remove(at);
            self.ends.remove(&(other.end, key, other.number));
            // The rows of the smaller one go over.
            if other.rows.len() > session.rows.len() {
                std::mem::swap(&mut other.rows, &mut session.rows);
                std::mem::swap(&mut other.number, &mut session.number);
            }
            for slot in other.rows {
                self.rows.set_int(self.width + 1, slot, session.number)?;
                self.rows.touch(slot);
                session.rows.push(slot);
            }
        }
        Ok(())
    }

    fn keep(&mut self, key: Slot, session: Session) {
        self.ends.insert((session.end, key, session.number));
        self.sessions[key as usize].push(session);
    }

    fn key_columns(&self, columns: &[ArrayRef]) -> Vec<ArrayRef> {
        let keys = self.keys.iter();
        keys.map(|c| Arc::clone(&columns[*c])).collect()
    }

    /// The slot of a key, which is made for its first session.
    fn key(&mut self, keys: &crate::state::Keys, at: usize) -> Result<Slot> {
        let (key, _) = self.open.write(keys, at)?;
        let slots = self.open.slots();
        self.sessions.resize_with(slots, Vec::new);
        Ok(key)
    }
}

/// Whether a row with this window belongs to a session. One that was over for the row's partition is closed to it, even if other
/// partitions hold it open here.
fn touches(session: &Session, start: Millis, end: Millis, behind: Option<Millis>) -> bool {
    session.start <= end && start <= session.end && session.end - 1 > behind.unwrap_or(Millis::MIN)
}

impl Operator for SessionAssign {
    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let n = batch.num_rows();
        let times = event_times(batch.rows.column(self.time))?;
        if times.null_count() > 0 {
            return Err(
                Error::data("the time attribute of a window is NULL").with_help(
                    "RowTime field should not be null: filter such rows away before the window",
                ),
            );
        }
        let mut columns = self.key_columns(batch.rows.columns());
        let keys = self.open.keys_of(&columns, n)?;
        // Late rows have numbers too, which nobody uses.
        let numbers = Int64Array::from_iter_values((self.next..).take(n));
        columns.push(Arc::new(numbers));
        let places = self.rows.keys_of(&columns, n)?;
        let mut late = LateRows::default();
        let mut keep = Vec::with_capacity(n);
        let mut slots = Vec::with_capacity(n);
        for (i, time) in times.values().iter().enumerate() {
            let behind = batch.behind(i);
            let (mut session, watermark) = self.judge(self.open.find(&keys, i), *time, behind);
            keep.push(watermark.is_none());
            self.next += 1;
            if let Some(watermark) = watermark {
                late.add(i, watermark, Reason::Session(*time, session.end));
                continue;
            }
            let key = self.key(&keys, i)?;
            self.merge(key, *time, behind, &mut session)?;
            let (slot, _) = self.rows.write(&places, i)?;
            self.rows.set_int(self.width + 1, slot, session.number)?;
            session.rows.push(slot);
            slots.push(slot);
            self.keep(key, session);
        }
        let kept = match late.is_empty() {
            true => batch.rows.clone(),
            false => batch.filter(&BooleanArray::from(keep))?.rows,
        };
        for column in (0..self.width).filter(|column| !self.keys.contains(column)) {
            self.rows.set(column, &slots, kept.column(column))?;
        }
        late.hand_out("WindowTableFunction", &batch, &self.metrics, out)
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        if let Watermark::At(t) = watermark {
            self.watermark = t;
            let (mut ended, mut rows): (Vec<Session>, usize) = (Vec::new(), 0);
            while let Some((end, key, number)) = self.ends.first().copied()
                && end - 1 <= t
            {
                if rows >= ROWS_AT_ONCE {
                    self.emit(ended, out)?;
                    out.rest = Some(Element::Watermark(watermark));
                    return Ok(());
                }
                self.ends.pop_first();
                let open = &mut self.sessions[key as usize];
                if let Some(at) = open.iter().position(|s| s.number == number) {
                    ended.push(open.swap_remove(at));
                    rows += ended.last().map_or(0, |session| session.rows.len());
                }
                if open.is_empty() {
                    self.open.remove(key)?;
                }
            }
            self.emit(ended, out)?;
        }
        out.watermark(watermark);
        Ok(())
    }

    /// A part "rows": the rows of open sessions, with `__number` and `__session`. Sessions follow from them.
    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        self.rows.snapshot()
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        self.rows.restore_all(&parts)?;
        let mut sessions: HashMap<(Slot, i64), Session> = HashMap::new();
        let width = self.keys.len();
        let wanted = [
            self.keys.as_slice(),
            &[self.time, self.width, self.width + 1],
        ]
        .concat();
        for slots in self.rows.pieces() {
            let columns = self.rows.columns(&wanted, &slots)?;
            let times = event_times(&columns[width])?;
            let ints = |at: usize| columns[width + 1 + at].as_primitive::<Int64Type>();
            let keys = self.open.keys_of(&columns[..width], slots.len())?;
            for (i, slot) in slots.into_iter().enumerate() {
                let (number, time) = (ints(1).value(i), times.value(i));
                let session = sessions.entry((self.key(&keys, i)?, number));
                let session = session.or_insert_with(|| Session {
                    number,
                    start: Millis::MAX,
                    end: Millis::MIN,
                    rows: Vec::new(),
                });
                session.start = session.start.min(time);
                session.end = session.end.max(time.saturating_add(self.gap));
                session.rows.push(slot);
                self.next = self.next.max(ints(0).value(i) + 1);
            }
        }
        for ((key, _), session) in sessions {
            self.keep(key, session);
        }
        Ok(())
    }
}

impl SessionAssign {
    /// Emits the rows of sessions: by the end of the session, and then as they arrived.
    fn emit(&mut self, ended: Vec<Session>, out: &mut Output) -> Result<()> {
        let all = ended.iter().flat_map(|session| &session.rows).copied();
        let slots: Vec<Slot> = all.collect();
        if slots.is_empty() {
            return Ok(());
        }
        let numbers = self.rows.keys(&slots)?.pop();
        let numbers = numbers.ok_or_else(|| Error::internal("rows of sessions without numbers"))?;
        let numbers = numbers.as_primitive::<Int64Type>().values().iter();
        let windows = ended
            .iter()
            .flat_map(|s| s.rows.iter().map(|_| (s.end, s.start)));
        let mut order: Vec<((Millis, Millis), i64, Slot)> = Vec::with_capacity(slots.len());
        for ((window, number), slot) in windows.zip(numbers).zip(&slots) {
            order.push((window, *number, *slot));
        }
        order.sort_unstable_by_key(|((end, _), number, slot)| (*end, *number, *slot));
        let slots: Vec<Slot> = order.iter().map(|(.., slot)| *slot).collect();
        let input: Vec<usize> = (0..self.width).collect();
        let rows = self.rows.rows(&slots)?.project(&input)?;
        for slot in slots {
            self.rows.remove(slot)?;
        }
        let starts = order.iter().map(|((_, start), ..)| *start).collect();
        let ends = order.iter().map(|((end, _), ..)| *end).collect();
        out.batch(Batch::append(with_windows(
            &rows,
            starts,
            ends,
            &self.schema,
        )?));
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::{behind, taken};
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
        SessionAssign::new(10, 0, vec![], &input, &schema, Arc::default()).unwrap()
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
        assert!(op.rows.is_empty() && op.open.is_empty() && op.ends.is_empty());
    }

    #[test]
    fn a_snapshot_restores_the_open_sessions() {
        let mut op = assign();
        op.on_batch(0, rows(&[0, 5, 30]), &mut Output::default())
            .unwrap();
        let mut other = assign();
        other.restore(taken(&mut op)).unwrap();
        assert_eq!(sessions_of(&mut other, 100), sessions_of(&mut op, 100));
    }
    /// A row of another partition of the source, whose watermark is past the end of a session that is still open here.
    #[test]
    fn sessions_that_late_rows_kept_apart_stay_apart_after_a_restore() {
        let mut op = assign();
        let late = behind(rows(&[0, 5, 7]), &[None, Some(10), None]);
        op.on_batch(0, late, &mut Output::default()).unwrap();
        let mut other = assign();
        other.restore(taken(&mut op)).unwrap();
        // 7 belongs to both, and joins them.
        assert_eq!(sessions_of(&mut op, 100), [(0, 17); 3]);
        assert_eq!(sessions_of(&mut other, 100), [(0, 17); 3]);
        let mut op = assign();
        let late = behind(rows(&[0, 5]), &[None, Some(10)]);
        op.on_batch(0, late, &mut Output::default()).unwrap();
        let mut other = assign();
        other.restore(taken(&mut op)).unwrap();
        assert_eq!(sessions_of(&mut op, 100), [(0, 10), (5, 15)]);
        assert_eq!(sessions_of(&mut other, 100), [(0, 10), (5, 15)]);
    }
}
