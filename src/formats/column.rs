//! One column being built, of any type the formats know, that can be cut back when a row turns out bad.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, BooleanBufferBuilder, Date32Array, Decimal128Array,
    Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, ListArray, MapArray,
    RecordBatch, RecordBatchOptions, StringArray, StructArray, Time32MillisecondArray,
    Time32SecondArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

use super::text::{self, Instant};

/// A column being built. Every row appended so far has exactly one value or NULL.
pub(super) struct Column {
    pub(super) nullable: bool,
    len: usize,
    /// One entry a row once there is a NULL.
    valid: BooleanBufferBuilder,
    has_nulls: bool,
    pub(super) data: Data,
}

/// The values of a [`Column`].
pub(super) enum Data {
    Bool(BooleanBufferBuilder),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Decimal {
        values: Vec<i128>,
        precision: u8,
        scale: i8,
    },
    /// `binary`: any bytes; else valid UTF-8.
    Bytes {
        offsets: Vec<i32>,
        bytes: Vec<u8>,
        binary: bool,
    },
    Date(Vec<i32>),
    /// TIME in seconds or milliseconds.
    Time {
        values: Vec<i32>,
        unit: TimeUnit,
    },
    Timestamp {
        values: Vec<i64>,
        unit: TimeUnit,
        zone: Option<Arc<str>>,
    },
    Row {
        fields: Fields,
        children: Vec<Column>,
    },
    List {
        field: FieldRef,
        offsets: Vec<i32>,
        child: Box<Column>,
    },
    Map {
        field: FieldRef,
        sorted: bool,
        entry_fields: Fields,
        offsets: Vec<i32>,
        keys: Box<Column>,
        values: Box<Column>,
    },
}

/// More bytes or elements in one batch than Arrow's 32-bit offsets can count.
pub(super) const TOO_LARGE: &str = "the batch has more than 2 GiB of this column";

impl Column {
    /// An empty column for `field`; an error names the type that no format supports.
    pub(super) fn new(field: &Field) -> Result<Self, String> {
        let data = match field.data_type() {
            DataType::Boolean => Data::Bool(BooleanBufferBuilder::new(0)),
            DataType::Int8 => Data::Int8(Vec::new()),
            DataType::Int16 => Data::Int16(Vec::new()),
            DataType::Int32 => Data::Int32(Vec::new()),
            DataType::Int64 => Data::Int64(Vec::new()),
            DataType::Float32 => Data::Float32(Vec::new()),
            DataType::Float64 => Data::Float64(Vec::new()),
            DataType::Decimal128(precision, scale) => Data::Decimal {
                values: Vec::new(),
                precision: *precision,
                scale: *scale,
            },
            DataType::Utf8 => Data::Bytes {
                offsets: vec![0],
                bytes: Vec::new(),
                binary: false,
            },
            DataType::Binary => Data::Bytes {
                offsets: vec![0],
                bytes: Vec::new(),
                binary: true,
            },
            DataType::Date32 => Data::Date(Vec::new()),
            DataType::Time32(unit) => Data::Time {
                values: Vec::new(),
                unit: *unit,
            },
            DataType::Timestamp(unit, zone) => Data::Timestamp {
                values: Vec::new(),
                unit: *unit,
                zone: zone.clone(),
            },
            DataType::Struct(fields) => {
                let children = fields
                    .iter()
                    .map(|f| Self::new(f))
                    .collect::<Result<_, _>>()?;
                Data::Row {
                    fields: fields.clone(),
                    children,
                }
            }
            DataType::List(item) => Data::List {
                field: item.clone(),
                offsets: vec![0],
                child: Box::new(Self::new(item)?),
            },
            DataType::Map(entries, sorted) => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => Data::Map {
                    field: entries.clone(),
                    sorted: *sorted,
                    entry_fields: fields.clone(),
                    offsets: vec![0],
                    keys: Box::new(Self::new(&fields[0])?),
                    values: Box::new(Self::new(&fields[1])?),
                },
                other => return Err(other.to_string()),
            },
            other => return Err(other.to_string()),
        };
        Ok(Self {
            nullable: field.is_nullable(),
            len: 0,
            valid: BooleanBufferBuilder::new(0),
            has_nulls: false,
            data,
        })
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Makes room for `rows` more rows.
    pub(super) fn reserve(&mut self, rows: usize) {
        match &mut self.data {
            Data::Bool(values) => values.reserve(rows),
            Data::Int8(values) => values.reserve(rows),
            Data::Int16(values) => values.reserve(rows),
            Data::Int32(values) | Data::Date(values) | Data::Time { values, .. } => {
                values.reserve(rows)
            }
            Data::Int64(values) | Data::Timestamp { values, .. } => values.reserve(rows),
            Data::Float32(values) => values.reserve(rows),
            Data::Float64(values) => values.reserve(rows),
            Data::Decimal { values, .. } => values.reserve(rows),
            Data::Bytes { offsets, bytes, .. } => {
                offsets.reserve(rows);
                bytes.reserve(rows.saturating_mul(8));
            }
            Data::List { offsets, .. } | Data::Map { offsets, .. } => offsets.reserve(rows),
            Data::Row { children, .. } => children.iter_mut().for_each(|c| c.reserve(rows)),
        }
    }

