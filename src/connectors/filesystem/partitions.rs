//! Partitions as folders: the values of some columns stand in the path (`dt=2026-01-01/hour=10`), not in the files.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Component, Path};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray,
    Time32MillisecondArray, Time32SecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt32Array,
    new_null_array,
};
use arrow::compute::partition;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Schema, SchemaRef, Time32MillisecondType, Time32SecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};

use crate::catalog::options::{OptionError, Options};
use crate::catalog::{ColumnKind, Table};
use crate::error::{Error, Result};
use crate::formats::text::{self, TimestampStyle};

/// What stands for NULL and for an empty text.
pub(super) const DEFAULT_NAME: &str = "__DEFAULT_PARTITION__";

/// The columns that a table is partitioned by; none for most tables.
#[derive(Debug, Clone)]
pub(super) struct Partitions {
    columns: Vec<Column>,
    default_name: String,
    /// The other physical columns, as indexes into the physical schema.
    stored: Vec<usize>,
}

#[derive(Debug, Clone)]
struct Column {
    field: Field,
    /// Its place in the physical schema.
    index: usize,
}

impl Partitions {
    /// No partitions: all columns are in the files.
    pub(super) fn none(table: &Table) -> Self {
        Self {
            columns: Vec::new(),
            default_name: DEFAULT_NAME.to_string(),
            stored: (0..table.physical().len()).collect(),
        }
    }

    /// The partitions that `table` declares.
    ///
    /// # Errors
    /// Columns that cannot be in a path.
    pub(super) fn of(table: &Table, options: &Options) -> std::result::Result<Self, OptionError> {
        let default_name = options
            .get("partition.default-name")
            .unwrap_or(DEFAULT_NAME);
        if default_name.is_empty() {
            return Err(OptionError::new(
                "partition.default-name",
                "'partition.default-name' is empty",
            ));
        }
        let physical = table.physical();
        let mut partitions = Self {
            columns: Vec::new(),
            default_name: default_name.to_string(),
            stored: Vec::new(),
        };
        for i in &table.partitioned_by {
            let column = &table.columns[*i];
            let name = column.field.name();
            let wrong = |message: &str, help: &str| {
                Err(OptionError {
                    key: None,
                    message: format!("PARTITIONED BY column '{name}' {message}"),
                    help: Some(help.to_string()),
                })
            };
            let index = match (&column.kind, physical.iter().position(|p| p == i)) {
                (ColumnKind::Physical, Some(index)) => index,
                _ => return wrong("is not stored", "partition by columns that are written"),
            };
            if partitions.columns.iter().any(|c| c.index == index) {
                return wrong("is named twice", "name it once");
            }
            if name.starts_with(['.', '_']) {
                return wrong(
                    "begins with '.' or '_': its folders would be hidden",
                    "give the column another name",
                );
            }
            if !can_be_in_path(column.field.data_type()) {
                return wrong(
                    "has a type that cannot be in a path",
                    "partition by text, numbers, BOOLEAN, DATE, TIME or TIMESTAMP",
                );
            }
            partitions.columns.push(Column {
                field: column.field.clone(),
                index,
            });
        }
        partitions.stored = (0..physical.len())
            .filter(|i| partitions.columns.iter().all(|c| c.index != *i))
            .collect();
        if partitions.stored.is_empty() && !partitions.columns.is_empty() {
            return Err(OptionError {
                key: None,
                message: format!(
                    "table '{}' is partitioned by all of its columns",
                    table.name
                ),
                help: Some("leave at least one column for the files".to_string()),
            });
        }
        Ok(partitions)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// How many folders deep the files are.
    pub(super) fn depth(&self) -> usize {
        self.columns.len()
    }

    /// The name that stands for NULL.
    pub(super) fn default_name(&self) -> &str {
        &self.default_name
    }

    /// The names of the columns, outermost first.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|c| c.field.name().as_str())
    }

