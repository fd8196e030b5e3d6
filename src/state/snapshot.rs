//! What an operator hands over in a snapshot, and what is read back.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt16Array, UInt32Array};
use arrow::compute::take_record_batch;

use super::columns::Bytes;
use super::key_groups::{KeyGroups, KeyHasher, instance_of};
use super::pages::{Pages, Slot};
use super::with_numbers;
use crate::error::Result;

/// The column of a snapshot that says when a row was last written. No column of a query can have such a name before it.
pub(super) const WRITTEN: &str = "__written";

/// A part of an operator's state: rows, each with the key group it belongs to.
#[derive(Debug, Clone)]
pub struct StatePart {
    /// Which of the operator's tables this is.
    pub name: String,
    /// The key group of each row.
    pub key_groups: UInt16Array,
    /// The rows.
    pub rows: RecordBatch,
    /// `None`: these are all rows of the table. Else only what has changed since the last snapshot.
    pub changes: Option<StateChanges>,
}

/// How a part follows on the parts of snapshots before: all rows of a key that is in `rows` or `gone`, and of a key group in `whole`,
/// are replaced by those in `rows`.
#[derive(Debug, Clone)]
pub struct StateChanges {
    /// The columns of `rows` that are the key of the state; the key group follows from them.
    pub key: Vec<usize>,
    /// Keys without rows any more: the key columns alone, in the order of `key`.
    pub gone: RecordBatch,
    /// Their key groups; none where they were read back.
    pub gone_groups: KeyGroups,
    /// Key groups that are given whole here (or in other parts of the same snapshot).
    pub whole: KeyGroups,
}

impl StatePart {
    /// State whose rows begin with, or hold, the key columns `keys`.
    ///
    /// # Errors
    /// Where a key type has no order.
    pub fn keyed(name: &str, rows: RecordBatch, keys: &[usize]) -> Result<Self> {
        let columns: Vec<ArrayRef> = keys.iter().map(|k| rows.column(*k).clone()).collect();
        let hasher = KeyHasher::new(columns.iter().map(|c| c.data_type().clone()))?;
        Ok(Self {
            name: name.to_string(),
            key_groups: hasher.key_groups(&columns, rows.num_rows())?,
            rows,
            changes: None,
        })
    }

    /// State that is not keyed; it belongs to the instance of key group 0.
    pub fn unkeyed(name: &str, rows: RecordBatch) -> Self {
        let key_groups = UInt16Array::from(vec![0; rows.num_rows()]);
        Self {
            name: name.to_string(),
            key_groups,
            rows,
            changes: None,
        }
    }

    /// The rows that belong to `instance` of `parallelism`.
    ///
    /// # Errors
    /// Where Arrow cannot take from a column.
    pub fn of_instance(&self, instance: usize, parallelism: usize) -> Result<Self> {
        let keep = (0u32..)
            .zip(self.key_groups.values())
            .filter(|(_, kg)| instance_of(**kg, parallelism) == instance)
            .map(|(i, _)| i);
        let indices = UInt32Array::from_iter_values(keep);
        let key_groups = indices
            .values()
            .iter()
            .map(|i| self.key_groups.value(*i as usize))
            .collect::<Vec<_>>();
        Ok(Self {
            name: self.name.clone(),
            key_groups: key_groups.into(),
            rows: take_record_batch(&self.rows, &indices)?,
            changes: None,
        })
    }

    /// Rows and keys that are gone.
    pub fn count(&self) -> usize {
        let gone = self.changes.as_ref().map(|changes| changes.gone.num_rows());
        self.rows.num_rows() + gone.unwrap_or(0)
    }
}

/// A part of a snapshot: given, or still to be taken from pages that are shared with the operator, by whoever stores it.
pub enum TableSnapshot {
    /// Given.
    Part(Box<StatePart>),
    /// Rows of a table.
    Rows(Box<SharedRows>),
}

/// All rows of a table as they were at some time. Copies share them.
#[derive(Clone)]
pub struct TableView {
    pub(super) pages: Arc<Pages>,
    pub(super) slots: Arc<[Slot]>,
    /// So many columns come before those that others are to see.
    pub(super) hidden: usize,
}

