//! Parts of state as Arrow IPC files: the rows, their key groups, and which keys they replace.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, UInt16Array, new_null_array};
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::{DataType, Field, Schema, UInt16Type};
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use twox_hash::XxHash3_64;

use crate::error::{Error, Result};
use crate::state::{KeyGroups, StateChanges, StatePart};

/// The key group of a row, after its columns.
const KEY_GROUP: &str = "__key_group";
/// True for a key without rows any more: of its row only the key columns count. Only in files of changes.
const GONE: &str = "__gone";
/// The schema's metadata: the positions of the key columns, with commas between; the key groups that are given whole; and which
/// columns may be NULL. Only in files of changes.
const KEY: &str = "flowline.key";
const WHOLE: &str = "flowline.whole";
const NULLABLE: &str = "flowline.nullable";

/// The checksum of a file's bytes.
pub fn checksum(bytes: &[u8]) -> String {
    format!("{:016x}", XxHash3_64::oneshot(bytes))
}

/// The bytes of a file with parts of one table, a batch each: all of them whole, or all of them changes, which give the key groups
/// `given` whole.
///
/// # Errors
/// No parts, or parts that do not go together (a bug).
pub fn encode(parts: &[StatePart], given: KeyGroups) -> Result<Vec<u8>> {
    let batches = parts.iter().map(|part| match &part.changes {
        None => whole(part),
        Some(changes) => changed(part, changes, given),
    });
    let batches: Vec<RecordBatch> = batches.collect::<Result<_>>()?;
    let Some(first) = batches.first() else {
        return Err(Error::internal("a file of state without rows"));
    };
    let mut bytes = Vec::new();
    let mut writer = FileWriter::try_new(&mut bytes, &first.schema())?;
    for batch in &batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    drop(writer);
    Ok(bytes)
}

fn whole(part: &StatePart) -> Result<RecordBatch> {
    let schema = part.rows.schema();
    let mut fields: Vec<Field> = schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.push(Field::new(KEY_GROUP, DataType::UInt16, false));
    let mut columns = part.rows.columns().to_vec();
    columns.push(Arc::new(part.key_groups.clone()));
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?)
}

fn changed(part: &StatePart, changes: &StateChanges, given: KeyGroups) -> Result<RecordBatch> {
    let schema = part.rows.schema();
    let fields = schema.fields().iter();
    let mut fields: Vec<Field> = fields
        .map(|f| f.as_ref().clone().with_nullable(true))
        .collect();
    let gone_rows = changes.gone.num_rows();
    let gone: Vec<ArrayRef> = fields
        .iter()
        .enumerate()
        .map(|(i, f)| match changes.key.iter().position(|k| *k == i) {
            Some(at) => Arc::clone(changes.gone.column(at)),
            None => new_null_array(f.data_type(), gone_rows),
        })
        .collect();
    let mut columns = Vec::new();
    for (there, gone) in part.rows.columns().iter().zip(&gone) {
        columns.push(arrow::compute::concat(&[there, gone])?);
    }
    // Of keys that are gone no instance needs to know the group, but every row has one.
    let mut groups: Vec<u16> = part.key_groups.values().to_vec();
    groups.extend(std::iter::repeat_n(0, gone_rows));
    let mut is_gone = vec![false; part.rows.num_rows()];
    is_gone.extend(std::iter::repeat_n(true, gone_rows));
    fields.push(Field::new(KEY_GROUP, DataType::UInt16, false));
    fields.push(Field::new(GONE, DataType::Boolean, false));
    columns.push(Arc::new(UInt16Array::from(groups)));
    columns.push(Arc::new(BooleanArray::from(is_gone)));
    let key: Vec<String> = changes.key.iter().map(usize::to_string).collect();
    let nullable: Vec<&str> = schema
        .fields()
        .iter()
        .map(|f| if f.is_nullable() { "1" } else { "0" })
        .collect();
    let metadata = [
        (KEY.to_string(), key.join(",")),
        (WHOLE.to_string(), given.to_string()),
        (NULLABLE.to_string(), nullable.concat()),
    ];
    let schema = Schema::new_with_metadata(fields, metadata.into());
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

/// The parts in a file.
///
/// # Errors
/// Bytes that are no such file.
pub fn decode(name: &str, bytes: Vec<u8>) -> Result<Vec<StatePart>> {
    let reader = FileReader::try_new(std::io::Cursor::new(bytes), None)?;
    let schema = reader.schema();
    let parts = reader.map(|batch| part(name, &schema, &batch?));
    let mut parts: Vec<StatePart> = parts.collect::<Result<_>>()?;
    // What is given whole replaces earlier files, not other parts of this one.
    let others = parts.iter_mut().skip(1);
    for changes in others.filter_map(|part| part.changes.as_mut()) {
        changes.whole = KeyGroups::default();
    }
    Ok(parts)
}

/// The part in a batch of a file.
fn part(name: &str, schema: &Schema, all: &RecordBatch) -> Result<StatePart> {
    let damaged = |what: &str| Error::data(format!("{what} is missing"));
    let metadata = schema.metadata().clone();
    let key = metadata.get(KEY).map(|text| {
        text.split(',')
            .filter(|t| !t.is_empty())
            .map(str::parse)
            .collect::<std::result::Result<Vec<usize>, _>>()
    });
    let key = key
        .transpose()
        .map_err(|_| damaged("a number in flowline.key"))?;
    let own = usize::from(key.is_some()) + 1;
    let count = all
        .num_columns()
        .checked_sub(own)
        .ok_or_else(|| damaged("a column"))?;
    let rows = all.project(&(0..count).collect::<Vec<_>>())?;
    let groups = all
        .column(count)
        .as_primitive_opt::<UInt16Type>()
        .ok_or_else(|| damaged(KEY_GROUP))?
        .clone();
    let Some(key) = key else {
        let fields = rows.schema().fields().clone();
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), rows.columns().to_vec())?;
        return Ok(StatePart {
            name: name.to_string(),
            key_groups: groups,
            rows,
            changes: None,
        });
    };
    let whole = metadata.get(WHOLE).and_then(|text| KeyGroups::parse(text));
    let whole = whole.ok_or_else(|| damaged(WHOLE))?;
    let gone = all
        .column(count + 1)
        .as_boolean_opt()
        .ok_or_else(|| damaged(GONE))?;
    let there = not(gone)?;
    let nullable = metadata
        .get(NULLABLE)
        .map(String::as_str)
        .unwrap_or_default();
    let fields: Vec<Field> = rows
        .schema()
        .fields()
        .iter()
        .zip(nullable.chars().chain(std::iter::repeat('1')))
        .map(|(f, n)| f.as_ref().clone().with_nullable(n == '1'))
        .collect();
    let kept = filter_record_batch(&rows, &there)?;
    let kept = RecordBatch::try_new(Arc::new(Schema::new(fields)), kept.columns().to_vec())?;
    let gone = filter_record_batch(&rows.project(&key)?, gone)?;
    let key_groups = arrow::compute::filter(&groups, &there)?
        .as_primitive::<UInt16Type>()
        .clone();
    Ok(StatePart {
        name: name.to_string(),
        key_groups,
        rows: kept,
        changes: Some(StateChanges {
            key,
            gone,
            gone_groups: KeyGroups::default(),
            whole,
        }),
    })
}