    /// The schema of what is in the files.
    pub(super) fn stored_schema(&self, physical: &Schema) -> SchemaRef {
        let fields = self.stored.iter().map(|i| physical.field(*i).clone());
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Where the physical column `index` comes from: its place in the files, or among the partition columns.
    pub(super) fn place(&self, index: usize) -> Place {
        match self.stored.iter().position(|i| *i == index) {
            Some(place) => Place::Stored(place),
            None => {
                let column = self.columns.iter().position(|c| c.index == index);
                Place::Partition(column.unwrap_or(0))
            }
        }
    }

    /// The folders that rows of the physical schema go to, and which of them go there, in their order; in the order in which
    /// the folders first come up.
    pub(super) fn split(&self, rows: &RecordBatch) -> Result<Vec<(String, UInt32Array)>> {
        let columns: Vec<ArrayRef> = self
            .columns
            .iter()
            .map(|c| Arc::clone(rows.column(c.index)))
            .collect();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut found: Vec<(String, Vec<usize>)> = Vec::new();
        for run in partition(&columns)?.ranges() {
            let folder = self.folder(&columns, run.start)?;
            let place = *places.entry(folder).or_insert_with_key(|folder| {
                found.push((folder.clone(), Vec::new()));
                found.len() - 1
            });
            found[place].1.extend(run);
        }
        let found = found.into_iter();
        Ok(found
            .map(|(folder, rows)| (folder, crate::connectors::row_indices(rows.into_iter())))
            .collect())
    }

    /// The files' part of rows of the physical schema.
    pub(super) fn stored_part(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        if self.columns.is_empty() {
            return Ok(rows.clone());
        }
        Ok(rows.project(&self.stored)?)
    }

    fn folder(&self, columns: &[ArrayRef], row: usize) -> Result<String> {
        let mut folder = String::new();
        let mut value = Vec::new();
        for (column, array) in self.columns.iter().zip(columns) {
            if !folder.is_empty() {
                folder.push('/');
            }
            escape(column.field.name(), &mut folder);
            folder.push('=');
            value.clear();
            if array.is_valid(row) {
                write_value(array, row, &mut value);
            }
            match std::str::from_utf8(&value) {
                Ok("") => escape(&self.default_name, &mut folder),
                Ok(text) => escape(text, &mut folder),
                Err(e) => return Err(Error::internal("a value is not text").caused_by(e)),
            }
        }
        Ok(folder)
    }

    /// The values of the partition that a file is in, one row for each column. `None`: the file is above the folders of the
    /// partitions, and no file of the table.
    ///
    /// # Errors
    /// A path without one of the columns; a value that is not of its column's type.
    pub(super) fn values(&self, root: &Path, file: &Path) -> Result<Option<Vec<ArrayRef>>> {
        if self.columns.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let folders = file.parent().unwrap_or(file);
        let found = path_values(folders);
        let missing = self
            .columns
            .iter()
            .find(|c| !found.contains_key(c.field.name()));
        if let Some(column) = missing {
            let below = folders.strip_prefix(root).unwrap_or(folders);
            if below.components().count() < self.columns.len() {
                return Ok(None);
            }
            return Err(Error::data(format!(
                "{}: no folder of its path is '{}=...'",
                file.display(),
                column.field.name()
            ))
            .with_help(
                "the table is PARTITIONED BY this column: the folders below 'path' must name its values",
            ));
        }
        let values = self.columns.iter().map(|column| {
            let field = &column.field;
            let text = found.get(field.name()).map_or("", String::as_str);
            let value = read_field(text, field, &self.default_name);
            value.ok_or_else(|| {
                Error::data(format!(
                    "{}: '{}={text}' is no value of the column's type",
                    file.display(),
                    field.name()
                ))
                .with_help("correct the name of the folder, or the column's type")
            })
        });
        Ok(Some(values.collect::<Result<_>>()?))
    }

    /// The values that a folder written by [`Partitions::split`] stands for, as text.
    pub(super) fn texts(folder: &str) -> Vec<(String, String)> {
        folder
            .split('/')
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (unescape(name), unescape(value)))
            .collect()
    }
}

