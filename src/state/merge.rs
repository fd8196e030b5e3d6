//! One table of all that snapshots gave of it: what was replaced later is left out.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, NullArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};
use hashbrown::HashSet;

use super::{KeyGroups, StatePart};
use crate::error::{Error, Result};

/// A part of a merged table has at most so many bytes, roughly: a column of text may not have more than 2 GiB.
const PART: usize = 512 << 20;

/// Merges parts of one table, oldest first, into the whole table: one part, or several where it is large. They may be of several
/// instances, whose keys are disjoint at any time. Rows whose key is in a later part of changes, there or gone, or whose key group is
/// given whole by one, are left out; a whole part replaces nothing: what came before it is not to be given.
///
/// # Errors
/// No parts, or parts of different tables.
pub fn merge(parts: Vec<StatePart>) -> Result<Vec<StatePart>> {
    merge_by(parts, PART)
}

fn merge_by(parts: Vec<StatePart>, most: usize) -> Result<Vec<StatePart>> {
    let Some(first) = parts.first() else {
        return Err(Error::internal("no parts to make a table of"));
    };
    if let Some(other) = parts.iter().find(|p| p.name != first.name) {
        return Err(Error::internal(format!(
            "parts of '{}' and '{}' make no table",
            first.name, other.name
        )));
    }
    let name = first.name.clone();
    let changes = parts.iter().find_map(|p| p.changes.as_ref());
    let kept = match changes.map(|c| c.key.clone()) {
        Some(key) => kept_rows(&parts, &key)?,
        None => vec![None; parts.len()],
    };
    let schema = parts.iter().find(|p| p.rows.num_rows() > 0);
    let schema = schema.unwrap_or(first).rows.schema();
    let mut merged = Vec::new();
    let (mut batches, mut key_groups, mut bytes) = (Vec::new(), Vec::new(), 0);
    let whole = |batches: &[RecordBatch], key_groups: Vec<u16>| -> Result<StatePart> {
        Ok(StatePart {
            name: name.clone(),
            key_groups: key_groups.into(),
            rows: concat_batches(&schema, batches)?,
            changes: None,
        })
    };
    for (part, kept) in parts.iter().zip(kept) {
        let groups = part.key_groups.values().iter().copied();
        let rows = match &kept {
            None => part.rows.clone(),
            Some(kept) => filter_record_batch(&part.rows, kept)?,
        };
        if rows.num_rows() == 0 {
            continue;
        }
        let size = rows.get_array_memory_size();
        if bytes + size > most && !batches.is_empty() {
            merged.push(whole(&batches, std::mem::take(&mut key_groups))?);
            batches.clear();
            bytes = 0;
        }
        bytes += size;
        batches.push(rows);
        match kept {
            None => key_groups.extend(groups),
            Some(kept) => {
                let kept = kept.values().iter();
                key_groups.extend(groups.zip(kept).filter(|(_, k)| *k).map(|(g, _)| g));
            }
        }
    }
    if !batches.is_empty() || merged.is_empty() {
        merged.push(whole(&batches, key_groups)?);
    }
    Ok(merged)
}

/// Which rows of each part no later part replaces; `None`: all.
fn kept_rows(parts: &[StatePart], key: &[usize]) -> Result<Vec<Option<BooleanArray>>> {
    let mut encoder = Encoder(None);
    let mut later: HashSet<OwnedRow> = HashSet::new();
    // Key groups that later parts give whole.
    let mut whole = KeyGroups::default();
    let mut kept = Vec::with_capacity(parts.len());
    for (at, part) in parts.iter().enumerate().rev() {
        if let Some(changes) = &part.changes
            && changes.key != key
        {
            return Err(Error::internal(format!(
                "the key of '{}' is not the same in all its parts",
                part.name
            )));
        }
        let groups = part.key_groups.values().iter();
        let mut keep: Vec<bool> = groups.map(|group| !whole.contains(*group)).collect();
        let is_first = at == 0;
        if keep.contains(&true) && !(later.is_empty() && is_first) {
            let rows = encoder.encode(&part.rows.project(key)?)?;
            for (row, keep) in rows.iter().zip(&mut keep) {
                *keep = *keep && !later.contains(&row.owned());
            }
            if part.changes.is_some() {
                let there = rows.iter().zip(&keep).filter(|(_, keep)| **keep);
                later.extend(there.map(|(row, _)| row.owned()));
            }
        }
        if let Some(changes) = &part.changes {
            let gone = encoder.encode(&changes.gone)?;
            later.extend(gone.iter().map(|row| row.owned()));
            whole = whole.or(changes.whole);
        }
        kept.push(keep.contains(&false).then(|| BooleanArray::from(keep)));
    }
    kept.reverse();
    Ok(kept)
}

