//! Arrays made ready to be written row by row, and the values whose text is the same in every format.

use std::ops::Range;

use arrow::array::{Array, AsArray, BinaryArray, BooleanArray, StringArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, Time32SecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};

use super::text::{self, TimestampStyle};

/// The values of one array.
pub(super) struct Cells<'a> {
    nulls: Option<&'a NullBuffer>,
    pub(super) values: Values<'a>,
}

pub(super) enum Values<'a> {
    Bool(&'a BooleanArray),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    /// DECIMAL and its scale.
    Decimal(&'a [i128], i32),
    Text(&'a StringArray),
    Binary(&'a BinaryArray),
    Date(&'a [i32]),
    /// TIME and how many nanoseconds one of it is.
    Time(&'a [i32], u64),
    /// TIMESTAMP, its unit, and whether it is a TIMESTAMP_LTZ.
    Timestamp(&'a [i64], TimeUnit, bool),
    Row(Vec<(&'a str, Cells<'a>)>),
    List(&'a [i32], Box<Cells<'a>>),
    Map(&'a [i32], &'a StringArray, Box<Cells<'a>>),
}

/// How the plain values of a table are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlainStyle {
    pub(super) timestamps: TimestampStyle,
    /// DECIMAL with all digits of its scale and no exponent; else without trailing zeros.
    pub(super) plain_decimals: bool,
}

impl<'a> Cells<'a> {
    /// The cells of `array`, or what is wrong with its type.
    pub(super) fn new(array: &'a dyn Array) -> Result<Self, String> {
        let other = || format!("the type {} cannot be written", array.data_type());
        macro_rules! numbers {
            ($kind:ty) => {
                &array
                    .as_primitive_opt::<$kind>()
                    .ok_or_else(other)?
                    .values()[..]
            };
        }
        let values = match array.data_type() {
            DataType::Boolean => Values::Bool(array.as_boolean_opt().ok_or_else(other)?),
            DataType::Int8 => Values::Int8(numbers!(Int8Type)),
            DataType::Int16 => Values::Int16(numbers!(Int16Type)),
            DataType::Int32 => Values::Int32(numbers!(Int32Type)),
            DataType::Int64 => Values::Int64(numbers!(Int64Type)),
            DataType::Float32 => Values::Float32(numbers!(Float32Type)),
            DataType::Float64 => Values::Float64(numbers!(Float64Type)),
            DataType::Decimal128(_, scale) => {
                Values::Decimal(numbers!(Decimal128Type), i32::from(*scale))
            }
            DataType::Utf8 => Values::Text(array.as_string_opt().ok_or_else(other)?),
            DataType::Binary => Values::Binary(array.as_binary_opt().ok_or_else(other)?),
            DataType::Date32 => Values::Date(numbers!(Date32Type)),
            DataType::Time32(TimeUnit::Second) => {
                Values::Time(numbers!(Time32SecondType), 1_000_000_000)
            }
            DataType::Time32(_) => Values::Time(numbers!(Time32MillisecondType), 1_000_000),
            DataType::Timestamp(unit, zone) => {
                let values = match unit {
                    TimeUnit::Second => numbers!(TimestampSecondType),
                    TimeUnit::Millisecond => numbers!(TimestampMillisecondType),
                    TimeUnit::Microsecond => numbers!(TimestampMicrosecondType),
                    TimeUnit::Nanosecond => numbers!(TimestampNanosecondType),
                };
                Values::Timestamp(values, *unit, zone.is_some())
            }
            DataType::Struct(fields) => {
                let row = array.as_struct_opt().ok_or_else(other)?;
                let members = fields.iter().zip(row.columns());
                let members = members.map(|(f, a)| Ok((f.name().as_str(), Self::new(a)?)));
                Values::Row(members.collect::<Result<_, String>>()?)
            }
            DataType::List(_) => {
                let list = array.as_list_opt::<i32>().ok_or_else(other)?;
                Values::List(list.value_offsets(), Box::new(Self::new(list.values())?))
            }
            DataType::Map(..) => {
                let map = array.as_map_opt().ok_or_else(other)?;
                let keys = map.keys().as_string_opt::<i32>().ok_or_else(other)?;
                Values::Map(
                    map.value_offsets(),
                    keys,
                    Box::new(Self::new(map.values())?),
                )
            }
            _ => return Err(other()),
        };
        Ok(Self {
            nulls: array.nulls(),
            values,
        })
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    /// Appends the text of a value without parts; those with parts give nothing.
    pub(super) fn write_plain(&self, row: usize, style: PlainStyle, out: &mut Vec<u8>) {
        match &self.values {
            Values::Bool(values) => {
                out.extend_from_slice(if values.value(row) { b"true" } else { b"false" })
            }
            Values::Int8(values) => text::write_int(i64::from(values[row]), out),
            Values::Int16(values) => text::write_int(i64::from(values[row]), out),
            Values::Int32(values) => text::write_int(i64::from(values[row]), out),
            Values::Int64(values) => text::write_int(values[row], out),
            Values::Float64(values) => text::write_double(values[row], out),
            Values::Float32(values) => text::write_float(values[row], out),
            Values::Decimal(values, scale) if style.plain_decimals => {
                text::write_decimal_plain(values[row], *scale, out);
            }
            Values::Decimal(values, scale) => {
                text::write_decimal_stripped(values[row], *scale, out)
            }
            Values::Text(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Values::Binary(values) => text::write_base64(values.value(row), out),
            Values::Date(values) => text::write_date(values[row], out),
            Values::Time(values, nanos) => text::write_time(values[row].max(0) as u64 * nanos, out),
            Values::Timestamp(values, unit, zoned) => {
                text::write_timestamp(values[row], *unit, style.timestamps, *zoned, out);
            }
            Values::Row(_) | Values::List(..) | Values::Map(..) => {}
        }
    }
}

/// The items of the list in `row`.
pub(super) fn items(offsets: &[i32], row: usize) -> Range<usize> {
    offsets[row] as usize..offsets[row + 1] as usize
}
