//! Keeps the rows of a managed table, and its latest changes, for queries and subscriptions to read.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};

use super::changed::consolidated;
use super::last_rows::LastRows;
use super::{Operator, Output};
use crate::changelog::Batch;
use crate::error::Result;
use crate::graph::Keep;
use crate::state::{KeptView, Slot, StatePart, Table, TableSnapshot};

/// How many changes a table with a key keeps for subscriptions, at least.
const CHANGES: usize = if cfg!(test) { 10 } else { 100_000 };

/// The part of a snapshot that says of which epochs changes are gone.
const GONE: &str = "gone";

/// Columns of [`Recent`] before those of the rows.
const NUMBER: usize = 0;
const EPOCH: usize = 1;
const WEIGHT: usize = 2;

/// Keeps a managed table, or the part of it that belongs to one instance. A row of a key replaces the one before it; without a key
/// rows are added, and the oldest go.
pub struct KeepRows {
    keyed: Option<LastRows>,
    recent: Recent,
    /// What was shown last, where nothing has changed since.
    shown: Option<KeptView>,
}

impl KeepRows {
    /// Without rows. `schema`: that of the rows.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(keep: &Keep, schema: &SchemaRef) -> Result<Self> {
        let keyed = match &keep.key {
            Some(key) => Some(LastRows::new(key.clone(), None, schema)?),
            None => None,
        };
        let key = keep.key.as_deref().unwrap_or_default();
        let retained = match keyed {
            Some(_) => CHANGES,
            None => keep.retained,
        };
        Ok(Self {
            keyed,
            recent: Recent::new(schema, key, retained)?,
            shown: None,
        })
    }
}

impl Operator for KeepRows {
    fn on_batch(&mut self, _port: usize, batch: Batch, _out: &mut Output) -> Result<()> {
        self.shown = None;
        let changes = match &mut self.keyed {
            // What goes comes before what comes, so the last row of a key says how it is.
            Some(keyed) => keyed.apply(&consolidated(batch)?)?,
            None => batch,
        };
        self.recent.add(&changes)
    }

    fn end_epoch(&mut self, epoch: u64) -> Result<Option<KeptView>> {
        if self.shown.is_some() {
            return Ok(self.shown.clone());
        }
        let gone = self.recent.end_epoch(epoch)?;
        let slots: Vec<Slot> = self.recent.slots.iter().copied().collect();
        let rows = match &mut self.keyed {
            Some(keyed) => {
                let slots = keyed.rows.all();
                keyed.rows.view(slots, 0)
            }
            None => self.recent.rows.view(slots.clone(), WEIGHT + 1),
        };
        self.shown = Some(KeptView {
            rows,
            changes: self.recent.rows.view(slots, EPOCH),
            gone,
        });
        Ok(self.shown.clone())
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        let mut parts = self.recent.snapshot()?;
        if let Some(keyed) = &mut self.keyed {
            parts.extend(keyed.rows.snapshot()?);
        }
        Ok(parts)
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        let (recent, rows): (Vec<_>, Vec<_>) = parts
            .into_iter()
            .partition(|part| [self.recent.rows.name(), GONE].contains(&part.name.as_str()));
        self.shown = None;
        self.recent.restore(&recent)?;
        match &mut self.keyed {
            Some(keyed) => keyed.rows.restore_all(&rows),
            None => Ok(()),
        }
    }
}

/// Changes in the order in which they came, each with its epoch and its weight. The oldest epochs go.
struct Recent {
    rows: Table,
    /// The rows, oldest first.
    slots: VecDeque<Slot>,
    /// Those whose epoch has not ended.
    open: Vec<Slot>,
    next: i64,
    retained: usize,
    /// The last epoch of which changes are gone.
    gone: i64,
    /// The columns of the row that are its key.
    key: Vec<usize>,
}

