//! Key groups: hash ranges of keys that move as a whole when parallelism changes.

use arrow::array::{ArrayRef, UInt16Array};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use twox_hash::XxHash3_64;

use crate::error::Result;

/// Number of key groups. Also the highest parallelism (Flink's default maximum).
pub const KEY_GROUPS: u16 = 128;

/// The instance, of `parallelism`, that owns a key group: contiguous ranges, as in Flink.
pub fn instance_of(key_group: u16, parallelism: usize) -> usize {
    usize::from(key_group) * parallelism / usize::from(KEY_GROUPS)
}

/// The key group of a key in Arrow's row format.
pub(super) fn key_group(key: &[u8]) -> u16 {
    (XxHash3_64::oneshot(key) % u64::from(KEY_GROUPS)) as u16
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
    pub fn new(types: impl IntoIterator<Item = DataType>) -> Result<Self> {
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
        let groups = encoded.iter().map(|row| key_group(row.as_ref()));
        Ok(groups.collect::<Vec<_>>().into())
    }
}

/// A set of key groups. As text, 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyGroups(u128);

impl KeyGroups {
    /// All of them.
    pub const ALL: Self = Self(u128::MAX);

    /// Whether `group` is in it.
    pub fn contains(self, group: u16) -> bool {
        self.0 & (1 << group) != 0
    }

    /// Adds a group.
    pub fn insert(&mut self, group: u16) {
        self.0 |= 1 << group;
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in this or the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those in this and the other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those in this and not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// From text; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        u128::from_str_radix(text, 16).ok().map(Self)
    }
}

impl FromIterator<u16> for KeyGroups {
    fn from_iter<T: IntoIterator<Item = u16>>(groups: T) -> Self {
        let mut set = Self::default();
        groups.into_iter().for_each(|group| set.insert(group));
        set
    }
}

impl std::fmt::Display for KeyGroups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for KeyGroups {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyGroups {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let damaged = || serde::de::Error::custom(format!("'{text}' is no set of key groups"));
        Self::parse(&text).ok_or_else(damaged)
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
        let hasher = KeyHasher::new([DataType::Utf8, DataType::Int64]).unwrap();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["github", "jenkins"])),
            Arc::new(Int64Array::from(vec![1, 2])),
        ];
        let groups = hasher.key_groups(&columns, 2).unwrap();
        assert_eq!(groups.values().as_ref(), [120, 67]);
    }
}
