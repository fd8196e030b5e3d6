//! Keyed state: tables, key groups, expiry, and what an operator hands over in a snapshot.
//!
//! A snapshot has one part for each of an operator's tables, also where there is nothing to say. A part is the whole table, or
//! follows on those of the same table in earlier snapshots; [`merge`] makes one table of them again.

mod columns;
mod lists;
mod merge;
mod rows;
mod table;
mod ttl;

use arrow::array::{ArrayRef, RecordBatch, UInt16Array, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::row::{RowConverter, SortField};
use twox_hash::XxHash3_64;

use crate::error::Result;

pub use lists::Lists;
pub use merge::merge;
pub use rows::{with_numbers, without_numbers};
pub use table::{Keys, NONE, Slot, Table, Touched};
pub use ttl::StateTtl;

/// Number of key groups: hash ranges of keys that move as a whole when parallelism changes. Also the highest parallelism
/// (Flink's default maximum).
pub const KEY_GROUPS: u16 = 128;

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

/// How a part follows on the part of the snapshot before: all rows of a key that is in `rows` or `gone` are replaced by those
/// in `rows`.
#[derive(Debug, Clone)]
pub struct StateChanges {
    /// The columns of `rows` that are the key of the state; the key group follows from them.
    pub key: Vec<usize>,
    /// Keys without rows any more: the key columns alone, in the order of `key`.
    pub gone: RecordBatch,
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

    /// The same rows as what has changed since the last snapshot: the state's key is the columns `key`, which hold those that
    /// rows are spread by, and `gone` are the keys without rows now. Without `gone` the part stays the whole table.
    #[must_use]
    pub fn replacing(mut self, key: Vec<usize>, gone: Option<RecordBatch>) -> Self {
        self.changes = gone.map(|gone| StateChanges { key, gone });
        self
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
}

/// The instance, of `parallelism`, that owns a key group: contiguous ranges, as in Flink.
pub fn instance_of(key_group: u16, parallelism: usize) -> usize {
    usize::from(key_group) * parallelism / usize::from(KEY_GROUPS)
}

/// Computes key groups of rows. Stable across runs, machines and versions: it is part of the checkpoint format.
#[derive(Debug)]
pub struct KeyHasher {
    converter: Option<RowConverter>,
}

impl KeyHasher {
    /// For keys of these columns' types; no columns: everything is in key group 0.
    ///
    /// # Errors
    /// Where a key type has no order.
    pub fn new(types: impl IntoIterator<Item = arrow::datatypes::DataType>) -> Result<Self> {
        let fields: Vec<SortField> = types.into_iter().map(SortField::new).collect();
        let converter = if fields.is_empty() {
            None
        } else {
            Some(RowConverter::new(fields)?)
        };
        Ok(Self { converter })
    }

    /// The key group of each of `rows` rows with these key columns.
    ///
    /// # Errors
    /// Where a column is of another type than said.
    pub fn key_groups(&self, columns: &[ArrayRef], rows: usize) -> Result<UInt16Array> {
        let Some(converter) = &self.converter else {
            return Ok(UInt16Array::from(vec![0; rows]));
        };
        let encoded = converter.convert_columns(columns)?;
        Ok(encoded
            .iter()
            .map(|row| (XxHash3_64::oneshot(row.as_ref()) % u64::from(KEY_GROUPS)) as u16)
            .collect::<Vec<_>>()
            .into())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringArray};
    use std::sync::Arc;

    #[test]
    fn every_key_group_has_one_owner_at_any_parallelism() {
        for p in 1..=128 {
            let owners: Vec<usize> = (0..KEY_GROUPS).map(|k| instance_of(k, p)).collect();
            assert!(owners.is_sorted() && owners.iter().all(|o| *o < p));
        }
    }

    /// The hash is part of the checkpoint format: this test may never change.
    #[test]
    fn key_groups_are_stable() {
        let hasher = KeyHasher::new([
            arrow::datatypes::DataType::Utf8,
            arrow::datatypes::DataType::Int64,
        ])
        .unwrap();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["github", "jenkins"])),
            Arc::new(Int64Array::from(vec![1, 2])),
        ];
        let groups = hasher.key_groups(&columns, 2).unwrap();
        assert_eq!(groups.values().as_ref(), [120, 67]);
    }
}