impl Recent {
    fn new(schema: &SchemaRef, key: &[usize], retained: usize) -> Result<Self> {
        let number = |name: &str| Arc::new(Field::new(name, DataType::Int64, true));
        let mut fields = vec![number("__number"), number("__epoch"), number("__weight")];
        fields.extend(schema.fields().iter().map(Arc::clone));
        // Each instance counts for itself, so the number is unique only beside the key, which belongs to one instance.
        let spread: Vec<usize> = key.iter().map(|column| WEIGHT + 1 + column).collect();
        let keys = [&[NUMBER], spread.as_slice()].concat();
        let schema = Arc::new(Schema::new(fields));
        Ok(Self {
            rows: Table::new("recent", schema, &keys, &spread, None)?.without_index(),
            gone: 0,
            key: key.to_vec(),
            slots: VecDeque::new(),
            open: Vec::new(),
            next: 0,
            retained: retained.max(1),
        })
    }

    fn add(&mut self, batch: &Batch) -> Result<()> {
        let n = batch.num_rows();
        if n == 0 {
            return Ok(());
        }
        let end = self.next.saturating_add(n as i64);
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(self.next..end));
        self.next = end;
        let mut key = vec![Arc::clone(&numbers)];
        key.extend(self.key.iter().map(|k| Arc::clone(batch.rows.column(*k))));
        let keys = self.rows.keys_of(&key, n)?;
        let slots = (0..n).map(|at| Ok(self.rows.write(&keys, at)?.0));
        let slots: Vec<Slot> = slots.collect::<Result<_>>()?;
        let weights = (0..n).map(|row| batch.weight(row));
        let mut columns: Vec<ArrayRef> = vec![
            numbers,
            Arc::new(Int64Array::new_null(n)),
            Arc::new(Int64Array::from_iter_values(weights)),
        ];
        columns.extend(batch.rows.columns().iter().map(Arc::clone));
        self.rows.set_rows(&slots, &columns)?;
        self.slots.extend(&slots);
        self.open.extend(slots);
        Ok(())
    }

    /// What came since the last epoch belongs to this one. Returns the last epoch of which changes are gone.
    fn end_epoch(&mut self, epoch: u64) -> Result<u64> {
        let number = i64::try_from(epoch).unwrap_or(i64::MAX);
        let open = std::mem::take(&mut self.open);
        let epochs: ArrayRef = Arc::new(Int64Array::from_value(number, open.len()));
        self.rows.set(EPOCH, &open, &epochs)?;
        // Whole epochs go; the last two stay, however much changed in them.
        while self.slots.len() > self.retained
            && let Some(first) = self.slots.front()
        {
            let oldest = self.rows.int(EPOCH, *first);
            if oldest >= number - 1 {
                break;
            }
            let is_of = |slot: &&Slot| self.rows.int(EPOCH, **slot) == oldest;
            let count = self.slots.iter().take_while(is_of).count();
            if self.slots.len() - count < self.retained {
                break;
            }
            for slot in self.slots.drain(..count) {
                self.rows.remove(slot)?;
            }
            self.gone = oldest;
        }
        Ok(u64::try_from(self.gone).unwrap_or(0))
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        let mut parts = self.rows.snapshot()?;
        let gone = Int64Array::from(vec![self.gone]);
        let gone = RecordBatch::try_from_iter([("epoch", Arc::new(gone) as ArrayRef)])?;
        parts.push(StatePart::unkeyed(GONE, gone).into());
        Ok(parts)
    }

    fn restore(&mut self, parts: &[StatePart]) -> Result<()> {
        let (gone, rows): (Vec<_>, Vec<_>) =
            parts.iter().cloned().partition(|part| part.name == GONE);
        for part in gone {
            let epochs = part.rows.column(0).as_primitive::<Int64Type>();
            self.gone = epochs.iter().flatten().fold(self.gone, i64::max);
        }
        self.rows.restore_all(&rows)?;
        let mut slots = self.rows.all();
        let numbers = self.rows.keys(&slots)?;
        let numbers = numbers[0].as_primitive::<Int64Type>();
        // Rows of several instances: by epoch, then by number.
        let mut order: Vec<(i64, i64, Slot)> = slots
            .drain(..)
            .zip(numbers.values())
            .map(|(slot, number)| (self.rows.int(EPOCH, slot), *number, slot))
            .collect();
        order.sort_unstable();
        self.next = numbers.values().iter().max().map_or(0, |last| last + 1);
        self.slots = order.into_iter().map(|(_, _, slot)| slot).collect();
        Ok(())
    }
}