/// What the folders of a path say, by column; the innermost counts.
pub(super) fn path_values(folders: &Path) -> HashMap<String, String> {
    folders
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => {
                let name = name.to_string_lossy();
                let (column, value) = name.split_once('=')?;
                let is_pair = !column.is_empty() && !value.is_empty();
                is_pair.then(|| (unescape(column), unescape(value)))
            }
            _ => None,
        })
        .collect()
}

/// Where a physical column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the files: so many columns are before it.
    Stored(usize),
    /// In the path: so many folders are before it.
    Partition(usize),
}

fn can_be_in_path(data_type: &DataType) -> bool {
    use DataType as D;
    matches!(
        data_type,
        D::Boolean
            | D::Int8
            | D::Int16
            | D::Int32
            | D::Int64
            | D::Float32
            | D::Float64
            | D::Decimal128(..)
            | D::Utf8
            | D::Date32
            | D::Time32(_)
            | D::Timestamp(..)
    )
}

/// Appends a value as Java prints it, which is how Flink names folders; DATE and TIME in their ISO form, which Flink
/// reads but does not write.
fn write_value(array: &dyn Array, row: usize, out: &mut Vec<u8>) {
    macro_rules! number {
        ($kind:ty) => {
            text::write_int(i64::from(array.as_primitive::<$kind>().value(row)), out)
        };
    }
    macro_rules! timestamp {
        ($kind:ty, $unit:expr) => {
            write_local_time(array.as_primitive::<$kind>().value(row), $unit, out)
        };
    }
    match array.data_type() {
        DataType::Boolean => {
            let value = array.as_boolean().value(row);
            out.extend_from_slice(if value { b"true" } else { b"false" });
        }
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::Float32 => text::write_float(array.as_primitive::<Float32Type>().value(row), out),
        DataType::Float64 => {
            text::write_double(array.as_primitive::<Float64Type>().value(row), out);
        }
        DataType::Decimal128(_, scale) => {
            let value = array.as_primitive::<Decimal128Type>().value(row);
            text::write_decimal(value, i32::from(*scale), out);
        }
        DataType::Utf8 => out.extend_from_slice(array.as_string::<i32>().value(row).as_bytes()),
        DataType::Date32 => text::write_date(array.as_primitive::<Date32Type>().value(row), out),
        DataType::Time32(TimeUnit::Second) => {
            let seconds = array.as_primitive::<Time32SecondType>().value(row);
            text::write_time(u64::from(seconds.unsigned_abs()) * 1_000_000_000, out);
        }
        DataType::Time32(_) => {
            let millis = array.as_primitive::<Time32MillisecondType>().value(row);
            text::write_time(u64::from(millis.unsigned_abs()) * 1_000_000, out);
        }
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => timestamp!(TimestampSecondType, *unit),
            TimeUnit::Millisecond => timestamp!(TimestampMillisecondType, *unit),
            TimeUnit::Microsecond => timestamp!(TimestampMicrosecondType, *unit),
            TimeUnit::Nanosecond => timestamp!(TimestampNanosecondType, *unit),
        },
        _ => {}
    }
}

/// Appends a timestamp as Java's `LocalDateTime.toString` does: no seconds where they are zero, and 3, 6 or 9 digits of
/// fraction.
fn write_local_time(value: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    let start = out.len();
    text::write_timestamp(value, unit, TimestampStyle::Iso, false, out);
    match out[start..].iter().position(|b| *b == b'.') {
        Some(point) => {
            let digits = out.len() - start - point - 1;
            out.resize(out.len() + digits.next_multiple_of(3) - digits, b'0');
        }
        None if out.ends_with(b":00") => out.truncate(out.len() - 3),
        None => {}
    }
}