    /// Counts the value that was just put into `data`.
    #[inline]
    pub(super) fn mark_valid(&mut self) {
        if self.has_nulls {
            self.valid.append(true);
        }
        self.len += 1;
    }

    /// Appends NULL, whether the field allows it or not (below a NULL row it must).
    #[inline]
    pub(super) fn append_null(&mut self) {
        if !self.has_nulls {
            self.has_nulls = true;
            self.valid.append_n(self.len, true);
        }
        self.valid.append(false);
        self.len += 1;
        match &mut self.data {
            Data::Bool(values) => values.append(false),
            Data::Int8(values) => values.push(0),
            Data::Int16(values) => values.push(0),
            Data::Int32(values) | Data::Date(values) | Data::Time { values, .. } => values.push(0),
            Data::Int64(values) | Data::Timestamp { values, .. } => values.push(0),
            Data::Float32(values) => values.push(0.0),
            Data::Float64(values) => values.push(0.0),
            Data::Decimal { values, .. } => values.push(0),
            Data::Bytes { offsets, .. }
            | Data::List { offsets, .. }
            | Data::Map { offsets, .. } => {
                offsets.push(offsets.last().copied().unwrap_or(0));
            }
            Data::Row { children, .. } => children.iter_mut().for_each(Column::append_null),
        }
    }

    /// Cuts the column back to its first `len` rows, and drops what a broken-off row left behind.
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        let len = self.len;
        if self.has_nulls {
            self.valid.truncate(len);
        }
        match &mut self.data {
            Data::Bool(values) => values.truncate(len),
            Data::Int8(values) => values.truncate(len),
            Data::Int16(values) => values.truncate(len),
            Data::Int32(values) | Data::Date(values) | Data::Time { values, .. } => {
                values.truncate(len)
            }
            Data::Int64(values) | Data::Timestamp { values, .. } => values.truncate(len),
            Data::Float32(values) => values.truncate(len),
            Data::Float64(values) => values.truncate(len),
            Data::Decimal { values, .. } => values.truncate(len),
            Data::Bytes { offsets, bytes, .. } => bytes.truncate(cut(offsets, len)),
            Data::List { offsets, child, .. } => child.truncate(cut(offsets, len)),
            Data::Map {
                offsets,
                keys,
                values,
                ..
            } => {
                let entries = cut(offsets, len);
                keys.truncate(entries);
                values.truncate(entries);
            }
            Data::Row { children, .. } => children.iter_mut().for_each(|c| c.truncate(len)),
        }
    }

    /// Appends whole bytes or a whole string; false when the column would get too large.
    pub(super) fn append_bytes(&mut self, value: &[u8]) -> bool {
        if let Data::Bytes { offsets, bytes, .. } = &mut self.data {
            bytes.extend_from_slice(value);
            if !close(offsets, bytes.len()) {
                return false;
            }
            self.mark_valid();
        }
        true
    }

    /// The array of all rows; the column is empty again.
    fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let len = std::mem::take(&mut self.len);
        let nulls =
            std::mem::take(&mut self.has_nulls).then(|| NullBuffer::new(self.valid.finish()));
        Ok(match &mut self.data {
            Data::Bool(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Data::Int8(values) => Arc::new(Int8Array::new(scalars(values), nulls)),
            Data::Int16(values) => Arc::new(Int16Array::new(scalars(values), nulls)),
            Data::Int32(values) => Arc::new(Int32Array::new(scalars(values), nulls)),
            Data::Int64(values) => Arc::new(Int64Array::new(scalars(values), nulls)),
            Data::Float32(values) => Arc::new(Float32Array::new(scalars(values), nulls)),
            Data::Float64(values) => Arc::new(Float64Array::new(scalars(values), nulls)),
            Data::Date(values) => Arc::new(Date32Array::new(scalars(values), nulls)),
            Data::Decimal {
                values,
                precision,
                scale,
            } => Arc::new(
                Decimal128Array::new(scalars(values), nulls)
                    .with_precision_and_scale(*precision, *scale)?,
            ),
            Data::Bytes {
                offsets,
                bytes,
                binary,
            } => {
                let offsets = finish_offsets(offsets);
                let bytes = std::mem::take(bytes).into();
                match binary {
                    true => Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?),
                    false => Arc::new(StringArray::try_new(offsets, bytes, nulls)?),
                }
            }
            Data::Time { values, unit } => match unit {
                TimeUnit::Second => Arc::new(Time32SecondArray::new(scalars(values), nulls)),
                _ => Arc::new(Time32MillisecondArray::new(scalars(values), nulls)),
            },
            Data::Timestamp { values, unit, zone } => {
                let values = scalars(values);
                let zone = zone.clone();
                match unit {
                    TimeUnit::Second => {
                        Arc::new(TimestampSecondArray::new(values, nulls).with_timezone_opt(zone))
                    }
                    TimeUnit::Millisecond => Arc::new(
                        TimestampMillisecondArray::new(values, nulls).with_timezone_opt(zone),
                    ),
                    TimeUnit::Microsecond => Arc::new(
                        TimestampMicrosecondArray::new(values, nulls).with_timezone_opt(zone),
                    ),
                    TimeUnit::Nanosecond => Arc::new(
                        TimestampNanosecondArray::new(values, nulls).with_timezone_opt(zone),
                    ),
                }
            }
            Data::Row { fields, children } => {
                let arrays = children
                    .iter_mut()
                    .map(Column::finish)
                    .collect::<Result<Vec<_>, _>>()?;
                Arc::new(StructArray::try_new_with_length(
                    fields.clone(),
                    arrays,
                    nulls,
                    len,
                )?)
            }
            Data::List {
                field,
                offsets,
                child,
            } => Arc::new(ListArray::try_new(
                field.clone(),
                finish_offsets(offsets),
                child.finish()?,
                nulls,
            )?),
            Data::Map {
                field,
                sorted,
                entry_fields,
                offsets,
                keys,
                values,
            } => {
                let entries = StructArray::try_new(
                    entry_fields.clone(),
                    vec![keys.finish()?, values.finish()?],
                    None,
                )?;
                let offsets = finish_offsets(offsets);
                Arc::new(MapArray::try_new(
                    field.clone(),
                    offsets,
                    entries,
                    nulls,
                    *sorted,
                )?)
            }
        })
    }

    /// Appends a whole number; false when it is out of the column's range.
    #[inline]
    pub(super) fn append_parsed_int(&mut self, value: i64) -> bool {
        let fits = match &mut self.data {
            Data::Int8(values) => push_into(values, value),
            Data::Int16(values) => push_into(values, value),
            Data::Int32(values) => push_into(values, value),
            Data::Int64(values) => push_into(values, value),
            _ => false,
        };
        if fits {
            self.mark_valid();
        }
        fits
    }

    /// Appends a TIME given in nanoseconds of the day, digits finer than the column's cut off.
    pub(super) fn append_time(&mut self, nanos: u64) {
        if let Data::Time { values, unit } = &mut self.data {
            let per = if *unit == TimeUnit::Second {
                1_000_000_000
            } else {
                1_000_000
            };
            values.push((nanos / per) as i32);
            self.mark_valid();
        }
    }

    /// Appends a timestamp; false when the column's unit cannot hold it.
    #[inline]
    pub(super) fn append_instant(&mut self, at: Instant) -> bool {
        if let Data::Timestamp { values, unit, .. } = &mut self.data {
            let Some(value) = text::timestamp_to_unit(at, *unit) else {
                return false;
            };
            values.push(value);
            self.mark_valid();
        }
        true
    }
}