/// Keys as bytes.
struct Encoder(Option<RowConverter>);

impl Encoder {
    fn encode(&mut self, keys: &RecordBatch) -> Result<Rows> {
        let columns: Vec<ArrayRef> = match keys.num_columns() {
            // Without columns all keys are the same.
            0 => vec![Arc::new(NullArray::new(keys.num_rows()))],
            _ => keys.columns().to_vec(),
        };
        let converter = match &mut self.0 {
            Some(converter) => converter,
            none => {
                let fields = columns
                    .iter()
                    .map(|c| SortField::new(c.data_type().clone()));
                none.insert(RowConverter::new(fields.collect())?)
            }
        };
        Ok(converter.convert_columns(&columns)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{KEY_GROUPS, StateChanges};
    use super::*;
    use arrow::array::{Int64Array, RecordBatchOptions};
    use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

    fn schema() -> SchemaRef {
        let field = |name| Field::new(name, DataType::Int64, true);
        Arc::new(Schema::new(vec![field("k"), field("l"), field("v")]))
    }

    fn batch(rows: &[(i64, Option<i64>, i64)]) -> RecordBatch {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0))),
            Arc::new(rows.iter().map(|r| r.1).collect::<Int64Array>()),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.2))),
        ];
        RecordBatch::try_new(schema(), columns).unwrap()
    }

    #[test]
    fn a_key_without_columns_is_one_key() {
        let part = |value: i64| StatePart::keyed("t", batch(&[(0, None, value)]), &[]).unwrap();
        let none = |rows| {
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            let empty = Arc::new(Schema::empty());
            RecordBatch::try_new_with_options(empty, vec![], &options).unwrap()
        };
        let changes = |part: StatePart, gone| StatePart {
            changes: Some(StateChanges {
                key: vec![],
                gone: none(gone),
                gone_groups: KeyGroups::default(),
                whole: KeyGroups::default(),
            }),
            ..part
        };
        let changed = |value| changes(part(value), 0);
        let merge = |parts| merge(parts).unwrap().remove(0);
        let merged = merge(vec![part(1), changed(2), changed(3)]);
        assert_eq!(merged.rows, batch(&[(0, None, 3)]));
        let gone = StatePart::keyed("t", batch(&[]), &[]).unwrap();
        let merged = merge(vec![merged, changes(gone, 1)]);
        assert_eq!(merged.rows, batch(&[]));
    }

    #[test]
    fn whole_parts_are_put_together_and_what_is_no_table_is_refused() {
        let rows = batch(&[(1, None, 1), (2, None, 2)]);
        let part = StatePart::keyed("t", rows, &[0]).unwrap();
        let apart = merge_by(vec![part.clone(), part.clone()], 1).unwrap();
        assert_eq!(apart.len(), 2, "a large table is several parts");
        let merged = merge(vec![part.clone(), part.clone()]).unwrap().remove(0);
        assert_eq!(merged.rows.num_rows(), 4);
        assert!(merged.key_groups.iter().all(|g| g.unwrap() < KEY_GROUPS));
        assert!(merge(Vec::new()).is_err());
        let other = StatePart::unkeyed("u", batch(&[]));
        assert!(merge(vec![part, other]).is_err());
    }
}