impl TableView {
    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.slots.len()
    }

    /// The rows from number `first` on, at most `most` in a batch.
    pub fn batches(
        &self,
        first: usize,
        most: usize,
    ) -> impl Iterator<Item = Result<RecordBatch>> + '_ {
        let slots = self.slots.get(first..).unwrap_or_default();
        slots.chunks(most.max(1)).map(|slots| {
            let rows = self.pages.rows(slots)?;
            let seen: Vec<usize> = (self.hidden..rows.num_columns()).collect();
            Ok(rows.project(&seen)?)
        })
    }

    /// The whole number in a column of a row; 0 where it is NULL.
    pub fn int(&self, column: usize, row: usize) -> i64 {
        let Some(slot) = self.slots.get(row) else {
            return 0;
        };
        self.pages.int(self.hidden + column, *slot)
    }
}

impl std::fmt::Debug for TableView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows", self.count())
    }
}

/// A managed table, or the part of it that one instance keeps, as it was at the end of an epoch. Copies share it.
#[derive(Debug, Clone)]
pub struct KeptView {
    /// Its rows.
    pub rows: TableView,
    /// What changed, oldest first: the epoch, a weight (+1 came, -1 went), and the row.
    pub changes: TableView,
    /// Changes of epochs up to this one are not among them any more.
    pub gone: u64,
}

/// Rows of a table as they were.
pub struct SharedRows {
    pub(super) pages: Pages,
    pub(super) rows: TableRows,
}

/// Rows of a table that are part of a snapshot.
pub(super) struct TableRows {
    pub name: String,
    pub slots: Vec<Slot>,
    pub key_groups: Vec<u16>,
    /// Whether it is known of each row when it was written.
    pub is_dated: bool,
    /// `None`: these are all rows.
    pub changes: Option<TableChanges>,
}

/// How rows follow on those of earlier snapshots.
#[derive(Default)]
pub(super) struct TableChanges {
    /// The keys that went, and their key groups.
    pub gone: Bytes,
    pub gone_groups: KeyGroups,
    /// The key groups that are given whole.
    pub whole: KeyGroups,
}

impl TableSnapshot {
    /// Which of the operator's tables it is of.
    pub fn name(&self) -> &str {
        match self {
            Self::Part(part) => &part.name,
            Self::Rows(shared) => &shared.rows.name,
        }
    }

    /// Whether it follows on earlier snapshots.
    pub fn is_changes(&self) -> bool {
        match self {
            Self::Part(part) => part.changes.is_some(),
            Self::Rows(shared) => shared.rows.changes.is_some(),
        }
    }

    /// Rows and keys that are gone.
    pub fn count(&self) -> usize {
        match self {
            Self::Part(part) => part.count(),
            Self::Rows(shared) => {
                let gone = shared.rows.changes.as_ref().map(|c| c.gone.len());
                shared.rows.slots.len() + gone.unwrap_or(0)
            }
        }
    }

    /// The key groups that it gives whole.
    pub fn whole(&self) -> KeyGroups {
        let whole = match self {
            Self::Part(part) => part.changes.as_ref().map(|changes| changes.whole),
            Self::Rows(shared) => shared.rows.changes.as_ref().map(|c| c.whole),
        };
        whole.unwrap_or(KeyGroups::ALL)
    }

    /// The part.
    ///
    /// # Errors
    /// Where rows cannot be given as columns (a bug).
    pub fn part(&self) -> Result<StatePart> {
        match self {
            Self::Part(part) => Ok(part.as_ref().clone()),
            Self::Rows(shared) => shared.rows.part(&shared.pages),
        }
    }
}

impl TableRows {
    /// The part.
    ///
    /// # Errors
    /// Where rows cannot be given as columns (a bug).
    pub fn part(&self, pages: &Pages) -> Result<StatePart> {
        let layout = &pages.layout;
        let mut rows = pages.rows(&self.slots)?;
        // When each row was written comes after its columns. Rows of no columns at all could not be told from no rows.
        if self.is_dated || rows.num_columns() == 0 {
            let written = self.slots.iter().map(|slot| pages.written(*slot));
            rows = with_numbers(&rows, WRITTEN, written.collect())?;
        }
        let changes = self
            .changes
            .as_ref()
            .map(|changes| -> Result<StateChanges> {
                Ok(StateChanges {
                    key: layout.key.clone(),
                    gone: layout.key_rows(&changes.gone)?,
                    gone_groups: changes.gone_groups,
                    whole: changes.whole,
                })
            });
        Ok(StatePart {
            name: self.name.clone(),
            key_groups: self.key_groups.clone().into(),
            rows,
            changes: changes.transpose()?,
        })
    }
}

impl std::fmt::Debug for TableSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows of '{}'", self.count(), self.name())
    }
}

impl From<StatePart> for TableSnapshot {
    fn from(part: StatePart) -> Self {
        Self::Part(Box::new(part))
    }
}