fn push_into<T: TryFrom<i64>>(values: &mut Vec<T>, value: i64) -> bool {
    T::try_from(value).map(|value| values.push(value)).is_ok()
}

/// Ends the current entry of `offsets` at `end`; false when that is more than they can count.
#[inline]
pub(super) fn close(offsets: &mut Vec<i32>, end: usize) -> bool {
    i32::try_from(end).map(|end| offsets.push(end)).is_ok()
}

/// Cuts offsets back to `len` entries and says where the last one ends.
fn cut(offsets: &mut Vec<i32>, len: usize) -> usize {
    offsets.truncate(len + 1);
    offsets.last().map_or(0, |end| *end as usize)
}

fn scalars<T: arrow::datatypes::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    ScalarBuffer::from(std::mem::take(values))
}

fn finish_offsets(offsets: &mut Vec<i32>) -> OffsetBuffer<i32> {
    OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(offsets, vec![0])))
}

/// Empty columns for the fields of `schema`.
pub(super) fn columns(schema: &SchemaRef) -> Result<Vec<Column>, (String, String)> {
    let column = |field: &FieldRef| Column::new(field).map_err(|kind| (field.name().clone(), kind));
    schema.fields().iter().map(column).collect()
}

/// A batch of all rows built; the columns are empty again.
pub(super) fn finish(
    schema: &SchemaRef,
    columns: &mut [Column],
    rows: usize,
) -> Result<RecordBatch, ArrowError> {
    let arrays = columns
        .iter_mut()
        .map(Column::finish)
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?;
    debug_assert!(batch.columns().iter().all(|c| c.len() == rows));
    Ok(batch)
}

/// The first type inside `data_type` that no format can read or write.
pub(super) fn unsupported(field: &Field) -> Option<String> {
    Column::new(field).err()
}