/// An array of the one value of a field that a text in a path stands for.
pub(super) fn read_field(text: &str, field: &Field, default_name: &str) -> Option<ArrayRef> {
    if text == default_name {
        let null = || new_null_array(field.data_type(), 1);
        return field.is_nullable().then(null);
    }
    read_value(text, field.data_type())
}

/// An array of the one value that a text stands for.
fn read_value(value: &str, data_type: &DataType) -> Option<ArrayRef> {
    let bytes = value.as_bytes();
    macro_rules! number {
        ($array:ty, $native:ty) => {
            Arc::new(<$array>::from_value(
                <$native>::try_from(text::parse_int(bytes)?).ok()?,
                1,
            ))
        };
    }
    Some(match data_type {
        DataType::Boolean => Arc::new(BooleanArray::from(vec![value.eq_ignore_ascii_case("true")])),
        DataType::Int8 => number!(Int8Array, i8),
        DataType::Int16 => number!(Int16Array, i16),
        DataType::Int32 => number!(Int32Array, i32),
        DataType::Int64 => number!(Int64Array, i64),
        DataType::Float32 => Arc::new(Float32Array::from(vec![text::parse_float(bytes)?])),
        DataType::Float64 => Arc::new(Float64Array::from(vec![text::parse_double(bytes)?])),
        DataType::Decimal128(precision, scale) => {
            let value = text::parse_decimal(bytes, *precision, *scale)??;
            let array = Decimal128Array::from(vec![value]);
            Arc::new(array.with_precision_and_scale(*precision, *scale).ok()?)
        }
        DataType::Utf8 => Arc::new(StringArray::from(vec![value])),
        DataType::Date32 => Arc::new(Date32Array::from(vec![text::parse_date(bytes)?])),
        DataType::Time32(unit) => {
            let nanos = text::parse_iso_time(bytes)?;
            match unit {
                TimeUnit::Second => {
                    let seconds = i32::try_from(nanos / 1_000_000_000).ok()?;
                    Arc::new(Time32SecondArray::from(vec![seconds]))
                }
                _ => {
                    let millis = i32::try_from(nanos / 1_000_000).ok()?;
                    Arc::new(Time32MillisecondArray::from(vec![millis]))
                }
            }
        }
        DataType::Timestamp(unit, zone) => {
            let at = text::parse_timestamp(bytes, TimestampStyle::Iso, false)?;
            let value = vec![text::timestamp_to_unit(at, *unit)?];
            let zone = zone.clone();
            match unit {
                TimeUnit::Second => {
                    Arc::new(TimestampSecondArray::from(value).with_timezone_opt(zone))
                }
                TimeUnit::Millisecond => {
                    Arc::new(TimestampMillisecondArray::from(value).with_timezone_opt(zone))
                }
                TimeUnit::Microsecond => {
                    Arc::new(TimestampMicrosecondArray::from(value).with_timezone_opt(zone))
                }
                TimeUnit::Nanosecond => {
                    Arc::new(TimestampNanosecondArray::from(value).with_timezone_opt(zone))
                }
            }
        }
        _ => return None,
    })
}

/// Appends a name or value as it stands in a path: what means something to a file system or to Hive as `%XX`.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        let special = c < ' ' || c == '\u{7f}' || r##""#%'*/:=?\{}[]^"##.contains(c);
        if special {
            // Writing to a String does not fail.
            let _ = write!(out, "%{:02X}", u32::from(c));
        } else {
            out.push(c);
        }
    }
}

/// What an escaped name or value stands for; `%` that no two hexadecimal digits follow stands for itself.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let code = rest
            .get(at + 1..at + 3)
            .filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        match code {
            Some(code) => {
                out.push(char::from(code));
                rest = &rest[at + 3..];
            }
            None => {
                out.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}
